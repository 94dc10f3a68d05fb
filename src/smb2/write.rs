// SPDX-License-Identifier: GPL-2.0

//! WRITE, [MS-SMB2] 3.3.5.13.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::file::{Begin, WriteMode};
use smb_model::access::Mask;
use smb_model::create::Options;
use smb_model::lease::Trigger;
use smb_model::locks::Access;
use smb_proto::change_notify::CompletionFilter;
use smb_proto::read::Channel;
use smb_proto::status::NtStatus;
use smb_proto::write::{Reply as Answer, Request, WriteFlags};

use crate::files::data::Payload;
use crate::files::file::OpenedFile;
use crate::files::notify::{self, What};
use crate::files::stream::OpenedStream;
use crate::files::stream_table::Busy;
use crate::files::{data, Object, Open, Tree};
use crate::server::Server;
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::wait::{self, Waker};

/// Offset that means the end of the file, [MS-FSA] 2.1.5.4.
const AT_END: u64 = u64::MAX;

/// What a write changes.
const WRITTEN: CompletionFilter = CompletionFilter::SIZE.union(CompletionFilter::LAST_WRITE);

/// Writes to a file or a pipe.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse_without(cx.pdu, cx.taken.len())?;
    let len = cx.taken.len().saturating_add(request.data.len());
    let count = u32::try_from(len).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if count > cx.negotiated()?.max_write {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    cx.check_charge(count, 0)?;
    if request.channel != Channel::NONE && cx.negotiated()?.dialect.is_3() {
        // RDMA channels exist on RDMA connections only.
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let open = cx.open(session, tree, request.file_id)?;
    let server = &cx.conn.server;
    match &open.object {
        Object::File(file) => {
            cx.send_earlier_answers(session, tree, serve)?;
            let data = Payload {
                pages: &mut *cx.taken,
                bytes: request.data,
            };
            write_file(server, tree, &open, file, &request, data)?;
        }
        Object::Pipe(pipe) => {
            let row = data::gather(&server.buffers, cx.taken, request.data)?;
            pipe.write(server, row.as_deref().unwrap_or(request.data))?;
        }
        Object::Stream(stream) => {
            let row = data::gather(&server.buffers, cx.taken, request.data)?;
            let data = row.as_deref().unwrap_or(request.data);
            let request = Request { data, ..request };
            match write_stream(tree, &open, stream, &request, None) {
                Err(Busy::Later) => {
                    let waker = cx.waker()?;
                    match write_stream(tree, &open, stream, &request, Some(&waker)) {
                        Err(Busy::Later) => return Err(wait::again(waker, session, tree, serve)),
                        Err(Busy::Status(status)) => return Err(status.into()),
                        Ok(()) => {}
                    }
                }
                Err(Busy::Status(status)) => return Err(status.into()),
                Ok(()) => {}
            }
        }
    }
    reply.body(32, |w| Answer { count }.write(w))?;
    Ok(NtStatus::SUCCESS)
}

fn write_stream(
    tree: &Tree,
    open: &Open,
    stream: &OpenedStream,
    request: &Request<'_>,
    waker: Option<&Waker>,
) -> Result<(), Busy> {
    open.require_any(Mask::WRITE_DATA.union(Mask::APPEND_DATA))?;
    let len = u64::try_from(request.data.len()).unwrap_or(u64::MAX);
    let scope = tree.enter();
    let may_only_append = !open.granted.contains(Mask::WRITE_DATA);
    let begin = match request.offset {
        AT_END if may_only_append => Begin::End,
        offset => {
            let end = offset.checked_add(len);
            let end = end.filter(|end| i64::try_from(*end).is_ok());
            end.ok_or(NtStatus::INVALID_PARAMETER)?;
            Begin::At(offset)
        }
    };
    let end = stream.write(&scope, tree, begin, request.data, waker)?;
    if request.flags.contains(WriteFlags::WRITE_THROUGH)
        || stream.base.mode() & Options::WRITE_THROUGH.bits() != 0
    {
        stream.flush(&scope)?;
    }
    stream.base.set_position(end);
    Ok(())
}

fn write_file(
    server: &Arc<Server>,
    tree: &Tree,
    open: &Open,
    file: &OpenedFile,
    request: &Request<'_>,
    data: Payload<'_>,
) -> Result<(), NtStatus> {
    if file.is_directory() {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    open.require_any(Mask::WRITE_DATA.union(Mask::APPEND_DATA))?;
    let target = file.data()?;
    let may_only_append = !open.granted.contains(Mask::WRITE_DATA);
    let begin = match request.offset {
        AT_END if may_only_append => Begin::End,
        // As on Windows and Samba, the right to append alone does not keep a client from naming another place.
        offset => Begin::At(offset),
    };
    // Others may append before it is written. Where the end is by then decides the file system.
    let offset = match begin {
        Begin::At(offset) => offset,
        Begin::End => target.size(),
    };
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    check_range(target.max_size(), offset, len)?;
    let state = &file.admission.state;
    state.check_locks(open.id.volatile, offset, len, Access::Write)?;
    // Whoever could make a writer wait had to answer before it opened the file.
    let _ = file.admission.disturb(server, Trigger::Write, None)?;
    let mode = if request.flags.contains(WriteFlags::WRITE_THROUGH) {
        WriteMode::Through
    } else {
        WriteMode::Cached
    };
    let scope = tree.enter();
    let end = match begin {
        Begin::At(offset) => data::write(&scope, target, offset, data, mode)?,
        Begin::End => data::append(&server.buffers, &scope, target, data, mode)?,
    };
    notify::changed(
        &server.files,
        tree.share.directory(),
        &file.path,
        What::modified(WRITTEN),
    );
    file.set_position(end);
    Ok(())
}

/// Unit that `MAXFILESIZE` of [MS-FSA] 2.1.5.4 is a multiple of, bytes.
const GRANULE: u64 = 64 << 10;

/// Checks that a file may have `len` bytes from `offset` on, [MS-FSA] 2.1.5.4. `max` is the file system's limit.
///
/// # Errors
///
/// `STATUS_INVALID_PARAMETER` for a range that begins behind the limit, `STATUS_DISK_FULL` for one that reaches it.
fn check_range(max: u64, offset: u64, len: u64) -> Result<(), NtStatus> {
    let end = offset
        .checked_add(len)
        .filter(|end| i64::try_from(*end).is_ok());
    let end = end.ok_or(NtStatus::INVALID_PARAMETER)?;
    let limit = max & !(GRANULE - 1);
    if len == 0 || end < limit {
        return Ok(());
    }
    Err(if offset >= limit {
        NtStatus::INVALID_PARAMETER
    } else {
        NtStatus::DISK_FULL
    })
}
