// SPDX-License-Identifier: GPL-2.0

//! Oplocks: one per open, of the levels that SMB2 has without leases.
//!
//! [MS-SMB2] 2.2.13 (levels), 3.3.4.6 (break notification), 3.3.5.22.1 (acknowledgment), 3.3.6.1 (time-out). What breaks
//! them is the same as for leases: [`crate::lease::broken_by`] over [`Level::caching`].

use crate::lease::{Kind, Others, State};
use smb_proto::status::NtStatus;

/// `STATUS_INVALID_DEVICE_STATE`, [MS-ERREF] 2.3.
pub const INVALID_DEVICE_STATE: NtStatus = NtStatus(0xC000_0184);

/// `OplockLevel` of a lease, which is not a level of an oplock.
pub const LEASE: u8 = 0xFF;

/// An oplock level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None.
    #[default]
    None,
    /// Level II: reads may be cached.
    Two,
    /// Exclusive: writes too.
    Exclusive,
    /// Batch: closed handles too.
    Batch,
}

impl Level {
    /// The level of a field; `None` for [`LEASE`] and for undefined values.
    pub fn from_wire(value: u8) -> Option<Level> {
        Some(match value {
            0x00 => Level::None,
            0x01 => Level::Two,
            0x08 => Level::Exclusive,
            0x09 => Level::Batch,
            _ => return None,
        })
    }

    /// The field's value.
    pub fn to_wire(self) -> u8 {
        match self {
            Level::None => 0x00,
            Level::Two => 0x01,
            Level::Exclusive => 0x08,
            Level::Batch => 0x09,
        }
    }

    /// What its holder may cache.
    pub fn caching(self) -> State {
        match self {
            Level::None => State::NONE,
            Level::Two => State::R,
            Level::Exclusive => State::RW,
            Level::Batch => State::RWH,
        }
    }

    /// The level that an oplock which is broken to `state` goes to: II or none, as there is no way from batch to
    /// exclusive.
    fn broken_to(state: State) -> Level {
        if state.reads() {
            Level::Two
        } else {
            Level::None
        }
    }
}

/// The most that an oplock can be granted, [MS-FSA] 2.1.5.18.1.
pub fn grantable(requested: Level, kind: Kind, others: Others) -> Level {
    if kind == Kind::Directory || others.write_caching {
        return Level::None;
    }
    let level = if others.opens || others.oplock {
        requested.min(Level::Two)
    } else {
        requested
    };
    if level == Level::Two && (others.handle_lease || others.locks) {
        // Level II tolerates neither, as nobody would break it for them.
        return Level::None;
    }
    level
}

/// An oplock break notification to send, [MS-SMB2] 2.2.23.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `OplockLevel`: the level it goes to.
    pub to: Level,
    /// Whether the client answers.
    pub ack_required: bool,
}

/// What follows from an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The level that is left, for the reply.
    pub level: Level,
    /// A further break to send after the reply; it is not acknowledged.
    pub next: Option<Notice>,
}

/// The oplock of an open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oplock {
    level: Level,
    /// The level told and the level required by now, while an acknowledgment is awaited.
    breaking: Option<(Level, Level)>,
}

impl Oplock {
    /// An oplock of a level that [`grantable`] allowed.
    pub fn new(level: Level) -> Self {
        Oplock {
            level,
            breaking: None,
        }
    }

    /// The level that the client holds.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether an acknowledgment is awaited.
    pub fn is_breaking(&self) -> bool {
        self.breaking.is_some()
    }

    /// Begins to break it so that no more than `to` is left. Gives the notification to send; `None` if it has no more
    /// than that, or if a notification is out.
    pub fn break_to(&mut self, to: State) -> Option<Notice> {
        let to = Level::broken_to(to);
        if let Some((_, required)) = &mut self.breaking {
            *required = to.min(*required);
            return None;
        }
        if self.level <= to {
            return None;
        }
        let ack_required = self.level > Level::Two;
        if ack_required {
            self.breaking = Some((to, to));
        } else {
            self.level = to;
        }
        Some(Notice { to, ack_required })
    }

    /// Takes the client's acknowledgment with the `OplockLevel` that it names, [MS-SMB2] 3.3.5.22.1.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for a value that is no level, [`INVALID_DEVICE_STATE`] if no break is under way,
    /// `STATUS_INVALID_OPLOCK_PROTOCOL` if the client would keep more than level II: then it keeps nothing.
    pub fn acknowledge(&mut self, level: u8) -> Result<Acknowledged, NtStatus> {
        let level = Level::from_wire(level).ok_or(NtStatus::INVALID_PARAMETER)?;
        let Some((told, required)) = self.breaking else {
            return Err(if self.level == Level::Two && level != Level::None {
                NtStatus::INVALID_OPLOCK_PROTOCOL
            } else {
                INVALID_DEVICE_STATE
            });
        };
        self.breaking = None;
        if level > Level::Two {
            self.level = Level::None;
            return Err(NtStatus::INVALID_OPLOCK_PROTOCOL);
        }
        let kept = level.min(told);
        self.level = kept.min(required);
        let next = (self.level < kept).then_some(Notice {
            to: self.level,
            ack_required: false,
        });
        Ok(Acknowledged { level: kept, next })
    }

    /// The client did not acknowledge in time, or cannot be reached: the oplock is lost, [MS-SMB2] 3.3.6.1.
    pub fn give_up(&mut self) {
        *self = Oplock::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{broken_by, Trigger};

    #[test]
    fn granting() {
        let opens = Others {
            opens: true,
            ..Others::default()
        };
        assert_eq!(
            grantable(Level::Batch, Kind::File, Others::default()),
            Level::Batch
        );
        assert_eq!(grantable(Level::Batch, Kind::File, opens), Level::Two);
        assert_eq!(grantable(Level::None, Kind::File, opens), Level::None);
        assert_eq!(
            grantable(Level::Batch, Kind::Directory, Others::default()),
            Level::None
        );
        for other in [
            Others {
                handle_lease: true,
                ..opens
            },
            Others {
                locks: true,
                ..opens
            },
            Others {
                write_caching: true,
                ..Others::default()
            },
        ] {
            assert_eq!(grantable(Level::Exclusive, Kind::File, other), Level::None);
        }
    }

    #[test]
    fn what_another_open_leaves() {
        for (held, trigger, left) in [
            (Level::Batch, Trigger::Open, Some(Level::Two)),
            (Level::Exclusive, Trigger::Open, Some(Level::Two)),
            (Level::Two, Trigger::Open, None),
            (Level::Exclusive, Trigger::Overwrite, Some(Level::None)),
            (Level::Two, Trigger::Overwrite, Some(Level::None)),
            (Level::Two, Trigger::Write, Some(Level::None)),
            (Level::Batch, Trigger::ShareConflict, Some(Level::Two)),
            (Level::Exclusive, Trigger::ShareConflict, None),
            (Level::Two, Trigger::Move, None),
        ] {
            let mut oplock = Oplock::new(held);
            let notice =
                broken_by(held.caching(), trigger).and_then(|broken| oplock.break_to(broken.to));
            assert_eq!(notice.map(|notice| notice.to), left, "{held:?} {trigger:?}");
            assert_eq!(
                notice.is_some_and(|notice| notice.ack_required),
                oplock.is_breaking()
            );
        }
    }

    #[test]
    fn acknowledging() {
        let mut oplock = Oplock::new(Level::Batch);
        assert_eq!(oplock.acknowledge(0), Err(INVALID_DEVICE_STATE));
        oplock.break_to(State::RH).unwrap();
        assert_eq!(oplock.acknowledge(LEASE), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(
            oplock.acknowledge(1),
            Ok(Acknowledged {
                level: Level::Two,
                next: None
            })
        );
        assert_eq!(oplock.level(), Level::Two);
        assert_eq!(
            oplock.acknowledge(1),
            Err(NtStatus::INVALID_OPLOCK_PROTOCOL)
        );

        let mut greedy = Oplock::new(Level::Exclusive);
        greedy.break_to(State::R).unwrap();
        assert_eq!(
            greedy.acknowledge(8),
            Err(NtStatus::INVALID_OPLOCK_PROTOCOL)
        );
        assert_eq!((greedy.level(), greedy.is_breaking()), (Level::None, false));
    }

    #[test]
    fn a_break_that_grows_while_it_runs() {
        let mut oplock = Oplock::new(Level::Batch);
        oplock.break_to(State::RH).unwrap();
        assert_eq!(oplock.break_to(State::NONE), None);
        let acknowledged = oplock.acknowledge(1).unwrap();
        assert_eq!(
            acknowledged.next,
            Some(Notice {
                to: Level::None,
                ack_required: false
            })
        );
        assert_eq!(oplock.level(), Level::None);
    }

    #[test]
    fn a_silent_client_loses_the_oplock() {
        let mut oplock = Oplock::new(Level::Batch);
        oplock.break_to(State::NONE).unwrap();
        oplock.give_up();
        assert_eq!((oplock.level(), oplock.is_breaking()), (Level::None, false));
    }
}
