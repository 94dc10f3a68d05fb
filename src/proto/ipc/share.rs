// SPDX-License-Identifier: GPL-2.0

//! How a share is configured.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

use super::{
    fixed, length, share_flag, strings, until_nul, Text, NO_FORCED_ID, NO_FORCED_ID_WIDE,
    SHARE_NAME_SIZE,
};

/// [`Command::ShareConfigRequest`](super::Command::ShareConfigRequest): tell me about a share.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareConfigRequest {
    /// Matches the answer.
    pub handle: u32,
    /// Name of the share, case-folded.
    pub name: Text<SHARE_NAME_SIZE>,
    /// Zero.
    pub reserved: [u32; 16],
}
fixed!(ShareConfigRequest, 132, handle = 0, name = 4, reserved = 68);

/// Facts about a share that the original layout has no room for. It lies at the end of the reserved bytes of
/// [`ShareConfigHead`], so a peer that does not know it neither reads it nor sets its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareExtension {
    /// [`ShareExtension::MARK`] if the rest is meant.
    pub mark: u32,
    /// User that owns every access, or [`NO_FORCED_ID_WIDE`].
    pub force_uid: u32,
    /// Group of every access, or [`NO_FORCED_ID_WIDE`].
    pub force_gid: u32,
    /// Zero.
    pub reserved: u32,
}

impl ShareExtension {
    /// Says that the sender knows the extension.
    pub const MARK: u32 = 0x3158_5352;
    /// The sender does not know the extension.
    pub const ABSENT: ShareExtension = ShareExtension {
        mark: 0,
        force_uid: 0,
        force_gid: 0,
        reserved: 0,
    };
}

/// Fixed part of [`ShareConfigResponse`].
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShareConfigHead {
    /// The request's handle.
    pub handle: u32,
    /// [`share_flag`]; zero if there is no such share.
    pub flags: u32,
    /// Permission bits that a created file may have.
    pub create_mask: u16,
    /// Permission bits that a created directory may have.
    pub directory_mask: u16,
    /// Permission bits that a created file always has.
    pub force_create_mode: u16,
    /// Permission bits that a created directory always has.
    pub force_directory_mode: u16,
    /// User of every access, or [`NO_FORCED_ID`]; prefer [`ShareConfigHead::forced_uid`].
    pub force_uid: u16,
    /// Group of every access, or [`NO_FORCED_ID`]; prefer [`ShareConfigHead::forced_gid`].
    pub force_gid: u16,
    /// Name of the share as configured; may be empty.
    pub name: Text<SHARE_NAME_SIZE>,
    /// Zero.
    pub reserved: [u32; 107],
    /// Wider ids, if the sender knows them.
    pub extension: ShareExtension,
    /// Bytes of the payload that follows; some daemons leave it 0.
    pub payload_size: u32,
    /// Bytes of the veto list in the payload, without the NUL after it.
    pub veto_size: u32,
}
fixed!(
    ShareConfigHead,
    536,
    handle = 0,
    flags = 4,
    create_mask = 8,
    directory_mask = 10,
    force_create_mode = 12,
    force_directory_mode = 14,
    force_uid = 16,
    force_gid = 18,
    name = 20,
    reserved = 84,
    extension = 512,
    payload_size = 528,
    veto_size = 532,
);

impl ShareConfigHead {
    /// The answer for a share that does not exist.
    pub fn none(handle: u32) -> Self {
        ShareConfigHead {
            handle,
            flags: 0,
            create_mask: 0,
            directory_mask: 0,
            force_create_mode: 0,
            force_directory_mode: 0,
            force_uid: NO_FORCED_ID,
            force_gid: NO_FORCED_ID,
            name: Text::EMPTY,
            reserved: [0; 107],
            extension: ShareExtension::ABSENT,
            payload_size: 0,
            veto_size: 0,
        }
    }

    /// The user of every access, if one is forced.
    pub fn forced_uid(&self) -> Option<u32> {
        forced(
            self.extension.mark,
            self.extension.force_uid,
            self.force_uid,
        )
    }

    /// The group of every access, if one is forced.
    pub fn forced_gid(&self) -> Option<u32> {
        forced(
            self.extension.mark,
            self.extension.force_gid,
            self.force_gid,
        )
    }
}

fn forced(mark: u32, wide: u32, narrow: u16) -> Option<u32> {
    if mark == ShareExtension::MARK {
        return (wide != NO_FORCED_ID_WIDE).then_some(wide);
    }
    (narrow != NO_FORCED_ID).then_some(u32::from(narrow))
}

/// [`Command::ShareConfigResponse`](super::Command::ShareConfigResponse): a share's configuration.
///
/// The payload is the veto list (patterns, each ended by a NUL) with one more NUL after it if there is a list, then the path.
#[derive(Clone, Copy)]
pub struct ShareConfigResponse<'a> {
    /// The fixed part.
    pub head: ShareConfigHead,
    veto: &'a [u8],
    path: &'a [u8],
}

impl<'a> ShareConfigResponse<'a> {
    /// Reads a whole answer. A pipe share has neither veto list nor path, whatever its sizes say: some daemons set them wrongly.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a size does not agree with the payload, the name has no end, or a share that is not a pipe has no
    /// path.
    pub fn parse(payload: &'a [u8]) -> Parsed<Self> {
        let mut reader = Reader::new(payload);
        let head: ShareConfigHead = reader.get()?;
        head.name.terminated()?;
        if head.flags == 0 || head.flags & share_flag::PIPE != 0 {
            return Ok(ShareConfigResponse {
                head,
                veto: &[],
                path: &[],
            });
        }
        if head.payload_size != 0 {
            reader = reader.sub(length(head.payload_size)?)?;
        }
        let veto = reader.take(length(head.veto_size)?)?;
        if !veto.is_empty() {
            reader.skip(1)?;
        }
        let path = until_nul(reader.rest());
        if path.is_empty() {
            return Err(Malformed);
        }
        Ok(ShareConfigResponse { head, veto, path })
    }

    /// The patterns of names that are refused and hidden.
    pub fn veto_patterns(&self) -> impl Iterator<Item = &'a [u8]> {
        strings(self.veto)
    }

    /// The share's directory on the server; empty for a pipe share and for a share that does not exist.
    pub fn path(&self) -> &'a [u8] {
        self.path
    }

    /// Writes an answer; the sizes in `head` are set here. `veto` is patterns, each ended by a NUL. A pipe share and the answer
    /// for no share get no payload.
    ///
    /// # Errors
    ///
    /// [`Full`] if it does not fit.
    pub fn write(head: &ShareConfigHead, veto: &[u8], path: &[u8], w: &mut Writer<'_>) -> Written {
        let mut head = *head;
        if head.flags == 0 || head.flags & share_flag::PIPE != 0 {
            head.payload_size = 0;
            head.veto_size = 0;
            return w.put(&head);
        }
        let separator = usize::from(!veto.is_empty());
        let size = veto
            .len()
            .checked_add(separator)
            .and_then(|size| size.checked_add(path.len()))
            .and_then(|size| size.checked_add(1))
            .ok_or(Full)?;
        head.payload_size = u32::try_from(size).map_err(|_| Full)?;
        head.veto_size = u32::try_from(veto.len()).map_err(|_| Full)?;
        w.put(&head)?;
        w.bytes(veto)?;
        w.zeros(separator)?;
        w.bytes(path)?;
        w.u8(0)
    }
}
