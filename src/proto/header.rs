// SPDX-License-Identifier: GPL-2.0

//! The SMB2 packet header, [MS-SMB2] 2.2.1, and the identifiers that every message uses.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::status::NtStatus;
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Length of the header in bytes, and the value of its `StructureSize`.
pub const HEADER_LEN: usize = 64;

/// `StructureSize` as it stands in the header.
const STRUCTURE_SIZE: u16 = 64;

/// `ProtocolId` of an SMB2 message.
pub const SMB2_PROTOCOL_ID: [u8; 4] = *b"\xfeSMB";

/// `ProtocolId` of an encrypted message ([MS-SMB2] 2.2.41).
pub const TRANSFORM_PROTOCOL_ID: [u8; 4] = *b"\xfdSMB";

/// `ProtocolId` of a compressed message ([MS-SMB2] 2.2.42).
pub const COMPRESSION_PROTOCOL_ID: [u8; 4] = *b"\xfcSMB";

/// `Protocol` of an SMB1 message ([MS-CIFS] 2.2.3.1).
pub const SMB1_PROTOCOL_ID: [u8; 4] = *b"\xffSMB";

/// Length in bytes of what stands before every frame on TCP, [MS-SMB2] 2.1: a zero byte and a big-endian length.
pub const FRAME_HEADER_LEN: usize = 4;

/// The most bytes that a frame on TCP can have.
pub const MAX_FRAME_LEN: usize = 0x00FF_FFFF;

/// The length of the frame that follows `header` on TCP.
///
/// # Errors
///
/// [`Malformed`] if the first byte is not zero: NetBIOS session services other than a message are not offered.
pub fn frame_len(header: [u8; FRAME_HEADER_LEN]) -> Parsed<usize> {
    if header.first() != Some(&0) {
        return Err(Malformed);
    }
    usize::try_from(u32::from_be_bytes(header)).map_err(|_| Malformed)
}

/// What stands before a frame of `len` bytes on TCP.
///
/// # Errors
///
/// [`Full`] for a length of more than [`MAX_FRAME_LEN`].
pub fn frame_header(len: usize) -> Result<[u8; FRAME_HEADER_LEN], Full> {
    if len > MAX_FRAME_LEN {
        return Err(Full);
    }
    u32::try_from(len).map(u32::to_be_bytes).map_err(|_| Full)
}

/// `MessageId` of a server's unsolicited break notification.
pub const UNSOLICITED_MESSAGE_ID: u64 = u64::MAX;

/// What a frame from the transport carries, told by its first four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// An SMB2 message or a compound chain of them.
    Smb2,
    /// An encrypted message.
    Transform,
    /// A compressed message.
    Compression,
    /// An SMB1 message: only a multi-protocol negotiate is of use.
    Smb1,
}

impl FrameKind {
    /// Looks at the protocol identifier of `frame`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for a frame that is too short to carry one, or carries one that is none of SMB's.
    pub fn of(frame: &[u8]) -> Parsed<Self> {
        let (id, _) = frame.split_first_chunk::<4>().ok_or(Malformed)?;
        match *id {
            SMB2_PROTOCOL_ID => Ok(FrameKind::Smb2),
            TRANSFORM_PROTOCOL_ID => Ok(FrameKind::Transform),
            COMPRESSION_PROTOCOL_ID => Ok(FrameKind::Compression),
            SMB1_PROTOCOL_ID => Ok(FrameKind::Smb1),
            _ => Err(Malformed),
        }
    }
}

macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident = $code:literal,)*) => {
        /// Command codes, [MS-SMB2] 2.2.1.2.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Command {
            $($(#[$meta])* $name = $code,)*
        }

        impl Command {
            /// Every command, in the order of the codes.
            pub const ALL: &'static [Command] = &[$(Command::$name,)*];

            /// The code on the wire.
            pub const fn code(self) -> u16 {
                match self {
                    $(Command::$name => $code,)*
                }
            }
        }

        impl TryFrom<u16> for Command {
            type Error = Malformed;

            fn try_from(code: u16) -> Result<Self, Malformed> {
                match code {
                    $($code => Ok(Command::$name),)*
                    _ => Err(Malformed),
                }
            }
        }
    };
}

commands! {
    /// Agrees on a dialect and its features.
    Negotiate = 0x00,
    /// Authenticates a user.
    SessionSetup = 0x01,
    /// Ends a session.
    Logoff = 0x02,
    /// Connects to a share.
    TreeConnect = 0x03,
    /// Leaves a share.
    TreeDisconnect = 0x04,
    /// Opens or creates a file.
    Create = 0x05,
    /// Closes an open.
    Close = 0x06,
    /// Writes a file's data through.
    Flush = 0x07,
    /// Reads.
    Read = 0x08,
    /// Writes.
    Write = 0x09,
    /// Locks and unlocks byte ranges.
    Lock = 0x0A,
    /// File system and device controls.
    Ioctl = 0x0B,
    /// Cancels a pending request; has no reply.
    Cancel = 0x0C,
    /// Asks whether the peer lives.
    Echo = 0x0D,
    /// Lists a directory.
    QueryDirectory = 0x0E,
    /// Waits for changes in a directory.
    ChangeNotify = 0x0F,
    /// Queries a file's, a file system's or a security descriptor's information.
    QueryInfo = 0x10,
    /// Sets them.
    SetInfo = 0x11,
    /// Oplock and lease breaks, their acknowledgements and the replies to those.
    OplockBreak = 0x12,
}

flags! {
    /// `Flags` of the header.
    pub struct HeaderFlags: u32 {
        /// The message is a reply.
        SERVER_TO_REDIR = 0x0000_0001;
        /// The header carries an `AsyncId` in place of the tree id.
        ASYNC_COMMAND = 0x0000_0002;
        /// The request is related to the one before it in the compound.
        RELATED_OPERATIONS = 0x0000_0004;
        /// The message is signed.
        SIGNED = 0x0000_0008;
        /// The priority of the request, 3.1.1.
        PRIORITY_MASK = 0x0000_0070;
        /// The request is a DFS operation.
        DFS_OPERATIONS = 0x1000_0000;
        /// The request is a replay, 3.x.
        REPLAY_OPERATION = 0x2000_0000;
    }
}

/// The packet header in both its forms: sync (2.2.1.2) and async (2.2.1.1).
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    protocol_id: [u8; 4],
    structure_size: U16,
    credit_charge: U16,
    /// Status of a reply; channel sequence and reserved half of a 3.x request.
    status: U32,
    command: U16,
    credits: U16,
    flags: U32,
    next_command: U32,
    message_id: U64,
    /// Reserved and `TreeId`, or `AsyncId`.
    id: U64,
    session_id: U64,
    signature: [u8; 16],
}

/// Place of `CreditRequest`/`CreditResponse` in a header, in bytes.
pub const CREDITS_AT: usize = 14;

/// Place of `Flags` in a header, in bytes.
pub const FLAGS_AT: usize = 16;

/// Place of `NextCommand` in a header, in bytes.
pub const NEXT_COMMAND_AT: usize = 20;

/// Place of `Signature` in a header, in bytes.
pub const SIGNATURE_AT: usize = 48;

const _: () = assert!(core::mem::size_of::<Header>() == HEADER_LEN);
const _: () = assert!(core::mem::offset_of!(Header, credits) == CREDITS_AT);
const _: () = assert!(core::mem::offset_of!(Header, flags) == FLAGS_AT);
const _: () = assert!(core::mem::offset_of!(Header, next_command) == NEXT_COMMAND_AT);
const _: () = assert!(core::mem::offset_of!(Header, signature) == SIGNATURE_AT);

impl Header {
    /// A request's header with every other field zero.
    pub fn request(command: Command, message_id: u64) -> Self {
        Header {
            protocol_id: SMB2_PROTOCOL_ID,
            structure_size: U16::new(STRUCTURE_SIZE),
            credit_charge: U16::ZERO,
            status: U32::ZERO,
            command: U16::new(command.code()),
            credits: U16::ZERO,
            flags: U32::ZERO,
            next_command: U32::ZERO,
            message_id: U64::new(message_id),
            id: U64::ZERO,
            session_id: U64::ZERO,
            signature: [0; 16],
        }
    }

    /// The header of the reply to `self`: same command, charge, message, tree and session; no status, credits or chain.
    /// Of the request's flags, relatedness, priority and replay are kept.
    pub fn reply(&self) -> Self {
        let kept = HeaderFlags::RELATED_OPERATIONS
            | HeaderFlags::PRIORITY_MASK
            | HeaderFlags::DFS_OPERATIONS
            | HeaderFlags::REPLAY_OPERATION;
        Header {
            status: U32::ZERO,
            credits: U16::ZERO,
            flags: U32::new((self.flags() & kept | HeaderFlags::SERVER_TO_REDIR).bits()),
            next_command: U32::ZERO,
            id: if self.is_async() {
                U64::ZERO
            } else {
                U64::new(self.id.get() & !0xffff_ffff)
            },
            signature: [0; 16],
            ..*self
        }
    }

    /// The header of an oplock or lease break notification, which answers no request.
    pub fn notification(session_id: u64) -> Self {
        let mut header = Header::request(Command::OplockBreak, UNSOLICITED_MESSAGE_ID);
        header.set_flags(HeaderFlags::SERVER_TO_REDIR);
        header.set_session_id(session_id);
        header
    }

    /// Parses the header at the front of `pdu`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if `pdu` is shorter than a header, or is not an SMB2 message.
    pub fn parse(pdu: &[u8]) -> Parsed<Self> {
        let header: Header = Reader::new(pdu).get()?;
        if header.protocol_id != SMB2_PROTOCOL_ID || header.structure_size.get() != STRUCTURE_SIZE {
            return Err(Malformed);
        }
        Ok(header)
    }

    /// Appends the header.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.put(self)
    }

    /// `CreditCharge`: the number of credits that the request consumes; 0 counts as 1.
    pub fn credit_charge(&self) -> u16 {
        self.credit_charge.get()
    }

    /// Sets `CreditCharge`.
    pub fn set_credit_charge(&mut self, charge: u16) {
        self.credit_charge = U16::new(charge);
    }

    /// `Status` of a reply.
    pub fn status(&self) -> NtStatus {
        NtStatus(self.status.get())
    }

    /// Sets `Status`.
    pub fn set_status(&mut self, status: NtStatus) {
        self.status = U32::new(status.0);
    }

    /// `ChannelSequence` of a 3.x request.
    pub fn channel_sequence(&self) -> u16 {
        let [low, high, _, _] = self.status.to_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Sets `ChannelSequence`, and the reserved bytes beside it to zero.
    pub fn set_channel_sequence(&mut self, sequence: u16) {
        self.status = U32::new(u32::from(sequence));
    }

    /// The command.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for a code that the document does not define.
    pub fn command(&self) -> Parsed<Command> {
        Command::try_from(self.command.get())
    }

    /// The command's code, valid or not.
    pub fn command_code(&self) -> u16 {
        self.command.get()
    }

    /// `CreditRequest` of a request, `CreditResponse` of a reply.
    pub fn credits(&self) -> u16 {
        self.credits.get()
    }

    /// Sets it.
    pub fn set_credits(&mut self, credits: u16) {
        self.credits = U16::new(credits);
    }

    /// `Flags`.
    pub fn flags(&self) -> HeaderFlags {
        HeaderFlags::from_bits(self.flags.get())
    }

    /// Sets `Flags`.
    pub fn set_flags(&mut self, flags: HeaderFlags) {
        self.flags = U32::new(flags.bits());
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: HeaderFlags) -> bool {
        self.flags().contains(flags)
    }

    /// `NextCommand`: distance in bytes to the next element of the compound, 0 in the last.
    pub fn next_command(&self) -> u32 {
        self.next_command.get()
    }

    /// Sets `NextCommand`.
    pub fn set_next_command(&mut self, distance: u32) {
        self.next_command = U32::new(distance);
    }

    /// `MessageId`.
    pub fn message_id(&self) -> u64 {
        self.message_id.get()
    }

    /// Sets `MessageId`.
    pub fn set_message_id(&mut self, id: u64) {
        self.message_id = U64::new(id);
    }

    /// Whether the header is the async form.
    pub fn is_async(&self) -> bool {
        self.has(HeaderFlags::ASYNC_COMMAND)
    }

    /// `AsyncId`; `None` in the sync form.
    pub fn async_id(&self) -> Option<u64> {
        self.is_async().then(|| self.id.get())
    }

    /// Makes the header async, with `AsyncId` in place of the tree id.
    pub fn set_async_id(&mut self, id: u64) {
        self.set_flags(self.flags() | HeaderFlags::ASYNC_COMMAND);
        self.id = U64::new(id);
    }

    /// `TreeId`; `None` in the async form.
    pub fn tree_id(&self) -> Option<u32> {
        if self.is_async() {
            return None;
        }
        let [_, _, _, _, a, b, c, d] = self.id.to_bytes();
        Some(u32::from_le_bytes([a, b, c, d]))
    }

    /// Makes the header sync, with `TreeId`, and the reserved field before it zero.
    pub fn set_tree_id(&mut self, id: u32) {
        self.set_flags(self.flags().without(HeaderFlags::ASYNC_COMMAND));
        self.id = U64::new(u64::from(id) << 32);
    }

    /// `SessionId`.
    pub fn session_id(&self) -> u64 {
        self.session_id.get()
    }

    /// Sets `SessionId`.
    pub fn set_session_id(&mut self, id: u64) {
        self.session_id = U64::new(id);
    }

    /// `Signature`.
    pub fn signature(&self) -> &[u8; 16] {
        &self.signature
    }

    /// Sets `Signature`.
    pub fn set_signature(&mut self, signature: [u8; 16]) {
        self.signature = signature;
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Header")
            .field("command", &self.command_code())
            .field("status", &self.status())
            .field("credit_charge", &self.credit_charge())
            .field("credits", &self.credits())
            .field("flags", &self.flags())
            .field("next_command", &self.next_command())
            .field("message_id", &self.message_id())
            .field("id", &self.id.get())
            .field("session_id", &self.session_id())
            .finish()
    }
}

/// Identifies an open, [MS-SMB2] 2.2.14.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The part that survives a reconnect of a durable open.
    pub persistent: u64,
    /// The part that the connection's lifetime bounds.
    pub volatile: u64,
}

impl FileId {
    /// All ones: in a related compound, the open of the request before.
    pub const ANY: FileId = FileId {
        persistent: u64::MAX,
        volatile: u64::MAX,
    };

    /// Whether it is [`FileId::ANY`].
    pub fn is_any(self) -> bool {
        self == FileId::ANY
    }

    /// Takes 16 bytes.
    pub fn read(r: &mut Reader<'_>) -> Parsed<Self> {
        Ok(FileId {
            persistent: r.u64()?,
            volatile: r.u64()?,
        })
    }

    /// Appends 16 bytes.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u64(self.persistent)?;
        w.u64(self.volatile)
    }
}
