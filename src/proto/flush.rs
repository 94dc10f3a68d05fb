// SPDX-License-Identifier: GPL-2.0

//! FLUSH, [MS-SMB2] 2.2.17. The reply is [`crate::trivial::Empty`].

use crate::body;
use crate::header::FileId;
use crate::wire::{Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 24;

/// A FLUSH request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The open whose data are to reach the disk.
    pub file_id: FileId,
}

impl Request {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        r.skip(6)?;
        Ok(Request {
            file_id: FileId::read(&mut r)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.zeros(6)?;
        self.file_id.write(w)
    }
}
