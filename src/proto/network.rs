// SPDX-License-Identifier: GPL-2.0

//! NETWORK_INTERFACE_INFO, the answer of FSCTL_QUERY_NETWORK_INTERFACE_INFO: [MS-SMB2] 2.2.32.5.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::entries::{Entries, EntryList};
use crate::layout::{fixed_flags, Fixed};
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// Family of IPv4: not Linux' number by luck only.
const INTERNETWORK: u16 = 0x0002;

/// Family of IPv6.
const INTERNETWORK_V6: u16 = 0x0017;

/// Bytes of SockAddr_Storage.
const STORAGE: usize = 128;

flags! {
    /// Capability of an interface.
    pub struct InterfaceCaps: u32 {
        /// Receive-side scaling: more than one connection is of use.
        RSS = 1;
        /// RDMA.
        RDMA = 2;
    }
}

fixed_flags!(u32: InterfaceCaps);

/// One address of one interface of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Number of the interface.
    pub index: u32,
    /// What it can do.
    pub capabilities: InterfaceCaps,
    /// Bits in a second.
    pub link_speed: u64,
    /// Its address. Port, flow information and scope are written as zero.
    pub address: IpAddr,
}

impl Interface {
    /// Bytes on the wire.
    pub const SIZE: usize = 152;

    /// The interfaces of an answer; an error is the last element.
    pub fn list(bytes: &[u8]) -> impl Iterator<Item = Parsed<Interface>> + '_ {
        Entries::new(bytes, 8).map(|entry| Interface::parse(entry?))
    }

    fn parse(entry: &[u8]) -> Parsed<Interface> {
        let mut r = Reader::new(entry);
        r.skip(4)?;
        let index = r.u32()?;
        let capabilities = InterfaceCaps::take(&mut r)?;
        r.skip(4)?;
        let link_speed = r.u64()?;
        let address = parse_address(&mut r.sub(STORAGE)?)?.ip();
        Ok(Interface {
            index,
            capabilities,
            link_speed,
            address,
        })
    }

    /// Appends the interface to a list that [`list`] began.
    ///
    /// # Errors
    ///
    /// `Full` if it does not fit; the list is then as it was.
    pub fn write(&self, list: &mut EntryList, w: &mut Writer<'_>) -> Written {
        list.add(w, |w| {
            w.u32(self.index)?;
            self.capabilities.put(w)?;
            w.u32(0)?;
            w.u64(self.link_speed)?;
            let storage = w.mark();
            write_address(w, &self.address)?;
            let rest = STORAGE.saturating_sub(w.since(storage));
            w.zeros(rest)
        })
    }
}

/// Starts a list at the end of `w`, for at most `limit` bytes.
pub fn list(w: &Writer<'_>, limit: usize) -> EntryList {
    EntryList::new(w, 8, limit)
}

fn parse_address(r: &mut Reader<'_>) -> Parsed<SocketAddr> {
    match r.u16()? {
        INTERNETWORK => {
            let port = u16::from_be_bytes(r.array()?);
            let address = Ipv4Addr::from(r.array::<4>()?);
            Ok(SocketAddr::V4(SocketAddrV4::new(address, port)))
        }
        INTERNETWORK_V6 => {
            let port = u16::from_be_bytes(r.array()?);
            let flow = u32::from_be_bytes(r.array()?);
            let address = Ipv6Addr::from(r.array::<16>()?);
            Ok(SocketAddr::V6(SocketAddrV6::new(
                address,
                port,
                flow,
                r.u32()?,
            )))
        }
        _ => Err(Malformed),
    }
}

fn write_address(w: &mut Writer<'_>, address: &IpAddr) -> Written {
    match address {
        IpAddr::V4(address) => {
            w.u16(INTERNETWORK)?;
            w.u16(0)?;
            w.bytes(&address.octets())
        }
        IpAddr::V6(address) => {
            w.u16(INTERNETWORK_V6)?;
            w.zeros(6)?;
            w.bytes(&address.octets())
        }
    }
}
