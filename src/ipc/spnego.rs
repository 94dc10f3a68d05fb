// SPDX-License-Identifier: GPL-2.0

//! Asking the daemon whether a client's Kerberos token is good, and whose it is.

use kernel::prelude::*;
use linux::genetlink::MAX_PAYLOAD;
use smb_proto::ipc::{
    user_flag, Command, Conversation, SpnegoRequest, SpnegoResponse, MAX_TOOLS_MESSAGE,
};
use smb_proto::wire::Writer;

use crate::session::keys::FullKey;

use super::calls::{self, Account};
use super::link::{Link, LinkError};

/// Bytes of a netlink message around the request of a daemon that bounds whole messages.
const FRAME: usize = 64;

/// What the daemon said of a token.
pub(crate) enum Outcome {
    /// The client has to answer this token.
    Continue(KVec<u8>),
    /// The client is who it says.
    Done {
        account: Account,
        /// Absent for guests.
        key: Option<FullKey>,
        /// The last token for the client.
        token: KVec<u8>,
    },
    /// The token is not good, or nobody's.
    Refused,
}

/// Asks about `token`, a step of `conversation`; a daemon that knows no conversations is asked without one.
pub(crate) fn ask(
    link: &Link,
    token: &[u8],
    conversation: Option<Conversation>,
) -> Result<Outcome, LinkError> {
    let most = match conversation {
        Some(_) => MAX_PAYLOAD,
        None => MAX_TOOLS_MESSAGE.saturating_sub(FRAME),
    };
    if token.len().saturating_add(SpnegoRequest::OVERHEAD) > most {
        return Ok(Outcome::Refused);
    }
    let handle = link.new_handle();
    let request = SpnegoRequest {
        handle,
        blob: token,
        conversation,
    };
    let mut tail = [0u8; SpnegoRequest::OVERHEAD];
    let mut writer = Writer::new(&mut tail);
    request.write_tail(&mut writer)?;
    let parts = [token, writer.written()];
    let bytes = link.ask_as(
        handle,
        Command::SpnegoRequest,
        |w| request.write_head(w),
        &parts,
    )?;
    let answer = SpnegoResponse::parse(&bytes)?;
    read(link, &answer, conversation.is_some())
}

fn read(
    link: &Link,
    answer: &SpnegoResponse<'_>,
    may_continue: bool,
) -> Result<Outcome, LinkError> {
    let mut token = KVec::new();
    token.extend_from_slice(answer.blob, GFP_KERNEL)?;
    let status = answer.login.status;
    if may_continue && status & user_flag::CONTINUE != 0 {
        return Ok(Outcome::Continue(token));
    }
    if status & user_flag::OK == 0 {
        return Ok(Outcome::Refused);
    }
    let account = calls::account_of(link, &answer.login)?;
    let key = FullKey::from_slice(answer.key);
    if key.is_none() && !account.is_guest() {
        return Err(LinkError::BadAnswer);
    }
    Ok(Outcome::Done {
        account,
        key,
        token,
    })
}
