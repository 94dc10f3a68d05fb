// SPDX-License-Identifier: GPL-2.0

//! The data path: how bytes get between a file and a message (READ, WRITE), and between files (server-side copies).
//! Nothing else moves file data for clients.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::buffer::{Buffer, BufferPool};
use linux::cred::CredScope;
use linux::file::{Begin, File, ReadMode, WriteMode};
use linux::pages::PageVec;
use smb_proto::status::NtStatus;

use super::errors::status_of;

/// Reads shorter than this are copied into the reply: a page reference costs more than it saves.
pub(crate) const MIN_BY_REFERENCE: usize = 8 << 10;

/// References to the page cache's own pages: nothing is copied, and what others write meanwhile shows. For replies that
/// are not signed. Where the file system does not lend its pages, a copy.
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
        match file.splice_pages(scope, at, left, &mut pages) {
            // Each round brings something, or is the last.
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e == EINVAL && pages.is_empty() => {
                return read_private(scope, file, offset, len);
            }
            Err(e) => return Err(status_of(e)),
        }
    }
    Ok(pages)
}

/// A copy in pages of its own: for replies that are signed, since pages of the cache may change after the signature was
/// made.
pub(crate) fn read_private(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    len: usize,
) -> Result<PageVec, NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    let mut pages = PageVec::alloc(len).map_err(no_memory)?;
    file.read_pages(scope, &mut pages, offset, ReadMode::Normal)
        .map_err(status_of)?;
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
        match file
            .read(scope, rest, at, ReadMode::Normal)
            .map_err(status_of)?
        {
            0 => break,
            more => done = done.saturating_add(more),
        }
    }
    Ok(done)
}

/// What a client writes: first bytes in pages, and then some in a row; mostly one of both is empty.
pub(crate) struct Payload<'a> {
    /// Given back as they are written.
    pub(crate) pages: &'a mut PageVec,
    pub(crate) bytes: &'a [u8],
}

impl Payload<'_> {
    /// Number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.pages.len().saturating_add(self.bytes.len())
    }
}

/// The bytes of `pages` and then `bytes`, in a row; `None` when they are already.
pub(crate) fn gather(
    pool: &Arc<BufferPool>,
    pages: &PageVec,
    bytes: &[u8],
) -> Result<Option<Buffer>, NtStatus> {
    if pages.is_empty() {
        return Ok(None);
    }
    let gather = || {
        let mut row = pool.get(pages.len().saturating_add(bytes.len()))?;
        row.append_with(pages.len(), |room| Ok::<_, Error>(pages.copy_to(room)))?;
        row.extend_from_slice(bytes)?;
        Ok::<_, Error>(row)
    };
    gather()
        .map(Some)
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
}

/// Bytes that are written from pages at a time. The pages are given back in between: more of them at once the allocator
/// would take apart, to put them together again for the next request.
const STEP: usize = 1 << 20;

/// Writes all of `data` at `offset`, and gives the offset behind it.
pub(crate) fn write(
    scope: &CredScope<'_>,
    file: &File,
    offset: u64,
    data: Payload<'_>,
    mode: WriteMode,
) -> Result<u64, NtStatus> {
    let step = match mode {
        WriteMode::Cached => STEP,
        // Each step would wait for the disk.
        WriteMode::Through => usize::MAX,
    };
    let end = write_in_steps(scope, file, Begin::At(offset), data, mode, step)?;
    Ok(end.unwrap_or(offset))
}

/// Writes all of `data` at the end, and gives the offset behind it. It stays in one piece whatever others append meanwhile,
/// unless the disk takes it only in pieces.
pub(crate) fn append(
    pool: &Arc<BufferPool>,
    scope: &CredScope<'_>,
    file: &File,
    data: Payload<'_>,
    mode: WriteMode,
) -> Result<u64, NtStatus> {
    let Payload { pages, bytes } = data;
    let row = if bytes.is_empty() {
        None
    } else {
        gather(pool, pages, bytes)?
    };
    let mut none = PageVec::new();
    let data = match &row {
        Some(row) => Payload {
            pages: &mut none,
            bytes: row,
        },
        None => Payload { pages, bytes },
    };
    let end = write_in_steps(scope, file, Begin::End, data, mode, usize::MAX)?;
    Ok(end.unwrap_or_else(|| file.size()))
}

/// Writes all of `data` from `begin` on, at most `step` bytes of its pages at a time. Gives the offset behind it, if there is any.
fn write_in_steps(
    scope: &CredScope<'_>,
    file: &File,
    mut begin: Begin,
    data: Payload<'_>,
    mode: WriteMode,
    step: usize,
) -> Result<Option<u64>, NtStatus> {
    let Payload { pages, mut bytes } = data;
    let mut end = None;
    while !(pages.is_empty() && bytes.is_empty()) {
        let wrote = if pages.is_empty() {
            file.write(scope, bytes, begin, mode)
        } else {
            file.write_pages(scope, pages, step, begin, mode)
        };
        let wrote = wrote.map_err(status_of)?;
        if wrote.len == 0 {
            return Err(NtStatus::UNEXPECTED_IO_ERROR);
        }
        if pages.is_empty() {
            bytes = bytes.get(wrote.len..).unwrap_or(&[]);
        } else {
            pages.advance(wrote.len);
        }
        if let Begin::At(at) = &mut begin {
            *at = wrote.end;
        }
        end = Some(wrote.end);
    }
    Ok(end)
}

/// Copies `len` bytes from one file to another, or within one. Tells how many were copied: fewer than `len` at the end of
/// the source, or with an error.
///
/// Where source and target overlap, the target gets what the source held before, for up to [`MAX_OVERLAP`] bytes.
pub(crate) fn copy(
    scope: &CredScope<'_>,
    from: &File,
    from_at: u64,
    to: &File,
    to_at: u64,
    len: usize,
) -> (usize, Result<(), NtStatus>) {
    let mut done = 0;
    while done < len {
        let distance = u64::try_from(done).unwrap_or(u64::MAX);
        let (source, target) = (
            from_at.saturating_add(distance),
            to_at.saturating_add(distance),
        );
        match from.copy_range(scope, source, to, target, len.saturating_sub(done)) {
            Ok(0) => break,
            Ok(more) => done = done.saturating_add(more),
            // Overlapping ranges of one file, or files that cannot be spliced.
            Err(e) if done == 0 && (e == EINVAL || e == EOPNOTSUPP || e == EXDEV) => {
                return copy_through_memory(scope, from, from_at, to, to_at, len);
            }
            Err(e) => return (done, Err(status_of(e))),
        }
    }
    (done, Ok(()))
}

/// Most bytes that [`copy`] takes through memory at a time.
const MAX_OVERLAP: usize = 1 << 20;

fn copy_through_memory(
    scope: &CredScope<'_>,
    from: &File,
    from_at: u64,
    to: &File,
    to_at: u64,
    len: usize,
) -> (usize, Result<(), NtStatus>) {
    let mut done = 0;
    while done < len {
        let step = len.saturating_sub(done).min(MAX_OVERLAP);
        let distance = u64::try_from(done).unwrap_or(u64::MAX);
        let pages = match read_private(scope, from, from_at.saturating_add(distance), step) {
            Ok(pages) => pages,
            Err(status) => return (done, Err(status)),
        };
        if pages.is_empty() {
            break;
        }
        match to.write_pages(
            scope,
            &pages,
            pages.len(),
            Begin::At(to_at.saturating_add(distance)),
            WriteMode::Cached,
        ) {
            Ok(wrote) if wrote.len == pages.len() => done = done.saturating_add(wrote.len),
            Ok(wrote) => return (done.saturating_add(wrote.len), Err(NtStatus::DISK_FULL)),
            Err(e) => return (done, Err(status_of(e))),
        }
    }
    (done, Ok(()))
}
