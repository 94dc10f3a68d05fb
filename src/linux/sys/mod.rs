// SPDX-License-Identifier: GPL-2.0

//! Raw bindings: what bindgen makes of `bindings.h`, and the helpers of this folder's C files.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    unused_imports,
    dead_code,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]

include!(concat!(env!("KSMBD_SYS"), "/bindings.rs"));

pub use kernel::bindings::*;
