// SPDX-License-Identifier: GPL-2.0

//! SET_INFO, [MS-SMB2] 2.2.39 and 2.2.40.

use crate::body::{self, len32, size};
use crate::header::FileId;
use crate::query_info::InfoType;
use crate::wire::{Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 33;
const REPLY_SIZE: u16 = 2;

/// A SET_INFO request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `InfoType`.
    pub info_type: InfoType,
    /// `FileInfoClass`, [MS-FSCC] 2.4 or 2.5; 0 for security and quotas.
    pub info_class: u8,
    /// Parts of the security descriptor.
    pub additional_information: u32,
    /// The open.
    pub file_id: FileId,
    /// The information.
    pub data: &'a [u8],
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let info_type = InfoType(r.u8()?);
        let info_class = r.u8()?;
        let len = size(r.u32()?)?;
        let offset = usize::from(r.u16()?);
        r.skip(2)?;
        let additional_information = r.u32()?;
        let file_id = FileId::read(&mut r)?;
        let data = body::buffer(pdu, REQUEST_SIZE, offset, len)?;
        Ok(Request {
            info_type,
            info_class,
            additional_information,
            file_id,
            data,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u8(self.info_type.0)?;
        w.u8(self.info_class)?;
        w.u32(len32(self.data.len())?)?;
        w.u16(body::variable_at(REQUEST_SIZE))?;
        w.u16(0)?;
        w.u32(self.additional_information)?;
        self.file_id.write(w)?;
        w.bytes(self.data)?;
        body::pad_empty(w, self.data.len())
    }
}

/// A SET_INFO reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply;

impl Reply {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        body::open(pdu, REPLY_SIZE).map(|_| Reply)
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REPLY_SIZE)
    }
}
