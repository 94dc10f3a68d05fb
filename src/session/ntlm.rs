// SPDX-License-Identifier: GPL-2.0

//! The server's side of NTLM over SESSION_SETUP, [MS-NLMP] 3.2.5: keeps the messages of an exchange between its two steps,
//! since the last one's integrity code covers all three. What is computed is `smb_model::ntlmv2`.

use kernel::prelude::*;

use linux::random;
use linux::secret::Secret;
use linux::time;
use smb_model::ntlmv2::{self, Accepted, Identity, Messages, Refused, Side};
use smb_proto::ntlmssp::{Authenticate, Negotiate, NegotiateFlags};
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::wire::Writer;

use super::keys::Kernel;

/// Most bytes of a NEGOTIATE_MESSAGE that are kept: its two names are short.
const NEGOTIATE_MAX: usize = 1 << 10;

/// Most bytes of a CHALLENGE_MESSAGE.
const CHALLENGE_MAX: usize = 1 << 10;

/// An exchange in which the client's answer is awaited.
pub(crate) struct Challenged {
    negotiate: KVec<u8>,
    challenge: KVec<u8>,
    server_challenge: [u8; 8],
    flags: NegotiateFlags,
}

impl Challenged {
    /// Answers the client's NEGOTIATE_MESSAGE with a challenge.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for a message that is none, `STATUS_INSUFFICIENT_RESOURCES` without memory.
    pub(crate) fn new(negotiate: &[u8], identity: &Identity<'_>) -> Result<Self, NtStatus> {
        let client = Negotiate::parse(negotiate).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        if negotiate.len() > NEGOTIATE_MAX {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let server_challenge = random::array();
        let mut challenge = KVec::from_elem(0, CHALLENGE_MAX, GFP_KERNEL).map_err(|_| NO_MEMORY)?;
        let mut w = Writer::new(&mut challenge);
        let (seconds, nanoseconds) = time::real_time();
        let now = FileTime::from_unix(seconds, nanoseconds);
        let flags = ntlmv2::write_challenge(&mut w, client.flags, server_challenge, identity, now)
            .map_err(|_| NtStatus::INTERNAL_ERROR)?;
        let len = w.len();
        challenge.truncate(len);
        let mut kept = KVec::new();
        kept.extend_from_slice(negotiate, GFP_KERNEL)
            .map_err(|_| NO_MEMORY)?;
        Ok(Challenged {
            negotiate: kept,
            challenge,
            server_challenge,
            flags,
        })
    }

    /// The CHALLENGE_MESSAGE.
    pub(crate) fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Checks the client's answer, parsed from `message`, against the account's NT hash. An exchange has one answer: who is
    /// refused begins anew.
    ///
    /// # Errors
    ///
    /// `STATUS_LOGON_FAILURE`, whatever was wrong: more would help a guesser.
    pub(crate) fn accept(
        self,
        answer: &Authenticate<'_>,
        message: &[u8],
        nt_hash: &Secret<16>,
    ) -> Result<LoggedOn, NtStatus> {
        let messages = Messages {
            negotiate: &self.negotiate,
            challenge: &self.challenge,
            authenticate: message,
        };
        let hash = nt_hash.expose();
        ntlmv2::accept(hash, &self.server_challenge, self.flags, answer, messages)
            .map(LoggedOn)
            .map_err(status_of)
    }
}

const NO_MEMORY: NtStatus = NtStatus::INSUFFICIENT_RESOURCES;

fn status_of(refused: Refused) -> NtStatus {
    match refused {
        Refused::Unsupported | Refused::Proof | Refused::Mic | Refused::KeyExchange => {
            NtStatus::LOGON_FAILURE
        }
    }
}

/// A client that proved its password.
pub(crate) struct LoggedOn(Accepted<Kernel>);

impl LoggedOn {
    /// The session key that both sides have now.
    pub(crate) fn session_key(&self) -> &[u8; 16] {
        self.0.session_key.expose()
    }

    /// Whether `mic` is the client's signature of `mech_types`, the DER encoding of the list of mechanisms that it sent.
    pub(crate) fn mic_is_right(&self, mech_types: &[u8], mic: &[u8]) -> bool {
        let (key, flags) = (self.session_key(), self.0.flags);
        ntlmv2::first_mic_is_right::<Kernel>(key, flags, Side::Client, mech_types, mic)
    }

    /// The server's signature of the same list.
    pub(crate) fn mic(&self, mech_types: &[u8]) -> Option<[u8; 16]> {
        let (key, flags) = (self.session_key(), self.0.flags);
        ntlmv2::first_mic::<Kernel>(key, flags, Side::Server, mech_types)
    }
}

#[kunit_tests(ksmbd_ntlm)]
#[allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "what the macro makes of it"
)]
mod tests {
    use super::*;
    use smb_model::vectors::smb311 as recorded;
    use smb_proto::ntlmssp::Challenge;

    fn recorded_exchange() -> Challenged {
        let challenge = Challenge::parse(recorded::NTLM_CHALLENGE).unwrap();
        let copy = |bytes: &[u8]| {
            let mut copy = KVec::new();
            copy.extend_from_slice(bytes, GFP_KERNEL).unwrap();
            copy
        };
        Challenged {
            negotiate: copy(recorded::NTLM_NEGOTIATE),
            challenge: copy(recorded::NTLM_CHALLENGE),
            server_challenge: challenge.server_challenge,
            flags: challenge.flags,
        }
    }

    #[test]
    fn a_recorded_logon() {
        let message = recorded::NTLM_AUTHENTICATE;
        let answer = Authenticate::parse(message).unwrap();
        let hash = Secret::new(recorded::NT_HASH);
        let user = recorded_exchange()
            .accept(&answer, message, &hash)
            .ok()
            .unwrap();
        assert_eq!(*user.session_key(), recorded::SESSION_KEY);
        assert!(user.mic_is_right(&recorded::MECH_TYPES, &recorded::CLIENT_MIC));
        assert!(!user.mic_is_right(&recorded::MECH_TYPES, &recorded::SERVER_MIC));
        assert_eq!(user.mic(&recorded::MECH_TYPES), Some(recorded::SERVER_MIC));
    }

    #[test]
    fn another_password_is_refused() {
        let message = recorded::NTLM_AUTHENTICATE;
        let answer = Authenticate::parse(message).unwrap();
        let hash = Secret::new([0; 16]);
        let refused = recorded_exchange().accept(&answer, message, &hash).err();
        assert_eq!(refused, Some(NtStatus::LOGON_FAILURE));
    }
}
