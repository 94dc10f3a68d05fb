// SPDX-License-Identifier: GPL-2.0

//! What reaches the daemon: the module's messages, the procedure calls in them, and its files.

use std::path::Path;
use std::sync::OnceLock;

use ksmbd_mountd::dispatch::{self, Server};
use ksmbd_mountd::link::{self, Message, Received};
use ksmbd_mountd::state::{Settings, State};
use ksmbd_tools::account::{Accounts, Ids};
use ksmbd_tools::config::document::{fold_key, Document};
use ksmbd_tools::config::edit::Text;
use ksmbd_tools::config::Config;
use ksmbd_tools::subauth;
use ksmbd_tools::users::{NtHash, Users};
use smb_proto::ipc::{rpc_flag, RpcCommand};

use crate::choice;

const CONFIG: &str = "[global]\nnetbios name = BOX\nmap to guest = bad user\n[Public]\npath=/p\ncomment=All of it\n[hid]\npath=/h\nbrowseable=no\nvalid users = alice\n";

/// One user, one group.
struct Fake;

impl Accounts for Fake {
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
        vec![50]
    }

    fn is_member(&self, user: &str, group: &str) -> bool {
        user == "alice" && group == "staff"
    }
}

fn document(text: &str) -> Document {
    Document::parse(Path::new("ksmbd.conf"), text, &|_| {
        Err(std::io::ErrorKind::NotFound.into())
    })
}

pub(crate) fn server() -> Server {
    static CONFIGURATION: OnceLock<Config> = OnceLock::new();
    let config = CONFIGURATION.get_or_init(|| {
        Config::build(document(CONFIG), &Fake)
            .config
            .expect("a configuration")
    });
    let mut users = Users::default();
    users.set("alice", NtHash::of("secret"));
    let settings = Settings {
        config: config.clone(),
        users,
    };
    Server::new(State::new(settings, Box::new(Fake)), [1, 2, 3])
}

/// Procedure calls on a pipe: the first byte says which, and what follows are messages, each behind two bytes of length.
pub fn rpc(data: &[u8]) {
    let Some((pipe, mut rest)) = choice(data) else {
        return;
    };
    let pipes = [
        rpc_flag::SRVSVC,
        rpc_flag::WKSSVC,
        rpc_flag::SAMR,
        rpc_flag::LSARPC,
    ];
    let flag = pipes[pipe % pipes.len()];
    let server = server();
    let ask = |flags: u32, payload: &[u8]| {
        let request = RpcCommand {
            handle: 7,
            flags,
            payload,
        };
        let (_, answer) = server.pipes.command(&server, &request);
        assert!(
            answer.len() <= 1 << 20,
            "an answer of {} bytes",
            answer.len()
        );
    };
    ask(rpc_flag::OPEN | flag, &[]);
    while let Some((len, tail)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)).min(tail.len());
        let (payload, tail) = tail.split_at(len);
        if pipe & 0x40 == 0 {
            ask(rpc_flag::IOCTL | rpc_flag::RETURN | flag, payload);
        } else {
            ask(rpc_flag::WRITE | flag, payload);
            ask(rpc_flag::READ | rpc_flag::RETURN | flag, &[]);
        }
        rest = tail;
    }
    ask(rpc_flag::CLOSE | flag, &[]);
}

/// The family that datagrams are for.
const FAMILY: u16 = 33;

/// A message of the module's; the first byte is its command. Where that is 255, what follows is a datagram with any number of
/// messages.
pub fn netlink(data: &[u8]) {
    let Some((command, payload)) = choice(data) else {
        return;
    };
    let server = server();
    let answer = |message: &Message| {
        if let Some((_, answer)) = dispatch::handle(&server, message) {
            assert!(answer.len() < 1 << 16, "an answer that no attribute holds");
        }
    };
    if command == 255 {
        for received in link::split(payload, FAMILY) {
            if let Received::Message(message) = received {
                answer(&message);
            }
        }
    } else {
        answer(&Message {
            command: u8::try_from(command).expect("a byte"),
            payload: payload.to_vec(),
        });
    }
}

/// The configuration, and what `ksmbd.addshare` does with it: a key that it sets is set afterwards, and nothing else changes.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let loaded = Config::build(document(text), &Fake);
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.message.is_empty(), "it says something");
    }
    let mut edited = Text::new(text);
    assert_eq!(
        edited.text(),
        text,
        "what is taken apart is put together again"
    );
    if edited.has_section("s") {
        edited.set("s", "comment", "edited");
        assert_eq!(comment(&edited.text()).as_deref(), Some("edited"));
        edited.unset("s", "comment");
        assert_eq!(comment(&edited.text()), None);
    }
    edited.remove_section("s");
    assert!(!edited.has_section("s"));
    edited.add_section("s");
    assert!(edited.has_section("s"));
}

/// The comment of the section `s`.
fn comment(text: &str) -> Option<String> {
    let document = document(text);
    let section = document.section("s")?;
    section
        .entries
        .iter()
        .find(|entry| fold_key(&entry.key) == "comment")
        .map(|entry| entry.value.clone())
}

/// The database of users, and the numbers of the domain: what can be read is written as it was.
pub fn users(data: &[u8]) {
    let path = Path::new("ksmbdpwd.db");
    match Users::from_bytes(path, data.to_vec().into()) {
        Ok(users) => {
            let again = Users::parse(path, &users.text()).expect("what was written");
            assert_eq!(again, users);
        }
        Err(error) => assert!(error.to_string().starts_with("ksmbdpwd.db:"), "{error}"),
    }
    if let Some(numbers) = std::str::from_utf8(data).ok().and_then(subauth::parse) {
        assert_eq!(subauth::parse(&subauth::format(numbers)), Some(numbers));
    }
}
