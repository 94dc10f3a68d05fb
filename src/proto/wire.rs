// SPDX-License-Identifier: GPL-2.0

//! Reading from and writing into byte buffers without a panicking operation.
//!
//! [`Reader`] only ever hands out parts of its input; [`Writer`] fills a caller's buffer from the front, remembers
//! every byte that it wrote, and lets earlier fields be patched by position ([`Mark`]).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The input is shorter than the message claims, or a field has a value that the document forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The output buffer has no room for what was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Result of every parser.
pub type Parsed<T> = Result<T, Malformed>;

/// Result of every encoder.
pub type Written = Result<(), Full>;

/// A cursor over input bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Bytes not yet taken.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes not yet taken.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether all input is taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Parsed<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = tail;
        Ok(head)
    }

    /// A reader over the next `len` bytes.
    pub fn sub(&mut self, len: usize) -> Parsed<Reader<'a>> {
        self.take(len).map(Reader::new)
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, len: usize) -> Parsed<()> {
        self.take(len).map(|_| ())
    }

    /// The next fixed-size value, by copy: alignment does not matter.
    pub fn get<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Parsed<T> {
        let (value, tail) = T::read_from_prefix(self.rest).map_err(|_| Malformed)?;
        self.rest = tail;
        Ok(value)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Parsed<u8> {
        let (first, tail) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = tail;
        Ok(*first)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = tail;
        Ok(*head)
    }

    /// The next little-endian `u16`.
    pub fn u16(&mut self) -> Parsed<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next little-endian `u32`.
    pub fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next little-endian `u64`.
    pub fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// `len` bytes of `bytes` from `offset` on, as SMB2's offset and length pairs name them. A length of zero gives an empty
/// slice whatever the offset.
pub fn slice_at(bytes: &[u8], offset: usize, len: usize) -> Parsed<&[u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    let end = offset.checked_add(len).ok_or(Malformed)?;
    bytes.get(offset..end).ok_or(Malformed)
}

/// A place in a [`Writer`]'s output, to patch or measure from later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// Fills a buffer from the front.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes into `buf`, from its front.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Writer { buf, at: 0 }
    }

    /// Number of bytes written.
    pub fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Number of bytes that still fit.
    pub fn room(&self) -> usize {
        self.buf.len().saturating_sub(self.at)
    }

    /// The bytes written so far.
    pub fn written(&self) -> &[u8] {
        self.buf.get(..self.at).unwrap_or(&[])
    }

    /// The current place.
    pub fn mark(&self) -> Mark {
        Mark(self.at)
    }

    /// Number of bytes written since `mark`.
    pub fn since(&self, mark: Mark) -> usize {
        self.at.saturating_sub(mark.0)
    }

    /// Takes back everything written since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.at = self.at.min(mark.0);
    }

    /// Appends `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) -> Written {
        let end = self.at.checked_add(bytes.len()).ok_or(Full)?;
        let room = self.buf.get_mut(self.at..end).ok_or(Full)?;
        // `room` has the length of `bytes`: the zip copies all of it, and compiles to a memcpy without a length check.
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.at = end;
        Ok(())
    }

    /// Appends a fixed-size value.
    pub fn put<T: IntoBytes + Immutable>(&mut self, value: &T) -> Written {
        self.bytes(value.as_bytes())
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) -> Written {
        self.bytes(&[value])
    }

    /// Appends a little-endian `u16`.
    pub fn u16(&mut self, value: u16) -> Written {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends a little-endian `u32`.
    pub fn u32(&mut self, value: u32) -> Written {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends a little-endian `u64`.
    pub fn u64(&mut self, value: u64) -> Written {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends `len` zero bytes.
    pub fn zeros(&mut self, len: usize) -> Written {
        let end = self.at.checked_add(len).ok_or(Full)?;
        self.buf.get_mut(self.at..end).ok_or(Full)?.fill(0);
        self.at = end;
        Ok(())
    }

    /// Appends zero bytes until the distance from `from` is a multiple of `align`, a power of two.
    pub fn align(&mut self, from: Mark, align: usize) -> Written {
        let over = self.since(from) & align.wrapping_sub(1);
        if over == 0 {
            return Ok(());
        }
        self.zeros(align.wrapping_sub(over))
    }

    /// Lends the next `len` bytes, zeroed, for a caller that fills them itself; they count as written.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8], Full> {
        let end = self.at.checked_add(len).ok_or(Full)?;
        let room = self.buf.get_mut(self.at..end).ok_or(Full)?;
        room.fill(0);
        self.at = end;
        Ok(room)
    }

    /// Lends the next `max` bytes, which may hold anything, to `fill`, which overwrites some from the front and returns how
    /// many: those count as written, and no others.
    pub fn fill_with(
        &mut self,
        max: usize,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Full> {
        let end = self.at.checked_add(max).ok_or(Full)?;
        let filled = fill(self.buf.get_mut(self.at..end).ok_or(Full)?).min(max);
        self.at = self.at.saturating_add(filled);
        Ok(filled)
    }

    /// Overwrites what stands at `mark` with `bytes`, which must lie within what was written.
    pub fn patch(&mut self, mark: Mark, bytes: &[u8]) -> Written {
        let end = mark.0.checked_add(bytes.len()).ok_or(Full)?;
        if end > self.at {
            return Err(Full);
        }
        let room = self.buf.get_mut(mark.0..end).ok_or(Full)?;
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }

    /// Overwrites a little-endian `u16` at `mark`.
    pub fn patch_u16(&mut self, mark: Mark, value: u16) -> Written {
        self.patch(mark, &value.to_le_bytes())
    }

    /// Overwrites a little-endian `u32` at `mark`.
    pub fn patch_u32(&mut self, mark: Mark, value: u32) -> Written {
        self.patch(mark, &value.to_le_bytes())
    }

    /// Overwrites a little-endian `u64` at `mark`.
    pub fn patch_u64(&mut self, mark: Mark, value: u64) -> Written {
        self.patch(mark, &value.to_le_bytes())
    }
}
