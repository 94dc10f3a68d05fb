// SPDX-License-Identifier: GPL-2.0

//! Every command with a body that is cut off, or whose fields lie, on a session that may do everything. [MS-SMB2] 2.2.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{bail, ensure, Context, Result};
use rand::Rng;
use smb_client::{Answer, Client, Error, NewFile};
use smb_proto::create;
use smb_proto::create_context::{DurableRequestV2, RequestContexts};
use smb_proto::fsctl::Fsctl;
use smb_proto::header::{Command, FileId, HeaderFlags, HEADER_LEN};
use smb_proto::ioctl::{self, IoctlFlags};
use smb_proto::lease::{Lease, LeaseKey, LeaseState};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::oplock_break::OplockBreak;
use smb_proto::query_info::{self, InfoType};
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Writer, Written};
use smb_proto::{change_notify, close, flush, query_directory, read, session_setup, set_info};
use smb_proto::{tree_connect, write};

use crate::cases::cases;
use crate::world::World;

cases! {
    "parse.session-setup", "SESSION_SETUP, cut off and changed" => |world| attack(world, Command::SessionSetup, 24);
    "parse.tree-connect", "TREE_CONNECT, cut off and changed" => |world| attack(world, Command::TreeConnect, 8);
    "parse.tree-disconnect", "TREE_DISCONNECT, cut off and changed" => |world| attack(world, Command::TreeDisconnect, 4);
    "parse.logoff", "LOGOFF, cut off and changed" => |world| attack(world, Command::Logoff, 4);
    "parse.create", "CREATE with contexts, cut off and changed" => |world| attack(world, Command::Create, 56);
    "parse.close", "CLOSE, cut off and changed" => |world| attack(world, Command::Close, 24);
    "parse.flush", "FLUSH, cut off and changed" => |world| attack(world, Command::Flush, 24);
    "parse.read", "READ, cut off and changed" => |world| attack(world, Command::Read, 48);
    "parse.write", "WRITE, cut off and changed" => |world| attack(world, Command::Write, 48);
    "parse.lock", "LOCK, cut off and changed" => |world| attack(world, Command::Lock, 48);
    "parse.ioctl", "IOCTL, cut off and changed" => |world| attack(world, Command::Ioctl, 56);
    "parse.echo", "ECHO, cut off and changed" => |world| attack(world, Command::Echo, 4);
    "parse.query-directory", "QUERY_DIRECTORY, cut off and changed" => |world| attack(world, Command::QueryDirectory, 32);
    "parse.change-notify", "CHANGE_NOTIFY, cut off and changed" => |world| attack(world, Command::ChangeNotify, 32);
    "parse.query-info", "QUERY_INFO, cut off and changed" => |world| attack(world, Command::QueryInfo, 40);
    "parse.set-info", "SET_INFO, cut off and changed" => |world| attack(world, Command::SetInfo, 32);
    "parse.oplock-break", "OPLOCK_BREAK, cut off and changed" => |world| attack(world, Command::OplockBreak, 24);
    "parse.set-info-classes", "SET_INFO of every class with data of every short length" => set_info_classes;
    "parse.query-info-classes", "QUERY_INFO of every class with room for every short length" => query_info_classes;
    "parse.controls", "every control with input of every short length" => controls;
    "parse.rename-lengths", "renames and links whose names are longer than the message" => rename_lengths;
    "parse.security-descriptors", "security descriptors whose parts overlap, point outside and never end" => security_descriptors;
    "parse.extended-attributes", "lists of extended attributes that loop, overlap and end early" => extended_attributes;
    "parse.create-contexts", "chains of create contexts that loop, overlap and end early" => create_contexts;
    "parse.names", "names with halves of surrogates, NULs, and 64 KiB" => names;
}

/// A client with something open.
struct Stage {
    client: Client,
    file: FileId,
    directory: FileId,
}

impl Stage {
    fn new(world: &World) -> Result<Self> {
        // A name of its own: what an earlier stage had open may still be on its way to be closed.
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let name = format!("parsed{}.tmp", STAGES.fetch_add(1, Ordering::Relaxed));
        let mut client = world.client()?;
        let file = client.create(&NewFile::named(&name).temporary())?;
        client.write(file, 0, &[0x5a; 300])?;
        let directory = client.create(&NewFile::directory(""))?;
        Ok(Stage {
            client,
            file,
            directory,
        })
    }

    /// A valid body for `command`.
    fn body(&self, command: Command) -> Result<Vec<u8>> {
        let mut buf = [0; 2048];
        let mut w = Writer::new(&mut buf);
        // What is written does not depend on what precedes it, but the offsets in it do.
        w.zeros(HEADER_LEN)
            .and_then(|()| self.write(command, &mut w))
            .map_err(Error::from)?;
        Ok(w.written()[HEADER_LEN..].to_vec())
    }

    fn write(&self, command: Command, w: &mut Writer<'_>) -> Written {
        let name = b"n\0a\0m\0e\0";
        match command {
            Command::SessionSetup => session_setup::Request {
                security_buffer: b"NTLMSSP\0\x01\0\0\0\x15\x82\x08\x62",
                ..Default::default()
            }
            .write(w),
            Command::TreeConnect => tree_connect::Request {
                path: Utf16(b"\\\0\\\0s\0\\\0s\0h\0a\0r\0e\0"),
                ..Default::default()
            }
            .write(w),
            Command::Create => created().write(w),
            Command::Close => close::Request {
                flags: close::CloseFlags::POSTQUERY_ATTRIB,
                file_id: self.file,
            }
            .write(w),
            Command::Flush => flush::Request { file_id: self.file }.write(w),
            Command::Read => read::Request {
                length: 200,
                file_id: self.file,
                ..Default::default()
            }
            .write(w),
            Command::Write => write::Request {
                file_id: self.file,
                data: name,
                ..Default::default()
            }
            .write(w),
            Command::Lock => NewRequest {
                sequence_number: 0,
                sequence_index: 0,
                file_id: self.file,
                locks: &[Element {
                    offset: 10,
                    length: 10,
                    flags: LockFlags::SHARED | LockFlags::FAIL_IMMEDIATELY,
                }],
            }
            .write(w),
            Command::Ioctl => ioctl::Request {
                code: Fsctl::QUERY_ALLOCATED_RANGES.0,
                file_id: self.file,
                input: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                max_output_response: 1024,
                flags: IoctlFlags::IS_FSCTL,
                ..Default::default()
            }
            .write(w),
            Command::QueryDirectory => query_directory::Request {
                information_class: 37,
                file_id: self.directory,
                pattern: Utf16(b"*\0"),
                output_buffer_length: 4096,
                ..Default::default()
            }
            .write(w),
            Command::ChangeNotify => change_notify::Request {
                output_buffer_length: 4096,
                file_id: self.directory,
                filter: change_notify::CompletionFilter::ALL,
                ..Default::default()
            }
            .write(w),
            Command::QueryInfo => query_info::Request {
                info_type: InfoType::FILE,
                info_class: 18,
                output_buffer_length: 1024,
                file_id: self.file,
                ..Default::default()
            }
            .write(w),
            Command::SetInfo => set_info::Request {
                info_type: InfoType::FILE,
                info_class: 20,
                file_id: self.file,
                data: &[100, 0, 0, 0, 0, 0, 0, 0],
                ..Default::default()
            }
            .write(w),
            Command::OplockBreak => OplockBreak {
                file_id: self.file,
                ..Default::default()
            }
            .write(w),
            _ => Empty.write(w),
        }
    }

    /// Sends a body and waits for its answer; what waits is cancelled.
    fn try_body(&mut self, command: Command, body: &[u8]) -> Result<Answer, Error> {
        let mut header = self.client.header(command, 1);
        if command == Command::TreeConnect {
            // 3.1.1 demands it; unsigned, it ends the connection.
            header.set_flags(HeaderFlags::SIGNED);
        }
        self.client.queue(&header, |w| w.bytes(body))?;
        self.client.conn.flush()?;
        let id = header.message_id();
        if let Some(async_id) = self.client.wait_pending(id)? {
            self.client.cancel(id, Some(async_id))?;
        }
        self.client.wait(id)
    }
}

fn created() -> NewFile<'static> {
    NewFile {
        oplock: create::OplockLevel::LEASE,
        contexts: RequestContexts {
            maximal_access: Some(None),
            on_disk_id: true,
            allocation_size: Some(4096),
            lease: Some(Lease {
                key: LeaseKey([9; 16]),
                state: LeaseState::from_bits(7),
                ..Default::default()
            }),
            durable_request_v2: Some(DurableRequestV2 {
                create_guid: [8; 16],
                ..Default::default()
            }),
            ..RequestContexts::default()
        },
        ..NewFile::named("created.tmp").temporary()
    }
}

/// Closes what a CREATE opened, and tells whether the session is of no use any more.
fn clean_up(stage: &mut Stage, command: Command, answer: &Answer) -> Result<bool> {
    let success = answer.status() == NtStatus::SUCCESS;
    match command {
        Command::Create if success => {
            let reply = create::Reply::parse(&answer.pdu).map_err(Error::from)?;
            stage.client.close(reply.file_id)?;
            Ok(false)
        }
        Command::Close | Command::Logoff | Command::TreeDisconnect => Ok(success),
        // A renewal that fails ends the session; one that goes on is left alone.
        Command::SessionSetup => Ok(true),
        Command::Write | Command::SetInfo => Ok(false),
        _ => Ok(answer.status() == NtStatus::FILE_CLOSED),
    }
}

/// Sends `command` cut off at each byte of its fixed part of `fixed` bytes, then with each of its bytes changed.
fn attack(world: &World, command: Command, fixed: usize) -> Result<()> {
    let mut chance = world.chance();
    let mut stage = Stage::new(world)?;
    let len = stage.body(command)?.len();
    for cut in 2..fixed {
        let body = stage.body(command)?;
        let answer = stage
            .try_body(command, &body[..cut])
            .with_context(|| format!("{cut} of {len} bytes"))?;
        ensure!(
            answer.status() == NtStatus::INVALID_PARAMETER,
            "{cut} of {len} bytes: {:?}",
            answer.status()
        );
    }
    for at in 0..len {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff, chance.random()] {
            let mut body = stage.body(command)?;
            body[at] = value;
            let answer = stage
                .try_body(command, &body)
                .with_context(|| format!("byte {at} is {value:#04x}"))?;
            if at < 2 && body != stage.body(command)? {
                ensure!(
                    answer.status() == NtStatus::INVALID_PARAMETER,
                    "StructureSize is wrong: {:?}",
                    answer.status()
                );
            }
            if clean_up(&mut stage, command, &answer)? {
                stage = Stage::new(world)?;
            }
        }
    }
    Ok(())
}

fn set_info_classes(world: &World) -> Result<()> {
    let mut stage = Stage::new(world)?;
    for (kind, classes) in [
        (InfoType::FILE, 0..80),
        (InfoType::FILESYSTEM, 0..14),
        (InfoType::SECURITY, 0..1),
        (InfoType::QUOTA, 0..1),
    ] {
        for class in classes {
            for len in (0..48).chain([64, 100]) {
                for fill in [0x00, 0xff] {
                    let data = vec![fill; len];
                    let answer = stage.client.set(stage.file, kind, class, &data)?;
                    // Of nothing at all, only an empty list is anything.
                    ensure!(
                        len > 0 || class == 15 || answer.status().is_error(),
                        "class {class} without data: {:?}",
                        answer.status()
                    );
                }
            }
            stage.client.close(stage.file)?;
            stage.file = stage
                .client
                .create(&NewFile::named("parsed-again.tmp").temporary())?;
        }
    }
    Ok(())
}

fn query_info_classes(world: &World) -> Result<()> {
    let mut stage = Stage::new(world)?;
    for (kind, classes) in [
        (InfoType::FILE, 0..80),
        (InfoType::FILESYSTEM, 0..14),
        (InfoType::SECURITY, 0..1),
        (InfoType::QUOTA, 0..1),
    ] {
        for class in classes {
            for room in (0..130).step_by(if class == 18 { 1 } else { 4 }) {
                for file in [stage.file, stage.directory] {
                    let answer = stage.client.query(file, kind, class, room)?;
                    if answer.status().is_error() {
                        continue;
                    }
                    let reply = query_info::Reply::parse(&answer.pdu).map_err(Error::from)?;
                    let limit = usize::try_from(room)?;
                    ensure!(
                        reply.data.len() <= limit,
                        "class {class}: {} bytes where {limit} have room",
                        reply.data.len()
                    );
                }
            }
        }
    }
    Ok(())
}

const CONTROLS: &[Fsctl] = &[
    Fsctl::DFS_GET_REFERRALS,
    Fsctl::PIPE_TRANSCEIVE,
    Fsctl::SRV_REQUEST_RESUME_KEY,
    Fsctl::SRV_COPYCHUNK,
    Fsctl::SRV_COPYCHUNK_WRITE,
    Fsctl::SRV_ENUMERATE_SNAPSHOTS,
    Fsctl::DUPLICATE_EXTENTS_TO_FILE,
    Fsctl::DUPLICATE_EXTENTS_TO_FILE_EX,
    Fsctl::SET_SPARSE,
    Fsctl::SET_ZERO_DATA,
    Fsctl::QUERY_ALLOCATED_RANGES,
    Fsctl::FILE_LEVEL_TRIM,
    Fsctl::GET_COMPRESSION,
    Fsctl::SET_COMPRESSION,
    Fsctl::CREATE_OR_GET_OBJECT_ID,
    Fsctl::GET_OBJECT_ID,
    Fsctl::QUERY_NETWORK_INTERFACE_INFO,
];

fn controls(world: &World) -> Result<()> {
    let mut stage = Stage::new(world)?;
    for code in CONTROLS {
        for len in 0..64 {
            for (fill, room) in [(0x00u8, 0u32), (0xff, 7), (0x01, 4096), (0x80, 65536)] {
                for file in [stage.file, stage.directory, FileId::ANY] {
                    let input = vec![fill; len];
                    match stage.client.control(code.0, file, &input, room) {
                        Ok(output) => ensure!(
                            output.len() <= usize::try_from(room)?,
                            "{code:?}: {} bytes where {room} have room",
                            output.len()
                        ),
                        Err(Error::Status(_)) => {}
                        Err(error) => bail!("{code:?} with {len} bytes: {error}"),
                    }
                }
            }
        }
    }
    Ok(())
}

fn rename_lengths(world: &World) -> Result<()> {
    let mut stage = Stage::new(world)?;
    for class in [10u8, 11, 65, 72] {
        for len in [
            0u32,
            1,
            3,
            20,
            0xfffe,
            0xffff,
            0x7fff_ffff,
            0xffff_fffe,
            u32::MAX,
        ] {
            let mut data = vec![0; 16];
            data.extend_from_slice(&len.to_le_bytes());
            data.extend_from_slice(b"x\0");
            let answer = stage.client.set(stage.file, InfoType::FILE, class, &data)?;
            ensure!(
                answer.status().is_error(),
                "class {class} with a name of {len} bytes: {:?}",
                answer.status()
            );
        }
    }
    Ok(())
}

/// A security descriptor with these offsets of its parts: owner, group, SACL, DACL, and what follows its head.
fn descriptor(control: u16, offsets: [u32; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend_from_slice(&control.to_le_bytes());
    for offset in offsets {
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// An ACL of `size` bytes with `count` entries, so it says.
fn acl(size: u16, count: u16, entries: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0];
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(entries);
    bytes
}

fn security_descriptors(world: &World) -> Result<()> {
    const DACL: u16 = 0x8004;
    let everyone = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let ace = |kind: u8, size: u16, sid: &[u8]| {
        let size = size.to_le_bytes();
        [&[kind, 0, size[0], size[1], 0xff, 1, 0x1f, 0], sid].concat()
    };
    let mut sids = everyone;
    sids[1] = 0xff;
    let one = |acl: &[u8]| descriptor(DACL, [0, 0, 0, 20], acl);
    let bad = [
        one(&acl(0xffff, 1, &ace(0, 20, &everyone))),
        one(&acl(28, 0xffff, &ace(0, 20, &everyone))),
        one(&acl(28, 2, &ace(0, 20, &everyone))),
        one(&acl(28, 1, &ace(0, 0, &everyone))),
        one(&acl(28, 1, &ace(0, 0xffff, &everyone))),
        one(&acl(28, 1, &ace(0, 7, &everyone))),
        one(&acl(28, 1, &ace(0, 20, &sids))),
        one(&acl(8, 1, &[])),
        one(&acl(0, 0, &[])),
        one(&acl(4, 0, &[])),
        one(&[]),
        descriptor(DACL, [0, 0, 0, u32::MAX], &[]),
        descriptor(DACL, [0, 0, 0, 1], &[]),
        descriptor(DACL, [u32::MAX, 19, 0, 20], &acl(8, 0, &[])),
        descriptor(DACL, [20, 20, 20, 20], &sids),
        vec![1; 19],
        vec![0xff; 1024],
    ];
    let mut stage = Stage::new(world)?;
    for (number, descriptor) in bad.iter().enumerate() {
        let answer = stage
            .client
            .set(stage.file, InfoType::SECURITY, 0, descriptor)?;
        ensure!(
            answer.status().is_error(),
            "descriptor {number}: {:?}",
            answer.status()
        );
        // The same as a create context, which a server need not look at; what it made is closed.
        let mut file = NewFile::named("described.tmp").temporary();
        file.contexts.security_descriptor = Some(descriptor);
        match stage.client.create(&file) {
            Ok(id) => stage.client.close(id)?,
            Err(Error::Status(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // As many entries as a message holds, each valid: taken or refused, and read back within bounds.
    for count in [1usize, 100, 1000, 3000] {
        let entries = ace(0, 20, &everyone).repeat(count);
        let len = u16::try_from(8 + entries.len())?;
        let whole = one(&acl(len, u16::try_from(count)?, &entries));
        stage
            .client
            .set(stage.file, InfoType::SECURITY, 0, &whole)?;
        stage
            .client
            .query(stage.file, InfoType::SECURITY, 0, 65536)?;
    }
    Ok(())
}

/// An entry of a list of extended attributes.
fn attribute(next: u32, name_len: u8, value_len: u16, rest: &[u8]) -> Vec<u8> {
    let mut bytes = next.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0, name_len]);
    bytes.extend_from_slice(&value_len.to_le_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

fn extended_attributes(world: &World) -> Result<()> {
    let mut stage = Stage::new(world)?;
    let bad = [
        attribute(0, 255, 0, b"name\0"),
        attribute(0, 4, 0xffff, b"name\0value"),
        attribute(4, 4, 5, b"name\0value"),
        attribute(1, 4, 5, b"name\0value"),
        attribute(u32::MAX, 4, 5, b"name\0value"),
        attribute(0x8000_0000, 4, 5, b"name\0value"),
        attribute(20, 4, 5, b"name\0value"),
        attribute(0, 4, 5, b"nameXvalue"),
        attribute(0, 0, 5, b"\0value"),
        attribute(0, 4, 5, b"na\0e\0value"),
        vec![0; 7],
        vec![0xff; 64],
    ];
    for (number, list) in bad.iter().enumerate() {
        let answer = stage.client.set(stage.file, InfoType::FILE, 15, list)?;
        ensure!(
            answer.status() != NtStatus::SUCCESS,
            "list {number} was taken by SET_INFO"
        );
        let mut file = NewFile::named("attributed.tmp").temporary();
        file.contexts.extended_attributes = Some(list);
        if let Ok(id) = stage.client.create(&file) {
            stage.client.close(id)?;
            bail!("list {number} was taken by CREATE");
        }
    }
    Ok(())
}

/// A CREATE with `chain` as its contexts, which it says are `len` bytes at `offset`.
fn create_with(client: &mut Client, chain: &[u8], place: Option<(u32, u32)>) -> Result<Answer> {
    let mut buf = [0; 4096];
    let mut w = Writer::new(&mut buf);
    w.zeros(HEADER_LEN)
        .and_then(|()| NewFile::named("contexts.tmp").temporary().write(&mut w))
        .map_err(Error::from)?;
    let mut body = w.written()[HEADER_LEN..].to_vec();
    body.resize(body.len().next_multiple_of(8), 0);
    let real = (
        u32::try_from(HEADER_LEN + body.len())?,
        u32::try_from(chain.len())?,
    );
    let (offset, len) = place.unwrap_or(real);
    body[48..52].copy_from_slice(&offset.to_le_bytes());
    body[52..56].copy_from_slice(&len.to_le_bytes());
    body.extend_from_slice(chain);
    Ok(client.call(Command::Create, 1, |w| w.bytes(&body))?)
}

/// A create context with fields as given.
fn context(next: u32, name: (u16, u16), data: (u16, u32), rest: &[u8]) -> Vec<u8> {
    let mut bytes = next.to_le_bytes().to_vec();
    bytes.extend_from_slice(&name.0.to_le_bytes());
    bytes.extend_from_slice(&name.1.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&data.0.to_le_bytes());
    bytes.extend_from_slice(&data.1.to_le_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

fn create_contexts(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let rest = b"MxAc\0\0\0\0";
    let lease = |data: (u16, u32), rest: &[u8]| {
        context(0, (16, 4), data, &[b"RqLs\0\0\0\0", rest].concat())
    };
    let bad = [
        context(8, (16, 4), (0, 0), rest),
        context(4, (16, 4), (0, 0), rest),
        context(u32::MAX, (16, 4), (0, 0), rest),
        context(0x8000_0000, (16, 4), (0, 0), rest),
        context(24, (16, 4), (0, 0), rest),
        context(0, (0xffff, 4), (0, 0), rest),
        context(0, (16, 0xffff), (0, 0), rest),
        context(0, (0, 4), (0, 0), rest),
        context(0, (16, 4), (0xffff, 8), rest),
        context(0, (16, 4), (24, 8), rest),
        context(0, (16, 4), (24, u32::MAX), rest),
        context(0, (16, 4), (8, 8), rest),
        lease((24, 31), &[1; 31]),
        lease((24, 33), &[1; 33]),
        lease((24, 51), &[1; 51]),
        lease((24, 4), &[1; 4]),
        vec![0; 15],
        vec![0xff; 100],
    ];
    for (number, chain) in bad.iter().enumerate() {
        let answer = create_with(&mut client, chain, None)?;
        ensure!(
            answer.status() == NtStatus::INVALID_PARAMETER,
            "chain {number}: {:?}",
            answer.status()
        );
    }
    for place in [
        (0, 100),
        (1, 24),
        (64, 24),
        (0x1000, 24),
        (u32::MAX, 24),
        (128, u32::MAX),
    ] {
        let answer = create_with(&mut client, &bad[0], Some(place))?;
        ensure!(
            answer.status() == NtStatus::INVALID_PARAMETER,
            "contexts of {place:?}: {:?}",
            answer.status()
        );
    }
    Ok(())
}

fn names(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let long = vec![0x61, 0];
    let bad: Vec<Vec<u8>> = vec![
        vec![0x00, 0xd8],
        vec![0x00, 0xdc],
        vec![0x61, 0, 0, 0, 0x62, 0],
        vec![0x61, 0, 0x00, 0xd8, 0x62, 0],
        vec![0x61],
        vec![0x61, 0, 0x62],
        long.repeat(256),
        long.repeat(32_767),
        [long.clone(), vec![0x5c, 0]].concat().repeat(16_000),
        vec![0x3a, 0],
        [long.clone(), vec![0x3a, 0]].concat().repeat(1000),
        vec![0x2a, 0],
        vec![0x3f, 0],
    ];
    for name in &bad {
        let body = |w: &mut Writer<'_>| {
            let request = create::Request {
                oplock_level: create::OplockLevel::NONE,
                impersonation_level: create::ImpersonationLevel::IMPERSONATION,
                desired_access: smb_client::access::ALL,
                file_attributes: smb_proto::attributes::FileAttributes::NORMAL,
                share_access: create::ShareAccess::ALL,
                disposition: create::Disposition::OPEN_IF,
                options: create::CreateOptions::DELETE_ON_CLOSE,
                name: Utf16(name),
                contexts: smb_proto::create_context::Contexts::EMPTY,
            };
            request.write(w)
        };
        let answer = client.call(Command::Create, 1, body)?;
        ensure!(
            answer.status().is_error(),
            "a name of {} bytes, {:02x?}: {:?}",
            name.len(),
            &name[..name.len().min(8)],
            answer.status()
        );
    }
    Ok(())
}
