// SPDX-License-Identifier: GPL-2.0

//! LZNT1, [MS-XCA] 2.5.
//!
//! Chunks of 4096 bytes of original data, the last of fewer, each by itself: a header of 16 bits, then the data as they are,
//! or groups of a byte of flags, the lowest first, and what they tell apart. A match has 16 bits, of which the more are distance
//! the more of the chunk there is already.

use super::matches::{self, Match, MatchTable, Rules};
use super::output::Output;
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Bytes that a chunk expands to, except the last.
const CHUNK: usize = 4096;

/// No match is shorter.
const MIN_MATCH: usize = 3;

/// Header: the chunk is compressed.
const COMPRESSED: u16 = 0x8000;

/// Header: bits that hold [`SIGNATURE`].
const SIGNATURE_MASK: u16 = 0x7000;

/// Header: what each chunk has.
const SIGNATURE: u16 = 0x3000;

/// Header: length of the chunk behind the header, less 1.
const LENGTH_MASK: u16 = 0x0fff;

/// Fills `out` with what `data` expands to.
///
/// # Errors
///
/// [`Malformed`] unless `data` expands to exactly as many bytes as `out` has, and ends there. The header of zero that may stand
/// at the end belongs to it.
pub fn decompress(data: &[u8], out: &mut [u8]) -> Parsed<()> {
    let mut r = Reader::new(data);
    let mut out = Output::new(out);
    while !out.is_full() {
        let header = r.u16()?;
        if header & SIGNATURE_MASK != SIGNATURE {
            return Err(Malformed);
        }
        let chunk = r.take(usize::from(header & LENGTH_MASK).wrapping_add(1))?;
        let start = out.len();
        if header & COMPRESSED == 0 {
            out.bytes(chunk)?;
        } else {
            expand(chunk, &mut out)?;
        }
        let made = out.len().wrapping_sub(start);
        if made > CHUNK || (made < CHUNK && !out.is_full()) {
            return Err(Malformed);
        }
    }
    let at_end = r.is_empty() || (r.u16()? == 0 && r.is_empty());
    at_end.then_some(()).ok_or(Malformed)
}

/// Appends what the data of a compressed chunk expand to.
fn expand(chunk: &[u8], out: &mut Output<'_>) -> Parsed<()> {
    let mut r = Reader::new(chunk);
    let start = out.len();
    while !r.is_empty() {
        let mut flags = r.u8()?;
        for _ in 0..8 {
            if r.is_empty() {
                break;
            }
            let is_match = flags & 1 != 0;
            flags >>= 1;
            let done = out.len().wrapping_sub(start);
            if !is_match {
                out.byte(r.u8()?)?;
                continue;
            }
            let word = r.u16()?;
            let length_bits = length_bits(done);
            let distance = usize::from(word.wrapping_shr(length_bits)).wrapping_add(1);
            let mask = u16::MAX.wrapping_shr(16u32.wrapping_sub(length_bits));
            let len = usize::from(word & mask).wrapping_add(MIN_MATCH);
            if distance > done || done.wrapping_add(len) > CHUNK {
                return Err(Malformed);
            }
            out.repeat(distance, len)?;
        }
    }
    Ok(())
}

/// How many of a match's 16 bits are length if the chunk has `done` bytes: 12 up to 16 bytes, one fewer each time that they
/// double, and 4 at least.
fn length_bits(done: usize) -> u32 {
    let last = done.saturating_sub(1).min(CHUNK - 1);
    let distance_bits = usize::BITS.wrapping_sub(last.leading_zeros()).max(4);
    16u32.wrapping_sub(distance_bits)
}

/// Appends `data`, compressed.
///
/// The work is linear in the length of `data`: one place is looked at for each byte, and the table is cleared for each chunk.
///
/// # Errors
///
/// [`Full`] if `w` has no room for the result: what was written until then means nothing. See
/// [`lz77::compress`](super::lz77::compress).
pub fn compress(data: &[u8], table: &mut MatchTable, w: &mut Writer<'_>) -> Written {
    data.chunks(CHUNK).try_for_each(|chunk| {
        let start = w.mark();
        let made = compress_chunk(chunk, table, w);
        if made.is_ok() && w.since(start) < HEADER_LEN.wrapping_add(chunk.len()) {
            return Ok(());
        }
        w.rewind(start);
        w.u16(SIGNATURE | header_len(chunk.len())?)?;
        w.bytes(chunk)
    })
}

/// Length in bytes of a chunk's header.
const HEADER_LEN: usize = 2;

/// What a header says of a chunk with `len` bytes behind it.
fn header_len(len: usize) -> Result<u16, Full> {
    let less = len.checked_sub(1).ok_or(Full)?;
    u16::try_from(less)
        .ok()
        .filter(|less| *less <= LENGTH_MASK)
        .ok_or(Full)
}

/// Appends a compressed chunk, even if it becomes larger than `chunk`.
fn compress_chunk(chunk: &[u8], table: &mut MatchTable, w: &mut Writer<'_>) -> Written {
    let rules = Rules {
        window: CHUNK,
        min: MIN_MATCH,
        last_start: chunk.len(),
        end: chunk.len(),
        max_len: |at| {
            MIN_MATCH
                .wrapping_add(1usize.wrapping_shl(length_bits(at)))
                .wrapping_sub(1)
        },
    };
    let header_at = w.mark();
    w.u16(0)?;
    let start = w.mark();
    let mut groups = Groups {
        at: start,
        flags: 0,
        bit: 0,
    };
    let mut done = 0usize;
    matches::sequences(chunk, table, &rules, |literals, found| {
        for byte in literals {
            groups.push(w, false)?;
            w.u8(*byte)?;
        }
        done = done.wrapping_add(literals.len());
        if let Some(found) = found {
            groups.push(w, true)?;
            w.u16(word(done, found)?)?;
            done = done.wrapping_add(found.len);
        }
        Ok(())
    })?;
    let len = header_len(w.since(start))?;
    w.patch_u16(header_at, COMPRESSED | SIGNATURE | len)
}

/// A match as it stands behind `done` bytes of a chunk.
fn word(done: usize, found: Match) -> Result<u16, Full> {
    let distance = found.distance.checked_sub(1).ok_or(Full)?;
    let len = found.len.checked_sub(MIN_MATCH).ok_or(Full)?;
    u16::try_from(distance.wrapping_shl(length_bits(done)) | len).map_err(|_| Full)
}

/// The group of eight that is being filled.
struct Groups {
    at: Mark,
    flags: u8,
    /// The next flag; zero before a group.
    bit: u8,
}

impl Groups {
    /// Adds the flag of what is written next, in a new group if need be.
    fn push(&mut self, w: &mut Writer<'_>, is_match: bool) -> Written {
        if self.bit == 0 {
            self.at = w.mark();
            self.flags = 0;
            self.bit = 1;
            w.u8(0)?;
        }
        if is_match {
            self.flags |= self.bit;
            w.patch(self.at, &[self.flags])?;
        }
        // Zero behind the eighth.
        self.bit = self.bit.wrapping_shl(1);
        Ok(())
    }
}
