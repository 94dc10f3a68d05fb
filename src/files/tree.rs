// SPDX-License-Identifier: GPL-2.0

//! Tree connects, [MS-SMB2] 3.3.1.9. Lock order: `TreeTable` is a leaf.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::cred::{CredScope, UserCred};
use smb_model::access::Mask;

use crate::ipc::calls;
use crate::server::Server;
use crate::session::{Session, User};

use super::Share;

/// Tree connects of one session at a time.
const MAX_TREES: u32 = 4_096;

/// One tree connect.
pub(crate) struct Tree {
    /// Unique in the session.
    pub(crate) id: u32,
    pub(crate) session_id: u64,
    /// Unique in the server: the daemon counts connections by it.
    pub(crate) connect_id: u64,
    pub(crate) share: Arc<Share>,
    /// What file operations run under: the user's credentials, with the share's forced ids.
    cred: Arc<UserCred>,
    /// Who connected. A session may be renewed as somebody else.
    user: Arc<User>,
    /// Whether the user may write here.
    pub(crate) is_writable: bool,
    pub(crate) is_guest: bool,
    /// The most that an open may be granted.
    pub(crate) maximal_access: Mask,
}

impl Tree {
    pub(crate) fn new(parts: TreeParts) -> Result<Arc<Self>> {
        let TreeParts {
            id,
            session_id,
            connect_id,
            share,
            cred,
            user,
            is_writable,
            is_guest,
        } = parts;
        let maximal_access = if is_writable {
            Mask::ALL_FILE
        } else {
            Mask::READ_ONLY_SHARE
        };
        Ok(Arc::new(
            Tree {
                id,
                session_id,
                connect_id,
                share,
                cred,
                user,
                is_writable,
                is_guest,
                maximal_access,
            },
            GFP_KERNEL,
        )?)
    }

    /// Runs what follows under the user's credentials, until the scope is dropped.
    pub(crate) fn enter(&self) -> CredScope<'_> {
        self.cred.enter()
    }

    /// Whether `session` is still who connected here: nobody else may open files with his rights.
    pub(crate) fn is_of(&self, session: &Session) -> bool {
        session
            .user()
            .is_none_or(|user| Arc::ptr_eq(&user, &self.user) || user.is_same(&self.user))
    }
}

/// What a [`Tree`] is made of.
pub(crate) struct TreeParts {
    pub(crate) id: u32,
    pub(crate) session_id: u64,
    pub(crate) connect_id: u64,
    pub(crate) share: Arc<Share>,
    pub(crate) cred: Arc<UserCred>,
    pub(crate) user: Arc<User>,
    pub(crate) is_writable: bool,
    pub(crate) is_guest: bool,
}

struct Inner {
    by_id: RBTree<u32, Arc<Tree>>,
    count: u32,
    next_id: u32,
    /// Whether the session has ended: nothing is taken in any more.
    is_closed: bool,
}

/// The tree connects of one session by id.
#[pin_data]
pub(crate) struct TreeTable {
    #[pin]
    inner: Mutex<Inner>,
}

impl TreeTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(TreeTable {
            inner <- new_mutex!(Inner {
                by_id: RBTree::new(),
                count: 0,
                next_id: 1,
                is_closed: false,
            }),
        })
    }

    /// An id that no tree connect of the session has had.
    ///
    /// # Errors
    ///
    /// `ENOSPC` after 2^32 - 2 of them.
    pub(crate) fn new_id(&self) -> Result<u32> {
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        // The last id means "inherited" in compounds.
        inner.next_id = id
            .checked_add(1)
            .filter(|next| *next != u32::MAX)
            .ok_or(ENOSPC)?;
        Ok(id)
    }

    /// Lists a tree connect.
    ///
    /// # Errors
    ///
    /// `ENOSPC` at the session's maximum, `ENOENT` if the session has ended, `ENOMEM`.
    pub(crate) fn insert(&self, tree: &Arc<Tree>) -> Result {
        let node = RBTreeNode::new(tree.id, tree.clone(), GFP_KERNEL)?;
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err(ENOENT);
        }
        if inner.count >= MAX_TREES {
            return Err(ENOSPC);
        }
        inner.by_id.insert(node);
        inner.count = inner.count.saturating_add(1);
        Ok(())
    }

    /// The tree connect `id`.
    pub(crate) fn get(&self, id: u32) -> Option<Arc<Tree>> {
        self.inner.lock().by_id.get(&id).cloned()
    }

    /// Whether the tree connect `id` is listed.
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.inner.lock().by_id.get(&id).is_some()
    }

    /// The first tree connect whose id is above `after`.
    pub(crate) fn after(&self, after: u32) -> Option<Arc<Tree>> {
        let inner = self.inner.lock();
        let next = inner.by_id.cursor_lower_bound(&after.checked_add(1)?)?;
        let found = next.current().1.clone();
        Some(found)
    }

    /// Number of tree connects.
    pub(crate) fn count(&self) -> u32 {
        self.inner.lock().count
    }

    /// Takes a tree connect off the list and tells the daemon; `None` if another request was first.
    pub(crate) fn disconnect(&self, server: &Server, id: u32) -> Option<Arc<Tree>> {
        let node = {
            let mut inner = self.inner.lock();
            let node = inner.by_id.remove_node(&id)?;
            inner.count = inner.count.saturating_sub(1);
            node
        };
        let (_, tree) = node.to_key_value();
        calls::tree_disconnect(&server.link, tree.session_id, tree.connect_id);
        Some(tree)
    }

    /// Takes every tree connect off the list, and nothing in any more.
    pub(crate) fn disconnect_all(&self, server: &Server) {
        loop {
            let id = {
                let mut inner = self.inner.lock();
                inner.is_closed = true;
                let first = inner.by_id.keys().next().copied();
                first
            };
            match id {
                Some(id) => drop(self.disconnect(server, id)),
                None => return,
            }
        }
    }
}
