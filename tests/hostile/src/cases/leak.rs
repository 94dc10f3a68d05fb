// SPDX-License-Identifier: GPL-2.0

//! Memory that a reply should not carry: the server's buffers are filled with a pattern first, the kernel fills what is free with
//! its own, and every byte that the server sends is looked at for them. [MS-SMB2] 3.3.4; no file, name or message of ours has them.

use anyhow::{bail, ensure, Result};
use smb_client::{Client, Error, NewFile, Options, Protection};
use smb_proto::create_context::RequestContexts;
use smb_proto::fsctl::Fsctl;
use smb_proto::header::{Command, FileId, HeaderFlags, HEADER_LEN};
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::read;
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;
use smb_proto::write;

use crate::cases::cases;
use crate::check::refused;
use crate::world::World;

/// What the server's memory is filled with.
const PATTERN: u8 = 0xa7;
/// The same, and what the kernel fills free memory with: `POISON_FREE` for objects, `PAGE_POISON` for pages.
const FILLS: [u8; 3] = [PATTERN, 0x6b, 0xaa];
/// So many of one of them in a row are no chance.
const RUN: usize = 4;

cases! {
    "leak.read-past-end", "READ over the end, behind the end, and of holes" => read_past_end;
    "leak.read-after-truncation", "READ of what was cut off and grown again" => read_after_truncation;
    "leak.file-information", "file information of every class, with room for every length" => |world| queries(world, InfoType::FILE, 80);
    "leak.filesystem-information", "file system information of every class, with room for every length" => |world| queries(world, InfoType::FILESYSTEM, 14);
    "leak.security", "security descriptors, with room for every length" => |world| queries(world, InfoType::SECURITY, 1);
    "leak.directory", "listings of every class, with room for every length" => directory;
    "leak.controls", "outputs of controls, with room for every length" => controls;
    "leak.create-contexts", "CREATE replies with all contexts" => create_contexts;
    "leak.compound-padding", "what stands between the replies of a compound" => compound_padding;
    "leak.before-login", "what is answered to who has not logged in" => before_login;
    "leak.errors", "error replies" => errors;
    "leak.pipe", "what a pipe has not written" => pipe;
}

/// Fills the server's buffers, large and small, with the pattern.
fn poison(client: &mut Client) -> Result<()> {
    let file = client.create(&NewFile::named("poison.tmp").temporary())?;
    for len in [
        100usize, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 65_536,
    ] {
        let data = vec![PATTERN; len];
        let mut ids = Vec::new();
        for _ in 0..4 {
            let request = write::Request {
                file_id: file,
                data: &data,
                ..Default::default()
            };
            ids.push(client.send(Command::Write, 1, |w| request.write(w))?);
        }
        for id in ids {
            let answer = client.wait(id)?;
            client.accept(answer)?;
        }
        // As replies, too: they use the same memory.
        let length = u32::try_from(len)?;
        ensure!(
            client.read(file, 0, length)? == data,
            "what was written reads otherwise"
        );
    }
    client.close(file)?;
    Ok(())
}

/// A client whose server has its memory filled.
fn poisoned(world: &World) -> Result<Client> {
    let mut client = world.client()?;
    poison(&mut client)?;
    Ok(client)
}

fn clean(what: &str, bytes: &[u8]) -> Result<()> {
    let is_fill = |run: &[u8]| FILLS.iter().any(|fill| run.iter().all(|byte| byte == fill));
    if let Some(at) = bytes.windows(RUN).position(is_fill) {
        let end = bytes.len().min(at + 32);
        bail!(
            "{what}: the server's memory at byte {at}: {:02x?}",
            &bytes[at..end]
        );
    }
    Ok(())
}

fn read_past_end(world: &World) -> Result<()> {
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let mut client = world.protected(protection)?;
        poison(&mut client)?;
        let file = client.create(&NewFile::named("short.tmp").temporary())?;
        client.write(file, 0, b"ten bytes.")?;
        for length in [10, 11, 100, 4096, 65_536] {
            let request = read::Request {
                length,
                file_id: file,
                ..Default::default()
            };
            let answer = client.call(Command::Read, 1, |w| request.write(w))?;
            let data = read::Reply::parse(&answer.pdu).map_err(Error::from)?.data;
            ensure!(data == b"ten bytes.", "{length} bytes read: {data:02x?}");
            ensure!(
                answer.pdu.len() == HEADER_LEN + 16 + 10,
                "{} bytes of reply for ten",
                answer.pdu.len()
            );
        }
        for offset in [10, 11, 4096, 1 << 40] {
            refused(client.read(file, offset, 100), &[NtStatus::END_OF_FILE])?;
        }
        // Holes, up to pages and over their ends.
        client.write(file, 70_000, b"end")?;
        for (offset, length) in [(10u64, 100u32), (4000, 200), (10, 65_536), (8190, 4)] {
            let data = client.read(file, offset, length)?;
            ensure!(
                data.iter().all(|byte| *byte == 0),
                "a hole of {length} bytes at {offset} reads otherwise than zeros"
            );
        }
        clean("a file with a hole", &client.read(file, 0, 65_536)?)?;
        client.close(file)?;
    }
    Ok(())
}

fn read_after_truncation(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("cut.tmp").temporary())?;
    client.write(file, 0, &[PATTERN; 60_000])?;
    for size in [10u64, 60_000] {
        let answer = client.set(file, InfoType::FILE, 20, &size.to_le_bytes())?;
        client.accept(answer)?;
    }
    let data = client.read(file, 10, 60_000)?;
    ensure!(data.len() == 59_990, "{} bytes", data.len());
    clean("what was cut off", &data)?;
    client.close(file)?;
    Ok(())
}

fn queries(world: &World, kind: InfoType, classes: u8) -> Result<()> {
    let mut client = poisoned(world)?;
    let file =
        client.create(&NewFile::named("queried with a name of some length.tmp").temporary())?;
    let folder = client.create(&NewFile::directory("queried").temporary())?;
    for class in 0..classes {
        for (number, room) in (0..140u32).chain([256, 1000, 4096, 65_536]).enumerate() {
            // All of the short lengths for the classes that have parts of variable length, some for others.
            if room < 140 && ![18, 21, 22, 9, 48, 5, 1].contains(&class) && room % 8 != 0 {
                continue;
            }
            for id in [file, folder] {
                let answer = client.query(id, kind, class, room)?;
                clean(
                    &format!("class {class} with {room} bytes of room"),
                    &answer.pdu,
                )?;
            }
            if number % 50 == 0 {
                poison(&mut client)?;
            }
        }
    }
    Ok(())
}

fn directory(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    let folder = client.create(&NewFile::directory("listed").temporary())?;
    let mut files = Vec::new();
    for len in 1..30 {
        let name = format!(r"listed\{}", "n".repeat(len));
        files.push(client.create(&NewFile::named(&name).temporary())?);
    }
    for class in [1u8, 2, 3, 12, 37, 38, 60, 63, 78, 80, 100] {
        for room in (60..400).step_by(13).chain([1000, 4096, 65_536]) {
            let flags = QueryDirectoryFlags::RESTART_SCANS;
            match client.list(folder, class, flags, "*", room) {
                Ok(entries) => {
                    ensure!(
                        entries.len() <= usize::try_from(room)?,
                        "class {class}: {} bytes where {room} have room",
                        entries.len()
                    );
                    clean(
                        &format!("class {class} with {room} bytes of room"),
                        &entries,
                    )?;
                }
                Err(Error::Status(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        poison(&mut client)?;
    }
    for file in files {
        client.close(file)?;
    }
    client.close(folder)?;
    Ok(())
}

fn controls(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    let file = client.create(&NewFile::named("outputs.tmp").temporary())?;
    client.write(file, 0, &[1; 100])?;
    let ranges = [0u64.to_le_bytes(), 1_000_000u64.to_le_bytes()].concat();
    let asked: [(Fsctl, FileId, &[u8]); 7] = [
        (Fsctl::SRV_REQUEST_RESUME_KEY, file, &[]),
        (Fsctl::QUERY_ALLOCATED_RANGES, file, &ranges),
        (Fsctl::GET_COMPRESSION, file, &[]),
        (Fsctl::CREATE_OR_GET_OBJECT_ID, file, &[]),
        (Fsctl::SRV_ENUMERATE_SNAPSHOTS, file, &[]),
        (Fsctl::QUERY_NETWORK_INTERFACE_INFO, FileId::ANY, &[]),
        (Fsctl::SRV_COPYCHUNK, file, &[0; 32]),
    ];
    for (code, id, input) in asked {
        for room in (0..100u32).chain([160, 1000, 65_536]) {
            let request = smb_proto::ioctl::Request {
                code: code.0,
                file_id: id,
                input,
                max_output_response: room,
                flags: smb_proto::ioctl::IoctlFlags::IS_FSCTL,
                ..Default::default()
            };
            let answer = client.call(Command::Ioctl, 1, |w| request.write(w))?;
            clean(&format!("{code:?} with {room} bytes of room"), &answer.pdu)?;
        }
        poison(&mut client)?;
    }
    client.close(file)?;
    Ok(())
}

fn create_contexts(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    for _ in 0..20 {
        let file = NewFile {
            contexts: RequestContexts {
                maximal_access: Some(None),
                on_disk_id: true,
                durable_request: true,
                ..RequestContexts::default()
            },
            ..NewFile::named("contexts.tmp").temporary()
        };
        let answer = client.done(Command::Create, 1, |w| file.write(w))?;
        clean("a CREATE reply", &answer.pdu)?;
        let reply = smb_proto::create::Reply::parse(&answer.pdu).map_err(Error::from)?;
        client.close(reply.file_id)?;
        poison(&mut client)?;
    }
    Ok(())
}

fn compound_padding(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    let file = client.create(&NewFile::named("padded.tmp").temporary())?;
    client.write(file, 0, &[1; 100])?;
    for length in 1..60u32 {
        client.begin();
        for number in 0..3 {
            let mut header = client.header(Command::Read, 1);
            if number > 0 {
                header.set_flags(HeaderFlags::RELATED_OPERATIONS);
            }
            let request = read::Request {
                length,
                file_id: file,
                ..Default::default()
            };
            client
                .conn
                .out
                .push(&header, |w: &mut Writer<'_>| request.write(w))
                .map_err(Error::from)?;
        }
        client.end()?;
        client.conn.flush()?;
        let mut seen = 0;
        while seen < 3 {
            let mut problem = Ok(());
            client.receive_each(|header, pdu, _| {
                if header.status() == NtStatus::PENDING {
                    return;
                }
                seen += 1;
                let end = HEADER_LEN + 16 + usize::try_from(length).unwrap_or(0);
                if pdu
                    .get(end..)
                    .is_some_and(|rest| rest.iter().any(|byte| *byte != 0))
                {
                    problem = Err(anyhow::anyhow!(
                        "padding of {length} bytes of data: {:02x?}",
                        &pdu[end..]
                    ));
                }
            })?;
            problem?;
        }
    }
    client.close(file)?;
    Ok(())
}

fn before_login(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    for round in 0..20 {
        let mut conn = world.connection()?;
        let header = conn.header(Command::Negotiate, 1);
        let offer = smb_client::Offer::default();
        let frame = crate::world::message(&header, |w| offer.write(w))?;
        conn.send_frame(&frame)?;
        clean("NEGOTIATE's answer", conn.receive()?)?;
        let token = smb_client::Ntlm::begin()?.first().to_vec();
        // A challenge, and two refusals.
        for token in [&token[..], &[0x41; 40], &[]] {
            let header = conn.header(Command::SessionSetup, 1);
            let frame = crate::world::message(&header, |w| {
                smb_proto::session_setup::Request {
                    security_buffer: token,
                    ..Default::default()
                }
                .write(w)
            })?;
            conn.send_frame(&frame)?;
            clean("SESSION_SETUP's answer", conn.receive()?)?;
        }
        if round % 5 == 0 {
            poison(&mut client)?;
        }
    }
    Ok(())
}

fn errors(world: &World) -> Result<()> {
    let mut client = poisoned(world)?;
    for command in [
        Command::Close,
        Command::Read,
        Command::Write,
        Command::Ioctl,
        Command::QueryInfo,
        Command::Create,
    ] {
        for len in [4usize, 24, 60, 200] {
            let answer = client.call(command, 1, |w| w.zeros(len))?;
            clean(&format!("{command:?}'s error"), &answer.pdu)?;
            ensure!(
                answer.pdu.len() <= HEADER_LEN + 9,
                "{command:?}'s error has {} bytes",
                answer.pdu.len()
            );
        }
    }
    Ok(())
}

fn pipe(world: &World) -> Result<()> {
    let mut client = Client::connect(&world.target, &Options::default())?;
    poison(&mut client)?;
    client.connect_tree("IPC$")?;
    let mut pipe = NewFile::named("srvsvc");
    pipe.disposition = smb_proto::create::Disposition::OPEN;
    pipe.options = smb_proto::create::CreateOptions::NONE;
    let id = client.create(&pipe)?;
    let mut tries: Vec<Vec<u8>> = vec![
        vec![],
        vec![5],
        vec![5, 0, 11, 3],
        vec![0; 24],
        vec![0xff; 200],
    ];
    // A bind whose fragment is longer than it is.
    tries.push(
        [
            &[5u8, 0, 11, 3, 0x10, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0][..],
            &[0; 60],
        ]
        .concat(),
    );
    for input in &tries {
        for room in [0u32, 1, 16, 100, 4096] {
            let request = smb_proto::ioctl::Request {
                code: Fsctl::PIPE_TRANSCEIVE.0,
                file_id: id,
                input,
                max_output_response: room,
                flags: smb_proto::ioctl::IoctlFlags::IS_FSCTL,
                ..Default::default()
            };
            let answer = client.call(Command::Ioctl, 1, |w| request.write(w))?;
            clean("a pipe's answer", &answer.pdu)?;
            let request = read::Request {
                length: 1024,
                file_id: id,
                ..Default::default()
            };
            let answer = client.call(Command::Read, 1, |w| request.write(w))?;
            clean("a pipe's data", &answer.pdu)?;
        }
    }
    client.close(id)?;
    Ok(())
}
