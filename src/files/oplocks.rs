// SPDX-License-Identifier: GPL-2.0

//! Who caches what of one file: the holders of oplocks and leases, [MS-SMB2] 3.3.1.4 and 3.3.1.10 to 3.3.1.12.
//!
//! The rules are [`smb_model::oplock`] and [`smb_model::lease`]; here is who holds what, who waits for whom, and until
//! when. Everything happens under the lock of the file's state; what is to be sent and who is to be woken is handed out.

use kernel::prelude::*;

use linux::time;
use smb_model::access::Mask;
use smb_model::lease::{
    self, broken_by, is_stat_open, Kind, Lease, Others, State, Trigger, Version,
};
use smb_model::oplock::{self, Level, Oplock};
use smb_proto::create::OplockLevel;
use smb_proto::header::FileId;
use smb_proto::lease::{LeaseKey, LeaseState};
use smb_proto::oplock_break::{LeaseBreak, LeaseBreakFlags, OplockBreak, Reply as Message};
use smb_proto::status::NtStatus;

use crate::smb2::wait::{Wake, Waker};

use super::locks::{Owner, Wakers};

/// How long a client may take to acknowledge a break, milliseconds, [MS-SMB2] 3.3.2.1 and 3.3.2.5.
const ACKNOWLEDGE_WITHIN_MS: u64 = 35_000;
/// Requests that wait for the breaks of one file at a time.
const MAX_WAITING: usize = 4_096;
/// Opens through which a holder is looked for when it is to be told of a break.
const MAX_TARGETS: usize = 4;

/// Names a lease: a client and its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseId {
    pub(crate) client: [u8; 16],
    pub(crate) key: [u8; 16],
}

/// What an open wants to cache.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    Nothing,
    Oplock(Level),
    Lease(WantedLease),
}

/// The lease of a request.
#[derive(Clone, Copy)]
pub(crate) struct WantedLease {
    pub(crate) id: LeaseId,
    pub(crate) state: State,
    pub(crate) version: Version,
    pub(crate) epoch: u16,
}

impl Wanted {
    /// The lease, if it is one that is wanted.
    pub(crate) fn lease(&self) -> Option<LeaseId> {
        match self {
            Wanted::Lease(wanted) => Some(wanted.id),
            _ => None,
        }
    }
}

/// What an open was given to cache.
#[derive(Clone, Copy)]
pub(crate) enum Cached {
    Nothing,
    Oplock(Level),
    Lease(Version, lease::Granted),
}

impl Cached {
    /// Whether it is anything that can be broken.
    pub(crate) fn is_something(&self) -> bool {
        match self {
            Cached::Nothing => false,
            Cached::Oplock(level) => *level != Level::None,
            Cached::Lease(..) => true,
        }
    }
}

/// Who does something to a file: an open, and the lease under which it was made.
#[derive(Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) open: Owner,
    pub(crate) lease: Option<LeaseId>,
}

/// An open as a way to its client.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) open: FileId,
    pub(crate) session: u64,
    /// Whether the share demands that messages about it are sealed.
    pub(crate) must_seal: bool,
}

/// Who holds something, from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HolderId {
    Oplock(Owner),
    Lease(LeaseId),
}

/// A break notification to be sent.
pub(crate) struct Notice {
    pub(crate) holder: HolderId,
    pub(crate) targets: [Option<Target>; MAX_TARGETS],
    pub(crate) message: Message,
}

/// Notifications to be sent once the file's state is unlocked.
#[must_use]
#[derive(Default)]
pub(crate) struct Notices {
    pub(crate) due: KVec<Notice>,
    /// Whether some are held back until their holder knows what it has: their time runs all the same.
    pub(crate) any_held_back: bool,
}

enum Grant {
    Oplock(Oplock),
    Lease(LeaseId, Lease),
}

/// Someone who caches.
struct Holder {
    grant: Grant,
    /// The open with the oplock, or those with the lease.
    opens: KVec<Target>,
    /// How many of them count when others are granted caching.
    data: DataOpens,
    /// Until when an acknowledgment is awaited, monotonic milliseconds.
    deadline: Option<u64>,
}

/// Numbers of opens that are for more than attributes, as seen by oplocks and by leases.
#[derive(Clone, Copy, Default)]
pub(crate) struct DataOpens {
    oplock: u32,
    lease: u32,
}

impl DataOpens {
    /// One open with these rights.
    pub(crate) fn of(access: Mask) -> Self {
        DataOpens {
            oplock: u32::from(!is_stat_open(access, false)),
            lease: u32::from(!is_stat_open(access, true)),
        }
    }

    pub(super) fn add(&mut self, other: DataOpens) {
        self.oplock = self.oplock.saturating_add(other.oplock);
        self.lease = self.lease.saturating_add(other.lease);
    }

    pub(super) fn sub(&mut self, other: DataOpens) {
        self.oplock = self.oplock.saturating_sub(other.oplock);
        self.lease = self.lease.saturating_sub(other.lease);
    }
}

impl Holder {
    fn id(&self) -> HolderId {
        match &self.grant {
            Grant::Oplock(_) => HolderId::Oplock(self.first_open()),
            Grant::Lease(id, _) => HolderId::Lease(*id),
        }
    }

    fn first_open(&self) -> Owner {
        self.opens.first().map_or(0, |target| target.open.volatile)
    }

    fn is(&self, actor: &Actor) -> bool {
        match &self.grant {
            Grant::Oplock(_) => self.first_open() == actor.open,
            Grant::Lease(id, _) => Some(*id) == actor.lease,
        }
    }

    /// Whether what its own opens do breaks it: a level II oplock does not outlive a write, whoever writes.
    fn suffers_from_itself(&self, trigger: Trigger) -> bool {
        match &self.grant {
            Grant::Oplock(oplock) => trigger == Trigger::Write && oplock.level() == Level::Two,
            Grant::Lease(..) => false,
        }
    }

    fn is_lease(&self) -> bool {
        matches!(self.grant, Grant::Lease(..))
    }

    /// What the client caches.
    fn state(&self) -> State {
        match &self.grant {
            Grant::Oplock(oplock) => oplock.level().caching(),
            Grant::Lease(_, lease) => lease.state(),
        }
    }

    fn is_breaking(&self) -> bool {
        match &self.grant {
            Grant::Oplock(oplock) => oplock.is_breaking(),
            Grant::Lease(_, lease) => lease.is_breaking(),
        }
    }

    /// Begins to break it; gives the message to send, if one is.
    fn break_to(&mut self, to: State, now: u64) -> Option<Notice> {
        let message = match &mut self.grant {
            Grant::Oplock(oplock) => {
                let notice = oplock.break_to(to)?;
                let file_id = self
                    .opens
                    .first()
                    .map(|target| target.open)
                    .unwrap_or_default();
                oplock_message(file_id, notice.to)
            }
            Grant::Lease(id, lease) => lease_message(id, lease.break_to(to)?),
        };
        Some(self.notice(message, now))
    }

    /// Addresses a message, and sets the time until when its answer is awaited.
    fn notice(&mut self, message: Message, now: u64) -> Notice {
        let awaited = self.is_breaking();
        self.deadline = awaited.then(|| now.saturating_add(ACKNOWLEDGE_WITHIN_MS));
        let mut targets = [None; MAX_TARGETS];
        for (to, from) in targets.iter_mut().zip(self.opens.iter()) {
            *to = Some(*from);
        }
        Notice {
            holder: self.id(),
            targets,
            message,
        }
    }

    /// Takes everything from a holder that does not answer.
    fn give_up(&mut self) {
        self.deadline = None;
        match &mut self.grant {
            Grant::Oplock(oplock) => oplock.give_up(),
            Grant::Lease(_, lease) => lease.give_up(),
        }
    }

    /// Whether there is nothing left of it.
    fn is_gone(&self) -> bool {
        match &self.grant {
            Grant::Oplock(oplock) => oplock.level() == Level::None && !oplock.is_breaking(),
            Grant::Lease(..) => self.opens.is_empty(),
        }
    }
}

/// Has a holder told of a break, at once or as soon as it knows what it has.
fn tell(
    untold: &[Owner],
    held_back: &mut KVec<(HolderId, Notice)>,
    holder: &Holder,
    notice: Notice,
    notices: &mut Notices,
) -> Result {
    let is_untold = |target: &Target| untold.contains(&target.open.volatile);
    if !untold.is_empty() && holder.opens.iter().all(is_untold) {
        held_back.push((holder.id(), notice), GFP_KERNEL)?;
        notices.any_held_back = true;
    } else {
        notices.due.push(notice, GFP_KERNEL)?;
    }
    Ok(())
}

fn oplock_message(file_id: FileId, level: Level) -> Message {
    Message::Oplock(OplockBreak {
        level: OplockLevel(level.to_wire()),
        file_id,
    })
}

fn lease_message(id: &LeaseId, notice: lease::Notice) -> Message {
    Message::LeaseBreak(LeaseBreak {
        new_epoch: notice.epoch,
        flags: if notice.ack_required {
            LeaseBreakFlags::ACK_REQUIRED
        } else {
            LeaseBreakFlags::default()
        },
        key: LeaseKey(id.key),
        current_state: LeaseState::from_bits(notice.from.to_wire()),
        new_state: LeaseState::from_bits(notice.to.to_wire()),
        ..LeaseBreak::default()
    })
}

/// Who caches what of one file.
pub(super) struct Caching {
    holders: KVec<Holder>,
    /// Requests that wait for an acknowledgment, or for a close.
    waiting: KVec<Waker>,
    /// Opens that were given something, and whose clients have not been told yet.
    untold: KVec<Owner>,
    /// Breaks for holders all of whose opens are untold: a client that does not know yet what it has could make nothing of them.
    held_back: KVec<(HolderId, Notice)>,
}

/// What is known of a file when caching of it is asked for.
pub(super) struct Situation {
    pub(super) kind: Kind,
    pub(super) directory_leases: bool,
    pub(super) has_locks: bool,
    /// All opens, without the one that asks.
    pub(super) opens: DataOpens,
    /// The one that asks.
    pub(super) new: DataOpens,
}

impl Caching {
    pub(super) const fn new() -> Self {
        Caching {
            holders: KVec::new(),
            waiting: KVec::new(),
            untold: KVec::new(),
            held_back: KVec::new(),
        }
    }

    /// Breaks what `trigger` says of everyone but `actor`; the argument of `trigger` is whether the holder has a lease.
    /// Gives whether the actor has to wait.
    pub(super) fn disturb(
        &mut self,
        actor: &Actor,
        trigger: impl Fn(bool) -> Option<Trigger>,
        notices: &mut Notices,
    ) -> bool {
        let (mut must_wait, mut is_changed) = (false, false);
        for holder in self.holders.iter_mut() {
            let Some(trigger) = trigger(holder.is_lease()) else {
                continue;
            };
            if holder.is(actor) && !holder.suffers_from_itself(trigger) {
                continue;
            }
            let Some(broken) = broken_by(holder.state(), trigger) else {
                continue;
            };
            is_changed = true;
            if let Some(notice) = holder.break_to(broken.to, time::monotonic_ms()) {
                if tell(&self.untold, &mut self.held_back, holder, notice, notices).is_err() {
                    // Who cannot be told cannot keep it.
                    holder.give_up();
                }
            }
            must_wait |= broken.wait && holder.is_breaking();
        }
        if is_changed {
            self.sweep();
        }
        must_wait
    }

    /// Has `waker` woken when a break ends or an open is closed.
    pub(super) fn wait(&mut self, waker: &Waker) -> Result<(), NtStatus> {
        let no_room = NtStatus::INSUFFICIENT_RESOURCES;
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.retain(|waker| !waker.is_over());
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(no_room);
        }
        self.waiting
            .push(waker.clone(), GFP_KERNEL)
            .map_err(|_| no_room)
    }

    /// Hands out everyone who waits.
    pub(super) fn let_go(&mut self, wakers: &mut Wakers) {
        for waker in core::mem::replace(&mut self.waiting, KVec::new()) {
            wakers.add(waker, Wake::Ready);
        }
    }

    /// Gives a new open what it can have of what it wants.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn grant(
        &mut self,
        wanted: Wanted,
        target: Target,
        situation: &Situation,
    ) -> Result<Cached, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        self.untold.reserve(1, GFP_KERNEL).map_err(no_memory)?;
        let cached = match wanted {
            Wanted::Nothing => Cached::Nothing,
            Wanted::Oplock(level) => self.grant_oplock(level, target, situation)?,
            Wanted::Lease(wanted) => self.grant_lease(wanted, target, situation)?,
        };
        if cached.is_something() {
            // There is room.
            let _ = self.untold.push_within_capacity(target.open.volatile);
        }
        Ok(cached)
    }

    /// The client of `open` has been told what it was given. Hands out the breaks that had to wait for it.
    pub(super) fn told(&mut self, open: Owner, notices: &mut Notices) {
        self.untold.retain(|untold| *untold != open);
        let lease = self.holders.iter().find(|holder| {
            holder.is_lease() && holder.opens.iter().any(|one| one.open.volatile == open)
        });
        let ids = [Some(HolderId::Oplock(open)), lease.map(Holder::id)];
        while let Some(at) = { &self.held_back }
            .iter()
            .position(|(id, _)| ids.contains(&Some(*id)))
        {
            if let Ok((_, notice)) = self.held_back.remove(at) {
                // Without memory the break is not told, and ends when its time is over.
                let _ = notices.due.push(notice, GFP_KERNEL);
            }
        }
    }

    fn grant_oplock(
        &mut self,
        level: Level,
        target: Target,
        situation: &Situation,
    ) -> Result<Cached, NtStatus> {
        let others = self.others(None, situation.opens.oplock, situation);
        let level = oplock::grantable(level, situation.kind, others);
        if level == Level::None {
            return Ok(Cached::Oplock(level));
        }
        self.add(Grant::Oplock(Oplock::new(level)), target, situation.new)?;
        Ok(Cached::Oplock(level))
    }

    fn grant_lease(
        &mut self,
        wanted: WantedLease,
        target: Target,
        situation: &Situation,
    ) -> Result<Cached, NtStatus> {
        if situation.kind == Kind::Directory && !situation.directory_leases {
            return Ok(Cached::Nothing);
        }
        let WantedLease {
            id,
            state,
            version,
            epoch,
        } = wanted;
        let own = self
            .find(HolderId::Lease(id))
            .map_or(0, |holder| holder.data.lease);
        let opens = situation.opens.lease.saturating_sub(own);
        let others = self.others(Some(id), opens, situation);
        let wanted = state;
        let state = lease::grantable(state, situation.kind, situation.directory_leases, others);
        if let Some(holder) = self.find_mut(HolderId::Lease(id)) {
            holder
                .opens
                .push(target, GFP_KERNEL)
                .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
            holder.data.add(situation.new);
            if let Grant::Lease(_, lease) = &mut holder.grant {
                // A lease grows to all that is wanted, or not at all.
                let state = if state == wanted { state } else { State::NONE };
                return Ok(Cached::Lease(lease.version(), lease.reopen(state)));
            }
        }
        let lease = Lease::new(version, epoch, state);
        let granted = lease.granted();
        self.add(Grant::Lease(id, lease), target, situation.new)?;
        Ok(Cached::Lease(version, granted))
    }

    /// What others than the lease `own` hold, as far as it limits what can be granted.
    fn others(&self, own: Option<LeaseId>, opens: u32, situation: &Situation) -> Others {
        let mut others = Others {
            opens: opens > 0,
            locks: situation.has_locks,
            ..Others::default()
        };
        for holder in self.holders.iter() {
            if own.is_some_and(|id| holder.id() == HolderId::Lease(id)) {
                continue;
            }
            let state = holder.state();
            // Nobody caches writes while another caches anything, be it for an open that takes no part otherwise.
            others.opens |= state.reads();
            others.write_caching |= state.writes();
            others.handle_lease |= holder.is_lease() && state.handles();
            others.oplock |= !holder.is_lease();
        }
        others
    }

    fn add(&mut self, grant: Grant, target: Target, data: DataOpens) -> Result<(), NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let mut opens = KVec::with_capacity(1, GFP_KERNEL).map_err(no_memory)?;
        opens.push(target, GFP_KERNEL).map_err(no_memory)?;
        let holder = Holder {
            grant,
            opens,
            data,
            deadline: None,
        };
        self.holders.push(holder, GFP_KERNEL).map_err(no_memory)
    }

    /// What `actor` caches, and whether under a lease.
    pub(super) fn of(&self, actor: &Actor) -> Option<(bool, State)> {
        let holder = self.holders.iter().find(|holder| holder.is(actor))?;
        Some((holder.is_lease(), holder.state()))
    }

    fn find(&self, id: HolderId) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.id() == id)
    }

    fn find_mut(&mut self, id: HolderId) -> Option<&mut Holder> {
        self.holders.iter_mut().find(|holder| holder.id() == id)
    }

    /// Forgets holders that hold nothing.
    fn sweep(&mut self) {
        self.holders.retain(|holder| !holder.is_gone());
        let (holders, untold) = (&self.holders, &self.untold);
        self.held_back.retain(|(id, _)| match id {
            HolderId::Oplock(open) => untold.contains(open),
            HolderId::Lease(_) => holders.iter().any(|holder| holder.id() == *id),
        });
    }

    /// Takes an open out that is closed. Gives whether its lease ended with it.
    pub(super) fn leave(&mut self, actor: &Actor, data: DataOpens, wakers: &mut Wakers) -> bool {
        self.untold.retain(|untold| *untold != actor.open);
        for holder in self.holders.iter_mut().filter(|holder| holder.is(actor)) {
            holder.data.sub(data);
            holder
                .opens
                .retain(|target| target.open.volatile != actor.open);
            if !holder.is_lease() {
                holder.give_up();
            }
        }
        let before = self.holders.len();
        self.sweep();
        // Who waits for a break waits until all of it is over, which the close of one of several opens does not change.
        let is_breaking = self.holders.iter().any(Holder::is_breaking);
        if self.holders.len() != before || !is_breaking {
            self.let_go(wakers);
        }
        actor
            .lease
            .is_some_and(|id| self.find(HolderId::Lease(id)).is_none())
    }

    /// The client answers the break of an oplock, [MS-SMB2] 3.3.5.22.1. Gives the level that it keeps.
    pub(super) fn acknowledge_oplock(
        &mut self,
        open: Owner,
        level: u8,
        now: u64,
        notices: &mut Notices,
        wakers: &mut Wakers,
    ) -> Result<Level, NtStatus> {
        let Some(holder) = self.find_mut(HolderId::Oplock(open)) else {
            // It has none, or none any more: then there is nothing to acknowledge either.
            return Err(match Level::from_wire(level) {
                Some(_) => NtStatus::INVALID_OPLOCK_PROTOCOL,
                None => NtStatus::INVALID_PARAMETER,
            });
        };
        let Grant::Oplock(oplock) = &mut holder.grant else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let was_breaking = oplock.is_breaking();
        let outcome = oplock.acknowledge(level);
        let next = outcome
            .as_ref()
            .ok()
            .and_then(|acknowledged| acknowledged.next);
        if !oplock.is_breaking() {
            holder.deadline = None;
        }
        if let Some(next) = next {
            let file_id = holder
                .opens
                .first()
                .map(|target| target.open)
                .unwrap_or_default();
            let notice = holder.notice(oplock_message(file_id, next.to), now);
            // It is not acknowledged: without memory the client keeps a level II oplock that is not honoured.
            let _ = notices.due.push(notice, GFP_KERNEL);
        }
        self.sweep();
        if was_breaking {
            self.let_go(wakers);
        }
        outcome.map(|acknowledged| acknowledged.level)
    }

    /// The client answers the break of a lease, [MS-SMB2] 3.3.5.22.2. Gives the state that it keeps.
    pub(super) fn acknowledge_lease(
        &mut self,
        id: LeaseId,
        state: u32,
        now: u64,
        notices: &mut Notices,
        wakers: &mut Wakers,
    ) -> Result<State, NtStatus> {
        let holder = self
            .find_mut(HolderId::Lease(id))
            .ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        let Grant::Lease(_, lease) = &mut holder.grant else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let acknowledged = lease.acknowledge(state)?;
        if let Some(next) = acknowledged.next {
            let notice = holder.notice(lease_message(&id, next), now);
            if notices.due.push(notice, GFP_KERNEL).is_err() {
                holder.give_up();
            }
        } else {
            holder.deadline = None;
        }
        if !holder.is_breaking() {
            self.let_go(wakers);
        }
        Ok(acknowledged.state)
    }

    /// Takes everything from a holder that cannot be told of a break.
    pub(super) fn lose(&mut self, id: HolderId, wakers: &mut Wakers) {
        if let Some(holder) = self.find_mut(id) {
            holder.give_up();
        }
        self.sweep();
        self.let_go(wakers);
    }

    /// Takes everything from holders that did not answer in time. Gives the next time to look.
    pub(super) fn expire(&mut self, now: u64, wakers: &mut Wakers) -> Option<u64> {
        let mut next: Option<u64> = None;
        let mut any = false;
        for holder in self.holders.iter_mut() {
            match holder.deadline {
                Some(deadline) if deadline <= now => {
                    holder.give_up();
                    any = true;
                }
                Some(deadline) => next = Some(next.map_or(deadline, |n| n.min(deadline))),
                None => {}
            }
        }
        if any {
            self.sweep();
            self.let_go(wakers);
        }
        next
    }

    /// Until when an acknowledgment is awaited, if one is.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.holders
            .iter()
            .filter_map(|holder| holder.deadline)
            .min()
    }
}
