// SPDX-License-Identifier: GPL-2.0

//! The requests of a connection that wait, findable by CANCEL. Lock order: a leaf.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex};

use crate::smb2::wait::{Wake, Waker};

/// Requests that may wait on one connection at a time.
const MAX_PARKED: usize = 1_024;

struct Entry {
    message_id: u64,
    waker: Waker,
}

/// Waiting requests by message id and async id.
#[pin_data]
pub(crate) struct ParkedTable {
    #[pin]
    entries: Mutex<KVec<Entry>>,
}

impl ParkedTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(ParkedTable { entries <- new_mutex!(KVec::new()) })
    }

    /// Lists a request.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when the connection has its maximum of waiting requests, `ENOMEM`.
    pub(crate) fn insert(&self, message_id: u64, waker: Waker) -> Result {
        let mut entries = self.entries.lock();
        if entries.len() >= MAX_PARKED {
            return Err(ENOSPC);
        }
        entries.push(Entry { message_id, waker }, GFP_KERNEL)?;
        Ok(())
    }

    /// Takes a request off the list.
    pub(crate) fn remove(&self, async_id: u64) {
        let entry = self.take(|entry| entry.waker.async_id() == async_id);
        // Dropped here, outside the lock: it may hold the last reference to a chain.
        drop(entry);
    }

    /// Ends the wait of the request that CANCEL names, [MS-SMB2] 3.3.5.16.
    pub(crate) fn cancel(&self, message_id: u64, async_id: Option<u64>, wake: Wake) {
        let found = self.take(|entry| match async_id {
            Some(id) => entry.waker.async_id() == id,
            None => entry.message_id == message_id,
        });
        if let Some(entry) = found {
            entry.waker.wake(wake);
        }
    }

    /// Ends every wait.
    pub(crate) fn wake_all(&self, wake: Wake) {
        while let Some(entry) = self.take(|_| true) {
            entry.waker.wake(wake);
        }
    }

    fn take(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut entries = self.entries.lock();
        let index = entries.iter().position(wanted)?;
        entries.remove(index).ok()
    }
}
