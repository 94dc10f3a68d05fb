// SPDX-License-Identifier: GPL-2.0

//! The component mask behind `/sys/class/ksmbd-control/debug`, and [`debug!`](crate::debug), which obeys it.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

/// A part of the server whose debug messages are switched by name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Smb,
    Auth,
    Vfs,
    Oplock,
    Ipc,
    Conn,
    Rdma,
}

impl Component {
    /// Every component, in the order of the sysfs file.
    pub(crate) const ALL: [Component; 7] = [
        Component::Smb,
        Component::Auth,
        Component::Vfs,
        Component::Oplock,
        Component::Ipc,
        Component::Conn,
        Component::Rdma,
    ];

    /// The name in the sysfs file and in `ksmbd.control -d`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Component::Smb => "smb",
            Component::Auth => "auth",
            Component::Vfs => "vfs",
            Component::Oplock => "oplock",
            Component::Ipc => "ipc",
            Component::Conn => "conn",
            Component::Rdma => "rdma",
        }
    }

    fn bit(self) -> u32 {
        match self {
            Component::Smb => 1 << 0,
            Component::Auth => 1 << 1,
            Component::Vfs => 1 << 2,
            Component::Oplock => 1 << 3,
            Component::Ipc => 1 << 4,
            Component::Conn => 1 << 5,
            Component::Rdma => 1 << 6,
        }
    }
}

/// Which components print debug messages.
pub(crate) struct DebugMask(Atomic<u32>);

impl DebugMask {
    const EVERYTHING: u32 = (1 << 7) - 1;

    pub(crate) fn new() -> Self {
        DebugMask(Atomic::new(0))
    }

    /// Whether `component` prints.
    #[inline]
    pub(crate) fn has(&self, component: Component) -> bool {
        self.0.load(Relaxed) & component.bit() != 0
    }

    /// Toggles the component called `name`; `all` turns everything on, or off if everything was on.
    pub(crate) fn toggle(&self, name: &[u8]) -> Result {
        let old = self.0.load(Relaxed);
        let new = if name == b"all" {
            if old == Self::EVERYTHING {
                0
            } else {
                Self::EVERYTHING
            }
        } else {
            let component = Component::ALL
                .into_iter()
                .find(|c| c.name().as_bytes() == name);
            old ^ component.ok_or(EINVAL)?.bit()
        };
        self.0.store(new, Relaxed);
        Ok(())
    }
}

/// Prints at info level when the component's debug messages are switched on:
/// `debug!(server, Smb, "credits {}\n", n)`.
#[macro_export]
macro_rules! debug {
    ($server:expr, $component:ident, $($arg:tt)*) => {
        if $server.debug.has($crate::server::debug::Component::$component) {
            ::kernel::pr_info!($($arg)*);
        }
    };
}
