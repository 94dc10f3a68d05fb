// SPDX-License-Identifier: GPL-2.0

//! FileDispositionInformation and its extended form, [MS-FSA] 2.1.5.15.3 and [MS-FSCC] 2.4.12.

use linux::cred::CredScope;
use smb_model::access::required;
use smb_model::attributes::Attributes;
use smb_model::lease::Trigger;
use smb_proto::file_set::DispositionFlags;
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;

use super::{Halt, Target};

/// Marks the file for deletion by its last close, or takes the mark back.
pub(super) fn set(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    delete: bool,
) -> Result<(), Halt> {
    target.require(required::DELETE)?;
    if delete {
        check(target, scope, file, true)?;
        target.disturb(file, Trigger::Move)?;
    }
    file.set_posix_delete(false);
    mark(target, file, delete);
    Ok(())
}

/// As [`set`], with flags.
pub(super) fn set_ex(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    flags: DispositionFlags,
) -> Result<(), Halt> {
    target.require(required::DELETE)?;
    if !flags.unknown().is_empty() {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let delete = flags.contains(DispositionFlags::DELETE);
    if delete {
        let minds = !flags.contains(DispositionFlags::IGNORE_READONLY_ATTRIBUTE);
        check(target, scope, file, minds)?;
        target.disturb(file, Trigger::Move)?;
    }
    if flags.contains(DispositionFlags::ON_CLOSE) {
        // Only an open that was made to delete on close can be told otherwise.
        if delete && !file.deletes_on_close() {
            return Err(NtStatus::NOT_SUPPORTED.into());
        }
        file.set_delete_on_close(delete);
        return Ok(());
    }
    file.set_posix_delete(flags.contains(DispositionFlags::POSIX_SEMANTICS));
    mark(target, file, delete);
    Ok(())
}

fn mark(target: &Target<'_>, file: &OpenedFile, delete: bool) {
    if delete {
        file.admission.mark_deleted(&target.open.tree);
    } else {
        file.admission.unmark_deleted();
    }
}

/// Checks that the file can be deleted.
fn check(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    minds_read_only: bool,
) -> Result<(), NtStatus> {
    let root = target
        .tree
        .share
        .directory()
        .ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    if file.path.is_same(root) || file.path.is_mount_root() {
        return Err(NtStatus::CANNOT_DELETE);
    }
    let attributes = FileAttributes::read(scope, target.tree, &file.path)?;
    if minds_read_only && attributes.dos.contains(Attributes::READONLY) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    if file.is_directory() && !file.path.is_empty_dir(scope).map_err(status_of)? {
        return Err(NtStatus::DIRECTORY_NOT_EMPTY);
    }
    // The close has no way to say that the directory does not let the name go.
    file.path.may_remove(scope, root).map_err(status_of)
}
