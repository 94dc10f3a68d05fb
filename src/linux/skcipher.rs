// SPDX-License-Identifier: GPL-2.0

//! Unauthenticated AES in its modes CBC and CTR, by the drivers of the kernel's crypto API: what AES-CMAC and AES-CCM of long messages
//! are put together from where no driver does the whole.

use crate::sys;
use core::ffi::CStr;
use core::ptr::NonNull;
use kernel::error::{from_err_ptr, to_result};
use kernel::ffi::c_void;
use kernel::prelude::*;

/// Size of a block of AES in bytes.
pub(crate) const BLOCK_LEN: usize = 16;

/// A block of AES.
pub(crate) type Block = [u8; BLOCK_LEN];

/// A prepared transform: a key, and the driver that works with it. Any number of threads may use it at a time.
pub(crate) struct Skcipher {
    // INVARIANT: a synchronous transform with a key and with initialisation vectors of a block, owned.
    tfm: NonNull<c_void>,
}

// SAFETY: a transform belongs to no thread.
unsafe impl Send for Skcipher {}
// SAFETY: once it has its key, a transform is only read.
unsafe impl Sync for Skcipher {}

impl Skcipher {
    /// AES-CBC with `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the kernel has no such transform, `EINVAL` for a key of another length, `ENOMEM`.
    pub(crate) fn cbc(key: &[u8]) -> Result<Self> {
        Self::new(c"cbc(aes)", key)
    }

    /// AES-CTR, with a counter of a whole block. As [`Skcipher::cbc`].
    pub(crate) fn ctr(key: &[u8]) -> Result<Self> {
        Self::new(c"ctr(aes)", key)
    }

    fn new(name: &CStr, key: &[u8]) -> Result<Self> {
        // SAFETY: the name ends with a zero byte.
        let tfm = from_err_ptr(unsafe { sys::ksmbd_skcipher_alloc(name.as_char_ptr()) })?;
        // From here on dropped, and with it freed, on failure.
        let cipher = Skcipher {
            tfm: NonNull::new(tfm).ok_or(ENOMEM)?,
        };
        let key_len = u32::try_from(key.len())?;
        // SAFETY: nobody else has the transform yet; `key` is valid for its length.
        to_result(unsafe { sys::ksmbd_skcipher_key(tfm, key.as_ptr(), key_len) })?;
        Ok(cipher)
    }

    /// Whether a driver does many blocks at a time. Where there is none, the kernel goes from block to block, as slowly as its library.
    pub(crate) fn is_by_driver(&self) -> bool {
        // SAFETY: the transform is owned.
        !unsafe { sys::ksmbd_skcipher_is_template(self.tfm.as_ptr()) }
    }

    /// Encrypts `len` bytes, of whole blocks, from `src` to `dst`, and leaves in `iv` what the next call goes on with.
    ///
    /// # Errors
    ///
    /// `EINVAL` for no whole blocks, `EFBIG` for 2^32 bytes or more, and what the driver says.
    ///
    /// # Safety
    ///
    /// `src` is readable and `dst` writable for `len` bytes, nobody else writes either, both are in the kernel's direct mapping, and they
    /// are the same or do not overlap.
    pub(crate) unsafe fn encrypt(
        &self,
        dst: *mut u8,
        src: *const u8,
        len: usize,
        iv: &mut Block,
    ) -> Result {
        let len = u32::try_from(len).map_err(|_| EFBIG)?;
        // SAFETY: the transform is prepared and takes an initialisation vector of a block; the rest is the caller's promise.
        to_result(unsafe {
            sys::ksmbd_skcipher_encrypt(self.tfm.as_ptr(), dst, src, len, iv.as_mut_ptr())
        })
    }
}

impl Drop for Skcipher {
    fn drop(&mut self) {
        // SAFETY: the transform is owned, and no call is under way: each borrows this.
        unsafe { sys::ksmbd_skcipher_free(self.tfm.as_ptr()) };
    }
}
