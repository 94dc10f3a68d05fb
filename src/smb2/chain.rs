// SPDX-License-Identifier: GPL-2.0

//! The requests of one frame, served in order, and their answers, signed, sealed and sent.
//!
//! Only this file writes response headers, credits and signatures.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_proto::chain::MIN_ELEMENT_LEN;
use smb_proto::error;
use smb_proto::header::{
    Command, FrameKind, Header, HeaderFlags, FRAME_HEADER_LEN, HEADER_LEN, NEXT_COMMAND_AT,
    SIGNATURE_AT,
};
use smb_proto::status::NtStatus;
use smb_proto::wire::Malformed;

use crate::connection::{answers, Connection, Frame};
use crate::files::breaks::Untold;
use crate::session::Channel;

use super::context::{extend_hash, Context, HashInto, Related, RelatedFile, Stop};
use super::dispatch;
use super::reply::{Reply, HEADROOM};
use super::wait::{Resume, Wake, Waker};

/// One frame and how far its requests have been served.
pub(crate) struct Chain {
    frame: Frame,
    /// The session under whose keys the frame was sealed.
    sealed_by: Option<Arc<Channel>>,
    /// The request that is being served; none before the frame is opened.
    current: Option<Current>,
    related: Related,
    reply: Reply,
    /// Async id of the current request if its interim response was sent.
    async_id: Option<u64>,
    /// Keys that the response to the current request is signed with.
    signer: Option<Arc<Channel>>,
    /// The response before the current one, in case that it must go out without it.
    answered: Option<Answered>,
    /// The most that the answers may take, bytes.
    expected: usize,
    /// What the clients may cache and learn from the answers, until these are posted.
    untold: KVec<Untold>,
    /// Where the preauthentication hash of the current response goes.
    hash_into: Option<HashInto>,
    /// What goes on with the current request after it waited, and why the wait is over.
    resume: Option<(KBox<dyn Resume>, Wake)>,
}

/// What became of a chain.
pub(crate) enum Outcome {
    /// All requests were served, and the answers handed on.
    Answered,
    /// A request waits: once the waker was woken, [`Chain::run`] goes on.
    Waits(Waker),
    /// The connection must end.
    Disconnect,
}

/// The request that is being served.
#[derive(Clone, Copy)]
struct Current {
    header: Header,
    /// Its place in the frame.
    at: usize,
    end: usize,
    is_last: bool,
}

impl Current {
    /// The request at offset `at` of a frame. Whether more of a compound follow soundly is [`admit`]'s to check.
    fn of(frame: &[u8], at: usize) -> Result<Self, Malformed> {
        if FrameKind::of(frame)? == FrameKind::Smb1 {
            let mut header = Header::request(Command::Negotiate, 0);
            header.set_credits(1);
            return Ok(Current {
                header,
                at,
                end: frame.len(),
                is_last: true,
            });
        }
        let header = Header::parse(frame.get(at..).ok_or(Malformed)?)?;
        let distance = usize::try_from(header.next_command()).map_err(|_| Malformed)?;
        let is_last = distance == 0;
        let end = if is_last {
            frame.len()
        } else {
            at.checked_add(distance).ok_or(Malformed)?
        };
        if end.saturating_sub(at) < MIN_ELEMENT_LEN {
            return Err(Malformed);
        }
        Ok(Current {
            header,
            at,
            end,
            is_last,
        })
    }

    fn is_first(&self) -> bool {
        self.at == 0
    }
}

/// A finished response of the chain.
struct Answered {
    /// Its place in the reply.
    place: (usize, usize),
    signer: Option<Arc<Channel>>,
}

/// What became of one request.
enum Step {
    Answered,
    /// It waits for the waker; what answers it then.
    Waits(Waker, KBox<dyn Resume>),
    Disconnect,
}

/// Checks the compound's structure once, takes the credits of all its requests, and gives the first of them and the most that
/// the answers may take, bytes. A client that breaks a rule here loses the connection, [MS-SMB2] 3.3.5.2.3, 3.3.5.2.7.
fn admit(conn: &Connection, frame: &[u8]) -> Result<(Current, usize), Malformed> {
    let first = Current::of(frame, 0)?;
    if first.is_last {
        conn.consume_credits(&first.header)?;
        return Ok((first, answers::expected(&first.header)));
    }
    let mut expected = 0usize;
    for element in smb_proto::chain::split(frame)? {
        conn.consume_credits(&element.header)?;
        expected = expected.saturating_add(answers::expected(&element.header));
    }
    Ok((first, expected.min(answers::MAX_ANSWER)))
}

impl Chain {
    /// A frame as it was received: to be [opened](Self::open) first.
    pub(super) fn new(frame: Frame) -> Self {
        let reply = Reply::new(&frame.connection().server.buffers);
        Chain {
            frame,
            sealed_by: None,
            current: None,
            related: Related {
                is_valid: false,
                session_id: 0,
                tree_id: 0,
                file: RelatedFile::None,
            },
            reply,
            async_id: None,
            signer: None,
            answered: None,
            expected: 0,
            untold: KVec::new(),
            hash_into: None,
            resume: None,
        }
    }

    /// The connection that the frame came on.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        self.frame.connection()
    }

    /// The frame, to be decrypted.
    pub(super) fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    /// Whether the frame was opened.
    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Takes the requests of the frame on, which is not, or no longer, encrypted; `sealed_by` is the session under whose keys
    /// it was.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what costs the client the connection.
    pub(super) fn open(
        &mut self,
        conn: &Connection,
        sealed_by: Option<Arc<Channel>>,
    ) -> Result<(), Malformed> {
        let (current, expected) = admit(conn, self.frame.bytes())?;
        self.current = Some(current);
        self.expected = expected;
        self.sealed_by = sealed_by;
        Ok(())
    }

    /// The most that the answers may take, bytes.
    pub(super) fn expected(&self) -> usize {
        self.expected
    }

    /// Notes what was reserved for the answers.
    pub(super) fn set_reserved(&mut self, bytes: usize) {
        self.frame.set_reserved(bytes);
    }

    /// Whether something is reserved for the answers.
    pub(super) fn has_reserved(&self) -> bool {
        self.frame.has_reserved()
    }

    /// Whether the current request was begun, and waited.
    pub(super) fn has_waited(&self) -> bool {
        self.resume.is_some()
    }

    /// Notes why the wait is over.
    pub(super) fn set_woken(&mut self, wake: Wake) {
        if let Some((_, woken)) = &mut self.resume {
            *woken = wake;
        }
    }

    /// `MessageId` of the current request.
    pub(super) fn message_id(&self) -> u64 {
        self.current
            .map_or(0, |current| current.header.message_id())
    }

    /// Bytes that the frame takes while it waits, and those of its answers that wait with it.
    pub(super) fn load(&self) -> usize {
        self.frame.load().saturating_add(self.reply.len())
    }

    /// Serves the requests from the current one on, then sends the answers.
    pub(super) fn run(&mut self, conn: &Arc<Connection>) -> Outcome {
        let Some(mut current) = self.current else {
            return Outcome::Disconnect;
        };
        loop {
            let resumed = self.resume.take();
            match self.step(conn, &current, resumed) {
                Step::Disconnect => return Outcome::Disconnect,
                Step::Waits(waker, resume) => return self.suspend(conn, &current, waker, resume),
                Step::Answered => {}
            }
            self.async_id = None;
            if current.is_last {
                break;
            }
            let next = Current::of(self.frame.bytes(), current.end);
            let (Ok(next), Ok(())) = (next, self.close_element(conn, &current, true)) else {
                return Outcome::Disconnect;
            };
            current = next;
            self.current = Some(next);
        }
        if self.close_element(conn, &current, false).is_err() || self.send(conn).is_err() {
            return Outcome::Disconnect;
        }
        Outcome::Answered
    }

    /// Serves the current request and writes its response's header.
    fn step(
        &mut self,
        conn: &Arc<Connection>,
        current: &Current,
        resumed: Option<(KBox<dyn Resume>, Wake)>,
    ) -> Step {
        let (header, is_last) = (&current.header, current.is_last);
        let is_alone = is_last && self.reply.is_empty();
        let (bytes, taken) = self.frame.parts();
        let Some(pdu) = bytes.get(current.at..current.end) else {
            return Step::Disconnect;
        };
        let mut context = Context {
            conn,
            header,
            pdu,
            taken,
            related: &mut self.related,
            sealed_by: self.sealed_by.as_ref().map(|channel| channel.session.id),
            is_first: current.is_first(),
            is_last,
            async_id: self.async_id,
            channel: None,
            sign_with: None,
            hash_response: None,
            reply_session_id: header.session_id(),
            reply_tree_id: header.tree_id(),
            untold: None,
        };
        if resumed.is_some() {
            // The ids that the request began under: its header may only say that they are inherited.
            context.reply_session_id = context.related.session_id;
            context.reply_tree_id = Some(context.related.tree_id);
        }
        let handled = match resumed {
            Some((mut resume, wake)) => {
                context.channel = self.signer.clone();
                resume.resume(wake, &mut context, &mut self.reply)
            }
            None => dispatch::serve(&mut context, self.sealed_by.as_ref(), &mut self.reply),
        };
        let Context {
            channel,
            sign_with,
            hash_response,
            reply_session_id,
            reply_tree_id,
            untold,
            ..
        } = context;
        if let Some(untold) = untold {
            // Without memory a break may come before the answer.
            let _ = self.untold.push(untold, GFP_KERNEL);
        }
        let must_sign = sign_with.is_some();
        self.signer = sign_with.or(channel);
        let status = match handled {
            Ok(status) => status,
            Err(Stop::Disconnect) => return Step::Disconnect,
            // Only a request of its own frame can go without an answer: a gap in a compound could not be said.
            Err(Stop::Silence) if !is_alone => return Step::Disconnect,
            Err(Stop::Silence) => {
                self.reply.discard();
                return Step::Answered;
            }
            Err(Stop::Wait(waker, resume)) => return Step::Waits(waker, resume),
            Err(Stop::Failed(status)) => {
                if self.write_error().is_err() {
                    return Step::Disconnect;
                }
                status
            }
        };
        let mut answer = header.reply();
        answer.set_status(status);
        answer.set_session_id(reply_session_id);
        if let Some(tree_id) = reply_tree_id {
            answer.set_tree_id(tree_id);
        }
        match self.async_id {
            // The interim response already carried the credits.
            Some(id) => answer.set_async_id(id),
            None => answer.set_credits(conn.grant_credits(header)),
        }
        if !self.wants_signature(conn, header, must_sign) {
            self.signer = None;
        } else {
            answer.set_flags(answer.flags() | HeaderFlags::SIGNED);
        }
        self.reply.put_header(&answer);
        self.hash_into = hash_response;
        Step::Answered
    }

    /// Whether the response is signed, [MS-SMB2] 3.3.4.1.1.
    fn wants_signature(&self, conn: &Connection, header: &Header, must_sign: bool) -> bool {
        let Some(channel) = &self.signer else {
            return false;
        };
        let asked = header.has(HeaderFlags::SIGNED) || channel.session.must_sign();
        self.sealed_by.is_none()
            && channel.can_sign()
            && conn.negotiated().is_some()
            && (must_sign || asked)
    }

    fn write_error(&mut self) -> Result<(), NtStatus> {
        self.reply.body(16, |w| error::Reply::EMPTY.write(w))
    }

    /// Pads the finished element of a compound, and signs it. The last one is padded too, as Windows does,
    /// unless pages follow it.
    fn close_element(
        &mut self,
        conn: &Connection,
        current: &Current,
        more: bool,
    ) -> Result<(), NtStatus> {
        if self.reply.element().is_empty() {
            return Ok(());
        }
        if !more && !current.is_first() && self.reply.payload().is_none() {
            self.reply.pad()?;
        }
        if more {
            let distance = self.reply.pad()?;
            self.answered = Some(Answered {
                place: self.reply.place(),
                signer: self.signer.clone(),
            });
            let distance = u32::try_from(distance).map_err(|_| NtStatus::INTERNAL_ERROR)?;
            let element = self.reply.element_mut();
            let at = NEXT_COMMAND_AT..NEXT_COMMAND_AT + size_of::<u32>();
            if let Some(field) = element.get_mut(at) {
                field.copy_from_slice(&distance.to_le_bytes());
            }
        }
        if let Some(signer) = self.signer.take() {
            let signature = signer.sign(self.reply.element(), self.reply.payload());
            if let Some(field) = self.reply.element_mut().get_mut(SIGNATURE_AT..HEADER_LEN) {
                field.copy_from_slice(&signature);
            }
        }
        // Over the response as sent, its signature included.
        match self.hash_into.take() {
            Some(HashInto::Connection(hash)) => {
                conn.set_preauth_hash(extend_hash(&hash, self.reply.element()));
            }
            Some(HashInto::Exchange(channel)) => channel.extend_hash(self.reply.element()),
            None => {}
        }
        if more {
            self.reply.advance();
        }
        Ok(())
    }

    /// Sends everything that was answered.
    fn send(&mut self, conn: &Arc<Connection>) -> Result {
        if self.reply.is_empty() {
            return Ok(());
        }
        let reply = core::mem::replace(&mut self.reply, Reply::new(&conn.server.buffers));
        let reserved = self.frame.take_reserved();
        // The request is done with: while its answer waits for its turn, another may take its place.
        self.frame.leave();
        let posted = match self.sealed_by.take() {
            Some(channel) => conn.send_sealed(&channel, reply, reserved),
            None => conn.send_plain(reply, reserved),
        };
        self.untold.clear();
        posted
    }

    /// Sends the interim response of the current request, which is about to wait.
    fn suspend(
        &mut self,
        conn: &Arc<Connection>,
        current: &Current,
        waker: Waker,
        resume: KBox<dyn Resume>,
    ) -> Outcome {
        if tells_of_wait(current) {
            // What was answered so far does not wait with it: interim responses go out alone.
            if self.send_answered(conn).is_err() {
                return Outcome::Disconnect;
            }
            if self.async_id.is_none() && self.send_interim(conn, current, waker.async_id()).is_ok()
            {
                self.async_id = Some(waker.async_id());
            }
        }
        self.frame.release();
        self.frame.park();
        self.resume = Some((resume, Wake::Ready));
        Outcome::Waits(waker)
    }

    /// Sends the responses before the current one, if there are any.
    fn send_answered(&mut self, conn: &Arc<Connection>) -> Result {
        let Some(last) = self.answered.take() else {
            return Ok(());
        };
        let mut reply = core::mem::replace(&mut self.reply, Reply::new(&conn.server.buffers));
        reply.reopen(last.place);
        let element = reply.element_mut();
        if let Some(field) = element.get_mut(NEXT_COMMAND_AT..NEXT_COMMAND_AT + size_of::<u32>()) {
            field.fill(0);
        }
        if let Some(signer) = last.signer {
            let signature = signer.sign(reply.element(), None);
            if let Some(field) = reply.element_mut().get_mut(SIGNATURE_AT..HEADER_LEN) {
                field.copy_from_slice(&signature);
            }
        }
        let reserved = self.frame.take_reserved();
        let posted = match &self.sealed_by {
            Some(channel) => conn.send_sealed(channel, reply, reserved),
            None => conn.send_plain(reply, reserved),
        };
        self.untold.clear();
        posted
    }

    /// The STATUS_PENDING response, [MS-SMB2] 3.3.4.2. It is not signed: with AES-GMAC it would share its nonce with
    /// the final response.
    fn send_interim(&mut self, conn: &Arc<Connection>, current: &Current, async_id: u64) -> Result {
        let header = &current.header;
        let mut reply = Reply::new(&conn.server.buffers);
        reply
            .body(16, |w| error::Reply::EMPTY.write(w))
            .map_err(|_| ENOMEM)?;
        let mut answer = header.reply();
        answer.set_status(NtStatus::PENDING);
        answer.set_session_id(self.related.session_id);
        answer.set_flags(answer.flags().without(HeaderFlags::RELATED_OPERATIONS));
        answer.set_async_id(async_id);
        answer.set_credits(conn.grant_credits(header));
        reply.put_header(&answer);
        let reserved = self.frame.take_reserved();
        match &self.sealed_by {
            Some(channel) => conn.send_sealed(channel, reply, reserved),
            None => conn.send_plain(reply, reserved),
        }
    }
}

/// Whether the client learns that the request waits. Within a compound only an open may say so, as with Windows: all else
/// there keeps the whole compound waiting. And the refusal of a login that is held back tells nothing before it goes out.
fn tells_of_wait(current: &Current) -> bool {
    match current.header.command() {
        Ok(Command::SessionSetup) => false,
        Ok(Command::Create) => true,
        _ => current.is_last,
    }
}

const _: () = assert!(HEADROOM > FRAME_HEADER_LEN);
