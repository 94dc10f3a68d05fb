// SPDX-License-Identifier: GPL-2.0

//! Text of network addresses, for logs, thread names and messages to the daemon.

use core::fmt::{self, Write};
use core::net::IpAddr;

/// Longest text of an address: eight groups of four digits with a zone is shorter.
const LONGEST: usize = 48;

/// The text of one address: `192.0.2.1` or `2001:db8::1`.
#[derive(Clone, Copy)]
pub struct AddressText {
    bytes: [u8; LONGEST],
    len: usize,
}

impl AddressText {
    /// Writes `address` as text. An IPv4 address mapped into IPv6 is written as IPv4.
    pub fn new(address: IpAddr) -> Self {
        let mut text = AddressText {
            bytes: [0; LONGEST],
            len: 0,
        };
        // Cannot fail: no address is longer than the buffer. If one were, it would be cut.
        let _ = write!(text, "{}", address.to_canonical());
        text
    }

    /// Its bytes, ASCII, with no terminator.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// As a string.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("?")
    }
}

impl Write for AddressText {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for byte in s.bytes() {
            *self.bytes.get_mut(self.len).ok_or(fmt::Error)? = byte;
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }
}

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl kernel::fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An address and port as text: `192.0.2.1:445` or `[2001:db8::1]:445`. To print what `core` can, with the kernel's macros.
pub struct SocketText(pub core::net::SocketAddr);

impl kernel::fmt::Display for SocketText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
