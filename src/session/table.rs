// SPDX-License-Identifier: GPL-2.0

//! The sessions of a server, [MS-SMB2] 3.3.1.5 `GlobalSessionTable`. Lock order: a leaf.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::random;
use smb_model::negotiate::Dialect;

use super::Session;

/// The sessions of a server by id.
#[pin_data]
pub(crate) struct SessionTable {
    #[pin]
    by_id: Mutex<RBTree<u64, Arc<Session>>>,
}

impl SessionTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(SessionTable { by_id <- new_mutex!(RBTree::new()) })
    }

    /// Makes a session with an id that no other has and nobody can guess, and lists it.
    pub(crate) fn create(&self, dialect: Dialect, client_guid: [u8; 16]) -> Result<Arc<Session>> {
        loop {
            let id = random::u64();
            if id == 0 || id == u64::MAX {
                continue;
            }
            let session = Session::new(id, dialect, client_guid)?;
            let node = RBTreeNode::new(id, session.clone(), GFP_KERNEL)?;
            let mut by_id = self.by_id.lock();
            if by_id.get(&id).is_none() {
                by_id.insert(node);
                return Ok(session);
            }
        }
    }

    /// The session `id`.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Session>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// The first session whose id is above `after`.
    pub(crate) fn after(&self, after: u64) -> Option<Arc<Session>> {
        let by_id = self.by_id.lock();
        let next = by_id.cursor_lower_bound(&after.checked_add(1)?)?;
        let found = next.current().1.clone();
        Some(found)
    }

    /// Takes a session off the list.
    pub(crate) fn remove(&self, id: u64) {
        let node = self.by_id.lock().remove_node(&id);
        drop(node);
    }

    /// Number of sessions.
    pub(crate) fn count(&self) -> usize {
        self.by_id.lock().values().count()
    }
}
