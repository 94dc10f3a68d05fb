// SPDX-License-Identifier: GPL-2.0

//! What the daemon configured, made fit for use: limits clamped, protocol names understood.

use kernel::prelude::*;
use smb_model::negotiate::{Dialect, Range, SigningPolicy};
use smb_proto::ipc::{daemon_feature, global_flag, setting, Startup, Text};

/// Whether the server encrypts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encryption {
    /// Never.
    Off,
    /// If the client asks or a share requires it.
    Offered,
    /// Always, with clients that can.
    Required,
}

/// Whether clients may log in with Kerberos.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kerberos {
    /// The daemon does not want it.
    Off,
    /// Offered to clients.
    Offered,
    /// The daemon does not say: not offered, but a client that tries gets the daemon's answer.
    Untold,
}

/// A configuration as the daemon sent it in `STARTING_UP`.
pub(crate) struct Config {
    pub(crate) signing: SigningPolicy,
    pub(crate) encryption: Encryption,
    pub(crate) kerberos: Kerberos,
    /// Dialects on offer.
    pub(crate) dialects: Range,
    pub(crate) leases: bool,
    pub(crate) multichannel: bool,
    pub(crate) netbios_name: Text<16>,
    pub(crate) workgroup: Text<64>,
    pub(crate) tcp_port: u16,
    /// Seconds without a word from the daemon after which it is given up; 0 is never.
    pub(crate) ipc_timeout: u16,
    /// Milliseconds without traffic after which a connection without open files is closed; 0 is never.
    pub(crate) dead_time_ms: u64,
    pub(crate) max_open_files: u32,
    /// Largest WRITE payload, bytes.
    pub(crate) max_write: u32,
    /// Largest READ payload, bytes.
    pub(crate) max_read: u32,
    /// Largest buffer of every other command, bytes.
    pub(crate) max_transact: u32,
    pub(crate) max_credits: u16,
    pub(crate) max_connections: u32,
    pub(crate) max_connections_per_address: u32,
    pub(crate) max_sessions_per_connection: u32,
    /// File system attributes claimed for shares, `share:fake_fscaps`.
    pub(crate) fake_fscaps: u32,
    /// Sub-authorities of the machine's SID.
    pub(crate) sub_auth: [u32; 3],
    /// Names of the interfaces to listen on; empty is all.
    pub(crate) interfaces: KVec<KVec<u8>>,
}

/// Bounds of the I/O sizes, and the defaults where the daemon sent zero.
const MIN_IO: u32 = 64 << 10;
const MAX_IO: u32 = 8 << 20;
const DEFAULT_IO: u32 = 4 << 20;
const DEFAULT_TRANSACT: u32 = 1 << 20;
const DEFAULT_CREDITS: u32 = 8192;
const DEFAULT_CONNECTIONS: u32 = 128;
const DEFAULT_SESSIONS: u32 = 1024;
const DEFAULT_OPEN_FILES: u32 = 10_000;
const MAX_INTERFACES: usize = 64;

fn or_default(value: u32, default: u32) -> u32 {
    if value == 0 {
        default
    } else {
        value
    }
}

/// The dialect that `ksmbd.conf` calls `name`, [MS-SMB2] 1.7.
fn dialect(name: &[u8]) -> Option<Dialect> {
    match name {
        b"SMB2" | b"SMB2_10" => Some(Dialect::V2_1),
        b"SMB3" | b"SMB3_00" => Some(Dialect::V3_0),
        b"SMB3_02" => Some(Dialect::V3_0_2),
        b"SMB3_11" => Some(Dialect::V3_1_1),
        _ => None,
    }
}

impl Config {
    /// The configuration of a server that no daemon has configured yet; nothing listens under it.
    pub(crate) fn unconfigured() -> Result<Self> {
        Ok(Config {
            signing: SigningPolicy::Offered,
            encryption: Encryption::Offered,
            kerberos: Kerberos::Off,
            dialects: Range::new(Dialect::V2_1, Dialect::V3_1_1).ok_or(EINVAL)?,
            leases: false,
            multichannel: false,
            netbios_name: Text::EMPTY,
            workgroup: Text::EMPTY,
            tcp_port: 0,
            ipc_timeout: 0,
            dead_time_ms: 0,
            max_open_files: DEFAULT_OPEN_FILES,
            max_write: DEFAULT_IO,
            max_read: DEFAULT_IO,
            max_transact: DEFAULT_TRANSACT,
            max_credits: 8192,
            max_connections: DEFAULT_CONNECTIONS,
            max_connections_per_address: DEFAULT_CONNECTIONS,
            max_sessions_per_connection: DEFAULT_SESSIONS,
            fake_fscaps: 0,
            sub_auth: [0; 3],
            interfaces: KVec::new(),
        })
    }

    /// Takes over what the daemon sent.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an unknown protocol name or an empty protocol range, `ENOMEM`.
    pub(crate) fn from_startup(startup: &Startup<'_>) -> Result<Self> {
        let head = &startup.head;
        let (flags, signing) = (head.flags, head.signing);
        let lowest = dialect(head.min_protocol.bytes()).unwrap_or(Dialect::V2_1);
        let highest = dialect(head.max_protocol.bytes()).unwrap_or(Dialect::V3_1_1);
        let Some(dialects) = Range::new(lowest, highest) else {
            pr_err!("server min protocol is above server max protocol: correct ksmbd.conf\n");
            return Err(EINVAL);
        };
        let mut interfaces = KVec::new();
        for name in startup.interface_names().take(MAX_INTERFACES) {
            let mut copy = KVec::new();
            copy.extend_from_slice(name, GFP_KERNEL)?;
            interfaces.push(copy, GFP_KERNEL)?;
        }
        let encryption = if flags & global_flag::ENCRYPTION != 0 {
            Encryption::Required
        } else if flags & global_flag::ENCRYPTION_OFF != 0 {
            Encryption::Off
        } else {
            Encryption::Offered
        };
        let kerberos = match { head.extension }.known_features() {
            None => Kerberos::Untold,
            Some(features) if features & daemon_feature::KERBEROS != 0 => Kerberos::Offered,
            Some(_) => Kerberos::Off,
        };
        let io = |value| or_default(value, DEFAULT_IO).clamp(MIN_IO, MAX_IO);
        let credits = or_default(head.max_credits, DEFAULT_CREDITS).clamp(128, 8192);
        let minute_ms = 60_000;
        Ok(Config {
            signing: if signing == setting::MANDATORY {
                SigningPolicy::Required
            } else {
                SigningPolicy::Offered
            },
            encryption,
            kerberos,
            dialects,
            leases: flags & global_flag::LEASES != 0,
            multichannel: flags & global_flag::MULTICHANNEL != 0,
            netbios_name: head.netbios_name,
            workgroup: head.workgroup,
            tcp_port: head.tcp_port,
            ipc_timeout: head.ipc_timeout,
            dead_time_ms: u64::from(head.deadtime).saturating_mul(minute_ms),
            max_open_files: or_default(head.max_open_files, DEFAULT_OPEN_FILES),
            max_write: io(head.max_write),
            max_read: io(head.max_read),
            max_transact: or_default(head.max_transact, DEFAULT_TRANSACT).clamp(MIN_IO, MAX_IO),
            max_credits: u16::try_from(credits).unwrap_or(8192),
            max_connections: or_default(head.max_connections, DEFAULT_CONNECTIONS),
            max_connections_per_address: or_default(
                head.max_connections_per_address,
                DEFAULT_CONNECTIONS,
            ),
            max_sessions_per_connection: or_default(
                head.max_sessions_per_connection,
                DEFAULT_SESSIONS,
            ),
            fake_fscaps: head.fake_fscaps,
            sub_auth: head.sub_auth,
            interfaces,
        })
    }

    /// Whether a server with this configuration listens where one with `other` does.
    pub(crate) fn listens_as(&self, other: &Config) -> bool {
        let mut names = self.interfaces.iter().zip(&other.interfaces);
        self.tcp_port == other.tcp_port
            && self.interfaces.len() == other.interfaces.len()
            && names.all(|(one, another)| one.as_slice() == another.as_slice())
    }

    /// The largest frame that an authenticated client may send, bytes: its payload and room for headers and names.
    pub(crate) fn max_frame(&self) -> usize {
        let payload = self.max_write.max(self.max_transact);
        usize::try_from(payload)
            .unwrap_or(usize::MAX)
            .saturating_add(64 << 10)
    }
}
