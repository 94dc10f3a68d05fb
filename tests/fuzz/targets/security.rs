// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `security`: see [`targets::security`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("security"),
    |data: &[u8]| targets::security(data)
);
