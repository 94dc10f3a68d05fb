// SPDX-License-Identifier: GPL-2.0

//! How requests are protected: each algorithm of [MS-SMB2] 2.2.3.1.2 and 2.2.3.1.7 alone, so that no other can be agreed on.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use smb_client::{Client, Offer, Options};
use smb_proto::negotiate::Dialect;
use smb_proto::negotiate_context::{Cipher, SigningAlgorithm};

/// How requests are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protection {
    Plain,
    /// With dialect 2.1, which knows no other
    HmacSha256,
    AesCmac,
    AesGmac,
    #[value(name = "aes-128-ccm")]
    Aes128Ccm,
    #[value(name = "aes-128-gcm")]
    Aes128Gcm,
    #[value(name = "aes-256-ccm")]
    Aes256Ccm,
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
}

/// What the server does not do.
#[derive(Debug)]
pub(crate) struct Unsupported(pub(crate) String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server does not support {}", self.0)
    }
}

impl std::error::Error for Unsupported {}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Protection {
    fn signing(self) -> Option<SigningAlgorithm> {
        match self {
            Protection::HmacSha256 => Some(SigningAlgorithm::HMAC_SHA256),
            Protection::AesCmac => Some(SigningAlgorithm::AES_CMAC),
            Protection::AesGmac => Some(SigningAlgorithm::AES_GMAC),
            _ => None,
        }
    }

    fn cipher(self) -> Option<Cipher> {
        match self {
            Protection::Aes128Ccm => Some(Cipher::AES_128_CCM),
            Protection::Aes128Gcm => Some(Cipher::AES_128_GCM),
            Protection::Aes256Ccm => Some(Cipher::AES_256_CCM),
            Protection::Aes256Gcm => Some(Cipher::AES_256_GCM),
            _ => None,
        }
    }

    /// How to connect, for messages of up to `room` bytes.
    pub(crate) fn options(self, room: usize) -> Options {
        let mut offer = Offer::default();
        if self == Protection::HmacSha256 {
            offer.dialects = vec![Dialect::SMB_2_1];
        }
        if let Some(signing) = self.signing() {
            offer.signing = vec![signing];
        }
        offer.ciphers = self.cipher().into_iter().collect();
        let protection = match (self.cipher(), self.signing()) {
            (Some(_), _) => smb_client::Protection::Seal,
            (None, Some(_)) => smb_client::Protection::Sign,
            (None, None) => smb_client::Protection::Plain,
        };
        Options {
            offer,
            protection,
            room,
        }
    }

    /// Refuses a client that agreed with the server on something else.
    ///
    /// # Errors
    ///
    /// [`Unsupported`].
    pub(crate) fn check(self, client: &Client) -> Result<()> {
        let negotiated = client.conn.negotiated()?;
        let signs = self
            .signing()
            .is_none_or(|wanted| wanted == negotiated.signing && client.session.signer.is_some());
        let seals = self.cipher().is_none_or(|wanted| {
            negotiated.cipher == Some(wanted) && client.session.sealing.is_some()
        });
        if !signs || !seals {
            return Err(Unsupported(self.to_string()).into());
        }
        Ok(())
    }
}
