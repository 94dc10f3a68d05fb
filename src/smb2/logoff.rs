// SPDX-License-Identifier: GPL-2.0

//! LOGOFF, [MS-SMB2] 3.3.5.6.

use kernel::sync::Arc;

use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Ends the session on all its connections. The answer is still signed or sealed with its keys. Of two that found the session at
/// once, one ends it.
pub(super) fn serve(cx: &mut Context<'_>, session: &Arc<Session>, reply: &mut Reply) -> Handled {
    Empty::parse(cx.pdu)?;
    if !session.end(cx.server()) {
        return Err(NtStatus::USER_SESSION_DELETED.into());
    }
    reply.body(4, |w| Empty.write(w))?;
    Ok(NtStatus::SUCCESS)
}
