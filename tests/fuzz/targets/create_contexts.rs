// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `create_contexts`: see [`targets::create_contexts`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("create_contexts"),
    |data: &[u8]| targets::create_contexts(data)
);
