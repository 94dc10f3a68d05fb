// SPDX-License-Identifier: GPL-2.0

//! The netlink socket to the kernel module: generic netlink family `SMBD_GENL`.
//!
//! Received buffers are taken apart by bounds-checked parsers alone: a message that makes no sense is dropped and logged.

use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NetlinkMessage, NetlinkPayload, Nla, NlasIterator,
    Parseable, ParseableParametrized, NLM_F_ACK, NLM_F_REQUEST,
};
use netlink_packet_generic::ctrl::{nlas::GenlCtrlAttrs, GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};
use smb_proto::ipc::{self, Command};

/// Bytes that the socket's receive queue may hold: the module does not ask again.
const RECEIVE_QUEUE: usize = 4 << 20;
/// Bytes of a netlink message's header.
const HEADER: usize = 16;

/// One message: its command, which is also its attribute's type, and the attribute's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of the command; see [`Command`].
    pub command: u8,
    /// The attribute's payload.
    pub payload: Vec<u8>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        ipc::FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        ipc::FAMILY_VERSION
    }
}

impl Message {
    fn attribute(&self) -> DefaultNla {
        DefaultNla::new(self.command.into(), self.payload.clone())
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attribute().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attribute().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(buffer: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        for nla in NlasIterator::new(buffer) {
            let nla = DefaultNla::parse(&nla?)?;
            if nla.kind() == u16::from(header.cmd) {
                let mut payload = vec![0; nla.value_len()];
                nla.emit_value(&mut payload);
                return Ok(Message {
                    command: header.cmd,
                    payload,
                });
            }
        }
        Err(DecodeError::from(format!(
            "command {} without its attribute",
            header.cmd
        )))
    }
}

/// What was received.
#[derive(Debug)]
pub enum Received {
    /// A message of the module's.
    Message(Message),
    /// The answer to something sent: success, or why not.
    Done(Result<(), io::Error>),
}

/// The socket. It may be used by several threads.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    family: u16,
}

impl Link {
    /// Opens the socket and finds the module's family.
    ///
    /// # Errors
    ///
    /// Those of the socket, and [`io::ErrorKind::NotFound`] if the module is not loaded.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_rx_buf_sz(u32::try_from(RECEIVE_QUEUE).unwrap_or(u32::MAX))?;
        let family = resolve(&socket)?;
        Ok(Link { socket, family })
    }

    /// Sends a message; its outcome comes as [`Received::Done`].
    ///
    /// # Errors
    ///
    /// Those of the socket, and [`io::ErrorKind::InvalidInput`] if the payload does not fit an attribute.
    pub fn send(&self, command: Command, payload: Vec<u8>) -> io::Result<()> {
        if payload.len() > usize::from(u16::MAX) - 4 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the payload is too large for an attribute",
            ));
        }
        let mut message = GenlMessage::from_payload(Message {
            command: command.number(),
            payload,
        });
        message.set_resolved_family_id(self.family);
        transmit(&self.socket, NetlinkMessage::from(message))
    }

    /// Waits for the next datagram and gives the messages in it.
    ///
    /// # Errors
    ///
    /// Those of the socket; [`io::ErrorKind::WouldBlock`] if the receive queue had overflowed and messages were lost.
    pub fn receive(&self) -> io::Result<Vec<Received>> {
        let (datagram, from) = match self.socket.recv_from_full() {
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "the receive queue overflowed",
                ));
            }
            other => other?,
        };
        // Only the kernel has port 0: another process cannot pass for the module.
        if from.port_number() != 0 {
            log::warn!("ignored a netlink message from port {}", from.port_number());
            return Ok(Vec::new());
        }
        Ok(split(&datagram, self.family))
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn transmit<M>(socket: &Socket, mut message: NetlinkMessage<GenlMessage<M>>) -> io::Result<()>
where
    M: GenlFamily + Emitable + std::fmt::Debug,
{
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    message.finalize();
    let mut buffer = vec![0; message.buffer_len()];
    message.serialize(&mut buffer);
    socket.send(&buffer, 0).map(|_| ())
}

/// The messages of one datagram that belong to `family` or answer something sent. What cannot be read is passed over.
pub fn split(datagram: &[u8], family: u16) -> Vec<Received> {
    let mut messages = Vec::new();
    let mut rest = datagram;
    while let Some(length) = message_length(rest) {
        let (message, tail) = rest.split_at(length);
        match NetlinkMessage::<GenlMessage<Message>>::deserialize(message) {
            Ok(message) => match message.payload {
                NetlinkPayload::InnerMessage(inner) if message.header.message_type == family => {
                    messages.push(Received::Message(inner.payload));
                }
                NetlinkPayload::Error(error) => messages.push(Received::Done(match error.code {
                    None => Ok(()),
                    Some(code) => Err(os_error(code)),
                })),
                _ => {}
            },
            Err(error) => log::warn!("ignored a netlink message that cannot be read: {error}"),
        }
        rest = tail
            .get((length.next_multiple_of(4) - length).min(tail.len())..)
            .unwrap_or(&[]);
    }
    messages
}

/// The error of an answer, whose code is negative; one that has no other sign is none of the system's.
fn os_error(code: NonZeroI32) -> io::Error {
    io::Error::from_raw_os_error(code.get().checked_neg().unwrap_or(i32::MAX))
}

/// The length of the message at the front, if it is all there.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    (HEADER..=bytes.len()).contains(&length).then_some(length)
}

/// Asks the controller for the family's number.
fn resolve(socket: &Socket) -> io::Result<u16> {
    let request = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(ipc::FAMILY_NAME.to_owned())],
    });
    transmit(socket, NetlinkMessage::from(request))?;
    let mut family = None;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let message = NetlinkMessage::<GenlMessage<GenlCtrl>>::deserialize(&datagram)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => {
                family = inner.payload.nlas.iter().find_map(|nla| match nla {
                    GenlCtrlAttrs::FamilyId(id) => Some(*id),
                    _ => None,
                });
            }
            // The acknowledgement comes last.
            NetlinkPayload::Error(error) => {
                return match error.code {
                    Some(code) => Err(os_error(code)),
                    None => family.ok_or_else(|| io::ErrorKind::NotFound.into()),
                };
            }
            _ => {}
        }
    }
}

/// The number of the descriptor, for messages.
impl AsRawFd for Link {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(messages: &[(u8, Vec<u8>)], family: u16) -> Vec<u8> {
        let mut datagram = Vec::new();
        for (command, payload) in messages {
            let mut message = GenlMessage::from_payload(Message {
                command: *command,
                payload: payload.clone(),
            });
            message.set_resolved_family_id(family);
            let mut message = NetlinkMessage::from(message);
            message.finalize();
            let at = datagram.len();
            datagram.resize(at + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(&mut datagram[at..at + message.buffer_len()]);
        }
        datagram
    }

    fn only_messages(received: Vec<Received>) -> Vec<(u8, Vec<u8>)> {
        received
            .into_iter()
            .filter_map(|received| match received {
                Received::Message(message) => Some((message.command, message.payload)),
                Received::Done(_) => None,
            })
            .collect()
    }

    #[test]
    fn every_code_of_an_error_is_one() {
        for (code, wanted) in [(-2, 2), (i32::MIN, i32::MAX), (7, -7)] {
            let mut bytes = 36u32.to_ne_bytes().to_vec();
            // NLMSG_ERROR, flags, number, port; the code, and the header of what it answers.
            bytes.extend(2u16.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(i32::to_ne_bytes(code));
            bytes.extend([0; 16]);
            match split(&bytes, 33).pop() {
                Some(Received::Done(Err(error))) => {
                    assert_eq!(error.raw_os_error(), Some(wanted));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn messages_come_back(messages in proptest::collection::vec((1u8..18, proptest::collection::vec(any::<u8>(), 0..64)), 0..4)) {
            prop_assert_eq!(only_messages(split(&datagram(&messages, 33), 33)), messages);
        }

        #[test]
        fn other_families_are_ignored(payload: Vec<u8>) {
            prop_assert!(only_messages(split(&datagram(&[(4, payload)], 34), 33)).is_empty());
        }

        #[test]
        fn any_bytes_give_an_answer(bytes: Vec<u8>) {
            let _ = split(&bytes, 33);
        }

        #[test]
        fn damaged_messages_give_an_answer(
            payload in proptest::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index, with: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = datagram(&[(4, payload.clone()), (5, payload)], 33);
            let index = at.index(bytes.len());
            bytes[index] ^= with;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = split(&bytes, 33);
        }
    }
}
