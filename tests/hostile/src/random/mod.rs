// SPDX-License-Identifier: GPL-2.0

//! Random requests over several connections and sessions, right and wrong, alone and in compounds, in an order that a seed gives.
//!
//! Whatever is sent, the server must answer each request once or close the connection, must serve nothing by tree connects and
//! files that the session never had, and must hold what its answers say that it holds: now and then all answers are awaited, and
//! its counts are compared with a model's. Each step has a source of chance of its own, made of the seed and the step's number,
//! so that what it does depends on neither time nor what the steps before it drew; ids are chosen by their place in a list of what
//! was opened, whether or not that worked.

mod model;
mod request;

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smb_client::{Answer, Client, Error, Options, Protection};
use smb_proto::create;
use smb_proto::header::{Command, FileId, Header, HeaderFlags, HEADER_LEN};
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::counts::Counts;
use crate::world::World;
use model::{Meaning, Model};
use request::{Asked, Source, FILES};

/// Connections at a time.
const PLACES: usize = 4;
/// Requests in flight on a connection at most.
const DEEP: usize = 8;
/// Steps between looks at what the server holds.
const LOOK: u64 = 200;
/// How long a request that the server says waits may take before it is cancelled.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that was not answered, and the requests of its compound.
#[derive(Clone, Copy, Debug)]
struct Sent {
    id: u64,
    meaning: Meaning,
}

/// A connection and the requests on it that were not answered.
struct Place {
    client: Client,
    /// The session's number in the model.
    session: usize,
    /// What its connections were negotiated with.
    options: Options,
    sent: Vec<Sent>,
    /// What the compound whose answers are awaited has opened.
    own: Option<FileId>,
    /// The request that was sent last.
    last: String,
    /// Whether something was sent for which the server may close the connection.
    is_tainted: bool,
}

struct Machine<'w> {
    world: &'w World,
    chance: ChaCha8Rng,
    places: Vec<Option<Place>>,
    files: [FileId; FILES],
    model: Model,
    /// Of what was done, without the ids that the server chose: two runs of a seed can be compared by it.
    digest: u64,
}

/// Plays `steps` steps from `seed`.
pub(crate) fn play(world: &World, seed: u64, steps: u64) -> Result<()> {
    let before = world.settled(None).context("before")?;
    let mut machine = Machine {
        world,
        chance: ChaCha8Rng::seed_from_u64(seed),
        places: (0..PLACES).map(|_| None).collect(),
        files: [FileId::default(); FILES],
        model: Model::default(),
        digest: 0xcbf2_9ce4_8422_2325,
    };
    for step in 0..steps {
        machine
            .step(seed, step)
            .with_context(|| format!("step {step} of --seed {seed} --steps {steps}"))?;
    }
    println!("random: what was done is {:016x}", machine.digest);
    drop(machine);
    world.settled(before).context("afterwards")?;
    world
        .check_serves()
        .context("afterwards, a client that behaves is not served")
}

impl Machine<'_> {
    fn step(&mut self, seed: u64, step: u64) -> Result<()> {
        self.chance = ChaCha8Rng::seed_from_u64(seed);
        self.chance.set_stream(step);
        if step % LOOK == LOOK - 1 {
            return self.look();
        }
        let at = self.chance.random_range(0..PLACES);
        let kind = self.chance.random_range(0..100u32);
        let Some(place) = self.places[at].take() else {
            self.digest(step);
            self.places[at] = self.connect()?;
            return Ok(());
        };
        self.digest((step << 8) | u64::from(kind));
        let kept = match kind {
            0 => {
                self.model.gone(place.session, !place.sent.is_empty());
                None
            }
            1..=8 => self.settle(place)?,
            9..=16 => self.compound(place)?,
            _ => self.send(place)?,
        };
        self.places[at] = kept;
        Ok(())
    }

    /// Takes something that was done into the digest.
    fn digest(&mut self, what: u64) {
        // FNV-1a over words.
        self.digest = (self.digest ^ what).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// Waits for all answers, and compares what the server holds with what they say.
    fn look(&mut self) -> Result<()> {
        // Twice: an answer to the last may end the session of the first.
        for at in (0..PLACES).chain(0..PLACES) {
            if let Some(place) = self.places[at].take() {
                self.places[at] = self.settle(place)?;
            }
        }
        // Of sessions that may hold what nobody told, none stays.
        for place in &mut self.places {
            if let Some(vague) = place.take_if(|place| self.model.is_vague(place.session)) {
                self.model.gone(vague.session, false);
            }
        }
        self.world
            .settled(Some(self.model.counts()))
            .map(|_: Option<Counts>| ())
            .context("what the server's answers said")
    }

    /// A connection with a session of its own, or a further one of a session that there is.
    fn connect(&mut self) -> Result<Option<Place>> {
        let protection =
            [Protection::Plain, Protection::Sign, Protection::Seal][self.chance.random_range(0..3)];
        let beside = self.chance.random_range(0..PLACES);
        let binds: bool = self.chance.random();
        let first = if binds {
            self.places[beside].take()
        } else {
            None
        };
        if let Some(first) = first {
            // What is on its way might end the session.
            self.places[beside] = self.settle(first)?;
            let Some(first) = &self.places[beside] else {
                return Ok(None);
            };
            let (session, options) = (first.session, first.options.clone());
            let bound = Client::bind(&self.world.target, &options, &first.client);
            return match bound {
                Ok(client) => {
                    self.model.bound(session);
                    Ok(Some(Place::new(client, session, options)))
                }
                // By another of its connections, it may have ended.
                Err(Error::Status(_)) => Ok(None),
                Err(error) => Err(error).context("binding a channel"),
            };
        }
        let options = Options {
            protection,
            room: 1 << 18,
            ..Options::default()
        };
        let client = self.world.client_with(&options)?;
        let session = self.model.connected(client.tree);
        Ok(Some(Place::new(client, session, options)))
    }

    /// Waits for all answers. A connection whose session has ended is given up.
    fn settle(&mut self, mut place: Place) -> Result<Option<Place>> {
        for sent in std::mem::take(&mut place.sent) {
            match self.answer(&mut place, sent.id) {
                Ok(answer) => self
                    .note(&mut place, &sent, &answer)
                    .with_context(|| format!("request {}, {:?}", sent.id, sent.meaning))?,
                Err(Error::Closed) if place.is_tainted => {
                    self.model.gone(place.session, true);
                    return Ok(None);
                }
                Err(error) => bail!("request {}: {error}", sent.id),
            }
        }
        if self.model.has_ended(place.session) {
            self.model.gone(place.session, false);
            return Ok(None);
        }
        if !Self::is_there(&mut place)? {
            ensure!(
                place.is_tainted,
                "the server closed the connection behind {}",
                place.last
            );
            self.model.gone(place.session, false);
            return Ok(None);
        }
        Ok(Some(place))
    }

    /// Whether the server has not closed the connection: what was sent last may have had no answer.
    fn is_there(place: &mut Place) -> Result<bool> {
        let header = place.client.header(Command::Echo, 1);
        place.client.queue(&header, |w| Empty.write(w))?;
        let answered = place
            .client
            .conn
            .flush()
            .and_then(|()| place.client.wait(header.message_id()));
        match answered {
            Ok(_) => Ok(true),
            Err(Error::Closed) => Ok(false),
            Err(error) => Err(error).context("an ECHO"),
        }
    }

    /// Waits for one answer; what waits on the server is cancelled.
    fn answer(&mut self, place: &mut Place, id: u64) -> Result<Answer, Error> {
        place.client.conn.set_patience(PATIENCE)?;
        if let Some(async_id) = place.client.wait_pending(id)? {
            place.client.cancel(id, Some(async_id))?;
        }
        place.client.wait(id)
    }

    /// Notes what an answer says.
    fn note(&mut self, place: &mut Place, sent: &Sent, answer: &Answer) -> Result<()> {
        let session = place.session;
        if answer.status() != NtStatus::SUCCESS {
            if let Meaning::Opened { .. } = sent.meaning {
                place.own = None;
            }
            if sent.meaning == Meaning::Renewed && answer.status().is_error() {
                return self.probe(place);
            }
            return Ok(());
        }
        match sent.meaning {
            Meaning::Nothing | Meaning::Renewed => {}
            Meaning::Opened { tree, slot } => {
                let reply = create::Reply::parse(&answer.pdu).map_err(Error::from)?;
                self.model.opened(session, tree, reply.file_id)?;
                self.files[slot] = reply.file_id;
                place.own = Some(reply.file_id);
            }
            Meaning::Closed(id) => {
                ensure!(
                    self.model.has_had(session, id),
                    "a file was closed that the session never had"
                );
                self.model.closed(session, id);
            }
            Meaning::ClosedOwn => {
                let own = place.own.context("a file was closed that was not opened")?;
                self.model.closed(session, own);
            }
            Meaning::Connected => {
                let tree = answer.header.tree_id().context("no tree id")?;
                self.model.tree_connected(session, tree);
                place.client.tree = tree;
            }
            Meaning::Disconnected { tree } => self.model.tree_disconnected(session, tree)?,
            Meaning::LoggedOff => self.model.ended(session),
        }
        Ok(())
    }

    /// Asks whether a session whose renewal failed is still there.
    fn probe(&mut self, place: &mut Place) -> Result<()> {
        let mut header = place.client.header(Command::TreeDisconnect, 1);
        header.set_tree_id(0);
        place.client.queue(&header, |w| Empty.write(w))?;
        let probed = place
            .client
            .conn
            .flush()
            .and_then(|()| place.client.wait(header.message_id()));
        match probed {
            Ok(answer) if answer.status() == NtStatus::USER_SESSION_DELETED => {
                self.model.ended(place.session);
            }
            Ok(_) => {}
            // What is sealed for a session that is gone ends the connection, 3.3.5.2.1.1.
            Err(Error::Closed) if place.client.protection == Protection::Seal => {
                self.model.ended(place.session);
                place.is_tainted = true;
            }
            // For what was sent before.
            Err(Error::Closed) if place.is_tainted => {}
            Err(error) => bail!("after a renewal that failed: {error}; {}", place.last),
        }
        Ok(())
    }

    /// A random request.
    fn ask(&mut self, place: &Place, in_compound: bool) -> Result<Asked> {
        let mut source = Source {
            chance: &mut self.chance,
            files: &self.files,
            tree: place.client.tree,
            share: &self.world.target.share,
        };
        source.request(in_compound)
    }

    /// Makes a request wrong, now and then.
    fn spoil(&mut self, place: &mut Place, header: &mut Header, asked: &mut Asked) {
        let body = &mut asked.body;
        match self.chance.random_range(0..40u32) {
            // A body that lies.
            0..=5 if !body.is_empty() => {
                let flips = self.chance.random_range(1..4);
                for _ in 0..flips {
                    let at = self.chance.random_range(0..body.len());
                    body[at] = self.chance.random();
                }
            }
            6 => body.truncate(self.chance.random_range(2..=body.len().max(2))),
            7 => header.set_tree_id(self.chance.random()),
            8 => header.set_session_id(self.chance.random()),
            9 => header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS),
            10 => {
                header.set_message_id(self.chance.random());
                place.is_tainted = true;
            }
            _ => {}
        }
        if let Meaning::Closed(id) = &mut asked.meaning {
            // Of what it names now.
            if let Some(bytes) = body.get(8..24) {
                let half = |at: usize| bytes[at..][..8].try_into().map(u64::from_le_bytes);
                if let (Ok(persistent), Ok(volatile)) = (half(0), half(8)) {
                    *id = FileId {
                        persistent,
                        volatile,
                    };
                }
            }
        }
        if let Meaning::Opened { tree, .. } | Meaning::Disconnected { tree } = &mut asked.meaning {
            *tree = header.tree_id().unwrap_or(u32::MAX);
        }
    }

    /// Whether the server may close the connection for a right request.
    fn taints(place: &Place, command: Command) -> bool {
        // What is sealed for a session that is gone ends the connection, 3.3.5.2.1.1.
        let ends = matches!(command, Command::Logoff | Command::SessionSetup);
        let unsigned = command == Command::TreeConnect && place.client.session.signer.is_none();
        command == Command::Negotiate
            || unsigned
            || ends && place.client.protection == Protection::Seal
    }

    fn send(&mut self, mut place: Place) -> Result<Option<Place>> {
        if place.sent.len() >= DEEP || place.client.conn.credits < 32 {
            return self.settle(place);
        }
        let mut asked = self.ask(&place, false)?;
        let mut header = place.client.header(asked.command, 1);
        if asked.command == Command::TreeConnect && place.client.protection == Protection::Plain {
            // 3.1.1 demands it; unsigned, it ends the connection.
            header.set_flags(HeaderFlags::SIGNED);
        }
        self.spoil(&mut place, &mut header, &mut asked);
        self.digest(((asked.command as u64) << 32) | u64::try_from(asked.body.len())?);
        self.taint(&mut place, asked.command);
        if asked.command == Command::Cancel {
            // It has no answer, and uses up no id.
            place.client.conn.next_id -= 1;
        }
        place.client.queue(&header, |w| w.bytes(&asked.body))?;
        place.last = format!("{header:?} with {:02x?}", asked.body);
        if asked.command != Command::Cancel {
            place.sent.push(Sent {
                id: header.message_id(),
                meaning: asked.meaning,
            });
        }
        self.flush(place)
    }

    /// A session that may end by one of its connections taints all that seal for it.
    fn taint(&mut self, place: &mut Place, command: Command) {
        if !Self::taints(place, command) {
            return;
        }
        place.is_tainted = true;
        if command != Command::Negotiate {
            for other in self.places.iter_mut().flatten() {
                other.is_tainted |= other.session == place.session;
            }
        }
    }

    /// CREATE, and requests for what it opens.
    fn compound(&mut self, mut place: Place) -> Result<Option<Place>> {
        if place.sent.len() >= DEEP || place.client.conn.credits < 32 {
            return self.settle(place);
        }
        let bits = self.chance.random();
        let slot = self.chance.random_range(0..FILES);
        let count = self.chance.random_range(1..4u32);
        let mut source = Source {
            chance: &mut self.chance,
            files: &self.files,
            tree: place.client.tree,
            share: &self.world.target.share,
        };
        let name = source.name();
        let mut body = vec![0; 1 << 12];
        let len = {
            let mut w = smb_proto::wire::Writer::new(&mut body);
            w.zeros(HEADER_LEN).map_err(Error::from)?;
            let file = source.new_file(&name, bits);
            file.write(&mut w).map_err(Error::from)?;
            w.len()
        };
        body.truncate(len);
        let tree = place.client.tree;
        let mut elements = vec![Asked {
            command: Command::Create,
            body: body.split_off(HEADER_LEN),
            meaning: Meaning::Opened { tree, slot },
        }];
        for _ in 0..count {
            elements.push(self.ask(&place, true)?);
        }
        place.client.begin();
        for (number, mut asked) in elements.into_iter().enumerate() {
            let mut header = place.client.header(asked.command, 1);
            if number > 0 {
                header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS);
                if self.chance.random_ratio(1, 8) && !asked.body.is_empty() {
                    let at = self.chance.random_range(0..asked.body.len().min(8));
                    asked.body[at] = self.chance.random();
                }
            }
            place
                .client
                .conn
                .out
                .push(&header, |w| w.bytes(&asked.body))
                .map_err(Error::from)?;
            place.sent.push(Sent {
                id: header.message_id(),
                meaning: asked.meaning,
            });
        }
        place.client.end()?;
        self.flush(place)
    }

    fn flush(&mut self, mut place: Place) -> Result<Option<Place>> {
        match place.client.conn.flush() {
            Ok(()) => {}
            Err(Error::Closed) if place.is_tainted => {
                self.model.gone(place.session, true);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        if place.is_tainted {
            return self.settle(place);
        }
        Ok(Some(place))
    }
}

impl Place {
    fn new(client: Client, session: usize, options: Options) -> Self {
        Place {
            client,
            session,
            options,
            sent: Vec::new(),
            own: None,
            last: String::new(),
            is_tainted: false,
        }
    }
}
