// SPDX-License-Identifier: GPL-2.0

//! FSCTL_CREATE_OR_GET_OBJECT_ID and FSCTL_GET_OBJECT_ID, [MS-FSCC] 2.3.1 and 2.3.29.

use smb_proto::fsctl::ObjectId;
use smb_proto::layout::Fixed;
use smb_proto::status::NtStatus;

use crate::smb2::context::{Context, Handled};

use super::{Control, Target};

/// Tells the file's id: its numbers on disk, so that every file has one, which stays through renames and restarts.
pub(super) fn get(_: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let ident = target.open.base()?.path.inode_ident();
    control.require_output(ObjectId::SIZE)?;
    let wide = |number: u128| number.to_le_bytes();
    let object = wide(
        u128::from(ident.number)
            | u128::from(ident.generation) << 64
            | u128::from(ident.device) << 96,
    );
    let birth_volume = wide(u128::from(ident.device));
    let answer = ObjectId {
        object,
        birth_volume,
        birth_object: object,
        domain: [0; 16],
    };
    control.answer(ObjectId::SIZE, |w| answer.put(w))?;
    Ok(NtStatus::SUCCESS)
}
