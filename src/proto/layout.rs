// SPDX-License-Identifier: GPL-2.0

//! How fixed structures are declared: one table of fields gives the type, its size on the wire, its parser and its
//! writer, so that the two directions cannot drift apart.
//!
//! All integers of the documents are little-endian ([MS-DTYP] 2.2).

use crate::attributes::FileAttributes;
use crate::wire::{Parsed, Reader, Writer, Written};

/// A value whose size on the wire never varies.
pub trait Fixed: Sized {
    /// Bytes on the wire.
    const SIZE: usize;

    /// Takes the value from the front of `r`.
    fn take(r: &mut Reader<'_>) -> Parsed<Self>;

    /// Appends the value.
    fn put(&self, w: &mut Writer<'_>) -> Written;
}

macro_rules! fixed_integers {
    ($($int:ident),*) => {
        $(
            impl Fixed for $int {
                const SIZE: usize = size_of::<$int>();

                #[inline]
                fn take(r: &mut Reader<'_>) -> Parsed<Self> {
                    r.array().map($int::from_le_bytes)
                }

                #[inline]
                fn put(&self, w: &mut Writer<'_>) -> Written {
                    w.bytes(&self.to_le_bytes())
                }
            }
        )*
    };
}

fixed_integers!(u8, u16, u32, u64, i32, i64);

impl<const N: usize> Fixed for [u8; N] {
    const SIZE: usize = N;

    #[inline]
    fn take(r: &mut Reader<'_>) -> Parsed<Self> {
        r.array()
    }

    #[inline]
    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.bytes(self)
    }
}

/// A BOOLEAN byte: anything but zero is true ([MS-DTYP] 2.2.4), and true is written as one.
impl Fixed for bool {
    const SIZE: usize = 1;

    #[inline]
    fn take(r: &mut Reader<'_>) -> Parsed<Self> {
        r.u8().map(|byte| byte != 0)
    }

    #[inline]
    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.u8(u8::from(*self))
    }
}

/// Declares structures of fixed fields. `pad N` after a field stands for N reserved bytes: written as zero, ignored
/// when read.
macro_rules! fixed {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident: $ty:ty $(, pad $pad:literal)?; )*
        }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name {
                $( $(#[$field_meta])* pub $field: $ty, )*
            }

            impl $crate::layout::Fixed for $name {
                const SIZE: usize = 0 $( + <$ty as $crate::layout::Fixed>::SIZE $( + $pad )? )*;

                fn take(r: &mut $crate::wire::Reader<'_>) -> $crate::wire::Parsed<Self> {
                    $(
                        let $field = <$ty as $crate::layout::Fixed>::take(r)?;
                        $( r.skip($pad)?; )?
                    )*
                    Ok($name { $($field),* })
                }

                fn put(&self, w: &mut $crate::wire::Writer<'_>) -> $crate::wire::Written {
                    $(
                        $crate::layout::Fixed::put(&self.$field, w)?;
                        $( w.zeros($pad)?; )?
                    )*
                    Ok(())
                }
            }

            impl $name {
                /// Bytes on the wire.
                pub const SIZE: usize = <$name as $crate::layout::Fixed>::SIZE;

                /// Reads the structure from the front of `bytes`; what follows it is ignored.
                ///
                /// # Errors
                ///
                /// `Malformed` if `bytes` is shorter than [`Self::SIZE`].
                pub fn parse(bytes: &[u8]) -> $crate::wire::Parsed<Self> {
                    <$name as $crate::layout::Fixed>::take(&mut $crate::wire::Reader::new(bytes))
                }

                /// Appends the structure.
                ///
                /// # Errors
                ///
                /// `Full` if the output has no room for it.
                pub fn write(&self, w: &mut $crate::wire::Writer<'_>) -> $crate::wire::Written {
                    $crate::layout::Fixed::put(self, w)
                }
            }
        )*
    };
}

/// Lets types of the macro `flags` stand in fixed structures.
macro_rules! fixed_flags {
    ($int:ident: $($name:ident),*) => {
        $(
            impl $crate::layout::Fixed for $name {
                const SIZE: usize = <$int as $crate::layout::Fixed>::SIZE;

                fn take(r: &mut $crate::wire::Reader<'_>) -> $crate::wire::Parsed<Self> {
                    <$int as $crate::layout::Fixed>::take(r).map($name::from_bits)
                }

                fn put(&self, w: &mut $crate::wire::Writer<'_>) -> $crate::wire::Written {
                    $crate::layout::Fixed::put(&self.bits(), w)
                }
            }
        )*
    };
}

/// Lets types of the macro `open_enum` stand in fixed structures.
macro_rules! fixed_enum {
    ($int:ident: $($name:ident),*) => {
        $(
            impl $crate::layout::Fixed for $name {
                const SIZE: usize = <$int as $crate::layout::Fixed>::SIZE;

                fn take(r: &mut $crate::wire::Reader<'_>) -> $crate::wire::Parsed<Self> {
                    <$int as $crate::layout::Fixed>::take(r).map($name)
                }

                fn put(&self, w: &mut $crate::wire::Writer<'_>) -> $crate::wire::Written {
                    $crate::layout::Fixed::put(&self.0, w)
                }
            }
        )*
    };
}

pub(crate) use {fixed, fixed_enum, fixed_flags};

fixed_flags!(u32: FileAttributes);
