// SPDX-License-Identifier: GPL-2.0

//! The module's files in sysfs.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

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
    fn absent_module_is_an_error() {
        let module = Module::at(Path::new("/nonexistent"));
        assert!(!module.is_loaded());
        assert!(
            module.kill_server().is_err() && module.version().is_err() && module.debug().is_err()
        );
    }
}
