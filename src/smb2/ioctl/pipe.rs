// SPDX-License-Identifier: GPL-2.0

//! Controls of named pipes: FSCTL_PIPE_TRANSCEIVE and FSCTL_PIPE_WAIT, [MS-SMB2] 3.3.5.15.3 and 3.3.5.15.10.

use kernel::prelude::*;

use smb_proto::fsctl::PipeWait;
use smb_proto::status::NtStatus;

use crate::files::{Object, Open, Tree};
use crate::smb2::context::{Context, Handled, Stop};

use super::Control;

/// Writes a message to the pipe and reads the answer; what the client does not take stays to be read.
pub(super) fn transceive(cx: &Context<'_>, open: &Open, control: &mut Control<'_>) -> Handled {
    let Object::Pipe(pipe) = &open.object else {
        return Err(Stop::Failed(NtStatus::INVALID_DEVICE_REQUEST));
    };
    let (answer, status) = pipe.transceive(cx.server(), control.request.input)?;
    let whole = answer.payload();
    let output = whole.get(..control.limit()).unwrap_or(whole);
    control.answer(output.len(), |w| w.bytes(output))?;
    Ok(if output.len() < whole.len() { NtStatus::BUFFER_OVERFLOW } else { status })
}

/// Waits until an instance of a pipe can be opened. There always is one of those that exist.
pub(super) fn wait(tree: &Tree, control: &Control<'_>) -> Handled {
    if tree.share.directory().is_some() {
        return Err(Stop::Failed(NtStatus::INVALID_DEVICE_REQUEST));
    }
    PipeWait::parse(control.request.input)?;
    Err(Stop::Failed(NtStatus::NOT_SUPPORTED))
}
