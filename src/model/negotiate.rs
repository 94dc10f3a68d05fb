// SPDX-License-Identifier: GPL-2.0

//! What two sides agree on: dialect, algorithms, capabilities.
//!
//! [MS-SMB2] 3.3.5.3 (multi-protocol negotiation), 3.3.5.4 (NEGOTIATE), 2.2.3.1 (contexts), 3.3.5.15.12 (validation of
//! the negotiation), 3.1.4.1 (signing).
//!
//! Everything here is chosen per connection and by value: one client's offer never changes another's.

use smb_proto::status::NtStatus;

/// A dialect that the server can speak, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// SMB 2.0.2.
    V2_0_2,
    /// SMB 2.1.
    V2_1,
    /// SMB 3.0.
    V3_0,
    /// SMB 3.0.2.
    V3_0_2,
    /// SMB 3.1.1.
    V3_1_1,
}

impl Dialect {
    /// The dialect of a `DialectRevision`; `None` for one that is not spoken, the wildcard included.
    pub fn from_wire(value: u16) -> Option<Self> {
        Some(match value {
            0x0202 => Self::V2_0_2,
            0x0210 => Self::V2_1,
            0x0300 => Self::V3_0,
            0x0302 => Self::V3_0_2,
            0x0311 => Self::V3_1_1,
            _ => return None,
        })
    }

    /// The `DialectRevision`.
    pub fn to_wire(self) -> u16 {
        match self {
            Self::V2_0_2 => 0x0202,
            Self::V2_1 => 0x0210,
            Self::V3_0 => 0x0300,
            Self::V3_0_2 => 0x0302,
            Self::V3_1_1 => 0x0311,
        }
    }

    /// Whether it belongs to the SMB 3 family: encryption, multichannel, persistent handles, AES signing.
    pub fn is_3(self) -> bool {
        self >= Self::V3_0
    }

    /// Whether a request may cost more than one credit.
    pub fn has_large_mtu(self) -> bool {
        self >= Self::V2_1
    }
}

/// `DialectRevision` of the reply to a multi-protocol negotiation that goes on with a NEGOTIATE of SMB2,
/// [MS-SMB2] 2.2.4.
pub const WILDCARD: u16 = 0x02FF;

/// The dialects that the configuration allows: `server min protocol` to `server max protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    min: Dialect,
    max: Dialect,
}

impl Range {
    /// From `min` to `max`, both included; `None` if that is empty.
    pub fn new(min: Dialect, max: Dialect) -> Option<Self> {
        if min > max {
            return None;
        }
        Some(Range { min, max })
    }

    /// Whether the dialect lies in it.
    pub fn contains(self, dialect: Dialect) -> bool {
        self.min <= dialect && dialect <= self.max
    }

    /// The lowest dialect.
    pub fn min(self) -> Dialect {
        self.min
    }

    /// The highest dialect.
    pub fn max(self) -> Dialect {
        self.max
    }

    /// The highest dialect that both sides speak, [MS-SMB2] 3.3.5.4.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if the client offers none at all, `STATUS_NOT_SUPPORTED` if it offers none in range.
    pub fn select(self, offered: impl Iterator<Item = u16>) -> Result<Dialect, NtStatus> {
        let mut any = false;
        let mut best = None;
        for dialect in offered {
            any = true;
            best = best.max(Dialect::from_wire(dialect).filter(|dialect| self.contains(*dialect)));
        }
        if !any {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        best.ok_or(NtStatus::NOT_SUPPORTED)
    }

    /// What to answer to an SMB1 NEGOTIATE, [MS-SMB2] 3.3.5.3.
    ///
    /// `has_2_002` and `has_2_wildcard` are whether its list has `SMB 2.002` and `SMB 2.???`.
    ///
    /// # Errors
    ///
    /// `STATUS_NOT_SUPPORTED` if it offers nothing that the configuration allows: the connection is closed.
    pub fn select_multi_protocol(
        self,
        has_2_002: bool,
        has_2_wildcard: bool,
    ) -> Result<MultiProtocol, NtStatus> {
        if has_2_wildcard && self.max >= Dialect::V2_1 {
            return Ok(MultiProtocol::Wildcard);
        }
        if has_2_002 && self.contains(Dialect::V2_0_2) {
            return Ok(MultiProtocol::Final(Dialect::V2_0_2));
        }
        Err(NtStatus::NOT_SUPPORTED)
    }
}

/// The answer to an SMB1 NEGOTIATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultiProtocol {
    /// This dialect is agreed on; a NEGOTIATE of SMB2 after it is an error.
    Final(Dialect),
    /// The client is to send a NEGOTIATE of SMB2.
    Wildcard,
}

/// An encryption algorithm, [MS-SMB2] 2.2.3.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES-128-CCM.
    Aes128Ccm,
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-CCM.
    Aes256Ccm,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Cipher {
    /// The server's order: GCM is several times faster than CCM, and 128 bits suffice unless the configuration says
    /// otherwise.
    pub const PREFERENCE: [Cipher; 4] = [
        Self::Aes128Gcm,
        Self::Aes256Gcm,
        Self::Aes128Ccm,
        Self::Aes256Ccm,
    ];

    /// The cipher of an id.
    pub fn from_wire(value: u16) -> Option<Self> {
        Some(match value {
            1 => Self::Aes128Ccm,
            2 => Self::Aes128Gcm,
            3 => Self::Aes256Ccm,
            4 => Self::Aes256Gcm,
            _ => return None,
        })
    }

    /// The id.
    pub fn to_wire(self) -> u16 {
        match self {
            Self::Aes128Ccm => 1,
            Self::Aes128Gcm => 2,
            Self::Aes256Ccm => 3,
            Self::Aes256Gcm => 4,
        }
    }

    /// Length of its key in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes128Gcm => 16,
            Self::Aes256Ccm | Self::Aes256Gcm => 32,
        }
    }

    /// Length of its nonce in bytes.
    pub fn nonce_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes256Ccm => 11,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
        }
    }
}

/// A signing algorithm, [MS-SMB2] 2.2.3.1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signing {
    /// HMAC-SHA256.
    HmacSha256,
    /// AES-128-CMAC.
    AesCmac,
    /// AES-128-GMAC.
    AesGmac,
}

impl Signing {
    /// The server's order, the fastest first.
    pub const PREFERENCE: [Signing; 3] = [Self::AesGmac, Self::AesCmac, Self::HmacSha256];

    /// The algorithm of an id.
    pub fn from_wire(value: u16) -> Option<Self> {
        Some(match value {
            0 => Self::HmacSha256,
            1 => Self::AesCmac,
            2 => Self::AesGmac,
            _ => return None,
        })
    }

    /// The id.
    pub fn to_wire(self) -> u16 {
        match self {
            Self::HmacSha256 => 0,
            Self::AesCmac => 1,
            Self::AesGmac => 2,
        }
    }

    /// The algorithm that a dialect signs with when none was negotiated, [MS-SMB2] 3.1.4.1.
    pub fn default_of(dialect: Dialect) -> Self {
        if dialect.is_3() {
            Self::AesCmac
        } else {
            Self::HmacSha256
        }
    }

    /// The algorithm of a connection: what was negotiated in 3.1.1, else the dialect's.
    pub fn of(dialect: Dialect, negotiated: Option<Signing>) -> Self {
        match negotiated {
            Some(signing) if dialect == Dialect::V3_1_1 => signing,
            _ => Self::default_of(dialect),
        }
    }
}

/// The first of `preference` that is in `offered`: the server's order decides, whatever the client's.
pub fn prefer<T: Copy + PartialEq>(
    preference: impl Iterator<Item = T>,
    offered: impl Iterator<Item = T> + Clone,
) -> Option<T> {
    let mut preference = preference;
    preference.find(|mine| offered.clone().any(|its| its == *mine))
}

/// Those of `preference` that are in `offered`, in the server's order: for contexts whose reply names all that both sides
/// have, as compression and RDMA transforms do ([MS-SMB2] 3.3.5.4).
pub fn common<T: Copy + PartialEq>(
    preference: impl Iterator<Item = T>,
    offered: impl Iterator<Item = T> + Clone,
) -> impl Iterator<Item = T> {
    preference.filter(move |mine| offered.clone().any(|its| its == *mine))
}

/// Chooses the cipher from the ids of an encryption context. `None` if there is none in common: the reply then names
/// cipher 0 ([MS-SMB2] 3.3.5.4).
pub fn select_cipher(
    preference: &[Cipher],
    offered: impl Iterator<Item = u16> + Clone,
) -> Option<Cipher> {
    prefer(
        preference.iter().copied(),
        offered.filter_map(Cipher::from_wire),
    )
}

/// Chooses the signing algorithm from the ids of a signing context. `None` if there is none in common: the reply then has
/// no such context, and [`Signing::default_of`] holds.
pub fn select_signing(
    preference: &[Signing],
    offered: impl Iterator<Item = u16> + Clone,
) -> Option<Signing> {
    prefer(
        preference.iter().copied(),
        offered.filter_map(Signing::from_wire),
    )
}

/// Checks the preauthentication integrity context of a 3.1.1 offer: SHA-512, id 1, is the only hash there is.
///
/// `contexts` is how many such contexts the request has, `hashes` the algorithms of the first.
///
/// # Errors
///
/// `STATUS_INVALID_PARAMETER` unless there is exactly one context, with an algorithm;
/// `STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP` if SHA-512 is not among them.
pub fn check_preauth(contexts: usize, hashes: impl Iterator<Item = u16>) -> Result<(), NtStatus> {
    let mut any = false;
    let mut sha512 = false;
    for hash in hashes {
        any = true;
        sha512 |= hash == 1;
    }
    if contexts != 1 || !any {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if !sha512 {
        return Err(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
    }
    Ok(())
}

/// A set of `Capabilities`, [MS-SMB2] 2.2.3 and 2.2.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// No capability.
    pub const NONE: Capabilities = Capabilities(0);
    /// SMB2_GLOBAL_CAP_DFS.
    pub const DFS: Capabilities = Capabilities(0x01);
    /// SMB2_GLOBAL_CAP_LEASING.
    pub const LEASING: Capabilities = Capabilities(0x02);
    /// SMB2_GLOBAL_CAP_LARGE_MTU.
    pub const LARGE_MTU: Capabilities = Capabilities(0x04);
    /// SMB2_GLOBAL_CAP_MULTI_CHANNEL.
    pub const MULTI_CHANNEL: Capabilities = Capabilities(0x08);
    /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES.
    pub const PERSISTENT_HANDLES: Capabilities = Capabilities(0x10);
    /// SMB2_GLOBAL_CAP_DIRECTORY_LEASING.
    pub const DIRECTORY_LEASING: Capabilities = Capabilities(0x20);
    /// SMB2_GLOBAL_CAP_ENCRYPTION.
    pub const ENCRYPTION: Capabilities = Capabilities(0x40);
    /// SMB2_GLOBAL_CAP_NOTIFICATIONS.
    pub const NOTIFICATIONS: Capabilities = Capabilities(0x80);

    /// Whether it has all of `other`.
    pub const fn contains(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// The capabilities of either.
    #[must_use]
    pub const fn union(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// What the server announces on this connection, [MS-SMB2] 3.3.5.4.
    ///
    /// `self` is what the configuration allows, `client` what the client announced. Multichannel, persistent handles,
    /// directory leases and encryption need the client's word too; 3.1.1 agrees on encryption in a context, so the flag is for
    /// 3.0 and 3.0.2 alone.
    #[must_use]
    pub fn announced(self, dialect: Dialect, client: Capabilities) -> Capabilities {
        let both = Self::MULTI_CHANNEL.0 | Self::PERSISTENT_HANDLES.0 | Self::DIRECTORY_LEASING.0;
        let mut possible = match dialect {
            Dialect::V2_0_2 => Self::DFS.0,
            Dialect::V2_1 => Self::DFS.0 | Self::LEASING.0 | Self::LARGE_MTU.0,
            _ => Self::DFS.0 | Self::LEASING.0 | Self::LARGE_MTU.0 | (both & client.0),
        };
        if matches!(dialect, Dialect::V3_0 | Dialect::V3_0_2) {
            possible |= Self::ENCRYPTION.0 & client.0;
        }
        if dialect == Dialect::V3_1_1 {
            possible |= Self::NOTIFICATIONS.0 & client.0;
        }
        Capabilities(self.0 & possible)
    }
}

/// What both sides said in NEGOTIATE, to be compared with what FSCTL_VALIDATE_NEGOTIATE_INFO says they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOffer {
    /// `Capabilities` of the request.
    pub capabilities: u32,
    /// `ClientGuid` of the request.
    pub guid: [u8; 16],
    /// `SecurityMode` of the request.
    pub security_mode: u16,
}

/// Compares the client's recollection with the connection's, [MS-SMB2] 3.3.5.15.12. A difference means that someone
/// changed the negotiation on its way: the connection must be dropped without a reply.
///
/// `dialects` is the list of the validation, `agreed` the connection's dialect.
pub fn validates(
    at_negotiation: &ClientOffer,
    now: &ClientOffer,
    range: Range,
    agreed: Dialect,
    dialects: impl Iterator<Item = u16>,
) -> bool {
    at_negotiation == now && range.select(dialects) == Ok(agreed)
}

/// `SecurityMode` bit: the side can sign.
pub const SIGNING_ENABLED: u16 = 1;
/// `SecurityMode` bit: the side insists on signing.
pub const SIGNING_REQUIRED: u16 = 2;

/// The server's policy on signing: the `server signing` key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningPolicy {
    /// Sign if the client requires it.
    Offered,
    /// All requests of authenticated users must be signed.
    Required,
}

impl SigningPolicy {
    /// The `SecurityMode` of the reply: SMB2 can always sign.
    pub fn security_mode(self) -> u16 {
        match self {
            Self::Offered => SIGNING_ENABLED,
            Self::Required => SIGNING_ENABLED | SIGNING_REQUIRED,
        }
    }

    /// Whether a session's requests must be signed, [MS-SMB2] 3.3.5.5.3. `security_mode` is that of SESSION_SETUP. Guests
    /// and anonymous users have no key to sign with.
    pub fn session_must_sign(self, security_mode: u16, has_key: bool) -> bool {
        has_key && (self == Self::Required || security_mode & SIGNING_REQUIRED != 0)
    }
}

/// Largest read, write and transaction of a dialect, in bytes: 2.0.2 knows no credits for more than 64 KiB
/// ([MS-SMB2] 3.3.5.4).
pub fn max_io(dialect: Dialect, configured: u32) -> u32 {
    if dialect.has_large_mtu() {
        configured
    } else {
        configured.min(65536)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Range {
        Range::new(Dialect::V2_0_2, Dialect::V3_1_1).unwrap()
    }

    #[test]
    fn dialects() {
        let offered = [0x0202, 0x0311, 0x0210, 0x0300, 0x9999];
        assert_eq!(all().select(offered.into_iter()), Ok(Dialect::V3_1_1));
        let old = Range::new(Dialect::V2_1, Dialect::V3_0_2).unwrap();
        assert_eq!(old.select(offered.into_iter()), Ok(Dialect::V3_0));
        assert_eq!(
            old.select([0x0202, WILDCARD].into_iter()),
            Err(NtStatus::NOT_SUPPORTED)
        );
        assert_eq!(old.select([].into_iter()), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(Range::new(Dialect::V3_0, Dialect::V2_1), None);
        for wire in 0..=u16::MAX {
            if let Some(dialect) = Dialect::from_wire(wire) {
                assert_eq!(dialect.to_wire(), wire);
            }
        }
    }

    #[test]
    fn multi_protocol() {
        assert_eq!(
            all().select_multi_protocol(true, true),
            Ok(MultiProtocol::Wildcard)
        );
        assert_eq!(
            all().select_multi_protocol(true, false),
            Ok(MultiProtocol::Final(Dialect::V2_0_2))
        );
        let new = Range::new(Dialect::V3_0, Dialect::V3_1_1).unwrap();
        assert_eq!(
            new.select_multi_protocol(true, false),
            Err(NtStatus::NOT_SUPPORTED)
        );
        assert_eq!(
            new.select_multi_protocol(false, true),
            Ok(MultiProtocol::Wildcard)
        );
        let oldest = Range::new(Dialect::V2_0_2, Dialect::V2_0_2).unwrap();
        assert_eq!(
            oldest.select_multi_protocol(true, true),
            Ok(MultiProtocol::Final(Dialect::V2_0_2))
        );
    }

    #[test]
    fn algorithms() {
        assert_eq!(
            select_cipher(&Cipher::PREFERENCE, [1, 3, 2].into_iter()),
            Some(Cipher::Aes128Gcm)
        );
        assert_eq!(
            select_cipher(&Cipher::PREFERENCE, [1, 9].into_iter()),
            Some(Cipher::Aes128Ccm)
        );
        assert_eq!(select_cipher(&Cipher::PREFERENCE, [9].into_iter()), None);
        assert!(common([3, 1, 2].into_iter(), [2, 3, 9].into_iter()).eq([3, 2]));
        assert_eq!(
            select_signing(&Signing::PREFERENCE, [0, 1, 2].into_iter()),
            Some(Signing::AesGmac)
        );
        assert_eq!(
            select_signing(&Signing::PREFERENCE, [0].into_iter()),
            Some(Signing::HmacSha256)
        );
        assert_eq!(
            Signing::of(Dialect::V3_1_1, Some(Signing::HmacSha256)),
            Signing::HmacSha256
        );
        assert_eq!(Signing::of(Dialect::V3_1_1, None), Signing::AesCmac);
        assert_eq!(
            Signing::of(Dialect::V3_0, Some(Signing::AesGmac)),
            Signing::AesCmac
        );
        assert_eq!(Signing::of(Dialect::V2_1, None), Signing::HmacSha256);
        assert_eq!(check_preauth(1, [1].into_iter()), Ok(()));
        assert_eq!(
            check_preauth(1, [2].into_iter()),
            Err(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP)
        );
        assert_eq!(
            check_preauth(0, [].into_iter()),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(
            check_preauth(2, [1].into_iter()),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }

    #[test]
    fn capabilities() {
        let mine = Capabilities(0x7f);
        let its = Capabilities(0x7f);
        assert_eq!(mine.announced(Dialect::V2_0_2, its), Capabilities::DFS);
        assert_eq!(mine.announced(Dialect::V2_1, its), Capabilities(0x07));
        assert_eq!(mine.announced(Dialect::V3_0, its), Capabilities(0x7f));
        assert_eq!(
            mine.announced(Dialect::V3_0, Capabilities::NONE),
            Capabilities(0x07)
        );
        assert_eq!(
            mine.announced(Dialect::V3_1_1, its),
            Capabilities(0x3f),
            "its encryption is in a context"
        );
        assert_eq!(
            Capabilities::LARGE_MTU.announced(Dialect::V3_0, its),
            Capabilities::LARGE_MTU
        );
    }

    #[test]
    fn validation() {
        let offer = ClientOffer {
            capabilities: 0x7f,
            guid: [7; 16],
            security_mode: 1,
        };
        let dialects = || [0x0210, 0x0300].into_iter();
        assert!(validates(&offer, &offer, all(), Dialect::V3_0, dialects()));
        assert!(
            !validates(&offer, &offer, all(), Dialect::V2_1, dialects()),
            "a dialect was struck out"
        );
        let changed = ClientOffer {
            security_mode: 3,
            ..offer
        };
        assert!(!validates(
            &offer,
            &changed,
            all(),
            Dialect::V3_0,
            dialects()
        ));
    }

    #[test]
    fn who_must_sign() {
        assert!(SigningPolicy::Required.session_must_sign(1, true));
        assert!(!SigningPolicy::Required.session_must_sign(1, false));
        assert!(SigningPolicy::Offered.session_must_sign(2, true));
        assert!(!SigningPolicy::Offered.session_must_sign(1, true));
        assert_eq!(max_io(Dialect::V2_0_2, 8 << 20), 65536);
        assert_eq!(max_io(Dialect::V3_0, 8 << 20), 8 << 20);
    }
}
