// SPDX-License-Identifier: GPL-2.0

//! What a signature covers, and which nonces may be used: [MS-SMB2] 3.1.4.1 and 3.1.4.3.

use smb_proto::header::{Command, HEADER_LEN, SIGNATURE_AT};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 16;

/// Zeros that stand for the signature while it is computed.
static NO_SIGNATURE: [u8; SIGNATURE_LEN] = [0; SIGNATURE_LEN];

/// The parts of `message`'s first bytes, at least its header, over which its signature is computed: zeros stand for the
/// signature itself. What of the message is not in `first` follows. `None` when `first` is shorter than a header.
pub fn covered(first: &[u8]) -> Option<[&[u8]; 3]> {
    first.get(..HEADER_LEN)?;
    let (before, rest) = first.split_at_checked(SIGNATURE_AT)?;
    let (_, after) = rest.split_at_checked(SIGNATURE_LEN)?;
    Some([before, &NO_SIGNATURE, after])
}

/// The signature that `message`, at least its header, carries.
pub fn carried(message: &[u8]) -> Option<&[u8; SIGNATURE_LEN]> {
    message.get(SIGNATURE_AT..)?.first_chunk()
}

/// Puts `signature` into the header at the front of `message`. `None` when there is no room for one.
pub fn put(message: &mut [u8], signature: &[u8; SIGNATURE_LEN]) -> Option<()> {
    *message.get_mut(SIGNATURE_AT..)?.first_chunk_mut()? = *signature;
    Some(())
}

/// Who signs a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client: a request.
    Client,
    /// The server: a reply or a notification.
    Server,
}

/// The nonce of AES-GMAC for a message: its id, who sends it, and whether it cancels.
///
/// `None` for the message id of unsolicited notifications, which all would have the same nonce: they are never signed.
pub fn gmac_nonce(message_id: u64, sender: Sender, command: Command) -> Option<[u8; 12]> {
    if message_id == u64::MAX {
        return None;
    }
    let server = u32::from(sender == Sender::Server);
    let cancel = u32::from(sender == Sender::Client && command == Command::Cancel);
    let bits = server | (cancel << 1);
    let [a, b, c, d, e, f, g, h] = message_id.to_le_bytes();
    let [i, j, k, l] = bits.to_le_bytes();
    Some([a, b, c, d, e, f, g, h, i, j, k, l])
}

/// The nonces of one encryption key: 2^64 - 1 of them, all different.
///
/// A nonce is a random start, drawn once per key, and a counter from it on. Since the start is different for each key and
/// drawn anew when a session is set up, nonces tell nothing about how much was sent.
#[derive(Clone, Copy)]
pub struct NonceSpace {
    start: u64,
    fixed: [u8; 4],
}

impl NonceSpace {
    /// The space that begins at these random bytes.
    pub const fn new(random: [u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, fixed @ ..] = random;
        NonceSpace {
            start: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            fixed,
        }
    }

    /// The nonce for the message before which `used` others were encrypted, for AES-GCM. `None` when none is left.
    pub fn gcm(&self, used: u64) -> Option<[u8; 12]> {
        let [a, b, c, d, e, f, g, h] = self.counter(used)?;
        let [i, j, k, l] = self.fixed;
        Some([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// The nonce for the message before which `used` others were encrypted, for AES-CCM. `None` when none is left.
    pub fn ccm(&self, used: u64) -> Option<[u8; 11]> {
        let [a, b, c, d, e, f, g, h] = self.counter(used)?;
        let [i, j, k, _] = self.fixed;
        Some([a, b, c, d, e, f, g, h, i, j, k])
    }

    fn counter(&self, used: u64) -> Option<[u8; 8]> {
        if used == u64::MAX {
            return None;
        }
        Some(self.start.wrapping_add(used).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_crypto::{aead_open, aead_seal, cmac, gmac, Mode};
    use crate::vectors::{sealed, smb311, smb311_bound};
    use crate::vectors::{Sealed, Signed};
    use smb_proto::transform;

    fn check(signed: &Signed) {
        let parts = covered(signed.message).unwrap();
        assert_eq!(&cmac(&signed.key, &parts), carried(signed.message).unwrap());
        let mut changed = signed.message.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert_ne!(
            &cmac(&signed.key, &covered(&changed).unwrap()),
            carried(&changed).unwrap()
        );
    }

    #[test]
    fn recorded_signatures() {
        smb311::SIGNED.iter().for_each(check);
        smb311_bound::SIGNED.iter().for_each(check);
    }

    #[test]
    fn a_signature_is_put_where_it_is_read() {
        let mut message = [0xA5; 70];
        put(&mut message, &[7; 16]).unwrap();
        assert_eq!(carried(&message), Some(&[7; 16]));
        assert_eq!(message[..48], [0xA5; 48]);
        assert_eq!(message[64..], [0xA5; 6]);
        let parts = covered(&message).unwrap();
        assert_eq!(parts.concat()[48..64], [0; 16]);
        assert_eq!(parts.concat().len(), 70);
    }

    #[test]
    fn a_message_without_a_whole_header_has_no_signature() {
        assert!(covered(&[0; 63]).is_none());
        assert!(carried(&[0; 63]).is_none());
        assert!(put(&mut [0; 63], &[1; 16]).is_none());
        assert!(covered(&[0; 64]).is_some());
    }

    #[test]
    fn the_nonce_of_gmac_tells_sender_and_cancel() {
        let nonce = |sender, command| gmac_nonce(0x0807_0605_0403_0201, sender, command).unwrap();
        assert_eq!(
            nonce(Sender::Client, Command::Read),
            [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]
        );
        assert_eq!(
            nonce(Sender::Server, Command::Read),
            [1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0]
        );
        assert_eq!(
            nonce(Sender::Client, Command::Cancel),
            [1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0]
        );
        assert_eq!(
            gmac_nonce(u64::MAX, Sender::Server, Command::OplockBreak),
            None
        );
    }

    #[test]
    fn gmac_covers_as_the_other_signatures_do() {
        // NIST SP 800-38D: GMAC is the tag of GCM over associated data alone.
        let mut message = [0x11; 100];
        let nonce = gmac_nonce(9, Sender::Server, Command::Read).unwrap();
        let tag = gmac(&[3; 16], &nonce, &covered(&message).unwrap());
        put(&mut message, &tag).unwrap();
        assert_eq!(gmac(&[3; 16], &nonce, &covered(&message).unwrap()), tag);
        let other = gmac_nonce(9, Sender::Client, Command::Read).unwrap();
        assert_ne!(gmac(&[3; 16], &other, &covered(&message).unwrap()), tag);
    }

    fn parts(sealed: &Sealed) -> ([u8; 16], [u8; transform::AAD_LEN], &[u8]) {
        let header = transform::Header::parse(sealed.message).unwrap();
        let text = &sealed.message[transform::HEADER_LEN..];
        (*header.signature(), header.aad(), text)
    }

    #[test]
    fn recorded_encrypted_messages() {
        for (mode, recorded) in [
            (Mode::Ccm, &sealed::CCM_REQUEST),
            (Mode::Ccm, &sealed::CCM_REPLY),
            (Mode::Gcm, &sealed::GCM_REQUEST),
            (Mode::Gcm, &sealed::GCM_REPLY),
        ] {
            let (tag, aad, text) = parts(recorded);
            let plain = aead_open(mode, &recorded.key, &aad, text, &tag).expect("authentic");
            assert_eq!(plain, recorded.plain);
            assert_eq!(
                aead_seal(mode, &recorded.key, &aad, &plain),
                (text.to_vec(), tag)
            );
            let mut wrong = tag;
            wrong[15] ^= 0x80;
            assert!(aead_open(mode, &recorded.key, &aad, text, &wrong).is_none());
        }
    }

    #[test]
    fn nonces_never_repeat_and_run_out() {
        let mut random = [0xFF; 12];
        random[11] = 0x3C;
        let space = NonceSpace::new(random);
        // The start is the last value of the counter: it wraps, and is not met again before the end.
        let first = space.gcm(0).unwrap();
        assert_eq!(first, random);
        assert_eq!(space.gcm(1).unwrap()[..8], [0; 8]);
        assert_eq!(
            space.gcm(u64::MAX - 1).unwrap()[..8],
            [0xFD, 255, 255, 255, 255, 255, 255, 255]
        );
        assert_eq!(space.gcm(u64::MAX), None);
        assert_eq!(space.ccm(u64::MAX), None);
        assert_eq!(space.ccm(5).unwrap()[..], space.gcm(5).unwrap()[..11]);
    }
}
