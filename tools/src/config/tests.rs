// SPDX-License-Identifier: GPL-2.0

//! Tests of the configuration's meaning.

use super::*;
use crate::account::Ids;
use proptest::prelude::*;

/// Users alice (1000) and bob (1001) and the group staff (50) with alice.
pub(crate) struct Fake;

impl Accounts for Fake {
    fn user(&self, name: &str) -> Option<Ids> {
        match name {
            "alice" => Some(Ids {
                uid: 1000,
                gid: 1000,
            }),
            "bob" => Some(Ids {
                uid: 100_001,
                gid: 100_001,
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
            vec![50]
        } else {
            Vec::new()
        }
    }
    fn is_member(&self, user: &str, group: &str) -> bool {
        user == "alice" && group == "staff"
    }
}

fn load(text: &str) -> Loaded {
    let document = Document::parse(Path::new("c"), text, &|_| {
        Err(std::io::ErrorKind::NotFound.into())
    });
    Config::build(document, &Fake)
}

fn good(text: &str) -> Config {
    let loaded = load(text);
    assert_eq!(loaded.diagnostics, []);
    loaded.config.expect("a configuration")
}

fn messages(text: &str) -> Vec<String> {
    load(text)
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = good("[s]\npath = /srv\n");
    let global = &config.global;
    assert_eq!(global.guest_account, "nobody");
    assert_eq!(global.max_active_sessions, 1024);
    assert_eq!(global.max_connections, 128);
    assert_eq!(global.max_open_files, 10000);
    assert_eq!(global.netbios_name, "KSMBD SERVER");
    assert_eq!(global.server_string, "SMB SERVER");
    assert_eq!(global.fake_fscaps, 64);
    assert_eq!(global.tcp_port, 445);
    assert_eq!(global.workgroup, "WORKGROUP");
    assert_eq!(global.signing, Setting::Disabled);
    assert_eq!(global.encryption, Setting::Auto);
    assert!(!global.leases && !global.durable_handles && !global.multi_channel);
    let share = config.share("S").expect("share");
    assert!(share.browseable && share.hide_dot_files && share.oplocks && share.cross_mount);
    assert!(
        share.store_dos_attributes && !share.writable && !share.guest_ok && !share.follow_symlinks
    );
    assert_eq!((share.create_mask, share.directory_mask), (0o744, 0o755));
    assert_eq!(share.max_connections, 128);
    let ipc = config.share("ipc$").expect("IPC$");
    assert!(ipc.is_pipe && ipc.guest_ok && !ipc.writable);
}

#[test]
fn share_overrides_global_default() {
    let config = good("[global]\nbrowseable = no\nread only = yes\n[a]\npath=/a\nwritable = yes\n[b]\npath=/b\nbrowseable=yes\n");
    let (a, b) = (config.share("a").unwrap(), config.share("b").unwrap());
    assert!(!a.browseable && a.writable);
    assert!(b.browseable && !b.writable);
}

#[test]
fn keys_of_both_scopes_are_no_defaults() {
    let config = good("[global]\nmax connections = 7\nguest account = alice\n[a]\npath=/a\n");
    assert_eq!(config.global.max_connections, 7);
    let share = config.share("a").unwrap();
    assert_eq!(share.max_connections, 128);
    assert_eq!(share.guest_account, None);
}

#[test]
fn read_only_counts_before_writable() {
    for (keys, writable) in [
        ("read only = no", true),
        ("read only = yes\nwritable = yes", false),
        ("writeable = no\nwritable = yes", true),
        ("write ok = yes", true),
        ("read only =\nwrite ok = yes", true),
        ("", false),
    ] {
        assert_eq!(
            good(&format!("[a]\npath=/a\n{keys}\n"))
                .share("a")
                .unwrap()
                .writable,
            writable,
            "{keys}"
        );
    }
}

#[test]
fn first_value_that_is_not_empty_wins() {
    let loaded = load("[a]\npath =\npath = /one\npath = /two\n");
    assert_eq!(loaded.config.unwrap().share("a").unwrap().path, "/one");
    assert_eq!(loaded.diagnostics.len(), 1);
    assert!(loaded.diagnostics[0]
        .to_string()
        .starts_with("c:4:1: warning: `path` already has a value, at c:3:1"));
}

#[test]
fn forced_ids_have_32_bits() {
    let config = good(
        "[a]\npath=/a\nforce user = bob\n[b]\npath=/b\nforce user = bob\nforce group = staff\n",
    );
    let a = config.share("a").unwrap();
    assert_eq!((a.force_uid, a.force_gid), (Some(100_001), Some(100_001)));
    assert_eq!(config.share("b").unwrap().force_gid, Some(50));
}

#[test]
fn a_share_that_cannot_be_served_is_left_out() {
    let loaded =
        load("[a]\npath=/a\nforce user = nosuch\n[b]\n[c]\npath = relative\n[d]\npath=/d\n");
    assert_eq!(
        loaded
            .diagnostics
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "c:3:14: error: `nosuch` is not a system user; the share is left out",
            "c:4:2: error: [b] has no `path` and is left out",
            "c:6:8: error: `path = relative`: expected an absolute path; [c] is left out",
        ]
    );
    let config = loaded.config.expect("the rest is served");
    assert!(
        config.share("a").is_none() && config.share("b").is_none() && config.share("d").is_some()
    );
}

#[test]
fn says_what_is_allowed() {
    assert_eq!(
        messages("[global]\n\ttcp port = 99999\n[a]\npath = /a\nread only = ture\n"),
        [
            "c:2:13: error: `tcp port = 99999`: expected a number from 1 to 65535",
            "c:5:13: error: `read only = ture`: expected yes or no",
        ]
    );
    assert!(load("[a]\npath=/a\nread only = ture\n").config.is_none());
}

#[test]
fn names_what_it_does_not_know() {
    assert_eq!(
        messages("[global]\nsecurity = user\n[a]\npath = /a\nvalid user = x\ntcp port = 1\nfrobnicate = 1\n"),
        [
            "c:2:1: warning: `security` is a key of Samba's without effect here",
            "c:5:1: warning: `valid user` is not a known key; did you mean `valid users`?",
            "c:6:1: warning: `tcp port` has no effect outside [global]",
            "c:7:1: warning: `frobnicate` is not a known key",
        ]
    );
}

#[test]
fn a_broken_default_is_reported_once() {
    assert_eq!(
        messages("[global]\nbrowseable = x\n[a]\npath=/a\n[b]\npath=/b\n").len(),
        1
    );
}

#[test]
fn root_directory_stands_before_paths() {
    let config = good("[global]\nroot directory = /root/\n[a]\npath = /a\n");
    assert_eq!(config.share("a").unwrap().path, "/root/a");
}

#[test]
fn lists_of_users_hold_groups() {
    let config = good("[a]\npath = /a\nvalid users = bob, @staff\n");
    let listed = |name: &str| {
        config
            .share("a")
            .unwrap()
            .valid_users
            .iter()
            .any(|user| user.matches(name, &Fake))
    };
    assert!(listed("alice") && listed("bob") && !listed("staff") && !listed("carol"));
}

#[test]
fn per_share_encryption_and_hosts() {
    let config =
        good("[a]\npath=/a\nsmb encrypt = required\nhosts allow = 10.0.0.0/8\n[b]\npath=/b\n");
    let (a, b) = (config.share("a").unwrap(), config.share("b").unwrap());
    assert!(a.encrypt && !b.encrypt);
    assert!(a.admits([10, 1, 1, 1].into()) && !a.admits([11, 1, 1, 1].into()));
}

#[test]
fn protocols_must_not_cross() {
    let loaded = load("[global]\nserver min protocol = SMB3_11\nserver max protocol = SMB2_10\n");
    assert!(loaded.config.is_none());
}

#[test]
fn takes_the_configuration_that_the_c_tools_ship() {
    // Every key of ksmbd.conf(5) with its documented default.
    let loaded = load(
        "; see ksmbd.conf(5) for details\n\n[global]\n\t; global parameters\n\tbind interfaces only = no\n\tdeadtime = 0\n\
         \tguest account = nobody\n\tinterfaces = \n\tipc timeout = 0\n\tkerberos keytab file = \n\tkerberos service name = \n\
         \tkerberos support = no\n\tmap to guest = never\n\tmax active sessions = 1024\n\tmax connections = 128\n\
         \tmax open files = 10000\n\tnetbios name = KSMBD SERVER\n\trestrict anonymous = 0\n\troot directory = \n\
         \tserver max protocol = SMB3_11\n\tserver min protocol = SMB2_10\n\tserver multi channel support = no\n\
         \tserver signing = disabled\n\tserver string = SMB SERVER\n\tshare:fake_fscaps = 64\n\tsmb2 leases = no\n\
         \tsmb2 max credits = 8192\n\tsmb2 max read = 4MB\n\tsmb2 max trans = 1MB\n\tsmb2 max write = 4MB\n\
         \tsmb3 encryption = auto\n\tsmbd max io size = 8MB\n\ttcp port = 445\n\tworkgroup = WORKGROUP\n\
         \tdurable handles = no\n\n\t; default share parameters\n\tbrowseable = yes\n\tcomment = \n\tcreate mask = 0744\n\
         \tcrossmnt = yes\n\tdirectory mask = 0755\n\tforce create mode = 0000\n\tforce directory mode = 0000\n\
         \tforce group = \n\tforce user = \n\tguest ok = no\n\thide dot files = yes\n\tinherit owner = no\n\
         \tinvalid users = \n\toplocks = yes\n\tpath = \n\tread list = \n\tread only = ; yes\n\tstore dos attributes = yes\n\
         \tvalid users = \n\tveto files = \n\tvfs objects = \n\twritable = \n\twriteable = \n\twrite list = \n\twrite ok = \n\n\
         [example]\n\t; share parameters\n\tcomment = read only = no, guest ok = no\n\tpath = /mnt\n\tread only = no\n\tguest ok = no\n",
    );
    // One key of them has no effect yet.
    let said: Vec<&str> = loaded
        .diagnostics
        .iter()
        .map(|said| said.message.as_str())
        .collect();
    assert!(
        matches!(said[..], [one] if one.starts_with("`smbd max io size = 8MB` has no effect yet")),
        "{said:?}"
    );
    let config = loaded.config.expect("a configuration");
    assert_eq!(config.global.max_write, 4 << 20);
    assert!(config.share("example").unwrap().writable);
}

proptest! {
    #[test]
    fn any_configuration_gives_an_answer(
        lines in proptest::collection::vec(
            (proptest::sample::select(Key::ALL), "\\PC{0,12}"), 0..12),
        global: bool,
    ) {
        let mut text = String::from(if global { "[global]\n" } else { "[s]\n" });
        for (key, value) in lines {
            text.push_str(&format!("{} = {value}\n", key.name()));
        }
        text.push_str("[t]\npath = /t\n");
        let loaded = load(&text);
        prop_assert!(loaded.config.is_some() || !loaded.is_clean());
    }
}

#[test]
fn what_has_no_effect_yet_is_said_by_name() {
    let said = messages(
        "[global]\ndurable handles = yes\nsmbd max io size = 8M\naapl model = X\ntime machine = yes\n[s]\npath = /s\n\
         vfs objects = streams_xattr ACL_XATTR\ncontinuous availability = yes\ntime machine = yes\n",
    );
    let names = [
        "2:1: warning: `durable handles = yes` has no effect yet",
        "3:1: warning: `smbd max io size = 8M` has no effect yet",
        "4:1: warning: `aapl model = X` has no effect yet",
        "5:1: warning: `time machine = yes` has no effect yet",
        "8:1: warning: `vfs objects = streams_xattr ACL_XATTR` has only part",
        "9:1: warning: `continuous availability = yes` has only part",
        "10:1: warning: `time machine = yes` has no effect yet",
    ];
    for name in names {
        assert!(
            said.iter()
                .any(|said| said.starts_with(&format!("c:{name}"))),
            "{name}: {said:?}"
        );
    }
    assert_eq!(said.len(), names.len(), "{said:?}");
    // What is announced acts, and what is not asked for need not act.
    good("[global]\nmulticast dns register = yes\naapl model = X\ndurable handles = no\n[s]\npath = /s\ntime machine = yes\nvfs objects = streams_xattr\n");
}

#[test]
fn a_guest_account_that_does_not_exist_is_said() {
    let said = messages("[s]\npath = /s\nguest ok = yes\nguest account = nosuch\n");
    assert_eq!(
        said,
        ["c:4:17: warning: `nosuch` is not a system user: guests are not let in"]
    );
}
