// SPDX-License-Identifier: GPL-2.0

//! The command lines of the four programs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::control::Whom;
use crate::paths;

/// What `--version` says.
pub const VERSION: &str = concat!("ksmbd-tools version : ", env!("CARGO_PKG_VERSION"));

/// Arguments of `ksmbd.mountd`.
#[derive(Parser, Clone, Debug)]
#[command(name = "ksmbd.mountd", about = "Run ksmbd.mountd user mode and ksmbd kernel mode daemons", disable_version_flag = true, version = VERSION)]
pub struct Mountd {
    /// Bind to TCP port PORT instead of 445.
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Do not detach process from foreground; with 1 also become process group leader; with 0 detach.
    #[arg(short, long, value_name = "WAY", num_args = 0..=1, default_missing_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub nodetach: Option<u8>,
    /// Use CONF as configuration file.
    #[arg(short = 'C', long, value_name = "CONF", default_value = paths::CONFIG)]
    pub config: PathBuf,
    /// Use PWDDB as user database.
    #[arg(short = 'P', long, value_name = "PWDDB", default_value = paths::USERS)]
    pub pwddb: PathBuf,
    /// Common options.
    #[command(flatten)]
    pub common: Common,
    /// Be the worker of the manager that is process MANAGER.
    #[arg(long, hide = true, value_name = "MANAGER")]
    pub worker: Option<u32>,
    /// Log to the system log.
    #[arg(long, hide = true)]
    pub syslog: bool,
}

/// Arguments of `ksmbd.control`.
#[derive(Parser, Clone, Debug)]
#[command(name = "ksmbd.control", about = "Control ksmbd.mountd user mode and ksmbd kernel mode daemons", disable_version_flag = true, version = VERSION)]
#[command(group(clap::ArgGroup::new("shown").args(["status", "top"]).multiple(true)))]
#[command(group(clap::ArgGroup::new("action").required(true).args(["shutdown", "reload", "list", "debug", "ksmbd_version", "check", "status", "top", "disconnect"])))]
pub struct Control {
    /// Shutdown both ksmbd.mountd and ksmbd and exit.
    #[arg(short, long)]
    pub shutdown: bool,
    /// Notify ksmbd.mountd of changes and exit.
    #[arg(short, long)]
    pub reload: bool,
    /// List ksmbd.mountd shares and exit.
    #[arg(short, long)]
    pub list: bool,
    /// Toggle ksmbd debug printing for COMPONENT and exit: all, smb, auth, vfs, oplock, ipc, conn, or rdma.
    #[arg(short, long, value_name = "COMPONENT")]
    pub debug: Option<String>,
    /// Output ksmbd version information and exit.
    #[arg(short = 'c', long)]
    pub ksmbd_version: bool,
    /// Check the configuration FILE and say what is wrong with it.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = paths::CONFIG)]
    pub check: Option<PathBuf>,
    /// Show sessions, shares in use, open files, locks and connections, and exit.
    #[arg(long)]
    pub status: bool,
    /// Show the status as JSON.
    #[arg(long, requires = "shown")]
    pub json: bool,
    /// Show the status again every SECONDS, until interrupted.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub top: Option<u64>,
    /// Send away WHOM and say how many went: session:ID, client:ADDRESS, or share:NAME, which ends what is in use of the share.
    #[arg(long, value_name = "WHOM")]
    pub disconnect: Option<Whom>,
    /// Common options.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `ksmbd.adduser`.
#[derive(Parser, Clone, Debug)]
#[command(name = "ksmbd.adduser", about = "Configure users for the user database of ksmbd.mountd", disable_version_flag = true, version = VERSION)]
#[command(group(clap::ArgGroup::new("action").args(["add", "update", "delete"])))]
pub struct AddUser {
    /// Add USER to user database.
    #[arg(short, long)]
    pub add: bool,
    /// Update USER in user database.
    #[arg(short, long)]
    pub update: bool,
    /// Delete USER from user database.
    #[arg(short, long)]
    pub delete: bool,
    /// Use PWD as user password instead of prompting.
    #[arg(short, long, value_name = "PWD")]
    pub password: Option<String>,
    /// Use PWDDB as user database.
    #[arg(short = 'P', long, value_name = "PWDDB", default_value = paths::USERS)]
    pub pwddb: PathBuf,
    /// Use CONF as configuration file.
    #[arg(short = 'C', long, value_name = "CONF", default_value = paths::CONFIG)]
    pub config: PathBuf,
    /// Common options.
    #[command(flatten)]
    pub common: Common,
    /// Name of the user: UTF-8, 1 to 47 bytes, no colon.
    #[arg(value_name = "USER")]
    pub user: String,
}

/// Arguments of `ksmbd.addshare`.
#[derive(Parser, Clone, Debug)]
#[command(name = "ksmbd.addshare", about = "Configure shares for the configuration file of ksmbd.mountd", disable_version_flag = true, version = VERSION)]
#[command(group(clap::ArgGroup::new("action").args(["add", "update", "delete"])))]
pub struct AddShare {
    /// Add SHARE to configuration file.
    #[arg(short, long)]
    pub add: bool,
    /// Update SHARE in configuration file.
    #[arg(short, long)]
    pub update: bool,
    /// Delete SHARE from configuration file.
    #[arg(short, long)]
    pub delete: bool,
    /// Use OPT as share parameter instead of prompting; can be given multiple times.
    #[arg(short, long = "option", value_name = "OPT")]
    pub option: Vec<String>,
    /// Use CONF as configuration file.
    #[arg(short = 'C', long, value_name = "CONF", default_value = paths::CONFIG)]
    pub config: PathBuf,
    /// Use PWDDB as user database.
    #[arg(short = 'P', long, value_name = "PWDDB", default_value = paths::USERS)]
    pub pwddb: PathBuf,
    /// Common options.
    #[command(flatten)]
    pub common: Common,
    /// Name of the share: UTF-8, 1 to 63 bytes, case-insensitive.
    #[arg(value_name = "SHARE")]
    pub share: String,
}

/// Options of all programs.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// Be verbose.
    #[arg(short, long)]
    pub verbose: bool,
    /// Output version information and exit.
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// What to do with an existing or new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Add what is not there.
    Add,
    /// Change what is there.
    Update,
    /// Remove what is there.
    Delete,
    /// Add or change.
    AddOrUpdate,
}

impl Action {
    /// The action that the three flags name.
    pub fn from_flags(add: bool, update: bool, delete: bool) -> Self {
        match (add, update, delete) {
            (true, _, _) => Action::Add,
            (_, true, _) => Action::Update,
            (_, _, true) => Action::Delete,
            _ => Action::AddOrUpdate,
        }
    }
}

/// Why a program ends before it begins.
#[derive(Debug)]
pub struct Exit {
    /// What to print.
    pub error: clap::Error,
    /// Exit status: 0 after help and version, 1 after a mistake.
    pub status: u8,
}

/// Reads a program's command line.
///
/// # Errors
///
/// [`Exit`] for a mistake, and for the help and the version.
pub fn parse<T, I>(arguments: I) -> Result<T, Exit>
where
    T: CommandFactory + FromArgMatches,
    I: IntoIterator<Item = OsString>,
{
    let command = T::command();
    // Whatever the file is called: these are the names that are documented.
    let name = command.get_name().to_owned();
    let command = command.bin_name(name);
    let matches = command
        .try_get_matches_from(arguments)
        .and_then(|matches| T::from_arg_matches(&matches));
    matches.map_err(|error| {
        let status = u8::from(!matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ));
        Exit { error, status }
    })
}

/// Prints what [`Exit`] holds and gives the exit status. The version is the line that scripts know, not clap's.
pub fn report(exit: &Exit) -> std::process::ExitCode {
    if exit.error.kind() == ErrorKind::DisplayVersion {
        println!("{VERSION}");
    } else {
        // Nothing is left to tell if the terminal is gone.
        let _ = exit.error.print();
    }
    exit.status.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn definitions_hold() {
        Mountd::command().debug_assert();
        Control::command().debug_assert();
        AddUser::command().debug_assert();
        AddShare::command().debug_assert();
    }

    #[test]
    fn mountd_options() {
        let mountd: Mountd = parse(args("ksmbd.mountd -p 4450 -n -C /c -P /p -v")).unwrap();
        assert_eq!((mountd.port, mountd.nodetach), (Some(4450), Some(1)));
        assert!(mountd.common.verbose);
        let mountd: Mountd = parse(args("ksmbd.mountd -n0")).unwrap();
        assert_eq!(mountd.nodetach, Some(0));
        let mountd: Mountd = parse(args("ksmbd.mountd --nodetach=1")).unwrap();
        assert_eq!(mountd.nodetach, Some(1));
        let mountd: Mountd = parse(args("ksmbd.mountd")).unwrap();
        assert_eq!(mountd.nodetach, None);
        assert_eq!(mountd.config, PathBuf::from("/etc/ksmbd/ksmbd.conf"));
    }

    #[test]
    fn mistakes_end_with_one_and_help_with_zero() {
        assert_eq!(
            parse::<Control, _>(args("ksmbd.control"))
                .unwrap_err()
                .status,
            1
        );
        assert_eq!(
            parse::<Control, _>(args("ksmbd.control -s -r"))
                .unwrap_err()
                .status,
            1
        );
        assert_eq!(
            parse::<Mountd, _>(args("ksmbd.mountd -p 0"))
                .unwrap_err()
                .status,
            1
        );
        assert_eq!(
            parse::<AddUser, _>(args("ksmbd.adduser -a -d x"))
                .unwrap_err()
                .status,
            1
        );
        assert_eq!(
            parse::<AddUser, _>(args("ksmbd.adduser --help"))
                .unwrap_err()
                .status,
            0
        );
        assert_eq!(
            parse::<AddShare, _>(args("ksmbd.addshare -V"))
                .unwrap_err()
                .status,
            0
        );
    }

    #[test]
    fn addshare_options() {
        let share: AddShare = parse(vec![
            "ksmbd.addshare".into(),
            "-a".into(),
            "-o".into(),
            "path = /x".into(),
            "-oread only = no".into(),
            "name".into(),
        ])
        .unwrap();
        assert_eq!(share.option, ["path = /x", "read only = no"]);
        assert_eq!(
            Action::from_flags(share.add, share.update, share.delete),
            Action::Add
        );
    }
}
