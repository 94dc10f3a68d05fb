// SPDX-License-Identifier: GPL-2.0

//! A flag that threads sleep on.
//!
//! C header: `include/linux/completion.h`.

use crate::{sys, time};
use kernel::prelude::*;
use kernel::types::Opaque;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The flag was raised.
    Raised,
    /// The time ran out first.
    TimedOut,
    /// A signal came first.
    Interrupted,
}

/// A flag that stays raised until it is lowered; raising it wakes everybody who waits.
#[pin_data]
pub struct WakeUp {
    #[pin]
    done: Opaque<sys::completion>,
}

// SAFETY: a completion may be used from any thread.
unsafe impl Send for WakeUp {}
// SAFETY: a completion serialises its users itself.
unsafe impl Sync for WakeUp {}

impl WakeUp {
    /// A lowered flag.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(WakeUp {
            // SAFETY: `slot` is valid for writing a completion.
            done <- Opaque::ffi_init(|slot| unsafe { sys::init_completion(slot) }),
        })
    }

    /// Raises the flag. Callable where sleeping is not allowed.
    pub fn raise(&self) {
        // SAFETY: initialised in `new`.
        unsafe { sys::complete_all(self.done.get()) };
    }

    /// Lowers the flag. A thread that was woken by it before still returns `Raised`.
    pub fn lower(&self) {
        // SAFETY: initialised in `new`. The count is a word that waiters read under the completion's lock; one who comes
        // between sees it either raised or lowered.
        unsafe { sys::ksmbd_reinit_completion(self.done.get()) };
    }

    /// Whether it is raised.
    pub fn is_raised(&self) -> bool {
        // SAFETY: initialised in `new`.
        unsafe { sys::completion_done(self.done.get()) }
    }

    /// Sleeps until the flag is raised, `ms` milliseconds have passed, or a signal comes. Kernel threads get no signals.
    pub fn wait_ms(&self, ms: u32) -> Waited {
        // SAFETY: initialised in `new`; the caller may sleep, as everywhere in this crate where a function waits.
        let left = unsafe {
            sys::wait_for_completion_interruptible_timeout(
                self.done.get(),
                time::ms_to_timeout(ms).unsigned_abs(),
            )
        };
        Self::waited(left)
    }

    /// As [`Self::wait_ms`], but only a signal that kills the task ends the wait.
    pub fn wait_killable_ms(&self, ms: u32) -> Waited {
        // SAFETY: as in `wait_ms`.
        let left = unsafe {
            sys::wait_for_completion_killable_timeout(
                self.done.get(),
                time::ms_to_timeout(ms).unsigned_abs(),
            )
        };
        Self::waited(left)
    }

    fn waited(left: kernel::ffi::c_long) -> Waited {
        match left {
            0 => Waited::TimedOut,
            1.. => Waited::Raised,
            _ => Waited::Interrupted,
        }
    }
}

/// Sleeps for `ms` milliseconds, or until a signal comes. Use a [`WakeUp`] where somebody may want to end the sleep.
pub fn sleep_ms(ms: u32) {
    // SAFETY: the caller may sleep.
    unsafe { sys::schedule_timeout_interruptible(time::ms_to_timeout(ms)) };
}
