// SPDX-License-Identifier: GPL-2.0

//! What is broken, cut off or hostile gets an error, and nothing is lost: files stay as they are, settings and connections as they
//! were.

use std::fs;
use std::path::Path;

use ksmbd_mountd::dispatch::{self, Server};
use ksmbd_mountd::link::{self, Message, Received};
use ksmbd_mountd::state::{self, Settings, Sources, State};
use ksmbd_tools::account::{Accounts, Ids};
use ksmbd_tools::users::{NtHash, Users};
use proptest::prelude::*;
use smb_proto::ipc::{rpc_flag, rpc_status, Command, LoginRequest, RpcCommand, Text};
use zerocopy::IntoBytes;

const CONFIG: &str = "; the house\n[global]\n\tnetbios name = BOX\n\ttcp port = 4450\n\tworkgroup = HOME\n\n[Public]\n\tpath = /p\n\tcreate mask = 0640\n\tveto files = /*.tmp/x y/\n\tvalid users = alice, @staff\n\tread only = no\n";

#[derive(Debug)]
struct OneUser;

impl Accounts for OneUser {
    fn user(&self, name: &str) -> Option<Ids> {
        (name == "alice").then_some(Ids {
            uid: 1000,
            gid: 1000,
        })
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "staff").then_some(50)
    }

    fn groups_of(&self, _: &str, _: u32) -> Vec<u32> {
        Vec::new()
    }

    fn is_member(&self, _: &str, _: &str) -> bool {
        false
    }
}

/// A folder with a configuration and a database.
struct Place {
    _dir: tempfile::TempDir,
    sources: Sources,
}

impl Place {
    fn new(config: &[u8], users: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let sources = Sources {
            config: dir.path().join("ksmbd.conf"),
            users: dir.path().join("ksmbdpwd.db"),
            port: None,
        };
        fs::write(&sources.config, config).expect("a configuration");
        fs::write(&sources.users, users).expect("a database");
        Place { _dir: dir, sources }
    }

    /// Loads both, and looks whether the files are as before.
    fn load(&self) -> Result<Settings, String> {
        let read = |path: &Path| fs::read(path).expect("a file");
        let before = (read(&self.sources.config), read(&self.sources.users));
        let loaded = state::load(&self.sources, &OneUser);
        let after = (read(&self.sources.config), read(&self.sources.users));
        assert!(before == after, "a file was changed by reading it");
        loaded
    }
}

fn database() -> String {
    let mut users = Users::default();
    for name in ["alice", "bob", "chris"] {
        users.set(name, NtHash::of(name));
    }
    users.text().to_string()
}

#[test]
fn a_database_that_is_cut_off_is_read_up_to_a_line_or_not_at_all() {
    let whole = database();
    let all = Users::parse(Path::new("db"), &whole).expect("the whole one");
    for cut in 0..whole.len() {
        let place = Place::new(CONFIG.as_bytes(), &whole.as_bytes()[..cut]);
        match place.load() {
            Ok(settings) => {
                // Whoever is there has the password that he had: never another, and never none.
                for (name, hash) in settings.users.iter() {
                    assert_eq!(all.get(name), Some(hash), "{cut} bytes: {name}");
                }
            }
            Err(said) => {
                let line = whole[..cut].matches('\n').count() + 1;
                assert!(
                    said.contains(&format!("ksmbdpwd.db:{line}: ")),
                    "{cut}: {said}"
                );
                assert!(!said.contains("=="), "a secret in a message: {said}");
            }
        }
    }
}

#[test]
fn a_configuration_that_is_cut_off_is_read_up_to_a_line_or_not_at_all() {
    let whole = Place::new(CONFIG.as_bytes(), database().as_bytes())
        .load()
        .expect("the whole one");
    for cut in 0..CONFIG.len() {
        let place = Place::new(&CONFIG.as_bytes()[..cut], database().as_bytes());
        if let Ok(settings) = place.load() {
            assert_eq!(settings.users, whole.users);
        }
        for tail in [&b"\xff\xfe\0["[..], b"\n[", b"\ntcp port = many\n"] {
            let broken = [&CONFIG.as_bytes()[..cut], tail].concat();
            let _ = Place::new(&broken, b"").load();
        }
    }
    for broken in [
        &b"[global]\ntcp port = many\n"[..],
        b"[glo\xffbal]\n",
        b"[global\n",
        b"[s]\npath = /p\ncreate mask = 9\n",
    ] {
        let said = Place::new(broken, b"").load().expect_err("a broken one");
        assert!(said.contains("ksmbd.conf"), "{said}");
    }
}

#[test]
fn files_that_are_none_are_told_and_stay() {
    let place = Place::new(CONFIG.as_bytes(), b"");
    fs::remove_file(&place.sources.users).expect("the database");
    fs::create_dir(&place.sources.users).expect("a folder in its place");
    let said = state::load(&place.sources, &OneUser).expect_err("a folder");
    assert!(said.contains("ksmbdpwd.db"), "{said}");
    assert!(place.sources.users.is_dir());
}

fn server() -> Server {
    let settings = Place::new(CONFIG.as_bytes(), database().as_bytes())
        .load()
        .expect("settings");
    Server::new(State::new(settings, Box::new(OneUser)), [1, 2, 3])
}

/// Whether a user logs in as ever.
fn works(server: &Server) -> bool {
    let request = LoginRequest {
        handle: 7,
        account: Text::new(b"alice").expect("a name"),
        reserved: [0; 16],
    };
    let answer = dispatch::handle(
        server,
        &Message {
            command: Command::LoginRequest.number(),
            payload: request.as_bytes().to_vec(),
        },
    );
    // Handle, gid, uid of the answer.
    answer.is_some_and(|(_, payload)| {
        payload.get(..12) == Some(&[7, 0, 0, 0, 0xe8, 3, 0, 0, 0xe8, 3, 0, 0])
    })
}

#[test]
fn messages_of_every_kind_and_size_change_no_settings() {
    let server = server();
    let settings = server.state.settings();
    for command in 0..=255 {
        for size in (0..1300).step_by(13) {
            for byte in [0, 1, b'a', 0xff] {
                let payload = vec![byte; size];
                let _ = dispatch::handle(&server, &Message { command, payload });
            }
        }
    }
    assert!(std::sync::Arc::ptr_eq(&settings, &server.state.settings()));
    assert!(works(&server));
}

#[test]
fn calls_on_pipes_that_are_not_open_are_refused() {
    let server = server();
    for flags in [
        rpc_flag::READ | rpc_flag::RETURN,
        rpc_flag::WRITE,
        rpc_flag::IOCTL | rpc_flag::RETURN,
        rpc_flag::CLOSE,
    ] {
        let request = RpcCommand {
            handle: 1,
            flags: flags | rpc_flag::SRVSVC,
            payload: &[5; 100],
        };
        let (status, answer) = server.pipes.command(&server, &request);
        assert_eq!((status, answer), (rpc_status::BAD_FID, Vec::new()));
    }
    assert!(works(&server));
}

proptest! {
    #[test]
    fn any_message_leaves_the_server_working(
        messages in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
    ) {
        let server = server();
        for (command, payload) in messages {
            let _ = dispatch::handle(&server, &Message { command, payload });
        }
        prop_assert!(works(&server));
    }

    #[test]
    fn any_datagram_leaves_the_server_working(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
    ) {
        let server = server();
        for datagram in datagrams {
            for received in link::split(&datagram, 33) {
                if let Received::Message(message) = received {
                    let _ = dispatch::handle(&server, &message);
                }
            }
        }
        prop_assert!(works(&server));
    }

    #[test]
    fn any_database_is_read_or_told(bytes: Vec<u8>) {
        if let Err(said) = Place::new(CONFIG.as_bytes(), &bytes).load() {
            prop_assert!(said.contains("ksmbdpwd.db:"), "{}", said);
        }
    }

    #[test]
    fn any_configuration_is_read_or_told(bytes: Vec<u8>) {
        if let Err(said) = Place::new(&bytes, b"").load() {
            prop_assert!(said.contains("ksmbd.conf"), "{}", said);
        }
    }
}
