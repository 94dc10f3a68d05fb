// SPDX-License-Identifier: GPL-2.0

//! LZ77+Huffman, [MS-XCA] 2.2: decompression.
//!
//! Blocks of 65536 bytes of original data, the last of fewer, each with its own code: 512 symbols with a length of 4 bits each,
//! the code being the canonical one of these lengths. Symbols below 256 are bytes, the others matches; 256 stands at the end, too.
//! Bits come in words of 16, the highest first; what a length has beyond its symbol stands in bytes between these words, just
//! where the reader of the bits has come to, which is two words ahead at first.

use super::output::Output;
use crate::wire::{Malformed, Parsed, Reader};

/// Symbols of a code.
const SYMBOLS: usize = LAST_SYMBOL as usize + 1;

/// The last of them.
const LAST_SYMBOL: u16 = 511;

/// The longest code of a symbol.
const MAX_BITS: u32 = 15;

/// Codes up to this length are looked up at once.
const FAST_BITS: u32 = 10;

/// The same where a length stands beside a symbol.
const FAST_LENGTH: u16 = 10;
const _: () = assert!(FAST_LENGTH as u32 == FAST_BITS);

/// Bytes that a block expands to; a match at its end may make it more.
const BLOCK: usize = 65536;

/// The first symbol that is a match, and the one that may stand at the end.
const FIRST_MATCH: u16 = 256;

/// No match is shorter.
const MIN_MATCH: usize = 3;

/// What a symbol's 4 bits of length say if the length goes on.
const SHORT_LIMIT: usize = 15;

/// A block's code, made for decoding: 3 KiB, which the caller allocates once and lends to each call. What an earlier call left in
/// it does not matter.
#[derive(Clone, Debug)]
pub struct Code {
    /// Symbol and length (`symbol * 16 + length`) by the next bits; zero for longer codes.
    fast: [u16; 1 << FAST_BITS],
    /// Symbols by length, then number.
    symbols: [u16; SYMBOLS],
    /// By length of code.
    ranges: [Range; MAX_BITS as usize + 1],
}

/// The codes of one length.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    /// The first code behind them, as the first of 15 bits.
    end: u32,
    /// The first code.
    first: u32,
    /// Place of the first code's symbol among [`Code::symbols`].
    index: u32,
}

impl Code {
    /// No code yet.
    pub const fn new() -> Self {
        const NONE: Range = Range {
            end: 0,
            first: 0,
            index: 0,
        };
        Code {
            fast: [0; 1 << FAST_BITS],
            symbols: [0; SYMBOLS],
            ranges: [NONE; MAX_BITS as usize + 1],
        }
    }

    /// Makes the code whose lengths are `lengths`, the even symbol of two in the lower half of their byte.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless each sequence of bits is the beginning of a symbol's code, or has one as its beginning.
    fn build(&mut self, lengths: &[u8; SYMBOLS / 2]) -> Parsed<()> {
        let lengths = || lengths.iter().flat_map(|pair| [pair & 0xf, pair >> 4]);
        let mut counts = [0u32; MAX_BITS as usize + 1];
        for length in lengths().filter(|length| *length != 0) {
            let count = counts.get_mut(usize::from(length)).ok_or(Malformed)?;
            *count = count.wrapping_add(1);
        }
        let mut end = 0u32;
        let mut index = 0u32;
        let ranges = self.ranges.iter_mut().skip(1).zip(counts.iter().skip(1));
        for ((range, count), shift) in ranges.zip((0..MAX_BITS).rev()) {
            range.first = end.wrapping_shr(shift);
            range.index = index;
            end = end.wrapping_add(count.wrapping_shl(shift));
            range.end = end;
            index = index.wrapping_add(*count);
        }
        if end != 1 << MAX_BITS {
            return Err(Malformed);
        }
        self.sort(lengths())?;
        self.make_fast(&counts)
    }

    /// Puts the symbols into their order.
    fn sort(&mut self, lengths: impl Iterator<Item = u8>) -> Parsed<()> {
        let mut places = self.ranges.map(|range| range.index);
        for (symbol, length) in (0..=LAST_SYMBOL)
            .zip(lengths)
            .filter(|(_, length)| *length != 0)
        {
            let place = places.get_mut(usize::from(length)).ok_or(Malformed)?;
            let slot = usize::try_from(*place).map_err(|_| Malformed)?;
            *self.symbols.get_mut(slot).ok_or(Malformed)? = symbol;
            *place = place.wrapping_add(1);
        }
        Ok(())
    }

    /// Fills the table of short codes, which follow each other in the order of the symbols.
    fn make_fast(&mut self, counts: &[u32; MAX_BITS as usize + 1]) -> Parsed<()> {
        let mut symbols = self.symbols.iter();
        let mut slots = self.fast.iter_mut();
        for (bits, count) in (1..FAST_LENGTH + 1).zip(counts.iter().skip(1)) {
            let spare = FAST_BITS.wrapping_sub(u32::from(bits));
            let count = usize::try_from(*count).map_err(|_| Malformed)?;
            for symbol in symbols.by_ref().take(count) {
                for slot in slots.by_ref().take(1usize.wrapping_shl(spare)) {
                    *slot = symbol.wrapping_shl(4) | bits;
                }
            }
        }
        slots.for_each(|slot| *slot = 0);
        Ok(())
    }

    /// The symbol whose code `bits` begins with, the highest bit first, and the code's length.
    #[inline]
    fn decode(&self, bits: u32) -> Parsed<(u16, u32)> {
        let index = usize::try_from(bits >> (32 - FAST_BITS)).map_err(|_| Malformed)?;
        let fast = self.fast.get(index).copied().unwrap_or(0);
        if fast != 0 {
            return Ok((fast >> 4, u32::from(fast & 0xf)));
        }
        self.decode_long(bits >> (32 - MAX_BITS))
    }

    /// The same for a code of more than [`FAST_BITS`] bits, from 15 bits.
    fn decode_long(&self, bits: u32) -> Parsed<(u16, u32)> {
        let ranges = self.ranges.iter().skip(FAST_BITS as usize + 1);
        for (range, length) in ranges.zip(FAST_BITS + 1..MAX_BITS + 1) {
            if bits < range.end {
                let code = bits.wrapping_shr(MAX_BITS.wrapping_sub(length));
                let place = code.wrapping_sub(range.first).wrapping_add(range.index);
                let place = usize::try_from(place).map_err(|_| Malformed)?;
                return Ok((*self.symbols.get(place).ok_or(Malformed)?, length));
            }
        }
        Err(Malformed)
    }
}

impl Default for Code {
    fn default() -> Self {
        Self::new()
    }
}

/// The bits of a block.
struct Bits {
    /// The next bits, the highest first.
    next: u32,
    /// How many of them there are: never fewer than 16 between calls.
    count: u32,
}

impl Bits {
    fn begin(r: &mut Reader<'_>) -> Parsed<Self> {
        let high = u32::from(r.u16()?);
        let low = u32::from(r.u16()?);
        Ok(Bits {
            next: high.wrapping_shl(16) | low,
            count: 32,
        })
    }

    /// Passes over `count` bits, at most 15.
    #[inline]
    fn skip(&mut self, count: u32, r: &mut Reader<'_>) -> Parsed<()> {
        self.next = self.next.wrapping_shl(count);
        self.count = self.count.wrapping_sub(count);
        if self.count < 16 {
            let word = u32::from(r.u16()?);
            self.next |= word.wrapping_shl(16u32.wrapping_sub(self.count));
            self.count = self.count.wrapping_add(16);
        }
        Ok(())
    }

    /// The next symbol.
    #[inline]
    fn symbol(&mut self, code: &Code, r: &mut Reader<'_>) -> Parsed<u16> {
        let (symbol, length) = code.decode(self.next)?;
        self.skip(length, r)?;
        Ok(symbol)
    }

    /// The next `count` bits, at most 15, as a number.
    fn number(&mut self, count: u32, r: &mut Reader<'_>) -> Parsed<u32> {
        let number = self
            .next
            .checked_shr(32u32.wrapping_sub(count))
            .unwrap_or(0);
        self.skip(count, r)?;
        Ok(number)
    }
}

/// Fills `out` with what `data` expands to. `code` is room to work in.
///
/// # Errors
///
/// [`Malformed`] unless `data` expands to exactly as many bytes as `out` has, and ends there with the symbol that says so, or with a
/// whole block.
pub fn decompress(data: &[u8], code: &mut Code, out: &mut [u8]) -> Parsed<()> {
    let mut r = Reader::new(data);
    let mut out = Output::new(out);
    loop {
        // A whole block is over before the symbol for the end is read, if there is one: less than a code follows then (2.2.4).
        if out.is_full() && (r.is_empty() || (out.len() != 0 && r.remaining() < SYMBOLS / 2)) {
            return Ok(());
        }
        code.build(&r.array()?)?;
        let mut bits = Bits::begin(&mut r)?;
        let block_end = out.len().saturating_add(BLOCK);
        while out.len() < block_end {
            if out.is_full() {
                return end(&mut bits, code, &mut r);
            }
            let symbol = bits.symbol(code, &mut r)?;
            match symbol.checked_sub(FIRST_MATCH) {
                None => out.byte(u8::try_from(symbol).map_err(|_| Malformed)?)?,
                Some(symbol) => expand(symbol, &mut bits, &mut r, &mut out)?,
            }
        }
    }
}

/// Appends what a match stands for, of which `symbol` has 4 bits of length and the number of bits of the distance.
#[inline]
fn expand(symbol: u16, bits: &mut Bits, r: &mut Reader<'_>, out: &mut Output<'_>) -> Parsed<()> {
    let len = length(r, usize::from(symbol & 0xf))?;
    let distance_bits = u32::from(symbol >> 4);
    let distance = bits.number(distance_bits, r)? | 1u32.wrapping_shl(distance_bits);
    let distance = usize::try_from(distance).map_err(|_| Malformed)?;
    out.repeat(distance, len)
}

/// The length that begins with the 4 bits `short`.
fn length(r: &mut Reader<'_>, short: usize) -> Parsed<usize> {
    if short < SHORT_LIMIT {
        return Ok(short.wrapping_add(MIN_MATCH));
    }
    let byte = usize::from(r.u8()?);
    if byte < 255 {
        return Ok(byte.wrapping_add(SHORT_LIMIT + MIN_MATCH));
    }
    let mut long = u32::from(r.u16()?);
    if long == 0 {
        long = r.u32()?;
    }
    let long = usize::try_from(long).map_err(|_| Malformed)?;
    if long < SHORT_LIMIT {
        return Err(Malformed);
    }
    long.checked_add(MIN_MATCH).ok_or(Malformed)
}

/// Checks what follows the last byte of a block that is not a whole one: the symbol that says so, and nothing behind it.
fn end(bits: &mut Bits, code: &Code, r: &mut Reader<'_>) -> Parsed<()> {
    let at_end = bits.symbol(code, r)? == FIRST_MATCH && r.is_empty();
    at_end.then_some(()).ok_or(Malformed)
}
