// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.adduser`(8).

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::atomic::Locked;
use ksmbd_tools::cli::{self, Action, AddUser};
use ksmbd_tools::config::Config;
use ksmbd_tools::logger::{self, Target};
use ksmbd_tools::users::{check_name, check_password, NtHash, Users};
use ksmbd_tools::{lock, paths};
use nix::sys::signal::Signal;
use nix::sys::termios::{tcgetattr, tcsetattr, LocalFlags, SetArg, Termios};
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let arguments: AddUser = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return cli::report(&exit),
    };
    logger::start("ksmbd.adduser", Target::Stderr, arguments.common.verbose);
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &AddUser) -> anyhow::Result<()> {
    let user = arguments.user.as_str();
    check_name(user)?;
    let path = &arguments.pwddb;
    let action = decide(
        arguments,
        Users::load(path)?.unwrap_or_default().contains(user),
    )?;
    if action == Action::Delete {
        check_not_needed(&arguments.config, user)?;
    }
    let hash = match action {
        Action::Delete => None,
        _ => Some(NtHash::of(&password(arguments)?)),
    };
    // Only now: nobody waits for a lock while a password is typed.
    let locked = Locked::open(path, 0o600).with_context(|| path.display().to_string())?;
    let content = locked.read().with_context(|| path.display().to_string())?;
    let mut users = Users::from_bytes(path, Zeroizing::new(content))?;
    let action = decide(arguments, users.contains(user))?;
    match hash {
        Some(hash) => users.set(user, hash),
        None => {
            users.remove(user);
        }
    }
    locked
        .replace(users.text().as_bytes(), Some(0o600))
        .with_context(|| path.display().to_string())?;
    match action {
        Action::Delete => log::info!("Deleted user `{user}'"),
        Action::Update => log::info!("Updated user `{user}'"),
        _ => log::info!("Added user `{user}'"),
    }
    tell_daemon();
    Ok(())
}

/// What is to be done, now that it is known whether the user is there.
fn decide(arguments: &AddUser, is_there: bool) -> anyhow::Result<Action> {
    let user = &arguments.user;
    match (
        Action::from_flags(arguments.add, arguments.update, arguments.delete),
        is_there,
    ) {
        (Action::Add, true) => bail!("User `{user}' already exists"),
        (Action::Update | Action::Delete, false) => bail!("User `{user}' does not exist"),
        (Action::AddOrUpdate, true) => Ok(Action::Update),
        (Action::AddOrUpdate, false) => Ok(Action::Add),
        (action, _) => Ok(action),
    }
}

/// A user that the configuration relies on is not deleted.
fn check_not_needed(config: &Path, user: &str) -> anyhow::Result<()> {
    let Some(config) = Config::load(config, &System).config else {
        return Ok(());
    };
    if config.global.guest_account == user {
        bail!("User `{user}' is the guest account of the configuration");
    }
    for share in config.shares() {
        if share.guest_account.as_deref() == Some(user) {
            bail!(
                "User `{user}' is the guest account of share `{}'",
                share.name
            );
        }
    }
    Ok(())
}

fn tell_daemon() {
    match lock::signal(Path::new(paths::LOCK), Signal::SIGHUP) {
        Ok(Some(_)) => log::info!("Notified ksmbd.mountd of changes"),
        Ok(None) => log::debug!("ksmbd.mountd does not run"),
        Err(error) => log::warn!("ksmbd.mountd could not be notified: {error}"),
    }
}

/// The password: from the command line, or asked for.
fn password(arguments: &AddUser) -> anyhow::Result<Zeroizing<String>> {
    if let Some(password) = &arguments.password {
        check_password(password)?;
        return Ok(Zeroizing::new(password.clone()));
    }
    let is_terminal = io::IsTerminal::is_terminal(&io::stdin());
    loop {
        let first = ask("New password:", is_terminal)?;
        check_password(&first)?;
        if !is_terminal {
            // What a script sends needs no confirmation, but a second line is one.
            return match ask("", is_terminal) {
                Ok(second) if *second != *first => bail!("passwords do not match"),
                _ => Ok(first),
            };
        }
        if *first == *ask("Retype new password:", is_terminal)? {
            return Ok(first);
        }
        log::error!("Passwords do not match");
    }
}

fn ask(prompt: &str, is_terminal: bool) -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    let read = if is_terminal {
        // Before it is asked for: what is typed sooner is discarded.
        let _quiet = Quiet::new();
        eprint!("{prompt} ");
        io::stderr().flush()?;
        let read = io::stdin().lock().read_line(&mut line);
        eprintln!();
        read
    } else {
        io::stdin().lock().read_line(&mut line)
    };
    if read.context("reading the password")? == 0 {
        bail!("no password was given");
    }
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    Ok(line)
}

/// Keeps the terminal from showing what is typed.
struct Quiet(Option<Termios>);

impl Quiet {
    fn new() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else {
            return Quiet(None);
        };
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL);
        match tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet) {
            Ok(()) => Quiet(Some(before)),
            Err(_) => Quiet(None),
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone cannot be set back.
            let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, before);
        }
    }
}
