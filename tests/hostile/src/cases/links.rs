// SPDX-License-Identifier: GPL-2.0

//! Ways out of the share that somebody on the server's side has laid, and files that are another's: symbolic links as names, as
//! folders of names, and as targets of renames and hard links; streams and rights of a file that its owner has closed to all.
//! [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};
use smb_client::{access, Client, Error, NewFile, Options};
use smb_proto::create::{CreateOptions, Disposition};
use smb_proto::create_context::RequestContexts;
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::status::NtStatus;

use crate::cases::cases;
use crate::check::refused;
use crate::world::World;

const SECRET: &[u8] = b"what lies outside of the share";
const DENIED: &[NtStatus] = &[NtStatus::ACCESS_DENIED];

cases! {
    "links.opened", "symbolic links out of the share, opened, overwritten and deleted" => opened;
    "links.walked", "names through symbolic links out of the share" => walked;
    "links.listed", "a listing through a symbolic link out of the share" => listed;
    "links.targets", "renames and hard links through symbolic links out of the share" => targets;
    "links.private-file", "another user's file that nobody else may read, with all that is allowed" => private_file;
    "links.private-stream", "a stream of another user's file that nobody else may read" => private_stream;
}

/// Links in the share and what they lead to; both are taken away in the end.
struct Outside {
    root: PathBuf,
    folder: PathBuf,
}

/// Names of links in the share: to a file and a folder outside, by an absolute and a relative path, to the folder above, and to
/// itself.
const FILES: [&str; 2] = ["link-file", "link-file-up"];
const FOLDERS: [&str; 3] = ["link-folder", "link-folder-up", "link-up"];

impl Outside {
    fn new(world: &World) -> Result<Self> {
        let root = world.root.clone();
        ensure!(
            root.is_dir(),
            "{} is no folder: --root names the share's",
            root.display()
        );
        let above = root.parent().context("the share has nothing outside")?;
        let folder = above.join("hostile-outside");
        let outside = Outside {
            root: root.clone(),
            folder: folder.clone(),
        };
        outside.clear();
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        fs::write(folder.join("secret"), SECRET)?;
        fs::set_permissions(folder.join("secret"), fs::Permissions::from_mode(0o666))?;
        let above = Path::new("..").join("hostile-outside");
        symlink(folder.join("secret"), root.join(FILES[0]))?;
        symlink(above.join("secret"), root.join(FILES[1]))?;
        symlink(&folder, root.join(FOLDERS[0]))?;
        symlink(&above, root.join(FOLDERS[1]))?;
        symlink("..", root.join(FOLDERS[2]))?;
        symlink("link-loop", root.join("link-loop"))?;
        Ok(outside)
    }

    fn clear(&self) {
        for name in FILES.iter().chain(&FOLDERS).chain(&["link-loop"]) {
            let _ = fs::remove_file(self.root.join(name));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// What lies outside is as it was, and the links are.
    fn check(&self) -> Result<()> {
        let names: Vec<_> = fs::read_dir(&self.folder)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<_>>()?;
        ensure!(names == ["secret"], "outside, there is {names:?}");
        let secret = self.folder.join("secret");
        ensure!(
            fs::read(&secret)? == SECRET,
            "what lies outside was changed"
        );
        let mode = fs::metadata(&secret)?.permissions().mode() & 0o777;
        ensure!(mode == 0o666, "what lies outside has the mode {mode:o}");
        ensure!(
            fs::metadata(&self.folder)?.permissions().mode() & 0o777 == 0o777,
            "the folder outside has another mode"
        );
        for name in FILES.iter().chain(&FOLDERS) {
            ensure!(
                self.root.join(name).is_symlink(),
                "{name} is no link any more"
            );
        }
        Ok(())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.clear();
    }
}

const DISPOSITIONS: [Disposition; 6] = [
    Disposition::OPEN,
    Disposition::OPEN_IF,
    Disposition::CREATE,
    Disposition::OVERWRITE,
    Disposition::OVERWRITE_IF,
    Disposition::SUPERSEDE,
];

/// Every way to open `name`; none may succeed.
fn open_all(client: &mut Client, name: &str) -> Result<()> {
    let options = [
        CreateOptions::NONE,
        CreateOptions::NON_DIRECTORY_FILE | CreateOptions::DELETE_ON_CLOSE,
        CreateOptions::DIRECTORY_FILE,
    ];
    for disposition in DISPOSITIONS {
        for options in options {
            for access in [access::ALL, access::READ, access::MAXIMUM] {
                let file = NewFile {
                    access,
                    disposition,
                    options,
                    ..NewFile::named(name)
                };
                match client.create(&file) {
                    Err(Error::Status(_)) => {}
                    other => bail!("'{name}', {disposition:?}, {options:?}: {other:?}"),
                }
            }
        }
    }
    Ok(())
}

fn opened(world: &World) -> Result<()> {
    let outside = Outside::new(world)?;
    let mut client = world.client()?;
    for name in FILES.iter().chain(&FOLDERS).chain(&["link-loop"]) {
        open_all(&mut client, name)?;
        open_all(&mut client, &format!("{name}:stream"))?;
        // The link itself may be opened, but not what it leads to through it.
        let link = NewFile {
            access: access::READ,
            disposition: Disposition::OPEN,
            options: CreateOptions::OPEN_REPARSE_POINT,
            ..NewFile::named(name)
        };
        if let Ok(id) = client.create(&link) {
            if let Ok(data) = client.read(id, 0, 1024) {
                ensure!(data != SECRET, "{name} reads as what it leads to");
            }
            client.close(id)?;
        }
    }
    outside.check()
}

fn walked(world: &World) -> Result<()> {
    let outside = Outside::new(world)?;
    let mut client = world.client()?;
    for folder in FOLDERS {
        for name in ["secret", "new.tmp", r"hostile-outside\secret"] {
            open_all(&mut client, &format!(r"{folder}\{name}"))?;
        }
    }
    outside.check()
}

fn listed(world: &World) -> Result<()> {
    let outside = Outside::new(world)?;
    let mut client = world.client()?;
    for name in FOLDERS {
        for options in [
            CreateOptions::DIRECTORY_FILE,
            CreateOptions::DIRECTORY_FILE | CreateOptions::OPEN_REPARSE_POINT,
        ] {
            let folder = NewFile {
                access: access::READ,
                disposition: Disposition::OPEN,
                options,
                ..NewFile::named(name)
            };
            let Ok(id) = client.create(&folder) else {
                continue;
            };
            let flags = QueryDirectoryFlags::NONE;
            if let Ok(entries) = client.list(id, 12, flags, "*", 65_536) {
                let secret: Vec<u8> = "secret".encode_utf16().flat_map(u16::to_le_bytes).collect();
                ensure!(
                    !entries.windows(secret.len()).any(|name| name == secret),
                    "{name} lists what lies outside"
                );
            }
            client.close(id)?;
        }
    }
    outside.check()
}

/// FileRenameInformation or FileLinkInformation, with what stands in for `RootDirectory`.
fn target(name: &str, root: u64) -> Result<Vec<u8>> {
    let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut data = vec![1, 0, 0, 0, 0, 0, 0, 0];
    data.extend_from_slice(&root.to_le_bytes());
    data.extend_from_slice(&u32::try_from(utf16.len())?.to_le_bytes());
    data.extend_from_slice(&utf16);
    Ok(data)
}

/// Rename, link, and those with flags.
const MOVES: [u8; 4] = [10, 11, 65, 72];

fn targets(world: &World) -> Result<()> {
    let outside = Outside::new(world)?;
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("moved.tmp").temporary())?;
    client.write(file, 0, b"from within")?;
    let mut names: Vec<String> = Vec::new();
    for folder in FOLDERS {
        names.push(format!(r"{folder}\moved"));
        names.push(format!(r"{folder}\secret"));
        names.push(format!(r"{folder}\hostile-outside\moved"));
        names.push(format!(r"\{folder}\moved"));
    }
    for class in MOVES {
        for name in &names {
            for root in [0, 1, u64::MAX] {
                let answer = client.set(file, InfoType::FILE, class, &target(name, root)?)?;
                ensure!(
                    answer.status().is_error(),
                    "class {class} to '{name}': {:?}",
                    answer.status()
                );
            }
        }
        // Onto a link: it may be replaced, or not; what it leads to may not.
        let answer = client.set(file, InfoType::FILE, class, &target("link-loop", 0)?)?;
        drop(answer);
        let secret = fs::read(outside.folder.join("secret"))?;
        ensure!(secret == SECRET, "a move onto a link went through it");
    }
    client.close(file)?;
    let above = outside.root.parent().context("nothing is above")?;
    ensure!(
        !above.join("moved").exists(),
        "something was moved to the folder above the share"
    );
    let _ = fs::remove_file(outside.root.join("link-loop"));
    outside.check()
}

/// A file of the other user with a stream, both closed to everybody else.
fn private(world: &World, name: &str) -> Result<Client> {
    let mut owner = Client::connect(&world.as_other(), &Options::default())?;
    let file = owner.create(&NewFile::named(name).temporary())?;
    owner.write(file, 0, SECRET)?;
    let stream = owner.create(&NewFile::named(&format!("{name}:stream")))?;
    owner.write(stream, 0, SECRET)?;
    owner.close(stream)?;
    fs::set_permissions(world.root.join(name), fs::Permissions::from_mode(0o600))?;
    Ok(owner)
}

fn private_file(world: &World) -> Result<()> {
    let name = "private.tmp";
    let _owner = private(world, name)?;
    let mut client = world.client()?;
    for disposition in DISPOSITIONS {
        for access in [access::ALL, access::READ] {
            let file = NewFile {
                access,
                disposition,
                ..NewFile::named(name)
            };
            match client.create(&file) {
                Err(Error::Status(NtStatus::ACCESS_DENIED)) => {}
                Err(Error::Status(NtStatus::OBJECT_NAME_COLLISION))
                    if disposition == Disposition::CREATE => {}
                other => bail!("{disposition:?}: {other:?}"),
            }
        }
    }
    let all = NewFile {
        access: access::MAXIMUM,
        disposition: Disposition::OPEN,
        contexts: RequestContexts {
            maximal_access: Some(None),
            ..RequestContexts::default()
        },
        ..NewFile::named(name)
    };
    if let Ok(id) = client.create(&all) {
        refused(client.read(id, 0, 100), DENIED)?;
        refused(client.write(id, 0, b"changed"), DENIED)?;
        // Whoever may write the folder may delete the file; truncate it, he may not, nor say who may what.
        for class in [20u8, 19] {
            let answer = client.set(id, InfoType::FILE, class, &[0; 8])?;
            ensure!(
                answer.status().is_error(),
                "class {class}: {:?}",
                answer.status()
            );
        }
        let answer = client.query(id, InfoType::FILE, 15, 4096)?;
        ensure!(
            answer.status().is_error(),
            "its extended attributes: {:?}",
            answer.status()
        );
        client.close(id)?;
    }
    check_content(world, name)
}

fn check_content(world: &World, name: &str) -> Result<()> {
    let data = fs::read(world.root.join(name))?;
    ensure!(data == SECRET, "another user's file was changed");
    Ok(())
}

fn private_stream(world: &World) -> Result<()> {
    let name = "private-stream.tmp";
    let mut owner = private(world, name)?;
    let mut client = world.client()?;
    for stream in ["stream", "new", "stream:$DATA"] {
        let stream = format!("{name}:{stream}");
        for disposition in DISPOSITIONS {
            for access in [access::ALL, access::READ, access::MAXIMUM] {
                let file = NewFile {
                    access,
                    disposition,
                    ..NewFile::named(&stream)
                };
                match client.create(&file) {
                    Err(Error::Status(_)) => {}
                    Ok(id) if access == access::MAXIMUM && disposition == Disposition::OPEN => {
                        refused(client.read(id, 0, 100), DENIED)?;
                        refused(client.write(id, 0, b"changed"), DENIED)?;
                        client.close(id)?;
                    }
                    other => bail!("'{stream}', {disposition:?}, {access:?}: {other:?}"),
                }
            }
        }
    }
    let stream = owner.create(&NewFile {
        access: access::READ,
        disposition: Disposition::OPEN,
        ..NewFile::named(&format!("{name}:stream"))
    })?;
    ensure!(
        owner.read(stream, 0, 100)? == SECRET,
        "another user's stream was changed"
    );
    owner.close(stream)?;
    check_content(world, name)
}
