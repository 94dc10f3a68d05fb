// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `calls`: see [`targets::calls`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("calls"),
    |data: &[u8]| targets::calls(data)
);
