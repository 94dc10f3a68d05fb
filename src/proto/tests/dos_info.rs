// SPDX-License-Identifier: GPL-2.0

//! `user.DOSATTRIB` as Samba and the C module wrote it.

use proptest::prelude::*;
use smb_proto::dos_info::{DosInfo, WRITTEN_LEN};
use smb_proto::time::FileTime;
use smb_proto::wire::{Malformed, Writer};

const CREATED: u64 = 0x01D9_2B2B_5D6E_7F80;

fn info(attributes: u32, creation: u64) -> DosInfo {
    DosInfo {
        attributes: Some(attributes),
        creation: Some(FileTime(creation)),
    }
}

/// The head of a value: string, padding, version, discriminant, padding.
fn head(text: &str, version: u16) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    while bytes.len() % 2 != 0 {
        bytes.push(0);
    }
    bytes.extend(version.to_le_bytes());
    bytes.extend(version.to_le_bytes());
    while bytes.len() % 4 != 0 {
        bytes.push(0);
    }
    bytes
}

#[test]
fn version_4_is_written_byte_for_byte() {
    let mut bytes = [0xAA; WRITTEN_LEN];
    let mut w = Writer::new(&mut bytes);
    info(0x21, CREATED).write(&mut w).unwrap();
    assert_eq!(w.len(), WRITTEN_LEN);
    let mut expected = vec![0, 0, 4, 0, 4, 0, 0, 0, 0x51, 0, 0, 0, 0x21, 0, 0, 0];
    expected.extend(CREATED.to_le_bytes());
    expected.extend(CREATED.to_le_bytes());
    assert_eq!(bytes.to_vec(), expected);
    assert_eq!(DosInfo::parse(&bytes), Ok(info(0x21, CREATED)));
}

#[test]
fn older_and_newer_versions_are_read() {
    for text in ["0x20", "0x2020", ""] {
        let mut v3 = head(text, 3);
        v3.extend(0x11u32.to_le_bytes());
        v3.extend(0x20u32.to_le_bytes());
        v3.extend([0; 20]);
        v3.extend(CREATED.to_le_bytes());
        v3.extend([0; 8]);
        assert_eq!(DosInfo::parse(&v3), Ok(info(0x20, CREATED)), "{text}");
    }
    let mut v5 = head("", 5);
    v5.extend(0x11u32.to_le_bytes());
    v5.extend(0x2u32.to_le_bytes());
    v5.extend(CREATED.to_le_bytes());
    assert_eq!(DosInfo::parse(&v5), Ok(info(2, CREATED)));
    let mut v1 = head("0x22", 1);
    v1.extend(0x22u32.to_le_bytes());
    v1.extend([0; 36]);
    let only = DosInfo {
        attributes: Some(0x22),
        creation: None,
    };
    assert_eq!(DosInfo::parse(&v1), Ok(only));
    assert_eq!(DosInfo::parse(b"0x22"), Ok(only), "a bare number");
    assert_eq!(DosInfo::parse(b"0x22\0"), Ok(only), "with its end");
}

#[test]
fn flags_say_what_there_is() {
    let mut bytes = head("", 4);
    bytes.extend(0x01u32.to_le_bytes());
    bytes.extend(0x20u32.to_le_bytes());
    bytes.extend([7; 16]);
    let parsed = DosInfo::parse(&bytes).unwrap();
    assert_eq!((parsed.attributes, parsed.creation), (Some(0x20), None));
}

#[test]
fn nonsense_is_malformed() {
    let mut cut = head("", 4);
    cut.extend([0; 20]);
    let mut mixed = head("", 4);
    mixed[4] = 3;
    mixed.extend([0; 24]);
    for bytes in [
        &b""[..],
        b"\0",
        b"20",
        b"0x",
        b"0x123456789",
        b"0xg",
        &head("", 6),
        &cut,
        &mixed,
    ] {
        assert_eq!(DosInfo::parse(bytes), Err(Malformed), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = DosInfo::parse(&bytes);
    }

    #[test]
    fn what_is_written_is_read(attributes: Option<u32>, creation: Option<u64>) {
        let written = DosInfo { attributes, creation: creation.map(FileTime) };
        let mut bytes = [0; WRITTEN_LEN];
        written.write(&mut Writer::new(&mut bytes)).unwrap();
        prop_assert_eq!(DosInfo::parse(&bytes), Ok(written));
    }
}
