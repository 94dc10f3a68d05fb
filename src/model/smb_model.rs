// SPDX-License-Identifier: GPL-2.0

//! SMB semantics without I/O: what a request means for the state of a connection, an open or a file.
//!
//! Pure functions and small state machines over storage of the caller: nothing here allocates, waits, or knows the
//! kernel. Whoever calls holds the lock that guards the state he passes in.
//!
//! Documents: [MS-SMB2] for the protocol, [MS-FSA] for what an object store does, [MS-FSCC] for names and attributes,
//! [MS-DTYP] for access checks.

// Kbuild gives no_std itself.
#![cfg_attr(not(any(test, CONFIG_RUST)), no_std)]
#![forbid(unsafe_code)]

pub mod access;
pub mod attributes;
pub mod create;
pub mod credits;
pub mod descriptor;
pub mod durable;
pub mod kdf;
pub mod lease;
pub mod locks;
pub mod names;
pub mod negotiate;
pub mod ntlmv2;
pub mod oplock;
pub mod primitives;
#[cfg(test)]
mod rust_crypto;
pub mod share_mode;
pub mod signing;
pub mod sought;
#[cfg(any(test, CONFIG_KUNIT))]
pub mod vectors;
pub mod wildcard;
