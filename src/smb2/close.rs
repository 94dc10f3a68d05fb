// SPDX-License-Identifier: GPL-2.0

//! CLOSE, [MS-SMB2] 3.3.5.10.

use kernel::sync::Arc;

use smb_proto::attributes::FileAttributes as WireAttributes;
use smb_proto::close::{Attributes, CloseFlags, Reply as Answer, Request};
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::{Object, Open, Tree};
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Closes an open; tells its attributes if asked.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let open = cx.open(session, tree, request.file_id)?;
    // Who takes it off the list closes it: of two requests, one.
    let open = session.opens.remove(open.id).ok_or(NtStatus::FILE_CLOSED)?;
    let attributes = if request.flags.contains(CloseFlags::POSTQUERY_ATTRIB) {
        attributes(tree, &open)
    } else {
        None
    };
    open.close(cx.server());
    reply.body(60, |w| Answer { attributes }.write(w))?;
    Ok(NtStatus::SUCCESS)
}

/// The attributes for the reply; none for a pipe, or if they cannot be read.
fn attributes(tree: &Tree, open: &Open) -> Option<Attributes> {
    let scope = tree.enter();
    let read = match &open.object {
        Object::File(file) => FileAttributes::read(&scope, tree, &file.path),
        Object::Stream(stream) => stream.attributes(&scope, tree),
        Object::Pipe(_) => return None,
    };
    let read = read.ok()?;
    Some(Attributes {
        creation_time: read.created,
        last_access_time: read.accessed(),
        last_write_time: read.modified(),
        change_time: read.changed(),
        allocation_size: read.allocation(),
        end_of_file: read.end_of_file(),
        file_attributes: WireAttributes::from_bits(read.dos.0),
    })
}
