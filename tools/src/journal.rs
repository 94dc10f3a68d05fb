// SPDX-License-Identifier: GPL-2.0

//! Messages for systemd's journal in its own form, with fields that `journalctl` can select by: `KSMBD_USER=alice`.
//!
//! A message is one datagram: a field in each line, or, where the value has lines itself, its name, its length as 64 bits and
//! the value. The fields of a record are those that [`log`] calls its key values, in capitals behind `KSMBD_`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Log, Metadata, Record};
use nix::sys::stat::fstat;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The priorities of syslog(3).
pub(crate) fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Whether stderr goes to the journal: systemd names the device and the inode of what it connected.
pub(crate) fn is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|stat| format!("{}:{}", stat.st_dev, stat.st_ino) == named)
}

/// A logger that writes to the journal, and to another where the journal does not take a message.
pub(crate) struct Journal<L> {
    program: String,
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// Decides what is logged.
    other: L,
}

impl<L: Log> Journal<L> {
    /// A logger of `program`.
    pub(crate) fn new(program: &str, other: L) -> Self {
        Self::at(Path::new(SOCKET), program, other)
    }

    fn at(path: &Path, program: &str, other: L) -> Self {
        Journal {
            program: program.to_owned(),
            path: path.to_owned(),
            socket: UnixDatagram::unbound().ok(),
            other,
        }
    }
}

impl<L: Log> Log for Journal<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.other.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = message(&self.program, record);
        let socket = self.socket.as_ref();
        let sent = socket.is_some_and(|socket| socket.send_to(&message, &self.path).is_ok());
        if !sent {
            self.other.log(record);
        }
    }

    fn flush(&self) {}
}

/// The datagram of a record.
fn message(program: &str, record: &Record<'_>) -> Vec<u8> {
    let mut fields = Fields(Vec::new());
    fields.add("MESSAGE", &record.args().to_string());
    fields.add("PRIORITY", &priority(record.level()).to_string());
    fields.add("SYSLOG_IDENTIFIER", program);
    fields.add("SYSLOG_PID", &std::process::id().to_string());
    fields.add("CODE_MODULE", record.module_path().unwrap_or_default());
    // The visitor takes every field.
    let _ = record.key_values().visit(&mut fields);
    fields.0
}

struct Fields(Vec<u8>);

impl Fields {
    fn add(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            self.0.push(b'\n');
            self.0.extend_from_slice(&length.to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.add(
            &format!("KSMBD_{}", key.as_str().to_ascii_uppercase()),
            &value.to_string(),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Keeps what is logged.
    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl Log for &Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.level() <= Level::Info
        }
        fn log(&self, record: &Record<'_>) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }

    fn say(journal: &impl Log, level: Level, facts: &[(&str, &str)]) {
        journal.log(
            &Record::builder()
                .level(level)
                .args(format_args!("two\nlines"))
                .module_path(Some("here"))
                .key_values(&facts)
                .build(),
        );
    }

    #[test]
    fn fields_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let heard = UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let kept = Kept::default();
        let journal = Journal::at(&path, "prog", &kept);
        say(&journal, Level::Debug, &[]);
        let facts = [("user", "alice"), ("reason", "a\nMESSAGE=forged")];
        say(&journal, Level::Warn, &facts);
        let mut buffer = [0; 1000];
        let size = heard.recv(&mut buffer).unwrap();
        let pid = std::process::id();
        let want = format!(
            "MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=4\nSYSLOG_IDENTIFIER=prog\nSYSLOG_PID={pid}\nCODE_MODULE=here\n\
             KSMBD_USER=alice\nKSMBD_REASON\n\x10\0\0\0\0\0\0\0a\nMESSAGE=forged\n"
        );
        assert_eq!(buffer[..size], *want.as_bytes());
        assert!(
            heard.recv(&mut buffer).is_err(),
            "the debug message is none"
        );
        assert!(kept.0.lock().unwrap().is_empty());
        drop(heard);
        say(&journal, Level::Error, &facts);
        assert_eq!(*kept.0.lock().unwrap(), ["two\nlines"]);
    }
}
