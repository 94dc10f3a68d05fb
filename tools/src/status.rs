// SPDX-License-Identifier: GPL-2.0

//! What the module says about its clients in `/proc/fs/ksmbd`: Documentation/ksmbd.rst has the format.
//!
//! `ksmbd.control --status` shows it, and the daemon answers NetrSessionEnum and NetrFileEnum from it.

pub mod records;
pub mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::paths;
use records::Record;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No module.
    #[error("the module ksmbd is not loaded")]
    NotLoaded,
    /// A module without these files.
    #[error("the module that is loaded does not tell its status: it is the C module, or an older one of this kind")]
    NotTold,
    /// The files cannot be read.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

/// The server as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Server {
    /// `startup`, `running`, `reset` or `shutdown`.
    pub state: String,
    /// TCP port; 0 before a daemon came.
    pub tcp_port: u16,
    /// Lowest dialect on offer.
    pub min_protocol: String,
    /// Highest dialect on offer.
    pub max_protocol: String,
    /// `auto` or `mandatory`.
    pub signing: String,
    /// `disabled`, `auto` or `mandatory`.
    pub encryption: String,
    /// Connections that there can be.
    pub max_connections: u32,
    /// Files that can be open.
    pub max_open_files: u32,
    /// Files and pipes that are open.
    pub open_files: u32,
    /// Seconds since the daemon's last message; none without a daemon.
    pub daemon_silent_seconds: Option<u64>,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// Unique while the server runs.
    pub id: u64,
    /// The client's address.
    pub client: String,
    /// The client's port.
    pub port: u16,
    /// The address that it connected to.
    pub server: String,
    /// `tcp`.
    pub transport: String,
    /// `negotiate`, `setup`, `good` or `exiting`.
    pub state: String,
    /// `SMB3_11`; empty before it was negotiated.
    pub dialect: String,
    /// Algorithm of signatures.
    pub signing: String,
    /// Algorithm of encryption; empty if there is none.
    pub encryption: String,
    /// Sessions on it.
    pub sessions: u32,
    /// Credits that the client has, and the most it can have.
    pub credits: String,
    /// Requests in work.
    pub requests_in_work: u32,
    /// Messages that came: requests, or compounds of them.
    #[serde(serialize_with = "as_text")]
    pub messages: u64,
    /// Bytes that came.
    #[serde(serialize_with = "as_text")]
    pub bytes_received: u64,
    /// Bytes that went.
    #[serde(serialize_with = "as_text")]
    pub bytes_sent: u64,
    /// Seconds since its last request.
    pub idle_seconds: u64,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Unique while the server runs. As text: it has 64 bits.
    #[serde(serialize_with = "as_text")]
    pub id: u64,
    /// Who is logged in; empty while nobody is yet.
    pub user: String,
    /// `user`, `guest` or `anonymous`.
    pub account_type: String,
    /// Addresses of the clients, one for each channel.
    pub clients: Vec<String>,
    /// The connections, one for each channel.
    pub connections: Vec<u64>,
    /// `progress`, `valid`, `expired` or `ended`.
    pub state: String,
    /// `SMB3_11`.
    pub dialect: String,
    /// Whether every message is signed.
    pub must_sign: bool,
    /// Whether every message is encrypted.
    pub must_encrypt: bool,
    /// Seconds since it began.
    pub age_seconds: u64,
    /// Seconds since the last request on one of its connections.
    pub idle_seconds: u64,
    /// Tree connects.
    pub tree_connects: u32,
    /// Open files and pipes.
    pub open_files: u32,
}

/// One tree connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tree {
    /// Unique in the session.
    pub id: u32,
    /// The session.
    #[serde(serialize_with = "as_text")]
    pub session: u64,
    /// Name of the share.
    pub share: String,
    /// `disk` or `pipe`.
    pub share_type: String,
    /// Who is logged in.
    pub user: String,
    /// Whether writing is allowed.
    pub writable: bool,
}

/// A share that was connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// `disk` or `pipe`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Tree connects.
    pub tree_connects: u32,
    /// What is set.
    pub flags: Vec<String>,
}

/// One open file, directory, stream or pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OpenFile {
    /// Unique while the server runs.
    #[serde(serialize_with = "as_text")]
    pub id: u64,
    /// The session.
    #[serde(serialize_with = "as_text")]
    pub session: u64,
    /// Who has it open.
    pub user: String,
    /// Name of the share.
    pub share: String,
    /// Path in the share, with slashes; `.` is its root.
    pub name: String,
    /// `file`, `directory`, `stream` or `pipe`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the open was granted, [MS-SMB2] 2.2.13.1.
    pub access: u32,
    /// What it lets others do, [MS-SMB2] 2.2.13.
    pub share_access: u32,
    /// What the client caches: `OPLOCK_BATCH`, `LEASE_RWH`; `none`.
    pub oplock: String,
    /// Byte-range locks.
    pub locks: u32,
    /// Of a pipe: the number by which the daemon knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_handle: Option<u32>,
}

/// One byte-range lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The open that holds it.
    #[serde(serialize_with = "as_text")]
    pub file: u64,
    /// Its session.
    #[serde(serialize_with = "as_text")]
    pub session: u64,
    /// Who holds it.
    pub user: String,
    /// Name of the share.
    pub share: String,
    /// Path in the share.
    pub name: String,
    /// `shared` or `exclusive`.
    #[serde(rename = "type")]
    pub kind: String,
    /// First byte.
    #[serde(serialize_with = "as_text")]
    pub offset: u64,
    /// Number of bytes.
    #[serde(serialize_with = "as_text")]
    pub length: u64,
}

/// Numbers of 64 bits: most readers of JSON know 53.
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// All of it. Its parts are read one after the other, so what comes and goes meanwhile may be in one and not in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The module's version.
    pub version: String,
    /// The server.
    pub server: Server,
    /// Its connections.
    pub connections: Vec<Connection>,
    /// Its sessions.
    pub sessions: Vec<Session>,
    /// Their tree connects.
    pub tree_connects: Vec<Tree>,
    /// The shares.
    pub shares: Vec<Share>,
    /// What is open.
    pub open_files: Vec<OpenFile>,
    /// What is locked.
    pub locks: Vec<Lock>,
}

/// Where the module shows its status.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    version: PathBuf,
    class: PathBuf,
}

impl Default for Source {
    fn default() -> Self {
        Source {
            root: PathBuf::from(paths::STATUS),
            version: PathBuf::from(paths::MODULE_VERSION),
            class: PathBuf::from(paths::CONTROL_CLASS),
        }
    }
}

impl Source {
    /// Files that lie elsewhere, for tests.
    pub fn at(root: &Path) -> Self {
        Source {
            root: root.join("proc"),
            version: root.join("version"),
            class: root.join("class"),
        }
    }

    fn list<T>(&self, name: &str, each: impl Fn(&Record) -> T) -> Result<Vec<T>, StatusError> {
        let path = self.root.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(records::parse(&bytes).iter().map(each).collect()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StatusError::Io(path, error))
            }
            Err(_) if self.class.is_dir() => Err(StatusError::NotTold),
            Err(_) => Err(StatusError::NotLoaded),
        }
    }

    /// The sessions.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub fn sessions(&self) -> Result<Vec<Session>, StatusError> {
        // The C module has a file of this name and of another content; what it lacks tells it.
        self.is_told()?;
        self.list("sessions/sessions", session)
    }

    /// What is open.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub fn open_files(&self) -> Result<Vec<OpenFile>, StatusError> {
        self.is_told()?;
        self.list("files", open_file)
    }

    fn is_told(&self) -> Result<(), StatusError> {
        match self.root.join("trees").try_exists() {
            Ok(true) => Ok(()),
            _ if self.class.is_dir() => Err(StatusError::NotTold),
            _ => Err(StatusError::NotLoaded),
        }
    }

    /// All of it.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub fn read(&self) -> Result<Status, StatusError> {
        self.is_told()?;
        let version = std::fs::read_to_string(&self.version).unwrap_or_default();
        Ok(Status {
            version: version.trim().to_owned(),
            server: self.list("server", server)?.pop().unwrap_or_default(),
            connections: self.list("clients", connection)?,
            sessions: self.list("sessions/sessions", session)?,
            tree_connects: self.list("trees", tree)?,
            shares: self.list("shares", share)?,
            open_files: self.list("files", open_file)?,
            locks: self.list("locks", lock)?,
        })
    }
}

/// A value that is missing or of another form is the default: a newer module may say more, an older one less.
fn value<T: FromStr + Default>(record: &Record, key: &str) -> T {
    record
        .get(key)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn hex<T: TryFrom<u64> + Default>(record: &Record, key: &str) -> T {
    record
        .get(key)
        .and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok())
        .and_then(|number| number.try_into().ok())
        .unwrap_or_default()
}

fn is_yes(record: &Record, key: &str) -> bool {
    record.get(key) == Some("yes")
}

/// The name of a dialect that is written as on the wire.
fn dialect(record: &Record) -> String {
    match hex::<u16>(record, "dialect") {
        0 => String::new(),
        0x0202 => "SMB2_02".into(),
        0x0210 => "SMB2_10".into(),
        0x0300 => "SMB3_00".into(),
        0x0302 => "SMB3_02".into(),
        0x0311 => "SMB3_11".into(),
        other => format!("{other:#06x}"),
    }
}

fn server(record: &Record) -> Server {
    let silence = record.get("ipc_last_active_seconds");
    Server {
        state: value(record, "state"),
        tcp_port: value(record, "tcp_port"),
        min_protocol: value(record, "min_protocol"),
        max_protocol: value(record, "max_protocol"),
        signing: value(record, "signing"),
        encryption: value(record, "encryption"),
        max_connections: value(record, "max_connections"),
        max_open_files: value(record, "max_open_files"),
        open_files: value(record, "open_files"),
        daemon_silent_seconds: silence.and_then(|seconds| seconds.parse().ok()),
    }
}

fn connection(record: &Record) -> Connection {
    Connection {
        id: value(record, "connection"),
        client: value(record, "client"),
        port: value(record, "port"),
        server: value(record, "server"),
        transport: value(record, "transport"),
        state: value(record, "state"),
        dialect: dialect(record),
        signing: value(record, "signing"),
        encryption: value(record, "encryption"),
        sessions: value(record, "sessions"),
        credits: value(record, "credits"),
        requests_in_work: value(record, "requests_in_work"),
        messages: value(record, "messages"),
        bytes_received: value(record, "bytes_received"),
        bytes_sent: value(record, "bytes_sent"),
        idle_seconds: value(record, "idle_seconds"),
    }
}

fn session(record: &Record) -> Session {
    Session {
        id: value(record, "id"),
        user: value(record, "user"),
        account_type: value(record, "account_type"),
        clients: record.all("client").map(str::to_owned).collect(),
        connections: record
            .all("connection")
            .filter_map(|id| id.parse().ok())
            .collect(),
        state: value(record, "state"),
        dialect: dialect(record),
        must_sign: is_yes(record, "must_sign"),
        must_encrypt: is_yes(record, "must_encrypt"),
        age_seconds: value(record, "age_seconds"),
        idle_seconds: value(record, "idle_seconds"),
        tree_connects: value(record, "tree_connects"),
        open_files: value(record, "open_files"),
    }
}

fn tree(record: &Record) -> Tree {
    Tree {
        id: value(record, "tree_id"),
        session: value(record, "session"),
        share: value(record, "share"),
        share_type: value(record, "share_type"),
        user: value(record, "user"),
        writable: is_yes(record, "writable"),
    }
}

fn share(record: &Record) -> Share {
    let flags = record.get("flags").unwrap_or_default();
    Share {
        name: value(record, "name"),
        kind: value(record, "type"),
        tree_connects: value(record, "tree_connects"),
        flags: flags
            .split(',')
            .filter(|flag| !flag.is_empty() && *flag != "none")
            .map(str::to_owned)
            .collect(),
    }
}

fn open_file(record: &Record) -> OpenFile {
    OpenFile {
        id: hex(record, "volatile_id"),
        session: value(record, "session"),
        user: value(record, "user"),
        share: value(record, "share"),
        name: value(record, "name"),
        kind: value(record, "type"),
        access: hex(record, "desired_access"),
        share_access: hex(record, "share_access"),
        oplock: value(record, "oplock"),
        locks: value(record, "locks"),
        rpc_handle: record
            .get("rpc_handle")
            .and_then(|number| number.parse().ok()),
    }
}

fn lock(record: &Record) -> Lock {
    Lock {
        file: hex(record, "volatile_id"),
        session: value(record, "session"),
        user: value(record, "user"),
        share: value(record, "share"),
        name: value(record, "name"),
        kind: value(record, "type"),
        offset: value(record, "offset"),
        length: value(record, "length"),
    }
}

#[cfg(test)]
#[path = "status/tests.rs"]
mod tests;
