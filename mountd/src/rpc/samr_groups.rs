// SPDX-License-Identifier: GPL-2.0

//! The groups and aliases of the account database, [MS-SAMR]: the one group of all users that a server outside of a domain
//! has, and the built-in aliases, which have no members here. Read only, like the users.

use super::handles::{Object, NULL};
use super::lsarpc::{handle, status};
use super::ndr::{ndr_struct, Array, Decoder, Encoder, Enum, UnicodeString, Unique};
use super::pdu::fault;
use super::samr::{
    count, domain_of, is_own_domain, users, write_enumeration, write_info, List, RidName,
    SidInformation, DOMAIN_USERS, GROUP_ATTRIBUTES,
};
use super::sid::Sid;
use super::{Call, Fault};

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
        relative: 544,
        name: "Administrators",
        comment: "Administrators of the server",
    },
    Listed {
        relative: 545,
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
    struct GroupGeneral { name: UnicodeString, attributes: u32, members: u32, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_ALIAS_GENERAL_INFORMATION`, 2.2.5.3.
    struct AliasGeneral { name: UnicodeString, members: u32, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_GET_MEMBERS_BUFFER`, 2.2.7.14.
    struct Members { entries: u32, members: Unique<Array<u32>>, attributes: Unique<Array<u32>>, }
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
    let domain = domain_of(call, input)?;
    let before: u32 = input.param()?;
    let items = of(call, &domain)
        .iter()
        .skip(usize::try_from(before).unwrap_or(usize::MAX))
        .map(|listed| RidName {
            relative: listed.relative,
            name: UnicodeString::new(listed.name),
        })
        .collect();
    write_enumeration(before, items, status::SUCCESS, output);
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
    let domain = domain_of(call, input)?;
    let _access: u32 = input.param()?;
    let id: u32 = input.param()?;
    if of(call, &domain).iter().any(|listed| listed.relative == id) {
        output.param(&call.handles.open(object(id))?);
        output.param(&status::SUCCESS);
    } else {
        output.param(&NULL);
        output.param(&missing);
    }
    Ok(())
}

fn find(list: &'static [Listed], id: u32) -> Result<&'static Listed, Fault> {
    list.iter()
        .find(|listed| listed.relative == id)
        .ok_or(Fault(fault::CONTEXT_MISMATCH))
}

fn group_of(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<&'static Listed, Fault> {
    match call.handles.get(&handle(input)?)? {
        Object::Group(id) => find(GROUPS, id),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

fn alias_of(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<&'static Listed, Fault> {
    match call.handles.get(&handle(input)?)? {
        Object::Alias(id) => find(ALIASES, id),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// The ids of a group's members: every user is in the one group that there is.
fn members(call: &Call<'_>) -> Vec<u32> {
    let domain = super::lsarpc::with_directory(call, |directory| directory.domain());
    users(call, &domain).iter().map(|user| user.uid).collect()
}

/// SamrQueryInformationGroup, 3.1.5.5.3.
pub(super) fn query_group(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let group = group_of(call, input)?;
    let Enum(class) = input.param()?;
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
        _ => {
            output.param(&Unique::<u32>::Null);
            output.param(&status::INVALID_INFO_CLASS);
        }
    }
    Ok(())
}

/// SamrGetMembersInGroup, 3.1.5.8.3.
pub(super) fn group_members(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    group_of(call, input)?;
    let members = members(call);
    let attributes = vec![GROUP_ATTRIBUTES; members.len()];
    output.param(&Unique::To(Members {
        entries: count(&members),
        members: Unique::To(Array(members)),
        attributes: Unique::To(Array(attributes)),
    }));
    output.param(&status::SUCCESS);
    Ok(())
}

/// SamrQueryInformationAlias, 3.1.5.5.4.
pub(super) fn query_alias(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let alias = alias_of(call, input)?;
    let Enum(class) = input.param()?;
    match class {
        alias_class::GENERAL => write_info(
            class,
            AliasGeneral {
                name: UnicodeString::new(alias.name),
                members: 0,
                comment: UnicodeString::new(alias.comment),
            },
            output,
        ),
        alias_class::NAME => write_info(class, UnicodeString::new(alias.name), output),
        alias_class::COMMENT => write_info(class, UnicodeString::new(alias.comment), output),
        _ => {
            output.param(&Unique::<u32>::Null);
            output.param(&status::INVALID_INFO_CLASS);
        }
    }
    Ok(())
}

/// SamrGetMembersInAlias, 3.1.5.8.4.
pub(super) fn alias_members(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    alias_of(call, input)?;
    output.param(&List::<SidInformation> {
        entries: 0,
        items: Unique::Null,
    });
    output.param(&status::SUCCESS);
    Ok(())
}
