// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `compression`: see [`targets::compression`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("compression"),
    |data: &[u8]| targets::compression(data)
);
