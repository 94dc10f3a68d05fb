// SPDX-License-Identifier: GPL-2.0

//! Messages that were recorded between Samba 4.22's clients (smbclient, smbtorture) and its server, of all dialects.
//!
//! `recorded/samba.hex` has a frame a line, without the transport's length: `>` from the client, `<` from the server.
//! Every frame must parse, and what was parsed and written again must parse to the same.

mod common;

use common::{digest, rewrite, unhex, way_of, Way};
use smb_proto::chain;
use smb_proto::header::{Command, FrameKind};
use std::collections::BTreeSet;

fn frames(text: &str) -> Vec<(Way, Vec<u8>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (way, hex) = line.split_once(' ').expect("a way and a frame");
            let way = if way == ">" { Way::Request } else { Way::Reply };
            (way, unhex(hex).expect("hexadecimal digits"))
        })
        .collect()
}

/// The commands that were seen, and the lines whose message does not parse.
fn check(text: &str) -> (BTreeSet<(Command, Way)>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut refused = Vec::new();
    for (line, (way, frame)) in frames(text).into_iter().enumerate() {
        match FrameKind::of(&frame).expect("a frame of SMB") {
            FrameKind::Smb2 => {}
            FrameKind::Transform => {
                smb_proto::transform::Header::parse(&frame).expect("a transform header");
                continue;
            }
            other => panic!("line {line}: {other:?} was not recorded"),
        }
        let chain = chain::split(&frame).unwrap_or_else(|_| panic!("line {line}: a chain"));
        for element in chain {
            assert_eq!(way_of(&element.header), way, "line {line}");
            let Ok(once) = rewrite(element.pdu, way) else {
                refused.push(format!("line {line}: {way:?} {:?}", element.header));
                continue;
            };
            let once = once.unwrap_or_else(|| panic!("line {line}: a known command"));
            let twice = rewrite(&once, way)
                .expect("what was written parses")
                .expect("a command");
            assert_eq!(once, twice, "line {line}: writing is stable");
            seen.insert((element.header.command().expect("a command"), way));
        }
    }
    (seen, refused)
}

#[test]
fn all_parse() {
    let (seen, refused) = check(include_str!("recorded/samba.hex"));
    assert!(refused.is_empty(), "{refused:#?}");
    for command in Command::ALL {
        assert!(
            seen.contains(&(*command, Way::Request)),
            "a request {command:?} was recorded"
        );
        let has_reply = *command != Command::Cancel;
        assert_eq!(
            seen.contains(&(*command, Way::Reply)),
            has_reply,
            "a reply {command:?} was recorded"
        );
    }
}

/// A longer recording, if the environment names one. Test suites send bad messages on purpose: those are listed only.
#[test]
fn a_file_parses() {
    if let Ok(path) = std::env::var("SMB_PROTO_RECORDING") {
        let (_, refused) = check(&std::fs::read_to_string(path).expect("the recording"));
        println!("{refused:#?}");
        assert!(
            refused.iter().all(|line| line.contains("Request")),
            "replies are good"
        );
    }
}

#[test]
fn every_truncation_is_harmless() {
    for (_, frame) in frames(include_str!("recorded/samba.hex")) {
        for len in 0..frame.len() {
            digest(&frame[..len]);
        }
    }
}

#[test]
fn every_byte_can_be_anything() {
    for (_, frame) in frames(include_str!("recorded/samba.hex")) {
        let mut frame = frame;
        // The headers and the fixed parts, where all offsets and lengths are.
        for at in 0..frame.len().min(400) {
            let byte = frame[at];
            for other in [
                0,
                1,
                7,
                8,
                0x7f,
                0x80,
                0xff,
                byte ^ 1,
                byte.wrapping_add(1),
                byte.wrapping_sub(1),
            ] {
                frame[at] = other;
                digest(&frame);
            }
            frame[at] = byte;
        }
    }
}
