// SPDX-License-Identifier: GPL-2.0

//! The configuration, ksmbd.conf(5): what it means.
//!
//! [`Document`](document::Document) reads the text, [`Config::build`] gives it a meaning. Everything that is not understood becomes
//! a [`Diagnostic`] with its place; nothing is passed over in silence.

pub mod document;
pub mod edit;
pub mod hosts;
pub mod keys;
mod pending;
mod share;
pub mod value;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::account::Accounts;
use document::{fold_name, Diagnostic, Document, Entry, Place, Section, Severity};
use keys::{Key, Lookup, Scope};
pub use share::{ListedUser, Share};
use value::{Setting, Value};

/// Name of the section of the global keys.
pub const GLOBAL: &str = "global";
/// Name of the share through which named pipes are reached.
pub const IPC: &str = "IPC$";

/// Most that the limits on files, sessions and connections can be.
const MOST: u32 = 65536;

/// Who becomes a guest, `map to guest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapToGuest {
    /// Nobody.
    #[default]
    Never,
    /// Whoever gives a user name that does not exist.
    BadUser,
}

/// The global keys. A zero in a field documented so leaves the choice to the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// Model that Apple clients show.
    pub aapl_model: String,
    /// Listen only on `interfaces`.
    pub bind_interfaces_only: bool,
    /// Minutes after which an idle connection ends; 0 never.
    pub deadtime: u32,
    /// Durable handles are granted.
    pub durable_handles: bool,
    /// The system user of guests.
    pub guest_account: String,
    /// Interfaces to listen on.
    pub interfaces: Vec<String>,
    /// Seconds after which a silent daemon is asked for a sign; 0 never.
    pub ipc_timeout: u16,
    /// Kerberos keytab; empty for the system's.
    pub kerberos_keytab: String,
    /// Kerberos service principal; empty for `cifs/` and the host's name.
    pub kerberos_service: String,
    /// Kerberos is wanted.
    pub kerberos: bool,
    /// Who becomes a guest.
    pub map_to_guest: MapToGuest,
    /// Most sessions.
    pub max_active_sessions: u32,
    /// Most connections.
    pub max_connections: u32,
    /// Most connections of one address, or 0.
    pub max_ip_connections: u32,
    /// Most open files.
    pub max_open_files: u32,
    /// Most sessions of one connection, or 0.
    pub max_sessions_per_connection: u32,
    /// NetBIOS name.
    pub netbios_name: String,
    /// 0, 1 or 2.
    pub restrict_anonymous: u32,
    /// Prepended to every share's path.
    pub root_directory: String,
    /// Lowest dialect, if given.
    pub min_protocol: Option<&'static str>,
    /// Highest dialect, if given.
    pub max_protocol: Option<&'static str>,
    /// Several connections may join one session.
    pub multi_channel: bool,
    /// Signing.
    pub signing: Setting,
    /// Description of the server.
    pub server_string: String,
    /// File system attribute bits to claim.
    pub fake_fscaps: u32,
    /// Leases are granted.
    pub leases: bool,
    /// Most credits of a connection, or 0.
    pub max_credits: u32,
    /// Bytes of the largest READ, or 0.
    pub max_read: u32,
    /// Bytes of the largest WRITE, or 0.
    pub max_write: u32,
    /// Bytes of the largest other exchange, or 0.
    pub max_transact: u32,
    /// Bytes of the largest SMB Direct transfer, or 0.
    pub smbd_max_io: u32,
    /// Encryption.
    pub encryption: Setting,
    /// Whether the server is announced by mDNS.
    pub multicast_dns: bool,
    /// TCP port.
    pub tcp_port: u16,
    /// Workgroup.
    pub workgroup: String,
    /// Whether Windows finds the server by WS-Discovery.
    pub ws_discovery: bool,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The global keys.
    pub global: Global,
    /// The shares by folded name, IPC$ among them.
    shares: BTreeMap<String, Arc<Share>>,
}

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, unless a finding was fatal.
    pub config: Option<Config>,
    /// What there is to say, in the order of the places.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether nothing is wrong but for warnings.
    pub fn is_clean(&self) -> bool {
        self.diagnostics
            .iter()
            .all(|diagnostic| diagnostic.severity == Severity::Warning)
    }
}

impl Config {
    /// Reads the configuration at `path`.
    pub fn load(path: &Path, accounts: &dyn Accounts) -> Loaded {
        match Document::load(path) {
            Ok(document) => Config::build(document, accounts),
            Err(error) => Loaded {
                config: None,
                diagnostics: vec![Diagnostic {
                    place: None,
                    severity: Severity::Fatal,
                    message: format!("`{}` cannot be read: {error}", path.display()),
                }],
            },
        }
    }

    /// Gives a text its meaning.
    pub fn build(document: Document, accounts: &dyn Accounts) -> Loaded {
        let Document {
            sections,
            diagnostics,
        } = document;
        let mut findings = Findings(diagnostics);
        let is_global = |section: &&Section| fold_name(&section.name) == GLOBAL;
        let defaults = sections
            .iter()
            .find(is_global)
            .map(|section| Values::collect(section, &mut findings))
            .unwrap_or_default();
        let global = Global::build(&defaults, &mut findings);
        pending::warn(&defaults, &defaults, &mut findings);
        let mut shares = BTreeMap::new();
        for section in sections.iter().filter(|section| !is_global(section)) {
            let values = Values::collect(section, &mut findings);
            pending::warn(&values, &defaults, &mut findings);
            let own = Layers {
                own: &values,
                defaults: &defaults,
            };
            if let Some(share) = Share::build(section, &own, &global, accounts, &mut findings) {
                shares.insert(fold_name(&section.name), Arc::new(share));
            }
        }
        shares.entry(fold_name(IPC)).or_insert_with(|| {
            let none = Layers {
                own: &Values::default(),
                defaults: &defaults,
            };
            Arc::new(Share::build_ipc(IPC, &none, &mut findings))
        });
        let Findings(mut diagnostics) = findings;
        diagnostics.dedup();
        let fatal = diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Fatal);
        Loaded {
            config: (!fatal).then_some(Config { global, shares }),
            diagnostics,
        }
    }

    /// The share called `name`, whatever its letter case.
    pub fn share(&self, name: &str) -> Option<&Arc<Share>> {
        self.shares.get(&fold_name(name))
    }

    /// Every share, IPC$ among them, in the order of the names.
    pub fn shares(&self) -> impl Iterator<Item = &Arc<Share>> {
        self.shares.values()
    }
}

/// Gathers diagnostics.
struct Findings(Vec<Diagnostic>);

impl Findings {
    fn add(&mut self, place: &Place, severity: Severity, message: String) {
        let finding = Diagnostic {
            place: Some(place.clone()),
            severity,
            message,
        };
        // A default in [global] is read once for every share.
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

/// The values of one section: of two entries for a key, the first that is not empty.
#[derive(Default)]
struct Values(HashMap<Key, Entry>);

impl Values {
    fn collect(section: &Section, findings: &mut Findings) -> Self {
        let is_global = fold_name(&section.name) == GLOBAL;
        let mut values = HashMap::new();
        for entry in &section.entries {
            let key = match Key::lookup(&entry.key) {
                Lookup::Known(key) => key,
                Lookup::SambaOnly => {
                    let message =
                        format!("`{}` is a key of Samba's without effect here", entry.key);
                    findings.add(&entry.key_at, Severity::Warning, message);
                    continue;
                }
                Lookup::Unknown(nearest) => {
                    let hint = nearest.map(|key| format!("; did you mean `{}`?", key.name()));
                    let message = format!(
                        "`{}` is not a known key{}",
                        entry.key,
                        hint.unwrap_or_default()
                    );
                    findings.add(&entry.key_at, Severity::Warning, message);
                    continue;
                }
            };
            if !is_global && key.scope() == Scope::Global {
                let message = format!("`{}` has no effect outside [global]", entry.key);
                findings.add(&entry.key_at, Severity::Warning, message);
                continue;
            }
            if entry.value.is_empty() {
                continue;
            }
            if let Some(first) = values.get(&key) {
                let first: &Entry = first;
                let message = format!(
                    "`{}` already has a value, at {}; this one is not used",
                    entry.key, first.key_at
                );
                findings.add(&entry.key_at, Severity::Warning, message);
                continue;
            }
            values.insert(key, entry.clone());
        }
        Values(values)
    }

    /// Reads the value of `key` with `read`; `None` if there is none or it is wrong, which is then fatal.
    fn read<T>(
        &self,
        key: Key,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Value<T>,
    ) -> Option<T> {
        let entry = self.0.get(&key)?;
        match read(&entry.value) {
            Ok(value) => Some(value),
            Err(wanted) => {
                let message = format!("`{} = {}`: expected {}", entry.key, entry.value, wanted.0);
                findings.add(&entry.value_at, Severity::Fatal, message);
                None
            }
        }
    }
}

/// A share's own values, over the defaults in `[global]`.
struct Layers<'a> {
    own: &'a Values,
    defaults: &'a Values,
}

impl Layers<'_> {
    fn layer(&self, key: Key) -> &Values {
        // A key with a meaning of its own in [global] is no default for shares.
        if self.own.0.contains_key(&key) || key.scope() == Scope::Both {
            self.own
        } else {
            self.defaults
        }
    }

    fn entry(&self, key: Key) -> Option<&Entry> {
        self.layer(key).0.get(&key)
    }

    fn read<T>(
        &self,
        key: Key,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Value<T>,
    ) -> Option<T> {
        self.layer(key).read(key, findings, read)
    }

    fn flag(&self, key: Key, default: bool, findings: &mut Findings) -> bool {
        self.read(key, findings, value::boolean).unwrap_or(default)
    }
}

fn size32(text: &str) -> Value<u32> {
    value::size(text, u64::from(u32::MAX)).map(|size| u32::try_from(size).unwrap_or(u32::MAX))
}

/// A limit where 0 stands for the most.
fn limit(text: &str) -> Value<u32> {
    let limit = value::size(text, u64::from(MOST))?;
    Ok(u32::try_from(limit)
        .ok()
        .filter(|limit| *limit != 0)
        .unwrap_or(MOST))
}

fn short(text: &str, low: u16, high: u16) -> Value<u16> {
    value::number(text, low.into(), high.into()).map(|number| u16::try_from(number).unwrap_or(high))
}

fn map_to_guest(text: &str) -> Value<MapToGuest> {
    match document::fold_key(text).as_str() {
        "never" => Ok(MapToGuest::Never),
        "baduser" => Ok(MapToGuest::BadUser),
        _ => Err(value::Expected("never or bad user".into())),
    }
}

impl Global {
    /// The NetBIOS name of a server that is given none.
    pub const NETBIOS_NAME: &'static str = "KSMBD SERVER";

    fn build(values: &Values, findings: &mut Findings) -> Self {
        let f = findings;
        let text = |most: usize| move |text: &str| value::text(text, most);
        let global = Global {
            aapl_model: values.read(Key::AaplModel, f, text(31)).unwrap_or_default(),
            bind_interfaces_only: values
                .read(Key::BindInterfacesOnly, f, value::boolean)
                .unwrap_or(false),
            deadtime: values
                .read(Key::Deadtime, f, |text| {
                    value::number(text, 0, u32::MAX / 60)
                })
                .unwrap_or(0),
            durable_handles: values
                .read(Key::DurableHandles, f, value::boolean)
                .unwrap_or(false),
            guest_account: values
                .read(Key::GuestAccount, f, text(47))
                .unwrap_or_else(|| "nobody".into()),
            interfaces: values
                .read(Key::Interfaces, f, value::list)
                .unwrap_or_default(),
            ipc_timeout: values
                .read(Key::IpcTimeout, f, |text| short(text, 0, u16::MAX))
                .unwrap_or(0),
            kerberos_keytab: values
                .read(Key::KerberosKeytab, f, text(4096))
                .unwrap_or_default(),
            kerberos_service: values
                .read(Key::KerberosService, f, text(1024))
                .unwrap_or_default(),
            kerberos: values
                .read(Key::KerberosSupport, f, value::boolean)
                .unwrap_or(false),
            map_to_guest: values
                .read(Key::MapToGuest, f, map_to_guest)
                .unwrap_or_default(),
            max_active_sessions: values
                .read(Key::MaxActiveSessions, f, limit)
                .unwrap_or(1024),
            max_connections: values.read(Key::MaxConnections, f, limit).unwrap_or(128),
            max_ip_connections: values.read(Key::MaxIpConnections, f, limit).unwrap_or(0),
            max_open_files: values.read(Key::MaxOpenFiles, f, limit).unwrap_or(10000),
            max_sessions_per_connection: values
                .read(Key::MaxSessionsPerConnection, f, limit)
                .unwrap_or(0),
            netbios_name: values
                .read(Key::NetbiosName, f, text(15))
                .unwrap_or_else(|| Global::NETBIOS_NAME.into()),
            restrict_anonymous: values
                .read(Key::RestrictAnonymous, f, |text| value::number(text, 0, 2))
                .unwrap_or(0),
            root_directory: values
                .read(Key::RootDirectory, f, text(4096))
                .unwrap_or_default(),
            min_protocol: values.read(Key::ServerMinProtocol, f, value::protocol),
            max_protocol: values.read(Key::ServerMaxProtocol, f, value::protocol),
            multi_channel: values
                .read(Key::ServerMultiChannel, f, value::boolean)
                .unwrap_or(false),
            signing: values
                .read(Key::ServerSigning, f, value::setting)
                .unwrap_or_default(),
            server_string: values
                .read(Key::ServerString, f, text(63))
                .unwrap_or_else(|| "SMB SERVER".into()),
            fake_fscaps: values
                .read(Key::FakeFscaps, f, |text| value::number(text, 0, u32::MAX))
                .unwrap_or(64),
            leases: values
                .read(Key::Smb2Leases, f, value::boolean)
                .unwrap_or(false),
            max_credits: values.read(Key::Smb2MaxCredits, f, size32).unwrap_or(0),
            max_read: values.read(Key::Smb2MaxRead, f, size32).unwrap_or(0),
            max_write: values.read(Key::Smb2MaxWrite, f, size32).unwrap_or(0),
            max_transact: values.read(Key::Smb2MaxTrans, f, size32).unwrap_or(0),
            smbd_max_io: values.read(Key::SmbdMaxIo, f, size32).unwrap_or(0),
            encryption: values
                .read(Key::Smb3Encryption, f, value::setting)
                .unwrap_or(Setting::Auto),
            multicast_dns: values
                .read(Key::MulticastDns, f, value::boolean)
                .unwrap_or(false),
            tcp_port: values
                .read(Key::TcpPort, f, |text| short(text, 1, u16::MAX))
                .unwrap_or(445),
            workgroup: values
                .read(Key::Workgroup, f, text(63))
                .unwrap_or_else(|| "WORKGROUP".into()),
            ws_discovery: values
                .read(Key::WsDiscovery, f, value::boolean)
                .unwrap_or(false),
        };
        global.check(values, f);
        global
    }

    fn check(&self, values: &Values, findings: &mut Findings) {
        let place = |protocol: Option<&str>| {
            value::PROTOCOLS
                .iter()
                .position(|known| Some(*known) == protocol)
        };
        if let (Some(low), Some(high)) = (place(self.min_protocol), place(self.max_protocol)) {
            if low > high {
                if let Some(entry) = values.0.get(&Key::ServerMinProtocol) {
                    let message = format!(
                        "`{}` is above `server max protocol`: no client could connect",
                        entry.value
                    );
                    findings.add(&entry.value_at, Severity::Fatal, message);
                }
            }
        }
        if self.bind_interfaces_only && self.interfaces.is_empty() {
            if let Some(entry) = values.0.get(&Key::BindInterfacesOnly) {
                let message = "`interfaces` is empty: the server would listen nowhere".to_owned();
                findings.add(&entry.value_at, Severity::Warning, message);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
