// SPDX-License-Identifier: GPL-2.0

//! The machine's network interfaces, as clients are told of them, [MS-SMB2] 3.3.5.15.11.
//!
//! To list them takes the kernel's lock of all interfaces and asks the driver of each. Clients cause it, so it is done once in a
//! while at the most. Lock order: before the kernel's lock; the callbacks under that do not come here.

use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

use linux::netdev::{self, Interface};
use linux::netns::NetNs;
use linux::time;

/// How long a list serves, milliseconds.
const KEPT_MS: u64 = 1_000;

/// A list and since when it is known, monotonic milliseconds.
struct Known {
    since: u64,
    list: Arc<KVec<Interface>>,
}

/// The interfaces as they were not long ago.
#[pin_data]
pub(crate) struct Interfaces {
    /// Held while they are listed: who comes meanwhile gets the same list.
    #[pin]
    known: Mutex<Option<Known>>,
}

impl Interfaces {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Interfaces {
            known <- new_mutex!(None),
        })
    }

    /// All interfaces, as they were within the last second.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn list(&self) -> Result<Arc<KVec<Interface>>> {
        let mut known = self.known.lock();
        let now = time::monotonic_ms();
        if let Some(known) = &*known {
            if now.saturating_sub(known.since) < KEPT_MS {
                return Ok(known.list.clone());
            }
        }
        let list = Arc::new(netdev::interfaces(&NetNs::initial())?, GFP_KERNEL)?;
        *known = Some(Known {
            since: now,
            list: list.clone(),
        });
        Ok(list)
    }
}
