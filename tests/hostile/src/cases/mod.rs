// SPDX-License-Identifier: GPL-2.0

//! The attacks. A case's name is `class.what-it-tries`.

mod compound;
mod flood;
mod frame;
mod half_open;
mod leak;
mod links;
mod logic;
mod logins;
mod memory;
mod negotiate;
mod parse;
mod parse_fields;
mod race;
mod race_sessions;
mod race_waits;
mod replay;
mod rights;
mod seals;
mod setup;
mod waiting;

use anyhow::Result;

use crate::world::World;

/// An attack.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it tries.
    pub(crate) about: &'static str,
    pub(crate) run: fn(&World) -> Result<()>,
}

impl Case {
    /// Whether it does what it does again and again, and measures the kernel's memory by itself.
    pub(crate) fn looks_at_memory(&self) -> bool {
        self.name.starts_with("memory.")
    }
}

/// Lists cases: name, what it tries, function.
macro_rules! cases {
    ($($name:literal, $about:literal => $run:expr;)*) => {
        /// The cases of this class.
        pub(super) const CASES: &[crate::cases::Case] = &[$(crate::cases::Case {
            name: $name,
            about: $about,
            run: $run,
        },)*];
    };
}
use cases;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        frame::CASES,
        half_open::CASES,
        negotiate::CASES,
        setup::CASES,
        logins::CASES,
        parse::CASES,
        parse_fields::CASES,
        compound::CASES,
        replay::CASES,
        seals::CASES,
        logic::CASES,
        rights::CASES,
        links::CASES,
        race::CASES,
        race_sessions::CASES,
        race_waits::CASES,
        waiting::CASES,
        leak::CASES,
        memory::CASES,
        flood::CASES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The suite in the VM takes the names from there.
    const EXPECTED: &str = include_str!("../../../expect/hostile.tsv");

    #[test]
    fn the_expectations_name_every_case_once() {
        let expected: Vec<&str> = EXPECTED
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let names: Vec<&str> = super::all().map(|case| case.name).collect();
        assert_eq!(
            expected, names,
            "tests/expect/hostile.tsv is not the list of cases"
        );
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "two cases have the same name");
    }
}
