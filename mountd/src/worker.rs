// SPDX-License-Identifier: GPL-2.0

//! The worker process: receives the module's messages and has a few threads answer them.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{bail, Context};
use ksmbd_tools::account::System;
use ksmbd_tools::config::{Config, Global};
use ksmbd_tools::control::Module;
use ksmbd_tools::paths;
use ksmbd_tools::subauth::{self, SubAuth};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use smb_proto::ipc::Command;

use crate::dispatch::{self, Server};
use crate::link::{Link, Message, Received};
use crate::state::{self, Sources, State};
use crate::wsd::Discovery;
use crate::{discovery, list, startup};

/// Threads that answer. More than one, because asking for a user may take its time.
const THREADS: usize = 4;
/// Messages that may wait for a thread.
const QUEUE: usize = 1024;
/// Pause between two start-up requests.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
/// What the worker writes to its standard output once the module has taken it for its daemon.
pub const READY: &str = "ready\n";

/// Runs the worker of the process `manager` until it is told to end.
///
/// # Errors
///
/// Everything that keeps it from serving, in words for the log.
pub fn run(sources: &Sources, manager: u32) -> anyhow::Result<()> {
    end_with(manager)?;
    let signals = signal_pipe().context("installing signal handlers")?;
    let settings = state::load(sources, &System).map_err(anyhow::Error::msg)?;
    let sub_auth = subauth::load_or_make(&paths::subauth(&sources.config))
        .with_context(|| format!("{}", paths::subauth(&sources.config).display()))?;
    let startup = startup::payload(&settings.config.global, sub_auth)
        .map_err(|_| anyhow::anyhow!("a text of the configuration is too long for the module"))?;
    let link = Arc::new(Link::open().context("reaching the ksmbd module (is it loaded?)")?);
    let server = Arc::new(Server::new(
        State::new(settings, Box::new(System))
            .with_module_that_tells(Module::default().version().is_ok()),
        sub_auth,
    ));
    server
        .kerberos
        .check(&server.state.settings().config.global);
    let queue = start_threads(&server, &link)?;
    link.send(Command::StartingUp, startup.clone())
        .context("sending the start-up request")?;
    let mut events = Events {
        link,
        signals,
        queue,
        server,
        sources: sources.clone(),
        startup,
        sub_auth,
        discovery: Discovery::default(),
        is_ready: false,
        attempts_left: 6,
    };
    while events.next()? {}
    events.discovery.withdraw();
    log::info!("worker ends");
    Ok(())
}

/// Has this process end with the process `manager`, which started it: a worker without one could not be ended or reloaded any more,
/// and would answer beside the next daemon's.
///
/// It ends by force. Were it asked to, it could still announce itself to the module after the next daemon has.
fn end_with(manager: u32) -> anyhow::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("asking to end with the manager")?;
    // Nothing tells of a manager that ended before this process asked.
    if parent_id() != manager {
        bail!("the manager, process {manager}, is gone");
    }
    Ok(())
}

/// A stream from which one byte for each signal can be read.
fn signal_pipe() -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    for signal in [SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT] {
        let writer = writer.try_clone()?;
        let number = u8::try_from(signal).unwrap_or(0);
        signal_hook::iterator::Signals::new([signal]).and_then(|mut signals| {
            thread::Builder::new()
                .name("signals".into())
                .spawn(move || {
                    let mut writer = writer;
                    for _ in signals.forever() {
                        if writer.write_all(&[number]).is_err() {
                            return;
                        }
                    }
                })?;
            Ok(())
        })?;
    }
    Ok(reader)
}

fn start_threads(server: &Arc<Server>, link: &Arc<Link>) -> io::Result<SyncSender<Message>> {
    let (sender, receiver) = sync_channel::<Message>(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..THREADS {
        let (server, link, receiver) =
            (Arc::clone(server), Arc::clone(link), Arc::clone(&receiver));
        thread::Builder::new()
            .name(format!("answer-{number}"))
            .spawn(move || while answer_one(&server, &link, &receiver) {})?;
    }
    Ok(sender)
}

/// Takes a message from the queue and answers it; `false` once the queue is gone.
fn answer_one(server: &Server, link: &Link, receiver: &Mutex<Receiver<Message>>) -> bool {
    let received = receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv();
    let Ok(message) = received else { return false };
    // A fault in one answer must cost that answer alone.
    let answer = catch_unwind(AssertUnwindSafe(|| dispatch::handle(server, &message)));
    match answer {
        Ok(Some((command, payload))) => {
            if let Err(error) = link.send(command, payload) {
                log::error!("the answer {command:?} could not be sent: {error}");
            }
        }
        Ok(None) => {}
        Err(_) => log::error!("answering message {} failed", message.command),
    }
    true
}

struct Events {
    link: Arc<Link>,
    signals: UnixStream,
    queue: SyncSender<Message>,
    server: Arc<Server>,
    sources: Sources,
    /// What the module was told at last.
    startup: Vec<u8>,
    sub_auth: SubAuth,
    discovery: Discovery,
    is_ready: bool,
    /// How often the module is asked again, should it refuse the start-up request.
    attempts_left: u32,
}

impl Events {
    /// Waits for something to happen; `false` when it is time to end.
    fn next(&mut self) -> anyhow::Result<bool> {
        let mut waiting = [
            PollFd::new(self.link.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => bail!("waiting for messages: {errno}"),
        }
        let [from_link, from_signals] = waiting.map(|waiting| waiting.any().unwrap_or(true));
        if from_signals && !self.signals()? {
            return Ok(false);
        }
        if from_link {
            self.messages()?;
        }
        Ok(true)
    }

    fn signals(&mut self) -> anyhow::Result<bool> {
        let mut byte = [0u8; 1];
        loop {
            match self.signals.read(&mut byte) {
                Ok(0) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error).context("reading signals"),
                Ok(_) => {}
            }
            match i32::from(byte[0]) {
                SIGHUP => self.reload(),
                SIGUSR1 => self.list(),
                _ => return Ok(false),
            }
        }
    }

    fn messages(&mut self) -> anyhow::Result<()> {
        let received = match self.link.receive() {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                log::warn!("messages of the module were lost: {error}");
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error).context("receiving from the module"),
        };
        for received in received {
            match received {
                Received::Message(message) => {
                    if self.queue.send(message).is_err() {
                        bail!("the answering threads are gone");
                    }
                }
                Received::Done(Err(error)) if !self.is_ready && self.attempts_left > 0 => {
                    // The C module takes nobody for a moment after a daemon was killed.
                    log::debug!("the module does not take this daemon yet: {error}");
                    self.attempts_left -= 1;
                    thread::sleep(BETWEEN_ATTEMPTS);
                    self.link
                        .send(Command::StartingUp, self.startup.clone())
                        .context("sending the start-up request")?;
                }
                // The first outcome is the start-up request's: it was the first thing sent.
                Received::Done(outcome) if !self.is_ready => {
                    outcome.context("the module refused the start-up request (see the kernel's log; is another daemon running?)")?;
                    self.is_ready = true;
                    self.announce(&self.server.state.settings().config);
                    ready();
                }
                Received::Done(Ok(())) => {}
                Received::Done(Err(error)) => {
                    // Should it have been the global keys, the next reload tells them again.
                    self.startup.clear();
                    log::warn!("the module refused an answer, or new global keys: {error}");
                }
            }
        }
        Ok(())
    }

    /// Tells those who look for servers, as far as the configuration wants it.
    fn announce(&self, config: &Config) {
        discovery::publish(config);
        self.discovery.publish(&config.global);
    }

    fn reload(&mut self) {
        match state::load(&self.sources, self.server.state.accounts()) {
            Ok(settings) => {
                if let Err(error) = self.tell_globals(&settings.config.global) {
                    log::error!("reload refused, the running configuration stays: {error:#}");
                    return;
                }
                self.announce(&settings.config);
                self.server.kerberos.check(&settings.config.global);
                self.server.state.replace(settings);
                log::info!("configuration and users reloaded");
            }
            Err(reason) => log::error!("reload refused, the running configuration stays: {reason}"),
        }
    }

    /// Tells the module of global keys that changed. The C module takes them from a new daemon only.
    fn tell_globals(&mut self, global: &Global) -> anyhow::Result<()> {
        let startup = startup::payload(global, self.sub_auth).map_err(|_| {
            anyhow::anyhow!("a text of the configuration is too long for the module")
        })?;
        if startup == self.startup {
            return Ok(());
        }
        if !self.server.state.module_tells() {
            log::warn!(
                "global keys have changed: this module takes them when the server is started anew"
            );
            return Ok(());
        }
        self.link
            .send(Command::StartingUp, startup.clone())
            .context("telling the module")?;
        self.startup = startup;
        Ok(())
    }

    fn list(&self) {
        let server = Arc::clone(&self.server);
        // Whoever asked may be slow to read.
        let started = thread::Builder::new()
            .name("list".into())
            .spawn(move || list::answer(&server.state));
        if let Err(error) = started {
            log::error!("shares cannot be listed: {error}");
        }
    }
}

fn ready() {
    log::info!("ready");
    let mut out = io::stdout();
    if let Err(error) = out.write_all(READY.as_bytes()).and_then(|()| out.flush()) {
        log::debug!("the manager does not listen: {error}");
    }
}
