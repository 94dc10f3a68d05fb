// SPDX-License-Identifier: GPL-2.0

//! Whole lives of a connection: TCP, NEGOTIATE, SESSION_SETUP, TREE_CONNECT, LOGOFF, [MS-SMB2] 3.2.4.2.

use anyhow::Result;
use clap::Args;

use crate::crowd::Crowd;
use crate::report;
use crate::Server;

/// How many.
#[derive(Args)]
pub(crate) struct Plan {
    /// Connections that each client makes, one after the other
    #[arg(long, default_value_t = 20)]
    count: u64,
}

/// Bytes of the largest message.
const ROOM: usize = 1 << 14;

impl Plan {
    pub(crate) fn run(&self, server: &Server, crowd: &Crowd) -> Result<()> {
        let mut clients = crowd.gather(|_| lives(server, 3).map(|_| ()))?;
        for _ in 0..crowd.repeats {
            let sample = Crowd::measure(&mut clients, |()| lives(server, self.count))?;
            report::measured("connect", sample)?;
        }
        Ok(())
    }
}

fn lives(server: &Server, count: u64) -> Result<(u64, u64)> {
    for _ in 0..count {
        server.client(ROOM)?.log_off()?;
    }
    Ok((count, 0))
}
