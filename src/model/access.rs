// SPDX-License-Identifier: GPL-2.0

//! Access masks, and what a security descriptor or a mode grants.
//!
//! [MS-SMB2] 2.2.13.1 (access masks), [MS-DTYP] 2.4.3 (ACCESS_MASK), 2.4.4.1 (ACEs), 2.5.3.2 (access check algorithm),
//! [MS-FSA] 2.1.5.1.2.1 (access check of an open).

use smb_proto::status::NtStatus;

/// A set of access rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask(pub u32);

impl Mask {
    /// No right.
    pub const NONE: Mask = Mask(0);
    /// Read the file's data.
    pub const READ_DATA: Mask = Mask(0x0000_0001);
    /// Enumerate the directory.
    pub const LIST_DIRECTORY: Mask = Mask(0x0000_0001);
    /// Write the file's data.
    pub const WRITE_DATA: Mask = Mask(0x0000_0002);
    /// Create files in the directory.
    pub const ADD_FILE: Mask = Mask(0x0000_0002);
    /// Extend the file.
    pub const APPEND_DATA: Mask = Mask(0x0000_0004);
    /// Create directories in the directory.
    pub const ADD_SUBDIRECTORY: Mask = Mask(0x0000_0004);
    /// Read extended attributes.
    pub const READ_EA: Mask = Mask(0x0000_0008);
    /// Write extended attributes.
    pub const WRITE_EA: Mask = Mask(0x0000_0010);
    /// Execute the file.
    pub const EXECUTE: Mask = Mask(0x0000_0020);
    /// Pass through the directory.
    pub const TRAVERSE: Mask = Mask(0x0000_0020);
    /// Delete entries of the directory whatever their own security says.
    pub const DELETE_CHILD: Mask = Mask(0x0000_0040);
    /// Read attributes and times.
    pub const READ_ATTRIBUTES: Mask = Mask(0x0000_0080);
    /// Write attributes and times.
    pub const WRITE_ATTRIBUTES: Mask = Mask(0x0000_0100);
    /// Delete or rename the file.
    pub const DELETE: Mask = Mask(0x0001_0000);
    /// Read owner, group and DACL.
    pub const READ_CONTROL: Mask = Mask(0x0002_0000);
    /// Change the DACL.
    pub const WRITE_DAC: Mask = Mask(0x0004_0000);
    /// Change the owner.
    pub const WRITE_OWNER: Mask = Mask(0x0008_0000);
    /// Wait on the handle; ignored by the server.
    pub const SYNCHRONIZE: Mask = Mask(0x0010_0000);
    /// Read or change the SACL; needs a privilege.
    pub const ACCESS_SYSTEM_SECURITY: Mask = Mask(0x0100_0000);
    /// Ask for all that can be had.
    pub const MAXIMUM_ALLOWED: Mask = Mask(0x0200_0000);
    /// Stands for everything.
    pub const GENERIC_ALL: Mask = Mask(0x1000_0000);
    /// Stands for [`FILE_GENERIC_EXECUTE`](Self::FILE_GENERIC_EXECUTE).
    pub const GENERIC_EXECUTE: Mask = Mask(0x2000_0000);
    /// Stands for [`FILE_GENERIC_WRITE`](Self::FILE_GENERIC_WRITE).
    pub const GENERIC_WRITE: Mask = Mask(0x4000_0000);
    /// Stands for [`FILE_GENERIC_READ`](Self::FILE_GENERIC_READ).
    pub const GENERIC_READ: Mask = Mask(0x8000_0000);

    /// Every right that a file or a directory has.
    pub const ALL_FILE: Mask = Mask(0x001F_01FF);
    /// What GENERIC_READ means for a file or a directory.
    pub const FILE_GENERIC_READ: Mask = Mask(0x0012_0089);
    /// What GENERIC_WRITE means for a file or a directory.
    pub const FILE_GENERIC_WRITE: Mask = Mask(0x0012_0116);
    /// What GENERIC_EXECUTE means for a file or a directory.
    pub const FILE_GENERIC_EXECUTE: Mask = Mask(0x0012_00A0);

    /// Rights that change something: what a read-only share or medium takes away.
    pub const CHANGING: Mask = Mask(
        Self::WRITE_DATA.0
            | Self::APPEND_DATA.0
            | Self::WRITE_EA.0
            | Self::DELETE_CHILD.0
            | Self::WRITE_ATTRIBUTES.0
            | Self::DELETE.0
            | Self::WRITE_DAC.0
            | Self::WRITE_OWNER.0,
    );

    /// All that a client can hold on a read-only share.
    pub const READ_ONLY_SHARE: Mask = Mask(Self::ALL_FILE.0 & !Self::CHANGING.0);

    /// Rights whose use does not touch the data, so that opening for them alone breaks no oplock
    /// ([MS-FSA] 2.1.5.1.2).
    pub const OPLOCK_NEUTRAL: Mask =
        Mask(Self::READ_ATTRIBUTES.0 | Self::WRITE_ATTRIBUTES.0 | Self::SYNCHRONIZE.0);

    /// Bits that no request may have, [MS-FSA] 2.1.5.1.
    const UNDEFINED: Mask = Mask(0x0CE0_FE00);

    /// Whether it has all the rights of `other`.
    pub const fn contains(self, other: Mask) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it has any of the rights of `other`.
    pub const fn intersects(self, other: Mask) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it has no right.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rights of either.
    #[must_use]
    pub const fn union(self, other: Mask) -> Mask {
        Mask(self.0 | other.0)
    }

    /// The rights in both.
    #[must_use]
    pub const fn intersection(self, other: Mask) -> Mask {
        Mask(self.0 & other.0)
    }

    /// The rights that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Mask) -> Mask {
        Mask(self.0 & !other.0)
    }

    /// Replaces the generic rights by what they stand for, [MS-DTYP] 2.4.3. Files and directories map alike.
    #[must_use]
    pub const fn map_generic(self) -> Mask {
        let mut mask = self.0 & 0x0FFF_FFFF;
        if self.intersects(Self::GENERIC_READ) {
            mask |= Self::FILE_GENERIC_READ.0;
        }
        if self.intersects(Self::GENERIC_WRITE) {
            mask |= Self::FILE_GENERIC_WRITE.0;
        }
        if self.intersects(Self::GENERIC_EXECUTE) {
            mask |= Self::FILE_GENERIC_EXECUTE.0;
        }
        if self.intersects(Self::GENERIC_ALL) {
            mask |= Self::ALL_FILE.0;
        }
        Mask(mask)
    }

    /// Checks the `DesiredAccess` of a CREATE and maps its generic rights, [MS-FSA] 2.1.5.1.
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED` if it asks for nothing or has an undefined bit.
    pub fn desired(value: u32) -> Result<Mask, NtStatus> {
        let mask = Mask(value);
        if mask.intersects(Self::UNDEFINED) || mask.is_empty() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(mask.map_generic())
    }
}

/// Which rights an open must have for an operation: [MS-SMB2] 3.3.5 under each command, [MS-FSA] 2.1.5.
pub mod required {
    use super::Mask;

    /// One of the rights of `0` is enough, or all of them are needed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Required {
        /// Nothing is needed.
        Nothing,
        /// All of these rights.
        All(Mask),
        /// At least one of these rights.
        Any(Mask),
    }

    impl Required {
        /// Whether an open with `granted` may do it.
        pub fn met_by(self, granted: Mask) -> bool {
            match self {
                Required::Nothing => true,
                Required::All(mask) => granted.contains(mask),
                Required::Any(mask) => granted.intersects(mask),
            }
        }
    }

    /// READ: a file opened for execution may be read too.
    pub const READ: Required = Required::Any(Mask(Mask::READ_DATA.0 | Mask::EXECUTE.0));
    /// WRITE before or at the end of the file.
    pub const WRITE: Required = Required::Any(Mask(Mask::WRITE_DATA.0 | Mask::APPEND_DATA.0));
    /// FLUSH.
    pub const FLUSH: Required = WRITE;
    /// LOCK and unlock.
    pub const LOCK: Required = Required::Any(Mask(Mask::READ_DATA.0 | Mask::WRITE_DATA.0));
    /// QUERY_DIRECTORY and CHANGE_NOTIFY.
    pub const LIST: Required = Required::All(Mask::LIST_DIRECTORY);
    /// Information classes that tell times, attributes or allocation.
    pub const QUERY_ATTRIBUTES: Required = Required::All(Mask::READ_ATTRIBUTES);
    /// FileFullEaInformation, reading.
    pub const QUERY_EA: Required = Required::All(Mask::READ_EA);
    /// FileBasicInformation, setting.
    pub const SET_ATTRIBUTES: Required = Required::All(Mask::WRITE_ATTRIBUTES);
    /// FileFullEaInformation, setting.
    pub const SET_EA: Required = Required::All(Mask::WRITE_EA);
    /// FileEndOfFileInformation, FileAllocationInformation, FileValidDataLengthInformation.
    pub const SET_SIZE: Required = Required::All(Mask::WRITE_DATA);
    /// FileRenameInformation, FileDispositionInformation and their extended forms.
    pub const DELETE: Required = Required::All(Mask::DELETE);
    /// Reading or setting what a security descriptor holds; see [`super::security`].
    pub const READ_SECURITY: Required = Required::All(Mask::READ_CONTROL);
    /// FSCTLs that change the data: zeroing, trimming, the target of a copy.
    pub const FSCTL_WRITE_DATA: Required = Required::All(Mask::WRITE_DATA);
    /// FSCTLs that change how the file is stored: sparse, compression, integrity, reparse points.
    pub const FSCTL_WRITE_ATTRIBUTES: Required =
        Required::Any(Mask(Mask::WRITE_DATA.0 | Mask::WRITE_ATTRIBUTES.0));
    /// The source of a copy, and the ranges that are allocated.
    pub const FSCTL_READ_DATA: Required = Required::All(Mask::READ_DATA);
}

/// Which rights the parts of a security descriptor need, [MS-FSA] 2.1.5.14 and 2.1.5.17.
pub mod security {
    use super::Mask;

    /// `AdditionalInformation` bit: the owner.
    pub const OWNER: u32 = 0x01;
    /// `AdditionalInformation` bit: the group.
    pub const GROUP: u32 = 0x02;
    /// `AdditionalInformation` bit: the DACL.
    pub const DACL: u32 = 0x04;
    /// `AdditionalInformation` bit: the SACL.
    pub const SACL: u32 = 0x08;
    /// `AdditionalInformation` bit: the mandatory label.
    pub const LABEL: u32 = 0x10;
    /// `AdditionalInformation` bit: resource attributes.
    pub const ATTRIBUTE: u32 = 0x20;
    /// `AdditionalInformation` bit: the central access policy.
    pub const SCOPE: u32 = 0x40;
    /// `AdditionalInformation` bit: all of it, for backup.
    pub const BACKUP: u32 = 0x0001_0000;

    const READ_WITH_CONTROL: u32 = OWNER | GROUP | DACL | LABEL | ATTRIBUTE;
    const SYSTEM: u32 = SACL | SCOPE;

    /// Rights needed to read the parts that `information` names.
    pub fn to_query(information: u32) -> Mask {
        let mut needed = Mask::NONE;
        if information & (READ_WITH_CONTROL | BACKUP) != 0 {
            needed = needed.union(Mask::READ_CONTROL);
        }
        if information & (SYSTEM | BACKUP) != 0 {
            needed = needed.union(Mask::ACCESS_SYSTEM_SECURITY);
        }
        needed
    }

    /// Rights needed to set the parts that `information` names.
    pub fn to_set(information: u32) -> Mask {
        let mut needed = Mask::NONE;
        if information & (OWNER | GROUP | LABEL | BACKUP) != 0 {
            needed = needed.union(Mask::WRITE_OWNER);
        }
        if information & (DACL | ATTRIBUTE | BACKUP) != 0 {
            needed = needed.union(Mask::WRITE_DAC);
        }
        if information & (SYSTEM | BACKUP) != 0 {
            needed = needed.union(Mask::ACCESS_SYSTEM_SECURITY);
        }
        needed
    }
}

/// What an ACE does, [MS-DTYP] 2.4.4.1. Types that say nothing about access are not passed to [`check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AceKind {
    /// ACCESS_ALLOWED_ACE and its object and callback forms without a condition.
    Allow,
    /// ACCESS_DENIED_ACE.
    Deny,
}

/// An ACE of a DACL as far as the access check reads it. `S` is the caller's SID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ace<S> {
    /// Allows or denies.
    pub kind: AceKind,
    /// INHERIT_ONLY_ACE: it is there for children alone, and the check passes over it.
    pub inherit_only: bool,
    /// The rights, generic ones included.
    pub mask: Mask,
    /// Whom it is about.
    pub sid: S,
}

/// What a SID in an ACE is to the one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trustee {
    /// One of the token's SIDs.
    Holder,
    /// OWNER RIGHTS, S-1-3-4: speaks about the owner, and ends the rights that an owner has by default.
    OwnerRights,
    /// Somebody else.
    Other,
}

/// Who asks, apart from his SIDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// He owns the object.
    pub is_owner: bool,
    /// SeSecurityPrivilege: may have ACCESS_SYSTEM_SECURITY.
    pub security_privilege: bool,
    /// SeTakeOwnershipPrivilege: may have WRITE_OWNER whatever the DACL says.
    pub take_ownership_privilege: bool,
}

/// Decides what a DACL grants, [MS-DTYP] 2.5.3.2.
///
/// `dacl` is `None` for an absent or NULL DACL, which grants everything; it is run through twice. `trustee` tells what a
/// SID is to the asker. `desired` may have generic rights and MAXIMUM_ALLOWED; the result has neither. With
/// MAXIMUM_ALLOWED the result is everything that the DACL grants, and it must have what else is desired.
///
/// # Errors
///
/// `STATUS_PRIVILEGE_NOT_HELD` for ACCESS_SYSTEM_SECURITY without the privilege, `STATUS_ACCESS_DENIED` for anything
/// else that is not granted, or if MAXIMUM_ALLOWED comes to nothing.
pub fn check<S, A, T>(
    dacl: Option<A>,
    trustee: T,
    asker: Asker,
    desired: Mask,
) -> Result<Mask, NtStatus>
where
    A: Iterator<Item = Ace<S>> + Clone,
    T: Fn(&S) -> Trustee,
{
    let wants_all = desired.intersects(Mask::MAXIMUM_ALLOWED);
    let wanted = desired.map_generic().without(Mask::MAXIMUM_ALLOWED);
    if wanted.intersects(Mask::ACCESS_SYSTEM_SECURITY) && !asker.security_privilege {
        return Err(NtStatus::PRIVILEGE_NOT_HELD);
    }
    let granted = granted(dacl, trustee, asker);
    if !granted.contains(wanted) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if wants_all {
        // SACL access is never part of the maximum: it must be asked for by name.
        let system = wanted.intersection(Mask::ACCESS_SYSTEM_SECURITY);
        let all = granted.intersection(Mask::ALL_FILE).union(system);
        return if all.is_empty() {
            Err(NtStatus::ACCESS_DENIED)
        } else {
            Ok(all)
        };
    }
    Ok(wanted)
}

/// Every right that a DACL and the privileges grant; see [`check`] for the parameters. The value for the `MxAc` create
/// context is its intersection with [`Mask::ALL_FILE`].
pub fn granted<S, A, T>(dacl: Option<A>, trustee: T, asker: Asker) -> Mask
where
    A: Iterator<Item = Ace<S>> + Clone,
    T: Fn(&S) -> Trustee,
{
    let mut base = Mask::NONE;
    if asker.security_privilege {
        base = base.union(Mask::ACCESS_SYSTEM_SECURITY);
    }
    if asker.take_ownership_privilege {
        base = base.union(Mask::WRITE_OWNER);
    }
    let Some(dacl) = dacl else {
        return base.union(Mask::ALL_FILE);
    };
    if asker.is_owner && !has_owner_rights(dacl.clone(), &trustee) {
        base = base.union(Mask::READ_CONTROL).union(Mask::WRITE_DAC);
    }
    base.union(walk(dacl, trustee, asker.is_owner))
}

fn has_owner_rights<S, T: Fn(&S) -> Trustee>(
    mut dacl: impl Iterator<Item = Ace<S>>,
    trustee: &T,
) -> bool {
    dacl.any(|ace| !ace.inherit_only && trustee(&ace.sid) == Trustee::OwnerRights)
}

/// The first ACE that speaks about a right decides it.
fn walk<S, T: Fn(&S) -> Trustee>(
    dacl: impl Iterator<Item = Ace<S>>,
    trustee: T,
    is_owner: bool,
) -> Mask {
    let mut allowed = Mask::NONE;
    let mut denied = Mask::NONE;
    for ace in dacl {
        let concerns = match trustee(&ace.sid) {
            Trustee::Holder => true,
            Trustee::OwnerRights => is_owner,
            Trustee::Other => false,
        };
        if ace.inherit_only || !concerns {
            continue;
        }
        let mask = ace.mask.map_generic().intersection(Mask::ALL_FILE);
        match ace.kind {
            AceKind::Allow => allowed = allowed.union(mask.without(denied)),
            AceKind::Deny => denied = denied.union(mask.without(allowed)),
        }
    }
    allowed
}

/// What the asker may do by the mode or POSIX ACL of the file, as three bits that the kernel's permission check gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posix {
    /// May read.
    pub read: bool,
    /// May write.
    pub write: bool,
    /// May execute or search.
    pub execute: bool,
    /// Owns the file, or has the capability to act as owner.
    pub owner: bool,
    /// May delete the file: write and search permission on its directory, sticky bit considered.
    pub delete: bool,
}

/// The rights that POSIX permissions amount to, for a file without a stored security descriptor.
pub fn from_posix(posix: Posix) -> Mask {
    // Who may look the file up may stat it.
    let mut mask = Mask::READ_ATTRIBUTES
        .union(Mask::READ_CONTROL)
        .union(Mask::SYNCHRONIZE);
    if posix.read {
        mask = mask.union(Mask::FILE_GENERIC_READ);
    }
    if posix.write {
        // For a file it means nothing, and is part of all rights.
        mask = mask
            .union(Mask::FILE_GENERIC_WRITE)
            .union(Mask::DELETE_CHILD);
    }
    if posix.execute {
        mask = mask.union(Mask::FILE_GENERIC_EXECUTE);
    }
    if posix.owner {
        mask = mask
            .union(Mask::WRITE_DAC)
            .union(Mask::WRITE_OWNER)
            .union(Mask::WRITE_ATTRIBUTES);
    }
    if posix.delete {
        mask = mask.union(Mask::DELETE);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1;
    const GROUP: u32 = 2;
    const OWNER_RIGHTS: u32 = 4;
    const STRANGER: u32 = 9;

    fn who(sid: &u32) -> Trustee {
        match *sid {
            ME | GROUP => Trustee::Holder,
            OWNER_RIGHTS => Trustee::OwnerRights,
            _ => Trustee::Other,
        }
    }

    fn ace(kind: AceKind, sid: u32, mask: Mask) -> Ace<u32> {
        Ace {
            kind,
            inherit_only: false,
            mask,
            sid,
        }
    }

    fn ask(dacl: &[Ace<u32>], asker: Asker, desired: Mask) -> Result<Mask, NtStatus> {
        check(Some(dacl.iter().copied()), who, asker, desired)
    }

    #[test]
    fn generic_rights() {
        assert_eq!(Mask::GENERIC_ALL.map_generic(), Mask::ALL_FILE);
        assert_eq!(Mask::GENERIC_READ.map_generic(), Mask(0x120089));
        assert_eq!(Mask(0xC000_0000).map_generic(), Mask(0x12019F));
    }

    #[test]
    fn desired_access_of_a_create() {
        assert_eq!(Mask::desired(0), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(Mask::desired(Mask::SYNCHRONIZE.0), Ok(Mask::SYNCHRONIZE));
        let mut refused = 0;
        for bit in 0..32 {
            if Mask::desired(1 << bit).is_err() {
                refused |= 1u32 << bit;
            }
        }
        assert_eq!(refused, 0x0CE0_FE00);
        assert_eq!(Mask::desired(0x8000_0000), Ok(Mask::FILE_GENERIC_READ));
    }

    #[test]
    fn no_dacl_grants_all_and_an_empty_one_nothing() {
        let none = None::<core::iter::Empty<Ace<u32>>>;
        assert_eq!(
            check(none, who, Asker::default(), Mask::MAXIMUM_ALLOWED),
            Ok(Mask::ALL_FILE)
        );
        assert_eq!(
            ask(&[], Asker::default(), Mask::READ_DATA),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(
            ask(&[], Asker::default(), Mask::MAXIMUM_ALLOWED),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn the_first_ace_about_a_right_decides() {
        let denied_first = [
            ace(AceKind::Deny, GROUP, Mask::WRITE_DATA),
            ace(AceKind::Allow, ME, Mask::ALL_FILE),
        ];
        assert_eq!(
            ask(&denied_first, Asker::default(), Mask::WRITE_DATA),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(
            ask(&denied_first, Asker::default(), Mask::READ_DATA),
            Ok(Mask::READ_DATA)
        );
        let allowed_first = [
            ace(AceKind::Allow, ME, Mask::ALL_FILE),
            ace(AceKind::Deny, GROUP, Mask::WRITE_DATA),
        ];
        assert_eq!(
            ask(&allowed_first, Asker::default(), Mask::WRITE_DATA),
            Ok(Mask::WRITE_DATA)
        );
    }

    #[test]
    fn others_and_children_do_not_count() {
        let mut inherited = ace(AceKind::Allow, ME, Mask::ALL_FILE);
        inherited.inherit_only = true;
        let dacl = [ace(AceKind::Allow, STRANGER, Mask::ALL_FILE), inherited];
        assert_eq!(
            ask(&dacl, Asker::default(), Mask::READ_DATA),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn an_owner_has_control_unless_owner_rights_say_otherwise() {
        let owner = Asker {
            is_owner: true,
            ..Asker::default()
        };
        assert_eq!(ask(&[], owner, Mask::WRITE_DAC), Ok(Mask::WRITE_DAC));
        let limited = [ace(AceKind::Allow, OWNER_RIGHTS, Mask::READ_CONTROL)];
        assert_eq!(
            ask(&limited, owner, Mask::WRITE_DAC),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(
            ask(&limited, owner, Mask::READ_CONTROL),
            Ok(Mask::READ_CONTROL)
        );
        assert_eq!(
            ask(&limited, Asker::default(), Mask::READ_CONTROL),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn maximum_allowed_does_not_excuse_what_is_named() {
        let dacl = [ace(AceKind::Allow, ME, Mask::GENERIC_READ)];
        assert_eq!(
            ask(&dacl, Asker::default(), Mask::MAXIMUM_ALLOWED),
            Ok(Mask::FILE_GENERIC_READ)
        );
        let both = Mask::MAXIMUM_ALLOWED.union(Mask::WRITE_DATA);
        assert_eq!(
            ask(&dacl, Asker::default(), both),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn the_sacl_needs_its_privilege() {
        let none = || None::<core::iter::Empty<Ace<u32>>>;
        let wanted = Mask::ACCESS_SYSTEM_SECURITY;
        assert_eq!(
            check(none(), who, Asker::default(), wanted),
            Err(NtStatus::PRIVILEGE_NOT_HELD)
        );
        let privileged = Asker {
            security_privilege: true,
            ..Asker::default()
        };
        assert_eq!(check(none(), who, privileged, wanted), Ok(wanted));
        assert_eq!(
            check(none(), who, privileged, Mask::MAXIMUM_ALLOWED),
            Ok(Mask::ALL_FILE)
        );
    }

    #[test]
    fn posix_permissions() {
        let all = Posix {
            read: true,
            write: true,
            execute: true,
            owner: true,
            delete: true,
        };
        assert_eq!(from_posix(all), Mask::ALL_FILE);
        let reader = Posix {
            read: true,
            ..Posix::default()
        };
        assert_eq!(from_posix(reader), Mask::FILE_GENERIC_READ);
        assert!(!Mask::READ_ONLY_SHARE.intersects(
            from_posix(Posix {
                write: true,
                ..reader
            })
            .without(Mask::FILE_GENERIC_READ)
        ));
    }

    #[test]
    fn security_information() {
        assert_eq!(
            security::to_query(security::OWNER | security::DACL),
            Mask::READ_CONTROL
        );
        assert_eq!(
            security::to_query(security::SACL),
            Mask::ACCESS_SYSTEM_SECURITY
        );
        assert_eq!(security::to_set(security::DACL), Mask::WRITE_DAC);
        assert_eq!(security::to_set(security::OWNER), Mask::WRITE_OWNER);
        assert!(required::WRITE.met_by(Mask::APPEND_DATA));
        assert!(!required::SET_SIZE.met_by(Mask::APPEND_DATA));
        assert!(required::READ.met_by(Mask::EXECUTE));
    }
}
