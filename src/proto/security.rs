// SPDX-License-Identifier: GPL-2.0

//! Access masks, access control lists and self-relative security descriptors, [MS-DTYP] 2.4.

use crate::layout::{fixed_flags, Fixed};
pub use crate::sid::Sid;
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

flags! {
    /// ACCESS_MASK (2.4.3), with the file and directory rights of [MS-SMB2] 2.2.13.1. A bit that means one thing for a file
    /// and another for a directory has both names.
    pub struct AccessMask: u32 {
        /// Read data.
        READ_DATA = 0x0000_0001;
        /// List a directory.
        LIST_DIRECTORY = 0x0000_0001;
        /// Write data.
        WRITE_DATA = 0x0000_0002;
        /// Add a file to a directory.
        ADD_FILE = 0x0000_0002;
        /// Append data.
        APPEND_DATA = 0x0000_0004;
        /// Add a directory to a directory.
        ADD_SUBDIRECTORY = 0x0000_0004;
        /// Read extended attributes.
        READ_EA = 0x0000_0008;
        /// Write extended attributes.
        WRITE_EA = 0x0000_0010;
        /// Execute.
        EXECUTE = 0x0000_0020;
        /// Pass through a directory.
        TRAVERSE = 0x0000_0020;
        /// Delete what a directory holds.
        DELETE_CHILD = 0x0000_0040;
        /// Read attributes.
        READ_ATTRIBUTES = 0x0000_0080;
        /// Write attributes.
        WRITE_ATTRIBUTES = 0x0000_0100;
        /// Delete the object.
        DELETE = 0x0001_0000;
        /// Read owner, group and DACL.
        READ_CONTROL = 0x0002_0000;
        /// Change the DACL.
        WRITE_DAC = 0x0004_0000;
        /// Change the owner.
        WRITE_OWNER = 0x0008_0000;
        /// Wait on the object; clients set it, servers ignore it.
        SYNCHRONIZE = 0x0010_0000;
        /// Read and change the SACL.
        ACCESS_SYSTEM_SECURITY = 0x0100_0000;
        /// All that the caller can get.
        MAXIMUM_ALLOWED = 0x0200_0000;
        /// Everything.
        GENERIC_ALL = 0x1000_0000;
        /// What executing needs.
        GENERIC_EXECUTE = 0x2000_0000;
        /// What writing needs.
        GENERIC_WRITE = 0x4000_0000;
        /// What reading needs.
        GENERIC_READ = 0x8000_0000;
    }
}

impl AccessMask {
    /// All rights that a file or directory knows: what GENERIC_ALL means for files.
    pub const FILE_ALL: AccessMask = AccessMask::from_bits(0x001F_01FF);
    /// What GENERIC_READ means for files.
    pub const FILE_GENERIC_READ: AccessMask = AccessMask::from_bits(0x0012_0089);
    /// What GENERIC_WRITE means for files.
    pub const FILE_GENERIC_WRITE: AccessMask = AccessMask::from_bits(0x0012_0116);
    /// What GENERIC_EXECUTE means for files.
    pub const FILE_GENERIC_EXECUTE: AccessMask = AccessMask::from_bits(0x0012_00A0);

    /// The mask with its generic bits replaced by the file rights that they stand for.
    pub fn map_generic(self) -> AccessMask {
        let mut mapped = self;
        for (generic, rights) in [
            (Self::GENERIC_READ, Self::FILE_GENERIC_READ),
            (Self::GENERIC_WRITE, Self::FILE_GENERIC_WRITE),
            (Self::GENERIC_EXECUTE, Self::FILE_GENERIC_EXECUTE),
            (Self::GENERIC_ALL, Self::FILE_ALL),
        ] {
            if self.contains(generic) {
                mapped = mapped.without(generic) | rights;
            }
        }
        mapped
    }
}

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

fixed_flags!(u32: AccessMask, SecurityInfo);
fixed_flags!(u16: SdControl);
fixed_flags!(u8: AceFlags);

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
