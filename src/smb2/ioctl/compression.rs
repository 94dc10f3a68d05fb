// SPDX-License-Identifier: GPL-2.0

//! FSCTL_GET_COMPRESSION and FSCTL_SET_COMPRESSION, [MS-FSCC] 2.3.21 and 2.3.67, for file systems that compress.

use smb_proto::change_notify::CompletionFilter;
use smb_proto::fsctl::Compression;
use smb_proto::layout::Fixed;
use smb_proto::status::NtStatus;

use crate::files::errors::status_of;
use crate::smb2::context::{Context, Handled, Stop};

use super::{Control, Target};

/// COMPRESSION_FORMAT_NONE.
const NONE: u16 = 0;
/// COMPRESSION_FORMAT_DEFAULT: whatever the file system has.
const DEFAULT: u16 = 1;
/// COMPRESSION_FORMAT_LZNT1: what Windows calls every compression of a file system.
const LZNT1: u16 = 2;

/// Tells whether the file is compressed. One that cannot be is not.
pub(super) fn get(_: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.base()?;
    control.require_output(Compression::SIZE)?;
    let scope = target.tree.enter();
    let is_compressed = file
        .path
        .attributes(&scope)
        .map_err(status_of)?
        .is_compressed();
    let answer = Compression {
        format: if is_compressed { LZNT1 } else { NONE },
    };
    control.answer(Compression::SIZE, |w| answer.put(w))?;
    Ok(NtStatus::SUCCESS)
}

/// Compresses the file from now on, or no longer.
pub(super) fn set(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    let file = target.open.file()?;
    let wanted = match Compression::parse(control.request.input)?.format {
        NONE => false,
        DEFAULT | LZNT1 => true,
        _ => return Err(Stop::Failed(NtStatus::INVALID_PARAMETER)),
    };
    let scope = target.tree.enter();
    let is_compressed = file
        .path
        .attributes(&scope)
        .map_err(status_of)?
        .is_compressed();
    if is_compressed != wanted {
        file.path
            .set_compressed(&scope, wanted)
            .map_err(status_of)?;
        target.tell(cx, file, CompletionFilter::ATTRIBUTES);
    }
    control.done()
}
