// SPDX-License-Identifier: GPL-2.0

//! Owners of the library's buffers, sets and names, RFC 2744 3; and its numbers.

use std::ptr;
use std::slice;

use libgssapi_sys as sys;
use zeroize::Zeroize;

use crate::{Error, Service};

/// Kerberos V5, 1.2.840.113554.1.2.2.
pub(crate) const KRB5: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02];
/// SPNEGO, 1.3.6.1.5.5.2.
pub(crate) const SPNEGO: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];
/// `GSS_C_INQ_SSPI_SESSION_KEY`, 1.2.840.113554.1.2.2.5.5.
pub(crate) const SESSION_KEY: &[u8] = &[
    0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02, 0x05, 0x05,
];
/// `GSS_C_NT_HOSTBASED_SERVICE`, 1.2.840.113554.1.2.1.4.
const HOST_BASED: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x01, 0x04];
/// `GSS_KRB5_NT_PRINCIPAL_NAME`, 1.2.840.113554.1.2.2.1.
const PRINCIPAL: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02, 0x01];

// RFC 2744 appendix A.
/// `GSS_C_INDEFINITE`.
pub(crate) const INDEFINITE: u32 = u32::MAX;
/// `GSS_C_ACCEPT`.
pub(crate) const ACCEPT: i32 = 2;
/// `GSS_C_ANON_FLAG`.
pub(crate) const ANONYMOUS: u32 = 64;
/// `GSS_S_CONTINUE_NEEDED`.
pub(crate) const CONTINUE_NEEDED: u32 = 1;
/// The calling and routine errors of a major status.
pub(crate) const ERROR_MASK: u32 = 0xFFFF_0000;
/// `GSS_C_GSS_CODE`.
pub(crate) const GSS_CODE: i32 = 1;
/// `GSS_C_MECH_CODE`.
pub(crate) const MECH_CODE: i32 = 2;

/// An object identifier as the library takes it. It only reads the elements, although C's type does not say so.
pub(crate) fn oid(elements: &'static [u8]) -> sys::gss_OID_desc {
    sys::gss_OID_desc {
        length: u32::try_from(elements.len()).unwrap_or(0),
        elements: elements.as_ptr().cast_mut().cast(),
    }
}

/// `bytes` as a buffer that the library reads for the length of a call.
pub(crate) fn borrowed(bytes: &[u8]) -> sys::gss_buffer_desc {
    sys::gss_buffer_desc {
        length: bytes.len(),
        value: bytes.as_ptr().cast_mut().cast(),
    }
}

/// A set of object identifiers, made here and only read by the library.
pub(crate) struct OidSet {
    elements: Vec<sys::gss_OID_desc>,
    set: sys::gss_OID_set_desc,
}

impl OidSet {
    pub(crate) fn new(oids: &[&'static [u8]]) -> Self {
        OidSet {
            elements: oids.iter().map(|elements| oid(elements)).collect(),
            set: sys::gss_OID_set_desc {
                count: oids.len(),
                elements: ptr::null_mut(),
            },
        }
    }

    /// The set, valid while `self` is not moved or changed.
    pub(crate) fn as_raw(&mut self) -> sys::gss_OID_set {
        self.set.elements = self.elements.as_mut_ptr();
        &mut self.set
    }
}

/// A buffer that the library allocates.
pub(crate) struct Buffer(sys::gss_buffer_desc);

impl Buffer {
    pub(crate) fn empty() -> Self {
        Buffer(sys::gss_buffer_desc {
            length: 0,
            value: ptr::null_mut(),
        })
    }

    /// Where the library puts the buffer.
    pub(crate) fn as_raw(&mut self) -> sys::gss_buffer_t {
        &mut self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the descriptor is empty or describes what the library allocated, which is freed with `self` only.
        unsafe { bytes_of(&self.0) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the descriptor is empty or describes what the library allocated; it is empty afterwards.
        unsafe { sys::gss_release_buffer(&mut minor, &mut self.0) };
    }
}

/// The bytes that a descriptor describes.
///
/// # Safety
///
/// A value that is not null has `length` readable bytes, unchanged for the lifetime of the reference.
unsafe fn bytes_of(buffer: &sys::gss_buffer_desc) -> &[u8] {
    if buffer.value.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }
}

/// A set of buffers that the library allocates; wiped when freed, since it holds keys.
pub(crate) struct BufferSet(sys::gss_buffer_set_t);

impl BufferSet {
    pub(crate) fn empty() -> Self {
        BufferSet(ptr::null_mut())
    }

    /// Where the library puts the set.
    pub(crate) fn place(&mut self) -> *mut sys::gss_buffer_set_t {
        &mut self.0
    }

    fn descriptors(&self) -> &[sys::gss_buffer_desc] {
        // SAFETY: the set is null or the library's, which lives until `self` is dropped.
        let Some(set) = (unsafe { self.0.as_ref() }) else {
            return &[];
        };
        if set.elements.is_null() {
            return &[];
        }
        // SAFETY: the library's set has `count` elements.
        unsafe { slice::from_raw_parts(set.elements, set.count) }
    }

    /// The first buffer.
    pub(crate) fn first(&self) -> Option<&[u8]> {
        let buffer = self.descriptors().first()?;
        // SAFETY: the descriptors are the library's, and so are the bytes, until `self` is dropped.
        Some(unsafe { bytes_of(buffer) })
    }
}

impl Drop for BufferSet {
    fn drop(&mut self) {
        for buffer in self.descriptors() {
            if !buffer.value.is_null() {
                // SAFETY: the library allocated these bytes for this set, to which nothing else refers now.
                let bytes =
                    unsafe { slice::from_raw_parts_mut(buffer.value.cast::<u8>(), buffer.length) };
                bytes.zeroize();
            }
        }
        let mut minor = 0;
        // SAFETY: the set is null or the library's own; it is null afterwards.
        unsafe { sys::gss_release_buffer_set(&mut minor, &mut self.0) };
    }
}

/// A name that the library allocates.
pub(crate) struct Name(sys::gss_name_t);

impl Name {
    pub(crate) fn none() -> Self {
        Name(ptr::null_mut())
    }

    /// The name of the service's keys.
    pub(crate) fn of(service: &Service) -> Result<Self, Error> {
        match service {
            Service::AnyHost(service) => Name::import(service, HOST_BASED),
            Service::Host { service, host } => {
                Name::import(&format!("{service}@{host}"), HOST_BASED)
            }
            Service::Principal(principal) => Name::import(principal, PRINCIPAL),
        }
    }

    fn import(text: &str, kind: &'static [u8]) -> Result<Self, Error> {
        let mut buffer = borrowed(text.as_bytes());
        let mut kind = oid(kind);
        let mut name = Name::none();
        let mut minor = 0;
        // SAFETY: `buffer` and `kind` are read during the call alone; `name` takes the result.
        let major =
            unsafe { sys::gss_import_name(&mut minor, &mut buffer, &mut kind, &mut name.0) };
        Error::check("reading the service's name", major, minor)?;
        Ok(name)
    }

    pub(crate) fn as_raw(&self) -> sys::gss_name_t {
        self.0
    }

    /// Where the library puts the name.
    pub(crate) fn place(&mut self) -> *mut sys::gss_name_t {
        &mut self.0
    }

    /// The name as text: a principal with its realm.
    pub(crate) fn display(&self) -> Result<String, Error> {
        if self.0.is_null() {
            return Err(Error::invalid("the library gave no name"));
        }
        let mut text = Buffer::empty();
        let mut minor = 0;
        // SAFETY: the name is the library's; the other pointers are places for results, or null where none is wanted.
        let major =
            unsafe { sys::gss_display_name(&mut minor, self.0, text.as_raw(), ptr::null_mut()) };
        Error::check("writing a name", major, minor)?;
        String::from_utf8(text.bytes().to_vec())
            .map_err(|_| Error::invalid("the principal is not UTF-8"))
    }

    /// The system's user for the name, if krb5.conf's rules name one.
    pub(crate) fn local_user(&self) -> Option<String> {
        let mut text = Buffer::empty();
        let kind = oid(KRB5);
        let mut minor = 0;
        // SAFETY: the name is the library's, `kind` is read during the call, `text` takes the result.
        let major = unsafe { sys::gss_localname(&mut minor, self.0, &kind, text.as_raw()) };
        if major & ERROR_MASK != 0 {
            return None;
        }
        String::from_utf8(text.bytes().to_vec()).ok()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is null or this name's own, and is not used afterwards.
        unsafe { sys::gss_release_name(&mut minor, &mut self.0) };
    }
}
