// SPDX-License-Identifier: GPL-2.0

//! OPLOCK_BREAK: notifications, acknowledgements and replies for oplocks ([MS-SMB2] 2.2.23.1, 2.2.24.1, 2.2.25.1) and leases
//! (2.2.23.2, 2.2.24.2, 2.2.25.2).
//!
//! One command carries both, and their `StructureSize` tells which. An oplock's acknowledgement and its reply look as its
//! notification does; a lease's reply looks as its acknowledgement does.

use crate::body;
use crate::create::OplockLevel;
use crate::header::{FileId, HEADER_LEN};
use crate::lease::{LeaseFlags, LeaseKey, LeaseState};
use crate::security::AccessMask;
use crate::wire::{Malformed, Parsed, Writer, Written};

const OPLOCK_SIZE: u16 = 24;
const LEASE_NOTIFICATION_SIZE: u16 = 44;
const LEASE_ACK_SIZE: u16 = 36;

/// An oplock break: notification, acknowledgement or reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OplockBreak {
    /// `OplockLevel`: what remains.
    pub level: OplockLevel,
    /// The open that holds the oplock.
    pub file_id: FileId,
}

impl OplockBreak {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, OPLOCK_SIZE)?;
        let level = OplockLevel(r.u8()?);
        r.skip(5)?;
        Ok(OplockBreak {
            level,
            file_id: FileId::read(&mut r)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(OPLOCK_SIZE)?;
        w.u8(self.level.0)?;
        w.zeros(5)?;
        self.file_id.write(w)
    }
}

flags! {
    /// `Flags` of a lease break notification.
    pub struct LeaseBreakFlags: u32 {
        /// The client must acknowledge.
        ACK_REQUIRED = 0x0000_0001;
    }
}

/// A lease break notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseBreak {
    /// `NewEpoch`; 0 for leases of version 1.
    pub new_epoch: u16,
    /// `Flags`.
    pub flags: LeaseBreakFlags,
    /// `LeaseKey`.
    pub key: LeaseKey,
    /// `CurrentLeaseState`.
    pub current_state: LeaseState,
    /// `NewLeaseState`: what remains.
    pub new_state: LeaseState,
    /// `AccessMaskHint`; reserved.
    pub access_mask_hint: AccessMask,
}

impl LeaseBreak {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, LEASE_NOTIFICATION_SIZE)?;
        let new_epoch = r.u16()?;
        let flags = LeaseBreakFlags::from_bits(r.u32()?);
        let key = LeaseKey(r.array()?);
        let current_state = LeaseState::from_bits(r.u32()?);
        let new_state = LeaseState::from_bits(r.u32()?);
        let _break_reason = r.u32()?;
        let access_mask_hint = AccessMask::from_bits(r.u32()?);
        Ok(LeaseBreak {
            new_epoch,
            flags,
            key,
            current_state,
            new_state,
            access_mask_hint,
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(LEASE_NOTIFICATION_SIZE)?;
        w.u16(self.new_epoch)?;
        w.u32(self.flags.bits())?;
        w.bytes(&self.key.0)?;
        w.u32(self.current_state.bits())?;
        w.u32(self.new_state.bits())?;
        w.u32(0)?;
        w.u32(self.access_mask_hint.bits())?;
        w.u32(0)
    }
}

/// A lease break acknowledgement, or the reply to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseAck {
    /// `Flags`.
    pub flags: LeaseFlags,
    /// `LeaseKey`.
    pub key: LeaseKey,
    /// `LeaseState`: what the client keeps.
    pub state: LeaseState,
}

impl LeaseAck {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let mut r = body::open(pdu, LEASE_ACK_SIZE)?;
        r.skip(2)?;
        Ok(LeaseAck {
            flags: LeaseFlags::from_bits(r.u32()?),
            key: LeaseKey(r.array()?),
            state: LeaseState::from_bits(r.u32()?),
        })
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u16(LEASE_ACK_SIZE)?;
        w.u16(0)?;
        w.u32(self.flags.bits())?;
        w.bytes(&self.key.0)?;
        w.u32(self.state.bits())?;
        w.u64(0)
    }
}

/// What a client sends with the command OPLOCK_BREAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Acknowledges an oplock break.
    Oplock(OplockBreak),
    /// Acknowledges a lease break.
    Lease(LeaseAck),
}

impl Request {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        match structure_size(pdu)? {
            OPLOCK_SIZE => OplockBreak::parse(pdu).map(Request::Oplock),
            LEASE_ACK_SIZE => LeaseAck::parse(pdu).map(Request::Lease),
            _ => Err(Malformed),
        }
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        match self {
            Request::Oplock(ack) => ack.write(w),
            Request::Lease(ack) => ack.write(w),
        }
    }
}

/// What a server sends with the command OPLOCK_BREAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An oplock break notification, or the reply to an acknowledgement.
    Oplock(OplockBreak),
    /// A lease break notification.
    LeaseBreak(LeaseBreak),
    /// The reply to a lease break acknowledgement.
    LeaseAck(LeaseAck),
}

impl Reply {
    /// Parses the element `pdu`.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        match structure_size(pdu)? {
            OPLOCK_SIZE => OplockBreak::parse(pdu).map(Reply::Oplock),
            LEASE_NOTIFICATION_SIZE => LeaseBreak::parse(pdu).map(Reply::LeaseBreak),
            LEASE_ACK_SIZE => LeaseAck::parse(pdu).map(Reply::LeaseAck),
            _ => Err(Malformed),
        }
    }

    /// Appends the body.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        match self {
            Reply::Oplock(message) => message.write(w),
            Reply::LeaseBreak(message) => message.write(w),
            Reply::LeaseAck(message) => message.write(w),
        }
    }
}

fn structure_size(pdu: &[u8]) -> Parsed<u16> {
    let body = pdu.get(HEADER_LEN..).ok_or(Malformed)?;
    let (size, _) = body.split_first_chunk::<2>().ok_or(Malformed)?;
    Ok(u16::from_le_bytes(*size))
}
