// SPDX-License-Identifier: GPL-2.0

//! Preauthentication integrity and key derivation: [MS-SMB2] 3.1.4.2 and 3.1.4.4, NIST SP 800-108 (counter mode).

use crate::primitives::{over, Digest, Key, Primitives};

/// Bytes of a session, signing or application key.
pub const KEY_LEN: usize = 16;

/// Bytes of the longest cipher key.
pub const CIPHER_KEY_MAX: usize = 32;

/// The preauthentication integrity hash: SHA-512 over the hash so far and the next message, from all zeros on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preauth([u8; 64]);

impl Preauth {
    /// The hash before any message.
    pub const fn new() -> Self {
        Preauth([0; 64])
    }

    /// The hash after some messages, to go on from.
    pub const fn resume(value: [u8; 64]) -> Self {
        Preauth(value)
    }

    /// Adds a message, from its SMB2 header on, whose parts follow one another.
    pub fn update<P: Primitives>(&mut self, message: &[&[u8]]) {
        let mut digest = P::sha512();
        digest.update(&self.0);
        self.0 = over(digest, message);
    }

    /// The value.
    pub const fn value(&self) -> &[u8; 64] {
        &self.0
    }
}

impl Default for Preauth {
    fn default() -> Self {
        Self::new()
    }
}

/// How a dialect derives its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// 2.0.2 and 2.1: the session key itself serves.
    None,
    /// 3.0 and 3.0.2.
    Smb30,
    /// 3.1.1, bound to the preauthentication hash of the session, or of the channel for its signing key.
    Smb311(&'a Preauth),
}

/// Bytes of a cipher's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherStrength {
    /// AES-128.
    Bits128,
    /// AES-256.
    Bits256,
}

/// Direction of encrypted messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The client encrypts, the server decrypts.
    ClientToServer,
    /// The server encrypts, the client decrypts.
    ServerToClient,
}

/// SP 800-108 in counter mode with HMAC-SHA256, 32-bit counter and length: `N` bytes, at most 32, into `out`. Label and
/// context include their terminating zero byte where the document has one.
pub fn counter_mode<P: Primitives, const N: usize>(
    key: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8; N],
) {
    const { assert!(N <= 32, "one block of HMAC-SHA256") };
    let bits = (N as u32) << 3;
    let mut block = over(
        P::hmac_sha256(key),
        &[
            &1u32.to_be_bytes(),
            label,
            &[0],
            context,
            &bits.to_be_bytes(),
        ],
    );
    for (to, from) in out.iter_mut().zip(&block) {
        *to = *from;
    }
    P::wipe(&mut block);
}

/// `Session.SessionKey`: the first 16 bytes of the key that authentication gave, filled up with zeros (3.3.5.5.3).
pub fn session_key<P: Primitives>(full: &[u8]) -> Key<P, KEY_LEN> {
    let mut key = Key::zeroed();
    for (to, from) in key.expose_mut().iter_mut().zip(full) {
        *to = *from;
    }
    key
}

/// `SigningKey` of a session or a channel, from the session key of its own authentication.
pub fn signing_key<P: Primitives>(
    scheme: Scheme<'_>,
    session_key: &[u8; KEY_LEN],
) -> Key<P, KEY_LEN> {
    short(
        scheme,
        session_key,
        b"SMB2AESCMAC\0",
        b"SmbSign\0",
        b"SMBSigningKey\0",
    )
}

/// `ApplicationKey` of a session.
pub fn application_key<P: Primitives>(
    scheme: Scheme<'_>,
    session_key: &[u8; KEY_LEN],
) -> Key<P, KEY_LEN> {
    short(
        scheme,
        session_key,
        b"SMB2APP\0",
        b"SmbRpc\0",
        b"SMBAppKey\0",
    )
}

fn short<P: Primitives>(
    scheme: Scheme<'_>,
    session_key: &[u8; KEY_LEN],
    label_30: &[u8],
    context_30: &[u8],
    label_311: &[u8],
) -> Key<P, KEY_LEN> {
    let mut key = Key::zeroed();
    let out = key.expose_mut();
    match scheme {
        Scheme::None => *out = *session_key,
        Scheme::Smb30 => counter_mode::<P, KEY_LEN>(session_key, label_30, context_30, out),
        Scheme::Smb311(hash) => {
            counter_mode::<P, KEY_LEN>(session_key, label_311, hash.value(), out)
        }
    }
    key
}

/// The key of a session's cipher for one direction.
pub struct CipherKey<P: Primitives> {
    bytes: Key<P, CIPHER_KEY_MAX>,
    strength: CipherStrength,
}

impl<P: Primitives> CipherKey<P> {
    /// The 16 or 32 bytes.
    pub fn expose(&self) -> &[u8] {
        let bytes = self.bytes.expose();
        match self.strength {
            CipherStrength::Bits128 => bytes.first_chunk::<16>().map_or(&[], |half| half),
            CipherStrength::Bits256 => bytes,
        }
    }
}

/// `EncryptionKey` and `DecryptionKey` of a session. `full` is the whole key that authentication gave: ciphers with 256-bit
/// keys use all of it (`Session.FullSessionKey`), the others its first 16 bytes. `None` where the dialect has no encryption,
/// and for a strength that it does not have.
pub fn cipher_key<P: Primitives>(
    scheme: Scheme<'_>,
    strength: CipherStrength,
    direction: Direction,
    full: &[u8],
) -> Option<CipherKey<P>> {
    let short_key = session_key::<P>(full);
    let mut bytes = Key::<P, CIPHER_KEY_MAX>::zeroed();
    let out = bytes.expose_mut();
    let (label, context): (&[u8], &[u8]) = match (scheme, direction) {
        (Scheme::None, _) => return None,
        (Scheme::Smb30, Direction::ClientToServer) => (b"SMB2AESCCM\0", b"ServerIn \0"),
        (Scheme::Smb30, Direction::ServerToClient) => (b"SMB2AESCCM\0", b"ServerOut\0"),
        (Scheme::Smb311(hash), Direction::ClientToServer) => (b"SMBC2SCipherKey\0", hash.value()),
        (Scheme::Smb311(hash), Direction::ServerToClient) => (b"SMBS2CCipherKey\0", hash.value()),
    };
    match (strength, scheme) {
        (CipherStrength::Bits256, Scheme::Smb311(_)) => {
            counter_mode::<P, 32>(full, label, context, out)
        }
        (CipherStrength::Bits256, _) => return None,
        (CipherStrength::Bits128, _) => {
            if let Some(half) = out.first_chunk_mut::<16>() {
                counter_mode::<P, 16>(short_key.expose(), label, context, half);
            }
        }
    }
    Some(CipherKey { bytes, strength })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_crypto::RustCrypto;
    use crate::vectors::{smb30, smb311, smb311_bound, Recorded};

    type P = RustCrypto;

    fn preauth(recorded: &Recorded) -> Preauth {
        let mut hash = Preauth::new();
        for message in recorded.messages {
            hash.update::<P>(&[message]);
        }
        hash
    }

    #[test]
    fn the_hash_chain_of_a_recorded_session() {
        assert_eq!(preauth(&smb311::SESSION).value(), &smb311::SESSION.hash);
        assert_eq!(
            preauth(&smb311_bound::SESSION).value(),
            &smb311_bound::SESSION.hash
        );
    }

    #[test]
    fn a_message_hashes_alike_whole_and_in_parts() {
        let (mut whole, mut parts) = (Preauth::new(), Preauth::new());
        whole.update::<P>(&[b"abcdef"]);
        parts.update::<P>(&[b"ab", b"", b"cdef"]);
        assert_eq!(whole, parts);
    }

    #[test]
    fn keys_of_3_0() {
        let scheme = Scheme::Smb30;
        let key = signing_key::<P>(scheme, &smb30::SESSION_KEY);
        assert_eq!(key.expose(), &smb30::SIGNING_KEY);
        let key = signing_key::<P>(scheme, &smb30::BOUND_SESSION_KEY);
        assert_eq!(key.expose(), &smb30::BOUND_SIGNING_KEY);
        let key = application_key::<P>(scheme, &smb30::SESSION_KEY);
        assert_eq!(key.expose(), &smb30::APPLICATION_KEY);
        let derive = |direction| {
            cipher_key::<P>(
                scheme,
                CipherStrength::Bits128,
                direction,
                &smb30::SESSION_KEY,
            )
            .unwrap()
        };
        assert_eq!(
            derive(Direction::ClientToServer).expose(),
            smb30::CLIENT_TO_SERVER
        );
        assert_eq!(
            derive(Direction::ServerToClient).expose(),
            smb30::SERVER_TO_CLIENT
        );
    }

    #[test]
    fn keys_of_3_1_1() {
        let hash = preauth(&smb311::SESSION);
        let scheme = Scheme::Smb311(&hash);
        let key = signing_key::<P>(scheme, &smb311::SESSION_KEY);
        assert_eq!(key.expose(), &smb311::SIGNING_KEY);
        let key = application_key::<P>(scheme, &smb311::SESSION_KEY);
        assert_eq!(key.expose(), &smb311::APPLICATION_KEY);
        let derive = |direction| {
            cipher_key::<P>(
                scheme,
                CipherStrength::Bits128,
                direction,
                &smb311::SESSION_KEY,
            )
            .unwrap()
        };
        assert_eq!(
            derive(Direction::ClientToServer).expose(),
            smb311::CLIENT_TO_SERVER
        );
        assert_eq!(
            derive(Direction::ServerToClient).expose(),
            smb311::SERVER_TO_CLIENT
        );

        let hash = preauth(&smb311_bound::SESSION);
        let key = signing_key::<P>(Scheme::Smb311(&hash), &smb311_bound::SESSION_KEY);
        assert_eq!(key.expose(), &smb311_bound::SIGNING_KEY);
    }

    #[test]
    fn long_keys_take_the_whole_session_key_and_say_their_length() {
        let hash = Preauth::new();
        let scheme = Scheme::Smb311(&hash);
        let full: Vec<u8> = (0..32).collect();
        let derive = |strength, full: &[u8]| {
            let key = cipher_key::<P>(scheme, strength, Direction::ServerToClient, full).unwrap();
            key.expose().to_vec()
        };
        let long = derive(CipherStrength::Bits256, &full);
        let short = derive(CipherStrength::Bits128, &full);
        assert_eq!((long.len(), short.len()), (32, 16));
        assert_ne!(long[..16], short[..]);
        assert_eq!(short, derive(CipherStrength::Bits128, &full[..16]));
        assert_ne!(long, derive(CipherStrength::Bits256, &full[..16]));
    }

    #[test]
    fn two_x_uses_the_session_key_and_encrypts_nothing() {
        let key = signing_key::<P>(Scheme::None, &smb30::SESSION_KEY);
        assert_eq!(key.expose(), &smb30::SESSION_KEY);
        let no = |scheme, strength| {
            cipher_key::<P>(scheme, strength, Direction::ClientToServer, &[1; 16]).is_none()
        };
        assert!(no(Scheme::None, CipherStrength::Bits128));
        assert!(no(Scheme::Smb30, CipherStrength::Bits256));
    }

    #[test]
    fn a_short_session_key_is_filled_with_zeros() {
        let key = session_key::<P>(&[7; 8]);
        assert_eq!(
            key.expose(),
            &[7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
