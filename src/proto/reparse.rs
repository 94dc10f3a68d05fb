// SPDX-License-Identifier: GPL-2.0

//! Reparse data buffers, [MS-FSCC] 2.1.2: symbolic links, mount points, NFS special files, and the bare tags of WSL.

use crate::file_info::ReparseTag;
use crate::layout::{fixed_enum, fixed_flags, Fixed};
use crate::unicode::{Text, Utf16};
use crate::wire::{slice_at, Full, Malformed, Mark, Parsed, Reader, Writer, Written};

/// Most bytes of a reparse data buffer (2.1.2).
pub const MAX_REPARSE_SIZE: usize = 16_384;

flags! {
    /// Flags of a symbolic link.
    pub struct SymlinkFlags: u32 {
        /// The target is relative to the link.
        RELATIVE = 1;
    }
}

open_enum! {
    /// Type of an NFS reparse point (2.1.2.6).
    pub struct NfsType: u64 {
        /// Symbolic link.
        LNK = 0x0000_0000_014B_4E4C;
        /// Character device.
        CHR = 0x0000_0000_0052_4843;
        /// Block device.
        BLK = 0x0000_0000_004B_4C42;
        /// FIFO.
        FIFO = 0x0000_0000_4F46_4946;
        /// Socket.
        SOCK = 0x0000_0000_4B43_4F53;
    }
}

fixed_flags!(u32: SymlinkFlags);
fixed_enum!(u64: NfsType);

/// The data of a reparse point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReparseData<'a> {
    /// Symbolic link (2.1.2.4).
    Symlink {
        /// Where it leads.
        substitute: Text<'a>,
        /// What is shown.
        print: Text<'a>,
        /// Flags.
        flags: SymlinkFlags,
    },
    /// Mount point (2.1.2.5).
    MountPoint {
        /// Where it leads.
        substitute: Text<'a>,
        /// What is shown.
        print: Text<'a>,
    },
    /// NFS symbolic link.
    NfsSymlink(Text<'a>),
    /// NFS device.
    NfsDevice {
        /// `CHR` or `BLK`.
        kind: NfsType,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// NFS FIFO or socket.
    NfsSpecial(NfsType),
    /// Symbolic link of WSL: UTF-8.
    LxSymlink(&'a [u8]),
    /// Any other tag that is Microsoft's.
    Other(ReparseTag, &'a [u8]),
    /// A tag that is not Microsoft's, with its owner's GUID (2.1.2.3).
    ThirdParty(ReparseTag, [u8; 16], &'a [u8]),
}

impl<'a> ReparseData<'a> {
    /// Bytes before the data.
    const HEADER: usize = 8;

    /// Reads a buffer, which must hold nothing else.
    ///
    /// # Errors
    ///
    /// `Malformed`, which answers `STATUS_IO_REPARSE_DATA_INVALID`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        if bytes.len() > MAX_REPARSE_SIZE {
            return Err(Malformed);
        }
        let mut r = Reader::new(bytes);
        let tag = ReparseTag::take(&mut r)?;
        let len = usize::from(r.u16()?);
        r.skip(2)?;
        // The high bit tells Microsoft's tags from those that bring a GUID.
        if tag.0 & 0x8000_0000 == 0 {
            let guid = r.array()?;
            return Ok(ReparseData::ThirdParty(tag, guid, exactly(&mut r, len)?));
        }
        let data = exactly(&mut r, len)?;
        match tag {
            ReparseTag::SYMLINK => parse_link(data, true),
            ReparseTag::MOUNT_POINT => parse_link(data, false),
            ReparseTag::NFS => parse_nfs(data),
            ReparseTag::LX_SYMLINK => {
                let mut r = Reader::new(data);
                // Layout version.
                if r.u32()? != 2 {
                    return Err(Malformed);
                }
                Ok(ReparseData::LxSymlink(r.rest()))
            }
            _ => Ok(ReparseData::Other(tag, data)),
        }
    }

    /// The tag.
    pub fn tag(&self) -> ReparseTag {
        match self {
            ReparseData::Symlink { .. } => ReparseTag::SYMLINK,
            ReparseData::MountPoint { .. } => ReparseTag::MOUNT_POINT,
            ReparseData::NfsSymlink(_)
            | ReparseData::NfsDevice { .. }
            | ReparseData::NfsSpecial(_) => ReparseTag::NFS,
            ReparseData::LxSymlink(_) => ReparseTag::LX_SYMLINK,
            ReparseData::Other(tag, _) | ReparseData::ThirdParty(tag, _, _) => *tag,
        }
    }

    /// Appends the buffer.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        let start = w.mark();
        self.tag().put(w)?;
        let len_at = w.mark();
        w.u32(0)?;
        let mut guid = 0usize;
        match self {
            ReparseData::Symlink {
                substitute,
                print,
                flags,
            } => {
                write_link(w, substitute, print, Some(*flags))?;
            }
            ReparseData::MountPoint { substitute, print } => {
                write_link(w, substitute, print, None)?;
            }
            ReparseData::NfsSymlink(target) => {
                NfsType::LNK.put(w)?;
                target.write(w)?;
            }
            ReparseData::NfsDevice { kind, major, minor } => {
                kind.put(w)?;
                w.u32(*major)?;
                w.u32(*minor)?;
            }
            ReparseData::NfsSpecial(kind) => kind.put(w)?,
            ReparseData::LxSymlink(target) => {
                w.u32(2)?;
                w.bytes(target)?;
            }
            ReparseData::Other(_, data) => w.bytes(data)?,
            ReparseData::ThirdParty(_, id, data) => {
                w.bytes(id)?;
                w.bytes(data)?;
                guid = 16;
            }
        }
        let len = w
            .since(start)
            .saturating_sub(Self::HEADER)
            .saturating_sub(guid);
        w.patch_u16(len_at, u16::try_from(len).map_err(|_| Full)?)
    }
}

fn exactly<'a>(r: &mut Reader<'a>, len: usize) -> Parsed<&'a [u8]> {
    if r.remaining() != len {
        return Err(Malformed);
    }
    r.take(len)
}

fn parse_link(data: &[u8], symlink: bool) -> Parsed<ReparseData<'_>> {
    let mut r = Reader::new(data);
    let substitute = (r.u16()?, r.u16()?);
    let print = (r.u16()?, r.u16()?);
    let flags = match symlink {
        true => SymlinkFlags::take(&mut r)?,
        false => SymlinkFlags::NONE,
    };
    let path = r.rest();
    let name = |(offset, len): (u16, u16)| {
        let bytes = slice_at(path, usize::from(offset), usize::from(len))?;
        Utf16::new(bytes).map(Text::Wire)
    };
    let (substitute, print) = (name(substitute)?, name(print)?);
    Ok(match symlink {
        true => ReparseData::Symlink {
            substitute,
            print,
            flags,
        },
        false => ReparseData::MountPoint { substitute, print },
    })
}

fn parse_nfs(data: &[u8]) -> Parsed<ReparseData<'_>> {
    let mut r = Reader::new(data);
    match NfsType::take(&mut r)? {
        NfsType::LNK => Ok(ReparseData::NfsSymlink(Text::Wire(Utf16::new(r.rest())?))),
        kind @ (NfsType::CHR | NfsType::BLK) => Ok(ReparseData::NfsDevice {
            kind,
            major: r.u32()?,
            minor: r.u32()?,
        }),
        kind @ (NfsType::FIFO | NfsType::SOCK) => Ok(ReparseData::NfsSpecial(kind)),
        _ => Err(Malformed),
    }
}

/// A mount point's names end in NULs that their lengths leave out; a symbolic link's names have none.
fn write_link(
    w: &mut Writer<'_>,
    substitute: &Text<'_>,
    print: &Text<'_>,
    flags: Option<SymlinkFlags>,
) -> Written {
    let fields = w.mark();
    w.zeros(8)?;
    let terminator = match flags {
        Some(flags) => {
            flags.put(w)?;
            0
        }
        None => 2,
    };
    let path = w.mark();
    let [a, b, c, d] = write_link_name(w, path, substitute, terminator)?;
    let [e, f, g, h] = write_link_name(w, path, print, terminator)?;
    w.patch(fields, &[a, b, c, d, e, f, g, h])
}

/// Appends a name; gives its offset from `path` and its length, as they stand on the wire.
fn write_link_name(
    w: &mut Writer<'_>,
    path: Mark,
    name: &Text<'_>,
    terminator: usize,
) -> Result<[u8; 4], Full> {
    let offset = w.since(path);
    name.write(w)?;
    let len = w.since(path).saturating_sub(offset);
    w.zeros(terminator)?;
    let [a, b] = u16::try_from(offset).map_err(|_| Full)?.to_le_bytes();
    let [c, d] = u16::try_from(len).map_err(|_| Full)?.to_le_bytes();
    Ok([a, b, c, d])
}
