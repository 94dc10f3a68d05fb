// SPDX-License-Identifier: GPL-2.0

//! Shares as the daemon configured them, fetched when first connected to and again when the daemon says that they
//! changed. Tree connects keep the share that they were made with. Lock order: `ShareTable` is a leaf.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::entries::Observer;
use linux::path::Path;
use smb_proto::ipc::{share_flag, ShareConfigResponse, Text, SHARE_NAME_SIZE};

use crate::ipc::calls;
use crate::ipc::link::LinkError;
use crate::server::Server;

use super::name_index::NameIndexes;

/// Shares that are kept at a time.
const MAX_SHARES: usize = 1_024;

/// What lies behind a share.
pub(crate) enum Root {
    /// IPC$: named pipes only.
    Pipes,
    /// A directory.
    Directory(Path),
}

/// One share.
pub(crate) struct Share {
    /// The name as configured, UTF-8.
    pub(crate) name: Text<SHARE_NAME_SIZE>,
    pub(crate) root: Root,
    /// [`share_flag`] bits.
    flags: u32,
    pub(crate) create_mask: u16,
    pub(crate) directory_mask: u16,
    pub(crate) force_create_mode: u16,
    pub(crate) force_directory_mode: u16,
    pub(crate) force_uid: Option<u32>,
    pub(crate) force_gid: Option<u32>,
    /// Patterns of names that do not exist for clients.
    pub(crate) veto: KVec<KVec<u8>>,
    names: Arc<NameIndexes>,
}

/// Why there is no share to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoShare {
    /// No such share.
    Unknown,
    /// The share's directory cannot be opened.
    BadPath,
    /// The daemon does not answer, or there is no memory.
    Unavailable,
}

impl From<LinkError> for NoShare {
    fn from(_: LinkError) -> Self {
        NoShare::Unavailable
    }
}

impl Share {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// [`share_flag`] bits, as configured.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether every message about the share is encrypted.
    pub(crate) fn must_encrypt(&self) -> bool {
        self.has(share_flag::ENCRYPT_DATA)
    }

    /// Whether the share is IPC$.
    pub(crate) fn is_pipe(&self) -> bool {
        matches!(self.root, Root::Pipes)
    }

    /// The directory behind a disk share.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.root {
            Root::Directory(path) => Some(path),
            Root::Pipes => None,
        }
    }

    /// The indexes over the names of its directories, which are the server's.
    pub(crate) fn names(&self) -> &Arc<NameIndexes> {
        &self.names
    }

    /// Who is to be told of entries that come and go in the share.
    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.names
    }

    pub(crate) fn allows_guests(&self) -> bool {
        self.has(share_flag::GUEST_OK)
    }

    pub(crate) fn stores_dos_attributes(&self) -> bool {
        self.has(share_flag::STORE_DOS_ATTRIBUTES)
    }

    pub(crate) fn grants_oplocks(&self) -> bool {
        self.has(share_flag::OPLOCKS)
    }

    pub(crate) fn hides_dot_files(&self) -> bool {
        self.has(share_flag::HIDE_DOT_FILES)
    }

    pub(crate) fn inherits_owner(&self) -> bool {
        self.has(share_flag::INHERIT_OWNER)
    }

    pub(crate) fn has_streams(&self) -> bool {
        self.has(share_flag::STREAMS)
    }

    pub(crate) fn follows_symlinks(&self) -> bool {
        self.has(share_flag::FOLLOW_SYMLINKS)
    }

    pub(crate) fn crosses_mounts(&self) -> bool {
        self.has(share_flag::CROSS_MOUNT)
    }

    pub(crate) fn is_continuously_available(&self) -> bool {
        self.has(share_flag::CONTINUOUS_AVAILABILITY)
    }

    pub(crate) fn hides_unreadable(&self) -> bool {
        self.has(share_flag::HIDE_UNREADABLE)
    }

    /// Makes a share of the daemon's answer.
    fn from_response(
        response: &ShareConfigResponse<'_>,
        names: Arc<NameIndexes>,
    ) -> Result<Self, NoShare> {
        let head = &response.head;
        if head.flags & share_flag::AVAILABLE == 0 {
            return Err(NoShare::Unknown);
        }
        let no_memory = |_| NoShare::Unavailable;
        let root = if head.flags & share_flag::PIPE != 0 {
            Root::Pipes
        } else {
            let path = CString::try_from_fmt(fmt!("{}", BytesAsPath(response.path())))
                .map_err(|_| NoShare::BadPath)?;
            Root::Directory(Path::resolve_share(&path).map_err(|_| NoShare::BadPath)?)
        };
        let mut veto = KVec::new();
        for pattern in response.veto_patterns() {
            let mut copy = KVec::new();
            copy.extend_from_slice(pattern, GFP_KERNEL)
                .map_err(no_memory)?;
            veto.push(copy, GFP_KERNEL).map_err(no_memory)?;
        }
        Ok(Share {
            name: head.name,
            root,
            flags: head.flags,
            create_mask: head.create_mask,
            directory_mask: head.directory_mask,
            force_create_mode: head.force_create_mode,
            force_directory_mode: head.force_directory_mode,
            force_uid: head.forced_uid(),
            force_gid: head.forced_gid(),
            veto,
            names,
        })
    }
}

/// Shows bytes as they are, if they are UTF-8; paths that are not cannot be shared.
struct BytesAsPath<'a>(&'a [u8]);

impl kernel::fmt::Display for BytesAsPath<'_> {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        f.write_str(core::str::from_utf8(self.0).map_err(|_| kernel::fmt::Error)?)
    }
}

/// The shares that were fetched.
#[pin_data]
pub(crate) struct ShareTable {
    #[pin]
    shares: Mutex<KVec<Arc<Share>>>,
}

impl ShareTable {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(ShareTable { shares <- new_mutex!(KVec::new()) })
    }

    /// The share `name` (case-folded UTF-8), from the table or from the daemon.
    pub(crate) fn get(&self, server: &Server, name: &[u8]) -> Result<Arc<Share>, NoShare> {
        if let Some(share) = self.find(name) {
            return Ok(share);
        }
        let answer = calls::share_config(&server.link, name)?;
        let response = ShareConfigResponse::parse(&answer).map_err(|_| NoShare::Unavailable)?;
        let share = Share::from_response(&response, server.names.clone())?;
        let share = Arc::new(share, GFP_KERNEL).map_err(|_| NoShare::Unavailable)?;
        // Two that fetched at the same time leave one: the later answer.
        self.forget(name);
        let mut shares = self.shares.lock();
        if shares.len() < MAX_SHARES {
            // Without memory the share is not kept, only used.
            let _ = shares.push(share.clone(), GFP_KERNEL);
        }
        Ok(share)
    }

    fn find(&self, name: &[u8]) -> Option<Arc<Share>> {
        let shares = self.shares.lock();
        shares
            .iter()
            .find(|share| share.name.bytes().eq_ignore_ascii_case(name))
            .cloned()
    }

    /// Forgets the share `name`: the next tree connect fetches it anew.
    pub(crate) fn forget(&self, name: &[u8]) {
        loop {
            let removed = {
                let mut shares = self.shares.lock();
                let is_it = |share: &Arc<Share>| share.name.bytes().eq_ignore_ascii_case(name);
                let index = shares.iter().position(is_it);
                index.and_then(|index| shares.remove(index).ok())
            };
            // Dropped outside the lock: it may be the last reference to the share's directory.
            if removed.is_none() {
                return;
            }
        }
    }

    /// The share that comes after `after` in some order that does not change while both are kept, and its place in it.
    pub(crate) fn after(&self, after: usize) -> Option<(usize, Arc<Share>)> {
        let place = |share: &Arc<Share>| core::ptr::from_ref::<Share>(share).addr();
        let shares = self.shares.lock();
        let next = shares
            .iter()
            .filter(|share| place(share) > after)
            .min_by_key(|share| place(share))?;
        Some((place(next), next.clone()))
    }

    /// Forgets every share.
    pub(crate) fn clear(&self) {
        let removed = core::mem::replace(&mut *self.shares.lock(), KVec::new());
        drop(removed);
    }
}
