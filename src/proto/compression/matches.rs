// SPDX-License-Identifier: GPL-2.0

//! Finding repetitions, for the compressors: a table remembers where three or four bytes stood last.

use crate::wire::Written;

/// Places that a [`MatchTable`] remembers.
const SLOTS: usize = 1 << SLOT_BITS;

const SLOT_BITS: u32 = 12;

/// What a compressor remembers of what it passed: 16 KiB, which the caller allocates once and lends to each call. What an
/// earlier call left in it does not matter.
#[derive(Clone, Debug)]
pub struct MatchTable {
    /// One more than the place, so that zero is none.
    places: [u32; SLOTS],
}

impl MatchTable {
    /// A table.
    pub const fn new() -> Self {
        MatchTable { places: [0; SLOTS] }
    }

    /// Where bytes that may be those at `at` stood last; from now on, they stand at `at`.
    fn exchange(&mut self, data: &[u8], at: usize, min: usize) -> Option<usize> {
        let bytes = data.get(at..)?.first_chunk::<4>()?;
        let mut key = u32::from_le_bytes(*bytes);
        if min < 4 {
            key &= 0x00ff_ffff;
        }
        // Multiplying by an odd number spreads the key; the upper bits depend on all of it.
        let slot = key.wrapping_mul(0x9e37_79b1) >> (32 - SLOT_BITS);
        let slot = self.places.get_mut(usize::try_from(slot).ok()?)?;
        let last = usize::try_from(*slot).ok()?.checked_sub(1);
        *slot = u32::try_from(at).ok()?.checked_add(1)?;
        last
    }
}

impl Default for MatchTable {
    fn default() -> Self {
        Self::new()
    }
}

/// What stood before already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// How far back, at least 1.
    pub(super) distance: usize,
    /// Bytes.
    pub(super) len: usize,
}

/// Which matches a format can say.
pub(super) struct Rules {
    /// The farthest back.
    pub(super) window: usize,
    /// The shortest: 3 or 4.
    pub(super) min: usize,
    /// Matches start before this.
    pub(super) last_start: usize,
    /// Matches end here at the latest.
    pub(super) end: usize,
    /// The longest match that may start at a place.
    pub(super) max_len: fn(at: usize) -> usize,
}

/// Takes `data` apart: `emit` gets the bytes before a match, and the match; at the end, the bytes behind the last.
pub(super) fn sequences<'d>(
    data: &'d [u8],
    table: &mut MatchTable,
    rules: &Rules,
    mut emit: impl FnMut(&'d [u8], Option<Match>) -> Written,
) -> Written {
    table.places.fill(0);
    let mut rest = 0;
    let mut at = 0usize;
    while at < rules.last_start {
        let last = table.exchange(data, at, rules.min);
        let Some(found) = last.and_then(|from| longest(data, from, at, rules)) else {
            at = at.wrapping_add(1);
            continue;
        };
        emit(data.get(rest..at).unwrap_or(&[]), Some(found))?;
        let end = at.saturating_add(found.len);
        for passed in at.wrapping_add(1)..end {
            table.exchange(data, passed, rules.min);
        }
        at = end;
        rest = end;
    }
    emit(data.get(rest..).unwrap_or(&[]), None)
}

/// What the bytes at `at` have in common with those at `from`, if that is a match.
fn longest(data: &[u8], from: usize, at: usize, rules: &Rules) -> Option<Match> {
    let distance = at.checked_sub(from)?;
    if distance == 0 || distance > rules.window {
        return None;
    }
    let end = rules.end.min(at.saturating_add((rules.max_len)(at)));
    let here = data.get(at..end)?;
    let len = here
        .iter()
        .zip(data.get(from..)?)
        .take_while(|(one, other)| one == other)
        .count();
    (len >= rules.min).then_some(Match { distance, len })
}
