// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `discovery`: see [`targets::discovery`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("discovery"),
    |data: &[u8]| targets::discovery(data)
);
