// SPDX-License-Identifier: GPL-2.0

//! What the account database says of its domains, [MS-SAMR] 3.1.5.5.1.

use super::lsarpc::status;
use super::ndr::{ndr_params, ndr_struct, Decoder, Encoder, Enum, UnicodeString};
use super::samr::{count, domain_of, domains, no_info, users, write_info, Query, Time};
use super::samr_groups::{aliases, groups};
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
    pub(super) const GENERAL2: u16 = 11;
    pub(super) const LOCKOUT: u16 = 12;
    pub(super) const MODIFIED2: u16 = 13;
}

/// `DomainServerEnabled`, 2.2.3.13.
const ENABLED: u16 = 1;
/// `DomainServerRolePrimary`, 2.2.3.14.
const PRIMARY: u16 = 3;

ndr_struct! {
    /// `DOMAIN_PASSWORD_INFORMATION`, 2.2.3.5.
    pub(super) struct PasswordPolicy { least: u16, history: u16, properties: u32, most_age: Time, least_age: Time, }
}
ndr_struct! {
    /// `USER_DOMAIN_PASSWORD_INFORMATION`, 2.2.6.19.
    pub(super) struct UserPasswordPolicy { least: u16, properties: u32, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_GENERAL_INFORMATION`, 2.2.3.10.
    pub(super) struct General {
        logoff: Time, oem: UnicodeString, name: UnicodeString, replica: UnicodeString, modified: Time, state: u32, role: u32,
        compatible: u8, users: u32, groups: u32, aliases: u32,
    }
}
ndr_struct! {
    /// `DOMAIN_MODIFIED_INFORMATION`, 2.2.3.11.
    pub(super) struct Modified { count: Time, created: Time, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_LOCKOUT_INFORMATION`, 2.2.3.15.
    pub(super) struct Lockout { duration: u64, window: u64, threshold: u16, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_GENERAL_INFORMATION2`, 2.2.3.11.
    pub(super) struct General2 { general: General, duration: u64, window: u64, threshold: u16, }
}
ndr_struct! {
    /// `DOMAIN_MODIFIED_INFORMATION2`, 2.2.3.9.
    pub(super) struct Modified2 { count: Time, created: Time, promoted: Time, }
}
ndr_params! {
    /// Results of SamrGetDomainPasswordInformation and SamrGetUserDomainPasswordInformation.
    pub(super) struct PasswordDemands { policy: UserPasswordPolicy, status: u32, }
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
    let Query { of, class } = input.params()?;
    let domain = domain_of(call, &of)?;
    let class = class.0;
    let name = domains(call)
        .into_iter()
        .find(|(_, sid)| *sid == domain)
        .map_or_else(String::new, |(name, _)| name);
    let text = |text: &str| UnicodeString::new(text);
    match class {
        // Nothing is demanded of passwords here: ksmbd.adduser takes any.
        class::PASSWORD => write_info(class, policy(), output),
        class::GENERAL => write_info(class, general(call, &domain, &name), output),
        class::GENERAL2 => {
            let general = General2 {
                general: general(call, &domain, &name),
                duration: 0,
                window: 0,
                threshold: 0,
            };
            write_info(class, general, output);
        }
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
        class::MODIFIED2 => write_info(
            class,
            Modified2 {
                count: zero(),
                created: zero(),
                promoted: zero(),
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
        _ => no_info(status::INVALID_INFO_CLASS, output),
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
    output.params(&PasswordDemands {
        policy: UserPasswordPolicy {
            least: 0,
            properties: 0,
        },
        status: status::SUCCESS,
    });
}
