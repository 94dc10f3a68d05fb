// SPDX-License-Identifier: GPL-2.0

//! Frames that are none, and streams that end or stop where they should not. [MS-SMB2] 2.1, 3.3.5.2.

use std::time::Duration;

use anyhow::{ensure, Result};
use smb_client::{Connection, Offer, Options};
use smb_proto::header::{
    Command, Header, HeaderFlags, COMPRESSION_PROTOCOL_ID, NEXT_COMMAND_AT, SMB1_PROTOCOL_ID,
};
use smb_proto::status::NtStatus;
use smb_proto::transform;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::check::{answers, closed, outcome, Outcome};
use crate::world::{message, World};

cases! {
    "frame.empty", "a frame of no bytes" => |world| raw(world, &[0; 4]);
    "frame.too-short", "a frame shorter than any message" => |world| raw(world, b"\0\0\0\x04\xfeSMB");
    "frame.type", "a frame of another type than a session message" => |world| raw(world, &[0x85, 0, 0, 100]);
    "frame.too-long-before-login", "a frame of 16 KiB and a byte before a login" => |world| raw(world, &[0, 0, 0x40, 1]);
    "frame.largest-before-login", "a frame of 16 MiB before a login" => |world| raw(world, &[0, 0xff, 0xff, 0xff]);
    "frame.largest-after-login", "a frame of 16 MiB after a login" => largest_after_login;
    "frame.garbage", "a frame that begins with no protocol id" => |world| framed(world, &[0x41; 100]);
    "frame.header-alone", "a header without a body" => header_alone;
    "frame.header-size", "a header with a wrong StructureSize" => header_size;
    "frame.ends-within", "a stream that ends within a frame" => ends_within;
    "frame.stops-within", "a client that stops within a frame" => stops_within;
    "frame.ends-within-length", "a stream that ends within a length" => ends_within_length;
    "frame.byte-by-byte", "a request that comes byte by byte" => byte_by_byte;
    "frame.many-in-one-segment", "a hundred requests in one segment" => many_in_one_segment;
    "frame.half-closed", "a client that sends a request and closes its half" => half_closed;
    "frame.sealed-before-login", "a sealed frame for a session that is not" => sealed_before_login;
    "frame.sealed-too-short", "a sealed frame that holds less than a header" => sealed_too_short;
    "frame.sealed-nested", "a sealed frame in a sealed frame" => sealed_nested;
    "frame.compressed", "a compressed frame that was not negotiated" => compressed;
    "frame.smb1-after-negotiate", "an SMB1 message after NEGOTIATE" => smb1_after_negotiate;
    "frame.smb1-truncated", "SMB1 NEGOTIATEs cut off at each byte" => smb1_truncated;
    "frame.before-negotiate", "each command before NEGOTIATE" => before_negotiate;
    "frame.before-login", "each command before SESSION_SETUP" => before_login;
    "frame.unknown-commands", "commands that there are not" => unknown_commands;
    "frame.reply-flag", "requests that say that they are replies" => reply_flag;
}

fn raw(world: &World, bytes: &[u8]) -> Result<()> {
    let mut conn = world.connection()?;
    conn.send_bytes(bytes)?;
    closed(&mut conn)
}

fn framed(world: &World, frame: &[u8]) -> Result<()> {
    let mut conn = world.connection()?;
    conn.send_frame(frame)?;
    closed(&mut conn)
}

fn largest_after_login(world: &World) -> Result<()> {
    let mut client = world.client()?;
    client.conn.send_bytes(&[0, 0xff, 0xff, 0xff])?;
    closed(&mut client.conn)
}

fn negotiate(conn: &mut Connection) -> Result<Vec<u8>> {
    let header = conn.header(Command::Negotiate, 1);
    message(&header, |w| Offer::default().write(w))
}

fn header_alone(world: &World) -> Result<()> {
    let mut conn = world.connection()?;
    let header = conn.header(Command::Negotiate, 1);
    conn.send_frame(&message(&header, |_| Ok(()))?)?;
    closed(&mut conn)
}

fn header_size(world: &World) -> Result<()> {
    let mut conn = world.connection()?;
    let mut frame = negotiate(&mut conn)?;
    frame[4] = 65;
    conn.send_frame(&frame)?;
    closed(&mut conn)
}

fn ends_within(world: &World) -> Result<()> {
    for len in [1, 35, 64, 100] {
        let mut conn = world.connection()?;
        let frame = negotiate(&mut conn)?;
        conn.send_bytes(&[0, 0, 0, 200])?;
        conn.send_bytes(&frame[..len])?;
        conn.half_close()?;
        closed(&mut conn)?;
    }
    Ok(())
}

fn stops_within(world: &World) -> Result<()> {
    let mut stopped = Vec::new();
    for len in [1, 60, 100] {
        let mut conn = world.connection()?;
        let frame = negotiate(&mut conn)?;
        conn.send_bytes(&[0, 0, 0, 200])?;
        conn.send_bytes(&frame[..len])?;
        stopped.push(conn);
    }
    world.check_serves()?;
    stopped.iter_mut().try_for_each(closed)
}

fn ends_within_length(world: &World) -> Result<()> {
    for len in 1..4 {
        let mut conn = world.connection()?;
        conn.send_bytes(&[0, 0, 1][..len])?;
        conn.half_close()?;
        closed(&mut conn)?;
    }
    Ok(())
}

fn byte_by_byte(world: &World) -> Result<()> {
    let mut conn = world.connection()?;
    let frame = negotiate(&mut conn)?;
    conn.send_bytes(&[0, 0, 0])?;
    conn.send_bytes(&[u8::try_from(frame.len())?])?;
    for byte in &frame {
        conn.send_bytes(&[*byte])?;
    }
    answers(&mut conn, &[NtStatus::SUCCESS])
}

fn many_in_one_segment(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut ids = Vec::new();
    for _ in 0..100 {
        let header = client.header(Command::Echo, 1);
        client.queue(&header, |w| Empty.write(w))?;
        ids.push(header.message_id());
    }
    client.conn.flush()?;
    for id in ids {
        let answer = client.wait(id)?;
        client.accept(answer)?;
    }
    Ok(())
}

fn half_closed(world: &World) -> Result<()> {
    for _ in 0..20 {
        let mut conn = world.connection()?;
        let frame = negotiate(&mut conn)?;
        conn.send_frame(&frame)?;
        conn.half_close()?;
        // Whether the answer still comes is the server's choice; that it closes is not.
        if outcome(&mut conn)? != Outcome::Closed {
            closed(&mut conn)?;
        }
    }
    Ok(())
}

fn sealed(session: u64, len: usize) -> Result<Vec<u8>> {
    let header = transform::Header::new(session, [7; 16], len)
        .map_err(|_| anyhow::anyhow!("the frame is too long"))?;
    Ok([header.to_bytes().as_slice(), &vec![0x41; len]].concat())
}

fn sealed_before_login(world: &World) -> Result<()> {
    framed(world, &sealed(0x1234, 100)?)?;
    let mut conn = world.negotiated()?;
    conn.send_frame(&sealed(0x1234, 100)?)?;
    closed(&mut conn)
}

fn sealed_too_short(world: &World) -> Result<()> {
    for len in [0, 1, 63] {
        let mut client = world.client()?;
        let mut frame = vec![0; transform::HEADER_LEN + len];
        let (head, text) = frame.split_at_mut(transform::HEADER_LEN);
        let sealing = client.session.sealing.clone();
        let sealing = sealing.ok_or_else(|| anyhow::anyhow!("no cipher"))?;
        sealing
            .seal(client.session.id, head, text)
            .map_err(smb_client::Error::from)?;
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn)?;
    }
    Ok(())
}

fn sealed_nested(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let header = client.header(Command::Echo, 1);
    let inner = message(&header, |w| Empty.write(w))?;
    let sealing = client.session.sealing.clone();
    let sealing = sealing.ok_or_else(|| anyhow::anyhow!("no cipher"))?;
    let mut frame = inner;
    for _ in 0..2 {
        let mut outer = vec![0; transform::HEADER_LEN];
        sealing
            .seal(client.session.id, &mut outer, &mut frame)
            .map_err(smb_client::Error::from)?;
        outer.extend_from_slice(&frame);
        frame = outer;
    }
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn compressed(world: &World) -> Result<()> {
    let mut frame = COMPRESSION_PROTOCOL_ID.to_vec();
    frame.extend_from_slice(&u32::MAX.to_le_bytes());
    frame.extend_from_slice(&[1, 0, 0, 0]);
    frame.extend_from_slice(&[0xff; 100]);
    framed(world, &frame)?;
    let mut client = world.client()?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn smb1(dialects: &[u8]) -> Vec<u8> {
    let mut frame = SMB1_PROTOCOL_ID.to_vec();
    frame.push(0x72);
    frame.resize(32, 0);
    frame.push(0);
    frame.extend_from_slice(&u16::try_from(dialects.len()).unwrap_or(0).to_le_bytes());
    frame.extend_from_slice(dialects);
    frame
}

const SMB2_DIALECTS: &[u8] = b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0";

fn smb1_after_negotiate(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    conn.send_frame(&smb1(SMB2_DIALECTS))?;
    closed(&mut conn)
}

fn smb1_truncated(world: &World) -> Result<()> {
    let whole = smb1(SMB2_DIALECTS);
    for len in 4..whole.len() {
        let mut conn = world.connection()?;
        conn.send_frame(&whole[..len])?;
        closed(&mut conn)?;
    }
    let mut conn = world.connection()?;
    conn.send_frame(&whole)?;
    answers(&mut conn, &[NtStatus::SUCCESS])
}

fn commands() -> impl Iterator<Item = Command> {
    Command::ALL.iter().copied()
}

fn before_negotiate(world: &World) -> Result<()> {
    for command in commands().filter(|command| *command != Command::Negotiate) {
        let mut conn = world.connection()?;
        let header = conn.header(command, 1);
        conn.send_frame(&message(&header, |w| w.zeros(64))?)?;
        closed(&mut conn)?;
    }
    Ok(())
}

fn before_login(world: &World) -> Result<()> {
    let free = [
        Command::Negotiate,
        Command::SessionSetup,
        Command::Echo,
        Command::Cancel,
    ];
    for session in [0, 1, u64::MAX] {
        let mut conn = world.negotiated()?;
        for command in commands().filter(|command| !free.contains(command)) {
            let mut header = conn.header(command, 1);
            header.set_session_id(session);
            conn.send_frame(&message(&header, |w| w.zeros(64))?)?;
            answers(&mut conn, &[NtStatus::USER_SESSION_DELETED])?;
        }
    }
    Ok(())
}

fn unknown_commands(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for code in [0x13u16, 0x14, 0x7f, 0xff, 0x100, 0x8000, 0xffff] {
        let header = client.header(Command::Echo, 1);
        let mut frame = message(&header, |w| w.zeros(64))?;
        frame[12..14].copy_from_slice(&code.to_le_bytes());
        client.conn.send_frame(&frame)?;
        answers(&mut client.conn, &[NtStatus::INVALID_PARAMETER])?;
    }
    Ok(())
}

fn reply_flag(world: &World) -> Result<()> {
    let mut client = world.client_with(&Options::default())?;
    let mut header = client.header(Command::Echo, 1);
    header.set_flags(HeaderFlags::SERVER_TO_REDIR);
    header.set_status(NtStatus::PENDING);
    let frame = message(&header, |w| Empty.write(w))?;
    ensure!(frame[NEXT_COMMAND_AT] == 0, "the message stands alone");
    client.conn.send_frame(&frame)?;
    // Served or refused; but one answer, and not one to itself.
    match outcome(&mut client.conn)? {
        Outcome::Closed => Ok(()),
        Outcome::Answered(_) => {
            crate::check::silent(&mut client.conn, Duration::from_millis(200))?;
            let parsed = Header::parse(&frame);
            ensure!(parsed.is_ok(), "the message has a header");
            Ok(())
        }
    }
}
