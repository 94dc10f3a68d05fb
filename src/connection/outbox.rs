// SPDX-License-Identifier: GPL-2.0

//! What is to be sent on a connection, one message after the other.
//!
//! Whoever has a message while nobody sends becomes the sender, and goes on until nothing is left; everybody else leaves his
//! message and goes. So a client that does not read holds one worker, however much it asked for. A message that could be
//! sent in part only tears the stream: the connection ends.
//!
//! Lock order: a leaf. It is not held while anything is sent.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::smb2::reply::Reply;

use super::Connection;

/// Messages that wait for their turn without an answer's reservation: notifications of breaks.
const MAX_UNRESERVED: usize = 1_024;

/// A finished message.
pub(super) struct Outgoing {
    pub(super) reply: Reply,
    /// Where in the reply's buffer the message begins, with the four bytes of its length.
    pub(super) at: usize,
    /// Bytes that are reserved for it, see [`super::answers`].
    pub(super) reserved: usize,
}

struct Queue {
    waiting: KVec<Outgoing>,
    /// How many of them have nothing reserved.
    unreserved: usize,
    is_sending: bool,
}

/// The messages of a connection that wait for their turn.
#[pin_data]
pub(super) struct Outbox {
    #[pin]
    queue: Mutex<Queue>,
}

impl Outbox {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Outbox {
            queue <- new_mutex!(Queue {
                waiting: KVec::new(),
                unreserved: 0,
                is_sending: false,
            }),
        })
    }
}

impl Connection {
    /// Sends a message when its turn comes: at once, unless another worker is sending.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EBUSY` for one message too many without a reservation. What becomes of a message that was taken is not
    /// told: if it cannot be sent, the connection ends.
    pub(super) fn post(self: &Arc<Self>, message: Outgoing) -> Result {
        {
            let mut queue = self.outbox.queue.lock();
            if queue.is_sending {
                let reserved = message.reserved;
                let refused = if reserved == 0 && queue.unreserved >= MAX_UNRESERVED {
                    Some(EBUSY)
                } else {
                    let pushed = queue.waiting.push(message, GFP_KERNEL);
                    pushed.err().map(Error::from)
                };
                match refused {
                    None if reserved == 0 => {
                        queue.unreserved = queue.unreserved.saturating_add(1);
                    }
                    None => {}
                    Some(error) => {
                        drop(queue);
                        self.release(reserved);
                        return Err(error);
                    }
                }
                return Ok(());
            }
            queue.is_sending = true;
        }
        self.transmit(message);
        while let Some(batch) = self.next_batch() {
            for message in batch {
                self.transmit(message);
            }
        }
        Ok(())
    }

    /// What came meanwhile; `None` ends the sender's turn.
    fn next_batch(&self) -> Option<KVec<Outgoing>> {
        let mut queue = self.outbox.queue.lock();
        if queue.waiting.is_empty() {
            queue.is_sending = false;
            return None;
        }
        queue.unreserved = 0;
        Some(core::mem::replace(&mut queue.waiting, KVec::new()))
    }

    /// Sends one message. After a failure nothing more can be sent, and each of those that follow fails at once.
    fn transmit(self: &Arc<Self>, mut message: Outgoing) {
        let pages = message.reply.take_payload();
        let (buffer, _) = message.reply.parts_mut();
        let sent = match buffer.get(message.at..) {
            Some(bytes) => {
                let payload = pages.as_ref().map_or(0, |pages| pages.len());
                self.traffic.went(bytes.len().saturating_add(payload));
                self.transport.send(bytes, pages)
            }
            None => Err(EINVAL),
        };
        let reserved = message.reserved;
        drop(message);
        if sent.is_err() {
            self.shut_down();
        }
        self.release(reserved);
    }
}
