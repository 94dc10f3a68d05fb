// SPDX-License-Identifier: GPL-2.0

//! FSCTL_DUPLICATE_EXTENTS_TO_FILE and its extended form, [MS-SMB2] 3.3.5.15.16 and 3.3.5.15.17, [MS-FSCC] 2.3.7 to 2.3.9.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::file::File;
use smb_model::access::Mask;
use smb_model::locks::Access;
use smb_proto::fsctl::{DuplicateExtents, DuplicateExtentsEx, DuplicateFlags};
use smb_proto::header::FileId;
use smb_proto::status::NtStatus;

use crate::files::data;
use crate::files::errors::status_of;
use crate::smb2::context::{Context, Handled, Stop};

use super::sparse::is_sparse;
use super::{Control, Target, WRITTEN};

/// Bytes that are copied at a time where blocks cannot be shared.
const STEP: u64 = 1 << 20;
/// Most bytes that are copied where blocks cannot be shared: as many as for an FSCTL_SRV_COPYCHUNK. Whoever wants more copied is told
/// that it cannot be shared, and copies by himself.
const MAX_COPIED: u64 = 16 << 20;

/// A range of the source and where it goes, checked.
struct Move {
    from: u64,
    to: u64,
    len: u64,
}

impl Move {
    /// Checks that nothing is negative or beyond what a file can have.
    fn of(asked: &DuplicateExtents) -> Option<Self> {
        let from = u64::try_from(asked.source_offset).ok()?;
        let to = u64::try_from(asked.target_offset).ok()?;
        let len = u64::try_from(asked.length).ok()?;
        asked.source_offset.checked_add(asked.length)?;
        asked.target_offset.checked_add(asked.length)?;
        Some(Move { from, to, len })
    }

    fn overlaps(&self) -> bool {
        self.from.abs_diff(self.to) < self.len
    }
}

/// Makes a range of the target share the blocks of a range of the source.
pub(super) fn extents(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let asked = DuplicateExtents::parse(control.request.input)?;
    duplicate(cx, target, control, &asked, false)
}

/// As [`extents`], and all or nothing if the client wants it so.
pub(super) fn extents_ex(
    cx: &Context<'_>,
    target: &Target<'_>,
    control: &mut Control<'_>,
) -> Handled {
    let asked = DuplicateExtentsEx::parse(control.request.input)?;
    let is_atomic = asked.flags.contains(DuplicateFlags::SOURCE_ATOMIC);
    duplicate(cx, target, control, &asked.extents, is_atomic)
}

fn duplicate(
    cx: &Context<'_>,
    target: &Target<'_>,
    control: &mut Control<'_>,
    asked: &DuplicateExtents,
    is_atomic: bool,
) -> Handled {
    let id = FileId {
        persistent: asked.source_persistent,
        volatile: asked.source_volatile,
    };
    let source = target
        .session
        .opens
        .get(id)
        .ok_or(NtStatus::INVALID_HANDLE)?;
    let (from, to) = (source.file()?, target.open.file()?);
    source.require_any(Mask::READ_DATA.union(Mask::EXECUTE))?;
    target.open.require_any(Mask::WRITE_DATA)?;
    let (from_data, to_data) = (from.data()?, to.data()?);
    let range = Move::of(asked).ok_or(NtStatus::INVALID_PARAMETER)?;
    let scope = target.tree.enter();
    // [MS-FSCC] 2.3.8: beyond the source's end, from a sparse file to one that is not, or of a file onto itself it cannot
    // be done.
    let is_beyond = range.from.saturating_add(range.len) > from_data.size();
    let loses_holes =
        is_sparse(&scope, &source.tree, &from.path)? && !is_sparse(&scope, target.tree, &to.path)?;
    let is_onto_itself = from.path.inode_key() == to.path.inode_key() && range.overlaps();
    if is_beyond || loses_holes || is_onto_itself {
        return Err(Stop::Failed(NtStatus::NOT_SUPPORTED));
    }
    // It never makes the target longer: as on Windows, what would go behind its end is left out.
    let room = to_data.size().saturating_sub(range.to);
    let range = Move {
        len: range.len.min(room),
        ..range
    };
    if range.len > 0 {
        let (reader, writer) = (source.id.volatile, target.open.id.volatile);
        let (read, written) = (&from.admission.state, &to.admission.state);
        read.check_locks(reader, range.from, range.len, Access::Read)?;
        written.check_locks(writer, range.to, range.len, Access::Write)?;
        target.disturb(cx, to)?;
        share(&scope, from_data, to_data, &range, is_atomic)?;
        target.tell(cx, to, WRITTEN);
    }
    control.done()
}

/// Shares the blocks, or copies where the file system or the range's alignment does not permit it and the range is short: what the
/// client reads is the same.
fn share(
    scope: &CredScope<'_>,
    from: &File,
    to: &File,
    range: &Move,
    is_atomic: bool,
) -> Result<(), NtStatus> {
    match from.clone_range(scope, range.from, to, range.to, range.len) {
        Ok(()) => return Ok(()),
        Err(e) if (e == EOPNOTSUPP || e == EXDEV || e == EINVAL) && !is_atomic => {}
        Err(e) if e == EOPNOTSUPP || e == EXDEV => return Err(NtStatus::NOT_SUPPORTED),
        Err(e) => return Err(status_of(e)),
    }
    if range.len > MAX_COPIED {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let mut done = 0u64;
    while done < range.len {
        let step = STEP.min(range.len.saturating_sub(done));
        let (from_at, to_at) = (
            range.from.saturating_add(done),
            range.to.saturating_add(done),
        );
        let wanted = usize::try_from(step).unwrap_or(usize::MAX);
        let (copied, outcome) = data::copy(scope, from, from_at, to, to_at, wanted);
        outcome?;
        if copied < wanted {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        done = done.saturating_add(step);
    }
    Ok(())
}
