// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/ksmbd-control`: `stats`, `kill_server`, `debug` and `disconnect`.

use kernel::prelude::*;
use kernel::sync::Arc;

use core::fmt::Write as _;

use linux::sysfs_class::{Attribute, Class, ClassAttributes, Text};

use super::debug::Component;
use super::Server;

/// Version of the format of `stats`.
const STATS_VERSION: u32 = 2;

const ATTRIBUTES: &[Attribute] = &[
    Attribute::read_only(c"stats"),
    Attribute::write_only(c"kill_server"),
    Attribute::read_write(c"debug"),
    Attribute::private(c"disconnect"),
];

struct Control(Arc<Server>);

/// Registers the class.
pub(crate) fn register(server: &Arc<Server>) -> Result<Pin<KBox<Class>>> {
    let control = Arc::new(Control(server.clone()), GFP_KERNEL)?;
    Class::register(c"ksmbd-control", ATTRIBUTES, control)
}

impl ClassAttributes for Control {
    fn show(&self, name: &CStr, out: &mut Text<'_>) -> Result {
        let shown = match name.to_bytes() {
            b"stats" => self.show_stats(out),
            b"debug" => self.show_debug(out),
            b"disconnect" => self.0.disconnects.show(out),
            _ => return Err(EINVAL),
        };
        shown.map_err(|_| ENOSPC)
    }

    fn store(&self, name: &CStr, value: &[u8]) -> Result {
        let value = value.trim_ascii();
        match name.to_bytes() {
            b"kill_server" if value == b"hard" => {
                self.0.reset();
                Ok(())
            }
            b"debug" => self.0.debug.toggle(value),
            b"disconnect" => self.0.disconnect(value),
            _ => Err(EINVAL),
        }
    }
}

impl Control {
    fn show_stats(&self, out: &mut Text<'_>) -> core::fmt::Result {
        let phase = self.0.lifecycle.phase().name();
        let port = self.0.config().tcp_port;
        let silent = self.0.link.silent_seconds();
        writeln!(out, "{STATS_VERSION} {phase} {port} {silent}")
    }

    fn show_debug(&self, out: &mut Text<'_>) -> core::fmt::Result {
        for component in Component::ALL {
            if self.0.debug.has(component) {
                write!(out, "[{}] ", component.name())?;
            } else {
                write!(out, "{} ", component.name())?;
            }
        }
        writeln!(out)
    }
}
