// SPDX-License-Identifier: GPL-2.0

//! Answers to the module's questions about users, shares and tree connects.
//!
//! Each function takes a request as it was read and gives the answer's structure; nothing here does I/O but for asking who is
//! in a group.

use std::net::IpAddr;

use ksmbd_tools::config::{ListedUser, MapToGuest, Share};
use smb_proto::ipc::{
    share_flag, tree_flag, tree_status, user_flag, LoginRequest, LoginResponse, LogoutRequest,
    ShareConfigHead, ShareExtension, Text, TreeConnectRequest, TreeConnectResponse, TreeExtension,
    ACCOUNT_SIZE, NO_FORCED_ID, NO_FORCED_ID_WIDE,
};
use smb_proto::wire::Full;

use crate::state::{Refusal, Settings, State};

/// Ids of a user that the system does not know, as the C daemon sends them. Debian reserves this number, so that it is nobody's.
const NO_ID: u32 = 0xffff;

/// Text that a peer sent, which must be UTF-8 to name anything here.
fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
}

/// Answers a login: who is this account, and what is its password's hash?
pub fn login(state: &State, request: &LoginRequest) -> LoginResponse {
    let settings = state.settings();
    let account = utf8(request.account.bytes());
    let refusal = LoginResponse::refusal(request.handle, user_flag::BAD_USER);
    if !account.is_empty() && settings.users.contains(account) {
        return known_user(state, &settings, account, request.handle).unwrap_or(refusal);
    }
    let Some((guest, name)) = guest_for(&settings, account) else {
        state.note_login(
            &[("user", account), ("reason", "there is no such user")],
            format_args!(
                "login of `{}` refused: there is no such user",
                account.escape_debug()
            ),
        );
        return refusal;
    };
    let Some(ids) = state.accounts().user(guest) else {
        state.note(
            &[
                ("user", account),
                ("reason", "the guest account is not a system user"),
            ],
            format_args!("guest login refused: the guest account `{guest}` is not a system user"),
        );
        return LoginResponse::refusal(request.handle, user_flag::BAD_UID);
    };
    // A guest has no password.
    LoginResponse {
        account: name,
        uid: ids.uid,
        gid: ids.gid,
        ..LoginResponse::refusal(request.handle, user_flag::OK | user_flag::GUEST_ACCOUNT)
    }
}

/// The system user that `account`, which has no password here, is a guest as, and the guest's name; `None` if it is no guest.
fn guest_for<'a>(settings: &'a Settings, account: &str) -> Option<(&'a str, Text<ACCOUNT_SIZE>)> {
    let config = &settings.config;
    let own = || {
        let shares = config.shares().filter(|share| share.guest_ok);
        let mut accounts = shares.filter_map(|share| share.guest_account.as_deref());
        let own = accounts.find(|own| !account.is_empty() && *own == account)?;
        Some((own, Text::new(own.as_bytes()).ok()?))
    };
    let global = &config.global;
    let is_global = account.is_empty()
        || account == global.guest_account
        || global.map_to_guest == MapToGuest::BadUser;
    own().or_else(|| is_global.then_some((global.guest_account.as_str(), Text::EMPTY)))
}

fn known_user(
    state: &State,
    settings: &Settings,
    account: &str,
    handle: u32,
) -> Result<LoginResponse, Full> {
    let hash = settings.users.get(account).ok_or(Full)?;
    let Some(ids) = state.accounts().user(account) else {
        state.note(&[("user", account), ("reason", "not a system user")], format_args!("login of `{account}`: not a system user; files can only be reached where a user is forced"));
        let mut response = with_hash(handle, account, hash.bytes())?;
        (response.uid, response.gid) = (NO_ID, NO_ID);
        return Ok(response);
    };
    let mut response = with_hash(handle, account, hash.bytes())?;
    (response.uid, response.gid) = (ids.uid, ids.gid);
    if !state.accounts().groups_of(account, ids.gid).is_empty() {
        response.status |= user_flag::EXTENSION;
    }
    if state.is_delayed(account) {
        response.status |= user_flag::DELAY_SESSION;
    }
    Ok(response)
}

fn with_hash(handle: u32, account: &str, hash: &[u8; 16]) -> Result<LoginResponse, Full> {
    let mut response = LoginResponse::refusal(handle, user_flag::OK);
    response.account = Text::new(account.as_bytes())?;
    for (to, from) in response.hash.iter_mut().zip(hash) {
        *to = *from;
    }
    response.hash_size = 16;
    Ok(response)
}

/// Answers a question about an account's supplementary groups.
pub fn groups(state: &State, request: &LoginRequest) -> Vec<u32> {
    let account = utf8(request.account.bytes());
    if account.is_empty() || !state.settings().users.contains(account) {
        return Vec::new();
    }
    let Some(ids) = state.accounts().user(account) else {
        return Vec::new();
    };
    state.accounts().groups_of(account, ids.gid)
}

/// Takes note of the end of a session.
pub fn logout(state: &State, request: &LogoutRequest) {
    let account = utf8(request.account.bytes());
    let bad_password = request.account_flags & u32::from(user_flag::BAD_PASSWORD) != 0;
    if !state.settings().users.contains(account) {
        return;
    }
    if bad_password {
        state.note_login(
            &[("user", account), ("reason", "wrong password")],
            format_args!("login of `{account}` refused: wrong password"),
        );
        state.login_failed(account);
    } else {
        state.login_succeeded(account);
    }
}

/// The answer about a share: the fixed part, the veto list and the path.
pub struct ShareAnswer {
    /// The fixed part; its flags are zero if there is no such share.
    pub head: ShareConfigHead,
    /// Patterns, each with a NUL.
    pub veto: Vec<u8>,
    /// Directory on the server.
    pub path: Vec<u8>,
}

/// Answers a question about a share.
pub fn share(state: &State, name: &[u8], handle: u32) -> ShareAnswer {
    let none = ShareAnswer {
        head: ShareConfigHead::none(handle),
        veto: Vec::new(),
        path: Vec::new(),
    };
    let settings = state.settings();
    let Some(share) = std::str::from_utf8(name)
        .ok()
        .and_then(|name| settings.config.share(name))
    else {
        return none;
    };
    let Ok(name) = Text::new(share.name.as_bytes()) else {
        return none;
    };
    state.is_fetched(&share.name);
    // Both forms: the narrow one for a module that knows no other.
    let narrow = |id: Option<u32>| {
        id.and_then(|id| u16::try_from(id).ok())
            .unwrap_or(NO_FORCED_ID)
    };
    let mut head = ShareConfigHead {
        flags: share_flags(share),
        create_mask: share.create_mask,
        directory_mask: share.directory_mask,
        force_create_mode: share.force_create_mode,
        force_directory_mode: share.force_directory_mode,
        force_uid: narrow(share.force_uid),
        force_gid: narrow(share.force_gid),
        name,
        ..none.head
    };
    head.extension = ShareExtension {
        mark: ShareExtension::MARK,
        force_uid: share.force_uid.unwrap_or(NO_FORCED_ID_WIDE),
        force_gid: share.force_gid.unwrap_or(NO_FORCED_ID_WIDE),
        reserved: 0,
    };
    let veto = share
        .veto_files
        .iter()
        .flat_map(|name| name.bytes().chain([0]))
        .collect();
    ShareAnswer {
        head,
        veto,
        path: share.path.clone().into_bytes(),
    }
}

fn share_flags(share: &Share) -> u32 {
    let bits = [
        (true, share_flag::AVAILABLE),
        (share.browseable, share_flag::BROWSEABLE),
        (share.writable, share_flag::WRITEABLE),
        (!share.writable, share_flag::READONLY),
        (share.guest_ok, share_flag::GUEST_OK),
        (share.guest_only, share_flag::GUEST_ONLY),
        (share.store_dos_attributes, share_flag::STORE_DOS_ATTRIBUTES),
        (share.oplocks, share_flag::OPLOCKS),
        (share.is_pipe, share_flag::PIPE),
        (share.hide_dot_files, share_flag::HIDE_DOT_FILES),
        (share.inherit_owner, share_flag::INHERIT_OWNER),
        (share.streams, share_flag::STREAMS),
        (share.follow_symlinks, share_flag::FOLLOW_SYMLINKS),
        (share.acl_xattr, share_flag::ACL_XATTR),
        (share.cross_mount, share_flag::CROSS_MOUNT),
        (
            share.continuous_availability,
            share_flag::CONTINUOUS_AVAILABILITY,
        ),
        (share.hide_unreadable, share_flag::HIDE_UNREADABLE),
        (share.time_machine, share_flag::TIME_MACHINE),
        (share.encrypt, share_flag::ENCRYPT_DATA),
    ];
    bits.iter()
        .filter(|(on, _)| *on)
        .fold(0, |flags, (_, bit)| flags | bit)
}

/// Answers a tree connect, and takes it in if it is allowed.
pub fn tree_connect(state: &State, request: &TreeConnectRequest) -> TreeConnectResponse {
    let account = utf8(request.account.bytes());
    let share = utf8(request.share.bytes());
    let (status, connection_flags, extension) = match try_connect(state, request) {
        Ok(rights) => (tree_status::OK, rights.flags, rights.acting_as),
        Err((status, reason)) => {
            let facts = [
                ("user", account),
                ("client", utf8(request.peer.bytes())),
                ("share", share),
                ("reason", reason),
            ];
            state.note(
                &facts,
                format_args!(
                    "`{}` at {} refused on [{}]: {reason}",
                    account.escape_debug(),
                    utf8(request.peer.bytes()).escape_debug(),
                    share.escape_debug()
                ),
            );
            (status, 0, TreeExtension::ABSENT)
        }
    };
    TreeConnectResponse {
        handle: request.handle,
        status,
        connection_flags,
        reserved: [0; 12],
        extension,
    }
}

/// What somebody may do on a share.
struct Rights {
    /// [`tree_flag`] bits.
    flags: u16,
    acting_as: TreeExtension,
}

impl From<u16> for Rights {
    fn from(flags: u16) -> Self {
        Rights {
            flags,
            acting_as: TreeExtension::ABSENT,
        }
    }
}

/// A refusal: the status for the module, and the reason for the administrator.
type Refused = (u16, &'static str);

fn try_connect(state: &State, request: &TreeConnectRequest) -> Result<Rights, Refused> {
    let settings = state.settings();
    let name = std::str::from_utf8(request.share.bytes()).unwrap_or_default();
    let share = settings
        .config
        .share(name)
        .ok_or((tree_status::NO_SHARE, "there is no such share"))?;
    check_address(share, request.peer.bytes())?;
    let is_guest = request.account_flags & user_flag::GUEST_ACCOUNT != 0;
    let mut allowed = if is_guest {
        guest_rights(state, &settings, share)?
    } else {
        user_rights(state, &settings, share, request)?
    };
    if state.has_changed(name) {
        allowed.flags |= tree_flag::UPDATE;
    }
    state
        .connect(&settings, share, (request.session_id, request.connect_id))
        .map_err(|refusal| match refusal {
            Refusal::Sessions => (tree_status::TOO_MANY_SESSIONS, "too many sessions"),
            Refusal::Connections => (
                tree_status::TOO_MANY_CONNECTIONS,
                "too many connections to the share",
            ),
        })?;
    Ok(allowed)
}

fn check_address(share: &Share, peer: &[u8]) -> Result<(), Refused> {
    if share.hosts_allow.is_none() && share.hosts_deny.is_none() {
        return Ok(());
    }
    // An address that cannot be read is on no list: it is refused rather than let in.
    let address = parse_address(utf8(peer))
        .ok_or((tree_status::HOST_DENIED, "the address cannot be read"))?;
    if share.admits(address) {
        Ok(())
    } else {
        Err((
            tree_status::HOST_DENIED,
            "the address is not allowed by `hosts allow` and `hosts deny`",
        ))
    }
}

/// An address as the kernel prints it: perhaps in brackets, with a port or with a scope.
fn parse_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip());
    }
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.split(']').next())
        .unwrap_or(text);
    inside.split('%').next()?.parse().ok()
}

fn rights(writable: bool) -> u16 {
    if writable {
        tree_flag::WRITABLE
    } else {
        tree_flag::READ_ONLY
    }
}

fn guest_rights(state: &State, settings: &Settings, share: &Share) -> Result<Rights, Refused> {
    if share.is_pipe {
        return if settings.config.global.restrict_anonymous > 0 {
            Err((
                tree_status::ERROR,
                "`restrict anonymous` keeps guests from IPC$",
            ))
        } else {
            Ok(Rights::from(
                tree_flag::GUEST_ACCOUNT | rights(share.writable),
            ))
        };
    }
    if !share.guest_ok {
        return Err((
            tree_status::INVALID_USER,
            "guests are not allowed (`guest ok`)",
        ));
    }
    as_guest(state, settings, share)
}

/// The rights of the share's guests, who act there as its guest account, whatever name they gave.
fn as_guest(state: &State, settings: &Settings, share: &Share) -> Result<Rights, Refused> {
    let global = &settings.config.global.guest_account;
    let account = share.guest_account.as_ref().unwrap_or(global);
    let ids = state.accounts().user(account).ok_or((
        tree_status::INVALID_USER,
        "the guest account is not a system user",
    ))?;
    Ok(Rights {
        flags: tree_flag::GUEST_ACCOUNT | rights(share.writable),
        acting_as: TreeExtension::acting_as(ids.uid, ids.gid),
    })
}

fn user_rights(
    state: &State,
    settings: &Settings,
    share: &Share,
    request: &TreeConnectRequest,
) -> Result<Rights, Refused> {
    let account = std::str::from_utf8(request.account.bytes()).unwrap_or_default();
    if !settings.users.contains(account) {
        return Err((tree_status::NO_USER, "there is no such user any more"));
    }
    if share.guest_only && !share.is_pipe {
        return if share.guest_ok {
            as_guest(state, settings, share)
        } else {
            Err((
                tree_status::INVALID_USER,
                "only guests are allowed, but `guest ok` is not set",
            ))
        };
    }
    let listed = |list: &[ListedUser]| {
        list.iter()
            .any(|entry| entry.matches(account, state.accounts()))
    };
    if listed(&share.invalid_users) {
        return Err((tree_status::INVALID_USER, "the user is in `invalid users`"));
    }
    if !share.valid_users.is_empty() && !listed(&share.valid_users) {
        return Err((
            tree_status::INVALID_USER,
            "the user is not in `valid users`",
        ));
    }
    let writable = !listed(&share.read_list) && (share.writable || listed(&share.write_list));
    let admin = if listed(&share.admin_users) {
        tree_flag::ADMIN_ACCOUNT
    } else {
        0
    };
    Ok(Rights::from(rights(writable) | admin))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
pub(crate) mod tests;
