// SPDX-License-Identifier: GPL-2.0

//! The lock file: which process is the manager.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

/// What every daemon's name ends in.
const NAME: &[u8] = b"mountd";

/// Held by the manager for as long as it runs; the file goes with it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: Option<Flock<File>>,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another manager runs.
    #[error("already running as process {0}")]
    Held(i32),
    /// The file cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Lock {
    /// Makes the lock file with this process's id. A file whose process is gone is taken over.
    ///
    /// The file appears with its content and held, so that nobody takes another's for one that was left behind, however many start at a
    /// time.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let made = Made::beside(path)?;
        loop {
            match fs::hard_link(&made.path, path) {
                Ok(()) => return Ok(made.appeared(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if let Some(holder) = holder(path) {
                        return Err(LockError::Held(holder.as_raw()));
                    }
                    remove_left(path)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A lock file under another name, which goes with this.
struct Made {
    path: PathBuf,
    file: Option<Flock<File>>,
}

impl Made {
    fn beside(path: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = std::process::id();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{id}.{number}"));
        let path = PathBuf::from(name);
        // Left by a process of the same number that was killed just here.
        remove_if_there(&path)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&path)?;
        let mut made = Made { path, file: None };
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        file.write_all(format!("{id}\n").as_bytes())?;
        made.file = Some(file);
        Ok(made)
    }

    /// The lock, now that the file has its own name.
    fn appeared(mut self, path: &Path) -> Lock {
        Lock {
            path: path.to_path_buf(),
            _file: self.file.take(),
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.path) {
            log::warn!("{}: {error}", self.path.display());
        }
    }
}

/// Removes a lock file that nobody holds, and no other that has taken its place meanwhile.
fn remove_left(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    // Who removes it holds it: another that was about to then finds that it is gone.
    let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Ok(());
    };
    match fs::metadata(path) {
        Ok(now) if now.ino() == file.metadata()?.ino() => remove_if_there(path),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.path) {
            log::warn!("{}: {error}", self.path.display());
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The running manager, if the lock file names one. A manager that was killed leaves the file, and another process may have got its
/// number since: that is none, and is not signalled.
pub fn holder(path: &Path) -> Option<Pid> {
    let file = File::open(path).ok()?;
    let pid: i32 = io::read_to_string(&file).ok()?.trim().parse().ok()?;
    // Zero and negative numbers would address whole process groups.
    let pid = (pid > 0).then(|| Pid::from_raw(pid))?;
    let lives = matches!(kill(pid, None), Ok(()) | Err(Errno::EPERM));
    (lives && (is_locked(file) || is_daemon(pid))).then_some(pid)
}

/// Whether somebody holds the file, as this project's manager does for as long as it runs.
fn is_locked(file: File) -> bool {
    matches!(
        Flock::lock(file, FlockArg::LockSharedNonblock),
        Err((_, Errno::EWOULDBLOCK))
    )
}

/// Whether the process may be a daemon of another make, by the name that it was called by. In doubt it is.
fn is_daemon(pid: Pid) -> bool {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) if !line.is_empty() => {
            let name = line.split(|byte| *byte == 0).next().unwrap_or_default();
            name.windows(NAME.len()).any(|part| part == NAME)
        }
        _ => true,
    }
}

/// Sends `signal` to the running manager; `None` if there is none.
///
/// # Errors
///
/// Those of sending.
pub fn signal(path: &Path, signal: Signal) -> io::Result<Option<Pid>> {
    let Some(pid) = holder(path) else {
        return Ok(None);
    };
    kill(pid, signal)?;
    Ok(Some(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that does nothing; it ends with its owner.
    struct Sleeper(std::process::Child);

    impl Sleeper {
        /// One whose program is called `name`.
        fn called(name: &str) -> Self {
            let mut command = std::process::Command::new(name);
            let sleeper = Sleeper(command.arg("1000").spawn().unwrap());
            // It is there before its command line is.
            let line = format!("/proc/{}/cmdline", sleeper.0.id());
            while !fs::read_to_string(&line).unwrap().contains(name) {
                std::thread::yield_now();
            }
            sleeper
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
        assert!(
            matches!(Lock::take(&path), Err(LockError::Held(pid)) if pid.unsigned_abs() == std::process::id())
        );
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn many_at_a_time_are_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        for content in [None, Some("999999999"), Some("")]
            .into_iter()
            .cycle()
            .take(150)
        {
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            let together = std::sync::Barrier::new(8);
            let taken: Vec<_> = std::thread::scope(|scope| {
                let take = || {
                    together.wait();
                    Lock::take(&path)
                };
                let all: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let held = |one: &&Result<Lock, LockError>| matches!(one, Err(LockError::Held(_)));
            assert_eq!(taken.iter().filter(held).count(), 7, "{taken:?}");
            drop(taken);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_stranger_with_the_number_of_the_dead_is_no_manager() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let stranger = Sleeper::called("/bin/sleep");
        fs::write(&path, format!("{}\n", stranger.0.id())).unwrap();
        assert_eq!(holder(&path), None);
        assert!(signal(&path, Signal::SIGKILL).unwrap().is_none());
        drop(Lock::take(&path).unwrap());
        // A daemon of another make does not hold the file.
        let name = dir.path().join("ksmbd.mountd");
        std::os::unix::fs::symlink("/bin/sleep", &name).unwrap();
        let other = Sleeper::called(name.to_str().unwrap());
        let pid = i32::try_from(other.0.id()).unwrap();
        fs::write(&path, format!("{pid}\n")).unwrap();
        assert_eq!(holder(&path), Some(Pid::from_raw(pid)));
    }

    #[test]
    fn takes_over_what_a_dead_process_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        for content in ["999999999", "garbage", "", "-1", "0"] {
            fs::write(&path, content).unwrap();
            assert_eq!(holder(&path), None, "{content}");
            drop(Lock::take(&path).unwrap());
        }
    }
}
