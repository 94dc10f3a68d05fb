// SPDX-License-Identifier: GPL-2.0

//! IOCTL, [MS-SMB2] 2.2.31 and 2.2.32. Control codes and their data are in `fsctl`.

use crate::body::{self, len32, size, Buffer, OffsetField};
use crate::header::FileId;
use crate::wire::{Full, Parsed, Writer, Written};

const REQUEST_SIZE: u16 = 57;
const REPLY_SIZE: u16 = 49;

flags! {
    /// `Flags` of the request.
    pub struct IoctlFlags: u32 {
        /// A file system control; without it a device control, which is not supported.
        IS_FSCTL = 0x0000_0001;
    }
}

/// An IOCTL request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `CtlCode`.
    pub code: u32,
    /// The open it applies to; all ones for controls that need none.
    pub file_id: FileId,
    /// The input.
    pub input: &'a [u8],
    /// Most bytes of input that the reply may return.
    pub max_input_response: u32,
    /// Most bytes of output that the reply may carry.
    pub max_output_response: u32,
    /// `Flags`.
    pub flags: IoctlFlags,
}

impl<'a> Request<'a> {
    /// Parses the element `pdu`. An output buffer in a request has no meaning, but must lie within the element.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        r.skip(2)?;
        let code = r.u32()?;
        let file_id = FileId::read(&mut r)?;
        let input_at = size(r.u32()?)?;
        let input_len = size(r.u32()?)?;
        let max_input_response = r.u32()?;
        let output_at = size(r.u32()?)?;
        let output_len = size(r.u32()?)?;
        let max_output_response = r.u32()?;
        let flags = IoctlFlags::from_bits(r.u32()?);
        let input = body::buffer(pdu, REQUEST_SIZE, input_at, input_len)?;
        body::buffer(pdu, REQUEST_SIZE, output_at, output_len)?;
        Ok(Request {
            code,
            file_id,
            input,
            max_input_response,
            max_output_response,
            flags,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u16(0)?;
        w.u32(self.code)?;
        self.file_id.write(w)?;
        w.u32(u32::from(body::variable_at(REQUEST_SIZE)))?;
        w.u32(len32(self.input.len())?)?;
        w.u32(self.max_input_response)?;
        w.u32(0)?;
        w.u32(0)?;
        w.u32(self.max_output_response)?;
        w.u32(self.flags.bits())?;
        w.u32(0)?;
        w.bytes(self.input)?;
        body::pad_empty(w, self.input.len())
    }
}

/// An IOCTL reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `CtlCode`.
    pub code: u32,
    /// The request's.
    pub file_id: FileId,
    /// The input, if the server returns it. Not written.
    pub input: &'a [u8],
    /// The output.
    pub output: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REPLY_SIZE)?;
        r.skip(2)?;
        let code = r.u32()?;
        let file_id = FileId::read(&mut r)?;
        let input_at = size(r.u32()?)?;
        let input_len = size(r.u32()?)?;
        let output_at = size(r.u32()?)?;
        let output_len = size(r.u32()?)?;
        let input = body::buffer(pdu, REPLY_SIZE, input_at, input_len)?;
        let output = body::buffer(pdu, REPLY_SIZE, output_at, output_len)?;
        Ok(Reply {
            code,
            file_id,
            input,
            output,
        })
    }

    /// Appends the body, without input.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let buffer = Self::begin(w, self.code, self.file_id)?;
        w.bytes(self.output)?;
        buffer.finish(w).map(|_| ())
    }

    /// Appends the fixed part, for a caller that writes the output into `w` itself and then calls [`Buffer::finish`].
    pub fn begin(w: &mut Writer<'_>, code: u32, file_id: FileId) -> Result<Buffer, Full> {
        let data_at = u32::from(body::variable_at(REPLY_SIZE));
        w.u16(REPLY_SIZE)?;
        w.u16(0)?;
        w.u32(code)?;
        file_id.write(w)?;
        w.u32(data_at)?;
        w.u32(0)?;
        // Windows keeps both offsets at the buffer's start when there is no output.
        w.u32(data_at)?;
        let length_at = w.mark();
        w.u32(0)?;
        w.u32(0)?;
        w.u32(0)?;
        Ok(Buffer {
            offset_field: OffsetField::Fixed,
            length_at,
            start: w.mark(),
            pad_empty: true,
        })
    }
}
