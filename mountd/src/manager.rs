// SPDX-License-Identifier: GPL-2.0

//! The manager process: holds the lock file, starts the worker anew when it dies, and passes signals on to it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::cli::Mountd;
use ksmbd_tools::control::Module;
use ksmbd_tools::lock::{self, Lock};
use ksmbd_tools::paths;
use nix::sys::signal::{kill, Signal};
use nix::unistd::{setsid, Pid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::discovery;
use crate::notify::notify;
use crate::state::{self, Sources};
use crate::worker::READY;

/// This very program, should its file have been replaced.
const SELF: &str = "/proc/self/exe";
/// A worker that ran this long may be started again at once.
const STEADY: Duration = Duration::from_secs(60);
/// Longest pause before a worker is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a worker may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the manager in the background and waits until it serves or fails.
///
/// # Errors
///
/// If it fails; what it said is in the system log.
pub fn detach(arguments: &Mountd) -> anyhow::Result<()> {
    // What is wrong for sure is said here, where somebody reads it.
    if let Some(holder) = lock::holder(Path::new(paths::LOCK)) {
        bail!("already running as process {holder}");
    }
    state::load(&Sources::of(arguments), &System).map_err(anyhow::Error::msg)?;
    let mut manager = Command::new(this_program())
        .args(worker_arguments(arguments))
        .args(["--nodetach=1", "--syslog"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the manager")?;
    let Some(output) = manager.stdout.take() else {
        bail!("the manager has no output")
    };
    if is_ready(output) {
        return Ok(());
    }
    let status = manager.wait().context("waiting for the manager")?;
    bail!("ksmbd.mountd could not start ({status}); the system log has the reason, and so has `ksmbd.mountd -n`")
}

/// Waits until the process says that it is ready; `false` if it ends before.
fn is_ready(output: ChildStdout) -> bool {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).is_ok() && line == READY
}

/// This very program, by its own name as long as that stands for it.
fn this_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(SELF))
}

fn worker_arguments(arguments: &Mountd) -> Vec<OsString> {
    let mut list: Vec<OsString> = vec![
        "--config".into(),
        arguments.config.clone().into(),
        "--pwddb".into(),
        arguments.pwddb.clone().into(),
    ];
    if let Some(port) = arguments.port {
        list.extend(["--port".into(), port.to_string().into()]);
    }
    if arguments.common.verbose {
        list.push("--verbose".into());
    }
    list
}

/// Something that the manager waits for.
enum Event {
    Signal(i32),
    Ready,
}

/// Runs the manager until it is told to end.
///
/// # Errors
///
/// If the first worker does not come to serve.
pub fn run(arguments: &Mountd) -> anyhow::Result<()> {
    if arguments.nodetach == Some(1) {
        // Fails for whoever already leads a group, which is as well.
        let _ = setsid();
    }
    let _lock = Lock::take(Path::new(paths::LOCK)).with_context(|| paths::LOCK.to_owned())?;
    load_module();
    let (sender, events) = channel();
    forward_signals(sender.clone()).context("installing signal handlers")?;
    let mut manager = Manager {
        arguments,
        events,
        sender,
        worker: None,
        was_ready: false,
        backoff: Backoff::default(),
        due: None,
    };
    manager.start()?;
    let outcome = manager.watch();
    manager.stop();
    discovery::withdraw();
    notify("STOPPING=1");
    log::info!("manager ends");
    outcome
}

/// Loads the module if it is not there. Failing is no error here: the worker will say that it cannot reach it.
fn load_module() {
    if Module::default().is_loaded() {
        return;
    }
    match Command::new("modprobe").arg("ksmbd").status() {
        Ok(status) if status.success() => log::info!("loaded the module ksmbd"),
        Ok(status) => log::warn!("`modprobe ksmbd` failed: {status}"),
        Err(error) => log::warn!("`modprobe ksmbd` could not run: {error}"),
    }
}

fn forward_signals(sender: Sender<Event>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if sender.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}

struct Worker {
    child: Child,
    since: Instant,
}

struct Manager<'a> {
    arguments: &'a Mountd,
    events: Receiver<Event>,
    sender: Sender<Event>,
    worker: Option<Worker>,
    was_ready: bool,
    backoff: Backoff,
    /// When the next worker is started, if one ended.
    due: Option<Instant>,
}

/// How long to wait before a worker is started again: the longer, the more of them died young.
#[derive(Debug, Default)]
struct Backoff(Duration);

impl Backoff {
    /// The pause after a worker that lived for `lived`.
    fn after(&mut self, lived: Duration) -> Duration {
        if lived > STEADY {
            self.0 = Duration::ZERO;
        }
        let pause = self.0;
        self.0 = (pause * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        pause
    }
}

impl Manager<'_> {
    fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(this_program());
        command
            .args(worker_arguments(self.arguments))
            .arg(format!("--worker={}", std::process::id()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if self.arguments.syslog {
            command.arg("--syslog");
        }
        let mut child = command.spawn().context("starting the worker")?;
        if let Some(output) = child.stdout.take() {
            let sender = self.sender.clone();
            thread::Builder::new().name("ready".into()).spawn(move || {
                if is_ready(output) {
                    // The receiver is gone only when the manager ends.
                    let _ = sender.send(Event::Ready);
                }
            })?;
        }
        self.worker = Some(Worker {
            child,
            since: Instant::now(),
        });
        Ok(())
    }

    /// The next event; a worker that is due is started meanwhile. `None` if there can be none any more.
    fn next(&mut self) -> anyhow::Result<Option<Event>> {
        while let Some(due) = self.due {
            let left = due.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => return Ok(Some(event)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    self.due = None;
                    self.start()?;
                }
            }
        }
        Ok(self.events.recv().ok())
    }

    fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            let Some(event) = self.next()? else {
                return Ok(());
            };
            match event {
                Event::Ready => self.ready(),
                Event::Signal(SIGCHLD) => {
                    if let Some(status) = self.reap()? {
                        self.plan_another(status)?;
                    }
                }
                Event::Signal(SIGHUP) => {
                    notify("RELOADING=1");
                    self.pass_on(Signal::SIGHUP);
                    notify("READY=1");
                }
                Event::Signal(SIGUSR1) => self.pass_on(Signal::SIGUSR1),
                Event::Signal(_) => return Ok(()),
            }
        }
    }

    fn ready(&mut self) {
        if !self.was_ready {
            self.was_ready = true;
            // Whoever detached this process waits for it.
            if self.arguments.syslog {
                println!("{}", READY.trim_end());
            }
            notify(&format!("READY=1\nMAINPID={}", std::process::id()));
        }
    }

    /// The worker's status, if it ended.
    fn reap(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let Some(worker) = &mut self.worker else {
            return Ok(None);
        };
        worker.child.try_wait().context("waiting for the worker")
    }

    /// Has another worker started in a while.
    fn plan_another(&mut self, status: ExitStatus) -> anyhow::Result<()> {
        let Some(worker) = self.worker.take() else {
            return Ok(());
        };
        if !self.was_ready {
            bail!("the worker could not start ({status})");
        }
        let pause = self.backoff.after(worker.since.elapsed());
        log::error!(
            "the worker ended ({status}); starting another in {} s",
            pause.as_secs()
        );
        self.due = Some(Instant::now() + pause);
        Ok(())
    }

    fn pass_on(&self, signal: Signal) {
        let Some(worker) = &self.worker else { return };
        let Ok(pid) = i32::try_from(worker.child.id()) else {
            return;
        };
        if let Err(errno) = kill(Pid::from_raw(pid), signal) {
            log::error!("{signal} could not be passed on to the worker: {errno}");
        }
    }

    /// Ends the worker, by force if it must be.
    fn stop(&mut self) {
        self.pass_on(Signal::SIGTERM);
        let Some(mut worker) = self.worker.take() else {
            return;
        };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            match worker.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        log::warn!("the worker does not end; killing it");
        // It may have ended just now.
        let _ = worker.child.kill();
        let _ = worker.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_die_young_are_started_less_and_less_often() {
        let mut backoff = Backoff::default();
        let young = Duration::from_secs(3);
        let pauses: Vec<u64> = (0..8).map(|_| backoff.after(young).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.after(STEADY * 2), Duration::ZERO);
        assert_eq!(backoff.after(young), Duration::from_secs(1));
    }
}
