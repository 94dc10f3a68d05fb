// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `ntlmssp`: see [`targets::ntlmssp`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("ntlmssp"),
    |data: &[u8]| targets::ntlmssp(data)
);
