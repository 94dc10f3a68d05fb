// SPDX-License-Identifier: GPL-2.0

//! Requests that wait: for a lock, an oplock break, a change, pipe data.
//!
//! A handler that must wait takes a [`Waker`], gives clones of it to whatever may end the wait, and returns
//! [`Stop::Wait`](super::context::Stop::Wait). The job is then parked, no worker is held, and the first
//! [`Waker::wake`] puts it on the work queue again. A wake-up before the job is parked is remembered.
//!
//! Lock order: `Parked::state` is a leaf. While a request waits, its connection's table of parked requests and the
//! parked job refer to each other; a wake-up takes the job out, and the end of a connection wakes everything.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

use smb_proto::status::NtStatus;

use crate::connection::parked::Listed;
use crate::connection::Connection;
use crate::files::Tree;
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::job::OwnedJob;
use super::reply::Reply;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// What was waited for may have happened: look again.
    Ready,
    /// The request is to end with this status (cancelled, closed, disconnected).
    Ended(NtStatus),
}

/// The second half of a handler that waited.
pub(crate) trait Resume: Send {
    /// Answers the request. It may wait again with a new waker.
    fn resume(&mut self, wake: Wake, context: &mut Context<'_>, reply: &mut Reply) -> Handled;
}

enum State {
    /// The handler is still at work.
    Running(Arc<Connection>),
    /// The handler is still at work, but what it will wait for has happened.
    WokenEarly(Arc<Connection>, Wake),
    /// The job waits.
    Waiting(Arc<Connection>, OwnedJob),
    /// The job went back to work, or never waited. Whoever still has a waker keeps nothing of the connection.
    Over,
}

/// A request that waits, or is about to.
#[pin_data]
pub(crate) struct Parked {
    pub(crate) async_id: u64,
    /// Whether CANCEL ends the wait.
    can_be_cancelled: bool,
    #[pin]
    state: Mutex<State>,
}

/// Ends a wait.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Parked>);

impl Waker {
    /// A waker for a request on `conn`. One that waits again keeps the `async_id` by which the client knows it.
    pub(crate) fn new(conn: &Arc<Connection>, async_id: Option<u64>) -> Result<Self> {
        Self::with(conn, async_id, true)
    }

    /// A waker for a request on `conn` that CANCEL does not reach.
    pub(crate) fn uncancellable(conn: &Arc<Connection>) -> Result<Self> {
        Self::with(conn, None, false)
    }

    fn with(conn: &Arc<Connection>, async_id: Option<u64>, can_be_cancelled: bool) -> Result<Self> {
        let running = State::Running(conn.clone());
        let parked = Arc::pin_init(
            pin_init!(Parked {
                async_id: async_id.unwrap_or_else(|| conn.next_async_id()),
                can_be_cancelled,
                state <- new_mutex!(running),
            }),
            GFP_KERNEL,
        )?;
        Ok(Waker(parked))
    }

    /// The id under which the client knows the request once it waits.
    pub(crate) fn async_id(&self) -> u64 {
        self.0.async_id
    }

    /// Whether CANCEL ends the wait.
    pub(crate) fn can_be_cancelled(&self) -> bool {
        self.0.can_be_cancelled
    }

    /// Whether the wait is over, so that waking does nothing.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.0.state.lock(), State::Over)
    }

    /// Ends the wait. Only the first call does anything.
    pub(crate) fn wake(&self, wake: Wake) {
        let (conn, job) = {
            let mut state = self.0.state.lock();
            match core::mem::replace(&mut *state, State::Over) {
                State::Running(conn) => {
                    *state = State::WokenEarly(conn, wake);
                    return;
                }
                State::WokenEarly(conn, first) => {
                    *state = State::WokenEarly(conn, first);
                    return;
                }
                State::Over => return,
                State::Waiting(conn, job) => (conn, job),
            }
        };
        conn.parked.remove(self.0.async_id);
        job.resume(wake);
    }

    /// Parks the job; gives it back with the reason if the wait is over already.
    pub(crate) fn park(
        &self,
        conn: &Arc<Connection>,
        message_id: u64,
        job: OwnedJob,
    ) -> Result<(), (OwnedJob, Wake)> {
        let max_bytes = conn.standing().max_parked_bytes();
        let listed = conn
            .parked
            .insert(message_id, self.clone(), job.load(), max_bytes);
        let refused = match listed {
            Ok(Listed::Yes) => None,
            Ok(Listed::Cancelled) => Some(Wake::Ended(NtStatus::CANCELLED)),
            Err(_) => Some(Wake::Ended(NtStatus::INSUFFICIENT_RESOURCES)),
        };
        let mut state = self.0.state.lock();
        let before = core::mem::replace(&mut *state, State::Over);
        let wake = match &before {
            State::WokenEarly(_, wake) => Some(*wake),
            _ => refused,
        };
        if let Some(wake) = wake {
            drop(state);
            conn.parked.remove(self.0.async_id);
            return Err((job, wake));
        }
        *state = State::Waiting(conn.clone(), job);
        drop(state);
        Ok(())
    }
}

/// A handler of a command that needs a tree connect.
pub(crate) type TreeHandler =
    fn(&mut Context<'_>, &Arc<Session>, &Arc<Tree>, &mut Reply) -> Handled;

/// A request that is served again from its beginning once it is woken: nothing of what it did so far needs to be taken back.
struct Again {
    serve: TreeHandler,
    session: Arc<Session>,
    tree: Arc<Tree>,
}

impl Resume for Again {
    fn resume(&mut self, wake: Wake, context: &mut Context<'_>, reply: &mut Reply) -> Handled {
        match wake {
            Wake::Ready => (self.serve)(context, &self.session, &self.tree, reply),
            Wake::Ended(status) => Err(status.into()),
        }
    }
}

/// Waits for `waker`, and then serves the request again.
pub(crate) fn again(
    waker: Waker,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    serve: TreeHandler,
) -> Stop {
    let again = Again {
        serve,
        session: session.clone(),
        tree: tree.clone(),
    };
    match KBox::new(again, GFP_KERNEL) {
        Ok(again) => Stop::Wait(waker, again),
        Err(_) => Stop::Failed(NtStatus::INSUFFICIENT_RESOURCES),
    }
}
