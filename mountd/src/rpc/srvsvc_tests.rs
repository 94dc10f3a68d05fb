// SPDX-License-Identifier: GPL-2.0

//! Tests of the server service, and of the small interfaces: the workstation's, and the directory service's setup.

use std::fmt::Debug;

use super::super::dssetup::{GetPrimaryDomain, PrimaryDomain};
use super::super::ndr::Enum;
use super::super::testing::{server, Client, CONFIG, SYNTAXES};
use super::super::wkssvc::{GetJoin, Joined, WkstaInfo100, WkstaInfo101, WkstaInfo102};
use super::super::{LSARPC, SRVSVC, WKSSVC};
use super::*;

fn text(name: &Name) -> &str {
    name.as_ref().map_or("-", |name| &name.0)
}

/// Does `work` over each of the syntaxes.
fn each(endpoint: super::super::Endpoint, work: impl Fn(&mut Client<'_>)) {
    let server = server(CONFIG);
    for transfer in SYNTAXES {
        work(&mut Client::new(&server, endpoint, transfer));
    }
}

ndr_params! {
    struct AskEnum<T> { server: Name, listing: Listing<T>, preferred: u32, resume: Unique<u32>, }
}

fn ask_enum<T>(level: u32, first: u32) -> AskEnum<T> {
    AskEnum {
        server: name("\\\\box"),
        listing: listing(level, Vec::new()),
        preferred: u32::MAX,
        resume: Unique::To(first),
    }
}

/// The shares as `NetrShareEnum` lists them, by both of its numbers.
fn shares<T>(client: &mut Client<'_>, level: u32, first: u32) -> Vec<T>
where
    T: Encode + Decode + Clone + PartialEq + Debug,
{
    let sticky: Enumerated<T> =
        client.ask(operation::SHARE_ENUM_STICKY, &ask_enum::<T>(level, first));
    let found: Enumerated<T> = client.ask(operation::SHARE_ENUM, &ask_enum::<T>(level, first));
    assert_eq!(found, sticky);
    assert_eq!((found.status, found.resume), (0, Unique::To(0)));
    assert_eq!(found.listing.checked_level(), Ok(level));
    let container = found.listing.container.arm.as_ref().unwrap();
    let items = container.buffer.as_ref().unwrap().0.clone();
    assert_eq!(
        (
            usize::try_from(found.total),
            usize::try_from(container.entries)
        ),
        (Ok(items.len()), Ok(items.len()))
    );
    items
}

#[test]
fn shares_in_every_level() {
    each(SRVSVC, |client| {
        assert_eq!(
            text(&shares::<ShareInfo0>(client, 0, 0)[1].netname),
            "Public"
        );
        let one = shares::<ShareInfo1>(client, 1, 0);
        assert_eq!((text(&one[0].netname), one[0].kind), ("IPC$", 0x8000_0003));
        assert_eq!((text(&one[1].remark), one[1].kind), ("All of it", 0));
        assert_eq!(
            text(&shares::<ShareInfo2>(client, 2, 0)[1].path),
            "C:\\Public"
        );
        assert_eq!(shares::<ShareInfo501>(client, 501, 1).len(), 1);
        assert_eq!(shares::<ShareInfo502>(client, 502, 2).len(), 0);
        assert_eq!(text(&shares::<ShareInfo503>(client, 503, 0)[1].server), "*");
        for level in [3, 1005, u32::MAX] {
            let found: Enumerated<u32> =
                client.answer(operation::SHARE_ENUM, &ask_enum::<u32>(level, 0));
            assert_eq!((found.status, found.total), (status::INVALID_LEVEL, 0));
        }
        // The union of another level than the one that was said.
        let mut lying = ask_enum::<ShareInfo1>(1, 0);
        lying.listing.container.level = 2;
        assert_eq!(client.fault(operation::SHARE_ENUM, &lying), fault::BAD_STUB);
    });
}

fn share<T>(client: &mut Client<'_>, level: u32) -> T
where
    T: Encode + Decode + Clone + PartialEq + Debug,
{
    let asked = ShareGetInfo {
        server: Unique::Null,
        share: WStr("PUBLIC".into()),
        level,
    };
    arm_of(client, operation::SHARE_GET_INFO, level, &asked)
}

/// What a question by a level gives.
fn arm_of<Q, T>(client: &mut Client<'_>, number: u16, level: u32, asked: &Q) -> T
where
    Q: super::super::ndr::Params + PartialEq + Debug,
    T: Encode + Decode + Clone + PartialEq + Debug,
{
    let found: Info<T> = client.ask(number, asked);
    assert_eq!((found.status, found.info.level), (0, level));
    found.info.arm.as_ref().unwrap().clone()
}

#[test]
fn a_share_in_every_level() {
    each(SRVSVC, |client| {
        assert_eq!(text(&share::<ShareInfo0>(client, 0).netname), "Public");
        assert_eq!(text(&share::<ShareInfo1>(client, 1).remark), "All of it");
        assert_eq!(share::<ShareInfo2>(client, 2).current_uses, 0);
        assert_eq!(share::<ShareInfo501>(client, 501).flags, 0);
        assert_eq!(share::<ShareInfo502>(client, 502).descriptor, Unique::Null);
        assert_eq!(text(&share::<ShareInfo503>(client, 503).path), "C:\\Public");
        assert_eq!(share::<ShareInfo1005>(client, 1005).flags, 0);
        for (name, level, wanted) in [
            ("Public", 3, status::INVALID_LEVEL),
            ("nosuch", 1, status::NET_NAME_NOT_FOUND),
        ] {
            let asked = ShareGetInfo {
                server: Unique::Null,
                share: WStr(name.into()),
                level,
            };
            let found: Info<u32> = client.ask(operation::SHARE_GET_INFO, &asked);
            assert_eq!((found.status, found.info.arm), (wanted, Unique::Null));
        }
    });
}

#[test]
fn the_server_in_every_level() {
    each(SRVSVC, |client| {
        let number = operation::SERVER_GET_INFO;
        let ask = |level| GetInfo {
            server: name("box"),
            level,
        };
        let info: ServerInfo100 = arm_of(client, number, 100, &ask(100));
        assert_eq!(text(&info.name), "BOX");
        let info: ServerInfo101 = arm_of(client, number, 101, &ask(101));
        assert_eq!(info.platform, PLATFORM_NT);
        let info: ServerInfo102 = arm_of(client, number, 102, &ask(102));
        assert_eq!(text(&info.user_path), "C:\\");
        let found: Info<u32> = client.ask(number, &ask(103));
        assert_eq!(found.status, status::INVALID_LEVEL);
        let now: Now = client.ask(
            operation::REMOTE_TOD,
            &RemoteTod {
                server: Unique::Null,
            },
        );
        assert!(now.time.as_ref().unwrap().year >= 2025);
    });
}

#[test]
fn names_are_validated() {
    each(SRVSVC, |client| {
        for (text, kind, wanted) in [
            ("Public", 9, status::OK),
            ("a/b", 9, status::INVALID_NAME),
            ("HOME", 13, status::OK),
            ("Public", 0, status::INVALID_PARAMETER),
            ("Public", 14, status::INVALID_PARAMETER),
        ] {
            let asked = NameValidate {
                server: Unique::Null,
                name: WStr(text.into()),
                kind,
                flags: 0,
            };
            ndr_params! { struct Status { status: u32, } }
            let found: Status = client.ask(operation::NAME_VALIDATE, &asked);
            assert_eq!(found.status, wanted, "{text} {kind}");
        }
    });
}

#[test]
fn the_workstation_in_every_level() {
    each(WKSSVC, |client| {
        let ask = |level| GetInfo {
            server: Unique::Null,
            level,
        };
        let info: WkstaInfo100 = arm_of(client, 0, 100, &ask(100));
        assert_eq!((text(&info.computer), text(&info.group)), ("BOX", "HOME"));
        let info: WkstaInfo101 = arm_of(client, 0, 101, &ask(101));
        assert_eq!(text(&info.root), "");
        let info: WkstaInfo102 = arm_of(client, 0, 102, &ask(102));
        assert_eq!(info.users, 0);
        let found: Info<u32> = client.ask(0, &ask(502));
        assert_eq!(found.status, status::INVALID_LEVEL);
        let asked = GetJoin {
            server: Unique::Null,
            name: Unique::Null,
        };
        let found: Joined = client.ask(20, &asked);
        assert_eq!(
            (text(&found.name), found.kind, found.status),
            ("HOME", Enum(2), 0)
        );
        assert_eq!(client.fault(1, &asked), fault::OPERATION_RANGE);
    });
}

#[test]
fn the_role_is_that_of_a_server_without_domain() {
    let server = server(CONFIG);
    for transfer in SYNTAXES {
        let mut client = Client::of(&server, LSARPC, 1, transfer);
        let found: PrimaryDomain = client.ask(0, &GetPrimaryDomain { level: Enum(1) });
        let info = found.info.as_ref().unwrap();
        assert_eq!((info.arm.role, text(&info.arm.flat)), (Enum(2), "HOME"));
        let found: PrimaryDomain = client.ask(0, &GetPrimaryDomain { level: Enum(2) });
        assert_eq!(found.status, status::INVALID_PARAMETER);
        assert_eq!(
            client.fault(1, &GetPrimaryDomain { level: Enum(1) }),
            fault::OPERATION_RANGE
        );
    }
}

#[test]
fn days_become_dates() {
    assert_eq!(civil(0), (1970, 1, 1));
    assert_eq!(civil(11_016), (2000, 2, 29));
    assert_eq!(civil(11_017), (2000, 3, 1));
    assert_eq!(civil(20_453), (2025, 12, 31));
    let time = time_of_day(951_827_696, 120);
    assert_eq!(
        (time.year, time.month, time.day, time.weekday),
        (2000, 2, 29, 2)
    );
    assert_eq!(
        (time.hours, time.minutes, time.seconds, time.hundredths),
        (12, 34, 56, 12)
    );
}

#[test]
fn names() {
    assert!(is_valid_name("Share$") && is_valid_name("Bücher"));
    for bad in ["", "a/b", "a\\b", "a*", "a:b", "a\u{1}"] {
        assert!(!is_valid_name(bad), "{bad}");
    }
}

#[test]
fn structures_are_aligned_as_pointers() {
    use super::super::ndr::{Align, Syntax};
    assert_eq!(ShareInfo1::alignment(Syntax::Ndr), 4);
    assert_eq!(ShareInfo1::alignment(Syntax::Ndr64), 8);
    assert_eq!(ShareInfo1005::alignment(Syntax::Ndr64), 4);
}
