// SPDX-License-Identifier: GPL-2.0

//! What the user may do with a file: the permissions that the kernel grants him, as SMB rights.

use linux::cred::CredScope;
use linux::path::Path;
use linux::stat::Mask as May;
use smb_model::access::{from_posix, Mask, Posix};
use smb_proto::status::NtStatus;

use super::Tree;

/// Everything that the user may do with the file at `path`, as far as the tree connect allows it.
pub(crate) fn maximal(scope: &CredScope<'_>, tree: &Tree, path: &Path) -> Mask {
    let may = |mask| path.may(scope, mask).is_ok();
    let may_remove = || {
        let root = tree.share.directory();
        root.is_some_and(|root| path.may_remove(scope, root).is_ok())
    };
    let is_owner = path.is_owner(scope);
    let posix = Posix {
        read: may(May::READ),
        write: may(May::WRITE),
        execute: may(May::EXECUTE),
        owner: is_owner,
        // Who owns a file holds all rights to it. What its directory has to say is asked when he is about to delete it.
        delete: is_owner || may_remove(),
    };
    from_posix(posix).intersection(tree.maximal_access)
}

/// The rights that an open is granted which asks for `wanted` and needs `implied` besides.
///
/// # Errors
///
/// `STATUS_ACCESS_DENIED` if any of them is not granted.
pub(crate) fn grant(maximal: Mask, wanted: Mask, implied: Mask) -> Result<Mask, NtStatus> {
    let explicit = wanted.without(Mask::MAXIMUM_ALLOWED);
    if !maximal.contains(explicit.union(implied)) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if wanted.contains(Mask::MAXIMUM_ALLOWED) {
        return Ok(maximal);
    }
    Ok(explicit)
}
