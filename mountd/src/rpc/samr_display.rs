// SPDX-License-Identifier: GPL-2.0

//! The lists of the account database that are made for display, [MS-SAMR] 3.1.5.3: sorted by name, read page by page.

use super::handles::Handle;
use super::lsarpc::status;
use super::ndr::{
    ndr_params, ndr_struct, AnsiString, Array, Decode, Decoder, Encode, Encoder, Enum, EnumLevel,
    UnicodeString, Unique,
};
use super::pdu::fault;
use super::samr::{count, domain_of, list, users, List, GROUP_ATTRIBUTES, NORMAL_ACCOUNT};
use super::samr_groups::groups;
use super::sid::Sid;
use super::{page, Call, Fault};

/// `DOMAIN_DISPLAY_INFORMATION`, 2.2.8.12.
mod display {
    pub(super) const USERS: u16 = 1;
    pub(super) const MACHINES: u16 = 2;
    pub(super) const GROUPS: u16 = 3;
    pub(super) const OEM_USERS: u16 = 4;
    pub(super) const OEM_GROUPS: u16 = 5;
}

ndr_struct! {
    /// `SAMPR_DOMAIN_DISPLAY_MACHINE` and `SAMPR_DOMAIN_DISPLAY_GROUP`, 2.2.8.3 and 2.2.8.4.
    pub(super) struct DisplayGroup { index: u32, relative: u32, attributes: u32, name: UnicodeString, comment: UnicodeString, }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_DISPLAY_USER`, 2.2.8.2.
    pub(super) struct DisplayUser {
        index: u32, relative: u32, control: u32, name: UnicodeString, comment: UnicodeString, full: UnicodeString,
    }
}
ndr_struct! {
    /// `SAMPR_DOMAIN_DISPLAY_OEM_USER` and `SAMPR_DOMAIN_DISPLAY_OEM_GROUP`, 2.2.8.5 and 2.2.8.6.
    pub(super) struct DisplayOem { index: u32, name: AnsiString, }
}
ndr_params! {
    /// SamrQueryDisplayInformation, SamrQueryDisplayInformation2 and SamrQueryDisplayInformation3.
    pub(super) struct QueryDisplay { domain: Handle, class: Enum, first: u32, most: u32, preferred: u32, }
}
ndr_params! {
    /// Their results.
    pub(super) struct Displayed<T> { available: u32, returned: u32, list: EnumLevel<List<T>>, status: u32, }
}
ndr_params! {
    /// SamrGetDisplayEnumerationIndex and SamrGetDisplayEnumerationIndex2.
    pub(super) struct FindIndex { domain: Handle, class: Enum, prefix: UnicodeString, }
}
ndr_params! {
    /// Their results.
    pub(super) struct FoundIndex { index: u32, status: u32, }
}

/// An entry, in whichever form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    relative: u32,
    attributes: u32,
    name: String,
    comment: &'static str,
}

impl Entry {
    /// An estimate of its bytes.
    fn size(&self) -> usize {
        48 + 4 * self.name.len() + 2 * self.comment.len()
    }
}

/// A form in which an entry is shown; positions in a list count from 1.
trait Form: Encode + Decode {
    fn new(index: u32, entry: &Entry) -> Self;
}

impl Form for DisplayUser {
    fn new(index: u32, entry: &Entry) -> Self {
        DisplayUser {
            index,
            relative: entry.relative,
            control: entry.attributes,
            name: UnicodeString::new(&entry.name),
            comment: UnicodeString::new(entry.comment),
            full: UnicodeString::new(&entry.name),
        }
    }
}

impl Form for DisplayGroup {
    fn new(index: u32, entry: &Entry) -> Self {
        DisplayGroup {
            index,
            relative: entry.relative,
            attributes: entry.attributes,
            name: UnicodeString::new(&entry.name),
            comment: UnicodeString::new(entry.comment),
        }
    }
}

impl Form for DisplayOem {
    fn new(index: u32, entry: &Entry) -> Self {
        DisplayOem {
            index,
            name: AnsiString::new(&entry.name),
        }
    }
}

/// The entries of a class, by name; `None` if there is no such class.
fn entries(call: &Call<'_>, domain: &Sid, class: Enum) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = match class.0 {
        display::USERS | display::OEM_USERS => users(call, domain)
            .into_iter()
            .map(|user| Entry {
                relative: user.uid,
                attributes: NORMAL_ACCOUNT,
                name: user.name,
                comment: "",
            })
            .collect(),
        display::MACHINES => Vec::new(),
        display::GROUPS | display::OEM_GROUPS => groups(call, domain)
            .iter()
            .map(|group| Entry {
                relative: group.relative,
                attributes: GROUP_ATTRIBUTES,
                name: group.name.to_owned(),
                comment: group.comment,
            })
            .collect(),
        _ => return None,
    };
    entries.sort_by_cached_key(|entry| entry.name.to_lowercase());
    Some(entries)
}

/// SamrQueryDisplayInformation and its further forms.
pub(super) fn query(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: QueryDisplay = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    // The union in the answer has no arm for another class.
    let all = entries(call, &domain, asked.class).ok_or(Fault(fault::INVALID_TAG))?;
    match asked.class.0 {
        display::USERS => show::<DisplayUser>(&asked, &all, output),
        display::OEM_USERS | display::OEM_GROUPS => show::<DisplayOem>(&asked, &all, output),
        _ => show::<DisplayGroup>(&asked, &all, output),
    }
    Ok(())
}

fn show<T: Form>(asked: &QueryDisplay, all: &[Entry], output: &mut Encoder) {
    let first = usize::try_from(asked.first).unwrap_or(usize::MAX);
    let rest = all.get(first..).unwrap_or(&[]);
    let most = usize::try_from(asked.most).unwrap_or(usize::MAX);
    let wanted = rest.get(..most).unwrap_or(rest);
    let page = page::of(wanted, asked.preferred, Entry::size);
    let is_all = page.items.len() == rest.len();
    let bytes = |entries: &[Entry]| {
        u32::try_from(entries.iter().map(Entry::size).sum::<usize>()).unwrap_or(u32::MAX)
    };
    let items: Vec<T> = page
        .items
        .iter()
        .zip(asked.first.saturating_add(1)..)
        .map(|(entry, index)| T::new(index, entry))
        .collect();
    output.params(&Displayed {
        available: bytes(all),
        returned: bytes(page.items),
        list: EnumLevel {
            level: asked.class,
            arm: if items.is_empty() {
                List {
                    entries: count::<T>(&[]),
                    items: Unique::<Array<T>>::Null,
                }
            } else {
                list(items)
            },
        },
        status: if is_all {
            status::SUCCESS
        } else {
            status::MORE_ENTRIES
        },
    });
}

/// SamrGetDisplayEnumerationIndex and its second form: where the names begin that are not before a prefix.
pub(super) fn find(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: FindIndex = input.params()?;
    let domain = domain_of(call, &asked.domain)?;
    let prefix = asked.prefix.text().to_lowercase();
    let all = entries(call, &domain, asked.class);
    let position = all.as_ref().map(|all| {
        all.iter()
            .position(|entry| entry.name.to_lowercase() >= prefix)
    });
    let (index, status) = match position {
        None => (0, status::INVALID_INFO_CLASS),
        Some(None) => (0, status::NO_MORE_ENTRIES),
        Some(Some(at)) => (u32::try_from(at).unwrap_or(u32::MAX), status::SUCCESS),
    };
    output.params(&FoundIndex { index, status });
    Ok(())
}
