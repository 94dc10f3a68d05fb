// SPDX-License-Identifier: GPL-2.0

//! Signing and sealing of messages, [MS-SMB2] 3.1.4.1, 3.1.4.3 and 3.1.5.1. Keys are prepared once.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

use linux::cipher::{CcmKey, CmacKey, GcmKey, Tag};
use linux::digest::HmacSha256Key;
use linux::pages::PageVec;
use linux::random;
use linux::secret::ct_eq;
use linux::span::Span;
use smb_model::negotiate::{Cipher, Signing};
use smb_model::signing::{carried, covered, gmac_nonce, NonceSpace, Sender};
use smb_proto::header::Header;
use smb_proto::transform;
use smb_proto::wire::Reader;

/// Signs replies and verifies requests: the signing key of a session on a connection.
pub(crate) enum Signer {
    /// 2.0.2 and 2.1, and 3.1.1 where negotiated.
    HmacSha256(HmacSha256Key),
    /// 3.0 on.
    Cmac(CmacKey),
    /// 3.1.1 where negotiated.
    Gmac(GcmKey),
}

impl Signer {
    /// Prepares the signing key.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(signing: Signing, key: &[u8; 16]) -> Result<Self> {
        Ok(match signing {
            Signing::HmacSha256 => Signer::HmacSha256(HmacSha256Key::new(key)?),
            Signing::AesCmac => Signer::Cmac(CmacKey::new(key)?),
            Signing::AesGmac => Signer::Gmac(GcmKey::new(key)?),
        })
    }

    /// The signature of a reply or notification: `message`, from its header on, whose signature field counts as zero, and
    /// the payload behind it. Shared pages must not change until the message is sent: copy what may.
    ///
    /// All zeros for what has no signature: a message shorter than a header, or with AES-GMAC an unsolicited one, since all
    /// of these would share one nonce, and one for which there is no memory.
    pub(crate) fn sign(&self, message: &[u8], payload: Option<&PageVec>) -> [u8; 16] {
        self.mac(Sender::Server, message, payload)
            .unwrap_or([0; 16])
    }

    /// Whether the signature that the request `pdu` carries is right.
    pub(crate) fn verify(&self, pdu: &[u8]) -> bool {
        match (self.mac(Sender::Client, pdu, None), carried(pdu)) {
            (Some(right), Some(carried)) => ct_eq(&right, carried),
            _ => false,
        }
    }

    fn mac(&self, sender: Sender, message: &[u8], payload: Option<&PageVec>) -> Option<[u8; 16]> {
        let head = covered(message)?.into_iter().map(Span::from);
        let parts = Iterator::chain(head, payload.into_iter().flat_map(PageVec::spans));
        match self {
            Signer::HmacSha256(key) => key.mac(parts).first_chunk().copied(),
            Signer::Cmac(key) => Some(key.mac(parts)),
            Signer::Gmac(key) => {
                let header = Header::parse(message).ok()?;
                let nonce = gmac_nonce(header.message_id(), sender, header.command().ok()?)?;
                key.gmac(&nonce, parts).ok()
            }
        }
    }
}

/// A prepared cipher key.
enum CipherKey {
    Ccm(CcmKey),
    Gcm(GcmKey),
}

impl CipherKey {
    fn new(cipher: Cipher, key: &[u8]) -> Result<Self> {
        if key.len() != cipher.key_len() {
            return Err(EINVAL);
        }
        Ok(match cipher {
            Cipher::Aes128Ccm | Cipher::Aes256Ccm => CipherKey::Ccm(CcmKey::new(key)?),
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => CipherKey::Gcm(GcmKey::new(key)?),
        })
    }
}

/// Encrypts what the server sends in a session, on whatever connection: one key, and its nonces.
pub(crate) struct Sealer {
    key: CipherKey,
    nonces: NonceSpace,
    /// Messages sealed so far.
    used: Atomic<u64>,
}

/// Past this many messages nothing is sealed any more. The distance to the end of the counter is more than can be under way
/// between the check and the count.
const SEALED_MAX: u64 = u64::MAX - (1 << 32);

impl Sealer {
    /// Prepares the key, of as many bytes as the cipher's have. A key must have one sealer only.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, `ENOMEM`.
    pub(crate) fn new(cipher: Cipher, key: &[u8]) -> Result<Self> {
        Ok(Sealer {
            key: CipherKey::new(cipher, key)?,
            nonces: NonceSpace::new(random::array()),
            used: Atomic::new(0),
        })
    }

    /// Encrypts `message` and the payload behind it in place, and gives the TRANSFORM_HEADER that goes before them.
    ///
    /// # Errors
    ///
    /// `EINVAL` for payload in shared pages, which cannot be encrypted in place ([`Sealer::seal_copy`] can); `EOVERFLOW`
    /// when the key has no nonce left, or for a message of 2^32 bytes or more. The message must then not be sent.
    pub(crate) fn seal(
        &self,
        session_id: u64,
        message: &mut [u8],
        payload: Option<&mut PageVec>,
    ) -> Result<[u8; transform::HEADER_LEN]> {
        if payload.as_ref().is_some_and(|pages| pages.is_shared()) {
            return Err(EINVAL);
        }
        let pages = payload.as_ref().map_or(0, |pages| pages.len());
        let len = message.len().checked_add(pages).ok_or(EOVERFLOW)?;
        let used = self.take_turn()?;
        match &self.key {
            CipherKey::Gcm(key) => {
                let nonce = self.nonces.gcm(used).ok_or(EOVERFLOW)?;
                finish(nonce, len, session_id, |nonce, aad| {
                    key.seal_in_place(nonce, aad, message, payload)
                })
            }
            CipherKey::Ccm(key) => {
                let nonce = self.nonces.ccm(used).ok_or(EOVERFLOW)?;
                finish(nonce, len, session_id, |nonce, aad| {
                    key.seal_in_place(nonce, aad, message, payload)
                })
            }
        }
    }

    /// As [`Sealer::seal`], but encrypts the payload from `from`, which may be in pages of the page cache, into new pages,
    /// which go out in its place.
    ///
    /// # Errors
    ///
    /// As [`Sealer::seal`], and `ENOMEM`.
    pub(crate) fn seal_copy(
        &self,
        session_id: u64,
        message: &mut [u8],
        from: &PageVec,
    ) -> Result<([u8; transform::HEADER_LEN], PageVec)> {
        let mut pages = PageVec::alloc(from.len())?;
        let len = message.len().checked_add(from.len()).ok_or(EOVERFLOW)?;
        let used = self.take_turn()?;
        let header = match &self.key {
            CipherKey::Gcm(key) => {
                let nonce = self.nonces.gcm(used).ok_or(EOVERFLOW)?;
                finish(nonce, len, session_id, |nonce, aad| {
                    key.seal_behind(nonce, aad, message, from, &mut pages)
                })?
            }
            CipherKey::Ccm(key) => {
                let nonce = self.nonces.ccm(used).ok_or(EOVERFLOW)?;
                finish(nonce, len, session_id, |nonce, aad| {
                    key.seal_behind(nonce, aad, message, from, &mut pages)
                })?
            }
        };
        Ok((header, pages))
    }

    /// Counts a message in, and tells how many were before it.
    fn take_turn(&self) -> Result<u64> {
        if self.used.load(Relaxed) > SEALED_MAX {
            return Err(EOVERFLOW);
        }
        Ok(self.used.fetch_add(1, Relaxed))
    }
}

/// The TRANSFORM_HEADER of a message of `len` bytes, with the tag that `seal` makes.
fn finish<const N: usize>(
    nonce: [u8; N],
    len: usize,
    session_id: u64,
    seal: impl FnOnce(&[u8; N], &[u8; transform::AAD_LEN]) -> Result<Tag>,
) -> Result<[u8; transform::HEADER_LEN]> {
    let mut field = [0; 16];
    for (to, from) in field.iter_mut().zip(&nonce) {
        *to = *from;
    }
    let mut header = transform::Header::new(session_id, field, len).map_err(|_| EOVERFLOW)?;
    header.set_signature(seal(&nonce, &header.aad())?);
    Ok(header.to_bytes())
}

/// Decrypts what the client sends in a session.
pub(crate) struct Opener {
    key: CipherKey,
}

impl Opener {
    /// Prepares the key, of as many bytes as the cipher's have.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, `ENOMEM`.
    pub(crate) fn new(cipher: Cipher, key: &[u8]) -> Result<Self> {
        Ok(Opener {
            key: CipherKey::new(cipher, key)?,
        })
    }

    /// Decrypts `message`, which follows the TRANSFORM_HEADER `header`: in place, but for its beginning, if that
    /// is in `sealed`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a header that is cut or says another size, `EBADMSG` when it is not authentic, `ENOMEM`: what `message` then
    /// holds is not to be used.
    pub(crate) fn open(&self, header: &[u8], sealed: &PageVec, message: &mut [u8]) -> Result {
        let header: transform::Header = Reader::new(header).get().map_err(|_| EINVAL)?;
        let len = message.len();
        if usize::try_from(header.original_message_size()).ok() != Some(len) {
            return Err(EINVAL);
        }
        let (aad, tag) = (&header.aad(), header.signature());
        match &self.key {
            CipherKey::Gcm(key) => {
                let nonce = header.nonce().first_chunk().ok_or(EINVAL)?;
                key.open_from(nonce, aad, sealed, message, tag)
            }
            CipherKey::Ccm(key) => {
                let nonce = header.nonce().first_chunk().ok_or(EINVAL)?;
                key.open_from(nonce, aad, sealed, message, tag)
            }
        }
    }
}

#[kunit_tests(ksmbd_sealing)]
#[allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "what the macro makes of it"
)]
mod tests {
    use super::*;
    use smb_model::vectors::{sealed, Sealed};

    fn opens(cipher: Cipher, recorded: &Sealed) {
        let opener = Opener::new(cipher, &recorded.key).unwrap();
        let (head, text) = recorded.message.split_at(transform::HEADER_LEN);
        let mut message = KVec::new();
        message.extend_from_slice(text, GFP_KERNEL).unwrap();
        let (none, mut pages) = (PageVec::new(), PageVec::alloc(text.len()).unwrap());
        opener.open(head, &none, &mut message).unwrap();
        assert_eq!(message.as_slice(), recorded.plain);
        // What is decrypted now is not authentic under the same header.
        assert!(opener.open(head, &none, &mut message) == Err(EBADMSG));
        assert!(opener.open(head, &none, &mut []) == Err(EINVAL));
        pages.fill(text);
        opener.open(head, &pages, &mut message).unwrap();
        assert_eq!(message.as_slice(), recorded.plain);
        let (_, rest) = message.split_at_mut(text.len() - 20);
        rest.copy_from_slice(&text[text.len() - 20..]);
        pages.truncate(text.len() - 20);
        opener.open(head, &pages, &mut message).unwrap();
        assert_eq!(message.as_slice(), recorded.plain);
    }

    #[test]
    fn recorded_messages() {
        opens(Cipher::Aes128Ccm, &sealed::CCM_REQUEST);
        opens(Cipher::Aes128Ccm, &sealed::CCM_REPLY);
        opens(Cipher::Aes128Gcm, &sealed::GCM_REQUEST);
        opens(Cipher::Aes128Gcm, &sealed::GCM_REPLY);
    }

    #[test]
    fn what_is_sealed_opens() {
        for cipher in [
            Cipher::Aes128Ccm,
            Cipher::Aes128Gcm,
            Cipher::Aes256Ccm,
            Cipher::Aes256Gcm,
        ] {
            let key = [7; 32];
            let key = key.get(..cipher.key_len()).unwrap();
            let sealer = Sealer::new(cipher, key).unwrap();
            let opener = Opener::new(cipher, key).unwrap();
            let mut message = [1, 2, 3, 4, 5];
            let first = sealer.seal(9, &mut message, None).unwrap();
            assert!(message != [1, 2, 3, 4, 5]);
            opener.open(&first, &PageVec::new(), &mut message).unwrap();
            assert_eq!(message, [1, 2, 3, 4, 5]);
            let second = sealer.seal(9, &mut message, None).unwrap();
            assert!(first != second);
        }
    }
}
