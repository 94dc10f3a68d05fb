// SPDX-License-Identifier: GPL-2.0

//! Keys that are understood and that the module of this project does nothing with yet. Whoever sets one is told so by name.

use super::document::Severity;
use super::keys::Key;
use super::{value, Findings, Values};

/// What is missing for a key to act.
struct Pending {
    key: Key,
    /// Whether this value asks for it.
    is_asked: fn(&str) -> bool,
    /// What it does instead, after "`key = value`".
    says: &'static str,
}

const PENDING: &[Pending] = &[
    Pending {
        key: Key::DurableHandles,
        is_asked: is_set,
        says: "has no effect yet but with the C module: handles end with their connection",
    },
    Pending {
        key: Key::ContinuousAvailability,
        is_asked: is_set,
        says: "has only part of its effect yet: clients are told, but their handles do not outlive the server",
    },
    Pending {
        key: Key::SmbdMaxIo,
        is_asked: |_| true,
        says: "has no effect yet but with the C module: there is no SMB Direct",
    },
    Pending {
        key: Key::VfsObjects,
        is_asked: |text| {
            let names = value::list(text).unwrap_or_default();
            names
                .iter()
                .any(|name| name.eq_ignore_ascii_case("acl_xattr"))
        },
        says: "has only part of its effect yet but with the C module: `acl_xattr` keeps no Windows access control lists",
    },
];

/// Keys that act through `multicast dns register` alone so far.
const ANNOUNCED: &[Pending] = &[
    Pending {
        key: Key::AaplModel,
        is_asked: |_| true,
        says: "has no effect yet but with the C module, or with `multicast dns register = yes`, which tells it",
    },
    Pending {
        key: Key::TimeMachine,
        is_asked: is_set,
        says: "has no effect yet but with the C module, or with `multicast dns register = yes`, which announces the share",
    },
];

fn is_set(text: &str) -> bool {
    value::boolean(text) == Ok(true)
}

/// Adds a warning for every key of the section `values` that has no effect yet; `global` are the values of the global section.
pub(super) fn warn(values: &Values, global: &Values, findings: &mut Findings) {
    let is_announced = global
        .0
        .get(&Key::MulticastDns)
        .is_some_and(|entry| is_set(&entry.value));
    let announced = if is_announced { &[] } else { ANNOUNCED };
    for pending in PENDING.iter().chain(announced) {
        let Some(entry) = values.0.get(&pending.key) else {
            continue;
        };
        if (pending.is_asked)(&entry.value) {
            let message = format!("`{} = {}` {}", entry.key, entry.value, pending.says);
            findings.add(&entry.key_at, Severity::Warning, message);
        }
    }
}
