// SPDX-License-Identifier: GPL-2.0

//! `files` and `locks`: what is open, and which bytes of it are locked.

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use linux::path::Path;
use linux::procfs::{Key, List};
use smb_model::lease::State;
use smb_model::locks::{Kind, Lock};

use crate::files::file::OpenedFile;
use crate::files::locks::Owner;
use crate::files::stream::stream_name;
use crate::files::{Object, Open};
use crate::server::Server;
use crate::session::Session;

use super::place;
use super::sessions::show_user;
use super::text::{Escaped, Flags};

/// Longest path that is shown, bytes.
const MAX_PATH: usize = 4_096;

/// The first open behind the open `open` of the session `id`.
fn open_after(server: &Server, mut id: u64, mut open: u64) -> Option<(Arc<Session>, Arc<Open>)> {
    let mut session = server.sessions.get(id);
    loop {
        if let Some(session) = session {
            if let Some(open) = session.opens.after(open) {
                return Some((session, open));
            }
        }
        session = server.sessions.after(id);
        (id, open) = (session.as_ref()?.id, 0);
    }
}

/// The file that is open: that of a stream's, too.
fn file_of(open: &Open) -> Option<&OpenedFile> {
    match &open.object {
        Object::File(file) => Some(file),
        Object::Stream(stream) => Some(&stream.base),
        Object::Pipe(_) => None,
    }
}

/// Writes where the file is in its share.
fn show_name(open: &Open, out: &SeqFile) -> Result {
    let mut buffer = KVec::new();
    let mut full = None;
    let name = match &open.object {
        Object::Pipe(pipe) => pipe.name().as_bytes(),
        Object::File(file) => below(open, &file.path, &mut buffer)?,
        Object::Stream(named) => {
            full = named.full().ok();
            below(open, &named.base.path, &mut buffer)?
        }
    };
    let stream = full.as_ref().and_then(|full| stream_name(full));
    let stream = stream.unwrap_or("");
    let separator = if stream.is_empty() { "" } else { ":" };
    let stream = Escaped(stream.as_bytes());
    seq_print!(out, "name:\t{}{separator}{stream}\n", Escaped(name));
    Ok(())
}

/// The path below the share's root; `.` at the root, and `?` for what was moved out of the share or has no place in it any more.
fn below<'b>(open: &Open, path: &Path, buffer: &'b mut KVec<u8>) -> Result<&'b [u8]> {
    *buffer = KVec::from_elem(0, MAX_PATH, GFP_KERNEL)?;
    let Some(root) = open.tree.share.directory() else {
        return Ok(b"?");
    };
    Ok(match path.path_below(root, buffer) {
        Ok([]) => b".",
        Ok(name) => name,
        Err(_) => b"?",
    })
}

/// The name of what a client caches.
fn caching_name(is_lease: bool, state: State) -> &'static str {
    match (is_lease, state) {
        (false, State::R) => "OPLOCK_II",
        (false, State::RW) => "OPLOCK_EXCLUSIVE",
        (false, State::RWH) => "OPLOCK_BATCH",
        (true, State::R) => "LEASE_R",
        (true, State::RH) => "LEASE_RH",
        (true, State::RW) => "LEASE_RW",
        (true, State::RWH) => "LEASE_RWH",
        _ => "none",
    }
}

pub(super) struct Files(pub(super) Arc<Server>);

impl List for Files {
    type Entry = (Arc<Session>, Arc<Open>);

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Self::Entry)>> {
        let [session, open, _] = place(after);
        let found = open_after(&self.0, session, open);
        Ok(found.map(|(session, open)| ([session.id, open.id.volatile, 0], (session, open))))
    }

    fn show(&self, (session, open): &Self::Entry, out: &SeqFile) -> Result {
        seq_print!(out, "tree_id:\t{:#x}\n", open.tree.id);
        seq_print!(out, "persistent_id:\t{:#x}\n", open.id.persistent);
        seq_print!(out, "volatile_id:\t{:#x}\n", open.id.volatile);
        seq_print!(out, "session:\t{}\n", session.id);
        show_user(session, out);
        let share = &open.tree.share;
        seq_print!(out, "share:\t{}\n", Escaped(share.name.bytes()));
        let kind = match &open.object {
            Object::Pipe(_) => "pipe",
            Object::Stream(_) => "stream",
            Object::File(file) if file.is_directory() => "directory",
            Object::File(_) => "file",
        };
        seq_print!(out, "type:\t{kind}\n");
        let state = if open.is_closed() { "closed" } else { "open" };
        seq_print!(out, "state:\t{state}\n");
        seq_print!(out, "desired_access:\t{:#010x}\n", open.granted.0);
        if let Some(file) = file_of(open) {
            show_file(open, file, out);
        }
        if let Object::Pipe(pipe) = &open.object {
            seq_print!(out, "rpc_handle:\t{}\n", pipe.handle());
        }
        show_name(open, out)?;
        seq_print!(out, "\n");
        Ok(())
    }
}

fn show_file(open: &Open, file: &OpenedFile, out: &SeqFile) {
    let admission = &file.admission;
    let share_access = admission.share().to_wire();
    seq_print!(out, "share_access:\t{share_access:#010x}\n");
    let cached = admission.state.cached_by(&admission.actor());
    let cached = cached.map_or("none", |(is_lease, state)| caching_name(is_lease, state));
    seq_print!(out, "oplock:\t{cached}\n");
    let locks = admission.state.count_locks(open.id.volatile);
    seq_print!(out, "locks:\t{locks}\n");
    let flags = [
        (file.deletes_on_close(), "delete-on-close"),
        (admission.state.is_delete_pending(), "delete-pending"),
    ];
    seq_print!(out, "flags:\t{}\n", Flags(&flags));
}

pub(super) struct Locks(pub(super) Arc<Server>);

/// One byte-range lock.
pub(super) struct HeldLock {
    session: Arc<Session>,
    open: Arc<Open>,
    lock: Lock<Owner>,
}

impl List for Locks {
    type Entry = HeldLock;

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, HeldLock)>> {
        let [mut id, mut volatile, from] = place(after);
        let mut from = usize::try_from(from)?;
        // The open that the place is in comes first, if it is still there.
        let mut before = volatile.saturating_sub(1);
        loop {
            let Some((session, open)) = open_after(&self.0, id, before) else {
                return Ok(None);
            };
            if (session.id, open.id.volatile) != (id, volatile) {
                from = 0;
            }
            (id, volatile) = (session.id, open.id.volatile);
            let found = file_of(&open)
                .and_then(|file| file.admission.state.lock_from(open.id.volatile, from));
            if let Some((behind, lock)) = found {
                let key = [id, volatile, u64::try_from(behind)?];
                let held = HeldLock {
                    session,
                    open,
                    lock,
                };
                return Ok(Some((key, held)));
            }
            before = volatile;
        }
    }

    fn show(&self, held: &HeldLock, out: &SeqFile) -> Result {
        let HeldLock {
            session,
            open,
            lock,
        } = held;
        seq_print!(out, "volatile_id:\t{:#x}\n", open.id.volatile);
        seq_print!(out, "session:\t{}\n", session.id);
        show_user(session, out);
        seq_print!(out, "share:\t{}\n", Escaped(open.tree.share.name.bytes()));
        let kind = match lock.kind {
            Kind::Shared => "shared",
            Kind::Exclusive => "exclusive",
        };
        seq_print!(out, "type:\t{kind}\n");
        seq_print!(out, "offset:\t{}\n", lock.range.offset());
        seq_print!(out, "length:\t{}\n", lock.range.length());
        show_name(open, out)?;
        seq_print!(out, "\n");
        Ok(())
    }
}
