// SPDX-License-Identifier: GPL-2.0

//! AES-CCM (RFC 3610) of long messages, put together from a CBC-MAC and AES-CTR, each by a driver that does a page at a time. With tags
//! of 16 bytes, nonces of 11 and lengths of 4, as [MS-SMB2] 3.1.4.3 has them.

use crate::cbcmac::CbcMac;
use crate::cipher::{CcmNonce, Tag};
use crate::pages::PageVec;
use crate::secret::ct_eq;
use crate::skcipher::{Block, Skcipher, BLOCK_LEN};
use crate::span::{linear_parts, Span, SpanMut};
use core::ptr::NonNull;
use kernel::prelude::*;

/// The first byte of the block that the MAC begins with: there are associated data, the tag has 16 bytes, the length 4.
const MAC_FLAGS: u8 = 0x40 | (((16 - 2) / 2) << 3) | (4 - 1);
/// The first byte of a block that counts: the length has 4 bytes.
const COUNTER_FLAGS: u8 = 4 - 1;
/// Most bytes of associated data whose length takes two bytes.
const AAD_MAX: usize = 0xFEFF;

/// A key prepared for AES-CCM.
pub(crate) struct LongCcm {
    mac: Skcipher,
    counter: Skcipher,
}

impl LongCcm {
    /// Prepares `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// As [`Skcipher::cbc`].
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        Ok(LongCcm {
            mac: Skcipher::cbc(key)?,
            counter: Skcipher::ctr(key)?,
        })
    }

    /// Whether it is faster than the library: see [`Skcipher::is_by_driver`].
    pub(crate) fn is_by_driver(&self) -> bool {
        self.mac.is_by_driver() && self.counter.is_by_driver()
    }

    /// Encrypts `message` and the payload of `pages`, which are not shared, in place, as one message, and returns the tag over both and
    /// `aad`.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` for a message of 2^32 bytes or more, `ENOMEM`, and what the drivers say. The message must then not be sent.
    pub(crate) fn seal_in_place(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        message: &mut [u8],
        pages: Option<&mut PageVec>,
    ) -> Result<Tag> {
        let behind = pages.as_ref().map_or(0, |pages| pages.len());
        let len = message.len().checked_add(behind).ok_or(EOVERFLOW)?;
        let mut run = Run::new(self, nonce, aad, len)?;
        let pages = pages.into_iter().flat_map(PageVec::spans_mut);
        for part in Iterator::chain(core::iter::once(SpanMut::from(message)), pages) {
            run.add(part, Order::MacFirst)?;
        }
        run.tag()
    }

    /// Decrypts `message` in place, if `tag` is that of it and `aad`.
    ///
    /// # Errors
    ///
    /// `EBADMSG` when it is not: the content of `message` is then not to be used. Others as [`LongCcm::seal_in_place`].
    pub(crate) fn open(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        message: &mut [u8],
        tag: &Tag,
    ) -> Result {
        let mut run = Run::new(self, nonce, aad, message.len())?;
        run.add(SpanMut::from(message), Order::MacLast)?;
        if ct_eq(&run.tag()?, tag) {
            Ok(())
        } else {
            Err(EBADMSG)
        }
    }
}

/// The MAC is over the plain text: before it is encrypted, or after it is decrypted.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    MacFirst,
    MacLast,
}

/// A message on its way.
struct Run<'k> {
    counter: &'k Skcipher,
    mac: CbcMac<'k>,
    nonce: CcmNonce,
    /// The number of the next block. Zero is the tag's.
    next: u32,
    /// What the last block that was not needed whole is combined with, and how much of it was used.
    stream: Block,
    used: usize,
}

impl<'k> Run<'k> {
    fn new(key: &'k LongCcm, nonce: &CcmNonce, aad: &[u8], len: usize) -> Result<Self> {
        let aad_len = u16::try_from(aad.len()).map_err(|_| EINVAL)?;
        if aad.is_empty() || aad.len() > AAD_MAX {
            return Err(EINVAL);
        }
        let len = u32::try_from(len).map_err(|_| EOVERFLOW)?;
        let mut mac = CbcMac::new(&key.mac)?;
        mac.add(Span::from(&block(MAC_FLAGS, nonce, len)))?;
        mac.add(Span::from(&aad_len.to_be_bytes()))?;
        mac.add(Span::from(aad))?;
        mac.pad()?;
        Ok(Run {
            counter: &key.counter,
            mac,
            nonce: *nonce,
            next: 1,
            stream: [0; BLOCK_LEN],
            used: BLOCK_LEN,
        })
    }

    /// En- or decrypts a part of the message.
    fn add(&mut self, mut part: SpanMut<'_>, order: Order) -> Result {
        let each = |at: *const u8, len| {
            let at = NonNull::new(at.cast_mut()).ok_or(EFAULT)?;
            // SAFETY: a part of the span, which is text, and for the time of this call only.
            let text = unsafe { Span::from_raw(at, len) };
            if order == Order::MacFirst {
                self.mac.add(text)?;
            }
            // SAFETY: the span is nobody else's, and its part in the direct mapping.
            unsafe { self.combine(at.as_ptr(), len) }?;
            if order == Order::MacLast {
                self.mac.add(text)?;
            }
            Ok(())
        };
        // SAFETY: a span is mapped for its length.
        unsafe { linear_parts(part.as_mut_ptr(), part.len(), each) }
    }

    /// Combines `len` bytes with the stream that the counter makes.
    ///
    /// # Safety
    ///
    /// They are mapped at `at` in the direct mapping, and nobody else's.
    unsafe fn combine(&mut self, at: *mut u8, len: usize) -> Result {
        let first = len.min(BLOCK_LEN.saturating_sub(self.used));
        // SAFETY: the first bytes of those that the caller promises.
        unsafe { self.combine_rest(at, first) };
        let rest = len.saturating_sub(first);
        let bulk = rest / BLOCK_LEN * BLOCK_LEN;
        let from = at.wrapping_add(first);
        if bulk > 0 {
            let blocks = u32::try_from(bulk / BLOCK_LEN).map_err(|_| EOVERFLOW)?;
            let mut iv = block(COUNTER_FLAGS, &self.nonce, self.next);
            // SAFETY: the caller's promise, behind the first bytes.
            unsafe { self.counter.encrypt(from, from, bulk, &mut iv)? };
            self.next = self.next.checked_add(blocks).ok_or(EOVERFLOW)?;
        }
        if rest > bulk {
            let count = block(COUNTER_FLAGS, &self.nonce, self.next);
            self.stream = self.mac.encrypt_block(&count)?;
            self.next = self.next.checked_add(1).ok_or(EOVERFLOW)?;
            self.used = 0;
            // SAFETY: the last bytes of those that the caller promises, fewer than a block.
            unsafe { self.combine_rest(from.wrapping_add(bulk), rest.saturating_sub(bulk)) };
        }
        Ok(())
    }

    /// Combines `len` bytes with what is left of a block of the stream.
    ///
    /// # Safety
    ///
    /// As [`Run::combine`].
    unsafe fn combine_rest(&mut self, at: *mut u8, len: usize) {
        for (index, key) in self.stream.iter().skip(self.used).take(len).enumerate() {
            let byte = at.wrapping_add(index);
            // SAFETY: one of the bytes that the caller promises.
            unsafe { byte.write(byte.read() ^ key) };
        }
        self.used = self.used.saturating_add(len);
    }

    fn tag(mut self) -> Result<Tag> {
        let count = block(COUNTER_FLAGS, &self.nonce, 0);
        let stream = self.mac.encrypt_block(&count)?;
        self.mac.pad()?;
        let mut tag = self.mac.finish(|_, _| ())?;
        tag.iter_mut()
            .zip(stream)
            .for_each(|(byte, key)| *byte ^= key);
        Ok(tag)
    }
}

/// A block of flags, nonce and a number.
fn block(flags: u8, nonce: &CcmNonce, number: u32) -> Block {
    let mut block = [0; BLOCK_LEN];
    let bytes = Iterator::chain([flags].into_iter(), *nonce);
    let bytes = Iterator::chain(bytes, number.to_be_bytes());
    block
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = from);
    block
}
