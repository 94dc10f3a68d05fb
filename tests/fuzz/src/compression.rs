// SPDX-License-Identifier: GPL-2.0

//! Compressed messages and every algorithm, and the messages of SMB Direct.

use smb_proto::compression::pattern::scan;
use smb_proto::compression::{
    lz4, lz77, lznt1, Accepted, Algorithms, ChainWriter, Codec, Compressed, MatchTable, Payload,
    Scratch,
};
use smb_proto::smb_direct::{
    BufferDescriptor, BufferDescriptors, DataTransfer, NegotiateResponse, Offer,
};
use smb_proto::wire::Writer;

use crate::{choice, written};

/// The largest message that is expanded, in bytes: more than a block of LZ77+Huffman, and than LZ4 looks back.
const LARGEST: usize = 80_000;

const CODECS: [Codec; 4] = [Codec::Lznt1, Codec::Lz77, Codec::Lz77Huffman, Codec::Lz4];

/// A message in a compressed frame, data of an algorithm, or data to be compressed; the first byte says which.
pub fn compression(data: &[u8]) {
    let Some((kind, data)) = choice(data) else {
        return;
    };
    let mut scratch = Scratch::new();
    match kind % 8 {
        kind @ 0..4 => expand(CODECS[kind], data, &mut scratch),
        4 => frame(data, &mut scratch),
        kind => around(kind, data, &mut scratch),
    }
}

/// Data of an algorithm, behind two bytes of a quarter of the size that they expand to.
fn expand(codec: Codec, data: &[u8], scratch: &mut Scratch) {
    let Some((size, data)) = data.split_first_chunk::<2>() else {
        return;
    };
    let size = (usize::from(u16::from_le_bytes(*size)) * 4).min(LARGEST);
    let mut out = vec![0xA5; size];
    if codec.decompress(data, scratch, &mut out).is_err() {
        return;
    }
    let mut again = vec![0x5A; size];
    assert_eq!(codec.decompress(data, scratch, &mut again), Ok(()));
    assert!(
        out == again,
        "what is expanded does not depend on what was there"
    );
    let mut longer = vec![0; size + 1];
    assert!(
        codec.decompress(data, scratch, &mut longer).is_err(),
        "data have one size"
    );
    if let Some(less) = size.checked_sub(1) {
        let shorter = codec.decompress(data, scratch, &mut longer[..less]);
        assert!(shorter.is_err(), "data have one size");
    }
}

/// A frame without its protocol's identifier.
fn frame(data: &[u8], scratch: &mut Scratch) {
    let frame = [b"\xfcSMB", data].concat();
    let accepted = Accepted {
        algorithms: Algorithms::ALL,
        chained: true,
        max_segment: LARGEST,
    };
    let Ok(compressed) = Compressed::parse(&frame, &accepted) else {
        return;
    };
    let len = compressed.original_len();
    assert!(len <= LARGEST + data.len(), "bounded by what is accepted");
    let again = written(|w| match compressed {
        Compressed::Unchained {
            codec,
            original_size,
            plain,
            data,
        } => {
            Compressed::write_unchained(w, codec, original_size, plain.len())?;
            w.bytes(plain)?;
            w.bytes(data)
        }
        Compressed::Chained(chain) => {
            let mut writer = ChainWriter::begin(w)?;
            chain
                .payloads()
                .try_for_each(|payload| writer.add(w, &payload))?;
            writer.finish(w)
        }
    });
    let parsed = Compressed::parse(&again, &accepted).expect("what was written parses");
    let mut one = vec![0xA5; len];
    let mut other = vec![0x5A; len];
    let expanded = compressed.expand(scratch, &mut one);
    assert_eq!(parsed.expand(scratch, &mut other), expanded);
    if expanded.is_ok() {
        assert!(one == other && one.starts_with(b"\xfeSMB"));
    }
}

/// Data that are compressed and expanded again, longer than they come: runs in them are repeated.
fn around(kind: usize, data: &[u8], scratch: &mut Scratch) {
    let mut message = b"\xfeSMB".to_vec();
    for part in data.chunks(16) {
        let times = if part[0] < 240 {
            1
        } else {
            usize::from(part[0] - 239) * 20
        };
        message.extend(part.iter().copied().cycle().take(part.len() * times));
    }
    message.truncate(LARGEST);
    let mut table = Box::new(MatchTable::new());
    let mut compress = |w: &mut Writer<'_>, data: &[u8]| match kind {
        5 => lznt1::compress(data, &mut table, w),
        6 => lz77::compress(data, &mut table, w),
        _ => lz4::compress(data, &mut table, w),
    };
    let codec = match kind {
        5 => Codec::Lznt1,
        6 => Codec::Lz77,
        _ => Codec::Lz4,
    };
    let whole = written(|w| compress(w, &message));
    let mut out = vec![0xA5; message.len()];
    assert_eq!(codec.decompress(&whole, scratch, &mut out), Ok(()));
    assert!(out == message, "what was compressed expands to the same");

    let found = scan(&message[4..]);
    let frame = written(|w| {
        let mut chain = ChainWriter::begin(w)?;
        chain.add(w, &Payload::Plain(&message[..4]))?;
        if let Some(front) = found.front {
            chain.add(w, &Payload::Pattern(front))?;
        }
        chain.add_compressed(w, codec, found.middle, |w| compress(w, found.middle))?;
        if let Some(back) = found.back {
            chain.add(w, &Payload::Pattern(back))?;
        }
        chain.finish(w)
    });
    let accepted = Accepted {
        algorithms: Algorithms::ALL,
        chained: true,
        max_segment: message.len(),
    };
    let parsed = Compressed::parse(&frame, &accepted).expect("what was written parses");
    out.fill(0xA5);
    assert_eq!(parsed.expand(scratch, &mut out), Ok(()));
    assert!(out == message, "what was chained expands to the same");
}

/// A message of SMB Direct, or the descriptors of a client's buffers.
pub fn smb_direct(data: &[u8]) {
    const MAX: u32 = 1 << 20;
    if let Ok(Offer::Version1(request)) = Offer::parse(data) {
        let again = written(|w| request.write(w));
        assert_eq!(Offer::parse(&again), Ok(Offer::Version1(request)));
    }
    if let Ok(response) = NegotiateResponse::parse(data, MAX) {
        let again = written(|w| response.write(w));
        assert_eq!(NegotiateResponse::parse(&again, MAX), Ok(response));
    }
    if let Ok(message) = DataTransfer::parse(data, MAX) {
        assert!(message.data.len() <= data.len(), "it is part of the input");
        let again = written(|w| message.write(w));
        assert_eq!(DataTransfer::parse(&again, MAX), Ok(message));
    }
    if let Ok(descriptors) = BufferDescriptors::parse(data) {
        let list: Vec<BufferDescriptor> = descriptors.collect();
        let again = written(|w| BufferDescriptors::write(w, &list));
        assert_eq!(again, data, "descriptors have no reserved bytes");
    }
}

/// What the target `compression` begins with: recorded data behind their sizes, frames, data to be compressed.
pub(crate) fn compression_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for line in include_str!("../../../src/proto/tests/recorded/compressed.hex").lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(runs), Some(data)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let kind = match name {
            "lznt1" => 0,
            "lz77" => 1,
            "huffman" => 2,
            "lz4" => 3,
            _ => continue,
        };
        let size: usize = runs.split('+').map(run_len).sum();
        let data = crate::seeds::unhex(data);
        if let (0, Ok(quarter)) = (size % 4, u16::try_from(size / 4)) {
            seeds.push([&[kind][..], &quarter.to_le_bytes(), &data].concat());
        }
        let (Ok(size), Some(codec)) = (u32::try_from(size), CODECS.get(usize::from(kind))) else {
            continue;
        };
        let codec = *codec;
        let frame = written(|w| {
            let mut chain = ChainWriter::begin(w)?;
            chain.add(w, &Payload::Plain(b"\xfeSMB"))?;
            chain.add(
                w,
                &Payload::Compressed {
                    codec,
                    original_size: size,
                    data: &data,
                },
            )?;
            chain.finish(w)
        });
        seeds.push([&[4], &frame[4..]].concat());
        let frame = written(|w| {
            Compressed::write_unchained(w, codec, size, 4)?;
            w.bytes(b"\xfeSMB")?;
            w.bytes(&data)
        });
        seeds.push([&[4], &frame[4..]].concat());
    }
    for kind in 5..8 {
        seeds.push(
            [
                &[kind][..],
                &[255; 40],
                b"some text, some text, and some text",
                &[0; 80],
            ]
            .concat(),
        );
    }
    seeds
}

/// Bytes of a run as the recorded data name it.
fn run_len(run: &str) -> usize {
    let (bytes, times) = run.split_once('*').unwrap_or((run, "1"));
    bytes.len() / 2 * times.parse::<usize>().unwrap_or(0)
}

/// What the target `smb_direct` begins with: the document's negotiation (4.1), a fragment, descriptors.
pub(crate) fn smb_direct_seeds() -> Vec<Vec<u8>> {
    [
        "000100010000 0a00 00040000 00040000 00000200",
        "000100010001 0000 0a000a00 00000000 00001000 00040000 00040000 00000200",
        "0a000100 01000000 07000000 18000000 04000000 00000000 64617461",
        "0a000000 00000000 00000000 00000000 00000000",
        "0010000000000000 01000000 00100000 0020000000000000 02000000 00000100",
    ]
    .map(|text| crate::seeds::unhex(&text.replace(' ', "")))
    .into()
}
