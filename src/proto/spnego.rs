// SPDX-License-Identifier: GPL-2.0

//! SPNEGO tokens: RFC 4178 4.2, with the NegTokenInit2 of [MS-SPNG] 2.2.1 that a server's NEGOTIATE reply carries.

use crate::der::{self, Der, Node};
use crate::wire::{Full, Malformed, Parsed, Writer, Written};

/// Object identifier of SPNEGO, 1.3.6.1.5.5.2.
pub const SPNEGO_OID: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];

/// The hint that a server sends for want of a principal name ([MS-SPNG] 3.2.5.2).
pub const NEG_HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// A mechanism that SPNEGO can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mech {
    /// NTLMSSP, 1.3.6.1.4.1.311.2.2.10.
    Ntlmssp,
    /// Kerberos V5, 1.2.840.113554.1.2.2.
    Krb5,
    /// Kerberos V5 under the number that Windows 2000 gave it, 1.2.840.48018.1.2.2.
    MsKrb5,
    /// Kerberos V5 user to user, 1.2.840.113554.1.2.2.3.
    Krb5UserToUser,
    /// NEGOEX, 1.3.6.1.4.1.311.2.2.30.
    NegoEx,
}

impl Mech {
    /// Every mechanism with a name here.
    pub const ALL: [Mech; 5] = [
        Mech::Ntlmssp,
        Mech::Krb5,
        Mech::MsKrb5,
        Mech::Krb5UserToUser,
        Mech::NegoEx,
    ];

    /// Content of its OBJECT IDENTIFIER.
    pub const fn oid(self) -> &'static [u8] {
        match self {
            Mech::Ntlmssp => &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A],
            Mech::Krb5 => &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02],
            Mech::MsKrb5 => &[0x2A, 0x86, 0x48, 0x82, 0xF7, 0x12, 0x01, 0x02, 0x02],
            Mech::Krb5UserToUser => &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02, 0x03],
            Mech::NegoEx => &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1E],
        }
    }

    /// Whether it is Kerberos under either of its numbers.
    pub const fn is_kerberos(self) -> bool {
        matches!(self, Mech::Krb5 | Mech::MsKrb5)
    }

    /// The mechanism with this OBJECT IDENTIFIER content.
    pub fn from_oid(oid: &[u8]) -> Option<Mech> {
        Mech::ALL.into_iter().find(|mech| mech.oid() == oid)
    }
}

/// A MechTypeList: SEQUENCE OF OBJECT IDENTIFIER, in the initiator's order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MechList<'a> {
    /// The whole encoding, which the mechListMIC protects.
    der: &'a [u8],
    content: &'a [u8],
}

impl<'a> MechList<'a> {
    /// A list from its encoding.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is not a SEQUENCE of OBJECT IDENTIFIERs, or is empty.
    pub fn parse(der: &'a [u8]) -> Parsed<Self> {
        let content = der::only(der, der::SEQUENCE)?;
        let mut oids = Der::new(content);
        oids.expect(der::OID)?;
        while !oids.is_empty() {
            oids.expect(der::OID)?;
        }
        Ok(MechList { der, content })
    }

    /// The exact bytes over which the mechListMIC is made (RFC 4178 5).
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The contents of the OBJECT IDENTIFIERs.
    pub fn oids(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let mut der = Der::new(self.content);
        core::iter::from_fn(move || der.expect(der::OID).ok())
    }

    /// The mechanisms; `None` for one that has no name here.
    pub fn mechs(&self) -> impl Iterator<Item = Option<Mech>> + Clone + 'a {
        let mut der = Der::new(self.content);
        core::iter::from_fn(move || der.expect(der::OID).ok().map(Mech::from_oid))
    }

    /// Whether `mech` is in the list.
    pub fn contains(&self, mech: Mech) -> bool {
        self.mechs().any(|other| other == Some(mech))
    }

    /// The initiator's first choice, to which an optimistic mechToken belongs.
    pub fn first(&self) -> Option<Mech> {
        self.mechs().next().flatten()
    }
}

/// Appends the MechTypeList of `mechs`, in this order.
///
/// # Errors
///
/// `Full`.
pub fn write_mech_list(w: &mut Writer<'_>, mechs: &[Mech]) -> Written {
    // Every identifier above has at most 10 bytes: the SEQUENCE needs one length byte up to ten mechanisms.
    let size = mechs.iter().fold(0usize, |sum, mech| {
        sum.saturating_add(Node::Leaf(der::OID, mech.oid()).size())
    });
    let len = u8::try_from(size)
        .ok()
        .filter(|len| *len < 0x80)
        .ok_or(Full)?;
    w.u8(der::SEQUENCE)?;
    w.u8(len)?;
    for mech in mechs {
        Node::Leaf(der::OID, mech.oid()).write(w)?;
    }
    Ok(())
}

/// NegTokenInit: the first token, from either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegTokenInit<'a> {
    /// The mechanisms offered.
    pub mechs: MechList<'a>,
    /// Optimistic token for the first of them.
    pub mech_token: Option<&'a [u8]>,
    /// MIC over the mechanism list.
    pub mech_list_mic: Option<&'a [u8]>,
    /// Name hint: only in a server's NegTokenInit2.
    pub hint: Option<&'a [u8]>,
}

impl<'a> NegTokenInit<'a> {
    /// Reads a GSS-API framed NegTokenInit or NegTokenInit2.
    ///
    /// # Errors
    ///
    /// `Malformed` for anything else, or for bytes after it.
    pub fn parse(token: &'a [u8]) -> Parsed<Self> {
        let mut frame = Der::new(der::only(token, der::APPLICATION_0)?);
        if frame.expect(der::OID)? != SPNEGO_OID {
            return Err(Malformed);
        }
        let init = frame.expect(der::context(0))?;
        if !frame.is_empty() {
            return Err(Malformed);
        }
        let mut fields = Der::new(der::only(init, der::SEQUENCE)?);
        let mechs = MechList::parse(fields.expect(der::context(0))?)?;
        // reqFlags: RFC 4178 4.2.1 tells acceptors to ignore it.
        fields.optional(der::context(1))?;
        let mech_token = octets(fields.optional(der::context(2))?)?;
        let mut mech_list_mic = None;
        let mut hint = None;
        // [3] is the MIC in a NegTokenInit, and the hints in a NegTokenInit2, where the MIC is [4].
        if let Some(third) = fields.optional(der::context(3))? {
            match Der::new(third).element()?.tag {
                der::SEQUENCE => hint = parse_hint(third)?,
                _ => mech_list_mic = Some(der::only(third, der::OCTET_STRING)?),
            }
        }
        if let Some(fourth) = fields.optional(der::context(4))? {
            mech_list_mic = Some(der::only(fourth, der::OCTET_STRING)?);
        }
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(NegTokenInit {
            mechs,
            mech_token,
            mech_list_mic,
            hint,
        })
    }

    /// Appends the token in its GSS-API frame: NegTokenInit2 if there is a hint.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let token = self
            .mech_token
            .map(|bytes| [Node::Leaf(der::OCTET_STRING, bytes)]);
        let mic = self
            .mech_list_mic
            .map(|bytes| [Node::Leaf(der::OCTET_STRING, bytes)]);
        let name = self
            .hint
            .map(|bytes| [Node::Leaf(der::GENERAL_STRING, bytes)]);
        let names = [tagged(0, name.as_ref())];
        let hints = self.hint.map(|_| [Node::Branch(der::SEQUENCE, &names)]);
        let mic_tag = if self.hint.is_some() { 4 } else { 3 };
        let mechs = [Node::Raw(self.mechs.der)];
        let fields = [
            Node::Branch(der::context(0), &mechs),
            tagged(2, token.as_ref()),
            tagged(3, hints.as_ref()),
            tagged(mic_tag, mic.as_ref()),
        ];
        let init = [Node::Branch(der::SEQUENCE, &fields)];
        let frame = [
            Node::Leaf(der::OID, SPNEGO_OID),
            Node::Branch(der::context(0), &init),
        ];
        Node::Branch(der::APPLICATION_0, &frame).write(w)
    }
}

/// Appends the NegTokenInit2 of a NEGOTIATE reply: the mechanisms and the customary hint.
///
/// # Errors
///
/// `Full`.
pub fn write_init2(w: &mut Writer<'_>, mechs: &[Mech]) -> Written {
    let mut scratch = [0u8; 80];
    let mut list = Writer::new(&mut scratch);
    write_mech_list(&mut list, mechs)?;
    let mechs = MechList::parse(list.written()).map_err(|_| Full)?;
    NegTokenInit {
        mechs,
        mech_token: None,
        mech_list_mic: None,
        hint: Some(NEG_HINT),
    }
    .write(w)
}

fn parse_hint(hints: &[u8]) -> Parsed<Option<&[u8]>> {
    let mut fields = Der::new(der::only(hints, der::SEQUENCE)?);
    match fields.optional(der::context(0))? {
        Some(name) => der::only(name, der::GENERAL_STRING).map(Some),
        None => Ok(None),
    }
}

/// `negState` of a NegTokenResp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegState {
    /// accept-completed.
    Completed,
    /// accept-incomplete.
    Incomplete,
    /// reject.
    Reject,
    /// request-mic.
    RequestMic,
}

impl NegState {
    const fn wire(self) -> u8 {
        match self {
            NegState::Completed => 0,
            NegState::Incomplete => 1,
            NegState::Reject => 2,
            NegState::RequestMic => 3,
        }
    }

    fn parse(content: &[u8]) -> Parsed<Self> {
        match content {
            [0] => Ok(NegState::Completed),
            [1] => Ok(NegState::Incomplete),
            [2] => Ok(NegState::Reject),
            [3] => Ok(NegState::RequestMic),
            _ => Err(Malformed),
        }
    }
}

/// NegTokenResp: every token after the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegTokenResp<'a> {
    /// How far negotiation has come.
    pub state: Option<NegState>,
    /// OBJECT IDENTIFIER content of the mechanism that the acceptor chose.
    pub supported_mech: Option<&'a [u8]>,
    /// The mechanism's token.
    pub response_token: Option<&'a [u8]>,
    /// MIC over the mechanism list.
    pub mech_list_mic: Option<&'a [u8]>,
}

impl<'a> NegTokenResp<'a> {
    /// Reads a NegTokenResp.
    ///
    /// # Errors
    ///
    /// `Malformed` for anything else, or for bytes after it.
    pub fn parse(token: &'a [u8]) -> Parsed<Self> {
        let mut fields = Der::new(der::only(
            der::only(token, der::context(1))?,
            der::SEQUENCE,
        )?);
        let state = match fields.optional(der::context(0))? {
            Some(state) => Some(NegState::parse(der::only(state, der::ENUMERATED)?)?),
            None => None,
        };
        let supported_mech = match fields.optional(der::context(1))? {
            Some(mech) => Some(der::only(mech, der::OID)?),
            None => None,
        };
        let response_token = octets(fields.optional(der::context(2))?)?;
        let mech_list_mic = octets(fields.optional(der::context(3))?)?;
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(NegTokenResp {
            state,
            supported_mech,
            response_token,
            mech_list_mic,
        })
    }

    /// Appends the token.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let state = self.state.map(|state| [state.wire()]);
        let state = state
            .as_ref()
            .map(|byte| [Node::Leaf(der::ENUMERATED, byte)]);
        let mech = self.supported_mech.map(|oid| [Node::Leaf(der::OID, oid)]);
        let token = self
            .response_token
            .map(|bytes| [Node::Leaf(der::OCTET_STRING, bytes)]);
        let mic = self
            .mech_list_mic
            .map(|bytes| [Node::Leaf(der::OCTET_STRING, bytes)]);
        let fields = [
            tagged(0, state.as_ref()),
            tagged(1, mech.as_ref()),
            tagged(2, token.as_ref()),
            tagged(3, mic.as_ref()),
        ];
        Node::Branch(der::context(1), &[Node::Branch(der::SEQUENCE, &fields)]).write(w)
    }
}

/// What a SESSION_SETUP buffer can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// SPNEGO's first token.
    Init(NegTokenInit<'a>),
    /// A later SPNEGO token.
    Resp(NegTokenResp<'a>),
    /// An NTLMSSP message without SPNEGO around it.
    Ntlmssp(&'a [u8]),
}

impl<'a> Token<'a> {
    /// Tells the kinds of token apart and reads the one that is there.
    ///
    /// # Errors
    ///
    /// `Malformed` for anything else.
    pub fn parse(buffer: &'a [u8]) -> Parsed<Self> {
        if buffer.starts_with(crate::ntlmssp::SIGNATURE) {
            return Ok(Token::Ntlmssp(buffer));
        }
        match buffer.first() {
            Some(&der::APPLICATION_0) => NegTokenInit::parse(buffer).map(Token::Init),
            _ => NegTokenResp::parse(buffer).map(Token::Resp),
        }
    }
}

/// Whether `token` is a Kerberos token in its own GSS-API frame (RFC 4121 4.1), without SPNEGO.
pub fn is_plain_kerberos(token: &[u8]) -> bool {
    let oid =
        der::only(token, der::APPLICATION_0).and_then(|content| Der::new(content).expect(der::OID));
    oid.is_ok_and(|oid| oid == Mech::Krb5.oid())
}

fn octets(field: Option<&[u8]>) -> Parsed<Option<&[u8]>> {
    field
        .map(|content| der::only(content, der::OCTET_STRING))
        .transpose()
}

fn tagged<'a>(number: u8, content: Option<&'a [Node<'a>; 1]>) -> Node<'a> {
    match content {
        Some(content) => Node::Branch(der::context(number), content),
        None => Node::Absent,
    }
}
