// SPDX-License-Identifier: GPL-2.0

//! Requests to the daemon and the matching of its answers.
//!
//! An answer is matched by its command and the handle that it repeats. Whoever waits owns a [`Waiter`]; the netlink
//! callback only copies the payload into it. Lock order: `Link::state` before `Waiter::answer`; neither is held while a
//! message is sent or while anyone sleeps.

use core::ops::Deref;

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_condvar, new_mutex, Arc, CondVar, Mutex};
use kernel::time::msecs_to_jiffies;

use linux::genetlink::Family;
use linux::secret::wipe;
use linux::time;
use smb_proto::ipc::{self, Command};
use smb_proto::wire::{Full, Writer, Written};

/// How long a request waits for the daemon's answer.
const ANSWER_TIMEOUT_MS: u32 = if cfg!(CONFIG_KASAN) { 20_000 } else { 2_000 };
/// Requests that may wait at the same time: a client cannot make the kernel hold more.
const MAX_WAITERS: usize = 1_024;
/// The largest fixed message that the kernel sends; payloads travel as a part of their own.
const MAX_HEAD: usize = 512;
/// Parts of a message: the fixed one and two of a payload.
const MAX_PARTS: usize = 3;

/// Why the daemon gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// No daemon is connected, or it does not answer.
    NoDaemon,
    /// The answer is not what the command allows.
    BadAnswer,
    /// No memory, or too many requests at once.
    NoMemory,
}

impl From<kernel::alloc::AllocError> for LinkError {
    fn from(_: kernel::alloc::AllocError) -> Self {
        LinkError::NoMemory
    }
}

impl From<Full> for LinkError {
    fn from(_: Full) -> Self {
        LinkError::NoMemory
    }
}

impl From<smb_proto::wire::Malformed> for LinkError {
    fn from(_: smb_proto::wire::Malformed) -> Self {
        LinkError::BadAnswer
    }
}

/// What the daemon answered. It may have keys and hashes in it, and is wiped when it is no longer needed, whether or not
/// somebody waited for it to the end.
pub(crate) struct Answer(KVec<u8>);

impl Answer {
    fn copy(payload: &[u8]) -> Result<Self, LinkError> {
        let mut copy = KVec::with_capacity(payload.len(), GFP_KERNEL)?;
        copy.extend_from_slice(payload, GFP_KERNEL)?;
        Ok(Answer(copy))
    }
}

impl Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

#[pin_data]
struct Waiter {
    handle: u32,
    /// Command of the answer.
    command: Command,
    #[pin]
    answer: Mutex<Option<Result<Answer, LinkError>>>,
    #[pin]
    arrived: CondVar,
}

struct State {
    /// Netlink port of the daemon that started the server.
    daemon: Option<u32>,
    next_handle: u32,
    waiters: KVec<Arc<Waiter>>,
}

/// The kernel's end of the link.
#[pin_data]
pub(crate) struct Link {
    #[pin]
    state: Mutex<State>,
    /// The registered family; `None` before load is complete and after unload began.
    #[pin]
    family: Mutex<Option<Arc<Family>>>,
    /// When the daemon last spoke, and when it was last asked for a sign of life: monotonic milliseconds.
    last_heard: Atomic<u64>,
    last_asked: Atomic<u64>,
}

impl Link {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Link {
            state <- new_mutex!(State { daemon: None, next_handle: 1, waiters: KVec::new() }),
            family <- new_mutex!(None),
            last_heard: Atomic::new(time::monotonic_ms()),
            last_asked: Atomic::new(0),
        })
    }

    /// Gives the link its family to send with.
    pub(crate) fn open(&self, family: Arc<Family>) {
        *self.family.lock() = Some(family);
    }

    /// Takes the family away: nothing is sent any more, and nobody waits on.
    pub(crate) fn close(&self) -> Option<Arc<Family>> {
        self.forget_daemon();
        self.family.lock().take()
    }

    /// Makes `port` the daemon.
    pub(crate) fn daemon_arrived(&self, port: u32) {
        self.state.lock().daemon = Some(port);
        self.heard();
    }

    /// Whether `port` is the daemon's.
    pub(crate) fn is_daemon(&self, port: u32) -> bool {
        self.state.lock().daemon == Some(port)
    }

    /// The daemon's port, if there is one.
    pub(crate) fn daemon(&self) -> Option<u32> {
        self.state.lock().daemon
    }

    /// Forgets the daemon at `port`, unless it has a successor already. Gives whether it was forgotten.
    pub(crate) fn daemon_left(&self, port: u32) -> bool {
        self.forget(|daemon| daemon == Some(port))
    }

    /// Forgets the daemon, whoever it is.
    pub(crate) fn forget_daemon(&self) {
        self.forget(|_| true);
    }

    /// Forgets the daemon if it is the one that `is_it` says, and fails everything that waits for it.
    fn forget(&self, is_it: impl FnOnce(Option<u32>) -> bool) -> bool {
        let waiters = {
            let mut state = self.state.lock();
            if !is_it(state.daemon) {
                return false;
            }
            state.daemon = None;
            core::mem::replace(&mut state.waiters, KVec::new())
        };
        for waiter in waiters {
            waiter.finish(Err(LinkError::NoDaemon));
        }
        true
    }

    /// Notes that the daemon spoke.
    pub(crate) fn heard(&self) {
        self.last_heard.store(time::monotonic_ms(), Relaxed);
    }

    /// Seconds since the daemon last spoke.
    pub(crate) fn silent_seconds(&self) -> u64 {
        let last = self.last_heard.load(Relaxed);
        time::monotonic_ms().saturating_sub(last) / 1_000
    }

    /// Whether the daemon has been silent for `seconds`, and was not asked for a sign of life for as long: it is then, now.
    pub(crate) fn is_time_to_ask(&self, seconds: u64) -> bool {
        let now = time::monotonic_ms();
        let last = self
            .last_heard
            .load(Relaxed)
            .max(self.last_asked.load(Relaxed));
        if now.saturating_sub(last) / 1_000 < seconds {
            return false;
        }
        self.last_asked.store(now, Relaxed);
        true
    }

    /// Hands an answer to whoever waits for it; an answer that nobody waits for is dropped.
    pub(crate) fn answer(&self, command: Command, payload: &[u8]) -> Result {
        let handle = ipc::read_handle(payload).map_err(|_| EINVAL)?;
        let waiter = self.take_waiter(|w| w.handle == handle && w.command == command);
        let Some(waiter) = waiter else {
            return Ok(());
        };
        waiter.finish(Answer::copy(payload));
        Ok(())
    }

    /// A handle that has not been given out for 2^32 - 1 handles: whoever waits has long got on by then, and a pipe that is still open
    /// under it shares it.
    pub(crate) fn new_handle(&self) -> u32 {
        let mut state = self.state.lock();
        let handle = state.next_handle;
        // Zero is never a handle: the daemon takes it for "none".
        state.next_handle = handle.checked_add(1).unwrap_or(1);
        handle
    }

    /// Sends a message that wants no answer.
    pub(crate) fn tell(
        &self,
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<(), LinkError> {
        let daemon = self.daemon().ok_or(LinkError::NoDaemon)?;
        self.send(daemon, command, head, &[])
    }

    /// As [`Self::tell`], to whoever listens at `port`.
    pub(crate) fn tell_port(
        &self,
        port: u32,
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<(), LinkError> {
        self.send(port, command, head, &[])
    }

    /// Sends a request with a handle of its own and waits for the answer.
    pub(crate) fn ask(
        &self,
        command: Command,
        head: impl FnOnce(u32, &mut Writer<'_>) -> Written,
    ) -> Result<Answer, LinkError> {
        let handle = self.new_handle();
        self.ask_as(handle, command, |w| head(handle, w), &[])
    }

    /// Sends a request under `handle`, followed by the parts of `payload`, and waits for the answer.
    pub(crate) fn ask_as(
        &self,
        handle: u32,
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
        payload: &[&[u8]],
    ) -> Result<Answer, LinkError> {
        let answer = command.answer().ok_or(LinkError::BadAnswer)?;
        let waiter = Arc::pin_init(
            pin_init!(Waiter {
                handle,
                command: answer,
                answer <- new_mutex!(None),
                arrived <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
        .map_err(|_| LinkError::NoMemory)?;
        let daemon = {
            let mut state = self.state.lock();
            let daemon = state.daemon.ok_or(LinkError::NoDaemon)?;
            if state.waiters.len() >= MAX_WAITERS {
                return Err(LinkError::NoMemory);
            }
            state.waiters.push(waiter.clone(), GFP_KERNEL)?;
            daemon
        };
        let outcome = self
            .send(daemon, command, head, payload)
            .and_then(|()| waiter.wait());
        self.take_waiter(|w| Arc::ptr_eq(w, &waiter));
        outcome
    }

    fn take_waiter(&self, wanted: impl Fn(&Arc<Waiter>) -> bool) -> Option<Arc<Waiter>> {
        let mut state = self.state.lock();
        let index = state.waiters.iter().position(wanted)?;
        state.waiters.remove(index).ok()
    }

    fn send(
        &self,
        daemon: u32,
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
        payload: &[&[u8]],
    ) -> Result<(), LinkError> {
        let family = self.family.lock().clone().ok_or(LinkError::NoDaemon)?;
        let mut bytes = [0u8; MAX_HEAD];
        let mut writer = Writer::new(&mut bytes);
        head(&mut writer)?;
        let mut parts: [&[u8]; MAX_PARTS] = [writer.written(), &[], &[]];
        for (part, from) in parts.iter_mut().skip(1).zip(payload) {
            *part = from;
        }
        family
            .unicast(daemon, command.number(), &parts)
            .map_err(|_| LinkError::NoDaemon)
    }
}

impl Waiter {
    fn finish(&self, outcome: Result<Answer, LinkError>) {
        *self.answer.lock() = Some(outcome);
        self.arrived.notify_all();
    }

    fn wait(&self) -> Result<Answer, LinkError> {
        let mut left = msecs_to_jiffies(ANSWER_TIMEOUT_MS);
        let mut answer = self.answer.lock();
        loop {
            if let Some(outcome) = answer.take() {
                return outcome;
            }
            use kernel::sync::CondVarTimeoutResult as Wake;
            left = match self.arrived.wait_interruptible_timeout(&mut answer, left) {
                Wake::Woken { jiffies } => jiffies,
                Wake::Signal { .. } | Wake::Timeout => {
                    return answer.take().unwrap_or(Err(LinkError::NoDaemon));
                }
            };
        }
    }
}
