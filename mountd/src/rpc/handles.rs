// SPDX-License-Identifier: GPL-2.0

//! Context handles, [C706] 4.2.16.6: what a client opened on a pipe, named by 20 bytes. They end with the pipe.

use std::collections::HashMap;
use std::sync::Mutex;

use super::ndr::{Align, Decode, Decoded, Decoder, Encode, Encoder, Syntax};
use super::pdu::fault;
use super::sid::Sid;
use super::Fault;

/// A handle on the wire: attributes, which are 0, and a UUID. It is aligned as its first integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub [u8; 20]);

/// The handle that stands for none.
pub const NULL: Handle = Handle([0; 20]);

impl Align for Handle {
    fn alignment(_: Syntax) -> usize {
        4
    }
}

impl Encode for Handle {
    fn put(&self, e: &mut Encoder) {
        e.align(4);
        e.bytes(&self.0);
    }
}

impl Decode for Handle {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        d.align(4)?;
        Decode::get(d).map(Handle)
    }
}

/// Most handles of a pipe.
const MOST: usize = 256;

/// What a handle stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// The local security authority's policy.
    Policy,
    /// The account database.
    Accounts,
    /// A domain of it.
    Domain(Sid),
    /// A user of a domain, by his relative id.
    User(Sid, u32),
    /// A group of the server's own domain, by its relative id.
    Group(u32),
    /// An alias of the built-in domain, by its relative id.
    Alias(u32),
}

/// The handles of one pipe.
#[derive(Debug, Default)]
pub struct Handles {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<u64, Object>,
    last: u64,
}

impl Handles {
    /// Opens a handle.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the pipe has too many.
    pub fn open(&self, object: Object) -> Result<Handle, Fault> {
        let mut inner = self
            .inner
            .lock()
            .map_err(|_| Fault(fault::OUT_OF_RESOURCES))?;
        if inner.open.len() >= MOST {
            return Err(Fault(fault::OUT_OF_RESOURCES));
        }
        inner.last = inner.last.wrapping_add(1);
        let number = inner.last;
        inner.open.insert(number, object);
        let mut handle = NULL;
        for (to, from) in handle.0.iter_mut().skip(4).zip(number.to_le_bytes()) {
            *to = from;
        }
        Ok(handle)
    }

    /// What a handle stands for.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if it is not one of this pipe's.
    pub fn get(&self, handle: &Handle) -> Result<Object, Fault> {
        let inner = self
            .inner
            .lock()
            .map_err(|_| Fault(fault::CONTEXT_MISMATCH))?;
        inner
            .open
            .get(&number(handle)?)
            .cloned()
            .ok_or(Fault(fault::CONTEXT_MISMATCH))
    }

    /// Closes a handle.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if it is not one of this pipe's.
    pub fn close(&self, handle: &Handle) -> Result<(), Fault> {
        let mut inner = self
            .inner
            .lock()
            .map_err(|_| Fault(fault::CONTEXT_MISMATCH))?;
        inner
            .open
            .remove(&number(handle)?)
            .map(|_| ())
            .ok_or(Fault(fault::CONTEXT_MISMATCH))
    }
}

fn number(handle: &Handle) -> Result<u64, Fault> {
    match &handle.0 {
        [0, 0, 0, 0, a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0] => {
            Ok(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
        }
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_live_until_closed() {
        let handles = Handles::default();
        let handle = handles.open(Object::Policy).unwrap();
        assert_eq!(handles.get(&handle), Ok(Object::Policy));
        handles.close(&handle).unwrap();
        assert!(handles.get(&handle).is_err() && handles.close(&handle).is_err());
        assert!(handles.get(&NULL).is_err() && handles.get(&Handle([0xff; 20])).is_err());
    }

    #[test]
    fn handles_have_a_bound() {
        let handles = Handles::default();
        for _ in 0..MOST {
            handles.open(Object::Policy).unwrap();
        }
        assert_eq!(
            handles.open(Object::Policy),
            Err(Fault(fault::OUT_OF_RESOURCES))
        );
    }
}
