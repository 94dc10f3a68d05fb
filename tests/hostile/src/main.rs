// SPDX-License-Identifier: GPL-2.0

//! A hostile client: plays attacks on an SMB2/3 server, each a case with a name, and checks both what the server answers and
//! what it holds afterwards.
//!
//! `list` names the cases, `run` plays them, `random` plays whatever a seed says. The exit status is 0 if the server
//! withstood all of it.

mod cases;
mod check;
mod counts;
mod memory;
mod random;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use smb_client::{Credentials, Target};

use world::World;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum Command {
    /// Names the cases
    List {
        /// With what each tries
        #[arg(long)]
        about: bool,
    },
    /// Plays the cases whose names match
    Run {
        /// Names, or parts of names that end in `*`; none for all
        names: Vec<String>,
    },
    /// Plays random requests over several connections and sessions
    Random {
        /// What the requests follow from: the same seed makes the same requests
        #[arg(long)]
        seed: Option<u64>,
        /// How many
        #[arg(long, default_value_t = 2000)]
        steps: u64,
    },
}

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
    /// Name and password of another user
    #[arg(long, global = true, default_value = "other%Other-008")]
    other: String,
    /// Seed of what cases choose at random
    #[arg(long, global = true, default_value_t = 1)]
    case_seed: u64,
    /// Where the server's counts are, which must be there. Without the option, /proc/fs/ksmbd/server is looked at if it is there
    #[arg(long, global = true)]
    counts: Option<PathBuf>,
    /// The share's folder on this machine, for cases that lay something into it
    #[arg(long, global = true, default_value = "/srv/smb/hostile")]
    root: PathBuf,
}

fn credentials(text: &str) -> Result<Credentials> {
    let (user, password) = text
        .split_once('%')
        .context("a user is given as NAME%PASSWORD")?;
    Ok(Credentials::new(user, password))
}

impl Server {
    fn world(&self) -> Result<World> {
        let target = Target {
            address: self.server,
            share: self.share.clone(),
            who: credentials(&self.user)?,
        };
        Ok(World::new(
            target,
            credentials(&self.other)?,
            self.counts.clone(),
            self.root.clone(),
            self.case_seed,
        ))
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ksmbd-hostile: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    match &arguments.command {
        Command::List { about } => {
            for case in cases::all() {
                match about {
                    true => println!("{}\t{}", case.name, case.about),
                    false => println!("{}", case.name),
                }
            }
            Ok(true)
        }
        Command::Run { names } => play(&arguments.server.world()?, names),
        Command::Random { seed, steps } => {
            let seed = seed.unwrap_or_else(rand::random);
            println!("random: --seed {seed} --steps {steps}");
            random::play(&arguments.server.world()?, seed, *steps)?;
            println!("random: the server withstood it");
            Ok(true)
        }
    }
}

/// Plays the cases that `names` chooses; whether all passed.
fn play(world: &World, names: &[String]) -> Result<bool> {
    let chosen = |name: &str| {
        names.is_empty()
            || names.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == wanted,
            })
    };
    let mut played = 0;
    let mut failed = 0;
    for case in cases::all().filter(|case| chosen(case.name)) {
        let begun = Instant::now();
        played += 1;
        let outcome = world.around(case);
        let seconds = begun.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("pass {} ({seconds:.1} s)", case.name),
            Err(error) => {
                failed += 1;
                println!("FAIL {} ({seconds:.1} s): {error:#}", case.name);
            }
        }
    }
    anyhow::ensure!(played > 0, "no case has such a name");
    println!("{} passed, {failed} failed", played - failed);
    Ok(failed == 0)
}
