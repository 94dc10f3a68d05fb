// SPDX-License-Identifier: GPL-2.0

//! What the bodies of all messages share: the `StructureSize` check, buffers that an offset and a length name, and lists of
//! 16-bit identifiers.
//!
//! Offsets count from the start of the SMB2 header, and a body starts [`HEADER_LEN`] bytes after it.

use core::marker::PhantomData;

use crate::header::HEADER_LEN;
use crate::wire::{slice_at, Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// A reader over the body of `pdu`, past its `StructureSize`, which must be `structure_size`.
///
/// An odd size counts the first byte of the variable part, which need not be there: the fixed part of `structure_size & !1`
/// bytes must.
pub(crate) fn open(pdu: &[u8], structure_size: u16) -> Parsed<Reader<'_>> {
    let body = pdu.get(HEADER_LEN..).ok_or(Malformed)?;
    if body.len() < usize::from(structure_size & !1) {
        return Err(Malformed);
    }
    let mut r = Reader::new(body);
    if r.u16()? != structure_size {
        return Err(Malformed);
    }
    Ok(r)
}

/// The `len` bytes at `offset` from the header's start, which must lie behind the fixed part of a body of `structure_size`.
/// With `len` zero the offset means nothing.
pub(crate) fn buffer(pdu: &[u8], structure_size: u16, offset: usize, len: usize) -> Parsed<&[u8]> {
    if len != 0 && offset < usize::from(variable_at(structure_size)) {
        return Err(Malformed);
    }
    slice_at(pdu, offset, len)
}

/// Offset of the variable part of a body of `structure_size`, from the header's start.
pub(crate) const fn variable_at(structure_size: u16) -> u16 {
    (structure_size & !1).wrapping_add(64)
}

/// `value` as an offset or a length of 32 bits on a machine of any word size.
pub(crate) fn size(value: u32) -> Parsed<usize> {
    usize::try_from(value).map_err(|_| Malformed)
}

/// A length as a 16-bit field.
pub(crate) fn len16(len: usize) -> Result<u16, Full> {
    u16::try_from(len).map_err(|_| Full)
}

/// A length as a 32-bit field.
pub(crate) fn len32(len: usize) -> Result<u32, Full> {
    u32::try_from(len).map_err(|_| Full)
}

/// Appends the one byte that an odd `StructureSize` promises when the variable part is empty.
pub(crate) fn pad_empty(w: &mut Writer<'_>, variable_len: usize) -> Written {
    if variable_len == 0 {
        w.u8(0)?;
    }
    Ok(())
}

/// A reply's variable buffer while it is being written in place. [`Buffer::finish`] patches its length.
#[derive(Debug)]
#[must_use = "finish() patches the buffer's length"]
pub struct Buffer {
    pub(crate) offset_field: OffsetField,
    pub(crate) length_at: Mark,
    pub(crate) start: Mark,
    /// Whether one byte must stand for an empty buffer.
    pub(crate) pad_empty: bool,
}

/// Where the offset of a [`Buffer`] stands, to be zeroed when the buffer stays empty.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OffsetField {
    /// Stays as it is.
    Fixed,
    /// A 16-bit field.
    U16(Mark),
    /// A 32-bit field.
    U32(Mark),
}

impl Buffer {
    /// Where the buffer starts, to align from and to measure.
    pub fn start(&self) -> Mark {
        self.start
    }

    /// Number of bytes written into the buffer so far.
    pub fn len(&self, w: &Writer<'_>) -> usize {
        w.since(self.start)
    }

    /// Whether nothing was written into the buffer yet.
    pub fn is_empty(&self, w: &Writer<'_>) -> bool {
        self.len(w) == 0
    }

    /// Patches the length, and the offset to zero if the buffer stayed empty. Answers the length.
    pub fn finish(self, w: &mut Writer<'_>) -> Result<u32, Full> {
        let len = len32(w.since(self.start))?;
        w.patch_u32(self.length_at, len)?;
        if len == 0 {
            match self.offset_field {
                OffsetField::Fixed => (),
                OffsetField::U16(at) => w.patch_u16(at, 0)?,
                OffsetField::U32(at) => w.patch_u32(at, 0)?,
            }
            if self.pad_empty {
                w.u8(0)?;
            }
        }
        Ok(len)
    }
}

/// The replies that are a 16-bit offset, a 32-bit length and a buffer: QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO
/// ([MS-SMB2] 2.2.34, 2.2.36, 2.2.38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferReply<'a> {
    /// The information.
    pub data: &'a [u8],
}

impl<'a> BufferReply<'a> {
    const SIZE: u16 = 9;

    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = open(pdu, Self::SIZE)?;
        let offset = usize::from(r.u16()?);
        let len = size(r.u32()?)?;
        Ok(BufferReply {
            data: buffer(pdu, Self::SIZE, offset, len)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let buffer = Self::begin(w)?;
        w.bytes(self.data)?;
        buffer.finish(w).map(|_| ())
    }

    /// Appends the fixed part, for a caller that writes the information into `w` itself and then calls
    /// [`Buffer::finish`].
    pub fn begin(w: &mut Writer<'_>) -> Result<Buffer, Full> {
        w.u16(Self::SIZE)?;
        let offset_at = w.mark();
        w.u16(variable_at(Self::SIZE))?;
        let length_at = w.mark();
        w.u32(0)?;
        Ok(Buffer {
            offset_field: OffsetField::U16(offset_at),
            length_at,
            start: w.mark(),
            pad_empty: true,
        })
    }
}

/// A list of 16-bit identifiers of type `T`, as the wire has it.
pub struct Ids<'a, T> {
    bytes: &'a [u8],
    of: PhantomData<T>,
}

impl<'a, T: From<u16>> Ids<'a, T> {
    /// Takes `count` identifiers.
    pub(crate) fn read(r: &mut Reader<'a>, count: usize) -> Parsed<Self> {
        let bytes = r.take(count.checked_mul(2).ok_or(Malformed)?)?;
        Ok(Ids {
            bytes,
            of: PhantomData,
        })
    }

    /// Number of identifiers.
    pub fn len(&self) -> usize {
        self.bytes.len() / 2
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<T: From<u16>> Iterator for Ids<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (id, rest) = self.bytes.split_first_chunk::<2>()?;
        self.bytes = rest;
        Some(T::from(u16::from_le_bytes(*id)))
    }
}

impl<T> Clone for Ids<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ids<'_, T> {}

impl<T> PartialEq for Ids<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Ids<'_, T> {}

impl<T: From<u16> + core::fmt::Debug> core::fmt::Debug for Ids<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// Appends a list of 16-bit identifiers.
pub(crate) fn write_ids<T: Copy + Into<u16>>(w: &mut Writer<'_>, ids: &[T]) -> Written {
    for id in ids {
        w.u16((*id).into())?;
    }
    Ok(())
}
