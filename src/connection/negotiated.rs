// SPDX-License-Identifier: GPL-2.0

//! The outcome of NEGOTIATE, [MS-SMB2] 3.3.1.7. Each connection has its own; nothing of it is shared.

use smb_model::negotiate::{Capabilities, Cipher, ClientOffer, Dialect, Signing};

/// What client and server agreed on.
pub(crate) struct Negotiated {
    pub(crate) dialect: Dialect,
    /// What the client said of itself, to be confirmed by FSCTL_VALIDATE_NEGOTIATE_INFO.
    pub(crate) offer: ClientOffer,
    /// What the server announced.
    pub(crate) capabilities: Capabilities,
    /// `SecurityMode` that the server announced.
    pub(crate) security_mode: u16,
    /// How messages are sealed, if they can be.
    pub(crate) cipher: Option<Cipher>,
    /// How messages are signed.
    pub(crate) signing: Signing,
    /// Whether the POSIX extensions were agreed on.
    pub(crate) posix: bool,
    /// Whether one request may cost more than one credit, `SupportsMultiCredit`.
    pub(crate) multi_credit: bool,
    /// Largest buffers in bytes: READ, WRITE, everything else.
    pub(crate) max_read: u32,
    pub(crate) max_write: u32,
    pub(crate) max_transact: u32,
}
