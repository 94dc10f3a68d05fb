// SPDX-License-Identifier: GPL-2.0

//! A session on one connection, [MS-SMB2] 3.3.1.14: the signing key, and the authentication under way.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex, SetOnce};

use linux::pages::PageVec;

use crate::connection::crypto::Signer;
use crate::smb2::context::extend_hash;

use super::exchange::Exchange;
use super::Session;

/// What became of a binding, [`Channel::binding`]: it is made or given up once.
const BOUND: u32 = 0;
const BINDING: u32 = 1;
const GIVEN_UP: u32 = 2;

/// A session on one connection.
#[pin_data]
pub(crate) struct Channel {
    pub(crate) session: Arc<Session>,
    signer: SetOnce<Signer>,
    /// Whether the session, which began on another connection, is still being bound to this one: only SESSION_SETUP is
    /// served until then. Steps of a binding may come at once: one succeeds while another fails, and either may be the last.
    binding: Atomic<u32>,
    /// The authentication under way on this connection. Held over one step of it, the daemon's answer included: a client
    /// that sends two steps at once waits for itself.
    #[pin]
    pub(crate) exchange: Mutex<Option<KBox<Exchange>>>,
}

impl Channel {
    /// `session` on a connection; it can sign once it has a key.
    pub(crate) fn new(session: Arc<Session>, binding: bool) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Channel {
                session,
                signer: SetOnce::new(),
                binding: Atomic::new(if binding { BINDING } else { BOUND }),
                exchange <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    /// What answers a request for a session that is not of the connection, or not yet: its client proved by the signature of `pdu`
    /// that it knows the session's key, and expects a signature as well, [MS-SMB2] 3.3.4.1.1.
    ///
    /// # Errors
    ///
    /// `EKEYREJECTED` for a wrong signature, `ENOMEM`.
    pub(crate) fn of_stranger(session: &Arc<Session>, pdu: &[u8]) -> Result<Arc<Self>> {
        match session.binding() {
            Some(binding) if binding.signer.verify(pdu) => Channel::new(session.clone(), true),
            _ => Err(EKEYREJECTED),
        }
    }

    /// Gives the channel its signing key, which never changes.
    pub(crate) fn set_signer(&self, signer: Signer) {
        self.signer.populate(signer);
    }

    /// Whether the session is not bound to this connection, or not yet.
    pub(crate) fn is_binding(&self) -> bool {
        self.binding.load(Relaxed) != BOUND
    }

    /// Binds the session to this connection. Whether it is: the binding may have been given up.
    pub(crate) fn set_bound(&self) -> bool {
        self.binding.cmpxchg(BINDING, BOUND, Full) != Err(GIVEN_UP)
    }

    /// Gives the binding up. Whether it is: the session may be bound already, or not be one that is bound.
    pub(crate) fn give_up(&self) -> bool {
        self.binding.cmpxchg(BINDING, GIVEN_UP, Full) != Err(BOUND)
    }

    /// Takes a response into the preauthentication hash of the authentication under way.
    pub(crate) fn extend_hash(&self, response: &[u8]) {
        if let Some(exchange) = &mut *self.exchange.lock() {
            exchange.preauth = extend_hash(&exchange.preauth, response);
        }
    }

    /// Whether the channel has a signing key of its own: guests and unfinished logins have none.
    pub(crate) fn has_key(&self) -> bool {
        self.signer.as_ref().is_some()
    }

    /// What signs: the channel's own key, or while the session is being bound that of the session's first connection,
    /// [MS-SMB2] 3.3.4.1.1.
    fn signer(&self) -> Option<&Signer> {
        if self.is_binding() {
            return self.session.binding().map(|binding| &binding.signer);
        }
        self.signer.as_ref()
    }

    /// Whether there is anything to sign with.
    pub(crate) fn can_sign(&self) -> bool {
        self.signer().is_some()
    }

    /// Whether the signature in the header of `pdu` is right.
    pub(crate) fn verify(&self, pdu: &[u8]) -> bool {
        self.signer().is_some_and(|signer| signer.verify(pdu))
    }

    /// The signature of `message`, whose signature field is taken as zero, and the payload behind it.
    pub(crate) fn sign(&self, message: &[u8], payload: Option<&PageVec>) -> [u8; 16] {
        match self.signer() {
            Some(signer) => signer.sign(message, payload),
            None => [0; 16],
        }
    }
}

/// The sessions of one connection by id.
#[pin_data]
pub(crate) struct ChannelTable {
    #[pin]
    listed: Mutex<Listed>,
}

struct Listed {
    by_id: RBTree<u64, Arc<Channel>>,
    /// How many `by_id` holds.
    count: usize,
}

impl Listed {
    fn remove(&mut self, id: u64) -> Option<Arc<Channel>> {
        let node = self.by_id.remove_node(&id)?;
        self.count = self.count.saturating_sub(1);
        Some(node.to_key_value().1)
    }
}

impl ChannelTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(ChannelTable { listed <- new_mutex!(Listed { by_id: RBTree::new(), count: 0 }) })
    }

    /// The session `id`, if it lives on the connection.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Channel>> {
        self.listed.lock().by_id.get(&id).cloned()
    }

    /// Lists a session.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the session is listed, `ENOSPC` when `limit` sessions are, `ENOMEM`.
    pub(crate) fn insert(&self, channel: &Arc<Channel>, limit: u32) -> Result {
        let node = RBTreeNode::new(channel.session.id, channel.clone(), GFP_KERNEL)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut listed = self.listed.lock();
        if listed.by_id.get(&channel.session.id).is_some() {
            return Err(EEXIST);
        }
        if listed.count >= limit {
            return Err(ENOSPC);
        }
        listed.by_id.insert(node);
        listed.count = listed.count.saturating_add(1);
        Ok(())
    }

    /// Takes a session off the list.
    pub(crate) fn remove(&self, id: u64) -> Option<Arc<Channel>> {
        self.listed.lock().remove(id)
    }

    /// Takes `channel` off the list, unless another of its session is listed.
    pub(crate) fn remove_this(&self, channel: &Arc<Channel>) {
        let id = channel.session.id;
        let mut listed = self.listed.lock();
        let is_this = |found| Arc::ptr_eq(found, channel);
        let removed = match listed.by_id.get(&id) {
            Some(found) if is_this(found) => listed.remove(id),
            _ => None,
        };
        drop(listed);
        drop(removed);
    }

    /// Takes any session off the list.
    pub(crate) fn take_any(&self) -> Option<Arc<Channel>> {
        let mut listed = self.listed.lock();
        let id = *listed.by_id.keys().next()?;
        listed.remove(id)
    }

    /// Number of sessions, those whose login is under way included.
    pub(crate) fn count(&self) -> usize {
        self.listed.lock().count
    }

    /// Whether any session has a file open.
    pub(crate) fn any_open_file(&self) -> bool {
        self.listed
            .lock()
            .by_id
            .values()
            .any(|channel| !channel.session.opens.is_empty())
    }
}
