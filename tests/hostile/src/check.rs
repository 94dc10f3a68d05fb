// SPDX-License-Identifier: GPL-2.0

//! What cases assert of the server's answers.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use smb_client::{Answer, Connection, Error};
use smb_proto::header::Header;
use smb_proto::status::NtStatus;

/// What the server does with something that it should not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It closed the connection.
    Closed,
    /// It answered.
    Answered(NtStatus),
}

/// The next thing that the server does on the connection, interim answers apart.
pub(crate) fn outcome(conn: &mut Connection) -> Result<Outcome> {
    loop {
        match conn.receive() {
            Ok(frame) => {
                let Ok(header) = Header::parse(frame) else {
                    bail!("the server sent a frame that is no message: {frame:02x?}");
                };
                if header.status() != NtStatus::PENDING {
                    return Ok(Outcome::Answered(header.status()));
                }
            }
            Err(Error::Closed) => return Ok(Outcome::Closed),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The server must close the connection, without an answer.
pub(crate) fn closed(conn: &mut Connection) -> Result<()> {
    match outcome(conn)? {
        Outcome::Closed => Ok(()),
        Outcome::Answered(status) => {
            bail!("the server answered {status:?}, it should close the connection")
        }
    }
}

/// The server must answer with one of `statuses`.
pub(crate) fn answers(conn: &mut Connection, statuses: &[NtStatus]) -> Result<()> {
    match outcome(conn)? {
        Outcome::Answered(status) if statuses.contains(&status) => Ok(()),
        Outcome::Answered(status) => {
            bail!("the server answered {status:?}, not one of {statuses:?}")
        }
        Outcome::Closed => {
            bail!("the server closed the connection, it should answer one of {statuses:?}")
        }
    }
}

/// Something must have failed with one of `statuses`.
pub(crate) fn refused<T>(result: Result<T, Error>, statuses: &[NtStatus]) -> Result<()> {
    match result {
        Ok(_) => bail!("the server did it, it should refuse with one of {statuses:?}"),
        Err(Error::Status(status)) if statuses.contains(&status) => Ok(()),
        Err(error) => bail!("{error}, where one of {statuses:?} is due"),
    }
}

/// The answer must have one of `statuses`.
pub(crate) fn is_one_of(answer: &Answer, statuses: &[NtStatus]) -> Result<()> {
    let status = answer.status();
    ensure!(
        statuses.contains(&status),
        "the server answered {status:?}, not one of {statuses:?}"
    );
    Ok(())
}

/// Nothing may come on the connection for a moment.
pub(crate) fn silent(conn: &mut Connection, moment: Duration) -> Result<()> {
    conn.set_patience(moment)?;
    let came = conn.receive().map(|frame| frame.to_vec());
    conn.reset_patience()?;
    match came {
        Err(Error::Timeout) => Ok(()),
        Ok(frame) => bail!("an answer came where none is due: {frame:02x?}"),
        Err(error) => Err(error.into()),
    }
}
