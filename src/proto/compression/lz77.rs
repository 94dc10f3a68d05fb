// SPDX-License-Identifier: GPL-2.0

//! Plain LZ77, [MS-XCA] 2.3 (compression) and 2.4 (decompression).
//!
//! Words of 32 flags, the highest first, stand before what they tell apart: a byte that stands for itself, or 16 bits of a
//! match, 13 of distance and 3 of length. A length that does not fit goes on in a half byte, of which two matches share a
//! byte; then in a byte, in 16 bits, in 32 bits.

use super::matches::{self, Match, MatchTable, Rules};
use super::output::Output;
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// No match is shorter.
const MIN_MATCH: usize = 3;

/// The farthest that a match lies back.
const WINDOW: usize = 8192;

/// What the 3 bits of length say if the length goes on.
const SHORT_LIMIT: usize = 7;

/// What the half byte says if the length goes on.
const NIBBLE_LIMIT: usize = 15;

/// Fills `out` with what `data` expands to.
///
/// # Errors
///
/// [`Malformed`] unless `data` expands to exactly as many bytes as `out` has, and ends there.
pub fn decompress(data: &[u8], out: &mut [u8]) -> Parsed<()> {
    let mut r = Reader::new(data);
    let mut out = Output::new(out);
    let mut lengths = Lengths { half: None };
    let mut flags = 0u32;
    let mut left = 0u32;
    while !out.is_full() {
        if left == 0 {
            flags = r.u32()?;
            left = 32;
        }
        let is_match = flags & TOP != 0;
        flags = flags.wrapping_shl(1);
        left = left.wrapping_sub(1);
        if is_match {
            let word = usize::from(r.u16()?);
            let len = lengths.read(&mut r, word & SHORT_LIMIT)?;
            out.repeat((word >> 3).wrapping_add(1), len)?;
        } else {
            out.byte(r.u8()?)?;
        }
    }
    // A compressor begins a word of flags as soon as the last is used up, whether something follows or not.
    let at_end = r.is_empty() || (left == 0 && r.u32()? & TOP != 0 && r.is_empty());
    at_end.then_some(()).ok_or(Malformed)
}

/// The flag of what comes first.
const TOP: u32 = 1 << 31;

/// Reads lengths of matches.
struct Lengths {
    /// The upper half of a byte whose lower half was a length's.
    half: Option<u8>,
}

impl Lengths {
    /// The length whose low bits are `short`.
    fn read(&mut self, r: &mut Reader<'_>, short: usize) -> Parsed<usize> {
        if short < SHORT_LIMIT {
            return Ok(short.wrapping_add(MIN_MATCH));
        }
        let nibble = match self.half.take() {
            Some(half) => half,
            None => {
                let byte = r.u8()?;
                self.half = Some(byte >> 4);
                byte & 0xf
            }
        };
        let nibble = usize::from(nibble);
        if nibble < NIBBLE_LIMIT {
            return Ok(nibble.wrapping_add(SHORT_LIMIT + MIN_MATCH));
        }
        let byte = usize::from(r.u8()?);
        if byte < 255 {
            return Ok(byte.wrapping_add(NIBBLE_LIMIT + SHORT_LIMIT + MIN_MATCH));
        }
        let mut long = u32::from(r.u16()?);
        if long == 0 {
            long = r.u32()?;
        }
        let long = usize::try_from(long).map_err(|_| Malformed)?;
        if long < NIBBLE_LIMIT + SHORT_LIMIT {
            return Err(Malformed);
        }
        long.checked_add(MIN_MATCH).ok_or(Malformed)
    }
}

/// Appends `data`, compressed.
///
/// The work is linear in the length of `data`: one place is looked at for each byte.
///
/// # Errors
///
/// [`Full`] if `w` has no room for the result: what was written until then means nothing. A caller gives less room than `data`
/// has bytes, and sends them as they are if that does not do ([MS-SMB2] 3.1.4.4).
pub fn compress(data: &[u8], table: &mut MatchTable, w: &mut Writer<'_>) -> Written {
    let rules = Rules {
        window: WINDOW,
        min: MIN_MATCH,
        last_start: data.len(),
        end: data.len(),
        max_len: |_| usize::MAX,
    };
    let mut encoder = Encoder {
        flags: Flags::begin(w)?,
        half: None,
    };
    matches::sequences(data, table, &rules, |literals, found| {
        for byte in literals {
            encoder.flags.push(false);
            w.u8(*byte)?;
            encoder.flags.close(w)?;
        }
        match found {
            Some(found) => encoder.put(w, found),
            None => Ok(()),
        }
    })?;
    encoder.flags.finish(w)
}

/// The word of flags that is being filled.
struct Flags {
    at: Mark,
    bits: u32,
    /// Bits that are not used yet, 1 to 32.
    left: u32,
}

impl Flags {
    fn begin(w: &mut Writer<'_>) -> Result<Self, Full> {
        let at = w.mark();
        w.u32(0)?;
        Ok(Flags {
            at,
            bits: 0,
            left: 32,
        })
    }

    /// Adds the flag of what is written next.
    fn push(&mut self, is_match: bool) {
        self.bits = self.bits.wrapping_shl(1) | u32::from(is_match);
        self.left = self.left.wrapping_sub(1);
    }

    /// Begins another word behind what the last flag stands for, if none is left.
    fn close(&mut self, w: &mut Writer<'_>) -> Written {
        if self.left == 0 {
            w.patch_u32(self.at, self.bits)?;
            *self = Flags::begin(w)?;
        }
        Ok(())
    }

    /// Ends the data: flags that stand for nothing are set.
    fn finish(self, w: &mut Writer<'_>) -> Written {
        let unused = u32::MAX
            .checked_shr(32u32.wrapping_sub(self.left))
            .unwrap_or(0);
        let used = self.bits.checked_shl(self.left).unwrap_or(0);
        w.patch_u32(self.at, used | unused)
    }
}

struct Encoder {
    flags: Flags,
    /// A byte of which the lower half is in use.
    half: Option<(Mark, u8)>,
}

impl Encoder {
    fn put(&mut self, w: &mut Writer<'_>, found: Match) -> Written {
        self.flags.push(true);
        let len = found.len.checked_sub(MIN_MATCH).ok_or(Full)?;
        let word = found.distance.wrapping_sub(1).wrapping_shl(3) | len.min(SHORT_LIMIT);
        w.u16(u16::try_from(word).map_err(|_| Full)?)?;
        if let Some(more) = len.checked_sub(SHORT_LIMIT) {
            self.put_half(w, more)?;
            if let Some(rest) = more.checked_sub(NIBBLE_LIMIT) {
                put_long(w, rest, len)?;
            }
        }
        self.flags.close(w)
    }

    /// Writes the half byte of a length.
    fn put_half(&mut self, w: &mut Writer<'_>, more: usize) -> Written {
        let nibble = u8::try_from(more.min(NIBBLE_LIMIT)).map_err(|_| Full)?;
        if let Some((at, low)) = self.half.take() {
            return w.patch(at, &[low | nibble.wrapping_shl(4)]);
        }
        self.half = Some((w.mark(), nibble));
        w.u8(nibble)
    }
}

/// Writes what follows the half byte of a length: the rest of it in a byte, or the length (less [`MIN_MATCH`]) in 16 or 32 bits.
fn put_long(w: &mut Writer<'_>, rest: usize, len: usize) -> Written {
    if let Some(byte) = u8::try_from(rest).ok().filter(|byte| *byte < 255) {
        return w.u8(byte);
    }
    w.u8(255)?;
    if let Ok(long) = u16::try_from(len) {
        return w.u16(long);
    }
    w.u16(0)?;
    w.u32(u32::try_from(len).map_err(|_| Full)?)
}
