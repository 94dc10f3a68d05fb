// SPDX-License-Identifier: GPL-2.0

//! NEGOTIATE with lengths, counts and offsets that lie. [MS-SMB2] 3.3.5.4.

use anyhow::{bail, Result};
use rand::Rng;
use smb_client::{Offer, Options};
use smb_proto::header::{Command, HEADER_LEN};
use smb_proto::negotiate::{Capabilities, Dialect};
use smb_proto::negotiate_context::Cipher;
use smb_proto::status::NtStatus;

use crate::cases::cases;
use crate::check::{answers, closed, outcome, Outcome};
use crate::world::{message, World};

/// Places in the body.
const DIALECT_COUNT: usize = HEADER_LEN + 2;
const CONTEXT_OFFSET: usize = HEADER_LEN + 28;
const CONTEXT_COUNT: usize = HEADER_LEN + 32;
const DIALECTS: usize = HEADER_LEN + 36;
/// Where the first context begins when there is one dialect.
const CONTEXTS: usize = HEADER_LEN + 40;

const REFUSED: &[NtStatus] = &[NtStatus::INVALID_PARAMETER];

cases! {
    "negotiate.twice", "a second NEGOTIATE" => twice;
    "negotiate.twice-at-once", "two NEGOTIATEs in one segment" => twice_at_once;
    "negotiate.no-dialect", "no dialect at all" => |world| patched(world, DIALECT_COUNT, &[0, 0], REFUSED);
    "negotiate.dialect-count", "more dialects than the message has" => |world| patched(world, DIALECT_COUNT, &[0xff, 0xff], REFUSED);
    "negotiate.unknown-dialect", "a dialect that there is not" => unknown_dialect;
    "negotiate.context-offset", "contexts outside the message, inside the header, and unaligned" => context_offset;
    "negotiate.context-count", "more and fewer contexts than there are" => context_count;
    "negotiate.context-length", "a context longer than the message" => |world| patched(world, CONTEXTS + 2, &[0xff, 0xff], REFUSED);
    "negotiate.hash-count", "more hashes than the context has, and none" => hash_count;
    "negotiate.salt-length", "a salt longer than the context" => |world| patched(world, CONTEXTS + 10, &[0xff, 0xff], REFUSED);
    "negotiate.hash-unknown", "no hash that the server knows" => |world| {
        patched(world, CONTEXTS + 12, &[9, 9], &[NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP])
    };
    "negotiate.context-twice", "the same context twice" => context_twice;
    "negotiate.no-cipher", "clients that offer no cipher, or one that there is not: the server does not say that it encrypts" => no_cipher;
    "negotiate.truncated", "NEGOTIATE cut off at each byte" => truncated;
    "negotiate.bits-flipped", "NEGOTIATE with random bits flipped" => bits_flipped;
    "negotiate.many-contexts", "as many contexts as a frame before a login holds" => many_contexts;
}

fn request(world: &World, offer: &Offer) -> Result<(smb_client::Connection, Vec<u8>)> {
    let mut conn = world.connection()?;
    let header = conn.header(Command::Negotiate, 1);
    let frame = message(&header, |w| offer.write(w))?;
    Ok((conn, frame))
}

fn patched(world: &World, at: usize, bytes: &[u8], statuses: &[NtStatus]) -> Result<()> {
    let (mut conn, mut frame) = request(world, &Offer::default())?;
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    conn.send_frame(&frame)?;
    answers(&mut conn, statuses)
}

fn twice(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let header = conn.header(Command::Negotiate, 1);
    conn.send_frame(&message(&header, |w| Offer::default().write(w))?)?;
    closed(&mut conn)?;
    let mut client = world.client()?;
    let header = client.conn.header(Command::Negotiate, 1);
    client
        .conn
        .send_frame(&message(&header, |w| Offer::default().write(w))?)?;
    closed(&mut client.conn)
}

fn twice_at_once(world: &World) -> Result<()> {
    for _ in 0..20 {
        let mut conn = world.connection()?;
        // The second has no credit either: at most one is answered.
        for _ in 0..2 {
            let header = conn.header(Command::Negotiate, 1);
            conn.out.begin(false);
            conn.out
                .push(&header, |w| Offer::default().write(w))
                .and_then(|()| conn.out.finish(None))
                .map_err(smb_client::Error::from)?;
        }
        conn.flush()?;
        if let Outcome::Answered(status) = outcome(&mut conn)? {
            if status != NtStatus::SUCCESS {
                bail!("the first NEGOTIATE was answered {status:?}");
            }
            closed(&mut conn)?;
        }
    }
    Ok(())
}

fn unknown_dialect(world: &World) -> Result<()> {
    for dialect in [0u16, 0x0202, 0x02ff, 0x0312, 0xffff] {
        let (mut conn, frame) = request(
            world,
            &Offer {
                dialects: vec![Dialect(dialect)],
                ..Offer::default()
            },
        )?;
        conn.send_frame(&frame)?;
        answers(&mut conn, &[NtStatus::NOT_SUPPORTED])?;
    }
    patched(world, DIALECTS, &[0xff, 0xff], &[NtStatus::NOT_SUPPORTED])
}

fn context_offset(world: &World) -> Result<()> {
    for offset in [0u32, 1, 64, 100, 105, 0x1000, 0x8000_0000, u32::MAX] {
        patched(world, CONTEXT_OFFSET, &offset.to_le_bytes(), REFUSED)?;
    }
    Ok(())
}

fn context_count(world: &World) -> Result<()> {
    for count in [0u16, 4, 100, u16::MAX] {
        patched(world, CONTEXT_COUNT, &count.to_le_bytes(), REFUSED)?;
    }
    Ok(())
}

fn hash_count(world: &World) -> Result<()> {
    for count in [0u16, 20, u16::MAX] {
        patched(world, CONTEXTS + 8, &count.to_le_bytes(), REFUSED)?;
    }
    Ok(())
}

fn context_twice(world: &World) -> Result<()> {
    for kind in [1u16, 2, 8] {
        let (mut conn, mut frame) = request(world, &Offer::default())?;
        let whole = frame.len();
        let context = match kind {
            1 => frame[CONTEXTS..CONTEXTS + 46].to_vec(),
            _ => [
                kind.to_le_bytes().as_slice(),
                &[4, 0, 0, 0, 0, 0, 1, 0, 2, 0],
            ]
            .concat(),
        };
        frame.resize(whole.next_multiple_of(8), 0);
        frame.extend_from_slice(&context);
        frame[CONTEXT_COUNT] += 1;
        conn.send_frame(&frame)?;
        answers(&mut conn, REFUSED)?;
    }
    Ok(())
}

fn no_cipher(world: &World) -> Result<()> {
    // Only with 3.0 and 3.0.2 the capability says that there is a cipher, and then both sides must have it (3.3.5.4).
    let all = Offer::default().capabilities;
    let offers = [
        (Dialect::SMB_3_1_1, vec![], all),
        (Dialect::SMB_3_1_1, vec![Cipher(0x99)], all),
        (Dialect::SMB_2_1, vec![Cipher::AES_128_GCM], all),
        (Dialect::SMB_3_0, vec![], Capabilities::LARGE_MTU),
        (Dialect::SMB_3_0_2, vec![], Capabilities::LARGE_MTU),
    ];
    for (dialect, ciphers, capabilities) in offers {
        let mut client = world.client_with(&offering(dialect, ciphers, capabilities))?;
        let agreed = client.conn.negotiated()?;
        // Cipher 0 says that there is none in common.
        let has_cipher = agreed.cipher.is_some_and(|cipher| cipher != Cipher(0));
        if has_cipher || client.session.sealing.is_some() {
            bail!("{dialect:?}: a cipher was agreed on that was not offered");
        }
        if agreed.capabilities.contains(Capabilities::ENCRYPTION) {
            bail!("{dialect:?}: the server says that it encrypts, without a cipher");
        }
        // A client that seals nevertheless is let go, whatever key it takes.
        let other = world.protected(smb_client::Protection::Seal)?;
        client.session.sealing = other.session.sealing.clone();
        client.protection = smb_client::Protection::Seal;
        let header = client.header(Command::Echo, 1);
        client.queue(&header, |w| smb_proto::trivial::Empty.write(w))?;
        client.conn.flush()?;
        closed(&mut client.conn)?;
    }
    for (dialect, said) in [
        (Dialect::SMB_3_0, true),
        (Dialect::SMB_3_0_2, true),
        (Dialect::SMB_3_1_1, false),
    ] {
        let client = world.client_with(&offering(dialect, vec![Cipher::AES_128_CCM], all))?;
        let agreed = client.conn.negotiated()?;
        let says = agreed.capabilities.contains(Capabilities::ENCRYPTION);
        if says != said || agreed.cipher != Some(Cipher::AES_128_CCM) {
            bail!("{dialect:?}: {agreed:?}, where a cipher is offered");
        }
    }
    Ok(())
}

fn offering(dialect: Dialect, ciphers: Vec<Cipher>, capabilities: Capabilities) -> Options {
    let offer = Offer {
        dialects: vec![dialect],
        ciphers,
        capabilities,
        ..Offer::default()
    };
    Options {
        offer,
        ..Options::default()
    }
}

fn truncated(world: &World) -> Result<()> {
    let (_, whole) = request(world, &Offer::default())?;
    for len in 36..whole.len() {
        let (mut conn, frame) = request(world, &Offer::default())?;
        conn.send_frame(&frame[..len])?;
        match outcome(&mut conn)? {
            Outcome::Closed if len < HEADER_LEN + 2 => {}
            Outcome::Answered(NtStatus::INVALID_PARAMETER) if len >= HEADER_LEN + 2 => {}
            other => bail!("{len} of {} bytes: {other:?}", whole.len()),
        }
    }
    Ok(())
}

fn bits_flipped(world: &World) -> Result<()> {
    let mut chance = world.chance();
    for _ in 0..300 {
        let (mut conn, mut frame) = request(world, &Offer::default())?;
        for _ in 0..chance.random_range(1..6) {
            let at = chance.random_range(HEADER_LEN..frame.len());
            frame[at] ^= 1 << chance.random_range(0..8);
        }
        conn.send_frame(&frame)?;
        outcome(&mut conn)?;
    }
    Ok(())
}

fn many_contexts(world: &World) -> Result<()> {
    let (mut conn, mut frame) = request(world, &Offer::default())?;
    frame.resize(frame.len().next_multiple_of(8), 0);
    let mut count = 3u16;
    while frame.len() + 8 <= 16 << 10 {
        frame.extend_from_slice(&[0x99, 0x99, 0, 0, 0, 0, 0, 0]);
        count += 1;
    }
    frame[CONTEXT_COUNT..][..2].copy_from_slice(&count.to_le_bytes());
    conn.send_frame(&frame)?;
    answers(&mut conn, &[NtStatus::SUCCESS])
}
