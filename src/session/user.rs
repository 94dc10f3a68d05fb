// SPDX-License-Identifier: GPL-2.0

//! Who is logged in to a session.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::cred::UserCred;

use crate::ipc::calls::{self, Account};
use crate::server::Server;

/// An authenticated user, or a guest.
pub(crate) struct User {
    pub(crate) account: Account,
    /// The credentials that its file operations run under.
    pub(crate) cred: Arc<UserCred>,
    /// Whether the user is served as the guest account without having proven anything.
    pub(crate) is_guest: bool,
    /// Whether the user logged in without a name.
    pub(crate) is_anonymous: bool,
}

impl User {
    /// The user of `account`.
    pub(crate) fn new(account: Account, is_guest: bool, is_anonymous: bool) -> Result<Arc<Self>> {
        let cred = Arc::new(
            UserCred::new(account.uid, account.gid, &account.groups)?,
            GFP_KERNEL,
        )?;
        Ok(Arc::new(
            User {
                account,
                cred,
                is_guest,
                is_anonymous,
            },
            GFP_KERNEL,
        )?)
    }

    /// Whether both are the same account.
    pub(crate) fn is_same(&self, other: &User) -> bool {
        self.account.name == other.account.name && self.is_anonymous == other.is_anonymous
    }

    /// Tells the daemon that a session of the user ended.
    pub(crate) fn log_out(&self, server: &Server) {
        calls::logout(&server.link, &self.account, false);
    }
}
