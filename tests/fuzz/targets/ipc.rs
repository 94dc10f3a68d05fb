// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `ipc`: see [`targets::ipc`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("ipc"),
    |data: &[u8]| targets::ipc(data)
);
