// SPDX-License-Identifier: GPL-2.0

//! Logins that are mixed up: two on one connection, one's token in another, one that was watched and is sent again; and SMB1
//! where only its NEGOTIATE has a place. [MS-SMB2] 3.3.5.3, 3.3.5.4, 3.3.5.5.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use anyhow::{bail, ensure, Context, Result};
use smb_client::{Client, Connection, NewFile, Offer, Protection, Setup, SetupHeader};
use smb_proto::header::{Command, SMB1_PROTOCOL_ID};
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::check::{answers, closed, outcome, refused, Outcome};
use crate::world::{message, World};

const FAILED: &[NtStatus] = &[NtStatus::LOGON_FAILURE, NtStatus::INVALID_PARAMETER];
const GONE: &[NtStatus] = &[NtStatus::USER_SESSION_DELETED];

cases! {
    "setup.interleaved", "two logins on one connection, step by step" => interleaved;
    "setup.token-of-another-login", "a login's last token in another login" => token_of_another;
    "setup.login-again", "a login that was watched, sent again" => login_again;
    "setup.negotiate-between", "NEGOTIATE between the steps of a login" => negotiate_between;
    "setup.reauth-as-another", "a session that is renewed as another user" => reauth_as_another;
    "negotiate.smb1-twice", "SMB1's NEGOTIATE twice" => smb1_twice;
    "negotiate.smb1-then-login", "a login where SMB1's NEGOTIATE asks for SMB2's" => smb1_then_login;
    "negotiate.smb1-lies", "SMB1's NEGOTIATE with counts and dialects that lie" => smb1_lies;
    "negotiate.smb1-commands", "SMB1's other commands" => smb1_commands;
    "negotiate.dialects-many", "as many dialects as a frame before a login holds" => dialects_many;
}

fn begun(conn: &mut Connection) -> Result<Setup> {
    let mut setup = Setup::new(conn, SetupHeader::default())?;
    setup.first(conn)?;
    Ok(setup)
}

fn gone(conn: &mut Connection, session: u64) -> Result<()> {
    let mut header = conn.header(Command::TreeDisconnect, 1);
    header.set_session_id(session);
    conn.send_frame(&message(&header, |w| Empty.write(w))?)?;
    answers(conn, GONE)
}

fn interleaved(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let mut first = begun(&mut conn)?;
    let mut second = begun(&mut conn)?;
    ensure!(
        first.header.session_id != second.header.session_id,
        "two logins have one id"
    );
    // Each has a preauthentication hash of its own: the answers are verified with keys made of it.
    let other = second.second(&mut conn, &world.other)?;
    let own = first.second(&mut conn, &world.target.who)?;
    let mut client = Client::on(conn, own, Protection::Sign);
    client.connect_tree(&world.target.share)?;
    client.session = other;
    client.connect_tree(&world.target.share)?;
    Ok(())
}

fn token_of_another(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let first = begun(&mut conn)?;
    let mut second = begun(&mut conn)?;
    let (token, _) = first.authenticate(&world.target.who)?;
    let (answer, _) = second.step(&mut conn, &token)?;
    ensure!(
        FAILED.contains(&answer.status()),
        "another login's token: {:?}",
        answer.status()
    );
    gone(&mut conn, second.header.session_id)?;
    // Nor on another connection.
    let mut elsewhere = world.negotiated()?;
    let mut third = begun(&mut elsewhere)?;
    let (answer, _) = third.step(&mut elsewhere, &token)?;
    ensure!(
        FAILED.contains(&answer.status()),
        "another connection's token: {:?}",
        answer.status()
    );
    gone(&mut elsewhere, third.header.session_id)?;
    // The login that it belongs to is not disturbed.
    let mut first = first;
    let (answer, _) = first.step(&mut conn, &token)?;
    ensure!(
        answer.status() == NtStatus::SUCCESS,
        "its own login: {:?}",
        answer.status()
    );
    Ok(())
}

fn login_again(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let mut setup = begun(&mut conn)?;
    let (token, key) = setup.authenticate(&world.target.who)?;
    setup.finish(&mut conn, &token, &key)?;
    for fresh in [false, true] {
        let mut elsewhere;
        let conn = if fresh {
            elsewhere = world.negotiated()?;
            &mut elsewhere
        } else {
            &mut conn
        };
        let mut again = begun(conn)?;
        let (answer, _) = again.step(conn, &token)?;
        ensure!(
            FAILED.contains(&answer.status()),
            "a login sent again: {:?}",
            answer.status()
        );
        gone(conn, again.header.session_id)?;
        // Without a challenge before it.
        let mut bare = Setup::new(conn, SetupHeader::default())?;
        let (answer, _) = bare.step(conn, &token)?;
        ensure!(
            FAILED.contains(&answer.status()),
            "its last step alone: {:?}",
            answer.status()
        );
    }
    Ok(())
}

fn negotiate_between(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    begun(&mut conn)?;
    let header = conn.header(Command::Negotiate, 1);
    conn.send_frame(&message(&header, |w| Offer::default().write(w))?)?;
    closed(&mut conn)
}

fn reauth_as_another(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("renewed-as.tmp").temporary())?;
    client.write(file, 0, b"own")?;
    std::fs::set_permissions(
        world.root.join("renewed-as.tmp"),
        std::fs::Permissions::from_mode(0o600),
    )
    .context("--root names the share's folder")?;
    let header = SetupHeader {
        session_id: client.session.id,
        ..SetupHeader::default()
    };
    let mut setup = Setup::new(&client.conn, header)?;
    setup.first(&mut client.conn)?;
    let (token, _) = setup.authenticate(&world.other)?;
    let (answer, _) = setup.step(&mut client.conn, &token)?;
    ensure!(
        answer.status() == NtStatus::SUCCESS,
        "a session whose user changes: {:?}",
        answer.status()
    );
    // What was opened is open; what is opened now is opened as the new user, who may not.
    ensure!(client.read(file, 0, 10)? == b"own", "another file");
    for access in [smb_client::access::READ, smb_client::access::ALL] {
        refused(
            client.create(&NewFile {
                access,
                ..NewFile::named("renewed-as.tmp")
            }),
            &[NtStatus::ACCESS_DENIED],
        )?;
    }
    // The first user's way into the share opens nothing for the second, who takes his own.
    let named = NewFile::named("made-as.tmp");
    refused(client.create(&named), &[NtStatus::ACCESS_DENIED])?;
    let first = client.tree;
    client.connect_tree(&world.target.share)?;
    refused(
        client.create(&NewFile::named("renewed-as.tmp")),
        &[NtStatus::ACCESS_DENIED],
    )?;
    let made = client.create(&named.temporary())?;
    let owners = ["renewed-as.tmp", "made-as.tmp"]
        .map(|name| std::fs::metadata(world.root.join(name)).map(|data| data.uid()));
    ensure!(
        matches!(&owners, [Ok(first), Ok(second)] if first != second),
        "files of two users are owned by {owners:?}"
    );
    client.close(made)?;
    client.tree = first;
    client.close(file)?;
    Ok(())
}

/// An SMB1 message: command, words, and bytes with the count that it says there are.
fn smb1(command: u8, words: &[u16], count: u16, bytes: &[u8]) -> Vec<u8> {
    let mut frame = SMB1_PROTOCOL_ID.to_vec();
    frame.push(command);
    frame.resize(32, 0);
    frame.push(u8::try_from(words.len()).unwrap_or(u8::MAX));
    frame.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    frame.extend_from_slice(&count.to_le_bytes());
    frame.extend_from_slice(bytes);
    frame
}

const NEGOTIATE: u8 = 0x72;

fn smb1_negotiate(dialects: &[u8]) -> Vec<u8> {
    let count = u16::try_from(dialects.len()).unwrap_or(u16::MAX);
    smb1(NEGOTIATE, &[], count, dialects)
}

const BOTH: &[u8] = b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0";

fn smb1_twice(world: &World) -> Result<()> {
    let mut conn = world.connection()?;
    conn.send_frame(&smb1_negotiate(BOTH))?;
    answers(&mut conn, &[NtStatus::SUCCESS])?;
    conn.send_frame(&smb1_negotiate(BOTH))?;
    closed(&mut conn)
}

fn smb1_then_login(world: &World) -> Result<()> {
    for command in [
        Command::SessionSetup,
        Command::Echo,
        Command::Logoff,
        Command::TreeConnect,
    ] {
        let mut conn = world.connection()?;
        conn.send_frame(&smb1_negotiate(BOTH))?;
        answers(&mut conn, &[NtStatus::SUCCESS])?;
        conn.next_id = 1;
        let header = conn.header(command, 1);
        conn.send_frame(&message(&header, |w| w.zeros(64))?)?;
        closed(&mut conn)?;
    }
    // What it asks for is served.
    let mut conn = world.connection()?;
    conn.send_frame(&smb1_negotiate(BOTH))?;
    answers(&mut conn, &[NtStatus::SUCCESS])?;
    conn.next_id = 1;
    conn.negotiate(&Offer::default())?;
    let mut setup = begun(&mut conn)?;
    setup.second(&mut conn, &world.target.who)?;
    Ok(())
}

fn smb1_lies(world: &World) -> Result<()> {
    let many = b"\x02SMB 2.???\0".repeat(1400);
    let long = [b"\x02".as_slice(), &[0x41; 15_000], b"\0"].concat();
    let frames = [
        // No dialect of SMB2, none at all, and nothing that is one.
        smb1_negotiate(b"\x02NT LM 0.12\0"),
        smb1_negotiate(b""),
        smb1_negotiate(b"\x02\0"),
        smb1_negotiate(&[0; 100]),
        // No terminator, another format.
        smb1_negotiate(b"\x02SMB 2.???"),
        smb1_negotiate(b"\x03SMB 2.???\0"),
        smb1_negotiate(b"\x02SMB 2.???\0\x02"),
        smb1_negotiate(&long),
        // Counts that are not the message's.
        smb1(NEGOTIATE, &[], 0, BOTH),
        smb1(NEGOTIATE, &[], 5, BOTH),
        smb1(NEGOTIATE, &[], u16::MAX, BOTH),
        smb1(NEGOTIATE, &[0; 17], u16::try_from(BOTH.len())?, BOTH),
        smb1(NEGOTIATE, &[u16::MAX; 100], 0, &[]),
        smb1_negotiate(&many),
    ];
    for (number, frame) in frames.iter().enumerate() {
        let mut conn = world.connection()?;
        conn.send_frame(frame)?;
        match outcome(&mut conn)? {
            Outcome::Closed => {}
            // At the most, SMB2's NEGOTIATE is asked for; and then that is due.
            Outcome::Answered(NtStatus::SUCCESS) => {
                conn.next_id = 1;
                let header = conn.header(Command::Echo, 1);
                conn.send_frame(&message(&header, |w| Empty.write(w))?)?;
                closed(&mut conn)?;
            }
            Outcome::Answered(status) if status.is_error() => {}
            other => bail!("message {number}: {other:?}"),
        }
    }
    Ok(())
}

fn smb1_commands(world: &World) -> Result<()> {
    for command in [0x00u8, 0x2b, 0x2e, 0x73, 0x74, 0x75, 0xa2, 0xff] {
        let mut conn = world.connection()?;
        conn.send_frame(&smb1(command, &[0; 13], 10, &[0; 10]))?;
        closed(&mut conn)?;
        let mut conn = world.connection()?;
        conn.send_frame(&smb1_negotiate(BOTH))?;
        answers(&mut conn, &[NtStatus::SUCCESS])?;
        conn.send_frame(&smb1(command, &[0; 13], 10, &[0; 10]))?;
        closed(&mut conn)?;
    }
    Ok(())
}

fn dialects_many(world: &World) -> Result<()> {
    for dialect in [0x0201u16, 0x0311] {
        let mut conn = world.connection()?;
        let offer = Offer {
            dialects: vec![smb_proto::negotiate::Dialect(dialect); 7000],
            ..Offer::default()
        };
        let header = conn.header(Command::Negotiate, 1);
        conn.send_frame(&message(&header, |w| offer.write(w))?)?;
        match outcome(&mut conn)? {
            Outcome::Answered(NtStatus::SUCCESS) if dialect == 0x0311 => {}
            Outcome::Answered(NtStatus::INVALID_PARAMETER | NtStatus::NOT_SUPPORTED) => {}
            other => bail!("{dialect:#06x}: {other:?}"),
        }
    }
    Ok(())
}
