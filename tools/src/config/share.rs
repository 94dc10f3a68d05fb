// SPDX-License-Identifier: GPL-2.0

//! One share of the configuration.

use std::net::IpAddr;

use super::document::{fold_name, Section, Severity};
use super::hosts::{self, HostList};
use super::keys::Key;
use super::value::{self, Setting};
use super::{limit, Findings, Global, Layers, IPC};
use crate::account::Accounts;

/// A name in a list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedUser {
    /// A user.
    User(String),
    /// The members of a system group, written `@group`.
    Group(String),
}

impl ListedUser {
    fn parse(text: &str) -> Self {
        match text.strip_prefix(['@', '+']) {
            Some(group) if !group.is_empty() => ListedUser::Group(group.to_owned()),
            _ => ListedUser::User(text.to_owned()),
        }
    }

    /// Whether the user called `name` is meant.
    pub fn matches(&self, name: &str, accounts: &dyn Accounts) -> bool {
        match self {
            ListedUser::User(user) => user == name,
            ListedUser::Group(group) => accounts.is_member(name, group),
        }
    }
}

/// A share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name as written.
    pub name: String,
    /// Whether it is IPC$, which has pipes in place of files.
    pub is_pipe: bool,
    /// Directory on the server, with the root directory before it; empty for a pipe share.
    pub path: String,
    /// Description.
    pub comment: String,
    /// Whether it is listed.
    pub browseable: bool,
    /// Whether users may write unless a list says otherwise.
    pub writable: bool,
    /// Whether guests may connect.
    pub guest_ok: bool,
    /// Whether only guests may connect.
    pub guest_only: bool,
    /// The system user of this share's guests; `None` for the global one.
    pub guest_account: Option<String>,
    /// Permission bits that a created file may have.
    pub create_mask: u16,
    /// Permission bits that a created directory may have.
    pub directory_mask: u16,
    /// Permission bits that a created file always has.
    pub force_create_mode: u16,
    /// Permission bits that a created directory always has.
    pub force_directory_mode: u16,
    /// User of every access.
    pub force_uid: Option<u32>,
    /// Group of every access.
    pub force_gid: Option<u32>,
    /// Names with a leading dot are hidden.
    pub hide_dot_files: bool,
    /// Entries that the user may not read are not listed.
    pub hide_unreadable: bool,
    /// New files belong to their directory's owner.
    pub inherit_owner: bool,
    /// Oplocks are granted.
    pub oplocks: bool,
    /// DOS attributes are stored.
    pub store_dos_attributes: bool,
    /// Mount points below the share are crossed.
    pub cross_mount: bool,
    /// Symbolic links are followed, within the share.
    pub follow_symlinks: bool,
    /// Alternate data streams are stored.
    pub streams: bool,
    /// NT ACLs are stored.
    pub acl_xattr: bool,
    /// The share takes Time Machine backups.
    pub time_machine: bool,
    /// The share is continuously available.
    pub continuous_availability: bool,
    /// Encryption is required.
    pub encrypt: bool,
    /// Patterns of names that are refused and hidden.
    pub veto_files: Vec<String>,
    /// Users who may connect; empty for everyone.
    pub valid_users: Vec<ListedUser>,
    /// Users who may not connect, whatever `valid_users` says.
    pub invalid_users: Vec<ListedUser>,
    /// Users who may only read, whatever the other lists say.
    pub read_list: Vec<ListedUser>,
    /// Users who may write.
    pub write_list: Vec<ListedUser>,
    /// Users with administrative access.
    pub admin_users: Vec<ListedUser>,
    /// Addresses that may connect.
    pub hosts_allow: Option<HostList>,
    /// Addresses that may not connect.
    pub hosts_deny: Option<HostList>,
    /// Most connections.
    pub max_connections: u32,
}

impl Share {
    /// The share for named pipes, as it is when the configuration does not speak of it.
    pub fn ipc(name: &str) -> Self {
        Share {
            name: name.to_owned(),
            is_pipe: true,
            path: String::new(),
            comment: "IPC share".into(),
            browseable: true,
            writable: false,
            guest_ok: true,
            guest_only: false,
            guest_account: None,
            create_mask: 0o744,
            directory_mask: 0o755,
            force_create_mode: 0,
            force_directory_mode: 0,
            force_uid: None,
            force_gid: None,
            hide_dot_files: true,
            hide_unreadable: false,
            inherit_owner: false,
            oplocks: true,
            store_dos_attributes: false,
            cross_mount: false,
            follow_symlinks: false,
            streams: false,
            acl_xattr: false,
            time_machine: false,
            continuous_availability: false,
            encrypt: false,
            veto_files: Vec::new(),
            valid_users: Vec::new(),
            invalid_users: Vec::new(),
            read_list: Vec::new(),
            write_list: Vec::new(),
            admin_users: Vec::new(),
            hosts_allow: None,
            hosts_deny: None,
            max_connections: super::MOST,
        }
    }

    /// Whether a client at `address` may connect.
    pub fn admits(&self, address: IpAddr) -> bool {
        hosts::admits(self.hosts_allow.as_ref(), self.hosts_deny.as_ref(), address)
    }

    pub(super) fn build(
        section: &Section,
        layers: &Layers<'_>,
        global: &Global,
        accounts: &dyn Accounts,
        findings: &mut Findings,
    ) -> Option<Self> {
        let f = findings;
        if fold_name(&section.name) == fold_name(IPC) {
            return Some(Share::build_ipc(&section.name, layers, f));
        }
        let path = share_path(section, layers, global, f);
        let (force_uid, force_gid) = match forced(layers, accounts, f) {
            Ok(ids) => ids,
            Err(()) => return None,
        };
        let (streams, acl_xattr) = vfs_objects(layers, f);
        let share = Share {
            name: section.name.clone(),
            is_pipe: false,
            path: path?,
            comment: layers
                .read(Key::Comment, f, |text| value::text(text, 255))
                .unwrap_or_default(),
            browseable: layers.flag(Key::Browseable, true, f),
            writable: writable(layers, f),
            guest_ok: layers.flag(Key::GuestOk, false, f),
            guest_only: layers.flag(Key::GuestOnly, false, f),
            guest_account: guest_account(layers, accounts, f),
            create_mask: layers
                .read(Key::CreateMask, f, value::mode)
                .unwrap_or(0o744),
            directory_mask: layers
                .read(Key::DirectoryMask, f, value::mode)
                .unwrap_or(0o755),
            force_create_mode: layers
                .read(Key::ForceCreateMode, f, value::mode)
                .unwrap_or(0),
            force_directory_mode: layers
                .read(Key::ForceDirectoryMode, f, value::mode)
                .unwrap_or(0),
            force_uid,
            force_gid,
            hide_dot_files: layers.flag(Key::HideDotFiles, true, f),
            hide_unreadable: layers.flag(Key::HideUnreadable, false, f),
            inherit_owner: layers.flag(Key::InheritOwner, false, f),
            oplocks: layers.flag(Key::Oplocks, true, f),
            store_dos_attributes: layers.flag(Key::StoreDosAttributes, true, f),
            cross_mount: layers.flag(Key::CrossMount, true, f),
            follow_symlinks: layers.flag(Key::FollowSymlinks, false, f),
            streams,
            acl_xattr,
            time_machine: layers.flag(Key::TimeMachine, false, f),
            continuous_availability: layers.flag(Key::ContinuousAvailability, false, f),
            encrypt: encrypt(layers, f),
            veto_files: layers
                .read(Key::VetoFiles, f, value::veto)
                .unwrap_or_default(),
            valid_users: users(layers, Key::ValidUsers, f),
            invalid_users: users(layers, Key::InvalidUsers, f),
            read_list: users(layers, Key::ReadList, f),
            write_list: users(layers, Key::WriteList, f),
            admin_users: users(layers, Key::AdminUsers, f),
            hosts_allow: layers.read(Key::HostsAllow, f, HostList::parse),
            hosts_deny: layers.read(Key::HostsDeny, f, HostList::parse),
            max_connections: layers.read(Key::MaxConnections, f, limit).unwrap_or(128),
        };
        Some(share)
    }

    /// The share of the pipes, which is there without a section of its own, too.
    pub(super) fn build_ipc(name: &str, layers: &Layers<'_>, f: &mut Findings) -> Self {
        let mut share = Share::ipc(name);
        // Defaults in [global] are about files: for the pipes only the section's own keys count.
        if let Some(comment) = layers
            .own
            .read(Key::Comment, f, |text| value::text(text, 255))
        {
            share.comment = comment;
        }
        share.guest_ok = layers
            .own
            .read(Key::GuestOk, f, value::boolean)
            .unwrap_or(true);
        share.browseable = layers
            .own
            .read(Key::Browseable, f, value::boolean)
            .unwrap_or(true);
        share.hosts_allow = layers.read(Key::HostsAllow, f, HostList::parse);
        share.hosts_deny = layers.read(Key::HostsDeny, f, HostList::parse);
        share.admin_users = users(layers, Key::AdminUsers, f);
        share
    }
}

/// The share's directory; `None`, with a finding, if it has none.
fn share_path(
    section: &Section,
    layers: &Layers<'_>,
    global: &Global,
    f: &mut Findings,
) -> Option<String> {
    let Some(entry) = layers.entry(Key::Path) else {
        f.add(
            &section.at,
            Severity::Error,
            format!("[{}] has no `path` and is left out", section.name),
        );
        return None;
    };
    if !entry.value.starts_with('/') || entry.value.len() > 4096 {
        let message = format!(
            "`path = {}`: expected an absolute path; [{}] is left out",
            entry.value, section.name
        );
        f.add(&entry.value_at, Severity::Error, message);
        return None;
    }
    Some(format!(
        "{}{}",
        global.root_directory.trim_end_matches('/'),
        entry.value
    ))
}

/// Whether users may write: the four keys mean the same, and the share's own ones count before the defaults.
fn writable(layers: &Layers<'_>, f: &mut Findings) -> bool {
    for values in [layers.own, layers.defaults] {
        if let Some(read_only) = values.read(Key::ReadOnly, f, value::boolean) {
            return !read_only;
        }
        for key in [Key::Writable, Key::Writeable, Key::WriteOk] {
            if let Some(writable) = values.read(key, f, value::boolean) {
                return writable;
            }
        }
    }
    false
}

fn encrypt(layers: &Layers<'_>, f: &mut Findings) -> bool {
    let setting = layers.own.read(Key::Smb3Encryption, f, value::setting);
    setting == Some(Setting::Mandatory)
}

/// The share's own guest account. One that does not exist lets no guest in, and everybody else.
fn guest_account(layers: &Layers<'_>, accounts: &dyn Accounts, f: &mut Findings) -> Option<String> {
    let account = layers.read(Key::GuestAccount, f, |text| value::text(text, 47))?;
    if accounts.user(&account).is_none() {
        if let Some(entry) = layers.entry(Key::GuestAccount) {
            let message = format!("`{account}` is not a system user: guests are not let in");
            f.add(&entry.value_at, Severity::Warning, message);
        }
    }
    Some(account)
}

fn users(layers: &Layers<'_>, key: Key, f: &mut Findings) -> Vec<ListedUser> {
    let names = layers.read(key, f, value::list).unwrap_or_default();
    names.iter().map(|name| ListedUser::parse(name)).collect()
}

/// Whether streams and ACLs are stored.
fn vfs_objects(layers: &Layers<'_>, f: &mut Findings) -> (bool, bool) {
    let (mut streams, mut acl) = (false, false);
    for name in layers
        .read(Key::VfsObjects, f, value::list)
        .unwrap_or_default()
    {
        match name.to_ascii_lowercase().as_str() {
            "streams_xattr" => streams = true,
            "acl_xattr" => acl = true,
            _ => {
                if let Some(entry) = layers.entry(Key::VfsObjects) {
                    let message =
                        format!("`{name}`: expected acl_xattr or streams_xattr; it has no effect");
                    f.add(&entry.value_at, Severity::Warning, message);
                }
            }
        }
    }
    (streams, acl)
}

/// User and group of every access. A name that does not exist leaves the share out: serving it as somebody else would give
/// rights that nobody meant to give.
fn forced(
    layers: &Layers<'_>,
    accounts: &dyn Accounts,
    f: &mut Findings,
) -> Result<(Option<u32>, Option<u32>), ()> {
    let mut ids = (None, None);
    if let Some(entry) = layers.entry(Key::ForceUser) {
        let Some(user) = accounts.user(&entry.value) else {
            let message = format!(
                "`{}` is not a system user; the share is left out",
                entry.value
            );
            f.add(&entry.value_at, Severity::Error, message);
            return Err(());
        };
        ids = (Some(user.uid), Some(user.gid));
    }
    if let Some(entry) = layers.entry(Key::ForceGroup) {
        let Some(gid) = accounts.group(entry.value.trim_start_matches(['@', '+'])) else {
            let message = format!(
                "`{}` is not a system group; the share is left out",
                entry.value
            );
            f.add(&entry.value_at, Severity::Error, message);
            return Err(());
        };
        ids.1 = Some(gid);
    }
    Ok(ids)
}
