// SPDX-License-Identifier: GPL-2.0

//! Seals where they have no place, and what they hide: sealed frames of sessions that are not there yet or no more, another
//! session's requests within, seals as elements of compounds. [MS-SMB2] 2.2.41, 3.3.5.2.1.1.

use anyhow::{bail, ensure, Context, Result};
use smb_client::{Client, Error, NewFile, Offer, Protection, Setup, SetupHeader};
use smb_proto::header::{Command, FileId, Header, NEXT_COMMAND_AT};
use smb_proto::session_setup::SessionFlags;
use smb_proto::status::NtStatus;
use smb_proto::transform;
use smb_proto::trivial::Empty;
use smb_proto::write;

use crate::cases::cases;
use crate::cases::replay::{sealing, sealing_offers};
use crate::check::{closed, outcome, refused, Outcome};
use crate::world::{message, World};

cases! {
    "seal.another-session-inside", "another session's request under the own seal" => another_inside;
    "seal.not-sealed-header", "a sealed frame whose flags say otherwise" => flags;
    "seal.login-unfinished", "a sealed frame for a session whose login is not finished" => login_unfinished;
    "seal.after-logoff", "a sealed frame for a session that has ended" => after_logoff;
    "seal.answer-as-request", "the server's own sealed answer as a request" => answer_as_request;
    "seal.element", "a sealed frame as an element of a compound, plain and sealed" => element;
    "seal.negotiate-inside", "NEGOTIATE under a seal" => negotiate_inside;
    "seal.garbage-inside", "no message, a compressed one and one of SMB1 under a seal" => garbage_inside;
    "seal.large-in-pieces", "large sealed writes in pieces of every size, whole and spoilt" => large_in_pieces;
    "seal.on-other-channel", "a sealed request on another channel of its session, and again" => on_other_channel;
    "seal.plain-renewal", "a renewal in the clear, where sealing is demanded" => plain_renewal;
}

/// Puts `text` under the session's seal.
fn seal(client: &Client, session: u64, mut text: Vec<u8>) -> Result<Vec<u8>> {
    let mut frame = vec![0; transform::HEADER_LEN];
    client
        .session
        .sealing
        .as_ref()
        .context("no cipher")?
        .seal(session, &mut frame, &mut text)
        .map_err(Error::from)?;
    frame.extend_from_slice(&text);
    Ok(frame)
}

fn echo(client: &mut Client) -> Result<Vec<u8>> {
    let header = client.header(Command::Echo, 1);
    message(&header, |w| Empty.write(w))
}

/// Adds a session of the other user to the connection, with a tree connect.
fn second_session(world: &World, client: &mut Client) -> Result<(smb_client::Session, u32)> {
    let mut setup = Setup::new(&client.conn, SetupHeader::default())?;
    setup.first(&mut client.conn)?;
    let session = setup.second(&mut client.conn, &world.other)?;
    let first = std::mem::replace(&mut client.session, session);
    let own = client.tree;
    let tree = client.connect_tree(&world.target.share)?;
    client.tree = own;
    Ok((std::mem::replace(&mut client.session, first), tree))
}

fn another_inside(world: &World) -> Result<()> {
    for command in [Command::TreeDisconnect, Command::Logoff] {
        let mut client = world.protected(Protection::Seal)?;
        // A victim on the same connection, and one on its own.
        let (victim, tree) = second_session(world, &mut client)?;
        let mut header = client.header(command, 1);
        header.set_session_id(victim.id);
        header.set_tree_id(tree);
        let frame = message(&header, |w| Empty.write(w))?;
        let frame = seal(&client, client.session.id, frame)?;
        client.conn.send_frame(&frame)?;
        match client.wait(header.message_id()) {
            Err(Error::Closed) => continue,
            Ok(answer) => ensure!(
                answer.status().is_error(),
                "another session's {command:?} was served"
            ),
            Err(error) => return Err(error.into()),
        }
        // The victim is as it was.
        client.session = victim;
        client.tree = tree;
        let file = client.create(&NewFile::named("victim.tmp").temporary())?;
        client.close(file)?;
    }
    let mut elsewhere = world.client()?;
    let mut client = world.protected(Protection::Seal)?;
    let mut header = client.header(Command::Logoff, 1);
    header.set_session_id(elsewhere.session.id);
    let frame = message(&header, |w| Empty.write(w))?;
    let frame = seal(&client, client.session.id, frame)?;
    client.conn.send_frame(&frame)?;
    match client.wait(header.message_id()) {
        Err(Error::Closed) => {}
        Ok(answer) => ensure!(answer.status().is_error(), "another's LOGOFF was served"),
        Err(error) => return Err(error.into()),
    }
    elsewhere.disconnect_tree()?;
    Ok(())
}

fn flags(world: &World) -> Result<()> {
    for value in [0u16, 2, 0x8000, 0xffff] {
        let mut client = world.protected(Protection::Seal)?;
        let text = echo(&mut client)?;
        let mut frame = seal(&client, client.session.id, text)?;
        frame[42..44].copy_from_slice(&value.to_le_bytes());
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn).with_context(|| format!("flags {value:#x}"))?;
    }
    Ok(())
}

fn login_unfinished(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    let mut setup = Setup::new(&client.conn, SetupHeader::default())?;
    setup.first(&mut client.conn)?;
    let text = echo(&mut client)?;
    let frame = seal(&client, setup.header.session_id, text)?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn after_logoff(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    client.log_off()?;
    let text = echo(&mut client)?;
    let frame = seal(&client, client.session.id, text)?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn answer_as_request(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    let header = client.header(Command::Echo, 1);
    client.queue(&header, |w| Empty.write(w))?;
    client.conn.flush()?;
    let answer = client.conn.receive()?.to_vec();
    ensure!(answer.starts_with(b"\xfdSMB"), "the answer is not sealed");
    client.conn.send_frame(&answer)?;
    closed(&mut client.conn)
}

fn element(world: &World) -> Result<()> {
    for outer_sealed in [false, true] {
        let mut client = world.protected(Protection::Seal)?;
        let mut frame = echo(&mut client)?;
        frame.resize(frame.len().next_multiple_of(8), 0);
        let distance = u32::try_from(frame.len())?;
        frame[NEXT_COMMAND_AT..][..4].copy_from_slice(&distance.to_le_bytes());
        let text = echo(&mut client)?;
        frame.extend_from_slice(&seal(&client, client.session.id, text)?);
        if outer_sealed {
            frame = seal(&client, client.session.id, frame)?;
        }
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn)?;
    }
    // A plain message behind a sealed one's end.
    let mut client = world.protected(Protection::Seal)?;
    let text = echo(&mut client)?;
    let mut frame = seal(&client, client.session.id, text)?;
    frame.extend_from_slice(&echo(&mut client)?);
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn negotiate_inside(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    let header: Header = client.header(Command::Negotiate, 1);
    let text = message(&header, |w| Offer::default().write(w))?;
    let frame = seal(&client, client.session.id, text)?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn garbage_inside(world: &World) -> Result<()> {
    let texts = [
        vec![0x41; 100],
        [b"\xffSMB\x72".as_slice(), &[0; 60]].concat(),
        [b"\xfcSMB".as_slice(), &[0xff; 100]].concat(),
        [b"\xfdSMB".as_slice(), &[0; 100]].concat(),
    ];
    for text in texts {
        let mut client = world.protected(Protection::Seal)?;
        let frame = seal(&client, client.session.id, text)?;
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn)?;
    }
    Ok(())
}

/// What comes in large pieces is decrypted from where it came, what comes in small ones is copied first.
fn large_in_pieces(world: &World) -> Result<()> {
    const LEN: u32 = 200_000;
    const CUTS: [&[usize]; 4] = [
        &[],
        &[100],
        &[1000; 150],
        &[60, 70_000, 3, 1000, 1000, 50_001],
    ];
    for offer in sealing_offers() {
        let mut client = sealing(world, &offer)?;
        let file = client.create(&NewFile::named("pieces.tmp").temporary())?;
        for (turn, cuts) in (1u8..).zip(CUTS) {
            let data: Vec<u8> = (0..LEN)
                .map(|at| turn.wrapping_mul(at.to_le_bytes()[0]) ^ at.to_le_bytes()[1])
                .collect();
            let (id, frame) = sealed_write(&mut client, file, &data)?;
            let mut rest = frame.as_slice();
            for cut in cuts {
                let (piece, after) = rest.split_at(*cut);
                client.conn.send_bytes(piece)?;
                rest = after;
            }
            client.conn.send_bytes(rest)?;
            let answer = client.wait(id)?;
            ensure!(
                answer.status() == NtStatus::SUCCESS && client.read(file, 0, LEN)? == data,
                "{offer:?}, cut at {cuts:?}: {:?}, or something else was written",
                answer.status()
            );
        }
        // One bit of the end, which is in the last piece.
        let (_, mut frame) = sealed_write(&mut client, file, &vec![7; 100_000])?;
        if let Some(last) = frame.last_mut() {
            *last ^= 1;
        }
        client.conn.send_bytes(&frame)?;
        closed(&mut client.conn)?;
    }
    Ok(())
}

/// The bytes on the wire of a sealed WRITE to the front of a file, with its message id.
fn sealed_write(client: &mut Client, file_id: FileId, data: &[u8]) -> Result<(u64, Vec<u8>)> {
    let header = client.header(Command::Write, 4);
    let request = write::Request {
        file_id,
        data,
        ..write::Request::default()
    };
    client.queue(&header, |w| request.write(w))?;
    let bytes = client.conn.out.bytes().to_vec();
    client.conn.out.clear();
    Ok((header.message_id(), bytes))
}

fn on_other_channel(world: &World) -> Result<()> {
    let (mut first, mut second) = world.channels(Protection::Seal)?;
    let file = first.create(&NewFile::named("sealed.tmp").temporary())?;
    // The seal is the session's, so that any of its channels opens it; message ids are each channel's own.
    let next = first.conn.next_id;
    first.conn.next_id = second.conn.next_id;
    let header = first.header(Command::Close, 1);
    let close = smb_proto::close::Request {
        file_id: file,
        ..Default::default()
    };
    let text = message(&header, |w| close.write(w))?;
    let frame = seal(&first, first.session.id, text)?;
    second.conn.send_frame(&frame)?;
    second.conn.next_id += 1;
    let answer = second.wait(header.message_id())?;
    ensure!(
        answer.status() == NtStatus::SUCCESS && answer.is_protected,
        "on the other channel: {:?}",
        answer.status()
    );
    second.conn.send_frame(&frame)?;
    ensure!(
        outcome(&mut second.conn)? == Outcome::Closed,
        "what was sealed once was served twice"
    );
    first.conn.next_id = next;
    refused(first.close(file), &[NtStatus::FILE_CLOSED])
}

/// Needs a server that demands encryption.
fn plain_renewal(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    ensure!(
        client.session.flags.contains(SessionFlags::ENCRYPT_DATA),
        "the server does not demand encryption"
    );
    let file = client.create(&NewFile::named("sealed.tmp").temporary())?;
    let header = SetupHeader {
        session_id: client.session.id,
        ..SetupHeader::default()
    };
    let mut setup = Setup::new(&client.conn, header)?;
    let renewed = setup.first(&mut client.conn);
    if renewed.is_ok() {
        // Served so far: whose would the session be?
        let (token, _) = setup.authenticate(&world.other)?;
        let (answer, _) = setup.step(&mut client.conn, &token)?;
        bail!("a renewal as another user: {:?}", answer.status());
    }
    refused(renewed, &[NtStatus::ACCESS_DENIED])?;
    // Whoever sent that, the session goes on.
    client.write(file, 0, b"sealed")?;
    client.close(file)?;
    Ok(())
}
