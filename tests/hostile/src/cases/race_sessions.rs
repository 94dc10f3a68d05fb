// SPDX-License-Identifier: GPL-2.0

//! The ends of sessions and their beginnings against each other and against what uses them: renewals, bindings, successors, and
//! compounds that take their own tree connect away. [MS-SMB2] 3.3.5.5.2, 3.3.5.5.3, 3.3.5.6, 3.3.5.8.

use anyhow::{bail, ensure, Context, Result};
use rand::Rng;
use smb_client::{
    Client, Connection, Error, NewFile, Options, Protection, Setup, SetupHeader, Target,
};
use smb_proto::header::{Command, Header, HeaderFlags};
use smb_proto::read;
use smb_proto::session_setup::RequestFlags;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::cases::race::{queue, spin, Act, Used, LOST};
use crate::check::{outcome, refused, Outcome};
use crate::world::{message, World};

/// Times that a race is run.
const ROUNDS: usize = 8;
/// Requests on each side that are in flight at a time.
const DEEP: usize = 6;
/// Answers to requests on a connection that has no part in the session that they name.
const OF_ANOTHER: &[NtStatus] = &[
    NtStatus::USER_SESSION_DELETED,
    NtStatus::REQUEST_NOT_ACCEPTED,
    NtStatus::INVALID_PARAMETER,
    NtStatus::ACCESS_DENIED,
];

cases! {
    "race.logoff-against-bind", "LOGOFF while another channel is bound" => logoff_against_bind;
    "race.previous-against-io", "a successor that ends the session while files are used" => previous_against_io;
    "race.same-name", "the same name created, renamed and deleted by two sessions" => same_name;
    "race.reauth-against-read", "a renewal that is finished while a file is read" => |world| reauth(world, Act::Read);
    "race.reauth-against-lock", "a renewal that is finished while ranges are locked" => |world| reauth(world, Act::Lock);
    "race.reauth-against-close", "a renewal that is finished while files are closed" => |world| reauth(world, Act::Close);
    "race.reauth-against-create", "a renewal that is finished while files are opened" => |world| reauth(world, Act::Create);
    "race.reauth-against-tree-disconnect", "a renewal that is finished while the tree connect ends" => |world| reauth(world, Act::TreeDisconnect);
    "race.reauth-against-logoff", "a renewal that is finished while the session ends" => |world| reauth(world, Act::Logoff);
    "race.reauth-against-reauth", "renewals that are finished on both connections" => |world| reauth(world, Act::Renew);
    "race.bind-against-bind", "two channels that are bound at once" => bind_against_bind;
    "race.bind-against-bad-step", "a binding while another step of it is refused" => bind_against_bad_step;
    "race.bind-against-disconnect", "a binding while the session's connection ends" => bind_against_disconnect;
    "race.half-login-against-disconnect", "requests for a session that is set up by half, while its connection ends" => |world| half_login(world, Half::LetGo);
    "race.half-login-against-finish", "requests for a session that is set up by half, while its client finishes it" => |world| half_login(world, Half::Finished);
    "race.half-login-against-previous", "requests for a session that is set up by half, while a successor ends it" => |world| half_login(world, Half::Succeeded);
    "race.tree-disconnect-in-compound", "compounds that take their tree connect away while it is used" => tree_disconnect_in_compound;
}

/// The last step of a renewal on a connection of its session, signed as the session signs.
fn renewal(client: &mut Client) -> Result<Setup> {
    let header = SetupHeader {
        session_id: client.session.id,
        ..SetupHeader::default()
    };
    let mut setup = Setup::new(&client.conn, header)?;
    setup.signer = client.session.signer.clone();
    setup.first(&mut client.conn)?;
    Ok(setup)
}

/// Finishes a renewal on one connection while `act` comes on the other.
fn reauth(world: &World, act: Act) -> Result<()> {
    let mut chance = world.chance();
    for round in 0..ROUNDS {
        let protection = [Protection::Plain, Protection::Sign][round % 2];
        let (mut first, mut second) = world.channels(protection)?;
        let used = Used::new(&mut first, &world.target.share, &[])?;
        second.tree = first.tree;
        let setup = renewal(&mut first)?;
        let (token, _) = setup.authenticate(&world.target.who)?;
        let mut setup = setup;
        let mut ids = Vec::new();
        let mut theirs = None;
        if act == Act::Renew {
            // There is one renewal of a session at a time: on the other connection it begins only now, or takes this one's place.
            match renewal(&mut second) {
                Ok(other) => theirs = Some(other),
                Err(error) => ensure!(
                    matches!(error.downcast_ref(), Some(Error::Status(status)) if LOST.contains(status) || *status == NtStatus::REQUEST_NOT_ACCEPTED),
                    "a second renewal: {error}"
                ),
            }
        } else {
            let count = if act == Act::Logoff { 1 } else { DEEP };
            for number in 0..count {
                ids.push(queue(&mut second, act, &used, number)?);
            }
        }
        let renewed = setup.send(&mut first.conn, &token)?;
        spin(chance.random_range(0..20_000));
        match theirs {
            Some(mut theirs) => {
                let (token, _) = theirs.authenticate(&world.target.who)?;
                ids.push(theirs.send(&mut second.conn, &token)?);
            }
            None => second.conn.flush()?,
        }
        for (client, ids) in [(&mut first, vec![renewed]), (&mut second, ids)] {
            for id in ids {
                let answer = client.wait(id)?;
                let status = answer.status();
                ensure!(
                    LOST.contains(&status) || status == NtStatus::LOGON_FAILURE,
                    "round {round}: {act:?} and a renewal: {status:?}"
                );
            }
        }
        if !matches!(act, Act::Logoff | Act::Renew) {
            // Its user is the same, so that the session goes on as it was, on both connections.
            for client in [&mut first, &mut second] {
                client.connect_tree(&world.target.share)?;
                let file = client.create(&NewFile::named("renewed.tmp").temporary())?;
                client.close(file)?;
            }
        }
    }
    Ok(())
}

/// A binding of `first`'s session to a new connection of which only the last step is left.
fn binding(world: &World, options: &Options, first: &Client) -> Result<(Connection, Setup)> {
    let mut conn = world.connection()?;
    let setup = first.begin_binding(&mut conn, options)?;
    Ok((conn, setup))
}

fn bind_against_bind(world: &World) -> Result<()> {
    let mut chance = world.chance();
    let options = Options::default();
    for _ in 0..ROUNDS {
        let mut first = world.client_with(&options)?;
        let file = first.create(&NewFile::named("bound.tmp").temporary())?;
        let mut bindings = Vec::new();
        for _ in 0..2 {
            let (conn, setup) = binding(world, &options, &first)?;
            let (token, key) = setup.authenticate(&world.target.who)?;
            bindings.push((conn, setup, token, key, chance.random_range(0..20_000)));
        }
        // Each finishes on a thread of its own: the answer is verified with keys that the request makes.
        let bound: Vec<Result<Client>> = std::thread::scope(|scope| {
            let threads: Vec<_> = bindings
                .into_iter()
                .map(|(mut conn, mut setup, token, key, delay)| {
                    scope.spawn(move || {
                        spin(delay);
                        let session = setup.finish(&mut conn, &token, &key)?;
                        Ok(Client::on(conn, session, Protection::Sign))
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(bound) => bound,
                    Err(_) => bail!("a thread panicked"),
                })
                .collect()
        });
        for client in bound {
            let mut client = client?;
            client.tree = first.tree;
            client.write(file, 0, b"bound")?;
        }
        ensure!(first.read(file, 0, 10)? == b"bound", "another file");
    }
    Ok(())
}

/// A token that is none.
const GARBAGE: &[u8] = &[0x41; 64];

/// A binding is finished while a step of it fails that was sent right behind; and one is made while the server still reads a first
/// step that will fail. Whatever comes of it, the session ends with its connections, which is seen afterwards.
fn bind_against_bad_step(world: &World) -> Result<()> {
    let options = Options::default();
    for _ in 0..ROUNDS * 2 {
        let first = world.client_with(&options)?;
        let (mut conn, mut setup) = binding(world, &options, &first)?;
        let (token, _) = setup.authenticate(&world.target.who)?;
        setup.send(&mut conn, &token)?;
        setup.send(&mut conn, GARBAGE)?;
        for _ in 0..2 {
            conn.receive()?;
        }
    }
    for _ in 0..ROUNDS / 2 {
        let first = world.client_with(&options)?;
        let mut conn = world.client_with(&options)?.conn;
        let mut header: Header = conn.header(Command::SessionSetup, 1);
        header.set_session_id(first.session.id);
        header.set_flags(HeaderFlags::SIGNED);
        let mut frame = message(&header, |w| {
            smb_proto::session_setup::Request {
                flags: RequestFlags::BINDING,
                security_buffer: GARBAGE,
                ..Default::default()
            }
            .write(w)
        })?;
        frame.resize(4 << 20, 0);
        let signer = first.session.signer.as_ref().context("no key")?;
        signer.sign(&mut frame);
        let bind = SetupHeader {
            session_id: first.session.id,
            bind: true,
            ..SetupHeader::default()
        };
        let mut setup = Setup::new(&conn, bind)?;
        setup.signer = first.session.signer.clone();
        conn.send_frame(&frame)?;
        // The large one's refusal may come before each of these answers; then the binding fails as well, or is made anew.
        if setup.first(&mut conn).is_ok() {
            let _ = setup.second(&mut conn, &world.target.who);
        }
    }
    Ok(())
}

fn bind_against_disconnect(world: &World) -> Result<()> {
    let mut chance = world.chance();
    let options = Options::default();
    for _ in 0..ROUNDS {
        let first = world.client_with(&options)?;
        let tree = first.tree;
        let (mut conn, mut setup) = binding(world, &options, &first)?;
        let (token, key) = setup.authenticate(&world.target.who)?;
        let delay = chance.random_range(0..20_000);
        let gone = std::thread::spawn(move || {
            spin(delay);
            drop(first);
        });
        let finished = setup.finish(&mut conn, &token, &key);
        gone.join()
            .map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        match finished {
            Ok(session) => {
                // It is the session's only connection then, and the session goes on.
                let mut client = Client::on(conn, session, Protection::Sign);
                client.tree = tree;
                let file = client.create(&NewFile::named("alone.tmp").temporary())?;
                client.close(file)?;
            }
            Err(Error::Status(NtStatus::USER_SESSION_DELETED | NtStatus::ACCESS_DENIED)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What becomes of a login of which the first step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    /// Its connection ends.
    LetGo,
    /// Its client does the second step.
    Finished,
    /// Another login of the same user names it as its previous session, while its client does the second step.
    Succeeded,
}

/// Queues requests of another connection that name the session `id`: those that end something, and steps of a login with the
/// very token that is due, bare and as a binding.
fn ask_for(other: &mut Client, id: u64, token: &[u8]) -> Result<Vec<u64>> {
    let mut asked = Vec::new();
    for number in 0..DEEP {
        if number % 3 == 2 {
            let header = SetupHeader {
                session_id: id,
                bind: number % 2 == 0,
                ..SetupHeader::default()
            };
            asked.push(Setup::new(&other.conn, header)?.send(&mut other.conn, token)?);
            continue;
        }
        let command = [Command::Logoff, Command::TreeDisconnect][number % 3];
        let mut header = other.header(command, 1);
        header.set_session_id(id);
        other.queue(&header, |w| Empty.write(w))?;
        asked.push(header.message_id());
    }
    Ok(asked)
}

fn half_login(world: &World, half: Half) -> Result<()> {
    let mut chance = world.chance();
    let mut other = world.client()?;
    for round in 0..ROUNDS * 2 {
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, SetupHeader::default())?;
        setup.first(&mut conn)?;
        let (token, _) = setup.authenticate(&world.target.who)?;
        let id = setup.header.session_id;
        let mut successor = None;
        if half == Half::Succeeded {
            let header = SetupHeader {
                previous: id,
                ..SetupHeader::default()
            };
            let mut conn = world.negotiated()?;
            let mut setup = Setup::new(&conn, header)?;
            setup.first(&mut conn)?;
            let (token, key) = setup.authenticate(&world.target.who)?;
            successor = Some((conn, setup, token, key));
        }
        let asked = ask_for(&mut other, id, &token)?;
        other.conn.flush()?;
        spin(chance.random_range(0..20_000));
        if half == Half::LetGo {
            drop(conn);
        } else {
            setup.send(&mut conn, &token)?;
            if let Some((conn, setup, token, key)) = &mut successor {
                spin(chance.random_range(0..20_000));
                setup.finish(conn, token, key)?;
            }
            let answer = outcome(&mut conn)?;
            let ended = half == Half::Succeeded
                && answer == Outcome::Answered(NtStatus::USER_SESSION_DELETED);
            ensure!(
                ended || answer == Outcome::Answered(NtStatus::SUCCESS),
                "round {round}: the second step: {answer:?}"
            );
        }
        for id in asked {
            let answer = other.wait(id)?;
            refused::<()>(Err(Error::Status(answer.status())), OF_ANOTHER)?;
        }
    }
    other.echo()?;
    Ok(())
}

fn tree_disconnect_in_compound(world: &World) -> Result<()> {
    let mut chance = world.chance();
    for protection in [Protection::Plain, Protection::Sign, Protection::Seal] {
        let (mut first, mut second) = world.channels(protection)?;
        for round in 0..ROUNDS {
            let used = Used::new(&mut first, &world.target.share, &[])?;
            second.tree = first.tree;
            let mut theirs = Vec::new();
            for number in 0..DEEP {
                let act = [Act::Read, Act::Write, Act::Create][number % 3];
                theirs.push(queue(&mut second, act, &used, number)?);
            }
            let mut ids = Vec::new();
            first.begin();
            for command in [Command::Read, Command::TreeDisconnect, Command::Read] {
                let mut header: Header = first.header(command, 1);
                if !ids.is_empty() {
                    header.set_flags(header.flags() | HeaderFlags::RELATED_OPERATIONS);
                }
                first
                    .conn
                    .out
                    .push(&header, |w| match command {
                        Command::Read => read::Request {
                            length: 100,
                            file_id: used.file,
                            ..Default::default()
                        }
                        .write(w),
                        _ => Empty.write(w),
                    })
                    .map_err(Error::from)?;
                ids.push(header.message_id());
            }
            first.end()?;
            second.conn.flush()?;
            spin(chance.random_range(0..20_000));
            first.conn.flush()?;
            let statuses: Vec<NtStatus> = ids
                .into_iter()
                .map(|id| Ok(first.wait(id)?.status()))
                .collect::<Result<_>>()?;
            ensure!(
                statuses[1] == NtStatus::SUCCESS
                    && [NtStatus::NETWORK_NAME_DELETED, NtStatus::FILE_CLOSED]
                        .contains(&statuses[2]),
                "round {round}: {statuses:?}"
            );
            for id in theirs {
                let answer = second.wait(id)?;
                ensure!(
                    LOST.contains(&answer.status()),
                    "round {round}: {:?}",
                    answer.status()
                );
            }
            refused(second.flush(used.file), &[NtStatus::NETWORK_NAME_DELETED])?;
        }
    }
    Ok(())
}

fn logoff_against_bind(world: &World) -> Result<()> {
    let mut chance = world.chance();
    let options = Options::default();
    for _ in 0..ROUNDS {
        let mut first = world.client_with(&options)?;
        let (mut conn, mut setup) = binding(world, &options, &first)?;
        let (token, key) = setup.authenticate(&world.target.who)?;
        let id = first.send(Command::Logoff, 1, |w| Empty.write(w))?;
        spin(chance.random_range(0..20_000));
        match setup.finish(&mut conn, &token, &key) {
            Ok(_) | Err(Error::Status(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let answer = first.wait(id)?;
        ensure!(
            answer.status() == NtStatus::SUCCESS,
            "LOGOFF: {:?}",
            answer.status()
        );
    }
    Ok(())
}

fn previous_against_io(world: &World) -> Result<()> {
    for _ in 0..ROUNDS {
        let mut old = world.client()?;
        let used = Used::new(&mut old, &world.target.share, &[])?;
        let mut ids = Vec::new();
        for number in 0..DEEP {
            for act in [Act::Write, Act::Create, Act::Read] {
                ids.push(queue(&mut old, act, &used, number)?);
            }
        }
        let header = SetupHeader {
            previous: old.session.id,
            ..SetupHeader::default()
        };
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, header)?;
        setup.first(&mut conn)?;
        old.conn.flush()?;
        setup.second(&mut conn, &world.target.who)?;
        for id in ids {
            let answer = old.wait(id)?;
            ensure!(
                LOST.contains(&answer.status()),
                "a request of the old session: {:?}",
                answer.status()
            );
        }
    }
    Ok(())
}

fn same_name(world: &World) -> Result<()> {
    let other: Target = world.target.clone();
    let options = Options::default();
    let mut first = Client::connect(&other, &options)?;
    let mut second = Client::connect(&other, &options)?;
    for round in 0..ROUNDS * 4 {
        let mut opened = Vec::new();
        for client in [&mut first, &mut second] {
            opened.push(
                client.create(&NewFile::named(&format!("same{}.tmp", round % 3)).temporary()),
            );
        }
        for (client, file) in [&mut first, &mut second].into_iter().zip(&opened) {
            match file {
                Ok(file) => {
                    let used = Used::of(*file);
                    queue(client, Act::Rename, &used, round % 2)?;
                    queue(client, Act::Close, &used, 0)?;
                }
                Err(Error::Status(status)) if LOST.contains(status) => {}
                Err(error) => bail!("round {round}: {error}"),
            }
        }
        first.conn.flush()?;
        second.conn.flush()?;
        first.echo()?;
        second.echo()?;
    }
    Ok(())
}
