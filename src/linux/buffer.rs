// SPDX-License-Identifier: GPL-2.0

//! Byte buffers for frames and replies, and the pool that large ones return to.
//!
//! A small buffer comes from one of two slab caches. A large one needs vmalloc, whose mapping and unmapping cost more than
//! the request that it carries: it goes back to a bounded [`BufferPool`] instead, which gives memory back when it is idle.
//! Neither is zeroed each time that it is used: a buffer hands out what was written to it, and nothing else.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::alloc::allocator::Vmalloc;
use kernel::alloc::{Allocator, NumaNode};
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::{Arc, SpinLock};

use crate::slab::SlabCache;

/// Bytes of a block for a request without data, or its answer.
const SMALL: usize = 512;
/// Bytes of a block for a page of data and what comes with it.
const MEDIUM: usize = 5 << 10;
/// Size in bytes that a pooled class has beside its power of two: a payload of that power comes with headers.
const SLACK: usize = 4 << 10;
/// Payload of the smallest pooled class, in bytes, as a power of two.
const FIRST_SHIFT: u32 = 14;
/// Number of pooled classes: 16 KiB to 16 MiB.
const CLASSES: usize = 11;
/// Most free buffers of one class.
const DEPTH: usize = 64;
/// Where a block comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Small,
    Medium,
    Vmalloc,
}

/// Memory of its own: `size` bytes at `at`. Its owner gives it back to the pool, by [`BufferPool::put`].
struct Block {
    at: NonNull<u8>,
    size: usize,
    /// How many bytes from the front were initialised at some time.
    init: usize,
    source: Source,
}

// SAFETY: a block is owned memory; it belongs to no thread.
unsafe impl Send for Block {}

impl Block {
    fn layout(size: usize) -> Result<Layout> {
        Layout::from_size_align(size, 8).map_err(|_| EOVERFLOW)
    }

    fn vmalloc(size: usize) -> Result<Self> {
        let memory = Vmalloc::alloc(Self::layout(size)?, GFP_KERNEL, NumaNode::NO_NODE)?;
        Ok(Block {
            at: memory.cast(),
            size,
            init: 0,
            source: Source::Vmalloc,
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Those of the slab caches never get here: `put` takes them, since only the pool knows the caches.
        if self.source != Source::Vmalloc {
            return;
        }
        if let Ok(layout) = Self::layout(self.size) {
            // SAFETY: `vmalloc` got the memory with this layout; nobody else has it.
            unsafe { Vmalloc::free(self.at, layout) };
        }
    }
}

/// The class whose blocks have at least `size` bytes, if one has.
fn class_of(size: usize) -> Option<usize> {
    (0..CLASSES).find(|&class| class_size(class) >= size)
}

/// Size in bytes of the blocks of `class`.
const fn class_size(class: usize) -> usize {
    (1usize << (FIRST_SHIFT as usize).saturating_add(class)).saturating_add(SLACK)
}

/// Free blocks of one class.
struct Class {
    // Has room for `DEPTH` from the start, so that giving one back never allocates.
    free: KVec<Block>,
    /// Fewest free blocks since the last trim: those were not needed.
    unused: usize,
}

struct Classes {
    classes: [Class; CLASSES],
    /// Bytes in free blocks.
    bytes: usize,
}

/// Free large buffers, for all connections of a server.
#[pin_data]
pub struct BufferPool {
    #[pin]
    classes: SpinLock<Classes>,
    /// Most bytes that may lie free.
    limit: usize,
    small: SlabCache<SMALL>,
    medium: SlabCache<MEDIUM>,
}

impl BufferPool {
    /// A pool that keeps at most `limit` bytes of free buffers. `small` and `medium` name its two slab caches, and are to be
    /// names that no other pool has: the kernel warns of a second cache of one name.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(limit: usize, small: &CStr, medium: &CStr) -> Result<Arc<Self>> {
        let mut classes = [const {
            Class {
                free: KVec::new(),
                unused: 0,
            }
        }; CLASSES];
        for class in &mut classes {
            class.free.reserve(DEPTH, GFP_KERNEL)?;
        }
        let small = SlabCache::new(small)?;
        let medium = SlabCache::new(medium)?;
        Arc::pin_init(
            pin_init!(BufferPool {
                classes <- new_spinlock!(Classes { classes, bytes: 0 }),
                limit,
                small,
                medium,
            }),
            GFP_KERNEL,
        )
    }

    /// A buffer without memory yet, which will come from this pool.
    pub fn empty(self: &Arc<Self>) -> Buffer {
        Buffer {
            block: None,
            len: 0,
            pool: self.clone(),
        }
    }

    /// An empty buffer with room for at least `capacity` bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EOVERFLOW` for a capacity that no allocation can have.
    pub fn get(self: &Arc<Self>, capacity: usize) -> Result<Buffer> {
        let mut buffer = self.empty();
        buffer.reserve(capacity)?;
        Ok(buffer)
    }

    fn take(&self, capacity: usize) -> Result<Block> {
        if capacity <= SMALL {
            return Ok(slab_block(self.small.alloc()?, SMALL, Source::Small));
        }
        if capacity <= MEDIUM {
            return Ok(slab_block(self.medium.alloc()?, MEDIUM, Source::Medium));
        }
        let Some(class) = class_of(capacity) else {
            return Block::vmalloc(capacity);
        };
        if let Some(block) = self.pop(class) {
            return Ok(block);
        }
        Block::vmalloc(class_size(class))
    }

    /// Takes `block` back, for another buffer or for the system.
    fn put(&self, block: Block) {
        match block.source {
            // SAFETY: the block is owned, and came from this cache.
            Source::Small => unsafe { self.small.free(block.at) },
            // SAFETY: as above.
            Source::Medium => unsafe { self.medium.free(block.at) },
            // What has no room is dropped after the lock is released: freeing may sleep.
            Source::Vmalloc => drop(self.keep(block)),
        }
    }

    fn pop(&self, class: usize) -> Option<Block> {
        let mut inner = self.classes.lock();
        let found = inner.classes.get_mut(class)?;
        let block = found.free.pop()?;
        found.unused = found.unused.min(found.free.len());
        inner.bytes = inner.bytes.saturating_sub(block.size);
        Some(block)
    }

    /// Keeps `block`, if it is of a class and there is room for it.
    fn keep(&self, block: Block) -> Option<Block> {
        match class_of(block.size).filter(|&class| class_size(class) == block.size) {
            Some(class) => self.push(class, block),
            None => Some(block),
        }
    }

    fn push(&self, class: usize, block: Block) -> Option<Block> {
        let mut inner = self.classes.lock();
        let bytes = inner.bytes.saturating_add(block.size);
        if bytes > self.limit {
            return Some(block);
        }
        let Some(found) = inner.classes.get_mut(class) else {
            return Some(block);
        };
        if let Err(error) = found.free.push_within_capacity(block) {
            return Some(error.0);
        }
        inner.bytes = bytes;
        None
    }

    /// Gives back to the system the free buffers that were not needed since the last call. To be called now and then.
    pub fn trim(&self) {
        for class in 0..CLASSES {
            while let Some(block) = self.pop_unused(class) {
                drop(block);
            }
            if let Some(found) = self.classes.lock().classes.get_mut(class) {
                found.unused = found.free.len();
            }
        }
    }

    fn pop_unused(&self, class: usize) -> Option<Block> {
        let mut inner = self.classes.lock();
        let found = inner.classes.get_mut(class)?;
        found.unused = found.unused.checked_sub(1)?;
        let block = found.free.pop()?;
        inner.bytes = inner.bytes.saturating_sub(block.size);
        Some(block)
    }

    /// Bytes that lie free in the pool.
    pub fn idle_bytes(&self) -> usize {
        self.classes.lock().bytes
    }
}

/// A block of a slab cache, all of which is initialised.
fn slab_block(at: NonNull<u8>, size: usize, source: Source) -> Block {
    Block {
        at,
        size,
        init: size,
        source,
    }
}

/// A byte buffer: what its length covers was written, and nothing else can be read.
pub struct Buffer {
    block: Option<Block>,
    // INVARIANT: at most the block's `init`.
    len: usize,
    pool: Arc<BufferPool>,
}

impl Buffer {
    /// Number of bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.size)
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.block {
            // SAFETY: by the type invariant, that many bytes of the block are initialised; the block is borrowed.
            Some(block) => unsafe { core::slice::from_raw_parts(block.at.as_ptr(), self.len) },
            None => &[],
        }
    }

    /// Its bytes, to change.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.block {
            // SAFETY: as above; the block is exclusively borrowed.
            Some(block) => unsafe { core::slice::from_raw_parts_mut(block.at.as_ptr(), self.len) },
            None => &mut [],
        }
    }

    /// Makes room for at least `additional` more bytes.
    ///
    /// # Errors
    ///
    /// As [`BufferPool::get`]. The content is unchanged then.
    #[inline]
    pub fn reserve(&mut self, additional: usize) -> Result {
        let needed = self.len.checked_add(additional).ok_or(EOVERFLOW)?;
        if needed <= self.capacity() {
            return Ok(());
        }
        self.grow(needed)
    }

    /// Takes a block of at least `needed` bytes, which is more than there are.
    fn grow(&mut self, needed: usize) -> Result {
        // Doubling keeps repeated growth linear.
        let wanted = needed.max(self.capacity().saturating_mul(2));
        let mut block = self.pool.take(wanted)?;
        if let Some(old) = self.block.take() {
            let (from, to) = (old.at.as_ptr(), block.at.as_ptr());
            // SAFETY: the new block has room for `needed` bytes, which is not less than the length; it is another allocation.
            unsafe { core::ptr::copy_nonoverlapping(from, to, self.len) };
            block.init = block.init.max(self.len);
            self.pool.put(old);
        }
        self.block = Some(block);
        Ok(())
    }

    /// The memory behind its bytes, for C code that writes there and then calls [`Buffer::set_len`].
    pub fn spare_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let len = self.len;
        match &mut self.block {
            // SAFETY: the length is at most the size; what may be uninitialised needs not be initialised.
            Some(block) => unsafe {
                core::slice::from_raw_parts_mut(
                    block.at.as_ptr().add(len).cast(),
                    block.size.saturating_sub(len),
                )
            },
            None => &mut [],
        }
    }

    /// Says that it has `len` bytes now.
    ///
    /// # Safety
    ///
    /// They are at most its capacity, and were all written.
    pub unsafe fn set_len(&mut self, len: usize) {
        if let Some(block) = &mut self.block {
            self.len = len.min(block.size);
            block.init = block.init.max(self.len);
        }
    }

    /// Makes room for `room` more bytes and lends it to `write`, which returns how many it wrote from its front; these are
    /// appended. The room is initialised but its content is that of an earlier use: `write` must not count what it did not
    /// write.
    ///
    /// # Errors
    ///
    /// As [`BufferPool::get`], and what `write` returns: nothing is appended then.
    pub fn append_with<E: From<Error>>(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.reserve(room)?;
        let len = self.len;
        let Some(block) = &mut self.block else {
            return write(&mut []).map(|_| 0);
        };
        let end = len.saturating_add(room).min(block.size);
        if let Some(fresh) = end.checked_sub(block.init) {
            // SAFETY: `init + fresh` is `end`, which is at most the block's size.
            unsafe { block.at.as_ptr().add(block.init).write_bytes(0, fresh) };
            block.init = end;
        }
        // SAFETY: the bytes from `len` to `end` lie within the block, are initialised, and are exclusively borrowed.
        let lent = unsafe {
            core::slice::from_raw_parts_mut(block.at.as_ptr().add(len), end.saturating_sub(len))
        };
        let wrote = write(lent)?.min(end.saturating_sub(len));
        self.len = len.saturating_add(wrote);
        Ok(wrote)
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// As [`BufferPool::get`].
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> Result {
        self.reserve(bytes.len())?;
        let len = self.len;
        if let Some(block) = &mut self.block {
            // SAFETY: `reserve` made room for that many bytes after `len`; `bytes` cannot lie in the exclusively borrowed
            // block.
            unsafe {
                core::ptr::copy_nonoverlapping(
                    bytes.as_ptr(),
                    block.at.as_ptr().add(len),
                    bytes.len(),
                )
            };
            self.len = len.saturating_add(bytes.len());
            block.init = block.init.max(self.len);
        }
        Ok(())
    }

    /// Makes it at least `len` bytes long. What is new holds zeros or what an earlier user of the memory left there: the caller
    /// overwrites what it hands out.
    ///
    /// # Errors
    ///
    /// As [`BufferPool::get`].
    pub fn stretch(&mut self, len: usize) -> Result {
        if let Some(more) = len.checked_sub(self.len) {
            self.append_with(more, |room| Ok::<_, Error>(room.len()))?;
        }
        Ok(())
    }

    /// Cuts it to at most `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes it empty, and keeps its memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl core::ops::Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl core::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

// SAFETY: through `&Buffer` its bytes are only read.
unsafe impl Sync for Buffer {}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.pool.put(block);
        }
    }
}
