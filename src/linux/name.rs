// SPDX-License-Identifier: GPL-2.0

//! Names of directory entries and relative paths, checked once so that no lookup can leave its starting point by them.

use crate::sys;
use kernel::{error::code::*, prelude::*};

/// The longest name of a directory entry, in bytes.
pub const NAME_MAX: usize = sys::KSMBD_NAME_MAX as usize;

/// The longest path, in bytes, without the terminating NUL.
pub const PATH_MAX: usize = sys::KSMBD_PATH_MAX as usize - 1;

/// The name of one directory entry.
///
/// # Invariants
///
/// 1 to [`NAME_MAX`] bytes, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Checks `bytes`.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG`, or `EINVAL` for what cannot be the name of an entry.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() > NAME_MAX {
            return Err(ENAMETOOLONG);
        }
        if bytes.is_empty()
            || bytes == b"."
            || bytes == b".."
            || bytes.iter().any(|&b| b == b'/' || b == 0)
        {
            return Err(EINVAL);
        }
        // INVARIANT: all of it was just checked.
        Ok(Self(bytes))
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the name as the VFS takes it, valid as long as the bytes are. The VFS fills in the hash.
    pub(crate) fn qstr(self) -> sys::qstr {
        let mut qstr = sys::qstr {
            name: self.0.as_ptr(),
            ..Default::default()
        };
        // The bound is the type invariant's.
        qstr.__bindgen_anon_1.__bindgen_anon_1.len = self.0.len() as u32;
        qstr
    }
}

/// A path of several components, relative to a directory.
///
/// # Invariants
///
/// 1 to [`PATH_MAX`] bytes; every component between slashes is a valid [`Name`], so neither the beginning nor the end is
/// a slash.
#[derive(Clone, Copy)]
pub struct RelPath<'a>(&'a CStr);

impl<'a> RelPath<'a> {
    /// Checks `path`.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG`, or `EINVAL` for an empty, absolute or dotted path.
    pub fn new(path: &'a CStr) -> Result<Self> {
        let bytes = path.to_bytes();
        if bytes.len() > PATH_MAX {
            return Err(ENAMETOOLONG);
        }
        // Neither a slash nor, in a C string, a NUL is left to be looked for in the parts.
        for part in bytes.split(|&b| b == b'/') {
            if part.len() > NAME_MAX {
                return Err(ENAMETOOLONG);
            }
            if matches!(part, b"" | b"." | b"..") {
                return Err(EINVAL);
            }
        }
        // INVARIANT: all of it was just checked.
        Ok(Self(path))
    }

    /// Returns the path.
    pub fn as_c_str(self) -> &'a CStr {
        self.0
    }

    /// Returns the components, first to last.
    pub fn components(self) -> impl Iterator<Item = Name<'a>> {
        self.0.to_bytes().split(|&b| b == b'/').map(Name)
    }
}
