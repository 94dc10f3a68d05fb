// SPDX-License-Identifier: GPL-2.0

//! Create contexts, [MS-SMB2] 2.2.13.2 and 2.2.14.2, with the POSIX extensions' and Apple's.
//!
//! [`Contexts`] is the chain, whose structure is checked as a whole; [`RequestContexts`] and [`ReplyContexts`] are its typed
//! content; [`ChainWriter`] writes a chain.

use crate::body::{len16, len32, size, Buffer};
use crate::header::FileId;
use crate::lease::Lease;
use crate::posix::PosixStat;
use crate::security::AccessMask;
use crate::status::NtStatus;
use crate::time::FileTime;
use crate::unicode::Utf16;
use crate::wire::{slice_at, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Contexts, and data in them, start at multiples of this.
const ALIGNMENT: usize = 8;

/// Shortest name of a context, bytes: Windows takes none shorter.
const MIN_NAME: usize = 4;

/// Length in bytes of a context before its name.
const HEAD_LEN: usize = 16;

/// Names of contexts.
pub mod name {
    /// Extended attributes to set.
    pub const EXTENDED_ATTRIBUTES: &[u8] = b"ExtA";
    /// A security descriptor to set.
    pub const SECURITY_DESCRIPTOR: &[u8] = b"SecD";
    /// Durable handle request.
    pub const DURABLE_REQUEST: &[u8] = b"DHnQ";
    /// Durable handle reconnect.
    pub const DURABLE_RECONNECT: &[u8] = b"DHnC";
    /// Allocation size.
    pub const ALLOCATION_SIZE: &[u8] = b"AlSi";
    /// Maximal access.
    pub const MAXIMAL_ACCESS: &[u8] = b"MxAc";
    /// A snapshot's time.
    pub const TIMEWARP: &[u8] = b"TWrp";
    /// File id on the disk.
    pub const ON_DISK_ID: &[u8] = b"QFid";
    /// Lease.
    pub const LEASE: &[u8] = b"RqLs";
    /// Durable handle request, version 2.
    pub const DURABLE_REQUEST_V2: &[u8] = b"DH2Q";
    /// Durable handle reconnect, version 2.
    pub const DURABLE_RECONNECT_V2: &[u8] = b"DH2C";
    /// Instance of an application.
    pub const APP_INSTANCE_ID: &[u8] = &[
        0x45, 0xBC, 0xA6, 0x6A, 0xEF, 0xA7, 0xF7, 0x4A, 0x90, 0x08, 0xFA, 0x46, 0x2E, 0x14, 0x4D,
        0x74,
    ];
    /// Version of an instance of an application.
    pub const APP_INSTANCE_VERSION: &[u8] = &[
        0xB9, 0x82, 0xD0, 0xB7, 0x3B, 0x56, 0x07, 0x4F, 0xA0, 0x7B, 0x52, 0x4A, 0x81, 0x16, 0xA0,
        0x10,
    ];
    /// A shared virtual disk, [MS-RSVD]: not supported.
    pub const SVHDX: &[u8] = &[
        0x9C, 0xCB, 0xCF, 0x9E, 0x04, 0xC1, 0xE6, 0x43, 0x98, 0x0E, 0x15, 0x8D, 0xA1, 0xF6, 0xEC,
        0x83,
    ];
    /// POSIX extensions.
    pub const POSIX: &[u8] = &crate::negotiate_context::POSIX_EXTENSIONS_GUID;
    /// Apple's extensions.
    pub const AAPL: &[u8] = b"AAPL";
}

/// One context of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawContext<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> RawContext<'a> {
    /// The context at the front of `bytes`, and the bytes from the next one on if there is one.
    fn parse(bytes: &'a [u8]) -> Parsed<(Self, Option<&'a [u8]>)> {
        let mut r = Reader::new(bytes);
        let next = size(r.u32()?)?;
        let name_at = usize::from(r.u16()?);
        let name_len = usize::from(r.u16()?);
        r.skip(2)?;
        let data_at = usize::from(r.u16()?);
        let data_len = size(r.u32()?)?;
        let (own, rest) = if next == 0 {
            (bytes, None)
        } else {
            if next & (ALIGNMENT - 1) != 0 || next < HEAD_LEN {
                return Err(Malformed);
            }
            let (own, rest) = bytes.split_at_checked(next).ok_or(Malformed)?;
            (own, Some(rest))
        };
        if name_len < MIN_NAME || name_at < HEAD_LEN || name_at & (ALIGNMENT - 1) != 0 {
            return Err(Malformed);
        }
        let name_end = name_at.checked_add(name_len).ok_or(Malformed)?;
        if data_len != 0 && (data_at < name_end || data_at & (ALIGNMENT - 1) != 0) {
            return Err(Malformed);
        }
        let name = slice_at(own, name_at, name_len)?;
        let data = slice_at(own, data_at, data_len)?;
        Ok((RawContext { name, data }, rest))
    }
}

/// The contexts of a CREATE message: an iterator over them.
///
/// # Invariants
///
/// Every context of a chain that [`Contexts::parse`] made parses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contexts<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Contexts<'a> {
    /// No context.
    pub const EMPTY: Contexts<'static> = Contexts { rest: None };

    /// Checks the chain in `bytes`, all of it.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        if bytes.is_empty() {
            return Ok(Contexts::EMPTY);
        }
        let mut rest = Some(bytes);
        while let Some(bytes) = rest {
            (_, rest) = RawContext::parse(bytes)?;
        }
        Ok(Contexts { rest: Some(bytes) })
    }

    /// Data of the first context that has `name`.
    pub fn find(self, name: &[u8]) -> Option<&'a [u8]> {
        { self }.find_map(|context| (context.name == name).then_some(context.data))
    }

    /// Whether there is no context.
    pub fn is_empty(&self) -> bool {
        self.rest.is_none()
    }
}

impl<'a> Iterator for Contexts<'a> {
    type Item = RawContext<'a>;

    fn next(&mut self) -> Option<RawContext<'a>> {
        let (context, rest) = RawContext::parse(self.rest.take()?).ok()?;
        self.rest = rest;
        Some(context)
    }
}

flags! {
    /// `Flags` of durable handles, version 2.
    pub struct DurableFlags: u32 {
        /// The handle is persistent.
        PERSISTENT = 0x0000_0002;
    }
}

/// DH2Q of a request, 2.2.13.2.11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurableRequestV2 {
    /// Milliseconds that the handle should outlive its connection; 0 for the server's choice.
    pub timeout: u32,
    /// Flags.
    pub flags: DurableFlags,
    /// The client's name of the create.
    pub create_guid: [u8; 16],
}

/// DH2C of a request, 2.2.13.2.12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurableReconnectV2 {
    /// The open to take up again; its volatile part has no meaning.
    pub file_id: FileId,
    /// The client's name of the create.
    pub create_guid: [u8; 16],
    /// Flags.
    pub flags: DurableFlags,
}

/// DH2Q of a reply, 2.2.14.2.12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurableReplyV2 {
    /// Milliseconds that the handle outlives its connection.
    pub timeout: u32,
    /// Flags.
    pub flags: DurableFlags,
}

/// APP_INSTANCE_VERSION, 2.2.13.2.15. Later versions are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppInstanceVersion {
    /// `AppInstanceVersionHigh`.
    pub high: u64,
    /// `AppInstanceVersionLow`.
    pub low: u64,
}

/// MxAc of a reply, 2.2.14.2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaximalAccess {
    /// Whether the access could be found.
    pub status: NtStatus,
    /// The access.
    pub access: AccessMask,
}

/// QFid of a reply, 2.2.14.2.9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDiskId {
    /// The file.
    pub file: u64,
    /// The volume.
    pub volume: u64,
}

/// POSIX extensions in a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PosixReply {
    /// Reparse tag, 0 for none.
    pub reparse_tag: u32,
    /// The rest; the device is not on the wire.
    pub stat: PosixStat,
}

flags! {
    /// What an Apple client asks of a server.
    pub struct AaplBitmap: u64 {
        /// Server capabilities.
        SERVER_CAPS = 0x01;
        /// Volume capabilities.
        VOLUME_CAPS = 0x02;
        /// Model.
        MODEL_INFO = 0x04;
    }
}

flags! {
    /// Capabilities of Apple clients and servers.
    pub struct AaplCapabilities: u64 {
        /// Directory entries carry attributes.
        READ_DIR_ATTR = 0x01;
        /// Apple's copy of whole files.
        OSX_COPYFILE = 0x02;
        /// The server has a UNIX file system below.
        UNIX_BASED = 0x04;
        /// The server has NFS-style ACEs.
        NFS_ACE = 0x08;
    }
}

flags! {
    /// Capabilities of a volume for Apple clients.
    pub struct AaplVolumeCapabilities: u64 {
        /// File ids resolve to names.
        RESOLVE_ID = 0x01;
        /// Names are case sensitive.
        CASE_SENSITIVE = 0x02;
        /// Full sync is honoured.
        FULL_SYNC = 0x04;
    }
}

/// Command of Apple's context: query of the server.
const AAPL_SERVER_QUERY: u32 = 1;

/// AAPL of a request: query of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AaplRequest {
    /// What is asked.
    pub bitmap: AaplBitmap,
    /// What the client can do.
    pub capabilities: AaplCapabilities,
}

/// AAPL of a reply: each part present if it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AaplReply<'a> {
    /// Server capabilities.
    pub server: Option<AaplCapabilities>,
    /// Volume capabilities.
    pub volume: Option<AaplVolumeCapabilities>,
    /// Model.
    pub model: Option<Utf16<'a>>,
}

/// The contexts of a request that have a meaning here. Of contexts with the same name the first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestContexts<'a> {
    /// ExtA: FILE_FULL_EA_INFORMATION records.
    pub extended_attributes: Option<&'a [u8]>,
    /// SecD: a self-relative security descriptor.
    pub security_descriptor: Option<&'a [u8]>,
    /// DHnQ.
    pub durable_request: bool,
    /// DHnC: the open to take up again.
    pub durable_reconnect: Option<FileId>,
    /// AlSi, in bytes.
    pub allocation_size: Option<u64>,
    /// MxAc; the time in it, if there is one, is that of the last write that the client knows.
    pub maximal_access: Option<Option<FileTime>>,
    /// TWrp.
    pub timewarp: Option<FileTime>,
    /// QFid.
    pub on_disk_id: bool,
    /// RqLs.
    pub lease: Option<Lease>,
    /// DH2Q.
    pub durable_request_v2: Option<DurableRequestV2>,
    /// DH2C.
    pub durable_reconnect_v2: Option<DurableReconnectV2>,
    /// AppInstanceId.
    pub app_instance_id: Option<[u8; 16]>,
    /// AppInstanceVersion.
    pub app_instance_version: Option<AppInstanceVersion>,
    /// POSIX extensions: the mode for a new file.
    pub posix: Option<u32>,
    /// AAPL.
    pub aapl: Option<AaplRequest>,
}

impl<'a> RequestContexts<'a> {
    /// Parses the data of every context that is known; others are ignored, as the document demands.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if data have not the length that the context's document gives.
    pub fn parse(contexts: Contexts<'a>) -> Parsed<Self> {
        let mut found = RequestContexts::default();
        for context in contexts {
            found.add(context)?;
        }
        Ok(found)
    }

    fn add(&mut self, context: RawContext<'a>) -> Parsed<()> {
        let data = context.data;
        match context.name {
            name::EXTENDED_ATTRIBUTES => first(&mut self.extended_attributes, data),
            name::SECURITY_DESCRIPTOR => first(&mut self.security_descriptor, data),
            name::DURABLE_REQUEST => {
                exactly::<16>(data)?;
                self.durable_request = true;
            }
            name::DURABLE_RECONNECT => {
                exactly::<16>(data)?;
                first(
                    &mut self.durable_reconnect,
                    FileId::read(&mut Reader::new(data))?,
                );
            }
            name::ALLOCATION_SIZE => {
                first(
                    &mut self.allocation_size,
                    u64::from_le_bytes(*exactly::<8>(data)?),
                );
            }
            name::MAXIMAL_ACCESS => first(&mut self.maximal_access, maximal_access_time(data)?),
            name::TIMEWARP => {
                first(
                    &mut self.timewarp,
                    FileTime(u64::from_le_bytes(*exactly::<8>(data)?)),
                );
            }
            name::ON_DISK_ID => self.on_disk_id = true,
            name::LEASE => first(&mut self.lease, Lease::parse(data)?),
            name::DURABLE_REQUEST_V2 => first(&mut self.durable_request_v2, parse_dh2q(data)?),
            name::DURABLE_RECONNECT_V2 => first(&mut self.durable_reconnect_v2, parse_dh2c(data)?),
            name::APP_INSTANCE_ID => first(&mut self.app_instance_id, parse_app_instance_id(data)?),
            name::APP_INSTANCE_VERSION => {
                first(
                    &mut self.app_instance_version,
                    parse_app_instance_version(data)?,
                );
            }
            name::POSIX => first(&mut self.posix, u32::from_le_bytes(*exactly::<4>(data)?)),
            name::AAPL => {
                if let Some(query) = parse_aapl_request(data)? {
                    first(&mut self.aapl, query);
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// Appends all that are present.
    pub fn write(&self, chain: &mut ChainWriter, w: &mut Writer<'_>) -> Written {
        if let Some(data) = self.extended_attributes {
            chain.add(w, name::EXTENDED_ATTRIBUTES, |w| w.bytes(data))?;
        }
        if let Some(data) = self.security_descriptor {
            chain.add(w, name::SECURITY_DESCRIPTOR, |w| w.bytes(data))?;
        }
        if self.durable_request {
            chain.add(w, name::DURABLE_REQUEST, |w| w.zeros(16))?;
        }
        if let Some(file_id) = self.durable_reconnect {
            chain.add(w, name::DURABLE_RECONNECT, |w| file_id.write(w))?;
        }
        if let Some(bytes) = self.allocation_size {
            chain.add(w, name::ALLOCATION_SIZE, |w| w.u64(bytes))?;
        }
        if let Some(time) = self.maximal_access {
            chain.add(w, name::MAXIMAL_ACCESS, |w| {
                time.map_or(Ok(()), |time| w.u64(time.0))
            })?;
        }
        if let Some(time) = self.timewarp {
            chain.add(w, name::TIMEWARP, |w| w.u64(time.0))?;
        }
        if self.on_disk_id {
            chain.add(w, name::ON_DISK_ID, |_| Ok(()))?;
        }
        if let Some(lease) = self.lease {
            chain.add(w, name::LEASE, |w| lease.write(w))?;
        }
        self.write_v3(chain, w)
    }

    /// Those of 3.x and of the extensions.
    fn write_v3(&self, chain: &mut ChainWriter, w: &mut Writer<'_>) -> Written {
        if let Some(durable) = self.durable_request_v2 {
            chain.add(w, name::DURABLE_REQUEST_V2, |w| {
                w.u32(durable.timeout)?;
                w.u32(durable.flags.bits())?;
                w.u64(0)?;
                w.bytes(&durable.create_guid)
            })?;
        }
        if let Some(durable) = self.durable_reconnect_v2 {
            chain.add(w, name::DURABLE_RECONNECT_V2, |w| {
                durable.file_id.write(w)?;
                w.bytes(&durable.create_guid)?;
                w.u32(durable.flags.bits())
            })?;
        }
        if let Some(id) = self.app_instance_id {
            chain.add(w, name::APP_INSTANCE_ID, |w| {
                w.u16(APP_INSTANCE_ID_SIZE)?;
                w.u16(0)?;
                w.bytes(&id)
            })?;
        }
        if let Some(version) = self.app_instance_version {
            chain.add(w, name::APP_INSTANCE_VERSION, |w| {
                w.u16(APP_INSTANCE_VERSION_SIZE)?;
                w.zeros(6)?;
                w.u64(version.high)?;
                w.u64(version.low)
            })?;
        }
        if let Some(mode) = self.posix {
            chain.add(w, name::POSIX, |w| w.u32(mode))?;
        }
        if let Some(query) = self.aapl {
            chain.add(w, name::AAPL, |w| {
                w.u32(AAPL_SERVER_QUERY)?;
                w.u32(0)?;
                w.u64(query.bitmap.bits())?;
                w.u64(query.capabilities.bits())
            })?;
        }
        Ok(())
    }
}

/// The contexts of a reply that have a meaning here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyContexts<'a> {
    /// DHnQ: the handle is durable.
    pub durable: bool,
    /// MxAc.
    pub maximal_access: Option<MaximalAccess>,
    /// QFid.
    pub on_disk_id: Option<OnDiskId>,
    /// RqLs.
    pub lease: Option<Lease>,
    /// DH2Q: the handle is durable.
    pub durable_v2: Option<DurableReplyV2>,
    /// POSIX extensions.
    pub posix: Option<PosixReply>,
    /// AAPL.
    pub aapl: Option<AaplReply<'a>>,
}

impl<'a> ReplyContexts<'a> {
    /// Parses the data of every context that is known.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if data have not the length that the context's document gives.
    pub fn parse(contexts: Contexts<'a>) -> Parsed<Self> {
        let mut found = ReplyContexts::default();
        for context in contexts {
            found.add(context)?;
        }
        Ok(found)
    }

    fn add(&mut self, context: RawContext<'a>) -> Parsed<()> {
        let data = context.data;
        let mut r = Reader::new(data);
        match context.name {
            name::DURABLE_REQUEST => {
                exactly::<8>(data)?;
                self.durable = true;
            }
            name::MAXIMAL_ACCESS => {
                exactly::<8>(data)?;
                let status = NtStatus(r.u32()?);
                let access = AccessMask::from_bits(r.u32()?);
                first(&mut self.maximal_access, MaximalAccess { status, access });
            }
            name::ON_DISK_ID => {
                exactly::<32>(data)?;
                first(
                    &mut self.on_disk_id,
                    OnDiskId {
                        file: r.u64()?,
                        volume: r.u64()?,
                    },
                );
            }
            name::LEASE => first(&mut self.lease, Lease::parse(data)?),
            name::DURABLE_REQUEST_V2 => {
                exactly::<8>(data)?;
                let timeout = r.u32()?;
                let flags = DurableFlags::from_bits(r.u32()?);
                first(&mut self.durable_v2, DurableReplyV2 { timeout, flags });
            }
            name::POSIX => first(&mut self.posix, parse_posix_reply(data)?),
            name::AAPL => first(&mut self.aapl, parse_aapl_reply(data)?),
            _ => (),
        }
        Ok(())
    }

    /// Appends all that are present.
    pub fn write(&self, chain: &mut ChainWriter, w: &mut Writer<'_>) -> Written {
        if let Some(lease) = self.lease {
            chain.add(w, name::LEASE, |w| lease.write(w))?;
        }
        if let Some(maximal) = self.maximal_access {
            chain.add(w, name::MAXIMAL_ACCESS, |w| {
                w.u32(maximal.status.0)?;
                w.u32(maximal.access.bits())
            })?;
        }
        if let Some(id) = self.on_disk_id {
            chain.add(w, name::ON_DISK_ID, |w| {
                w.u64(id.file)?;
                w.u64(id.volume)?;
                w.zeros(16)
            })?;
        }
        if self.durable {
            chain.add(w, name::DURABLE_REQUEST, |w| w.u64(0))?;
        }
        if let Some(durable) = self.durable_v2 {
            chain.add(w, name::DURABLE_REQUEST_V2, |w| {
                w.u32(durable.timeout)?;
                w.u32(durable.flags.bits())
            })?;
        }
        if let Some(posix) = self.posix {
            chain.add(w, name::POSIX, |w| {
                w.u32(posix.stat.links)?;
                w.u32(posix.reparse_tag)?;
                w.u32(posix.stat.mode)?;
                posix.stat.put_sids(w)
            })?;
        }
        if let Some(aapl) = self.aapl {
            chain.add(w, name::AAPL, |w| write_aapl_reply(&aapl, w))?;
        }
        Ok(())
    }
}

/// Appends contexts to a CREATE message.
#[derive(Debug)]
#[must_use = "finish() patches the chain's length"]
pub struct ChainWriter {
    buffer: Buffer,
    last: Option<Mark>,
}

impl ChainWriter {
    pub(crate) fn new(buffer: Buffer) -> Self {
        ChainWriter { buffer, last: None }
    }

    /// Appends a context whose data `fill` writes.
    pub fn add(
        &mut self,
        w: &mut Writer<'_>,
        name: &[u8],
        fill: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        let chain = self.buffer.start();
        w.align(chain, ALIGNMENT)?;
        let start = w.mark();
        if let Some(last) = self.last {
            let distance = len32(w.since(last))?;
            w.patch_u32(last, distance)?;
        }
        w.u32(0)?;
        w.u16(len16(HEAD_LEN)?)?;
        w.u16(len16(name.len())?)?;
        w.u16(0)?;
        let offset_at = w.mark();
        w.u16(0)?;
        let length_at = w.mark();
        w.u32(0)?;
        w.bytes(name)?;
        w.align(chain, ALIGNMENT)?;
        let data_offset = len16(w.since(start))?;
        let data = w.mark();
        fill(w)?;
        let data_len = len32(w.since(data))?;
        if data_len != 0 {
            w.patch_u16(offset_at, data_offset)?;
            w.patch_u32(length_at, data_len)?;
        }
        self.last = Some(start);
        Ok(())
    }

    /// Patches the length of the chain, and its offset to zero if it stayed empty.
    pub fn finish(self, w: &mut Writer<'_>) -> Written {
        self.buffer.finish(w).map(|_| ())
    }
}

const APP_INSTANCE_ID_SIZE: u16 = 20;
const APP_INSTANCE_VERSION_SIZE: u16 = 24;

fn first<T>(slot: &mut Option<T>, value: T) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

fn exactly<const N: usize>(data: &[u8]) -> Parsed<&[u8; N]> {
    let (value, rest) = data.split_first_chunk::<N>().ok_or(Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

fn maximal_access_time(data: &[u8]) -> Parsed<Option<FileTime>> {
    if data.is_empty() {
        return Ok(None);
    }
    Ok(Some(FileTime(u64::from_le_bytes(*exactly::<8>(data)?))))
}

fn parse_dh2q(data: &[u8]) -> Parsed<DurableRequestV2> {
    exactly::<32>(data)?;
    let mut r = Reader::new(data);
    let timeout = r.u32()?;
    let flags = DurableFlags::from_bits(r.u32()?);
    r.skip(8)?;
    Ok(DurableRequestV2 {
        timeout,
        flags,
        create_guid: r.array()?,
    })
}

fn parse_dh2c(data: &[u8]) -> Parsed<DurableReconnectV2> {
    exactly::<36>(data)?;
    let mut r = Reader::new(data);
    Ok(DurableReconnectV2 {
        file_id: FileId::read(&mut r)?,
        create_guid: r.array()?,
        flags: DurableFlags::from_bits(r.u32()?),
    })
}

fn parse_app_instance_id(data: &[u8]) -> Parsed<[u8; 16]> {
    let mut r = Reader::new(data);
    if r.u16()? != APP_INSTANCE_ID_SIZE {
        return Err(Malformed);
    }
    r.skip(2)?;
    r.array()
}

fn parse_app_instance_version(data: &[u8]) -> Parsed<AppInstanceVersion> {
    let mut r = Reader::new(data);
    if r.u16()? != APP_INSTANCE_VERSION_SIZE {
        return Err(Malformed);
    }
    r.skip(6)?;
    Ok(AppInstanceVersion {
        high: r.u64()?,
        low: r.u64()?,
    })
}

/// `None` for commands other than the query of the server, which are to be ignored.
fn parse_aapl_request(data: &[u8]) -> Parsed<Option<AaplRequest>> {
    let mut r = Reader::new(data);
    if r.u32()? != AAPL_SERVER_QUERY {
        return Ok(None);
    }
    r.skip(4)?;
    let bitmap = AaplBitmap::from_bits(r.u64()?);
    let capabilities = AaplCapabilities::from_bits(r.u64()?);
    Ok(Some(AaplRequest {
        bitmap,
        capabilities,
    }))
}

fn parse_aapl_reply(data: &[u8]) -> Parsed<AaplReply<'_>> {
    let mut r = Reader::new(data);
    if r.u32()? != AAPL_SERVER_QUERY {
        return Err(Malformed);
    }
    r.skip(4)?;
    let bitmap = AaplBitmap::from_bits(r.u64()?);
    let mut reply = AaplReply::default();
    if bitmap.contains(AaplBitmap::SERVER_CAPS) {
        reply.server = Some(AaplCapabilities::from_bits(r.u64()?));
    }
    if bitmap.contains(AaplBitmap::VOLUME_CAPS) {
        reply.volume = Some(AaplVolumeCapabilities::from_bits(r.u64()?));
    }
    if bitmap.contains(AaplBitmap::MODEL_INFO) {
        r.skip(4)?;
        let len = size(r.u32()?)?;
        reply.model = Some(Utf16::new(r.take(len)?)?);
    }
    Ok(reply)
}

fn write_aapl_reply(reply: &AaplReply<'_>, w: &mut Writer<'_>) -> Written {
    let mut bitmap = AaplBitmap::NONE;
    if reply.server.is_some() {
        bitmap |= AaplBitmap::SERVER_CAPS;
    }
    if reply.volume.is_some() {
        bitmap |= AaplBitmap::VOLUME_CAPS;
    }
    if reply.model.is_some() {
        bitmap |= AaplBitmap::MODEL_INFO;
    }
    w.u32(AAPL_SERVER_QUERY)?;
    w.u32(0)?;
    w.u64(bitmap.bits())?;
    if let Some(server) = reply.server {
        w.u64(server.bits())?;
    }
    if let Some(volume) = reply.volume {
        w.u64(volume.bits())?;
    }
    if let Some(model) = reply.model {
        w.u32(0)?;
        w.u32(len32(model.0.len())?)?;
        w.bytes(model.0)?;
    }
    Ok(())
}

fn parse_posix_reply(data: &[u8]) -> Parsed<PosixReply> {
    let mut r = Reader::new(data);
    let (links, reparse_tag, mode) = (r.u32()?, r.u32()?, r.u32()?);
    Ok(PosixReply {
        reparse_tag,
        stat: PosixStat::take_sids(&mut r, 0, links, mode)?,
    })
}
