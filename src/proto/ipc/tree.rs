// SPDX-License-Identifier: GPL-2.0

//! Whether a user may connect to a share, and that he left.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{fixed, Text, ACCOUNT_SIZE, PEER_SIZE, SHARE_NAME_SIZE};

/// [`Command::TreeConnectRequest`](super::Command::TreeConnectRequest): may this session connect to this share?
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeConnectRequest {
    /// Matches the answer.
    pub handle: u32,
    /// [`user_flag`](super::user_flag) of the session's account.
    pub account_flags: u16,
    /// [`tree_request_flag`](super::tree_request_flag).
    pub flags: u16,
    /// The session.
    pub session_id: u64,
    /// The tree connect; unique within the session.
    pub connect_id: u64,
    /// Account name.
    pub account: Text<ACCOUNT_SIZE>,
    /// Share name.
    pub share: Text<SHARE_NAME_SIZE>,
    /// The client's address, without port.
    pub peer: Text<PEER_SIZE>,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(
    TreeConnectRequest,
    264,
    handle = 0,
    account_flags = 4,
    flags = 6,
    session_id = 8,
    connect_id = 16,
    account = 24,
    share = 72,
    peer = 136,
    reserved = 200,
);

/// As whom a guest acts on a share, which the original layout has no room for. It lies at the end of the reserved bytes of
/// [`TreeConnectResponse`], so a peer that does not know it neither reads it nor sets its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeExtension {
    /// [`TreeExtension::MARK`] if the rest is meant.
    pub mark: u32,
    /// User of every access that the share forces on no other.
    pub uid: u32,
    /// His group.
    pub gid: u32,
    /// Zero.
    pub reserved: u32,
}

impl TreeExtension {
    /// Says that there are ids.
    pub const MARK: u32 = 0x3158_4354;
    /// The user acts as himself, or the sender does not know the extension.
    pub const ABSENT: TreeExtension = TreeExtension {
        mark: 0,
        uid: 0,
        gid: 0,
        reserved: 0,
    };

    /// The user acts on the share with these ids.
    pub const fn acting_as(uid: u32, gid: u32) -> Self {
        TreeExtension {
            mark: TreeExtension::MARK,
            uid,
            gid,
            reserved: 0,
        }
    }

    /// User and group that the user acts as, if not as himself.
    pub fn ids(&self) -> Option<(u32, u32)> {
        (self.mark == TreeExtension::MARK).then_some((self.uid, self.gid))
    }
}

/// [`Command::TreeConnectResponse`](super::Command::TreeConnectResponse).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeConnectResponse {
    /// The request's handle.
    pub handle: u32,
    /// [`tree_status`](super::tree_status).
    pub status: u16,
    /// [`tree_flag`](super::tree_flag).
    pub connection_flags: u16,
    /// Zero.
    pub reserved: [u32; 12],
    /// As whom a guest acts.
    pub extension: TreeExtension,
}
fixed!(
    TreeConnectResponse,
    72,
    handle = 0,
    status = 4,
    connection_flags = 6,
    reserved = 8,
    extension = 56,
);

/// [`Command::TreeDisconnectRequest`](super::Command::TreeDisconnectRequest).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeDisconnectRequest {
    /// The session.
    pub session_id: u64,
    /// The tree connect.
    pub connect_id: u64,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(
    TreeDisconnectRequest,
    80,
    session_id = 0,
    connect_id = 8,
    reserved = 16
);
