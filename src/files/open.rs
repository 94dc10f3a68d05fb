// SPDX-License-Identifier: GPL-2.0

//! Open files and pipes, [MS-SMB2] 3.3.1.10, and a session's table of them. Lock order: the table is a leaf; files are
//! closed outside it.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use smb_model::access::Mask;
use smb_proto::header::FileId;
use smb_proto::status::NtStatus;

use crate::server::Server;

use super::file::OpenedFile;
use super::pipe::OpenedPipe;
use super::stream::OpenedStream;
use super::Tree;

/// What is open.
pub(crate) enum Object {
    File(OpenedFile),
    Pipe(OpenedPipe),
    Stream(OpenedStream),
}

/// A file or pipe that a client has open.
pub(crate) struct Open {
    pub(crate) id: FileId,
    pub(crate) tree: Arc<Tree>,
    /// What the open was granted, `Open.GrantedAccess`.
    pub(crate) granted: Mask,
    pub(crate) object: Object,
    closed: Atomic<bool>,
}

impl Open {
    pub(crate) fn new(
        id: FileId,
        tree: &Arc<Tree>,
        granted: Mask,
        object: Object,
    ) -> Result<Arc<Self>> {
        let tree = tree.clone();
        let open = Open {
            id,
            tree,
            granted,
            object,
            closed: Atomic::new(false),
        };
        Ok(Arc::new(open, GFP_KERNEL)?)
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` if it is a pipe, `STATUS_NOT_SUPPORTED` if it is a named stream.
    pub(crate) fn file(&self) -> Result<&OpenedFile, NtStatus> {
        match &self.object {
            Object::File(file) => Ok(file),
            Object::Pipe(_) => Err(NtStatus::INVALID_DEVICE_REQUEST),
            Object::Stream(_) => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    /// The file, also of a named stream.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` if it is a pipe.
    pub(crate) fn base(&self) -> Result<&OpenedFile, NtStatus> {
        match &self.object {
            Object::File(file) => Ok(file),
            Object::Stream(stream) => Ok(&stream.base),
            Object::Pipe(_) => Err(NtStatus::INVALID_DEVICE_REQUEST),
        }
    }

    /// Checks that one of the rights in `any_of` was granted.
    pub(crate) fn require_any(&self, any_of: Mask) -> Result<(), NtStatus> {
        if self.granted.intersects(any_of) {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// Ends the open: delete-on-close takes effect, a pipe is closed. Requests that hold it finish their I/O. Only the
    /// first call does anything.
    pub(crate) fn close(&self, server: &Arc<Server>) {
        if self.closed.xchg(true, kernel::sync::atomic::Full) {
            return;
        }
        match &self.object {
            Object::File(file) => {
                file.admission.state.close_locks(self.id.volatile);
                if file.is_directory() {
                    file.admission
                        .state
                        .close_watch(&server.files, self.id.volatile);
                }
                file.close(server, &self.tree);
            }
            Object::Pipe(pipe) => pipe.close(server),
            Object::Stream(stream) => stream.close(server, &self.tree),
        }
        server.open_count.sub();
    }

    /// Whether the open has ended, for requests that found it before.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }
}

struct Inner {
    by_volatile: RBTree<u64, Arc<Open>>,
    /// Whether the session has ended: nothing is taken in any more.
    is_closed: bool,
}

/// What one session has open, by the volatile half of the file id.
#[pin_data]
pub(crate) struct OpenTable {
    #[pin]
    inner: Mutex<Inner>,
}

impl OpenTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(OpenTable {
            inner <- new_mutex!(Inner { by_volatile: RBTree::new(), is_closed: false }),
        })
    }

    /// The open `id`.
    pub(crate) fn get(&self, id: FileId) -> Option<Arc<Open>> {
        let open = self.inner.lock().by_volatile.get(&id.volatile).cloned()?;
        (open.id == id).then_some(open)
    }

    /// Lists an open.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the session has ended, `ENOMEM`. The caller closes the open then.
    pub(crate) fn insert(&self, open: &Arc<Open>) -> Result {
        let node = RBTreeNode::new(open.id.volatile, open.clone(), GFP_KERNEL)?;
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err(ENOENT);
        }
        inner.by_volatile.insert(node);
        Ok(())
    }

    /// Takes an open off the list; `None` if another request was first.
    pub(crate) fn remove(&self, id: FileId) -> Option<Arc<Open>> {
        let node = {
            let mut inner = self.inner.lock();
            if inner.by_volatile.get(&id.volatile)?.id != id {
                return None;
            }
            inner.by_volatile.remove_node(&id.volatile)
        };
        node.map(|node| node.to_key_value().1)
    }

    /// The first open whose volatile id is above `after`.
    pub(crate) fn after(&self, after: u64) -> Option<Arc<Open>> {
        let inner = self.inner.lock();
        let next = inner
            .by_volatile
            .cursor_lower_bound(&after.checked_add(1)?)?;
        let found = next.current().1.clone();
        Some(found)
    }

    /// Number of opens.
    pub(crate) fn count(&self) -> usize {
        self.inner.lock().by_volatile.values().count()
    }

    /// Whether nothing is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().by_volatile.is_empty()
    }

    /// Closes what is open on the tree connect `tree_id`.
    pub(crate) fn close_tree(&self, server: &Arc<Server>, tree_id: u32) {
        self.close_where(server, |open| open.tree.id == tree_id);
    }

    /// Closes everything, and takes nothing in any more.
    pub(crate) fn close_all(&self, server: &Arc<Server>) {
        self.inner.lock().is_closed = true;
        self.close_where(server, |_| true);
    }

    fn close_where(&self, server: &Arc<Server>, matches: impl Fn(&Open) -> bool) {
        loop {
            let id = {
                let inner = self.inner.lock();
                let found = inner.by_volatile.values().find(|open| matches(open));
                found.map(|open| open.id)
            };
            let Some(id) = id else {
                return;
            };
            if let Some(open) = self.remove(id) {
                open.close(server);
            }
        }
    }
}
