// SPDX-License-Identifier: GPL-2.0

//! What is to be sent: packets of one message or a compound each, built in one buffer that is allocated once.

use smb_proto::header::{Header, HeaderFlags, FRAME_HEADER_LEN, MAX_FRAME_LEN, NEXT_COMMAND_AT};
use smb_proto::transform;
use smb_proto::wire::{Full, Writer, Written};

use crate::crypto::Signer;
use crate::session::Sealing;

/// A buffer of packets to send. `begin`, `push` once or more, `finish`; then the next packet, or `bytes` and `clear`.
#[derive(Debug)]
pub struct Outgoing {
    buf: Vec<u8>,
    /// End of what is written.
    end: usize,
    /// Start of the current packet's length.
    packet: usize,
    /// Start of the current packet's first header.
    message: usize,
    /// Start of the current element's header; none before the first.
    element: Option<usize>,
}

impl Outgoing {
    /// A buffer of `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Outgoing {
            buf: vec![0; capacity],
            end: 0,
            packet: 0,
            message: 0,
            element: None,
        }
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.end = 0;
        self.element = None;
    }

    /// All packets, from the first one's length on.
    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.end]
    }

    /// Begins a packet. With `sealed`, room is left for the TRANSFORM_HEADER.
    pub fn begin(&mut self, sealed: bool) {
        self.packet = self.end;
        self.message = self.packet + FRAME_HEADER_LEN;
        if sealed {
            self.message += transform::HEADER_LEN;
        }
        self.end = self.message;
        self.element = None;
    }

    /// Appends a message to the packet; one before it is padded and linked.
    ///
    /// # Errors
    ///
    /// [`Full`]; the packet is of no use then.
    pub fn push(
        &mut self,
        header: &Header,
        body: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Result<(), Full> {
        if let Some(before) = self.element {
            let padded = (self.end - before).next_multiple_of(8);
            self.buf
                .get_mut(self.end..before + padded)
                .ok_or(Full)?
                .fill(0);
            self.end = before + padded;
            let distance = u32::try_from(padded).map_err(|_| Full)?;
            self.buf[before + NEXT_COMMAND_AT..][..4].copy_from_slice(&distance.to_le_bytes());
        }
        self.element = Some(self.end);
        let mut w = Writer::new(self.buf.get_mut(self.end..).ok_or(Full)?);
        header.write(&mut w)?;
        body(&mut w)?;
        self.end += w.len();
        Ok(())
    }

    /// The packet's message or compound as it stands, to be changed before it is signed or sealed.
    pub fn message_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.message..self.end]
    }

    /// Signs the elements of the packet that are flagged as signed.
    pub fn sign(&mut self, signer: &Signer) {
        let mut rest = &mut self.buf[self.message..self.end];
        while let Ok(header) = Header::parse(rest) {
            let distance = usize::try_from(header.next_command()).unwrap_or(0);
            let len = if distance == 0 { rest.len() } else { distance };
            let Some((element, tail)) = rest.split_at_mut_checked(len) else {
                return;
            };
            if header.has(HeaderFlags::SIGNED) {
                signer.sign(element);
            }
            rest = tail;
        }
    }

    /// Ends the packet: seals it if it was begun so, and writes its length.
    ///
    /// # Errors
    ///
    /// [`Full`] for a packet that a length of 24 bits cannot tell.
    pub fn finish(&mut self, sealing: Option<(&Sealing, u64)>) -> Result<(), Full> {
        if let Some((sealing, session)) = sealing {
            let head_at = self.packet + FRAME_HEADER_LEN;
            let (head, text) = self.buf[head_at..self.end].split_at_mut(transform::HEADER_LEN);
            sealing.seal(session, head, text)?;
        }
        let len = self.end - self.packet - FRAME_HEADER_LEN;
        if len > MAX_FRAME_LEN {
            return Err(Full);
        }
        let length = smb_proto::header::frame_header(len)?;
        self.buf[self.packet..][..FRAME_HEADER_LEN].copy_from_slice(&length);
        Ok(())
    }
}
