// SPDX-License-Identifier: GPL-2.0

//! Names in a directory: a round creates files, lists the directory, opens, looks at, renames and removes files, and leaves it as it was.

use anyhow::{ensure, Result};
use clap::Args;
use smb_client::{access, Client, NewFile};
use smb_proto::create::{CreateOptions, Disposition};
use smb_proto::directory::{DirClass, DirEntry};
use smb_proto::file_set::NewName;
use smb_proto::query_directory::QueryDirectoryFlags;
use smb_proto::query_info::InfoType;
use smb_proto::security::AccessMask;
use smb_proto::unicode::Text;
use smb_proto::wire::Writer;

use crate::crowd::Crowd;
use crate::report::{self, Sample};
use crate::Server;

/// `FileAllInformation` and `FileRenameInformation`, [MS-FSCC] 2.4.
const ALL_INFORMATION: u8 = 18;
const RENAME_INFORMATION: u8 = 10;
/// Bytes of one answer of a listing.
const LISTING: u32 = 1 << 16;
/// DELETE and FILE_READ_ATTRIBUTES.
const DELETE: AccessMask = AccessMask::from_bits(0x0001_0080);
/// How many times as often files are opened or looked at as made. Few would not do: a server may leave the last of its work on an open
/// file to the kernel's leisure, as the C module does, and that has to fall into the measurement.
const OFTEN: usize = 25;

/// Which directory, and how much of it.
#[derive(Args)]
pub(crate) struct Plan {
    /// The directory; with several clients, one each: this name with their numbers
    directory: String,
    /// Files that are in it, named file-000000 and so on
    #[arg(long)]
    files: usize,
    /// Files that a round adds, and handles of each kind
    #[arg(long, default_value_t = 20)]
    count: usize,
    /// Rounds of one measurement
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

/// What a round does, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    List,
    OpenClose,
    Stat,
    Rename,
    Unlink,
}

impl Step {
    const ALL: [Step; 6] = [
        Step::Create,
        Step::List,
        Step::OpenClose,
        Step::Stat,
        Step::Rename,
        Step::Unlink,
    ];

    /// Its name in the report.
    fn name(self) -> &'static str {
        match self {
            Step::Create => "create",
            Step::List => "readdir",
            Step::OpenClose => "open-close",
            Step::Stat => "stat",
            Step::Rename => "rename",
            Step::Unlink => "unlink",
        }
    }
}

struct Worker {
    client: Client,
    directory: String,
}

impl Plan {
    pub(crate) fn run(&self, server: &Server, crowd: &Crowd) -> Result<()> {
        let mut workers = crowd.gather(|number| {
            let directory = match crowd.clients {
                1 => self.directory.clone(),
                _ => format!("{}-{number}", self.directory),
            };
            let mut worker = Worker {
                client: server.client(1 << 17)?,
                directory,
            };
            // The first few pay for what the server keeps of a directory.
            for step in Step::ALL.into_iter().filter(|step| *step != Step::List) {
                self.step(&mut worker, step, self.count.min(2))?;
            }
            Ok(worker)
        })?;
        for _ in 0..crowd.repeats {
            let mut sums = [Sample::default(); Step::ALL.len()];
            for _ in 0..self.rounds {
                for (step, sum) in Step::ALL.into_iter().zip(&mut sums) {
                    *sum +=
                        Crowd::measure(&mut workers, |worker| self.step(worker, step, self.count))?;
                }
            }
            for (step, sum) in Step::ALL.into_iter().zip(sums) {
                report::measured(step.name(), sum)?;
            }
        }
        for worker in &mut workers {
            worker.client.log_off()?;
        }
        Ok(())
    }

    /// A file that is there all the time; they are taken from all over the directory.
    fn old(&self, worker: &Worker, number: usize) -> String {
        let number = number.wrapping_mul(7919) % self.files.max(1);
        format!(r"{}\file-{number:06}", worker.directory)
    }

    fn step(&self, worker: &mut Worker, step: Step, count: usize) -> Result<(u64, u64)> {
        let count = match step {
            Step::List => return Ok((u64::try_from(self.list(worker)?)?, 0)),
            Step::OpenClose | Step::Stat => count.saturating_mul(OFTEN),
            Step::Create | Step::Rename | Step::Unlink => count,
        };
        for number in 0..count {
            let old = self.old(worker, number);
            let new = format!(r"{}\new-{number}", worker.directory);
            let renamed = format!(r"{}\renamed-{number}", worker.directory);
            let client = &mut worker.client;
            match step {
                Step::List => {}
                Step::Create => touch(client, &new, access::ALL, Disposition::CREATE)?,
                Step::OpenClose => touch(client, &old, access::READ, Disposition::OPEN)?,
                Step::Stat => look_at(client, &old)?,
                Step::Rename => rename(client, &new, &renamed)?,
                Step::Unlink => remove(client, &renamed)?,
            }
        }
        Ok((u64::try_from(count)?, 0))
    }

    /// Entries of the directory, all of which must be there.
    fn list(&self, worker: &mut Worker) -> Result<usize> {
        let client = &mut worker.client;
        let class = DirClass::IdBothDirectory;
        let directory = client.create(&NewFile {
            access: access::READ,
            disposition: Disposition::OPEN,
            ..NewFile::directory(&worker.directory)
        })?;
        let mut found = 0;
        loop {
            let flags = QueryDirectoryFlags::NONE;
            let bytes = client.list(directory, class.class().0, flags, "*", LISTING)?;
            // STATUS_NO_MORE_FILES is a warning, with an error's body.
            if bytes.is_empty() {
                break;
            }
            for entry in DirEntry::list(class, &bytes) {
                entry.map_err(smb_client::Error::from)?;
                found += 1;
            }
        }
        client.close(directory)?;
        // With the directory itself and its parent.
        let expected = self.files + self.count + 2;
        ensure!(
            found == expected,
            "the listing has {found} entries and not {expected}"
        );
        Ok(found)
    }
}

/// Opens or creates a file, and closes it.
fn touch(
    client: &mut Client,
    name: &str,
    access: AccessMask,
    disposition: Disposition,
) -> Result<()> {
    let file = client.create(&NewFile {
        access,
        disposition,
        ..NewFile::named(name)
    })?;
    Ok(client.close(file)?)
}

fn existing(name: &str, access: AccessMask) -> NewFile<'_> {
    NewFile {
        access,
        disposition: Disposition::OPEN,
        ..NewFile::named(name)
    }
}

fn look_at(client: &mut Client, name: &str) -> Result<()> {
    let file = client.create(&existing(name, access::ATTRIBUTES))?;
    let answer = client.query(file, InfoType::FILE, ALL_INFORMATION, 1 << 12)?;
    client.accept(answer)?;
    Ok(client.close(file)?)
}

fn rename(client: &mut Client, from: &str, to: &str) -> Result<()> {
    let file = client.create(&existing(from, DELETE))?;
    let mut data = [0; 512];
    let mut w = Writer::new(&mut data);
    NewName {
        name: Text::Str(to),
        ..NewName::default()
    }
    .write(&mut w)
    .map_err(smb_client::Error::from)?;
    let len = w.len();
    let answer = client.set(
        file,
        InfoType::FILE,
        RENAME_INFORMATION,
        data.get(..len).unwrap_or_default(),
    )?;
    client.accept(answer)?;
    Ok(client.close(file)?)
}

fn remove(client: &mut Client, name: &str) -> Result<()> {
    let open = existing(name, DELETE);
    let file = client.create(&NewFile {
        options: open.options | CreateOptions::DELETE_ON_CLOSE,
        ..open
    })?;
    Ok(client.close(file)?)
}
