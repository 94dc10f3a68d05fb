// SPDX-License-Identifier: GPL-2.0

//! Network interfaces: which there are, and what becomes of them.
//!
//! C header: `include/linux/netdevice.h`.

use crate::netns::NetNs;
use crate::sys;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::pin::Pin;
use core::ptr::NonNull;
use kernel::container_of;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// Longest name with its terminator.
const NAME: usize = sys::IFNAMSIZ as usize;
/// Addresses of one kind that are listed of one interface.
const MAX_ADDRESSES: u32 = 64;

/// The name of an interface.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME],
}

impl Name {
    /// The name in `bytes`, which are at most 15 and hold no zero.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() >= NAME || bytes.contains(&0) {
            return None;
        }
        let mut name = Name { bytes: [0; NAME] };
        for (to, from) in name.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        Some(name)
    }

    /// The name of `dev`.
    ///
    /// # Safety
    ///
    /// `dev` is valid, and cannot be renamed meanwhile.
    unsafe fn of(dev: NonNull<sys::net_device>) -> Self {
        // SAFETY: by the contract of this function; the name is a C string.
        let name = unsafe { CStr::from_char_ptr(sys::ksmbd_netdev_name(dev.as_ptr())) };
        Self::new(name.to_bytes()).unwrap_or(Name { bytes: [0; NAME] })
    }

    /// As bytes, with no terminator.
    pub fn as_bytes(&self) -> &[u8] {
        self.as_cstr().to_bytes()
    }

    /// As a C string.
    pub fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

impl kernel::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or("?"))
    }
}

/// An interface as it was when it was listed.
pub struct Interface {
    /// Its name.
    pub name: Name,
    /// Its number.
    pub index: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it is part of a bridge, which has the addresses then.
    pub bridge_port: bool,
    /// Whether it is part of a bond, a team or a VRF.
    pub slave: bool,
    /// Whether it spreads what it receives over several queues (RSS).
    pub multi_queue: bool,
    /// Speed of its link in bits a second; `None` when not known.
    pub speed: Option<u64>,
    /// Its addresses; those of IPv6 that are not tentative or deprecated.
    pub addresses: KVec<IpAddr>,
}

impl Interface {
    /// Describes `dev`.
    ///
    /// # Safety
    ///
    /// `dev` is valid, and `rtnl` is held.
    unsafe fn of(dev: NonNull<sys::net_device>) -> Result<Self> {
        let raw = dev.as_ptr();
        // SAFETY: by the contract of this function.
        unsafe {
            Ok(Interface {
                name: Name::of(dev),
                index: index(dev),
                up: sys::ksmbd_netdev_is_up(raw),
                loopback: sys::ksmbd_netdev_is_loopback(raw),
                bridge_port: sys::ksmbd_netdev_is_bridge_port(raw),
                slave: sys::ksmbd_netdev_is_slave(raw),
                multi_queue: sys::ksmbd_netdev_tx_queues(raw) > 1,
                speed: speed(dev),
                addresses: addresses(dev)?,
            })
        }
    }
}

/// `rtnl_lock()` held.
struct Rtnl;

impl Rtnl {
    fn lock() -> Self {
        // SAFETY: the caller may sleep. Unlocked by `drop`.
        unsafe { sys::rtnl_lock() };
        Rtnl
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        // SAFETY: locked by `lock`, in this thread: the object is not sent anywhere.
        unsafe { sys::rtnl_unlock() };
    }
}

/// All interfaces of `net`. Not from an [`InterfaceEvents`] callback, which holds the lock that this takes.
///
/// # Errors
///
/// `ENOMEM`.
pub fn interfaces(net: &NetNs) -> Result<KVec<Interface>> {
    let mut list = KVec::new();
    let _rtnl = Rtnl::lock();
    // SAFETY: `net` is valid and `rtnl` is held.
    let mut next = NonNull::new(unsafe { sys::ksmbd_netdev_first_rtnl(net.as_ptr()) });
    while let Some(dev) = next {
        // SAFETY: while `rtnl` is held, devices neither come nor go.
        unsafe {
            list.push(Interface::of(dev)?, GFP_KERNEL)?;
            next = NonNull::new(sys::ksmbd_netdev_next_rtnl(dev.as_ptr()));
        }
    }
    Ok(list)
}

/// The interface `name` of `net`.
///
/// # Errors
///
/// `ENODEV`, `ENOMEM`.
pub fn find(net: &NetNs, name: &CStr) -> Result<Interface> {
    let _rtnl = Rtnl::lock();
    // SAFETY: `net` is valid, `name` a C string, and `rtnl` is held.
    let dev = unsafe { sys::ksmbd_netdev_by_name_rtnl(net.as_ptr(), name.as_char_ptr()) };
    // SAFETY: while `rtnl` is held, devices do not go.
    unsafe { Interface::of(NonNull::new(dev).ok_or(ENODEV)?) }
}

/// The number of the interface `name` of `net`. Takes no lock that callers could hold.
pub fn index_of(net: &NetNs, name: &CStr) -> Option<u32> {
    // SAFETY: `net` is valid and `name` a C string.
    let index = unsafe { sys::ksmbd_netdev_index_by_name(net.as_ptr(), name.as_char_ptr()) };
    u32::try_from(index).ok().filter(|index| *index != 0)
}

/// # Safety
///
/// `dev` is valid.
unsafe fn index(dev: NonNull<sys::net_device>) -> u32 {
    // SAFETY: by the contract of this function.
    u32::try_from(unsafe { sys::ksmbd_netdev_index(dev.as_ptr()) }).unwrap_or(0)
}

/// # Safety
///
/// `dev` is valid, and `rtnl` is held.
unsafe fn speed(dev: NonNull<sys::net_device>) -> Option<u64> {
    // SAFETY: numbers, for which zero is a value.
    let mut settings: sys::ethtool_link_ksettings = unsafe { core::mem::zeroed() };
    // SAFETY: by the contract of this function. It takes a device that has no such operation.
    to_result(unsafe { sys::__ethtool_get_link_ksettings(dev.as_ptr(), &mut settings) }).ok()?;
    // Megabits a second; all ones, and in some drivers zero, when not known.
    match settings.base.speed {
        0 | u32::MAX => None,
        megabits => Some(u64::from(megabits).saturating_mul(1_000_000)),
    }
}

/// # Safety
///
/// `dev` is valid, and `rtnl` is held.
unsafe fn addresses(dev: NonNull<sys::net_device>) -> Result<KVec<IpAddr>> {
    let mut list = KVec::new();
    for nth in 0..MAX_ADDRESSES {
        let mut address = [0; 4];
        // SAFETY: by the contract of this function; `address` has the size of one of IPv4.
        if !unsafe { sys::ksmbd_netdev_address4_rtnl(dev.as_ptr(), nth, address.as_mut_ptr()) } {
            break;
        }
        list.push(Ipv4Addr::from(address).into(), GFP_KERNEL)?;
    }
    for nth in 0..MAX_ADDRESSES {
        let mut address = [0; 16];
        // SAFETY: by the contract of this function; `address` has the size of one of IPv6.
        if !unsafe { sys::ksmbd_netdev_address6_rtnl(dev.as_ptr(), nth, address.as_mut_ptr()) } {
            break;
        }
        list.push(Ipv6Addr::from(address).into(), GFP_KERNEL)?;
    }
    Ok(list)
}

/// What became of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came into being.
    Registered,
    /// It is up.
    Up,
    /// It is down.
    Down,
    /// It is about to vanish.
    Unregistered,
    /// It has a new name.
    Renamed,
}

/// An interface that changed.
#[derive(Clone, Copy)]
pub struct Changed {
    /// What became of it.
    pub change: Change,
    /// Its name.
    pub name: Name,
    /// Its number.
    pub index: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it is part of a bridge.
    pub bridge_port: bool,
    /// Whether it is part of a bond, a team or a VRF.
    pub slave: bool,
}

/// Who wants to know what becomes of interfaces.
pub trait InterfaceEvents: Send + Sync + 'static {
    /// An interface changed. The lock of all interfaces (`rtnl`) is held: it may sleep, but not wait for anybody who lists
    /// interfaces, and not list them itself.
    fn changed(&self, changed: Changed);
}

/// A registration for what becomes of the interfaces of one namespace. What exists at its beginning is reported as
/// [`Change::Registered`], and [`Change::Up`] when it is. Dropping it reports what still exists as
/// [`Change::Down`] and [`Change::Unregistered`], and waits until no callback runs.
#[pin_data(PinnedDrop)]
pub struct Watch {
    #[pin]
    block: Opaque<sys::notifier_block>,
    net: NetNs,
    handler: Arc<dyn InterfaceEvents>,
    registered: bool,
}

// SAFETY: what C reads is changed by C alone, under a lock of its own; the handler is `Send` and `Sync`.
unsafe impl Send for Watch {}
// SAFETY: as above.
unsafe impl Sync for Watch {}

impl Watch {
    /// Reports what becomes of the interfaces of `net` to `handler`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn register<H: InterfaceEvents>(net: &NetNs, handler: Arc<H>) -> Result<Pin<KBox<Self>>> {
        let handler: Arc<dyn InterfaceEvents> = handler;
        let mut this = KBox::pin_init(
            pin_init!(Watch {
                block: Opaque::new(sys::notifier_block {
                    notifier_call: Some(device_event),
                    ..Default::default()
                }),
                net: net.clone(),
                handler,
                registered: false,
            }),
            GFP_KERNEL,
        )?;
        let me = this.as_mut().project();
        // SAFETY: the block is complete, stays where it is, and is unregistered before it is freed.
        to_result(unsafe { sys::register_netdevice_notifier(me.block.get()) })?;
        *me.registered = true;
        Ok(this)
    }
}

#[pinned_drop]
impl PinnedDrop for Watch {
    fn drop(self: Pin<&mut Self>) {
        if self.registered {
            // SAFETY: registered, and at the same place since. Returns when no callback runs.
            unsafe { sys::unregister_netdevice_notifier(self.block.get()) };
        }
    }
}

/// # Safety
///
/// The kernel calls it with the block of a [`Watch`], under `rtnl`.
unsafe extern "C" fn device_event(
    block: *mut sys::notifier_block,
    event: kernel::ffi::c_ulong,
    data: *mut kernel::ffi::c_void,
) -> kernel::ffi::c_int {
    let change = match event {
        sys::KSMBD_NETDEV_REGISTER => Change::Registered,
        sys::KSMBD_NETDEV_UP => Change::Up,
        sys::KSMBD_NETDEV_DOWN => Change::Down,
        sys::KSMBD_NETDEV_UNREGISTER => Change::Unregistered,
        sys::KSMBD_NETDEV_CHANGENAME => Change::Renamed,
        _ => return 0,
    };
    // SAFETY: by the contract of this function; the block cannot be unregistered while this runs.
    let watch =
        unsafe { &*container_of!(block.cast::<Opaque<sys::notifier_block>>(), Watch, block) };
    // SAFETY: the data of all of these events is about a device.
    let Some(dev) = NonNull::new(unsafe { sys::ksmbd_netdev_of_notifier(data) }) else {
        return 0;
    };
    // SAFETY: the device is valid during the call, and `rtnl` is held.
    unsafe {
        if sys::ksmbd_netdev_net(dev.as_ptr()) == watch.net.as_ptr() {
            watch.handler.changed(Changed {
                change,
                name: Name::of(dev),
                index: index(dev),
                up: sys::ksmbd_netdev_is_up(dev.as_ptr()),
                loopback: sys::ksmbd_netdev_is_loopback(dev.as_ptr()),
                bridge_port: sys::ksmbd_netdev_is_bridge_port(dev.as_ptr()),
                slave: sys::ksmbd_netdev_is_slave(dev.as_ptr()),
            });
        }
    }
    // NOTIFY_DONE
    0
}
