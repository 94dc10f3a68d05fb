// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `negotiate`: see [`targets::negotiate`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("negotiate"),
    |data: &[u8]| targets::negotiate(data)
);
