// SPDX-License-Identifier: GPL-2.0

//! CANCEL, [MS-SMB2] 3.3.5.16.

use smb_proto::header::HeaderFlags;
use smb_proto::status::NtStatus;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::wait::Wake;

/// Ends the wait of the request that it names; there is no answer to CANCEL itself, found or not.
pub(super) fn serve(cx: &mut Context<'_>, _reply: &mut Reply) -> Handled {
    let header = cx.header;
    if header.has(HeaderFlags::SIGNED) {
        let channel = cx
            .conn
            .channels
            .get(header.session_id())
            .ok_or(Stop::Silence)?;
        if !cx.is_sealed() && !channel.verify(cx.pdu) {
            return Err(Stop::Silence);
        }
    }
    let wake = Wake::Ended(NtStatus::CANCELLED);
    cx.conn
        .parked
        .cancel(header.message_id(), header.async_id(), wake);
    Err(Stop::Silence)
}
