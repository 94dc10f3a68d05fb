// SPDX-License-Identifier: GPL-2.0

//! Digests, keyed digests and the stream cipher of NTLMSSP, by the kernel's lib/crypto: SHA-256, SHA-512 (preauthentication
//! integrity, [MS-SMB2] 3.1.4.4.1), HMAC-SHA256 (signing and key derivation, 3.1.4.1 and 3.1.4.2), MD5, HMAC-MD5 and RC4
//! ([MS-NLMP] 3.3.2, 3.4). None of them allocates but [`HmacSha256Key`].

use crate::secret::Wiped;
use crate::span::Span;
use crate::sys;
use kernel::prelude::*;

/// Defines an incremental digest over a C context.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $size:expr, $output:literal, $update:ident, $final:ident) => {
        $(#[$doc])*
        pub struct $name {
            // INVARIANT: initialised by the C init function.
            context: Wiped<{ $size }>,
        }

        impl $name {
            /// Adds `bytes` to what is digested.
            pub fn update(&mut self, bytes: &[u8]) {
                self.update_span(Span::from(bytes));
            }

            /// Adds the content of `span` to what is digested.
            pub fn update_span(&mut self, span: Span<'_>) {
                // SAFETY: the context is initialised; the span is mapped for its length.
                unsafe { sys::$update(self.context.ptr_mut(), span.as_ptr(), span.len()) }
            }

            /// The digest of everything added.
            pub fn finish(mut self) -> [u8; $output] {
                let mut output = [0; $output];
                // SAFETY: the context is initialised; `output` has the digest's size. C wipes the context.
                unsafe { sys::$final(self.context.ptr_mut(), output.as_mut_ptr()) };
                output
            }
        }
    };
}

digest!(
    /// SHA-256 being computed.
    Sha256, sys::KSMBD_SHA256_CTX_SIZE, 32, ksmbd_sha256_update, ksmbd_sha256_final
);
digest!(
    /// SHA-512 being computed.
    Sha512, sys::KSMBD_SHA512_CTX_SIZE, 64, ksmbd_sha512_update, ksmbd_sha512_final
);
digest!(
    /// MD5 being computed.
    Md5, sys::KSMBD_MD5_CTX_SIZE, 16, ksmbd_md5_update, ksmbd_md5_final
);
digest!(
    /// HMAC-MD5 being computed.
    HmacMd5, sys::KSMBD_HMAC_MD5_CTX_SIZE, 16, ksmbd_hmac_md5_update, ksmbd_hmac_md5_final
);
digest!(
    /// HMAC-SHA256 being computed.
    HmacSha256, sys::KSMBD_HMAC_SHA256_CTX_SIZE, 32, ksmbd_hmac_sha256_update, ksmbd_hmac_sha256_final
);

/// Gives an unkeyed digest its start.
macro_rules! start {
    ($name:ident, $init:ident) => {
        impl $name {
            /// Starts over nothing.
            pub fn new() -> Self {
                let mut context = Wiped::zeroed();
                // SAFETY: the context has the size and alignment of the C structure.
                unsafe { sys::$init(context.ptr_mut()) };
                $name { context }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

start!(Sha256, ksmbd_sha256_init);
start!(Sha512, ksmbd_sha512_init);
start!(Md5, ksmbd_md5_init);

impl HmacMd5 {
    /// Starts with `key`, of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut context = Wiped::zeroed();
        // SAFETY: the context has the size and alignment of the C structure; `key` is valid for its length.
        unsafe { sys::ksmbd_hmac_md5_init(context.ptr_mut(), key.as_ptr(), key.len()) };
        HmacMd5 { context }
    }
}

impl HmacSha256 {
    /// Starts with `key`, of any length. To use one key often, prepare a [`HmacSha256Key`].
    pub fn new(key: &[u8]) -> Self {
        let mut prepared = Wiped::zeroed();
        // SAFETY: `prepared` has the size and alignment of the C structure; `key` is valid for its length.
        unsafe { sys::ksmbd_hmac_sha256_key(prepared.ptr_mut(), key.as_ptr(), key.len()) };
        Self::with(&prepared)
    }

    fn with(prepared: &Wiped<{ sys::KSMBD_HMAC_SHA256_KEY_SIZE }>) -> Self {
        let mut context = Wiped::zeroed();
        // SAFETY: the context has the size and alignment of the C structure; the callers prepared the key.
        unsafe { sys::ksmbd_hmac_sha256_init(context.ptr_mut(), prepared.ptr()) };
        HmacSha256 { context }
    }
}

/// A key prepared for HMAC-SHA256.
pub struct HmacSha256Key {
    // INVARIANT: prepared by the C key function.
    prepared: KBox<Wiped<{ sys::KSMBD_HMAC_SHA256_KEY_SIZE }>>,
}

impl HmacSha256Key {
    /// Prepares `key`, of any length.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(key: &[u8]) -> Result<Self> {
        let mut prepared = KBox::new(Wiped::zeroed(), GFP_KERNEL)?;
        // SAFETY: `prepared` has the size and alignment of the C structure; `key` is valid for its length.
        unsafe { sys::ksmbd_hmac_sha256_key(prepared.ptr_mut(), key.as_ptr(), key.len()) };
        Ok(HmacSha256Key { prepared })
    }

    /// Starts a computation with this key.
    pub fn start(&self) -> HmacSha256 {
        HmacSha256::with(&self.prepared)
    }

    /// The HMAC of `parts`, one after the other.
    pub fn mac<'a, T: Into<Span<'a>>>(&self, parts: impl IntoIterator<Item = T>) -> [u8; 32] {
        let mut mac = self.start();
        for part in parts {
            mac.update_span(part.into());
        }
        mac.finish()
    }
}

/// The RC4 stream cipher, with its state.
pub struct Arc4 {
    // INVARIANT: initialised by the C key function.
    context: Wiped<{ sys::KSMBD_ARC4_CTX_SIZE }>,
}

impl Arc4 {
    /// Starts with `key`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a key of no bytes or more than 256.
    pub fn new(key: &[u8]) -> Result<Self> {
        if !(1..=256).contains(&key.len()) {
            return Err(EINVAL);
        }
        let len = u32::try_from(key.len()).map_err(|_| EINVAL)?;
        let mut context = Wiped::zeroed();
        // SAFETY: the context has the size and alignment of the C structure; `key` is valid for `len` bytes, not none.
        kernel::error::to_result(unsafe {
            sys::ksmbd_arc4_key(context.ptr_mut(), key.as_ptr(), len)
        })?;
        Ok(Arc4 { context })
    }

    /// En- or decrypts `bytes` in place, going on where the last call ended.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(1 << 30) {
            // A chunk is far below 2^32 bytes.
            let len = u32::try_from(chunk.len()).unwrap_or(0);
            // SAFETY: the context is initialised; `chunk` is valid for `len` bytes, and in place is allowed.
            unsafe {
                sys::ksmbd_arc4_crypt(
                    self.context.ptr_mut(),
                    chunk.as_mut_ptr(),
                    chunk.as_ptr(),
                    len,
                )
            }
        }
    }
}

/// SHA-256 of `parts`, one after the other.
pub fn sha256<'a, T: Into<Span<'a>>>(parts: impl IntoIterator<Item = T>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update_span(part.into());
    }
    digest.finish()
}

/// SHA-512 of `parts`, one after the other.
pub fn sha512<'a, T: Into<Span<'a>>>(parts: impl IntoIterator<Item = T>) -> [u8; 64] {
    let mut digest = Sha512::new();
    for part in parts {
        digest.update_span(part.into());
    }
    digest.finish()
}
