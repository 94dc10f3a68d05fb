// SPDX-License-Identifier: GPL-2.0

//! What tests of pipes share: PDUs as a client sends them, and a client that asks in typed requests, which checks on the way that
//! they, and the answers, come back as they were.

use std::fmt::Debug;

use super::association::{Association, SENT_FRAGMENT};
use super::budget::Budget;
use super::handles::Handle;
use super::lsarpc::Opened;
use super::ndr::{Decoder, Encoder, Params, Syntax};
use super::pdu::{self, flag, kind, SyntaxId};
use super::{Caller, Endpoint};
use crate::answer::tests::state;
use crate::dispatch::Server;

pub(super) const CONFIG: &str = "[global]\nnetbios name = BOX\nworkgroup = HOME\nadmin users = bob\n[Public]\npath=/p\ncomment=All of it\n[hid]\npath=/h\nbrowseable=no\n";

/// Bytes of a call's parameters that a client sends in one fragment.
const FRAGMENT: usize = 4000;

pub(super) fn server(config: &str) -> Server {
    Server::new(state(config), [1, 2, 3])
}

/// A pipe with nothing bound.
pub(super) fn association(endpoint: Endpoint) -> Association {
    Association::new(endpoint, 1, Budget::default().share())
}

pub(super) fn pdu(kind: u8, flags: u8, call: u32, body: &[u8]) -> Vec<u8> {
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

pub(super) fn bind(contexts: &[(u16, SyntaxId, &[SyntaxId])]) -> Vec<u8> {
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

pub(super) fn request(call: u32, flags: u8, context: u16, operation: u16, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(context.to_le_bytes());
    body.extend(operation.to_le_bytes());
    body.extend(stub);
    pdu(kind::REQUEST, flags, call, &body)
}

/// Result and reason of each context in a BIND_ACK.
pub(super) fn results(ack: &[u8]) -> Vec<(u16, u16)> {
    assert_eq!(ack[2], kind::BIND_ACK);
    let address = usize::from(u16::from_le_bytes([ack[24], ack[25]]));
    let at = (26 + address).next_multiple_of(4);
    let u16_at = |at: usize| u16::from_le_bytes([ack[at], ack[at + 1]]);
    (0..usize::from(ack[at]))
        .map(|index| at + 4 + 24 * index)
        .map(|at| (u16_at(at), u16_at(at + 2)))
        .collect()
}

/// A pipe with `syntax` bound as context 0, for its first interface.
pub(super) fn bound(server: &Server, endpoint: Endpoint, syntax: SyntaxId) -> Association {
    bound_to(server, endpoint, 0, syntax)
}

fn bound_to(
    server: &Server,
    endpoint: Endpoint,
    interface: usize,
    syntax: SyntaxId,
) -> Association {
    let mut pipe = association(endpoint);
    let call = Caller {
        server,
        is_restricted: false,
    };
    pipe.write(
        &call,
        &bind(&[(0, endpoint.interfaces[interface].id(), &[syntax])]),
    )
    .unwrap();
    assert_eq!(results(&pipe.read()), [(0, 0)]);
    pipe
}

/// The stub data of a call's response.
pub(super) fn call(
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

pub(super) fn fault_of(pdu: &[u8]) -> u32 {
    assert_eq!(pdu[2], kind::FAULT);
    u32::from_le_bytes(pdu[24..28].try_into().unwrap())
}

/// Both transfer syntaxes.
pub(super) const SYNTAXES: [SyntaxId; 2] = [pdu::NDR, pdu::NDR64];

/// A client of one pipe.
pub(super) struct Client<'a> {
    server: &'a Server,
    pipe: Association,
    syntax: Syntax,
}

impl<'a> Client<'a> {
    /// A client of the first interface of a pipe.
    pub(super) fn new(server: &'a Server, endpoint: Endpoint, transfer: SyntaxId) -> Self {
        Client::of(server, endpoint, 0, transfer)
    }

    /// A client of one of the interfaces of a pipe.
    pub(super) fn of(
        server: &'a Server,
        endpoint: Endpoint,
        interface: usize,
        transfer: SyntaxId,
    ) -> Self {
        Client {
            server,
            pipe: bound_to(server, endpoint, interface, transfer),
            syntax: transfer.transfer().unwrap(),
        }
    }

    /// The answer to a call: its stub data, or the status of a fault.
    pub(super) fn raw(&mut self, operation: u16, stub: &[u8]) -> Result<Vec<u8>, u32> {
        let caller = Caller {
            server: self.server,
            is_restricted: false,
        };
        let mut parts = stub.chunks(FRAGMENT).peekable();
        let mut flags = flag::FIRST;
        while flags & flag::LAST == 0 {
            let part = parts.next().unwrap_or_default();
            if parts.peek().is_none() {
                flags |= flag::LAST;
            }
            self.pipe
                .write(&caller, &request(7, flags, 0, operation, part))
                .unwrap();
            flags &= !flag::FIRST;
        }
        let mut out = Vec::new();
        loop {
            let pdu = self.pipe.read();
            if pdu[2] == kind::FAULT {
                return Err(fault_of(&pdu));
            }
            assert_eq!(pdu[2], kind::RESPONSE, "{pdu:?}");
            out.extend(&pdu[24..]);
            if pdu[3] & flag::LAST != 0 {
                return Ok(out);
            }
        }
    }

    fn stub<Q: Params>(&self, asked: &Q) -> Vec<u8> {
        let mut e = Encoder::new(self.syntax);
        e.params(asked);
        e.finish()
    }

    fn read<T: Params>(&self, stub: &[u8]) -> Option<(T, usize)> {
        let mut d = Decoder::new(stub, self.syntax);
        let value = d.params().ok()?;
        Some((value, d.remaining()))
    }

    /// Asks, and reads the answer. The question and the answer come back as they were when read and written; every part of the
    /// question that lacks its end is refused; one with a byte changed gets an answer of some kind.
    pub(super) fn ask<Q, R>(&mut self, operation: u16, asked: &Q) -> R
    where
        Q: Params + PartialEq + Debug,
        R: Params + PartialEq + Debug,
    {
        let stub = self.stub(asked);
        assert_eq!(
            self.read::<Q>(&stub).as_ref(),
            Some(&(self.read::<Q>(&stub).unwrap().0, 0))
        );
        assert_eq!(
            &self.read::<Q>(&stub).unwrap().0,
            asked,
            "operation {operation}"
        );
        for cut in 0..stub.len() {
            assert!(
                self.read::<Q>(&stub[..cut]).is_none(),
                "operation {operation}: {cut} bytes"
            );
            if cut % 5 == 0 {
                assert!(
                    self.raw(operation, &stub[..cut]).is_err(),
                    "operation {operation}: {cut} bytes"
                );
            }
        }
        let read = self.answer(operation, asked);
        for at in (0..stub.len()).step_by(3) {
            let mut damaged = stub.clone();
            damaged[at] ^= 0x81;
            let _ = self.raw(operation, &damaged);
        }
        read
    }

    /// Asks, and reads the answer, which comes back as it was.
    pub(super) fn answer<Q, R>(&mut self, operation: u16, asked: &Q) -> R
    where
        Q: Params,
        R: Params + PartialEq + Debug,
    {
        let stub = self.stub(asked);
        let answer = self
            .raw(operation, &stub)
            .unwrap_or_else(|status| panic!("operation {operation}: {status:#x}"));
        let (read, rest) = self
            .read::<R>(&answer)
            .unwrap_or_else(|| panic!("operation {operation}: {answer:?}"));
        assert_eq!(rest, 0, "operation {operation}: {read:?}");
        assert_eq!(self.stub(&read), answer, "operation {operation}: {read:?}");
        read
    }

    /// The status of the fault that a question gets.
    pub(super) fn fault<Q: Params>(&mut self, operation: u16, asked: &Q) -> u32 {
        let stub = self.stub(asked);
        self.raw(operation, &stub).expect_err("a fault")
    }

    /// The handle that a question opens.
    pub(super) fn open<Q: Params>(&mut self, operation: u16, asked: &Q) -> Handle {
        let stub = self.stub(asked);
        let answer = self.raw(operation, &stub).expect("an answer");
        let (Opened { handle, status }, _) = self.read(&answer).expect("a handle");
        assert_eq!(status, 0);
        handle
    }
}
