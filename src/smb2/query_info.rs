// SPDX-License-Identifier: GPL-2.0

//! QUERY_INFO, [MS-SMB2] 3.3.5.20: which information, how much of it fits, and where it comes from.

mod file;
mod filesystem;
mod pipe;
mod security;

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_proto::file_info::FileInfoClass;
use smb_proto::fs_info::FsInfoClass;
use smb_proto::query_info::{InfoType, Reply as Answer, Request};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Full, Writer};

use crate::files::{Object, Tree};
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;

/// Bytes of an answer before the information, and a byte of padding where there is none.
const HEAD: usize = 16;

/// Tells something about a file, its file system or its security.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let sent = u32::try_from(request.input.len()).unwrap_or(u32::MAX);
    let max_transact = cx.negotiated()?.max_transact;
    if request.output_buffer_length > max_transact || sent > max_transact {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    cx.check_charge(sent, request.output_buffer_length)?;
    let open = cx.open(session, tree, request.file_id)?;
    let limit = usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX);
    let mut room = Room { reply, limit };
    match request.info_type {
        InfoType::FILE => {
            let class = FileInfoClass(request.info_class);
            match &open.object {
                Object::File(opened) => {
                    let of = file::Of {
                        file: opened,
                        stream: None,
                    };
                    file::answer(cx, tree, &open, of, class, &request, &mut room)
                }
                Object::Stream(stream) => {
                    let of = file::Of {
                        file: &stream.base,
                        stream: Some(stream),
                    };
                    file::answer(cx, tree, &open, of, class, &request, &mut room)
                }
                Object::Pipe(pipe) => pipe::answer(pipe, class, &mut room),
            }
        }
        InfoType::FILESYSTEM => {
            filesystem::answer(cx, tree, FsInfoClass(request.info_class), &mut room)
        }
        InfoType::SECURITY => security::answer(cx, tree, &open, &request, &mut room),
        InfoType::QUOTA => Err(NtStatus::NOT_SUPPORTED.into()),
        _ => Err(NtStatus::INVALID_PARAMETER.into()),
    }
}

/// Where an answer goes, and how long the client lets it be.
struct Room<'a> {
    reply: &'a mut Reply,
    /// Bytes, the request's OutputBufferLength.
    limit: usize,
}

impl Room<'_> {
    /// Checks that the client has room for `least` bytes, the fixed part of the information.
    fn require(&self, least: usize) -> Result<(), NtStatus> {
        if self.limit < least {
            return Err(NtStatus::INFO_LENGTH_MISMATCH);
        }
        Ok(())
    }

    /// Writes an answer that needs at most `size` bytes. `write` gets the limit and says whether all of it fitted: what did
    /// not is `STATUS_BUFFER_OVERFLOW`, and the client gets the part that did.
    fn write(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut Writer<'_>, usize) -> Result<bool, Full>,
    ) -> Handled {
        let limit = self.limit;
        let mut is_whole = true;
        self.reply.body(size.saturating_add(HEAD), |w| {
            let buffer = Answer::begin(w)?;
            is_whole = write(w, limit)?;
            buffer.finish(w).map(|_| ())
        })?;
        Ok(if is_whole {
            NtStatus::SUCCESS
        } else {
            NtStatus::BUFFER_OVERFLOW
        })
    }
}
