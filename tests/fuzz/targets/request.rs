// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `request`: see [`targets::request`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("request"),
    |data: &[u8]| targets::request(data)
);
