// SPDX-License-Identifier: GPL-2.0

//! CHANGE_NOTIFY, [MS-SMB2] 2.2.35 and 2.2.36, and FILE_NOTIFY_INFORMATION, [MS-FSCC] 2.7.1.

use crate::body::{self, len32, size};
use crate::header::FileId;
use crate::unicode::Utf16;
use crate::wire::{Malformed, Mark, Parsed, Reader, Writer, Written};

pub use crate::body::BufferReply as Reply;

const REQUEST_SIZE: u16 = 32;

/// Records start at multiples of this.
const ALIGNMENT: usize = 4;

flags! {
    /// `Flags` of the request.
    pub struct NotifyFlags: u16 {
        /// The tree below the directory too.
        WATCH_TREE = 0x0001;
    }
}

flags! {
    /// `CompletionFilter`: the changes of interest.
    pub struct CompletionFilter: u32 {
        /// Names of files.
        FILE_NAME = 0x0000_0001;
        /// Names of directories.
        DIR_NAME = 0x0000_0002;
        /// Attributes.
        ATTRIBUTES = 0x0000_0004;
        /// Size.
        SIZE = 0x0000_0008;
        /// Time of last write.
        LAST_WRITE = 0x0000_0010;
        /// Time of last access.
        LAST_ACCESS = 0x0000_0020;
        /// Time of creation.
        CREATION = 0x0000_0040;
        /// Extended attributes.
        EA = 0x0000_0080;
        /// Security descriptor.
        SECURITY = 0x0000_0100;
        /// Streams added, removed or renamed.
        STREAM_NAME = 0x0000_0200;
        /// Size of a stream.
        STREAM_SIZE = 0x0000_0400;
        /// Data of a stream.
        STREAM_WRITE = 0x0000_0800;
    }
}

open_enum! {
    /// `Action` of a record.
    pub struct Action: u32 {
        /// Added.
        ADDED = 1;
        /// Removed.
        REMOVED = 2;
        /// Changed.
        MODIFIED = 3;
        /// The old name of what was renamed.
        RENAMED_OLD_NAME = 4;
        /// The new name.
        RENAMED_NEW_NAME = 5;
        /// A stream was added.
        ADDED_STREAM = 6;
        /// A stream was removed.
        REMOVED_STREAM = 7;
        /// A stream was changed.
        MODIFIED_STREAM = 8;
        /// An object id went because its file was removed.
        REMOVED_BY_DELETE = 9;
        /// An object id could not follow its file.
        ID_NOT_TUNNELLED = 10;
        /// An object id collided when it followed its file.
        TUNNELLED_ID_COLLISION = 11;
    }
}

/// A CHANGE_NOTIFY request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `Flags`.
    pub flags: NotifyFlags,
    /// Most bytes that the reply may carry.
    pub output_buffer_length: u32,
    /// The open directory.
    pub file_id: FileId,
    /// `CompletionFilter`.
    pub filter: CompletionFilter,
}

impl Request {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, REQUEST_SIZE)?;
        Ok(Request {
            flags: NotifyFlags::from_bits(r.u16()?),
            output_buffer_length: r.u32()?,
            file_id: FileId::read(&mut r)?,
            filter: CompletionFilter::from_bits(r.u32()?),
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(REQUEST_SIZE)?;
        w.u16(self.flags.bits())?;
        w.u32(self.output_buffer_length)?;
        self.file_id.write(w)?;
        w.u32(self.filter.bits())?;
        w.u32(0)
    }
}

/// A change, FILE_NOTIFY_INFORMATION.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What happened.
    pub action: Action,
    /// To what, relative to the directory.
    pub name: Utf16<'a>,
}

/// Length in bytes of a record with a name of `name_len` bytes, padding included.
pub fn record_len(name_len: usize) -> usize {
    let len = name_len.saturating_add(12);
    len.saturating_add(len.wrapping_neg() & (ALIGNMENT - 1))
}

/// Appends records to a buffer.
#[derive(Debug, Default)]
pub struct RecordWriter {
    last: Option<Mark>,
}

impl RecordWriter {
    /// A writer that has written nothing.
    pub fn new() -> Self {
        RecordWriter { last: None }
    }

    /// Appends `record`, its name padded so that another record may follow. On failure `w` is as it was.
    pub fn add(&mut self, w: &mut Writer<'_>, record: &Record<'_>) -> Written {
        let start = w.mark();
        let written = self.append(w, record);
        if written.is_err() {
            w.rewind(start);
        }
        written
    }

    fn append(&mut self, w: &mut Writer<'_>, record: &Record<'_>) -> Written {
        let start = w.mark();
        w.u32(0)?;
        w.u32(record.action.0)?;
        w.u32(len32(record.name.0.len())?)?;
        w.bytes(record.name.0)?;
        w.align(start, ALIGNMENT)?;
        // Patched last: nothing refers to a record that did not fit.
        if let Some(last) = self.last {
            let both = w.since(last);
            let distance = both.saturating_sub(w.since(start));
            w.patch_u32(last, len32(distance)?)?;
        }
        self.last = Some(start);
        Ok(())
    }
}

/// Iterates over the records of a reply; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Records<'a> {
    /// Over the data of a reply.
    pub fn new(data: &'a [u8]) -> Self {
        Records {
            rest: (!data.is_empty()).then_some(data),
        }
    }

    fn record(&mut self, bytes: &'a [u8]) -> Parsed<Record<'a>> {
        let mut r = Reader::new(bytes);
        let distance = size(r.u32()?)?;
        let action = Action(r.u32()?);
        let len = size(r.u32()?)?;
        let name = Utf16::new(r.take(len)?)?;
        if distance != 0 {
            if distance & (ALIGNMENT - 1) != 0 || distance < record_len(len) {
                return Err(Malformed);
            }
            self.rest = Some(bytes.get(distance..).ok_or(Malformed)?);
        }
        Ok(Record { action, name })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Parsed<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.take()?;
        Some(self.record(bytes))
    }
}
