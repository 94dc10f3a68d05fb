// SPDX-License-Identifier: GPL-2.0

//! QUERY_DIRECTORY, [MS-SMB2] 3.3.5.18 and [MS-FSA] 2.1.5.6.3.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::cred::CredScope;
use linux::path::{EntryName, Path};
use linux::stat::Mask as May;
use smb_model::access::required;
use smb_model::names::ShortName;
use smb_proto::attributes::FileAttributes as WireAttributes;
use smb_proto::directory::{DirClass, DirEntry, EntryWriter, Pushed};
use smb_proto::file_info::FileInfoClass;
use smb_proto::query_directory::{QueryDirectoryFlags, Reply as Answer, Request};
use smb_proto::status::NtStatus;
use smb_proto::unicode::Text;
use smb_proto::wire::Writer;

use crate::files::attributes::FileAttributes;
use crate::files::errors::status_of;
use crate::files::file::OpenedFile;
use crate::files::listing::{Candidate, Enumeration, Listing};
use crate::files::{ea, lookup, Tree};
use crate::session::Session;

use super::context::{Context, Handled};
use super::reply::Reply;
use super::text::to_utf8;

/// Most bytes of entries in one answer, whatever the client has room for: what one request does stays short.
const MAX_ANSWER: usize = 256 * 1024;
/// Bytes of an answer before its entries.
const HEAD: usize = 16;

/// Lists a directory.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let negotiated = cx.negotiated()?;
    if request.output_buffer_length > negotiated.max_transact {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let posix = negotiated.posix;
    cx.check_charge(0, request.output_buffer_length)?;
    let open = cx.open(session, tree, request.file_id)?;
    let file = open.file()?;
    if !file.is_directory() {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    if !required::LIST.met_by(open.granted) {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    let class = DirClass::from_class(FileInfoClass(request.information_class))
        .filter(|class| *class != DirClass::Posix || posix)
        .ok_or(NtStatus::INVALID_INFO_CLASS)?;
    let limit = usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX);
    if limit < class.fixed_size() {
        return Err(NtStatus::INFO_LENGTH_MISMATCH.into());
    }
    let pattern = to_utf8(&cx.server().buffers, &Text::Wire(request.pattern))?;
    let pattern = core::str::from_utf8(&pattern).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?;
    let scope = tree.enter();
    let mut enumeration = take(&scope, file, &request, pattern)?;
    let view = View {
        tree,
        scope: &scope,
        directory: &file.path,
        class,
        single: request
            .flags
            .contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY),
    };
    let listed = view.answer(&mut enumeration, limit.min(MAX_ANSWER), reply);
    put_back(file, enumeration);
    Ok(listed?)
}

/// Takes the directory's enumeration out, so that no lock is held while it is worked on; begins one if there is none, or
/// if the client says so.
///
/// # Errors
///
/// `STATUS_INSUFFICIENT_RESOURCES` if another request is at work on it: an enumeration cannot be at two places.
fn take(
    scope: &CredScope<'_>,
    file: &OpenedFile,
    request: &Request<'_>,
    pattern: &str,
) -> Result<Enumeration, NtStatus> {
    let slot = file.listing.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
    let held = slot.lock().replace(Listing::Busy);
    let taken = match held {
        Some(Listing::Busy) => return Err(NtStatus::INSUFFICIENT_RESOURCES),
        Some(Listing::Idle(mut enumeration)) => {
            let again = QueryDirectoryFlags::RESTART_SCANS | QueryDirectoryFlags::REOPEN;
            let restarted = if request.flags.intersects(again) {
                enumeration.restart(Some(pattern))
            } else {
                Ok(())
            };
            restarted.map(|()| enumeration)
        }
        None => Enumeration::begin(scope, &file.path, pattern),
    };
    if taken.is_err() {
        *slot.lock() = None;
    }
    taken
}

fn put_back(file: &OpenedFile, enumeration: Enumeration) {
    if let Some(slot) = &file.listing {
        let replaced = slot.lock().replace(Listing::Idle(enumeration));
        drop(replaced);
    }
}

/// What was found of an entry. One that cannot be looked at does not hide the others; but for want of memory no
/// entry may be missing from a listing that succeeds, since the client would take it for deleted.
fn looked_at<T>(found: Result<T, NtStatus>) -> Result<Option<T>, NtStatus> {
    match found {
        Err(NtStatus::INSUFFICIENT_RESOURCES) => Err(NtStatus::INSUFFICIENT_RESOURCES),
        other => Ok(other.ok()),
    }
}

/// How a directory is listed.
struct View<'a> {
    tree: &'a Tree,
    scope: &'a CredScope<'a>,
    directory: &'a Path,
    class: DirClass,
    /// Whether only one entry is wanted.
    single: bool,
}

impl View<'_> {
    /// Writes the next entries, as many as `limit` bytes hold.
    fn answer(
        &self,
        enumeration: &mut Enumeration,
        limit: usize,
        reply: &mut Reply,
    ) -> Result<NtStatus, NtStatus> {
        let mut outcome = Ok(());
        let mut is_empty = true;
        reply.body(limit.saturating_add(HEAD), |w| {
            let buffer = Answer::begin(w)?;
            let mut entries = EntryWriter::new(w, self.class, limit);
            outcome = self.fill(enumeration, &mut entries, w);
            is_empty = entries.is_empty();
            buffer.finish(w).map(|_| ())
        })?;
        // An error behind entries that were found waits: the next request will meet it again.
        if !is_empty {
            enumeration.any = true;
            return Ok(NtStatus::SUCCESS);
        }
        outcome?;
        Err(if enumeration.any {
            NtStatus::NO_MORE_FILES
        } else {
            NtStatus::NO_SUCH_FILE
        })
    }

    fn fill(
        &self,
        enumeration: &mut Enumeration,
        entries: &mut EntryWriter,
        w: &mut Writer<'_>,
    ) -> Result<(), NtStatus> {
        while let Some(candidate) = enumeration.peek(self.scope, &self.tree.share)? {
            match self.push(candidate, entries, w)? {
                Some(Pushed::NoRoom) => return Ok(()),
                Some(Pushed::FirstTooLarge) => return Err(NtStatus::INFO_LENGTH_MISMATCH),
                Some(Pushed::Added) | None => enumeration.advance(),
            }
            if self.single && !entries.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes one entry; `None` for one that is gone, or not shown to this user.
    fn push(
        &self,
        candidate: Candidate<'_>,
        entries: &mut EntryWriter,
        w: &mut Writer<'_>,
    ) -> Result<Option<Pushed>, NtStatus> {
        let share = &*self.tree.share;
        let mut spelled = EntryName::default();
        let (path, name) = match candidate {
            Candidate::This => (Some(self.directory.clone()), "."),
            Candidate::Parent => {
                let above = share
                    .directory()
                    .and_then(|root| self.directory.parent(root));
                (Some(above.unwrap_or_else(|| self.directory.clone())), "..")
            }
            Candidate::Named(name) if !self.class.needs_stat() && !share.hides_unreadable() => {
                let entry = DirEntry {
                    name: Text::Str(name),
                    ..DirEntry::default()
                };
                return Ok(Some(entries.push(w, &entry)));
            }
            Candidate::Named(name) => {
                let found = lookup::entry(self.scope, share, self.directory, name);
                (looked_at(found)?.flatten(), name)
            }
            Candidate::Exact(name) => match self.exact(name, &mut spelled)? {
                Some(path) => {
                    let name = core::str::from_utf8(spelled.as_bytes());
                    (Some(path), name.map_err(|_| NtStatus::NO_SUCH_FILE)?)
                }
                None => (None, name),
            },
        };
        let Some(path) = path.filter(|path| !self.is_hidden(candidate, path)) else {
            return Ok(None);
        };
        let read = FileAttributes::read_named(self.scope, self.tree, &path, name.as_bytes());
        let Some(attributes) = looked_at(read)? else {
            return Ok(None);
        };
        let ea_size = if self.class.has_ea_size() {
            ea::size(self.scope, &path)
        } else {
            0
        };
        Ok(Some(self.write(&attributes, ea_size, name, entries, w)))
    }

    /// The entry that a pattern without wildcards names, and how it is spelled.
    fn exact(&self, name: &str, spelled: &mut EntryName) -> Result<Option<Path>, NtStatus> {
        let share = &*self.tree.share;
        if lookup::hides(share, name) {
            return Ok(None);
        }
        let found = lookup::entry_in_any_case(self.scope, share, self.directory, name);
        let found = match found {
            Err(NtStatus::OBJECT_NAME_INVALID | NtStatus::OBJECT_NAME_NOT_FOUND) => None,
            other => other?,
        };
        if let Some(path) = &found {
            path.name(spelled).map_err(status_of)?;
        }
        Ok(found)
    }

    /// Whether the share shows only what the user may read, and this is not (`hide unreadable`).
    fn is_hidden(&self, candidate: Candidate<'_>, path: &Path) -> bool {
        let is_dot = matches!(candidate, Candidate::This | Candidate::Parent);
        !is_dot && self.tree.share.hides_unreadable() && path.may(self.scope, May::READ).is_err()
    }

    fn write(
        &self,
        attributes: &FileAttributes,
        ea_size: u32,
        name: &str,
        entries: &mut EntryWriter,
        w: &mut Writer<'_>,
    ) -> Pushed {
        let stat = &attributes.stat;
        let short = ShortName::of(name).filter(|_| name != "." && name != "..");
        let mut file_id_128 = [0; 16];
        for (to, from) in file_id_128.iter_mut().zip(stat.number.to_le_bytes()) {
            *to = from;
        }
        let entry = DirEntry {
            index: 0,
            creation: attributes.created,
            last_access: attributes.accessed(),
            last_write: attributes.modified(),
            change: attributes.changed(),
            end_of_file: attributes.end_of_file(),
            allocation_size: attributes.allocation(),
            attributes: WireAttributes::from_bits(attributes.dos.0),
            ea_size,
            file_id: stat.number,
            file_id_128,
            short_name: Text::Str(short.as_ref().map_or("", ShortName::as_str)),
            posix: attributes.posix(),
            name: Text::Str(name),
            ..DirEntry::default()
        };
        entries.push(w, &entry)
    }
}
