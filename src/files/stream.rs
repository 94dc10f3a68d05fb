// SPDX-License-Identifier: GPL-2.0

//! Named data streams ([MS-FSCC] 2.1.5.3, [MS-FSA] 2.1.5.1), on shares that have them.
//!
//! A stream is an extended attribute `user.DosStream.<name>:$DATA` whose value is the data and one zero byte, as Samba's
//! `streams_xattr` keeps it. The kernel checks each access to it against the permissions of the file, in the user's name.
//! Opens of one stream share its modes among themselves ([`stream_table`](super::stream_table)); of the file itself they are
//! opens for attributes alone, so that the file's deletion waits for them.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use linux::cred::CredScope;
use linux::file::{Access, Begin, File};
use linux::path::Path;
use linux::xattr::{XattrSet, XATTR_NAME_MAX, XATTR_SIZE_MAX};
use smb_model::access::Mask;
use smb_model::attributes::Attributes;
use smb_model::create::{Action, Parameters};
use smb_model::wildcard;
use smb_proto::change_notify::{Action as Event, CompletionFilter};
use smb_proto::status::NtStatus;

use crate::server::Server;
use crate::smb2::wait::Waker;

use super::attributes::FileAttributes;
use super::ea::Names;
use super::errors::status_of;
use super::file::OpenedFile;
use super::notify::{self, What};
use super::stream_table::{Admission, Busy, Key};
use super::{OpenFiles, Tree};

/// What the name of an attribute with a stream begins with.
const PREFIX: &[u8] = b"user.DosStream.";
/// What it ends with.
const SUFFIX: &[u8] = b":$DATA";
/// Most data that a stream can have, bytes: a value also has its zero.
const MAX_SIZE: usize = XATTR_SIZE_MAX - 1;
/// The value of a stream without data.
const EMPTY: &[u8] = &[0];
/// How often a value that grows while it is read is read again.
const RACES: u32 = 4;

/// The stream that a CREATE names.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    /// As the client sent them: they are about the stream, not about its file.
    pub(crate) parameters: Parameters,
}

/// A stream that was let in, before its file is handed over to it.
pub(crate) struct Entered {
    admission: Admission,
    delete_on_close: bool,
    pub(crate) action: Action,
    /// Bytes of data.
    pub(crate) size: u64,
}

/// What is known of the file when its stream is opened.
pub(crate) struct Base<'a> {
    pub(crate) path: &'a Path,
    /// The DOS attributes of a file that was there; `None` for one that was made for its stream.
    pub(crate) existing: Option<Attributes>,
    /// What the user may do with it.
    pub(crate) maximal: Mask,
    pub(crate) granted: Mask,
}

impl Named<'_> {
    /// Finds or makes the stream as its disposition says, and lets the open in.
    ///
    /// # Errors
    ///
    /// `STATUS_OBJECT_NAME_NOT_FOUND`, `STATUS_OBJECT_NAME_COLLISION`, `STATUS_OBJECT_NAME_INVALID` for a name that is too
    /// long to be kept, `STATUS_ACCESS_DENIED`, `STATUS_CANNOT_DELETE`, those of the file system, and [`Busy::Later`].
    pub(crate) fn enter(
        &self,
        server: &Server,
        scope: &CredScope<'_>,
        tree: &Tree,
        base: &Base<'_>,
        waker: Option<&Waker>,
    ) -> Result<Entered, Busy> {
        let asked = &self.parameters;
        if asked.makes_directory() {
            return Err(NtStatus::NOT_A_DIRECTORY.into());
        }
        asked.check_granted(base.granted)?;
        let is_read_only = base
            .existing
            .is_some_and(|dos| dos.contains(Attributes::READONLY));
        if is_read_only && asked.deletes_on_close() {
            return Err(NtStatus::CANNOT_DELETE.into());
        }
        let key = Key::new(base.path, self.name)?;
        let access = base.granted.union(asked.implied_access());
        let admission = server.streams.admit(&key, access, asked.share)?;
        let entered = self.find_or_make(server, scope, tree, base, &admission, &key, waker);
        if entered.is_err() {
            admission.abandon(base.path);
        }
        let (action, size) = entered?;
        let delete_on_close = asked.deletes_on_close();
        Ok(Entered {
            admission,
            delete_on_close,
            action,
            size,
        })
    }

    /// Finds or makes the stream; gives what was done and its size.
    #[allow(clippy::too_many_arguments)]
    fn find_or_make(
        &self,
        server: &Server,
        scope: &CredScope<'_>,
        tree: &Tree,
        base: &Base<'_>,
        admission: &Admission,
        key: &Key,
        waker: Option<&Waker>,
    ) -> Result<(Action, u64), Busy> {
        let asked = &self.parameters;
        let is_read_only = base
            .existing
            .is_some_and(|dos| dos.contains(Attributes::READONLY));
        let turn = admission.state.take_turn(waker)?;
        turn.check(key)?;
        let found = find(scope, base.path, self.name)?;
        let action = asked.disposition.action(found.is_some())?;
        if action != Action::Opened {
            let may = base.maximal.contains(asked.implied_access());
            if is_read_only || !may || !tree.is_writable {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
        }
        let (full, how) = match found {
            Some(full) => (full, XattrSet::Replace),
            None => (full_name(self.name)?, XattrSet::Create),
        };
        let size = if action == Action::Opened {
            size(scope, base.path, &full)?.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?
        } else {
            set(scope, base.path, &full, EMPTY, how)?;
            0
        };
        let full = Arc::new(full, GFP_KERNEL).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        turn.set_full(&full);
        drop(turn);
        let what = match action {
            Action::Opened => None,
            Action::Created => Some(ADDED),
            Action::Superseded | Action::Overwritten => Some(MODIFIED),
        };
        if let Some(what) = what {
            tell(&server.files, tree, base.path, &full, what);
        }
        Ok((action, size))
    }
}

/// What those who watch are told of streams, [MS-FSCC] 2.7.1.
const ADDED: What = What {
    action: Event::ADDED_STREAM,
    filter: CompletionFilter::STREAM_NAME,
};
const REMOVED: What = What {
    action: Event::REMOVED_STREAM,
    filter: CompletionFilter::STREAM_NAME,
};
const MODIFIED: What = What {
    action: Event::MODIFIED_STREAM,
    filter: CompletionFilter::STREAM_SIZE.union(CompletionFilter::STREAM_WRITE),
};

/// Tells those who watch what happened to the stream that the attribute `full` keeps.
fn tell(files: &OpenFiles, tree: &Tree, path: &Path, full: &CStr, what: What) {
    if let (Some(root), Some(name)) = (tree.share.directory(), stream_name(full)) {
        notify::stream_changed(files, root, path, name, what);
    }
}

/// The name of the attribute that keeps the stream `stream`.
fn full_name(stream: &str) -> Result<CString, NtStatus> {
    let full = CString::try_from_fmt(fmt!("user.DosStream.{}:$DATA", stream))
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    if full.to_bytes().len() > XATTR_NAME_MAX {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(full)
}

/// The stream that the attribute `full` keeps, if it is one of those.
pub(crate) fn stream_name(full: &CStr) -> Option<&str> {
    let name = full.to_bytes().strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    core::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty())
}

/// The attribute that keeps the stream `stream`, in whatever case.
fn find(scope: &CredScope<'_>, path: &Path, stream: &str) -> Result<Option<CString>, NtStatus> {
    let names = Names::read(scope, path)?;
    let is_it =
        |full: &&CStr| stream_name(full).is_some_and(|name| wildcard::same_name(name, stream));
    let Some(full) = names.all().find(is_it) else {
        return Ok(None);
    };
    let copy = CString::try_from(full).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    Ok(Some(copy))
}

/// Bytes of data in the stream that `full` keeps; `None` if it is gone.
fn size(scope: &CredScope<'_>, path: &Path, full: &CStr) -> Result<Option<u64>, NtStatus> {
    let len = path.xattr_len(scope, full).map_err(status_of)?;
    Ok(len.map(|len| u64::try_from(len.saturating_sub(1)).unwrap_or(u64::MAX)))
}

fn set(
    scope: &CredScope<'_>,
    path: &Path,
    full: &CStr,
    value: &[u8],
    how: XattrSet,
) -> Result<(), NtStatus> {
    path.set_xattr(scope, full, value, how)
        .map_err(|error| match error {
            e if e == ENODATA => NtStatus::FILE_DELETED,
            e if e == E2BIG || e == ERANGE => NtStatus::DISK_FULL,
            e => status_of(e),
        })
}

/// Calls `each` with the name of every stream of a file that the user may read and its size in bytes, as long as it says
/// `true`; whether it always did.
pub(crate) fn list(
    scope: &CredScope<'_>,
    path: &Path,
    each: &mut dyn FnMut(&str, u64) -> bool,
) -> Result<bool, NtStatus> {
    let names = Names::read(scope, path)?;
    for full in names.all() {
        let Some(name) = stream_name(full) else {
            continue;
        };
        if let Ok(Some(size)) = size(scope, path, full) {
            if !each(name, size) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Removes all streams of a file whose data is replaced, [MS-FSA] 2.1.5.1.2.1.
pub(crate) fn remove_all(scope: &CredScope<'_>, path: &Path) -> Result<(), NtStatus> {
    let names = Names::read(scope, path)?;
    for full in names.all().filter(|full| stream_name(full).is_some()) {
        path.remove_xattr(scope, full).map_err(status_of)?;
    }
    Ok(())
}

impl Admission {
    /// Gives up an open that failed on the way. A deletion that others asked for meanwhile is not lost with it.
    fn abandon(&self, path: &Path) {
        if let Some(tree) = self.leave() {
            if let Ok(full) = self.state.full() {
                let scope = tree.enter();
                let _ = path.remove_xattr(&scope, &full);
            }
            self.forget();
        }
    }
}

/// An open stream.
pub(crate) struct OpenedStream {
    /// The file, opened for its attributes.
    pub(crate) base: OpenedFile,
    admission: Admission,
    /// Whether this open's close marks the stream for deletion.
    delete_on_close: Atomic<bool>,
}

impl OpenedStream {
    pub(crate) fn new(base: OpenedFile, entered: Entered) -> Self {
        OpenedStream {
            base,
            admission: entered.admission,
            delete_on_close: Atomic::new(entered.delete_on_close),
        }
    }

    /// The attribute that keeps the stream; [`stream_name`] tells the stream's name by it.
    pub(crate) fn full(&self) -> Result<Arc<CString>, NtStatus> {
        self.admission.state.full()
    }

    /// The file's attributes, with the size of the stream.
    pub(crate) fn attributes(
        &self,
        scope: &CredScope<'_>,
        tree: &Tree,
    ) -> Result<FileAttributes, NtStatus> {
        let full = self.full()?;
        let size = size(scope, &self.base.path, &full)?.ok_or(NtStatus::FILE_DELETED)?;
        Ok(FileAttributes::read(scope, tree, &self.base.path)?.of_stream(size))
    }

    /// The data.
    pub(crate) fn read(&self, scope: &CredScope<'_>) -> Result<KVVec<u8>, NtStatus> {
        value(scope, &self.base.path, &self.full()?)
    }

    /// Replaces bytes from `begin` on; what is between the end and there becomes zero. Gives the offset behind them.
    ///
    /// # Errors
    ///
    /// `STATUS_DISK_FULL` if the stream would be longer than the file system can keep, [`Busy::Later`].
    pub(crate) fn write(
        &self,
        scope: &CredScope<'_>,
        tree: &Tree,
        begin: Begin,
        data: &[u8],
        waker: Option<&Waker>,
    ) -> Result<u64, Busy> {
        let _turn = self.admission.state.take_turn(waker)?;
        let full = self.full()?;
        let mut value = value(scope, &self.base.path, &full)?;
        let size = u64::try_from(value.len()).unwrap_or(u64::MAX);
        let offset = match begin {
            Begin::At(offset) => offset,
            Begin::End => size,
        };
        let start = usize::try_from(offset).map_err(|_| NtStatus::DISK_FULL)?;
        let end = start.checked_add(data.len()).filter(|end| *end <= MAX_SIZE);
        let end = end.ok_or(NtStatus::DISK_FULL)?;
        let behind = u64::try_from(end).unwrap_or(u64::MAX);
        if data.is_empty() {
            return Ok(behind);
        }
        let size = value.len().max(end);
        resize(&mut value, size)?;
        let room = value.get_mut(start..end).ok_or(NtStatus::INTERNAL_ERROR)?;
        for (to, from) in room.iter_mut().zip(data) {
            *to = *from;
        }
        set(scope, &self.base.path, &full, &value, XattrSet::Replace)?;
        tell(self.files(), tree, &self.base.path, &full, MODIFIED);
        Ok(behind)
    }

    /// Cuts or extends the stream to `size` bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub(crate) fn set_size(
        &self,
        scope: &CredScope<'_>,
        tree: &Tree,
        size: u64,
        waker: Option<&Waker>,
    ) -> Result<(), Busy> {
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_SIZE);
        let size = size.ok_or(NtStatus::DISK_FULL)?;
        let _turn = self.admission.state.take_turn(waker)?;
        let full = self.full()?;
        let mut value = value(scope, &self.base.path, &full)?;
        resize(&mut value, size)?;
        set(scope, &self.base.path, &full, &value, XattrSet::Replace)?;
        tell(self.files(), tree, &self.base.path, &full, MODIFIED);
        Ok(())
    }

    /// Gives the stream another name, [MS-FSA] 2.1.5.15.12. With `replace` it takes the place of a stream without data.
    ///
    /// # Errors
    ///
    /// `STATUS_OBJECT_NAME_COLLISION`, `STATUS_INVALID_PARAMETER` for the name of a stream that is open or has data,
    /// `STATUS_DELETE_PENDING`, `STATUS_OBJECT_NAME_INVALID`, and those of [`Self::write`].
    pub(crate) fn rename(
        &self,
        server: &Server,
        scope: &CredScope<'_>,
        tree: &Tree,
        new: &str,
        replace: bool,
        waker: Option<&Waker>,
    ) -> Result<(), Busy> {
        let (path, state) = (&self.base.path, &self.admission.state);
        let turn = state.take_turn(waker)?;
        if state.is_delete_pending() {
            return Err(NtStatus::DELETE_PENDING.into());
        }
        let old = self.full()?;
        let (key, old_key) = (
            Key::new(path, new)?,
            Key::new(path, stream_name(&old).unwrap_or(""))?,
        );
        let to = Arc::new(full_name(new)?, GFP_KERNEL);
        let to = to.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        if key == old_key {
            // In another case at most.
            if to.to_bytes() != old.to_bytes() {
                move_value(scope, path, &old, &to)?;
                turn.set_full(&to);
            }
            return Ok(());
        }
        if let Some(existing) = find(scope, path, new)? {
            if !replace {
                return Err(NtStatus::OBJECT_NAME_COLLISION.into());
            }
            if size(scope, path, &existing)?.unwrap_or(0) > 0 {
                return Err(NtStatus::INVALID_PARAMETER.into());
            }
        }
        server.streams.reserve(&key, state)?;
        let moved = self.take_name(scope, new, &old, &to);
        server.streams.settle(&key, state, moved.is_ok());
        moved?;
        turn.set_full(&to);
        drop(turn);
        tell(&server.files, tree, path, &old, REMOVED);
        tell(&server.files, tree, path, &to, ADDED);
        Ok(())
    }

    /// Moves the value to the attribute `to`, in the place of what keeps a stream called `new`.
    fn take_name(
        &self,
        scope: &CredScope<'_>,
        new: &str,
        old: &CStr,
        to: &CStr,
    ) -> Result<(), NtStatus> {
        let path = &self.base.path;
        if let Some(existing) = find(scope, path, new)? {
            path.remove_xattr(scope, &existing).map_err(status_of)?;
        }
        move_value(scope, path, old, to)
    }

    /// Brings the stream to the disk, with its file.
    pub(crate) fn flush(&self, scope: &CredScope<'_>) -> Result<(), NtStatus> {
        let file = File::open(scope, &self.base.path, Access::READ).map_err(status_of)?;
        file.sync(scope).map_err(status_of)
    }

    /// Whether the last close deletes the stream.
    pub(crate) fn is_delete_pending(&self) -> bool {
        self.admission.state.is_delete_pending()
    }

    /// Marks the stream for deletion by the last close, in the name of the user of `tree`, or takes the mark back.
    pub(crate) fn set_deletion(&self, tree: Option<&Arc<Tree>>) {
        self.admission.state.set_deletion(tree);
    }

    /// Takes the open out, and deletes the stream if this was the last one and it is to go; then the same for its file.
    pub(crate) fn close(&self, server: &Arc<Server>, tree: &Arc<Tree>) {
        if self.delete_on_close.load(Relaxed) {
            self.set_deletion(Some(tree));
        }
        if let Some(tree) = self.admission.leave() {
            if let Ok(full) = self.full() {
                let scope = tree.enter();
                // What the user may not delete after all stays.
                let removed = self.base.path.remove_xattr(&scope, &full);
                drop(scope);
                if removed.is_ok() {
                    tell(&server.files, &tree, &self.base.path, &full, REMOVED);
                }
            }
            self.admission.forget();
        }
        self.base.close(server, tree);
    }

    fn files(&self) -> &OpenFiles {
        self.base.admission.files()
    }
}

/// The data that the attribute `full` keeps.
fn value(scope: &CredScope<'_>, path: &Path, full: &CStr) -> Result<KVVec<u8>, NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    for _ in 0..RACES {
        let len = path.xattr_len(scope, full).map_err(status_of)?;
        let len = len.ok_or(NtStatus::FILE_DELETED)?;
        let mut value = KVVec::from_elem(0, len.max(1), GFP_KERNEL).map_err(no_memory)?;
        let read = match path.xattr(scope, full, &mut value) {
            Ok(read) => read.ok_or(NtStatus::FILE_DELETED)?.len(),
            Err(e) if e == ERANGE => continue,
            Err(e) => return Err(status_of(e)),
        };
        value.truncate(read.saturating_sub(1));
        return Ok(value);
    }
    Err(NtStatus::SHARING_VIOLATION)
}

/// Makes a value of `size` bytes of data, with the zero behind them.
fn resize(data: &mut KVVec<u8>, size: usize) -> Result<(), NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    data.truncate(size);
    data.resize(size.saturating_add(1), 0, GFP_KERNEL)
        .map_err(no_memory)
}

/// Moves what the attribute `old` keeps to a new one, or leaves it where it is.
fn move_value(scope: &CredScope<'_>, path: &Path, old: &CStr, new: &CStr) -> Result<(), NtStatus> {
    let mut value = value(scope, path, old)?;
    let size = value.len();
    resize(&mut value, size)?;
    set(scope, path, new, &value, XattrSet::Create)?;
    if let Err(error) = path.remove_xattr(scope, old) {
        let _ = path.remove_xattr(scope, new);
        return Err(status_of(error));
    }
    Ok(())
}
