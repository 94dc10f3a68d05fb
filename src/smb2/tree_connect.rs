// SPDX-License-Identifier: GPL-2.0

//! TREE_CONNECT, [MS-SMB2] 3.3.5.7.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::cred::UserCred;
use smb_model::access::Mask;
use smb_model::negotiate::Dialect;
use smb_proto::header::HeaderFlags;
use smb_proto::ipc::{tree_flag, tree_status, SHARE_NAME_SIZE};
use smb_proto::security::AccessMask;
use smb_proto::status::NtStatus;
use smb_proto::tree_connect::{Reply as Answer, Request, ShareCapabilities, ShareFlags, ShareType};
use smb_proto::unicode::Utf16;
use smb_proto::wire::Writer;

use crate::files::share::NoShare;
use crate::files::tree::TreeParts;
use crate::files::{Share, Tree};
use crate::ipc::calls::{self, TreeConnect};
use crate::server::Server;
use crate::session::{Session, User};

use super::context::{Context, Handled, Stop};
use super::reply::Reply;

/// Longest path in bytes of UTF-8: a server name of 255 characters and a share name of 80.
const MAX_PATH: usize = 1_024;

/// Connects the session to a share.
pub(super) fn serve(cx: &mut Context<'_>, session: &Arc<Session>, reply: &mut Reply) -> Handled {
    let request = Request::parse(cx.pdu)?;
    check_protection(cx)?;
    let mut buffer = [0u8; MAX_PATH];
    let name = share_name(&request.path, &mut buffer)?;
    let user = session.user().ok_or(NtStatus::USER_SESSION_DELETED)?;
    let parts = authorise(cx, session, &user, name)?;
    let connect_id = parts.connect_id;
    let tree = Tree::new(parts).inspect_err(|_| {
        calls::tree_disconnect(&cx.server().link, session.id, connect_id);
    })?;
    if session.trees.insert(&tree).is_err() {
        calls::tree_disconnect(&cx.server().link, session.id, tree.connect_id);
        return Err(Stop::Failed(NtStatus::INSUFFICIENT_RESOURCES));
    }
    cx.reply_tree_id = Some(tree.id);
    cx.related.tree_id = tree.id;
    let dialect = cx.negotiated()?.dialect;
    reply.body(16, |w| answer(&tree, dialect).write(w))?;
    Ok(NtStatus::SUCCESS)
}

/// From 3.1.1 on, the first request of a session that has keys must be protected: it confirms the negotiation,
/// [MS-SMB2] 3.3.5.7.
fn check_protection(cx: &Context<'_>) -> Result<(), Stop> {
    let has_keys = cx
        .channel
        .as_ref()
        .is_some_and(|channel| channel.can_sign());
    let is_protected = cx.is_sealed() || cx.header.has(HeaderFlags::SIGNED);
    if cx.negotiated()?.dialect == Dialect::V3_1_1 && has_keys && !is_protected {
        return Err(Stop::Disconnect);
    }
    Ok(())
}

impl From<Error> for Stop {
    fn from(_: Error) -> Self {
        Stop::Failed(NtStatus::INSUFFICIENT_RESOURCES)
    }
}

/// The last component of `\\server\share`, case-folded.
fn share_name<'a>(path: &Utf16<'_>, buffer: &'a mut [u8]) -> Result<&'a [u8], Stop> {
    let mut writer = Writer::new(buffer);
    path.to_utf8(&mut writer)
        .map_err(|_| NtStatus::BAD_NETWORK_NAME)?;
    let len = writer.len();
    let path = buffer.get_mut(..len).ok_or(NtStatus::BAD_NETWORK_NAME)?;
    path.make_ascii_lowercase();
    let start = path
        .iter()
        .rposition(|byte| *byte == b'\\')
        .map_or(0, |at| at.saturating_add(1));
    let name = path.get(start..).unwrap_or(&[]);
    if name.is_empty() || name.len() >= SHARE_NAME_SIZE {
        return Err(Stop::Failed(NtStatus::BAD_NETWORK_NAME));
    }
    Ok(name)
}

/// Asks the daemon whether `user` may connect to the share `name`.
fn authorise(
    cx: &Context<'_>,
    session: &Session,
    user: &Arc<User>,
    name: &[u8],
) -> Result<TreeParts, Stop> {
    let server = cx.server();
    let share = server
        .shares
        .get(server, name)
        .map_err(|error| refusal(cx, user, name, error))?;
    if user.is_anonymous && !share.is_pipe() && !share.allows_guests() {
        tell(cx, user, name, "guests are not allowed (`guest ok`)");
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    if share.must_encrypt() && !cx.is_sealed() && session.sealing().is_none() {
        tell(
            cx,
            user,
            name,
            "the client cannot encrypt, which `smb3 encryption` demands",
        );
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    let connect_id = server.new_connect_id();
    let question = TreeConnect {
        session_id: session.id,
        connect_id,
        account: &user.account,
        share: name,
        peer: cx.conn.peer.as_str().as_bytes(),
        is_ipv6: cx.conn.peer.ip().is_ipv6(),
    };
    let answer = calls::tree_connect(&server.link, &question)
        .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    if answer.status != tree_status::OK {
        debug!(
            server,
            Auth, "{}: tree connect refused, {}\n", cx.conn.peer, answer.status
        );
        return Err(Stop::Failed(status_of(answer.status)));
    }
    let counted = Counted {
        server,
        session_id: session.id,
        connect_id,
    };
    let share = if answer.connection_flags & tree_flag::UPDATE != 0 {
        server.shares.forget(name);
        server
            .shares
            .get(server, name)
            .map_err(|error| refusal(cx, user, name, error))?
    } else {
        share
    };
    let writable = answer.connection_flags & tree_flag::WRITABLE != 0
        && answer.connection_flags & tree_flag::READ_ONLY == 0;
    let parts = TreeParts {
        id: session.trees.new_id()?,
        session_id: session.id,
        connect_id,
        cred: if answer.connection_flags & tree_flag::ADMIN_ACCOUNT != 0 {
            admin_cred(user)?
        } else {
            cred_for(&share, user, answer.extension.ids())?
        },
        user: user.clone(),
        is_writable: writable || share.is_pipe(),
        is_guest: answer.connection_flags & tree_flag::GUEST_ACCOUNT != 0,
        share,
    };
    counted.keep();
    Ok(parts)
}

/// A tree connect that the daemon counts; it is told of its end unless [`Self::keep`] is called.
struct Counted<'a> {
    server: &'a Server,
    session_id: u64,
    connect_id: u64,
}

impl Counted<'_> {
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        calls::tree_disconnect(&self.server.link, self.session_id, self.connect_id);
    }
}

/// Root's credentials, for `admin users`, whatever ids the share forces. Files that they make are of the user's group.
fn admin_cred(user: &User) -> Result<Arc<UserCred>, Stop> {
    let cred = UserCred::new(0, user.account.gid, &user.account.groups)?;
    Ok(Arc::new(cred, GFP_KERNEL)?)
}

/// The user's credentials, with the ids that the share forces. One who is a guest there acts with the ids of its guest account,
/// and with no groups of his own.
fn cred_for(share: &Share, user: &User, guest: Option<(u32, u32)>) -> Result<Arc<UserCred>, Stop> {
    if share.force_uid.is_none() && share.force_gid.is_none() && guest.is_none() {
        return Ok(user.cred.clone());
    }
    let (uid, gid) = guest.unwrap_or((user.account.uid, user.account.gid));
    let groups: &[u32] = if guest.is_some() {
        &[]
    } else {
        &user.account.groups
    };
    let cred = UserCred::new(
        share.force_uid.unwrap_or(uid),
        share.force_gid.unwrap_or(gid),
        groups,
    )?;
    Ok(Arc::new(cred, GFP_KERNEL)?)
}

/// Tells the administrator who may not connect, and why.
fn tell(cx: &Context<'_>, user: &User, name: &[u8], why: &str) {
    let account = user.account.name.bytes();
    cx.server()
        .refusals
        .share(&cx.conn.peer, account, name, why);
}

fn refusal(cx: &Context<'_>, user: &User, name: &[u8], error: NoShare) -> Stop {
    if error == NoShare::BadPath {
        tell(cx, user, name, "its folder cannot be opened (`path`)");
    }
    debug!(
        cx.server(),
        Smb,
        "share {:?}: {:?}\n",
        core::str::from_utf8(name),
        error
    );
    Stop::Failed(match error {
        NoShare::Unknown | NoShare::BadPath => NtStatus::BAD_NETWORK_NAME,
        NoShare::Unavailable => NtStatus::INSUFFICIENT_RESOURCES,
    })
}

fn status_of(status: u16) -> NtStatus {
    match status {
        tree_status::NO_SHARE => NtStatus::BAD_NETWORK_NAME,
        tree_status::NO_USER | tree_status::INVALID_USER | tree_status::HOST_DENIED => {
            NtStatus::ACCESS_DENIED
        }
        tree_status::TOO_MANY_CONNECTIONS => NtStatus::REQUEST_NOT_ACCEPTED,
        tree_status::TOO_MANY_SESSIONS => NtStatus::TOO_MANY_SESSIONS,
        tree_status::NO_MEMORY => NtStatus::INSUFFICIENT_RESOURCES,
        _ => NtStatus::ACCESS_DENIED,
    }
}

fn answer(tree: &Tree, dialect: Dialect) -> Answer {
    let share = &tree.share;
    if share.is_pipe() {
        // What Windows grants on IPC$: everything that a pipe knows.
        return Answer {
            share_type: ShareType::PIPE,
            flags: ShareFlags::NO_CACHING,
            capabilities: ShareCapabilities::default(),
            maximal_access: AccessMask::from_bits(Mask::ALL_FILE.0),
        };
    }
    let mut flags = ShareFlags::default();
    if share.must_encrypt() {
        flags |= ShareFlags::ENCRYPT_DATA;
    }
    if share.hides_unreadable() {
        flags |= ShareFlags::ACCESS_BASED_DIRECTORY_ENUM;
    }
    let mut capabilities = ShareCapabilities::default();
    if share.is_continuously_available() && dialect >= Dialect::V3_0 {
        capabilities |= ShareCapabilities::CONTINUOUS_AVAILABILITY;
    }
    Answer {
        share_type: ShareType::DISK,
        flags,
        capabilities,
        maximal_access: AccessMask::from_bits(tree.maximal_access.0),
    }
}
