// SPDX-License-Identifier: GPL-2.0

//! FSCTL_SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 3.3.5.15.1.

use smb_proto::snapshot::SnapshotArray;
use smb_proto::status::NtStatus;

use crate::smb2::context::{Context, Handled, Stop};

use super::{Control, Target};

/// Bytes of an answer that lists nothing; a client must take that many.
const EMPTY: usize = SnapshotArray::FIXED + 4;

/// Lists the previous versions of the share: there are none.
pub(super) fn enumerate(
    _: &Context<'_>,
    target: &Target<'_>,
    control: &mut Control<'_>,
) -> Handled {
    target.open.file()?;
    if control.limit() < EMPTY {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    control.answer(EMPTY, |w| {
        SnapshotArray::write(w, EMPTY, core::iter::empty())
    })?;
    Ok(NtStatus::SUCCESS)
}
