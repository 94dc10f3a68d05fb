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

use core::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

pub use command::Command;
pub use flags::{
    daemon_feature, global_flag, rpc_flag, rpc_status, setting, share_flag, tree_flag,
    tree_request_flag, tree_status, user_flag,
};

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
        impl Fixed for $name {}
        const _: () = assert!(size_of::<$name>() == $size);
        $(const _: () = assert!(offset_of!($name, $field) == $offset);)*
    };
}

/// [`Command::Heartbeat`]: the kernel asks whether its daemon is there. That the message could be delivered is the answer.
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
    /// [`daemon_feature`].
    pub features: u32,
}

impl StartupExtension {
    /// Says that the sender knows the extension, large [`SpnegoRequest`]s and their conversations.
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

/// [`Command::StartingUp`]: the global configuration. [`Startup`] adds the interface list. Packed, unlike the rest.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
pub struct StartupRequest {
    /// [`global_flag`].
    pub flags: u32,
    /// Signing: one of [`setting`].
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
    /// [`Malformed`] if the payload does not hold the interface list that it announces.
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

/// [`Command::ShuttingDown`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShutdownRequest {
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(ShutdownRequest, 64, reserved = 0);

/// [`Command::LoginRequest`] and [`Command::LoginExtRequest`]: tell me about an account.
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

/// [`Command::LoginResponse`]: an account. Holds the password's hash, so it has no `Debug`.
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
    /// [`user_flag`].
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

/// [`Command::LoginExtResponse`]: an account's supplementary groups, when received.
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

/// [`Command::ShareConfigRequest`]: tell me about a share.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareConfigRequest {
    /// Matches the answer.
    pub handle: u32,
    /// Name of the share, case-folded.
    pub name: Text<SHARE_NAME_SIZE>,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(ShareConfigRequest, 132, handle = 0, name = 4, reserved = 68);

/// Facts about a share that the original layout has no room for. It lies at the end of the reserved bytes of
/// [`ShareConfigHead`], so a peer that does not know it neither reads it nor sets its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareExtension {
    /// [`ShareExtension::MARK`] if the rest is meant.
    pub mark: u32,
    /// User that owns every access, or [`NO_FORCED_ID_WIDE`].
    pub force_uid: u32,
    /// Group of every access, or [`NO_FORCED_ID_WIDE`].
    pub force_gid: u32,
    /// Zero.
    pub reserved: u32,
}

impl ShareExtension {
    /// Says that the sender knows the extension.
    pub const MARK: u32 = 0x3158_5352;
    /// The sender does not know the extension.
    pub const ABSENT: ShareExtension = ShareExtension {
        mark: 0,
        force_uid: 0,
        force_gid: 0,
        reserved: 0,
    };
}

/// Fixed part of [`ShareConfigResponse`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareConfigHead {
    /// The request's handle.
    pub handle: u32,
    /// [`share_flag`]; zero if there is no such share.
    pub flags: u32,
    /// Permission bits that a created file may have.
    pub create_mask: u16,
    /// Permission bits that a created directory may have.
    pub directory_mask: u16,
    /// Permission bits that a created file always has.
    pub force_create_mode: u16,
    /// Permission bits that a created directory always has.
    pub force_directory_mode: u16,
    /// User of every access, or [`NO_FORCED_ID`]; prefer [`ShareConfigHead::forced_uid`].
    pub force_uid: u16,
    /// Group of every access, or [`NO_FORCED_ID`]; prefer [`ShareConfigHead::forced_gid`].
    pub force_gid: u16,
    /// Name of the share as configured; may be empty.
    pub name: Text<SHARE_NAME_SIZE>,
    /// Zero.
    pub reserved: [u32; 107],
    /// Wider ids, if the sender knows them.
    pub extension: ShareExtension,
    /// Bytes of the payload that follows; some daemons leave it 0.
    pub payload_size: u32,
    /// Bytes of the veto list in the payload, without the NUL after it.
    pub veto_size: u32,
}
fixed!(
    ShareConfigHead,
    536,
    handle = 0,
    flags = 4,
    create_mask = 8,
    directory_mask = 10,
    force_create_mode = 12,
    force_directory_mode = 14,
    force_uid = 16,
    force_gid = 18,
    name = 20,
    reserved = 84,
    extension = 512,
    payload_size = 528,
    veto_size = 532,
);

impl ShareConfigHead {
    /// The answer for a share that does not exist.
    pub fn none(handle: u32) -> Self {
        ShareConfigHead {
            handle,
            flags: 0,
            create_mask: 0,
            directory_mask: 0,
            force_create_mode: 0,
            force_directory_mode: 0,
            force_uid: NO_FORCED_ID,
            force_gid: NO_FORCED_ID,
            name: Text::EMPTY,
            reserved: [0; 107],
            extension: ShareExtension::ABSENT,
            payload_size: 0,
            veto_size: 0,
        }
    }

    /// The user of every access, if one is forced.
    pub fn forced_uid(&self) -> Option<u32> {
        forced(
            self.extension.mark,
            self.extension.force_uid,
            self.force_uid,
        )
    }

    /// The group of every access, if one is forced.
    pub fn forced_gid(&self) -> Option<u32> {
        forced(
            self.extension.mark,
            self.extension.force_gid,
            self.force_gid,
        )
    }
}

fn forced(mark: u32, wide: u32, narrow: u16) -> Option<u32> {
    if mark == ShareExtension::MARK {
        return (wide != NO_FORCED_ID_WIDE).then_some(wide);
    }
    (narrow != NO_FORCED_ID).then_some(u32::from(narrow))
}

/// [`Command::ShareConfigResponse`]: a share's configuration.
///
/// The payload is the veto list (patterns, each ended by a NUL) with one more NUL after it if there is a list, then the path.
#[derive(Clone, Copy)]
pub struct ShareConfigResponse<'a> {
    /// The fixed part.
    pub head: ShareConfigHead,
    veto: &'a [u8],
    path: &'a [u8],
}

impl<'a> ShareConfigResponse<'a> {
    /// Reads a whole answer. A pipe share has neither veto list nor path, whatever its sizes say: some daemons set them wrongly.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a size does not agree with the payload, the name has no end, or a share that is not a pipe has no
    /// path.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: ShareConfigHead = reader.get()?;
        head.name.terminated()?;
        if head.flags == 0 || head.flags & share_flag::PIPE != 0 {
            return Ok(ShareConfigResponse {
                head,
                veto: &[],
                path: &[],
            });
        }
        if head.payload_size != 0 {
            reader = reader.sub(length(head.payload_size)?)?;
        }
        let veto = reader.take(length(head.veto_size)?)?;
        if !veto.is_empty() {
            reader.skip(1)?;
        }
        let path = until_nul(reader.rest());
        if path.is_empty() {
            return Err(Malformed);
        }
        Ok(ShareConfigResponse { head, veto, path })
    }

    /// The patterns of names that are refused and hidden.
    pub fn veto_patterns(&self) -> impl Iterator<Item = &'a [u8]> {
        strings(self.veto)
    }

    /// The share's directory on the server; empty for a pipe share and for a share that does not exist.
    pub fn path(&self) -> &'a [u8] {
        self.path
    }

    /// Writes an answer; the sizes in `head` are set here. `veto` is patterns, each ended by a NUL. A pipe share and the answer
    /// for no share get no payload.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write(head: &ShareConfigHead, veto: &[u8], path: &[u8], w: &mut Writer<'_>) -> Written {
        let mut head = *head;
        if head.flags == 0 || head.flags & share_flag::PIPE != 0 {
            head.payload_size = 0;
            head.veto_size = 0;
            return w.put(&head);
        }
        let separator = usize::from(!veto.is_empty());
        let size = veto
            .len()
            .checked_add(separator)
            .and_then(|size| size.checked_add(path.len()))
            .and_then(|size| size.checked_add(1))
            .ok_or(Full)?;
        head.payload_size = u32::try_from(size).map_err(|_| Full)?;
        head.veto_size = u32::try_from(veto.len()).map_err(|_| Full)?;
        w.put(&head)?;
        w.bytes(veto)?;
        w.zeros(separator)?;
        w.bytes(path)?;
        w.u8(0)
    }
}

/// [`Command::TreeConnectRequest`]: may this session connect to this share?
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeConnectRequest {
    /// Matches the answer.
    pub handle: u32,
    /// [`user_flag`] of the session's account.
    pub account_flags: u16,
    /// [`tree_request_flag`].
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

/// [`Command::TreeConnectResponse`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TreeConnectResponse {
    /// The request's handle.
    pub handle: u32,
    /// [`tree_status`].
    pub status: u16,
    /// [`tree_flag`].
    pub connection_flags: u16,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(
    TreeConnectResponse,
    72,
    handle = 0,
    status = 4,
    connection_flags = 6,
    reserved = 8
);

/// [`Command::TreeDisconnectRequest`].
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

/// [`Command::LogoutRequest`]: a session ended.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LogoutRequest {
    /// Account name.
    pub account: Text<ACCOUNT_SIZE>,
    /// [`user_flag`] of the account; [`user_flag::BAD_PASSWORD`] reports a wrong password.
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

/// Fixed part of [`RpcCommand`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RpcHead {
    /// The pipe's handle, chosen by the kernel; also matches the answer.
    pub handle: u32,
    /// [`rpc_flag`] in a request, [`rpc_status`] in a response.
    pub flags: u32,
    /// Bytes that follow.
    pub payload_size: u32,
}
fixed!(RpcHead, 12, handle = 0, flags = 4, payload_size = 8);

/// [`Command::RpcRequest`] and [`Command::RpcResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcCommand<'a> {
    /// The pipe's handle.
    pub handle: u32,
    /// [`rpc_flag`] in a request, [`rpc_status`] in a response.
    pub flags: u32,
    /// The PDU or the part of one.
    pub payload: &'a [u8],
}

impl<'a> RpcCommand<'a> {
    /// Reads a whole command.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the message does not hold the payload that it announces.
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

/// Fixed part of [`SpnegoRequest`], as C's `sizeof` counts it. The blob begins at [`SpnegoRequestHead::BLOB_OFFSET`], within
/// this structure.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpnegoRequestHead {
    /// Matches the answer.
    pub handle: u32,
    /// Bytes of the blob.
    pub blob_size: u16,
    /// The blob's first bytes, or padding.
    pub blob_start: [u8; 2],
}
fixed!(
    SpnegoRequestHead,
    8,
    handle = 0,
    blob_size = 4,
    blob_start = 6
);

impl SpnegoRequestHead {
    /// Where the blob begins.
    pub const BLOB_OFFSET: usize = 6;
}

/// [`Command::SpnegoRequest`]: authenticate this GSS token (Kerberos).
///
/// A daemon that sent [`StartupExtension::MARK`] is also told which conversation the token belongs to, behind the two bytes
/// that end the original layout. It keeps what a further token needs, and says with [`user_flag::CONTINUE`] that it wants one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpnegoRequest<'a> {
    /// Matches the answer.
    pub handle: u32,
    /// The token from the client's SESSION_SETUP.
    pub blob: &'a [u8],
    /// The authentication that the token is a step of, if it may have several.
    pub conversation: Option<u64>,
}

/// The end of a [`SpnegoRequest`] that belongs to a conversation.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct SpnegoTail {
    /// Zero.
    padding: [u8; 2],
    mark: u32,
    conversation: u64,
}

impl<'a> SpnegoRequest<'a> {
    /// Most bytes of a request without its blob.
    pub const OVERHEAD: usize = 6 + size_of::<SpnegoTail>();

    /// Reads a whole request.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the message does not hold the blob that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let handle = u32::from_ne_bytes(reader.array()?);
        let size = u16::from_ne_bytes(reader.array()?);
        let blob = reader.take(usize::from(size))?;
        let tail: Option<SpnegoTail> = reader.get().ok();
        Ok(SpnegoRequest {
            handle,
            blob,
            conversation: tail
                .filter(|tail| tail.mark == StartupExtension::MARK)
                .map(|tail| tail.conversation),
        })
    }

    /// Writes what stands before the blob.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or the blob has more than 65,535 bytes.
    pub fn write_head(&self, w: &mut Writer<'_>) -> Written {
        let size = u16::try_from(self.blob.len()).map_err(|_| Full)?;
        w.bytes(&self.handle.to_ne_bytes())?;
        w.bytes(&size.to_ne_bytes())
    }

    /// Writes what stands behind the blob.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write_tail(&self, w: &mut Writer<'_>) -> Written {
        match self.conversation {
            None => w.zeros(2),
            Some(conversation) => w.put(&SpnegoTail {
                padding: [0; 2],
                mark: StartupExtension::MARK,
                conversation,
            }),
        }
    }

    /// Writes the request: `8 + blob.len()` bytes, and 12 more in a conversation.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or the blob has more than 65,535 bytes.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_head(w)?;
        w.bytes(self.blob)?;
        self.write_tail(w)
    }
}

/// Fixed part of [`SpnegoResponse`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpnegoResponseHead {
    /// The request's handle.
    pub handle: u32,
    /// The user that the token names; `status` says whether it is good.
    pub login: LoginResponse,
    /// Bytes of the session key.
    pub key_size: u16,
    /// Bytes of the answering token.
    pub blob_size: u16,
}
fixed!(
    SpnegoResponseHead,
    156,
    handle = 0,
    login = 4,
    key_size = 152,
    blob_size = 154
);

/// [`Command::SpnegoResponse`]. Holds the session key, so it has no `Debug`.
#[derive(Clone, Copy)]
pub struct SpnegoResponse<'a> {
    /// The request's handle.
    pub handle: u32,
    /// The user that the token names; `status` says whether it is good.
    pub login: LoginResponse,
    /// The session key.
    pub key: &'a [u8],
    /// The token for the reply to SESSION_SETUP.
    pub blob: &'a [u8],
}

impl<'a> SpnegoResponse<'a> {
    /// Reads a whole answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the message does not hold the key and token that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: SpnegoResponseHead = reader.get()?;
        Ok(SpnegoResponse {
            handle: head.handle,
            login: head.login,
            key: reader.take(usize::from(head.key_size))?,
            blob: reader.take(usize::from(head.blob_size))?,
        })
    }

    /// Writes the answer.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or a part has more than 65,535 bytes.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.put(&SpnegoResponseHead {
            handle: self.handle,
            login: self.login,
            key_size: u16::try_from(self.key.len()).map_err(|_| Full)?,
            blob_size: u16::try_from(self.blob.len()).map_err(|_| Full)?,
        })?;
        w.bytes(self.key)?;
        w.bytes(self.blob)
    }
}

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
