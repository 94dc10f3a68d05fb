// SPDX-License-Identifier: GPL-2.0

//! ECHO, [MS-SMB2] 3.3.5.17.

use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Answers that the server is there. A session is not needed.
pub(super) fn serve(cx: &mut Context<'_>, reply: &mut Reply) -> Handled {
    Empty::parse(cx.pdu)?;
    // Signed as the session asks, if the client names one.
    cx.channel = cx.conn.channels.get(cx.header.session_id());
    reply.body(4, |w| Empty.write(w))?;
    Ok(NtStatus::SUCCESS)
}
