// SPDX-License-Identifier: GPL-2.0

//! Compressed messages, [MS-SMB2] 2.2.42, and the algorithms, [MS-XCA]: what others compressed, what is compressed here, and
//! what must be refused.

mod bytes;

use bytes::{hex, write};
use proptest::collection::vec;
use proptest::prelude::*;
use smb_proto::compression::pattern::{scan, MIN_RUN};
use smb_proto::compression::*;
use smb_proto::negotiate_context::CompressionAlgorithm;
use smb_proto::wire::{Full, Malformed, Parsed, Writer};
use std::sync::LazyLock;

const CODECS: [Codec; 4] = [Codec::Lznt1, Codec::Lz77, Codec::Lz77Huffman, Codec::Lz4];

const ALL: Accepted = Accepted {
    algorithms: Algorithms::ALL,
    chained: true,
    max_segment: 1 << 20,
};

fn expand(codec: Codec, data: &[u8], len: usize) -> Parsed<Vec<u8>> {
    let mut out = vec![0xCC; len];
    codec.decompress(data, &mut Scratch::new(), &mut out)?;
    Ok(out)
}

/// What those that compress make of `data`.
fn compress(codec: Codec, data: &[u8]) -> Option<Vec<u8>> {
    let mut table = Box::new(MatchTable::new());
    let compress = match codec {
        Codec::Lznt1 => lznt1::compress,
        Codec::Lz77 => lz77::compress,
        Codec::Lz4 => lz4::compress,
        Codec::Lz77Huffman => return None,
    };
    Some(write(|w| compress(data, &mut table, w)))
}

/// The runs that a line names, joined.
fn runs(text: &str) -> Vec<u8> {
    text.split('+')
        .flat_map(|run| {
            let (bytes, times) = run.split_once('*').unwrap_or((run, "1"));
            hex(bytes).repeat(times.parse().expect("a number"))
        })
        .collect()
}

/// What others compressed: with what, from what, to what.
type Vector = (Codec, Vec<u8>, Vec<u8>);

/// The recorded ones.
fn vectors() -> Vec<Vector> {
    include_str!("recorded/compressed.hex")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a word");
            let codec = match word() {
                "lznt1" => Codec::Lznt1,
                "lz77" => Codec::Lz77,
                "huffman" => Codec::Lz77Huffman,
                "lz4" => Codec::Lz4,
                other => panic!("{other}"),
            };
            (codec, runs(word()), hex(word()))
        })
        .collect()
}

#[test]
fn recorded_data_expand() {
    for (codec, original, data) in vectors() {
        let expanded = expand(codec, &data, original.len());
        assert!(expanded == Ok(original), "{codec:?} {data:02x?}");
    }
}

#[test]
fn recorded_data_expand_to_no_other_size_and_from_no_part() {
    for (codec, original, data) in vectors() {
        if original.len() > 3000 {
            continue;
        }
        for len in [
            0,
            1,
            original.len() - 1,
            original.len() + 1,
            original.len() + 300,
        ] {
            let expanded = expand(codec, &data, len);
            assert!(
                expanded.is_err() || len == original.len(),
                "{codec:?} as {len}"
            );
        }
        for end in 0..data.len() {
            let expanded = expand(codec, &data[..end], original.len());
            if let Ok(expanded) = expanded {
                assert!(expanded == original, "{codec:?}: other data from a part");
            }
        }
    }
}

/// Whether Miri would take minutes for as many bytes.
fn too_long(len: usize) -> bool {
    cfg!(miri) && len > 1000
}

#[test]
fn lz77_lengths() {
    // A byte, then a match of distance 1, with the length in each of its forms, and flags for the rest.
    let with = |tail: &[u8]| [&0x7fff_ffffu32.to_le_bytes()[..], b"a", tail].concat();
    for (tail, len) in [
        (&[0, 0][..], 3),
        (&[6, 0], 9),
        (&[7, 0, 0], 10),
        (&[7, 0, 14], 24),
        (&[7, 0, 15, 0], 25),
        (&[7, 0, 15, 254], 279),
        (&[7, 0, 15, 255, 22, 0], 25),
        (&[7, 0, 15, 255, 0x15, 1], 280),
        (&[7, 0, 15, 255, 255, 255], 65538),
        (&[7, 0, 15, 255, 0, 0, 0, 0, 1, 0], 65539),
    ] {
        if too_long(len) {
            continue;
        }
        let data = with(tail);
        assert_eq!(expand(Codec::Lz77, &data, len + 1), Ok(vec![b'a'; len + 1]));
        assert!(
            expand(Codec::Lz77, &data, len).is_err(),
            "beyond the end: {len}"
        );
        assert!(
            expand(Codec::Lz77, &data, len + 2).is_err(),
            "too few: {len}"
        );
    }
    for tail in [
        &[7, 0, 15, 255, 21, 0][..],
        &[7, 0, 15, 255, 0, 0, 21, 0, 0, 0],
    ] {
        assert!(
            expand(Codec::Lz77, &with(tail), 25).is_err(),
            "a length that has a shorter form"
        );
    }
    assert!(
        expand(Codec::Lz77, &with(&[8, 0]), 4).is_err(),
        "from before the start"
    );
    // Two matches share a byte for their lengths, the first the lower half.
    let data = with(&[7, 0, 0x21, 7, 0]);
    assert_eq!(expand(Codec::Lz77, &data, 24), Ok(vec![b'a'; 24]));
}

#[test]
fn lz77_ends_with_its_data() {
    let data = compress(Codec::Lz77, &[5; 100]).expect("built");
    assert!(expand(Codec::Lz77, &data, 100).is_ok());
    assert!(expand(Codec::Lz77, &[&data[..], &[0]].concat(), 100).is_err());
    // 32 bytes use the flags up; the next ones stand there, and nothing behind them.
    let literals: Vec<u8> = (0..32).collect();
    let mut data = vec![0; 4];
    data.extend_from_slice(&literals);
    assert_eq!(expand(Codec::Lz77, &data, 32), Ok(literals.clone()));
    data.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(expand(Codec::Lz77, &data, 32), Ok(literals.clone()));
    assert_eq!(compress(Codec::Lz77, &literals), Some(data.clone()));
    data[36..].fill(0);
    assert!(expand(Codec::Lz77, &data, 32).is_err(), "a byte is missing");
}

#[test]
fn lznt1_chunks() {
    let plain: Vec<u8> = (0..=255u8).cycle().take(4096).collect();
    let whole = [&[0xff, 0x3f][..], &plain].concat();
    let part = [0x01, 0x30, b'a', b'b'];
    let want = |parts: &[&[u8]]| Ok(parts.concat());
    let one = |data: &[&[u8]], len| expand(Codec::Lznt1, &data.concat(), len);
    assert_eq!(one(&[&whole, &part], 4098), want(&[&plain, b"ab"]));
    assert_eq!(one(&[&whole, &part, &[0, 0]], 4098), want(&[&plain, b"ab"]));
    assert_eq!(one(&[&whole], 4096), want(&[&plain]));
    for (data, len, why) in [
        (
            &[&part[..], &whole][..],
            4098,
            "a part before a whole chunk",
        ),
        (&[&part, &[0, 0, 0]], 2, "more than the end"),
        (&[&part, &[1, 0]], 2, "not the end"),
        (&[&[0, 0]], 1, "the end at the start"),
        (&[&[0x01, 0x20, b'a', b'b']], 2, "another signature"),
        (&[&[0x02, 0x30, b'a', b'b']], 2, "a chunk beyond the end"),
        (&[&[0x02, 0xb0, 1, 0, 0]], 3, "a match of nothing"),
        (
            &[&[0x03, 0xb0, 2, b'a', 0, 0x10]],
            4,
            "a match from before the chunk",
        ),
        (
            &[&whole, &[0x03, 0xb0, 2, b'a', 0, 0x10]],
            4100,
            "a match from the chunk before",
        ),
        (
            &[&[0x03, 0xb0, 2, b'a', 0xfd, 0x0f]],
            4097,
            "a chunk of 4097 bytes",
        ),
        (&[&[0x02, 0xb0, 2, b'a', 0]], 4, "half a match"),
    ] {
        assert_eq!(one(data, len), Err(Malformed), "{why}");
    }
    // The longest match at the front, and one that ends with the chunk.
    assert_eq!(
        one(&[&[0x03, 0xb0, 2, b'a', 0xfc, 0x0f]], 4096),
        Ok(vec![b'a'; 4096])
    );
}

#[test]
fn lz4_blocks() {
    for (data, want) in [
        (&[0x00][..], &b""[..]),
        (&[0x10, b'a'], b"a"),
        (&[0x10, b'a', 1, 0, 0x10, b'b'], b"aaaaab"),
        (&[0x10, b'a', 1, 0, 0x00], b"aaaaa"),
        (&[0x21, b'a', b'b', 2, 0, 0x10, b'c'], b"abababac"),
    ] {
        assert_eq!(expand(Codec::Lz4, data, want.len()).as_deref(), Ok(want));
    }
    for (data, len, why) in [
        (&[][..], 0, "no sequence"),
        (&[0x10], 1, "no byte"),
        (&[0x10, b'a', 1, 0], 5, "ends with a match"),
        (&[0x10, b'a', 1], 5, "half a distance"),
        (&[0x10, b'a', 0, 0, 0x00], 5, "no distance"),
        (&[0x10, b'a', 2, 0, 0x00], 5, "from before the start"),
        (&[0xf0, 255, 255], 600, "a length without end"),
        (&[0x1f, b'a', 1, 0, 255], 600, "a length without end"),
        (&[0x10, b'a', 0x00], 1, "more than the end"),
    ] {
        assert_eq!(expand(Codec::Lz4, data, len), Err(Malformed), "{why}");
    }
}

/// A block with this code (symbols and their lengths) and these bits behind it.
fn block(code: &[(usize, u8)], bits: &[u8]) -> Vec<u8> {
    let mut data = vec![0; 256];
    for (symbol, length) in code {
        data[symbol / 2] |= length << (4 * (symbol % 2));
    }
    data.extend_from_slice(bits);
    data
}

#[test]
fn huffman_codes_are_whole() {
    let a = usize::from(b'a');
    let run = |code: &[(usize, u8)], bits: &[u8], len| {
        expand(Codec::Lz77Huffman, &block(code, bits), len)
    };
    // a is 0, the end 1: a a a end.
    assert_eq!(
        run(&[(a, 1), (256, 1)], &[0, 0x10, 0, 0], 3),
        Ok(b"aaa".to_vec())
    );
    // The symbol for the end is one for a match as well: a, then three of distance 1, end.
    assert_eq!(
        run(&[(a, 1), (256, 1)], &[0, 0x60, 0, 0], 4),
        Ok(b"aaaa".to_vec())
    );
    assert_eq!(
        run(&[(a, 1), (256, 1)], &[0, 0x40, 0, 0], 4),
        Err(Malformed),
        "no end"
    );
    for (code, why) in [
        (&[][..], "no symbol"),
        (&[(a, 1)], "one symbol"),
        (&[(a, 1), (256, 2)], "bits that are no symbol"),
        (&[(a, 1), (98, 1), (256, 1)], "too many symbols"),
        (&[(a, 1), (98, 2), (256, 15)], "bits that are no symbol"),
    ] {
        assert_eq!(run(code, &[0, 0x10, 0, 0], 3), Err(Malformed), "{why}");
    }
    let code = [(a, 1), (256, 1)];
    assert_eq!(
        run(&code, &[0, 0x80, 0, 0], 3),
        Err(Malformed),
        "a match of nothing"
    );
    assert_eq!(run(&code, &[0, 0x10, 0], 3), Err(Malformed), "half a word");
    assert_eq!(run(&code, &[0, 0x10], 3), Err(Malformed), "one word");
    assert_eq!(
        run(&code, &[0, 0x10, 0, 0, 0, 0], 3),
        Err(Malformed),
        "more than the end"
    );
    assert_eq!(
        run(&code, &[0, 0, 0, 0, 0, 0], 3),
        Err(Malformed),
        "no end, and more"
    );
}

#[test]
fn huffman_codes_of_each_length() {
    // Lengths 1, 2, 3 and so on: each symbol's code is ones and a zero, the last one's only ones.
    let mut code: Vec<(usize, u8)> = (1..=15)
        .map(|length| (usize::from(length), length))
        .collect();
    code.push((256, 15));
    for symbol in 1..=15u8 {
        // The symbol, and that for the end, from the highest bit on.
        let ones = !(u64::MAX >> (symbol - 1));
        let bits = ones | ((0x7fffu64 << 49) >> symbol);
        let words = [48, 32, 16].map(|shift| (bits >> shift) as u16);
        // A third word is read as soon as fewer than 16 bits are left.
        let words = if symbol == 1 { &words[..2] } else { &words[..] };
        let bits: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let expanded = expand(Codec::Lz77Huffman, &block(&code, &bits), 1);
        assert_eq!(expanded, Ok(vec![symbol]));
    }
}

#[test]
fn huffman_lengths() {
    let a = usize::from(b'a');
    // a is 0, the end 10, the match of distance 1 whose length goes on 11: a, match, end.
    let code = [(a, 1), (256, 2), (256 + 15, 2)];
    let with = |tail: &[u8]| block(&code, &[&[0, 0x70, 0, 0], tail].concat());
    for (tail, len) in [
        (&[0][..], 18),
        (&[254], 272),
        (&[255, 15, 0], 18),
        (&[255, 255, 255], 65538),
        (&[255, 0, 0, 0, 0, 1, 0], 65539),
    ] {
        if too_long(len) {
            continue;
        }
        let expanded = expand(Codec::Lz77Huffman, &with(tail), len + 1);
        assert!(expanded == Ok(vec![b'a'; len + 1]), "{tail:?}");
        assert!(
            expand(Codec::Lz77Huffman, &with(tail), len).is_err(),
            "{tail:?}"
        );
    }
    for tail in [&[255, 14, 0][..], &[255, 0, 0, 14, 0, 0, 0], &[]] {
        assert!(
            expand(Codec::Lz77Huffman, &with(tail), 18).is_err(),
            "{tail:?}"
        );
    }
}

#[test]
fn compressors_report_full() {
    let data: Vec<u8> = (0..200u32).map(|n| (n * n % 251) as u8).collect();
    for compress in [lznt1::compress, lz77::compress, lz4::compress] {
        let mut table = Box::new(MatchTable::new());
        let mut room = vec![0; 4096];
        let mut w = Writer::new(&mut room);
        compress(&data, &mut table, &mut w).expect("room");
        let len = w.len();
        for room_len in (0..len).step_by(19) {
            let mut w = Writer::new(&mut room[..room_len]);
            assert_eq!(compress(&data, &mut table, &mut w), Err(Full));
        }
    }
}

#[test]
fn patterns_at_both_ends() {
    let run = |byte: u8, len: usize| vec![byte; len];
    let pattern = |byte, repetitions| Some(Pattern { byte, repetitions });
    let data = [run(1, MIN_RUN), b"data".to_vec(), run(2, 1000)].concat();
    let found = scan(&data);
    assert_eq!(
        (found.front, found.back),
        (pattern(1, 64), pattern(2, 1000))
    );
    assert_eq!(found.middle, b"data");
    let data = [run(1, MIN_RUN - 1), run(2, MIN_RUN - 1)].concat();
    let found = scan(&data);
    assert_eq!(
        (found.front, found.middle, found.back),
        (None, &data[..], None)
    );
    let data = run(7, 100);
    let found = scan(&data);
    assert_eq!(
        (found.front, found.middle, found.back),
        (pattern(7, 100), &[][..], None)
    );
    let data = run(7, MIN_RUN - 1);
    let found = scan(&data);
    assert_eq!(
        (found.front, found.middle, found.back),
        (None, &data[..], None)
    );
    assert_eq!(scan(&[]).middle, &[]);
}

/// A message: the protocol's identifier, and something that can be compressed.
fn smb2(rest: &[u8]) -> Vec<u8> {
    [b"\xfeSMB", rest].concat()
}

/// A chain of `payloads`.
fn chain(payloads: &[Payload<'_>]) -> Vec<u8> {
    write(|w| {
        let mut chain = ChainWriter::begin(w)?;
        payloads
            .iter()
            .try_for_each(|payload| chain.add(w, payload))?;
        chain.finish(w)
    })
}

fn message_of(frame: &[u8]) -> Parsed<Vec<u8>> {
    let compressed = Compressed::parse(frame, &ALL)?;
    let mut out = vec![0xCC; compressed.original_len()];
    compressed.expand(&mut Scratch::new(), &mut out)?;
    Ok(out)
}

/// An unchained message with what `data` became, behind `plain`.
fn unchained(codec: Codec, original_size: usize, plain: &[u8], data: &[u8]) -> Vec<u8> {
    let original_size = u32::try_from(original_size).expect("small");
    write(|w| {
        Compressed::write_unchained(w, codec, original_size, plain.len())?;
        w.bytes(plain)?;
        w.bytes(data)
    })
}

fn patched(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

#[test]
fn unchained_headers() {
    let original = [3; 500];
    let data = compress(Codec::Lz77, &original).expect("built");
    let good = unchained(Codec::Lz77, 500, b"\xfeSMBplain", &data);
    assert_eq!(&good[..16], b"\xfcSMB\xf4\x01\0\0\x02\0\0\0\x09\0\0\0");
    assert_eq!(
        message_of(&good),
        Ok(smb2(&[b"plain", &original[..]].concat()))
    );
    let past_the_end = u32::try_from(good.len() - 15).expect("small").to_le_bytes();
    for (at, bytes, why) in [
        (0, &b"\xfdSMB"[..], "another protocol"),
        (4, &501u32.to_le_bytes(), "fewer bytes than it says"),
        (4, &499u32.to_le_bytes(), "more bytes than it says"),
        (
            4,
            &(1u32 << 20).wrapping_add(1).to_le_bytes(),
            "beyond the largest",
        ),
        (4, &u32::MAX.to_le_bytes(), "beyond the largest"),
        (8, &[0, 0], "not compressed"),
        (8, &[4, 0], "a pattern"),
        (8, &[6, 0], "no algorithm"),
        (10, &[2, 0], "flags that there are not"),
        (10, &[1, 0], "chained"),
        (12, &past_the_end, "an offset beyond the end"),
        (12, &u32::MAX.to_le_bytes(), "an offset beyond everything"),
        (16, b"\xfc", "compressed again"),
        (16, b"\xfd", "encrypted"),
        (16, b"\xff", "SMB1"),
    ] {
        assert_eq!(
            message_of(&patched(&good, at, bytes)),
            Err(Malformed),
            "{why}"
        );
    }
    for end in 0..good.len() {
        assert_eq!(message_of(&good[..end]), Err(Malformed), "cut off at {end}");
    }
}

#[test]
fn what_was_not_negotiated_is_refused() {
    let plain = smb2(&[0; 100]);
    for codec in CODECS {
        let frame = unchained(codec, 100, &plain, &[0]);
        let parse = |algorithms, max_segment| {
            let accepted = Accepted {
                algorithms,
                chained: false,
                max_segment,
            };
            Compressed::parse(&frame, &accepted).map(|compressed| compressed.original_len())
        };
        let just = Algorithms::of(codec.algorithm());
        assert_eq!(parse(just, 100), Ok(204));
        assert_eq!(parse(just, 99), Err(Malformed));
        assert_eq!(parse(Algorithms::ALL.without(just), 100), Err(Malformed));
    }
    let pattern = Pattern {
        byte: 0,
        repetitions: 10,
    };
    let frame = chain(&[Payload::Plain(&plain), Payload::Pattern(pattern)]);
    let parse = |algorithms, chained| {
        let accepted = Accepted {
            algorithms,
            chained,
            max_segment: 200,
        };
        Compressed::parse(&frame, &accepted).map(|compressed| compressed.original_len())
    };
    assert_eq!(parse(Algorithms::PATTERN_V1, true), Ok(114));
    assert_eq!(parse(Algorithms::PATTERN_V1, false), Err(Malformed));
    assert_eq!(parse(Algorithms::LZ77, true), Err(Malformed));
    assert_eq!(Accepted::largest_segment(65536), 65536 + 256 + 16);
    assert_eq!(Accepted::largest_segment(usize::MAX), usize::MAX);
}

#[test]
fn chains() {
    let original = [9; 300];
    let data = compress(Codec::Lz4, &original).expect("built");
    let pattern = Pattern {
        byte: b'-',
        repetitions: 70,
    };
    let good = chain(&[
        Payload::Plain(b"\xfeSMB"),
        Payload::Pattern(pattern),
        Payload::Compressed {
            codec: Codec::Lz4,
            original_size: 300,
            data: &data,
        },
    ]);
    let head = b"\xfcSMB\x76\x01\0\0\0\0\x01\0\x04\0\0\0\xfeSMB\x04\0\0\0\x08\0\0\0-\0\0\0\x46\0\0\0\x05\0\0\0";
    assert_eq!(&good[..head.len()], head);
    assert_eq!(
        message_of(&good),
        Ok(smb2(&[&[b'-'; 70][..], &original].concat()))
    );
    for (at, bytes, why) in [
        (4, &[0x77][..], "more than the payloads"),
        (4, &[0x75], "less than the payloads"),
        (10, &[0], "the first without the flag"),
        (10, &[3], "another flag"),
        (12, &[0xff, 0xff, 0xff, 0xff], "a length beyond the end"),
        (12, &[3], "a length that is too small"),
        (16, b"\xfc", "compressed again"),
        (20, &[6], "no algorithm"),
        (22, &[1], "another first one"),
        (24, &[7], "a short pattern"),
        (24, &[9], "a long pattern"),
        (
            32,
            &[0xff, 0xff, 0xff, 0xff],
            "more repetitions than there is room",
        ),
        (32, &[0x47], "one repetition too many"),
        (36, &[0], "plain, but longer than it says"),
        (40, &[3, 0], "too short for the size"),
        (44, &[0xff, 0xff, 0xff, 0xff], "a size beyond everything"),
    ] {
        assert_eq!(
            message_of(&patched(&good, at, bytes)),
            Err(Malformed),
            "{why}"
        );
    }
    for end in 0..good.len() {
        assert_eq!(message_of(&good[..end]), Err(Malformed), "cut off at {end}");
    }
    // Reserved bytes of the pattern are ignored.
    assert!(message_of(&patched(&good, 29, &[1, 2, 3])).is_ok());
    // A chain whose sizes wrap around to the right sum.
    let wrapping = chain(
        &[
            Payload::Plain(b"\xfeSMB"),
            Payload::Pattern(Pattern {
                byte: 0,
                repetitions: u32::MAX - 2,
            }),
            Payload::Plain(b"xxx"),
        ][..1],
    );
    assert_eq!(message_of(&wrapping), Ok(b"\xfeSMB".to_vec()));
    let largest = Pattern {
        byte: 0,
        repetitions: u32::MAX,
    };
    let mut room = [0; 100];
    let mut w = Writer::new(&mut room);
    let mut writer = ChainWriter::begin(&mut w).expect("room");
    writer
        .add(&mut w, &Payload::Pattern(largest))
        .expect("room");
    writer
        .add(&mut w, &Payload::Plain(b"\xfeSMB\0"))
        .expect("room");
    assert_eq!(writer.finish(&mut w), Err(Full), "more than 32 bits");
    let mut wrapped = w.written().to_vec();
    wrapped[4] = 4;
    assert_eq!(message_of(&wrapped), Err(Malformed));
}

#[test]
fn chains_keep_what_does_not_become_smaller() {
    let mut table = Box::new(MatchTable::new());
    let noise: Vec<u8> = (0..40u8).map(|n| n.wrapping_mul(167)).collect();
    let frame = write(|w| {
        let mut chain = ChainWriter::begin(w)?;
        chain.add_compressed(w, Codec::Lz77, b"\xfeSMB", |w| {
            lz77::compress(b"\xfeSMB", &mut table, w)
        })?;
        chain.add_compressed(w, Codec::Lz77, &[1; 500], |w| {
            lz77::compress(&[1; 500], &mut table, w)
        })?;
        chain.add_compressed(w, Codec::Lz4, &noise, |w| {
            lz4::compress(&noise, &mut table, w)
        })?;
        chain.finish(w)
    });
    let Ok(Compressed::Chained(parsed)) = Compressed::parse(&frame, &ALL) else {
        panic!("it is a chain");
    };
    let algorithms: Vec<_> = parsed
        .payloads()
        .map(|payload| payload.algorithm())
        .collect();
    let none = CompressionAlgorithm::NONE;
    assert_eq!(algorithms, [none, CompressionAlgorithm::LZ77, none]);
    assert_eq!(
        message_of(&frame),
        Ok(smb2(&[&[1; 500][..], &noise].concat()))
    );
}

/// Data with something to find: runs, copies of what stood before, and noise.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..60).prop_map(|bytes| (bytes, 0, 0)),
        (any::<u8>(), 1..400usize).prop_map(|(byte, len)| (vec![byte; len], 0, 0)),
        (1..10_000usize, 1..700usize).prop_map(|(distance, len)| (Vec::new(), distance, len)),
    ];
    vec(piece, 0..30).prop_map(|pieces| {
        let mut data = Vec::new();
        for (bytes, distance, len) in pieces {
            data.extend_from_slice(&bytes);
            for _ in 0..len {
                let at = data.len().checked_sub(distance);
                data.push(at.and_then(|at| data.get(at).copied()).unwrap_or(0));
            }
        }
        data
    })
}

proptest! {
    #[test]
    fn what_is_compressed_expands(data in data()) {
        for codec in CODECS {
            let Some(compressed) = compress(codec, &data) else { continue };
            prop_assert!(expand(codec, &compressed, data.len()).as_deref() == Ok(&data[..]), "{:?}", codec);
            prop_assert!(expand(codec, &compressed, data.len() + 1).is_err());
            // What does not become smaller becomes larger by so much at most, whatever the algorithm.
            prop_assert!(compressed.len() <= data.len() + data.len() / 8 + 8);
        }
    }

    #[test]
    fn messages_expand(rest in data(), front in 0..200usize, back in 0..200usize, at in any::<prop::sample::Index>()) {
        let message = smb2(&[&vec![7; front][..], &rest, &vec![8; back]].concat());
        let mut table = Box::new(MatchTable::new());
        let found = scan(&message[4..]);
        let frame = write(|w| {
            let mut chain = ChainWriter::begin(w)?;
            chain.add(w, &Payload::Plain(&message[..4]))?;
            if let Some(front) = found.front {
                chain.add(w, &Payload::Pattern(front))?;
            }
            chain.add_compressed(w, Codec::Lznt1, found.middle, |w| lznt1::compress(found.middle, &mut table, w))?;
            if let Some(back) = found.back {
                chain.add(w, &Payload::Pattern(back))?;
            }
            chain.finish(w)
        });
        prop_assert!(message_of(&frame).as_deref() == Ok(&message[..]));
        let (plain, rest) = message.split_at(4 + at.index(message.len() - 3));
        let compressed = compress(Codec::Lz77, rest).expect("built");
        let frame = unchained(Codec::Lz77, rest.len(), plain, &compressed);
        prop_assert!(message_of(&frame).as_deref() == Ok(&message[..]));
    }

    #[test]
    fn random_data_are_harmless(codec in 0..4usize, data in vec(any::<u8>(), 0..600), len in 0..2000usize) {
        let _ = expand(CODECS[codec], &data, len);
    }

    #[test]
    fn recorded_data_changed_are_harmless(vector in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(vectors);
        let vectors = &VECTORS;
        let (codec, original, data) = &vectors[vector.index(vectors.len())];
        let mut data = data.clone();
        let at = at.index(data.len());
        data[at] = to;
        let _ = expand(*codec, &data, original.len());
    }
}
