// SPDX-License-Identifier: GPL-2.0

//! Lists whose elements begin with a 32-bit `NextEntryOffset`: directory entries, extended attributes, streams, network
//! interfaces ([MS-FSCC] 2.4, [MS-SMB2] 2.2.32.5).

use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Iterator over the elements of a list. Each is a slice that begins with its `NextEntryOffset` and reaches to the next
/// element, or to the end of the input. The first error ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    rest: Option<&'a [u8]>,
    align: u32,
}

impl<'a> Entries<'a> {
    /// A list in which every element begins at a multiple of `align`, a power of two. No bytes are no elements.
    pub fn new(bytes: &'a [u8], align: u32) -> Self {
        Entries {
            rest: (!bytes.is_empty()).then_some(bytes),
            align,
        }
    }

    fn split(&mut self, bytes: &'a [u8]) -> Parsed<&'a [u8]> {
        let next = Reader::new(bytes).u32()?;
        if next == 0 {
            return Ok(bytes);
        }
        if next < 4 || next & self.align.wrapping_sub(1) != 0 {
            return Err(Malformed);
        }
        let next = usize::try_from(next).map_err(|_| Malformed)?;
        let (entry, rest) = bytes.split_at_checked(next).ok_or(Malformed)?;
        if rest.is_empty() {
            return Err(Malformed);
        }
        self.rest = Some(rest);
        Ok(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Parsed<&'a [u8]>;

    fn next(&mut self) -> Option<Parsed<&'a [u8]>> {
        let bytes = self.rest.take()?;
        Some(self.split(bytes))
    }
}

/// Appends elements and links them.
#[derive(Clone, Copy, Debug)]
pub struct EntryList {
    start: Mark,
    last: Option<Mark>,
    align: usize,
    limit: usize,
}

impl EntryList {
    /// Starts a list at the end of `w`, of at most `limit` bytes, whose elements begin at multiples of `align` (a power of
    /// two) from its start.
    pub fn new(w: &Writer<'_>, align: usize, limit: usize) -> Self {
        EntryList {
            start: w.mark(),
            last: None,
            align,
            limit,
        }
    }

    /// Whether no element was appended yet.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Bytes of the list so far.
    pub fn len(&self, w: &Writer<'_>) -> usize {
        w.since(self.start)
    }

    /// Appends an element: its `NextEntryOffset`, and after it what `body` writes.
    ///
    /// # Errors
    ///
    /// `Full` if it does not fit into the output or the limit, or `body` says so: then the output is as it was before.
    pub fn add(
        &mut self,
        w: &mut Writer<'_>,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        let before = w.mark();
        let added = self.try_add(w, body);
        if added.is_err() {
            w.rewind(before);
        }
        added
    }

    fn try_add(
        &mut self,
        w: &mut Writer<'_>,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        w.align(self.start, self.align)?;
        let entry = w.mark();
        // The distance from the element before, which ends in the padding just written.
        let distance = self.last.map(|last| u32::try_from(w.since(last)));
        w.u32(0)?;
        body(w)?;
        if self.len(w) > self.limit {
            return Err(Full);
        }
        if let (Some(last), Some(distance)) = (self.last, distance) {
            w.patch_u32(last, distance.map_err(|_| Full)?)?;
        }
        self.last = Some(entry);
        Ok(())
    }
}
