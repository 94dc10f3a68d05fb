// SPDX-License-Identifier: GPL-2.0

//! The list of shares for `ksmbd.control --list`, written into the named pipe that it made.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ksmbd_tools::paths;
use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::state::State;

/// How long to wait for who asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look.
const PERIOD: Duration = Duration::from_millis(10);

/// Writes the list into the pipes of those who ask: named after their process ids, which a signal does not bring this far.
pub fn answer(state: &State) {
    let text = text(state);
    let pipes = match pipes(Path::new(paths::RUN)) {
        Ok(pipes) => pipes,
        Err(error) => return log::error!("{}: {error}", paths::RUN),
    };
    for path in pipes {
        if let Err(error) = write(&path, &text) {
            log::debug!("{}: {error}", path.display());
        }
    }
}

/// The pipes of whoever asked.
fn pipes(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .and_then(|name| name.strip_prefix(paths::LIST_PIPE))
            .is_some_and(|pid| pid.parse::<u32>().is_ok());
        if is_ours {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// A head, and a line for each share: its name and its comment.
fn text(state: &State) -> String {
    let settings = state.settings();
    let line = |name: &str, comment: &str| format!("{name:>28}    {comment}\n");
    let shares = settings.config.shares();
    line("Name", "Comment")
        + &shares
            .map(|share| line(&share.name, &share.comment))
            .collect::<String>()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut pipe = open(path)?;
    let meta = pipe.metadata()?;
    if !meta.file_type().is_fifo() || meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(std::io::Error::other("not a pipe of ours"));
    }
    pipe.write_all(text.as_bytes())
}

/// Opens the pipe once its reader has; one that is gone is not waited for without end.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let since = Instant::now();
    loop {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(flags.bits())
            .open(path);
        match opened {
            Err(error)
                if error.raw_os_error() == Some(Errno::ENXIO as i32)
                    && since.elapsed() < PATIENCE =>
            {
                thread::sleep(PERIOD);
            }
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn waits_for_a_reader_that_comes_late() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let late = path.clone();
        let reader = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            let mut text = String::new();
            File::open(late).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        write(&path, "share\n").unwrap();
        assert_eq!(reader.join().unwrap(), "share\n");
    }

    #[test]
    fn finds_who_asked() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ksmbd.fifo.12", "ksmbd.fifo.x", "ksmbd.lock", "other"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(
            pipes(dir.path()).unwrap(),
            [dir.path().join("ksmbd.fifo.12")]
        );
    }

    #[test]
    fn lists_names_and_comments() {
        let state = crate::answer::tests::state("[a]\npath=/a\ncomment=all of it\n");
        let text = text(&state);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            ["Name    Comment", "a    all of it", "IPC$    IPC share"]
        );
    }

    #[test]
    fn writes_into_nothing_but_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "kept").unwrap();
        assert!(write(&path, "share\n").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        assert!(write(&dir.path().join("none"), "share\n").is_err());
    }
}
