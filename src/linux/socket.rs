// SPDX-License-Identifier: GPL-2.0

//! TCP sockets of the kernel.
//!
//! C headers: `include/linux/net.h`, `include/net/sock.h`, `include/linux/tcp.h`.

use crate::netns::NetNs;
use crate::pages::PageVec;
use crate::{sys, time};
use core::mem::size_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ptr::{self, NonNull};
use kernel::error::to_result;
use kernel::ffi::{c_int, c_uint, c_void};
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

/// Connections that may wait for `accept`.
const BACKLOG: i32 = 64;

/// A socket.
///
/// # Invariants
///
/// `sock` is a valid socket with a `sk`, and this object owns it.
struct Socket {
    sock: NonNull<sys::socket>,
}

// SAFETY: all that is done with a socket here locks it, or reads and writes single words.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

impl Socket {
    /// A TCP socket of `family` in `net`, which it keeps alive.
    fn new(net: &NetNs, family: Family) -> Result<Self> {
        let mut sock = ptr::null_mut();
        // SAFETY: `net` is valid; `sock` is a place for the result.
        to_result(unsafe {
            sys::sock_create_kern(
                net.as_ptr(),
                family.number().into(),
                sys::sock_type_SOCK_STREAM as i32,
                sys::IPPROTO_TCP as i32,
                &mut sock,
            )
        })?;
        // INVARIANT: `sock_create_kern` succeeded.
        let socket = Socket {
            sock: NonNull::new(sock).ok_or(ENOMEM)?,
        };
        // SAFETY: a socket of the kernel counts no namespace until here, where nobody else knows it yet. What it accepts does as
        // it does, so neither timers nor queued segments outlive their namespace.
        unsafe { sys::sk_net_refcnt_upgrade(socket.sk()) };
        Ok(socket)
    }

    fn as_ptr(&self) -> *mut sys::socket {
        self.sock.as_ptr()
    }

    fn sk(&self) -> *mut sys::sock {
        // SAFETY: valid by the invariant; `sk` does not change while the socket lives.
        unsafe { (*self.as_ptr()).sk }
    }

    fn shutdown(&self) {
        // SAFETY: valid by the invariant. An error says that it is not connected (any more), which is what is wanted.
        unsafe { sys::kernel_sock_shutdown(self.as_ptr(), sys::sock_shutdown_cmd_SHUT_RDWR) };
    }

    fn bind(&self, family: Family, port: u16) -> Result {
        let port = port.to_be();
        match family {
            Family::V6 => {
                let mut any = sys::sockaddr_in6 {
                    sin6_family: family.number(),
                    sin6_port: port,
                    ..Default::default()
                };
                self.bind_to(&mut any)
            }
            Family::V4 => {
                let mut any = sys::sockaddr_in {
                    sin_family: family.number(),
                    sin_port: port,
                    ..Default::default()
                };
                self.bind_to(&mut any)
            }
        }
    }

    /// `address` is a `sockaddr_in` or a `sockaddr_in6`.
    fn bind_to<A>(&self, address: &mut A) -> Result {
        // A few bytes.
        let len = size_of::<A>() as i32;
        // SAFETY: valid by the invariant; `address` is readable for `len` bytes.
        to_result(unsafe { sys::kernel_bind(self.as_ptr(), ptr::from_mut(address).cast(), len) })
    }

    /// Asks `name`, which is `kernel_getpeername()` or `kernel_getsockname()`, for an address.
    fn address(&self, name: NameFn) -> Result<SocketAddr> {
        let mut storage = sys::__kernel_sockaddr_storage::default();
        let at = &raw mut storage;
        // SAFETY: valid by the invariant; the storage is as large as any address.
        to_result(unsafe { name(self.as_ptr(), at.cast()) })?;
        // SAFETY: the storage was initialised whole, and is as large and as aligned as every kind of address needs; all
        // of them begin with the family, and any bytes are a value of either kind.
        let (v4, v6) = unsafe {
            (
                at.cast::<sys::sockaddr_in>().read(),
                at.cast::<sys::sockaddr_in6>().read(),
            )
        };
        if v4.sin_family == Family::V4.number() {
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Ok(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
        } else if v6.sin6_family == Family::V6.number() {
            // SAFETY: all views of the union are of the same 16 initialised bytes.
            let ip = Ipv6Addr::from(unsafe { v6.sin6_addr.in6_u.u6_addr8 });
            Ok(SocketAddr::new(
                IpAddr::V6(ip).to_canonical(),
                u16::from_be(v6.sin6_port),
            ))
        } else {
            Err(EAFNOSUPPORT)
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: valid by the invariant, and not used after.
        unsafe { sys::sock_release(self.as_ptr()) };
    }
}

/// `kernel_getpeername()` or `kernel_getsockname()`.
type NameFn = unsafe extern "C" fn(*mut sys::socket, *mut sys::sockaddr) -> kernel::ffi::c_int;

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

impl Family {
    const fn number(self) -> u16 {
        // Small numbers of the ABI.
        match self {
            Family::V4 => sys::AF_INET as u16,
            Family::V6 => sys::AF_INET6 as u16,
        }
    }
}

/// A socket that waits for connections.
pub struct TcpListener {
    socket: Socket,
    closed: Atomic<bool>,
}

impl TcpListener {
    /// Listens on `port` of all addresses, IPv6 and IPv4, in the initial network namespace. With `device`, only what comes in
    /// through that interface is accepted.
    ///
    /// # Errors
    ///
    /// `ENODEV` when there is no such device, `EADDRINUSE` when somebody else listens there, `ENOMEM`.
    pub fn bind(device: Option<&CStr>, port: u16) -> Result<Self> {
        Self::bind_in(&NetNs::initial(), device, port)
    }

    /// As [`Self::bind`], in the namespace `net`.
    pub fn bind_in(net: &NetNs, device: Option<&CStr>, port: u16) -> Result<Self> {
        let index = match device {
            Some(name) => Some(crate::netdev::index_of(net, name).ok_or(ENODEV)?),
            None => None,
        };
        match Self::listen(net, Family::V6, index, port) {
            // A kernel without IPv6, or with IPv6 switched off.
            Err(error) if error == EAFNOSUPPORT || error == EADDRNOTAVAIL => {
                Self::listen(net, Family::V4, index, port)
            }
            done => done,
        }
    }

    fn listen(net: &NetNs, family: Family, device: Option<u32>, port: u16) -> Result<Self> {
        let socket = Socket::new(net, family)?;
        if let Family::V6 = family {
            // SAFETY: valid by the invariant; not bound yet, so nobody else reads the flag.
            unsafe { sys::ksmbd_sock_allow_v4(socket.as_ptr()) };
        }
        // SAFETY: `sk` is valid by the invariant. What it accepts inherits both settings.
        unsafe {
            sys::sock_set_reuseaddr(socket.sk());
            sys::tcp_sock_set_nodelay(socket.sk());
        }
        if let Some(index) = device {
            // SAFETY: `sk` is valid by the invariant and not locked here.
            to_result(unsafe { sys::sock_bindtoindex(socket.sk(), i32::try_from(index)?, true) })?;
        }
        socket.bind(family, port)?;
        // SAFETY: valid by the invariant.
        to_result(unsafe { sys::kernel_listen(socket.as_ptr(), BACKLOG) })?;
        Ok(TcpListener {
            socket,
            closed: Atomic::new(false),
        })
    }

    /// Waits for a connection. One that its client resets before it is looked at is passed over.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` for ever after [`Self::shutdown`]; `EINVAL` says that the kernel itself closed the socket. Any other error
    /// is of the moment, such as `ENOMEM`.
    pub fn accept(&self) -> Result<TcpStream> {
        loop {
            let accepted = self.accept_socket();
            if self.closed.load(Relaxed) {
                return Err(ESHUTDOWN);
            }
            match accepted.map(TcpStream::new) {
                Ok(Ok(stream)) => return Ok(stream),
                // Reset already: it has no peer any more.
                Ok(Err(_)) => {}
                Err(error) if error == ECONNABORTED => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn accept_socket(&self) -> Result<Socket> {
        let mut sock = ptr::null_mut();
        // SAFETY: valid by the invariant; `sock` is a place for the result.
        to_result(unsafe { sys::kernel_accept(self.socket.as_ptr(), &mut sock, 0) })?;
        // INVARIANT: `kernel_accept` succeeded, and gave the socket to us.
        let sock = NonNull::new(sock).ok_or(ENOMEM)?;
        Ok(Socket { sock })
    }

    /// Ends it: whoever is in [`Self::accept`], or calls it later, gets an error, and clients are refused.
    pub fn shutdown(&self) {
        self.closed.store(true, Relaxed);
        self.socket.shutdown();
    }

    /// The port that it listens on.
    pub fn port(&self) -> Result<u16> {
        Ok(self.socket.address(sys::kernel_getsockname)?.port())
    }
}

/// A connection. All methods may be called from any thread; two that send at once mix their bytes, so callers take turns.
pub struct TcpStream {
    socket: Socket,
    peer: SocketAddr,
    local: SocketAddr,
}

impl TcpStream {
    fn new(socket: Socket) -> Result<Self> {
        let peer = socket.address(sys::kernel_getpeername)?;
        let local = socket.address(sys::kernel_getsockname)?;
        Ok(TcpStream {
            socket,
            peer,
            local,
        })
    }

    /// Address of the client.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Address that the client connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Index of the interface that the client's segments come in through, 0 when not known.
    pub fn interface_index(&self) -> u32 {
        // SAFETY: valid by the invariant.
        u32::try_from(unsafe { sys::ksmbd_sock_iif(self.socket.as_ptr()) }).unwrap_or(0)
    }

    /// Whether it is connected as far as is known.
    pub fn is_connected(&self) -> bool {
        // SAFETY: valid by the invariant.
        unsafe { sys::ksmbd_sock_connected(self.socket.as_ptr()) }
    }

    /// Sends small segments at once. Streams of a [`TcpListener`] do already.
    pub fn set_nodelay(&self) {
        // SAFETY: `sk` is valid by the invariant.
        unsafe { sys::tcp_sock_set_nodelay(self.socket.sk()) };
    }

    /// Notices a peer that vanished: after `idle` seconds of silence it is asked `probes` times, every `interval` seconds.
    ///
    /// # Errors
    ///
    /// `EINVAL` for numbers that TCP does not take: `idle` and `interval` are 1 to 32767, `probes` 1 to 127.
    pub fn set_keepalive(&self, idle: u16, interval: u16, probes: u8) -> Result {
        // SAFETY: `sk` is valid by the invariant.
        unsafe {
            sys::sock_set_keepalive(self.socket.sk());
            to_result(sys::tcp_sock_set_keepidle(self.socket.sk(), idle.into()))?;
            to_result(sys::tcp_sock_set_keepintvl(
                self.socket.sk(),
                interval.into(),
            ))?;
            to_result(sys::tcp_sock_set_keepcnt(self.socket.sk(), probes.into()))
        }
    }

    /// How long a receive waits for more bytes; `None`: for ever.
    pub fn set_recv_timeout(&self, ms: Option<u32>) {
        // SAFETY: valid by the invariant.
        unsafe { sys::ksmbd_sock_set_rcvtimeo(self.socket.as_ptr(), timeout(ms)) };
    }

    /// How long a send waits for room for more bytes; `None`: for ever.
    pub fn set_send_timeout(&self, ms: Option<u32>) {
        // SAFETY: valid by the invariant.
        unsafe { sys::ksmbd_sock_set_sndtimeo(self.socket.as_ptr(), timeout(ms)) };
    }

    /// Receives what there is, at least one byte, at most `to.len()`. 0: the peer will send nothing more, or
    /// [`Self::shutdown`] was called.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when the receive timeout passed; `ECONNRESET` and others of the connection.
    pub fn recv(&self, to: &mut [u8]) -> Result<usize> {
        let vec = sys::kvec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let mut message = message(0);
        // SAFETY: `vec` and `to` outlive the call; `to` may be written.
        unsafe {
            sys::iov_iter_kvec(&mut message.msg_iter, sys::ITER_DEST, &vec, 1, to.len());
            self.receive(&mut message, 0)
        }
    }

    /// Fills `to` within `within_ms` milliseconds. With a receive timeout, it may take that much longer.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` when the peer ended the stream, or [`Self::shutdown`] was called. `EAGAIN` when the receive timeout passed
    /// and nothing came at all, `ETIMEDOUT` when it or the time passed after a part came. `ECONNRESET` and others of the
    /// connection.
    pub fn recv_exact(&self, to: &mut [u8], within_ms: u64) -> Result {
        let vec = sys::kvec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let mut message = message(0);
        // SAFETY: `vec` and `to` outlive the call; `to` may be written.
        unsafe {
            sys::iov_iter_kvec(&mut message.msg_iter, sys::ITER_DEST, &vec, 1, to.len());
            self.receive_all(&mut message, to.len(), within_ms)
        }
    }

    /// Receives exactly `len` bytes behind the payload of `pages`, which are its own and have the room.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is not the room; else as [`Self::recv_exact`]. The payload is as before then.
    pub fn recv_into_pages(&self, pages: &mut PageVec, len: usize) -> Result {
        let start = pages.len();
        let end = start.checked_add(len).ok_or(EINVAL)?;
        if pages.is_shared() || end > pages.capacity() {
            return Err(EINVAL);
        }
        let mut message = message(0);
        // SAFETY: the vector is borrowed exclusively, and while it is not shared nobody else has its pages. Its lengths add up
        // to its capacity, so `start` to `end` lies within.
        unsafe {
            bvecs(&mut message.msg_iter, sys::ITER_DEST, pages, start, end);
            self.receive_all(&mut message, len, u64::MAX)?;
            // All bytes up to `start` were written before, and those to `end` just now.
            pages.set_len(end);
        }
        Ok(())
    }

    /// Appends to `pages` references to the memory in which up to `len` bytes came, without copying them, and returns how many;
    /// it ends early, also before the first, where that memory is in too small pieces to be held, or where nothing
    /// will come any more. What is left is to be received by copying. Within `within_ms` milliseconds, as [`Self::recv_exact`].
    ///
    /// A peer on this machine may still be able to change what it sent.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the time, or the receive timeout, passed; others of the connection.
    pub fn take_pages(&self, pages: &mut PageVec, len: usize, within_ms: u64) -> Result<usize> {
        let lock = SocketLock::new(&self.socket);
        let mut taking = Taking {
            pages,
            ended: false,
        };
        let mut deadline = None;
        let mut left = len;
        loop {
            let came = lock.read(left, &mut taking)?;
            left = left.saturating_sub(came);
            if left == 0 || taking.ended || (came == 0 && !lock.awaits_data()) {
                return Ok(len.saturating_sub(left));
            }
            let now = time::monotonic_ms();
            if now > *deadline.get_or_insert(now.saturating_add(within_ms)) {
                return Err(ETIMEDOUT);
            }
            if came == 0 {
                lock.wait_for_data()?;
            }
        }
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the peer took nothing for the send timeout; `EPIPE` after [`Self::shutdown`]; `ECONNRESET` and others
    /// of the connection. How much was sent is not known then: the connection is of no more use.
    pub fn send_all(&self, bytes: &[u8]) -> Result {
        self.send_bytes(bytes, false)
    }

    /// Sends `head`, then `len` bytes from `offset` of the payload of `pages` on. With `more`, more follows at once.
    ///
    /// The pages themselves are sent, not copies. The peer may ask for them again long after this function returned, and of
    /// page-cache pages it gets what they hold at that time: where that must not be (signed messages), copy. It is why the
    /// vector is taken: nobody can fill its pages anew.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the payload does not reach that far; else as [`Self::send_all`].
    pub fn send_pages(
        &self,
        head: &[u8],
        pages: PageVec,
        offset: usize,
        len: usize,
        more: bool,
    ) -> Result {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > pages.len() {
            return Err(EINVAL);
        }
        self.send_bytes(head, more || len != 0)?;
        let mut message = message(sys::MSG_SPLICE_PAGES | more_flag(more));
        // SAFETY: the vector outlives the call, and its payload reaches to `end`. Its pages are from the page allocator, and TCP
        // takes references of its own to what it keeps.
        unsafe {
            bvecs(&mut message.msg_iter, sys::ITER_SOURCE, &pages, offset, end);
            self.transmit(&mut message)
        }
    }

    /// Ends the stream in both directions: who is receiving or sending in another thread returns, and whoever does later
    /// gets an error. May be called more than once.
    pub fn shutdown(&self) {
        self.socket.shutdown();
    }

    /// Makes the end of this stream a reset: what is not sent yet is thrown away when it is dropped, so that a peer that does
    /// not read holds no memory.
    pub fn abort_on_drop(&self) {
        // SAFETY: `sk` is valid by the invariant.
        unsafe { sys::sock_no_linger(self.socket.sk()) };
    }

    fn send_bytes(&self, bytes: &[u8], more: bool) -> Result {
        let vec = sys::kvec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut message = message(more_flag(more));
        // SAFETY: `vec` and `bytes` outlive the call, and are only read.
        unsafe {
            let len = bytes.len();
            sys::iov_iter_kvec(&mut message.msg_iter, sys::ITER_SOURCE, &vec, 1, len);
            self.transmit(&mut message)
        }
    }

    /// Sends until `message` is used up.
    ///
    /// # Safety
    ///
    /// What the message's iterator points to is readable.
    unsafe fn transmit(&self, message: &mut sys::msghdr) -> Result {
        while remaining(message) != 0 {
            // SAFETY: the socket is valid by its invariant, the message by the contract of this function. Sending advances the
            // iterator by what was sent.
            match result(unsafe { sys::sock_sendmsg(self.socket.as_ptr(), message) }) {
                Ok(0) => return Err(EPIPE),
                Ok(_) => {}
                Err(error) if error == EAGAIN => return Err(ETIMEDOUT),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives once.
    ///
    /// # Safety
    ///
    /// What the message's iterator points to is writable.
    unsafe fn receive(&self, message: &mut sys::msghdr, flags: u32) -> Result<usize> {
        // SAFETY: the socket is valid by its invariant, the message by the contract of this function.
        result(unsafe { sys::sock_recvmsg(self.socket.as_ptr(), message, flags as i32) })
    }

    /// Receives until the `len` bytes of `message` are full.
    ///
    /// # Safety
    ///
    /// As [`Self::receive`].
    unsafe fn receive_all(&self, message: &mut sys::msghdr, len: usize, within_ms: u64) -> Result {
        // Read once a part came: most messages come whole, and need no clock.
        let mut deadline = None;
        let mut left = len;
        while left != 0 {
            if left != len {
                let now = time::monotonic_ms();
                if now > *deadline.get_or_insert(now.saturating_add(within_ms)) {
                    return Err(ETIMEDOUT);
                }
            }
            // SAFETY: by the contract of this function. Receiving advances the iterator by what was received.
            match unsafe { self.receive(message, sys::MSG_WAITALL) } {
                Ok(0) => return Err(ESHUTDOWN),
                Ok(got) => left = left.saturating_sub(got),
                Err(error) if error == EAGAIN && left != len => return Err(ETIMEDOUT),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The lock of a socket. Who holds it may sleep.
///
/// # Invariants
///
/// The current task holds it.
struct SocketLock<'a>(&'a Socket);

impl<'a> SocketLock<'a> {
    fn new(socket: &'a Socket) -> Self {
        // SAFETY: `sk` is valid by the invariant; nothing here takes the lock twice.
        unsafe { sys::ksmbd_sock_lock(socket.sk()) };
        SocketLock(socket)
    }

    /// Hands up to `len` bytes of what came to `taking`, and returns how many it took.
    fn read(&self, len: usize, taking: &mut Taking<'_>) -> Result<usize> {
        let ctx = ptr::from_mut(taking).cast();
        // SAFETY: `sk` is valid and locked; `take_fragments` gets `taking`, which is exclusively borrowed until the call returns.
        result(unsafe { sys::ksmbd_tcp_read(self.0.sk(), len, Some(take_fragments), ctx) })
    }

    /// Whether nothing is there, and more may come.
    fn awaits_data(&self) -> bool {
        // SAFETY: `sk` is valid and locked.
        unsafe { sys::ksmbd_sock_awaits_data(self.0.sk()) }
    }

    /// Waits, without the lock, for something to happen.
    fn wait_for_data(&self) -> Result {
        // SAFETY: `sk` is valid and locked.
        let mut left = unsafe { sys::ksmbd_sock_rcvtimeo(self.0.sk()) };
        // SAFETY: as above; it is locked again when the call returns.
        unsafe { sys::sk_wait_data(self.0.sk(), &mut left, ptr::null()) };
        if left == 0 {
            return Err(ETIMEDOUT);
        }
        Ok(())
    }
}

impl Drop for SocketLock<'_> {
    fn drop(&mut self) {
        // SAFETY: by the type invariant.
        unsafe { sys::release_sock(self.0.sk()) };
    }
}

/// Fewest bytes that the fragments of a segment must have on average to be taken by reference: each may hold a page. Those of
/// network cards that fill a page or a half with each packet are copied.
const MIN_FRAGMENT: u32 = 2 << 10;

/// Where received fragments go.
struct Taking<'a> {
    pages: &'a mut PageVec,
    /// Whether something came that cannot be taken.
    ended: bool,
}

impl Taking<'_> {
    /// Takes `len` bytes of `skb` from `offset` on, or fewer.
    ///
    /// # Safety
    ///
    /// `skb` is valid and has that many bytes.
    unsafe fn take(&mut self, skb: *const sys::sk_buff, mut offset: u32, len: u32) -> Result {
        // SAFETY: by the contract of this function.
        let (count, bytes) = unsafe { (sys::ksmbd_skb_fragments(skb), sys::ksmbd_skb_len(skb)) };
        if bytes
            .checked_div(count)
            .is_none_or(|mean| mean < MIN_FRAGMENT)
        {
            return Err(EINVAL);
        }
        let mut left = len;
        for nth in 0..count {
            let (mut at, mut size) = (0, 0);
            // SAFETY: `nth` is below the number of fragments.
            let page = unsafe { sys::ksmbd_skb_fragment(skb, nth, &mut at, &mut size) };
            let skipped = offset.min(size);
            offset = offset.saturating_sub(skipped);
            let (at, size) = (
                at.saturating_add(skipped),
                size.saturating_sub(skipped).min(left),
            );
            if size != 0 {
                let page = NonNull::new(page).ok_or(EINVAL)?;
                // SAFETY: the socket's buffer has a reference to the page, and what came is initialised.
                unsafe { self.pages.push_ref(page, at as usize, size as usize) }?;
                left = left.saturating_sub(size);
            }
        }
        Ok(())
    }
}

/// Appends up to `len` bytes of `skb` from `offset` on to the [`Taking`] at `ctx`.
///
/// # Safety
///
/// `ctx` is an exclusively borrowed `Taking`, and `skb` valid with that many bytes.
unsafe extern "C" fn take_fragments(
    ctx: *mut c_void,
    skb: *mut sys::sk_buff,
    offset: c_uint,
    len: c_uint,
) -> c_int {
    // SAFETY: by the caller's promise.
    let taking = unsafe { &mut *ctx.cast::<Taking<'_>>() };
    let before = taking.pages.len();
    // SAFETY: by the caller's promise.
    taking.ended = unsafe { taking.take(skb, offset, len) }.is_err();
    // At most `len`, which was an `int` before.
    c_int::try_from(taking.pages.len().saturating_sub(before)).unwrap_or(0)
}

/// Lets `iter` point to the bytes `start..end` of `pages`.
///
/// # Safety
///
/// `end` is at most the capacity of `pages`, which stay while `iter` is used.
unsafe fn bvecs(
    iter: &mut sys::iov_iter,
    direction: u32,
    pages: &PageVec,
    start: usize,
    end: usize,
) {
    let vecs = pages.as_bvecs();
    // SAFETY: the elements are valid, and cover `end` bytes by the contract of this function.
    unsafe {
        sys::iov_iter_bvec(
            iter,
            direction,
            vecs.as_ptr(),
            vecs.len() as kernel::ffi::c_ulong,
            end,
        );
        sys::iov_iter_advance(iter, start);
    }
}

/// A message to send or to receive into, of no bytes yet.
fn message(flags: u32) -> sys::msghdr {
    // SAFETY: no flag, no address, no control data, no bytes: all of it is zero.
    let mut message: sys::msghdr = unsafe { core::mem::zeroed() };
    message.msg_flags = flags | sys::MSG_NOSIGNAL;
    message
}

fn more_flag(more: bool) -> u32 {
    if more {
        sys::MSG_MORE
    } else {
        0
    }
}

fn timeout(ms: Option<u32>) -> kernel::ffi::c_long {
    ms.map_or(kernel::ffi::c_long::MAX, time::ms_to_timeout)
}

/// A count, or a negative error.
fn result(value: i32) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::from_errno(value))
}

/// Bytes that `message` has left.
fn remaining(message: &sys::msghdr) -> usize {
    // SAFETY: the iterator was set up before anybody asks.
    unsafe { sys::ksmbd_iov_iter_count(&message.msg_iter) }
}
