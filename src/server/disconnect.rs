// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/ksmbd-control/disconnect`: an administrator sends a session, a client or a share's users away.
//!
//! What is written is `TICKET session ID`, `TICKET client ADDRESS` or `TICKET share NAME`, where the ticket is a number that the
//! writer makes up. When the write returns it is done, and reading the file gives a line `TICKET COUNT` for each of the last
//! requests: whoever asks finds the line with his ticket, however many ask at a time. Lock order: `Disconnects` is a leaf.

use core::fmt::Write as _;
use core::net::IpAddr;

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::sysfs_class::Text;

use crate::session::Session;

use super::Server;

/// Answers that are kept: a page has room for them, each of two numbers.
const KEPT: usize = 64;

/// The answers to the last requests.
#[pin_data]
pub(crate) struct Disconnects {
    #[pin]
    answers: Mutex<KVec<(u64, u32)>>,
}

impl Disconnects {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Disconnects { answers <- new_mutex!(KVec::new()) })
    }

    /// Writes the answers, oldest first.
    pub(crate) fn show(&self, out: &mut Text<'_>) -> core::fmt::Result {
        let answers = self.answers.lock();
        for (ticket, count) in answers.iter() {
            writeln!(out, "{ticket} {count}")?;
        }
        Ok(())
    }

    fn keep(&self, ticket: u64, count: u32) -> Result {
        let mut answers = self.answers.lock();
        if answers.len() >= KEPT {
            let _ = answers.remove(0);
        }
        answers.push((ticket, count), GFP_KERNEL)?;
        Ok(())
    }
}

/// Who is to go.
enum Whom<'a> {
    Session(u64),
    Client(IpAddr),
    Share(&'a [u8]),
}

impl Server {
    /// Does what `request` says.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no request, `ENOMEM`.
    pub(crate) fn disconnect(self: &Arc<Self>, request: &[u8]) -> Result {
        let (ticket, whom) = parse(request).ok_or(EINVAL)?;
        let count = match whom {
            Whom::Session(id) => self.disconnect_session(id),
            Whom::Client(address) => self.disconnect_client(address),
            Whom::Share(name) => self.disconnect_share(name),
        };
        self.disconnects.keep(ticket, count)
    }

    /// Ends a session; its connections end with their last session. Who asks for the same at the same time finds it gone.
    fn disconnect_session(self: &Arc<Self>, id: u64) -> u32 {
        let Some(session) = self.sessions.get(id) else {
            return 0;
        };
        let connections = session.connection_ids();
        session.end(self);
        for id in connections.into_iter().flatten() {
            if let Some(conn) = self.connections.get(id) {
                if conn.channels.count() == 0 {
                    conn.shut_down();
                }
            }
        }
        1
    }

    /// Ends the connections of an address; their threads end the sessions.
    fn disconnect_client(&self, address: IpAddr) -> u32 {
        let mut count = 0u32;
        let mut at = 0;
        while let Some(conn) = self.connections.after(at) {
            at = conn.id;
            if conn.peer.ip().to_canonical() == address.to_canonical() && !conn.has_ended() {
                conn.shut_down();
                count = count.saturating_add(1);
            }
        }
        count
    }

    /// Ends the tree connects to a share, with what is open there.
    fn disconnect_share(self: &Arc<Self>, name: &[u8]) -> u32 {
        let mut count = 0u32;
        let mut at = 0;
        while let Some(session) = self.sessions.after(at) {
            at = session.id;
            count = count.saturating_add(self.disconnect_trees(&session, name));
        }
        count
    }

    fn disconnect_trees(self: &Arc<Self>, session: &Session, name: &[u8]) -> u32 {
        let mut count = 0u32;
        let mut at = 0;
        while let Some(tree) = session.trees.after(at) {
            at = tree.id;
            // Off the list first: a CREATE that races finds no tree, or its file is closed below. Who takes it off counts it.
            if tree.share.name.bytes().eq_ignore_ascii_case(name)
                && session.trees.disconnect(self, tree.id).is_some()
            {
                session.opens.close_tree(self, tree.id);
                count = count.saturating_add(1);
            }
        }
        count
    }
}

fn parse(request: &[u8]) -> Option<(u64, Whom<'_>)> {
    let text = core::str::from_utf8(request).ok()?;
    let (ticket, rest) = text.split_once(' ')?;
    let (what, whom) = rest.split_once(' ')?;
    let whom = match what {
        "session" => Whom::Session(whom.parse().ok()?),
        "client" => Whom::Client(whom.parse().ok()?),
        "share" if !whom.is_empty() => Whom::Share(whom.as_bytes()),
        _ => return None,
    };
    Some((ticket.parse().ok()?, whom))
}
