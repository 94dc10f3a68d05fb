// SPDX-License-Identifier: GPL-2.0

//! SESSION_SETUP, [MS-SMB2] 2.2.5 and 2.2.6.

use crate::body::{self, len16};
use crate::negotiate::{Capabilities, SecurityMode};
use crate::wire::{Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 25;
const REPLY_SIZE: u16 = 9;

flags! {
    /// `Flags` of the request.
    pub struct RequestFlags: u8 {
        /// Binds the connection to a session that exists, 3.x.
        BINDING = 0x01;
    }
}

flags! {
    /// `SessionFlags` of the reply.
    pub struct SessionFlags: u16 {
        /// The user is a guest.
        IS_GUEST = 0x0001;
        /// The user is anonymous.
        IS_NULL = 0x0002;
        /// The server wants the session's traffic encrypted, 3.x.
        ENCRYPT_DATA = 0x0004;
    }
}

/// A SESSION_SETUP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `Flags`; to be ignored before 3.0.
    pub flags: RequestFlags,
    /// `SecurityMode`.
    pub security_mode: SecurityMode,
    /// `Capabilities`.
    pub capabilities: Capabilities,
    /// `PreviousSessionId`; 0 for none.
    pub previous_session_id: u64,
    /// The security token.
    pub security_buffer: &'a [u8],
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let flags = RequestFlags::from_bits(r.u8()?);
        let security_mode = SecurityMode::from_bits(u16::from(r.u8()?));
        let capabilities = Capabilities::from_bits(r.u32()?);
        let _channel = r.u32()?;
        let offset = usize::from(r.u16()?);
        let len = usize::from(r.u16()?);
        let previous_session_id = r.u64()?;
        let security_buffer = body::buffer(pdu, REQUEST_SIZE, offset, len)?;
        Ok(Request {
            flags,
            security_mode,
            capabilities,
            previous_session_id,
            security_buffer,
        })
    }

    /// Appends the body. The wire has room for the low 8 bits of `security_mode` only.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let [security_mode, _] = self.security_mode.bits().to_le_bytes();
        w.u16(REQUEST_SIZE)?;
        w.u8(self.flags.bits())?;
        w.u8(security_mode)?;
        w.u32(self.capabilities.bits())?;
        w.u32(0)?;
        w.u16(body::variable_at(REQUEST_SIZE))?;
        w.u16(len16(self.security_buffer.len())?)?;
        w.u64(self.previous_session_id)?;
        w.bytes(self.security_buffer)?;
        body::pad_empty(w, self.security_buffer.len())
    }
}

/// A SESSION_SETUP reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `SessionFlags`.
    pub flags: SessionFlags,
    /// The security token.
    pub security_buffer: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let flags = SessionFlags::from_bits(r.u16()?);
        let offset = usize::from(r.u16()?);
        let len = usize::from(r.u16()?);
        Ok(Reply {
            flags,
            security_buffer: body::buffer(pdu, REPLY_SIZE, offset, len)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REPLY_SIZE)?;
        w.u16(self.flags.bits())?;
        w.u16(body::variable_at(REPLY_SIZE))?;
        w.u16(len16(self.security_buffer.len())?)?;
        w.bytes(self.security_buffer)?;
        body::pad_empty(w, self.security_buffer.len())
    }
}
