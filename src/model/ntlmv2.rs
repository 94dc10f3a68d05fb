// SPDX-License-Identifier: GPL-2.0

//! NTLMv2 as its server sees it: the challenge, the check of the answer, and the keys that come of it. [MS-NLMP] 3.1.5,
//! 3.2.5, 3.3.2 and 3.4; the MIC of SPNEGO's list of mechanisms, [MS-SPNG] 3.1.5 and RFC 4178 5.

use crate::primitives::{over, Digest, Key, Keystream, Primitives};
use smb_proto::ntlmssp::{
    Authenticate, AvId, AvPairs, AvWriter, Challenge, NegotiateFlags, NtResponse, NtlmV2Response,
    Version,
};
use smb_proto::time::FileTime;
use smb_proto::unicode::{upcase, Text};
use smb_proto::wire::{Full, Writer};

/// Bytes of an NT hash and of every key here.
pub const KEY_LEN: usize = 16;

/// Bytes of a message signature.
pub const MIC_LEN: usize = 16;

/// What the server agrees to when the client asks for it.
const OFFERED: NegotiateFlags = NegotiateFlags::UNICODE
    .union(NegotiateFlags::REQUEST_TARGET)
    .union(NegotiateFlags::SIGN)
    .union(NegotiateFlags::SEAL)
    .union(NegotiateFlags::NTLM)
    .union(NegotiateFlags::ALWAYS_SIGN)
    .union(NegotiateFlags::EXTENDED_SESSION_SECURITY)
    .union(NegotiateFlags::VERSION)
    .union(NegotiateFlags::KEY_128)
    .union(NegotiateFlags::KEY_EXCHANGE)
    .union(NegotiateFlags::KEY_56);

/// Room for what the server says of itself: NetBIOS names of 15 characters, DNS names of 64, and the time.
const TARGET_INFO_MAX: usize = 512;

/// Why an answer is refused. The client learns of all but the first that the logon failed, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not NTLMv2, but an older response, or none.
    Unsupported,
    /// It does not prove that the client knows the password.
    Proof,
    /// Its MIC is wrong: somebody changed a message of the three.
    Mic,
    /// It agrees to a key exchange without a key of 16 bytes.
    KeyExchange,
}

/// The server's names.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// NetBIOS name.
    pub netbios_name: &'a str,
    /// NetBIOS name of its domain or workgroup.
    pub netbios_domain: &'a str,
    /// DNS name.
    pub dns_name: &'a str,
    /// DNS name of its domain, or empty.
    pub dns_domain: &'a str,
}

/// The flags that a client with these flags is answered with (3.2.5.1.1).
pub fn challenge_flags(client: NegotiateFlags) -> NegotiateFlags {
    let mut flags = (client & OFFERED) | NegotiateFlags::NTLM | NegotiateFlags::TARGET_INFO;
    if !flags.contains(NegotiateFlags::UNICODE) {
        flags |= client & NegotiateFlags::OEM;
    }
    if flags.contains(NegotiateFlags::REQUEST_TARGET) {
        flags |= NegotiateFlags::TARGET_TYPE_SERVER;
    }
    flags
}

/// Appends the CHALLENGE_MESSAGE to a client with these flags. The server's time in it makes clients protect all three
/// messages with an MIC.
///
/// # Errors
///
/// `Full`, also for names longer than names are.
pub fn write_challenge(
    w: &mut Writer<'_>,
    client: NegotiateFlags,
    server_challenge: [u8; 8],
    identity: &Identity<'_>,
    now: FileTime,
) -> Result<NegotiateFlags, Full> {
    let flags = challenge_flags(client);
    let mut info = [0; TARGET_INFO_MAX];
    let mut info = Writer::new(&mut info);
    let mut pairs = AvWriter::new(&mut info);
    pairs.text(AvId::NB_DOMAIN_NAME, identity.netbios_domain)?;
    pairs.text(AvId::NB_COMPUTER_NAME, identity.netbios_name)?;
    pairs.text(AvId::DNS_DOMAIN_NAME, identity.dns_domain)?;
    pairs.text(AvId::DNS_COMPUTER_NAME, identity.dns_name)?;
    pairs.timestamp(now)?;
    pairs.end()?;
    let target_info = AvPairs::parse(info.written()).map_err(|_| Full)?;
    let target_name = match flags.contains(NegotiateFlags::REQUEST_TARGET) {
        true => Text::Str(identity.netbios_name),
        false => Text::EMPTY,
    };
    let version = flags
        .contains(NegotiateFlags::VERSION)
        .then_some(Version::new(10, 0, 0));
    Challenge {
        flags,
        server_challenge,
        target_name,
        target_info,
        version,
    }
    .write(w)?;
    Ok(flags)
}

/// NTOWFv2 (3.3.2): what an NTLMv2 response is keyed with.
pub fn ntowf_v2<P: Primitives>(
    nt_hash: &[u8; KEY_LEN],
    user: &Text<'_>,
    domain: &Text<'_>,
) -> Key<P, KEY_LEN> {
    let mut digest = P::hmac_md5(nt_hash);
    each_unit(user, |unit| digest.update(&upper_unit(unit).to_le_bytes()));
    each_unit(domain, |unit| digest.update(&unit.to_le_bytes()));
    Key::new(digest.finish())
}

/// Passes the UTF-16 units of `text` to `take`.
fn each_unit(text: &Text<'_>, mut take: impl FnMut(u16)) {
    match text {
        Text::Wire(wire) => wire.code_units().for_each(take),
        Text::Str(own) => own.encode_utf16().for_each(take),
        Text::Lossy(bytes) => {
            for chunk in bytes.utf8_chunks() {
                chunk.valid().encode_utf16().for_each(&mut take);
                if !chunk.invalid().is_empty() {
                    take(0xFFFD);
                }
            }
        }
    }
}

/// Upper case of a UTF-16 unit. Halves of surrogate pairs have none, as in Windows, whose table covers single units.
fn upper_unit(unit: u16) -> u16 {
    char::from_u32(u32::from(unit))
        .and_then(|letter| u16::try_from(u32::from(upcase(letter))).ok())
        .unwrap_or(unit)
}

/// The three messages, as they went over the wire.
#[derive(Clone, Copy)]
pub struct Messages<'a> {
    /// NEGOTIATE_MESSAGE; empty when the client sent none.
    pub negotiate: &'a [u8],
    /// CHALLENGE_MESSAGE.
    pub challenge: &'a [u8],
    /// AUTHENTICATE_MESSAGE.
    pub authenticate: &'a [u8],
}

/// An accepted authentication.
pub struct Accepted<P: Primitives> {
    /// ExportedSessionKey.
    pub session_key: Key<P, KEY_LEN>,
    /// What both sides agreed on.
    pub flags: NegotiateFlags,
}

/// Checks that `answer`, parsed from `messages.authenticate`, proves knowledge of the password with this NT hash, and
/// derives the session key (3.2.5.1.2). `offered` are the flags of the CHALLENGE_MESSAGE, whose challenge was
/// `server_challenge`.
///
/// # Errors
///
/// [`Refused`].
pub fn accept<P: Primitives>(
    nt_hash: &[u8; KEY_LEN],
    server_challenge: &[u8; 8],
    offered: NegotiateFlags,
    answer: &Authenticate<'_>,
    messages: Messages<'_>,
) -> Result<Accepted<P>, Refused> {
    let NtResponse::V2(response) = &answer.nt_response else {
        return Err(Refused::Unsupported);
    };
    let key = ntowf_v2::<P>(nt_hash, &answer.user, &answer.domain);
    let base = prove::<P>(&key, server_challenge, response)?;
    // A client cannot turn on what was not offered to it.
    let flags = answer.flags & offered;
    let session_key = exported::<P>(base, flags, answer.session_key)?;
    if let Some(mic) = &answer.mic {
        if !mic_is_right::<P>(&session_key, &messages, mic) {
            return Err(Refused::Mic);
        }
    }
    Ok(Accepted { session_key, flags })
}

/// Checks NTProofStr, and gives SessionBaseKey (3.3.2).
fn prove<P: Primitives>(
    key: &Key<P, KEY_LEN>,
    server_challenge: &[u8; 8],
    response: &NtlmV2Response<'_>,
) -> Result<Key<P, KEY_LEN>, Refused> {
    let proof = over(
        P::hmac_md5(key.expose()),
        &[server_challenge, response.blob],
    );
    if !P::same(&proof, &response.proof) {
        return Err(Refused::Proof);
    }
    Ok(Key::new(over(P::hmac_md5(key.expose()), &[&proof])))
}

/// ExportedSessionKey: SessionBaseKey itself, which is NTLMv2's KeyExchangeKey, or what the client encrypted with it.
fn exported<P: Primitives>(
    base: Key<P, KEY_LEN>,
    flags: NegotiateFlags,
    encrypted: &[u8],
) -> Result<Key<P, KEY_LEN>, Refused> {
    let protects = flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL);
    if !flags.contains(NegotiateFlags::KEY_EXCHANGE) || !protects {
        return Ok(base);
    }
    let encrypted = <[u8; KEY_LEN]>::try_from(encrypted).map_err(|_| Refused::KeyExchange)?;
    let mut key = Key::new(encrypted);
    P::rc4(base.expose())
        .ok_or(Refused::KeyExchange)?
        .apply(key.expose_mut());
    Ok(key)
}

fn mic_is_right<P: Primitives>(
    session_key: &Key<P, KEY_LEN>,
    messages: &Messages<'_>,
    mic: &[u8; MIC_LEN],
) -> bool {
    let Ok((before, after)) = Authenticate::mic_cover(messages.authenticate) else {
        return false;
    };
    let parts = [
        messages.negotiate,
        messages.challenge,
        before,
        &[0; MIC_LEN],
        after,
    ];
    let computed = over(P::hmac_md5(session_key.expose()), &parts);
    P::same(&computed, mic)
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Side {
    fn signing_constant(self) -> &'static [u8] {
        match self {
            Side::Client => b"session key to client-to-server signing key magic constant\0",
            Side::Server => b"session key to server-to-client signing key magic constant\0",
        }
    }

    fn sealing_constant(self) -> &'static [u8] {
        match self {
            Side::Client => b"session key to client-to-server sealing key magic constant\0",
            Side::Server => b"session key to server-to-client sealing key magic constant\0",
        }
    }
}

/// SIGNKEY (3.4.5.2), for extended session security.
pub fn signing_key<P: Primitives>(session_key: &[u8; KEY_LEN], side: Side) -> Key<P, KEY_LEN> {
    Key::new(over(P::md5(), &[session_key, side.signing_constant()]))
}

/// SEALKEY (3.4.5.3), for extended session security: of the session key, as much as was agreed on.
pub fn sealing_key<P: Primitives>(
    session_key: &[u8; KEY_LEN],
    flags: NegotiateFlags,
    side: Side,
) -> Key<P, KEY_LEN> {
    let len = if flags.contains(NegotiateFlags::KEY_128) {
        16
    } else if flags.contains(NegotiateFlags::KEY_56) {
        7
    } else {
        5
    };
    let strong = session_key.get(..len).unwrap_or(session_key);
    Key::new(over(P::md5(), &[strong, side.sealing_constant()]))
}

/// The signature of `side`'s first signed message (3.4.4.2): that of `mechTypes`, which proves to the other that nobody
/// changed the list. `None` without extended session security, where NTLM has another signature, which nobody uses with
/// NTLMv2.
pub fn first_mic<P: Primitives>(
    session_key: &[u8; KEY_LEN],
    flags: NegotiateFlags,
    side: Side,
    message: &[u8],
) -> Option<[u8; MIC_LEN]> {
    if !flags.contains(NegotiateFlags::EXTENDED_SESSION_SECURITY) {
        return None;
    }
    let sequence = 0u32.to_le_bytes();
    let key = signing_key::<P>(session_key, side);
    let sum = over(P::hmac_md5(key.expose()), &[&sequence, message]);
    let mut checksum = *sum.first_chunk::<8>()?;
    if flags.contains(NegotiateFlags::KEY_EXCHANGE) {
        let key = sealing_key::<P>(session_key, flags, side);
        P::rc4(key.expose())?.apply(&mut checksum);
    }
    let [a, b, c, d] = 1u32.to_le_bytes();
    let [e, f, g, h, i, j, k, l] = checksum;
    let [m, n, o, p] = sequence;
    Some([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Whether `mic` is the signature of `side`'s first signed message.
pub fn first_mic_is_right<P: Primitives>(
    session_key: &[u8; KEY_LEN],
    flags: NegotiateFlags,
    side: Side,
    message: &[u8],
    mic: &[u8],
) -> bool {
    first_mic::<P>(session_key, flags, side, message).is_some_and(|right| P::same(&right, mic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_crypto::RustCrypto;
    use crate::vectors::smb311 as recorded;
    use smb_proto::ntlmssp::Negotiate;
    use smb_proto::unicode::Utf16;

    type P = RustCrypto;

    const MESSAGES: Messages<'static> = Messages {
        negotiate: recorded::NTLM_NEGOTIATE,
        challenge: recorded::NTLM_CHALLENGE,
        authenticate: recorded::NTLM_AUTHENTICATE,
    };

    fn accept_recorded(nt_hash: &[u8; 16], messages: Messages<'_>) -> Result<Accepted<P>, Refused> {
        let challenge = Challenge::parse(messages.challenge).unwrap();
        let answer = Authenticate::parse(messages.authenticate).unwrap();
        accept(
            nt_hash,
            &challenge.server_challenge,
            challenge.flags,
            &answer,
            messages,
        )
    }

    #[test]
    fn a_recorded_logon() {
        let answer = Authenticate::parse(MESSAGES.authenticate).unwrap();
        let key = ntowf_v2::<P>(&recorded::NT_HASH, &answer.user, &answer.domain);
        assert_eq!(key.expose(), &recorded::NTOWF_V2);
        let NtResponse::V2(response) = &answer.nt_response else {
            panic!("NTLMv2")
        };
        let challenge = Challenge::parse(MESSAGES.challenge).unwrap();
        let base = prove::<P>(&key, &challenge.server_challenge, response).unwrap();
        assert_eq!(base.expose(), &recorded::SESSION_BASE_KEY);
        assert!(answer.mic.is_some());

        let accepted = accept_recorded(&recorded::NT_HASH, MESSAGES).unwrap();
        assert_eq!(accepted.session_key.expose(), &recorded::SESSION_KEY);
    }

    #[test]
    fn the_recorded_signatures_of_the_list_of_mechanisms() {
        let accepted = accept_recorded(&recorded::NT_HASH, MESSAGES).unwrap();
        let (key, flags) = (accepted.session_key.expose(), accepted.flags);
        assert_eq!(
            signing_key::<P>(key, Side::Client).expose(),
            &recorded::CLIENT_SIGNING
        );
        assert_eq!(
            signing_key::<P>(key, Side::Server).expose(),
            &recorded::SERVER_SIGNING
        );
        assert_eq!(
            sealing_key::<P>(key, flags, Side::Client).expose(),
            &recorded::CLIENT_SEALING
        );
        assert_eq!(
            sealing_key::<P>(key, flags, Side::Server).expose(),
            &recorded::SERVER_SEALING
        );
        let mic = |side| first_mic::<P>(key, flags, side, &recorded::MECH_TYPES).unwrap();
        assert_eq!(mic(Side::Client), recorded::CLIENT_MIC);
        assert_eq!(mic(Side::Server), recorded::SERVER_MIC);
        let right = |mic: &[u8]| {
            first_mic_is_right::<P>(key, flags, Side::Client, &recorded::MECH_TYPES, mic)
        };
        assert!(right(&recorded::CLIENT_MIC));
        assert!(!right(&recorded::SERVER_MIC));
        assert!(!right(&[]));
    }

    #[test]
    fn another_password_is_refused() {
        let mut nt_hash = recorded::NT_HASH;
        nt_hash[0] ^= 1;
        assert_eq!(
            accept_recorded(&nt_hash, MESSAGES).err(),
            Some(Refused::Proof)
        );
    }

    #[test]
    fn a_change_to_any_of_the_messages_is_refused() {
        let changed = |message: &[u8], at: usize| {
            let mut message = message.to_vec();
            message[at] ^= 1;
            message
        };
        // The workstation's name, the version in the challenge, a flag of the client: nothing but the MIC covers them.
        let negotiate = changed(MESSAGES.negotiate, 34);
        let messages = Messages {
            negotiate: &negotiate,
            ..MESSAGES
        };
        assert_eq!(
            accept_recorded(&recorded::NT_HASH, messages).err(),
            Some(Refused::Mic)
        );
        let challenge = changed(MESSAGES.challenge, 50);
        let messages = Messages {
            challenge: &challenge,
            ..MESSAGES
        };
        assert_eq!(
            accept_recorded(&recorded::NT_HASH, messages).err(),
            Some(Refused::Mic)
        );
        let authenticate = changed(MESSAGES.authenticate, 128);
        let messages = Messages {
            authenticate: &authenticate,
            ..MESSAGES
        };
        assert_eq!(
            accept_recorded(&recorded::NT_HASH, messages).err(),
            Some(Refused::Mic)
        );
        // The MIC itself.
        let authenticate = changed(MESSAGES.authenticate, 72);
        let messages = Messages {
            authenticate: &authenticate,
            ..MESSAGES
        };
        assert_eq!(
            accept_recorded(&recorded::NT_HASH, messages).err(),
            Some(Refused::Mic)
        );
        // What the response says of itself: that there is an MIC, above all.
        let flags = MESSAGES
            .authenticate
            .windows(8)
            .position(|w| w == [6, 0, 4, 0, 2, 0, 0, 0])
            .unwrap();
        let mut authenticate = MESSAGES.authenticate.to_vec();
        authenticate[flags + 4] = 0;
        let messages = Messages {
            authenticate: &authenticate,
            ..MESSAGES
        };
        assert_eq!(
            accept_recorded(&recorded::NT_HASH, messages).err(),
            Some(Refused::Proof)
        );
    }

    /// [MS-NLMP] 4.2: "Password", user "User", domain "Domain", challenges 0123456789abcdef and aaaaaaaaaaaaaaaa.
    mod example {
        pub(super) const NT_HASH: [u8; 16] = [
            0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca, 0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f,
            0xd8, 0x52,
        ];
        pub(super) const NTOWF_V2: [u8; 16] = [
            0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0,
            0x2e, 0x3f,
        ];
        pub(super) const CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        pub(super) const PROOF: [u8; 16] = [
            0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef,
            0x6a, 0x1c,
        ];
        pub(super) const BASE_KEY: [u8; 16] = [
            0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c, 0xb0, 0xad, 0x0d, 0xe9,
            0x5c, 0xa3,
        ];
        pub(super) const ENCRYPTED: [u8; 16] = [
            0xc5, 0xda, 0xd2, 0x54, 0x4f, 0xc9, 0x79, 0x90, 0x94, 0xce, 0x1c, 0xe9, 0x0b, 0xc9,
            0xd0, 0x3e,
        ];
    }

    fn example_response() -> Vec<u8> {
        let mut pairs = [0; 64];
        let mut w = Writer::new(&mut pairs);
        let mut list = AvWriter::new(&mut w);
        list.text(AvId::NB_DOMAIN_NAME, "Domain").unwrap();
        list.text(AvId::NB_COMPUTER_NAME, "Server").unwrap();
        list.end().unwrap();
        let pairs = AvPairs::parse(w.written()).unwrap();
        let mut blob = [0; 128];
        let mut blob = Writer::new(&mut blob);
        NtlmV2Response::write_blob(&mut blob, FileTime(0), &[0xAA; 8], &pairs).unwrap();
        [&example::PROOF[..], blob.written()].concat()
    }

    #[test]
    fn the_example_of_the_document() {
        let key = ntowf_v2::<P>(&example::NT_HASH, &Text::Str("User"), &Text::Str("Domain"));
        assert_eq!(key.expose(), &example::NTOWF_V2);
        let bytes = example_response();
        let NtResponse::V2(response) = NtResponse::parse(&bytes).unwrap() else {
            panic!("NTLMv2")
        };
        let base = prove::<P>(&key, &example::CHALLENGE, &response).unwrap();
        assert_eq!(base.expose(), &example::BASE_KEY);
        let flags = NegotiateFlags::KEY_EXCHANGE | NegotiateFlags::SIGN;
        let exported = exported::<P>(base, flags, &example::ENCRYPTED).unwrap();
        assert_eq!(exported.expose(), &[0x55; 16]);
    }

    #[test]
    fn a_key_exchange_needs_a_key() {
        let exported = |flags, bytes: &[u8]| {
            exported::<P>(Key::new([9; 16]), flags, bytes).map(|key| *key.expose())
        };
        let exchange = NegotiateFlags::KEY_EXCHANGE | NegotiateFlags::SIGN;
        assert_eq!(exported(exchange, &[]), Err(Refused::KeyExchange));
        assert_eq!(exported(exchange, &[1; 15]), Err(Refused::KeyExchange));
        assert_eq!(exported(NegotiateFlags::KEY_EXCHANGE, &[]), Ok([9; 16]));
        assert_eq!(exported(NegotiateFlags::SIGN, &[]), Ok([9; 16]));
    }

    #[test]
    fn only_ntlmv2_is_accepted() {
        let mut answer = Authenticate::parse(MESSAGES.authenticate).unwrap();
        for response in [NtResponse::Empty, NtResponse::V1([0; 24], &[0; 24])] {
            answer.nt_response = response;
            let flags = answer.flags;
            let refused = accept::<P>(&recorded::NT_HASH, &[0; 8], flags, &answer, MESSAGES).err();
            assert_eq!(refused, Some(Refused::Unsupported));
        }
    }

    #[test]
    fn user_names_are_in_upper_case_and_domains_as_they_came() {
        let hash = |user, domain| *ntowf_v2::<P>(&[1; 16], &user, &domain).expose();
        let domain = Text::Str("Dom");
        assert_eq!(
            hash(Text::Str("jürgen"), domain),
            hash(Text::Str("JÜRGEN"), domain)
        );
        assert_eq!(
            hash(Text::Str("straße"), domain),
            hash(Text::Str("STRAßE"), domain)
        );
        assert_ne!(
            hash(Text::Str("u"), domain),
            hash(Text::Str("u"), Text::Str("DOM"))
        );
        let wire = Text::Wire(Utf16(b"u\0s\0e\0r\0"));
        assert_eq!(hash(wire, domain), hash(Text::Str("USER"), domain));
        let lone = Text::Wire(Utf16(b"\0\xD8u\0"));
        assert_eq!(
            hash(lone, domain),
            hash(Text::Wire(Utf16(b"\0\xD8U\0")), domain)
        );
    }

    #[test]
    fn a_challenge_offers_what_was_asked_for() {
        let client = Negotiate::parse(MESSAGES.negotiate).unwrap();
        let identity = Identity {
            netbios_name: "SERVER",
            netbios_domain: "WORKGROUP",
            dns_name: "server.example.org",
            dns_domain: "example.org",
        };
        let mut buffer = [0; 1024];
        let mut w = Writer::new(&mut buffer);
        let now = FileTime(0x01D0_AECB_ADF5_A1A1);
        let flags = write_challenge(&mut w, client.flags, [7; 8], &identity, now).unwrap();
        let challenge = Challenge::parse(w.written()).unwrap();
        assert_eq!(
            (challenge.flags, challenge.server_challenge),
            (flags, [7; 8])
        );
        assert!(challenge.target_name.eq_str("SERVER"));
        assert_eq!(challenge.target_info.timestamp().unwrap(), Some(now));
        assert!(flags.contains(NegotiateFlags::KEY_EXCHANGE | NegotiateFlags::UNICODE));
        assert!(!flags.intersects(NegotiateFlags::LM_KEY | NegotiateFlags::OEM));
        assert!(!challenge_flags(NegotiateFlags::NONE).contains(NegotiateFlags::KEY_EXCHANGE));
        let oem = challenge_flags(NegotiateFlags::OEM);
        assert!(oem.contains(NegotiateFlags::OEM) && !oem.contains(NegotiateFlags::UNICODE));
    }
}
