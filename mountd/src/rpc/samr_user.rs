// SPDX-License-Identifier: GPL-2.0

//! What the account database says of a user, [MS-SAMR] 3.1.5.5.5 and 3.1.5.9.1: his name, his number, and that he is one.
//! Everything else has the value that stands for none.

use super::descriptor::Descriptor;
use super::handles::{Handle, Object, NULL};
use super::lsarpc::{opened, status};
use super::ndr::{ndr_params, ndr_struct, Decoder, Encoder, UnicodeString, Unique, Varying};
use super::pdu::fault;
use super::samr::{
    domain_of, list, no_info, users, write_info, Known, List, OfHandle, OpenById, Query, Time,
    DOMAIN_USERS, GROUP_ATTRIBUTES, NORMAL_ACCOUNT,
};
use super::{Call, Fault};

/// `USER_INFORMATION_CLASS`, 2.2.6.28.
mod class {
    pub(super) const GENERAL: u16 = 1;
    pub(super) const PREFERENCES: u16 = 2;
    pub(super) const LOGON: u16 = 3;
    pub(super) const LOGON_HOURS: u16 = 4;
    pub(super) const ACCOUNT: u16 = 5;
    pub(super) const NAME: u16 = 6;
    pub(super) const ACCOUNT_NAME: u16 = 7;
    pub(super) const FULL_NAME: u16 = 8;
    pub(super) const PRIMARY_GROUP: u16 = 9;
    pub(super) const HOME: u16 = 10;
    pub(super) const SCRIPT: u16 = 11;
    pub(super) const PROFILE: u16 = 12;
    pub(super) const ADMIN_COMMENT: u16 = 13;
    pub(super) const WORKSTATIONS: u16 = 14;
    pub(super) const CONTROL: u16 = 16;
    pub(super) const EXPIRES: u16 = 17;
    pub(super) const PARAMETERS: u16 = 20;
    pub(super) const ALL: u16 = 21;
}

/// Hours of a week, each a bit of the logon hours.
const HOURS: u16 = 168;
/// Most bytes of logon hours, as the structure has it.
const MOST_HOURS: usize = 1260;

ndr_struct! {
    /// `GROUP_MEMBERSHIP`, 2.2.7.13.
    pub(super) struct Membership { relative: u32, attributes: u32, }
}
ndr_params! {
    /// Results of SamrGetGroupsForUser, 3.1.5.9.1.
    pub(super) struct Groups { groups: Unique<List<Membership>>, status: u32, }
}
ndr_struct! {
    /// `RPC_SHORT_BLOB`, 2.2.2.3; always empty here.
    pub(super) struct Blob { length: u16, most: u16, data: Unique<Varying<u16>>, }
}
ndr_struct! {
    /// `SAMPR_LOGON_HOURS`, 2.2.6.5.
    pub(super) struct Hours { units: u16, data: Unique<Varying<u8>>, }
}
ndr_struct! {
    /// `SAMPR_USER_GENERAL_INFORMATION`, 2.2.6.7.
    pub(super) struct General {
        user: UnicodeString, full: UnicodeString, primary_group: u32, comment: UnicodeString, user_comment: UnicodeString,
    }
}
ndr_struct! {
    /// `SAMPR_USER_PREFERENCES_INFORMATION`, 2.2.6.8.
    pub(super) struct Preferences { user_comment: UnicodeString, reserved: UnicodeString, country: u16, code_page: u16, }
}
ndr_struct! {
    /// `SAMPR_USER_LOGON_INFORMATION`, 2.2.6.10.
    pub(super) struct Logon {
        user: UnicodeString, full: UnicodeString, relative: u32, primary_group: u32, home: UnicodeString, drive: UnicodeString,
        script: UnicodeString, profile: UnicodeString, workstations: UnicodeString, last_logon: Time, last_logoff: Time,
        password_set: Time, can_change: Time, must_change: Time, hours: Hours, bad_passwords: u16, logons: u16, control: u32,
    }
}
ndr_struct! {
    /// `SAMPR_USER_ACCOUNT_INFORMATION`, 2.2.6.11.
    pub(super) struct Account {
        user: UnicodeString, full: UnicodeString, relative: u32, primary_group: u32, home: UnicodeString, drive: UnicodeString,
        script: UnicodeString, profile: UnicodeString, comment: UnicodeString, workstations: UnicodeString, last_logon: Time,
        last_logoff: Time, hours: Hours, bad_passwords: u16, logons: u16, password_set: Time, expires: Time, control: u32,
    }
}
ndr_struct! {
    /// `SAMPR_USER_NAME_INFORMATION`, 2.2.6.14, and `SAMPR_USER_HOME_INFORMATION`, 2.2.6.15.
    pub(super) struct Two { first: UnicodeString, second: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_USER_ALL_INFORMATION`, 2.2.6.6.
    pub(super) struct All {
        last_logon: Time, last_logoff: Time, password_set: Time, expires: Time, can_change: Time, must_change: Time,
        user: UnicodeString, full: UnicodeString, home: UnicodeString, drive: UnicodeString, script: UnicodeString,
        profile: UnicodeString, comment: UnicodeString, workstations: UnicodeString, user_comment: UnicodeString,
        parameters: UnicodeString, lm: Blob, nt: Blob, private: UnicodeString, security: Descriptor,
        relative: u32, primary_group: u32, control: u32, fields: u32, hours: Hours,
        bad_passwords: u16, logons: u16, country: u16, code_page: u16,
        lm_present: u8, nt_present: u8, expired: u8, sensitive: u8,
    }
}

/// A time that was not.
fn zero() -> Time {
    Time { low: 0, high: 0 }
}

/// A time that will not be.
fn never() -> Time {
    Time {
        low: u32::MAX,
        high: 0x7fff_ffff,
    }
}

fn none() -> UnicodeString {
    UnicodeString::new("")
}

/// At any hour.
fn hours() -> Hours {
    Hours {
        units: HOURS,
        data: Unique::To(Varying {
            most: MOST_HOURS,
            items: vec![0xff; usize::from(HOURS / 8)],
        }),
    }
}

/// SamrOpenUser, 3.1.5.1.9.
pub(super) fn open(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: OpenById = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let id = asked.relative;
    if users(call, &domain).iter().any(|user| user.uid == id) {
        let handle = call.handles.open(Object::User(domain, id))?;
        opened(handle, status::SUCCESS, output);
    } else {
        opened(NULL, status::NO_SUCH_USER, output);
    }
    Ok(())
}

/// The user that a handle stands for; `None` if he is gone since.
pub(super) fn of(call: &Call<'_>, handle: &Handle) -> Result<Option<Known>, Fault> {
    match call.handles.get(handle)? {
        Object::User(domain, id) => {
            Ok(users(call, &domain).into_iter().find(|user| user.uid == id))
        }
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// SamrQueryInformationUser and its second form.
pub(super) fn query(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let Query { of: handle, class } = input.params()?;
    let Some(user) = of(call, &handle)? else {
        no_info(status::NO_SUCH_USER, output);
        return Ok(());
    };
    let class = class.0;
    let name = || UnicodeString::new(&user.name);
    match class {
        class::GENERAL => write_info(class, general(&user), output),
        class::PREFERENCES => write_info(class, preferences(), output),
        class::LOGON => write_info(class, logon(&user), output),
        class::LOGON_HOURS => write_info(class, hours(), output),
        class::ACCOUNT => write_info(class, account(&user), output),
        class::NAME => write_info(class, two(name(), name()), output),
        class::ACCOUNT_NAME | class::FULL_NAME => write_info(class, name(), output),
        class::PRIMARY_GROUP => write_info(class, DOMAIN_USERS, output),
        class::HOME => write_info(class, two(none(), none()), output),
        class::SCRIPT
        | class::PROFILE
        | class::ADMIN_COMMENT
        | class::WORKSTATIONS
        | class::PARAMETERS => write_info(class, none(), output),
        class::CONTROL => write_info(class, NORMAL_ACCOUNT, output),
        class::EXPIRES => write_info(class, never(), output),
        class::ALL => write_info(class, all(&user), output),
        _ => no_info(status::INVALID_INFO_CLASS, output),
    }
    Ok(())
}

fn two(first: UnicodeString, second: UnicodeString) -> Two {
    Two { first, second }
}

fn general(user: &Known) -> General {
    General {
        user: UnicodeString::new(&user.name),
        full: UnicodeString::new(&user.name),
        primary_group: DOMAIN_USERS,
        comment: none(),
        user_comment: none(),
    }
}

fn preferences() -> Preferences {
    Preferences {
        user_comment: none(),
        reserved: none(),
        country: 0,
        code_page: 0,
    }
}

fn logon(user: &Known) -> Logon {
    Logon {
        user: UnicodeString::new(&user.name),
        full: UnicodeString::new(&user.name),
        relative: user.uid,
        primary_group: DOMAIN_USERS,
        home: none(),
        drive: none(),
        script: none(),
        profile: none(),
        workstations: none(),
        last_logon: zero(),
        last_logoff: never(),
        password_set: zero(),
        can_change: zero(),
        must_change: never(),
        hours: hours(),
        bad_passwords: 0,
        logons: 0,
        control: NORMAL_ACCOUNT,
    }
}

fn account(user: &Known) -> Account {
    Account {
        user: UnicodeString::new(&user.name),
        full: UnicodeString::new(&user.name),
        relative: user.uid,
        primary_group: DOMAIN_USERS,
        home: none(),
        drive: none(),
        script: none(),
        profile: none(),
        comment: none(),
        workstations: none(),
        last_logon: zero(),
        last_logoff: never(),
        hours: hours(),
        bad_passwords: 0,
        logons: 0,
        password_set: zero(),
        expires: never(),
        control: NORMAL_ACCOUNT,
    }
}

/// Everything about a user that this server knows.
fn all(user: &Known) -> All {
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
        security: Descriptor::none(),
        relative: user.uid,
        primary_group: DOMAIN_USERS,
        control: NORMAL_ACCOUNT,
        // Everything but passwords and private data.
        fields: 0x00ff_ffff,
        hours: hours(),
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

/// SamrGetGroupsForUser: everybody is in the one group that there is.
pub(super) fn groups(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let OfHandle { handle } = input.params()?;
    let (groups, status) = match of(call, &handle)? {
        Some(_) => (
            Unique::To(list(vec![Membership {
                relative: DOMAIN_USERS,
                attributes: GROUP_ATTRIBUTES,
            }])),
            status::SUCCESS,
        ),
        None => (Unique::Null, status::NO_SUCH_USER),
    };
    output.params(&Groups { groups, status });
    Ok(())
}
