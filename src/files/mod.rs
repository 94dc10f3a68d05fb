// SPDX-License-Identifier: GPL-2.0

//! Shares, tree connects and open files.

pub(crate) mod open;
pub(crate) mod share;
pub(crate) mod tree;

pub(crate) use open::{Open, OpenTable};
pub(crate) use share::{Share, ShareTable};
pub(crate) use tree::{Tree, TreeTable};
