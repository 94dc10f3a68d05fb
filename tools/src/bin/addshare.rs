// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.addshare`(8).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::atomic::Locked;
use ksmbd_tools::cli::{self, Action, AddShare};
use ksmbd_tools::config::document::{classify, fold_name, Document, Line, Severity};
use ksmbd_tools::config::edit::Text;
use ksmbd_tools::config::keys::{Key, Lookup, Scope};
use ksmbd_tools::config::{Config, GLOBAL};
use ksmbd_tools::logger::{self, Target};
use ksmbd_tools::{lock, paths};
use nix::sys::signal::Signal;

fn main() -> ExitCode {
    let arguments: AddShare = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return cli::report(&exit),
    };
    logger::start("ksmbd.addshare", Target::Stderr, arguments.common.verbose);
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A key of a share and the value to set; an empty value removes the key.
type Change = (Key, String);

fn run(arguments: &AddShare) -> anyhow::Result<()> {
    let share = arguments.share.as_str();
    let action = Action::from_flags(arguments.add, arguments.update, arguments.delete);
    check_share_name(share, action)?;
    let mut changes: Vec<Change> = arguments
        .option
        .iter()
        .filter_map(|option| known(option))
        .collect();
    if arguments.option.is_empty() && action != Action::Delete {
        changes = ask(&arguments.config, share)?;
    }
    if fold_name(share) == GLOBAL {
        keep_defaults(&mut changes);
    }
    let path = &arguments.config;
    let locked = Locked::open(path, 0o644).with_context(|| path.display().to_string())?;
    let content = String::from_utf8(locked.read().with_context(|| path.display().to_string())?)
        .with_context(|| path.display().to_string())?;
    let mut text = Text::new(&content);
    let is_there = text.has_section(share);
    if !is_there {
        check_included(path, &content, share)?;
    }
    let done = match (action, is_there) {
        (Action::Add, true) => bail!("Share `{share}' already exists"),
        (Action::Update | Action::Delete, false) => bail!("Share `{share}' does not exist"),
        (Action::Delete, true) => {
            text.remove_section(share);
            "Deleted"
        }
        (_, true) => "Updated",
        (_, false) => {
            text.add_section(share);
            "Added"
        }
    };
    for (key, value) in &changes {
        if value.is_empty() {
            text.unset(share, key.name());
        } else {
            text.set(share, key.name(), value);
        }
    }
    let new = text.text();
    if action != Action::Delete {
        check_result(path, &new, share)?;
    }
    locked
        .replace(new.as_bytes(), None)
        .with_context(|| path.display().to_string())?;
    log::info!("{done} share `{share}'");
    tell_daemon();
    Ok(())
}

/// Defaults of shares may stand among the global keys; a key that means something else there may not be set from here.
fn keep_defaults(changes: &mut Vec<Change>) {
    changes.retain(|(key, _)| {
        let is_default = key.scope() == Scope::Share;
        if !is_default {
            log::warn!(
                "ignored: `{}' means something else for the server",
                key.name()
            );
        }
        is_default
    });
}

fn check_share_name(name: &str, action: Action) -> anyhow::Result<()> {
    match classify(&format!("[{name}]")) {
        Line::Section { name: read, .. } if read == name => {}
        _ => bail!(
            "`{name}' is not a share name: 1 to 63 bytes without brackets, semicolons and hashes"
        ),
    }
    // Its keys for shares can be set, as their defaults; it cannot come or go.
    if fold_name(name) == GLOBAL && matches!(action, Action::Add | Action::Delete) {
        bail!("`{name}' is the section of the global keys, not a share");
    }
    Ok(())
}

/// What an option of the command line changes. One that changes nothing is named and passed over, as scripts rely on.
fn known(option: &str) -> Option<Change> {
    change(option)
        .inspect_err(|error| log::warn!("ignored: {error:#}"))
        .ok()
}

fn change(option: &str) -> anyhow::Result<Change> {
    let Line::Entry { key, value, .. } = classify(option) else {
        bail!("`{option}' is not of the form `key = value'");
    };
    match Key::lookup(key) {
        Lookup::Known(key) if key.is_for_share() => Ok((key, value.to_owned())),
        Lookup::Known(key) => bail!("`{}' is a global key, not one of a share", key.name()),
        Lookup::SambaOnly => bail!("`{key}' is a key of Samba's without effect here"),
        Lookup::Unknown(Some(nearest)) => bail!(
            "`{key}' is not a known key; did you mean `{}'?",
            nearest.name()
        ),
        Lookup::Unknown(None) => bail!("`{key}' is not a known key"),
    }
}

/// Refuses to touch a share that stands in a file that this one includes: another section of its name here would change it, but not
/// where the administrator looks.
fn check_included(path: &Path, text: &str, share: &str) -> anyhow::Result<()> {
    let document = Document::parse(path, text, &|path| std::fs::read_to_string(path));
    let named = |name: &str| fold_name(name) == fold_name(share) && fold_name(name) != GLOBAL;
    match document
        .sections
        .iter()
        .find(|section| named(&section.name))
    {
        Some(section) => bail!(
            "Share `{share}' stands in {}, which is included: change it there, with --config",
            section.at.file.display()
        ),
        None => Ok(()),
    }
}

/// What is set where no option was given: lines of a script until an empty one or the end, or what a person fills in.
fn ask(path: &Path, share: &str) -> anyhow::Result<Vec<Change>> {
    if io::IsTerminal::is_terminal(&io::stdin()) {
        return fill_in(&present(path, share)?);
    }
    let mut changes = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            return Ok(changes);
        }
        changes.push(change(&line)?);
    }
    if changes.is_empty() {
        bail!("no option was given");
    }
    Ok(changes)
}

/// The share's present values.
fn present(path: &Path, share: &str) -> anyhow::Result<BTreeMap<Key, String>> {
    let document = match Document::load(path) {
        Ok(document) => document,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let sections = document.sections.iter();
    let entries = sections
        .filter(|section| fold_name(&section.name) == fold_name(share))
        .flat_map(|section| &section.entries);
    let mut values = BTreeMap::new();
    for entry in entries {
        if let Lookup::Known(key) = Key::lookup(&entry.key) {
            values.entry(key).or_insert_with(|| entry.value.clone());
        }
    }
    Ok(values)
}

/// Goes through the keys of a share, as the C program's form does: return goes on, the end of the input ends and keeps the rest.
fn fill_in(present: &BTreeMap<Key, String>) -> anyhow::Result<Vec<Change>> {
    // Other names of `read only`.
    let others = [Key::Writable, Key::Writeable, Key::WriteOk];
    eprintln!(
        "<enter> keeps the value and goes on; - removes it; <control-d> ends.\n\
         `key = value' sets another one. ksmbd.conf(5) explains them."
    );
    let mut changes: Vec<Change> = Vec::new();
    let mut keys: Vec<Key> = Key::ALL
        .iter()
        .copied()
        .filter(|key| key.is_for_share() && !others.contains(key))
        .collect();
    // What is set comes first, and what a share cannot do without.
    keys.sort_by_key(|key| (!present.contains_key(key), *key != Key::Path));
    let mut keys = keys.into_iter().peekable();
    while let Some(key) = keys.peek().copied() {
        let value = present.get(&key).map_or("", String::as_str);
        eprint!("{} [{value}]: ", key.name());
        io::stderr().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            eprintln!();
            break;
        }
        match line.trim() {
            "" => drop(keys.next()),
            "-" => {
                changes.push((key, String::new()));
                keys.next();
            }
            text if text.contains('=') => match change(text) {
                Ok(change) => changes.push(change),
                Err(error) => log::error!("{error:#}"),
            },
            text => {
                changes.push((key, text.to_owned()));
                keys.next();
            }
        }
    }
    if changes.is_empty() && present.is_empty() {
        bail!("no option was given");
    }
    Ok(changes)
}

/// Refuses a change after which the daemon could not use the configuration, and says so if the share could not be served.
fn check_result(path: &Path, text: &str, share: &str) -> anyhow::Result<()> {
    let document = Document::parse(path, text, &|path| std::fs::read_to_string(path));
    let loaded = Config::build(document, &System);
    for diagnostic in &loaded.diagnostics {
        match diagnostic.severity {
            Severity::Warning => log::debug!("{diagnostic}"),
            Severity::Error | Severity::Fatal => log::error!("{diagnostic}"),
        }
    }
    let Some(config) = &loaded.config else {
        bail!("nothing was changed: the daemon could not use the configuration");
    };
    if fold_name(share) != GLOBAL && config.share(share).is_none() {
        log::warn!("share `{share}' cannot be served as it is");
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
