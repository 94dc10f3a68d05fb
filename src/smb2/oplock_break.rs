// SPDX-License-Identifier: GPL-2.0

//! OPLOCK_BREAK: clients acknowledge breaks of oplocks and leases, [MS-SMB2] 3.3.5.22.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_proto::create::OplockLevel;
use smb_proto::lease::{LeaseFlags, LeaseState};
use smb_proto::oplock_break::{LeaseAck, OplockBreak, Reply as Answer, Request};
use smb_proto::status::NtStatus;

use crate::files::oplocks::LeaseId;
use crate::files::Tree;
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Takes the acknowledgment of a break.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let answer = match Request::parse(cx.pdu)? {
        Request::Oplock(ack) => acknowledge_oplock(cx, session, tree, &ack)?,
        Request::Lease(ack) => acknowledge_lease(cx, session, &ack)?,
    };
    reply.body(36, |w| answer.write(w))?;
    Ok(NtStatus::SUCCESS)
}

fn acknowledge_oplock(
    cx: &mut Context<'_>,
    session: &Session,
    tree: &Tree,
    ack: &OplockBreak,
) -> Result<Answer, NtStatus> {
    let open = cx.open(session, tree, ack.file_id)?;
    let state = &open.file()?.admission.state;
    let level = state.acknowledge_oplock(cx.server(), open.id.volatile, ack.level.0)?;
    debug!(
        cx.server(),
        Oplock, "{}: oplock broken to {:?}\n", cx.conn.peer, level
    );
    Ok(Answer::Oplock(OplockBreak {
        level: OplockLevel(level.to_wire()),
        file_id: open.id,
    }))
}

fn acknowledge_lease(
    cx: &mut Context<'_>,
    session: &Session,
    ack: &LeaseAck,
) -> Result<Answer, NtStatus> {
    let id = LeaseId {
        client: session.client_guid,
        key: ack.key.0,
    };
    let state = cx
        .server()
        .files
        .acknowledge_lease(cx.server(), id, ack.state.bits())?;
    debug!(
        cx.server(),
        Oplock, "{}: lease broken to {:?}\n", cx.conn.peer, state
    );
    Ok(Answer::LeaseAck(LeaseAck {
        flags: LeaseFlags::default(),
        key: ack.key,
        state: LeaseState::from_bits(state.to_wire()),
    }))
}
