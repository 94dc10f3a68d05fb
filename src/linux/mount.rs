// SPDX-License-Identifier: GPL-2.0

//! Write access to a mount, held while something on it is changed.

use crate::{path::Path, sys};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{error::to_result, prelude::*};

/// Keeps the mount of a path writable, and the file system from being frozen or remounted read-only.
///
/// # Invariants
///
/// Write access to the mount was obtained, and the path keeps the mount alive.
pub(crate) struct WriteAccess<'a> {
    mnt: *mut sys::vfsmount,
    _path: PhantomData<&'a Path>,
}

impl<'a> WriteAccess<'a> {
    /// # Errors
    ///
    /// `EROFS`.
    pub(crate) fn get(path: &'a Path) -> Result<Self> {
        let mnt = path.mnt();
        // SAFETY: `path` keeps its mount alive.
        to_result(unsafe { sys::mnt_want_write(mnt) })?;
        // INVARIANT: access was just obtained.
        Ok(Self {
            mnt,
            _path: PhantomData,
        })
    }
}

impl Drop for WriteAccess<'_> {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::mnt_drop_write(self.mnt) };
    }
}

/// The lock of an inode, held exclusively.
///
/// # Invariants
///
/// The current task holds the lock, and the path keeps the inode alive.
pub(crate) struct InodeLock<'a> {
    inode: NonNull<sys::inode>,
    _path: PhantomData<&'a Path>,
}

impl<'a> InodeLock<'a> {
    pub(crate) fn lock(path: &'a Path) -> Self {
        let inode = path.inode_ptr();
        // SAFETY: `path` keeps its inode alive.
        unsafe { sys::ksmbd_inode_lock(inode.as_ptr()) };
        // INVARIANT: the lock was just taken.
        Self {
            inode,
            _path: PhantomData,
        }
    }
}

impl Drop for InodeLock<'_> {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_inode_unlock(self.inode.as_ptr()) };
    }
}

/// How often an operation is tried again after a delegation was broken. Whoever takes delegations faster loses.
const DELEGATION_RETRIES: u32 = 5;

/// Runs `op`, and runs it again each time that it was stopped by a delegation that another user of the file system held,
/// after waiting for that to be returned. `op` holds no lock when it returns.
///
/// # Errors
///
/// Those of `op`.
pub(crate) fn breaking_delegations<T>(
    mut op: impl FnMut(*mut sys::delegated_inode) -> Result<T>,
) -> Result<T> {
    for _ in 0..DELEGATION_RETRIES {
        // `struct delegated_inode` is one pointer, as asserted beside the helpers.
        let mut held: *mut c_void = core::ptr::null_mut();
        let di = core::ptr::from_mut(&mut held).cast();
        match op(di) {
            Err(error) if error == EAGAIN && !held.is_null() => {
                // SAFETY: the operation left a referenced inode, whose references this call consumes.
                to_result(unsafe { sys::ksmbd_break_deleg_wait(di) })?;
            }
            other => return other,
        }
    }
    Err(EBUSY)
}
