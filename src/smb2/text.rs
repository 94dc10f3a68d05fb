// SPDX-License-Identifier: GPL-2.0

//! Names in messages, as UTF-8.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::buffer::{Buffer, BufferPool};
use smb_model::names;
use smb_proto::status::NtStatus;
use smb_proto::unicode::Text;
use smb_proto::wire::Writer;

use crate::files::file::Semantics;

/// Longest name in a message, bytes of UTF-16.
const MAX_NAME: usize = 65_534;

/// A name as UTF-8, in a buffer from `pool`.
///
/// # Errors
///
/// `STATUS_OBJECT_NAME_INVALID` if it is longer than any name, or not Unicode.
pub(super) fn to_utf8(pool: &Arc<BufferPool>, name: &Text<'_>) -> Result<Buffer, NtStatus> {
    let len = name.wire_len();
    if len > MAX_NAME {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    // No character takes more than three bytes for two.
    let room = len.saturating_mul(2);
    let mut text = pool
        .get(room)
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    let wrote = text.append_with(room, |room| {
        let mut w = Writer::new(room);
        name.to_utf8(&mut w).map_err(|_| EINVAL)?;
        Ok::<_, Error>(w.len())
    });
    match wrote {
        Ok(_) => Ok(text),
        Err(_) => Err(NtStatus::OBJECT_NAME_INVALID),
    }
}

/// The name of a file, with the separators that all names have.
///
/// # Errors
///
/// Those of [`to_utf8`].
pub(super) fn file_name(
    pool: &Arc<BufferPool>,
    name: &Text<'_>,
    semantics: Semantics,
) -> Result<Buffer, NtStatus> {
    let mut text = to_utf8(pool, name)?;
    if semantics == Semantics::Posix {
        names::separate_posix(&mut text);
    }
    Ok(text)
}
