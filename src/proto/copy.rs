// SPDX-License-Identifier: GPL-2.0

//! Server-side copy: SRV_REQUEST_RESUME_KEY, SRV_COPYCHUNK_COPY and its reply, [MS-SMB2] 2.2.31.1, 2.2.32.1, 2.2.32.3.

use crate::layout::{fixed, Fixed};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

fixed! {
    /// SRV_REQUEST_RESUME_KEY reply. The context is empty; its one place is written, as Windows does.
    pub struct ResumeKey {
        /// Names the open file, to this server only.
        key: [u8; 24], pad 8;
    }

    /// SRV_COPYCHUNK (2.2.31.1.1).
    pub struct Chunk {
        /// First byte in the source.
        source_offset: u64;
        /// First byte in the target.
        target_offset: u64;
        /// Number of bytes.
        length: u32, pad 4;
    }

    /// SRV_COPYCHUNK_RESPONSE. With `STATUS_INVALID_PARAMETER` it tells the limits instead of what was done.
    pub struct CopyReply {
        /// Chunks done, or most chunks in a request.
        chunks: u32;
        /// Bytes done of the chunk that failed, or most bytes in a chunk.
        chunk_bytes: u32;
        /// Bytes done in all, or most bytes in a request.
        total_bytes: u32;
    }
}

/// SRV_COPYCHUNK_COPY: a request to copy chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRequest<'a> {
    /// Key of the source.
    pub key: [u8; 24],
    chunks: &'a [u8],
}

impl<'a> CopyRequest<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed` if there are fewer chunks than it says.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let key = r.array()?;
        let count = usize::try_from(r.u32()?).map_err(|_| Malformed)?;
        r.skip(4)?;
        let chunks = r.take(count.checked_mul(Chunk::SIZE).ok_or(Malformed)?)?;
        Ok(CopyRequest { key, chunks })
    }

    /// Number of chunks.
    pub fn len(&self) -> usize {
        self.chunks.len() / Chunk::SIZE
    }

    /// Whether there is no chunk.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunks in order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + Clone + 'a {
        let mut r = Reader::new(self.chunks);
        core::iter::from_fn(move || Chunk::take(&mut r).ok())
    }

    /// Appends a request.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(w: &mut Writer<'_>, key: &[u8; 24], chunks: &[Chunk]) -> Written {
        w.bytes(key)?;
        w.u32(u32::try_from(chunks.len()).map_err(|_| Full)?)?;
        w.u32(0)?;
        chunks.iter().try_for_each(|chunk| chunk.put(w))
    }
}
