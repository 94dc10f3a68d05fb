// SPDX-License-Identifier: GPL-2.0

//! Random requests over several connections and sessions, right and wrong, in an order that a seed gives.
//!
//! Whatever is sent, the server must answer each request once or close the connection, and hold nothing afterwards. Which
//! requests are sent follows from the seed alone, and not from what the server answers or when: file ids and sessions are
//! chosen by their place in a list of what was opened, whether or not that worked.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smb_client::{access, Client, Error, NewFile, Options, Protection};
use smb_proto::create::{self, CreateOptions, Disposition, OplockLevel, ShareAccess};
use smb_proto::create_context::RequestContexts;
use smb_proto::header::{Command, FileId, HeaderFlags, HEADER_LEN};
use smb_proto::lease::{Lease, LeaseKey, LeaseState};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::query_info::InfoType;
use smb_proto::security::AccessMask;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::wire::Writer;
use smb_proto::{change_notify, close, flush, ioctl, oplock_break, query_directory};
use smb_proto::{query_info, read, set_info, write};

use crate::world::World;

/// Connections at a time.
const PLACES: usize = 4;
/// Places for file ids, shared by all.
const FILES: usize = 12;
/// Requests in flight on a connection at most.
const DEEP: usize = 8;
/// How long a request that the server says waits may take before it is cancelled.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection and the requests on it that were not answered.
struct Place {
    client: Client,
    open: Vec<(u64, Option<usize>)>,
    /// Whether something was sent for which the server may close the connection.
    is_tainted: bool,
}

struct Machine<'w> {
    world: &'w World,
    chance: ChaCha8Rng,
    places: Vec<Option<Place>>,
    files: [FileId; FILES],
}

/// Plays `steps` steps from `seed`.
pub(crate) fn play(world: &World, seed: u64, steps: u64) -> Result<()> {
    let before = world.settled(None).context("before")?;
    let mut machine = Machine {
        world,
        chance: ChaCha8Rng::seed_from_u64(seed),
        places: (0..PLACES).map(|_| None).collect(),
        files: [FileId::default(); FILES],
    };
    for step in 0..steps {
        machine
            .step()
            .with_context(|| format!("step {step} of --seed {seed} --steps {steps}"))?;
    }
    drop(machine);
    world.settled(before).context("afterwards")?;
    world
        .check_serves()
        .context("afterwards, a client that behaves is not served")
}

impl Machine<'_> {
    fn step(&mut self) -> Result<()> {
        let at = self.chance.random_range(0..PLACES);
        let kind = self.chance.random_range(0..100u32);
        let Some(place) = self.places[at].take() else {
            self.places[at] = Some(self.connect()?);
            return Ok(());
        };
        let kept = match kind {
            0 => None,
            1..=8 => self.settle(place)?,
            _ => self.send(place)?,
        };
        self.places[at] = kept;
        Ok(())
    }

    fn connect(&mut self) -> Result<Place> {
        let protection =
            [Protection::Plain, Protection::Sign, Protection::Seal][self.chance.random_range(0..3)];
        let options = Options {
            protection,
            room: 1 << 18,
            ..Options::default()
        };
        let mut client = self.world.client_with(&options)?;
        if self.chance.random_ratio(1, 4) {
            // Another session on the share, whose requests go by the same connection's ids.
            client.echo()?;
        }
        Ok(Place {
            client,
            open: Vec::new(),
            is_tainted: false,
        })
    }

    /// Waits for all answers.
    fn settle(&mut self, mut place: Place) -> Result<Option<Place>> {
        for (id, file) in std::mem::take(&mut place.open) {
            match self.answer(&mut place, id) {
                Ok(opened) => {
                    if let (Some(slot), Some(opened)) = (file, opened) {
                        self.files[slot] = opened;
                    }
                }
                Err(Error::Closed) if place.is_tainted => return Ok(None),
                Err(error) => bail!("request {id}: {error}"),
            }
        }
        Ok(Some(place))
    }

    /// Waits for one answer; what waits on the server is cancelled. The file that it opened.
    fn answer(&mut self, place: &mut Place, id: u64) -> Result<Option<FileId>, Error> {
        place.client.conn.set_patience(PATIENCE)?;
        if let Some(async_id) = place.client.wait_pending(id)? {
            place.client.cancel(id, Some(async_id))?;
        }
        let answer = place.client.wait(id)?;
        match answer.header.command() {
            Ok(Command::Create) if answer.status() == NtStatus::SUCCESS => {
                Ok(Some(create::Reply::parse(&answer.pdu)?.file_id))
            }
            _ => Ok(None),
        }
    }

    fn send(&mut self, mut place: Place) -> Result<Option<Place>> {
        if place.open.len() >= DEEP || place.client.conn.credits < 32 {
            return self.settle(place);
        }
        let (command, body, slot) = self.request()?;
        let mut header = place.client.header(command, 1);
        let mut body = body;
        match self.chance.random_range(0..40u32) {
            // A body that lies.
            0..=5 if !body.is_empty() => {
                let flips = self.chance.random_range(1..4);
                for _ in 0..flips {
                    let at = self.chance.random_range(0..body.len());
                    body[at] = self.chance.random();
                }
            }
            6 => body.truncate(self.chance.random_range(2..=body.len().max(2))),
            7 => header.set_tree_id(self.chance.random()),
            8 => header.set_session_id(self.chance.random()),
            9 => {
                header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS);
            }
            10 => {
                header.set_message_id(self.chance.random());
                place.is_tainted = true;
            }
            _ => {}
        }
        if command == Command::Logoff && place.client.protection == Protection::Seal {
            // What is sealed for a session that is gone ends the connection, 3.3.5.2.1.1.
            place.is_tainted = true;
        }
        if command == Command::Cancel {
            // It has no answer, and uses up no id.
            place.client.conn.next_id -= 1;
        }
        place.client.queue(&header, |w| w.bytes(&body))?;
        match place.client.conn.flush() {
            Ok(()) => {}
            Err(Error::Closed) if place.is_tainted => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if command != Command::Cancel {
            place.open.push((header.message_id(), slot));
        }
        if place.is_tainted {
            return self.settle(place);
        }
        Ok(Some(place))
    }

    fn name(&mut self) -> String {
        let names = [
            "a",
            "b",
            "folder",
            r"folder\c",
            "a:stream",
            "B",
            "",
            "d.tmp",
        ];
        names[self.chance.random_range(0..names.len())].into()
    }

    /// A random request: its command, its body, and the place for the file that it opens.
    fn request(&mut self) -> Result<(Command, Vec<u8>, Option<usize>)> {
        let slot = self.chance.random_range(0..FILES);
        let file_id = self.files[slot];
        let offset = u64::from(self.chance.random_range(0..100_000u32));
        let room: u32 = [0, 16, 100, 1000, 4096, 60_000][self.chance.random_range(0..6)];
        let class: u8 = self.chance.random_range(0..70);
        let kind = InfoType(self.chance.random_range(1..5));
        let mut data = vec![0u8; self.chance.random_range(0..200)];
        self.chance.fill(data.as_mut_slice());
        let name = self.name();
        let pattern: Vec<u8> = "*".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bits: u32 = self.chance.random();
        let mut buf = vec![0; 1 << 13];
        let mut w = Writer::new(&mut buf);
        w.zeros(HEADER_LEN).map_err(Error::from)?;
        let mut opens = None;
        let command = match self.chance.random_range(0..36u32) {
            0..=9 => {
                opens = Some(slot);
                self.new_file(&name, bits)
                    .write(&mut w)
                    .map_err(Error::from)?;
                Command::Create
            }
            10..=13 => {
                let flags = close::CloseFlags::POSTQUERY_ATTRIB;
                let request = close::Request { flags, file_id };
                request.write(&mut w).map_err(Error::from)?;
                Command::Close
            }
            14..=15 => {
                let length = room;
                let request = read::Request {
                    length,
                    offset,
                    file_id,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::Read
            }
            16..=17 => {
                let data = &data;
                let request = write::Request {
                    offset,
                    file_id,
                    data,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::Write
            }
            18..=20 => {
                self.lock(file_id, bits)
                    .write(&mut w)
                    .map_err(Error::from)?;
                Command::Lock
            }
            21..=22 => {
                let request = query_info::Request {
                    info_type: kind,
                    info_class: class,
                    output_buffer_length: room,
                    additional_information: 7,
                    file_id,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::QueryInfo
            }
            23..=24 => {
                let request = set_info::Request {
                    info_type: InfoType::FILE,
                    info_class: class,
                    file_id,
                    data: &data,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::SetInfo
            }
            25..=26 => {
                let request = query_directory::Request {
                    information_class: [1, 2, 3, 12, 37, 38][usize::from(class % 6)],
                    flags: query_directory::QueryDirectoryFlags::from_bits(u8::from(bits & 1 == 0)),
                    file_id,
                    pattern: Utf16(&pattern),
                    output_buffer_length: room,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::QueryDirectory
            }
            27..=28 => {
                let request = change_notify::Request {
                    output_buffer_length: room,
                    file_id,
                    filter: change_notify::CompletionFilter::from_bits(bits & 0xfff),
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::ChangeNotify
            }
            29 => {
                let level = OplockLevel([0, 1, 8, 9][usize::from(class % 4)]);
                let ack = oplock_break::OplockBreak { level, file_id };
                ack.write(&mut w).map_err(Error::from)?;
                Command::OplockBreak
            }
            30 => {
                flush::Request { file_id }
                    .write(&mut w)
                    .map_err(Error::from)?;
                Command::Flush
            }
            31 => {
                let codes = [
                    0x0009_00c4,
                    0x0009_80c8,
                    0x0009_40cf,
                    0x0014_0078,
                    0x0014_40f2,
                    0x0009_8344,
                ];
                let request = ioctl::Request {
                    code: codes[usize::from(class % 6)],
                    file_id,
                    input: &data,
                    max_output_response: room,
                    flags: ioctl::IoctlFlags::IS_FSCTL,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::Ioctl
            }
            choice => {
                Empty.write(&mut w).map_err(Error::from)?;
                match (choice, bits % 8) {
                    (32, 0) => Command::Logoff,
                    (33, 0) => Command::TreeDisconnect,
                    (34, _) => Command::Cancel,
                    _ => Command::Echo,
                }
            }
        };
        Ok((command, w.written()[HEADER_LEN..].to_vec(), opens))
    }

    fn new_file<'n>(&mut self, name: &'n str, bits: u32) -> NewFile<'n> {
        let levels = [
            OplockLevel::NONE,
            OplockLevel::LEVEL_II,
            OplockLevel::EXCLUSIVE,
            OplockLevel::BATCH,
            OplockLevel::LEASE,
        ];
        let oplock = levels[self.chance.random_range(0..levels.len())];
        let mut options = CreateOptions::NONE;
        if name == "folder" || name.is_empty() {
            options |= CreateOptions::DIRECTORY_FILE;
        }
        if bits & 1 == 0 {
            options |= CreateOptions::DELETE_ON_CLOSE;
        }
        let rights = [
            access::ALL,
            access::READ,
            access::ATTRIBUTES,
            access::MAXIMUM,
        ];
        NewFile {
            name,
            access: match (bits >> 1) & 7 {
                7 => AccessMask::from_bits(self.chance.random()),
                some => rights[usize::try_from(some % 4).unwrap_or(0)],
            },
            share: ShareAccess::from_bits(if (bits >> 4) & 7 == 0 {
                (bits >> 8) & 7
            } else {
                7
            }),
            disposition: Disposition(self.chance.random_range(0..6)),
            options,
            oplock,
            contexts: RequestContexts {
                maximal_access: ((bits >> 11) & 1 == 0).then_some(None),
                on_disk_id: (bits >> 12) & 1 == 0,
                lease: (oplock == OplockLevel::LEASE).then(|| Lease {
                    key: LeaseKey([self.chance.random_range(0..3); 16]),
                    state: LeaseState::from_bits((bits >> 13) & 7),
                    ..Lease::default()
                }),
                ..RequestContexts::default()
            },
        }
    }

    fn lock(&mut self, file_id: FileId, bits: u32) -> NewRequest<'static> {
        const FLAGS: [LockFlags; 4] = [
            LockFlags::SHARED,
            LockFlags::EXCLUSIVE,
            LockFlags::UNLOCK,
            LockFlags::EXCLUSIVE.union(LockFlags::FAIL_IMMEDIATELY),
        ];
        const fn ranges(flags: LockFlags) -> [Element; 1] {
            [Element {
                offset: 10,
                length: 20,
                flags,
            }]
        }
        const LOCKS: [[Element; 1]; 4] = [
            ranges(FLAGS[0]),
            ranges(FLAGS[1]),
            ranges(FLAGS[2]),
            ranges(FLAGS[3]),
        ];
        NewRequest {
            sequence_number: 0,
            sequence_index: 0,
            file_id,
            locks: &LOCKS[usize::try_from(bits % 4).unwrap_or(0)],
        }
    }
}
