// SPDX-License-Identifier: GPL-2.0

//! Answers to the module's question whether a client's GSS token is good, and whose it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smb_proto::ipc::{
    user_flag, LoginRequest, LoginResponse, SpnegoRequest, SpnegoResponse, Text, HASH_SIZE,
};
use smb_proto::wire::{Full, Writer};
use zeroize::Zeroizing;

use crate::answer;
use crate::dispatch::Server;
use crate::kerberos::{Client, Step};
use crate::state::State;

/// An answer to a token.
struct Answer {
    login: LoginResponse,
    key: Zeroizing<Vec<u8>>,
    token: Vec<u8>,
}

impl Answer {
    fn status(handle: u32, status: u16, token: Vec<u8>) -> Self {
        Answer {
            login: LoginResponse::refusal(handle, status),
            key: Zeroizing::default(),
            token,
        }
    }
}

/// Answers a token: the message's payload, or nothing if it does not fit.
pub fn answer(server: &Server, request: &SpnegoRequest<'_>) -> Option<Vec<u8>> {
    let answer = decide(server, request).unwrap_or_else(|reason| {
        let (client, from) = (address(request), from(request));
        server.state.note(
            &[("client", client), ("reason", &reason)],
            format_args!("Kerberos login{from} refused: {reason}"),
        );
        Answer::status(request.handle, user_flag::BAD_USER, Vec::new())
    });
    match write(request.handle, &answer) {
        Ok(payload) => Some(payload),
        Err(Full) => {
            log::error!(
                "a Kerberos token of {} bytes is too large",
                answer.token.len()
            );
            None
        }
    }
}

/// The client's address; empty if the module does not tell it.
fn address<'a>(request: &'a SpnegoRequest<'_>) -> &'a str {
    let client = request.conversation.as_ref().map(|told| &told.client);
    client.map_or("", |client| {
        std::str::from_utf8(client.bytes()).unwrap_or_default()
    })
}

/// Where the client is, for a sentence.
fn from(request: &SpnegoRequest<'_>) -> String {
    match address(request) {
        "" => String::new(),
        address => format!(" from {}", address.escape_debug()),
    }
}

fn write(handle: u32, answer: &Answer) -> Result<Vec<u8>, Full> {
    let response = SpnegoResponse {
        handle,
        login: answer.login,
        key: &answer.key,
        blob: &answer.token,
    };
    let mut payload = vec![0; 156 + answer.key.len() + answer.token.len()];
    response.write(&mut Writer::new(&mut payload))?;
    Ok(payload)
}

fn decide(server: &Server, request: &SpnegoRequest<'_>) -> Result<Answer, String> {
    let settings = server.state.settings();
    let global = &settings.config.global;
    if !global.kerberos {
        return Err("`kerberos support` is not set".into());
    }
    let step = server.kerberos.step(
        global,
        request.conversation.map(|told| told.id),
        request.blob,
    )?;
    match step {
        Step::Continue(token) => Ok(Answer::status(request.handle, user_flag::CONTINUE, token)),
        Step::Done(client) => accept(&server.state, request, client),
    }
}

/// The account of a client whose ticket is good.
fn accept(state: &State, request: &SpnegoRequest<'_>, client: Client) -> Result<Answer, String> {
    let principal = client.principal.escape_debug();
    let account = client
        .account()
        .and_then(|name| Text::new(name.as_bytes()).map_err(|Full| "its name is too long"))
        .map_err(|reason| format!("`{principal}`: {reason}"))?;
    let asked = LoginRequest {
        handle: request.handle,
        account,
        reserved: [0; 16],
    };
    let mut login = answer::login(state, &asked);
    log::debug!("`{principal}` has a good ticket for {}", client.service);
    if request.conversation.is_some() {
        // A module that knows what the ticket proves has no use for the password's hash.
        login.hash = [0; HASH_SIZE];
        login.hash_size = 0;
    }
    // How often a wrong password was given says nothing about who has a ticket.
    login.status &= !user_flag::DELAY_SESSION;
    if let Some(end) = client.lifetime.and_then(ending) {
        login.set_expiry(end);
    }
    if login.status & user_flag::OK == 0 {
        // The module, which tells of other refusals, does not know the principal.
        let facts = [
            ("user", client.principal.as_str()),
            ("client", address(request)),
            ("reason", "no such user"),
        ];
        let from = from(request);
        state.note(&facts, format_args!(
            "Kerberos login of `{principal}`{from} refused: ksmbdpwd.db has no such user, or the system does not know him"
        ));
        return Ok(Answer::status(request.handle, login.status, Vec::new()));
    }
    Ok(Answer {
        login,
        key: client.key,
        token: client.token,
    })
}

/// The second since 1970 that is `lifetime` from now.
fn ending(lifetime: Duration) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    // An expiry of zero would mean never.
    Some(now.checked_add(lifetime)?.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::state;
    use smb_proto::ipc::Conversation;

    fn client(principal: &str) -> Client {
        Client {
            principal: principal.into(),
            service: "cifs/a.example@EXAMPLE".into(),
            local_user: None,
            key: Zeroizing::new(vec![7; 32]),
            lifetime: Some(Duration::from_secs(600)),
            token: b"reply".to_vec(),
        }
    }

    fn request(conversation: Option<u64>) -> SpnegoRequest<'static> {
        SpnegoRequest {
            handle: 5,
            blob: b"",
            conversation: conversation.map(|id| Conversation {
                id,
                client: Text::new(b"10.0.0.5").unwrap(),
            }),
        }
    }

    #[test]
    fn the_client_is_named_where_it_is_known() {
        assert_eq!(from(&request(Some(1))), " from 10.0.0.5");
        assert_eq!(from(&request(None)), "");
    }

    #[test]
    fn a_known_principal_gets_its_account_and_no_hash() {
        let state = state("");
        let Ok(answer) = accept(&state, &request(Some(1)), client("alice@EXAMPLE")) else {
            panic!("refused");
        };
        assert_eq!(answer.login.account.bytes(), b"alice");
        assert_eq!(answer.login.uid, 1000);
        assert_eq!(answer.login.hash_size, 0);
        assert!(answer.login.expiry().is_some());
        let payload = write(5, &answer).unwrap();
        let read = SpnegoResponse::parse(&payload).unwrap();
        assert_eq!(
            (read.key, read.blob),
            ([7u8; 32].as_slice(), b"reply".as_slice())
        );
        // A module that does not say what it knows gets what the C daemon sends.
        let answer = accept(&state, &request(None), client("alice@EXAMPLE")).ok();
        assert_eq!(answer.map(|answer| answer.login.hash_size), Some(16));
    }

    #[test]
    fn an_unknown_principal_gets_neither_key_nor_token() {
        let state = state("");
        let answer = accept(&state, &request(Some(1)), client("mallory@EXAMPLE")).ok();
        let answer = answer.expect("an answer");
        assert_eq!(answer.login.status & user_flag::OK, 0);
        assert!(answer.key.is_empty() && answer.token.is_empty());
        assert!(accept(&state, &request(Some(1)), client("alice@ELSEWHERE")).is_err());
        let long = format!("{}@EXAMPLE", "a".repeat(48));
        assert!(accept(&state, &request(Some(1)), client(&long)).is_err());
    }
}
