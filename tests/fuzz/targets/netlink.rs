// SPDX-License-Identifier: GPL-2.0

//! Fuzz target `netlink`: see [`targets::netlink`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: targets::seeds::write_where_asked("netlink"),
    |data: &[u8]| targets::netlink(data)
);
