// SPDX-License-Identifier: GPL-2.0

//! Where messages go: to stderr, or to the system log once the daemon is detached.
//!
//! On stderr a line is `[program/pid]: LEVEL: text`, as administrators know it. Where stderr is the journal, messages go there in
//! its own form, with their facts as fields.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::journal::{self, priority, Journal};

/// Where the system log listens.
const SYSLOG: &str = "/dev/log";
/// Facility "daemon" of syslog(3), shifted.
const FACILITY: u8 = 3 << 3;

/// Where to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To stderr.
    Stderr,
    /// To the system log.
    Syslog,
}

/// Starts logging as `program`. `verbose` shows debug messages too; the variable `KSMBD_LOG` chooses as `RUST_LOG` does.
pub fn start(program: &str, target: Target, verbose: bool) {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    };
    match target {
        Target::Stderr => to_stderr(program, level),
        Target::Syslog => {
            let logger = Syslog {
                program: program.to_owned(),
                socket: Mutex::new(None),
            };
            if log::set_boxed_logger(Box::new(logger)).is_ok() {
                log::set_max_level(level);
            }
        }
    }
}

fn to_stderr(program: &str, level: LevelFilter) {
    let in_journal = journal::is_stderr();
    let name_of_program = program.to_owned();
    let mut builder = env_logger::Builder::new();
    builder
        .filter_level(level)
        .parse_env("KSMBD_LOG")
        .format(move |out, record| {
            if in_journal {
                write!(out, "<{}>", priority(record.level()))?;
            }
            writeln!(
                out,
                "[{name_of_program}/{}]: {}: {}",
                std::process::id(),
                name(record.level()),
                record.args()
            )
        });
    let logger = builder.build();
    let most = logger.filter();
    // What the journal cannot take goes to stderr, with the priority before the line: sd-daemon(3).
    let logger: Box<dyn Log> = if in_journal {
        Box::new(Journal::new(program, logger))
    } else {
        Box::new(logger)
    };
    let set = log::set_boxed_logger(logger);
    // A logger that is already there stays.
    if set.is_ok() {
        log::set_max_level(most);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

struct Syslog {
    program: String,
    socket: Mutex<Option<UnixDatagram>>,
}

impl Syslog {
    fn send(&self, text: &[u8]) {
        let Ok(mut socket) = self.socket.lock() else {
            return;
        };
        for _ in 0..2 {
            if socket.is_none() {
                *socket = connect();
            }
            match socket.as_ref().map(|socket| socket.send(text)) {
                Some(Err(_)) => *socket = None,
                // Without a system log there is nobody to tell.
                Some(Ok(_)) | None => return,
            }
        }
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SYSLOG).ok()?;
    Some(socket)
}

impl Log for Syslog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.send(
                format!(
                    "<{}>{}[{}]: {}: {}",
                    FACILITY | priority(record.level()),
                    self.program,
                    std::process::id(),
                    name(record.level()),
                    record.args()
                )
                .as_bytes(),
            );
        }
    }

    fn flush(&self) {}
}
