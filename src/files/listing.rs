// SPDX-License-Identifier: GPL-2.0

//! Where the enumeration of an open directory stands, [MS-SMB2] 3.3.1.10 `Open.EnumerationLocation`.
//!
//! Names are read from the directory in batches into a buffer of bounded size, since the directory is locked meanwhile;
//! what is known of the files is asked for afterwards, entry by entry. The rest of a batch waits for the next request.

use core::ops::ControlFlow;

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::dir::{DirEntry, DirPos};
use linux::file::{Access, File};
use linux::path::Path;
use smb_model::wildcard;
use smb_proto::status::NtStatus;

use super::errors::status_of;
use super::lookup;
use super::Share;

/// Bytes of names that are read at a time.
const BATCH: usize = 8_192;
/// Longest search pattern in bytes: a longer one cannot match a name.
const MAX_PATTERN: usize = 2_048;

/// What an open directory keeps between two requests.
pub(crate) enum Listing {
    /// A request is at work on it.
    Busy,
    /// It stands still.
    Idle(Enumeration),
}

/// What comes next in an enumeration.
#[derive(Clone, Copy)]
enum Stage {
    /// `.` comes next.
    This,
    /// `..` comes next.
    Parent,
    /// The names of the batch, and then of the directory.
    Entries,
    /// Only the name that the pattern spells out.
    Exact,
    /// Nothing.
    Done,
}

/// One entry that matches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate<'a> {
    /// `.`, the directory itself.
    This,
    /// `..`, the directory above.
    Parent,
    /// An entry, as it is spelled on disk.
    Named(&'a str),
    /// The entry that the pattern names, in any case of letters.
    Exact(&'a str),
}

/// An enumeration under way.
pub(crate) struct Enumeration {
    /// The directory, open for reading.
    directory: File,
    /// The search pattern, UTF-8.
    pattern: KVec<u8>,
    stage: Stage,
    /// Where the directory goes on after the batch.
    next: DirPos,
    /// Whether the batch is the directory's last one.
    is_last: bool,
    /// Names, each after its length.
    batch: KVec<u8>,
    /// How far into the batch it has come.
    at: usize,
    /// Whether any entry was returned since the enumeration began.
    pub(crate) any: bool,
}

impl Enumeration {
    /// Begins at the first entry that matches `pattern`; an empty one matches all.
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED` if the user may not list the directory, `STATUS_OBJECT_NAME_INVALID` for an overlong pattern.
    pub(crate) fn begin(
        scope: &CredScope<'_>,
        path: &Path,
        pattern: &str,
    ) -> Result<Self, NtStatus> {
        let directory = File::open(scope, path, Access::READ).map_err(status_of)?;
        let mut enumeration = Enumeration {
            directory,
            pattern: KVec::new(),
            stage: Stage::Done,
            next: DirPos::START,
            is_last: false,
            batch: KVec::new(),
            at: 0,
            any: false,
        };
        enumeration.restart(Some(pattern))?;
        Ok(enumeration)
    }

    /// Begins again, with another pattern or with the same.
    ///
    /// # Errors
    ///
    /// `STATUS_OBJECT_NAME_INVALID` for an overlong pattern, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn restart(&mut self, pattern: Option<&str>) -> Result<(), NtStatus> {
        if let Some(pattern) = pattern {
            let pattern = if pattern.is_empty() { "*" } else { pattern };
            if pattern.len() > MAX_PATTERN {
                return Err(NtStatus::OBJECT_NAME_INVALID);
            }
            let mut copy = KVec::new();
            copy.extend_from_slice(pattern.as_bytes(), GFP_KERNEL)
                .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
            self.pattern = copy;
        }
        self.stage = if is_exact(text(&self.pattern)) {
            Stage::Exact
        } else {
            Stage::This
        };
        self.next = DirPos::START;
        self.is_last = false;
        self.batch.clear();
        self.at = 0;
        self.any = false;
        Ok(())
    }

    /// The next entry that matches, which stays the next one until [`Self::advance`].
    pub(crate) fn peek(
        &mut self,
        scope: &CredScope<'_>,
        share: &Share,
    ) -> Result<Option<Candidate<'_>>, NtStatus> {
        loop {
            match self.stage {
                Stage::This if self.matches(".") => return Ok(Some(Candidate::This)),
                Stage::Parent if self.matches("..") => return Ok(Some(Candidate::Parent)),
                Stage::This | Stage::Parent => self.advance(),
                Stage::Exact => return Ok(Some(Candidate::Exact(text(&self.pattern)))),
                Stage::Done => return Ok(None),
                Stage::Entries => {
                    if self.find_in_batch(share) {
                        break;
                    }
                    if self.is_last {
                        self.stage = Stage::Done;
                    } else {
                        self.fill(scope)?;
                    }
                }
            }
        }
        Ok(self.current().map(Candidate::Named))
    }

    /// Passes over the entry that [`Self::peek`] gave.
    pub(crate) fn advance(&mut self) {
        match self.stage {
            Stage::This => self.stage = Stage::Parent,
            Stage::Parent => self.stage = Stage::Entries,
            Stage::Exact | Stage::Done => self.stage = Stage::Done,
            Stage::Entries => {
                let len = self.batch.get(self.at).copied().map_or(0, usize::from);
                self.at = self.at.saturating_add(len).saturating_add(1);
            }
        }
    }

    fn matches(&self, name: &str) -> bool {
        wildcard::matches_str(text(&self.pattern), name)
    }

    /// The name at which the batch stands; `None` at its end, and for a name that clients cannot be told.
    fn current(&self) -> Option<&str> {
        let len = usize::from(*self.batch.get(self.at)?);
        let start = self.at.checked_add(1)?;
        let name = self.batch.get(start..start.checked_add(len)?)?;
        core::str::from_utf8(name).ok()
    }

    /// Moves to the next name of the batch that is shown and matches; `false` at the end of the batch.
    fn find_in_batch(&mut self, share: &Share) -> bool {
        while self.at < self.batch.len() {
            let is_found = self
                .current()
                .is_some_and(|name| self.matches(name) && !lookup::hides(share, name));
            if is_found {
                return true;
            }
            self.advance();
        }
        false
    }

    /// Reads the next batch.
    fn fill(&mut self, scope: &CredScope<'_>) -> Result<(), NtStatus> {
        self.batch.clear();
        self.at = 0;
        // Room for all of it, so that nothing is allocated while the directory is locked.
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        self.batch.reserve(BATCH, GFP_KERNEL).map_err(no_memory)?;
        let batch = &mut self.batch;
        let listing = self
            .directory
            .read_dir(scope, self.next, &mut |entry: DirEntry<'_>| {
                if entry.is_dot() {
                    return ControlFlow::Continue(());
                }
                let Ok(len) = u8::try_from(entry.name.len()) else {
                    return ControlFlow::Continue(());
                };
                let needed = entry.name.len().saturating_add(1);
                if batch.len().saturating_add(needed) > BATCH {
                    return ControlFlow::Break(());
                }
                let stored = batch
                    .push(len, GFP_KERNEL)
                    .and_then(|()| batch.extend_from_slice(entry.name, GFP_KERNEL));
                match stored {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })
            .map_err(status_of)?;
        self.next = listing.next;
        self.is_last = listing.complete;
        Ok(())
    }
}

/// The text of a pattern, which was text when it was stored.
fn text(pattern: &[u8]) -> &str {
    core::str::from_utf8(pattern).unwrap_or("")
}

/// Whether a pattern names one entry: then the directory need not be read.
fn is_exact(pattern: &str) -> bool {
    !wildcard::has_wildcard(pattern.chars()) && pattern != "." && pattern != ".."
}
