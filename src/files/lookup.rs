// SPDX-License-Identifier: GPL-2.0

//! From a client's name to a file, beneath the root of the share, in any case of letters.
//!
//! A name in the case in which it is stored costs one walk of the kernel's own path lookup. Only a name that is not found
//! so is looked for in another case.

use kernel::prelude::*;
use kernel::str::CString;

use linux::cred::CredScope;
use linux::name::{Name, RelPath};
use linux::path::{Blocking, Crossing, Path, Symlinks, Walk};
use linux::stat::Mask as May;
use smb_model::{names, wildcard};
use smb_proto::status::NtStatus;

use super::errors::status_of;
use super::file::Semantics;
use super::spelling::spelling;
use super::{Share, Tree};

/// Names that are spelled for the file system without asking for memory: all shorter than this, bytes.
const SHORT: usize = 128;

/// What a name means.
pub(crate) enum Found {
    /// A file or directory.
    Existing(Path),
    /// Nothing, in a directory that exists.
    Missing(Path),
}

/// Looks `name` up.
///
/// # Errors
///
/// `STATUS_OBJECT_PATH_NOT_FOUND` if a directory on the way is missing, `STATUS_OBJECT_NAME_NOT_FOUND` for what the
/// configuration hides, `STATUS_ACCESS_DENIED` and others of the file system.
pub(crate) fn find(
    scope: &CredScope<'_>,
    tree: &Tree,
    name: &names::Path<'_>,
    semantics: Semantics,
) -> Result<Found, NtStatus> {
    let share = &*tree.share;
    let root = share.directory().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    if name.is_root() {
        return Ok(Found::Existing(root.clone()));
    }
    if is_vetoed(share, name) {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    if let Some(path) = walk(scope, share, root, name.as_str())? {
        return Ok(Found::Existing(path));
    }
    let (parent, last) = name.split_last().ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
    let parent = directory(scope, share, root, parent, semantics)?;
    if semantics == Semantics::Windows {
        if let Some(path) = find_folded(scope, share, &parent, last)? {
            return Ok(Found::Existing(path));
        }
    }
    Ok(Found::Missing(parent))
}

/// Looks up one entry of the directory `parent` as it is spelled; `None` also for what clients are not shown: a link that
/// leads nowhere or out of the share, a mount that is not crossed.
pub(crate) fn entry(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    match step(scope, share, parent, name) {
        Err(NtStatus::OBJECT_NAME_NOT_FOUND) => Ok(None),
        other => other,
    }
}

/// Goes from the directory `parent` to one entry of it as it is spelled, and on if that is a link; `None` if there is none,
/// or the link leads nowhere.
///
/// # Errors
///
/// `STATUS_OBJECT_NAME_NOT_FOUND` for what clients are not shown, and those of the file system.
fn step(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    let component = Name::new(name.as_bytes()).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    match parent.lookup(scope, component, crossing(share)) {
        Ok(Some(path)) if path.is_symlink() => follow(scope, share, parent, name),
        Ok(found) => Ok(found),
        Err(e) if e == EXDEV => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
        Err(e) => Err(status_of(e)),
    }
}

/// Follows the link `name` in `parent` wherever in the share it leads: by the way from the root, beneath which it is kept.
fn follow(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    let no_memory = NtStatus::INSUFFICIENT_RESOURCES;
    let root = share.directory().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    let spelled = parent.with_path_below(root, |way| {
        let way = core::str::from_utf8(way).map_err(|_| NtStatus::OBJECT_NAME_NOT_FOUND)?;
        let slash = if way.is_empty() { "" } else { "/" };
        CString::try_from_fmt(fmt!("{way}{slash}{name}")).map_err(|_| no_memory)
    });
    let spelled = spelled.map_err(status_of)??;
    walk_spelled(scope, share, root, &spelled)
}

/// Looks up one entry of the directory `parent` in any case of letters.
pub(crate) fn entry_in_any_case(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    match entry(scope, share, parent, name)? {
        Some(path) => Ok(Some(path)),
        None => find_folded(scope, share, parent, name),
    }
}

/// Whether the configuration hides a component of the name (`veto files`).
fn is_vetoed(share: &Share, name: &names::Path<'_>) -> bool {
    !share.veto.is_empty() && name.components().any(|component| hides(share, component))
}

/// Whether the configuration hides the name of an entry (`veto files`).
pub(crate) fn hides(share: &Share, component: &str) -> bool {
    let patterns = share
        .veto
        .iter()
        .filter_map(|pattern| core::str::from_utf8(pattern).ok());
    wildcard::is_vetoed(patterns, component)
}

/// Whether the user can list the directory `name` below `from`, as it is spelled.
pub(crate) fn may_list(scope: &CredScope<'_>, share: &Share, from: &Path, name: &str) -> bool {
    match walk(scope, share, from, name) {
        Ok(Some(path)) => path.is_dir() && path.may(scope, May::READ).is_ok(),
        _ => false,
    }
}

/// Whether the share does not show the entry `name` below `from` because the user may not read it (`hide unreadable`).
pub(crate) fn is_unreadable(scope: &CredScope<'_>, share: &Share, from: &Path, name: &str) -> bool {
    share.hides_unreadable()
        && match walk(scope, share, from, name) {
            Ok(found) => found.is_some_and(|path| path.may(scope, May::READ).is_err()),
            Err(_) => true,
        }
}

/// The directory `name` below `root`.
fn directory(
    scope: &CredScope<'_>,
    share: &Share,
    root: &Path,
    name: &str,
    semantics: Semantics,
) -> Result<Path, NtStatus> {
    if name.is_empty() {
        return Ok(root.clone());
    }
    let path = match walk(scope, share, root, name)? {
        Some(path) => path,
        None if semantics == Semantics::Posix => return Err(NtStatus::OBJECT_PATH_NOT_FOUND),
        None => walk_folded(scope, share, root, name)?,
    };
    if path.is_dir() {
        Ok(path)
    } else {
        Err(NtStatus::OBJECT_PATH_NOT_FOUND)
    }
}

/// Looks a name of several components up as it is spelled; `None` if it does not exist so.
fn walk(
    scope: &CredScope<'_>,
    share: &Share,
    root: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    let room = name.len().saturating_add(1);
    let mut short = [0; SHORT];
    let mut long;
    let spelled = match short.get_mut(..room) {
        Some(short) => short,
        None => {
            long = KVec::from_elem(0, room, GFP_KERNEL)
                .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
            &mut long
        }
    };
    for (to, from) in spelled.iter_mut().zip(name.bytes()) {
        *to = if from == names::SEPARATOR { b'/' } else { from };
    }
    let spelled = CStr::from_bytes_with_nul(spelled).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    walk_spelled(scope, share, root, spelled)
}

/// As [`walk`], for a name as the file system spells it.
fn walk_spelled(
    scope: &CredScope<'_>,
    share: &Share,
    root: &Path,
    spelled: &CStr,
) -> Result<Option<Path>, NtStatus> {
    let manner = Walk {
        crossing: crossing(share),
        symlinks: if share.follows_symlinks() {
            Symlinks::Confined
        } else {
            Symlinks::Refused
        },
        blocking: Blocking::Allowed,
    };
    let relative = RelPath::new(spelled).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    match root.lookup_beneath(scope, relative, manner) {
        Ok(path) => Ok(Some(path)),
        Err(e) if e == ENOENT || e == ENOTDIR => Ok(None),
        // A link that leaves the share, or any link where none is followed, does not exist for clients.
        Err(e) if e == ELOOP || e == EXDEV => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
        Err(e) => Err(status_of(e)),
    }
}

fn crossing(share: &Share) -> Crossing {
    if share.crosses_mounts() {
        Crossing::Allowed
    } else {
        Crossing::Refused
    }
}

/// Looks a directory up component by component, each in any case.
fn walk_folded(
    scope: &CredScope<'_>,
    share: &Share,
    root: &Path,
    name: &str,
) -> Result<Path, NtStatus> {
    let mut at = root.clone();
    for component in name.split(char::from(names::SEPARATOR)) {
        if !at.is_dir() {
            return Err(NtStatus::OBJECT_PATH_NOT_FOUND);
        }
        at = match step(scope, share, &at, component)? {
            Some(path) => path,
            None => {
                find_folded(scope, share, &at, component)?.ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?
            }
        };
    }
    Ok(at)
}

/// Looks for an entry of `parent` that differs from `name` in the case of letters only.
fn find_folded(
    scope: &CredScope<'_>,
    share: &Share,
    parent: &Path,
    name: &str,
) -> Result<Option<Path>, NtStatus> {
    let Some(spelled) = spelling(scope, share, parent, name)? else {
        return Ok(None);
    };
    let spelled = core::str::from_utf8(spelled.as_bytes());
    let spelled = spelled.map_err(|_| NtStatus::OBJECT_NAME_NOT_FOUND)?;
    step(scope, share, parent, spelled)
}

/// The last component of a client's name, as the name of an entry to be made.
pub(crate) fn last_component<'a>(name: &names::Path<'a>) -> Result<Name<'a>, NtStatus> {
    Name::new(name.last().as_bytes()).map_err(|_| NtStatus::OBJECT_NAME_INVALID)
}
