// SPDX-License-Identifier: GPL-2.0

//! Clocks.
//!
//! C header: `include/linux/timekeeping.h`.

use crate::sys;
use kernel::time::{msecs_to_jiffies, Jiffies};

/// Nanoseconds since boot, without the time spent suspended. Never goes back.
pub fn monotonic_ns() -> u64 {
    // SAFETY: may be called in any context, once timekeeping runs, which is before any module is loaded.
    let now = unsafe { sys::ktime_get() };
    u64::try_from(now).unwrap_or(0)
}

/// Milliseconds since boot, without the time spent suspended. Never goes back.
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// Real time as seconds since 1970 and nanoseconds (below 1,000,000,000). May be set back.
pub fn real_time() -> (i64, u32) {
    let mut now = sys::timespec64::default();
    // SAFETY: `now` is a valid place for the result; may be called in any context.
    unsafe { sys::ktime_get_real_ts64(&mut now) };
    (now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Real time as of the last tick: cheaper than [`real_time`], and the clock that file systems stamp files with.
pub fn coarse_real_time() -> (i64, u32) {
    let mut now = sys::timespec64::default();
    // SAFETY: `now` is a valid place for the result; may be called in any context.
    unsafe { sys::ktime_get_coarse_real_ts64(&mut now) };
    (now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The tick counter. Wraps.
pub fn jiffies() -> Jiffies {
    // SAFETY: `jiffies` is always mapped and aligned; a torn read is not possible for a word.
    unsafe { (&raw const sys::jiffies).read_volatile() }
}

/// Ticks in `ms` milliseconds, rounded up.
pub fn ms_to_jiffies(ms: u32) -> Jiffies {
    msecs_to_jiffies(ms)
}

/// Ticks in `ms` milliseconds as C's timeouts want it: at least 1, at most what they can hold.
pub(crate) fn ms_to_timeout(ms: u32) -> kernel::ffi::c_long {
    kernel::ffi::c_long::try_from(msecs_to_jiffies(ms))
        .unwrap_or(kernel::ffi::c_long::MAX)
        .max(1)
}
