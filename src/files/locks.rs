// SPDX-License-Identifier: GPL-2.0

//! The byte-range locks of one file, and the requests that wait for one: [MS-FSA] 2.1.5.8, 2.1.5.9 and 2.1.4.10.
//!
//! The rules are [`smb_model::locks`]; here is what is held. Everything happens under the lock of the file's state;
//! wakers are handed out and woken by the caller once it is released.

use core::ops::ControlFlow;

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use smb_model::locks::{self, Access, Lock, Range, Seen, Sequences, Slot};
use smb_proto::status::NtStatus;

use crate::smb2::wait::{Wake, Waker};

use super::inode::FileState;

/// Locks of one file at a time. All of them may have to be looked at for a new one.
const MAX_HELD: usize = 1 << 14;
/// Locks of all files at a time.
const MAX_HELD_IN_ALL: usize = 1 << 18;
/// Requests that wait for a lock of one file at a time. All of them are looked at when a lock is released.
const MAX_WAITING: usize = 1_024;

/// The volatile id of the open that a lock belongs to.
pub(crate) type Owner = u64;

/// How many locks are held in the whole server.
#[derive(Clone)]
pub(super) struct LockCount(Arc<Atomic<usize>>);

impl LockCount {
    pub(super) fn new() -> Result<Self> {
        Ok(LockCount(Arc::new(Atomic::new(0), GFP_KERNEL)?))
    }

    /// Counts a lock in; `false` if there are too many.
    fn add(&self) -> bool {
        // Several at once may be refused one lock before the limit.
        if self.0.fetch_add(1, Relaxed) < MAX_HELD_IN_ALL {
            return true;
        }
        self.sub(1);
        false
    }

    fn sub(&self, count: usize) {
        self.0.fetch_sub(count, Relaxed);
    }
}

/// A request that waits for a lock.
struct Waiter {
    /// Names the wait.
    ticket: u64,
    lock: Lock<Owner>,
    waker: Waker,
}

/// The locks of one file.
pub(super) struct FileLocks {
    /// In the order of their offsets.
    held: KVec<Lock<Owner>>,
    /// Length of the longest lock since there was none: a lock that begins further than that before a range ends before it.
    longest: u64,
    /// In the order of their arrival.
    waiting: KVec<Waiter>,
    /// Tickets of waits that ended with the lock, whose requests have not come back for it yet.
    granted: KVec<(u64, Owner)>,
    next_ticket: u64,
    sequences: KVec<(Owner, KBox<Sequences>)>,
    count: LockCount,
}

impl Drop for FileLocks {
    fn drop(&mut self) {
        self.count.sub(self.held.len());
    }
}

/// What became of an attempt to take a lock that may wait.
pub(crate) enum Taken {
    /// It is held.
    Now,
    /// It will be: the waker is woken then. The ticket names the wait.
    Later(u64),
}

/// Who is to be woken once the file's state is unlocked.
#[must_use]
#[derive(Default)]
pub(crate) struct Wakers(KVec<(Waker, Wake)>);

impl Wakers {
    /// Wakes them.
    pub(crate) fn wake(self) {
        for (waker, wake) in self.0 {
            waker.wake(wake);
        }
    }

    /// Adds one. Without memory it is woken at once, which takes only locks that are leaves.
    pub(super) fn add(&mut self, waker: Waker, wake: Wake) {
        if self.0.push((waker.clone(), wake), GFP_KERNEL).is_err() {
            waker.wake(wake);
        }
    }
}

impl FileLocks {
    pub(super) fn new(count: LockCount) -> Self {
        FileLocks {
            count,
            held: KVec::new(),
            longest: 0,
            waiting: KVec::new(),
            granted: KVec::new(),
            next_ticket: 0,
            sequences: KVec::new(),
        }
    }

    /// Whether no lock is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The locks that can touch `range`, and maybe more.
    fn near(&self, range: &Range) -> &[Lock<Owner>] {
        let lowest = range.offset().saturating_sub(self.longest);
        let highest = range.offset().saturating_add(range.length());
        let from = self
            .held
            .partition_point(|lock| lock.range.offset() < lowest);
        let to = self
            .held
            .partition_point(|lock| lock.range.offset() <= highest);
        self.held.get(from..to).unwrap_or(&[])
    }

    /// Checks that `owner` may access the bytes, [MS-FSA] 2.1.4.10.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_LOCK_CONFLICT`.
    pub(super) fn check(&self, owner: Owner, range: Range, access: Access) -> Result<(), NtStatus> {
        locks::check_access(self.near(&range), range, access, &owner)
    }

    /// Takes a lock at once.
    ///
    /// # Errors
    ///
    /// `STATUS_LOCK_NOT_GRANTED`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn take(&mut self, lock: Lock<Owner>) -> Result<(), NtStatus> {
        if !locks::grantable(self.near(&lock.range), &lock) {
            return Err(NtStatus::LOCK_NOT_GRANTED);
        }
        self.insert(lock)
    }

    fn insert(&mut self, lock: Lock<Owner>) -> Result<(), NtStatus> {
        if self.held.len() >= MAX_HELD || self.held.reserve(1, GFP_KERNEL).is_err() {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        if !self.count.add() {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        if self.held.is_empty() {
            self.longest = 0;
        }
        let at = self
            .held
            .partition_point(|old| old.range.offset() <= lock.range.offset());
        if self.held.insert_within_capacity(at, lock).is_err() {
            self.count.sub(1);
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        self.longest = self.longest.max(lock.range.length());
        Ok(())
    }

    /// Takes a lock, or has `waker` woken as soon as it is taken.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn take_or_wait(
        &mut self,
        lock: Lock<Owner>,
        waker: &Waker,
    ) -> Result<Taken, NtStatus> {
        match self.take(lock) {
            Ok(()) => return Ok(Taken::Now),
            Err(NtStatus::LOCK_NOT_GRANTED) => {}
            Err(status) => return Err(status),
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        let ticket = self.next_ticket;
        self.next_ticket = ticket.wrapping_add(1);
        let waiter = Waiter {
            ticket,
            lock,
            waker: waker.clone(),
        };
        self.waiting
            .push(waiter, GFP_KERNEL)
            .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        Ok(Taken::Later(ticket))
    }

    /// Ends a wait: whether it ended with the lock.
    pub(super) fn collect(&mut self, ticket: u64) -> bool {
        if let Some(at) = self
            .waiting
            .iter()
            .position(|waiter| waiter.ticket == ticket)
        {
            let _ = self.waiting.remove(at);
            return false;
        }
        match self
            .granted
            .iter()
            .position(|(granted, _)| *granted == ticket)
        {
            Some(at) => self.granted.remove(at).is_ok(),
            None => false,
        }
    }

    /// Releases one lock of each of exactly these ranges, [MS-FSA] 2.1.5.9, up to the first for which there is an error.
    ///
    /// # Errors
    ///
    /// `STATUS_RANGE_NOT_LOCKED`, and what comes instead of a range.
    pub(super) fn release(
        &mut self,
        owner: Owner,
        ranges: impl Iterator<Item = Result<Range, NtStatus>>,
        wakers: &mut Wakers,
    ) -> Result<(), NtStatus> {
        let mut outcome = Ok(());
        for range in ranges {
            outcome = range.and_then(|range| self.forget(owner, range));
            if outcome.is_err() {
                break;
            }
        }
        self.grant_waiting(wakers);
        outcome
    }

    /// Takes back the locks that a request took before one that failed.
    pub(super) fn roll_back(&mut self, taken: &[Lock<Owner>], wakers: &mut Wakers) {
        for lock in taken {
            let last = self
                .held
                .iter()
                .enumerate()
                .filter(|(_, old)| *old == lock)
                .last();
            if let Some((at, _)) = last {
                self.remove(at);
            }
        }
        self.grant_waiting(wakers);
    }

    fn forget(&mut self, owner: Owner, range: Range) -> Result<(), NtStatus> {
        let same = |lock: &Lock<Owner>| locks::released_by(lock, range, &owner);
        let first = self
            .held
            .partition_point(|lock| lock.range.offset() < range.offset());
        let found = self.held.iter().skip(first).position(same);
        let at = found
            .and_then(|at| at.checked_add(first))
            .ok_or(NtStatus::RANGE_NOT_LOCKED)?;
        self.remove(at);
        Ok(())
    }

    /// Takes out the lock at `at`.
    fn remove(&mut self, at: usize) {
        if self.held.remove(at).is_ok() {
            self.count.sub(1);
        }
    }

    /// Releases everything of an open that is closed, and ends its waits.
    pub(super) fn close(&mut self, owner: Owner, wakers: &mut Wakers) {
        self.sequences.retain(|(of, _)| *of != owner);
        self.granted.retain(|(_, of)| *of != owner);
        while let Some(at) = self
            .waiting
            .iter()
            .position(|waiter| waiter.lock.owner == owner)
        {
            match self.waiting.remove(at) {
                Ok(waiter) => wakers.add(waiter.waker, Wake::Ended(NtStatus::RANGE_NOT_LOCKED)),
                Err(_) => break,
            }
        }
        let before = self.held.len();
        self.held.retain(|lock| lock.owner != owner);
        self.count.sub(before.saturating_sub(self.held.len()));
        if self.held.len() != before {
            self.grant_waiting(wakers);
        }
    }

    /// Gives the locks that have become free to those who wait longest.
    fn grant_waiting(&mut self, wakers: &mut Wakers) {
        let mut at = 0;
        while let ControlFlow::Continue(next) = self.grant_one(at, wakers) {
            at = next;
        }
    }

    /// Looks at the waiter at `at`; gives the place to look at next.
    fn grant_one(&mut self, at: usize, wakers: &mut Wakers) -> ControlFlow<(), usize> {
        let Some(waiter) = self.waiting.get(at) else {
            return ControlFlow::Break(());
        };
        let (lock, ticket) = (waiter.lock, waiter.ticket);
        if !locks::grantable(self.near(&lock.range), &lock) {
            return ControlFlow::Continue(at.saturating_add(1));
        }
        let ended = if self.granted.push((ticket, lock.owner), GFP_KERNEL).is_err() {
            Wake::Ended(NtStatus::INSUFFICIENT_RESOURCES)
        } else if let Err(status) = self.insert(lock) {
            let _ = self.granted.pop();
            Wake::Ended(status)
        } else {
            Wake::Ready
        };
        match self.waiting.remove(at) {
            Ok(waiter) => {
                wakers.add(waiter.waker, ended);
                ControlFlow::Continue(at)
            }
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Whether `owner` sent a request with this `LockSequence` before and it succeeded.
    pub(super) fn replayed(&mut self, owner: Owner, sequence: u32) -> Result<Seen, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        if let Some((_, sequences)) = self.sequences.iter_mut().find(|(of, _)| *of == owner) {
            return Ok(sequences.look_up(sequence));
        }
        let mut sequences = KBox::new(Sequences::new(), GFP_KERNEL).map_err(no_memory)?;
        let seen = sequences.look_up(sequence);
        if matches!(seen, Seen::New(Some(_))) {
            self.sequences
                .push((owner, sequences), GFP_KERNEL)
                .map_err(no_memory)?;
        }
        Ok(seen)
    }

    /// Notes that a request succeeded.
    pub(super) fn succeeded(&mut self, owner: Owner, slot: Slot) {
        if let Some((_, sequences)) = self.sequences.iter_mut().find(|(of, _)| *of == owner) {
            sequences.succeeded(slot);
        }
    }
}

impl FileState {
    /// Runs `change` on the locks, and wakes whom it lets go on.
    fn change_locks<T>(
        &self,
        change: impl FnOnce(&mut FileLocks, &mut Wakers) -> Result<T, NtStatus>,
    ) -> Result<T, NtStatus> {
        let mut wakers = Wakers::default();
        let mut inner = self.inner.lock();
        if inner.locks.is_none() {
            let fresh = KBox::new(FileLocks::new(self.lock_count.clone()), GFP_KERNEL);
            inner.locks = Some(fresh.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?);
        }
        let locks = inner.locks.as_mut().ok_or(NtStatus::INTERNAL_ERROR)?;
        let outcome = change(locks, &mut wakers);
        let is_locked = !locks.is_empty();
        self.is_locked.store(is_locked, Relaxed);
        drop(inner);
        wakers.wake();
        outcome
    }

    /// Checks that `owner` may access `len` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_LOCK_CONFLICT`.
    pub(crate) fn check_locks(
        &self,
        owner: Owner,
        offset: u64,
        len: u64,
        access: Access,
    ) -> Result<(), NtStatus> {
        if !self.is_locked.load(Relaxed) {
            return Ok(());
        }
        let inner = self.inner.lock();
        match &inner.locks {
            Some(locks) => locks.check(owner, Range::of_io(offset, len), access),
            None => Ok(()),
        }
    }

    /// Takes all of `wanted` at once, or none.
    ///
    /// # Errors
    ///
    /// `STATUS_LOCK_NOT_GRANTED`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn lock_all(&self, wanted: &[Lock<Owner>]) -> Result<(), NtStatus> {
        self.change_locks(|locks, wakers| {
            for (count, lock) in wanted.iter().enumerate() {
                if let Err(status) = locks.take(*lock) {
                    locks.roll_back(wanted.get(..count).unwrap_or(&[]), wakers);
                    return Err(status);
                }
            }
            Ok(())
        })
    }

    /// Takes a lock, or has `waker` woken as soon as it is taken.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn lock_or_wait(&self, lock: Lock<Owner>, waker: &Waker) -> Result<Taken, NtStatus> {
        self.change_locks(|locks, _| locks.take_or_wait(lock, waker))
    }

    /// Ends the wait `ticket`: whether it ended with the lock.
    pub(crate) fn end_lock_wait(&self, ticket: u64) -> bool {
        self.change_locks(|locks, _| Ok(locks.collect(ticket)))
            .unwrap_or(false)
    }

    /// Releases locks of exactly these ranges, up to the first for which there is an error.
    ///
    /// # Errors
    ///
    /// `STATUS_RANGE_NOT_LOCKED`, and what comes instead of a range.
    pub(crate) fn unlock(
        &self,
        owner: Owner,
        ranges: impl Iterator<Item = Result<Range, NtStatus>>,
    ) -> Result<(), NtStatus> {
        self.change_locks(|locks, wakers| locks.release(owner, ranges, wakers))
    }

    /// Number of locks that `owner` holds.
    pub(crate) fn count_locks(&self, owner: Owner) -> usize {
        let inner = self.inner.lock();
        let Some(locks) = &inner.locks else {
            return 0;
        };
        let count = locks.held.iter().filter(|lock| lock.owner == owner).count();
        count
    }

    /// The first lock of `owner` at the place `from` or behind it, and the place behind that.
    pub(crate) fn lock_from(&self, owner: Owner, from: usize) -> Option<(usize, Lock<Owner>)> {
        let inner = self.inner.lock();
        let held = inner.locks.as_ref()?.held.get(from..)?;
        let at = held.iter().position(|lock| lock.owner == owner)?;
        Some((from.checked_add(at)?.checked_add(1)?, *held.get(at)?))
    }

    /// Releases everything that `owner` holds, and ends its waits.
    pub(crate) fn close_locks(&self, owner: Owner) {
        if self.inner.lock().locks.is_none() {
            return;
        }
        let closed = self.change_locks(|locks, wakers| {
            locks.close(owner, wakers);
            Ok(())
        });
        // There was something to change, so nothing had to be allocated.
        let _ = closed;
    }

    /// What a request's `LockSequence` says about it.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn look_up_lock_sequence(
        &self,
        owner: Owner,
        sequence: u32,
    ) -> Result<Seen, NtStatus> {
        self.change_locks(|locks, _| locks.replayed(owner, sequence))
    }

    /// Notes that the request with this `LockSequence` succeeded.
    pub(crate) fn lock_sequence_succeeded(&self, owner: Owner, slot: Slot) {
        let noted = self.change_locks(|locks, _| {
            locks.succeeded(owner, slot);
            Ok(())
        });
        // A request that is not known to have succeeded is carried out again when it is replayed, and fails.
        let _ = noted;
    }
}
