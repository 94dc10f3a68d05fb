// SPDX-License-Identifier: GPL-2.0

//! SIDs, access control lists and security descriptors.

mod bytes;

use bytes::write;
use proptest::prelude::*;
use smb_proto::security::*;
use smb_proto::wire::{Full, Malformed, Writer};

/// S-1-5-32-544 as every Windows writes it.
const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

#[test]
fn known_sids() {
    assert_eq!(Sid::parse(&ADMINISTRATORS), Ok(Sid::BUILTIN_ADMINISTRATORS));
    assert_eq!(
        write(|w| Sid::BUILTIN_ADMINISTRATORS.write(w)),
        ADMINISTRATORS
    );
    assert_eq!(
        write(|w| Sid::EVERYONE.write(w)),
        [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    );
    for (sid, text) in [
        (Sid::NULL, "S-1-0-0"),
        (Sid::EVERYONE, "S-1-1-0"),
        (Sid::CREATOR_OWNER, "S-1-3-0"),
        (Sid::CREATOR_GROUP, "S-1-3-1"),
        (Sid::AUTHENTICATED_USERS, "S-1-5-11"),
        (Sid::BUILTIN_GUESTS, "S-1-5-32-546"),
        (Sid::HIGH_INTEGRITY, "S-1-16-12288"),
        (Sid::unix_user(1000), "S-1-22-1-1000"),
        (Sid::unix_group(100), "S-1-22-2-100"),
        (Sid::nfs_user(1), "S-1-5-88-1-1"),
        (Sid::nfs_group(2), "S-1-5-88-2-2"),
        (Sid::nfs_mode(0o755), "S-1-5-88-3-493"),
    ] {
        assert_eq!(sid.to_string(), text);
        assert_eq!(Sid::from_text(text), Some(sid));
    }
    let large = Sid::new(0xFFFF_0000_0001, &[u32::MAX]).unwrap();
    assert_eq!(large.to_string(), "S-1-0xffff00000001-4294967295");
    assert_eq!(Sid::from_text("s-1-0xFFFF00000001-4294967295"), Some(large));
}

#[test]
fn text_that_is_no_sid() {
    for bad in [
        "",
        "S",
        "S-1",
        "S-1-",
        "S-2-5",
        "S-1-5-",
        "S-1-5--1",
        "S-1-5-4294967296",
        "S-1-5-+1",
        "S-1-5-x",
        "S-1-0x1000000000000",
        "S-1-99999999999999999999999",
        "S-1-5 ",
        "S-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1",
    ] {
        assert_eq!(Sid::from_text(bad), None, "{bad}");
    }
}

#[test]
fn unix_ids_come_back() {
    for id in [0, 1, 1000, u32::MAX] {
        assert_eq!(Sid::unix_user(id).as_unix_user(), Some(id));
        assert_eq!(Sid::unix_user(id).as_unix_group(), None);
        assert_eq!(Sid::unix_group(id).as_unix_group(), Some(id));
        assert_eq!(Sid::nfs_user(id).as_unix_user(), Some(id));
        assert_eq!(Sid::nfs_mode(id).as_nfs_mode(), Some(id));
    }
    assert_eq!(Sid::EVERYONE.as_unix_user(), None);
}

#[test]
fn sids_have_at_most_fifteen_parts() {
    assert_eq!(Sid::new(5, &[1; 16]), None);
    assert_eq!(Sid::new(1 << 48, &[]), None);
    let longest = Sid::new(5, &[1; 15]).unwrap();
    assert_eq!(longest.with_rid(1), None);
    assert_eq!(longest.size(), smb_proto::sid::MAX_SID_SIZE);
    let mut bytes = write(|w| longest.write(w));
    bytes.extend([0; 4]);
    bytes[1] = 16;
    assert_eq!(Sid::parse(&bytes), Err(Malformed));
    assert_eq!(Sid::parse(&[2, 0, 0, 0, 0, 0, 0, 5]), Err(Malformed));
}

#[test]
fn domain_of_a_sid() {
    let domain = Sid::new(5, &[21, 1, 2, 3]).unwrap();
    let user = domain.with_rid(1000).unwrap();
    assert!(user.is_in_domain(&domain));
    assert_eq!(user.rid(), Some(1000));
    assert!(!domain.is_in_domain(&domain));
    assert!(!Sid::new(5, &[21, 1, 2, 4, 1000])
        .unwrap()
        .is_in_domain(&domain));
}

/// Owner and group Administrators, everyone may do all: offsets and sizes by hand.
fn plain() -> Vec<u8> {
    let mut bytes = vec![
        1, 0, 4, 0x80, 20, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0,
    ];
    bytes.extend(ADMINISTRATORS);
    bytes.extend(ADMINISTRATORS);
    bytes.extend([2, 0, 28, 0, 1, 0, 0, 0]);
    bytes.extend([
        0, 3, 20, 0, 0xFF, 0x01, 0x1F, 0x00, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    ]);
    bytes
}

#[test]
fn descriptor_by_hand() {
    let bytes = plain();
    let sd = SecurityDescriptor::parse(&bytes).unwrap();
    assert_eq!(sd.owner, Some(Sid::BUILTIN_ADMINISTRATORS));
    assert_eq!(sd.group, Some(Sid::BUILTIN_ADMINISTRATORS));
    assert_eq!(sd.sacl, AclField::Absent);
    let AclField::List(acl) = sd.dacl else {
        panic!("no DACL")
    };
    let inherit = AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT;
    let ace = Ace::new(
        AceType::ALLOWED,
        inherit,
        AccessMask::FILE_ALL,
        Sid::EVERYONE,
    );
    assert_eq!(acl.iter().collect::<Vec<_>>(), [ace]);

    let written = write(|w| {
        let mut sd = SdWriter::new(w, SdControl::NONE)?;
        sd.owner(&Sid::BUILTIN_ADMINISTRATORS)?;
        sd.group(&Sid::BUILTIN_ADMINISTRATORS)?;
        sd.dacl(|acl| acl.ace(&ace))?;
        sd.finish()
    });
    assert_eq!(written, bytes);
}

#[test]
fn null_and_absent_lists_differ() {
    let null = write(|w| {
        let mut sd = SdWriter::new(w, SdControl::NONE)?;
        sd.null_dacl();
        sd.finish()
    });
    let sd = SecurityDescriptor::parse(&null).unwrap();
    assert_eq!((sd.dacl, sd.sacl), (AclField::Null, AclField::Absent));
    let mut absent = plain();
    absent[2] = 0;
    assert_eq!(
        SecurityDescriptor::parse(&absent).unwrap().dacl,
        AclField::Absent
    );
}

#[test]
fn hostile_descriptors() {
    let with = |at: usize, values: &[u8]| {
        let mut bytes = plain();
        bytes[at..at + values.len()].copy_from_slice(values);
        SecurityDescriptor::parse(&bytes).map(|_| ())
    };
    assert_eq!(with(0, &[1]), Ok(()));
    assert_eq!(with(0, &[2]), Err(Malformed), "revision");
    assert_eq!(with(3, &[0]), Err(Malformed), "not self-relative");
    for offset in [4, 8, 16] {
        for value in [1u32, 19, 73, 80, 0x7FFF_FFFF, 0xFFFF_FFFF] {
            assert_eq!(
                with(offset, &value.to_le_bytes()),
                Err(Malformed),
                "{offset} {value}"
            );
        }
    }
    assert_eq!(
        with(21, &[15]),
        Err(Malformed),
        "owner longer than the descriptor"
    );
    assert_eq!(with(52, &[1]), Err(Malformed), "ACL revision");
    for size in [0u16, 7, 8, 27, 29, 0xFFFF] {
        assert_eq!(
            with(54, &size.to_le_bytes()),
            Err(Malformed),
            "ACL size {size}"
        );
    }
    for count in [2u16, 0xFFFF] {
        assert_eq!(
            with(56, &count.to_le_bytes()),
            Err(Malformed),
            "ACE count {count}"
        );
    }
    for size in [0u16, 4, 8, 12, 16, 18, 24, 0xFFFC] {
        assert_eq!(
            with(62, &size.to_le_bytes()),
            Err(Malformed),
            "ACE size {size}"
        );
    }
    assert_eq!(with(69, &[2]), Err(Malformed), "SID longer than its ACE");
    assert_eq!(
        with(60, &[4]),
        Err(Malformed),
        "ACE of a type without layout"
    );
    assert_eq!(with(60, &[0x14]), Err(Malformed), "ACE of an unknown type");
}

#[test]
fn lists_stay_below_64_kib() {
    let ace = Ace::new(
        AceType::DENIED,
        AceFlags::NONE,
        AccessMask::DELETE,
        Sid::EVERYONE,
    );
    let mut buf = vec![0; 100_000];
    let mut w = Writer::new(&mut buf);
    let mut acl = AclWriter::new(&mut w, Acl::REVISION).unwrap();
    let count = (0..).take_while(|_| acl.ace(&ace).is_ok()).count();
    assert_eq!(count, (65_535 - 8) / 20);
    assert_eq!(acl.ace(&ace), Err(Full));
    acl.finish().unwrap();
    assert_eq!(Acl::parse(w.written()).unwrap().len(), count);
}

#[test]
fn generic_rights_are_mapped() {
    let mask = (AccessMask::GENERIC_READ | AccessMask::DELETE).map_generic();
    assert_eq!(mask, AccessMask::FILE_GENERIC_READ | AccessMask::DELETE);
    assert_eq!(AccessMask::GENERIC_ALL.map_generic(), AccessMask::FILE_ALL);
    assert_eq!(
        AccessMask::from_bits(0xF000_0000).map_generic(),
        AccessMask::FILE_ALL
    );
}

fn any_sid() -> impl Strategy<Value = Sid> {
    (
        0u64..1 << 48,
        proptest::collection::vec(any::<u32>(), 0..16),
    )
        .prop_map(|(authority, subs)| Sid::new(authority, &subs).unwrap())
}

type AnyAce = (
    u8,
    u8,
    u32,
    Option<[u8; 16]>,
    Option<[u8; 16]>,
    Sid,
    Vec<u8>,
);

fn any_ace() -> impl Strategy<Value = AnyAce> {
    let kind = (0u8..0x14).prop_filter("has no layout", |kind| *kind != 4);
    let data = proptest::collection::vec(any::<[u8; 4]>(), 0..4).prop_map(|data| data.concat());
    (
        kind,
        any::<u8>(),
        any::<u32>(),
        any::<Option<[u8; 16]>>(),
        any::<Option<[u8; 16]>>(),
        any_sid(),
        data,
    )
}

fn ace(parts: &AnyAce) -> Ace<'_> {
    let (kind, flags, mask, object, inherited, sid, data) = parts;
    let kind = AceType(*kind);
    Ace {
        kind,
        flags: AceFlags::from_bits(*flags),
        mask: AccessMask::from_bits(*mask),
        object_type: object.filter(|_| kind.is_object()),
        inherited_object_type: inherited.filter(|_| kind.is_object()),
        sid: *sid,
        data,
    }
}

fn look_at(bytes: &[u8]) {
    if let Ok(sid) = Sid::parse(bytes) {
        assert_eq!(Sid::from_text(&sid.to_string()), Some(sid));
    }
    if let Ok(acl) = Acl::parse(bytes) {
        assert_eq!(
            acl.iter().count(),
            acl.len(),
            "a checked list gives all its entries"
        );
    }
    if let Ok(sd) = SecurityDescriptor::parse(bytes) {
        let again = write(|w| sd.write(w));
        let back = SecurityDescriptor::parse(&again).unwrap();
        assert_eq!((back.owner, back.group), (sd.owner, sd.group));
        for (a, b) in [(sd.dacl, back.dacl), (sd.sacl, back.sacl)] {
            match (a, b) {
                (AclField::List(a), AclField::List(b)) => assert!(a.iter().eq(b.iter())),
                (a, b) => assert_eq!(a, b),
            }
        }
    }
}

proptest! {
    #[test]
    fn sids_round_trip(sid in any_sid()) {
        let bytes = write(|w| sid.write(w));
        prop_assert_eq!(bytes.len(), sid.size());
        prop_assert_eq!(Sid::parse(&bytes), Ok(sid));
        prop_assert!((0..bytes.len()).all(|len| Sid::parse(&bytes[..len]).is_err()));
        prop_assert_eq!(Sid::from_text(&sid.to_string()), Some(sid));
    }

    #[test]
    fn descriptors_round_trip(
        owner in any::<Option<u32>>(),
        dacl in proptest::collection::vec(any_ace(), 0..8),
        sacl in proptest::collection::vec(any_ace(), 0..4),
        flips in proptest::collection::vec((any::<usize>(), 0u8..8), 1..5),
    ) {
        let owner = owner.map(Sid::unix_user);
        let mut bytes = write(|w| {
            let mut sd = SdWriter::new(w, SdControl::DACL_PROTECTED)?;
            if let Some(owner) = &owner {
                sd.owner(owner)?;
            }
            sd.sacl(|acl| sacl.iter().try_for_each(|parts| acl.ace(&ace(parts))))?;
            sd.dacl(|acl| dacl.iter().try_for_each(|parts| acl.ace(&ace(parts))))?;
            sd.finish()
        });
        let sd = SecurityDescriptor::parse(&bytes).unwrap();
        prop_assert_eq!(sd.owner, owner);
        prop_assert!(sd.control.contains(SdControl::DACL_PROTECTED));
        for (field, list) in [(sd.dacl, &dacl), (sd.sacl, &sacl)] {
            let AclField::List(acl) = field else { panic!("list is lost") };
            prop_assert!(acl.iter().eq(list.iter().map(ace)));
        }
        look_at(&bytes);
        for len in 0..bytes.len() {
            look_at(&bytes[..len]);
        }
        for (at, bit) in flips {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        look_at(&bytes);
    }

    #[test]
    fn random_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        look_at(&bytes);
        let len = bytes.len().min(4);
        bytes[..len].copy_from_slice(&[1, 0, 0x14, 0x80][..len]);
        for offset in [5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte = 0;
            }
        }
        look_at(&bytes);
    }
}
