// SPDX-License-Identifier: GPL-2.0

//! The link to `ksmbd.mountd`: requests over generic netlink, and what the daemon says of its own accord.

pub(crate) mod calls;
pub(crate) mod daemon;
pub(crate) mod link;
pub(crate) mod spnego;

pub(crate) use link::Link;
