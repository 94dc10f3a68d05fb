// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `fsctl`: see [`targets::fsctl`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("fsctl"),
    |data: &[u8]| targets::fsctl(data)
);
