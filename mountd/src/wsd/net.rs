// SPDX-License-Identifier: GPL-2.0

//! The network of discovery: one set of sockets for each address, and word of addresses that come and go.
//!
//! SOAP over UDP goes to 239.255.255.250 and ff02::c, port 3702 (WS-Discovery 2.4); what is sent does not leave the link.

use std::collections::HashSet;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket,
};

use netlink_sys::protocols::NETLINK_ROUTE;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{if_nametoindex, InterfaceFlags};
use socket2::{Domain, Protocol, Socket, Type};

/// Port of discovery.
pub const DISCOVERY_PORT: u16 = 3702;
/// Port of the description, registered for it with IANA.
pub const HTTP_PORT: u16 = 5357;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
/// Connections that wait to be taken.
const BACKLOG: i32 = 16;
/// Changes of interfaces and of their addresses, from rtnetlink(7): `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const CHANGES: u32 = 0x1 | 0x10 | 0x100;

/// An address that this computer is to be found at.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Address {
    /// Number of the interface.
    pub interface: u32,
    /// The address.
    pub ip: IpAddr,
}

impl Address {
    /// A socket address of it; that of a link has the link's number with it.
    fn socket(self, port: u16) -> SocketAddr {
        at(self.ip, port, self.interface)
    }

    fn group(self) -> SocketAddr {
        match self.ip {
            IpAddr::V4(_) => at(GROUP_V4.into(), DISCOVERY_PORT, 0),
            IpAddr::V6(_) => at(GROUP_V6.into(), DISCOVERY_PORT, self.interface),
        }
    }

    /// Where the description can be asked for.
    pub fn url(self, path: &str) -> String {
        match self.ip {
            IpAddr::V4(ip) => format!("http://{ip}:{HTTP_PORT}{path}"),
            IpAddr::V6(ip) => format!("http://[{ip}]:{HTTP_PORT}{path}"),
        }
    }
}

fn at(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(ip) => SocketAddrV4::new(ip, port).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
    }
}

/// The addresses to be found at: of interfaces that are up, reach others and can multicast, and are named if `only` names any.
/// Of IPv6, the addresses of the link: whoever hears this computer is on it.
///
/// # Errors
///
/// Those of asking the kernel.
pub fn addresses(only: Option<&[String]>) -> io::Result<HashSet<Address>> {
    let mut found = HashSet::new();
    for entry in getifaddrs()? {
        let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
        let is_usable = entry.flags.contains(wanted)
            && !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)
            && only.is_none_or(|names| names.contains(&entry.interface_name));
        let Some(address) = entry.address.filter(|_| is_usable) else {
            continue;
        };
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = address
            .as_sockaddr_in6()
            .map(|v6| v6.ip())
            .filter(Ipv6Addr::is_unicast_link_local)
            .map(IpAddr::V6);
        // An interface may be gone again.
        let interface = if_nametoindex(entry.interface_name.as_str());
        if let (Some(ip), Ok(interface)) = (v4.or(v6), interface) {
            found.insert(Address { interface, ip });
        }
    }
    Ok(found)
}

/// The sockets of one address. None of them blocks.
#[derive(Debug)]
pub struct Sockets {
    /// What comes to the group.
    pub group: UdpSocket,
    /// What comes to the address itself; everything is sent from here.
    pub own: UdpSocket,
    /// Those who ask for the description.
    pub http: TcpListener,
    to_group: SocketAddr,
}

impl Sockets {
    /// Opens the sockets of an address.
    ///
    /// # Errors
    ///
    /// Those of the sockets: [`io::ErrorKind::AddrInUse`] if another program does discovery here.
    pub fn open(address: Address) -> io::Result<Self> {
        Ok(Sockets {
            http: http(address)?,
            group: group(address)?,
            own: own(address)?,
            to_group: address.group(),
        })
    }

    /// Sends to one, or to everybody on the link.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send(&self, text: &str, to: Option<SocketAddr>) -> io::Result<()> {
        let to = to.unwrap_or(self.to_group);
        self.own.send_to(text.as_bytes(), to).map(drop)
    }
}

fn udp(address: Address) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address.socket(0)),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    // Others on this computer may look for computers.
    socket.set_reuse_address(true)?;
    if address.ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn group(address: Address) -> io::Result<UdpSocket> {
    let socket = udp(address)?;
    match address.ip {
        IpAddr::V4(ip) => {
            // Else what comes in by other interfaces would be heard here, too.
            socket.set_multicast_all_v4(false)?;
            socket.bind(&address.group().into())?;
            socket.join_multicast_v4(&GROUP_V4, &ip)?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_all_v6(false)?;
            socket.bind(&address.group().into())?;
            socket.join_multicast_v6(&GROUP_V6, address.interface)?;
        }
    }
    Ok(socket.into())
}

fn own(address: Address) -> io::Result<UdpSocket> {
    let socket = udp(address)?;
    match address.ip {
        IpAddr::V4(ip) => {
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.set_ttl_v4(1)?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_if_v6(address.interface)?;
            socket.set_multicast_hops_v6(1)?;
            socket.set_unicast_hops_v6(1)?;
        }
    }
    socket.bind(&address.socket(DISCOVERY_PORT).into())?;
    Ok(socket.into())
}

fn http(address: Address) -> io::Result<TcpListener> {
    let to = address.socket(HTTP_PORT);
    let socket = Socket::new(
        Domain::for_address(to),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    // A server that was here before may have left connections that are still closing.
    socket.set_reuse_address(true)?;
    socket.bind(&to.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket that can be read when interfaces or addresses changed.
///
/// # Errors
///
/// Those of the socket.
pub fn changes() -> io::Result<netlink_sys::Socket> {
    let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE)?;
    socket.bind(&netlink_sys::SocketAddr::new(0, CHANGES))?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_urls() {
        let url = |ip: &str| {
            let ip = ip.parse().unwrap();
            Address { interface: 2, ip }.url("/x")
        };
        assert_eq!(url("192.0.2.1"), "http://192.0.2.1:5357/x");
        assert_eq!(url("fe80::1"), "http://[fe80::1]:5357/x");
    }

    #[test]
    fn the_loop_is_not_the_network() {
        let is_loop = |address: &Address| address.ip.is_loopback();
        assert!(!addresses(None).unwrap().iter().any(is_loop));
        assert!(addresses(Some(&[])).unwrap().is_empty());
    }
}
