// SPDX-License-Identifier: GPL-2.0

//! The receive loop: the body of a connection's thread.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use linux::pages::PageVec;
use linux::span::Span;
use linux::time;
use smb_proto::header::FrameKind;
use smb_proto::{transform, write};

use super::{Connection, Frame};
use crate::server::config::Kerberos;
use crate::smb2::job::Job;

/// The largest frame before anybody logged in, bytes.
const MAX_UNAUTHENTICATED: usize = 16 << 10;
/// The same where clients may bring Kerberos tickets: the token of a SESSION_SETUP has a length of 16 bits.
const MAX_TICKET: usize = 65 << 10;
/// The smallest frame that can hold a message: an SMB1 NEGOTIATE without dialects.
const MIN_FRAME: usize = 35;

/// How long a client may take to log in, ms.
const LOGIN_TIMEOUT_MS: u64 = 60_000;
/// How long any frame may take to arrive, ms, and the rate at which a large one must arrive besides.
const FRAME_TIME_MS: u64 = 7_000;
const MIN_BYTES_PER_MS: u64 = 16;
/// The smallest frame whose data may stay in the pages that they came in: below, the copy costs less.
const MIN_BY_REFERENCE: usize = 32 << 10;
/// Bytes that are received ahead: the transport's length and a whole small request take one call.
const AHEAD: usize = 256;

/// What was received and not yet taken.
struct Inbox {
    bytes: [u8; AHEAD],
    start: usize,
    end: usize,
}

impl Inbox {
    fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Takes what fits into `to`; the number of bytes.
    fn take(&mut self, to: &mut [u8]) -> usize {
        let count = Span::from(self.peek()).copy_to(to);
        self.start = self.start.saturating_add(count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        count
    }

    /// What was received.
    fn peek(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    /// Forgets all but the first `count` bytes.
    fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start.saturating_add(count));
    }

    /// Receives until there are four bytes.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there were none and none came for the receive timeout; all others are final.
    fn receive_head(&mut self, conn: &Connection) -> Result<[u8; 4]> {
        while self.len() < 4 {
            // Fewer than four bytes are left of what was received: there is room behind them, or they move to the front.
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
            let room = self.bytes.get_mut(self.end..).ok_or(EINVAL)?;
            match conn.transport.receive_some(room) {
                Ok(0) => return Err(ESHUTDOWN),
                Ok(count) => self.end = self.end.saturating_add(count).min(AHEAD),
                Err(error) if error == EAGAIN && self.len() > 0 => return Err(ECONNRESET),
                Err(error) => return Err(error),
            }
        }
        let mut head = [0u8; 4];
        self.take(&mut head);
        Ok(head)
    }
}

/// Reads frames and hands them to workers until the client or the server ends the connection.
pub(crate) fn run(conn: &Arc<Connection>) {
    let began = time::monotonic_ms();
    let mut inbox = Inbox {
        bytes: [0; AHEAD],
        start: 0,
        end: 0,
    };
    while conn.is_authenticated() || time::monotonic_ms().saturating_sub(began) < LOGIN_TIMEOUT_MS {
        match next_frame(conn, &mut inbox) {
            Ok(frame) => {
                conn.last_active.store(time::monotonic_ms(), Relaxed);
                match Job::new(frame) {
                    Ok(job) => job.enqueue(),
                    // A request that is never answered would hold the client's credits for good.
                    Err(_) => break,
                }
            }
            Err(error) if error == EAGAIN && !conn.has_ended() && !is_dead(conn) => {}
            Err(_) => break,
        }
    }
    conn.tear_down();
}

/// Whether the connection was idle for the configured dead time with no file open.
fn is_dead(conn: &Connection) -> bool {
    let limit = conn.config.dead_time_ms;
    limit > 0 && conn.idle_ms() >= limit && !conn.channels.any_open_file()
}

/// How long a peer may take to send the rest of a frame, ms.
fn time_for(len: usize) -> u64 {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    FRAME_TIME_MS.saturating_add(len / MIN_BYTES_PER_MS)
}

/// The next frame, [MS-SMB2] 2.1.
///
/// # Errors
///
/// `EAGAIN` if nothing came for the receive timeout; all others are final.
fn next_frame(conn: &Arc<Connection>, inbox: &mut Inbox) -> Result<Frame> {
    let [kind, high, middle, low] = inbox.receive_head(conn)?;
    let len = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
    let max = if conn.is_authenticated() {
        conn.config.max_frame()
    } else if conn.config.kerberos == Kerberos::Offered {
        MAX_TICKET
    } else {
        MAX_UNAUTHENTICATED
    };
    if kind != 0 || !(MIN_FRAME..=max).contains(&len) {
        debug!(
            conn.server,
            Conn, "{}: frame of type {} and {} bytes\n", conn.peer, kind, len
        );
        return Err(EPROTO);
    }
    let load = conn.admit(len).ok_or(ECONNRESET)?;
    let taken = take_data(conn, inbox, len).map_err(|_| ECONNRESET)?;
    let rest = len.saturating_sub(taken.len());
    let mut buffer = conn.server.buffers.get(rest)?;
    buffer.append_with(rest, |room| {
        let here = inbox.take(room);
        if let Some(rest) = room.get_mut(here..).filter(|rest| !rest.is_empty()) {
            // A peer that stops in the middle of a frame is given one timeout, and one that trickles not for ever: the buffer
            // is as large as he announced.
            let within = time_for(rest.len());
            conn.transport
                .receive(rest, within)
                .map_err(|_| ECONNRESET)?;
        }
        Ok::<_, Error>(room.len())
    })?;
    conn.traffic.came(len);
    Ok(Frame {
        buffer,
        taken,
        start: 0,
        end: rest,
        load,
        reserved: 0,
    })
}

/// Takes the end of a large frame of `len` bytes, as much as suits, in the pages that it came in, without another copy: the data of a WRITE,
/// which are written to the file from there, or a sealed message, which is decrypted from there. Nothing of a frame that is to be
/// verified, since a sender on this machine may still be able to change it.
fn take_data(conn: &Connection, inbox: &mut Inbox, len: usize) -> Result<PageVec> {
    let mut pages = PageVec::new();
    if len < MIN_BY_REFERENCE {
        return Ok(pages);
    }
    let Some((at, ahead)) =
        bulk_at(inbox.peek(), len).and_then(|at| Some((at, inbox.peek().get(at..)?)))
    else {
        return Ok(pages);
    };
    if !ahead.is_empty() {
        pages = PageVec::alloc(ahead.len())?;
        pages.fill(ahead);
    }
    let left = len.saturating_sub(inbox.len());
    if conn
        .transport
        .take_pages(&mut pages, left, time_for(left))?
        == 0
    {
        return Ok(PageVec::new());
    }
    inbox.truncate(at);
    Ok(pages)
}

/// Where what may stay in pages begins in a frame of `len` bytes that begins with `front`.
fn bulk_at(front: &[u8], len: usize) -> Option<usize> {
    match FrameKind::of(front) {
        Ok(FrameKind::Transform) => Some(transform::HEADER_LEN),
        _ => write::data_alone(front, len),
    }
}
