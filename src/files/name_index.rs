// SPDX-License-Identifier: GPL-2.0

//! Indexes over the names of directories in any case of letters, so that a name that is not there as it is spelled need not be
//! looked for among all entries.
//!
//! An index is of one version of a directory's entries. The module's own changes are entered while the directory is locked;
//! what others change shows by the version, and the directory is read anew. Indexes hold on to nothing, so that file systems can be
//! unmounted, and what they take is bounded: those that serve least go, and so do those that do not serve for a while. File systems that keep no version, or number the
//! inodes of several trees alike, have none.
//!
//! Lock order: below the locks of directories; the table before one index; neither is held over I/O.

use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNode};
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::cred::CredScope;
use linux::entries::{Change, Observer, Version};
use linux::hash::HashKey;
use linux::inode::{InodeIdent, InodeKey};
use linux::path::{EntryName, Path};
use smb_model::sought::{fold, FOLDED_MAX};
use smb_model::wildcard::same_name;

use super::name_table::NameTable;

/// Memory that all indexes may take, bytes.
const MAX_BYTES: usize = 32 << 20;
/// Memory that one may take, bytes: some 250,000 names. A larger directory is searched.
const MAX_INDEX: usize = MAX_BYTES / 4;
/// What an index takes beside its names, bytes.
const OVERHEAD: usize = 256;

/// A directory. Its address alone may come back for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(InodeKey, InodeIdent);

impl Key {
    fn of(directory: &Path) -> Self {
        Key(directory.inode_key(), directory.inode_ident())
    }
}

struct Inner {
    /// The version of the directory that the names are of; `None` if they are of none.
    version: Option<Version>,
    names: NameTable,
}

#[pin_data]
struct Index {
    #[pin]
    inner: Mutex<Inner>,
    /// What it counts for in [`Table::bytes`].
    charged: Atomic<usize>,
    /// Whether it served since the hand came by.
    is_used: Atomic<bool>,
}

struct Table {
    by_key: RBTree<Key, Arc<Index>>,
    /// Memory of all of them.
    bytes: usize,
    /// Where to look next for one that did not serve.
    hand: Option<Key>,
}

/// The indexes of all directories.
#[pin_data]
pub(crate) struct NameIndexes {
    hash: HashKey,
    #[pin]
    table: Mutex<Table>,
}

impl NameIndexes {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let init = pin_init!(NameIndexes {
            hash: HashKey::new(),
            table <- new_mutex!(Table { by_key: RBTree::new(), bytes: 0, hand: None }),
        });
        Arc::pin_init(init, GFP_KERNEL)
    }

    /// How the entry of `directory` that differs from `name` in the case of letters only is spelled, if there is one. `None` if
    /// there is no index of the directory as it is now.
    pub(super) fn ask(&self, directory: &Path, name: &str) -> Option<Option<EntryName>> {
        let index = self.table.lock().by_key.get(&Key::of(directory)).cloned()?;
        let version = directory.version()?;
        let hash = self.hash_of(name)?;
        if !index.is_used.load(Relaxed) {
            index.is_used.store(true, Relaxed);
        }
        let inner = index.inner.lock();
        if inner.version != Some(version) {
            return None;
        }
        let is_it =
            |known: &[u8]| core::str::from_utf8(known).is_ok_and(|known| same_name(known, name));
        match inner.names.find(hash, is_it) {
            Some(spelled) => EntryName::of(spelled).ok().map(Some),
            None => Some(None),
        }
    }

    /// Begins an index of `directory`, whose entries the caller is about to read, all of them; `None` if it can have none.
    pub(super) fn begin(
        self: &Arc<Self>,
        scope: &CredScope<'_>,
        directory: &Path,
    ) -> Option<Building> {
        let version = directory.version()?;
        let attributes = directory.attributes(scope).ok()?;
        // A file system that shows trees of its own as devices numbers the inodes of each from the same number on.
        if attributes.device != directory.inode_ident().device {
            return None;
        }
        Some(Building {
            indexes: self.clone(),
            version,
            names: NameTable::new(),
        })
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        loop {
            let gone = {
                let mut table = self.table.lock();
                let first = table.by_key.cursor_front().map(|first| *first.current().0);
                first.and_then(|key| table.remove(&key))
            };
            if gone.is_none() {
                return;
            }
        }
    }

    fn hash_of(&self, name: &str) -> Option<u32> {
        let mut room = [0; FOLDED_MAX];
        Some(self.hash.hash(fold(name, &mut room)?))
    }

    fn insert(&self, directory: &Path, inner: Inner) -> Result {
        let key = Key::of(directory);
        let bytes = inner.names.size().saturating_add(OVERHEAD);
        let index = Arc::pin_init(
            pin_init!(Index {
                inner <- new_mutex!(inner),
                charged: Atomic::new(bytes),
                is_used: Atomic::new(true),
            }),
            GFP_KERNEL,
        )?;
        let node = RBTreeNode::new(key, index, GFP_KERNEL)?;
        let old = {
            let mut table = self.table.lock();
            let old = table.remove(&key);
            table.by_key.insert(node);
            table.bytes = table.bytes.saturating_add(bytes);
            old
        };
        drop(old);
        self.shrink();
        Ok(())
    }

    /// Takes those away that serve least while there is too much.
    fn shrink(&self) {
        loop {
            let mut table = self.table.lock();
            if table.bytes <= MAX_BYTES || table.by_key.cursor_front().is_none() {
                return;
            }
            let hand = table.hand;
            let (gone, next) = table.look(hand);
            table.hand = next;
            drop(table);
            // Outside the lock: it may be large.
            drop(gone);
        }
    }

    /// Takes those away that did not serve since this was called before.
    pub(crate) fn trim(&self) {
        let mut at = None;
        loop {
            let (gone, next) = self.table.lock().look(at);
            drop(gone);
            if next.is_none() {
                return;
            }
            at = next;
        }
    }

    /// Counts an index anew that may have grown.
    fn recount(&self, key: &Key, index: &Arc<Index>, bytes: usize) {
        if index.charged.load(Relaxed) == bytes {
            return;
        }
        let gone = {
            let mut table = self.table.lock();
            let is_listed = |known: &Arc<Index>| Arc::ptr_eq(known, index);
            if !table.by_key.get(key).is_some_and(is_listed) {
                return;
            }
            let before = index.charged.load(Relaxed);
            index.charged.store(bytes, Relaxed);
            table.bytes = table.bytes.saturating_sub(before).saturating_add(bytes);
            let is_too_large = bytes > MAX_INDEX;
            is_too_large.then(|| table.remove(key))
        };
        drop(gone);
        self.shrink();
    }
}

impl Observer for NameIndexes {
    fn changed(&self, directory: &Path, change: &Change<'_>) {
        let key = Key::of(directory);
        let Some(index) = self.table.lock().by_key.get(&key).cloned() else {
            return;
        };
        let bytes = {
            let mut inner = index.inner.lock();
            if inner.version != Some(change.before) {
                return;
            }
            let is_entered = self.enter(&mut inner.names, change).is_ok();
            inner.version = is_entered.then_some(change.after);
            inner.names.size().saturating_add(OVERHEAD)
        };
        self.recount(&key, &index, bytes);
    }
}

impl NameIndexes {
    fn enter(&self, names: &mut NameTable, change: &Change<'_>) -> Result<(), AllocError> {
        let hash_of = |name: &[u8]| self.hash_of(core::str::from_utf8(name).ok()?);
        if let Some(name) = change.gone {
            if let Some(hash) = hash_of(name) {
                names.remove(hash, name);
            }
        }
        if let Some(name) = change.come {
            if let Some(hash) = hash_of(name) {
                names.insert(hash, name)?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn remove(&mut self, key: &Key) -> Option<Arc<Index>> {
        let node = self.by_key.remove_node(key)?;
        let (_, index) = node.to_key_value();
        self.bytes = self.bytes.saturating_sub(index.charged.load(Relaxed));
        Some(index)
    }

    /// Looks at the first index, or at the first from `from` on, and takes it out if it did not serve since the last look. Then says
    /// where the next is.
    fn look(&mut self, from: Option<Key>) -> (Option<Arc<Index>>, Option<Key>) {
        let at = match from {
            Some(from) => self.by_key.cursor_lower_bound(&from),
            None => self.by_key.cursor_front(),
        };
        let Some(at) = at else {
            return (None, None);
        };
        let (key, index) = at.current();
        let key = *key;
        let next = at.peek_next().map(|(next, _)| *next);
        if index.is_used.load(Relaxed) {
            index.is_used.store(false, Relaxed);
            (None, next)
        } else {
            (self.remove(&key), next)
        }
    }
}

/// An index that is being made.
pub(super) struct Building {
    indexes: Arc<NameIndexes>,
    version: Version,
    names: NameTable,
}

impl Building {
    /// Takes an entry in.
    ///
    /// # Errors
    ///
    /// There is no memory, or the directory is too large for an index, or has too many names that differ in the case of letters only.
    pub(super) fn add(&mut self, entry: &[u8]) -> Result<(), AllocError> {
        // What is not UTF-8 clients cannot ask for.
        let name = core::str::from_utf8(entry).ok();
        if let Some(hash) = name.and_then(|name| self.indexes.hash_of(name)) {
            self.names.insert(hash, entry)?;
        }
        if self.names.size() > MAX_INDEX {
            return Err(AllocError);
        }
        Ok(())
    }

    /// Keeps it, if nobody changed the directory meanwhile.
    pub(super) fn finish(self, directory: &Path) {
        if directory.version() == Some(self.version) {
            let inner = Inner {
                version: Some(self.version),
                names: self.names,
            };
            // Without memory the directory is read again the next time.
            let _ = self.indexes.insert(directory, inner);
        }
    }
}
