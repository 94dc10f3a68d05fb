// SPDX-License-Identifier: GPL-2.0

//! CREATE, [MS-SMB2] 2.2.13 and 2.2.14.

use crate::attributes::FileAttributes;
use crate::body::{self, len16, size, Buffer, OffsetField};
use crate::create_context::{ChainWriter, Contexts};
use crate::header::{FileId, HEADER_LEN};
use crate::security::AccessMask;
use crate::time::FileTime;
use crate::unicode::Utf16;
use crate::wire::{Full, Malformed, Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 57;
const REPLY_SIZE: u16 = 89;

/// Names and contexts start at multiples of this, from the header's start.
const ALIGNMENT: usize = 8;

open_enum! {
    /// `RequestedOplockLevel`, `OplockLevel`.
    pub struct OplockLevel: u8 {
        /// None.
        NONE = 0x00;
        /// Level II.
        LEVEL_II = 0x01;
        /// Exclusive.
        EXCLUSIVE = 0x08;
        /// Batch.
        BATCH = 0x09;
        /// A lease, which a create context describes.
        LEASE = 0xFF;
    }
}

open_enum! {
    /// `ImpersonationLevel`.
    pub struct ImpersonationLevel: u32 {
        /// The server may not know the client.
        ANONYMOUS = 0;
        /// The server may know the client.
        IDENTIFICATION = 1;
        /// The server may act as the client.
        IMPERSONATION = 2;
        /// The server may act as the client toward others.
        DELEGATE = 3;
    }
}

impl ImpersonationLevel {
    /// Whether the level is one that the document defines; if not, `STATUS_BAD_IMPERSONATION_LEVEL` is due.
    pub fn is_valid(self) -> bool {
        self <= ImpersonationLevel::DELEGATE
    }
}

flags! {
    /// `ShareAccess`.
    pub struct ShareAccess: u32 {
        /// Others may read.
        READ = 0x0000_0001;
        /// Others may write.
        WRITE = 0x0000_0002;
        /// Others may delete or rename.
        DELETE = 0x0000_0004;
    }
}

open_enum! {
    /// `CreateDisposition`: what to do when the file exists, and when it does not. The reconnect of a durable handle ignores
    /// the field (3.3.5.9.7), so that a value without a name is the handler's to refuse.
    pub struct Disposition: u32 {
        /// Replace it; else create it.
        SUPERSEDE = 0;
        /// Open it; else fail.
        OPEN = 1;
        /// Fail; else create it.
        CREATE = 2;
        /// Open it; else create it.
        OPEN_IF = 3;
        /// Truncate it; else fail.
        OVERWRITE = 4;
        /// Truncate it; else create it.
        OVERWRITE_IF = 5;
    }
}

flags! {
    /// `CreateOptions`.
    pub struct CreateOptions: u32 {
        /// Must be, or become, a directory.
        DIRECTORY_FILE = 0x0000_0001;
        /// Write data through before a write is answered.
        WRITE_THROUGH = 0x0000_0002;
        /// A hint: sequential access.
        SEQUENTIAL_ONLY = 0x0000_0004;
        /// No buffering in between.
        NO_INTERMEDIATE_BUFFERING = 0x0000_0008;
        /// To be ignored.
        SYNCHRONOUS_IO_ALERT = 0x0000_0010;
        /// To be ignored.
        SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
        /// Must not be a directory.
        NON_DIRECTORY_FILE = 0x0000_0040;
        /// To be ignored.
        CREATE_TREE_CONNECTION = 0x0000_0080;
        /// Complete although an oplock breaks.
        COMPLETE_IF_OPLOCKED = 0x0000_0100;
        /// The opener does not understand extended attributes.
        NO_EA_KNOWLEDGE = 0x0000_0200;
        /// To be ignored; older documents: open for recovery.
        OPEN_REMOTE_INSTANCE = 0x0000_0400;
        /// A hint: random access.
        RANDOM_ACCESS = 0x0000_0800;
        /// Delete when the last open goes.
        DELETE_ON_CLOSE = 0x0000_1000;
        /// The name is a file id: not supported.
        OPEN_BY_FILE_ID = 0x0000_2000;
        /// The opener is a backup program, if it may be.
        OPEN_FOR_BACKUP_INTENT = 0x0000_4000;
        /// Do not compress.
        NO_COMPRESSION = 0x0000_8000;
        /// To be ignored.
        OPEN_REQUIRING_OPLOCK = 0x0001_0000;
        /// To be ignored.
        DISALLOW_EXCLUSIVE = 0x0002_0000;
        /// Not supported by the protocol.
        RESERVE_OPFILTER = 0x0010_0000;
        /// Open a reparse point itself.
        OPEN_REPARSE_POINT = 0x0020_0000;
        /// Do not fetch data that are elsewhere.
        OPEN_NO_RECALL = 0x0040_0000;
        /// For free space queries.
        OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000;
    }
}

open_enum! {
    /// `CreateAction`: what a CREATE did.
    pub struct CreateAction: u32 {
        /// Replaced the file.
        SUPERSEDED = 0;
        /// Opened the file.
        OPENED = 1;
        /// Created the file.
        CREATED = 2;
        /// Truncated the file.
        OVERWRITTEN = 3;
    }
}

flags! {
    /// `Flags` of the reply, 3.x.
    pub struct ReplyFlags: u8 {
        /// The last component of the name is a reparse point.
        REPARSEPOINT = 0x01;
    }
}

/// A CREATE request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `RequestedOplockLevel`.
    pub oplock_level: OplockLevel,
    /// `ImpersonationLevel`; see [`ImpersonationLevel::is_valid`].
    pub impersonation_level: ImpersonationLevel,
    /// `DesiredAccess`.
    pub desired_access: AccessMask,
    /// `FileAttributes`.
    pub file_attributes: FileAttributes,
    /// `ShareAccess`.
    pub share_access: ShareAccess,
    /// `CreateDisposition`.
    pub disposition: Disposition,
    /// `CreateOptions`.
    pub options: CreateOptions,
    /// The name, relative to the share; empty for its root.
    pub name: Utf16<'a>,
    /// The create contexts. Not written by [`Request::write`]: see [`Request::begin`].
    pub contexts: Contexts<'a>,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`. The contexts' chain is checked, their data are not: see
    /// [`crate::create_context::RequestContexts`].
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let _security_flags = r.u8()?;
        let oplock_level = OplockLevel(r.u8()?);
        let impersonation_level = ImpersonationLevel(r.u32()?);
        // SmbCreateFlags and Reserved are to be ignored.
        r.skip(16)?;
        let desired_access = AccessMask::from_bits(r.u32()?);
        let file_attributes = FileAttributes::from_bits(r.u32()?);
        let share_access = ShareAccess::from_bits(r.u32()?);
        let disposition = Disposition(r.u32()?);
        let options = CreateOptions::from_bits(r.u32()?);
        let name_at = usize::from(r.u16()?);
        let name_len = usize::from(r.u16()?);
        let contexts_at = size(r.u32()?)?;
        let contexts_len = size(r.u32()?)?;
        let name = Utf16::new(aligned_buffer(pdu, REQUEST_SIZE, name_at, name_len)?)?;
        let contexts = Contexts::parse(aligned_buffer(
            pdu,
            REQUEST_SIZE,
            contexts_at,
            contexts_len,
        )?)?;
        Ok(Request {
            oplock_level,
            impersonation_level,
            desired_access,
            file_attributes,
            share_access,
            disposition,
            options,
            name,
            contexts,
        })
    }

    /// Appends the body, without contexts.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.begin(w)?.finish(w)
    }

    /// Appends the body up to the contexts, which the answered writer appends; its `finish` must be called. `contexts` is
    /// not looked at.
    pub fn begin(&self, w: &mut Writer<'_>) -> Result<ChainWriter, Full> {
        let body = w.mark();
        w.u16(REQUEST_SIZE)?;
        w.u8(0)?;
        w.u8(self.oplock_level.0)?;
        w.u32(self.impersonation_level.0)?;
        w.zeros(16)?;
        w.u32(self.desired_access.bits())?;
        w.u32(self.file_attributes.bits())?;
        w.u32(self.share_access.bits())?;
        w.u32(self.disposition.0)?;
        w.u32(self.options.bits())?;
        w.u16(body::variable_at(REQUEST_SIZE))?;
        w.u16(len16(self.name.0.len())?)?;
        let offset_at = w.mark();
        w.u32(0)?;
        let length_at = w.mark();
        w.u32(0)?;
        w.bytes(self.name.0)?;
        if self.name.0.is_empty() {
            w.zeros(ALIGNMENT)?;
        } else {
            w.align(body, ALIGNMENT)?;
        }
        let start = w.mark();
        let offset = w.since(body).checked_add(HEADER_LEN).ok_or(Full)?;
        w.patch_u32(offset_at, body::len32(offset)?)?;
        Ok(ChainWriter::new(Buffer {
            offset_field: OffsetField::U32(offset_at),
            length_at,
            start,
            pad_empty: false,
        }))
    }
}

/// A CREATE reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `OplockLevel` that was granted.
    pub oplock_level: OplockLevel,
    /// `Flags`.
    pub flags: ReplyFlags,
    /// `CreateAction`.
    pub action: CreateAction,
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
    /// `FileId`.
    pub file_id: FileId,
    /// The create contexts. Not written by [`Reply::write`]: see [`Reply::begin`].
    pub contexts: Contexts<'a>,
}

impl<'a> Reply<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let oplock_level = OplockLevel(r.u8()?);
        let flags = ReplyFlags::from_bits(r.u8()?);
        let action = CreateAction(r.u32()?);
        let creation_time = FileTime(r.u64()?);
        let last_access_time = FileTime(r.u64()?);
        let last_write_time = FileTime(r.u64()?);
        let change_time = FileTime(r.u64()?);
        let allocation_size = r.u64()?;
        let end_of_file = r.u64()?;
        let file_attributes = FileAttributes::from_bits(r.u32()?);
        r.skip(4)?;
        let file_id = FileId::read(&mut r)?;
        let contexts_at = size(r.u32()?)?;
        let contexts_len = size(r.u32()?)?;
        let contexts =
            Contexts::parse(aligned_buffer(pdu, REPLY_SIZE, contexts_at, contexts_len)?)?;
        Ok(Reply {
            oplock_level,
            flags,
            action,
            creation_time,
            last_access_time,
            last_write_time,
            change_time,
            allocation_size,
            end_of_file,
            file_attributes,
            file_id,
            contexts,
        })
    }

    /// Appends the body, without contexts.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.begin(w)?.finish(w)
    }

    /// Appends the body up to the contexts, which the answered writer appends; its `finish` must be called. `contexts` is
    /// not looked at.
    pub fn begin(&self, w: &mut Writer<'_>) -> Result<ChainWriter, Full> {
        w.u16(REPLY_SIZE)?;
        w.u8(self.oplock_level.0)?;
        w.u8(self.flags.bits())?;
        w.u32(self.action.0)?;
        w.u64(self.creation_time.0)?;
        w.u64(self.last_access_time.0)?;
        w.u64(self.last_write_time.0)?;
        w.u64(self.change_time.0)?;
        w.u64(self.allocation_size)?;
        w.u64(self.end_of_file)?;
        w.u32(self.file_attributes.bits())?;
        w.u32(0)?;
        self.file_id.write(w)?;
        let offset_at = w.mark();
        // 152 from the header's start: a multiple of 8.
        w.u32(u32::from(body::variable_at(REPLY_SIZE)))?;
        let length_at = w.mark();
        w.u32(0)?;
        let start = w.mark();
        Ok(ChainWriter::new(Buffer {
            offset_field: OffsetField::U32(offset_at),
            length_at,
            start,
            pad_empty: false,
        }))
    }
}

/// As [`body::buffer`], for a buffer that the document wants aligned.
fn aligned_buffer(pdu: &[u8], structure_size: u16, offset: usize, len: usize) -> Parsed<&[u8]> {
    if len != 0 && offset & (ALIGNMENT - 1) != 0 {
        return Err(Malformed);
    }
    body::buffer(pdu, structure_size, offset, len)
}
