// SPDX-License-Identifier: GPL-2.0

//! `clients`: the connections.

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use linux::address::AddressText;
use linux::procfs::{Key, List};
use smb_model::negotiate::{Cipher, Signing};

use crate::connection::Connection;
use crate::server::Server;

use super::place;
use super::text::Flags;

pub(super) struct Clients(pub(super) Arc<Server>);

impl List for Clients {
    type Entry = Arc<Connection>;

    fn next(&self, after: Option<Key>) -> Result<Option<(Key, Arc<Connection>)>> {
        let [id, ..] = place(after);
        let found = self.0.connections.after(id);
        Ok(found.map(|conn| ([conn.id, 0, 0], conn)))
    }

    fn show(&self, conn: &Arc<Connection>, out: &SeqFile) -> Result {
        seq_print!(out, "client:\t{}\n", conn.peer.as_str());
        seq_print!(out, "port:\t{}\n", conn.peer.port());
        let local = AddressText::new(conn.local.ip());
        seq_print!(out, "server:\t{}\n", local.as_str());
        seq_print!(out, "connection:\t{}\n", conn.id);
        seq_print!(out, "transport:\ttcp\n");
        let negotiated = conn.negotiated();
        let state = match negotiated {
            _ if conn.has_ended() => "exiting",
            None => "negotiate",
            Some(_) if conn.is_authenticated() => "good",
            Some(_) => "setup",
        };
        seq_print!(out, "state:\t{state}\n");
        let dialect = negotiated.map_or(0, |n| n.dialect.to_wire());
        seq_print!(out, "dialect:\t{dialect:#06x}\n");
        let most = conn.config.max_credits;
        seq_print!(out, "credits:\t{}/{most}\n", conn.credits());
        seq_print!(out, "sessions:\t{}\n", conn.channels.count());
        seq_print!(out, "requests_in_work:\t{}\n", conn.requests());
        seq_print!(out, "messages:\t{}\n", conn.traffic.frames());
        seq_print!(out, "bytes_received:\t{}\n", conn.traffic.received());
        seq_print!(out, "bytes_sent:\t{}\n", conn.traffic.sent());
        let features = [
            (negotiated.is_some(), "sign"),
            (negotiated.is_some_and(|n| n.cipher.is_some()), "encrypt"),
            (negotiated.is_some_and(|n| n.posix), "posix"),
        ];
        seq_print!(out, "features:\t{}\n", Flags(&features));
        if let Some(negotiated) = negotiated {
            seq_print!(out, "signing:\t{}\n", signing_name(negotiated.signing));
            if let Some(cipher) = negotiated.cipher {
                seq_print!(out, "encryption:\t{}\n", cipher_name(cipher));
            }
        }
        let idle = conn.idle_ms() / 1_000;
        seq_print!(out, "idle_seconds:\t{idle}\n\n");
        Ok(())
    }
}

fn signing_name(signing: Signing) -> &'static str {
    match signing {
        Signing::HmacSha256 => "hmac-sha256",
        Signing::AesCmac => "aes-cmac",
        Signing::AesGmac => "aes-gmac",
    }
}

fn cipher_name(cipher: Cipher) -> &'static str {
    match cipher {
        Cipher::Aes128Ccm => "aes128-ccm",
        Cipher::Aes128Gcm => "aes128-gcm",
        Cipher::Aes256Ccm => "aes256-ccm",
        Cipher::Aes256Gcm => "aes256-gcm",
    }
}
