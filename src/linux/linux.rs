// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over what the `kernel` crate lacks: the only crate of the module with unsafe code.


#![deny(unsafe_op_in_unsafe_fn)]

pub mod sys;
