// SPDX-License-Identifier: GPL-2.0

//! Which command needs what, and the checks that follow from it: session, signature, encryption, tree connect.
//! [MS-SMB2] 3.3.5.2.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_proto::header::{Command, HeaderFlags};
use smb_proto::status::NtStatus;

use crate::files::Tree;
use crate::session::{Channel, Session};

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::*;

/// A command's handler, with what it may rely on.
enum Handler {
    /// Nothing: not even a negotiated dialect.
    Bare(fn(&mut Context<'_>, &mut Reply) -> Handled),
    /// A negotiated connection.
    Connection(fn(&mut Context<'_>, &mut Reply) -> Handled),
    /// A valid session, under which the request was verified.
    Session(fn(&mut Context<'_>, &Arc<Session>, &mut Reply) -> Handled),
    /// A session and one of its tree connects.
    Tree(fn(&mut Context<'_>, &Arc<Session>, &Arc<Tree>, &mut Reply) -> Handled),
}

fn handler(command: Command) -> Handler {
    match command {
        Command::Negotiate => Handler::Bare(negotiate::serve),
        Command::SessionSetup => Handler::Connection(session_setup::serve),
        Command::Cancel => Handler::Connection(cancel::serve),
        Command::Echo => Handler::Connection(echo::serve),
        Command::Logoff => Handler::Session(logoff::serve),
        Command::TreeConnect => Handler::Session(tree_connect::serve),
        Command::TreeDisconnect => Handler::Tree(tree_disconnect::serve),
        Command::Create => Handler::Tree(create::serve),
        Command::Close => Handler::Tree(close::serve),
        Command::Flush => Handler::Tree(flush::serve),
        Command::Read => Handler::Tree(read::serve),
        Command::Write => Handler::Tree(write::serve),
        Command::Lock => Handler::Tree(lock::serve),
        Command::Ioctl => Handler::Tree(ioctl::serve),
        Command::QueryDirectory => Handler::Tree(query_directory::serve),
        Command::ChangeNotify => Handler::Tree(change_notify::serve),
        Command::QueryInfo => Handler::Tree(query_info::serve),
        Command::SetInfo => Handler::Tree(set_info::serve),
        Command::OplockBreak => Handler::Tree(oplock_break::serve),
    }
}

/// Serves one request.
pub(crate) fn serve(
    cx: &mut Context<'_>,
    sealed_by: Option<&Arc<Channel>>,
    reply: &mut Reply,
) -> Handled {
    let Ok(command) = cx.header.command() else {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    };
    let handler = handler(command);
    if let Handler::Bare(run) = handler {
        return run(cx, reply);
    }
    if cx.conn.negotiated().is_none() {
        return Err(Stop::Disconnect);
    }
    debug!(
        cx.server(),
        Smb,
        "{}: {:?} {}\n",
        cx.conn.peer,
        command,
        cx.header.message_id()
    );
    let follows_valid = core::mem::replace(&mut cx.related.is_valid, false);
    if cx.is_related()
        && !follows_valid
        && matches!(handler, Handler::Session(_) | Handler::Tree(_))
    {
        // There is nothing that it could be related to, [MS-SMB2] 3.3.5.2.7.2.
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    match handler {
        Handler::Bare(run) | Handler::Connection(run) => run(cx, reply),
        Handler::Session(run) => {
            let session = session_of(cx, sealed_by)?;
            cx.related.is_valid = true;
            run(cx, &session, reply)
        }
        Handler::Tree(run) => {
            let session = session_of(cx, sealed_by)?;
            let tree = tree_of(cx, &session)?;
            cx.related.is_valid = true;
            run(cx, &session, &tree, reply)
        }
    }
}

/// The session of the request, [MS-SMB2] 3.3.5.2.9, once its signature is verified, 3.3.5.2.4.
fn session_of(
    cx: &mut Context<'_>,
    sealed_by: Option<&Arc<Channel>>,
) -> Result<Arc<Session>, Stop> {
    let inherited = cx.is_related() && cx.header.session_id() == u64::MAX;
    let id = if inherited {
        cx.related.session_id
    } else {
        cx.header.session_id()
    };
    cx.related.session_id = id;
    cx.reply_session_id = id;
    let channel = match cx.conn.channels.get(id) {
        Some(channel) if !channel.is_binding() => channel,
        _ => return Err(cx.no_such_session(id)),
    };
    let session = channel.session.clone();
    if let Some(sealer) = sealed_by {
        // A compound may not leave the session that it was sealed for.
        if sealer.session.id != id {
            return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
        }
    } else if cx.header.has(HeaderFlags::SIGNED) {
        if !channel.verify(cx.pdu) {
            debug!(cx.server(), Auth, "{}: wrong signature\n", cx.conn.peer);
            return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
        }
    } else if session.must_sign() {
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    cx.channel = Some(channel);
    match session.check_usable() {
        Err(NtStatus::NETWORK_SESSION_EXPIRED) if is_served_expired(cx) => {}
        usable => usable?,
    }
    if session.must_encrypt() && !cx.is_sealed() {
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    Ok(session)
}

/// Whether an expired session may still do this: give back what it holds, [MS-SMB2] 3.3.5.2.9.
fn is_served_expired(cx: &Context<'_>) -> bool {
    matches!(
        cx.header.command(),
        Ok(Command::Logoff | Command::Close | Command::Lock)
    )
}

/// The tree connect of the request, [MS-SMB2] 3.3.5.2.11.
fn tree_of(cx: &mut Context<'_>, session: &Session) -> Result<Arc<Tree>, Stop> {
    let named = cx.header.tree_id();
    let id = match named {
        Some(id) if !(cx.is_related() && id == u32::MAX) => id,
        // Related, or asynchronous by header: the tree of the request before.
        _ => cx.related.tree_id,
    };
    cx.related.tree_id = id;
    cx.reply_tree_id = Some(id);
    let tree = session
        .trees
        .get(id)
        .ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    if tree.share.must_encrypt() && !cx.is_sealed() {
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    Ok(tree)
}
