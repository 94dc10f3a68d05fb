// SPDX-License-Identifier: GPL-2.0

//! What an errno of the VFS means to a client, where the operation itself does not give it a meaning of its own.

use kernel::prelude::*;

use smb_proto::status::NtStatus;

/// The status for an error of an operation on an existing file.
pub(crate) fn status_of(error: Error) -> NtStatus {
    match error {
        e if e == ENOENT => NtStatus::OBJECT_NAME_NOT_FOUND,
        e if e == EACCES || e == EPERM => NtStatus::ACCESS_DENIED,
        e if e == EROFS => NtStatus::MEDIA_WRITE_PROTECTED,
        e if e == EEXIST => NtStatus::OBJECT_NAME_COLLISION,
        e if e == ENOTDIR => NtStatus::NOT_A_DIRECTORY,
        e if e == EISDIR => NtStatus::FILE_IS_A_DIRECTORY,
        e if e == ENOTEMPTY => NtStatus::DIRECTORY_NOT_EMPTY,
        e if e == ENOSPC || e == EDQUOT => NtStatus::DISK_FULL,
        e if e == EFBIG => NtStatus::DISK_FULL,
        e if e == EXDEV => NtStatus::NOT_SAME_DEVICE,
        e if e == ENOMEM => NtStatus::INSUFFICIENT_RESOURCES,
        e if e == ENFILE || e == EMFILE => NtStatus::TOO_MANY_OPENED_FILES,
        e if e == ENAMETOOLONG => NtStatus::OBJECT_NAME_INVALID,
        e if e == EINVAL => NtStatus::INVALID_PARAMETER,
        e if e == EOPNOTSUPP => NtStatus::NOT_SUPPORTED,
        e if e == EBUSY || e == ETXTBSY => NtStatus::SHARING_VIOLATION,
        e if e == EMLINK => NtStatus::TOO_MANY_LINKS,
        e if e == ELOOP => NtStatus::OBJECT_NAME_NOT_FOUND,
        e if e == EIO => NtStatus::UNEXPECTED_IO_ERROR,
        e if e == ESTALE => NtStatus::FILE_CLOSED,
        _ => NtStatus::UNEXPECTED_IO_ERROR,
    }
}
