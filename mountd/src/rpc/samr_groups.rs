// SPDX-License-Identifier: GPL-2.0

//! The groups and aliases of the account database, [MS-SAMR]: the one group of all users that a server outside of a domain
//! has, and the built-in aliases: who administers the server, all users, and guests. Read only, like the users.

use super::handles::{Handle, Object, NULL};
use super::lsarpc::{opened, status};
use super::ndr::{ndr_params, ndr_struct, Array, Decoder, Encoder, UnicodeString, Unique};
use super::pdu::fault;
use super::samr::{
    count, domain_of, is_own_domain, list, no_info, rid_name, users, write_enumeration, write_info,
    Enumerate, Known, List, OfHandle, OpenById, Query, RidName, SidInformation, DOMAIN_USERS,
    GROUP_ATTRIBUTES,
};
use super::sid::Sid;
use super::{Call, Fault};

/// Relative id of the alias of those who administer the server.
const ADMINISTRATORS: u32 = 544;
/// Relative id of the alias of all users.
const USERS: u32 = 545;

/// A group or an alias.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its relative id.
    pub(super) relative: u32,
    /// Its name.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) comment: &'static str,
}

/// What Windows calls the group of all users on a server that is in no domain.
const GROUPS: &[Listed] = &[Listed {
    relative: DOMAIN_USERS,
    name: "None",
    comment: "Ordinary users",
}];

const ALIASES: &[Listed] = &[
    Listed {
        relative: ADMINISTRATORS,
        name: "Administrators",
        comment: "Administrators of the server",
    },
    Listed {
        relative: USERS,
        name: "Users",
        comment: "Ordinary users",
    },
    Listed {
        relative: 546,
        name: "Guests",
        comment: "Guests",
    },
];

/// The groups of a domain.
pub(super) fn groups(call: &Call<'_>, domain: &Sid) -> &'static [Listed] {
    if is_own_domain(call, domain) {
        GROUPS
    } else {
        &[]
    }
}

/// The aliases of a domain.
pub(super) fn aliases(call: &Call<'_>, domain: &Sid) -> &'static [Listed] {
    if is_own_domain(call, domain) {
        &[]
    } else {
        ALIASES
    }
}

ndr_struct! {
    /// `SAMPR_GROUP_GENERAL_INFORMATION`, 2.2.4.5.
    pub(super) struct GroupGeneral { name: UnicodeString, attributes: u32, members: u32, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_ALIAS_GENERAL_INFORMATION`, 2.2.5.3.
    pub(super) struct AliasGeneral { name: UnicodeString, members: u32, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_GET_MEMBERS_BUFFER`, 2.2.7.14.
    pub(super) struct Members { entries: u32, members: Unique<Array<u32>>, attributes: Unique<Array<u32>>, }
}

ndr_params! {
    /// Results of SamrGetMembersInGroup, 3.1.5.8.3.
    pub(super) struct GroupMembers { members: Unique<Members>, status: u32, }
}
ndr_params! {
    /// Results of SamrGetMembersInAlias, 3.1.5.8.4.
    pub(super) struct AliasMembers { members: List<SidInformation>, status: u32, }
}

/// `GROUP_INFORMATION_CLASS`, 2.2.4.6.
mod group_class {
    pub(super) const GENERAL: u16 = 1;
    pub(super) const NAME: u16 = 2;
    pub(super) const ATTRIBUTES: u16 = 3;
    pub(super) const COMMENT: u16 = 4;
    pub(super) const GENERAL_WITHOUT_COUNT: u16 = 5;
}

/// `ALIAS_INFORMATION_CLASS`, 2.2.5.5.
mod alias_class {
    pub(super) const GENERAL: u16 = 1;
    pub(super) const NAME: u16 = 2;
    pub(super) const COMMENT: u16 = 3;
}

/// SamrEnumerateGroupsInDomain and SamrEnumerateAliasesInDomain, 3.1.5.2.3 and 3.1.5.2.4; `of` gives which.
pub(super) fn enumerate(
    call: &Call<'_>,
    of: fn(&Call<'_>, &Sid) -> &'static [Listed],
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate = input.params()?;
    let domain = domain_of(call, &asked.of)?;
    let all: Vec<RidName> = of(call, &domain)
        .iter()
        .map(|listed| rid_name(listed.relative, listed.name))
        .collect();
    write_enumeration(asked.context, asked.preferred, &all, output);
    Ok(())
}

/// SamrOpenGroup, 3.1.5.1.7.
pub(super) fn open_group(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    open(
        call,
        groups,
        Object::Group,
        status::NO_SUCH_GROUP,
        input,
        output,
    )
}

/// SamrOpenAlias, 3.1.5.1.8.
pub(super) fn open_alias(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    open(
        call,
        aliases,
        Object::Alias,
        status::NO_SUCH_ALIAS,
        input,
        output,
    )
}

fn open(
    call: &Call<'_>,
    of: fn(&Call<'_>, &Sid) -> &'static [Listed],
    object: fn(u32) -> Object,
    missing: u32,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: OpenById = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let id = asked.relative;
    if of(call, &domain).iter().any(|listed| listed.relative == id) {
        opened(call.handles.open(object(id))?, status::SUCCESS, output);
    } else {
        opened(NULL, missing, output);
    }
    Ok(())
}

fn find(list: &'static [Listed], id: u32) -> Result<&'static Listed, Fault> {
    list.iter()
        .find(|listed| listed.relative == id)
        .ok_or(Fault(fault::CONTEXT_MISMATCH))
}

fn group_of(call: &Call<'_>, handle: &Handle) -> Result<&'static Listed, Fault> {
    match call.handles.get(handle)? {
        Object::Group(id) => find(GROUPS, id),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

fn alias_of(call: &Call<'_>, handle: &Handle) -> Result<&'static Listed, Fault> {
    match call.handles.get(handle)? {
        Object::Alias(id) => find(ALIASES, id),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// The server's own users: all of them are in the one group that there is.
fn own_users(call: &Call<'_>) -> (Sid, Vec<Known>) {
    let domain = super::lsarpc::with_directory(call, |directory| directory.domain());
    let users = users(call, &domain);
    (domain, users)
}

/// The ids of the group's members.
fn members(call: &Call<'_>) -> Vec<u32> {
    own_users(call).1.iter().map(|user| user.uid).collect()
}

/// Whether a user is in an alias.
fn is_in(call: &Call<'_>, alias: u32, user: &Known) -> bool {
    match alias {
        ADMINISTRATORS => call.administers(&user.name),
        USERS => true,
        _ => false,
    }
}

/// The SIDs of an alias' members.
fn members_of_alias(call: &Call<'_>, alias: u32) -> Vec<SidInformation> {
    let (domain, users) = own_users(call);
    users
        .iter()
        .filter(|user| is_in(call, alias, user))
        .map(|user| SidInformation {
            sid: Unique::To(domain.child(user.uid)),
        })
        .collect()
}

/// The aliases of `domain` in which one of `sids` is, each once.
pub(super) fn aliases_of(call: &Call<'_>, domain: &Sid, sids: &[&Sid]) -> Vec<u32> {
    let (own, users) = own_users(call);
    let is_meant = |user: &&Known| sids.contains(&&own.child(user.uid));
    let meant: Vec<&Known> = users.iter().filter(is_meant).collect();
    aliases(call, domain)
        .iter()
        .map(|alias| alias.relative)
        .filter(|alias| meant.iter().any(|user| is_in(call, *alias, user)))
        .collect()
}

/// SamrQueryInformationGroup, 3.1.5.5.3.
pub(super) fn query_group(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let Query { of, class } = input.params()?;
    let group = group_of(call, &of)?;
    let class = class.0;
    let general = |members| GroupGeneral {
        name: UnicodeString::new(group.name),
        attributes: GROUP_ATTRIBUTES,
        members,
        comment: UnicodeString::new(group.comment),
    };
    match class {
        group_class::GENERAL => write_info(class, general(count(&members(call))), output),
        group_class::NAME => write_info(class, UnicodeString::new(group.name), output),
        group_class::ATTRIBUTES => write_info(class, GROUP_ATTRIBUTES, output),
        group_class::COMMENT => write_info(class, UnicodeString::new(group.comment), output),
        group_class::GENERAL_WITHOUT_COUNT => write_info(class, general(0), output),
        _ => no_info(status::INVALID_INFO_CLASS, output),
    }
    Ok(())
}

/// SamrGetMembersInGroup, 3.1.5.8.3.
pub(super) fn group_members(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let OfHandle { handle } = input.params()?;
    group_of(call, &handle)?;
    let members = members(call);
    let attributes = vec![GROUP_ATTRIBUTES; members.len()];
    output.params(&GroupMembers {
        members: Unique::To(Members {
            entries: count(&members),
            members: Unique::To(Array(members)),
            attributes: Unique::To(Array(attributes)),
        }),
        status: status::SUCCESS,
    });
    Ok(())
}

/// SamrQueryInformationAlias, 3.1.5.5.4.
pub(super) fn query_alias(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let Query { of, class } = input.params()?;
    let alias = alias_of(call, &of)?;
    let class = class.0;
    match class {
        alias_class::GENERAL => write_info(
            class,
            AliasGeneral {
                name: UnicodeString::new(alias.name),
                members: count(&members_of_alias(call, alias.relative)),
                comment: UnicodeString::new(alias.comment),
            },
            output,
        ),
        alias_class::NAME => write_info(class, UnicodeString::new(alias.name), output),
        alias_class::COMMENT => write_info(class, UnicodeString::new(alias.comment), output),
        _ => no_info(status::INVALID_INFO_CLASS, output),
    }
    Ok(())
}

/// SamrGetMembersInAlias, 3.1.5.8.4.
pub(super) fn alias_members(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let OfHandle { handle } = input.params()?;
    let alias = alias_of(call, &handle)?;
    output.params(&AliasMembers {
        members: list(members_of_alias(call, alias.relative)),
        status: status::SUCCESS,
    });
    Ok(())
}
