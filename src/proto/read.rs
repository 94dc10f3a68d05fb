// SPDX-License-Identifier: GPL-2.0

//! READ, [MS-SMB2] 2.2.19 and 2.2.20.

use zerocopy::little_endian::{U16, U32};
use zerocopy_derive::{Immutable, IntoBytes, Unaligned};

use crate::body::{self, len16, len32, size};
use crate::header::FileId;
use crate::wire::{Full, Parsed, Reader, Writer, Written};

const REQUEST_SIZE: u16 = 49;
const REPLY_SIZE: u16 = 17;

/// Length in bytes of the reply's body before the data.
pub const REPLY_HEAD_LEN: usize = 16;

/// Offset of the data from the header's start when they follow the reply's body at once.
pub const REPLY_DATA_OFFSET: u8 = 80;

flags! {
    /// `Flags` of the request.
    pub struct ReadFlags: u8 {
        /// Read from the disk itself, 3.0.2.
        UNBUFFERED = 0x01;
        /// The reply may be compressed, 3.1.1.
        REQUEST_COMPRESSED = 0x02;
    }
}

open_enum! {
    /// `Channel`: how the data travel.
    pub struct Channel: u32 {
        /// In the message.
        NONE = 0;
        /// By RDMA.
        RDMA_V1 = 1;
        /// By RDMA, and the client's token is to be invalidated.
        RDMA_V1_INVALIDATE = 2;
        /// By RDMA, transformed.
        RDMA_TRANSFORM = 3;
    }
}

/// A READ request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// Offset at which the client would like the data in the reply, from the header's start.
    pub padding: u8,
    /// `Flags`; to be ignored before 3.0.2.
    pub flags: ReadFlags,
    /// Bytes to read.
    pub length: u32,
    /// Where to read, in bytes.
    pub offset: u64,
    /// The open to read.
    pub file_id: FileId,
    /// Fewer bytes than this are a failure.
    pub minimum_count: u32,
    /// How the data travel; to be ignored before 3.0.
    pub channel: Channel,
    /// Bytes that the client will read later; without a channel a hint.
    pub remaining_bytes: u32,
    /// `Buffer`, for a channel.
    pub channel_info: &'a [u8],
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`. Without a channel its information is ignored, as dialects before 3.0 demand.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let padding = r.u8()?;
        let flags = ReadFlags::from_bits(r.u8()?);
        let length = r.u32()?;
        let offset = r.u64()?;
        let file_id = FileId::read(&mut r)?;
        let minimum_count = r.u32()?;
        let channel = Channel(r.u32()?);
        let remaining_bytes = r.u32()?;
        let channel_info = channel_info(pdu, REQUEST_SIZE, channel, &mut r)?;
        Ok(Request {
            padding,
            flags,
            length,
            offset,
            file_id,
            minimum_count,
            channel,
            remaining_bytes,
            channel_info,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u8(self.padding)?;
        w.u8(self.flags.bits())?;
        w.u32(self.length)?;
        w.u64(self.offset)?;
        self.file_id.write(w)?;
        w.u32(self.minimum_count)?;
        w.u32(self.channel.0)?;
        w.u32(self.remaining_bytes)?;
        write_channel_info(
            w,
            usize::from(body::variable_at(REQUEST_SIZE)),
            self.channel_info,
        )?;
        w.bytes(self.channel_info)?;
        body::pad_empty(w, self.channel_info.len())
    }
}

/// Takes `ReadChannelInfoOffset` and `Length`, or WRITE's, and answers what they name.
pub(crate) fn channel_info<'a>(
    pdu: &'a [u8],
    structure_size: u16,
    channel: Channel,
    r: &mut Reader<'a>,
) -> Parsed<&'a [u8]> {
    let offset = usize::from(r.u16()?);
    let len = usize::from(r.u16()?);
    if channel == Channel::NONE {
        return Ok(&[]);
    }
    body::buffer(pdu, structure_size, offset, len)
}

/// Appends the two fields, for channel information at `offset`.
pub(crate) fn write_channel_info(w: &mut Writer<'_>, offset: usize, info: &[u8]) -> Written {
    let offset = if info.is_empty() { 0 } else { len16(offset)? };
    w.u16(offset)?;
    w.u16(len16(info.len())?)
}

/// A READ reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Bytes that were sent through an RDMA channel, beside those in `data`.
    pub data_remaining: u32,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        let offset = usize::from(r.u8()?);
        r.skip(1)?;
        let len = size(r.u32()?)?;
        let data_remaining = r.u32()?;
        Ok(Reply {
            data_remaining,
            data: body::buffer(pdu, REPLY_SIZE, offset, len)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        write_head(w, REPLY_DATA_OFFSET, self.data.len(), self.data_remaining)?;
        w.bytes(self.data)?;
        body::pad_empty(w, self.data.len())
    }
}

/// The fixed part of a READ reply.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct ReplyHead {
    structure_size: U16,
    data_offset: u8,
    reserved: u8,
    data_len: U32,
    data_remaining: U32,
    flags: U32,
}

const _: () = assert!(core::mem::size_of::<ReplyHead>() == REPLY_HEAD_LEN);

/// Appends the [`REPLY_HEAD_LEN`] bytes of a READ reply before its data, and zeros up to `data_offset`, which counts from
/// the header's start and is [`REPLY_DATA_OFFSET`] at least. The caller sends `data_len` bytes behind them, without copying
/// them here; if `data_len` is zero, the one byte that the body must have is the caller's to append.
///
/// # Errors
///
/// [`Full`] also for an offset within the body and for a length beyond 32 bits.
pub fn write_head(
    w: &mut Writer<'_>,
    data_offset: u8,
    data_len: usize,
    data_remaining: u32,
) -> Written {
    let gap = data_offset.checked_sub(REPLY_DATA_OFFSET).ok_or(Full)?;
    w.put(&ReplyHead {
        structure_size: U16::new(REPLY_SIZE),
        data_offset,
        reserved: 0,
        data_len: U32::new(len32(data_len)?),
        data_remaining: U32::new(data_remaining),
        flags: U32::ZERO,
    })?;
    w.zeros(usize::from(gap))
}
