// SPDX-License-Identifier: GPL-2.0

//! FileBasicInformation, [MS-FSCC] 2.4.7 and [MS-FSA] 2.1.5.15.2.

use linux::cred::CredScope;
use linux::stat::{Changes, Timestamp};
use smb_model::access::required;
use smb_model::attributes::{set_basic, Attributes};
use smb_proto::file_info::BasicInfo;
use smb_proto::status::NtStatus;
use smb_proto::time::{FileTime, TimeChange};

use crate::files::attributes;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;

use super::Target;

/// Sets times and attributes.
pub(super) fn set(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    file: &OpenedFile,
    info: &BasicInfo,
) -> Result<(), NtStatus> {
    target.require(required::SET_ATTRIBUTES)?;
    let time = |time: FileTime| time.change().map_err(|_| NtStatus::INVALID_PARAMETER);
    let created = time(info.creation)?;
    let accessed = time(info.last_access)?;
    let modified = time(info.last_write)?;
    let changed = time(info.change)?;
    let requested = Attributes(info.attributes.bits());
    let dos = set_basic(requested, file.is_directory())?;
    let created = match created {
        TimeChange::Set(time) => Some(time),
        _ => None,
    };
    let before = file.path.attributes(scope).map_err(status_of)?;
    if dos.is_some() || created.is_some() {
        attributes::store(scope, target.tree, &file.path, dos, created)?;
    }
    let changes = Changes {
        accessed: timestamp(accessed),
        modified: timestamp(modified),
        changed: timestamp(changed),
        ..Changes::default()
    };
    file.path.change(scope, changes).map_err(status_of)?;
    file.freeze_modified(frozen(modified).or(frozen(changed)));
    file.freeze_accessed(frozen(accessed));
    if changes.changed.is_none() {
        // A time that the client does not set stays, that of the change by this very request included.
        let kept = Changes {
            changed: Some(before.changed),
            ..Changes::default()
        };
        let _ = file.path.change(scope, kept);
    }
    Ok(())
}

/// Whether what is done through the open leaves the time alone from now on; `None` if that stays as it is.
fn frozen(change: TimeChange) -> Option<bool> {
    match change {
        TimeChange::Freeze => Some(true),
        TimeChange::Thaw => Some(false),
        TimeChange::Keep | TimeChange::Set(_) => None,
    }
}

fn timestamp(change: TimeChange) -> Option<Timestamp> {
    let TimeChange::Set(time) = change else {
        return None;
    };
    let (seconds, nanoseconds) = time.to_unix();
    Some(Timestamp {
        seconds,
        nanoseconds,
    })
}
