// SPDX-License-Identifier: GPL-2.0

//! The system's users and groups.

use std::ffi::CString;

use nix::unistd::{getgrouplist, Gid, Group, User};

/// A system user's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
}

/// Looks up users and groups; [`System`] asks the system, tests bring their own.
pub trait Accounts: Send + Sync {
    /// The ids of a user.
    fn user(&self, name: &str) -> Option<Ids>;
    /// The id of a group.
    fn group(&self, name: &str) -> Option<u32>;
    /// The supplementary groups of a user, without his primary one.
    fn groups_of(&self, name: &str, primary: u32) -> Vec<u32>;
    /// Whether a user is in a group, by the group's own list or by the user's groups.
    fn is_member(&self, user: &str, group: &str) -> bool;
}

/// The system's databases, through NSS.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Accounts for System {
    fn user(&self, name: &str) -> Option<Ids> {
        let user = User::from_name(name).ok()??;
        Some(Ids {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    fn group(&self, name: &str) -> Option<u32> {
        Some(Group::from_name(name).ok()??.gid.as_raw())
    }

    fn groups_of(&self, name: &str, primary: u32) -> Vec<u32> {
        let Ok(name) = CString::new(name) else {
            return Vec::new();
        };
        let groups = getgrouplist(&name, Gid::from_raw(primary)).unwrap_or_default();
        groups
            .into_iter()
            .map(Gid::as_raw)
            .filter(|gid| *gid != primary)
            .collect()
    }

    fn is_member(&self, user: &str, group: &str) -> bool {
        let Ok(Some(group)) = Group::from_name(group) else {
            return false;
        };
        if group.mem.iter().any(|member| member == user) {
            return true;
        }
        let Some(ids) = self.user(user) else {
            return false;
        };
        let gid = group.gid.as_raw();
        ids.gid == gid || self.groups_of(user, ids.gid).contains(&gid)
    }
}
