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
    rights(scope, tree, path, Mask::ALL_FILE)
}

/// Those of the rights `sought` that the user has to the file at `path`, as far as the tree connect allows them. The kernel is
/// asked only for the permissions that decide about one of them.
pub(crate) fn rights(scope: &CredScope<'_>, tree: &Tree, path: &Path, sought: Mask) -> Mask {
    let everybodys = from_posix(Posix::default());
    let sought = sought.intersection(tree.maximal_access);
    let missing = sought.without(everybodys);
    let none = Posix::default();
    let matters = |posix: Posix| from_posix(posix).intersects(missing);
    let may = |posix: Posix, mask| matters(posix) && path.may(scope, mask).is_ok();
    let may_remove = || {
        let root = tree.share.directory();
        root.is_some_and(|root| path.may_remove(scope, root).is_ok())
    };
    let deletes = matters(Posix {
        delete: true,
        ..none
    });
    let is_owner = (deletes
        || matters(Posix {
            owner: true,
            ..none
        }))
        && path.is_owner(scope);
    let posix = Posix {
        read: may(Posix { read: true, ..none }, May::READ),
        write: may(
            Posix {
                write: true,
                ..none
            },
            May::WRITE,
        ),
        execute: may(
            Posix {
                execute: true,
                ..none
            },
            May::EXECUTE,
        ),
        owner: is_owner,
        // Who owns a file holds all rights to it. What its directory has to say is asked when he is about to delete it.
        delete: deletes && (is_owner || may_remove()),
    };
    from_posix(posix).intersection(sought)
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
