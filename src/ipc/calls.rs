// SPDX-License-Identifier: GPL-2.0

//! What the kernel asks of the daemon, one typed function a question.

use kernel::prelude::*;
use smb_proto::ipc::{
    self, rpc_flag, rpc_status, tree_request_flag, user_flag, Command, LoginRequest, LoginResponse,
    LoginResponseExt, LogoutRequest, RpcCommand, RpcHead, ShareConfigRequest, Text,
    TreeConnectRequest, TreeConnectResponse, TreeDisconnectRequest, ACCOUNT_SIZE,
};

use super::link::{Answer, Link, LinkError};
use linux::secret::Secret;

/// Supplementary groups that a user's credentials hold at the most.
const MAX_GROUPS: usize = 4_096;

/// An account as the daemon described it.
pub(crate) struct Account {
    pub(crate) name: Text<ACCOUNT_SIZE>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: KVec<u32>,
    /// [`user_flag`] bits.
    pub(crate) flags: u16,
    /// The NT hash, unless the account has none (guest).
    pub(crate) nt_hash: Option<Secret<16>>,
    /// When a session of this login ends, in seconds since 1970; `None` for never.
    pub(crate) expiry: Option<u64>,
}

impl Account {
    /// Whether the account is the guest account.
    pub(crate) fn is_guest(&self) -> bool {
        self.flags & user_flag::GUEST_ACCOUNT != 0
    }

    /// Whether the account may log in at all.
    pub(crate) fn is_usable(&self) -> bool {
        self.flags & user_flag::OK != 0
    }
}

/// Which RPC pipe a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pipe {
    Srvsvc,
    Wkssvc,
    Samr,
    Lsarpc,
}

impl Pipe {
    /// The pipe that a client names in CREATE, in any case of letters.
    pub(crate) fn by_name(name: &[u8]) -> Option<Pipe> {
        let name = name.strip_prefix(b"\\").unwrap_or(name);
        let is = |pipe: &[u8]| name.eq_ignore_ascii_case(pipe);
        match () {
            () if is(b"srvsvc") => Some(Pipe::Srvsvc),
            () if is(b"wkssvc") => Some(Pipe::Wkssvc),
            () if is(b"samr") => Some(Pipe::Samr),
            () if is(b"lsarpc") => Some(Pipe::Lsarpc),
            () => None,
        }
    }

    fn flag(self) -> u32 {
        match self {
            Pipe::Srvsvc => rpc_flag::SRVSVC,
            Pipe::Wkssvc => rpc_flag::WKSSVC,
            Pipe::Samr => rpc_flag::SAMR,
            Pipe::Lsarpc => rpc_flag::LSARPC,
        }
    }
}

/// What is done to a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RpcAction {
    Open,
    Close,
    Write,
    Read,
    /// Write and read in one (`FSCTL_PIPE_TRANSCEIVE`).
    Transceive,
}

impl RpcAction {
    fn flags(self) -> u32 {
        match self {
            RpcAction::Open => rpc_flag::OPEN,
            RpcAction::Close => rpc_flag::CLOSE,
            RpcAction::Write => rpc_flag::WRITE,
            RpcAction::Read => rpc_flag::READ | rpc_flag::RETURN,
            RpcAction::Transceive => rpc_flag::IOCTL | rpc_flag::RETURN,
        }
    }
}

/// The daemon's answer to an RPC request.
pub(crate) struct RpcAnswer {
    /// [`rpc_status`].
    pub(crate) status: u32,
    bytes: Answer,
}

impl RpcAnswer {
    /// The PDU for the client.
    pub(crate) fn payload(&self) -> &[u8] {
        RpcCommand::parse(&self.bytes)
            .map(|rpc| rpc.payload)
            .unwrap_or(&[])
    }

    /// Whether the daemon did it.
    pub(crate) fn is_ok(&self) -> bool {
        self.status == rpc_status::OK
    }
}

/// Asks who `name` is. The answer may be an account that cannot log in: see [`Account::is_usable`].
pub(crate) fn login(link: &Link, name: &[u8]) -> Result<Account, LinkError> {
    let account = Text::new(name)?;
    let answer = link.ask(Command::LoginRequest, |handle, w| {
        w.put(&login_request(handle, account))
    })?;
    account_as(link, &ipc::read(&answer)?, account)
}

/// The account that the daemon described in `response`, with its groups.
pub(crate) fn account_of(link: &Link, response: &LoginResponse) -> Result<Account, LinkError> {
    account_as(link, response, response.account)
}

fn login_request(handle: u32, account: Text<ACCOUNT_SIZE>) -> LoginRequest {
    LoginRequest {
        handle,
        account,
        reserved: [0; 16],
    }
}

/// The same, whose groups are asked for under the name `asked`.
fn account_as(
    link: &Link,
    response: &LoginResponse,
    asked: Text<ACCOUNT_SIZE>,
) -> Result<Account, LinkError> {
    // It is sent back, to who may read to its end.
    response.account.terminated()?;
    let groups = if response.status & user_flag::EXTENSION != 0 {
        let answer = link.ask(Command::LoginExtRequest, |handle, w| {
            w.put(&login_request(handle, asked))
        })?;
        collect_groups(&answer)?
    } else {
        KVec::new()
    };
    Ok(Account {
        name: response.account,
        uid: response.uid,
        gid: response.gid,
        groups,
        flags: response.status,
        nt_hash: response.nt_hash().map(|hash| Secret::new(*hash)),
        expiry: response.expiry(),
    })
}

fn collect_groups(answer: &[u8]) -> Result<KVec<u32>, LinkError> {
    let mut groups = KVec::new();
    for group in LoginResponseExt::parse(answer)?.groups().take(MAX_GROUPS) {
        groups.push(group, GFP_KERNEL)?;
    }
    Ok(groups)
}

/// Tells the daemon that a login ended, or with `bad_password` that one failed.
pub(crate) fn logout(link: &Link, account: &Account, bad_password: bool) {
    let mut flags = u32::from(account.flags);
    if bad_password {
        flags |= u32::from(user_flag::BAD_PASSWORD);
    }
    let message = LogoutRequest {
        account: account.name,
        account_flags: flags,
        reserved: [0; 16],
    };
    // The daemon only keeps count: a daemon that is gone needs no telling.
    let _ = link.tell(Command::LogoutRequest, |w| w.put(&message));
}

/// Fetches the configuration of the share `name` (case-folded UTF-8); the payload of a
/// [`ipc::ShareConfigResponse`].
pub(crate) fn share_config(link: &Link, name: &[u8]) -> Result<Answer, LinkError> {
    let name = Text::new(name)?;
    link.ask(Command::ShareConfigRequest, |handle, w| {
        w.put(&ShareConfigRequest {
            handle,
            name,
            reserved: [0; 16],
        })
    })
}

/// Who connects to which share.
pub(crate) struct TreeConnect<'a> {
    pub(crate) session_id: u64,
    pub(crate) connect_id: u64,
    pub(crate) account: &'a Account,
    pub(crate) share: &'a [u8],
    /// The client's address in text.
    pub(crate) peer: &'a [u8],
    pub(crate) is_ipv6: bool,
}

/// Asks whether a tree connect is allowed.
pub(crate) fn tree_connect(
    link: &Link,
    who: &TreeConnect<'_>,
) -> Result<TreeConnectResponse, LinkError> {
    let share = Text::new(who.share)?;
    let peer = Text::new(who.peer)?;
    let family = if who.is_ipv6 {
        tree_request_flag::IPV6
    } else {
        0
    };
    let answer = link.ask(Command::TreeConnectRequest, |handle, w| {
        w.put(&TreeConnectRequest {
            handle,
            account_flags: who.account.flags,
            flags: family | tree_request_flag::SMB2,
            session_id: who.session_id,
            connect_id: who.connect_id,
            account: who.account.name,
            share,
            peer,
            reserved: [0; 16],
        })
    })?;
    Ok(ipc::read(&answer)?)
}

/// Tells the daemon that a tree connect ended.
pub(crate) fn tree_disconnect(link: &Link, session_id: u64, connect_id: u64) {
    let message = TreeDisconnectRequest {
        session_id,
        connect_id,
        reserved: [0; 16],
    };
    let _ = link.tell(Command::TreeDisconnectRequest, |w| w.put(&message));
}

/// Tells the daemon that the pipe `handle` is closed. Its answer is not waited for: a session may have many pipes, and a
/// daemon that hangs would hold each for its timeout.
pub(crate) fn rpc_close(link: &Link, handle: u32, pipe: Pipe) {
    let head = RpcHead {
        handle,
        flags: pipe.flag() | RpcAction::Close.flags(),
        payload_size: 0,
    };
    // A daemon that is gone has forgotten the pipe.
    let _ = link.tell(Command::RpcRequest, |w| w.put(&head));
}

/// Does `action` on the pipe that the daemon knows as `handle` (from [`Link::new_handle`]).
pub(crate) fn rpc(
    link: &Link,
    handle: u32,
    pipe: Pipe,
    action: RpcAction,
    is_guest: bool,
    payload: &[u8],
) -> Result<RpcAnswer, LinkError> {
    let mut flags = pipe.flag() | action.flags();
    if is_guest {
        flags |= rpc_flag::RESTRICTED_CONTEXT;
    }
    let payload_size = u32::try_from(payload.len()).map_err(|_| LinkError::NoMemory)?;
    let head = RpcHead {
        handle,
        flags,
        payload_size,
    };
    let bytes = link.ask_as(handle, Command::RpcRequest, |w| w.put(&head), &[payload])?;
    let status = RpcCommand::parse(&bytes)?.flags;
    Ok(RpcAnswer { status, bytes })
}
