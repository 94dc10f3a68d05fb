// SPDX-License-Identifier: GPL-2.0

//! Sessions: who is logged in, with which keys, and what they hold open.
//!
//! A session knows its connections by id only, so that nothing refers back; a connection holds its sessions through
//! [`Channel`]s. The end of the last connection, a logoff or a successor ends a session: [`Session::end`]. Several may come at
//! once; whoever takes a thing out of its table ends it.
//!
//! Lock order: `Session::user`, `Session::connections` are leaves; tables of trees and opens are locked one at a time and
//! never while files are closed.

pub(crate) mod channel;
pub(crate) mod exchange;
pub(crate) mod keys;
pub(crate) mod ntlm;
pub(crate) mod table;
pub(crate) mod user;

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex, SetOnce};

use linux::time;
use smb_model::negotiate::{Cipher, Dialect, Signing};
use smb_proto::status::NtStatus;

use crate::connection::crypto::{Opener, Sealer, Signer};
use crate::connection::Connection;
use crate::files::{OpenTable, TreeTable};
use crate::server::Server;

pub(crate) use channel::{Channel, ChannelTable};
pub(crate) use table::SessionTable;
pub(crate) use user::User;

/// Connections that may serve one session, [MS-SMB2] leaves the number to the server.
pub(crate) const MAX_CHANNELS: usize = 32;

/// Where a session is in its life, [MS-SMB2] 3.3.1.8 `Session.State`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionState {
    /// Nobody has been authenticated yet.
    InProgress,
    /// In use; also while it is reauthenticated.
    Valid,
    /// Its ticket or account expired: only reauthentication and closing are served.
    Expired,
    /// Over: nothing is served, nothing new is held.
    Ended,
}

/// What seals and opens a session's messages.
pub(crate) struct Sealing {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
}

/// What binds a session to further connections.
pub(crate) struct Binding {
    /// Signs the messages of the binding, with the key and the algorithm of the session's first connection, up to the last.
    pub(crate) signer: Signer,
    /// What was negotiated on the first connection.
    pub(crate) signing: Signing,
    pub(crate) cipher: Option<Cipher>,
}

/// One session.
#[pin_data]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) dialect: Dialect,
    /// `ClientGuid` of the connection that the session began on: channels must repeat it.
    pub(crate) client_guid: [u8; 16],
    /// Milliseconds of the monotonic clock when the session began.
    pub(crate) since: u64,
    state: Atomic<u32>,
    /// When the ticket or the account of the user ends, in seconds since 1970; 0 is never.
    expiry: Atomic<u64>,
    must_sign: Atomic<bool>,
    must_encrypt: Atomic<bool>,
    sealing: SetOnce<Sealing>,
    /// What binds the session to further connections.
    binding: SetOnce<Binding>,
    #[pin]
    user: Mutex<Option<Arc<User>>>,
    /// Ids of the connections that serve the session.
    #[pin]
    connections: Mutex<KVec<u64>>,
    #[pin]
    pub(crate) trees: TreeTable,
    #[pin]
    pub(crate) opens: OpenTable,
}

impl Session {
    /// A session that nobody is logged in to yet.
    pub(crate) fn new(id: u64, dialect: Dialect, client_guid: [u8; 16]) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Session {
                id,
                dialect,
                client_guid,
                since: linux::time::monotonic_ms(),
                state: Atomic::new(0),
                expiry: Atomic::new(0),
                must_sign: Atomic::new(false),
                must_encrypt: Atomic::new(false),
                sealing: SetOnce::new(),
                binding: SetOnce::new(),
                user <- new_mutex!(None),
                connections <- new_mutex!(KVec::new()),
                trees <- TreeTable::new(),
                opens <- OpenTable::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Where the session is in its life.
    pub(crate) fn state(&self) -> SessionState {
        match self.state.load(Relaxed) {
            0 => SessionState::InProgress,
            1 if self.has_expired() => SessionState::Expired,
            1 => SessionState::Valid,
            _ => SessionState::Ended,
        }
    }

    fn has_expired(&self) -> bool {
        let expiry = self.expiry.load(Relaxed);
        if expiry == 0 {
            return false;
        }
        let (now, _) = time::coarse_real_time();
        u64::try_from(now).is_ok_and(|now| now >= expiry)
    }

    /// Moves the session on, unless it has ended. Whether it had not.
    fn move_to(&self, state: SessionState) -> bool {
        let new = match state {
            SessionState::InProgress => 0,
            // Whether it has expired is seen when it is asked for.
            SessionState::Valid | SessionState::Expired => 1,
            SessionState::Ended => 3,
        };
        let mut old = self.state.load(Relaxed);
        while old != 3 {
            match self.state.cmpxchg(old, new, kernel::sync::atomic::Full) {
                Ok(_) => return true,
                Err(current) => old = current,
            }
        }
        false
    }

    /// Logs `user` in, or in again.
    pub(crate) fn log_in(&self, user: Arc<User>, server: &Server) {
        self.expiry.store(user.account.expiry.unwrap_or(0), Relaxed);
        let old = self.user.lock().replace(user);
        self.move_to(SessionState::Valid);
        if let Some(old) = old {
            old.log_out(server);
        }
        // A session that was ended meanwhile has looked for its user before this one came.
        if self.state() == SessionState::Ended {
            self.log_out(server);
        }
    }

    /// Who is logged in.
    pub(crate) fn user(&self) -> Option<Arc<User>> {
        self.user.lock().clone()
    }

    /// Whether requests other than those that end or renew the session are served.
    ///
    /// # Errors
    ///
    /// The status that refuses them.
    pub(crate) fn check_usable(&self) -> Result<(), NtStatus> {
        match self.state() {
            SessionState::Valid => Ok(()),
            SessionState::Expired => Err(NtStatus::NETWORK_SESSION_EXPIRED),
            SessionState::InProgress => Err(NtStatus::ACCESS_DENIED),
            SessionState::Ended => Err(NtStatus::USER_SESSION_DELETED),
        }
    }

    /// Whether every message is signed, `Session.SigningRequired`.
    pub(crate) fn must_sign(&self) -> bool {
        self.must_sign.load(Relaxed)
    }

    /// Makes signatures mandatory.
    pub(crate) fn require_signing(&self) {
        self.must_sign.store(true, Relaxed);
    }

    /// Whether every message is encrypted, `Session.EncryptData`.
    pub(crate) fn must_encrypt(&self) -> bool {
        self.must_encrypt.load(Relaxed)
    }

    /// Makes encryption mandatory.
    pub(crate) fn require_encryption(&self) {
        self.must_encrypt.store(true, Relaxed);
    }

    /// The keys that seal and open, once there are any.
    pub(crate) fn sealing(&self) -> Option<&Sealing> {
        self.sealing.as_ref()
    }

    /// Gives the session its sealing keys; they never change.
    pub(crate) fn set_sealing(&self, sealing: Sealing) {
        self.sealing.populate(sealing);
    }

    /// Sets what binds the session to further connections.
    pub(crate) fn set_binding(&self, binding: Binding) {
        self.binding.populate(binding);
    }

    /// What binds the session to further connections; none of guests.
    pub(crate) fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    /// Whether the session's first connection signs with AES-GMAC, so that no two messages may be signed under one message id.
    pub(crate) fn signs_by_nonce(&self) -> bool {
        self.binding()
            .is_some_and(|first| first.signing == Signing::AesGmac)
    }

    /// Counts a connection in, once.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES` at [`MAX_CHANNELS`] or without memory.
    pub(crate) fn join(&self, conn: &Connection) -> Result<(), NtStatus> {
        let mut connections = self.connections.lock();
        if connections.contains(&conn.id) {
            return Ok(());
        }
        if connections.len() >= MAX_CHANNELS {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        connections
            .push(conn.id, GFP_KERNEL)
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
    }

    /// Counts a connection out; the last one ends the session.
    pub(crate) fn leave(&self, conn: &Connection, server: &Arc<Server>) {
        let is_last = {
            let mut connections = self.connections.lock();
            connections.retain(|id| *id != conn.id);
            connections.is_empty()
        };
        if is_last {
            self.end(server);
        }
    }

    /// Ids of the connections that serve the session, for messages that the server sends of its own accord.
    pub(crate) fn connection_ids(&self) -> [Option<u64>; MAX_CHANNELS] {
        let connections = self.connections.lock();
        let mut ids = [None; MAX_CHANNELS];
        for (to, from) in ids.iter_mut().zip(connections.iter()) {
            *to = Some(*from);
        }
        ids
    }

    /// Ends the session: its files are closed, its tree connects forgotten, [MS-SMB2] 3.3.4.12. Requests that are in
    /// work finish on what they hold; nothing new is taken in. Whether nobody else had ended it.
    pub(crate) fn end(&self, server: &Arc<Server>) -> bool {
        let is_first = self.move_to(SessionState::Ended);
        server.sessions.remove(self.id);
        self.opens.close_all(server);
        self.trees.disconnect_all(server);
        let ids = core::mem::take(&mut *self.connections.lock());
        for id in ids {
            if let Some(conn) = server.connections.get(id) {
                conn.channels.remove(self.id);
            }
        }
        self.log_out(server);
        is_first
    }

    fn log_out(&self, server: &Server) {
        let user = self.user.lock().take();
        if let Some(user) = user {
            user.log_out(server);
        }
    }
}
