// SPDX-License-Identifier: GPL-2.0

//! What the server holds for its clients, as its file in procfs says, and how much memory the kernel takes.

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
    /// Reads them; `None` where there are none, as with other servers.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("reading the server's counts"),
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

/// KiB of memory that the kernel itself takes and cannot give back: slabs, `vmalloc` and thread stacks.
pub(crate) fn kernel_memory() -> Result<i64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let of = |name: &str| -> i64 {
        text.lines()
            .find_map(|line| {
                line.strip_prefix(name)?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    Ok(of("SUnreclaim:") + of("VmallocUsed:") + of("KernelStack:"))
}
