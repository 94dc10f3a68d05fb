// SPDX-License-Identifier: GPL-2.0

//! Sessions and open files over the server service: NetrSessionEnum, [MS-SRVS] 3.1.4.5, and NetrFileEnum, 3.1.4.2.
//!
//! What there is comes from the module's files below `/proc/fs/ksmbd`. A module without them has nothing to enumerate, which is
//! said as such and not as an empty list.

use ksmbd_tools::status::{OpenFile, Session, StatusError};

use super::ndr::{
    ndr_struct, Array, Decode, Decoded, Decoder, Encode, Encoder, Level, Unique, WStr,
};
use super::srvsvc::{self, name, status};
use super::{Call, Fault};

type Name = Unique<WStr>;

/// Most bytes of an answer's entries, whatever the client prefers: an answer is made in memory.
const MOST_BYTES: usize = 256 * 1024;
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
ndr_struct! {
    /// The containers of 2.2.4.16 and following.
    struct Container<T> { entries: u32, buffer: Unique<Array<T>>, }
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

/// What asks for entries, behind the level and its union.
struct Wanted {
    preferred: u32,
    resume: Unique<u32>,
}

impl Wanted {
    /// Reads the union of `level` and what follows it.
    fn read<T: Decode>(level: u32, input: &mut Decoder<'_>) -> Decoded<Self> {
        let tag = srvsvc::union_tag(input)?;
        if tag != level {
            return Err(super::ndr::BadStub);
        }
        let _container: Unique<Container<T>> = input.param()?;
        Ok(Wanted {
            preferred: input.param()?,
            resume: input.param()?,
        })
    }

    /// The place of the first entry that is wanted.
    fn first(&self) -> usize {
        let resume = self.resume.as_ref().copied().unwrap_or(0);
        usize::try_from(resume).unwrap_or(usize::MAX)
    }

    fn most_bytes(&self) -> usize {
        usize::try_from(self.preferred)
            .unwrap_or(MOST_BYTES)
            .min(MOST_BYTES)
    }
}

/// Writes as many of `subjects` as the client takes, at least one, and where to go on.
fn enumerate<S, T: Describe<S>>(
    level: u32,
    subjects: &[S],
    size: impl Fn(&S) -> usize,
    wanted: &Wanted,
    output: &mut Encoder,
) {
    let rest = subjects.get(wanted.first()..).unwrap_or(&[]);
    let mut bytes = 0usize;
    let fits = |subject: &&S| {
        let before = bytes;
        bytes = bytes.saturating_add(size(subject));
        before == 0 || bytes <= wanted.most_bytes()
    };
    let entries: Vec<T> = rest.iter().take_while(fits).map(T::of).collect();
    let is_all = entries.len() == rest.len();
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let total = u32::try_from(rest.len()).unwrap_or(u32::MAX);
    let next = wanted.first().saturating_add(entries.len());
    output.param(&level);
    output.param(&Level {
        level,
        arm: Unique::To(Container {
            entries: count,
            buffer: Unique::To(Array(entries)),
        }),
    });
    output.param(&total);
    output.param(&match wanted.resume {
        Unique::Null => Unique::Null,
        _ if is_all => Unique::To(0u32),
        _ => Unique::To(u32::try_from(next).unwrap_or(u32::MAX)),
    });
    output.param(if is_all { &status::OK } else { &MORE_DATA });
}

/// An answer without entries.
fn refuse(level: u32, code: u32, output: &mut Encoder) {
    srvsvc::no_container(level, output);
    srvsvc::no_total(output);
    output.param(&code);
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
    let _server: Name = input.param()?;
    let client: Name = input.param()?;
    let user: Name = input.param()?;
    input.align(input.syntax().word())?;
    let level: u32 = input.param()?;
    let wanted = match level {
        0 => Wanted::read::<SessionInfo0>(level, input)?,
        1 => Wanted::read::<SessionInfo1>(level, input)?,
        2 => Wanted::read::<SessionInfo2>(level, input)?,
        10 => Wanted::read::<SessionInfo10>(level, input)?,
        502 => Wanted::read::<SessionInfo502>(level, input)?,
        _ => {
            refuse(level, status::INVALID_LEVEL, output);
            return Ok(());
        }
    };
    let may = if matches!(level, 0 | 10) {
        !call.is_restricted
    } else {
        call.is_administrator()
    };
    if !may {
        refuse(level, status::ACCESS_DENIED, output);
        return Ok(());
    }
    let mut sessions = match call.server.status.sessions() {
        Ok(sessions) => sessions,
        Err(error) => {
            refuse(level, code_of(&error), output);
            return Ok(());
        }
    };
    sessions.retain(|session| session.state == "valid");
    let (client, user) = (chosen(&client), chosen(&user));
    sessions.retain(|session| {
        client.is_none_or(|wanted| session.clients.iter().any(|address| address == wanted))
    });
    if client.is_some() && sessions.is_empty() {
        refuse(level, CLIENT_NAME_NOT_FOUND, output);
        return Ok(());
    }
    sessions.retain(|session| is_named(&session.user, user));
    if user.is_some() && sessions.is_empty() {
        refuse(level, USER_NOT_FOUND, output);
        return Ok(());
    }
    let size = |session: &Session| 64 + 2 * (session.user.len() + 64);
    match level {
        0 => enumerate::<_, SessionInfo0>(level, &sessions, size, &wanted, output),
        1 => enumerate::<_, SessionInfo1>(level, &sessions, size, &wanted, output),
        2 => enumerate::<_, SessionInfo2>(level, &sessions, size, &wanted, output),
        10 => enumerate::<_, SessionInfo10>(level, &sessions, size, &wanted, output),
        _ => enumerate::<_, SessionInfo502>(level, &sessions, size, &wanted, output),
    }
    Ok(())
}

/// NetrFileEnum, 3.1.4.2, for administrators.
pub(super) fn file_enum(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let _server: Name = input.param()?;
    let base: Name = input.param()?;
    let user: Name = input.param()?;
    input.align(input.syntax().word())?;
    let level: u32 = input.param()?;
    let wanted = match level {
        2 => Wanted::read::<FileInfo2>(level, input)?,
        3 => Wanted::read::<FileInfo3>(level, input)?,
        _ => {
            refuse(level, status::INVALID_LEVEL, output);
            return Ok(());
        }
    };
    if !call.is_administrator() {
        refuse(level, status::ACCESS_DENIED, output);
        return Ok(());
    }
    let mut files = match call.server.status.open_files() {
        Ok(files) => files,
        Err(error) => {
            refuse(level, code_of(&error), output);
            return Ok(());
        }
    };
    let base = base.as_ref().map_or("", |base| base.0.as_str());
    let base = base.to_lowercase();
    files.retain(|file| path(file).to_lowercase().starts_with(&base));
    let user = chosen(&user);
    files.retain(|file| is_named(&file.user, user));
    let size = |file: &OpenFile| 64 + 2 * (file.user.len() + file.share.len() + file.name.len());
    match level {
        2 => enumerate::<_, FileInfo2>(level, &files, size, &wanted, output),
        _ => enumerate::<_, FileInfo3>(level, &files, size, &wanted, output),
    }
    Ok(())
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
