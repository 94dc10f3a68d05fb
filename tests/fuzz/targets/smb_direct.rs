// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `smb_direct`: see [`targets::smb_direct`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("smb_direct"),
    |data: &[u8]| targets::smb_direct(data)
);
