// SPDX-License-Identifier: GPL-2.0

//! What the server must hold, as its own answers tell it: sessions, the connections that carry them, tree connects and open files.

use std::collections::{HashMap, HashSet};

use anyhow::{ensure, Result};
use smb_proto::header::FileId;

use crate::counts::Counts;

/// What an answer of success to a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that is counted.
    Nothing,
    /// A file is open, by this tree connect; its id goes to this slot.
    Opened { tree: u32, slot: usize },
    /// This file is closed.
    Closed(FileId),
    /// What the compound's first request opened is closed.
    ClosedOwn,
    /// The share is connected to once more.
    Connected,
    /// This tree connect has ended.
    Disconnected { tree: u32 },
    /// The session has ended.
    LoggedOff,
    /// A renewal of the session goes on; an error may have ended the session.
    Renewed,
}

/// A session.
#[derive(Debug, Default)]
struct Session {
    /// Connections that carry it.
    channels: u64,
    has_ended: bool,
    /// A connection went with requests that were not answered: what came of them is not known.
    is_vague: bool,
    trees: HashSet<u32>,
    /// Those that have ended, too.
    all_trees: HashSet<u32>,
    /// Open files, each with its tree connect.
    opens: HashMap<(u64, u64), u32>,
    /// Those that were closed, too.
    all_opens: HashSet<(u64, u64)>,
}

fn key(id: FileId) -> (u64, u64) {
    (id.persistent, id.volatile)
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Model {
    sessions: Vec<Session>,
    connections: u64,
}

impl Model {
    /// A connection with a session of its own and one tree connect; the session's number.
    pub(super) fn connected(&mut self, tree: u32) -> usize {
        self.connections += 1;
        self.sessions.push(Session {
            channels: 1,
            trees: HashSet::from([tree]),
            all_trees: HashSet::from([tree]),
            ..Session::default()
        });
        self.sessions.len() - 1
    }

    /// A further connection of a session.
    pub(super) fn bound(&mut self, session: usize) {
        self.connections += 1;
        self.sessions[session].channels += 1;
    }

    /// A connection of a session is gone, with requests that were `unanswered` or without.
    pub(super) fn gone(&mut self, session: usize, unanswered: bool) {
        self.connections -= 1;
        let session = &mut self.sessions[session];
        session.channels -= 1;
        session.is_vague |= unanswered;
        if session.channels == 0 {
            session.end();
        }
    }

    /// Whether a session has ended.
    pub(super) fn has_ended(&self, session: usize) -> bool {
        self.sessions[session].has_ended
    }

    /// Whether it is not known what a session holds.
    pub(super) fn is_vague(&self, session: usize) -> bool {
        self.sessions[session].is_vague
    }

    /// A session turned out to have ended.
    pub(super) fn ended(&mut self, session: usize) {
        self.sessions[session].end();
    }

    /// A tree connect was answered with this id.
    pub(super) fn tree_connected(&mut self, session: usize, tree: u32) {
        let session = &mut self.sessions[session];
        session.all_trees.insert(tree);
        if !session.has_ended {
            session.trees.insert(tree);
        }
    }

    /// A tree connect has ended, and what it had open is closed.
    ///
    /// # Errors
    ///
    /// If there never was one.
    pub(super) fn tree_disconnected(&mut self, session: usize, tree: u32) -> Result<()> {
        let session = &mut self.sessions[session];
        ensure!(
            session.all_trees.contains(&tree),
            "the tree connect {tree} ended, and never was"
        );
        session.trees.remove(&tree);
        session.opens.retain(|_, of| *of != tree);
        Ok(())
    }

    /// A file was opened. Answers on two connections need not be seen in the order of what they answer: if its tree connect has
    /// ended, the file was closed with it.
    ///
    /// # Errors
    ///
    /// If the tree connect never was.
    pub(super) fn opened(&mut self, session: usize, tree: u32, id: FileId) -> Result<()> {
        let session = &mut self.sessions[session];
        ensure!(
            session.all_trees.contains(&tree),
            "a file was opened by the tree connect {tree}, which never was"
        );
        ensure!(
            session.all_opens.insert(key(id)),
            "two files have the id {id:?}"
        );
        if !session.has_ended && session.trees.contains(&tree) {
            session.opens.insert(key(id), tree);
        }
        Ok(())
    }

    /// A file was closed. Whether it was open may be known only when the answer on the other connection is looked at.
    pub(super) fn closed(&mut self, session: usize, id: FileId) {
        let session = &mut self.sessions[session];
        session.all_opens.insert(key(id));
        session.opens.remove(&key(id));
    }

    /// Whether a session ever had this file.
    pub(super) fn has_had(&self, session: usize, id: FileId) -> bool {
        self.sessions[session].all_opens.contains(&key(id))
    }

    /// What the server must hold.
    pub(super) fn counts(&self) -> Counts {
        let alive = || self.sessions.iter().filter(|session| !session.has_ended);
        let len = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Counts {
            connections: self.connections,
            sessions: len(alive().count()),
            opens: len(alive().map(|session| session.opens.len()).sum()),
        }
    }
}

impl Session {
    fn end(&mut self) {
        self.has_ended = true;
        self.opens.clear();
        self.trees.clear();
    }
}
