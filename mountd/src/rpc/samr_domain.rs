// SPDX-License-Identifier: GPL-2.0

//! What the account database says of its domains, [MS-SAMR] 3.1.5.5.1, and the lists that are made for display, 3.1.5.3.

use super::lsarpc::status;
use super::ndr::{
    ndr_struct, Align, Array, Decoder, Encode, Encoder, Enum, EnumLevel, UnicodeString, Unique,
};
use super::pdu::fault;
use super::samr::{
    count, domain_of, domains, is_own_domain, list, users, write_info, List, Time,
    GROUP_ATTRIBUTES, MOST_USERS, NORMAL_ACCOUNT,
};
use super::samr_groups::{aliases, groups, Listed};
use super::sid::Sid;
use super::{Call, Fault};

/// `DOMAIN_INFORMATION_CLASS`, 2.2.3.16.
mod class {
    pub(super) const PASSWORD: u16 = 1;
    pub(super) const GENERAL: u16 = 2;
    pub(super) const LOGOFF: u16 = 3;
    pub(super) const OEM: u16 = 4;
    pub(super) const NAME: u16 = 5;
    pub(super) const REPLICATION: u16 = 6;
    pub(super) const ROLE: u16 = 7;
    pub(super) const MODIFIED: u16 = 8;
    pub(super) const STATE: u16 = 9;
    pub(super) const LOCKOUT: u16 = 12;
}

/// `DOMAIN_DISPLAY_INFORMATION`, 2.2.8.12.
mod display {
    pub(super) const USERS: u16 = 1;
    pub(super) const MACHINES: u16 = 2;
    pub(super) const GROUPS: u16 = 3;
    pub(super) const OEM_USERS: u16 = 4;
    pub(super) const OEM_GROUPS: u16 = 5;
}

/// `DomainServerEnabled`, 2.2.3.13.
const ENABLED: u16 = 1;
/// `DomainServerRolePrimary`, 2.2.3.14.
const PRIMARY: u16 = 3;

ndr_struct! {
    /// `DOMAIN_PASSWORD_INFORMATION`, 2.2.3.5.
    struct PasswordPolicy { least: u16, history: u16, properties: u32, most_age: Time, least_age: Time, }
}
ndr_struct! {
    /// `USER_DOMAIN_PASSWORD_INFORMATION`, 2.2.6.19.
    struct UserPasswordPolicy { least: u16, properties: u32, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_GENERAL_INFORMATION`, 2.2.3.10.
    struct General {
        logoff: Time, oem: UnicodeString, name: UnicodeString, replica: UnicodeString, modified: Time, state: u32, role: u32,
        compatible: u8, users: u32, groups: u32, aliases: u32,
    }
}
ndr_struct! {
    /// `DOMAIN_MODIFIED_INFORMATION`, 2.2.3.11.
    struct Modified { count: Time, created: Time, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_LOCKOUT_INFORMATION`, 2.2.3.15.
    struct Lockout { duration: u64, window: u64, threshold: u16, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_DISPLAY_USER`, 2.2.8.2, and `SAMPR_DOMAIN_DISPLAY_GROUP`, 2.2.8.4, but for the full name.
    struct DisplayGroup { index: u32, relative: u32, attributes: u32, name: UnicodeString, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_DISPLAY_USER`, 2.2.8.2.
    struct DisplayUser {
        index: u32, relative: u32, control: u32, name: UnicodeString, comment: UnicodeString, full: UnicodeString,
    }
}

fn zero() -> Time {
    Time { low: 0, high: 0 }
}

/// A time span that never ends.
fn forever() -> Time {
    Time {
        low: 0,
        high: 0x8000_0000,
    }
}

/// SamrQueryInformationDomain and its second form.
pub(super) fn query_domain(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let Enum(class) = input.param()?;
    let name = domains(call)
        .into_iter()
        .find(|(_, sid)| *sid == domain)
        .map_or_else(String::new, |(name, _)| name);
    let text = |text: &str| UnicodeString::new(text);
    match class {
        // Nothing is demanded of passwords here: ksmbd.adduser takes any.
        class::PASSWORD => write_info(class, policy(), output),
        class::GENERAL => write_info(class, general(call, &domain, &name), output),
        class::LOGOFF => write_info(class, forever(), output),
        class::OEM => write_info(class, comment(call), output),
        class::NAME => write_info(class, text(&name), output),
        class::REPLICATION => write_info(class, text(""), output),
        class::ROLE => write_info(class, Enum(PRIMARY), output),
        class::MODIFIED => write_info(
            class,
            Modified {
                count: zero(),
                created: zero(),
            },
            output,
        ),
        class::STATE => write_info(class, Enum(ENABLED), output),
        // Accounts are delayed and not locked.
        class::LOCKOUT => write_info(
            class,
            Lockout {
                duration: 0,
                window: 0,
                threshold: 0,
            },
            output,
        ),
        _ => {
            output.param(&Unique::<u32>::Null);
            output.param(&status::INVALID_INFO_CLASS);
        }
    }
    Ok(())
}

fn policy() -> PasswordPolicy {
    PasswordPolicy {
        least: 0,
        history: 0,
        properties: 0,
        most_age: forever(),
        least_age: zero(),
    }
}

fn comment(call: &Call<'_>) -> UnicodeString {
    UnicodeString::new(&call.server.state.settings().config.global.server_string)
}

fn general(call: &Call<'_>, domain: &Sid, name: &str) -> General {
    General {
        logoff: forever(),
        oem: comment(call),
        name: UnicodeString::new(name),
        replica: UnicodeString::new(""),
        modified: zero(),
        state: u32::from(ENABLED),
        role: u32::from(PRIMARY),
        compatible: 1,
        users: count(&users(call, domain)),
        groups: count(groups(call, domain)),
        aliases: count(aliases(call, domain)),
    }
}

/// SamrGetDomainPasswordInformation and SamrGetUserDomainPasswordInformation, 3.1.5.13.3 and 3.1.5.13.2.
pub(super) fn password_policy(output: &mut Encoder) {
    output.param(&UserPasswordPolicy {
        least: 0,
        properties: 0,
    });
    output.param(&status::SUCCESS);
}

/// SamrQueryDisplayInformation and its further forms.
pub(super) fn query_display(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let domain = domain_of(call, input)?;
    let Enum(class) = input.param()?;
    let first: u32 = input.param()?;
    let most: u32 = input.param()?;
    let most = usize::try_from(most).unwrap_or(MOST_USERS).min(MOST_USERS);
    let window = Window {
        class,
        first: usize::try_from(first).unwrap_or(usize::MAX),
        most,
    };
    match class {
        display::USERS => window.write(display_users(call, &domain), output),
        display::MACHINES => window.write(Vec::<DisplayGroup>::new(), output),
        display::GROUPS => window.write(display_groups(call, &domain), output),
        display::OEM_USERS | display::OEM_GROUPS => {
            output.param(&0u32);
            output.param(&0u32);
            empty(class, output);
            output.param(&status::INVALID_INFO_CLASS);
        }
        // The union in the answer has no arm for it.
        _ => return Err(Fault(fault::INVALID_TAG)),
    }
    Ok(())
}

/// Which part of a list is asked for.
struct Window {
    class: u16,
    first: usize,
    most: usize,
}

impl Window {
    fn write<T: Encode + Align>(&self, all: Vec<T>, output: &mut Encoder) {
        let total = count(&all);
        let rest = all.len().saturating_sub(self.first);
        let items: Vec<T> = all.into_iter().skip(self.first).take(self.most).collect();
        let code = if items.len() < rest {
            status::MORE_ENTRIES
        } else {
            status::SUCCESS
        };
        output.param(&total);
        output.param(&count(&items));
        if items.is_empty() {
            empty(self.class, output);
        } else {
            output.param(&EnumLevel {
                level: Enum(self.class),
                arm: list(items),
            });
        }
        output.param(&code);
    }
}

fn empty(class: u16, output: &mut Encoder) {
    output.param(&EnumLevel {
        level: Enum(class),
        arm: List::<u32> {
            entries: 0,
            items: Unique::<Array<u32>>::Null,
        },
    });
}

/// Positions in a list for display count from 1.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1)
}

fn display_users(call: &Call<'_>, domain: &Sid) -> Vec<DisplayUser> {
    users(call, domain)
        .iter()
        .enumerate()
        .map(|(at, user)| DisplayUser {
            index: index(at),
            relative: user.uid,
            control: NORMAL_ACCOUNT,
            name: UnicodeString::new(&user.name),
            comment: UnicodeString::new(""),
            full: UnicodeString::new(&user.name),
        })
        .collect()
}

fn display_groups(call: &Call<'_>, domain: &Sid) -> Vec<DisplayGroup> {
    if !is_own_domain(call, domain) {
        return Vec::new();
    }
    let group = |(at, group): (usize, &Listed)| DisplayGroup {
        index: index(at),
        relative: group.relative,
        attributes: GROUP_ATTRIBUTES,
        name: UnicodeString::new(group.name),
        comment: UnicodeString::new(group.comment),
    };
    groups(call, domain).iter().enumerate().map(group).collect()
}
