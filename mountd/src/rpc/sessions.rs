// SPDX-License-Identifier: GPL-2.0

//! Sessions and open files over the server service: NetrSessionEnum, [MS-SRVS] 3.1.4.5, and NetrFileEnum, 3.1.4.2.
//!
//! What there is comes from the module's files below `/proc/fs/ksmbd`. A module without them has nothing to enumerate, which is
//! said as such and not as an empty list.

use ksmbd_tools::status::{OpenFile, Session, StatusError};

use super::ndr::{ndr_params, ndr_struct, Decode, Decoder, Encode, Encoder, Unique, WStr};
use super::srvsvc::{self, listing, name, no_entries, status, Enumerate, Enumerated};
use super::{page, Call, Fault};

type Name = Unique<WStr>;

/// `SESS_GUEST`, 2.2.4.15.
const SESSION_GUEST: u32 = 1;
/// `PERM_FILE_*`, 2.2.4.7.
mod permission {
    pub(super) const READ: u32 = 1;
    pub(super) const WRITE: u32 = 2;
    pub(super) const CREATE: u32 = 4;
}
/// NERR_ClientNameNotFound, [MS-ERREF] 2.2.
const CLIENT_NAME_NOT_FOUND: u32 = 2312;
/// NERR_UserNotFound.
const USER_NOT_FOUND: u32 = 2221;
/// ERROR_MORE_DATA.
const MORE_DATA: u32 = 234;
/// ERROR_NOT_SUPPORTED.
const NOT_SUPPORTED: u32 = 50;

ndr_struct! {
    /// `SESSION_INFO_0`, 2.2.4.11.
    struct SessionInfo0 { client: Name, }
}
ndr_struct! {
    /// `SESSION_INFO_1`, 2.2.4.12.
    struct SessionInfo1 { client: Name, user: Name, opens: u32, time: u32, idle: u32, flags: u32, }
}
ndr_struct! {
    /// `SESSION_INFO_2`, 2.2.4.13.
    struct SessionInfo2 { client: Name, user: Name, opens: u32, time: u32, idle: u32, flags: u32, client_type: Name, }
}
ndr_struct! {
    /// `SESSION_INFO_10`, 2.2.4.14.
    struct SessionInfo10 { client: Name, user: Name, time: u32, idle: u32, }
}
ndr_struct! {
    /// `SESSION_INFO_502`, 2.2.4.15.
    struct SessionInfo502 {
        client: Name, user: Name, opens: u32, time: u32, idle: u32, flags: u32, client_type: Name, transport: Name,
    }
}
ndr_struct! {
    /// `FILE_INFO_2`, 2.2.4.6.
    struct FileInfo2 { id: u32, }
}
ndr_struct! {
    /// `FILE_INFO_3`, 2.2.4.7.
    struct FileInfo3 { id: u32, permissions: u32, locks: u32, path: Name, user: Name, }
}
ndr_params! {
    /// What both operations begin with: the server's name, and by what to choose.
    struct Choice { server: Name, first: Name, user: Name, }
}

/// A form in which something can be described.
trait Describe<S>: Encode + Decode + Sized {
    fn of(subject: &S) -> Self;
}

fn seconds(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The client's address, of a session on several connections the first.
fn client(session: &Session) -> Name {
    name(session.clients.first().map_or("", String::as_str))
}

fn flags(session: &Session) -> u32 {
    if session.account_type == "user" {
        0
    } else {
        SESSION_GUEST
    }
}

impl Describe<Session> for SessionInfo0 {
    fn of(session: &Session) -> Self {
        SessionInfo0 {
            client: client(session),
        }
    }
}

impl Describe<Session> for SessionInfo1 {
    fn of(session: &Session) -> Self {
        SessionInfo1 {
            client: client(session),
            user: name(&session.user),
            opens: session.open_files,
            time: seconds(session.age_seconds),
            idle: seconds(session.idle_seconds),
            flags: flags(session),
        }
    }
}

impl Describe<Session> for SessionInfo2 {
    fn of(session: &Session) -> Self {
        let SessionInfo1 {
            client,
            user,
            opens,
            time,
            idle,
            flags,
        } = SessionInfo1::of(session);
        SessionInfo2 {
            client,
            user,
            opens,
            time,
            idle,
            flags,
            client_type: name(&session.dialect),
        }
    }
}

impl Describe<Session> for SessionInfo10 {
    fn of(session: &Session) -> Self {
        SessionInfo10 {
            client: client(session),
            user: name(&session.user),
            time: seconds(session.age_seconds),
            idle: seconds(session.idle_seconds),
        }
    }
}

impl Describe<Session> for SessionInfo502 {
    fn of(session: &Session) -> Self {
        let SessionInfo2 {
            client,
            user,
            opens,
            time,
            idle,
            flags,
            client_type,
        } = SessionInfo2::of(session);
        SessionInfo502 {
            client,
            user,
            opens,
            time,
            idle,
            flags,
            client_type,
            transport: name("tcp"),
        }
    }
}

/// The number under which a client knows the file: the low half of ours, which no two open files share while fewer than 2^32
/// were opened meanwhile.
fn file_id(file: &OpenFile) -> u32 {
    u32::try_from(file.id & 0xffff_ffff).unwrap_or(u32::MAX)
}

impl Describe<OpenFile> for FileInfo2 {
    fn of(file: &OpenFile) -> Self {
        FileInfo2 { id: file_id(file) }
    }
}

impl Describe<OpenFile> for FileInfo3 {
    fn of(file: &OpenFile) -> Self {
        // FILE_READ_DATA; FILE_WRITE_DATA; FILE_APPEND_DATA, which in a directory is to make files.
        let rights = [
            (0x1, permission::READ),
            (0x2, permission::WRITE),
            (0x4, permission::CREATE),
        ];
        let permissions = rights
            .iter()
            .filter(|(right, _)| file.access & right != 0)
            .fold(0, |all, (_, bit)| all | bit);
        FileInfo3 {
            id: file_id(file),
            permissions,
            locks: file.locks,
            path: name(&path(file)),
            user: name(&file.user),
        }
    }
}

/// Where the file is, as clients see it: the share as the folder of its drive, as in the answers about shares.
fn path(file: &OpenFile) -> String {
    let inside = file.name.replace('/', "\\");
    match file.kind.as_str() {
        "pipe" => format!("\\PIPE\\{inside}"),
        _ if inside == "." => format!("C:\\{}", file.share),
        _ => format!("C:\\{}\\{inside}", file.share),
    }
}

/// Writes as many of `subjects` as the client takes, at least one, and where to go on.
fn enumerate<S, T: Describe<S>>(
    subjects: &[S],
    size: impl Fn(&S) -> usize,
    asked: &Enumerate<T>,
    output: &mut Encoder,
) {
    let resume = asked.resume.as_ref().copied().unwrap_or(0);
    let first = usize::try_from(resume).unwrap_or(usize::MAX);
    let rest = subjects.get(first..).unwrap_or(&[]);
    let page = page::of(rest, asked.preferred, size);
    let next = first.saturating_add(page.items.len());
    output.params(&Enumerated {
        listing: listing(asked.listing.level, page.items.iter().map(T::of).collect()),
        total: u32::try_from(rest.len()).unwrap_or(u32::MAX),
        resume: match asked.resume {
            Unique::Null => Unique::Null,
            _ if page.is_all => Unique::To(0u32),
            _ => Unique::To(u32::try_from(next).unwrap_or(u32::MAX)),
        },
        status: if page.is_all { status::OK } else { MORE_DATA },
    });
}

/// Why there is nothing to enumerate.
fn code_of(error: &StatusError) -> u32 {
    log::debug!("sessions and files cannot be enumerated: {error}");
    match error {
        StatusError::NotLoaded | StatusError::NotTold => NOT_SUPPORTED,
        StatusError::Io(..) => status::ACCESS_DENIED,
    }
}

/// A name that the client gives to choose by; empty is none.
fn chosen(name: &Name) -> Option<&str> {
    let name = name.as_ref().map(|name| name.0.as_str())?;
    let name = name.strip_prefix("\\\\").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

fn is_named(user: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| user.eq_ignore_ascii_case(wanted))
}

/// NetrSessionEnum, 3.1.4.5. Who is connected from where is told to every user, as the document has it; what he does there only
/// to administrators.
pub(super) fn session_enum(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let choice: Choice = input.params()?;
    let everybody = !call.is_restricted;
    let administrators = || call.is_administrator();
    match srvsvc::next_level(input)? {
        0 => sessions::<SessionInfo0>(call, &choice, everybody, input, output),
        1 => sessions::<SessionInfo1>(call, &choice, administrators(), input, output),
        2 => sessions::<SessionInfo2>(call, &choice, administrators(), input, output),
        10 => sessions::<SessionInfo10>(call, &choice, everybody, input, output),
        502 => sessions::<SessionInfo502>(call, &choice, administrators(), input, output),
        level => {
            no_entries(level, status::INVALID_LEVEL, output);
            Ok(())
        }
    }
}

fn sessions<T: Describe<Session>>(
    call: &Call<'_>,
    choice: &Choice,
    may: bool,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate<T> = input.params()?;
    let level = asked.listing.checked_level()?;
    let size = |session: &Session| 64 + 2 * (session.user.len() + 64);
    match chosen_sessions(call, choice, may) {
        Ok(sessions) => enumerate(&sessions, size, &asked, output),
        Err(status) => no_entries(level, status, output),
    }
    Ok(())
}

fn chosen_sessions(call: &Call<'_>, choice: &Choice, may: bool) -> Result<Vec<Session>, u32> {
    if !may {
        return Err(status::ACCESS_DENIED);
    }
    let mut sessions = call
        .server
        .status
        .sessions()
        .map_err(|error| code_of(&error))?;
    sessions.retain(|session| session.state == "valid");
    let (client, user) = (chosen(&choice.first), chosen(&choice.user));
    sessions.retain(|session| {
        client.is_none_or(|wanted| session.clients.iter().any(|address| address == wanted))
    });
    if client.is_some() && sessions.is_empty() {
        return Err(CLIENT_NAME_NOT_FOUND);
    }
    sessions.retain(|session| is_named(&session.user, user));
    if user.is_some() && sessions.is_empty() {
        return Err(USER_NOT_FOUND);
    }
    Ok(sessions)
}

/// NetrFileEnum, 3.1.4.2, for administrators.
pub(super) fn file_enum(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let choice: Choice = input.params()?;
    match srvsvc::next_level(input)? {
        2 => files::<FileInfo2>(call, &choice, input, output),
        3 => files::<FileInfo3>(call, &choice, input, output),
        level => {
            no_entries(level, status::INVALID_LEVEL, output);
            Ok(())
        }
    }
}

fn files<T: Describe<OpenFile>>(
    call: &Call<'_>,
    choice: &Choice,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate<T> = input.params()?;
    let level = asked.listing.checked_level()?;
    let size = |file: &OpenFile| 64 + 2 * (file.user.len() + file.share.len() + file.name.len());
    match chosen_files(call, choice) {
        Ok(files) => enumerate(&files, size, &asked, output),
        Err(status) => no_entries(level, status, output),
    }
    Ok(())
}

fn chosen_files(call: &Call<'_>, choice: &Choice) -> Result<Vec<OpenFile>, u32> {
    if !call.is_administrator() {
        return Err(status::ACCESS_DENIED);
    }
    let mut files = call
        .server
        .status
        .open_files()
        .map_err(|error| code_of(&error))?;
    let base = choice.first.as_ref().map_or("", |base| base.0.as_str());
    let base = base.to_lowercase();
    files.retain(|file| path(file).to_lowercase().starts_with(&base));
    let user = chosen(&choice.user);
    files.retain(|file| is_named(&file.user, user));
    Ok(files)
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
