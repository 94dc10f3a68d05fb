// SPDX-License-Identifier: GPL-2.0

//! Names of SIDs and SIDs of names, [MS-LSAT] 3.1.4.

use super::handles::Handle;
use super::lsarpc::{check_policy, status, with_directory, DomainInfo};
use super::ndr::{
    ndr_params, ndr_struct, Array, Decode, Decoder, Encode, Encoder, Enum, UnicodeString, Unique,
};
use super::pdu::fault;
use super::sid::{Account, Directory, Kind, Sid};
use super::{Call, Fault};

/// Most names of one call: the range of `Count`, [MS-LSAT] 3.1.4.5 to 3.1.4.8.
const MOST_NAMES: usize = 1000;
/// Most SIDs of one call: the range of `Entries`, 2.2.18. The answer is some times as large as the request at the most, and that
/// has a bound.
const MOST_SIDS: usize = 20480;
/// Index of the domain of an account that has none.
const NO_DOMAIN: u32 = u32::MAX;
/// Most domains of an answer as the structure tells them; the document has it ignored.
const MOST_DOMAINS: u32 = 32;

ndr_struct! {
    /// `LSAPR_SID_INFORMATION`, 2.2.17.
    pub(super) struct SidInformation { sid: Unique<Sid>, }
}
ndr_struct! {
    /// `LSAPR_SID_ENUM_BUFFER`, 2.2.18, and the lists of results.
    pub(super) struct List<T> { entries: u32, items: Unique<Array<T>>, }
}
ndr_struct! {
    /// `LSAPR_REFERENCED_DOMAIN_LIST`, 2.2.12.
    pub(super) struct DomainList { entries: u32, domains: Unique<Array<DomainInfo>>, most: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_NAME`, 2.2.19.
    pub(super) struct TranslatedName { kind: Enum, name: UnicodeString, domain: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_NAME_EX`, 2.2.21.
    pub(super) struct TranslatedNameEx { kind: Enum, name: UnicodeString, domain: u32, flags: u32, }
}
ndr_struct! {
    /// `LSA_TRANSLATED_SID`, 2.2.14.
    pub(super) struct TranslatedSid { kind: Enum, relative: u32, domain: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_SID_EX`, 2.2.23.
    pub(super) struct TranslatedSidEx { kind: Enum, relative: u32, domain: u32, flags: u32, }
}
ndr_struct! {
    /// `LSAPR_TRANSLATED_SID_EX2`, 2.2.25.
    pub(super) struct TranslatedSidEx2 { kind: Enum, sid: Unique<Sid>, domain: u32, flags: u32, }
}

ndr_params! {
    /// LsarLookupSids, 3.1.4.11.
    pub(super) struct LookupSids {
        policy: Handle, sids: List<SidInformation>, names: List<TranslatedName>, level: Enum, mapped: u32,
    }
}
ndr_params! {
    /// LsarLookupSids2, 3.1.4.10.
    pub(super) struct LookupSids2 {
        policy: Handle, sids: List<SidInformation>, names: List<TranslatedNameEx>, level: Enum, mapped: u32, options: u32,
        revision: u32,
    }
}
ndr_params! {
    /// LsarLookupSids3, 3.1.4.9.
    pub(super) struct LookupSids3 {
        sids: List<SidInformation>, names: List<TranslatedNameEx>, level: Enum, mapped: u32, options: u32, revision: u32,
    }
}
ndr_params! {
    /// LsarLookupNames, 3.1.4.8.
    pub(super) struct LookupNames {
        policy: Handle, count: u32, names: Array<UnicodeString>, sids: List<TranslatedSid>, level: Enum, mapped: u32,
    }
}
ndr_params! {
    /// LsarLookupNames2 and LsarLookupNames3, 3.1.4.7 and 3.1.4.6, which differ in the form of the result.
    pub(super) struct LookupNames2<T> {
        policy: Handle, count: u32, names: Array<UnicodeString>, sids: List<T>, level: Enum, mapped: u32, options: u32,
        revision: u32,
    }
}
ndr_params! {
    /// LsarLookupNames4, 3.1.4.5.
    pub(super) struct LookupNames4 {
        count: u32, names: Array<UnicodeString>, sids: List<TranslatedSidEx2>, level: Enum, mapped: u32, options: u32,
        revision: u32,
    }
}
ndr_params! {
    /// The results of all of them.
    pub(super) struct Translated<T> { domains: Unique<DomainList>, items: List<T>, mapped: u32, status: u32, }
}

/// Where a lookup looks, `LSAP_LOOKUP_LEVEL`, 2.2.16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Everything that this server knows (`LsapLookupWksta`).
    Everything,
    /// The accounts of the domain (`LsapLookupPDC`): the server's own, for want of another.
    Accounts,
    /// Trusted domains and forests, the other levels: there are none.
    Nothing,
}

impl Scope {
    /// `None` if there is no such level.
    fn of(level: Enum) -> Option<Self> {
        match level.0 {
            1 => Some(Scope::Everything),
            2 => Some(Scope::Accounts),
            3..=7 => Some(Scope::Nothing),
            _ => None,
        }
    }

    /// The account, if it is where the lookup looks.
    fn admit(self, directory: &Directory<'_>, account: Option<Account>) -> Option<Account> {
        match self {
            Scope::Everything => account,
            Scope::Accounts => {
                let domain = directory.domain();
                let is_own = |sid: &Sid| {
                    *sid == domain || sid.split().is_some_and(|(parent, _)| parent == domain)
                };
                account.filter(|account| is_own(&account.sid))
            }
            Scope::Nothing => None,
        }
    }
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
            name: UnicodeString::with_room(&account.domain),
            sid: Unique::To(sid),
        };
        let known = self.0.iter().position(|known| *known == domain);
        let index = known.unwrap_or_else(|| {
            self.0.push(domain);
            self.0.len().saturating_sub(1)
        });
        u32::try_from(index).unwrap_or(NO_DOMAIN)
    }

    fn list(self) -> DomainList {
        let List { entries, items } = List::new(self.0);
        DomainList {
            entries,
            domains: items,
            most: MOST_DOMAINS,
        }
    }
}

impl<T> List<T> {
    /// The list of `items`; an empty one points to nothing.
    pub(super) fn new(items: Vec<T>) -> Self {
        List {
            entries: u32::try_from(items.len()).unwrap_or(u32::MAX),
            items: if items.is_empty() {
                Unique::Null
            } else {
                Unique::To(Array(items))
            },
        }
    }

    /// What is in the list.
    pub(super) fn items(&self) -> &[T] {
        self.items.as_ref().map_or(&[], |items| items.0.as_slice())
    }
}

/// Writes a list, how many of its entries were found, and the status that follows from it.
fn write_results<T: Encode + Decode>(
    domains: Domains,
    items: Vec<T>,
    mapped: usize,
    output: &mut Encoder,
) {
    let status = if mapped == items.len() {
        status::SUCCESS
    } else if mapped == 0 {
        status::NONE_MAPPED
    } else {
        status::SOME_NOT_MAPPED
    };
    output.params(&Translated {
        domains: Unique::To(domains.list()),
        items: List::new(items),
        mapped: u32::try_from(mapped).unwrap_or(u32::MAX),
        status,
    });
}

/// Writes that nothing was looked up, and why.
fn refuse<T: Encode + Decode>(status: u32, output: &mut Encoder) {
    output.params(&Translated::<T> {
        domains: Unique::Null,
        items: List::new(Vec::new()),
        mapped: 0,
        status,
    });
}

/// A form in which a name is given.
trait NameForm: Encode + Decode {
    fn new(kind: Kind, name: &str, domain: u32) -> Self;
}

fn kind_number(kind: Kind) -> Enum {
    Enum(kind.number())
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

/// LsarLookupSids.
pub(super) fn lookup_sids(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupSids = input.params()?;
    check_policy(call, &asked.policy)?;
    translate_sids::<TranslatedName>(call, &asked.sids, asked.level, output)
}

/// LsarLookupSids2.
pub(super) fn lookup_sids2(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupSids2 = input.params()?;
    check_policy(call, &asked.policy)?;
    translate_sids::<TranslatedNameEx>(call, &asked.sids, asked.level, output)
}

/// LsarLookupSids3, which wants the secure channel of a domain's member, and which a named pipe never has.
pub(super) fn lookup_sids3(input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let _asked: LookupSids3 = input.params()?;
    refuse::<TranslatedNameEx>(status::ACCESS_DENIED, output);
    Ok(())
}

fn translate_sids<T: NameForm>(
    call: &Call<'_>,
    sids: &List<SidInformation>,
    level: Enum,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let sids = sids.items();
    if sids.len() > MOST_SIDS {
        return Err(Fault(fault::INVALID_BOUND));
    }
    let Some(scope) = Scope::of(level) else {
        refuse::<T>(status::INVALID_PARAMETER, output);
        return Ok(());
    };
    let mut domains = Domains::default();
    let mut mapped = 0;
    let names = with_directory(call, |directory| {
        let translate = |item: &SidInformation| {
            let sid = item.sid.as_ref();
            let account = sid.and_then(|sid| scope.admit(directory, directory.by_sid(sid)));
            match account {
                Some(account) => {
                    mapped += 1;
                    T::new(account.kind, &account.name, domains.index(&account))
                }
                None => {
                    let text = sid.map_or_else(String::new, ToString::to_string);
                    T::new(Kind::Unknown, &text, NO_DOMAIN)
                }
            }
        };
        sids.iter().map(translate).collect::<Vec<T>>()
    });
    write_results(domains, names, mapped, output);
    Ok(())
}

/// A form in which a SID is given.
trait SidForm: Encode + Decode {
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

/// LsarLookupNames.
pub(super) fn lookup_names(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupNames = input.params()?;
    check_policy(call, &asked.policy)?;
    let names = checked(asked.count, &asked.names)?;
    translate_names::<TranslatedSid>(call, names, asked.level, output)
}

/// LsarLookupNames2.
pub(super) fn lookup_names2(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupNames2<TranslatedSidEx> = input.params()?;
    check_policy(call, &asked.policy)?;
    let names = checked(asked.count, &asked.names)?;
    translate_names::<TranslatedSidEx>(call, names, asked.level, output)
}

/// LsarLookupNames3.
pub(super) fn lookup_names3(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: LookupNames2<TranslatedSidEx2> = input.params()?;
    check_policy(call, &asked.policy)?;
    let names = checked(asked.count, &asked.names)?;
    translate_names::<TranslatedSidEx2>(call, names, asked.level, output)
}

/// LsarLookupNames4; see [`lookup_sids3`].
pub(super) fn lookup_names4(input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let asked: LookupNames4 = input.params()?;
    checked(asked.count, &asked.names)?;
    refuse::<TranslatedSidEx2>(status::ACCESS_DENIED, output);
    Ok(())
}

/// The names, if they are as many as the count before them says, and as the interface allows.
fn checked(count: u32, names: &Array<UnicodeString>) -> Result<&[UnicodeString], Fault> {
    if usize::try_from(count) != Ok(names.0.len()) {
        return Err(Fault(fault::BAD_STUB));
    }
    if names.0.len() > MOST_NAMES {
        return Err(Fault(fault::INVALID_BOUND));
    }
    Ok(&names.0)
}

fn translate_names<T: SidForm>(
    call: &Call<'_>,
    names: &[UnicodeString],
    level: Enum,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let Some(scope) = Scope::of(level) else {
        refuse::<T>(status::INVALID_PARAMETER, output);
        return Ok(());
    };
    let mut domains = Domains::default();
    let mut mapped = 0;
    let sids = with_directory(call, |directory| {
        let translate =
            |name: &UnicodeString| match scope.admit(directory, directory.by_name(name.text())) {
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
