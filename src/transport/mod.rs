// SPDX-License-Identifier: GPL-2.0

//! The byte stream of one connection.

pub(crate) mod tcp;

use kernel::prelude::*;
use linux::pages::PageVec;

/// A reliable stream of bytes to one client.
///
/// Only the connection's thread receives. Senders serialise themselves (the connection's send lock). Any thread may
/// shut the stream down, which ends a blocked receiver and sender.
pub(crate) trait Transport: Send + Sync {
    /// Receives what there is, at least one byte, at most `bytes.len()`; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when nothing arrived for the receive timeout; anything else ends the connection.
    fn receive_some(&self, bytes: &mut [u8]) -> Result<usize>;

    /// Fills `bytes`, which takes `within_ms` milliseconds at the most, or little more.
    ///
    /// # Errors
    ///
    /// All of them end the connection.
    fn receive(&self, bytes: &mut [u8], within_ms: u64) -> Result;

    /// Appends to `pages` references to the memory that up to `len` bytes came in, where it suits, and returns how many those are:
    /// the rest is to be received. Takes as long as [`Self::receive`].
    ///
    /// # Errors
    ///
    /// All of them end the connection.
    fn take_pages(&self, pages: &mut PageVec, len: usize, within_ms: u64) -> Result<usize>;

    /// Sends `head` and then the bytes of `pages`.
    fn send(&self, head: &[u8], pages: Option<PageVec>) -> Result;

    /// Ends the stream in both directions. May be called more than once.
    fn shut_down(&self);
}
