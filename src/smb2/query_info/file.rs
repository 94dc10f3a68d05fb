// SPDX-License-Identifier: GPL-2.0

//! What QUERY_INFO tells of a file, [MS-FSCC] 2.4 and [MS-FSA] 2.1.5.12.

use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::str::CString;

use linux::cred::CredScope;
use linux::path::EntryName;
use smb_model::access::required::{self, Required};
use smb_model::names::ShortName;
use smb_proto::attributes::FileAttributes as WireAttributes;
use smb_proto::ea::Ea;
use smb_proto::entries::EntryList;
use smb_proto::file_info::*;
use smb_proto::layout::Fixed;
use smb_proto::posix::PosixFileInfo;
use smb_proto::query_info::{QueryInfoFlags, Request};
use smb_proto::security::AccessMask;
use smb_proto::status::NtStatus;
use smb_proto::unicode::Text;

use crate::files::access::maximal;
use crate::files::attributes::FileAttributes;
use crate::files::ea;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;
use crate::files::stream::{self, OpenedStream};
use crate::files::{Open, Tree};
use crate::smb2::context::{Context, Handled};

use super::Room;

/// More than any class of fixed size has.
const MAX_FIXED: usize = 128;
/// Most bytes of a list of streams in one answer.
const MAX_STREAMS: usize = 64 * 1024;

/// What is asked about.
pub(super) struct Of<'a> {
    /// The file.
    pub(super) file: &'a OpenedFile,
    /// Its named stream, if that is open.
    pub(super) stream: Option<&'a OpenedStream>,
}

/// Answers with information of `class`.
pub(super) fn answer(
    cx: &Context<'_>,
    tree: &Tree,
    open: &Open,
    of: Of<'_>,
    class: FileInfoClass,
    request: &Request<'_>,
    room: &mut Room<'_>,
) -> Handled {
    let is_posix = cx.negotiated()?.posix;
    let least = class
        .min_query()
        .filter(|_| class != FileInfoClass::POSIX || is_posix)
        .ok_or(NtStatus::INVALID_INFO_CLASS)?;
    room.require(least)?;
    if !required(class).met_by(open.granted) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    let scope = tree.enter();
    let view = View {
        tree,
        open,
        file: of.file,
        stream: of.stream,
        scope: &scope,
    };
    match class {
        FileInfoClass::EA => view.fixed(
            room,
            EaInfo {
                ea_size: view.ea_size(),
            },
        ),
        FileInfoClass::ACCESS => view.fixed(room, view.access()),
        FileInfoClass::POSITION => view.fixed(room, view.position()),
        FileInfoClass::MODE => view.fixed(room, view.mode()),
        FileInfoClass::ALIGNMENT => view.fixed(room, AlignmentInfo { alignment: 0 }),
        FileInfoClass::ALL => view.all(room),
        FileInfoClass::NAME | FileInfoClass::NORMALIZED_NAME => view.name(class, room),
        FileInfoClass::ALTERNATE_NAME => view.alternate_name(room),
        FileInfoClass::STREAM => view.streams(room),
        FileInfoClass::FULL_EA => view.full_ea(request, room),
        FileInfoClass::PIPE | FileInfoClass::PIPE_LOCAL | FileInfoClass::PIPE_REMOTE => {
            Err(NtStatus::INVALID_PARAMETER.into())
        }
        _ => view.of_attributes(class, room),
    }
}

/// The access that an open needs to be asked for `class`.
fn required(class: FileInfoClass) -> Required {
    match class {
        FileInfoClass::BASIC
        | FileInfoClass::ALL
        | FileInfoClass::NETWORK_OPEN
        | FileInfoClass::ATTRIBUTE_TAG
        | FileInfoClass::STAT
        | FileInfoClass::STAT_LX
        | FileInfoClass::POSIX => required::QUERY_ATTRIBUTES,
        FileInfoClass::FULL_EA => required::QUERY_EA,
        _ => Required::Nothing,
    }
}

/// What is asked for information.
struct View<'a> {
    tree: &'a Tree,
    open: &'a Open,
    file: &'a OpenedFile,
    stream: Option<&'a OpenedStream>,
    scope: &'a CredScope<'a>,
}

impl View<'_> {
    /// Writes a class of fixed size.
    fn fixed(&self, room: &mut Room<'_>, info: impl Fixed) -> Handled {
        fixed(room, info)
    }

    fn attributes(&self) -> Result<FileAttributes, NtStatus> {
        match self.stream {
            Some(stream) => stream.attributes(self.scope, self.tree),
            None => self.file_attributes(),
        }
    }

    fn file_attributes(&self) -> Result<FileAttributes, NtStatus> {
        FileAttributes::read(self.scope, self.tree, &self.file.path)
    }

    fn is_delete_pending(&self) -> bool {
        self.stream.is_some_and(OpenedStream::is_delete_pending)
            || self.file.admission.is_delete_pending()
    }

    fn access(&self) -> AccessInfo {
        AccessInfo {
            access: AccessMask::from_bits(self.open.granted.0),
        }
    }

    fn position(&self) -> PositionInfo {
        PositionInfo {
            offset: i64::try_from(self.file.position()).unwrap_or(i64::MAX),
        }
    }

    fn mode(&self) -> ModeInfo {
        ModeInfo {
            mode: self.file.mode(),
        }
    }

    fn ea_size(&self) -> u32 {
        ea::size(self.scope, &self.file.path)
    }

    fn standard(&self, of: &FileAttributes) -> StandardInfo {
        let delete_pending = self.is_delete_pending();
        StandardInfo {
            allocation_size: of.allocation(),
            end_of_file: of.end_of_file(),
            // What is to be deleted counts as gone.
            links: of.stat.links.saturating_sub(u32::from(delete_pending)),
            delete_pending,
            directory: of.stat.is_dir(),
        }
    }

    /// The classes that tell what a stat tells.
    fn of_attributes(&self, class: FileInfoClass, room: &mut Room<'_>) -> Handled {
        let of = self.attributes()?;
        match class {
            FileInfoClass::BASIC => fixed(room, basic(&of)),
            FileInfoClass::STANDARD => fixed(room, self.standard(&of)),
            FileInfoClass::INTERNAL => fixed(
                room,
                InternalInfo {
                    file_id: of.stat.number,
                },
            ),
            FileInfoClass::NETWORK_OPEN => fixed(room, network_open(&of)),
            FileInfoClass::ATTRIBUTE_TAG => fixed(
                room,
                AttributeTagInfo {
                    attributes: wire(&of),
                    reparse_tag: ReparseTag::NONE,
                },
            ),
            FileInfoClass::COMPRESSION => fixed(
                room,
                CompressionInfo {
                    compressed_size: of.allocation().min(of.end_of_file()),
                    // LZNT1 is what the attribute stands for.
                    format: if of.stat.is_compressed() { 2 } else { 0 },
                    ..CompressionInfo::default()
                },
            ),
            FileInfoClass::STANDARD_LINK => {
                let standard = self.standard(&of);
                fixed(
                    room,
                    StandardLinkInfo {
                        accessible_links: standard.links,
                        total_links: of.stat.links,
                        delete_pending: standard.delete_pending,
                        directory: standard.directory,
                    },
                )
            }
            FileInfoClass::ID => fixed(
                room,
                IdInfo {
                    volume_serial: u64::from(of.stat.device),
                    file_id: id_128(&of),
                },
            ),
            FileInfoClass::STAT => fixed(room, self.stat(&of)),
            FileInfoClass::POSIX => posix(&of, room),
            _ => Err(NtStatus::INVALID_INFO_CLASS.into()),
        }
    }

    fn stat(&self, of: &FileAttributes) -> StatInfo {
        let access = maximal(self.scope, self.tree, &self.file.path);
        StatInfo {
            file_id: of.stat.number,
            creation: of.created,
            last_access: of.accessed(),
            last_write: of.modified(),
            change: of.changed(),
            allocation_size: of.allocation(),
            end_of_file: of.end_of_file(),
            attributes: wire(of),
            reparse_tag: ReparseTag::NONE,
            links: of.stat.links,
            effective_access: AccessMask::from_bits(access.0),
        }
    }

    /// The path from the root of the share, with the separators of clients and `first` in front.
    fn path_name(&self, first: &[u8]) -> Result<KVec<u8>, NtStatus> {
        let no_memory = |_| NtStatus::INSUFFICIENT_RESOURCES;
        let root = self
            .tree
            .share
            .directory()
            .ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
        let path = &self.file.path;
        let name = path.with_path_below(root, |path| joined(first, path));
        let mut name = name.map_err(status_of)?.map_err(no_memory)?;
        for byte in name.iter_mut().filter(|byte| **byte == b'/') {
            *byte = b'\\';
        }
        if let Some(stream) = self.stream {
            let full = stream.full()?;
            for part in [":", stream::stream_name(&full).unwrap_or("")] {
                name.extend_from_slice(part.as_bytes(), GFP_KERNEL)
                    .map_err(no_memory)?;
            }
        }
        Ok(name)
    }

    fn name(&self, class: FileInfoClass, room: &mut Room<'_>) -> Handled {
        // The normalized name is relative to the share and has no separator in front ([MS-FSCC] 2.4.34).
        let first: &[u8] = if class == FileInfoClass::NAME {
            b"\\"
        } else {
            b""
        };
        let path = self.path_name(first)?;
        write_name(room, Text::Lossy(&path))
    }

    fn alternate_name(&self, room: &mut Room<'_>) -> Handled {
        let mut spelled = EntryName::default();
        self.file.path.name(&mut spelled).map_err(status_of)?;
        let name = core::str::from_utf8(spelled.as_bytes())
            .map_err(|_| NtStatus::OBJECT_NAME_NOT_FOUND)?;
        match ShortName::of(name) {
            Some(short) => write_name(room, Text::Str(short.as_str())),
            // It is one already.
            None => write_name(room, Text::Str(name)),
        }
    }

    fn all(&self, room: &mut Room<'_>) -> Handled {
        let of = self.attributes()?;
        let path = self.path_name(b"\\")?;
        let name = Text::Lossy(&path);
        let info = AllInfo {
            basic: basic(&of),
            standard: self.standard(&of),
            internal: InternalInfo {
                file_id: of.stat.number,
            },
            ea: EaInfo {
                ea_size: self.ea_size(),
            },
            access: self.access(),
            position: self.position(),
            mode: self.mode(),
            alignment: AlignmentInfo { alignment: 0 },
            name: NameInfo { name },
        };
        let size = AllInfo::FIXED
            .saturating_add(4)
            .saturating_add(name.wire_len());
        room.write(size, |w, limit| info.write_clipped(w, limit))
    }

    /// The unnamed stream, which a directory does not have, and the named ones.
    fn streams(&self, room: &mut Room<'_>) -> Handled {
        let of = self.file_attributes()?;
        let has_named = self.tree.share.has_streams();
        let size = if has_named { MAX_STREAMS } else { 64 };
        let mut failed = Ok(());
        let handled = room.write(room.limit.min(size), |w, limit| {
            let mut list = EntryList::new(w, 8, limit.min(size));
            if !of.stat.is_dir() {
                let info = StreamInfo {
                    size: of.end_of_file(),
                    allocation_size: of.allocation(),
                    name: Text::Str("::$DATA"),
                };
                if info.write(&mut list, w).is_err() {
                    return Ok(false);
                }
            }
            if !has_named {
                return Ok(true);
            }
            let mut each = |name: &str, size: u64| {
                let Ok(name) = CString::try_from_fmt(fmt!(":{}:$DATA", name)) else {
                    return false;
                };
                let info = StreamInfo {
                    size,
                    allocation_size: of.of_stream(size).allocation(),
                    name: Text::Lossy(name.to_bytes()),
                };
                info.write(&mut list, w).is_ok()
            };
            match stream::list(self.scope, &self.file.path, &mut each) {
                Ok(is_whole) => Ok(is_whole),
                Err(status) => {
                    failed = Err(status);
                    Ok(true)
                }
            }
        });
        failed?;
        handled
    }

    /// The extended attributes, all of them or those that the request names.
    fn full_ea(&self, request: &Request<'_>, room: &mut Room<'_>) -> Handled {
        let names = ea::Names::read(self.scope, &self.file.path)?;
        let asked = ea::Asked::parse(request.input)?;
        let is_asked = |name: &[u8]| request.input.is_empty() || asked.has(name);
        let wanted = || names.shown().filter(|(_, name)| is_asked(name));
        if wanted().next().is_none() {
            return Err(NtStatus::NO_EAS_ON_FILE.into());
        }
        let single = request.flags.contains(QueryInfoFlags::RETURN_SINGLE_ENTRY);
        let mut value = KVec::new();
        let mut failed = Ok(());
        let handled = room.write(room.limit.min(ea::MAX_LIST), |w, limit| {
            let mut list = smb_proto::ea::list(w, limit.min(ea::MAX_LIST));
            for (full, name) in wanted() {
                let value = match ea::read(self.scope, &self.file.path, full, &mut value) {
                    Ok(Some(value)) => value,
                    Ok(None) => continue,
                    Err(status) => {
                        failed = Err(status);
                        return Ok(true);
                    }
                };
                let entry = Ea {
                    flags: 0,
                    name,
                    value,
                };
                if entry.write(&mut list, w).is_err() {
                    return Ok(false);
                }
                if single {
                    return Ok(true);
                }
            }
            Ok(true)
        });
        failed?;
        handled
    }
}

fn fixed(room: &mut Room<'_>, info: impl Fixed) -> Handled {
    // Large enough for every class of fixed size.
    room.write(MAX_FIXED, |w, _| info.put(w).map(|()| true))
}

fn write_name(room: &mut Room<'_>, name: Text<'_>) -> Handled {
    let size = name.wire_len().saturating_add(4);
    room.write(size, |w, limit| NameInfo { name }.write_clipped(w, limit))
}

fn wire(of: &FileAttributes) -> WireAttributes {
    WireAttributes::from_bits(of.dos.0)
}

fn basic(of: &FileAttributes) -> BasicInfo {
    BasicInfo {
        creation: of.created,
        last_access: of.accessed(),
        last_write: of.modified(),
        change: of.changed(),
        attributes: wire(of),
    }
}

fn network_open(of: &FileAttributes) -> NetworkOpenInfo {
    NetworkOpenInfo {
        creation: of.created,
        last_access: of.accessed(),
        last_write: of.modified(),
        change: of.changed(),
        allocation_size: of.allocation(),
        end_of_file: of.end_of_file(),
        attributes: wire(of),
    }
}

fn joined(first: &[u8], path: &[u8]) -> Result<KVec<u8>, AllocError> {
    let mut name = KVec::with_capacity(path.len().saturating_add(first.len()), GFP_KERNEL)?;
    name.extend_from_slice(first, GFP_KERNEL)?;
    name.extend_from_slice(path, GFP_KERNEL)?;
    Ok(name)
}

/// The 128-bit file id: the inode number, and zeros.
fn id_128(of: &FileAttributes) -> [u8; 16] {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(of.stat.number.to_le_bytes()) {
        *to = from;
    }
    id
}

fn posix(of: &FileAttributes, room: &mut Room<'_>) -> Handled {
    let stat = &of.stat;
    let info = PosixFileInfo {
        creation: of.created,
        last_access: of.accessed(),
        last_write: of.modified(),
        change: of.changed(),
        end_of_file: of.end_of_file(),
        allocation_size: of.allocation(),
        attributes: wire(of),
        inode: stat.number,
        reparse_tag: ReparseTag::NONE,
        stat: of.posix(),
    };
    let size = PosixFileInfo::FIXED
        .saturating_add(info.stat.owner.size())
        .saturating_add(info.stat.group.size());
    room.require(size)?;
    room.write(size, |w, _| info.write(w).map(|()| true))
}
