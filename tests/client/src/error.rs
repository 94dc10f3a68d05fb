// SPDX-License-Identifier: GPL-2.0

//! What can go wrong.

use smb_proto::status::NtStatus;
use smb_proto::wire::{Full, Malformed};

/// Why something failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server closed the connection, in order or not.
    #[error("the server closed the connection")]
    Closed,
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// Anything else that the socket says.
    #[error("socket: {0}")]
    Socket(std::io::Error),
    /// The server answered with this status.
    #[error("the server answered {0:?}")]
    Status(NtStatus),
    /// The server sent something that cannot be read.
    #[error("the server sent something malformed: {0}")]
    Malformed(&'static str),
    /// The server's signature or seal is wrong or missing.
    #[error("the answer is not protected: {0}")]
    Unprotected(&'static str),
    /// The message is larger than the buffer for it.
    #[error("the message does not fit the buffer")]
    Full,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The status that the server answered with, if it answered.
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Error::Status(status) => Some(*status),
            _ => None,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::WouldBlock | Kind::TimedOut => Error::Timeout,
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::UnexpectedEof => Error::Closed,
            _ => Error::Socket(error),
        }
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Error::Malformed("a message")
    }
}

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Error::Full
    }
}
