// SPDX-License-Identifier: GPL-2.0

//! Connections of which one half is gone, or both without the server's knowledge, and clients that are slower than they may be
//! after a login. [MS-SMB2] 3.3.7.1.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use smb_client::{Client, Error, NewFile, Protection};
use smb_proto::header::Command;
use smb_proto::lock::LockFlags;
use smb_proto::read;

use crate::cases::cases;
use crate::check::closed;
use crate::world::World;

cases! {
    "frame.half-closed-while-waiting", "a client that closes its half while its requests wait" => half_closed_while_waiting;
    "frame.reset", "connections that are reset while requests are in work" => reset;
    "frame.vanished", "a client that vanishes without a word, and is sent something later" => vanished;
    "flood.slow-writes", "clients that stop or trickle within a WRITE" => slow_writes;
}

/// Requests that wait: for a change, and for a lock that `holder` has.
fn wait(client: &mut Client, holder: &mut Client) -> Result<()> {
    let now = LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY;
    let held = holder.create(&NewFile::named("half.tmp").temporary())?;
    holder.lock(held, (0, 10), now)?;
    let folder = client.create(&NewFile::directory("half").temporary())?;
    let file = client.create(&NewFile::named("half.tmp"))?;
    for id in [
        client.send_notify(folder, 4096)?,
        client.send_lock(file, (0, 10), LockFlags::EXCLUSIVE)?,
    ] {
        client.wait_pending(id)?.context("it does not wait")?;
    }
    Ok(())
}

fn half_closed_while_waiting(world: &World) -> Result<()> {
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut holder = world.client()?;
        let mut client = world.protected(protection)?;
        wait(&mut client, &mut holder)?;
        client.conn.half_close()?;
        // Its own half is open still: whatever comes, in the end the server closes, and has given back what the client held.
        loop {
            match client.conn.receive() {
                Ok(_) => {}
                Err(Error::Closed) => break,
                Err(error) => return Err(error.into()),
            }
        }
        holder.log_off()?;
    }
    Ok(())
}

fn reset(world: &World) -> Result<()> {
    for round in 0..15 {
        let protection = [Protection::Plain, Protection::Sign, Protection::Seal][round % 3];
        let mut holder = world.client()?;
        let mut client = world.protected(protection)?;
        wait(&mut client, &mut holder)?;
        let file = client.create(&NewFile::named("reset.tmp").temporary())?;
        client.write(file, 0, &[7; 65_536])?;
        for _ in 0..8 {
            let request = read::Request {
                length: 65_536,
                file_id: file,
                ..Default::default()
            };
            client.send(Command::Read, 1, |w| request.write(w))?;
        }
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(client.conn.stream(), sockopt::Linger, &at_once)?;
        drop(client);
    }
    Ok(())
}

fn vanished(world: &World) -> Result<()> {
    let mut holder = world.client()?;
    let mut client = world.client()?;
    wait(&mut client, &mut holder)?;
    let before = world.counts()?;
    // A socket that is closed while it is repaired says nothing to its peer.
    setsockopt(client.conn.stream(), sockopt::TcpRepair, &1)?;
    drop(client);
    holder.echo()?;
    ensure!(
        world.counts()? == before,
        "the server knows of the end of a client that said nothing"
    );
    // What it waited for comes, and with the answer to it the server learns.
    let file = holder.create(&NewFile::named(r"half\new.tmp").temporary())?;
    holder.close(file)?;
    Ok(())
}

fn slow_writes(world: &World) -> Result<()> {
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = world.client()?;
        // Of a kilobyte: the time that a frame may take grows with its length.
        client.conn.send_bytes(&[0, 0, 4, 0, 0xfe])?;
        slow.push(client);
    }
    let begun = Instant::now();
    world.check_serves()?;
    // Half of them send a byte now and then. They are let go as those are that send nothing.
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        let trickled = slow
            .iter_mut()
            .take(2)
            .filter_map(|client| client.conn.send_bytes(b"S").ok())
            .count();
        if trickled == 0 {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(200));
    }
    ensure!(sent > 5, "the first bytes were not taken");
    ensure!(
        begun.elapsed() < Duration::from_secs(60),
        "a WRITE may come byte by byte"
    );
    for client in slow.iter_mut().skip(2) {
        closed(&mut client.conn)?;
    }
    Ok(())
}
