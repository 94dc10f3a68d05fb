// SPDX-License-Identifier: GPL-2.0

//! Leases, and what caching in general is worth: states, what breaks them, and how a break runs.
//!
//! [MS-SMB2] 2.2.13.2.8 (states), 3.3.1.4 (breaks), 3.3.4.7 (notification), 3.3.5.9.8 and 3.3.5.9.11 (granting),
//! 3.3.5.22.2 (acknowledgment), 3.3.6.5 (time-out); [MS-FSA] 2.1.4.12 (what breaks what), 2.1.5.18 (granting).

use crate::access::Mask;
use crate::create::Disposition;
use smb_proto::status::NtStatus;

/// What a client may cache: a lease state. Oplock levels are such states too ([`crate::oplock::Level::caching`]).
///
/// Invariant: without read caching there is no other.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct State(u8);

impl State {
    /// Nothing.
    pub const NONE: State = State(0);
    /// Data that was read.
    pub const R: State = State(1);
    /// Data that was read, and handles that the application closed.
    pub const RH: State = State(1 | 2);
    /// Data that was read or written.
    pub const RW: State = State(1 | 4);
    /// All of it.
    pub const RWH: State = State(1 | 2 | 4);

    const H: u8 = 2;
    const W: u8 = 4;

    /// The `LeaseState` of a request. A combination that does not exist, or an undefined bit, is no request at all.
    pub fn from_wire(value: u32) -> State {
        match value {
            1 => Self::R,
            3 => Self::RH,
            5 => Self::RW,
            7 => Self::RWH,
            _ => Self::NONE,
        }
    }

    /// The `LeaseState`.
    pub fn to_wire(self) -> u32 {
        u32::from(self.0)
    }

    /// Whether it has all of `other`.
    pub fn contains(self, other: State) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether reads are cached.
    pub fn reads(self) -> bool {
        self.0 != 0
    }

    /// Whether writes are cached.
    pub fn writes(self) -> bool {
        self.0 & Self::W != 0
    }

    /// Whether handles are cached.
    pub fn handles(self) -> bool {
        self.0 & Self::H != 0
    }

    /// What both allow.
    #[must_use]
    pub fn intersection(self, other: State) -> State {
        State(self.0 & other.0)
    }

    /// Without write caching.
    #[must_use]
    pub fn without_writes(self) -> State {
        State(self.0 & !Self::W)
    }

    /// Without handle caching.
    #[must_use]
    pub fn without_handles(self) -> State {
        State(self.0 & !Self::H)
    }
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match *self {
            Self::NONE => "State(-)",
            Self::R => "State(R)",
            Self::RH => "State(RH)",
            Self::RW => "State(RW)",
            _ => "State(RWH)",
        })
    }
}

/// What someone else than the holder of a lease or oplock does to the file, [MS-FSA] 2.1.4.12. The holder himself (the same
/// lease key of the same client, or for an oplock the same open) breaks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Opens it for more than its attributes.
    Open,
    /// Opens it and replaces its data.
    Overwrite,
    /// Opens it with a share mode that conflicts: the holder may have closed the handle long since.
    ShareConflict,
    /// Writes, changes the size, punches a hole, or takes or releases a byte-range lock.
    Write,
    /// Renames, links over or deletes it, or a directory above it.
    Move,
    /// For a directory: adds, removes, renames or changes an entry.
    Entries,
}

impl Trigger {
    /// What an open of a file is to those who hold caching on it; `None` if it disturbs nobody.
    ///
    /// `of_lease` is whether the holder has a lease: reading the security descriptor breaks an oplock, and not a lease.
    pub fn of_open(access: Mask, disposition: Disposition, of_lease: bool) -> Option<Trigger> {
        if disposition.overwrites() {
            return Some(Trigger::Overwrite);
        }
        if is_stat_open(access, of_lease) {
            return None;
        }
        Some(Trigger::Open)
    }
}

/// Whether an open is for the attributes alone, [MS-FSA] 2.1.5.1.2: it breaks nothing, and does not count as another open
/// when caching is granted.
pub fn is_stat_open(access: Mask, of_lease: bool) -> bool {
    let neutral = if of_lease {
        Mask::OPLOCK_NEUTRAL.union(Mask::READ_CONTROL)
    } else {
        Mask::OPLOCK_NEUTRAL
    };
    access.without(neutral).is_empty()
}

/// What must become of a holder's caching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// The most that he may keep.
    pub to: State,
    /// Whether the one who disturbs waits for the acknowledgment before he goes on.
    pub wait: bool,
}

/// What `trigger` does to a holder of `held`; `None` if nothing.
pub fn broken_by(held: State, trigger: Trigger) -> Option<Break> {
    let (to, wait) = match trigger {
        Trigger::Open => (held.without_writes(), held.writes()),
        Trigger::Overwrite | Trigger::Write => (State::NONE, held.writes()),
        Trigger::ShareConflict | Trigger::Move => (held.without_handles(), held.handles()),
        Trigger::Entries => (State::NONE, false),
    };
    if to == held {
        return None;
    }
    Some(Break { to, wait })
}

/// What others hold on the file, as far as it limits what can be granted. Opens of the same lease key are not others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Someone has it open for more than its attributes.
    pub opens: bool,
    /// Someone caches writes (and was not asked to stop, as an open for attributes alone asks nobody).
    pub write_caching: bool,
    /// Someone caches handles by a lease.
    pub handle_lease: bool,
    /// Someone has an oplock.
    pub oplock: bool,
    /// There are byte-range locks.
    pub locks: bool,
}

/// What kind of file caching is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or a stream.
    File,
    /// A directory.
    Directory,
}

/// The most that a lease can be granted, [MS-FSA] 2.1.5.18.2. A directory has only leases of version 2, which the
/// connection must have negotiated: `directory_leases`.
pub fn grantable(requested: State, kind: Kind, directory_leases: bool, others: Others) -> State {
    let mut state = requested;
    if kind == Kind::Directory {
        state = if directory_leases {
            state.without_writes()
        } else {
            State::NONE
        };
    }
    if others.opens || others.oplock {
        state = state.without_writes();
    }
    if others.oplock {
        state = state.without_handles();
    }
    if others.write_caching {
        state = State::NONE;
    }
    state
}

/// A lease break notification to send, [MS-SMB2] 2.2.23.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `CurrentLeaseState`.
    pub from: State,
    /// `NewLeaseState`.
    pub to: State,
    /// SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED.
    pub ack_required: bool,
    /// `NewEpoch`; zero for version 1.
    pub epoch: u16,
}

/// Which create context the lease came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `RqLs` of SMB 2.1: no epoch, no parent, not for directories.
    V1,
    /// `RqLs` of the SMB 3 family.
    V2,
}

/// A break that the client has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Breaking {
    /// What the client was told to keep at most.
    told: State,
    /// What it may keep after everything that has happened since; within `told`.
    required: State,
}

/// What a lease answers to an open with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// `LeaseState`.
    pub state: State,
    /// SMB2_LEASE_FLAG_BREAK_IN_PROGRESS.
    pub break_in_progress: bool,
    /// `Epoch`; zero for version 1.
    pub epoch: u16,
}

/// What follows from an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The lease's state, for the reply.
    pub state: State,
    /// A further break to send after the reply.
    pub next: Option<Notice>,
    /// Whether those who wait for the break may go on.
    pub done: bool,
}

/// A lease: one per client and lease key. Its key, client and opens are the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    state: State,
    breaking: Option<Breaking>,
    version: Version,
    epoch: u16,
}

impl Lease {
    /// A new lease with what [`grantable`] allowed. `epoch` is that of the request; granting counts it up
    /// ([MS-SMB2] 3.3.5.9.11).
    pub fn new(version: Version, epoch: u16, granted: State) -> Self {
        let epoch = match version {
            Version::V1 => 0,
            Version::V2 => epoch.wrapping_add(1),
        };
        Lease {
            state: granted,
            breaking: None,
            version,
            epoch,
        }
    }

    /// What it allows now. While a break is under way that is what the client still holds.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether an acknowledgment is awaited.
    pub fn is_breaking(&self) -> bool {
        self.breaking.is_some()
    }

    /// The version of the request that made it.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What to tell an open with this lease.
    pub fn granted(&self) -> Granted {
        Granted {
            state: self.state,
            break_in_progress: self.is_breaking(),
            epoch: self.epoch,
        }
    }

    /// Another open with the lease's key, for which [`grantable`] gave `state`. A lease grows if that is more than it has and
    /// includes it, and never shrinks ([MS-SMB2] 3.3.5.9.8).
    pub fn reopen(&mut self, state: State) -> Granted {
        if !self.is_breaking() && state != self.state && state.contains(self.state) {
            self.state = state;
            self.count_epoch();
        }
        self.granted()
    }

    /// Begins to break it so that no more than `to` is left. Gives the notification to send; `None` if it has no more than
    /// that, or if a notification is out: then the acknowledgment brings the next one.
    pub fn break_to(&mut self, to: State) -> Option<Notice> {
        if let Some(breaking) = &mut self.breaking {
            breaking.required = breaking.required.intersection(to);
            return None;
        }
        let to = self.state.intersection(to);
        if to == self.state {
            return None;
        }
        self.count_epoch();
        Some(self.announce(to, to))
    }

    /// Takes the client's acknowledgment, [MS-SMB2] 3.3.5.22.2.
    ///
    /// # Errors
    ///
    /// `STATUS_UNSUCCESSFUL` if no break is under way, `STATUS_REQUEST_NOT_ACCEPTED` if the client would keep more than it
    /// was told.
    pub fn acknowledge(&mut self, state: u32) -> Result<Acknowledged, NtStatus> {
        let breaking = self.breaking.ok_or(NtStatus::UNSUCCESSFUL)?;
        if state & !breaking.told.to_wire() != 0 {
            return Err(NtStatus::REQUEST_NOT_ACCEPTED);
        }
        let state = State::from_wire(state);
        self.state = state;
        self.breaking = None;
        let mut next = None;
        if !breaking.required.contains(state) {
            // One step at a time, as Windows does: handles first, then reads.
            let told = if state == State::R {
                State::NONE
            } else {
                State::R.intersection(state)
            };
            let told = if breaking.required.reads() {
                breaking.required.intersection(state)
            } else {
                told
            };
            next = Some(self.announce(told, breaking.required));
        }
        Ok(Acknowledged {
            state,
            next,
            done: !self.is_breaking(),
        })
    }

    /// The client did not acknowledge in time, or cannot be reached: the lease is lost, [MS-SMB2] 3.3.6.5.
    pub fn give_up(&mut self) {
        self.breaking = None;
        self.state = State::NONE;
    }

    fn announce(&mut self, to: State, required: State) -> Notice {
        let from = self.state;
        // Who caches nothing but reads has nothing to bring back.
        let ack_required = from != State::R;
        if ack_required {
            self.breaking = Some(Breaking { told: to, required });
        } else {
            self.state = to;
        }
        Notice {
            from,
            to,
            ack_required,
            epoch: self.epoch,
        }
    }

    fn count_epoch(&mut self) {
        if self.version == Version::V2 {
            self.epoch = self.epoch.wrapping_add(1);
        }
    }
}

/// Whether a change in a directory breaks a lease on it, [MS-SMB2] 3.3.4.7 and [MS-FSA] 2.1.4.12: not if the one who changes
/// it named that lease as the parent of his own.
pub fn breaks_parent(
    lease_key: &[u8; 16],
    same_client: bool,
    parent_key: Option<&[u8; 16]>,
) -> bool {
    !(same_client && parent_key == Some(lease_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 5] = [State::NONE, State::R, State::RH, State::RW, State::RWH];

    #[test]
    fn states_that_do_not_exist_are_no_request() {
        for wire in 0..16 {
            let state = State::from_wire(wire);
            let expected = if [1, 3, 5, 7].contains(&wire) {
                wire
            } else {
                0
            };
            assert_eq!(state.to_wire(), expected);
        }
    }

    #[test]
    fn what_another_lease_gets_and_leaves() {
        // Held, requested, held after, granted.
        let table = [
            (State::R, State::R, State::R, State::R),
            (State::R, State::RH, State::R, State::RH),
            (State::R, State::RW, State::R, State::R),
            (State::R, State::RWH, State::R, State::RH),
            (State::RH, State::RWH, State::RH, State::RH),
            (State::RW, State::RWH, State::R, State::RH),
            (State::RWH, State::R, State::RH, State::R),
            (State::RWH, State::RWH, State::RH, State::RH),
        ];
        for (held, requested, after, granted) in table {
            let broken = broken_by(held, Trigger::Open).map_or(held, |broken| broken.to);
            assert_eq!(broken, after);
            let others = Others {
                opens: true,
                handle_lease: after.handles(),
                ..Others::default()
            };
            assert_eq!(grantable(requested, Kind::File, true, others), granted);
        }
        let oplock = Others {
            opens: true,
            oplock: true,
            ..Others::default()
        };
        assert_eq!(grantable(State::RWH, Kind::File, true, oplock), State::R);
    }

    #[test]
    fn triggers() {
        let broken =
            |held, trigger| broken_by(held, trigger).map(|broken| (broken.to, broken.wait));
        assert_eq!(broken(State::RH, Trigger::Open), None);
        assert_eq!(
            broken(State::RWH, Trigger::Overwrite),
            Some((State::NONE, true))
        );
        assert_eq!(
            broken(State::RH, Trigger::Overwrite),
            Some((State::NONE, false))
        );
        assert_eq!(
            broken(State::RWH, Trigger::ShareConflict),
            Some((State::RW, true))
        );
        assert_eq!(broken(State::RW, Trigger::ShareConflict), None);
        assert_eq!(broken(State::R, Trigger::Write), Some((State::NONE, false)));
        assert_eq!(broken(State::RH, Trigger::Move), Some((State::R, true)));
        assert_eq!(
            broken(State::RH, Trigger::Entries),
            Some((State::NONE, false))
        );
        for trigger in [
            Trigger::Open,
            Trigger::Overwrite,
            Trigger::ShareConflict,
            Trigger::Write,
            Trigger::Move,
        ] {
            assert_eq!(broken(State::NONE, trigger), None);
            for held in ALL {
                if let Some(found) = broken_by(held, trigger) {
                    assert!(held.contains(found.to));
                }
            }
        }
    }

    #[test]
    fn opens_that_disturb_nobody() {
        let open = |mask, lease| Trigger::of_open(mask, Disposition::Open, lease);
        for access in [
            Mask::READ_ATTRIBUTES,
            Mask::WRITE_ATTRIBUTES,
            Mask::SYNCHRONIZE,
        ] {
            assert_eq!(open(access, true), None);
            assert_eq!(open(access, false), None);
        }
        assert_eq!(open(Mask::READ_CONTROL, true), None);
        assert_eq!(open(Mask::READ_CONTROL, false), Some(Trigger::Open));
        for access in [
            Mask::READ_DATA,
            Mask::READ_EA,
            Mask::EXECUTE,
            Mask::DELETE,
            Mask::WRITE_DAC,
            Mask::WRITE_OWNER,
        ] {
            assert_eq!(open(access, true), Some(Trigger::Open));
        }
        let overwrite = Trigger::of_open(Mask::READ_ATTRIBUTES, Disposition::OverwriteIf, true);
        assert_eq!(overwrite, Some(Trigger::Overwrite));
    }

    #[test]
    fn directories() {
        assert_eq!(
            grantable(State::RWH, Kind::Directory, true, Others::default()),
            State::RH
        );
        assert_eq!(
            grantable(State::RWH, Kind::Directory, false, Others::default()),
            State::NONE
        );
        let key = [7; 16];
        assert!(!breaks_parent(&key, true, Some(&key)));
        assert!(breaks_parent(&key, false, Some(&key)));
        assert!(breaks_parent(&key, true, Some(&[8; 16])));
        assert!(breaks_parent(&key, true, None));
    }

    #[test]
    fn a_lease_grows_and_never_shrinks() {
        let mut lease = Lease::new(Version::V2, 0x11, State::R);
        assert_eq!(
            lease.granted(),
            Granted {
                state: State::R,
                break_in_progress: false,
                epoch: 0x12
            }
        );
        assert_eq!(lease.reopen(State::NONE).state, State::R);
        assert_eq!(
            lease.reopen(State::RH),
            Granted {
                state: State::RH,
                break_in_progress: false,
                epoch: 0x13
            }
        );
        assert_eq!(
            lease.reopen(State::RW).state,
            State::RH,
            "would lose handles"
        );
        assert_eq!(lease.reopen(State::RWH).state, State::RWH);
        let mut old = Lease::new(Version::V1, 5, State::R);
        assert_eq!(old.reopen(State::RWH).epoch, 0);
    }

    #[test]
    fn a_break_that_grows_while_it_runs_goes_in_steps() {
        let mut lease = Lease::new(Version::V2, 0, State::RWH);
        let first = lease.break_to(State::RH).unwrap();
        assert_eq!(
            first,
            Notice {
                from: State::RWH,
                to: State::RH,
                ack_required: true,
                epoch: 2
            }
        );
        assert_eq!(lease.break_to(State::NONE), None);
        assert_eq!(
            lease.reopen(State::RWH),
            Granted {
                state: State::RWH,
                break_in_progress: true,
                epoch: 2
            }
        );
        assert_eq!(lease.acknowledge(7), Err(NtStatus::REQUEST_NOT_ACCEPTED));
        let second = lease.acknowledge(3).unwrap();
        assert!(!second.done);
        assert_eq!(
            second.next,
            Some(Notice {
                from: State::RH,
                to: State::R,
                ack_required: true,
                epoch: 2
            })
        );
        let third = lease.acknowledge(1).unwrap();
        assert!(third.done);
        assert_eq!(
            third.next,
            Some(Notice {
                from: State::R,
                to: State::NONE,
                ack_required: false,
                epoch: 2
            })
        );
        assert_eq!(lease.state(), State::NONE);
        assert_eq!(lease.acknowledge(0), Err(NtStatus::UNSUCCESSFUL));
    }

    #[test]
    fn a_client_may_give_back_more() {
        let mut lease = Lease::new(Version::V1, 0, State::RWH);
        lease.break_to(State::RH).unwrap();
        let done = lease.acknowledge(0).unwrap();
        assert_eq!(
            done,
            Acknowledged {
                state: State::NONE,
                next: None,
                done: true
            }
        );
    }

    #[test]
    fn read_caching_is_taken_without_asking() {
        let mut lease = Lease::new(Version::V1, 0, State::R);
        let notice = lease.break_to(State::NONE).unwrap();
        assert_eq!(
            notice,
            Notice {
                from: State::R,
                to: State::NONE,
                ack_required: false,
                epoch: 0
            }
        );
        assert!(!lease.is_breaking());
        assert_eq!(lease.break_to(State::NONE), None);
    }

    #[test]
    fn every_break_ends() {
        // Whatever is acknowledged, at most three rounds, and never more than required is left.
        for held in ALL {
            for first in ALL {
                for second in ALL {
                    let mut lease = Lease::new(Version::V2, 0, held);
                    let notices = [lease.break_to(first), lease.break_to(second)];
                    let mut told = notices
                        .into_iter()
                        .flatten()
                        .find(|notice| notice.ack_required);
                    let mut rounds = 0;
                    while let Some(notice) = told.filter(|notice| notice.ack_required) {
                        rounds += 1;
                        assert!(rounds <= 3);
                        assert!(notice.from.contains(notice.to) && notice.from != notice.to);
                        told = lease.acknowledge(notice.to.to_wire()).unwrap().next;
                    }
                    assert!(!lease.is_breaking());
                    assert!(
                        first.contains(lease.state()),
                        "{held:?} {first:?} {second:?}"
                    );
                    assert!(
                        second.contains(lease.state()),
                        "{held:?} {first:?} {second:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_silent_client_loses_the_lease() {
        let mut lease = Lease::new(Version::V1, 0, State::RWH);
        lease.break_to(State::RH).unwrap();
        lease.give_up();
        assert_eq!((lease.state(), lease.is_breaking()), (State::NONE, false));
    }
}
