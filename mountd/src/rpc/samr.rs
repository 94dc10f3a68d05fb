// SPDX-License-Identifier: GPL-2.0

//! The account database, [MS-SAMR]: the users of the user database, each with his uid as relative id.
//!
//! It is read only: what would change an account gets the fault of an operation that does not exist.

use super::handles::{Handle, Object, NULL};
use super::lsarpc::{close, opened, status, with_directory, write_security, QuerySecurity};
use super::ndr::{
    ndr_params, ndr_struct, Array, Decoder, Encode, Encoder, Enum, EnumLevel, Level, UnicodeString,
    Unique, Varying, WStr,
};
use super::pdu::{fault, SyntaxId};
use super::sid::{Directory, Kind, Sid};
use super::{page, samr_display, samr_domain, samr_groups, samr_user, Call, Fault, Interface};

/// Operation numbers, [MS-SAMR] 3.1.5.
mod operation {
    pub(super) const CONNECT: u16 = 0;
    pub(super) const CLOSE: u16 = 1;
    pub(super) const QUERY_SECURITY: u16 = 3;
    pub(super) const LOOKUP_DOMAIN: u16 = 5;
    pub(super) const ENUM_DOMAINS: u16 = 6;
    pub(super) const OPEN_DOMAIN: u16 = 7;
    pub(super) const QUERY_DOMAIN: u16 = 8;
    pub(super) const ENUM_GROUPS: u16 = 11;
    pub(super) const ENUM_USERS: u16 = 13;
    pub(super) const ENUM_ALIASES: u16 = 15;
    pub(super) const ALIAS_MEMBERSHIP: u16 = 16;
    pub(super) const LOOKUP_NAMES: u16 = 17;
    pub(super) const LOOKUP_IDS: u16 = 18;
    pub(super) const OPEN_GROUP: u16 = 19;
    pub(super) const QUERY_GROUP: u16 = 20;
    pub(super) const GROUP_MEMBERS: u16 = 25;
    pub(super) const OPEN_ALIAS: u16 = 27;
    pub(super) const QUERY_ALIAS: u16 = 28;
    pub(super) const ALIAS_MEMBERS: u16 = 33;
    pub(super) const OPEN_USER: u16 = 34;
    pub(super) const QUERY_USER: u16 = 36;
    pub(super) const GROUPS_OF_USER: u16 = 39;
    pub(super) const QUERY_DISPLAY: u16 = 40;
    pub(super) const DISPLAY_INDEX: u16 = 41;
    pub(super) const USER_PASSWORD_POLICY: u16 = 44;
    pub(super) const QUERY_DOMAIN2: u16 = 46;
    pub(super) const QUERY_USER2: u16 = 47;
    pub(super) const QUERY_DISPLAY2: u16 = 48;
    pub(super) const DISPLAY_INDEX2: u16 = 49;
    pub(super) const QUERY_DISPLAY3: u16 = 51;
    pub(super) const PASSWORD_POLICY: u16 = 56;
    pub(super) const CONNECT2: u16 = 57;
    pub(super) const CONNECT4: u16 = 62;
    pub(super) const CONNECT5: u16 = 64;
    pub(super) const RID_TO_SID: u16 = 65;
}

/// Relative id of the group of all users.
pub(super) const DOMAIN_USERS: u32 = 513;
/// `SE_GROUP_MANDATORY`, `ENABLED_BY_DEFAULT` and `ENABLED`.
pub(super) const GROUP_ATTRIBUTES: u32 = 7;
/// `USER_NORMAL_ACCOUNT`, 2.2.1.12.
pub(super) const NORMAL_ACCOUNT: u32 = 0x10;
/// Most names or ids of one call, as the interface has it.
const MOST_LOOKUPS: usize = 1000;
ndr_struct! {
    /// `SAMPR_RID_ENUMERATION`, 2.2.3.9.
    pub(super) struct RidName { relative: u32, name: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_ENUMERATION_BUFFER` and the other lists, 2.2.3 and 2.2.7.
    pub(super) struct List<T> { entries: u32, items: Unique<Array<T>>, }
}
ndr_struct! {
    /// `SAMPR_REVISION_INFO_V1`, 2.2.7.15.
    pub(super) struct Revision { revision: u32, features: u32, }
}
ndr_struct! {
    /// `SAMPR_SID_INFORMATION`, 2.2.3.4.
    pub(super) struct SidInformation { sid: Unique<Sid>, }
}
ndr_struct! {
    /// `OLD_LARGE_INTEGER`, 2.2.2.2.
    pub(super) struct Time { low: u32, high: u32, }
}

ndr_params! {
    /// SamrConnect2, 3.1.5.1.3.
    pub(super) struct Connect2 { server: Unique<WStr>, access: u32, }
}
ndr_params! {
    /// SamrConnect4, 3.1.5.1.2.
    pub(super) struct Connect4 { server: Unique<WStr>, revision: u32, access: u32, }
}
ndr_params! {
    /// SamrConnect5, 3.1.5.1.1.
    pub(super) struct Connect5 { server: Unique<WStr>, access: u32, version: u32, revision: Level<Revision>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct Connected5 { version: u32, revision: Level<Revision>, handle: Handle, status: u32, }
}
ndr_params! {
    /// SamrLookupDomainInSamServer, 3.1.5.11.1.
    pub(super) struct LookupDomain { server: Handle, name: UnicodeString, }
}
ndr_params! {
    /// Its results, and those of SamrRidToSid.
    pub(super) struct FoundSid { sid: Unique<Sid>, status: u32, }
}
ndr_params! {
    /// SamrEnumerateDomainsInSamServer, SamrEnumerateGroupsInDomain and SamrEnumerateAliasesInDomain, 3.1.5.2.
    pub(super) struct Enumerate { of: Handle, context: u32, preferred: u32, }
}
ndr_params! {
    /// SamrEnumerateUsersInDomain, 3.1.5.2.5.
    pub(super) struct EnumerateUsers { domain: Handle, context: u32, control: u32, preferred: u32, }
}
ndr_params! {
    /// Their results.
    pub(super) struct Enumerated { context: u32, list: Unique<List<RidName>>, entries: u32, status: u32, }
}
ndr_params! {
    /// SamrOpenDomain, 3.1.5.1.5.
    pub(super) struct OpenDomain { server: Handle, access: u32, sid: Sid, }
}
ndr_params! {
    /// SamrOpenUser, SamrOpenGroup and SamrOpenAlias, 3.1.5.1.
    pub(super) struct OpenById { domain: Handle, access: u32, relative: u32, }
}
ndr_params! {
    /// What a handle alone is enough for.
    pub(super) struct OfHandle { handle: Handle, }
}
ndr_params! {
    /// What asks about an object by a class of information, 3.1.5.5.
    pub(super) struct Query { of: Handle, class: Enum, }
}
ndr_params! {
    /// SamrGetAliasMembership, 3.1.5.9.2.
    pub(super) struct AliasMembership { domain: Handle, sids: List<SidInformation>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct Aliases { list: List<u32>, status: u32, }
}
ndr_params! {
    /// SamrLookupNamesInDomain, 3.1.5.11.2.
    pub(super) struct LookupNames { domain: Handle, count: u32, names: Varying<UnicodeString>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct FoundIds { relative: List<u32>, kinds: List<u32>, status: u32, }
}
ndr_params! {
    /// SamrLookupIdsInDomain, 3.1.5.11.3.
    pub(super) struct LookupIds { domain: Handle, count: u32, ids: Varying<u32>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct FoundNames { names: List<UnicodeString>, kinds: List<u32>, status: u32, }
}
ndr_params! {
    /// SamrGetDomainPasswordInformation, 3.1.5.13.3.
    pub(super) struct PasswordPolicy { unused: Unique<UnicodeString>, }
}
ndr_params! {
    /// SamrRidToSid, 3.1.5.13.7.
    pub(super) struct RidToSid { object: Handle, relative: u32, }
}

/// The interface.
pub(super) struct Samr;

impl Interface for Samr {
    fn id(&self) -> SyntaxId {
        SyntaxId::new(
            0x1234_5778,
            0x1234,
            0xabcd,
            [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac],
            1,
        )
    }

    fn call(
        &self,
        call: &Call<'_>,
        number: u16,
        input: &mut Decoder<'_>,
        output: &mut Encoder,
    ) -> Result<(), Fault> {
        match number {
            // The server's name of the oldest form is a single character, which clients write in various ways; nothing is
            // done with it, nor with what follows.
            operation::CONNECT => connect(call, output),
            operation::CONNECT2 => {
                let _asked: Connect2 = input.params()?;
                connect(call, output)
            }
            operation::CONNECT4 => {
                let _asked: Connect4 = input.params()?;
                connect(call, output)
            }
            operation::CONNECT5 => connect5(call, input, output),
            operation::CLOSE => close(call, input, output),
            operation::QUERY_SECURITY => query_security(call, input, output),
            operation::RID_TO_SID => rid_to_sid(call, input, output),
            operation::LOOKUP_DOMAIN => lookup_domain(call, input, output),
            operation::ENUM_DOMAINS => enum_domains(call, input, output),
            operation::OPEN_DOMAIN => open_domain(call, input, output),
            operation::ENUM_USERS => enum_users(call, input, output),
            operation::ALIAS_MEMBERSHIP => alias_membership(call, input, output),
            operation::LOOKUP_NAMES => lookup_names(call, input, output),
            operation::LOOKUP_IDS => lookup_ids(call, input, output),
            operation::OPEN_USER => samr_user::open(call, input, output),
            operation::QUERY_USER | operation::QUERY_USER2 => samr_user::query(call, input, output),
            operation::GROUPS_OF_USER => samr_user::groups(call, input, output),
            operation::QUERY_DOMAIN | operation::QUERY_DOMAIN2 => {
                samr_domain::query_domain(call, input, output)
            }
            operation::QUERY_DISPLAY | operation::QUERY_DISPLAY2 | operation::QUERY_DISPLAY3 => {
                samr_display::query(call, input, output)
            }
            operation::DISPLAY_INDEX | operation::DISPLAY_INDEX2 => {
                samr_display::find(call, input, output)
            }
            operation::USER_PASSWORD_POLICY => {
                let OfHandle { handle } = input.params()?;
                samr_user::of(call, &handle)?;
                samr_domain::password_policy(output);
                Ok(())
            }
            operation::PASSWORD_POLICY if call.may_look() => {
                let _asked: PasswordPolicy = input.params()?;
                samr_domain::password_policy(output);
                Ok(())
            }
            operation::PASSWORD_POLICY => Err(Fault(fault::ACCESS_DENIED)),
            operation::ENUM_GROUPS => {
                samr_groups::enumerate(call, samr_groups::groups, input, output)
            }
            operation::ENUM_ALIASES => {
                samr_groups::enumerate(call, samr_groups::aliases, input, output)
            }
            operation::OPEN_GROUP => samr_groups::open_group(call, input, output),
            operation::QUERY_GROUP => samr_groups::query_group(call, input, output),
            operation::GROUP_MEMBERS => samr_groups::group_members(call, input, output),
            operation::OPEN_ALIAS => samr_groups::open_alias(call, input, output),
            operation::QUERY_ALIAS => samr_groups::query_alias(call, input, output),
            operation::ALIAS_MEMBERS => samr_groups::alias_members(call, input, output),
            _ => Err(Fault(fault::OPERATION_RANGE)),
        }
    }
}

fn connect(call: &Call<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let (handle, status) = server_handle(call)?;
    opened(handle, status, output);
    Ok(())
}

fn server_handle(call: &Call<'_>) -> Result<(Handle, u32), Fault> {
    if call.may_look() {
        Ok((call.handles.open(Object::Accounts)?, status::SUCCESS))
    } else {
        Ok((NULL, status::ACCESS_DENIED))
    }
}

/// SamrConnect5: the handle comes after the revision. There is one version of that.
fn connect5(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let asked: Connect5 = input.params()?;
    if asked.version != 1 || asked.revision.level != 1 {
        return Err(Fault(fault::INVALID_TAG));
    }
    let (handle, status) = server_handle(call)?;
    output.params(&Connected5 {
        version: 1,
        revision: Level {
            level: 1,
            arm: Revision {
                revision: 3,
                features: 0,
            },
        },
        handle,
        status,
    });
    Ok(())
}

fn check_accounts(call: &Call<'_>, handle: &Handle) -> Result<(), Fault> {
    match call.handles.get(handle)? {
        Object::Accounts => Ok(()),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// The domain that a handle stands for.
pub(super) fn domain_of(call: &Call<'_>, handle: &Handle) -> Result<Sid, Fault> {
    match call.handles.get(handle)? {
        Object::Domain(sid) => Ok(sid),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// The two domains: the server's own and the built-in one.
pub(super) fn domains(call: &Call<'_>) -> [(String, Sid); 2] {
    let own = with_directory(call, |directory| {
        (directory.server.to_owned(), directory.domain())
    });
    [own, ("Builtin".to_owned(), Directory::builtin())]
}

pub(super) fn is_own_domain(call: &Call<'_>, sid: &Sid) -> bool {
    with_directory(call, |directory| directory.domain() == *sid)
}

/// SamrLookupDomainInSamServer.
fn lookup_domain(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupDomain = input.params()?;
    check_accounts(call, &asked.server)?;
    let found = domains(call)
        .into_iter()
        .find(|(domain, _)| domain.eq_ignore_ascii_case(asked.name.text()));
    output.params(&match found {
        Some((_, sid)) => FoundSid {
            sid: Unique::To(sid),
            status: status::SUCCESS,
        },
        None => FoundSid {
            sid: Unique::Null,
            status: status::NO_SUCH_DOMAIN,
        },
    });
    Ok(())
}

/// A list behind a pointer.
pub(super) fn list<T>(items: Vec<T>) -> List<T> {
    List {
        entries: count(&items),
        items: Unique::To(Array(items)),
    }
}

pub(super) fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// SamrEnumerateDomainsInSamServer, 3.1.5.2.1.
fn enum_domains(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate = input.params()?;
    check_accounts(call, &asked.of)?;
    let all: Vec<RidName> = domains(call)
        .into_iter()
        .map(|(name, _)| rid_name(0, &name))
        .collect();
    write_enumeration(asked.context, asked.preferred, &all, output);
    Ok(())
}

pub(super) fn rid_name(relative: u32, name: &str) -> RidName {
    RidName {
        relative,
        name: UnicodeString::new(name),
    }
}

/// Writes the entries after `before`, as many as the client prefers.
pub(super) fn write_enumeration(
    before: u32,
    preferred: u32,
    all: &[RidName],
    output: &mut Encoder,
) {
    let first = usize::try_from(before).unwrap_or(usize::MAX);
    let rest = all.get(first..).unwrap_or(&[]);
    let page = page::of(rest, preferred, |entry| 24 + 2 * entry.name.text().len());
    let entries = count(page.items);
    output.params(&Enumerated {
        context: before.saturating_add(entries),
        list: Unique::To(list(page.items.to_vec())),
        entries,
        status: if page.is_all {
            status::SUCCESS
        } else {
            status::MORE_ENTRIES
        },
    });
}

/// SamrOpenDomain.
fn open_domain(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: OpenDomain = input.params()?;
    check_accounts(call, &asked.server)?;
    if domains(call).iter().any(|(_, known)| *known == asked.sid) {
        let handle = call.handles.open(Object::Domain(asked.sid))?;
        opened(handle, status::SUCCESS, output);
    } else {
        opened(NULL, status::NO_SUCH_DOMAIN, output);
    }
    Ok(())
}

/// A user of the database that the system knows.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) uid: u32,
}

/// The users of a domain; the built-in one has none.
pub(super) fn users(call: &Call<'_>, domain: &Sid) -> Vec<Known> {
    if !is_own_domain(call, domain) {
        return Vec::new();
    }
    let state = &call.server.state;
    let settings = state.settings();
    let known = |name: &str| {
        Some(Known {
            name: name.to_owned(),
            uid: state.accounts().user(name)?.uid,
        })
    };
    settings
        .users
        .iter()
        .filter_map(|(name, _)| known(name))
        .collect()
}

/// SamrEnumerateUsersInDomain.
fn enum_users(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let asked: EnumerateUsers = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let all: Vec<RidName> = users(call, &domain)
        .iter()
        .filter(|_| asked.control == 0 || asked.control & NORMAL_ACCOUNT != 0)
        .map(|user| rid_name(user.uid, &user.name))
        .collect();
    write_enumeration(asked.context, asked.preferred, &all, output);
    Ok(())
}

/// SamrGetAliasMembership: the aliases of any of the SIDs.
fn alias_membership(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: AliasMembership = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let sids = asked.sids.items.as_ref().map_or(&[][..], |sids| &sids.0);
    if sids.len() > MOST_LOOKUPS {
        return Err(Fault(fault::INVALID_BOUND));
    }
    let sids: Vec<&Sid> = sids.iter().filter_map(|item| item.sid.as_ref()).collect();
    output.params(&Aliases {
        list: list(samr_groups::aliases_of(call, &domain, &sids)),
        status: status::SUCCESS,
    });
    Ok(())
}

/// The values of an array that says its own count, if there are as many as the count before it says and as the interface allows.
fn checked<T>(count: u32, array: &Varying<T>) -> Result<&[T], Fault> {
    if usize::try_from(count) != Ok(array.items.len()) {
        return Err(Fault(fault::BAD_STUB));
    }
    if array.items.len() > MOST_LOOKUPS {
        return Err(Fault(fault::INVALID_BOUND));
    }
    Ok(&array.items)
}

/// The status of a lookup in which `mapped` of `all` were found.
fn lookup_status(mapped: usize, all: usize) -> u32 {
    if mapped == all {
        status::SUCCESS
    } else if mapped == 0 {
        status::NONE_MAPPED
    } else {
        status::SOME_NOT_MAPPED
    }
}

/// Whoever has a name and a relative id in a domain.
struct Named {
    name: String,
    relative: u32,
    kind: Kind,
}

fn everybody(call: &Call<'_>, domain: &Sid) -> Vec<Named> {
    let users = users(call, domain).into_iter().map(|user| Named {
        name: user.name,
        relative: user.uid,
        kind: Kind::User,
    });
    let named = |listed: &samr_groups::Listed, kind| Named {
        name: listed.name.to_owned(),
        relative: listed.relative,
        kind,
    };
    let groups = samr_groups::groups(call, domain).iter();
    let aliases = samr_groups::aliases(call, domain).iter();
    users
        .chain(groups.map(|group| named(group, Kind::Group)))
        .chain(aliases.map(|alias| named(alias, Kind::Alias)))
        .collect()
}

fn kind_number(found: Option<&Named>) -> u32 {
    u32::from(found.map_or(Kind::Unknown, |found| found.kind).number())
}

/// SamrLookupNamesInDomain.
fn lookup_names(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupNames = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let names = checked(asked.count, &asked.names)?;
    let all = everybody(call, &domain);
    let find = |name: &UnicodeString| {
        all.iter()
            .find(|named| named.name.eq_ignore_ascii_case(name.text()))
    };
    let found: Vec<Option<&Named>> = names.iter().map(find).collect();
    let relative = |named: &Option<&Named>| named.map_or(0, |named| named.relative);
    output.params(&FoundIds {
        relative: list(found.iter().map(relative).collect()),
        kinds: list(found.iter().map(|named| kind_number(*named)).collect()),
        status: lookup_status(found.iter().flatten().count(), found.len()),
    });
    Ok(())
}

/// SamrLookupIdsInDomain.
fn lookup_ids(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let asked: LookupIds = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let ids = checked(asked.count, &asked.ids)?;
    let all = everybody(call, &domain);
    let find = |id: &u32| all.iter().find(|named| named.relative == *id);
    let found: Vec<Option<&Named>> = ids.iter().map(find).collect();
    let name = |named: &Option<&Named>| UnicodeString::new(named.map_or("", |named| &named.name));
    output.params(&FoundNames {
        names: list(found.iter().map(name).collect()),
        kinds: list(found.iter().map(|named| kind_number(*named)).collect()),
        status: lookup_status(found.iter().flatten().count(), found.len()),
    });
    Ok(())
}

/// Writes a pointer to a union, and success.
pub(super) fn write_info<T: Encode>(class: u16, arm: T, output: &mut Encoder) {
    output.param(&Unique::To(EnumLevel {
        level: Enum(class),
        arm,
    }));
    output.param(&status::SUCCESS);
}

/// Writes that there is no such information.
pub(super) fn no_info(status: u32, output: &mut Encoder) {
    output.param(&Unique::<u32>::Null);
    output.param(&status);
}

/// SamrQuerySecurityObject, 3.1.5.12.2. What reading means is each kind's own (2.2.1.3 to 2.2.1.7).
fn query_security(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let QuerySecurity { object, parts } = input.params()?;
    let rights = match call.handles.get(&object)? {
        Object::Accounts => 0x0002_0031,
        Object::Domain(_) => 0x0002_0385,
        Object::Group(_) => 0x0002_0011,
        Object::Alias(_) => 0x0002_000C,
        Object::User(..) => 0x0002_031B,
        Object::Policy => return Err(Fault(fault::CONTEXT_MISMATCH)),
    };
    write_security(parts, rights, output);
    Ok(())
}

/// SamrRidToSid: any handle of a domain, or of what is in one, says which domain is meant.
fn rid_to_sid(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let asked: RidToSid = input.params()?;
    let own = || with_directory(call, |directory| directory.domain());
    let domain = match call.handles.get(&asked.object)? {
        Object::Domain(domain) | Object::User(domain, _) => domain,
        Object::Group(_) => own(),
        Object::Alias(_) => Directory::builtin(),
        Object::Accounts | Object::Policy => return Err(Fault(fault::CONTEXT_MISMATCH)),
    };
    output.params(&FoundSid {
        sid: Unique::To(domain.child(asked.relative)),
        status: status::SUCCESS,
    });
    Ok(())
}

#[cfg(test)]
#[path = "samr_tests.rs"]
mod tests;
