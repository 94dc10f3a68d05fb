// SPDX-License-Identifier: GPL-2.0

//! Directories: entries created, removed, renamed, linked and listed.

use crate::{
    cred::CredScope,
    entries::{Observer, Step},
    file::{Access, File},
    mount::{breaking_delegations, WriteAccess},
    name::Name,
    path::{EntryName, Path},
    stat::Mask,
    sys,
};
use core::{marker::PhantomData, ops::ControlFlow};
use kernel::{
    error::{code::*, from_err_ptr, to_result},
    prelude::*,
};

/// How often an operation on an entry is tried again after the entry was moved by somebody else in the meantime.
const MOVE_RETRIES: u32 = 8;

/// Whether a rename may take the place of an existing entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replace {
    /// An existing entry fails with `EEXIST`.
    Never,
    /// An existing file, or an empty directory if a directory is renamed, is removed.
    Allowed,
}

/// A directory locked for a change, and the entry to be changed in it.
///
/// # Invariants
///
/// `dentry` is referenced, and the directory that holds it is locked by the current task.
struct Locked<'a> {
    dentry: *mut sys::dentry,
    _parent: PhantomData<&'a Path>,
}

impl<'a> Locked<'a> {
    /// Locks `parent` and looks up `name` in it, which must not exist.
    fn creating(parent: &'a Path, name: Name<'_>) -> Result<Self> {
        parent.require_dir()?;
        let mut qstr = name.qstr();
        // SAFETY: the path is a valid directory; `qstr` is valid during the call.
        let dentry = unsafe { sys::start_creating(parent.idmap(), parent.dentry(), &mut qstr) };
        // SAFETY: on success the directory is locked and the dentry referenced.
        let locked = unsafe { Self::from_raw(from_err_ptr(dentry)?) };
        if locked.exists() {
            return Err(EEXIST);
        }
        Ok(locked)
    }

    /// # Safety
    ///
    /// `dentry` is referenced, the reference is given up, and its directory is locked.
    unsafe fn from_raw(dentry: *mut sys::dentry) -> Self {
        // INVARIANT: by the caller's promise.
        Self {
            dentry,
            _parent: PhantomData,
        }
    }

    fn exists(&self) -> bool {
        // SAFETY: by the type invariant.
        !unsafe { (*self.dentry).d_inode }.is_null()
    }

    /// Gives up the lock and the reference to whoever consumes them.
    fn into_raw(self) -> *mut sys::dentry {
        core::mem::ManuallyDrop::new(self).dentry
    }

    /// Returns the entry as a path on the mount of `parent`, or `None` when a file system left that to be looked up.
    fn path(&self, parent: &Path) -> Option<Path> {
        let raw = sys::path {
            mnt: parent.mnt(),
            dentry: self.dentry,
        };
        // SAFETY: by the type invariant; the entry is known to be positive.
        self.exists().then(|| unsafe { Path::from_borrowed(&raw) })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::end_dirop(self.dentry) };
    }
}

/// A renaming under way.
///
/// # Invariants
///
/// `start_renaming_dentry` succeeded: both directories are locked by the current task, and the dentries referenced.
struct Renaming(sys::renamedata);

impl Drop for Renaming {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::end_renaming(&mut self.0) };
    }
}

impl Path {
    /// Creates a file and opens it. Permissions of the new file do not limit what it is opened for.
    ///
    /// `mode` holds the permission bits; a default ACL of the directory has precedence, and no umask applies.
    ///
    /// # Errors
    ///
    /// `EEXIST`, `EACCES`, `EROFS`, `ENOSPC`, `EDQUOT`, `ENOTDIR`, and what the file system says.
    pub fn create_file(
        &self,
        scope: &CredScope<'_>,
        observer: &dyn Observer,
        name: Name<'_>,
        mode: u16,
        access: Access,
    ) -> Result<File> {
        let _write = WriteAccess::get(self)?;
        for _ in 0..MOVE_RETRIES {
            match self.try_create_file(scope, observer, name, mode, access) {
                Err(EAGAIN) if !access.contains(Access::NO_WAIT) => {
                    // SAFETY: the path keeps its inode alive; no lock is held.
                    to_result(unsafe { sys::ksmbd_break_dir_deleg(self.inode_ptr().as_ptr()) })?;
                }
                other => return other,
            }
        }
        Err(EBUSY)
    }

    fn try_create_file(
        &self,
        scope: &CredScope<'_>,
        observer: &dyn Observer,
        name: Name<'_>,
        mode: u16,
        access: Access,
    ) -> Result<File> {
        let mut locked = Locked::creating(self, name)?;
        let step = Step::begin(observer, self);
        let flags = (access.open_flags() | sys::O_CREAT | sys::O_EXCL) as c_int;
        let mut raw = sys::path {
            mnt: self.mnt(),
            dentry: locked.dentry,
        };
        // SAFETY: the directory is locked and the dentry negative; if the dentry is replaced, so is the reference to it.
        let file = unsafe { sys::dentry_create(&mut raw, flags, mode & 0o7777, scope.as_ptr()) };
        locked.dentry = raw.dentry;
        let file = from_err_ptr(file)?;
        step.end(None, Some(name.as_bytes()));
        drop(locked);
        // SAFETY: what was opened is ours.
        unsafe { File::from_raw(file) }
    }

    /// Creates a directory. As for [`Self::create_file`], no umask applies to `mode`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create_file`]; `EMLINK`.
    pub fn create_dir(
        &self,
        scope: &CredScope<'_>,
        observer: &dyn Observer,
        name: Name<'_>,
        mode: u16,
    ) -> Result<Path> {
        let _write = WriteAccess::get(self)?;
        let made = breaking_delegations(|di| {
            let dentry = Locked::creating(self, name)?.into_raw();
            let step = Step::begin(observer, self);
            let inode = self.inode_ptr().as_ptr();
            // SAFETY: the directory is locked and the dentry negative. On failure the call ends the lock and the reference.
            let dentry = unsafe { sys::vfs_mkdir(self.idmap(), inode, dentry, mode & 0o7777, di) };
            // SAFETY: on success the directory is still locked, and the reference is to what the call returned.
            let locked = unsafe { Locked::from_raw(from_err_ptr(dentry)?) };
            step.end(None, Some(name.as_bytes()));
            Ok(locked.path(self))
        })?;
        self.or_lookup(scope, name, made)
    }

    /// Creates a symbolic link to `target`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create_file`].
    pub fn create_symlink(
        &self,
        scope: &CredScope<'_>,
        observer: &dyn Observer,
        name: Name<'_>,
        target: &CStr,
    ) -> Result<Path> {
        let _write = WriteAccess::get(self)?;
        let made = breaking_delegations(|di| {
            let locked = Locked::creating(self, name)?;
            let step = Step::begin(observer, self);
            let inode = self.inode_ptr().as_ptr();
            let target = target.as_char_ptr();
            // SAFETY: the directory is locked, the dentry negative, and `target` NUL-terminated.
            to_result(unsafe { sys::vfs_symlink(self.idmap(), inode, locked.dentry, target, di) })?;
            step.end(None, Some(name.as_bytes()));
            Ok(locked.path(self))
        })?;
        self.or_lookup(scope, name, made)
    }

    /// Gives the file `target` another name in this directory.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create_file`]; `EXDEV` across mounts; `EPERM` for anything but a regular file, and for a file that the user
    /// neither owns nor may read and write.
    pub fn create_link(
        &self,
        scope: &CredScope<'_>,
        observer: &dyn Observer,
        name: Name<'_>,
        target: &Path,
    ) -> Result<Path> {
        if !self.same_mount(target) {
            return Err(EXDEV);
        }
        if !target.is_regular() {
            return Err(EPERM);
        }
        if !target.is_owner(scope) {
            // A link keeps alive what its owner believes to have removed: the rule of fs.protected_hardlinks.
            target
                .may(scope, Mask::READ | Mask::WRITE)
                .map_err(|_| EPERM)?;
        }
        let _write = WriteAccess::get(self)?;
        let made = breaking_delegations(|di| {
            let locked = Locked::creating(self, name)?;
            let step = Step::begin(observer, self);
            let inode = self.inode_ptr().as_ptr();
            // SAFETY: the directory is locked, the new dentry negative, and the target valid and on the same mount.
            to_result(unsafe {
                sys::vfs_link(target.dentry(), self.idmap(), inode, locked.dentry, di)
            })?;
            step.end(None, Some(name.as_bytes()));
            Ok(locked.path(self))
        })?;
        self.or_lookup(scope, name, made)
    }

    /// Some network file systems leave the new dentry negative: then the name is looked up.
    fn or_lookup(&self, scope: &CredScope<'_>, name: Name<'_>, made: Option<Path>) -> Result<Path> {
        match made {
            Some(path) => Ok(path),
            None => self
                .lookup(scope, name, crate::path::Crossing::Refused)?
                .ok_or(ENOENT),
        }
    }

    /// Removes this entry, whatever it is; a directory must be empty.
    ///
    /// # Errors
    ///
    /// `EBUSY` for `root` itself and for a mount point, `ENOTEMPTY`, `EACCES` or `EPERM` when the user may not, `ENOENT` when it is
    /// removed already, `EROFS`.
    pub fn remove(&self, _scope: &CredScope<'_>, observer: &dyn Observer, root: &Path) -> Result {
        self.require_movable(root)?;
        let _write = WriteAccess::get(self)?;
        self.while_moving(|parent| breaking_delegations(|di| self.try_remove(observer, parent, di)))
    }

    /// Checks that the user may remove this entry, as far as permissions go: [`Self::remove`] may still fail.
    ///
    /// # Errors
    ///
    /// `EBUSY` for `root` itself and for a mount point, `EACCES` or `EPERM` when the user may not, `EROFS`.
    pub fn may_remove(&self, scope: &CredScope<'_>, root: &Path) -> Result {
        self.require_movable(root)?;
        let parent = self.holder()?;
        parent.may(scope, Mask::WRITE | Mask::EXECUTE)?;
        if parent.keeps_names_of(scope, self) {
            return Err(EPERM);
        }
        Ok(())
    }

    /// Whether names of `file` in this directory cannot be removed by the user even if he may write to the directory: it is sticky
    /// and the file somebody else's, or one of them is append-only or immutable.
    pub fn keeps_names_of(&self, _scope: &CredScope<'_>, file: &Path) -> bool {
        let (dir, inode) = (self.inode_ptr().as_ptr(), file.inode_ptr().as_ptr());
        // SAFETY: both paths keep their inodes and the mapping alive.
        unsafe { sys::ksmbd_keeps_entry(self.idmap(), dir, inode) }
    }

    fn try_remove(
        &self,
        observer: &dyn Observer,
        parent: &Path,
        di: *mut sys::delegated_inode,
    ) -> Result {
        // SAFETY: both dentries are valid and of one file system.
        let dentry = unsafe { sys::start_removing_dentry(parent.dentry(), self.dentry()) };
        // SAFETY: on success the directory is locked and the dentry referenced.
        let locked = unsafe { Locked::from_raw(from_err_ptr(dentry)?) };
        let step = Step::begin(observer, parent);
        let mut name = EntryName::new();
        self.name(&mut name)?;
        let (idmap, dir) = (self.idmap(), parent.inode_ptr().as_ptr());
        // SAFETY: the directory is locked, and the dentry positive and in it.
        to_result(unsafe {
            if self.is_dir() {
                sys::vfs_rmdir(idmap, dir, locked.dentry, di)
            } else {
                sys::vfs_unlink(idmap, dir, locked.dentry, di)
            }
        })?;
        step.end(Some(name.as_bytes()), None);
        Ok(())
    }

    /// Moves this entry to `name` in the directory `parent`, on the same mount.
    ///
    /// # Errors
    ///
    /// `EEXIST` as [`Replace`] says, `EXDEV` across mounts, `EBUSY` for `root` itself and for a mount point, `EINVAL` for a directory
    /// moved into itself, `ENOTEMPTY`, `EISDIR` and `ENOTDIR` for what cannot be replaced, `ENOENT` when it is removed already, and
    /// those of [`Self::create_file`].
    pub fn rename(
        &self,
        _scope: &CredScope<'_>,
        observer: &dyn Observer,
        root: &Path,
        parent: &Path,
        name: Name<'_>,
        replace: Replace,
    ) -> Result {
        self.require_movable(root)?;
        parent.require_dir()?;
        if !self.same_mount(parent) {
            return Err(EXDEV);
        }
        if !parent.is_beneath(root) {
            return Err(EXDEV);
        }
        if parent.is_beneath(self) {
            return Err(EINVAL);
        }
        let _write = WriteAccess::get(self)?;
        self.while_moving(|old_parent| {
            breaking_delegations(|di| {
                self.try_rename(observer, old_parent, parent, name, replace, di)
            })
        })
    }

    fn try_rename(
        &self,
        observer: &dyn Observer,
        old_parent: &Path,
        parent: &Path,
        name: Name<'_>,
        replace: Replace,
        di: *mut sys::delegated_inode,
    ) -> Result {
        let mut data = sys::renamedata {
            mnt_idmap: self.idmap(),
            old_parent: old_parent.dentry(),
            new_parent: parent.dentry(),
            delegated_inode: di,
            flags: match replace {
                Replace::Never => sys::RENAME_NOREPLACE,
                Replace::Allowed => 0,
            },
            ..Default::default()
        };
        let mut qstr = name.qstr();
        // SAFETY: all dentries are valid and of one file system; `qstr` is valid during the call.
        to_result(unsafe { sys::start_renaming_dentry(&mut data, 0, self.dentry(), &mut qstr) })?;
        // The lookup just saw under the locks that there is nothing to replace; not all file systems know the flag.
        data.flags = 0;
        // INVARIANT: the renaming was just started.
        let mut renaming = Renaming(data);
        let is_within = old_parent.inode_key() == parent.inode_key();
        let old_step = Step::begin(observer, old_parent);
        let new_step = (!is_within).then(|| Step::begin(observer, parent));
        let mut old_name = EntryName::new();
        self.name(&mut old_name)?;
        // SAFETY: by the invariant of `Renaming`.
        to_result(unsafe { sys::vfs_rename(&mut renaming.0) })?;
        let (gone, come) = (Some(old_name.as_bytes()), Some(name.as_bytes()));
        match new_step {
            None => old_step.end(gone, come),
            Some(new_step) => {
                old_step.end(gone, None);
                new_step.end(None, come);
            }
        }
        Ok(())
    }

    /// # Errors
    ///
    /// `EBUSY` for `root` and for what is mounted somewhere, `EXDEV` for what is not beneath `root`.
    fn require_movable(&self, root: &Path) -> Result {
        if self.is_mount_root() || self.is_same(root) {
            Err(EBUSY)
        } else if self.is_beneath(root) {
            Ok(())
        } else {
            Err(EXDEV)
        }
    }

    /// Runs `op` with the directory that holds this entry, again if the entry was moved to another in the meantime.
    fn while_moving(&self, op: impl Fn(&Path) -> Result) -> Result {
        for _ in 0..MOVE_RETRIES {
            match op(&self.holder()?) {
                // So the VFS says that the entry is not in that directory any more.
                Err(EINVAL) if self.is_removed() => return Err(ENOENT),
                Err(EINVAL) => {}
                other => return other,
            }
        }
        Err(EINVAL)
    }

    /// Returns the directory that holds this entry on this mount.
    fn holder(&self) -> Result<Path> {
        // SAFETY: the path is valid; the parent is returned with a reference, which `with_dentry` takes over.
        unsafe { self.with_dentry(sys::dget_parent(self.dentry())) }
    }

    /// Reads where a symbolic link points to, and returns the bytes that it takes in `buf`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for anything but a symbolic link, `ENAMETOOLONG`.
    pub fn read_link<'b>(&self, _scope: &CredScope<'_>, buf: &'b mut [u8]) -> Result<&'b [u8]> {
        let size = c_uint::try_from(buf.len()).map_err(|_| EINVAL)?;
        if !self.is_symlink() || size == 0 {
            return Err(EINVAL);
        }
        // SAFETY: the path is a valid link, and the buffer has room for `size` bytes.
        let len = unsafe { sys::ksmbd_readlink(self.dentry(), buf.as_mut_ptr().cast(), size) };
        to_result(len.min(0))?;
        buf.get(..usize::try_from(len)?).ok_or(EINVAL)
    }

    /// Returns whether a directory has no entries. It may be asked of directories that the user may not list.
    ///
    /// # Errors
    ///
    /// `ENOTDIR`, and what the file system says.
    pub fn is_empty_dir(&self, scope: &CredScope<'_>) -> Result<bool> {
        self.require_dir()?;
        let mut dir = File::open_unchecked(scope, self, Access::READ)?;
        let mut empty = true;
        dir.read_dir(scope, DirPos::START, &mut |entry| {
            if entry.is_dot() {
                return ControlFlow::Continue(());
            }
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }
}

/// A place in a directory, only good for continuing there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirPos(i64);

impl DirPos {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

/// What a directory says of an entry without looking at the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryType {
    /// It does not say.
    Unknown,
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe, socket or device.
    Special,
}

/// One entry of a directory.
#[derive(Clone, Copy)]
pub struct DirEntry<'a> {
    /// The name as it is spelled on disk; may be `.` or `..`.
    pub name: &'a [u8],
    /// The inode number that the directory holds.
    pub number: u64,
    /// What it is.
    pub kind: EntryType,
}

impl DirEntry<'_> {
    /// Returns whether it is `.` or `..`.
    pub fn is_dot(&self) -> bool {
        self.name == b"." || self.name == b".."
    }
}

/// Where a listing stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Where to go on: the entry that was not taken is first there.
    pub next: DirPos,
    /// All entries were taken.
    pub complete: bool,
}

/// How far the VFS is in handing entries on.
#[repr(C)]
struct Progress {
    ctx: sys::dir_context,
    taken: bool,
    stopped: bool,
}

/// What the VFS hands entries to. Each closure has a `collect` of its own: it is called for every entry of directories that may be
/// large.
#[repr(C)]
struct Collector<'a, F> {
    progress: Progress,
    take: &'a mut F,
}

impl File {
    /// Hands the entries of this directory from `from` on to `take`, in the file system's order, until it breaks or none is
    /// left. The entry that it breaks at counts as not taken.
    ///
    /// The directory is locked while `take` runs: it must not use the file system, and should be quick.
    ///
    /// # Errors
    ///
    /// `ENOTDIR`, `EBADF` unless open for reading, `ENOENT` for a removed directory, and what the file system says.
    pub fn read_dir<F>(
        &mut self,
        _scope: &CredScope<'_>,
        from: DirPos,
        take: &mut F,
    ) -> Result<Listing>
    where
        F: FnMut(DirEntry<'_>) -> ControlFlow<()>,
    {
        let mut collector = Collector {
            progress: Progress {
                ctx: sys::dir_context {
                    actor: Some(collect::<F>),
                    count: c_int::MAX,
                    ..Default::default()
                },
                taken: true,
                stopped: false,
            },
            take,
        };
        // The pointer must reach all of the collector, since `collect` gets back from the context to it.
        let progress = core::ptr::from_mut(&mut collector).cast::<Progress>();
        // SAFETY: the progress is the first field of a `Collector` of this closure, as `collect` needs.
        unsafe { self.iterate(from, progress) }?;
        let Progress { ctx, stopped, .. } = collector.progress;
        Ok(Listing {
            next: DirPos(ctx.pos),
            complete: !stopped,
        })
    }

    /// Has the VFS call the actor of `progress` for the entries from `from` on.
    ///
    /// # Safety
    ///
    /// `progress` is valid, and what its actor needs it to be.
    unsafe fn iterate(&mut self, from: DirPos, progress: *mut Progress) -> Result {
        if !self.is_readable() {
            return Err(EBADF);
        }
        if !self.path().is_dir() {
            return Err(ENOTDIR);
        }
        let file = self.as_ptr();
        // SAFETY: the file is open, and by the exclusive borrow nobody else moves in it.
        if unsafe { (*file).f_pos } != from.0 {
            // SAFETY: as above.
            let at = unsafe { sys::vfs_llseek(file, from.0, sys::SEEK_SET as c_int) };
            if at < 0 {
                return Err(c_int::try_from(at).map_or(EIO, Error::from_errno));
            }
        }
        loop {
            // SAFETY: by the caller's promise; nobody else uses the progress meanwhile.
            unsafe { (*progress).taken = false };
            // SAFETY: the file is an open directory, the context valid and as its actor needs it.
            to_result(unsafe { sys::iterate_dir(file, progress.cast::<sys::dir_context>()) })?;
            // SAFETY: by the caller's promise.
            let Progress { taken, stopped, .. } = unsafe { &*progress };
            if !taken || *stopped {
                return Ok(());
            }
        }
    }
}

/// Hands one entry to the closure.
///
/// # Safety
///
/// `ctx` is the first field of a `Collector<'_, F>`, exclusively borrowed, and `name` has `len` bytes.
unsafe extern "C" fn collect<F: FnMut(DirEntry<'_>) -> ControlFlow<()>>(
    ctx: *mut sys::dir_context,
    name: *const c_char,
    len: c_int,
    _offset: sys::loff_t,
    number: u64,
    kind: c_uint,
) -> bool {
    // SAFETY: by the caller's promise.
    let Collector { progress, take } = unsafe { &mut *ctx.cast::<Collector<'_, F>>() };
    let Ok(len) = usize::try_from(len) else {
        return false;
    };
    // SAFETY: by the caller's promise; the name does not change while the directory is locked.
    let name = unsafe { core::slice::from_raw_parts(name.cast::<u8>(), len) };
    let entry = DirEntry {
        name,
        number,
        kind: match kind {
            sys::DT_REG => EntryType::Regular,
            sys::DT_DIR => EntryType::Directory,
            sys::DT_LNK => EntryType::Symlink,
            sys::DT_UNKNOWN => EntryType::Unknown,
            _ => EntryType::Special,
        },
    };
    match take(entry) {
        ControlFlow::Continue(()) => {
            progress.taken = true;
            true
        }
        ControlFlow::Break(()) => {
            progress.stopped = true;
            false
        }
    }
}
