// SPDX-License-Identifier: GPL-2.0

//! Which answer a message gets.

use ksmbd_tools::status::Source;
use ksmbd_tools::subauth::SubAuth;
use smb_proto::ipc::{
    self, Command, LoginRequest, LoginResponseExt, LogoutRequest, RpcCommand, ShareConfigRequest,
    ShareConfigResponse, SpnegoRequest, TreeConnectRequest, TreeDisconnectRequest,
};
use smb_proto::wire::{Malformed, Writer, Written};
use zerocopy::{Immutable, IntoBytes};

use crate::answer;
use crate::kerberos::Kerberos;
use crate::link::Message;
use crate::rpc::Pipes;
use crate::spnego;
use crate::state::State;

/// Most bytes of any answer.
const LARGEST: usize = 64 * 1024 - 4;

/// Everything that answers are made from.
#[derive(Debug)]
pub struct Server {
    /// Settings and connections.
    pub state: State,
    /// Open pipes.
    pub pipes: Pipes,
    /// Kerberos logins.
    pub kerberos: Kerberos,
    /// Sub-authorities of the domain's SID.
    pub sub_auth: SubAuth,
    /// Where the module tells who is connected.
    pub status: Source,
}

impl Server {
    /// A server without connections.
    pub fn new(state: State, sub_auth: SubAuth) -> Self {
        Server {
            state,
            pipes: Pipes::default(),
            kerberos: Kerberos::default(),
            sub_auth,
            status: Source::default(),
        }
    }
}

/// An answer: its command and payload.
pub type Answer = (Command, Vec<u8>);

/// Answers a message of the module's; `None` if there is nothing to say. A message that cannot be read is logged and dropped: its
/// sender times out.
pub fn handle(server: &Server, message: &Message) -> Option<Answer> {
    let Some(command) = Command::from_number(message.command) else {
        log::warn!("the module sent the unknown message {}", message.command);
        return None;
    };
    match answer(server, command, &message.payload) {
        Ok(payload) => command.answer().zip(payload),
        Err(Malformed) => {
            log::warn!(
                "the module's {command:?} of {} bytes cannot be read",
                message.payload.len()
            );
            None
        }
    }
}

fn answer(server: &Server, command: Command, payload: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let state = &server.state;
    match command {
        Command::Heartbeat => log::debug!("the module asks for a sign of life"),
        Command::LoginRequest => {
            return Ok(fixed(&answer::login(
                state,
                &ipc::read::<LoginRequest>(payload)?,
            )))
        }
        Command::LoginExtRequest => {
            let request: LoginRequest = ipc::read(payload)?;
            let groups = answer::groups(state, &request);
            return Ok(write(136 + 4 * groups.len(), |w| {
                LoginResponseExt::write(request.handle, &groups, w)
            }));
        }
        Command::ShareConfigRequest => {
            let request: ShareConfigRequest = ipc::read(payload)?;
            let share = answer::share(state, request.name.bytes(), request.handle);
            let size = 536 + share.veto.len() + share.path.len() + 2;
            return Ok(write(size, |w| {
                ShareConfigResponse::write(&share.head, &share.veto, &share.path, w)
            }));
        }
        Command::TreeConnectRequest => {
            return Ok(fixed(&answer::tree_connect(
                state,
                &ipc::read::<TreeConnectRequest>(payload)?,
            )));
        }
        Command::TreeDisconnectRequest => {
            let request: TreeDisconnectRequest = ipc::read(payload)?;
            state.disconnect((request.session_id, request.connect_id));
        }
        Command::LogoutRequest => answer::logout(state, &ipc::read::<LogoutRequest>(payload)?),
        Command::RpcRequest => {
            let request = RpcCommand::parse(payload)?;
            let (flags, reply) = server.pipes.command(server, &request);
            let answer = RpcCommand {
                handle: request.handle,
                flags,
                payload: &reply,
            };
            return Ok(write(12 + reply.len(), |w| answer.write(w)));
        }
        Command::SpnegoRequest => {
            return Ok(spnego::answer(server, &SpnegoRequest::parse(payload)?));
        }
        _ => log::warn!("the module sent {command:?}, which is not for the daemon"),
    }
    Ok(None)
}

fn fixed<T: IntoBytes + Immutable>(answer: &T) -> Option<Vec<u8>> {
    Some(answer.as_bytes().to_vec())
}

/// Writes an answer of at most `size` bytes.
fn write(size: usize, fill: impl FnOnce(&mut Writer<'_>) -> Written) -> Option<Vec<u8>> {
    let mut buffer = vec![0; size.min(LARGEST)];
    let mut writer = Writer::new(&mut buffer);
    if fill(&mut writer).is_err() {
        log::error!("an answer of {size} bytes is too large");
        return None;
    }
    let length = writer.len();
    buffer.truncate(length);
    Some(buffer)
}
