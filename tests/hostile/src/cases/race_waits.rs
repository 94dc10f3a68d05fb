// SPDX-License-Identifier: GPL-2.0

//! What waits, or is about to, against what ends it, on two connections of one session and without a pause between: byte-range
//! locks, change notifications, breaks of oplocks and leases and their acknowledgments. [MS-SMB2] 3.3.5.14, 3.3.5.16, 3.3.5.19,
//! 3.3.5.22, 3.3.4.6, 3.3.4.7.

use anyhow::{bail, ensure, Context, Result};
use rand::Rng;
use smb_client::{access, Client, Error, NewFile, Protection};
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
use crate::cases::race::{rename_to, spin};
use crate::check::is_one_of;
use crate::world::World;

cases! {
    "race.lock-waits-against-close", "CLOSE while LOCKs of its file begin to wait" => |world| waits(world, Wait::Lock, End::Close);
    "race.lock-waits-against-unlock", "LOCKs that begin to wait while the range is unlocked" => |world| waits(world, Wait::Lock, End::Unlock);
    "race.lock-waits-against-tree-disconnect", "TREE_DISCONNECT while LOCKs begin to wait" => |world| waits(world, Wait::Lock, End::TreeDisconnect);
    "race.lock-waits-against-logoff", "LOGOFF while LOCKs begin to wait" => |world| waits(world, Wait::Lock, End::Logoff);
    "race.lock-waits-against-disconnect", "the end of a connection on which LOCKs begin to wait" => |world| waits(world, Wait::Lock, End::Disconnect);
    "race.notify-against-close", "CLOSE while CHANGE_NOTIFYs begin to wait" => |world| waits(world, Wait::Notify, End::Close);
    "race.notify-against-change", "CHANGE_NOTIFYs that begin to wait while names change" => |world| waits(world, Wait::Notify, End::Change);
    "race.notify-against-tree-disconnect", "TREE_DISCONNECT while CHANGE_NOTIFYs begin to wait" => |world| waits(world, Wait::Notify, End::TreeDisconnect);
    "race.notify-against-logoff", "LOGOFF while CHANGE_NOTIFYs begin to wait" => |world| waits(world, Wait::Notify, End::Logoff);
    "race.notify-against-disconnect", "the end of a connection on which CHANGE_NOTIFYs begin to wait" => |world| waits(world, Wait::Notify, End::Disconnect);
    "race.cancel-against-close", "CANCEL of LOCKs that wait while their file is closed" => |world| cancelled(world, End::Close);
    "race.cancel-against-unlock", "CANCEL of LOCKs that wait while the range is unlocked" => |world| cancelled(world, End::Unlock);
    "race.cancel-against-tree-disconnect", "CANCEL of LOCKs that wait while the tree connect ends" => |world| cancelled(world, End::TreeDisconnect);
    "race.cancel-against-logoff", "CANCEL of LOCKs that wait while the session ends" => |world| cancelled(world, End::Logoff);
    "race.oplock-break-against-close", "an oplock's break while its file is closed" => |world| broken(world, Grant::Oplock, End::Close, false);
    "race.oplock-break-against-tree-disconnect", "an oplock's break while the tree connect ends" => |world| broken(world, Grant::Oplock, End::TreeDisconnect, false);
    "race.oplock-break-against-logoff", "an oplock's break while the session ends" => |world| broken(world, Grant::Oplock, End::Logoff, false);
    "race.oplock-break-against-disconnect", "an oplock's break while the connections end" => |world| broken(world, Grant::Oplock, End::Disconnect, false);
    "race.lease-break-against-close", "a lease's break while its file is closed" => |world| broken(world, Grant::Lease, End::Close, false);
    "race.lease-break-against-tree-disconnect", "a lease's break while the tree connect ends" => |world| broken(world, Grant::Lease, End::TreeDisconnect, false);
    "race.lease-break-against-logoff", "a lease's break while the session ends" => |world| broken(world, Grant::Lease, End::Logoff, false);
    "race.lease-break-against-disconnect", "a lease's break while the connections end" => |world| broken(world, Grant::Lease, End::Disconnect, false);
    "race.oplock-acknowledgment-against-close", "an oplock's acknowledgment while its file is closed" => |world| broken(world, Grant::Oplock, End::Close, true);
    "race.oplock-acknowledgment-against-logoff", "an oplock's acknowledgment while the session ends" => |world| broken(world, Grant::Oplock, End::Logoff, true);
    "race.lease-acknowledgment-against-close", "a lease's acknowledgment while its file is closed" => |world| broken(world, Grant::Lease, End::Close, true);
    "race.lease-acknowledgment-against-logoff", "a lease's acknowledgment while the session ends" => |world| broken(world, Grant::Lease, End::Logoff, true);
    "race.lease-acknowledgment-against-disconnect", "a lease's acknowledgment while the connections end" => |world| broken(world, Grant::Lease, End::Disconnect, true);
    "race.stream-rename-against-close", "a new name for a stream that is deleted while it gets it" => stream_rename;
}

/// Times that a race is run.
const ROUNDS: usize = 10;
/// Requests that wait at a time.
const DEEP: usize = 4;
const NOW: LockFlags = LockFlags::EXCLUSIVE.union(LockFlags::FAIL_IMMEDIATELY);
/// The directory that is watched.
const FOLDER: &str = "watched";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Lock,
    Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    /// Of the range that somebody else holds.
    Unlock,
    /// Of a name in the directory that is watched.
    Change,
    TreeDisconnect,
    Logoff,
    Disconnect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Oplock,
    Lease,
}

/// A protection for each round, without seals: what is sealed for a session that is gone ends the connection, and with it the
/// answers that are to be looked at.
fn protection(round: usize) -> Protection {
    [Protection::Plain, Protection::Sign][round % 2]
}

/// Sends what ends the wait, without waiting for the answer; its message id.
fn send_end(client: &mut Client, end: End, file_id: FileId) -> Result<u64> {
    let id = match end {
        End::TreeDisconnect => client.send(Command::TreeDisconnect, 1, |w| Empty.write(w))?,
        End::Logoff => client.send(Command::Logoff, 1, |w| Empty.write(w))?,
        _ => client.send(Command::Close, 1, |w| {
            smb_proto::close::Request {
                file_id,
                ..Default::default()
            }
            .write(w)
        })?,
    };
    Ok(id)
}

/// Somebody else, who holds a range of a file and changes names in a directory.
struct Else {
    client: Client,
    held: FileId,
}

impl Else {
    fn new(world: &World) -> Result<Self> {
        let mut client = world.client()?;
        let held = client.create(&NewFile::named("held.tmp").temporary())?;
        client.create(&NewFile::directory(FOLDER).temporary())?;
        Ok(Else { client, held })
    }

    /// Takes the range, which nobody may hold.
    fn lock(&mut self) -> Result<()> {
        Ok(self.client.lock(self.held, (0, 10), NOW)?)
    }

    fn unlock(&mut self) -> Result<()> {
        Ok(self.client.lock(self.held, (0, 10), LockFlags::UNLOCK)?)
    }

    /// Ends the wait as only somebody else can; the message id.
    fn send_end(&mut self, end: End) -> Result<u64> {
        if end == End::Unlock {
            return Ok(self
                .client
                .send_lock(self.held, (0, 10), LockFlags::UNLOCK)?);
        }
        let name = format!(r"{FOLDER}\changed.tmp");
        let file = NewFile::named(&name).temporary();
        Ok(self.client.send(Command::Create, 1, |w| file.write(w))?)
    }

    /// Undoes what [`Else::send_end`] did.
    fn finish(&mut self, id: u64) -> Result<()> {
        let answer = self.client.wait(id)?;
        let answer = self.client.accept(answer)?;
        if answer.header.command().ok() == Some(Command::Create) {
            let reply = smb_proto::create::Reply::parse(&answer.pdu).map_err(Error::from)?;
            self.client.close(reply.file_id)?;
        }
        Ok(())
    }
}

/// What a request may be answered that waited, or was about to.
fn due(wait: Wait, end: End) -> &'static [NtStatus] {
    match (wait, end) {
        (Wait::Lock, End::Unlock) | (Wait::Notify, End::Change) => &[NtStatus::SUCCESS],
        (Wait::Lock, _) => &[
            NtStatus::RANGE_NOT_LOCKED,
            NtStatus::FILE_CLOSED,
            NtStatus::NETWORK_NAME_DELETED,
            NtStatus::USER_SESSION_DELETED,
        ],
        (Wait::Notify, _) => &[
            NtStatus::NOTIFY_CLEANUP,
            NtStatus::FILE_CLOSED,
            NtStatus::NETWORK_NAME_DELETED,
            NtStatus::USER_SESSION_DELETED,
        ],
    }
}

fn waits(world: &World, wait: Wait, end: End) -> Result<()> {
    let mut chance = world.chance();
    let mut someone = Else::new(world)?;
    for round in 0..ROUNDS {
        if wait == Wait::Lock {
            someone.lock()?;
        }
        let (mut first, mut second) = world.channels(protection(round))?;
        let file = match wait {
            Wait::Lock => first.create(&NewFile::named("held.tmp"))?,
            Wait::Notify => first.create(&NewFile::directory(FOLDER))?,
        };
        // Shared locks, so that all of them can be granted.
        let mut ids = Vec::new();
        for _ in 0..DEEP {
            ids.push(match wait {
                Wait::Lock => first.send_lock(file, (0, 10), LockFlags::SHARED)?,
                Wait::Notify => first.send_notify(file, 4096)?,
            });
        }
        spin(chance.random_range(0..20_000));
        match end {
            End::Disconnect => {
                drop(first);
                // The session lives on the other connection: its file is still open, and nothing of it is locked.
                second.close(file)?;
            }
            End::Unlock | End::Change => {
                // Requests that came after a change wait for the next one.
                let changes = if end == End::Change { 2 * DEEP } else { 1 };
                for _ in 0..changes {
                    let id = someone.send_end(end)?;
                    someone.finish(id)?;
                }
                for id in ids {
                    is_one_of(&first.wait(id)?, due(wait, end))?;
                }
                first.close(file)?;
            }
            _ => {
                let id = send_end(&mut second, end, file)?;
                for id in ids {
                    is_one_of(&first.wait(id)?, due(wait, end))
                        .with_context(|| format!("round {round}"))?;
                }
                is_one_of(&second.wait(id)?, &[NtStatus::SUCCESS])?;
            }
        }
        if wait == Wait::Lock {
            // Whatever was answered, nothing of it stays.
            if end != End::Unlock {
                someone.unlock()?;
            }
            someone.lock()?;
            someone.unlock()?;
        }
    }
    Ok(())
}

/// LOCKs that wait are cancelled while `end` comes on the other connection.
fn cancelled(world: &World, end: End) -> Result<()> {
    let mut chance = world.chance();
    let mut someone = Else::new(world)?;
    for round in 0..ROUNDS {
        someone.lock()?;
        let (mut first, mut second) = world.channels(protection(round))?;
        let file = first.create(&NewFile::named("held.tmp"))?;
        let mut waiting = Vec::new();
        for _ in 0..DEEP {
            let id = first.send_lock(file, (0, 10), LockFlags::SHARED)?;
            let async_id = first.wait_pending(id)?.context("it does not wait")?;
            waiting.push((id, async_id));
        }
        let ended = match end {
            End::Unlock => someone.send_end(end)?,
            _ => send_end(&mut second, end, file)?,
        };
        spin(chance.random_range(0..20_000));
        for (id, async_id) in &waiting {
            first.cancel(*id, Some(*async_id))?;
        }
        for (id, _) in waiting {
            let answer = first.wait(id)?;
            if answer.status() != NtStatus::CANCELLED {
                is_one_of(&answer, due(Wait::Lock, end))
                    .with_context(|| format!("round {round}"))?;
            }
        }
        match end {
            End::Unlock => {
                someone.finish(ended)?;
                first.close(file)?;
            }
            _ => {
                is_one_of(&second.wait(ended)?, &[NtStatus::SUCCESS])?;
                someone.unlock()?;
            }
        }
        someone.lock()?;
        someone.unlock()?;
    }
    Ok(())
}

const KEY: LeaseKey = LeaseKey([0x51; 16]);
const ALL: LeaseState = LeaseState::from_bits(7);

fn granted(grant: Grant) -> NewFile<'static> {
    let file = NewFile::named("broken.tmp").temporary();
    match grant {
        Grant::Oplock => NewFile {
            oplock: OplockLevel::BATCH,
            ..file
        },
        Grant::Lease => NewFile {
            oplock: OplockLevel::LEASE,
            contexts: RequestContexts {
                lease: Some(Lease {
                    key: KEY,
                    state: ALL,
                    ..Lease::default()
                }),
                ..RequestContexts::default()
            },
            ..file
        },
    }
}

/// Sends the acknowledgment of a break; its message id.
fn send_ack(client: &mut Client, broken: &Reply) -> Result<u64> {
    let id = match broken {
        Reply::Oplock(broken) => {
            let ack = OplockBreak {
                level: broken.level,
                file_id: broken.file_id,
            };
            client.send(Command::OplockBreak, 1, |w| ack.write(w))?
        }
        Reply::LeaseBreak(broken) => {
            let ack = LeaseAck {
                flags: LeaseFlags::NONE,
                key: broken.key,
                state: broken.new_state,
            };
            client.send(Command::OplockBreak, 1, |w| ack.write(w))?
        }
        Reply::LeaseAck(_) => bail!("an answer where a notification is due"),
    };
    Ok(id)
}

/// What is granted on one connection is broken by somebody else while `end` comes on the other; with `acknowledges`, the break
/// has come, and is acknowledged on the one connection while `end` comes on the other.
fn broken(world: &World, grant: Grant, end: End, acknowledges: bool) -> Result<()> {
    let mut chance = world.chance();
    let mut waiter = world.client()?;
    for round in 0..ROUNDS {
        let (mut first, mut second) = world.channels(protection(round))?;
        let held = first.create(&granted(grant))?;
        let file = NewFile {
            access: access::READ,
            disposition: Disposition::OPEN,
            ..NewFile::named("broken.tmp")
        };
        let waiting = waiter.send(Command::Create, 1, |w| file.write(w))?;
        let mut ack = None;
        if acknowledges {
            let notification = first.wait_break()?;
            let broken = Reply::parse(&notification.pdu).map_err(Error::from)?;
            ack = Some(send_ack(&mut first, &broken)?);
        }
        spin(chance.random_range(0..20_000));
        if end == End::Disconnect {
            drop(second);
            drop(first);
        } else {
            let id = send_end(&mut second, end, held)?;
            is_one_of(&second.wait(id)?, &[NtStatus::SUCCESS])?;
            if let Some(id) = ack {
                let answer = first.wait(id)?;
                ensure!(
                    answer.status() == NtStatus::SUCCESS || answer.status().is_error(),
                    "an acknowledgment was answered {:?}",
                    answer.status()
                );
            }
            // The connection is served still, with or without its session.
            let answer = first.call(Command::Echo, 1, |w| Empty.write(w))?;
            is_one_of(&answer, &[NtStatus::SUCCESS])?;
        }
        // Whoever was first, the waiter is answered, and long before a break is given up.
        let answer = waiter.wait(waiting)?;
        is_one_of(
            &answer,
            &[
                NtStatus::SUCCESS,
                NtStatus::OBJECT_NAME_NOT_FOUND,
                NtStatus::DELETE_PENDING,
            ],
        )
        .with_context(|| format!("round {round}"))?;
        if answer.status() == NtStatus::SUCCESS {
            let reply = smb_proto::create::Reply::parse(&answer.pdu).map_err(Error::from)?;
            waiter.close(reply.file_id)?;
        }
    }
    Ok(())
}

/// A stream gets a new name while it is closed and deleted: whichever is first, the new name is free afterwards.
fn stream_rename(world: &World) -> Result<()> {
    const TRIES: usize = 200;
    let mut chance = world.chance();
    let (mut first, mut second) = world.channels(Protection::Plain)?;
    first.create(&NewFile::named("streams.tmp").temporary())?;
    for round in 0..TRIES {
        let stream = first.create(&NewFile::named("streams.tmp:old").temporary())?;
        first.write(stream, 0, &[0x77; 30_000])?;
        let data = rename_to(&format!(":new{round}"));
        let rename = set_info::Request {
            info_type: InfoType::FILE,
            info_class: 10,
            file_id: stream,
            data: &data,
            ..Default::default()
        };
        let renamed = first.send(Command::SetInfo, 1, |w| rename.write(w))?;
        spin(chance.random_range(0..40_000));
        let closed = send_end(&mut second, End::Close, stream)?;
        first.wait(renamed)?;
        is_one_of(&second.wait(closed)?, &[NtStatus::SUCCESS])?;
        // It may have got the name after its end, and is deleted by this open then.
        let name = format!("streams.tmp:new{round}");
        let again = first
            .create(&NewFile::named(&name).temporary())
            .with_context(|| format!("round {round}"))?;
        first.close(again)?;
    }
    Ok(())
}
