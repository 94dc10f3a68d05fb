// SPDX-License-Identifier: GPL-2.0

//! What a client may not do although every byte of the request is right. [MS-SMB2] 3.3.5, [MS-FSA] 2.1.5.

use anyhow::{ensure, Result};
use smb_client::{access, Client, Error, NewFile, Options};
use smb_proto::create::{CreateOptions, Disposition};
use smb_proto::fsctl::Fsctl;
use smb_proto::header::FileId;
use smb_proto::lock::LockFlags;
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::security::AccessMask;
use smb_proto::status::NtStatus;

use crate::cases::cases;
use crate::check::{is_one_of, refused};
use crate::world::World;

const DENIED: &[NtStatus] = &[NtStatus::ACCESS_DENIED];

cases! {
    "logic.write-without-right", "writing, truncating, renaming and deleting by an open that may only read" => write_without_right;
    "logic.read-without-right", "reading and listing by an open that may only see attributes" => read_without_right;
    "logic.controls-without-right", "controls that change a file by an open that may only read" => controls_without_right;
    "logic.stream-without-right", "a stream of a file that the user may not write" => stream_without_right;
    "logic.share-modes", "an open that others must not share, by another user" => share_modes;
    "logic.path-escape", "names that lead out of the share" => path_escape;
    "logic.rename-escape", "renames and links out of the share" => rename_escape;
    "logic.maximum-allowed", "all that is allowed, of another user's file" => maximum_allowed;
    "logic.unlock-of-another", "another open's lock" => unlock_of_another;
    "logic.two-listings", "two QUERY_DIRECTORYs at once on one handle" => two_listings;
    "logic.not-a-share", "shares that there are not, and names that are none" => not_a_share;
    "logic.delete-root", "deleting and renaming the share's root" => delete_root;
}

fn open(client: &mut Client, name: &str, access: AccessMask) -> Result<FileId, Error> {
    client.create(&NewFile {
        access,
        disposition: Disposition::OPEN,
        options: CreateOptions::NONE,
        ..NewFile::named(name)
    })
}

fn write_without_right(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("rights.tmp").temporary())?;
    client.write(file, 0, b"content")?;
    let reader = open(&mut client, "rights.tmp", access::READ)?;
    refused(client.write(reader, 0, b"overwritten"), DENIED)?;
    let size = 1u64.to_le_bytes();
    let mut rename = vec![0; 16];
    rename.extend_from_slice(&[2, 0, 0, 0, b'x', 0]);
    let changes: [(u8, &[u8]); 8] = [
        (20, &size),
        (19, &size),
        (39, &size),
        (4, &[0; 40]),
        (13, &[1]),
        (64, &[1, 0, 0, 0]),
        (10, &rename),
        (15, &[0, 0, 0, 0, 0, 1, 1, 0, b'A', 0, b'v']),
    ];
    for (class, data) in changes {
        let answer = client.set(reader, InfoType::FILE, class, data)?;
        ensure!(
            answer.status().is_error(),
            "class {class} was set by an open that may only read"
        );
    }
    let answer = client.set(
        reader,
        InfoType::SECURITY,
        0,
        &[
            1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    )?;
    is_one_of(&answer, DENIED)?;
    ensure!(
        client.read(file, 0, 100)? == b"content",
        "the file was changed by an open that may only read"
    );
    client.close(reader)?;
    client.close(file)?;
    Ok(())
}

fn read_without_right(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("unread.tmp").temporary())?;
    client.write(file, 0, b"content")?;
    let blind = open(&mut client, "unread.tmp", access::ATTRIBUTES)?;
    refused(client.read(blind, 0, 10), DENIED)?;
    refused(
        client.lock(
            blind,
            (0, 1),
            LockFlags::SHARED | LockFlags::FAIL_IMMEDIATELY,
        ),
        DENIED,
    )?;
    let answer = client.query(blind, InfoType::SECURITY, 0, 1024)?;
    is_one_of(&answer, DENIED)?;
    let folder = client.create(&NewFile::directory("unlisted").temporary())?;
    let blind_folder = open(&mut client, "unlisted", access::ATTRIBUTES)?;
    refused(
        client.list(blind_folder, 37, QueryDirectoryFlags::NONE, "*", 4096),
        DENIED,
    )?;
    let watch = client.send_notify(blind_folder, 4096)?;
    is_one_of(&client.wait(watch)?, DENIED)?;
    for id in [blind, file, blind_folder, folder] {
        client.close(id)?;
    }
    Ok(())
}

fn controls_without_right(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("controlled.tmp").temporary())?;
    client.write(file, 0, &[7; 65_536])?;
    let reader = open(&mut client, "controlled.tmp", access::READ)?;
    let key = client.control(Fsctl::SRV_REQUEST_RESUME_KEY.0, file, &[], 1024)?;
    let mut chunks = key[..24].to_vec();
    chunks.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    chunks.extend_from_slice(&[0; 8]);
    chunks.extend_from_slice(&100u64.to_le_bytes());
    chunks.extend_from_slice(&[50, 0, 0, 0, 0, 0, 0, 0]);
    let mut duplicate = file.persistent.to_le_bytes().to_vec();
    duplicate.extend_from_slice(&file.volatile.to_le_bytes());
    duplicate.extend_from_slice(&[0; 8]);
    duplicate.extend_from_slice(&4096u64.to_le_bytes());
    duplicate.extend_from_slice(&4096u64.to_le_bytes());
    let zero = [0u64.to_le_bytes(), 65_536u64.to_le_bytes()].concat();
    let changes: [(Fsctl, &[u8]); 6] = [
        (Fsctl::SET_SPARSE, &[1]),
        (Fsctl::SET_ZERO_DATA, &zero),
        (Fsctl::SRV_COPYCHUNK, &chunks),
        (Fsctl::SRV_COPYCHUNK_WRITE, &chunks),
        (Fsctl::DUPLICATE_EXTENTS_TO_FILE, &duplicate),
        (Fsctl::SET_COMPRESSION, &[1, 0]),
    ];
    for (code, input) in changes {
        match client.control(code.0, reader, input, 1024) {
            Err(Error::Status(status)) if status.is_error() => {}
            other => anyhow::bail!("{code:?} by an open that may only read: {other:?}"),
        }
    }
    ensure!(
        client.read(file, 0, 65_536)? == [7; 65_536],
        "the file was changed by an open that may only read"
    );
    client.close(reader)?;
    client.close(file)?;
    Ok(())
}

/// Another user's file in the share, which this user may only read.
fn foreign_file(world: &World, name: &str) -> Result<(Client, FileId)> {
    let mut owner = Client::connect(&world.as_other(), &Options::default())?;
    let file = owner.create(&NewFile::named(name).temporary())?;
    owner.write(file, 0, b"other's")?;
    Ok((owner, file))
}

fn stream_without_right(world: &World) -> Result<()> {
    let (mut owner, file) = foreign_file(world, "streamed.tmp")?;
    let mut client = world.client()?;
    refused(
        client.create(&NewFile::named("streamed.tmp:mine")),
        &[NtStatus::ACCESS_DENIED, NtStatus::SHARING_VIOLATION],
    )?;
    owner.close(file)?;
    Ok(())
}

fn share_modes(world: &World) -> Result<()> {
    let mut holder = world.client()?;
    let file = holder.create(&NewFile {
        share: smb_proto::create::ShareAccess::NONE,
        ..NewFile::named("alone.tmp").temporary()
    })?;
    let mut other = Client::connect(&world.as_other(), &Options::default())?;
    for disposition in [
        Disposition::OPEN,
        Disposition::OVERWRITE,
        Disposition::SUPERSEDE,
    ] {
        refused(
            other.create(&NewFile {
                access: access::READ,
                disposition,
                ..NewFile::named("alone.tmp")
            }),
            &[NtStatus::SHARING_VIOLATION, NtStatus::ACCESS_DENIED],
        )?;
    }
    holder.close(file)?;
    Ok(())
}

const ESCAPES: &[&str] = &[
    "..",
    "../escaped",
    r"..\escaped",
    r"..\..\etc\passwd",
    r"folder\..\..\escaped",
    r"\..\escaped",
    r"\",
    r"\\server\share\x",
    "/etc/passwd",
    r".\..\escaped",
    r"a\.\b",
    r"a\..",
    ".",
    "a/../../escaped",
    "a\0b",
    r"..\escaped:stream",
    r"x:..\escaped",
    "x:../escaped",
    "x:/etc/passwd:$DATA",
];

fn path_escape(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for name in ESCAPES {
        match client.create(&NewFile::named(name).temporary()) {
            Err(Error::Status(status)) if status.is_error() => {}
            other => anyhow::bail!("'{name}' was opened: {other:?}"),
        }
    }
    Ok(())
}

fn rename_escape(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("moved.tmp").temporary())?;
    for name in ESCAPES {
        let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut data = vec![1; 1];
        data.resize(16, 0);
        data.extend_from_slice(&u32::try_from(utf16.len())?.to_le_bytes());
        data.extend_from_slice(&utf16);
        for class in [10, 11] {
            let answer = client.set(file, InfoType::FILE, class, &data)?;
            ensure!(
                answer.status().is_error(),
                "class {class} to '{name}': {:?}",
                answer.status()
            );
        }
    }
    client.close(file)?;
    Ok(())
}

fn maximum_allowed(world: &World) -> Result<()> {
    let (mut owner, file) = foreign_file(world, "maximum.tmp")?;
    let mut client = world.client()?;
    if let Ok(mine) = open(&mut client, "maximum.tmp", access::MAXIMUM) {
        refused(client.write(mine, 0, b"changed"), DENIED)?;
        let answer = client.set(mine, InfoType::FILE, 20, &[0; 8])?;
        is_one_of(&answer, DENIED)?;
        client.close(mine)?;
    }
    ensure!(
        owner.read(file, 0, 100)? == b"other's",
        "another user's file was changed"
    );
    owner.close(file)?;
    Ok(())
}

fn unlock_of_another(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let first = client.create(&NewFile::named("lock.tmp").temporary())?;
    let second = client.create(&NewFile::named("lock.tmp"))?;
    let now = LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY;
    client.lock(first, (0, 10), now)?;
    refused(
        client.lock(second, (0, 10), LockFlags::UNLOCK),
        &[NtStatus::RANGE_NOT_LOCKED],
    )?;
    refused(
        client.write(second, 5, b"x"),
        &[NtStatus::FILE_LOCK_CONFLICT],
    )?;
    refused(
        client.lock(second, (9, 5), now),
        &[NtStatus::LOCK_NOT_GRANTED],
    )?;
    client.close(second)?;
    client.close(first)?;
    Ok(())
}

fn two_listings(world: &World) -> Result<()> {
    let (mut first, mut second) = world.channels(smb_client::Protection::Plain)?;
    let folder = first.create(&NewFile::directory(""))?;
    for _ in 0..100 {
        let mut ids = Vec::new();
        for flags in [
            QueryDirectoryFlags::RESTART_SCANS,
            QueryDirectoryFlags::REOPEN,
        ] {
            for client in [&mut first, &mut second] {
                let request = smb_proto::query_directory::Request {
                    information_class: 37,
                    flags,
                    file_id: folder,
                    pattern: smb_proto::unicode::Utf16(b"*\0"),
                    output_buffer_length: 4096,
                    ..Default::default()
                };
                ids.push(
                    client.send(smb_proto::header::Command::QueryDirectory, 1, |w| {
                        request.write(w)
                    })?,
                );
            }
        }
        for (number, id) in ids.into_iter().enumerate() {
            let client = if number % 2 == 0 {
                &mut first
            } else {
                &mut second
            };
            is_one_of(
                &client.wait(id)?,
                &[NtStatus::SUCCESS, NtStatus::INSUFFICIENT_RESOURCES],
            )?;
        }
    }
    first.close(folder)?;
    Ok(())
}

fn not_a_share(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let long = "x".repeat(300);
    for share in [
        "nosuchshare",
        "",
        "..",
        "../etc",
        r"share\..",
        "share/",
        r"share\x",
        &long,
    ] {
        let connected = client.connect_tree(share);
        match connected {
            Err(Error::Status(status)) if status.is_error() => {}
            other => anyhow::bail!("'{share}' was connected to: {other:?}"),
        }
    }
    Ok(())
}

fn delete_root(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let root = NewFile {
        disposition: Disposition::OPEN,
        ..NewFile::directory("")
    };
    if let Ok(id) = client.create(&NewFile {
        options: root.options | CreateOptions::DELETE_ON_CLOSE,
        ..root.clone()
    }) {
        client.close(id)?;
    }
    if let Ok(id) = client.create(&root) {
        for (class, data) in [(13u8, [1, 0, 0, 0]), (64, [3, 0, 0, 0])] {
            client.set(id, InfoType::FILE, class, &data)?;
        }
        let mut data = vec![0; 16];
        data.extend_from_slice(&[2, 0, 0, 0, b'x', 0]);
        let answer = client.set(id, InfoType::FILE, 10, &data)?;
        ensure!(answer.status().is_error(), "the root was renamed");
        client.close(id)?;
    }
    let file = client.create(&NewFile::named("rooted.tmp").temporary())?;
    client.close(file)?;
    Ok(())
}
