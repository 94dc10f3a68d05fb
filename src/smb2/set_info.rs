// SPDX-License-Identifier: GPL-2.0

//! SET_INFO, [MS-SMB2] 3.3.5.21: what is to be set, and whether the open may set it.

mod basic;
mod disposition;
mod rename;
mod replace;
mod security;
mod size;
mod stream;

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::inode::InodeKey;
use smb_model::access::required::{self, Required};
use smb_model::lease::Trigger;
use smb_proto::file_info::{FileInfoClass, ModeInfo, PositionInfo};
use smb_proto::file_set::{SetFile, SetFileError};
use smb_proto::query_info::InfoType;
use smb_proto::set_info::{Reply as Answer, Request};
use smb_proto::status::NtStatus;

use crate::files::breaks::Clear;
use crate::files::file::OpenedFile;
use crate::files::inode::FileState;
use crate::files::stream_table::Busy;
use crate::files::{ea, Object, Open, Tree};
use crate::server::Server;
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::telling::Telling;
use super::wait::{self, Waker};

/// Bits of FileModeInformation that can be set: write-through, sequential, synchronous ([MS-FSA] 2.1.5.15.10).
const SETTABLE_MODE: u32 = 0x0000_0036;

/// Changes something about a file.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let sent = u32::try_from(request.data.len()).unwrap_or(u32::MAX);
    if sent > cx.negotiated()?.max_transact {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    cx.check_charge(sent, 0)?;
    let open = cx.open(session, tree, request.file_id)?;
    let mut target = Target {
        server: cx.server(),
        tree,
        open: &open,
        waker: None,
    };
    let class = FileInfoClass(request.info_class);
    let telling = Telling::before(&cx.server().files, &open, request.info_type, class);
    match request.info_type {
        InfoType::FILE => match target.set_file(class, request.data) {
            Err(Halt::Later) => {
                let waker = cx.waker()?;
                target.waker = Some(&waker);
                match target.set_file(class, request.data) {
                    Err(Halt::Later) => return Err(wait::again(waker, session, tree, serve)),
                    other => other?,
                }
            }
            other => other?,
        },
        InfoType::SECURITY => {
            security::set(&target, request.additional_information, request.data)?;
        }
        // Labels, object ids and quotas of the volume are the administrator's.
        InfoType::FILESYSTEM => return Err(NtStatus::ACCESS_DENIED.into()),
        InfoType::QUOTA => return Err(NtStatus::NOT_SUPPORTED.into()),
        _ => return Err(NtStatus::INVALID_PARAMETER.into()),
    }
    telling.done();
    reply.body(8, |w| Answer.write(w))?;
    Ok(NtStatus::SUCCESS)
}

/// Why nothing was changed.
enum Halt {
    /// Others must give up caching first: the target's waker is woken when it is worth trying again.
    Later,
    Status(NtStatus),
}

impl From<NtStatus> for Halt {
    fn from(status: NtStatus) -> Self {
        Halt::Status(status)
    }
}

impl From<Busy> for Halt {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Later => Halt::Later,
            Busy::Status(status) => Halt::Status(status),
        }
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Status(status) => Stop::Failed(status),
            // Nobody would wake it.
            Halt::Later => Stop::Failed(NtStatus::SHARING_VIOLATION),
        }
    }
}

/// What is to be changed.
struct Target<'a> {
    server: &'a Arc<Server>,
    tree: &'a Tree,
    open: &'a Open,
    /// Woken when it is worth trying again, if the change has to wait.
    waker: Option<&'a Waker>,
}

impl Target<'_> {
    /// The file.
    fn file(&self) -> Result<&OpenedFile, NtStatus> {
        match &self.open.object {
            Object::File(file) => Ok(file),
            Object::Pipe(_) | Object::Stream(_) => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    fn require(&self, required: Required) -> Result<(), NtStatus> {
        if required.met_by(self.open.granted) {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// Checks that the tree connect allows changes. Opens are not granted any on a read-only share; what needs no right of
    /// the open is stopped here.
    fn require_writable(&self) -> Result<(), NtStatus> {
        if self.tree.is_writable {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// Breaks what others cache of the file, and what doing `trigger` to it makes wrong.
    fn disturb(&self, file: &OpenedFile, trigger: Trigger) -> Result<(), Halt> {
        cleared(file.admission.disturb(self.server, trigger, self.waker)?)
    }

    /// As [`Self::disturb`], for another file that `key` finds if it is open.
    fn disturb_other(
        &self,
        file: &OpenedFile,
        key: InodeKey,
        trigger: Trigger,
    ) -> Result<(), Halt> {
        match self.server.files.find(key) {
            Some(state) => self.disturb_state(file, &state, trigger),
            None => Ok(()),
        }
    }

    /// As [`Self::disturb`], for the file of `state`.
    fn disturb_state(
        &self,
        file: &OpenedFile,
        state: &Arc<FileState>,
        trigger: Trigger,
    ) -> Result<(), Halt> {
        let actor = file.admission.actor();
        cleared(state.disturb(self.server, &actor, trigger, self.waker)?)
    }

    fn set_file(&self, class: FileInfoClass, data: &[u8]) -> Result<(), Halt> {
        let (file, stream) = match &self.open.object {
            Object::File(file) => (file, None),
            Object::Stream(stream) => (&stream.base, Some(stream)),
            Object::Pipe(_) => return Err(NtStatus::NOT_SUPPORTED.into()),
        };
        let request = SetFile::parse(class, data).map_err(|error| match error {
            SetFileError::Class => NtStatus::INVALID_INFO_CLASS,
            SetFileError::Short => NtStatus::INFO_LENGTH_MISMATCH,
            SetFileError::Value => NtStatus::INVALID_PARAMETER,
        })?;
        match request {
            SetFile::Position(info) => return Ok(set_position(file, info)?),
            SetFile::Mode(info) => return Ok(set_mode(file, info)?),
            _ => self.require_writable()?,
        }
        let scope = self.tree.enter();
        if let Some(stream) = stream {
            match request {
                // These are the file's.
                SetFile::Basic(_) | SetFile::FullEa(_) => {}
                request => return stream::set(self, &scope, stream, &request),
            }
        }
        match request {
            SetFile::Basic(info) => Ok(basic::set(self, &scope, file, &info)?),
            SetFile::EndOfFile(size) => size::set_end(self, &scope, file, size),
            SetFile::Allocation(size) => size::set_allocation(self, &scope, file, size),
            // Only a privileged user may show what was never written.
            SetFile::ValidDataLength(_) => Err(NtStatus::PRIVILEGE_NOT_HELD.into()),
            SetFile::Rename(name) => rename::rename(self, &scope, file, &name),
            SetFile::Link(name) => rename::link(self, &scope, file, &name),
            SetFile::Disposition(delete) => disposition::set(self, &scope, file, delete),
            SetFile::DispositionEx(flags) => disposition::set_ex(self, &scope, file, flags),
            SetFile::FullEa(list) => {
                self.require(required::SET_EA)?;
                Ok(ea::set_list(&scope, &file.path, list)?)
            }
            SetFile::Position(_)
            | SetFile::Mode(_)
            | SetFile::ShortName(_)
            | SetFile::Pipe(_)
            | SetFile::CaseSensitive(_) => Err(NtStatus::NOT_SUPPORTED.into()),
        }
    }
}

fn cleared(clear: Clear) -> Result<(), Halt> {
    match clear {
        Clear::Now => Ok(()),
        Clear::Later => Err(Halt::Later),
    }
}

fn set_position(file: &OpenedFile, info: PositionInfo) -> Result<(), NtStatus> {
    let position = u64::try_from(info.offset).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    file.set_position(position);
    Ok(())
}

fn set_mode(file: &OpenedFile, info: ModeInfo) -> Result<(), NtStatus> {
    if info.mode & !SETTABLE_MODE != 0 {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let kept = file.mode() & !SETTABLE_MODE;
    file.set_mode(kept | info.mode);
    Ok(())
}
