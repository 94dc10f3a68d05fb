// SPDX-License-Identifier: GPL-2.0

//! Tests of pipes: binds, calls and fragments as a client sends them.

use proptest::prelude::*;

use super::super::ndr::{Array, Unique, WStr};
use super::super::{Pipes, SRVSVC, WKSSVC};
use super::*;
use crate::answer::tests::state;
use crate::dispatch::Server;
use smb_proto::ipc::{rpc_flag, rpc_status, RpcCommand};

const CONFIG: &str = "[global]\nnetbios name = BOX\nworkgroup = HOME\n[Public]\npath=/p\ncomment=All of it\n[hid]\npath=/h\nbrowseable=no\n";

fn server(config: &str) -> Server {
    Server::new(state(config), [1, 2, 3])
}

fn pdu(kind: u8, flags: u8, call: u32, body: &[u8]) -> Vec<u8> {
    let mut pdu = vec![5, 0, kind, flags, 0x10, 0, 0, 0];
    pdu.extend(u16::try_from(16 + body.len()).unwrap().to_le_bytes());
    pdu.extend([0, 0]);
    pdu.extend(call.to_le_bytes());
    pdu.extend(body);
    pdu
}

fn syntax_id(id: SyntaxId) -> Vec<u8> {
    id.uuid
        .iter()
        .copied()
        .chain(id.version.to_le_bytes())
        .collect()
}

fn bind(contexts: &[(u16, SyntaxId, &[SyntaxId])]) -> Vec<u8> {
    let mut body = vec![
        0xb8,
        0x10,
        0xb8,
        0x10,
        0,
        0,
        0,
        0,
        u8::try_from(contexts.len()).unwrap(),
        0,
        0,
        0,
    ];
    for (id, interface, transfers) in contexts {
        body.extend(id.to_le_bytes());
        body.extend([u8::try_from(transfers.len()).unwrap(), 0]);
        body.extend(syntax_id(*interface));
        transfers
            .iter()
            .for_each(|transfer| body.extend(syntax_id(*transfer)));
    }
    pdu(kind::BIND, 3, 1, &body)
}

fn request(call: u32, flags: u8, context: u16, operation: u16, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(context.to_le_bytes());
    body.extend(operation.to_le_bytes());
    body.extend(stub);
    pdu(kind::REQUEST, flags, call, &body)
}

/// Result and reason of each context in a BIND_ACK.
fn results(ack: &[u8]) -> Vec<(u16, u16)> {
    assert_eq!(ack[2], kind::BIND_ACK);
    let address = usize::from(u16::from_le_bytes([ack[24], ack[25]]));
    let at = (26 + address).next_multiple_of(4);
    let u16_at = |at: usize| u16::from_le_bytes([ack[at], ack[at + 1]]);
    (0..usize::from(ack[at]))
        .map(|index| at + 4 + 24 * index)
        .map(|at| (u16_at(at), u16_at(at + 2)))
        .collect()
}

fn srvsvc() -> SyntaxId {
    SRVSVC.interfaces[0].id()
}

/// A pipe with `syntax` bound as context 0.
fn bound(server: &Server, endpoint: Endpoint, syntax: SyntaxId) -> Association {
    let mut pipe = Association::new(endpoint, 1);
    let call = Caller {
        server,
        is_restricted: false,
    };
    pipe.write(&call, &bind(&[(0, endpoint.interfaces[0].id(), &[syntax])]))
        .unwrap();
    assert_eq!(results(&pipe.read()), [(0, 0)]);
    pipe
}

/// The stub data of a call's response.
fn call(
    server: &Server,
    pipe: &mut Association,
    restricted: bool,
    operation: u16,
    stub: &[u8],
) -> Vec<u8> {
    let call = Caller {
        server,
        is_restricted: restricted,
    };
    pipe.write(&call, &request(7, 3, 0, operation, stub))
        .unwrap();
    let mut out = Vec::new();
    loop {
        let pdu = pipe.read();
        assert_eq!(pdu[2], kind::RESPONSE, "{pdu:?}");
        assert!(pdu.len() <= SENT_FRAGMENT);
        out.extend(&pdu[24..]);
        if pdu[3] & flag::LAST != 0 {
            return out;
        }
    }
}

fn fault_of(pdu: &[u8]) -> u32 {
    assert_eq!(pdu[2], kind::FAULT);
    u32::from_le_bytes(pdu[24..28].try_into().unwrap())
}

fn enum_stub(level: u32, syntax: Syntax) -> Vec<u8> {
    let mut e = Encoder::new(syntax);
    e.param(&Unique::To(WStr("\\\\box".into())));
    e.align(syntax.word());
    e.param(&level);
    e.param(&super::super::ndr::Level {
        level,
        arm: Unique::To(Empty {
            entries: 0,
            buffer: Unique::Null,
        }),
    });
    e.param(&u32::MAX);
    e.param(&Unique::To(0u32));
    e.finish()
}

super::super::ndr::ndr_struct! {
    struct Empty { entries: u32, buffer: Unique<Array<u32>>, }
}
super::super::ndr::ndr_struct! {
    struct Info1 { netname: Unique<WStr>, kind: u32, remark: Unique<WStr>, }
}
super::super::ndr::ndr_struct! {
    struct Infos { entries: u32, buffer: Unique<Array<Info1>>, }
}

fn check_enum(transfer: SyntaxId) {
    let server = server(CONFIG);
    let syntax = transfer.transfer().unwrap();
    let mut pipe = bound(&server, SRVSVC, transfer);
    let stub = call(&server, &mut pipe, false, 15, &enum_stub(1, syntax));
    let mut d = Decoder::new(&stub, syntax);
    assert_eq!(d.param::<u32>(), Ok(1));
    if syntax == Syntax::Ndr64 {
        d.align(8).unwrap();
    }
    assert_eq!(d.param::<u32>(), Ok(1));
    let infos: Unique<Infos> = d.param().unwrap();
    let infos = infos.as_ref().unwrap();
    let text = |name: &Unique<WStr>| name.as_ref().unwrap().0.clone();
    let listed: Vec<_> = infos
        .buffer
        .as_ref()
        .unwrap()
        .0
        .iter()
        .map(|info| (text(&info.netname), info.kind, text(&info.remark)))
        .collect();
    assert_eq!(
        listed,
        [
            ("IPC$".into(), 0x8000_0003, "IPC share".into()),
            ("Public".into(), 0, "All of it".to_string())
        ]
    );
    assert_eq!(infos.entries, 2);
    assert_eq!(d.param::<u32>(), Ok(2), "total");
    assert_eq!(d.param::<Unique<u32>>(), Ok(Unique::To(0)), "resume handle");
    assert_eq!(d.param::<u32>(), Ok(0), "status");
    assert_eq!(d.remaining(), 0);
}

#[test]
fn shares_are_listed_in_ndr() {
    check_enum(pdu::NDR);
}

#[test]
fn shares_are_listed_in_ndr64() {
    check_enum(pdu::NDR64);
}

#[test]
fn many_shares_take_many_fragments() {
    let config = (0..300).fold(String::new(), |config, n| {
        config + &format!("[share{n}]\npath=/s{n}\n")
    });
    let server = server(&config);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let stub = call(&server, &mut pipe, false, 15, &enum_stub(2, Syntax::Ndr));
    assert!(stub.len() > 20 * SENT_FRAGMENT);
    assert_eq!(stub[stub.len() - 4..], [0; 4]);
}

#[test]
fn unknown_level_share_and_operation() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let stub = call(&server, &mut pipe, false, 15, &enum_stub(99, Syntax::Ndr));
    assert_eq!(stub[stub.len() - 4..], 124u32.to_le_bytes());
    let mut e = Encoder::new(Syntax::Ndr);
    e.param(&Unique::<WStr>::Null);
    e.param(&WStr("nosuch".into()));
    e.param(&1u32);
    let stub = call(&server, &mut pipe, false, 16, &e.finish());
    assert_eq!(stub, [1, 0, 0, 0, 0, 0, 0, 0, 0x06, 0x09, 0, 0]);
    pipe.write(
        &Caller {
            server: &server,
            is_restricted: false,
        },
        &request(8, 3, 0, 99, &[]),
    )
    .unwrap();
    assert_eq!(fault_of(&pipe.read()), fault::OPERATION_RANGE);
    pipe.write(
        &Caller {
            server: &server,
            is_restricted: false,
        },
        &request(9, 3, 5, 15, &[]),
    )
    .unwrap();
    assert_eq!(fault_of(&pipe.read()), fault::UNKNOWN_INTERFACE);
    pipe.write(
        &Caller {
            server: &server,
            is_restricted: false,
        },
        &request(10, 3, 0, 15, &[1, 2]),
    )
    .unwrap();
    assert_eq!(fault_of(&pipe.read()), fault::BAD_STUB);
}

#[test]
fn share_info_of_every_level() {
    let server = server(CONFIG);
    for transfer in [pdu::NDR, pdu::NDR64] {
        let mut pipe = bound(&server, SRVSVC, transfer);
        for level in [0u32, 1, 2, 501, 502, 1005] {
            let mut e = Encoder::new(transfer.transfer().unwrap());
            e.param(&Unique::<WStr>::Null);
            e.param(&WStr("PUBLIC".into()));
            e.param(&level);
            let stub = call(&server, &mut pipe, false, 16, &e.finish());
            assert_eq!(stub[..4], level.to_le_bytes());
            assert_eq!(stub[stub.len() - 4..], [0; 4], "level {level}");
        }
    }
}

#[test]
fn server_and_workstation() {
    let server = server(CONFIG);
    for (endpoint, operation, levels) in [
        (SRVSVC, 21, [100u32, 101, 102]),
        (WKSSVC, 0, [100, 101, 102]),
    ] {
        let mut pipe = bound(&server, endpoint, pdu::NDR);
        for level in levels {
            let mut e = Encoder::new(Syntax::Ndr);
            e.param(&Unique::<WStr>::Null);
            e.param(&level);
            let stub = call(&server, &mut pipe, false, operation, &e.finish());
            let name: Vec<u8> = "BOX".encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(
                stub.windows(name.len()).any(|window| window == name),
                "level {level}"
            );
            assert_eq!(stub[stub.len() - 4..], [0; 4]);
        }
    }
}

#[test]
fn guests_see_nothing_when_restricted() {
    let server = server("[global]\nrestrict anonymous = 1\n");
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let stub = call(&server, &mut pipe, true, 15, &enum_stub(1, Syntax::Ndr));
    assert_eq!(stub[stub.len() - 4..], 5u32.to_le_bytes());
    let stub = call(&server, &mut pipe, false, 15, &enum_stub(1, Syntax::Ndr));
    assert_eq!(stub[stub.len() - 4..], [0; 4]);
}

#[test]
fn contexts_are_judged_one_by_one() {
    let server = server(CONFIG);
    let mut pipe = Association::new(SRVSVC, 1);
    let features = SyntaxId::new(0x6cb7_1c2c, 0x9812, 0x4540, [3, 0, 0, 0, 0, 0, 0, 0], 1);
    let other = SyntaxId {
        uuid: [9; 16],
        version: 3,
    };
    let offer = bind(&[
        (0, srvsvc(), &[pdu::NDR]),
        (1, srvsvc(), &[pdu::NDR64]),
        (2, srvsvc(), &[features]),
        (3, other, &[pdu::NDR]),
        (4, srvsvc(), &[other]),
    ]);
    pipe.write(
        &Caller {
            server: &server,
            is_restricted: false,
        },
        &offer,
    )
    .unwrap();
    assert_eq!(
        results(&pipe.read()),
        [(0, 0), (2, 2), (3, 0), (2, 1), (2, 2)]
    );
}

#[test]
fn authentication_is_refused() {
    let server = server(CONFIG);
    let mut pipe = Association::new(SRVSVC, 1);
    let mut offer = bind(&[(0, srvsvc(), &[pdu::NDR])]);
    offer[10] = 8;
    pipe.write(
        &Caller {
            server: &server,
            is_restricted: false,
        },
        &offer,
    )
    .unwrap();
    assert_eq!(pipe.read()[2], kind::BIND_NAK);
}

#[test]
fn requests_may_come_in_fragments_and_bytes() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let whole = call(&server, &mut pipe, false, 15, &enum_stub(1, Syntax::Ndr));
    let stub = enum_stub(1, Syntax::Ndr);
    let (a, b) = stub.split_at(16);
    let mut bytes = request(7, flag::FIRST, 0, 15, a);
    bytes.extend(request(7, flag::LAST, 0, 15, b));
    let context = Caller {
        server: &server,
        is_restricted: false,
    };
    for byte in bytes {
        pipe.write(&context, &[byte]).unwrap();
    }
    assert_eq!(pipe.read()[24..], whole);
}

#[test]
fn fragments_out_of_order_are_a_fault() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let context = Caller {
        server: &server,
        is_restricted: false,
    };
    pipe.write(&context, &request(7, flag::LAST, 0, 15, &[]))
        .unwrap();
    assert_eq!(fault_of(&pipe.read()), fault::PROTOCOL);
    pipe.write(&context, &request(7, flag::FIRST, 0, 15, &[]))
        .unwrap();
    pipe.write(&context, &request(8, flag::LAST, 0, 15, &[]))
        .unwrap();
    assert_eq!(fault_of(&pipe.read()), fault::PROTOCOL);
}

#[test]
fn calls_have_a_bound() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let context = Caller {
        server: &server,
        is_restricted: false,
    };
    let part = vec![0; 60_000];
    pipe.write(&context, &request(7, flag::FIRST, 0, 15, &part))
        .unwrap();
    for _ in 0..40 {
        pipe.write(&context, &request(7, 0, 0, 15, &part)).unwrap();
        let answer = pipe.read();
        if !answer.is_empty() {
            assert_eq!(fault_of(&answer), fault::OUT_OF_RESOURCES);
            return;
        }
    }
    panic!("no bound");
}

#[test]
fn pipes_open_transfer_and_close() {
    let server = server(CONFIG);
    let pipes = Pipes::default();
    let send = |flags: u32, payload: &[u8]| {
        pipes.command(
            &server,
            &RpcCommand {
                handle: 4,
                flags,
                payload,
            },
        )
    };
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::READ | rpc_flag::RETURN, &[]).0,
        rpc_status::BAD_FID
    );
    assert_eq!(send(rpc_flag::OPEN, &[]).0, rpc_status::NOT_IMPLEMENTED);
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::OPEN, &[]).0,
        rpc_status::OK
    );
    let offer = bind(&[(0, srvsvc(), &[pdu::NDR])]);
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::WRITE, &offer),
        (rpc_status::OK, vec![])
    );
    let (status, ack) = send(rpc_flag::SRVSVC | rpc_flag::READ | rpc_flag::RETURN, &[]);
    assert_eq!((status, results(&ack)), (rpc_status::OK, vec![(0, 0)]));
    let (status, reply) = send(
        rpc_flag::SRVSVC | rpc_flag::IOCTL | rpc_flag::RETURN,
        &request(2, 3, 0, 15, &enum_stub(0, Syntax::Ndr)),
    );
    assert_eq!((status, reply[2]), (rpc_status::OK, kind::RESPONSE));
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::WRITE, &[0; 16]).0,
        rpc_status::BAD_DATA
    );
    assert_eq!(
        send(rpc_flag::RAP | rpc_flag::RETURN, &[]).0,
        rpc_status::NOT_IMPLEMENTED
    );
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::CLOSE, &[]).0,
        rpc_status::OK
    );
    assert_eq!(
        send(rpc_flag::SRVSVC | rpc_flag::CLOSE, &[]).0,
        rpc_status::BAD_FID
    );
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes: Vec<u8>) {
        let server = server(CONFIG);
        let mut pipe = bound(&server, SRVSVC, pdu::NDR);
        let _ = pipe.write(&Caller { server: &server, is_restricted: false }, &bytes);
    }

    #[test]
    fn any_stub_gives_an_answer(operation in 0u16..60, stub in proptest::collection::vec(any::<u8>(), 0..200), ndr64: bool) {
        let server = server(CONFIG);
        for endpoint in [SRVSVC, WKSSVC] {
            let mut pipe = bound(&server, endpoint, if ndr64 { pdu::NDR64 } else { pdu::NDR });
            pipe.write(&Caller { server: &server, is_restricted: false }, &request(7, 3, 0, operation, &stub)).unwrap();
            prop_assert!(matches!(pipe.read()[2], kind::RESPONSE | kind::FAULT));
        }
    }

    #[test]
    fn damaged_calls_give_an_answer(at: prop::sample::Index, with: u8, level in prop_oneof![Just(0u32), Just(1), Just(2), Just(502)]) {
        let server = server(CONFIG);
        let mut pipe = bound(&server, SRVSVC, pdu::NDR);
        let mut stub = enum_stub(level, Syntax::Ndr);
        let index = at.index(stub.len());
        stub[index] ^= with;
        pipe.write(&Caller { server: &server, is_restricted: false }, &request(7, 3, 0, 15, &stub)).unwrap();
        prop_assert!(!pipe.read().is_empty());
    }
}

mod accounts {
    use super::super::super::sid::Sid;
    use super::super::super::{LSARPC, SAMR};
    use super::*;

    fn u32_at_end(stub: &[u8]) -> u32 {
        u32::from_le_bytes(*stub.last_chunk().unwrap())
    }

    /// Opens a policy or account handle with operation `number`, whose answer ends with handle and status.
    fn open(server: &Server, pipe: &mut Association, number: u16, stub: &[u8]) -> [u8; 20] {
        let stub = call(server, pipe, false, number, stub);
        assert_eq!(u32_at_end(&stub), 0);
        let (head, _) = stub.split_last_chunk::<4>().unwrap();
        *head.last_chunk().unwrap()
    }

    #[test]
    fn names_become_sids_and_back() {
        for transfer in [pdu::NDR, pdu::NDR64] {
            let syntax = transfer.transfer().unwrap();
            let server = server(CONFIG);
            let mut pipe = bound(&server, LSARPC, transfer);
            let policy = open(&server, &mut pipe, 44, &[]);
            let mut e = Encoder::new(syntax);
            e.param(&policy);
            e.param(&2u32);
            e.param(&Array(vec![
                super::super::super::ndr::UnicodeString::new("BOX\\root"),
                super::super::super::ndr::UnicodeString::new("no such account"),
            ]));
            let stub = call(&server, &mut pipe, false, 68, &e.finish());
            assert_eq!(u32_at_end(&stub), 0x107);
            let mut wanted = Encoder::new(Syntax::Ndr);
            wanted.param(&Sid::new(5, &[21, 1, 2, 3, 0]));
            let wanted = wanted.finish();
            assert!(
                stub.windows(28).any(|window| window == &wanted[4..]),
                "{stub:?}"
            );
            let unknown = call(&server, &mut pipe, false, 0, &policy);
            assert_eq!(unknown, [0; 24]);
            let context = Caller {
                server: &server,
                is_restricted: false,
            };
            pipe.write(&context, &request(9, 3, 0, 0, &policy)).unwrap();
            assert_eq!(fault_of(&pipe.read()), fault::CONTEXT_MISMATCH);
        }
    }

    #[test]
    fn users_are_found_in_the_account_database() {
        let server = server(CONFIG);
        let mut pipe = bound(&server, SAMR, pdu::NDR);
        let accounts = open(&server, &mut pipe, 64, &[]);
        let mut e = Encoder::new(Syntax::Ndr);
        e.param(&accounts);
        e.param(&0u32);
        e.param(&Sid::new(5, &[21, 1, 2, 3]));
        let domain = open(&server, &mut pipe, 7, &e.finish());
        let mut e = Encoder::new(Syntax::Ndr);
        e.param(&domain);
        [0u32, 0, u32::MAX].iter().for_each(|value| e.param(value));
        let stub = call(&server, &mut pipe, false, 13, &e.finish());
        let text = |name: &str| {
            name.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        let holds = |stub: &[u8], name: &str| {
            stub.windows(2 * name.len())
                .any(|window| window == text(name))
        };
        assert!(holds(&stub, "alice") && holds(&stub, "bob") && !holds(&stub, "ghost"));
        let mut e = Encoder::new(Syntax::Ndr);
        e.param(&domain);
        [0u32, 1000].iter().for_each(|value| e.param(value));
        let user = open(&server, &mut pipe, 34, &e.finish());
        for (class, status) in [
            (6u16, 0),
            (7, 0),
            (8, 0),
            (9, 0),
            (16, 0),
            (21, 0),
            (3, 0xC000_0003),
        ] {
            let mut e = Encoder::new(Syntax::Ndr);
            e.param(&user);
            e.param(&class);
            assert_eq!(
                u32_at_end(&call(&server, &mut pipe, false, 36, &e.finish())),
                status
            );
        }
        assert_eq!(u32_at_end(&call(&server, &mut pipe, false, 39, &user)), 0);
        // A domain's handle is no user's.
        let context = Caller {
            server: &server,
            is_restricted: false,
        };
        pipe.write(&context, &request(9, 3, 0, 39, &domain))
            .unwrap();
        assert_eq!(fault_of(&pipe.read()), fault::CONTEXT_MISMATCH);
    }

    proptest! {
        #[test]
        fn any_stub_after_a_handle_gives_an_answer(
            operation in 0u16..80, rest in proptest::collection::vec(any::<u8>(), 0..120), ndr64: bool,
        ) {
            let server = server(CONFIG);
            for (endpoint, opens) in [(LSARPC, 44), (SAMR, 57)] {
                let mut pipe = bound(&server, endpoint, if ndr64 { pdu::NDR64 } else { pdu::NDR });
                let mut stub = open(&server, &mut pipe, opens, &[]).to_vec();
                stub.extend(&rest);
                let context = Caller { server: &server, is_restricted: false };
                pipe.write(&context, &request(7, 3, 0, operation, &stub)).unwrap();
                prop_assert!(matches!(pipe.read()[2], kind::RESPONSE | kind::FAULT));
            }
        }
    }
}
