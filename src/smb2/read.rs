// SPDX-License-Identifier: GPL-2.0

//! READ, [MS-SMB2] 3.3.5.12.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::pages::PageVec;
use smb_model::access::Mask;
use smb_model::locks::Access;
use smb_proto::header::HeaderFlags;
use smb_proto::read::{
    write_head, Channel, Reply as Answer, Request, REPLY_DATA_OFFSET, REPLY_HEAD_LEN,
};
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;

use crate::files::file::OpenedFile;
use crate::files::pipe::OpenedPipe;
use crate::files::stream::OpenedStream;
use crate::files::{data, Object, Open, Tree};
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;

/// Reads from a file or a pipe.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    if request.length > cx.negotiated()?.max_read {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    cx.check_charge(0, request.length)?;
    if request.channel != Channel::NONE && cx.negotiated()?.dialect.is_3() {
        // RDMA channels exist on RDMA connections only.
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let open = cx.open(session, tree, request.file_id)?;
    match &open.object {
        Object::File(file) => {
            cx.send_earlier_answers(session, tree, serve)?;
            read_file(cx, session, tree, &open, file, &request, reply)
        }
        Object::Pipe(pipe) => read_pipe(cx, pipe, &request, reply),
        Object::Stream(stream) => read_stream(tree, &open, stream, &request, reply),
    }
}

fn read_pipe(
    cx: &Context<'_>,
    pipe: &OpenedPipe,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Handled {
    let limit = usize::try_from(request.length).unwrap_or(usize::MAX);
    let part = pipe.read(cx.server(), limit)?;
    let data = part.bytes();
    reply.body(data.len().saturating_add(REPLY_HEAD_LEN + 1), |w| {
        Answer {
            data_remaining: 0,
            data,
        }
        .write(w)
    })?;
    Ok(part.status())
}

fn read_stream(
    tree: &Tree,
    open: &Open,
    stream: &OpenedStream,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Handled {
    open.require_any(Mask::READ_DATA.union(Mask::EXECUTE))?;
    let end = request.offset.checked_add(u64::from(request.length));
    if end.is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let data = {
        let scope = tree.enter();
        stream.read(&scope)?
    };
    let start = usize::try_from(request.offset).unwrap_or(usize::MAX);
    let rest = data.get(start..).unwrap_or(&[]);
    let limit = usize::try_from(request.length).unwrap_or(usize::MAX);
    let part = rest.get(..limit).unwrap_or(rest);
    check_count(part.len(), request)?;
    reply.body(part.len().saturating_add(REPLY_HEAD_LEN + 1), |w| {
        Answer {
            data_remaining: 0,
            data: part,
        }
        .write(w)
    })?;
    let read = u64::try_from(part.len()).unwrap_or(u64::MAX);
    stream
        .base
        .set_position(request.offset.saturating_add(read));
    Ok(NtStatus::SUCCESS)
}

fn read_file(
    cx: &Context<'_>,
    session: &Session,
    tree: &Tree,
    open: &Open,
    file: &OpenedFile,
    request: &Request<'_>,
    reply: &mut Reply,
) -> Handled {
    if file.is_directory() {
        return Err(Stop::Failed(NtStatus::INVALID_DEVICE_REQUEST));
    }
    open.require_any(Mask::READ_DATA.union(Mask::EXECUTE))?;
    let end = request.offset.checked_add(u64::from(request.length));
    if end.is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let state = &file.admission.state;
    let length = u64::from(request.length);
    state.check_locks(open.id.volatile, request.offset, length, Access::Read)?;
    let wanted = usize::try_from(request.length).unwrap_or(usize::MAX);
    // The kernel need not be asked for what is behind the end.
    let there = file.data()?.size().saturating_sub(request.offset);
    let len = usize::try_from(there).unwrap_or(usize::MAX).min(wanted);
    let count = if len >= data::MIN_BY_REFERENCE && cx.is_last {
        by_reference(cx, session, tree, file, request.offset, len, reply)?
    } else {
        by_copy(tree, file, request.offset, len, reply)?
    };
    check_count(count, request)?;
    let read = u64::try_from(count).unwrap_or(u64::MAX);
    file.set_position(request.offset.saturating_add(read));
    Ok(NtStatus::SUCCESS)
}

/// Nothing at all, or less than the client needs, is the end of the file.
fn check_count(count: usize, request: &Request<'_>) -> Result<(), NtStatus> {
    let minimum = usize::try_from(request.minimum_count).unwrap_or(usize::MAX);
    let is_at_end = count == 0 && request.length > 0;
    if is_at_end || count < minimum {
        return Err(NtStatus::END_OF_FILE);
    }
    Ok(())
}

/// Reads into the reply's buffer.
fn by_copy(
    tree: &Tree,
    file: &OpenedFile,
    offset: u64,
    len: usize,
    reply: &mut Reply,
) -> Result<usize, Stop> {
    let scope = tree.enter();
    let source = file.data()?;
    let mut outcome = Ok(0);
    reply.body(len.saturating_add(REPLY_HEAD_LEN + 1), |w| {
        let start = w.mark();
        w.zeros(REPLY_HEAD_LEN)?;
        let count = w.fill_with(len, |room| {
            outcome = data::read_into(&scope, source, offset, room);
            outcome.unwrap_or(0)
        })?;
        let mut head = [0u8; REPLY_HEAD_LEN];
        write_head(&mut Writer::new(&mut head), REPLY_DATA_OFFSET, count, 0)?;
        w.patch(start, &head)
    })?;
    Ok(outcome?)
}

/// Reads into pages that follow the reply's head.
fn by_reference(
    cx: &Context<'_>,
    session: &Session,
    tree: &Tree,
    file: &OpenedFile,
    offset: u64,
    len: usize,
    reply: &mut Reply,
) -> Result<usize, Stop> {
    let scope = tree.enter();
    let source = file.data()?;
    // A signature must be of what is sent, and pages of the cache may change after it was made.
    let signed = cx.header.has(HeaderFlags::SIGNED) || session.must_sign();
    let pages: PageVec = if signed && !cx.is_sealed() {
        data::read_private(&scope, source, offset, len)?
    } else {
        data::read_shared(&scope, source, offset, len)?
    };
    let count = pages.len();
    reply.body(REPLY_HEAD_LEN, |w| {
        write_head(w, REPLY_DATA_OFFSET, count, 0)
    })?;
    reply.attach(pages);
    Ok(count)
}
