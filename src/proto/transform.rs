// SPDX-License-Identifier: GPL-2.0

//! What wraps encrypted messages: the TRANSFORM_HEADER, [MS-SMB2] 2.2.41.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::IntoBytes;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::body::{len32, size};
use crate::header::TRANSFORM_PROTOCOL_ID;
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
