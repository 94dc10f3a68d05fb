// SPDX-License-Identifier: GPL-2.0

//! An open file or directory.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::file::File;
use linux::path::Path;
use smb_model::create::Options;
use smb_model::lease::Trigger;
use smb_model::names::Rules;
use smb_proto::status::NtStatus;

use crate::server::Server;

use super::inode::Admission;
use super::listing::Listing;
use super::Tree;

/// Options of CREATE that FileModeInformation tells: write-through, sequential, unbuffered, synchronous, delete on close.
const MODE: u32 = 0x0000_103E;

/// Whose rules an open follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Semantics {
    /// Names are told apart without regard to case.
    Windows,
    /// It was made with the POSIX context, [MS-SMB2] 2.2.13.2. Names are told apart by case.
    Posix,
}

impl Semantics {
    /// What names may hold.
    pub(crate) fn rules(self) -> Rules {
        match self {
            Semantics::Windows => Rules::Windows,
            Semantics::Posix => Rules::Posix,
        }
    }
}

/// An open file or directory.
pub(crate) struct OpenedFile {
    /// Where it is; follows renames.
    pub(crate) path: Path,
    /// What data goes through: none if neither reading nor writing was asked for, and for directories.
    file: Option<File>,
    pub(crate) admission: Admission,
    semantics: Semantics,
    /// Whether this open's close marks the file for deletion.
    delete_on_close: Atomic<bool>,
    /// Whether the name goes at this open's close, whoever else has the file open.
    posix_delete: Atomic<bool>,
    /// `FileModeInformation.Mode` as set last, [MS-FSCC] 2.4.31.
    mode: Atomic<u32>,
    /// `CurrentByteOffset`, [MS-FSCC] 2.4.35; only told, never used.
    pub(crate) position: Atomic<u64>,
    /// Whether the client froze the times of the last write and change, and that of the last access, for what is done through
    /// this open, [MS-FSCC] 2.4.7.
    modified_is_frozen: Atomic<bool>,
    accessed_is_frozen: Atomic<bool>,
    /// Where an enumeration stands; for directories.
    pub(crate) listing: Option<Pin<KBox<Mutex<Option<Listing>>>>>,
}

impl OpenedFile {
    pub(crate) fn new(
        path: Path,
        file: Option<File>,
        options: Options,
        semantics: Semantics,
        admission: Admission,
    ) -> Result<Self> {
        let listing = if path.is_dir() {
            Some(KBox::pin_init(new_mutex!(None), GFP_KERNEL)?)
        } else {
            None
        };
        let deletes = options.contains(Options::DELETE_ON_CLOSE);
        Ok(OpenedFile {
            path,
            file,
            admission,
            semantics,
            delete_on_close: Atomic::new(deletes),
            posix_delete: Atomic::new(deletes && semantics == Semantics::Posix),
            mode: Atomic::new(options.bits() & MODE),
            position: Atomic::new(0),
            modified_is_frozen: Atomic::new(false),
            accessed_is_frozen: Atomic::new(false),
            listing,
        })
    }

    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.listing.is_some()
    }

    /// What data goes through.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` for a directory, `STATUS_ACCESS_DENIED` for an open that may neither read nor write.
    pub(crate) fn data(&self) -> Result<&File, NtStatus> {
        if self.is_directory() {
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        self.file.as_ref().ok_or(NtStatus::ACCESS_DENIED)
    }

    /// Takes the open out of the file's state, and removes its name if that has to go now.
    pub(crate) fn close(&self, server: &Arc<Server>, tree: &Arc<Tree>) {
        if self.delete_on_close.load(Relaxed) {
            self.admission.mark_deleted(tree);
            // Nobody waits: the file goes with its last open, and those who cache handles are to close theirs.
            let _ = self.admission.disturb(server, Trigger::Move, None);
        }
        self.admission.end(self.posix_delete.load(Relaxed));
    }

    /// The mode, [MS-FSCC] 2.4.31.
    pub(crate) fn mode(&self) -> u32 {
        self.mode.load(Relaxed)
    }

    /// Sets the mode, which nothing depends on but the answer to who asks for it.
    pub(crate) fn set_mode(&self, mode: u32) {
        self.mode.store(mode, Relaxed);
    }

    /// Whether this open's close marks the file for deletion.
    pub(crate) fn deletes_on_close(&self) -> bool {
        self.delete_on_close.load(Relaxed)
    }

    /// Whose rules the open follows.
    pub(crate) fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Says whether the file's name, if it is to go, goes at this open's close: `on`, or because the open is one of POSIX.
    pub(crate) fn set_posix_delete(&self, on: bool) {
        let is_posix = self.semantics == Semantics::Posix;
        self.posix_delete.store(on || is_posix, Relaxed);
    }

    /// Says whether this open's close marks the file for deletion.
    pub(crate) fn set_delete_on_close(&self, on: bool) {
        self.delete_on_close.store(on, Relaxed);
    }

    /// Freezes the times of the last write and change for what is done through this open, or lets them go on; nothing with
    /// `None`.
    pub(crate) fn freeze_modified(&self, on: Option<bool>) {
        if let Some(on) = on {
            self.modified_is_frozen.store(on, Relaxed);
            self.apply_frozen();
        }
    }

    /// As [`Self::freeze_modified`], the time of the last access.
    pub(crate) fn freeze_accessed(&self, on: Option<bool>) {
        if let Some(on) = on {
            self.accessed_is_frozen.store(on, Relaxed);
            self.apply_frozen();
        }
    }

    /// Whether the time of the last write is frozen.
    pub(crate) fn keeps_modified(&self) -> bool {
        self.modified_is_frozen.load(Relaxed)
    }

    fn apply_frozen(&self) {
        if let Some(file) = &self.file {
            file.keep_times(self.keeps_modified(), self.accessed_is_frozen.load(Relaxed));
        }
    }

    /// Sets the position that is told.
    pub(crate) fn set_position(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    /// The position last told.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }
}
