// SPDX-License-Identifier: GPL-2.0

//! Files that are replaced as a whole: a reader sees the old content or the new, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// Holds a file's lock; taken by everyone who is about to replace the file.
#[derive(Debug)]
pub struct Locked {
    path: PathBuf,
    lock: Flock<File>,
}

impl Locked {
    /// Opens `path`, making an empty file of `mode` if there is none, and waits for its lock.
    ///
    /// # Errors
    ///
    /// Those of opening and locking the file.
    pub fn open(path: &Path, mode: u32) -> io::Result<Self> {
        // The target of a symbolic link is what is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(mode)
                .open(&path)?;
            let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
            // Whoever held the lock before may have replaced the file: then this is the lock of the old one.
            let mine = lock.metadata()?;
            match fs::metadata(&path) {
                Ok(now) if now.ino() == mine.ino() && now.dev() == mine.dev() => {
                    return Ok(Locked { path, lock });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The file's content.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }

    /// Replaces the content. `mode` gives the new file's permissions; `None` keeps those of the old.
    ///
    /// # Errors
    ///
    /// Those of writing and renaming; the old content then stays.
    pub fn replace(self, content: &[u8], mode: Option<u32>) -> io::Result<()> {
        let old = self.lock.metadata()?;
        let mode = mode.unwrap_or(old.mode() & 0o7777);
        replace_as(&self.path, content, mode, Some((old.uid(), old.gid())))
    }
}

/// Writes `content` to a new file of `mode` and renames it to `path`.
///
/// # Errors
///
/// Those of writing and renaming; what stood at `path` then stays.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    replace_as(path, content, mode, None)
}

fn replace_as(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        write_new(&temporary, content, mode, owner).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing more can be done about a file that cannot be removed either.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn write_new(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    if let Some((uid, gid)) = owner {
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (uid, gid) {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
    }
    // After the owner: changing that clears bits.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_content_and_sets_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"one", 0o640).unwrap();
        Locked::open(&path, 0o600)
            .unwrap()
            .replace(b"two", Some(0o600))
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file stays behind"
        );
    }

    #[test]
    fn keeps_mode_when_told_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"one", 0o604).unwrap();
        Locked::open(&path, 0o600)
            .unwrap()
            .replace(b"two", None)
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o604);
    }

    #[test]
    fn follows_a_symbolic_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        replace(&path, b"one", 0o600).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Locked::open(&link, 0o600)
            .unwrap()
            .replace(b"two", None)
            .unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn waiters_see_the_replaced_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"", 0o600).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let locked = Locked::open(&path, 0o600).unwrap();
                    let mut content = locked.read().unwrap();
                    content.push(b'x');
                    // Each thread has its own temporary name only because the lock is held.
                    locked.replace(&content, None).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"xxxxxxxx");
    }
}
