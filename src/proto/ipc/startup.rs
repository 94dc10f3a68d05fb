// SPDX-License-Identifier: GPL-2.0

//! The daemon comes, says how the server is to be, and goes.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::{Full, Parsed, Reader, Writer, Written};

use super::{fixed, length, strings, Text};

/// [`Command::Heartbeat`](super::Command::Heartbeat): the kernel asks whether its daemon is there. That the message could be
/// delivered is the answer.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Heartbeat {
    /// Not matched by anything.
    pub handle: u32,
}
fixed!(Heartbeat, 4, handle = 0);

/// What the daemon says of itself beyond the original layout. It lies at the end of the reserved bytes of
/// [`StartupRequest`], so a peer that does not know it neither reads it nor sets its mark.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C, packed)]
pub struct StartupExtension {
    /// [`StartupExtension::MARK`] if the rest is meant.
    pub mark: u32,
    /// [`daemon_feature`](super::daemon_feature).
    pub features: u32,
}

impl StartupExtension {
    /// Says that the sender knows the extension, large [`SpnegoRequest`](super::SpnegoRequest)s and their conversations.
    pub const MARK: u32 = 0x3158_5352;
    /// The sender does not know the extension.
    pub const ABSENT: StartupExtension = StartupExtension {
        mark: 0,
        features: 0,
    };

    /// The features, if the sender knows the extension.
    pub fn known_features(&self) -> Option<u32> {
        (self.mark == StartupExtension::MARK).then_some(self.features)
    }
}

/// [`Command::StartingUp`](super::Command::StartingUp): the global configuration. [`Startup`] adds the interface list. Packed,
/// unlike the rest.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
pub struct StartupRequest {
    /// [`global_flag`](super::global_flag).
    pub flags: u32,
    /// Signing: one of [`setting`](super::setting).
    pub signing: i32,
    /// Lowest dialect, such as `SMB2_10`; empty for the module's default.
    pub min_protocol: Text<16>,
    /// Highest dialect, such as `SMB3_11`; empty for the module's default.
    pub max_protocol: Text<16>,
    /// NetBIOS name of the server.
    pub netbios_name: Text<16>,
    /// Workgroup.
    pub workgroup: Text<64>,
    /// Description of the server.
    pub server_string: Text<64>,
    /// TCP port to listen on.
    pub tcp_port: u16,
    /// Seconds after which a daemon that gave no sign is asked for one; 0 never.
    pub ipc_timeout: u16,
    /// Minutes after which an idle connection without open files ends; 0 never.
    pub deadtime: u32,
    /// Most open files in all.
    pub max_open_files: u32,
    /// Bytes of the largest WRITE; 0 for the module's default.
    pub max_write: u32,
    /// Bytes of the largest READ; 0 for the module's default.
    pub max_read: u32,
    /// Bytes of the largest other exchange; 0 for the module's default.
    pub max_transact: u32,
    /// Extra file system attribute bits to claim.
    pub fake_fscaps: u32,
    /// The three sub-authorities of the server's domain SID.
    pub sub_auth: [u32; 3],
    /// Most outstanding credits of a connection; 0 for the module's default.
    pub max_credits: u32,
    /// Bytes of the largest SMB Direct transfer; 0 for the module's default.
    pub smbd_max_io: u32,
    /// Most connections; 0 for the module's default.
    pub max_connections: u32,
    /// Non-zero to listen only on the interfaces of the list.
    pub bind_interfaces_only: u8,
    /// Most connections of one address; 0 for the module's default.
    pub max_connections_per_address: u32,
    /// Apple model string; empty for the module's default.
    pub aapl_model: Text<32>,
    /// Most sessions of one connection; 0 for the module's default.
    pub max_sessions_per_connection: u32,
    /// Zero.
    pub reserved: [u8; 455],
    /// Facts that the original layout has no room for.
    pub extension: StartupExtension,
    /// Bytes of the interface list that follows.
    pub interfaces_size: u32,
}
fixed!(
    StartupRequest,
    744,
    flags = 0,
    signing = 4,
    min_protocol = 8,
    max_protocol = 24,
    netbios_name = 40,
    workgroup = 56,
    server_string = 120,
    tcp_port = 184,
    ipc_timeout = 186,
    deadtime = 188,
    max_open_files = 192,
    max_write = 196,
    max_read = 200,
    max_transact = 204,
    fake_fscaps = 208,
    sub_auth = 212,
    max_credits = 224,
    smbd_max_io = 228,
    max_connections = 232,
    bind_interfaces_only = 236,
    max_connections_per_address = 237,
    aapl_model = 241,
    max_sessions_per_connection = 273,
    reserved = 277,
    extension = 732,
    interfaces_size = 740,
);

/// A start-up request with its interface list: names, each ended by a NUL.
#[derive(Clone, Copy)]
pub struct Startup<'a> {
    /// The fixed part.
    pub head: StartupRequest,
    /// The raw interface list.
    pub interfaces: &'a [u8],
}

impl<'a> Startup<'a> {
    /// Reads a whole start-up request.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::wire::Malformed) if the payload does not hold the interface list that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: StartupRequest = reader.get()?;
        let interfaces = reader.take(length(head.interfaces_size)?)?;
        Ok(Startup { head, interfaces })
    }

    /// Writes the request; `head.interfaces_size` is set from the list.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let mut head = self.head;
        head.interfaces_size = u32::try_from(self.interfaces.len()).map_err(|_| Full)?;
        w.put(&head)?;
        w.bytes(self.interfaces)
    }

    /// The names in the interface list.
    pub fn interface_names(&self) -> impl Iterator<Item = &'a [u8]> {
        strings(self.interfaces)
    }
}

/// [`Command::ShuttingDown`](super::Command::ShuttingDown).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShutdownRequest {
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(ShutdownRequest, 64, reserved = 0);
