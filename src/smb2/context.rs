// SPDX-License-Identifier: GPL-2.0

//! What a command handler knows of the request that it serves.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::pages::PageVec;
use smb_model::credits;
use smb_proto::header::{FileId, Header, HeaderFlags};
use smb_proto::status::NtStatus;
use smb_proto::wire::Malformed;

use crate::connection::{Connection, Negotiated};
use crate::files::breaks::Untold;
use crate::files::{Open, Tree};
use crate::server::Server;
use crate::session::{Channel, Session};

use super::wait::{self, Resume, TreeHandler, Wake, Waker};

/// Why a handler has no answer to give.
pub(crate) enum Stop {
    /// The request failed: an ERROR response goes out.
    Failed(NtStatus),
    /// The request waits: an interim response goes out, and `Resume` answers once the waker was woken.
    Wait(Waker, KBox<dyn Resume>),
    /// The client broke a rule that costs it the connection; no response goes out.
    Disconnect,
    /// No response goes out, by rule (CANCEL).
    Silence,
}

impl From<NtStatus> for Stop {
    fn from(status: NtStatus) -> Self {
        Stop::Failed(status)
    }
}

impl From<Malformed> for Stop {
    fn from(_: Malformed) -> Self {
        Stop::Failed(NtStatus::INVALID_PARAMETER)
    }
}

impl From<kernel::alloc::AllocError> for Stop {
    fn from(_: kernel::alloc::AllocError) -> Self {
        Stop::Failed(NtStatus::INSUFFICIENT_RESOURCES)
    }
}

/// What a handler returns: the status of the response whose body it wrote.
pub(crate) type Handled = core::result::Result<NtStatus, Stop>;

/// The file that related requests of a compound inherit, [MS-SMB2] 3.3.5.2.7.2.
#[derive(Clone, Copy)]
pub(crate) enum RelatedFile {
    /// No request before this one named or made a file.
    None,
    /// The file of the request before.
    Known(FileId),
    /// The request before was to make a file and failed.
    Failed(NtStatus),
}

/// What one request of a compound hands on to the next.
#[derive(Clone, Copy)]
pub(crate) struct Related {
    /// Whether there was a request before, and its session and tree connect were found.
    pub(crate) is_valid: bool,
    pub(crate) session_id: u64,
    pub(crate) tree_id: u32,
    pub(crate) file: RelatedFile,
}

/// Where the preauthentication hash of a response goes, [MS-SMB2] 3.3.5.4 and 3.3.5.5. It covers the response as sent,
/// so the chain computes it.
pub(crate) enum HashInto {
    /// Into the connection: the hash over the NEGOTIATE request.
    Connection([u8; 64]),
    /// Into the authentication under way on the channel.
    Exchange(Arc<Channel>),
}

impl HashInto {
    /// For the response to the NEGOTIATE request `pdu`.
    pub(crate) fn connection(pdu: &[u8]) -> Self {
        HashInto::Connection(extend_hash(&[0; 64], pdu))
    }
}

/// The next value of a preauthentication hash: SHA-512 over the last value and the message.
pub(crate) fn extend_hash(hash: &[u8; 64], message: &[u8]) -> [u8; 64] {
    linux::digest::sha512([hash.as_slice(), message])
}

/// One request.
pub(crate) struct Context<'a> {
    pub(crate) conn: &'a Arc<Connection>,
    pub(crate) header: &'a Header,
    /// The request from its header on, without what follows it in the compound.
    pub(crate) pdu: &'a [u8],
    /// The first data of a WRITE, which the request lacks; mostly none.
    pub(crate) taken: &'a mut PageVec,
    pub(crate) related: &'a mut Related,
    /// The session whose keys the frame came encrypted with, if it did.
    pub(crate) sealed_by: Option<u64>,
    /// Whether this is the first request of its frame.
    pub(crate) is_first: bool,
    /// Whether this is the last request of its frame: only that one may send data by reference.
    pub(crate) is_last: bool,
    /// Async id of a request that has waited before.
    pub(crate) async_id: Option<u64>,
    /// The session that the request was verified under, and its keys on this connection.
    pub(crate) channel: Option<Arc<Channel>>,
    /// Keys of a response that must be signed although the request was not (final SESSION_SETUP response).
    pub(crate) sign_with: Option<Arc<Channel>>,
    /// Where the preauthentication hash over the response goes.
    pub(crate) hash_response: Option<HashInto>,
    /// Session id of the response where the request had none yet (SESSION_SETUP).
    pub(crate) reply_session_id: u64,
    /// Tree id of the response where the request had none yet (TREE_CONNECT).
    pub(crate) reply_tree_id: Option<u32>,
    /// What the request's client may cache and learns from the answer.
    pub(crate) untold: Option<Untold>,
}

impl Context<'_> {
    /// Checks the signature of a request for `session`, which is not of the connection, or not yet. Whoever proves to know the
    /// session's key is answered with a signature, also when he is refused.
    pub(crate) fn verify_stranger(&mut self, session: &Arc<Session>) -> Result<Arc<Channel>, Stop> {
        if !self.header.has(HeaderFlags::SIGNED) {
            return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
        }
        let channel = Channel::of_stranger(session, self.pdu);
        self.channel = channel.as_ref().ok().cloned();
        channel.map_err(|error| {
            Stop::Failed(if error == ENOMEM {
                NtStatus::INSUFFICIENT_RESOURCES
            } else {
                NtStatus::ACCESS_DENIED
            })
        })
    }

    /// The refusal of a request for session `id`, which is not of the connection.
    pub(crate) fn no_such_session(&mut self, id: u64) -> Stop {
        let session = self.server().sessions.get(id);
        if let Some(session) = session.filter(|session| self.signs_for(session)) {
            // Only for the signature of the answer.
            let _ = self.verify_stranger(&session);
        }
        Stop::Failed(NtStatus::USER_SESSION_DELETED)
    }

    /// Whether the refusal of a request for `session`, which is not of the connection, is signed. Whoever repeats a request that he
    /// saw elsewhere gets a signature over something else: with AES-GMAC, whose nonce is the message id, a second one with one nonce,
    /// which tells the key. It is given only where the client may have several connections, and expects it.
    fn signs_for(&self, session: &Session) -> bool {
        self.conn.config.multichannel || !session.signs_by_nonce()
    }

    /// Whether the frame came encrypted.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed_by.is_some()
    }

    /// The server.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.conn.server
    }

    /// What was negotiated on the connection; every command but NEGOTIATE is refused before.
    pub(crate) fn negotiated(&self) -> Result<&Negotiated, Stop> {
        self.conn.negotiated().ok_or(Stop::Disconnect)
    }

    /// Whether the request inherits ids from the one before.
    pub(crate) fn is_related(&self) -> bool {
        self.header.has(HeaderFlags::RELATED_OPERATIONS)
    }

    /// Checks that the request pays for `sent` bytes of payload and `expected` bytes of response,
    /// [MS-SMB2] 3.3.5.2.5.
    pub(crate) fn check_charge(&self, sent: u32, expected: u32) -> Result<(), NtStatus> {
        let multi_credit = self.conn.negotiated().is_some_and(|n| n.multi_credit);
        credits::check_charge(self.header.credit_charge(), sent, expected, multi_credit)
    }

    /// The file id that the request means: its own, or the inherited one.
    pub(crate) fn file_id(&mut self, named: FileId) -> Result<FileId, NtStatus> {
        if !(self.is_related() && named.is_any()) {
            self.related.file = RelatedFile::Known(named);
            return Ok(named);
        }
        match self.related.file {
            RelatedFile::Known(id) => Ok(id),
            RelatedFile::Failed(status) => Err(status),
            RelatedFile::None => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    /// The open file that the request means.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_CLOSED` if it is not open in this session and tree connect.
    pub(crate) fn open(
        &mut self,
        session: &Session,
        tree: &Tree,
        named: FileId,
    ) -> Result<Arc<Open>, NtStatus> {
        let id = self.file_id(named)?;
        let open = session.opens.get(id).ok_or(NtStatus::FILE_CLOSED)?;
        if open.tree.id != tree.id {
            return Err(NtStatus::FILE_CLOSED);
        }
        Ok(open)
    }

    /// Lets the answers to the earlier requests of a compound go out before its last one touches data, which may take long.
    ///
    /// # Errors
    ///
    /// Always, the first time in a compound: the chain sends what it has, and an interim response, and comes back.
    pub(crate) fn send_earlier_answers(
        &self,
        session: &Arc<Session>,
        tree: &Arc<Tree>,
        serve: TreeHandler,
    ) -> Result<(), Stop> {
        if self.is_first || !self.is_last || self.async_id.is_some() {
            return Ok(());
        }
        let waker = self.waker()?;
        waker.wake(Wake::Ready);
        Err(wait::again(waker, session, tree, serve))
    }

    /// A waker for this request, for a handler that is about to return [`Stop::Wait`].
    pub(crate) fn waker(&self) -> Result<Waker, Stop> {
        Waker::new(self.conn, self.async_id)
            .map_err(|_| Stop::Failed(NtStatus::INSUFFICIENT_RESOURCES))
    }
}
