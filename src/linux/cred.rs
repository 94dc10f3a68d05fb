// SPDX-License-Identifier: GPL-2.0

//! Credentials under which the file system is used.
//!
//! A [`UserCred`] is made once per session and [entered](UserCred::enter) for each request. Every operation of this crate
//! on files takes the resulting [`CredScope`], so that none can run as the kernel thread by accident.

use crate::sys;
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{error::code::*, prelude::*, types::NotThreadSafe};

/// The most supplementary groups that credentials may carry: `NGROUPS_MAX`.
pub const MAX_GROUPS: usize = 65536;

/// The credentials of one user: file system ids, supplementary groups and capabilities.
///
/// # Invariants
///
/// The pointer is a committed `struct cred` of which this value owns one reference.
pub struct UserCred(NonNull<sys::cred>);

// SAFETY: a committed `struct cred` is immutable and its reference count is atomic.
unsafe impl Send for UserCred {}
// SAFETY: as above.
unsafe impl Sync for UserCred {}

impl UserCred {
    /// Makes the credentials of the user `uid` with the primary group `gid` and `groups` besides.
    ///
    /// Ids are those of the initial user namespace. Anyone but root is left without capabilities, as a login would be.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an id that no user can have (`u32::MAX`) or too many groups, `ENOMEM`.
    pub fn new(uid: u32, gid: u32, groups: &[u32]) -> Result<Self> {
        if uid == u32::MAX
            || gid == u32::MAX
            || groups.contains(&u32::MAX)
            || groups.len() > MAX_GROUPS
        {
            return Err(EINVAL);
        }
        let groups = GroupList::new(groups)?;
        let cred = Self::server()?;
        let raw = cred.0.as_ptr();
        // SAFETY: `cred` was just prepared and is shared with nobody, so it may still be changed; `set_groups` takes its own
        // reference on the list.
        unsafe {
            (*raw).fsuid.val = uid;
            (*raw).fsgid.val = gid;
            sys::set_groups(raw, groups.0.as_ptr());
            if uid != 0 {
                (*raw).cap_effective.val = 0;
            }
        }
        Ok(cred)
    }

    /// Makes the credentials of the server itself: root with all capabilities.
    ///
    /// For what the server keeps on its own behalf, never for what a client asked.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn server() -> Result<Self> {
        // SAFETY: `init_task` always exists; the result is null or a new reference.
        let raw = unsafe { sys::ksmbd_prepare_init_cred() };
        // INVARIANT: the reference was just created, and credentials are in use as soon as they are entered.
        NonNull::new(raw).map(Self).ok_or(ENOMEM)
    }

    /// Returns the user id that files are accessed and created with.
    pub fn uid(&self) -> u32 {
        // SAFETY: by the type invariant; the field never changes.
        unsafe { self.0.as_ref().fsuid.val }
    }

    /// Returns the group id that files are accessed and created with.
    pub fn gid(&self) -> u32 {
        // SAFETY: by the type invariant; the field never changes.
        unsafe { self.0.as_ref().fsgid.val }
    }

    /// Makes the current task act with these credentials, and with a umask of 0, until the scope is dropped.
    ///
    /// Scopes nest: drop them in the reverse order.
    pub fn enter(&self) -> CredScope<'_> {
        // SAFETY: by the type invariant. The scope owns the new reference, so that the task never holds a freed pointer even
        // if the scope is forgotten.
        let own = unsafe {
            sys::get_cred(self.0.as_ptr());
            self.0
        };
        // SAFETY: `own` is kept alive by the reference just taken.
        let old = unsafe { sys::ksmbd_override_creds(own.as_ptr()) };
        // SAFETY: there are no preconditions; what it returns is handed back when the scope ends.
        let old_fs = unsafe { sys::ksmbd_fs_enter() };
        CredScope {
            own,
            old,
            old_fs,
            _cred: PhantomData,
            _task: NotThreadSafe,
        }
    }
}

impl Clone for UserCred {
    fn clone(&self) -> Self {
        // SAFETY: by the type invariant.
        unsafe { sys::get_cred(self.0.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(self.0)
    }
}

impl Drop for UserCred {
    fn drop(&mut self) {
        // SAFETY: by the type invariant the reference is ours to give up.
        unsafe { sys::put_cred(self.0.as_ptr()) };
    }
}

/// Proof that the current task acts as a user; ends when dropped.
///
/// # Invariants
///
/// `own` is a referenced `struct cred`; `old` and `old_fs` are what the task had before.
#[must_use = "the credentials are left again as soon as the scope is dropped"]
pub struct CredScope<'a> {
    own: NonNull<sys::cred>,
    old: *const sys::cred,
    old_fs: *mut sys::fs_struct,
    _cred: PhantomData<&'a UserCred>,
    _task: NotThreadSafe,
}

impl CredScope<'_> {
    /// Returns the user id that files are accessed and created with.
    pub fn uid(&self) -> u32 {
        // SAFETY: by the type invariant; the field never changes.
        unsafe { self.own.as_ref().fsuid.val }
    }

    /// Returns the group id that files are accessed and created with.
    pub fn gid(&self) -> u32 {
        // SAFETY: by the type invariant; the field never changes.
        unsafe { self.own.as_ref().fsgid.val }
    }

    /// Returns the raw credentials, for functions that want them named.
    pub(crate) fn as_ptr(&self) -> *const sys::cred {
        self.own.as_ptr()
    }
}

impl Drop for CredScope<'_> {
    fn drop(&mut self) {
        // SAFETY: there are no preconditions.
        let current = unsafe { sys::ksmbd_current_cred() };
        if kernel::warn_on!(!core::ptr::eq(current, self.own.as_ptr())) {
            // Left out of order: another scope still refers to ours. Leaking the reference keeps that sound.
            return;
        }
        // SAFETY: `old` was current before; whoever installed it (the task itself or an outer scope) keeps it alive. The task no
        // longer uses `own` after this, so its reference can go.
        unsafe {
            sys::ksmbd_fs_leave(self.old_fs);
            sys::ksmbd_override_creds(self.old);
            sys::put_cred(self.own.as_ptr());
        }
    }
}

/// A sorted list of supplementary groups.
struct GroupList(NonNull<sys::group_info>);

impl GroupList {
    fn new(groups: &[u32]) -> Result<Self> {
        let count = c_int::try_from(groups.len())?;
        // SAFETY: `count` is not negative.
        let raw = unsafe { sys::groups_alloc(count) };
        let list = Self(NonNull::new(raw).ok_or(ENOMEM)?);
        // SAFETY: the allocation has room for `count` ids, and nobody else knows it yet.
        let ids = unsafe { (*raw).gid.as_mut_slice(groups.len()) };
        for (slot, &gid) in ids.iter_mut().zip(groups) {
            slot.val = gid;
        }
        // SAFETY: the list is initialized and still private.
        unsafe { sys::groups_sort(raw) };
        Ok(list)
    }
}

impl Drop for GroupList {
    fn drop(&mut self) {
        // SAFETY: the reference from `groups_alloc` is ours to give up.
        unsafe { sys::ksmbd_put_group_info(self.0.as_ptr()) };
    }
}
