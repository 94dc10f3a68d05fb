// SPDX-License-Identifier: GPL-2.0

//! Key material: memory that is wiped when it is no longer needed, and comparison that takes the same time wherever two
//! values differ.

use crate::sys;

/// `N` secret bytes: wiped on drop, compared in constant time, and never printed.
///
/// A move of the value copies its bytes without wiping the place it left. Keep secrets that live long in a `KBox`, and
/// fill them in place with [`Secret::filled`].
#[repr(C)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// A secret of zero bytes, to be filled through [`Secret::as_mut`].
    pub const fn zeroed() -> Self {
        Secret([0; N])
    }

    /// A secret with these bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Secret(bytes)
    }

    /// A secret whose bytes `fill` writes in place.
    pub fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self::zeroed();
        fill(&mut secret.0);
        secret
    }

    /// A secret with the bytes of `from`, when there are exactly `N`.
    pub fn from_slice(from: &[u8]) -> Option<Self> {
        Some(Secret(
            *from.first_chunk::<N>().filter(|_| from.len() == N)?,
        ))
    }

    /// The secret's bytes.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The secret's bytes, to write.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// A second copy, equally wiped.
    pub fn duplicate(&self) -> Self {
        Secret(self.0)
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        ct_eq(&self.0, &other.0)
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites `bytes` with zeros, in a way that the compiler may not leave out.
pub fn wipe(bytes: &mut [u8]) {
    // SAFETY: `bytes` is a valid, exclusively borrowed range of that length.
    unsafe { sys::ksmbd_memzero(bytes.as_mut_ptr().cast(), bytes.len()) }
}

/// Whether `a` and `b` hold the same bytes. The time depends on their lengths alone.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // SAFETY: both are valid for reads of `a.len()` bytes, which is also the length of `b`.
    !unsafe { sys::ksmbd_mem_differ(a.as_ptr().cast(), b.as_ptr().cast(), a.len()) }
}

/// Memory for a C structure of `N` bytes that holds keys or the state of a computation over them: aligned for any of them,
/// and wiped on drop.
///
/// The structures kept in here point at nothing inside themselves, so a value may move between two calls.
#[repr(C, align(16))]
pub(crate) struct Wiped<const N: usize>([u8; N]);

impl<const N: usize> Wiped<N> {
    /// Zeroed memory.
    pub(crate) const fn zeroed() -> Self {
        Wiped([0; N])
    }

    /// Its address, for C code that reads.
    pub(crate) const fn ptr(&self) -> *const kernel::ffi::c_void {
        self.0.as_ptr().cast()
    }

    /// Its address, for C code that writes.
    pub(crate) const fn ptr_mut(&mut self) -> *mut kernel::ffi::c_void {
        self.0.as_mut_ptr().cast()
    }
}

impl<const N: usize> Drop for Wiped<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
