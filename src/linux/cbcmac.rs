// SPDX-License-Identifier: GPL-2.0

//! CBC-MAC, and AES-CMAC of long messages on top of it: the last block that AES-CBC makes of a message. Where the library enters and leaves
//! the vector unit for each block, a driver of AES-CBC stays there for a page, which is worth throwing away what it writes.

use crate::skcipher::{Block, Skcipher, BLOCK_LEN};
use crate::span::{linear_parts, Span};
use crate::sys;
use core::mem::MaybeUninit;
use core::ptr::copy_nonoverlapping;
use kernel::prelude::*;

/// Bytes that one call encrypts, and thus of what is thrown away.
const SINK_LEN: usize = 4096;
/// Short parts are gathered up to this many bytes, so that there are few calls.
const STAGE_LEN: usize = 256;

/// Memory that a driver may reach, as the stack is not. Its first [`STAGE_LEN`] bytes gather what is to be encrypted; while something long
/// is, it takes what comes out.
#[repr(C, align(16))]
struct Scratch([MaybeUninit<u8>; SINK_LEN]);

/// A CBC-MAC that is being computed.
pub(crate) struct CbcMac<'k> {
    cipher: &'k Skcipher,
    /// What came out of the last block.
    state: Block,
    scratch: KBox<Scratch>,
    /// Bytes gathered at the front of the scratch, not yet encrypted. One at least, from the first on.
    // INVARIANT: at most `STAGE_LEN`, and initialised.
    held: usize,
    /// Bytes of the scratch to wipe in the end.
    written: usize,
}

impl<'k> CbcMac<'k> {
    /// Starts with a cipher of mode CBC.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(cipher: &'k Skcipher) -> Result<Self> {
        // SAFETY: an array of uninitialised bytes is initialised.
        let scratch = unsafe { KBox::<Scratch>::new_uninit(GFP_KERNEL)?.assume_init() };
        Ok(CbcMac {
            cipher,
            state: [0; BLOCK_LEN],
            scratch,
            held: 0,
            written: STAGE_LEN,
        })
    }

    /// Adds what `span` has.
    ///
    /// # Errors
    ///
    /// What the driver says: the MAC is then lost.
    pub(crate) fn add(&mut self, span: Span<'_>) -> Result {
        if self.has_room(span.len()) {
            // SAFETY: a span is mapped for its length, which has room.
            unsafe { self.hold(span.as_ptr(), span.len()) };
            return Ok(());
        }
        // SAFETY: a span is mapped for its length.
        unsafe { linear_parts(span.as_ptr(), span.len(), |at, len| self.add_part(at, len)) }
    }

    /// Adds zeros up to the end of the block.
    ///
    /// # Errors
    ///
    /// As [`CbcMac::add`].
    pub(crate) fn pad(&mut self) -> Result {
        let short = self
            .held
            .next_multiple_of(BLOCK_LEN)
            .saturating_sub(self.held);
        let (zeros, _) = Span::from(&[0; BLOCK_LEN]).split(short);
        self.add(zeros)
    }

    /// The MAC of everything added, whose last block `complete` may change: it is told its bytes, of which the first that many are the
    /// message's and the others zero.
    ///
    /// # Errors
    ///
    /// As [`CbcMac::add`].
    pub(crate) fn finish(mut self, complete: impl FnOnce(&mut Block, usize)) -> Result<Block> {
        let whole = self.held.saturating_sub(1) / BLOCK_LEN * BLOCK_LEN;
        self.encrypt_held(whole)?;
        let rest = self.held.saturating_sub(whole);
        let mut last = [0; BLOCK_LEN];
        // SAFETY: the bytes from `whole` on are held, and no more of them than a block has.
        unsafe { copy_nonoverlapping(self.at(whole), last.as_mut_ptr(), rest) };
        complete(&mut last, rest);
        self.held = 0;
        // SAFETY: a block has room.
        unsafe { self.hold(last.as_ptr(), BLOCK_LEN) };
        self.encrypt_held(BLOCK_LEN)?;
        Ok(self.state)
    }

    /// What the cipher makes of one block alone. The MAC does not change.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub(crate) fn encrypt_block(&mut self, block: &Block) -> Result<Block> {
        let at = self.at(STAGE_LEN);
        self.written = self.written.max(STAGE_LEN.saturating_add(BLOCK_LEN));
        let mut out = [0; BLOCK_LEN];
        // SAFETY: the scratch has a block there, where nothing is held; it is in the direct mapping, and this thread's alone.
        unsafe {
            copy_nonoverlapping(block.as_ptr(), at, BLOCK_LEN);
            self.cipher.encrypt(at, at, BLOCK_LEN, &mut out)?;
        }
        Ok(out)
    }

    fn has_room(&self, len: usize) -> bool {
        self.held
            .checked_add(len)
            .is_some_and(|all| all <= STAGE_LEN)
    }

    /// The byte `offset` of the scratch, which has more than that.
    fn at(&mut self, offset: usize) -> *mut u8 {
        self.scratch
            .0
            .as_mut_ptr()
            .cast::<u8>()
            .wrapping_add(offset)
    }

    /// Gathers `len` bytes.
    ///
    /// # Safety
    ///
    /// They are mapped at `from`, and have room.
    unsafe fn hold(&mut self, from: *const u8, len: usize) {
        // SAFETY: by the caller's promise; the scratch is nobody else's.
        unsafe { copy_nonoverlapping(from, self.at(self.held), len) };
        self.held = self.held.saturating_add(len);
    }

    /// Encrypts the first `len` bytes held, of whole blocks, in their place.
    fn encrypt_held(&mut self, len: usize) -> Result {
        if len == 0 {
            return Ok(());
        }
        let at = self.at(0);
        // SAFETY: they are held, in the direct mapping, and this thread's alone.
        unsafe { self.cipher.encrypt(at, at, len, &mut self.state) }
    }

    /// Adds `len` bytes at `at` in the direct mapping, for which there is no room.
    fn add_part(&mut self, at: *const u8, len: usize) -> Result {
        if self.has_room(len) {
            // SAFETY: the caller's promise, and there is room.
            unsafe { self.hold(at, len) };
            return Ok(());
        }
        // What is held ends with a block; there was no room, so more is to come.
        let first = self
            .held
            .next_multiple_of(BLOCK_LEN)
            .saturating_sub(self.held);
        // SAFETY: the room is of whole blocks.
        unsafe { self.hold(at, first) };
        self.encrypt_held(self.held)?;
        self.held = 0;
        let rest = len.saturating_sub(first);
        // The last block, whole or not, may be the message's last.
        let bulk = rest.saturating_sub(1) / BLOCK_LEN * BLOCK_LEN;
        let from = at.wrapping_add(first);
        self.encrypt_through(from, bulk)?;
        // SAFETY: at most a block is left, and nothing held.
        unsafe { self.hold(from.wrapping_add(bulk), rest.saturating_sub(bulk)) };
        Ok(())
    }

    /// Encrypts `len` bytes, of whole blocks, at `at` in the direct mapping, and throws away what comes out but for the state.
    fn encrypt_through(&mut self, at: *const u8, len: usize) -> Result {
        let mut done = 0;
        let sink = self.at(0);
        while done < len {
            let take = len.saturating_sub(done).min(SINK_LEN);
            // SAFETY: the caller's promise; nothing is held, so the scratch is free, and it has that much room.
            unsafe {
                self.cipher
                    .encrypt(sink, at.wrapping_add(done), take, &mut self.state)?
            };
            self.written = self.written.max(take);
            done = done.saturating_add(take);
        }
        Ok(())
    }
}

impl Drop for CbcMac<'_> {
    fn drop(&mut self) {
        // What a MAC goes through must not be known to who would forge one.
        // SAFETY: the scratch is that long at least.
        unsafe { sys::ksmbd_memzero(self.at(0).cast(), self.written) };
    }
}

/// A key for AES-CMAC of long messages (RFC 4493).
pub(crate) struct LongCmac {
    cipher: Skcipher,
    /// What a last block that is whole is combined with.
    whole: Block,
    /// What another is combined with.
    partial: Block,
}

impl LongCmac {
    /// Prepares `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// As [`Skcipher::cbc`].
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        let cipher = Skcipher::cbc(key)?;
        let zero = CbcMac::new(&cipher)?.encrypt_block(&[0; BLOCK_LEN])?;
        let whole = doubled(u128::from_be_bytes(zero));
        let partial = doubled(whole);
        Ok(LongCmac {
            cipher,
            whole: whole.to_be_bytes(),
            partial: partial.to_be_bytes(),
        })
    }

    /// Whether it is faster than the library: see [`Skcipher::is_by_driver`].
    pub(crate) fn is_by_driver(&self) -> bool {
        self.cipher.is_by_driver()
    }

    /// The MAC of `parts`, one after the other.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what the driver says.
    pub(crate) fn mac<'a>(&self, parts: impl Iterator<Item = Span<'a>>) -> Result<Block> {
        let mut mac = CbcMac::new(&self.cipher)?;
        for part in parts {
            mac.add(part)?;
        }
        mac.finish(|last, len| {
            let subkey = if len == BLOCK_LEN {
                &self.whole
            } else {
                last.iter_mut()
                    .skip(len)
                    .take(1)
                    .for_each(|end| *end = 0x80);
                &self.partial
            };
            last.iter_mut()
                .zip(subkey)
                .for_each(|(byte, key)| *byte ^= key);
        })
    }
}

/// The product with x of a polynomial over GF(2) modulo x^128 + x^7 + x^2 + x + 1 (RFC 4493 section 2.3), in time that does not depend on
/// it.
fn doubled(value: u128) -> u128 {
    (value << 1) ^ ((value >> 127).wrapping_neg() & 0x87)
}
