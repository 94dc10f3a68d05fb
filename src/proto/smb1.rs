// SPDX-License-Identifier: GPL-2.0

//! The SMB1 NEGOTIATE request that asks for SMB2: multi-protocol negotiation, [MS-SMB2] 2.2.3, 3.3.5.3 and
//! [MS-CIFS] 2.2.4.52.1.

use crate::body::len16;
use crate::header::SMB1_PROTOCOL_ID;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

const COM_NEGOTIATE: u8 = 0x72;
const BUFFER_FORMAT_DIALECT: u8 = 0x02;

/// Bytes of the SMB1 header behind `Protocol` and `Command`.
const HEADER_REST: usize = 27;

/// Name of the dialect 2.0.2.
pub const DIALECT_2_002: &[u8] = b"SMB 2.002";

/// Name that asks for an SMB2 NEGOTIATE to follow.
pub const DIALECT_2_WILDCARD: &[u8] = b"SMB 2.???";

/// Which SMB2 names a multi-protocol negotiate offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiate {
    /// "SMB 2.002": 2.0.2 can be had at once.
    pub smb_2_002: bool,
    /// "SMB 2.???": the client will follow with an SMB2 NEGOTIATE.
    pub smb_2_wildcard: bool,
}

impl Negotiate {
    /// Parses the frame.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for anything but a well-formed SMB1 NEGOTIATE.
    pub fn parse(frame: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(frame);
        if r.array::<4>()? != SMB1_PROTOCOL_ID || r.u8()? != COM_NEGOTIATE {
            return Err(Malformed);
        }
        r.skip(HEADER_REST)?;
        if r.u8()? != 0 {
            return Err(Malformed);
        }
        let len = usize::from(r.u16()?);
        let mut names = r.sub(len)?;
        let mut found = Negotiate {
            smb_2_002: false,
            smb_2_wildcard: false,
        };
        while !names.is_empty() {
            if names.u8()? != BUFFER_FORMAT_DIALECT {
                return Err(Malformed);
            }
            let name = until_nul(&mut names)?;
            found.smb_2_002 |= name == DIALECT_2_002;
            found.smb_2_wildcard |= name == DIALECT_2_WILDCARD;
        }
        Ok(found)
    }

    /// Appends a whole SMB1 frame that offers `names`.
    pub fn write(w: &mut Writer<'_>, names: &[&[u8]]) -> Written {
        w.bytes(&SMB1_PROTOCOL_ID)?;
        w.u8(COM_NEGOTIATE)?;
        w.zeros(HEADER_REST)?;
        w.u8(0)?;
        let length_at = w.mark();
        w.u16(0)?;
        let start = w.mark();
        for name in names {
            w.u8(BUFFER_FORMAT_DIALECT)?;
            w.bytes(name)?;
            w.u8(0)?;
        }
        let len = len16(w.since(start))?;
        w.patch_u16(length_at, len)
    }
}

/// Takes the bytes up to a NUL, and the NUL.
fn until_nul<'a>(r: &mut Reader<'a>) -> Parsed<&'a [u8]> {
    let len = r
        .rest()
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(Malformed)?;
    let name = r.take(len)?;
    r.skip(1)?;
    Ok(name)
}
