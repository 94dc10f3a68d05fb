// SPDX-License-Identifier: GPL-2.0

//! Holds connections, sessions and open files, for whoever measures what the server keeps of each.

use std::io::BufRead as _;

use anyhow::{bail, Context, Result};
use smb_client::{access, Client, NewFile, Session, Setup, SetupHeader};
use smb_proto::create::Disposition;

use crate::Server;

/// Bytes of the largest message.
const ROOM: usize = 1 << 14;

/// Bytes that a read asks for: the ciphers of long messages then have served.
const LONG: u32 = 4096;

/// Connections of all sessions: servers do not take any number on one.
const CARRIERS: usize = 20;

/// All that is held until the program ends.
struct Held<'a> {
    server: &'a Server,
    /// Idle connections, each with a session and a tree connect: servers end those without after a while.
    connections: Vec<Client>,
    /// Connections that more sessions are shared out among, which are made before the first of these.
    shared: Vec<Client>,
    sessions: Vec<Session>,
    client: Client,
    opens: usize,
}

/// Does what each line of standard input asks for, and answers `held`. Opens are of files named `opens\0` and so on; reads are of a
/// message that is not short, of the file `data`.
///
/// # Errors
///
/// Those of the server.
pub(crate) fn run(server: &Server) -> Result<()> {
    let mut held = Held {
        server,
        connections: Vec::new(),
        shared: Vec::new(),
        sessions: Vec::new(),
        client: server.client(ROOM)?,
        opens: 0,
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (what, count) = line.split_once(' ').context("WHAT NUMBER is expected")?;
        for _ in 0..count.parse::<usize>().context("not a number")? {
            held.add(what)?;
        }
        println!("held");
    }
    Ok(())
}

impl Held<'_> {
    fn add(&mut self, what: &str) -> Result<()> {
        match what {
            "connections" => self.connections.push(self.server.client(ROOM)?),
            "sessions" => {
                while self.shared.len() < CARRIERS {
                    self.shared.push(self.server.client(ROOM)?);
                }
                let next = self.sessions.len() % CARRIERS;
                let conn = &mut self.shared.get_mut(next).context("no connection")?.conn;
                let mut setup = Setup::new(conn, SetupHeader::default())?;
                setup.first(conn)?;
                let who = self.server.target()?.who;
                self.sessions.push(setup.second(conn, &who)?);
            }
            "reads" => {
                let file = self.client.create(&NewFile {
                    access: access::READ,
                    disposition: Disposition::OPEN,
                    ..NewFile::named("data")
                })?;
                self.client.read(file, 0, LONG)?;
                self.client.close(file)?;
            }
            "opens" => {
                let name = format!(r"opens\{}", self.opens);
                self.client.create(&NewFile {
                    access: access::READ,
                    disposition: Disposition::OPEN,
                    ..NewFile::named(&name)
                })?;
                self.opens += 1;
            }
            _ => bail!("there is no '{what}' to hold"),
        }
        Ok(())
    }
}
