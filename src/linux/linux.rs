// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over what the `kernel` crate lacks: the only crate of the module with unsafe code.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod acl;
pub mod address;
mod aead;
pub mod buffer;
mod cbcmac;
mod ccm;
pub mod cipher;
pub mod cred;
#[cfg(CONFIG_KUNIT)]
mod crypto_tests;
pub mod digest;
pub mod dir;
pub mod entries;
pub mod file;
pub mod filelock;
pub mod genetlink;
pub mod hash;
pub mod inode;
mod mount;
pub mod name;
pub mod netdev;
pub mod netns;
pub mod pages;
pub mod path;
pub mod procfs;
pub mod random;
pub mod secret;
mod skcipher;
mod slab;
pub mod socket;
pub mod span;
pub mod stat;
pub mod sys;
pub mod sysfs_class;
pub mod thread;
pub mod time;
pub mod wait;
pub mod workqueue;
pub mod xattr;
