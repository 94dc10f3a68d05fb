// SPDX-License-Identifier: GPL-2.0

//! Byte-range locks.
//!
//! [MS-FSA] 2.1.5.8 (locking), 2.1.5.9 (unlocking), 2.1.4.10 (conflict of an access with a lock); [MS-SMB2] 2.2.26 and
//! 3.3.5.14 (the LOCK request and its replay).
//!
//! The held locks are the caller's; what is decided here runs over an iterator of them.

use smb_proto::status::NtStatus;

/// A range of bytes, which may be empty.
///
/// Invariant: the last byte, `offset + length - 1`, does not exceed `u64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    offset: u64,
    length: u64,
}

impl Range {
    /// The range of a lock.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_LOCK_RANGE` if it reaches beyond the last possible byte.
    pub fn new(offset: u64, length: u64) -> Result<Self, NtStatus> {
        if offset.checked_add(length.saturating_sub(1)).is_none() {
            return Err(NtStatus::INVALID_LOCK_RANGE);
        }
        Ok(Range { offset, length })
    }

    /// The range of a read or a write, cut off at the last possible byte.
    pub fn of_io(offset: u64, length: u64) -> Self {
        // One more byte than `u64::MAX - offset` fits, and makes no difference to any real file.
        Range {
            offset,
            length: length.min(u64::MAX.saturating_sub(offset)),
        }
    }

    /// First byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn last(&self) -> u64 {
        self.offset.saturating_add(self.length.saturating_sub(1))
    }

    /// Whether two ranges get in each other's way. An empty one is the boundary before its offset: it meets every range
    /// that has bytes on both sides of that, and no other empty one.
    pub fn overlaps(&self, other: &Range) -> bool {
        match (self.length, other.length) {
            (0, 0) => false,
            (0, _) => other.offset < self.offset && self.offset <= other.last(),
            (_, 0) => self.offset < other.offset && other.offset <= self.last(),
            _ => self.offset <= other.last() && other.offset <= self.last(),
        }
    }
}

/// Whether others may hold the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Others may lock it shared too; nobody may write.
    Shared,
    /// Nobody else may read, write or lock it.
    Exclusive,
}

/// A lock that is held or asked for. `O` tells one open from another: locks belong to opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock<O> {
    /// Which bytes.
    pub range: Range,
    /// How.
    pub kind: Kind,
    /// By which open.
    pub owner: O,
}

/// Whether `new` can be granted beside those held. An open can put a shared lock on top of its own exclusive one, and
/// nothing else on top of an exclusive one ([MS-FSA] 2.1.4.10).
pub fn grantable<'l, O: PartialEq + 'l>(
    held: impl IntoIterator<Item = &'l Lock<O>>,
    new: &Lock<O>,
) -> bool {
    !held
        .into_iter()
        .any(|old| old.range.overlaps(&new.range) && excludes(old, new))
}

fn excludes<O: PartialEq>(old: &Lock<O>, new: &Lock<O>) -> bool {
    match (old.kind, new.kind) {
        (Kind::Shared, Kind::Shared) => false,
        (Kind::Exclusive, Kind::Shared) => old.owner != new.owner,
        (_, Kind::Exclusive) => true,
    }
}

/// What an access does to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads them.
    Read,
    /// Writes them, punches a hole, or is about to cut them off.
    Write,
}

/// Whether `owner` may access the bytes ([MS-FSA] 2.1.4.10). A shared lock keeps its own holder from writing too. An
/// access to no bytes always passes.
///
/// # Errors
///
/// `STATUS_FILE_LOCK_CONFLICT`.
pub fn check_access<'l, O: PartialEq + 'l>(
    held: impl IntoIterator<Item = &'l Lock<O>>,
    range: Range,
    access: Access,
    owner: &O,
) -> Result<(), NtStatus> {
    let stops = |lock: &Lock<O>| match (lock.kind, access) {
        (Kind::Shared, Access::Read) => false,
        (Kind::Shared, Access::Write) => true,
        (Kind::Exclusive, _) => lock.owner != *owner,
    };
    if range.length != 0
        && held
            .into_iter()
            .any(|lock| lock.range.overlaps(&range) && stops(lock))
    {
        return Err(NtStatus::FILE_LOCK_CONFLICT);
    }
    Ok(())
}

/// Whether an unlock of `range` by `owner` releases this lock: exactly the same range, whatever the kind. One unlock
/// releases one lock, the first found ([MS-FSA] 2.1.5.9); if there is none the status is `STATUS_RANGE_NOT_LOCKED`.
pub fn released_by<O: PartialEq>(lock: &Lock<O>, range: Range, owner: &O) -> bool {
    lock.range == range && lock.owner == *owner
}

/// What the elements of a LOCK request do; the first one decides ([MS-SMB2] 3.3.5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All are unlocks, carried out one by one: what precedes a bad one is done.
    Unlock,
    /// All are locks that fail at once when they conflict; all or none.
    Lock,
    /// A single lock that waits until it can be granted.
    LockAndWait(Kind),
}

/// One element of a LOCK request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Release.
    Unlock(Range),
    /// Take.
    Lock(Range, Kind),
}

impl Mode {
    const SHARED: u32 = 0x01;
    const EXCLUSIVE: u32 = 0x02;
    const UNLOCK: u32 = 0x04;
    const FAIL_IMMEDIATELY: u32 = 0x10;

    /// The mode of a request with `count` elements, of which the first has `flags`.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for no element, for flags that do not go together, or for several elements that would
    /// wait.
    pub fn of(count: usize, flags: u32) -> Result<Mode, NtStatus> {
        match (flags, count) {
            (_, 0) => Err(NtStatus::INVALID_PARAMETER),
            (Self::UNLOCK, _) => Ok(Mode::Unlock),
            (Self::SHARED, 1) => Ok(Mode::LockAndWait(Kind::Shared)),
            (Self::EXCLUSIVE, 1) => Ok(Mode::LockAndWait(Kind::Exclusive)),
            _ if Self::lock_kind(flags).is_some_and(|(_, waits)| !waits) => Ok(Mode::Lock),
            _ => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    /// The kind of a lock element, and whether it waits.
    fn lock_kind(flags: u32) -> Option<(Kind, bool)> {
        let waits = flags & Self::FAIL_IMMEDIATELY == 0;
        match flags & !Self::FAIL_IMMEDIATELY {
            Self::SHARED => Some((Kind::Shared, waits)),
            Self::EXCLUSIVE => Some((Kind::Exclusive, waits)),
            _ => None,
        }
    }

    /// Reads an element of a request of this mode. Locks are all read before the first is taken.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if the element does something else than the mode, `STATUS_INVALID_LOCK_RANGE` for a range
    /// that no lock can have.
    pub fn element(self, offset: u64, length: u64, flags: u32) -> Result<Element, NtStatus> {
        match self {
            Mode::Unlock if flags == Self::UNLOCK => {
                Ok(Element::Unlock(Range::new(offset, length)?))
            }
            Mode::Unlock => Err(NtStatus::INVALID_PARAMETER),
            Mode::Lock => match Self::lock_kind(flags) {
                Some((kind, false)) => Ok(Element::Lock(Range::new(offset, length)?, kind)),
                _ => Err(NtStatus::INVALID_PARAMETER),
            },
            Mode::LockAndWait(kind) => Ok(Element::Lock(Range::new(offset, length)?, kind)),
        }
    }
}

/// The lock sequence numbers of an open, by which a LOCK that is sent again after a lost connection is known,
/// [MS-SMB2] 3.3.5.14. For opens that survive a connection, and for all opens of a multichannel SMB 3 connection.
#[derive(Clone, Debug)]
pub struct Sequences([u8; 64]);

/// A number in a [`Sequences`], to be marked when the request has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    at: usize,
    number: u8,
}

/// What a request's `LockSequence` says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was carried out before: answer success, and do nothing.
    Before,
    /// It is new; if it succeeds, [`Sequences::succeeded`] is told.
    New(Option<Slot>),
}

impl Default for Sequences {
    fn default() -> Self {
        Self::new()
    }
}

impl Sequences {
    const INVALID: u8 = 0xFF;

    /// No request was seen.
    pub const fn new() -> Self {
        Sequences([Self::INVALID; 64])
    }

    /// Looks up the `LockSequenceNumber` (low four bits) at the `LockSequenceIndex` (the rest). Indexes other than 1 to 64
    /// are not tracked.
    pub fn look_up(&mut self, lock_sequence: u32) -> Seen {
        let number = u8::try_from(lock_sequence & 0xF).unwrap_or(0);
        let at = usize::try_from(lock_sequence.wrapping_shr(4))
            .ok()
            .and_then(|index| index.checked_sub(1));
        let Some(at) = at else { return Seen::New(None) };
        let Some(place) = self.0.get_mut(at) else {
            return Seen::New(None);
        };
        if *place == number {
            return Seen::Before;
        }
        *place = Self::INVALID;
        Seen::New(Some(Slot { at, number }))
    }

    /// Marks a request as carried out.
    pub fn succeeded(&mut self, slot: Slot) {
        if let Some(place) = self.0.get_mut(slot.at) {
            *place = slot.number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARED: u32 = 1;
    const EXCLUSIVE: u32 = 2;
    const UNLOCK: u32 = 4;
    const AT_ONCE: u32 = 0x10;

    fn lock(offset: u64, length: u64, kind: Kind, owner: u8) -> Lock<u8> {
        Lock {
            range: Range::new(offset, length).unwrap(),
            kind,
            owner,
        }
    }

    /// Whether ranges meet, over the halves of small numbers: byte `n` is the point `2n + 1`, the boundary before it `2n`.
    fn brute(a: Range, b: Range) -> bool {
        let points = |range: Range| -> Vec<u64> {
            if range.length == 0 {
                vec![2 * range.offset]
            } else {
                (2 * range.offset + 1..2 * (range.offset + range.length)).collect()
            }
        };
        let both_empty = a.length == 0 && b.length == 0;
        !both_empty && points(a).iter().any(|point| points(b).contains(point))
    }

    proptest! {
        #[test]
        fn overlap_agrees_with_points(a in (0u64..12, 0u64..6), b in (0u64..12, 0u64..6)) {
            let (a, b) = (Range::new(a.0, a.1).unwrap(), Range::new(b.0, b.1).unwrap());
            prop_assert_eq!(a.overlaps(&b), brute(a, b));
            prop_assert_eq!(b.overlaps(&a), brute(a, b));
        }

        #[test]
        fn held_locks_never_contradict(
            steps in prop::collection::vec((0u64..16, 0u64..6, any::<bool>(), 0u8..3, any::<bool>()), 0..60)
        ) {
            let mut held: Vec<Lock<u8>> = Vec::new();
            for (offset, length, exclusive, owner, unlock) in steps {
                let kind = if exclusive { Kind::Exclusive } else { Kind::Shared };
                let new = lock(offset, length, kind, owner);
                if unlock {
                    if let Some(at) = held.iter().position(|old| released_by(old, new.range, &owner)) {
                        held.remove(at);
                    }
                } else if grantable(&held, &new) {
                    held.push(new);
                }
                // Byte by byte: one exclusive owner, or shared ones, or an exclusive one below his own shared ones.
                for byte in 0..24 {
                    let on = |kind| {
                        let holders = held.iter().filter(move |l| l.kind == kind);
                        holders.filter(|l| l.range.offset <= byte && byte < l.range.offset + l.range.length)
                    };
                    prop_assert!(on(Kind::Exclusive).count() <= 1);
                    if let Some(first) = on(Kind::Exclusive).next() {
                        prop_assert!(on(Kind::Shared).all(|l| l.owner == first.owner));
                    }
                    for owner in 0..3 {
                        let at = Range::of_io(byte, 1);
                        let reads = on(Kind::Exclusive).all(|l| l.owner == owner);
                        let writes = reads && on(Kind::Shared).next().is_none();
                        prop_assert_eq!(check_access(&held, at, Access::Read, &owner).is_ok(), reads);
                        prop_assert_eq!(check_access(&held, at, Access::Write, &owner).is_ok(), writes);
                    }
                }
            }
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(
            Range::new(u64::MAX, u64::MAX),
            Err(NtStatus::INVALID_LOCK_RANGE)
        );
        assert_eq!(Range::new(u64::MAX, 2), Err(NtStatus::INVALID_LOCK_RANGE));
        assert!(Range::new(u64::MAX, 1).is_ok());
        assert!(Range::new(u64::MAX, 0).is_ok());
        assert!(Range::new(0, u64::MAX).is_ok());
        let all = Range::new(0, u64::MAX).unwrap();
        assert!(all.overlaps(&Range::new(u64::MAX - 1, 1).unwrap()));
        assert!(!all.overlaps(&Range::new(u64::MAX, 1).unwrap()));
        assert!(
            Range::of_io(u64::MAX - 1, u64::MAX).overlaps(&Range::new(u64::MAX - 1, 1).unwrap())
        );
    }

    #[test]
    fn empty_ranges_are_boundaries() {
        let table = [
            (10, 0, true),
            (9, 1, true),
            (10, 1, true),
            (11, 1, true),
            (9, 2, false),
            (10, 2, true),
            (9, 3, false),
        ];
        let empty = lock(10, 0, Kind::Exclusive, 1);
        for (offset, length, granted) in table {
            let new = lock(offset, length, Kind::Exclusive, 2);
            assert_eq!(grantable([&empty], &new), granted, "{offset} {length}");
            assert_eq!(grantable([&new], &empty), granted, "{offset} {length}");
        }
        assert!(grantable(
            [&lock(0, 0, Kind::Exclusive, 1)],
            &lock(0, u64::MAX, Kind::Exclusive, 2)
        ));
    }

    #[test]
    fn stacking() {
        let exclusive = lock(0, 10, Kind::Exclusive, 1);
        let shared = lock(0, 10, Kind::Shared, 1);
        assert!(grantable([&exclusive], &shared));
        assert!(!grantable([&shared], &exclusive));
        assert!(
            !grantable([&exclusive], &exclusive),
            "not even for its own holder"
        );
        assert!(!grantable([&exclusive], &lock(0, 10, Kind::Shared, 2)));
        assert!(grantable([&shared], &lock(5, 1, Kind::Shared, 2)));
    }

    #[test]
    fn reading_and_writing() {
        let at = Range::of_io(0, 4);
        let conflict = Err(NtStatus::FILE_LOCK_CONFLICT);
        let shared = [lock(0, 10, Kind::Shared, 1)];
        assert_eq!(check_access(&shared, at, Access::Write, &1), conflict);
        assert_eq!(check_access(&shared, at, Access::Read, &2), Ok(()));
        let exclusive = [lock(0, 10, Kind::Exclusive, 1)];
        assert_eq!(check_access(&exclusive, at, Access::Write, &1), Ok(()));
        assert_eq!(check_access(&exclusive, at, Access::Read, &2), conflict);
        assert_eq!(
            check_access(&exclusive, Range::of_io(0, 0), Access::Read, &2),
            Ok(())
        );
    }

    #[test]
    fn modes() {
        let bad = Err(NtStatus::INVALID_PARAMETER);
        assert_eq!(Mode::of(0, SHARED), bad);
        for flags in [
            0,
            !0x17,
            UNLOCK | EXCLUSIVE,
            UNLOCK | SHARED,
            UNLOCK | AT_ONCE,
            SHARED | EXCLUSIVE,
            AT_ONCE,
        ] {
            assert_eq!(Mode::of(1, flags), bad, "{flags:#x}");
        }
        assert_eq!(Mode::of(1, SHARED), Ok(Mode::LockAndWait(Kind::Shared)));
        assert_eq!(Mode::of(2, SHARED), bad);
        assert_eq!(Mode::of(2, SHARED | AT_ONCE), Ok(Mode::Lock));
        assert_eq!(Mode::of(2, UNLOCK), Ok(Mode::Unlock));
        assert_eq!(
            Mode::Lock.element(0, 1, UNLOCK),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(
            Mode::Lock.element(0, 1, SHARED),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(
            Mode::Unlock.element(0, 1, SHARED),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(
            Mode::Unlock.element(1, 2, UNLOCK),
            Ok(Element::Unlock(Range::new(1, 2).unwrap()))
        );
        assert_eq!(
            Mode::Lock.element(u64::MAX, 2, EXCLUSIVE | AT_ONCE),
            Err(NtStatus::INVALID_LOCK_RANGE)
        );
    }

    #[test]
    fn replays() {
        let mut sequences = Sequences::new();
        let Seen::New(Some(slot)) = sequences.look_up(0x13) else {
            panic!()
        };
        assert!(
            matches!(sequences.look_up(0x13), Seen::New(Some(_))),
            "it has not succeeded"
        );
        sequences.succeeded(slot);
        assert_eq!(sequences.look_up(0x13), Seen::Before);
        assert!(matches!(sequences.look_up(0x14), Seen::New(Some(_))));
        assert!(
            matches!(sequences.look_up(0x13), Seen::New(Some(_))),
            "a new number forgets the old"
        );
        assert_eq!(sequences.look_up(0x03), Seen::New(None));
        assert!(matches!(sequences.look_up(0x40F), Seen::New(Some(_))));
        assert_eq!(sequences.look_up(0x410), Seen::New(None));
        assert_eq!(sequences.look_up(u32::MAX), Seen::New(None));
    }
}
