// SPDX-License-Identifier: GPL-2.0

//! Slab caches for byte blocks of one size.
//!
//! Beside `kmalloc` they save the zeroing of each block (`init_on_alloc`, which distributions turn on): a block is zeroed once,
//! when its slab is made, and holds after that what its users left.
//!
//! C header: `include/linux/slab.h`.

use crate::sys;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A cache of blocks of `SIZE` bytes.
///
/// # Invariants
///
/// `cache` comes from `kmem_cache_create()` and is not destroyed yet.
pub(crate) struct SlabCache<const SIZE: usize> {
    cache: NonNull<sys::kmem_cache>,
}

// SAFETY: a slab cache may be used from any thread.
unsafe impl<const SIZE: usize> Send for SlabCache<SIZE> {}
// SAFETY: the allocator serialises its users itself.
unsafe impl<const SIZE: usize> Sync for SlabCache<SIZE> {}

impl<const SIZE: usize> SlabCache<SIZE> {
    /// A new cache, which `/proc/slabinfo` shows under `name`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        let size = u32::try_from(SIZE)?;
        // SAFETY: the name is copied; the constructor writes no more than the size that is given with it.
        let cache =
            unsafe { sys::ksmbd_cache_create(name.as_char_ptr(), size, Some(zero::<SIZE>)) };
        // INVARIANT: not null, so it is a new cache.
        Ok(SlabCache {
            cache: NonNull::new(cache).ok_or(ENOMEM)?,
        })
    }

    /// A block of `SIZE` bytes, all initialised: to zero, or to what the block's users wrote before.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn alloc(&self) -> Result<NonNull<u8>> {
        // SAFETY: valid by the invariant.
        let block = unsafe { sys::ksmbd_cache_alloc(self.cache.as_ptr()) };
        NonNull::new(block.cast()).ok_or(ENOMEM)
    }

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// It comes from [`Self::alloc`] of this cache, and nobody uses it any more.
    pub(crate) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: by the contract of this function.
        unsafe { sys::kmem_cache_free(self.cache.as_ptr(), block.as_ptr().cast()) };
    }
}

impl<const SIZE: usize> Drop for SlabCache<SIZE> {
    fn drop(&mut self) {
        // SAFETY: valid by the invariant, and not used after.
        unsafe { sys::kmem_cache_destroy(self.cache.as_ptr()) };
    }
}

/// The constructor of a cache: what is handed out is initialised from the start.
///
/// # Safety
///
/// `block` is memory of `SIZE` bytes that nobody uses yet.
unsafe extern "C" fn zero<const SIZE: usize>(block: *mut kernel::ffi::c_void) {
    // SAFETY: by the contract of this function, which the allocator keeps.
    unsafe { block.cast::<u8>().write_bytes(0, SIZE) };
}
