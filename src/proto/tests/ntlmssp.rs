// SPDX-License-Identifier: GPL-2.0

//! NTLMSSP against the examples of [MS-NLMP] 4.2, and against hostile bytes.

mod bytes;

use bytes::{hex, write};
use proptest::prelude::*;
use smb_proto::ntlmssp::*;
use smb_proto::time::FileTime;
use smb_proto::unicode::{Text, Utf16};
use smb_proto::wire::{Malformed, Writer};

/// CHALLENGE_MESSAGE of 4.2.4.3.
const CHALLENGE: &str = "
    4e 54 4c 4d 53 53 50 00 02 00 00 00 0c 00 0c 00
    38 00 00 00 33 82 8a e2 01 23 45 67 89 ab cd ef
    00 00 00 00 00 00 00 00 24 00 24 00 44 00 00 00
    06 00 70 17 00 00 00 0f 53 00 65 00 72 00 76 00
    65 00 72 00 02 00 0c 00 44 00 6f 00 6d 00 61 00
    69 00 6e 00 01 00 0c 00 53 00 65 00 72 00 76 00
    65 00 72 00 00 00 00 00";

/// AUTHENTICATE_MESSAGE of 4.2.4.3.
const AUTHENTICATE: &str = "
    4e 54 4c 4d 53 53 50 00 03 00 00 00 18 00 18 00
    6c 00 00 00 54 00 54 00 84 00 00 00 0c 00 0c 00
    48 00 00 00 08 00 08 00 54 00 00 00 10 00 10 00
    5c 00 00 00 10 00 10 00 d8 00 00 00 35 82 88 e2
    05 01 28 0a 00 00 00 0f 44 00 6f 00 6d 00 61 00
    69 00 6e 00 55 00 73 00 65 00 72 00 43 00 4f 00
    4d 00 50 00 55 00 54 00 45 00 52 00 86 c3 50 97
    ac 9c ec 10 25 54 76 4a 57 cc cc 19 aa aa aa aa
    aa aa aa aa 68 cd 0a b8 51 e5 1c 96 aa bc 92 7b
    eb ef 6a 1c 01 01 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 aa aa aa aa aa aa aa aa 00 00 00 00
    02 00 0c 00 44 00 6f 00 6d 00 61 00 69 00 6e 00
    01 00 0c 00 53 00 65 00 72 00 76 00 65 00 72 00
    00 00 00 00 00 00 00 00 c5 da d2 54 4f c9 79 90
    94 ce 1c e9 0b c9 d0 3e";

#[test]
fn challenge_of_the_document() {
    let bytes = hex(CHALLENGE);
    let challenge = Challenge::parse(&bytes).unwrap();
    assert_eq!(
        challenge.server_challenge,
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]
    );
    assert!(challenge.target_name.eq_str("Server"));
    assert_eq!(challenge.version, Some(Version::new(6, 0, 6000)));
    let pairs = challenge.target_info;
    assert!(pairs
        .text(AvId::NB_DOMAIN_NAME)
        .unwrap()
        .unwrap()
        .eq_str("Domain"));
    assert!(pairs
        .text(AvId::NB_COMPUTER_NAME)
        .unwrap()
        .unwrap()
        .eq_str("Server"));
    assert_eq!(pairs.get(AvId::TIMESTAMP), None);
    assert_eq!(write(|w| challenge.write(w)), bytes);

    let list = write(|w| {
        let mut pairs = AvWriter::new(w);
        pairs.text(AvId::NB_DOMAIN_NAME, "Domain")?;
        pairs.text(AvId::NB_COMPUTER_NAME, "Server")?;
        pairs.end()
    });
    assert_eq!(list, pairs.bytes());
}

#[test]
fn authenticate_of_the_document() {
    let bytes = hex(AUTHENTICATE);
    let message = Authenticate::parse(&bytes).unwrap();
    assert!(message.domain.eq_str("Domain"));
    assert!(message.user.eq_str("User"));
    assert!(message.workstation.eq_str("COMPUTER"));
    assert_eq!(message.version, Some(Version::new(5, 1, 2600)));
    assert_eq!(message.mic, None);
    assert_eq!(
        message.session_key,
        hex("c5dad2544fc979909 4ce1ce90bc9d03e")
    );
    assert!(!message.is_anonymous());
    let NtResponse::V2(response) = message.nt_response else {
        panic!("not NTLMv2")
    };
    assert_eq!(
        response.proof.to_vec(),
        hex("68cd0ab851e51c96aabc927bebef6a1c")
    );
    assert_eq!(response.client_challenge, [0xAA; 8]);
    assert_eq!(response.time, FileTime::ZERO);
    assert_eq!(response.blob.len(), 0x54 - 16);
    assert!(response
        .pairs
        .text(AvId::NB_COMPUTER_NAME)
        .unwrap()
        .unwrap()
        .eq_str("Server"));
    assert_eq!(write(|w| message.write(w)), bytes);

    let blob = write(|w| {
        NtlmV2Response::write_blob(
            w,
            response.time,
            &response.client_challenge,
            &response.pairs,
        )
    });
    assert_eq!(blob, response.blob);
}

/// An AUTHENTICATE_MESSAGE whose pairs say that it has an MIC.
fn with_mic() -> Vec<u8> {
    let list = write(|w| {
        let mut pairs = AvWriter::new(w);
        pairs.text(AvId::NB_COMPUTER_NAME, "SRV")?;
        pairs.timestamp(FileTime(77))?;
        pairs.flags(AvFlags::MIC)?;
        pairs.pair(AvId::CHANNEL_BINDINGS, &[9; 16])?;
        pairs.end()
    });
    let pairs = AvPairs::parse(&list).unwrap();
    let mut response = vec![5; 16];
    response.extend(write(|w| {
        NtlmV2Response::write_blob(w, FileTime(77), &[3; 8], &pairs)
    }));
    let message = Authenticate {
        lm_response: &[0; 24],
        nt_response: NtResponse::parse(&response).unwrap(),
        domain: Text::Str("DOM"),
        user: Text::Str("üser"),
        workstation: Text::Str("WS"),
        session_key: &[8; 16],
        flags: NegotiateFlags::UNICODE | NegotiateFlags::VERSION,
        version: Some(Version::new(10, 0, 20348)),
        mic: Some([0xEE; 16]),
    };
    let bytes = write(|w| message.write(w));
    let back = Authenticate::parse(&bytes).unwrap();
    assert_eq!(back, message);
    bytes
}

#[test]
fn mic_has_its_place() {
    let bytes = with_mic();
    let message = Authenticate::parse(&bytes).unwrap();
    assert_eq!(message.mic, Some([0xEE; 16]));
    let NtResponse::V2(response) = message.nt_response else {
        panic!("not NTLMv2")
    };
    assert_eq!(response.pairs.timestamp(), Ok(Some(FileTime(77))));
    assert_eq!(response.pairs.channel_bindings(), Ok(Some([9; 16])));
    let (before, after) = Authenticate::mic_cover(&bytes).unwrap();
    assert_eq!(before.len(), MIC_OFFSET);
    assert_eq!([before, &[0xEE; 16], after].concat(), bytes);
}

#[test]
fn payload_may_not_lie_over_an_announced_mic() {
    let mut bytes = with_mic();
    // Length and offset of the user name: into the MIC.
    bytes[36..44].copy_from_slice(&[8, 0, 8, 0, 72, 0, 0, 0]);
    assert_eq!(Authenticate::parse(&bytes), Err(Malformed));
}

#[test]
fn lengths_and_offsets_outside_are_malformed() {
    for field in [12, 20, 28, 36, 44, 52] {
        for value in [0xFFFF_FFFFu32, 0xFFFF_FFF0, 231, 0x8000_0000, 0] {
            let mut bytes = hex(AUTHENTICATE);
            bytes[field + 4..field + 8].copy_from_slice(&value.to_le_bytes());
            assert_eq!(
                Authenticate::parse(&bytes),
                Err(Malformed),
                "{field} {value:#x}"
            );
        }
        let mut bytes = hex(AUTHENTICATE);
        bytes[field..field + 2].copy_from_slice(&0xFFFFu16.to_le_bytes());
        assert_eq!(Authenticate::parse(&bytes), Err(Malformed), "{field}");
    }
}

#[test]
fn negotiate_round_trips_and_may_be_short() {
    let message = Negotiate {
        flags: NegotiateFlags::UNICODE
            | NegotiateFlags::OEM_DOMAIN_SUPPLIED
            | NegotiateFlags::OEM_WORKSTATION_SUPPLIED
            | NegotiateFlags::VERSION,
        domain: Text::Str("DOM"),
        workstation: Text::Str("WS"),
        version: Some(Version::new(6, 1, 7601)),
    };
    let bytes = write(|w| message.write(w));
    assert_eq!(Negotiate::parse(&bytes), Ok(message));
    // As smbclient and cifs.ko send it: no version, no names.
    let short = hex("4e544c4d53535000 01000000 15820862 0000000000000000 0000000000000000");
    assert!(
        Negotiate::parse(&short[..]).is_err(),
        "VERSION is set here, and the field is missing"
    );
    let short = hex("4e544c4d53535000 01000000 15820860 0000000000000000 0000000000000000");
    assert_eq!(Negotiate::parse(&short).unwrap().flags.bits(), 0x6008_8215);
}

#[test]
fn anonymous_is_told() {
    let message = Authenticate {
        lm_response: &[0],
        nt_response: NtResponse::Empty,
        domain: Text::EMPTY,
        user: Text::EMPTY,
        workstation: Text::Str("WS"),
        session_key: &[],
        flags: NegotiateFlags::UNICODE | NegotiateFlags::ANONYMOUS,
        version: None,
        mic: None,
    };
    let bytes = write(|w| message.write(w));
    let back = Authenticate::parse(&bytes).unwrap();
    assert_eq!(back, message);
    assert!(back.is_anonymous());
}

#[test]
fn pairs_need_their_terminator() {
    assert_eq!(AvPairs::parse(&[]), Err(Malformed));
    assert_eq!(AvPairs::parse(&[1, 0, 2, 0, b'a', 0]), Err(Malformed));
    assert_eq!(
        AvPairs::parse(&[1, 0, 0xFF, 0xFF, 0, 0, 0, 0]),
        Err(Malformed)
    );
    let pairs = AvPairs::parse(&[6, 0, 2, 0, 2, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(pairs.flags(), Err(Malformed), "flags have four bytes");
}

fn look_at(bytes: &[u8]) {
    let _ = Negotiate::parse(bytes);
    if let Ok(challenge) = Challenge::parse(bytes) {
        challenge.target_info.iter().for_each(drop);
    }
    if let Ok(message) = Authenticate::parse(bytes) {
        let _ = message.user.to_utf8(&mut Writer::new(&mut [0; 64]));
        if message.mic.is_some() {
            Authenticate::mic_cover(bytes).unwrap();
        }
        // Whatever parses can be written, and means the same again.
        let again = write(|w| message.write(w));
        assert_eq!(
            Authenticate::parse(&again).map(|m| m.nt_response),
            Ok(message.nt_response)
        );
    }
    let _ = Utf16::new(bytes);
}

proptest! {
    #[test]
    fn random_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1u8..4) {
        look_at(&bytes);
        if bytes.len() >= 12 {
            bytes[..8].copy_from_slice(SIGNATURE);
            bytes[8..12].copy_from_slice(&[kind, 0, 0, 0]);
            look_at(&bytes);
        }
    }

    #[test]
    fn flipped_bits_and_truncations(flips in proptest::collection::vec((any::<usize>(), 0u8..8), 1..6), cut in any::<usize>()) {
        for mut bytes in [hex(CHALLENGE), hex(AUTHENTICATE), with_mic()] {
            for (at, bit) in &flips {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            look_at(&bytes);
            bytes.truncate(cut % bytes.len());
            look_at(&bytes);
        }
    }
}

#[test]
fn every_truncation_is_malformed_or_loses_nothing_fixed() {
    for bytes in [hex(CHALLENGE), hex(AUTHENTICATE), with_mic()] {
        for len in 0..bytes.len() {
            look_at(&bytes[..len]);
        }
    }
    let bytes = hex(AUTHENTICATE);
    assert!((0..bytes.len()).all(|len| Authenticate::parse(&bytes[..len]).is_err()));
}
