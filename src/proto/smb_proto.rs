// SPDX-License-Identifier: GPL-2.0
//! Wire formats.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
pub mod status;
pub mod wire;
