// SPDX-License-Identifier: GPL-2.0

//! The primitives, for tests under cargo.

use crate::primitives::{Digest, Keystream, Primitives};
use aes::Aes128;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Digest as _;

pub(crate) struct RustCrypto;

macro_rules! digest {
    ($name:ident, $inner:ty, $len:literal, $update:path, $finish:path) => {
        pub(crate) struct $name($inner);

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

fn finish_mac<M: Mac, const N: usize>(mac: M) -> [u8; N] {
    mac.finalize().into_bytes()[..].try_into().unwrap()
}

fn finish_digest<D: sha2::Digest, const N: usize>(digest: D) -> [u8; N] {
    digest.finalize()[..].try_into().unwrap()
}

digest!(HmacSha256, Hmac<sha2::Sha256>, 32, Mac::update, finish_mac);
digest!(HmacMd5, Hmac<md5::Md5>, 16, Mac::update, finish_mac);
digest!(
    Sha512,
    sha2::Sha512,
    64,
    sha2::Digest::update,
    finish_digest
);
digest!(Md5, md5::Md5, 16, sha2::Digest::update, finish_digest);

/// RC4, which takes keys of any length here: the crate of the same name knows the length at compile time only.
pub(crate) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
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

impl Primitives for RustCrypto {
    type HmacSha256 = HmacSha256;
    type Sha512 = Sha512;
    type HmacMd5 = HmacMd5;
    type Md5 = Md5;
    type Rc4 = Rc4;

    fn hmac_sha256(key: &[u8]) -> HmacSha256 {
        HmacSha256(Mac::new_from_slice(key).unwrap())
    }

    fn sha512() -> Sha512 {
        Sha512(sha2::Sha512::new())
    }

    fn hmac_md5(key: &[u8]) -> HmacMd5 {
        HmacMd5(Mac::new_from_slice(key).unwrap())
    }

    fn md5() -> Md5 {
        Md5(md5::Md5::new())
    }

    fn rc4(key: &[u8]) -> Option<Rc4> {
        if key.is_empty() || key.len() > 256 {
            return None;
        }
        let mut state: [u8; 256] = core::array::from_fn(|at| at as u8);
        let mut j = 0u8;
        for i in 0..256 {
            j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
            state.swap(i, j.into());
        }
        Some(Rc4 { state, i: 0, j: 0 })
    }

    fn same(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    fn wipe(bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

pub(crate) fn cmac(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <cmac::Cmac<Aes128> as Mac>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| Mac::update(&mut mac, part));
    finish_mac(mac)
}

pub(crate) fn gmac(key: &[u8; 16], nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
    let cipher = aes_gcm::Aes128Gcm::new(key.into());
    cipher
        .encrypt_in_place_detached(nonce.into(), &parts.concat(), &mut [])
        .unwrap()
        .into()
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Ccm,
    Gcm,
}

type Ccm = ccm::Ccm<Aes128, ccm::consts::U16, ccm::consts::U11>;

/// Encrypts with the nonce at the front of `aad`, as SMB2 has it.
pub(crate) fn aead_seal(
    mode: Mode,
    key: &[u8; 16],
    aad: &[u8],
    text: &[u8],
) -> (Vec<u8>, [u8; 16]) {
    let mut text = text.to_vec();
    let tag = match mode {
        Mode::Ccm => {
            Ccm::new(key.into()).encrypt_in_place_detached(aad[..11].into(), aad, &mut text)
        }
        Mode::Gcm => aes_gcm::Aes128Gcm::new(key.into()).encrypt_in_place_detached(
            aad[..12].into(),
            aad,
            &mut text,
        ),
    };
    (text, tag.unwrap().into())
}

/// Decrypts with the nonce at the front of `aad`, as SMB2 has it.
pub(crate) fn aead_open(
    mode: Mode,
    key: &[u8; 16],
    aad: &[u8],
    text: &[u8],
    tag: &[u8; 16],
) -> Option<Vec<u8>> {
    let mut text = text.to_vec();
    let tag = tag.into();
    match mode {
        Mode::Ccm => {
            Ccm::new(key.into()).decrypt_in_place_detached(aad[..11].into(), aad, &mut text, tag)
        }
        Mode::Gcm => aes_gcm::Aes128Gcm::new(key.into()).decrypt_in_place_detached(
            aad[..12].into(),
            aad,
            &mut text,
            tag,
        ),
    }
    .ok()?;
    Some(text)
}
