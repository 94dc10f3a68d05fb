// SPDX-License-Identifier: GPL-2.0

//! The attributes of a file as SMB knows them: times, sizes, DOS attributes.

use linux::cred::CredScope;
use linux::path::{EntryName, Path};
use linux::stat::{Attributes as Stat, Changes, Timestamp};
use smb_model::attributes::{derived, shown, Attributes, Derivation, Facts};
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;

use super::errors::status_of;
use super::Tree;

/// Unit in which a file's space is told, bytes.
const BLOCK: u64 = 512;

/// A file's attributes at one moment.
#[derive(Clone, Copy)]
pub(crate) struct FileAttributes {
    pub(crate) stat: Stat,
    pub(crate) dos: Attributes,
    pub(crate) created: FileTime,
}

/// A time as SMB writes it.
pub(crate) fn file_time(time: Timestamp) -> FileTime {
    FileTime::from_unix(time.seconds, time.nanoseconds)
}

impl FileAttributes {
    /// Reads the attributes of the file at `path`.
    pub(crate) fn read(
        scope: &CredScope<'_>,
        tree: &Tree,
        path: &Path,
    ) -> Result<Self, NtStatus> {
        let stat = path.attributes(scope).map_err(status_of)?;
        let mut name = EntryName::default();
        path.name(&mut name).map_err(status_of)?;
        Ok(Self::of(tree, &stat, name.as_bytes()))
    }

    /// The attributes that follow from `stat` and the entry's name.
    pub(crate) fn of(tree: &Tree, stat: &Stat, name: &[u8]) -> Self {
        let rules = Derivation {
            hide_dot_files: tree.share.hides_dot_files(),
            archive: false,
            system: false,
            hidden: false,
            read_only: true,
        };
        let name = core::str::from_utf8(name).unwrap_or("");
        let mut stored = derived(u32::from(stat.permissions()), name, stat.is_dir(), rules);
        if !stat.is_dir() {
            // Nobody has archived it, as far as is known.
            stored = stored.union(Attributes::ARCHIVE);
        }
        let facts = Facts {
            directory: stat.is_dir(),
            compressed: stat.is_compressed(),
            encrypted: stat.is_encrypted(),
            ..Facts::default()
        };
        // Without a birth time, the oldest of the others: a file is not younger than its content.
        let oldest = [stat.accessed, stat.modified, stat.changed].map(file_time);
        let oldest = oldest.into_iter().min_by_key(|time| time.0).unwrap_or(FileTime(0));
        FileAttributes {
            stat: *stat,
            dos: shown(stored, facts),
            created: stat.created.map_or(oldest, file_time),
        }
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

    /// Length in bytes; zero for directories, as Windows tells.
    pub(crate) fn end_of_file(&self) -> u64 {
        if self.stat.is_dir() {
            0
        } else {
            self.stat.size
        }
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

/// Keeps what a client set: attributes and the time of creation.
pub(crate) fn store(
    scope: &CredScope<'_>,
    tree: &Tree,
    path: &Path,
    dos: Option<Attributes>,
    _created: Option<FileTime>,
) -> Result<(), NtStatus> {
    let stat = path.attributes(scope).map_err(status_of)?;
    match dos {
        Some(dos) if !tree.share.stores_dos_attributes() => {
            set_read_only(scope, path, &stat, dos.contains(Attributes::READONLY))
        }
        _ => Ok(()),
    }
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
    let changes = Changes { permissions: Some(new), ..Changes::default() };
    path.change(scope, changes).map_err(status_of)
}
