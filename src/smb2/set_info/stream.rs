// SPDX-License-Identifier: GPL-2.0

//! What is set of a named stream by itself: its size, its name, and whether it is to be deleted, [MS-FSA] 2.1.5.15.

use linux::cred::CredScope;
use smb_model::access::required;
use smb_model::attributes::Attributes;
use smb_model::names::{self, Rules};
use smb_proto::file_set::{RenameFlags, SetFile};
use smb_proto::status::NtStatus;

use crate::files::attributes::FileAttributes;
use crate::files::stream::OpenedStream;

use super::{Halt, Target};
use crate::smb2::text::to_utf8;

/// Sets it.
///
/// # Errors
///
/// `STATUS_NOT_SUPPORTED` for what streams cannot be told.
pub(super) fn set(
    target: &Target<'_>,
    scope: &CredScope<'_>,
    stream: &OpenedStream,
    request: &SetFile<'_>,
) -> Result<(), Halt> {
    match request {
        SetFile::EndOfFile(size) => {
            target.require(required::SET_SIZE)?;
            Ok(stream.set_size(scope, target.tree, *size, target.waker)?)
        }
        SetFile::Allocation(size) => {
            target.require(required::SET_SIZE)?;
            let end = stream.attributes(scope, target.tree)?.end_of_file();
            // Space cannot be reserved in an extended attribute; it is taken when it is written to.
            if *size < end {
                Ok(stream.set_size(scope, target.tree, *size, target.waker)?)
            } else {
                Ok(())
            }
        }
        SetFile::Disposition(delete) => {
            target.require(required::DELETE)?;
            let attributes = FileAttributes::read(scope, target.tree, &stream.base.path)?;
            if *delete && attributes.dos.contains(Attributes::READONLY) {
                return Err(NtStatus::CANNOT_DELETE.into());
            }
            stream.set_deletion(Some(&target.open.tree).filter(|_| *delete));
            Ok(())
        }
        SetFile::Rename(new) => {
            target.require(required::DELETE)?;
            let text = to_utf8(&target.server.buffers, &new.name)?;
            let name = parse(&text)?;
            let replace = new.flags.contains(RenameFlags::REPLACE_IF_EXISTS);
            let server = target.server;
            Ok(stream.rename(server, scope, target.tree, name, replace, target.waker)?)
        }
        _ => Err(NtStatus::NOT_SUPPORTED.into()),
    }
}

/// The stream's name in what a rename of one gives: `:name`, with its type or without, and nothing of the file's.
fn parse(text: &[u8]) -> Result<&str, NtStatus> {
    let text = core::str::from_utf8(text).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    if !text.starts_with(':') {
        // That is to rename the file, which the stream keeps open.
        return Err(NtStatus::SHARING_VIOLATION);
    }
    match names::Path::parse(text, Rules::Windows)?.fork() {
        names::Fork::Stream(name) => Ok(name),
        // To become the data of the file itself is not built.
        _ => Err(NtStatus::NOT_SUPPORTED),
    }
}
