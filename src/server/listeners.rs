// SPDX-License-Identifier: GPL-2.0

//! One listening thread per network interface, `ksmbd-<interface>`, following the interfaces as they come and go, and one
//! thread per connection, `ksmbd:<address>`.
//!
//! Lock order: `watch`, then the kernel's lock of interfaces, then `inner`. The callbacks of the watch run under the
//! kernel's lock and take `inner` only.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::cred::UserCred;
use linux::netdev::{Change, Changed, InterfaceEvents, Watch};
use linux::netns::NetNs;
use linux::socket::{TcpListener, TcpStream};
use linux::thread::ThreadGroup;

use crate::connection::{receive, Connection};

use super::{Config, Server};

/// Interfaces that are listened on at the most.
const MAX_LISTENERS: usize = 256;
/// How long a receive waits before the connection looks at its dead time, ms.
const RECEIVE_TIMEOUT_MS: u32 = 7_000;
/// How long a client may take nothing of what is sent to it, ms.
const SEND_TIMEOUT_MS: u32 = 30_000;
/// When a silent client is probed: after 120 s, then four times every 15 s.
const KEEPALIVE: (u16, u16, u8) = (120, 15, 4);

struct Listener {
    /// Number of the interface: its name may change.
    index: u32,
    socket: Arc<TcpListener>,
}

struct Inner {
    listeners: KVec<Listener>,
    /// Whether new interfaces are listened on.
    is_open: bool,
}

/// The listeners of a server, and the threads of its connections.
#[pin_data]
pub(crate) struct Listeners {
    #[pin]
    watch: Mutex<Option<Pin<KBox<Watch>>>>,
    #[pin]
    inner: Mutex<Inner>,
    #[pin]
    listening: ThreadGroup,
    #[pin]
    connections: ThreadGroup,
}

/// Listens on interfaces that come up, and no more on those that go.
struct Follow {
    server: Arc<Server>,
    config: Arc<Config>,
}

impl InterfaceEvents for Follow {
    fn changed(&self, changed: Changed) {
        let listeners = &self.server.listeners;
        match changed.change {
            Change::Up | Change::Renamed if changed.up && self.wants(&changed) => {
                if let Err(error) = listeners.listen(&self.server, &self.config, &changed) {
                    pr_err!(
                        "cannot listen on {} port {}: {:?}; is another server running there?\n",
                        changed.name,
                        self.config.tcp_port,
                        error
                    );
                }
            }
            Change::Down | Change::Unregistered | Change::Renamed => {
                listeners.forget(changed.index);
            }
            _ => {}
        }
    }
}

impl Follow {
    /// Whether the configuration wants the interface: all, or those that it names. The ports of a bridge are reached
    /// through the bridge.
    fn wants(&self, changed: &Changed) -> bool {
        let named = &self.config.interfaces;
        let is_named = named
            .iter()
            .any(|name| name.as_slice() == changed.name.as_bytes());
        !changed.bridge_port && (named.is_empty() || is_named)
    }
}

impl Listeners {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Listeners {
            watch <- new_mutex!(None),
            inner <- new_mutex!(Inner { listeners: KVec::new(), is_open: false }),
            listening <- ThreadGroup::new(),
            connections <- ThreadGroup::new(),
        })
    }

    /// Starts to listen on the interfaces that `config` names.
    pub(crate) fn start(&self, server: &Arc<Server>, config: &Arc<Config>) -> Result {
        self.inner.lock().is_open = true;
        let follow = Follow {
            server: server.clone(),
            config: config.clone(),
        };
        let follow = Arc::new(follow, GFP_KERNEL)?;
        let mut watch = self.watch.lock();
        // What is up already is reported before this returns.
        *watch = Some(Watch::register(&NetNs::initial(), follow)?);
        Ok(())
    }

    fn listen(&self, server: &Arc<Server>, config: &Config, on: &Changed) -> Result {
        let (name, index) = (on.name, on.index);
        let mut inner = self.inner.lock();
        let known = inner
            .listeners
            .iter()
            .any(|listener| listener.index == index);
        if !inner.is_open || known || inner.listeners.len() >= MAX_LISTENERS {
            return Ok(());
        }
        // The port is the server's, whose call this ever is: a daemon in a sandbox may have no right to it.
        let own = UserCred::server()?;
        let scope = own.enter();
        let socket = TcpListener::bind(Some(name.as_cstr()), config.tcp_port)?;
        drop(scope);
        let socket = Arc::new(socket, GFP_KERNEL)?;
        inner.listeners.push(
            Listener {
                index,
                socket: socket.clone(),
            },
            GFP_KERNEL,
        )?;
        let server = server.clone();
        let spawned = self.listening.spawn(fmt!("ksmbd-{}", name), move || {
            accept_all(&server, &socket);
        });
        if spawned.is_err() {
            inner.listeners.pop();
        }
        spawned
    }

    fn forget(&self, index: u32) {
        let listener = {
            let mut inner = self.inner.lock();
            let is_it = |listener: &Listener| listener.index == index;
            let at = inner.listeners.iter().position(is_it);
            at.and_then(|at| inner.listeners.remove(at).ok())
        };
        if let Some(listener) = listener {
            listener.socket.shutdown();
        }
    }

    /// Stops listening, and waits until no listener can take a connection in any more.
    pub(crate) fn stop(&self) {
        let listeners = {
            let mut inner = self.inner.lock();
            inner.is_open = false;
            core::mem::replace(&mut inner.listeners, KVec::new())
        };
        for listener in &listeners {
            listener.socket.shutdown();
        }
        let watch = self.watch.lock().take();
        drop(watch);
        self.listening.wait_all();
    }

    /// Waits until every connection's thread has ended.
    pub(crate) fn wait_connections(&self) {
        self.connections.wait_all();
    }

    fn serve(&self, server: &Arc<Server>, stream: TcpStream) -> Result {
        let (idle, interval, probes) = KEEPALIVE;
        stream.set_nodelay();
        stream.set_keepalive(idle, interval, probes)?;
        stream.set_recv_timeout(Some(RECEIVE_TIMEOUT_MS));
        stream.set_send_timeout(Some(SEND_TIMEOUT_MS));
        let conn = Connection::new(server.connections.new_id(), server, stream)?;
        if let Err(refusal) = server.connections.insert(&conn, &conn.config) {
            debug!(server, Conn, "{}: refused, {:?}\n", conn.peer, refusal);
            return Err(EBUSY);
        }
        let running = conn.clone();
        let spawned = self
            .connections
            .spawn(fmt!("ksmbd:{}", conn.peer.as_str()), move || {
                receive::run(&running);
                running.server.connections.remove(&running);
            });
        if spawned.is_err() {
            server.connections.remove(&conn);
        }
        spawned
    }
}

/// The body of a listening thread.
fn accept_all(server: &Arc<Server>, socket: &TcpListener) {
    loop {
        match socket.accept() {
            Ok(stream) => {
                // A refused connection is closed by dropping it.
                let _ = server.listeners.serve(server, stream);
            }
            Err(error) if error == ESHUTDOWN || error == EINVAL => return,
            // Of one connection, or for want of memory: the next may fare better.
            Err(_) => linux::wait::sleep_ms(10),
        }
    }
}
