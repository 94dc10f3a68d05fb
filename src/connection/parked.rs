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
    /// Bytes that wait with the request.
    bytes: usize,
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
        entry.waker.can_be_cancelled()
            && match self {
                Named::Async(id) => entry.waker.async_id() == id,
                Named::Message(id) => entry.message_id == id,
            }
    }
}

struct Inner {
    entries: KVec<Entry>,
    /// Sum of the entries' `bytes`.
    bytes: usize,
    /// The last CANCELs that found nothing, a ring.
    early: [Option<Named>; MAX_EARLY],
    next_early: usize,
    /// Whether the connection is being torn down: nothing may begin to wait, since nobody would wake it.
    is_closed: bool,
}

impl Inner {
    /// Takes the first entry that is wanted off the list.
    fn take(&mut self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let index = self.entries.iter().position(wanted)?;
        let entry = self.entries.remove(index).ok()?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }
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
                bytes: 0,
                early: [None; MAX_EARLY],
                next_early: 0,
                is_closed: false,
            }),
        })
    }

    /// Lists a request that takes `bytes` while it waits. All that wait are to have at most `max_bytes`; one of any size may always wait.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when the connection has its maximum of waiting requests or their bytes, `ENOMEM`.
    pub(crate) fn insert(
        &self,
        message_id: u64,
        waker: Waker,
        bytes: usize,
        max_bytes: usize,
    ) -> Result<Listed> {
        let entry = Entry {
            message_id,
            bytes,
            waker,
        };
        let mut inner = self.inner.lock();
        if inner.is_closed || inner.early.iter().flatten().any(|named| named.is(&entry)) {
            return Ok(Listed::Cancelled);
        }
        let sum = inner.bytes.saturating_add(bytes);
        if inner.entries.len() >= MAX_PARKED || (inner.bytes > 0 && sum > max_bytes) {
            return Err(ENOSPC);
        }
        inner.entries.push(entry, GFP_KERNEL)?;
        inner.bytes = sum;
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
        let Some(found) = inner.take(|entry| named.is(entry)) else {
            let at = inner.next_early;
            if let Some(place) = inner.early.get_mut(at) {
                *place = Some(named);
            }
            let next = at.saturating_add(1);
            inner.next_early = if next < MAX_EARLY { next } else { 0 };
            return;
        };
        drop(inner);
        found.waker.wake(wake);
    }

    /// Ends every wait, also those that would begin later.
    pub(crate) fn close(&self, wake: Wake) {
        self.inner.lock().is_closed = true;
        while let Some(entry) = self.take(|_| true) {
            entry.waker.wake(wake);
        }
    }

    fn take(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.inner.lock().take(wanted)
    }
}
