// SPDX-License-Identifier: GPL-2.0

//! Connection-oriented DCE/RPC PDUs, [C706] 12.6 and [MS-RPCE] 2.2.2.

use super::ndr::Syntax;

/// Bytes of the header that every PDU begins with.
pub const HEADER: usize = 16;
/// Bytes of a request's or response's header.
pub const CALL_HEADER: usize = 24;

/// PDU types.
pub mod kind {
    /// A call.
    pub const REQUEST: u8 = 0;
    /// A call's result.
    pub const RESPONSE: u8 = 2;
    /// A call's failure.
    pub const FAULT: u8 = 3;
    /// Opens an association.
    pub const BIND: u8 = 11;
    /// Accepts it.
    pub const BIND_ACK: u8 = 12;
    /// Refuses it.
    pub const BIND_NAK: u8 = 13;
    /// Changes its presentation contexts.
    pub const ALTER_CONTEXT: u8 = 14;
    /// Answers that.
    pub const ALTER_CONTEXT_RESPONSE: u8 = 15;
    /// Third leg of an authentication.
    pub const AUTH3: u8 = 16;
    /// The client takes a call back.
    pub const CANCEL: u8 = 18;
    /// The client is no longer interested in a call.
    pub const ORPHANED: u8 = 19;
}

/// Bits of `pfc_flags`.
pub mod flag {
    /// First fragment.
    pub const FIRST: u8 = 1;
    /// Last fragment.
    pub const LAST: u8 = 2;
    /// The call surely did not run.
    pub const DID_NOT_EXECUTE: u8 = 0x20;
    /// An object UUID follows the header.
    pub const OBJECT: u8 = 0x80;
}

/// Status of a fault PDU, [C706] appendix E and [MS-ERREF] 2.2.
pub mod fault {
    /// The operation number is not of the interface.
    pub const OPERATION_RANGE: u32 = 0x1C01_0002;
    /// The presentation context is not bound.
    pub const UNKNOWN_INTERFACE: u32 = 0x1C01_0003;
    /// The PDU breaks the protocol.
    pub const PROTOCOL: u32 = 0x1C01_000B;
    /// The caller may not do this.
    pub const ACCESS_DENIED: u32 = 0x0000_0005;
    /// The stub data cannot be read.
    pub const BAD_STUB: u32 = 0x0000_06F7;
    /// A value is outside of what the interface allows (RPC_X_INVALID_BOUND).
    pub const INVALID_BOUND: u32 = 0x0000_06C6;
    /// The union has no arm for this value.
    pub const INVALID_TAG: u32 = 0x1C00_0006;
    /// The context handle is not one of this pipe's.
    pub const CONTEXT_MISMATCH: u32 = 0x1C00_001A;
    /// The call is larger than the server takes.
    pub const OUT_OF_RESOURCES: u32 = 0x1C01_0009;
}

/// The PDU breaks the protocol: the association ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// A UUID as it stands on the wire.
pub type Uuid = [u8; 16];

/// An interface or a transfer syntax: a UUID and a version, the minor one in the upper half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxId {
    /// The UUID.
    pub uuid: Uuid,
    /// The version.
    pub version: u32,
}

impl SyntaxId {
    /// From a UUID's fields as written, and a version.
    pub const fn new(a: u32, b: u16, c: u16, d: [u8; 8], version: u32) -> Self {
        let ([a0, a1, a2, a3], [b0, b1], [c0, c1]) =
            (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
        let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
        SyntaxId {
            uuid: [
                a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7,
            ],
            version,
        }
    }

    /// The transfer syntax that this is.
    pub fn transfer(&self) -> Option<Syntax> {
        match *self {
            NDR => Some(Syntax::Ndr),
            NDR64 => Some(Syntax::Ndr64),
            _ => None,
        }
    }

    /// Whether this is a bind time feature negotiation ([MS-RPCE] 2.2.2.14), which is a syntax only in form.
    pub fn is_feature_negotiation(&self) -> bool {
        self.uuid
            .starts_with(&[0x2c, 0x1c, 0xb7, 0x6c, 0x12, 0x98, 0x40, 0x45])
            && self.version == 1
    }
}

/// NDR, [C706] appendix I.
pub const NDR: SyntaxId = SyntaxId::new(
    0x8a88_5d04,
    0x1ceb,
    0x11c9,
    [0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60],
    2,
);
/// NDR64, [MS-RPCE] 2.2.4.12.
pub const NDR64: SyntaxId = SyntaxId::new(
    0x7171_0533,
    0xbeba,
    0x4937,
    [0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36],
    1,
);

/// The header of every PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The PDU is of the version that is spoken here; otherwise it is a BIND.
    pub is_known: bool,
    /// See [`kind`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// Bytes of the whole PDU.
    pub length: usize,
    /// Bytes of the authentication value.
    pub auth_length: u16,
    /// The call.
    pub call: u32,
}

impl Header {
    /// Reads a header; `None` if `bytes` does not hold one yet.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not one in little-endian, of version 5 or a BIND.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Broken> {
        let Some(&[major, minor, kind, flags, order, _, _, _, l0, l1, a0, a1, c0, c1, c2, c3]) =
            bytes.first_chunk::<HEADER>()
        else {
            return Ok(None);
        };
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        // Little-endian integers and ASCII characters.
        if order != 0x10 || length < HEADER {
            return Err(Broken);
        }
        let is_known = major == 5 && minor <= 1;
        // Only who opens an association can be told of another version.
        if !is_known && kind != kind::BIND {
            return Err(Broken);
        }
        let (auth_length, call) = (
            u16::from_le_bytes([a0, a1]),
            u32::from_le_bytes([c0, c1, c2, c3]),
        );
        Ok(Some(Header {
            is_known,
            kind,
            flags,
            length,
            auth_length,
            call,
        }))
    }
}

/// Reads the parts of a PDU.
#[derive(Clone, Copy)]
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| Broken)
    }

    fn u8(&mut self) -> Result<u8, Broken> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, Broken> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_le_bytes)
    }

    fn syntax(&mut self) -> Result<SyntaxId, Broken> {
        Ok(SyntaxId {
            uuid: self.array()?,
            version: self.u32()?,
        })
    }
}

/// A presentation context that a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its number in later calls.
    pub id: u16,
    /// The interface.
    pub interface: SyntaxId,
    /// The transfer syntaxes to choose from.
    pub transfers: Vec<SyntaxId>,
}

/// BIND and ALTER_CONTEXT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Largest fragment that the client sends.
    pub max_transmit: u16,
    /// Largest fragment that the client takes.
    pub max_receive: u16,
    /// The association group to join, or 0.
    pub group: u32,
    /// The contexts.
    pub contexts: Vec<Context>,
}

impl Bind {
    /// Reads a whole PDU.
    ///
    /// # Errors
    ///
    /// [`Broken`] if its parts do not fit in it.
    pub fn parse(pdu: &[u8]) -> Result<Self, Broken> {
        let mut parts = Parts(pdu);
        parts.take(HEADER)?;
        let (max_transmit, max_receive, group) = (parts.u16()?, parts.u16()?, parts.u32()?);
        let count = parts.u8()?;
        parts.take(3)?;
        let mut contexts = Vec::new();
        for _ in 0..count {
            let id = parts.u16()?;
            let transfers = parts.u8()?;
            parts.u8()?;
            let interface = parts.syntax()?;
            let transfers = (0..transfers)
                .map(|_| parts.syntax())
                .collect::<Result<_, _>>()?;
            contexts.push(Context {
                id,
                interface,
                transfers,
            });
        }
        Ok(Bind {
            max_transmit,
            max_receive,
            group,
            contexts,
        })
    }
}

/// What becomes of an offered context, `p_result_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted with this transfer syntax.
    Accepted(SyntaxId),
    /// The pipe has no such interface.
    NoSuchInterface,
    /// None of the transfer syntaxes is known.
    NoSuchTransfer,
    /// The features that both sides have, as a bit field.
    Features(u16),
}

impl Outcome {
    fn write(self, out: &mut Vec<u8>) {
        const NONE: SyntaxId = SyntaxId {
            uuid: [0; 16],
            version: 0,
        };
        let (result, reason, transfer) = match self {
            Outcome::Accepted(transfer) => (0u16, 0u16, transfer),
            Outcome::NoSuchInterface => (2, 1, NONE),
            Outcome::NoSuchTransfer => (2, 2, NONE),
            Outcome::Features(features) => (3, features, NONE),
        };
        out.extend(result.to_le_bytes());
        out.extend(reason.to_le_bytes());
        out.extend(transfer.uuid);
        out.extend(transfer.version.to_le_bytes());
    }
}

/// REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The presentation context.
    pub context: u16,
    /// The operation.
    pub operation: u16,
    /// This fragment's part of the stub data.
    pub stub: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a whole PDU.
    ///
    /// # Errors
    ///
    /// [`Broken`] if its parts do not fit in it.
    pub fn parse(header: &Header, pdu: &'a [u8]) -> Result<Self, Broken> {
        let mut parts = Parts(pdu);
        parts.take(HEADER)?;
        let (_hint, context, operation) = (parts.u32()?, parts.u16()?, parts.u16()?);
        if header.flags & flag::OBJECT != 0 {
            parts.take(16)?;
        }
        Ok(Request {
            context,
            operation,
            stub: parts.0,
        })
    }
}

fn begin(kind: u8, flags: u8, call: u32) -> Vec<u8> {
    let [c0, c1, c2, c3] = call.to_le_bytes();
    vec![5, 0, kind, flags, 0x10, 0, 0, 0, 0, 0, 0, 0, c0, c1, c2, c3]
}

/// Sets the length in a PDU's header.
fn end(mut pdu: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(pdu.len()).unwrap_or(u16::MAX).to_le_bytes();
    if let Some(field) = pdu.get_mut(8..10) {
        field.copy_from_slice(&length);
    }
    pdu
}

/// BIND_ACK or ALTER_CONTEXT_RESPONSE.
pub fn bind_ack(
    kind: u8,
    call: u32,
    fragment: u16,
    group: u32,
    address: &str,
    outcomes: &[Outcome],
) -> Vec<u8> {
    let mut pdu = begin(kind, flag::FIRST | flag::LAST, call);
    pdu.extend(fragment.to_le_bytes());
    pdu.extend(fragment.to_le_bytes());
    pdu.extend(group.to_le_bytes());
    let size = if address.is_empty() {
        0
    } else {
        u16::try_from(address.len() + 1).unwrap_or(0)
    };
    pdu.extend(size.to_le_bytes());
    if size != 0 {
        pdu.extend(address.as_bytes());
        pdu.push(0);
    }
    pdu.resize(pdu.len().next_multiple_of(4), 0);
    pdu.extend([u8::try_from(outcomes.len()).unwrap_or(u8::MAX), 0, 0, 0]);
    outcomes.iter().for_each(|outcome| outcome.write(&mut pdu));
    end(pdu)
}

/// Reasons of a BIND_NAK.
pub mod refusal {
    /// The version is not spoken here.
    pub const VERSION: u16 = 4;
    /// The authentication is not known.
    pub const AUTHENTICATION: u16 = 8;
}

/// BIND_NAK with a reason; see [`refusal`].
pub fn bind_nak(call: u32, reason: u16) -> Vec<u8> {
    let mut pdu = begin(kind::BIND_NAK, flag::FIRST | flag::LAST, call);
    pdu.extend(reason.to_le_bytes());
    // The one protocol version that is known: 5.0.
    pdu.extend([1, 5, 0, 0, 0, 0]);
    end(pdu)
}

/// FAULT.
pub fn fault_pdu(call: u32, context: u16, status: u32) -> Vec<u8> {
    let mut pdu = begin(
        kind::FAULT,
        flag::FIRST | flag::LAST | flag::DID_NOT_EXECUTE,
        call,
    );
    pdu.extend(32u32.to_le_bytes());
    pdu.extend(context.to_le_bytes());
    pdu.extend([0, 0]);
    pdu.extend(status.to_le_bytes());
    pdu.extend([0; 4]);
    end(pdu)
}

/// The RESPONSE PDUs that carry `stub`, none larger than `fragment` bytes.
pub fn responses(call: u32, context: u16, fragment: usize, stub: &[u8]) -> Vec<Vec<u8>> {
    // Every part but the last is a multiple of 8, so that alignment in the whole is alignment in the part.
    let part = (fragment.saturating_sub(CALL_HEADER) & !7).max(8);
    let count = stub.len().div_ceil(part).max(1);
    (0..count)
        .map(|index| {
            let rest = stub.get(index * part..).unwrap_or(&[]);
            let first = if index == 0 { flag::FIRST } else { 0 };
            let last = if index + 1 == count { flag::LAST } else { 0 };
            let mut pdu = begin(kind::RESPONSE, first | last, call);
            pdu.extend(u32::try_from(rest.len()).unwrap_or(0).to_le_bytes());
            pdu.extend(context.to_le_bytes());
            pdu.extend([0, 0]);
            pdu.extend(rest.iter().take(part));
            end(pdu)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uuids_stand_as_on_the_wire() {
        assert_eq!(
            NDR.uuid,
            [
                0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0, 0x2b, 0x10,
                0x48, 0x60
            ]
        );
    }

    #[test]
    fn other_byte_orders_and_versions_are_refused() {
        let mut pdu = fault_pdu(1, 0, fault::PROTOCOL);
        assert!(Header::parse(&pdu).unwrap().is_some());
        assert_eq!(Header::parse(&pdu[..15]), Ok(None));
        pdu[4] = 0;
        assert_eq!(Header::parse(&pdu), Err(Broken));
        pdu[4] = 0x10;
        pdu[0] = 4;
        assert_eq!(Header::parse(&pdu), Err(Broken));
    }

    proptest! {
        #[test]
        fn fragments_make_up_the_stub(stub in proptest::collection::vec(any::<u8>(), 0..5000), fragment in 64usize..2000) {
            let pdus = responses(9, 1, fragment, &stub);
            let mut joined: Vec<u8> = Vec::new();
            for (index, pdu) in pdus.iter().enumerate() {
                let header = Header::parse(pdu).unwrap().unwrap();
                prop_assert_eq!(header.length, pdu.len());
                prop_assert!(pdu.len() <= fragment);
                prop_assert_eq!(header.flags & flag::FIRST != 0, index == 0);
                prop_assert_eq!(header.flags & flag::LAST != 0, index + 1 == pdus.len());
                joined.extend(&pdu[CALL_HEADER..]);
            }
            prop_assert_eq!(joined, stub);
        }

        #[test]
        fn any_bytes_give_an_answer(bytes: Vec<u8>) {
            let _ = Bind::parse(&bytes);
            if let Ok(Some(header)) = Header::parse(&bytes) {
                let _ = Request::parse(&header, &bytes);
            }
        }
    }
}
