// SPDX-License-Identifier: GPL-2.0

//! Reading and writing blocks, in order or at random places, [MS-SMB2] 3.2.4.6 and 3.2.4.7.

use anyhow::{ensure, Result};
use clap::{Args, ValueEnum};
use smb_client::{Client, NewFile};
use smb_proto::header::{Command, FileId};
use smb_proto::security::AccessMask;
use smb_proto::{read, write};

use crate::crowd::Crowd;
use crate::pipeline::Requests;
use crate::protection::Unsupported;
use crate::report;
use crate::Server;

/// Data and attributes, which a file's mode alone can grant.
const READ_WRITE: AccessMask = AccessMask::from_bits(0x0012_019f);

/// Which way data go.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Read,
    Write,
}

/// What to read or write.
#[derive(Args)]
pub(crate) struct Plan {
    /// Which way
    way: Way,
    /// Bytes of a block
    #[arg(long, default_value_t = 4096)]
    size: u32,
    /// Blocks that each client moves
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// Requests on the way at a time
    #[arg(long, default_value_t = 1)]
    depth: u64,
    /// At random places of the file, which exists; else in order, and what is written is a new file
    #[arg(long)]
    random: bool,
    /// The file that is read, or written at random places
    #[arg(long, default_value = "data")]
    file: String,
    /// Its bytes
    #[arg(long, default_value_t = 64 << 20)]
    length: u64,
}

/// One client at work.
struct Worker {
    client: Client,
    number: usize,
    /// What random places follow from.
    state: u64,
}

impl Plan {
    pub(crate) fn run(&self, server: &Server, crowd: &Crowd) -> Result<()> {
        ensure!(
            self.length >= u64::from(self.size),
            "the file is smaller than a block"
        );
        let room = usize::try_from(self.size)? * 2 + (1 << 17);
        let mut workers = crowd.gather(|number| {
            let mut worker = Worker {
                client: server.client(room)?,
                number,
                state: 0x9e37_79b9_7f4a_7c15 ^ u64::try_from(number)?,
            };
            let negotiated = worker.client.conn.negotiated()?;
            if self.size > negotiated.max_read.min(negotiated.max_write) {
                return Err(Unsupported(format!("blocks of {} bytes", self.size)).into());
            }
            // What is done once for a connection is not to be measured, nor memory that was never used before.
            self.pass(&mut worker, self.warm_up())?;
            Ok(worker)
        })?;
        for _ in 0..crowd.repeats {
            let mut opened = Vec::new();
            for worker in &mut workers {
                opened.push(self.open(worker)?);
            }
            let mut pairs: Vec<_> = workers.iter_mut().zip(&opened).collect();
            let sample = Crowd::measure(&mut pairs, |(worker, file)| {
                self.move_blocks(worker, **file, self.count)
            })?;
            report::measured("blocks", sample)?;
            for (worker, file) in workers.iter_mut().zip(opened) {
                worker.client.close(file)?;
            }
        }
        for worker in &mut workers {
            worker.client.log_off()?;
        }
        Ok(())
    }

    /// Blocks to move before it counts: all, where pages are allocated.
    fn warm_up(&self) -> u64 {
        match (self.way, self.random) {
            (Way::Write, false) => self.count,
            _ => self.count.div_ceil(8),
        }
    }

    fn pass(&self, worker: &mut Worker, count: u64) -> Result<()> {
        let file = self.open(worker)?;
        self.move_blocks(worker, file, count)?;
        worker.client.close(file)?;
        Ok(())
    }

    fn open(&self, worker: &mut Worker) -> Result<FileId> {
        if self.way == Way::Write && !self.random {
            let name = format!("new-{}", worker.number);
            return Ok(worker.client.create(&NewFile::named(&name).temporary())?);
        }
        Ok(worker.client.create(&NewFile {
            access: READ_WRITE,
            ..NewFile::named(&self.file)
        })?)
    }

    /// Where the block with this number is.
    fn place(&self, state: &mut u64, number: u64) -> u64 {
        let size = u64::from(self.size);
        let blocks = self.length / size;
        if !self.random {
            return if self.way == Way::Read {
                number % blocks * size
            } else {
                number * size
            };
        }
        // Marsaglia's xorshift64: cheap, and the same each time.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % blocks * size
    }

    fn move_blocks(&self, worker: &mut Worker, file_id: FileId, count: u64) -> Result<(u64, u64)> {
        let charge = u16::try_from(self.size.div_ceil(1 << 16))?;
        let requests = Requests {
            count,
            depth: self.depth,
            charge,
        };
        let (client, mut state) = (&mut worker.client, worker.state);
        match self.way {
            Way::Read => requests.run(
                client,
                |client, number| {
                    let header = client.header(Command::Read, charge);
                    let request = read::Request {
                        length: self.size,
                        offset: self.place(&mut state, number),
                        file_id,
                        ..read::Request::default()
                    };
                    client.queue(&header, |w| request.write(w))
                },
                |pdu| {
                    let reply = read::Reply::parse(pdu).map_err(smb_client::Error::from)?;
                    self.check_length(reply.data.len())
                },
            ),
            Way::Write => {
                let data = vec![0x5a; usize::try_from(self.size)?];
                requests.run(
                    client,
                    |client, number| {
                        let header = client.header(Command::Write, charge);
                        let request = write::Request {
                            offset: self.place(&mut state, number),
                            file_id,
                            data: &data,
                            ..write::Request::default()
                        };
                        client.queue(&header, |w| request.write(w))
                    },
                    |pdu| {
                        let reply = write::Reply::parse(pdu).map_err(smb_client::Error::from)?;
                        self.check_length(usize::try_from(reply.count)?)
                    },
                )
            }
        }?;
        Ok((count, count * u64::from(self.size)))
    }

    fn check_length(&self, len: usize) -> Result<()> {
        ensure!(
            len == usize::try_from(self.size)?,
            "a block of {len} bytes and not of {}",
            self.size
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(way: Way, random: bool) -> Plan {
        Plan {
            way,
            size: 4096,
            count: 0,
            depth: 1,
            random,
            file: String::new(),
            length: 64 << 10,
        }
    }

    #[test]
    fn random_places_are_blocks_of_the_file() {
        let (plan, mut state) = (plan(Way::Write, true), 1);
        let places: Vec<u64> = (0..1000)
            .map(|number| plan.place(&mut state, number))
            .collect();
        assert!(places
            .iter()
            .all(|place| place % 4096 == 0 && *place < plan.length));
        assert!((0..16).all(|block| places.contains(&(block * 4096))));
    }

    #[test]
    fn reading_in_order_begins_again_and_writing_goes_on() {
        let mut state = 1;
        assert_eq!(plan(Way::Read, false).place(&mut state, 17), 4096);
        assert_eq!(plan(Way::Write, false).place(&mut state, 17), 17 * 4096);
    }
}
