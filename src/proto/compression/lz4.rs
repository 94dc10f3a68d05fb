// SPDX-License-Identifier: GPL-2.0

//! The block format of LZ4, which [MS-SMB2] 3.1.4.4 refers to as \[LZ4\].
//!
//! Sequences of bytes that stand for themselves and a match. The first byte of each has both lengths, 4 bits each; one that does
//! not fit goes on in bytes that are added up, as long as they are 255. The last sequence has no match.

use super::matches::{self, Match, MatchTable, Rules};
use super::output::Output;
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// No match is shorter.
const MIN_MATCH: usize = 4;

/// The farthest that a match lies back.
const WINDOW: usize = 65535;

/// What 4 bits of length say if the length goes on.
const NIBBLE_LIMIT: usize = 15;

/// The last bytes of a block stand for themselves,
const LAST_LITERALS: usize = 5;

/// and no match starts in as many.
const LAST_START: usize = 12;

/// Fills `out` with what `data` expands to.
///
/// # Errors
///
/// [`Malformed`] unless `data` expands to exactly as many bytes as `out` has, and ends there.
pub fn decompress(data: &[u8], out: &mut [u8]) -> Parsed<()> {
    let mut r = Reader::new(data);
    let mut out = Output::new(out);
    loop {
        let token = usize::from(r.u8()?);
        let literals = length(&mut r, token >> 4)?;
        out.bytes(r.take(literals)?)?;
        if r.is_empty() {
            return out.is_full().then_some(()).ok_or(Malformed);
        }
        let distance = usize::from(r.u16()?);
        let len = length(&mut r, token & NIBBLE_LIMIT)?;
        out.repeat(distance, len.checked_add(MIN_MATCH).ok_or(Malformed)?)?;
    }
}

/// The length that begins with the 4 bits `nibble`.
fn length(r: &mut Reader<'_>, nibble: usize) -> Parsed<usize> {
    let mut len = nibble;
    if nibble < NIBBLE_LIMIT {
        return Ok(len);
    }
    loop {
        let byte = r.u8()?;
        len = len.checked_add(usize::from(byte)).ok_or(Malformed)?;
        if byte != 255 {
            return Ok(len);
        }
    }
}

/// Appends `data`, compressed.
///
/// The work is linear in the length of `data`: one place is looked at for each byte.
///
/// # Errors
///
/// [`Full`] if `w` has no room for the result: what was written until then means nothing. See
/// [`lz77::compress`](super::lz77::compress).
pub fn compress(data: &[u8], table: &mut MatchTable, w: &mut Writer<'_>) -> Written {
    let rules = Rules {
        window: WINDOW,
        min: MIN_MATCH,
        last_start: data.len().saturating_sub(LAST_START),
        end: data.len().saturating_sub(LAST_LITERALS),
        max_len: |_| usize::MAX,
    };
    matches::sequences(data, table, &rules, |literals, found| {
        sequence(w, literals, found)
    })
}

/// Appends a sequence.
fn sequence(w: &mut Writer<'_>, literals: &[u8], found: Option<Match>) -> Written {
    let more = match found {
        Some(found) => found.len.checked_sub(MIN_MATCH).ok_or(Full)?,
        None => 0,
    };
    let token = literals.len().min(NIBBLE_LIMIT).wrapping_shl(4) | more.min(NIBBLE_LIMIT);
    w.u8(u8::try_from(token).map_err(|_| Full)?)?;
    put_length(w, literals.len())?;
    w.bytes(literals)?;
    let Some(found) = found else {
        return Ok(());
    };
    w.u16(u16::try_from(found.distance).map_err(|_| Full)?)?;
    put_length(w, more)
}

/// Appends what does not fit into the 4 bits of a length.
fn put_length(w: &mut Writer<'_>, len: usize) -> Written {
    let Some(mut rest) = len.checked_sub(NIBBLE_LIMIT) else {
        return Ok(());
    };
    while let Some(less) = rest.checked_sub(255) {
        w.u8(255)?;
        rest = less;
    }
    w.u8(u8::try_from(rest).map_err(|_| Full)?)
}
