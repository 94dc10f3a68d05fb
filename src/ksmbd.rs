// SPDX-License-Identifier: GPL-2.0

//! `ksmbd`: an SMB2/3 file server in the kernel.

#![deny(unsafe_code)]

use kernel::prelude::*;

module! {
    type: Ksmbd,
    name: "ksmbd",
    authors: ["ksmbd developers"],
    description: "SMB2/3 file server",
    license: "GPL",
}

struct Ksmbd;

impl kernel::Module for Ksmbd {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Ksmbd)
    }
}
