// SPDX-License-Identifier: GPL-2.0

//! Copies that the server makes by itself: FSCTL_SRV_REQUEST_RESUME_KEY, FSCTL_SRV_COPYCHUNK and
//! FSCTL_SRV_COPYCHUNK_WRITE, [MS-SMB2] 3.3.5.15.5 and 3.3.5.15.6.

use kernel::prelude::*;

use linux::cred::CredScope;
use linux::file::File;
use smb_model::access::Mask;
use smb_model::locks::Access;
use smb_proto::copy::{Chunk, CopyReply, CopyRequest, ResumeKey};
use smb_proto::header::FileId;
use smb_proto::layout::Fixed;
use smb_proto::status::NtStatus;

use crate::files::data;
use crate::files::file::OpenedFile;
use crate::smb2::context::{Context, Handled, Stop};

use super::{Control, Target, WRITTEN};

/// `ServerSideCopyMaxNumberofChunks`.
const MAX_CHUNKS: u32 = 256;
/// `ServerSideCopyMaxChunkSize`, bytes.
const MAX_CHUNK: u32 = 1 << 20;
/// `ServerSideCopyMaxDataSize`, bytes.
const MAX_TOTAL: u32 = 16 << 20;

/// What an answer with `STATUS_INVALID_PARAMETER` tells.
const LIMITS: CopyReply = CopyReply {
    chunks: MAX_CHUNKS,
    chunk_bytes: MAX_CHUNK,
    total_bytes: MAX_TOTAL,
};

/// `STATUS_INVALID_VIEW_SIZE`: what Windows says when a chunk reaches beyond the end of its source.
const INVALID_VIEW_SIZE: NtStatus = NtStatus(0xC000_001F);

/// The key of an open, by which its session can name it as the source of a copy: its file id.
pub(super) fn resume_key(
    _: &Context<'_>,
    target: &Target<'_>,
    control: &mut Control<'_>,
) -> Handled {
    target.open.file()?;
    if control.limit() < ResumeKey::SIZE {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let id = target.open.id;
    let mut key = [0; 24];
    let halves = [id.persistent, id.volatile]
        .into_iter()
        .flat_map(u64::to_le_bytes);
    for (to, from) in key.iter_mut().zip(halves) {
        *to = from;
    }
    control.answer(ResumeKey::SIZE, |w| ResumeKey { key }.put(w))?;
    Ok(NtStatus::SUCCESS)
}

/// The file id in a key; `None` for one that the server did not give out.
fn id_of(key: &[u8; 24]) -> Option<FileId> {
    let (persistent, rest) = key.split_first_chunk()?;
    let (volatile, rest) = rest.split_first_chunk()?;
    let id = FileId {
        persistent: u64::from_le_bytes(*persistent),
        volatile: u64::from_le_bytes(*volatile),
    };
    rest.iter().all(|byte| *byte == 0).then_some(id)
}

/// Copies chunks into the target. That the target may be written, and for FSCTL_SRV_COPYCHUNK read, was checked with the
/// control's code.
pub(super) fn chunks(cx: &Context<'_>, target: &Target<'_>, control: &mut Control<'_>) -> Handled {
    if control.limit() < CopyReply::SIZE {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    let request = CopyRequest::parse(control.request.input)?;
    // The key is good for the session, on whatever tree connect the source is.
    let source = id_of(&request.key).and_then(|id| target.session.opens.get(id));
    let source = source.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
    let (from, to) = (source.file()?, target.open.file()?);
    if from.is_directory() || to.is_directory() {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    // Who may execute the source may read it, but that does not hold for the target.
    source.require_any(Mask::READ_DATA.union(Mask::EXECUTE))?;
    target.open.require_any(Mask::WRITE_DATA)?;
    if !is_within_limits(&request) {
        control.answer(CopyReply::SIZE, |w| LIMITS.put(w))?;
        return Ok(NtStatus::INVALID_PARAMETER);
    }
    let scope = target.tree.enter();
    let copy = Copy {
        scope: &scope,
        from: (source.id.volatile, from, from.data()?),
        to: (target.open.id.volatile, to, to.data()?),
    };
    let mut done = CopyReply {
        chunks: 0,
        chunk_bytes: 0,
        total_bytes: 0,
    };
    target.disturb(cx, to)?;
    let status = copy.all(&request, &mut done);
    if done.total_bytes > 0 {
        target.tell(cx, to, WRITTEN);
    }
    control.answer(CopyReply::SIZE, |w| done.put(w))?;
    Ok(status)
}

/// Whether the request asks for no more than the server does at once, and for something in each chunk.
fn is_within_limits(request: &CopyRequest<'_>) -> bool {
    let max_chunks = usize::try_from(MAX_CHUNKS).unwrap_or(usize::MAX);
    let mut total = 0u32;
    for chunk in request.chunks().take(max_chunks.saturating_add(1)) {
        total = total.saturating_add(chunk.length);
        if chunk.length == 0 || chunk.length > MAX_CHUNK {
            return false;
        }
    }
    request.len() <= max_chunks && total <= MAX_TOTAL
}

/// A copy from one open to another: who they are to byte-range locks, their files, their data.
struct Copy<'a> {
    scope: &'a CredScope<'a>,
    from: (u64, &'a OpenedFile, &'a File),
    to: (u64, &'a OpenedFile, &'a File),
}

impl Copy<'_> {
    /// Copies chunk after chunk until one fails; `done` tells how far it came.
    fn all(&self, request: &CopyRequest<'_>, done: &mut CopyReply) -> NtStatus {
        for chunk in request.chunks() {
            let (bytes, outcome) = match self.check(&chunk) {
                Ok(()) => self.one(&chunk),
                Err(status) => (0, Err(status)),
            };
            done.total_bytes = done.total_bytes.saturating_add(bytes);
            if let Err(status) = outcome {
                done.chunk_bytes = bytes;
                return status;
            }
            done.chunks = done.chunks.saturating_add(1);
        }
        NtStatus::SUCCESS
    }

    fn check(&self, chunk: &Chunk) -> Result<(), NtStatus> {
        let len = u64::from(chunk.length);
        let (reader, source, data) = self.from;
        let end = chunk.source_offset.checked_add(len);
        if end.is_none_or(|end| end > data.size()) {
            return Err(INVALID_VIEW_SIZE);
        }
        let (writer, target, _) = self.to;
        let end = chunk.target_offset.checked_add(len);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let (from, to) = (&source.admission.state, &target.admission.state);
        from.check_locks(reader, chunk.source_offset, len, Access::Read)?;
        to.check_locks(writer, chunk.target_offset, len, Access::Write)
    }

    /// Copies one chunk that was checked; tells how many bytes arrived.
    fn one(&self, chunk: &Chunk) -> (u32, Result<(), NtStatus>) {
        let wanted = usize::try_from(chunk.length).unwrap_or(usize::MAX);
        let ((_, _, from), (_, _, to)) = (self.from, self.to);
        let (source, target) = (chunk.source_offset, chunk.target_offset);
        let (copied, outcome) = data::copy(self.scope, from, source, to, target, wanted);
        let bytes = u32::try_from(copied).unwrap_or(chunk.length);
        match outcome {
            // Somebody cut the source meanwhile.
            Ok(()) if copied < wanted => (bytes, Err(INVALID_VIEW_SIZE)),
            other => (bytes, other),
        }
    }
}
