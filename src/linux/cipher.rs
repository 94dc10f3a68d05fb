// SPDX-License-Identifier: GPL-2.0

//! AES-CMAC, AES-GCM and AES-CCM: keys prepared once, messages in any number of parts. By the kernel's lib/crypto; all but short
//! messages by the crypto API's drivers, which are several times as fast.
//!
//! Used for signing ([MS-SMB2] 3.1.4.1; AES-GMAC is AES-GCM over associated data alone) and for encryption (3.1.4.3).
//! Nothing here allocates but the preparation of a key, and once a message that is not short.

use crate::aead::{ccm_iv, gcm_iv, Aead};
use crate::cbcmac::LongCmac;
use crate::ccm::LongCcm;
use crate::pages::PageVec;
use crate::secret::{Secret, Wiped};
use crate::span::{Span, SpanMut};
use crate::sys;
use core::marker::PhantomData;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::SetOnce;

/// Size in bytes of every tag and MAC of this file.
pub const TAG_LEN: usize = 16;

/// A message authentication code.
pub type Tag = [u8; TAG_LEN];

/// A key prepared for AES-CMAC (RFC 4493, with 128-bit or 256-bit keys).
pub struct CmacKey {
    // INVARIANT: prepared by the C key function.
    prepared: KBox<Wiped<{ sys::KSMBD_CMAC_KEY_SIZE }>>,
    long: ForLong<LongCmac>,
}

impl CmacKey {
    /// Prepares `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, `ENOMEM`.
    pub fn new(key: &[u8]) -> Result<Self> {
        let mut prepared = KBox::new(Wiped::zeroed(), GFP_KERNEL)?;
        // SAFETY: `prepared` has the size and alignment of the C structure; `key` is valid for its length.
        to_result(unsafe { sys::ksmbd_cmac_key(prepared.ptr_mut(), key.as_ptr(), key.len()) })?;
        Ok(CmacKey {
            prepared,
            long: ForLong::new(key)?,
        })
    }

    /// The MAC of `parts`, one after the other.
    pub fn mac<'a>(&self, parts: impl Iterator<Item = Span<'a>> + Clone) -> Tag {
        // Without memory or driver, the library's as well.
        let long = (total(parts.clone()) >= CMAC_MIN)
            .then(|| self.long.get(Self::by_driver))
            .flatten();
        match long.and_then(|long| long.mac(parts.clone()).ok()) {
            Some(tag) => tag,
            None => self.mac_of_short(parts),
        }
    }

    fn by_driver(key: &[u8]) -> Result<LongCmac> {
        LongCmac::new(key).and_then(|long| long.is_by_driver().then_some(long).ok_or(ENOENT))
    }

    /// The same by the library, whatever the length.
    pub(crate) fn mac_of_short<'a>(&self, parts: impl Iterator<Item = Span<'a>>) -> Tag {
        let mut context = Wiped::<{ sys::KSMBD_CMAC_CTX_SIZE }>::zeroed();
        let mut tag = [0; TAG_LEN];
        // SAFETY: the context has the size and alignment of the C structure; the key is prepared and outlives the context.
        unsafe { sys::ksmbd_cmac_init(context.ptr_mut(), self.prepared.ptr()) };
        for part in parts {
            // SAFETY: the context is initialised; the span is mapped for its length.
            unsafe { sys::ksmbd_cmac_update(context.ptr_mut(), part.as_ptr(), part.len()) };
        }
        // SAFETY: the context is initialised; `tag` has the size of a MAC.
        unsafe { sys::ksmbd_cmac_final(context.ptr_mut(), tag.as_mut_ptr()) };
        tag
    }
}

/// Bytes of all parts together.
fn total<'a>(parts: impl Iterator<Item = Span<'a>>) -> usize {
    parts.fold(0, |len: usize, part| len.saturating_add(part.len()))
}

/// A message on its way through a cipher. Only in this file.
trait Stream: Sized {
    /// Adds associated data: before any data.
    fn auth(&mut self, part: Span<'_>);

    /// Encrypts `len` bytes from `src` to `dst`.
    ///
    /// # Safety
    ///
    /// `src` is readable and `dst` writable for `len` bytes; they are the same or do not overlap.
    unsafe fn encrypt(&mut self, dst: *mut u8, src: *const u8, len: usize);

    /// Decrypts `len` bytes from `src` to `dst`.
    ///
    /// # Safety
    ///
    /// As [`Stream::encrypt`].
    unsafe fn decrypt(&mut self, dst: *mut u8, src: *const u8, len: usize);

    /// The tag of what was encrypted.
    fn seal(self) -> Tag;

    /// Whether `tag` is that of what was decrypted.
    fn open(self, tag: &Tag) -> Result;
}

/// Encrypts `src` into `dst`, which must have at least as many bytes. With `copy_first`, every byte of `src` is read once
/// only.
fn seal_through<'a, 'b, S: Stream>(
    mut stream: S,
    src: impl Iterator<Item = Span<'a>>,
    dst: impl Iterator<Item = SpanMut<'b>>,
    copy_first: bool,
) -> Result<S> {
    let mut dst = dst;
    let mut room = SpanMut::from(&mut [] as &mut [u8]);
    for mut rest in src {
        while !rest.is_empty() {
            while room.is_empty() {
                room = dst.next().ok_or(ENOSPC)?;
            }
            let (from, after) = rest.split(room.len());
            let (mut to, left) = room.split(from.len());
            let (len, at) = (from.len(), to.as_mut_ptr());
            if copy_first {
                // SAFETY: both are mapped for `len` bytes; `to` belongs to nobody else, so they do not overlap.
                unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), at, len) };
                // SAFETY: in place, in memory mapped for `len` bytes.
                unsafe { stream.encrypt(at, at, len) };
            } else {
                // SAFETY: as for the copy above.
                unsafe { stream.encrypt(at, from.as_ptr(), len) };
            }
            rest = after;
            room = left;
        }
    }
    Ok(stream)
}

/// Encrypts `message` in place, and the payload of `src` into the empty `dst`.
fn seal_behind<S: Stream>(
    mut stream: S,
    message: &mut [u8],
    src: &PageVec,
    dst: &mut PageVec,
) -> Result<S> {
    if !dst.is_empty() {
        return Err(EINVAL);
    }
    let (at, len) = (message.as_mut_ptr(), message.len());
    // SAFETY: in place, in a slice of `len` bytes that is exclusively borrowed.
    unsafe { stream.encrypt(at, at, len) };
    let stream = seal_through(stream, src.spans(), dst.room(), false)?;
    // SAFETY: all bytes of `src` were encrypted into the room of `dst`, from its front on.
    unsafe { dst.set_len(src.len()) };
    Ok(stream)
}

/// Copies the payload of `from` to the front of `to`.
///
/// # Errors
///
/// `EINVAL` when it is longer.
fn copy_front(from: &PageVec, to: &mut [u8]) -> Result {
    let fits = from.copy_to(to) == from.len();
    fits.then_some(()).ok_or(EINVAL)
}

/// What is needed for long messages: the crypto API's transforms, made for the first of them, so that who has none does not
/// pay for it.
struct ForLong<T> {
    /// The key itself, in its first `key_len` bytes.
    key: KBox<Secret<KEY_MAX>>,
    key_len: usize,
    /// `None` when the kernel could not make it.
    made: SetOnce<Option<T>>,
}

/// Longest key of AES in bytes.
const KEY_MAX: usize = 32;

impl<T> ForLong<T> {
    fn new(key: &[u8]) -> Result<Self> {
        let mut kept = KBox::new(Secret::zeroed(), GFP_KERNEL)?;
        let to = kept.expose_mut().iter_mut();
        to.zip(key).for_each(|(to, from)| *to = *from);
        Ok(ForLong {
            key: kept,
            key_len: key.len(),
            made: SetOnce::new(),
        })
    }

    /// What `make` makes of the key, if it can. The first call makes it.
    fn get(&self, make: fn(&[u8]) -> Result<T>) -> Option<&T> {
        if self.made.as_ref().is_none() {
            let key = self.key.expose().get(..self.key_len)?;
            // Another thread may be first: this one is then dropped.
            self.made.populate(make(key).ok());
        }
        self.made.as_ref()?.as_ref()
    }
}

/// A key prepared for AES-GCM (NIST SP 800-38D) with tags of 16 bytes.
pub struct GcmKey {
    // INVARIANT: prepared by the C key function, with a tag length of `TAG_LEN`.
    prepared: KBox<Wiped<{ sys::KSMBD_GCM_KEY_SIZE }>>,
    long: ForLong<Aead>,
}

/// From how many bytes on an AES-GCM message takes the crypto API: the lists that describe a shorter one cost more than they
/// save.
const GCM_MIN: usize = 64;
/// The same for AES-GMAC.
const GMAC_MIN: usize = 384;
/// The same for AES-CMAC.
const CMAC_MIN: usize = 256;
/// The same for AES-CCM.
const CCM_MIN: usize = 192;

/// Nonce of AES-GCM and AES-GMAC.
pub type GcmNonce = [u8; 12];

/// Most bytes that one AES-GCM message may have.
const GCM_MAX: u64 = (1 << 36) - 32;

impl GcmKey {
    /// Prepares `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, `ENOMEM`.
    pub fn new(key: &[u8]) -> Result<Self> {
        let mut prepared = KBox::new(Wiped::zeroed(), GFP_KERNEL)?;
        // SAFETY: `prepared` has the size and alignment of the C structure; `key` is valid for its length.
        to_result(unsafe {
            sys::ksmbd_gcm_key(prepared.ptr_mut(), key.as_ptr(), key.len(), TAG_LEN)
        })?;
        Ok(GcmKey {
            prepared,
            long: ForLong::new(key)?,
        })
    }

    /// The crypto API's transform for `len` bytes, if they are not fewer than `min`.
    fn aead(&self, len: usize, min: usize) -> Option<&Aead> {
        if len < min {
            return None;
        }
        self.long.get(Aead::gcm)
    }

    fn start(&self, nonce: &GcmNonce) -> GcmStream<'_> {
        let mut context = Wiped::zeroed();
        // SAFETY: the context has the size and alignment of the C structure; the key is prepared and outlives the stream.
        unsafe { sys::ksmbd_gcm_init(context.ptr_mut(), nonce.as_ptr(), self.prepared.ptr()) };
        GcmStream {
            context,
            data: 0,
            key: PhantomData,
        }
    }

    fn start_with<'p, T: Into<Span<'p>>>(
        &self,
        nonce: &GcmNonce,
        aad: impl IntoIterator<Item = T>,
    ) -> GcmStream<'_> {
        let mut stream = self.start(nonce);
        aad.into_iter().for_each(|part| stream.auth(part.into()));
        stream
    }

    /// Encrypts `src` into `dst`, whose parts need not be cut as those of `src` but must have room for all, and returns the
    /// tag over it and `aad`. The content of `src` may change meanwhile: the tag is that of the bytes written.
    ///
    /// A nonce must never be used twice with a key.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when `dst` is too small, `EFBIG` for a message of more than 2^36 - 32 bytes. What `dst` then holds must not
    /// be sent.
    pub fn seal<'a, 'b, 'c, T, S, D>(
        &self,
        nonce: &GcmNonce,
        aad: impl IntoIterator<Item = T>,
        src: impl IntoIterator<Item = S>,
        dst: impl IntoIterator<Item = D>,
    ) -> Result<Tag>
    where
        T: Into<Span<'a>>,
        S: Into<Span<'b>>,
        D: Into<SpanMut<'c>>,
    {
        let stream = self.start_with(nonce, aad);
        let (src, dst) = (
            src.into_iter().map(Into::into),
            dst.into_iter().map(Into::into),
        );
        seal_through(stream, src, dst, false)?
            .bounded()
            .map(Stream::seal)
    }

    /// Encrypts `message` in place and then `src` into the empty `dst`, with room for it, as one message, and returns the tag
    /// over both and `aad`. The content of `src` may change meanwhile.
    ///
    /// # Errors
    ///
    /// As [`GcmKey::seal`], and `EINVAL` when `dst` has payload already.
    pub fn seal_behind(
        &self,
        nonce: &GcmNonce,
        aad: &[u8],
        message: &mut [u8],
        src: &PageVec,
        dst: &mut PageVec,
    ) -> Result<Tag> {
        let len = message.len().checked_add(src.len()).ok_or(EFBIG)?;
        if let Some(aead) = self.aead(len, GCM_MIN) {
            return aead.seal_behind(&gcm_iv(nonce), aad, message, src, dst);
        }
        let stream = seal_behind(self.start_with(nonce, [aad]), message, src, dst)?;
        stream.bounded().map(Stream::seal)
    }

    /// Encrypts `message` and the payload of `pages` in place, as one message, and returns the tag over both and `aad`.
    ///
    /// A nonce must never be used twice with a key.
    ///
    /// # Errors
    ///
    /// `EINVAL` for shared pages, `EFBIG` for a message of 2^32 bytes or more, `ENOMEM`. The message must then not be sent.
    pub fn seal_in_place(
        &self,
        nonce: &GcmNonce,
        aad: &[u8],
        message: &mut [u8],
        pages: Option<&mut PageVec>,
    ) -> Result<Tag> {
        if pages.as_ref().is_some_and(|pages| pages.is_shared()) {
            return Err(EINVAL);
        }
        let behind = pages.as_ref().map_or(0, |pages| pages.len());
        let len = message.len().checked_add(behind).ok_or(EFBIG)?;
        if let Some(aead) = self.aead(len, GCM_MIN) {
            return aead.seal_in_place(&gcm_iv(nonce), aad, message, pages);
        }
        let mut stream = self.start_with(nonce, [aad]);
        let pages = pages.into_iter().flat_map(PageVec::spans_mut);
        for mut part in Iterator::chain(core::iter::once(SpanMut::from(message)), pages) {
            let (at, len) = (part.as_mut_ptr(), part.len());
            // SAFETY: in place, in memory mapped for `len` bytes that belongs to nobody else.
            unsafe { stream.encrypt(at, at, len) };
        }
        stream.bounded().map(Stream::seal)
    }

    /// Decrypts `message` in place, if `tag` is that of it and `aad`.
    ///
    /// # Errors
    ///
    /// `EBADMSG` when it is not: the content of `message` is then not to be used. `EFBIG` as [`GcmKey::seal_in_place`],
    /// `ENOMEM`.
    pub fn open(&self, nonce: &GcmNonce, aad: &[u8], message: &mut [u8], tag: &Tag) -> Result {
        if let Some(aead) = self.aead(message.len(), GCM_MIN) {
            return aead.open(&gcm_iv(nonce), aad, message, tag);
        }
        let mut stream = self.start_with(nonce, [aad]);
        let (at, len) = (message.as_mut_ptr(), message.len());
        // SAFETY: in place, in a slice of `len` bytes that is exclusively borrowed.
        unsafe { stream.decrypt(at, at, len) };
        stream.bounded()?.open(tag)
    }

    /// Decrypts `message` in place, but for its beginning, which is decrypted from `sealed` into its place, if `tag` is that of it and
    /// `aad`. The content of `sealed` may change meanwhile.
    ///
    /// # Errors
    ///
    /// As [`GcmKey::open`], and `EINVAL` for a `message` that is shorter than `sealed`.
    pub fn open_from(
        &self,
        nonce: &GcmNonce,
        aad: &[u8],
        sealed: &PageVec,
        message: &mut [u8],
        tag: &Tag,
    ) -> Result {
        if sealed.is_empty() {
            return self.open(nonce, aad, message, tag);
        }
        if let Some(aead) = self.aead(message.len(), GCM_MIN) {
            return aead.open_from(&gcm_iv(nonce), aad, sealed, message, tag);
        }
        copy_front(sealed, message)?;
        self.open(nonce, aad, message, tag)
    }

    /// AES-GMAC: the tag of `parts`, one after the other, with nothing encrypted.
    ///
    /// A nonce must never be used twice with a key to compute the MAC of different messages that are sent.
    ///
    /// # Errors
    ///
    /// `EFBIG` for 2^32 bytes or more, `ENOMEM`.
    pub fn gmac<'a>(
        &self,
        nonce: &GcmNonce,
        parts: impl Iterator<Item = Span<'a>> + Clone,
    ) -> Result<Tag> {
        if let Some(aead) = self.aead(total(parts.clone()), GMAC_MIN) {
            return aead.mac(&gcm_iv(nonce), parts);
        }
        Ok(self.start_with(nonce, parts).seal())
    }
}

struct GcmStream<'k> {
    // INVARIANT: initialised by the C init function.
    context: Wiped<{ sys::KSMBD_GCM_CTX_SIZE }>,
    data: u64,
    key: PhantomData<&'k GcmKey>,
}

impl GcmStream<'_> {
    /// Itself, unless more was processed than the counter has numbers for.
    fn bounded(self) -> Result<Self> {
        if self.data > GCM_MAX {
            return Err(EFBIG);
        }
        Ok(self)
    }
}

impl Stream for GcmStream<'_> {
    fn auth(&mut self, part: Span<'_>) {
        // SAFETY: the context is initialised; the span is mapped for its length.
        unsafe { sys::ksmbd_gcm_auth(self.context.ptr_mut(), part.as_ptr(), part.len()) }
    }

    unsafe fn encrypt(&mut self, dst: *mut u8, src: *const u8, len: usize) {
        self.data = self.data.saturating_add(len as u64);
        // SAFETY: the context is initialised; the rest is the caller's promise.
        unsafe { sys::ksmbd_gcm_encrypt(self.context.ptr_mut(), dst, src, len) }
    }

    unsafe fn decrypt(&mut self, dst: *mut u8, src: *const u8, len: usize) {
        self.data = self.data.saturating_add(len as u64);
        // SAFETY: the context is initialised; the rest is the caller's promise.
        unsafe { sys::ksmbd_gcm_decrypt(self.context.ptr_mut(), dst, src, len) }
    }

    fn seal(mut self) -> Tag {
        let mut tag = [0; TAG_LEN];
        // SAFETY: the context is initialised; `tag` has the length that the key was prepared with.
        unsafe { sys::ksmbd_gcm_encrypt_final(self.context.ptr_mut(), tag.as_mut_ptr()) };
        tag
    }

    fn open(mut self, tag: &Tag) -> Result {
        // SAFETY: the context is initialised; `tag` has the length that the key was prepared with.
        to_result(unsafe { sys::ksmbd_gcm_decrypt_final(self.context.ptr_mut(), tag.as_ptr()) })
    }
}

/// A key prepared for AES-CCM (RFC 3610) with tags of 16 bytes and nonces of 11.
pub struct CcmKey {
    // INVARIANT: prepared by the C key function, with a tag length of `TAG_LEN`.
    prepared: KBox<Wiped<{ sys::KSMBD_CCM_KEY_SIZE }>>,
    long: ForLong<ByDriver>,
}

/// Who does AES-CCM of long messages.
enum ByDriver {
    /// A driver for each half: a whole one is missing on x86, where the kernel puts one together from AES-CTR by a driver and a CBC-MAC by
    /// the library.
    Halves(LongCcm),
    Whole(Aead),
}

impl ByDriver {
    fn new(key: &[u8]) -> Result<Self> {
        let halves = cfg!(CONFIG_X86_64).then(|| LongCcm::new(key).ok());
        match halves.flatten().filter(LongCcm::is_by_driver) {
            Some(halves) => Ok(ByDriver::Halves(halves)),
            None => Aead::ccm(key).map(ByDriver::Whole),
        }
    }
}

/// Nonce of AES-CCM as SMB2 uses it. It leaves four bytes for the length: a message has less than 2^32 bytes.
pub type CcmNonce = [u8; 11];

impl CcmKey {
    /// Prepares `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another length, `ENOMEM`.
    pub fn new(key: &[u8]) -> Result<Self> {
        let mut prepared = KBox::new(Wiped::zeroed(), GFP_KERNEL)?;
        // SAFETY: `prepared` has the size and alignment of the C structure; `key` is valid for its length.
        to_result(unsafe {
            sys::ksmbd_ccm_key(prepared.ptr_mut(), key.as_ptr(), key.len(), TAG_LEN)
        })?;
        Ok(CcmKey {
            prepared,
            long: ForLong::new(key)?,
        })
    }

    /// The crypto API's transforms, if `len` bytes are enough for them.
    fn by_driver(&self, len: usize) -> Option<&ByDriver> {
        if len < CCM_MIN {
            return None;
        }
        self.long.get(ByDriver::new)
    }

    fn start(&self, nonce: &[u8], aad: &[u8], len: usize) -> Result<CcmStream<'_>> {
        let mut context = Wiped::zeroed();
        // SAFETY: the context has the size and alignment of the C structure; the key is prepared and outlives the stream;
        // `nonce` is valid for its length.
        to_result(unsafe {
            sys::ksmbd_ccm_init(
                context.ptr_mut(),
                len as u64,
                aad.len() as u64,
                nonce.as_ptr(),
                nonce.len(),
                self.prepared.ptr(),
            )
        })?;
        let mut stream = CcmStream {
            context,
            left: len,
            over: false,
            key: PhantomData,
        };
        stream.auth(Span::from(aad));
        Ok(stream)
    }

    /// Encrypts `src`, of `len` bytes, into `dst`, whose parts need not be cut as those of `src` but must have room for all,
    /// and returns the tag over it and `aad`. The content of `src` may change meanwhile: it is copied first, since CCM
    /// reads the plaintext twice.
    ///
    /// A nonce must never be used twice with a key.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when `dst` is too small, `EINVAL` when `src` has not `len` bytes, `EOVERFLOW` for a message of 2^32 bytes or
    /// more. What `dst` then holds must not be sent.
    pub fn seal<'a, 'b, S: Into<Span<'a>>, D: Into<SpanMut<'b>>>(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        len: usize,
        src: impl IntoIterator<Item = S>,
        dst: impl IntoIterator<Item = D>,
    ) -> Result<Tag> {
        let stream = self.start(nonce, aad, len)?;
        let (src, dst) = (
            src.into_iter().map(Into::into),
            dst.into_iter().map(Into::into),
        );
        seal_through(stream, src, dst, true)?
            .complete()
            .map(Stream::seal)
    }

    /// Encrypts `message` in place and then `src` into the empty `dst`, with room for it, as one message, and returns the tag
    /// over both and `aad`. The content of `src` may change meanwhile: it is copied first.
    ///
    /// # Errors
    ///
    /// As [`CcmKey::seal`], and `EINVAL` when `dst` has payload already.
    pub fn seal_behind(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        message: &mut [u8],
        src: &PageVec,
        dst: &mut PageVec,
    ) -> Result<Tag> {
        dst.copy_from(src)?;
        self.seal_in_place(nonce, aad, message, Some(dst))
    }

    /// Encrypts `message` and the payload of `pages` in place, as one message, and returns the tag over both and `aad`.
    ///
    /// A nonce must never be used twice with a key.
    ///
    /// # Errors
    ///
    /// `EINVAL` for shared pages, `EOVERFLOW` for a message of 2^32 bytes or more, `ENOMEM`. The message must then not be
    /// sent.
    pub fn seal_in_place(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        message: &mut [u8],
        pages: Option<&mut PageVec>,
    ) -> Result<Tag> {
        if pages.as_ref().is_some_and(|pages| pages.is_shared()) {
            return Err(EINVAL);
        }
        let behind = pages.as_ref().map_or(0, |pages| pages.len());
        let len = message.len().checked_add(behind).ok_or(EOVERFLOW)?;
        match self.by_driver(len) {
            Some(ByDriver::Halves(halves)) => {
                return halves.seal_in_place(nonce, aad, message, pages);
            }
            Some(ByDriver::Whole(aead)) => {
                return aead.seal_in_place(&ccm_iv(nonce), aad, message, pages);
            }
            None => {}
        }
        let mut stream = self.start(nonce, aad, len)?;
        let pages = pages.into_iter().flat_map(PageVec::spans_mut);
        for mut part in Iterator::chain(core::iter::once(SpanMut::from(message)), pages) {
            let (at, len) = (part.as_mut_ptr(), part.len());
            // SAFETY: in place, in memory mapped for `len` bytes that belongs to nobody else.
            unsafe { stream.encrypt(at, at, len) };
        }
        stream.complete().map(Stream::seal)
    }

    /// Decrypts `message` in place, if `tag` is that of it and `aad`.
    ///
    /// # Errors
    ///
    /// `EBADMSG` when it is not: the content of `message` is then not to be used. Others as [`CcmKey::seal_in_place`].
    pub fn open(&self, nonce: &CcmNonce, aad: &[u8], message: &mut [u8], tag: &Tag) -> Result {
        match self.by_driver(message.len()) {
            Some(ByDriver::Halves(halves)) => return halves.open(nonce, aad, message, tag),
            Some(ByDriver::Whole(aead)) => return aead.open(&ccm_iv(nonce), aad, message, tag),
            None => {}
        }
        let mut stream = self.start(nonce, aad, message.len())?;
        let (at, len) = (message.as_mut_ptr(), message.len());
        // SAFETY: in place, in a slice of `len` bytes that is exclusively borrowed.
        unsafe { stream.decrypt(at, at, len) };
        stream.complete()?.open(tag)
    }

    /// Decrypts `message` in place, but for its beginning, which is decrypted from `sealed` into its place, if `tag` is that of it and
    /// `aad`. The content of `sealed` may change meanwhile: it is copied first.
    ///
    /// # Errors
    ///
    /// As [`CcmKey::open`], and `EINVAL` for a `message` that is shorter than `sealed`.
    pub fn open_from(
        &self,
        nonce: &CcmNonce,
        aad: &[u8],
        sealed: &PageVec,
        message: &mut [u8],
        tag: &Tag,
    ) -> Result {
        copy_front(sealed, message)?;
        self.open(nonce, aad, message, tag)
    }
}

struct CcmStream<'k> {
    // INVARIANT: initialised by the C init function.
    context: Wiped<{ sys::KSMBD_CCM_CTX_SIZE }>,
    /// Bytes still to come, of those announced at the start.
    left: usize,
    /// Whether more came than were announced. They were not processed.
    over: bool,
    key: PhantomData<&'k CcmKey>,
}

impl CcmStream<'_> {
    /// Counts `len` bytes, if that many were announced.
    fn announced(&mut self, len: usize) -> bool {
        match self.left.checked_sub(len) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.over = true;
                false
            }
        }
    }

    /// Itself, when exactly the announced number of bytes came.
    fn complete(self) -> Result<Self> {
        if self.over || self.left != 0 {
            return Err(EINVAL);
        }
        Ok(self)
    }
}

impl Stream for CcmStream<'_> {
    fn auth(&mut self, part: Span<'_>) {
        // SAFETY: the context is initialised; the span is mapped for its length.
        unsafe { sys::ksmbd_ccm_auth(self.context.ptr_mut(), part.as_ptr(), part.len()) }
    }

    unsafe fn encrypt(&mut self, dst: *mut u8, src: *const u8, len: usize) {
        if self.announced(len) {
            // SAFETY: the context is initialised; the rest is the caller's promise.
            unsafe { sys::ksmbd_ccm_encrypt(self.context.ptr_mut(), dst, src, len) }
        }
    }

    unsafe fn decrypt(&mut self, dst: *mut u8, src: *const u8, len: usize) {
        if self.announced(len) {
            // SAFETY: the context is initialised; the rest is the caller's promise.
            unsafe { sys::ksmbd_ccm_decrypt(self.context.ptr_mut(), dst, src, len) }
        }
    }

    fn seal(mut self) -> Tag {
        let mut tag = [0; TAG_LEN];
        // SAFETY: the context is initialised; `tag` has the length that the key was prepared with.
        unsafe { sys::ksmbd_ccm_encrypt_final(self.context.ptr_mut(), tag.as_mut_ptr()) };
        tag
    }

    fn open(mut self, tag: &Tag) -> Result {
        // SAFETY: the context is initialised; `tag` has the length that the key was prepared with.
        to_result(unsafe { sys::ksmbd_ccm_decrypt_final(self.context.ptr_mut(), tag.as_ptr()) })
    }
}
