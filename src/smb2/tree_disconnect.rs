// SPDX-License-Identifier: GPL-2.0

//! TREE_DISCONNECT, [MS-SMB2] 3.3.5.8.

use kernel::sync::Arc;

use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::files::Tree;
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Closes the files of the tree connect and forgets it.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    Empty::parse(cx.pdu)?;
    // Off the list first: a CREATE that races finds no tree, or its file is closed below.
    session
        .trees
        .disconnect(cx.server(), tree.id)
        .ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    session.opens.close_tree(cx.server(), tree.id);
    reply.body(4, |w| Empty.write(w))?;
    Ok(NtStatus::SUCCESS)
}
