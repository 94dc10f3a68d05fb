// SPDX-License-Identifier: GPL-2.0

//! `/proc/fs/ksmbd`: who is connected, logged in, and has what open. The format is in Documentation/ksmbd.rst.
//!
//! Files and keys have the names that the C module gives them, where it has the fact. Each file is records, an empty line after
//! each; each line of a record is a key, a colon, a tab and the value. Lists hold one object at a time, and no lock over what
//! they write.

mod connections;
mod files;
mod sessions;
mod shares;
mod text;

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use linux::procfs::{Directory, File, Key, Show};
use smb_model::negotiate::{Dialect, SigningPolicy};

use super::config::Encryption;
use super::Server;
use text::Escaped;

/// The files; they go when this is dropped, which waits for who is reading one.
pub(crate) struct Proc {
    _files: [File; 7],
}

impl Proc {
    /// Makes the files.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if there is such a directory.
    pub(crate) fn new(server: &Arc<Server>) -> Result<Self> {
        let own = || server.clone();
        let root = Directory::new(c"fs/ksmbd", 0o500)?;
        let of_sessions = root.directory(c"sessions", 0o500)?;
        Ok(Proc {
            _files: [
                root.file(c"server", ServerFile(own()))?,
                root.list(c"clients", connections::Clients(own()))?,
                of_sessions.list(c"sessions", sessions::Sessions(own()))?,
                root.list(c"trees", sessions::Trees(own()))?,
                root.list(c"shares", shares::Shares(own()))?,
                root.list(c"files", files::Files(own()))?,
                root.list(c"locks", files::Locks(own()))?,
            ],
        })
    }
}

/// The first number of a key, and the others; before all if there is none.
fn place(after: Option<Key>) -> Key {
    after.unwrap_or([0; 3])
}

/// The name that `ksmbd.conf` has for a dialect.
fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V2_0_2 => "SMB2_02",
        Dialect::V2_1 => "SMB2_10",
        Dialect::V3_0 => "SMB3_00",
        Dialect::V3_0_2 => "SMB3_02",
        Dialect::V3_1_1 => "SMB3_11",
    }
}

/// What holds for the whole server.
struct ServerFile(Arc<Server>);

impl Show for ServerFile {
    fn show(&self, out: &SeqFile) -> Result {
        let server = &*self.0;
        let config = server.config();
        seq_print!(out, "Server\n");
        seq_print!(out, "state:\t{}\n", server.lifecycle.phase().name());
        seq_print!(out, "netbios:\t{}\n", Escaped(config.netbios_name.bytes()));
        seq_print!(out, "work_group:\t{}\n", Escaped(config.workgroup.bytes()));
        let (low, high) = (config.dialects.min(), config.dialects.max());
        seq_print!(out, "min_protocol:\t{}\n", dialect_name(low));
        seq_print!(out, "max_protocol:\t{}\n", dialect_name(high));
        seq_print!(out, "tcp_port:\t{}\n", config.tcp_port);
        let signing = match config.signing {
            SigningPolicy::Required => "mandatory",
            SigningPolicy::Offered => "auto",
        };
        seq_print!(out, "signing:\t{}\n", signing);
        let encryption = match config.encryption {
            Encryption::Off => "disabled",
            Encryption::Offered => "auto",
            Encryption::Required => "mandatory",
        };
        seq_print!(out, "encryption:\t{}\n", encryption);
        limits(server, out);
        seq_print!(out, "clients:\t{}\n", server.connections.count());
        seq_print!(out, "sessions:\t{}\n", server.sessions.count());
        seq_print!(out, "open_files:\t{}\n", server.open_count.count());
        seq_print!(out, "\n");
        Ok(())
    }
}

fn limits(server: &Server, out: &SeqFile) {
    let config = server.config();
    let per_address = config.max_connections_per_address;
    let per_connection = config.max_sessions_per_connection;
    seq_print!(out, "max_connections:\t{}\n", config.max_connections);
    seq_print!(out, "max_connections_per_ip:\t{per_address}\n");
    seq_print!(out, "max_sessions_per_connection:\t{per_connection}\n");
    seq_print!(out, "max_inflight_requests:\t{}\n", config.max_credits);
    seq_print!(out, "max_open_files:\t{}\n", config.max_open_files);
    let dead_time = config.dead_time_ms / 1_000;
    seq_print!(out, "deadtime_seconds:\t{dead_time}\n");
    seq_print!(out, "ipc_timeout_seconds:\t{}\n", config.ipc_timeout);
    if server.link.daemon().is_some() {
        let silence = server.link.silent_seconds();
        seq_print!(out, "ipc_last_active_seconds:\t{silence}\n");
    } else {
        seq_print!(out, "ipc_last_active_seconds:\tnever\n");
    }
    seq_print!(out, "share_fake_fscaps:\t{:#010x}\n", config.fake_fscaps);
}
