// SPDX-License-Identifier: GPL-2.0

//! Signatures and seals, [MS-SMB2] 3.1.4.1 and 3.1.4.3, and the primitives that [`smb_model`] derives keys with.

use aes::{Aes128, Aes256};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Digest as _;
use smb_model::primitives::{Digest, Keystream, Primitives};
use smb_model::signing::{self, Sender, SIGNATURE_LEN};
use smb_proto::header::Header;
use smb_proto::negotiate_context::{Cipher, SigningAlgorithm};

/// [`Primitives`] by the crates of RustCrypto.
#[derive(Clone, Copy, Debug)]
pub struct Software;

macro_rules! digest {
    ($(#[$meta:meta])* $name:ident, $inner:ty, $len:literal, $update:path, $finish:expr) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name($inner);

        impl Digest<$len> for $name {
            fn update(&mut self, bytes: &[u8]) {
                $update(&mut self.0, bytes);
            }

            fn finish(self) -> [u8; $len] {
                $finish(self.0)
            }
        }
    };
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8]) -> M {
    // HMAC takes keys of any length; the fixed-length ones are called with theirs.
    <M as Mac>::new_from_slice(key).expect("a key of the right length")
}

digest!(/// HMAC-SHA256.
    HmacSha256, Hmac<sha2::Sha256>, 32, Mac::update, |mac: Hmac<_>| mac.finalize().into_bytes().into());
digest!(/// HMAC-MD5.
    HmacMd5, Hmac<md5::Md5>, 16, Mac::update, |mac: Hmac<_>| mac.finalize().into_bytes().into());
digest!(/// SHA-512.
    Sha512, sha2::Sha512, 64, sha2::Digest::update, |digest: sha2::Sha512| digest.finalize().into());
digest!(/// MD5.
    Md5, md5::Md5, 16, sha2::Digest::update, |digest: md5::Md5| digest.finalize().into());

/// RC4 with a key of any length.
#[derive(Debug)]
pub struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    fn new(key: &[u8]) -> Self {
        let mut state: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap_or(0));
        let mut j = 0u8;
        for i in 0..256 {
            j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
            state.swap(i, j.into());
        }
        Rc4 { state, i: 0, j: 0 }
    }
}

impl Keystream for Rc4 {
    fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(self.state[usize::from(self.i)]);
            self.state.swap(self.i.into(), self.j.into());
            let at = self.state[usize::from(self.i)].wrapping_add(self.state[usize::from(self.j)]);
            *byte ^= self.state[usize::from(at)];
        }
    }
}

impl Primitives for Software {
    type HmacSha256 = HmacSha256;
    type Sha512 = Sha512;
    type HmacMd5 = HmacMd5;
    type Md5 = Md5;
    type Rc4 = Rc4;

    fn hmac_sha256(key: &[u8]) -> HmacSha256 {
        HmacSha256(keyed(key))
    }

    fn sha512() -> Sha512 {
        Sha512(sha2::Sha512::new())
    }

    fn hmac_md5(key: &[u8]) -> HmacMd5 {
        HmacMd5(keyed(key))
    }

    fn md5() -> Md5 {
        Md5(md5::Md5::new())
    }

    fn rc4(key: &[u8]) -> Option<Rc4> {
        (1..=256).contains(&key.len()).then(|| Rc4::new(key))
    }

    fn same(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    fn wipe(bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Signs and verifies.
#[derive(Clone)]
pub struct Signer(Algorithm);

#[derive(Clone)]
enum Algorithm {
    HmacSha256([u8; 16]),
    Cmac(Box<cmac::Cmac<Aes128>>),
    Gmac(Box<aes_gcm::Aes128Gcm>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// With the signing key of a session or a channel.
    pub fn new(algorithm: SigningAlgorithm, key: &[u8; 16]) -> Self {
        Signer(match algorithm {
            SigningAlgorithm::AES_GMAC => {
                Algorithm::Gmac(Box::new(aes_gcm::Aes128Gcm::new(key.into())))
            }
            SigningAlgorithm::AES_CMAC => Algorithm::Cmac(Box::new(keyed(key))),
            _ => Algorithm::HmacSha256(*key),
        })
    }

    /// Signs the message in place, as the client.
    pub fn sign(&self, pdu: &mut [u8]) {
        let signature = self.compute(pdu, Sender::Client);
        signing::put(pdu, &signature).expect("a message has a header");
    }

    /// Whether the server's signature is right. The message is changed meanwhile, and as it was afterwards.
    pub fn verify(&self, pdu: &mut [u8]) -> bool {
        let Some(carried) = signing::carried(pdu).copied() else {
            return false;
        };
        let right = self.compute(pdu, Sender::Server);
        signing::put(pdu, &carried).is_some() && right == carried
    }

    /// The signature; leaves zeros in its place.
    fn compute(&self, pdu: &mut [u8], sender: Sender) -> [u8; SIGNATURE_LEN] {
        signing::put(pdu, &[0; SIGNATURE_LEN]).expect("a message has a header");
        match &self.0 {
            Algorithm::HmacSha256(key) => {
                let mut mac = HmacSha256(keyed(key));
                mac.update(pdu);
                let [signature @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = mac.finish();
                signature
            }
            Algorithm::Cmac(mac) => {
                let mut mac = cmac::Cmac::clone(mac);
                Mac::update(&mut mac, pdu);
                mac.finalize().into_bytes().into()
            }
            Algorithm::Gmac(cipher) => gmac(cipher, pdu, sender),
        }
    }
}

fn gmac(cipher: &aes_gcm::Aes128Gcm, pdu: &[u8], sender: Sender) -> [u8; SIGNATURE_LEN] {
    let nonce = Header::parse(pdu).ok().and_then(|header| {
        let command = header.command().ok()?;
        signing::gmac_nonce(header.message_id(), sender, command)
    });
    // What has no nonce of its own is never signed with GMAC; a hostile client may try.
    let nonce = nonce.unwrap_or([0; 12]);
    cipher
        .encrypt_in_place_detached(&nonce.into(), pdu, &mut [])
        .expect("a message is short")
        .into()
}

type Ccm128 = ccm::Ccm<Aes128, ccm::consts::U16, ccm::consts::U11>;
type Ccm256 = ccm::Ccm<Aes256, ccm::consts::U16, ccm::consts::U11>;

/// A cipher with a key for one direction.
#[derive(Clone)]
pub struct SealKey(Mode);

#[derive(Clone)]
enum Mode {
    Ccm128(Box<Ccm128>),
    Gcm128(Box<aes_gcm::Aes128Gcm>),
    Ccm256(Box<Ccm256>),
    Gcm256(Box<aes_gcm::Aes256Gcm>),
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// `None` for a cipher that is not known, or a key that is not its length.
    pub fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        Some(SealKey(match cipher {
            Cipher::AES_128_CCM => Mode::Ccm128(Box::new(Ccm128::new_from_slice(key).ok()?)),
            Cipher::AES_128_GCM => Mode::Gcm128(Box::new(KeyInit::new_from_slice(key).ok()?)),
            Cipher::AES_256_CCM => Mode::Ccm256(Box::new(Ccm256::new_from_slice(key).ok()?)),
            Cipher::AES_256_GCM => Mode::Gcm256(Box::new(KeyInit::new_from_slice(key).ok()?)),
            _ => return None,
        }))
    }

    /// Bytes of the nonce.
    pub fn nonce_len(&self) -> usize {
        match self.0 {
            Mode::Ccm128(_) | Mode::Ccm256(_) => 11,
            Mode::Gcm128(_) | Mode::Gcm256(_) => 12,
        }
    }

    /// Encrypts in place, with the nonce at the front of `aad`; the tag.
    pub fn seal(&self, aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        match &self.0 {
            Mode::Ccm128(cipher) => {
                cipher.encrypt_in_place_detached((&aad[..11]).into(), aad, text)
            }
            Mode::Ccm256(cipher) => {
                cipher.encrypt_in_place_detached((&aad[..11]).into(), aad, text)
            }
            Mode::Gcm128(cipher) => {
                cipher.encrypt_in_place_detached((&aad[..12]).into(), aad, text)
            }
            Mode::Gcm256(cipher) => {
                cipher.encrypt_in_place_detached((&aad[..12]).into(), aad, text)
            }
        }
        .expect("a message is short")
        .into()
    }

    /// Decrypts in place; whether the tag was right.
    pub fn open(&self, aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        let tag = tag.into();
        match &self.0 {
            Mode::Ccm128(cipher) => {
                cipher.decrypt_in_place_detached((&aad[..11]).into(), aad, text, tag)
            }
            Mode::Ccm256(cipher) => {
                cipher.decrypt_in_place_detached((&aad[..11]).into(), aad, text, tag)
            }
            Mode::Gcm128(cipher) => {
                cipher.decrypt_in_place_detached((&aad[..12]).into(), aad, text, tag)
            }
            Mode::Gcm256(cipher) => {
                cipher.decrypt_in_place_detached((&aad[..12]).into(), aad, text, tag)
            }
        }
        .is_ok()
    }
}
