// SPDX-License-Identifier: GPL-2.0

//! How an entry that a client calls by some name is spelled: in other letters' cases, or with its long name for the short one.

use core::ops::ControlFlow;

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::dir::{DirEntry, DirPos};
use linux::file::{Access, File};
use linux::path::{EntryName, Path};
use linux::stat::Mask;
use smb_model::sought::Sought;
use smb_proto::status::NtStatus;

use super::errors::status_of;
use super::name_index::Building;
use super::Share;

/// How the entry of `parent` is spelled that clients call `name`, if there is one. Who may not list a directory finds in it only
/// what he can spell.
pub(super) fn spelling(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<EntryName>, NtStatus> {
    let sought = Sought::new(name);
    let building = if sought.may_be_short() {
        // Short names are in no index.
        None
    } else {
        if let Some(answer) = share.names().ask(parent, name) {
            return match parent.may(scope, Mask::READ) {
                Ok(()) => Ok(answer),
                Err(e) if e == EACCES => Ok(None),
                Err(e) => Err(status_of(e)),
            };
        }
        share.names().begin(scope, parent)
    };
    match File::open(scope, parent, Access::READ) {
        Ok(directory) => search(scope, parent, directory, &sought, building),
        Err(e) if e == EACCES => Ok(None),
        Err(e) => Err(status_of(e)),
    }
}

/// Looks for the entry among all. If an index is to be made of them, all are read even if it is found.
fn search(
    scope: &CredScope<'_>,
    parent: &Path,
    mut directory: File,
    sought: &Sought<'_>,
    mut building: Option<Building>,
) -> Result<Option<EntryName>, NtStatus> {
    let mut found = None;
    directory
        .read_dir(scope, DirPos::START, &mut |entry: DirEntry<'_>| {
            if found.is_none() && sought.is_of(entry.name) {
                found = EntryName::of(entry.name).ok();
            }
            if !entry.is_dot()
                && building
                    .as_mut()
                    .is_some_and(|b| b.add(entry.name).is_err())
            {
                building = None;
            }
            if found.is_some() && building.is_none() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .map_err(status_of)?;
    if let Some(building) = building {
        building.finish(parent);
    }
    Ok(found)
}
