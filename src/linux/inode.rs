// SPDX-License-Identifier: GPL-2.0

//! References to inodes, and what identifies one.

use crate::sys;
use core::ptr::NonNull;

/// Identifies an inode as long as somebody holds a reference to it.
///
/// It is the inode's address: unique across mounts, file systems and subvolumes, unlike numbers on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeKey(usize);

impl InodeKey {
    /// Returns the key as a number to hash.
    pub fn get(self) -> usize {
        self.0
    }
}

/// Numbers that identify a file across reboots, on one file system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InodeIdent {
    /// The superblock's device number.
    pub device: u32,
    /// The inode number.
    pub number: u64,
    /// Distinguishes files that had the same inode number one after the other.
    pub generation: u32,
}

/// What an inode is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe, socket or device: never opened on behalf of a client.
    Special,
}

impl FileType {
    /// Takes the type from a mode.
    pub fn from_mode(mode: u16) -> Self {
        match u32::from(mode) & sys::S_IFMT {
            sys::S_IFREG => Self::Regular,
            sys::S_IFDIR => Self::Directory,
            sys::S_IFLNK => Self::Symlink,
            _ => Self::Special,
        }
    }
}

/// A counted reference to an inode, which keeps it from being freed and its [`InodeKey`] from being used again.
///
/// # Invariants
///
/// The pointer is a live inode of which this value owns one reference.
pub struct Inode(NonNull<sys::inode>);

// SAFETY: inodes are shared between tasks by design; their counts are atomic.
unsafe impl Send for Inode {}
// SAFETY: as above.
unsafe impl Sync for Inode {}

impl Inode {
    /// Takes another reference.
    ///
    /// # Safety
    ///
    /// The caller holds a reference to the inode, directly or through a dentry or file.
    pub(crate) unsafe fn get(inode: NonNull<sys::inode>) -> Self {
        // SAFETY: the caller's reference keeps the inode alive.
        unsafe { sys::ihold(inode.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(inode)
    }

    /// Returns what identifies the inode while this reference is held.
    pub fn key(&self) -> InodeKey {
        key_of(self.0)
    }

    /// Returns the numbers of the inode.
    pub fn ident(&self) -> InodeIdent {
        // SAFETY: by the type invariant.
        unsafe { ident_of(self.0) }
    }

    /// Returns what the inode is.
    pub fn file_type(&self) -> FileType {
        // SAFETY: by the type invariant; the type bits of the mode never change.
        FileType::from_mode(unsafe { (*self.0.as_ptr()).i_mode })
    }
}

impl Clone for Inode {
    fn clone(&self) -> Self {
        // SAFETY: by the type invariant.
        unsafe { Self::get(self.0) }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        // SAFETY: by the type invariant the reference is ours to give up.
        unsafe { sys::iput(self.0.as_ptr()) };
    }
}

/// Returns the key of `inode`.
pub(crate) fn key_of(inode: NonNull<sys::inode>) -> InodeKey {
    InodeKey(inode.as_ptr() as usize)
}

/// Returns the numbers of `inode`.
///
/// # Safety
///
/// The caller holds a reference to the inode.
pub(crate) unsafe fn ident_of(inode: NonNull<sys::inode>) -> InodeIdent {
    // SAFETY: the caller's reference keeps the inode and its superblock alive; the fields do not change.
    unsafe {
        let raw = inode.as_ptr();
        InodeIdent {
            device: sys::ksmbd_inode_dev(raw),
            number: (*raw).i_ino,
            generation: (*raw).i_generation,
        }
    }
}
