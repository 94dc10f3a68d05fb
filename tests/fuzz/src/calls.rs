// SPDX-License-Identifier: GPL-2.0

//! Procedure calls on handles that are open: what `rpc` reaches only by chance. Every interface is asked in NDR and NDR64, in
//! one fragment and in several, and its answer is taken apart.

use ksmbd_mountd::dispatch::Server;
use ksmbd_mountd::rpc::pdu::{kind, Header, SyntaxId, NDR, NDR64};
use smb_proto::ipc::{rpc_flag, rpc_status, RpcCommand};

use crate::daemon::server;

/// Number of the pipe.
const PIPE: u32 = 7;

/// An interface: its pipe, its identity, and what opens its handles: operation and stub.
struct Target {
    flag: u32,
    interface: SyntaxId,
    openings: &'static [(u16, &'static [u8])],
}

/// Stub data of SamrOpenDomain for S-1-5-21-1-2-3 and S-1-5-32 on the first handle, and of SamrOpenUser, SamrOpenGroup and
/// SamrOpenAlias on the domains'. They are for NDR; in NDR64 some of them are refused, and there are fewer handles.
const OWN: &[u8] = &[
    0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 1, 4, 0, 0,
    0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
];
const BUILTIN: &[u8] = &[
    0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1, 0, 0,
    0, 0, 0, 5, 32, 0, 0, 0,
];
const OWN64: &[u8] = &[
    0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0,
    1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
];
const USER: &[u8] = &[
    0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xe8, 3, 0, 0,
];
const GROUP: &[u8] = &[
    0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0,
];
const ALIAS: &[u8] = &[
    0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 32, 2, 0, 0,
];

const TARGETS: &[Target] = &[
    Target {
        flag: rpc_flag::SRVSVC,
        interface: SyntaxId::new(
            0x4b32_4fc8,
            0x1670,
            0x01d3,
            [0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88],
            3,
        ),
        openings: &[],
    },
    Target {
        flag: rpc_flag::WKSSVC,
        interface: SyntaxId::new(
            0x6bff_d098,
            0xa112,
            0x3610,
            [0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a],
            1,
        ),
        openings: &[],
    },
    Target {
        flag: rpc_flag::SAMR,
        interface: SyntaxId::new(
            0x1234_5778,
            0x1234,
            0xabcd,
            [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac],
            1,
        ),
        openings: &[
            (0, &[]),
            (7, OWN),
            (7, OWN64),
            (7, BUILTIN),
            (34, USER),
            (19, GROUP),
            (27, ALIAS),
        ],
    },
    Target {
        flag: rpc_flag::LSARPC,
        interface: SyntaxId::new(
            0x1234_5778,
            0x1234,
            0xabcd,
            [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab],
            0,
        ),
        openings: &[(6, &[])],
    },
    Target {
        flag: rpc_flag::LSARPC,
        interface: SyntaxId::new(
            0x3919_286a,
            0xb10c,
            0x11d0,
            [0x9b, 0xa8, 0x00, 0xc0, 0x4f, 0xd9, 0x2e, 0xf5],
            0,
        ),
        openings: &[],
    },
];

fn pdu(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(16 + body.len()).unwrap_or(u16::MAX);
    let mut pdu = vec![5, 0, kind, flags, 0x10, 0, 0, 0];
    pdu.extend(len.to_le_bytes());
    pdu.extend([0, 0, 1, 0, 0, 0]);
    pdu.extend(body);
    pdu
}

fn id(id: SyntaxId) -> impl Iterator<Item = u8> {
    id.uuid.into_iter().chain(id.version.to_le_bytes())
}

fn bind(interface: SyntaxId, transfer: SyntaxId) -> Vec<u8> {
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0];
    body.extend(id(interface));
    body.extend(id(transfer));
    pdu(kind::BIND, 3, &body)
}

fn request(flags: u8, operation: u16, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 6];
    body.extend(operation.to_le_bytes());
    body.extend(stub);
    pdu(kind::REQUEST, flags, &body)
}

struct Pipe {
    server: Server,
    flag: u32,
}

impl Pipe {
    fn ask(&self, flags: u32, payload: &[u8]) -> Vec<u8> {
        let request = RpcCommand {
            handle: PIPE,
            flags: flags | self.flag,
            payload,
        };
        let (status, answer) = self.server.pipes.command(&self.server, &request);
        assert_eq!(status, rpc_status::OK);
        answer
    }

    /// One call in parts of `size` bytes; its answer is read to the end.
    fn call(&self, operation: u16, stub: &[u8], size: usize) {
        let count = stub.len().div_ceil(size).max(1);
        for index in 0..count {
            let part = stub.chunks(size).nth(index).unwrap_or(&[]);
            let flags = u8::from(index == 0) | u8::from(index + 1 == count) << 1;
            self.ask(rpc_flag::WRITE, &request(flags, operation, part));
        }
        loop {
            let answer = self.ask(rpc_flag::READ | rpc_flag::RETURN, &[]);
            let header = Header::parse(&answer)
                .expect("a PDU of this protocol")
                .expect("an answer");
            assert_eq!(header.length, answer.len());
            assert!(matches!(header.kind, kind::RESPONSE | kind::FAULT));
            if header.flags & 2 != 0 {
                return;
            }
        }
    }
}

/// Bytes: which interface and syntax, operation, number of the handle or 0 for none, size of fragments; then the stub data.
pub fn calls(data: &[u8]) {
    let Some(([which, operation, handle, size], stub)) = data.split_first_chunk::<4>() else {
        return;
    };
    let target = &TARGETS[usize::from(which & 0x7f) % TARGETS.len()];
    let transfer = if which & 0x80 == 0 { NDR } else { NDR64 };
    let pipe = Pipe {
        server: server(),
        flag: target.flag,
    };
    pipe.ask(rpc_flag::OPEN, &[]);
    let answer = pipe.ask(
        rpc_flag::IOCTL | rpc_flag::RETURN,
        &bind(target.interface, transfer),
    );
    assert_eq!(answer.get(2), Some(&kind::BIND_ACK));
    for (operation, stub) in target.openings {
        pipe.call(*operation, stub, 4000);
    }
    let mut whole = Vec::new();
    if *handle != 0 {
        whole.extend([0, 0, 0, 0, *handle]);
        whole.resize(20, 0);
    }
    whole.extend(stub);
    pipe.call(u16::from(*operation), &whole, usize::from(*size) * 8 + 8);
    pipe.ask(rpc_flag::CLOSE, &[]);
}

/// Stub data that begins like that of most operations, for each interface, syntax and operation.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let plain: &[u8] = &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0];
    let text: &[u8] = &[
        0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'x', 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4,
        0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ];
    let operations: [&[u8]; 5] = [
        &[9, 12, 15, 16, 21, 28, 33, 36],
        &[0, 20],
        &[
            1, 3, 5, 6, 7, 8, 11, 13, 15, 16, 17, 18, 19, 20, 25, 27, 28, 33, 34, 36, 39, 40, 41,
            44, 46, 47, 48, 49, 51, 56, 57, 62, 64, 65,
        ],
        &[
            0, 2, 3, 7, 11, 13, 14, 15, 17, 31, 32, 33, 35, 36, 44, 45, 46, 50, 57, 58, 68, 76, 77,
        ],
        &[0],
    ];
    let mut seeds = Vec::new();
    for (which, operations) in (0u8..).zip(operations) {
        for (syntax, operation) in [0u8, 0x80]
            .into_iter()
            .flat_map(|syntax| operations.iter().map(move |operation| (syntax, operation)))
        {
            let handle = if which < 2 || which == 4 { 0 } else { 1 };
            for stub in [plain, text] {
                seeds.push([&[which | syntax, *operation, handle, 255], stub].concat());
            }
        }
    }
    // The other handles of the account database: domains, a user, a group, an alias.
    for (operation, handle) in [
        (8u8, 2u8),
        (40, 2),
        (36, 4),
        (20, 5),
        (28, 6),
        (33, 6),
        (16, 3),
    ] {
        seeds.push([&[2, operation, handle, 2], plain].concat());
    }
    seeds
}
