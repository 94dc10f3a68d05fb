// SPDX-License-Identifier: GPL-2.0

//! Requests that wait, and what ends the wait: CANCEL, the end of the file, the tree connect, the session, the connection,
//! breaks that nobody acknowledges or that are acknowledged wrongly. [MS-SMB2] 3.3.5.14, 3.3.5.16, 3.3.5.19, 3.3.5.22.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rand::Rng;
use smb_client::{access, Client, Error, NewFile, Options, Protection};
use smb_proto::create::{Disposition, OplockLevel};
use smb_proto::create_context::RequestContexts;
use smb_proto::header::{Command, FileId};
use smb_proto::lease::{Lease, LeaseFlags, LeaseKey, LeaseState};
use smb_proto::lock::LockFlags;
use smb_proto::oplock_break::{LeaseAck, OplockBreak, Reply};
use smb_proto::query_info::InfoType;
use smb_proto::set_info;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::cases::race::rename_to;
use crate::check::is_one_of;
use crate::world::World;

cases! {
    "waiting.lock-cancelled", "a LOCK that waits, and CANCEL" => |world| ended(world, Wait::Lock, End::Cancel);
    "waiting.lock-closed", "a LOCK that waits, and CLOSE of its file" => |world| ended(world, Wait::Lock, End::Close);
    "waiting.lock-tree-disconnected", "a LOCK that waits, and TREE_DISCONNECT" => |world| ended(world, Wait::Lock, End::TreeDisconnect);
    "waiting.lock-logged-off", "a LOCK that waits, and LOGOFF" => |world| ended(world, Wait::Lock, End::Logoff);
    "waiting.lock-disconnected", "a LOCK that waits, and the connection's end" => |world| ended(world, Wait::Lock, End::Disconnect);
    "waiting.lock-granted-and-cancelled", "a LOCK that is granted while it is cancelled" => lock_granted_and_cancelled;
    "waiting.lock-granted-and-closed", "a LOCK that is granted while its file is closed" => lock_granted_and_closed;
    "waiting.notify-cancelled", "a CHANGE_NOTIFY, and CANCEL" => |world| ended(world, Wait::Notify, End::Cancel);
    "waiting.notify-closed", "a CHANGE_NOTIFY, and CLOSE of its directory" => |world| ended(world, Wait::Notify, End::Close);
    "waiting.notify-tree-disconnected", "a CHANGE_NOTIFY, and TREE_DISCONNECT" => |world| ended(world, Wait::Notify, End::TreeDisconnect);
    "waiting.notify-logged-off", "a CHANGE_NOTIFY, and LOGOFF" => |world| ended(world, Wait::Notify, End::Logoff);
    "waiting.notify-disconnected", "a CHANGE_NOTIFY, and the connection's end" => |world| ended(world, Wait::Notify, End::Disconnect);
    "waiting.notify-on-dead-channels", "CHANGE_NOTIFYs of one open, each on a connection that ends" => notify_on_dead_channels;
    "waiting.cancel-at-once", "CANCEL in the same segment as its request" => cancel_at_once;
    "waiting.cancel-twice", "CANCEL twice, of what is answered, and of nothing" => cancel_twice;
    "waiting.cancel-of-another", "CANCEL on another connection of the session" => cancel_of_another;
    "waiting.cancel-signed-wrongly", "CANCEL with a wrong signature" => cancel_signed_wrongly;
    "waiting.break-holder-gone", "a break whose holder's connection ends" => |world| broken(world, Holder::Gone);
    "waiting.break-holder-closes", "a break whose holder closes" => |world| broken(world, Holder::Closes);
    "waiting.break-holder-logs-off", "a break whose holder logs off" => |world| broken(world, Holder::LogsOff);
    "waiting.break-waiter-gone", "a break for which nobody waits any more" => |world| broken(world, Holder::WaiterGone);
    "waiting.break-waiter-cancelled", "a break whose waiter cancels" => |world| broken(world, Holder::WaiterCancels);
    "waiting.break-acknowledged-wrongly", "breaks acknowledged to a level that was not asked for" => |world| broken(world, Holder::AcksWrongly);
    "waiting.break-acknowledged-twice", "a break acknowledged twice" => |world| broken(world, Holder::AcksTwice);
    "waiting.break-ignored", "breaks that nobody acknowledges, one of them held back" => ignored;
    "waiting.break-beneath-a-directory", "a directory gets a new name while files in it are open only to be cached" => beneath;
    "waiting.acknowledgment-of-nothing", "acknowledgments of breaks that there were not" => ack_of_nothing;
    "waiting.lease-of-another", "another client's lease, acknowledged and taken" => lease_of_another;
}

/// How long the kernel may take to free what is over.
const PATIENCE: Duration = Duration::from_secs(10);
/// FileRenameInformation, [MS-FSCC] 2.4.
const RENAME: u8 = 10;
const NOW: LockFlags = LockFlags::EXCLUSIVE.union(LockFlags::FAIL_IMMEDIATELY);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Lock,
    Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cancel,
    Close,
    TreeDisconnect,
    Logoff,
    Disconnect,
}

const ROUNDS: usize = 6;

/// Somebody who holds a lock on the file `name`.
fn holder(world: &World, name: &str) -> Result<(Client, FileId)> {
    let mut holder = world.client()?;
    let held = holder.create(&NewFile::named(name).temporary())?;
    holder.lock(held, (0, 10), NOW)?;
    Ok((holder, held))
}

/// What `wait` waits for ends by `end`, on another connection of the session.
fn ended(world: &World, wait: Wait, end: End) -> Result<()> {
    for round in 0..ROUNDS {
        let (mut holder, held) = holder(world, "waited.tmp")?;
        let protection = [Protection::Plain, Protection::Sign, Protection::Seal][round % 3];
        let (mut first, mut second) = world.channels(protection)?;
        let (file, ids) = begin(&mut first, wait)?;
        match end {
            End::Cancel => {
                for (number, id) in ids.iter().enumerate() {
                    let async_id = first.wait_pending(*id)?.context("it does not wait")?;
                    // By message id as by async id.
                    let by = (number % 2 == 0).then_some(async_id);
                    first.cancel(*id, by)?;
                }
            }
            End::Close => second.close(file)?,
            End::TreeDisconnect => second.disconnect_tree()?,
            End::Logoff => second.log_off()?,
            End::Disconnect => {
                drop(first);
                // The session lives on the other connection: its file is still open, and can be used.
                second.close(file)?;
                holder.close(held)?;
                continue;
            }
        }
        let due: &[NtStatus] = match (wait, end) {
            (_, End::Cancel) => &[NtStatus::CANCELLED],
            (Wait::Lock, _) => &[NtStatus::RANGE_NOT_LOCKED, NtStatus::FILE_CLOSED],
            (Wait::Notify, _) => &[NtStatus::NOTIFY_CLEANUP],
        };
        for id in ids {
            is_one_of(&first.wait(id)?, due).with_context(|| format!("round {round}"))?;
        }
        holder.close(held)?;
    }
    Ok(())
}

/// Requests that wait, four on one open.
fn begin(client: &mut Client, wait: Wait) -> Result<(FileId, Vec<u64>)> {
    let file = match wait {
        Wait::Lock => client.create(&NewFile::named("waited.tmp"))?,
        Wait::Notify => client.create(&NewFile::directory(""))?,
    };
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = match wait {
            Wait::Lock => client.send_lock(file, (0, 10), LockFlags::EXCLUSIVE)?,
            Wait::Notify => client.send_notify(file, 4096)?,
        };
        client.wait_pending(id)?.context("it does not wait")?;
        ids.push(id);
    }
    Ok((file, ids))
}

fn lock_granted_and_cancelled(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for _ in 0..ROUNDS * 3 {
        let (mut holder, held) = holder(world, "granted.tmp")?;
        let file = client.create(&NewFile::named("granted.tmp"))?;
        let id = client.send_lock(file, (0, 10), LockFlags::EXCLUSIVE)?;
        let async_id = client.wait_pending(id)?;
        let unlock = holder.send_lock(held, (0, 10), LockFlags::UNLOCK)?;
        client.cancel(id, async_id)?;
        is_one_of(&holder.wait(unlock)?, &[NtStatus::SUCCESS])?;
        let answer = client.wait(id)?;
        is_one_of(&answer, &[NtStatus::SUCCESS, NtStatus::CANCELLED])?;
        // Held or free, as the answer says.
        let mine = answer.status() == NtStatus::SUCCESS;
        let taken = holder.lock(held, (0, 10), NOW).is_err();
        ensure!(
            mine == taken,
            "the wait was answered {:?}, and the range is {}",
            answer.status(),
            if taken { "locked" } else { "free" }
        );
        client.close(file)?;
        holder.close(held)?;
    }
    Ok(())
}

fn lock_granted_and_closed(world: &World) -> Result<()> {
    for _ in 0..ROUNDS {
        let (mut holder, held) = holder(world, "both.tmp")?;
        let (mut first, mut second) = world.channels(Protection::Plain)?;
        let file = first.create(&NewFile::named("both.tmp"))?;
        let id = first.send_lock(file, (0, 10), LockFlags::EXCLUSIVE)?;
        first.wait_pending(id)?;
        let unlock = holder.send_lock(held, (0, 10), LockFlags::UNLOCK)?;
        second.close(file)?;
        holder.wait(unlock)?;
        is_one_of(
            &first.wait(id)?,
            &[
                NtStatus::SUCCESS,
                NtStatus::RANGE_NOT_LOCKED,
                NtStatus::FILE_CLOSED,
            ],
        )?;
        // Whatever it was answered, nothing of it stays.
        holder.lock(held, (0, 10), NOW)?;
        holder.close(held)?;
    }
    Ok(())
}

fn cancel_at_once(world: &World) -> Result<()> {
    let (_holder, _) = holder(world, "at-once.tmp")?;
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("at-once.tmp"))?;
    let folder = client.create(&NewFile::directory(""))?;
    for round in 0..100 {
        let id = if round % 2 == 0 {
            client.send_lock(file, (0, 10), LockFlags::EXCLUSIVE)?
        } else {
            client.send_notify(folder, 4096)?
        };
        client.cancel(id, None)?;
        is_one_of(&client.wait(id)?, &[NtStatus::CANCELLED])
            .with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

fn cancel_twice(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let folder = client.create(&NewFile::directory(""))?;
    let id = client.send_notify(folder, 4096)?;
    let async_id = client.wait_pending(id)?;
    client.cancel(id, async_id)?;
    client.cancel(id, async_id)?;
    is_one_of(&client.wait(id)?, &[NtStatus::CANCELLED])?;
    for (id, async_id) in [
        (id, async_id),
        (id, None),
        (0, None),
        (u64::MAX, None),
        (1, Some(0)),
        (1, Some(u64::MAX)),
        (client.conn.next_id + 1000, None),
    ] {
        client.cancel(id, async_id)?;
    }
    // None of them is answered: the next answer is ECHO's.
    let id = client.send(Command::Echo, 1, |w| Empty.write(w))?;
    let mut came = 0;
    client.receive_each(|header, _, _| came = header.message_id())?;
    ensure!(came == id, "an answer to {came} came before that to {id}");
    Ok(())
}

fn cancel_of_another(world: &World) -> Result<()> {
    let (mut first, mut second) = world.channels(Protection::Plain)?;
    let folder = first.create(&NewFile::directory(""))?;
    let id = first.send_notify(folder, 4096)?;
    let async_id = first.wait_pending(id)?;
    second.cancel(id, async_id)?;
    second.cancel(id, None)?;
    second.echo()?;
    first.echo()?;
    // It waits still.
    first.cancel(id, async_id)?;
    is_one_of(&first.wait(id)?, &[NtStatus::CANCELLED])
}

fn cancel_signed_wrongly(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Sign)?;
    let folder = client.create(&NewFile::directory(""))?;
    let id = client.send_notify(folder, 4096)?;
    let async_id = client.wait_pending(id)?;
    let signer = client.session.signer.clone();
    client.session.signer = Some(smb_client::crypto::Signer::new(
        smb_proto::negotiate_context::SigningAlgorithm::AES_CMAC,
        &[1; 16],
    ));
    client.cancel(id, async_id)?;
    client.session.signer = signer;
    client.echo()?;
    client.cancel(id, async_id)?;
    is_one_of(&client.wait(id)?, &[NtStatus::CANCELLED])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Gone,
    Closes,
    LogsOff,
    WaiterGone,
    WaiterCancels,
    AcksWrongly,
    AcksTwice,
    Silent,
}

fn acknowledge(client: &mut Client, file_id: FileId, level: OplockLevel) -> Result<NtStatus> {
    let ack = OplockBreak { level, file_id };
    let answer = client.call(Command::OplockBreak, 1, |w| ack.write(w))?;
    Ok(answer.status())
}

/// A batch oplock that a second open breaks, and a holder that behaves like `how`.
fn broken(world: &World, how: Holder) -> Result<()> {
    let rounds = match how {
        Holder::Silent => 1,
        Holder::AcksWrongly => 3,
        _ => ROUNDS,
    };
    for round in 0..rounds {
        let mut holder = world.client()?;
        let held = holder.create(&NewFile {
            oplock: OplockLevel::BATCH,
            ..NewFile::named("broken.tmp").temporary()
        })?;
        let mut waiter = world.client()?;
        let file = NewFile {
            access: access::ALL,
            disposition: Disposition::OPEN,
            ..NewFile::named("broken.tmp")
        };
        let id = waiter.send(Command::Create, 1, |w| file.write(w))?;
        let notification = holder.wait_break()?;
        let Ok(Reply::Oplock(broken)) = Reply::parse(&notification.pdu) else {
            bail!("the notification is no oplock's");
        };
        ensure!(broken.file_id == held, "the notification is another file's");
        let mut due: &[NtStatus] = &[NtStatus::SUCCESS];
        match how {
            Holder::Gone => {
                drop(holder);
                due = &[
                    NtStatus::SUCCESS,
                    NtStatus::OBJECT_NAME_NOT_FOUND,
                    NtStatus::DELETE_PENDING,
                ];
            }
            Holder::Closes => {
                holder.close(held)?;
                due = &[
                    NtStatus::SUCCESS,
                    NtStatus::OBJECT_NAME_NOT_FOUND,
                    NtStatus::DELETE_PENDING,
                ];
            }
            Holder::LogsOff => {
                holder.log_off()?;
                due = &[
                    NtStatus::SUCCESS,
                    NtStatus::OBJECT_NAME_NOT_FOUND,
                    NtStatus::DELETE_PENDING,
                ];
            }
            Holder::WaiterGone => {
                drop(waiter);
                acknowledge(&mut holder, held, OplockLevel::LEVEL_II)?;
                holder.close(held)?;
                continue;
            }
            Holder::WaiterCancels => {
                let async_id = waiter.wait_pending(id)?;
                waiter.cancel(id, async_id)?;
                is_one_of(&waiter.wait(id)?, &[NtStatus::CANCELLED, NtStatus::SUCCESS])?;
                acknowledge(&mut holder, held, OplockLevel::LEVEL_II)?;
                continue;
            }
            Holder::AcksWrongly => {
                let levels: &[OplockLevel] = match round {
                    // What there is but may not be kept ends the break.
                    0 => &[OplockLevel::BATCH],
                    1 => &[OplockLevel::EXCLUSIVE],
                    // What there is not is no acknowledgment.
                    _ => &[OplockLevel::LEASE, OplockLevel(0x55)],
                };
                for level in levels {
                    let status = acknowledge(&mut holder, held, *level)?;
                    ensure!(status.is_error(), "a break to {level:?}: {status:?}");
                }
                if levels.len() > 1 {
                    let status = acknowledge(&mut holder, held, OplockLevel::NONE)?;
                    ensure!(
                        status == NtStatus::SUCCESS,
                        "a right acknowledgment after wrong ones: {status:?}"
                    );
                }
            }
            Holder::AcksTwice => {
                ensure!(
                    acknowledge(&mut holder, held, OplockLevel::LEVEL_II)? == NtStatus::SUCCESS,
                    "a right acknowledgment was refused"
                );
                let status = acknowledge(&mut holder, held, OplockLevel::LEVEL_II)?;
                ensure!(status.is_error(), "a second acknowledgment: {status:?}");
            }
            Holder::Silent => {}
        }
        let answer = waiter.wait(id)?;
        is_one_of(&answer, due).with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

/// A file with a lease on its handle, whose holder never acknowledges a break.
fn leased(name: &str, number: u8) -> NewFile<'_> {
    NewFile {
        oplock: OplockLevel::LEASE,
        contexts: RequestContexts {
            lease: Some(Lease {
                key: LeaseKey([number; 16]),
                state: LeaseState::from_bits(3),
                ..Lease::default()
            }),
            ..RequestContexts::default()
        },
        ..NewFile::named(name).temporary()
    }
}

/// Who caches handles of files in a directory closes them when it gets a new name, and is not in the way then.
fn beneath(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let folder = client.create(&NewFile::directory("before").temporary())?;
    let mut holder = world.client()?;
    let names = [r"before\first.tmp", r"before\second.tmp"];
    let mut held = Vec::new();
    for (number, name) in (0x71..).zip(names) {
        held.push(holder.create(&leased(name, number))?);
    }
    let data = rename_to("after");
    let rename = set_info::Request {
        info_type: InfoType::FILE,
        info_class: RENAME,
        file_id: folder,
        data: &data,
        ..Default::default()
    };
    let id = client.send(Command::SetInfo, 1, |w| rename.write(w))?;
    // Both are asked before either has answered.
    for _ in 0..held.len() {
        holder.wait_break()?;
    }
    for file in held {
        holder.close(file)?;
    }
    is_one_of(&client.wait(id)?, &[NtStatus::SUCCESS])?;
    // One that stays open is in the way.
    let stays = holder.create(&NewFile::named(r"after\stays.tmp").temporary())?;
    let data = rename_to("again");
    let answer = client.set(folder, InfoType::FILE, RENAME, &data)?;
    is_one_of(&answer, &[NtStatus::ACCESS_DENIED])?;
    holder.close(stays)?;
    client.close(folder)?;
    Ok(())
}

/// Nobody acknowledges. Beside the plain case: a compound opens a file with a batch oplock, and then waits for two breaks, one
/// after the other. Its answer, which tells of the oplock, takes twice the time; who opens the file does not wait for it.
fn ignored(world: &World) -> Result<()> {
    let names = ["silent1.tmp", "silent2.tmp"];
    let mut silent = world.client()?;
    for (number, name) in (0x61..).zip(names) {
        silent.create(&leased(name, number))?;
    }
    let mut client = world.client()?;
    let files = [
        client.create(&NewFile::named(names[0]))?,
        client.create(&NewFile::named(names[1]))?,
    ];
    let untold = NewFile {
        oplock: OplockLevel::BATCH,
        ..NewFile::named("untold.tmp").temporary()
    };
    client.begin();
    let create = client.header(Command::Create, 1);
    let out = &mut client.conn.out;
    out.push(&create, |w| untold.write(w))
        .map_err(Error::from)?;
    for (number, file_id) in files.into_iter().enumerate() {
        let header = client.header(Command::SetInfo, 1);
        let data = rename_to(&format!("moved{number}.tmp"));
        let request = set_info::Request {
            info_type: InfoType::FILE,
            info_class: RENAME,
            file_id,
            data: &data,
            ..Default::default()
        };
        let out = &mut client.conn.out;
        out.push(&header, |w| request.write(w))
            .map_err(Error::from)?;
    }
    // The last of a compound may wait by itself.
    let last = client.header(Command::Echo, 1);
    let out = &mut client.conn.out;
    out.push(&last, |w| Empty.write(w)).map_err(Error::from)?;
    client.end()?;
    client.conn.flush()?;
    silent.wait_break().context("the first lease's break")?;
    let mut waiter = world.client()?;
    let file = NewFile {
        access: access::READ,
        disposition: Disposition::OPEN,
        ..NewFile::named("untold.tmp")
    };
    let id = waiter.send(Command::Create, 1, |w| file.write(w))?;
    broken(world, Holder::Silent)?;
    is_one_of(&waiter.wait(id)?, &[NtStatus::SUCCESS])?;
    client.conn.set_patience(Duration::from_millis(200))?;
    ensure!(
        client.wait(create.message_id()).is_err(),
        "who opens a file waits for the compound that opened it"
    );
    Ok(())
}

/// TCP sockets that the kernel has, whatever became of their connections.
fn sockets() -> Result<i64> {
    let text = std::fs::read_to_string("/proc/net/sockstat")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "alloc");
    let count = at.and_then(|at| words.get(at + 1)).context("no count")?;
    Ok(count.parse()?)
}

/// The open keeps nothing of the connections on which somebody waited.
fn notify_on_dead_channels(world: &World) -> Result<()> {
    const CHANNELS: i64 = 20;
    let options = Options::default();
    let mut first = world.client_with(&options)?;
    let folder = first.create(&NewFile::directory(""))?;
    let before = sockets()?;
    for _ in 0..CHANNELS {
        let mut second = Client::bind(&world.target, &options, &first)?;
        let id = second.send_notify(folder, 4096)?;
        second.wait_pending(id)?.context("it does not wait")?;
    }
    let begun = Instant::now();
    let mut kept = CHANNELS;
    while kept > CHANNELS / 2 && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
        kept = sockets()? - before;
    }
    ensure!(
        kept <= CHANNELS / 2,
        "{kept} sockets of {CHANNELS} connections are left"
    );
    first.close(folder)?;
    Ok(())
}

fn ack_of_nothing(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let plain = client.create(&NewFile::named("plain.tmp").temporary())?;
    let batch = client.create(&NewFile {
        oplock: OplockLevel::BATCH,
        ..NewFile::named("batch.tmp").temporary()
    })?;
    let folder = client.create(&NewFile::directory(""))?;
    for file in [plain, batch, folder, FileId::ANY] {
        for level in [0u8, 1, 8, 9, 0xff, 0x42] {
            let status = acknowledge(&mut client, file, OplockLevel(level))?;
            ensure!(status.is_error(), "level {level:#x}: {status:?}");
        }
    }
    let mut chance = world.chance();
    for state in [0u32, 1, 3, 5, 7, u32::MAX] {
        let ack = LeaseAck {
            flags: LeaseFlags::NONE,
            key: LeaseKey(chance.random()),
            state: LeaseState::from_bits(state),
        };
        let answer = client.call(Command::OplockBreak, 1, |w| ack.write(w))?;
        ensure!(
            answer.status().is_error(),
            "a lease that is not: {:?}",
            answer.status()
        );
    }
    Ok(())
}

fn lease_of_another(world: &World) -> Result<()> {
    let key = LeaseKey([0x77; 16]);
    let leased = |name| NewFile {
        oplock: OplockLevel::LEASE,
        contexts: RequestContexts {
            lease: Some(Lease {
                key,
                state: LeaseState::from_bits(7),
                ..Lease::default()
            }),
            ..RequestContexts::default()
        },
        ..NewFile::named(name)
    };
    let mut owner = world.client()?;
    owner.create(&leased("leased.tmp").temporary())?;
    // The same client, the same key, another file: not its lease.
    match owner.create(&leased("leased2.tmp").temporary()) {
        Err(Error::Status(NtStatus::INVALID_PARAMETER)) => {}
        other => bail!("one lease on two files: {other:?}"),
    }
    // Another client with the same key has its own.
    let mut other = Client::connect(&world.target, &Options::default())?;
    let ack = LeaseAck {
        flags: LeaseFlags::NONE,
        key,
        state: LeaseState::NONE,
    };
    let answer = other.call(Command::OplockBreak, 1, |w| ack.write(w))?;
    ensure!(
        answer.status().is_error(),
        "another client's lease was acknowledged: {:?}",
        answer.status()
    );
    Ok(())
}
