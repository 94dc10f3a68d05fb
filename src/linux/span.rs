// SPDX-License-Identifier: GPL-2.0

//! Stretches of mapped kernel memory that C code reads or writes.
//!
//! A Rust slice promises that nobody else writes the bytes meanwhile and that they are initialised. Page-cache pages do not
//! keep the first promise (another process may be writing the file), fresh pages not the second. A [`Span`] or [`SpanMut`]
//! promises only that the memory is mapped for its lifetime, and never lends its bytes to Rust code.

use crate::sys;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;

/// Memory that may be read for the lifetime `'a`. Others may change its content meanwhile.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    at: NonNull<u8>,
    len: usize,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> Span<'a> {
    /// The `len` bytes at `at`.
    ///
    /// # Safety
    ///
    /// They are mapped, initialised and readable for `'a`.
    pub unsafe fn from_raw(at: NonNull<u8>, len: usize) -> Self {
        Span {
            at,
            len,
            memory: PhantomData,
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its address.
    pub fn as_ptr(&self) -> *const u8 {
        self.at.as_ptr()
    }

    /// Splits off the first `at` bytes, or all of them when there are fewer.
    pub fn split(self, at: usize) -> (Self, Self) {
        let head = self.len.min(at);
        // SAFETY: `head` is at most `len`, so the sum stays within the span or one past its end.
        let rest = unsafe { self.at.add(head) };
        (
            Span {
                at: self.at,
                len: head,
                memory: PhantomData,
            },
            Span {
                at: rest,
                len: self.len.saturating_sub(head),
                memory: PhantomData,
            },
        )
    }

    /// Copies as many bytes as both have to the front of `to`, and returns that number.
    pub fn copy_to(&self, to: &mut [u8]) -> usize {
        let len = self.len.min(to.len());
        // SAFETY: both are mapped for `len` bytes; `to` is exclusively borrowed, so they do not overlap.
        unsafe { ptr::copy_nonoverlapping(self.as_ptr(), to.as_mut_ptr(), len) };
        len
    }
}

impl<'a> From<&'a [u8]> for Span<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Span {
            at: NonNull::from(bytes).cast(),
            len: bytes.len(),
            memory: PhantomData,
        }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Span<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Span::from(bytes.as_slice())
    }
}

/// Memory that may be read and written, by nobody else, for the lifetime `'a`. It may be uninitialised.
pub struct SpanMut<'a> {
    at: NonNull<u8>,
    len: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> SpanMut<'a> {
    /// The `len` bytes at `at`.
    ///
    /// # Safety
    ///
    /// They are mapped, readable and writable for `'a`, and nobody else uses them during it.
    pub unsafe fn from_raw(at: NonNull<u8>, len: usize) -> Self {
        SpanMut {
            at,
            len,
            memory: PhantomData,
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its address.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.at.as_ptr()
    }

    /// Splits off the first `at` bytes, or all of them when there are fewer.
    pub fn split(self, at: usize) -> (Self, Self) {
        let head = self.len.min(at);
        // SAFETY: `head` is at most `len`, so the sum stays within the span or one past its end.
        let rest = unsafe { self.at.add(head) };
        (
            SpanMut {
                at: self.at,
                len: head,
                memory: PhantomData,
            },
            SpanMut {
                at: rest,
                len: self.len.saturating_sub(head),
                memory: PhantomData,
            },
        )
    }
}

impl<'a> From<&'a mut [u8]> for SpanMut<'a> {
    fn from(bytes: &'a mut [u8]) -> Self {
        let len = bytes.len();
        SpanMut {
            at: NonNull::from(bytes).cast(),
            len,
            memory: PhantomData,
        }
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for SpanMut<'a> {
    fn from(bytes: &'a mut [u8; N]) -> Self {
        SpanMut::from(bytes.as_mut_slice())
    }
}

// SAFETY: the constructors' contracts do not depend on the thread; a span is as good as the reference it stands for.
unsafe impl Send for Span<'_> {}
// SAFETY: as above.
unsafe impl Sync for Span<'_> {}
// SAFETY: as above.
unsafe impl Send for SpanMut<'_> {}

/// Tells `each` the parts of the `len` bytes at `at`, in whatever part of the kernel's address space, one after the other: address in the
/// direct mapping, where drivers and devices find them, and length.
///
/// # Errors
///
/// `EFAULT` for what is not there; those of `each`.
///
/// # Safety
///
/// They are mapped.
pub(crate) unsafe fn linear_parts(
    at: *const u8,
    len: usize,
    mut each: impl FnMut(*const u8, usize) -> Result,
) -> Result {
    let (mut at, mut left) = (at, len);
    while left > 0 {
        // SAFETY: the caller's promise.
        let linear = unsafe { sys::ksmbd_linear_address(at.cast()) }.cast::<u8>();
        if linear.is_null() {
            return Err(EFAULT);
        }
        // Other mappings are contiguous only within a page.
        let take = if ptr::eq(linear, at) {
            left
        } else {
            left.min(PAGE_SIZE.saturating_sub(at as usize % PAGE_SIZE))
        };
        each(linear, take)?;
        at = at.wrapping_add(take);
        left = left.saturating_sub(take);
    }
    Ok(())
}
