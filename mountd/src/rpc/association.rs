// SPDX-License-Identifier: GPL-2.0

//! One open pipe: an association of DCE/RPC, [C706] 9 and [MS-RPCE] 3.3.1.
//!
//! Bytes come in as the client wrote them and are cut into PDUs here; answers wait as whole PDUs, one for each read.

use std::collections::{HashMap, VecDeque};

use super::budget::Share;
use super::handles::Handles;
use super::ndr::{Decoder, Encoder, Syntax};
use super::pdu::{
    self, fault, flag, kind, Bind, Broken, Context, Header, Outcome, Request, SyntaxId,
};
use super::{Call, Caller, Endpoint, Fault, Interface};

/// Largest fragment that is announced, as other servers do.
const FRAGMENT: u16 = 4280;
/// Largest fragment that is sent. Some clients read no more than 1024 bytes at a time, and a module may cut what is longer.
pub(super) const SENT_FRAGMENT: usize = 1024;
/// Smallest fragment that every implementation takes ([C706] 12.6.3.1, MustRecvFragSize).
const LEAST_FRAGMENT: usize = 1432;
/// Most bytes of a call's stub data.
const MOST_STUB: usize = 1 << 20;
/// Most answers that may wait to be read.
const MOST_WAITING: usize = 4096;
/// Most presentation contexts of an association.
const MOST_CONTEXTS: usize = 64;

/// A bound presentation context.
#[derive(Clone, Copy)]
struct Bound {
    interface: &'static dyn Interface,
    syntax: Syntax,
}

/// A call of which not all fragments came yet.
#[derive(Debug)]
struct Partial {
    call: u32,
    context: u16,
    operation: u16,
    stub: Vec<u8>,
}

/// An open pipe.
pub(super) struct Association {
    endpoint: Endpoint,
    number: u32,
    group: u32,
    input: Vec<u8>,
    bound: HashMap<u16, Bound>,
    fragment: usize,
    partial: Option<Partial>,
    output: VecDeque<Vec<u8>>,
    handles: Handles,
    held: Share,
    is_broken: bool,
}

impl Association {
    /// A pipe to `endpoint`, with nothing bound. `number` distinguishes it from others; `held` is what it may hold.
    pub(super) fn new(endpoint: Endpoint, number: u32, held: Share) -> Self {
        Association {
            endpoint,
            number,
            group: number.wrapping_add(0x5300),
            input: Vec::new(),
            bound: HashMap::new(),
            fragment: SENT_FRAGMENT,
            partial: None,
            output: VecDeque::new(),
            handles: Handles::default(),
            held,
            is_broken: false,
        }
    }

    /// Takes what the client wrote and works on the PDUs that are whole. A client that breaks the protocol, or takes more memory
    /// than there is for pipes, has used up the pipe: nothing of it is kept, and nothing more taken.
    pub(super) fn write(&mut self, caller: &Caller<'_>, bytes: &[u8]) -> Result<(), Broken> {
        if self.is_broken {
            return Err(Broken);
        }
        let result = self.take(caller, bytes);
        let held = self.size();
        if result.is_ok() && self.held.set(held) {
            return Ok(());
        }
        self.end();
        Err(Broken)
    }

    /// Bytes that wait here.
    fn size(&self) -> usize {
        let partial = self.partial.as_ref().map_or(0, |call| call.stub.len());
        let output: usize = self.output.iter().map(Vec::len).sum();
        self.input.len() + partial + output
    }

    fn end(&mut self) {
        self.is_broken = true;
        self.input = Vec::new();
        self.partial = None;
        self.output = VecDeque::new();
        self.bound = HashMap::new();
        self.handles = Handles::default();
        self.held.set(0);
    }

    fn take(&mut self, caller: &Caller<'_>, bytes: &[u8]) -> Result<(), Broken> {
        self.input.extend_from_slice(bytes);
        while let Some(header) = Header::parse(&self.input)? {
            if self.input.len() < header.length {
                break;
            }
            let rest = self.input.split_off(header.length);
            let pdu = std::mem::replace(&mut self.input, rest);
            self.handle(caller, &header, &pdu)?;
        }
        Ok(())
    }

    /// The next answer; empty if there is none.
    pub(super) fn read(&mut self) -> Vec<u8> {
        let answer = self.output.pop_front().unwrap_or_default();
        let held = self.size();
        self.held.set(held);
        answer
    }

    fn handle(&mut self, caller: &Caller<'_>, header: &Header, pdu: &[u8]) -> Result<(), Broken> {
        match header.kind {
            kind::BIND | kind::ALTER_CONTEXT => self.bind(header, pdu),
            kind::REQUEST => self.request(caller, header, pdu),
            // Calls are over before the next PDU is looked at; the one whose fragments still come can be taken back.
            kind::CANCEL | kind::ORPHANED => {
                self.partial.take_if(|call| call.call == header.call);
                Ok(())
            }
            _ => Err(Broken),
        }
    }

    fn answer(&mut self, pdu: Vec<u8>) -> Result<(), Broken> {
        if self.output.len() >= MOST_WAITING {
            return Err(Broken);
        }
        self.output.push_back(pdu);
        Ok(())
    }

    fn bind(&mut self, header: &Header, pdu: &[u8]) -> Result<(), Broken> {
        if !header.is_known {
            return self.answer(pdu::bind_nak(header.call, pdu::refusal::VERSION));
        }
        if header.auth_length != 0 {
            // The session is authenticated already; authentication within it is not built.
            return self.answer(pdu::bind_nak(header.call, pdu::refusal::AUTHENTICATION));
        }
        let bind = Bind::parse(pdu)?;
        if self.bound.len() + bind.contexts.len() > MOST_CONTEXTS {
            return Err(Broken);
        }
        let taken = usize::from(bind.max_receive).max(LEAST_FRAGMENT);
        self.fragment = taken.min(SENT_FRAGMENT);
        let mut outcomes = Vec::new();
        for context in &bind.contexts {
            outcomes.push(self.offer(context, &bind.contexts));
        }
        let (kind, address) = match header.kind {
            kind::BIND => (kind::BIND_ACK, self.endpoint.name),
            _ => (kind::ALTER_CONTEXT_RESPONSE, ""),
        };
        let fragment = FRAGMENT.min(
            bind.max_receive
                .max(u16::try_from(LEAST_FRAGMENT).unwrap_or(FRAGMENT)),
        );
        self.answer(pdu::bind_ack(
            kind,
            header.call,
            fragment,
            self.group,
            address,
            &outcomes,
        ))
    }

    /// Decides about an offered context.
    fn offer(&mut self, context: &Context, all: &[Context]) -> Outcome {
        if context
            .transfers
            .iter()
            .any(SyntaxId::is_feature_negotiation)
        {
            return Outcome::Features(0);
        }
        let Some(interface) = self
            .endpoint
            .interfaces
            .iter()
            .find(|interface| accepts(interface.id(), context.interface))
        else {
            return Outcome::NoSuchInterface;
        };
        // Where a client offers both syntaxes in two contexts, NDR is the one that every client masters.
        let offers_ndr = |other: &Context| {
            other.interface == context.interface && other.transfers.contains(&pdu::NDR)
        };
        let chosen = [pdu::NDR, pdu::NDR64].into_iter().find(|transfer| {
            context.transfers.contains(transfer)
                && (*transfer == pdu::NDR || !all.iter().any(offers_ndr))
        });
        let Some((transfer, syntax)) =
            chosen.and_then(|transfer| Some((transfer, transfer.transfer()?)))
        else {
            return Outcome::NoSuchTransfer;
        };
        self.bound.insert(
            context.id,
            Bound {
                interface: *interface,
                syntax,
            },
        );
        Outcome::Accepted(transfer)
    }

    fn request(&mut self, caller: &Caller<'_>, header: &Header, pdu: &[u8]) -> Result<(), Broken> {
        let request = Request::parse(header, pdu)?;
        if header.auth_length != 0 {
            return self.answer(pdu::fault_pdu(
                header.call,
                request.context,
                fault::ACCESS_DENIED,
            ));
        }
        let mut partial = match (header.flags & flag::FIRST != 0, self.partial.take()) {
            (true, None) => Partial {
                call: header.call,
                context: request.context,
                operation: request.operation,
                stub: Vec::new(),
            },
            (false, Some(partial)) if partial.call == header.call => partial,
            _ => {
                return self.answer(pdu::fault_pdu(
                    header.call,
                    request.context,
                    fault::PROTOCOL,
                ))
            }
        };
        if partial.stub.len() + request.stub.len() > MOST_STUB {
            return self.answer(pdu::fault_pdu(
                header.call,
                request.context,
                fault::OUT_OF_RESOURCES,
            ));
        }
        partial.stub.extend_from_slice(request.stub);
        if header.flags & flag::LAST == 0 {
            self.partial = Some(partial);
            return Ok(());
        }
        match self.run(caller, &partial) {
            Ok(stub) => pdu::responses(partial.call, partial.context, self.fragment, &stub)
                .into_iter()
                .try_for_each(|pdu| self.answer(pdu)),
            Err(Fault(status)) => {
                self.answer(pdu::fault_pdu(partial.call, partial.context, status))
            }
        }
    }

    fn run(&self, caller: &Caller<'_>, partial: &Partial) -> Result<Vec<u8>, Fault> {
        let bound = self
            .bound
            .get(&partial.context)
            .ok_or(Fault(fault::UNKNOWN_INTERFACE))?;
        let mut input = Decoder::new(&partial.stub, bound.syntax);
        let mut output = Encoder::new(bound.syntax);
        let call = Call {
            server: caller.server,
            is_restricted: caller.is_restricted,
            handles: &self.handles,
            pipe: self.number,
        };
        bound
            .interface
            .call(&call, partial.operation, &mut input, &mut output)?;
        Ok(output.finish())
    }
}

/// Whether an interface of ours serves what a client wants: the same, of our major version and a minor one no newer.
fn accepts(ours: SyntaxId, wanted: SyntaxId) -> bool {
    ours.uuid == wanted.uuid
        && ours.version & 0xffff == wanted.version & 0xffff
        && wanted.version >> 16 <= ours.version >> 16
}

#[cfg(test)]
#[path = "association_tests.rs"]
mod tests;
