// SPDX-License-Identifier: GPL-2.0

//! What each target begins with: recorded messages and their parts, and small examples of what was not recorded. `record.py`
//! recorded the logins of smbclient, of Linux and of impacket, and the procedure calls of rpcclient and smbclient.

use smb_proto::chain;
use smb_proto::header::{Command, FrameKind, HeaderFlags, HEADER_LEN};
use smb_proto::spnego::Token;

const RECORDED: &str = include_str!("../../../src/proto/tests/recorded/samba.hex");

const LOGINS: &str = include_str!("../recorded/logins.hex");
const CALLS: &str = include_str!("../recorded/calls.hex");

/// Frames that were recorded, from both sides.
fn frames() -> Vec<Vec<u8>> {
    RECORDED
        .lines()
        .chain(LOGINS.lines())
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

/// The tokens of logins, from both sides.
fn tokens() -> Vec<Vec<u8>> {
    elements()
        .iter()
        .filter(|(command, ..)| *command == Command::SessionSetup)
        .filter_map(|(_, is_reply, pdu)| {
            let at = HEADER_LEN + if *is_reply { 4 } else { 12 };
            let (offset, len) = (u16_at(pdu, at), u16_at(pdu, at + 2));
            let token = pdu.get(offset..offset.checked_add(len)?)?;
            (!token.is_empty()).then(|| token.to_vec())
        })
        .collect()
}

/// What is in a token for NTLMSSP, and the pairs in a challenge.
fn ntlmssp(token: &[u8]) -> Vec<Vec<u8>> {
    let message = match Token::parse(token) {
        Ok(Token::Init(init)) => init.mech_token,
        Ok(Token::Resp(resp)) => resp.response_token,
        Ok(Token::Ntlmssp(message)) => Some(message),
        Err(_) => None,
    };
    let message = message.filter(|message| message.starts_with(b"NTLMSSP\0"));
    let mut seeds: Vec<Vec<u8>> = message.iter().map(|message| message.to_vec()).collect();
    if let Some(pairs) = message.filter(|message| message.get(8) == Some(&2)) {
        let (len, offset) = (u16_at(pairs, 40), u32_at(pairs, 44));
        seeds.extend(pairs.get(offset..offset + len).map(<[u8]>::to_vec));
    }
    seeds
}

/// The negotiate contexts of both sides, behind their number.
fn negotiate() -> Vec<Vec<u8>> {
    elements()
        .iter()
        .filter(|(command, ..)| *command == Command::Negotiate)
        .filter_map(|(_, is_reply, pdu)| {
            let (offset, count) = if *is_reply { (60, 6) } else { (28, 32) };
            let contexts = pdu.get(u32_at(pdu, HEADER_LEN + offset)..)?;
            let is_3_1_1 = *is_reply || u32_at(pdu, HEADER_LEN + offset) > HEADER_LEN;
            let count = u8::try_from(u16_at(pdu, HEADER_LEN + count)).ok()?;
            (is_3_1_1 && count != 0 && contexts.len() < pdu.len()).then(|| after(count, contexts))
        })
        .collect()
}

/// The part of `pdu` that a request of this command carries.
fn part(command: Command, pdu: &[u8]) -> Option<Vec<u8>> {
    let (offset, len) = match command {
        Command::Create => (u32_at(pdu, HEADER_LEN + 48), u32_at(pdu, HEADER_LEN + 52)),
        Command::SetInfo => (u16_at(pdu, HEADER_LEN + 8), u32_at(pdu, HEADER_LEN + 4)),
        Command::Ioctl => (u32_at(pdu, HEADER_LEN + 24), u32_at(pdu, HEADER_LEN + 28)),
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
    seeds.extend(recorded_rpc());
    seeds
}

/// The fragments that clients wrote, behind the number of their pipe.
fn fragments() -> Vec<(u8, Vec<u8>)> {
    let pipes = ["srvsvc", "wkssvc", "samr", "lsarpc"];
    CALLS
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(pipe, hex)| {
            let number = pipes.iter().position(|name| *name == pipe)?;
            Some((u8::try_from(number).ok()?, unhex(hex)))
        })
        .collect()
}

/// What clients wrote from one bind to the next, by both ways that there are.
fn recorded_rpc() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (pipe, fragment) in fragments() {
        let len = u16::try_from(fragment.len()).unwrap_or(u16::MAX);
        if fragment.get(2) == Some(&11) {
            seeds.push(vec![pipe]);
        }
        if let Some(seed) = seeds.last_mut() {
            seed.extend(len.to_le_bytes());
            seed.extend(fragment);
        }
    }
    let written: Vec<Vec<u8>> = seeds
        .iter()
        .map(|seed| after(seed[0] | 0x40, &seed[1..]))
        .collect();
    seeds.extend(written);
    seeds
}

/// The operations that clients called, as `calls` takes them: where the stub data begin with a handle, the number of one that is
/// open there instead. The account database has handles of several kinds.
fn recorded_calls() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (pipe, fragment) in fragments() {
        let (Some(0), Some(operation), Some(stub)) =
            (fragment.get(2), fragment.get(22), fragment.get(24..))
        else {
            continue;
        };
        // Handles begin with four zero bytes.
        let (handles, stub): (&[u8], &[u8]) = match stub.split_first_chunk::<20>() {
            Some(([0, 0, 0, 0, ..], rest)) if pipe == 2 => (&[1, 2, 4], rest),
            Some(([0, 0, 0, 0, ..], rest)) if pipe == 3 => (&[1], rest),
            _ => (&[0], stub),
        };
        for handle in handles {
            seeds.push([&[pipe, *operation, *handle, 255], stub].concat());
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

/// The fewest seeds that a target may have.
const LEAST: usize = 3;

/// The seeds of a target.
///
/// # Errors
///
/// Why there are none, or too few.
pub fn of(target: &str) -> Result<Vec<Vec<u8>>, String> {
    let seeds = all(target).ok_or_else(|| format!("there is no target {target}"))?;
    let count = seeds.iter().filter(|seed| !seed.is_empty()).count();
    if count < LEAST {
        return Err(format!("{target} has {count} seeds, not {LEAST}"));
    }
    Ok(seeds)
}

fn all(target: &str) -> Option<Vec<Vec<u8>>> {
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
        "negotiate" => negotiate(),
        "spnego" => tokens(),
        "ntlmssp" => tokens().iter().flat_map(|token| ntlmssp(token)).collect(),
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
        "calls" => crate::calls::seeds().into_iter().chain(recorded_calls()).collect(),
        "compression" => crate::compression::compression_seeds(),
        "smb_direct" => crate::compression::smb_direct_seeds(),
        "discovery" => crate::discovery::seeds(),
        "netlink" => (0..30u8)
            .flat_map(|command| [after(command, &[0; 64]), after(command, &[b'a'; 1100])])
            .chain((1..18u8).map(|command| after(255, &datagram(command, &[0; 200]))))
            .collect(),
        "users" => vec![
            b"alice:X0lUYW5kZW4gVGFnIQ==\nbob:MdbP4NFq6TG3PFnX4MCJwA==\n".to_vec(),
            b"carol:X0lUYW5kZW4gVGFnIQ\n\ndave:\n".to_vec(),
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
        let seeds = of(target).map_err(std::io::Error::other)?;
        for (number, seed) in seeds.iter().enumerate() {
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

#[cfg(test)]
mod tests {
    use smb_proto::ntlmssp::{Authenticate, Challenge, Negotiate};

    use super::*;

    /// Names of the targets, as the manifest has them.
    fn targets() -> impl Iterator<Item = &'static str> {
        include_str!("../Cargo.toml").lines().filter_map(|line| {
            line.strip_prefix("path = \"targets/")?
                .strip_suffix(".rs\"")
        })
    }

    #[test]
    fn every_target_has_seeds() {
        assert!(targets().count() > 15, "the manifest is not read");
        for target in targets() {
            if let Err(problem) = of(target) {
                panic!("{problem}");
            }
        }
        assert!(of("another").is_err());
    }

    #[test]
    fn the_recorded_logins_have_all_three_messages() {
        let seeds = of("ntlmssp").expect("seeds");
        let count = |is: fn(&[u8]) -> bool| seeds.iter().filter(|seed| is(seed)).count();
        assert!(count(|seed| Negotiate::parse(seed).is_ok()) >= 3);
        assert!(count(|seed| Challenge::parse(seed).is_ok()) >= 3);
        assert!(count(|seed| Authenticate::parse(seed).is_ok()) >= 3);
        let whole = of("spnego").expect("seeds");
        assert!(whole.iter().all(|token| Token::parse(token).is_ok()));
    }

    #[test]
    fn every_pipe_was_called() {
        for pipe in 0..4 {
            let calls = fragments();
            let kinds = |kind| {
                calls
                    .iter()
                    .any(|(its, fragment)| *its == pipe && fragment.get(2) == Some(&kind))
            };
            assert!(kinds(11) && kinds(0), "pipe {pipe}");
        }
    }
}
