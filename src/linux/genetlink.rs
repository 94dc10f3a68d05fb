// SPDX-License-Identifier: GPL-2.0

//! A generic netlink family whose messages each carry one attribute, of the type that the command has.
//!
//! C headers: `include/net/genetlink.h`, `include/linux/netlink.h`.

use crate::netns::NetNs;
use crate::sys;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use kernel::container_of;
use kernel::error::{from_result, to_result};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;
use kernel::ThisModule;

/// Bytes of an attribute's length field that are its own header.
const ATTRIBUTE_HEADER: usize = 4;
/// The most that an attribute, whose length is 16 bits wide, can carry.
pub const MAX_PAYLOAD: usize = 0xffff - ATTRIBUTE_HEADER;

/// Who sent a message.
#[derive(Clone)]
pub struct Sender {
    /// Netlink port of the sender's socket.
    pub portid: u32,
    /// Its network namespace.
    pub net: NetNs,
}

/// What is done with messages. The kernel hands over one at a time.
pub trait Handler: Send + Sync + 'static {
    /// Whether user space may send `cmd`. Asked once for each command, when the family is registered.
    fn accepts(&self, cmd: u8) -> bool;

    /// A message came, from a process with `CAP_NET_ADMIN`. Runs in that process, which gets the error.
    fn message(&self, sender: Sender, cmd: u8, payload: &[u8]) -> Result;

    /// A generic netlink socket was closed, perhaps one that never sent anything here.
    fn released(&self, sender: Sender);
}

/// A registered family. The kernel refuses its messages once it is dropped, and its handler runs no more. It must not be
/// dropped by its handler, which would wait for itself.
#[pin_data(PinnedDrop)]
pub struct Family {
    #[pin]
    family: Opaque<sys::genl_family>,
    #[pin]
    notifier: Opaque<sys::notifier_block>,
    /// Referred to by `family`, like `policy`.
    ops: KVec<sys::genl_small_ops>,
    policy: KVec<sys::nla_policy>,
    handler: Arc<dyn Handler>,
    /// How much of it the kernel knows.
    registered: Registered,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Registered {
    No,
    Family,
    FamilyAndNotifier,
}

// SAFETY: what C reads does not change after registration; the handler is `Send` and `Sync`.
unsafe impl Send for Family {}
// SAFETY: as above.
unsafe impl Sync for Family {}

impl Family {
    /// Registers the family `name` in all network namespaces. Commands are 1 to `maxattr`.
    ///
    /// # Errors
    ///
    /// `EEXIST` when a family of this name exists, `EINVAL` for a name longer than 15 bytes, `ENOMEM`.
    pub fn register<H: Handler>(
        module: &'static ThisModule,
        name: &CStr,
        version: u32,
        maxattr: u8,
        handler: Arc<H>,
    ) -> Result<Arc<Self>> {
        let handler: Arc<dyn Handler> = handler;
        let mut ops = KVec::new();
        let mut policy = KVec::new();
        for cmd in 0..=maxattr {
            policy.push(any_bytes(), GFP_KERNEL)?;
            if cmd != 0 && handler.accepts(cmd) {
                ops.push(operation(cmd), GFP_KERNEL)?;
            }
        }
        let mut family = sys::genl_family {
            version,
            maxattr: maxattr.into(),
            ..pin_init::zeroed()
        };
        copy_name(&mut family.name, name)?;
        family.set_netnsok(1);
        family.module = module.as_ptr();
        // Older commands than this are parsed leniently: all of ours are of the same age.
        family.resv_start_op = maxattr.checked_add(1).ok_or(EINVAL)?;
        family.n_small_ops = u8::try_from(ops.len())?;

        let mut this = kernel::sync::UniqueArc::pin_init(
            pin_init!(Family {
                family: Opaque::new(family),
                notifier: Opaque::new(sys::notifier_block {
                    notifier_call: Some(netlink_event),
                    ..Default::default()
                }),
                ops,
                policy,
                handler,
                registered: Registered::No,
            }),
            GFP_KERNEL,
        )?;
        let me = this.as_mut().project();
        // SAFETY: not registered yet, so nobody else knows it. What it refers to lives as long as it does.
        unsafe {
            (*me.family.get()).small_ops = me.ops.as_ptr();
            (*me.family.get()).policy = me.policy.as_ptr();
        }
        // SAFETY: the family is complete, stays where it is, and is unregistered before it is freed.
        to_result(unsafe { sys::genl_register_family(me.family.get()) })?;
        *me.registered = Registered::Family;
        // SAFETY: as above.
        to_result(unsafe { sys::netlink_register_notifier(me.notifier.get()) })?;
        *me.registered = Registered::FamilyAndNotifier;
        Ok(this.into())
    }

    /// Sends `cmd` to a socket of the initial network namespace; its attribute holds all of `parts` in their order.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when the parts are more than [`MAX_PAYLOAD`], `ENOMEM`, `ECONNREFUSED` when there is no such socket,
    /// `EAGAIN` when it has no room.
    pub fn unicast(&self, portid: u32, cmd: u8, parts: &[&[u8]]) -> Result {
        self.unicast_in(&NetNs::initial(), portid, cmd, parts)
    }

    /// As [`Self::unicast`], to a socket of `net`.
    pub fn unicast_in(&self, net: &NetNs, portid: u32, cmd: u8, parts: &[&[u8]]) -> Result {
        let message = self.build(cmd, parts)?;
        // SAFETY: both are valid; the message is given away.
        to_result(unsafe { sys::ksmbd_genl_unicast(net.as_ptr(), message.into_raw(), portid) })
    }

    fn build(&self, cmd: u8, parts: &[&[u8]]) -> Result<Message> {
        let mut len = 0_usize;
        for part in parts {
            len = len.checked_add(part.len()).ok_or(EMSGSIZE)?;
        }
        if len > MAX_PAYLOAD {
            return Err(EMSGSIZE);
        }
        // The attribute's header, and padding to 4 bytes.
        let message = Message::new(len.saturating_add(2 * ATTRIBUTE_HEADER))?;
        // SAFETY: the message is valid, the family registered.
        let head = unsafe { sys::genlmsg_put(message.as_ptr(), 0, 0, self.family.get(), 0, cmd) };
        let head = NonNull::new(head).ok_or(EMSGSIZE)?;
        // SAFETY: the message is valid.
        let attribute =
            unsafe { sys::nla_reserve(message.as_ptr(), cmd.into(), i32::try_from(len)?) };
        let attribute = NonNull::new(attribute).ok_or(EMSGSIZE)?;
        // SAFETY: the attribute was just reserved.
        let mut at = unsafe { sys::ksmbd_nla_data(attribute.as_ptr()) }.cast::<u8>();
        for part in parts {
            // SAFETY: the attribute has room for all parts together, and is no part of any of them.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
                at = at.add(part.len());
            }
        }
        // SAFETY: `head` is what `genlmsg_put` returned for this message.
        unsafe { sys::genlmsg_end(message.as_ptr(), head.as_ptr()) };
        Ok(message)
    }

    /// A message came in.
    ///
    /// # Safety
    ///
    /// `info` is what the kernel gives a `doit` of this family.
    unsafe fn receive(&self, info: *mut sys::genl_info) -> Result {
        // SAFETY: by the contract of this function; `genlhdr` is set for a `doit`.
        let cmd = unsafe { sys::ksmbd_genl_cmd(info) };
        // SAFETY: by the contract of this function. Only commands up to `maxattr` have an operation, and the attributes were
        // parsed into an array that is as large as `maxattr` says.
        let attribute = unsafe { sys::ksmbd_genl_attribute(info, cmd.into()) };
        let attribute = NonNull::new(attribute).ok_or(EINVAL)?;
        // SAFETY: the parser checked that the attribute lies within the message, which stays until we return, and that nobody
        // writes while we read.
        let payload = unsafe {
            let len = usize::try_from(sys::ksmbd_nla_len(attribute.as_ptr())).unwrap_or(0);
            core::slice::from_raw_parts(sys::ksmbd_nla_data(attribute.as_ptr()).cast::<u8>(), len)
        };
        // SAFETY: by the contract of this function; the message keeps its namespace alive.
        let sender = unsafe {
            let net = NonNull::new(sys::ksmbd_genl_net(info)).ok_or(EINVAL)?;
            Sender {
                portid: (*info).snd_portid,
                net: NetNs::from_raw(net),
            }
        };
        self.handler.message(sender, cmd, payload)
    }
}

#[pinned_drop]
impl PinnedDrop for Family {
    fn drop(self: Pin<&mut Self>) {
        if self.registered == Registered::FamilyAndNotifier {
            // SAFETY: registered, and at the same place since. Returns when no call of it runs.
            unsafe { sys::netlink_unregister_notifier(self.notifier.get()) };
        }
        if self.registered != Registered::No {
            // SAFETY: as above.
            unsafe { sys::genl_unregister_family(self.family.get()) };
        }
    }
}

/// A message under construction.
///
/// # Invariants
///
/// `buffer` is valid and owned.
struct Message {
    buffer: NonNull<sys::sk_buff>,
}

impl Message {
    fn new(payload: usize) -> Result<Self> {
        // SAFETY: any size may be asked for.
        let buffer = unsafe { sys::genlmsg_new(payload, sys::GFP_KERNEL) };
        // INVARIANT: not null, so it is a new buffer.
        Ok(Message {
            buffer: NonNull::new(buffer).ok_or(ENOMEM)?,
        })
    }

    fn as_ptr(&self) -> *mut sys::sk_buff {
        self.buffer.as_ptr()
    }

    fn into_raw(self) -> *mut sys::sk_buff {
        core::mem::ManuallyDrop::new(self).as_ptr()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: owned by the invariant.
        unsafe { sys::nlmsg_free(self.buffer.as_ptr()) };
    }
}

/// Lengths depend on each command's struct, and are checked by the handler.
fn any_bytes() -> sys::nla_policy {
    sys::nla_policy {
        type_: sys::NLA_BINARY as u8,
        ..pin_init::zeroed()
    }
}

fn operation(cmd: u8) -> sys::genl_small_ops {
    sys::genl_small_ops {
        doit: Some(message_came),
        cmd,
        flags: sys::GENL_ADMIN_PERM as u8,
        ..Default::default()
    }
}

fn copy_name<const N: usize>(to: &mut [kernel::ffi::c_char; N], name: &CStr) -> Result {
    let name = name.to_bytes_with_nul();
    if name.len() > N {
        return Err(EINVAL);
    }
    for (to, byte) in to.iter_mut().zip(name) {
        *to = *byte;
    }
    Ok(())
}

/// # Safety
///
/// The kernel calls it as a `doit` of a family that is part of a [`Family`].
unsafe extern "C" fn message_came(
    _message: *mut sys::sk_buff,
    info: *mut sys::genl_info,
) -> kernel::ffi::c_int {
    // SAFETY: by the contract of this function. The family cannot be unregistered, and so not be dropped, while this runs.
    let family = unsafe {
        &*container_of!(
            (*info).family.cast::<Opaque<sys::genl_family>>(),
            Family,
            family
        )
    };
    from_result(|| {
        // SAFETY: `info` is the kernel's.
        unsafe { family.receive(info) }.map(|()| 0)
    })
}

/// # Safety
///
/// The kernel calls it as netlink's notifier with the block of a [`Family`].
unsafe extern "C" fn netlink_event(
    block: *mut sys::notifier_block,
    event: kernel::ffi::c_ulong,
    data: *mut kernel::ffi::c_void,
) -> kernel::ffi::c_int {
    if event == sys::NETLINK_URELEASE as kernel::ffi::c_ulong {
        // SAFETY: by the contract of this function; the block cannot be unregistered while this runs.
        let family = unsafe {
            &*container_of!(
                block.cast::<Opaque<sys::notifier_block>>(),
                Family,
                notifier
            )
        };
        // SAFETY: the data of this event.
        let closed = unsafe { *data.cast::<sys::netlink_notify>() };
        if closed.protocol == sys::NETLINK_GENERIC as i32 {
            if let Some(net) = NonNull::new(closed.net) {
                // SAFETY: the closing socket still keeps its namespace alive.
                let net = unsafe { NetNs::from_raw(net) };
                family.handler.released(Sender {
                    portid: closed.portid,
                    net,
                });
            }
        }
    }
    // NOTIFY_DONE
    0
}
