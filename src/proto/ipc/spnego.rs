// SPDX-License-Identifier: GPL-2.0

//! What a Kerberos token is worth.

use core::mem::size_of;

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::{Full, Parsed, Reader, Writer, Written};

use super::{fixed, LoginResponse, StartupExtension, Text, PEER_SIZE};

/// Fixed part of [`SpnegoRequest`], as C's `sizeof` counts it. The blob begins at [`SpnegoRequestHead::BLOB_OFFSET`], within
/// this structure.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpnegoRequestHead {
    /// Matches the answer.
    pub handle: u32,
    /// Bytes of the blob.
    pub blob_size: u16,
    /// The blob's first bytes, or padding.
    pub blob_start: [u8; 2],
}
fixed!(
    SpnegoRequestHead,
    8,
    handle = 0,
    blob_size = 4,
    blob_start = 6
);

impl SpnegoRequestHead {
    /// Where the blob begins.
    pub const BLOB_OFFSET: usize = 6;
}

/// [`Command::SpnegoRequest`](super::Command::SpnegoRequest): authenticate this GSS token (Kerberos).
///
/// A daemon that sent [`StartupExtension::MARK`] is also told which conversation the token belongs to and with whom, behind the two
/// bytes that end the original layout. It keeps what a further token needs, and says with
/// [`user_flag::CONTINUE`](super::user_flag::CONTINUE) that it wants one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpnegoRequest<'a> {
    /// Matches the answer.
    pub handle: u32,
    /// The token from the client's SESSION_SETUP.
    pub blob: &'a [u8],
    /// The authentication that the token is a step of, if it may have several.
    pub conversation: Option<Conversation>,
}

/// An authentication that may have several tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its number; no two that are under way have the same.
    pub id: u64,
    /// The client's address as text; empty if the module does not tell it.
    pub client: Text<PEER_SIZE>,
}

/// The end of a [`SpnegoRequest`] that belongs to a conversation.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct SpnegoTail {
    /// Zero.
    padding: [u8; 2],
    mark: u32,
    conversation: u64,
}

impl<'a> SpnegoRequest<'a> {
    /// Most bytes of a request without its blob.
    pub const OVERHEAD: usize = 6 + size_of::<SpnegoTail>() + PEER_SIZE;

    /// Reads a whole request.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::wire::Malformed) if the message does not hold the blob that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let handle = u32::from_ne_bytes(reader.array()?);
        let size = u16::from_ne_bytes(reader.array()?);
        let blob = reader.take(usize::from(size))?;
        let tail: Option<SpnegoTail> = reader.get().ok();
        let client = reader.get::<Text<PEER_SIZE>>().ok();
        let client = client.filter(|client| client.terminated().is_ok());
        Ok(SpnegoRequest {
            handle,
            blob,
            conversation: tail
                .filter(|tail| tail.mark == StartupExtension::MARK)
                .map(|tail| Conversation {
                    id: tail.conversation,
                    client: client.unwrap_or(Text::EMPTY),
                }),
        })
    }

    /// Writes what stands before the blob.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or the blob has more than 65,535 bytes.
    pub fn write_head(&self, w: &mut Writer<'_>) -> Written {
        let size = u16::try_from(self.blob.len()).map_err(|_| Full)?;
        w.bytes(&self.handle.to_ne_bytes())?;
        w.bytes(&size.to_ne_bytes())
    }

    /// Writes what stands behind the blob.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write_tail(&self, w: &mut Writer<'_>) -> Written {
        match self.conversation {
            None => w.zeros(2),
            Some(conversation) => {
                w.put(&SpnegoTail {
                    padding: [0; 2],
                    mark: StartupExtension::MARK,
                    conversation: conversation.id,
                })?;
                w.put(&conversation.client)
            }
        }
    }

    /// Writes the request: `8 + blob.len()` bytes, and 76 more in a conversation.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or the blob has more than 65,535 bytes.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        self.write_head(w)?;
        w.bytes(self.blob)?;
        self.write_tail(w)
    }
}

/// Fixed part of [`SpnegoResponse`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpnegoResponseHead {
    /// The request's handle.
    pub handle: u32,
    /// The user that the token names; `status` says whether it is good.
    pub login: LoginResponse,
    /// Bytes of the session key.
    pub key_size: u16,
    /// Bytes of the answering token.
    pub blob_size: u16,
}
fixed!(
    SpnegoResponseHead,
    156,
    handle = 0,
    login = 4,
    key_size = 152,
    blob_size = 154
);

/// [`Command::SpnegoResponse`](super::Command::SpnegoResponse). Holds the session key, so it has no `Debug`.
#[derive(Clone, Copy)]
pub struct SpnegoResponse<'a> {
    /// The request's handle.
    pub handle: u32,
    /// The user that the token names; `status` says whether it is good.
    pub login: LoginResponse,
    /// The session key.
    pub key: &'a [u8],
    /// The token for the reply to SESSION_SETUP.
    pub blob: &'a [u8],
}

impl<'a> SpnegoResponse<'a> {
    /// Reads a whole answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::wire::Malformed) if the message does not hold the key and token that it announces.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: SpnegoResponseHead = reader.get()?;
        Ok(SpnegoResponse {
            handle: head.handle,
            login: head.login,
            key: reader.take(usize::from(head.key_size))?,
            blob: reader.take(usize::from(head.blob_size))?,
        })
    }

    /// Writes the answer.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit or a part has more than 65,535 bytes.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.put(&SpnegoResponseHead {
            handle: self.handle,
            login: self.login,
            key_size: u16::try_from(self.key.len()).map_err(|_| Full)?,
            blob_size: u16::try_from(self.blob.len()).map_err(|_| Full)?,
        })?;
        w.bytes(self.key)?;
        w.bytes(self.blob)
    }
}
