// SPDX-License-Identifier: GPL-2.0

//! Negotiate contexts, [MS-SMB2] 2.2.3.1 and 2.2.4.1, and the POSIX extensions' context (0x100).

use crate::body::{len16, len32, write_ids, Ids};
use crate::header::HEADER_LEN;
use crate::unicode::Utf16;
use crate::wire::{Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Contexts start at multiples of this, from the header's start.
const ALIGNMENT: usize = 8;

/// The data of the POSIX extensions' context: the GUID that names the extensions.
pub const POSIX_EXTENSIONS_GUID: [u8; 16] = [
    0x93, 0xAD, 0x25, 0x50, 0x9C, 0xB4, 0x11, 0xE7, 0xB4, 0x23, 0x83, 0xDE, 0x96, 0x8B, 0xCD, 0x7C,
];

open_enum! {
    /// `ContextType`.
    pub struct ContextType: u16 {
        /// Hash of the negotiation, required.
        PREAUTH_INTEGRITY = 0x0001;
        /// Ciphers.
        ENCRYPTION = 0x0002;
        /// Compression algorithms.
        COMPRESSION = 0x0003;
        /// Name of the server that the client wants.
        NETNAME = 0x0005;
        /// Properties of the transport.
        TRANSPORT = 0x0006;
        /// Transforms of RDMA payloads.
        RDMA_TRANSFORM = 0x0007;
        /// Signing algorithms.
        SIGNING = 0x0008;
        /// POSIX extensions.
        POSIX_EXTENSIONS = 0x0100;
    }
}

open_enum! {
    /// `HashAlgorithms`.
    pub struct HashAlgorithm: u16 {
        /// SHA-512.
        SHA_512 = 0x0001;
    }
}

open_enum! {
    /// `Ciphers`.
    pub struct Cipher: u16 {
        /// AES-128-CCM.
        AES_128_CCM = 0x0001;
        /// AES-128-GCM.
        AES_128_GCM = 0x0002;
        /// AES-256-CCM.
        AES_256_CCM = 0x0003;
        /// AES-256-GCM.
        AES_256_GCM = 0x0004;
    }
}

open_enum! {
    /// `CompressionAlgorithms`.
    pub struct CompressionAlgorithm: u16 {
        /// None.
        NONE = 0x0000;
        /// LZNT1, [MS-XCA] 2.5.
        LZNT1 = 0x0001;
        /// LZ77, [MS-XCA] 2.3.
        LZ77 = 0x0002;
        /// LZ77+Huffman, [MS-XCA] 2.1.
        LZ77_HUFFMAN = 0x0003;
        /// Runs of one byte, 2.2.42.2.2.
        PATTERN_V1 = 0x0004;
        /// LZ4.
        LZ4 = 0x0005;
    }
}

open_enum! {
    /// `SigningAlgorithms`.
    pub struct SigningAlgorithm: u16 {
        /// HMAC-SHA256.
        HMAC_SHA256 = 0x0000;
        /// AES-CMAC.
        AES_CMAC = 0x0001;
        /// AES-GMAC.
        AES_GMAC = 0x0002;
    }
}

open_enum! {
    /// `RDMATransformIds`.
    pub struct RdmaTransformId: u16 {
        /// None.
        NONE = 0x0000;
        /// Encrypted payloads.
        ENCRYPTION = 0x0001;
        /// Signed payloads.
        SIGNING = 0x0002;
    }
}

flags! {
    /// `Flags` of the compression context.
    pub struct CompressionFlags: u32 {
        /// Chained compression.
        CHAINED = 0x0000_0001;
    }
}

flags! {
    /// `Flags` of the transport context.
    pub struct TransportFlags: u32 {
        /// The transport encrypts: SMB2 need not.
        ACCEPT_TRANSPORT_LEVEL_SECURITY = 0x0000_0001;
    }
}

/// A negotiate context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context<'a> {
    /// 2.2.3.1.1.
    PreauthIntegrity {
        /// Hashes, in the sender's order.
        hashes: Ids<'a, HashAlgorithm>,
        /// Salt.
        salt: &'a [u8],
    },
    /// 2.2.3.1.2.
    Encryption(Ids<'a, Cipher>),
    /// 2.2.3.1.3.
    Compression {
        /// Flags.
        flags: CompressionFlags,
        /// Algorithms, in the sender's order.
        algorithms: Ids<'a, CompressionAlgorithm>,
    },
    /// 2.2.3.1.4.
    NetName(Utf16<'a>),
    /// 2.2.3.1.5.
    Transport(TransportFlags),
    /// 2.2.3.1.6.
    RdmaTransform(Ids<'a, RdmaTransformId>),
    /// 2.2.3.1.7.
    Signing(Ids<'a, SigningAlgorithm>),
    /// POSIX extensions; true if the data name the version that [`POSIX_EXTENSIONS_GUID`] names.
    Posix(bool),
    /// A type that the document does not define, to be ignored.
    Unknown(ContextType, &'a [u8]),
}

impl<'a> Context<'a> {
    fn parse(kind: ContextType, data: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(data);
        Ok(match kind {
            ContextType::PREAUTH_INTEGRITY => {
                let count = usize::from(r.u16()?);
                let salt_len = usize::from(r.u16()?);
                let hashes = non_empty(Ids::read(&mut r, count)?)?;
                Context::PreauthIntegrity {
                    hashes,
                    salt: r.take(salt_len)?,
                }
            }
            ContextType::ENCRYPTION => {
                let count = usize::from(r.u16()?);
                Context::Encryption(non_empty(Ids::read(&mut r, count)?)?)
            }
            ContextType::COMPRESSION => {
                let count = usize::from(r.u16()?);
                r.skip(2)?;
                let flags = CompressionFlags::from_bits(r.u32()?);
                Context::Compression {
                    flags,
                    algorithms: non_empty(Ids::read(&mut r, count)?)?,
                }
            }
            ContextType::NETNAME => Context::NetName(Utf16::new(data)?),
            ContextType::TRANSPORT => Context::Transport(TransportFlags::from_bits(r.u32()?)),
            ContextType::RDMA_TRANSFORM => {
                let count = usize::from(r.u16()?);
                r.skip(6)?;
                Context::RdmaTransform(non_empty(Ids::read(&mut r, count)?)?)
            }
            ContextType::SIGNING => {
                let count = usize::from(r.u16()?);
                Context::Signing(non_empty(Ids::read(&mut r, count)?)?)
            }
            // The extensions' document lets data of any length stand here; longer data begin with the GUID.
            ContextType::POSIX_EXTENSIONS => {
                Context::Posix(data.starts_with(&POSIX_EXTENSIONS_GUID))
            }
            _ => Context::Unknown(kind, data),
        })
    }
}

/// Lists of algorithms must not be empty (3.3.5.4).
fn non_empty<T: From<u16>>(ids: Ids<'_, T>) -> Parsed<Ids<'_, T>> {
    if ids.is_empty() {
        return Err(Malformed);
    }
    Ok(ids)
}

/// The contexts of a NEGOTIATE message.
///
/// # Invariants
///
/// Every one of the `count` contexts parses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextList<'a> {
    bytes: &'a [u8],
    count: u16,
}

impl<'a> ContextList<'a> {
    /// Checks the `count` contexts of `pdu` at `offset`, which must not lie before `lowest`.
    pub(crate) fn parse(pdu: &'a [u8], offset: usize, lowest: usize, count: u16) -> Parsed<Self> {
        if count == 0 {
            return Ok(ContextList { bytes: &[], count });
        }
        if offset < lowest || offset & (ALIGNMENT - 1) != 0 {
            return Err(Malformed);
        }
        let list = ContextList {
            bytes: pdu.get(offset..).ok_or(Malformed)?,
            count,
        };
        let mut rest = list.raw();
        while rest.left > 0 {
            rest.advance()?;
        }
        Ok(list)
    }

    /// Number of contexts.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The contexts, in their order.
    pub fn iter(&self) -> Contexts<'a> {
        self.raw()
    }

    fn raw(&self) -> Contexts<'a> {
        Contexts {
            rest: self.bytes,
            left: self.count,
        }
    }
}

impl<'a> IntoIterator for ContextList<'a> {
    type Item = Context<'a>;
    type IntoIter = Contexts<'a>;

    fn into_iter(self) -> Contexts<'a> {
        self.raw()
    }
}

/// Iterates over a [`ContextList`].
#[derive(Clone, Debug)]
pub struct Contexts<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Contexts<'a> {
    fn advance(&mut self) -> Parsed<Context<'a>> {
        let mut r = Reader::new(self.rest);
        let kind = ContextType(r.u16()?);
        let len = usize::from(r.u16()?);
        r.skip(4)?;
        let context = Context::parse(kind, r.take(len)?)?;
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            // The list starts aligned, and so does what follows the 8 bytes of a context's own header.
            r.skip(len.wrapping_neg() & (ALIGNMENT - 1))?;
        }
        self.rest = r.rest();
        Ok(context)
    }
}

impl<'a> Iterator for Contexts<'a> {
    type Item = Context<'a>;

    fn next(&mut self) -> Option<Context<'a>> {
        if self.left == 0 {
            return None;
        }
        self.advance().ok()
    }
}

/// Appends contexts to a NEGOTIATE message.
#[derive(Debug)]
#[must_use = "finish() patches the list's offset and count"]
pub struct ListWriter {
    body: Mark,
    offset_at: Mark,
    count_at: Mark,
    count: u16,
}

impl ListWriter {
    /// For the message whose body starts at `body`, with its fields at `offset_at` and `count_at`. Both stay zero if no
    /// context follows.
    pub(crate) fn new(body: Mark, offset_at: Mark, count_at: Mark) -> Self {
        ListWriter {
            body,
            offset_at,
            count_at,
            count: 0,
        }
    }

    /// Appends a context of any type, its data written by `fill`.
    pub fn add(
        &mut self,
        w: &mut Writer<'_>,
        kind: ContextType,
        fill: impl FnOnce(&mut Writer<'_>) -> Written,
    ) -> Written {
        w.align(self.body, ALIGNMENT)?;
        if self.count == 0 {
            let offset = len32(w.since(self.body).checked_add(HEADER_LEN).ok_or(Full)?)?;
            w.patch_u32(self.offset_at, offset)?;
        }
        w.u16(kind.0)?;
        let length_at = w.mark();
        w.u16(0)?;
        w.u32(0)?;
        let start = w.mark();
        fill(w)?;
        let len = len16(w.since(start))?;
        w.patch_u16(length_at, len)?;
        self.count = self.count.checked_add(1).ok_or(Full)?;
        Ok(())
    }

    /// Appends PREAUTH_INTEGRITY_CAPABILITIES.
    pub fn preauth_integrity(
        &mut self,
        w: &mut Writer<'_>,
        hashes: &[HashAlgorithm],
        salt: &[u8],
    ) -> Written {
        self.add(w, ContextType::PREAUTH_INTEGRITY, |w| {
            w.u16(len16(hashes.len())?)?;
            w.u16(len16(salt.len())?)?;
            write_ids(w, hashes)?;
            w.bytes(salt)
        })
    }

    /// Appends ENCRYPTION_CAPABILITIES.
    pub fn encryption(&mut self, w: &mut Writer<'_>, ciphers: &[Cipher]) -> Written {
        self.add(w, ContextType::ENCRYPTION, |w| {
            w.u16(len16(ciphers.len())?)?;
            write_ids(w, ciphers)
        })
    }

    /// Appends COMPRESSION_CAPABILITIES.
    pub fn compression(
        &mut self,
        w: &mut Writer<'_>,
        flags: CompressionFlags,
        algorithms: &[CompressionAlgorithm],
    ) -> Written {
        self.add(w, ContextType::COMPRESSION, |w| {
            w.u16(len16(algorithms.len())?)?;
            w.u16(0)?;
            w.u32(flags.bits())?;
            write_ids(w, algorithms)
        })
    }

    /// Appends NETNAME_NEGOTIATE_CONTEXT_ID.
    pub fn net_name(&mut self, w: &mut Writer<'_>, name: Utf16<'_>) -> Written {
        self.add(w, ContextType::NETNAME, |w| w.bytes(name.0))
    }

    /// Appends TRANSPORT_CAPABILITIES.
    pub fn transport(&mut self, w: &mut Writer<'_>, flags: TransportFlags) -> Written {
        self.add(w, ContextType::TRANSPORT, |w| w.u32(flags.bits()))
    }

    /// Appends RDMA_TRANSFORM_CAPABILITIES.
    pub fn rdma_transform(&mut self, w: &mut Writer<'_>, ids: &[RdmaTransformId]) -> Written {
        self.add(w, ContextType::RDMA_TRANSFORM, |w| {
            w.u16(len16(ids.len())?)?;
            w.u16(0)?;
            w.u32(0)?;
            write_ids(w, ids)
        })
    }

    /// Appends SIGNING_CAPABILITIES.
    pub fn signing(&mut self, w: &mut Writer<'_>, algorithms: &[SigningAlgorithm]) -> Written {
        self.add(w, ContextType::SIGNING, |w| {
            w.u16(len16(algorithms.len())?)?;
            write_ids(w, algorithms)
        })
    }

    /// Appends the POSIX extensions' context.
    pub fn posix(&mut self, w: &mut Writer<'_>) -> Written {
        self.add(w, ContextType::POSIX_EXTENSIONS, |w| {
            w.bytes(&POSIX_EXTENSIONS_GUID)
        })
    }

    /// Patches the count.
    pub fn finish(self, w: &mut Writer<'_>) -> Written {
        w.patch_u16(self.count_at, self.count)
    }
}
