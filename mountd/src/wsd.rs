// SPDX-License-Identifier: GPL-2.0

//! Being found by Windows (WS-Discovery, Devices Profile), with `ws discovery register = yes`. Off by default, and then no
//! socket is open.
//!
//! One thread hears what is asked on each address and answers after a short random while, as SOAP over UDP wants it; the
//! description goes over HTTP. Nothing here knows of shares or users: what is told is the computer's name and workgroup.

pub mod http;
pub mod message;
pub mod net;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ksmbd_tools::config::Global;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::unistd::gethostname;
use uuid::Uuid;

use message::{Author, Identity, Question};
use net::{Address, Sockets};

/// Makes the endpoint's name out of the machine's, machine-id(5).
const NAMESPACE: Uuid = Uuid::from_u128(0x5a3c_91de_07f4_4b0e_9d61_c2e8_b7f0_3a15);
/// Messages that may wait to be sent; further questions are passed over.
const MOST_WAITING: usize = 64;
/// Questions that are remembered, since each is sent more than once.
const MOST_REMEMBERED: usize = 64;
/// Connections that are served at a time.
const MOST_CONNECTIONS: usize = 8;
/// Messages that are taken from a socket before others have their turn.
const AT_A_TIME: usize = 16;
/// Longest wait before an answer, so that not all answer at once: `APP_MAX_DELAY`.
const LONGEST_DELAY: u64 = 500;
/// Milliseconds between the copies of a message: UDP loses some.
const COPIES_TO_ALL: [u64; 4] = [0, 150, 450, 950];
const COPIES_TO_ONE: [u64; 2] = [0, 150];
/// How often to look for addresses, should nothing tell of them.
const LOOK: Duration = Duration::from_secs(30);

/// What is told, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    identity: Identity,
    /// Names of the interfaces, if not all.
    only: Option<Vec<String>>,
}

impl Settings {
    /// What the configuration wants; `None` if nothing.
    fn of(global: &Global) -> Option<Self> {
        if !global.ws_discovery {
            return None;
        }
        let name = if global.netbios_name == Global::NETBIOS_NAME {
            host_name()
        } else {
            global.netbios_name.clone()
        };
        Some(Settings {
            identity: Identity {
                endpoint: endpoint(),
                name: name.to_uppercase(),
                workgroup: global.workgroup.to_uppercase(),
            },
            only: global
                .bind_interfaces_only
                .then(|| global.interfaces.clone()),
        })
    }
}

fn host_name() -> String {
    let name = gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The same at each start, and nobody else's. The machine's own id is not to be told to others.
fn endpoint() -> Uuid {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let id = id.trim();
    let machine = if id.is_empty() {
        host_name()
    } else {
        id.to_owned()
    };
    Uuid::new_v5(&NAMESPACE, machine.as_bytes())
}

/// The responder, as the configuration wants it.
#[derive(Debug, Default)]
pub struct Discovery {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    settings: Settings,
    /// Closing it ends the thread.
    wake: UnixStream,
    thread: JoinHandle<()>,
}

impl Discovery {
    /// Starts, changes or ends the responder as the configuration says. A failure is told and costs nothing else.
    pub fn publish(&self, global: &Global) {
        self.change(Settings::of(global));
        if global.ws_discovery && global.tcp_port != 445 {
            log::warn!("ws discovery register: Windows will show the server and look for it at port 445, but `tcp port` is {}", global.tcp_port);
        }
    }

    /// Says goodbye and ends.
    pub fn withdraw(&self) {
        self.change(None);
    }

    fn change(&self, settings: Option<Settings>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().map(|running| &running.settings) == settings.as_ref() {
            return;
        }
        if let Some(Running { wake, thread, .. }) = running.take() {
            drop(wake);
            if thread.join().is_err() {
                log::error!("WS-Discovery ended by a fault");
            }
        }
        if let Some(settings) = settings {
            match start(settings) {
                Ok(started) => *running = Some(started),
                Err(error) => log::warn!("WS-Discovery: {error}"),
            }
        }
    }
}

fn start(settings: Settings) -> io::Result<Running> {
    let (wake, woken) = UnixStream::pair()?;
    let mut responder = Responder::new(settings.clone(), woken)?;
    let thread = thread::Builder::new()
        .name("ws-discovery".into())
        .spawn(move || responder.run())?;
    Ok(Running {
        settings,
        wake,
        thread,
    })
}

/// A message that waits for its time.
struct Waiting {
    at: Instant,
    from: Address,
    /// `None` for everybody on the link.
    to: Option<SocketAddr>,
    text: Arc<str>,
}

struct Responder {
    only: Option<Vec<String>>,
    author: Arc<Mutex<Author>>,
    /// The path of the description.
    path: Arc<str>,
    sockets: HashMap<Address, Sockets>,
    /// Addresses without sockets, which was told.
    failed: HashSet<Address>,
    waiting: Vec<Waiting>,
    answered: VecDeque<String>,
    connections: Arc<AtomicUsize>,
    woken: UnixStream,
    changes: Option<netlink_sys::Socket>,
    looked: Option<Instant>,
}

impl Responder {
    fn new(settings: Settings, woken: UnixStream) -> io::Result<Self> {
        woken.set_nonblocking(true)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let path = format!("/{}", settings.identity.endpoint);
        Ok(Responder {
            only: settings.only,
            author: Arc::new(Mutex::new(Author::new(
                settings.identity,
                now.unwrap_or_default().as_secs(),
            ))),
            path: path.into(),
            sockets: HashMap::new(),
            failed: HashSet::new(),
            waiting: Vec::new(),
            answered: VecDeque::new(),
            connections: Arc::default(),
            woken,
            changes: net::changes()
                .inspect_err(|error| log::debug!("WS-Discovery: no word of addresses: {error}"))
                .ok(),
            looked: None,
        })
    }

    fn run(&mut self) {
        loop {
            if self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
                self.look();
            }
            self.send_due();
            match self.wait() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    log::error!("WS-Discovery: {error}");
                    break;
                }
            }
        }
        for sockets in self.sockets.values() {
            let bye = author(&self.author).bye();
            for _ in COPIES_TO_ONE {
                // Who does not hear it will notice.
                let _ = sockets.send(&bye, None);
            }
        }
    }

    /// Opens sockets for addresses that came, and closes those of addresses that went.
    fn look(&mut self) {
        self.looked = Some(Instant::now());
        let found = match net::addresses(self.only.as_deref()) {
            Ok(found) => found,
            Err(error) => {
                log::warn!("WS-Discovery: the addresses cannot be read: {error}");
                return;
            }
        };
        self.sockets.retain(|address, _| found.contains(address));
        self.failed.retain(|address| found.contains(address));
        for address in found {
            if self.sockets.contains_key(&address) {
                continue;
            }
            match Sockets::open(address) {
                Ok(sockets) => {
                    log::debug!("WS-Discovery on {}", address.ip);
                    self.failed.remove(&address);
                    self.sockets.insert(address, sockets);
                    let hello = author(&self.author).hello(&address.url(&self.path));
                    self.post(address, None, hello, 0);
                }
                // An address of IPv6 takes a second before it can be used; there is word of it then.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) if self.failed.insert(address) => {
                    log::info!("WS-Discovery on {}: {error}; trying again", address.ip);
                }
                Err(_) => {}
            }
        }
    }

    /// Puts a message and its copies in line.
    fn post(&mut self, from: Address, to: Option<SocketAddr>, text: String, delay: u64) {
        let copies = if to.is_some() {
            COPIES_TO_ONE.as_slice()
        } else {
            COPIES_TO_ALL.as_slice()
        };
        let (now, text): (_, Arc<str>) = (Instant::now(), text.into());
        self.waiting.extend(copies.iter().map(|after| Waiting {
            at: now + Duration::from_millis(delay + after),
            from,
            to,
            text: Arc::clone(&text),
        }));
    }

    fn send_due(&mut self) {
        let now = Instant::now();
        let sockets = &self.sockets;
        self.waiting.retain(|waiting| {
            let is_due = waiting.at <= now;
            if let Some(sockets) = sockets.get(&waiting.from).filter(|_| is_due) {
                if let Err(error) = sockets.send(&waiting.text, waiting.to) {
                    log::debug!("WS-Discovery from {}: {error}", waiting.from.ip);
                }
            }
            !is_due
        });
    }

    /// Waits for something to happen and deals with it; `false` when it is time to end.
    fn wait(&mut self) -> io::Result<bool> {
        let addresses: Vec<Address> = self.sockets.keys().copied().collect();
        let mut polled = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        for address in &addresses {
            let Some(sockets) = self.sockets.get(address) else {
                continue;
            };
            for fd in [
                sockets.group.as_fd(),
                sockets.own.as_fd(),
                sockets.http.as_fd(),
            ] {
                polled.push(PollFd::new(fd, PollFlags::POLLIN));
            }
        }
        if let Some(changes) = &self.changes {
            polled.push(PollFd::new(changes.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut polled, self.patience()) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready: Vec<bool> = polled
            .iter()
            .map(|polled| polled.any().unwrap_or(true))
            .collect();
        if is_ready.first() == Some(&true) && self.is_over() {
            return Ok(false);
        }
        let mut events = is_ready.iter().skip(1);
        for address in addresses {
            let mut event = || events.next() == Some(&true);
            let (group, own, http) = (event(), event(), event());
            if group || own {
                self.hear(address);
            }
            if http {
                self.accept(address);
            }
        }
        if events.next() == Some(&true) {
            self.drain_changes();
            self.look();
        }
        Ok(true)
    }

    /// How long nothing has to be done.
    fn patience(&self) -> PollTimeout {
        let next = self.waiting.iter().map(|waiting| waiting.at).min();
        let now = Instant::now();
        let until = next.map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        // Rounded up: no turns without anything to do.
        let millis = until.as_millis().saturating_add(1);
        u16::try_from(millis).map_or(PollTimeout::MAX, PollTimeout::from)
    }

    fn is_over(&mut self) -> bool {
        let mut byte = [0; 1];
        !matches!(self.woken.read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn drain_changes(&mut self) {
        let Some(changes) = &self.changes else { return };
        let mut buffer = Vec::with_capacity(8192);
        loop {
            buffer.clear();
            match changes.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Some were lost, which is no matter: all is read anew.
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => {}
                Err(error) => {
                    log::debug!("WS-Discovery: no more word of addresses: {error}");
                    self.changes = None;
                    return;
                }
            }
        }
    }

    /// Takes what came to an address, and puts the answers in line.
    fn hear(&mut self, address: Address) {
        let mut buffer = vec![0; message::LARGEST + 1];
        let mut heard = Vec::new();
        let Some(sockets) = self.sockets.get(&address) else {
            return;
        };
        for socket in [&sockets.group, &sockets.own] {
            for _ in 0..AT_A_TIME {
                // Errors are those of messages that could not be delivered, or that there is nothing more.
                let Ok((size, from)) = socket.recv_from(&mut buffer) else {
                    break;
                };
                let question = buffer.get(..size).and_then(message::parse);
                heard.extend(question.map(|question| (question, from)));
            }
        }
        for (question, from) in heard {
            self.consider(address, &question, from);
        }
    }

    fn consider(&mut self, address: Address, question: &Question, from: SocketAddr) {
        if self.waiting.len() >= MOST_WAITING || self.answered.contains(&question.id) {
            return;
        }
        let Some(answer) = author(&self.author).answer(question, &address.url(&self.path)) else {
            return;
        };
        if self.answered.len() >= MOST_REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back(question.id.clone());
        let delay = match question.ask {
            message::Ask::Probe { .. } => random_below(LONGEST_DELAY),
            _ => 0,
        };
        self.post(address, Some(from), answer, delay);
    }

    /// Takes a connection and has a thread serve it; more than a few at a time are closed.
    fn accept(&self, address: Address) {
        let Some(sockets) = self.sockets.get(&address) else {
            return;
        };
        let mut stream = match sockets.http.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => {
                // As for want of descriptors: the connection waits, and this thread must not spin meanwhile.
                log::debug!("WS-Discovery over HTTP: {error}");
                thread::sleep(Duration::from_millis(50));
                return;
            }
        };
        if self.connections.load(Ordering::Relaxed) >= MOST_CONNECTIONS {
            return;
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (path, writer) = (Arc::clone(&self.path), Arc::clone(&self.author));
        let counted = Counted(Arc::clone(&self.connections));
        let started = thread::Builder::new()
            .name("ws-http".into())
            .spawn(move || {
                let _counted = counted;
                let outcome = stream.set_nonblocking(false).and_then(|()| {
                    http::serve(&mut stream, &path, |question| {
                        (question.ask == message::Ask::Get)
                            .then(|| author(&writer).metadata(question))
                    })
                });
                if let Err(error) = outcome {
                    log::debug!("WS-Discovery over HTTP: {error}");
                }
            });
        if let Err(error) = started {
            log::warn!("WS-Discovery over HTTP: {error}");
        }
    }
}

fn author(author: &Mutex<Author>) -> std::sync::MutexGuard<'_, Author> {
    author.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that is counted as long as it is served.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A random number below `most`, which is not zero.
fn random_below(most: u64) -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    (high ^ low).checked_rem(most).unwrap_or(0)
}
