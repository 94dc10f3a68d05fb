// SPDX-License-Identifier: GPL-2.0

//! How breaks of oplocks and leases reach the clients, [MS-SMB2] 3.3.4.6 and 3.3.4.7, and what ends those that are not
//! answered, 3.3.6.1 and 3.3.6.5.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::inode::InodeKey;
use linux::time;
use smb_model::lease::{State, Trigger};
use smb_model::oplock::Level;
use smb_proto::header::Header;
use smb_proto::oplock_break::Reply as Message;
use smb_proto::status::NtStatus;

use crate::connection::Connection;
use crate::server::Server;
use crate::session::Channel;
use crate::smb2::reply::Reply;
use crate::smb2::wait::Waker;

use super::inode::{Admission, FileState, OpenFiles};
use super::locks::{Owner, Wakers};
use super::oplocks::{Actor, Cached, Caching, HolderId, LeaseId, Notice, Notices, Target};

/// Most bytes of a notification's body.
const ROOM: usize = 64;

/// Whether something may be done to a file now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Clear {
    /// It may.
    Now,
    /// Someone's caching must be broken first.
    Later,
}

impl Admission {
    /// Breaks what others cache and `trigger` disturbs. With [`Clear::Later`] the caller waits and tries again: `waker` is
    /// woken when it is worth it; without one nobody is, and the caller comes back with one.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn disturb(
        &self,
        server: &Arc<Server>,
        trigger: Trigger,
        waker: Option<&Waker>,
    ) -> Result<Clear, NtStatus> {
        self.state.disturb(server, &self.actor(), trigger, waker)
    }
}

impl FileState {
    /// As [`Admission::disturb`], for someone who may not have it open.
    pub(crate) fn disturb(
        self: &Arc<Self>,
        server: &Arc<Server>,
        actor: &Actor,
        trigger: Trigger,
        waker: Option<&Waker>,
    ) -> Result<Clear, NtStatus> {
        let mut notices = Notices::default();
        let mut inner = self.inner.lock();
        let Some(caching) = &mut inner.caching else {
            return Ok(Clear::Now);
        };
        let must_wait = caching.disturb(actor, |_| Some(trigger), &mut notices);
        let waits = match (must_wait, waker) {
            (true, Some(waker)) => caching.wait(waker),
            _ => Ok(()),
        };
        drop(inner);
        send(server, self, notices);
        waits?;
        Ok(if must_wait { Clear::Later } else { Clear::Now })
    }

    /// The client answers the break of an oplock. Gives the level that it keeps.
    ///
    /// # Errors
    ///
    /// Those of [`smb_model::oplock::Oplock::acknowledge`].
    pub(crate) fn acknowledge_oplock(
        self: &Arc<Self>,
        server: &Arc<Server>,
        open: Owner,
        level: u8,
    ) -> Result<Level, NtStatus> {
        self.change(server, |caching, now, notices, wakers| {
            caching.acknowledge_oplock(open, level, now, notices, wakers)
        })
    }

    /// The client answers the break of a lease. Gives the state that it keeps.
    ///
    /// # Errors
    ///
    /// Those of [`smb_model::lease::Lease::acknowledge`].
    fn acknowledge_lease(
        self: &Arc<Self>,
        server: &Arc<Server>,
        id: LeaseId,
        state: u32,
    ) -> Result<State, NtStatus> {
        self.change(server, |caching, now, notices, wakers| {
            caching.acknowledge_lease(id, state, now, notices, wakers)
        })
    }

    /// Runs `change`, then sends and wakes what it says.
    fn change<T>(
        self: &Arc<Self>,
        server: &Arc<Server>,
        change: impl FnOnce(&mut Caching, u64, &mut Notices, &mut Wakers) -> Result<T, NtStatus>,
    ) -> Result<T, NtStatus> {
        let (mut notices, mut wakers) = (Notices::default(), Wakers::default());
        let mut nobody = Caching::new();
        let mut inner = self.inner.lock();
        let caching = match &mut inner.caching {
            Some(caching) => caching,
            None => &mut nobody,
        };
        let outcome = change(caching, time::monotonic_ms(), &mut notices, &mut wakers);
        drop(inner);
        send(server, self, notices);
        wakers.wake();
        outcome
    }

    /// The client of `open` has been told what it may cache.
    fn told(self: &Arc<Self>, server: &Arc<Server>, open: Owner) {
        let mut notices = Notices::default();
        if let Some(caching) = &mut self.inner.lock().caching {
            caching.told(open, &mut notices);
        }
        send(server, self, notices);
    }

    /// Takes everything from a holder that cannot be told of a break.
    fn lose(&self, id: HolderId) {
        let mut wakers = Wakers::default();
        if let Some(caching) = &mut self.inner.lock().caching {
            caching.lose(id, &mut wakers);
        }
        wakers.wake();
    }

    /// Takes everything from holders that did not answer in time. Gives the next time to look.
    fn expire(&self, now: u64) -> Option<u64> {
        let mut wakers = Wakers::default();
        let next = match &mut self.inner.lock().caching {
            Some(caching) => caching.expire(now, &mut wakers),
            None => None,
        };
        wakers.wake();
        next
    }

    /// Until when an acknowledgment is awaited, if one is.
    fn deadline(&self) -> Option<u64> {
        self.inner
            .lock()
            .caching
            .as_ref()
            .and_then(|caching| caching.deadline())
    }
}

/// An open that was given something to cache, and whose client does not know of it yet. Breaks of it are held back until this is
/// dropped, which is when the answer to its CREATE has been posted: on the same connection they come after it.
pub(crate) struct Untold {
    server: Arc<Server>,
    state: Arc<FileState>,
    open: Owner,
}

impl Untold {
    /// For the open of `admission`, if `cached` is anything.
    pub(crate) fn of(server: &Arc<Server>, admission: &Admission, cached: &Cached) -> Option<Self> {
        cached.is_something().then(|| Untold {
            server: server.clone(),
            state: admission.state.clone(),
            open: admission.actor().open,
        })
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.state.told(&self.server, self.open);
    }
}

impl OpenFiles {
    /// The client answers the break of a lease. Gives the state that it keeps.
    ///
    /// # Errors
    ///
    /// `STATUS_OBJECT_NAME_NOT_FOUND` if there is no such lease; those of [`smb_model::lease::Lease::acknowledge`].
    pub(crate) fn acknowledge_lease(
        &self,
        server: &Arc<Server>,
        id: LeaseId,
        state: u32,
    ) -> Result<State, NtStatus> {
        let file = self.of_lease(&id).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        file.acknowledge_lease(server, id, state)
    }

    /// Ends the breaks of the file `key` that were not answered in time. Gives the next time to look.
    pub(super) fn expire(&self, key: InodeKey, now: u64) -> Option<u64> {
        self.find(key)?.expire(now)
    }
}

/// Sends notifications about `file` from a worker of its own: a client that does not read holds up nobody but itself.
pub(super) fn send(server: &Arc<Server>, file: &Arc<FileState>, notices: Notices) {
    if notices.due.is_empty() && !notices.any_held_back {
        return;
    }
    if let Some(deadline) = file.deadline() {
        server.files.watch_breaks(file.key(), deadline);
    }
    if notices.due.is_empty() {
        return;
    }
    let job = {
        let (server, file) = (server.clone(), file.clone());
        let notices = match Arc::new(notices, GFP_KERNEL) {
            Ok(notices) => notices,
            // Who waits gets on when the time is over.
            Err(_) => return,
        };
        move || {
            for notice in notices.due.iter() {
                if !deliver(&server, notice) {
                    file.lose(notice.holder);
                }
            }
        }
    };
    // As above.
    let _ = server.io.queue().try_spawn(GFP_KERNEL, job);
}

/// Sends a notification on the first connection that takes it.
fn deliver(server: &Server, notice: &Notice) -> bool {
    for target in notice.targets.iter().flatten() {
        let Some(session) = server.sessions.get(target.session) else {
            continue;
        };
        for id in session.connection_ids().into_iter().flatten() {
            let Some(conn) = server.connections.get(id).filter(|conn| !conn.has_ended()) else {
                continue;
            };
            let Some(channel) = conn.channels.get(target.session) else {
                continue;
            };
            if !channel.is_binding() && send_on(&conn, &channel, target, &notice.message).is_ok() {
                debug!(server, Oplock, "{}: told of a break\n", conn.peer);
                return true;
            }
        }
    }
    debug!(server, Oplock, "a break could not be told\n");
    false
}

fn send_on(
    conn: &Arc<Connection>,
    channel: &Channel,
    target: &Target,
    message: &Message,
) -> Result {
    let mut reply = Reply::new(&conn.server.buffers);
    reply.body(ROOM, |w| message.write(w)).map_err(|_| ENOMEM)?;
    // A lease belongs to the client, not to one of its sessions.
    let session_id = match message {
        Message::Oplock(_) => target.session,
        _ => 0,
    };
    reply.put_header(&Header::notification(session_id));
    // Notifications are never signed.
    if target.must_seal || channel.session.must_encrypt() {
        conn.send_sealed(channel, reply, 0)
    } else {
        conn.send_plain(reply, 0)
    }
}
