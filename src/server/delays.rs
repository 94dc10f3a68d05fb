// SPDX-License-Identifier: GPL-2.0

//! Requests that are answered later than they could be: those of clients who guess passwords.
//!
//! A request waits as for anything else, so that it holds no worker. What is kept is bounded by what may wait on connections.
//! The list holds connections, which hold the server: it is emptied as time goes by, and by [`Delays::stop`].

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};
use kernel::workqueue::{self, impl_has_delayed_work, new_delayed_work, DelayedWork, WorkItem};

use linux::time;

use crate::smb2::wait::{Wake, Waker};

/// How exactly the times are kept, milliseconds.
const TICK_MS: u32 = 250;

struct Inner {
    waiting: KVec<(u64, Waker)>,
    is_stopped: bool,
}

/// Wakers and the times when they are woken. Lock order: a leaf.
#[pin_data]
pub(crate) struct Delays {
    #[pin]
    inner: Mutex<Inner>,
    #[pin]
    tick: DelayedWork<Delays>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Delays { self.tick }
}

impl WorkItem for Delays {
    type Pointer = Arc<Delays>;

    fn run(this: Arc<Delays>) {
        let now = time::monotonic_ms();
        while let Some(waker) = this.take(|at| at <= now) {
            waker.wake(Wake::Ready);
        }
        let inner = this.inner.lock();
        if !inner.is_stopped && !inner.waiting.is_empty() {
            schedule(&this);
        }
    }
}

fn schedule(delays: &Arc<Delays>) {
    // Refused if it is scheduled already.
    let _ = workqueue::system().enqueue_delayed(delays.clone(), time::ms_to_jiffies(TICK_MS));
}

impl Delays {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let init = pin_init!(Delays {
            inner <- new_mutex!(Inner { waiting: KVec::new(), is_stopped: false }),
            tick <- new_delayed_work!(),
        });
        Arc::pin_init(init, GFP_KERNEL)
    }

    /// Wakes `waker` in `ms` milliseconds, or now without memory.
    pub(crate) fn wake_in(self: &Arc<Self>, ms: u64, waker: &Waker) {
        let at = time::monotonic_ms().saturating_add(ms);
        let mut inner = self.inner.lock();
        let is_kept =
            !inner.is_stopped && inner.waiting.push((at, waker.clone()), GFP_KERNEL).is_ok();
        if is_kept {
            schedule(self);
        }
        drop(inner);
        if !is_kept {
            waker.wake(Wake::Ready);
        }
    }

    fn take(&self, is_due: impl Fn(u64) -> bool) -> Option<Waker> {
        let mut inner = self.inner.lock();
        let at = inner.waiting.iter().position(|(at, _)| is_due(*at))?;
        inner.waiting.remove(at).ok().map(|(_, waker)| waker)
    }

    /// Forgets everything, when no connection is left; [`Self::restart`] must follow before anything is kept again.
    pub(crate) fn stop(self: &Arc<Self>) {
        self.inner.lock().is_stopped = true;
        linux::workqueue::cancel_delayed_sync(self);
        while let Some(waker) = self.take(|_| true) {
            drop(waker);
        }
    }

    /// Keeps what comes again.
    pub(crate) fn restart(&self) {
        self.inner.lock().is_stopped = false;
    }
}
