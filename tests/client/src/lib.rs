// SPDX-License-Identifier: GPL-2.0

//! A raw SMB2/3 client over TCP, for tests that must control every byte, and for load that must cost little.
//!
//! Three layers, each usable alone:
//!
//! - [`Outgoing`] and [`Incoming`]: buffers that are allocated once. Messages are written straight into the one, compounded,
//!   signed and sealed in place, several packets before one write; the other hands out frames of one read, where they lie.
//! - [`Connection`]: a socket, message ids, credits, what was negotiated. Sends any bytes that it is given, right or wrong.
//! - [`Client`]: a session and a tree connect on a connection, and one function for each command. Requests are sent with
//!   [`Client::send`], which does not wait; answers come by [`Client::wait`], in any order, or by
//!   [`Client::receive_each`], without a copy.
//!
//! The formats are [`smb_proto`]'s, keys and nonces [`smb_model`]'s. [MS-SMB2] 3.2.

mod client;
mod connection;
pub mod crypto;
mod error;
mod incoming;
mod login;
mod operations;
mod outgoing;
mod session;

pub use client::{Answer, Client, Options, Protection, Target};
pub use connection::{Connection, Negotiated, Offer};
pub use error::{Error, Result};
pub use incoming::Incoming;
pub use login::{Credentials, Ntlm};
pub use operations::{access, NewFile};
pub use outgoing::Outgoing;
pub use session::{Sealing, Session, Setup, SetupHeader};
