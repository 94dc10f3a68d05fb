// SPDX-License-Identifier: GPL-2.0

//! CLOSE, [MS-SMB2] 2.2.15 and 2.2.16.

use crate::attributes::FileAttributes;
use crate::body;
use crate::header::FileId;
use crate::time::FileTime;
use crate::wire::{Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 24;
const REPLY_SIZE: u16 = 60;

flags! {
    /// `Flags` of either message.
    pub struct CloseFlags: u16 {
        /// The reply is to carry, or carries, the attributes.
        POSTQUERY_ATTRIB = 0x0001;
    }
}

/// A CLOSE request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `Flags`.
    pub flags: CloseFlags,
    /// The open to close.
    pub file_id: FileId,
}

impl Request {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let flags = CloseFlags::from_bits(r.u16()?);
        r.skip(4)?;
        Ok(Request {
            flags,
            file_id: FileId::read(&mut r)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u16(self.flags.bits())?;
        w.u32(0)?;
        self.file_id.write(w)
    }
}

/// What a CLOSE reply says of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `CreationTime`.
    pub creation_time: FileTime,
    /// `LastAccessTime`.
    pub last_access_time: FileTime,
    /// `LastWriteTime`.
    pub last_write_time: FileTime,
    /// `ChangeTime`.
    pub change_time: FileTime,
    /// `AllocationSize` in bytes.
    pub allocation_size: u64,
    /// `EndofFile` in bytes.
    pub end_of_file: u64,
    /// `FileAttributes`.
    pub file_attributes: FileAttributes,
}

/// A CLOSE reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The attributes, if [`CloseFlags::POSTQUERY_ATTRIB`] is set.
    pub attributes: Option<Attributes>,
}

impl Reply {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let flags = CloseFlags::from_bits(r.u16()?);
        r.skip(4)?;
        let attributes = Attributes {
            creation_time: FileTime(r.u64()?),
            last_access_time: FileTime(r.u64()?),
            last_write_time: FileTime(r.u64()?),
            change_time: FileTime(r.u64()?),
            allocation_size: r.u64()?,
            end_of_file: r.u64()?,
            file_attributes: FileAttributes::from_bits(r.u32()?),
        };
        Ok(Reply {
            attributes: flags
                .contains(CloseFlags::POSTQUERY_ATTRIB)
                .then_some(attributes),
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let flags = match self.attributes {
            Some(_) => CloseFlags::POSTQUERY_ATTRIB,
            None => CloseFlags::NONE,
        };
        let attributes = self.attributes.unwrap_or_default();
        w.u16(REPLY_SIZE)?;
        w.u16(flags.bits())?;
        w.u32(0)?;
        w.u64(attributes.creation_time.0)?;
        w.u64(attributes.last_access_time.0)?;
        w.u64(attributes.last_write_time.0)?;
        w.u64(attributes.change_time.0)?;
        w.u64(attributes.allocation_size)?;
        w.u64(attributes.end_of_file)?;
        w.u32(attributes.file_attributes.bits())
    }
}
