// SPDX-License-Identifier: GPL-2.0

//! A new name in the place of an entry that has it: [MS-FSA] 2.1.5.15.11 and 2.1.5.15.6 with ReplaceIfExists.
//!
//! What was there goes only when the new name is there: the kernel exchanges them in one step, or the new name is made beside it
//! first. Whoever is refused finds everything as it was.

use kernel::prelude::*;
use kernel::str::CString;

use linux::cred::CredScope;
use linux::dir::Replace;
use linux::entries::Observer;
use linux::name::Name;
use linux::path::{EntryName, Path};
use smb_proto::status::NtStatus;

use crate::files::errors::status_of;

/// The directory that a new name is in.
pub(super) struct Directory<'a> {
    pub(super) scope: &'a CredScope<'a>,
    /// Is told of all names that come and go.
    pub(super) observer: &'a dyn Observer,
    /// Of the share.
    pub(super) root: &'a Path,
    pub(super) path: &'a Path,
}

impl Directory<'_> {
    /// Moves `file` to the name `to`.
    pub(super) fn take(&self, file: &Path, to: &[u8], replace: Replace) -> Result<(), NtStatus> {
        let to = Name::new(to).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
        file.rename(self.scope, self.observer, self.root, self.path, to, replace)
            .map_err(moving_status)
    }

    /// Gives `file` the name `name` as well.
    pub(super) fn link(&self, file: &Path, name: &[u8]) -> Result<Path, NtStatus> {
        let name = Name::new(name).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
        self.path
            .create_link(self.scope, self.observer, name, file)
            .map_err(moving_status)
    }

    /// Moves `file` over `existing`, which is spelled as `name` or in another case.
    pub(super) fn take_over(
        &self,
        file: &Path,
        existing: &Path,
        name: &[u8],
    ) -> Result<(), NtStatus> {
        if existing.inode_key() == file.inode_key() {
            return self.take_over_own(file, existing, name);
        }
        self.take(file, spelling(existing)?.as_bytes(), Replace::Allowed)?;
        // It has the name. That it is spelled otherwise is no reason to say that it has not.
        let _ = self.spell(file, name);
        Ok(())
    }

    /// Moves `file` to a name that another name of the same file has, which the kernel would leave as they are.
    fn take_over_own(&self, file: &Path, existing: &Path, name: &[u8]) -> Result<(), NtStatus> {
        self.require_removable(file)?;
        let holder = file.parent(self.root).ok_or(NtStatus::ACCESS_DENIED)?;
        let before = spelling(file)?;
        self.take(file, aside()?.to_bytes(), Replace::Never)?;
        let done = match existing.remove(self.scope, self.observer, self.root) {
            Ok(()) => self.take(file, name, Replace::Never),
            Err(error) => Err(moving_status(error)),
        };
        if done.is_err() {
            let back = Directory {
                path: &holder,
                ..*self
            };
            let _ = back.take(file, before.as_bytes(), Replace::Never);
        }
        done
    }

    /// Gives `file` the name of `existing`, which is spelled as `name` or in another case, and gives the new name.
    pub(super) fn link_over(
        &self,
        file: &Path,
        existing: &Path,
        name: &[u8],
    ) -> Result<Path, NtStatus> {
        if existing.inode_key() == file.inode_key() {
            self.spell(existing, name)?;
            return Ok(existing.clone());
        }
        self.require_removable(file)?;
        let link = self.link(file, aside()?.to_bytes())?;
        if let Err(status) = self.take(&link, spelling(existing)?.as_bytes(), Replace::Allowed) {
            let _ = link.remove(self.scope, self.observer, self.root);
            return Err(status);
        }
        let _ = self.spell(&link, name);
        Ok(link)
    }

    /// Spells the name of an entry of the directory as `name`.
    fn spell(&self, entry: &Path, name: &[u8]) -> Result<(), NtStatus> {
        if is_spelled(entry, name)? {
            return Ok(());
        }
        self.take(entry, name, Replace::Allowed)
    }

    /// Checks that a name of `file` that is in the directory for the time being can be taken away again.
    fn require_removable(&self, file: &Path) -> Result<(), NtStatus> {
        if self.path.keeps_names_of(self.scope, file) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }
}

/// A name that nobody has.
fn aside() -> Result<CString, NtStatus> {
    CString::try_from_fmt(fmt!(".smb{:016x}", linux::random::u64()))
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
}

/// How the entry is spelled.
fn spelling(path: &Path) -> Result<EntryName, NtStatus> {
    let mut spelled = EntryName::default();
    path.name(&mut spelled).map_err(status_of)?;
    Ok(spelled)
}

/// Whether the entry is spelled exactly so.
pub(super) fn is_spelled(path: &Path, name: &[u8]) -> Result<bool, NtStatus> {
    Ok(spelling(path)?.as_bytes() == name)
}

/// What an error of moving or linking means.
fn moving_status(error: Error) -> NtStatus {
    match error {
        // The root, a mount point, a directory into itself.
        e if e == EBUSY || e == EINVAL => NtStatus::ACCESS_DENIED,
        e if e == ENOTEMPTY || e == EISDIR || e == ENOTDIR => NtStatus::ACCESS_DENIED,
        e => status_of(e),
    }
}
