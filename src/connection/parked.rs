// SPDX-License-Identifier: GPL-2.0

//! The requests of a connection that wait, findable by CANCEL. Lock order: a leaf.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex};

use crate::smb2::wait::{Wake, Waker};

/// Requests that may wait on one connection at a time.
const MAX_PARKED: usize = 1_024;

/// CANCELs that are remembered for requests that have not begun to wait. Workers overtake each other, so that a CANCEL can
/// come before its request has got there; ids do not repeat, so that the others do no harm.
const MAX_EARLY: usize = 64;

struct Entry {
    message_id: u64,
    waker: Waker,
}

/// The request that a CANCEL means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Message(u64),
    Async(u64),
}

impl Named {
    fn is(self, entry: &Entry) -> bool {
        match self {
            Named::Async(id) => entry.waker.async_id() == id,
            Named::Message(id) => entry.message_id == id,
        }
    }
}

struct Inner {
    entries: KVec<Entry>,
    /// The last CANCELs that found nothing, a ring.
    early: [Option<Named>; MAX_EARLY],
    next_early: usize,
    /// Whether the connection is being torn down: nothing may begin to wait, since nobody would wake it.
    is_closed: bool,
}

/// Whether a request may wait.
pub(crate) enum Listed {
    Yes,
    /// It was cancelled before, or the connection ends.
    Cancelled,
}

/// Waiting requests by message id and async id.
#[pin_data]
pub(crate) struct ParkedTable {
    #[pin]
    inner: Mutex<Inner>,
}

impl ParkedTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(ParkedTable {
            inner <- new_mutex!(Inner {
                entries: KVec::new(),
                early: [None; MAX_EARLY],
                next_early: 0,
                is_closed: false,
            }),
        })
    }

    /// Lists a request.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when the connection has its maximum of waiting requests, `ENOMEM`.
    pub(crate) fn insert(&self, message_id: u64, waker: Waker) -> Result<Listed> {
        let entry = Entry { message_id, waker };
        let mut inner = self.inner.lock();
        if inner.is_closed || inner.early.iter().flatten().any(|named| named.is(&entry)) {
            return Ok(Listed::Cancelled);
        }
        if inner.entries.len() >= MAX_PARKED {
            return Err(ENOSPC);
        }
        inner.entries.push(entry, GFP_KERNEL)?;
        Ok(Listed::Yes)
    }

    /// Takes a request off the list.
    pub(crate) fn remove(&self, async_id: u64) {
        let entry = self.take(|entry| entry.waker.async_id() == async_id);
        // Dropped here, outside the lock: it may hold the last reference to a chain.
        drop(entry);
    }

    /// Ends the wait of the request that CANCEL names, [MS-SMB2] 3.3.5.16, or the wait that it is about to begin.
    pub(crate) fn cancel(&self, message_id: u64, async_id: Option<u64>, wake: Wake) {
        let named = match async_id {
            Some(id) => Named::Async(id),
            None => Named::Message(message_id),
        };
        let mut inner = self.inner.lock();
        let Some(index) = inner.entries.iter().position(|entry| named.is(entry)) else {
            let at = inner.next_early;
            if let Some(place) = inner.early.get_mut(at) {
                *place = Some(named);
            }
            let next = at.saturating_add(1);
            inner.next_early = if next < MAX_EARLY { next } else { 0 };
            return;
        };
        let found = inner.entries.remove(index);
        drop(inner);
        if let Ok(entry) = found {
            entry.waker.wake(wake);
        }
    }

    /// Ends every wait, also those that would begin later.
    pub(crate) fn close(&self, wake: Wake) {
        self.inner.lock().is_closed = true;
        while let Some(entry) = self.take(|_| true) {
            entry.waker.wake(wake);
        }
    }

    fn take(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut inner = self.inner.lock();
        let index = inner.entries.iter().position(wanted)?;
        inner.entries.remove(index).ok()
    }
}
