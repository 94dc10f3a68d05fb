// SPDX-License-Identifier: GPL-2.0

//! A table of names, found by a hash that the caller makes: names one after the other in one piece of memory, and slots that say
//! where. An entry costs its length, one byte, and ten to twenty for its slot.

use kernel::alloc::AllocError;
use kernel::macros::kunit_tests;
use kernel::prelude::*;

/// A slot that was never taken: what is looked for is not behind it either.
const FREE: u32 = u32::MAX;
/// A slot whose name is gone.
const GONE: u32 = u32::MAX - 1;
/// Slots of the smallest table.
const MIN_SLOTS: usize = 16;
/// Most names of one hash, which are searched one after the other: whoever makes names may make many that differ only in what the
/// hash leaves out.
const MAX_OF_HASH: usize = 32;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    /// Where the name is, or [`FREE`] or [`GONE`].
    at: u32,
}

const FREE_SLOT: Slot = Slot { hash: 0, at: FREE };

/// Names of 1 to 255 bytes.
pub(super) struct NameTable {
    /// A power of two of them, or none.
    slots: KVVec<Slot>,
    /// Slots that are not free.
    taken: usize,
    /// Names that are there.
    count: usize,
    /// Each name after a byte that holds its length.
    bytes: KVVec<u8>,
}

impl NameTable {
    pub(super) const fn new() -> Self {
        NameTable {
            slots: KVVec::new(),
            taken: 0,
            count: 0,
            bytes: KVVec::new(),
        }
    }

    /// Memory that it takes, bytes.
    pub(super) fn size(&self) -> usize {
        let slots = self.slots.capacity().saturating_mul(size_of::<Slot>());
        slots.saturating_add(self.bytes.capacity())
    }

    /// The first name of this hash that `is` it.
    pub(super) fn find(&self, hash: u32, is: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let at = self.place(hash, is)?;
        self.name(self.slots.get(at)?.at)
    }

    /// Adds a name, unless it is there.
    ///
    /// # Errors
    ///
    /// There is no memory, or there are [`MAX_OF_HASH`] others of its hash.
    pub(super) fn insert(&mut self, hash: u32, name: &[u8]) -> Result<(), AllocError> {
        let mut others = 0usize;
        for (_, known) in self.of_hash(hash) {
            if known == name {
                return Ok(());
            }
            others = others.saturating_add(1);
        }
        if others >= MAX_OF_HASH {
            return Err(AllocError);
        }
        if self.is_full() {
            self.rebuild()?;
        }
        let at = self.append(name)?;
        self.take_slot(Slot { hash, at });
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Takes a name out.
    pub(super) fn remove(&mut self, hash: u32, name: &[u8]) {
        let place = self.place(hash, |known| known == name);
        if let Some(slot) = place.and_then(|at| self.slots.get_mut(at)) {
            slot.at = GONE;
            self.count = self.count.saturating_sub(1);
        }
    }

    /// The slots in the order in which one of this hash is looked for.
    fn probe(&self, hash: u32) -> impl Iterator<Item = usize> {
        let len = self.slots.len();
        let mask = len.wrapping_sub(1);
        // A `u32` fits.
        let first = hash as usize;
        (0..len).map(move |step| first.wrapping_add(step) & mask)
    }

    /// The names of this hash and their slots.
    fn of_hash(&self, hash: u32) -> impl Iterator<Item = (usize, &[u8])> {
        self.probe(hash)
            .map_while(|at| self.slots.get(at).map(|slot| (at, *slot)))
            .take_while(|(_, slot)| slot.at != FREE)
            .filter(move |(_, slot)| slot.at != GONE && slot.hash == hash)
            .filter_map(|(at, slot)| self.name(slot.at).map(|name| (at, name)))
    }

    /// The slot of the first name of this hash that `is` it.
    fn place(&self, hash: u32, is: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let mut names = self.of_hash(hash);
        names.find(|(_, name)| is(name)).map(|(at, _)| at)
    }

    fn name(&self, at: u32) -> Option<&[u8]> {
        let (len, rest) = self.bytes.get(usize::try_from(at).ok()?..)?.split_first()?;
        rest.get(..usize::from(*len))
    }

    /// Whether a slot more would make searches long: a quarter stays free.
    fn is_full(&self) -> bool {
        let slots = self.slots.len();
        self.taken.saturating_add(1) > slots.saturating_sub(slots / 4)
    }

    /// Makes a new table of the names that are there, with as many slots again for others.
    fn rebuild(&mut self) -> Result<(), AllocError> {
        let wanted = self.count.saturating_mul(2).max(MIN_SLOTS);
        let wanted = wanted.checked_next_power_of_two().ok_or(AllocError)?;
        let mut fresh = NameTable {
            slots: KVVec::from_elem(FREE_SLOT, wanted, GFP_KERNEL)?,
            taken: 0,
            count: self.count,
            bytes: KVVec::new(),
        };
        for slot in self.slots.iter().filter(|slot| slot.at < GONE) {
            let Some(name) = self.name(slot.at) else {
                continue;
            };
            let at = fresh.append(name)?;
            fresh.take_slot(Slot {
                hash: slot.hash,
                at,
            });
        }
        *self = fresh;
        Ok(())
    }

    /// Puts a name behind the others, and says where. It is an error if there is no place for it.
    fn append(&mut self, name: &[u8]) -> Result<u32, AllocError> {
        let at = u32::try_from(self.bytes.len()).map_err(|_| AllocError)?;
        let len = u8::try_from(name.len()).map_err(|_| AllocError)?;
        if at >= GONE {
            return Err(AllocError);
        }
        self.bytes
            .reserve(name.len().saturating_add(1), GFP_KERNEL)?;
        self.bytes.push(len, GFP_KERNEL)?;
        self.bytes.extend_from_slice(name, GFP_KERNEL)?;
        Ok(at)
    }

    /// Takes the first free slot for one; there is one.
    fn take_slot(&mut self, slot: Slot) {
        let is_free = |at: &usize| self.slots.get(*at).is_some_and(|known| known.at == FREE);
        let place = self.probe(slot.hash).find(is_free);
        if let Some(free) = place.and_then(|at| self.slots.get_mut(at)) {
            *free = slot;
            self.taken = self.taken.saturating_add(1);
        }
    }
}

#[kunit_tests(ksmbd_name_table)]
#[allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "what the macro makes of it"
)]
mod tests {
    use super::*;

    /// A hash that many names share, so that searches run into others.
    fn poor(number: u32) -> u32 {
        number % 31
    }

    fn has(table: &NameTable, number: u32) -> bool {
        let name = number.to_le_bytes();
        table.find(poor(number), |known| known == name).is_some()
    }

    #[test]
    fn names_come_and_go() -> Result {
        let mut table = NameTable::new();
        assert!(!has(&table, 0));
        for number in 0..500u32 {
            table.insert(poor(number), &number.to_le_bytes())?;
            table.insert(poor(number), &number.to_le_bytes())?;
        }
        assert_eq!(table.count, 500);
        for number in (0..500u32).filter(|number| number % 3 == 0) {
            table.remove(poor(number), &number.to_le_bytes());
            table.remove(poor(number), &number.to_le_bytes());
        }
        assert_eq!(table.count, 333);
        for number in 0..600u32 {
            assert_eq!(has(&table, number), number < 500 && number % 3 != 0);
        }
        Ok(())
    }

    #[test]
    fn what_went_takes_no_room() -> Result {
        let mut table = NameTable::new();
        for number in 0..100_000u32 {
            table.insert(poor(number), &number.to_le_bytes())?;
            table.remove(poor(number), &number.to_le_bytes());
        }
        assert_eq!(table.count, 0);
        assert!(table.size() < 4096);
        Ok(())
    }

    #[test]
    fn few_names_of_one_hash() -> Result {
        let mut table = NameTable::new();
        for number in 0..32u32 {
            table.insert(5, &number.to_le_bytes())?;
        }
        let one_more = 32u32.to_le_bytes();
        assert!(table.insert(5, &one_more).is_err());
        // What is there and what has another hash is not concerned.
        table.insert(5, &31u32.to_le_bytes())?;
        table.insert(6, &one_more)?;
        assert_eq!(table.count, 33);
        table.remove(5, &31u32.to_le_bytes());
        table.insert(5, &one_more)?;
        Ok(())
    }

    #[test]
    fn other_lengths() -> Result {
        let mut table = NameTable::new();
        let long = [b'x'; 255];
        table.insert(1, &long)?;
        assert!(table.find(1, |known| known == long).is_some());
        assert!(table.insert(1, &[b'x'; 256]).is_err());
        assert!(table.find(2, |_| true).is_none());
        Ok(())
    }
}
