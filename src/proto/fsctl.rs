// SPDX-License-Identifier: GPL-2.0

//! FSCTL codes and the buffers of those that the server knows: [MS-FSCC] 2.3, [MS-SMB2] 2.2.31 and 2.2.32. Server-side copy
//! is in [`crate::copy`], network interfaces in [`crate::network`], snapshots in [`crate::snapshot`], reparse points in
//! [`crate::reparse`].

use crate::layout::{fixed, fixed_flags, Fixed};
use crate::unicode::{Text, Utf16};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

open_enum! {
    /// CtlCode of an IOCTL request.
    pub struct Fsctl: u32 {
        /// Referrals of the distributed file system.
        DFS_GET_REFERRALS = 0x0006_0194;
        /// Referrals, with a site name.
        DFS_GET_REFERRALS_EX = 0x0006_01B0;
        /// Ask for an oplock.
        REQUEST_OPLOCK_LEVEL_1 = 0x0009_0000;
        /// Lock a volume.
        LOCK_VOLUME = 0x0009_0018;
        /// Unlock a volume.
        UNLOCK_VOLUME = 0x0009_001C;
        /// Whether a volume is mounted.
        IS_VOLUME_MOUNTED = 0x0009_0028;
        /// Whether a path is valid.
        IS_PATHNAME_VALID = 0x0009_002C;
        /// Compression state.
        GET_COMPRESSION = 0x0009_003C;
        /// File system statistics.
        FILESYSTEM_GET_STATISTICS = 0x0009_0060;
        /// NTFS volume data.
        GET_NTFS_VOLUME_DATA = 0x0009_0064;
        /// Extents.
        GET_RETRIEVAL_POINTERS = 0x0009_0073;
        /// Files of an owner.
        FIND_FILES_BY_SID = 0x0009_008F;
        /// Set an object id.
        SET_OBJECT_ID = 0x0009_0098;
        /// Tell an object id.
        GET_OBJECT_ID = 0x0009_009C;
        /// Delete an object id.
        DELETE_OBJECT_ID = 0x0009_00A0;
        /// Set a reparse point.
        SET_REPARSE_POINT = 0x0009_00A4;
        /// Tell a reparse point.
        GET_REPARSE_POINT = 0x0009_00A8;
        /// Delete a reparse point.
        DELETE_REPARSE_POINT = 0x0009_00AC;
        /// Set an object id's extension.
        SET_OBJECT_ID_EXTENDED = 0x0009_00BC;
        /// Tell an object id; make one if there is none.
        CREATE_OR_GET_OBJECT_ID = 0x0009_00C0;
        /// Make a file sparse, or not.
        SET_SPARSE = 0x0009_00C4;
        /// Change journal entry of a file.
        READ_FILE_USN_DATA = 0x0009_00EB;
        /// Write a change journal entry.
        WRITE_USN_CLOSE_RECORD = 0x0009_00EF;
        /// UDF data.
        QUERY_SPARING_INFO = 0x0009_0138;
        /// Defect management.
        SET_DEFECT_MANAGEMENT = 0x0009_8134;
        /// UDF volume information.
        QUERY_ON_DISK_VOLUME_INFO = 0x0009_013C;
        /// Short name behaviour.
        SET_SHORT_NAME_BEHAVIOR = 0x0009_01B4;
        /// FAT boot sector.
        QUERY_FAT_BPB = 0x0009_0058;
        /// Storage tier of each region.
        QUERY_REGION_INFO = 0x0009_02F0;
        /// Read side of an offloaded copy.
        OFFLOAD_READ = 0x0009_4264;
        /// Regions of a file.
        QUERY_FILE_REGIONS = 0x0009_0284;
        /// Allocated ranges.
        QUERY_ALLOCATED_RANGES = 0x0009_40CF;
        /// Integrity of a file.
        GET_INTEGRITY_INFORMATION = 0x0009_027C;
        /// ReFS volume data.
        GET_REFS_VOLUME_DATA = 0x0009_02D8;
        /// Extents and reference counts.
        GET_RETRIEVAL_POINTERS_AND_REFCOUNT = 0x0009_03D3;
        /// Storage tiers.
        QUERY_STORAGE_CLASSES = 0x0009_02EC;
        /// Set compression.
        SET_COMPRESSION = 0x0009_C040;
        /// Deallocate a range.
        SET_ZERO_DATA = 0x0009_80C8;
        /// Set a zero on deallocation.
        SET_ZERO_ON_DEALLOCATION = 0x0009_0194;
        /// Set encryption.
        SET_ENCRYPTION = 0x0009_00D7;
        /// Trim ranges of a file.
        FILE_LEVEL_TRIM = 0x0009_8208;
        /// Write side of an offloaded copy.
        OFFLOAD_WRITE = 0x0009_8268;
        /// Share extents.
        DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344;
        /// Share extents, atomically or not.
        DUPLICATE_EXTENTS_TO_FILE_EX = 0x0009_83E8;
        /// Set integrity of a file.
        SET_INTEGRITY_INFORMATION = 0x0009_C280;
        /// Set integrity of a file, extended.
        SET_INTEGRITY_INFORMATION_EX = 0x0009_0380;
        /// Mark a handle.
        MARK_HANDLE = 0x0009_00FC;
        /// Copy by single instance storage.
        SIS_COPYFILE = 0x0009_0100;
        /// Virtual disk sharing.
        SVHDX_SYNC_TUNNEL_REQUEST = 0x0009_0304;
        /// Virtual disk sharing, asynchronous.
        SVHDX_ASYNC_TUNNEL_REQUEST = 0x0009_0364;
        /// Whether virtual disks can be shared.
        QUERY_SHARED_VIRTUAL_DISK_SUPPORT = 0x0009_0300;
        /// Look into a pipe.
        PIPE_PEEK = 0x0011_400C;
        /// Wait for a pipe.
        PIPE_WAIT = 0x0011_0018;
        /// Write to a pipe and read the answer.
        PIPE_TRANSCEIVE = 0x0011_C017;
        /// Previous versions.
        SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064;
        /// Key that names the source of a copy.
        SRV_REQUEST_RESUME_KEY = 0x0014_0078;
        /// Hash of a file.
        SRV_READ_HASH = 0x0014_41BB;
        /// Copy; the destination must be readable.
        SRV_COPYCHUNK = 0x0014_40F2;
        /// Copy.
        SRV_COPYCHUNK_WRITE = 0x0014_80F2;
        /// Keep the handle through a lost connection.
        LMR_REQUEST_RESILIENCY = 0x0014_01D4;
        /// Network interfaces of the server.
        QUERY_NETWORK_INTERFACE_INFO = 0x0014_01FC;
        /// Whether negotiation was tampered with.
        VALIDATE_NEGOTIATE_INFO = 0x0014_0204;
    }
}

fixed_flags!(u32: IntegrityFlags, DuplicateFlags);

fixed! {
    /// VALIDATE_NEGOTIATE_INFO response ([MS-SMB2] 2.2.32.6).
    pub struct ValidateNegotiateReply {
        /// Capabilities of the NEGOTIATE reply.
        capabilities: u32;
        /// ServerGuid of the NEGOTIATE reply.
        guid: [u8; 16];
        /// SecurityMode of the NEGOTIATE reply.
        security_mode: u16;
        /// DialectRevision of the NEGOTIATE reply.
        dialect: u16;
    }

    /// FSCTL_SET_ZERO_DATA request ([MS-FSCC]).
    pub struct ZeroData {
        /// First byte to be zeroed.
        offset: i64;
        /// First byte after those to be zeroed.
        beyond: i64;
    }

    /// FILE_ALLOCATED_RANGE_BUFFER: the request of FSCTL_QUERY_ALLOCATED_RANGES and each element of its answer.
    pub struct AllocatedRange {
        /// First byte.
        offset: i64;
        /// Number of bytes.
        length: i64;
    }

    /// FSCTL_GET_COMPRESSION reply and FSCTL_SET_COMPRESSION request.
    pub struct Compression {
        /// 0 none, 1 default, 2 LZNT1.
        format: u16;
    }

    /// FSCTL_GET_INTEGRITY_INFORMATION reply.
    pub struct Integrity {
        /// 0 none, 1 CRC-32, 2 CRC-64.
        algorithm: u16, pad 2;
        /// Flags.
        flags: IntegrityFlags;
        /// Bytes that a checksum covers.
        chunk_size: u32;
        /// Bytes of a cluster.
        cluster_size: u32;
    }

    /// FSCTL_SET_INTEGRITY_INFORMATION request.
    pub struct SetIntegrity {
        /// 0 none, 1 CRC-32, 2 CRC-64, 0xFFFF no change.
        algorithm: u16, pad 2;
        /// Flags.
        flags: IntegrityFlags;
    }

    /// SMB2_DUPLICATE_EXTENTS_DATA, for FSCTL_DUPLICATE_EXTENTS_TO_FILE.
    pub struct DuplicateExtents {
        /// Persistent part of the source's file id.
        source_persistent: u64;
        /// Volatile part of the source's file id.
        source_volatile: u64;
        /// First byte in the source.
        source_offset: i64;
        /// First byte in the target.
        target_offset: i64;
        /// Number of bytes.
        length: i64;
    }

    /// FSCTL_OFFLOAD_READ request.
    pub struct OffloadRead {
        /// Bytes of the structure.
        size: u32;
        /// Flags; zero.
        flags: u32;
        /// Milliseconds that the token is to live.
        time_to_live: u32, pad 4;
        /// First byte.
        offset: u64;
        /// Number of bytes.
        length: u64;
    }

    /// NETWORK_RESILIENCY_REQUEST ([MS-SMB2] 2.2.31.3).
    pub struct Resiliency {
        /// Milliseconds that the handle is to be kept.
        timeout: u32, pad 4;
    }

    /// FSCTL_PIPE_PEEK reply ([MS-FSCC]), without the data.
    pub struct PipePeek {
        /// 3: connected.
        state: u32;
        /// Bytes to read.
        available: u32;
        /// Messages to read.
        messages: u32;
        /// Bytes of the first message.
        message_length: u32;
    }

    /// FILE_OBJECTID_BUFFER of type 1 (2.1.3.1).
    pub struct ObjectId {
        /// Id of the object.
        object: [u8; 16];
        /// Id of the volume on which it was made.
        birth_volume: [u8; 16];
        /// Id that it was made with.
        birth_object: [u8; 16];
        /// Id of the domain: zero.
        domain: [u8; 16];
    }
}

flags! {
    /// Flags of the integrity requests.
    pub struct IntegrityFlags: u32 {
        /// Checksums are not enforced.
        CHECKSUM_ENFORCEMENT_OFF = 1;
    }
}

flags! {
    /// Flags of FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX.
    pub struct DuplicateFlags: u32 {
        /// All or nothing.
        SOURCE_ATOMIC = 1;
    }
}

/// SMB2_DUPLICATE_EXTENTS_DATA_EX, for FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DuplicateExtentsEx {
    /// What both requests have.
    pub extents: DuplicateExtents,
    /// Flags.
    pub flags: DuplicateFlags,
}

impl DuplicateExtentsEx {
    /// StructureSize: that of the local structure, whose handle is shorter than a file id.
    const STRUCTURE_SIZE: u64 = 0x30;

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        if r.u64()? != Self::STRUCTURE_SIZE {
            return Err(Malformed);
        }
        Ok(DuplicateExtentsEx {
            extents: Fixed::take(&mut r)?,
            flags: Fixed::take(&mut r)?,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u64(Self::STRUCTURE_SIZE)?;
        self.extents.put(w)?;
        self.flags.put(w)?;
        w.u32(0)
    }
}

impl ZeroData {
    /// The first byte and the first byte after the range; `None` if they are negative or out of order, which answers
    /// `STATUS_INVALID_PARAMETER`.
    pub fn range(&self) -> Option<(u64, u64)> {
        let offset = u64::try_from(self.offset).ok()?;
        let beyond = u64::try_from(self.beyond).ok()?;
        (offset <= beyond).then_some((offset, beyond))
    }
}

impl AllocatedRange {
    /// The first byte and the first byte after the range; `None` if either is negative or too large, which answers
    /// `STATUS_INVALID_PARAMETER`.
    pub fn range(&self) -> Option<(u64, u64)> {
        let beyond = self
            .offset
            .checked_add(self.length)
            .filter(|_| self.length >= 0)?;
        Some((
            u64::try_from(self.offset).ok()?,
            u64::try_from(beyond).ok()?,
        ))
    }

    /// The elements of an answer; a rest that is too short for one is left out.
    pub fn list(bytes: &[u8]) -> impl Iterator<Item = AllocatedRange> + '_ {
        let mut r = Reader::new(bytes);
        core::iter::from_fn(move || AllocatedRange::take(&mut r).ok())
    }
}

/// Whether FSCTL_SET_SPARSE is to make a file sparse: no buffer means yes, and of a longer one the first byte counts.
pub fn parse_set_sparse(bytes: &[u8]) -> bool {
    bytes.first() != Some(&0)
}

/// VALIDATE_NEGOTIATE_INFO request ([MS-SMB2] 2.2.31.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateNegotiate<'a> {
    /// Capabilities of the NEGOTIATE request.
    pub capabilities: u32,
    /// ClientGuid of the NEGOTIATE request.
    pub guid: [u8; 16],
    /// SecurityMode of the NEGOTIATE request.
    pub security_mode: u16,
    dialects: &'a [u8],
}

impl<'a> ValidateNegotiate<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`, which ends the connection.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let capabilities = r.u32()?;
        let guid = r.array()?;
        let security_mode = r.u16()?;
        let count = usize::from(r.u16()?);
        let dialects = r.take(count.saturating_mul(2))?;
        Ok(ValidateNegotiate {
            capabilities,
            guid,
            security_mode,
            dialects,
        })
    }

    /// The dialects of the NEGOTIATE request, in its order.
    pub fn dialects(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        let mut r = Reader::new(self.dialects);
        core::iter::from_fn(move || r.u16().ok())
    }

    /// Appends a request.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(
        w: &mut Writer<'_>,
        capabilities: u32,
        guid: &[u8; 16],
        security_mode: u16,
        dialects: &[u16],
    ) -> Written {
        w.u32(capabilities)?;
        w.bytes(guid)?;
        w.u16(security_mode)?;
        w.u16(u16::try_from(dialects.len()).map_err(|_| Full)?)?;
        dialects.iter().try_for_each(|dialect| w.u16(*dialect))
    }
}

fixed! {
    /// A range of FSCTL_FILE_LEVEL_TRIM.
    pub struct TrimRange {
        /// First byte.
        offset: u64;
        /// Number of bytes.
        length: u64;
    }
}

/// FILE_LEVEL_TRIM request ([MS-FSCC]). The reply is the number of ranges processed, 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileTrim<'a> {
    ranges: &'a [u8],
}

impl<'a> FileTrim<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`, also for a key other than zero, as SMB2 wants it.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        if r.u32()? != 0 {
            return Err(Malformed);
        }
        let count = usize::try_from(r.u32()?).map_err(|_| Malformed)?;
        let len = count.checked_mul(TrimRange::SIZE).ok_or(Malformed)?;
        Ok(FileTrim {
            ranges: r.take(len)?,
        })
    }

    /// The ranges.
    pub fn ranges(&self) -> impl Iterator<Item = TrimRange> + Clone + 'a {
        let mut r = Reader::new(self.ranges);
        core::iter::from_fn(move || TrimRange::take(&mut r).ok())
    }

    /// Appends a request.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(w: &mut Writer<'_>, ranges: &[TrimRange]) -> Written {
        w.u32(0)?;
        w.u32(u32::try_from(ranges.len()).map_err(|_| Full)?)?;
        ranges.iter().try_for_each(|range| range.put(w))
    }
}

/// FSCTL_PIPE_WAIT request ([MS-FSCC]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeWait<'a> {
    /// How long to wait, in 100 ns; `None` for the pipe's own default.
    pub timeout: Option<i64>,
    /// Name of the pipe, without a path.
    pub name: Text<'a>,
}

impl<'a> PipeWait<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let timeout = i64::take(&mut r)?;
        let len = usize::try_from(r.u32()?).map_err(|_| Malformed)?;
        let specified = bool::take(&mut r)?;
        r.skip(1)?;
        let name = Text::Wire(Utf16::new(r.take(len)?)?);
        Ok(PipeWait {
            timeout: specified.then_some(timeout),
            name,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.timeout.unwrap_or(0).put(w)?;
        w.u32(u32::try_from(self.name.wire_len()).map_err(|_| Full)?)?;
        self.timeout.is_some().put(w)?;
        w.u8(0)?;
        self.name.write(w)
    }
}
