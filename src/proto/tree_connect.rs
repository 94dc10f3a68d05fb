// SPDX-License-Identifier: GPL-2.0

//! TREE_CONNECT, [MS-SMB2] 2.2.9 and 2.2.10.

use crate::body::{self, len16, size};
use crate::header::HEADER_LEN;
use crate::security::AccessMask;
use crate::unicode::Utf16;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

const REQUEST_SIZE: u16 = 9;
const REPLY_SIZE: u16 = 16;

flags! {
    /// `Flags` of the request, 3.1.1.
    pub struct RequestFlags: u16 {
        /// The client was connected to the cluster's share before.
        CLUSTER_RECONNECT = 0x0001;
        /// The client follows share redirects.
        REDIRECT_TO_OWNER = 0x0002;
        /// The buffer starts with the extension of 2.2.9.1.
        EXTENSION_PRESENT = 0x0004;
    }
}

open_enum! {
    /// `ShareType`.
    pub struct ShareType: u8 {
        /// Files.
        DISK = 0x01;
        /// Named pipes.
        PIPE = 0x02;
        /// A printer.
        PRINT = 0x03;
    }
}

flags! {
    /// `ShareFlags`. The two bits of [`ShareFlags::CACHING_MASK`] are the client's caching policy.
    pub struct ShareFlags: u32 {
        /// The share is in a DFS tree.
        DFS = 0x0000_0001;
        /// The share is a DFS root.
        DFS_ROOT = 0x0000_0002;
        /// Bits of the policy for offline caching: 0 manual.
        CACHING_MASK = 0x0000_0030;
        /// Automatic caching of documents.
        AUTO_CACHING = 0x0000_0010;
        /// Automatic caching of programs.
        VDO_CACHING = 0x0000_0020;
        /// No caching.
        NO_CACHING = 0x0000_0030;
        /// No exclusive opens.
        RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100;
        /// Files may be deleted while they are open elsewhere.
        FORCE_SHARED_DELETE = 0x0000_0200;
        /// Namespace caching is allowed.
        ALLOW_NAMESPACE_CACHING = 0x0000_0400;
        /// Names are hidden from users who may not read what they name.
        ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800;
        /// Level II oplocks at most.
        FORCE_LEVELII_OPLOCK = 0x0000_1000;
        /// BranchCache version 1.
        ENABLE_HASH_V1 = 0x0000_2000;
        /// BranchCache version 2.
        ENABLE_HASH_V2 = 0x0000_4000;
        /// The share demands encryption.
        ENCRYPT_DATA = 0x0000_8000;
        /// Remoted identities are understood.
        IDENTITY_REMOTING = 0x0004_0000;
        /// Compression of reads and writes is wanted.
        COMPRESS_DATA = 0x0010_0000;
        /// The share may be on a volume that clients isolate.
        ISOLATED_TRANSPORT = 0x0020_0000;
    }
}

flags! {
    /// `Capabilities` of the share.
    pub struct ShareCapabilities: u32 {
        /// DFS.
        DFS = 0x0000_0008;
        /// Continuously available.
        CONTINUOUS_AVAILABILITY = 0x0000_0010;
        /// Served by more than one server.
        SCALEOUT = 0x0000_0020;
        /// Has a witness.
        CLUSTER = 0x0000_0040;
        /// Clients may move to a better server.
        ASYMMETRIC = 0x0000_0080;
        /// Synchronous redirects.
        REDIRECT_TO_OWNER = 0x0000_0100;
    }
}

/// A TREE_CONNECT request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `Flags`; to be ignored before 3.1.1.
    pub flags: RequestFlags,
    /// The share's path, `\\server\share`.
    pub path: Utf16<'a>,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`. Contexts of the extension are left to [`Request::contexts`].
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let flags = RequestFlags::from_bits(r.u16()?);
        let offset = usize::from(r.u16()?);
        let len = usize::from(r.u16()?);
        let path = Utf16::new(body::buffer(pdu, REQUEST_SIZE, offset, len)?)?;
        Ok(Request { flags, path })
    }

    /// The contexts of the extension of the element `pdu`: call it only on a 3.1.1 connection and if
    /// [`RequestFlags::EXTENSION_PRESENT`] is set, since the flags are reserved in other dialects.
    pub fn contexts(pdu: &'a [u8]) -> Parsed<Contexts<'a>> {
        let body = pdu.get(HEADER_LEN..).ok_or(Malformed)?;
        let fixed = usize::from(REQUEST_SIZE & !1);
        let mut r = Reader::new(body.get(fixed..).ok_or(Malformed)?);
        let offset = size(r.u32()?)?;
        let count = r.u16()?;
        r.skip(10)?;
        if count == 0 {
            return Ok(Contexts { left: 0, rest: &[] });
        }
        // The offset counts from the request's own start, behind the header (2.2.9.1).
        let contexts = Contexts {
            left: count,
            rest: body.get(offset..).ok_or(Malformed)?,
        };
        let mut check = contexts.clone();
        while check.left > 0 {
            check.advance()?;
        }
        Ok(contexts)
    }

    /// Appends the body, without an extension whatever `flags` say.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u16(self.flags.without(RequestFlags::EXTENSION_PRESENT).bits())?;
        w.u16(body::variable_at(REQUEST_SIZE))?;
        w.u16(len16(self.path.0.len())?)?;
        w.bytes(self.path.0)?;
        body::pad_empty(w, self.path.0.len())
    }
}

open_enum! {
    /// `ContextType` of a tree connect context.
    pub struct ContextType: u16 {
        /// The user on whose behalf a trusted client connects, 2.2.9.2.1.
        REMOTED_IDENTITY = 0x0001;
    }
}

/// A tree connect context, 2.2.9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// What it holds.
    pub kind: ContextType,
    /// Its data.
    pub data: &'a [u8],
}

/// Iterates over tree connect contexts.
///
/// # Invariants
///
/// The `left` contexts at the front of `rest` are sound when it is handed out.
#[derive(Clone, Debug)]
pub struct Contexts<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Contexts<'a> {
    fn advance(&mut self) -> Parsed<Context<'a>> {
        let mut r = Reader::new(self.rest);
        let kind = ContextType(r.u16()?);
        let len = usize::from(r.u16()?);
        r.skip(4)?;
        let data = r.take(len)?;
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            r.skip(len.wrapping_neg() & 7)?;
        }
        self.rest = r.rest();
        Ok(Context { kind, data })
    }
}

impl<'a> Iterator for Contexts<'a> {
    type Item = Context<'a>;

    fn next(&mut self) -> Option<Context<'a>> {
        if self.left == 0 {
            return None;
        }
        self.advance().ok()
    }
}

/// A TREE_CONNECT reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `ShareType`.
    pub share_type: ShareType,
    /// `ShareFlags`.
    pub flags: ShareFlags,
    /// `Capabilities`.
    pub capabilities: ShareCapabilities,
    /// `MaximalAccess`.
    pub maximal_access: AccessMask,
}

impl Reply {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let share_type = ShareType(r.u8()?);
        r.skip(1)?;
        Ok(Reply {
            share_type,
            flags: ShareFlags::from_bits(r.u32()?),
            capabilities: ShareCapabilities::from_bits(r.u32()?),
            maximal_access: AccessMask::from_bits(r.u32()?),
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REPLY_SIZE)?;
        w.u8(self.share_type.0)?;
        w.u8(0)?;
        w.u32(self.flags.bits())?;
        w.u32(self.capabilities.bits())?;
        w.u32(self.maximal_access.bits())
    }
}
