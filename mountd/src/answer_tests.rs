// SPDX-License-Identifier: GPL-2.0

//! Tests of the answers about users, shares and tree connects.

use std::path::Path;

use ksmbd_tools::account::{Accounts, Ids};
use ksmbd_tools::config::document::Document;
use ksmbd_tools::config::Config;
use ksmbd_tools::users::{NtHash, Users};

use super::*;
use smb_proto::ipc::tree_request_flag;

/// Users alice (1000, in group staff), bob and carol, and nobody.
#[derive(Debug)]
struct Fake;

impl Accounts for Fake {
    fn user(&self, name: &str) -> Option<Ids> {
        match name {
            "alice" => Some(Ids {
                uid: 1000,
                gid: 1000,
            }),
            "bob" => Some(Ids {
                uid: 70_000,
                gid: 70_000,
            }),
            "carol" => Some(Ids {
                uid: 1002,
                gid: 1002,
            }),
            "nobody" => Some(Ids {
                uid: 65534,
                gid: 65534,
            }),
            _ => None,
        }
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "staff").then_some(50)
    }
    fn groups_of(&self, name: &str, _: u32) -> Vec<u32> {
        if name == "alice" {
            vec![50, 70_001]
        } else {
            Vec::new()
        }
    }
    fn is_member(&self, user: &str, group: &str) -> bool {
        user == "alice" && group == "staff"
    }
}

/// Settings with this configuration and the users alice, bob and ghost.
pub(crate) fn settings(text: &str) -> Settings {
    let document = Document::parse(Path::new("c"), text, &|_| {
        Err(std::io::ErrorKind::NotFound.into())
    });
    let loaded = Config::build(document, &Fake);
    let mut users = Users::default();
    for name in ["alice", "bob", "ghost"] {
        users.set(name, NtHash::of(name));
    }
    Settings {
        config: loaded.config.expect("a configuration"),
        users,
    }
}

/// A state with [`settings`].
pub(crate) fn state(text: &str) -> State {
    State::new(settings(text), Box::new(Fake))
}

fn ask(account: &str) -> LoginRequest {
    LoginRequest {
        handle: 7,
        account: Text::new(account.as_bytes()).unwrap(),
        reserved: [0; 16],
    }
}

fn connect(
    state: &State,
    account: &str,
    flags: u16,
    share: &str,
    tree: u64,
) -> TreeConnectResponse {
    tree_connect(
        state,
        &TreeConnectRequest {
            handle: 9,
            account_flags: flags,
            flags: tree_request_flag::SMB2,
            session_id: 1,
            connect_id: tree,
            account: Text::new(account.as_bytes()).unwrap(),
            share: Text::new(share.as_bytes()).unwrap(),
            peer: Text::new(b"10.0.0.5").unwrap(),
            reserved: [0; 16],
        },
    )
}

#[test]
fn a_known_user_gets_his_hash_and_ids() {
    let response = login(&state(""), &ask("alice"));
    assert_eq!(
        (response.handle, response.uid, response.gid),
        (7, 1000, 1000)
    );
    assert_eq!(response.status, user_flag::OK | user_flag::EXTENSION);
    assert_eq!(response.nt_hash(), Some(NtHash::of("alice").bytes()));
    assert_eq!(response.account.bytes(), b"alice");
    assert_eq!(login(&state(""), &ask("bob")).status, user_flag::OK);
}

#[test]
fn a_user_without_system_account_has_no_ids() {
    let response = login(&state(""), &ask("ghost"));
    assert_eq!((response.uid, response.gid), (0xffff, 0xffff));
    assert_eq!(response.status, user_flag::OK);
}

#[test]
fn unknown_users_are_refused_or_become_guests() {
    assert_eq!(
        login(&state(""), &ask("mallory")).status,
        user_flag::BAD_USER
    );
    assert_eq!(login(&state(""), &ask("mallory")).hash_size, 0);
    let guest = login(
        &state("[global]\nmap to guest = bad user\n"),
        &ask("mallory"),
    );
    assert_eq!(guest.status, user_flag::OK | user_flag::GUEST_ACCOUNT);
    assert_eq!((guest.uid, guest.hash_size), (65534, 0));
    assert!(guest.account.is_empty());
}

#[test]
fn anonymous_is_the_guest_account() {
    assert_eq!(
        login(&state(""), &ask("")).status,
        user_flag::OK | user_flag::GUEST_ACCOUNT
    );
    let broken = state("[global]\nguest account = nosuch\n");
    assert_eq!(login(&broken, &ask("")).status, user_flag::BAD_UID);
}

#[test]
fn supplementary_groups_keep_32_bits() {
    assert_eq!(groups(&state(""), &ask("alice")), [50, 70_001]);
    assert!(groups(&state(""), &ask("bob")).is_empty());
    assert!(groups(&state(""), &ask("mallory")).is_empty());
    assert!(groups(&state(""), &ask("")).is_empty());
}

#[test]
fn wrong_passwords_delay_and_a_right_one_clears() {
    let state = state("");
    let end = |flags: u16| {
        logout(
            &state,
            &LogoutRequest {
                account: Text::new(b"alice").unwrap(),
                account_flags: flags.into(),
                reserved: [0; 16],
            },
        );
    };
    for _ in 0..10 {
        end(user_flag::BAD_PASSWORD);
    }
    assert_eq!(
        login(&state, &ask("alice")).status & user_flag::DELAY_SESSION,
        0
    );
    end(user_flag::BAD_PASSWORD);
    assert_ne!(
        login(&state, &ask("alice")).status & user_flag::DELAY_SESSION,
        0
    );
    end(0);
    assert_eq!(
        login(&state, &ask("alice")).status & user_flag::DELAY_SESSION,
        0
    );
}

#[test]
fn a_share_is_described() {
    let state = state("[Pics]\npath=/p\nread only=no\nforce user=bob\nveto files=/a/b*/\nsmb encrypt=required\nvfs objects=streams_xattr\n");
    let answer = share(&state, b"pics", 3);
    let flags = answer.head.flags;
    assert_eq!(answer.head.handle, 3);
    assert_eq!(answer.head.name.bytes(), b"Pics");
    assert_ne!(flags & share_flag::WRITEABLE, 0);
    assert_eq!(flags & share_flag::READONLY, 0);
    assert_ne!(flags & share_flag::ENCRYPT_DATA, 0);
    assert_ne!(flags & share_flag::STREAMS, 0);
    assert_eq!(answer.veto, b"a\0b*\0");
    assert_eq!(answer.path, b"/p");
    // bob's id does not fit the old field.
    assert_eq!(answer.head.force_uid, NO_FORCED_ID);
    assert_eq!(answer.head.forced_uid(), Some(70_000));
    assert_eq!(share(&state, b"nosuch", 3).head.flags, 0);
    assert_eq!(share(&state, &[0xff], 3).head.flags, 0);
    assert_ne!(share(&state, b"ipc$", 3).head.flags & share_flag::PIPE, 0);
}

#[test]
fn lists_decide_who_connects() {
    let state = state(
        "[open]\npath=/o\nread only=no\nread list=bob\n[some]\npath=/s\nvalid users=@staff\nwrite list=alice\nadmin users=alice\n\
         [not]\npath=/n\ninvalid users=alice\n",
    );
    let ok = |account: &str, share: &str, tree| {
        let response = connect(&state, account, user_flag::OK, share, tree);
        (response.status, response.connection_flags)
    };
    assert_eq!(
        ok("alice", "open", 1),
        (tree_status::OK, tree_flag::WRITABLE)
    );
    assert_eq!(
        ok("bob", "OPEN", 2),
        (tree_status::OK, tree_flag::READ_ONLY)
    );
    assert_eq!(
        ok("alice", "some", 3),
        (
            tree_status::OK,
            tree_flag::WRITABLE | tree_flag::ADMIN_ACCOUNT
        )
    );
    assert_eq!(ok("bob", "some", 4).0, tree_status::INVALID_USER);
    assert_eq!(ok("alice", "not", 5).0, tree_status::INVALID_USER);
    assert_eq!(ok("alice", "nosuch", 6).0, tree_status::NO_SHARE);
    assert_eq!(ok("mallory", "open", 7).0, tree_status::NO_USER);
    // Its end was missed: the same tree connect anew counts once.
    assert_eq!(ok("alice", "open", 1).0, tree_status::OK);
    assert_eq!(state.users_of("open"), 2);
}

#[test]
fn guests_connect_where_they_may() {
    let state = state("[g]\npath=/g\nguest ok=yes\nread only=no\n[u]\npath=/u\n");
    let guest = user_flag::OK | user_flag::GUEST_ACCOUNT;
    assert_eq!(
        connect(&state, "", guest, "g", 1).connection_flags,
        tree_flag::GUEST_ACCOUNT | tree_flag::WRITABLE
    );
    assert_eq!(
        connect(&state, "", guest, "u", 2).status,
        tree_status::INVALID_USER
    );
    assert_eq!(
        connect(&state, "", guest, "IPC$", 3).status,
        tree_status::OK
    );
    let strict = super::tests::state("[global]\nrestrict anonymous = 2\n");
    assert_eq!(
        connect(&strict, "", guest, "IPC$", 3).status,
        tree_status::ERROR
    );
}

#[test]
fn a_share_has_its_own_guests() {
    let state = state(
        "[theirs]\npath=/t\nguest ok=yes\nguest account=carol\n[all]\npath=/a\nguest ok=yes\n[only]\npath=/o\nguest ok=yes\nguest only=yes\n\
         [shut]\npath=/s\nguest account=dave\n[off]\npath=/x\nguest ok=yes\nguest account=nosuch\n",
    );
    let guest = user_flag::OK | user_flag::GUEST_ACCOUNT;
    // The name needs no password, and gives the system user's ids also to a module that knows no better.
    let response = login(&state, &ask("carol"));
    assert_eq!(
        (response.status, response.uid, response.hash_size),
        (guest, 1002, 0)
    );
    assert_eq!(response.account.bytes(), b"carol");
    for name in ["dave", "erin"] {
        assert_eq!(login(&state, &ask(name)).status, user_flag::BAD_USER);
    }
    assert_eq!(login(&state, &ask("nosuch")).status, user_flag::BAD_UID);
    // Whoever is a guest acts there as the share's guest account.
    let ids = |account: &str, flags, share: &str, tree| {
        let response = connect(&state, account, flags, share, tree);
        (response.status, { response.extension }.ids())
    };
    let (ok, no) = (tree_status::OK, tree_status::INVALID_USER);
    assert_eq!(ids("carol", guest, "theirs", 1), (ok, Some((1002, 1002))));
    assert_eq!(ids("", guest, "theirs", 2), (ok, Some((1002, 1002))));
    assert_eq!(ids("carol", guest, "all", 3), (ok, Some((65534, 65534))));
    assert_eq!(ids("carol", guest, "shut", 4), (no, None));
    assert_eq!(ids("", guest, "off", 5), (no, None));
    // Users are themselves, but where only guests are let in.
    assert_eq!(ids("alice", user_flag::OK, "theirs", 6), (ok, None));
    let only = ids("alice", user_flag::OK, "only", 7);
    assert_eq!(only, (ok, Some((65534, 65534))));
}

#[test]
fn limits_hold_and_are_freed() {
    let state = state("[global]\nmax active sessions = 1\n[a]\npath=/a\nmax connections = 2\n");
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 1).status,
        tree_status::OK
    );
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 2).status,
        tree_status::OK
    );
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 3).status,
        tree_status::TOO_MANY_CONNECTIONS
    );
    state.disconnect((1, 1));
    assert_eq!(state.users_of("A"), 1);
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 3).status,
        tree_status::OK
    );
    state.disconnect((1, 2));
    state.disconnect((1, 3));
    state.disconnect((1, 3));
    assert_eq!(state.users_of("a"), 0);
}

#[test]
fn hosts_are_looked_at() {
    let state = state("[a]\npath=/a\nhosts allow=10.0.0.0/24\n[b]\npath=/b\nhosts deny=10.\n");
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 1).status,
        tree_status::OK
    );
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "b", 2).status,
        tree_status::HOST_DENIED
    );
}

#[test]
fn addresses_as_the_kernel_prints_them() {
    for (text, address) in [
        ("10.0.0.5", "10.0.0.5"),
        ("::1", "::1"),
        ("[fe80::1%2]:445", "fe80::1"),
        ("[::ffff:10.0.0.5]", "::ffff:10.0.0.5"),
        ("10.0.0.5:1234", "10.0.0.5"),
    ] {
        assert_eq!(parse_address(text), address.parse().ok(), "{text}");
    }
    assert_eq!(parse_address("junk"), None);
}

#[test]
fn a_changed_share_is_announced_until_fetched() {
    let state = state("[a]\npath=/a\n[b]\npath=/b\n");
    state.replace(settings("[a]\npath=/new\n[b]\npath=/b\n"));
    assert_ne!(
        connect(&state, "alice", user_flag::OK, "a", 1).connection_flags & tree_flag::UPDATE,
        0
    );
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "b", 2).connection_flags & tree_flag::UPDATE,
        0
    );
    assert_eq!(share(&state, b"a", 1).path, b"/new");
    assert_eq!(
        connect(&state, "alice", user_flag::OK, "a", 3).connection_flags & tree_flag::UPDATE,
        0
    );
}
