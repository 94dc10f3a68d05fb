// SPDX-License-Identifier: GPL-2.0

//! FSCTL_QUERY_NETWORK_INTERFACE_INFO, [MS-SMB2] 3.3.5.15.11: where else the client may connect to.

use core::net::IpAddr;

use linux::netdev::Interface;
use smb_proto::network::{list, Interface as Entry, InterfaceCaps};
use smb_proto::status::NtStatus;

use crate::server::Config;
use crate::smb2::context::{Context, Handled, Stop};

use super::Control;

/// What is told of a link whose speed is not known, in bits a second.
const UNKNOWN_SPEED: u64 = 1_000_000_000;

/// Lists the addresses that the server listens on.
pub(super) fn interfaces(cx: &Context<'_>, control: &mut Control<'_>) -> Handled {
    if !cx.negotiated()?.dialect.is_3() {
        return Err(Stop::Failed(NtStatus::NOT_SUPPORTED));
    }
    let config = cx.server().config();
    let found = cx.server().interfaces.list();
    let found = found.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    let is_local = cx.conn.local.ip().is_loopback();
    let told = || {
        found
            .iter()
            .filter(|interface| is_told(interface, &config, is_local))
    };
    let count = told().fold(0usize, |sum, one| sum.saturating_add(one.addresses.len()));
    if count == 0 {
        return Err(Stop::Failed(NtStatus::NOT_SUPPORTED));
    }
    let room = count.saturating_mul(Entry::SIZE);
    control.require_output(room)?;
    control.answer(room, |w| {
        let mut entries = list(w, room);
        for interface in told() {
            for address in &interface.addresses {
                entry(interface, *address).write(&mut entries, w)?;
            }
        }
        Ok(())
    })?;
    Ok(NtStatus::SUCCESS)
}

fn entry(interface: &Interface, address: IpAddr) -> Entry {
    Entry {
        index: interface.index,
        capabilities: if interface.multi_queue {
            InterfaceCaps::RSS
        } else {
            InterfaceCaps::NONE
        },
        link_speed: interface.speed.unwrap_or(UNKNOWN_SPEED),
        address,
    }
}

/// Whether clients may know of the interface: those that the server listens on. A loopback interface is of use to
/// clients on this machine only.
fn is_told(interface: &Interface, config: &Config, is_local: bool) -> bool {
    let named = &config.interfaces;
    let is_named = named
        .iter()
        .any(|name| name.as_slice() == interface.name.as_bytes());
    interface.up
        && !interface.bridge_port
        && !interface.slave
        && (named.is_empty() || is_named)
        && (is_local || !interface.loopback)
}
