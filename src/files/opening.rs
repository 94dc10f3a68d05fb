// SPDX-License-Identifier: GPL-2.0

//! How a name becomes an open file: [MS-FSA] 2.1.5.1, in the user's name.

use kernel::prelude::*;
use kernel::sync::Arc;

use linux::cred::CredScope;
use linux::file::{Access, File};
use linux::path::Path;
use linux::stat::Changes;
use smb_model::access::Mask;
use smb_model::create::{Action, Existing, Options, Parameters};
use smb_model::names;
use smb_proto::change_notify::{Action as Event, CompletionFilter};
use smb_proto::header::FileId;
use smb_proto::security::SecurityDescriptor;
use smb_proto::status::NtStatus;

use crate::server::Server;
use crate::smb2::wait::Waker;

use super::access::{grant, rights};
use super::attributes::{self, FileAttributes};
use super::ea;
use super::errors::status_of;
use super::file::{OpenedFile, Semantics};
use super::inode::{Admission, Admitted, Asking};
use super::lookup::{self, Found};
use super::notify::{self, What};
use super::oplocks::{self, Cached, Wanted};
use super::security::Identities;
use super::stream::{self, Base, Named, OpenedStream};
use super::stream_table::Busy;
use super::{Object, Open, Tree};

/// Mode bits of files and directories before the share's masks. Files can be executed as far as the mask lets them: who
/// asks for all rights to a file of his own asks for that, too.
const MODE: u16 = 0o777;

/// A file that was opened, and what was found on the way.
pub(crate) struct Opened {
    pub(crate) open: Arc<Open>,
    pub(crate) action: Action,
    pub(crate) attributes: FileAttributes,
    /// Everything that the user may do with it, if the client asked.
    pub(crate) maximal: Mask,
    /// What the client may cache of it.
    pub(crate) cached: Cached,
}

/// Why nothing was opened.
pub(crate) enum Refusal {
    /// Others must give up caching first: the target's waker is woken when it is worth trying again.
    Later,
    Status(NtStatus),
}

impl From<NtStatus> for Refusal {
    fn from(status: NtStatus) -> Self {
        Refusal::Status(status)
    }
}

/// What to open.
pub(crate) struct Target<'a> {
    pub(crate) name: names::Path<'a>,
    /// How to open it; for a named stream, how to open its file.
    pub(crate) parameters: Parameters,
    /// The named stream, if one is asked for.
    pub(crate) stream: Option<Named<'a>>,
    pub(crate) semantics: Semantics,
    /// The mode that the client wants for what is made, before the share's masks.
    pub(crate) mode: Option<u16>,
    /// Space to reserve for a file that is made or emptied, bytes.
    pub(crate) allocation: Option<u64>,
    /// The security of a file that is made.
    pub(crate) security: Option<SecurityDescriptor<'a>>,
    /// Extended attributes of a file that is made or emptied, as FILE_FULL_EA_INFORMATION.
    pub(crate) eas: &'a [u8],
    /// Whether the client wants to know what it could be granted.
    pub(crate) asks_maximal: bool,
    /// What the client wants to cache.
    pub(crate) wanted: Wanted,
    /// Whether leases on directories can be granted.
    pub(crate) directory_leases: bool,
    /// Woken when it is worth trying again, if the open has to wait.
    pub(crate) waker: Option<&'a Waker>,
}

impl Target<'_> {
    /// The rights to an existing file that have to be known.
    fn sought_rights(&self) -> Mask {
        let parameters = &self.parameters;
        let needs_all = self.asks_maximal || parameters.access.contains(Mask::MAXIMUM_ALLOWED);
        if needs_all || self.stream.is_some() {
            return Mask::ALL_FILE;
        }
        parameters.access.union(parameters.implied_access())
    }
}

/// Opens, and makes or empties as `target` says. The open is not listed yet.
pub(crate) fn open(
    server: &Arc<Server>,
    tree: &Arc<Tree>,
    target: &Target<'_>,
) -> Result<Opened, Refusal> {
    ea::check_list(target.eas)?;
    // Nothing is made or emptied for an open that there is no room for.
    let limit = server.config().max_open_files;
    let slot = server.open_count.reserve(limit);
    let slot = slot.map_err(|_| NtStatus::TOO_MANY_OPENED_FILES)?;
    let scope = tree.enter();
    for _ in 0..RACES {
        let outcome = match lookup::find(&scope, tree, &target.name, target.semantics)? {
            Found::Existing(path) => open_existing(server, tree, &scope, target, path),
            Found::Missing(parent) => make(server, tree, &scope, target, &parent),
        };
        match outcome {
            Err(Failure::Raced) => {}
            Err(Failure::Later) => return Err(Refusal::Later),
            Err(Failure::Status(status)) => return Err(status.into()),
            Ok(opened) => {
                slot.keep();
                return Ok(opened);
            }
        }
    }
    Err(NtStatus::SHARING_VIOLATION.into())
}

/// How often a name that came or went between lookup and open is looked up again.
const RACES: u32 = 8;

enum Failure {
    /// Somebody else made the file in between.
    Raced,
    Later,
    Status(NtStatus),
}

impl From<NtStatus> for Failure {
    fn from(status: NtStatus) -> Self {
        Failure::Status(status)
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Later => Failure::Later,
            Busy::Status(status) => Failure::Status(status),
        }
    }
}

/// Lets an open with the rights `granted` in among those that the file has, after doing what needs those of `implied`.
///
/// From then on a name that is deleted waits for this open. One that went just before is looked up again.
fn admit(
    server: &Arc<Server>,
    tree: &Tree,
    target: &Target<'_>,
    path: &Path,
    granted: Mask,
    implied: Mask,
) -> Result<(FileId, Admission, Cached), Failure> {
    let id = server.open_count.new_id();
    // Who opens a stream shares that with its other opens, and of the file no data.
    let (access, kept) = if target.stream.is_some() {
        (Mask::READ_ATTRIBUTES, Mask::READ_ATTRIBUTES)
    } else {
        (granted.union(implied), granted)
    };
    let asking = Asking {
        path,
        access,
        kept,
        share: target.parameters.share,
        disposition: target.parameters.disposition,
        target: oplocks::Target {
            open: id,
            session: tree.session_id,
            must_seal: tree.share.must_encrypt(),
        },
        wanted: target.wanted,
        directory_leases: target.directory_leases,
        waker: target.waker,
    };
    match server.files.admit(server, &asking)? {
        Admitted::Yes(..) if path.is_removed() => Err(Failure::Raced),
        Admitted::Yes(admission, cached) => Ok((id, admission, cached)),
        Admitted::Later => Err(Failure::Later),
    }
}

fn open_existing(
    server: &Arc<Server>,
    tree: &Arc<Tree>,
    scope: &CredScope<'_>,
    target: &Target<'_>,
    path: Path,
) -> Result<Opened, Failure> {
    let parameters = &target.parameters;
    let before = FileAttributes::read(scope, tree, &path)?;
    let existing = Existing {
        is_directory: path.is_dir(),
        attributes: before.own,
    };
    if target.name.must_be_directory() && !existing.is_directory {
        return Err(NtStatus::NOT_A_DIRECTORY.into());
    }
    let action = parameters.check_existing(existing)?;
    if !tree.is_writable {
        parameters.check_read_only_share(true)?;
    }
    let maximal = rights(scope, tree, &path, target.sought_rights());
    let grantable = maximal.intersection(existing.most());
    let granted = grant(grantable, parameters.access, parameters.implied_access())?;
    parameters.check_granted(granted)?;
    if parameters.deletes_on_close() {
        check_removable(scope, tree, &path)?;
    }
    let overwrites = matches!(action, Action::Superseded | Action::Overwritten);
    let access = granted.union(parameters.implied_access());
    let deletes = target.stream.is_none() && access.contains(Mask::DELETE);
    let (id, admission, cached) = admit(
        server,
        tree,
        target,
        &path,
        granted,
        parameters.implied_access(),
    )?;
    // Counted in already: an open of a stream that comes now comes after this one.
    if deletes && tree.share.has_streams() {
        server.streams.check_delete(path.inode_key())?;
    }
    let given = Given {
        id,
        admission,
        cached,
        granted,
        maximal,
    };
    if target.stream.is_some() {
        return finish_stream(server, tree, scope, target, path, Some(before), given);
    }
    let file = open_data(scope, &path, granted, overwrites, parameters.options)?;
    let attributes = if overwrites {
        // What can fail comes before the content is gone.
        ea::set_list(scope, &path, target.eas)?;
        require_space(scope, &path, &before, target)?;
        empty(scope, file.as_ref(), target)?;
        attributes::store_new(scope, tree, &path, parameters.attributes);
        if tree.share.has_streams() {
            stream::remove_all(scope, &path)?;
        }
        FileAttributes::read(scope, tree, &path)?
    } else {
        before
    };
    if overwrites {
        let what = What::modified(OVERWRITTEN);
        notify::changed(&server.files, tree.share.directory(), &path, what);
    }
    finish_file(tree, target, path, file, (action, attributes), given)
}

/// Checks that the directory lets the name go, which a close has no way to say.
fn check_removable(scope: &CredScope<'_>, tree: &Tree, path: &Path) -> Result<(), NtStatus> {
    let root = tree.share.directory();
    let root = root.ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    path.may_remove(scope, root).map_err(|error| {
        if error == EBUSY {
            // The root of the share, or a mount point.
            NtStatus::CANNOT_DELETE
        } else {
            status_of(error)
        }
    })
}

/// What changes when a file is overwritten.
const OVERWRITTEN: CompletionFilter = CompletionFilter::ATTRIBUTES
    .union(CompletionFilter::SIZE)
    .union(CompletionFilter::LAST_WRITE);

/// Opens what data goes through, if the open may touch data at all: an open for attributes alone costs no `struct file`.
fn open_data(
    scope: &CredScope<'_>,
    path: &Path,
    granted: Mask,
    overwrites: bool,
    options: Options,
) -> Result<Option<File>, NtStatus> {
    match data_access(granted, overwrites, options) {
        Some(access) if !path.is_dir() => {
            File::open(scope, path, access).map(Some).map_err(status_of)
        }
        _ => Ok(None),
    }
}

/// The access to data that `granted` amounts to.
fn data_access(granted: Mask, overwrites: bool, options: Options) -> Option<Access> {
    let reads = granted.intersects(Mask::READ_DATA.union(Mask::EXECUTE));
    let writes = overwrites || granted.intersects(Mask::WRITE_DATA.union(Mask::APPEND_DATA));
    let access = match (reads, writes) {
        (true, true) => Access::READ | Access::WRITE,
        (true, false) => Access::READ,
        (false, true) => Access::WRITE,
        (false, false) => return None,
    };
    Some(if writes && options.contains(Options::WRITE_THROUGH) {
        access | Access::WRITE_THROUGH
    } else {
        access
    })
}

/// Empties a file that is overwritten.
fn empty(scope: &CredScope<'_>, file: Option<&File>, target: &Target<'_>) -> Result<(), NtStatus> {
    let file = file.ok_or(NtStatus::ACCESS_DENIED)?;
    file.truncate(scope, 0).map_err(status_of)?;
    reserve(scope, file, target)
}

/// Checks that the space that the client asked for would be there once the file's own is free. It is not taken in advance:
/// what a reservation that fails leaves behind could not be told from what others wrote meanwhile.
fn require_space(
    scope: &CredScope<'_>,
    path: &Path,
    before: &FileAttributes,
    target: &Target<'_>,
) -> Result<(), NtStatus> {
    let Some(size) = target.allocation.filter(|size| *size > 0) else {
        return Ok(());
    };
    let status = path.fs_status(scope).map_err(status_of)?;
    let available = status.available.saturating_mul(status.block_size);
    // Some have no limit, and say that they have no blocks.
    if status.blocks > 0 && size > available.saturating_add(before.allocation()) {
        return Err(NtStatus::DISK_FULL);
    }
    Ok(())
}

/// Reserves the space that the client asked for. A file system that cannot is no failure.
fn reserve(scope: &CredScope<'_>, file: &File, target: &Target<'_>) -> Result<(), NtStatus> {
    use linux::file::Allocate;
    let Some(size) = target.allocation.filter(|size| *size > 0) else {
        return Ok(());
    };
    match file.allocate(scope, Allocate::KeepSize, 0, size) {
        Err(e) if e == ENOSPC || e == EFBIG || e == EDQUOT => Err(NtStatus::DISK_FULL),
        _ => Ok(()),
    }
}

fn make(
    server: &Arc<Server>,
    tree: &Arc<Tree>,
    scope: &CredScope<'_>,
    target: &Target<'_>,
    parent: &Path,
) -> Result<Opened, Failure> {
    let parameters = &target.parameters;
    let action = parameters.check_new()?;
    if !tree.is_writable {
        parameters.check_read_only_share(false)?;
    }
    if target
        .wanted
        .lease()
        .is_some_and(|id| server.files.has_lease(&id))
    {
        // The lease is on another file.
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    // Who makes a file may do with it what he asked for, whatever its mode says.
    let maximal = tree.maximal_access;
    let granted = grant(maximal, parameters.access, Mask::NONE)?;
    require_parent(server, parent)?;
    let (path, file) = place(tree, scope, target, parent)?;
    let (id, admission, cached) = match admit(server, tree, target, &path, granted, Mask::NONE) {
        Ok(admitted) => admitted,
        // Somebody opened it before its maker.
        Err(Failure::Later) => return Err(NtStatus::SHARING_VIOLATION.into()),
        Err(failure) => {
            unmake(server, tree, scope, &path);
            return Err(failure);
        }
    };
    // What fails from here on takes the file away again.
    let admission = admission.made_by(tree);
    inherit_owner(scope, tree, parent, &path);
    equip(server, tree, scope, target, &path, file.as_ref())?;
    let what = What::entry(Event::ADDED, path.is_dir());
    notify::changed(&server.files, tree.share.directory(), &path, what);
    let given = Given {
        id,
        admission,
        cached,
        granted,
        maximal,
    };
    if target.stream.is_some() {
        return finish_stream(server, tree, scope, target, path, None, given);
    }
    let attributes = FileAttributes::read(scope, tree, &path)?;
    finish_file(tree, target, path, file, (action, attributes), given)
}

/// Makes the file or directory, and opens the file where its data was asked for.
fn place(
    tree: &Tree,
    scope: &CredScope<'_>,
    target: &Target<'_>,
    parent: &Path,
) -> Result<(Path, Option<File>), Failure> {
    let parameters = &target.parameters;
    let is_directory = parameters.makes_directory() || target.name.must_be_directory();
    let name = lookup::last_component(&target.name)?;
    let observer = tree.share.observer();
    let raced = |error| {
        if error == EEXIST {
            Failure::Raced
        } else {
            making_status(error).into()
        }
    };
    if is_directory {
        let path = parent.create_dir(scope, observer, name, directory_mode(tree, target.mode));
        return Ok((path.map_err(raced)?, None));
    }
    let access = if parameters.access.contains(Mask::MAXIMUM_ALLOWED) {
        Some(Access::READ | Access::WRITE)
    } else {
        data_access(parameters.access, false, parameters.options)
    };
    let wanted = access.unwrap_or(Access::READ);
    let file = parent
        .create_file(scope, observer, name, file_mode(tree, target.mode), wanted)
        .map_err(raced)?;
    Ok((file.path().clone(), access.map(|_| file)))
}

/// Gives a new file what came with the request: attributes, extended ones, a security descriptor, space.
fn equip(
    server: &Server,
    tree: &Tree,
    scope: &CredScope<'_>,
    target: &Target<'_>,
    path: &Path,
    file: Option<&File>,
) -> Result<(), NtStatus> {
    attributes::store_new(scope, tree, path, target.parameters.attributes);
    ea::set_list(scope, path, target.eas)?;
    if let Some(descriptor) = &target.security {
        Identities::new(&server.config()).set_new(scope, path, descriptor)?;
    }
    match file {
        Some(file) => reserve(scope, file, target),
        None => Ok(()),
    }
}

/// Checks that the directory takes new names: one that is to be deleted does not, [MS-FSA] 2.1.5.1.1.
fn require_parent(server: &Server, parent: &Path) -> Result<(), NtStatus> {
    match server.files.find(parent.inode_key()) {
        Some(state) if state.is_delete_pending() => Err(NtStatus::DELETE_PENDING),
        _ => Ok(()),
    }
}

/// Takes away a file whose maker was not let in, unless somebody else was.
fn unmake(server: &Server, tree: &Tree, scope: &CredScope<'_>, path: &Path) {
    if let (None, Some(root)) = (server.files.find(path.inode_key()), tree.share.directory()) {
        let _ = path.remove(scope, tree.share.observer(), root);
    }
}

/// What an error of making a file means: the directory is there, so ENOENT says that it was removed meanwhile.
fn making_status(error: Error) -> NtStatus {
    if error == ENOENT {
        NtStatus::OBJECT_PATH_NOT_FOUND
    } else {
        status_of(error)
    }
}

fn file_mode(tree: &Tree, asked: Option<u16>) -> u16 {
    asked.unwrap_or(MODE) & tree.share.create_mask | tree.share.force_create_mode
}

fn directory_mode(tree: &Tree, asked: Option<u16>) -> u16 {
    asked.unwrap_or(MODE) & tree.share.directory_mask | tree.share.force_directory_mode
}

/// Gives a new file its directory's owner where the share says so (`inherit owner`).
fn inherit_owner(scope: &CredScope<'_>, tree: &Tree, parent: &Path, path: &Path) {
    if !tree.share.inherits_owner() {
        return;
    }
    if let Ok(stat) = parent.attributes(scope) {
        // A user who may not give files away keeps them.
        let owner = Changes {
            uid: Some(stat.uid),
            ..Changes::default()
        };
        let _ = path.change(scope, owner);
    }
}

/// What an open was given of the file.
struct Given {
    id: FileId,
    admission: Admission,
    cached: Cached,
    granted: Mask,
    maximal: Mask,
}

/// The open of the file itself, once all else is done.
fn finish_file(
    tree: &Arc<Tree>,
    target: &Target<'_>,
    path: Path,
    file: Option<File>,
    (action, attributes): (Action, FileAttributes),
    given: Given,
) -> Result<Opened, Failure> {
    let Given {
        id,
        admission,
        cached,
        granted,
        maximal,
    } = given;
    let options = target.parameters.options;
    let opened = OpenedFile::new(path, file, options, target.semantics, admission);
    let opened = opened.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    let open = finish(tree, id, granted, Object::File(opened))?;
    Ok(Opened {
        open,
        action,
        attributes,
        maximal,
        cached,
    })
}

/// Opens the stream that was asked for, once its file is open. `existing` is nothing if the file was made for it.
fn finish_stream(
    server: &Arc<Server>,
    tree: &Arc<Tree>,
    scope: &CredScope<'_>,
    target: &Target<'_>,
    path: Path,
    existing: Option<FileAttributes>,
    given: Given,
) -> Result<Opened, Failure> {
    let named = target.stream.as_ref().ok_or(NtStatus::INTERNAL_ERROR)?;
    let Given {
        id,
        admission,
        cached,
        granted,
        maximal,
    } = given;
    let dos = existing.as_ref().map(|attributes| attributes.own);
    let base = Base {
        path: &path,
        existing: dos,
        maximal,
        granted,
    };
    let entered = named.enter(server, scope, tree, &base, target.waker)?;
    let attributes = FileAttributes::read(scope, tree, &path)?.of_stream(entered.size);
    let action = entered.action;
    let file = OpenedFile::new(
        path,
        None,
        target.parameters.options,
        target.semantics,
        admission,
    );
    let file = file.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
    let object = Object::Stream(OpenedStream::new(file, entered));
    let open = finish(tree, id, granted, object)?;
    Ok(Opened {
        open,
        action,
        attributes,
        maximal,
        cached,
    })
}

fn finish(
    tree: &Arc<Tree>,
    id: FileId,
    granted: Mask,
    object: Object,
) -> Result<Arc<Open>, NtStatus> {
    Open::new(id, tree, granted, object).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
}
