// SPDX-License-Identifier: GPL-2.0

//! How much a connection carried, for the administrator.

use kernel::sync::atomic::{Atomic, Relaxed};

/// Messages and bytes, those of the transport's framing not counted.
pub(crate) struct Traffic {
    frames: Atomic<u64>,
    received: Atomic<u64>,
    sent: Atomic<u64>,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Traffic {
            frames: Atomic::new(0),
            received: Atomic::new(0),
            sent: Atomic::new(0),
        }
    }

    /// A message of `bytes` came.
    pub(super) fn came(&self, bytes: usize) {
        self.frames.fetch_add(1, Relaxed);
        self.received.fetch_add(count(bytes), Relaxed);
    }

    /// A message of `bytes` went.
    pub(super) fn went(&self, bytes: usize) {
        self.sent.fetch_add(count(bytes), Relaxed);
    }

    /// Messages that came: requests, or compounds of them.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Bytes that came.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Bytes that went.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
