// SPDX-License-Identifier: GPL-2.0

//! Tests of NetrSessionEnum and NetrFileEnum, over a module's files as it writes them.

use std::fs;

use ksmbd_tools::status::Source;

use super::super::association::Association;
use super::super::budget::Budget;
use super::super::ndr::{Array, Level, Syntax};
use super::super::pdu::{self, flag, kind};
use super::super::srvsvc::Container;
use super::super::{Caller, Interface, SRVSVC};
use super::*;
use crate::answer::tests::state;
use crate::dispatch::Server;

/// The number of the pipe under test.
const PIPE: u32 = 77;

/// A module with sessions of alice and bob, a file of alice's, and the pipe, which is `whose`.
fn module(whose: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("proc");
    fs::create_dir_all(root.join("sessions")).unwrap();
    fs::write(root.join("trees"), "").unwrap();
    fs::write(
        root.join("sessions/sessions"),
        "client:\t192.0.2.7\nconnection:\t1\nuser:\talice\naccount_type:\tuser\nid:\t5\nstate:\tvalid\ndialect:\t0x0311\n\
         age_seconds:\t100\nidle_seconds:\t4\nopen_files:\t2\n\n\
         client:\t2001:db8::1\nconnection:\t2\nuser:\tbob\naccount_type:\tguest\nid:\t6\nstate:\tvalid\ndialect:\t0x0210\n\
         age_seconds:\t9\nidle_seconds:\t9\nopen_files:\t0\n\n\
         client:\t192.0.2.8\nid:\t7\nstate:\tprogress\nopen_files:\t0\n\n",
    )
    .unwrap();
    fs::write(
        root.join("files"),
        format!(
            "volatile_id:\t0x100000010\nsession:\t5\nuser:\talice\nshare:\tPublic\ntype:\tfile\ndesired_access:\t0x00000007\nlocks:\t3\n\
             name:\tdir/report.txt\n\n\
             volatile_id:\t0x11\nsession:\t5\nuser:\t{whose}\nshare:\tIPC$\ntype:\tpipe\ndesired_access:\t0x00000003\nrpc_handle:\t{PIPE}\n\
             name:\tsrvsvc\n\n"
        ),
    )
    .unwrap();
    dir
}

fn server(dir: &tempfile::TempDir) -> Server {
    let mut server = Server::new(
        state("[global]\nadmin users = alice\n[Public]\npath=/p\n"),
        [1, 2, 3],
    );
    server.status = Source::at(dir.path());
    server
}

/// Calls an operation directly; gives its results.
fn call(server: &Server, restricted: bool, number: u16, stub: &[u8]) -> Vec<u8> {
    let handles = super::super::handles::Handles::default();
    let call = Call {
        server,
        is_restricted: restricted,
        handles: &handles,
        pipe: PIPE,
    };
    let mut input = Decoder::new(stub, super::super::ndr::Syntax::Ndr);
    let mut output = Encoder::new(super::super::ndr::Syntax::Ndr);
    srvsvc::Srvsvc
        .call(&call, number, &mut input, &mut output)
        .unwrap();
    output.finish()
}

struct Asking<'a> {
    first: Option<&'a str>,
    user: Option<&'a str>,
    level: u32,
    preferred: u32,
    resume: Option<u32>,
}

const ALL: Asking<'static> = Asking {
    first: None,
    user: None,
    level: 0,
    preferred: u32::MAX,
    resume: Some(0),
};

impl Asking<'_> {
    fn stub(&self) -> Vec<u8> {
        let text = |text: Option<&str>| text.map_or(Unique::Null, name);
        let mut e = Encoder::new(super::super::ndr::Syntax::Ndr);
        e.param(&name("\\\\box"));
        e.param(&text(self.first));
        e.param(&text(self.user));
        e.param(&self.level);
        e.param(&Level {
            level: self.level,
            arm: Unique::To(Container::<u32> {
                entries: 0,
                buffer: Unique::Null,
            }),
        });
        e.param(&self.preferred);
        e.param(&self.resume.map_or(Unique::Null, Unique::To));
        e.finish()
    }
}

/// Entries, total, resume handle and status of an answer.
fn read<T: Decode>(level: u32, stub: &[u8]) -> (Vec<T>, u32, Option<u32>, u32) {
    let mut d = Decoder::new(stub, super::super::ndr::Syntax::Ndr);
    assert_eq!(d.param::<u32>(), Ok(level));
    assert_eq!(d.param::<u32>(), Ok(level));
    let container: Unique<Container<T>> = d.param().unwrap();
    let entries = match container {
        Unique::To(Container {
            buffer: Unique::To(Array(entries)),
            ..
        }) => entries,
        _ => Vec::new(),
    };
    let total = d.param().unwrap();
    let resume: Unique<u32> = d.param().unwrap();
    let status = d.param().unwrap();
    assert_eq!(d.remaining(), 0);
    (entries, total, resume.as_ref().copied(), status)
}

const SESSIONS: u16 = 12;
const FILES: u16 = 9;

#[test]
fn sessions_of_every_level() {
    let dir = module("alice");
    let server = server(&dir);
    let ask = |level| call(&server, false, SESSIONS, &Asking { level, ..ALL }.stub());
    let (entries, total, resume, status) = read::<SessionInfo502>(502, &ask(502));
    assert_eq!((total, resume, status), (2, Some(0), 0));
    assert_eq!(
        entries[0],
        SessionInfo502 {
            client: name("192.0.2.7"),
            user: name("alice"),
            opens: 2,
            time: 100,
            idle: 4,
            flags: 0,
            client_type: name("SMB3_11"),
            transport: name("tcp"),
        }
    );
    assert_eq!(entries[1].flags, SESSION_GUEST);
    assert_eq!(read::<SessionInfo0>(0, &ask(0)).0.len(), 2);
    assert_eq!(
        read::<SessionInfo1>(1, &ask(1)).0[1].client,
        name("2001:db8::1")
    );
    assert_eq!(
        read::<SessionInfo2>(2, &ask(2)).0[0].client_type,
        name("SMB3_11")
    );
    assert_eq!(read::<SessionInfo10>(10, &ask(10)).0[1].time, 9);
    assert_eq!(read::<u32>(3, &ask(3)).3, status::INVALID_LEVEL);
}

#[test]
fn sessions_are_chosen_by_client_and_user() {
    let dir = module("alice");
    let server = server(&dir);
    let ask = |first, user| {
        let asking = Asking {
            first,
            user,
            level: 10,
            ..ALL
        };
        read::<SessionInfo10>(10, &call(&server, false, SESSIONS, &asking.stub()))
    };
    assert_eq!(ask(Some("\\\\192.0.2.7"), None).0[0].user, name("alice"));
    assert_eq!(ask(None, Some("BOB")).0.len(), 1);
    assert_eq!(ask(Some(""), Some("")).0.len(), 2);
    assert_eq!(ask(Some("\\\\192.0.2.99"), None).3, CLIENT_NAME_NOT_FOUND);
    assert_eq!(ask(None, Some("carol")).3, USER_NOT_FOUND);
}

#[test]
fn what_others_do_is_for_administrators() {
    let (alices, bobs) = (module("alice"), module("bob"));
    let of = |dir, restricted, operation, level| {
        let stub = call(
            &server(dir),
            restricted,
            operation,
            &Asking { level, ..ALL }.stub(),
        );
        read::<u32>(level, &stub).3
    };
    for level in [1, 2, 502] {
        assert_eq!(of(&bobs, false, SESSIONS, level), status::ACCESS_DENIED);
    }
    for level in [2, 3] {
        assert_eq!(of(&bobs, false, FILES, level), status::ACCESS_DENIED);
        assert_eq!(of(&alices, true, FILES, level), status::ACCESS_DENIED);
    }
    // Guests learn nothing at all.
    assert_eq!(of(&alices, true, SESSIONS, 10), status::ACCESS_DENIED);
    let server = server(&bobs);
    let stub = call(
        &server,
        false,
        SESSIONS,
        &Asking { level: 10, ..ALL }.stub(),
    );
    assert_eq!(read::<SessionInfo10>(10, &stub).3, 0);
}

#[test]
fn files_of_both_levels() {
    let dir = module("alice");
    let server = server(&dir);
    let ask = |first, level| {
        let asking = Asking {
            first,
            level,
            ..ALL
        };
        call(&server, false, FILES, &asking.stub())
    };
    let (entries, total, _, status) = read::<FileInfo3>(3, &ask(None, 3));
    assert_eq!((total, status), (2, 0));
    assert_eq!(
        entries[0],
        FileInfo3 {
            id: 0x10,
            permissions: 7,
            locks: 3,
            path: name("C:\\Public\\dir\\report.txt"),
            user: name("alice"),
        }
    );
    assert_eq!(entries[1].path, name("\\PIPE\\srvsvc"));
    assert_eq!(read::<FileInfo2>(2, &ask(None, 2)).0[1].id, 0x11);
    assert_eq!(
        read::<FileInfo2>(2, &ask(Some("c:\\public\\DIR"), 2))
            .0
            .len(),
        1
    );
    assert_eq!(read::<u32>(1, &ask(None, 1)).3, status::INVALID_LEVEL);
}

#[test]
fn a_client_with_little_room_comes_again() {
    let dir = module("alice");
    let server = server(&dir);
    let ask = |resume| {
        let asking = Asking {
            level: 10,
            preferred: 1,
            resume: Some(resume),
            ..ALL
        };
        read::<SessionInfo10>(10, &call(&server, false, SESSIONS, &asking.stub()))
    };
    let (first, total, resume, code) = ask(0);
    assert_eq!(
        (first.len(), total, resume, code),
        (1, 2, Some(1), MORE_DATA)
    );
    let (second, total, resume, code) = ask(1);
    assert_eq!(
        (second.len(), total, resume, code),
        (1, 1, Some(0), status::OK)
    );
    assert_eq!(second[0].user, name("bob"));
    assert_eq!(ask(u32::MAX).0.len(), 0);
}

#[test]
fn a_module_that_tells_nothing_is_not_an_empty_list() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir);
    let stub = call(
        &server,
        false,
        SESSIONS,
        &Asking { level: 10, ..ALL }.stub(),
    );
    assert_eq!(read::<u32>(10, &stub).3, NOT_SUPPORTED);
}

#[test]
fn the_pipe_knows_its_number() {
    let dir = module("alice");
    let server = server(&dir);
    let mut pipe = Association::new(SRVSVC, PIPE, Budget::default().share());
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    let id = SRVSVC.interfaces[0].id();
    let mut bind = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0];
    for id in [id, pdu::NDR] {
        bind.extend(id.uuid);
        bind.extend(id.version.to_le_bytes());
    }
    let frame = |kind: u8, body: &[u8]| {
        let length = u16::try_from(16 + body.len()).unwrap().to_le_bytes();
        let mut pdu = vec![
            5, 0, kind, 3, 0x10, 0, 0, 0, length[0], length[1], 0, 0, 1, 0, 0, 0,
        ];
        pdu.extend(body);
        pdu
    };
    pipe.write(&caller, &frame(kind::BIND, &bind)).unwrap();
    assert_eq!(pipe.read()[2], kind::BIND_ACK);
    let stub = Asking { level: 3, ..ALL }.stub();
    let mut body = vec![0; 8];
    body[6] = 9;
    body.extend(&stub);
    pipe.write(&caller, &frame(kind::REQUEST, &body)).unwrap();
    let answer = pipe.read();
    assert_eq!(
        (answer[2], answer[3] & flag::LAST),
        (kind::RESPONSE, flag::LAST)
    );
    assert_eq!(read::<FileInfo3>(3, &answer[24..]).3, status::OK);
}

/// Asks an operation for everything at a level; gives the entries. Question and answer come back as they were.
fn all_of<T>(server: &Server, syntax: Syntax, number: u16, level: u32) -> Vec<T>
where
    T: Encode + Decode + Clone + PartialEq + std::fmt::Debug,
{
    let choice = Choice {
        server: name("box"),
        first: Unique::Null,
        user: Unique::Null,
    };
    let asked = Enumerate::<T> {
        listing: listing(level, Vec::new()),
        preferred: u32::MAX,
        resume: Unique::To(0),
    };
    let mut e = Encoder::new(syntax);
    e.params(&choice);
    e.params(&asked);
    let stub = e.finish();
    let handles = super::super::handles::Handles::default();
    let call = Call {
        server,
        is_restricted: false,
        handles: &handles,
        pipe: PIPE,
    };
    let ask = |stub: &[u8]| {
        let mut output = Encoder::new(syntax);
        let mut input = Decoder::new(stub, syntax);
        let result = srvsvc::Srvsvc.call(&call, number, &mut input, &mut output);
        result.map(|()| output.finish())
    };
    for cut in 0..stub.len() {
        assert!(ask(&stub[..cut]).is_err(), "level {level}: {cut} bytes");
    }
    let answer = ask(&stub).unwrap();
    let mut d = Decoder::new(&answer, syntax);
    let found: Enumerated<T> = d.params().unwrap();
    assert_eq!((d.remaining(), found.status), (0, 0), "level {level}");
    let mut e = Encoder::new(syntax);
    e.params(&found);
    assert_eq!(e.finish(), answer);
    let container = found.listing.container.arm.as_ref().unwrap();
    container.buffer.as_ref().unwrap().0.clone()
}

#[test]
fn every_level_in_both_syntaxes() {
    let dir = module("alice");
    let server = server(&dir);
    for syntax in [Syntax::Ndr, Syntax::Ndr64] {
        let sessions = |level| all_of::<SessionInfo502>(&server, syntax, SESSIONS, level);
        let whole = sessions(502);
        let users: Vec<_> = whole.iter().map(|session| session.user.clone()).collect();
        assert_eq!(users, [name("alice"), name("bob")]);
        assert_eq!(whole[1].client, name("2001:db8::1"));
        assert_eq!(
            all_of::<SessionInfo0>(&server, syntax, SESSIONS, 0).len(),
            2
        );
        assert_eq!(
            all_of::<SessionInfo1>(&server, syntax, SESSIONS, 1)[0].opens,
            2
        );
        assert_eq!(
            all_of::<SessionInfo2>(&server, syntax, SESSIONS, 2)[1].flags,
            1
        );
        assert_eq!(
            all_of::<SessionInfo10>(&server, syntax, SESSIONS, 10)[0].time,
            100
        );
        assert_eq!(all_of::<FileInfo2>(&server, syntax, FILES, 2).len(), 2);
        let files = all_of::<FileInfo3>(&server, syntax, FILES, 3);
        assert_eq!((files[0].locks, &files[0].user), (3, &name("alice")));
    }
}
