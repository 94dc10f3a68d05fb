// SPDX-License-Identifier: GPL-2.0

//! Matching of names against expressions with wildcards, without regard to case.
//!
//! [MS-FSA] 2.1.4.4, "Algorithm for Determining if a FileName Is in an Expression"; [MS-FSA] 2.1.4.3 for the DOS wildcards
//! `<`, `>` and `"`.
//!
//! The matcher keeps the set of positions in the name that the expression read so far can have reached, one bit each.
//! Every character of the expression maps that set to the next one. So the cost is the length of the expression times
//! that of the name, whatever the expression is; nothing backtracks.

use core::iter::FusedIterator;

/// Longest name, in characters, that an expression with wildcards is tried on. Longer ones match nothing: no file system
/// has them.
pub const MAX_NAME: u32 = 319;

const WORDS: usize = 5;

/// A set of positions of a name: 0 is before its first character.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Positions([u64; WORDS]);

impl Positions {
    const EMPTY: Positions = Positions([0; WORDS]);

    fn only(at: u32) -> Self {
        let mut set = Self::EMPTY;
        set.insert(at);
        set
    }

    fn insert(&mut self, at: u32) {
        let word = usize::try_from(at.wrapping_shr(6)).unwrap_or(WORDS);
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1u64.wrapping_shl(at & 63);
        }
    }

    fn contains(self, at: u32) -> bool {
        let word = usize::try_from(at.wrapping_shr(6)).unwrap_or(WORDS);
        self.0
            .get(word)
            .is_some_and(|bits| bits.wrapping_shr(at & 63) & 1 != 0)
    }

    fn is_empty(self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    fn and(mut self, other: Self) -> Self {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine &= its;
        }
        self
    }

    fn or(mut self, other: Self) -> Self {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine |= its;
        }
        self
    }

    fn minus(mut self, other: Self) -> Self {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine &= !its;
        }
        self
    }

    /// Every position moved on by one character.
    fn next(mut self) -> Self {
        let mut carry = 0;
        for bits in &mut self.0 {
            let out = bits.wrapping_shr(63);
            *bits = bits.wrapping_shl(1) | carry;
            carry = out;
        }
        self
    }

    /// Every position from the lowest one of the set on.
    fn and_after(mut self) -> Self {
        let mut seen = false;
        for bits in &mut self.0 {
            if seen {
                *bits = u64::MAX;
            } else if *bits != 0 {
                // The lowest set bit and all above it.
                *bits = !(bits.wrapping_sub(1) & !*bits);
                seen = true;
            }
        }
        self
    }
}

/// What the matcher knows about the name before it looks at the expression.
struct Shape {
    /// Positions at which a period follows.
    periods: Positions,
    /// Position of the last period.
    last_period: Option<u32>,
    /// The end of the name.
    end: u32,
    /// Positions 0 to `end`.
    all: Positions,
}

impl Shape {
    fn of(name: impl Iterator<Item = char>) -> Option<Self> {
        let mut shape = Shape {
            periods: Positions::EMPTY,
            last_period: None,
            end: 0,
            all: Positions::only(0),
        };
        for c in name {
            if shape.end >= MAX_NAME {
                return None;
            }
            if c == '.' {
                shape.periods.insert(shape.end);
                shape.last_period = Some(shape.end);
            }
            shape.end = shape.end.wrapping_add(1);
            shape.all.insert(shape.end);
        }
        Some(shape)
    }

    /// `<`: up to the last period and over it, or to the end if no period is ahead.
    fn dos_star(&self, from: Positions) -> Positions {
        let Some(last) = self.last_period else {
            return from.and_after().and(self.all);
        };
        let beyond = Positions::only(last.wrapping_add(1)).and_after();
        let before = from.minus(beyond).and_after().minus(beyond.next());
        let after = from.and(beyond).and_after();
        before.or(after).and(self.all)
    }

    /// `>`: any character but a period, or nothing before a period or at the end. A period that ends the name may be
    /// passed over too.
    fn dos_question(&self, from: Positions) -> Positions {
        let end = Positions::only(self.end);
        let last = Positions::only(self.end.saturating_sub(1)).and(self.periods);
        let passed = from.minus(self.periods.minus(last)).next().and(self.all);
        passed.or(from.and(self.periods.or(end)))
    }

    /// `"`: a period, or nothing at the end.
    fn dos_period(&self, from: Positions) -> Positions {
        from.and(self.periods)
            .next()
            .or(from.and(Positions::only(self.end)))
    }
}

fn literal(from: Positions, name: impl Iterator<Item = char>, wanted: char) -> Positions {
    let wanted = upcase(wanted);
    let mut to = Positions::EMPTY;
    let mut at = 0u32;
    for c in name {
        let next = at.wrapping_add(1);
        if from.contains(at) && upcase(c) == wanted {
            to.insert(next);
        }
        at = next;
    }
    to
}

/// Whether `name` is in `expression`, [MS-FSA] 2.1.4.4. `*`, `?`, `<`, `>` and `"` are wildcards.
pub fn matches<E, N>(expression: E, name: N) -> bool
where
    E: Iterator<Item = char>,
    N: Iterator<Item = char> + Clone,
{
    let Some(shape) = Shape::of(name.clone()) else {
        return false;
    };
    let mut reached = Positions::only(0);
    for c in expression {
        reached = match c {
            '*' => reached.and_after().and(shape.all),
            '?' => reached.next().and(shape.all),
            '<' => shape.dos_star(reached),
            '>' => shape.dos_question(reached),
            '"' => shape.dos_period(reached),
            _ => literal(reached, name.clone(), c),
        };
        if reached.is_empty() {
            return false;
        }
    }
    reached.contains(shape.end)
}

/// [`matches`] over strings, with the common expression for everything answered at once.
pub fn matches_str(expression: &str, name: &str) -> bool {
    expression == "*" || matches(expression.chars(), name.chars())
}

/// Whether an expression has a wildcard, [MS-FSA] 2.1.4.3. One that has none is a name to look up.
pub fn has_wildcard(expression: impl Iterator<Item = char>) -> bool {
    let mut expression = expression;
    expression.any(|c| matches!(c, '*' | '?' | '<' | '>' | '"'))
}

/// Whether one of `patterns` names `name`: a list such as `veto files`, with `*` and `?` as its only wildcards.
pub fn is_vetoed<'p>(mut patterns: impl Iterator<Item = &'p str>, name: &str) -> bool {
    patterns.any(|pattern| !pattern.is_empty() && glob(pattern, name))
}

/// Like [`matches_str`], but `<`, `>` and `"` mean themselves.
pub fn glob(pattern: &str, name: &str) -> bool {
    let Some(shape) = Shape::of(name.chars()) else {
        return false;
    };
    let mut reached = Positions::only(0);
    for c in pattern.chars() {
        reached = match c {
            '*' => reached.and_after().and(shape.all),
            '?' => reached.next().and(shape.all),
            _ => literal(reached, name.chars(), c),
        };
        if reached.is_empty() {
            return false;
        }
    }
    reached.contains(shape.end)
}

/// The upper case of a character as names are compared: one character for one, within the basic plane, and never a
/// letter of ASCII for one that is not ([MS-FSCC] 2.1.5 leaves the table to the object store).
pub fn upcase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    if c > '\u{FFFF}' {
        return c;
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) if !single.is_ascii() => single,
        _ => c,
    }
}

/// The upper case of a name, character by character; equal for names that differ in case alone.
pub fn folded(name: &str) -> impl FusedIterator<Item = char> + Clone + '_ {
    name.chars().map(upcase)
}

/// Whether two names are the same but for case.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || folded(one).eq(folded(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules by trying everything, over slices.
    fn brute(expression: &[char], name: &[char]) -> bool {
        let Some((first, rest)) = expression.split_first() else {
            return name.is_empty();
        };
        let has_period = |from: &[char]| from.contains(&'.');
        match first {
            '*' => (0..=name.len()).any(|at| brute(rest, &name[at..])),
            '?' => !name.is_empty() && brute(rest, &name[1..]),
            '<' => (0..=name.len())
                .filter(|at| {
                    !has_period(name) || has_period(&name[*at..]) || *at > 0 && name[at - 1] == '.'
                })
                .filter(|at| {
                    // Nothing beyond the last period, if one is ahead.
                    let last = name.iter().rposition(|c| *c == '.');
                    last.is_none_or(|last| *at <= last + 1)
                })
                .any(|at| brute(rest, &name[at..])),
            '>' => match name.first() {
                None => brute(rest, name),
                Some('.') if name.len() == 1 => brute(rest, name) || brute(rest, &name[1..]),
                Some('.') => brute(rest, name),
                Some(_) => brute(rest, &name[1..]),
            },
            '"' => match name.first() {
                None => brute(rest, name),
                Some('.') => brute(rest, &name[1..]),
                Some(_) => false,
            },
            c => name.first().is_some_and(|n| upcase(*n) == upcase(*c)) && brute(rest, &name[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_trying_everything(expression in "[ab.*?<>\"]{0,8}", name in "[abAB.]{0,10}") {
            let (e, n): (Vec<char>, Vec<char>) = (expression.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches_str(&expression, &name), brute(&e, &n), "{} {}", expression, name);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn words_of_the_bitmap_join(prefix in 50usize..319, expression in "[a.?]{0,2}[*<][a.?*<]{0,2}") {
            let name = format!("{}.", "a".repeat(prefix));
            let e: Vec<char> = expression.chars().collect();
            let n: Vec<char> = name.chars().collect();
            prop_assert_eq!(matches_str(&expression, &name), brute(&e, &n));
        }
    }

    #[test]
    fn usual_expressions() {
        for (expression, name, expected) in [
            ("*", "anything.txt", true),
            ("*.txt", "A.TXT", true),
            ("*.txt", "a.txt.bak", false),
            ("*.*", "noperiod", false),
            ("<\"*", "noperiod", true),
            ("<\"*", "a.b.c", true),
            ("<.txt", "a.b.txt", true),
            ("<", "noperiod", true),
            ("<", "a.b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            (">>>", "ab", true),
            (">>>", "abcd", false),
            (">>.txt", "a.txt", true),
            ("", "", true),
            ("", "a", false),
            ("ä", "Ä", true),
            ("straße", "STRASSE", false),
        ] {
            assert_eq!(
                matches_str(expression, name),
                expected,
                "{expression} {name}"
            );
        }
    }

    #[test]
    fn hostile_expressions_are_cheap() {
        let expression = "*a".repeat(16_000);
        assert!(!matches_str(&expression, &"a".repeat(255)));
        assert!(
            !matches("*".chars(), "a".repeat(320).chars()),
            "longer than any name"
        );
    }

    #[test]
    fn veto_lists() {
        let list = ["", "*.tmp", "desktop.ini", "a<b"];
        assert!(is_vetoed(list.iter().copied(), "X.TMP"));
        assert!(is_vetoed(list.iter().copied(), "Desktop.ini"));
        assert!(is_vetoed(list.iter().copied(), "a<b"));
        assert!(!is_vetoed(list.iter().copied(), "axb"));
        assert!(!is_vetoed(list.iter().copied(), ""));
    }

    #[test]
    fn upper_case_never_becomes_ascii() {
        assert_eq!(upcase('ı'), 'ı');
        assert_eq!(upcase('ſ'), 'ſ');
        assert_eq!(upcase('ß'), 'ß');
        assert_eq!(upcase('é'), 'É');
        assert_eq!(upcase('\u{10428}'), '\u{10428}');
        assert!(same_name("Ärger.TXT", "äRGER.txt"));
        assert!(!same_name("a", "ab"));
    }
}
