// SPDX-License-Identifier: GPL-2.0

//! The local security authority, [MS-LSAT] and [MS-LSAD]: names of SIDs and SIDs of names.

use super::handles::{Handle, Object, NULL};
use super::ndr::{
    ndr_struct, Array, Decode, Decoded, Decoder, Encode, Encoder, Enum, EnumLevel, UnicodeString,
    Unique,
};
use super::pdu::{fault, SyntaxId};
use super::sid::{Account, Directory, Kind, Sid};
use super::{Call, Fault, Interface};

/// Operation numbers, [MS-LSAD] 3.1.4 and [MS-LSAT] 3.1.4.
mod operation {
    pub(super) const CLOSE: u16 = 0;
    pub(super) const OPEN_POLICY: u16 = 6;
    pub(super) const QUERY_POLICY: u16 = 7;
    pub(super) const LOOKUP_NAMES: u16 = 14;
    pub(super) const LOOKUP_SIDS: u16 = 15;
    pub(super) const OPEN_POLICY2: u16 = 44;
    pub(super) const QUERY_POLICY2: u16 = 46;
    pub(super) const LOOKUP_SIDS2: u16 = 57;
    pub(super) const LOOKUP_NAMES2: u16 = 58;
    pub(super) const LOOKUP_NAMES3: u16 = 68;
}

/// Results, [MS-ERREF] 2.3.
pub(super) mod status {
    pub(in super::super) const SUCCESS: u32 = 0;
    pub(in super::super) const MORE_ENTRIES: u32 = 0x0000_0105;
    pub(in super::super) const SOME_NOT_MAPPED: u32 = 0x0000_0107;
    pub(in super::super) const INVALID_INFO_CLASS: u32 = 0xC000_0003;
    pub(in super::super) const ACCESS_DENIED: u32 = 0xC000_0022;
    pub(in super::super) const NO_SUCH_USER: u32 = 0xC000_0064;
    pub(in super::super) const NO_SUCH_GROUP: u32 = 0xC000_0066;
    pub(in super::super) const NONE_MAPPED: u32 = 0xC000_0073;
    pub(in super::super) const NO_SUCH_DOMAIN: u32 = 0xC000_00DF;
    pub(in super::super) const NO_SUCH_ALIAS: u32 = 0xC000_0151;
}

/// `POLICY_INFORMATION_CLASS`, [MS-LSAD] 2.2.4.1.
mod class {
    pub(super) const PRIMARY_DOMAIN: u16 = 3;
    pub(super) const ACCOUNT_DOMAIN: u16 = 5;
    pub(super) const SERVER_ROLE: u16 = 6;
    pub(super) const DNS_DOMAIN: u16 = 12;
}

/// Most SIDs or names of one call ([MS-LSAT] 2.2.16 gives 20480; nobody asks for as many).
const MOST_LOOKUPS: usize = 1000;
/// Index of the domain of an account that has none.
const NO_DOMAIN: u32 = u32::MAX;

ndr_struct! {
    /// `LSAPR_POLICY_PRIMARY_DOM_INFO` and `LSAPR_POLICY_ACCOUNT_DOM_INFO`, [MS-LSAD] 2.2.4.5 and 2.2.4.6.
    struct DomainInfo { name: UnicodeString, sid: Unique<Sid>, }
}
ndr_struct! {
    /// `LSAPR_POLICY_DNS_DOMAIN_INFO`, [MS-LSAD] 2.2.4.14.
    struct DnsDomainInfo {
        name: UnicodeString, dns: UnicodeString, forest: UnicodeString, guid: [u8; 16], sid: Unique<Sid>,
    }
}
ndr_struct! {
    /// `LSAPR_SID_INFORMATION`, [MS-LSAT] 2.2.17.
    struct SidInformation { sid: Unique<Sid>, }
}
ndr_struct! {
    /// `LSAPR_SID_ENUM_BUFFER`, [MS-LSAT] 2.2.18, and the lists of results.
    struct List<T> { entries: u32, items: Unique<Array<T>>, }
}
ndr_struct! {
    /// `LSAPR_REFERENCED_DOMAIN_LIST`, [MS-LSAT] 2.2.12.
    struct DomainList { entries: u32, domains: Unique<Array<DomainInfo>>, most: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_NAME`, [MS-LSAT] 2.2.19.
    struct TranslatedName { kind: Enum, name: UnicodeString, domain: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_NAME_EX`, [MS-LSAT] 2.2.21.
    struct TranslatedNameEx { kind: Enum, name: UnicodeString, domain: u32, flags: u32, }
}
ndr_struct! {
    /// `LSA_TRANSLATED_SID`, [MS-LSAT] 2.2.14.
    struct TranslatedSid { kind: Enum, relative: u32, domain: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_SID_EX`, [MS-LSAT] 2.2.22.
    struct TranslatedSidEx { kind: Enum, relative: u32, domain: u32, flags: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_SID_EX2`, [MS-LSAT] 2.2.24.
    struct TranslatedSidEx2 { kind: Enum, sid: Unique<Sid>, domain: u32, flags: u32, }
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
            operation::OPEN_POLICY | operation::OPEN_POLICY2 => open_policy(call, output),
            operation::QUERY_POLICY | operation::QUERY_POLICY2 => query_policy(call, input, output),
            operation::LOOKUP_SIDS => lookup_sids::<TranslatedName>(call, input, output),
            operation::LOOKUP_SIDS2 => lookup_sids::<TranslatedNameEx>(call, input, output),
            operation::LOOKUP_NAMES => lookup_names::<TranslatedSid>(call, input, output),
            operation::LOOKUP_NAMES2 => lookup_names::<TranslatedSidEx>(call, input, output),
            operation::LOOKUP_NAMES3 => lookup_names::<TranslatedSidEx2>(call, input, output),
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
    let handle = handle(input)?;
    call.handles.close(&handle)?;
    output.align(4);
    output.param(&NULL);
    output.param(&status::SUCCESS);
    Ok(())
}

/// Reads a context handle, which is aligned as its first integer.
pub(super) fn handle(input: &mut Decoder<'_>) -> Decoded<Handle> {
    input.align(4)?;
    input.param()
}

/// LsarOpenPolicy and LsarOpenPolicy2, [MS-LSAD] 3.1.4.4. The parameters change nothing: every caller may do the same.
fn open_policy(call: &Call<'_>, output: &mut Encoder) -> Result<(), Fault> {
    if !call.may_look() {
        output.param(&NULL);
        output.param(&status::ACCESS_DENIED);
        return Ok(());
    }
    output.param(&call.handles.open(Object::Policy)?);
    output.param(&status::SUCCESS);
    Ok(())
}

fn check_policy(call: &Call<'_>, input: &mut Decoder<'_>) -> Result<(), Fault> {
    match call.handles.get(&handle(input)?)? {
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
    check_policy(call, input)?;
    let Enum(class) = input.param()?;
    let settings = call.server.state.settings();
    let global = &settings.config.global;
    let domain = with_directory(call, |directory| directory.domain());
    let level = Enum(class);
    match class {
        // A server in no domain is in a workgroup, which has no SID.
        class::PRIMARY_DOMAIN => answer(
            level,
            DomainInfo {
                name: UnicodeString::new(&global.workgroup),
                sid: Unique::Null,
            },
            output,
        ),
        class::ACCOUNT_DOMAIN => answer(
            level,
            DomainInfo {
                name: UnicodeString::new(&global.netbios_name),
                sid: Unique::To(domain),
            },
            output,
        ),
        // Primary, not backup.
        class::SERVER_ROLE => answer(level, Enum(3), output),
        class::DNS_DOMAIN => answer(
            level,
            DnsDomainInfo {
                name: UnicodeString::new(&global.workgroup),
                dns: UnicodeString::new(""),
                forest: UnicodeString::new(""),
                guid: [0; 16],
                sid: Unique::Null,
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

/// Writes a pointer to a union, and success.
fn answer<T: Encode>(level: Enum, arm: T, output: &mut Encoder) {
    output.param(&Unique::To(EnumLevel { level, arm }));
    output.param(&status::SUCCESS);
}

/// The domains that a result refers to, each once.
#[derive(Default)]
struct Domains(Vec<DomainInfo>);

impl Domains {
    /// The index of an account's domain. Where that has no name it still has the SID that the account's is relative to.
    fn index(&mut self, account: &Account) -> u32 {
        let sid = match (account.kind, account.sid.split()) {
            (Kind::Domain, _) | (_, None) => account.sid.clone(),
            (_, Some((parent, _))) => parent,
        };
        let domain = DomainInfo {
            name: UnicodeString::new(&account.domain),
            sid: Unique::To(sid),
        };
        let known = self.0.iter().position(|known| *known == domain);
        let index = known.unwrap_or_else(|| {
            self.0.push(domain);
            self.0.len().saturating_sub(1)
        });
        u32::try_from(index).unwrap_or(NO_DOMAIN)
    }

    fn write(self, output: &mut Encoder) {
        let entries = count(&self.0);
        let domains = if self.0.is_empty() {
            Unique::Null
        } else {
            Unique::To(Array(self.0))
        };
        output.param(&Unique::To(DomainList {
            entries,
            domains,
            most: 32,
        }));
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Writes a list, how many of its entries were found, and the status that follows from it.
fn write_results<T: Encode>(domains: Domains, items: Vec<T>, mapped: usize, output: &mut Encoder) {
    let code = if mapped == items.len() {
        status::SUCCESS
    } else if mapped == 0 {
        status::NONE_MAPPED
    } else {
        status::SOME_NOT_MAPPED
    };
    domains.write(output);
    let entries = count(&items);
    output.param(&List {
        entries,
        items: if items.is_empty() {
            Unique::Null
        } else {
            Unique::To(Array(items))
        },
    });
    output.param(&u32::try_from(mapped).unwrap_or(u32::MAX));
    output.param(&code);
}

/// A form in which a name is given.
trait NameForm: Encode {
    fn new(kind: Kind, name: &str, domain: u32) -> Self;
}

fn kind_number(kind: Kind) -> Enum {
    Enum(match kind {
        Kind::User => 1,
        Kind::Group => 2,
        Kind::Domain => 3,
        Kind::Alias => 4,
        Kind::WellKnown => 5,
        Kind::Unknown => 8,
    })
}

impl NameForm for TranslatedName {
    fn new(kind: Kind, name: &str, domain: u32) -> Self {
        TranslatedName {
            kind: kind_number(kind),
            name: UnicodeString::new(name),
            domain,
        }
    }
}

impl NameForm for TranslatedNameEx {
    fn new(kind: Kind, name: &str, domain: u32) -> Self {
        TranslatedNameEx {
            kind: kind_number(kind),
            name: UnicodeString::new(name),
            domain,
            flags: 0,
        }
    }
}

/// LsarLookupSids and LsarLookupSids2, [MS-LSAT] 3.1.4.10.
fn lookup_sids<T: NameForm>(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    check_policy(call, input)?;
    let List { items, .. } = input.param::<List<SidInformation>>()?;
    let items = items.as_ref().map_or(&[][..], |items| items.0.as_slice());
    if items.len() > MOST_LOOKUPS {
        return Err(Fault(fault::OUT_OF_RESOURCES));
    }
    let mut domains = Domains::default();
    let mut mapped = 0;
    let names = with_directory(call, |directory| {
        let translate =
            |item: &SidInformation| match item.sid.as_ref().and_then(|sid| directory.by_sid(sid)) {
                Some(account) => {
                    mapped += 1;
                    T::new(account.kind, &account.name, domains.index(&account))
                }
                None => {
                    let text = item
                        .sid
                        .as_ref()
                        .map_or_else(String::new, ToString::to_string);
                    T::new(Kind::Unknown, &text, NO_DOMAIN)
                }
            };
        items.iter().map(translate).collect::<Vec<T>>()
    });
    write_results(domains, names, mapped, output);
    Ok(())
}

/// A form in which a SID is given.
trait SidForm: Encode {
    fn new(account: Option<&Account>, domain: u32) -> Self;
}

fn kind_of(account: Option<&Account>) -> Enum {
    kind_number(account.map_or(Kind::Unknown, |account| account.kind))
}

/// The last part of an account's SID; a domain has none.
fn relative(account: Option<&Account>) -> u32 {
    match account {
        Some(account) if account.kind != Kind::Domain => {
            account.sid.split().map_or(u32::MAX, |(_, last)| last)
        }
        _ => u32::MAX,
    }
}

impl SidForm for TranslatedSid {
    fn new(account: Option<&Account>, domain: u32) -> Self {
        TranslatedSid {
            kind: kind_of(account),
            relative: relative(account),
            domain,
        }
    }
}

impl SidForm for TranslatedSidEx {
    fn new(account: Option<&Account>, domain: u32) -> Self {
        TranslatedSidEx {
            kind: kind_of(account),
            relative: relative(account),
            domain,
            flags: 0,
        }
    }
}

impl SidForm for TranslatedSidEx2 {
    fn new(account: Option<&Account>, domain: u32) -> Self {
        let sid = account.map_or(Unique::Null, |account| Unique::To(account.sid.clone()));
        TranslatedSidEx2 {
            kind: kind_of(account),
            sid,
            domain,
            flags: 0,
        }
    }
}

/// LsarLookupNames, LsarLookupNames2 and LsarLookupNames3, [MS-LSAT] 3.1.4.6 to 3.1.4.8.
fn lookup_names<T: SidForm>(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    check_policy(call, input)?;
    let names = read_names(input)?;
    let mut domains = Domains::default();
    let mut mapped = 0;
    let sids = with_directory(call, |directory| {
        let translate = |name: &UnicodeString| match directory.by_name(name.text()) {
            Some(account) => {
                mapped += 1;
                let index = domains.index(&account);
                T::new(Some(&account), index)
            }
            None => T::new(None, NO_DOMAIN),
        };
        names.iter().map(translate).collect::<Vec<T>>()
    });
    write_results(domains, sids, mapped, output);
    Ok(())
}

/// A count and an array of names.
pub(super) fn read_names(input: &mut Decoder<'_>) -> Result<Vec<UnicodeString>, Fault> {
    let count: u32 = input.param()?;
    let Array(names) = read_array(input)?;
    if usize::try_from(count) != Ok(names.len()) {
        return Err(Fault(fault::BAD_STUB));
    }
    if names.len() > MOST_LOOKUPS {
        return Err(Fault(fault::OUT_OF_RESOURCES));
    }
    Ok(names)
}

fn read_array<T: Decode>(input: &mut Decoder<'_>) -> Decoded<Array<T>> {
    input.param()
}
