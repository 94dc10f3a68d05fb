// SPDX-License-Identifier: GPL-2.0

//! Changes of the entries of directories, told while they are made.

use crate::{path::Path, sys};

/// A number that a file system changes with every change of a directory's entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version(u64);

impl Path {
    /// Returns the version of this directory's entries, where the file system keeps one for each change.
    ///
    /// Whoever finds the same version before and after reading the entries has read what no other version has.
    pub fn version(&self) -> Option<Version> {
        let mut version = 0;
        // SAFETY: the path keeps its inode alive; `version` is written if there is one.
        let has_one = unsafe { sys::ksmbd_dir_version(self.inode_ptr().as_ptr(), &mut version) };
        has_one.then_some(Version(version))
    }
}

/// What one step changed in a directory.
pub struct Change<'a> {
    /// The version that the step found.
    pub before: Version,
    /// The version that it left.
    pub after: Version,
    /// The name of the entry that went.
    pub gone: Option<&'a [u8]>,
    /// The name of the entry that came, which may have been there before.
    pub come: Option<&'a [u8]>,
}

/// Is told of what the module changes. What others change it can see by the version.
pub trait Observer {
    /// `directory` was changed. It is still locked: this must be quick, and must not use the file system.
    fn changed(&self, directory: &Path, change: &Change<'_>);
}

/// A step that is about to change a directory, which the caller has locked and keeps so until the step is dropped.
pub(crate) struct Step<'a> {
    observer: &'a dyn Observer,
    directory: &'a Path,
    before: Option<Version>,
}

impl<'a> Step<'a> {
    pub(crate) fn begin(observer: &'a dyn Observer, directory: &'a Path) -> Self {
        Self {
            observer,
            directory,
            before: directory.version(),
        }
    }

    /// Tells what the step did. A step that failed need not tell: whatever it left shows by the version.
    pub(crate) fn end(self, gone: Option<&[u8]>, come: Option<&[u8]>) {
        let (Some(before), Some(after)) = (self.before, self.directory.version()) else {
            return;
        };
        // The VFS takes some for done that need nothing done: a file renamed to another name of itself.
        if before != after {
            let change = Change {
                before,
                after,
                gone,
                come,
            };
            self.observer.changed(self.directory, &change);
        }
    }
}
