// SPDX-License-Identifier: GPL-2.0

//! The list of shares for `ksmbd.control --list`, written into the named pipe that it made.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use ksmbd_tools::paths;
use nix::fcntl::OFlag;

use crate::state::State;

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
    // Opening for writing alone would wait for a reader that may be gone.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let mut pipe = OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let meta = pipe.metadata()?;
    if !meta.file_type().is_fifo() || meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(std::io::Error::other("not a pipe of ours"));
    }
    pipe.write_all(text.as_bytes())
}
