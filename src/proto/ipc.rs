// SPDX-License-Identifier: GPL-2.0

//! Messages between the kernel module and its user-space daemon: generic netlink family `SMBD_GENL`.
//!
//! Every message carries exactly one netlink attribute. The attribute's type equals the generic netlink command
//! ([`Command`]), and its payload is one of the structures below, in the machine's own byte order and, but for
//! [`StartupRequest`], with C's natural alignment. Those sizes and offsets are an ABI which other implementations of
//! either side share, so each is asserted at compile time.
//!
//! A request that wants an answer begins with a `handle`; the answer repeats it, and its command is the request's
//! plus one. Text is bytes up to the first NUL ([`Text`]).
//!
//! Fixed messages are read with [`read`], which ignores bytes beyond the structure (a newer peer may have grown it).
//! Messages with a variable part have a borrowed view of their own, whose `parse` checks every length against the
//! payload.

mod command;
mod flags;
mod login;
mod rpc;
mod share;
mod spnego;
mod startup;
mod tree;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::{Full, Malformed, Parsed, Reader};

pub use command::Command;
pub use flags::{
    daemon_feature, global_flag, rpc_flag, rpc_status, setting, share_flag, tree_flag,
    tree_request_flag, tree_status, user_flag,
};
pub use login::{
    LoginRequest, LoginResponse, LoginResponseExt, LoginResponseExtHead, LogoutRequest,
};
pub use rpc::{RpcCommand, RpcHead};
pub use share::{ShareConfigHead, ShareConfigRequest, ShareConfigResponse, ShareExtension};
pub use spnego::{
    Conversation, SpnegoRequest, SpnegoRequestHead, SpnegoResponse, SpnegoResponseHead,
};
pub use startup::{Heartbeat, ShutdownRequest, Startup, StartupExtension, StartupRequest};
pub use tree::{TreeConnectRequest, TreeConnectResponse, TreeDisconnectRequest, TreeExtension};

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "SMBD_GENL";
/// Version of the family, which stands in each generic netlink header.
pub const FAMILY_VERSION: u8 = 1;
/// Highest attribute type, which is the highest command.
pub const MAX_ATTRIBUTE: u16 = 17;

/// Bytes of an account name with its NUL.
pub const ACCOUNT_SIZE: usize = 48;
/// Bytes of a share name with its NUL.
pub const SHARE_NAME_SIZE: usize = 64;
/// Bytes of a peer's address in text with its NUL.
pub const PEER_SIZE: usize = 64;
/// Bytes reserved for a password hash; an NT hash takes 16 of them.
pub const HASH_SIZE: usize = 18;
/// Largest RPC or SPNEGO payload that a C module sends, and the largest RPC payload that it takes; bytes.
pub const MAX_PAYLOAD: usize = 4096;
/// Largest message that the C tools take or send, bytes.
pub const MAX_TOOLS_MESSAGE: usize = 16384;
/// Most supplementary groups that a [`LoginResponseExt`] may carry (`NGROUPS_MAX`).
pub const MAX_GROUPS: usize = 65536;
/// `force_uid` and `force_gid` of a share that forces none.
pub const NO_FORCED_ID: u16 = u16::MAX;
/// [`ShareExtension::force_uid`] and `force_gid` of a share that forces none.
pub const NO_FORCED_ID_WIDE: u32 = u32::MAX;

/// A field of `N` bytes that holds text up to its first NUL.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Text<const N: usize>(pub [u8; N]);

impl<const N: usize> Text<N> {
    /// Text of no bytes.
    pub const EMPTY: Text<N> = Text([0; N]);

    /// A field that holds `text`, which must leave room for the NUL and contain none.
    ///
    /// # Errors
    ///
    /// [`Full`] if `text` has `N` bytes or more, or holds a NUL.
    pub fn new(text: &[u8]) -> Result<Self, Full> {
        if text.len() >= N || text.contains(&0) {
            return Err(Full);
        }
        let mut field = [0u8; N];
        for (to, from) in field.iter_mut().zip(text) {
            *to = *from;
        }
        Ok(Text(field))
    }

    /// The bytes before the first NUL; all of them if there is none.
    pub fn bytes(&self) -> &[u8] {
        until_nul(&self.0)
    }

    /// The bytes before the first NUL.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there is no NUL in the field.
    pub fn terminated(&self) -> Parsed<&[u8]> {
        let text = until_nul(&self.0);
        if text.len() < N {
            Ok(text)
        } else {
            Err(Malformed)
        }
    }

    /// Whether the text has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }
}

impl<const N: usize> core::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// `bytes` up to its first NUL.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// A structure that is the whole of a message or its fixed beginning.
pub trait Fixed: FromBytes + IntoBytes + Immutable + KnownLayout {}

/// Reads the structure at the front of an attribute's payload; bytes beyond it are not looked at.
///
/// # Errors
///
/// [`Malformed`] if the payload is shorter than the structure.
pub fn read<T: Fixed>(payload: &[u8]) -> Parsed<T> {
    Reader::new(payload).get()
}

/// The handle at the front of a payload that wants or gives an answer.
///
/// # Errors
///
/// [`Malformed`] if the payload is shorter than a handle.
pub fn read_handle(payload: &[u8]) -> Parsed<u32> {
    Reader::new(payload).array().map(u32::from_ne_bytes)
}

macro_rules! fixed {
    ($name:ty, $size:literal $(, $field:ident = $offset:literal)* $(,)?) => {
        impl $crate::ipc::Fixed for $name {}
        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        $(const _: () = assert!(core::mem::offset_of!($name, $field) == $offset);)*
    };
}
use fixed;

/// A 32-bit size as a length.
fn length(size: u32) -> Parsed<usize> {
    usize::try_from(size).map_err(|_| Malformed)
}

/// The strings of a NUL-separated list, without the empty ones.
fn strings(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
