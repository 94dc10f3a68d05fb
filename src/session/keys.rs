// SPDX-License-Identifier: GPL-2.0

//! The keys of sessions and channels, [MS-SMB2] 3.1.4.2 and 3.3.5.5.3: what `smb_model::kdf` derives, with the kernel's
//! cryptography, turned into prepared keys.

use kernel::prelude::*;

use linux::digest;
use linux::secret::{ct_eq, wipe, Secret};
use smb_model::kdf::{self, CipherStrength, Direction, Preauth, Scheme};
use smb_model::negotiate::{Cipher, Dialect, Signing};
use smb_model::primitives::{Digest, Keystream, Primitives};

use crate::connection::crypto::{Opener, Sealer, Signer};

use super::Sealing;

/// The primitives of the kernel's lib/crypto.
pub(crate) struct Kernel;

/// A digest of the kernel.
pub(crate) struct Of<T>(T);

macro_rules! digests {
    ($($name:ident: $len:literal),*) => {
        $(
            impl Digest<$len> for Of<digest::$name> {
                fn update(&mut self, bytes: &[u8]) {
                    self.0.update(bytes);
                }

                fn finish(self) -> [u8; $len] {
                    self.0.finish()
                }
            }
        )*
    };
}

digests!(HmacSha256: 32, Sha512: 64, HmacMd5: 16, Md5: 16);

impl Keystream for Of<digest::Arc4> {
    fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply(bytes);
    }
}

impl Primitives for Kernel {
    type HmacSha256 = Of<digest::HmacSha256>;
    type Sha512 = Of<digest::Sha512>;
    type HmacMd5 = Of<digest::HmacMd5>;
    type Md5 = Of<digest::Md5>;
    type Rc4 = Of<digest::Arc4>;

    fn hmac_sha256(key: &[u8]) -> Self::HmacSha256 {
        Of(digest::HmacSha256::new(key))
    }

    fn sha512() -> Self::Sha512 {
        Of(digest::Sha512::new())
    }

    fn hmac_md5(key: &[u8]) -> Self::HmacMd5 {
        Of(digest::HmacMd5::new(key))
    }

    fn md5() -> Self::Md5 {
        Of(digest::Md5::new())
    }

    fn rc4(key: &[u8]) -> Option<Self::Rc4> {
        digest::Arc4::new(key).ok().map(Of)
    }

    fn same(a: &[u8], b: &[u8]) -> bool {
        ct_eq(a, b)
    }

    fn wipe(bytes: &mut [u8]) {
        wipe(bytes);
    }
}

/// Longest key that an authentication may give, bytes: the longest of Kerberos has 32.
const MAX_FULL_KEY: usize = 64;

/// The key that an authentication gave, [MS-SMB2] 3.3.1.8 `Session.FullSessionKey`: 16 bytes from NTLM, as many as the
/// ticket's from Kerberos.
pub(crate) struct FullKey {
    bytes: Secret<MAX_FULL_KEY>,
    len: usize,
}

impl FullKey {
    /// A key of these bytes; none if there are none or too many.
    pub(crate) fn from_slice(from: &[u8]) -> Option<Self> {
        if from.is_empty() || from.len() > MAX_FULL_KEY {
            return None;
        }
        let bytes = Secret::filled(|bytes: &mut [u8; MAX_FULL_KEY]| {
            for (to, from) in bytes.iter_mut().zip(from) {
                *to = *from;
            }
        });
        Some(FullKey {
            bytes,
            len: from.len(),
        })
    }

    /// The key's bytes.
    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.expose().get(..self.len).unwrap_or(&[])
    }
}

/// What an authentication gave, and what its keys are bound to.
#[derive(Clone, Copy)]
pub(crate) struct Material<'a> {
    pub(crate) dialect: Dialect,
    /// The whole key: 16 bytes from NTLM, as many as the ticket's from Kerberos.
    pub(crate) full_key: &'a [u8],
    /// The preauthentication hash over NEGOTIATE and the SESSION_SETUP exchange that this is the end of; only 3.1.1 looks
    /// at it.
    pub(crate) preauth: &'a [u8; 64],
}

impl Material<'_> {
    fn with_scheme<T>(&self, derive: impl FnOnce(Scheme<'_>) -> T) -> T {
        match self.dialect {
            Dialect::V3_1_1 => derive(Scheme::Smb311(&Preauth::resume(*self.preauth))),
            dialect if dialect.is_3() => derive(Scheme::Smb30),
            _ => derive(Scheme::None),
        }
    }

    /// `Session.ApplicationKey`: what named pipes will get to see; so far only the recorded sessions ask for it.
    #[cfg(CONFIG_KUNIT)]
    pub(crate) fn application_key(&self) -> Secret<16> {
        let key = kdf::session_key::<Kernel>(self.full_key);
        let key = self.with_scheme(|scheme| kdf::application_key::<Kernel>(scheme, key.expose()));
        Secret::new(*key.expose())
    }

    /// The signer of the connection that was authenticated on: `Channel.SigningKey`, prepared.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn signer(&self, signing: Signing) -> Result<Signer> {
        let key = kdf::session_key::<Kernel>(self.full_key);
        let key = self.with_scheme(|scheme| kdf::signing_key::<Kernel>(scheme, key.expose()));
        Signer::new(signing, key.expose())
    }

    /// What seals the session's replies and opens its requests.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a cipher that the dialect does not have, `ENOMEM`.
    pub(crate) fn sealing(&self, cipher: Cipher) -> Result<Sealing> {
        let to_client = self.cipher_key(cipher, Direction::ServerToClient)?;
        let to_server = self.cipher_key(cipher, Direction::ClientToServer)?;
        Ok(Sealing {
            sealer: Sealer::new(cipher, to_client.expose())?,
            opener: Opener::new(cipher, to_server.expose())?,
        })
    }

    fn cipher_key(&self, cipher: Cipher, direction: Direction) -> Result<kdf::CipherKey<Kernel>> {
        let strength = match cipher {
            Cipher::Aes128Ccm | Cipher::Aes128Gcm => CipherStrength::Bits128,
            Cipher::Aes256Ccm | Cipher::Aes256Gcm => CipherStrength::Bits256,
        };
        let full = self.full_key;
        let key = self.with_scheme(|scheme| kdf::cipher_key(scheme, strength, direction, full));
        key.ok_or(EINVAL)
    }
}

#[kunit_tests(ksmbd_session_keys)]
#[allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "what the macro makes of it"
)]
mod tests {
    use super::*;
    use smb_model::vectors::{smb30, smb311, smb311_bound, Recorded};

    fn preauth(recorded: &Recorded) -> [u8; 64] {
        let mut hash = Preauth::new();
        for message in recorded.messages {
            hash.update::<Kernel>(&[message]);
        }
        *hash.value()
    }

    #[test]
    fn recorded_hash_chains() {
        assert_eq!(preauth(&smb311::SESSION), smb311::SESSION.hash);
        assert_eq!(preauth(&smb311_bound::SESSION), smb311_bound::SESSION.hash);
    }

    #[test]
    fn recorded_keys_of_3_0() {
        let material = Material {
            dialect: Dialect::V3_0,
            full_key: &smb30::SESSION_KEY,
            preauth: &[0; 64],
        };
        assert_eq!(*material.application_key().expose(), smb30::APPLICATION_KEY);
        let key = |direction| material.cipher_key(Cipher::Aes128Ccm, direction);
        let to_server = key(Direction::ClientToServer).unwrap();
        assert_eq!(*to_server.expose(), smb30::CLIENT_TO_SERVER);
        let to_client = key(Direction::ServerToClient).unwrap();
        assert_eq!(*to_client.expose(), smb30::SERVER_TO_CLIENT);
    }

    #[test]
    fn recorded_signatures() {
        let material = Material {
            dialect: Dialect::V3_1_1,
            full_key: &smb311::SESSION_KEY,
            preauth: &smb311::SESSION.hash,
        };
        let signer = material.signer(Signing::AesCmac).unwrap();
        for signed in &smb311::SIGNED {
            assert!(signer.verify(signed.message));
            assert!(!signer.verify(signed.message.split_last().unwrap().1));
        }
    }
}
