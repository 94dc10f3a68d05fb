// SPDX-License-Identifier: GPL-2.0

//! Writes the programs' manual pages and shell completions, from the definitions of their command lines, into a directory:
//! `cargo run -p ksmbd-tools --example manual -- DIRECTORY`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use clap_complete::{generate_to, Shell};
use clap_mangen::Man;
use ksmbd_tools::cli::{AddShare, AddUser, Control, Mountd};

/// What a page says that the definition of the command line does not: the text between the options and the references.
struct Page {
    name: &'static str,
    command: Command,
    body: &'static str,
}

const EXIT_STATUS: &str = ".SH \"EXIT STATUS\"\n0 on success, 1 on failure.\n";

const NOTIFIED: &str =
    "The daemon is told of a change, if it runs. That it could not be told is no failure.\n";

const ENVIRONMENT: &str = ".SH ENVIRONMENT\n.TP\n.B KSMBD_LOG\nWhich messages are written:\n.BR error ,\n.BR warn ,\n.B info\n\
(the default),\n.B debug\nor\n.BR off .\n.TP\n.B JOURNAL_STREAM\nWhen systemd sets it, each message begins with its priority, as\n.BR sd-daemon (3)\nwants it.\n";

const MOUNTD: &str = ".SH SIGNALS\nThe process in\n.I /run/ksmbd.lock\ntakes them.\n.TP\n.B SIGHUP\nReads the configuration and the users again. If they cannot be used, the running ones stay.\n\
.TP\n.B SIGUSR1\nWrites the names of the shares into\n.IR /run/ksmbd.fifo.PID ,\nthe pipe of whoever sent it.\n.TP\n.BR SIGTERM \", \" SIGINT \", \" SIGQUIT\nEnd the daemon. The module goes on serving who is connected, until\n.B \"ksmbd.control \\-\\-shutdown\"\n\
or until another daemon takes over.\n.SH FILES\n.TP\n.I /etc/ksmbd/ksmbd.conf\nThe configuration.\n.TP\n.I /etc/ksmbd/ksmbdpwd.db\nThe users.\n.TP\n.I /etc/ksmbd/ksmbd.subauth\nNumbers that make this server's SIDs its own.\n\
.TP\n.I /run/ksmbd.lock\nThe process id of the daemon.\n";

const CONTROL: &str = ".SH FILES\n.TP\n.I /sys/class/ksmbd-control/\nThe module's control files.\n.TP\n.I /proc/fs/ksmbd/\nWhat\n.B \\-\\-status\nshows. Only root can read it.\n.TP\n.I /run/ksmbd.lock\nThe process id of the daemon.\n";

const ADD_USER: &str = ".SH PASSWORDS\nWithout\n.B \\-\\-password\nthe password is asked for twice on the terminal, without showing it; from a pipe or file, one line of standard input is it.\n\
At most 128 bytes of UTF-8. What stands on the command line can be seen by other users of the machine for a moment.\n.SH FILES\n.TP\n.I /etc/ksmbd/ksmbdpwd.db\nThe users.\n";

const ADD_SHARE: &str = ".SH \"WHAT STAYS\"\nComments, order and layout of the configuration stay as they are but for the lines that change. An option without a value takes its key out of the share.\n\
Nothing is changed if the share could not be served afterwards.\n.SH FILES\n.TP\n.I /etc/ksmbd/ksmbd.conf\nThe configuration.\n";

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: manual DIRECTORY"));
    };
    write_all(&directory)
}

/// Writes everything into a directory.
pub(crate) fn write_all(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let pages = [
        ("ksmbd.mountd", Mountd::command(), MOUNTD, false),
        ("ksmbd.control", Control::command(), CONTROL, false),
        ("ksmbd.adduser", AddUser::command(), ADD_USER, true),
        ("ksmbd.addshare", AddShare::command(), ADD_SHARE, true),
    ];
    for (name, command, body, notifies) in pages {
        let page = Page {
            name,
            command,
            body,
        };
        write(directory, page, notifies)?;
    }
    Ok(())
}

fn write(directory: &Path, page: Page, notifies: bool) -> io::Result<()> {
    let Page {
        name,
        command,
        body,
    } = page;
    let mut offered = without_hidden(name, &command);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut offered, name, directory)?;
    }
    // The date would make each build another; the version is the package's alone.
    let man = Man::new(command)
        .title(name.to_uppercase())
        .section("8")
        .date("")
        .source(format!("ksmbd {}", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    let mut text = b".\\\" SPDX-License-Identifier: GPL-2.0\n".to_vec();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    text.extend(body.bytes());
    text.extend(EXIT_STATUS.bytes());
    if notifies {
        text.extend(NOTIFIED.bytes());
    }
    text.extend(ENVIRONMENT.bytes());
    text.extend(references(name).bytes());
    fs::write(directory.join(format!("{name}.8")), text)
}

/// The command without the options that programs alone are to give: completions offer also what the help does not show.
fn without_hidden(name: &'static str, command: &Command) -> Command {
    if !command.get_arguments().any(Arg::is_hide_set) {
        return command.clone();
    }
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    Command::new(name)
        .version("")
        .disable_version_flag(true)
        .args(shown)
}

/// The other pages.
fn references(name: &str) -> String {
    let all = [
        ("ksmbd.addshare", 8),
        ("ksmbd.adduser", 8),
        ("ksmbd.conf", 5),
        ("ksmbd.control", 8),
        ("ksmbd.mountd", 8),
        ("ksmbdpwd.db", 5),
    ];
    let others: Vec<String> = all
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, section)| format!(".BR {other} ({section})"))
        .collect();
    format!(".SH \"SEE ALSO\"\n{}\n", others.join(",\n"))
}
