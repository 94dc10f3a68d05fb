// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `users`: see [`targets::users`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("users"),
    |data: &[u8]| targets::users(data)
);
