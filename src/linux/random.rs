// SPDX-License-Identifier: GPL-2.0

//! Random numbers of cryptographic quality, from the kernel's generator.

use kernel::bindings;

/// Fills `bytes` with random ones.
pub fn fill(bytes: &mut [u8]) {
    // SAFETY: `bytes` is a valid, exclusively borrowed range of that length.
    unsafe { bindings::get_random_bytes(bytes.as_mut_ptr().cast(), bytes.len()) }
}

/// `N` random bytes.
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A random number.
pub fn u64() -> u64 {
    u64::from_ne_bytes(array())
}

/// A random number.
pub fn u32() -> u32 {
    u32::from_ne_bytes(array())
}
