// SPDX-License-Identifier: GPL-2.0

//! Shares, tree connects and open files.

pub(crate) mod access;
pub(crate) mod attributes;
pub(crate) mod breaks;
pub(crate) mod count;
pub(crate) mod data;
pub(crate) mod ea;
pub(crate) mod errors;
pub(crate) mod file;
pub(crate) mod inode;
mod links;
pub(crate) mod listing;
pub(crate) mod locks;
pub(crate) mod lookup;
mod name_index;
mod name_table;
pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod opening;
pub(crate) mod oplocks;
pub(crate) mod pipe;
pub(crate) mod security;
pub(crate) mod share;
mod spelling;
pub(crate) mod stream;
pub(crate) mod stream_table;
pub(crate) mod tree;

pub(crate) use count::OpenCount;
pub(crate) use inode::OpenFiles;
pub(crate) use name_index::NameIndexes;
pub(crate) use open::{Object, Open, OpenTable};
pub(crate) use share::{Share, ShareTable};
pub(crate) use stream_table::OpenStreams;
pub(crate) use tree::{Tree, TreeTable};
