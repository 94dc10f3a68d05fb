// SPDX-License-Identifier: GPL-2.0

//! NEGOTIATE, [MS-SMB2] 2.2.3 and 2.2.4.

use crate::body::{self, len16, size, write_ids, Ids};
use crate::negotiate_context::{ContextList, ListWriter};
use crate::time::FileTime;
use crate::wire::{Full, Malformed, Mark, Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 36;
const REPLY_SIZE: u16 = 65;

open_enum! {
    /// A dialect revision.
    pub struct Dialect: u16 {
        /// 2.0.2.
        SMB_2_0_2 = 0x0202;
        /// 2.1.
        SMB_2_1 = 0x0210;
        /// Not a dialect: the reply to a multi-protocol negotiate that asks for an SMB2 NEGOTIATE.
        WILDCARD = 0x02FF;
        /// 3.0.
        SMB_3_0 = 0x0300;
        /// 3.0.2.
        SMB_3_0_2 = 0x0302;
        /// 3.1.1.
        SMB_3_1_1 = 0x0311;
    }
}

flags! {
    /// `SecurityMode`.
    pub struct SecurityMode: u16 {
        /// The sender can sign.
        SIGNING_ENABLED = 0x0001;
        /// The sender insists on signing.
        SIGNING_REQUIRED = 0x0002;
    }
}

flags! {
    /// `Capabilities` of either side, `SMB2_GLOBAL_CAP_*`.
    pub struct Capabilities: u32 {
        /// DFS.
        DFS = 0x0000_0001;
        /// Leases.
        LEASING = 0x0000_0002;
        /// Requests that cost more than one credit.
        LARGE_MTU = 0x0000_0004;
        /// More than one connection in a session.
        MULTI_CHANNEL = 0x0000_0008;
        /// Persistent handles.
        PERSISTENT_HANDLES = 0x0000_0010;
        /// Leases on directories.
        DIRECTORY_LEASING = 0x0000_0020;
        /// Encryption, 3.0 and 3.0.2.
        ENCRYPTION = 0x0000_0040;
        /// Notifications from the server.
        NOTIFICATIONS = 0x0000_0080;
    }
}

/// A NEGOTIATE request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `SecurityMode`.
    pub security_mode: SecurityMode,
    /// `Capabilities`.
    pub capabilities: Capabilities,
    /// `ClientGuid`.
    pub client_guid: [u8; 16],
    /// `Dialects`; never empty.
    pub dialects: Ids<'a, Dialect>,
    /// `NegotiateContextList`; `None` if 3.1.1 is not among the dialects.
    pub contexts: Option<ContextList<'a>>,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let dialect_count = usize::from(r.u16()?);
        let security_mode = SecurityMode::from_bits(r.u16()?);
        r.skip(2)?;
        let capabilities = Capabilities::from_bits(r.u32()?);
        let client_guid = r.array()?;
        let contexts_at = size(r.u32()?)?;
        let context_count = r.u16()?;
        r.skip(2)?;
        let dialects = Ids::read(&mut r, dialect_count)?;
        if dialects.is_empty() {
            return Err(Malformed);
        }
        let contexts = if { dialects }.any(|dialect| dialect == Dialect::SMB_3_1_1) {
            let end = pdu.len().saturating_sub(r.remaining());
            Some(ContextList::parse(pdu, contexts_at, end, context_count)?)
        } else {
            None
        };
        Ok(Request {
            security_mode,
            capabilities,
            client_guid,
            dialects,
            contexts,
        })
    }
}

/// What a client writes in a NEGOTIATE request before its contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// `SecurityMode`.
    pub security_mode: SecurityMode,
    /// `Capabilities`.
    pub capabilities: Capabilities,
    /// `ClientGuid`.
    pub client_guid: [u8; 16],
    /// `Dialects`.
    pub dialects: &'a [Dialect],
}

impl RequestHead<'_> {
    /// Appends the body without contexts.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_head(w).map(|_| ())
    }

    /// Appends the body up to the contexts, which the answered writer appends; its `finish` must be called.
    pub fn begin(&self, w: &mut Writer<'_>) -> Result<ListWriter, Full> {
        let body = w.mark();
        let (offset_at, count_at) = self.write_head(w)?;
        Ok(ListWriter::new(body, offset_at, count_at))
    }

    fn write_head(&self, w: &mut Writer<'_>) -> Result<(Mark, Mark), Full> {
        w.u16(REQUEST_SIZE)?;
        w.u16(len16(self.dialects.len())?)?;
        w.u16(self.security_mode.bits())?;
        w.u16(0)?;
        w.u32(self.capabilities.bits())?;
        w.bytes(&self.client_guid)?;
        let offset_at = w.mark();
        w.u32(0)?;
        let count_at = w.mark();
        w.u16(0)?;
        w.u16(0)?;
        write_ids(w, self.dialects)?;
        Ok((offset_at, count_at))
    }
}

/// A NEGOTIATE reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `SecurityMode`.
    pub security_mode: SecurityMode,
    /// `DialectRevision`.
    pub dialect: Dialect,
    /// `ServerGuid`.
    pub server_guid: [u8; 16],
    /// `Capabilities`.
    pub capabilities: Capabilities,
    /// `MaxTransactSize` in bytes.
    pub max_transact_size: u32,
    /// `MaxReadSize` in bytes.
    pub max_read_size: u32,
    /// `MaxWriteSize` in bytes.
    pub max_write_size: u32,
    /// `SystemTime`.
    pub system_time: FileTime,
    /// `ServerStartTime`; zero in what Windows sends today.
    pub server_start_time: FileTime,
    /// The security token.
    pub security_buffer: &'a [u8],
    /// `NegotiateContextList`; `None` if the dialect is not 3.1.1. Not written by [`Reply::write`]: see [`Reply::begin`].
    pub contexts: Option<ContextList<'a>>,
}

impl<'a> Reply<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let security_mode = SecurityMode::from_bits(r.u16()?);
        let dialect = Dialect(r.u16()?);
        let context_count = r.u16()?;
        let server_guid = r.array()?;
        let capabilities = Capabilities::from_bits(r.u32()?);
        let max_transact_size = r.u32()?;
        let max_read_size = r.u32()?;
        let max_write_size = r.u32()?;
        let system_time = FileTime(r.u64()?);
        let server_start_time = FileTime(r.u64()?);
        let buffer_at = usize::from(r.u16()?);
        let buffer_len = usize::from(r.u16()?);
        let contexts_at = size(r.u32()?)?;
        let security_buffer = body::buffer(pdu, REPLY_SIZE, buffer_at, buffer_len)?;
        let contexts = if dialect == Dialect::SMB_3_1_1 {
            let fixed_end = usize::from(body::variable_at(REPLY_SIZE));
            Some(ContextList::parse(
                pdu,
                contexts_at,
                fixed_end,
                context_count,
            )?)
        } else {
            None
        };
        Ok(Reply {
            security_mode,
            dialect,
            server_guid,
            capabilities,
            max_transact_size,
            max_read_size,
            max_write_size,
            system_time,
            server_start_time,
            security_buffer,
            contexts,
        })
    }

    /// Appends the body, without contexts.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_head(w).map(|_| ())
    }

    /// Appends the body up to the contexts, which the answered writer appends; its `finish` must be called. `contexts` is
    /// not looked at.
    pub fn begin(&self, w: &mut Writer<'_>) -> Result<ListWriter, Full> {
        let body = w.mark();
        let (offset_at, count_at) = self.write_head(w)?;
        Ok(ListWriter::new(body, offset_at, count_at))
    }

    fn write_head(&self, w: &mut Writer<'_>) -> Result<(Mark, Mark), Full> {
        w.u16(REPLY_SIZE)?;
        w.u16(self.security_mode.bits())?;
        w.u16(self.dialect.0)?;
        let count_at = w.mark();
        w.u16(0)?;
        w.bytes(&self.server_guid)?;
        w.u32(self.capabilities.bits())?;
        w.u32(self.max_transact_size)?;
        w.u32(self.max_read_size)?;
        w.u32(self.max_write_size)?;
        w.u64(self.system_time.0)?;
        w.u64(self.server_start_time.0)?;
        w.u16(body::variable_at(REPLY_SIZE))?;
        w.u16(len16(self.security_buffer.len())?)?;
        let offset_at = w.mark();
        w.u32(0)?;
        w.bytes(self.security_buffer)?;
        Ok((offset_at, count_at))
    }
}
