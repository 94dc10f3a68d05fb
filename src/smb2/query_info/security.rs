// SPDX-License-Identifier: GPL-2.0

//! What QUERY_INFO tells of who may do what, [MS-SMB2] 3.3.5.20.3 and [MS-FSA] 2.1.5.14.

use kernel::prelude::*;

use smb_model::access::{security, Mask};
use smb_model::negotiate::Dialect;
use smb_proto::error;
use smb_proto::query_info::Request;
use smb_proto::security::SecurityInfo;
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;

use crate::files::errors::status_of;
use crate::files::security::{Identities, MAX_FROM_MODE};
use crate::files::{Object, Open, Tree};
use crate::smb2::context::{Context, Handled};

use super::Room;

/// Answers with the parts of the descriptor that the request names.
pub(super) fn answer(
    cx: &Context<'_>,
    tree: &Tree,
    open: &Open,
    request: &Request<'_>,
    room: &mut Room<'_>,
) -> Handled {
    let needed = security::to_query(request.additional_information);
    check(open, needed)?;
    let file = match &open.object {
        Object::File(file) => file,
        // A stream has the security of its file.
        Object::Stream(stream) => &stream.base,
        Object::Pipe(_) => return Err(NtStatus::NOT_SUPPORTED.into()),
    };
    let stat = {
        let scope = tree.enter();
        file.path.attributes(&scope).map_err(status_of)?
    };
    let info = SecurityInfo::from_bits(request.additional_information);
    let mut bytes = [0; MAX_FROM_MODE];
    let mut w = Writer::new(&mut bytes);
    Identities::new(&cx.server().config())
        .write_of_mode(&stat, info, &mut w)
        .map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let descriptor = w.written();
    if room.limit < descriptor.len() {
        return too_small(cx, descriptor.len(), room);
    }
    room.write(descriptor.len(), |w, _| w.bytes(descriptor).map(|()| true))
}

/// Checks what the open was granted.
fn check(open: &Open, needed: Mask) -> Result<(), NtStatus> {
    if open.granted.contains(needed) {
        return Ok(());
    }
    Err(NtStatus::ACCESS_DENIED)
}

/// A descriptor goes out whole or not at all; the error tells how long it is ([MS-SMB2] 2.2.2).
fn too_small(cx: &Context<'_>, len: usize, room: &mut Room<'_>) -> Handled {
    let with_context = cx.negotiated()?.dialect == Dialect::V3_1_1;
    let needed = u32::try_from(len).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    room.reply.body(32, |w| {
        error::Reply::write_data(w, &needed.to_le_bytes(), with_context)
    })?;
    Ok(NtStatus::BUFFER_TOO_SMALL)
}
