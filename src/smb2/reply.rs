// SPDX-License-Identifier: GPL-2.0

//! Where the answers to one frame are built: one buffer for all elements of the chain, and room in front of it for what
//! goes out first (the transport's length and, when sealed, the TRANSFORM_HEADER).

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::buffer::{Buffer, BufferPool};
use linux::pages::PageVec;
use smb_proto::header::{Header, HEADER_LEN};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Writer, Written};

/// Bytes kept free in front of the first header: 4 for the transport's length, 52 for a TRANSFORM_HEADER.
pub(crate) const HEADROOM: usize = 56;
/// Compound elements begin at multiples of this, [MS-SMB2] 3.3.4.1.3.
const ALIGNMENT: usize = 8;
/// Most bytes of a reply: what the transport's 24 bits of length can say, less the headroom.
const MAX_REPLY: usize = (1 << 24) - 64;

/// The answers to one frame.
pub(crate) struct Reply {
    buffer: Buffer,
    /// Start of the current element.
    element: usize,
    /// End of what is written.
    end: usize,
    payload: Option<PageVec>,
}

impl Reply {
    /// An empty reply, whose buffer comes from `pool` once the first answer tells how large it will be.
    pub(crate) fn new(pool: &Arc<BufferPool>) -> Self {
        Reply {
            buffer: pool.empty(),
            element: HEADROOM,
            end: HEADROOM,
            payload: None,
        }
    }

    /// Whether no element was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.end == HEADROOM
    }

    /// Bytes that were written, the room before them included.
    pub(crate) fn len(&self) -> usize {
        self.end
    }

    /// Writes the body of the current element, which replaces what an earlier call wrote for it. `room` is the most that
    /// `write` may need beyond the header. The writer stands at the header's end: its length is the offset from the
    /// header, as the documents count.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES` without memory; `STATUS_INTERNAL_ERROR` if `write` needed more than `room`.
    pub(crate) fn body(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<(), NtStatus> {
        let size = HEADER_LEN.saturating_add(room);
        self.payload = None;
        let mut writer = Writer::new(self.reserve(size)?);
        let written = writer.zeros(HEADER_LEN).and_then(|()| write(&mut writer));
        written.map_err(|_| NtStatus::INTERNAL_ERROR)?;
        let len = writer.len();
        self.end = self.element.saturating_add(len);
        Ok(())
    }

    /// Lets `payload` follow the current element's body.
    pub(crate) fn attach(&mut self, payload: PageVec) {
        self.payload = Some(payload);
    }

    /// Takes the payload out, for the transport, which keeps the pages until the client has them.
    pub(crate) fn take_payload(&mut self) -> Option<PageVec> {
        self.payload.take()
    }

    /// The payload behind the last element.
    pub(crate) fn payload(&self) -> Option<&PageVec> {
        self.payload.as_ref()
    }

    /// The current element, header included; empty before its body is written.
    pub(crate) fn element(&self) -> &[u8] {
        self.buffer
            .as_slice()
            .get(self.element..self.end)
            .unwrap_or(&[])
    }

    /// As [`Self::element`], to be patched.
    pub(crate) fn element_mut(&mut self) -> &mut [u8] {
        self.buffer
            .as_mut_slice()
            .get_mut(self.element..self.end)
            .unwrap_or(&mut [])
    }

    /// Puts a header before the current element's body.
    pub(crate) fn put_header(&mut self, header: &Header) {
        if let Some(room) = self.element_mut().get_mut(..HEADER_LEN) {
            // `room` is exactly a header long.
            let _ = header.write(&mut Writer::new(room));
        }
    }

    /// The whole buffer with its headroom, and the pages that follow it.
    pub(crate) fn parts_mut(&mut self) -> (&mut [u8], Option<&mut PageVec>) {
        let all = self
            .buffer
            .as_mut_slice()
            .get_mut(..self.end)
            .unwrap_or(&mut []);
        (all, self.payload.as_mut())
    }

    /// Pads the current element for a successor and returns its padded length, which is the NextCommand field.
    pub(crate) fn pad(&mut self) -> Result<usize, NtStatus> {
        self.flatten()?;
        let length = self.end.saturating_sub(self.element);
        let padded = length.next_multiple_of(ALIGNMENT);
        self.reserve(padded)?;
        let new_end = self.element.saturating_add(padded);
        if let Some(gap) = self.buffer.as_mut_slice().get_mut(self.end..new_end) {
            gap.fill(0);
        }
        self.end = new_end;
        Ok(padded)
    }

    /// Begins the next element behind the current one, which must have been padded.
    pub(crate) fn advance(&mut self) {
        self.element = self.end;
    }

    /// The current element's place, for [`Self::reopen`].
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.element, self.end)
    }

    /// Goes back to an element: what follows it is forgotten.
    pub(crate) fn reopen(&mut self, place: (usize, usize)) {
        self.discard();
        (self.element, self.end) = place;
    }

    /// Forgets the current element.
    pub(crate) fn discard(&mut self) {
        self.end = self.element;
        self.payload = None;
    }

    /// Copies the payload into the buffer.
    pub(crate) fn flatten(&mut self) -> Result<(), NtStatus> {
        let Some(payload) = self.payload.take() else {
            return Ok(());
        };
        let length = self
            .end
            .saturating_sub(self.element)
            .saturating_add(payload.len());
        let at = self.end.saturating_sub(self.element);
        let mut rest = self
            .reserve(length)?
            .get_mut(at..)
            .ok_or(NtStatus::INTERNAL_ERROR)?;
        for span in payload.spans() {
            let copied = span.copy_to(rest);
            rest = rest.get_mut(copied..).ok_or(NtStatus::INTERNAL_ERROR)?;
        }
        self.end = self.element.saturating_add(length);
        Ok(())
    }

    /// At least `size` bytes from the current element's start on.
    fn reserve(&mut self, size: usize) -> Result<&mut [u8], NtStatus> {
        let capacity = self
            .element
            .checked_add(size)
            .filter(|end| *end <= MAX_REPLY);
        let capacity = capacity.ok_or(NtStatus::INSUFFICIENT_RESOURCES)?;
        if self.buffer.len() < capacity {
            self.buffer
                .stretch(capacity)
                .map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        }
        self.buffer
            .as_mut_slice()
            .get_mut(self.element..)
            .ok_or(NtStatus::INTERNAL_ERROR)
    }
}
