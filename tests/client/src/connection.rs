// SPDX-License-Identifier: GPL-2.0

//! A connection: its socket, message ids, credits and negotiation. It sends whatever it is given.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use smb_model::kdf::Preauth;
use smb_proto::header::{frame_header, Command, Header};
use smb_proto::negotiate::{Capabilities, Dialect, Reply, RequestHead, SecurityMode};
use smb_proto::negotiate_context::{Cipher, Context, HashAlgorithm, SigningAlgorithm};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Writer, Written};

use crate::crypto::Software;
use crate::error::{Error, Result};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::session::default_signing;

/// How long an answer may take. The machine that serves may be an emulated one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Credits that each request asks for.
const CREDITS: u16 = 512;

/// What a client offers in NEGOTIATE.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Dialects.
    pub dialects: Vec<Dialect>,
    /// Ciphers, for 3.1.1; none offers no encryption. For 3.0 and 3.0.2 any stands for AES-128-CCM.
    pub ciphers: Vec<Cipher>,
    /// Signing algorithms, for 3.1.1; none leaves the context out.
    pub signing: Vec<SigningAlgorithm>,
    /// `ClientGuid`.
    pub guid: [u8; 16],
    /// `Capabilities`.
    pub capabilities: Capabilities,
}

impl Default for Offer {
    fn default() -> Self {
        Offer {
            dialects: vec![Dialect::SMB_3_1_1],
            ciphers: vec![Cipher::AES_128_GCM],
            signing: vec![SigningAlgorithm::AES_CMAC],
            guid: rand::random(),
            capabilities: Capabilities::LEASING
                | Capabilities::LARGE_MTU
                | Capabilities::MULTI_CHANNEL
                | Capabilities::DIRECTORY_LEASING
                | Capabilities::ENCRYPTION,
        }
    }
}

impl Offer {
    /// Appends the body of the request.
    ///
    /// # Errors
    ///
    /// [`smb_proto::wire::Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let head = RequestHead {
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: self.capabilities,
            client_guid: self.guid,
            dialects: &self.dialects,
        };
        if !self.dialects.contains(&Dialect::SMB_3_1_1) {
            return head.write(w);
        }
        let mut contexts = head.begin(w)?;
        let salt: [u8; 32] = rand::random();
        contexts.preauth_integrity(w, &[HashAlgorithm::SHA_512], &salt)?;
        if !self.ciphers.is_empty() {
            contexts.encryption(w, &self.ciphers)?;
        }
        if !self.signing.is_empty() {
            contexts.signing(w, &self.signing)?;
        }
        contexts.finish(w)
    }
}

/// What NEGOTIATE agreed on.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// Dialect.
    pub dialect: Dialect,
    /// Cipher, if sessions can be sealed.
    pub cipher: Option<Cipher>,
    /// Signing algorithm.
    pub signing: SigningAlgorithm,
    /// `Capabilities`.
    pub capabilities: Capabilities,
    /// `SecurityMode`.
    pub security_mode: SecurityMode,
    /// `ServerGuid`.
    pub server_guid: [u8; 16],
    /// `MaxTransactSize` in bytes.
    pub max_transact: u32,
    /// `MaxReadSize` in bytes.
    pub max_read: u32,
    /// `MaxWriteSize` in bytes.
    pub max_write: u32,
}

impl Negotiated {
    fn of(frame: &[u8]) -> Result<Self> {
        let reply = Reply::parse(frame)?;
        let mut negotiated = Negotiated {
            dialect: reply.dialect,
            cipher: None,
            signing: default_signing(reply.dialect),
            capabilities: reply.capabilities,
            security_mode: reply.security_mode,
            server_guid: reply.server_guid,
            max_transact: reply.max_transact_size,
            max_read: reply.max_read_size,
            max_write: reply.max_write_size,
        };
        let has_cipher = reply.capabilities.contains(Capabilities::ENCRYPTION);
        if has_cipher && matches!(reply.dialect, Dialect::SMB_3_0 | Dialect::SMB_3_0_2) {
            negotiated.cipher = Some(Cipher::AES_128_CCM);
        }
        for context in reply.contexts.iter().flat_map(|list| list.iter()) {
            match context {
                Context::Encryption(ciphers) => negotiated.cipher = { ciphers }.next(),
                Context::Signing(algorithms) => {
                    negotiated.signing = { algorithms }.next().unwrap_or(negotiated.signing);
                }
                _ => {}
            }
        }
        Ok(negotiated)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What is to be sent.
    pub out: Outgoing,
    inbox: Incoming,
    /// The next unused message id.
    pub next_id: u64,
    /// Credits that are left: message ids that may be used from `next_id` on.
    pub credits: u32,
    /// The preauthentication hash over NEGOTIATE.
    pub preauth: Preauth,
    negotiated: Option<Negotiated>,
}

impl Connection {
    /// Connects, with buffers for messages of up to `room` bytes.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn open(address: SocketAddr, room: usize) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            out: Outgoing::new(room + 1024),
            inbox: Incoming::new(room + 1024),
            next_id: 0,
            credits: 1,
            preauth: Preauth::new(),
            negotiated: None,
        })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How long [`Connection::receive`] waits.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// Takes the default patience again.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn reset_patience(&self) -> Result<()> {
        self.set_patience(PATIENCE)
    }

    /// A request's header with message ids of its own and a request for credits.
    pub fn header(&mut self, command: Command, charge: u16) -> Header {
        let mut header = Header::request(command, self.next_id);
        header.set_credit_charge(charge);
        header.set_credits(CREDITS);
        let ids = u32::from(charge.max(1));
        self.next_id = self.next_id.wrapping_add(u64::from(ids));
        self.credits = self.credits.saturating_sub(ids);
        header
    }

    /// Counts the credits that an answer grants.
    pub fn note(&mut self, answer: &Header) {
        self.credits = self.credits.saturating_add(u32::from(answer.credits()));
    }

    /// Sends `bytes` as they are.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends `frame` behind its length.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send_frame(&mut self, frame: &[u8]) -> Result<()> {
        let head = frame_header(frame.len())?;
        self.send_bytes(&[head.as_slice(), frame].concat())
    }

    /// Sends all packets in `out`.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn flush(&mut self) -> Result<()> {
        let sent = self.stream.write_all(self.out.bytes());
        self.out.clear();
        Ok(sent?)
    }

    /// The next frame, as it came. It lasts until the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Timeout`], [`Error::Malformed`].
    pub fn receive(&mut self) -> Result<&mut [u8]> {
        let place = self.inbox.next(&mut self.stream)?;
        Ok(self.inbox.frame_mut(place))
    }

    /// Whether a frame can be received without a wait.
    pub fn has_frame(&self) -> bool {
        self.inbox.has_frame()
    }

    /// Ends the stream to the server; it may still send.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn half_close(&self) -> Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Agrees on a dialect.
    ///
    /// # Errors
    ///
    /// The server's status, and those of the connection.
    pub fn negotiate(&mut self, offer: &Offer) -> Result<&Negotiated> {
        let header = self.header(Command::Negotiate, 1);
        self.out.begin(false);
        self.out.push(&header, |w| offer.write(w))?;
        self.preauth.update::<Software>(&[self.out.message_mut()]);
        self.out.finish(None)?;
        self.flush()?;
        let place = self.inbox.next(&mut self.stream)?;
        let frame = self.inbox.frame_mut(place);
        let answer = Header::parse(frame)?;
        if answer.status() != NtStatus::SUCCESS {
            return Err(Error::Status(answer.status()));
        }
        self.preauth.update::<Software>(&[frame]);
        let negotiated = Negotiated::of(frame)?;
        self.note(&answer);
        Ok(self.negotiated.insert(negotiated))
    }

    /// What was agreed on.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] before NEGOTIATE.
    pub fn negotiated(&self) -> Result<&Negotiated> {
        self.negotiated
            .as_ref()
            .ok_or(Error::Malformed("nothing is negotiated"))
    }
}
