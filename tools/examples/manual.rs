// SPDX-License-Identifier: GPL-2.0

//! Writes the programs' manual pages and shell completions, from the definitions of their command lines, into a directory:
//! `cargo run -p ksmbd-tools --example manual -- DIRECTORY`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::{generate_to, Shell};
use clap_mangen::Man;
use ksmbd_tools::cli::{AddShare, AddUser, Control, Mountd};

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: manual DIRECTORY"));
    };
    fs::create_dir_all(&directory)?;
    for command in [
        Mountd::command(),
        Control::command(),
        AddUser::command(),
        AddShare::command(),
    ] {
        write(&directory, command)?;
    }
    Ok(())
}

fn write(directory: &Path, mut command: Command) -> io::Result<()> {
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, &name, directory)?;
    }
    let mut page = Vec::new();
    Man::new(command)
        .section("8")
        .manual("System Administration")
        .render(&mut page)?;
    fs::write(directory.join(format!("{name}.8")), page)
}
