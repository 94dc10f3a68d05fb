// SPDX-License-Identifier: GPL-2.0

//! FileRenameInformation and FileLinkInformation with their extended forms, [MS-FSA] 2.1.5.15.11 and 2.1.5.15.6.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::dir::Replace;
use linux::path::Path;
use linux::stat::Changes;
use smb_model::access::required;
use smb_model::attributes::Attributes;
use smb_model::lease::Trigger;
use smb_model::names::{self, Rules};
use smb_proto::change_notify::Action as Event;
use smb_proto::file_set::{NewName, RenameFlags};
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;
use crate::files::lookup::{self, Found};
use crate::files::notify::{self, What};
use crate::files::OpenFiles;
use crate::smb2::text::file_name;

use super::replace::{is_spelled, Directory};
use super::{Halt, Target};

/// Moves the file to a new name in the share.
pub(super) fn rename(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    new: &NewName<'_>,
) -> Result<(), Halt> {
    target.require(required::DELETE)?;
    let root = target
        .tree
        .share
        .directory()
        .ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    if file.path.is_same(root) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    if file.admission.is_delete_pending() {
        return Err(NtStatus::DELETE_PENDING.into());
    }
    let text = file_name(&target.server.buffers, &new.name, file.semantics())?;
    let name = parse(file, &text)?;
    let place = Place::find(target, scope, file, root, &name)?;
    if place.parent.is_same(&file.path) || place.parent.is_beneath(&file.path) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    place.require_free_parent(target)?;
    // Who keeps a handle open only to cache it closes it now, and is not in the way then.
    target.disturb(file, Trigger::Move)?;
    if file.is_directory() {
        clear_beneath(target, file)?;
    }
    let (directory, last) = (place.directory(target, scope, root), place.last.as_bytes());
    let before = file.path.attributes(scope).map_err(status_of)?;
    match &place.existing {
        // The same entry, in another case at most.
        Some(existing) if existing.is_same(&file.path) => {
            if is_spelled(existing, last)? {
                return Ok(());
            }
            directory.take(&file.path, last, Replace::Allowed)?;
        }
        Some(existing) => {
            give_way(target, scope, file, existing, new.flags)?;
            if file.is_directory() {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            let gone = Gone::before(target, root, existing);
            directory.take_over(&file.path, existing, last)?;
            gone.tell();
        }
        None => directory.take(&file.path, last, Replace::Never)?,
    }
    // To clients a new name is no change of the file. Who does not own it cannot have that.
    let changes = Changes {
        changed: Some(before.changed),
        ..Changes::default()
    };
    let _ = file.path.change(scope, changes);
    Ok(())
}

/// Checks that nothing below a directory is open, once those who keep it open only to cache it have closed it.
fn clear_beneath(target: &Target<'_>, file: &OpenedFile) -> Result<(), Halt> {
    let files = &target.server.files;
    let (mut last, mut must_wait) = (None, false);
    while let Some(state) = files.next_beneath(&file.path, last.as_ref()) {
        // All are asked before any is waited for.
        match target.disturb_state(file, &state, Trigger::Move) {
            Err(Halt::Later) => must_wait = true,
            other => other?,
        }
        last = Some(state);
    }
    if must_wait {
        return Err(Halt::Later);
    }
    if files.has_open_beneath(&file.path) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    Ok(())
}

/// Gives the file another name in the share.
pub(super) fn link(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    new: &NewName<'_>,
) -> Result<(), Halt> {
    if file.is_directory() {
        return Err(NtStatus::FILE_IS_A_DIRECTORY.into());
    }
    if file.admission.is_delete_pending() {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    let root = target
        .tree
        .share
        .directory()
        .ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    let text = file_name(&target.server.buffers, &new.name, file.semantics())?;
    let name = parse(file, &text)?;
    let place = Place::find(target, scope, file, root, &name)?;
    let (directory, last) = (place.directory(target, scope, root), place.last.as_bytes());
    let link = match &place.existing {
        Some(existing) if existing.is_same(&file.path) => return Ok(()),
        Some(existing) => {
            place.require_free_parent(target)?;
            give_way(target, scope, file, existing, new.flags)?;
            let gone = Gone::before(target, root, existing);
            let link = directory.link_over(&file.path, existing, last)?;
            gone.tell();
            link
        }
        None => {
            place.require_free_parent(target)?;
            directory.link(&file.path, last)?
        }
    };
    let what = What::entry(Event::ADDED, false);
    notify::changed(&target.server.files, Some(root), &link, what);
    Ok(())
}

/// Checks a new name of `file`.
fn parse<'a>(file: &OpenedFile, text: &'a [u8]) -> Result<names::Path<'a>, NtStatus> {
    let text = core::str::from_utf8(text).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    // Some clients begin at the root of the share explicitly.
    let text = text.strip_prefix('\\').unwrap_or(text);
    let rules = file.semantics().rules();
    if rules == Rules::Windows && text.starts_with(':') {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let name = names::Path::parse(text, rules)?;
    if name.is_root() {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if name.fork() != names::Fork::Whole {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(name)
}

/// Where a new name leads.
struct Place<'a> {
    parent: Path,
    last: &'a str,
    /// What has the name already, in any case of letters unless the file was opened with POSIX semantics.
    existing: Option<Path>,
}

impl<'a> Place<'a> {
    fn find(
        target: &Target<'_>,
        scope: &CredScope<'_>,
        file: &OpenedFile,
        root: &Path,
        name: &names::Path<'a>,
    ) -> Result<Self, NtStatus> {
        let last = name.last();
        match lookup::find(scope, target.tree, name, file.semantics())? {
            Found::Missing(parent) => Ok(Place {
                parent,
                last,
                existing: None,
            }),
            Found::Existing(path) => {
                let parent = path.parent(root).ok_or(NtStatus::ACCESS_DENIED)?;
                Ok(Place {
                    parent,
                    last,
                    existing: Some(path),
                })
            }
        }
    }

    fn directory<'d>(
        &'d self,
        target: &'d Target<'_>,
        scope: &'d CredScope<'_>,
        root: &'d Path,
    ) -> Directory<'d> {
        Directory {
            scope,
            observer: target.tree.share.observer(),
            root,
            path: &self.parent,
        }
    }

    /// Checks that the directory stays, and that nobody has it open in a way that keeps new names out of it.
    fn require_free_parent(&self, target: &Target<'_>) -> Result<(), NtStatus> {
        match target.server.files.find(self.parent.inode_key()) {
            Some(state) if state.is_delete_pending() => Err(NtStatus::DELETE_PENDING),
            Some(state) if state.forbids_new_names() => Err(NtStatus::SHARING_VIOLATION),
            _ => Ok(()),
        }
    }
}

/// An entry that is about to be replaced.
struct Gone<'a> {
    files: &'a OpenFiles,
    root: &'a Path,
    /// Where it is, if somebody watches.
    from: Option<notify::Place>,
}

impl<'a> Gone<'a> {
    fn before(target: &'a Target<'_>, root: &'a Path, existing: &Path) -> Self {
        let files = &target.server.files;
        Gone {
            files,
            root,
            from: notify::Place::of(files, root, existing),
        }
    }

    /// Tells those who watch that it went.
    fn tell(self) {
        if let Some(from) = self.from {
            from.tell(self.files, self.root, What::entry(Event::REMOVED, false));
        }
    }
}

/// Checks that `existing` may give way to `file`, once those who keep it open only to cache it have closed it.
fn give_way(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    existing: &Path,
    flags: RenameFlags,
) -> Result<(), Halt> {
    if !flags.contains(RenameFlags::REPLACE_IF_EXISTS) {
        return Err(NtStatus::OBJECT_NAME_COLLISION.into());
    }
    if existing.is_dir() {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    let attributes = FileAttributes::read(scope, target.tree, existing)?;
    let minds = !flags.contains(RenameFlags::IGNORE_READONLY_ATTRIBUTE);
    if minds && attributes.dos.contains(Attributes::READONLY) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    target.disturb_other(file, existing.inode_key(), Trigger::Move)?;
    let state = target.server.files.find(existing.inode_key());
    match state.filter(|state| state.is_open_as(existing)) {
        // With POSIX semantics those who share it for deletion keep it without a name.
        Some(state) if flags.contains(RenameFlags::POSIX_SEMANTICS) => {
            if state.forbids_delete() {
                Err(NtStatus::SHARING_VIOLATION.into())
            } else {
                Ok(())
            }
        }
        Some(_) => Err(NtStatus::ACCESS_DENIED.into()),
        None => Ok(()),
    }
}
