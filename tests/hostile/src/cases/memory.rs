// SPDX-License-Identifier: GPL-2.0

//! Memory that is not given back: each attack again and again, and the kernel's own memory before and after.
//!
//! Allocators keep some; so each is done for a while first, and what may grow is far less than what one leaked object each
//! time would make.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{ensure, Result};
use smb_client::{Client, Connection, Credentials, NewFile, Options, Setup, SetupHeader};
use smb_proto::create::OplockLevel;
use smb_proto::lock::LockFlags;

use crate::cases::cases;
use crate::counts::kernel_memory;
use crate::world::World;

/// KiB that the kernel's memory may grow by for reasons of its own.
const SLACK: i64 = 3 * 1024;

cases! {
    "memory.connections", "connections that end at once, or after NEGOTIATE" => |world| grows(world, 400, |world| {
        drop(world.connection()?);
        world.negotiated().map(drop)
    });
    "memory.half-logins", "logins that are never finished" => |world| grows(world, 300, |world| half_login(world).map(drop));
    "memory.failed-logins", "logins of a user who is not" => |world| grows(world, 150, |world| {
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, SetupHeader::default())?;
        setup.first(&mut conn)?;
        // Not a wrong password: after some of those, the server takes its time.
        let wrong = Credentials::new("nosuchuser", "wrong");
        ensure!(setup.second(&mut conn, &wrong).is_err(), "somebody unknown was let in");
        Ok(())
    });
    "memory.sessions", "sessions that end with their connection" => |world| grows(world, 150, |world| world.client().map(drop));
    "memory.opens", "files that are never closed" => |world| grows(world, 100, |world| {
        let mut client = world.client()?;
        for number in 0..20 {
            client.create(&NewFile::named(&format!("left{number}.tmp")).temporary())?;
        }
        Ok(())
    });
    "memory.waits", "requests that wait for what never comes" => |world| grows(world, 80, waits);
    "memory.bindings", "channels that are bound, and bindings that are not finished" => |world| grows(world, 80, bindings);
    "memory.frames", "frames that are refused" => |world| grows(world, 400, |world| {
        let mut client = world.negotiated()?;
        client.send_frame(&[0x41; 16_000])?;
        crate::check::closed(&mut client)
    });
}

fn half_login(world: &World) -> Result<Connection> {
    let mut conn = world.negotiated()?;
    Setup::new(&conn, SetupHeader::default())?.first(&mut conn)?;
    Ok(conn)
}

/// Attacks by [`waits`]: the files of the one before may be about to be deleted still.
static WAITS: AtomicU32 = AtomicU32::new(0);

fn waits(world: &World) -> Result<()> {
    let number = WAITS.fetch_add(1, Ordering::Relaxed);
    let (held, locked) = (format!("held{number}.tmp"), format!("locked{number}.tmp"));
    let mut client = world.client()?;
    let folder = client.create(&NewFile::directory(""))?;
    let first = client.create(&NewFile {
        oplock: OplockLevel::BATCH,
        ..NewFile::named(&held).temporary()
    })?;
    let second = client.create(&NewFile::named(&locked).temporary())?;
    let third = client.create(&NewFile::named(&locked))?;
    client.lock(
        second,
        (0, 10),
        LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY,
    )?;
    for _ in 0..20 {
        client.send_notify(folder, 4096)?;
        client.send_lock(third, (0, 10), LockFlags::EXCLUSIVE)?;
    }
    client.echo()?;
    client.close(first)?;
    Ok(())
}

fn bindings(world: &World) -> Result<()> {
    let options = Options::default();
    let first = world.client_with(&options)?;
    let second = Client::bind(&world.target, &options, &first)?;
    let mut conn = world.connection()?;
    first.begin_binding(&mut conn, &options)?;
    drop(second);
    Ok(())
}

/// Does it `times` times, and as often again: the second time, memory must not grow.
fn grows(world: &World, times: usize, attack: fn(&World) -> Result<()>) -> Result<()> {
    let mut measured = Vec::new();
    let mut grown = 0;
    // A second look at what grew: an allocator that took more room once does not do so again.
    for _ in 0..4 {
        for _ in 0..times {
            attack(world)?;
        }
        world.settled(None)?;
        // The server keeps buffers for up to ten seconds, twice that until its upkeep looks.
        std::thread::sleep(std::time::Duration::from_millis(200));
        measured.push(kernel_memory()?);
        if let [.., before, after] = measured[..] {
            grown = after - before;
            if grown < SLACK.min(i64::try_from(times)?) {
                return Ok(());
            }
        }
    }
    ensure!(
        grown < SLACK,
        "the kernel's memory grows by {grown} KiB each {times} times: {measured:?}"
    );
    Ok(())
}
