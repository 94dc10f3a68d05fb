// SPDX-License-Identifier: GPL-2.0

//! QUERY_INFO, [MS-SMB2] 2.2.37 and 2.2.38. The information itself is in `file_info`, `fs_info`, `security` and `ea`.

use crate::body::{self, len32, size};
use crate::header::FileId;
use crate::wire::{Parsed, Writer, Written};

pub use crate::body::BufferReply as Reply;

const REQUEST_SIZE: u16 = 41;

open_enum! {
    /// `InfoType`.
    pub struct InfoType: u8 {
        /// Of a file.
        FILE = 0x01;
        /// Of a file system.
        FILESYSTEM = 0x02;
        /// A security descriptor.
        SECURITY = 0x03;
        /// Quotas.
        QUOTA = 0x04;
    }
}

flags! {
    /// `Flags`, for a query of extended attributes.
    pub struct QueryInfoFlags: u32 {
        /// From the start again.
        RESTART_SCAN = 0x0000_0001;
        /// One entry only.
        RETURN_SINGLE_ENTRY = 0x0000_0002;
        /// From the index in `AdditionalInformation` on.
        INDEX_SPECIFIED = 0x0000_0004;
    }
}

/// A QUERY_INFO request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `InfoType`.
    pub info_type: InfoType,
    /// `FileInfoClass`, [MS-FSCC] 2.4 or 2.5; 0 for security and quotas.
    pub info_class: u8,
    /// Most bytes that the reply may carry.
    pub output_buffer_length: u32,
    /// The input, for quotas and extended attributes.
    pub input: &'a [u8],
    /// Parts of the security descriptor, or an index of an extended attribute.
    pub additional_information: u32,
    /// `Flags`.
    pub flags: QueryInfoFlags,
    /// The open.
    pub file_id: FileId,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let info_type = InfoType(r.u8()?);
        let info_class = r.u8()?;
        let output_buffer_length = r.u32()?;
        let input_at = usize::from(r.u16()?);
        r.skip(2)?;
        let input_len = size(r.u32()?)?;
        let additional_information = r.u32()?;
        let flags = QueryInfoFlags::from_bits(r.u32()?);
        let file_id = FileId::read(&mut r)?;
        let input = body::buffer(pdu, REQUEST_SIZE, input_at, input_len)?;
        Ok(Request {
            info_type,
            info_class,
            output_buffer_length,
            input,
            additional_information,
            flags,
            file_id,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let input_at = if self.input.is_empty() {
            0
        } else {
            body::variable_at(REQUEST_SIZE)
        };
        w.u16(REQUEST_SIZE)?;
        w.u8(self.info_type.0)?;
        w.u8(self.info_class)?;
        w.u32(self.output_buffer_length)?;
        w.u16(input_at)?;
        w.u16(0)?;
        w.u32(len32(self.input.len())?)?;
        w.u32(self.additional_information)?;
        w.u32(self.flags.bits())?;
        self.file_id.write(w)?;
        w.bytes(self.input)?;
        body::pad_empty(w, self.input.len())
    }
}
