// SPDX-License-Identifier: GPL-2.0

//! NEGOTIATE, [MS-SMB2] 3.3.5.3 and 3.3.5.4.

use kernel::prelude::*;
use kernel::sync::atomic::Full;

use linux::{random, time};
use smb_model::negotiate::{
    check_preauth, max_io, select_cipher, select_signing, Capabilities, Cipher, ClientOffer,
    Dialect, MultiProtocol, Signing, WILDCARD,
};
use smb_proto::header::FrameKind;
use smb_proto::negotiate::{self as wire, Reply as Answer, Request, SecurityMode};
use smb_proto::negotiate_context::{
    Cipher as WireCipher, Context as Offer, ContextList, HashAlgorithm, SigningAlgorithm,
};
use smb_proto::smb1;
use smb_proto::spnego::{self, Mech};
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::wire::{Writer, Written};

use crate::connection::Negotiated;
use crate::server::config::{Encryption, Kerberos};
use crate::server::Config;

use super::context::{Context, Handled, HashInto, Stop};
use super::reply::Reply;

/// Largest reply: fixed part, token and contexts.
const ROOM: usize = 512;
/// Bytes of salt in the server's preauthentication context, as Windows sends.
const SALT_LEN: usize = 32;
/// Mechanisms on offer, in Windows' order.
const MECHS: &[Mech] = &[Mech::MsKrb5, Mech::Krb5, Mech::Ntlmssp];
/// The same without Kerberos.
const MECHS_WITHOUT_KERBEROS: &[Mech] = &[Mech::Ntlmssp];

/// Agrees on a dialect. A second NEGOTIATE ends the connection.
pub(super) fn serve(cx: &mut Context<'_>, reply: &mut Reply) -> Handled {
    let config = cx.conn.config.clone();
    if FrameKind::of(cx.pdu) == Ok(FrameKind::Smb1) {
        return multi_protocol(cx, &config, reply);
    }
    if cx.conn.negotiating.xchg(true, Full) {
        return Err(Stop::Disconnect);
    }
    let request = Request::parse(cx.pdu)?;
    let dialect = config
        .dialects
        .select(request.dialects.map(|dialect| dialect.0))?;
    let contexts = match (dialect, request.contexts) {
        (Dialect::V3_1_1, Some(list)) => Some(Offered::collect(&list)?),
        (Dialect::V3_1_1, None) => return Err(Stop::Failed(NtStatus::INVALID_PARAMETER)),
        _ => None,
    };
    let negotiated = agree(&config, dialect, &request, contexts.as_ref());
    reply.body(ROOM, |w| {
        let answer = answer_head(cx, &negotiated);
        write_answer(w, &answer, &config, &negotiated, contexts.as_ref())
    })?;
    if dialect == Dialect::V3_1_1 {
        cx.hash_response = Some(HashInto::connection(cx.pdu));
    }
    cx.conn.set_negotiated(negotiated);
    Ok(NtStatus::SUCCESS)
}

/// Answers an SMB1 NEGOTIATE: SMB2 is spoken here, [MS-SMB2] 3.3.5.3.
fn multi_protocol(cx: &mut Context<'_>, config: &Config, reply: &mut Reply) -> Handled {
    let offered = smb1::Negotiate::parse(cx.pdu).map_err(|_| Stop::Disconnect)?;
    let selected = config
        .dialects
        .select_multi_protocol(offered.smb_2_002, offered.smb_2_wildcard);
    // 2.0.2 is not on offer: an SMB2 NEGOTIATE must follow.
    let Ok(MultiProtocol::Wildcard) = selected else {
        return Err(Stop::Disconnect);
    };
    let mut token = [0u8; ROOM];
    let len = write_token(&mut token, config)?;
    let answer = Answer {
        security_mode: SecurityMode::from_bits(config.signing.security_mode()),
        dialect: wire::Dialect(WILDCARD),
        server_guid: cx.server().guid,
        capabilities: wire::Capabilities::from_bits(announced(config).0),
        max_transact_size: max_io(Dialect::V2_1, config.max_transact),
        max_read_size: max_io(Dialect::V2_1, config.max_read),
        max_write_size: max_io(Dialect::V2_1, config.max_write),
        system_time: now(),
        server_start_time: FileTime(0),
        security_buffer: token.get(..len).unwrap_or(&[]),
        contexts: None,
    };
    reply.body(ROOM, |w| answer.write(w))?;
    Ok(NtStatus::SUCCESS)
}

/// What a 3.1.1 client offers in its contexts.
struct Offered {
    cipher: Option<Option<Cipher>>,
    signing: Option<Option<Signing>>,
    posix: bool,
}

impl Offered {
    /// Reads the contexts; each type may come once, preauthentication must.
    fn collect(list: &ContextList<'_>) -> Result<Self, Stop> {
        let invalid = Stop::Failed(NtStatus::INVALID_PARAMETER);
        let mut offered = Offered {
            cipher: None,
            signing: None,
            posix: false,
        };
        let mut preauth = None;
        for context in list.iter() {
            match context {
                Offer::PreauthIntegrity { hashes, .. } => {
                    if preauth.replace(hashes).is_some() {
                        return Err(invalid);
                    }
                }
                Offer::Encryption(ciphers) => {
                    let ids = ciphers.map(|cipher| cipher.0);
                    if offered
                        .cipher
                        .replace(select_cipher(&Cipher::PREFERENCE, ids))
                        .is_some()
                    {
                        return Err(invalid);
                    }
                }
                Offer::Signing(algorithms) => {
                    let ids = algorithms.map(|algorithm| algorithm.0);
                    let selected = select_signing(&Signing::PREFERENCE, ids);
                    if offered.signing.replace(selected).is_some() {
                        return Err(invalid);
                    }
                }
                Offer::Posix(known) => offered.posix |= known,
                _ => {}
            }
        }
        let hashes = preauth.ok_or(invalid)?;
        check_preauth(1, hashes.map(|hash| hash.0))?;
        Ok(offered)
    }
}

/// What the server can do, whatever the client can.
fn announced(config: &Config) -> Capabilities {
    let mut capabilities = Capabilities::LARGE_MTU;
    if config.leases {
        capabilities = capabilities.union(Capabilities::LEASING);
    }
    if config.multichannel {
        capabilities = capabilities.union(Capabilities::MULTI_CHANNEL);
    }
    if config.encryption != Encryption::Off {
        capabilities = capabilities.union(Capabilities::ENCRYPTION);
    }
    capabilities
}

fn agree(
    config: &Config,
    dialect: Dialect,
    request: &Request<'_>,
    offered: Option<&Offered>,
) -> Negotiated {
    let client = Capabilities(request.capabilities.bits());
    let capabilities = announced(config).announced(dialect, client);
    let cipher = match dialect {
        _ if config.encryption == Encryption::Off => None,
        Dialect::V3_1_1 => offered.and_then(|offered| offered.cipher).flatten(),
        Dialect::V3_0 | Dialect::V3_0_2 => capabilities
            .contains(Capabilities::ENCRYPTION)
            .then_some(Cipher::Aes128Ccm),
        _ => None,
    };
    Negotiated {
        dialect,
        offer: ClientOffer {
            capabilities: request.capabilities.bits(),
            guid: request.client_guid,
            security_mode: request.security_mode.bits(),
        },
        capabilities,
        security_mode: config.signing.security_mode(),
        cipher,
        signing: Signing::of(
            dialect,
            offered.and_then(|offered| offered.signing).flatten(),
        ),
        posix: offered.is_some_and(|offered| offered.posix),
        multi_credit: dialect.has_large_mtu(),
        max_read: max_io(dialect, config.max_read),
        max_write: max_io(dialect, config.max_write),
        max_transact: max_io(dialect, config.max_transact),
    }
}

fn now() -> FileTime {
    let (seconds, nanoseconds) = time::real_time();
    FileTime::from_unix(seconds, nanoseconds)
}

/// The SPNEGO token that offers the mechanisms; its length.
fn write_token(buffer: &mut [u8], config: &Config) -> Result<usize, NtStatus> {
    let mechs = match config.kerberos {
        Kerberos::Offered => MECHS,
        Kerberos::Off | Kerberos::Untold => MECHS_WITHOUT_KERBEROS,
    };
    let mut writer = Writer::new(buffer);
    spnego::write_init2(&mut writer, mechs).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    Ok(writer.len())
}

fn answer_head(cx: &Context<'_>, negotiated: &Negotiated) -> Answer<'static> {
    Answer {
        security_mode: SecurityMode::from_bits(negotiated.security_mode),
        dialect: wire::Dialect(negotiated.dialect.to_wire()),
        server_guid: cx.server().guid,
        capabilities: wire::Capabilities::from_bits(negotiated.capabilities.0),
        max_transact_size: negotiated.max_transact,
        max_read_size: negotiated.max_read,
        max_write_size: negotiated.max_write,
        system_time: now(),
        server_start_time: FileTime(0),
        security_buffer: &[],
        contexts: None,
    }
}

fn write_answer(
    w: &mut Writer<'_>,
    head: &Answer<'_>,
    config: &Config,
    negotiated: &Negotiated,
    offered: Option<&Offered>,
) -> Written {
    let mut token = [0u8; ROOM];
    let len = write_token(&mut token, config).map_err(|_| smb_proto::wire::Full)?;
    let answer = Answer {
        security_buffer: token.get(..len).unwrap_or(&[]),
        ..*head
    };
    let Some(offered) = offered else {
        return answer.write(w);
    };
    let mut list = answer.begin(w)?;
    let salt: [u8; SALT_LEN] = random::array();
    list.preauth_integrity(w, &[HashAlgorithm(1)], &salt)?;
    if offered.cipher.is_some() {
        // No common cipher is said with the id zero, [MS-SMB2] 3.3.5.4.
        let cipher = negotiated.cipher.map_or(0, Cipher::to_wire);
        list.encryption(w, &[WireCipher(cipher)])?;
    }
    if let Some(Some(signing)) = offered.signing {
        list.signing(w, &[SigningAlgorithm(signing.to_wire())])?;
    }
    if offered.posix {
        list.posix(w)?;
    }
    list.finish(w)
}
