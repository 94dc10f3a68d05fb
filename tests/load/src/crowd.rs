// SPDX-License-Identifier: GPL-2.0

//! The same work by several clients side by side, a thread and a connection each.

use anyhow::{bail, Result};
use clap::Args;

use crate::report::{self, Sample};

/// How many clients, and how often.
#[derive(Args)]
pub(crate) struct Crowd {
    /// Clients side by side
    #[arg(long, global = true, default_value_t = 1)]
    pub(crate) clients: usize,
    /// Times that the work is measured
    #[arg(long, global = true, default_value_t = 2)]
    pub(crate) repeats: usize,
}

impl Crowd {
    /// Lets `prepare` make each client, by its number.
    ///
    /// # Errors
    ///
    /// Those of `prepare`.
    pub(crate) fn gather<W>(&self, prepare: impl FnMut(usize) -> Result<W>) -> Result<Vec<W>> {
        (0..self.clients).map(prepare).collect()
    }

    /// Measures `work` of all clients together.
    ///
    /// # Errors
    ///
    /// The first of theirs.
    pub(crate) fn measure<W: Send>(
        clients: &mut [W],
        work: impl Fn(&mut W) -> Result<(u64, u64)> + Sync,
    ) -> Result<Sample> {
        report::measure(|| match clients {
            [alone] => work(alone),
            crowd => together(crowd, work),
        })
    }
}

fn together<W: Send>(
    clients: &mut [W],
    work: impl Fn(&mut W) -> Result<(u64, u64)> + Sync,
) -> Result<(u64, u64)> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || work(client)))
            .collect();
        let mut sum = (0, 0);
        for thread in threads {
            let Ok(done) = thread.join() else {
                bail!("a client's thread panicked");
            };
            let (count, bytes) = done?;
            sum = (sum.0 + count, sum.1 + bytes);
        }
        Ok(sum)
    })
}
