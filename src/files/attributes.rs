// SPDX-License-Identifier: GPL-2.0

//! The attributes of a file as SMB knows them: times, sizes, DOS attributes. [MS-FSCC] 2.6.
//!
//! What Linux has no place for is kept in the extended attribute `user.DOSATTRIB`, if the share says so.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::path::Path;
use linux::stat::{Attributes as Stat, Changes, Timestamp};
use linux::xattr::XattrSet;
use smb_model::attributes::{derived, shown, Attributes, Derivation, Facts};
use smb_proto::dos_info::{DosInfo, MAX_LEN, WRITTEN_LEN};
use smb_proto::posix::{mode_on_wire, PosixStat};
use smb_proto::security::Sid;
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::wire::Writer;

use super::errors::status_of;
use super::Tree;

/// Where DOS attributes and the time of creation are kept, in the form of Samba.
const KEPT_IN: &CStr = c"user.DOSATTRIB";
/// Unit in which a file's space is told, bytes.
const BLOCK: u64 = 512;
/// The type of a file in its mode, and that of a regular one.
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;

/// A file's attributes at one moment.
#[derive(Clone, Copy)]
pub(crate) struct FileAttributes {
    pub(crate) stat: Stat,
    /// As clients are shown them.
    pub(crate) dos: Attributes,
    /// The same without what follows from the name alone.
    pub(crate) own: Attributes,
    pub(crate) created: FileTime,
}

/// A time as SMB writes it.
pub(crate) fn file_time(time: Timestamp) -> FileTime {
    FileTime::from_unix(time.seconds, time.nanoseconds)
}

impl FileAttributes {
    /// Reads the attributes of the file at `path`.
    pub(crate) fn read(scope: &CredScope<'_>, tree: &Tree, path: &Path) -> Result<Self, NtStatus> {
        Self::read_spelled(scope, tree, path, || path.is_spelled_with_dot())
    }

    /// As [`Self::read`], for a caller that knows the entry's name.
    pub(crate) fn read_named(
        scope: &CredScope<'_>,
        tree: &Tree,
        path: &Path,
        name: &[u8],
    ) -> Result<Self, NtStatus> {
        Self::read_spelled(scope, tree, path, || is_dot_file(name))
    }

    fn read_spelled(
        scope: &CredScope<'_>,
        tree: &Tree,
        path: &Path,
        is_dot_file: impl FnOnce() -> bool,
    ) -> Result<Self, NtStatus> {
        let stat = path.attributes(scope).map_err(status_of)?;
        let kept = kept(scope, tree, path);
        let stored = kept
            .attributes
            .map_or_else(|| assumed(tree, &stat), Attributes);
        let is_hidden = tree.share.hides_dot_files() && is_dot_file();
        let facts = Facts {
            directory: stat.is_dir(),
            sparse: stored.contains(Attributes::SPARSE_FILE),
            compressed: stat.is_compressed(),
            encrypted: stat.is_encrypted(),
            ..Facts::default()
        };
        let own = shown(stored, facts);
        let dos = if is_hidden {
            shown(stored.union(Attributes::HIDDEN), facts)
        } else {
            own
        };
        Ok(FileAttributes {
            stat,
            dos,
            own,
            created: kept.creation.unwrap_or_else(|| birth(&stat)),
        })
    }

    pub(crate) fn accessed(&self) -> FileTime {
        file_time(self.stat.accessed)
    }

    pub(crate) fn modified(&self) -> FileTime {
        file_time(self.stat.modified)
    }

    pub(crate) fn changed(&self) -> FileTime {
        file_time(self.stat.changed)
    }

    /// What the POSIX levels tell beyond the others.
    pub(crate) fn posix(&self) -> PosixStat {
        let stat = &self.stat;
        PosixStat {
            device: stat.device,
            links: stat.links,
            mode: mode_on_wire(u32::from(stat.mode)),
            owner: Sid::unix_user(stat.uid),
            group: Sid::unix_group(stat.gid),
        }
    }

    /// Length in bytes; zero for directories, as Windows tells.
    pub(crate) fn end_of_file(&self) -> u64 {
        if self.stat.is_dir() {
            0
        } else {
            self.stat.size
        }
    }

    /// The same for a stream of the file with `size` bytes of data: never a directory.
    pub(crate) fn of_stream(mut self, size: u64) -> Self {
        self.stat.mode = self.stat.mode & !S_IFMT | S_IFREG;
        self.stat.size = size;
        self.stat.blocks = size.div_ceil(BLOCK);
        self.dos = self.dos.without(Attributes::DIRECTORY);
        if self.dos == Attributes(0) {
            self.dos = Attributes::NORMAL;
        }
        self
    }

    /// Space on disk in bytes; zero for directories.
    pub(crate) fn allocation(&self) -> u64 {
        if self.stat.is_dir() {
            0
        } else {
            self.stat.blocks.saturating_mul(BLOCK)
        }
    }
}

/// What is kept of the file in an extended attribute, if the share keeps any such thing and the user may read it.
fn kept(scope: &CredScope<'_>, tree: &Tree, path: &Path) -> DosInfo {
    if !tree.share.stores_dos_attributes() {
        return DosInfo::default();
    }
    let mut buffer = [0; MAX_LEN];
    match path.xattr(scope, KEPT_IN, &mut buffer) {
        Ok(Some(value)) => DosInfo::parse(value).unwrap_or_default(),
        _ => DosInfo::default(),
    }
}

/// The attributes of a file for which none are kept.
fn assumed(tree: &Tree, stat: &Stat) -> Attributes {
    let rules = Derivation {
        archive: false,
        system: false,
        hidden: false,
        hide_dot_files: false,
        // Where attributes are kept, the mode does not stand for them.
        read_only: !tree.share.stores_dos_attributes(),
    };
    let derived = derived(u32::from(stat.permissions()), "", stat.is_dir(), rules);
    if stat.is_dir() {
        derived
    } else {
        // Nobody has archived it, as far as is known.
        derived.union(Attributes::ARCHIVE)
    }
}

fn is_dot_file(name: &[u8]) -> bool {
    name.first() == Some(&b'.') && name != b"." && name != b".."
}

/// When a file was made, as far as the file system knows: without a birth time, the oldest of the others, since a file is
/// not younger than its content.
fn birth(stat: &Stat) -> FileTime {
    if let Some(created) = stat.created {
        return file_time(created);
    }
    let times = [stat.accessed, stat.modified, stat.changed].map(file_time);
    times
        .into_iter()
        .min_by_key(|time| time.0)
        .unwrap_or(FileTime(0))
}

/// Keeps what a client set: attributes and the time of creation. Where the share keeps none, read-only becomes a matter of
/// permissions, and the rest is lost, as on any file system that has no place for it.
///
/// # Errors
///
/// `STATUS_ACCESS_DENIED` and others of the file system.
pub(crate) fn store(
    scope: &CredScope<'_>,
    tree: &Tree,
    path: &Path,
    dos: Option<Attributes>,
    created: Option<FileTime>,
) -> Result<(), NtStatus> {
    let stat = path.attributes(scope).map_err(status_of)?;
    if !tree.share.stores_dos_attributes() {
        return match dos {
            Some(dos) => set_read_only(scope, path, &stat, dos.contains(Attributes::READONLY)),
            None => Ok(()),
        };
    }
    let old = kept(scope, tree, path);
    let old_attributes = old
        .attributes
        .map_or_else(|| assumed(tree, &stat), Attributes);
    let sparse = old_attributes.intersection(Attributes::SPARSE_FILE);
    let attributes = dos.map_or(old_attributes, |dos| dos.union(sparse));
    let created = created.or(old.creation).unwrap_or_else(|| birth(&stat));
    write(scope, path, attributes, created)
}

/// Keeps the attributes of a file that was just made or emptied. A file system that cannot is no failure: then they are
/// what they are assumed to be.
pub(crate) fn store_new(scope: &CredScope<'_>, tree: &Tree, path: &Path, requested: Attributes) {
    let Ok(stat) = path.attributes(scope) else {
        return;
    };
    let new = requested.for_new(stat.is_dir());
    if tree.share.stores_dos_attributes() {
        let created = kept(scope, tree, path)
            .creation
            .unwrap_or_else(|| birth(&stat));
        let _ = write(scope, path, new, created);
    } else if new.contains(Attributes::READONLY) {
        let _ = set_read_only(scope, path, &stat, true);
    }
}

/// Says whether the file is sparse, which a client decides like the attributes ([MS-FSCC] 2.3.64).
pub(crate) fn store_sparse(
    scope: &CredScope<'_>,
    tree: &Tree,
    path: &Path,
    sparse: bool,
) -> Result<(), NtStatus> {
    if !tree.share.stores_dos_attributes() {
        return Ok(());
    }
    let stat = path.attributes(scope).map_err(status_of)?;
    let old = kept(scope, tree, path);
    let attributes = old
        .attributes
        .map_or_else(|| assumed(tree, &stat), Attributes);
    let attributes = if sparse {
        attributes.union(Attributes::SPARSE_FILE)
    } else {
        attributes.without(Attributes::SPARSE_FILE)
    };
    write(
        scope,
        path,
        attributes,
        old.creation.unwrap_or_else(|| birth(&stat)),
    )
}

fn write(
    scope: &CredScope<'_>,
    path: &Path,
    attributes: Attributes,
    created: FileTime,
) -> Result<(), NtStatus> {
    let info = DosInfo {
        attributes: Some(attributes.0),
        creation: Some(created),
    };
    let mut value = [0; WRITTEN_LEN];
    info.write(&mut Writer::new(&mut value))
        .map_err(|_| NtStatus::INTERNAL_ERROR)?;
    path.set_xattr(scope, KEPT_IN, &value, XattrSet::Any)
        .map_err(status_of)
}

/// Takes the permission to write away from everybody, or gives it back to the owner.
fn set_read_only(
    scope: &CredScope<'_>,
    path: &Path,
    stat: &Stat,
    read_only: bool,
) -> Result<(), NtStatus> {
    let old = stat.permissions();
    let new = if read_only {
        old & !0o222
    } else if old & 0o222 == 0 {
        old | 0o200
    } else {
        old
    };
    if new == old {
        return Ok(());
    }
    let changes = Changes {
        permissions: Some(new),
        ..Changes::default()
    };
    path.change(scope, changes).map_err(status_of)
}
