// SPDX-License-Identifier: GPL-2.0

//! Watched directories, [MS-SMB2] 3.3.1.10 and [MS-FSA] 2.1.5.11: what is watched, what has changed, and who waits for it.
//!
//! Changes that clients of this server make are told by those who make them ([`changed`]); what local programs change is not
//! seen yet. A watch belongs to an open of the directory and ends with it. Everything that is kept is bounded: a watch
//! keeps at most [`MAX_KEPT`] bytes, all together [`MAX_KEPT_IN_ALL`]; what exceeds that becomes `STATUS_NOTIFY_ENUM_DIR`.
//! What the user who watches may not list is left out when he is told ([`Changes::keep_shown`]).

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

use linux::cred::CredScope;
use linux::path::Path;
use smb_proto::change_notify::{record_len, Action, CompletionFilter, Record, RecordWriter};
use smb_proto::status::NtStatus;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Writer, Written};

use crate::smb2::wait::{Wake, Waker};

use super::inode::{FileState, OpenFiles};
use super::locks::{Owner, Wakers};
use super::lookup;
use super::Share;

/// Bytes of records that one watch keeps.
const MAX_KEPT: usize = 64 << 10;
/// Bytes of records that all watches keep together.
const MAX_KEPT_IN_ALL: usize = 16 << 20;
/// What separates the components of a name that is told.
const SEPARATOR: u16 = 0x5c;
/// Requests that wait on one watch.
const MAX_WAITING: usize = 64;

/// Counts watches, so that changes cost nothing while there are none, and what they keep.
pub(crate) struct WatchCount {
    watches: Atomic<u32>,
    kept: Atomic<usize>,
}

impl WatchCount {
    pub(super) const fn new() -> Self {
        WatchCount {
            watches: Atomic::new(0),
            kept: Atomic::new(0),
        }
    }

    /// Makes room for `bytes`; `false` if there is none.
    fn keep(&self, bytes: usize) -> bool {
        let before = self.kept.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) > MAX_KEPT_IN_ALL {
            self.kept.fetch_sub(bytes, Relaxed);
            return false;
        }
        true
    }
}

/// What a CHANGE_NOTIFY asks for.
#[derive(Clone, Copy)]
pub(crate) struct WatchRequest {
    pub(crate) owner: Owner,
    pub(crate) filter: CompletionFilter,
    /// Whether the tree below the directory is watched too.
    pub(crate) tree: bool,
    /// Most bytes of records that the reply may carry.
    pub(crate) room: usize,
}

/// Something that changed.
struct Change {
    action: Action,
    /// UTF-16LE, relative to the directory.
    name: KVec<u8>,
}

impl Change {
    fn len(&self) -> usize {
        record_len(self.name.len())
    }
}

/// Changes to be told.
pub(crate) struct Changes(KVec<Change>);

impl Changes {
    /// Bytes that they take.
    pub(crate) fn len(&self) -> usize {
        self.0
            .iter()
            .fold(0, |sum: usize, change| sum.saturating_add(change.len()))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves out what the user of `scope`, who watches `directory`, would not find there himself: who makes a change may see
    /// more of the tree than who watches it. What is told of a directory that is gone by now is left out as well.
    pub(crate) fn keep_shown(&mut self, scope: &CredScope<'_>, share: &Share, directory: &Path) {
        // Changes come in heaps, most of them in one directory.
        let mut last: Option<(KVec<u8>, bool)> = None;
        let mut may_list = |name: &str| {
            if let Some((_, may)) = last
                .as_ref()
                .filter(|(known, _)| **known == *name.as_bytes())
            {
                return *may;
            }
            let may = lookup::may_list(scope, share, directory, name);
            let mut known = KVec::new();
            let copied = known.extend_from_slice(name.as_bytes(), GFP_KERNEL);
            last = copied.ok().map(|()| (known, may));
            may
        };
        let is_plain = share.veto.is_empty() && !share.hides_unreadable();
        self.0.retain(|change| {
            let name = Utf16(&change.name);
            if is_plain && !name.code_units().any(|unit| unit == SEPARATOR) {
                return true;
            }
            let Ok(mut text) = KVec::from_elem(0, change.name.len().saturating_mul(2), GFP_KERNEL)
            else {
                return false;
            };
            let Ok(text) = name.to_str_in(&mut text) else {
                return false;
            };
            // A stream's name is behind its file's.
            let file = text.split(':').next().unwrap_or(text);
            file.split('\\').all(|part| !lookup::hides(share, part))
                && file
                    .rsplit_once('\\')
                    .is_none_or(|(parent, _)| may_list(parent))
                && !lookup::is_unreadable(scope, share, directory, file)
        });
    }

    /// Writes them.
    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Written {
        let mut records = RecordWriter::new();
        for change in self.0.iter() {
            let name = Utf16(&change.name);
            records.add(
                w,
                &Record {
                    action: change.action,
                    name,
                },
            )?;
        }
        Ok(())
    }
}

/// What a watch has for a request.
pub(crate) enum Seen {
    Changes(Changes),
    /// More has changed than is known.
    TooMuch,
    /// Nothing yet: the request waits.
    Nothing,
}

/// One open's watch over its directory.
struct Watch {
    owner: Owner,
    filter: CompletionFilter,
    tree: bool,
    limit: usize,
    changes: KVec<Change>,
    kept: usize,
    overflowed: bool,
    waiting: KVec<Waker>,
}

impl Watch {
    fn add(&mut self, count: &WatchCount, action: Action, name: &[u8]) {
        if self.overflowed {
            return;
        }
        if self.try_add(count, action, name).is_none() {
            self.overflowed = true;
            self.forget(count);
        }
    }

    fn try_add(&mut self, count: &WatchCount, action: Action, name: &[u8]) -> Option<()> {
        let len = record_len(name.len());
        let kept = self
            .kept
            .checked_add(len)
            .filter(|kept| *kept <= self.limit)?;
        let mut copy = KVec::with_capacity(name.len(), GFP_KERNEL).ok()?;
        copy.extend_from_slice(name, GFP_KERNEL).ok()?;
        self.changes.reserve(1, GFP_KERNEL).ok()?;
        if !count.keep(len) {
            return None;
        }
        self.kept = kept;
        self.changes
            .push(Change { action, name: copy }, GFP_KERNEL)
            .ok()
    }

    fn forget(&mut self, count: &WatchCount) {
        drop(self.take(count));
    }

    fn take(&mut self, count: &WatchCount) -> Changes {
        count.kept.fetch_sub(self.kept, Relaxed);
        self.kept = 0;
        Changes(core::mem::replace(&mut self.changes, KVec::new()))
    }

    /// Wakes the request that waits longest.
    fn wake_first(&mut self, wakers: &mut Wakers) {
        while !self.waiting.is_empty() {
            match self.waiting.remove(0) {
                Ok(waker) if !waker.is_over() => return wakers.add(waker, Wake::Ready),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    /// What there is for a request with `room` bytes.
    fn look(&mut self, count: &WatchCount, room: usize) -> Seen {
        if core::mem::take(&mut self.overflowed) {
            return Seen::TooMuch;
        }
        if self.changes.is_empty() {
            return Seen::Nothing;
        }
        if self.kept > room {
            self.forget(count);
            return Seen::TooMuch;
        }
        Seen::Changes(self.take(count))
    }
}

/// The watches over one directory.
pub(super) struct Watches(KVec<Watch>);

impl Watches {
    /// The watch of `request`'s open; the first request says what is watched as long as the open lives.
    fn of(&mut self, request: &WatchRequest, count: &WatchCount) -> Result<&mut Watch, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let found = self.0.iter().position(|watch| watch.owner == request.owner);
        let at = match found {
            Some(at) => at,
            None => {
                let watch = Watch {
                    owner: request.owner,
                    filter: request.filter,
                    tree: request.tree,
                    limit: request.room.min(MAX_KEPT),
                    changes: KVec::new(),
                    kept: 0,
                    overflowed: false,
                    waiting: KVec::new(),
                };
                self.0.push(watch, GFP_KERNEL).map_err(no_memory)?;
                count.watches.fetch_add(1, Relaxed);
                self.0.len().saturating_sub(1)
            }
        };
        self.0.get_mut(at).ok_or(NtStatus::INTERNAL_ERROR)
    }
}

impl FileState {
    /// Serves a CHANGE_NOTIFY on this directory: what has changed since the last one, or nothing yet; then `waker` is woken
    /// when something does.
    ///
    /// # Errors
    ///
    /// `STATUS_DELETE_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn watch(
        &self,
        files: &OpenFiles,
        request: &WatchRequest,
        waker: Option<&Waker>,
    ) -> Result<Seen, NtStatus> {
        let mut inner = self.inner.lock();
        if inner.is_delete_pending() {
            return Err(NtStatus::DELETE_PENDING);
        }
        if inner.watches.is_none() {
            let fresh = KBox::new(Watches(KVec::new()), GFP_KERNEL);
            inner.watches = Some(fresh.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?);
        }
        let watches = inner.watches.as_mut().ok_or(NtStatus::INTERNAL_ERROR)?;
        let count = files.watch_count();
        let watch = watches.of(request, count)?;
        let seen = watch.look(count, request.room);
        if let (Seen::Nothing, Some(waker)) = (&seen, waker) {
            let no_room = NtStatus::INSUFFICIENT_RESOURCES;
            if watch.waiting.len() >= MAX_WAITING {
                watch.waiting.retain(|waker| !waker.is_over());
            }
            if watch.waiting.len() >= MAX_WAITING {
                return Err(no_room);
            }
            watch
                .waiting
                .push(waker.clone(), GFP_KERNEL)
                .map_err(|_| no_room)?;
        }
        Ok(seen)
    }

    /// Ends the watch of an open that is closed.
    pub(crate) fn close_watch(&self, files: &OpenFiles, owner: Owner) {
        let mut wakers = Wakers::default();
        if let Some(watches) = &mut self.inner.lock().watches {
            let count = files.watch_count();
            for watch in watches.0.iter_mut().filter(|watch| watch.owner == owner) {
                watch.forget(count);
                count.watches.fetch_sub(1, Relaxed);
                for waker in core::mem::replace(&mut watch.waiting, KVec::new()) {
                    wakers.add(waker, Wake::Ended(NtStatus::NOTIFY_CLEANUP));
                }
            }
            watches.0.retain(|watch| watch.owner != owner);
        }
        wakers.wake();
    }

    /// Ends every wait for changes in a directory that is about to be deleted.
    pub(super) fn end_watches(&self) {
        let mut wakers = Wakers::default();
        if let Some(watches) = &mut self.inner.lock().watches {
            for watch in watches.0.iter_mut() {
                for waker in core::mem::replace(&mut watch.waiting, KVec::new()) {
                    wakers.add(waker, Wake::Ended(NtStatus::DELETE_PENDING));
                }
            }
        }
        wakers.wake();
    }

    /// Notes a change of `name` in this directory, or below it.
    fn note(&self, files: &OpenFiles, is_below: bool, what: &What, name: &[u8]) {
        let mut wakers = Wakers::default();
        if let Some(watches) = &mut self.inner.lock().watches {
            for watch in watches.0.iter_mut() {
                let watched = watch.filter.intersects(what.filter) && (watch.tree || !is_below);
                if watched {
                    watch.add(files.watch_count(), what.action, name);
                    watch.wake_first(&mut wakers);
                }
            }
        }
        wakers.wake();
    }
}

/// What happened, and the filters that let it through.
#[derive(Clone, Copy)]
pub(crate) struct What {
    pub(crate) action: Action,
    pub(crate) filter: CompletionFilter,
}

impl What {
    /// An entry came, went or got another name.
    pub(crate) fn entry(action: Action, is_directory: bool) -> Self {
        let filter = if is_directory {
            CompletionFilter::DIR_NAME
        } else {
            CompletionFilter::FILE_NAME
        };
        What { action, filter }
    }

    /// Something about a file changed.
    pub(crate) fn modified(filter: CompletionFilter) -> Self {
        What {
            action: Action::MODIFIED,
            filter,
        }
    }
}

/// Where something is, from the root of the share; taken before it moves.
pub(crate) struct Place {
    parent: Path,
    /// With `/` between components.
    name: KVec<u8>,
}

impl Place {
    /// The place of `path`, or `None` if nobody watches anything, or it is the root.
    pub(crate) fn of(files: &OpenFiles, root: &Path, path: &Path) -> Option<Self> {
        if files.watch_count().watches.load(Relaxed) == 0 {
            return None;
        }
        let parent = path.parent(root)?;
        let name = path.with_path_below(root, |below| {
            let mut name = KVec::new();
            name.extend_from_slice(below, GFP_KERNEL).map(|()| name)
        });
        let name = name.ok()?.ok()?;
        Some(Place { parent, name })
    }

    /// Whether both are in one directory.
    pub(crate) fn is_beside(&self, other: &Place) -> bool {
        self.parent.is_same(&other.parent)
    }

    /// Tells those who watch that `what` happened here.
    pub(crate) fn tell(&self, files: &OpenFiles, root: &Path, what: What) {
        let mut directory = Some(self.parent.clone());
        let mut end = self.name.len();
        let mut is_below = false;
        while let Some(here) = directory {
            let slash = self.name.iter().take(end).rposition(|byte| *byte == b'/');
            let start = slash.map_or(0, |at| at.saturating_add(1));
            if let Some(state) = files.find(here.inode_key()) {
                if let Some(name) = self.name.get(start..).and_then(to_utf16) {
                    state.note(files, is_below, &what, &name);
                }
            }
            is_below = true;
            end = slash.unwrap_or(0);
            directory = here.parent(root);
        }
    }
}

/// Tells those who watch that `what` happened to what is at `path`, in the share whose root is `root`.
pub(crate) fn changed(files: &OpenFiles, root: Option<&Path>, path: &Path, what: What) {
    let Some(root) = root else {
        return;
    };
    if let Some(place) = Place::of(files, root, path) {
        place.tell(files, root, what);
    }
}

/// Tells those who watch that `what` happened to the stream `stream` of the file at `path`.
pub(super) fn stream_changed(
    files: &OpenFiles,
    root: &Path,
    path: &Path,
    stream: &str,
    what: What,
) {
    let Some(mut place) = Place::of(files, root, path) else {
        return;
    };
    for part in [":", stream] {
        // Without memory nobody is told.
        if place
            .name
            .extend_from_slice(part.as_bytes(), GFP_KERNEL)
            .is_err()
        {
            return;
        }
    }
    place.tell(files, root, what);
}

/// A path as clients write it; `None` if it is not UTF-8, which no client can see, or without memory.
fn to_utf16(path: &[u8]) -> Option<KVec<u8>> {
    let text = core::str::from_utf8(path).ok()?;
    let mut out = KVec::with_capacity(text.len().checked_mul(2)?, GFP_KERNEL).ok()?;
    for unit in text.encode_utf16() {
        let unit = if unit == u16::from(b'/') {
            u16::from(b'\\')
        } else {
            unit
        };
        out.extend_from_slice(&unit.to_le_bytes(), GFP_KERNEL)
            .ok()?;
    }
    Some(out)
}
