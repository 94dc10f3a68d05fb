// SPDX-License-Identifier: GPL-2.0

//! The value of the extended attribute `user.DOSATTRIB`, in which Samba and other servers keep a file's attributes and time
//! of creation: `xattr_DOSATTRIB` of Samba's `xattr.idl`, as NDR writes it.
//!
//! A string, which old versions filled with the attributes in hexadecimal and new ones leave empty; the version twice, the
//! second time as a union's discriminant; and a structure that depends on it. Versions 1 to 5 are read, and 4 is written:
//! every server in use reads it.

use crate::layout::Fixed;
use crate::time::FileTime;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// Most bytes of a value that [`DosInfo::parse`] can make anything of.
pub const MAX_LEN: usize = 256;
/// Bytes that [`DosInfo::write`] writes.
pub const WRITTEN_LEN: usize = 32;

const HAS_ATTRIBUTES: u32 = 0x01;
const HAS_CREATION: u32 = 0x10;
const HAS_ITIME: u32 = 0x40;
/// The version that is written.
const VERSION: u16 = 4;

/// What is kept of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DosInfo {
    /// Attributes, if they are kept.
    pub attributes: Option<u32>,
    /// Time of creation, if it is kept.
    pub creation: Option<FileTime>,
}

impl DosInfo {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// `Malformed`, also for an unknown version.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut text = Reader::new(bytes);
        let mut len = 0usize;
        while !text.is_empty() && text.u8()? != 0 {
            len = len.wrapping_add(1);
        }
        let text = bytes.get(..len).ok_or(Malformed)?;
        // The string's end, and padding to two bytes.
        let head = len.wrapping_add(2) & !1;
        if head >= bytes.len() {
            // The oldest form is the number alone.
            return Ok(DosInfo {
                attributes: Some(hexadecimal(text)?),
                creation: None,
            });
        }
        let mut r = Reader::new(bytes);
        r.skip(head)?;
        let version = r.u16()?;
        if r.u16()? != version {
            return Err(Malformed);
        }
        // The structure is aligned to four bytes.
        r.skip(head & 2)?;
        Self::parse_version(version, &mut r)
    }

    fn parse_version(version: u16, r: &mut Reader<'_>) -> Parsed<Self> {
        match version {
            1 => {
                let attributes = r.u32()?;
                r.skip(20)?;
                Ok(DosInfo {
                    attributes: Some(attributes),
                    creation: Some(Fixed::take(r)?).filter(|time| *time != FileTime::ZERO),
                })
            }
            2 | 3 => Self::parse_flagged(r, 20),
            4 => Self::parse_flagged(r, 8),
            5 => Self::parse_flagged(r, 0),
            _ => Err(Malformed),
        }
    }

    /// Flags that say what there is, attributes, `between` bytes of no interest, time of creation.
    fn parse_flagged(r: &mut Reader<'_>, between: usize) -> Parsed<Self> {
        let flags = r.u32()?;
        let attributes = r.u32()?;
        r.skip(between)?;
        let creation = FileTime::take(r)?;
        Ok(DosInfo {
            attributes: (flags & HAS_ATTRIBUTES != 0).then_some(attributes),
            creation: (flags & HAS_CREATION != 0).then_some(creation),
        })
    }

    /// Appends a value of [`WRITTEN_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let mut flags = 0;
        if self.attributes.is_some() {
            flags |= HAS_ATTRIBUTES;
        }
        if self.creation.is_some() {
            flags |= HAS_CREATION | HAS_ITIME;
        }
        let creation = self.creation.unwrap_or(FileTime::ZERO);
        // The empty string, and padding.
        w.zeros(2)?;
        w.u16(VERSION)?;
        w.u16(VERSION)?;
        w.zeros(2)?;
        w.u32(flags)?;
        w.u32(self.attributes.unwrap_or(0))?;
        // The time that file ids are made of: that of creation.
        creation.put(w)?;
        creation.put(w)
    }
}

/// A number as `0x20`, of at most 32 bits.
fn hexadecimal(text: &[u8]) -> Parsed<u32> {
    let mut r = Reader::new(text);
    if r.take(2)? != b"0x" || r.is_empty() {
        return Err(Malformed);
    }
    let mut value = 0u32;
    for byte in r.rest() {
        let digit = char::from(*byte).to_digit(16).ok_or(Malformed)?;
        value = value
            .checked_mul(16)
            .and_then(|value| value.checked_add(digit))
            .ok_or(Malformed)?;
    }
    Ok(value)
}
