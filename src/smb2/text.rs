// SPDX-License-Identifier: GPL-2.0

//! Names in messages, as UTF-8.

use kernel::prelude::*;

use smb_model::names;
use smb_proto::status::NtStatus;
use smb_proto::unicode::Text;
use smb_proto::wire::Writer;

use crate::files::file::Semantics;

/// Longest name in a message, bytes of UTF-16.
const MAX_NAME: usize = 65_534;

/// A name as UTF-8.
///
/// # Errors
///
/// `STATUS_OBJECT_NAME_INVALID` if it is longer than any name, or not Unicode.
pub(super) fn to_utf8(name: &Text<'_>) -> Result<KVec<u8>, NtStatus> {
    let len = name.wire_len();
    if len > MAX_NAME {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    // No character takes more than three bytes for two.
    let room = len.saturating_mul(2);
    let mut text =
        KVec::from_elem(0, room, GFP_KERNEL).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    let mut w = Writer::new(&mut text);
    name.to_utf8(&mut w)
        .map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    let used = w.len();
    text.truncate(used);
    Ok(text)
}

/// The name of a file, with the separators that all names have.
///
/// # Errors
///
/// Those of [`to_utf8`].
pub(super) fn file_name(name: &Text<'_>, semantics: Semantics) -> Result<KVec<u8>, NtStatus> {
    let mut text = to_utf8(name)?;
    if semantics == Semantics::Posix {
        names::separate_posix(&mut text);
    }
    Ok(text)
}
