// SPDX-License-Identifier: GPL-2.0

//! SPNEGO tokens.

mod bytes;

use bytes::{hex, write};
use proptest::prelude::*;
use smb_proto::spnego::*;
use smb_proto::wire::Malformed;

/// What Windows and cifs.ko send first: NTLMSSP alone, with an NTLMSSP NEGOTIATE_MESSAGE.
const INIT: &str = "
    60 48 06 06 2b 06 01 05 05 02 a0 3e 30 3c a0 0e 30 0c
    06 0a 2b 06 01 04 01 82 37 02 02 0a a2 2a 04 28
    4e 54 4c 4d 53 53 50 00 01 00 00 00 97 82 08 e2
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    0a 00 5a 29 00 00 00 0f";

/// What Windows answers to NEGOTIATE: NEGOEX, both Kerberos numbers, user to user, NTLMSSP, and the hint.
const INIT2: &str = "
    60 76 06 06 2b 06 01 05 05 02 a0 6c 30 6a a0 3c 30 3a
    06 0a 2b 06 01 04 01 82 37 02 02 1e
    06 09 2a 86 48 82 f7 12 01 02 02
    06 09 2a 86 48 86 f7 12 01 02 02
    06 0a 2a 86 48 86 f7 12 01 02 02 03
    06 0a 2b 06 01 04 01 82 37 02 02 0a
    a3 2a 30 28 a0 26 1b 24
    6e 6f 74 5f 64 65 66 69 6e 65 64 5f 69 6e 5f 52 46 43 34 31 37 38
    40 70 6c 65 61 73 65 5f 69 67 6e 6f 72 65";

/// A final answer with a MIC: accept-completed.
const DONE: &str = "
    a1 1b 30 19 a0 03 0a 01 00 a3 12 04 10
    01 00 00 00 11 22 33 44 55 66 77 88 00 00 00 00";

#[test]
fn first_token_of_a_client() {
    let bytes = hex(INIT);
    let Ok(Token::Init(token)) = Token::parse(&bytes) else {
        panic!("no NegTokenInit")
    };
    assert_eq!(token.mechs.first(), Some(Mech::Ntlmssp));
    assert_eq!(token.mechs.der(), hex("300c060a2b06010401823702020a"));
    assert!(token.mech_token.unwrap().starts_with(b"NTLMSSP\0"));
    assert_eq!(token.mech_list_mic, None);
    assert_eq!(write(|w| token.write(w)), bytes);
}

#[test]
fn first_token_of_a_server() {
    let bytes = hex(INIT2);
    let token = NegTokenInit::parse(&bytes).unwrap();
    let mechs: Vec<_> = token.mechs.mechs().map(Option::unwrap).collect();
    let expected = [
        Mech::NegoEx,
        Mech::MsKrb5,
        Mech::Krb5,
        Mech::Krb5UserToUser,
        Mech::Ntlmssp,
    ];
    assert_eq!(mechs, expected);
    assert_eq!(token.hint, Some(NEG_HINT));
    assert_eq!(write(|w| token.write(w)), bytes);
    assert_eq!(write(|w| write_init2(w, &expected)), bytes);
}

#[test]
fn answers() {
    let bytes = hex(DONE);
    let token = NegTokenResp::parse(&bytes).unwrap();
    assert_eq!(token.state, Some(NegState::Completed));
    assert_eq!(token.mech_list_mic.unwrap().len(), 16);
    assert_eq!(write(|w| token.write(w)), bytes);
    assert_eq!(Token::parse(&bytes), Ok(Token::Resp(token)));
    assert_eq!(
        hex("a1073005a0030a0102"),
        write(|w| {
            NegTokenResp {
                state: Some(NegState::Reject),
                ..NegTokenResp::default()
            }
            .write(w)
        })
    );
}

#[test]
fn bare_ntlmssp_is_told() {
    assert_eq!(
        Token::parse(b"NTLMSSP\0\x01\0\0\0"),
        Ok(Token::Ntlmssp(b"NTLMSSP\0\x01\0\0\0"))
    );
}

#[test]
fn long_lengths_are_minimal() {
    for len in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
        let ticket = vec![0x55; len];
        let token = NegTokenResp {
            response_token: Some(&ticket),
            ..NegTokenResp::default()
        };
        let bytes = write(|w| token.write(w));
        assert_eq!(NegTokenResp::parse(&bytes), Ok(token), "{len}");
        if len == 0x80 {
            assert_eq!(&bytes[..3], [0xA1, 0x81, 0x89]);
        }
    }
}

#[test]
fn odd_encodings_are_malformed() {
    for bad in [
        "",                                                      // nothing
        "60",                                                    // no length
        "6080",                                                  // indefinite
        "6085ffffffffff",                                        // too many length bytes
        "6084ffffffff",                                          // longer than the input
        "60 06 06 06 2b 06 01 05",                               // identifier cut short
        "60 08 06 06 2b 06 01 05 05 02",                         // no token
        "60 0e 06 06 2b 06 01 05 05 02 a0 04 30 02 a0 00",       // no list
        "60 10 06 06 2b 06 01 05 05 02 a0 06 30 04 a0 02 30 00", // empty list
        "a1 07 30 05 a0 03 0a 01 04",                            // unknown state
        "a1 07 30 05 a0 03 0a 01 00 00",                         // a byte too many
        "a1 08 30 05 a0 03 0a 01 00 00",                         // a byte too many inside
        "bf 07 30 05",                                           // tag of several bytes
    ] {
        let bytes = hex(bad);
        assert_eq!(Token::parse(&bytes), Err(Malformed), "{bad}");
    }
}

#[test]
fn truncations_are_malformed() {
    for bytes in [hex(INIT), hex(INIT2), hex(DONE)] {
        assert!((0..bytes.len()).all(|len| Token::parse(&bytes[..len]).is_err()));
    }
}

fn look_at(bytes: &[u8]) {
    match Token::parse(bytes) {
        Ok(Token::Init(token)) => {
            token.mechs.oids().for_each(drop);
            let again = write(|w| token.write(w));
            assert_eq!(NegTokenInit::parse(&again), Ok(token));
        }
        Ok(Token::Resp(token)) => {
            let again = write(|w| token.write(w));
            assert_eq!(NegTokenResp::parse(&again), Ok(token));
        }
        Ok(Token::Ntlmssp(_)) | Err(_) => {}
    }
}

proptest! {
    #[test]
    fn random_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        look_at(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = 0xA1;
            look_at(&bytes);
        }
    }

    #[test]
    fn flipped_bits(flips in proptest::collection::vec((any::<usize>(), 0u8..8), 1..5)) {
        for mut bytes in [hex(INIT), hex(INIT2), hex(DONE)] {
            for (at, bit) in &flips {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            look_at(&bytes);
        }
    }
}
