// SPDX-License-Identifier: GPL-2.0

//! Work queues of one's own, and what the `kernel` crate's work items lack: cancelling.
//!
//! C header: `include/linux/workqueue.h`.

use crate::sys;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::time::{msecs_to_jiffies, Jiffies};
use kernel::workqueue::{HasDelayedWork, HasWork, Queue, Work, WorkItem};

/// How a queue runs its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// On any processor: for items that take long or sleep.
    pub const UNBOUND: Flags = Flags(sys::wq_flags_WQ_UNBOUND);
    /// On the processor that queued it.
    pub const PER_CPU: Flags = Flags(sys::wq_flags_WQ_PERCPU);
    /// Has a thread in reserve, so that it makes progress when memory is short.
    pub const MEM_RECLAIM: Flags = Flags(sys::wq_flags_WQ_MEM_RECLAIM);
    /// At a high priority.
    pub const HIGH_PRIORITY: Flags = Flags(sys::wq_flags_WQ_HIGHPRI);
    /// Shown and tunable below `/sys/devices/virtual/workqueue`.
    pub const SYSFS: Flags = Flags(sys::wq_flags_WQ_SYSFS);

    /// These and `other`.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// A work queue.
///
/// Dropping it runs what is queued, waits for it, and frees the queue. Delayed items whose time has not come are not known
/// to it: their owners cancel them first ([`cancel_delayed_sync`]).
///
/// # Invariants
///
/// `queue` comes from `alloc_workqueue()` and is not destroyed yet.
pub struct WorkQueue {
    queue: NonNull<sys::workqueue_struct>,
}

// SAFETY: a work queue may be used from any thread.
unsafe impl Send for WorkQueue {}
// SAFETY: a work queue serialises its users itself.
unsafe impl Sync for WorkQueue {}

impl WorkQueue {
    /// A new queue. `max_active` is the number of items that may run at once (for each processor when bound); 0 is the
    /// kernel's default.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(name: &CStr, flags: Flags, max_active: u16) -> Result<Self> {
        // SAFETY: the format has one string argument, which is what it is given.
        let queue = unsafe {
            sys::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                flags.0,
                i32::from(max_active),
                name.as_char_ptr(),
            )
        };
        // INVARIANT: not null, so it is a new queue.
        Ok(WorkQueue {
            queue: NonNull::new(queue).ok_or(ENOMEM)?,
        })
    }

    /// As the `kernel` crate knows queues.
    pub fn queue(&self) -> &Queue {
        // SAFETY: valid as long as `self`, by the invariant.
        unsafe { Queue::from_raw(self.queue.as_ptr()) }
    }

    /// Returns when all items that are queued, and what they queue, have run.
    pub fn drain(&self) {
        // SAFETY: valid by the invariant.
        unsafe { sys::drain_workqueue(self.queue.as_ptr()) };
    }

    /// (Re)sets the time at which `item` runs to `ms` milliseconds from now. Returns whether it was waiting already.
    pub fn reschedule<T, const ID: u64>(&self, item: Arc<T>, ms: u32) -> bool
    where
        T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
    {
        self.reschedule_jiffies::<T, ID>(item, msecs_to_jiffies(ms))
    }

    fn reschedule_jiffies<T, const ID: u64>(&self, item: Arc<T>, delay: Jiffies) -> bool
    where
        T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
    {
        let raw = Arc::into_raw(item);
        // SAFETY: `raw` is a valid `T`, by `Arc::into_raw`; the trait promises that its work is that of a delayed work.
        let work = unsafe { delayed_of::<T, ID>(raw) };
        // SAFETY: the queue is valid by the invariant, the work as long as a count of the item is held: the one of `raw`.
        let was_waiting = unsafe {
            sys::mod_delayed_work_on(
                sys::wq_misc_consts_WORK_CPU_UNBOUND as i32,
                self.queue.as_ptr(),
                work,
                delay,
            )
        };
        if was_waiting {
            // It owned a count before; this one is too many.
            // SAFETY: `raw` comes from `Arc::into_raw` above and the queue did not take it.
            drop(unsafe { Arc::from_raw(raw) });
        }
        was_waiting
    }
}

impl Drop for WorkQueue {
    fn drop(&mut self) {
        // SAFETY: valid by the invariant, and not used after.
        unsafe { sys::destroy_workqueue(self.queue.as_ptr()) };
    }
}

/// The `delayed_work` in `item`.
///
/// # Safety
///
/// `item` points to a valid `T`.
unsafe fn delayed_of<T, const ID: u64>(item: *const T) -> *mut sys::delayed_work
where
    T: HasDelayedWork<T, ID>,
{
    // SAFETY: by the contract of this function.
    let work = unsafe { Work::raw_get(T::raw_get_work(item.cast_mut())) };
    // SAFETY: `HasDelayedWork` promises that the work is the field `work` of a `delayed_work`.
    unsafe { kernel::container_of!(work, sys::delayed_work, work) }
}

/// The `work_struct` in `item`.
///
/// # Safety
///
/// `item` points to a valid `T`.
unsafe fn work_of<T, const ID: u64>(item: *const T) -> *mut sys::work_struct
where
    T: HasWork<T, ID>,
{
    // SAFETY: by the contract of this function.
    unsafe { Work::raw_get(T::raw_get_work(item.cast_mut())) }
}

/// Gives back the count that a queue held of `item`, after the item was taken from it.
///
/// # Safety
///
/// The item was waiting in a queue and is not any more, and did not run since.
unsafe fn reclaim<T>(item: &Arc<T>) -> Arc<T> {
    // SAFETY: the queue got this pointer from `Arc::into_raw` of the same allocation, and by the contract of this function
    // nobody else reclaims it.
    unsafe { Arc::from_raw(Arc::as_ptr(item)) }
}

/// Takes `item` from its queue. Returns whether it was waiting there; if not, it may be running.
pub fn cancel<T, const ID: u64>(item: &Arc<T>) -> bool
where
    T: HasWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: the item is valid while `item` is borrowed; its work was initialised by `Work::new`.
    let was_waiting = unsafe { sys::cancel_work(work_of::<T, ID>(Arc::as_ptr(item))) };
    if was_waiting {
        // SAFETY: `cancel_work` took it from its queue.
        drop(unsafe { reclaim(item) });
    }
    was_waiting
}

/// As [`cancel`], and waits for it when it is running. Not from the item itself, and not under a lock that it takes.
pub fn cancel_sync<T, const ID: u64>(item: &Arc<T>) -> bool
where
    T: HasWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: as in `cancel`.
    let was_waiting = unsafe { sys::cancel_work_sync(work_of::<T, ID>(Arc::as_ptr(item))) };
    if was_waiting {
        // SAFETY: `cancel_work_sync` took it from its queue.
        drop(unsafe { reclaim(item) });
    }
    was_waiting
}

/// Takes `item` from its queue, or stops its timer. Returns whether it was waiting; if not, it may be running.
pub fn cancel_delayed<T, const ID: u64>(item: &Arc<T>) -> bool
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: the item is valid while `item` is borrowed; its work was initialised by `DelayedWork::new`.
    let was_waiting = unsafe { sys::cancel_delayed_work(delayed_of::<T, ID>(Arc::as_ptr(item))) };
    if was_waiting {
        // SAFETY: `cancel_delayed_work` took it from its queue or timer.
        drop(unsafe { reclaim(item) });
    }
    was_waiting
}

/// As [`cancel_delayed`], and waits for it when it is running. Not from the item itself, and not under a lock that it takes.
pub fn cancel_delayed_sync<T, const ID: u64>(item: &Arc<T>) -> bool
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: as in `cancel_delayed`.
    let was_waiting =
        unsafe { sys::cancel_delayed_work_sync(delayed_of::<T, ID>(Arc::as_ptr(item))) };
    if was_waiting {
        // SAFETY: `cancel_delayed_work_sync` took it from its queue or timer.
        drop(unsafe { reclaim(item) });
    }
    was_waiting
}
