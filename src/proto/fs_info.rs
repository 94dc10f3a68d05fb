// SPDX-License-Identifier: GPL-2.0

//! File system information classes, [MS-FSCC] 2.5, and the one of the POSIX extensions.

use crate::file_info::{put_name, take_name};
use crate::layout::{fixed, fixed_enum, fixed_flags, Fixed};
use crate::time::FileTime;
use crate::unicode::{Text, Utf16};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

open_enum! {
    /// FsInformationClass of a QUERY_INFO or SET_INFO request.
    pub struct FsInfoClass: u8 {
        /// Label and serial number.
        VOLUME = 1;
        /// Set the label; not over the wire.
        LABEL = 2;
        /// Size and free space.
        SIZE = 3;
        /// Kind of device.
        DEVICE = 4;
        /// Name and abilities of the file system.
        ATTRIBUTE = 5;
        /// Quota control.
        CONTROL = 6;
        /// Size and free space, with quota.
        FULL_SIZE = 7;
        /// Object id of the volume.
        OBJECT_ID = 8;
        /// Driver path.
        DRIVER_PATH = 9;
        /// Volume flags.
        VOLUME_FLAGS = 10;
        /// Sector sizes.
        SECTOR_SIZE = 11;
        /// POSIX extensions: statvfs.
        POSIX = 100;
    }
}

impl FsInfoClass {
    /// Bytes of the fixed part of an answer; `None` for a class that cannot be asked for.
    pub fn min_query(self) -> Option<usize> {
        let size = match self {
            // FileName and label count as one unit, and the structure is padded.
            Self::VOLUME => 24,
            Self::SIZE => SizeInfo::SIZE,
            Self::DEVICE => DeviceInfo::SIZE,
            Self::ATTRIBUTE => 16,
            Self::CONTROL => ControlInfo::SIZE,
            Self::FULL_SIZE => FullSizeInfo::SIZE,
            Self::OBJECT_ID => ObjectIdInfo::SIZE,
            Self::SECTOR_SIZE => SectorSizeInfo::SIZE,
            Self::POSIX => PosixFsInfo::SIZE,
            _ => return None,
        };
        Some(size)
    }
}

flags! {
    /// FileSystemAttributes of FileFsAttributeInformation.
    pub struct FsAttributes: u32 {
        /// Names differ by case.
        CASE_SENSITIVE_SEARCH = 0x0000_0001;
        /// Case of names is kept.
        CASE_PRESERVED_NAMES = 0x0000_0002;
        /// Names are Unicode.
        UNICODE_ON_DISK = 0x0000_0004;
        /// ACLs are kept.
        PERSISTENT_ACLS = 0x0000_0008;
        /// Files can be compressed.
        FILE_COMPRESSION = 0x0000_0010;
        /// Quotas per user.
        VOLUME_QUOTAS = 0x0000_0020;
        /// Sparse files.
        SUPPORTS_SPARSE_FILES = 0x0000_0040;
        /// Reparse points.
        SUPPORTS_REPARSE_POINTS = 0x0000_0080;
        /// Remote storage.
        SUPPORTS_REMOTE_STORAGE = 0x0000_0100;
        /// The volume is compressed.
        VOLUME_IS_COMPRESSED = 0x0000_8000;
        /// Object ids.
        SUPPORTS_OBJECT_IDS = 0x0001_0000;
        /// Encryption.
        SUPPORTS_ENCRYPTION = 0x0002_0000;
        /// Named streams.
        NAMED_STREAMS = 0x0004_0000;
        /// Read only.
        READ_ONLY_VOLUME = 0x0008_0000;
        /// Written once.
        SEQUENTIAL_WRITE_ONCE = 0x0010_0000;
        /// Transactions.
        SUPPORTS_TRANSACTIONS = 0x0020_0000;
        /// Hard links.
        SUPPORTS_HARD_LINKS = 0x0040_0000;
        /// Extended attributes.
        SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000;
        /// Open by file id.
        SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000;
        /// Change journal.
        SUPPORTS_USN_JOURNAL = 0x0200_0000;
        /// Integrity streams.
        SUPPORT_INTEGRITY_STREAMS = 0x0400_0000;
        /// Extents can be shared.
        SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000;
        /// Sparse valid data.
        SUPPORTS_SPARSE_VDL = 0x1000_0000;
    }
}

open_enum! {
    /// DeviceType of FileFsDeviceInformation.
    pub struct DeviceType: u32 {
        /// CD-ROM.
        CD_ROM = 2;
        /// Disk.
        DISK = 7;
        /// Named pipe.
        NAMED_PIPE = 0x11;
    }
}

flags! {
    /// Characteristics of FileFsDeviceInformation.
    pub struct DeviceCharacteristics: u32 {
        /// Removable media.
        REMOVABLE_MEDIA = 0x0000_0001;
        /// Read only.
        READ_ONLY = 0x0000_0002;
        /// Floppy.
        FLOPPY = 0x0000_0004;
        /// Write once.
        WRITE_ONCE = 0x0000_0008;
        /// Remote.
        REMOTE = 0x0000_0010;
        /// Mounted.
        IS_MOUNTED = 0x0000_0020;
        /// Virtual.
        VIRTUAL = 0x0000_0040;
    }
}

fixed_flags!(u32: FsAttributes, DeviceCharacteristics);
fixed_enum!(u32: DeviceType);
fixed_enum!(u8: FsInfoClass);

fixed! {
    /// FileFsSizeInformation.
    pub struct SizeInfo {
        /// Allocation units in all, as the user sees them.
        total_units: u64;
        /// Units free to the user.
        available_units: u64;
        /// Sectors in a unit.
        sectors_per_unit: u32;
        /// Bytes in a sector.
        bytes_per_sector: u32;
    }

    /// FileFsFullSizeInformation.
    pub struct FullSizeInfo {
        /// Allocation units in all, as the user sees them.
        total_units: u64;
        /// Units free to the user.
        caller_available_units: u64;
        /// Units free.
        actual_available_units: u64;
        /// Sectors in a unit.
        sectors_per_unit: u32;
        /// Bytes in a sector.
        bytes_per_sector: u32;
    }

    /// FileFsDeviceInformation.
    pub struct DeviceInfo {
        /// Kind.
        device_type: DeviceType;
        /// Characteristics.
        characteristics: DeviceCharacteristics;
    }

    /// FileFsControlInformation.
    pub struct ControlInfo {
        /// Free space for content indexing to start.
        free_space_start_filtering: i64;
        /// Free space for content indexing to go on.
        free_space_threshold: i64;
        /// Free space for content indexing to stop.
        free_space_stop_filtering: i64;
        /// Default warning threshold of a quota.
        default_quota_threshold: u64;
        /// Default limit of a quota.
        default_quota_limit: u64;
        /// FileSystemControlFlags.
        flags: u32, pad 4;
    }

    /// FileFsObjectIdInformation, 64 bytes.
    pub struct ObjectIdInfo {
        /// Id of the volume.
        object_id: [u8; 16];
        /// What its maker likes to add: first 24 bytes.
        extended_a: [u8; 24];
        /// And the other 24 bytes.
        extended_b: [u8; 24];
    }

    /// FileFsSectorSizeInformation.
    pub struct SectorSizeInfo {
        /// Logical sector.
        logical: u32;
        /// Physical sector, as atomicity needs it.
        physical_atomicity: u32;
        /// Physical sector, as performance likes it.
        physical_performance: u32;
        /// Unit that the file system takes for atomic.
        effective_atomicity: u32;
        /// [`SectorFlags`].
        flags: SectorFlags;
        /// Offset that aligns the first logical sector to a physical one.
        offset_for_sector_alignment: u32;
        /// Offset that aligns the partition to a physical sector.
        offset_for_partition_alignment: u32;
    }

    /// File system information of the POSIX extensions: what statvfs tells.
    pub struct PosixFsInfo {
        /// Best size of a transfer, in bytes; 0xFFFFFFFF if unknown.
        optimal_transfer_size: u32;
        /// Bytes in a block; 0xFFFFFFFF if unknown.
        block_size: u32;
        /// Blocks in all.
        total_blocks: u64;
        /// Blocks free.
        blocks_available: u64;
        /// Blocks free to the user.
        user_blocks_available: u64;
        /// File nodes in all.
        total_file_nodes: u64;
        /// File nodes free.
        free_file_nodes: u64;
        /// Id of the file system.
        fsid: u64;
    }
}

flags! {
    /// Flags of FileFsSectorSizeInformation.
    pub struct SectorFlags: u32 {
        /// The first physical sector is aligned.
        ALIGNED_DEVICE = 0x1;
        /// The partition is aligned.
        PARTITION_ALIGNED_ON_DEVICE = 0x2;
        /// No seek penalty.
        NO_SEEK_PENALTY = 0x4;
        /// Trim is supported.
        TRIM_ENABLED = 0x8;
    }
}

fixed_flags!(u32: SectorFlags);

/// FileFsVolumeInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeInfo<'a> {
    /// When the volume was made.
    pub creation: FileTime,
    /// Serial number.
    pub serial: u32,
    /// Whether directories can be object stores.
    pub supports_objects: bool,
    /// Label.
    pub label: Text<'a>,
}

impl<'a> VolumeInfo<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let creation = FileTime::take(&mut r)?;
        let serial = r.u32()?;
        let len = usize::try_from(r.u32()?).map_err(|_| Malformed)?;
        let supports_objects = bool::take(&mut r)?;
        r.skip(1)?;
        let label = Text::Wire(Utf16::new(r.take(len)?)?);
        Ok(VolumeInfo {
            creation,
            serial,
            supports_objects,
            label,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_clipped(w, usize::MAX).map(|_| ())
    }

    /// Appends as much of it as `limit` bytes hold. `Ok(false)` says that the label was cut and the status is
    /// `STATUS_BUFFER_OVERFLOW`; its length field tells the whole length all the same.
    ///
    /// # Errors
    ///
    /// `Full` if not even all but the label fits.
    pub fn write_clipped(&self, w: &mut Writer<'_>, limit: usize) -> Result<bool, Full> {
        let room = limit.checked_sub(18).ok_or(Full)?;
        let len = self.label.wire_len();
        self.creation.put(w)?;
        w.u32(self.serial)?;
        w.u32(u32::try_from(len).map_err(|_| Full)?)?;
        self.supports_objects.put(w)?;
        w.u8(0)?;
        self.label.write_clipped(w, room)?;
        Ok(len <= room)
    }
}

/// FileFsAttributeInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeInfo<'a> {
    /// Abilities.
    pub attributes: FsAttributes,
    /// Most characters in a component of a path.
    pub max_name_len: u32,
    /// Name of the file system.
    pub name: Text<'a>,
}

impl<'a> AttributeInfo<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let attributes = FsAttributes::take(&mut r)?;
        let max_name_len = r.u32()?;
        Ok(AttributeInfo {
            attributes,
            max_name_len,
            name: take_name(&mut r)?,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_clipped(w, usize::MAX).map(|_| ())
    }

    /// Appends as much of it as `limit` bytes hold; see [`VolumeInfo::write_clipped`].
    ///
    /// # Errors
    ///
    /// `Full` if not even all but the name fits.
    pub fn write_clipped(&self, w: &mut Writer<'_>, limit: usize) -> Result<bool, Full> {
        let room = limit.checked_sub(12).ok_or(Full)?;
        let len = self.name.wire_len();
        self.attributes.put(w)?;
        w.u32(self.max_name_len)?;
        w.u32(u32::try_from(len).map_err(|_| Full)?)?;
        self.name.write_clipped(w, room)?;
        Ok(len <= room)
    }
}

/// FileFsLabelInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelInfo<'a> {
    /// New label.
    pub label: Text<'a>,
}

impl<'a> LabelInfo<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        Ok(LabelInfo {
            label: take_name(&mut Reader::new(bytes))?,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        put_name(w, &self.label)
    }
}
