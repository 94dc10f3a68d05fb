// SPDX-License-Identifier: GPL-2.0

//! What `ksmbd.mountd`, `ksmbd.control`, `ksmbd.adduser` and `ksmbd.addshare` share: the configuration, the user database,
//! the domain's sub-authorities, the manager's lock file, the module's files in sysfs and procfs, and the command lines.

pub mod account;
pub mod atomic;
pub mod cli;
pub mod config;
pub mod control;
mod journal;
pub mod lock;
pub mod logger;
pub mod paths;
pub mod status;
pub mod subauth;
pub mod users;
