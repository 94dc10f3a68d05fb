// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `names`: see [`targets::names`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("names"),
    |data: &[u8]| targets::names(data)
);
