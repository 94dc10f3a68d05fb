// SPDX-License-Identifier: GPL-2.0

//! Vectors of pages: payload that is read from a file, sealed, and sent, without memory that would have to be mapped.

use crate::span::{Span, SpanMut};
use crate::sys;
use core::ptr::NonNull;
use kernel::bindings;
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;

// Pages are reached through the kernel's direct mapping, which covers all memory only there.
#[cfg(any(CONFIG_HIGHMEM, not(CONFIG_64BIT)))]
compile_error!("pages outside the direct mapping are not supported");

/// How many pages are allocated at a time.
const BATCH: usize = 32;

/// Payload in pages, as a vector of `bio_vec`s that each own a reference to their page.
///
/// Its pages either are all its own ([`PageVec::alloc`]) and are filled from the front, or others have them too, as those of
/// the page cache ([`PageVec::push_ref`]), and are only read.
pub struct PageVec {
    // INVARIANT: each element from `first` on owns a reference to its page, and lies within the folio of that page.
    vecs: KVec<bindings::bio_vec>,
    /// How many elements were given back from the front.
    // INVARIANT: at most the number of elements.
    first: usize,
    /// Sum of the lengths of `vecs` from `first` on, in bytes.
    capacity: usize,
    /// How many bytes from the front hold payload.
    // INVARIANT: at most `capacity`; that many bytes are initialised.
    len: usize,
    /// Whether others may have the pages too.
    // INVARIANT: while false, nobody else has a reference to any page.
    shared: bool,
}

// SAFETY: a page reference belongs to no thread.
unsafe impl Send for PageVec {}
// SAFETY: through `&PageVec`, pages are only read, and as `Span`s.
unsafe impl Sync for PageVec {}

impl PageVec {
    /// A vector without pages.
    pub const fn new() -> Self {
        PageVec {
            vecs: KVec::new(),
            first: 0,
            capacity: 0,
            len: 0,
            shared: false,
        }
    }

    /// Room for `capacity` bytes in pages of its own. It has no payload yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EOVERFLOW` for a capacity that no allocation can have.
    pub fn alloc(capacity: usize) -> Result<Self> {
        let count = capacity.checked_add(PAGE_SIZE - 1).ok_or(EOVERFLOW)? / PAGE_SIZE;
        let mut pages = PageVec {
            vecs: KVec::with_capacity(count, GFP_KERNEL)?,
            first: 0,
            capacity: 0,
            len: 0,
            shared: false,
        };
        while pages.capacity < capacity {
            pages.grow(capacity)?;
        }
        Ok(pages)
    }

    /// Allocates some of the pages that are missing to `capacity`, at least one.
    fn grow(&mut self, capacity: usize) -> Result {
        let missing = capacity.saturating_sub(self.capacity).div_ceil(PAGE_SIZE);
        let count = u32::try_from(missing.min(BATCH))?;
        let mut batch = [core::ptr::null_mut(); BATCH];
        // SAFETY: `batch` has room for `count` pages, and its elements are null.
        let got =
            unsafe { sys::ksmbd_alloc_pages(bindings::GFP_KERNEL, count, batch.as_mut_ptr()) };
        if got == 0 {
            // The batch allocator does not reclaim memory as hard as this does.
            // SAFETY: allocating a page has no preconditions.
            batch[0] = unsafe { sys::ksmbd_alloc_page(bindings::GFP_KERNEL) };
        }
        let before = self.capacity;
        let mut failed = Ok(());
        for page in batch.into_iter().filter_map(NonNull::new) {
            let len = PAGE_SIZE.min(capacity.saturating_sub(self.capacity));
            // The reference goes to the vector: what is allocated so far is freed with it.
            failed = failed.and(self.push_owned(page, 0, len));
        }
        failed?;
        if self.capacity == before {
            return Err(ENOMEM);
        }
        Ok(())
    }

    /// Appends an element that takes the caller's reference to `page`, or gives it back on failure.
    fn push_owned(&mut self, page: NonNull<bindings::page>, offset: usize, len: usize) -> Result {
        let pushed = (|| {
            let vec = bindings::bio_vec {
                bv_page: page.as_ptr(),
                bv_len: u32::try_from(len)?,
                bv_offset: u32::try_from(offset)?,
            };
            let capacity = self.capacity.checked_add(len).ok_or(EOVERFLOW)?;
            self.vecs.push(vec, GFP_KERNEL)?;
            self.capacity = capacity;
            Ok(())
        })();
        if pushed.is_err() {
            // SAFETY: the caller gave the reference away, and nobody took it.
            unsafe { sys::ksmbd_put_page(page.as_ptr()) };
        }
        pushed
    }

    /// Appends `len` bytes from `offset` of `page` on as payload, with a reference of its own to the page. From then on the
    /// vector counts as shared. The bytes may begin and reach beyond the page within the folio that it is part of.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the vector has room that is not filled yet, or the bytes reach beyond the folio; `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The caller has a reference to `page`, whose content from `offset` on is initialised.
    pub unsafe fn push_ref(
        &mut self,
        page: NonNull<bindings::page>,
        offset: usize,
        len: usize,
    ) -> Result {
        // SAFETY: the caller has a reference to the page, so its folio does not change.
        let room = unsafe { sys::ksmbd_page_room(page.as_ptr()) };
        if self.len != self.capacity || offset.checked_add(len).is_none_or(|end| end > room) {
            return Err(EINVAL);
        }
        // SAFETY: the bytes lie in one folio, whose pages follow each other, and to which the caller has a reference.
        let page = unsafe { sys::ksmbd_nth_page(page.as_ptr(), offset / PAGE_SIZE) };
        let (page, offset) = (NonNull::new(page).ok_or(EINVAL)?, offset % PAGE_SIZE);
        // SAFETY: as above.
        unsafe { sys::ksmbd_get_page(page.as_ptr()) };
        self.shared = true;
        self.push_owned(page, offset, len)?;
        self.len = self.capacity;
        Ok(())
    }

    /// Number of bytes of payload.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of bytes that there is room for, filled or not.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether others may have the pages too, so that their content may change while it is used.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The payload, page by page.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> + Clone {
        self.as_bvecs().iter().scan(self.len, |left, vec| {
            let (at, len) = address(vec, left)?;
            // SAFETY: by the type invariants the bytes are mapped while the vector lives, and initialised up to `len`.
            Some(unsafe { Span::from_raw(at, len) })
        })
    }

    /// The payload of pages that are the vector's own, to change in place. Of shared pages: nothing.
    pub fn spans_mut(&mut self) -> impl Iterator<Item = SpanMut<'_>> {
        let len = if self.shared { 0 } else { self.len };
        let vecs = self.vecs.get_mut(self.first..).unwrap_or(&mut []);
        writable(vecs, len)
    }

    /// All room, filled or not, of pages that are the vector's own. What fills it from the front then says how far, with
    /// [`PageVec::set_len`]. Of shared pages: nothing.
    pub fn room(&mut self) -> impl Iterator<Item = SpanMut<'_>> {
        let len = if self.shared { 0 } else { self.capacity };
        let vecs = self.vecs.get_mut(self.first..).unwrap_or(&mut []);
        writable(vecs, len)
    }

    /// The payload as slices, when the pages are the vector's own.
    pub fn slices(&self) -> Option<impl Iterator<Item = &[u8]> + Clone> {
        if self.shared {
            return None;
        }
        Some(self.spans().map(|span| {
            // SAFETY: the span is initialised; the pages belong to nobody else and are borrowed, so nobody writes them.
            unsafe { core::slice::from_raw_parts(span.as_ptr(), span.len()) }
        }))
    }

    /// Appends `bytes` to the payload, as many as there is room for, and returns their number. Shared pages have none.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let (mut skip, mut left) = (self.len, Span::from(bytes));
        for span in self.room() {
            let skipped = skip.min(span.len());
            skip = skip.saturating_sub(skipped);
            let (_, mut to) = span.split(skipped);
            let (from, rest) = left.split(to.len());
            // SAFETY: both are mapped for the length of `from`, which is at most that of `to`; `to` belongs to the vector.
            unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), from.len()) };
            left = rest;
        }
        let filled = bytes.len().saturating_sub(left.len());
        self.len = self.len.saturating_add(filled);
        filled
    }

    /// Copies as much of the payload as fits to the front of `to`, and returns how much that was.
    pub fn copy_to(&self, to: &mut [u8]) -> usize {
        let mut done = 0usize;
        for span in self.spans() {
            let copied = to.get_mut(done..).map_or(0, |room| span.copy_to(room));
            done = done.saturating_add(copied);
        }
        done
    }

    /// Copies the payload of `src` to the front of these pages, which have none yet.
    ///
    /// # Errors
    ///
    /// `EINVAL` when they have, `ENOSPC` when there is not enough room.
    pub fn copy_from(&mut self, src: &PageVec) -> Result {
        if !self.is_empty() {
            return Err(EINVAL);
        }
        let mut room = self.room();
        let mut to = SpanMut::from(&mut [] as &mut [u8]);
        for mut rest in src.spans() {
            while !rest.is_empty() {
                while to.is_empty() {
                    to = room.next().ok_or(ENOSPC)?;
                }
                let (from, after) = rest.split(to.len());
                let (mut at, left) = to.split(from.len());
                // SAFETY: both are mapped for the length of `from`; `at` belongs to this vector, so they do not overlap.
                unsafe {
                    core::ptr::copy_nonoverlapping(from.as_ptr(), at.as_mut_ptr(), from.len());
                }
                (rest, to) = (after, left);
            }
        }
        drop(room);
        self.len = src.len();
        Ok(())
    }

    /// Says that the first `len` bytes hold payload now.
    ///
    /// # Safety
    ///
    /// They are at most [`PageVec::capacity`], and were all written.
    pub unsafe fn set_len(&mut self, len: usize) {
        self.len = len.min(self.capacity);
    }

    /// Cuts the payload to at most `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        if self.shared {
            // What is cut off must not count as room: shared pages are never written.
            self.drop_room();
        }
    }

    /// Drops the first `count` bytes of the payload, or all of it, and gives back the pages that only they are in.
    pub fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len = self.len.saturating_sub(left);
        self.capacity = self.capacity.saturating_sub(left);
        while let Some(vec) = self.vecs.get_mut(self.first).filter(|_| left != 0) {
            let len = vec.bv_len as usize;
            if left < len {
                // Smaller than the length, which is a `u32`, as is what the element reaches to in its folio.
                let cut = u32::try_from(left).unwrap_or(0);
                vec.bv_offset = vec.bv_offset.saturating_add(cut);
                vec.bv_len = vec.bv_len.saturating_sub(cut);
                return;
            }
            left = left.saturating_sub(len);
            self.first = self.first.saturating_add(1);
            // SAFETY: the element owned this reference, and is before `first` now.
            unsafe { sys::ksmbd_put_page(vec.bv_page) };
        }
    }

    /// Gives back the room that is not filled.
    fn drop_room(&mut self) {
        while self.len < self.capacity {
            let excess = self.capacity.saturating_sub(self.len);
            let Some(last) = self.vecs.last_mut() else {
                return;
            };
            let len = last.bv_len as usize;
            if excess < len {
                // Smaller than the old length, which is a `u32`.
                last.bv_len = u32::try_from(len.saturating_sub(excess)).unwrap_or(0);
                self.capacity = self.len;
                return;
            }
            self.capacity = self.capacity.saturating_sub(len);
            if let Some(last) = self.vecs.pop() {
                // SAFETY: the element owned this reference.
                unsafe { sys::ksmbd_put_page(last.bv_page) };
            }
        }
    }

    /// The elements, for an `iov_iter` over [`PageVec::len`] bytes (to read) or [`PageVec::capacity`] bytes (to fill). Their
    /// lengths add up to the capacity.
    pub fn as_bvecs(&self) -> &[bindings::bio_vec] {
        self.vecs.get(self.first..).unwrap_or(&[])
    }

    /// Gives back all pages.
    pub fn clear(&mut self) {
        for vec in self.as_bvecs() {
            // SAFETY: the element owned this reference, and is not used after.
            unsafe { sys::ksmbd_put_page(vec.bv_page) };
        }
        self.vecs.clear();
        (self.first, self.len, self.capacity, self.shared) = (0, 0, 0, false);
    }
}

/// The first `len` bytes of `vecs`, which are of a vector that is not shared.
fn writable(vecs: &mut [bindings::bio_vec], len: usize) -> impl Iterator<Item = SpanMut<'_>> {
    vecs.iter_mut().scan(len, |left, vec| {
        let (at, len) = address(vec, left)?;
        // SAFETY: the pages are not shared, so by the type invariants nobody else has them; the iterator yields each
        // element once while the vector is exclusively borrowed.
        Some(unsafe { SpanMut::from_raw(at, len) })
    })
}

/// Address and length of `vec`, cut to what of `left` bytes remains; `None` when nothing does.
fn address(vec: &bindings::bio_vec, left: &mut usize) -> Option<(NonNull<u8>, usize)> {
    let len = (vec.bv_len as usize).min(*left);
    *left = left.saturating_sub(len);
    if len == 0 {
        return None;
    }
    // SAFETY: the element's page is valid by the invariant of `PageVec`.
    let page = unsafe { sys::ksmbd_page_address(vec.bv_page) };
    let at = page.cast::<u8>().wrapping_add(vec.bv_offset as usize);
    NonNull::new(at).map(|at| (at, len))
}

impl Default for PageVec {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PageVec {
    fn drop(&mut self) {
        self.clear();
    }
}
