// SPDX-License-Identifier: GPL-2.0

//! Strings: with a NUL ([C706] 14.3.4), and counted ([MS-DTYP] 2.3.10, [MS-LSAD] 2.2.3.1).

use super::{Align, BadStub, Decode, Decoded, Decoder, Encode, Encoder, Syntax};

/// Most characters of a counted string.
const MOST_UNITS: usize = 0x7fff;

/// A string of 16-bit characters with its NUL: `[string] wchar_t *` without the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WStr(pub String);

impl Align for WStr {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl Encode for WStr {
    fn put(&self, e: &mut Encoder) {
        let units: Vec<u16> = self.0.encode_utf16().chain([0]).collect();
        e.word(units.len());
        e.word(0);
        e.word(units.len());
        units.iter().for_each(|unit| e.bytes(&unit.to_le_bytes()));
    }
}

impl Decode for WStr {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        varying_units(d).map(|units| WStr(text(&units)))
    }
}

/// Text of 16-bit characters up to a NUL.
fn text(units: &[u16]) -> String {
    let end = units
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or(units))
}

/// A conformant and varying array of 16-bit units.
fn varying_units(d: &mut Decoder<'_>) -> Decoded<Vec<u16>> {
    let (most, offset, count) = (d.word()?, d.word()?, d.word()?);
    if offset != 0 || count > most {
        return Err(BadStub);
    }
    let bytes = d.take(count.checked_mul(2).ok_or(BadStub)?)?;
    Ok(bytes
        .chunks_exact(2)
        .map(|unit| {
            unit.iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | u16::from(*byte))
        })
        .collect())
}

/// A counted string as `RPC_UNICODE_STRING` ([MS-DTYP] 2.3.10): no NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnicodeString {
    text: Option<String>,
    pending: bool,
    /// Characters that the buffer has room for behind the text.
    room: u16,
}

impl UnicodeString {
    /// The string `text`.
    pub fn new(text: &str) -> Self {
        UnicodeString {
            text: Some(text.to_owned()),
            pending: false,
            room: 0,
        }
    }

    /// The string `text` with room for a NUL: Windows takes names of domains for strings that end with one.
    pub fn with_room(text: &str) -> Self {
        UnicodeString {
            room: 1,
            ..UnicodeString::new(text)
        }
    }

    /// The string; empty if there is none.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The characters, as many as the length's 16 bits can count.
    fn units(&self) -> Vec<u16> {
        self.text()
            .encode_utf16()
            .take(MOST_UNITS.saturating_sub(usize::from(self.room)))
            .collect()
    }
}

impl Align for UnicodeString {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl Encode for UnicodeString {
    fn put(&self, e: &mut Encoder) {
        let size = u16::try_from(self.units().len() * 2).unwrap_or(u16::MAX - 1);
        e.align(e.syntax.word());
        size.put(e);
        size.saturating_add(self.room.saturating_mul(2)).put(e);
        match self.text {
            Some(_) => e.reference(),
            None => e.word(0),
        }
    }

    fn put_deferred(&self, e: &mut Encoder) {
        if self.text.is_some() {
            let units = self.units();
            e.word(units.len().saturating_add(usize::from(self.room)));
            e.word(0);
            e.word(units.len());
            units.iter().for_each(|unit| e.bytes(&unit.to_le_bytes()));
        }
    }
}

impl Decode for UnicodeString {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        d.align(d.syntax.word())?;
        let (size, most) = (u16::get(d)?, u16::get(d)?);
        Ok(UnicodeString {
            text: None,
            pending: d.word()? != 0,
            room: most.saturating_sub(size) / 2,
        })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        if self.pending {
            self.text = Some(text(&varying_units(d)?));
            self.pending = false;
        }
        Ok(())
    }
}

/// A counted string of bytes, `RPC_STRING` ([MS-LSAD] 2.2.3.1 and [MS-SAMR] 2.2.3.1), in the server's code page: what is not
/// ASCII is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsiString {
    text: Option<String>,
    pending: bool,
}

impl AnsiString {
    /// The string `text`.
    pub fn new(text: &str) -> Self {
        let replace = |c: char| if c.is_ascii() { c } else { '?' };
        AnsiString {
            text: Some(text.chars().map(replace).take(MOST_UNITS).collect()),
            pending: false,
        }
    }

    /// The string; empty if there is none.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

impl Align for AnsiString {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl Encode for AnsiString {
    fn put(&self, e: &mut Encoder) {
        let size = u16::try_from(self.text().len()).unwrap_or(u16::MAX);
        e.align(e.syntax.word());
        size.put(e);
        size.put(e);
        match self.text {
            Some(_) => e.reference(),
            None => e.word(0),
        }
    }

    fn put_deferred(&self, e: &mut Encoder) {
        if let Some(text) = &self.text {
            e.word(text.len());
            e.word(0);
            e.word(text.len());
            e.bytes(text.as_bytes());
        }
    }
}

impl Decode for AnsiString {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        d.align(d.syntax.word())?;
        let (_size, _most) = (u16::get(d)?, u16::get(d)?);
        Ok(AnsiString {
            text: None,
            pending: d.word()? != 0,
        })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        if self.pending {
            let (most, offset, count) = (d.word()?, d.word()?, d.word()?);
            if offset != 0 || count > most {
                return Err(BadStub);
            }
            let bytes = d.take(count)?;
            self.text = Some(String::from_utf8_lossy(bytes).into_owned());
            self.pending = false;
        }
        Ok(())
    }
}
