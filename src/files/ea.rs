// SPDX-License-Identifier: GPL-2.0

//! Extended attributes of a file as clients see them: those of the `user.` namespace, without those in which servers keep
//! what is no extended attribute to a client.

use core::cmp::Ordering;

use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::str::CString;

use linux::cred::CredScope;
use linux::path::Path;
use linux::xattr::{XattrSet, XATTR_LIST_MAX};
use smb_proto::ea::{is_valid_name, Ea, GetEa};
use smb_proto::status::NtStatus;

use super::errors::status_of;

/// Namespace of the attributes.
const PREFIX: &[u8] = b"user.";
/// Names in it that hold DOS attributes and streams.
const KEPT_BACK: [&[u8]; 2] = [b"DOSATTRIB", b"DosStream."];
/// Bytes of names that need no allocation.
const FEW_NAMES: usize = 256;
/// Most bytes of a list of attributes in a request or an answer: more than one attribute of the greatest size, and more than most
/// file systems keep of a file.
pub(crate) const MAX_LIST: usize = 128 << 10;
/// Longest value that a client can be told.
const MAX_VALUE: usize = 65_535;

/// The names of a file's extended attributes.
pub(crate) struct Names {
    list: KVec<u8>,
}

impl Names {
    /// Reads the names.
    pub(crate) fn read(scope: &CredScope<'_>, path: &Path) -> Result<Self, NtStatus> {
        let len = path.xattr_names_len(scope).map_err(status_of)?;
        if len == 0 {
            return Ok(Names { list: KVec::new() });
        }
        // Others may add to them meanwhile.
        let room = len.saturating_mul(2).clamp(256, XATTR_LIST_MAX);
        let mut list =
            KVec::from_elem(0, room, GFP_KERNEL).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let mut used = 0usize;
        for name in path.xattr_names(scope, &mut list).map_err(status_of)? {
            used = used.saturating_add(name.to_bytes_with_nul().len());
        }
        list.truncate(used);
        Ok(Names { list })
    }

    /// The names in full, with their namespace.
    pub(crate) fn all(&self) -> impl Iterator<Item = &CStr> + Clone {
        self.list
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    }

    /// The attributes that clients see: the name in full, and as clients call it.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&CStr, &[u8])> + Clone {
        self.all()
            .filter_map(|full| shown_name(full.to_bytes()).map(|name| (full, name)))
    }
}

/// A name as attributes are looked for, without regard to the case of ASCII letters.
#[derive(Clone, Copy)]
struct AnyCase<'a>(&'a [u8]);

impl Ord for AnyCase<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = self.0.iter().map(u8::to_ascii_lowercase);
        lower.cmp(other.0.iter().map(u8::to_ascii_lowercase))
    }
}

impl PartialOrd for AnyCase<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for AnyCase<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for AnyCase<'_> {}

/// The names in a request for some of a file's attributes: a tree, so that a file of many attributes does not cost a walk over all of
/// them for each.
pub(crate) struct Asked<'a>(RBTree<AnyCase<'a>, ()>);

impl<'a> Asked<'a> {
    /// The names in `list`.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for a list of more than [`MAX_LIST`] bytes, `STATUS_EA_LIST_INCONSISTENT`.
    pub(crate) fn parse(list: &'a [u8]) -> Result<Self, NtStatus> {
        if list.len() > MAX_LIST {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut names = RBTree::new();
        for entry in GetEa::list(list) {
            let entry = entry.map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?;
            names
                .try_create_and_insert(AnyCase(entry.name), (), GFP_KERNEL)
                .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        }
        Ok(Asked(names))
    }

    /// Whether `name` is among them.
    pub(crate) fn has(&self, name: &'a [u8]) -> bool {
        self.0.get(&AnyCase(name)).is_some()
    }
}

/// What clients call the attribute `full`; `None` if they do not see it.
fn shown_name(full: &[u8]) -> Option<&[u8]> {
    let name = full.strip_prefix(PREFIX)?;
    let is_kept_back = KEPT_BACK.iter().any(|prefix| name.starts_with(prefix));
    (!is_kept_back && !name.is_empty()).then_some(name)
}

/// Bytes of all attributes as one list, which is what EaSize tells; zero if there are none.
pub(crate) fn size(scope: &CredScope<'_>, path: &Path) -> u32 {
    // Most files have few names or none: those cost one call.
    let mut few = [0; FEW_NAMES];
    let total = match path.xattr_names(scope, &mut few) {
        Ok(names) => total_size(scope, path, names),
        Err(_) => match Names::read(scope, path) {
            Ok(names) => total_size(scope, path, names.all()),
            Err(_) => 0,
        },
    };
    if total == 0 {
        return 0;
    }
    u32::try_from(total.saturating_add(4)).unwrap_or(u32::MAX)
}

fn total_size<'n>(
    scope: &CredScope<'_>,
    path: &Path,
    names: impl Iterator<Item = &'n CStr>,
) -> usize {
    let mut total = 0usize;
    for full in names {
        let Some(name) = shown_name(full.to_bytes()) else {
            continue;
        };
        if let Ok(Some(len)) = path.xattr_len(scope, full) {
            // An entry's flags and lengths, the name with its end, the value.
            total = total
                .saturating_add(name.len())
                .saturating_add(len)
                .saturating_add(5);
        }
    }
    total
}

/// Reads the value of the attribute `full` into `value`; `None` if it is gone.
pub(crate) fn read<'v>(
    scope: &CredScope<'_>,
    path: &Path,
    full: &CStr,
    value: &'v mut KVec<u8>,
) -> Result<Option<&'v [u8]>, NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    let Some(len) = path.xattr_len(scope, full).map_err(status_of)? else {
        return Ok(None);
    };
    let room = len.saturating_add(1).min(MAX_VALUE);
    value.resize(room, 0, GFP_KERNEL).map_err(no_memory)?;
    match path.xattr(scope, full, value) {
        Err(e) if e == ERANGE => Ok(None),
        other => other.map_err(status_of),
    }
}

/// Checks a list of attributes by itself.
///
/// # Errors
///
/// `STATUS_EA_TOO_LARGE` for a list of more than [`MAX_LIST`] bytes, `STATUS_EA_LIST_INCONSISTENT`, `STATUS_INVALID_EA_NAME`.
pub(crate) fn check_list(list: &[u8]) -> Result<(), NtStatus> {
    if list.len() > MAX_LIST {
        return Err(NtStatus::EA_TOO_LARGE);
    }
    for entry in Ea::list(list) {
        let entry = entry.map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?;
        if !is_valid_name(entry.name) {
            return Err(NtStatus::INVALID_EA_NAME);
        }
    }
    Ok(())
}

/// Sets the attributes of a list; none if the list is wrong.
///
/// # Errors
///
/// Those of [`check_list`] and [`set`].
pub(crate) fn set_list(scope: &CredScope<'_>, path: &Path, list: &[u8]) -> Result<(), NtStatus> {
    check_list(list)?;
    for entry in Ea::list(list).flatten() {
        set(scope, path, &entry)?;
    }
    Ok(())
}

/// Sets an attribute; one without a value is removed.
///
/// # Errors
///
/// `STATUS_ACCESS_DENIED` for a name that is kept back, `STATUS_EAS_NOT_SUPPORTED`, `STATUS_EA_TOO_LARGE`.
fn set(scope: &CredScope<'_>, path: &Path, ea: &Ea<'_>) -> Result<(), NtStatus> {
    let name = core::str::from_utf8(ea.name).map_err(|_| NtStatus::INVALID_EA_NAME)?;
    let full = CString::try_from_fmt(fmt!("user.{}", name))
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    if shown_name(full.to_bytes()).is_none() {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let done = if ea.value.is_empty() {
        path.remove_xattr(scope, &full).map(|_| ())
    } else {
        path.set_xattr(scope, &full, ea.value, XattrSet::Any)
    };
    done.map_err(|error| match error {
        e if e == EOPNOTSUPP => NtStatus::EAS_NOT_SUPPORTED,
        e if e == E2BIG || e == ERANGE || e == ENOSPC => NtStatus::EA_TOO_LARGE,
        e => status_of(e),
    })
}
