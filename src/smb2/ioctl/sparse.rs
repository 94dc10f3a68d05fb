// SPDX-License-Identifier: GPL-2.0

//! Controls of a file's allocation, [MS-FSCC] 2.3: FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA, FSCTL_QUERY_ALLOCATED_RANGES,
//! FSCTL_FILE_LEVEL_TRIM.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::file::{Allocate, File};
use linux::path::Path;
use smb_model::access::Mask;
use smb_model::attributes::Attributes;
use smb_model::locks::Access;
use smb_proto::change_notify::CompletionFilter;
use smb_proto::fsctl::{parse_set_sparse, AllocatedRange, FileTrim, ZeroData};
use smb_proto::layout::Fixed;
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;

use crate::files::attributes::{self, FileAttributes};
use crate::files::errors::status_of;
use crate::files::Tree;
use crate::smb2::context::{Context, Handled, Stop};

use super::{Control, Target, WRITTEN};

/// Bytes of FSCTL_FILE_LEVEL_TRIM's answer.
const TRIMMED: usize = 4;
/// Ranges that are trimmed for one request: each costs a transaction of the file system.
const MAX_TRIMMED: usize = 1_024;

/// Whether the file counts as sparse. Where the share keeps no such mark, every file does: on Linux any may have holes.
pub(super) fn is_sparse(scope: &CredScope<'_>, tree: &Tree, path: &Path) -> Result<bool, NtStatus> {
    if !tree.share.stores_dos_attributes() {
        return Ok(true);
    }
    Ok(FileAttributes::read(scope, tree, path)?
        .dos
        .contains(Attributes::SPARSE_FILE))
}

/// Makes the file sparse, or gives its holes space again.
pub(super) fn set(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.file()?;
    // The code demands no right: the document does.
    let rights = Mask::WRITE_DATA
        .union(Mask::APPEND_DATA)
        .union(Mask::WRITE_ATTRIBUTES);
    target.open.require_any(rights)?;
    if file.is_directory() {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let on = parse_set_sparse(control.request.input);
    let scope = target.tree.enter();
    if is_sparse(&scope, target.tree, &file.path)? != on {
        if let (false, Ok(data)) = (on, file.data()) {
            fill_holes(&scope, data)?;
        }
        attributes::store_sparse(&scope, target.tree, &file.path, on)?;
        target.tell(cx, file, CompletionFilter::ATTRIBUTES);
    }
    control.done()
}

/// Gives a file that is no longer sparse all its space, where the open and the file system permit it.
fn fill_holes(scope: &CredScope<'_>, data: &File) -> Result<(), NtStatus> {
    let size = data.size();
    if size == 0 || !data.is_writable() {
        return Ok(());
    }
    match data.allocate(scope, Allocate::KeepSize, 0, size) {
        Err(e) if e == ENOSPC || e == EDQUOT => Err(NtStatus::DISK_FULL),
        _ => Ok(()),
    }
}

/// Zeroes a range, whose part behind the end of the file does not count. A sparse file loses its space there.
pub(super) fn zero(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.file()?;
    target.open.require_any(Mask::WRITE_DATA)?;
    let data = file.data()?;
    let range = ZeroData::parse(control.request.input)?.range();
    let (start, beyond) = range.ok_or(NtStatus::INVALID_PARAMETER)?;
    let len = beyond.min(data.size()).saturating_sub(start);
    let owner = target.open.id.volatile;
    file.admission
        .state
        .check_locks(owner, start, len, Access::Write)?;
    if len > 0 {
        target.disturb(cx, file)?;
        let scope = target.tree.enter();
        let how = if is_sparse(&scope, target.tree, &file.path)? {
            Allocate::PunchHole
        } else {
            Allocate::Zero
        };
        match data.allocate(&scope, how, start, len) {
            // Fewer file systems zero than punch.
            Err(e) if e == EOPNOTSUPP && how == Allocate::Zero => {
                data.allocate(&scope, Allocate::PunchHole, start, len)
            }
            other => other,
        }
        .map_err(status_of)?;
        target.tell(cx, file, WRITTEN);
    }
    control.done()
}

/// Deallocates ranges whose content the client no longer needs.
pub(super) fn trim(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.file()?;
    target.open.require_any(Mask::WRITE_DATA)?;
    let data = file.data()?;
    let request = FileTrim::parse(control.request.input)?;
    control.require_output(TRIMMED)?;
    let scope = target.tree.enter();
    let mut done = 0u32;
    // The client is told how many were done.
    for range in request.ranges().take(MAX_TRIMMED) {
        let Some(end) = range.offset.checked_add(range.length) else {
            return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
        };
        let len = end.min(data.size()).saturating_sub(range.offset);
        let owner = target.open.id.volatile;
        file.admission
            .state
            .check_locks(owner, range.offset, len, Access::Write)?;
        if len > 0 {
            // What is trimmed reads as zeros from now on.
            target.disturb(cx, file)?;
            data.allocate(&scope, Allocate::PunchHole, range.offset, len)
                .map_err(status_of)?;
        }
        done = done.saturating_add(1);
    }
    if done > 0 {
        target.tell(cx, file, WRITTEN);
    }
    control.answer(TRIMMED, |w| w.u32(done))?;
    Ok(NtStatus::SUCCESS)
}

/// Lists the parts of a range that have space: all of it in a file that is not sparse.
pub(super) fn ranges(_: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.file()?;
    target.open.require_any(Mask::READ_DATA)?;
    let data = file.data()?;
    let range = AllocatedRange::parse(control.request.input)?.range();
    let (start, beyond) = range.ok_or(NtStatus::INVALID_PARAMETER)?;
    let scope = target.tree.enter();
    let mut walk = Allocated {
        scope: &scope,
        data,
        at: start,
        end: beyond.min(data.size()),
        is_sparse: is_sparse(&scope, target.tree, &file.path)?,
    };
    // A list as long as the client takes may be far more than the file has: the room grows with what is found.
    let limit = control.limit();
    let mut found = KVec::new();
    let mut status = NtStatus::SUCCESS;
    while let Some(part) = walk.next_part()? {
        let len = found.len().saturating_add(AllocatedRange::SIZE);
        if len > limit {
            if found.is_empty() {
                return Err(Stop::Failed(NtStatus::BUFFER_TOO_SMALL));
            }
            status = NtStatus::BUFFER_OVERFLOW;
            break;
        }
        let mut bytes = [0; AllocatedRange::SIZE];
        part.put(&mut Writer::new(&mut bytes))
            .map_err(|_| NtStatus::INTERNAL_ERROR)?;
        found.extend_from_slice(&bytes, GFP_KERNEL)?;
    }
    control.answer(found.len(), |w| w.bytes(&found))?;
    Ok(status)
}

/// Walks over the allocated parts of a range.
struct Allocated<'a> {
    scope: &'a CredScope<'a>,
    data: &'a File,
    /// Where to look next.
    at: u64,
    /// First byte behind the range.
    end: u64,
    is_sparse: bool,
}

impl Allocated<'_> {
    /// The next part, if there is one.
    fn next_part(&mut self) -> Result<Option<AllocatedRange>, NtStatus> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (start, stop) = if self.is_sparse {
            let Some(start) = self
                .data
                .seek_data(self.scope, self.at)
                .map_err(status_of)?
            else {
                return Ok(None);
            };
            let hole = self.data.seek_hole(self.scope, start).map_err(status_of)?;
            // A file that changes meanwhile must not keep the walk from advancing.
            let stop = hole.unwrap_or(self.end).max(start.saturating_add(1));
            (start.max(self.at), stop.min(self.end))
        } else {
            (self.at, self.end)
        };
        self.at = stop.max(self.at.saturating_add(1));
        let Some(length) = stop.checked_sub(start).filter(|length| *length > 0) else {
            return Ok(None);
        };
        let signed = |value| i64::try_from(value).map_err(|_| NtStatus::INVALID_PARAMETER);
        Ok(Some(AllocatedRange {
            offset: signed(start)?,
            length: signed(length)?,
        }))
    }
}
