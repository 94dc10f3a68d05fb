// SPDX-License-Identifier: GPL-2.0

//! Copies from and into what the client may not read or write, handles of other sessions, handles that outlive their connection,
//! and access control lists as long as they may be. [MS-SMB2] 3.3.5.15.6, 3.3.5.9.7, 3.3.5.9.12, [MS-DTYP] 2.4.6.

use std::os::unix::fs::PermissionsExt;

use anyhow::{bail, ensure, Context, Result};
use smb_client::{access, Client, Error, NewFile, Options};
use smb_proto::change_notify::{self, CompletionFilter, NotifyFlags};
use smb_proto::create::{self, Disposition, OplockLevel};
use smb_proto::create_context::{DurableReconnectV2, DurableRequestV2, RequestContexts};
use smb_proto::fsctl::Fsctl;
use smb_proto::header::{Command, FileId};
use smb_proto::query_info::{self, InfoType};
use smb_proto::security::AccessMask;
use smb_proto::status::NtStatus;

use crate::cases::cases;
use crate::check::{is_one_of, refused};
use crate::world::World;

cases! {
    "logic.copy-without-right", "copies from a file that may not be read, and into one that may not be written" => copy_without_right;
    "logic.handles-of-another", "copies and duplicates from another session's file, by its key and its id" => handles_of_another;
    "logic.durable", "handles that should outlive their connection, taken up again by others and by nobody" => durable;
    "logic.access-lists", "access control lists of every length up to the longest" => access_lists;
    "logic.watch-without-right", "a tree that is watched, with a directory that the watcher may not list" => watch_without_right;
}

const WRITE_DATA: AccessMask = AccessMask::from_bits(0x0012_0116);

fn open(client: &mut Client, name: &str, access: AccessMask) -> Result<FileId, Error> {
    client.create(&NewFile {
        access,
        disposition: Disposition::OPEN,
        ..NewFile::named(name)
    })
}

/// SRV_COPYCHUNK_COPY of one chunk of 100 bytes.
fn copy(key: &[u8]) -> Vec<u8> {
    let mut input = key.iter().copied().take(24).collect::<Vec<u8>>();
    input.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    input.extend_from_slice(&[0; 16]);
    input.extend_from_slice(&[100, 0, 0, 0, 0, 0, 0, 0]);
    input
}

/// DUPLICATE_EXTENTS_DATA of 4096 bytes.
fn duplicate(source: FileId) -> Vec<u8> {
    let mut input = source.persistent.to_le_bytes().to_vec();
    input.extend_from_slice(&source.volatile.to_le_bytes());
    input.extend_from_slice(&[0; 16]);
    input.extend_from_slice(&4096u64.to_le_bytes());
    input
}

fn copy_without_right(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let source = client.create(&NewFile::named("source.tmp").temporary())?;
    client.write(source, 0, &[0x5a; 8192])?;
    let target = client.create(&NewFile::named("target.tmp").temporary())?;
    client.write(target, 0, &[0x11; 8192])?;
    let blind = open(&mut client, "source.tmp", WRITE_DATA)?;
    let reader = open(&mut client, "target.tmp", access::READ)?;
    let writer = open(&mut client, "target.tmp", WRITE_DATA)?;
    let request = Fsctl::SRV_REQUEST_RESUME_KEY.0;
    let open_key = client.control(request, source, &[], 1024)?;
    // A key may be had of what may not be read; a copy by it may not.
    let blind_key = client
        .control(request, blind, &[], 1024)
        .unwrap_or_default();
    let writes = [Fsctl::SRV_COPYCHUNK, Fsctl::SRV_COPYCHUNK_WRITE];
    for code in writes {
        if !blind_key.is_empty() {
            refused(
                client.control(code.0, target, &copy(&blind_key), 1024),
                &[NtStatus::ACCESS_DENIED],
            )
            .context("from a file that may not be read")?;
        }
        refused(
            client.control(code.0, reader, &copy(&open_key), 1024),
            &[NtStatus::ACCESS_DENIED],
        )
        .context("into a file that may not be written")?;
    }
    // Without the right to read the target, SRV_COPYCHUNK is refused, and the other is not.
    refused(
        client.control(Fsctl::SRV_COPYCHUNK.0, writer, &copy(&open_key), 1024),
        &[NtStatus::ACCESS_DENIED],
    )?;
    for (source, target) in [(blind, target), (source, reader)] {
        for code in [
            Fsctl::DUPLICATE_EXTENTS_TO_FILE,
            Fsctl::DUPLICATE_EXTENTS_TO_FILE_EX,
        ] {
            let done = client.control(code.0, target, &duplicate(source), 1024);
            ensure!(done.is_err(), "{code:?} without the right: {done:?}");
        }
    }
    ensure!(
        client.read(target, 0, 8192)? == [0x11; 8192],
        "the target was changed"
    );
    Ok(())
}

fn handles_of_another(world: &World) -> Result<()> {
    let mut owner = Client::connect(&world.as_other(), &Options::default())?;
    let foreign = owner.create(&NewFile::named("foreign.tmp").temporary())?;
    owner.write(foreign, 0, &[0x5a; 8192])?;
    let key = owner.control(Fsctl::SRV_REQUEST_RESUME_KEY.0, foreign, &[], 1024)?;
    let mut client = world.client()?;
    let target = client.create(&NewFile::named("mine.tmp").temporary())?;
    client.write(target, 0, &[0x11; 8192])?;
    let mut changed = key.clone();
    let mut keys = vec![key.clone(), vec![0; 24], vec![0xff; 24]];
    changed[0] ^= 1;
    keys.push(changed);
    for key in &keys {
        for code in [Fsctl::SRV_COPYCHUNK, Fsctl::SRV_COPYCHUNK_WRITE] {
            refused(
                client.control(code.0, target, &copy(key), 1024),
                &[NtStatus::OBJECT_NAME_NOT_FOUND],
            )?;
        }
    }
    for source in [foreign, FileId::ANY, FileId::default()] {
        for code in [
            Fsctl::DUPLICATE_EXTENTS_TO_FILE,
            Fsctl::DUPLICATE_EXTENTS_TO_FILE_EX,
        ] {
            let done = client.control(code.0, target, &duplicate(source), 1024);
            ensure!(done.is_err(), "{code:?} from another's file: {done:?}");
        }
    }
    // A key of a file that was closed is none.
    let own = client.create(&NewFile::named("closed.tmp").temporary())?;
    client.write(own, 0, &[0x22; 4096])?;
    let key = client.control(Fsctl::SRV_REQUEST_RESUME_KEY.0, own, &[], 1024)?;
    client.close(own)?;
    refused(
        client.control(Fsctl::SRV_COPYCHUNK.0, target, &copy(&key), 1024),
        &[NtStatus::OBJECT_NAME_NOT_FOUND],
    )?;
    ensure!(
        client.read(target, 0, 8192)? == [0x11; 8192],
        "the target was changed"
    );
    Ok(())
}

fn durable(world: &World) -> Result<()> {
    let guid = [0x42; 16];
    let plain = NewFile {
        oplock: OplockLevel::BATCH,
        ..NewFile::named("durable.tmp").temporary()
    };
    let requests = [
        RequestContexts {
            durable_request: true,
            ..RequestContexts::default()
        },
        RequestContexts {
            durable_request_v2: Some(DurableRequestV2 {
                timeout: u32::MAX,
                create_guid: guid,
                ..DurableRequestV2::default()
            }),
            app_instance_id: Some([0x43; 16]),
            ..RequestContexts::default()
        },
    ];
    for contexts in requests {
        let options = Options::default();
        let mut client = world.client_with(&options)?;
        let file = NewFile {
            contexts,
            ..plain.clone()
        };
        let id = client.create(&file)?;
        client.write(id, 0, b"durable")?;
        drop(client);
        let reconnects = [
            RequestContexts {
                durable_reconnect: Some(id),
                ..RequestContexts::default()
            },
            RequestContexts {
                durable_reconnect_v2: Some(DurableReconnectV2 {
                    file_id: id,
                    create_guid: guid,
                    ..DurableReconnectV2::default()
                }),
                ..RequestContexts::default()
            },
            RequestContexts {
                durable_reconnect: Some(FileId::ANY),
                ..RequestContexts::default()
            },
            RequestContexts {
                durable_reconnect_v2: Some(DurableReconnectV2::default()),
                ..RequestContexts::default()
            },
        ];
        // Another user, and another client of the same user.
        let mut thieves = [
            Client::connect(&world.as_other(), &options)?,
            world.client()?,
        ];
        for thief in &mut thieves {
            for contexts in &reconnects {
                let file = NewFile {
                    disposition: Disposition::OPEN,
                    contexts: *contexts,
                    ..plain.clone()
                };
                refused(
                    thief.create(&file),
                    &[
                        NtStatus::OBJECT_NAME_NOT_FOUND,
                        NtStatus::ACCESS_DENIED,
                        NtStatus::INVALID_PARAMETER,
                    ],
                )?;
            }
        }
    }
    // What contradicts itself.
    let mut client = world.client()?;
    for contexts in [
        RequestContexts {
            durable_request: true,
            durable_request_v2: Some(DurableRequestV2::default()),
            ..RequestContexts::default()
        },
        RequestContexts {
            durable_request_v2: Some(DurableRequestV2::default()),
            durable_reconnect_v2: Some(DurableReconnectV2::default()),
            ..RequestContexts::default()
        },
    ] {
        let file = NewFile {
            contexts,
            ..plain.clone()
        };
        match client.create(&file) {
            Err(Error::Status(_)) => {}
            // Ignored as a whole, they make a file like any other.
            Ok(id) => client.close(id)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A security descriptor whose DACL has these entries.
fn descriptor(entries: &[Vec<u8>]) -> Result<Vec<u8>> {
    let len: usize = entries.iter().map(Vec::len).sum();
    let mut bytes = vec![1, 0, 4, 0x80];
    bytes.extend_from_slice(&[0; 12]);
    bytes.extend_from_slice(&20u32.to_le_bytes());
    bytes.extend_from_slice(&[2, 0]);
    bytes.extend_from_slice(&u16::try_from(8 + len)?.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(entries.len())?.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend(entries.iter().flatten());
    Ok(bytes)
}

/// An entry for a SID with `count` sub-authorities.
fn entry(kind: u8, number: u32, count: u8) -> Vec<u8> {
    let size = 8 + 8 + 4 * u16::from(count);
    let mut bytes = vec![kind, (number % 32).to_le_bytes()[0]];
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&0x001f_01ffu32.to_le_bytes());
    bytes.extend_from_slice(&[1, count, 0, 0, 0, 0, 0, 5]);
    for part in 0..u32::from(count) {
        bytes.extend_from_slice(&(number + part).to_le_bytes());
    }
    bytes
}

fn access_lists(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let folder = client.create(&NewFile::directory("listed").temporary())?;
    let everyone = {
        let mut bytes = vec![0, 3, 20, 0, 0xff, 1, 0x1f, 0];
        bytes.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        bytes
    };
    for count in [0usize, 1, 2, 10, 31, 32, 33, 100, 500, 900, 1800] {
        for parts in [1u8, 4, 15] {
            let mut entries = vec![everyone.clone()];
            for number in 0..count {
                let kind = u8::try_from(number % 2)?;
                entries.push(entry(kind, u32::try_from(number)?, parts));
            }
            let Ok(whole) = descriptor(&entries) else {
                continue;
            };
            if whole.len() > 60_000 {
                continue;
            }
            let answer = client.set(folder, InfoType::SECURITY, 0, &whole)?;
            ensure!(
                answer.status() == NtStatus::SUCCESS || answer.status().is_error(),
                "{count} entries: {:?}",
                answer.status()
            );
            // What became of it is told in as much room as there is, and what is made below takes it over.
            for room in [0u32, 1, 20, 100, 1000, 65_536] {
                let answer = client.query(folder, InfoType::SECURITY, 0, room)?;
                if answer.status() == NtStatus::SUCCESS {
                    let reply = query_info::Reply::parse(&answer.pdu).map_err(Error::from)?;
                    ensure!(
                        reply.data.len() <= usize::try_from(room)?,
                        "{} bytes where {room} have room",
                        reply.data.len()
                    );
                }
            }
            let child = NewFile::named(r"listed\child.tmp").temporary();
            let answer = client.call(Command::Create, 1, |w| child.write(w))?;
            match answer.status() {
                NtStatus::SUCCESS => {
                    let reply = create::Reply::parse(&answer.pdu).map_err(Error::from)?;
                    client.query(reply.file_id, InfoType::SECURITY, 0, 65_536)?;
                    client.close(reply.file_id)?;
                }
                NtStatus::ACCESS_DENIED => {}
                other => bail!("a file below a list of {count} entries: {other:?}"),
            }
        }
    }
    Ok(())
}

/// Watches the tree below a directory; the message id.
fn watch_tree(client: &mut Client, file_id: FileId) -> Result<u64> {
    let request = change_notify::Request {
        flags: NotifyFlags::WATCH_TREE,
        output_buffer_length: 4096,
        file_id,
        filter: CompletionFilter::ALL,
    };
    Ok(client.send(Command::ChangeNotify, 1, |w| request.write(w))?)
}

/// Who watches a tree is told of nothing that he could not list.
fn watch_without_right(world: &World) -> Result<()> {
    let mut owner = world.client()?;
    let folder = owner.create(&NewFile::directory("tree").temporary())?;
    let closed = owner.create(&NewFile::directory(r"tree\closed").temporary())?;
    let open = owner.create(&NewFile::directory(r"tree\open").temporary())?;
    let path = world.root.join("tree/closed");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711))?;
    let mut other = Client::connect(&world.as_other(), &Options::default())?;
    let watched = other.create(&NewFile {
        access: access::READ,
        ..NewFile::directory("tree")
    })?;
    let id = watch_tree(&mut other, watched)?;
    other.wait_pending(id)?.context("it does not wait")?;
    for name in [r"tree\closed\secret.tmp", r"tree\open\told.tmp"] {
        let file = owner.create(&NewFile::named(name).temporary())?;
        owner.close(file)?;
    }
    let answer = other.wait(id)?;
    is_one_of(&answer, &[NtStatus::SUCCESS])?;
    let text: Vec<u8> = { &answer.pdu }
        .iter()
        .copied()
        .filter(|byte| *byte != 0)
        .collect();
    let says = |name: &str| text.windows(name.len()).any(|part| part == name.as_bytes());
    ensure!(!says("secret.tmp"), "what may not be listed is told");
    ensure!(says("told.tmp"), "what may be listed is not told");
    for id in [closed, open, folder] {
        owner.close(id)?;
    }
    Ok(())
}
