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
    turn: Pin<KBox<Mutex<()>>>,
}

fn status_of(error: LinkError) -> NtStatus {
    match error {
        LinkError::NoDaemon => NtStatus::PIPE_DISCONNECTED,
        LinkError::BadAnswer => NtStatus::INVALID_PIPE_STATE,
        LinkError::NoMemory => NtStatus::INSUFFICIENT_RESOURCES,
    }
}

impl OpenedPipe {
    /// Opens the pipe at the daemon.
    pub(crate) fn open(server: &Server, pipe: Pipe, is_guest: bool) -> Result<Self, NtStatus> {
        let turn = KBox::pin_init(new_mutex!(()), GFP_KERNEL)
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let opened = OpenedPipe { pipe, handle: server.link.new_handle(), is_guest, turn };
        let answer = opened.ask(server, RpcAction::Open, &[])?;
        if !answer.is_ok() {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        Ok(opened)
    }

    /// Which pipe it is.
    pub(crate) fn kind(&self) -> Pipe {
        self.pipe
    }

    fn ask(
        &self,
        server: &Server,
        action: RpcAction,
        payload: &[u8],
    ) -> Result<RpcAnswer, NtStatus> {
        let _turn = self.turn.lock();
        calls::rpc(&server.link, self.handle, self.pipe, action, self.is_guest, payload)
            .map_err(status_of)
    }

    /// Writes one fragment.
    pub(crate) fn write(&self, server: &Server, data: &[u8]) -> Result<(), NtStatus> {
        let answer = self.ask(server, RpcAction::Write, data)?;
        Self::check(&answer).map(|_| ())
    }

    /// Reads what the daemon has for the client: the answer and its status, `STATUS_BUFFER_OVERFLOW` if there is more.
    pub(crate) fn read(&self, server: &Server) -> Result<(RpcAnswer, NtStatus), NtStatus> {
        let answer = self.ask(server, RpcAction::Read, &[])?;
        let status = Self::check(&answer)?;
        Ok((answer, status))
    }

    /// Writes one PDU and reads the answer, [MS-FSCC] 2.3.49 FSCTL_PIPE_TRANSCEIVE.
    pub(crate) fn transceive(
        &self,
        server: &Server,
        data: &[u8],
    ) -> Result<(RpcAnswer, NtStatus), NtStatus> {
        let answer = self.ask(server, RpcAction::Transceive, data)?;
        let status = Self::check(&answer)?;
        Ok((answer, status))
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
        // A daemon that is gone has forgotten the pipe.
        let _ = self.ask(server, RpcAction::Close, &[]);
    }
}
