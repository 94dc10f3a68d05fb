// SPDX-License-Identifier: GPL-2.0

//! `sessions/sessions` and `trees`: who is logged in, and connected to which share.

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use linux::procfs::{Key, List};
use linux::time;

use crate::files::Tree;
use crate::server::Server;
use crate::session::{Session, SessionState};

use super::place;
use super::text::{yes_no, Escaped};

pub(super) struct Sessions(pub(super) Arc<Server>);

impl List for Sessions {
    type Entry = Arc<Session>;

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Arc<Session>)>> {
        let [id, ..] = place(after);
        let found = self.0.sessions.after(id);
        Ok(found.map(|session| ([session.id, 0, 0], session)))
    }

    fn show(&self, session: &Arc<Session>, out: &SeqFile) -> Result {
        let mut idle = u64::MAX;
        let mut channels = 0u32;
        for id in session.connection_ids().into_iter().flatten() {
            if let Some(conn) = self.0.connections.get(id) {
                seq_print!(out, "client:\t{}\n", conn.peer.as_str());
                seq_print!(out, "connection:\t{}\n", conn.id);
                idle = idle.min(conn.idle_ms());
                channels = channels.saturating_add(1);
            }
        }
        show_user(session, out);
        seq_print!(out, "id:\t{}\n", session.id);
        let state = match session.state() {
            SessionState::InProgress => "progress",
            SessionState::Valid => "valid",
            SessionState::Expired => "expired",
            SessionState::Ended => "ended",
        };
        seq_print!(out, "state:\t{state}\n");
        let dialect = session.dialect.to_wire();
        seq_print!(out, "dialect:\t{dialect:#06x}\n");
        seq_print!(out, "must_sign:\t{}\n", yes_no(session.must_sign()));
        seq_print!(out, "must_encrypt:\t{}\n", yes_no(session.must_encrypt()));
        let age = time::monotonic_ms().saturating_sub(session.since);
        seq_print!(out, "age_seconds:\t{}\n", age / 1_000);
        seq_print!(out, "idle_seconds:\t{}\n", idle.min(age) / 1_000);
        seq_print!(out, "channels:\t{channels}\n");
        seq_print!(out, "tree_connects:\t{}\n", session.trees.count());
        seq_print!(out, "open_files:\t{}\n\n", session.opens.count());
        Ok(())
    }
}

/// Who is logged in, if anybody is yet.
pub(super) fn show_user(session: &Session, out: &SeqFile) {
    let Some(user) = session.user() else {
        return;
    };
    let (name, kind): (&[u8], _) = if user.is_anonymous {
        (b"(Anonymous)", "anonymous")
    } else if user.is_guest {
        (b"(Guest)", "guest")
    } else {
        (user.account.name.bytes(), "user")
    };
    seq_print!(out, "user:\t{}\n", Escaped(name));
    seq_print!(out, "account_type:\t{kind}\n");
    seq_print!(out, "uid:\t{}\n", user.account.uid);
}

pub(super) struct Trees(pub(super) Arc<Server>);

impl List for Trees {
    type Entry = (Arc<Session>, Arc<Tree>);

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Self::Entry)>> {
        let [mut id, tree, _] = place(after);
        let mut behind = u32::try_from(tree)?;
        // The session that the place is in may have more, if it is still there; then come the next ones.
        let mut session = self.0.sessions.get(id);
        loop {
            if let Some(session) = session {
                if let Some(tree) = session.trees.after(behind) {
                    let key = [session.id, u64::from(tree.id), 0];
                    return Ok(Some((key, (session, tree))));
                }
            }
            session = self.0.sessions.after(id);
            let Some(next) = &session else {
                return Ok(None);
            };
            (id, behind) = (next.id, 0);
        }
    }

    fn show(&self, (session, tree): &Self::Entry, out: &SeqFile) -> Result {
        seq_print!(out, "share:\t{}\n", Escaped(tree.share.name.bytes()));
        let kind = if tree.share.is_pipe() { "pipe" } else { "disk" };
        seq_print!(out, "share_type:\t{kind}\n");
        seq_print!(out, "session:\t{}\n", session.id);
        seq_print!(out, "tree_id:\t{}\n", tree.id);
        show_user(session, out);
        seq_print!(out, "writable:\t{}\n", yes_no(tree.is_writable));
        seq_print!(out, "guest:\t{}\n\n", yes_no(tree.is_guest));
        Ok(())
    }
}
