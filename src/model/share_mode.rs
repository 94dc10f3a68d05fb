// SPDX-License-Identifier: GPL-2.0

//! Share modes: whether two opens of one stream can live side by side.
//!
//! [MS-FSA] 2.1.5.1.2.2, "Algorithm to Check Sharing Access to an Existing Stream or Directory". Only reading the data,
//! writing the data and deleting take part; an open that asks for none of these conflicts with nothing.

use crate::access::Mask;

/// The `ShareAccess` field of a CREATE request, [MS-SMB2] 2.2.13: what the opener allows others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// Nothing is allowed to others.
    pub const NONE: Share = Share(0);
    /// Others may read.
    pub const READ: Share = Share(1);
    /// Others may write.
    pub const WRITE: Share = Share(2);
    /// Others may delete.
    pub const DELETE: Share = Share(4);
    /// Others may do all of it.
    pub const ALL: Share = Share(7);

    /// The field's value as a share mode; `None` if it has a bit that the document does not define.
    pub fn from_wire(value: u32) -> Option<Self> {
        if value & !Self::ALL.0 != 0 {
            return None;
        }
        Some(Share(value))
    }

    /// The value on the wire.
    pub fn to_wire(self) -> u32 {
        self.0
    }

    /// Whether every right of `other` is shared.
    pub fn contains(self, other: Share) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub fn union(self, other: Share) -> Share {
        Share(self.0 | other.0)
    }
}

/// The uses of `access` that take part in sharing, as the [`Share`] that another open must grant for them.
pub fn uses(access: Mask) -> Share {
    let part = |rights, share: Share| {
        if access.intersects(rights) {
            share.0
        } else {
            0
        }
    };
    Share(
        part(Mask::READ_DATA.union(Mask::EXECUTE), Share::READ)
            | part(Mask::WRITE_DATA.union(Mask::APPEND_DATA), Share::WRITE)
            | part(Mask::DELETE, Share::DELETE),
    )
}

/// Whether two opens of the same stream conflict.
pub fn conflict(held: (Mask, Share), new: (Mask, Share)) -> bool {
    let (held_uses, new_uses) = (uses(held.0), uses(new.0));
    if held_uses == Share::NONE || new_uses == Share::NONE {
        return false;
    }
    !held.1.contains(new_uses) || !new.1.contains(held_uses)
}

/// What the opens of one stream use and share, counted, so that a new open is checked in constant time.
///
/// Only opens that take part in sharing are counted; the others are left out by [`add`](Self::add) and
/// [`remove`](Self::remove) alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    opens: u32,
    readers: u32,
    writers: u32,
    deleters: u32,
    share_read: u32,
    share_write: u32,
    share_delete: u32,
}

impl Summary {
    /// No opens.
    pub const fn new() -> Self {
        Summary {
            opens: 0,
            readers: 0,
            writers: 0,
            deleters: 0,
            share_read: 0,
            share_write: 0,
            share_delete: 0,
        }
    }

    /// Whether an open with `access` and `share` conflicts with one of those counted.
    pub fn conflicts(&self, access: Mask, share: Share) -> bool {
        let uses = uses(access);
        if uses == Share::NONE {
            return false;
        }
        let refused = |wanted, sharing| uses.contains(wanted) && sharing < self.opens;
        let disturbs = |kept, users| !share.contains(kept) && users > 0;
        refused(Share::READ, self.share_read)
            || refused(Share::WRITE, self.share_write)
            || refused(Share::DELETE, self.share_delete)
            || disturbs(Share::READ, self.readers)
            || disturbs(Share::WRITE, self.writers)
            || disturbs(Share::DELETE, self.deleters)
    }

    /// Whether one of the opens forbids deleting. Deleting or renaming a file asks this of each of its streams, not only
    /// of the one that the handle names ([MS-FSA] 2.1.5.1.2.2).
    pub fn forbids_delete(&self) -> bool {
        self.share_delete < self.opens
    }

    /// Number of opens that take part in sharing.
    pub fn opens(&self) -> u32 {
        self.opens
    }

    /// Counts an open. The caller has checked that it does not conflict.
    pub fn add(&mut self, access: Mask, share: Share) {
        self.apply(access, share, u32::saturating_add);
    }

    /// Takes back an open that was counted with the same `access` and `share`.
    pub fn remove(&mut self, access: Mask, share: Share) {
        self.apply(access, share, u32::saturating_sub);
    }

    fn apply(&mut self, access: Mask, share: Share, by: fn(u32, u32) -> u32) {
        let uses = uses(access);
        if uses == Share::NONE {
            return;
        }
        let one = |set: Share, part| u32::from(set.contains(part));
        self.opens = by(self.opens, 1);
        self.readers = by(self.readers, one(uses, Share::READ));
        self.writers = by(self.writers, one(uses, Share::WRITE));
        self.deleters = by(self.deleters, one(uses, Share::DELETE));
        self.share_read = by(self.share_read, one(share, Share::READ));
        self.share_write = by(self.share_write, one(share, Share::WRITE));
        self.share_delete = by(self.share_delete, one(share, Share::DELETE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open() -> impl Strategy<Value = (Mask, Share)> {
        let rights = prop_oneof![
            Just(0u32),
            Just(0x80),
            Just(0x100080),
            Just(1),
            Just(2),
            Just(4),
            Just(0x20),
            Just(0x10000),
            Just(0x10001),
            Just(0x1f01ff),
            Just(0x120089),
        ];
        (rights, 0u32..8).prop_map(|(access, share)| (Mask(access), Share(share)))
    }

    proptest! {
        #[test]
        fn summary_agrees_with_comparing_pairs(steps in prop::collection::vec((open(), any::<bool>()), 0..40)) {
            let mut summary = Summary::new();
            let mut opens: Vec<(Mask, Share)> = Vec::new();
            for (new, close) in steps {
                if close && !opens.is_empty() {
                    let old = opens.remove(opens.len() / 2);
                    summary.remove(old.0, old.1);
                }
                let expected = opens.iter().any(|held| conflict(*held, new));
                prop_assert_eq!(summary.conflicts(new.0, new.1), expected);
                if !expected {
                    opens.push(new);
                    summary.add(new.0, new.1);
                }
            }
            for old in opens.drain(..) {
                summary.remove(old.0, old.1);
            }
            prop_assert_eq!(summary, Summary::new());
        }
    }

    #[test]
    fn attributes_conflict_with_nothing() {
        let attributes = Mask::READ_ATTRIBUTES
            .union(Mask::WRITE_ATTRIBUTES)
            .union(Mask::SYNCHRONIZE);
        assert!(!conflict(
            (Mask::ALL_FILE, Share::NONE),
            (attributes, Share::NONE)
        ));
        let mut summary = Summary::new();
        summary.add(attributes, Share::NONE);
        assert!(!summary.conflicts(Mask::ALL_FILE, Share::NONE));
        assert!(!summary.forbids_delete());
    }

    #[test]
    fn both_sides_must_share() {
        let reader = (Mask::READ_DATA, Share::READ);
        assert!(!conflict(reader, reader));
        assert!(
            conflict(reader, (Mask::READ_DATA, Share::WRITE)),
            "the new one does not share reading"
        );
        assert!(
            conflict(reader, (Mask::WRITE_DATA, Share::ALL)),
            "the old one does not share writing"
        );
        assert!(conflict(reader, (Mask::DELETE, Share::ALL)), "nor deleting");
        assert!(!conflict(
            (Mask::READ_DATA, Share::ALL),
            (Mask::DELETE, Share::READ)
        ));
    }

    #[test]
    fn undefined_bits_are_refused() {
        assert_eq!(Share::from_wire(7), Some(Share::ALL));
        assert_eq!(Share::from_wire(8), None);
    }
}
