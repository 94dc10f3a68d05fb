// SPDX-License-Identifier: GPL-2.0

//! AES-GCM and AES-CCM by the kernel's crypto API, whose drivers encrypt and authenticate in one vectorised pass over a message that is
//! described by scatterlists. For long messages this is several times as fast as lib/crypto; the shortest do not pay for
//! the lists.

use crate::pages::PageVec;
use crate::span::{linear_parts, Span, SpanMut};
use crate::sys;
use core::ffi::CStr;
use core::mem::size_of;
use core::ptr::NonNull;
use kernel::error::{from_err_ptr, to_result};
use kernel::ffi::c_void;
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;

/// Size in bytes of the tag.
const TAG_LEN: usize = 16;
/// Size in bytes of the largest initialisation vector.
const IV_LEN: usize = 16;
/// Most bytes of associated data.
const AAD_MAX: usize = 32;

/// An initialisation vector, as long as the longest is.
pub(crate) type Iv = [u8; IV_LEN];

/// The initialisation vector that a nonce of AES-GCM is.
pub(crate) fn gcm_iv(nonce: &[u8; 12]) -> Iv {
    let mut iv = [0; IV_LEN];
    iv.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
    iv
}

/// The initialisation vector of AES-CCM with this nonce (RFC 3610 section 2.3): first how many bytes the counter has, less
/// one, and at the end the counter.
pub(crate) fn ccm_iv(nonce: &[u8; 11]) -> Iv {
    let mut iv = [0; IV_LEN];
    iv[0] = 3;
    iv.iter_mut()
        .skip(1)
        .zip(nonce)
        .for_each(|(to, from)| *to = *from);
    iv
}

/// A prepared transform of the crypto API: a key, and the driver that works with it. Any number of threads may use it at a
/// time.
pub(crate) struct Aead {
    // INVARIANT: a synchronous transform, owned, with a key and with tags of `TAG_LEN`.
    tfm: NonNull<c_void>,
    /// Size of its requests in bytes.
    request_len: usize,
}

// SAFETY: a transform belongs to no thread.
unsafe impl Send for Aead {}
// SAFETY: once it has its key, a transform is only read.
unsafe impl Sync for Aead {}

impl Aead {
    /// The transform of that name with `key`, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the kernel has no such transform, `EINVAL` for a key of another length, `ENOMEM`.
    fn new(name: &CStr, key: &[u8]) -> Result<Self> {
        // SAFETY: the name ends with a zero byte.
        let tfm = from_err_ptr(unsafe { sys::ksmbd_aead_alloc(name.as_char_ptr()) })?;
        let tfm = NonNull::new(tfm).ok_or(ENOMEM)?;
        // SAFETY: `tfm` was allocated above.
        let request_len = unsafe { sys::ksmbd_aead_request_size(tfm.as_ptr()) };
        // From here on dropped, and with it freed, on failure.
        let aead = Aead { tfm, request_len };
        let key_len = u32::try_from(key.len())?;
        // SAFETY: `tfm` is a transform that nobody else has yet; `key` is valid for its length.
        to_result(unsafe { sys::ksmbd_aead_key(tfm.as_ptr(), key.as_ptr(), key_len) })?;
        // SAFETY: as above.
        to_result(unsafe { sys::ksmbd_aead_tag_size(tfm.as_ptr(), TAG_LEN as u32) })?;
        Ok(aead)
    }

    /// AES-GCM, as [`Aead::new`].
    pub(crate) fn gcm(key: &[u8]) -> Result<Self> {
        Self::new(c"gcm(aes)", key)
    }

    /// AES-CCM, as [`Aead::new`].
    pub(crate) fn ccm(key: &[u8]) -> Result<Self> {
        Self::new(c"ccm(aes)", key)
    }

    /// Encrypts `message` and the payload of `pages` in place, as one message, and returns the tag over them and `aad`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for shared pages or more than 32 bytes of `aad`, `EFBIG` for a message of 2^32 bytes, `ENOMEM`. The content
    /// is then not to be sent.
    pub(crate) fn seal_in_place(
        &self,
        iv: &Iv,
        aad: &[u8],
        message: &mut [u8],
        pages: Option<&mut PageVec>,
    ) -> Result<[u8; TAG_LEN]> {
        let elements = pages.as_ref().map_or(0, |pages| pages.as_bvecs().len());
        let room = entries_of(message.len(), elements);
        let work = Work::new(self.request_len, room, 0, iv, aad)?;
        let mut list = work.list(0, room)?;
        list.push_mut(SpanMut::from(message))?;
        if let Some(pages) = pages {
            if pages.is_shared() {
                return Err(EINVAL);
            }
            pages.spans_mut().try_for_each(|span| list.push_mut(span))?;
        }
        let list = list.finish(&work)?;
        let len = u32::try_from(list.len).map_err(|_| EFBIG)?;
        // SAFETY: the list covers the associated data, `len` bytes that are exclusively borrowed, and the tag.
        to_result(unsafe { self.encrypt(&work, &list, &list, len) })?;
        Ok(work.tag())
    }

    /// Encrypts `message` in place and then the payload of `src` into the room of `dst`, as one message, and returns the tag
    /// over both and `aad`. With AES-GCM the content of `src` may change meanwhile: the tag is that of the bytes written.
    ///
    /// # Errors
    ///
    /// As [`Aead::seal_in_place`], `EINVAL` also when `dst` has payload already, and `ENOSPC` when it has not enough room.
    pub(crate) fn seal_behind(
        &self,
        iv: &Iv,
        aad: &[u8],
        message: &mut [u8],
        src: &PageVec,
        dst: &mut PageVec,
    ) -> Result<[u8; TAG_LEN]> {
        if !dst.is_empty() {
            return Err(EINVAL);
        }
        let from_room = entries_of(message.len(), src.as_bvecs().len());
        let to_room = entries_of(message.len(), dst.as_bvecs().len());
        let work = Work::new(self.request_len, from_room, to_room, iv, aad)?;
        let (mut from, mut to) = (work.list(0, from_room)?, work.list(from_room, to_room)?);
        from.push(Span::from(&*message))?;
        src.spans().try_for_each(|span| from.push(span))?;
        to.push_mut(SpanMut::from(message))?;
        let mut left = src.len();
        for span in dst.room() {
            let (span, _) = span.split(left);
            left = left.saturating_sub(span.len());
            to.push_mut(span)?;
        }
        if left > 0 {
            return Err(ENOSPC);
        }
        // The source has no tag at its end, but a list must have an end.
        let (from, to) = (from.finish(&work)?, to.finish(&work)?);
        let len = u32::try_from(from.len).map_err(|_| EFBIG)?;
        // SAFETY: both lists cover the associated data and `len` bytes, those of `to` exclusively borrowed, and the tag. The
        // message is at the same place in both, and the pages of `dst` belong to nobody else.
        to_result(unsafe { self.encrypt(&work, &from, &to, len) })?;
        // SAFETY: as many bytes of the room, from its front on, were written as `src` has payload.
        unsafe { dst.set_len(src.len()) };
        Ok(work.tag())
    }

    /// Decrypts `message` in place, if `tag` is that of it and `aad`.
    ///
    /// # Errors
    ///
    /// `EBADMSG` when it is not: the content of `message` is then not to be used. Others as [`Aead::seal_in_place`].
    pub(crate) fn open(
        &self,
        iv: &Iv,
        aad: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result {
        let room = entries_of(message.len(), 0);
        let work = Work::new(self.request_len, room, 0, iv, aad)?;
        work.set_tag(tag);
        let mut list = work.list(0, room)?;
        list.push_mut(SpanMut::from(message))?;
        let list = list.finish(&work)?;
        // SAFETY: the list covers the message, which is exclusively borrowed.
        unsafe { self.decrypt(&work, &list, &list) }
    }

    /// Decrypts `message` in place, but for its beginning, which is decrypted from `sealed` into its place, if `tag` is that of it and
    /// `aad`. With AES-GCM the content of `sealed` may change meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Aead::open`], and `EINVAL` for a `message` that is shorter than `sealed`.
    pub(crate) fn open_from(
        &self,
        iv: &Iv,
        aad: &[u8],
        sealed: &PageVec,
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result {
        let rest = message.get(sealed.len()..).ok_or(EINVAL)?;
        let from_room = entries_of(rest.len(), sealed.as_bvecs().len());
        let to_room = entries_of(message.len(), 0);
        let work = Work::new(self.request_len, from_room, to_room, iv, aad)?;
        work.set_tag(tag);
        let (mut from, mut to) = (work.list(0, from_room)?, work.list(from_room, to_room)?);
        sealed.spans().try_for_each(|span| from.push(span))?;
        from.push(Span::from(rest))?;
        to.push_mut(SpanMut::from(message))?;
        let (from, to) = (from.finish(&work)?, to.finish(&work)?);
        // SAFETY: both lists cover as many bytes, those of `to` exclusively borrowed. Of these, `from` has the rest of the message, at the
        // same place.
        unsafe { self.decrypt(&work, &from, &to) }
    }

    /// The tag of `parts`, one after the other, with nothing encrypted.
    ///
    /// # Errors
    ///
    /// `EFBIG` for 2^32 bytes, `ENOMEM`.
    pub(crate) fn mac<'a>(
        &self,
        iv: &Iv,
        parts: impl Iterator<Item = Span<'a>> + Clone,
    ) -> Result<[u8; TAG_LEN]> {
        let room = parts.clone().fold(0, |room: usize, part| {
            room.saturating_add(entries_of(part.len(), 0))
        });
        let mut work = Work::new(self.request_len, room.saturating_add(2), 0, iv, &[])?;
        let mut list = work.list(0, room.saturating_add(2))?;
        for part in parts {
            list.push(part)?;
        }
        let list = list.finish(&work)?;
        work.aad_len = u32::try_from(list.len).map_err(|_| EFBIG)?;
        // SAFETY: the list covers the associated data, which are not written, and the tag.
        to_result(unsafe { self.encrypt(&work, &list, &list, 0) })?;
        Ok(work.tag())
    }

    /// Encrypts `len` bytes.
    ///
    /// # Safety
    ///
    /// `work` was made for this transform. Both lists cover its associated data and as many bytes, those of `to` for nobody
    /// else to use, and `to` its tag. Where they cover the same bytes, they do at the same offset.
    unsafe fn encrypt(&self, work: &Work, from: &Done, to: &Done, len: u32) -> i32 {
        // SAFETY: the work has a request of this transform and an initialisation vector; the rest is the caller's promise.
        unsafe {
            sys::ksmbd_aead_encrypt(
                work.request(),
                self.tfm.as_ptr(),
                from.first,
                to.first,
                len,
                work.aad_len,
                work.iv(),
            )
        }
    }

    /// Decrypts `from` into `to`, if it has the tag that the work has.
    ///
    /// # Safety
    ///
    /// As [`Aead::encrypt`].
    unsafe fn decrypt(&self, work: &Work, from: &Done, to: &Done) -> Result {
        let len = from.len.checked_add(TAG_LEN).ok_or(EFBIG)?;
        let len = u32::try_from(len).map_err(|_| EFBIG)?;
        // SAFETY: the work has a request of this transform and an initialisation vector; both lists begin with its associated data, and
        // that of `from` ends with its tag; the rest is the caller's promise.
        to_result(unsafe {
            sys::ksmbd_aead_decrypt(
                work.request(),
                self.tfm.as_ptr(),
                from.first,
                to.first,
                len,
                work.aad_len,
                work.iv(),
            )
        })
    }
}

impl Drop for Aead {
    fn drop(&mut self) {
        // SAFETY: the transform is owned, and no request is under way: each borrows this.
        unsafe { sys::ksmbd_aead_free(self.tfm.as_ptr()) };
    }
}

/// Most list entries of a message with `len` bytes in a buffer and with `elements` elements of pages, between associated data
/// and tag, either of which may lie across two pages.
fn entries_of(len: usize, elements: usize) -> usize {
    (len / PAGE_SIZE).saturating_add(elements).saturating_add(6)
}

/// The unit of allocation, for its alignment.
#[repr(C, align(16))]
struct Unit([u8; 16]);

/// What stands behind the request: in memory that scatterlists may point to, as the stack is not.
#[repr(C, align(16))]
struct Fixed {
    aad: [u8; AAD_MAX],
    tag: [u8; TAG_LEN],
    iv: Iv,
}

/// All that a request needs beside its data, in one allocation: the request, [`Fixed`], and list entries.
struct Work {
    memory: KVVec<Unit>,
    /// Size in bytes of the request, at the front.
    request_len: usize,
    /// Where [`Fixed`] is.
    // INVARIANT: in `memory`, initialised, and reached by raw pointers only.
    fixed: NonNull<Fixed>,
    /// Where the list entries are.
    // INVARIANT: in `memory`, `entries` of them.
    lists: NonNull<sys::scatterlist>,
    entries: usize,
    /// Bytes of associated data: those in [`Fixed`], or all of the list.
    aad_len: u32,
}

impl Work {
    fn new(request_len: usize, first: usize, second: usize, iv: &Iv, aad: &[u8]) -> Result<Self> {
        if aad.len() > AAD_MAX {
            return Err(EINVAL);
        }
        let entries = first.checked_add(second).ok_or(EOVERFLOW)?;
        let request_units = request_len.div_ceil(size_of::<Unit>());
        let lists_len = entries
            .checked_mul(size_of::<sys::scatterlist>())
            .ok_or(EOVERFLOW)?;
        let units = lists_len
            .div_ceil(size_of::<Unit>())
            .checked_add(size_of::<Fixed>() / size_of::<Unit>())
            .and_then(|units| units.checked_add(request_units))
            .ok_or(EOVERFLOW)?;
        let mut memory = KVVec::<Unit>::with_capacity(units, GFP_KERNEL)?;
        let start = NonNull::new(memory.as_mut_ptr()).ok_or(ENOMEM)?;
        // SAFETY: the memory has that many units, and more behind them.
        let fixed: NonNull<Fixed> = unsafe { start.add(request_units) }.cast();
        let mut value = Fixed {
            aad: [0; AAD_MAX],
            tag: [0; TAG_LEN],
            iv: *iv,
        };
        value
            .aad
            .iter_mut()
            .zip(aad)
            .for_each(|(to, from)| *to = *from);
        // SAFETY: room for it, with its alignment, is in the memory.
        unsafe { fixed.write(value) };
        Ok(Work {
            memory,
            request_len,
            fixed,
            // SAFETY: the rest of the memory begins behind what was just written.
            lists: unsafe { fixed.add(1) }.cast(),
            entries,
            aad_len: u32::try_from(aad.len())?,
        })
    }

    /// An empty list of up to `room` entries, from entry `at` on. The associated data are in it already.
    fn list(&self, at: usize, room: usize) -> Result<List<'_>> {
        if at.checked_add(room).is_none_or(|end| end > self.entries) {
            return Err(EINVAL);
        }
        // SAFETY: the entry is in the memory, or this is its end.
        let first = unsafe { self.lists.add(at) };
        let mut list = List {
            first: first.as_ptr(),
            used: 0,
            room,
            end: core::ptr::null(),
            len: 0,
            memory: core::marker::PhantomData,
        };
        list.push_raw(self.fixed.as_ptr().cast(), self.aad_len as usize)?;
        list.len = 0;
        Ok(list)
    }

    fn request(&self) -> *mut c_void {
        self.memory.as_ptr().cast_mut().cast()
    }

    fn iv(&self) -> *mut u8 {
        // SAFETY: by the invariant the structure is valid.
        unsafe { (&raw mut (*self.fixed.as_ptr()).iv).cast() }
    }

    fn tag_at(&self) -> *mut [u8; TAG_LEN] {
        // SAFETY: by the invariant the structure is valid.
        unsafe { &raw mut (*self.fixed.as_ptr()).tag }
    }

    fn tag(&self) -> [u8; TAG_LEN] {
        // SAFETY: by the invariant the structure is valid and initialised.
        unsafe { self.tag_at().read() }
    }

    fn set_tag(&self, tag: &[u8; TAG_LEN]) {
        // SAFETY: by the invariant the structure is valid, and no request is under way while this runs.
        unsafe { self.tag_at().write(*tag) };
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A driver may keep the state of the cipher in its part of the request.
        // SAFETY: the request is that long, and nobody uses it any more.
        unsafe { sys::ksmbd_memzero(self.request(), self.request_len) };
    }
}

/// A scatterlist that is being built.
struct List<'w> {
    // INVARIANT: `room` entries of the work's memory are here for this list alone, `used` of them initialised.
    first: *mut sys::scatterlist,
    used: usize,
    room: usize,
    /// Where the last entry's bytes end, in the kernel's direct mapping.
    end: *const u8,
    /// Bytes behind the associated data.
    len: usize,
    memory: core::marker::PhantomData<&'w Work>,
}

/// A scatterlist with an end, of `len` bytes between the associated data and the tag.
struct Done {
    first: *mut sys::scatterlist,
    len: usize,
}

impl List<'_> {
    fn push(&mut self, span: Span<'_>) -> Result {
        self.push_raw(span.as_ptr(), span.len())
    }

    fn push_mut(&mut self, mut span: SpanMut<'_>) -> Result {
        self.push_raw(span.as_mut_ptr(), span.len())
    }

    /// Appends `len` mapped bytes at `at`, in whatever part of the kernel's address space.
    fn push_raw(&mut self, at: *const u8, len: usize) -> Result {
        self.len = self.len.checked_add(len).ok_or(EOVERFLOW)?;
        // SAFETY: spans are mapped memory.
        unsafe { linear_parts(at, len, |at, len| self.push_linear(at, len)) }
    }

    /// Appends `len` bytes of the direct mapping.
    fn push_linear(&mut self, at: *const u8, len: usize) -> Result {
        let count = u32::try_from(len).map_err(|_| EFBIG)?;
        // What lies behind the last entry joins it: the fewer steps, the faster. Page structures are an array there.
        if cfg!(CONFIG_SPARSEMEM_VMEMMAP) && core::ptr::eq(self.end, at) && self.used > 1 {
            // SAFETY: the last used entry is initialised.
            let last = unsafe { &mut *self.first.add(self.used.saturating_sub(1)) };
            if let Some(length) = last.length.checked_add(count) {
                last.length = length;
                self.end = at.wrapping_add(len);
                return Ok(());
            }
        }
        if self.used >= self.room {
            return Err(ENOSPC);
        }
        // SAFETY: the entry is within the room; the bytes are in the direct mapping.
        unsafe { sys::ksmbd_sg_set(self.first.add(self.used), at.cast(), count) };
        self.used = self.used.saturating_add(1);
        self.end = at.wrapping_add(len);
        Ok(())
    }

    /// Appends the tag, and ends the list.
    fn finish(mut self, work: &Work) -> Result<Done> {
        let len = self.len;
        self.push_raw(work.tag_at().cast(), TAG_LEN)?;
        // SAFETY: the last used entry is initialised.
        unsafe { sys::ksmbd_sg_end(self.first.add(self.used.saturating_sub(1))) };
        Ok(Done {
            first: self.first,
            len,
        })
    }
}
