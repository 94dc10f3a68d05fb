// SPDX-License-Identifier: GPL-2.0

//! Extended attributes: FILE_FULL_EA_INFORMATION ([MS-FSCC]) and FILE_GET_EA_INFORMATION.

use crate::entries::{Entries, EntryList};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Both lists align their elements to four bytes.
const ALIGN: u32 = 4;

/// Flag of an attribute without which the file cannot be understood.
pub const NEED_EA: u8 = 0x80;

/// An extended attribute. With no value, a SET_INFO deletes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ea<'a> {
    /// Zero or [`NEED_EA`].
    pub flags: u8,
    /// Name, at most 255 bytes; letters are the same in both cases.
    pub name: &'a [u8],
    /// Value, at most 65,535 bytes.
    pub value: &'a [u8],
}

impl<'a> Ea<'a> {
    /// The attributes of a list. An error is one that answers `STATUS_EA_LIST_INCONSISTENT`, and is the last element.
    pub fn list(bytes: &'a [u8]) -> impl Iterator<Item = Parsed<Self>> + Clone {
        Entries::new(bytes, ALIGN).map(|entry| Self::parse(entry?))
    }

    fn parse(entry: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(entry);
        r.skip(4)?;
        let flags = r.u8()?;
        let name_len = r.u8()?;
        let value_len = r.u16()?;
        let name = take_name(&mut r, name_len)?;
        let value = r.take(usize::from(value_len))?;
        Ok(Ea { flags, name, value })
    }

    /// Bytes of the attribute in a list, without padding.
    pub fn size(&self) -> usize {
        self.name
            .len()
            .saturating_add(self.value.len())
            .saturating_add(9)
    }

    /// Appends the attribute to a list that [`list`] began.
    ///
    /// # Errors
    ///
    /// `Full` if it does not fit; the list is then as it was.
    pub fn write(&self, list: &mut EntryList, w: &mut Writer<'_>) -> Written {
        list.add(w, |w| {
            w.u8(self.flags)?;
            w.u8(u8::try_from(self.name.len()).map_err(|_| Full)?)?;
            w.u16(u16::try_from(self.value.len()).map_err(|_| Full)?)?;
            w.bytes(self.name)?;
            w.u8(0)?;
            w.bytes(self.value)
        })
    }
}

/// A name asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetEa<'a> {
    /// Name.
    pub name: &'a [u8],
}

impl<'a> GetEa<'a> {
    /// The names of a list; an error is the last element.
    pub fn list(bytes: &'a [u8]) -> impl Iterator<Item = Parsed<Self>> + Clone {
        Entries::new(bytes, ALIGN).map(|entry| {
            let mut r = Reader::new(entry?);
            r.skip(4)?;
            let name_len = r.u8()?;
            Ok(GetEa {
                name: take_name(&mut r, name_len)?,
            })
        })
    }

    /// Appends the name to a list that [`list`] began.
    ///
    /// # Errors
    ///
    /// `Full` if it does not fit; the list is then as it was.
    pub fn write(&self, list: &mut EntryList, w: &mut Writer<'_>) -> Written {
        list.add(w, |w| {
            w.u8(u8::try_from(self.name.len()).map_err(|_| Full)?)?;
            w.bytes(self.name)?;
            w.u8(0)
        })
    }
}

/// Starts either list at the end of `w`, for at most `limit` bytes.
pub fn list(w: &Writer<'_>, limit: usize) -> EntryList {
    EntryList::new(w, 4, limit)
}

/// A name of `len` bytes and the NUL that must end it. A NUL within would make two names of one.
fn take_name<'a>(r: &mut Reader<'a>, len: u8) -> Parsed<&'a [u8]> {
    let name = r.take(usize::from(len))?;
    if r.u8()? != 0 || name.contains(&0) {
        return Err(Malformed);
    }
    Ok(name)
}

/// Whether `name` can be an attribute's name ([MS-FSCC]): not empty, no control characters, none that a path or
/// a pattern gives a meaning. Otherwise the status is `STATUS_INVALID_EA_NAME`.
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| *byte >= 0x20 && !b"\"*+,/:;<=>?[\\]|".contains(byte))
}
