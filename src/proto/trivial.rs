// SPDX-License-Identifier: GPL-2.0

//! The messages whose body says nothing: LOGOFF, TREE_DISCONNECT, ECHO and CANCEL and their replies ([MS-SMB2] 2.2.7,
//! 2.2.8, 2.2.11, 2.2.12, 2.2.28, 2.2.29, 2.2.30), and the replies to FLUSH and LOCK (2.2.18, 2.2.27).

use crate::body;
use crate::wire::{Parsed, Writer, Written};

const SIZE: u16 = 4;

/// A body of `StructureSize` and two reserved bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty;

impl Empty {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        body::open(pdu, SIZE).map(|_| Empty)
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(SIZE)?;
        w.u16(0)
    }
}
