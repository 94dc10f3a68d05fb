// SPDX-License-Identifier: GPL-2.0

//! Measuring, and the lines of JSON that say what was measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::{clock_gettime, ClockId};
use serde::Serialize;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// From beginning to end, in nanoseconds.
    pub(crate) elapsed: u64,
    /// How much of it this process was running for, in the kernel too, in nanoseconds of one processor.
    pub(crate) client: u64,
    /// How much of it no processor ran anything, in nanoseconds, where the kernel tells.
    pub(crate) idle: u64,
    /// Pieces: requests, names, entries or connections.
    pub(crate) count: u64,
    /// Bytes of payload.
    pub(crate) bytes: u64,
}

impl std::ops::AddAssign for Sample {
    fn add_assign(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.client += other.client;
        self.idle += other.idle;
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    #[serde(flatten)]
    sample: Sample,
}

/// Prints what the case took.
pub(crate) fn measured(case: &str, sample: Sample) -> Result<()> {
    println!("{}", serde_json::to_string(&Line { case, sample })?);
    Ok(())
}

/// Prints what the server does not support.
pub(crate) fn unsupported(what: &str) {
    println!("{}", serde_json::json!({ "unsupported": what }));
}

/// The processor time of all threads of this process.
fn own_work() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).context("reading the clock")?;
    Ok(time.into())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds that all processors ran tasks since the start, which count when a task gives its processor up.
fn all_work() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/schedstat").ok()?;
    let processors = text.lines().filter(|line| line.starts_with("cpu"));
    processors
        .map(|line| line.split_whitespace().nth(7)?.parse::<u64>().ok())
        .sum()
}

/// Measures `work`, which gives its pieces and bytes.
///
/// # Errors
///
/// Those of `work`.
pub(crate) fn measure(work: impl FnOnce() -> Result<(u64, u64)>) -> Result<Sample> {
    let (outer, all) = (Instant::now(), all_work());
    let (own, begun) = (own_work()?, Instant::now());
    let (count, bytes) = work()?;
    let (elapsed, client) = (begun.elapsed(), own_work()?.saturating_sub(own));
    let between = nanoseconds(outer.elapsed());
    let idle = match (all, all_work()) {
        (Some(before), Some(after)) => between.saturating_sub(after.saturating_sub(before)),
        _ => 0,
    };
    Ok(Sample {
        elapsed: nanoseconds(elapsed),
        client: nanoseconds(client),
        idle,
        count,
        bytes,
    })
}
