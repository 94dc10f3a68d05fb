// SPDX-License-Identifier: GPL-2.0

//! The list of shares for `ksmbd.control --list`, written into the named pipe that it made.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ksmbd_tools::paths;
use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::state::State;

/// How long to wait for who asked.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look.
const PERIOD: Duration = Duration::from_millis(10);

/// Writes the list into the pipe of the manager's process id.
pub fn answer(state: &State) {
    let Ok(manager) = i32::try_from(std::os::unix::process::parent_id()) else {
        return;
    };
    let path = paths::list_pipe(manager);
    if let Err(error) = write(&path, &text(state)) {
        log::error!("{}: {error}", path.display());
    }
}

/// The names of the shares, one in each line.
fn text(state: &State) -> String {
    let settings = state.settings();
    let names = settings.config.shares().map(|share| share.name.as_str());
    names.flat_map(|name| [name, "\n"]).collect()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut pipe = open(path)?;
    let meta = pipe.metadata()?;
    if !meta.file_type().is_fifo() || meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(std::io::Error::other("not a pipe of ours"));
    }
    pipe.write_all(text.as_bytes())
}

/// Opens the pipe once its reader has: the C tool signals before it opens, and one that is gone is not waited for without end.
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
    fn writes_into_nothing_but_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "kept").unwrap();
        assert!(write(&path, "share\n").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        assert!(write(&dir.path().join("none"), "share\n").is_err());
    }
}
