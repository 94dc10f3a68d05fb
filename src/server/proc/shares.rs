// SPDX-License-Identifier: GPL-2.0

//! `shares`: the shares that were connected to, as they were fetched from the daemon.

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use linux::procfs::{Key, List};
use smb_proto::ipc::share_flag;

use crate::files::Share;
use crate::server::Server;

use super::place;
use super::text::{Escaped, Flags};

const FLAGS: [(u32, &str); 20] = [
    (share_flag::AVAILABLE, "available"),
    (share_flag::BROWSEABLE, "browseable"),
    (share_flag::WRITEABLE, "writeable"),
    (share_flag::READONLY, "read-only"),
    (share_flag::GUEST_OK, "guest-ok"),
    (share_flag::GUEST_ONLY, "guest-only"),
    (share_flag::STORE_DOS_ATTRIBUTES, "store-dos-attrs"),
    (share_flag::OPLOCKS, "oplocks"),
    (share_flag::PIPE, "pipe"),
    (share_flag::HIDE_DOT_FILES, "hide-dot-files"),
    (share_flag::INHERIT_OWNER, "inherit-owner"),
    (share_flag::STREAMS, "streams"),
    (share_flag::FOLLOW_SYMLINKS, "follow-symlinks"),
    (share_flag::ACL_XATTR, "acl-xattr"),
    (share_flag::UPDATE, "update"),
    (share_flag::CROSS_MOUNT, "crossmnt"),
    (
        share_flag::CONTINUOUS_AVAILABILITY,
        "continuous-availability",
    ),
    (share_flag::HIDE_UNREADABLE, "hide-unreadable"),
    (share_flag::TIME_MACHINE, "time-machine"),
    (share_flag::ENCRYPT_DATA, "encrypt-data"),
];

pub(super) struct Shares(pub(super) Arc<Server>);

impl List for Shares {
    type Entry = Arc<Share>;

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Arc<Share>)>> {
        let [behind, ..] = place(after);
        let found = self.0.shares.after(usize::try_from(behind)?);
        let Some((place, share)) = found else {
            return Ok(None);
        };
        Ok(Some(([u64::try_from(place)?, 0, 0], share)))
    }

    fn show(&self, share: &Arc<Share>, out: &SeqFile) -> Result {
        seq_print!(out, "name:\t{}\n", Escaped(share.name.bytes()));
        let kind = if share.is_pipe() { "pipe" } else { "disk" };
        seq_print!(out, "type:\t{kind}\n");
        seq_print!(out, "tree_connects:\t{}\n", self.users_of(share));
        seq_print!(out, "file_mask:\t{:#o}\n", share.create_mask);
        seq_print!(out, "directory_mask:\t{:#o}\n", share.directory_mask);
        let flags = FLAGS.map(|(bit, name)| (share.flags() & bit != 0, name));
        seq_print!(out, "flags:\t{}\n\n", Flags(&flags));
        Ok(())
    }
}

impl Shares {
    /// Tree connects to a share of this name, also to what it was before it was configured anew.
    fn users_of(&self, share: &Share) -> u32 {
        let mut count = 0u32;
        let mut at = 0;
        while let Some(session) = self.0.sessions.after(at) {
            at = session.id;
            let mut tree_at = 0;
            while let Some(tree) = session.trees.after(tree_at) {
                tree_at = tree.id;
                let is_it = tree
                    .share
                    .name
                    .bytes()
                    .eq_ignore_ascii_case(share.name.bytes());
                count = count.saturating_add(u32::from(is_it));
            }
        }
        count
    }
}
