// SPDX-License-Identifier: GPL-2.0

//! Kernel threads that a module can be sure to have outlived.
//!
//! A thread ends in `kthread_complete_and_exit()`, so the completion that announces its end is signalled by code of the
//! kernel proper: once it is taken, no instruction of the module runs in that thread any more.
//!
//! C header: `include/linux/kthread.h`.

use crate::sys;
use kernel::error::from_err_ptr;
use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex};
use kernel::types::Opaque;

struct Inner {
    /// Threads whose end was not taken from `ends` yet.
    live: usize,
    /// Somebody is in `wait_all`, who alone takes ends then.
    waiting: bool,
}

/// Threads that are waited for together. Lock order: `waiter` before `inner`.
#[pin_data(PinnedDrop)]
pub struct ThreadGroup {
    /// Counts the threads that have ended.
    #[pin]
    ends: Opaque<sys::completion>,
    #[pin]
    inner: Mutex<Inner>,
    /// Held during `wait_all`.
    #[pin]
    waiter: Mutex<()>,
}

// SAFETY: a completion may be used from any thread.
unsafe impl Send for ThreadGroup {}
// SAFETY: a completion serialises its users itself.
unsafe impl Sync for ThreadGroup {}

/// What a new thread is given.
struct Start<F> {
    run: F,
    ends: *mut sys::completion,
}

impl ThreadGroup {
    /// A group of no threads.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(ThreadGroup {
            // SAFETY: `slot` is valid for writing a completion.
            ends <- Opaque::ffi_init(|slot| unsafe { sys::init_completion(slot) }),
            inner <- new_mutex!(Inner { live: 0, waiting: false }),
            waiter <- new_mutex!(()),
        })
    }

    /// Starts a thread that calls `run` and ends. What `run` owns is dropped in the thread, before its end is announced.
    ///
    /// `name` is what `ps` shows, for example `fmt!("ksmbd:{}", address)`; `comm` holds its first 15 bytes.
    ///
    /// # Errors
    ///
    /// No memory, or no more threads allowed. `run` is dropped then, in the caller.
    pub fn spawn<F>(&self, name: kernel::fmt::Arguments<'_>, run: F) -> Result
    where
        F: FnOnce() + Send + 'static,
    {
        let start = KBox::new(
            Start {
                run,
                ends: self.ends.get(),
            },
            GFP_KERNEL,
        )?;
        {
            let mut inner = self.inner.lock();
            self.reap(&mut inner);
            inner.live = inner.live.checked_add(1).ok_or(EAGAIN)?;
        }
        let start = KBox::into_raw(start);
        // SAFETY: `thread_main::<F>` takes a pointer from `KBox::<Start<F>>::into_raw`, which is what it is given. `%pA` takes
        // a pointer to `fmt::Arguments`, which is used only during the call.
        let task = from_err_ptr(unsafe {
            sys::kthread_create_on_node(
                Some(thread_main::<F>),
                start.cast(),
                sys::NUMA_NO_NODE,
                c"%pA".as_char_ptr(),
                core::ptr::from_ref(&name).cast::<kernel::ffi::c_void>(),
            )
        });
        match task {
            Ok(task) => {
                // SAFETY: a new thread sleeps until it is woken for the first time, so `task` is still alive.
                unsafe { sys::wake_up_process(task) };
                Ok(())
            }
            Err(error) => {
                // SAFETY: the thread does not exist, or was ended before it could call `thread_main`: the box is ours again.
                drop(unsafe { KBox::from_raw(start) });
                // SAFETY: initialised in `new`. Whoever waits may already count this thread, so it ends like any other.
                unsafe { sys::complete(self.ends.get()) };
                Err(error)
            }
        }
    }

    /// Threads that have not ended, as far as is known.
    pub fn len(&self) -> usize {
        let mut inner = self.inner.lock();
        self.reap(&mut inner);
        inner.live
    }

    /// Whether all have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns when every thread, also one that is spawned meanwhile, has left the module's code for good. A thread of the
    /// group must not call it, and must not drop the last reference to the group: it would wait for itself.
    pub fn wait_all(&self) {
        let waiter = self.waiter.lock();
        self.inner.lock().waiting = true;
        loop {
            {
                let mut inner = self.inner.lock();
                self.take_ends(&mut inner);
                if inner.live == 0 {
                    inner.waiting = false;
                    break;
                }
            }
            // SAFETY: initialised in `new`; nobody else takes an end while `waiting` is set, so one of the `live` comes.
            unsafe { sys::wait_for_completion(self.ends.get()) };
            let mut inner = self.inner.lock();
            inner.live = inner.live.saturating_sub(1);
        }
        drop(waiter);
    }

    /// Takes the ends that were announced, unless somebody waits for them.
    fn reap(&self, inner: &mut Inner) {
        if !inner.waiting {
            self.take_ends(inner);
        }
    }

    fn take_ends(&self, inner: &mut Inner) {
        // SAFETY: initialised in `new`.
        while inner.live != 0 && unsafe { sys::try_wait_for_completion(self.ends.get()) } {
            inner.live = inner.live.saturating_sub(1);
        }
    }
}

#[pinned_drop]
impl PinnedDrop for ThreadGroup {
    fn drop(self: Pin<&mut Self>) {
        // The threads hold a pointer to `ends`.
        self.wait_all();
    }
}

/// # Safety
///
/// `data` comes from `KBox::<Start<F>>::into_raw` and is not used again; its `ends` outlives the thread.
unsafe extern "C" fn thread_main<F: FnOnce()>(
    data: *mut kernel::ffi::c_void,
) -> kernel::ffi::c_int {
    // SAFETY: by the contract of this function.
    let start = unsafe { KBox::from_raw(data.cast::<Start<F>>()) };
    let Start { run, ends } = KBox::into_inner(start);
    run();
    // SAFETY: called from a kernel thread with nothing left to drop. The group waits for this completion before it is freed.
    unsafe { sys::kthread_complete_and_exit(ends, 0) }
}
