// SPDX-License-Identifier: GPL-2.0

//! Extended attributes of a file. All sizes are bounded by the caller's buffers.

use crate::{cred::CredScope, mount::WriteAccess, path::Path, sys};
use kernel::{
    error::{code::*, to_result},
    prelude::*,
};

/// The longest name of an extended attribute, in bytes, with its namespace.
pub const XATTR_NAME_MAX: usize = 255;

/// The largest value of an extended attribute, in bytes. Many file systems take less.
pub const XATTR_SIZE_MAX: usize = 65536;

/// The most room that the names of one file's attributes take.
pub const XATTR_LIST_MAX: usize = 65536;

/// Whether an attribute may or must exist before it is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XattrSet {
    /// It is created or replaced.
    Any,
    /// An existing one fails with `EEXIST`.
    Create,
    /// A missing one fails with `ENODATA`.
    Replace,
}

impl Path {
    /// Reads the attribute `name` into `buf`, and returns the bytes that it takes there, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// `ERANGE` when `buf` is too short, `EACCES` or `EPERM` when the user may not read it, `EOPNOTSUPP` where the file system has none.
    pub fn xattr<'b>(
        &self,
        _scope: &CredScope<'_>,
        name: &CStr,
        buf: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>> {
        if buf.is_empty() {
            // To the VFS that would be the question for the size.
            return Err(ERANGE);
        }
        match self.get_xattr(name, buf.as_mut_ptr(), buf.len())? {
            Some(len) => buf.get(..len).map(Some).ok_or(ERANGE),
            None => Ok(None),
        }
    }

    /// Returns the length of the attribute `name`, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Self::xattr`].
    pub fn xattr_len(&self, _scope: &CredScope<'_>, name: &CStr) -> Result<Option<usize>> {
        self.get_xattr(name, core::ptr::null_mut(), 0)
    }

    fn get_xattr(&self, name: &CStr, buf: *mut u8, len: usize) -> Result<Option<usize>> {
        check_name(name)?;
        let (idmap, dentry, name) = (self.idmap(), self.dentry(), name.as_char_ptr());
        // The VFS calls a value that does not fit too large at either limit.
        let len = len.min(XATTR_SIZE_MAX);
        // SAFETY: the path is valid, `name` NUL-terminated, and `buf` has room for `len` bytes.
        let len = unsafe { sys::vfs_getxattr(idmap, dentry, name, buf.cast(), len) };
        match length(len) {
            Err(ENODATA) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Sets the attribute `name` to `value`.
    ///
    /// # Errors
    ///
    /// Those of [`XattrSet`], `E2BIG` for a value above [`XATTR_SIZE_MAX`], `ENOSPC`, `EDQUOT`, `EROFS`, `EACCES` or `EPERM` when the user
    /// may not, `EOPNOTSUPP` where the file system has none.
    pub fn set_xattr(
        &self,
        _scope: &CredScope<'_>,
        name: &CStr,
        value: &[u8],
        how: XattrSet,
    ) -> Result {
        check_name(name)?;
        if value.len() > XATTR_SIZE_MAX {
            return Err(E2BIG);
        }
        let flags = match how {
            XattrSet::Any => 0,
            XattrSet::Create => sys::XATTR_CREATE,
            XattrSet::Replace => sys::XATTR_REPLACE,
        };
        let flags = c_int::try_from(flags)?;
        let _write = WriteAccess::get(self)?;
        let (idmap, dentry, name) = (self.idmap(), self.dentry(), name.as_char_ptr());
        let (at, len) = (value.as_ptr().cast(), value.len());
        // SAFETY: the path is valid, `name` NUL-terminated, and `value` only read.
        to_result(unsafe { sys::vfs_setxattr(idmap, dentry, name, at, len, flags) })
    }

    /// Removes the attribute `name`, and returns whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::set_xattr`].
    pub fn remove_xattr(&self, _scope: &CredScope<'_>, name: &CStr) -> Result<bool> {
        check_name(name)?;
        let _write = WriteAccess::get(self)?;
        let (idmap, dentry, name) = (self.idmap(), self.dentry(), name.as_char_ptr());
        // SAFETY: the path is valid and `name` NUL-terminated.
        match to_result(unsafe { sys::vfs_removexattr(idmap, dentry, name) }) {
            Ok(()) => Ok(true),
            Err(ENODATA) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the names of all attributes into `buf` and returns them one by one, without those that the user could not read
    /// for lack of privilege.
    ///
    /// # Errors
    ///
    /// `ERANGE` when `buf` is too short; [`XATTR_LIST_MAX`] bytes always suffice.
    pub fn xattr_names<'b>(
        &self,
        _scope: &CredScope<'_>,
        buf: &'b mut [u8],
    ) -> Result<impl Iterator<Item = &'b CStr> + Clone> {
        if buf.is_empty() {
            return Err(ERANGE);
        }
        let room = buf.len().min(XATTR_LIST_MAX);
        // SAFETY: the path is valid, and `buf` has at least `room` bytes.
        let len = unsafe { sys::vfs_listxattr(self.dentry(), buf.as_mut_ptr().cast(), room) };
        let names = match length(len) {
            Err(EOPNOTSUPP) => &[],
            other => buf.get(..other?).ok_or(ERANGE)?,
        };
        Ok(names
            .split_inclusive(|&b| b == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok()))
    }

    /// Returns how many bytes the names of all attributes take now, for the buffer of [`Self::xattr_names`].
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn xattr_names_len(&self, _scope: &CredScope<'_>) -> Result<usize> {
        // SAFETY: the path is valid; nothing is written to a buffer of no length.
        let len = unsafe { sys::vfs_listxattr(self.dentry(), core::ptr::null_mut(), 0) };
        match length(len) {
            Err(EOPNOTSUPP) => Ok(0),
            other => other,
        }
    }
}

/// # Errors
///
/// `ERANGE` for a name that the VFS would not take from a program either.
fn check_name(name: &CStr) -> Result {
    match name.to_bytes().len() {
        1..=XATTR_NAME_MAX => Ok(()),
        _ => Err(ERANGE),
    }
}

/// Takes the result of a read apart.
fn length(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| c_int::try_from(result).map_or(EIO, Error::from_errno))
}
