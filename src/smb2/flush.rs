// SPDX-License-Identifier: GPL-2.0

//! FLUSH, [MS-SMB2] 3.3.5.11.

use kernel::sync::Arc;

use smb_model::access::Mask;
use smb_proto::flush::Request;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::files::errors::status_of;
use crate::files::{Object, Tree};
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Brings what was written to the disk.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let open = cx.open(session, tree, request.file_id)?;
    if let Object::File(file) = &open.object {
        open.require_any(Mask::WRITE_DATA.union(Mask::APPEND_DATA))?;
        // A directory has nothing of its own to flush: the file system keeps its entries in order.
        if !file.is_directory() {
            let scope = tree.enter();
            file.data()?.sync(&scope).map_err(status_of)?;
        }
    }
    if let Object::Stream(stream) = &open.object {
        open.require_any(Mask::WRITE_DATA.union(Mask::APPEND_DATA))?;
        let scope = tree.enter();
        stream.flush(&scope)?;
    }
    reply.body(4, |w| Empty.write(w))?;
    Ok(NtStatus::SUCCESS)
}
