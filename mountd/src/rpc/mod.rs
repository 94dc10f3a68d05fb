// SPDX-License-Identifier: GPL-2.0

//! DCE/RPC over the named pipes of IPC$.

use smb_proto::ipc::{rpc_status, RpcCommand};

use crate::dispatch::Server;

/// The open pipes.
#[derive(Debug, Default)]
pub struct Pipes {}

impl Pipes {
    /// Does what the module asks of a pipe; gives the status and the data.
    pub fn command(&self, _server: &Server, _request: &RpcCommand<'_>) -> (u32, Vec<u8>) {
        (rpc_status::NOT_IMPLEMENTED, Vec::new())
    }
}
