// SPDX-License-Identifier: GPL-2.0

//! The data path of READ and WRITE: how bytes get between a file and a message. Nothing else moves file data for clients.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::file::{File, ReadMode, WriteMode};
use linux::pages::PageVec;
use smb_proto::status::NtStatus;

use super::errors::status_of;

/// Reads shorter than this are copied into the reply: a page reference costs more than it saves.
pub(crate) const MIN_BY_REFERENCE: usize = 8 << 10;

/// References to the page cache's own pages: nothing is copied, and what others write meanwhile shows. For replies that
/// are neither signed nor kept.
pub(crate) fn read_shared(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    len: usize,
) -> Result<PageVec, NtStatus> {
    let mut pages = PageVec::new();
    while pages.len() < len {
        let at = offset.saturating_add(u64::try_from(pages.len()).unwrap_or(u64::MAX));
        let left = len.saturating_sub(pages.len());
        let more = file.splice_pages(scope, at, left, &mut pages).map_err(status_of)?;
        if more == 0 {
            break;
        }
    }
    Ok(pages)
}

/// A copy in pages of its own: for replies that are signed or sealed.
pub(crate) fn read_private(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    len: usize,
) -> Result<PageVec, NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    let mut pages = PageVec::alloc(len).map_err(no_memory)?;
    file.read_pages(scope, &mut pages, offset, ReadMode::Normal).map_err(status_of)?;
    Ok(pages)
}

/// Fills `to` from `offset` on and returns how much there was.
pub(crate) fn read_into(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    to: &mut [u8],
) -> Result<usize, NtStatus> {
    let mut done = 0;
    while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.read(scope, rest, at, ReadMode::Normal).map_err(status_of)? {
            0 => break,
            more => done = done.saturating_add(more),
        }
    }
    Ok(done)
}

/// Writes all of `data` at `offset`.
pub(crate) fn write(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    data: &[u8],
    mode: WriteMode,
) -> Result<(), NtStatus> {
    let mut done = 0;
    while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.write(scope, rest, at, mode).map_err(status_of)? {
            0 => return Err(NtStatus::UNEXPECTED_IO_ERROR),
            more => done = done.saturating_add(more),
        }
    }
    Ok(())
}
