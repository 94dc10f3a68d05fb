// SPDX-License-Identifier: GPL-2.0

//! Pattern_V1: runs of one byte at both ends of the data, [MS-SMB2] 2.2.42.2.2 and 3.1.4.4.1.

use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// A shorter run is no pattern.
pub const MIN_RUN: usize = 64;

/// SMB2_COMPRESSION_PATTERN_PAYLOAD_V1: a run of one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// `Pattern`: the byte.
    pub byte: u8,
    /// `Repetitions`: how often. The sender's claim: bound it before use.
    pub repetitions: u32,
}

impl Pattern {
    /// Bytes on the wire.
    pub const LEN: usize = 8;

    /// Parses `payload`, which holds nothing else.
    pub(super) fn parse(payload: &[u8]) -> Parsed<Self> {
        if payload.len() != Self::LEN {
            return Err(Malformed);
        }
        let mut r = Reader::new(payload);
        let byte = r.u8()?;
        r.skip(3)?;
        Ok(Pattern {
            byte,
            repetitions: r.u32()?,
        })
    }

    /// Appends the structure.
    pub(super) fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u8(self.byte)?;
        w.zeros(3)?;
        w.u32(self.repetitions)
    }

    /// Fills `out` with the byte.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless `out` has as many bytes as there are repetitions.
    pub fn decompress(&self, out: &mut [u8]) -> Parsed<()> {
        if u32::try_from(out.len()) != Ok(self.repetitions) {
            return Err(Malformed);
        }
        out.fill(self.byte);
        Ok(())
    }
}

/// Data and the runs at their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// `ForwardDataPattern`: the run that the data begin with.
    pub front: Option<Pattern>,
    /// What lies between the runs.
    pub middle: &'a [u8],
    /// `BackwardDataPattern`: the run that the data end with; none if the first is all there is.
    pub back: Option<Pattern>,
}

/// Looks for runs of at least [`MIN_RUN`] bytes at both ends of `data`, 3.1.4.4.1. Each byte is looked at twice at most.
pub fn scan(data: &[u8]) -> Scan<'_> {
    let first = data.first().copied().unwrap_or(0);
    let run = data
        .iter()
        .position(|byte| *byte != first)
        .unwrap_or(data.len());
    let (front, rest) = match pattern(first, run) {
        Some(front) => (Some(front), data.get(run..).unwrap_or(&[])),
        None => (None, data),
    };
    let last = rest.last().copied().unwrap_or(0);
    let other = rest.iter().rposition(|byte| *byte != last);
    let end = other.map_or(0, |other| other.wrapping_add(1));
    let (back, middle) = match pattern(last, rest.len().saturating_sub(end)) {
        Some(back) => (Some(back), rest.get(..end).unwrap_or(&[])),
        None => (None, rest),
    };
    Scan {
        front,
        middle,
        back,
    }
}

/// A run of `len` bytes, if it is long enough.
fn pattern(byte: u8, len: usize) -> Option<Pattern> {
    let repetitions = u32::try_from(len).ok().filter(|_| len >= MIN_RUN)?;
    Some(Pattern { byte, repetitions })
}
