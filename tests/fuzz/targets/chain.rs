// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `chain`: see [`targets::chain`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("chain"),
    |data: &[u8]| targets::chain(data)
);
