// SPDX-License-Identifier: GPL-2.0

//! What wraps whole messages: the TRANSFORM_HEADER of encryption, [MS-SMB2] 2.2.41, and the COMPRESSION_TRANSFORM_HEADER,
//! 2.2.42.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::IntoBytes;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::body::{len32, size};
use crate::header::{COMPRESSION_PROTOCOL_ID, TRANSFORM_PROTOCOL_ID};
use crate::negotiate_context::CompressionAlgorithm;
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Length of a TRANSFORM_HEADER in bytes.
pub const HEADER_LEN: usize = 52;

/// Place of the part of a TRANSFORM_HEADER that is authenticated with the message: from `Nonce` to its end.
pub const AAD_AT: usize = 20;

/// Length of that part in bytes.
pub const AAD_LEN: usize = HEADER_LEN - AAD_AT;

/// `Flags`, or `EncryptionAlgorithm` of 3.0 and 3.0.2, both 1 in every encrypted message.
const ENCRYPTED: u16 = 1;

/// A TRANSFORM_HEADER.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    protocol_id: [u8; 4],
    signature: [u8; 16],
    nonce: [u8; 16],
    original_message_size: U32,
    reserved: U16,
    flags: U16,
    session_id: U64,
}

const _: () = assert!(core::mem::size_of::<Header>() == HEADER_LEN);
const _: () = assert!(core::mem::offset_of!(Header, nonce) == AAD_AT);

impl Header {
    /// The header of an encrypted message of `message_len` bytes, without its signature. A cipher that wants fewer bytes of
    /// nonce than 16 takes them from the front; the others must be zero.
    ///
    /// # Errors
    ///
    /// [`Full`] for a length beyond 32 bits.
    pub fn new(session_id: u64, nonce: [u8; 16], message_len: usize) -> Result<Self, Full> {
        Ok(Header {
            protocol_id: TRANSFORM_PROTOCOL_ID,
            signature: [0; 16],
            nonce,
            original_message_size: U32::new(len32(message_len)?),
            reserved: U16::ZERO,
            flags: U16::new(ENCRYPTED),
            session_id: U64::new(session_id),
        })
    }

    /// Parses the header at the front of `frame`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless the frame is encrypted, and its message is as long as the header says.
    pub fn parse(frame: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(frame);
        let header: Header = r.get()?;
        if header.protocol_id != TRANSFORM_PROTOCOL_ID
            || header.flags.get() != ENCRYPTED
            || size(header.original_message_size.get())? != r.remaining()
        {
            return Err(Malformed);
        }
        Ok(header)
    }

    /// Appends the header.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.put(self)
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        zerocopy::transmute!(*self)
    }

    /// The bytes that are authenticated with the message.
    pub fn aad(&self) -> [u8; AAD_LEN] {
        self.as_bytes()
            .split_last_chunk::<AAD_LEN>()
            .map_or([0; AAD_LEN], |(_, aad)| *aad)
    }

    /// `Signature`: the cipher's tag.
    pub fn signature(&self) -> &[u8; 16] {
        &self.signature
    }

    /// Sets `Signature`.
    pub fn set_signature(&mut self, signature: [u8; 16]) {
        self.signature = signature;
    }

    /// `Nonce`.
    pub fn nonce(&self) -> &[u8; 16] {
        &self.nonce
    }

    /// `OriginalMessageSize` in bytes.
    pub fn original_message_size(&self) -> u32 {
        self.original_message_size.get()
    }

    /// `SessionId`.
    pub fn session_id(&self) -> u64 {
        self.session_id.get()
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TransformHeader")
            .field("original_message_size", &self.original_message_size())
            .field("session_id", &self.session_id())
            .finish_non_exhaustive()
    }
}

/// `Flags` of a compressed message: chained.
const COMPRESSION_CHAINED: u16 = 1;

/// Length in bytes of an unchained COMPRESSION_TRANSFORM_HEADER.
pub const COMPRESSION_HEADER_LEN: usize = 16;

/// A compressed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressed<'a> {
    /// 2.2.42.1: `plain` as it is, then what `data` expands to.
    Unchained {
        /// `CompressionAlgorithm`.
        algorithm: CompressionAlgorithm,
        /// `OriginalCompressedSegmentSize`: bytes that `data` expands to. The client's claim: bound it before use.
        original_size: u32,
        /// What precedes the compressed part.
        plain: &'a [u8],
        /// The compressed part.
        data: &'a [u8],
    },
    /// 2.2.42.2: what the payloads expand to, one after the other.
    Chained {
        /// `OriginalCompressedSegmentSize`: bytes that all payloads expand to. The client's claim: bound it before use.
        original_size: u32,
        /// The payloads.
        payloads: Payloads<'a>,
    },
}

impl<'a> Compressed<'a> {
    /// Parses `frame`. Whether it is chained is what the flags of the first payload say.
    pub fn parse(frame: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(frame);
        if r.array::<4>()? != COMPRESSION_PROTOCOL_ID {
            return Err(Malformed);
        }
        let original_size = r.u32()?;
        let chain = r.rest();
        let algorithm = CompressionAlgorithm(r.u16()?);
        let flags = r.u16()?;
        if flags & COMPRESSION_CHAINED != 0 {
            return Ok(Compressed::Chained {
                original_size,
                payloads: Payloads::parse(chain)?,
            });
        }
        let offset = size(r.u32()?)?;
        let plain = r.take(offset)?;
        Ok(Compressed::Unchained {
            algorithm,
            original_size,
            plain,
            data: r.rest(),
        })
    }

    /// Appends an unchained header; the plain part of `plain_len` bytes and the compressed part follow.
    pub fn write_unchained(
        w: &mut Writer<'_>,
        algorithm: CompressionAlgorithm,
        original_size: u32,
        plain_len: usize,
    ) -> Written {
        w.bytes(&COMPRESSION_PROTOCOL_ID)?;
        w.u32(original_size)?;
        w.u16(algorithm.0)?;
        w.u16(0)?;
        w.u32(len32(plain_len)?)
    }

    /// Appends what precedes the payloads of a chained message.
    pub fn write_chained(w: &mut Writer<'_>, original_size: u32) -> Written {
        w.bytes(&COMPRESSION_PROTOCOL_ID)?;
        w.u32(original_size)
    }
}

/// A run of one byte, 2.2.42.2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// The byte.
    pub byte: u8,
    /// How often. The client's claim: bound it before use.
    pub repetitions: u32,
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
        algorithm: CompressionAlgorithm,
        /// Bytes that `data` expands to. The client's claim: bound it before use.
        original_size: u32,
        /// The compressed data.
        data: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    fn read(r: &mut Reader<'a>) -> Parsed<Self> {
        let algorithm = CompressionAlgorithm(r.u16()?);
        let _flags = r.u16()?;
        let len = size(r.u32()?)?;
        let mut r = r.sub(len)?;
        match algorithm {
            CompressionAlgorithm::NONE => Ok(Payload::Plain(r.rest())),
            CompressionAlgorithm::PATTERN_V1 => {
                let byte = r.u8()?;
                r.skip(3)?;
                Ok(Payload::Pattern(Pattern {
                    byte,
                    repetitions: r.u32()?,
                }))
            }
            CompressionAlgorithm::LZNT1
            | CompressionAlgorithm::LZ77
            | CompressionAlgorithm::LZ77_HUFFMAN
            | CompressionAlgorithm::LZ4 => {
                let original_size = r.u32()?;
                Ok(Payload::Compressed {
                    algorithm,
                    original_size,
                    data: r.rest(),
                })
            }
            _ => Err(Malformed),
        }
    }

    /// Bytes that the payload expands to.
    pub fn original_size(&self) -> usize {
        let claimed = match self {
            Payload::Plain(data) => return data.len(),
            Payload::Pattern(pattern) => pattern.repetitions,
            Payload::Compressed { original_size, .. } => *original_size,
        };
        usize::try_from(claimed).unwrap_or(usize::MAX)
    }

    /// Appends the payload; `first` marks the first of a chain.
    pub fn write(&self, w: &mut Writer<'_>, first: bool) -> Written {
        let algorithm = match self {
            Payload::Plain(_) => CompressionAlgorithm::NONE,
            Payload::Pattern(_) => CompressionAlgorithm::PATTERN_V1,
            Payload::Compressed { algorithm, .. } => *algorithm,
        };
        w.u16(algorithm.0)?;
        w.u16(if first { COMPRESSION_CHAINED } else { 0 })?;
        let length_at = w.mark();
        w.u32(0)?;
        let start = w.mark();
        match self {
            Payload::Plain(data) => w.bytes(data)?,
            Payload::Pattern(pattern) => {
                w.u8(pattern.byte)?;
                w.zeros(3)?;
                w.u32(pattern.repetitions)?;
            }
            Payload::Compressed {
                original_size,
                data,
                ..
            } => {
                w.u32(*original_size)?;
                w.bytes(data)?;
            }
        }
        let len = len32(w.since(start))?;
        w.patch_u32(length_at, len)
    }
}

/// The payloads of a chained message: an iterator over them.
///
/// # Invariants
///
/// What `Payloads::parse` made holds payloads that parse, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Payloads<'a>(Reader<'a>);

impl PartialEq for Payloads<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.rest() == other.0.rest()
    }
}

impl Eq for Payloads<'_> {}

impl<'a> Payloads<'a> {
    fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            Payload::read(&mut r)?;
        }
        Ok(Payloads(Reader::new(bytes)))
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Payload<'a>> {
        if self.0.is_empty() {
            return None;
        }
        Payload::read(&mut self.0).ok()
    }
}
