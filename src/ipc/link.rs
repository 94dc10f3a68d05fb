// SPDX-License-Identifier: GPL-2.0

//! Requests to the daemon and the matching of its answers.
//!
//! An answer is matched by its command and the handle that it repeats. Whoever waits owns a [`Waiter`]; the netlink
//! callback only copies the payload into it. Lock order: `Link::state` before `Waiter::answer`; neither is held while a
//! message is sent or while anyone sleeps.

use kernel::prelude::*;
use kernel::sync::{new_condvar, new_mutex, Arc, CondVar, Mutex};
use kernel::time::msecs_to_jiffies;

use linux::genetlink::Family;
use linux::time;
use smb_proto::ipc::{self, Command};
use smb_proto::wire::{Full, Writer, Written};

/// How long a request waits for the daemon's answer.
const ANSWER_TIMEOUT_MS: u32 = 2_000;
/// Requests that may wait at the same time: a client cannot make the kernel hold more.
const MAX_WAITERS: usize = 1_024;
/// The largest fixed message that the kernel sends; payloads travel as a part of their own.
const MAX_HEAD: usize = 512;

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

#[pin_data]
struct Waiter {
    handle: u32,
    /// Command of the answer.
    command: Command,
    #[pin]
    answer: Mutex<Option<Result<KVec<u8>, LinkError>>>,
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
    last_heard: kernel::sync::atomic::Atomic<u64>,
}

impl Link {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Link {
            state <- new_mutex!(State { daemon: None, next_handle: 1, waiters: KVec::new() }),
            family <- new_mutex!(None),
            last_heard: kernel::sync::atomic::Atomic::new(time::monotonic_ms()),
        })
    }

    /// Gives the link its family to send with.
    pub(crate) fn open(&self, family: Arc<Family>) {
        *self.family.lock() = Some(family);
    }

    /// Takes the family away: nothing is sent any more, and nobody waits on.
    pub(crate) fn close(&self) -> Option<Arc<Family>> {
        self.daemon_left();
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

    /// Whether there is a daemon.
    pub(crate) fn has_daemon(&self) -> bool {
        self.state.lock().daemon.is_some()
    }

    /// Forgets the daemon and fails everything that waits for it.
    pub(crate) fn daemon_left(&self) {
        let waiters = {
            let mut state = self.state.lock();
            state.daemon = None;
            core::mem::replace(&mut state.waiters, KVec::new())
        };
        for waiter in waiters {
            waiter.finish(Err(LinkError::NoDaemon));
        }
    }

    /// Notes that the daemon spoke.
    pub(crate) fn heard(&self) {
        self.last_heard
            .store(time::monotonic_ms(), kernel::sync::atomic::Relaxed);
    }

    /// Seconds since the daemon last spoke.
    pub(crate) fn silent_seconds(&self) -> u64 {
        let last = self.last_heard.load(kernel::sync::atomic::Relaxed);
        time::monotonic_ms().saturating_sub(last) / 1_000
    }

    /// Hands an answer to whoever waits for it; an answer that nobody waits for is dropped.
    pub(crate) fn answer(&self, command: Command, payload: &[u8]) -> Result {
        let handle = ipc::read_handle(payload).map_err(|_| EINVAL)?;
        let waiter = self.take_waiter(|w| w.handle == handle && w.command == command);
        let Some(waiter) = waiter else {
            return Ok(());
        };
        let mut copy = KVec::new();
        let copied = copy.extend_from_slice(payload, GFP_KERNEL);
        waiter.finish(copied.map(|()| copy).map_err(LinkError::from));
        Ok(())
    }

    /// A handle that no waiting request uses.
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
        self.send(command, head, &[])
    }

    /// Sends a request with a handle of its own and waits for the answer.
    pub(crate) fn ask(
        &self,
        command: Command,
        head: impl FnOnce(u32, &mut Writer<'_>) -> Written,
    ) -> Result<KVec<u8>, LinkError> {
        let handle = self.new_handle();
        self.ask_as(handle, command, |w| head(handle, w), &[])
    }

    /// Sends a request under `handle`, followed by `payload`, and waits for the answer.
    pub(crate) fn ask_as(
        &self,
        handle: u32,
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
        payload: &[u8],
    ) -> Result<KVec<u8>, LinkError> {
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
        {
            let mut state = self.state.lock();
            if state.daemon.is_none() {
                return Err(LinkError::NoDaemon);
            }
            if state.waiters.len() >= MAX_WAITERS {
                return Err(LinkError::NoMemory);
            }
            state.waiters.push(waiter.clone(), GFP_KERNEL)?;
        }
        let outcome = self
            .send(command, head, payload)
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
        command: Command,
        head: impl FnOnce(&mut Writer<'_>) -> Written,
        payload: &[u8],
    ) -> Result<(), LinkError> {
        let daemon = self.state.lock().daemon.ok_or(LinkError::NoDaemon)?;
        let family = self.family.lock().clone().ok_or(LinkError::NoDaemon)?;
        let mut bytes = [0u8; MAX_HEAD];
        let mut writer = Writer::new(&mut bytes);
        head(&mut writer)?;
        family
            .unicast(daemon, command.number(), &[writer.written(), payload])
            .map_err(|_| LinkError::NoDaemon)
    }
}

impl Waiter {
    fn finish(&self, outcome: Result<KVec<u8>, LinkError>) {
        *self.answer.lock() = Some(outcome);
        self.arrived.notify_all();
    }

    fn wait(&self) -> Result<KVec<u8>, LinkError> {
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
