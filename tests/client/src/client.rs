// SPDX-License-Identifier: GPL-2.0

//! A session and a tree connect on a connection: sends requests without waiting, and sorts the answers.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use smb_proto::chain;
use smb_proto::header::{Command, FrameKind, Header, HeaderFlags, UNSOLICITED_MESSAGE_ID};
use smb_proto::session_setup::SessionFlags;
use smb_proto::status::NtStatus;
use smb_proto::tree_connect;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Writer, Written};

use crate::connection::{Connection, Offer};
use crate::error::{Error, Result};
use crate::login::Credentials;
use crate::operations::utf16;
use crate::session::{Session, Setup, SetupHeader};

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// Name of the share.
    pub share: String,
    /// Who logs in.
    pub who: Credentials,
}

/// How requests are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    #[default]
    Plain,
    /// Signed.
    Sign,
    /// Sealed.
    Seal,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is offered.
    pub offer: Offer,
    /// How requests are protected once somebody is logged in.
    pub protection: Protection,
    /// Bytes of the largest message that is sent or expected; the buffer for requests does not grow.
    pub room: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            offer: Offer::default(),
            protection: Protection::Plain,
            room: 1 << 20,
        }
    }
}

/// An answer, or a notification.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its header.
    pub header: Header,
    /// Its bytes from the header on.
    pub pdu: Vec<u8>,
    /// Whether it was signed or sealed, and rightly.
    pub is_protected: bool,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> NtStatus {
        self.header.status()
    }
}

/// A session and a tree connect on a connection.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub conn: Connection,
    /// The session.
    pub session: Session,
    /// Id of the tree connect that requests are for; 0 for none.
    pub tree: u32,
    /// How requests are protected.
    pub protection: Protection,
    stash: VecDeque<Answer>,
    /// Async ids by message id of requests that wait.
    pending: HashMap<u64, u64>,
}

impl Client {
    /// Connects, logs in, and connects to the share.
    ///
    /// # Errors
    ///
    /// Those of each step.
    pub fn connect(target: &Target, options: &Options) -> Result<Self> {
        let mut client = Self::log_in(target, options, SetupHeader::default())?;
        client.connect_tree(&target.share)?;
        Ok(client)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    ///
    /// Those of each step.
    pub fn log_in(target: &Target, options: &Options, header: SetupHeader) -> Result<Self> {
        let mut conn = Connection::open(target.address, options.room)?;
        conn.negotiate(&options.offer)?;
        let mut setup = Setup::new(&conn, header)?;
        setup.first(&mut conn)?;
        let session = setup.second(&mut conn, &target.who)?;
        // A server that demands it is obeyed, [MS-SMB2] 3.2.5.3.1.
        let protection = match session.flags.contains(SessionFlags::ENCRYPT_DATA) {
            true => Protection::Seal,
            false => options.protection,
        };
        Ok(Self::on(conn, session, protection))
    }

    /// Binds the session of `first` to a new connection, with the same tree connect.
    ///
    /// # Errors
    ///
    /// Those of each step.
    pub fn bind(target: &Target, options: &Options, first: &Client) -> Result<Self> {
        let mut conn = Connection::open(target.address, options.room)?;
        let mut setup = first.begin_binding(&mut conn, options)?;
        let mut session = setup.second(&mut conn, &target.who)?;
        session.sealing = first.session.sealing.clone();
        let mut client = Self::on(conn, session, first.protection);
        client.tree = first.tree;
        Ok(client)
    }

    /// The binding of this session to `conn`, a new connection, of which only the last step is left.
    ///
    /// # Errors
    ///
    /// Those of each step.
    pub fn begin_binding(&self, conn: &mut Connection, options: &Options) -> Result<Setup> {
        conn.negotiate(&options.offer)?;
        let header = SetupHeader {
            session_id: self.session.id,
            bind: true,
            ..SetupHeader::default()
        };
        let mut setup = Setup::new(conn, header)?;
        setup.signer = self.session.signer.clone();
        setup.first(conn)?;
        Ok(setup)
    }

    /// A session on a connection.
    pub fn on(conn: Connection, session: Session, protection: Protection) -> Self {
        Client {
            conn,
            session,
            tree: 0,
            protection,
            stash: VecDeque::new(),
            pending: HashMap::new(),
        }
    }

    /// Connects to a share, for the requests that follow.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn connect_tree(&mut self, share: &str) -> Result<u32> {
        let path = utf16(&format!(r"\\server\{share}"));
        let request = tree_connect::Request {
            path: Utf16(&path),
            ..tree_connect::Request::default()
        };
        let mut header = self.header(Command::TreeConnect, 1);
        header.set_tree_id(0);
        // 3.1.1 demands it, [MS-SMB2] 3.2.4.1.1.
        if self.session.signer.is_some() && self.protection == Protection::Plain {
            header.set_flags(header.flags() | HeaderFlags::SIGNED);
        }
        self.queue(&header, |w| request.write(w))?;
        self.conn.flush()?;
        let answer = self.wait(header.message_id())?;
        if answer.status().is_error() {
            return Err(Error::Status(answer.status()));
        }
        self.tree = answer
            .header
            .tree_id()
            .ok_or(Error::Malformed("no tree id"))?;
        Ok(self.tree)
    }

    /// A request's header: with message ids, the session and the tree connect, flagged as signed if requests are.
    pub fn header(&mut self, command: Command, charge: u16) -> Header {
        let mut header = self.conn.header(command, charge);
        header.set_session_id(self.session.id);
        header.set_tree_id(self.tree);
        if self.protection == Protection::Sign && self.session.signer.is_some() {
            header.set_flags(HeaderFlags::SIGNED);
        }
        header
    }

    /// Writes a request of its own packet into the buffer, signed if its header says so, sealed if requests are.
    /// [`Connection::flush`] sends it, with whatever else is there.
    ///
    /// # Errors
    ///
    /// [`Error::Full`].
    pub fn queue(
        &mut self,
        header: &Header,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<()> {
        self.begin();
        self.conn.out.push(header, body)?;
        self.end()
    }

    /// Begins a packet for a compound, whose messages go to `conn.out`.
    pub fn begin(&mut self) {
        let sealed = self.protection == Protection::Seal && self.session.sealing.is_some();
        self.conn.out.begin(sealed);
    }

    /// Ends the packet: signs what is flagged as signed, or seals all of it.
    ///
    /// # Errors
    ///
    /// [`Error::Full`].
    pub fn end(&mut self) -> Result<()> {
        match (&self.session.sealing, self.protection) {
            (Some(sealing), Protection::Seal) => {
                self.conn.out.finish(Some((sealing, self.session.id)))?;
            }
            _ => {
                if let Some(signer) = &self.session.signer {
                    self.conn.out.sign(signer);
                }
                self.conn.out.finish(None)?;
            }
        }
        Ok(())
    }

    /// Sends a request without waiting for its answer, and gives its message id.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send(
        &mut self,
        command: Command,
        charge: u16,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<u64> {
        let header = self.header(command, charge);
        self.queue(&header, body)?;
        self.conn.flush()?;
        Ok(header.message_id())
    }

    /// Sends a request and waits for its answer, whatever its status.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn call(
        &mut self,
        command: Command,
        charge: u16,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<Answer> {
        let id = self.send(command, charge, body)?;
        self.wait(id)
    }

    /// As [`Client::call`], with an error for a status that is one.
    ///
    /// # Errors
    ///
    /// The server's status, those of the connection, and [`Error::Unprotected`] for an answer less protected than its request.
    pub fn done(
        &mut self,
        command: Command,
        charge: u16,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<Answer> {
        let answer = self.call(command, charge, body)?;
        self.accept(answer)
    }

    /// Refuses an answer with an error's status, or less protected than requests are.
    ///
    /// # Errors
    ///
    /// [`Error::Status`], [`Error::Unprotected`].
    pub fn accept(&self, answer: Answer) -> Result<Answer> {
        if answer.status().is_error() {
            return Err(Error::Status(answer.status()));
        }
        if self.protection != Protection::Plain && !answer.is_protected {
            return Err(Error::Unprotected("it is neither signed nor sealed"));
        }
        Ok(answer)
    }

    /// The final answer to the request `id`. Others that come meanwhile are kept.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn wait(&mut self, id: u64) -> Result<Answer> {
        self.wait_for(|answer| {
            answer.header.message_id() == id && answer.status() != NtStatus::PENDING
        })
    }

    /// The next break notification.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn wait_break(&mut self) -> Result<Answer> {
        self.wait_for(|answer| answer.header.message_id() == UNSOLICITED_MESSAGE_ID)
    }

    /// Waits until the server says that the request `id` waits, and gives its async id. `None` if it was answered already.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn wait_pending(&mut self, id: u64) -> Result<Option<u64>> {
        loop {
            if let Some(async_id) = self.pending.get(&id) {
                return Ok(Some(*async_id));
            }
            if self
                .stash
                .iter()
                .any(|answer| answer.header.message_id() == id)
            {
                return Ok(None);
            }
            self.receive()?;
        }
    }

    /// The first answer that `wanted` takes, of those kept and those to come.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn wait_for(&mut self, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
        loop {
            if let Some(at) = self.stash.iter().position(&wanted) {
                return self.stash.remove(at).ok_or(Error::Malformed("no answer"));
            }
            self.receive()?;
        }
    }

    /// Receives a frame and keeps what is in it.
    fn receive(&mut self) -> Result<()> {
        let mut kept = Vec::new();
        self.receive_each(|header, pdu, is_protected| {
            kept.push(Answer {
                header: *header,
                pdu: pdu.to_vec(),
                is_protected,
            });
        })?;
        for answer in kept {
            let id = answer.header.message_id();
            match answer.header.async_id() {
                Some(async_id) if answer.status() == NtStatus::PENDING => {
                    self.pending.insert(id, async_id);
                }
                _ => {
                    self.pending.remove(&id);
                    self.stash.push_back(answer);
                }
            }
        }
        Ok(())
    }

    /// Receives a frame, opens and verifies it, counts its credits, and shows each message in it: header, bytes from the
    /// header on, and whether it was rightly signed or sealed. Nothing is copied. Interim answers and notifications are shown
    /// too.
    ///
    /// # Errors
    ///
    /// Those of the connection, and [`Error::Unprotected`] for a wrong signature or seal.
    pub fn receive_each(&mut self, mut show: impl FnMut(&Header, &[u8], bool)) -> Result<()> {
        let mut granted = 0u32;
        let mut frame = self.conn.receive()?;
        let is_sealed = FrameKind::of(frame)? == FrameKind::Transform;
        if is_sealed {
            let sealing = self
                .session
                .sealing
                .as_ref()
                .ok_or(Error::Unprotected("sealed without a key"))?;
            sealing.open(frame)?;
            frame = frame
                .get_mut(smb_proto::transform::HEADER_LEN..)
                .ok_or(Error::Malformed("a sealed frame"))?;
        }
        chain::split(frame)?;
        let mut rest = frame;
        while !rest.is_empty() {
            let header = Header::parse(rest)?;
            let distance = usize::try_from(header.next_command()).unwrap_or(0);
            let len = if distance == 0 { rest.len() } else { distance };
            let (pdu, tail) = rest.split_at_mut(len);
            let mut is_protected = is_sealed;
            if header.has(HeaderFlags::SIGNED) && header.session_id() == self.session.id {
                let signer = self.session.signer.as_ref();
                let signer = signer.ok_or(Error::Unprotected("signed without a key"))?;
                if !signer.verify(pdu) {
                    return Err(Error::Unprotected("its signature is wrong"));
                }
                is_protected = true;
            }
            granted += u32::from(header.credits());
            show(&header, pdu, is_protected);
            rest = tail;
        }
        self.conn.credits = self.conn.credits.saturating_add(granted);
        Ok(())
    }
}
