// SPDX-License-Identifier: GPL-2.0
//! Wire formats.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#[macro_use]
mod macros;
pub mod access;
pub mod der;
pub mod directory;
pub mod entries;
pub mod file_info;
pub mod file_set;
pub mod fs_info;
pub mod layout;
pub mod ntlmssp;
pub mod posix;
pub mod security;
pub mod spnego;
pub mod time;
pub mod unicode;
pub mod status;
pub mod wire;
