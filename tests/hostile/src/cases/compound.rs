// SPDX-License-Identifier: GPL-2.0

//! Compounds: chains that lie, ids that cross from one session, tree or file to another. [MS-SMB2] 3.3.5.2.7.

use anyhow::{bail, ensure, Result};
use smb_client::{Answer, Client, Error, NewFile, Offer, Options, Protection};
use smb_proto::close;
use smb_proto::header::{Command, FileId, Header, HeaderFlags, NEXT_COMMAND_AT};
use smb_proto::query_info::{self, InfoType};
use smb_proto::read;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;
use smb_proto::wire::{Writer, Written};

use crate::cases::cases;
use crate::check::{closed, is_one_of, outcome, Outcome};
use crate::world::{message, World};

cases! {
    "compound.next-unaligned", "a second element at no multiple of eight" => |world| bad_chain(world, 68 + 1);
    "compound.next-in-header", "a second element within the first one's header" => |world| bad_chain(world, 8);
    "compound.next-beyond", "a second element behind the end" => |world| bad_chain(world, 0x1000);
    "compound.next-at-end", "a second element of no bytes" => |world| bad_chain(world, 72 + 72);
    "compound.next-huge", "a second element at four thousand million" => |world| bad_chain(world, u32::MAX - 7);
    "compound.second-garbage", "a second element that is no message" => second_garbage;
    "compound.trailing-bytes", "bytes behind the last element" => trailing_bytes;
    "compound.related-first", "a first element that is related to nothing" => related_first;
    "compound.related-after-failure", "elements related to one that failed" => related_after_failure;
    "compound.session-crossed", "elements of two sessions, the second of which must sign" => session_crossed;
    "compound.session-crossed-sealed", "another session's request in a sealed compound" => session_crossed_sealed;
    "compound.unsigned-after-signed", "an unsigned element behind a signed one" => unsigned_after_signed;
    "compound.tree-crossed", "a file of one tree connect by another" => tree_crossed;
    "compound.tree-disconnect-then-use", "requests related to a TREE_DISCONNECT" => tree_disconnect_then_use;
    "compound.logoff-then-use", "requests related to a LOGOFF" => logoff_then_use;
    "compound.close-then-use", "requests related to a CLOSE" => close_then_use;
    "compound.negotiate-inside", "a NEGOTIATE within a compound" => negotiate_inside;
    "compound.setup-inside", "a SESSION_SETUP within a compound" => setup_inside;
    "compound.cancel-inside", "a CANCEL within a compound" => cancel_inside;
    "compound.lock-waits-inside", "a LOCK that must wait, in the midst of a compound" => lock_waits_inside;
    "compound.long", "as many elements as there are credits" => long;
    "compound.overdrawn", "more elements than there are credits" => overdrawn;
    "compound.same-id", "two elements with the same message id" => same_id;
    "compound.query-info-sizes", "answers of every length, behind each other" => query_info_sizes;
    "compound.large-reads", "reads of a megabyte, behind each other" => large_reads;
    "compound.create-close", "a hundred CREATEs and CLOSEs of what they opened" => create_close;
}

/// A writer of a body.
type Body<'a> = &'a dyn Fn(&mut Writer<'_>) -> Written;

/// Sends a compound, all but the first related, and gives the answers in order.
fn related(client: &mut Client, elements: &[(Command, u16, Body<'_>)]) -> Result<Vec<Answer>> {
    let mut ids = Vec::new();
    client.begin();
    for (number, (command, charge, body)) in elements.iter().enumerate() {
        let mut header = client.header(*command, *charge);
        if number > 0 {
            header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS);
            header.set_session_id(u64::MAX);
            header.set_tree_id(u32::MAX);
        }
        ids.push(header.message_id());
        client.conn.out.push(&header, body).map_err(Error::from)?;
    }
    client.end()?;
    client.conn.flush()?;
    Ok(ids
        .into_iter()
        .map(|id| client.wait(id))
        .collect::<Result<_, Error>>()?)
}

fn empty(w: &mut Writer<'_>) -> Written {
    Empty.write(w)
}

fn read_any(w: &mut Writer<'_>) -> Written {
    read::Request {
        length: 100,
        file_id: FileId::ANY,
        ..Default::default()
    }
    .write(w)
}

fn close_any(w: &mut Writer<'_>) -> Written {
    close::Request {
        file_id: FileId::ANY,
        ..Default::default()
    }
    .write(w)
}

fn bad_chain(world: &World, distance: u32) -> Result<()> {
    let mut client = world.client()?;
    let mut frame = Vec::new();
    for _ in 0..2 {
        let header = client.header(Command::Echo, 1);
        frame.extend_from_slice(&message(&header, empty)?);
        frame.resize(frame.len().next_multiple_of(8), 0);
    }
    frame[NEXT_COMMAND_AT..][..4].copy_from_slice(&distance.to_le_bytes());
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn second_garbage(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let header = client.header(Command::Echo, 1);
    let mut frame = message(&header, empty)?;
    frame.resize(72, 0);
    frame[NEXT_COMMAND_AT] = 72;
    frame.extend_from_slice(&[0x41; 80]);
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn trailing_bytes(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let header = client.header(Command::Echo, 1);
    let mut frame = message(&header, empty)?;
    frame.resize(5000, 0x41);
    client.conn.send_frame(&frame)?;
    match outcome(&mut client.conn)? {
        Outcome::Closed | Outcome::Answered(NtStatus::SUCCESS | NtStatus::INVALID_PARAMETER) => {
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

fn related_first(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for command in [Command::Close, Command::Read, Command::TreeDisconnect] {
        let mut header = client.header(command, 1);
        header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS);
        client.queue(&header, |w| w.zeros(64))?;
        client.conn.flush()?;
        let answer = client.wait(header.message_id())?;
        is_one_of(&answer, &[NtStatus::INVALID_PARAMETER])?;
    }
    Ok(())
}

fn related_after_failure(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut missing = NewFile::named("missing.tmp");
    missing.disposition = smb_proto::create::Disposition::OPEN;
    let answers = related(
        &mut client,
        &[
            (Command::Create, 1, &|w| missing.write(w)),
            (Command::Read, 1, &read_any),
            (Command::Close, 1, &close_any),
        ],
    )?;
    for answer in &answers {
        is_one_of(answer, &[NtStatus::OBJECT_NAME_NOT_FOUND])?;
    }
    Ok(())
}

/// A second session on the connection of `client`, of the other user, that must sign.
fn second_session(world: &World, client: &mut Client) -> Result<(smb_client::Session, u32)> {
    let header = smb_client::SetupHeader {
        must_sign: true,
        ..Default::default()
    };
    let mut setup = smb_client::Setup::new(&client.conn, header)?;
    setup.first(&mut client.conn)?;
    let session = setup.second(&mut client.conn, &world.other)?;
    let first = std::mem::replace(&mut client.session, session);
    let tree = client.tree;
    let protection = std::mem::replace(&mut client.protection, Protection::Sign);
    let connected = client.connect_tree(&world.target.share);
    let second = std::mem::replace(&mut client.session, first);
    client.tree = tree;
    client.protection = protection;
    Ok((second, connected?))
}

fn session_crossed(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let (victim, tree) = second_session(world, &mut client)?;
    // A valid request of the own session, then one of the other's: unrelated, and related with its id.
    for flags in [HeaderFlags::NONE, HeaderFlags::RELATED_OPERATIONS] {
        client.begin();
        let first = client.header(Command::Create, 1);
        let file = NewFile::named("crossed.tmp").temporary();
        client
            .conn
            .out
            .push(&first, |w| file.write(w))
            .map_err(Error::from)?;
        let mut second = client.header(Command::TreeDisconnect, 1);
        second.set_session_id(victim.id);
        second.set_tree_id(tree);
        second.set_flags(flags);
        client.conn.out.push(&second, empty).map_err(Error::from)?;
        client.end()?;
        client.conn.flush()?;
        is_one_of(&client.wait(first.message_id())?, &[NtStatus::SUCCESS])?;
        is_one_of(
            &client.wait(second.message_id())?,
            &[NtStatus::ACCESS_DENIED, NtStatus::INVALID_PARAMETER],
        )?;
    }
    Ok(())
}

fn session_crossed_sealed(world: &World) -> Result<()> {
    for flags in [HeaderFlags::NONE, HeaderFlags::RELATED_OPERATIONS] {
        let mut client = world.protected(Protection::Seal)?;
        let (victim, tree) = second_session(world, &mut client)?;
        client.begin();
        let first = client.header(Command::Create, 1);
        let file = NewFile::named("crossed.tmp").temporary();
        client
            .conn
            .out
            .push(&first, |w| file.write(w))
            .map_err(Error::from)?;
        let mut second = client.header(Command::TreeDisconnect, 1);
        second.set_session_id(victim.id);
        second.set_tree_id(tree);
        second.set_flags(flags);
        client.conn.out.push(&second, empty).map_err(Error::from)?;
        client.end()?;
        client.conn.flush()?;
        match client.wait(second.message_id()) {
            Ok(answer) => is_one_of(
                &answer,
                &[
                    NtStatus::ACCESS_DENIED,
                    NtStatus::INVALID_PARAMETER,
                    NtStatus::USER_SESSION_DELETED,
                ],
            )?,
            Err(Error::Closed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn unsigned_after_signed(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let (session, tree) = second_session(world, &mut client)?;
    client.session = session;
    client.tree = tree;
    client.protection = Protection::Sign;
    client.begin();
    let first = client.header(Command::Create, 1);
    let file = NewFile::named("unsigned.tmp").temporary();
    client
        .conn
        .out
        .push(&first, |w| file.write(w))
        .map_err(Error::from)?;
    let mut second = client.header(Command::Close, 1);
    second.set_flags(HeaderFlags::RELATED_OPERATIONS);
    client
        .conn
        .out
        .push(&second, close_any)
        .map_err(Error::from)?;
    client.end()?;
    client.conn.flush()?;
    is_one_of(&client.wait(first.message_id())?, &[NtStatus::SUCCESS])?;
    is_one_of(
        &client.wait(second.message_id())?,
        &[NtStatus::ACCESS_DENIED],
    )
}

fn tree_crossed(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("trees.tmp").temporary())?;
    let own = client.tree;
    client.connect_tree(&world.target.share)?;
    ensure!(client.tree != own, "two tree connects have the same id");
    crate::check::refused(client.read(file, 0, 10), &[NtStatus::FILE_CLOSED])?;
    crate::check::refused(client.close(file), &[NtStatus::FILE_CLOSED])?;
    client.tree = own;
    client.close(file)?;
    Ok(())
}

fn tree_disconnect_then_use(world: &World) -> Result<()> {
    let mut client = world.client()?;
    client.create(&NewFile::named("disconnected.tmp").temporary())?;
    let file = NewFile::named("after.tmp").temporary();
    let answers = related(
        &mut client,
        &[
            (Command::TreeDisconnect, 1, &empty),
            (Command::Create, 1, &|w| file.write(w)),
            (Command::Read, 1, &read_any),
            (Command::TreeDisconnect, 1, &empty),
        ],
    )?;
    is_one_of(&answers[0], &[NtStatus::SUCCESS])?;
    for answer in &answers[1..] {
        is_one_of(
            answer,
            &[NtStatus::NETWORK_NAME_DELETED, NtStatus::INVALID_PARAMETER],
        )?;
    }
    Ok(())
}

fn logoff_then_use(world: &World) -> Result<()> {
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut client = world.protected(protection)?;
        let file = NewFile::named("after.tmp").temporary();
        let answers = related(
            &mut client,
            &[
                (Command::Logoff, 1, &empty),
                (Command::Create, 1, &|w| file.write(w)),
                (Command::Logoff, 1, &empty),
            ],
        )?;
        is_one_of(&answers[0], &[NtStatus::SUCCESS])?;
        for answer in &answers[1..] {
            is_one_of(
                answer,
                &[NtStatus::USER_SESSION_DELETED, NtStatus::INVALID_PARAMETER],
            )?;
        }
    }
    Ok(())
}

fn close_then_use(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = NewFile::named("closed.tmp").temporary();
    let answers = related(
        &mut client,
        &[
            (Command::Create, 1, &|w| file.write(w)),
            (Command::Close, 1, &close_any),
            (Command::Read, 1, &read_any),
            (Command::Close, 1, &close_any),
        ],
    )?;
    is_one_of(&answers[1], &[NtStatus::SUCCESS])?;
    for answer in &answers[2..] {
        is_one_of(answer, &[NtStatus::FILE_CLOSED])?;
    }
    Ok(())
}

/// An ECHO, and behind it a message that has no place in a compound.
fn after_echo(world: &World, command: Command, body: Body<'_>) -> Result<Client> {
    let mut client = world.client()?;
    client.begin();
    let echo = client.header(Command::Echo, 1);
    client.conn.out.push(&echo, empty).map_err(Error::from)?;
    let header = client.header(command, 1);
    client.conn.out.push(&header, body).map_err(Error::from)?;
    client.end()?;
    client.conn.flush()?;
    Ok(client)
}

fn negotiate_inside(world: &World) -> Result<()> {
    let mut client = after_echo(world, Command::Negotiate, &|w| Offer::default().write(w))?;
    closed(&mut client.conn)
}

fn setup_inside(world: &World) -> Result<()> {
    let mut client = after_echo(world, Command::SessionSetup, &|w| {
        smb_proto::session_setup::Request {
            security_buffer: &[0x41; 50],
            ..Default::default()
        }
        .write(w)
    })?;
    // Any answer, or none; the login that it was must not live on.
    outcome(&mut client.conn)?;
    Ok(())
}

fn cancel_inside(world: &World) -> Result<()> {
    let mut client = after_echo(world, Command::Cancel, &empty)?;
    match outcome(&mut client.conn)? {
        Outcome::Closed | Outcome::Answered(NtStatus::SUCCESS) => Ok(()),
        other => bail!("{other:?}"),
    }
}

fn lock_waits_inside(world: &World) -> Result<()> {
    use smb_proto::lock::{Element, LockFlags, NewRequest};
    let mut holder = world.client()?;
    let held = holder.create(&NewFile::named("locked.tmp").temporary())?;
    holder.lock(
        held,
        (0, 10),
        LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY,
    )?;
    let mut client = world.client()?;
    let file = NewFile::named("locked.tmp");
    let lock = [Element {
        offset: 0,
        length: 10,
        flags: LockFlags::EXCLUSIVE,
    }];
    let answers = related(
        &mut client,
        &[
            (Command::Create, 1, &|w| file.write(w)),
            (Command::Lock, 1, &|w| {
                NewRequest {
                    sequence_number: 0,
                    sequence_index: 0,
                    file_id: FileId::ANY,
                    locks: &lock,
                }
                .write(w)
            }),
            (Command::Close, 1, &close_any),
        ],
    )?;
    is_one_of(
        &answers[1],
        &[NtStatus::INTERNAL_ERROR, NtStatus::LOCK_NOT_GRANTED],
    )?;
    is_one_of(&answers[2], &[NtStatus::SUCCESS])?;
    holder.close(held)?;
    Ok(())
}

/// Asks for as many credits as the server gives.
fn fill_credits(client: &mut Client) -> Result<u32> {
    for _ in 0..4 {
        client.echo()?;
    }
    Ok(client.conn.credits)
}

fn echoes(client: &mut Client, count: u32) -> Result<Vec<u64>> {
    let mut ids = Vec::new();
    client.begin();
    for _ in 0..count {
        let header = client.header(Command::Echo, 1);
        client.conn.out.push(&header, empty).map_err(Error::from)?;
        ids.push(header.message_id());
    }
    client.end()?;
    client.conn.flush()?;
    Ok(ids)
}

fn long(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let credits = fill_credits(&mut client)?;
    for id in echoes(&mut client, credits)? {
        is_one_of(&client.wait(id)?, &[NtStatus::SUCCESS])?;
    }
    Ok(())
}

fn overdrawn(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let credits = fill_credits(&mut client)?;
    echoes(&mut client, credits + 1)?;
    closed(&mut client.conn)
}

fn same_id(world: &World) -> Result<()> {
    let mut client = world.client()?;
    client.begin();
    let header = client.header(Command::Echo, 1);
    for _ in 0..2 {
        client.conn.out.push(&header, empty).map_err(Error::from)?;
    }
    client.end()?;
    client.conn.flush()?;
    closed(&mut client.conn)
}

fn query_info_sizes(world: &World) -> Result<()> {
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut client = world.protected(protection)?;
        let file = client.create(&NewFile::named("sizes.tmp").temporary())?;
        for room in (0..200u32).step_by(7).chain([4096, 60_000]) {
            let ask = |kind, class| {
                move |w: &mut Writer<'_>| {
                    query_info::Request {
                        info_type: kind,
                        info_class: class,
                        output_buffer_length: room,
                        additional_information: if kind == InfoType::SECURITY { 7 } else { 0 },
                        file_id: file,
                        ..Default::default()
                    }
                    .write(w)
                }
            };
            let classes = [
                (InfoType::FILE, 18),
                (InfoType::FILE, 5),
                (InfoType::FILESYSTEM, 5),
                (InfoType::SECURITY, 0),
                (InfoType::FILE, 22),
                (InfoType::FILE, 15),
                (InfoType::FILESYSTEM, 1),
            ];
            let bodies: Vec<_> = classes.map(|(kind, class)| ask(kind, class)).into();
            let elements: Vec<(Command, u16, Body<'_>)> = bodies
                .iter()
                .map(|body| (Command::QueryInfo, 1, body as Body<'_>))
                .collect();
            for answer in related(&mut client, &elements)? {
                if !answer.status().is_error() {
                    let reply = query_info::Reply::parse(&answer.pdu).map_err(Error::from)?;
                    ensure!(
                        reply.data.len() <= usize::try_from(room)?,
                        "{} bytes where {room} have room",
                        reply.data.len()
                    );
                }
            }
        }
        client.close(file)?;
    }
    Ok(())
}

fn large_reads(world: &World) -> Result<()> {
    const LEN: u32 = 1 << 20;
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut client = world.client_with(&Options {
            protection,
            room: 9 << 20,
            ..Options::default()
        })?;
        fill_credits(&mut client)?;
        let file = client.create(&NewFile::named("large.tmp").temporary())?;
        let data: Vec<u8> = (0..LEN).map(|at| at.to_le_bytes()[1]).collect();
        client.write(file, 0, &data)?;
        let body = |w: &mut Writer<'_>| {
            read::Request {
                length: LEN,
                file_id: file,
                ..Default::default()
            }
            .write(w)
        };
        let elements: [(Command, u16, Body<'_>); 8] = [(Command::Read, 16, &body); 8];
        for answer in related(&mut client, &elements)? {
            is_one_of(&answer, &[NtStatus::SUCCESS])?;
            let reply = read::Reply::parse(&answer.pdu).map_err(Error::from)?;
            ensure!(reply.data == data, "what was written reads otherwise");
        }
        client.close(file)?;
    }
    Ok(())
}

fn create_close(world: &World) -> Result<()> {
    let mut client = world.client()?;
    fill_credits(&mut client)?;
    let file = NewFile::named("again.tmp").temporary();
    let create = |w: &mut Writer<'_>| file.write(w);
    let mut elements: Vec<(Command, u16, Body<'_>)> = Vec::new();
    for _ in 0..100 {
        elements.push((Command::Create, 1, &create));
        elements.push((Command::Close, 1, &close_any));
    }
    for answer in related(&mut client, &elements)? {
        is_one_of(&answer, &[NtStatus::SUCCESS])?;
    }
    let header: Header = client.header(Command::Echo, 1);
    client.queue(&header, empty)?;
    client.conn.flush()?;
    client.wait(header.message_id())?;
    Ok(())
}
