// SPDX-License-Identifier: GPL-2.0

//! Requests on the way side by side: sends as many as depth and credits allow in one write, takes whatever answers came.

use anyhow::{bail, ensure, Result};
use smb_client::{Client, Error, Protection};
use smb_proto::header::Header;
use smb_proto::status::NtStatus;

/// Requests that wait in the buffer are sent when they are this many bytes, and the buffer has room for one more then.
const BATCH: usize = 64 << 10;

/// A number of like requests.
#[derive(Clone, Copy)]
pub(crate) struct Requests {
    /// How many.
    pub(crate) count: u64,
    /// Most that are on the way at a time.
    pub(crate) depth: u64,
    /// What each costs in credits.
    pub(crate) charge: u16,
}

impl Requests {
    /// Has `queue` write each request by its number, and `take` look at each answer, which has succeeded. Answers may come in any
    /// order.
    ///
    /// # Errors
    ///
    /// Those of the connection, of `queue` and of `take`, and the status of an answer that is one.
    pub(crate) fn run(
        self,
        client: &mut Client,
        mut queue: impl FnMut(&mut Client, u64) -> smb_client::Result<()>,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut sent = 0;
        let mut done = 0;
        while done < self.count {
            while sent < self.count
                && sent - done < self.depth
                && client.conn.credits >= u32::from(self.charge)
            {
                queue(client, sent)?;
                sent += 1;
                if client.conn.out.bytes().len() >= BATCH {
                    client.conn.flush()?;
                }
            }
            ensure!(sent > done, "the server grants too few credits");
            client.conn.flush()?;
            done += receive(client, &mut take)?;
            while client.conn.has_frame() {
                done += receive(client, &mut take)?;
            }
        }
        Ok(())
    }
}

/// Receives a frame; the number of answers in it that are final.
fn receive(client: &mut Client, take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let is_plain = client.protection == Protection::Plain;
    let mut done = 0;
    let mut outcome = Ok(());
    client.receive_each(|header, pdu, is_protected| {
        if header.status() == NtStatus::PENDING {
            return;
        }
        done += 1;
        if outcome.is_ok() {
            outcome = judge(header, is_plain || is_protected).and_then(|()| take(pdu));
        }
    })?;
    outcome.map(|()| done)
}

fn judge(header: &Header, is_protected: bool) -> Result<()> {
    if header.status().is_error() {
        return Err(Error::Status(header.status()).into());
    }
    if !is_protected {
        bail!("an answer is neither signed nor sealed");
    }
    Ok(())
}
