// SPDX-License-Identifier: GPL-2.0

//! What QUERY_INFO tells of a named pipe, [MS-FSCC] 2.4.

use smb_proto::file_info::{FileInfoClass, InternalInfo, PipeInfo, PipeLocalInfo, StandardInfo};
use smb_proto::status::NtStatus;

use crate::files::pipe::OpenedPipe;
use crate::smb2::context::Handled;

use super::Room;

/// Bytes that either direction of a pipe is said to hold.
const QUOTA: u32 = 4_096;

/// Answers with information of `class`.
pub(super) fn answer(_pipe: &OpenedPipe, class: FileInfoClass, room: &mut Room<'_>) -> Handled {
    let least = class.min_query().ok_or(NtStatus::INVALID_INFO_CLASS)?;
    room.require(least)?;
    match class {
        FileInfoClass::STANDARD => {
            let info = StandardInfo {
                allocation_size: u64::from(QUOTA),
                end_of_file: 0,
                links: 1,
                // A pipe lives as long as its handle ([MS-FSCC] 2.4.41).
                delete_pending: true,
                directory: false,
            };
            room.write(least, |w, _| info.write(w).map(|()| true))
        }
        FileInfoClass::INTERNAL => room.write(least, |w, _| {
            InternalInfo { file_id: 0 }.write(w).map(|()| true)
        }),
        FileInfoClass::PIPE => {
            let info = PipeInfo {
                read_mode: 1,
                completion_mode: 0,
            };
            room.write(least, |w, _| info.write(w).map(|()| true))
        }
        FileInfoClass::PIPE_LOCAL => {
            let info = PipeLocalInfo {
                pipe_type: 1,
                configuration: 2,
                maximum_instances: u32::MAX,
                current_instances: 1,
                inbound_quota: QUOTA,
                read_available: 0,
                outbound_quota: QUOTA,
                write_available: QUOTA,
                state: 3,
                end: 0,
            };
            room.write(least, |w, _| info.write(w).map(|()| true))
        }
        _ => Err(NtStatus::INVALID_PARAMETER.into()),
    }
}
