// SPDX-License-Identifier: GPL-2.0

//! What QUERY_INFO tells of a file system, [MS-FSCC] 2.5 and [MS-FSA] 2.1.5.13.

use linux::stat::FsStatus;
use smb_proto::fs_info::*;
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::unicode::Text;

use crate::files::attributes::file_time;
use crate::files::errors::status_of;
use crate::files::Tree;
use crate::smb2::context::{Context, Handled};

use super::Room;

/// Bytes of a sector, as clients expect them.
const SECTOR: u32 = 512;
/// Longest name of an entry, in characters.
const MAX_NAME: u32 = 255;
/// What the file system calls itself: clients take other names for one with fewer abilities.
const NAME: &str = "NTFS";
/// More than any class has besides a name.
const MAX_FIXED: usize = 128;

/// Answers with information of `class`.
pub(super) fn answer(
    cx: &Context<'_>,
    tree: &Tree,
    class: FsInfoClass,
    room: &mut Room<'_>,
) -> Handled {
    let is_posix = cx.negotiated()?.posix;
    let least = class
        .min_query()
        .filter(|_| class != FsInfoClass::POSIX || is_posix)
        .ok_or(NtStatus::INVALID_INFO_CLASS)?;
    room.require(least)?;
    if class == FsInfoClass::DEVICE {
        let info = device(tree);
        return room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true));
    }
    let Some(root) = tree.share.directory() else {
        return Err(NtStatus::INVALID_DEVICE_REQUEST.into());
    };
    let scope = tree.enter();
    let status = root.fs_status(&scope).map_err(status_of)?;
    if class == FsInfoClass::ATTRIBUTE {
        return write_attributes(tree, status.magic, cx.server().config().fake_fscaps, room);
    }
    let sizes = Sizes::of(&status);
    match class {
        FsInfoClass::VOLUME => {
            let stat = root.attributes(&scope).map_err(status_of)?;
            let label = Text::Lossy(tree.share.name.bytes());
            let info = VolumeInfo {
                creation: stat.created.map_or(FileTime(0), file_time),
                serial: serial(&status),
                supports_objects: false,
                label,
            };
            let size = MAX_FIXED.saturating_add(label.wire_len());
            room.write(size, |w, limit| info.write_clipped(w, limit))
        }
        FsInfoClass::SIZE => {
            let info = SizeInfo {
                total_units: status.blocks,
                available_units: status.available,
                sectors_per_unit: sizes.sectors_per_unit,
                bytes_per_sector: sizes.bytes_per_sector,
            };
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        FsInfoClass::FULL_SIZE => {
            let info = FullSizeInfo {
                total_units: status.blocks,
                caller_available_units: status.available,
                actual_available_units: status.free,
                sectors_per_unit: sizes.sectors_per_unit,
                bytes_per_sector: sizes.bytes_per_sector,
            };
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        FsInfoClass::OBJECT_ID => {
            let info = ObjectIdInfo {
                object_id: object_id(&status),
                ..ObjectIdInfo::default()
            };
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        FsInfoClass::SECTOR_SIZE => {
            let info = sector_sizes(&status, root.can_trim());
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        FsInfoClass::POSIX => {
            let info = posix(&status);
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        FsInfoClass::CONTROL => {
            // No quotas are kept over SMB: nobody is warned or limited.
            let info = ControlInfo {
                default_quota_threshold: u64::MAX,
                default_quota_limit: u64::MAX,
                ..ControlInfo::default()
            };
            room.write(MAX_FIXED, |w, _| info.write(w).map(|()| true))
        }
        _ => Err(NtStatus::INVALID_INFO_CLASS.into()),
    }
}

fn device(tree: &Tree) -> DeviceInfo {
    if tree.share.is_pipe() {
        return DeviceInfo {
            device_type: DeviceType::NAMED_PIPE,
            characteristics: DeviceCharacteristics::NONE,
        };
    }
    let mut characteristics = DeviceCharacteristics::IS_MOUNTED;
    if !tree.is_writable {
        characteristics |= DeviceCharacteristics::READ_ONLY;
    }
    DeviceInfo {
        device_type: DeviceType::DISK,
        characteristics,
    }
}

/// Magic numbers of file systems that compress a file when they are asked to: btrfs. Others take the flag and may ignore it.
const COMPRESSING: [u64; 1] = [0x9123_683E];

/// What the file system can do, as far as it is offered over SMB. `fake` is the administrator's word for more.
fn write_attributes(tree: &Tree, magic: u64, fake: u32, room: &mut Room<'_>) -> Handled {
    let mut attributes = FsAttributes::CASE_SENSITIVE_SEARCH
        | FsAttributes::CASE_PRESERVED_NAMES
        | FsAttributes::UNICODE_ON_DISK
        | FsAttributes::SUPPORTS_SPARSE_FILES
        | FsAttributes::SUPPORTS_OBJECT_IDS
        | FsAttributes::SUPPORTS_HARD_LINKS
        | FsAttributes::SUPPORTS_EXTENDED_ATTRIBUTES
        | FsAttributes::SUPPORTS_BLOCK_REFCOUNTING
        | FsAttributes::PERSISTENT_ACLS;
    if COMPRESSING.contains(&magic) {
        attributes |= FsAttributes::FILE_COMPRESSION;
    }
    if tree.share.has_streams() {
        attributes |= FsAttributes::NAMED_STREAMS;
    }
    if !tree.is_writable {
        attributes |= FsAttributes::READ_ONLY_VOLUME;
    }
    attributes |= FsAttributes::from_bits(fake);
    let info = AttributeInfo {
        attributes,
        max_name_len: MAX_NAME,
        name: Text::Str(NAME),
    };
    room.write(MAX_FIXED, |w, limit| info.write_clipped(w, limit))
}

/// How a block is told as sectors.
struct Sizes {
    sectors_per_unit: u32,
    bytes_per_sector: u32,
}

impl Sizes {
    fn of(status: &FsStatus) -> Self {
        let block = u32::try_from(status.block_size).unwrap_or(SECTOR);
        if block >= SECTOR && block % SECTOR == 0 {
            Sizes {
                sectors_per_unit: block / SECTOR,
                bytes_per_sector: SECTOR,
            }
        } else {
            Sizes {
                sectors_per_unit: 1,
                bytes_per_sector: block,
            }
        }
    }
}

/// A number that stays the volume's.
fn serial(status: &FsStatus) -> u32 {
    let [a, b, c, d, e, f, g, h] = status.id.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]) ^ u32::from_le_bytes([e, f, g, h])
}

/// The file system's id and kind.
fn object_id(status: &FsStatus) -> [u8; 16] {
    let mut id = [0; 16];
    let parts = Iterator::chain(
        status.id.to_le_bytes().into_iter(),
        status.magic.to_le_bytes(),
    );
    for (to, from) in id.iter_mut().zip(parts) {
        *to = from;
    }
    id
}

fn sector_sizes(status: &FsStatus, trims: bool) -> SectorSizeInfo {
    let mut flags = SectorFlags::ALIGNED_DEVICE | SectorFlags::PARTITION_ALIGNED_ON_DEVICE;
    if trims {
        flags |= SectorFlags::TRIM_ENABLED;
    }
    let physical = u32::try_from(status.block_size)
        .unwrap_or(SECTOR)
        .clamp(SECTOR, 4_096);
    SectorSizeInfo {
        logical: SECTOR,
        physical_atomicity: physical,
        physical_performance: physical,
        effective_atomicity: physical,
        flags,
        offset_for_sector_alignment: 0,
        offset_for_partition_alignment: 0,
    }
}

fn posix(status: &FsStatus) -> PosixFsInfo {
    let block_size = u32::try_from(status.block_size).unwrap_or(u32::MAX);
    PosixFsInfo {
        optimal_transfer_size: block_size,
        block_size,
        total_blocks: status.blocks,
        blocks_available: status.free,
        user_blocks_available: status.available,
        total_file_nodes: status.files,
        free_file_nodes: status.files_free,
        fsid: status.id,
    }
}
