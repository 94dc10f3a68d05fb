// SPDX-License-Identifier: GPL-2.0

//! Too much of everything, and too slowly: what one client does must not keep others from being served.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use smb_client::{Client, Connection, Error, NewFile, Options};
use smb_proto::header::{Command, FileId};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::read;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::check::is_one_of;
use crate::world::World;

cases! {
    "flood.connections", "more connections than one address may have" => connections;
    "flood.idle-connections", "a hundred connections that say nothing" => idle_connections;
    "flood.slow-lengths", "a hundred connections that stop within a length" => slow_lengths;
    "flood.echoes", "thousands of requests at once" => echoes;
    "flood.cancels", "thousands of CANCELs of nothing" => cancels;
    "flood.notifies", "more requests that wait than a connection may have" => notifies;
    "flood.opens", "more open files than the server allows" => opens;
    "flood.lock-elements", "a LOCK of thousands of ranges" => lock_elements;
    "flood.unread-answers", "megabytes of answers that nobody takes" => unread_answers;
    "flood.before-login", "requests without end before a login" => before_login;
}

/// A client that behaves is served, within a time that is long for an emulated machine.
fn others_are_served(world: &World) -> Result<()> {
    let begun = Instant::now();
    world.check_serves()?;
    let took = begun.elapsed();
    ensure!(
        took < Duration::from_secs(60),
        "another client was served after {took:?}"
    );
    Ok(())
}

fn connections(world: &World) -> Result<()> {
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..400 {
        let mut conn = world.connection()?;
        match conn.negotiate(&Options::default().offer) {
            Ok(_) => open.push(conn),
            Err(Error::Closed) => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(
        refused > 0,
        "{} connections of one address were taken",
        open.len()
    );
    ensure!(
        open.len() > 50,
        "{} connections only were taken",
        open.len()
    );
    open.truncate(open.len() - 10);
    // Those that ended make room, once the server has seen their end.
    let begun = Instant::now();
    while let Err(error) = world.check_serves() {
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "no room after connections ended: {error}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn idle_connections(world: &World) -> Result<()> {
    let idle: Vec<Connection> = (0..100)
        .map(|_| world.connection())
        .collect::<Result<_>>()?;
    others_are_served(world)?;
    drop(idle);
    Ok(())
}

fn slow_lengths(world: &World) -> Result<()> {
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut conn = world.connection()?;
        conn.send_bytes(&[0, 0])?;
        slow.push(conn);
    }
    others_are_served(world)?;
    slow.iter_mut().try_for_each(crate::check::closed)
}

fn echoes(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut left = 5000u32;
    let mut waiting = Vec::new();
    while left > 0 || !waiting.is_empty() {
        while left > 0 && client.conn.credits > 0 && waiting.len() < 400 {
            let header = client.header(Command::Echo, 1);
            client.queue(&header, |w| Empty.write(w))?;
            waiting.push(header.message_id());
            left -= 1;
        }
        client.conn.flush()?;
        let mut strange = None;
        client.receive_each(|header, _, _| {
            let id = header.message_id();
            match waiting.iter().position(|wanted| *wanted == id) {
                Some(at) => {
                    waiting.swap_remove(at);
                }
                None => strange = Some(id),
            }
        })?;
        if let Some(id) = strange {
            bail!("an answer to {id}, which was answered or never sent");
        }
    }
    Ok(())
}

fn cancels(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for id in 0..5000 {
        client.cancel(id, (id % 2 == 0).then_some(id))?;
    }
    client.echo()?;
    others_are_served(world)
}

fn notifies(world: &World) -> Result<()> {
    let mut client = world.client()?;
    // A folder in which nothing changes.
    client.create(&NewFile::directory("quiet").temporary())?;
    let folder = client.create(&NewFile::directory("quiet"))?;
    let mut ids = Vec::new();
    for _ in 0..1200 {
        // An interim answer gives the credit back.
        let id = client.send_notify(folder, 4096)?;
        client.wait_pending(id)?;
        ids.push(id);
    }
    client.echo().context("while twelve hundred wait")?;
    others_are_served(world)?;
    client.close(folder)?;
    let mut refused = 0;
    for id in ids {
        let answer = client.wait(id)?;
        match answer.status() {
            NtStatus::NOTIFY_CLEANUP => {}
            NtStatus::INSUFFICIENT_RESOURCES => refused += 1,
            other => bail!("a CHANGE_NOTIFY ended with {other:?}"),
        }
    }
    ensure!(
        refused > 0,
        "twelve hundred requests may wait on a connection"
    );
    Ok(())
}

fn opens(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut opened: Vec<FileId> = Vec::new();
    let mut refused = 0;
    while refused < 10 {
        match client.create(&NewFile::named("opens.tmp").temporary()) {
            Ok(id) => opened.push(id),
            Err(Error::Status(
                NtStatus::TOO_MANY_OPENED_FILES | NtStatus::INSUFFICIENT_RESOURCES,
            )) => refused += 1,
            Err(error) => bail!("open {}: {error}", opened.len()),
        }
        ensure!(opened.len() < 20_000, "there is no limit to open files");
    }
    // Closing one makes room for one.
    let last = opened.pop().context("no file could be opened")?;
    client.close(last)?;
    client.create(&NewFile::named("opens2.tmp").temporary())?;
    Ok(())
}

fn lock_elements(world: &World) -> Result<()> {
    let mut client = world.client_with(&Options {
        room: 2 << 20,
        ..Options::default()
    })?;
    let file = client.create(&NewFile::named("elements.tmp").temporary())?;
    let elements: Vec<Element> = (0..10_000)
        .map(|at| Element {
            offset: at * 2,
            length: 1,
            flags: LockFlags::SHARED | LockFlags::FAIL_IMMEDIATELY,
        })
        .collect();
    for _ in 0..2 {
        let request = NewRequest {
            sequence_number: 0,
            sequence_index: 0,
            file_id: file,
            locks: &elements,
        };
        let id = client.send(Command::Lock, 4, |w| request.write(w))?;
        others_are_served(world)?;
        is_one_of(
            &client.wait(id)?,
            &[
                NtStatus::SUCCESS,
                NtStatus::INSUFFICIENT_RESOURCES,
                NtStatus::INVALID_PARAMETER,
                NtStatus::LOCK_NOT_GRANTED,
            ],
        )?;
    }
    client.close(file)?;
    Ok(())
}

fn unread_answers(world: &World) -> Result<()> {
    const LEN: u32 = 1 << 20;
    let mut client = world.client_with(&Options {
        room: 2 << 20,
        ..Options::default()
    })?;
    for _ in 0..8 {
        client.echo()?;
    }
    let file = client.create(&NewFile::named("unread.tmp").temporary())?;
    client.write(file, 0, &vec![0x11; 1 << 20])?;
    for _ in 0..60 {
        let request = read::Request {
            length: LEN,
            file_id: file,
            ..Default::default()
        };
        if client.conn.credits < 16 {
            break;
        }
        let header = client.header(Command::Read, 16);
        client.queue(&header, |w| request.write(w))?;
    }
    client.conn.flush()?;
    others_are_served(world)?;
    drop(client);
    Ok(())
}

fn before_login(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let mut served = 0;
    for _ in 0..2000 {
        let mut header = conn.header(Command::Echo, 1);
        header.set_credits(u16::MAX);
        conn.out.begin(false);
        conn.out
            .push(&header, |w| Empty.write(w))
            .and_then(|()| conn.out.finish(None))
            .map_err(Error::from)?;
        conn.flush()?;
        conn.receive()?;
        served += 1;
    }
    ensure!(served == 2000, "{served} served");
    let mut client: Client = world.client()?;
    client.echo()?;
    Ok(())
}
