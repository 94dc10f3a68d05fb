// SPDX-License-Identifier: GPL-2.0

//! What all opens of one named stream share, [MS-FSA] 2.1.1.6: share modes, deletion, and whose turn it is to replace the value.
//!
//! Lock order: the table, then one [`State::inner`]; neither is held over I/O. A value is only ever replaced as a whole, so
//! whoever reads it in order to replace it takes a [`Turn`] first; a request that finds it taken is parked and holds no worker.

use core::cmp::Ordering;

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::str::CString;
use kernel::sync::atomic::{Atomic, Full};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::inode::InodeKey;
use linux::path::Path;
use smb_model::access::Mask;
use smb_model::share_mode::{Share, Summary};
use smb_model::wildcard;
use smb_proto::status::NtStatus;

use crate::smb2::wait::{Wake, Waker};

use super::locks::Wakers;
use super::Tree;

/// Requests that wait for their turn at one stream.
const MAX_WAITING: usize = 256;

/// Why nothing was done to a stream.
pub(crate) enum Busy {
    /// It is somebody else's turn: the waker that was given is woken when it is worth trying again.
    Later,
    Status(NtStatus),
}

impl From<NtStatus> for Busy {
    fn from(status: NtStatus) -> Self {
        Busy::Status(status)
    }
}

/// A stream's name in one case, with its file.
struct KeyOf {
    inode: InodeKey,
    name: KVec<u8>,
}

/// Names a stream.
#[derive(Clone)]
pub(super) struct Key(Arc<KeyOf>);

impl Key {
    /// The stream `stream` of the file at `path`.
    pub(super) fn new(path: &Path, stream: &str) -> Result<Self, NtStatus> {
        Self::of(path.inode_key(), stream).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
    }

    fn of(inode: InodeKey, stream: &str) -> Result<Self> {
        let mut name = KVec::with_capacity(stream.len(), GFP_KERNEL)?;
        let mut bytes = [0; 4];
        for c in wildcard::folded(stream) {
            name.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes(), GFP_KERNEL)?;
        }
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

type Node = RBTreeNode<Key, Arc<State>>;

struct Inner {
    key: Key,
    /// The name that it is about to get, and has in the table as well.
    reserved: Option<Key>,
    /// The attribute that keeps the stream, once it was found or made.
    full: Option<Arc<CString>>,
    sharing: Summary,
    opens: u32,
    /// Who wants the last close to delete the stream.
    deletion: Option<Arc<Tree>>,
    /// Whether it is somebody's turn.
    is_taken: bool,
    waiting: KVec<Waker>,
}

/// What all opens of one stream share.
#[pin_data]
pub(super) struct State {
    #[pin]
    inner: Mutex<Inner>,
}

/// The right to replace the value, until it is dropped.
pub(super) struct Turn<'a>(&'a State);

impl State {
    /// Takes the turn. If it is somebody else's, `waker` is woken when that is over.
    ///
    /// # Errors
    ///
    /// [`Busy::Later`], `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn take_turn(&self, waker: Option<&Waker>) -> Result<Turn<'_>, Busy> {
        let no_room = NtStatus::INSUFFICIENT_RESOURCES;
        let mut inner = self.inner.lock();
        if !inner.is_taken {
            inner.is_taken = true;
            return Ok(Turn(self));
        }
        if let Some(waker) = waker {
            if inner.waiting.len() >= MAX_WAITING {
                inner.waiting.retain(|waker| !waker.is_over());
            }
            if inner.waiting.len() >= MAX_WAITING {
                return Err(no_room.into());
            }
            let pushed = inner.waiting.push(waker.clone(), GFP_KERNEL);
            pushed.map_err(|_| no_room)?;
        }
        Err(Busy::Later)
    }

    /// The attribute that keeps the stream.
    pub(super) fn full(&self) -> Result<Arc<CString>, NtStatus> {
        let full = self.inner.lock().full.clone();
        full.ok_or(NtStatus::FILE_DELETED)
    }

    pub(super) fn is_delete_pending(&self) -> bool {
        self.inner.lock().deletion.is_some()
    }

    /// Says that the last close deletes the stream, in the name of the user of `tree`, or that it stays.
    pub(super) fn set_deletion(&self, tree: Option<&Arc<Tree>>) {
        let before = core::mem::replace(&mut self.inner.lock().deletion, tree.cloned());
        drop(before);
    }
}

impl Turn<'_> {
    /// Notes which attribute keeps the stream.
    pub(super) fn set_full(&self, full: &Arc<CString>) {
        let before = self.0.inner.lock().full.replace(full.clone());
        drop(before);
    }

    /// Checks that the stream still has the name by which it was found: it may have been renamed meanwhile.
    pub(super) fn check(&self, key: &Key) -> Result<(), NtStatus> {
        if self.0.inner.lock().key == *key {
            Ok(())
        } else {
            Err(NtStatus::SHARING_VIOLATION)
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        let mut inner = self.0.inner.lock();
        inner.is_taken = false;
        let waiting = core::mem::replace(&mut inner.waiting, KVec::new());
        drop(inner);
        // All of them: one alone may have been cancelled by now.
        for waker in waiting {
            wakers.add(waker, Wake::Ready);
        }
        wakers.wake();
    }
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

    /// Checks that no open of any stream of the file forbids others to delete it, and the file with it.
    ///
    /// # Errors
    ///
    /// `STATUS_SHARING_VIOLATION`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn check_delete(&self, inode: InodeKey) -> Result<(), NtStatus> {
        // Before all of the file's streams, none of which has no name.
        let first = Key::of(inode, "").map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let mut by_key = self.0.by_key.lock();
        let mut cursor = by_key.cursor_lower_bound_mut(&first);
        while let Some(at) = cursor {
            let (key, state) = at.current();
            if key.0.inode != inode {
                break;
            }
            if state.inner.lock().sharing.forbids_delete() {
                return Err(NtStatus::SHARING_VIOLATION);
            }
            cursor = at.move_next();
        }
        Ok(())
    }

    /// Counts an open in.
    ///
    /// # Errors
    ///
    /// `STATUS_DELETE_PENDING`, `STATUS_SHARING_VIOLATION`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn admit(
        &self,
        key: &Key,
        access: Mask,
        share: Share,
    ) -> Result<Admission, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let own = key.clone();
        let init = pin_init!(State {
            inner <- new_mutex!(Inner {
                key: own,
                reserved: None,
                full: None,
                sharing: Summary::new(),
                opens: 0,
                deletion: None,
                is_taken: false,
                waiting: KVec::new(),
            }),
        });
        let fresh = Arc::pin_init(init, GFP_KERNEL);
        let fresh = fresh.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let node = RBTreeNode::new(key.clone(), fresh.clone(), GFP_KERNEL).map_err(no_memory)?;
        let mut by_key = self.0.by_key.lock();
        let known = by_key.get(key).cloned();
        let is_new = known.is_none();
        let state = known.unwrap_or(fresh);
        {
            let mut inner = state.inner.lock();
            if inner.deletion.is_some() {
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
        Ok(Admission {
            streams: self.clone(),
            state,
            access,
            share,
            left: Atomic::new(false),
        })
    }

    /// Gives the stream of `state`, which is open and whose turn the caller has, the name `new` as well, so that nobody else
    /// gets it.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if a stream of that name is open, `STATUS_FILE_CLOSED` if this one is not any more,
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn reserve(&self, new: &Key, state: &Arc<State>) -> Result<(), NtStatus> {
        let node = RBTreeNode::new(new.clone(), state.clone(), GFP_KERNEL);
        let node = node.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let mut by_key = self.0.by_key.lock();
        if by_key.get(new).is_some() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut inner = state.inner.lock();
        if inner.opens == 0 {
            return Err(NtStatus::FILE_CLOSED);
        }
        inner.reserved = Some(new.clone());
        by_key.insert(node);
        Ok(())
    }

    /// Ends what [`Self::reserve`] began: the stream has the name `new` alone, or does not get it. If its last open was closed
    /// meanwhile, it has neither.
    pub(super) fn settle(&self, new: &Key, state: &State, is_renamed: bool) {
        let mut by_key = self.0.by_key.lock();
        let mut inner = state.inner.lock();
        let reserved = inner.reserved.take();
        let old = match &reserved {
            Some(_) if is_renamed => core::mem::replace(&mut inner.key, new.clone()),
            _ => new.clone(),
        };
        let node = match &reserved {
            Some(_) => by_key.remove_node(&old),
            None => None,
        };
        drop(inner);
        drop(by_key);
        drop((node, old, reserved));
    }
}

/// Takes a stream that nobody has open out of the table, under each of its names.
fn remove(by_key: &mut RBTree<Key, Arc<State>>, inner: &mut Inner) -> [Option<Node>; 2] {
    let reserved = inner.reserved.take();
    [
        by_key.remove_node(&inner.key),
        reserved.and_then(|key| by_key.remove_node(&key)),
    ]
}

/// One open's part in its stream's state.
pub(super) struct Admission {
    streams: OpenStreams,
    pub(super) state: Arc<State>,
    access: Mask,
    share: Share,
    left: Atomic<bool>,
}

impl Admission {
    /// Takes the open out. If it was the last one of a stream that is to be deleted, the caller deletes it in the name of who
    /// is returned, and then calls [`Self::forget`]; until then nobody else can open it.
    pub(super) fn leave(&self) -> Option<Arc<Tree>> {
        if self.left.xchg(true, Full) {
            return None;
        }
        let mut by_key = self.streams.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        inner.sharing.remove(self.access, self.share);
        inner.opens = inner.opens.saturating_sub(1);
        let is_last = inner.opens == 0;
        let deletion = inner.deletion.clone().filter(|_| is_last);
        let nodes = if is_last && deletion.is_none() {
            remove(&mut by_key, &mut inner)
        } else {
            [None, None]
        };
        drop(inner);
        drop(by_key);
        drop(nodes);
        deletion
    }

    /// Forgets the stream's state after its deletion.
    pub(super) fn forget(&self) {
        let mut by_key = self.streams.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        let nodes = remove(&mut by_key, &mut inner);
        drop(inner);
        drop(by_key);
        drop(nodes);
    }
}
