// SPDX-License-Identifier: GPL-2.0

//! What a decompressor writes: the caller's buffer, filled from the front, and copied from itself.

use crate::wire::{Malformed, Parsed};

/// A buffer of the size that was announced, as far as it is filled.
///
/// # Invariants
///
/// `at` is at most the buffer's length, and everything before it was written.
pub(super) struct Output<'a> {
    buf: &'a mut [u8],
    at: usize,
}

impl<'a> Output<'a> {
    /// An empty one over `buf`.
    pub(super) fn new(buf: &'a mut [u8]) -> Self {
        Output { buf, at: 0 }
    }

    /// Bytes written.
    pub(super) fn len(&self) -> usize {
        self.at
    }

    /// Whether every byte was written.
    pub(super) fn is_full(&self) -> bool {
        self.at >= self.buf.len()
    }

    /// Appends a byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) -> Parsed<()> {
        *self.buf.get_mut(self.at).ok_or(Malformed)? = byte;
        self.at = self.at.wrapping_add(1);
        Ok(())
    }

    /// Appends bytes.
    pub(super) fn bytes(&mut self, from: &[u8]) -> Parsed<()> {
        let end = self.at.checked_add(from.len()).ok_or(Malformed)?;
        let to = self.buf.get_mut(self.at..end).ok_or(Malformed)?;
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        self.at = end;
        Ok(())
    }

    /// Appends `len` bytes, each the one that stands `distance` before it; with fewer bytes of distance than of length, what
    /// this call itself wrote is repeated.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if `distance` is zero or leads before the buffer, or the buffer has no room.
    #[inline]
    pub(super) fn repeat(&mut self, distance: usize, len: usize) -> Parsed<()> {
        let start = self.at.checked_sub(distance).ok_or(Malformed)?;
        let end = self.at.checked_add(len).ok_or(Malformed)?;
        if distance == 0 || end > self.buf.len() {
            return Err(Malformed);
        }
        // What lies from `start` on repeats every `distance` bytes and is copied whole, so it is twice as long the next time.
        while self.at < end {
            let (done, free) = self.buf.split_at_mut_checked(self.at).ok_or(Malformed)?;
            let from = done.get(start..).ok_or(Malformed)?;
            let step = from.len().min(end.wrapping_sub(self.at));
            for (to, from) in free.iter_mut().zip(from).take(step) {
                *to = *from;
            }
            self.at = self.at.wrapping_add(step);
        }
        Ok(())
    }
}
