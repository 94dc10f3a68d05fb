// SPDX-License-Identifier: GPL-2.0

//! UTF-16LE text as SMB2 carries it ([MS-SMB2] 2.2, [MS-DTYP] 2.1.1), and its way to and from UTF-8.
//!
//! A lone surrogate has no UTF-8 form: text with one is malformed here, so that no two wire names share a local one.

use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Why text could not be converted into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// The text has a lone surrogate, or an odd number of bytes.
    Malformed,
    /// The output has no room.
    Full,
}

impl From<Malformed> for TextError {
    fn from(_: Malformed) -> Self {
        TextError::Malformed
    }
}

impl From<Full> for TextError {
    fn from(_: Full) -> Self {
        TextError::Full
    }
}

/// UTF-16LE text in a message.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Utf16<'a>(pub &'a [u8]);

impl<'a> Utf16<'a> {
    /// Text over `bytes`.
    ///
    /// # Errors
    ///
    /// `Malformed` if their number is odd. Surrogates are not looked at here.
    pub fn new(bytes: &'a [u8]) -> Parsed<Self> {
        if bytes.len() & 1 != 0 {
            return Err(Malformed);
        }
        Ok(Utf16(bytes))
    }

    /// The bytes on the wire.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Length in 16-bit units.
    pub fn units(self) -> usize {
        self.0.len() >> 1
    }

    /// Whether there is no text.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The 16-bit units in order. An odd last byte is left out.
    pub fn code_units(self) -> Units<'a> {
        Units(Reader::new(self.0))
    }

    /// The characters in order; a lone surrogate yields `Malformed`, after which iteration goes on.
    pub fn chars(self) -> Chars<'a> {
        Chars(self.code_units())
    }

    /// Number of bytes that the text has as UTF-8.
    ///
    /// # Errors
    ///
    /// `Malformed` for a lone surrogate.
    pub fn utf8_len(self) -> Parsed<usize> {
        let mut len = 0usize;
        for c in self.chars() {
            len = len.saturating_add(c?.len_utf8());
        }
        Ok(len)
    }

    /// Appends the text as UTF-8. What was appended before an error stays.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    pub fn to_utf8(self, w: &mut Writer<'_>) -> Result<(), TextError> {
        // Most names are ASCII, from the beginning on at least.
        let units = w.room().min(self.units());
        let ascii = w.fill_with(units, |room| {
            let mut count = 0usize;
            for (to, unit) in room.iter_mut().zip(self.0.chunks_exact(2)) {
                match unit {
                    [low, 0] if low.is_ascii() => *to = *low,
                    _ => break,
                }
                count = count.wrapping_add(1);
            }
            count
        })?;
        let rest = self.0.get(ascii << 1..).unwrap_or(&[]);
        for c in Utf16(rest).chars() {
            write_utf8_char(w, c?)?;
        }
        Ok(())
    }

    /// Converts the text into `buf` and lends it as a string.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    pub fn to_str_in(self, buf: &mut [u8]) -> Result<&str, TextError> {
        let mut w = Writer::new(buf);
        self.to_utf8(&mut w)?;
        let len = w.len();
        let text = buf.get(..len).ok_or(TextError::Full)?;
        core::str::from_utf8(text).map_err(|_| TextError::Malformed)
    }

    /// The text up to its first NUL.
    pub fn until_nul(self) -> Utf16<'a> {
        let mut len = 0usize;
        for unit in self.code_units() {
            if unit == 0 {
                break;
            }
            len = len.saturating_add(2);
        }
        Utf16(self.0.get(..len).unwrap_or(self.0))
    }

    /// Whether both are the same characters, letters taken without case. Malformed text equals nothing.
    pub fn eq_ignore_case(self, other: Utf16<'_>) -> bool {
        let mut theirs = other.chars();
        for mine in self.chars() {
            match (mine, theirs.next()) {
                (Ok(a), Some(Ok(b))) if same_letter(a, b) => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }

    /// Whether the text is `text`.
    pub fn eq_str(self, text: &str) -> bool {
        let mut theirs = text.encode_utf16();
        for unit in self.code_units() {
            if theirs.next() != Some(unit) {
                return false;
            }
        }
        theirs.next().is_none()
    }

    /// Whether the text is `text`, letters taken without case.
    pub fn eq_str_ignore_case(self, text: &str) -> bool {
        let mut theirs = text.chars();
        for mine in self.chars() {
            match (mine, theirs.next()) {
                (Ok(a), Some(b)) if same_letter(a, b) => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl core::fmt::Debug for Utf16<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Write::write_char(f, '"')?;
        for c in self.chars() {
            core::fmt::Write::write_char(f, c.unwrap_or(char::REPLACEMENT_CHARACTER))?;
        }
        core::fmt::Write::write_char(f, '"')
    }
}

/// Iterator over 16-bit units.
#[derive(Clone, Copy, Debug)]
pub struct Units<'a>(Reader<'a>);

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.0.u16().ok()
    }
}

/// Iterator over characters.
#[derive(Clone, Copy, Debug)]
pub struct Chars<'a>(Units<'a>);

impl Iterator for Chars<'_> {
    type Item = Parsed<char>;

    fn next(&mut self) -> Option<Parsed<char>> {
        let first = self.0.next()?;
        // A surrogate is no char, so `from_u32` tells the plain case.
        if let Some(c) = char::from_u32(u32::from(first)) {
            return Some(Ok(c));
        }
        if first & 0xFC00 != 0xD800 {
            return Some(Err(Malformed));
        }
        let mut ahead = self.0;
        match ahead.next() {
            Some(second) if second & 0xFC00 == 0xDC00 => {
                self.0 = ahead;
                let high = u32::from(first & 0x3FF) << 10;
                let code = (high | u32::from(second & 0x3FF)).wrapping_add(0x1_0000);
                Some(char::from_u32(code).ok_or(Malformed))
            }
            _ => Some(Err(Malformed)),
        }
    }
}

/// The simple upper case of a character: itself where the full mapping is not exactly one character.
pub fn upcase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Whether two characters differ in case at most.
pub fn same_letter(a: char, b: char) -> bool {
    a == b || upcase(a) == upcase(b)
}

/// Number of bytes that `text` has as UTF-16.
pub fn utf16_len(text: &str) -> usize {
    text.chars()
        .fold(0usize, |len, c| len.saturating_add(c.len_utf16() << 1))
}

/// Appends `text` as UTF-16LE, without a terminator.
///
/// # Errors
///
/// `Full`; what was appended before stays.
pub fn write_utf16(w: &mut Writer<'_>, text: &str) -> Written {
    for c in text.chars() {
        write_utf16_char(w, c)?;
    }
    Ok(())
}

/// Appends one character as UTF-16LE.
///
/// # Errors
///
/// `Full`.
pub fn write_utf16_char(w: &mut Writer<'_>, c: char) -> Written {
    let code = u32::from(c);
    match u16::try_from(code) {
        Ok(unit) => w.u16(unit),
        Err(_) => {
            let over = code.wrapping_sub(0x1_0000);
            let high = 0xD800 | ((over >> 10) & 0x3FF);
            let low = 0xDC00 | (over & 0x3FF);
            // Little-endian: the first unit is the lower half.
            w.u32((low << 16) | high)
        }
    }
}

/// Appends one character as UTF-8.
///
/// # Errors
///
/// `Full`.
pub fn write_utf8_char(w: &mut Writer<'_>, c: char) -> Written {
    let code = u32::from(c);
    let tail = |shift: u32| low_byte(0x80 | ((code >> shift) & 0x3F));
    match c.len_utf8() {
        1 => w.u8(low_byte(code)),
        2 => w.bytes(&[low_byte(0xC0 | (code >> 6)), tail(0)]),
        3 => w.bytes(&[low_byte(0xE0 | (code >> 12)), tail(6), tail(0)]),
        _ => w.bytes(&[low_byte(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)]),
    }
}

fn low_byte(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// Text from either side: as a message carried it, or as the local side holds it. Writers take it, so that a name need not
/// be converted before it is written.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// UTF-16LE from a message.
    Wire(Utf16<'a>),
    /// UTF-8.
    Str(&'a str),
    /// Bytes meant as UTF-8, such as a file name from disk: what is not UTF-8 becomes U+FFFD.
    Lossy(&'a [u8]),
}

impl Text<'_> {
    /// No text.
    pub const EMPTY: Text<'static> = Text::Str("");

    /// Number of bytes as UTF-16.
    pub fn wire_len(&self) -> usize {
        match self {
            Text::Wire(text) => text.0.len(),
            Text::Str(text) => utf16_len(text),
            Text::Lossy(bytes) => bytes.utf8_chunks().fold(0usize, |len, chunk| {
                let bad = if chunk.invalid().is_empty() { 0 } else { 2 };
                len.saturating_add(utf16_len(chunk.valid()))
                    .saturating_add(bad)
            }),
        }
    }

    /// Appends the text as UTF-16LE.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        match self {
            Text::Wire(text) => w.bytes(text.0),
            Text::Str(text) => write_utf16(w, text),
            Text::Lossy(bytes) => {
                for chunk in bytes.utf8_chunks() {
                    write_utf16(w, chunk.valid())?;
                    if !chunk.invalid().is_empty() {
                        write_utf16_char(w, char::REPLACEMENT_CHARACTER)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Appends as much of the text as `room` bytes hold, whole units only; a character of two units may be cut, as
    /// replies that end in `STATUS_BUFFER_OVERFLOW` do.
    ///
    /// # Errors
    ///
    /// `Full` if the output itself is shorter than that.
    pub fn write_clipped(&self, w: &mut Writer<'_>, room: usize) -> Written {
        let room = room & !1;
        match self {
            Text::Wire(text) => w.bytes(text.0.get(..room).unwrap_or(text.0)),
            Text::Str(text) => clip(w, room, text.chars()),
            Text::Lossy(bytes) => {
                let mut left = room;
                for chunk in bytes.utf8_chunks() {
                    let from = w.mark();
                    clip(w, left, chunk.valid().chars())?;
                    if !chunk.invalid().is_empty() {
                        clip(
                            w,
                            left.saturating_sub(w.since(from)),
                            [char::REPLACEMENT_CHARACTER].into_iter(),
                        )?;
                    }
                    left = left.saturating_sub(w.since(from));
                }
                Ok(())
            }
        }
    }

    /// Appends the text as UTF-8.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    pub fn to_utf8(&self, w: &mut Writer<'_>) -> Result<(), TextError> {
        match self {
            Text::Wire(text) => text.to_utf8(w),
            Text::Str(text) => Ok(w.bytes(text.as_bytes())?),
            Text::Lossy(bytes) => Ok(w.bytes(bytes)?),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        match self {
            Text::Wire(text) => text.is_empty(),
            Text::Str(text) => text.is_empty(),
            Text::Lossy(bytes) => bytes.is_empty(),
        }
    }

    /// Whether the text is `text`.
    pub fn eq_str(&self, text: &str) -> bool {
        match self {
            Text::Wire(wire) => wire.eq_str(text),
            Text::Str(own) => *own == text,
            Text::Lossy(bytes) => *bytes == text.as_bytes(),
        }
    }
}

fn clip(w: &mut Writer<'_>, room: usize, chars: impl Iterator<Item = char>) -> Written {
    let mut left = room;
    for c in chars {
        let len = c.len_utf16() << 1;
        if len <= left {
            write_utf16_char(w, c)?;
            left = left.saturating_sub(len);
            continue;
        }
        if left >= 2 {
            let high = 0xD800 | ((u32::from(c).wrapping_sub(0x1_0000) >> 10) & 0x3FF);
            w.u16(u16::try_from(high).unwrap_or(0xD800))?;
        }
        return Ok(());
    }
    Ok(())
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text::Str(text)
    }
}

impl<'a> From<Utf16<'a>> for Text<'a> {
    fn from(text: Utf16<'a>) -> Self {
        Text::Wire(text)
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Text::EMPTY
    }
}

/// Text is equal if it is the same characters, whichever side it comes from. Malformed wire text equals only its own bytes.
impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Text::Wire(a), Text::Wire(b)) => a == b,
            (Text::Str(a), b) | (b, Text::Str(a)) => b.eq_str(a),
            (Text::Lossy(a), Text::Lossy(b)) => a == b,
            (Text::Wire(a), Text::Lossy(b)) | (Text::Lossy(b), Text::Wire(a)) => {
                core::str::from_utf8(b).is_ok_and(|text| a.eq_str(text))
            }
        }
    }
}

impl Eq for Text<'_> {}
