// SPDX-License-Identifier: GPL-2.0

//! The client's side of NTLM, [MS-NLMP] 3.1.5 and 3.3.2: NTLMv2 with an MIC, without a key exchange.

use md4::{Digest as _, Md4};
use smb_model::ntlmv2;
use smb_model::primitives::{Digest, Primitives};
use smb_proto::ntlmssp::{
    Authenticate, AvFlags, AvPairs, AvWriter, Challenge, Negotiate, NegotiateFlags, NtResponse,
    Version, MIC_OFFSET,
};
use smb_proto::time::FileTime;
use smb_proto::unicode::Text;
use smb_proto::wire::Writer;

use crate::crypto::Software;
use crate::error::{Error, Result};

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the account.
    pub user: String,
    /// Its domain.
    pub domain: String,
    /// Its password.
    pub password: String,
}

impl Credentials {
    /// A user without a domain.
    pub fn new(user: &str, password: &str) -> Self {
        Credentials {
            user: user.into(),
            domain: String::new(),
            password: password.into(),
        }
    }

    fn nt_hash(&self) -> [u8; 16] {
        let utf16: Vec<u8> = self
            .password
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        Md4::digest(&utf16).into()
    }
}

/// An NTLM exchange.
#[derive(Clone, Debug)]
pub struct Ntlm {
    negotiate: Vec<u8>,
}

const FLAGS: NegotiateFlags = NegotiateFlags::UNICODE
    .union(NegotiateFlags::REQUEST_TARGET)
    .union(NegotiateFlags::SIGN)
    .union(NegotiateFlags::NTLM)
    .union(NegotiateFlags::ALWAYS_SIGN)
    .union(NegotiateFlags::EXTENDED_SESSION_SECURITY)
    .union(NegotiateFlags::VERSION)
    .union(NegotiateFlags::KEY_128);

/// Room for a message of the exchange.
const ROOM: usize = 4096;

fn built(write: impl FnOnce(&mut Writer<'_>) -> smb_proto::wire::Written) -> Result<Vec<u8>> {
    let mut buf = vec![0; ROOM];
    let mut w = Writer::new(&mut buf);
    write(&mut w)?;
    let len = w.len();
    buf.truncate(len);
    Ok(buf)
}

impl Ntlm {
    /// Begins an exchange.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn begin() -> Result<Self> {
        let negotiate = built(|w| {
            Negotiate {
                flags: FLAGS,
                version: Some(Version::new(6, 1, 0)),
                ..Negotiate::default()
            }
            .write(w)
        })?;
        Ok(Ntlm { negotiate })
    }

    /// NEGOTIATE_MESSAGE.
    pub fn first(&self) -> &[u8] {
        &self.negotiate
    }

    /// AUTHENTICATE_MESSAGE in answer to the server's CHALLENGE_MESSAGE, and the session key that both sides have then.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for a message that is no challenge.
    pub fn second(&self, challenge: &[u8], who: &Credentials) -> Result<(Vec<u8>, [u8; 16])> {
        let parsed =
            Challenge::parse(challenge).map_err(|_| Error::Malformed("an NTLM challenge"))?;
        let time = parsed.target_info.timestamp()?;
        let key = ntlmv2::ntowf_v2::<Software>(
            &who.nt_hash(),
            &Text::Str(&who.user),
            &Text::Str(&who.domain),
        );
        let pairs = built(|w| {
            // All that the server said but its terminator, and that there is an MIC.
            let theirs = parsed.target_info.bytes();
            w.bytes(theirs.strip_suffix(&[0; 4]).unwrap_or(theirs))?;
            let mut pairs = AvWriter::new(w);
            pairs.flags(AvFlags::MIC)?;
            pairs.end()
        })?;
        let pairs = AvPairs::parse(&pairs)?;
        let nonce: [u8; 8] = rand::random();
        let blob = built(|w| {
            smb_proto::ntlmssp::NtlmV2Response::write_blob(
                w,
                time.unwrap_or(FileTime(0)),
                &nonce,
                &pairs,
            )
        })?;
        let proof = hmac_md5(key.expose(), &[&parsed.server_challenge, &blob]);
        let session_key = hmac_md5(key.expose(), &[&proof]);
        let response = [proof.as_slice(), &blob].concat();
        let mut message = built(|w| {
            Authenticate {
                lm_response: &[0; 24],
                nt_response: NtResponse::parse(&response).map_err(|_| smb_proto::wire::Full)?,
                domain: Text::Str(&who.domain),
                user: Text::Str(&who.user),
                workstation: Text::Str("HOSTILE"),
                session_key: &[],
                flags: parsed.flags,
                version: Some(Version::new(6, 1, 0)),
                mic: Some([0; 16]),
            }
            .write(w)
        })?;
        let mic = hmac_md5(&session_key, &[&self.negotiate, challenge, &message]);
        message[MIC_OFFSET..][..16].copy_from_slice(&mic);
        Ok((message, session_key))
    }
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Software::hmac_md5(key);
    for part in parts {
        mac.update(part);
    }
    mac.finish()
}
