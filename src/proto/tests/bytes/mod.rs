// SPDX-License-Identifier: GPL-2.0

//! What the tests of the formats inside of messages share.
#![allow(dead_code)]

use smb_proto::wire::{Writer, Written};

/// The bytes that the hexadecimal digits in `text` stand for; all else in it is passed over.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a digit"))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect()
}

/// What `f` writes into a buffer full of other bytes, so that one which is left out shows.
pub(crate) fn write(f: impl FnOnce(&mut Writer<'_>) -> Written) -> Vec<u8> {
    let mut buf = vec![0xCC; 200_000];
    let mut w = Writer::new(&mut buf);
    f(&mut w).expect("room");
    w.written().to_vec()
}

/// `text` as UTF-16LE.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
