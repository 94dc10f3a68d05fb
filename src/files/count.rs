// SPDX-License-Identifier: GPL-2.0

//! How much is open in the whole server, and the ids that opens get.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Full, Relaxed};

use smb_proto::header::FileId;

/// Counts opens against `max open files`.
pub(crate) struct OpenCount {
    open: Atomic<u32>,
    next_id: Atomic<u64>,
}

impl OpenCount {
    pub(crate) fn new() -> Self {
        OpenCount {
            open: Atomic::new(0),
            next_id: Atomic::new(1),
        }
    }

    /// Counts an open in, which [`Self::sub`] counts out.
    ///
    /// # Errors
    ///
    /// `EMFILE` at `limit`.
    pub(crate) fn add(&self, limit: u32) -> Result {
        let mut old = self.open.load(Relaxed);
        loop {
            if old >= limit {
                return Err(EMFILE);
            }
            match self.open.cmpxchg(old, old.saturating_add(1), Full) {
                Ok(_) => return Ok(()),
                Err(current) => old = current,
            }
        }
    }

    /// Counts an open in that is yet to be made: it is counted out again unless it is [kept](Slot::keep).
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub(crate) fn reserve(&self, limit: u32) -> Result<Slot<'_>> {
        self.add(limit)?;
        Ok(Slot(self))
    }

    /// Number of opens.
    pub(crate) fn count(&self) -> u32 {
        self.open.load(Relaxed)
    }

    /// Counts an open out.
    pub(crate) fn sub(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// A file id that no open of the server has had.
    pub(crate) fn new_id(&self) -> FileId {
        let id = self.next_id.fetch_add(1, Relaxed);
        FileId {
            persistent: id,
            volatile: id,
        }
    }
}

/// Room for one open.
#[must_use]
pub(crate) struct Slot<'a>(&'a OpenCount);

impl Slot<'_> {
    /// The open was made: its close counts it out.
    pub(crate) fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.sub();
    }
}
