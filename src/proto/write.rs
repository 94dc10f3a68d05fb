// SPDX-License-Identifier: GPL-2.0

//! WRITE, [MS-SMB2] 2.2.21 and 2.2.22.

use crate::body::{self, len32, size};
use crate::header::{Command, FileId, Header, HeaderFlags};
use crate::read::{channel_info, write_channel_info, Channel};
use crate::wire::{Full, Malformed, Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 49;
const REPLY_SIZE: u16 = 17;

flags! {
    /// `Flags` of the request.
    pub struct WriteFlags: u32 {
        /// Write through to the disk, 2.1 and later.
        WRITE_THROUGH = 0x0000_0001;
        /// Write to the disk itself, 3.0.2.
        UNBUFFERED = 0x0000_0002;
    }
}

/// A WRITE request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// Where to write, in bytes.
    pub offset: u64,
    /// The open to write.
    pub file_id: FileId,
    /// How the data travel; to be ignored before 3.0.
    pub channel: Channel,
    /// Bytes to be fetched through an RDMA channel; without one a hint.
    pub remaining_bytes: u32,
    /// `Flags`.
    pub flags: WriteFlags,
    /// `WriteChannelInfo`, for a channel.
    pub channel_info: &'a [u8],
    /// The data; empty with a channel.
    pub data: &'a [u8],
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`. Without a channel its information is ignored, as dialects before 3.0 demand.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        Self::parse_without(pdu, 0)
    }

    /// As [`Self::parse`], of an element whose data's first `missing` bytes were taken out: the others are its data then.
    pub fn parse_without(pdu: &'a [u8], missing: usize) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        let data_at = usize::from(r.u16()?);
        let data_len = size(r.u32()?)?.checked_sub(missing).ok_or(Malformed)?;
        let offset = r.u64()?;
        let file_id = FileId::read(&mut r)?;
        let channel = Channel(r.u32()?);
        let remaining_bytes = r.u32()?;
        let channel_info = channel_info(pdu, REQUEST_SIZE, channel, &mut r)?;
        let flags = WriteFlags::from_bits(r.u32()?);
        let data = body::buffer(pdu, REQUEST_SIZE, data_at, data_len)?;
        Ok(Request {
            offset,
            file_id,
            channel,
            remaining_bytes,
            flags,
            channel_info,
            data,
        })
    }

    /// Appends the body: the channel information first, then the data.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let info_at = usize::from(body::variable_at(REQUEST_SIZE));
        let data_at = info_at.checked_add(self.channel_info.len()).ok_or(Full)?;
        w.u16(REQUEST_SIZE)?;
        w.u16(body::len16(data_at)?)?;
        w.u32(len32(self.data.len())?)?;
        w.u64(self.offset)?;
        self.file_id.write(w)?;
        w.u32(self.channel.0)?;
        w.u32(self.remaining_bytes)?;
        write_channel_info(w, info_at, self.channel_info)?;
        w.u32(self.flags.bits())?;
        w.bytes(self.channel_info)?;
        w.bytes(self.data)?;
        body::pad_empty(w, self.channel_info.len() | self.data.len())
    }
}

/// Offset of the data in a frame of `len` bytes that begins with `front`, if it is nothing but an unsigned WRITE whose data follow
/// its fixed part and end the frame. `None` as well when `front` does not tell.
pub fn data_alone(front: &[u8], len: usize) -> Option<usize> {
    let header = Header::parse(front).ok()?;
    let is_alone = header.command() == Ok(Command::Write)
        && header.next_command() == 0
        && !header.has(HeaderFlags::SIGNED);
    let at = usize::from(body::variable_at(REQUEST_SIZE));
    let mut r = body::open(front, REQUEST_SIZE).ok().filter(|_| is_alone)?;
    let data_at = usize::from(r.u16().ok()?);
    let data_len = size(r.u32().ok()?).ok()?;
    r.skip(8 + 16).ok()?;
    let has_channel = Channel(r.u32().ok()?) != Channel::NONE;
    (data_at == at && Some(data_len) == len.checked_sub(at) && !has_channel).then_some(at)
}

/// A WRITE reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Bytes written.
    pub count: u32,
}

impl Reply {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        r.skip(2)?;
        Ok(Reply { count: r.u32()? })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REPLY_SIZE)?;
        w.u16(0)?;
        w.u32(self.count)?;
        // Neither `Remaining` nor channel information is in use; no implementation sends the odd byte.
        w.u64(0)
    }
}
