// SPDX-License-Identifier: GPL-2.0

//! The kernel's memory: to the object where it tells so, which are its slab caches, and to the page for everything else.
//!
//! What an attack makes the server lose it makes it lose each time, so after a number of attacks one of these numbers has grown by
//! as many, whatever the size of what is lost. What they grow and shrink by otherwise is far less:
//!
//! - A cache gives back what it keeps before it is counted, and hands out up to 60 objects at once to what it keeps for a
//!   processor again. Of several looks the least counts. What stays is a difference of 60 objects now and then, seldom of 105.
//! - Of threads' stacks the kernel keeps two for each processor: 16 pages of 4 KiB on two of them.
//! - Pages that no line of /proc/meminfo tells otherwise go up and down by 25, seldom by 80: processors keep some, and some wait
//!   to be put into the lists of the page cache.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// A line for each cache, with its objects' number.
const SLABINFO: &str = "/proc/slabinfo";
/// A folder for each of them.
const CACHES: &str = "/sys/kernel/slab";
/// A cache of which objects wait, long after they were freed, until there are enough of them: areas that `vmalloc` gave back.
const LAZY: &str = "vmap_area";
/// How often the caches are looked at, and the time before each: what is freed is freed a moment later.
const LOOKS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);
/// Where it can be said how many connections TCP remembers for a minute after their end.
const TIME_WAIT: &str = "/proc/sys/net/ipv4/tcp_max_tw_buckets";
/// Lines of /proc/meminfo of which each tells of other pages, those of files and programs as well.
const NAMED: &[&str] = &[
    "MemFree",
    "Active",
    "Inactive",
    "Unevictable",
    "Slab",
    "KernelStack",
    "VmallocUsed",
    "Percpu",
    "PageTables",
];
const PAGE_KIB: i64 = 4;

/// What the kernel holds at a time, each number by its name.
pub(crate) struct Held(BTreeMap<String, i64>);

impl Held {
    /// Looks at it. That takes a while, since every cache gives back what it keeps.
    pub(crate) fn read() -> Result<Self> {
        let mut held = objects()?;
        let info = Info::read()?;
        let areas = info.of("VmallocUsed")? + info.of("KernelStack")?;
        held.insert("pages of vmalloc and stacks".to_owned(), areas / PAGE_KIB);
        held.insert("other pages".to_owned(), info.other_pages()? / PAGE_KIB);
        Ok(Held(held))
    }

    /// What has grown by `least` or more since `before`.
    pub(crate) fn grown_since(&self, before: &Held, least: i64) -> Vec<(String, i64)> {
        self.0
            .iter()
            .map(|(name, now)| (name, now - before.0.get(name).unwrap_or(&0)))
            .filter(|(_, grown)| *grown >= least)
            .map(|(name, grown)| (name.clone(), grown))
            .collect()
    }
}

/// KiB of memory that the kernel itself takes and cannot give back, at a glance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Slabs, `vmalloc` and threads' stacks, with what they keep for later.
    pub(crate) known: i64,
    /// Pages that nothing tells otherwise.
    pub(crate) pages: i64,
}

impl Taken {
    /// Reads it.
    pub(crate) fn read() -> Result<Self> {
        let info = Info::read()?;
        Ok(Taken {
            known: info.of("SUnreclaim")? + info.of("VmallocUsed")? + info.of("KernelStack")?,
            pages: info.other_pages()?,
        })
    }

    /// What is taken now beyond `before`.
    pub(crate) fn since(self, before: Taken) -> Taken {
        Taken {
            known: self.known - before.known,
            pages: self.pages - before.pages,
        }
    }
}

/// As long as it lives, TCP forgets connections at once: otherwise it holds something for each for a minute, whoever served it.
pub(crate) struct NoTimeWait(String);

impl NoTimeWait {
    /// Begins.
    pub(crate) fn begin() -> Result<Self> {
        let was = std::fs::read_to_string(TIME_WAIT).context(TIME_WAIT)?;
        std::fs::write(TIME_WAIT, "0").context(TIME_WAIT)?;
        Ok(NoTimeWait(was))
    }
}

impl Drop for NoTimeWait {
    fn drop(&mut self) {
        let _ = std::fs::write(TIME_WAIT, &self.0);
    }
}

/// /proc/meminfo.
struct Info(String);

impl Info {
    fn read() -> Result<Self> {
        // Processors add up what they counted for themselves.
        let _ = std::fs::write("/proc/sys/vm/stat_refresh", "1");
        let text = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
        Ok(Info(text))
    }

    /// A line's number, in KiB.
    fn of(&self, name: &str) -> Result<i64> {
        self.0
            .lines()
            .find_map(|line| {
                let value = line.strip_prefix(name)?.strip_prefix(':')?;
                value.split_whitespace().next()?.parse().ok()
            })
            .with_context(|| format!("/proc/meminfo has no {name}"))
    }

    /// KiB of pages that no line tells otherwise: what was taken straight from the allocator of pages, and little else.
    fn other_pages(&self) -> Result<i64> {
        let mut other = self.of("MemTotal")? - kept_by_processors()?;
        for name in NAMED {
            other -= self.of(name)?;
        }
        Ok(other)
    }
}

/// KiB of free pages that wait in the processors' lists, which `MemFree` does not count.
fn kept_by_processors() -> Result<i64> {
    let text = std::fs::read_to_string("/proc/zoneinfo").context("reading /proc/zoneinfo")?;
    let pages: i64 = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("count:")?
                .trim()
                .parse::<i64>()
                .ok()
        })
        .sum();
    Ok(pages * PAGE_KIB)
}

/// Objects in each cache that the kernel cannot take back by itself.
fn objects() -> Result<BTreeMap<String, i64>> {
    let caches: Vec<String> = counts()?
        .into_keys()
        .filter(|name| name != LAZY && !is_reclaimed(name))
        .collect();
    let mut least = BTreeMap::new();
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE);
        for name in &caches {
            std::fs::write(Path::new(CACHES).join(name).join("shrink"), "1")
                .with_context(|| format!("shrinking {name}"))?;
        }
        let now = counts()?;
        for name in &caches {
            // One that is not there any more has nothing.
            let count = now.get(name).copied().unwrap_or(0);
            let seen = least.entry(name.clone()).or_insert(count);
            *seen = count.min(*seen);
        }
    }
    Ok(least)
}

/// Whether the kernel takes a cache's objects back when it needs their memory, as those of files that are known only.
fn is_reclaimed(cache: &str) -> bool {
    std::fs::read_to_string(Path::new(CACHES).join(cache).join("reclaim_account"))
        .is_ok_and(|text| text.trim() == "1")
}

/// Objects in each cache.
fn counts() -> Result<BTreeMap<String, i64>> {
    let text = std::fs::read_to_string(SLABINFO).context("reading /proc/slabinfo")?;
    Ok(parse_counts(&text))
}

fn parse_counts(text: &str) -> BTreeMap<String, i64> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            Some((name.to_owned(), words.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(numbers: &[(&str, i64)]) -> Held {
        Held(
            numbers
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        )
    }

    #[test]
    fn the_caches_are_read() {
        let text = "slabinfo - version: 2.1\n\
            # name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables\n\
            fuse_request 35 40 144 28 1 : tunables 0 0 0 : slabdata 2 2 0\n\
            kmalloc-96 700 714 96 42 1 : tunables 0 0 0 : slabdata 17 17 0\n";
        let expected = [("fuse_request", 35), ("kmalloc-96", 700)]
            .map(|(name, count)| (name.to_owned(), count));
        assert_eq!(parse_counts(text), BTreeMap::from(expected));
    }

    #[test]
    fn what_grows_is_named() {
        let before = held(&[("a", 10), ("b", 10)]);
        let after = held(&[("a", 84), ("b", 85), ("c", 75)]);
        let named = [("b", 75), ("c", 75)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(after.grown_since(&before, 75), named);
    }
}
