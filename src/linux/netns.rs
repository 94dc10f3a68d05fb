// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: `include/net/net_namespace.h`.

use crate::sys;
use core::ptr::NonNull;

/// A counted reference to a network namespace.
///
/// # Invariants
///
/// `net` is valid, and this object owns one count of it.
pub struct NetNs {
    net: NonNull<sys::net>,
}

// SAFETY: a `struct net` may be used, and its count changed, from any thread.
unsafe impl Send for NetNs {}
// SAFETY: as above.
unsafe impl Sync for NetNs {}

impl NetNs {
    /// The namespace that the machine booted with.
    pub fn initial() -> Self {
        // SAFETY: `init_net` is a static that lives for ever.
        unsafe { Self::from_raw(NonNull::new_unchecked(&raw mut sys::init_net)) }
    }

    /// The namespace of the calling task.
    pub fn current() -> Self {
        // SAFETY: may be called in task context, which is where all code of a module runs that can call this.
        let net = unsafe { sys::ksmbd_current_net() };
        match NonNull::new(net) {
            // SAFETY: the current task keeps its own namespace alive while it runs.
            Some(net) => unsafe { Self::from_raw(net) },
            None => Self::initial(),
        }
    }

    /// Takes a count of `net`.
    ///
    /// # Safety
    ///
    /// `net` is valid and its count not zero.
    pub(crate) unsafe fn from_raw(net: NonNull<sys::net>) -> Self {
        // SAFETY: by the contract of this function.
        unsafe { sys::ksmbd_get_net(net.as_ptr()) };
        // INVARIANT: the count was just taken.
        NetNs { net }
    }

    /// Whether it is the namespace that the machine booted with.
    pub fn is_initial(&self) -> bool {
        self.as_ptr() == &raw mut sys::init_net
    }

    /// The C object. Valid as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut sys::net {
        self.net.as_ptr()
    }
}

impl Clone for NetNs {
    fn clone(&self) -> Self {
        // SAFETY: `self` owns a count, so it is valid and not zero.
        unsafe { Self::from_raw(self.net) }
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        // SAFETY: the count of this object is given back, once.
        unsafe { sys::ksmbd_put_net(self.net.as_ptr()) };
    }
}

impl PartialEq for NetNs {
    fn eq(&self, other: &Self) -> bool {
        self.net == other.net
    }
}

impl Eq for NetNs {}
