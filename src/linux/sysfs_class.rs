// SPDX-License-Identifier: GPL-2.0

//! A class below `/sys/class` with attributes of its own and no devices.
//!
//! C header: `include/linux/device/class.h`.

use crate::sys;
use crate::wait::WakeUp;
use core::fmt;
use core::pin::Pin;
use core::ptr;
use kernel::container_of;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// An attribute's name and mode.
#[derive(Clone, Copy)]
pub struct Attribute {
    name: &'static CStr,
    mode: u16,
}

impl Attribute {
    /// One that everybody may read.
    pub const fn read_only(name: &'static CStr) -> Self {
        Attribute { name, mode: 0o444 }
    }

    /// One that only root may write.
    pub const fn write_only(name: &'static CStr) -> Self {
        Attribute { name, mode: 0o200 }
    }

    /// One that only root may read and write.
    pub const fn private(name: &'static CStr) -> Self {
        Attribute { name, mode: 0o600 }
    }

    /// One that everybody may read and only root may write.
    pub const fn read_write(name: &'static CStr) -> Self {
        Attribute { name, mode: 0o644 }
    }
}

/// What the attributes show and take.
pub trait ClassAttributes: Send + Sync + 'static {
    /// Writes the value of `name`.
    ///
    /// # Errors
    ///
    /// Go to the reader.
    fn show(&self, name: &CStr, out: &mut Text<'_>) -> Result;

    /// Takes all of `value`, which may end in a line feed, as that of `name`.
    ///
    /// # Errors
    ///
    /// Go to the writer.
    fn store(&self, name: &CStr, value: &[u8]) -> Result;
}

/// Text that is being written into a buffer. What does not fit is an error.
pub struct Text<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Text<'a> {
    /// An empty text in `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Text { buffer, len: 0 }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len.checked_add(s.len()).ok_or(fmt::Error)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?;
        for (to, from) in room.iter_mut().zip(s.bytes()) {
            *to = from;
        }
        self.len = end;
        Ok(())
    }
}

/// A registered class. Dropping it removes its directory, and waits for who is reading or writing there; so it must not be
/// dropped by its handler.
#[pin_data(PinnedDrop)]
pub struct Class {
    #[pin]
    class: Opaque<sys::class>,
    /// Referred to by the class, each by the one before it.
    groups: [*const sys::attribute_group; 2],
    group: sys::attribute_group,
    pointers: KVec<*mut sys::attribute>,
    attributes: KVec<sys::class_attribute>,
    handler: Arc<dyn ClassAttributes>,
    /// Raised when the kernel has forgotten the class.
    #[pin]
    released: WakeUp,
    registered: bool,
}

// SAFETY: what C reads does not change after registration; the handler is `Send` and `Sync`.
unsafe impl Send for Class {}
// SAFETY: as above.
unsafe impl Sync for Class {}

impl Class {
    /// Registers `/sys/class/<name>` with `attributes`.
    ///
    /// # Errors
    ///
    /// `EEXIST` when there is such a class, `ENOMEM`.
    pub fn register<H: ClassAttributes>(
        name: &'static CStr,
        attributes: &[Attribute],
        handler: Arc<H>,
    ) -> Result<Pin<KBox<Self>>> {
        let handler: Arc<dyn ClassAttributes> = handler;
        let mut list = KVec::with_capacity(attributes.len(), GFP_KERNEL)?;
        for attribute in attributes {
            list.push(class_attribute(attribute), GFP_KERNEL)?;
        }
        let mut pointers = KVec::with_capacity(attributes.len().saturating_add(1), GFP_KERNEL)?;
        for attribute in list.iter_mut() {
            // SAFETY: the attribute is ours, and not known to sysfs yet.
            unsafe { sys::ksmbd_attribute_init(&raw mut attribute.attr) };
            pointers.push(&raw mut attribute.attr, GFP_KERNEL)?;
        }
        pointers.push(ptr::null_mut(), GFP_KERNEL)?;

        let mut this = KBox::pin_init(
            pin_init!(Class {
                class: Opaque::new(sys::class {
                    name: name.as_char_ptr(),
                    class_release: Some(class_released),
                    ..pin_init::zeroed()
                }),
                groups: [ptr::null(); 2],
                group: pin_init::zeroed(),
                pointers,
                attributes: list,
                handler,
                released <- WakeUp::new(),
                registered: false,
            }),
            GFP_KERNEL,
        )?;
        let me = this.as_mut().project();
        me.group.__bindgen_anon_2.attrs = me.pointers.as_mut_ptr();
        *me.groups = [&raw const *me.group, ptr::null()];
        // SAFETY: not registered yet, so nobody else knows it.
        unsafe { (*me.class.get()).class_groups = me.groups.as_ptr() };
        // SAFETY: the class is complete, stays where it is, and is unregistered before it is freed.
        to_result(unsafe { sys::class_register(me.class.get()) })?;
        *me.registered = true;
        Ok(this)
    }
}

#[pinned_drop]
impl PinnedDrop for Class {
    fn drop(self: Pin<&mut Self>) {
        if !self.registered {
            return;
        }
        // SAFETY: registered, and at the same place since. No attribute is read or written when it returns.
        unsafe { sys::class_unregister(self.class.get()) };
        // Somebody who just walked over the classes may still hold it for a moment.
        while self.released.wait_killable_ms(1_000) != crate::wait::Waited::Raised {}
    }
}

fn class_attribute(attribute: &Attribute) -> sys::class_attribute {
    let mut new = sys::class_attribute::default();
    new.attr.name = attribute.name.as_char_ptr();
    new.attr.mode = attribute.mode;
    if attribute.mode & 0o444 != 0 {
        new.show = Some(show);
    }
    if attribute.mode & 0o222 != 0 {
        new.store = Some(store);
    }
    new
}

/// The [`Class`] and the attribute's name.
///
/// # Safety
///
/// The class is that of a [`Class`], which stays for `'a`, and the attribute is one of its.
unsafe fn class_of<'a>(
    class: *const sys::class,
    attribute: *const sys::class_attribute,
) -> (&'a Class, &'a CStr) {
    // SAFETY: by the contract of this function; names are C strings, as they were made from such.
    unsafe {
        (
            &*container_of!(class.cast::<Opaque<sys::class>>(), Class, class),
            CStr::from_char_ptr((*attribute).attr.name),
        )
    }
}

/// # Safety
///
/// sysfs calls it for an attribute of a [`Class`], with a buffer of a page that was zeroed.
unsafe extern "C" fn show(
    class: *const sys::class,
    attribute: *const sys::class_attribute,
    buffer: *mut kernel::ffi::c_char,
) -> isize {
    // SAFETY: sysfs calls only while the attributes exist, which is until the class is dropped.
    let (class, name) = unsafe { class_of(class, attribute) };
    // SAFETY: by the contract of this function, and it is ours until we return.
    let buffer =
        unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), kernel::page::PAGE_SIZE) };
    let mut text = Text::new(buffer);
    match class.handler.show(name, &mut text) {
        Ok(()) => isize::try_from(text.len()).unwrap_or(0),
        Err(error) => errno(error),
    }
}

/// # Safety
///
/// sysfs calls it for an attribute of a [`Class`], with `count` bytes at `buffer`.
unsafe extern "C" fn store(
    class: *const sys::class,
    attribute: *const sys::class_attribute,
    buffer: *const kernel::ffi::c_char,
    count: usize,
) -> isize {
    // SAFETY: as in `show`.
    let (class, name) = unsafe { class_of(class, attribute) };
    // SAFETY: by the contract of this function.
    let value = unsafe { core::slice::from_raw_parts(buffer.cast::<u8>(), count) };
    match class.handler.store(name, value) {
        Ok(()) => isize::try_from(count).unwrap_or(0),
        Err(error) => errno(error),
    }
}

/// # Safety
///
/// The kernel calls it with the class of a [`Class`], which waits for that.
unsafe extern "C" fn class_released(class: *const sys::class) {
    // SAFETY: by the contract of this function.
    let class = unsafe { &*container_of!(class.cast::<Opaque<sys::class>>(), Class, class) };
    class.released.raise();
}

fn errno(error: Error) -> isize {
    isize::try_from(error.to_errno()).unwrap_or(-1)
}
