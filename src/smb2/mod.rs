// SPDX-License-Identifier: GPL-2.0

//! The commands, one file each, and the life of a frame around them.
//!
//! `chain` opens, splits, signs and sends; `dispatch` says what each command needs; a command's `serve` gets typed views
//! and a [`reply::Reply`], and returns a status.

pub(crate) mod chain;
pub(crate) mod context;
mod dispatch;
pub(crate) mod job;
pub(crate) mod reply;
pub(crate) mod wait;

mod cancel;
mod change_notify;
mod close;
mod create;
mod echo;
mod flush;
mod ioctl;
mod lock;
mod logoff;
mod negotiate;
mod oplock_break;
mod query_directory;
mod query_info;
mod read;
pub(crate) mod session_setup;
mod set_info;
mod telling;
mod text;
mod tree_connect;
mod tree_disconnect;
mod write;
