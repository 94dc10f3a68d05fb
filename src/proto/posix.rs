// SPDX-License-Identifier: GPL-2.0

//! The SMB 3.1.1 POSIX extensions ("SMB3 POSIX Extensions", draft): the negotiate and create contexts, and what is known of
//! a file. The file system level is [`crate::fs_info::PosixFsInfo`], the directory level [`crate::directory`].

use crate::attributes::FileAttributes;
use crate::file_info::ReparseTag;
use crate::layout::Fixed;
use crate::security::Sid;
use crate::time::FileTime;
use crate::wire::{Parsed, Reader, Writer, Written};

/// Type of the negotiate context.
pub const NEGOTIATE_CONTEXT: u16 = 0x0100;

/// Data of the negotiate context, and name of the create context.
pub const CONTEXT_TAG: [u8; 16] = [
    0x93, 0xAD, 0x25, 0x50, 0x9C, 0xB4, 0x11, 0xE7, 0xB4, 0x23, 0x83, 0xDE, 0x96, 0x8B, 0xCD, 0x7C,
];

/// Data of the create context in a request: the mode for a file that is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreateMode {
    /// Permission bits, with set-id and sticky.
    pub mode: u32,
}

impl CreateMode {
    /// Reads the data.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(data: &[u8]) -> Parsed<Self> {
        Ok(CreateMode {
            mode: Reader::new(data).u32()?,
        })
    }

    /// Appends the data.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u32(self.mode)
    }
}

/// Data of the create context in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateReply {
    /// Hard links.
    pub links: u32,
    /// Reparse tag.
    pub reparse_tag: ReparseTag,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: Sid,
    /// Group.
    pub group: Sid,
}

impl CreateReply {
    /// Reads the data.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(data: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(data);
        Ok(CreateReply {
            links: r.u32()?,
            reparse_tag: Fixed::take(&mut r)?,
            mode: r.u32()?,
            owner: Sid::take(&mut r)?,
            group: Sid::take(&mut r)?,
        })
    }

    /// Appends the data.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u32(self.links)?;
        self.reparse_tag.put(w)?;
        w.u32(self.mode)?;
        self.owner.write(w)?;
        self.group.write(w)
    }
}

/// The mode as it is sent: set-id, sticky and permission bits of `st_mode`, and above them the kind of file in numbers of the
/// extensions' own. A kind that they do not know goes as an ordinary file.
pub fn mode_on_wire(st_mode: u32) -> u32 {
    let kind = match st_mode >> 12 {
        0o04 => 1, // A directory.
        0o12 => 2, // A symbolic link.
        0o02 => 3, // A character device.
        0o06 => 4, // A block device.
        0o01 => 5, // A named pipe.
        0o14 => 6, // A socket.
        _ => 0,
    };
    (st_mode & 0o7777) | (kind << 12)
}

/// What the POSIX levels tell beyond the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PosixStat {
    /// Device id of the file system.
    pub device: u32,
    /// Hard links.
    pub links: u32,
    /// Kind of file and permission bits, as [`mode_on_wire`] puts them together.
    pub mode: u32,
    /// Owner.
    pub owner: Sid,
    /// Group.
    pub group: Sid,
}

impl PosixStat {
    pub(crate) fn take_sids(
        r: &mut Reader<'_>,
        device: u32,
        links: u32,
        mode: u32,
    ) -> Parsed<Self> {
        let owner = Sid::take(r)?;
        let group = Sid::take(r)?;
        Ok(PosixStat {
            device,
            links,
            mode,
            owner,
            group,
        })
    }

    pub(crate) fn put_sids(&self, w: &mut Writer<'_>) -> Written {
        self.owner.write(w)?;
        self.group.write(w)
    }
}

impl Default for PosixStat {
    fn default() -> Self {
        PosixStat {
            device: 0,
            links: 0,
            mode: 0,
            owner: Sid::NULL,
            group: Sid::NULL,
        }
    }
}

/// Answer of QUERY_INFO for [`crate::file_info::FileInfoClass::POSIX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PosixFileInfo {
    /// Birth.
    pub creation: FileTime,
    /// Last access.
    pub last_access: FileTime,
    /// Last change of data.
    pub last_write: FileTime,
    /// Last change of anything.
    pub change: FileTime,
    /// Bytes to the end of file.
    pub end_of_file: u64,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// Attributes.
    pub attributes: FileAttributes,
    /// Inode number.
    pub inode: u64,
    /// Reparse tag.
    pub reparse_tag: ReparseTag,
    /// The rest.
    pub stat: PosixStat,
}

impl PosixFileInfo {
    /// Bytes before the two SIDs.
    pub const FIXED: usize = 80;

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let mut info = PosixFileInfo {
            creation: Fixed::take(&mut r)?,
            last_access: Fixed::take(&mut r)?,
            last_write: Fixed::take(&mut r)?,
            change: Fixed::take(&mut r)?,
            end_of_file: r.u64()?,
            allocation_size: r.u64()?,
            attributes: Fixed::take(&mut r)?,
            inode: r.u64()?,
            ..PosixFileInfo::default()
        };
        let device = r.u32()?;
        r.skip(4)?;
        let links = r.u32()?;
        info.reparse_tag = Fixed::take(&mut r)?;
        let mode = r.u32()?;
        info.stat = PosixStat::take_sids(&mut r, device, links, mode)?;
        Ok(info)
    }

    /// Appends the structure.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.creation.put(w)?;
        self.last_access.put(w)?;
        self.last_write.put(w)?;
        self.change.put(w)?;
        w.u64(self.end_of_file)?;
        w.u64(self.allocation_size)?;
        self.attributes.put(w)?;
        w.u64(self.inode)?;
        w.u32(self.stat.device)?;
        w.u32(0)?;
        w.u32(self.stat.links)?;
        self.reparse_tag.put(w)?;
        w.u32(self.stat.mode)?;
        self.stat.put_sids(w)
    }
}
