// SPDX-License-Identifier: GPL-2.0

//! Compound chains, [MS-SMB2] 2.2.1 (`NextCommand`) and 3.3.5.2.7: a frame is split into its elements once, and every
//! parser is then given one element.

use zerocopy::IntoBytes;

use crate::body::len32;
use crate::header::{Header, HEADER_LEN, NEXT_COMMAND_AT};
use crate::wire::{Full, Malformed, Mark, Parsed, Writer, Written};

/// Distances between elements are multiples of this.
pub const ALIGNMENT: usize = 8;

/// Shortest element: a header, and the `StructureSize` of a body.
pub const MIN_ELEMENT_LEN: usize = HEADER_LEN + 2;

/// One message of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its header.
    pub header: Header,
    /// Its bytes from the header on: up to the next element, padding included, or to the end of the frame. A signature covers
    /// exactly these.
    pub pdu: &'a [u8],
    /// Whether it is the last of the chain.
    pub last: bool,
}

/// A frame whose chain is known to be sound.
///
/// # Invariants
///
/// `first_element` succeeds on `frame` and on every rest of it up to the element that is last.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    frame: &'a [u8],
    len: usize,
}

/// Checks every element of `frame`: protocol identifier, `StructureSize` of the header, alignment and range of
/// `NextCommand`.
///
/// # Errors
///
/// [`Malformed`] if any element fails.
pub fn split(frame: &[u8]) -> Parsed<Chain<'_>> {
    let mut rest = frame;
    let mut len = 0usize;
    loop {
        let (element, tail) = first_element(rest)?;
        len = len.saturating_add(1);
        if element.last {
            return Ok(Chain { frame, len });
        }
        rest = tail;
    }
}

impl<'a> Chain<'a> {
    /// Number of elements, at least 1.
    pub fn count(&self) -> usize {
        self.len
    }

    /// Whether there is more than one element.
    pub fn is_compound(&self) -> bool {
        self.len > 1
    }

    /// The elements, first to last.
    pub fn elements(&self) -> Elements<'a> {
        Elements {
            rest: Some(self.frame),
        }
    }
}

impl<'a> IntoIterator for Chain<'a> {
    type Item = Element<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.elements()
    }
}

/// Iterates over the elements of a [`Chain`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (element, tail) = first_element(self.rest.take()?).ok()?;
        if !element.last {
            self.rest = Some(tail);
        }
        Some(element)
    }
}

/// The first element of `bytes` and what follows it.
fn first_element(bytes: &[u8]) -> Parsed<(Element<'_>, &[u8])> {
    let header = Header::parse(bytes)?;
    let distance = usize::try_from(header.next_command()).map_err(|_| Malformed)?;
    let last = distance == 0;
    if distance & (ALIGNMENT - 1) != 0 {
        return Err(Malformed);
    }
    let (pdu, tail) = if last {
        (bytes, [].as_slice())
    } else {
        bytes.split_at_checked(distance).ok_or(Malformed)?
    };
    if pdu.len() < MIN_ELEMENT_LEN {
        return Err(Malformed);
    }
    Ok((Element { header, pdu, last }, tail))
}

/// An element of a chain while it is being written.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    start: Mark,
    next_command_at: Mark,
}

impl Open {
    /// Appends `header`. The body is to follow.
    pub fn begin(w: &mut Writer<'_>, header: &Header) -> Result<Self, Full> {
        let start = w.mark();
        let (before, after) = header
            .as_bytes()
            .split_first_chunk::<NEXT_COMMAND_AT>()
            .ok_or(Full)?;
        w.bytes(before)?;
        let next_command_at = w.mark();
        w.bytes(after)?;
        Ok(Open {
            start,
            next_command_at,
        })
    }

    /// Where the element's header starts.
    pub fn start(&self) -> Mark {
        self.start
    }

    /// Ends the element before another one: pads it and patches its `NextCommand`. Not for the last element.
    pub fn link(self, w: &mut Writer<'_>) -> Written {
        w.align(self.start, ALIGNMENT)?;
        let distance = len32(w.since(self.start))?;
        w.patch_u32(self.next_command_at, distance)
    }
}
