// SPDX-License-Identifier: GPL-2.0

//! A frame in work, from the connection's thread to its answer: one allocation, which is the kernel's work item, waits where
//! the request waits, and goes to a worker again without needing memory.

use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::workqueue::{impl_has_work, new_work, Work, WorkItem};

use smb_proto::header::FrameKind;
use smb_proto::wire::Malformed;

use crate::connection::{Connection, Frame};
use crate::session::Channel;

use super::chain::{Chain, Outcome};
use super::wait::Wake;

/// A frame in work.
#[pin_data]
pub(crate) struct Job {
    #[pin]
    work: Work<Job>,
    chain: Chain,
}

/// A job, owned by whoever is to go on with it: a queue, a worker, or what it waits for.
pub(crate) type OwnedJob = Pin<KBox<Job>>;

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = OwnedJob;

    fn run(mut job: OwnedJob) {
        let conn = job.chain.connection().clone();
        if !job.as_mut().open(&conn) {
            conn.shut_down();
            return;
        }
        if let Some(job) = conn.reserve(job) {
            serve(job, &conn);
        }
    }
}

impl Job {
    /// A job for a frame that was received.
    pub(crate) fn new(frame: Frame) -> Result<OwnedJob> {
        KBox::pin_init(
            pin_init!(Job {
                work <- new_work!("ksmbd::job"),
                chain: Chain::new(frame),
            }),
            GFP_KERNEL,
        )
    }

    /// Gives the job to a worker.
    pub(crate) fn enqueue(self: Pin<KBox<Self>>) {
        let conn = self.chain.connection().clone();
        conn.server.io.queue().enqueue(self);
    }

    /// Gives a job that waited to a worker, with the reason why the wait is over.
    pub(crate) fn resume(mut self: Pin<KBox<Self>>, wake: Wake) {
        self.as_mut().set_woken(wake);
        self.enqueue();
    }

    fn set_woken(self: Pin<&mut Self>, wake: Wake) {
        self.project().chain.set_woken(wake);
    }

    /// The most that the answers may take, bytes.
    pub(crate) fn expected(&self) -> usize {
        self.chain.expected()
    }

    /// Notes what was reserved for the answers.
    pub(crate) fn set_reserved(self: Pin<&mut Self>, bytes: usize) {
        self.project().chain.set_reserved(bytes);
    }

    /// Bytes that it takes while it waits.
    pub(super) fn load(&self) -> usize {
        self.chain.load()
    }

    /// Whether something is reserved for the answers.
    pub(crate) fn has_reserved(&self) -> bool {
        self.chain.has_reserved()
    }

    /// Whether a request of it was begun, and waited.
    pub(crate) fn has_begun(&self) -> bool {
        self.chain.has_waited()
    }

    /// Decrypts and checks the frame, unless that was done. `false`: the client broke a rule that costs it the connection.
    fn open(self: Pin<&mut Self>, conn: &Arc<Connection>) -> bool {
        let chain = self.project().chain;
        if chain.is_open() {
            return true;
        }
        let Ok(sealed_by) = decrypt(conn, chain.frame_mut()) else {
            debug!(conn.server, Conn, "{}: unreadable frame\n", conn.peer);
            return false;
        };
        if chain.open(conn, sealed_by).is_err() {
            debug!(
                conn.server,
                Conn, "{}: bad compound or message id\n", conn.peer
            );
            return false;
        }
        true
    }
}

/// Serves the requests of an opened frame, until they are answered or one waits.
pub(crate) fn serve(mut job: OwnedJob, conn: &Arc<Connection>) {
    loop {
        let chain = job.as_mut().project().chain;
        let waker = match chain.run(conn) {
            Outcome::Answered => return,
            Outcome::Disconnect => return conn.shut_down(),
            Outcome::Waits(waker) => waker,
        };
        let message_id = chain.message_id();
        match waker.park(conn, message_id, job) {
            Ok(()) => return,
            Err((unparked, wake)) => {
                job = unparked;
                job.as_mut().set_woken(wake);
            }
        }
    }
}

/// Decrypts the frame if it is sealed.
fn decrypt(conn: &Connection, frame: &mut Frame) -> Result<Option<Arc<Channel>>, Malformed> {
    match FrameKind::of(frame.bytes())? {
        FrameKind::Smb2 => Ok(None),
        // Only before NEGOTIATE, which looks at the frame itself.
        FrameKind::Smb1 if conn.negotiated().is_none() => Ok(None),
        FrameKind::Transform => conn.open_sealed(frame).map(Some),
        FrameKind::Smb1 | FrameKind::Compression => Err(Malformed),
    }
}
