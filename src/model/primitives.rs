// SPDX-License-Identifier: GPL-2.0

//! What authentication and key derivation need of cryptography. The kernel's lib/crypto provides it in the module, other
//! crates in tests, so that recorded examples check the same code that serves clients.

use core::marker::PhantomData;

/// A digest or keyed digest being computed, of `N` bytes.
pub trait Digest<const N: usize> {
    /// Adds `bytes` to what is digested.
    fn update(&mut self, bytes: &[u8]);

    /// The digest of everything added.
    fn finish(self) -> [u8; N];
}

/// A stream cipher with its state.
pub trait Keystream {
    /// En- or decrypts `bytes` in place, going on where the last call ended.
    fn apply(&mut self, bytes: &mut [u8]);
}

/// The primitives. They have no state of their own: a type stands for the implementation.
pub trait Primitives {
    /// HMAC-SHA256.
    type HmacSha256: Digest<32>;
    /// SHA-512.
    type Sha512: Digest<64>;
    /// HMAC-MD5.
    type HmacMd5: Digest<16>;
    /// MD5.
    type Md5: Digest<16>;
    /// RC4.
    type Rc4: Keystream;

    /// Starts HMAC-SHA256 with a key of any length.
    fn hmac_sha256(key: &[u8]) -> Self::HmacSha256;

    /// Starts SHA-512.
    fn sha512() -> Self::Sha512;

    /// Starts HMAC-MD5 with a key of any length.
    fn hmac_md5(key: &[u8]) -> Self::HmacMd5;

    /// Starts MD5.
    fn md5() -> Self::Md5;

    /// Starts RC4; `None` for a key without bytes or with more than 256.
    fn rc4(key: &[u8]) -> Option<Self::Rc4>;

    /// Whether both hold the same bytes, in a time that depends on their lengths alone.
    fn same(a: &[u8], b: &[u8]) -> bool;

    /// Overwrites `bytes`, in a way that is not optimised away.
    fn wipe(bytes: &mut [u8]);
}

/// A key of `N` bytes, wiped on drop and never printed. A move leaves a copy behind: box what lives long.
pub struct Key<P: Primitives, const N: usize> {
    bytes: [u8; N],
    primitives: PhantomData<P>,
}

impl<P: Primitives, const N: usize> Key<P, N> {
    /// A key of zero bytes.
    pub const fn zeroed() -> Self {
        Self::new([0; N])
    }

    /// A key with these bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Key {
            bytes,
            primitives: PhantomData,
        }
    }

    /// The bytes.
    pub const fn expose(&self) -> &[u8; N] {
        &self.bytes
    }

    /// The bytes, to write.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.bytes
    }
}

impl<P: Primitives, const N: usize> Drop for Key<P, N> {
    fn drop(&mut self) {
        P::wipe(&mut self.bytes);
    }
}

impl<P: Primitives, const N: usize> core::fmt::Debug for Key<P, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key")
    }
}

/// The keyed digest of `parts`, one after the other.
pub(crate) fn over<const N: usize>(mut digest: impl Digest<N>, parts: &[&[u8]]) -> [u8; N] {
    for part in parts {
        digest.update(part);
    }
    digest.finish()
}
