// SPDX-License-Identifier: GPL-2.0

//! IOCTL: not built yet.

use kernel::sync::Arc;

use smb_proto::status::NtStatus;

use crate::files::Tree;
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;

/// Refuses the request.
pub(super) fn serve(
    cx: &mut Context<'_>,
    _session: &Arc<Session>,
    _tree: &Arc<Tree>,
    _reply: &mut Reply,
) -> Handled {
    debug!(cx.server(), Smb, "{}: IOCTL is not built yet\n", cx.conn.peer);
    Err(Stop::Failed(NtStatus::NOT_SUPPORTED))
}
