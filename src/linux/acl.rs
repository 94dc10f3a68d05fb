// SPDX-License-Identifier: GPL-2.0

//! POSIX access control lists as typed entries.

use crate::{cred::CredScope, mount::WriteAccess, path::Path, sys};
use core::ptr::NonNull;
use kernel::{
    error::{code::*, from_err_ptr, to_result},
    prelude::*,
};

/// The most entries that a list may have: what fits into an extended attribute of the largest size.
pub const ACL_ENTRIES_MAX: usize = 8191;

/// Which list of a file is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclKind {
    /// Who may access the file.
    Access,
    /// What new entries of a directory inherit.
    Default,
}

impl AclKind {
    fn xattr(self) -> *const c_char {
        match self {
            Self::Access => c"system.posix_acl_access".as_char_ptr(),
            Self::Default => c"system.posix_acl_default".as_char_ptr(),
        }
    }
}

/// Whom an entry speaks of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AclSubject {
    /// The owner.
    Owner,
    /// A user, as seen through the mount.
    User(u32),
    /// The owning group.
    OwningGroup,
    /// A group, as seen through the mount.
    Group(u32),
    /// The most that users, groups and the owning group may be granted.
    Mask,
    /// Everybody else.
    Other,
}

impl AclSubject {
    fn to_raw(self) -> (u16, u32) {
        let (tag, id) = match self {
            Self::Owner => (sys::KSMBD_ACL_USER_OBJ, u32::MAX),
            Self::User(id) => (sys::KSMBD_ACL_USER, id),
            Self::OwningGroup => (sys::KSMBD_ACL_GROUP_OBJ, u32::MAX),
            Self::Group(id) => (sys::KSMBD_ACL_GROUP, id),
            Self::Mask => (sys::KSMBD_ACL_MASK, u32::MAX),
            Self::Other => (sys::KSMBD_ACL_OTHER, u32::MAX),
        };
        (tag, id)
    }

    fn from_raw(tag: u16, id: u32) -> Result<Self> {
        Ok(match tag {
            sys::KSMBD_ACL_USER_OBJ => Self::Owner,
            sys::KSMBD_ACL_USER => Self::User(id),
            sys::KSMBD_ACL_GROUP_OBJ => Self::OwningGroup,
            sys::KSMBD_ACL_GROUP => Self::Group(id),
            sys::KSMBD_ACL_MASK => Self::Mask,
            sys::KSMBD_ACL_OTHER => Self::Other,
            _ => return Err(EINVAL),
        })
    }
}

/// One entry of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclEntry {
    /// Whom it speaks of.
    pub subject: AclSubject,
    /// What they may: 4 read, 2 write, 1 execute.
    pub permissions: u8,
}

/// Returns the three entries that say the same as the permission bits of `mode`.
pub fn entries_of_mode(mode: u16) -> [AclEntry; 3] {
    let entry = |subject, shift: u32| AclEntry {
        subject,
        // Three bits remain.
        permissions: (mode >> shift & 7) as u8,
    };
    [
        entry(AclSubject::Owner, 6),
        entry(AclSubject::OwningGroup, 3),
        entry(AclSubject::Other, 0),
    ]
}

impl Path {
    /// Reads a list; `None` when the file has only its permission bits, or nothing to inherit.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` where the file system has no lists, `E2BIG` for one longer than [`ACL_ENTRIES_MAX`], `ENOMEM`.
    pub fn acl(&self, _scope: &CredScope<'_>, kind: AclKind) -> Result<Option<KVec<AclEntry>>> {
        // SAFETY: the path is valid; the result is an error or a reference.
        let raw = unsafe { sys::vfs_get_acl(self.idmap(), self.dentry(), kind.xattr()) };
        match from_err_ptr(raw) {
            Err(ENODATA) => Ok(None),
            other => Acl::from_raw(other?)?.entries(self).map(Some),
        }
    }

    /// Replaces a list by `entries`, which come in the order of [`AclSubject`]; the permission bits follow an access list.
    ///
    /// # Errors
    ///
    /// `EINVAL` for entries that are out of order or incomplete, `E2BIG`, `EPERM` unless the user owns the file, `EACCES` for a default
    /// list of anything but a directory, `EROFS`, `EOPNOTSUPP` where the file system has no lists.
    pub fn set_acl(&self, _scope: &CredScope<'_>, kind: AclKind, entries: &[AclEntry]) -> Result {
        let acl = Acl::new(entries)?;
        let _write = WriteAccess::get(self)?;
        let (idmap, dentry, raw) = (self.idmap(), self.dentry(), acl.0.as_ptr());
        // SAFETY: the path and the list are valid; the list may be changed, since it is used for nothing else.
        to_result(unsafe { sys::vfs_set_acl(idmap, dentry, kind.xattr(), raw) })
    }

    /// Removes a list.
    ///
    /// # Errors
    ///
    /// Those of [`Self::set_acl`].
    pub fn remove_acl(&self, _scope: &CredScope<'_>, kind: AclKind) -> Result {
        let _write = WriteAccess::get(self)?;
        // SAFETY: the path is valid.
        to_result(unsafe { sys::vfs_remove_acl(self.idmap(), self.dentry(), kind.xattr()) })
    }

    /// Returns the access list that an entry created in this directory with `mode` gets by inheritance, and the permission bits
    /// that go with it; without a default list here, only `mode` again.
    ///
    /// # Errors
    ///
    /// Those of [`Self::acl`].
    pub fn inherited_acl(
        &self,
        _scope: &CredScope<'_>,
        mode: u16,
    ) -> Result<(Option<KVec<AclEntry>>, u16)> {
        let name = AclKind::Default.xattr();
        // SAFETY: the path is valid; the result is an error or a reference.
        let raw = unsafe { sys::vfs_get_acl(self.idmap(), self.dentry(), name) };
        let mut raw = match from_err_ptr(raw) {
            Err(ENODATA | EOPNOTSUPP) => return Ok((None, mode)),
            other => other?,
        };
        let mut mode = mode;
        // SAFETY: the reference in `raw` is exchanged for one to a changed copy, or released on failure.
        let extended =
            unsafe { sys::__posix_acl_create(&mut raw, kernel::bindings::GFP_KERNEL, &mut mode) };
        to_result(extended.min(0))?;
        let acl = Acl::from_raw(raw)?;
        let entries = if extended > 0 {
            Some(acl.entries(self)?)
        } else {
            None
        };
        Ok((entries, mode))
    }
}

/// A list of the kernel's.
///
/// # Invariants
///
/// The pointer is a valid list of which this value owns one reference.
struct Acl(NonNull<sys::posix_acl>);

impl Acl {
    fn from_raw(raw: *mut sys::posix_acl) -> Result<Self> {
        NonNull::new(raw).map(Self).ok_or(ENOMEM)
    }

    /// Makes a list whose ids are those seen through the mount.
    fn new(entries: &[AclEntry]) -> Result<Self> {
        if entries.len() > ACL_ENTRIES_MAX {
            return Err(E2BIG);
        }
        let count = c_uint::try_from(entries.len())?;
        // SAFETY: there are no preconditions.
        let raw = unsafe { sys::posix_acl_alloc(count, kernel::bindings::GFP_KERNEL) };
        let acl = Self::from_raw(raw)?;
        for (i, entry) in (0..count).zip(entries) {
            let (tag, id) = entry.subject.to_raw();
            // SAFETY: the list has `count` entries and is still private.
            unsafe { sys::ksmbd_acl_set_entry(raw, i, tag, entry.permissions.into(), id) };
        }
        Ok(acl)
    }

    /// Returns the entries with ids as seen through the mount of `path`.
    fn entries(&self, path: &Path) -> Result<KVec<AclEntry>> {
        let raw = self.0.as_ptr();
        // SAFETY: by the type invariant.
        let count = unsafe { sys::ksmbd_acl_count(raw) };
        let len = usize::try_from(count)?;
        if len > ACL_ENTRIES_MAX {
            return Err(E2BIG);
        }
        let mut entries = KVec::with_capacity(len, GFP_KERNEL)?;
        let (idmap, inode) = (path.idmap(), path.inode_ptr().as_ptr());
        for i in 0..count {
            let (mut tag, mut permissions, mut id) = (0, 0, 0);
            // SAFETY: `i` is below the list's count; the path keeps its inode and mapping alive.
            unsafe {
                sys::ksmbd_acl_get_entry(raw, i, idmap, inode, &mut tag, &mut permissions, &mut id)
            };
            let entry = AclEntry {
                subject: AclSubject::from_raw(tag, id)?,
                permissions: u8::try_from(permissions & 7)?,
            };
            entries.push(entry, GFP_KERNEL)?;
        }
        Ok(entries)
    }
}

impl Drop for Acl {
    fn drop(&mut self) {
        // SAFETY: by the type invariant the reference is ours to give up.
        unsafe { sys::ksmbd_acl_release(self.0.as_ptr()) };
    }
}
