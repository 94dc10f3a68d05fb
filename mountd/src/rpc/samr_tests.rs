// SPDX-License-Identifier: GPL-2.0

//! Tests of the account database, each in both transfer syntaxes.

use super::super::lsarpc::Opened;
use super::super::samr_display::*;
use super::super::samr_domain::*;
use super::super::samr_groups::*;
use super::super::samr_user::*;
use super::super::testing::{server, Client, CONFIG, SYNTAXES};
use super::super::SAMR;
use super::*;

const OWN: &[u32] = &[21, 1, 2, 3];
const BUILTIN: &[u32] = &[32];
const ALICE: u32 = 1000;
const BOB: u32 = 70_000;

/// Does `work` over each of the syntaxes with the handles of the server's own domain and of the built-in one.
fn each(work: impl Fn(&mut Client<'_>, Handle, Handle)) {
    let server = server(CONFIG);
    for transfer in SYNTAXES {
        let mut client = Client::new(&server, SAMR, transfer);
        let accounts = client.open(operation::CONNECT2, &connect2());
        let mut domain = |parts| {
            let asked = OpenDomain {
                server: accounts,
                access: 0,
                sid: Sid::new(5, parts),
            };
            client.open(operation::OPEN_DOMAIN, &asked)
        };
        let (own, builtin) = (domain(OWN), domain(BUILTIN));
        work(&mut client, own, builtin);
    }
}

fn connect2() -> Connect2 {
    Connect2 {
        server: Unique::To(WStr("\\\\BOX".into())),
        access: 0x0200_0000,
    }
}

fn connected(client: &mut Client<'_>) -> Handle {
    client.open(operation::CONNECT2, &connect2())
}

fn of(domain: Handle, relative: u32) -> OpenById {
    OpenById {
        domain,
        access: 0,
        relative,
    }
}

#[test]
fn clients_connect_in_every_way() {
    each(|client, _, _| {
        let opened: Opened = client.ask(operation::CONNECT2, &connect2());
        assert_eq!(opened.status, 0);
        let asked = Connect4 {
            server: Unique::Null,
            revision: 2,
            access: 1,
        };
        assert_eq!(
            client.ask::<_, Opened>(operation::CONNECT4, &asked).status,
            0
        );
        let mut asked = Connect5 {
            server: Unique::Null,
            access: 1,
            version: 1,
            revision: Level {
                level: 1,
                arm: Revision {
                    revision: 3,
                    features: 0,
                },
            },
        };
        let found: Connected5 = client.ask(operation::CONNECT5, &asked);
        assert_eq!((found.status, found.revision.arm.revision), (0, 3));
        asked.version = 2;
        assert_eq!(
            client.fault(operation::CONNECT5, &asked),
            fault::INVALID_TAG
        );
    });
}

#[test]
fn domains_are_listed_found_and_opened() {
    each(|client, _, _| {
        let server = connected(client);
        let asked = Enumerate {
            of: server,
            context: 0,
            preferred: 0xffff,
        };
        let found: Enumerated = client.ask(operation::ENUM_DOMAINS, &asked);
        let names: Vec<_> = found
            .list
            .as_ref()
            .unwrap()
            .items
            .as_ref()
            .unwrap()
            .0
            .iter()
            .map(|entry| entry.name.text())
            .collect();
        assert_eq!(names, ["BOX", "Builtin"]);
        assert_eq!((found.entries, found.status, found.context), (2, 0, 2));
        for (name, status) in [
            ("box", 0),
            ("builtin", 0),
            ("other", status::NO_SUCH_DOMAIN),
        ] {
            let asked = LookupDomain {
                server,
                name: UnicodeString::new(name),
            };
            let found: FoundSid = client.ask(operation::LOOKUP_DOMAIN, &asked);
            assert_eq!(found.status, status, "{name}");
        }
        let asked = OpenDomain {
            server,
            access: 0,
            sid: Sid::new(5, &[21, 7]),
        };
        let found: Opened = client.ask(operation::OPEN_DOMAIN, &asked);
        assert_eq!(found.status, status::NO_SUCH_DOMAIN);
    });
}

#[test]
fn users_groups_and_aliases_are_enumerated_in_parts() {
    each(|client, own, builtin| {
        let mut names = Vec::new();
        let mut context = 0;
        loop {
            let asked = EnumerateUsers {
                domain: own,
                context,
                control: NORMAL_ACCOUNT,
                preferred: 1,
            };
            let found: Enumerated = client.ask(operation::ENUM_USERS, &asked);
            let items = &found.list.as_ref().unwrap().items.as_ref().unwrap().0;
            names.extend(items.iter().map(|user| user.name.text().to_owned()));
            context = found.context;
            if found.status == status::SUCCESS {
                break;
            }
            assert_eq!((found.status, items.len()), (status::MORE_ENTRIES, 1));
        }
        // The third user of the database has no account.
        assert_eq!(names, ["alice", "bob"]);
        let machines = EnumerateUsers {
            domain: own,
            context: 0,
            control: 0x80,
            preferred: 1,
        };
        let found: Enumerated = client.ask(operation::ENUM_USERS, &machines);
        assert_eq!((found.entries, found.status), (0, 0));
        for (number, of, entries) in [
            (operation::ENUM_GROUPS, own, 1),
            (operation::ENUM_ALIASES, own, 0),
            (operation::ENUM_GROUPS, builtin, 0),
            (operation::ENUM_ALIASES, builtin, 3),
        ] {
            let asked = Enumerate {
                of,
                context: 0,
                preferred: u32::MAX,
            };
            let found: Enumerated = client.ask(number, &asked);
            assert_eq!((found.entries, found.status), (entries, 0));
        }
    });
}

#[test]
fn names_and_ids_of_everybody() {
    each(|client, own, builtin| {
        let names = |domain, all: &[&str]| LookupNames {
            domain,
            count: u32::try_from(all.len()).unwrap(),
            names: Varying {
                most: 1000,
                items: all.iter().map(|name| UnicodeString::new(name)).collect(),
            },
        };
        let asked = names(own, &["ALICE", "none", "ghost"]);
        let found: FoundIds = client.ask(operation::LOOKUP_NAMES, &asked);
        assert_eq!(found.relative, list(vec![ALICE, DOMAIN_USERS, 0]));
        assert_eq!(found.kinds, list(vec![1, 2, 8]));
        assert_eq!(found.status, status::SOME_NOT_MAPPED);
        let asked = names(builtin, &["Users"]);
        let found: FoundIds = client.ask(operation::LOOKUP_NAMES, &asked);
        assert_eq!(
            (found.relative, found.kinds),
            (list(vec![545]), list(vec![4]))
        );
        let asked = names(own, &["nobody"]);
        let found: FoundIds = client.ask(operation::LOOKUP_NAMES, &asked);
        assert_eq!(found.status, status::NONE_MAPPED);
        let ids = |domain, all: &[u32]| LookupIds {
            domain,
            count: u32::try_from(all.len()).unwrap(),
            ids: Varying {
                most: 1000,
                items: all.to_vec(),
            },
        };
        let found: FoundNames = client.ask(operation::LOOKUP_IDS, &ids(own, &[BOB, 4]));
        let names = &found.names.items.as_ref().unwrap().0;
        assert_eq!((names[0].text(), names[1].text()), ("bob", ""));
        assert_eq!(found.status, status::SOME_NOT_MAPPED);
        let mut lying = ids(own, &[1, 2]);
        lying.count = 3;
        assert_eq!(client.fault(operation::LOOKUP_IDS, &lying), fault::BAD_STUB);
        let many = vec![0; 1001];
        assert_eq!(
            client.fault(operation::LOOKUP_IDS, &ids(own, &many)),
            fault::INVALID_BOUND
        );
    });
}

ndr_params! {
    /// A result by class.
    struct Info<T> { info: Unique<EnumLevel<T>>, status: u32, }
}

/// Asks for a class of information whose form is `T`.
fn info<T>(client: &mut Client<'_>, number: u16, of: Handle, class: u16) -> T
where
    T: super::super::ndr::Encode + super::super::ndr::Decode + Clone + PartialEq + std::fmt::Debug,
{
    let asked = Query {
        of,
        class: Enum(class),
    };
    let found: Info<T> = client.ask(number, &asked);
    assert_eq!(found.status, status::SUCCESS, "class {class}");
    let info = found.info.as_ref().unwrap();
    assert_eq!(info.level.0, class);
    info.arm.clone()
}

fn no_class(client: &mut Client<'_>, number: u16, of: Handle, class: u16) {
    let asked = Query {
        of,
        class: Enum(class),
    };
    let found: Info<u32> = client.ask(number, &asked);
    assert_eq!(found.status, status::INVALID_INFO_CLASS, "class {class}");
}

#[test]
fn users_in_every_class() {
    each(|client, own, _| {
        let found: Opened = client.ask(operation::OPEN_USER, &self::of(own, 4));
        assert_eq!(found.status, status::NO_SUCH_USER);
        let user = client.open(operation::OPEN_USER, &self::of(own, ALICE));
        for number in [operation::QUERY_USER, operation::QUERY_USER2] {
            assert_eq!(
                info::<super::super::samr_user::General>(client, number, user, 1)
                    .user
                    .text(),
                "alice"
            );
            info::<Preferences>(client, number, user, 2);
            assert_eq!(info::<Logon>(client, number, user, 3).relative, ALICE);
            let hours = info::<Hours>(client, number, user, 4);
            assert_eq!(
                (hours.units, hours.data.as_ref().unwrap().items.len()),
                (168, 21)
            );
            assert_eq!(
                info::<Account>(client, number, user, 5).primary_group,
                DOMAIN_USERS
            );
            assert_eq!(info::<Two>(client, number, user, 6).first.text(), "alice");
            for class in [7, 8] {
                assert_eq!(
                    info::<UnicodeString>(client, number, user, class).text(),
                    "alice"
                );
            }
            assert_eq!(info::<u32>(client, number, user, 9), DOMAIN_USERS);
            info::<Two>(client, number, user, 10);
            for class in [11, 12, 13, 14, 20] {
                assert_eq!(
                    info::<UnicodeString>(client, number, user, class).text(),
                    ""
                );
            }
            assert_eq!(info::<u32>(client, number, user, 16), NORMAL_ACCOUNT);
            assert_eq!(info::<Time>(client, number, user, 17).high, 0x7fff_ffff);
            let all = info::<All>(client, number, user, 21);
            assert_eq!((all.user.text(), all.relative), ("alice", ALICE));
            // Passwords cannot be asked for.
            for class in [0, 15, 18, 19, 22, 23, 24, 25, 26, 32] {
                no_class(client, number, user, class);
            }
        }
        let found: Groups = client.ask(operation::GROUPS_OF_USER, &OfHandle { handle: user });
        assert_eq!(found.groups.as_ref().unwrap().entries, 1);
        assert_eq!(
            client.fault(operation::GROUPS_OF_USER, &OfHandle { handle: own }),
            fault::CONTEXT_MISMATCH
        );
        let found: PasswordDemands =
            client.ask(operation::USER_PASSWORD_POLICY, &OfHandle { handle: user });
        assert_eq!(found.status, 0);
    });
}

#[test]
fn domains_in_every_class() {
    each(|client, own, builtin| {
        for number in [operation::QUERY_DOMAIN, operation::QUERY_DOMAIN2] {
            info::<super::super::samr_domain::PasswordPolicy>(client, number, own, 1);
            let general = info::<super::super::samr_domain::General>(client, number, own, 2);
            assert_eq!((general.users, general.groups, general.aliases), (2, 1, 0));
            info::<Time>(client, number, own, 3);
            for (class, name) in [(5, "BOX"), (6, "")] {
                assert_eq!(
                    info::<UnicodeString>(client, number, own, class).text(),
                    name
                );
            }
            info::<UnicodeString>(client, number, own, 4);
            for class in [7, 9] {
                info::<Enum>(client, number, own, class);
            }
            info::<Modified>(client, number, own, 8);
            assert_eq!(
                info::<General2>(client, number, builtin, 11)
                    .general
                    .aliases,
                3
            );
            assert_eq!(info::<Lockout>(client, number, own, 12).threshold, 0);
            info::<Modified2>(client, number, own, 13);
            for class in [0, 10, 14] {
                no_class(client, number, own, class);
            }
        }
    });
}

#[test]
fn groups_and_aliases_in_every_class() {
    each(|client, own, builtin| {
        let group = client.open(operation::OPEN_GROUP, &self::of(own, DOMAIN_USERS));
        let asks = operation::QUERY_GROUP;
        for (class, members) in [(1, 2), (5, 0)] {
            let general = info::<GroupGeneral>(client, asks, group, class);
            assert_eq!((general.name.text(), general.members), ("None", members));
        }
        for class in [2, 4] {
            info::<UnicodeString>(client, asks, group, class);
        }
        assert_eq!(info::<u32>(client, asks, group, 3), GROUP_ATTRIBUTES);
        no_class(client, asks, group, 6);
        let found: GroupMembers = client.ask(operation::GROUP_MEMBERS, &OfHandle { handle: group });
        assert_eq!(
            found.members.as_ref().unwrap().members,
            Unique::To(Array(vec![ALICE, BOB]))
        );

        let found: Opened = client.ask(operation::OPEN_ALIAS, &self::of(own, 544));
        assert_eq!(found.status, status::NO_SUCH_ALIAS);
        // Bob is one of the `admin users`.
        for (alias, members) in [(544, vec![BOB]), (545, vec![ALICE, BOB]), (546, vec![])] {
            let handle = client.open(operation::OPEN_ALIAS, &self::of(builtin, alias));
            let general = info::<AliasGeneral>(client, operation::QUERY_ALIAS, handle, 1);
            assert_eq!(usize::try_from(general.members), Ok(members.len()));
            for class in [2, 3] {
                info::<UnicodeString>(client, operation::QUERY_ALIAS, handle, class);
            }
            no_class(client, operation::QUERY_ALIAS, handle, 4);
            let found: AliasMembers = client.ask(operation::ALIAS_MEMBERS, &OfHandle { handle });
            let sid = |uid: &u32| SidInformation {
                sid: Unique::To(Sid::new(5, OWN).child(*uid)),
            };
            assert_eq!(found.members, list(members.iter().map(sid).collect()));
        }
    });
}

#[test]
fn aliases_of_users() {
    each(|client, own, builtin| {
        let mut of = |domain, uids: &[u32]| {
            let sid = |uid: &u32| SidInformation {
                sid: Unique::To(Sid::new(5, OWN).child(*uid)),
            };
            let asked = AliasMembership {
                domain,
                sids: list(uids.iter().map(sid).collect()),
            };
            let found: Aliases = client.ask(operation::ALIAS_MEMBERSHIP, &asked);
            assert_eq!(found.status, 0);
            found.list
        };
        assert_eq!(of(builtin, &[ALICE]), list(vec![545]));
        assert_eq!(of(builtin, &[BOB, ALICE]), list(vec![544, 545]));
        assert_eq!(of(builtin, &[4]), list(vec![]));
        assert_eq!(of(own, &[BOB]), list(vec![]));
    });
}

fn display(domain: Handle, class: u16, first: u32, most: u32) -> QueryDisplay {
    QueryDisplay {
        domain,
        class: Enum(class),
        first,
        most,
        preferred: u32::MAX,
    }
}

#[test]
fn lists_for_display_in_every_class() {
    each(|client, own, _| {
        for number in [
            operation::QUERY_DISPLAY,
            operation::QUERY_DISPLAY2,
            operation::QUERY_DISPLAY3,
        ] {
            let found: Displayed<DisplayUser> = client.ask(number, &display(own, 1, 0, 1));
            assert_eq!(
                (found.status, found.list.arm.entries),
                (status::MORE_ENTRIES, 1)
            );
            assert!(found.returned < found.available);
            let found: Displayed<DisplayUser> = client.ask(number, &display(own, 1, 1, 100));
            let user = &found.list.arm.items.as_ref().unwrap().0[0];
            assert_eq!(
                (user.index, user.relative, user.name.text()),
                (2, BOB, "bob")
            );
            assert_eq!(found.status, status::SUCCESS);
            let found: Displayed<DisplayGroup> = client.ask(number, &display(own, 2, 0, 100));
            assert_eq!((found.status, found.list.arm.entries), (0, 0));
            let found: Displayed<DisplayGroup> = client.ask(number, &display(own, 3, 0, 100));
            assert_eq!(
                found.list.arm.items.as_ref().unwrap().0[0].name.text(),
                "None"
            );
            let found: Displayed<DisplayOem> = client.ask(number, &display(own, 4, 0, 100));
            let names: Vec<_> = found
                .list
                .arm
                .items
                .as_ref()
                .unwrap()
                .0
                .iter()
                .map(|user| user.name.text())
                .collect();
            assert_eq!(names, ["alice", "bob"]);
            let found: Displayed<DisplayOem> = client.ask(number, &display(own, 5, 0, 100));
            assert_eq!(found.list.arm.entries, 1);
            let found: Displayed<DisplayUser> =
                client.ask(number, &display(own, 1, u32::MAX, u32::MAX));
            assert_eq!((found.status, found.list.arm.entries), (0, 0));
            assert_eq!(
                client.fault(number, &display(own, 6, 0, 100)),
                fault::INVALID_TAG
            );
        }
        for number in [operation::DISPLAY_INDEX, operation::DISPLAY_INDEX2] {
            for (class, prefix, index, status) in [
                (1, "a", 0, 0),
                (1, "B", 1, 0),
                (1, "c", 0, status::NO_MORE_ENTRIES),
                (9, "a", 0, status::INVALID_INFO_CLASS),
            ] {
                let asked = FindIndex {
                    domain: own,
                    class: Enum(class),
                    prefix: UnicodeString::new(prefix),
                };
                let found: FoundIndex = client.ask(number, &asked);
                assert_eq!((found.index, found.status), (index, status), "{prefix}");
            }
        }
    });
}

#[test]
fn descriptors_and_sids_of_handles() {
    ndr_params! { struct Security { descriptor: Unique<super::super::descriptor::Descriptor>, status: u32, } }
    each(|client, own, builtin| {
        let user = client.open(operation::OPEN_USER, &self::of(own, ALICE));
        let group = client.open(operation::OPEN_GROUP, &self::of(own, DOMAIN_USERS));
        let alias = client.open(operation::OPEN_ALIAS, &self::of(builtin, 544));
        let server = connected(client);
        for object in [server, own, user, group, alias] {
            let asked = QuerySecurity { object, parts: 7 };
            let found: Security = client.ask(operation::QUERY_SECURITY, &asked);
            assert_eq!(found.status, 0);
        }
        for (object, sid) in [
            (own, "S-1-5-21-1-2-3-7"),
            (user, "S-1-5-21-1-2-3-7"),
            (group, "S-1-5-21-1-2-3-7"),
            (alias, "S-1-5-32-7"),
        ] {
            let asked = RidToSid {
                object,
                relative: 7,
            };
            let found: FoundSid = client.ask(operation::RID_TO_SID, &asked);
            assert_eq!(found.sid.as_ref().unwrap().to_string(), sid);
        }
        let asked = RidToSid {
            object: server,
            relative: 7,
        };
        assert_eq!(
            client.fault(operation::RID_TO_SID, &asked),
            fault::CONTEXT_MISMATCH
        );
        let asked = super::PasswordPolicy {
            unused: Unique::Null,
        };
        let found: PasswordDemands = client.ask(operation::PASSWORD_POLICY, &asked);
        assert_eq!(found.status, 0);
    });
}

#[test]
fn what_would_change_something_is_not_there() {
    each(|client, own, _| {
        for number in [
            2, 4, 9, 10, 12, 14, 21, 22, 23, 24, 26, 29, 30, 31, 32, 35, 37, 38, 45, 50, 54, 55,
            58, 66, 67, 999,
        ] {
            assert_eq!(
                client.fault(number, &OfHandle { handle: own }),
                fault::OPERATION_RANGE,
                "{number}"
            );
        }
    });
}
