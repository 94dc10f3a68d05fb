// SPDX-License-Identifier: GPL-2.0

//! What each target begins with: recorded messages and their parts, and small examples of what was not recorded.

use smb_proto::chain;
use smb_proto::header::{Command, FrameKind, HeaderFlags, HEADER_LEN};

const RECORDED: &str = include_str!("../../../src/proto/tests/recorded/samba.hex");

/// Frames that were recorded, from both sides.
fn frames() -> Vec<Vec<u8>> {
    RECORDED
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(way, _)| matches!(*way, ">" | "<"))
        .map(|(_, hex)| unhex(hex))
        .collect()
}

/// The bytes of a hexadecimal line.
pub(crate) fn unhex(line: &str) -> Vec<u8> {
    (0..line.len() / 2)
        .filter_map(|at| u8::from_str_radix(line.get(at * 2..at * 2 + 2)?, 16).ok())
        .collect()
}

/// The elements of all recorded chains: command, whether it is a reply, bytes.
fn elements() -> Vec<(Command, bool, Vec<u8>)> {
    let mut elements = Vec::new();
    for frame in frames() {
        if FrameKind::of(&frame) != Ok(FrameKind::Smb2) {
            continue;
        }
        for element in chain::split(&frame).into_iter().flatten() {
            let Ok(command) = element.header.command() else {
                continue;
            };
            let is_reply = element.header.has(HeaderFlags::SERVER_TO_REDIR);
            elements.push((command, is_reply, element.pdu.to_vec()));
        }
    }
    elements
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..at + 4)
        .and_then(|field| field.try_into().ok())
        .map_or(0, |field| u32::from_le_bytes(field) as usize)
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..at + 2)
        .and_then(|field| field.try_into().ok())
        .map_or(0, |field| usize::from(u16::from_le_bytes(field)))
}

/// The part of `pdu` that a request of this command carries.
fn part(command: Command, pdu: &[u8]) -> Option<Vec<u8>> {
    let (offset, len) = match command {
        Command::SessionSetup => (u16_at(pdu, HEADER_LEN + 12), u16_at(pdu, HEADER_LEN + 14)),
        Command::Create => (u32_at(pdu, HEADER_LEN + 48), u32_at(pdu, HEADER_LEN + 52)),
        Command::SetInfo => (u16_at(pdu, HEADER_LEN + 8), u32_at(pdu, HEADER_LEN + 4)),
        Command::Ioctl => (u32_at(pdu, HEADER_LEN + 24), u32_at(pdu, HEADER_LEN + 28)),
        Command::Negotiate => (u32_at(pdu, HEADER_LEN + 28), pdu.len()),
        _ => return None,
    };
    let end = offset.checked_add(len)?.min(pdu.len());
    pdu.get(offset..end)
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
}

fn parts(wanted: Command) -> Vec<Vec<u8>> {
    elements()
        .iter()
        .filter(|(command, is_reply, _)| *command == wanted && !is_reply)
        .filter_map(|(command, _, pdu)| part(*command, pdu))
        .collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn after(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

/// A procedure call's message behind its length.
fn call(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(16 + body.len()).unwrap_or(u16::MAX);
    let mut pdu = len.to_le_bytes().to_vec();
    pdu.extend_from_slice(&[5, 0, kind, 3, 0x10, 0, 0, 0]);
    pdu.extend_from_slice(&len.to_le_bytes());
    pdu.extend_from_slice(&[0, 0, 1, 0, 0, 0]);
    pdu.extend_from_slice(body);
    pdu
}

/// Binds to srvsvc, wkssvc, samr or lsarpc over NDR.
fn bind(interface: [u8; 16], version: u32) -> Vec<u8> {
    let ndr = [
        0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48,
        0x60,
    ];
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0];
    body.extend_from_slice(&interface);
    body.extend_from_slice(&version.to_le_bytes());
    body.extend_from_slice(&ndr);
    body.extend_from_slice(&2u32.to_le_bytes());
    call(11, &body)
}

fn rpc() -> Vec<Vec<u8>> {
    // The interfaces' UUIDs as the wire has them: [MS-SRVS], [MS-WKST], [MS-SAMR], [MS-LSAT] 1.9.
    let interfaces: [([u8; 16], u32); 4] = [
        (
            [
                0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e,
                0xe1, 0x88,
            ],
            3,
        ),
        (
            [
                0x98, 0xd0, 0xff, 0x6b, 0x12, 0xa1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e,
                0x34, 0x5a,
            ],
            1,
        ),
        (
            [
                0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67,
                0x89, 0xac,
            ],
            1,
        ),
        (
            [
                0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67,
                0x89, 0xab,
            ],
            0,
        ),
    ];
    let mut seeds = Vec::new();
    for (pipe, (interface, version)) in (0u8..).zip(interfaces) {
        let bound = bind(interface, version);
        for operation in [
            0u8, 1, 2, 5, 6, 7, 14, 15, 16, 17, 21, 28, 34, 39, 44, 57, 64,
        ] {
            let mut body = vec![0x40, 0, 0, 0, 0, 0, operation, 0];
            // A reference, a string of two units, levels and sizes: something for every first parameter.
            body.extend_from_slice(&[
                0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'x', 0, 0, 0,
            ]);
            body.extend_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            body.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
            seeds.push([vec![pipe], bound.clone(), call(0, &body)].concat());
        }
    }
    seeds
}

/// A netlink datagram with one message of the module's.
fn datagram(command: u8, payload: &[u8]) -> Vec<u8> {
    let attribute = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
    let mut datagram = (20 + u32::from(attribute)).to_ne_bytes().to_vec();
    // Family, flags, number, port; command, version.
    datagram.extend_from_slice(&33u16.to_ne_bytes());
    datagram.extend_from_slice(&[0; 10]);
    datagram.extend_from_slice(&[command, 1, 0, 0]);
    datagram.extend_from_slice(&attribute.to_ne_bytes());
    datagram.extend_from_slice(&u16::from(command).to_ne_bytes());
    datagram.extend_from_slice(payload);
    datagram
}

fn security() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = elements()
        .iter()
        .filter(|(command, is_reply, pdu)| {
            *command == Command::QueryInfo && *is_reply && pdu.len() > 92
        })
        .map(|(_, _, pdu)| pdu[72..].to_vec())
        .collect();
    let mut described = vec![
        1, 0, 4, 0x80, 20, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
    ];
    for _ in 0..2 {
        described.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    }
    described.extend_from_slice(&[2, 0, 28, 0, 1, 0, 0, 0, 0, 0, 20, 0, 0xff, 1, 0x1f, 0]);
    described.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    seeds.push(described);
    seeds.push(b"S-1-5-21-1-2-3-1000".to_vec());
    seeds
}

/// The seeds of a target; `None` for one that is not.
pub fn of(target: &str) -> Option<Vec<Vec<u8>>> {
    Some(match target {
        "chain" => frames(),
        "request" => elements()
            .into_iter()
            .map(|(command, is_reply, pdu)| {
                let number = u8::try_from(command.code()).unwrap_or(0);
                // Reply bodies have numbers from 0x80 on: the first there that stands for the command.
                let all = u8::try_from(Command::ALL.len()).unwrap_or(1);
                let number = if is_reply {
                    (0x80..=0xff).find(|byte| byte % all == number).unwrap_or(0x80)
                } else {
                    number
                };
                after(number, &pdu[HEADER_LEN..])
            })
            .collect(),
        "create_contexts" => parts(Command::Create),
        "negotiate" => parts(Command::Negotiate).iter().map(|part| after(3, part)).collect(),
        "spnego" => parts(Command::SessionSetup),
        "ntlmssp" => parts(Command::SessionSetup)
            .iter()
            .filter_map(|token| {
                let at = token.windows(8).position(|window| window == b"NTLMSSP\0")?;
                Some(token[at..].to_vec())
            })
            .collect(),
        "security" => security(),
        "information" => elements()
            .iter()
            .filter(|(command, is_reply, _)| *command == Command::SetInfo && !is_reply)
            .filter_map(|(command, _, pdu)| Some(after(pdu[HEADER_LEN + 3], &part(*command, pdu)?)))
            .chain([after(15, &[0, 0, 0, 0, 0, 4, 5, 0, b'n', b'a', b'm', b'e', 0, b'v', b'a', b'l', b'u', b'e'])])
            .collect(),
        "fsctl" => parts(Command::Ioctl),
        "ipc" => vec![vec![0; 64], vec![1; 1100], [vec![7, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0], b"data".to_vec()].concat()],
        "names" => [
            r"folder\file.txt",
            "file:stream:$DATA",
            "*.txt|name.txt",
            "<.>\"|A.B",
            "a*b?c|abxc",
            "@GMT-2024.01.02-03.04.05",
            "ÄÖÜ|äöü",
        ]
        .map(utf16)
        .into(),
        "rpc" => rpc(),
        "calls" => crate::calls::seeds(),
        "compression" => crate::compression::compression_seeds(),
        "smb_direct" => crate::compression::smb_direct_seeds(),
        "discovery" => crate::discovery::seeds(),
        "netlink" => (0..30u8)
            .flat_map(|command| [after(command, &[0; 64]), after(command, &[b'a'; 1100])])
            .chain((1..18u8).map(|command| after(255, &datagram(command, &[0; 200]))))
            .collect(),
        "users" => vec![
            b"alice:X0lUYW5kZW4gVGFnIQ==\nbob:MdbP4NFq6TG3PFnX4MCJwA==\n".to_vec(),
            b"1:2:4294967295\n".to_vec(),
        ],
        "config" => vec![
            b"[global]\nnetbios name = BOX\nhosts allow = 10. EXCEPT 10.1.0.0/16\n[share]\npath = /p\nread only = no\ncreate mask = 0744\n".to_vec(),
            b"[s]\n\tpath = /s\n\tcomment = first\n; why\n[t]\npath=/t\n[S]\ncomment=second\n".to_vec(),
            b"; comment\n# another\n[a]\npath=/a \\\n b\ninclude = /x\n".to_vec(),
        ],
        _ => return None,
    })
}

/// Writes the seeds of `target` into the folder that the environment's `FUZZ_SEEDS` names and ends the program, if it names
/// one. A program of its own could not be linked: what is instrumented needs libFuzzer.
pub fn write_where_asked(target: &str) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in of(target).unwrap_or_default().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
        Ok(())
    };
    match write() {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            std::process::exit(1);
        }
    }
}
