// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.control`(8).

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::cli::{self, Control};
use ksmbd_tools::config::Config;
use ksmbd_tools::control::{Module, Whom};
use ksmbd_tools::logger::{self, Target};
use ksmbd_tools::status::Source;
use ksmbd_tools::{lock, paths};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

/// How long to wait for the daemon.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look.
const PERIOD: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let arguments: Control = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return cli::report(&exit),
    };
    logger::start("ksmbd.control", Target::Stderr, arguments.common.verbose);
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Control) -> anyhow::Result<()> {
    if let Some(config) = &arguments.check {
        return check(config);
    }
    let module = Module::default();
    if arguments.shutdown {
        shutdown(&module)
    } else if arguments.reload {
        signal(Signal::SIGHUP)?;
        log::info!("Notified ksmbd.mountd of changes");
        Ok(())
    } else if arguments.list {
        list()
    } else if let Some(component) = &arguments.debug {
        let text = module
            .toggle_debug(component)
            .with_context(|| format!("debug component `{component}'"))?;
        println!("{text}");
        Ok(())
    } else if let Some(whom) = &arguments.disconnect {
        disconnect(&module, whom)
    } else if let Some(seconds) = arguments.top {
        top(seconds, arguments.json)
    } else if arguments.status {
        show(arguments.json)
    } else {
        println!(
            "ksmbd version : {}",
            module.version().context("the module's version")?
        );
        Ok(())
    }
}

fn signal(signal: Signal) -> anyhow::Result<nix::unistd::Pid> {
    match lock::signal(Path::new(paths::LOCK), signal).context("signalling ksmbd.mountd")? {
        Some(manager) => Ok(manager),
        None => bail!("ksmbd.mountd does not run"),
    }
}

/// Ends the daemon, then the server. The server is ended even if there is no daemon, and the daemon even if there is no module;
/// that one was missing is a failure, as with the C tools.
fn shutdown(module: &Module) -> anyhow::Result<()> {
    let manager = lock::signal(Path::new(paths::LOCK), Signal::SIGTERM)
        .context("ending ksmbd.mountd")
        .and_then(|manager| manager.context("ksmbd.mountd does not run"));
    if manager.is_ok() {
        wait_for_end();
    }
    let ended = module.kill_server().context("ending the server");
    match (manager, ended) {
        (Err(no_daemon), Err(no_server)) => {
            log::error!("{no_daemon:#}");
            Err(no_server)
        }
        (manager, ended) => manager.and(ended),
    }
}

fn wait_for_end() {
    let since = Instant::now();
    while lock::holder(Path::new(paths::LOCK)).is_some() {
        if since.elapsed() > PATIENCE {
            log::warn!("ksmbd.mountd takes long to end");
            return;
        }
        thread::sleep(PERIOD);
    }
}

/// Sends somebody away; nobody is a failure.
fn disconnect(module: &Module, whom: &Whom) -> anyhow::Result<()> {
    if !module.is_loaded() {
        bail!("the module ksmbd is not loaded");
    }
    let what = match whom {
        Whom::Session(_) => "session",
        Whom::Client(_) => "connection",
        Whom::Share(_) => "connection to the share",
    };
    let count = module.disconnect(whom).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => {
            anyhow::anyhow!("the module that is loaded cannot disconnect anybody: it is the C module, or an older one of this kind")
        }
        _ => anyhow::Error::new(error).context(format!("disconnecting {whom}")),
    })?;
    if count == 0 {
        bail!("there is no such {what}");
    }
    println!("{count} disconnected");
    Ok(())
}

/// The status, as text that ends in a line feed.
fn status_text(json: bool) -> anyhow::Result<String> {
    let status = Source::default().read()?;
    if json {
        return Ok(serde_json::to_string_pretty(&status)? + "\n");
    }
    Ok(status.to_string())
}

fn show(json: bool) -> anyhow::Result<()> {
    print!("{}", status_text(json)?);
    Ok(())
}

/// Shows the status again and again. On a terminal each takes the place of the one before.
fn top(seconds: u64, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let clear = if out.is_terminal() && !json {
        "\x1b[H\x1b[J"
    } else {
        ""
    };
    loop {
        let written = out
            .write_all(format!("{clear}{}", status_text(json)?).as_bytes())
            .and_then(|()| out.flush());
        match written {
            // Whoever read it has had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("writing the status")?,
        }
        thread::sleep(Duration::from_secs(seconds));
    }
}

/// A named pipe that goes with its owner.
struct Pipe(PathBuf);

impl Drop for Pipe {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Prints what the daemon writes into a pipe that it is asked to answer through.
fn list() -> anyhow::Result<()> {
    if lock::holder(Path::new(paths::LOCK)).is_none() {
        bail!("ksmbd.mountd does not run");
    }
    let path = paths::list_pipe(std::process::id());
    let named = || path.display().to_string();
    let _ = std::fs::remove_file(&path);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).with_context(named)?;
    let pipe = Pipe(path.clone());
    let mut reader = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&pipe.0)
        .with_context(named)?;
    signal(Signal::SIGUSR1)?;
    let text = read_answer(&mut reader).with_context(named)?;
    print!("{text}");
    Ok(())
}

/// Reads until the writer closes the pipe.
fn read_answer(reader: &mut impl Read) -> anyhow::Result<String> {
    let since = Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 4096];
    while since.elapsed() < PATIENCE {
        match reader.read(&mut chunk) {
            // Before the first byte this only means that nobody has opened the pipe for writing yet.
            Ok(0) if !bytes.is_empty() => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(0) => thread::sleep(PERIOD),
            Ok(count) => bytes.extend_from_slice(chunk.get(..count).unwrap_or(&[])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::sleep(PERIOD),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("ksmbd.mountd did not answer")
}

/// Prints what is wrong with a configuration.
fn check(config: &Path) -> anyhow::Result<()> {
    let loaded = Config::load(config, &System);
    for diagnostic in &loaded.diagnostics {
        println!("{diagnostic}");
    }
    if !loaded.is_clean() {
        bail!("{} has errors", config.display());
    }
    println!(
        "{}: {} warnings, no errors",
        config.display(),
        loaded.diagnostics.len()
    );
    Ok(())
}
