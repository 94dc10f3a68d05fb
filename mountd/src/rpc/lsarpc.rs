// SPDX-License-Identifier: GPL-2.0

//! The local security authority, [MS-LSAD] and [MS-LSAT]: its policy, and which operation is where. Names and SIDs are in
//! `lsa_lookup.rs`, privileges and accounts in `lsa_rights.rs`.

use super::descriptor::{self, Descriptor};
use super::handles::{Handle, Object, NULL};
use super::ndr::{
    ndr_params, ndr_struct, AnsiString, Array, BadStub, Decode, Decoded, Decoder, Encode, Encoder,
    Enum, EnumLevel, UnicodeString, Unique, WStr,
};
use super::ndr::{Align, Syntax};
use super::pdu::{fault, SyntaxId};
use super::sid::{Directory, Sid};
use super::{lsa_lookup, lsa_rights, Call, Fault, Interface};

/// Operation numbers, [MS-LSAD] 3.1.4 and [MS-LSAT] 3.1.4.
mod operation {
    pub(super) const CLOSE: u16 = 0;
    pub(super) const ENUMERATE_PRIVILEGES: u16 = 2;
    pub(super) const QUERY_SECURITY: u16 = 3;
    pub(super) const OPEN_POLICY: u16 = 6;
    pub(super) const QUERY_POLICY: u16 = 7;
    pub(super) const ENUMERATE_ACCOUNTS: u16 = 11;
    pub(super) const ENUMERATE_TRUSTED: u16 = 13;
    pub(super) const LOOKUP_NAMES: u16 = 14;
    pub(super) const LOOKUP_SIDS: u16 = 15;
    pub(super) const OPEN_ACCOUNT: u16 = 17;
    pub(super) const LOOKUP_PRIVILEGE_VALUE: u16 = 31;
    pub(super) const LOOKUP_PRIVILEGE_NAME: u16 = 32;
    pub(super) const LOOKUP_PRIVILEGE_DISPLAY: u16 = 33;
    pub(super) const ACCOUNTS_WITH_RIGHT: u16 = 35;
    pub(super) const ACCOUNT_RIGHTS: u16 = 36;
    pub(super) const OPEN_POLICY2: u16 = 44;
    pub(super) const GET_USER_NAME: u16 = 45;
    pub(super) const QUERY_POLICY2: u16 = 46;
    pub(super) const ENUMERATE_TRUSTED_EX: u16 = 50;
    pub(super) const LOOKUP_SIDS2: u16 = 57;
    pub(super) const LOOKUP_NAMES2: u16 = 58;
    pub(super) const LOOKUP_NAMES3: u16 = 68;
    pub(super) const LOOKUP_SIDS3: u16 = 76;
    pub(super) const LOOKUP_NAMES4: u16 = 77;
}

/// Results, [MS-ERREF] 2.3.
pub(super) mod status {
    pub(in super::super) const SUCCESS: u32 = 0;
    pub(in super::super) const MORE_ENTRIES: u32 = 0x0000_0105;
    pub(in super::super) const SOME_NOT_MAPPED: u32 = 0x0000_0107;
    pub(in super::super) const NO_MORE_ENTRIES: u32 = 0x8000_001A;
    pub(in super::super) const INVALID_INFO_CLASS: u32 = 0xC000_0003;
    pub(in super::super) const INVALID_PARAMETER: u32 = 0xC000_000D;
    pub(in super::super) const ACCESS_DENIED: u32 = 0xC000_0022;
    pub(in super::super) const OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
    pub(in super::super) const NO_SUCH_PRIVILEGE: u32 = 0xC000_0060;
    pub(in super::super) const NO_SUCH_USER: u32 = 0xC000_0064;
    pub(in super::super) const NO_SUCH_GROUP: u32 = 0xC000_0066;
    pub(in super::super) const NONE_MAPPED: u32 = 0xC000_0073;
    pub(in super::super) const NOT_SUPPORTED: u32 = 0xC000_00BB;
    pub(in super::super) const NO_SUCH_DOMAIN: u32 = 0xC000_00DF;
    pub(in super::super) const NO_SUCH_ALIAS: u32 = 0xC000_0151;
}

/// `POLICY_INFORMATION_CLASS`, [MS-LSAD] 2.2.4.1.
mod class {
    pub(super) const AUDIT_EVENTS: u16 = 2;
    pub(super) const PRIMARY_DOMAIN: u16 = 3;
    pub(super) const PD_ACCOUNT: u16 = 4;
    pub(super) const ACCOUNT_DOMAIN: u16 = 5;
    pub(super) const SERVER_ROLE: u16 = 6;
    pub(super) const REPLICA_SOURCE: u16 = 7;
    pub(super) const DNS_DOMAIN: u16 = 12;
    pub(super) const DNS_DOMAIN_INTERNAL: u16 = 13;
    pub(super) const LOCAL_ACCOUNT_DOMAIN: u16 = 14;
}

/// Number of kinds of audit events, `POLICY_AUDIT_EVENT_TYPE`, [MS-LSAD] 2.2.4.20.
const AUDIT_EVENTS: u32 = 9;
/// `PolicyServerRolePrimary`, [MS-LSAD] 2.2.4.8.
const PRIMARY: u16 = 3;
/// `POLICY_VIEW_LOCAL_INFORMATION`, `POLICY_VIEW_AUDIT_INFORMATION`, `POLICY_LOOKUP_NAMES` and READ_CONTROL,
/// [MS-LSAD] 2.2.1.1.2: what everybody may do with the policy.
const POLICY_READ: u32 = 0x0002_0803;

ndr_struct! {
    /// `LSAPR_POLICY_PRIMARY_DOM_INFO`, `LSAPR_POLICY_ACCOUNT_DOM_INFO` and `LSAPR_TRUST_INFORMATION`, [MS-LSAD] 2.2.4.5,
    /// 2.2.4.6 and 2.2.7.1.
    pub(super) struct DomainInfo { name: UnicodeString, sid: Unique<Sid>, }
}
ndr_struct! {
    /// `LSAPR_POLICY_DNS_DOMAIN_INFO`, [MS-LSAD] 2.2.4.14.
    struct DnsDomainInfo {
        name: UnicodeString, dns: UnicodeString, forest: UnicodeString, guid: [u8; 16], sid: Unique<Sid>,
    }
}
ndr_struct! {
    /// `LSAPR_POLICY_AUDIT_EVENTS_INFO`, [MS-LSAD] 2.2.4.4.
    struct AuditEvents { is_on: u8, options: Unique<Array<u32>>, count: u32, }
}
ndr_struct! {
    /// `LSAPR_POLICY_REPLICA_SRCE_INFO`, [MS-LSAD] 2.2.4.10.
    struct ReplicaSource { source: UnicodeString, account: UnicodeString, }
}
ndr_struct! {
    /// `SECURITY_QUALITY_OF_SERVICE`, [MS-LSAD] 2.2.3.7.
    pub(super) struct Quality { length: u32, level: Enum, tracking: u8, only_effective: u8, }
}
ndr_struct! {
    /// `LSAPR_OBJECT_ATTRIBUTES`, [MS-LSAD] 2.2.2.4.
    pub(super) struct ObjectAttributes {
        length: u32, root: Unique<u8>, name: Unique<AnsiString>, attributes: u32, descriptor: NoPointer, quality: Unique<Quality>,
    }
}

/// A pointer that has to be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoPointer;

impl Align for NoPointer {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl Encode for NoPointer {
    fn put(&self, e: &mut Encoder) {
        e.word(0);
    }
}

impl Decode for NoPointer {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        match d.word()? {
            0 => Ok(NoPointer),
            _ => Err(BadStub),
        }
    }
}

ndr_params! {
    /// LsarOpenPolicy2, [MS-LSAD] 3.1.4.4.1.
    pub(super) struct OpenPolicy2 { system: Unique<WStr>, attributes: ObjectAttributes, access: u32, }
}
ndr_params! {
    /// LsarQueryInformationPolicy, [MS-LSAD] 3.1.4.4.4.
    pub(super) struct QueryPolicy { policy: Handle, class: Enum, }
}
ndr_params! {
    /// LsarQuerySecurityObject, [MS-LSAD] 3.1.4.9.1, and SamrQuerySecurityObject, [MS-SAMR] 3.1.5.12.2.
    pub(super) struct QuerySecurity { object: Handle, parts: u32, }
}
ndr_params! {
    /// LsarGetUserName, [MS-LSAT] 3.1.4.4.
    pub(super) struct GetUserName { system: Unique<WStr>, user: Unique<UnicodeString>, domain: Unique<Unique<UnicodeString>>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct UserName { user: Unique<UnicodeString>, domain: Unique<Unique<UnicodeString>>, status: u32, }
}
ndr_params! {
    /// What opens or closes a handle gives.
    pub(super) struct Opened { handle: Handle, status: u32, }
}
ndr_params! {
    /// What closes a handle takes.
    pub(super) struct Close { handle: Handle, }
}

/// The interface.
pub(super) struct Lsarpc;

impl Interface for Lsarpc {
    fn id(&self) -> SyntaxId {
        SyntaxId::new(
            0x1234_5778,
            0x1234,
            0xabcd,
            [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab],
            0,
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
            operation::CLOSE => close(call, input, output),
            // The server's name of the older form is a single character, which clients write in various ways; nothing is
            // done with it, nor with what follows.
            operation::OPEN_POLICY => open_policy(call, output),
            operation::OPEN_POLICY2 => {
                let _asked: OpenPolicy2 = input.params()?;
                open_policy(call, output)
            }
            operation::QUERY_POLICY | operation::QUERY_POLICY2 => query_policy(call, input, output),
            operation::QUERY_SECURITY => query_security(call, input, output),
            operation::GET_USER_NAME => get_user_name(call, input, output),
            operation::LOOKUP_SIDS => lsa_lookup::lookup_sids(call, input, output),
            operation::LOOKUP_SIDS2 => lsa_lookup::lookup_sids2(call, input, output),
            operation::LOOKUP_SIDS3 => lsa_lookup::lookup_sids3(input, output),
            operation::LOOKUP_NAMES => lsa_lookup::lookup_names(call, input, output),
            operation::LOOKUP_NAMES2 => lsa_lookup::lookup_names2(call, input, output),
            operation::LOOKUP_NAMES3 => lsa_lookup::lookup_names3(call, input, output),
            operation::LOOKUP_NAMES4 => lsa_lookup::lookup_names4(input, output),
            operation::ENUMERATE_PRIVILEGES => lsa_rights::enumerate(call, input, output),
            operation::LOOKUP_PRIVILEGE_VALUE => lsa_rights::value(call, input, output),
            operation::LOOKUP_PRIVILEGE_NAME => lsa_rights::name(call, input, output),
            operation::LOOKUP_PRIVILEGE_DISPLAY => lsa_rights::display_name(call, input, output),
            operation::ENUMERATE_ACCOUNTS => lsa_rights::accounts(call, input, output),
            operation::OPEN_ACCOUNT => lsa_rights::open_account(call, input, output),
            operation::ACCOUNTS_WITH_RIGHT => lsa_rights::accounts_with(call, input, output),
            operation::ACCOUNT_RIGHTS => lsa_rights::rights_of(call, input, output),
            operation::ENUMERATE_TRUSTED | operation::ENUMERATE_TRUSTED_EX => {
                lsa_rights::trusted_domains(call, input, output)
            }
            _ => Err(Fault(fault::OPERATION_RANGE)),
        }
    }
}

/// Closes any handle.
pub(super) fn close(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let Close { handle } = input.params()?;
    call.handles.close(&handle)?;
    opened(NULL, status::SUCCESS, output);
    Ok(())
}

/// Writes a handle and a status.
pub(super) fn opened(handle: Handle, status: u32, output: &mut Encoder) {
    output.params(&Opened { handle, status });
}

/// LsarOpenPolicy and LsarOpenPolicy2, [MS-LSAD] 3.1.4.4. The parameters change nothing: every caller may do the same.
fn open_policy(call: &Call<'_>, output: &mut Encoder) -> Result<(), Fault> {
    if call.may_look() {
        opened(call.handles.open(Object::Policy)?, status::SUCCESS, output);
    } else {
        opened(NULL, status::ACCESS_DENIED, output);
    }
    Ok(())
}

/// Whether a handle is one of the policy.
pub(super) fn check_policy(call: &Call<'_>, handle: &Handle) -> Result<(), Fault> {
    match call.handles.get(handle)? {
        Object::Policy => Ok(()),
        _ => Err(Fault(fault::CONTEXT_MISMATCH)),
    }
}

/// Does `work` with the directory of the server's accounts.
pub(super) fn with_directory<T>(call: &Call<'_>, work: impl FnOnce(&Directory<'_>) -> T) -> T {
    let settings = call.server.state.settings();
    let directory = Directory {
        server: &settings.config.global.netbios_name,
        sub_auth: call.server.sub_auth,
    };
    work(&directory)
}

/// LsarQueryInformationPolicy, [MS-LSAD] 3.1.4.4.4.
fn query_policy(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let QueryPolicy { policy, class } = input.params()?;
    check_policy(call, &policy)?;
    let settings = call.server.state.settings();
    let global = &settings.config.global;
    let text = UnicodeString::new;
    let domain = UnicodeString::with_room;
    match class.0 {
        // Nothing is audited.
        class::AUDIT_EVENTS => answer(class, audit_events(), output),
        // A server in no domain is in a workgroup, which has no SID.
        class::PRIMARY_DOMAIN => answer(
            class,
            DomainInfo {
                name: domain(&global.workgroup),
                sid: Unique::Null,
            },
            output,
        ),
        class::PD_ACCOUNT => answer(class, text(""), output),
        class::ACCOUNT_DOMAIN | class::LOCAL_ACCOUNT_DOMAIN => answer(
            class,
            DomainInfo {
                name: domain(&global.netbios_name),
                sid: Unique::To(with_directory(call, |directory| directory.domain())),
            },
            output,
        ),
        class::SERVER_ROLE => answer(class, Enum(PRIMARY), output),
        class::REPLICA_SOURCE => answer(
            class,
            ReplicaSource {
                source: text(""),
                account: text(""),
            },
            output,
        ),
        class::DNS_DOMAIN | class::DNS_DOMAIN_INTERNAL => answer(
            class,
            DnsDomainInfo {
                name: domain(&global.workgroup),
                dns: domain(""),
                forest: domain(""),
                guid: [0; 16],
                sid: Unique::Null,
            },
            output,
        ),
        _ => {
            output.param(&Unique::<u32>::Null);
            output.param(&status::INVALID_PARAMETER);
        }
    }
    Ok(())
}

fn audit_events() -> AuditEvents {
    AuditEvents {
        is_on: 0,
        options: Unique::To(Array((0..AUDIT_EVENTS).map(|_| 0).collect())),
        count: AUDIT_EVENTS,
    }
}

/// Writes a pointer to a union, and success.
fn answer<T: Encode>(level: Enum, arm: T, output: &mut Encoder) {
    output.param(&Unique::To(EnumLevel { level, arm }));
    output.param(&status::SUCCESS);
}

/// LsarQuerySecurityObject, [MS-LSAD] 3.1.4.9.1.
fn query_security(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let QuerySecurity { object, parts } = input.params()?;
    check_policy(call, &object)?;
    write_security(parts, POLICY_READ, output);
    Ok(())
}

/// Writes the descriptor of an object that everybody may read with `rights`, and nobody change.
pub(super) fn write_security(parts: u32, rights: u32, output: &mut Encoder) {
    match descriptor::readable(parts, rights) {
        Some(bytes) => {
            output.param(&Unique::To(Descriptor::new(bytes)));
            output.param(&status::SUCCESS);
        }
        None => {
            output.param(&Unique::<Descriptor>::Null);
            output.param(&status::ACCESS_DENIED);
        }
    }
}

/// LsarGetUserName, [MS-LSAT] 3.1.4.4: who the caller is.
fn get_user_name(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: GetUserName = input.params()?;
    let text = |text: &str| Unique::To(UnicodeString::new(text));
    let (user, domain, status) = if call.is_restricted {
        (
            text("ANONYMOUS LOGON"),
            text("NT AUTHORITY"),
            status::SUCCESS,
        )
    } else {
        match call.user() {
            Some(user) => {
                let domain = with_directory(call, |directory| text(directory.server));
                (text(&user), domain, status::SUCCESS)
            }
            // Not every module says whose pipe it is.
            None => (Unique::Null, Unique::Null, status::NOT_SUPPORTED),
        }
    };
    output.params(&UserName {
        user,
        domain: match asked.domain {
            Unique::Null => Unique::Null,
            _ => Unique::To(domain),
        },
        status,
    });
    Ok(())
}

#[cfg(test)]
#[path = "lsarpc_tests.rs"]
mod tests;
