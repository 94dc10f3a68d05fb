// SPDX-License-Identifier: GPL-2.0

//! Fields that are right in form and wrong in what they say: places in streams and files beyond all ends, and create contexts of
//! every kind with data of every length. [MS-SMB2] 2.2.13.2, [MS-FSA] 2.1.5.3, 2.1.5.4.

use anyhow::{ensure, Context, Result};
use smb_client::{Client, Error, NewFile};
use smb_proto::create;
use smb_proto::header::{Command, FileId, HEADER_LEN};
use smb_proto::lock::LockFlags;
use smb_proto::query_info::InfoType;
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;
use smb_proto::{read, write};

use crate::cases::cases;
use crate::world::World;

cases! {
    "parse.stream-offsets", "READs, WRITEs, locks and sizes of streams and files at and beyond every end" => stream_offsets;
    "parse.known-contexts", "create contexts of every kind with data of every short length" => known_contexts;
}

/// What lies where.
const STREAM: &[u8] = b"a stream of some bytes";

fn stream_offsets(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("offsets.tmp").temporary())?;
    client.write(file, 0, STREAM)?;
    let stream = client.create(&NewFile::named("offsets.tmp:stream"))?;
    client.write(stream, 0, STREAM)?;
    let end = u64::try_from(STREAM.len())?;
    let offsets = [
        end - 1,
        end,
        end + 1,
        65_535,
        65_536,
        1 << 20,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        (1 << 62),
        (1 << 63) - 2,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    for id in [stream, file] {
        for offset in offsets {
            for length in [0u32, 1, 2, 65_536] {
                look(&mut client, id, offset, length)
                    .with_context(|| format!("{length} bytes at {offset:#x}"))?;
            }
            // A stream is an attribute of the file system: beyond what that holds, nothing can be written.
            if id == stream && offset > 1 << 20 {
                let answer = client.call(Command::Write, 1, |w| {
                    write::Request {
                        offset,
                        file_id: id,
                        data: b"x",
                        ..Default::default()
                    }
                    .write(w)
                })?;
                ensure!(
                    answer.status().is_error(),
                    "a byte at {offset:#x}: {:?}",
                    answer.status()
                );
            }
            // No file ends there, and no stream anywhere near.
            if offset >= 1 << 63 || id == stream && offset >= 1 << 62 {
                let answer = client.set(id, InfoType::FILE, 20, &offset.to_le_bytes())?;
                ensure!(
                    answer.status().is_error(),
                    "an end at {offset:#x}: {:?}",
                    answer.status()
                );
            }
            let now = LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY;
            for length in [0, 1, u64::MAX] {
                match client.lock(id, (offset, length), now) {
                    Ok(()) => client.lock(id, (offset, length), LockFlags::UNLOCK)?,
                    Err(Error::Status(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let data = client.read(id, 0, 1024)?;
        ensure!(data == STREAM, "it reads as {data:02x?} afterwards");
    }
    client.close(stream)?;
    client.close(file)?;
    Ok(())
}

/// A READ that may not give more than there is.
fn look(client: &mut Client, file_id: FileId, offset: u64, length: u32) -> Result<()> {
    let request = read::Request {
        length,
        offset,
        file_id,
        ..Default::default()
    };
    let answer = client.call(Command::Read, 1, |w| request.write(w))?;
    if answer.status() != NtStatus::SUCCESS {
        ensure!(answer.status().is_error(), "answered {:?}", answer.status());
        return Ok(());
    }
    let data = read::Reply::parse(&answer.pdu).map_err(Error::from)?.data;
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let there = STREAM.get(start..).unwrap_or_default();
    let most = there.len().min(usize::try_from(length)?);
    ensure!(
        data == &there[..most],
        "{} bytes are there: {data:02x?}",
        there.len()
    );
    Ok(())
}

/// Names of contexts: four letters, and two that are ids.
const CONTEXTS: [&[u8]; 13] = [
    b"ExtA",
    b"SecD",
    b"DHnQ",
    b"DHnC",
    b"AlSi",
    b"MxAc",
    b"TWrp",
    b"QFid",
    b"RqLs",
    b"DH2Q",
    b"DH2C",
    b"AAPL",
    // SMB2_CREATE_APP_INSTANCE_ID
    b"\x45\xbc\xa6\x6a\xef\xa7\xf7\x4a\x90\x08\xfa\x46\x2e\x14\x4d\x74",
];

/// A CREATE with one context.
fn with_context(client: &mut Client, name: &[u8], data: &[u8]) -> Result<NtStatus> {
    let mut buf = [0; 1024];
    let mut w = Writer::new(&mut buf);
    w.zeros(HEADER_LEN)
        .and_then(|()| NewFile::named("known.tmp").temporary().write(&mut w))
        .map_err(Error::from)?;
    let mut body = w.written()[HEADER_LEN..].to_vec();
    body.resize(body.len().next_multiple_of(8), 0);
    let mut context = vec![0; 4];
    let data_at = (16 + name.len()).next_multiple_of(8);
    context.extend_from_slice(&16u16.to_le_bytes());
    context.extend_from_slice(&u16::try_from(name.len())?.to_le_bytes());
    context.extend_from_slice(&[0, 0]);
    let place = if data.is_empty() { 0 } else { data_at };
    context.extend_from_slice(&u16::try_from(place)?.to_le_bytes());
    context.extend_from_slice(&u32::try_from(data.len())?.to_le_bytes());
    context.extend_from_slice(name);
    context.resize(data_at, 0);
    context.extend_from_slice(data);
    let at = u32::try_from(HEADER_LEN + body.len())?;
    body[48..52].copy_from_slice(&at.to_le_bytes());
    body[52..56].copy_from_slice(&u32::try_from(context.len())?.to_le_bytes());
    body.extend_from_slice(&context);
    let answer = client.call(Command::Create, 1, |w| w.bytes(&body))?;
    if answer.status() == NtStatus::SUCCESS {
        let reply = create::Reply::parse(&answer.pdu).map_err(Error::from)?;
        client.close(reply.file_id)?;
    }
    Ok(answer.status())
}

fn known_contexts(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for name in CONTEXTS {
        for len in (0..40).chain([52, 56, 64, 200]) {
            for fill in [0x00u8, 0xff, 0x01] {
                let status = with_context(&mut client, name, &vec![fill; len])?;
                ensure!(
                    // Of extended attributes, complaints are warnings.
                    status == NtStatus::SUCCESS || status.0 >= 0x8000_0000,
                    "{name:02x?} of {len} bytes: {status:?}"
                );
                // What is too short for its kind is malformed.
                let least = match name {
                    b"DHnC" => 16,
                    b"AlSi" | b"TWrp" => 8,
                    b"RqLs" | b"DH2Q" => 32,
                    b"DH2C" => 36,
                    _ => 0,
                };
                ensure!(
                    len >= least || status == NtStatus::INVALID_PARAMETER,
                    "{name:02x?} of {len} bytes: {status:?}"
                );
            }
        }
    }
    Ok(())
}
