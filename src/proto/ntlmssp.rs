// SPDX-License-Identifier: GPL-2.0

//! NTLMSSP messages, [MS-NLMP] 2.2: their formats only. What is computed over them belongs to the caller, to whom
//! [`Authenticate::mic_cover`] and [`NtlmV2Response`] tell the bytes.

use crate::layout::{fixed_flags, Fixed};
use crate::time::FileTime;
use crate::unicode::{write_utf16, Text, Utf16};
use crate::wire::{slice_at, Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// The first eight bytes of every message.
pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Where the MIC stands in an AUTHENTICATE_MESSAGE that has one (2.2.1.3).
pub const MIC_OFFSET: usize = 72;

/// Bytes of an MIC.
pub const MIC_SIZE: usize = 16;

const NEGOTIATE: u32 = 1;
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;

flags! {
    /// NEGOTIATE flags (2.2.2.5).
    pub struct NegotiateFlags: u32 {
        /// Text is UTF-16.
        UNICODE = 0x0000_0001;
        /// Text is in the OEM character set.
        OEM = 0x0000_0002;
        /// The client asks for the TargetName.
        REQUEST_TARGET = 0x0000_0004;
        /// Session key for message signing.
        SIGN = 0x0000_0010;
        /// Session key for sealing.
        SEAL = 0x0000_0020;
        /// Connectionless.
        DATAGRAM = 0x0000_0040;
        /// LAN Manager session key.
        LM_KEY = 0x0000_0080;
        /// NTLM v1 session security.
        NTLM = 0x0000_0200;
        /// The connection is anonymous.
        ANONYMOUS = 0x0000_0800;
        /// The NEGOTIATE_MESSAGE names a domain.
        OEM_DOMAIN_SUPPLIED = 0x0000_1000;
        /// The NEGOTIATE_MESSAGE names a workstation.
        OEM_WORKSTATION_SUPPLIED = 0x0000_2000;
        /// A signature on every message.
        ALWAYS_SIGN = 0x0000_8000;
        /// TargetName is a domain.
        TARGET_TYPE_DOMAIN = 0x0001_0000;
        /// TargetName is a server.
        TARGET_TYPE_SERVER = 0x0002_0000;
        /// NTLM v2 session security.
        EXTENDED_SESSION_SECURITY = 0x0008_0000;
        /// Identify-level token.
        IDENTIFY = 0x0010_0000;
        /// LMOWF session key.
        NON_NT_SESSION_KEY = 0x0040_0000;
        /// TargetInfo is present.
        TARGET_INFO = 0x0080_0000;
        /// The Version field is meaningful.
        VERSION = 0x0200_0000;
        /// 128-bit session keys.
        KEY_128 = 0x2000_0000;
        /// The client sends the session key, encrypted.
        KEY_EXCHANGE = 0x4000_0000;
        /// 56-bit session keys.
        KEY_56 = 0x8000_0000;
    }
}

flags! {
    /// Value of the `MsvAvFlags` pair (2.2.2.1).
    pub struct AvFlags: u32 {
        /// The account's authentication is constrained.
        CONSTRAINED = 0x1;
        /// The AUTHENTICATE_MESSAGE has an MIC.
        MIC = 0x2;
        /// The target name comes from an untrusted source.
        UNTRUSTED_TARGET = 0x4;
    }
}

fixed_flags!(u32: NegotiateFlags);

/// VERSION (2.2.2.10), for debugging only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub [u8; 8]);

impl Version {
    /// Windows `major`.`minor`, build `build`, NTLMSSP revision 15.
    pub const fn new(major: u8, minor: u8, build: u16) -> Version {
        let [low, high] = build.to_le_bytes();
        Version([major, minor, low, high, 0, 0, 0, 15])
    }
}

/// Length and offset of a payload field.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    len: u16,
    offset: u32,
}

impl Field {
    fn of(self, message: &[u8], payload: usize) -> Parsed<&[u8]> {
        if self.len == 0 {
            return Ok(&[]);
        }
        let offset = usize::try_from(self.offset).map_err(|_| Malformed)?;
        if offset < payload {
            return Err(Malformed);
        }
        slice_at(message, offset, usize::from(self.len))
    }

    fn text(self, message: &[u8], payload: usize, flags: NegotiateFlags) -> Parsed<Text<'_>> {
        let bytes = self.of(message, payload)?;
        if flags.contains(NegotiateFlags::UNICODE) {
            return Utf16::new(bytes).map(Text::Wire);
        }
        oem(bytes)
    }
}

impl Fixed for Field {
    const SIZE: usize = 8;

    fn take(r: &mut Reader<'_>) -> Parsed<Self> {
        let len = r.u16()?;
        r.skip(2)?;
        let offset = r.u32()?;
        Ok(Field { len, offset })
    }

    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.u16(self.len)?;
        w.u16(self.len)?;
        w.u32(self.offset)
    }
}

/// OEM text is taken if it is ASCII: which other character set was meant cannot be known.
fn oem(bytes: &[u8]) -> Parsed<Text<'_>> {
    if !bytes.is_ascii() {
        return Err(Malformed);
    }
    core::str::from_utf8(bytes)
        .map(Text::Str)
        .map_err(|_| Malformed)
}

fn header(r: &mut Reader<'_>, kind: u32) -> Parsed<()> {
    if r.array::<8>()? != *SIGNATURE || r.u32()? != kind {
        return Err(Malformed);
    }
    Ok(())
}

/// Appends a message's payload and patches the fields that name its parts.
struct Payload<'w, 'b> {
    w: &'w mut Writer<'b>,
    start: Mark,
    unicode: bool,
}

impl Payload<'_, '_> {
    fn add(&mut self, field: Mark, bytes: impl FnOnce(&mut Writer<'_>) -> Written) -> Written {
        let offset = u32::try_from(self.w.since(self.start)).map_err(|_| Full)?;
        let from = self.w.mark();
        bytes(self.w)?;
        let len = u16::try_from(self.w.since(from)).map_err(|_| Full)?;
        let [a, b] = len.to_le_bytes();
        let [c, d, e, f] = offset.to_le_bytes();
        self.w.patch(field, &[a, b, a, b, c, d, e, f])
    }

    fn text(&mut self, field: Mark, text: &Text<'_>) -> Written {
        if self.unicode {
            return self.add(field, |w| text.write(w));
        }
        self.add(field, |w| text.to_utf8(w).map_err(|_| Full))
    }
}

fn reserve_field(w: &mut Writer<'_>) -> Result<Mark, Full> {
    let mark = w.mark();
    w.zeros(Field::SIZE)?;
    Ok(mark)
}

/// NEGOTIATE_MESSAGE (2.2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negotiate<'a> {
    /// What the client offers.
    pub flags: NegotiateFlags,
    /// Client's domain: never Unicode.
    pub domain: Text<'a>,
    /// Client's name: never Unicode.
    pub workstation: Text<'a>,
    /// Client's version.
    pub version: Option<Version>,
}

impl<'a> Negotiate<'a> {
    /// Reads the message. Fields that the flags do not announce are not looked at, and may be absent.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(message: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(message);
        header(&mut r, NEGOTIATE)?;
        let flags = NegotiateFlags::take(&mut r)?;
        let fixed = 32;
        let mut text = |supplied: NegotiateFlags| match Field::take(&mut r) {
            Ok(field) if flags.contains(supplied) => oem(field.of(message, fixed)?),
            Err(_) if flags.contains(supplied) => Err(Malformed),
            _ => Ok(Text::EMPTY),
        };
        let domain = text(NegotiateFlags::OEM_DOMAIN_SUPPLIED)?;
        let workstation = text(NegotiateFlags::OEM_WORKSTATION_SUPPLIED)?;
        let version = match flags.contains(NegotiateFlags::VERSION) {
            true => Some(Version(r.array()?)),
            false => None,
        };
        Ok(Negotiate {
            flags,
            domain,
            workstation,
            version,
        })
    }

    /// Appends the message.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let start = w.mark();
        w.bytes(SIGNATURE)?;
        w.u32(NEGOTIATE)?;
        self.flags.put(w)?;
        let domain = reserve_field(w)?;
        let workstation = reserve_field(w)?;
        w.bytes(&self.version.unwrap_or_default().0)?;
        let mut payload = Payload {
            w,
            start,
            unicode: false,
        };
        payload.text(domain, &self.domain)?;
        payload.text(workstation, &self.workstation)
    }
}

/// CHALLENGE_MESSAGE (2.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// What the server chose.
    pub flags: NegotiateFlags,
    /// The server's nonce.
    pub server_challenge: [u8; 8],
    /// The authority that the client logs on to.
    pub target_name: Text<'a>,
    /// What the server says of itself.
    pub target_info: AvPairs<'a>,
    /// Server's version.
    pub version: Option<Version>,
}

impl<'a> Challenge<'a> {
    const FIXED: usize = 48;

    /// Reads the message.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(message: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(message);
        header(&mut r, CHALLENGE)?;
        let target_name = Field::take(&mut r)?;
        let flags = NegotiateFlags::take(&mut r)?;
        let server_challenge = r.array()?;
        r.skip(8)?;
        let target_info = Field::take(&mut r)?;
        let version = match flags.contains(NegotiateFlags::VERSION) {
            true => Some(Version(r.array()?)),
            false => None,
        };
        let target_info = match flags.contains(NegotiateFlags::TARGET_INFO) {
            true => AvPairs::parse(target_info.of(message, Self::FIXED)?)?,
            false => AvPairs::EMPTY,
        };
        let target_name = target_name.text(message, Self::FIXED, flags)?;
        Ok(Challenge {
            flags,
            server_challenge,
            target_name,
            target_info,
            version,
        })
    }

    /// Appends the message.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let start = w.mark();
        w.bytes(SIGNATURE)?;
        w.u32(CHALLENGE)?;
        let target_name = reserve_field(w)?;
        self.flags.put(w)?;
        w.bytes(&self.server_challenge)?;
        w.zeros(8)?;
        let target_info = reserve_field(w)?;
        w.bytes(&self.version.unwrap_or_default().0)?;
        let unicode = self.flags.contains(NegotiateFlags::UNICODE);
        let mut payload = Payload { w, start, unicode };
        payload.text(target_name, &self.target_name)?;
        payload.add(target_info, |w| w.bytes(self.target_info.bytes))
    }
}

/// AUTHENTICATE_MESSAGE (2.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticate<'a> {
    /// LmChallengeResponse.
    pub lm_response: &'a [u8],
    /// NtChallengeResponse.
    pub nt_response: NtResponse<'a>,
    /// Domain of the account.
    pub domain: Text<'a>,
    /// Name of the account.
    pub user: Text<'a>,
    /// Client's name.
    pub workstation: Text<'a>,
    /// The random session key, encrypted with the key exchange key; empty without KEY_EXCHANGE.
    pub session_key: &'a [u8],
    /// What was agreed.
    pub flags: NegotiateFlags,
    /// Client's version.
    pub version: Option<Version>,
    /// Integrity of all three messages; present exactly if the NTLMv2 response's `MsvAvFlags` say so.
    pub mic: Option<[u8; MIC_SIZE]>,
}

impl<'a> Authenticate<'a> {
    const FIXED: usize = 64;

    /// Reads the message.
    ///
    /// # Errors
    ///
    /// `Malformed`, also where an MIC is announced and the message has no place for it.
    pub fn parse(message: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(message);
        header(&mut r, AUTHENTICATE)?;
        let lm = Field::take(&mut r)?;
        let nt = Field::take(&mut r)?;
        let domain = Field::take(&mut r)?;
        let user = Field::take(&mut r)?;
        let workstation = Field::take(&mut r)?;
        let key = Field::take(&mut r)?;
        let flags = NegotiateFlags::take(&mut r)?;

        let nt_response = NtResponse::parse(nt.of(message, Self::FIXED)?)?;
        let announced = match &nt_response {
            NtResponse::V2(v2) => v2.pairs.flags()?.contains(AvFlags::MIC),
            _ => false,
        };
        let payload = match announced {
            true => MIC_OFFSET.saturating_add(MIC_SIZE),
            false => Self::FIXED,
        };
        // Clients leave out the version where nothing follows it: then its bytes are payload.
        let first = [lm, nt, domain, user, workstation, key]
            .into_iter()
            .filter(|field| field.len != 0)
            .fold(u32::MAX, |first, field| first.min(field.offset));
        let has_version = flags.contains(NegotiateFlags::VERSION) && first >= 72;
        let version = match has_version || announced {
            true => Some(Version(r.array()?)),
            false => None,
        };
        let mic = match announced {
            true => Some(r.array()?),
            false => None,
        };
        // Checked again, against the place where the payload can begin now that it is known.
        nt.of(message, payload)?;
        Ok(Authenticate {
            lm_response: lm.of(message, payload)?,
            nt_response,
            domain: domain.text(message, payload, flags)?,
            user: user.text(message, payload, flags)?,
            workstation: workstation.text(message, payload, flags)?,
            session_key: key.of(message, payload)?,
            flags,
            version,
            mic,
        })
    }

    /// Appends the message. An MIC is written as it stands in `self`; a client writes zeros first, and puts what it computes
    /// at [`MIC_OFFSET`].
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let start = w.mark();
        w.bytes(SIGNATURE)?;
        w.u32(AUTHENTICATE)?;
        let lm = reserve_field(w)?;
        let nt = reserve_field(w)?;
        let domain = reserve_field(w)?;
        let user = reserve_field(w)?;
        let workstation = reserve_field(w)?;
        let key = reserve_field(w)?;
        self.flags.put(w)?;
        if self.version.is_some() || self.mic.is_some() {
            w.bytes(&self.version.unwrap_or_default().0)?;
        }
        if let Some(mic) = &self.mic {
            w.bytes(mic)?;
        }
        let unicode = self.flags.contains(NegotiateFlags::UNICODE);
        let mut payload = Payload { w, start, unicode };
        payload.text(domain, &self.domain)?;
        payload.text(user, &self.user)?;
        payload.text(workstation, &self.workstation)?;
        payload.add(lm, |w| w.bytes(self.lm_response))?;
        payload.add(nt, |w| w.bytes(self.nt_response.bytes()))?;
        payload.add(key, |w| w.bytes(self.session_key))
    }

    /// Whether the client asks for an anonymous session (3.2.5.1.2).
    pub fn is_anonymous(&self) -> bool {
        let lm_empty = matches!(self.lm_response, [] | [0]);
        self.user.is_empty() && lm_empty && matches!(self.nt_response, NtResponse::Empty)
    }

    /// The parts of `message`, the encoding of this very message, before and after its MIC. The MIC is HMAC-MD5 over the
    /// NEGOTIATE and CHALLENGE messages, the first part, 16 zero bytes, and the second part (3.1.5.1.2).
    ///
    /// # Errors
    ///
    /// `Malformed` if `message` ends before the MIC does.
    pub fn mic_cover(message: &[u8]) -> Parsed<(&[u8], &[u8])> {
        let (before, rest) = message.split_at_checked(MIC_OFFSET).ok_or(Malformed)?;
        let (_, after) = rest.split_at_checked(MIC_SIZE).ok_or(Malformed)?;
        Ok((before, after))
    }
}

/// NtChallengeResponse by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtResponse<'a> {
    /// None: an anonymous client.
    Empty,
    /// NTLM_RESPONSE (2.2.2.6).
    V1([u8; 24], &'a [u8]),
    /// NTLMv2_RESPONSE (2.2.2.8).
    V2(NtlmV2Response<'a>),
}

impl<'a> NtResponse<'a> {
    /// Tells the kind by the length.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        if bytes.is_empty() {
            return Ok(NtResponse::Empty);
        }
        if let Ok(response) = <[u8; 24]>::try_from(bytes) {
            return Ok(NtResponse::V1(response, bytes));
        }
        NtlmV2Response::parse(bytes).map(NtResponse::V2)
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            NtResponse::Empty => &[],
            NtResponse::V1(_, bytes) => bytes,
            NtResponse::V2(response) => response.bytes,
        }
    }
}

/// NTLMv2_RESPONSE: NTProofStr and NTLMv2_CLIENT_CHALLENGE (2.2.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtlmV2Response<'a> {
    bytes: &'a [u8],
    /// HMAC-MD5, with the key NTOWFv2, over the server's challenge and [`Self::blob`].
    pub proof: [u8; 16],
    /// All after the proof, exactly as it came.
    pub blob: &'a [u8],
    /// The client's clock, or the server's if the CHALLENGE told it.
    pub time: FileTime,
    /// The client's nonce.
    pub client_challenge: [u8; 8],
    /// The server's pairs and the client's.
    pub pairs: AvPairs<'a>,
}

impl<'a> NtlmV2Response<'a> {
    /// Bytes of `NTProofStr`.
    pub const PROOF: usize = 16;

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let proof = r.array()?;
        let blob = r.rest();
        if r.u8()? != 1 || r.u8()? != 1 {
            return Err(Malformed);
        }
        r.skip(6)?;
        let time = FileTime::take(&mut r)?;
        let client_challenge = r.array()?;
        r.skip(4)?;
        let pairs = AvPairs::parse(r.rest())?;
        Ok(NtlmV2Response {
            bytes,
            proof,
            blob,
            time,
            client_challenge,
            pairs,
        })
    }

    /// Appends the client challenge (the part after the proof), ending in the four zero bytes over which [MS-NLMP] 3.3.2
    /// computes the proof.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write_blob(
        w: &mut Writer<'_>,
        time: FileTime,
        client_challenge: &[u8; 8],
        pairs: &AvPairs<'_>,
    ) -> Written {
        w.bytes(&[1, 1, 0, 0, 0, 0, 0, 0])?;
        time.put(w)?;
        w.bytes(client_challenge)?;
        w.zeros(4)?;
        w.bytes(pairs.bytes)?;
        w.zeros(4)
    }
}

open_enum! {
    /// AvId of an AV_PAIR (2.2.2.1).
    pub struct AvId: u16 {
        /// End of the list.
        EOL = 0;
        /// Server's NetBIOS name.
        NB_COMPUTER_NAME = 1;
        /// Server's NetBIOS domain.
        NB_DOMAIN_NAME = 2;
        /// Server's DNS name.
        DNS_COMPUTER_NAME = 3;
        /// Server's DNS domain.
        DNS_DOMAIN_NAME = 4;
        /// DNS name of the forest.
        DNS_TREE_NAME = 5;
        /// [`AvFlags`].
        FLAGS = 6;
        /// Server's clock.
        TIMESTAMP = 7;
        /// Single_Host_Data.
        SINGLE_HOST = 8;
        /// SPN of the target.
        TARGET_NAME = 9;
        /// MD5 of the channel bindings.
        CHANNEL_BINDINGS = 10;
    }
}

/// A list of AV_PAIRs that is known to end in MsvAvEOL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvPairs<'a> {
    /// Up to and including the terminator, unless the list is [`AvPairs::EMPTY`].
    bytes: &'a [u8],
}

impl<'a> AvPairs<'a> {
    /// No list at all.
    pub const EMPTY: AvPairs<'static> = AvPairs { bytes: &[] };

    /// Reads a list; what follows its terminator is left out.
    ///
    /// # Errors
    ///
    /// `Malformed` if the terminator is missing.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        loop {
            let id = AvId(r.u16()?);
            let len = r.u16()?;
            r.skip(usize::from(len))?;
            if id == AvId::EOL {
                break;
            }
        }
        let used = bytes.len().checked_sub(r.remaining()).ok_or(Malformed)?;
        Ok(AvPairs {
            bytes: bytes.get(..used).ok_or(Malformed)?,
        })
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The pairs before the terminator.
    pub fn iter(&self) -> impl Iterator<Item = (AvId, &'a [u8])> + Clone {
        let mut r = Reader::new(self.bytes);
        core::iter::from_fn(move || {
            let id = AvId(r.u16().ok()?);
            let len = r.u16().ok()?;
            let value = r.take(usize::from(len)).ok()?;
            (id != AvId::EOL).then_some((id, value))
        })
    }

    /// Value of the first pair with this id.
    pub fn get(&self, id: AvId) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(other, value)| (other == id).then_some(value))
    }

    /// Value of a pair that is text.
    ///
    /// # Errors
    ///
    /// `Malformed` if its length is odd.
    pub fn text(&self, id: AvId) -> Parsed<Option<Utf16<'a>>> {
        self.get(id).map(Utf16::new).transpose()
    }

    /// Value of `MsvAvFlags`; none is set without the pair.
    ///
    /// # Errors
    ///
    /// `Malformed` if it does not have four bytes.
    pub fn flags(&self) -> Parsed<AvFlags> {
        match self.get(AvId::FLAGS) {
            None => Ok(AvFlags::NONE),
            Some(value) => {
                let value = value.try_into().map_err(|_| Malformed)?;
                Ok(AvFlags::from_bits(u32::from_le_bytes(value)))
            }
        }
    }

    /// Value of `MsvAvTimestamp`.
    ///
    /// # Errors
    ///
    /// `Malformed` if it does not have eight bytes.
    pub fn timestamp(&self) -> Parsed<Option<FileTime>> {
        let Some(value) = self.get(AvId::TIMESTAMP) else {
            return Ok(None);
        };
        let value = value.try_into().map_err(|_| Malformed)?;
        Ok(Some(FileTime(u64::from_le_bytes(value))))
    }

    /// Value of `MsvAvChannelBindings`.
    ///
    /// # Errors
    ///
    /// `Malformed` if it does not have 16 bytes.
    pub fn channel_bindings(&self) -> Parsed<Option<[u8; 16]>> {
        let value = self.get(AvId::CHANNEL_BINDINGS);
        value
            .map(|value| value.try_into().map_err(|_| Malformed))
            .transpose()
    }
}

/// Appends AV_PAIRs.
#[derive(Debug)]
pub struct AvWriter<'w, 'b> {
    w: &'w mut Writer<'b>,
}

impl<'w, 'b> AvWriter<'w, 'b> {
    /// Starts a list at the end of `w`.
    pub fn new(w: &'w mut Writer<'b>) -> Self {
        AvWriter { w }
    }

    /// Appends a pair.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn pair(&mut self, id: AvId, value: &[u8]) -> Written {
        self.w.u16(id.0)?;
        self.w.u16(u16::try_from(value.len()).map_err(|_| Full)?)?;
        self.w.bytes(value)
    }

    /// Appends a pair whose value is text.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn text(&mut self, id: AvId, text: &str) -> Written {
        self.w.u16(id.0)?;
        self.w
            .u16(u16::try_from(crate::unicode::utf16_len(text)).map_err(|_| Full)?)?;
        write_utf16(self.w, text)
    }

    /// Appends `MsvAvTimestamp`.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn timestamp(&mut self, time: FileTime) -> Written {
        self.pair(AvId::TIMESTAMP, &time.0.to_le_bytes())
    }

    /// Appends `MsvAvFlags`.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn flags(&mut self, flags: AvFlags) -> Written {
        self.pair(AvId::FLAGS, &flags.bits().to_le_bytes())
    }

    /// Appends the terminator.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn end(self) -> Written {
        self.w.u32(0)
    }
}
