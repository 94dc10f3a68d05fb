// SPDX-License-Identifier: GPL-2.0

//! A name that is looked for among the entries of a directory, in any case of letters, [MS-FSCC] 2.1.5 and 2.1.5.2.1.

use crate::names;
use crate::wildcard::{folded, same_name};

/// A name to be found. What can be known of it once is not asked again for each entry, for there may be many.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    name: &'a str,
    /// Whether only a name of the same ASCII letters can be the same one.
    is_plain: bool,
    /// Whether it may be an entry's 8.3 name.
    may_be_short: bool,
}

impl<'a> Sought<'a> {
    /// The entry that clients call `name`.
    pub fn new(name: &'a str) -> Self {
        let may_be_short = names::may_be_short(name);
        Sought {
            name,
            is_plain: name.is_ascii() && !may_be_short,
            may_be_short,
        }
    }

    /// Whether it may be an entry's 8.3 name, which is found only by looking at all entries.
    pub fn may_be_short(&self) -> bool {
        self.may_be_short
    }

    /// Whether an entry's name is the sought one but for the case of letters, or has it for its 8.3 name.
    pub fn is_of(&self, entry: &[u8]) -> bool {
        if self.is_plain {
            // The upper case of what is not ASCII never is.
            return self.is_same_ascii(entry);
        }
        core::str::from_utf8(entry).is_ok_and(|entry| {
            same_name(self.name, entry)
                || self.may_be_short && names::is_short_name_of(self.name, entry)
        })
    }

    /// The last letters go first: they differ most often where names are numbered.
    fn is_same_ascii(&self, entry: &[u8]) -> bool {
        let name = self.name.as_bytes();
        name.len() == entry.len()
            && match (name.last(), entry.last()) {
                (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
                _ => true,
            }
            && name.eq_ignore_ascii_case(entry)
    }
}

/// Longest name of an entry as [`fold`] writes it, bytes: for two bytes of a name it may take four.
pub const FOLDED_MAX: usize = 512;

/// Writes a name so that two are written alike just if they differ in the case of letters at most; for hashing.
/// `None` for what is no name of an entry: it is longer than 255 bytes.
pub fn fold<'a>(name: &str, room: &'a mut [u8; FOLDED_MAX]) -> Option<&'a [u8]> {
    let mut len = 0usize;
    if name.is_ascii() {
        for (to, from) in room.iter_mut().zip(name.bytes()) {
            *to = from.to_ascii_uppercase();
        }
        len = name.len();
    } else {
        for c in folded(name) {
            let word = u32::from(c).to_le_bytes();
            let used = if c.is_ascii() { 1 } else { word.len() };
            let end = len.checked_add(used)?;
            for (to, from) in room.get_mut(len..end)?.iter_mut().zip(word) {
                *to = from;
            }
            len = end;
        }
    }
    room.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_of(name: &str, entry: &str) -> bool {
        Sought::new(name).is_of(entry.as_bytes())
    }

    #[test]
    fn names_in_any_case() {
        assert!(is_of("Read.Me", "rEAD.mE"));
        assert!(!is_of("Read.Me", "Read.Mf"));
        assert!(!is_of("Read.Me", "Read.Me "));
        assert!(is_of("stra\u{df}e", "STRA\u{df}E"));
        assert!(is_of("\u{e4}rger", "\u{c4}RGER"));
        // The sign of Kelvin and the dotless i are no letters of ASCII here.
        assert!(!is_of("k", "\u{212a}"));
        assert!(!is_of("I", "\u{131}"));
        assert!(!Sought::new("\u{e4}").is_of(b"\xff"));
    }

    #[test]
    fn short_names() {
        let long = "a long name.text";
        let short = names::ShortName::of(long).unwrap();
        assert!(is_of(short.as_str(), long));
        assert!(is_of(&short.as_str().to_ascii_lowercase(), long));
        assert!(!is_of(short.as_str(), "another long name.text"));
    }

    proptest! {
        /// The quick way says the same as the rule.
        #[test]
        fn quick_and_slow_agree(name in "[aAbB~.\u{131}\u{212a}\u{e4}\u{c4}]{0,4}", entry in "[aAbB~.\u{131}\u{212a}\u{e4}\u{c4}kKiI]{0,4}") {
            let rule = same_name(&name, &entry) || names::is_short_name_of(&name, &entry);
            prop_assert_eq!(is_of(&name, &entry), rule);
        }

        /// Names are written alike just if they are the same.
        #[test]
        fn folding_is_the_rule(one in "[aAbB~.\u{131}\u{212a}\u{e4}\u{c4}kKiI\u{10400}\u{10428}]{0,4}", other in "[aAbB~.\u{131}\u{212a}\u{e4}\u{c4}kKiI\u{10400}\u{10428}]{0,4}") {
            let (mut a, mut b) = ([0; FOLDED_MAX], [0; FOLDED_MAX]);
            prop_assert_eq!(fold(&one, &mut a) == fold(&other, &mut b), same_name(&one, &other));
        }

        /// Whatever can be an entry's name has room.
        #[test]
        fn entries_can_be_folded(name in ".{0,255}") {
            if name.len() <= 255 {
                prop_assert!(fold(&name, &mut [0; FOLDED_MAX]).is_some());
            }
        }

        #[test]
        fn any_bytes(name in ".*", entry in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Sought::new(&name).is_of(&entry);
        }
    }
}
