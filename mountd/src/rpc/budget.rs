// SPDX-License-Identifier: GPL-2.0

//! How much memory clients may make the daemon hold with what they write to pipes and do not read from them, of all pipes together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// Most bytes that all pipes may hold.
const MOST_HELD: usize = 256 << 20;

/// What all pipes hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    held: Arc<AtomicUsize>,
}

impl Budget {
    /// The share of a new pipe, which holds nothing yet.
    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            own: 0,
        }
    }
}

/// What one pipe holds. It is given back when the pipe ends.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    own: usize,
}

impl Share {
    /// Notes that the pipe holds `bytes` now; whether that is within what all pipes may hold.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let held = &self.budget.held;
        if bytes >= self.own {
            let more = bytes - self.own;
            let before = held.fetch_add(more, Ordering::Relaxed);
            self.own = bytes;
            more == 0 || before.saturating_add(more) <= MOST_HELD
        } else {
            held.fetch_sub(self.own - bytes, Ordering::Relaxed);
            self.own = bytes;
            true
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pipes_together_have_a_bound() {
        let budget = Budget::default();
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.set(MOST_HELD - 10) && other.set(10));
        assert!(!other.set(11), "the bound is passed");
        assert!(other.set(3) && other.set(10));
        assert!(!other.set(20));
        drop(one);
        assert!(other.set(21));
        drop(other);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
