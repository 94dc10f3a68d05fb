// SPDX-License-Identifier: GPL-2.0

//! Direct TCP, [MS-SMB2] 2.1.

use kernel::prelude::*;
use linux::pages::PageVec;
use linux::socket::TcpStream;

use super::Transport;

/// A TCP connection.
pub(crate) struct Tcp(pub(crate) TcpStream);

impl Transport for Tcp {
    fn receive_some(&self, bytes: &mut [u8]) -> Result<usize> {
        self.0.recv(bytes)
    }

    fn receive(&self, bytes: &mut [u8], within_ms: u64) -> Result {
        self.0.recv_exact(bytes, within_ms)
    }

    fn take_pages(&self, pages: &mut PageVec, len: usize, within_ms: u64) -> Result<usize> {
        self.0.take_pages(pages, len, within_ms)
    }

    fn send(&self, head: &[u8], pages: Option<PageVec>) -> Result {
        match pages {
            None => self.0.send_all(head),
            Some(pages) => {
                let len = pages.len();
                self.0.send_pages(head, pages, 0, len, false)
            }
        }
    }

    fn shut_down(&self) {
        self.0.shutdown();
    }
}
