// SPDX-License-Identifier: GPL-2.0

//! FileEndOfFileInformation and FileAllocationInformation, [MS-FSA] 2.1.5.15.4 and 2.1.5.15.1.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::file::{Allocate, File};
use linux::stat::Changes;
use smb_model::access::required;
use smb_model::lease::Trigger;
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;

use super::{Halt, Target};

/// Cuts or extends the file to `size` bytes.
pub(super) fn set_end(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    size: u64,
) -> Result<(), Halt> {
    let data = data(target, file)?;
    target.disturb(file, Trigger::Write)?;
    Ok(keeping_times(scope, file, || truncate(scope, data, size))?)
}

/// Reserves `size` bytes for the file, or cuts it to them.
pub(super) fn set_allocation(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    size: u64,
) -> Result<(), Halt> {
    let data = data(target, file)?;
    target.disturb(file, Trigger::Write)?;
    if size < data.size() {
        return Ok(keeping_times(scope, file, || truncate(scope, data, size))?);
    }
    let reserved = FileAttributes::read(scope, target.tree, &file.path)?.allocation();
    if size < reserved {
        keeping_times(scope, file, || {
            data.release_beyond_end(scope).map_err(status_of)
        })?;
    }
    if size == 0 {
        return Ok(());
    }
    match data.allocate(scope, Allocate::KeepSize, 0, size) {
        Ok(()) => Ok(()),
        // A reservation is a hint: a file system that has none takes the space when it is written to.
        Err(e) if e == EOPNOTSUPP => Ok(()),
        Err(e) => Err(status_of(e).into()),
    }
}

/// What the file's data goes through, if the open may write it.
fn data<'a>(target: &Target<'_>, file: &'a OpenedFile) -> Result<&'a File, NtStatus> {
    target.require(required::SET_SIZE)?;
    if file.is_directory() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    file.data()
}

/// Does what changes the file's size, and sets the time of the last write back if the client froze it.
fn keeping_times(
    scope: &CredScope<'_>,
    file: &OpenedFile,
    change: impl FnOnce() -> Result<(), NtStatus>,
) -> Result<(), NtStatus> {
    if !file.keeps_modified() {
        return change();
    }
    let before = file.path.attributes(scope).map_err(status_of)?;
    change()?;
    let times = Changes {
        modified: Some(before.modified),
        changed: Some(before.changed),
        ..Changes::default()
    };
    file.path.change(scope, times).map_err(status_of)
}

fn truncate(scope: &CredScope<'_>, file: &File, size: u64) -> Result<(), NtStatus> {
    file.truncate(scope, size).map_err(status_of)
}
