// SPDX-License-Identifier: GPL-2.0

//! One client connection: what was negotiated, which sessions live on it, what is in flight.
//!
//! Lock order, all leaves of each other: `window`, `load`, `channels`, `parked`, `outbox`, `answers`. None is held over I/O.

pub(crate) mod answers;
pub(crate) mod crypto;
pub(crate) mod negotiated;
mod outbox;
pub(crate) mod parked;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod table;
mod traffic;

use core::net::{IpAddr, SocketAddr};

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_condvar, new_mutex, Arc, CondVar, Mutex, SetOnce};

use smb_model::credits::{Charge, Window};
use smb_proto::header::Header;
use smb_proto::status::NtStatus;
use smb_proto::wire::Malformed;

use linux::address::AddressText;
use linux::buffer::Buffer;
use linux::pages::PageVec;
use linux::socket::TcpStream;
use linux::time;

use crate::server::{Config, Server};
use crate::session::ChannelTable;
use crate::smb2::wait::Wake;
use crate::transport::tcp::Tcp;
use crate::transport::Transport;

use answers::Answers;
pub(crate) use negotiated::Negotiated;
use outbox::Outbox;
use parked::ParkedTable;
use traffic::Traffic;

/// Frames of one connection that may be in work at a time before anybody logged in.
const MAX_FRAMES_UNAUTHENTICATED: u32 = 4;
/// The same while only guests and anonymous users logged in.
const MAX_FRAMES_GUEST: u32 = 64;

/// Who has logged in on a connection: what it may hold depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Standing {
    /// Nobody.
    Unknown,
    /// Only users who have proven nothing.
    Guest,
    /// A user who has proven who he is.
    User,
}

impl Standing {
    /// Bytes of requests of one connection that may be in work at a time. One frame of any size is always admitted.
    fn max_bytes(self) -> usize {
        match self {
            Standing::Unknown | Standing::Guest => 16 << 20,
            Standing::User => 64 << 20,
        }
    }

    /// Bytes of those of them that may wait. They do not keep others out, since what ends the wait must come in.
    pub(crate) fn max_parked_bytes(self) -> usize {
        self.max_bytes() / 4
    }
}

/// A request frame as it came, later decrypted.
pub(crate) struct Frame {
    buffer: Buffer,
    /// What is still in the pages that it came in, and not in the buffer: of a WRITE, the data that follow its fixed part; of a sealed
    /// frame, what follows the TRANSFORM_HEADER.
    taken: PageVec,
    start: usize,
    end: usize,
    /// Counts against the connection's load until dropped.
    load: FrameLoad,
    /// Bytes that are reserved for the answer, until that is handed on.
    reserved: usize,
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.release();
    }
}

/// What a frame counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its request takes a worker, or waits for one.
    Working,
    /// Its request waits: it still takes memory, but no worker.
    Parked,
    /// Its request is done with.
    Left,
}

/// The share of a frame in its connection's load.
struct FrameLoad {
    conn: Arc<Connection>,
    bytes: usize,
    place: Place,
}

impl FrameLoad {
    fn move_to(&mut self, place: Place) {
        let old = core::mem::replace(&mut self.place, place);
        if old == place || old == Place::Left {
            return;
        }
        let mut load = self.conn.load.lock();
        if old == Place::Working {
            load.working = load.working.saturating_sub(1);
        }
        if place == Place::Left {
            load.frames = load.frames.saturating_sub(1);
            load.bytes = load.bytes.saturating_sub(self.bytes);
        }
        let is_awaited = core::mem::take(&mut load.is_awaited);
        drop(load);
        if is_awaited {
            self.conn.load_changed.notify_all();
        }
    }
}

impl Drop for FrameLoad {
    fn drop(&mut self) {
        self.move_to(Place::Left);
    }
}

impl Frame {
    /// [`Self::bytes`], and the first data of a WRITE, which they lack: mostly none.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut PageVec) {
        let bytes = self.buffer.as_slice();
        (
            bytes.get(self.start..self.end).unwrap_or(&[]),
            &mut self.taken,
        )
    }

    /// The request's bytes, from the protocol id on.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer
            .as_slice()
            .get(self.start..self.end)
            .unwrap_or(&[])
    }

    /// The bytes of a sealed frame with room for the whole message, which follows `head` bytes, and what of the message's beginning is to be
    /// decrypted into its room.
    ///
    /// # Errors
    ///
    /// As [`Buffer::stretch`].
    pub(crate) fn room_and_sealed(&mut self, head: usize) -> Result<(&mut [u8], PageVec)> {
        let sealed = core::mem::take(&mut self.taken);
        let message = self.start.saturating_add(head);
        let rest = self.end.saturating_sub(message);
        self.end = self.end.checked_add(sealed.len()).ok_or(EOVERFLOW)?;
        self.buffer.stretch(self.end)?;
        if let Some(room) = self.buffer.as_mut_slice().get_mut(message..self.end) {
            // What came behind that goes behind it.
            if !sealed.is_empty() && rest <= room.len().saturating_sub(sealed.len()) {
                room.copy_within(..rest, sealed.len());
            }
        }
        Ok((self.bytes_mut(), sealed))
    }

    /// As [`Self::bytes`], to be changed.
    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = self.buffer.as_mut_slice();
        bytes.get_mut(self.start..self.end).unwrap_or(&mut [])
    }

    /// Drops `count` bytes from the front (a TRANSFORM_HEADER).
    pub(crate) fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Notes what was reserved for the answer.
    pub(crate) fn set_reserved(&mut self, bytes: usize) {
        self.reserved = bytes;
    }

    /// Hands on what was reserved for the answer.
    pub(crate) fn take_reserved(&mut self) -> usize {
        core::mem::take(&mut self.reserved)
    }

    /// Gives back what was reserved for the answer.
    pub(crate) fn release(&mut self) {
        let bytes = self.take_reserved();
        self.load.conn.release(bytes);
    }

    /// Bytes that count against the connection's load.
    pub(crate) fn load(&self) -> usize {
        self.load.bytes
    }

    /// Notes that the frame's request waits: another may take its place.
    pub(crate) fn park(&mut self) {
        self.load.move_to(Place::Parked);
    }

    /// Notes that the frame's request is done with.
    pub(crate) fn leave(&mut self) {
        self.load.move_to(Place::Left);
    }

    /// Whether something is reserved for the answer.
    pub(crate) fn has_reserved(&self) -> bool {
        self.reserved != 0
    }

    /// The connection that the frame came on.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.load.conn
    }
}

/// The client's address, which can be shown.
pub(crate) struct Peer {
    address: SocketAddr,
    text: AddressText,
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        Peer {
            address,
            text: AddressText::new(address.ip()),
        }
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl kernel::fmt::Display for Peer {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        write!(f, "{}:{}", self.text.as_str(), self.address.port())
    }
}

/// What is in work.
struct Load {
    /// Frames that are held, those whose request waits included.
    frames: u32,
    /// Frames that take a worker, or wait for one.
    working: u32,
    bytes: usize,
    /// Whether somebody sleeps until it changes.
    is_awaited: bool,
}

/// One client connection.
#[pin_data]
pub(crate) struct Connection {
    /// Unique while the server runs.
    pub(crate) id: u64,
    pub(crate) server: Arc<Server>,
    /// The configuration when the connection began: its limits do not change under it.
    pub(crate) config: Arc<Config>,
    pub(crate) peer: Peer,
    /// The address that the client connected to.
    pub(crate) local: SocketAddr,
    transport: KBox<dyn Transport>,
    negotiated: SetOnce<Negotiated>,
    /// Whether a NEGOTIATE has been taken on: there is only one, [MS-SMB2] 3.3.5.4. The multi-protocol one does not count.
    pub(crate) negotiating: Atomic<bool>,
    /// Who has logged in, a [`Standing`].
    standing: Atomic<u32>,
    next_async_id: Atomic<u64>,
    /// Whether the connection is being torn down.
    ended: Atomic<bool>,
    /// Milliseconds of the monotonic clock at the last request.
    last_active: Atomic<u64>,
    pub(crate) traffic: Traffic,
    #[pin]
    window: Mutex<Window>,
    #[pin]
    load: Mutex<Load>,
    #[pin]
    load_changed: CondVar,
    /// The preauthentication hash after NEGOTIATE, `Connection.PreauthIntegrityHashValue`.
    preauth_hash: SetOnce<[u8; 64]>,
    #[pin]
    outbox: Outbox,
    #[pin]
    answers: Answers,
    /// Sessions that were set up or bound here.
    #[pin]
    pub(crate) channels: ChannelTable,
    /// Requests that wait.
    #[pin]
    pub(crate) parked: ParkedTable,
}

impl Connection {
    /// A connection over `stream`.
    pub(crate) fn new(id: u64, server: &Arc<Server>, stream: TcpStream) -> Result<Arc<Self>> {
        let (peer, local) = (Peer::new(stream.peer()), stream.local());
        let transport: KBox<dyn Transport> = KBox::new(Tcp(stream), GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Connection {
                id,
                server: server.clone(),
                config: server.config(),
                peer,
                local,
                transport,
                negotiated: SetOnce::new(),
                negotiating: Atomic::new(false),
                standing: Atomic::new(0),
                next_async_id: Atomic::new(1),
                ended: Atomic::new(false),
                last_active: Atomic::new(time::monotonic_ms()),
                traffic: Traffic::new(),
                window <- new_mutex!(Window::new()),
                load <- new_mutex!(Load { frames: 0, working: 0, bytes: 0, is_awaited: false }),
                load_changed <- new_condvar!(),
                preauth_hash: SetOnce::new(),
                outbox <- Outbox::new(),
                answers <- Answers::new(),
                channels <- ChannelTable::new(),
                parked <- ParkedTable::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// What NEGOTIATE agreed on; `None` before it.
    pub(crate) fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Records the outcome of NEGOTIATE.
    ///
    /// # Errors
    ///
    /// Gives `false` if there was one already.
    pub(crate) fn set_negotiated(&self, negotiated: Negotiated) -> bool {
        self.negotiated.populate(negotiated)
    }

    /// Notes that somebody logged in, as a guest or a user: larger frames and more of them are admitted from now on.
    pub(crate) fn set_authenticated(&self, is_guest: bool) {
        if !is_guest {
            self.standing.store(2, Relaxed);
        } else {
            // A user stays one, whoever logs in besides.
            let _ = self.standing.cmpxchg(0, 1, Relaxed);
        }
    }

    /// Who has logged in so far.
    pub(crate) fn standing(&self) -> Standing {
        match self.standing.load(Relaxed) {
            0 => Standing::Unknown,
            1 => Standing::Guest,
            _ => Standing::User,
        }
    }

    /// Whether somebody logged in.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.standing() != Standing::Unknown
    }

    /// Records the preauthentication hash over NEGOTIATE.
    pub(crate) fn set_preauth_hash(&self, hash: [u8; 64]) {
        self.preauth_hash.populate(hash);
    }

    /// The preauthentication hash over NEGOTIATE; zero before 3.1.1.
    pub(crate) fn preauth_hash(&self) -> [u8; 64] {
        self.preauth_hash.as_ref().copied().unwrap_or([0; 64])
    }

    /// An id for a request that will wait; never zero.
    pub(crate) fn next_async_id(&self) -> u64 {
        self.next_async_id.fetch_add(1, Relaxed)
    }

    /// Takes the credits that `request` pays with, [MS-SMB2] 3.3.5.2.3.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if its message id is not among those granted: the connection must end.
    pub(crate) fn consume_credits(&self, request: &Header) -> Result<(), Malformed> {
        use smb_proto::header::Command;
        // CANCEL repeats the id of another request and pays nothing.
        if request.command() == Ok(Command::Cancel) {
            return Ok(());
        }
        let multi_credit = self.negotiated().is_some_and(|n| n.multi_credit);
        let mut window = self.window.lock();
        window
            .consume(request.message_id(), request.credit_charge(), multi_credit)
            .map(|_| ())
            .map_err(|_| Malformed)
    }

    /// The credits that the answer to `request` grants, [MS-SMB2] 3.3.1.2.
    pub(crate) fn grant_credits(&self, request: &Header) -> u16 {
        let ceiling = self.config.max_credits;
        let multi_credit = self.negotiated().is_some_and(|n| n.multi_credit);
        let charge = Charge::of(request.credit_charge(), multi_credit);
        self.window.lock().grant(request.credits(), charge, ceiling)
    }

    /// Credits that the client holds.
    pub(crate) fn credits(&self) -> u16 {
        self.window.lock().available()
    }

    /// Requests in work, those that wait included.
    pub(crate) fn requests(&self) -> u32 {
        self.load.lock().frames
    }

    /// Milliseconds since the last request.
    pub(crate) fn idle_ms(&self) -> u64 {
        time::monotonic_ms().saturating_sub(self.last_active.load(Relaxed))
    }

    /// Ends the connection: its thread wakes up and cleans up. Callable from anywhere.
    pub(crate) fn shut_down(&self) {
        self.ended.store(true, Relaxed);
        self.transport.shut_down();
        // Who saw the flag lowered is asleep before the lock is free, so that the notification finds him.
        drop(self.load.lock());
        self.load_changed.notify_all();
    }

    /// Whether [`Self::shut_down`] was called.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Counts a frame of `bytes` in, once there is room for it; `None` if the connection ended meanwhile.
    fn admit(self: &Arc<Self>, bytes: usize) -> Option<FrameLoad> {
        let standing = self.standing();
        let max_frames = match standing {
            Standing::Unknown => MAX_FRAMES_UNAUTHENTICATED,
            Standing::Guest => MAX_FRAMES_GUEST,
            Standing::User => u32::from(self.config.max_credits),
        };
        let mut load = self.load.lock();
        while load.working > 0
            && (load.working >= max_frames
                || load.bytes.saturating_add(bytes) > standing.max_bytes())
        {
            if self.has_ended() {
                return None;
            }
            load.is_awaited = true;
            // No signal reaches a kernel thread; an uninterruptible wait would count as load, and as a hang.
            let _ = self.load_changed.wait_interruptible(&mut load);
        }
        load.frames = load.frames.saturating_add(1);
        load.working = load.working.saturating_add(1);
        load.bytes = load.bytes.saturating_add(bytes);
        Some(FrameLoad {
            conn: self.clone(),
            bytes,
            place: Place::Working,
        })
    }

    /// Waits until no request is in work.
    fn drain(&self) {
        let mut load = self.load.lock();
        while load.frames > 0 {
            load.is_awaited = true;
            let _ = self.load_changed.wait_interruptible(&mut load);
        }
    }

    /// Ends everything that lives on the connection. Runs on its thread, once, at the end.
    pub(crate) fn tear_down(self: &Arc<Self>) {
        self.shut_down();
        self.close_answers();
        // Whatever waits is answered with an error that goes nowhere; then nothing is left in work.
        self.parked.close(Wake::Ended(NtStatus::CANCELLED));
        self.drain();
        while let Some(channel) = self.channels.take_any() {
            channel.session.leave(self, &self.server);
        }
    }
}
