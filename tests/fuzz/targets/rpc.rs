// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `rpc`: see [`targets::rpc`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("rpc"),
    |data: &[u8]| targets::rpc(data)
);
