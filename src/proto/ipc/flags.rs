// SPDX-License-Identifier: GPL-2.0

//! Flags and codes in the messages' fields.

/// Bits of [`StartupRequest::flags`](super::StartupRequest::flags).
pub mod global_flag {
    /// Leases are granted.
    pub const LEASES: u32 = 1 << 0;
    /// Encryption is required of clients that can encrypt.
    pub const ENCRYPTION: u32 = 1 << 1;
    /// Several connections may join one session.
    pub const MULTICHANNEL: u32 = 1 << 2;
    /// Encryption is not offered.
    pub const ENCRYPTION_OFF: u32 = 1 << 3;
    /// Durable handles are granted.
    pub const DURABLE_HANDLES: u32 = 1 << 4;
}

/// Bits of [`StartupExtension::features`](super::StartupExtension::features).
pub mod daemon_feature {
    /// Kerberos is to be offered: the daemon answers SPNEGO requests.
    pub const KERBEROS: u32 = 1 << 0;
}

/// Values of [`StartupRequest::signing`](super::StartupRequest::signing) (and of other settings with the same four states).
pub mod setting {
    /// Off.
    pub const DISABLED: i32 = 0;
    /// Offered.
    pub const ENABLED: i32 = 1;
    /// As the client wants.
    pub const AUTO: i32 = 2;
    /// Required.
    pub const MANDATORY: i32 = 3;
}

/// Bits of [`LoginResponse::status`](super::LoginResponse::status), [`TreeConnectRequest::account_flags`](super::TreeConnectRequest::account_flags) and [`LogoutRequest::account_flags`](super::LogoutRequest::account_flags). A login
/// succeeded when [`user_flag::OK`] is set.
pub mod user_flag {
    /// The account exists and may log in.
    pub const OK: u16 = 1 << 0;
    /// The password was wrong.
    pub const BAD_PASSWORD: u16 = 1 << 1;
    /// The account has no usable uid.
    pub const BAD_UID: u16 = 1 << 2;
    /// There is no such account.
    pub const BAD_USER: u16 = 1 << 3;
    /// The account is the guest account: the password is not checked.
    pub const GUEST_ACCOUNT: u16 = 1 << 4;
    /// The kernel delays this account's session setup (after wrong passwords).
    pub const DELAY_SESSION: u16 = 1 << 5;
    /// The account has supplementary groups: ask for them with `LoginExtRequest`.
    pub const EXTENSION: u16 = 1 << 6;
    /// Nobody is logged in yet, and nothing is refused: the client has to answer the token. Only in the answer to a
    /// `SpnegoRequest` that belongs to a conversation.
    pub const CONTINUE: u16 = 1 << 15;
}

/// Bits of [`ShareConfigHead::flags`](super::ShareConfigHead::flags). All bits clear means: no such share.
pub mod share_flag {
    /// The share may be connected to.
    pub const AVAILABLE: u32 = 1 << 0;
    /// The share is listed.
    pub const BROWSEABLE: u32 = 1 << 1;
    /// Writing is allowed.
    pub const WRITEABLE: u32 = 1 << 2;
    /// Writing is refused.
    pub const READONLY: u32 = 1 << 3;
    /// Guests may connect.
    pub const GUEST_OK: u32 = 1 << 4;
    /// Only guests may connect.
    pub const GUEST_ONLY: u32 = 1 << 5;
    /// DOS attributes are kept in an extended attribute.
    pub const STORE_DOS_ATTRIBUTES: u32 = 1 << 6;
    /// Oplocks are granted.
    pub const OPLOCKS: u32 = 1 << 7;
    /// The share is IPC$.
    pub const PIPE: u32 = 1 << 8;
    /// Names that begin with a dot are shown as hidden.
    pub const HIDE_DOT_FILES: u32 = 1 << 9;
    /// New files belong to their directory's owner.
    pub const INHERIT_OWNER: u32 = 1 << 10;
    /// Alternate data streams are kept in extended attributes.
    pub const STREAMS: u32 = 1 << 11;
    /// Symbolic links are followed.
    pub const FOLLOW_SYMLINKS: u32 = 1 << 12;
    /// NT ACLs are kept in an extended attribute.
    pub const ACL_XATTR: u32 = 1 << 13;
    /// The daemon's configuration of this share changed since the kernel last asked.
    pub const UPDATE: u32 = 1 << 14;
    /// Mount points below the share are crossed.
    pub const CROSS_MOUNT: u32 = 1 << 15;
    /// The share is continuously available.
    pub const CONTINUOUS_AVAILABILITY: u32 = 1 << 16;
    /// Entries that the user may not read are not listed.
    pub const HIDE_UNREADABLE: u32 = 1 << 17;
    /// The share is a Time Machine target.
    pub const TIME_MACHINE: u32 = 1 << 18;
    /// Encryption is required on this share.
    pub const ENCRYPT_DATA: u32 = 1 << 20;
}

/// Bits of [`TreeConnectRequest::flags`](super::TreeConnectRequest::flags).
pub mod tree_request_flag {
    /// The peer's address is IPv6.
    pub const IPV6: u16 = 1 << 0;
    /// The session speaks SMB2 or later.
    pub const SMB2: u16 = 1 << 1;
}

/// Bits of [`TreeConnectResponse::connection_flags`](super::TreeConnectResponse::connection_flags).
pub mod tree_flag {
    /// The connection acts as the guest account.
    pub const GUEST_ACCOUNT: u16 = 1 << 0;
    /// The user may only read.
    pub const READ_ONLY: u16 = 1 << 1;
    /// The user may write.
    pub const WRITABLE: u16 = 1 << 2;
    /// The user has administrative access to the share.
    pub const ADMIN_ACCOUNT: u16 = 1 << 3;
    /// The share's configuration changed: the kernel fetches it again.
    pub const UPDATE: u16 = 1 << 4;
}

/// Values of [`TreeConnectResponse::status`](super::TreeConnectResponse::status).
pub mod tree_status {
    /// Connected.
    pub const OK: u16 = 0;
    /// The daemon is out of memory.
    pub const NO_MEMORY: u16 = 1;
    /// There is no such share.
    pub const NO_SHARE: u16 = 2;
    /// There is no such user.
    pub const NO_USER: u16 = 3;
    /// The user may not connect to the share.
    pub const INVALID_USER: u16 = 4;
    /// The peer's address may not connect.
    pub const HOST_DENIED: u16 = 5;
    /// The tree connect is already known.
    pub const CONNECTION_EXISTS: u16 = 6;
    /// The share has its maximum of connections.
    pub const TOO_MANY_CONNECTIONS: u16 = 7;
    /// The server has its maximum of sessions.
    pub const TOO_MANY_SESSIONS: u16 = 8;
    /// Any other failure.
    pub const ERROR: u16 = 9;
}

/// Bits of [`RpcHead::flags`](super::RpcHead::flags) in a request: which pipe, and what to do with it. In a response the whole word is one of
/// [`rpc_status`].
pub mod rpc_flag {
    /// The method returns data.
    pub const RETURN: u32 = 1 << 0;
    /// The pipe is `srvsvc`.
    pub const SRVSVC: u32 = 1 << 1;
    /// The pipe is `wkssvc`.
    pub const WKSSVC: u32 = 1 << 2;
    /// Write a PDU and read the answer, together with [`RETURN`].
    pub const IOCTL: u32 = 1 << 3;
    /// Open the pipe.
    pub const OPEN: u32 = 1 << 4;
    /// Write a PDU.
    pub const WRITE: u32 = 1 << 5;
    /// Read, together with [`RETURN`].
    pub const READ: u32 = 1 << 6;
    /// Close the pipe.
    pub const CLOSE: u32 = 1 << 7;
    /// A LANMAN request, together with [`RETURN`].
    pub const RAP: u32 = 1 << 8;
    /// The user is a guest: little is answered.
    pub const RESTRICTED_CONTEXT: u32 = 1 << 9;
    /// The pipe is `samr`.
    pub const SAMR: u32 = 1 << 10;
    /// The pipe is `lsarpc`.
    pub const LSARPC: u32 = 1 << 11;
}

/// Values of [`RpcHead::flags`](super::RpcHead::flags) in a response: Win32 codes.
pub mod rpc_status {
    /// Done.
    pub const OK: u32 = 0;
    /// There is no such method.
    pub const BAD_FUNCTION: u32 = 0x01;
    /// The caller may not do this.
    pub const ACCESS_DENIED: u32 = 0x05;
    /// There is no such pipe handle.
    pub const BAD_FID: u32 = 0x06;
    /// Out of memory.
    pub const NO_MEMORY: u32 = 0x08;
    /// The request cannot be understood.
    pub const BAD_DATA: u32 = 0x0D;
    /// The method is known but not built.
    pub const NOT_IMPLEMENTED: u32 = 0x40;
    /// A parameter is invalid.
    pub const INVALID_PARAMETER: u32 = 0x57;
    /// The requested information level does not exist.
    pub const INVALID_LEVEL: u32 = 0x7C;
    /// There is more to read.
    pub const MORE_DATA: u32 = 0xEA;
    /// Some names or SIDs could not be translated.
    pub const SOME_NOT_MAPPED: u32 = 0x107;
}
