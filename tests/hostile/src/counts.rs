// SPDX-License-Identifier: GPL-2.0

//! What the server holds for its clients, as its file in procfs says.

use std::path::Path;

use anyhow::{Context, Result};

/// What the server holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) sessions: u64,
    pub(crate) opens: u64,
}

impl Counts {
    /// Reads them. `None` where there are none, as with other servers, unless they are `required`.
    pub(crate) fn read(path: &Path, required: bool) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                return Ok(None)
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("reading the server's counts from {}", path.display())
                })
            }
        };
        let of = |name: &str| -> Result<u64> {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
                .with_context(|| format!("the server's counts have no {name}: {text}"))
        };
        Ok(Some(Counts {
            connections: of("clients:")?,
            sessions: of("sessions:")?,
            opens: of("open_files:")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_required_must_be_there() {
        let nowhere = Path::new("/proc/nowhere");
        assert_eq!(Counts::read(nowhere, false).expect("none is fine"), None);
        assert!(Counts::read(nowhere, true).is_err());
    }
}
