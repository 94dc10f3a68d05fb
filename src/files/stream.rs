// SPDX-License-Identifier: GPL-2.0

//! Named data streams ([MS-FSCC] 2.1.5.3, [MS-FSA] 2.1.5.1), on shares that have them.
//!
//! A stream is an extended attribute `user.DosStream.<name>:$DATA` whose value is the data and one zero byte, as Samba's
//! `streams_xattr` keeps it. The kernel checks each access to it against the permissions of the file, in the user's name.
//! Opens of one stream share its modes among themselves; of the file itself they are opens for attributes alone, so that
//! the file's deletion waits for them. Lock order: the table, then one [`State::inner`]; [`State::data`] is taken with
//! neither held, and alone of all is held over I/O: a value is only ever replaced as a whole.

use core::cmp::Ordering;

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::str::CString;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::cred::CredScope;
use linux::file::{Access, File};
use linux::inode::InodeKey;
use linux::path::Path;
use linux::xattr::{XattrSet, XATTR_NAME_MAX, XATTR_SIZE_MAX};
use smb_model::access::Mask;
use smb_model::attributes::Attributes;
use smb_model::create::{Action, Parameters};
use smb_model::share_mode::{Share, Summary};
use smb_model::wildcard;
use smb_proto::status::NtStatus;

use crate::server::Server;

use super::attributes::FileAttributes;
use super::ea::Names;
use super::errors::status_of;
use super::file::OpenedFile;
use super::Tree;

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

/// A stream's name in one case, with its file.
struct KeyOf {
    inode: InodeKey,
    name: KVec<u8>,
}

#[derive(Clone)]
struct Key(Arc<KeyOf>);

impl Key {
    fn new(path: &Path, stream: &str) -> Result<Self> {
        let mut name = KVec::with_capacity(stream.len(), GFP_KERNEL)?;
        let mut bytes = [0; 4];
        for c in wildcard::folded(stream) {
            name.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes(), GFP_KERNEL)?;
        }
        let inode = path.inode_key();
        Ok(Key(Arc::new(KeyOf { inode, name }, GFP_KERNEL)?))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let names = || self.0.name.as_slice().cmp(other.0.name.as_slice());
        self.0.inode.cmp(&other.0.inode).then_with(names)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

struct Inner {
    sharing: Summary,
    opens: u32,
    /// Whether the last close deletes the stream.
    delete_pending: bool,
}

/// What all opens of one stream share.
#[pin_data]
struct State {
    key: Key,
    #[pin]
    inner: Mutex<Inner>,
    /// Held while the value is read and replaced.
    #[pin]
    data: Mutex<()>,
}

#[pin_data]
struct Table {
    #[pin]
    by_key: Mutex<RBTree<Key, Arc<State>>>,
}

/// The streams of a server that are open; each pins its file.
#[derive(Clone)]
pub(crate) struct OpenStreams(Arc<Table>);

impl OpenStreams {
    pub(crate) fn new() -> Result<Self> {
        let init = pin_init!(Table { by_key <- new_mutex!(RBTree::new()) });
        Ok(OpenStreams(Arc::pin_init(init, GFP_KERNEL)?))
    }

    /// Whether an open of some stream of the file forbids others to delete it, and the file with it.
    pub(crate) fn forbid_delete(&self, inode: InodeKey) -> bool {
        let by_key = self.0.by_key.lock();
        let mut of_file = by_key.values().filter(|state| state.key.0.inode == inode);
        let found = of_file.any(|state| state.inner.lock().sharing.forbids_delete());
        found
    }

    /// Counts an open in.
    ///
    /// # Errors
    ///
    /// `STATUS_DELETE_PENDING`, `STATUS_SHARING_VIOLATION`, `STATUS_INSUFFICIENT_RESOURCES`.
    fn admit(&self, key: Key, access: Mask, share: Share) -> Result<Admission, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let own = key.clone();
        let init = pin_init!(State {
            key: own,
            inner <- new_mutex!(Inner {
                sharing: Summary::new(),
                opens: 0,
                delete_pending: false,
            }),
            data <- new_mutex!(()),
        });
        let fresh = Arc::pin_init(init, GFP_KERNEL);
        let fresh = fresh.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let node = RBTreeNode::new(key.clone(), fresh.clone(), GFP_KERNEL).map_err(no_memory)?;
        let mut by_key = self.0.by_key.lock();
        let known = by_key.get(&key).cloned();
        let is_new = known.is_none();
        let state = known.unwrap_or(fresh);
        {
            let mut inner = state.inner.lock();
            if inner.delete_pending {
                return Err(NtStatus::DELETE_PENDING);
            }
            if inner.sharing.conflicts(access, share) {
                return Err(NtStatus::SHARING_VIOLATION);
            }
            inner.sharing.add(access, share);
            inner.opens = inner.opens.saturating_add(1);
        }
        if is_new {
            by_key.insert(node);
        }
        drop(by_key);
        let streams = self.clone();
        Ok(Admission {
            streams,
            state,
            access,
            share,
            left: Atomic::new(false),
        })
    }
}

/// One open's part in its stream's state.
struct Admission {
    streams: OpenStreams,
    state: Arc<State>,
    access: Mask,
    share: Share,
    left: Atomic<bool>,
}

impl Admission {
    /// Takes the open out. `true` if it was the last one of a stream that is to be deleted: the caller deletes it and then
    /// calls [`Self::forget`]; until then nobody else can open it.
    fn leave(&self) -> bool {
        if self.left.xchg(true, Full) {
            return false;
        }
        let mut by_key = self.streams.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        inner.sharing.remove(self.access, self.share);
        inner.opens = inner.opens.saturating_sub(1);
        let is_last = inner.opens == 0;
        let deletes = is_last && inner.delete_pending;
        drop(inner);
        let is_over = is_last && !deletes;
        let node = if is_over {
            by_key.remove_node(&self.state.key)
        } else {
            None
        };
        drop(by_key);
        drop(node);
        deletes
    }

    /// Forgets the stream's state after its deletion.
    fn forget(&self) {
        let node = self.streams.0.by_key.lock().remove_node(&self.state.key);
        drop(node);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // An open that failed on the way: nothing is deleted for it.
        if self.leave() {
            self.forget();
        }
    }
}

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
    full: CString,
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
    /// long to be kept, `STATUS_ACCESS_DENIED`, `STATUS_CANNOT_DELETE`, and those of the file system.
    pub(crate) fn enter(
        &self,
        server: &Server,
        scope: &CredScope<'_>,
        tree: &Tree,
        base: &Base<'_>,
    ) -> Result<Entered, NtStatus> {
        let asked = &self.parameters;
        if asked.makes_directory() {
            return Err(NtStatus::NOT_A_DIRECTORY);
        }
        asked.check_granted(base.granted)?;
        let is_read_only = base
            .existing
            .is_some_and(|dos| dos.contains(Attributes::READONLY));
        if is_read_only && asked.deletes_on_close() {
            return Err(NtStatus::CANNOT_DELETE);
        }
        let key = Key::new(base.path, self.name).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let access = base.granted.union(asked.implied_access());
        let admission = server.streams.admit(key, access, asked.share)?;
        let state = admission.state.clone();
        let turn = state.data.lock();
        let found = find(scope, base.path, self.name)?;
        let action = asked.disposition.action(found.is_some())?;
        if action != Action::Opened {
            let may = base.maximal.contains(asked.implied_access());
            if is_read_only || !may || !tree.is_writable {
                return Err(NtStatus::ACCESS_DENIED);
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
        drop(turn);
        let delete_on_close = asked.deletes_on_close();
        Ok(Entered {
            admission,
            full,
            delete_on_close,
            action,
            size,
        })
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
fn stream_name(full: &CStr) -> Option<&str> {
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

/// An open stream.
pub(crate) struct OpenedStream {
    /// The file, opened for its attributes.
    pub(crate) base: OpenedFile,
    /// The attribute that keeps the stream.
    full: CString,
    admission: Admission,
    /// Whether this open's close marks the stream for deletion.
    delete_on_close: Atomic<bool>,
}

impl OpenedStream {
    pub(crate) fn new(base: OpenedFile, entered: Entered) -> Self {
        OpenedStream {
            base,
            full: entered.full,
            admission: entered.admission,
            delete_on_close: Atomic::new(entered.delete_on_close),
        }
    }

    /// The stream's name.
    pub(crate) fn name(&self) -> &str {
        stream_name(&self.full).unwrap_or("")
    }

    /// The file's attributes, with the size of the stream.
    pub(crate) fn attributes(
        &self,
        scope: &CredScope<'_>,
        tree: &Tree,
    ) -> Result<FileAttributes, NtStatus> {
        let size = size(scope, &self.base.path, &self.full)?.ok_or(NtStatus::FILE_DELETED)?;
        Ok(FileAttributes::read(scope, tree, &self.base.path)?.of_stream(size))
    }

    /// The data and the zero behind it.
    fn value(&self, scope: &CredScope<'_>) -> Result<KVVec<u8>, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let path = &self.base.path;
        for _ in 0..RACES {
            let len = path.xattr_len(scope, &self.full).map_err(status_of)?;
            let len = len.ok_or(NtStatus::FILE_DELETED)?;
            let mut value = KVVec::from_elem(0, len.max(1), GFP_KERNEL).map_err(no_memory)?;
            let read = match path.xattr(scope, &self.full, &mut value) {
                Ok(read) => read.ok_or(NtStatus::FILE_DELETED)?.len(),
                Err(e) if e == ERANGE => continue,
                Err(e) => return Err(status_of(e)),
            };
            value.truncate(read);
            return Ok(value);
        }
        Err(NtStatus::SHARING_VIOLATION)
    }

    /// The data.
    pub(crate) fn read(&self, scope: &CredScope<'_>) -> Result<KVVec<u8>, NtStatus> {
        let mut value = self.value(scope)?;
        value.truncate(value.len().saturating_sub(1));
        Ok(value)
    }

    /// Replaces bytes from `offset` on; what is between the end and there becomes zero.
    ///
    /// # Errors
    ///
    /// `STATUS_DISK_FULL` if the stream would be longer than the file system can keep.
    pub(crate) fn write(
        &self,
        scope: &CredScope<'_>,
        offset: u64,
        data: &[u8],
    ) -> Result<(), NtStatus> {
        let start = usize::try_from(offset).map_err(|_| NtStatus::DISK_FULL)?;
        let end = start.checked_add(data.len()).filter(|end| *end <= MAX_SIZE);
        let end = end.ok_or(NtStatus::DISK_FULL)?;
        if data.is_empty() {
            return Ok(());
        }
        let _turn = self.admission.state.data.lock();
        let mut value = self.read(scope)?;
        let size = value.len().max(end);
        self.resize(&mut value, size)?;
        let room = value.get_mut(start..end).ok_or(NtStatus::INTERNAL_ERROR)?;
        for (to, from) in room.iter_mut().zip(data) {
            *to = *from;
        }
        set(
            scope,
            &self.base.path,
            &self.full,
            &value,
            XattrSet::Replace,
        )
    }

    /// Makes a value of `size` bytes of data, with the zero behind them.
    fn resize(&self, data: &mut KVVec<u8>, size: usize) -> Result<(), NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        data.truncate(size);
        data.resize(size.saturating_add(1), 0, GFP_KERNEL)
            .map_err(no_memory)
    }

    /// Cuts or extends the stream to `size` bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub(crate) fn set_size(&self, scope: &CredScope<'_>, size: u64) -> Result<(), NtStatus> {
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_SIZE);
        let size = size.ok_or(NtStatus::DISK_FULL)?;
        let _turn = self.admission.state.data.lock();
        let mut value = self.read(scope)?;
        self.resize(&mut value, size)?;
        set(
            scope,
            &self.base.path,
            &self.full,
            &value,
            XattrSet::Replace,
        )
    }

    /// Brings the stream to the disk, with its file.
    pub(crate) fn flush(&self, scope: &CredScope<'_>) -> Result<(), NtStatus> {
        let file = File::open(scope, &self.base.path, Access::READ).map_err(status_of)?;
        file.sync(scope).map_err(status_of)
    }

    /// Whether the last close deletes the stream.
    pub(crate) fn is_delete_pending(&self) -> bool {
        self.admission.state.inner.lock().delete_pending
    }

    /// Marks the stream for deletion by the last close, or takes the mark back.
    pub(crate) fn set_delete_pending(&self, pending: bool) {
        self.admission.state.inner.lock().delete_pending = pending;
    }

    /// Takes the open out, and deletes the stream if this was the last one and it is to go; then the same for its file.
    pub(crate) fn close(&self, server: &Arc<Server>, tree: &Arc<Tree>) {
        if self.delete_on_close.load(Relaxed) {
            self.set_delete_pending(true);
        }
        if self.admission.leave() {
            let scope = tree.enter();
            // What the user may not delete after all stays.
            let _ = self.base.path.remove_xattr(&scope, &self.full);
            drop(scope);
            self.admission.forget();
        }
        self.base.close(server, tree);
    }
}
