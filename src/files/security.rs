// SPDX-License-Identifier: GPL-2.0

//! Security descriptors of files: owner, group and permission bits as SIDs and a DACL, and back. [MS-DTYP] 2.4.6,
//! [MS-FSA] 2.1.5.14.
//!
//! A user is a SID of this machine's domain (S-1-5-21 with the three numbers that the daemon configured) whose last number
//! is the uid; a group is S-1-22-2 and the gid.

use linux::cred::CredScope;
use linux::path::Path;
use linux::stat::{Attributes as Stat, Changes};
use smb_model::access::{from_posix, AceKind, Mask, Posix};
use smb_model::descriptor::effect;
use smb_proto::security::{
    AccessMask, Ace, AceFlags, AceType, AclField, SdControl, SdWriter, SecurityDescriptor,
    SecurityInfo, Sid,
};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Writer, Written};

use crate::server::config::Config;

use super::errors::status_of;

/// Most bytes of a descriptor that is made of a mode: header, two SIDs, a list of three entries.
pub(crate) const MAX_FROM_MODE: usize = 512;

/// Translates between ids and SIDs.
#[derive(Clone, Copy)]
pub(crate) struct Identities {
    domain: Sid,
}

impl Identities {
    /// The identities of the server that `config` configures.
    pub(crate) fn new(config: &Config) -> Self {
        let [a, b, c] = config.sub_auth;
        Identities {
            domain: Sid::new(5, &[21, a, b, c]).unwrap_or(Sid::NULL),
        }
    }

    /// The SID of a user.
    pub(crate) fn user(&self, uid: u32) -> Sid {
        self.domain.with_rid(uid).unwrap_or(Sid::NULL)
    }

    /// The SID of a group.
    pub(crate) fn group(&self, gid: u32) -> Sid {
        Sid::unix_group(gid)
    }

    /// The uid behind a SID, if it is a user's.
    pub(crate) fn uid(&self, sid: &Sid) -> Option<u32> {
        let local = || sid.is_in_domain(&self.domain).then(|| sid.rid()).flatten();
        sid.as_unix_user().or_else(local)
    }

    /// The gid behind a SID, if it is a group's.
    pub(crate) fn gid(&self, sid: &Sid) -> Option<u32> {
        sid.as_unix_group()
    }

    /// Writes the parts that `info` asks for of the descriptor that says what `stat` says.
    pub(crate) fn write_of_mode(
        &self,
        stat: &Stat,
        info: SecurityInfo,
        w: &mut Writer<'_>,
    ) -> Written {
        let (owner, group) = (self.user(stat.uid), self.group(stat.gid));
        let mut sd = SdWriter::new(w, SdControl::SELF_RELATIVE)?;
        if info.contains(SecurityInfo::OWNER) {
            sd.owner(&owner)?;
        }
        if info.contains(SecurityInfo::GROUP) {
            sd.group(&group)?;
        }
        if info.contains(SecurityInfo::DACL) {
            sd.dacl(|list| {
                for (sid, shift) in [(owner, 6u32), (group, 3), (Sid::EVERYONE, 0)] {
                    let rights = rights(stat.permissions() >> shift, shift == 6);
                    let mask = AccessMask::from_bits(rights.0);
                    list.ace(&Ace::new(AceType::ALLOWED, AceFlags::NONE, mask, sid))?;
                }
                Ok(())
            })?;
        }
        sd.finish()
    }

    /// The changes of owner, group and mode that come closest to `descriptor`, as far as `info` says that it is to be set.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_OWNER` and `STATUS_INVALID_PRIMARY_GROUP` for a SID that is no user or group here.
    fn changes(
        &self,
        stat: &Stat,
        info: SecurityInfo,
        descriptor: &SecurityDescriptor<'_>,
    ) -> Result<Changes, NtStatus> {
        let mut changes = Changes::default();
        let asked = |part| info.contains(part);
        if let Some(sid) = descriptor.owner.filter(|_| asked(SecurityInfo::OWNER)) {
            let uid = self.uid(&sid).ok_or(NtStatus::INVALID_OWNER)?;
            changes.uid = Some(uid).filter(|uid| *uid != stat.uid);
        }
        if let Some(sid) = descriptor.group.filter(|_| asked(SecurityInfo::GROUP)) {
            let gid = self.gid(&sid).ok_or(NtStatus::INVALID_PRIMARY_GROUP)?;
            changes.gid = Some(gid).filter(|gid| *gid != stat.gid);
        }
        if asked(SecurityInfo::DACL) {
            let mode = self.mode_of(stat, &descriptor.dacl);
            changes.permissions = Some(mode).filter(|mode| *mode != stat.permissions());
        }
        Ok(changes)
    }

    /// Sets the parts of `descriptor` that `info` names, as far as the file system has them.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_OWNER` and `STATUS_INVALID_PRIMARY_GROUP` for a SID that is no user or group here,
    /// `STATUS_ACCESS_DENIED` for what the user may not set, and others of the file system.
    pub(crate) fn set(
        &self,
        scope: &CredScope<'_>,
        path: &Path,
        info: SecurityInfo,
        descriptor: &SecurityDescriptor<'_>,
    ) -> Result<(), NtStatus> {
        let stat = path.attributes(scope).map_err(status_of)?;
        let changes = self.changes(&stat, info, descriptor)?;
        path.change(scope, changes).map_err(status_of)
    }

    /// Sets what a descriptor that came with a CREATE has, on the file that was made, [MS-SMB2] 3.3.5.9.2.
    ///
    /// # Errors
    ///
    /// As [`Self::set`].
    pub(crate) fn set_new(
        &self,
        scope: &CredScope<'_>,
        path: &Path,
        descriptor: &SecurityDescriptor<'_>,
    ) -> Result<(), NtStatus> {
        let mut info = SecurityInfo::OWNER | SecurityInfo::GROUP;
        // Without a list of its own the file has that of its directory.
        if !matches!(descriptor.dacl, AclField::Absent) {
            info |= SecurityInfo::DACL;
        }
        self.set(scope, path, info, descriptor)
    }

    /// The permission bits that come closest to a DACL. The set-id and sticky bits stay.
    fn mode_of(&self, stat: &Stat, dacl: &AclField<'_>) -> u16 {
        const CLASSES: u16 = 0o777;
        let kept = stat.permissions() & !CLASSES;
        let AclField::List(list) = dacl else {
            // Without a list everybody may do everything.
            return kept | CLASSES;
        };
        let (mut allowed, mut denied) = (0u16, 0u16);
        for ace in list
            .iter()
            .filter(|ace| !ace.flags.contains(AceFlags::INHERIT_ONLY))
        {
            let classes = self.classes(stat, &ace.sid);
            let bits = classes & repeated(permission_bits(ace.mask, stat.is_dir()));
            match effect(&ace) {
                Some(AceKind::Deny) => denied |= bits & !allowed,
                Some(AceKind::Allow) => allowed |= bits & !denied,
                None => {}
            }
        }
        kept | allowed
    }

    /// The permission bits of the classes of users that an entry for `sid` speaks about.
    fn classes(&self, stat: &Stat, sid: &Sid) -> u16 {
        if *sid == Sid::EVERYONE || *sid == Sid::AUTHENTICATED_USERS {
            0o777
        } else if self.uid(sid) == Some(stat.uid)
            || *sid == Sid::CREATOR_OWNER
            || *sid == Sid::OWNER_RIGHTS
        {
            0o700
        } else if self.gid(sid) == Some(stat.gid) || *sid == Sid::CREATOR_GROUP {
            0o070
        } else {
            0
        }
    }
}

/// The rights that three permission bits amount to.
fn rights(bits: u16, is_owner: bool) -> Mask {
    let posix = Posix {
        read: bits & 4 != 0,
        write: bits & 2 != 0,
        execute: bits & 1 != 0,
        owner: is_owner,
        delete: is_owner || bits & 2 != 0,
    };
    from_posix(posix)
}

/// The permission bits that rights amount to.
fn permission_bits(mask: AccessMask, is_dir: bool) -> u16 {
    let mask = mask.map_generic();
    let read = mask.intersects(AccessMask::READ_DATA);
    let write = if is_dir {
        mask.intersects(AccessMask::ADD_FILE | AccessMask::ADD_SUBDIRECTORY)
    } else {
        mask.intersects(AccessMask::WRITE_DATA)
    };
    let execute = mask.intersects(AccessMask::EXECUTE);
    u16::from(read) << 2 | u16::from(write) << 1 | u16::from(execute)
}

/// Three bits in all three classes.
fn repeated(bits: u16) -> u16 {
    bits << 6 | bits << 3 | bits
}
