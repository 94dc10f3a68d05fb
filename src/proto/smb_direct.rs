// SPDX-License-Identifier: GPL-2.0

//! SMB Direct, [MS-SMBD]: the messages that carry SMB2 over RDMA (2.2), and the descriptors of buffers that a client lends for
//! READ and WRITE (2.2.3.1).
//!
//! Parsers check what the receiver of a message must verify (3.1.5.6, 3.1.5.7, 3.1.5.8), and where that depends on what was
//! negotiated before, take it as an argument. What depends on earlier messages (credits, the order of fragments) they do not know.

use crate::body::{len32, size};
use crate::status::NtStatus;
use crate::wire::{slice_at, Malformed, Parsed, Reader, Writer, Written};

/// The only version that there is, 1.7.
pub const VERSION_1: u16 = 0x0100;

/// The least `MaxReceiveSize`, in bytes.
pub const MIN_RECEIVE_SIZE: u32 = 128;

/// The least `MaxFragmentedSize`, in bytes.
pub const MIN_FRAGMENTED_SIZE: u32 = 131_072;

/// What `MaxReceiveSize` and `MaxFragmentedSize` of either side must be.
fn check_sizes(max_receive_size: u32, max_fragmented_size: u32) -> Parsed<()> {
    if max_receive_size < MIN_RECEIVE_SIZE || max_fragmented_size < MIN_FRAGMENTED_SIZE {
        return Err(Malformed);
    }
    Ok(())
}

/// `value`, unless it is zero.
fn positive(value: u16) -> Parsed<u16> {
    if value == 0 {
        return Err(Malformed);
    }
    Ok(value)
}

/// A Negotiate Request of a client that speaks version 1, 2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateRequest {
    /// Send credits that the client would like, at least 1.
    pub credits_requested: u16,
    /// Bytes that the client would like to send in a message.
    pub preferred_send_size: u32,
    /// Bytes that the client takes in a message, at least [`MIN_RECEIVE_SIZE`].
    pub max_receive_size: u32,
    /// Bytes that the client takes in fragments, at least [`MIN_FRAGMENTED_SIZE`].
    pub max_fragmented_size: u32,
}

/// What a client begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It speaks version 1.
    Version1(NegotiateRequest),
    /// It does not: to be answered with [`NegotiateResponse::Failure`] and `STATUS_NOT_SUPPORTED`.
    OtherVersions {
        /// `MinVersion`.
        min: u16,
        /// `MaxVersion`.
        max: u16,
    },
}

impl Offer {
    /// Parses the first message of a client, 3.1.5.6. What follows it is ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what is to end the connection: fewer than 20 bytes, no credit requested, sizes below the least.
    pub fn parse(message: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(message.get(..NegotiateRequest::LEN).ok_or(Malformed)?);
        let min = r.u16()?;
        let max = r.u16()?;
        r.skip(2)?;
        // The other fields mean what they do in version 1 only.
        if !(min..=max).contains(&VERSION_1) {
            return Ok(Offer::OtherVersions { min, max });
        }
        let request = NegotiateRequest {
            credits_requested: positive(r.u16()?)?,
            preferred_send_size: r.u32()?,
            max_receive_size: r.u32()?,
            max_fragmented_size: r.u32()?,
        };
        check_sizes(request.max_receive_size, request.max_fragmented_size)?;
        Ok(Offer::Version1(request))
    }
}

impl NegotiateRequest {
    /// Length on the wire in bytes.
    pub const LEN: usize = 20;

    /// Appends the request.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(VERSION_1)?;
        w.u16(VERSION_1)?;
        w.u16(0)?;
        w.u16(self.credits_requested)?;
        w.u32(self.preferred_send_size)?;
        w.u32(self.max_receive_size)?;
        w.u32(self.max_fragmented_size)
    }
}

/// What a server agrees to, 2.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Send credits that the server would like, at least 1.
    pub credits_requested: u16,
    /// Send credits for the client, at least 1.
    pub credits_granted: u16,
    /// Bytes that one RDMA operation moves at most.
    pub max_read_write_size: u32,
    /// Bytes that the server would like to send in a message.
    pub preferred_send_size: u32,
    /// Bytes that the server takes in a message, at least [`MIN_RECEIVE_SIZE`].
    pub max_receive_size: u32,
    /// Bytes that the server takes in fragments, at least [`MIN_FRAGMENTED_SIZE`].
    pub max_fragmented_size: u32,
}

/// A Negotiate Response, 2.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiateResponse {
    /// The connection is made.
    Success(Agreement),
    /// It is not, and ends.
    Failure(NtStatus),
}

impl NegotiateResponse {
    /// Length on the wire in bytes.
    pub const LEN: usize = 32;

    /// Parses the first message of a server, 3.1.5.7, for a client whose `MaxReceiveSize` was `max_receive_size`. What follows it is
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for fewer than 32 bytes, and unless the response is a failure, for another version than 1, no credit requested or
    /// granted, sizes below the least, and a server that would send more than the client takes.
    pub fn parse(message: &[u8], max_receive_size: u32) -> Parsed<Self> {
        let mut r = Reader::new(message.get(..Self::LEN).ok_or(Malformed)?);
        r.skip(4)?;
        let version = r.u16()?;
        r.skip(2)?;
        let credits_requested = r.u16()?;
        let credits_granted = r.u16()?;
        let status = NtStatus(r.u32()?);
        if status != NtStatus::SUCCESS {
            return Ok(NegotiateResponse::Failure(status));
        }
        let agreement = Agreement {
            credits_requested: positive(credits_requested)?,
            credits_granted: positive(credits_granted)?,
            max_read_write_size: r.u32()?,
            preferred_send_size: r.u32()?,
            max_receive_size: r.u32()?,
            max_fragmented_size: r.u32()?,
        };
        if version != VERSION_1 || agreement.preferred_send_size > max_receive_size {
            return Err(Malformed);
        }
        check_sizes(agreement.max_receive_size, agreement.max_fragmented_size)?;
        Ok(NegotiateResponse::Success(agreement))
    }

    /// Appends the response. That of a failure has the versions and the status only (3.1.5.3).
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(VERSION_1)?;
        w.u16(VERSION_1)?;
        w.u16(VERSION_1)?;
        w.u16(0)?;
        let agreement = match self {
            NegotiateResponse::Success(agreement) => agreement,
            NegotiateResponse::Failure(status) => {
                w.u32(0)?;
                w.u32(status.0)?;
                return w.zeros(16);
            }
        };
        w.u16(agreement.credits_requested)?;
        w.u16(agreement.credits_granted)?;
        w.u32(NtStatus::SUCCESS.0)?;
        w.u32(agreement.max_read_write_size)?;
        w.u32(agreement.preferred_send_size)?;
        w.u32(agreement.max_receive_size)?;
        w.u32(agreement.max_fragmented_size)
    }
}

flags! {
    /// `Flags` of a Data Transfer message.
    pub struct TransferFlags: u16 {
        /// The peer is to answer at once: it is asked for a sign of life.
        RESPONSE_REQUESTED = 0x0001;
    }
}

/// A Data Transfer message, 2.2.3: all messages behind the negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataTransfer<'a> {
    /// Send credits that the sender would like to have in all, at least 1.
    pub credits_requested: u16,
    /// Send credits that the receiver gets on top of those that it has.
    pub credits_granted: u16,
    /// `Flags`.
    pub flags: TransferFlags,
    /// Bytes of the upper layer's message that further fragments bring; zero in the last, and in a message without data.
    pub remaining_data_length: u32,
    /// The data of this fragment. Empty if the message is about credits only.
    pub data: &'a [u8],
}

impl<'a> DataTransfer<'a> {
    /// Length in bytes of a message without data.
    pub const HEADER_LEN: usize = 20;

    /// Where this writes data: at the first multiple of [`DataTransfer::ALIGNMENT`] behind the header.
    pub const DATA_OFFSET: usize = 24;

    /// `DataOffset` is a multiple of this.
    pub const ALIGNMENT: usize = 8;

    /// Parses `message`, 3.1.5.8, for a receiver whose `MaxFragmentedSize` was `max_fragmented_size`. Padding and what follows the
    /// data are ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what is to end the connection: fewer than 20 bytes, no credit requested, data that are not aligned, not
    /// wholly in the message or in its header, and fragments that add up to more than the receiver takes.
    pub fn parse(message: &'a [u8], max_fragmented_size: u32) -> Parsed<Self> {
        let mut r = Reader::new(message);
        let credits_requested = positive(r.u16()?)?;
        let credits_granted = r.u16()?;
        let flags = TransferFlags::from_bits(r.u16()?);
        r.skip(2)?;
        let remaining_data_length = r.u32()?;
        let offset = size(r.u32()?)?;
        let data_length = r.u32()?;
        let whole = data_length
            .checked_add(remaining_data_length)
            .ok_or(Malformed)?;
        if offset & (Self::ALIGNMENT - 1) != 0 || whole > max_fragmented_size {
            return Err(Malformed);
        }
        let len = size(data_length)?;
        let end = offset.checked_add(len).ok_or(Malformed)?;
        if end > message.len() || (len != 0 && offset < Self::HEADER_LEN) {
            return Err(Malformed);
        }
        Ok(DataTransfer {
            credits_requested,
            credits_granted,
            flags,
            remaining_data_length,
            data: slice_at(message, offset, len)?,
        })
    }

    /// Appends the message.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_header(w, self.data.len())?;
        w.bytes(self.data)
    }

    /// Appends the header, and the padding before data of `data_len` bytes that go out from elsewhere.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write_header(&self, w: &mut Writer<'_>, data_len: usize) -> Written {
        w.u16(self.credits_requested)?;
        w.u16(self.credits_granted)?;
        w.u16(self.flags.bits())?;
        w.u16(0)?;
        w.u32(self.remaining_data_length)?;
        if data_len == 0 {
            // Without data both are zero, and there is no padding.
            return w.zeros(8);
        }
        w.u32(len32(Self::DATA_OFFSET)?)?;
        w.u32(len32(data_len)?)?;
        w.zeros(Self::DATA_OFFSET - Self::HEADER_LEN)
    }
}

/// A client's buffer for RDMA, SMB_DIRECT_BUFFER_DESCRIPTOR_V1, 2.2.3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferDescriptor {
    /// Where the buffer begins, as the client's RDMA hardware counts.
    pub offset: u64,
    /// Steering tag.
    pub token: u32,
    /// Bytes.
    pub length: u32,
}

impl BufferDescriptor {
    /// Length on the wire in bytes.
    pub const LEN: usize = 16;

    fn read(r: &mut Reader<'_>) -> Parsed<Self> {
        Ok(BufferDescriptor {
            offset: r.u64()?,
            token: r.u32()?,
            length: r.u32()?,
        })
    }

    /// Appends the descriptor.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u64(self.offset)?;
        w.u32(self.token)?;
        w.u32(self.length)
    }
}

/// The descriptors that the channel information of a READ or WRITE holds ([MS-SMB2] 2.2.19, 2.2.21), for
/// [`Channel::RDMA_V1`](crate::read::Channel::RDMA_V1) and
/// [`Channel::RDMA_V1_INVALIDATE`](crate::read::Channel::RDMA_V1_INVALIDATE): an iterator over them.
///
/// # Invariants
///
/// The reader holds whole descriptors.
#[derive(Clone, Debug)]
pub struct BufferDescriptors<'a>(Reader<'a>);

impl<'a> BufferDescriptors<'a> {
    /// The descriptors in `info`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] unless `info` holds whole descriptors, and one at least.
    pub fn parse(info: &'a [u8]) -> Parsed<Self> {
        if info.is_empty() || info.len() & (BufferDescriptor::LEN - 1) != 0 {
            return Err(Malformed);
        }
        Ok(BufferDescriptors(Reader::new(info)))
    }

    /// Bytes that all buffers have together, which must be enough for what is read or written ([MS-SMB2] 3.3.5.12, 3.3.5.13).
    pub fn total_len(&self) -> u64 {
        self.clone().fold(0, |sum, descriptor| {
            sum.saturating_add(u64::from(descriptor.length))
        })
    }

    /// Appends `descriptors`.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn write(w: &mut Writer<'_>, descriptors: &[BufferDescriptor]) -> Written {
        descriptors
            .iter()
            .try_for_each(|descriptor| descriptor.write(w))
    }
}

impl Iterator for BufferDescriptors<'_> {
    type Item = BufferDescriptor;

    fn next(&mut self) -> Option<BufferDescriptor> {
        BufferDescriptor::read(&mut self.0).ok()
    }
}
