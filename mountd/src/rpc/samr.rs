// SPDX-License-Identifier: GPL-2.0

//! The account database, [MS-SAMR]: the users of the user database, each with his uid as relative id.
//!
//! It is read only: what would change an account gets the fault of an operation that does not exist.

use super::handles::{Object, NULL};
use super::lsarpc::{close, handle, status, with_directory};
use super::ndr::{
    ndr_struct, Array, BadStub, Decode, Decoded, Decoder, Encode, Encoder, Enum, EnumLevel, Level,
    UnicodeString, Unique,
};
use super::pdu::{fault, SyntaxId};
use super::sid::Sid;
use super::{samr_domain, samr_groups, Call, Fault, Interface};

/// Operation numbers, [MS-SAMR] 3.1.5.
mod operation {
    pub(super) const CONNECT: u16 = 0;
    pub(super) const CLOSE: u16 = 1;
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
    pub(super) const USER_PASSWORD_POLICY: u16 = 44;
    pub(super) const QUERY_DOMAIN2: u16 = 46;
    pub(super) const QUERY_USER2: u16 = 47;
    pub(super) const QUERY_DISPLAY2: u16 = 48;
    pub(super) const QUERY_DISPLAY3: u16 = 51;
    pub(super) const PASSWORD_POLICY: u16 = 56;
    pub(super) const CONNECT2: u16 = 57;
    pub(super) const CONNECT4: u16 = 62;
    pub(super) const CONNECT5: u16 = 64;
}

/// `USER_INFORMATION_CLASS`, 2.2.6.28.
mod class {
    pub(super) const NAME: u16 = 6;
    pub(super) const ACCOUNT_NAME: u16 = 7;
    pub(super) const FULL_NAME: u16 = 8;
    pub(super) const PRIMARY_GROUP: u16 = 9;
    pub(super) const CONTROL: u16 = 16;
    pub(super) const ALL: u16 = 21;
}

/// Relative id of the group of all users.
pub(super) const DOMAIN_USERS: u32 = 513;
/// `SE_GROUP_MANDATORY`, `ENABLED_BY_DEFAULT` and `ENABLED`.
pub(super) const GROUP_ATTRIBUTES: u32 = 7;
/// `USER_NORMAL_ACCOUNT`, 2.2.1.12.
pub(super) const NORMAL_ACCOUNT: u32 = 0x10;
/// `SidTypeUser` and `SidTypeUnknown`.
const TYPE_USER: u32 = 1;
const TYPE_UNKNOWN: u32 = 8;
/// Most names or ids of one call, as the interface has it.
const MOST_LOOKUPS: usize = 1000;
/// Most users of one answer.
pub(super) const MOST_USERS: usize = 4096;

ndr_struct! {
    /// `SAMPR_RID_ENUMERATION`, 2.2.3.9.
    pub(super) struct RidName { relative: u32, name: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_ENUMERATION_BUFFER` and the other lists, 2.2.3 and 2.2.7.
    pub(super) struct List<T> { entries: u32, items: Unique<Array<T>>, }
}
ndr_struct! {
    /// `GROUP_MEMBERSHIP`, 2.2.7.13.
    struct Membership { relative: u32, attributes: u32, }
}
ndr_struct! {
    /// `SAMPR_REVISION_INFO_V1`, 2.2.7.15.
    struct Revision { revision: u32, features: u32, }
}
ndr_struct! {
    /// `SAMPR_SID_INFORMATION`, 2.2.3.4.
    pub(super) struct SidInformation { sid: Unique<Sid>, }
}
ndr_struct! {
    /// `SAMPR_USER_NAME_INFORMATION`, 2.2.6.8.
    struct Names { user: UnicodeString, full: UnicodeString, }
}
ndr_struct! {
    /// `OLD_LARGE_INTEGER`, 2.2.2.2.
    pub(super) struct Time { low: u32, high: u32, }
}
ndr_struct! {
    /// `RPC_SHORT_BLOB`, 2.2.2.3; always empty here.
    struct Blob { length: u16, most: u16, data: Unique<Array<u16>>, }
}
ndr_struct! {
    /// `SAMPR_SR_SECURITY_DESCRIPTOR`, 2.2.3.10; always empty here.
    struct Descriptor { length: u32, data: Unique<Array<u8>>, }
}
ndr_struct! {
    /// `SAMPR_LOGON_HOURS`, 2.2.6.5; always empty here.
    struct Hours { units: u16, data: Unique<Array<u8>>, }
}
ndr_struct! {
    /// `SAMPR_USER_ALL_INFORMATION`, 2.2.6.6.
    struct All {
        last_logon: Time, last_logoff: Time, password_set: Time, expires: Time, can_change: Time, must_change: Time,
        user: UnicodeString, full: UnicodeString, home: UnicodeString, drive: UnicodeString, script: UnicodeString,
        profile: UnicodeString, comment: UnicodeString, workstations: UnicodeString, user_comment: UnicodeString,
        parameters: UnicodeString, lm: Blob, nt: Blob, private: UnicodeString, security: Descriptor,
        relative: u32, primary_group: u32, control: u32, fields: u32, hours: Hours,
        bad_passwords: u16, logons: u16, country: u16, code_page: u16,
        lm_present: u8, nt_present: u8, expired: u8, sensitive: u8,
    }
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
            operation::CONNECT | operation::CONNECT2 | operation::CONNECT4 => connect(call, output),
            operation::CONNECT5 => connect5(call, output),
            operation::CLOSE => close(call, input, output),
            operation::LOOKUP_DOMAIN => lookup_domain(call, input, output),
            operation::ENUM_DOMAINS => enum_domains(call, input, output),
            operation::OPEN_DOMAIN => open_domain(call, input, output),
            operation::ENUM_USERS => enum_users(call, input, output),
            operation::ALIAS_MEMBERSHIP => alias_membership(call, input, output),
            operation::LOOKUP_NAMES => lookup_names(call, input, output),
            operation::LOOKUP_IDS => lookup_ids(call, input, output),
            operation::OPEN_USER => open_user(call, input, output),
            operation::QUERY_USER | operation::QUERY_USER2 => query_user(call, input, output),
            operation::GROUPS_OF_USER => groups_of_user(call, input, output),
            operation::QUERY_DOMAIN | operation::QUERY_DOMAIN2 => {
                samr_domain::query_domain(call, input, output)
            }
            operation::QUERY_DISPLAY | operation::QUERY_DISPLAY2 | operation::QUERY_DISPLAY3 => {
                samr_domain::query_display(call, input, output)
            }
            operation::USER_PASSWORD_POLICY => {
                user_of(call, input)?;
                samr_domain::password_policy(output);
                Ok(())
            }
            operation::PASSWORD_POLICY if call.may_look() => {
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
    if !call.may_look() {
        output.param(&NULL);
        output.param(&status::ACCESS_DENIED);
        return Ok(());
    }
    output.param(&call.handles.open(Object::Accounts)?);
    output.param(&status::SUCCESS);
    Ok(())
}

/// SamrConnect5, 3.1.5.1.1: the handle comes after the revision.
fn connect5(call: &Call<'_>, output: &mut Encoder) -> Result<(), Fault> {
    output.param(&1u32);
    output.param(&Level {
        level: 1,
        arm: Revision {
            revision: 3,
            features: 0,
        },
    });
    connect(call, output)
}

fn check_accounts(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<(), Fault> {
    match call.handles.get(&handle(input)?)? {
        Object::Accounts => Ok(()),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

pub(super) fn domain_of(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<Sid, Fault> {
    match call.handles.get(&handle(input)?)? {
        Object::Domain(sid) => Ok(sid),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// The two domains: the server's own and the built-in one.
pub(super) fn domains(call: &Call<'_>) -> [(String, Sid); 2] {
    let own = with_directory(call, |directory| {
        (directory.server.to_owned(), directory.domain())
    });
    [own, ("Builtin".to_owned(), Sid::new(5, &[32]))]
}

pub(super) fn is_own_domain(call: &Call<'_>, sid: &Sid) -> bool {
    with_directory(call, |directory| directory.domain() == *sid)
}

/// SamrLookupDomainInSamServer, 3.1.5.11.1.
fn lookup_domain(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    check_accounts(call, input)?;
    let name: UnicodeString = input.param()?;
    let found = domains(call)
        .into_iter()
        .find(|(domain, _)| domain.eq_ignore_ascii_case(name.text()));
    match found {
        Some((_, sid)) => {
            output.param(&Unique::To(sid));
            output.param(&status::SUCCESS);
        }
        None => {
            output.param(&Unique::<Sid>::Null);
            output.param(&status::NO_SUCH_DOMAIN);
        }
    }
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
    check_accounts(call, input)?;
    let before: u32 = input.param()?;
    let items = domains(call)
        .into_iter()
        .skip(usize::try_from(before).unwrap_or(usize::MAX))
        .map(|(name, _)| RidName {
            relative: 0,
            name: UnicodeString::new(&name),
        })
        .collect();
    write_enumeration(before, items, status::SUCCESS, output);
    Ok(())
}

pub(super) fn write_enumeration(before: u32, items: Vec<RidName>, code: u32, output: &mut Encoder) {
    let entries = count(&items);
    output.param(&before.saturating_add(entries));
    output.param(&Unique::To(list(items)));
    output.param(&entries);
    output.param(&code);
}

/// SamrOpenDomain, 3.1.5.1.5.
fn open_domain(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    check_accounts(call, input)?;
    let _access: u32 = input.param()?;
    let sid: Sid = input.param()?;
    if domains(call).iter().any(|(_, known)| *known == sid) {
        output.param(&call.handles.open(Object::Domain(sid))?);
        output.param(&status::SUCCESS);
    } else {
        output.param(&NULL);
        output.param(&status::NO_SUCH_DOMAIN);
    }
    Ok(())
}

/// A user of the database that the system knows.
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

/// SamrEnumerateUsersInDomain, 3.1.5.2.5.
fn enum_users(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let before: u32 = input.param()?;
    let control: u32 = input.param()?;
    let mut rest: Vec<RidName> = users(call, &domain)
        .into_iter()
        .skip(usize::try_from(before).unwrap_or(usize::MAX))
        .filter(|_| control == 0 || control & NORMAL_ACCOUNT != 0)
        .map(|user| RidName {
            relative: user.uid,
            name: UnicodeString::new(&user.name),
        })
        .collect();
    let code = if rest.len() > MOST_USERS {
        status::MORE_ENTRIES
    } else {
        status::SUCCESS
    };
    rest.truncate(MOST_USERS);
    write_enumeration(before, rest, code, output);
    Ok(())
}

/// SamrGetAliasMembership, 3.1.5.9.2: no user is in an alias.
fn alias_membership(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    domain_of(call, input)?;
    let _sids: List<SidInformation> = input.param()?;
    output.param(&List::<u32> {
        entries: 0,
        items: Unique::Null,
    });
    output.param(&status::SUCCESS);
    Ok(())
}

/// A count and a conformant and varying array of as many.
fn varying<T: Decode>(input: &mut Decoder<'_>) -> Decoded<Vec<T>> {
    let count: u32 = input.param()?;
    let (_most, offset, actual) = (input.word()?, input.word()?, input.word()?);
    if offset != 0 || usize::try_from(count) != Ok(actual) || actual > MOST_LOOKUPS {
        return Err(BadStub);
    }
    let mut items = (0..actual)
        .map(|_| T::get(input))
        .collect::<Decoded<Vec<T>>>()?;
    items
        .iter_mut()
        .try_for_each(|item| item.get_deferred(input))?;
    Ok(items)
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

/// SamrLookupNamesInDomain, 3.1.5.11.2.
fn lookup_names(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let names: Vec<UnicodeString> = varying(input)?;
    let users = users(call, &domain);
    let find = |name: &UnicodeString| {
        users
            .iter()
            .find(|user| user.name.eq_ignore_ascii_case(name.text()))
    };
    let found: Vec<Option<u32>> = names
        .iter()
        .map(|name| find(name).map(|user| user.uid))
        .collect();
    let mapped = found.iter().flatten().count();
    output.param(&list(
        found.iter().map(|id| id.unwrap_or(0)).collect::<Vec<u32>>(),
    ));
    output.param(&list(found.iter().map(kind).collect::<Vec<u32>>()));
    output.param(&lookup_status(mapped, found.len()));
    Ok(())
}

fn kind<T>(found: &Option<T>) -> u32 {
    if found.is_some() {
        TYPE_USER
    } else {
        TYPE_UNKNOWN
    }
}

/// SamrLookupIdsInDomain, 3.1.5.11.3.
fn lookup_ids(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let ids: Vec<u32> = varying(input)?;
    let users = users(call, &domain);
    let found: Vec<Option<&Known>> = ids
        .iter()
        .map(|id| users.iter().find(|user| user.uid == *id))
        .collect();
    let mapped = found.iter().flatten().count();
    let name = |user: &Option<&Known>| UnicodeString::new(user.map_or("", |user| &user.name));
    output.param(&list(found.iter().map(name).collect()));
    output.param(&list(found.iter().map(kind).collect::<Vec<u32>>()));
    output.param(&lookup_status(mapped, found.len()));
    Ok(())
}

/// SamrOpenUser, 3.1.5.1.9.
fn open_user(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let _access: u32 = input.param()?;
    let id: u32 = input.param()?;
    if users(call, &domain).iter().any(|user| user.uid == id) {
        output.param(&call.handles.open(Object::User(domain, id))?);
        output.param(&status::SUCCESS);
    } else {
        output.param(&NULL);
        output.param(&status::NO_SUCH_USER);
    }
    Ok(())
}

/// The user that a handle stands for; `None` if he is gone since.
fn user_of(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<Option<Known>, Fault> {
    match call.handles.get(&handle(input)?)? {
        Object::User(domain, id) => {
            Ok(users(call, &domain).into_iter().find(|user| user.uid == id))
        }
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// SamrQueryInformationUser, 3.1.5.5.5.
fn query_user(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let user = user_of(call, input)?;
    let Enum(class) = input.param()?;
    let Some(user) = user else {
        output.param(&Unique::<u32>::Null);
        output.param(&status::NO_SUCH_USER);
        return Ok(());
    };
    let name = || UnicodeString::new(&user.name);
    match class {
        class::NAME => write_info(
            class,
            Names {
                user: name(),
                full: name(),
            },
            output,
        ),
        class::ACCOUNT_NAME | class::FULL_NAME => write_info(class, name(), output),
        class::PRIMARY_GROUP => write_info(class, DOMAIN_USERS, output),
        class::CONTROL => write_info(class, NORMAL_ACCOUNT, output),
        class::ALL => write_info(class, all(&user), output),
        _ => {
            output.param(&Unique::<u32>::Null);
            output.param(&status::INVALID_INFO_CLASS);
        }
    }
    Ok(())
}

pub(super) fn write_info<T: Encode>(class: u16, arm: T, output: &mut Encoder) {
    output.param(&Unique::To(EnumLevel {
        level: Enum(class),
        arm,
    }));
    output.param(&status::SUCCESS);
}

/// Everything about a user that this server knows: his name and that he is one.
fn all(user: &Known) -> All {
    let zero = || Time { low: 0, high: 0 };
    let never = || Time {
        low: u32::MAX,
        high: 0x7fff_ffff,
    };
    let none = || UnicodeString::new("");
    let blob = || Blob {
        length: 0,
        most: 0,
        data: Unique::Null,
    };
    All {
        last_logon: zero(),
        last_logoff: never(),
        password_set: zero(),
        expires: never(),
        can_change: zero(),
        must_change: never(),
        user: UnicodeString::new(&user.name),
        full: UnicodeString::new(&user.name),
        home: none(),
        drive: none(),
        script: none(),
        profile: none(),
        comment: none(),
        workstations: none(),
        user_comment: none(),
        parameters: none(),
        lm: blob(),
        nt: blob(),
        private: none(),
        security: Descriptor {
            length: 0,
            data: Unique::Null,
        },
        relative: user.uid,
        primary_group: DOMAIN_USERS,
        control: NORMAL_ACCOUNT,
        // Everything but passwords and private data.
        fields: 0x00ff_ffff,
        hours: Hours {
            units: 0,
            data: Unique::Null,
        },
        bad_passwords: 0,
        logons: 0,
        country: 0,
        code_page: 0,
        lm_present: 0,
        nt_present: 0,
        expired: 0,
        sensitive: 0,
    }
}

/// SamrGetGroupsForUser, 3.1.5.9.1.
fn groups_of_user(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    if user_of(call, input)?.is_none() {
        output.param(&Unique::<u32>::Null);
        output.param(&status::NO_SUCH_USER);
        return Ok(());
    }
    output.param(&Unique::To(list(vec![Membership {
        relative: DOMAIN_USERS,
        attributes: GROUP_ATTRIBUTES,
    }])));
    output.param(&status::SUCCESS);
    Ok(())
}
