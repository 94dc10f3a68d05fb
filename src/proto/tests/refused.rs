// SPDX-License-Identifier: GPL-2.0

//! What parsers must refuse, and what they must let pass, by [MS-SMB2].

mod common;

use common::{message, Way};
use smb_proto::change_notify::Records;
use smb_proto::create_context::{Contexts, RequestContexts};
use smb_proto::header::{Command, FileId, Header};
use smb_proto::negotiate_context::Context;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Malformed, Writer};
use smb_proto::{
    chain, close, create, error, ioctl, lock, negotiate, query_directory, read, session_setup,
    tree_connect, trivial, write,
};

fn set16(pdu: &mut [u8], at: usize, value: u16) {
    pdu[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn set32(pdu: &mut [u8], at: usize, value: u32) {
    pdu[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn structure_sizes() {
    let mut pdu = message(Command::Echo, Way::Request, |w| trivial::Empty.write(w));
    assert_eq!(trivial::Empty::parse(&pdu), Ok(trivial::Empty));
    assert_eq!(trivial::Empty::parse(&pdu[..67]), Err(Malformed));
    set16(&mut pdu, 64, 5);
    assert_eq!(trivial::Empty::parse(&pdu), Err(Malformed));
}

#[test]
fn headers() {
    let good = message(Command::Echo, Way::Request, |w| trivial::Empty.write(w));
    assert!(Header::parse(&good).is_ok());
    assert_eq!(Header::parse(&good[..63]), Err(Malformed));
    let mut bad = good.clone();
    bad[0] = 0xfd;
    assert_eq!(Header::parse(&bad), Err(Malformed));
    let mut bad = good.clone();
    bad[4] = 65;
    assert_eq!(Header::parse(&bad), Err(Malformed));
    let mut bad = good;
    set16(&mut bad, 12, 0x13);
    assert_eq!(
        Header::parse(&bad).map(|header| header.command()),
        Ok(Err(Malformed))
    );
}

#[test]
fn chains() {
    let element = message(Command::Echo, Way::Request, |w| trivial::Empty.write(w));
    let mut two = element.clone();
    two.resize(72, 0);
    two.extend_from_slice(&element);
    set32(&mut two, 20, 72);
    assert_eq!(chain::split(&two).map(|chain| chain.count()), Ok(2));
    for distance in [
        4,
        66,
        70,
        71,
        73,
        80,
        136,
        140,
        144,
        u32::MAX,
        0x8000_0000,
        0xffff_fff8,
    ] {
        set32(&mut two, 20, distance);
        assert!(chain::split(&two).is_err(), "a distance of {distance}");
    }
    set32(&mut two, 20, 64);
    assert!(chain::split(&two).is_err(), "an element without a body");
    set32(&mut two, 20, 72);
    assert!(chain::split(&two[..72]).is_err(), "nothing follows");
    assert!(chain::split(&two[..137]).is_err(), "too little follows");
    assert!(
        chain::split(&two[..138]).is_ok(),
        "a header and a StructureSize"
    );
    assert!(chain::split(&[]).is_err());
    let mut unaligned = element.clone();
    unaligned.resize(76, 0);
    unaligned.extend_from_slice(&element);
    set32(&mut unaligned, 20, 76);
    assert!(chain::split(&unaligned).is_err(), "a sound element at 76");
}

#[test]
fn negotiate_lists() {
    let head = negotiate::RequestHead {
        security_mode: negotiate::SecurityMode::SIGNING_ENABLED,
        capabilities: negotiate::Capabilities::NONE,
        client_guid: [3; 16],
        dialects: &[negotiate::Dialect::SMB_3_1_1],
    };
    let good = message(Command::Negotiate, Way::Request, |w| {
        let mut list = head.begin(w)?;
        list.encryption(w, &[])?;
        list.finish(w)
    });
    assert!(
        negotiate::Request::parse(&good).is_err(),
        "no cipher in the list"
    );
    let good = message(Command::Negotiate, Way::Request, |w| {
        let mut list = head.begin(w)?;
        list.signing(
            w,
            &[smb_proto::negotiate_context::SigningAlgorithm::AES_CMAC],
        )?;
        list.add(w, smb_proto::negotiate_context::ContextType(0x77), |w| {
            w.bytes(b"new")
        })?;
        list.finish(w)
    });
    let request = negotiate::Request::parse(&good).expect("parses");
    let last = request.contexts.and_then(|list| list.iter().last());
    assert_eq!(
        last,
        Some(Context::Unknown(
            smb_proto::negotiate_context::ContextType(0x77),
            b"new"
        ))
    );
    for (field, value, why) in [
        (66, 0, "no dialect"),
        (66, 0xffff, "more dialects than there are bytes"),
        (92, 0, "contexts in the header"),
        (92, 100, "contexts among the dialects"),
        (92, 105, "contexts not aligned"),
        (92, 0xfff8, "contexts beyond the end"),
        (96, 3, "more contexts than there are"),
        (106, 0xffff, "a context beyond the end"),
        (112, 0xffff, "more algorithms than the context holds"),
        (112, 0, "no algorithm"),
    ] {
        let mut bad = good.clone();
        set16(&mut bad, field, value);
        assert!(negotiate::Request::parse(&bad).is_err(), "{why}");
    }
}

#[test]
fn contexts_may_not_lie_among_the_dialects() {
    let context = [0x77, 0, 0, 0].map(negotiate::Dialect);
    let mut dialects = vec![negotiate::Dialect::SMB_3_1_1, negotiate::Dialect::SMB_3_0];
    dialects.extend(context);
    let head = negotiate::RequestHead {
        security_mode: negotiate::SecurityMode::NONE,
        capabilities: negotiate::Capabilities::NONE,
        client_guid: [0; 16],
        dialects: &dialects,
    };
    let mut pdu = message(Command::Negotiate, Way::Request, |w| head.write(w));
    set32(&mut pdu, 92, 104);
    set16(&mut pdu, 96, 1);
    assert!(negotiate::Request::parse(&pdu).is_err());
    // The same bytes are a context if they are not dialects.
    set16(&mut pdu, 66, 2);
    assert!(negotiate::Request::parse(&pdu).is_ok());
}

#[test]
fn change_records_may_not_overlap() {
    let mut data = vec![0; 40];
    set32(&mut data, 4, 1);
    set32(&mut data, 8, 4);
    let count = |data: &[u8]| {
        Records::new(data)
            .map(|record| record.is_ok())
            .collect::<Vec<_>>()
    };
    assert_eq!(count(&data), [true]);
    for (distance, want) in [
        (16, &[true, true][..]),
        (20, &[true, true]),
        (12, &[false]),
        (4, &[false]),
        (18, &[false]),
        (40, &[true, false]),
        (44, &[false]),
    ] {
        set32(&mut data, 0, distance);
        assert_eq!(count(&data), want, "{distance}");
    }
}

#[test]
fn error_contexts_are_aligned() {
    // 2.2.2.1: each starts at a multiple of 8, from the first one's start.
    let pdu = message(Command::Create, Way::Reply, |w| {
        w.u16(9)?;
        w.u8(2)?;
        w.u8(0)?;
        w.u32(16 + 12)?;
        w.u32(3)?;
        w.u32(0x7264_5253)?;
        w.bytes(b"abc\0\0\0\0\0")?;
        w.u32(4)?;
        w.u32(0)?;
        w.bytes(b"data")
    });
    let reply = error::Reply::parse(&pdu).expect("parses");
    let contexts: Vec<_> = reply
        .contexts()
        .flatten()
        .map(|context| context.data)
        .collect();
    assert_eq!(contexts, [&b"abc"[..], b"data"]);
    assert_eq!(reply.data(), Some(&b"data"[..]));
    assert_eq!(reply.bare_data(), None);
    assert!(error::Reply::parse(&pdu[..pdu.len() - 1]).is_err());
}

#[test]
fn contexts_do_not_matter_before_3_1_1() {
    let head = negotiate::RequestHead {
        security_mode: negotiate::SecurityMode::NONE,
        capabilities: negotiate::Capabilities::NONE,
        client_guid: [0; 16],
        dialects: &[negotiate::Dialect::SMB_2_1, negotiate::Dialect::SMB_3_0],
    };
    let mut pdu = message(Command::Negotiate, Way::Request, |w| head.write(w));
    // ClientStartTime stands there.
    pdu[92..100].fill(0xff);
    assert_eq!(
        negotiate::Request::parse(&pdu).map(|request| request.contexts),
        Ok(None)
    );
}

#[test]
fn buffers_may_not_overlap_the_fixed_part() {
    let request = session_setup::Request {
        security_buffer: b"token",
        ..Default::default()
    };
    let good = message(Command::SessionSetup, Way::Request, |w| request.write(w));
    for (offset, len, parses) in [
        (88, 5, true),
        (87, 5, false),
        (0, 5, false),
        (0, 0, true),
        (0xffff, 0, true),
        (89, 5, false),
        (93, 1, false),
        (88, 0xffff, false),
    ] {
        let mut pdu = good.clone();
        set16(&mut pdu, 76, offset);
        set16(&mut pdu, 78, len);
        assert_eq!(
            session_setup::Request::parse(&pdu).is_ok(),
            parses,
            "{offset} {len}"
        );
    }
}

#[test]
fn names_have_whole_characters() {
    let name: Vec<u8> = "ab".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let request = tree_connect::Request {
        path: Utf16(&name),
        ..Default::default()
    };
    let mut pdu = message(Command::TreeConnect, Way::Request, |w| request.write(w));
    set16(&mut pdu, 70, 3);
    assert!(tree_connect::Request::parse(&pdu).is_err());
    let request = query_directory::Request {
        pattern: Utf16(&name),
        ..Default::default()
    };
    let mut pdu = message(Command::QueryDirectory, Way::Request, |w| request.write(w));
    set16(&mut pdu, 64 + 26, 3);
    assert!(query_directory::Request::parse(&pdu).is_err());
}

#[test]
fn tree_connect_extension() {
    // 2.2.9.1: the extension stands at the buffer's start, the path behind it.
    let pdu = message(Command::TreeConnect, Way::Request, |w| {
        w.u16(9)?;
        w.u16(4)?;
        w.u16(64 + 8 + 16)?;
        w.u16(4)?;
        w.u32(32)?;
        w.u16(1)?;
        w.zeros(10)?;
        w.bytes(b"\\\0a\0")?;
        w.zeros(4)?;
        w.u16(1)?;
        w.u16(3)?;
        w.u32(0)?;
        w.bytes(b"who")
    });
    let request = tree_connect::Request::parse(&pdu).expect("parses");
    assert_eq!(request.path.0, b"\\\0a\0");
    let contexts: Vec<_> = tree_connect::Request::contexts(&pdu)
        .expect("sound")
        .collect();
    assert_eq!(contexts.len(), 1);
    assert_eq!(contexts[0].data, b"who");
    assert!(tree_connect::Request::contexts(&pdu[..pdu.len() - 1]).is_err());
}

fn context(next: u32, name_at: u16, name_len: u16, data_at: u16, data_len: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(next.to_le_bytes());
    bytes.extend(name_at.to_le_bytes());
    bytes.extend(name_len.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(data_at.to_le_bytes());
    bytes.extend(data_len.to_le_bytes());
    bytes.extend(b"MxAc\0\0\0\0");
    bytes.extend(1u64.to_le_bytes());
    bytes
}

#[test]
fn create_context_chains() {
    let good = context(0, 16, 4, 24, 8);
    assert_eq!(good.len(), 32);
    let chain = Contexts::parse(&good).expect("sound");
    assert_eq!(chain.find(b"MxAc"), Some(&1u64.to_le_bytes()[..]));
    assert_eq!(chain.find(b"QFid"), None);
    assert!(Contexts::parse(&context(0, 16, 4, 0, 0)).is_ok(), "no data");
    for (bad, why) in [
        (context(0, 0, 4, 24, 8), "a name in the head"),
        (context(0, 17, 4, 24, 8), "a name not aligned"),
        (context(0, 16, 0, 24, 8), "no name"),
        (context(0, 16, 40, 24, 0), "a name beyond the end"),
        (context(0, 16, 4, 16, 8), "data over the name"),
        (context(0, 16, 4, 20, 8), "data not aligned"),
        (context(0, 16, 4, 24, 9), "data beyond the end"),
        (context(0, 16, 4, 24, u32::MAX), "data far beyond the end"),
        (context(8, 16, 4, 24, 8), "the next one in the head"),
        (context(36, 16, 4, 24, 8), "the next one not aligned"),
        (context(32, 16, 4, 24, 8), "no next one"),
        (context(40, 16, 4, 24, 8), "the next one beyond the end"),
        (
            context(0xffff_fff8, 16, 4, 24, 8),
            "the next one far beyond the end",
        ),
    ] {
        assert!(Contexts::parse(&bad).is_err(), "{why}");
    }
    let mut two = context(32, 16, 4, 24, 8);
    two.extend(&good);
    assert_eq!(Contexts::parse(&two).map(|chain| chain.count()), Ok(2));
    // Sound contexts both, but for the first one's data, which are the second one.
    let mut over = context(24, 16, 4, 24, 8);
    over.truncate(24);
    over.extend(&good);
    assert!(Contexts::parse(&over).is_err(), "data in the next context");
    set16(&mut over, 10, 0);
    set32(&mut over, 12, 0);
    assert!(Contexts::parse(&over).is_ok());
}

#[test]
fn create_context_data() {
    for (name, good, bad) in [
        ("MxAc", vec![0, 8], vec![4, 7, 9, 16]),
        ("AlSi", vec![8], vec![0, 4, 16]),
        ("TWrp", vec![8], vec![0, 4]),
        ("DHnQ", vec![16], vec![0, 8, 17]),
        ("DHnC", vec![16], vec![0, 8, 17]),
        ("DH2Q", vec![32], vec![0, 31, 33]),
        ("DH2C", vec![36], vec![0, 35, 40]),
        ("RqLs", vec![32, 52], vec![0, 31, 33, 51, 53]),
        ("QFid", vec![0, 3], vec![]),
        ("what", vec![0, 3, 99], vec![]),
    ] {
        for (lens, parses) in [(good, true), (bad, false)] {
            for len in lens {
                let pdu = create_with(name.as_bytes(), len);
                let request = create::Request::parse(&pdu).expect("the chain is sound");
                let parsed = RequestContexts::parse(request.contexts);
                assert_eq!(parsed.is_ok(), parses, "{name} with {len} bytes");
            }
        }
    }
}

fn create_with(name: &[u8], len: usize) -> Vec<u8> {
    let request = create::Request {
        oplock_level: create::OplockLevel::NONE,
        impersonation_level: create::ImpersonationLevel::IMPERSONATION,
        desired_access: smb_proto::security::AccessMask::NONE,
        file_attributes: smb_proto::attributes::FileAttributes::NONE,
        share_access: create::ShareAccess::NONE,
        disposition: create::Disposition::OPEN,
        options: create::CreateOptions::NONE,
        name: Utf16(b"a\0"),
        contexts: Contexts::EMPTY,
    };
    message(Command::Create, Way::Request, |w| {
        let mut chain = request.begin(w)?;
        chain.add(w, name, |w| w.zeros(len))?;
        chain.finish(w)
    })
}

#[test]
fn the_first_of_two_contexts_counts() {
    let request = create_with(b"AlSi", 8);
    let parsed = create::Request::parse(&request).expect("parses");
    let mut twice = message(Command::Create, Way::Request, |w| {
        let mut chain = parsed.begin(w)?;
        chain.add(w, b"AlSi", |w| w.u64(1))?;
        chain.add(w, b"AlSi", |w| w.u64(2))?;
        chain.finish(w)
    });
    let parsed = create::Request::parse(&twice).expect("parses");
    let contexts = RequestContexts::parse(parsed.contexts).expect("sound");
    assert_eq!(contexts.allocation_size, Some(1));
    // The chain must start aligned.
    set32(&mut twice, 64 + 48, 124);
    assert!(create::Request::parse(&twice).is_err());
}

#[test]
fn locks_need_a_range() {
    let request = lock::NewRequest {
        sequence_number: 0,
        sequence_index: 0,
        file_id: FileId::ANY,
        locks: &[lock::Element::default()],
    };
    let good = message(Command::Lock, Way::Request, |w| request.write(w));
    assert!(lock::Request::parse(&good)
        .expect("parses")
        .file_id
        .is_any());
    for count in [0, 2, 0xffff] {
        let mut bad = good.clone();
        set16(&mut bad, 66, count);
        assert_eq!(lock::Request::parse(&bad), Err(Malformed), "{count} ranges");
    }
}

#[test]
fn write_data_must_be_there() {
    let request = write::Request {
        data: b"0123456789",
        ..Default::default()
    };
    let good = message(Command::Write, Way::Request, |w| request.write(w));
    for (offset, len, parses) in [
        (112, 10, true),
        (112, 9, true),
        (112, 11, false),
        (111, 10, false),
        (113, 10, false),
        (0, 10, false),
        (0, 0, true),
        (112, u32::MAX, false),
        (0xffff, u32::MAX, false),
    ] {
        let mut pdu = good.clone();
        set16(&mut pdu, 66, offset);
        set32(&mut pdu, 68, len);
        assert_eq!(
            write::Request::parse(&pdu).is_ok(),
            parses,
            "{offset} {len}"
        );
    }
}

#[test]
fn channel_information_counts_with_a_channel_only() {
    let mut pdu = message(Command::Read, Way::Request, |w| {
        read::Request::default().write(w)
    });
    set16(&mut pdu, 64 + 44, 0xfff0);
    set16(&mut pdu, 64 + 46, 16);
    assert!(read::Request::parse(&pdu).is_ok());
    set32(&mut pdu, 64 + 36, 1);
    assert!(read::Request::parse(&pdu).is_err());
    assert!(read::write_head(&mut Writer::new(&mut [0; 64]), 79, 0, 0).is_err());
}

#[test]
fn ioctl_output_in_a_request() {
    let request = ioctl::Request {
        input: b"in",
        ..Default::default()
    };
    let good = message(Command::Ioctl, Way::Request, |w| request.write(w));
    let mut pdu = good.clone();
    set32(&mut pdu, 64 + 36, 0xffff_0000);
    assert!(
        ioctl::Request::parse(&pdu).is_ok(),
        "an offset without a length"
    );
    set32(&mut pdu, 64 + 40, 1);
    assert!(
        ioctl::Request::parse(&pdu).is_err(),
        "output beyond the end"
    );
}

#[test]
fn an_empty_error_has_its_byte() {
    // 2.2.2: with ByteCount zero, ErrorData is one byte of zero.
    let pdu = message(Command::Close, Way::Reply, |w| error::Reply::EMPTY.write(w));
    assert_eq!(pdu.get(64..), Some(&[9, 0, 0, 0, 0, 0, 0, 0, 0][..]));
    assert!(close::Reply::parse(&pdu).is_err());
}

#[test]
fn data_are_taken_of_lone_writes_only() {
    let data = [7; 100];
    let request = write::Request {
        offset: 9,
        data: &data,
        ..Default::default()
    };
    let good = message(Command::Write, Way::Request, |w| request.write(w));
    let (front, len) = (&good[..112], good.len());
    assert_eq!(write::data_alone(front, len), Some(112));
    assert_eq!(write::data_alone(&good, len), Some(112));
    for cut in [0, 63, 64, 111] {
        assert_eq!(write::data_alone(&front[..cut], len), None, "{cut} bytes");
    }
    for len in [0, 111, 112, len - 1, len + 1] {
        assert_eq!(write::data_alone(front, len), None, "a frame of {len}");
    }
    // Command, signed, next command, body's size, offset of the data, their length, channel.
    for (at, value) in [
        (12, 8),
        (16, 8),
        (20, 8),
        (64, 50),
        (66, 120),
        (68, 99),
        (96, 1),
    ] {
        let mut other = good.clone();
        set16(&mut other, at, value);
        assert_eq!(write::data_alone(&other, len), None, "{value} at {at}");
    }
    for missing in [0, 1, 99, 100] {
        let mut without = front.to_vec();
        without.extend_from_slice(&data[missing..]);
        let parsed = write::Request::parse_without(&without, missing).expect("parses");
        assert_eq!((parsed.offset, parsed.data), (9, &data[missing..]));
    }
    assert!(write::Request::parse_without(front, 99).is_err());
    assert!(write::Request::parse_without(front, 101).is_err());
}
