// SPDX-License-Identifier: GPL-2.0

//! FSCTL_VALIDATE_NEGOTIATE_INFO, [MS-SMB2] 3.3.5.15.12: whether somebody between client and server changed their
//! negotiation.

use smb_model::negotiate::{validates, ClientOffer};
use smb_proto::fsctl::{ValidateNegotiate, ValidateNegotiateReply};
use smb_proto::layout::Fixed;
use smb_proto::status::NtStatus;

use crate::smb2::context::{Context, Handled, Stop};

use super::Control;

/// Compares what the client says it negotiated with what was. Any difference ends the connection, and so does a request
/// that cannot be answered: without an answer the client must not go on either.
pub(super) fn validate(cx: &Context<'_>, control: &mut Control<'_>) -> Handled {
    let negotiated = cx.negotiated()?;
    let said = ValidateNegotiate::parse(control.request.input).map_err(|_| Stop::Disconnect)?;
    let offer = ClientOffer {
        capabilities: said.capabilities,
        guid: said.guid,
        security_mode: said.security_mode,
    };
    // Of when the connection began, as in the negotiation.
    let range = cx.conn.config.dialects;
    let is_same = validates(
        &negotiated.offer,
        &offer,
        range,
        negotiated.dialect,
        said.dialects(),
    );
    if !is_same || control.limit() < ValidateNegotiateReply::SIZE {
        debug!(
            cx.server(),
            Conn, "{}: the negotiation was tampered with\n", cx.conn.peer
        );
        return Err(Stop::Disconnect);
    }
    let answer = ValidateNegotiateReply {
        capabilities: negotiated.capabilities.0,
        guid: cx.server().guid,
        security_mode: negotiated.security_mode,
        dialect: negotiated.dialect.to_wire(),
    };
    control.answer(ValidateNegotiateReply::SIZE, |w| answer.put(w))?;
    Ok(NtStatus::SUCCESS)
}
