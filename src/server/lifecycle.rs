// SPDX-License-Identifier: GPL-2.0

//! Start by the daemon, reset by the administrator, the end at unload.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use smb_proto::ipc::Startup;

use super::{Config, Server};

/// What the server is doing; the words of `/sys/class/ksmbd-control/stats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Waiting for a daemon.
    Startup,
    Running,
    /// Ending everything on the administrator's word.
    Reset,
    /// The module is being unloaded.
    Shutdown,
}

impl Phase {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Startup => "startup",
            Phase::Running => "running",
            Phase::Reset => "reset",
            Phase::Shutdown => "shutdown",
        }
    }

    fn number(self) -> u32 {
        match self {
            Phase::Startup => 0,
            Phase::Running => 1,
            Phase::Reset => 2,
            Phase::Shutdown => 3,
        }
    }

    fn from_number(number: u32) -> Self {
        match number {
            0 => Phase::Startup,
            1 => Phase::Running,
            2 => Phase::Reset,
            _ => Phase::Shutdown,
        }
    }
}

/// The phase, changed only along the arrows startup -> running -> reset -> startup, and from anywhere to shutdown.
pub(crate) struct Lifecycle(Atomic<u32>);

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Lifecycle(Atomic::new(Phase::Startup.number()))
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_number(self.0.load(Relaxed))
    }

    /// Moves to shutdown from anywhere.
    fn end(&self) {
        self.0.store(Phase::Shutdown.number(), Relaxed);
    }

    /// Moves from `from` to `to`; `false` if the phase is another.
    fn advance(&self, from: Phase, to: Phase) -> bool {
        self.0
            .cmpxchg(from.number(), to.number(), kernel::sync::atomic::Full)
            .is_ok()
    }
}

impl Server {
    /// Takes over the configuration of a daemon that announced itself from netlink port `port`, and starts to listen if
    /// nothing listens yet. A daemon that is started while the server runs takes over from its predecessor, and one that
    /// announces itself again has read its configuration anew: connections stay, and what was agreed on with them.
    pub(crate) fn start(self: &Arc<Self>, port: u32, startup: &Startup<'_>) -> Result {
        // The netlink lock is held here: whoever resets or shuts down may be waiting for an answer that needs it.
        let _turn = self.control.try_lock().ok_or(EBUSY)?;
        if matches!(self.lifecycle.phase(), Phase::Reset | Phase::Shutdown) {
            return Err(EBUSY);
        }
        let config = Arc::new(Config::from_startup(startup)?, GFP_KERNEL)?;
        let old = self.config();
        self.set_config(config.clone());
        self.shares.clear();
        self.names.clear();
        self.link.daemon_arrived(port);
        if self.lifecycle.advance(Phase::Startup, Phase::Running) {
            if let Err(error) = self.listeners.start(self, &config) {
                self.listeners.stop();
                self.lifecycle.advance(Phase::Running, Phase::Startup);
                self.link.daemon_left(port);
                return Err(error);
            }
        } else if !config.listens_as(&old) {
            return self.listen_elsewhere(&config, &old);
        }
        Ok(())
    }

    /// Listens where `config` says, and not any more where `old` said. If that fails, everything is as it was.
    fn listen_elsewhere(self: &Arc<Self>, config: &Arc<Config>, old: &Arc<Config>) -> Result {
        self.listeners.stop();
        self.listeners.start(self, config).inspect_err(|_| {
            self.listeners.stop();
            self.set_config(old.clone());
            if let Err(error) = self.listeners.start(self, old) {
                pr_err!("nothing listens any more: {:?}\n", error);
            }
        })
    }

    /// Ends every connection and waits for a daemon anew.
    pub(crate) fn reset(self: &Arc<Self>) {
        let _turn = self.control.lock();
        if !self.lifecycle.advance(Phase::Running, Phase::Reset) {
            return;
        }
        self.stop_serving();
        self.lifecycle.advance(Phase::Reset, Phase::Startup);
    }

    /// Ends everything for good.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        let _turn = self.control.lock();
        self.lifecycle.end();
        self.upkeep.stop();
        self.stop_serving();
    }

    /// Stops listening, ends every connection and waits until their threads and requests are gone.
    fn stop_serving(self: &Arc<Self>) {
        self.listeners.stop();
        self.connections.shut_down_all();
        self.listeners.wait_connections();
        // Each ends with its last connection. One that did not must not outlive what it uses.
        while let Some(session) = self.sessions.after(0) {
            session.end(self);
        }
        self.files.stop();
        self.delays.stop();
        self.io.drain();
        self.delays.restart();
        self.link.forget_daemon();
        self.shares.clear();
        self.names.clear();
        self.buffers.trim();
        self.buffers.trim();
    }
}
