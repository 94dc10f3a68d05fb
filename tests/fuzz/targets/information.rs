// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `information`: see [`targets::information`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("information"),
    |data: &[u8]| targets::information(data)
);
