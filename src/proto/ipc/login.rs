// SPDX-License-Identifier: GPL-2.0

//! Who logs in, and who logged out.

use core::mem::size_of;

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

use super::{fixed, Text, ACCOUNT_SIZE, HASH_SIZE, MAX_GROUPS};

/// [`Command::LoginRequest`](super::Command::LoginRequest) and [`Command::LoginExtRequest`](super::Command::LoginExtRequest):
/// tell me about an account.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoginRequest {
    /// Matches the answer.
    pub handle: u32,
    /// Account name; empty for an anonymous session.
    pub account: Text<ACCOUNT_SIZE>,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(LoginRequest, 116, handle = 0, account = 4, reserved = 52);

/// [`Command::LoginResponse`](super::Command::LoginResponse): an account. Holds the password's hash, so it has no `Debug`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoginResponse {
    /// The request's handle.
    pub handle: u32,
    /// Primary group.
    pub gid: u32,
    /// User id.
    pub uid: u32,
    /// Account name.
    pub account: Text<ACCOUNT_SIZE>,
    /// [`user_flag`](super::user_flag).
    pub status: u16,
    /// Bytes of `hash` that hold the hash, at most [`HASH_SIZE`]: check with [`LoginResponse::nt_hash`].
    pub hash_size: u16,
    /// The NT hash: MD4 of the password in UTF-16LE.
    pub hash: [u8; HASH_SIZE],
    /// Zero.
    pub padding: [u8; 2],
    /// Low half of the second since 1970 at which the session's ticket ends; 0 for never.
    pub expiry_low: u32,
    /// High half of the above.
    pub expiry_high: u32,
    /// Zero.
    pub reserved: [u32; 14],
}
fixed!(
    LoginResponse,
    148,
    handle = 0,
    gid = 4,
    uid = 8,
    account = 12,
    status = 60,
    hash_size = 62,
    hash = 64,
    expiry_low = 84,
    expiry_high = 88,
    reserved = 92,
);

impl LoginResponse {
    /// A response that says only `status` about an account.
    pub fn refusal(handle: u32, status: u16) -> Self {
        LoginResponse {
            handle,
            gid: 0,
            uid: 0,
            account: Text::EMPTY,
            status,
            hash_size: 0,
            hash: [0; HASH_SIZE],
            padding: [0; 2],
            expiry_low: 0,
            expiry_high: 0,
            reserved: [0; 14],
        }
    }

    /// The bytes of the hash.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if `hash_size` exceeds the field.
    pub fn hash_bytes(&self) -> Parsed<&[u8]> {
        self.hash
            .get(..usize::from(self.hash_size))
            .ok_or(Malformed)
    }

    /// The hash, if it has the 16 bytes of an NT hash.
    pub fn nt_hash(&self) -> Option<&[u8; 16]> {
        self.hash_bytes().ok()?.try_into().ok()
    }

    /// When the session's ticket ends, in seconds since 1970; `None` for never.
    pub fn expiry(&self) -> Option<u64> {
        let seconds = (u64::from(self.expiry_high) << 32) | u64::from(self.expiry_low);
        (seconds != 0).then_some(seconds)
    }

    /// Sets when the session's ticket ends, in seconds since 1970.
    pub fn set_expiry(&mut self, seconds: u64) {
        let [a, b, c, d, e, f, g, h] = seconds.to_le_bytes();
        self.expiry_low = u32::from_le_bytes([a, b, c, d]);
        self.expiry_high = u32::from_le_bytes([e, f, g, h]);
    }
}

/// Fixed part of [`LoginResponseExt`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoginResponseExtHead {
    /// The request's handle.
    pub handle: u32,
    /// Number of groups that follow; negative is malformed.
    pub groups: i32,
    /// Zero.
    pub reserved: [u8; 128],
}
fixed!(
    LoginResponseExtHead,
    136,
    handle = 0,
    groups = 4,
    reserved = 8
);

/// [`Command::LoginExtResponse`](super::Command::LoginExtResponse): an account's supplementary groups, when received.
#[derive(Clone, Copy)]
pub struct LoginResponseExt<'a> {
    /// The request's handle.
    pub handle: u32,
    groups: &'a [u8],
}

impl<'a> LoginResponseExt<'a> {
    /// Reads a whole answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the number of groups is negative, above [`MAX_GROUPS`] or not what follows.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: LoginResponseExtHead = reader.get()?;
        let count = usize::try_from(head.groups).map_err(|_| Malformed)?;
        if count > MAX_GROUPS {
            return Err(Malformed);
        }
        let size = count.checked_mul(size_of::<u32>()).ok_or(Malformed)?;
        Ok(LoginResponseExt {
            handle: head.handle,
            groups: reader.take(size)?,
        })
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups.len() / size_of::<u32>()
    }

    /// Whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The group ids.
    pub fn groups(&self) -> impl Iterator<Item = u32> + 'a {
        self.groups
            .chunks_exact(4)
            .filter_map(|id| id.try_into().ok().map(u32::from_ne_bytes))
    }

    /// Writes an answer with `groups`.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or there are more than [`MAX_GROUPS`].
    pub fn write(handle: u32, groups: &[u32], w: &mut Writer<'_>) -> Written {
        if groups.len() > MAX_GROUPS {
            return Err(Full);
        }
        let count = i32::try_from(groups.len()).map_err(|_| Full)?;
        w.put(&LoginResponseExtHead {
            handle,
            groups: count,
            reserved: [0; 128],
        })?;
        groups.iter().try_for_each(|id| w.bytes(&id.to_ne_bytes()))
    }
}

/// [`Command::LogoutRequest`](super::Command::LogoutRequest): a session ended.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LogoutRequest {
    /// Account name.
    pub account: Text<ACCOUNT_SIZE>,
    /// [`user_flag`](super::user_flag) of the account; [`user_flag::BAD_PASSWORD`](super::user_flag::BAD_PASSWORD) reports a
    /// wrong password.
    pub account_flags: u32,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(
    LogoutRequest,
    116,
    account = 0,
    account_flags = 48,
    reserved = 52
);
