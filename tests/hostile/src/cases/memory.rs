// SPDX-License-Identifier: GPL-2.0

//! Memory that is not given back: each attack again and again, and what the kernel holds before and after. It is done for a while
//! first, for caches and pools to find their size.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{bail, ensure, Context, Result};
use smb_client::{Client, Connection, Credentials, NewFile, Options, Setup, SetupHeader};
use smb_proto::change_notify::{self, CompletionFilter, NotifyFlags};
use smb_proto::create::OplockLevel;
use smb_proto::header::Command;
use smb_proto::lock::LockFlags;
use smb_proto::status::NtStatus;

use crate::cases::cases;
use crate::memory::{Held, NoTimeWait, Taken};
use crate::world::{kernel_looks_itself, message, World};

/// What a number of the kernel's grows or shrinks by for reasons of its own, seldom more: see [`crate::memory`].
const NOISE: i64 = 110;
/// Times that it may have grown by more.
const ROUNDS: usize = 4;

/// Files that one attack leaves open.
const FILES: u32 = 20;
/// Requests of a kind that one attack leaves waiting.
const WAITING: u32 = 20;

cases! {
    "memory.connections", "connections that end at once, or after NEGOTIATE" => |world| grows(world, 220, 1, |world| {
        drop(world.connection()?);
        world.negotiated().map(drop)
    });
    "memory.half-logins", "logins that are never finished" => |world| grows(world, 220, 1, |world| half_login(world).map(drop));
    "memory.failed-logins", "logins of a user who is not" => |world| grows(world, 220, 1, |world| {
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, SetupHeader::default())?;
        setup.first(&mut conn)?;
        // Not a wrong password: after some of those, the server takes its time.
        let wrong = Credentials::new("nosuchuser", "wrong");
        ensure!(setup.second(&mut conn, &wrong).is_err(), "somebody unknown was let in");
        Ok(())
    });
    "memory.sessions", "sessions that end with their connection" => |world| grows(world, 220, 1, |world| world.client().map(drop));
    "memory.opens", "files that are never closed" => |world| grows(world, 20, FILES, |world| {
        let mut client = world.client()?;
        for number in 0..FILES {
            client.create(&NewFile::named(&format!("left{number}.tmp")).temporary())?;
        }
        Ok(())
    });
    "memory.waits", "requests that wait for what never comes" => |world| grows(world, 12, WAITING, waits);
    "memory.bindings", "channels that are bound, and bindings that are not finished" => |world| grows(world, 220, 1, bindings);
    "memory.frames", "frames that are refused" => |world| grows(world, 220, 1, |world| {
        let mut client = world.negotiated()?;
        client.send_frame(&[0x41; 16_000])?;
        crate::check::closed(&mut client)
    });
    "memory.parked-frames", "requests that wait, in frames far larger than they are" => parked_frames;
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
    for _ in 0..WAITING {
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

/// Bytes of a padded frame, and how many are sent.
const PADDED: usize = 4 << 20;
const PADDED_COUNT: usize = 64;
/// KiB that the kernel may keep meanwhile: what may wait on a connection, and as many free buffers as it keeps for later. All that is
/// sent would be twice as much.
const PADDED_KEPT: i64 = 128 * 1024;

fn parked_frames(world: &World) -> Result<()> {
    let before = Taken::read()?;
    let mut client = world.client()?;
    client.create(&NewFile::directory("quiet").temporary())?;
    let folder = client.create(&NewFile::directory("quiet"))?;
    let request = change_notify::Request {
        flags: NotifyFlags::NONE,
        output_buffer_length: 4096,
        file_id: folder,
        filter: CompletionFilter::ALL,
    };
    let mut ids = Vec::new();
    for _ in 0..PADDED_COUNT {
        let header = client.header(Command::ChangeNotify, 1);
        let mut frame = message(&header, |w| request.write(w))?;
        frame.resize(PADDED, 0);
        client.conn.send_frame(&frame)?;
        let async_id = client.wait_pending(header.message_id())?;
        ids.push((header.message_id(), async_id));
    }
    client.echo().context("while they wait")?;
    let grown = Taken::read()?.since(before);
    ensure!(
        kernel_looks_itself() || grown.known.max(grown.pages) < PADDED_KEPT,
        "the kernel's memory grew by {grown:?} KiB"
    );
    let (first, async_id) = ids.remove(0);
    client.cancel(first, async_id)?;
    let status = client.wait(first)?.status();
    ensure!(
        status == NtStatus::CANCELLED,
        "the first one was cancelled, and ended with {status:?}"
    );
    client.close(folder)?;
    let mut refused = 0;
    for (id, _) in ids {
        match client.wait(id)?.status() {
            NtStatus::NOTIFY_CLEANUP => {}
            NtStatus::INSUFFICIENT_RESOURCES => refused += 1,
            other => bail!("a CHANGE_NOTIFY ended with {other:?}"),
        }
    }
    ensure!(refused > 0, "all of them may wait");
    Ok(())
}

/// Does it `times` times, and as often again: then no number of the kernel's may have grown by half of what each attack's loss of
/// one object or page would make. `each` is how many things an attack leaves behind.
///
/// Something that grew once is looked at again: an allocator that took more room does so once, and what is lost is lost each time.
fn grows(world: &World, times: u32, each: u32, attack: fn(&World) -> Result<()>) -> Result<()> {
    let bound = i64::from(times * each / 2);
    ensure!(bound >= NOISE, "too few attacks to tell anything by");
    let _forgetful = NoTimeWait::begin()?;
    let attacks = || -> Result<()> {
        for _ in 0..times {
            attack(world)?;
        }
        world.settled(None).map(drop)
    };
    let round = || attacks().and_then(|()| Held::read());
    if kernel_looks_itself() {
        return attacks();
    }
    let mut before = round()?;
    let mut grown = Vec::new();
    for _ in 0..ROUNDS {
        let after = round()?;
        let more = after.grown_since(&before, bound);
        if more.is_empty() {
            return Ok(());
        }
        grown.push(more);
        before = after;
    }
    bail!("{times} attacks that leave {each} each: every time, the kernel holds more: {grown:?}")
}
