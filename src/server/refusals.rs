// SPDX-License-Identifier: GPL-2.0

//! Logins, and uses of shares, that were refused, for the administrator: one line each in the kernel's log, with who, from where
//! and why. What the daemon refuses, it tells itself.
//!
//! Clients cause these lines, so there is a limit to them; what was left out is counted in the next one. Lock order: a leaf.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex};

use linux::time;

use crate::connection::Peer;

/// Lines in one period.
const MOST: u32 = 10;
/// Length of a period, milliseconds.
const PERIOD_MS: u64 = 10_000;

struct Inner {
    /// When the period began, monotonic milliseconds.
    since: u64,
    written: u32,
    left_out: u32,
}

/// Writes lines, up to a limit.
#[pin_data]
pub(crate) struct Refusals {
    #[pin]
    inner: Mutex<Inner>,
}

impl Refusals {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Refusals {
            inner <- new_mutex!(Inner { since: 0, written: 0, left_out: 0 }),
        })
    }

    /// Notes that the login of `name` (as the client sent it) was refused.
    pub(crate) fn login(&self, peer: &Peer, name: &[u8], why: &str) {
        let Some(left_out) = self.take() else {
            return;
        };
        let name = core::str::from_utf8(name).unwrap_or("?");
        // The name is printed as a literal, so that it cannot pretend to be a line of its own.
        if left_out == 0 {
            pr_notice!("login of {name:?} from {peer} refused: {why}\n");
        } else {
            pr_notice!("login of {name:?} from {peer} refused: {why} ({left_out} refusals before this one were left out)\n");
        }
    }

    /// Notes that `name` may not connect to the share `share` (as the client sent it).
    pub(crate) fn share(&self, peer: &Peer, name: &[u8], share: &[u8], why: &str) {
        let Some(left_out) = self.take() else {
            return;
        };
        let name = core::str::from_utf8(name).unwrap_or("?");
        let share = core::str::from_utf8(share).unwrap_or("?");
        if left_out == 0 {
            pr_notice!("{name:?} from {peer} refused on {share:?}: {why}\n");
        } else {
            pr_notice!("{name:?} from {peer} refused on {share:?}: {why} ({left_out} refusals before this one were left out)\n");
        }
    }

    /// Whether a line may be written, and how many were not since the last one.
    fn take(&self) -> Option<u32> {
        let now = time::monotonic_ms();
        let mut inner = self.inner.lock();
        if now.saturating_sub(inner.since) >= PERIOD_MS {
            inner.since = now;
            inner.written = 0;
        }
        if inner.written >= MOST {
            inner.left_out = inner.left_out.saturating_add(1);
            return None;
        }
        inner.written = inner.written.saturating_add(1);
        Some(core::mem::replace(&mut inner.left_out, 0))
    }
}
