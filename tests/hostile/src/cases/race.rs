// SPDX-License-Identifier: GPL-2.0

//! Two connections of one session against each other: on one, requests that use something; on the other, at the same moment,
//! what ends it. Every request must have one answer, whichever comes first. [MS-SMB2] 3.3.5.2.9 and following.

use anyhow::{bail, ensure, Context, Result};
use rand::Rng;
use smb_client::{access, Client, Error, NewFile, Protection};
use smb_proto::create::Disposition;
use smb_proto::fsctl::Fsctl;
use smb_proto::header::{Command, FileId};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::{close, flush, ioctl, query_directory, query_info, read, set_info, write};

use crate::cases::cases;
use crate::check::refused;
use crate::world::World;

/// Times that each race is run with each protection where it ends the session, and where the session goes on.
const LOGINS: usize = 4;
const ROUNDS: usize = 8;
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
    "race.logoff-against-close", "LOGOFF while its files are closed" => |world| race(world, Act::Logoff, Act::Close);
    "race.logoff-against-flush", "LOGOFF while a file is flushed" => |world| race(world, Act::Logoff, Act::Flush);
    "race.logoff-against-query", "LOGOFF while a file is asked about" => |world| race(world, Act::Logoff, Act::Query);
    "race.logoff-against-set", "LOGOFF while a file is truncated" => |world| race(world, Act::Logoff, Act::Set);
    "race.logoff-against-rename", "LOGOFF while a file is renamed" => |world| race(world, Act::Logoff, Act::Rename);
    "race.logoff-against-copy", "LOGOFF while ranges of a file are copied" => |world| race(world, Act::Logoff, Act::Copy);
    "race.logoff-against-pipe-call", "LOGOFF while a pipe is called" => |world| race(world, Act::Logoff, Act::Call);
    "race.logoff-against-tree-disconnect", "LOGOFF while the tree connect ends" => |world| race(world, Act::Logoff, Act::TreeDisconnect);
    "race.tree-disconnect-against-create", "TREE_DISCONNECT while files are opened" => |world| race(world, Act::TreeDisconnect, Act::Create);
    "race.tree-disconnect-against-read", "TREE_DISCONNECT while a file is read" => |world| race(world, Act::TreeDisconnect, Act::Read);
    "race.tree-disconnect-against-write", "TREE_DISCONNECT while a file is written" => |world| race(world, Act::TreeDisconnect, Act::Write);
    "race.tree-disconnect-against-close", "TREE_DISCONNECT while its files are closed" => |world| race(world, Act::TreeDisconnect, Act::Close);
    "race.tree-disconnect-against-list", "TREE_DISCONNECT while a directory is listed" => |world| race(world, Act::TreeDisconnect, Act::List);
    "race.tree-disconnect-against-tree-disconnect", "TREE_DISCONNECT on both connections" => |world| race(world, Act::TreeDisconnect, Act::TreeDisconnect);
    "race.tree-disconnect-against-lock", "TREE_DISCONNECT while ranges are locked" => |world| race(world, Act::TreeDisconnect, Act::Lock);
    "race.tree-disconnect-against-flush", "TREE_DISCONNECT while a file is flushed" => |world| race(world, Act::TreeDisconnect, Act::Flush);
    "race.tree-disconnect-against-query", "TREE_DISCONNECT while a file is asked about" => |world| race(world, Act::TreeDisconnect, Act::Query);
    "race.tree-disconnect-against-set", "TREE_DISCONNECT while a file is truncated" => |world| race(world, Act::TreeDisconnect, Act::Set);
    "race.tree-disconnect-against-rename", "TREE_DISCONNECT while a file is renamed" => |world| race(world, Act::TreeDisconnect, Act::Rename);
    "race.tree-disconnect-against-copy", "TREE_DISCONNECT while ranges of a file are copied" => |world| race(world, Act::TreeDisconnect, Act::Copy);
    "race.tree-disconnect-against-tree-connect", "TREE_DISCONNECT while the share is connected to again" => |world| race(world, Act::TreeDisconnect, Act::TreeConnect);
    "race.pipe-disconnect-against-pipe", "TREE_DISCONNECT of IPC$ while pipes are opened" => |world| race(world, Act::PipeDisconnect, Act::Pipe);
    "race.pipe-disconnect-against-pipe-call", "TREE_DISCONNECT of IPC$ while a pipe is called" => |world| race(world, Act::PipeDisconnect, Act::Call);
    "race.close-against-close", "CLOSE of one file on both connections" => |world| race(world, Act::Close, Act::Close);
    "race.close-against-read", "CLOSE while the file is read" => |world| race(world, Act::Close, Act::Read);
    "race.close-against-write", "CLOSE while the file is written" => |world| race(world, Act::Close, Act::Write);
    "race.close-against-lock", "CLOSE while ranges of the file are locked" => |world| race(world, Act::Close, Act::Lock);
    "race.close-against-flush", "CLOSE while the file is flushed" => |world| race(world, Act::Close, Act::Flush);
    "race.close-against-query", "CLOSE while the file is asked about" => |world| race(world, Act::Close, Act::Query);
    "race.close-against-set", "CLOSE while the file is truncated" => |world| race(world, Act::Close, Act::Set);
    "race.close-against-rename", "CLOSE while the file is renamed" => |world| race(world, Act::Close, Act::Rename);
    "race.close-against-create", "CLOSE of a file to be deleted while it is opened" => |world| race(world, Act::Close, Act::Open);
    "race.close-against-list", "CLOSE of a directory while it is listed" => |world| race(world, Act::CloseDirectory, Act::List);
    "race.close-against-copy", "CLOSE while ranges of the file are copied" => |world| race(world, Act::Close, Act::Copy);
    "race.close-against-pipe-call", "CLOSE of a pipe while it is called" => |world| race(world, Act::ClosePipe, Act::Call);
    "race.list-against-list", "QUERY_DIRECTORY of one handle on both connections" => |world| race(world, Act::List, Act::List);
    "race.disconnect-against-everything", "connections that end with requests in work" => disconnect;
    "race.setup-against-setup", "two renewals of a session at once" => |world| race(world, Act::Renew, Act::Renew);
    "race.setup-against-io", "a renewal while files are used" => |world| race(world, Act::Renew, Act::Write);
}

/// Something to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
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
    Copy,
    Pipe,
    Call,
    CloseDirectory,
    ClosePipe,
    TreeConnect,
    TreeDisconnect,
    PipeDisconnect,
    Logoff,
    Renew,
}

impl Act {
    /// Whether the session may be gone afterwards.
    fn ends_session(self) -> bool {
        matches!(self, Act::Logoff | Act::Renew)
    }

    /// Whether it is a request for IPC$.
    fn is_for_pipes(self) -> bool {
        matches!(
            self,
            Act::Pipe | Act::Call | Act::ClosePipe | Act::PipeDisconnect
        )
    }

    /// Whether it takes something away, so that it can succeed but once.
    fn succeeds_once(self) -> bool {
        matches!(
            self,
            Act::Close
                | Act::CloseDirectory
                | Act::ClosePipe
                | Act::TreeDisconnect
                | Act::PipeDisconnect
                | Act::Logoff
        )
    }
}

/// What may come of a race, beside success: what was used is gone, or in use.
pub(super) const LOST: &[NtStatus] = &[
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
#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) file: FileId,
    directory: FileId,
    /// IPC$, and a pipe of it.
    pub(super) pipes: u32,
    pipe: FileId,
    /// What a copy from the file names it by.
    resume_key: [u8; 24],
}

impl Used {
    /// Opens what `acts` use.
    pub(super) fn new(client: &mut Client, share: &str, acts: &[Act]) -> Result<Self> {
        let mut used = Used::default();
        if acts.iter().any(|act| act.is_for_pipes()) {
            used.pipes = client.connect_tree("IPC$")?;
            used.pipe = client.create(&service())?;
        }
        client.connect_tree(share)?;
        used.file = client.create(&NewFile::named("raced.tmp").temporary())?;
        client.write(used.file, 0, &[0x33; 4096])?;
        used.directory = client.create(&NewFile::directory(""))?;
        if acts.contains(&Act::Copy) {
            let key = client.control(Fsctl::SRV_REQUEST_RESUME_KEY.0, used.file, &[], 1024)?;
            used.resume_key = *key.first_chunk().context("a resume key is shorter")?;
        }
        Ok(used)
    }

    /// A file and nothing else.
    pub(super) fn of(file: FileId) -> Self {
        Used {
            file,
            ..Used::default()
        }
    }

    /// A copy of 16 bytes from the file to another place in it.
    fn copy(&self, number: u64) -> Vec<u8> {
        let target = (8192 + number * 16).to_le_bytes();
        let chunk = [[0; 8], target, [16, 0, 0, 0, 0, 0, 0, 0]].concat();
        [&self.resume_key[..], &[1, 0, 0, 0, 0, 0, 0, 0], &chunk].concat()
    }
}

/// The pipe of the server service.
fn service() -> NewFile<'static> {
    NewFile {
        disposition: Disposition::OPEN,
        ..NewFile::named("srvsvc")
    }
}

/// A bind to the server service, [C706] 12.6.4.3 and [MS-SRVS] 2.1.
const BIND: &[u8] = &[
    5, 0, 11, 3, 16, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0,
    0, 0, 0, 1, 0, 0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf,
    0x6e, 0xe1, 0x88, 3, 0, 0, 0, 4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8, 0,
    0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0,
];

/// FileRenameInformation of a move to `name`, [MS-FSCC] 2.4.42.2.
pub(super) fn rename_to(name: &str) -> Vec<u8> {
    let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut data = vec![1];
    data.resize(16, 0);
    data.extend_from_slice(&u32::try_from(utf16.len()).unwrap_or(0).to_le_bytes());
    data.extend_from_slice(&utf16);
    data
}

/// Puts a request into the client's buffer; its message id.
pub(super) fn queue(client: &mut Client, act: Act, used: &Used, number: usize) -> Result<u64> {
    let command = match act {
        Act::Create | Act::Open | Act::Pipe => Command::Create,
        Act::Close | Act::CloseDirectory | Act::ClosePipe => Command::Close,
        Act::Copy | Act::Call => Command::Ioctl,
        Act::Read => Command::Read,
        Act::Write => Command::Write,
        Act::Lock => Command::Lock,
        Act::Flush => Command::Flush,
        Act::List => Command::QueryDirectory,
        Act::Query => Command::QueryInfo,
        Act::Set | Act::Rename => Command::SetInfo,
        Act::TreeConnect => Command::TreeConnect,
        Act::TreeDisconnect | Act::PipeDisconnect => Command::TreeDisconnect,
        Act::Logoff => Command::Logoff,
        Act::Renew => Command::SessionSetup,
    };
    let mut header = client.header(command, 1);
    if act.is_for_pipes() {
        header.set_tree_id(used.pipes);
    }
    if act == Act::TreeConnect && client.session.signer.is_some() {
        header.set_flags(header.flags() | smb_proto::header::HeaderFlags::SIGNED);
    }
    let file_id = match act {
        Act::Call | Act::ClosePipe => used.pipe,
        Act::CloseDirectory | Act::List => used.directory,
        _ => used.file,
    };
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
        Act::Pipe => service().write(w),
        Act::Copy | Act::Call => {
            let copy = used.copy(at);
            let (code, input) = match act {
                Act::Copy => (Fsctl::SRV_COPYCHUNK, copy.as_slice()),
                _ => (Fsctl::PIPE_TRANSCEIVE, BIND),
            };
            ioctl::Request {
                code: code.0,
                file_id,
                input,
                max_output_response: 4096,
                flags: ioctl::IoctlFlags::IS_FSCTL,
                ..Default::default()
            }
            .write(w)
        }
        Act::Close | Act::CloseDirectory | Act::ClosePipe => close::Request {
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
            file_id,
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
        Act::TreeDisconnect | Act::PipeDisconnect | Act::Logoff => Empty.write(w),
    })?;
    Ok(header.message_id())
}

/// Runs `ender` on one connection against `user` on the other.
fn race(world: &World, ender: Act, user: Act) -> Result<()> {
    let ends_session = ender.ends_session() || user.ends_session();
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut chance = world.chance();
        let rounds = if ends_session { LOGINS } else { ROUNDS };
        let (mut first, mut second) = world.channels(protection)?;
        for round in 0..rounds {
            if ends_session && round > 0 {
                (first, second) = world.channels(protection)?;
            }
            race_once(world, (ender, &mut first), (user, &mut second), &mut chance).with_context(
                || format!("round {round} of {ender:?} against {user:?}, {protection:?}"),
            )?;
        }
    }
    Ok(())
}

fn race_once(
    world: &World,
    (ender, first): (Act, &mut Client),
    (user, second): (Act, &mut Client),
    chance: &mut impl Rng,
) -> Result<()> {
    let used = Used::new(first, &world.target.share, &[ender, user])?;
    second.tree = first.tree;
    let mut left = Vec::new();
    let mut right = Vec::new();
    // How many of the ender's requests come, and how far apart the two sides are, is chance's choice.
    for number in 0..DEEP {
        right.push(queue(second, user, &used, number)?);
    }
    for number in 0..chance.random_range(1..4) {
        left.push(queue(first, ender, &used, DEEP + number)?);
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
    let may_close =
        first.protection == Protection::Seal && (ender.ends_session() || user.ends_session());
    let mut is_closed = false;
    let mut ended = 0;
    for (client, ids, act) in [(&mut *first, left, ender), (&mut *second, right, user)] {
        for id in ids {
            let answer = match client.wait(id) {
                Ok(answer) => answer,
                Err(Error::Closed) if may_close => {
                    is_closed = true;
                    break;
                }
                Err(error) => bail!("{act:?}: {error}"),
            };
            let status = answer.status();
            ensure!(LOST.contains(&status), "{act:?}: {status:?}");
            if act == ender && status == NtStatus::SUCCESS {
                ended += 1;
            }
        }
    }
    // A renewal that fails ends the session, so that nobody else can.
    if ender.succeeds_once() && !is_closed && user != Act::Renew {
        let may_lose = user == Act::Logoff || user.succeeds_once() && user != ender;
        ensure!(
            ended == 1 || may_lose && ended == 0,
            "{ended} of the requests ended it"
        );
    }
    if !is_closed {
        check_ended(first, second, ender, &used)?;
    }
    if !ender.ends_session() && !user.ends_session() {
        // Whatever the round left open.
        for tree in [first.tree, used.pipes] {
            if tree == 0 {
                continue;
            }
            first.tree = tree;
            match first.disconnect_tree() {
                Ok(()) | Err(Error::Status(NtStatus::NETWORK_NAME_DELETED)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// What `ender` ended is gone on both connections.
fn check_ended(first: &mut Client, second: &mut Client, ender: Act, used: &Used) -> Result<()> {
    let tree = first.tree;
    for client in [first, second] {
        let (tree_id, file_id, due) = match ender {
            Act::Close => (tree, used.file, NtStatus::FILE_CLOSED),
            Act::CloseDirectory => (tree, used.directory, NtStatus::FILE_CLOSED),
            Act::ClosePipe => (used.pipes, used.pipe, NtStatus::FILE_CLOSED),
            Act::TreeDisconnect => (tree, used.file, NtStatus::NETWORK_NAME_DELETED),
            Act::PipeDisconnect => (used.pipes, used.pipe, NtStatus::NETWORK_NAME_DELETED),
            // Sealed, it would end the connection.
            Act::Logoff if client.protection != Protection::Seal => {
                (tree, used.file, NtStatus::USER_SESSION_DELETED)
            }
            _ => continue,
        };
        let own = std::mem::replace(&mut client.tree, tree_id);
        let flushed = client.flush(file_id);
        client.tree = own;
        refused(flushed, &[due])?;
    }
    Ok(())
}

/// Passes a moment that is shorter than any sleep.
pub(super) fn spin(times: u32) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
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
        Act::Copy,
        Act::Call,
        Act::Pipe,
        Act::TreeConnect,
        Act::Close,
        Act::Renew,
        Act::TreeDisconnect,
        Act::Logoff,
    ];
    for round in 0..LOGINS * 9 {
        let protection = [Protection::Plain, Protection::Sign, Protection::Seal][round % 3];
        let (mut first, mut second) = world.channels(protection)?;
        let used = Used::new(&mut first, &world.target.share, &acts)?;
        second.tree = first.tree;
        for number in 0..20 {
            for client in [&mut first, &mut second] {
                // Of the last ones, which end everything, only now and then one.
                let few = if chance.random_ratio(1, 8) { 18 } else { 14 };
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
