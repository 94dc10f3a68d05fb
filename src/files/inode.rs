// SPDX-License-Identifier: GPL-2.0

//! What all opens of one file share: share modes, and whether it is to be deleted.
//!
//! A file's state exists while it is open. Its key is the inode, which each open pins. Lock order: the table, then one
//! [`FileState::inner`]; neither is held over I/O.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::atomic::{Atomic, Full};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::inode::InodeKey;
use linux::path::Path;
use smb_model::access::Mask;
use smb_model::share_mode::{Share, Summary};
use smb_proto::status::NtStatus;

use super::locks::FileLocks;

pub(super) struct Inner {
    sharing: Summary,
    /// Opens of the file, those that take no part in sharing included.
    opens: u32,
    /// Whether the last close deletes the file; nobody may open it any more, [MS-FSA] 2.1.5.1.2.
    delete_pending: bool,
    /// Byte-range locks, once there was one.
    pub(super) locks: Option<KBox<FileLocks>>,
}

/// What all opens of one file share.
#[pin_data]
pub(crate) struct FileState {
    key: InodeKey,
    /// Where the file was opened first.
    path: Path,
    /// Whether there are byte-range locks, for those who read and write without any.
    pub(super) is_locked: Atomic<bool>,
    #[pin]
    pub(super) inner: Mutex<Inner>,
}

#[pin_data]
struct Table {
    #[pin]
    by_key: Mutex<RBTree<InodeKey, Arc<FileState>>>,
}

/// The files of a server that are open.
#[derive(Clone)]
pub(crate) struct OpenFiles(Arc<Table>);

impl OpenFiles {
    pub(crate) fn new() -> Result<Self> {
        let init = pin_init!(Table { by_key <- new_mutex!(RBTree::new()) });
        Ok(OpenFiles(Arc::pin_init(init, GFP_KERNEL)?))
    }

    /// Counts an open of the file at `path` in.
    ///
    /// # Errors
    ///
    /// `STATUS_DELETE_PENDING`, `STATUS_SHARING_VIOLATION`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn admit(
        &self,
        path: &Path,
        access: Mask,
        share: Share,
    ) -> Result<Admission, NtStatus> {
        let key = path.inode_key();
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let fresh = Arc::pin_init(
            pin_init!(FileState {
                key,
                path: path.clone(),
                is_locked: Atomic::new(false),
                inner <- new_mutex!(Inner {
                    sharing: Summary::new(),
                    opens: 0,
                    delete_pending: false,
                    locks: None,
                }),
            }),
            GFP_KERNEL,
        )
        .map_err(no_memory)?;
        let node = RBTreeNode::new(key, fresh.clone(), GFP_KERNEL).map_err(|_| {
            NtStatus::INSUFFICIENT_RESOURCES
        })?;
        let mut by_key = self.0.by_key.lock();
        let state = match by_key.get(&key) {
            Some(state) => state.clone(),
            None => {
                by_key.insert(node);
                fresh
            }
        };
        let mut inner = state.inner.lock();
        if inner.delete_pending {
            return Err(NtStatus::DELETE_PENDING);
        }
        if inner.sharing.conflicts(access, share) {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        inner.sharing.add(access, share);
        inner.opens = inner.opens.saturating_add(1);
        drop(inner);
        drop(by_key);
        Ok(Admission { files: self.clone(), state, access, share, left: Atomic::new(false) })
    }

    /// Whether anything in the directory `directory` is open, at any depth.
    pub(crate) fn has_open_beneath(&self, directory: &Path) -> bool {
        let by_key = self.0.by_key.lock();
        let is_beneath = |state: &Arc<FileState>| {
            state.path.is_beneath(directory) && !state.path.is_same(directory)
        };
        let found = by_key.values().any(is_beneath);
        found
    }

    /// Number of files that are open.
    pub(crate) fn count(&self) -> usize {
        self.0.by_key.lock().values().count()
    }

    /// The state of the file `key`, if it is open.
    pub(crate) fn find(&self, key: InodeKey) -> Option<Arc<FileState>> {
        self.0.by_key.lock().get(&key).cloned()
    }
}

impl FileState {
    /// Whether the last close deletes the file.
    pub(crate) fn is_delete_pending(&self) -> bool {
        self.inner.lock().delete_pending
    }

    /// Marks the file for deletion by the last close, or takes the mark back.
    pub(crate) fn set_delete_pending(&self, pending: bool) {
        self.inner.lock().delete_pending = pending;
    }

    /// Whether an open forbids others to delete or rename the file.
    pub(crate) fn forbids_delete(&self) -> bool {
        self.inner.lock().sharing.forbids_delete()
    }

    /// Whether an open may delete or rename the file.
    pub(crate) fn is_open_to_delete(&self) -> bool {
        self.inner.lock().sharing.deletes()
    }

    /// Number of opens.
    pub(crate) fn opens(&self) -> u32 {
        self.inner.lock().opens
    }
}

/// One open's part in the file's state; given back by [`Admission::leave`], at the latest when dropped.
pub(crate) struct Admission {
    files: OpenFiles,
    pub(crate) state: Arc<FileState>,
    access: Mask,
    share: Share,
    left: Atomic<bool>,
}

impl Admission {
    /// Takes the open out. `true` if it was the last one of a file that is to be deleted: the caller deletes it and then
    /// calls [`Self::forget`]; until then nobody else can open it.
    pub(crate) fn leave(&self) -> bool {
        if self.left.xchg(true, Full) {
            return false;
        }
        let mut by_key = self.files.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        inner.sharing.remove(self.access, self.share);
        inner.opens = inner.opens.saturating_sub(1);
        if inner.opens > 0 {
            return false;
        }
        if inner.delete_pending {
            return true;
        }
        drop(inner);
        let node = by_key.remove_node(&self.state.key);
        drop(by_key);
        drop(node);
        false
    }

    /// Forgets the file's state after its deletion.
    pub(crate) fn forget(&self) {
        let node = self.files.0.by_key.lock().remove_node(&self.state.key);
        drop(node);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // An open that failed on the way, before it could be closed: nothing is deleted for it.
        if self.leave() {
            self.forget();
        }
    }
}
