// SPDX-License-Identifier: GPL-2.0

//! Byte-range locks that local programs see too.
//!
//! They belong to the open file, as open file description locks do: other opens conflict with them, and closing the file
//! releases them. Locks of one open merge and split like those of any POSIX program, so whoever needs to know them one by one
//! keeps them elsewhere.

use crate::{cred::CredScope, file::File, sys};
use core::ptr::NonNull;
use kernel::{
    error::{code::*, to_result},
    prelude::*,
};

/// What a lock keeps others from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Exclusive locks.
    Shared,
    /// All locks.
    Exclusive,
}

/// Bytes of a file as local locks see them, which know none at or above 2^63.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockRange {
    first: i64,
    last: i64,
}

impl LockRange {
    /// Takes `len` bytes from `start` on, cut to what local locks can say; `None` when nothing remains.
    pub fn new(start: u64, len: u64) -> Option<Self> {
        let first = i64::try_from(start).ok()?;
        let last = start.saturating_add(len.checked_sub(1)?);
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        Some(Self { first, last })
    }

    /// Returns the first byte.
    pub fn first(&self) -> u64 {
        self.first.unsigned_abs()
    }

    /// Returns the last byte.
    pub fn last(&self) -> u64 {
        self.last.unsigned_abs()
    }
}

impl File {
    /// Locks `range` at once or not at all.
    ///
    /// # Errors
    ///
    /// `EAGAIN` for a conflict with another open's lock, `EBADF` unless open for reading or writing as the kind needs, `ENOMEM`, `ENOLCK`.
    pub fn lock(&self, _scope: &CredScope<'_>, kind: LockKind, range: LockRange) -> Result {
        let (may, kind) = match kind {
            LockKind::Shared => (self.is_readable(), sys::KSMBD_F_RDLCK),
            LockKind::Exclusive => (self.is_writable(), sys::KSMBD_F_WRLCK),
        };
        if !may {
            return Err(EBADF);
        }
        self.set_lock(kind, range)
    }

    /// Releases what this open has locked of `range`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOLCK`.
    pub fn unlock(&self, _scope: &CredScope<'_>, range: LockRange) -> Result {
        self.set_lock(sys::KSMBD_F_UNLCK, range)
    }

    fn set_lock(&self, kind: u8, range: LockRange) -> Result {
        let lock = Lock::new(self, kind, range)?;
        let (file, conflict) = (self.as_ptr(), core::ptr::null_mut());
        // SAFETY: the file is open, and the lock valid and of this file.
        let done =
            unsafe { sys::vfs_lock_file(file, sys::KSMBD_F_SETLK, lock.0.as_ptr(), conflict) };
        to_result(done.min(0))
    }

    /// Returns a lock of another open or of a local program that would conflict, if there is one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what the file system says.
    pub fn conflicting_lock(
        &self,
        _scope: &CredScope<'_>,
        kind: LockKind,
        range: LockRange,
    ) -> Result<Option<(LockKind, LockRange)>> {
        let kind = match kind {
            LockKind::Shared => sys::KSMBD_F_RDLCK,
            LockKind::Exclusive => sys::KSMBD_F_WRLCK,
        };
        let lock = Lock::new(self, kind, range)?;
        // SAFETY: the file is open, and the lock valid and of this file.
        to_result(unsafe { sys::vfs_test_lock(self.as_ptr(), lock.0.as_ptr()) })?;
        Ok(lock.found())
    }
}

/// A lock as a request.
///
/// # Invariants
///
/// The pointer is a valid `struct file_lock` that this value owns.
struct Lock(NonNull<sys::file_lock>);

impl Lock {
    fn new(file: &File, kind: u8, range: LockRange) -> Result<Self> {
        // SAFETY: the file is open and outlasts the request.
        let raw =
            unsafe { sys::ksmbd_lock_alloc(file.as_ptr(), kind, range.first, range.last, false) };
        NonNull::new(raw).map(Self).ok_or(ENOMEM)
    }

    /// Returns what a test put into the request.
    fn found(&self) -> Option<(LockKind, LockRange)> {
        let raw = self.0.as_ptr();
        // SAFETY: by the type invariant.
        let (kind, first, last) = unsafe {
            (
                sys::ksmbd_lock_type(raw),
                sys::ksmbd_lock_start(raw),
                sys::ksmbd_lock_end(raw),
            )
        };
        let kind = match kind {
            sys::KSMBD_F_UNLCK => return None,
            sys::KSMBD_F_RDLCK => LockKind::Shared,
            _ => LockKind::Exclusive,
        };
        Some((kind, LockRange { first, last }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: by the type invariant; a granted lock was copied.
        unsafe { sys::locks_free_lock(self.0.as_ptr()) };
    }
}
