// SPDX-License-Identifier: GPL-2.0

//! The module's files in sysfs.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::paths;

/// The module's directory in sysfs.
#[derive(Clone, Debug)]
pub struct Module {
    class: PathBuf,
    version: PathBuf,
}

impl Default for Module {
    fn default() -> Self {
        Module {
            class: PathBuf::from(paths::CONTROL_CLASS),
            version: PathBuf::from(paths::MODULE_VERSION),
        }
    }
}

/// What the module says of itself: `stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// `startup`, `running`, `reset` or `shutdown`.
    pub state: String,
    /// TCP port.
    pub port: u16,
    /// Seconds since the daemon's last message.
    pub silence: u64,
}

impl Module {
    /// A module whose files lie elsewhere, for tests.
    pub fn at(root: &Path) -> Self {
        Module {
            class: root.join("class"),
            version: root.join("version"),
        }
    }

    /// Whether the module is loaded.
    pub fn is_loaded(&self) -> bool {
        self.class.is_dir()
    }

    /// Ends the server: sessions and connections close.
    ///
    /// # Errors
    ///
    /// Those of writing `kill_server`.
    pub fn kill_server(&self) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .open(self.class.join("kill_server"))?
            .write_all(b"hard")
    }

    /// The debug components, enabled ones in brackets.
    ///
    /// # Errors
    ///
    /// Those of reading `debug`.
    pub fn debug(&self) -> io::Result<String> {
        Ok(fs::read_to_string(self.class.join("debug"))?
            .trim_end()
            .to_owned())
    }

    /// Toggles a debug component and gives what `debug` then reads.
    ///
    /// # Errors
    ///
    /// Those of writing and reading `debug`.
    pub fn toggle_debug(&self, component: &str) -> io::Result<String> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.class.join("debug"))?;
        file.write_all(component.as_bytes())?;
        file.rewind()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text.trim_end().to_owned())
    }

    /// Sends somebody away; gives how many sessions, connections or tree connects ended.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] for a module that cannot; those of writing and reading `disconnect`.
    pub fn disconnect(&self, whom: &Whom) -> io::Result<u64> {
        let path = self.class.join("disconnect");
        if self.is_loaded() && !path.exists() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // By which the answer is found among those to others who ask at the same time.
        let ticket = ticket();
        OpenOptions::new()
            .write(true)
            .open(&path)?
            .write_all(format!("{ticket} {whom}").as_bytes())?;
        let answers = fs::read_to_string(&path)?;
        find_answer(&answers, &ticket).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The module's version.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub fn version(&self) -> io::Result<String> {
        Ok(fs::read_to_string(&self.version)?.trim_end().to_owned())
    }

    /// The module's state.
    ///
    /// # Errors
    ///
    /// Those of reading `stats`, and [`io::ErrorKind::InvalidData`] if it has another form.
    pub fn stats(&self) -> io::Result<Stats> {
        let text = fs::read_to_string(self.class.join("stats"))?;
        parse_stats(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

/// Whom to send away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A session, by its id.
    Session(u64),
    /// All connections of an address.
    Client(IpAddr),
    /// All who are connected to a share.
    Share(String),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let session = |id: &str| id.parse().map(Whom::Session).ok();
        let client = |address: &str| address.parse().map(Whom::Client).ok();
        let share = |name: &str| {
            let is_name = !name.is_empty() && !name.contains(char::is_control);
            is_name.then(|| Whom::Share(name.to_owned()))
        };
        let whom = match text.split_once(':') {
            Some(("session", id)) => session(id),
            Some(("client", address)) => client(address),
            Some(("share", name)) => share(name),
            _ => session(text)
                .or_else(|| client(text))
                .or_else(|| share(text)),
        };
        whom.ok_or_else(|| "expected session:ID, client:ADDRESS or share:NAME".to_owned())
    }
}

impl Display for Whom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Session(id) => write!(f, "session {id}"),
            Whom::Client(address) => write!(f, "client {address}"),
            Whom::Share(name) => write!(f, "share {name}"),
        }
    }
}

/// A number that no other process makes up at the same time.
fn ticket() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let low = u64::from(since.subsec_nanos()) << 32;
    (low | u64::from(std::process::id())).to_string()
}

fn find_answer(answers: &str, ticket: &str) -> Option<u64> {
    let mine = answers
        .lines()
        .rev()
        .filter_map(|line| line.split_once(' '))
        .find(|(of, _)| *of == ticket)?;
    mine.1.parse().ok()
}

fn parse_stats(text: &str) -> Option<Stats> {
    let mut words = text.split_ascii_whitespace();
    // The form's version.
    if words.next()? != "2" {
        return None;
    }
    Some(Stats {
        state: words.next()?.to_owned(),
        port: words.next()?.parse().ok()?,
        silence: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stats() {
        let stats = parse_stats("2 running 445 7\n").unwrap();
        assert_eq!(
            (stats.state.as_str(), stats.port, stats.silence),
            ("running", 445, 7)
        );
        for bad in ["", "1 running 445 7", "2 running", "2 running x 7"] {
            assert_eq!(parse_stats(bad), None);
        }
    }

    #[test]
    fn knows_whom_to_send_away() {
        let parse = |text: &str| text.parse::<Whom>().map(|whom| whom.to_string());
        assert_eq!(parse("17"), Ok("session 17".into()));
        assert_eq!(parse("share:17"), Ok("share 17".into()));
        assert_eq!(parse("192.0.2.1"), Ok("client 192.0.2.1".into()));
        assert_eq!(parse("2001:db8::1"), Ok("client 2001:db8::1".into()));
        assert_eq!(parse("client:::1"), Ok("client ::1".into()));
        assert_eq!(parse("my share"), Ok("share my share".into()));
        for bad in ["", "session:x", "client:host", "share:", "a\nb"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn finds_its_own_answer() {
        assert_eq!(find_answer("7 1\n8 0\n", "8"), Some(0));
        assert_eq!(find_answer("7 1\n7 2\n", "7"), Some(2));
        assert_eq!(find_answer("71 1\n", "7"), None);
    }

    #[test]
    fn absent_module_is_an_error() {
        let module = Module::at(Path::new("/nonexistent"));
        assert!(!module.is_loaded());
        assert!(
            module.kill_server().is_err() && module.version().is_err() && module.debug().is_err()
        );
    }
}
