// SPDX-License-Identifier: GPL-2.0

//! The server service, [MS-SRVS]: which shares there are. Sessions and open files are in `sessions.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use ksmbd_tools::config::Share;

use super::ndr::{
    ndr_params, ndr_struct, Align, Array, Decode, Decoder, Encode, Encoder, Level, Unique, WStr,
};
use super::pdu::{fault, SyntaxId};
use super::{sessions, Call, Fault, Interface};

/// Operation numbers, [MS-SRVS] 3.1.4.
mod operation {
    pub(super) const FILE_ENUM: u16 = 9;
    pub(super) const SESSION_ENUM: u16 = 12;
    pub(super) const SHARE_ENUM: u16 = 15;
    pub(super) const SHARE_GET_INFO: u16 = 16;
    pub(super) const SERVER_GET_INFO: u16 = 21;
    pub(super) const REMOTE_TOD: u16 = 28;
    pub(super) const NAME_VALIDATE: u16 = 33;
    pub(super) const SHARE_ENUM_STICKY: u16 = 36;
}

/// Results, [MS-ERREF] 2.2.
pub(super) mod status {
    pub(in super::super) const OK: u32 = 0;
    pub(in super::super) const ACCESS_DENIED: u32 = 5;
    pub(in super::super) const INVALID_PARAMETER: u32 = 87;
    pub(in super::super) const INVALID_NAME: u32 = 123;
    pub(in super::super) const INVALID_LEVEL: u32 = 124;
    pub(in super::super) const NET_NAME_NOT_FOUND: u32 = 2310;
}

/// `shi1_type`, [MS-SRVS] 2.2.2.4.
mod share_type {
    pub(super) const DISK: u32 = 0;
    pub(super) const IPC: u32 = 3;
    pub(super) const SPECIAL: u32 = 0x8000_0000;
}

/// `PLATFORM_ID_NT`.
pub(super) const PLATFORM_NT: u32 = 500;
/// The version of Windows that clients take the server for.
pub(super) const VERSION: (u32, u32) = (6, 1);
/// SV_TYPE_WORKSTATION, SERVER, SERVER_UNIX, NT, SERVER_NT.
const SERVER_TYPE: u32 = 0x0000_9803;

/// The last of the types of names of NetprNameValidate, a workgroup's.
const LAST_NAME_TYPE: u32 = 13;

type Name = Unique<WStr>;

/// A pointer to a string.
pub(super) fn name(text: &str) -> Name {
    Unique::To(WStr(text.to_owned()))
}

ndr_struct! {
    /// `SHARE_INFO_0`, 2.2.4.22.
    struct ShareInfo0 { netname: Name, }
}
ndr_struct! {
    /// `SHARE_INFO_1`, 2.2.4.23.
    struct ShareInfo1 { netname: Name, kind: u32, remark: Name, }
}
ndr_struct! {
    /// `SHARE_INFO_2`, 2.2.4.24.
    struct ShareInfo2 {
        netname: Name, kind: u32, remark: Name, permissions: u32, max_uses: u32, current_uses: u32, path: Name, passwd: Name,
    }
}
ndr_struct! {
    /// `SHARE_INFO_501`, 2.2.4.25.
    struct ShareInfo501 { netname: Name, kind: u32, remark: Name, flags: u32, }
}
ndr_struct! {
    /// `SHARE_INFO_502_I`, 2.2.4.26.
    struct ShareInfo502 {
        netname: Name, kind: u32, remark: Name, permissions: u32, max_uses: u32, current_uses: u32, path: Name, passwd: Name,
        descriptor_size: u32, descriptor: Unique<Array<u8>>,
    }
}
ndr_struct! {
    /// `SHARE_INFO_503_I`, 2.2.4.27.
    struct ShareInfo503 {
        netname: Name, kind: u32, remark: Name, permissions: u32, max_uses: u32, current_uses: u32, path: Name, passwd: Name,
        server: Name, descriptor_size: u32, descriptor: Unique<Array<u8>>,
    }
}
ndr_struct! {
    /// `SHARE_INFO_1005`, 2.2.4.29.
    struct ShareInfo1005 { flags: u32, }
}
ndr_struct! {
    /// The containers of 2.2.4.33 and following.
    pub(super) struct Container<T> { entries: u32, buffer: Unique<Array<T>>, }
}
ndr_struct! {
    /// `SERVER_INFO_100`, [MS-DTYP] 2.3.12.
    struct ServerInfo100 { platform: u32, name: Name, }
}
ndr_struct! {
    /// `SERVER_INFO_101`, [MS-DTYP] 2.3.13.
    struct ServerInfo101 { platform: u32, name: Name, major: u32, minor: u32, kind: u32, comment: Name, }
}
ndr_struct! {
    /// `SERVER_INFO_102`, 2.2.4.42.
    struct ServerInfo102 {
        platform: u32, name: Name, major: u32, minor: u32, kind: u32, comment: Name, users: u32, disconnect: u32, hidden: u32,
        announce: u32, announce_delta: u32, licenses: u32, user_path: Name,
    }
}
ndr_struct! {
    /// `TIME_OF_DAY_INFO`, 2.2.4.105.
    struct TimeOfDay {
        elapsed: u32, milliseconds: u32, hours: u32, minutes: u32, seconds: u32, hundredths: u32, timezone: u32,
        tick_interval: u32, day: u32, month: u32, year: u32, weekday: u32,
    }
}

ndr_struct! {
    /// `SHARE_ENUM_STRUCT`, 2.2.4.38, and the like for sessions and files: a level, and as often the container of that level.
    pub(super) struct Listing<T> { level: u32, container: Level<Unique<Container<T>>>, }
}
ndr_params! {
    /// NetrShareEnum, NetrSessionEnum and NetrFileEnum, behind the names that they begin with.
    pub(super) struct Enumerate<T> { listing: Listing<T>, preferred: u32, resume: Unique<u32>, }
}
ndr_params! {
    /// Results of everything that enumerates.
    pub(super) struct Enumerated<T> { listing: Listing<T>, total: u32, resume: Unique<u32>, status: u32, }
}
ndr_params! {
    /// NetrShareGetInfo, 3.1.4.10.
    struct ShareGetInfo { server: Name, share: WStr, level: u32, }
}
ndr_params! {
    /// NetrServerGetInfo, 3.1.4.17, and NetrWkstaGetInfo, [MS-WKST] 3.2.4.1.
    pub(super) struct GetInfo { server: Name, level: u32, }
}
ndr_params! {
    /// Results of what asks by a level.
    pub(super) struct Info<T> { info: Level<Unique<T>>, status: u32, }
}
ndr_params! {
    /// NetrRemoteTOD, 3.1.4.21.
    struct RemoteTod { server: Name, }
}
ndr_params! {
    /// Its results.
    struct Now { time: Unique<TimeOfDay>, status: u32, }
}
ndr_params! {
    /// NetprNameValidate, 3.1.4.32.
    struct NameValidate { server: Name, name: WStr, kind: u32, flags: u32, }
}

/// What a share's information is made from.
struct Described<'a> {
    share: &'a Share,
    current_uses: u32,
}

impl Described<'_> {
    fn kind(&self) -> u32 {
        if self.share.is_pipe {
            share_type::IPC | share_type::SPECIAL
        } else if self.share.name.ends_with('$') {
            share_type::DISK | share_type::SPECIAL
        } else {
            share_type::DISK
        }
    }

    fn path(&self) -> String {
        // Clients expect a drive; where the server keeps its files is nobody's business.
        if self.share.is_pipe {
            String::new()
        } else {
            format!("C:\\{}", self.share.name)
        }
    }
}

/// A form in which a share can be described.
trait Describe: Encode + Decode + Sized {
    fn of(share: &Described<'_>) -> Self;
}

impl Describe for ShareInfo0 {
    fn of(share: &Described<'_>) -> Self {
        ShareInfo0 {
            netname: name(&share.share.name),
        }
    }
}

impl Describe for ShareInfo1 {
    fn of(share: &Described<'_>) -> Self {
        ShareInfo1 {
            netname: name(&share.share.name),
            kind: share.kind(),
            remark: name(&share.share.comment),
        }
    }
}

impl Describe for ShareInfo2 {
    fn of(share: &Described<'_>) -> Self {
        ShareInfo2 {
            netname: name(&share.share.name),
            kind: share.kind(),
            remark: name(&share.share.comment),
            permissions: 0,
            max_uses: share.share.max_connections,
            current_uses: share.current_uses,
            path: name(&share.path()),
            passwd: Unique::Null,
        }
    }
}

impl Describe for ShareInfo501 {
    fn of(share: &Described<'_>) -> Self {
        let ShareInfo1 {
            netname,
            kind,
            remark,
        } = ShareInfo1::of(share);
        ShareInfo501 {
            netname,
            kind,
            remark,
            flags: 0,
        }
    }
}

impl Describe for ShareInfo502 {
    fn of(share: &Described<'_>) -> Self {
        let ShareInfo2 {
            netname,
            kind,
            remark,
            permissions,
            max_uses,
            current_uses,
            path,
            passwd,
        } = ShareInfo2::of(share);
        let (descriptor_size, descriptor) = (0, Unique::Null);
        ShareInfo502 {
            netname,
            kind,
            remark,
            permissions,
            max_uses,
            current_uses,
            path,
            passwd,
            descriptor_size,
            descriptor,
        }
    }
}

impl Describe for ShareInfo503 {
    fn of(share: &Described<'_>) -> Self {
        let ShareInfo502 {
            netname,
            kind,
            remark,
            permissions,
            max_uses,
            current_uses,
            path,
            passwd,
            descriptor_size,
            descriptor,
        } = ShareInfo502::of(share);
        ShareInfo503 {
            netname,
            kind,
            remark,
            permissions,
            max_uses,
            current_uses,
            path,
            passwd,
            // Of every name that the server has.
            server: name("*"),
            descriptor_size,
            descriptor,
        }
    }
}

impl Describe for ShareInfo1005 {
    fn of(_: &Described<'_>) -> Self {
        ShareInfo1005 { flags: 0 }
    }
}

/// The interface.
pub(super) struct Srvsvc;

impl Interface for Srvsvc {
    fn id(&self) -> SyntaxId {
        SyntaxId::new(
            0x4b32_4fc8,
            0x1670,
            0x01d3,
            [0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88],
            3,
        )
    }

    fn call(
        &self,
        call: &Call<'_>,
        number: u16,
        input: &mut Decoder<'_>,
        output: &mut Encoder,
    ) -> Result<(), Fault> {
        match number {
            operation::SHARE_ENUM | operation::SHARE_ENUM_STICKY => share_enum(call, input, output),
            operation::SESSION_ENUM => sessions::session_enum(call, input, output),
            operation::FILE_ENUM => sessions::file_enum(call, input, output),
            operation::SHARE_GET_INFO => share_get_info(call, input, output),
            operation::SERVER_GET_INFO => server_get_info(call, input, output),
            operation::REMOTE_TOD => remote_tod(input, output),
            operation::NAME_VALIDATE => name_validate(input, output),
            _ => Err(Fault(fault::OPERATION_RANGE)),
        }
    }
}

/// NetrShareEnum, 3.1.4.8.
fn share_enum(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let _server: Name = input.param()?;
    match next_level(input)? {
        0 => share_enum_at::<ShareInfo0>(call, input, output),
        1 => share_enum_at::<ShareInfo1>(call, input, output),
        2 => share_enum_at::<ShareInfo2>(call, input, output),
        501 => share_enum_at::<ShareInfo501>(call, input, output),
        502 => share_enum_at::<ShareInfo502>(call, input, output),
        503 => share_enum_at::<ShareInfo503>(call, input, output),
        // Nothing after an unknown level can be read, and its union has no arm.
        level => {
            no_entries(level, status::INVALID_LEVEL, output);
            Ok(())
        }
    }
}

/// The level of the listing that comes next, without passing over it: only then it is known what it is made of.
pub(super) fn next_level(input: &Decoder<'_>) -> Result<u32, Fault> {
    let mut ahead = input.clone();
    ahead.align(Listing::<u32>::alignment(ahead.syntax()))?;
    Ok(ahead.param()?)
}

impl<T> Listing<T> {
    /// The level, if the union says the same.
    pub(super) fn checked_level(&self) -> Result<u32, Fault> {
        if self.container.level == self.level {
            Ok(self.level)
        } else {
            Err(Fault(fault::BAD_STUB))
        }
    }
}

/// Writes that nothing is enumerated, and why.
pub(super) fn no_entries(level: u32, status: u32, output: &mut Encoder) {
    output.params(&Enumerated::<u32> {
        listing: Listing {
            level,
            container: Level {
                level,
                arm: Unique::Null,
            },
        },
        total: 0,
        resume: Unique::Null,
        status,
    });
}

/// A listing of `entries`.
pub(super) fn listing<T>(level: u32, entries: Vec<T>) -> Listing<T> {
    Listing {
        level,
        container: Level {
            level,
            arm: Unique::To(Container {
                entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
                buffer: Unique::To(Array(entries)),
            }),
        },
    }
}

fn share_enum_at<T: Describe>(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let asked: Enumerate<T> = input.params()?;
    let level = asked.listing.checked_level()?;
    if !call.may_look() {
        no_entries(level, status::ACCESS_DENIED, output);
        return Ok(());
    }
    let settings = call.server.state.settings();
    // What lies before the resume handle was sent before; this server always sends all the rest.
    let before = asked.resume.as_ref().copied().unwrap_or(0);
    let shares: Vec<T> = settings
        .config
        .shares()
        .filter(|share| share.browseable)
        .skip(usize::try_from(before).unwrap_or(usize::MAX))
        .map(|share| T::of(&describe(call, share)))
        .collect();
    output.params(&Enumerated {
        total: u32::try_from(shares.len()).unwrap_or(u32::MAX),
        listing: listing(level, shares),
        resume: match asked.resume {
            Unique::Null => Unique::Null,
            _ => Unique::To(0u32),
        },
        status: status::OK,
    });
    Ok(())
}

fn describe<'a>(call: &Call<'_>, share: &'a Share) -> Described<'a> {
    Described {
        share,
        current_uses: call.server.state.users_of(&share.name),
    }
}

/// NetrShareGetInfo, 3.1.4.10.
fn share_get_info(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let ShareGetInfo { share, level, .. } = input.params()?;
    let settings = call.server.state.settings();
    let found = settings
        .config
        .share(&share.0)
        .map(|share| describe(call, share));
    let result = match (found, level) {
        (_, _) if !call.may_look() => Err(status::ACCESS_DENIED),
        (None, _) => Err(status::NET_NAME_NOT_FOUND),
        (Some(share), 0) => info::<ShareInfo0>(level, &share, output),
        (Some(share), 1) => info::<ShareInfo1>(level, &share, output),
        (Some(share), 2) => info::<ShareInfo2>(level, &share, output),
        (Some(share), 501) => info::<ShareInfo501>(level, &share, output),
        (Some(share), 502) => info::<ShareInfo502>(level, &share, output),
        (Some(share), 503) => info::<ShareInfo503>(level, &share, output),
        (Some(share), 1005) => info::<ShareInfo1005>(level, &share, output),
        (Some(_), _) => Err(status::INVALID_LEVEL),
    };
    output_status(level, result, output);
    Ok(())
}

fn info<T: Describe>(level: u32, share: &Described<'_>, output: &mut Encoder) -> Result<(), u32> {
    arm(level, T::of(share), output)
}

/// Ends a call whose result was written, or writes an empty one.
pub(super) fn output_status(level: u32, result: Result<(), u32>, output: &mut Encoder) {
    if let Err(status) = result {
        output.params(&Info::<u32> {
            info: Level {
                level,
                arm: Unique::Null,
            },
            status,
        });
    }
}

/// NetrServerGetInfo, 3.1.4.17.
fn server_get_info(
    call: &Call<'_>,
    input: &mut Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), Fault> {
    let GetInfo { level, .. } = input.params()?;
    let settings = call.server.state.settings();
    let global = &settings.config.global;
    let (platform, server, comment) = (
        PLATFORM_NT,
        name(&global.netbios_name),
        name(&global.server_string),
    );
    let (major, minor) = VERSION;
    let result = match level {
        _ if !call.may_look() => Err(status::ACCESS_DENIED),
        100 => arm(
            level,
            ServerInfo100 {
                platform,
                name: server,
            },
            output,
        ),
        101 => arm(
            level,
            ServerInfo101 {
                platform,
                name: server,
                major,
                minor,
                kind: SERVER_TYPE,
                comment,
            },
            output,
        ),
        102 => {
            let info = ServerInfo102 {
                platform,
                name: server,
                major,
                minor,
                kind: SERVER_TYPE,
                comment,
                users: global.max_active_sessions,
                disconnect: global.deadtime,
                hidden: 0,
                announce: 240,
                announce_delta: 3000,
                licenses: 0,
                user_path: name("C:\\"),
            };
            arm(level, info, output)
        }
        _ => Err(status::INVALID_LEVEL),
    };
    output_status(level, result, output);
    Ok(())
}

/// Writes a result of a level that is known; never fails.
pub(super) fn arm<T: Encode + Decode>(
    level: u32,
    value: T,
    output: &mut Encoder,
) -> Result<(), u32> {
    output.params(&Info {
        info: Level {
            level,
            arm: Unique::To(value),
        },
        status: status::OK,
    });
    Ok(())
}

/// NetrRemoteTOD, 3.1.4.21.
fn remote_tod(input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let _asked: RemoteTod = input.params()?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    output.params(&Now {
        time: Unique::To(time_of_day(now.as_secs(), now.subsec_millis())),
        status: status::OK,
    });
    Ok(())
}

/// The time in UTC: the zone is then 0.
fn time_of_day(seconds: u64, milliseconds: u32) -> TimeOfDay {
    let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let (days, second) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = civil(days);
    TimeOfDay {
        elapsed: short(seconds),
        milliseconds: short(seconds.wrapping_mul(1000) & 0xffff_ffff).wrapping_add(milliseconds),
        hours: short(second / 3600),
        minutes: short(second / 60 % 60),
        seconds: short(second % 60),
        hundredths: milliseconds / 10,
        timezone: 0,
        // Of 0.1 ms.
        tick_interval: 310,
        day: short(day),
        month: short(month),
        year: short(year),
        // Day 0 was a Thursday.
        weekday: short((days + 4) % 7),
    }
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01. Months count from March in an era of 400
/// years, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// NetprNameValidate, 3.1.4.32: share names (type 9) and others alike.
fn name_validate(input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let NameValidate { name, kind, .. } = input.params()?;
    let code = match kind {
        1..=LAST_NAME_TYPE if is_valid_name(&name.0) => status::OK,
        1..=LAST_NAME_TYPE => status::INVALID_NAME,
        _ => status::INVALID_PARAMETER,
    };
    output.param(&code);
    Ok(())
}

fn is_valid_name(name: &str) -> bool {
    let most = 80;
    (1..=most).contains(&name.chars().count())
        && !name
            .chars()
            .any(|c| c.is_control() || "\"/\\[]:|<>+=;,*?".contains(c))
}

#[cfg(test)]
#[path = "srvsvc_tests.rs"]
mod tests;
