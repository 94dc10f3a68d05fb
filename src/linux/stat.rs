// SPDX-License-Identifier: GPL-2.0

//! Attributes of files and of file systems, read and changed, and the check of a user's access.

use crate::{
    cred::CredScope,
    inode::FileType,
    mount::{breaking_delegations, InodeLock, WriteAccess},
    path::Path,
    sys,
};
use kernel::{
    error::{code::*, to_result},
    prelude::*,
};

/// The bits of a mode that are permissions, set-id and sticky bits included: `S_IALLUGO`.
const PERMISSIONS: u16 = 0o7777;

/// A point in time: seconds since 1970 and nanoseconds within the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC, negative before.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Timestamp {
    fn from_raw(raw: sys::timespec64) -> Self {
        Self {
            seconds: raw.tv_sec,
            // The VFS keeps it below a second.
            nanoseconds: u32::try_from(raw.tv_nsec).unwrap_or(0),
        }
    }

    fn to_raw(self) -> Result<sys::timespec64> {
        if self.nanoseconds >= 1_000_000_000 {
            return Err(EINVAL);
        }
        Ok(sys::timespec64 {
            tv_sec: self.seconds,
            tv_nsec: c_long::try_from(self.nanoseconds)?,
        })
    }
}

/// The attributes of one file, read together.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// Type and permissions as `st_mode`.
    pub mode: u16,
    /// The owner, as seen through the mount.
    pub uid: u32,
    /// The owning group, as seen through the mount.
    pub gid: u32,
    /// The number of names.
    pub links: u32,
    /// Length in bytes.
    pub size: u64,
    /// Allocated space in units of 512 bytes.
    pub blocks: u64,
    /// Preferred unit of transfers in bytes.
    pub block_size: u32,
    /// Last access.
    pub accessed: Timestamp,
    /// Last change of the content.
    pub modified: Timestamp,
    /// Last change of the attributes.
    pub changed: Timestamp,
    /// Creation, where the file system keeps it.
    pub created: Option<Timestamp>,
    /// The inode number.
    pub number: u64,
    /// The device number that user space sees; differs between subvolumes.
    pub device: u32,
    /// The device that a special file stands for.
    pub special_device: u32,
    /// A number that changes whenever the file does, where the file system keeps it.
    pub change_cookie: Option<u64>,
    /// `STATX_ATTR_*` flags that are set.
    flags: u64,
}

impl Attributes {
    /// Returns what the file is.
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode)
    }

    /// Returns whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// Returns the permission bits, set-id and sticky bits included.
    pub fn permissions(&self) -> u16 {
        self.mode & PERMISSIONS
    }

    /// Returns whether the file system compresses the file.
    pub fn is_compressed(&self) -> bool {
        self.has(sys::STATX_ATTR_COMPRESSED)
    }

    /// Returns whether the file can never change.
    pub fn is_immutable(&self) -> bool {
        self.has(sys::STATX_ATTR_IMMUTABLE)
    }

    /// Returns whether the file can only grow.
    pub fn is_append_only(&self) -> bool {
        self.has(sys::STATX_ATTR_APPEND)
    }

    /// Returns whether the file system encrypts the file.
    pub fn is_encrypted(&self) -> bool {
        self.has(sys::STATX_ATTR_ENCRYPTED)
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    fn from_raw(raw: &sys::kstat) -> Self {
        let given = |bit: u32| raw.result_mask & bit != 0;
        Self {
            mode: raw.mode,
            uid: raw.uid.val,
            gid: raw.gid.val,
            links: raw.nlink,
            // Lengths are never negative.
            size: u64::try_from(raw.size).unwrap_or(0),
            blocks: raw.blocks,
            block_size: raw.blksize,
            accessed: Timestamp::from_raw(raw.atime),
            modified: Timestamp::from_raw(raw.mtime),
            changed: Timestamp::from_raw(raw.ctime),
            created: given(sys::STATX_BTIME).then(|| Timestamp::from_raw(raw.btime)),
            number: raw.ino,
            device: raw.dev,
            special_device: raw.rdev,
            change_cookie: given(sys::STATX_CHANGE_COOKIE).then_some(raw.change_cookie),
            flags: raw.attributes,
        }
    }
}

/// What a user wants to do with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mask(c_int);

impl Mask {
    /// Read the content or list the entries.
    pub const READ: Self = Self(sys::MAY_READ as c_int);
    /// Change the content or the entries.
    pub const WRITE: Self = Self(sys::MAY_WRITE as c_int);
    /// Execute the file or look up names in the directory.
    pub const EXECUTE: Self = Self(sys::MAY_EXEC as c_int);
    /// Add to the end of the file.
    pub const APPEND: Self = Self(sys::MAY_APPEND as c_int);
    /// The check belongs to an open.
    pub(crate) const OPEN: Self = Self(sys::MAY_OPEN as c_int);
    /// Nothing in particular.
    pub const NONE: Self = Self(0);

    /// Returns whether all of `other` is wanted.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl core::ops::BitOr for Mask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Changes to the attributes of one file; what is `None` stays.
#[derive(Clone, Copy, Default, Debug)]
pub struct Changes {
    /// The permission bits.
    pub permissions: Option<u16>,
    /// The owner, as seen through the mount.
    pub uid: Option<u32>,
    /// The owning group, as seen through the mount.
    pub gid: Option<u32>,
    /// Last access.
    pub accessed: Option<Timestamp>,
    /// Last change of the content.
    pub modified: Option<Timestamp>,
    /// Last change of the attributes, instead of the time of this one. Only who owns the file may set it.
    pub changed: Option<Timestamp>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.permissions.is_none()
            && self.uid.is_none()
            && self.gid.is_none()
            && self.accessed.is_none()
            && self.modified.is_none()
            && self.changed.is_none()
    }

    fn to_raw(self) -> Result<sys::iattr> {
        let mut raw = sys::iattr {
            ia_valid: sys::ATTR_CTIME,
            ..Default::default()
        };
        if let Some(permissions) = self.permissions {
            raw.ia_valid |= sys::ATTR_MODE;
            raw.ia_mode = permissions & PERMISSIONS;
        }
        if self.uid.is_some() || self.gid.is_some() {
            let none = u32::MAX;
            if self.uid == Some(none) || self.gid == Some(none) {
                return Err(EINVAL);
            }
            raw.ia_valid |= if self.uid.is_some() { sys::ATTR_UID } else { 0 };
            raw.ia_valid |= if self.gid.is_some() { sys::ATTR_GID } else { 0 };
            // SAFETY: `raw` is valid; ids that are not set are ignored.
            unsafe {
                sys::ksmbd_iattr_set_owner(
                    &mut raw,
                    self.uid.unwrap_or(none),
                    self.gid.unwrap_or(none),
                )
            };
        }
        if self.changed.is_some() {
            raw.ia_valid &= !sys::ATTR_CTIME;
        }
        if self.accessed.is_some() || self.modified.is_some() || self.changed.is_some() {
            // Makes the VFS refuse it for immutable files.
            raw.ia_valid |= sys::ATTR_TIMES_SET;
        }
        if let Some(time) = self.accessed {
            raw.ia_valid |= sys::ATTR_ATIME | sys::ATTR_ATIME_SET;
            raw.ia_atime = time.to_raw()?;
        }
        if let Some(time) = self.modified {
            raw.ia_valid |= sys::ATTR_MTIME | sys::ATTR_MTIME_SET;
            raw.ia_mtime = time.to_raw()?;
        }
        Ok(raw)
    }
}

/// The state of a file system. Sizes count blocks of `block_size` bytes.
#[derive(Clone, Copy, Debug)]
pub struct FsStatus {
    /// Bytes in a block.
    pub block_size: u64,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Blocks free to an ordinary user.
    pub available: u64,
    /// All inodes.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// The longest name in bytes.
    pub name_max: u64,
    /// The magic number of the file system's kind.
    pub magic: u64,
    /// An identifier of the file system.
    pub id: u64,
}

impl Path {
    /// Reads the attributes.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn attributes(&self, _scope: &CredScope<'_>) -> Result<Attributes> {
        let mut raw = sys::kstat::default();
        let mask = sys::STATX_BASIC_STATS | sys::STATX_BTIME | sys::STATX_CHANGE_COOKIE;
        // SAFETY: the path is valid; `raw` is written on success.
        to_result(unsafe {
            sys::vfs_getattr(self.as_ptr(), &mut raw, mask, sys::AT_STATX_SYNC_AS_STAT)
        })?;
        Ok(Attributes::from_raw(&raw))
    }

    /// Reads the state of the file system.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn fs_status(&self, _scope: &CredScope<'_>) -> Result<FsStatus> {
        let mut raw = [0u64; 9];
        // SAFETY: the path is valid, and the array has the length that the helper fills.
        to_result(unsafe { sys::ksmbd_statfs(self.as_ptr(), raw.as_mut_ptr()) })?;
        let [block_size, blocks, free, available, files, files_free, name_max, magic, id] = raw;
        Ok(FsStatus {
            block_size,
            blocks,
            free,
            available,
            files,
            files_free,
            name_max,
            magic,
            id,
        })
    }

    /// Checks that the user may do all of `mask`, by mode bits, ACL, capabilities and security modules.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EPERM` for an immutable file, `EROFS`.
    pub fn may(&self, _scope: &CredScope<'_>, mask: Mask) -> Result {
        // SAFETY: the path keeps its inode and mapping alive.
        to_result(unsafe { sys::inode_permission(self.idmap(), self.inode_ptr().as_ptr(), mask.0) })
    }

    /// Returns whether the user owns the file or has the capability to act as its owner.
    pub fn is_owner(&self, _scope: &CredScope<'_>) -> bool {
        // SAFETY: the path keeps its inode and mapping alive.
        unsafe { sys::inode_owner_or_capable(self.idmap(), self.inode_ptr().as_ptr()) }
    }

    /// Returns whether programs may not be run from this mount.
    pub(crate) fn is_noexec(&self) -> bool {
        // SAFETY: the path is valid.
        unsafe { sys::ksmbd_path_noexec(self.as_ptr()) }
    }

    /// Changes attributes; the time of the change is set as well.
    ///
    /// # Errors
    ///
    /// `EPERM` or `EACCES` when the user may not, `EROFS`, `EINVAL` for an id or time that does not exist.
    pub fn change(&self, scope: &CredScope<'_>, changes: Changes) -> Result {
        if changes.is_empty() {
            return Ok(());
        }
        let changed = changes.changed.map(Timestamp::to_raw).transpose()?;
        if changed.is_some() && !self.is_owner(scope) {
            return Err(EPERM);
        }
        let _write = WriteAccess::get(self)?;
        breaking_delegations(|di| {
            let mut raw = changes.to_raw()?;
            let lock = InodeLock::lock(self);
            self.complete(&changes, &mut raw);
            if let Some(changed) = changed {
                // SAFETY: the inode is locked. The VFS has no attribute for it; what follows marks the inode dirty.
                unsafe { sys::inode_set_ctime_to_ts(self.inode_ptr().as_ptr(), changed) };
            }
            let (idmap, dentry) = (self.idmap(), self.dentry());
            // SAFETY: the inode is locked; the path keeps everything alive.
            let result = to_result(unsafe { sys::notify_change(idmap, dentry, &mut raw, di) });
            drop(lock);
            result
        })
    }

    /// Returns whether the disk of the file system takes back space that is not used any more.
    pub fn can_trim(&self) -> bool {
        // SAFETY: the path keeps its file system alive.
        unsafe { sys::ksmbd_can_trim(self.dentry()) }
    }

    /// Asks the file system to compress the file from now on, or not to.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` where it cannot, `EPERM` unless the user owns the file, `EROFS`.
    pub fn set_compressed(&self, scope: &CredScope<'_>, on: bool) -> Result {
        let _write = WriteAccess::get(self)?;
        // SAFETY: the path is valid; no lock is held.
        match to_result(unsafe { sys::ksmbd_set_compressed(self.idmap(), self.dentry(), on) }) {
            Err(ENOIOCTLCMD | ENOTTY) => return Err(EOPNOTSUPP),
            other => other?,
        }
        // Some file systems take the flag and ignore it.
        if self.attributes(scope)?.is_compressed() == on {
            Ok(())
        } else {
            Err(EOPNOTSUPP)
        }
    }

    /// Adds what depends on the inode, which the caller has locked.
    fn complete(&self, changes: &Changes, raw: &mut sys::iattr) {
        let inode = self.inode_ptr().as_ptr();
        // SAFETY: the path keeps its inode alive, and the lock keeps its mode.
        // The VFS takes the new mode as a whole: without the old type the file would lose it.
        raw.ia_mode |= unsafe { (*inode).i_mode } & !PERMISSIONS;
        if (changes.uid.is_none() && changes.gid.is_none()) || self.is_dir() {
            return;
        }
        // A change of owner takes file capabilities and set-id bits away, unless the mode is set at the same time.
        raw.ia_valid |= sys::ATTR_KILL_PRIV;
        if changes.permissions.is_none() {
            // SAFETY: the inode is locked; the path keeps it and the mapping alive.
            let kill = unsafe { sys::setattr_should_drop_sgid(self.idmap(), inode) };
            raw.ia_valid |= sys::ATTR_KILL_SUID | c_uint::try_from(kill).unwrap_or(0);
        }
    }
}
