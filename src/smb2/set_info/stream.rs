// SPDX-License-Identifier: GPL-2.0

//! What is set of a named stream by itself: its size and whether it is to be deleted, [MS-FSA] 2.1.5.15.

use linux::cred::CredScope;
use smb_model::access::required;
use smb_model::attributes::Attributes;
use smb_proto::file_set::SetFile;
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::stream::OpenedStream;

use super::Target;

/// Sets it.
///
/// # Errors
///
/// `STATUS_NOT_SUPPORTED` for what streams cannot be told yet, renames among it.
pub(super) fn set(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    stream: &OpenedStream,
    request: &SetFile<'_>,
) -> Result<(), NtStatus> {
    match request {
        SetFile::EndOfFile(size) => {
            target.require(required::SET_SIZE)?;
            stream.set_size(scope, *size)
        }
        SetFile::Allocation(size) => {
            target.require(required::SET_SIZE)?;
            let end = stream.attributes(scope, target.tree)?.end_of_file();
            // Space cannot be reserved in an extended attribute; it is taken when it is written to.
            if *size < end {
                stream.set_size(scope, *size)
            } else {
                Ok(())
            }
        }
        SetFile::Disposition(delete) => {
            target.require(required::DELETE)?;
            let attributes = FileAttributes::read(scope, target.tree, &stream.base.path)?;
            if *delete && attributes.dos.contains(Attributes::READONLY) {
                return Err(NtStatus::CANNOT_DELETE);
            }
            stream.set_delete_pending(*delete);
            Ok(())
        }
        _ => Err(NtStatus::NOT_SUPPORTED),
    }
}
