// SPDX-License-Identifier: GPL-2.0

//! `hosts allow` and `hosts deny`: lists of addresses, with exceptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::value::{self, Expected, Value};

/// The addresses with a common beginning. IPv4 addresses are kept as IPv4-mapped IPv6 ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    network: u128,
    mask: u128,
}

impl Block {
    fn new(address: IpAddr, bits: u32) -> Option<Self> {
        let (offset, most) = match address {
            IpAddr::V4(_) => (96, 32),
            IpAddr::V6(_) => (0, 128),
        };
        if bits > most {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - (bits + offset)).unwrap_or(0);
        Some(Block {
            network: number(address) & mask,
            mask,
        })
    }

    fn contains(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.network
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A list of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList {
    blocks: Vec<Block>,
    except: Vec<Block>,
}

impl HostList {
    /// Reads a list: `ALL`, an address, `address/bits`, `address/netmask`, the beginning of an IPv4 address that ends with a dot;
    /// what follows `EXCEPT` is taken out again.
    ///
    /// # Errors
    ///
    /// If a part is none of these.
    pub fn parse(text: &str) -> Value<Self> {
        let mut list = HostList::default();
        let mut except = false;
        for part in value::list(text)? {
            if part.eq_ignore_ascii_case("except") {
                except = true;
                continue;
            }
            let blocks = parse_part(&part).ok_or_else(|| {
                Expected(format!("an address, a network or ALL in place of `{part}`"))
            })?;
            if except {
                &mut list.except
            } else {
                &mut list.blocks
            }
            .extend(blocks);
        }
        Ok(list)
    }

    /// Whether `address` is in the list.
    pub fn contains(&self, address: IpAddr) -> bool {
        let within = |blocks: &[Block]| blocks.iter().any(|block| block.contains(address));
        within(&self.blocks) && !within(&self.except)
    }
}

fn parse_part(part: &str) -> Option<Vec<Block>> {
    if part.eq_ignore_ascii_case("all") {
        return Some(vec![Block {
            network: 0,
            mask: 0,
        }]);
    }
    if part.eq_ignore_ascii_case("localhost") {
        return Some(vec![
            Block::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8)?,
            Block::new(Ipv6Addr::LOCALHOST.into(), 128)?,
        ]);
    }
    if let Some((address, length)) = part.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let bits = match length.parse::<Ipv4Addr>() {
            Ok(mask) => prefix_length(mask)?,
            Err(_) => length.parse().ok()?,
        };
        return Some(vec![Block::new(address, bits)?]);
    }
    if let Some(start) = part.strip_suffix('.') {
        return Some(vec![prefix(start)?]);
    }
    let address: IpAddr = part.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    Some(vec![Block::new(address, bits)?])
}

/// Number of leading ones, if only zeros follow.
fn prefix_length(mask: Ipv4Addr) -> Option<u32> {
    let bits = mask.to_bits();
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == u32::MAX)
        .then(|| bits.leading_ones())
}

/// `192.168` of `192.168.`.
fn prefix(start: &str) -> Option<Block> {
    let mut octets = [0u8; 4];
    let mut count = 0;
    for (octet, text) in octets.iter_mut().zip(start.split('.')) {
        *octet = text.parse().ok()?;
        count += 1;
    }
    if start.split('.').count() > 3 {
        return None;
    }
    Block::new(IpAddr::from(octets), count * 8)
}

/// Whether a client at `address` may connect. As in Samba: with only an allow list, those on it; with only a deny list, those
/// not on it; with both, the allow list counts first.
pub fn admits(allow: Option<&HostList>, deny: Option<&HostList>, address: IpAddr) -> bool {
    match (allow, deny) {
        (None, None) => true,
        (Some(allow), None) => allow.contains(address),
        (None, Some(deny)) => !deny.contains(address),
        (Some(allow), Some(deny)) => allow.contains(address) || !deny.contains(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn blocks() {
        let list = HostList::parse(
            "10.0.0.0/8, 192.168. 172.16.0.0/255.240.0.0 fe80::/10 1.2.3.4 EXCEPT 10.1.1.1",
        )
        .unwrap();
        for inside in [
            "10.2.3.4",
            "192.168.7.7",
            "172.31.255.255",
            "fe80::1",
            "1.2.3.4",
            "::ffff:10.2.3.4",
        ] {
            assert!(list.contains(ip(inside)), "{inside}");
        }
        for outside in [
            "11.0.0.1",
            "192.169.0.1",
            "172.32.0.1",
            "fec0::1",
            "1.2.3.5",
            "10.1.1.1",
        ] {
            assert!(!list.contains(ip(outside)), "{outside}");
        }
        assert!(HostList::parse("ALL").unwrap().contains(ip("::2")));
        assert!(HostList::parse("localhost")
            .unwrap()
            .contains(ip("127.3.4.5")));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            "example.org",
            "1.2.3.4/33",
            "1.2.3.4.",
            "1.2.3.4/255.0.255.0",
            "::/129",
            "300.1.",
        ] {
            assert!(HostList::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn allow_counts_before_deny() {
        let allow = HostList::parse("10.0.0.0/8").unwrap();
        let deny = HostList::parse("ALL").unwrap();
        assert!(admits(Some(&allow), Some(&deny), ip("10.1.1.1")));
        assert!(!admits(Some(&allow), Some(&deny), ip("11.1.1.1")));
        assert!(!admits(Some(&allow), None, ip("11.1.1.1")));
        assert!(!admits(None, Some(&deny), ip("10.1.1.1")));
        assert!(admits(None, None, ip("10.1.1.1")));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "\\PC*") {
            let _ = HostList::parse(&text);
        }

        #[test]
        fn a_block_holds_its_address(bits: u32, length in 0u32..=32) {
            let address = Ipv4Addr::from_bits(bits);
            let list = HostList::parse(&format!("{address}/{length}")).unwrap();
            prop_assert!(list.contains(address.into()));
        }
    }
}
