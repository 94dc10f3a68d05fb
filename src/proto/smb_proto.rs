// SPDX-License-Identifier: GPL-2.0

//! The wire formats of an SMB2/3 server: SMB2 messages ([MS-SMB2]), what they carry ([MS-FSCC], [MS-DTYP], [MS-NLMP],
//! SPNEGO), and the netlink messages between the module and its daemon.
//!
//! Every message parses and writes, requests as well as replies. Parsers borrow from the message, check every offset
//! and length once, and never panic; writers fill a caller's buffer. Nothing here allocates or does I/O.
//!
//! A parser of an SMB2 message gets one element of a compound chain, header included ([`chain::split`]); a writer
//! appends the body after a header that was written before, and counts offsets from that header.

// Kbuild gives no_std itself.
#![cfg_attr(not(any(test, CONFIG_RUST)), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[macro_use]
mod macros;

pub mod attributes;
pub mod body;
pub mod chain;
pub mod change_notify;
pub mod close;
pub mod compression;
pub mod copy;
pub mod create;
pub mod create_context;
pub mod der;
pub mod directory;
pub mod dos_info;
pub mod ea;
pub mod entries;
pub mod error;
pub mod file_info;
pub mod file_set;
pub mod flush;
pub mod fs_info;
pub mod fsctl;
pub mod header;
pub mod ioctl;
pub mod ipc;
pub mod layout;
pub mod lease;
pub mod lock;
pub mod negotiate;
pub mod negotiate_context;
pub mod network;
pub mod ntlmssp;
pub mod oplock_break;
pub mod posix;
pub mod query_directory;
pub mod query_info;
pub mod read;
pub mod reparse;
pub mod security;
pub mod session_setup;
pub mod set_info;
pub mod sid;
pub mod smb1;
pub mod smb_direct;
pub mod snapshot;
pub mod spnego;
pub mod status;
pub mod time;
pub mod transform;
pub mod tree_connect;
pub mod trivial;
pub mod unicode;
pub mod wire;
pub mod write;
