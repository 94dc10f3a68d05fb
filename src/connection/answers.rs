// SPDX-License-Identifier: GPL-2.0

//! How much memory the answers of one connection take: those that are being made, and those that the client does not read.
//!
//! A request reserves what its answer may take when a worker begins with it, and the reservation goes with the answer until
//! that is sent. A request for which there is no room is put off; it holds its own bytes, but no worker. What is put off is
//! begun in the order of its arrival as answers leave.
//!
//! Lock order: `Answers::postponed` is a leaf. `reserved` and `count` are changed with full ordering: either who releases sees
//! that something is put off, or who puts off sees what was released.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use smb_proto::header::{Command, Header};

use crate::smb2::job::OwnedJob;

use super::{Connection, Standing};

/// What every answer takes: a small buffer.
const SMALL: usize = 4 << 10;
/// What one credit pays for, [MS-SMB2] 3.3.5.2.5.
const PER_CREDIT: usize = 64 << 10;
/// The answer to a compound is one message, which the transport limits to 24 bits of length.
pub(crate) const MAX_ANSWER: usize = 1 << 24;

/// The most that the answer to one request may take, bytes.
pub(crate) fn expected(request: &Header) -> usize {
    match request.command() {
        Ok(
            Command::Read
            | Command::Ioctl
            | Command::QueryDirectory
            | Command::QueryInfo
            | Command::ChangeNotify,
        ) => usize::from(request.credit_charge().max(1)).saturating_mul(PER_CREDIT),
        _ => SMALL,
    }
}

/// What the answers on one connection may take, bytes. One of any size is always begun.
fn limit(standing: Standing) -> usize {
    match standing {
        Standing::Unknown => 64 << 10,
        Standing::Guest => 16 << 20,
        Standing::User => 64 << 20,
    }
}

struct Postponed {
    jobs: KVec<OwnedJob>,
    is_closed: bool,
}

/// What the answers of a connection take.
#[pin_data]
pub(super) struct Answers {
    reserved: Atomic<usize>,
    /// Number of jobs that are put off.
    count: Atomic<usize>,
    #[pin]
    postponed: Mutex<Postponed>,
}

impl Answers {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Answers {
            reserved: Atomic::new(0),
            count: Atomic::new(0),
            postponed <- new_mutex!(Postponed { jobs: KVec::new(), is_closed: false }),
        })
    }

    fn take(&self, bytes: usize, limit: usize) -> bool {
        let mut old = self.reserved.load(Relaxed);
        loop {
            let new = old.saturating_add(bytes);
            if old != 0 && new > limit {
                return false;
            }
            match self.reserved.cmpxchg(old, new, Full) {
                Ok(_) => return true,
                Err(current) => old = current,
            }
        }
    }
}

impl Connection {
    /// Reserves what the job's answers may take, unless that was done, and gives the job back to be done now. Otherwise it is
    /// put off, or dropped if the connection ends.
    pub(crate) fn reserve(self: &Arc<Self>, mut job: OwnedJob) -> Option<OwnedJob> {
        if job.has_reserved() {
            return Some(job);
        }
        let (answers, bytes) = (&self.answers, job.expected());
        if answers.count.load(Relaxed) == 0 && answers.take(bytes, limit(self.standing())) {
            job.as_mut().set_reserved(bytes);
            return Some(job);
        }
        let mut postponed = answers.postponed.lock();
        if postponed.is_closed {
            drop(postponed);
            // A wait is ended in order; what was not begun is not any more.
            return Some(job).filter(|job| job.has_begun());
        }
        if postponed.jobs.reserve(1, GFP_KERNEL).is_err() {
            drop(postponed);
            self.shut_down();
            return Some(job).filter(|job| job.has_begun());
        }
        // There is room: nothing is dropped here.
        let _ = postponed.jobs.push_within_capacity(job);
        answers.count.fetch_add(1, Full);
        drop(postponed);
        self.begin_postponed();
        None
    }

    /// Gives back what was reserved for an answer.
    pub(super) fn release(self: &Arc<Self>, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.answers.reserved.fetch_sub(bytes, Full);
        if self.answers.count.load(Relaxed) != 0 {
            self.begin_postponed();
        }
    }

    /// Begins what was put off, as far as there is room.
    fn begin_postponed(self: &Arc<Self>) {
        let answers = &self.answers;
        let limit = limit(self.standing());
        loop {
            let mut postponed = answers.postponed.lock();
            let Some(bytes) = postponed.jobs.first().map(|job| job.expected()) else {
                return;
            };
            if !answers.take(bytes, limit) {
                return;
            }
            let job = postponed.jobs.remove(0);
            answers.count.fetch_sub(1, Full);
            drop(postponed);
            if let Ok(mut job) = job {
                job.as_mut().set_reserved(bytes);
                job.enqueue();
            }
        }
    }

    /// Puts nothing off any more. Waits that had ended are worked on, the rest is dropped.
    pub(super) fn close_answers(self: &Arc<Self>) {
        let jobs = {
            let mut postponed = self.answers.postponed.lock();
            postponed.is_closed = true;
            self.answers.count.store(0, Relaxed);
            core::mem::replace(&mut postponed.jobs, KVec::new())
        };
        for job in jobs {
            if job.has_begun() {
                job.enqueue();
            }
        }
    }
}
