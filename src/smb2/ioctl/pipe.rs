// SPDX-License-Identifier: GPL-2.0

//! Controls of named pipes: FSCTL_PIPE_TRANSCEIVE and FSCTL_PIPE_WAIT, [MS-SMB2] 3.3.5.15.3 and 3.3.5.15.10.

use smb_proto::fsctl::PipeWait;
use smb_proto::status::NtStatus;
use smb_proto::unicode::Text;

use crate::files::{Object, Tree};
use crate::ipc::calls::Pipe;
use crate::smb2::context::{Context, Handled, Stop};

use super::{Control, Target};

/// Longest name of a pipe in UTF-8 bytes; longer ones are of none.
const MAX_NAME: usize = 64;

/// Writes a message to the pipe and reads the answer; what the client does not take stays to be read.
pub(super) fn transceive(
    cx: &Context<'_>,
    target: &Target<'_>,
    control: &mut Control<'_>,
) -> Handled {
    let Object::Pipe(pipe) = &target.open.object else {
        return Err(Stop::Failed(NtStatus::INVALID_DEVICE_REQUEST));
    };
    let part = pipe.transceive(cx.server(), control.request.input, control.limit())?;
    let output = part.bytes();
    control.answer(output.len(), |w| w.bytes(output))?;
    Ok(part.status())
}

/// Waits until an instance of a pipe can be opened, which is at once: the pipes have no limit of instances.
pub(super) fn wait(tree: &Tree, control: &mut Control<'_>) -> Handled {
    if !tree.share.is_pipe() {
        return Err(Stop::Failed(NtStatus::INVALID_DEVICE_REQUEST));
    }
    let wanted = PipeWait::parse(control.request.input)?;
    let mut buffer = [0u8; MAX_NAME];
    let name = match wanted.name {
        Text::Wire(name) => name.to_str_in(&mut buffer).ok(),
        Text::Str(_) | Text::Lossy(_) => None,
    };
    if name
        .and_then(|name| Pipe::by_name(name.as_bytes()))
        .is_none()
    {
        return Err(Stop::Failed(NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    control.done()
}
