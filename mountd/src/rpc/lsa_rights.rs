// SPDX-License-Identifier: GPL-2.0

//! Privileges, the accounts that have some, and trusted domains, [MS-LSAD] 3.1.4.5, 3.1.4.7 and 3.1.4.8.
//!
//! The privileges have their names, as everywhere; nobody has one here: what a user may do follows from the configuration and
//! from file permissions. The list of accounts is empty therefore, and so is that of trusted domains.

use super::handles::{Handle, NULL};
use super::lsa_lookup::{List, SidInformation};
use super::lsarpc::{check_policy, opened, status, DomainInfo};
use super::ndr::{ndr_params, ndr_struct, Decode, Decoder, Encode, Encoder, UnicodeString, Unique};
use super::sid::Sid;
use super::{Call, Fault};

/// The privileges of [MS-LSAD] 3.1.1.2.1: number, name, and what it allows.
const PRIVILEGES: &[(u32, &str, &str)] = &[
    (2, "SeCreateTokenPrivilege", "Create a token object"),
    (
        3,
        "SeAssignPrimaryTokenPrivilege",
        "Replace a process level token",
    ),
    (4, "SeLockMemoryPrivilege", "Lock pages in memory"),
    (
        5,
        "SeIncreaseQuotaPrivilege",
        "Adjust memory quotas for a process",
    ),
    (
        6,
        "SeMachineAccountPrivilege",
        "Add workstations to the domain",
    ),
    (7, "SeTcbPrivilege", "Act as part of the operating system"),
    (8, "SeSecurityPrivilege", "Manage auditing and security log"),
    (
        9,
        "SeTakeOwnershipPrivilege",
        "Take ownership of files or other objects",
    ),
    (
        10,
        "SeLoadDriverPrivilege",
        "Load and unload device drivers",
    ),
    (11, "SeSystemProfilePrivilege", "Profile system performance"),
    (12, "SeSystemtimePrivilege", "Change the system time"),
    (
        13,
        "SeProfileSingleProcessPrivilege",
        "Profile single process",
    ),
    (
        14,
        "SeIncreaseBasePriorityPrivilege",
        "Increase scheduling priority",
    ),
    (15, "SeCreatePagefilePrivilege", "Create a pagefile"),
    (
        16,
        "SeCreatePermanentPrivilege",
        "Create permanent shared objects",
    ),
    (17, "SeBackupPrivilege", "Back up files and directories"),
    (18, "SeRestorePrivilege", "Restore files and directories"),
    (19, "SeShutdownPrivilege", "Shut down the system"),
    (20, "SeDebugPrivilege", "Debug programs"),
    (21, "SeAuditPrivilege", "Generate security audits"),
    (
        22,
        "SeSystemEnvironmentPrivilege",
        "Modify firmware environment values",
    ),
    (23, "SeChangeNotifyPrivilege", "Bypass traverse checking"),
    (
        24,
        "SeRemoteShutdownPrivilege",
        "Force shutdown from a remote system",
    ),
    (
        25,
        "SeUndockPrivilege",
        "Remove computer from docking station",
    ),
    (
        26,
        "SeSyncAgentPrivilege",
        "Synchronize directory service data",
    ),
    (
        27,
        "SeEnableDelegationPrivilege",
        "Enable accounts to be trusted for delegation",
    ),
    (
        28,
        "SeManageVolumePrivilege",
        "Perform volume maintenance tasks",
    ),
    (
        29,
        "SeImpersonatePrivilege",
        "Impersonate a client after authentication",
    ),
    (30, "SeCreateGlobalPrivilege", "Create global objects"),
    (
        31,
        "SeTrustedCredManAccessPrivilege",
        "Access Credential Manager as a trusted caller",
    ),
    (32, "SeRelabelPrivilege", "Modify an object label"),
    (
        33,
        "SeIncreaseWorkingSetPrivilege",
        "Increase a process working set",
    ),
    (34, "SeTimeZonePrivilege", "Change the time zone"),
    (35, "SeCreateSymbolicLinkPrivilege", "Create symbolic links"),
];

/// English of the United States, the language of the descriptions.
const ENGLISH: u16 = 0x0409;

ndr_struct! {
    /// `LUID`, [MS-DTYP] 2.3.7.
    pub(super) struct Luid { low: u32, high: u32, }
}
ndr_struct! {
    /// `LSAPR_POLICY_PRIVILEGE_DEF`, 2.2.8.1.
    pub(super) struct Privilege { name: UnicodeString, value: Luid, }
}

ndr_params! {
    /// LsarEnumeratePrivileges, LsarEnumerateAccounts, LsarEnumerateTrustedDomains and LsarEnumerateTrustedDomainsEx.
    pub(super) struct Enumerate { policy: Handle, context: u32, preferred: u32, }
}
ndr_params! {
    /// Their results.
    pub(super) struct Enumerated<T> { context: u32, items: List<T>, status: u32, }
}
ndr_params! {
    /// LsarLookupPrivilegeValue, 3.1.4.8.2.
    pub(super) struct LookupValue { policy: Handle, name: UnicodeString, }
}
ndr_params! {
    /// Its results.
    pub(super) struct FoundValue { value: Luid, status: u32, }
}
ndr_params! {
    /// LsarLookupPrivilegeName, 3.1.4.8.3.
    pub(super) struct LookupName { policy: Handle, value: Luid, }
}
ndr_params! {
    /// Its results.
    pub(super) struct FoundName { name: Unique<UnicodeString>, status: u32, }
}
ndr_params! {
    /// LsarLookupPrivilegeDisplayName, 3.1.4.8.4.
    pub(super) struct LookupDisplay { policy: Handle, name: UnicodeString, language: u16, default: u16, }
}
ndr_params! {
    /// Its results.
    pub(super) struct FoundDisplay { name: Unique<UnicodeString>, language: u16, status: u32, }
}
ndr_params! {
    /// LsarOpenAccount, 3.1.4.5.3.
    pub(super) struct OpenAccount { policy: Handle, sid: Sid, access: u32, }
}
ndr_params! {
    /// LsarEnumerateAccountsWithUserRight, 3.1.4.5.9.
    pub(super) struct AccountsWith { policy: Handle, right: Unique<UnicodeString>, }
}
ndr_params! {
    /// Its results, and those of LsarEnumerateAccountRights.
    pub(super) struct Listed<T> { items: List<T>, status: u32, }
}
ndr_params! {
    /// LsarEnumerateAccountRights, 3.1.4.5.10.
    pub(super) struct RightsOf { policy: Handle, sid: Sid, }
}

fn by_name(name: &str) -> Option<&'static (u32, &'static str, &'static str)> {
    PRIVILEGES
        .iter()
        .find(|(_, known, _)| known.eq_ignore_ascii_case(name))
}

/// LsarEnumeratePrivileges, 3.1.4.8.1.
pub(super) fn enumerate(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate = input.params()?;
    check_policy(call, &asked.policy)?;
    let first = usize::try_from(asked.context).unwrap_or(usize::MAX);
    let rest = PRIVILEGES.get(first..).unwrap_or(&[]);
    let page = super::page::of(rest, asked.preferred, |(_, name, _)| 16 + 2 * name.len());
    let next = first.saturating_add(page.items.len());
    output.params(&Enumerated {
        context: u32::try_from(next).unwrap_or(u32::MAX),
        items: List::new(page.items.iter().map(privilege).collect()),
        status: if rest.is_empty() {
            status::NO_MORE_ENTRIES
        } else if page.is_all {
            status::SUCCESS
        } else {
            status::MORE_ENTRIES
        },
    });
    Ok(())
}

fn privilege((low, name, _): &(u32, &str, &str)) -> Privilege {
    Privilege {
        name: UnicodeString::new(name),
        value: Luid { low: *low, high: 0 },
    }
}

/// LsarLookupPrivilegeValue.
pub(super) fn value(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupValue = input.params()?;
    check_policy(call, &asked.policy)?;
    let (low, status) = match by_name(asked.name.text()) {
        Some((low, ..)) => (*low, status::SUCCESS),
        None => (0, status::NO_SUCH_PRIVILEGE),
    };
    output.params(&FoundValue {
        value: Luid { low, high: 0 },
        status,
    });
    Ok(())
}

/// LsarLookupPrivilegeName.
pub(super) fn name(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupName = input.params()?;
    check_policy(call, &asked.policy)?;
    let is_asked = |low: &u32| *low == asked.value.low && asked.value.high == 0;
    let (name, status) = match PRIVILEGES.iter().find(|(low, ..)| is_asked(low)) {
        Some((_, name, _)) => (Unique::To(UnicodeString::new(name)), status::SUCCESS),
        None => (Unique::Null, status::NO_SUCH_PRIVILEGE),
    };
    output.params(&FoundName { name, status });
    Ok(())
}

/// LsarLookupPrivilegeDisplayName.
pub(super) fn display_name(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupDisplay = input.params()?;
    check_policy(call, &asked.policy)?;
    let (name, status) = match by_name(asked.name.text()) {
        Some((.., display)) => (Unique::To(UnicodeString::new(display)), status::SUCCESS),
        None => (Unique::Null, status::NO_SUCH_PRIVILEGE),
    };
    output.params(&FoundDisplay {
        name,
        language: ENGLISH,
        status,
    });
    Ok(())
}

/// The end of a list that has nothing in it.
fn none_of<T: Encode + Decode>(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate = input.params()?;
    check_policy(call, &asked.policy)?;
    output.params(&Enumerated::<T> {
        context: asked.context,
        items: List::new(Vec::new()),
        status: status::NO_MORE_ENTRIES,
    });
    Ok(())
}

/// LsarEnumerateAccounts, 3.1.4.5.2.
pub(super) fn accounts(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    none_of::<SidInformation>(call, input, output)
}

/// LsarOpenAccount.
pub(super) fn open_account(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: OpenAccount = input.params()?;
    check_policy(call, &asked.policy)?;
    opened(NULL, status::OBJECT_NAME_NOT_FOUND, output);
    Ok(())
}

/// LsarEnumerateAccountsWithUserRight.
pub(super) fn accounts_with(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: AccountsWith = input.params()?;
    check_policy(call, &asked.policy)?;
    let is_known = asked
        .right
        .as_ref()
        .is_none_or(|right| by_name(right.text()).is_some());
    output.params(&Listed::<SidInformation> {
        items: List::new(Vec::new()),
        status: if is_known {
            status::NO_MORE_ENTRIES
        } else {
            status::NO_SUCH_PRIVILEGE
        },
    });
    Ok(())
}

/// LsarEnumerateAccountRights.
pub(super) fn rights_of(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: RightsOf = input.params()?;
    check_policy(call, &asked.policy)?;
    output.params(&Listed::<UnicodeString> {
        items: List::new(Vec::new()),
        status: status::OBJECT_NAME_NOT_FOUND,
    });
    Ok(())
}

/// LsarEnumerateTrustedDomains and LsarEnumerateTrustedDomainsEx, 3.1.4.7.8 and 3.1.4.7.7: the empty list is the same in both.
pub(super) fn trusted_domains(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    none_of::<DomainInfo>(call, input, output)
}
