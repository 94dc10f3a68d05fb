// SPDX-License-Identifier: GPL-2.0

//! One authentication, from the first token to an account: SPNEGO around NTLM or NTLM alone, and Kerberos with or without
//! SPNEGO, whose tokens are the daemon's to judge. [MS-SMB2] 3.3.5.5.3, [MS-SPNG] 3.3.5, RFC 4178.

use kernel::prelude::*;

use linux::random;
use smb_model::ntlmv2::Identity;
use smb_proto::ipc::{user_flag, Conversation, Text, ACCOUNT_SIZE, PEER_SIZE};
use smb_proto::ntlmssp::{self, Authenticate};
use smb_proto::spnego::{self, Mech, NegState, NegTokenInit, NegTokenResp, Token};
use smb_proto::status::NtStatus;
use smb_proto::wire::Writer;

use crate::ipc::calls::{self, Account};
use crate::ipc::link::LinkError;
use crate::ipc::spnego as daemon;
use crate::server::config::Kerberos;
use crate::server::Server;

use super::keys::FullKey;
use super::ntlm::{Challenged, LoggedOn};

/// Longest list of mechanisms that is kept for its integrity code, bytes.
const MAX_MECH_TYPES: usize = 512;
/// Longest token that the server makes, bytes.
const MAX_TOKEN: usize = 2_048;

/// The DER encoding of the list of mechanisms that the client offered.
type MechTypes = KVec<u8>;

enum Step {
    /// Nothing has come yet.
    Start,
    /// NTLM was chosen from the client's list; its first message is awaited.
    Chosen(MechTypes),
    /// The answer to the challenge is awaited; with SPNEGO around it if there is a list.
    Challenged(Challenged, Option<MechTypes>),
    /// The next token is Kerberos', for the conversation that the daemon keeps.
    Kerberos(u64),
    /// Failed or finished.
    Over,
}

/// An authentication under way.
pub(crate) struct Exchange {
    step: Step,
    /// The client's address as text, for the daemon's log.
    client: Text<PEER_SIZE>,
    /// The preauthentication hash so far; 3.1.1 only looks at it.
    pub(crate) preauth: [u8; 64],
    /// Whether the password was wrong, and the daemon says that it was so too often for this account.
    pub(crate) is_guessing: bool,
    /// Who was refused, as the client named him, and why: for the administrator, not for the client.
    pub(crate) refused: Option<(Text<ACCOUNT_SIZE>, &'static str)>,
}

/// What one token led to.
pub(crate) enum Progress {
    /// The client has to answer this token.
    Continue(KVec<u8>),
    /// Somebody is logged in.
    Done(KBox<Login>),
}

/// The outcome of an authentication.
pub(crate) struct Login {
    pub(crate) account: Account,
    pub(crate) is_anonymous: bool,
    /// Whether the account was given without proof, as a guest's.
    pub(crate) is_guest: bool,
    /// The key that both sides have; none for guests and anonymous users.
    pub(crate) key: Option<FullKey>,
    /// The last token for the client.
    pub(crate) token: KVec<u8>,
}

fn no_memory<E>(_: E) -> NtStatus {
    NtStatus::INSUFFICIENT_RESOURCES
}

impl Exchange {
    /// An authentication of the client at `address`, whose hash begins with `preauth`.
    pub(crate) fn new(preauth: [u8; 64], address: &str) -> Self {
        Exchange {
            step: Step::Start,
            client: Text::new(address.as_bytes()).unwrap_or(Text::EMPTY),
            preauth,
            is_guessing: false,
            refused: None,
        }
    }

    /// Takes the client's next token.
    pub(crate) fn advance(&mut self, server: &Server, token: &[u8]) -> Result<Progress, NtStatus> {
        match core::mem::replace(&mut self.step, Step::Over) {
            Step::Start if is_ntlm(token) => self.challenge(server, token, None),
            Step::Start if spnego::is_plain_kerberos(token) => self.plain_kerberos(server, token),
            Step::Start => self.begin_spnego(server, token),
            Step::Kerberos(conversation) => self.kerberos(server, conversation, token),
            Step::Chosen(mechs) => match parse(token)? {
                Token::Resp(resp) => {
                    let inner = resp.response_token.ok_or(NtStatus::INVALID_PARAMETER)?;
                    self.challenge(server, inner, Some(mechs))
                }
                _ => Err(NtStatus::INVALID_PARAMETER),
            },
            Step::Challenged(challenged, None) => self.finish(server, challenged, token, None),
            Step::Challenged(challenged, Some(mechs)) => match parse(token)? {
                Token::Resp(resp) => {
                    let inner = resp.response_token.ok_or(NtStatus::INVALID_PARAMETER)?;
                    self.finish(
                        server,
                        challenged,
                        inner,
                        Some((&mechs, resp.mech_list_mic)),
                    )
                }
                _ => Err(NtStatus::INVALID_PARAMETER),
            },
            Step::Over => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    fn begin_spnego(&mut self, server: &Server, token: &[u8]) -> Result<Progress, NtStatus> {
        let init = match parse(token)? {
            Token::Init(init) => init,
            _ => return Err(NtStatus::INVALID_PARAMETER),
        };
        match self.try_kerberos(server, &init, token)? {
            Some(progress) => Ok(progress),
            None if init.mechs.contains(Mech::Ntlmssp) => self.begin_ntlm(server, &init),
            None => Err(NtStatus::LOGON_FAILURE),
        }
    }

    /// Takes up Kerberos if that is what the client prefers of what there is.
    fn try_kerberos(
        &mut self,
        server: &Server,
        init: &NegTokenInit<'_>,
        token: &[u8],
    ) -> Result<Option<Progress>, NtStatus> {
        let preferred = init
            .mechs
            .mechs()
            .flatten()
            .find(|mech| *mech == Mech::Ntlmssp || mech.is_kerberos());
        if !preferred.is_some_and(Mech::is_kerberos) {
            return Ok(None);
        }
        match server.config().kerberos {
            Kerberos::Off => Ok(None),
            Kerberos::Offered => self.kerberos(server, random::u64(), token).map(Some),
            Kerberos::Untold => {
                // Such a daemon takes a whole token or none.
                let is_whole =
                    init.mech_token.is_some() && init.mechs.first().is_some_and(Mech::is_kerberos);
                if !is_whole {
                    return Ok(None);
                }
                match daemon::ask(&server.link, token, None) {
                    Ok(outcome @ daemon::Outcome::Done { .. }) => {
                        self.kerberos_outcome(server, 0, outcome).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    /// A Kerberos token without SPNEGO around it, as clients send that support nothing else.
    fn plain_kerberos(&mut self, server: &Server, token: &[u8]) -> Result<Progress, NtStatus> {
        match server.config().kerberos {
            Kerberos::Offered => self.kerberos(server, random::u64(), token),
            Kerberos::Off | Kerberos::Untold => Err(NtStatus::LOGON_FAILURE),
        }
    }

    /// Has the daemon judge a token; SPNEGO is the daemon's then, too.
    fn kerberos(
        &mut self,
        server: &Server,
        conversation: u64,
        token: &[u8],
    ) -> Result<Progress, NtStatus> {
        let told = Conversation {
            id: conversation,
            client: self.client,
        };
        let outcome =
            daemon::ask(&server.link, token, Some(told)).map_err(|error| match error {
                LinkError::NoMemory => NtStatus::INSUFFICIENT_RESOURCES,
                _ => NtStatus::LOGON_FAILURE,
            })?;
        self.kerberos_outcome(server, conversation, outcome)
    }

    fn kerberos_outcome(
        &mut self,
        server: &Server,
        conversation: u64,
        outcome: daemon::Outcome,
    ) -> Result<Progress, NtStatus> {
        match outcome {
            daemon::Outcome::Continue(token) => {
                self.step = Step::Kerberos(conversation);
                Ok(Progress::Continue(token))
            }
            daemon::Outcome::Done {
                account,
                key,
                token,
            } => {
                let is_guest = account.is_guest();
                done_with(Login {
                    account,
                    is_anonymous: false,
                    is_guest,
                    key: key.filter(|_| !is_guest),
                    token,
                })
            }
            daemon::Outcome::Refused => {
                debug!(server, Auth, "the Kerberos token was refused\n");
                Err(NtStatus::LOGON_FAILURE)
            }
        }
    }

    /// Takes up NTLM from the client's list.
    fn begin_ntlm(
        &mut self,
        server: &Server,
        init: &NegTokenInit<'_>,
    ) -> Result<Progress, NtStatus> {
        let der = init.mechs.der();
        if der.len() > MAX_MECH_TYPES {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut mechs = KVec::new();
        mechs
            .extend_from_slice(der, GFP_KERNEL)
            .map_err(no_memory)?;
        // A token that was sent ahead is for the client's first choice.
        if let (Some(Mech::Ntlmssp), Some(inner)) = (init.mechs.first(), init.mech_token) {
            return self.challenge(server, inner, Some(mechs));
        }
        self.step = Step::Chosen(mechs);
        let answer = NegTokenResp {
            state: Some(NegState::RequestMic),
            supported_mech: Some(Mech::Ntlmssp.oid()),
            ..NegTokenResp::default()
        };
        encode(&answer).map(Progress::Continue)
    }

    fn challenge(
        &mut self,
        server: &Server,
        message: &[u8],
        mechs: Option<MechTypes>,
    ) -> Result<Progress, NtStatus> {
        let config = server.config();
        let name = core::str::from_utf8(config.netbios_name.bytes()).unwrap_or("KSMBD");
        let workgroup = core::str::from_utf8(config.workgroup.bytes()).unwrap_or("WORKGROUP");
        let identity = Identity {
            netbios_name: name,
            netbios_domain: workgroup,
            dns_name: name,
            dns_domain: "",
        };
        let challenged = Challenged::new(message, &identity)?;
        let token = match &mechs {
            None => copy(challenged.challenge())?,
            Some(_) => encode(&NegTokenResp {
                state: Some(NegState::Incomplete),
                supported_mech: Some(Mech::Ntlmssp.oid()),
                response_token: Some(challenged.challenge()),
                ..NegTokenResp::default()
            })?,
        };
        self.step = Step::Challenged(challenged, mechs);
        Ok(Progress::Continue(token))
    }

    /// Keeps who was refused and why.
    fn refuse(&mut self, name: &[u8], why: &'static str) {
        self.refused = Some((Text::new(name).unwrap_or(Text::EMPTY), why));
    }

    /// Checks the answer to the challenge.
    fn finish(
        &mut self,
        server: &Server,
        challenged: Challenged,
        message: &[u8],
        spnego: Option<(&MechTypes, Option<&[u8]>)>,
    ) -> Result<Progress, NtStatus> {
        let answer = Authenticate::parse(message).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let mut name = [0u8; ACCOUNT_SIZE];
        let mut writer = Writer::new(&mut name);
        answer
            .user
            .to_utf8(&mut writer)
            .map_err(|_| NtStatus::LOGON_FAILURE)?;
        let len = writer.len();
        let name = name.get(..len).unwrap_or(&[]);
        let is_anonymous = answer.is_anonymous();
        if name.is_empty() && !is_anonymous {
            // Nobody's password cannot be right, and the daemon would take the empty name for a guest's.
            return Err(NtStatus::LOGON_FAILURE);
        }
        let account = match login(server, name) {
            Ok(account) => account,
            Err((status, why)) => {
                self.refuse(name, why);
                return Err(status);
            }
        };
        if account.is_guest() {
            debug!(
                server,
                Auth,
                "{:?} is a guest\n",
                core::str::from_utf8(name)
            );
            let token = last_token(spnego.is_some(), None)?;
            let done = Login {
                account,
                is_anonymous,
                is_guest: true,
                key: None,
                token,
            };
            return done_with(done);
        }
        let logged_on = match prove(challenged, &answer, message, &account) {
            Ok(logged_on) => logged_on,
            Err(status) => {
                self.refuse(name, "wrong password");
                calls::logout(&server.link, &account, true);
                self.is_guessing = account.flags & user_flag::DELAY_SESSION != 0;
                return Err(status);
            }
        };
        let mic = match spnego {
            None => None,
            Some((mechs, client_mic)) => mech_list_mic(&logged_on, mechs, client_mic)?,
        };
        let token = last_token(spnego.is_some(), mic.as_ref())?;
        let key = FullKey::from_slice(logged_on.session_key());
        done_with(Login {
            account,
            is_anonymous,
            is_guest: false,
            key,
            token,
        })
    }
}

fn done_with(login: Login) -> Result<Progress, NtStatus> {
    KBox::new(login, GFP_KERNEL)
        .map(Progress::Done)
        .map_err(no_memory)
}

fn is_ntlm(token: &[u8]) -> bool {
    token.starts_with(ntlmssp::SIGNATURE)
}

fn parse(token: &[u8]) -> Result<Token<'_>, NtStatus> {
    Token::parse(token).map_err(|_| NtStatus::INVALID_PARAMETER)
}

fn copy(bytes: &[u8]) -> Result<KVec<u8>, NtStatus> {
    let mut copy = KVec::new();
    copy.extend_from_slice(bytes, GFP_KERNEL)
        .map_err(no_memory)?;
    Ok(copy)
}

fn encode(token: &NegTokenResp<'_>) -> Result<KVec<u8>, NtStatus> {
    let mut buffer = KVec::from_elem(0, MAX_TOKEN, GFP_KERNEL).map_err(no_memory)?;
    let mut writer = Writer::new(&mut buffer);
    token
        .write(&mut writer)
        .map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let len = writer.len();
    buffer.truncate(len);
    Ok(buffer)
}

/// The account `name`, if it may log in; else the status, and why.
fn login(server: &Server, name: &[u8]) -> Result<Account, (NtStatus, &'static str)> {
    let account = calls::login(&server.link, name).map_err(|error| match error {
        LinkError::NoMemory => (NtStatus::INSUFFICIENT_RESOURCES, "out of memory"),
        LinkError::NoDaemon => (NtStatus::LOGON_FAILURE, "ksmbd.mountd does not answer"),
        LinkError::BadAnswer => (
            NtStatus::LOGON_FAILURE,
            "ksmbd.mountd answers what cannot be read",
        ),
    })?;
    if account.is_usable() {
        Ok(account)
    } else if account.flags & user_flag::BAD_USER != 0 {
        Err((NtStatus::LOGON_FAILURE, "there is no such user"))
    } else {
        Err((NtStatus::LOGON_FAILURE, "ksmbd.mountd does not allow it"))
    }
}

fn prove(
    challenged: Challenged,
    answer: &Authenticate<'_>,
    message: &[u8],
    account: &Account,
) -> Result<LoggedOn, NtStatus> {
    let hash = account.nt_hash.as_ref().ok_or(NtStatus::LOGON_FAILURE)?;
    challenged.accept(answer, message, hash)
}

/// Checks the client's integrity code over the list of mechanisms, and makes the server's if the client sent one.
fn mech_list_mic(
    logged_on: &LoggedOn,
    mechs: &[u8],
    client_mic: Option<&[u8]>,
) -> Result<Option<[u8; 16]>, NtStatus> {
    let Some(mic) = client_mic else {
        return Ok(None);
    };
    if !logged_on.mic_is_right(mechs, mic) {
        return Err(NtStatus::LOGON_FAILURE);
    }
    Ok(logged_on.mic(mechs))
}

fn last_token(is_spnego: bool, mic: Option<&[u8; 16]>) -> Result<KVec<u8>, NtStatus> {
    if !is_spnego {
        return Ok(KVec::new());
    }
    encode(&NegTokenResp {
        state: Some(NegState::Completed),
        mech_list_mic: mic.map(|mic| mic.as_slice()),
        ..NegTokenResp::default()
    })
}
