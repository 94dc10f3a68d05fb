// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.mountd`: answers the kernel module's questions about users, shares and tree connects, and does its DCE/RPC.
//!
//! The program is two processes. The [`manager`] holds the lock file, passes signals on and starts a new [`worker`] when one dies;
//! the worker speaks with the module over [`link`] and holds everything that a broken message could harm.

pub mod answer;
pub mod discovery;
pub mod dispatch;
pub mod kerberos;
pub mod link;
pub mod list;
pub mod manager;
pub mod notify;
pub mod rpc;
pub mod spnego;
pub mod startup;
pub mod state;
pub mod worker;
pub mod wsd;
