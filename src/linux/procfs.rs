// SPDX-License-Identifier: GPL-2.0

//! Files below `/proc` that show something: as a whole ([`Show`]), or as a list of which only one entry at a time is held
//! ([`List`]).
//!
//! C headers: `include/linux/proc_fs.h`, `include/linux/seq_file.h`.

use crate::sys;
use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr::{self, NonNull};
use kernel::error::from_result;
use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::sync::Arc;

/// What a file shows. Write with `kernel::seq_print!`.
pub trait Show: Send + Sync + 'static {
    /// Writes all of it. Called again with a larger buffer when it did not fit, so it has no effects.
    ///
    /// # Errors
    ///
    /// Go to the reader.
    fn show(&self, out: &SeqFile) -> Result;
}

/// Where a list is: compared as a whole, most significant number first.
pub type Key = [u64; 3];

/// A list that a file shows, however long: the reader's buffer is filled entry by entry, and nothing is held between two reads
/// but the place. What comes and goes meanwhile is in it or not; what stays is in it once.
pub trait List: Send + Sync + 'static {
    /// An entry, which nothing else needs to keep.
    type Entry: 'static;

    /// The first entry behind `after`, and its key; without `after` the first of all.
    ///
    /// # Errors
    ///
    /// Go to the reader.
    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Self::Entry)>>;

    /// Writes an entry. Called again with a larger buffer when it did not fit, so it has no effects.
    ///
    /// # Errors
    ///
    /// Go to the reader.
    fn show(&self, entry: &Self::Entry, out: &SeqFile) -> Result;
}

/// What an entry shows: kept until nobody can read it.
trait Keep: Send + Sync {}

impl<T: Send + Sync> Keep for T {}

/// A directory.
///
/// # Invariants
///
/// `entry` is valid until this object is dropped.
struct Entry {
    entry: NonNull<sys::proc_dir_entry>,
    /// Removing a directory would remove what is in it: it stays until all of that is gone.
    _parent: Option<Arc<Entry>>,
}

// SAFETY: procfs serialises its users itself.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

impl Entry {
    fn as_ptr(&self) -> *mut sys::proc_dir_entry {
        self.entry.as_ptr()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: valid by the invariant, and not used after. Returns when nobody reads it.
        unsafe { sys::proc_remove(self.entry.as_ptr()) };
    }
}

/// A directory. It is removed when this object, its copies, and all that is in it are dropped.
#[derive(Clone)]
pub struct Directory {
    entry: Arc<Entry>,
}

impl Directory {
    /// Makes `/proc/<path>`, of which all but the last part exist. `mode` is the permissions, such as `0o555`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also when it exists.
    pub fn new(path: &CStr, mode: u16) -> Result<Self> {
        Self::make(path, mode, None)
    }

    /// Makes the directory `name` in this one.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn directory(&self, name: &CStr, mode: u16) -> Result<Self> {
        Self::make(name, mode, Some(self.entry.clone()))
    }

    fn make(name: &CStr, mode: u16, parent: Option<Arc<Entry>>) -> Result<Self> {
        let at = parent
            .as_ref()
            .map_or(ptr::null_mut(), |parent| parent.as_ptr());
        // SAFETY: `name` is a C string, `at` null or a directory that is valid while `parent` is held.
        let entry = unsafe { sys::proc_mkdir_mode(name.as_char_ptr(), mode, at) };
        // INVARIANT: not null, so it is a new entry.
        let entry = Entry {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _parent: parent,
        };
        Ok(Directory {
            entry: Arc::new(entry, GFP_KERNEL)?,
        })
    }

    /// Makes the file `name` in this directory, which only root may read, and which shows `content`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also when it exists.
    pub fn file<S: Show>(&self, name: &CStr, content: S) -> Result<File> {
        let content: KBox<dyn Show> = KBox::new(content, GFP_KERNEL)?;
        let content = KBox::new(content, GFP_KERNEL)?;
        // SAFETY: `name` is a C string, the directory valid, and `show` takes a pointer to a `KBox<dyn Show>`, which is what the
        // data is; it stays where it is until the entry is gone.
        let entry = unsafe {
            sys::proc_create_single_data(
                name.as_char_ptr(),
                0o400,
                self.entry.as_ptr(),
                Some(show),
                ptr::from_ref::<KBox<dyn Show>>(&content).cast_mut().cast(),
            )
        };
        // INVARIANT: not null, so it is a new entry.
        let entry = Entry {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _parent: Some(self.entry.clone()),
        };
        Ok(File {
            _entry: entry,
            _content: content,
        })
    }

    /// Makes the file `name` in this directory, which only root may read, and which lists `content`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also when it exists.
    pub fn list<L: List>(&self, name: &CStr, content: L) -> Result<File> {
        let content = KBox::new(content, GFP_KERNEL)?;
        let size = u32::try_from(size_of::<Walk<L>>())?;
        // SAFETY: `name` is a C string, the directory valid; the operations take a pointer to an `L`, which is what the data is
        // and which stays where it is until the entry is gone, and a state of the size of a `Walk<L>`, zeroed.
        let entry = unsafe {
            sys::proc_create_seq_private(
                name.as_char_ptr(),
                0o400,
                self.entry.as_ptr(),
                Operations::<L>::TABLE,
                size,
                ptr::from_ref::<L>(&content).cast_mut().cast(),
            )
        };
        // INVARIANT: not null, so it is a new entry.
        let entry = Entry {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _parent: Some(self.entry.clone()),
        };
        Ok(File {
            _entry: entry,
            _content: content,
        })
    }
}

/// A file. It is removed when this object is dropped, which waits for who is reading it; so its content must not drop it.
pub struct File {
    /// Dropped before what it shows.
    _entry: Entry,
    _content: KBox<dyn Keep>,
}

/// # Safety
///
/// procfs calls it with a `seq_file` whose `private` is the data of the entry, and that nobody else uses.
unsafe extern "C" fn show(
    file: *mut sys::seq_file,
    _: *mut kernel::ffi::c_void,
) -> kernel::ffi::c_int {
    // SAFETY: by the contract of this function. The data stays while the entry can be read.
    let (content, file) = unsafe {
        (
            &*(*file).private.cast::<KBox<dyn Show>>(),
            SeqFile::from_raw(file),
        )
    };
    from_result(|| content.show(file).map(|()| 0))
}

/// How far a reader has come. All zero is a reader that has not begun, with no entry.
#[repr(C)]
struct Walk<L: List> {
    /// The key of the entry before the place, if there is one.
    before: Key,
    has_before: bool,
    /// The entry at the place, from `start` or `next` on until `stop`; owned.
    current: Option<NonNull<(Key, L::Entry)>>,
}

impl<L: List> Walk<L> {
    /// Frees the entry at the place; gives its key.
    fn take(&mut self) -> Option<Key> {
        let current = self.current.take()?;
        // SAFETY: it came out of `KBox::into_raw`, and this was the only pointer to it.
        let current = unsafe { KBox::from_raw(current.as_ptr()) };
        Some(current.0)
    }

    /// Fetches the entry at the place; gives what `seq_file` wants of it: a pointer, null at the end, or an error.
    fn fetch(&mut self, list: &L) -> *mut kernel::ffi::c_void {
        let after = self.has_before.then_some(self.before);
        let found = list.next(after).and_then(|found| {
            Ok(found
                .map(|found| KBox::new(found, GFP_KERNEL))
                .transpose()?)
        });
        match found {
            Ok(None) => ptr::null_mut(),
            Ok(Some(entry)) => {
                let entry = KBox::into_raw(entry);
                self.current = NonNull::new(entry);
                entry.cast()
            }
            Err(error) => error.to_ptr(),
        }
    }
}

/// The operations of a list.
struct Operations<L>(PhantomData<L>);

impl<L: List> Operations<L> {
    const TABLE: &'static sys::seq_operations = &sys::seq_operations {
        start: Some(Self::start),
        stop: Some(Self::stop),
        next: Some(Self::next),
        show: Some(Self::show),
    };

    /// The list, and the reader's state.
    ///
    /// # Safety
    ///
    /// `file` is open on an entry that [`Directory::list`] made for an `L`, and nobody else uses it during `'a`.
    unsafe fn parts<'a>(file: *mut sys::seq_file) -> (&'a L, &'a mut Walk<L>) {
        // SAFETY: the data of the entry is an `L`, which stays while the entry can be read; `private` is a state of the size of a
        // `Walk<L>` that was zeroed, which is a valid one.
        unsafe {
            (
                &*sys::ksmbd_seq_data(file).cast::<L>(),
                &mut *(*file).private.cast::<Walk<L>>(),
            )
        }
    }

    /// # Safety
    ///
    /// As for [`Self::parts`], and `place` is valid.
    unsafe extern "C" fn start(
        file: *mut sys::seq_file,
        place: *mut sys::loff_t,
    ) -> *mut kernel::ffi::c_void {
        // SAFETY: by the contract of this function.
        let (list, walk) = unsafe { Self::parts(file) };
        // SAFETY: by the contract of this function.
        if unsafe { *place } == 0 {
            walk.has_before = false;
        }
        walk.take();
        walk.fetch(list)
    }

    /// # Safety
    ///
    /// As for [`Self::start`].
    unsafe extern "C" fn next(
        file: *mut sys::seq_file,
        _: *mut kernel::ffi::c_void,
        place: *mut sys::loff_t,
    ) -> *mut kernel::ffi::c_void {
        // SAFETY: by the contract of this function.
        let (list, walk) = unsafe { Self::parts(file) };
        // SAFETY: by the contract of this function.
        unsafe { *place = (*place).wrapping_add(1) };
        if let Some(key) = walk.take() {
            walk.before = key;
            walk.has_before = true;
        }
        walk.fetch(list)
    }

    /// # Safety
    ///
    /// As for [`Self::parts`].
    unsafe extern "C" fn stop(file: *mut sys::seq_file, _: *mut kernel::ffi::c_void) {
        // SAFETY: by the contract of this function.
        let (_, walk) = unsafe { Self::parts(file) };
        walk.take();
    }

    /// # Safety
    ///
    /// As for [`Self::parts`], between `start` or `next`, which gave an entry, and `stop`.
    unsafe extern "C" fn show(
        file: *mut sys::seq_file,
        _: *mut kernel::ffi::c_void,
    ) -> kernel::ffi::c_int {
        // SAFETY: by the contract of this function.
        let (list, walk) = unsafe { Self::parts(file) };
        let Some(current) = walk.current else {
            return 0;
        };
        // SAFETY: owned by the state until `stop`, and nobody writes to it.
        let entry = unsafe { &current.as_ref().1 };
        // SAFETY: by the contract of this function.
        let out = unsafe { SeqFile::from_raw(file) };
        from_result(|| list.show(entry, out).map(|()| 0))
    }
}
