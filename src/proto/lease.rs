// SPDX-License-Identifier: GPL-2.0

//! Leases as create contexts and breaks carry them, [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10 and 2.2.23.2.

use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// The client's name of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseKey(pub [u8; 16]);

flags! {
    /// `LeaseState`: what the client may cache.
    pub struct LeaseState: u32 {
        /// Reads.
        READ = 0x01;
        /// Open handles.
        HANDLE = 0x02;
        /// Writes.
        WRITE = 0x04;
    }
}

flags! {
    /// `LeaseFlags`, `Flags`.
    pub struct LeaseFlags: u32 {
        /// A break of the lease is under way.
        BREAK_IN_PROGRESS = 0x02;
        /// The parent's lease key is set.
        PARENT_LEASE_KEY_SET = 0x04;
    }
}

/// What version 2 of the context has beyond version 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseV2 {
    /// `ParentLeaseKey`; valid with [`LeaseFlags::PARENT_LEASE_KEY_SET`].
    pub parent_key: LeaseKey,
    /// `Epoch`.
    pub epoch: u16,
}

/// A lease in a create context, of either version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// `LeaseKey`.
    pub key: LeaseKey,
    /// `LeaseState`: wanted in a request, granted in a reply.
    pub state: LeaseState,
    /// `LeaseFlags`.
    pub flags: LeaseFlags,
    /// The rest of version 2; `None` in version 1.
    pub v2: Option<LeaseV2>,
}

impl Lease {
    const LEN_V1: usize = 32;
    const LEN_V2: usize = 52;

    /// The parent's key, if there is one.
    pub fn parent_key(&self) -> Option<LeaseKey> {
        let set = self.flags.contains(LeaseFlags::PARENT_LEASE_KEY_SET);
        self.v2.filter(|_| set).map(|v2| v2.parent_key)
    }

    /// Parses the data of a context. Their length tells the version.
    pub fn parse(data: &[u8]) -> Parsed<Self> {
        let mut r = Reader::new(data);
        let key = LeaseKey(r.array()?);
        let state = LeaseState::from_bits(r.u32()?);
        let flags = LeaseFlags::from_bits(r.u32()?);
        let _duration = r.u64()?;
        let v2 = match data.len() {
            Self::LEN_V1 => None,
            Self::LEN_V2 => Some(LeaseV2 {
                parent_key: LeaseKey(r.array()?),
                epoch: r.u16()?,
            }),
            _ => return Err(Malformed),
        };
        Ok(Lease {
            key,
            state,
            flags,
            v2,
        })
    }

    /// Appends the data of a context.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.bytes(&self.key.0)?;
        w.u32(self.state.bits())?;
        w.u32(self.flags.bits())?;
        w.u64(0)?;
        match &self.v2 {
            None => Ok(()),
            Some(v2) => {
                w.bytes(&v2.parent_key.0)?;
                w.u16(v2.epoch)?;
                w.u16(0)
            }
        }
    }
}
