// SPDX-License-Identifier: GPL-2.0

//! Directory entries, [MS-FSCC] 2.4, and that of the POSIX extensions: what QUERY_DIRECTORY answers.

use crate::attributes::FileAttributes;
use crate::entries::{Entries, EntryList};
use crate::file_info::{FileInfoClass, ReparseTag};
use crate::layout::Fixed;
use crate::posix::PosixStat;
use crate::time::FileTime;
use crate::unicode::{Text, Utf16};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Bytes of the ShortName field.
const SHORT_NAME: usize = 24;

/// An information class of QUERY_DIRECTORY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirClass {
    /// FileDirectoryInformation.
    Directory,
    /// FileFullDirectoryInformation.
    FullDirectory,
    /// FileBothDirectoryInformation.
    BothDirectory,
    /// FileNamesInformation.
    Names,
    /// FileIdFullDirectoryInformation.
    IdFullDirectory,
    /// FileIdBothDirectoryInformation.
    IdBothDirectory,
    /// FileIdExtdDirectoryInformation.
    IdExtdDirectory,
    /// FileIdExtdBothDirectoryInformation.
    IdExtdBothDirectory,
    /// FileId64ExtdDirectoryInformation.
    Id64ExtdDirectory,
    /// FileId64ExtdBothDirectoryInformation.
    Id64ExtdBothDirectory,
    /// FileIdAllExtdDirectoryInformation.
    IdAllExtdDirectory,
    /// FileIdAllExtdBothDirectoryInformation.
    IdAllExtdBothDirectory,
    /// Find information of the POSIX extensions.
    Posix,
}

/// Which fields a class has between those that all but the names have, and the name.
#[derive(Clone, Copy)]
struct Shape {
    /// EaSize.
    ea_size: bool,
    /// ReparsePointTag in a field of its own.
    tag: bool,
    /// A 64-bit id that stands after the short name, with what precedes it.
    late_id: Option<usize>,
    /// A 64-bit id before the short name.
    early_id: bool,
    /// A 128-bit id before the short name.
    id_128: bool,
    /// The short name, with the reserved bytes after it.
    short_name: Option<usize>,
}

impl DirClass {
    /// The class of a request; `None` for one that no directory can be listed in.
    pub fn from_class(class: FileInfoClass) -> Option<DirClass> {
        Some(match class {
            FileInfoClass::DIRECTORY => DirClass::Directory,
            FileInfoClass::FULL_DIRECTORY => DirClass::FullDirectory,
            FileInfoClass::BOTH_DIRECTORY => DirClass::BothDirectory,
            FileInfoClass::NAMES => DirClass::Names,
            FileInfoClass::ID_FULL_DIRECTORY => DirClass::IdFullDirectory,
            FileInfoClass::ID_BOTH_DIRECTORY => DirClass::IdBothDirectory,
            FileInfoClass::ID_EXTD_DIRECTORY => DirClass::IdExtdDirectory,
            FileInfoClass::ID_EXTD_BOTH_DIRECTORY => DirClass::IdExtdBothDirectory,
            FileInfoClass::ID_64_EXTD_DIRECTORY => DirClass::Id64ExtdDirectory,
            FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY => DirClass::Id64ExtdBothDirectory,
            FileInfoClass::ID_ALL_EXTD_DIRECTORY => DirClass::IdAllExtdDirectory,
            FileInfoClass::ID_ALL_EXTD_BOTH_DIRECTORY => DirClass::IdAllExtdBothDirectory,
            FileInfoClass::POSIX => DirClass::Posix,
            _ => return None,
        })
    }

    /// The number of the class.
    pub fn class(self) -> FileInfoClass {
        match self {
            DirClass::Directory => FileInfoClass::DIRECTORY,
            DirClass::FullDirectory => FileInfoClass::FULL_DIRECTORY,
            DirClass::BothDirectory => FileInfoClass::BOTH_DIRECTORY,
            DirClass::Names => FileInfoClass::NAMES,
            DirClass::IdFullDirectory => FileInfoClass::ID_FULL_DIRECTORY,
            DirClass::IdBothDirectory => FileInfoClass::ID_BOTH_DIRECTORY,
            DirClass::IdExtdDirectory => FileInfoClass::ID_EXTD_DIRECTORY,
            DirClass::IdExtdBothDirectory => FileInfoClass::ID_EXTD_BOTH_DIRECTORY,
            DirClass::Id64ExtdDirectory => FileInfoClass::ID_64_EXTD_DIRECTORY,
            DirClass::Id64ExtdBothDirectory => FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY,
            DirClass::IdAllExtdDirectory => FileInfoClass::ID_ALL_EXTD_DIRECTORY,
            DirClass::IdAllExtdBothDirectory => FileInfoClass::ID_ALL_EXTD_BOTH_DIRECTORY,
            DirClass::Posix => FileInfoClass::POSIX,
        }
    }

    /// Bytes of an entry before its name. An OutputBufferLength below it fails the request with
    /// `STATUS_INFO_LENGTH_MISMATCH`. In the POSIX class, where SIDs of varying size precede the name, the least that
    /// there can be.
    pub fn fixed_size(self) -> usize {
        match self {
            DirClass::Names => 12,
            DirClass::Posix => 108,
            DirClass::Directory => 64,
            DirClass::FullDirectory => 68,
            DirClass::BothDirectory => 94,
            DirClass::IdFullDirectory => 80,
            DirClass::IdBothDirectory => 104,
            DirClass::IdExtdDirectory => 88,
            DirClass::IdExtdBothDirectory => 114,
            DirClass::Id64ExtdDirectory => 80,
            DirClass::Id64ExtdBothDirectory => 106,
            DirClass::IdAllExtdDirectory => 96,
            DirClass::IdAllExtdBothDirectory => 122,
        }
    }

    /// Whether entries of this class tell more than names: whether a stat is needed.
    pub fn needs_stat(self) -> bool {
        self != DirClass::Names
    }

    /// Whether entries carry the extended attributes' size.
    pub fn has_ea_size(self) -> bool {
        !matches!(
            self,
            DirClass::Names | DirClass::Posix | DirClass::Directory
        )
    }

    fn shape(self) -> Shape {
        let plain = Shape {
            ea_size: true,
            tag: false,
            late_id: None,
            early_id: false,
            id_128: false,
            short_name: None,
        };
        let extended = Shape { tag: true, ..plain };
        match self {
            DirClass::Directory | DirClass::Names | DirClass::Posix => Shape {
                ea_size: false,
                ..plain
            },
            DirClass::FullDirectory => plain,
            DirClass::BothDirectory => Shape {
                short_name: Some(0),
                ..plain
            },
            DirClass::IdFullDirectory => Shape {
                late_id: Some(4),
                ..plain
            },
            DirClass::IdBothDirectory => Shape {
                short_name: Some(0),
                late_id: Some(2),
                ..plain
            },
            DirClass::IdExtdDirectory => Shape {
                id_128: true,
                ..extended
            },
            DirClass::IdExtdBothDirectory => Shape {
                id_128: true,
                short_name: Some(0),
                ..extended
            },
            DirClass::Id64ExtdDirectory => Shape {
                early_id: true,
                ..extended
            },
            DirClass::Id64ExtdBothDirectory => Shape {
                early_id: true,
                short_name: Some(0),
                ..extended
            },
            DirClass::IdAllExtdDirectory => Shape {
                early_id: true,
                id_128: true,
                ..extended
            },
            DirClass::IdAllExtdBothDirectory => Shape {
                early_id: true,
                id_128: true,
                short_name: Some(0),
                ..extended
            },
        }
    }
}

/// A directory entry with all that any class tells of it. A class leaves out what it has no field for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirEntry<'a> {
    /// FileIndex; zero where the file system has none to offer.
    pub index: u32,
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
    /// Attributes. With `REPARSE_POINT`, classes without a tag field tell the tag in place of the EA size.
    pub attributes: FileAttributes,
    /// Bytes of the extended attributes.
    pub ea_size: u32,
    /// Reparse tag.
    pub reparse_tag: ReparseTag,
    /// 64-bit file id; in the POSIX class, the inode number.
    pub file_id: u64,
    /// 128-bit file id.
    pub file_id_128: [u8; 16],
    /// 8.3 name, at most 12 characters; mostly empty.
    pub short_name: Text<'a>,
    /// What only the POSIX class tells.
    pub posix: PosixStat,
    /// Name.
    pub name: Text<'a>,
}

impl<'a> DirEntry<'a> {
    /// The entries of a reply's buffer.
    pub fn list(class: DirClass, bytes: &'a [u8]) -> impl Iterator<Item = Parsed<DirEntry<'a>>> {
        Entries::new(bytes, 8).map(move |entry| DirEntry::parse(class, entry?))
    }

    /// Reads one entry, from its NextEntryOffset on.
    fn parse(class: DirClass, bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        r.skip(4)?;
        let mut entry = DirEntry {
            index: r.u32()?,
            ..DirEntry::default()
        };
        if class == DirClass::Names {
            entry.name = crate::file_info::take_name(&mut r)?;
            return Ok(entry);
        }
        entry.take_common(&mut r)?;
        if class == DirClass::Posix {
            entry.take_posix(&mut r)?;
            return Ok(entry);
        }
        let name_len = usize::try_from(r.u32()?).map_err(|_| Malformed)?;
        entry.take_extra(class.shape(), &mut r)?;
        entry.name = Text::Wire(Utf16::new(r.take(name_len)?)?);
        Ok(entry)
    }

    fn take_common(&mut self, r: &mut Reader<'a>) -> Parsed<()> {
        self.creation = Fixed::take(r)?;
        self.last_access = Fixed::take(r)?;
        self.last_write = Fixed::take(r)?;
        self.change = Fixed::take(r)?;
        self.end_of_file = r.u64()?;
        self.allocation_size = r.u64()?;
        self.attributes = Fixed::take(r)?;
        Ok(())
    }

    fn take_posix(&mut self, r: &mut Reader<'a>) -> Parsed<()> {
        self.file_id = r.u64()?;
        let device = r.u32()?;
        r.skip(4)?;
        let links = r.u32()?;
        self.reparse_tag = Fixed::take(r)?;
        let mode = r.u32()?;
        self.posix = PosixStat::take_sids(r, device, links, mode)?;
        self.name = crate::file_info::take_name(r)?;
        Ok(())
    }

    fn take_extra(&mut self, shape: Shape, r: &mut Reader<'a>) -> Parsed<()> {
        if shape.ea_size {
            let value = r.u32()?;
            let is_tag = self.attributes.contains(FileAttributes::REPARSE_POINT) && !shape.tag;
            match is_tag {
                true => self.reparse_tag = ReparseTag(value),
                false => self.ea_size = value,
            }
        }
        if shape.tag {
            self.reparse_tag = Fixed::take(r)?;
        }
        if shape.early_id {
            self.file_id = r.u64()?;
        }
        if shape.id_128 {
            self.file_id_128 = r.array()?;
        }
        if shape.short_name.is_some() {
            let len = usize::from(r.u8()?);
            r.skip(1)?;
            let short = r.take(SHORT_NAME)?;
            self.short_name = Text::Wire(Utf16::new(short.get(..len).ok_or(Malformed)?)?);
        }
        if let Some(reserved) = shape.late_id {
            r.skip(reserved)?;
            self.file_id = r.u64()?;
        }
        Ok(())
    }

    /// Appends all of the entry but its NextEntryOffset.
    fn put(&self, class: DirClass, w: &mut Writer<'_>) -> Written {
        w.u32(self.index)?;
        if class == DirClass::Names {
            return crate::file_info::put_name(w, &self.name);
        }
        self.put_common(w)?;
        if class == DirClass::Posix {
            return self.put_posix(w);
        }
        let name_len = w.mark();
        w.u32(0)?;
        self.put_extra(class.shape(), w)?;
        let name = w.mark();
        self.name.write(w)?;
        w.patch_u32(name_len, u32::try_from(w.since(name)).map_err(|_| Full)?)
    }

    fn put_common(&self, w: &mut Writer<'_>) -> Written {
        self.creation.put(w)?;
        self.last_access.put(w)?;
        self.last_write.put(w)?;
        self.change.put(w)?;
        w.u64(self.end_of_file)?;
        w.u64(self.allocation_size)?;
        self.attributes.put(w)
    }

    fn put_posix(&self, w: &mut Writer<'_>) -> Written {
        w.u64(self.file_id)?;
        w.u32(self.posix.device)?;
        w.u32(0)?;
        w.u32(self.posix.links)?;
        self.reparse_tag.put(w)?;
        w.u32(self.posix.mode)?;
        self.posix.put_sids(w)?;
        crate::file_info::put_name(w, &self.name)
    }

    fn put_extra(&self, shape: Shape, w: &mut Writer<'_>) -> Written {
        if shape.ea_size {
            let is_tag = self.attributes.contains(FileAttributes::REPARSE_POINT) && !shape.tag;
            w.u32(if is_tag {
                self.reparse_tag.0
            } else {
                self.ea_size
            })?;
        }
        if shape.tag {
            self.reparse_tag.put(w)?;
        }
        if shape.early_id {
            w.u64(self.file_id)?;
        }
        if shape.id_128 {
            w.bytes(&self.file_id_128)?;
        }
        if shape.short_name.is_some() {
            let len = self.short_name.wire_len();
            w.u8(u8::try_from(len).map_err(|_| Full)?)?;
            w.u8(0)?;
            let start = w.mark();
            self.short_name.write(w)?;
            w.zeros(SHORT_NAME.checked_sub(w.since(start)).ok_or(Full)?)?;
        }
        if let Some(reserved) = shape.late_id {
            w.zeros(reserved)?;
            w.u64(self.file_id)?;
        }
        Ok(())
    }
}

/// What became of an entry given to an [`EntryWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the reply.
    Added,
    /// The reply is complete without it; the next request begins with it.
    NoRoom,
    /// It is the first, and does not fit: the request fails with `STATUS_INFO_LENGTH_MISMATCH` ([MS-SMB2] 3.3.5.18), and
    /// the next one begins with it.
    FirstTooLarge,
}

/// Fills the buffer of a QUERY_DIRECTORY reply.
#[derive(Clone, Copy, Debug)]
pub struct EntryWriter {
    list: EntryList,
    class: DirClass,
}

impl EntryWriter {
    /// Starts at the end of `w`; the entries take at most `limit` bytes, the request's OutputBufferLength.
    pub fn new(w: &Writer<'_>, class: DirClass, limit: usize) -> Self {
        EntryWriter {
            list: EntryList::new(w, 8, limit),
            class,
        }
    }

    /// Appends an entry, links the one before to it, and tells whether that worked. Where it did not, `w` is as it was.
    pub fn push(&mut self, w: &mut Writer<'_>, entry: &DirEntry<'_>) -> Pushed {
        let class = self.class;
        match (
            self.list.add(w, |w| entry.put(class, w)),
            self.list.is_empty(),
        ) {
            (Ok(()), _) => Pushed::Added,
            (Err(Full), false) => Pushed::NoRoom,
            (Err(Full), true) => Pushed::FirstTooLarge,
        }
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes of all entries.
    pub fn len(&self, w: &Writer<'_>) -> usize {
        self.list.len(w)
    }
}
