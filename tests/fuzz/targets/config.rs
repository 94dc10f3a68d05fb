// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `config`: see [`targets::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("config"),
    |data: &[u8]| targets::config(data)
);
