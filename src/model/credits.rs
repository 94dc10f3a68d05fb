// SPDX-License-Identifier: GPL-2.0

//! Credits: which message ids a client may use, what a request costs, and how many more ids a reply grants.
//!
//! [MS-SMB2] 3.3.1.1 (available message ids), 3.3.1.2 (granting), 3.3.5.2.3 (verifying the id), 3.3.5.2.5 (verifying
//! the charge).

use smb_proto::status::NtStatus;

/// Widest span of message ids that a [`Window`] can hold, and so the most credits one connection can have.
pub const MAX_CREDITS: u16 = 8192;

/// Bytes of payload that one credit pays for.
pub const BYTES_PER_CREDIT: u32 = 65536;

/// Words of the bitmap: [`MAX_CREDITS`] bits.
const WORDS: usize = 128;
const SPAN: u32 = 8192;

/// How many credits a request costs whose larger side (request or expected reply payload) is `bytes` long,
/// [MS-SMB2] 3.1.5.2. At least 1.
pub fn charge_for(bytes: u32) -> u32 {
    bytes.saturating_sub(1).wrapping_shr(16).saturating_add(1)
}

/// Checks the `CreditCharge` of a request against its size, [MS-SMB2] 3.3.5.2.5.
///
/// `sent` and `expected` are the payload lengths in bytes of the request and of the longest reply that it asks for.
/// `multi_credit` is whether the connection negotiated large MTU; without it the field is reserved, and one credit must
/// do.
///
/// # Errors
///
/// `STATUS_INVALID_PARAMETER` if the charge does not pay for the larger of the two.
pub fn check_charge(
    charge: u16,
    sent: u32,
    expected: u32,
    multi_credit: bool,
) -> Result<(), NtStatus> {
    let paid = if multi_credit {
        u32::from(charge.max(1))
    } else {
        1
    };
    if charge_for(sent.max(expected)) > paid {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(())
}

/// A message id that no honest client sends: used before, or never granted. The connection must be dropped
/// ([MS-SMB2] 3.3.5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfWindow;

/// How many ids a request used up, from its message id on: 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge(u16);

impl Charge {
    /// What a request with `CreditCharge` costs. Without multi-credit operations every request costs one credit.
    pub fn of(credit_charge: u16, multi_credit: bool) -> Self {
        Charge(if multi_credit {
            credit_charge.max(1)
        } else {
            1
        })
    }

    /// The number of credits.
    pub fn credits(self) -> u16 {
        self.0
    }
}

/// The message ids that a client may use now: a span that starts at the lowest id not yet used, with a bit for each id
/// of it that is. 1 KiB.
///
/// A client that skips an id keeps the span from moving on: it can use up what it has, and gets no more until it uses
/// the skipped one. So the span never outgrows the bitmap, whatever the client does.
///
/// Invariants: `range <= SPAN`; `used` counts the set bits; all bits outside of `low .. low + range` are clear; unless
/// `range` is zero, the bit of `low` is clear.
#[derive(Clone, Debug)]
pub struct Window {
    low: u64,
    range: u32,
    used: u32,
    bits: [u64; WORDS],
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// The window of a new connection: message id 0 alone, [MS-SMB2] 3.3.5.1.
    pub const fn new() -> Self {
        Window {
            low: 0,
            range: 1,
            used: 0,
            bits: [0; WORDS],
        }
    }

    /// Number of credits that the client holds and has not used.
    pub fn available(&self) -> u16 {
        u16::try_from(self.range.saturating_sub(self.used)).unwrap_or(u16::MAX)
    }

    /// The lowest id that the client has not used.
    pub fn lowest(&self) -> u64 {
        self.low
    }

    /// Takes `credit_charge` ids from `message_id` on, [MS-SMB2] 3.3.5.2.3.
    ///
    /// Not for CANCEL, which reuses the id of the request it cancels. Without `multi_credit` one id is taken, whatever
    /// the field says.
    ///
    /// # Errors
    ///
    /// [`OutOfWindow`] if any of the ids is not available; then none is taken.
    pub fn consume(
        &mut self,
        message_id: u64,
        credit_charge: u16,
        multi_credit: bool,
    ) -> Result<Charge, OutOfWindow> {
        let Charge(charge) = Charge::of(credit_charge, multi_credit);
        let start = message_id.checked_sub(self.low).ok_or(OutOfWindow)?;
        let start = u32::try_from(start).map_err(|_| OutOfWindow)?;
        let end = start.checked_add(u32::from(charge)).ok_or(OutOfWindow)?;
        if end > self.range || !self.all_free(start, end) {
            return Err(OutOfWindow);
        }
        for at in start..end {
            self.set(at);
        }
        self.used = self.used.saturating_add(u32::from(charge));
        self.advance();
        Ok(Charge(charge))
    }

    /// Extends the window by what a reply grants, and returns that number for its `CreditResponse` field.
    ///
    /// `requested` is the request's `CreditRequest`, `charge` what it cost, `ceiling` the most credits that this
    /// connection may hold in its present state (few before it is authenticated, at most [`MAX_CREDITS`]). The client
    /// gets what it asks for as far as the ceiling allows, and one credit if it would be left with none: it could never
    /// speak again ([MS-SMB2] 3.3.1.2). A request for zero asks for as much as it cost.
    pub fn grant(&mut self, requested: u16, charge: Charge, ceiling: u16) -> u16 {
        let ceiling = u32::from(ceiling.clamp(1, MAX_CREDITS));
        let wanted = u32::from(if requested == 0 { charge.0 } else { requested });
        let available = self.range.saturating_sub(self.used);
        let room = ceiling.saturating_sub(available);
        let floor = u32::from(available == 0);
        let span = SPAN.saturating_sub(self.range);
        // The span's limit comes last: it is what keeps the bitmap true, and a client stopped by it has an id left.
        let granted = wanted.min(room).max(floor).min(span).min(self.ids_left());
        self.range = self.range.saturating_add(granted);
        u16::try_from(granted).unwrap_or(0)
    }

    /// Ids between the window's end and the end of all ids.
    fn ids_left(&self) -> u32 {
        let end = self.low.saturating_add(u64::from(self.range));
        u32::try_from(u64::MAX.saturating_sub(end)).unwrap_or(u32::MAX)
    }

    fn all_free(&self, start: u32, end: u32) -> bool {
        (start..end).all(|at| !self.get(at))
    }

    /// Word and mask of the id `at` places above `low`. The bitmap is a ring, so that moving on shifts nothing.
    fn place(&self, at: u32) -> (usize, u64) {
        let bit = self.low.wrapping_add(u64::from(at)) & u64::from(SPAN.wrapping_sub(1));
        let word = usize::try_from(bit.wrapping_shr(6)).unwrap_or(0);
        let shift = u32::try_from(bit & 63).unwrap_or(0);
        (word, 1u64.wrapping_shl(shift))
    }

    fn get(&self, at: u32) -> bool {
        let (word, mask) = self.place(at);
        self.bits.get(word).is_some_and(|bits| bits & mask != 0)
    }

    fn set(&mut self, at: u32) {
        let (word, mask) = self.place(at);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= mask;
        }
    }

    /// Moves `low` over the ids that are used.
    fn advance(&mut self) {
        while self.range > 0 {
            let (word, mask) = self.place(0);
            let Some(bits) = self.bits.get_mut(word) else {
                return;
            };
            if *bits & mask == 0 {
                return;
            }
            *bits &= !mask;
            self.low = self.low.wrapping_add(1);
            self.range = self.range.saturating_sub(1);
            self.used = self.used.saturating_sub(1);
        }
    }
}

/// Counts the requests of one connection that wait asynchronously. Each got its credits back with the interim reply, so
/// that credits alone do not bound them ([MS-SMB2] 3.3.4.2).
#[derive(Clone, Copy, Debug)]
pub struct AsyncBudget {
    pending: u32,
    limit: u32,
}

impl AsyncBudget {
    /// Allows `limit` requests to wait at a time.
    pub const fn new(limit: u32) -> Self {
        AsyncBudget { pending: 0, limit }
    }

    /// Number of requests that wait.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    /// Takes a place for a request that is about to wait.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES` if as many as allowed wait already.
    pub fn start(&mut self) -> Result<(), NtStatus> {
        if self.pending >= self.limit {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        self.pending = self.pending.saturating_add(1);
        Ok(())
    }

    /// Gives the place of a request back that [`start`](Self::start) took.
    pub fn finish(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The same rules over a set of ids.
    struct Reference {
        free: BTreeSet<u64>,
        next: u64,
    }

    impl Reference {
        fn new() -> Self {
            Reference {
                free: BTreeSet::from([0]),
                next: 1,
            }
        }

        fn consume(&mut self, id: u64, charge: u16) -> bool {
            let ids: Vec<u64> = (id..id.saturating_add(u64::from(charge.max(1)))).collect();
            if !ids.iter().all(|id| self.free.contains(id)) {
                return false;
            }
            for id in ids {
                self.free.remove(&id);
            }
            true
        }

        fn grant(&mut self, requested: u16, charge: u16, ceiling: u16) -> u16 {
            let wanted = if requested == 0 { charge } else { requested } as usize;
            let low = self.free.first().copied().unwrap_or(self.next);
            let span = 8192 - (self.next - low) as usize;
            let room = (ceiling.clamp(1, 8192) as usize).saturating_sub(self.free.len());
            let granted = wanted
                .min(room)
                .max(usize::from(self.free.is_empty()))
                .min(span);
            for _ in 0..granted {
                self.free.insert(self.next);
                self.next += 1;
            }
            granted as u16
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Uses the id this far from the lowest free one.
        Consume(i64, u16),
        Grant(u16, u16),
    }

    /// Most steps of a sequence, and most credits of one. An interpreter takes minutes for thousands of ids.
    const MOST: usize = if cfg!(miri) { 8 } else { 200 };
    const WIDE: u16 = if cfg!(miri) { 60 } else { u16::MAX };

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (-3i64..20, 0u16..6).prop_map(|(at, charge)| Step::Consume(at, charge)),
            (-3i64..9000, 0u16..200).prop_map(|(at, charge)| Step::Consume(at, charge)),
            (0u16..40, 1u16..100).prop_map(|(wanted, ceiling)| Step::Grant(wanted, ceiling)),
            (0..=WIDE, 0..=WIDE).prop_map(|(wanted, ceiling)| Step::Grant(wanted, ceiling)),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_ids(steps in prop::collection::vec(step(), 1..MOST)) {
            let mut window = Window::new();
            let mut reference = Reference::new();
            for step in steps {
                match step {
                    Step::Consume(at, charge) => {
                        let low = reference.free.first().copied().unwrap_or(reference.next);
                        let Some(id) = low.checked_add_signed(at) else { continue };
                        prop_assert_eq!(window.consume(id, charge, true).is_ok(), reference.consume(id, charge));
                    }
                    Step::Grant(wanted, ceiling) => prop_assert_eq!(
                        window.grant(wanted, Charge(1), ceiling),
                        reference.grant(wanted, 1, ceiling)
                    ),
                }
                prop_assert_eq!(usize::from(window.available()), reference.free.len());
                prop_assert_eq!(
                    window.used as usize,
                    window.bits.iter().map(|word| word.count_ones() as usize).sum::<usize>()
                );
            }
        }
    }

    #[test]
    fn charge_is_one_credit_per_64_kib() {
        assert_eq!(charge_for(0), 1);
        assert_eq!(charge_for(1), 1);
        assert_eq!(charge_for(65536), 1);
        assert_eq!(charge_for(65537), 2);
        assert_eq!(charge_for(8 << 20), 128);
        assert_eq!(charge_for(u32::MAX), 65536);
        assert_eq!(check_charge(0, 65536, 0, true), Ok(()));
        assert_eq!(
            check_charge(0, 0, 65537, true),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(check_charge(2, 0, 65537, true), Ok(()));
        assert_eq!(
            check_charge(2, 0, 65537, false),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }

    #[test]
    fn an_id_works_once() {
        let mut window = Window::new();
        assert_eq!(window.consume(1, 1, true), Err(OutOfWindow));
        let charge = window.consume(0, 0, true).unwrap();
        assert_eq!(window.consume(0, 1, true), Err(OutOfWindow));
        assert_eq!(window.grant(31, charge, MAX_CREDITS), 31);
        assert_eq!(window.consume(5, 27, true).map(Charge::credits), Ok(27));
        assert_eq!(
            window.consume(4, 2, true),
            Err(OutOfWindow),
            "half of it is used"
        );
        assert!(
            window.consume(4, 1, true).is_ok(),
            "a refused request takes nothing"
        );
        assert_eq!(window.consume(u64::MAX, u16::MAX, true), Err(OutOfWindow));
    }

    #[test]
    fn a_client_is_never_left_without_a_credit() {
        let mut window = Window::new();
        for id in 0..20_000 {
            let charge = window.consume(id, 1, false).unwrap();
            assert_eq!(window.grant(0, charge, 1), 1);
        }
    }

    #[test]
    fn a_skipped_id_stops_the_window_until_it_is_used() {
        let mut window = Window::new();
        let charge = window.consume(0, 1, true).unwrap();
        assert_eq!(window.grant(u16::MAX, charge, MAX_CREDITS), 8192);
        let skipped = 1;
        for id in skipped + 1..skipped + 8192 {
            let charge = window.consume(id, 1, true).unwrap();
            assert_eq!(window.grant(1, charge, MAX_CREDITS), 0);
        }
        assert_eq!(window.available(), 1);
        assert_eq!(window.consume(skipped + 8192, 1, true), Err(OutOfWindow));
        let charge = window.consume(skipped, 1, true).unwrap();
        assert_eq!(window.grant(u16::MAX, charge, MAX_CREDITS), 8192);
    }

    #[test]
    fn waiting_requests_are_bounded() {
        let mut budget = AsyncBudget::new(2);
        assert_eq!(budget.start(), Ok(()));
        assert_eq!(budget.start(), Ok(()));
        assert_eq!(budget.start(), Err(NtStatus::INSUFFICIENT_RESOURCES));
        budget.finish();
        assert_eq!(budget.start(), Ok(()));
        assert_eq!(budget.pending(), 2);
    }
}
