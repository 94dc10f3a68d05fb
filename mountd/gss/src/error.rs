// SPDX-License-Identifier: GPL-2.0

//! Errors in the library's own words, RFC 2743 1.2.1.1 and 2.4.1.

use std::fmt;
use std::ptr;

use libgssapi_sys as sys;

use crate::raw::{self, Buffer};

/// Why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: &'static str,
    why: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why.as_str() {
            "" => f.write_str(self.what),
            why => write!(f, "{}: {why}", self.what),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What this crate itself finds wrong.
    pub(crate) fn invalid(what: &'static str) -> Self {
        Error {
            what,
            why: String::new(),
        }
    }

    /// An error if `major` says that there was one.
    pub(crate) fn check(what: &'static str, major: u32, minor: u32) -> Result<(), Error> {
        if major & raw::ERROR_MASK == 0 {
            return Ok(());
        }
        let mut why = text(major, raw::GSS_CODE);
        let detail = text(minor, raw::MECH_CODE);
        if minor != 0 && !detail.is_empty() {
            // The detail is what an administrator needs; the other is always the same sentence.
            why = detail;
        }
        Err(Error { what, why })
    }
}

/// The library's words for a status.
fn text(status: u32, kind: i32) -> String {
    let mut words = String::new();
    let mut more = 0;
    // A status may have several messages; a bound, should the library never end.
    for _ in 0..8 {
        let mut message = Buffer::empty();
        let mut minor = 0;
        // SAFETY: the pointers are places for results; no mechanism is named, the library finds whose status it is.
        let major = unsafe {
            sys::gss_display_status(
                &mut minor,
                status,
                kind,
                ptr::null_mut(),
                &mut more,
                message.as_raw(),
            )
        };
        if major & raw::ERROR_MASK != 0 {
            break;
        }
        if !words.is_empty() {
            words.push_str("; ");
        }
        words.push_str(&String::from_utf8_lossy(message.bytes()));
        if more == 0 {
            break;
        }
    }
    words
}
