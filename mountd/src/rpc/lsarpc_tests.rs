// SPDX-License-Identifier: GPL-2.0

//! Tests of the local security authority, each in both transfer syntaxes.

use super::super::lsa_lookup::*;
use super::super::lsa_rights::*;
use super::super::testing::{bound, call as restricted_call, server, Client, CONFIG, SYNTAXES};
use super::super::{LSARPC, SAMR};
use super::*;
use proptest::prelude::*;

fn open2() -> OpenPolicy2 {
    OpenPolicy2 {
        system: Unique::To(WStr("\\\\BOX".into())),
        attributes: ObjectAttributes {
            length: 24,
            root: Unique::Null,
            name: Unique::Null,
            attributes: 0,
            descriptor: NoPointer,
            quality: Unique::To(Quality {
                length: 12,
                level: Enum(2),
                tracking: 1,
                only_effective: 0,
            }),
        },
        access: 0x0200_0000,
    }
}

/// Does `work` over each of the syntaxes with a policy's handle.
fn each(work: impl Fn(&mut Client<'_>, Handle)) {
    let server = server(CONFIG);
    for transfer in SYNTAXES {
        let mut client = Client::new(&server, LSARPC, transfer);
        let policy = client.open(operation::OPEN_POLICY2, &open2());
        work(&mut client, policy);
    }
}

fn sids(all: &[&[u32]]) -> List<SidInformation> {
    let information = |parts: &&[u32]| SidInformation {
        sid: Unique::To(Sid::new(5, parts)),
    };
    List::new(all.iter().map(information).collect())
}

fn sids2(policy: Handle, all: &[&[u32]], level: u16) -> LookupSids2 {
    LookupSids2 {
        policy,
        sids: sids(all),
        names: List::new(Vec::new()),
        level: Enum(level),
        mapped: 0,
        options: 0,
        revision: 2,
    }
}

fn names2<T>(policy: Handle, names: &[&str], level: u16) -> LookupNames2<T> {
    LookupNames2 {
        policy,
        count: u32::try_from(names.len()).unwrap(),
        names: Array(names.iter().map(|name| UnicodeString::new(name)).collect()),
        sids: List::new(Vec::new()),
        level: Enum(level),
        mapped: 0,
        options: 0,
        revision: 2,
    }
}

const ROOT: &[u32] = &[21, 1, 2, 3, 0];
const ADMINISTRATORS: &[u32] = &[32, 544];
const NOBODY: &[u32] = &[21, 9, 9, 9, 1];

#[test]
fn handles_open_and_close() {
    each(|client, policy| {
        let opened: Opened = client.ask(operation::OPEN_POLICY2, &open2());
        assert_eq!(opened.status, 0);
        // Some of the damaged forms of a question open handles, too: those of the client are bounded, and close.
        let closed = Opened {
            handle: NULL,
            status: 0,
        };
        assert_eq!(
            client.ask::<_, Opened>(operation::CLOSE, &Close { handle: policy }),
            closed
        );
        assert_eq!(
            client.fault(operation::CLOSE, &Close { handle: policy }),
            fault::CONTEXT_MISMATCH
        );
    });
}

#[test]
fn sids_have_names_in_every_form() {
    each(|client, policy| {
        let asked = LookupSids {
            policy,
            sids: sids(&[ROOT, ADMINISTRATORS, NOBODY]),
            names: List::new(Vec::new()),
            level: Enum(1),
            mapped: 0,
        };
        let found: Translated<TranslatedName> = client.ask(operation::LOOKUP_SIDS, &asked);
        assert_eq!((found.mapped, found.status), (2, status::SOME_NOT_MAPPED));
        let read: Vec<_> = found
            .items
            .items()
            .iter()
            .map(|name| (name.kind.0, name.name.text(), name.domain))
            .collect();
        assert_eq!(
            read,
            [
                (1, "root", 0),
                (4, "Administrators", 1),
                (8, "S-1-5-21-9-9-9-1", u32::MAX)
            ]
        );
        let domains = found.domains.as_ref().unwrap().domains.as_ref().unwrap();
        let domains: Vec<_> = domains
            .0
            .iter()
            .map(|domain| (domain.name.text(), domain.sid.as_ref().unwrap().to_string()))
            .collect();
        assert_eq!(
            domains,
            [
                ("BOX", "S-1-5-21-1-2-3".into()),
                ("BUILTIN", "S-1-5-32".to_string())
            ]
        );
        let found: Translated<TranslatedNameEx> =
            client.ask(operation::LOOKUP_SIDS2, &sids2(policy, &[ROOT], 1));
        assert_eq!((found.mapped, found.status), (1, status::SUCCESS));
        assert_eq!(found.items.items()[0].name.text(), "root");
    });
}

#[test]
fn levels_say_where_to_look() {
    each(|client, policy| {
        for (level, mapped, status) in [
            (1, 2, status::SUCCESS),
            (2, 1, status::SOME_NOT_MAPPED),
            (3, 0, status::NONE_MAPPED),
            (4, 0, status::NONE_MAPPED),
            (5, 0, status::NONE_MAPPED),
            (6, 0, status::NONE_MAPPED),
            (7, 0, status::NONE_MAPPED),
            (0, 0, status::INVALID_PARAMETER),
            (8, 0, status::INVALID_PARAMETER),
        ] {
            let asked = sids2(policy, &[ROOT, ADMINISTRATORS], level);
            let found: Translated<TranslatedNameEx> = client.ask(operation::LOOKUP_SIDS2, &asked);
            assert_eq!((found.mapped, found.status), (mapped, status), "{level}");
            let asked = names2::<TranslatedSidEx2>(policy, &["root", "Administrators"], level);
            let found: Translated<TranslatedSidEx2> = client.ask(operation::LOOKUP_NAMES3, &asked);
            assert_eq!((found.mapped, found.status), (mapped, status), "{level}");
        }
    });
}

#[test]
fn names_have_sids_in_every_form() {
    let names = ["BOX\\root", "Everyone", "no such account", "BOX"];
    each(|client, policy| {
        let plain = LookupNames {
            policy,
            count: 4,
            names: names2::<TranslatedSid>(policy, &names, 1).names,
            sids: List::new(Vec::new()),
            level: Enum(1),
            mapped: 0,
        };
        let found: Translated<TranslatedSid> = client.ask(operation::LOOKUP_NAMES, &plain);
        assert_eq!((found.mapped, found.status), (3, status::SOME_NOT_MAPPED));
        let read: Vec<_> = found
            .items
            .items()
            .iter()
            .map(|sid| (sid.kind.0, sid.relative))
            .collect();
        assert_eq!(read, [(1, 0), (5, 0), (8, u32::MAX), (3, u32::MAX)]);
        let found: Translated<TranslatedSidEx> = client.ask(
            operation::LOOKUP_NAMES2,
            &names2::<TranslatedSidEx>(policy, &names, 1),
        );
        assert_eq!((found.mapped, found.items.entries), (3, 4));
        let found: Translated<TranslatedSidEx2> = client.ask(
            operation::LOOKUP_NAMES3,
            &names2::<TranslatedSidEx2>(policy, &names, 1),
        );
        let read: Vec<_> = found
            .items
            .items()
            .iter()
            .map(|sid| sid.sid.as_ref().map(ToString::to_string))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                text("S-1-5-21-1-2-3-0"),
                text("S-1-1-0"),
                None,
                text("S-1-5-21-1-2-3")
            ]
        );
    });
}

#[test]
fn what_wants_a_secure_channel_is_refused() {
    each(|client, policy| {
        let LookupSids2 {
            sids,
            names,
            level,
            mapped,
            options,
            revision,
            ..
        } = sids2(policy, &[ROOT], 1);
        let asked = LookupSids3 {
            sids,
            names,
            level,
            mapped,
            options,
            revision,
        };
        let found: Translated<TranslatedNameEx> = client.ask(operation::LOOKUP_SIDS3, &asked);
        assert_eq!(found.status, status::ACCESS_DENIED);
        let LookupNames2 {
            count,
            names,
            sids,
            level,
            mapped,
            options,
            revision,
            ..
        } = names2(policy, &["root"], 1);
        let asked = LookupNames4 {
            count,
            names,
            sids,
            level,
            mapped,
            options,
            revision,
        };
        let found: Translated<TranslatedSidEx2> = client.ask(operation::LOOKUP_NAMES4, &asked);
        assert_eq!(
            (found.status, found.items.entries),
            (status::ACCESS_DENIED, 0)
        );
    });
}

#[test]
fn a_call_has_a_bound_and_counts_agree() {
    each(|client, policy| {
        let names = vec!["x"; 1001];
        assert_eq!(
            client.fault(
                operation::LOOKUP_NAMES3,
                &names2::<TranslatedSidEx2>(policy, &names, 1)
            ),
            fault::INVALID_BOUND
        );
        let mut asked = names2::<TranslatedSidEx2>(policy, &["x"], 1);
        asked.count = 2;
        assert_eq!(
            client.fault(operation::LOOKUP_NAMES3, &asked),
            fault::BAD_STUB
        );
        let many = vec![NOBODY; 20481];
        assert_eq!(
            client.fault(operation::LOOKUP_SIDS2, &sids2(policy, &many, 1)),
            fault::INVALID_BOUND
        );
        let found: Translated<TranslatedNameEx> =
            client.answer(operation::LOOKUP_SIDS2, &sids2(policy, &many[1..], 1));
        assert_eq!(
            (found.items.items().len(), found.status),
            (20480, status::NONE_MAPPED)
        );
    });
}

#[test]
fn the_policy_in_every_class() {
    each(|client, policy| {
        for number in 0..16 {
            let asked = QueryPolicy {
                policy,
                class: Enum(number),
            };
            let mut e = Encoder::new(Syntax::Ndr);
            e.params(&asked);
            let wanted = match number {
                2..=7 | 12..=14 => status::SUCCESS,
                _ => status::INVALID_PARAMETER,
            };
            ndr_params! { struct Info<T> { info: Unique<EnumLevel<T>>, status: u32, } }
            let ask = operation::QUERY_POLICY2;
            let (class, code) = match number {
                2 => split(client.ask::<_, Info<AuditEvents>>(ask, &asked).into()),
                4 => split(client.ask::<_, Info<UnicodeString>>(ask, &asked).into()),
                3 | 5 | 14 => split(client.ask::<_, Info<DomainInfo>>(ask, &asked).into()),
                7 => split(client.ask::<_, Info<ReplicaSource>>(ask, &asked).into()),
                12 | 13 => split(client.ask::<_, Info<DnsDomainInfo>>(ask, &asked).into()),
                _ => split(client.ask::<_, Info<Enum>>(ask, &asked).into()),
            };
            assert_eq!(code, wanted, "class {number}");
            assert_eq!(class, (wanted == 0).then_some(number));

            impl<T> From<Info<T>> for (Unique<EnumLevel<T>>, u32) {
                fn from(info: Info<T>) -> Self {
                    (info.info, info.status)
                }
            }
        }
    });
}

fn split<T>((info, status): (Unique<EnumLevel<T>>, u32)) -> (Option<u16>, u32) {
    (info.as_ref().map(|info| info.level.0), status)
}

#[test]
fn privileges_have_numbers_and_names() {
    each(|client, policy| {
        let asked = Enumerate {
            policy,
            context: 0,
            preferred: u32::MAX,
        };
        let all: Enumerated<Privilege> = client.ask(operation::ENUMERATE_PRIVILEGES, &asked);
        assert_eq!((all.status, all.context, all.items.entries), (0, 34, 34));
        let asked = Enumerate {
            policy,
            context: 30,
            preferred: 0,
        };
        let one: Enumerated<Privilege> = client.ask(operation::ENUMERATE_PRIVILEGES, &asked);
        assert_eq!(
            (one.status, one.context, one.items.entries),
            (status::MORE_ENTRIES, 31, 1)
        );
        let asked = Enumerate {
            policy,
            context: 34,
            preferred: 0,
        };
        let none: Enumerated<Privilege> = client.ask(operation::ENUMERATE_PRIVILEGES, &asked);
        assert_eq!(
            (none.status, none.items.entries),
            (status::NO_MORE_ENTRIES, 0)
        );
        let backup = UnicodeString::new("sebackupprivilege");
        let asked = LookupValue {
            policy,
            name: backup.clone(),
        };
        let found: FoundValue = client.ask(operation::LOOKUP_PRIVILEGE_VALUE, &asked);
        assert_eq!((found.value.low, found.status), (17, 0));
        let asked = LookupName {
            policy,
            value: Luid { low: 17, high: 0 },
        };
        let found: FoundName = client.ask(operation::LOOKUP_PRIVILEGE_NAME, &asked);
        assert_eq!(found.name.as_ref().unwrap().text(), "SeBackupPrivilege");
        let asked = LookupName {
            policy,
            value: Luid { low: 17, high: 1 },
        };
        let found: FoundName = client.ask(operation::LOOKUP_PRIVILEGE_NAME, &asked);
        assert_eq!(found.status, status::NO_SUCH_PRIVILEGE);
        let asked = LookupDisplay {
            policy,
            name: backup,
            language: 0x407,
            default: 0,
        };
        let found: FoundDisplay = client.ask(operation::LOOKUP_PRIVILEGE_DISPLAY, &asked);
        assert_eq!(
            found.name.as_ref().unwrap().text(),
            "Back up files and directories"
        );
        assert_eq!(found.language, 0x409);
    });
}

#[test]
fn nobody_has_rights_and_no_domain_is_trusted() {
    each(|client, policy| {
        let asked = Enumerate {
            policy,
            context: 0,
            preferred: 100,
        };
        let found: Enumerated<SidInformation> = client.ask(operation::ENUMERATE_ACCOUNTS, &asked);
        assert_eq!(found.status, status::NO_MORE_ENTRIES);
        for number in [
            operation::ENUMERATE_TRUSTED,
            operation::ENUMERATE_TRUSTED_EX,
        ] {
            let found: Enumerated<DomainInfo> = client.ask(number, &asked);
            assert_eq!(found.status, status::NO_MORE_ENTRIES);
        }
        let sid = Sid::new(5, ADMINISTRATORS);
        let asked = OpenAccount {
            policy,
            sid: sid.clone(),
            access: 1,
        };
        let found: Opened = client.ask(operation::OPEN_ACCOUNT, &asked);
        assert_eq!(
            (found.handle, found.status),
            (NULL, status::OBJECT_NAME_NOT_FOUND)
        );
        let found: Listed<UnicodeString> =
            client.ask(operation::ACCOUNT_RIGHTS, &RightsOf { policy, sid });
        assert_eq!(found.status, status::OBJECT_NAME_NOT_FOUND);
        for (right, wanted) in [
            ("SeTcbPrivilege", status::NO_MORE_ENTRIES),
            ("SeNothing", status::NO_SUCH_PRIVILEGE),
        ] {
            let asked = AccountsWith {
                policy,
                right: Unique::To(UnicodeString::new(right)),
            };
            let found: Listed<SidInformation> = client.ask(operation::ACCOUNTS_WITH_RIGHT, &asked);
            assert_eq!(found.status, wanted);
        }
    });
}

#[test]
fn everybody_may_read_the_policy() {
    ndr_params! { struct Security { descriptor: Unique<Descriptor>, status: u32, } }
    each(|client, policy| {
        let asked = QuerySecurity {
            object: policy,
            parts: 7,
        };
        let found: Security = client.ask(operation::QUERY_SECURITY, &asked);
        let descriptor = found.descriptor.as_ref().unwrap();
        let bytes = &descriptor.data.as_ref().unwrap().0;
        assert_eq!(usize::try_from(descriptor.length), Ok(bytes.len()));
        let asked = QuerySecurity {
            object: policy,
            parts: 8,
        };
        let found: Security = client.ask(operation::QUERY_SECURITY, &asked);
        assert_eq!(found.status, status::ACCESS_DENIED);
    });
}

#[test]
fn callers_learn_who_they_are() {
    let asked = |domain| GetUserName {
        system: Unique::Null,
        user: Unique::Null,
        domain,
    };
    // A module that does not say whose pipe it is.
    each(|client, _| {
        let found: UserName = client.ask(operation::GET_USER_NAME, &asked(Unique::Null));
        assert_eq!(found.status, status::NOT_SUPPORTED);
    });
    let server = server(CONFIG);
    let mut pipe = bound(&server, LSARPC, SYNTAXES[0]);
    let mut e = Encoder::new(Syntax::Ndr);
    e.params(&asked(Unique::To(Unique::Null)));
    let stub = restricted_call(
        &server,
        &mut pipe,
        true,
        operation::GET_USER_NAME,
        &e.finish(),
    );
    let found: UserName = Decoder::new(&stub, Syntax::Ndr).params().unwrap();
    assert_eq!(found.user.as_ref().unwrap().text(), "ANONYMOUS LOGON");
    let domain = found.domain.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(domain.text(), "NT AUTHORITY");
}

#[test]
fn what_is_not_there_is_a_fault() {
    each(|client, policy| {
        for number in [1, 4, 5, 12, 16, 18, 37, 47, 129, 999] {
            assert_eq!(
                client.fault(number, &Close { handle: policy }),
                fault::OPERATION_RANGE
            );
        }
        let wrong = Enumerate {
            policy: NULL,
            context: 0,
            preferred: 0,
        };
        assert_eq!(
            client.fault(operation::ENUMERATE_PRIVILEGES, &wrong),
            fault::CONTEXT_MISMATCH
        );
    });
}

proptest! {
    #[test]
    fn any_stub_after_a_handle_gives_an_answer(
        operation in 0u16..80, rest in proptest::collection::vec(any::<u8>(), 0..200), ndr64: bool,
    ) {
        let server = server(CONFIG);
        for (endpoint, opens) in [(LSARPC, operation::OPEN_POLICY), (SAMR, 0)] {
            let mut client = Client::new(&server, endpoint, SYNTAXES[usize::from(ndr64)]);
            let Handle(handle) = client.open(opens, &Close { handle: NULL });
            let mut stub = handle.to_vec();
            stub.extend(&rest);
            let _ = client.raw(operation, &stub);
        }
    }
}
