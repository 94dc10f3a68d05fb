// SPDX-License-Identifier: GPL-2.0

//! Named pipes of IPC$: each PDU goes to the daemon, whose answer is kept until it is read.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex};

use smb_proto::ipc::rpc_status;
use smb_proto::status::NtStatus;

use crate::ipc::calls::{self, Pipe, RpcAction, RpcAnswer};
use crate::ipc::link::LinkError;
use crate::server::Server;

/// One instance of a pipe. The daemon's link matches answers by the pipe's handle, so one request is on its way at a time:
/// `turn` is held over it.
pub(crate) struct OpenedPipe {
    pipe: Pipe,
    handle: u32,
    is_guest: bool,
    turn: Pin<KBox<Mutex<Turn>>>,
}

/// What whoever's turn it is finds.
#[derive(Default)]
struct Turn {
    unread: Option<Unread>,
    /// Whether the daemon owes an answer for which nobody waits any more. It would be taken for that to the next request, so
    /// that there is none.
    is_broken: bool,
}

/// A message of the daemon that the client has not read to its end.
struct Unread {
    message: RpcAnswer,
    /// Bytes that the client has.
    taken: usize,
    /// Status for its last part.
    status: NtStatus,
}

/// What one request of a client gets of a message.
pub(crate) struct Part {
    bytes: KVec<u8>,
    status: NtStatus,
}

impl Part {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `STATUS_BUFFER_OVERFLOW` if there is more to read.
    pub(crate) fn status(&self) -> NtStatus {
        self.status
    }
}

impl Unread {
    /// At most `limit` bytes of the rest, and whether that was all of it.
    fn take(&mut self, limit: usize) -> Result<(Part, bool), NtStatus> {
        let rest = self.message.payload().get(self.taken..).unwrap_or(&[]);
        let part = rest.get(..limit).unwrap_or(rest);
        let mut bytes = KVec::new();
        bytes
            .extend_from_slice(part, GFP_KERNEL)
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let is_all = part.len() == rest.len();
        self.taken = self.taken.saturating_add(bytes.len());
        let status = if is_all {
            self.status
        } else {
            NtStatus::BUFFER_OVERFLOW
        };
        Ok((Part { bytes, status }, is_all))
    }
}

fn status_of(error: LinkError) -> NtStatus {
    match error {
        LinkError::NoDaemon => NtStatus::PIPE_DISCONNECTED,
        LinkError::BadAnswer => NtStatus::INVALID_PIPE_STATE,
        LinkError::NoMemory => NtStatus::INSUFFICIENT_RESOURCES,
    }
}

impl OpenedPipe {
    /// The number by which the daemon knows the pipe.
    pub(crate) fn handle(&self) -> u32 {
        self.handle
    }

    /// The pipe's name.
    pub(crate) fn name(&self) -> &'static str {
        match self.pipe {
            Pipe::Srvsvc => "srvsvc",
            Pipe::Wkssvc => "wkssvc",
            Pipe::Samr => "samr",
            Pipe::Lsarpc => "lsarpc",
        }
    }

    /// Opens the pipe at the daemon.
    pub(crate) fn open(server: &Server, pipe: Pipe, is_guest: bool) -> Result<Self, NtStatus> {
        let turn = KBox::pin_init(new_mutex!(Turn::default()), GFP_KERNEL)
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let opened = OpenedPipe {
            pipe,
            handle: server.link.new_handle(),
            is_guest,
            turn,
        };
        let answer = opened.ask(server, &mut opened.turn.lock(), RpcAction::Open, &[])?;
        if !answer.is_ok() {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        Ok(opened)
    }

    fn ask(
        &self,
        server: &Server,
        turn: &mut Turn,
        action: RpcAction,
        payload: &[u8],
    ) -> Result<RpcAnswer, NtStatus> {
        if turn.is_broken {
            return Err(NtStatus::PIPE_DISCONNECTED);
        }
        let (handle, pipe) = (self.handle, self.pipe);
        let answer = calls::rpc(&server.link, handle, pipe, action, self.is_guest, payload);
        if let Err(LinkError::NoDaemon) = answer {
            turn.is_broken = true;
            // Also what it opens after all.
            calls::rpc_close(&server.link, handle, pipe);
        }
        answer.map_err(status_of)
    }

    /// Writes one fragment.
    pub(crate) fn write(&self, server: &Server, data: &[u8]) -> Result<(), NtStatus> {
        let mut turn = self.turn.lock();
        let answer = self.ask(server, &mut turn, RpcAction::Write, data)?;
        Self::check(&answer).map(|_| ())
    }

    /// Reads at most `limit` bytes of what the daemon has for the client.
    pub(crate) fn read(&self, server: &Server, limit: usize) -> Result<Part, NtStatus> {
        let mut turn = self.turn.lock();
        let message = match turn.unread.take() {
            Some(message) => message,
            None => Self::arrived(self.ask(server, &mut turn, RpcAction::Read, &[])?)?,
        };
        Self::hand_out(&mut turn.unread, message, limit)
    }

    /// Writes one message and reads at most `limit` bytes of the answer, [MS-FSCC] FSCTL_PIPE_TRANSCEIVE.
    ///
    /// # Errors
    ///
    /// `STATUS_PIPE_BUSY` while the last answer was not read to its end.
    pub(crate) fn transceive(
        &self,
        server: &Server,
        data: &[u8],
        limit: usize,
    ) -> Result<Part, NtStatus> {
        let mut turn = self.turn.lock();
        if turn.unread.is_some() {
            return Err(NtStatus::PIPE_BUSY);
        }
        let message = Self::arrived(self.ask(server, &mut turn, RpcAction::Transceive, data)?)?;
        Self::hand_out(&mut turn.unread, message, limit)
    }

    fn arrived(message: RpcAnswer) -> Result<Unread, NtStatus> {
        let status = Self::check(&message)?;
        Ok(Unread {
            message,
            taken: 0,
            status,
        })
    }

    /// Gives the client a part of `message` and keeps the rest.
    fn hand_out(
        unread: &mut Option<Unread>,
        mut message: Unread,
        limit: usize,
    ) -> Result<Part, NtStatus> {
        let (part, is_all) = message.take(limit)?;
        if !is_all {
            *unread = Some(message);
        }
        Ok(part)
    }

    fn check(answer: &RpcAnswer) -> Result<NtStatus, NtStatus> {
        match answer.status {
            rpc_status::OK => Ok(NtStatus::SUCCESS),
            rpc_status::MORE_DATA => Ok(NtStatus::BUFFER_OVERFLOW),
            rpc_status::ACCESS_DENIED => Err(NtStatus::ACCESS_DENIED),
            rpc_status::BAD_FID => Err(NtStatus::FILE_CLOSED),
            rpc_status::NO_MEMORY => Err(NtStatus::INSUFFICIENT_RESOURCES),
            rpc_status::NOT_IMPLEMENTED | rpc_status::BAD_FUNCTION => Err(NtStatus::NOT_SUPPORTED),
            _ => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    /// Closes the pipe at the daemon.
    pub(crate) fn close(&self, server: &Server) {
        calls::rpc_close(&server.link, self.handle, self.pipe);
    }
}
