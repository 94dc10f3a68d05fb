// SPDX-License-Identifier: GPL-2.0

//! What all opens of one file share: share modes, whether it is to be deleted, caching and locks.
//!
//! A file's state exists while it is open. Its key is the inode, which each open pins. Lock order: the table of leases, the
//! table of files, then one [`FileState::inner`]; none is held over I/O. Nobody is woken and nothing sent under them.

use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode, RBTreeNodeReservation};
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};
use kernel::workqueue::{self, impl_has_delayed_work, new_delayed_work, DelayedWork, WorkItem};

use linux::inode::InodeKey;
use linux::path::{EntryKey, Path};
use linux::time;
use smb_model::access::Mask;
use smb_model::create::Disposition;
use smb_model::lease::{Kind, Trigger};
use smb_model::share_mode::{Share, Summary};
use smb_proto::status::NtStatus;

use crate::server::Server;
use crate::smb2::wait::Waker;

use super::breaks;
use super::links::{Links, Removal};
use super::locks::{FileLocks, LockCount, Wakers};
use super::notify::{WatchCount, Watches};
use super::oplocks::{
    Actor, Cached, Caching, DataOpens, LeaseId, Notices, Situation, Target, Wanted,
};
use super::Tree;

/// How often breaks that are not answered are looked for, milliseconds.
const TICK_MS: u32 = 1_000;

pub(super) struct Inner {
    sharing: Summary,
    /// The names under which it is open.
    links: Links,
    /// Opens that are for more than the attributes.
    data_opens: DataOpens,
    /// Byte-range locks, once there was one.
    pub(super) locks: Option<KBox<FileLocks>>,
    /// Oplocks and leases, once there was one.
    pub(super) caching: Option<KBox<Caching>>,
    /// Watches over a directory, once there was one.
    pub(super) watches: Option<KBox<Watches>>,
}

/// What all opens of one file share.
#[pin_data]
pub(crate) struct FileState {
    key: InodeKey,
    pub(super) lock_count: LockCount,
    /// Whether there are byte-range locks, for those who read and write without any.
    pub(super) is_locked: Atomic<bool>,
    #[pin]
    pub(super) inner: Mutex<Inner>,
}

/// Files that are taken from the table at a time by who looks at all of them.
const BATCH: usize = 64;

/// A file whose holders have been asked for an acknowledgment.
struct Watched {
    key: InodeKey,
    /// When to look at it, monotonic milliseconds.
    at: u64,
}

#[pin_data]
struct Table {
    #[pin]
    by_key: Mutex<RBTree<InodeKey, Arc<FileState>>>,
    /// The leases, each with its file; one lease is of one file.
    #[pin]
    leases: Mutex<RBTree<LeaseId, Arc<FileState>>>,
    /// Files with breaks under way. A leaf.
    #[pin]
    watched: Mutex<KVec<Watched>>,
    watch_count: WatchCount,
    lock_count: LockCount,
    #[pin]
    tick: DelayedWork<Table>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Table { self.tick }
}

impl WorkItem for Table {
    type Pointer = Arc<Table>;

    fn run(this: Arc<Table>) {
        OpenFiles(this).tick();
    }
}

/// The files of a server that are open.
#[derive(Clone)]
pub(crate) struct OpenFiles(Arc<Table>);

/// An open that asks to be let in.
pub(crate) struct Asking<'a> {
    pub(crate) path: &'a Path,
    /// What it does at once, by which it is checked against the others.
    pub(crate) access: Mask,
    /// What it may do from then on, against which others are checked.
    pub(crate) kept: Mask,
    pub(crate) share: Share,
    pub(crate) disposition: Disposition,
    pub(crate) target: Target,
    pub(crate) wanted: Wanted,
    /// Whether leases on directories can be granted.
    pub(crate) directory_leases: bool,
    /// Woken when it is worth asking again, if the open has to wait.
    pub(crate) waker: Option<&'a Waker>,
}

/// What becomes of an open that asks.
pub(crate) enum Admitted {
    Yes(Admission, Cached),
    /// Others must give up caching first; the waker will be woken.
    Later,
}

impl OpenFiles {
    pub(crate) fn new() -> Result<Self> {
        let lock_count = LockCount::new()?;
        let init = pin_init!(Table {
            by_key <- new_mutex!(RBTree::new()),
            leases <- new_mutex!(RBTree::new()),
            watched <- new_mutex!(KVec::new()),
            watch_count: WatchCount::new(),
            lock_count,
            tick <- new_delayed_work!(),
        });
        Ok(OpenFiles(Arc::pin_init(init, GFP_KERNEL)?))
    }

    /// Counts an open in, once nobody's caching is in its way.
    ///
    /// # Errors
    ///
    /// `STATUS_DELETE_PENDING`, `STATUS_SHARING_VIOLATION`, `STATUS_INSUFFICIENT_RESOURCES`, `STATUS_INVALID_PARAMETER` for
    /// the key of a lease on another file.
    pub(crate) fn admit(
        &self,
        server: &Arc<Server>,
        asking: &Asking<'_>,
    ) -> Result<Admitted, NtStatus> {
        let key = asking.path.inode_key();
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let fresh = FileState::new(key, self.0.lock_count.clone())
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let node = RBTreeNode::new(key, fresh.clone(), GFP_KERNEL).map_err(no_memory)?;
        let lease = asking.wanted.lease();
        let lease_node = match lease {
            Some(_) => Some(RBTreeNodeReservation::new(GFP_KERNEL).map_err(no_memory)?),
            None => None,
        };
        let mut notices = Notices::default();
        let mut leases = lease.map(|_| self.0.leases.lock());
        if let (Some(leases), Some(id)) = (&leases, &lease) {
            if leases.get(id).is_some_and(|file| file.key != key) {
                return Err(NtStatus::INVALID_PARAMETER);
            }
        }
        let mut by_key = self.0.by_key.lock();
        let known = by_key.get(&key).cloned();
        let state = known.clone().unwrap_or(fresh);
        let outcome = state.inner.lock().admit(asking, &mut notices);
        let lease = lease.filter(|_| matches!(outcome, Ok(Outcome::Yes(Cached::Lease(..)))));
        if let Ok(Outcome::Yes(_)) = outcome {
            if known.is_none() {
                by_key.insert(node);
            }
            if let (Some(leases), Some(id), Some(node)) = (&mut leases, lease, lease_node) {
                leases.insert(node.into_node(id, state.clone()));
            }
        }
        drop(by_key);
        drop(leases);
        breaks::send(server, &state, notices);
        let cached = match outcome? {
            Outcome::Yes(cached) => cached,
            Outcome::Later => return Ok(Admitted::Later),
        };
        let admission = Admission {
            files: self.clone(),
            state,
            entry: asking.path.entry_key(),
            access: asking.kept,
            share: asking.share,
            open: asking.target.open.volatile,
            lease,
            made_by: None,
            left: Atomic::new(false),
        };
        Ok(Admitted::Yes(admission, cached))
    }

    /// The file that the lease is on.
    pub(super) fn of_lease(&self, id: &LeaseId) -> Option<Arc<FileState>> {
        self.0.leases.lock().get(id).cloned()
    }

    /// Counts the watches over directories.
    pub(super) fn watch_count(&self) -> &WatchCount {
        &self.0.watch_count
    }

    /// Whether the lease exists.
    pub(crate) fn has_lease(&self, id: &LeaseId) -> bool {
        self.0.leases.lock().get(id).is_some()
    }

    /// Has a file's breaks looked at when their time is over.
    pub(super) fn watch_breaks(&self, key: InodeKey, at: u64) {
        let mut watched = self.0.watched.lock();
        if let Some(known) = watched.iter_mut().find(|watched| watched.key == key) {
            known.at = known.at.min(at);
            return;
        }
        // Without memory a holder who never answers keeps others waiting until it is gone.
        let _ = watched.push(Watched { key, at }, GFP_KERNEL);
        drop(watched);
        self.schedule();
    }

    fn schedule(&self) {
        // Refused if it is scheduled already.
        let _ = workqueue::system().enqueue_delayed(self.0.clone(), time::ms_to_jiffies(TICK_MS));
    }

    /// Looks at the files whose time has come.
    fn tick(&self) {
        let now = time::monotonic_ms();
        loop {
            let due = {
                let mut watched = self.0.watched.lock();
                let at = watched.iter().position(|watched| watched.at <= now);
                at.and_then(|at| watched.remove(at).ok())
            };
            let Some(due) = due else {
                break;
            };
            if let Some(next) = self.expire(due.key, now) {
                self.watch_breaks(due.key, next);
            }
        }
        if !self.0.watched.lock().is_empty() {
            self.schedule();
        }
    }

    /// Stops looking for breaks that are not answered, when nothing is open any more.
    pub(crate) fn stop(&self) {
        self.0.watched.lock().clear();
        linux::workqueue::cancel_delayed_sync(&self.0);
    }

    /// Whether anything in the directory `directory` is open, at any depth. What comes or goes meanwhile may be missed.
    pub(crate) fn has_open_beneath(&self, directory: &Path) -> bool {
        self.next_beneath(directory, None).is_some()
    }

    /// The first file, behind `after`, that is open in the directory `directory`, at any depth. What comes or goes meanwhile may be
    /// missed.
    pub(crate) fn next_beneath(
        &self,
        directory: &Path,
        after: Option<&Arc<FileState>>,
    ) -> Option<Arc<FileState>> {
        let is_wanted = |state: &Arc<FileState>| {
            after.is_none_or(|after| state.key > after.key)
                && state.inner.lock().links.is_any_beneath(directory)
        };
        let mut from = after.map(|after| after.key);
        loop {
            let (states, next) = self.some(from);
            let found = states.iter().flatten().find(|state| is_wanted(state));
            if let Some(state) = found {
                return Some(state.clone());
            }
            from = Some(next?);
        }
    }

    /// Some open files, those from the key `from` on, and where to go on. To look at all of them with the table locked would keep
    /// everybody from opening and closing for as long.
    fn some(&self, from: Option<InodeKey>) -> ([Option<Arc<FileState>>; BATCH], Option<InodeKey>) {
        let mut states = [const { None }; BATCH];
        let mut by_key = self.0.by_key.lock();
        let mut at = match from {
            Some(from) => by_key.cursor_lower_bound_mut(&from),
            None => by_key.cursor_front_mut(),
        };
        for state in &mut states {
            let Some(cursor) = at else {
                return (states, None);
            };
            *state = Some(cursor.current().1.clone());
            at = cursor.move_next();
        }
        let next = at.map(|cursor| *cursor.current().0);
        (states, next)
    }

    /// Number of files that are open.
    pub(crate) fn count(&self) -> usize {
        self.0.by_key.lock().values().count()
    }

    /// The state of the file `key`, if it is open.
    pub(crate) fn find(&self, key: InodeKey) -> Option<Arc<FileState>> {
        self.0.by_key.lock().get(&key).cloned()
    }
}

/// What becomes of an open.
enum Outcome {
    Yes(Cached),
    Later,
}

impl Inner {
    /// Whether a name of the file is to go; a directory has but one.
    pub(super) fn is_delete_pending(&self) -> bool {
        self.links.is_any_deleted()
    }

    /// Checks an open against the others, and counts it in: [MS-FSA] 2.1.5.1.2.
    fn admit(&mut self, asking: &Asking<'_>, notices: &mut Notices) -> Result<Outcome, NtStatus> {
        if self.links.is_deleted(asking.path.entry_key()) {
            return Err(NtStatus::DELETE_PENDING);
        }
        let actor = Actor {
            open: asking.target.open.volatile,
            lease: asking.wanted.lease(),
        };
        let conflicts = self.sharing.conflicts(asking.access, asking.share);
        if let Some(caching) = &mut self.caching {
            let trigger = |of_lease| {
                if conflicts {
                    Some(Trigger::ShareConflict)
                } else {
                    Trigger::of_open(asking.access, asking.disposition, of_lease)
                }
            };
            if caching.disturb(&actor, trigger, notices) {
                if let Some(waker) = asking.waker {
                    caching.wait(waker)?;
                }
                return Ok(Outcome::Later);
            }
        }
        if conflicts {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        self.links.reserve().map_err(no_memory)?;
        let cached = self.grant(asking)?;
        self.links.enter(asking.path).map_err(no_memory)?;
        self.data_opens.add(DataOpens::of(asking.kept));
        self.sharing.add(asking.kept, asking.share);
        Ok(Outcome::Yes(cached))
    }

    fn grant(&mut self, asking: &Asking<'_>) -> Result<Cached, NtStatus> {
        if matches!(asking.wanted, Wanted::Nothing) {
            return Ok(Cached::Nothing);
        }
        if self.caching.is_none() {
            let fresh = KBox::new(Caching::new(), GFP_KERNEL);
            self.caching = Some(fresh.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?);
        }
        let is_directory = asking.path.is_dir();
        let situation = Situation {
            kind: if is_directory {
                Kind::Directory
            } else {
                Kind::File
            },
            directory_leases: asking.directory_leases,
            has_locks: self.locks.as_ref().is_some_and(|locks| !locks.is_empty()),
            opens: self.data_opens,
            new: DataOpens::of(asking.kept),
        };
        match &mut self.caching {
            Some(caching) => caching.grant(asking.wanted, asking.target, &situation),
            None => Ok(Cached::Nothing),
        }
    }
}

impl FileState {
    fn new(key: InodeKey, lock_count: LockCount) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(FileState {
                key,
                lock_count,
                is_locked: Atomic::new(false),
                inner <- new_mutex!(Inner {
                    sharing: Summary::new(),
                    links: Links::new(),
                    data_opens: DataOpens::default(),
                    locks: None,
                    caching: None,
                    watches: None,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// The file's key in the table.
    pub(super) fn key(&self) -> InodeKey {
        self.key
    }

    /// Whether a name of the file is to go; a directory has but one.
    pub(crate) fn is_delete_pending(&self) -> bool {
        self.inner.lock().is_delete_pending()
    }

    /// Whether the file is open under the name of `path`.
    pub(crate) fn is_open_as(&self, path: &Path) -> bool {
        self.inner.lock().links.has(path.entry_key())
    }

    /// What `actor` caches of the file, and whether under a lease.
    pub(crate) fn cached_by(&self, actor: &Actor) -> Option<(bool, smb_model::lease::State)> {
        self.inner.lock().caching.as_ref()?.of(actor)
    }

    /// Whether an open forbids others to delete or rename the file.
    pub(crate) fn forbids_delete(&self) -> bool {
        self.inner.lock().sharing.forbids_delete()
    }

    /// Whether an open of the directory stands in the way of a name that comes to it: whoever adds one opens the directory in
    /// order to write, and shares everything but its deletion.
    pub(crate) fn forbids_new_names(&self) -> bool {
        self.inner
            .lock()
            .sharing
            .conflicts(Mask::ADD_FILE, Share::READ.union(Share::WRITE))
    }
}

/// One open's part in the file's state; given back by [`Admission::end`], at the latest when dropped.
pub(crate) struct Admission {
    files: OpenFiles,
    pub(crate) state: Arc<FileState>,
    /// The name that was opened.
    entry: EntryKey,
    access: Mask,
    share: Share,
    open: u64,
    lease: Option<LeaseId>,
    /// Who made the file, if it was made for this open.
    made_by: Option<Arc<Tree>>,
    left: Atomic<bool>,
}

impl Admission {
    /// What the open lets others do.
    pub(crate) fn share(&self) -> Share {
        self.share
    }

    /// The open, as one who does something to the file.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            open: self.open,
            lease: self.lease,
        }
    }

    /// The files that are open.
    pub(super) fn files(&self) -> &OpenFiles {
        &self.files
    }

    /// Says that the file was made for this open: it goes again if the open never comes to be, and nobody else has it.
    pub(super) fn made_by(mut self, tree: &Arc<Tree>) -> Self {
        self.made_by = Some(tree.clone());
        self
    }

    /// Whether the name goes with its last open; nobody can open it any more.
    pub(crate) fn is_delete_pending(&self) -> bool {
        self.state.inner.lock().links.is_deleted(self.entry)
    }

    /// Marks the name for removal by its last close, in the name of the user of `tree`.
    pub(crate) fn mark_deleted(&self, tree: &Arc<Tree>) {
        let before = self.state.inner.lock().links.mark(self.entry, tree);
        drop(before);
        self.state.end_watches();
    }

    /// Takes the mark back.
    pub(crate) fn unmark_deleted(&self) {
        let before = self.state.inner.lock().links.unmark(self.entry);
        drop(before);
    }

    /// Takes the open out, with what it caches. Removes its name if that has to go now: with the last open of it or, with
    /// `at_once`, whoever else has it open.
    pub(super) fn end(&self, at_once: bool) {
        if self.left.xchg(true, Full) {
            return;
        }
        if let Some(removal) = self.leave(at_once) {
            // Nobody can open the name meanwhile.
            self.settle(removal.run(&self.files));
        }
    }

    fn leave(&self, at_once: bool) -> Option<Removal> {
        let mut wakers = Wakers::default();
        let mut leases = self.lease.map(|_| self.files.0.leases.lock());
        let mut by_key = self.files.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        inner.sharing.remove(self.access, self.share);
        let data = DataOpens::of(self.access);
        inner.data_opens.sub(data);
        let lease_ended = match &mut inner.caching {
            Some(caching) => caching.leave(&self.actor(), data, &mut wakers),
            None => false,
        };
        let left = inner.links.leave(self.entry, at_once);
        let is_over = inner.links.is_empty();
        drop(inner);
        let lease = match (&mut leases, &self.lease) {
            (Some(leases), Some(id)) if lease_ended => leases.remove_node(id),
            _ => None,
        };
        let node = if is_over {
            by_key.remove_node(&self.state.key)
        } else {
            None
        };
        drop(by_key);
        drop(leases);
        drop((node, lease, left.over));
        wakers.wake();
        left.removal
    }

    /// Notes what became of the name that was being removed, and forgets the file's state with it.
    fn settle(&self, is_removed: bool) {
        let mut by_key = self.files.0.by_key.lock();
        let mut inner = self.state.inner.lock();
        let over = inner.links.settle(self.entry, is_removed);
        let is_over = inner.links.is_empty();
        drop(inner);
        let node = if is_over {
            by_key.remove_node(&self.state.key)
        } else {
            None
        };
        drop(by_key);
        drop((node, over));
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.left.load(Relaxed) {
            return;
        }
        // An open that failed on the way, before it could be closed.
        if let Some(tree) = &self.made_by {
            let mut inner = self.state.inner.lock();
            let before = inner.links.mark_if_alone(self.entry, tree);
            drop(inner);
            drop(before);
        }
        self.end(false);
    }
}
