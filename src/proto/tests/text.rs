// SPDX-License-Identifier: GPL-2.0

//! Text and time.

mod bytes;

use bytes::utf16;
use proptest::prelude::*;
use smb_proto::time::{FileTime, TimeChange};
use smb_proto::unicode::{upcase, utf16_len, write_utf16, Text, TextError, Utf16};
use smb_proto::wire::{Full, Malformed, Writer};

#[test]
fn odd_length_is_malformed() {
    assert_eq!(Utf16::new(b"a\0b"), Err(Malformed));
    assert_eq!(Utf16::new(b"").map(Utf16::units), Ok(0));
}

#[test]
fn lone_surrogates_are_malformed_and_the_rest_is_not() {
    let bytes = [0x00, 0xD8, b'a', 0, 0x00, 0xDC, b'b', 0];
    let chars: Vec<_> = Utf16(&bytes).chars().collect();
    assert_eq!(chars, [Err(Malformed), Ok('a'), Err(Malformed), Ok('b')]);
    assert_eq!(Utf16(&bytes).utf8_len(), Err(Malformed));
    assert_eq!(
        Utf16(&bytes[..2]).to_str_in(&mut [0; 8]),
        Err(TextError::Malformed)
    );
    // A high surrogate at the end, where the low one was cut off.
    assert_eq!(Utf16(&[0x3D, 0xD8]).chars().next(), Some(Err(Malformed)));
}

#[test]
fn case_is_folded_by_single_characters() {
    assert_eq!(upcase('ä'), 'Ä');
    assert_eq!(upcase('ß'), 'ß', "its upper case is two characters");
    assert!(Utf16(&utf16("GRÖSSE.Txt")).eq_str_ignore_case("grösse.TXT"));
    assert!(!Utf16(&utf16("a")).eq_str_ignore_case("ab"));
    assert!(!Utf16(&utf16("ab")).eq_str_ignore_case("a"));
    assert!(Utf16(&utf16("Привет")).eq_ignore_case(Utf16(&utf16("ПРИВЕТ"))));
    let lone = [0x00, 0xD8];
    assert!(!Utf16(&lone).eq_ignore_case(Utf16(&lone)));
}

#[test]
fn text_stops_at_nul() {
    let bytes = utf16("abc\0def");
    assert!(Utf16(&bytes).until_nul().eq_str("abc"));
    assert!(Utf16(&bytes[..6]).until_nul().eq_str("abc"));
}

#[test]
fn bytes_that_are_no_utf8_become_replacement_characters() {
    let text = Text::Lossy(b"a\xFFb\xE2\x82c");
    let mut buf = [0; 32];
    let mut w = Writer::new(&mut buf);
    text.write(&mut w).unwrap();
    assert_eq!(w.written(), utf16("a\u{FFFD}b\u{FFFD}c"));
    assert_eq!(text.wire_len(), w.len());
}

#[test]
fn clipping_keeps_whole_units() {
    let mut buf = [0; 32];
    for (room, expected) in [
        (0, ""),
        (1, ""),
        (2, "a"),
        (3, "a"),
        (6, "a😀"),
        (7, "a😀"),
        (99, "a😀b"),
    ] {
        let mut w = Writer::new(&mut buf);
        Text::Str("a😀b").write_clipped(&mut w, room).unwrap();
        assert_eq!(w.written(), utf16(expected), "{room}");
        let mut w = Writer::new(&mut buf);
        Text::Lossy("a😀b".as_bytes())
            .write_clipped(&mut w, room)
            .unwrap();
        assert_eq!(w.written(), utf16(expected), "{room}");
    }
    // Half of a pair, as cutting the wire form gives it.
    let wire = utf16("a😀b");
    for text in [Text::Str("a😀b"), Text::Wire(Utf16(&wire))] {
        let mut w = Writer::new(&mut buf);
        text.write_clipped(&mut w, 4).unwrap();
        assert_eq!(w.written(), &wire[..4]);
    }
}

#[test]
fn full_output_is_told() {
    assert_eq!(write_utf16(&mut Writer::new(&mut [0; 3]), "ab"), Err(Full));
    let bytes = utf16("ä");
    assert_eq!(Utf16(&bytes).to_str_in(&mut [0; 1]), Err(TextError::Full));
}

proptest! {
    #[test]
    fn text_round_trips(text in any::<String>()) {
        let mut buf = vec![0; text.len() * 2 + 4];
        let mut w = Writer::new(&mut buf);
        write_utf16(&mut w, &text).unwrap();
        prop_assert_eq!(w.written(), utf16(&text));
        prop_assert_eq!(utf16_len(&text), w.len());
        let wire = w.written().to_vec();
        let wire = Utf16::new(&wire).unwrap();
        prop_assert_eq!(wire.utf8_len(), Ok(text.len()));
        let mut back = vec![0; text.len()];
        prop_assert_eq!(wire.to_str_in(&mut back), Ok(text.as_str()));
        prop_assert!(wire.eq_str(&text));
        prop_assert!(wire.eq_str_ignore_case(&text));
        prop_assert_eq!(Text::Wire(wire), Text::Str(&text));
    }

    #[test]
    fn any_units_agree_with_the_standard_library(units in any::<Vec<u16>>()) {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let expected: Vec<_> = char::decode_utf16(units).map(|c| c.map_err(|_| Malformed)).collect();
        let found: Vec<_> = Utf16(&bytes).chars().collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_agree_with_the_standard_library(bytes in any::<Vec<u8>>()) {
        let mut buf = vec![0; bytes.len() * 2];
        let mut w = Writer::new(&mut buf);
        Text::Lossy(&bytes).write(&mut w).unwrap();
        prop_assert_eq!(w.written(), utf16(&String::from_utf8_lossy(&bytes)));
        prop_assert_eq!(Text::Lossy(&bytes).wire_len(), w.len());
    }

    #[test]
    fn time_round_trips(seconds in -11_644_473_600i64..900_000_000_000, ticks in 0u32..10_000_000) {
        let time = FileTime::from_unix(seconds, ticks * 100 + 7);
        prop_assert_eq!(time.to_unix(), (seconds, ticks * 100));
    }

    #[test]
    fn any_time_converts(seconds in any::<i64>(), nanoseconds in any::<u32>(), ticks in any::<u64>()) {
        prop_assert!(FileTime::from_unix(seconds, nanoseconds) <= FileTime::MAX);
        let (_, nanoseconds) = FileTime(ticks).to_unix();
        prop_assert!(nanoseconds < 1_000_000_000);
        if let Ok(change) = FileTime(ticks).change() {
            prop_assert_eq!(change.wire(), FileTime(ticks));
        }
    }
}

#[test]
fn known_times() {
    assert_eq!(FileTime::from_unix(0, 0), FileTime(116_444_736_000_000_000));
    assert_eq!(
        FileTime::from_unix(-1, 999_999_900),
        FileTime(116_444_735_999_999_999)
    );
    assert_eq!(
        FileTime(116_444_735_999_999_999).to_unix(),
        (-1, 999_999_900)
    );
    assert_eq!(FileTime::from_unix(i64::MIN, 0), FileTime::ZERO);
    assert_eq!(FileTime::from_unix(i64::MAX, 0), FileTime::MAX);
}

#[test]
fn special_times_ask_for_what_they_should() {
    assert_eq!(FileTime(0).change(), Ok(TimeChange::Keep));
    assert_eq!(FileTime(u64::MAX).change(), Ok(TimeChange::Freeze));
    assert_eq!(FileTime(u64::MAX - 1).change(), Ok(TimeChange::Thaw));
    assert_eq!(FileTime(u64::MAX - 2).change(), Err(Malformed));
    assert_eq!(FileTime(1).change(), Ok(TimeChange::Set(FileTime(1))));
}
