// SPDX-License-Identifier: GPL-2.0

//! What the daemon says: the netlink family's handler.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::genetlink::{Family, Handler, Sender};
use smb_proto::ipc::{Command, Startup, FAMILY_VERSION, MAX_ATTRIBUTE};

use crate::server::Server;

struct Daemon(Arc<Server>);

/// Registers the family and opens the server's link with it.
pub(crate) fn register(server: &Arc<Server>, module: &'static ThisModule) -> Result {
    let daemon = Arc::new(Daemon(server.clone()), GFP_KERNEL)?;
    let last = u8::try_from(MAX_ATTRIBUTE)?;
    let version = u32::from(FAMILY_VERSION);
    let family = Family::register(module, c"SMBD_GENL", version, last, daemon)?;
    server.link.open(family);
    Ok(())
}

impl Handler for Daemon {
    fn accepts(&self, cmd: u8) -> bool {
        Command::from_number(cmd).is_some_and(Command::is_for_kernel)
    }

    fn message(&self, sender: Sender, cmd: u8, payload: &[u8]) -> Result {
        let command = Command::from_number(cmd).ok_or(EINVAL)?;
        if !sender.net.is_initial() {
            return Err(EPERM);
        }
        debug!(self.0, Ipc, "{:?} of {} bytes\n", command, payload.len());
        if command == Command::StartingUp {
            let startup = Startup::parse(payload).map_err(|_| EINVAL)?;
            return self.0.start(sender.portid, &startup);
        }
        if !self.0.link.is_daemon(sender.portid) {
            return Err(EPERM);
        }
        self.0.link.heard();
        self.0.link.answer(command, payload)
    }

    fn released(&self, sender: Sender) {
        if sender.net.is_initial() && self.0.link.daemon_left(sender.portid) {
            debug!(self.0, Ipc, "the daemon closed its socket\n");
        }
    }
}
