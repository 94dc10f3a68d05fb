// SPDX-License-Identifier: GPL-2.0

//! One function for each command, for tests that do not care how it is written. Each waits for its answer.

use smb_proto::attributes::FileAttributes;
use smb_proto::change_notify::{self, CompletionFilter, NotifyFlags};
use smb_proto::close;
use smb_proto::create::{
    self, CreateOptions, Disposition, ImpersonationLevel, OplockLevel, ShareAccess,
};
use smb_proto::create_context::{Contexts, RequestContexts};
use smb_proto::flush;
use smb_proto::header::{Command, FileId};
use smb_proto::ioctl::{self, IoctlFlags};
use smb_proto::lock::{Element, LockFlags, NewRequest};
use smb_proto::query_directory::{self, QueryDirectoryFlags};
use smb_proto::query_info::{self, InfoType};
use smb_proto::read;
use smb_proto::security::AccessMask;
use smb_proto::set_info;
use smb_proto::trivial::Empty;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Writer, Written};
use smb_proto::write;

use crate::client::{Answer, Client};
use crate::error::Result;

/// Rights that tests ask for.
pub mod access {
    use smb_proto::security::AccessMask;

    /// Everything that a file can be asked for.
    pub const ALL: AccessMask = AccessMask::from_bits(0x001f_01ff);
    /// Reading data and attributes.
    pub const READ: AccessMask = AccessMask::from_bits(0x0012_0089);
    /// Attributes alone.
    pub const ATTRIBUTES: AccessMask = AccessMask::from_bits(0x0000_0080);
    /// All that the user may.
    pub const MAXIMUM: AccessMask = AccessMask::from_bits(0x0200_0000);
}

/// UTF-16LE.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Credits that a payload of `len` bytes costs.
pub(crate) fn charge(len: u32) -> u16 {
    u16::try_from(len.div_ceil(65_536).max(1)).unwrap_or(u16::MAX)
}

/// What a CREATE asks for.
#[derive(Clone, Debug)]
pub struct NewFile<'a> {
    /// Name, relative to the share.
    pub name: &'a str,
    /// `DesiredAccess`.
    pub access: AccessMask,
    /// `ShareAccess`.
    pub share: ShareAccess,
    /// `CreateDisposition`.
    pub disposition: Disposition,
    /// `CreateOptions`.
    pub options: CreateOptions,
    /// `RequestedOplockLevel`.
    pub oplock: OplockLevel,
    /// Create contexts.
    pub contexts: RequestContexts<'a>,
}

impl<'a> NewFile<'a> {
    /// Opens or creates a file with all rights, shared with all.
    pub fn named(name: &'a str) -> Self {
        NewFile {
            name,
            access: access::ALL,
            share: ShareAccess::ALL,
            disposition: Disposition::OPEN_IF,
            options: CreateOptions::NON_DIRECTORY_FILE,
            oplock: OplockLevel::NONE,
            contexts: RequestContexts::default(),
        }
    }

    /// Opens or creates a directory; the share's root, which has no name, only to be listed and watched.
    pub fn directory(name: &'a str) -> Self {
        NewFile {
            access: if name.is_empty() {
                access::READ
            } else {
                access::ALL
            },
            options: CreateOptions::DIRECTORY_FILE,
            ..Self::named(name)
        }
    }

    /// As `self`, deleted when closed.
    pub fn temporary(self) -> Self {
        NewFile {
            options: self.options | CreateOptions::DELETE_ON_CLOSE,
            ..self
        }
    }

    /// Appends the body.
    ///
    /// # Errors
    ///
    /// [`smb_proto::wire::Full`].
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let name = utf16(self.name);
        let request = create::Request {
            oplock_level: self.oplock,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: self.access,
            file_attributes: FileAttributes::NORMAL,
            share_access: self.share,
            disposition: self.disposition,
            options: self.options,
            name: Utf16(&name),
            contexts: Contexts::EMPTY,
        };
        let mut chain = request.begin(w)?;
        self.contexts.write(&mut chain, w)?;
        chain.finish(w)
    }
}

impl Client {
    /// CREATE.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn create(&mut self, file: &NewFile<'_>) -> Result<FileId> {
        let answer = self.done(Command::Create, 1, |w| file.write(w))?;
        Ok(create::Reply::parse(&answer.pdu)?.file_id)
    }

    /// CLOSE.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn close(&mut self, file_id: FileId) -> Result<()> {
        let request = close::Request {
            file_id,
            ..close::Request::default()
        };
        self.done(Command::Close, 1, |w| request.write(w))?;
        Ok(())
    }

    /// READ of `length` bytes; the answer's data.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn read(&mut self, file_id: FileId, offset: u64, length: u32) -> Result<Vec<u8>> {
        let request = read::Request {
            length,
            offset,
            file_id,
            ..read::Request::default()
        };
        let answer = self.done(Command::Read, charge(length), |w| request.write(w))?;
        Ok(read::Reply::parse(&answer.pdu)?.data.to_vec())
    }

    /// WRITE; bytes written.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn write(&mut self, file_id: FileId, offset: u64, data: &[u8]) -> Result<u32> {
        let request = write::Request {
            offset,
            file_id,
            data,
            ..write::Request::default()
        };
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let answer = self.done(Command::Write, charge(len), |w| request.write(w))?;
        Ok(write::Reply::parse(&answer.pdu)?.count)
    }

    /// FLUSH.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn flush(&mut self, file_id: FileId) -> Result<()> {
        self.done(Command::Flush, 1, |w| flush::Request { file_id }.write(w))?;
        Ok(())
    }

    /// Sends a LOCK of one range without waiting; its message id.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send_lock(
        &mut self,
        file_id: FileId,
        range: (u64, u64),
        flags: LockFlags,
    ) -> Result<u64> {
        let locks = [Element {
            offset: range.0,
            length: range.1,
            flags,
        }];
        let request = NewRequest {
            sequence_number: 0,
            sequence_index: 0,
            file_id,
            locks: &locks,
        };
        self.send(Command::Lock, 1, |w| request.write(w))
    }

    /// LOCK of one range.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn lock(&mut self, file_id: FileId, range: (u64, u64), flags: LockFlags) -> Result<()> {
        let id = self.send_lock(file_id, range, flags)?;
        let answer = self.wait(id)?;
        self.accept(answer)?;
        Ok(())
    }

    /// IOCTL with a file system control; its output.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn control(
        &mut self,
        code: u32,
        file_id: FileId,
        input: &[u8],
        room: u32,
    ) -> Result<Vec<u8>> {
        let request = ioctl::Request {
            code,
            file_id,
            input,
            max_output_response: room,
            flags: IoctlFlags::IS_FSCTL,
            ..ioctl::Request::default()
        };
        let answer = self.done(Command::Ioctl, charge(room), |w| request.write(w))?;
        Ok(ioctl::Reply::parse(&answer.pdu)?.output.to_vec())
    }

    /// QUERY_DIRECTORY; the entries' bytes.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn list(
        &mut self,
        file_id: FileId,
        class: u8,
        flags: QueryDirectoryFlags,
        pattern: &str,
        room: u32,
    ) -> Result<Vec<u8>> {
        let pattern = utf16(pattern);
        let request = query_directory::Request {
            information_class: class,
            flags,
            file_index: 0,
            file_id,
            pattern: Utf16(&pattern),
            output_buffer_length: room,
        };
        let answer = self.done(Command::QueryDirectory, charge(room), |w| request.write(w))?;
        Ok(query_directory::Reply::parse(&answer.pdu)?.data.to_vec())
    }

    /// QUERY_INFO, whatever the answer's status.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn query(
        &mut self,
        file_id: FileId,
        kind: InfoType,
        class: u8,
        room: u32,
    ) -> Result<Answer> {
        let request = query_info::Request {
            info_type: kind,
            info_class: class,
            output_buffer_length: room,
            additional_information: if kind == InfoType::SECURITY { 7 } else { 0 },
            file_id,
            ..query_info::Request::default()
        };
        self.call(Command::QueryInfo, charge(room), |w| request.write(w))
    }

    /// SET_INFO, whatever the answer's status.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn set(
        &mut self,
        file_id: FileId,
        kind: InfoType,
        class: u8,
        data: &[u8],
    ) -> Result<Answer> {
        let request = set_info::Request {
            info_type: kind,
            info_class: class,
            additional_information: if kind == InfoType::SECURITY { 4 } else { 0 },
            file_id,
            data,
        };
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.call(Command::SetInfo, charge(len), |w| request.write(w))
    }

    /// Sends a CHANGE_NOTIFY without waiting; its message id.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn send_notify(&mut self, file_id: FileId, room: u32) -> Result<u64> {
        let request = change_notify::Request {
            flags: NotifyFlags::NONE,
            output_buffer_length: room,
            file_id,
            filter: CompletionFilter::ALL,
        };
        self.send(Command::ChangeNotify, charge(room), |w| request.write(w))
    }

    /// Sends a CANCEL for the request `id`, by its async id if it has one.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn cancel(&mut self, id: u64, async_id: Option<u64>) -> Result<()> {
        let next = (self.conn.next_id, self.conn.credits);
        let mut header = self.header(Command::Cancel, 0);
        // It uses up no id.
        (self.conn.next_id, self.conn.credits) = next;
        header.set_message_id(id);
        header.set_credits(0);
        if let Some(async_id) = async_id {
            header.set_async_id(async_id);
        }
        self.queue(&header, |w| Empty.write(w))?;
        self.conn.flush()
    }

    /// ECHO.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn echo(&mut self) -> Result<()> {
        self.done(Command::Echo, 1, |w| Empty.write(w))?;
        Ok(())
    }

    /// TREE_DISCONNECT.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn disconnect_tree(&mut self) -> Result<()> {
        self.done(Command::TreeDisconnect, 1, |w| Empty.write(w))?;
        Ok(())
    }

    /// LOGOFF.
    ///
    /// # Errors
    ///
    /// The server's status.
    pub fn log_off(&mut self) -> Result<()> {
        self.done(Command::Logoff, 1, |w| Empty.write(w))?;
        Ok(())
    }
}
