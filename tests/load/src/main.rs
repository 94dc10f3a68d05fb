// SPDX-License-Identifier: GPL-2.0

//! Load on an SMB2/3 server for `make bench`: reads and writes, names, and whole connections, over one connection or several, with
//! requests on the way side by side.
//!
//! Each measurement is a line of JSON: what it took, and how much of it was this process' own work, so that the server's can
//! be told apart. What a server does not support is a line too, and no failure.

mod blocks;
mod connect;
mod crowd;
mod hold;
mod names;
mod pipeline;
mod protection;
mod report;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use smb_client::{Client, Credentials, Options, Target};

use crowd::Crowd;
use protection::{Protection, Unsupported};

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    load: Load,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    crowd: Crowd,
}

#[derive(Subcommand)]
enum Load {
    /// Reads or writes blocks of a file
    Blocks(blocks::Plan),
    /// Creates, opens, looks at, renames, removes and lists files of a directory
    Names(names::Plan),
    /// Connects, logs on, connects to the share, logs off
    Connect(connect::Plan),
    /// Holds what standard input asks for, a line each: `connections N`, `sessions N`, `opens N`
    Hold,
}

/// The server, and how to talk to it.
#[derive(Args)]
struct Server {
    /// Address and port
    #[arg(long, global = true, default_value = "127.0.0.1:445")]
    server: SocketAddr,
    /// A share that the user may write
    #[arg(long, global = true, default_value = "share")]
    share: String,
    /// Name and password of a user, separated by `%`
    #[arg(long, global = true, default_value = "testuser%Secret-007")]
    user: String,
    /// How requests are signed or sealed
    #[arg(long, global = true, default_value = "plain")]
    protection: Protection,
}

impl Server {
    fn target(&self) -> Result<Target> {
        let (user, password) = self
            .user
            .split_once('%')
            .context("a user is given as NAME%PASSWORD")?;
        Ok(Target {
            address: self.server,
            share: self.share.clone(),
            who: Credentials::new(user, password),
        })
    }

    /// How to connect, for messages of up to `room` bytes.
    fn options(&self, room: usize) -> Options {
        self.protection.options(room)
    }

    /// A client of the share, whose requests are protected as they are to be.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the server agreed on something else.
    fn client(&self, room: usize) -> Result<Client> {
        let client = Client::connect(&self.target()?, &self.options(room));
        // A server that takes no cipher of the offer may say so by an error.
        let client = client.map_err(|error| match error.status() {
            Some(status) if self.protection != Protection::Plain => {
                anyhow::Error::new(Unsupported(format!("{}: {status:?}", self.protection)))
            }
            _ => error.into(),
        })?;
        self.protection.check(&client)?;
        Ok(client)
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let (server, crowd) = (&arguments.server, &arguments.crowd);
    match &arguments.load {
        Load::Blocks(plan) => plan.run(server, crowd),
        Load::Names(plan) => plan.run(server, crowd),
        Load::Connect(plan) => plan.run(server, crowd),
        Load::Hold => hold::run(server),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Unsupported>() {
            Some(what) => {
                report::unsupported(&what.0);
                ExitCode::SUCCESS
            }
            None => {
                eprintln!("ksmbd-load: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
