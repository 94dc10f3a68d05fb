// SPDX-License-Identifier: GPL-2.0

//! Unions ([C706] 14.3.8, [MS-RPCE] 2.2.5.3.4): what chooses the arm, and the arm that was chosen.

use super::{Align, Decode, Decoded, Decoder, Encode, Encoder, Enum, Syntax};

/// A union's discriminant, a level, and the arm that it chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level<T> {
    /// The level.
    pub level: u32,
    /// The arm.
    pub arm: T,
}

impl<T: Align> Align for Level<T> {
    fn alignment(syntax: Syntax) -> usize {
        T::alignment(syntax).max(4)
    }
}

impl<T: Encode> Encode for Level<T> {
    fn put(&self, e: &mut Encoder) {
        // NDR64 aligns the whole union as its widest arm; here all arms are pointers or as wide.
        if e.syntax == Syntax::Ndr64 {
            e.align(Self::alignment(e.syntax));
        }
        self.level.put(e);
        if e.syntax == Syntax::Ndr64 {
            e.align(Self::alignment(e.syntax));
        }
        self.arm.put(e);
    }

    fn put_deferred(&self, e: &mut Encoder) {
        self.arm.put_deferred(e);
    }
}

impl<T: Decode> Decode for Level<T> {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        let alignment = match d.syntax {
            Syntax::Ndr => 4,
            Syntax::Ndr64 => Self::alignment(d.syntax),
        };
        d.align(alignment)?;
        let level = u32::get(d)?;
        d.align(alignment)?;
        let arm = T::get(d)?;
        Ok(Level { level, arm })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        self.arm.get_deferred(d)
    }
}

/// A union whose discriminant is an enumeration, and the arm that it chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumLevel<T> {
    /// The discriminant.
    pub level: Enum,
    /// The arm.
    pub arm: T,
}

impl<T: Align> Align for EnumLevel<T> {
    fn alignment(syntax: Syntax) -> usize {
        T::alignment(syntax).max(Enum::alignment(syntax))
    }
}

impl<T: Encode> Encode for EnumLevel<T> {
    fn put(&self, e: &mut Encoder) {
        // Tag and arm are aligned as the widest arm of the union, in every one of these a pointer or as wide; NDR does so to the arm
        // alone, and the widest there is of four bytes or what this arm wants.
        let widest = match e.syntax {
            Syntax::Ndr => T::alignment(e.syntax).max(4),
            Syntax::Ndr64 => e.syntax.word(),
        };
        if e.syntax == Syntax::Ndr64 {
            e.align(widest);
        }
        self.level.put(e);
        e.align(widest);
        self.arm.put(e);
    }

    fn put_deferred(&self, e: &mut Encoder) {
        self.arm.put_deferred(e);
    }
}

impl<T: Decode> Decode for EnumLevel<T> {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        let widest = match d.syntax {
            Syntax::Ndr => T::alignment(d.syntax).max(4),
            Syntax::Ndr64 => d.syntax.word(),
        };
        if d.syntax == Syntax::Ndr64 {
            d.align(widest)?;
        }
        let level = Enum::get(d)?;
        d.align(widest)?;
        let arm = T::get(d)?;
        Ok(EnumLevel { level, arm })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        self.arm.get_deferred(d)
    }
}
