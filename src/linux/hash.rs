// SPDX-License-Identifier: GPL-2.0

//! A hash whose collisions nobody can find who does not know its key: the kernel's `hsiphash`.

use crate::{random, sys};

/// The key of a hash.
pub struct HashKey([usize; 2]);

impl HashKey {
    /// Returns a key that nobody knows.
    pub fn new() -> Self {
        Self([
            usize::from_ne_bytes(random::array()),
            usize::from_ne_bytes(random::array()),
        ])
    }

    /// Hashes `bytes`.
    pub fn hash(&self, bytes: &[u8]) -> u32 {
        // SAFETY: the bytes are valid for reading, and the key has the words that the helper reads.
        unsafe { sys::ksmbd_hash(bytes.as_ptr().cast(), bytes.len(), self.0.as_ptr()) }
    }
}

impl Default for HashKey {
    fn default() -> Self {
        Self::new()
    }
}
