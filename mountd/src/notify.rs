// SPDX-License-Identifier: GPL-2.0

//! Tells systemd how it stands: sd_notify(3), as a datagram to the socket that `NOTIFY_SOCKET` names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends `message`, such as `READY=1`, if somebody listens.
pub fn notify(message: &str) {
    let Some(path) = std::env::var("NOTIFY_SOCKET")
        .ok()
        .filter(|path| !path.is_empty())
    else {
        return;
    };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address));
    if let Err(error) = sent {
        log::debug!("systemd could not be told `{message}`: {error}");
    }
}
