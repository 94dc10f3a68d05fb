// SPDX-License-Identifier: GPL-2.0

//! A random request: every command, for files and tree connects that there are and that there are not.

use anyhow::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use smb_client::{access, Error, NewFile};
use smb_proto::create::{CreateOptions, Disposition, OplockLevel, ShareAccess};
use smb_proto::create_context::RequestContexts;
use smb_proto::header::{Command, FileId, HEADER_LEN};
use smb_proto::lease::{Lease, LeaseKey, LeaseState};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::query_info::InfoType;
use smb_proto::security::AccessMask;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::wire::Writer;
use smb_proto::{change_notify, close, flush, ioctl, oplock_break, query_directory};
use smb_proto::{query_info, read, session_setup, set_info, tree_connect, write};

use super::model::Meaning;

/// Places for file ids, shared by all.
pub(super) const FILES: usize = 12;

/// The first message of a login.
const NTLM_NEGOTIATE: &[u8] =
    b"NTLMSSP\0\x01\0\0\0\x15\x82\x08\x62\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) command: Command,
    pub(super) body: Vec<u8>,
    /// What success means.
    pub(super) meaning: Meaning,
}

/// Where requests come from: chance, and what they may name.
pub(super) struct Source<'s> {
    pub(super) chance: &'s mut ChaCha8Rng,
    pub(super) files: &'s [FileId; FILES],
    /// The connection's tree connect.
    pub(super) tree: u32,
    pub(super) share: &'s str,
}

impl Source<'_> {
    pub(super) fn name(&mut self) -> String {
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

    /// A random request, for a file of one of the slots or, in a compound, for the one that its first request opens.
    pub(super) fn request(&mut self, in_compound: bool) -> Result<Asked> {
        let slot = self.chance.random_range(0..FILES);
        let file_id = if in_compound {
            FileId::ANY
        } else {
            self.files[slot]
        };
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
        let mut meaning = Meaning::Nothing;
        // Within a compound, what has a file.
        let choices = if in_compound { 10..32u32 } else { 0..44 };
        let command = match self.chance.random_range(choices) {
            0..=9 => {
                meaning = Meaning::Opened {
                    tree: self.tree,
                    slot,
                };
                self.new_file(&name, bits)
                    .write(&mut w)
                    .map_err(Error::from)?;
                Command::Create
            }
            10..=13 => {
                meaning = if in_compound {
                    Meaning::ClosedOwn
                } else {
                    Meaning::Closed(file_id)
                };
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
            36..=38 => {
                meaning = Meaning::Connected;
                let share = [self.share, self.share, "IPC$", "nowhere"][usize::from(class % 4)];
                let path: Vec<u8> = format!(r"\\server\{share}")
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect();
                let request = tree_connect::Request {
                    path: Utf16(&path),
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::TreeConnect
            }
            39 if bits % 4 == 0 => {
                meaning = Meaning::Renewed;
                let token: &[u8] = if bits & 4 == 0 { NTLM_NEGOTIATE } else { &data };
                let request = session_setup::Request {
                    security_buffer: token,
                    ..Default::default()
                };
                request.write(&mut w).map_err(Error::from)?;
                Command::SessionSetup
            }
            choice => {
                Empty.write(&mut w).map_err(Error::from)?;
                match (choice, bits % 8) {
                    (32, 0) => {
                        meaning = Meaning::LoggedOff;
                        Command::Logoff
                    }
                    (33, 0..4) => {
                        meaning = Meaning::Disconnected { tree: self.tree };
                        Command::TreeDisconnect
                    }
                    (34..=35, _) => Command::Cancel,
                    (40, 0) => Command::Negotiate,
                    _ => Command::Echo,
                }
            }
        };
        Ok(Asked {
            command,
            body: w.written()[HEADER_LEN..].to_vec(),
            meaning,
        })
    }

    pub(super) fn new_file<'n>(&mut self, name: &'n str, bits: u32) -> NewFile<'n> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    fn requests(seed: u64) -> Vec<Asked> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut source = Source {
            chance: &mut chance,
            files: &[FileId::default(); FILES],
            tree: 1,
            share: "share",
        };
        (0..2000)
            .map(|_| source.request(false).expect("a request fits"))
            .collect()
    }

    #[test]
    fn a_seed_makes_the_same_requests() {
        assert_eq!(requests(1), requests(1));
        assert_ne!(requests(1), requests(2));
    }

    #[test]
    fn every_command_is_asked_for() {
        let asked: BTreeSet<u16> = requests(1)
            .iter()
            .map(|asked| asked.command as u16)
            .collect();
        let all: BTreeSet<u16> = Command::ALL.iter().map(|command| *command as u16).collect();
        assert_eq!(asked, all);
    }
}
