// SPDX-License-Identifier: GPL-2.0

//! Buffers of FSCTLs: copy, interfaces, snapshots, reparse points and the rest.

mod bytes;

use bytes::{utf16, write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use smb_proto::copy::*;
use smb_proto::fsctl::*;
use smb_proto::layout::Fixed;
use smb_proto::network::{self, Interface, InterfaceCaps};
use smb_proto::reparse::*;
use smb_proto::snapshot::{SnapshotArray, SnapshotTime};
use smb_proto::unicode::{Text, Utf16};
use smb_proto::wire::{Full, Malformed, Writer};

#[test]
fn sizes() {
    assert_eq!(ValidateNegotiateReply::SIZE, 24);
    assert_eq!(ZeroData::SIZE, 16);
    assert_eq!(AllocatedRange::SIZE, 16);
    assert_eq!(Compression::SIZE, 2);
    assert_eq!(Integrity::SIZE, 16);
    assert_eq!(SetIntegrity::SIZE, 8);
    assert_eq!(DuplicateExtents::SIZE, 40);
    assert_eq!(OffloadRead::SIZE, 32);
    assert_eq!(Resiliency::SIZE, 8);
    assert_eq!(PipePeek::SIZE, 16);
    assert_eq!(ObjectId::SIZE, 64);
    assert_eq!(ResumeKey::SIZE, 32);
    assert_eq!(Chunk::SIZE, 24);
    assert_eq!(CopyReply::SIZE, 12);
}

#[test]
fn codes_say_their_names() {
    assert_eq!(Fsctl(0x0014_0204), Fsctl::VALIDATE_NEGOTIATE_INFO);
    assert_eq!(Fsctl::PIPE_TRANSCEIVE.0, 0x0011_C017);
    assert_eq!(Fsctl(1).name(), None);
}

#[test]
fn negotiate_information() {
    let dialects = [0x0210, 0x0300, 0x0302, 0x0311];
    let bytes = write(|w| ValidateNegotiate::write(w, 0x7F, &[5; 16], 1, &dialects));
    assert_eq!(bytes.len(), 24 + 8);
    let info = ValidateNegotiate::parse(&bytes).unwrap();
    assert_eq!(
        (info.capabilities, info.guid, info.security_mode),
        (0x7F, [5; 16], 1)
    );
    assert!(info.dialects().eq(dialects));
    assert!((0..bytes.len()).all(|len| ValidateNegotiate::parse(&bytes[..len]).is_err()));
}

#[test]
fn ranges() {
    assert_eq!(
        ZeroData {
            offset: 1,
            beyond: 5
        }
        .range(),
        Some((1, 5))
    );
    assert_eq!(
        ZeroData {
            offset: 5,
            beyond: 1
        }
        .range(),
        None
    );
    assert_eq!(
        ZeroData {
            offset: -1,
            beyond: 1
        }
        .range(),
        None
    );
    assert_eq!(
        AllocatedRange {
            offset: 10,
            length: 5
        }
        .range(),
        Some((10, 15))
    );
    assert_eq!(
        AllocatedRange {
            offset: i64::MAX,
            length: 1
        }
        .range(),
        None
    );
    assert_eq!(
        AllocatedRange {
            offset: 3,
            length: -1
        }
        .range(),
        None
    );
    assert_eq!(
        AllocatedRange {
            offset: -3,
            length: 5
        }
        .range(),
        None
    );
    let list = [
        AllocatedRange {
            offset: 0,
            length: 1,
        },
        AllocatedRange {
            offset: 8,
            length: 2,
        },
    ];
    let bytes = write(|w| list.iter().try_for_each(|range| range.write(w)));
    assert!(AllocatedRange::list(&bytes).eq(list));
    assert!(parse_set_sparse(&[]) && parse_set_sparse(&[1]) && !parse_set_sparse(&[0]));
}

#[test]
fn copy_requests() {
    let chunks = [
        Chunk {
            source_offset: 0,
            target_offset: 9,
            length: 100,
        },
        Chunk {
            source_offset: u64::MAX,
            target_offset: 1,
            length: u32::MAX,
        },
    ];
    let bytes = write(|w| CopyRequest::write(w, &[3; 24], &chunks));
    assert_eq!(bytes.len(), 32 + 48);
    let copy = CopyRequest::parse(&bytes).unwrap();
    assert_eq!((copy.key, copy.len()), ([3; 24], 2));
    assert!(copy.chunks().eq(chunks));
    assert!((0..bytes.len()).all(|len| CopyRequest::parse(&bytes[..len]).is_err()));
    let mut many = bytes.clone();
    many[24..28].copy_from_slice(&[0xFF; 4]);
    assert_eq!(CopyRequest::parse(&many), Err(Malformed));
}

#[test]
fn duplicate_extents() {
    let extents = DuplicateExtents {
        source_persistent: 1,
        source_volatile: 2,
        source_offset: 3,
        target_offset: 4,
        length: 5,
    };
    let ex = DuplicateExtentsEx {
        extents,
        flags: DuplicateFlags::SOURCE_ATOMIC,
    };
    let bytes = write(|w| ex.write(w));
    assert_eq!((bytes.len(), bytes[0]), (56, 0x30));
    assert_eq!(DuplicateExtentsEx::parse(&bytes), Ok(ex));
    assert_eq!(DuplicateExtents::parse(&bytes[8..]), Ok(extents));
}

#[test]
fn trims() {
    let ranges = [
        TrimRange {
            offset: 1,
            length: 2,
        },
        TrimRange {
            offset: 3,
            length: 4,
        },
    ];
    let bytes = write(|w| FileTrim::write(w, &ranges));
    assert!(FileTrim::parse(&bytes).unwrap().ranges().eq(ranges));
    assert!((0..bytes.len()).all(|len| FileTrim::parse(&bytes[..len]).is_err()));
    let mut bad = bytes.clone();
    bad[0] = 1;
    assert_eq!(FileTrim::parse(&bad), Err(Malformed), "key");
    let mut bad = bytes;
    bad[4..8].copy_from_slice(&[0xFF; 4]);
    assert_eq!(FileTrim::parse(&bad), Err(Malformed), "count");
}

#[test]
fn pipe_wait() {
    for timeout in [None, Some(-50_000)] {
        let wait = PipeWait {
            timeout,
            name: Text::Str("srvsvc"),
        };
        let bytes = write(|w| wait.write(w));
        assert_eq!(bytes.len(), 14 + 12);
        assert_eq!(PipeWait::parse(&bytes), Ok(wait));
        assert!((0..bytes.len()).all(|len| PipeWait::parse(&bytes[..len]).is_err()));
    }
}

#[test]
fn interfaces() {
    let interfaces = [
        Interface {
            index: 2,
            capabilities: InterfaceCaps::RSS,
            link_speed: 1_000_000_000,
            address: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2)),
        },
        Interface {
            index: 2,
            capabilities: InterfaceCaps::RDMA,
            link_speed: 7,
            address: IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1)),
        },
    ];
    let bytes = write(|w| {
        let mut list = network::list(w, 1000);
        interfaces
            .iter()
            .try_for_each(|interface| interface.write(&mut list, w))
    });
    assert_eq!(bytes.len(), 2 * Interface::SIZE);
    assert_eq!(&bytes[..4], [152, 0, 0, 0]);
    assert_eq!(&bytes[24..32], [2, 0, 0, 0, 192, 168, 1, 2]);
    assert_eq!(
        &bytes[152 + 24..152 + 36],
        [0x17, 0, 0, 0, 0, 0, 0, 0, 0xFE, 0x80, 0, 0]
    );
    assert!(Interface::list(&bytes).map(Result::unwrap).eq(interfaces));
    for len in 1..bytes.len() {
        assert_eq!(
            Interface::list(&bytes[..len]).last(),
            Some(Err(Malformed)),
            "{len}"
        );
    }
    let mut small = vec![0; 200];
    let mut w = Writer::new(&mut small);
    let mut list = network::list(&w, 200);
    interfaces[0].write(&mut list, &mut w).unwrap();
    assert_eq!(interfaces[1].write(&mut list, &mut w), Err(Full));
    assert_eq!((w.len(), w.written()[0]), (152, 0));
}

#[test]
fn known_tokens() {
    for (seconds, token) in [
        (0, "@GMT-1970.01.01-00.00.00"),
        (951_827_696, "@GMT-2000.02.29-12.34.56"),
        (-1, "@GMT-1969.12.31-23.59.59"),
        (253_402_300_799, "@GMT-9999.12.31-23.59.59"),
        (-62_167_219_200, "@GMT-0000.01.01-00.00.00"),
        (1_709_164_800, "@GMT-2024.02.29-00.00.00"),
    ] {
        let time = SnapshotTime::from_unix(seconds).unwrap();
        assert_eq!(std::str::from_utf8(&time.token()), Ok(token));
        assert_eq!(SnapshotTime::from_token(token.as_bytes()), Ok(time));
        assert_eq!(
            SnapshotTime::from_component(Utf16(&utf16(token))),
            Some(time)
        );
    }
    assert_eq!(SnapshotTime::from_unix(253_402_300_800), None);
    assert_eq!(SnapshotTime::from_unix(i64::MIN), None);
    for bad in [
        "",
        "@GMT-1970.01.01-00.00.0",
        "@GMT-1970.01.01-00.00.000",
        "@GMT-1970.13.01-00.00.00",
        "@GMT-1970.00.01-00.00.00",
        "@GMT-2023.02.29-00.00.00",
        "@GMT-1970.01.00-00.00.00",
        "@GMT-1970.01.01-24.00.00",
        "@GMT-1970.01.01-00.60.00",
        "@GMT-197x.01.01-00.00.00",
        "@gmt-1970.01.01-00.00.00",
        "@GMT-1900.02.29-00.00.00",
    ] {
        assert_eq!(
            SnapshotTime::from_token(bad.as_bytes()),
            Err(Malformed),
            "{bad}"
        );
        assert_eq!(
            SnapshotTime::from_component(Utf16(&utf16(bad))),
            None,
            "{bad}"
        );
    }
}

#[test]
fn snapshot_lists() {
    let times: Vec<_> = [100, 200]
        .into_iter()
        .map(|s| SnapshotTime::from_unix(s).unwrap())
        .collect();
    let bytes = write(|w| SnapshotArray::write(w, 1000, times.iter().copied()));
    assert_eq!(bytes.len(), 12 + 102);
    let array = SnapshotArray::parse(&bytes).unwrap();
    assert_eq!((array.total, array.returned, array.needed), (2, 2, 102));
    assert!(array.iter().map(Result::unwrap).eq(times.iter().copied()));

    // Room for the numbers only: what a client asks with first.
    let bytes = write(|w| SnapshotArray::write(w, 16, times.iter().copied()));
    let array = SnapshotArray::parse(&bytes).unwrap();
    assert_eq!(
        (array.total, array.returned, array.needed, bytes.len()),
        (2, 0, 102, 16)
    );
    assert_eq!(array.iter().count(), 0);
    let bytes = write(|w| SnapshotArray::write(w, 16, std::iter::empty()));
    assert_eq!(SnapshotArray::parse(&bytes).unwrap().total, 0);
    assert_eq!(
        SnapshotArray::write(&mut Writer::new(&mut [0; 64]), 11, std::iter::empty()),
        Err(Full)
    );
}

#[test]
fn reparse_points_round_trip() {
    let substitute = Text::Str("\\??\\C:\\dir");
    let print = Text::Str("C:\\dir");
    for data in [
        ReparseData::Symlink {
            substitute,
            print,
            flags: SymlinkFlags::RELATIVE,
        },
        ReparseData::MountPoint { substitute, print },
        ReparseData::NfsSymlink(Text::Str("../target")),
        ReparseData::NfsDevice {
            kind: NfsType::BLK,
            major: 8,
            minor: 1,
        },
        ReparseData::NfsSpecial(NfsType::FIFO),
        ReparseData::LxSymlink("ziel/ä".as_bytes()),
        ReparseData::Other(smb_proto::file_info::ReparseTag::AF_UNIX, &[]),
        ReparseData::ThirdParty(smb_proto::file_info::ReparseTag(0x1234), [7; 16], b"data"),
    ] {
        let bytes = write(|w| data.write(w));
        assert_eq!(ReparseData::parse(&bytes), Ok(data));
        assert!((0..bytes.len()).all(|len| ReparseData::parse(&bytes[..len]).is_err()));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(ReparseData::parse(&longer), Err(Malformed));
    }
}

#[test]
fn reparse_names_stay_inside() {
    let data = ReparseData::Symlink {
        substitute: Text::Str("ab"),
        print: Text::Str("ab"),
        flags: SymlinkFlags::NONE,
    };
    let bytes = write(|w| data.write(w));
    assert_eq!(
        &bytes[..20],
        [0x0C, 0, 0, 0xA0, 20, 0, 0, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0, 0, 0]
    );
    for (at, value) in [(8, 6), (10, 10), (10, 3), (12, 6), (14, 0xFE)] {
        let mut bad = bytes.clone();
        bad[at] = value;
        assert_eq!(ReparseData::parse(&bad), Err(Malformed), "{at} {value}");
    }
}

proptest! {
    #[test]
    fn tokens_round_trip(seconds in -62_167_219_200i64..=253_402_300_799) {
        let time = SnapshotTime::from_unix(seconds).unwrap();
        prop_assert_eq!(SnapshotTime::from_token(&time.token()), Ok(time));
    }

    #[test]
    fn random_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), tag in 0usize..6) {
        let _ = ValidateNegotiate::parse(&bytes).map(|info| info.dialects().count());
        let _ = CopyRequest::parse(&bytes).map(|copy| copy.chunks().count());
        let _ = DuplicateExtentsEx::parse(&bytes);
        let _ = FileTrim::parse(&bytes).map(|trim| trim.ranges().count());
        let _ = PipeWait::parse(&bytes);
        let _ = ZeroData::parse(&bytes).map(|zero| zero.range());
        prop_assert!(AllocatedRange::list(&bytes).filter_map(|range| range.range()).all(|(a, b)| a <= b));
        Interface::list(&bytes).for_each(drop);
        let _ = SnapshotArray::parse(&bytes).map(|array| array.iter().count());
        let _ = SnapshotTime::from_token(&bytes);
        let _ = ReparseData::parse(&bytes);
        if bytes.len() >= 8 {
            let tags = [0xA000_000Cu32, 0xA000_0003, 0x8000_0014, 0xA000_001D, 0x8000_0023, 0x1234];
            let len = u16::try_from(bytes.len() - 8).unwrap();
            bytes[..4].copy_from_slice(&tags[tag].to_le_bytes());
            bytes[4..6].copy_from_slice(&len.to_le_bytes());
            if let Ok(data) = ReparseData::parse(&bytes) {
                let again = write(|w| data.write(w));
                prop_assert_eq!(ReparseData::parse(&again), Ok(data));
            }
        }
    }
}

#[test]
fn compression_state_has_two_bytes() {
    let mut r = smb_proto::wire::Reader::new(&[2, 0]);
    assert_eq!(Compression::take(&mut r), Ok(Compression { format: 2 }));
    assert_eq!(Compression::parse(&[2]), Err(Malformed));
}
