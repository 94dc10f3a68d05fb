// SPDX-License-Identifier: GPL-2.0

//! The kernel's cryptography as this crate wraps it, against published examples, and what it works on: pages and buffers.

use kernel::macros::kunit_tests;

/// Bytes from hexadecimal digits.
fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let digit = |at: usize| {
        let digit = digits.as_bytes().get(at).copied().map(char::from);
        digit.and_then(|digit| digit.to_digit(16)).unwrap_or(0)
    };
    core::array::from_fn(|at| u8::try_from(digit(2 * at) << 4 | digit(2 * at + 1)).unwrap_or(0))
}

#[kunit_tests(ksmbd_crypto)]
#[allow(unsafe_op_in_unsafe_fn, reason = "what the macro makes of it")]
mod tests {
    use super::hex;
    use crate::buffer::BufferPool;
    use crate::cbcmac::LongCmac;
    use crate::ccm::LongCcm;
    use crate::cipher::{CcmKey, CmacKey, GcmKey};
    use crate::digest::{sha256, sha512, Arc4, HmacMd5, HmacSha256Key, Md5};
    use crate::pages::PageVec;
    use crate::secret::{ct_eq, Secret};
    use crate::span::Span;
    use kernel::prelude::*;

    #[test]
    fn cmac_of_rfc_4493() {
        let key = CmacKey::new(&hex::<16>("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
        let text: [u8; 64] = hex(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
        ));
        let mac = |len: usize, cut: usize| key.mac(text[..len].chunks(cut).map(Span::from));
        assert_eq!(mac(0, 1), hex("bb1d6929e95937287fa37d129b756746"));
        assert_eq!(mac(16, 16), hex("070a16b46b4d4144f79bdd9dd04a287c"));
        assert_eq!(mac(40, 17), hex("dfa66747de9ae63030ca32611497c827"));
        assert_eq!(mac(64, 7), hex("51f0bebf7e3b9d92fc49741779363cfe"));
        assert!(CmacKey::new(&[0; 15]).is_err());
        // Long ones, whole and in pieces that end within blocks: as the library's, whoever ciphers.
        let by_cbc = LongCmac::new(&hex::<16>("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
        for len in [0, 16, 255, 256, 257, 272, 4096, 4112, 9999, 70_001] {
            let long = bytes_of(&pages_of(len).unwrap()).unwrap();
            for cut in [1, 16, 48, 255, 300, 4097, 70_001] {
                let parts = || long.chunks(cut).map(Span::from);
                let right = key.mac_of_short(parts());
                assert!(key.mac(parts()) == right && by_cbc.mac(parts()) == Ok(right));
            }
        }
    }

    #[test]
    fn gcm_of_its_specification() {
        let key = GcmKey::new(&hex::<16>("feffe9928665731c6d6a8f9467308308")).unwrap();
        let nonce = hex("cafebabefacedbaddecaf888");
        let aad: [u8; 20] = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain: [u8; 60] = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let sealed: [u8; 60] = hex(concat!(
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e",
            "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        ));
        let tag = hex("5bc94fbc3221a5db94fae95ae7121a47");
        let mut out = [0; 60];
        let made = key.seal(&nonce, aad.chunks(7), plain.chunks(9), out.chunks_mut(11));
        assert!(made == Ok(tag) && out == sealed);
        assert!(key.open(&nonce, &aad, &mut out, &tag) == Ok(()) && out == plain);
        assert!(key.open(&nonce, &aad, &mut out, &tag) == Err(EBADMSG));
        let short = key.seal(&nonce, [&aad], [&plain], [&mut out[..59]]);
        assert!(short == Err(ENOSPC));
    }

    #[test]
    fn gmac_of_nist() {
        let key = GcmKey::new(&hex::<16>("77be63708971c4e240d1cb79e8d77feb")).unwrap();
        let text: [u8; 16] = hex("7a43ec1d9c0a5a78a0b16533a6213cab");
        let mac = key.gmac(
            &hex("e0e00f19fed7ba0136a797f3"),
            text.chunks(3).map(Span::from),
        );
        assert!(mac == Ok(hex("209fcc8d3675ed938e9c7166709dd946")));
        // A long one: as the tag of a message without text.
        for len in [383, 384, 9999, 300_000] {
            let long = bytes_of(&pages_of(len).unwrap()).unwrap();
            let mac = key.gmac(&[4; 12], long.chunks(1234).map(Span::from));
            let none: [&[u8]; 0] = [];
            let tag = key.seal(&[4; 12], [&long[..]], none, [&mut [][..]]);
            assert!(mac == tag && mac.is_ok());
        }
    }

    #[test]
    fn digests() {
        let parts = [&b"a"[..], b"bc"];
        let sum = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(parts), sum);
        let sum = hex(concat!(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a",
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ));
        assert_eq!(sha512(parts), sum);
        let mut md5 = Md5::new();
        md5.update(b"abc");
        assert_eq!(md5.finish(), hex("900150983cd24fb0d6963f7d28e17f72"));
        let mut mac = HmacMd5::new(&[0x0b; 16]);
        mac.update(b"Hi There");
        assert_eq!(mac.finish(), hex("9294727a3638bb1c13f48ef8158bfc9d"));
        let mac = HmacSha256Key::new(&[0x0b; 20])
            .unwrap()
            .mac([&b"Hi "[..], b"There"]);
        let sum = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(mac, sum);
        let mut cipher = Arc4::new(b"Key").unwrap();
        let mut text = *b"Plaintext";
        cipher.apply(&mut text[..4]);
        cipher.apply(&mut text[4..]);
        assert_eq!(text, hex("bbf316e8d940af0ad3"));
        assert!(Arc4::new(&[]).is_err() && Arc4::new(&[0; 257]).is_err());
    }

    fn pages_of(len: usize) -> Result<PageVec> {
        let mut pages = PageVec::alloc(len)?;
        let piece: [u8; 251] = core::array::from_fn(|at| at as u8);
        while pages.len() < len {
            pages.fill(&piece);
        }
        Ok(pages)
    }

    fn pages_with(bytes: &[u8]) -> Result<PageVec> {
        let mut pages = PageVec::alloc(bytes.len())?;
        pages.fill(bytes);
        Ok(pages)
    }

    fn bytes_of(pages: &PageVec) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::new();
        for slice in pages.slices().ok_or(EINVAL)? {
            bytes.extend_from_slice(slice, GFP_KERNEL)?;
        }
        Ok(bytes)
    }

    fn copy_of(bytes: &[u8]) -> Result<KVVec<u8>> {
        let mut copy = KVVec::new();
        copy.extend_from_slice(bytes, GFP_KERNEL)?;
        Ok(copy)
    }

    #[test]
    fn sealing_from_pages_into_pages() {
        for len in [0, 1, 15, 242, 243, 244, 4096, 70_001, 300_001] {
            let src = pages_of(len).unwrap();
            let plain = bytes_of(&src).unwrap();
            let (mut head, mut dst) = ([5; 77], PageVec::alloc(len).unwrap());
            let (key, nonce, aad) = (CcmKey::new(&[9; 32]).unwrap(), [1; 11], [3; 32]);
            let tag = key
                .seal_behind(&nonce, &aad, &mut head, &src, &mut dst)
                .unwrap();
            let mut whole = copy_of(&head).unwrap();
            let body = bytes_of(&dst).unwrap();
            whole.extend_from_slice(&body, GFP_KERNEL).unwrap();
            let sealed = copy_of(&whole).unwrap();
            assert!(key.open(&nonce, &aad, &mut whole, &tag) == Ok(()));
            assert!(whole[..77] == [5; 77] && whole[77..] == plain[..]);
            let (total, mut out) = (77 + len, copy_of(&whole).unwrap());
            let made = key.seal(&nonce, &aad, total, whole.chunks(1000), out.chunks_mut(777));
            assert!(made == Ok(tag) && out[..] == sealed[..]);
            assert!(key.seal(&nonce, &aad, total + 1, [&whole[..]], [&mut out[..]]) == Err(EINVAL));
            // Put together from CBC and CTR, and with a head that ends within a block: the same.
            let halves = LongCcm::new(&[9; 32]).unwrap();
            let (mut head, mut own) = ([5; 77], pages_of(len).unwrap());
            let made = halves.seal_in_place(&nonce, &aad, &mut head, Some(&mut own));
            assert!(made == Ok(tag) && head == sealed[..77]);
            assert!(bytes_of(&own).unwrap()[..] == sealed[77..]);
            out = copy_of(&sealed).unwrap();
            assert!(halves.open(&nonce, &aad, &mut out, &tag) == Ok(()) && out[..] == whole[..]);
            assert!(halves.open(&nonce, &aad, &mut out, &tag) == Err(EBADMSG));
            assert!(key.open(&nonce, &aad, &mut whole, &tag) == Err(EBADMSG));
            let from = pages_with(&sealed).unwrap();
            assert!(key.open_from(&nonce, &aad, &from, &mut out, &tag) == Ok(()));
            assert!(out[..77] == [5; 77] && out[77..] == plain[..]);

            (head, dst) = ([5; 77], PageVec::alloc(len).unwrap());
            let (key, nonce) = (GcmKey::new(&[9; 32]).unwrap(), [1; 12]);
            let tag = key
                .seal_behind(&nonce, &aad, &mut head, &src, &mut dst)
                .unwrap();
            key.open(&nonce, &aad, &mut [], &tag).unwrap_err();
            let mut whole = KVVec::new();
            whole.extend_from_slice(&head, GFP_KERNEL).unwrap();
            whole
                .extend_from_slice(&bytes_of(&dst).unwrap(), GFP_KERNEL)
                .unwrap();
            let sealed = copy_of(&whole).unwrap();
            assert!(key.open(&nonce, &aad, &mut whole, &tag) == Ok(()));
            assert!(whole[..77] == [5; 77] && whole[77..] == plain[..]);
            // The library in pieces, and the pages in place, come to the same.
            let mut out = copy_of(&whole).unwrap();
            let made = key.seal(&nonce, [&aad], whole.chunks(1000), out.chunks_mut(777));
            assert!(made == Ok(tag) && out[..] == sealed[..]);
            let (mut head, mut own) = ([5; 77], pages_of(len).unwrap());
            let made = key.seal_in_place(&nonce, &aad, &mut head, Some(&mut own));
            assert!(made == Ok(tag) && head == sealed[..77]);
            assert!(bytes_of(&own).unwrap()[..] == sealed[77..]);
            let mut from = pages_with(&sealed).unwrap();
            assert!(key.open_from(&nonce, &aad, &from, &mut out, &tag) == Ok(()));
            assert!(out[..] == whole[..]);
            assert!(key.open_from(&nonce, &aad, &from, &mut out[1..], &tag) == Err(EINVAL));
            // The rest is there, from within a block on.
            from.truncate(len / 2 + 7);
            out = copy_of(&sealed).unwrap();
            out[..from.len()].fill(0);
            assert!(key.open_from(&nonce, &aad, &from, &mut out, &tag) == Ok(()));
            assert!(out[..] == whole[..]);
            // From a place within a block, too little, and something else.
            from.advance(7);
            assert!(key.open_from(&nonce, &aad, &from, &mut out, &tag) == Err(EBADMSG));
            out = copy_of(&sealed).unwrap();
            if let Some(last) = out.last_mut() {
                *last ^= 1;
            }
            let from = pages_with(&out).unwrap();
            assert!(key.open_from(&nonce, &aad, &from, &mut whole, &tag) == Err(EBADMSG));
            assert!(key.open(&nonce, &aad, &mut out, &tag) == Err(EBADMSG));
        }
    }

    #[test]
    fn a_pool_is_reused_and_bounded_and_trimmed() {
        let pool = BufferPool::new(1 << 20, c"ksmbd_test_small", c"ksmbd_test_medium").unwrap();
        let mut first = pool.get(100_000).unwrap();
        first.stretch(100_000).unwrap();
        first.as_mut_slice().fill(7);
        drop(first);
        let idle = pool.idle_bytes();
        assert!(idle >= 100_000);
        let mut again = pool.get(100_000).unwrap();
        assert!(again.is_empty() && pool.idle_bytes() == 0);
        again.stretch(50_000).unwrap();
        assert_eq!(again.len(), 50_000);
        drop(again);
        let both = (pool.get(900_000).unwrap(), pool.get(900_000).unwrap());
        drop(both);
        assert!(pool.idle_bytes() <= 1 << 20);
        pool.trim();
        pool.trim();
        assert_eq!(pool.idle_bytes(), 0);
    }

    #[test]
    fn comparison() {
        assert!(ct_eq(b"abc", b"abc") && !ct_eq(b"abc", b"abd") && !ct_eq(b"abc", b"ab"));
        assert!(Secret::<16>::from_slice(&[1; 15]).is_none());
    }
}
