// SPDX-License-Identifier: GPL-2.0

//! The ERROR reply, [MS-SMB2] 2.2.2, its error contexts (2.2.2.1) and its error data (2.2.2.2).

use crate::body::{self, len16, len32, size};
use crate::unicode::Utf16;
use crate::wire::{slice_at, Full, Malformed, Parsed, Reader, Writer, Written};

const SIZE: u16 = 9;

open_enum! {
    /// What an error context holds.
    pub struct ErrorId: u32 {
        /// The data that the status calls for.
        DEFAULT = 0;
        /// A share redirect, 2.2.2.2.2.
        SHARE_REDIRECT = 0x7264_5253;
    }
}

/// An ERROR reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Number of error contexts in `data`; 0 before 3.1.1, where `data` is the bare error data.
    context_count: u8,
    data: &'a [u8],
}

impl<'a> Reply<'a> {
    /// An error without data.
    pub const EMPTY: Reply<'static> = Reply {
        context_count: 0,
        data: &[],
    };

    /// Parses the element `pdu`.
    pub fn parse(pdu: &'a [u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, SIZE)?;
        let context_count = r.u8()?;
        r.skip(1)?;
        let len = size(r.u32()?)?;
        let data = r.take(len)?;
        let reply = Reply {
            context_count,
            data,
        };
        for context in reply.contexts() {
            context?;
        }
        Ok(reply)
    }

    /// The bare error data, of a reply without contexts.
    pub fn bare_data(&self) -> Option<&'a [u8]> {
        (self.context_count == 0).then_some(self.data)
    }

    /// The error data, bare or in the first default context.
    pub fn data(&self) -> Option<&'a [u8]> {
        if self.context_count == 0 {
            return Some(self.data);
        }
        self.contexts()
            .flatten()
            .find(|context| context.id == ErrorId::DEFAULT)
            .map(|context| context.data)
    }

    /// The error contexts.
    pub fn contexts(&self) -> Contexts<'a> {
        Contexts {
            left: self.context_count,
            rest: self.data,
        }
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(SIZE)?;
        w.u8(self.context_count)?;
        w.u8(0)?;
        w.u32(len32(self.data.len())?)?;
        w.bytes(self.data)?;
        body::pad_empty(w, self.data.len())
    }

    /// Appends the body of an error with `data`: in one default context if `with_context` (3.1.1), else bare.
    pub fn write_data(w: &mut Writer<'_>, data: &[u8], with_context: bool) -> Written {
        Self::write_with(w, with_context, |w| w.bytes(data))
    }

    /// As [`Reply::write_data`], with the data written by `fill`.
    pub fn write_with(
        w: &mut Writer<'_>,
        with_context: bool,
        fill: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        w.u16(SIZE)?;
        w.u8(u8::from(with_context))?;
        w.u8(0)?;
        let length_at = w.mark();
        w.u32(0)?;
        let start = w.mark();
        let context_length_at = w.mark();
        if with_context {
            w.u32(0)?;
            w.u32(ErrorId::DEFAULT.0)?;
        }
        let data_start = w.mark();
        fill(w)?;
        if with_context {
            let len = len32(w.since(data_start))?;
            w.patch_u32(context_length_at, len)?;
        }
        let len = w.since(start);
        w.patch_u32(length_at, len32(len)?)?;
        body::pad_empty(w, len)
    }
}

/// One error context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// What it holds.
    pub id: ErrorId,
    /// Its data.
    pub data: &'a [u8],
}

/// Iterates over error contexts.
#[derive(Clone, Debug)]
pub struct Contexts<'a> {
    left: u8,
    rest: &'a [u8],
}

impl<'a> Iterator for Contexts<'a> {
    type Item = Parsed<Context<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left = self.left.saturating_sub(1);
        let context = self.advance();
        if context.is_err() {
            self.left = 0;
        }
        Some(context)
    }
}

impl<'a> Contexts<'a> {
    fn advance(&mut self) -> Parsed<Context<'a>> {
        let mut r = Reader::new(self.rest);
        let len = size(r.u32()?)?;
        let id = ErrorId(r.u32()?);
        let data = r.take(len)?;
        // Contexts are 8-byte aligned; the last one carries no padding.
        let padding = len.wrapping_neg() & 7;
        if self.left > 0 {
            r.skip(padding)?;
        }
        self.rest = r.rest();
        Ok(Context { id, data })
    }
}

/// The symbolic link error data of `STATUS_STOPPED_ON_SYMLINK`, 2.2.2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symlink<'a> {
    /// Length in bytes of the tail of the request's name that lies behind the link.
    pub unparsed_path_len: u16,
    /// Whether the substitute name is relative to the directory that holds the link.
    pub relative: bool,
    /// Target to follow.
    pub substitute_name: Utf16<'a>,
    /// Target to show.
    pub print_name: Utf16<'a>,
}

impl<'a> Symlink<'a> {
    const ERROR_TAG: u32 = 0x4C4D_5953;
    const REPARSE_TAG: u32 = 0xA000_000C;
    const FLAG_RELATIVE: u32 = 1;
    /// Bytes between `SymLinkLength` and `PathBuffer`.
    const FIXED: usize = 24;
    /// Bytes between `UnparsedPathLength` and `PathBuffer`.
    const REPARSE_FIXED: usize = 12;

    /// Parses the error data.
    pub fn parse(data: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(data);
        let len = size(r.u32()?)?;
        let mut r = r.sub(len)?;
        if r.u32()? != Self::ERROR_TAG || r.u32()? != Self::REPARSE_TAG {
            return Err(Malformed);
        }
        let _reparse_len = r.u16()?;
        let unparsed_path_len = r.u16()?;
        let substitute = (usize::from(r.u16()?), usize::from(r.u16()?));
        let print = (usize::from(r.u16()?), usize::from(r.u16()?));
        let relative = r.u32()? & Self::FLAG_RELATIVE != 0;
        Ok(Symlink {
            unparsed_path_len,
            relative,
            substitute_name: Utf16::new(slice_at(r.rest(), substitute.0, substitute.1)?)?,
            print_name: Utf16::new(slice_at(r.rest(), print.0, print.1)?)?,
        })
    }

    /// Appends the error data.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let substitute = self.substitute_name.0;
        let print = self.print_name.0;
        let paths = substitute.len().checked_add(print.len()).ok_or(Full)?;
        w.u32(len32(paths.checked_add(Self::FIXED).ok_or(Full)?)?)?;
        w.u32(Self::ERROR_TAG)?;
        w.u32(Self::REPARSE_TAG)?;
        w.u16(len16(paths.checked_add(Self::REPARSE_FIXED).ok_or(Full)?)?)?;
        w.u16(self.unparsed_path_len)?;
        w.u16(0)?;
        w.u16(len16(substitute.len())?)?;
        w.u16(len16(substitute.len())?)?;
        w.u16(len16(print.len())?)?;
        w.u32(if self.relative {
            Self::FLAG_RELATIVE
        } else {
            0
        })?;
        w.bytes(substitute)?;
        w.bytes(print)
    }
}
