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

/// The pipe through which the daemon answers a listing that the process `pid` asked for.
pub fn list_pipe(pid: i32) -> PathBuf {
    PathBuf::from(format!("/run/ksmbd.fifo.{pid}"))
}

/// The file of the domain's sub-authorities, which lies beside the configuration.
pub fn subauth(config: &Path) -> PathBuf {
    config.with_file_name("ksmbd.subauth")
}
