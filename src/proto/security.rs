// SPDX-License-Identifier: GPL-2.0

//! Security identifiers, access control lists and self-relative security descriptors, [MS-DTYP] 2.4.

use crate::access::AccessMask;
use crate::layout::{fixed_flags, Fixed};
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Most sub-authorities that a SID has (2.4.2.2).
pub const MAX_SUB_AUTHORITIES: usize = 15;

/// Most bytes that a SID has on the wire.
pub const MAX_SID_SIZE: usize = 68;

flags! {
    /// AceFlags (2.4.4.1).
    pub struct AceFlags: u8 {
        /// Files in the directory inherit the entry.
        OBJECT_INHERIT = 0x01;
        /// Subdirectories inherit the entry.
        CONTAINER_INHERIT = 0x02;
        /// Inheritance ends one level down.
        NO_PROPAGATE_INHERIT = 0x04;
        /// The entry does not apply to the object itself.
        INHERIT_ONLY = 0x08;
        /// The entry was inherited.
        INHERITED = 0x10;
        /// Audit successful access.
        SUCCESSFUL_ACCESS = 0x40;
        /// Audit failed access.
        FAILED_ACCESS = 0x80;
    }
}

flags! {
    /// Control bits of a security descriptor (2.4.6).
    pub struct SdControl: u16 {
        /// The owner came from a default.
        OWNER_DEFAULTED = 0x0001;
        /// The group came from a default.
        GROUP_DEFAULTED = 0x0002;
        /// There is a DACL, be it a null one.
        DACL_PRESENT = 0x0004;
        /// The DACL came from a default.
        DACL_DEFAULTED = 0x0008;
        /// There is a SACL, be it a null one.
        SACL_PRESENT = 0x0010;
        /// The SACL came from a default.
        SACL_DEFAULTED = 0x0020;
        /// The DACL is from a trusted source.
        DACL_TRUSTED = 0x0040;
        /// Server security.
        SERVER_SECURITY = 0x0080;
        /// The setter asks for inheritance to be computed for the DACL.
        DACL_AUTO_INHERIT_REQ = 0x0100;
        /// The setter asks for inheritance to be computed for the SACL.
        SACL_AUTO_INHERIT_REQ = 0x0200;
        /// The DACL's inheritance was computed.
        DACL_AUTO_INHERITED = 0x0400;
        /// The SACL's inheritance was computed.
        SACL_AUTO_INHERITED = 0x0800;
        /// The DACL inherits nothing.
        DACL_PROTECTED = 0x1000;
        /// The SACL inherits nothing.
        SACL_PROTECTED = 0x2000;
        /// Sbz1 holds resource manager bits.
        RM_CONTROL_VALID = 0x4000;
        /// One block of memory with offsets: always so on the wire.
        SELF_RELATIVE = 0x8000;
    }
}

flags! {
    /// SECURITY_INFORMATION (2.4.7): which parts of a descriptor are asked for or set.
    pub struct SecurityInfo: u32 {
        /// Owner.
        OWNER = 0x0000_0001;
        /// Group.
        GROUP = 0x0000_0002;
        /// DACL.
        DACL = 0x0000_0004;
        /// SACL without labels.
        SACL = 0x0000_0008;
        /// Mandatory label.
        LABEL = 0x0000_0010;
        /// Resource attributes.
        ATTRIBUTE = 0x0000_0020;
        /// Central access policy.
        SCOPE = 0x0000_0040;
        /// Everything, for a backup.
        BACKUP = 0x0001_0000;
        /// The SACL inherits.
        UNPROTECTED_SACL = 0x1000_0000;
        /// The DACL inherits.
        UNPROTECTED_DACL = 0x2000_0000;
        /// The SACL does not inherit.
        PROTECTED_SACL = 0x4000_0000;
        /// The DACL does not inherit.
        PROTECTED_DACL = 0x8000_0000;
    }
}

fixed_flags!(u32: SecurityInfo);
fixed_flags!(u16: SdControl);
fixed_flags!(u8: AceFlags);

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
                pub const $name: Sid = Sid::known($authority, &[$($sub),*]);
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
    /// Only for constants: an authority below 256.
    const fn known(authority: u8, subs: &[u32]) -> Sid {
        let mut sid = Sid {
            authority: [0, 0, 0, 0, 0, authority],
            count: 0,
            subs: [0; MAX_SUB_AUTHORITIES],
        };
        while (sid.count as usize) < subs.len() {
            sid.subs[sid.count as usize] = subs[sid.count as usize];
            sid.count += 1;
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
        let rest = text
            .strip_prefix("S-1-")
            .or_else(|| text.strip_prefix("s-1-"))?;
        let mut parts = rest.split('-');
        let authority = parts.next()?;
        let authority = match authority.strip_prefix("0x") {
            Some(digits) if digits.len() == 12 && !digits.starts_with('+') => {
                u64::from_str_radix(digits, 16).ok()?
            }
            Some(_) => return None,
            None => u64::from(number(authority)?),
        };
        let mut sid = Sid::new(authority, &[])?;
        for part in parts {
            sid = sid.with_rid(number(part)?)?;
        }
        Some(sid)
    }
}

fn number(digits: &str) -> Option<u32> {
    if digits.starts_with('+') {
        return None;
    }
    digits.parse().ok()
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

/// A GUID as it stands on the wire ([MS-DTYP] 2.3.4.2).
pub type Guid = [u8; 16];

open_enum! {
    /// AceType (2.4.4.1).
    pub struct AceType: u8 {
        /// Allows access.
        ALLOWED = 0x00;
        /// Denies access.
        DENIED = 0x01;
        /// Audits access.
        AUDIT = 0x02;
        /// Reserved by the document.
        ALARM = 0x03;
        /// Allows access to an object, property set or property.
        ALLOWED_OBJECT = 0x05;
        /// Denies access to an object, property set or property.
        DENIED_OBJECT = 0x06;
        /// Audits access to an object, property set or property.
        AUDIT_OBJECT = 0x07;
        /// Reserved by the document.
        ALARM_OBJECT = 0x08;
        /// Allows access under a condition.
        ALLOWED_CALLBACK = 0x09;
        /// Denies access under a condition.
        DENIED_CALLBACK = 0x0A;
        /// Object entry under a condition.
        ALLOWED_CALLBACK_OBJECT = 0x0B;
        /// Object entry under a condition.
        DENIED_CALLBACK_OBJECT = 0x0C;
        /// Audits under a condition.
        AUDIT_CALLBACK = 0x0D;
        /// Reserved by the document.
        ALARM_CALLBACK = 0x0E;
        /// Object entry under a condition.
        AUDIT_CALLBACK_OBJECT = 0x0F;
        /// Reserved by the document.
        ALARM_CALLBACK_OBJECT = 0x10;
        /// Integrity level.
        MANDATORY_LABEL = 0x11;
        /// Claim about the resource.
        RESOURCE_ATTRIBUTE = 0x12;
        /// Central access policy.
        SCOPED_POLICY_ID = 0x13;
    }
}

impl AceType {
    /// Whether GUIDs may stand between the mask and the SID.
    pub fn is_object(self) -> bool {
        matches!(self.0, 0x05..=0x08 | 0x0B | 0x0C | 0x0F | 0x10)
    }

    /// Whether the type grants access, callback types included.
    pub fn allows(self) -> bool {
        matches!(self.0, 0x00 | 0x05 | 0x09 | 0x0B)
    }

    /// Whether the type denies access, callback types included.
    pub fn denies(self) -> bool {
        matches!(self.0, 0x01 | 0x06 | 0x0A | 0x0C)
    }
}

/// An access control entry (2.4.4). All types in use have the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ace<'a> {
    /// What the entry does.
    pub kind: AceType,
    /// Inheritance and audit flags.
    pub flags: AceFlags,
    /// Rights; for a mandatory label, its policy.
    pub mask: AccessMask,
    /// ObjectType, in object types.
    pub object_type: Option<Guid>,
    /// InheritedObjectType, in object types.
    pub inherited_object_type: Option<Guid>,
    /// Whom the entry concerns.
    pub sid: Sid,
    /// What follows the SID: the condition of callback types, the claim of a resource attribute.
    pub data: &'a [u8],
}

impl<'a> Ace<'a> {
    /// An entry of a plain type.
    pub const fn new(kind: AceType, flags: AceFlags, mask: AccessMask, sid: Sid) -> Ace<'static> {
        Ace {
            kind,
            flags,
            mask,
            object_type: None,
            inherited_object_type: None,
            sid,
            data: &[],
        }
    }

    /// Takes an entry from the front of `r`.
    ///
    /// # Errors
    ///
    /// `Malformed`, also for a type that has no layout here, and for a size that is no multiple of four.
    pub fn take(r: &mut Reader<'a>) -> Parsed<Self> {
        let mut head = *r;
        let kind = AceType(head.u8()?);
        let flags = AceFlags::take(&mut head)?;
        let size = head.u16()?;
        if size & 3 != 0 || kind.name().is_none() {
            return Err(Malformed);
        }
        let mut ace = r.sub(usize::from(size))?;
        ace.skip(4)?;
        let mask = AccessMask::take(&mut ace)?;
        let (object_type, inherited_object_type) = match kind.is_object() {
            true => object_guids(&mut ace)?,
            false => (None, None),
        };
        let sid = Sid::take(&mut ace)?;
        let data = ace.rest();
        Ok(Ace {
            kind,
            flags,
            mask,
            object_type,
            inherited_object_type,
            sid,
            data,
        })
    }

    /// Bytes on the wire, with the data padded to a multiple of four.
    pub fn size(&self) -> usize {
        let guids = [self.object_type, self.inherited_object_type]
            .into_iter()
            .flatten();
        let object = match self.kind.is_object() {
            true => guids.fold(4usize, |size, _| size.saturating_add(16)),
            false => 0,
        };
        let padded = self.data.len().saturating_add(3) & !3;
        self.sid
            .size()
            .saturating_add(8)
            .saturating_add(object)
            .saturating_add(padded)
    }

    /// Appends the entry.
    ///
    /// # Errors
    ///
    /// `Full`, also if the entry's size does not fit into its 16-bit field.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let start = w.mark();
        w.u8(self.kind.0)?;
        self.flags.put(w)?;
        w.u16(u16::try_from(self.size()).map_err(|_| Full)?)?;
        self.mask.put(w)?;
        if self.kind.is_object() {
            let present = u32::from(self.object_type.is_some());
            let inherited = u32::from(self.inherited_object_type.is_some());
            w.u32(present | (inherited << 1))?;
            for guid in [self.object_type, self.inherited_object_type]
                .iter()
                .flatten()
            {
                w.bytes(guid)?;
            }
        }
        self.sid.write(w)?;
        w.bytes(self.data)?;
        w.align(start, 4)
    }
}

fn object_guids(ace: &mut Reader<'_>) -> Parsed<(Option<Guid>, Option<Guid>)> {
    let flags = ace.u32()?;
    let mut guid = |bit: u32| match flags & bit {
        0 => Ok(None),
        _ => ace.array().map(Some),
    };
    Ok((guid(1)?, guid(2)?))
}

/// An access control list (2.4.5), every entry of which was found to be well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acl<'a> {
    revision: u8,
    count: u16,
    entries: &'a [u8],
}

impl<'a> Acl<'a> {
    /// Bytes before the entries.
    pub const HEADER: usize = 8;
    /// AclRevision without object entries.
    pub const REVISION: u8 = 2;
    /// AclRevision that object entries need.
    pub const REVISION_DS: u8 = 4;

    /// Reads a list from the front of `bytes`, and checks each entry.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let revision = r.u8()?;
        r.skip(1)?;
        let size = r.u16()?;
        let count = r.u16()?;
        r.skip(2)?;
        if !(Self::REVISION..=Self::REVISION_DS).contains(&revision) {
            return Err(Malformed);
        }
        let entries = r.take(
            usize::from(size)
                .checked_sub(Self::HEADER)
                .ok_or(Malformed)?,
        )?;
        let mut rest = Reader::new(entries);
        for _ in 0..count {
            Ace::take(&mut rest)?;
        }
        Ok(Acl {
            revision,
            count,
            entries,
        })
    }

    /// AclRevision.
    pub fn revision(&self) -> u8 {
        self.revision
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is no entry. A DACL without entries grants nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = Ace<'a>> + Clone {
        let mut rest = Reader::new(self.entries);
        // `parse` has read as many entries from the same bytes.
        (0..self.count).map_while(move |_| Ace::take(&mut rest).ok())
    }

    /// Appends the list.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let mut list = AclWriter::new(w, self.revision)?;
        for ace in self.iter() {
            list.ace(&ace)?;
        }
        list.finish()
    }
}

/// Appends an access control list entry by entry.
#[derive(Debug)]
pub struct AclWriter<'w, 'b> {
    w: &'w mut Writer<'b>,
    start: Mark,
    revision: u8,
    count: u16,
}

impl<'w, 'b> AclWriter<'w, 'b> {
    /// Starts a list at the end of `w`.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn new(w: &'w mut Writer<'b>, revision: u8) -> Result<Self, Full> {
        let start = w.mark();
        w.zeros(Acl::HEADER)?;
        Ok(AclWriter {
            w,
            start,
            revision,
            count: 0,
        })
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// `Full`, also if the list would pass the 65,535 bytes that its size field can tell.
    pub fn ace(&mut self, ace: &Ace<'_>) -> Written {
        let before = self.w.mark();
        ace.write(self.w)?;
        if self.w.since(self.start) > usize::from(u16::MAX) {
            self.w.rewind(before);
            return Err(Full);
        }
        if ace.kind.is_object() {
            self.revision = self.revision.max(Acl::REVISION_DS);
        }
        self.count = self.count.checked_add(1).ok_or(Full)?;
        Ok(())
    }

    /// Completes the list's header.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn finish(self) -> Written {
        let size = u16::try_from(self.w.since(self.start)).map_err(|_| Full)?;
        let [size_low, size_high] = size.to_le_bytes();
        let [count_low, count_high] = self.count.to_le_bytes();
        let header = [
            self.revision,
            0,
            size_low,
            size_high,
            count_low,
            count_high,
            0,
            0,
        ];
        self.w.patch(self.start, &header)
    }
}

/// The ACL field of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AclField<'a> {
    /// The descriptor says nothing of it.
    #[default]
    Absent,
    /// There is explicitly none: as a DACL, everyone is granted everything.
    Null,
    /// The list.
    List(Acl<'a>),
}

/// A self-relative security descriptor (2.4.6), wholly checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityDescriptor<'a> {
    /// Control bits. The writer sets `SELF_RELATIVE` and the two `PRESENT` bits by what there is.
    pub control: SdControl,
    /// Owner.
    pub owner: Option<Sid>,
    /// Group.
    pub group: Option<Sid>,
    /// System ACL.
    pub sacl: AclField<'a>,
    /// Discretionary ACL.
    pub dacl: AclField<'a>,
}

impl<'a> SecurityDescriptor<'a> {
    /// Bytes before the parts.
    pub const HEADER: usize = 20;

    /// Reads a descriptor and all of its parts.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != 1 {
            return Err(Malformed);
        }
        r.skip(1)?;
        let control = SdControl::take(&mut r)?;
        if !control.contains(SdControl::SELF_RELATIVE) {
            return Err(Malformed);
        }
        let [owner, group, sacl, dacl] = [r.u32()?, r.u32()?, r.u32()?, r.u32()?];
        let sid = |offset| match part(bytes, offset)? {
            Some(bytes) => Sid::parse(bytes).map(Some),
            None => Ok(None),
        };
        let acl = |offset, present| match (part(bytes, offset)?, control.contains(present)) {
            (_, false) => Ok(AclField::Absent),
            (None, true) => Ok(AclField::Null),
            (Some(bytes), true) => Acl::parse(bytes).map(AclField::List),
        };
        Ok(SecurityDescriptor {
            control,
            owner: sid(owner)?,
            group: sid(group)?,
            sacl: acl(sacl, SdControl::SACL_PRESENT)?,
            dacl: acl(dacl, SdControl::DACL_PRESENT)?,
        })
    }

    /// Appends the descriptor.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let mut sd = SdWriter::new(w, self.control)?;
        sd.acl_field(Part::Sacl, &self.sacl)?;
        sd.acl_field(Part::Dacl, &self.dacl)?;
        if let Some(owner) = &self.owner {
            sd.owner(owner)?;
        }
        if let Some(group) = &self.group {
            sd.group(group)?;
        }
        sd.finish()
    }
}

fn part(bytes: &[u8], offset: u32) -> Parsed<Option<&[u8]>> {
    if offset == 0 {
        return Ok(None);
    }
    let offset = usize::try_from(offset).map_err(|_| Malformed)?;
    if offset < SecurityDescriptor::HEADER {
        return Err(Malformed);
    }
    bytes.get(offset..).map(Some).ok_or(Malformed)
}

#[derive(Clone, Copy)]
enum Part {
    Owner,
    Group,
    Sacl,
    Dacl,
}

/// Appends a self-relative security descriptor part by part, in any order; each part at most once.
#[derive(Debug)]
pub struct SdWriter<'w, 'b> {
    w: &'w mut Writer<'b>,
    start: Mark,
    control: SdControl,
    owner: u32,
    group: u32,
    sacl: u32,
    dacl: u32,
}

impl<'w, 'b> SdWriter<'w, 'b> {
    /// Starts a descriptor at the end of `w`.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn new(w: &'w mut Writer<'b>, control: SdControl) -> Result<Self, Full> {
        let start = w.mark();
        w.zeros(SecurityDescriptor::HEADER)?;
        let present = SdControl::SACL_PRESENT | SdControl::DACL_PRESENT;
        let control = control.without(present) | SdControl::SELF_RELATIVE;
        Ok(SdWriter {
            w,
            start,
            control,
            owner: 0,
            group: 0,
            sacl: 0,
            dacl: 0,
        })
    }

    /// Appends the owner.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn owner(&mut self, sid: &Sid) -> Written {
        self.begin(Part::Owner)?;
        sid.write(self.w)
    }

    /// Appends the group.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn group(&mut self, sid: &Sid) -> Written {
        self.begin(Part::Group)?;
        sid.write(self.w)
    }

    /// Appends a DACL of the entries that `entries` adds.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn dacl(&mut self, entries: impl FnOnce(&mut AclWriter<'_, 'b>) -> Written) -> Written {
        self.acl(Part::Dacl, entries)
    }

    /// Says that there is no DACL: everyone is granted everything.
    pub fn null_dacl(&mut self) {
        self.control |= SdControl::DACL_PRESENT;
    }

    /// Appends a SACL of the entries that `entries` adds.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn sacl(&mut self, entries: impl FnOnce(&mut AclWriter<'_, 'b>) -> Written) -> Written {
        self.acl(Part::Sacl, entries)
    }

    /// Completes the descriptor's header.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn finish(self) -> Written {
        let mut header = [0; SecurityDescriptor::HEADER];
        let mut h = Writer::new(&mut header);
        h.bytes(&[1, 0])?;
        self.control.put(&mut h)?;
        for offset in [self.owner, self.group, self.sacl, self.dacl] {
            h.u32(offset)?;
        }
        self.w.patch(self.start, &header)
    }

    fn begin(&mut self, part: Part) -> Written {
        self.w.align(self.start, 4)?;
        let offset = u32::try_from(self.w.since(self.start)).map_err(|_| Full)?;
        match part {
            Part::Owner => self.owner = offset,
            Part::Group => self.group = offset,
            Part::Sacl => {
                self.sacl = offset;
                self.control |= SdControl::SACL_PRESENT;
            }
            Part::Dacl => {
                self.dacl = offset;
                self.control |= SdControl::DACL_PRESENT;
            }
        }
        Ok(())
    }

    fn acl(
        &mut self,
        part: Part,
        entries: impl FnOnce(&mut AclWriter<'_, 'b>) -> Written,
    ) -> Written {
        self.begin(part)?;
        let mut list = AclWriter::new(self.w, Acl::REVISION)?;
        entries(&mut list)?;
        list.finish()
    }

    fn acl_field(&mut self, part: Part, field: &AclField<'_>) -> Written {
        match (field, part) {
            (AclField::Absent, _) => Ok(()),
            (AclField::Null, Part::Sacl) => {
                self.control |= SdControl::SACL_PRESENT;
                Ok(())
            }
            (AclField::Null, _) => {
                self.null_dacl();
                Ok(())
            }
            (AclField::List(acl), _) => {
                self.begin(part)?;
                acl.write(self.w)
            }
        }
    }
}
