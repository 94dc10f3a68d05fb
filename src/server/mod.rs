// SPDX-License-Identifier: GPL-2.0

//! The server: everything that the module owns hangs on one [`Server`], and nothing is global.

pub(crate) mod config;
pub(crate) mod control;
#[macro_use]
pub(crate) mod debug;
pub(crate) mod delays;
pub(crate) mod disconnect;
pub(crate) mod interfaces;
pub(crate) mod lifecycle;
pub(crate) mod listeners;
pub(crate) mod proc;
pub(crate) mod refusals;
pub(crate) mod upkeep;

use kernel::cpu::nr_cpu_ids;
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::buffer::BufferPool;
use linux::random;
use linux::workqueue::{Flags, WorkQueue};

use crate::connection::table::ConnectionTable;
use crate::files::{NameIndexes, OpenCount, OpenFiles, OpenStreams, ShareTable};
use crate::ipc::Link;
use crate::session::SessionTable;

pub(crate) use config::Config;
use debug::DebugMask;
use delays::Delays;
use disconnect::Disconnects;
use interfaces::Interfaces;
use lifecycle::Lifecycle;
use listeners::Listeners;
use refusals::Refusals;
use upkeep::Upkeep;

/// Free large buffers that are kept for reuse, bytes.
const POOL_BYTES: usize = 64 << 20;

/// Requests go to any processor: those of one client, which all arrive on one, are worked on side by side. With only one, there
/// are fewer switches if its queue lets one request run until it sleeps.
fn io_flags() -> Flags {
    if nr_cpu_ids() > 1 {
        Flags::UNBOUND
    } else {
        Flags::PER_CPU
    }
}

/// One server.
#[pin_data]
pub(crate) struct Server {
    pub(crate) debug: DebugMask,
    /// `ServerGuid`, [MS-SMB2] 3.3.1.5: names this server to clients while it runs.
    pub(crate) guid: [u8; 16],
    pub(crate) lifecycle: Lifecycle,
    /// Held over start, reset and shutdown, which wait for threads: one at a time. Taken before every other lock.
    #[pin]
    control: Mutex<()>,
    #[pin]
    config: Mutex<Arc<Config>>,
    #[pin]
    pub(crate) link: Link,
    #[pin]
    pub(crate) listeners: Listeners,
    #[pin]
    pub(crate) interfaces: Interfaces,
    #[pin]
    pub(crate) connections: ConnectionTable,
    #[pin]
    pub(crate) sessions: SessionTable,
    #[pin]
    pub(crate) shares: ShareTable,
    /// The names of directories in any case of letters.
    pub(crate) names: Arc<NameIndexes>,
    pub(crate) files: OpenFiles,
    pub(crate) streams: OpenStreams,
    /// Opens of all sessions, up to `max open files`.
    pub(crate) open_count: OpenCount,
    next_connect_id: Atomic<u64>,
    /// Answers that are held back for a while.
    pub(crate) delays: Arc<Delays>,
    /// Whom the administrator sent away.
    #[pin]
    pub(crate) disconnects: Disconnects,
    /// Logins that were refused, for the administrator.
    #[pin]
    pub(crate) refusals: Refusals,
    #[pin]
    pub(crate) upkeep: Upkeep,
    pub(crate) buffers: Arc<BufferPool>,
    /// Where requests are worked on.
    pub(crate) io: WorkQueue,
}

impl Server {
    /// A server that waits for a daemon.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let config = Arc::new(Config::unconfigured()?, GFP_KERNEL)?;
        let buffers = BufferPool::new(POOL_BYTES, c"ksmbd_small", c"ksmbd_medium")?;
        let io = WorkQueue::new(c"ksmbd-io", io_flags(), 0)?;
        let files = OpenFiles::new()?;
        let streams = OpenStreams::new()?;
        let names = NameIndexes::new()?;
        let delays = Delays::new()?;
        Arc::pin_init(
            pin_init!(Server {
                debug: DebugMask::new(),
                guid: random::array(),
                lifecycle: Lifecycle::new(),
                control <- new_mutex!(()),
                config <- new_mutex!(config),
                link <- Link::new(),
                listeners <- Listeners::new(),
                interfaces <- Interfaces::new(),
                connections <- ConnectionTable::new(),
                sessions <- SessionTable::new(),
                shares <- ShareTable::new(),
                names,
                files,
                streams,
                open_count: OpenCount::new(),
                next_connect_id: Atomic::new(1),
                delays,
                disconnects <- Disconnects::new(),
                refusals <- Refusals::new(),
                upkeep <- Upkeep::new(),
                buffers,
                io,
            }),
            GFP_KERNEL,
        )
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.lock().clone()
    }

    pub(crate) fn set_config(&self, config: Arc<Config>) {
        let old = core::mem::replace(&mut *self.config.lock(), config);
        drop(old);
    }

    /// An id for a tree connect that no other has.
    pub(crate) fn new_connect_id(&self) -> u64 {
        self.next_connect_id.fetch_add(1, Relaxed)
    }
}
