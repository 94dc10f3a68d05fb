// SPDX-License-Identifier: GPL-2.0

//! CREATE, [MS-SMB2] 3.3.5.9.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_model::access::Mask;
use smb_model::create::{Fields, Parameters};
use smb_model::lease::{Granted, State, Version};
use smb_model::names;
use smb_model::negotiate::Capabilities;
use smb_model::oplock::Level;
use smb_proto::attributes::FileAttributes as WireAttributes;
use smb_proto::create::{CreateAction, OplockLevel, Reply as Answer, ReplyFlags, Request};
use smb_proto::create_context::{
    Contexts, MaximalAccess, OnDiskId, PosixReply, ReplyContexts, RequestContexts,
};
use smb_proto::lease::{Lease, LeaseFlags, LeaseState, LeaseV2};
use smb_proto::security::{AccessMask, SecurityDescriptor};
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::unicode::Text;

use crate::files::breaks::Untold;
use crate::files::file::Semantics;
use crate::files::opening::{self, Opened, Refusal, Target};
use crate::files::oplocks::{Cached, LeaseId, Wanted, WantedLease};
use crate::files::pipe::OpenedPipe;
use crate::files::stream::Named;
use crate::files::{Object, Open, Tree};
use crate::ipc::calls::Pipe;
use crate::session::Session;

use super::context::{Context, Handled, RelatedFile, Stop};
use super::reply::Reply;
use super::text::{file_name, to_utf8};
use super::wait;

/// Largest reply: fixed part and contexts.
const ROOM: usize = 512;

/// Opens or makes a file or directory, or opens a pipe.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let outcome = if !tree.is_of(session) {
        // The session was renewed as somebody else, who connects on his own.
        Err(NtStatus::ACCESS_DENIED.into())
    } else if tree.share.is_pipe() {
        open_pipe(cx, session, tree, reply)
    } else {
        open_file(cx, session, tree, reply)
    };
    if let Err(Stop::Failed(status)) = &outcome {
        cx.related.file = RelatedFile::Failed(*status);
    }
    outcome
}

/// Lists an open in its session and names it to the rest of the compound.
fn list(cx: &mut Context<'_>, session: &Session, open: &Arc<Open>) -> Result<(), Stop> {
    if session.opens.insert(open).is_err() {
        open.close(cx.server());
        return Err(Stop::Failed(NtStatus::USER_SESSION_DELETED));
    }
    // A tree disconnect that came meanwhile may have looked for its opens before this one was listed.
    if !session.trees.contains(open.tree.id) && session.opens.remove(open.id).is_some() {
        open.close(cx.server());
        return Err(Stop::Failed(NtStatus::NETWORK_NAME_DELETED));
    }
    cx.related.file = RelatedFile::Known(open.id);
    Ok(())
}

fn open_pipe(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let name = to_utf8(&cx.server().buffers, &Text::Wire(request.name))?;
    let pipe = Pipe::by_name(&name).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
    let server = cx.server().clone();
    let limit = server.config().max_open_files;
    server
        .open_count
        .add(limit)
        .map_err(|_| NtStatus::TOO_MANY_OPENED_FILES)?;
    let opened = OpenedPipe::open(&server, pipe, tree.is_guest).inspect_err(|_| {
        server.open_count.sub();
    })?;
    let id = server.open_count.new_id();
    let open = Open::new(id, tree, Mask::ALL_FILE, Object::Pipe(opened)).map_err(|_| {
        server.open_count.sub();
        NtStatus::INSUFFICIENT_RESOURCES
    })?;
    list(cx, session, &open)?;
    let zero = FileTime(0);
    let answer = Answer {
        oplock_level: OplockLevel::NONE,
        flags: ReplyFlags::default(),
        action: CreateAction::OPENED,
        creation_time: zero,
        last_access_time: zero,
        last_write_time: zero,
        change_time: zero,
        allocation_size: 4_096,
        end_of_file: 0,
        file_attributes: WireAttributes::NORMAL,
        file_id: open.id,
        contexts: Contexts::EMPTY,
    };
    reply.body(ROOM, |w| answer.write(w))?;
    Ok(NtStatus::SUCCESS)
}

fn open_file(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let contexts = RequestContexts::parse(request.contexts)?;
    refuse_unbuilt(cx, &contexts)?;
    let parameters = Parameters::check(Fields {
        impersonation_level: request.impersonation_level.0,
        desired_access: request.desired_access.bits(),
        file_attributes: request.file_attributes.bits(),
        share_access: request.share_access.bits(),
        create_disposition: request.disposition.0,
        create_options: request.options.bits(),
    })?;
    let is_agreed = cx.negotiated()?.posix;
    let posix_mode = contexts.posix.filter(|_| is_agreed);
    let semantics = match posix_mode {
        Some(_) => Semantics::Posix,
        None => Semantics::Windows,
    };
    let name = file_name(&cx.server().buffers, &Text::Wire(request.name), semantics)?;
    let name = core::str::from_utf8(&name).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    let name = names::Path::parse(name, semantics.rules())?;
    let stream = match name.fork() {
        names::Fork::Stream(_) if !tree.share.has_streams() => {
            return Err(Stop::Failed(NtStatus::OBJECT_NAME_INVALID));
        }
        names::Fork::Stream(name) => Some(Named { name, parameters }),
        _ => None,
    };
    let mut target = Target {
        name,
        parameters: match name.fork() {
            names::Fork::Stream(_) => parameters.of_stream_base(),
            names::Fork::Data => parameters.of_unnamed_stream()?,
            _ => parameters,
        },
        stream,
        semantics,
        mode: posix_mode.map(permissions),
        allocation: contexts.allocation_size.filter(|_| stream.is_none()),
        security: descriptor(&contexts)?,
        eas: contexts.extended_attributes.unwrap_or(&[]),
        asks_maximal: contexts.maximal_access.is_some(),
        wanted: if stream.is_some() {
            // Streams are not cached.
            Wanted::Nothing
        } else {
            wanted(cx, session, tree, &request, &contexts)
        },
        directory_leases: false,
        waker: None,
    };
    let opened = match opening::open(cx.server(), tree, &target) {
        Err(Refusal::Later) => {
            let waker = cx.waker()?;
            target.waker = Some(&waker);
            match opening::open(cx.server(), tree, &target) {
                Err(Refusal::Later) => return Err(wait::again(waker, session, tree, serve)),
                Err(Refusal::Status(status)) => return Err(status.into()),
                Ok(opened) => opened,
            }
        }
        Err(Refusal::Status(status)) => return Err(status.into()),
        Ok(opened) => opened,
    };
    if let Object::File(file) = &opened.open.object {
        cx.untold = Untold::of(cx.server(), &file.admission, &opened.cached);
    }
    list(cx, session, &opened.open)?;
    let id = opened.open.id;
    let written = write_answer(&opened, &contexts, reply);
    if written.is_err() {
        // Without an answer the client would never close it.
        if let Some(open) = session.opens.remove(id) {
            open.close(cx.server());
        }
    }
    written?;
    Ok(NtStatus::SUCCESS)
}

/// The security descriptor for a file that is made, [MS-SMB2] 2.2.13.2.2.
fn descriptor<'a>(
    contexts: &RequestContexts<'a>,
) -> Result<Option<SecurityDescriptor<'a>>, NtStatus> {
    let parsed = contexts.security_descriptor.map(SecurityDescriptor::parse);
    parsed
        .transpose()
        .map_err(|_| NtStatus::INVALID_SECURITY_DESCR)
}

/// What the client wants to cache and may, [MS-SMB2] 3.3.5.9.
fn wanted(
    cx: &Context<'_>,
    session: &Session,
    tree: &Tree,
    request: &Request<'_>,
    contexts: &RequestContexts<'_>,
) -> Wanted {
    if !tree.share.grants_oplocks() {
        return Wanted::Nothing;
    }
    if request.oplock_level != OplockLevel::LEASE {
        let level = Level::from_wire(request.oplock_level.0).filter(|level| *level != Level::None);
        return level.map_or(Wanted::Nothing, Wanted::Oplock);
    }
    let leases = cx
        .conn
        .negotiated()
        .is_some_and(|n| n.capabilities.contains(Capabilities::LEASING));
    let Some(lease) = contexts.lease.filter(|_| leases) else {
        return Wanted::Nothing;
    };
    Wanted::Lease(WantedLease {
        id: LeaseId {
            client: session.client_guid,
            key: lease.key.0,
        },
        state: State::from_wire(lease.state.bits()),
        version: if lease.v2.is_some() {
            Version::V2
        } else {
            Version::V1
        },
        epoch: lease.v2.map_or(0, |v2| v2.epoch),
    })
}

/// The lease as the reply tells it, [MS-SMB2] 3.3.5.9.8 and 3.3.5.9.11.
fn lease_reply(version: Version, granted: Granted, asked: &Lease) -> Lease {
    let mut flags = LeaseFlags::default();
    if granted.break_in_progress {
        flags |= LeaseFlags::BREAK_IN_PROGRESS;
    }
    let v2 = match version {
        Version::V1 => None,
        Version::V2 => {
            let parent = asked.parent_key();
            if parent.is_some() {
                flags |= LeaseFlags::PARENT_LEASE_KEY_SET;
            }
            Some(LeaseV2 {
                parent_key: parent.unwrap_or_default(),
                epoch: granted.epoch,
            })
        }
    };
    Lease {
        key: asked.key,
        state: LeaseState::from_bits(granted.state.to_wire()),
        flags,
        v2,
    }
}

/// Refuses what is not built yet and must not be ignored.
fn refuse_unbuilt(cx: &Context<'_>, contexts: &RequestContexts<'_>) -> Result<(), Stop> {
    let is_built = contexts.timewarp.is_none()
        && contexts.durable_reconnect.is_none()
        && contexts.durable_reconnect_v2.is_none();
    if is_built {
        return Ok(());
    }
    debug!(
        cx.server(),
        Smb, "{}: a create context that is not built yet\n", cx.conn.peer
    );
    Err(Stop::Failed(NtStatus::OBJECT_NAME_NOT_FOUND))
}

fn write_answer(
    opened: &Opened,
    contexts: &RequestContexts<'_>,
    reply: &mut Reply,
) -> Result<(), NtStatus> {
    let attributes = &opened.attributes;
    let (oplock_level, lease) = match (opened.cached, &contexts.lease) {
        (Cached::Oplock(level), _) => (OplockLevel(level.to_wire()), None),
        (Cached::Lease(version, granted), Some(asked)) => (
            OplockLevel::LEASE,
            Some(lease_reply(version, granted, asked)),
        ),
        _ => (OplockLevel::NONE, None),
    };
    let answer = Answer {
        oplock_level,
        flags: ReplyFlags::default(),
        action: CreateAction(opened.action.to_wire()),
        creation_time: attributes.created,
        last_access_time: attributes.accessed(),
        last_write_time: attributes.modified(),
        change_time: attributes.changed(),
        allocation_size: attributes.allocation(),
        end_of_file: attributes.end_of_file(),
        file_attributes: WireAttributes::from_bits(attributes.dos.0),
        file_id: opened.open.id,
        contexts: Contexts::EMPTY,
    };
    let file = opened.open.file();
    let is_posix = file.is_ok_and(|file| file.semantics() == Semantics::Posix);
    let extra = ReplyContexts {
        maximal_access: contexts.maximal_access.map(|_| MaximalAccess {
            status: NtStatus::SUCCESS,
            access: AccessMask::from_bits(opened.maximal.0),
        }),
        on_disk_id: contexts.on_disk_id.then_some(OnDiskId {
            file: attributes.stat.number,
            volume: u64::from(attributes.stat.device),
        }),
        lease,
        posix: is_posix.then(|| PosixReply {
            reparse_tag: 0,
            stat: attributes.posix(),
        }),
        ..ReplyContexts::default()
    };
    reply.body(ROOM, |w| {
        let mut chain = answer.begin(w)?;
        extra.write(&mut chain, w)?;
        chain.finish(w)
    })
}

/// The bits of a mode that a client may ask for: no set-id bits, which would lend out the rights of whoever made the file.
fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o777).unwrap_or(0)
}
