// SPDX-License-Identifier: GPL-2.0

//! QUERY_DIRECTORY, [MS-SMB2] 2.2.33 and 2.2.34. The entries themselves are in `directory`.

use crate::body::{self, len16};
use crate::header::FileId;
use crate::unicode::Utf16;
use crate::wire::{Parsed, Writer, Written};

pub use crate::body::BufferReply as Reply;

const REQUEST_SIZE: u16 = 33;

flags! {
    /// `Flags` of the request.
    pub struct QueryDirectoryFlags: u8 {
        /// From the start again.
        RESTART_SCANS = 0x01;
        /// One entry only.
        RETURN_SINGLE_ENTRY = 0x02;
        /// From `FileIndex` on.
        INDEX_SPECIFIED = 0x04;
        /// From the start again, with a new pattern.
        REOPEN = 0x10;
    }
}

/// A QUERY_DIRECTORY request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `FileInformationClass`, [MS-FSCC] 2.4; 0x64 for the POSIX extensions.
    pub information_class: u8,
    /// `Flags`.
    pub flags: QueryDirectoryFlags,
    /// `FileIndex`.
    pub file_index: u32,
    /// The open directory.
    pub file_id: FileId,
    /// The search pattern.
    pub pattern: Utf16<'a>,
    /// Most bytes that the reply may carry.
    pub output_buffer_length: u32,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let information_class = r.u8()?;
        let flags = QueryDirectoryFlags::from_bits(r.u8()?);
        let file_index = r.u32()?;
        let file_id = FileId::read(&mut r)?;
        let pattern_at = usize::from(r.u16()?);
        let pattern_len = usize::from(r.u16()?);
        let output_buffer_length = r.u32()?;
        let pattern = Utf16::new(body::buffer(pdu, REQUEST_SIZE, pattern_at, pattern_len)?)?;
        Ok(Request {
            information_class,
            flags,
            file_index,
            file_id,
            pattern,
            output_buffer_length,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let pattern = self.pattern.0;
        let pattern_at = if pattern.is_empty() {
            0
        } else {
            body::variable_at(REQUEST_SIZE)
        };
        w.u16(REQUEST_SIZE)?;
        w.u8(self.information_class)?;
        w.u8(self.flags.bits())?;
        w.u32(self.file_index)?;
        self.file_id.write(w)?;
        w.u16(pattern_at)?;
        w.u16(len16(pattern.len())?)?;
        w.u32(self.output_buffer_length)?;
        w.bytes(pattern)?;
        body::pad_empty(w, pattern.len())
    }
}
