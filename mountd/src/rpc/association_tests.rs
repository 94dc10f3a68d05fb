// SPDX-License-Identifier: GPL-2.0

//! Tests of pipes: binds, calls and fragments as a client sends them.

use proptest::prelude::*;

use super::super::budget::Budget;
use super::super::ndr::{Array, Unique, WStr};
use super::super::testing::{
    association, bind, bound, call, fault_of, request, results, server, CONFIG,
};
use super::super::{Pipes, LSARPC, SRVSVC, WKSSVC};
use super::*;
use smb_proto::ipc::{rpc_flag, rpc_status, RpcCommand};

fn srvsvc() -> SyntaxId {
    SRVSVC.interfaces[0].id()
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
    let mut pipe = association(SRVSVC);
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
    let mut pipe = association(SRVSVC);
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
fn a_broken_pipe_keeps_nothing_and_takes_nothing_more() {
    let server = server(CONFIG);
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    let budget = Budget::default();
    let mut pipe = Association::new(SRVSVC, 1, budget.share());
    pipe.write(&caller, &bind(&[(0, srvsvc(), &[pdu::NDR])]))
        .unwrap();
    pipe.write(&caller, &request(7, flag::FIRST, 0, 15, &[1; 9000]))
        .unwrap();
    assert!(pipe.size() > 9000);
    // No header of this protocol: whatever comes behind it would wait for ever.
    for _ in 0..100 {
        assert_eq!(pipe.write(&caller, &[0xff; 4096]), Err(Broken));
        assert_eq!(pipe.size(), 0);
    }
    assert!(pipe.read().is_empty());
    assert_eq!(
        pipe.write(&caller, &bind(&[(0, srvsvc(), &[pdu::NDR])])),
        Err(Broken)
    );
}

#[test]
fn answers_that_nobody_reads_have_a_bound() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    let asked = request(7, 3, 0, 99, &[]);
    let taken = (0..2 * MOST_WAITING)
        .take_while(|_| pipe.write(&caller, &asked).is_ok())
        .count();
    assert_eq!(taken, MOST_WAITING);
}

#[test]
fn contexts_are_added_to_an_association() {
    let server = server(CONFIG);
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    for transfer in [pdu::NDR, pdu::NDR64] {
        let mut pipe = bound(&server, LSARPC, transfer);
        let mut alter = bind(&[(4, LSARPC.interfaces[1].id(), &[transfer])]);
        alter[2] = kind::ALTER_CONTEXT;
        pipe.write(&caller, &alter).unwrap();
        let answer = pipe.read();
        assert_eq!(answer[2], kind::ALTER_CONTEXT_RESPONSE);
        // No address, one result: accepted.
        assert_eq!(answer[24..34], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        let mut e = Encoder::new(transfer.transfer().unwrap());
        e.param(&super::super::ndr::Enum(1));
        pipe.write(&caller, &request(8, 3, 4, 0, &e.finish()))
            .unwrap();
        assert_eq!(pipe.read()[2], kind::RESPONSE);
        // The first one is still there: a policy is opened.
        pipe.write(&caller, &request(9, 3, 0, 6, &[])).unwrap();
        assert_eq!(pipe.read()[2], kind::RESPONSE);
    }
}

#[test]
fn a_call_can_be_taken_back_before_its_last_fragment() {
    let server = server(CONFIG);
    let mut pipe = bound(&server, SRVSVC, pdu::NDR);
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    pipe.write(&caller, &request(7, flag::FIRST, 0, 15, &[1; 100]))
        .unwrap();
    let orphaned = |call: u32| {
        let mut pdu = vec![5, 0, kind::ORPHANED, 3, 0x10, 0, 0, 0, 16, 0, 0, 0];
        pdu.extend(call.to_le_bytes());
        pdu
    };
    pipe.write(&caller, &orphaned(6)).unwrap();
    assert!(pipe.size() >= 100, "another call");
    pipe.write(&caller, &orphaned(7)).unwrap();
    assert_eq!(pipe.size(), 0);
    pipe.write(&caller, &request(8, 3, 0, 15, &enum_stub(1, Syntax::Ndr)))
        .unwrap();
    assert_eq!(pipe.read()[2], kind::RESPONSE);
}

#[test]
fn other_versions_are_told_which_there_is() {
    let server = server(CONFIG);
    let caller = Caller {
        server: &server,
        is_restricted: false,
    };
    let mut pipe = association(SRVSVC);
    let mut offer = bind(&[(0, srvsvc(), &[pdu::NDR])]);
    offer[0] = 4;
    pipe.write(&caller, &offer).unwrap();
    let nak = pipe.read();
    assert_eq!((nak[2], nak[16..18].to_vec()), (kind::BIND_NAK, vec![4, 0]));
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
