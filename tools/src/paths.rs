// SPDX-License-Identifier: GPL-2.0

//! Where the programs keep their files.

use std::path::{Path, PathBuf};

/// The configuration.
pub const CONFIG: &str = "/etc/ksmbd/ksmbd.conf";
/// The user database.
pub const USERS: &str = "/etc/ksmbd/ksmbdpwd.db";
/// The manager's process id.
pub const LOCK: &str = "/run/ksmbd.lock";
/// Directory of the module's sysfs files.
pub const CONTROL_CLASS: &str = "/sys/class/ksmbd-control";
/// Directory of the files in which the module tells its status.
pub const STATUS: &str = "/proc/fs/ksmbd";
/// The loaded module's version.
pub const MODULE_VERSION: &str = "/sys/module/ksmbd/version";

/// Where the pipes are through which the daemon lists its shares.
pub const RUN: &str = "/run";
/// What their names begin with; the process id of whoever asked follows.
pub const LIST_PIPE: &str = "ksmbd.fifo.";

/// The pipe through which the daemon answers the process `pid`, which asked for a listing.
pub fn list_pipe(pid: u32) -> PathBuf {
    PathBuf::from(format!("{RUN}/{LIST_PIPE}{pid}"))
}

/// The file of the domain's sub-authorities, which lies beside the configuration.
pub fn subauth(config: &Path) -> PathBuf {
    config.with_file_name("ksmbd.subauth")
}
