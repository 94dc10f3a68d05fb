// SPDX-License-Identifier: GPL-2.0

//! Compressed messages: the COMPRESSION_TRANSFORM_HEADER, [MS-SMB2] 2.2.42, what follows it, and how it is expanded.
//!
//! What a receiver must check (3.1.5.3, 3.2.5.1.1.2, 3.3.5.2.1.2), [`Compressed::parse`] checks against what was negotiated
//! ([`Accepted`]) before a byte is expanded, and [`Compressed::expand`] while it is. Sizes in the headers are the sender's claims; a
//! [`Compressed`] that was parsed has none that is larger than the receiver allows, so that a buffer of
//! [`Compressed::original_len`] bytes may be allocated.
//!
//! The algorithms are those of [MS-XCA], and LZ4. None allocates. A decompressor works for a time that is linear in the bytes that
//! it reads and writes, and refuses data that do not expand to exactly the size that was announced, or that do not end there.
//!
//! A message is compressed before it is encrypted (3.1.4.3), and only once: what expands to anything but an SMB2 message is refused.

pub mod huffman;
pub mod lz4;
pub mod lz77;
pub mod lznt1;
mod matches;
mod output;
pub mod pattern;

pub use matches::MatchTable;
pub use pattern::Pattern;

use crate::body::{len32, size};
use crate::header::{COMPRESSION_PROTOCOL_ID, SMB2_PROTOCOL_ID};
use crate::negotiate_context::CompressionAlgorithm;
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// `Flags`: chained, in the first payload's header.
const CHAINED: u16 = 1;

/// `Flags`: of an unchained message, and in the headers of the other payloads of a chain.
const NOT_FIRST: u16 = 0;

/// Length in bytes of an unchained header.
pub const UNCHAINED_HEADER_LEN: usize = 16;

/// Length in bytes of what precedes the payloads of a chained message.
pub const CHAINED_HEADER_LEN: usize = 8;

/// Length in bytes of a SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER without the original size, which not every payload has.
pub const PAYLOAD_HEADER_LEN: usize = 8;

/// What a message has beside the data of a READ or WRITE, as 3.2.5.1.1.2 counts it.
const SPARE: usize = 256;

/// The algorithms of general data, which stand in unchained messages and in chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// LZNT1.
    Lznt1,
    /// Plain LZ77.
    Lz77,
    /// LZ77+Huffman.
    Lz77Huffman,
    /// LZ4.
    Lz4,
}

impl Codec {
    /// The codec of this number; none for NONE, Pattern_V1 and numbers that no document has.
    pub fn of(algorithm: CompressionAlgorithm) -> Option<Self> {
        match algorithm {
            CompressionAlgorithm::LZNT1 => Some(Codec::Lznt1),
            CompressionAlgorithm::LZ77 => Some(Codec::Lz77),
            CompressionAlgorithm::LZ77_HUFFMAN => Some(Codec::Lz77Huffman),
            CompressionAlgorithm::LZ4 => Some(Codec::Lz4),
            _ => None,
        }
    }

    /// Its number.
    pub fn algorithm(self) -> CompressionAlgorithm {
        match self {
            Codec::Lznt1 => CompressionAlgorithm::LZNT1,
            Codec::Lz77 => CompressionAlgorithm::LZ77,
            Codec::Lz77Huffman => CompressionAlgorithm::LZ77_HUFFMAN,
            Codec::Lz4 => CompressionAlgorithm::LZ4,
        }
    }

    /// Fills `out` with what `data` expands to.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless `data` expands to exactly as many bytes as `out` has; `out` may hold anything then.
    pub fn decompress(self, data: &[u8], scratch: &mut Scratch, out: &mut [u8]) -> Parsed<()> {
        match self {
            Codec::Lznt1 => lznt1::decompress(data, out),
            Codec::Lz77 => lz77::decompress(data, out),
            Codec::Lz77Huffman => huffman::decompress(data, &mut scratch.code, out),
            Codec::Lz4 => lz4::decompress(data, out),
        }
    }
}

/// What decompressors need to work in: 3 KiB, too much for a kernel's stack. What an earlier call left in it does not matter.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    code: huffman::Code,
}

impl Scratch {
    /// Room to work in.
    pub const fn new() -> Self {
        Scratch {
            code: huffman::Code::new(),
        }
    }
}

flags! {
    /// A set of algorithms, `Connection.CompressionIds`.
    pub struct Algorithms: u8 {
        /// LZNT1.
        LZNT1 = 0x01;
        /// LZ77.
        LZ77 = 0x02;
        /// LZ77+Huffman.
        LZ77_HUFFMAN = 0x04;
        /// Pattern_V1; only in chains.
        PATTERN_V1 = 0x08;
        /// LZ4.
        LZ4 = 0x10;
    }
}

impl Algorithms {
    /// The set of just this one; empty for NONE, and for what no document has.
    pub fn of(algorithm: CompressionAlgorithm) -> Self {
        match algorithm {
            CompressionAlgorithm::LZNT1 => Algorithms::LZNT1,
            CompressionAlgorithm::LZ77 => Algorithms::LZ77,
            CompressionAlgorithm::LZ77_HUFFMAN => Algorithms::LZ77_HUFFMAN,
            CompressionAlgorithm::PATTERN_V1 => Algorithms::PATTERN_V1,
            CompressionAlgorithm::LZ4 => Algorithms::LZ4,
            _ => Algorithms::NONE,
        }
    }
}

/// What a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Algorithms that were negotiated.
    pub algorithms: Algorithms,
    /// Whether chains were negotiated: `Connection.SupportsChainedCompression`.
    pub chained: bool,
    /// The largest `OriginalCompressedSegmentSize`, in bytes. See [`Accepted::largest_segment`].
    pub max_segment: usize,
}

impl Accepted {
    /// The largest `OriginalCompressedSegmentSize` on a connection of which `payload` is the largest of `MaxReadSize`,
    /// `MaxWriteSize` and `MaxTransactSize`, all in bytes: 3.2.5.1.1.2.
    pub fn largest_segment(payload: usize) -> usize {
        payload
            .saturating_add(SPARE)
            .saturating_add(UNCHAINED_HEADER_LEN)
    }

    /// The codec of `algorithm`, if it was negotiated.
    fn codec(&self, algorithm: CompressionAlgorithm) -> Parsed<Codec> {
        Codec::of(algorithm)
            .filter(|_| self.algorithms.contains(Algorithms::of(algorithm)))
            .ok_or(Malformed)
    }
}

/// A compressed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressed<'a> {
    /// 2.2.42.1: `plain` as it is, then what `data` expands to.
    Unchained {
        /// `CompressionAlgorithm`.
        codec: Codec,
        /// `OriginalCompressedSegmentSize`: bytes that `data` expands to.
        original_size: u32,
        /// What precedes the compressed part, `Offset` bytes.
        plain: &'a [u8],
        /// The compressed part.
        data: &'a [u8],
    },
    /// 2.2.42.2: what the payloads expand to, one after the other.
    Chained(Chain<'a>),
}

impl<'a> Compressed<'a> {
    /// Parses `frame`. Whether it is chained is what the flags of the first payload say.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what is to end the connection: a frame that is too short for its header, an algorithm or a chain that was not
    /// negotiated, a size beyond the largest, an offset or length beyond the end (3.2.5.1.1.2, 3.1.5.3), flags that are not those of
    /// 2.2.42, and payloads whose sizes do not add up to that of the whole.
    pub fn parse(frame: &'a [u8], accepted: &Accepted) -> Parsed<Self> {
        let mut r = Reader::new(frame);
        if r.array::<4>()? != COMPRESSION_PROTOCOL_ID {
            return Err(Malformed);
        }
        let original_size = r.u32()?;
        if size(original_size)? > accepted.max_segment {
            return Err(Malformed);
        }
        let payloads = r.rest();
        let algorithm = CompressionAlgorithm(r.u16()?);
        if r.u16()? == CHAINED {
            let chain = Chain::parse(payloads, original_size, accepted)?;
            return Ok(Compressed::Chained(chain));
        }
        Self::parse_unchained(frame, algorithm, original_size, accepted)
    }

    fn parse_unchained(
        frame: &'a [u8],
        algorithm: CompressionAlgorithm,
        original_size: u32,
        accepted: &Accepted,
    ) -> Parsed<Self> {
        let mut r = Reader::new(frame);
        r.skip(CHAINED_HEADER_LEN + 2)?;
        if r.u16()? != NOT_FIRST {
            return Err(Malformed);
        }
        let offset = size(r.u32()?)?;
        let plain = r.take(offset)?;
        let compressed = Compressed::Unchained {
            codec: accepted.codec(algorithm)?,
            original_size,
            plain,
            data: r.rest(),
        };
        // Lengths of both parts are bounded, but not their sum on a machine of 32 bits.
        plain
            .len()
            .checked_add(size(original_size)?)
            .ok_or(Malformed)?;
        Ok(compressed)
    }

    /// Bytes of the message that this expands to.
    pub fn original_len(&self) -> usize {
        let (plain, original_size) = match self {
            Compressed::Unchained {
                plain,
                original_size,
                ..
            } => (plain.len(), *original_size),
            Compressed::Chained(chain) => (0, chain.original_size),
        };
        size(original_size).map_or(usize::MAX, |size| plain.saturating_add(size))
    }

    /// Fills `out` with the message that this expands to.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless `out` has [`Compressed::original_len`] bytes, every part expands to exactly the size that it claims, and
    /// the result is an SMB2 message (3.2.5.1.1.2): not encrypted and not compressed again. `out` may hold anything then.
    pub fn expand(&self, scratch: &mut Scratch, out: &mut [u8]) -> Parsed<()> {
        if out.len() != self.original_len() {
            return Err(Malformed);
        }
        match self {
            Compressed::Unchained {
                codec, plain, data, ..
            } => {
                let (head, tail) = out.split_at_mut_checked(plain.len()).ok_or(Malformed)?;
                for (to, from) in head.iter_mut().zip(*plain) {
                    *to = *from;
                }
                codec.decompress(data, scratch, tail)?;
            }
            Compressed::Chained(chain) => chain.expand(scratch, out)?,
        }
        if !out.starts_with(&SMB2_PROTOCOL_ID) {
            return Err(Malformed);
        }
        Ok(())
    }

    /// Appends an unchained header; the plain part of `plain_len` bytes and the compressed part follow.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write_unchained(
        w: &mut Writer<'_>,
        codec: Codec,
        original_size: u32,
        plain_len: usize,
    ) -> Written {
        w.bytes(&COMPRESSION_PROTOCOL_ID)?;
        w.u32(original_size)?;
        w.u16(codec.algorithm().0)?;
        w.u16(NOT_FIRST)?;
        w.u32(len32(plain_len)?)
    }
}

/// One payload of a chained message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Not compressed.
    Plain(&'a [u8]),
    /// A run.
    Pattern(Pattern),
    /// Compressed.
    Compressed {
        /// With what.
        codec: Codec,
        /// `OriginalPayloadSize`: bytes that `data` expands to.
        original_size: u32,
        /// The compressed data.
        data: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    /// Takes the payload at the front of `r`, whose header must have these flags.
    fn read(r: &mut Reader<'a>, flags: u16) -> Parsed<Self> {
        let algorithm = CompressionAlgorithm(r.u16()?);
        if r.u16()? != flags {
            return Err(Malformed);
        }
        let len = size(r.u32()?)?;
        let mut r = r.sub(len)?;
        match algorithm {
            CompressionAlgorithm::NONE => Ok(Payload::Plain(r.rest())),
            CompressionAlgorithm::PATTERN_V1 => Pattern::parse(r.rest()).map(Payload::Pattern),
            _ => Ok(Payload::Compressed {
                codec: Codec::of(algorithm).ok_or(Malformed)?,
                original_size: r.u32()?,
                data: r.rest(),
            }),
        }
    }

    /// Bytes that the payload expands to.
    pub fn original_len(&self) -> usize {
        let claimed = match self {
            Payload::Plain(data) => return data.len(),
            Payload::Pattern(pattern) => pattern.repetitions,
            Payload::Compressed { original_size, .. } => *original_size,
        };
        size(claimed).unwrap_or(usize::MAX)
    }

    /// `CompressionAlgorithm`.
    pub fn algorithm(&self) -> CompressionAlgorithm {
        match self {
            Payload::Plain(_) => CompressionAlgorithm::NONE,
            Payload::Pattern(_) => CompressionAlgorithm::PATTERN_V1,
            Payload::Compressed { codec, .. } => codec.algorithm(),
        }
    }

    /// Fills `out`, of [`Payload::original_len`] bytes, with what the payload expands to.
    fn expand(&self, scratch: &mut Scratch, out: &mut [u8]) -> Parsed<()> {
        match self {
            Payload::Plain(data) => {
                for (to, from) in out.iter_mut().zip(*data) {
                    *to = *from;
                }
                Ok(())
            }
            Payload::Pattern(pattern) => pattern.decompress(out),
            Payload::Compressed { codec, data, .. } => codec.decompress(data, scratch, out),
        }
    }
}

/// The payloads of a chained message.
///
/// # Invariants
///
/// What [`Chain::parse`] made holds payloads that parse, one at least, and nothing else; what they claim to expand to adds up to
/// `original_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    payloads: &'a [u8],
    original_size: u32,
}

impl<'a> Chain<'a> {
    fn parse(payloads: &'a [u8], original_size: u32, accepted: &Accepted) -> Parsed<Self> {
        let chain = Chain {
            payloads,
            original_size,
        };
        if !accepted.chained {
            return Err(Malformed);
        }
        let mut payloads = chain.payloads();
        let mut total = 0usize;
        while let Some(payload) = payloads.advance() {
            let payload = payload?;
            let algorithm = payload.algorithm();
            // NONE is the empty set, and always accepted.
            if !accepted.algorithms.contains(Algorithms::of(algorithm)) {
                return Err(Malformed);
            }
            total = total.checked_add(payload.original_len()).ok_or(Malformed)?;
        }
        if total != size(original_size)? {
            return Err(Malformed);
        }
        Ok(chain)
    }

    /// `OriginalCompressedSegmentSize`: bytes that all payloads expand to.
    pub fn original_size(&self) -> u32 {
        self.original_size
    }

    /// The payloads in their order.
    pub fn payloads(&self) -> Payloads<'a> {
        Payloads {
            rest: Reader::new(self.payloads),
            flags: CHAINED,
        }
    }

    /// Fills `out` with what the payloads expand to, 3.1.5.3.
    fn expand(&self, scratch: &mut Scratch, out: &mut [u8]) -> Parsed<()> {
        let mut rest = out;
        for payload in self.payloads() {
            let (part, next) = rest
                .split_at_mut_checked(payload.original_len())
                .ok_or(Malformed)?;
            payload.expand(scratch, part)?;
            rest = next;
        }
        rest.is_empty().then_some(()).ok_or(Malformed)
    }
}

/// Iterates over the payloads of a [`Chain`].
#[derive(Clone, Debug)]
pub struct Payloads<'a> {
    rest: Reader<'a>,
    /// What the next header must have.
    flags: u16,
}

impl<'a> Payloads<'a> {
    fn advance(&mut self) -> Option<Parsed<Payload<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let payload = Payload::read(&mut self.rest, self.flags);
        self.flags = NOT_FIRST;
        Some(payload)
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Payload<'a>> {
        self.advance()?.ok()
    }
}

/// Appends a chained message.
#[derive(Debug)]
#[must_use = "finish() patches the size"]
pub struct ChainWriter {
    size_at: Mark,
    original: usize,
    /// Of the next payload's header.
    flags: u16,
}

impl ChainWriter {
    /// Appends what precedes the payloads.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn begin(w: &mut Writer<'_>) -> Result<Self, Full> {
        w.bytes(&COMPRESSION_PROTOCOL_ID)?;
        let size_at = w.mark();
        w.u32(0)?;
        Ok(ChainWriter {
            size_at,
            original: 0,
            flags: CHAINED,
        })
    }

    /// Appends a payload.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn add(&mut self, w: &mut Writer<'_>, payload: &Payload<'_>) -> Written {
        match payload {
            Payload::Plain(data) => {
                self.put(w, CompressionAlgorithm::NONE, data.len(), |w| w.bytes(data))
            }
            Payload::Pattern(pattern) => {
                let algorithm = CompressionAlgorithm::PATTERN_V1;
                self.put(w, algorithm, payload.original_len(), |w| pattern.write(w))
            }
            Payload::Compressed {
                codec,
                original_size,
                data,
            } => self.put(w, codec.algorithm(), payload.original_len(), |w| {
                w.u32(*original_size)?;
                w.bytes(data)
            }),
        }
    }

    /// Appends a payload that `compress` writes from `data`; or `data` as they are, if that is not larger.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn add_compressed(
        &mut self,
        w: &mut Writer<'_>,
        codec: Codec,
        data: &[u8],
        compress: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        let start = w.mark();
        let (original, flags) = (self.original, self.flags);
        let compressed = self.put(w, codec.algorithm(), data.len(), |w| {
            w.u32(len32(data.len())?)?;
            compress(w)
        });
        if compressed.is_ok() && w.since(start) < PAYLOAD_HEADER_LEN.saturating_add(data.len()) {
            return Ok(());
        }
        w.rewind(start);
        (self.original, self.flags) = (original, flags);
        self.add(w, &Payload::Plain(data))
    }

    fn put(
        &mut self,
        w: &mut Writer<'_>,
        algorithm: CompressionAlgorithm,
        original: usize,
        fill: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        w.u16(algorithm.0)?;
        w.u16(self.flags)?;
        let length_at = w.mark();
        w.u32(0)?;
        let start = w.mark();
        fill(w)?;
        let len = len32(w.since(start))?;
        w.patch_u32(length_at, len)?;
        self.original = self.original.checked_add(original).ok_or(Full)?;
        self.flags = NOT_FIRST;
        Ok(())
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// [`Full`] if the payloads expand to more than 32 bits can say.
    pub fn finish(self, w: &mut Writer<'_>) -> Written {
        w.patch_u32(self.size_at, len32(self.original)?)
    }
}
