// SPDX-License-Identifier: GPL-2.0

//! Files below `/proc` that show something.
//!
//! C header: `include/linux/proc_fs.h`.

use crate::sys;
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
}

/// A file. It is removed when this object is dropped, which waits for who is reading it; so its content must not drop it.
pub struct File {
    /// Dropped before what it shows.
    _entry: Entry,
    _content: KBox<KBox<dyn Show>>,
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
