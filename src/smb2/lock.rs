// SPDX-License-Identifier: GPL-2.0

//! LOCK, [MS-SMB2] 3.3.5.14.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_model::access::Mask;
use smb_model::lease::Trigger;
use smb_model::locks::{Element, Lock, Mode, Seen, Slot};
use smb_model::negotiate::Capabilities;
use smb_proto::lock::Request;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::files::inode::FileState;
use crate::files::locks::{Owner, Taken};
use crate::files::{Open, Tree};
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::wait::{Resume, Wake};

/// Ranges of one request: each costs a walk over the file's locks, under the lock of the file's state.
const MAX_RANGES: usize = 1_024;

/// Rights that an open needs, one of them, to lock.
const LOCKERS: Mask = Mask::READ_DATA
    .union(Mask::WRITE_DATA)
    .union(Mask::APPEND_DATA)
    .union(Mask::EXECUTE);

/// Locks or unlocks ranges of a file.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let open = cx.open(session, tree, request.file_id)?;
    let file = open.file()?;
    if file.is_directory() {
        return Err(NtStatus::INVALID_DEVICE_REQUEST.into());
    }
    open.require_any(LOCKERS)?;
    let (state, owner) = (&file.admission.state, open.id.volatile);
    let slot = match look_up_sequence(cx, state, owner, &request)? {
        Seen::Before => return answer(reply),
        Seen::New(slot) => slot,
    };
    if request.locks.len() > MAX_RANGES {
        return Err(NtStatus::INSUFFICIENT_RESOURCES.into());
    }
    let mode = {
        let first = { request.locks }
            .next()
            .ok_or(NtStatus::INVALID_PARAMETER)?;
        Mode::of(request.locks.len(), first.flags.bits())?
    };
    // Nobody can cache writes beside this open, which is all that there would be to wait for.
    let _ = file.admission.disturb(cx.server(), Trigger::Write, None)?;
    match mode {
        Mode::Unlock => unlock(state, owner, mode, &request)?,
        Mode::Lock => lock_at_once(state, owner, mode, &request)?,
        Mode::LockAndWait(_) => {
            let element = { request.locks }
                .next()
                .ok_or(NtStatus::INVALID_PARAMETER)?;
            let element = mode.element(element.offset, element.length, element.flags.bits())?;
            let Element::Lock(range, kind) = element else {
                return Err(NtStatus::INVALID_PARAMETER.into());
            };
            wait_for(cx, &open, state, Lock { range, kind, owner }, slot)?;
        }
    }
    finish(&open, state, slot)?;
    answer(reply)
}

/// What the request's `LockSequence` says, where it is tracked: for opens that can be used through several connections.
fn look_up_sequence(
    cx: &Context<'_>,
    state: &FileState,
    owner: Owner,
    request: &Request<'_>,
) -> Result<Seen, Stop> {
    let negotiated = cx.negotiated()?;
    let is_tracked = negotiated.dialect.is_3()
        && negotiated
            .capabilities
            .contains(Capabilities::MULTI_CHANNEL);
    if !is_tracked {
        return Ok(Seen::New(None));
    }
    let sequence = request.sequence_index.wrapping_shl(4) | u32::from(request.sequence_number);
    Ok(state.look_up_lock_sequence(owner, sequence)?)
}

/// Releases the ranges one by one; those before a wrong one stay released.
fn unlock(
    state: &FileState,
    owner: Owner,
    mode: Mode,
    request: &Request<'_>,
) -> Result<(), NtStatus> {
    let ranges = { request.locks }.map(|element| {
        match mode.element(element.offset, element.length, element.flags.bits())? {
            Element::Unlock(range) => Ok(range),
            Element::Lock(..) => Err(NtStatus::INVALID_PARAMETER),
        }
    });
    state.unlock(owner, ranges)
}

/// Takes all ranges or none.
fn lock_at_once(
    state: &FileState,
    owner: Owner,
    mode: Mode,
    request: &Request<'_>,
) -> Result<(), NtStatus> {
    let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
    let mut wanted = KVec::with_capacity(request.locks.len(), GFP_KERNEL).map_err(no_memory)?;
    for element in request.locks {
        match mode.element(element.offset, element.length, element.flags.bits())? {
            Element::Lock(range, kind) => {
                wanted
                    .push(Lock { range, kind, owner }, GFP_KERNEL)
                    .map_err(no_memory)?;
            }
            Element::Unlock(_) => return Err(NtStatus::INVALID_PARAMETER),
        }
    }
    state.lock_all(&wanted)
}

/// Takes one range, or waits for it.
fn wait_for(
    cx: &Context<'_>,
    open: &Arc<Open>,
    state: &FileState,
    lock: Lock<Owner>,
    slot: Option<Slot>,
) -> Result<(), Stop> {
    match state.lock_all(&[lock]) {
        Err(NtStatus::LOCK_NOT_GRANTED) => {}
        outcome => return Ok(outcome?),
    }
    if !cx.is_last {
        // What follows in the compound would wait as well.
        return Err(NtStatus::INTERNAL_ERROR.into());
    }
    let waiting = KBox::new(
        Waiting {
            open: open.clone(),
            lock,
            ticket: None,
            slot,
        },
        GFP_KERNEL,
    )?;
    let waker = cx.waker()?;
    match state.lock_or_wait(lock, &waker)? {
        Taken::Now => Ok(()),
        Taken::Later(ticket) => {
            if open.is_closed() {
                state.close_locks(lock.owner);
                return Err(NtStatus::RANGE_NOT_LOCKED.into());
            }
            let mut waiting = waiting;
            waiting.ticket = Some(ticket);
            Err(Stop::Wait(waker, waiting))
        }
    }
}

/// A LOCK that waits.
struct Waiting {
    open: Arc<Open>,
    lock: Lock<Owner>,
    /// Names the wait, until it is ended.
    ticket: Option<u64>,
    slot: Option<Slot>,
}

impl Waiting {
    /// Ends the wait: whether it ended with the lock.
    fn end(&mut self, state: &FileState) -> bool {
        self.ticket
            .take()
            .is_some_and(|ticket| state.end_lock_wait(ticket))
    }
}

/// A wait whose request is given up without an answer must not leave a lock that nobody knows of.
impl Drop for Waiting {
    fn drop(&mut self) {
        let open = self.open.clone();
        let Ok(file) = open.file() else {
            return;
        };
        let state = &file.admission.state;
        if self.end(state) {
            let given_back = state.unlock(self.lock.owner, core::iter::once(Ok(self.lock.range)));
            // An open that was closed meanwhile has none any more.
            let _ = given_back;
        }
    }
}

impl Resume for Waiting {
    fn resume(&mut self, wake: Wake, _cx: &mut Context<'_>, reply: &mut Reply) -> Handled {
        let open = self.open.clone();
        let state = &open.file()?.admission.state;
        // A lock that was granted before the wait was cancelled is held.
        if self.end(state) {
            finish(&open, state, self.slot)?;
            return answer(reply);
        }
        match wake {
            Wake::Ended(status) => Err(status.into()),
            Wake::Ready => Err(NtStatus::RANGE_NOT_LOCKED.into()),
        }
    }
}

/// Notes the success, unless the open was closed meanwhile: then nothing of it stays locked.
fn finish(open: &Open, state: &FileState, slot: Option<Slot>) -> Result<(), NtStatus> {
    let owner = open.id.volatile;
    if open.is_closed() {
        state.close_locks(owner);
        return Err(NtStatus::FILE_CLOSED);
    }
    if let Some(slot) = slot {
        state.lock_sequence_succeeded(owner, slot);
    }
    Ok(())
}

fn answer(reply: &mut Reply) -> Handled {
    reply.body(4, |w| Empty.write(w))?;
    Ok(NtStatus::SUCCESS)
}
