// SPDX-License-Identifier: GPL-2.0

//! The names under which a file is open, and which of them are to go.
//!
//! What is deleted is a link, not the file ([MS-FSA] 2.1.1.5, `Link.IsDeleted`): the name that was opened goes with its last
//! open, and the file's other names stay as they are. It goes in the name of whoever asked for it last. Everything here
//! but [`Removal`] is kept under the lock of the file's state, without I/O; paths are handed out to be dropped.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::path::{EntryKey, Path};
use smb_proto::change_notify::Action;

use super::inode::OpenFiles;
use super::notify::{Place, What};
use super::Tree;

/// What becomes of a name.
enum Fate {
    Stays,
    /// It goes with its last open, under the credentials of this tree connect.
    Pending(Arc<Tree>),
    /// It is being removed.
    Going,
    /// It was removed before its last open was closed.
    Gone,
}

/// A name under which the file is open.
pub(super) struct Link {
    path: Path,
    opens: u32,
    fate: Fate,
}

/// The names under which a file is open. There is none only while nothing is open and nothing is being removed.
pub(super) struct Links(KVec<Link>);

impl Links {
    pub(super) const fn new() -> Self {
        Links(KVec::new())
    }

    fn find(&self, entry: EntryKey) -> Option<&Link> {
        self.0.iter().find(|link| link.path.entry_key() == entry)
    }

    fn find_mut(&mut self, entry: EntryKey) -> Option<&mut Link> {
        self.0
            .iter_mut()
            .find(|link| link.path.entry_key() == entry)
    }

    /// Makes room for a name more.
    pub(super) fn reserve(&mut self) -> Result {
        Ok(self.0.reserve(1, GFP_KERNEL)?)
    }

    /// Whether the name is to go, so that it cannot be opened any more.
    pub(super) fn is_deleted(&self, entry: EntryKey) -> bool {
        self.find(entry)
            .is_some_and(|link| !matches!(link.fate, Fate::Stays))
    }

    /// Whether some name is to go.
    pub(super) fn is_any_deleted(&self) -> bool {
        self.0.iter().any(|link| !matches!(link.fate, Fate::Stays))
    }

    /// Whether the file is open under this name.
    pub(super) fn has(&self, entry: EntryKey) -> bool {
        self.find(entry).is_some()
    }

    /// Whether it is open under no name, and none is being removed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is open somewhere in the tree below `directory`. A name that is being removed after its last close is not open.
    pub(super) fn is_any_beneath(&self, directory: &Path) -> bool {
        let is_beneath = |path: &Path| path.is_beneath(directory) && !path.is_same(directory);
        self.0
            .iter()
            .any(|link| link.opens > 0 && is_beneath(&link.path))
    }

    /// Counts an open of `path` in; [`Self::reserve`] made room for it.
    pub(super) fn enter(&mut self, path: &Path) -> Result {
        if let Some(link) = self.find_mut(path.entry_key()) {
            link.opens = link.opens.saturating_add(1);
            return Ok(());
        }
        let link = Link {
            path: path.clone(),
            opens: 1,
            fate: Fate::Stays,
        };
        Ok(self.0.push(link, GFP_KERNEL)?)
    }

    /// Says that the name is to go, in the name of the user of `tree`. Gives back who had asked before.
    pub(super) fn mark(&mut self, entry: EntryKey, tree: &Arc<Tree>) -> Option<Arc<Tree>> {
        let link = self.find_mut(entry)?;
        match &link.fate {
            Fate::Stays | Fate::Pending(_) => link.replace(Fate::Pending(tree.clone())),
            Fate::Going | Fate::Gone => None,
        }
    }

    /// As [`Self::mark`], unless the name is open more than once.
    pub(super) fn mark_if_alone(&mut self, entry: EntryKey, tree: &Arc<Tree>) -> Option<Arc<Tree>> {
        match self.find(entry) {
            Some(link) if link.opens == 1 => self.mark(entry, tree),
            _ => None,
        }
    }

    /// Says that the name stays after all. Gives back who had asked.
    pub(super) fn unmark(&mut self, entry: EntryKey) -> Option<Arc<Tree>> {
        let link = self.find_mut(entry)?;
        match &link.fate {
            Fate::Pending(_) => link.replace(Fate::Stays),
            _ => None,
        }
    }

    /// Counts an open of the name out. If the name has to go now, because that was the last one or, with `at_once`, because
    /// it does not wait for the others, the caller removes it and then calls [`Self::settle`].
    pub(super) fn leave(&mut self, entry: EntryKey, at_once: bool) -> Left {
        let Some(link) = self.find_mut(entry) else {
            return Left::default();
        };
        link.opens = link.opens.saturating_sub(1);
        let is_last = link.opens == 0;
        let removal = match &link.fate {
            Fate::Pending(_) if is_last || at_once => {
                let path = link.path.clone();
                link.replace(Fate::Going).map(|tree| Removal { tree, path })
            }
            _ => None,
        };
        let is_over = is_last && !matches!(link.fate, Fate::Going);
        let over = if is_over { self.take(entry) } else { None };
        Left { removal, over }
    }

    /// Notes what became of a name that was being removed. Gives it back if it is not open any more.
    pub(super) fn settle(&mut self, entry: EntryKey, is_removed: bool) -> Option<Link> {
        let link = self.find_mut(entry)?;
        link.fate = if is_removed { Fate::Gone } else { Fate::Stays };
        if link.opens > 0 {
            return None;
        }
        self.take(entry)
    }

    fn take(&mut self, entry: EntryKey) -> Option<Link> {
        let at = self
            .0
            .iter()
            .position(|link| link.path.entry_key() == entry)?;
        self.0.remove(at).ok()
    }
}

impl Link {
    /// Sets what becomes of it. Gives back who had asked for its removal.
    fn replace(&mut self, fate: Fate) -> Option<Arc<Tree>> {
        match core::mem::replace(&mut self.fate, fate) {
            Fate::Pending(tree) => Some(tree),
            _ => None,
        }
    }
}

/// What is left to do once an open was counted out and the state is unlocked.
#[derive(Default)]
pub(super) struct Left {
    pub(super) removal: Option<Removal>,
    /// A name that is not open any more, to be dropped.
    pub(super) over: Option<Link>,
}

/// A name that has to be removed now.
pub(super) struct Removal {
    tree: Arc<Tree>,
    path: Path,
}

impl Removal {
    /// Removes it, and tells those who watch. Gives whether it is gone.
    pub(super) fn run(&self, files: &OpenFiles) -> bool {
        let Some(root) = self.tree.share.directory() else {
            return false;
        };
        let scope = self.tree.enter();
        let place = Place::of(files, root, &self.path);
        match self.path.remove(&scope, self.tree.share.observer(), root) {
            Ok(()) => {
                if let Some(place) = place {
                    let what = What::entry(Action::REMOVED, self.path.is_dir());
                    place.tell(files, root, what);
                }
                true
            }
            // A directory that was filled meanwhile stays, and so does what the user may not delete any more.
            Err(error) => error == ENOENT,
        }
    }
}
