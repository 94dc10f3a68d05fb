// SPDX-License-Identifier: GPL-2.0

//! IOCTL, [MS-SMB2] 3.3.5.15: the checks that all controls share, and which control is served where.

mod compression;
mod copy;
mod duplicate;
mod negotiation;
mod network;
mod object_id;
mod pipe;
mod snapshots;
mod sparse;

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_model::access::Mask;
use smb_model::lease::Trigger;
use smb_proto::change_notify::CompletionFilter;
use smb_proto::fsctl::Fsctl;
use smb_proto::header::FileId;
use smb_proto::ioctl::{IoctlFlags, Reply as Answer, Request};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Writer, Written};

use crate::files::file::OpenedFile;
use crate::files::notify::{self, What};
use crate::files::{Open, Tree};
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;

/// Fixed part of a reply, and the byte that stands for an empty output.
const HEAD: usize = 56;

/// `STATUS_FS_DRIVER_REQUIRED`: the server does not take part in DFS, 3.3.5.15.2.
const FS_DRIVER_REQUIRED: NtStatus = NtStatus(0xC000_019C);

/// A control that is being served.
struct Control<'a> {
    request: Request<'a>,
    reply: &'a mut Reply,
}

impl Control<'_> {
    /// Most bytes of output that the client takes.
    fn limit(&self) -> usize {
        usize::try_from(self.request.max_output_response).unwrap_or(usize::MAX)
    }

    /// Checks that the client takes `len` bytes of output.
    ///
    /// # Errors
    ///
    /// `STATUS_BUFFER_TOO_SMALL`.
    fn require_output(&self, len: usize) -> Result<(), NtStatus> {
        if self.limit() < len {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        Ok(())
    }

    /// Writes the reply, whose output of at most `room` bytes `write` appends.
    fn answer(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<(), NtStatus> {
        let (code, file_id) = (self.request.code, self.request.file_id);
        self.reply.body(room.saturating_add(HEAD), |w| {
            let output = Answer::begin(w, code, file_id)?;
            write(w)?;
            output.finish(w).map(|_| ())
        })
    }

    /// Answers without output.
    fn done(&mut self) -> Handled {
        self.answer(0, |_| Ok(()))?;
        Ok(NtStatus::SUCCESS)
    }
}

/// What a control is applied to.
struct Target<'a> {
    session: &'a Session,
    tree: &'a Tree,
    open: &'a Open,
}

/// What a control that writes changes.
const WRITTEN: CompletionFilter = CompletionFilter::SIZE.union(CompletionFilter::LAST_WRITE);

impl Target<'_> {
    /// Takes from others what they cache of the file's data, which is about to change.
    fn disturb(&self, cx: &Context<'_>, file: &OpenedFile) -> Result<(), NtStatus> {
        // As for a WRITE: whoever could make a writer wait had to answer before it opened the file.
        let _ = file.admission.disturb(cx.server(), Trigger::Write, None)?;
        Ok(())
    }

    /// Tells those who watch what has changed.
    fn tell(&self, cx: &Context<'_>, file: &OpenedFile, filter: CompletionFilter) {
        let root = self.tree.share.directory();
        notify::changed(&cx.server().files, root, &file.path, What::modified(filter));
    }
}

/// A control of an open.
type Serve = fn(&Context<'_>, &Target<'_>, &mut Control<'_>) -> Handled;

/// Serves a control.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    check(cx, &request)?;
    let mut control = Control { request, reply };
    let code = Fsctl(request.code);
    debug!(
        cx.server(),
        Smb, "{}: control {:#010x}\n", cx.conn.peer, request.code
    );
    if needs_no_open(code) {
        // 3.3.5.15: these are of the connection or the session.
        if request.file_id != FileId::ANY {
            return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
        }
        return match code {
            Fsctl::VALIDATE_NEGOTIATE_INFO => negotiation::validate(cx, &mut control),
            Fsctl::QUERY_NETWORK_INTERFACE_INFO => network::interfaces(cx, &mut control),
            Fsctl::PIPE_WAIT => pipe::wait(tree, &mut control),
            _ => Err(Stop::Failed(FS_DRIVER_REQUIRED)),
        };
    }
    let open = cx.open(session, tree, request.file_id)?;
    control.request.file_id = open.id;
    let serve = of_open(code).ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    if !open.granted.contains(required(request.code)) {
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    serve(
        cx,
        &Target {
            session,
            tree,
            open: &open,
        },
        &mut control,
    )
}

/// Whether the control is not about an open.
fn needs_no_open(code: Fsctl) -> bool {
    matches!(
        code,
        Fsctl::DFS_GET_REFERRALS
            | Fsctl::DFS_GET_REFERRALS_EX
            | Fsctl::QUERY_NETWORK_INTERFACE_INFO
            | Fsctl::VALIDATE_NEGOTIATE_INFO
            | Fsctl::PIPE_WAIT
    )
}

/// Who serves a control of an open.
fn of_open(code: Fsctl) -> Option<Serve> {
    Some(match code {
        Fsctl::PIPE_TRANSCEIVE => pipe::transceive,
        Fsctl::SRV_REQUEST_RESUME_KEY => copy::resume_key,
        Fsctl::SRV_COPYCHUNK | Fsctl::SRV_COPYCHUNK_WRITE => copy::chunks,
        Fsctl::SRV_ENUMERATE_SNAPSHOTS => snapshots::enumerate,
        Fsctl::DUPLICATE_EXTENTS_TO_FILE => duplicate::extents,
        Fsctl::DUPLICATE_EXTENTS_TO_FILE_EX => duplicate::extents_ex,
        Fsctl::SET_SPARSE => sparse::set,
        Fsctl::SET_ZERO_DATA => sparse::zero,
        Fsctl::QUERY_ALLOCATED_RANGES => sparse::ranges,
        Fsctl::FILE_LEVEL_TRIM => sparse::trim,
        Fsctl::GET_COMPRESSION => compression::get,
        Fsctl::SET_COMPRESSION => compression::set,
        Fsctl::CREATE_OR_GET_OBJECT_ID | Fsctl::GET_OBJECT_ID => object_id::get,
        _ => return None,
    })
}

/// The rights that a control's code itself demands of the open: bits 14 and 15 say whether it reads or writes,
/// [MS-FSCC] 2.3. Of a control that does both, writing is what counts, as Windows does it for FSCTL_SET_COMPRESSION.
fn required(code: u32) -> Mask {
    match code >> 14 & 3 {
        0 => Mask::NONE,
        1 => Mask::READ_DATA,
        _ => Mask::WRITE_DATA,
    }
}

/// What holds for all controls.
fn check(cx: &Context<'_>, request: &Request<'_>) -> Result<(), Stop> {
    let max = cx.negotiated()?.max_transact;
    let sent = u32::try_from(request.input.len()).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let expected = request.max_output_response.max(request.max_input_response);
    if sent.max(expected) > max {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let received = request
        .max_output_response
        .saturating_add(request.max_input_response);
    cx.check_charge(sent, received)?;
    if !request.flags.contains(IoctlFlags::IS_FSCTL) {
        return Err(Stop::Failed(NtStatus::NOT_SUPPORTED));
    }
    Ok(())
}
