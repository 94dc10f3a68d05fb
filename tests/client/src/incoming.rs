// SPDX-License-Identifier: GPL-2.0

//! What was received: one buffer, filled by as few reads as the socket allows, handed out frame by frame.

use std::io::Read;
use std::ops::Range;

use smb_proto::header::{frame_len, FRAME_HEADER_LEN};

use crate::error::{Error, Result};

/// Room for small frames that come together.
const AHEAD: usize = 256 << 10;

/// A buffer of received frames.
#[derive(Debug)]
pub struct Incoming {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    /// A buffer for frames of up to `frame` bytes; it grows for larger ones.
    pub fn new(frame: usize) -> Self {
        Incoming {
            buf: vec![0; frame + AHEAD],
            start: 0,
            end: 0,
        }
    }

    /// The place of the next frame, for [`Incoming::frame_mut`], which is good until the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Timeout`], [`Error::Malformed`].
    pub fn next(&mut self, stream: &mut impl Read) -> Result<Range<usize>> {
        self.fill(stream, FRAME_HEADER_LEN)?;
        let head = [0, 1, 2, 3].map(|at| self.buf[self.start + at]);
        let len = frame_len(head).map_err(|_| Error::Malformed("a frame's length"))?;
        self.fill(stream, FRAME_HEADER_LEN + len)?;
        let at = self.start + FRAME_HEADER_LEN;
        self.start = at + len;
        Ok(at..at + len)
    }

    /// The bytes at a place that [`Incoming::next`] gave.
    pub fn frame_mut(&mut self, place: Range<usize>) -> &mut [u8] {
        &mut self.buf[place]
    }

    /// Whether a whole frame is here already.
    pub fn has_frame(&self) -> bool {
        let here = &self.buf[self.start..self.end];
        here.split_first_chunk::<FRAME_HEADER_LEN>()
            .and_then(|(head, rest)| frame_len(*head).ok().map(|len| rest.len() >= len))
            .unwrap_or(false)
    }

    /// Receives until `len` bytes are here.
    fn fill(&mut self, stream: &mut impl Read, len: usize) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + len > self.buf.len() {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if len > self.buf.len() {
                self.buf.resize(len, 0);
            }
        }
        while self.end - self.start < len {
            match stream.read(&mut self.buf[self.end..]) {
                Ok(0) => return Err(Error::Closed),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
