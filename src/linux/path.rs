// SPDX-License-Identifier: GPL-2.0

//! Places in the file system: a mount and an existing directory entry on it.
//!
//! Nothing here resolves a path string with `..` in it: clients move down by checked names, and up only to a given root.

use crate::{
    cred::CredScope,
    inode::{ident_of, key_of, FileType, Inode, InodeIdent, InodeKey},
    name::{Name, RelPath, NAME_MAX, PATH_MAX},
    sys,
};
use core::ptr::NonNull;
use kernel::{
    error::{code::*, from_err_ptr, to_result},
    prelude::*,
};

/// Length of a path that is written on the stack, bytes.
const SHORT: usize = 256;

/// Whether a lookup may step from a directory into what is mounted on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crossing {
    /// Mounts are entered.
    Allowed,
    /// A mount point fails with `EXDEV`.
    Refused,
}

/// What a lookup does with symbolic links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symlinks {
    /// A link fails with `ELOOP`.
    Refused,
    /// Links are followed as long as they stay beneath the starting point, else `EXDEV`.
    Confined,
}

/// Whether a lookup may wait for a disk or a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocking {
    /// It may.
    Allowed,
    /// What is not cached fails with `EAGAIN`.
    Refused,
}

/// The manner of a lookup of several components.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Whether mounts are entered.
    pub crossing: Crossing,
    /// Whether symbolic links are followed.
    pub symlinks: Symlinks,
    /// Whether to wait.
    pub blocking: Blocking,
}

impl Walk {
    fn flags(self) -> c_uint {
        let mut flags = sys::KSMBD_LOOKUP_BENEATH | sys::KSMBD_LOOKUP_NO_MAGICLINKS;
        flags |= match self.symlinks {
            Symlinks::Refused => sys::KSMBD_LOOKUP_NO_SYMLINKS,
            Symlinks::Confined => sys::KSMBD_LOOKUP_FOLLOW,
        };
        if self.crossing == Crossing::Refused {
            flags |= sys::KSMBD_LOOKUP_NO_XDEV;
        }
        if self.blocking == Blocking::Refused {
            flags |= sys::KSMBD_LOOKUP_CACHED;
        }
        flags
    }
}

/// Identifies an entry of a directory as long as somebody holds a [`Path`] to it, over renames too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntryKey(usize);

/// A mount and an existing entry on it. Dropping it may sleep.
///
/// # Invariants
///
/// Both pointers are valid and this value owns a reference to each. The dentry is positive, and stays so while referenced.
#[repr(transparent)]
pub struct Path(sys::path);

// SAFETY: mounts and dentries are shared between tasks by design; their counts are atomic.
unsafe impl Send for Path {}
// SAFETY: as above.
unsafe impl Sync for Path {}

impl Path {
    /// Takes over the references in `raw`.
    ///
    /// # Safety
    ///
    /// The caller owns a reference to the mount and one to the dentry, and gives them up.
    ///
    /// # Errors
    ///
    /// `ENOENT` when there is nothing behind the dentry; the references are released.
    pub(crate) unsafe fn from_raw(raw: sys::path) -> Result<Self> {
        // SAFETY: the caller's reference keeps the dentry alive.
        if unsafe { (*raw.dentry).d_inode }.is_null() {
            // SAFETY: the references are the caller's gift.
            unsafe { sys::path_put(&raw) };
            return Err(ENOENT);
        }
        // INVARIANT: the references were handed over, and the dentry was just seen to be positive.
        Ok(Self(raw))
    }

    /// Views a `struct path` that somebody else owns.
    ///
    /// # Safety
    ///
    /// `raw` is valid and does not change for `'a`, its owner keeps both references, and its dentry is positive.
    pub(crate) unsafe fn from_ref<'a>(raw: *const sys::path) -> &'a Self {
        // SAFETY: `Path` is a transparent wrapper, and the caller keeps its invariants.
        unsafe { &*raw.cast() }
    }

    /// Takes new references to what `raw` names.
    ///
    /// # Safety
    ///
    /// `raw` is valid, its dentry positive, and the caller's references outlast the call.
    pub(crate) unsafe fn from_borrowed(raw: *const sys::path) -> Self {
        // SAFETY: by the caller's promise.
        unsafe {
            sys::path_get(raw);
            // INVARIANT: both references were just taken.
            Self(*raw)
        }
    }

    /// Makes a path of `dentry` on this path's mount, taking over the caller's reference to the dentry.
    ///
    /// # Safety
    ///
    /// `dentry` is a referenced dentry of this mount's file system.
    pub(crate) unsafe fn with_dentry(&self, dentry: *mut sys::dentry) -> Result<Self> {
        let raw = sys::path {
            mnt: self.0.mnt,
            dentry,
        };
        // SAFETY: the mount is valid by the type invariant.
        unsafe { sys::mntget(raw.mnt) };
        // SAFETY: the reference to the mount was just taken, that to the dentry is the caller's gift.
        unsafe { Self::from_raw(raw) }
    }

    /// Resolves the directory that a share exports: an absolute path of the initial mount namespace, links followed.
    ///
    /// It runs with the credentials of the caller, which are the server's: the path is the administrator's.
    ///
    /// # Errors
    ///
    /// Those of a lookup; `ENOTDIR` for anything but a directory, `EINVAL` for a relative path.
    pub fn resolve_share(path: &CStr) -> Result<Self> {
        if !path.to_bytes().starts_with(b"/") {
            return Err(EINVAL);
        }
        let flags = sys::KSMBD_LOOKUP_FOLLOW | sys::KSMBD_LOOKUP_DIRECTORY;
        let mut raw = sys::path::default();
        // SAFETY: `path` is NUL-terminated, and `raw` is written on success.
        to_result(unsafe { sys::ksmbd_kern_path(path.as_char_ptr(), flags, &mut raw) })?;
        // SAFETY: on success `raw` holds references that are now ours.
        unsafe { Self::from_raw(raw) }
    }

    /// Looks up one name in this directory, exactly as spelled. Symbolic links are returned, not followed.
    ///
    /// # Errors
    ///
    /// `ENOTDIR` when this is no directory, `EACCES` when the user may not search it, `EXDEV` at a mount point that may not be
    /// crossed, and what the file system says. A missing entry is `None`.
    pub fn lookup(
        &self,
        _scope: &CredScope<'_>,
        name: Name<'_>,
        crossing: Crossing,
    ) -> Result<Option<Self>> {
        self.require_dir()?;
        let mut qstr = name.qstr();
        // SAFETY: by the type invariant this is a referenced directory; `qstr` is valid during the call.
        let dentry = unsafe { sys::lookup_one_unlocked(self.idmap(), &mut qstr, self.0.dentry) };
        let dentry = match from_err_ptr(dentry) {
            Err(ENOENT) => return Ok(None),
            other => other?,
        };
        // SAFETY: the dentry is referenced, on this file system, and the reference is passed on.
        match unsafe { self.with_dentry(dentry) } {
            Err(ENOENT) => Ok(None),
            Err(error) => Err(error),
            Ok(found) => found.cross(crossing).map(Some),
        }
    }

    /// Steps into what is mounted here, if anything is.
    fn cross(mut self, crossing: Crossing) -> Result<Self> {
        // SAFETY: by the type invariant.
        if !unsafe { sys::ksmbd_d_mountpoint(self.0.dentry) } {
            return Ok(self);
        }
        let mount = self.0.mnt;
        // SAFETY: by the type invariant; the references in the path are exchanged for those of the new place.
        to_result(unsafe { sys::follow_down(&mut self.0, 0) })?;
        if crossing == Crossing::Refused && !core::ptr::eq(mount, self.0.mnt) {
            return Err(EXDEV);
        }
        Ok(self)
    }

    /// Walks `rel` from this directory in one go, exactly as spelled, never leaving what is beneath it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::lookup`], `ENOENT`, and those that [`Walk`] names.
    pub fn lookup_beneath(
        &self,
        _scope: &CredScope<'_>,
        rel: RelPath<'_>,
        walk: Walk,
    ) -> Result<Self> {
        self.require_dir()?;
        let name = rel.as_c_str().as_char_ptr();
        let mut raw = sys::path::default();
        // SAFETY: by the type invariant; `name` is NUL-terminated and `raw` is written on success.
        to_result(unsafe {
            sys::vfs_path_lookup(self.0.dentry, self.0.mnt, name, walk.flags(), &mut raw)
        })?;
        // SAFETY: on success `raw` holds references that are now ours.
        unsafe { Self::from_raw(raw) }
    }

    /// Returns the directory that holds this entry, stepping out of mounts, or `None` at `root`.
    pub fn parent(&self, root: &Path) -> Option<Self> {
        let mut at = self.clone();
        loop {
            if at.is_same(root) {
                return None;
            }
            if !at.is_mount_root() {
                break;
            }
            // SAFETY: by the type invariant; the references in the path are exchanged for those of the mount point.
            if unsafe { sys::follow_up(&mut at.0) } == 0 {
                return None;
            }
        }
        // SAFETY: by the type invariant; the parent is returned with a reference, which `with_dentry` takes over.
        unsafe { at.with_dentry(sys::dget_parent(at.0.dentry)) }.ok()
    }

    /// Returns whether this is where its mount begins.
    pub fn is_mount_root(&self) -> bool {
        // SAFETY: by the type invariant.
        core::ptr::eq(self.0.dentry, unsafe { (*self.0.mnt).mnt_root })
    }

    /// Returns whether both name the same entry on the same mount.
    pub fn is_same(&self, other: &Path) -> bool {
        core::ptr::eq(self.0.mnt, other.0.mnt) && core::ptr::eq(self.0.dentry, other.0.dentry)
    }

    /// Returns what identifies the entry while this path is held: unlike the inode's, the key of one of its names.
    pub fn entry_key(&self) -> EntryKey {
        EntryKey(self.0.dentry as usize)
    }

    /// Returns whether both are on the same mount.
    pub fn same_mount(&self, other: &Path) -> bool {
        core::ptr::eq(self.0.mnt, other.0.mnt)
    }

    /// Returns whether this is `root` or lies beneath it.
    pub fn is_beneath(&self, root: &Path) -> bool {
        // SAFETY: both paths are valid by the type invariant.
        unsafe { sys::path_is_under(&self.0, &root.0) }
    }

    /// Returns whether the entry was removed from its directory since it was looked up. A root never is.
    pub fn is_removed(&self) -> bool {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_d_unlinked(self.0.dentry) }
    }

    /// Copies the entry's name as it is spelled on disk.
    pub fn name(&self, buf: &mut EntryName) -> Result {
        // SAFETY: by the type invariant; the buffer has room for `NAME_MAX` bytes.
        let len = unsafe {
            sys::ksmbd_dentry_name(
                self.0.dentry,
                buf.bytes.as_mut_ptr().cast(),
                sys::KSMBD_NAME_MAX,
            )
        };
        to_result(len.min(0))?;
        buf.len = usize::try_from(len)?;
        Ok(())
    }

    /// Returns whether the entry's name begins with a dot.
    pub fn is_spelled_with_dot(&self) -> bool {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_dentry_begins(self.0.dentry) == b'.' }
    }

    /// Writes the path from `root` to here into `buf`, components separated by `/`, with none at either end; empty at the root.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` when `buf` is too short, `EXDEV` when this is not beneath `root`.
    pub fn path_below<'b>(&self, root: &Path, buf: &'b mut [u8]) -> Result<&'b [u8]> {
        if !self.is_beneath(root) {
            return Err(EXDEV);
        }
        let end = buf.len();
        let mut start = end;
        let mut name = EntryName::new();
        let mut at = self.clone();
        while let Some(parent) = at.parent(root) {
            at.leave_mounts(root);
            at.name(&mut name)?;
            let bytes = name.as_bytes();
            let slash = usize::from(start != end);
            let from = start
                .checked_sub(slash)
                .and_then(|s| s.checked_sub(bytes.len()))
                .ok_or(ENAMETOOLONG)?;
            let to = buf.get_mut(from..start).ok_or(ENAMETOOLONG)?;
            to.iter_mut()
                .zip(Iterator::chain(bytes.iter(), b"/"))
                .for_each(|(to, byte)| *to = *byte);
            start = from;
            at = parent;
        }
        if !at.is_same(root) {
            // Moved out by a rename in the meantime: what was collected may name what the share does not show.
            return Err(EXDEV);
        }
        buf.get(start..).ok_or(EINVAL)
    }

    /// Hands the path from `root` to here to `take`, as [`Self::path_below`] writes it. Only a long one takes memory.
    ///
    /// # Errors
    ///
    /// Those of [`Self::path_below`]; `ENOMEM`.
    pub fn with_path_below<R>(&self, root: &Path, take: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let mut short = [0; SHORT];
        match self.path_below(root, &mut short) {
            Err(ENAMETOOLONG) => {
                let mut long = KVec::from_elem(0, PATH_MAX, GFP_KERNEL)?;
                self.path_below(root, &mut long).map(take)
            }
            path => path.map(take),
        }
    }

    /// Moves from the root of a mount to the entry that it covers, up to `root`.
    fn leave_mounts(&mut self, root: &Path) {
        while !self.is_same(root) && self.is_mount_root() {
            // SAFETY: by the type invariant; the references in the path are exchanged for those of the mount point.
            if unsafe { sys::follow_up(&mut self.0) } == 0 {
                return;
            }
        }
    }

    /// Returns what is here.
    pub fn file_type(&self) -> FileType {
        // SAFETY: by the type invariant; the type bits of the mode never change.
        FileType::from_mode(unsafe { (*self.inode_ptr().as_ptr()).i_mode })
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// Returns whether this is a regular file.
    pub fn is_regular(&self) -> bool {
        self.file_type() == FileType::Regular
    }

    /// Returns whether this is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.file_type() == FileType::Symlink
    }

    /// Returns what identifies the inode while this path is held.
    pub fn inode_key(&self) -> InodeKey {
        key_of(self.inode_ptr())
    }

    /// Returns the numbers of the inode.
    pub fn inode_ident(&self) -> InodeIdent {
        // SAFETY: the dentry keeps its inode alive.
        unsafe { ident_of(self.inode_ptr()) }
    }

    /// Takes a reference to the inode.
    pub fn inode(&self) -> Inode {
        // SAFETY: the dentry keeps its inode alive.
        unsafe { Inode::get(self.inode_ptr()) }
    }

    /// # Errors
    ///
    /// `ENOTDIR` unless names can be looked up here.
    pub(crate) fn require_dir(&self) -> Result {
        // SAFETY: by the type invariant.
        if unsafe { sys::ksmbd_d_can_lookup(self.0.dentry) } {
            Ok(())
        } else {
            Err(ENOTDIR)
        }
    }

    pub(crate) fn as_ptr(&self) -> *const sys::path {
        &self.0
    }

    pub(crate) fn dentry(&self) -> *mut sys::dentry {
        self.0.dentry
    }

    pub(crate) fn mnt(&self) -> *mut sys::vfsmount {
        self.0.mnt
    }

    pub(crate) fn idmap(&self) -> *mut sys::mnt_idmap {
        // SAFETY: by the type invariant; the mount keeps its mapping alive.
        unsafe { sys::ksmbd_mnt_idmap(self.0.mnt) }
    }

    pub(crate) fn inode_ptr(&self) -> NonNull<sys::inode> {
        // SAFETY: by the type invariant the dentry is positive.
        unsafe { NonNull::new_unchecked((*self.0.dentry).d_inode) }
    }
}

impl Clone for Path {
    fn clone(&self) -> Self {
        // SAFETY: by the type invariant.
        unsafe { Self::from_borrowed(&self.0) }
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        // SAFETY: by the type invariant the references are ours to give up.
        unsafe { sys::path_put(&self.0) };
    }
}

/// Room for the name of one entry.
pub struct EntryName {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl EntryName {
    /// Makes room; the name is empty.
    pub const fn new() -> Self {
        Self {
            bytes: [0; NAME_MAX],
            len: 0,
        }
    }

    /// Copies a name.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG`.
    pub fn of(name: &[u8]) -> Result<Self> {
        let mut copy = Self::new();
        let room = copy.bytes.get_mut(..name.len()).ok_or(ENAMETOOLONG)?;
        room.copy_from_slice(name);
        copy.len = name.len();
        Ok(copy)
    }

    /// Returns the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Default for EntryName {
    fn default() -> Self {
        Self::new()
    }
}
