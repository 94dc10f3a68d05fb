// SPDX-License-Identifier: GPL-2.0

//! The server under attack: how to get at it, and how to see that it is as it was.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use smb_client::{Client, Connection, Credentials, NewFile, Options, Protection, Target};
use smb_proto::header::Header;
use smb_proto::wire::{Writer, Written};

use crate::cases::Case;
use crate::counts::Counts;
use crate::memory::Taken;

/// How long the server may take to give back what clients held. Break timeouts are within it.
const SETTLE: Duration = Duration::from_secs(120);

/// Times that a case is played at most until it takes no memory.
const PLAYED: usize = 5;
/// KiB that the kernel may take for itself while a case is played: caches keep slabs, and processors pages. This finds what is lost
/// in large pieces or large numbers; for what is small there are the cases of [`crate::cases`] whose names begin with `memory.`.
const TAKEN: Taken = Taken {
    known: 256,
    pages: 1024,
};
/// Where the server's counts are, if nothing else is said.
const COUNTS: &str = "/proc/fs/ksmbd/server";
/// What is freed is freed a moment later: how often that is waited for, and how long.
const PAUSES: usize = 8;
const PAUSE: Duration = Duration::from_millis(50);
/// Where a kernel looks for what is lost by itself.
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Whether the kernel looks for what is lost by itself. Such a one is made to keep what is freed for a while, too, and holds something
/// for all that it watches: its memory tells nothing.
pub(crate) fn kernel_looks_itself() -> bool {
    Path::new(KMEMLEAK).exists()
}

/// The server.
pub(crate) struct World {
    pub(crate) target: Target,
    pub(crate) other: Credentials,
    counts: Option<PathBuf>,
    /// The share's folder on this machine.
    pub(crate) root: PathBuf,
    seed: u64,
}

impl World {
    pub(crate) fn new(
        target: Target,
        other: Credentials,
        counts: Option<PathBuf>,
        root: PathBuf,
        seed: u64,
    ) -> Self {
        World {
            target,
            other,
            counts,
            root,
            seed,
        }
    }

    /// Plays one case: afterwards the server must hold what it held before, and serve, and the kernel must have its memory back.
    /// An allocator that took more room once does not do so again, so a case that took memory is played again; what a client
    /// makes the server lose, it makes it lose each time.
    pub(crate) fn around(&self, case: &Case) -> Result<()> {
        if case.looks_at_memory() || kernel_looks_itself() {
            return self.around_once(case.run);
        }
        let mut taken = Vec::new();
        while taken.len() < PLAYED {
            let before = Taken::read()?;
            self.around_once(case.run)?;
            let mut grown = Taken::read()?.since(before);
            for _ in 0..PAUSES {
                if grown.known < TAKEN.known && grown.pages < TAKEN.pages {
                    return Ok(());
                }
                std::thread::sleep(PAUSE);
                grown = Taken::read()?.since(before);
            }
            taken.push(grown);
        }
        bail!("each time, the kernel has less memory afterwards: {taken:?} KiB")
    }

    /// Plays one case once.
    fn around_once(&self, case: fn(&World) -> Result<()>) -> Result<()> {
        let before = self.settled(None).context("before the case")?;
        let outcome = case(self);
        let settled = self.settled(before).map(|_| ());
        let serves = self.check_serves();
        outcome?;
        settled.context("after the case")?;
        serves.context("after the case, a client that behaves is not served")
    }

    /// What the server holds.
    pub(crate) fn counts(&self) -> Result<Option<Counts>> {
        match &self.counts {
            Some(path) => Counts::read(path, true),
            None => Counts::read(Path::new(COUNTS), false),
        }
    }

    /// Waits until the server holds what it did (or no connection), and gives what it holds.
    pub(crate) fn settled(&self, before: Option<Counts>) -> Result<Option<Counts>> {
        let begun = Instant::now();
        loop {
            let Some(now) = self.counts()? else {
                return Ok(None);
            };
            if before.map_or(now == Counts::default(), |before| before == now) {
                return Ok(Some(now));
            }
            if begun.elapsed() > SETTLE {
                bail!("the server still holds {now:?}, not {before:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A client that behaves must be served.
    pub(crate) fn check_serves(&self) -> Result<()> {
        let mut client = self.client()?;
        let file = client.create(&NewFile::named("serves.tmp").temporary())?;
        client.write(file, 0, b"served")?;
        let data = client.read(file, 0, 100)?;
        ensure!(data == b"served", "what was written reads as {data:02x?}");
        client.close(file)?;
        client.log_off()?;
        Ok(())
    }

    /// A connection on which nothing was said.
    pub(crate) fn connection(&self) -> Result<Connection> {
        Ok(Connection::open(self.target.address, 1 << 16)?)
    }

    /// A connection on which 3.1.1 was agreed on.
    pub(crate) fn negotiated(&self) -> Result<Connection> {
        let mut conn = self.connection()?;
        conn.negotiate(&Options::default().offer)?;
        Ok(conn)
    }

    /// A client of the share.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client_with(&Options::default())
    }

    /// A client of the share, with what it offers and how it protects.
    pub(crate) fn client_with(&self, options: &Options) -> Result<Client> {
        Client::connect(&self.target, options).context("connecting")
    }

    /// A client whose requests are signed or sealed.
    pub(crate) fn protected(&self, protection: Protection) -> Result<Client> {
        self.client_with(&Options {
            protection,
            ..Options::default()
        })
    }

    /// The share as the other user.
    pub(crate) fn as_other(&self) -> Target {
        Target {
            who: self.other.clone(),
            ..self.target.clone()
        }
    }

    /// Two connections of one session.
    pub(crate) fn channels(&self, protection: Protection) -> Result<(Client, Client)> {
        let options = Options {
            protection,
            ..Options::default()
        };
        let first = self.client_with(&options)?;
        let second = Client::bind(&self.target, &options, &first).context("binding a channel")?;
        Ok((first, second))
    }

    /// The case's own source of chance.
    pub(crate) fn chance(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }
}

/// A message as bytes.
pub(crate) fn message(
    header: &Header,
    body: impl FnOnce(&mut Writer<'_>) -> Written,
) -> Result<Vec<u8>> {
    let mut buf = vec![0; 1 << 17];
    let mut w = Writer::new(&mut buf);
    header
        .write(&mut w)
        .and_then(|()| body(&mut w))
        .map_err(|_| anyhow::anyhow!("the message does not fit"))?;
    let len = w.len();
    buf.truncate(len);
    Ok(buf)
}
