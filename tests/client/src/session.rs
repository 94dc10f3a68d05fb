// SPDX-License-Identifier: GPL-2.0

//! A session's keys, and the exchange that makes them, step by step. [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use smb_model::kdf::{self, CipherStrength, Direction, Preauth, Scheme};
use smb_model::signing::NonceSpace;
use smb_proto::header::{Command, Header, HeaderFlags};
use smb_proto::negotiate::{Capabilities, Dialect, SecurityMode};
use smb_proto::negotiate_context::{Cipher, SigningAlgorithm};
use smb_proto::session_setup::{Reply, Request, RequestFlags, SessionFlags};
use smb_proto::status::NtStatus;
use smb_proto::transform;
use smb_proto::wire::Full;

use crate::connection::{Connection, Negotiated};
use crate::crypto::{SealKey, Signer, Software};
use crate::error::{Error, Result};
use crate::login::{Credentials, Ntlm};

/// The keys that a session seals with. Shared by its channels.
#[derive(Debug)]
pub struct Sealing {
    to_server: SealKey,
    to_client: SealKey,
    nonces: [u8; 12],
    used: AtomicU64,
}

impl Sealing {
    fn new(cipher: Cipher, scheme: Scheme<'_>, full_key: &[u8]) -> Option<Self> {
        let strength = match cipher {
            Cipher::AES_256_CCM | Cipher::AES_256_GCM => CipherStrength::Bits256,
            _ => CipherStrength::Bits128,
        };
        let key = |direction| {
            let key = kdf::cipher_key::<Software>(scheme, strength, direction, full_key)?;
            SealKey::new(cipher, key.expose())
        };
        Some(Sealing {
            to_server: key(Direction::ClientToServer)?,
            to_client: key(Direction::ServerToClient)?,
            nonces: rand::random(),
            used: AtomicU64::new(0),
        })
    }

    /// Encrypts `text` in place and writes the TRANSFORM_HEADER into `head`.
    ///
    /// # Errors
    ///
    /// [`Full`] for a text that its length field cannot tell.
    pub fn seal(
        &self,
        session: u64,
        head: &mut [u8],
        text: &mut [u8],
    ) -> std::result::Result<(), Full> {
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        let space = NonceSpace::new(self.nonces);
        let mut nonce = [0; 16];
        match self.to_server.nonce_len() {
            11 => nonce[..11].copy_from_slice(&space.ccm(used).ok_or(Full)?),
            _ => nonce[..12].copy_from_slice(&space.gcm(used).ok_or(Full)?),
        }
        let mut header = transform::Header::new(session, nonce, text.len())?;
        let tag = self.to_server.seal(&header.aad(), text);
        header.set_signature(tag);
        head[..transform::HEADER_LEN].copy_from_slice(&header.to_bytes());
        Ok(())
    }

    /// Decrypts a frame in place; the message begins behind the TRANSFORM_HEADER.
    ///
    /// # Errors
    ///
    /// [`Error::Unprotected`] if the seal is wrong.
    pub fn open(&self, frame: &mut [u8]) -> Result<()> {
        let header = transform::Header::parse(frame)?;
        let (_, text) = frame
            .split_at_mut_checked(transform::HEADER_LEN)
            .ok_or(Error::Malformed("a sealed frame"))?;
        if !self.to_client.open(&header.aad(), text, header.signature()) {
            return Err(Error::Unprotected("its seal is wrong"));
        }
        Ok(())
    }
}

/// A session on one connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: u64,
    /// What the server said of it.
    pub flags: SessionFlags,
    /// Signs and verifies on this connection; `None` for guests and anonymous users.
    pub signer: Option<Signer>,
    /// Seals; `None` where no cipher was negotiated.
    pub sealing: Option<Arc<Sealing>>,
}

/// What can be chosen in the header and the fixed part of a SESSION_SETUP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetupHeader {
    /// `SessionId`: 0 for a new session.
    pub session_id: u64,
    /// `PreviousSessionId`.
    pub previous: u64,
    /// Whether to bind the session to the connection.
    pub bind: bool,
    /// Whether the client insists on signatures.
    pub must_sign: bool,
}

/// An authentication under way.
#[derive(Debug)]
pub struct Setup {
    /// What is sent in each step. The session id is filled in by the server's first answer.
    pub header: SetupHeader,
    /// What the steps are signed with: nothing for a new session.
    pub signer: Option<Signer>,
    ntlm: Ntlm,
    preauth: Preauth,
    challenge: Vec<u8>,
}

impl Setup {
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn new(conn: &Connection, header: SetupHeader) -> Result<Self> {
        Ok(Setup {
            header,
            signer: None,
            ntlm: Ntlm::begin()?,
            preauth: conn.preauth.clone(),
            challenge: Vec::new(),
        })
    }

    /// The first step: NEGOTIATE_MESSAGE, and the server's challenge.
    ///
    /// # Errors
    ///
    /// The server's status if it is not the one that is due.
    pub fn first(&mut self, conn: &mut Connection) -> Result<()> {
        let token = self.ntlm.first().to_vec();
        let (answer, challenge) = self.step(conn, &token)?;
        if answer.status() != NtStatus::MORE_PROCESSING_REQUIRED {
            return Err(Error::Status(answer.status()));
        }
        self.header.session_id = answer.session_id();
        self.challenge = challenge;
        Ok(())
    }

    /// The second step: AUTHENTICATE_MESSAGE, and the session.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn second(&mut self, conn: &mut Connection, who: &Credentials) -> Result<Session> {
        let (token, key) = self.ntlm.second(&self.challenge, who)?;
        self.finish(conn, &token, &key)
    }

    /// The AUTHENTICATE_MESSAGE that [`Setup::second`] would send, and its session key.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the server's challenge is.
    pub fn authenticate(&self, who: &Credentials) -> Result<(Vec<u8>, [u8; 16])> {
        self.ntlm.second(&self.challenge, who)
    }

    /// Sends `token` as the last step.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn finish(
        &mut self,
        conn: &mut Connection,
        token: &[u8],
        key: &[u8; 16],
    ) -> Result<Session> {
        self.send(conn, token)?;
        let preauth = self.preauth.clone();
        let negotiated = conn.negotiated()?.clone();
        let frame = conn.receive()?;
        let answer = Header::parse(frame)?;
        if answer.status() != NtStatus::SUCCESS {
            return Err(Error::Status(answer.status()));
        }
        let flags = Reply::parse(frame)?.flags;
        let mut session = Session {
            id: answer.session_id(),
            flags,
            signer: None,
            sealing: None,
        };
        if !flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL) {
            session.derive(&negotiated, key, &preauth);
            let is_signed = answer.has(HeaderFlags::SIGNED);
            // Before 3.0 a server signs it only if signing is required.
            let may_be_plain = matches!(negotiated.dialect, Dialect::SMB_2_0_2 | Dialect::SMB_2_1);
            if !is_signed && !may_be_plain {
                return Err(Error::Unprotected("the login's last answer is not signed"));
            }
            let signer = session
                .signer
                .as_ref()
                .ok_or(Error::Unprotected("no key"))?;
            if is_signed && !signer.verify(frame) {
                return Err(Error::Unprotected(
                    "the login's last answer is signed wrongly",
                ));
            }
        }
        conn.note(&answer);
        Ok(session)
    }

    /// Sends `token` and gives the server's answer: its header, and its token.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn step(&mut self, conn: &mut Connection, token: &[u8]) -> Result<(Header, Vec<u8>)> {
        self.send(conn, token)?;
        let frame = conn.receive()?;
        let answer = Header::parse(frame)?;
        let token = match answer.status() {
            NtStatus::MORE_PROCESSING_REQUIRED => {
                self.preauth.update::<Software>(&[frame]);
                Reply::parse(frame)?.security_buffer.to_vec()
            }
            _ => Vec::new(),
        };
        conn.note(&answer);
        Ok((answer, token))
    }

    /// Sends `token` without waiting for the answer.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send(&mut self, conn: &mut Connection, token: &[u8]) -> Result<u64> {
        let mut header = conn.header(Command::SessionSetup, 1);
        header.set_session_id(self.header.session_id);
        if self.signer.is_some() {
            header.set_flags(HeaderFlags::SIGNED);
        }
        let request = Request {
            flags: if self.header.bind {
                RequestFlags::BINDING
            } else {
                RequestFlags::NONE
            },
            security_mode: if self.header.must_sign {
                SecurityMode::SIGNING_REQUIRED
            } else {
                SecurityMode::SIGNING_ENABLED
            },
            capabilities: Capabilities::NONE,
            previous_session_id: self.header.previous,
            security_buffer: token,
        };
        conn.out.begin(false);
        conn.out.push(&header, |w| request.write(w))?;
        if let Some(signer) = &self.signer {
            conn.out.sign(signer);
        }
        self.preauth.update::<Software>(&[conn.out.message_mut()]);
        conn.out.finish(None)?;
        conn.flush()?;
        Ok(header.message_id())
    }
}

impl Session {
    /// Makes the keys of a session that was just set up.
    fn derive(&mut self, negotiated: &Negotiated, key: &[u8; 16], preauth: &Preauth) {
        let scheme = match negotiated.dialect {
            Dialect::SMB_3_1_1 => Scheme::Smb311(preauth),
            Dialect::SMB_3_0 | Dialect::SMB_3_0_2 => Scheme::Smb30,
            _ => Scheme::None,
        };
        let signing = kdf::signing_key::<Software>(scheme, key);
        self.signer = Some(Signer::new(negotiated.signing, signing.expose()));
        self.sealing = negotiated
            .cipher
            .and_then(|cipher| Sealing::new(cipher, scheme, key))
            .map(Arc::new);
    }
}

/// The algorithm that a dialect signs with when nothing is negotiated.
pub(crate) fn default_signing(dialect: Dialect) -> SigningAlgorithm {
    match dialect {
        Dialect::SMB_3_0 | Dialect::SMB_3_0_2 | Dialect::SMB_3_1_1 => SigningAlgorithm::AES_CMAC,
        _ => SigningAlgorithm::HMAC_SHA256,
    }
}
