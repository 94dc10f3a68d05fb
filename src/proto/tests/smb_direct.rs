// SPDX-License-Identifier: GPL-2.0

//! SMB Direct, [MS-SMBD]: its examples (section 4), what is written parses, and what must be refused (3.1.5).

mod bytes;

use bytes::{hex, write};
use proptest::collection::vec;
use proptest::prelude::*;
use smb_proto::smb_direct::*;
use smb_proto::status::NtStatus;
use smb_proto::wire::{Full, Malformed, Writer};

const REQUEST: NegotiateRequest = NegotiateRequest {
    credits_requested: 10,
    preferred_send_size: 1024,
    max_receive_size: 1024,
    max_fragmented_size: 131_072,
};

const AGREEMENT: Agreement = Agreement {
    credits_requested: 10,
    credits_granted: 10,
    max_read_write_size: 1 << 20,
    preferred_send_size: 1024,
    max_receive_size: 1024,
    max_fragmented_size: 131_072,
};

/// `bytes` with others at `at`.
fn patched(bytes: &[u8], at: usize, other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + other.len()].copy_from_slice(other);
    bytes
}

#[test]
fn the_documents_negotiation() {
    // 4.1.
    let request = hex("0001 0001 0000 0a00 00040000 00040000 00000200");
    assert_eq!(write(|w| REQUEST.write(w)), request);
    assert_eq!(Offer::parse(&request), Ok(Offer::Version1(REQUEST)));
    let response =
        hex("0001 0001 0001 0000 0a00 0a00 00000000 00001000 00040000 00040000 00000200");
    let agreed = NegotiateResponse::Success(AGREEMENT);
    assert_eq!(write(|w| agreed.write(w)), response);
    assert_eq!(NegotiateResponse::parse(&response, 1024), Ok(agreed));
}

#[test]
fn requests_that_are_refused() {
    let good = write(|w| REQUEST.write(w));
    for end in 0..good.len() {
        assert_eq!(Offer::parse(&good[..end]), Err(Malformed), "{end} bytes");
    }
    for (at, other, why) in [
        (6, &[0, 0][..], "no credit"),
        (12, &[127, 0, 0, 0], "too small a message"),
        (16, &[0xff, 0xff, 1, 0], "too few bytes in fragments"),
    ] {
        assert_eq!(
            Offer::parse(&patched(&good, at, other)),
            Err(Malformed),
            "{why}"
        );
    }
    // What the sender would like to send is the receiver's to bound.
    assert!(Offer::parse(&patched(&good, 8, &[0; 4])).is_ok());
    // Reserved, and what follows.
    assert!(Offer::parse(&patched(&good, 4, &[1, 1])).is_ok());
    assert!(Offer::parse(&[&good[..], &[1]].concat()).is_ok());
    for (min, max) in [(0, 0xff), (0x101, 0x200), (0x200, 0x100), (0x100, 0)] {
        let versions = [u16::to_le_bytes(min), u16::to_le_bytes(max)].concat();
        let other = patched(&patched(&good, 0, &versions), 6, &[0, 0]);
        assert_eq!(Offer::parse(&other), Ok(Offer::OtherVersions { min, max }));
    }
    let range = patched(&good, 0, &[0, 0, 0, 2]);
    assert_eq!(Offer::parse(&range), Ok(Offer::Version1(REQUEST)));
}

#[test]
fn responses_that_are_refused() {
    let good = write(|w| NegotiateResponse::Success(AGREEMENT).write(w));
    let parse = |bytes: &[u8]| NegotiateResponse::parse(bytes, 1024);
    for end in 0..good.len() {
        assert_eq!(parse(&good[..end]), Err(Malformed), "{end} bytes");
    }
    for (at, other, why) in [
        (4, &[1, 1][..], "another version"),
        (8, &[0, 0], "no credit requested"),
        (10, &[0, 0], "no credit granted"),
        (20, &[1, 4, 0, 0], "more than is taken"),
        (24, &[127, 0, 0, 0], "too small a message"),
        (28, &[0xff, 0xff, 1, 0], "too few bytes in fragments"),
    ] {
        assert_eq!(parse(&patched(&good, at, other)), Err(Malformed), "{why}");
    }
    let failure = NegotiateResponse::Failure(NtStatus::NOT_SUPPORTED);
    let bytes = write(|w| failure.write(w));
    assert_eq!(bytes.len(), NegotiateResponse::LEN);
    assert_eq!(parse(&bytes), Ok(failure));
}

#[test]
fn transfers() {
    let message = DataTransfer {
        credits_requested: 10,
        credits_granted: 1,
        flags: TransferFlags::RESPONSE_REQUESTED,
        remaining_data_length: 7,
        data: b"data",
    };
    let good = write(|w| message.write(w));
    let want = hex("0a00 0100 0100 0000 07000000 18000000 04000000 00000000 64617461");
    assert_eq!(good, want);
    assert_eq!(DataTransfer::parse(&good, 11), Ok(message));
    assert_eq!(
        DataTransfer::parse(&good, 10),
        Err(Malformed),
        "more than is taken"
    );
    for end in 0..good.len() {
        assert_eq!(
            DataTransfer::parse(&good[..end], 11),
            Err(Malformed),
            "{end} bytes"
        );
    }
    for (at, other, why) in [
        (0, &[0, 0][..], "no credit requested"),
        (8, &[0xfc, 0xff, 0xff, 0xff], "lengths that wrap around"),
        (12, &[20], "not aligned"),
        (12, &[32], "beyond the end"),
        (12, &[16], "in the header"),
        (12, &[0], "in the header"),
        (12, &[0xf8, 0xff, 0xff, 0xff], "beyond everything"),
        (16, &[5], "longer than the message"),
        (16, &[0xff, 0xff, 0xff, 0xff], "longer than everything"),
    ] {
        assert_eq!(
            DataTransfer::parse(&patched(&good, at, other), u32::MAX),
            Err(Malformed),
            "{why}"
        );
    }
    // Reserved bytes, padding, and what follows the data.
    let other = patched(&patched(&good, 6, &[1, 1]), 20, &[1; 4]);
    assert_eq!(
        DataTransfer::parse(&[&other[..], b"more"].concat(), 11),
        Ok(message)
    );
    // Flags without a name are not an error.
    assert!(DataTransfer::parse(&patched(&good, 4, &[0xff, 0xff]), 11).is_ok());
    let empty = DataTransfer {
        data: &[],
        remaining_data_length: 0,
        ..message
    };
    let bytes = write(|w| empty.write(w));
    assert_eq!(bytes.len(), DataTransfer::HEADER_LEN);
    assert_eq!(DataTransfer::parse(&bytes, 0), Ok(empty));
    let unaligned = patched(&bytes, 12, &[4]);
    assert_eq!(
        DataTransfer::parse(&unaligned, 0),
        Err(Malformed),
        "not aligned, though empty"
    );
    assert_eq!(
        DataTransfer::parse(&patched(&bytes, 12, &[24]), 0),
        Err(Malformed),
        "beyond the end, though empty"
    );
}

#[test]
fn writers_report_full() {
    let message = DataTransfer {
        credits_requested: 1,
        credits_granted: 0,
        flags: TransferFlags::NONE,
        remaining_data_length: 0,
        data: b"12345",
    };
    for room in 0..29 {
        assert_eq!(
            message.write(&mut Writer::new(&mut vec![0; room])),
            Err(Full)
        );
    }
    assert!(message.write(&mut Writer::new(&mut [0; 29])).is_ok());
}

proptest! {
    #[test]
    fn negotiations(
        credits in (1u16.., 1u16..),
        sizes in any::<(u32, u32)>(),
        max_receive_size in MIN_RECEIVE_SIZE..,
        max_fragmented_size in MIN_FRAGMENTED_SIZE..,
        status in 1u32..,
    ) {
        let request = NegotiateRequest {
            credits_requested: credits.0,
            preferred_send_size: sizes.0,
            max_receive_size,
            max_fragmented_size,
        };
        prop_assert_eq!(Offer::parse(&write(|w| request.write(w))), Ok(Offer::Version1(request)));
        let agreed = NegotiateResponse::Success(Agreement {
            credits_requested: credits.0,
            credits_granted: credits.1,
            max_read_write_size: sizes.1,
            preferred_send_size: sizes.0,
            max_receive_size,
            max_fragmented_size,
        });
        let bytes = write(|w| agreed.write(w));
        prop_assert_eq!(NegotiateResponse::parse(&bytes, sizes.0), Ok(agreed));
        let failed = NegotiateResponse::Failure(NtStatus(status));
        prop_assert_eq!(NegotiateResponse::parse(&write(|w| failed.write(w)), 0), Ok(failed));
    }

    #[test]
    fn transfers_of_any_data(fields in any::<(u16, u16, u32)>(), credits_requested in 1u16.., data in vec(any::<u8>(), 0..300)) {
        let message = DataTransfer {
            credits_requested,
            credits_granted: fields.0,
            flags: TransferFlags::from_bits(fields.1),
            remaining_data_length: fields.2,
            data: &data,
        };
        let bytes = write(|w| message.write(w));
        let whole = u32::try_from(data.len()).expect("short").checked_add(fields.2);
        prop_assert_eq!(DataTransfer::parse(&bytes, u32::MAX).ok(), whole.map(|_| message));
        if let Some(less) = whole.and_then(|whole| whole.checked_sub(1)) {
            prop_assert_eq!(DataTransfer::parse(&bytes, less), Err(Malformed));
        }
    }

    #[test]
    fn descriptors(list in vec(any::<(u64, u32, u32)>(), 1..20), cut in 1usize..16) {
        let list: Vec<_> = list
            .into_iter()
            .map(|(offset, token, length)| BufferDescriptor { offset, token, length })
            .collect();
        let bytes = write(|w| BufferDescriptors::write(w, &list));
        let parsed = BufferDescriptors::parse(&bytes).expect("whole ones");
        let total: u64 = list.iter().map(|descriptor| u64::from(descriptor.length)).sum();
        prop_assert_eq!(parsed.total_len(), total);
        prop_assert!(parsed.eq(list));
        prop_assert_eq!(BufferDescriptors::parse(&bytes[cut..]).err(), Some(Malformed));
        prop_assert_eq!(BufferDescriptors::parse(&[]).err(), Some(Malformed));
    }

    #[test]
    fn random_messages_are_harmless(bytes in vec(any::<u8>(), 0..60), max in any::<u32>()) {
        let _ = Offer::parse(&bytes);
        let _ = NegotiateResponse::parse(&bytes, max);
        let _ = DataTransfer::parse(&bytes, max);
        let _ = BufferDescriptors::parse(&bytes);
    }
}
