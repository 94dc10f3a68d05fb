// SPDX-License-Identifier: GPL-2.0

//! What is to be done now and then: idle buffers and indexes go back to the system, and a silent daemon is asked for a sign of life.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::thread::ThreadGroup;
use linux::wait::WakeUp;
use smb_proto::ipc::{Command, Heartbeat};

use super::Server;

/// Time between two rounds, ms.
const ROUND_MS: u32 = 10_000;

/// The thread `ksmbd-upkeep`.
#[pin_data]
pub(crate) struct Upkeep {
    #[pin]
    thread: ThreadGroup,
    /// Raised when the thread is to end.
    #[pin]
    end: WakeUp,
}

impl Upkeep {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Upkeep { thread <- ThreadGroup::new(), end <- WakeUp::new() })
    }

    /// Starts the rounds; [`Self::stop`] must follow before the server goes.
    pub(crate) fn start(&self, server: &Arc<Server>) -> Result {
        let server = server.clone();
        self.thread.spawn(fmt!("ksmbd-upkeep"), move || {
            while !server.upkeep.end.is_raised() {
                server.buffers.trim();
                server.names.trim();
                server.ask_for_life();
                server.upkeep.end.wait_ms(ROUND_MS);
            }
        })
    }

    /// Ends the rounds and waits for the thread.
    pub(crate) fn stop(&self) {
        self.end.raise();
        self.thread.wait_all();
    }
}

impl Server {
    /// Sends a daemon that was silent for the configured time (`ipc timeout`) a message. If it cannot be delivered, the
    /// daemon is gone; clients are kept for its successor.
    fn ask_for_life(&self) {
        let limit = u64::from(self.config().ipc_timeout);
        let Some(daemon) = self.link.daemon().filter(|_| limit != 0) else {
            return;
        };
        if !self.link.is_time_to_ask(limit) {
            return;
        }
        let message = Heartbeat { handle: 0 };
        let told = self
            .link
            .tell_port(daemon, Command::Heartbeat, |w| w.put(&message));
        // A successor that came meanwhile is not meant.
        if told.is_err() && self.link.daemon_left(daemon) {
            pr_warn!("ksmbd.mountd is gone: start it again to admit new clients\n");
        }
    }
}
