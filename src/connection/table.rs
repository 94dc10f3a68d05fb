// SPDX-License-Identifier: GPL-2.0

//! The connections of a server, and the limits on their number. Lock order: a leaf.

use core::net::IpAddr;

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::server::Config;

use super::Connection;

struct Inner {
    by_id: RBTree<u64, Arc<Connection>>,
    /// Connections of each address. 64-bit prefixes are not merged: an IPv6 host counts by its full address.
    by_address: RBTree<IpAddr, u32>,
    count: u32,
    next_id: u64,
}

/// The connections of a server.
#[pin_data]
pub(crate) struct ConnectionTable {
    #[pin]
    inner: Mutex<Inner>,
}

/// Why a connection was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// `max connections` is reached.
    Full,
    /// `max ip connections` is reached for the address.
    AddressFull,
    /// Out of memory.
    NoMemory,
}

impl ConnectionTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(ConnectionTable {
            inner <- new_mutex!(Inner {
                by_id: RBTree::new(),
                by_address: RBTree::new(),
                count: 0,
                next_id: 1,
            }),
        })
    }

    /// An id for a connection to come.
    pub(crate) fn new_id(&self) -> u64 {
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        inner.next_id = id.wrapping_add(1);
        id
    }

    /// Takes a connection in, unless that breaks a limit of `config`.
    pub(crate) fn insert(&self, conn: &Arc<Connection>, config: &Config) -> Result<(), Refusal> {
        let no_memory = |_| Refusal::NoMemory;
        let node = RBTreeNode::new(conn.id, conn.clone(), GFP_KERNEL).map_err(no_memory)?;
        let address = RBTreeNode::new(conn.peer.ip(), 1, GFP_KERNEL).map_err(no_memory)?;
        let mut inner = self.inner.lock();
        if inner.count >= config.max_connections {
            return Err(Refusal::Full);
        }
        match inner.by_address.get_mut(&conn.peer.ip()) {
            Some(count) if *count >= config.max_connections_per_address => {
                return Err(Refusal::AddressFull);
            }
            Some(count) => *count = count.saturating_add(1),
            None => {
                inner.by_address.insert(address);
            }
        }
        inner.by_id.insert(node);
        inner.count = inner.count.saturating_add(1);
        Ok(())
    }

    /// Takes a connection out.
    pub(crate) fn remove(&self, conn: &Connection) {
        let mut inner = self.inner.lock();
        let Some(node) = inner.by_id.remove_node(&conn.id) else {
            return;
        };
        inner.count = inner.count.saturating_sub(1);
        let last = match inner.by_address.get_mut(&conn.peer.ip()) {
            Some(count) => {
                *count = count.saturating_sub(1);
                *count == 0
            }
            None => false,
        };
        let address = if last {
            inner.by_address.remove_node(&conn.peer.ip())
        } else {
            None
        };
        drop(inner);
        // Freed outside the lock: the node may hold the last reference.
        drop((node, address));
    }

    /// The connection `id`.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Connection>> {
        self.inner.lock().by_id.get(&id).cloned()
    }

    /// The first connection whose id is above `after`.
    pub(crate) fn after(&self, after: u64) -> Option<Arc<Connection>> {
        let inner = self.inner.lock();
        let next = inner.by_id.cursor_lower_bound(&after.checked_add(1)?)?;
        let found = next.current().1.clone();
        Some(found)
    }

    /// Ends every connection; their threads clean up.
    pub(crate) fn shut_down_all(&self) {
        let inner = self.inner.lock();
        for conn in inner.by_id.values() {
            conn.shut_down();
        }
    }

    /// Number of connections.
    pub(crate) fn count(&self) -> u32 {
        self.inner.lock().count
    }
}
