// SPDX-License-Identifier: GPL-2.0

//! File information classes, [MS-FSCC] 2.4, and what QUERY_INFO answers for them. What SET_INFO takes is in
//! [`crate::file_set`], the entries of a directory in [`crate::directory`].

use crate::attributes::FileAttributes;
use crate::entries::{Entries, EntryList};
use crate::layout::{fixed, fixed_enum, Fixed};
use crate::security::AccessMask;
use crate::time::FileTime;
use crate::unicode::{Text, Utf16};
use crate::wire::{Full, Parsed, Reader, Writer, Written};

open_enum! {
    /// FileInfoClass of a QUERY_INFO, SET_INFO or QUERY_DIRECTORY request.
    pub struct FileInfoClass: u8 {
        /// Directory entry.
        DIRECTORY = 1;
        /// Directory entry with EA size.
        FULL_DIRECTORY = 2;
        /// Directory entry with EA size and short name.
        BOTH_DIRECTORY = 3;
        /// Times and attributes.
        BASIC = 4;
        /// Sizes, links, delete pending.
        STANDARD = 5;
        /// 64-bit file id.
        INTERNAL = 6;
        /// Size of the extended attributes.
        EA = 7;
        /// Access that the handle has.
        ACCESS = 8;
        /// Name; not over the wire.
        NAME = 9;
        /// Rename.
        RENAME = 10;
        /// Hard link.
        LINK = 11;
        /// Directory entry of a name alone.
        NAMES = 12;
        /// Delete on close.
        DISPOSITION = 13;
        /// Current position.
        POSITION = 14;
        /// Extended attributes.
        FULL_EA = 15;
        /// Mode of the handle.
        MODE = 16;
        /// Buffer alignment.
        ALIGNMENT = 17;
        /// Several classes in one.
        ALL = 18;
        /// Allocation size.
        ALLOCATION = 19;
        /// End of file.
        END_OF_FILE = 20;
        /// Short name.
        ALTERNATE_NAME = 21;
        /// Streams.
        STREAM = 22;
        /// Pipe modes.
        PIPE = 23;
        /// Pipe state.
        PIPE_LOCAL = 24;
        /// Pipe, remote end.
        PIPE_REMOTE = 25;
        /// Mailslot.
        MAILSLOT_QUERY = 26;
        /// Mailslot.
        MAILSLOT_SET = 27;
        /// Compressed size.
        COMPRESSION = 28;
        /// Object ids of a volume.
        OBJECT_ID = 29;
        /// Move cluster.
        MOVE_CLUSTER = 31;
        /// Quota entries.
        QUOTA = 32;
        /// Reparse points of a volume.
        REPARSE_POINT = 33;
        /// Times, sizes and attributes.
        NETWORK_OPEN = 34;
        /// Attributes and reparse tag.
        ATTRIBUTE_TAG = 35;
        /// Link tracking.
        TRACKING = 36;
        /// Directory entry with EA size, short name and file id.
        ID_BOTH_DIRECTORY = 37;
        /// Directory entry with EA size and file id.
        ID_FULL_DIRECTORY = 38;
        /// Valid data length.
        VALID_DATA_LENGTH = 39;
        /// Set the short name.
        SHORT_NAME = 40;
        /// Hard links of a file.
        HARD_LINK = 46;
        /// Name in canonical form.
        NORMALIZED_NAME = 48;
        /// Directory entry with transaction.
        ID_GLOBAL_TX_DIRECTORY = 50;
        /// Link counts.
        STANDARD_LINK = 54;
        /// Volume serial and 128-bit file id.
        ID = 59;
        /// Directory entry with 128-bit file id.
        ID_EXTD_DIRECTORY = 60;
        /// Directory entry with 128-bit file id and short name.
        ID_EXTD_BOTH_DIRECTORY = 63;
        /// Delete on close, POSIX semantics.
        DISPOSITION_EX = 64;
        /// Rename, POSIX semantics.
        RENAME_EX = 65;
        /// Storage class.
        DESIRED_STORAGE_CLASS = 67;
        /// Everything about a file.
        STAT = 68;
        /// Everything about a file, with Linux metadata.
        STAT_LX = 70;
        /// Per-directory case sensitivity.
        CASE_SENSITIVE = 71;
        /// Hard link, POSIX semantics.
        LINK_EX = 72;
        /// Directory entry with 64-bit file id and reparse tag.
        ID_64_EXTD_DIRECTORY = 78;
        /// Directory entry with 64-bit file id, reparse tag and short name.
        ID_64_EXTD_BOTH_DIRECTORY = 79;
        /// Directory entry with both file ids and reparse tag.
        ID_ALL_EXTD_DIRECTORY = 80;
        /// Directory entry with both file ids, reparse tag and short name.
        ID_ALL_EXTD_BOTH_DIRECTORY = 81;
        /// POSIX extensions: a file, or a directory entry.
        POSIX = 100;
    }
}

impl FileInfoClass {
    /// Bytes of the fixed part of a QUERY_INFO answer: with less room the request fails with `STATUS_INFO_LENGTH_MISMATCH`
    /// ([MS-FSA] 2.1.5.12). `None` for a class that a file cannot be asked for.
    pub fn min_query(self) -> Option<usize> {
        let size = match self {
            Self::BASIC => BasicInfo::SIZE,
            Self::STANDARD => StandardInfo::SIZE,
            Self::INTERNAL => 8,
            Self::EA | Self::ACCESS | Self::MODE | Self::ALIGNMENT | Self::CASE_SENSITIVE => 4,
            // FileName counts as one unit in the size of the structure, which is then padded.
            Self::NAME | Self::ALTERNATE_NAME | Self::NORMALIZED_NAME => 8,
            Self::POSITION => 8,
            Self::ALL => AllInfo::FIXED.saturating_add(8),
            Self::STREAM => 32,
            Self::FULL_EA => 12,
            Self::PIPE => PipeInfo::SIZE,
            Self::PIPE_LOCAL => PipeLocalInfo::SIZE,
            Self::PIPE_REMOTE => PipeRemoteInfo::SIZE,
            Self::COMPRESSION => CompressionInfo::SIZE,
            Self::NETWORK_OPEN => NetworkOpenInfo::SIZE,
            Self::ATTRIBUTE_TAG => AttributeTagInfo::SIZE,
            Self::HARD_LINK => 8,
            Self::STANDARD_LINK => StandardLinkInfo::SIZE,
            Self::ID => IdInfo::SIZE,
            Self::STAT => StatInfo::SIZE,
            Self::STAT_LX => StatLxInfo::SIZE,
            Self::POSIX => 80,
            _ => return None,
        };
        Some(size)
    }
}

/// Attributes that a client may set through FileBasicInformation or a CREATE.
pub const SETTABLE_ATTRIBUTES: FileAttributes = FileAttributes::from_bits(0x0000_31A7);

open_enum! {
    /// Reparse tag (2.1.2.1).
    pub struct ReparseTag: u32 {
        /// No reparse point.
        NONE = 0;
        /// Mount point or junction.
        MOUNT_POINT = 0xA000_0003;
        /// Symbolic link.
        SYMLINK = 0xA000_000C;
        /// Distributed file system.
        DFS = 0x8000_000A;
        /// NFS special file.
        NFS = 0x8000_0014;
        /// Symbolic link of WSL.
        LX_SYMLINK = 0xA000_001D;
        /// Unix domain socket of WSL.
        AF_UNIX = 0x8000_0023;
        /// FIFO of WSL.
        LX_FIFO = 0x8000_0024;
        /// Character device of WSL.
        LX_CHR = 0x8000_0025;
        /// Block device of WSL.
        LX_BLK = 0x8000_0026;
    }
}

fixed_enum!(u32: ReparseTag);
fixed_enum!(u8: FileInfoClass);

fixed! {
    /// FileBasicInformation. In a SET_INFO the times ask for a [`crate::time::TimeChange`], and attributes of
    /// zero for no change.
    pub struct BasicInfo {
        /// Birth.
        creation: FileTime;
        /// Last access.
        last_access: FileTime;
        /// Last change of data.
        last_write: FileTime;
        /// Last change of anything.
        change: FileTime;
        /// Attributes.
        attributes: FileAttributes, pad 4;
    }

    /// FileStandardInformation.
    pub struct StandardInfo {
        /// Bytes allocated.
        allocation_size: u64;
        /// Bytes to the end of file.
        end_of_file: u64;
        /// Hard links.
        links: u32;
        /// Whether the last close deletes it.
        delete_pending: bool;
        /// Whether it is a directory.
        directory: bool, pad 2;
    }

    /// FileInternalInformation.
    pub struct InternalInfo {
        /// 64-bit file id.
        file_id: u64;
    }

    /// FileEaInformation.
    pub struct EaInfo {
        /// Bytes of all extended attributes.
        ea_size: u32;
    }

    /// FileAccessInformation.
    pub struct AccessInfo {
        /// Access that the handle has.
        access: AccessMask;
    }

    /// FilePositionInformation.
    pub struct PositionInfo {
        /// Current byte offset.
        offset: i64;
    }

    /// FileModeInformation.
    pub struct ModeInfo {
        /// Create options that stay with the handle.
        mode: u32;
    }

    /// FileAlignmentInformation.
    pub struct AlignmentInfo {
        /// Alignment less one.
        alignment: u32;
    }

    /// FileNetworkOpenInformation.
    pub struct NetworkOpenInfo {
        /// Birth.
        creation: FileTime;
        /// Last access.
        last_access: FileTime;
        /// Last change of data.
        last_write: FileTime;
        /// Last change of anything.
        change: FileTime;
        /// Bytes allocated.
        allocation_size: u64;
        /// Bytes to the end of file.
        end_of_file: u64;
        /// Attributes.
        attributes: FileAttributes, pad 4;
    }

    /// FileAttributeTagInformation.
    pub struct AttributeTagInfo {
        /// Attributes.
        attributes: FileAttributes;
        /// Reparse tag, if the attributes say so.
        reparse_tag: ReparseTag;
    }

    /// FileCompressionInformation.
    pub struct CompressionInfo {
        /// Bytes that the compressed file takes.
        compressed_size: u64;
        /// Format; zero for none.
        format: u16;
        /// Binary logarithm of the compression unit.
        unit_shift: u8;
        /// Binary logarithm of a chunk.
        chunk_shift: u8;
        /// Binary logarithm of a cluster.
        cluster_shift: u8, pad 3;
    }

    /// FileStandardLinkInformation.
    pub struct StandardLinkInfo {
        /// Links that can be reached.
        accessible_links: u32;
        /// All links.
        total_links: u32;
        /// Whether the last close deletes it.
        delete_pending: bool;
        /// Whether it is a directory.
        directory: bool, pad 2;
    }

    /// FileIdInformation.
    pub struct IdInfo {
        /// Serial number of the volume.
        volume_serial: u64;
        /// 128-bit file id.
        file_id: [u8; 16];
    }

    /// FileStatInformation.
    pub struct StatInfo {
        /// 64-bit file id.
        file_id: u64;
        /// Birth.
        creation: FileTime;
        /// Last access.
        last_access: FileTime;
        /// Last change of data.
        last_write: FileTime;
        /// Last change of anything.
        change: FileTime;
        /// Bytes allocated.
        allocation_size: u64;
        /// Bytes to the end of file.
        end_of_file: u64;
        /// Attributes.
        attributes: FileAttributes;
        /// Reparse tag, if the attributes say so.
        reparse_tag: ReparseTag;
        /// Hard links.
        links: u32;
        /// Access that the caller would get.
        effective_access: AccessMask;
    }

    /// FileStatLxInformation.
    pub struct StatLxInfo {
        /// The part that FileStatInformation has as well.
        stat: StatInfo;
        /// Which of the following fields are meaningful.
        lx_flags: u32;
        /// Owner.
        lx_uid: u32;
        /// Group.
        lx_gid: u32;
        /// Type and permissions.
        lx_mode: u32;
        /// Device number, major.
        lx_major: u32;
        /// Device number, minor.
        lx_minor: u32;
    }

    /// FileCaseSensitiveInformation.
    pub struct CaseSensitiveInfo {
        /// 1 if names in the directory are case sensitive.
        flags: u32;
    }

    /// FilePipeInformation.
    pub struct PipeInfo {
        /// 1 for message reads.
        read_mode: u32;
        /// 1 if operations do not wait.
        completion_mode: u32;
    }

    /// FilePipeLocalInformation.
    pub struct PipeLocalInfo {
        /// 1 for messages.
        pipe_type: u32;
        /// 0 in, 1 out, 2 both.
        configuration: u32;
        /// Most instances.
        maximum_instances: u32;
        /// Instances there are.
        current_instances: u32;
        /// Bytes that the inbound buffer holds.
        inbound_quota: u32;
        /// Bytes that can be read.
        read_available: u32;
        /// Bytes that the outbound buffer holds.
        outbound_quota: u32;
        /// Bytes that can be written.
        write_available: u32;
        /// 3: connected.
        state: u32;
        /// 0 client, 1 server.
        end: u32;
    }

    /// FilePipeRemoteInformation.
    pub struct PipeRemoteInfo {
        /// Longest time until data is sent.
        collect_time: u64;
        /// Most bytes collected.
        maximum_collection: u32;
    }
}

/// FileNameInformation: also the answer for the alternate and the normalized name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameInfo<'a> {
    /// The name.
    pub name: Text<'a>,
}

impl<'a> NameInfo<'a> {
    /// Reads the structure; a name that the sender cut short is shorter than it says, and malformed here.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        Ok(NameInfo {
            name: take_name(&mut r)?,
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        put_name(w, &self.name)
    }

    /// Appends as much of the structure as `limit` bytes hold. `Ok(false)` says that the name was cut and the status is
    /// `STATUS_BUFFER_OVERFLOW`; its length field tells the whole length all the same.
    ///
    /// # Errors
    ///
    /// `Full` if not even the length fits.
    pub fn write_clipped(&self, w: &mut Writer<'_>, limit: usize) -> Result<bool, Full> {
        let room = limit.min(w.room()).checked_sub(4).ok_or(Full)?;
        let len = self.name.wire_len();
        w.u32(u32::try_from(len).map_err(|_| Full)?)?;
        self.name.write_clipped(w, room)?;
        Ok(len <= room)
    }
}

pub(crate) fn take_name<'a>(r: &mut Reader<'a>) -> Parsed<Text<'a>> {
    let len = usize::try_from(r.u32()?).map_err(|_| crate::wire::Malformed)?;
    Utf16::new(r.take(len)?).map(Text::Wire)
}

pub(crate) fn put_name(w: &mut Writer<'_>, name: &Text<'_>) -> Written {
    let at = w.mark();
    w.u32(0)?;
    let start = w.mark();
    name.write(w)?;
    let len = u32::try_from(w.since(start)).map_err(|_| Full)?;
    w.patch_u32(at, len)
}

/// FileAllInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllInfo<'a> {
    /// Times and attributes.
    pub basic: BasicInfo,
    /// Sizes and links.
    pub standard: StandardInfo,
    /// File id.
    pub internal: InternalInfo,
    /// EA size.
    pub ea: EaInfo,
    /// Access.
    pub access: AccessInfo,
    /// Position.
    pub position: PositionInfo,
    /// Mode.
    pub mode: ModeInfo,
    /// Alignment.
    pub alignment: AlignmentInfo,
    /// Name.
    pub name: NameInfo<'a>,
}

impl<'a> AllInfo<'a> {
    /// Bytes before the name's length.
    pub const FIXED: usize = 96;

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        Ok(AllInfo {
            basic: Fixed::take(&mut r)?,
            standard: Fixed::take(&mut r)?,
            internal: Fixed::take(&mut r)?,
            ea: Fixed::take(&mut r)?,
            access: Fixed::take(&mut r)?,
            position: Fixed::take(&mut r)?,
            mode: Fixed::take(&mut r)?,
            alignment: Fixed::take(&mut r)?,
            name: NameInfo {
                name: take_name(&mut r)?,
            },
        })
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.put_fixed(w)?;
        self.name.write(w)
    }

    /// Appends as much of the structure as `limit` bytes hold; see [`NameInfo::write_clipped`].
    ///
    /// # Errors
    ///
    /// `Full` if not even all but the name fits.
    pub fn write_clipped(&self, w: &mut Writer<'_>, limit: usize) -> Result<bool, Full> {
        self.put_fixed(w)?;
        self.name
            .write_clipped(w, limit.checked_sub(Self::FIXED).ok_or(Full)?)
    }

    fn put_fixed(&self, w: &mut Writer<'_>) -> Written {
        self.basic.put(w)?;
        self.standard.put(w)?;
        self.internal.put(w)?;
        self.ea.put(w)?;
        self.access.put(w)?;
        self.position.put(w)?;
        self.mode.put(w)?;
        self.alignment.put(w)
    }
}

/// An element of FileStreamInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamInfo<'a> {
    /// Bytes of data.
    pub size: u64,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// Name, as `:name:$DATA`.
    pub name: Text<'a>,
}

impl<'a> StreamInfo<'a> {
    /// The elements of a list.
    pub fn list(bytes: &'a [u8]) -> impl Iterator<Item = Parsed<Self>> {
        Entries::new(bytes, 8).map(|entry| {
            let mut r = Reader::new(entry?);
            r.skip(4)?;
            let len = usize::try_from(r.u32()?).map_err(|_| crate::wire::Malformed)?;
            let size = r.u64()?;
            let allocation_size = r.u64()?;
            let name = Text::Wire(Utf16::new(r.take(len)?)?);
            Ok(StreamInfo {
                size,
                allocation_size,
                name,
            })
        })
    }

    /// Appends the element to `list`, which aligns to 8 bytes.
    ///
    /// # Errors
    ///
    /// `Full` if it does not fit; the list is then as it was.
    pub fn write(&self, list: &mut EntryList, w: &mut Writer<'_>) -> Written {
        list.add(w, |w| {
            w.u32(u32::try_from(self.name.wire_len()).map_err(|_| Full)?)?;
            w.u64(self.size)?;
            w.u64(self.allocation_size)?;
            self.name.write(w)
        })
    }
}

/// An element of FileHardLinkInformation: a name by which the file can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkEntry<'a> {
    /// File id of the directory.
    pub parent_id: u64,
    /// The name in it.
    pub name: Text<'a>,
}

impl<'a> LinkEntry<'a> {
    /// The links in a FileHardLinkInformation.
    ///
    /// # Errors
    ///
    /// `Malformed` if the structure itself is too short.
    pub fn list(bytes: &'a [u8]) -> Parsed<impl Iterator<Item = Parsed<Self>>> {
        let mut r = Reader::new(bytes);
        r.skip(8)?;
        Ok(Entries::new(r.rest(), 8).map(|entry| {
            let mut r = Reader::new(entry?);
            r.skip(4)?;
            let parent_id = r.u64()?;
            let units = usize::try_from(r.u32()?).map_err(|_| crate::wire::Malformed)?;
            let name = Utf16::new(r.take(units.saturating_mul(2))?)?;
            Ok(LinkEntry {
                parent_id,
                name: Text::Wire(name),
            })
        }))
    }

    /// Appends a FileHardLinkInformation with as many of `links` as `limit` bytes hold. `Ok(false)` says that not all do and
    /// the status is `STATUS_BUFFER_OVERFLOW`.
    ///
    /// # Errors
    ///
    /// `Full` if not even the structure's head fits.
    pub fn write_list<'l>(
        w: &mut Writer<'_>,
        limit: usize,
        links: impl Iterator<Item = LinkEntry<'l>>,
    ) -> Result<bool, Full> {
        let limit = limit.checked_sub(8).ok_or(Full)?;
        let head = w.mark();
        w.zeros(8)?;
        let mut list = EntryList::new(w, 8, limit);
        let mut needed = 8usize;
        let mut returned = 0u32;
        let mut all = true;
        for link in links {
            let name_len = link.name.wire_len();
            needed = (needed.saturating_add(7) & !7)
                .saturating_add(16)
                .saturating_add(name_len);
            let units = u32::try_from(name_len >> 1).map_err(|_| Full)?;
            all = all
                && list
                    .add(w, |w| {
                        w.u64(link.parent_id)?;
                        w.u32(units)?;
                        link.name.write(w)
                    })
                    .is_ok();
            if all {
                returned = returned.saturating_add(1);
            }
        }
        let [a, b, c, d] = u32::try_from(needed).map_err(|_| Full)?.to_le_bytes();
        let [e, f, g, h] = returned.to_le_bytes();
        w.patch(head, &[a, b, c, d, e, f, g, h])?;
        Ok(all)
    }
}
