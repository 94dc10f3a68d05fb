// SPDX-License-Identifier: GPL-2.0

//! Open files: their content read, written, copied and allocated.

use crate::{
    cred::CredScope,
    inode::FileType,
    mount::{breaking_delegations, InodeLock},
    pages::PageVec,
    path::Path,
    stat::Mask,
    sys,
};
use core::ptr::NonNull;
use kernel::{
    error::{code::*, from_err_ptr, to_result},
    prelude::*,
};

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(u32);

impl Access {
    /// Read the content or list the entries.
    pub const READ: Self = Self(1);
    /// Change the content.
    pub const WRITE: Self = Self(2);
    /// Each write goes to the end, and nothing else can be changed.
    pub const APPEND: Self = Self(2 | 4);
    /// The user must be allowed to execute the file as well.
    pub const EXECUTE: Self = Self(8);
    /// Each write reaches the disk before it is answered.
    pub const WRITE_THROUGH: Self = Self(16);
    /// Past the page cache, where the file system can.
    pub const DIRECT: Self = Self(32);
    /// Fail with `EAGAIN` rather than wait for a local program to give up a lease.
    pub const NO_WAIT: Self = Self(64);

    /// Returns whether all of `other` is asked.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn open_flags(self) -> u32 {
        let mut flags = sys::O_LARGEFILE;
        flags |= match (self.contains(Self::READ), self.contains(Self::WRITE)) {
            (true, true) => sys::O_RDWR,
            (false, true) => sys::O_WRONLY,
            (_, false) => sys::O_RDONLY,
        };
        for (bit, flag) in [
            (Self::APPEND, sys::O_APPEND),
            (Self::WRITE_THROUGH, sys::O_DSYNC),
            (Self::DIRECT, sys::O_DIRECT),
            (Self::NO_WAIT, sys::O_NONBLOCK),
        ] {
            if self.contains(bit) {
                flags |= flag;
            }
        }
        flags
    }

    fn mask(self) -> Mask {
        let mut mask = Mask::OPEN;
        for (bit, part) in [
            (Self::READ, Mask::READ),
            (Self::WRITE, Mask::WRITE),
            (Self::APPEND, Mask::APPEND),
            (Self::EXECUTE, Mask::EXECUTE),
        ] {
            if self.contains(bit) {
                mask = mask | part;
            }
        }
        mask
    }
}

impl core::ops::BitOr for Access {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How one read is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadMode {
    /// It waits for the disk.
    Normal,
    /// What is not in the page cache fails with `EAGAIN`; file systems that cannot tell answer `EOPNOTSUPP`.
    Cached,
}

/// Where one write begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// At this offset.
    At(u64),
    /// At the end, wherever that is when it is the write's turn.
    End,
}

/// What one write did.
#[derive(Clone, Copy, Debug)]
pub struct Wrote {
    /// Bytes that were written.
    pub len: usize,
    /// The offset behind them.
    pub end: u64,
}

/// How far one write goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteMode {
    /// Into the page cache.
    Cached,
    /// Onto the disk.
    Through,
}

/// What happens to a range of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allocate {
    /// It gets space; the file grows when the range ends behind it.
    Extend,
    /// It gets space; the length stays.
    KeepSize,
    /// It loses its space and reads as zeros; the length stays.
    PunchHole,
    /// It reads as zeros; the length stays.
    Zero,
    /// It reads as zeros; the file grows when the range ends behind it.
    ZeroExtend,
}

impl Allocate {
    fn mode(self) -> c_int {
        let mode = match self {
            Self::Extend => 0,
            Self::KeepSize => sys::FALLOC_FL_KEEP_SIZE,
            Self::PunchHole => sys::FALLOC_FL_PUNCH_HOLE | sys::FALLOC_FL_KEEP_SIZE,
            Self::Zero => sys::FALLOC_FL_ZERO_RANGE | sys::FALLOC_FL_KEEP_SIZE,
            Self::ZeroExtend => sys::FALLOC_FL_ZERO_RANGE,
        };
        mode as c_int
    }
}

/// An open regular file or directory. Dropping it closes it, and may sleep.
///
/// # Invariants
///
/// The pointer is an open `struct file` of which this value owns a reference.
pub struct File(NonNull<sys::file>);

// SAFETY: an open file is shared between tasks by design.
unsafe impl Send for File {}
// SAFETY: as above; what depends on the file position takes its lock.
unsafe impl Sync for File {}

impl File {
    /// Takes over the reference to `raw`.
    ///
    /// # Safety
    ///
    /// `raw` is an open file, not of `O_PATH`, and its reference is given up.
    pub(crate) unsafe fn from_raw(raw: *mut sys::file) -> Result<Self> {
        NonNull::new(raw).map(Self).ok_or(ENOENT)
    }

    /// Opens what is at `path` if the user may.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EPERM`, `EISDIR` for a directory to be written, `ELOOP` for a symbolic link, `EOPNOTSUPP` for pipes, sockets and
    /// devices, `EROFS`, `ETXTBSY`, `ENFILE`, and what the file system says.
    pub fn open(scope: &CredScope<'_>, path: &Path, access: Access) -> Result<Self> {
        match path.file_type() {
            FileType::Regular => {}
            FileType::Directory if access.contains(Access::WRITE) => return Err(EISDIR),
            FileType::Directory => {}
            FileType::Symlink => return Err(ELOOP),
            FileType::Special => return Err(EOPNOTSUPP),
        }
        if access.contains(Access::EXECUTE) && path.is_regular() && path.is_noexec() {
            return Err(EACCES);
        }
        path.may(scope, access.mask())?;
        // SAFETY: the path keeps its inode alive.
        let append_only = unsafe { sys::ksmbd_is_append(path.inode_ptr().as_ptr()) };
        if append_only && access.contains(Access::WRITE) && !access.contains(Access::APPEND) {
            return Err(EPERM);
        }
        Self::open_unchecked(scope, path, access)
    }

    /// Opens what is at `path` without asking for permission: for what the user is not shown the content of.
    pub(crate) fn open_unchecked(
        scope: &CredScope<'_>,
        path: &Path,
        access: Access,
    ) -> Result<Self> {
        let flags = access.open_flags() as c_int;
        // SAFETY: the path and the credentials are valid during the call; the file takes its own references.
        let raw = unsafe { sys::dentry_open(path.as_ptr(), flags, scope.as_ptr()) };
        // SAFETY: what was opened is ours.
        unsafe { Self::from_raw(from_err_ptr(raw)?) }
    }

    /// Returns where the file was opened.
    pub fn path(&self) -> &Path {
        // SAFETY: an open file keeps a reference to its path, which never changes and is positive.
        unsafe { Path::from_ref(sys::ksmbd_file_path(self.0.as_ptr())) }
    }

    /// Returns whether the file was opened for reading.
    pub fn is_readable(&self) -> bool {
        self.has_mode(sys::KSMBD_FMODE_READ)
    }

    /// Returns whether the file was opened for writing.
    pub fn is_writable(&self) -> bool {
        self.has_mode(sys::KSMBD_FMODE_WRITE)
    }

    fn has_mode(&self, mode: sys::fmode_t) -> bool {
        // SAFETY: by the type invariant; the mode does not change after opening.
        unsafe { (*self.0.as_ptr()).f_mode & mode == mode }
    }

    /// Returns the length in bytes, which others may change at any time.
    pub fn size(&self) -> u64 {
        // SAFETY: by the type invariant.
        let size = unsafe { sys::ksmbd_file_size(self.0.as_ptr()) };
        u64::try_from(size).unwrap_or(0)
    }

    /// Returns the length in bytes that no file of the file system can exceed.
    pub fn max_size(&self) -> u64 {
        // SAFETY: by the type invariant.
        let size = unsafe { sys::ksmbd_file_max_size(self.0.as_ptr()) };
        u64::try_from(size).unwrap_or(0)
    }

    /// Reads into `buf` from `pos` on and returns how much there was; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// `EBADF` unless open for reading, `EISDIR` or `EINVAL` for what has no content, and those of [`ReadMode`].
    pub fn read(
        &self,
        _scope: &CredScope<'_>,
        buf: &mut [u8],
        pos: u64,
        mode: ReadMode,
    ) -> Result<usize> {
        let vec = sys::kvec {
            iov_base: buf.as_mut_ptr().cast(),
            iov_len: buf.len(),
        };
        let mut iter = sys::iov_iter::default();
        // SAFETY: `vec` describes `buf`; both outlive the use of `iter` in this function.
        unsafe { sys::iov_iter_kvec(&mut iter, sys::ITER_DEST, &vec, 1, buf.len()) };
        // SAFETY: what `iter` refers to may be written.
        unsafe { self.read_iter(&mut iter, pos, mode) }
    }

    /// Reads into the room of `pages` from `pos` on, and makes it their payload.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`]; `EINVAL` for pages that others have too.
    pub fn read_pages(
        &self,
        _scope: &CredScope<'_>,
        pages: &mut PageVec,
        pos: u64,
        mode: ReadMode,
    ) -> Result<usize> {
        if pages.is_shared() {
            return Err(EINVAL);
        }
        let mut iter = sys::iov_iter::default();
        let (vecs, room) = (pages.as_bvecs(), pages.capacity());
        // SAFETY: the elements' lengths add up to `room`, and the vector outlives the use of `iter` in this function.
        unsafe { sys::iov_iter_bvec(&mut iter, sys::ITER_DEST, vecs.as_ptr(), vecs.len(), room) };
        // SAFETY: the pages belong to the vector alone, which is exclusively borrowed.
        let len = unsafe { self.read_iter(&mut iter, pos, mode) }?;
        // SAFETY: as many bytes were written from the front.
        unsafe { pages.set_len(len) };
        Ok(len)
    }

    /// # Safety
    ///
    /// `iter` is a destination that may be written.
    unsafe fn read_iter(
        &self,
        iter: &mut sys::iov_iter,
        pos: u64,
        mode: ReadMode,
    ) -> Result<usize> {
        let mut pos = offset(pos)?;
        let flags = match mode {
            ReadMode::Normal => 0,
            ReadMode::Cached => sys::KSMBD_RWF_NOWAIT,
        };
        // SAFETY: by the type invariant and the caller's promise.
        length(unsafe { sys::vfs_iter_read(self.0.as_ptr(), iter, &mut pos, flags) })
    }

    /// Writes `data` from `begin` on, or at the end if opened so.
    ///
    /// # Errors
    ///
    /// `EBADF` unless open for writing, `ENOSPC`, `EDQUOT`, `EFBIG`, and what the file system says.
    pub fn write(
        &self,
        _scope: &CredScope<'_>,
        data: &[u8],
        begin: Begin,
        mode: WriteMode,
    ) -> Result<Wrote> {
        let vec = sys::kvec {
            iov_base: data.as_ptr().cast_mut().cast(),
            iov_len: data.len(),
        };
        let mut iter = sys::iov_iter::default();
        // SAFETY: `vec` describes `data`; both outlive the use of `iter` in this function. A source is only read.
        unsafe { sys::iov_iter_kvec(&mut iter, sys::ITER_SOURCE, &vec, 1, data.len()) };
        // SAFETY: what `iter` refers to may be read.
        unsafe { self.write_iter(&mut iter, begin, mode) }
    }

    /// Writes the first `limit` bytes of the payload of `pages` from `begin` on, or at the end if opened so.
    ///
    /// # Errors
    ///
    /// Those of [`Self::write`].
    pub fn write_pages(
        &self,
        _scope: &CredScope<'_>,
        pages: &PageVec,
        limit: usize,
        begin: Begin,
        mode: WriteMode,
    ) -> Result<Wrote> {
        let mut iter = sys::iov_iter::default();
        let (vecs, len) = (pages.as_bvecs(), pages.len().min(limit));
        // SAFETY: the elements hold at least `len` bytes, and the vector outlives the use of `iter` in this function.
        unsafe { sys::iov_iter_bvec(&mut iter, sys::ITER_SOURCE, vecs.as_ptr(), vecs.len(), len) };
        // SAFETY: the payload may be read.
        unsafe { self.write_iter(&mut iter, begin, mode) }
    }

    /// # Safety
    ///
    /// `iter` is a source that may be read.
    unsafe fn write_iter(
        &self,
        iter: &mut sys::iov_iter,
        begin: Begin,
        mode: WriteMode,
    ) -> Result<Wrote> {
        let (mut pos, append) = match begin {
            Begin::At(pos) => (offset(pos)?, 0),
            // The end is taken under the lock that the write is made under.
            Begin::End => (0, sys::KSMBD_RWF_APPEND),
        };
        let sync = match mode {
            WriteMode::Cached => 0,
            WriteMode::Through => sys::KSMBD_RWF_DSYNC,
        };
        let flags = append | sync;
        // SAFETY: by the type invariant and the caller's promise.
        let done = unsafe { sys::vfs_iter_write(self.0.as_ptr(), iter, &mut pos, flags) };
        Ok(Wrote {
            len: length(done)?,
            end: u64::try_from(pos).unwrap_or(0),
        })
    }

    /// Appends to `pages` references to what the page cache holds of `len` bytes from `pos` on, reading what it lacks, and
    /// returns how much there was. Nothing is copied; what others write to the file meanwhile shows in the pages.
    ///
    /// # Errors
    ///
    /// `EBADF` unless open for reading, `EINVAL` for what cannot be spliced or for pages with unfilled room, `ENOMEM`.
    pub fn splice_pages(
        &self,
        _scope: &CredScope<'_>,
        pos: u64,
        len: usize,
        pages: &mut PageVec,
    ) -> Result<usize> {
        if !self.is_readable() {
            return Err(EBADF);
        }
        let before = pages.len();
        let pos = offset(pos)?;
        pos.checked_add(i64::try_from(len)?).ok_or(EINVAL)?;
        let ctx = core::ptr::from_mut(pages).cast();
        // SAFETY: by the type invariant; `take_page` gets `pages`, which is exclusively borrowed until the call returns.
        let done =
            unsafe { sys::ksmbd_splice_pages(self.0.as_ptr(), pos, len, Some(take_page), ctx) };
        match length(done) {
            Ok(len) => Ok(len),
            Err(error) => {
                pages.truncate(before);
                Err(error)
            }
        }
    }

    /// Writes what is cached of the file and its attributes to the disk.
    ///
    /// # Errors
    ///
    /// `EIO`, `ENOSPC`, and what the file system says.
    pub fn sync(&self, _scope: &CredScope<'_>) -> Result {
        // SAFETY: by the type invariant.
        to_result(unsafe { sys::vfs_fsync(self.0.as_ptr(), 0) })
    }

    /// Writes what is cached of the file to the disk, and of the attributes only what is needed to read it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::sync`].
    pub fn sync_data(&self, _scope: &CredScope<'_>) -> Result {
        // SAFETY: by the type invariant.
        to_result(unsafe { sys::vfs_fsync(self.0.as_ptr(), 1) })
    }

    /// Says whether reading and writing through this file from now on leaves the times as they are: `written` those of the
    /// last write and change, `accessed` that of the last access.
    pub fn keep_times(&self, written: bool, accessed: bool) {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_file_keep_times(self.0.as_ptr(), written, accessed) }
    }

    /// Cuts or extends the file to `len` bytes.
    ///
    /// # Errors
    ///
    /// `EBADF` unless open for writing, `EINVAL` for a directory, `EPERM` for an append-only file, `EFBIG`, `ENOSPC`.
    pub fn truncate(&self, scope: &CredScope<'_>, len: u64) -> Result {
        let size = offset(len).map_err(|_| EFBIG)?;
        self.resize(scope, Some(size))
    }

    /// Gives back the space that was reserved behind the end, wherever that is by then.
    ///
    /// # Errors
    ///
    /// As [`Self::truncate`].
    pub fn release_beyond_end(&self, scope: &CredScope<'_>) -> Result {
        self.resize(scope, None)
    }

    fn resize(&self, _scope: &CredScope<'_>, size: Option<i64>) -> Result {
        let path = self.path();
        if !self.is_writable() {
            return Err(EBADF);
        }
        if !path.is_regular() {
            return Err(EINVAL);
        }
        let inode = path.inode_ptr().as_ptr();
        // SAFETY: the path keeps its inode alive.
        if unsafe { sys::ksmbd_is_append(inode) } {
            return Err(EPERM);
        }
        // SAFETY: as above; no lock is held.
        to_result(unsafe { sys::ksmbd_break_lease_for_write(inode) })?;
        // SAFETY: by the type invariant; ended below.
        unsafe { sys::ksmbd_file_start_write(self.0.as_ptr()) };
        let result = breaking_delegations(|di| self.set_size(path, size, di));
        // SAFETY: started above.
        unsafe { sys::ksmbd_file_end_write(self.0.as_ptr()) };
        result
    }

    fn set_size(&self, path: &Path, size: Option<i64>, di: *mut sys::delegated_inode) -> Result {
        let mut attr = sys::iattr {
            ia_valid: sys::ATTR_SIZE
                | sys::ATTR_FILE
                | sys::ATTR_MTIME
                | sys::ATTR_CTIME
                | sys::ATTR_KILL_PRIV,
            ia_file: self.0.as_ptr(),
            ..Default::default()
        };
        let _lock = InodeLock::lock(path);
        // SAFETY: by the type invariant; the inode is locked, so that nobody moves the end meanwhile.
        attr.ia_size = size.unwrap_or_else(|| unsafe { sys::ksmbd_file_size(self.0.as_ptr()) });
        // SAFETY: the inode is locked.
        let kill =
            unsafe { sys::setattr_should_drop_suidgid(path.idmap(), path.inode_ptr().as_ptr()) };
        if let Ok(kill @ 1..) = c_uint::try_from(kill) {
            // Like any write, it takes the set-id bits away from whoever may write but does not own the file.
            attr.ia_valid |= kill | sys::ATTR_FORCE;
        }
        // SAFETY: the inode is locked; path and file are valid.
        to_result(unsafe { sys::notify_change(path.idmap(), path.dentry(), &mut attr, di) })
    }

    /// Allocates, frees or zeroes `len` bytes from `pos` on.
    ///
    /// # Errors
    ///
    /// `EBADF` unless open for writing, `EOPNOTSUPP` where the file system cannot, `ENOSPC`, `EFBIG`, `EINVAL` for no bytes.
    pub fn allocate(&self, _scope: &CredScope<'_>, how: Allocate, pos: u64, len: u64) -> Result {
        let (pos, len) = (offset(pos)?, offset(len)?);
        // SAFETY: by the type invariant.
        to_result(unsafe { sys::vfs_fallocate(self.0.as_ptr(), how.mode(), pos, len) })
    }

    /// Returns where the first data at or after `pos` begins, or `None` when only a hole follows.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn seek_data(&self, _scope: &CredScope<'_>, pos: u64) -> Result<Option<u64>> {
        self.seek(pos, sys::SEEK_DATA)
    }

    /// Returns where the first hole at or after `pos` begins, at the latest the end; `None` when `pos` is behind the end.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn seek_hole(&self, _scope: &CredScope<'_>, pos: u64) -> Result<Option<u64>> {
        self.seek(pos, sys::SEEK_HOLE)
    }

    fn seek(&self, pos: u64, whence: u32) -> Result<Option<u64>> {
        let (pos, whence) = (offset(pos)?, c_int::try_from(whence)?);
        let _position = self.lock_position();
        // SAFETY: by the type invariant; the position is locked.
        let found = unsafe { sys::vfs_llseek(self.0.as_ptr(), pos, whence) };
        match u64::try_from(found) {
            Ok(found) => Ok(Some(found)),
            Err(_) => match error_of(found) {
                ENXIO => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Copies `len` bytes from `pos` of this file to `to_pos` of `to`, without going through a buffer of the caller's where the
    /// file system can share or copy by itself, and returns how much was copied.
    ///
    /// # Errors
    ///
    /// `EBADF` unless this is open for reading and `to` for writing, `EINVAL` for overlapping ranges of one file, `ENOSPC`.
    pub fn copy_range(
        &self,
        _scope: &CredScope<'_>,
        pos: u64,
        to: &File,
        to_pos: u64,
        len: usize,
    ) -> Result<usize> {
        let (pos, to_pos) = (offset(pos)?, offset(to_pos)?);
        let copy = |flags| {
            // SAFETY: both files are open by the type invariant.
            let done = unsafe {
                sys::vfs_copy_file_range(self.0.as_ptr(), pos, to.0.as_ptr(), to_pos, len, flags)
            };
            length(done)
        };
        match copy(0) {
            Err(EXDEV | EOPNOTSUPP) => copy(sys::COPY_FILE_SPLICE),
            other => other,
        }
    }

    /// Makes `len` bytes at `to_pos` of `to` share the space of those at `pos` of this file.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` or `EXDEV` where that is impossible, `EINVAL` for what is not aligned to blocks, `EBADF`, `EIO` when less than all
    /// of it could be shared.
    pub fn clone_range(
        &self,
        _scope: &CredScope<'_>,
        pos: u64,
        to: &File,
        to_pos: u64,
        len: u64,
    ) -> Result {
        let (pos, to_pos, wanted) = (offset(pos)?, offset(to_pos)?, offset(len)?);
        // SAFETY: both files are open by the type invariant.
        let done = unsafe {
            sys::vfs_clone_file_range(self.0.as_ptr(), pos, to.0.as_ptr(), to_pos, wanted, 0)
        };
        if done < 0 {
            return Err(error_of(done));
        }
        if done == wanted {
            Ok(())
        } else {
            Err(EIO)
        }
    }

    /// Locks the file position for as long as the guard lives.
    pub(crate) fn lock_position(&self) -> PositionLock<'_> {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_file_pos_lock(self.0.as_ptr()) };
        PositionLock(self)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::file {
        self.0.as_ptr()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: by the type invariant the reference is ours to give up.
        unsafe { sys::ksmbd_file_close(self.0.as_ptr()) };
    }
}

/// The lock of a file's position.
///
/// # Invariants
///
/// The current task holds it.
pub(crate) struct PositionLock<'a>(&'a File);

impl Drop for PositionLock<'_> {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::ksmbd_file_pos_unlock(self.0 .0.as_ptr()) };
    }
}

/// Appends one stretch of page cache to the [`PageVec`] at `ctx`.
///
/// # Safety
///
/// `ctx` is an exclusively borrowed `PageVec`, and the caller has a reference to `page` with `len` valid bytes at `offset`.
unsafe extern "C" fn take_page(
    ctx: *mut c_void,
    page: *mut sys::page,
    offset: c_uint,
    len: c_uint,
) -> c_int {
    // SAFETY: by the caller's promise.
    let pages = unsafe { &mut *ctx.cast::<PageVec>() };
    let Some(page) = NonNull::new(page) else {
        return EIO.to_errno();
    };
    // SAFETY: the pipe has a reference to the page and confirmed its content.
    match unsafe { pages.push_ref(page, offset as usize, len as usize) } {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// Takes a position or length of the protocol to the VFS, which knows only those below 2^63.
fn offset(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| EINVAL)
}

/// Takes the result of a read or write apart.
fn length(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| error_of(result as i64))
}

/// Takes a negative result for an error.
fn error_of(result: i64) -> Error {
    c_int::try_from(result).map_or(EIO, Error::from_errno)
}
