// SPDX-License-Identifier: GPL-2.0

//! `ksmbd`: an SMB2/3 file server in the kernel.
//!
//! The module owns one [`server::Server`]. It does nothing until `ksmbd.mountd` sends its configuration over generic
//! netlink; it ends when the module is unloaded, clients or not.

#![deny(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::sysfs_class::Class;

#[macro_use]
mod server;
mod connection;
mod files;
mod ipc;
mod session;
mod smb2;
mod transport;

use server::proc::Proc;
use server::Server;

module! {
    type: Ksmbd,
    name: "ksmbd",
    authors: ["ksmbd developers"],
    description: "SMB2/3 file server",
    license: "GPL",
}

/// The loaded module. The fields are dropped in their order: first nobody can ask for anything any more.
struct Ksmbd {
    control: Option<Pin<KBox<Class>>>,
    proc: Option<Proc>,
    server: Arc<Server>,
}

impl kernel::Module for Ksmbd {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let server = Server::new()?;
        // From here on, an early return drops `this`, which ends whatever was begun.
        let mut this = Ksmbd {
            control: None,
            proc: None,
            server,
        };
        this.server.upkeep.start(&this.server)?;
        ipc::daemon::register(&this.server, module)?;
        this.control = Some(server::control::register(&this.server)?);
        this.proc = Some(Proc::new(&this.server)?);
        Ok(this)
    }
}

impl Drop for Ksmbd {
    fn drop(&mut self) {
        self.proc = None;
        self.control = None;
        self.server.shut_down();
        // The family's handler refers to the server: this breaks the circle.
        drop(self.server.link.close());
        let server = &self.server;
        let left = (
            server.connections.count(),
            server.sessions.count(),
            server.files.count(),
        );
        if left != (0, 0, 0) {
            pr_err!(
                "left at unload: {} connections, {} sessions, {} files\n",
                left.0,
                left.1,
                left.2
            );
        }
    }
}
