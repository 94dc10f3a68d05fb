// SPDX-License-Identifier: GPL-2.0

//! LOCK, [MS-SMB2] 2.2.26. The reply is [`crate::trivial::Empty`].

use crate::body::{self, len16};
use crate::header::FileId;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// Counts one element.
const REQUEST_SIZE: u16 = 48;

flags! {
    /// `Flags` of an element.
    pub struct LockFlags: u32 {
        /// Lock for sharing.
        SHARED = 0x0000_0001;
        /// Lock for one.
        EXCLUSIVE = 0x0000_0002;
        /// Unlock.
        UNLOCK = 0x0000_0004;
        /// Do not wait.
        FAIL_IMMEDIATELY = 0x0000_0010;
    }
}

/// A range to lock or unlock, 2.2.26.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Start in bytes.
    pub offset: u64,
    /// Length in bytes. The end may lie beyond 64 bits: `STATUS_INVALID_LOCK_RANGE`.
    pub length: u64,
    /// What to do. Which combinations are valid is the handler's business (3.3.5.14).
    pub flags: LockFlags,
}

impl Element {
    /// Length on the wire in bytes.
    const LEN: usize = 24;

    fn read(r: &mut Reader<'_>) -> Parsed<Self> {
        let element = Element {
            offset: r.u64()?,
            length: r.u64()?,
            flags: LockFlags::from_bits(r.u32()?),
        };
        r.skip(4)?;
        Ok(element)
    }

    fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u64(self.offset)?;
        w.u64(self.length)?;
        w.u32(self.flags.bits())?;
        w.u32(0)
    }
}

/// The ranges of a LOCK request: an iterator over them, and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elements<'a> {
    bytes: &'a [u8],
}

impl Elements<'_> {
    /// Number of ranges, at least 1 in a request that was parsed.
    pub fn len(&self) -> usize {
        self.bytes.len() / Element::LEN
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for Elements<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        let (first, rest) = self.bytes.split_at_checked(Element::LEN)?;
        self.bytes = rest;
        Element::read(&mut Reader::new(first)).ok()
    }
}

/// A LOCK request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Low 4 bits of `LockSequence`, 2.1 and later.
    pub sequence_number: u8,
    /// High 28 bits of `LockSequence`, 2.1 and later.
    pub sequence_index: u32,
    /// The open whose ranges are locked.
    pub file_id: FileId,
    /// The ranges.
    pub locks: Elements<'a>,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`; a request without a range is malformed.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let count = usize::from(r.u16()?);
        let sequence = r.u32()?;
        let file_id = FileId::read(&mut r)?;
        if count == 0 {
            return Err(Malformed);
        }
        let bytes = r.take(count.checked_mul(Element::LEN).ok_or(Malformed)?)?;
        let [low, _, _, _] = sequence.to_le_bytes();
        Ok(Request {
            sequence_number: low & 0x0f,
            sequence_index: sequence >> 4,
            file_id,
            locks: Elements { bytes },
        })
    }
}

/// A LOCK request to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRequest<'a> {
    /// Low 4 bits of `LockSequence`.
    pub sequence_number: u8,
    /// High 28 bits of `LockSequence`.
    pub sequence_index: u32,
    /// The open whose ranges are locked.
    pub file_id: FileId,
    /// The ranges.
    pub locks: &'a [Element],
}

impl NewRequest<'_> {
    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u16(len16(self.locks.len())?)?;
        w.u32((self.sequence_index << 4) | u32::from(self.sequence_number & 0x0f))?;
        self.file_id.write(w)?;
        for lock in self.locks {
            lock.write(w)?;
        }
        Ok(())
    }
}
