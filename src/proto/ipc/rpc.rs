// SPDX-License-Identifier: GPL-2.0

//! What goes through a named pipe.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::{Full, Parsed, Reader, Writer, Written};

use super::{fixed, length};

/// Fixed part of [`RpcCommand`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RpcHead {
    /// The pipe's handle, chosen by the kernel; also matches the answer.
    pub handle: u32,
    /// [`rpc_flag`](super::rpc_flag) in a request, [`rpc_status`](super::rpc_status) in a response.
    pub flags: u32,
    /// Bytes that follow.
    pub payload_size: u32,
}
fixed!(RpcHead, 12, handle = 0, flags = 4, payload_size = 8);

/// [`Command::RpcRequest`](super::Command::RpcRequest) and [`Command::RpcResponse`](super::Command::RpcResponse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcCommand<'a> {
    /// The pipe's handle.
    pub handle: u32,
    /// [`rpc_flag`](super::rpc_flag) in a request, [`rpc_status`](super::rpc_status) in a response.
    pub flags: u32,
    /// The PDU or the part of one.
    pub payload: &'a [u8],
}

impl<'a> RpcCommand<'a> {
    /// Reads a whole command.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::wire::Malformed) if the message does not hold the payload that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: RpcHead = reader.get()?;
        let payload = reader.take(length(head.payload_size)?)?;
        Ok(RpcCommand {
            handle: head.handle,
            flags: head.flags,
            payload,
        })
    }

    /// Writes the command.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let payload_size = u32::try_from(self.payload.len()).map_err(|_| Full)?;
        w.put(&RpcHead {
            handle: self.handle,
            flags: self.flags,
            payload_size,
        })?;
        w.bytes(self.payload)
    }
}
