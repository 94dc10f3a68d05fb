// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.control`(8).

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::cli::{self, Control};
use ksmbd_tools::config::Config;
use ksmbd_tools::control::Module;
use ksmbd_tools::logger::{self, Target};
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

/// Ends the daemon, then the server. The server is ended even if there is no daemon, and the daemon even if there is no module.
fn shutdown(module: &Module) -> anyhow::Result<()> {
    match lock::signal(Path::new(paths::LOCK), Signal::SIGTERM).context("ending ksmbd.mountd")? {
        Some(_) => wait_for_end(),
        None => log::info!("ksmbd.mountd does not run"),
    }
    module.kill_server().context("ending the server")
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
    let Some(manager) = lock::holder(Path::new(paths::LOCK)) else {
        bail!("ksmbd.mountd does not run")
    };
    let path = paths::list_pipe(manager.as_raw());
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
