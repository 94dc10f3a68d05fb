// SPDX-License-Identifier: GPL-2.0

//! The receive loop: the body of a connection's thread.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use linux::time;

use super::{Connection, Frame};
use crate::smb2::chain;

/// The largest frame before anybody logged in, bytes.
const MAX_UNAUTHENTICATED: usize = 16 << 10;
/// The smallest frame that can hold a message: an SMB1 NEGOTIATE without dialects.
const MIN_FRAME: usize = 35;

/// Reads frames and hands them to workers until the client or the server ends the connection.
pub(crate) fn run(conn: &Arc<Connection>) {
    loop {
        match next_frame(conn) {
            Ok(frame) => {
                conn.last_active.store(time::monotonic_ms(), Relaxed);
                conn.enqueue(move || {
                    let conn = frame.connection().clone();
                    chain::serve(&conn, frame);
                });
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

/// The next frame, [MS-SMB2] 2.1.
///
/// # Errors
///
/// `EAGAIN` if nothing came for the receive timeout; all others are final.
fn next_frame(conn: &Arc<Connection>) -> Result<Frame> {
    let mut head = [0u8; 4];
    conn.transport.receive(&mut head)?;
    let [kind, high, middle, low] = head;
    let len = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
    let max = if !conn.is_authenticated() {
        MAX_UNAUTHENTICATED
    } else {
        conn.config.max_frame()
    };
    if kind != 0 || !(MIN_FRAME..=max).contains(&len) {
        debug!(conn.server, Conn, "{}: frame of type {} and {} bytes\n", conn.peer, kind, len);
        return Err(EPROTO);
    }
    let load = conn.admit(len).ok_or(ECONNRESET)?;
    let mut buffer = conn.server.buffers.get(len)?;
    // A peer that stops in the middle of a frame is given one timeout, not for ever.
    buffer.append_with(len, |room| {
        conn.transport.receive(room).map_err(|_| ECONNRESET)?;
        Ok::<_, Error>(room.len())
    })?;
    Ok(Frame { buffer, start: 0, end: len, load })
}
