// SPDX-License-Identifier: GPL-2.0

//! Security descriptors at work: checking one against a user, and what a new file inherits.
//!
//! [MS-DTYP] 2.5.3.2 (access check), 2.5.3.4 (inheritance). The wire form is [`smb_proto::security`], the rule of the check
//! [`crate::access`].

use crate::access::{self, AceKind, Asker, Mask, Trustee};
use crate::lease::Kind;
use smb_proto::security::{AccessMask, Ace, AceFlags, AclField, Sid};
use smb_proto::status::NtStatus;

/// Who a session's user is to a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// The user.
    pub user: Sid,
    /// The user's groups, and the groups that follow from how he logged on. EVERYONE need not be among them.
    pub groups: &'a [Sid],
    /// SeSecurityPrivilege.
    pub security_privilege: bool,
    /// SeTakeOwnershipPrivilege.
    pub take_ownership_privilege: bool,
}

impl Token<'_> {
    /// Whether the SID is the user or one of the groups.
    pub fn has(&self, sid: &Sid) -> bool {
        *sid == self.user || *sid == Sid::EVERYONE || self.groups.iter().any(|group| group == sid)
    }

    fn trustee(&self, sid: &Sid) -> Trustee {
        if *sid == Sid::OWNER_RIGHTS {
            Trustee::OwnerRights
        } else if self.has(sid) {
            Trustee::Holder
        } else {
            Trustee::Other
        }
    }

    fn asker(&self, owner: Option<&Sid>) -> Asker {
        Asker {
            is_owner: owner.is_some_and(|owner| self.has(owner)),
            security_privilege: self.security_privilege,
            take_ownership_privilege: self.take_ownership_privilege,
        }
    }

    /// Decides what the user gets of `desired`; see [`access::check`].
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED`, `STATUS_PRIVILEGE_NOT_HELD`.
    pub fn check(
        &self,
        owner: Option<&Sid>,
        dacl: AclField<'_>,
        desired: Mask,
    ) -> Result<Mask, NtStatus> {
        access::check(
            entries(dacl),
            |sid| self.trustee(sid),
            self.asker(owner),
            desired,
        )
    }

    /// The most that the user can get: the `MxAc` value.
    pub fn maximal(&self, owner: Option<&Sid>, dacl: AclField<'_>) -> Mask {
        access::granted(entries(dacl), |sid| self.trustee(sid), self.asker(owner))
            .intersection(Mask::ALL_FILE)
    }
}

fn entries(dacl: AclField<'_>) -> Option<impl Iterator<Item = access::Ace<Sid>> + Clone + '_> {
    match dacl {
        AclField::Absent | AclField::Null => None,
        AclField::List(list) => Some(list.iter().filter_map(|ace| checked(&ace))),
    }
}

/// Whether an entry allows or denies; `None` if it says nothing about access.
///
/// Conditions are not evaluated: an unknown condition grants nothing, and denies ([MS-DTYP] 2.5.3.1.5). The same
/// holds for an entry about one kind of directory object, which a file is not.
pub fn effect(ace: &Ace<'_>) -> Option<AceKind> {
    let conditional = !ace.data.is_empty() || ace.object_type.is_some();
    if ace.kind.denies() {
        Some(AceKind::Deny)
    } else if ace.kind.allows() && !conditional {
        Some(AceKind::Allow)
    } else {
        None
    }
}

/// An entry as the access check reads it; `None` if it says nothing about access.
fn checked(ace: &Ace<'_>) -> Option<access::Ace<Sid>> {
    Some(access::Ace {
        kind: effect(ace)?,
        inherit_only: ace.flags.contains(AceFlags::INHERIT_ONLY),
        mask: Mask(ace.mask.bits()),
        sid: ace.sid,
    })
}

/// What a new file or directory gets from one entry of its directory's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited<'a> {
    /// The entry that is in force.
    pub effective: Option<Ace<'a>>,
    /// The entry that is there for children alone.
    pub for_children: Option<Ace<'a>>,
}

/// Inherits one entry, [MS-DTYP] 2.5.3.4.2. `owner` and `group` are those of the new file, and take the place of CREATOR
/// OWNER and CREATOR GROUP.
pub fn inherit<'a>(ace: &Ace<'a>, kind: Kind, owner: Sid, group: Sid) -> Inherited<'a> {
    let to_files = ace.flags.contains(AceFlags::OBJECT_INHERIT);
    let to_directories = ace.flags.contains(AceFlags::CONTAINER_INHERIT);
    let propagates = !ace.flags.contains(AceFlags::NO_PROPAGATE_INHERIT);
    let in_force = Ace {
        flags: kept(ace.flags, AceFlags::NONE),
        ..resolved(ace, owner, group)
    };
    match kind {
        Kind::File => Inherited {
            effective: to_files.then_some(in_force),
            for_children: None,
        },
        Kind::Directory if !to_directories => {
            // For the files in it alone.
            let flags = kept(ace.flags, AceFlags::OBJECT_INHERIT | AceFlags::INHERIT_ONLY);
            let passed_on = to_files && propagates;
            Inherited {
                effective: None,
                for_children: passed_on.then_some(Ace { flags, ..*ace }),
            }
        }
        Kind::Directory if !propagates => Inherited {
            effective: Some(in_force),
            for_children: None,
        },
        Kind::Directory => {
            let inheritable = inheritance(ace.flags);
            if in_force.sid == ace.sid && in_force.mask == ace.mask {
                let both = Ace {
                    flags: kept(ace.flags, inheritable),
                    ..*ace
                };
                return Inherited {
                    effective: Some(both),
                    for_children: None,
                };
            }
            let flags = kept(ace.flags, inheritable | AceFlags::INHERIT_ONLY);
            Inherited {
                effective: Some(in_force),
                for_children: Some(Ace { flags, ..*ace }),
            }
        }
    }
}

/// Which of the flags pass an entry on.
fn inheritance(flags: AceFlags) -> AceFlags {
    flags & (AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT)
}

/// The flags of an inherited entry: what it audits stays, how it is inherited is `inheritance`.
fn kept(flags: AceFlags, inheritance: AceFlags) -> AceFlags {
    let audits = flags & (AceFlags::SUCCESSFUL_ACCESS | AceFlags::FAILED_ACCESS);
    audits | inheritance | AceFlags::INHERITED
}

fn resolved<'a>(ace: &Ace<'a>, owner: Sid, group: Sid) -> Ace<'a> {
    let sid = if ace.sid == Sid::CREATOR_OWNER {
        owner
    } else if ace.sid == Sid::CREATOR_GROUP {
        group
    } else {
        ace.sid
    };
    let mask = AccessMask::from_bits(Mask(ace.mask.bits()).map_generic().0);
    Ace { sid, mask, ..*ace }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::security::{AceType, Acl, AclWriter};
    use smb_proto::wire::Writer;

    const ME: Sid = Sid::LOCAL_SYSTEM;
    const MINE: Sid = Sid::BUILTIN_USERS;
    const STRANGER: Sid = Sid::BUILTIN_GUESTS;

    fn token(groups: &[Sid]) -> Token<'_> {
        Token {
            user: ME,
            groups,
            security_privilege: false,
            take_ownership_privilege: false,
        }
    }

    fn ace(kind: AceType, flags: AceFlags, mask: u32, sid: Sid) -> Ace<'static> {
        Ace::new(kind, flags, AccessMask::from_bits(mask), sid)
    }

    fn with_list<T>(aces: &[Ace<'_>], then: impl FnOnce(AclField<'_>) -> T) -> T {
        let mut buf = [0; 1024];
        let mut w = Writer::new(&mut buf);
        let mut list = AclWriter::new(&mut w, Acl::REVISION).unwrap();
        for ace in aces {
            list.ace(ace).unwrap();
        }
        list.finish().unwrap();
        then(AclField::List(Acl::parse(w.written()).unwrap()))
    }

    #[test]
    fn a_list_from_the_wire() {
        let aces = [
            ace(AceType::DENIED, AceFlags::NONE, Mask::WRITE_DATA.0, MINE),
            ace(AceType::ALLOWED, AceFlags::NONE, Mask::ALL_FILE.0, STRANGER),
            ace(
                AceType::ALLOWED,
                AceFlags::INHERIT_ONLY,
                Mask::ALL_FILE.0,
                ME,
            ),
            ace(
                AceType::ALLOWED,
                AceFlags::NONE,
                Mask::GENERIC_READ.0,
                Sid::EVERYONE,
            ),
            ace(AceType::AUDIT, AceFlags::NONE, Mask::ALL_FILE.0, ME),
        ];
        with_list(&aces, |dacl| {
            let token = token(&[MINE]);
            assert_eq!(token.maximal(None, dacl), Mask::FILE_GENERIC_READ);
            assert_eq!(
                token.check(None, dacl, Mask::READ_DATA),
                Ok(Mask::READ_DATA)
            );
            assert_eq!(
                token.check(None, dacl, Mask::WRITE_DATA),
                Err(NtStatus::ACCESS_DENIED)
            );
            assert_eq!(
                token.check(Some(&ME), dacl, Mask::WRITE_DAC),
                Ok(Mask::WRITE_DAC)
            );
            assert_eq!(
                token.check(Some(&STRANGER), dacl, Mask::WRITE_DAC),
                Err(NtStatus::ACCESS_DENIED)
            );
        });
        assert_eq!(token(&[]).maximal(None, AclField::Null), Mask::ALL_FILE);
        with_list(&[], |dacl| {
            assert_eq!(token(&[]).maximal(None, dacl), Mask::NONE)
        });
    }

    #[test]
    fn what_is_not_understood_never_grants() {
        let condition = |kind| Ace {
            data: &[1, 2, 3, 4],
            ..ace(kind, AceFlags::NONE, Mask::ALL_FILE.0, ME)
        };
        with_list(&[condition(AceType::ALLOWED_CALLBACK)], |dacl| {
            assert_eq!(token(&[]).maximal(None, dacl), Mask::NONE);
        });
        let plain = ace(AceType::ALLOWED, AceFlags::NONE, Mask::ALL_FILE.0, ME);
        with_list(&[condition(AceType::DENIED_CALLBACK), plain], |dacl| {
            assert_eq!(token(&[]).maximal(None, dacl), Mask::NONE);
        });
    }

    #[test]
    fn inheriting() {
        let both = AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT;
        let plain = |flags| ace(AceType::ALLOWED, flags, Mask::READ_DATA.0, MINE);
        let from = |ace: Ace<'static>, kind| inherit(&ace, kind, ME, STRANGER);
        let flags = |inherited: Inherited<'_>| {
            (
                inherited.effective.map(|ace| ace.flags),
                inherited.for_children.map(|ace| ace.flags),
            )
        };
        let inherited = AceFlags::INHERITED;
        assert_eq!(flags(from(plain(AceFlags::NONE), Kind::File)), (None, None));
        assert_eq!(
            flags(from(plain(both), Kind::File)),
            (Some(inherited), None)
        );
        assert_eq!(
            flags(from(plain(both | AceFlags::INHERIT_ONLY), Kind::File)),
            (Some(inherited), None)
        );
        assert_eq!(
            flags(from(plain(both), Kind::Directory)),
            (Some(both | inherited), None)
        );
        assert_eq!(
            flags(from(
                plain(both | AceFlags::NO_PROPAGATE_INHERIT),
                Kind::Directory
            )),
            (Some(inherited), None)
        );
        assert_eq!(
            flags(from(plain(AceFlags::OBJECT_INHERIT), Kind::Directory)),
            (
                None,
                Some(AceFlags::OBJECT_INHERIT | AceFlags::INHERIT_ONLY | inherited)
            )
        );
        let files_once = AceFlags::OBJECT_INHERIT | AceFlags::NO_PROPAGATE_INHERIT;
        assert_eq!(
            flags(from(plain(files_once), Kind::Directory)),
            (None, None)
        );

        let creator = ace(
            AceType::ALLOWED,
            both | AceFlags::INHERIT_ONLY,
            Mask::GENERIC_ALL.0,
            Sid::CREATOR_OWNER,
        );
        let split = from(creator, Kind::Directory);
        let effective = split.effective.unwrap();
        assert_eq!(
            (effective.sid, effective.mask.bits()),
            (ME, Mask::ALL_FILE.0)
        );
        assert_eq!(effective.flags, inherited);
        let children = split.for_children.unwrap();
        assert_eq!(
            (children.sid, children.mask.bits()),
            (Sid::CREATOR_OWNER, Mask::GENERIC_ALL.0)
        );
        assert_eq!(children.flags, both | AceFlags::INHERIT_ONLY | inherited);
        let group = ace(
            AceType::ALLOWED,
            both,
            Mask::READ_DATA.0,
            Sid::CREATOR_GROUP,
        );
        assert_eq!(from(group, Kind::File).effective.unwrap().sid, STRANGER);
    }
}
