// SPDX-License-Identifier: GPL-2.0

//! Two connections of one session against each other: on one, requests that use something; on the other, at the same moment,
//! what ends it. Every request must have one answer, whichever comes first. [MS-SMB2] 3.3.5.2.9 and following.

use anyhow::{bail, ensure, Result};
use rand::Rng;
use smb_client::{access, Client, Error, NewFile, Options, Protection, Setup, SetupHeader, Target};
use smb_proto::create::Disposition;
use smb_proto::header::{Command, FileId};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::{close, flush, query_directory, query_info, read, set_info, write};

use crate::cases::cases;
use crate::world::World;

/// Times that each race is run.
const ROUNDS: usize = 12;
/// Requests on each side that are in flight at a time.
const DEEP: usize = 6;

cases! {
    "race.logoff-against-create", "LOGOFF while files are opened" => |world| race(world, Act::Logoff, Act::Create);
    "race.logoff-against-read", "LOGOFF while a file is read" => |world| race(world, Act::Logoff, Act::Read);
    "race.logoff-against-write", "LOGOFF while a file is written" => |world| race(world, Act::Logoff, Act::Write);
    "race.logoff-against-lock", "LOGOFF while ranges are locked" => |world| race(world, Act::Logoff, Act::Lock);
    "race.logoff-against-list", "LOGOFF while a directory is listed" => |world| race(world, Act::Logoff, Act::List);
    "race.logoff-against-tree-connect", "LOGOFF while shares are connected to" => |world| race(world, Act::Logoff, Act::TreeConnect);
    "race.logoff-against-setup", "LOGOFF while the session is renewed" => |world| race(world, Act::Logoff, Act::Renew);
    "race.logoff-against-logoff", "LOGOFF on both connections" => |world| race(world, Act::Logoff, Act::Logoff);
    "race.logoff-against-pipe", "LOGOFF while pipes are opened" => |world| race(world, Act::Logoff, Act::Pipe);
    "race.logoff-against-bind", "LOGOFF while another channel is bound" => logoff_against_bind;
    "race.tree-disconnect-against-create", "TREE_DISCONNECT while files are opened" => |world| race(world, Act::TreeDisconnect, Act::Create);
    "race.tree-disconnect-against-read", "TREE_DISCONNECT while a file is read" => |world| race(world, Act::TreeDisconnect, Act::Read);
    "race.tree-disconnect-against-write", "TREE_DISCONNECT while a file is written" => |world| race(world, Act::TreeDisconnect, Act::Write);
    "race.tree-disconnect-against-close", "TREE_DISCONNECT while its files are closed" => |world| race(world, Act::TreeDisconnect, Act::Close);
    "race.tree-disconnect-against-list", "TREE_DISCONNECT while a directory is listed" => |world| race(world, Act::TreeDisconnect, Act::List);
    "race.tree-disconnect-against-tree-disconnect", "TREE_DISCONNECT on both connections" => |world| race(world, Act::TreeDisconnect, Act::TreeDisconnect);
    "race.close-against-close", "CLOSE of one file on both connections" => |world| race(world, Act::Close, Act::Close);
    "race.close-against-read", "CLOSE while the file is read" => |world| race(world, Act::Close, Act::Read);
    "race.close-against-write", "CLOSE while the file is written" => |world| race(world, Act::Close, Act::Write);
    "race.close-against-lock", "CLOSE while ranges of the file are locked" => |world| race(world, Act::Close, Act::Lock);
    "race.close-against-flush", "CLOSE while the file is flushed" => |world| race(world, Act::Close, Act::Flush);
    "race.close-against-query", "CLOSE while the file is asked about" => |world| race(world, Act::Close, Act::Query);
    "race.close-against-set", "CLOSE while the file is truncated" => |world| race(world, Act::Close, Act::Set);
    "race.close-against-rename", "CLOSE while the file is renamed" => |world| race(world, Act::Close, Act::Rename);
    "race.close-against-create", "CLOSE of a file to be deleted while it is opened" => |world| race(world, Act::Close, Act::Open);
    "race.disconnect-against-everything", "connections that end with requests in work" => disconnect;
    "race.setup-against-setup", "two renewals of a session at once" => |world| race(world, Act::Renew, Act::Renew);
    "race.setup-against-io", "a renewal while files are used" => |world| race(world, Act::Renew, Act::Write);
    "race.previous-against-io", "a successor that ends the session while files are used" => previous_against_io;
    "race.same-name", "the same name created, renamed and deleted by two sessions" => same_name;
}

/// Something to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Create,
    Open,
    Close,
    Read,
    Write,
    Lock,
    Flush,
    List,
    Query,
    Set,
    Rename,
    Pipe,
    TreeConnect,
    TreeDisconnect,
    Logoff,
    Renew,
}

/// What may come of a race, beside success: what was used is gone, or in use.
const LOST: &[NtStatus] = &[
    NtStatus::SUCCESS,
    NtStatus::FILE_CLOSED,
    NtStatus::USER_SESSION_DELETED,
    NtStatus::NETWORK_NAME_DELETED,
    NtStatus::RANGE_NOT_LOCKED,
    NtStatus::LOCK_NOT_GRANTED,
    NtStatus::FILE_LOCK_CONFLICT,
    NtStatus::CANCELLED,
    NtStatus::END_OF_FILE,
    NtStatus::NO_MORE_FILES,
    NtStatus::NO_SUCH_FILE,
    NtStatus::OBJECT_NAME_NOT_FOUND,
    NtStatus::OBJECT_NAME_COLLISION,
    NtStatus::DELETE_PENDING,
    NtStatus::SHARING_VIOLATION,
    NtStatus::ACCESS_DENIED,
    NtStatus::INSUFFICIENT_RESOURCES,
    NtStatus::MORE_PROCESSING_REQUIRED,
    NtStatus::INVALID_PARAMETER,
];

/// What both sides use.
#[derive(Clone, Copy)]
struct Used {
    file: FileId,
    directory: FileId,
    /// IPC$.
    pipes: u32,
}

impl Used {
    fn new(client: &mut Client) -> Result<Self> {
        let own = client.tree;
        let pipes = client.connect_tree("IPC$")?;
        client.tree = own;
        let file = client.create(&NewFile::named("raced.tmp").temporary())?;
        client.write(file, 0, &[0x33; 4096])?;
        Ok(Used {
            file,
            directory: client.create(&NewFile::directory(""))?,
            pipes,
        })
    }
}

fn rename_to(name: &str) -> Vec<u8> {
    let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut data = vec![1];
    data.resize(16, 0);
    data.extend_from_slice(&u32::try_from(utf16.len()).unwrap_or(0).to_le_bytes());
    data.extend_from_slice(&utf16);
    data
}

/// Puts a request into the client's buffer; its message id.
fn queue(client: &mut Client, act: Act, used: &Used, number: usize) -> Result<u64> {
    let command = match act {
        Act::Create | Act::Open | Act::Pipe => Command::Create,
        Act::Close => Command::Close,
        Act::Read => Command::Read,
        Act::Write => Command::Write,
        Act::Lock => Command::Lock,
        Act::Flush => Command::Flush,
        Act::List => Command::QueryDirectory,
        Act::Query => Command::QueryInfo,
        Act::Set | Act::Rename => Command::SetInfo,
        Act::TreeConnect => Command::TreeConnect,
        Act::TreeDisconnect => Command::TreeDisconnect,
        Act::Logoff => Command::Logoff,
        Act::Renew => Command::SessionSetup,
    };
    let mut header = client.header(command, 1);
    if act == Act::Pipe {
        header.set_tree_id(used.pipes);
    }
    if act == Act::TreeConnect && client.session.signer.is_some() {
        header.set_flags(header.flags() | smb_proto::header::HeaderFlags::SIGNED);
    }
    let file_id = used.file;
    let at = u64::try_from(number)?;
    client.queue(&header, |w| match act {
        Act::Create => NewFile::named(&format!("new{number}.tmp"))
            .temporary()
            .write(w),
        Act::Open => NewFile {
            disposition: Disposition::OPEN,
            access: access::READ,
            ..NewFile::named("raced.tmp")
        }
        .write(w),
        Act::Pipe => NewFile {
            disposition: Disposition::OPEN,
            ..NewFile::named("srvsvc")
        }
        .write(w),
        Act::Close => close::Request {
            flags: close::CloseFlags::POSTQUERY_ATTRIB,
            file_id,
        }
        .write(w),
        Act::Read => read::Request {
            length: 4096,
            file_id,
            ..Default::default()
        }
        .write(w),
        Act::Write => write::Request {
            offset: at * 4096,
            file_id,
            data: &[0x44; 4096],
            ..Default::default()
        }
        .write(w),
        Act::Lock => NewRequest {
            sequence_number: 0,
            sequence_index: 0,
            file_id,
            locks: &[Element {
                offset: at,
                length: 1,
                flags: LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY,
            }],
        }
        .write(w),
        Act::Flush => flush::Request { file_id }.write(w),
        Act::List => query_directory::Request {
            information_class: 37,
            flags: QueryDirectoryFlags::RESTART_SCANS,
            file_id: used.directory,
            pattern: Utf16(b"*\0"),
            output_buffer_length: 8192,
            ..Default::default()
        }
        .write(w),
        Act::Query => query_info::Request {
            info_type: InfoType::FILE,
            info_class: 18,
            output_buffer_length: 1024,
            file_id,
            ..Default::default()
        }
        .write(w),
        Act::Set => set_info::Request {
            info_type: InfoType::FILE,
            info_class: 20,
            file_id,
            data: &(at * 100).to_le_bytes(),
            ..Default::default()
        }
        .write(w),
        Act::Rename => set_info::Request {
            info_type: InfoType::FILE,
            info_class: 10,
            file_id,
            data: &rename_to(&format!("renamed{number}.tmp")),
            ..Default::default()
        }
        .write(w),
        Act::TreeConnect => smb_proto::tree_connect::Request {
            path: Utf16(b"\\\0\\\0s\0\\\0s\0h\0a\0r\0e\0"),
            ..Default::default()
        }
        .write(w),
        Act::Renew => smb_proto::session_setup::Request {
            security_buffer: b"NTLMSSP\0\x01\0\0\0\x15\x82\x08\x62\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ..Default::default()
        }
        .write(w),
        Act::TreeDisconnect | Act::Logoff => Empty.write(w),
    })?;
    Ok(header.message_id())
}

/// Runs `ender` on one connection against `user` on the other.
fn race(world: &World, ender: Act, user: Act) -> Result<()> {
    let mut chance = world.chance();
    for round in 0..ROUNDS {
        let protection = [Protection::Plain, Protection::Sign, Protection::Seal][round % 3];
        let (mut first, mut second) = world.channels(protection)?;
        let used = Used::new(&mut first)?;
        let mut left = Vec::new();
        let mut right = Vec::new();
        // How many of the ender's requests come, and how far apart the two sides are, is chance's choice.
        for number in 0..DEEP {
            right.push(queue(&mut second, user, &used, number)?);
        }
        for number in 0..chance.random_range(1..4) {
            left.push(queue(&mut first, ender, &used, DEEP + number)?);
        }
        if chance.random() {
            first.conn.flush()?;
            spin(chance.random_range(0..2000));
            second.conn.flush()?;
        } else {
            second.conn.flush()?;
            spin(chance.random_range(0..2000));
            first.conn.flush()?;
        }
        // What is sealed for a session that is gone ends the connection, 3.3.5.2.1.1.
        let may_close = protection == Protection::Seal
            && [ender, user]
                .iter()
                .any(|act| matches!(act, Act::Logoff | Act::Renew));
        for (client, ids, act) in [(&mut first, left, ender), (&mut second, right, user)] {
            for id in ids {
                let answer = match client.wait(id) {
                    Ok(answer) => answer,
                    Err(Error::Closed) if may_close => break,
                    Err(error) => {
                        bail!("round {round}, {act:?} in {ender:?} against {user:?}: {error}")
                    }
                };
                ensure!(
                    LOST.contains(&answer.status()),
                    "round {round}: {act:?} in {ender:?} against {user:?}: {:?}",
                    answer.status()
                );
            }
        }
    }
    Ok(())
}

/// Passes a moment that is shorter than any sleep.
fn spin(times: u32) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
}

fn logoff_against_bind(world: &World) -> Result<()> {
    let mut chance = world.chance();
    let options = Options::default();
    for _ in 0..ROUNDS {
        let mut first = world.client_with(&options)?;
        let mut conn = world.connection()?;
        conn.negotiate(&options.offer)?;
        let mut setup = Setup::new(
            &conn,
            SetupHeader {
                session_id: first.session.id,
                bind: true,
                ..SetupHeader::default()
            },
        )?;
        setup.signer = first.session.signer.clone();
        setup.first(&mut conn)?;
        let (token, key) = setup.authenticate(&world.target.who)?;
        let used = Used {
            file: FileId::ANY,
            directory: FileId::ANY,
            pipes: 0,
        };
        let id = queue(&mut first, Act::Logoff, &used, 0)?;
        first.conn.flush()?;
        spin(chance.random_range(0..20_000));
        match setup.finish(&mut conn, &token, &key) {
            Ok(_) | Err(Error::Status(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let answer = first.wait(id)?;
        ensure!(
            answer.status() == NtStatus::SUCCESS,
            "LOGOFF: {:?}",
            answer.status()
        );
    }
    Ok(())
}

fn disconnect(world: &World) -> Result<()> {
    let mut chance = world.chance();
    let acts = [
        Act::Create,
        Act::Open,
        Act::Read,
        Act::Write,
        Act::Lock,
        Act::Flush,
        Act::List,
        Act::Query,
        Act::Set,
        Act::Rename,
        Act::Pipe,
        Act::TreeConnect,
        Act::Close,
        Act::Renew,
        Act::TreeDisconnect,
        Act::Logoff,
    ];
    for round in 0..ROUNDS * 3 {
        let protection = [Protection::Plain, Protection::Sign, Protection::Seal][round % 3];
        let (mut first, mut second) = world.channels(protection)?;
        let used = Used::new(&mut first)?;
        for number in 0..20 {
            for client in [&mut first, &mut second] {
                // Of the last ones, which end everything, only now and then one.
                let few = if chance.random_ratio(1, 8) { 16 } else { 12 };
                let act = acts[chance.random_range(0..few)];
                queue(client, act, &used, number)?;
            }
        }
        first.conn.flush()?;
        second.conn.flush()?;
        spin(chance.random_range(0..100_000));
        match chance.random_range(0..3) {
            0 => drop(first),
            1 => drop(second),
            _ => {
                drop(second);
                drop(first);
            }
        }
    }
    Ok(())
}

fn previous_against_io(world: &World) -> Result<()> {
    for _ in 0..ROUNDS {
        let mut old = world.client()?;
        let used = Used::new(&mut old)?;
        let mut ids = Vec::new();
        for number in 0..DEEP {
            for act in [Act::Write, Act::Create, Act::Read] {
                ids.push(queue(&mut old, act, &used, number)?);
            }
        }
        let header = SetupHeader {
            previous: old.session.id,
            ..SetupHeader::default()
        };
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, header)?;
        setup.first(&mut conn)?;
        old.conn.flush()?;
        setup.second(&mut conn, &world.target.who)?;
        for id in ids {
            let answer = old.wait(id)?;
            ensure!(
                LOST.contains(&answer.status()),
                "a request of the old session: {:?}",
                answer.status()
            );
        }
    }
    Ok(())
}

fn same_name(world: &World) -> Result<()> {
    let other: Target = world.target.clone();
    let options = Options::default();
    let mut first = Client::connect(&other, &options)?;
    let mut second = Client::connect(&other, &options)?;
    for round in 0..ROUNDS * 4 {
        let mut opened = Vec::new();
        for client in [&mut first, &mut second] {
            opened.push(
                client.create(&NewFile::named(&format!("same{}.tmp", round % 3)).temporary()),
            );
        }
        for (client, file) in [&mut first, &mut second].into_iter().zip(&opened) {
            match file {
                Ok(file) => {
                    let used = Used {
                        file: *file,
                        directory: *file,
                        pipes: 0,
                    };
                    queue(client, Act::Rename, &used, round % 2)?;
                    queue(client, Act::Close, &used, 0)?;
                }
                Err(Error::Status(status)) if LOST.contains(status) => {}
                Err(error) => bail!("round {round}: {error}"),
            }
        }
        first.conn.flush()?;
        second.conn.flush()?;
        first.echo()?;
        second.echo()?;
    }
    Ok(())
}
