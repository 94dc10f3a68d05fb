// SPDX-License-Identifier: GPL-2.0

//! The status as tables for people.

use std::fmt::{self, Display, Formatter, Write};

use super::{OpenFile, Session, Status};

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        write!(f, "ksmbd {}, {}", self.version, server.state)?;
        if server.tcp_port != 0 {
            let (low, high) = (&server.min_protocol, &server.max_protocol);
            write!(f, " on port {}, {low} to {high}", server.tcp_port)?;
        }
        writeln!(
            f,
            "; {} of {} connections, {} sessions, {} of {} open files",
            self.connections.len(),
            server.max_connections,
            self.sessions.len(),
            server.open_files,
            server.max_open_files
        )?;
        match server.daemon_silent_seconds {
            Some(_) => {}
            None if server.state == "running" => writeln!(
                f,
                "no daemon: nobody can log in until ksmbd.mountd is started"
            )?,
            None => {}
        }
        self.sessions(f)?;
        self.trees(f)?;
        self.files(f)?;
        self.locks(f)?;
        self.connections(f)
    }
}

impl Status {
    fn sessions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(
            "Sessions",
            &[
                "ID",
                "User",
                "Client",
                "Dialect",
                "Protection",
                "Age",
                "Idle",
                "Shares",
                "Files",
            ],
        );
        for session in &self.sessions {
            table.row([
                session.id.to_string(),
                user(session),
                session.clients.join(", "),
                session.dialect.clone(),
                protection(session).to_owned(),
                duration(session.age_seconds),
                duration(session.idle_seconds),
                session.tree_connects.to_string(),
                session.open_files.to_string(),
            ]);
        }
        table.write(f)
    }

    fn trees(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::new("Shares in use", &["Share", "User", "Session", "Access"]);
        for tree in &self.tree_connects {
            let access = if tree.writable { "read, write" } else { "read" };
            table.row([
                visible(&tree.share),
                visible(&tree.user),
                tree.session.to_string(),
                access.to_owned(),
            ]);
        }
        table.write(f)
    }

    fn files(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(
            "Open files",
            &[
                "Share", "User", "Access", "Shared", "Caching", "Locks", "Type", "Name",
            ],
        );
        for file in &self.open_files {
            table.row([
                visible(&file.share),
                visible(&file.user),
                access(file),
                letters(file.share_access, &[(1, 'r'), (2, 'w'), (4, 'd')]),
                file.oplock.clone(),
                file.locks.to_string(),
                file.kind.clone(),
                visible(&file.name),
            ]);
        }
        table.write(f)
    }

    fn locks(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(
            "Locks",
            &["Share", "User", "Type", "Offset", "Length", "Name"],
        );
        for lock in &self.locks {
            table.row([
                visible(&lock.share),
                visible(&lock.user),
                lock.kind.clone(),
                lock.offset.to_string(),
                lock.length.to_string(),
                visible(&lock.name),
            ]);
        }
        table.write(f)
    }

    fn connections(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(
            "Connections",
            &[
                "Client",
                "Server",
                "State",
                "Dialect",
                "Signing",
                "Encryption",
                "Credits",
                "In work",
                "Messages",
                "Received",
                "Sent",
                "Idle",
            ],
        );
        for conn in &self.connections {
            let client = if conn.client.contains(':') {
                format!("[{}]:{}", conn.client, conn.port)
            } else {
                format!("{}:{}", conn.client, conn.port)
            };
            table.row([
                client,
                conn.server.clone(),
                conn.state.clone(),
                conn.dialect.clone(),
                conn.signing.clone(),
                conn.encryption.clone(),
                conn.credits.clone(),
                conn.requests_in_work.to_string(),
                conn.messages.to_string(),
                bytes(conn.bytes_received),
                bytes(conn.bytes_sent),
                duration(conn.idle_seconds),
            ]);
        }
        table.write(f)
    }
}

fn user(session: &Session) -> String {
    if session.user.is_empty() {
        return "(logging in)".to_owned();
    }
    visible(&session.user)
}

fn protection(session: &Session) -> &'static str {
    match (session.must_encrypt, session.must_sign) {
        (true, _) => "encrypted",
        (_, true) => "signed",
        _ => "-",
    }
}

/// What the open may do: read, write, delete.
fn access(file: &OpenFile) -> String {
    // FILE_READ_DATA; FILE_WRITE_DATA or FILE_APPEND_DATA; DELETE.
    letters(file.access, &[(0x1, 'r'), (0x6, 'w'), (0x1_0000, 'd')])
}

fn letters(mask: u32, known: &[(u32, char)]) -> String {
    known
        .iter()
        .map(|(bits, letter)| if mask & bits != 0 { *letter } else { '-' })
        .collect()
}

/// Names that clients chose, without what could change the terminal.
fn visible(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// Seconds as `45s`, `3m05s`, `2h10m`, `4d03h`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Bytes as `532`, `97K`, `12M`, `3G`, `8T`: at most four digits.
fn bytes(number: u64) -> String {
    let mut rest = number;
    for unit in ["", "K", "M", "G"] {
        if rest < 10_000 {
            return format!("{rest}{unit}");
        }
        rest /= 1_024;
    }
    format!("{rest}T")
}

/// A title, a head and rows of as many cells.
struct Table<'a, const N: usize> {
    title: &'a str,
    head: &'a [&'a str; N],
    rows: Vec<[String; N]>,
}

impl<'a, const N: usize> Table<'a, N> {
    fn new(title: &'a str, head: &'a [&'a str; N]) -> Self {
        Table {
            title,
            head,
            rows: Vec::new(),
        }
    }

    fn row(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.map(|cell| if cell.is_empty() { "-".into() } else { cell }));
    }

    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{}", self.title)?;
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.head.get(column).map_or(0, |name| name.len()))
        };
        let widths: Vec<usize> = (0..N).map(width).collect();
        line(f, self.head.iter().copied(), &widths)?;
        for row in &self.rows {
            line(f, row.iter().map(String::as_str), &widths)?;
        }
        Ok(())
    }
}

fn line<'a>(
    f: &mut Formatter<'_>,
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
) -> fmt::Result {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        write!(text, "  {cell:width$}")?;
    }
    writeln!(f, "{}", text.trim_end())
}
