// SPDX-License-Identifier: GPL-2.0

//! NDR ([C706] 14) and NDR64 ([MS-RPCE] 2.2.5): how typed values stand in a call's stub data.
//!
//! A value is written in two steps: [`Encode::put`] writes what stands in its place, and [`Encode::put_deferred`] what its pointers
//! point to, which follows the whole structure. [`ndr_struct!`] makes both steps, and reading, from a structure's definition, and
//! [`ndr_params!`] an operation's parameters, each of which is followed by what it points to.
//! The two syntaxes differ in the size of pointers and counts, and in padding.

mod strings;
mod union;

pub use strings::{AnsiString, UnicodeString, WStr};
pub use union::{EnumLevel, Level};

/// A transfer syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// NDR, 32-bit.
    Ndr,
    /// NDR64.
    Ndr64,
}

impl Syntax {
    /// Bytes of a pointer or count, and its alignment.
    pub fn word(self) -> usize {
        match self {
            Syntax::Ndr => 4,
            Syntax::Ndr64 => 8,
        }
    }
}

/// The stub data does not hold what the operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadStub;

/// Result of reading.
pub type Decoded<T> = Result<T, BadStub>;

/// Writes stub data.
#[derive(Debug)]
pub struct Encoder {
    out: Vec<u8>,
    syntax: Syntax,
    referent: u32,
}

impl Encoder {
    /// Begins stub data.
    pub fn new(syntax: Syntax) -> Self {
        Encoder {
            out: Vec::new(),
            syntax,
            referent: 0x0002_0000,
        }
    }

    /// The stub data.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// The syntax.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// Number of bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written so far.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Pads to a multiple of `to`, a power of two.
    pub fn align(&mut self, to: usize) {
        let length = self.out.len().next_multiple_of(to);
        self.out.resize(length, 0);
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends a pointer or count.
    pub fn word(&mut self, value: usize) {
        self.align(self.syntax.word());
        match self.syntax {
            Syntax::Ndr => self.bytes(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()),
            Syntax::Ndr64 => self.bytes(&u64::try_from(value).unwrap_or(u64::MAX).to_le_bytes()),
        }
    }

    /// Appends a pointer that is not null.
    fn reference(&mut self) {
        self.word(usize::try_from(self.referent).unwrap_or(usize::MAX));
        self.referent = self.referent.wrapping_add(4);
    }

    /// Appends a parameter: the value and what it points to.
    pub fn param(&mut self, value: &impl Encode) {
        value.put(self);
        value.put_deferred(self);
    }

    /// Appends an operation's parameters.
    pub fn params(&mut self, values: &impl Params) {
        values.write(self);
    }
}

/// Reads stub data.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    data: &'a [u8],
    at: usize,
    syntax: Syntax,
}

impl<'a> Decoder<'a> {
    /// Begins at the front of `data`.
    pub fn new(data: &'a [u8], syntax: Syntax) -> Self {
        Decoder {
            data,
            at: 0,
            syntax,
        }
    }

    /// Passes over padding to a multiple of `to`, a power of two.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if the data ends before.
    pub fn align(&mut self, to: usize) -> Decoded<()> {
        let at = self.at.checked_next_multiple_of(to).ok_or(BadStub)?;
        self.take(at.saturating_sub(self.at)).map(|_| ())
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if there are fewer.
    pub fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(BadStub)?;
        let taken = self.data.get(self.at..end).ok_or(BadStub)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.align(N)?;
        self.take(N)?.try_into().map_err(|_| BadStub)
    }

    /// A pointer or count.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if the data ends, or the count has no place in memory.
    pub fn word(&mut self) -> Decoded<usize> {
        match self.syntax {
            Syntax::Ndr => usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| BadStub),
            Syntax::Ndr64 => {
                usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| BadStub)
            }
        }
    }

    /// A parameter: the value and what it points to.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if it is not there.
    pub fn param<T: Decode>(&mut self) -> Decoded<T> {
        let mut value = T::get(self)?;
        value.get_deferred(self)?;
        Ok(value)
    }

    /// An operation's parameters.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if they are not there.
    pub fn params<T: Params>(&mut self) -> Decoded<T> {
        T::read(self)
    }

    /// Number of bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.at)
    }

    /// The syntax.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }
}

/// A type with a place in stub data.
pub trait Align {
    /// The alignment of the type.
    fn alignment(syntax: Syntax) -> usize;
}

/// A type that can be written.
pub trait Encode: Align {
    /// Writes what stands in the value's place, with padding before it.
    fn put(&self, e: &mut Encoder);
    /// Writes what the value's pointers point to.
    fn put_deferred(&self, _e: &mut Encoder) {}
}

/// A type that can be read.
pub trait Decode: Align + Sized {
    /// Reads what stands in the value's place.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if it is not there.
    fn get(d: &mut Decoder<'_>) -> Decoded<Self>;

    /// Reads what the value's pointers point to.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if it is not there.
    fn get_deferred(&mut self, _d: &mut Decoder<'_>) -> Decoded<()> {
        Ok(())
    }
}

/// The parameters of an operation, or its results.
pub trait Params: Sized {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// [`BadStub`] if they are not there.
    fn read(d: &mut Decoder<'_>) -> Decoded<Self>;

    /// Writes all of them.
    fn write(&self, e: &mut Encoder);
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Align for $type {
            fn alignment(_: Syntax) -> usize {
                size_of::<$type>()
            }
        }
        impl Encode for $type {
            fn put(&self, e: &mut Encoder) {
                e.align(size_of::<$type>());
                e.bytes(&self.to_le_bytes());
            }
        }
        impl Decode for $type {
            fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
                d.array().map(<$type>::from_le_bytes)
            }
        }
    )*};
}
integer!(u8, u16, u32, u64);

/// Bytes without alignment, such as a UUID's or a context handle's.
impl<const N: usize> Align for [u8; N] {
    fn alignment(_: Syntax) -> usize {
        1
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn put(&self, e: &mut Encoder) {
        e.bytes(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        d.take(N)?.try_into().map_err(|_| BadStub)
    }
}

/// An enumeration: 16 bits in NDR, 32 in NDR64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enum(pub u16);

impl Align for Enum {
    fn alignment(syntax: Syntax) -> usize {
        match syntax {
            Syntax::Ndr => 2,
            Syntax::Ndr64 => 4,
        }
    }
}

impl Encode for Enum {
    fn put(&self, e: &mut Encoder) {
        match e.syntax {
            Syntax::Ndr => self.0.put(e),
            Syntax::Ndr64 => u32::from(self.0).put(e),
        }
    }
}

impl Decode for Enum {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        match d.syntax {
            Syntax::Ndr => u16::get(d).map(Enum),
            Syntax::Ndr64 => u16::try_from(u32::get(d)?).map(Enum).map_err(|_| BadStub),
        }
    }
}

/// A unique pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unique<T> {
    /// Points to nothing.
    Null,
    /// Points to a value.
    To(T),
    /// Points to a value that was not read yet.
    Pending,
}

impl<T> Unique<T> {
    /// What it points to.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Unique::To(value) => Some(value),
            Unique::Null | Unique::Pending => None,
        }
    }
}

impl<T> Align for Unique<T> {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl<T: Encode> Encode for Unique<T> {
    fn put(&self, e: &mut Encoder) {
        match self {
            Unique::To(_) => e.reference(),
            Unique::Null | Unique::Pending => e.word(0),
        }
    }

    fn put_deferred(&self, e: &mut Encoder) {
        if let Unique::To(value) = self {
            e.param(value);
        }
    }
}

impl<T: Decode> Decode for Unique<T> {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        Ok(if d.word()? == 0 {
            Unique::Null
        } else {
            Unique::Pending
        })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        if matches!(self, Unique::Pending) {
            *self = Unique::To(d.param()?);
        }
        Ok(())
    }
}

/// A conformant array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array<T>(pub Vec<T>);

impl<T: Align> Align for Array<T> {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word().max(T::alignment(syntax))
    }
}

impl<T: Encode> Encode for Array<T> {
    fn put(&self, e: &mut Encoder) {
        e.word(self.0.len());
        self.0.iter().for_each(|value| value.put(e));
    }

    fn put_deferred(&self, e: &mut Encoder) {
        self.0.iter().for_each(|value| value.put_deferred(e));
    }
}

impl<T: Decode> Decode for Array<T> {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        let count = d.word()?;
        // Every element takes at least a byte: a count that the data cannot hold allocates nothing.
        if count > d.remaining() {
            return Err(BadStub);
        }
        (0..count)
            .map(|_| T::get(d))
            .collect::<Decoded<Vec<T>>>()
            .map(Array)
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        self.0
            .iter_mut()
            .try_for_each(|value| value.get_deferred(d))
    }
}

/// A conformant and varying array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Varying<T> {
    /// How many values there could be.
    pub most: usize,
    /// The values that there are.
    pub items: Vec<T>,
}

impl<T: Align> Align for Varying<T> {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word().max(T::alignment(syntax))
    }
}

impl<T: Encode> Encode for Varying<T> {
    fn put(&self, e: &mut Encoder) {
        e.word(self.most.max(self.items.len()));
        e.word(0);
        e.word(self.items.len());
        self.items.iter().for_each(|value| value.put(e));
    }

    fn put_deferred(&self, e: &mut Encoder) {
        self.items.iter().for_each(|value| value.put_deferred(e));
    }
}

impl<T: Decode> Decode for Varying<T> {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        let (most, offset, count) = (d.word()?, d.word()?, d.word()?);
        if offset != 0 || count > most || count > d.remaining() {
            return Err(BadStub);
        }
        let items = (0..count).map(|_| T::get(d)).collect::<Decoded<_>>()?;
        Ok(Varying { most, items })
    }

    fn get_deferred(&mut self, d: &mut Decoder<'_>) -> Decoded<()> {
        self.items
            .iter_mut()
            .try_for_each(|value| value.get_deferred(d))
    }
}

/// Defines a structure and how it stands in stub data: its fields in order, aligned as the widest of them.
macro_rules! ndr_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$param:ident>)? { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name $(<$param>)? {
            $($(#[$field_meta])* $vis $field: $type,)*
        }

        impl $(<$param: $crate::rpc::ndr::Align>)? $crate::rpc::ndr::Align for $name $(<$param>)? {
            fn alignment(syntax: $crate::rpc::ndr::Syntax) -> usize {
                let mut widest = 1;
                $(widest = widest.max(<$type as $crate::rpc::ndr::Align>::alignment(syntax));)*
                widest
            }
        }

        impl $(<$param: $crate::rpc::ndr::Encode>)? $crate::rpc::ndr::Encode for $name $(<$param>)? {
            fn put(&self, e: &mut $crate::rpc::ndr::Encoder) {
                use $crate::rpc::ndr::Align;
                let alignment = Self::alignment(e.syntax());
                e.align(alignment);
                $(self.$field.put(e);)*
                // Only NDR64 has a gap at a structure's end.
                if e.syntax() == $crate::rpc::ndr::Syntax::Ndr64 {
                    e.align(alignment);
                }
            }

            fn put_deferred(&self, e: &mut $crate::rpc::ndr::Encoder) {
                $(self.$field.put_deferred(e);)*
            }
        }

        impl $(<$param: $crate::rpc::ndr::Decode>)? $crate::rpc::ndr::Decode for $name $(<$param>)? {
            fn get(d: &mut $crate::rpc::ndr::Decoder<'_>) -> $crate::rpc::ndr::Decoded<Self> {
                use $crate::rpc::ndr::Align;
                let alignment = Self::alignment(d.syntax());
                d.align(alignment)?;
                $(let $field = <$type as $crate::rpc::ndr::Decode>::get(d)?;)*
                if d.syntax() == $crate::rpc::ndr::Syntax::Ndr64 {
                    d.align(alignment)?;
                }
                Ok($name { $($field,)* })
            }

            fn get_deferred(&mut self, d: &mut $crate::rpc::ndr::Decoder<'_>) -> $crate::rpc::ndr::Decoded<()> {
                $(self.$field.get_deferred(d)?;)*
                Ok(())
            }
        }
    };
}
pub(crate) use ndr_struct;

/// Defines an operation's parameters, or its results: they stand one after the other, each followed by what it points to.
macro_rules! ndr_params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$param:ident>)? { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name $(<$param>)? {
            $($(#[$field_meta])* $vis $field: $type,)*
        }

        impl $(<$param: $crate::rpc::ndr::Encode + $crate::rpc::ndr::Decode>)? $crate::rpc::ndr::Params for $name $(<$param>)? {
            fn read(d: &mut $crate::rpc::ndr::Decoder<'_>) -> $crate::rpc::ndr::Decoded<Self> {
                $(let $field = d.param()?;)*
                Ok($name { $($field,)* })
            }

            fn write(&self, e: &mut $crate::rpc::ndr::Encoder) {
                $(e.param(&self.$field);)*
            }
        }
    };
}
pub(crate) use ndr_params;

#[cfg(test)]
mod tests;
