// SPDX-License-Identifier: GPL-2.0

//! Sending answers and notifications, plain or sealed.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_proto::header::{FRAME_HEADER_LEN, HEADER_LEN};
use smb_proto::transform;
use smb_proto::wire::Malformed;

use crate::session::Channel;
use crate::smb2::reply::{Reply, HEADROOM};

use super::outbox::Outgoing;
use super::{Connection, Frame};

/// Where the parts of a sealed frame lie in the headroom: length, TRANSFORM_HEADER, message.
const TRANSFORM_AT: usize = HEADROOM - transform::HEADER_LEN;
const SEALED_AT: usize = TRANSFORM_AT - FRAME_HEADER_LEN;
const PLAIN_AT: usize = HEADROOM - FRAME_HEADER_LEN;

impl Connection {
    /// Sends a reply as it stands, for which `reserved` bytes were reserved.
    pub(crate) fn send_plain(self: &Arc<Self>, reply: Reply, reserved: usize) -> Result {
        self.send_from(Outgoing {
            reply,
            at: PLAIN_AT,
            reserved,
        })
    }

    /// Seals a reply under the session's keys and sends it, [MS-SMB2] 3.1.4.3.
    pub(crate) fn send_sealed(
        self: &Arc<Self>,
        channel: &Channel,
        mut reply: Reply,
        reserved: usize,
    ) -> Result {
        if let Err(error) = seal(channel, &mut reply) {
            self.release(reserved);
            return Err(error);
        }
        self.send_from(Outgoing {
            reply,
            at: SEALED_AT,
            reserved,
        })
    }

    /// Sends the message, whose first four bytes become the frame's length.
    fn send_from(self: &Arc<Self>, mut message: Outgoing) -> Result {
        if let Err(error) = set_length(&mut message.reply, message.at) {
            self.release(message.reserved);
            return Err(error);
        }
        self.post(message)
    }

    /// Decrypts a sealed frame, [MS-SMB2] 3.3.5.2.1.1, and gives the session whose keys it was sealed with.
    pub(crate) fn open_sealed(&self, frame: &mut Frame) -> Result<Arc<Channel>, Malformed> {
        let (bytes, sealed) = frame
            .room_and_sealed(transform::HEADER_LEN)
            .map_err(|_| Malformed)?;
        let header = transform::Header::parse(bytes)?;
        let channel = self.channels.get(header.session_id()).ok_or(Malformed)?;
        let keys = channel.session.sealing().ok_or(Malformed)?;
        let (head, message) = bytes
            .split_at_mut_checked(transform::HEADER_LEN)
            .ok_or(Malformed)?;
        if message.len() < HEADER_LEN {
            return Err(Malformed);
        }
        let opened = keys.opener.open(head, &sealed, message);
        opened.map_err(|_| Malformed)?;
        frame.advance(transform::HEADER_LEN);
        // Sealed frames do not nest.
        match smb_proto::header::FrameKind::of(frame.bytes())? {
            smb_proto::header::FrameKind::Smb2 => Ok(channel),
            _ => Err(Malformed),
        }
    }
}

/// Encrypts a reply in its place, [MS-SMB2] 3.1.4.3.
fn seal(channel: &Channel, reply: &mut Reply) -> Result {
    let keys = channel.session.sealing().ok_or(EINVAL)?;
    let mut payload = reply.take_payload();
    let (buffer, _) = reply.parts_mut();
    let (head, message) = buffer.split_at_mut_checked(HEADROOM).ok_or(EINVAL)?;
    let (sealer, id) = (&keys.sealer, channel.session.id);
    let header = match &mut payload {
        // Page-cache pages belong to the file: what is sent are other pages, encrypted on the way into them.
        Some(pages) if pages.is_shared() => {
            let (header, sealed) = sealer.seal_copy(id, message, pages)?;
            *pages = sealed;
            header
        }
        own => sealer.seal(id, message, own.as_mut())?,
    };
    let at = head
        .get_mut(TRANSFORM_AT..)
        .and_then(|at| at.first_chunk_mut());
    *at.ok_or(EINVAL)? = header;
    if let Some(pages) = payload {
        reply.attach(pages);
    }
    Ok(())
}

/// Writes the transport's length into the four bytes at `at`, [MS-SMB2] 2.1.
fn set_length(reply: &mut Reply, at: usize) -> Result {
    let payload_len = reply.payload().map_or(0, |pages| pages.len());
    let (buffer, _) = reply.parts_mut();
    let bytes = buffer.get_mut(at..).ok_or(EINVAL)?;
    let len = bytes
        .len()
        .saturating_sub(FRAME_HEADER_LEN)
        .saturating_add(payload_len);
    let len = u32::try_from(len)
        .ok()
        .filter(|len| *len < 1 << 24)
        .ok_or(EMSGSIZE)?;
    let head = bytes
        .split_first_chunk_mut::<FRAME_HEADER_LEN>()
        .ok_or(EINVAL)?
        .0;
    *head = len.to_be_bytes();
    Ok(())
}
