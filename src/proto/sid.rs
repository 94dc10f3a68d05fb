// SPDX-License-Identifier: GPL-2.0

//! Security identifiers, [MS-DTYP] 2.4.2, and those that stand for Unix users, groups and modes.

use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// Most sub-authorities that a SID has (2.4.2.2).
pub const MAX_SUB_AUTHORITIES: usize = 15;

/// Most bytes that a SID has on the wire.
pub const MAX_SID_SIZE: usize = 68;

/// A security identifier (2.4.2). Sub-authorities that are not in use are zero, so that equal SIDs compare equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid {
    authority: [u8; 6],
    count: u8,
    subs: [u32; MAX_SUB_AUTHORITIES],
}

macro_rules! well_known {
    ($($(#[$meta:meta])* $name:ident = $authority:literal $(, $sub:literal)*;)*) => {
        impl Sid {
            $(
                $(#[$meta])*
                pub const $name: Sid = Sid::known($authority, [$($sub),*]);
            )*
        }
    };
}

well_known! {
    /// S-1-0-0: nobody.
    NULL = 0, 0;
    /// S-1-1-0.
    EVERYONE = 1, 0;
    /// S-1-3-0: in an inheritable entry, the owner of the new object.
    CREATOR_OWNER = 3, 0;
    /// S-1-3-1: in an inheritable entry, the group of the new object.
    CREATOR_GROUP = 3, 1;
    /// S-1-3-4: the owner of the object.
    OWNER_RIGHTS = 3, 4;
    /// S-1-5-2.
    NETWORK = 5, 2;
    /// S-1-5-7.
    ANONYMOUS = 5, 7;
    /// S-1-5-11.
    AUTHENTICATED_USERS = 5, 11;
    /// S-1-5-18.
    LOCAL_SYSTEM = 5, 18;
    /// S-1-5-32-544.
    BUILTIN_ADMINISTRATORS = 5, 32, 544;
    /// S-1-5-32-545.
    BUILTIN_USERS = 5, 32, 545;
    /// S-1-5-32-546.
    BUILTIN_GUESTS = 5, 32, 546;
    /// S-1-16-4096: low integrity.
    LOW_INTEGRITY = 16, 4096;
    /// S-1-16-8192: medium integrity.
    MEDIUM_INTEGRITY = 16, 8192;
    /// S-1-16-12288: high integrity.
    HIGH_INTEGRITY = 16, 12288;
}

impl Sid {
    /// For the constants only: an authority below 256. It indexes, so it is generic: that way the compiler evaluates it,
    /// and makes no code of it.
    const fn known<const N: usize>(authority: u8, subs: [u32; N]) -> Sid {
        let mut sid = Sid {
            authority: [0, 0, 0, 0, 0, authority],
            count: 0,
            subs: [0; MAX_SUB_AUTHORITIES],
        };
        let mut i = 0;
        while i < N {
            sid.subs[i] = subs[i];
            sid.count += 1;
            i += 1;
        }
        sid
    }

    /// A SID from an authority (48 bits) and its sub-authorities; `None` if either is too large.
    pub fn new(authority: u64, subs: &[u32]) -> Option<Sid> {
        let [0, 0, authority @ ..] = authority.to_be_bytes() else {
            return None;
        };
        let mut sid = Sid {
            authority,
            count: 0,
            subs: [0; MAX_SUB_AUTHORITIES],
        };
        if subs.len() > MAX_SUB_AUTHORITIES {
            return None;
        }
        sid.count = u8::try_from(subs.len()).ok()?;
        for (to, from) in sid.subs.iter_mut().zip(subs) {
            *to = *from;
        }
        Some(sid)
    }

    fn pair(authority: u8, first: u32, second: u32) -> Sid {
        let mut subs = [0; MAX_SUB_AUTHORITIES];
        for (to, from) in subs.iter_mut().zip([first, second]) {
            *to = from;
        }
        Sid {
            authority: [0, 0, 0, 0, 0, authority],
            count: 2,
            subs,
        }
    }

    /// S-1-22-1-`uid`: a local user without an account of its own.
    pub fn unix_user(uid: u32) -> Sid {
        Sid::pair(22, 1, uid)
    }

    /// S-1-22-2-`gid`: a local group without an account of its own.
    pub fn unix_group(gid: u32) -> Sid {
        Sid::pair(22, 2, gid)
    }

    /// S-1-5-88-1-`uid`: an NFS owner.
    pub fn nfs_user(uid: u32) -> Sid {
        Sid::nfs(1, uid)
    }

    /// S-1-5-88-2-`gid`: an NFS group.
    pub fn nfs_group(gid: u32) -> Sid {
        Sid::nfs(2, gid)
    }

    /// S-1-5-88-3-`mode`: an NFS mode.
    pub fn nfs_mode(mode: u32) -> Sid {
        Sid::nfs(3, mode)
    }

    fn nfs(kind: u32, value: u32) -> Sid {
        let pair = Sid::pair(5, 88, kind);
        pair.with_rid(value).unwrap_or(pair)
    }

    /// `uid` of an S-1-22-1 or S-1-5-88-1 SID.
    pub fn as_unix_user(&self) -> Option<u32> {
        self.unix_id(1)
    }

    /// `gid` of an S-1-22-2 or S-1-5-88-2 SID.
    pub fn as_unix_group(&self) -> Option<u32> {
        self.unix_id(2)
    }

    /// Mode of an S-1-5-88-3 SID.
    pub fn as_nfs_mode(&self) -> Option<u32> {
        match (self.authority(), self.sub_authorities()) {
            (5, [88, 3, mode]) => Some(*mode),
            _ => None,
        }
    }

    fn unix_id(&self, kind: u32) -> Option<u32> {
        match (self.authority(), self.sub_authorities()) {
            (22, [of, id]) | (5, [88, of, id]) if *of == kind => Some(*id),
            _ => None,
        }
    }

    /// The identifier authority.
    pub fn authority(&self) -> u64 {
        let [a, b, c, d, e, f] = self.authority;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The sub-authorities in use.
    pub fn sub_authorities(&self) -> &[u32] {
        self.subs
            .get(..usize::from(self.count))
            .unwrap_or(&self.subs)
    }

    /// The last sub-authority.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities().last().copied()
    }

    /// The SID with one more sub-authority; `None` if it has 15 already.
    pub fn with_rid(&self, rid: u32) -> Option<Sid> {
        let mut sid = *self;
        *sid.subs.get_mut(usize::from(self.count))? = rid;
        sid.count = self.count.checked_add(1)?;
        Some(sid)
    }

    /// Whether this SID is `domain` and one more sub-authority.
    pub fn is_in_domain(&self, domain: &Sid) -> bool {
        self.authority == domain.authority
            && self
                .sub_authorities()
                .split_last()
                .is_some_and(|(_, rest)| rest == domain.sub_authorities())
    }

    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        usize::from(self.count).saturating_mul(4).saturating_add(8)
    }

    /// Takes a SID from the front of `r`.
    ///
    /// # Errors
    ///
    /// `Malformed` for another revision than 1, more than 15 sub-authorities, or too few bytes.
    pub fn take(r: &mut Reader<'_>) -> Parsed<Sid> {
        let revision = r.u8()?;
        let count = r.u8()?;
        if revision != 1 || usize::from(count) > MAX_SUB_AUTHORITIES {
            return Err(Malformed);
        }
        let authority = r.array()?;
        let mut subs = [0; MAX_SUB_AUTHORITIES];
        for sub in subs.iter_mut().take(usize::from(count)) {
            *sub = r.u32()?;
        }
        Ok(Sid {
            authority,
            count,
            subs,
        })
    }

    /// Reads a SID from the front of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Sid::take`].
    pub fn parse(bytes: &[u8]) -> Parsed<Sid> {
        Sid::take(&mut Reader::new(bytes))
    }

    /// Appends the SID.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.bytes(&[1, self.count])?;
        w.bytes(&self.authority)?;
        for sub in self.sub_authorities() {
            w.u32(*sub)?;
        }
        Ok(())
    }

    /// A SID from its string form (2.4.2.1), `S-1-5-32-544`; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Sid> {
        let [b'S' | b's', b'-', b'1', rest @ ..] = text.as_bytes() else {
            return None;
        };
        let mut rest = rest;
        let authority = match rest {
            // 48 bits that do not fit into 32 are written in hexadecimal.
            [b'-', b'0', b'x' | b'X', digits @ ..] => {
                rest = digits;
                take_number(&mut rest, 16)?
            }
            _ => take_part(&mut rest)?,
        };
        let mut sid = Sid::new(authority, &[])?;
        while !rest.is_empty() {
            sid = sid.with_rid(u32::try_from(take_part(&mut rest)?).ok()?)?;
        }
        Some(sid)
    }
}

/// Takes a dash and a decimal number.
fn take_part(rest: &mut &[u8]) -> Option<u64> {
    *rest = rest.strip_prefix(b"-")?;
    take_number(rest, 10)
}

/// Takes digits up to the next dash or the end; there must be one.
fn take_number(rest: &mut &[u8], base: u32) -> Option<u64> {
    let mut value = None;
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'-' {
            break;
        }
        let digit = char::from(*first).to_digit(base)?;
        let shifted = value.unwrap_or(0u64).checked_mul(u64::from(base))?;
        value = Some(shifted.checked_add(u64::from(digit))?);
        *rest = tail;
    }
    value
}

impl core::fmt::Display for Sid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match u32::try_from(self.authority()) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-{:#014x}", self.authority())?,
        }
        for sub in self.sub_authorities() {
            write!(f, "-{sub}")?;
        }
        Ok(())
    }
}

impl core::fmt::Debug for Sid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}
