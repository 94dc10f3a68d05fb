// SPDX-License-Identifier: GPL-2.0

//! As much DER (ITU-T X.690) as SPNEGO needs: single-byte tags and definite lengths.

use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// ENUMERATED.
pub const ENUMERATED: u8 = 0x0A;
/// GeneralString.
pub const GENERAL_STRING: u8 = 0x1B;
/// SEQUENCE, constructed.
pub const SEQUENCE: u8 = 0x30;
/// `[APPLICATION 0]`, constructed: the frame of a GSS-API token (RFC 2743 3.1).
pub const APPLICATION_0: u8 = 0x60;

/// Context-specific constructed tag `[number]`, for numbers below 31.
pub const fn context(number: u8) -> u8 {
    0xA0 | (number & 0x1F)
}

/// One element: its tag, its content, and the bytes of both with the length between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier byte.
    pub tag: u8,
    /// What the length counts.
    pub content: &'a [u8],
    /// The whole encoding.
    pub whole: &'a [u8],
}

/// A cursor over a series of elements.
#[derive(Clone, Copy, Debug)]
pub struct Der<'a>(Reader<'a>);

impl<'a> Der<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Der(Reader::new(bytes))
    }

    /// Whether all is taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    ///
    /// # Errors
    ///
    /// `Malformed` at the end, for a tag of several bytes, an indefinite length, one of more than four bytes, or one that
    /// leaves the input.
    pub fn element(&mut self) -> Parsed<Element<'a>> {
        let start = self.0.rest();
        let tag = self.0.u8()?;
        if tag & 0x1F == 0x1F {
            return Err(Malformed);
        }
        let len = self.length()?;
        let content = self.0.take(len)?;
        let used = start
            .len()
            .checked_sub(self.0.remaining())
            .ok_or(Malformed)?;
        let whole = start.get(..used).ok_or(Malformed)?;
        Ok(Element {
            tag,
            content,
            whole,
        })
    }

    /// The content of the next element, which must have this tag.
    ///
    /// # Errors
    ///
    /// `Malformed` as [`Der::element`], or for another tag.
    pub fn expect(&mut self, tag: u8) -> Parsed<&'a [u8]> {
        let element = self.element()?;
        if element.tag != tag {
            return Err(Malformed);
        }
        Ok(element.content)
    }

    /// The content of the next element if it has this tag; otherwise nothing is taken.
    ///
    /// # Errors
    ///
    /// `Malformed` if the element that begins there is.
    pub fn optional(&mut self, tag: u8) -> Parsed<Option<&'a [u8]>> {
        if self.0.rest().first() != Some(&tag) {
            return Ok(None);
        }
        self.expect(tag).map(Some)
    }

    fn length(&mut self) -> Parsed<usize> {
        let first = self.0.u8()?;
        let count = first & 0x7F;
        if first & 0x80 == 0 {
            return Ok(usize::from(count));
        }
        if count == 0 || count > 4 {
            return Err(Malformed);
        }
        let mut len = 0u32;
        for _ in 0..count {
            len = (len << 8) | u32::from(self.0.u8()?);
        }
        usize::try_from(len).map_err(|_| Malformed)
    }
}

/// The only element of `bytes`, which must have this tag and end with them.
///
/// # Errors
///
/// `Malformed` otherwise.
pub fn only(bytes: &[u8], tag: u8) -> Parsed<&[u8]> {
    let mut der = Der::new(bytes);
    let content = der.expect(tag)?;
    if !der.is_empty() {
        return Err(Malformed);
    }
    Ok(content)
}

/// An element to write, as a tree on the caller's stack: lengths come before contents in DER, so the tree is measured first.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// Nothing: an optional element that is absent.
    Absent,
    /// Bytes that are DER already.
    Raw(&'a [u8]),
    /// A tag and its content.
    Leaf(u8, &'a [u8]),
    /// A tag around further elements.
    Branch(u8, &'a [Node<'a>]),
}

impl Node<'_> {
    /// Bytes that [`Node::write`] appends.
    pub fn size(&self) -> usize {
        match self {
            Node::Absent => 0,
            Node::Raw(bytes) => bytes.len(),
            Node::Leaf(_, _) | Node::Branch(_, _) => {
                let content = self.content_size();
                content
                    .saturating_add(length_size(content))
                    .saturating_add(1)
            }
        }
    }

    /// Appends the element.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        match self {
            Node::Absent => Ok(()),
            Node::Raw(bytes) => w.bytes(bytes),
            Node::Leaf(tag, content) => {
                w.u8(*tag)?;
                write_length(w, content.len())?;
                w.bytes(content)
            }
            Node::Branch(tag, children) => {
                w.u8(*tag)?;
                write_length(w, self.content_size())?;
                for child in *children {
                    child.write(w)?;
                }
                Ok(())
            }
        }
    }

    fn content_size(&self) -> usize {
        match self {
            Node::Absent => 0,
            Node::Raw(content) | Node::Leaf(_, content) => content.len(),
            Node::Branch(_, children) => children
                .iter()
                .fold(0usize, |sum, child| sum.saturating_add(child.size())),
        }
    }
}

/// Bytes that the shortest encoding of the length `len` takes.
fn length_size(len: usize) -> usize {
    match len {
        0..=0x7F => 1,
        0x80..=0xFF => 2,
        0x100..=0xFFFF => 3,
        0x1_0000..=0xFF_FFFF => 4,
        _ => 5,
    }
}

fn write_length(w: &mut Writer<'_>, len: usize) -> Written {
    let [a, b, c, d] = u32::try_from(len)
        .map_err(|_| crate::wire::Full)?
        .to_be_bytes();
    match length_size(len) {
        1 => w.u8(d),
        2 => w.bytes(&[0x81, d]),
        3 => w.bytes(&[0x82, c, d]),
        4 => w.bytes(&[0x83, b, c, d]),
        _ => w.bytes(&[0x84, a, b, c, d]),
    }
}
