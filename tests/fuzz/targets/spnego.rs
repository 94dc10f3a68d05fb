// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `spnego`: see [`targets::spnego`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("spnego"),
    |data: &[u8]| targets::spnego(data)
);
