// SPDX-License-Identifier: GPL-2.0

//! FILETIME ([MS-DTYP] 2.3.3) and what its special values ask for in FileBasicInformation ([MS-FSCC] 2.4.7).

use crate::layout::Fixed;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: i64 = 11_644_473_600;

/// Intervals of 100 ns in a second.
const TICKS: u64 = 10_000_000;

/// A moment in intervals of 100 ns since 1601-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    /// No time.
    pub const ZERO: FileTime = FileTime(0);

    /// The last moment that the signed field on the wire holds.
    pub const MAX: FileTime = FileTime(0x7FFF_FFFF_FFFF_FFFF);

    /// The moment `seconds` and `nanoseconds` after 1970-01-01 UTC, cut to 100 ns; a moment outside of FILETIME's range
    /// becomes its nearest end.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> FileTime {
        let since_1601 = seconds.saturating_add(UNIX_EPOCH);
        let Ok(since_1601) = u64::try_from(since_1601) else {
            return FileTime::ZERO;
        };
        let ticks = since_1601
            .saturating_mul(TICKS)
            .saturating_add(u64::from(nanoseconds / 100));
        FileTime(ticks).min(FileTime::MAX)
    }

    /// Seconds (rounded down) since 1970-01-01 UTC, and the nanoseconds beyond them, less than 1,000,000,000.
    pub fn to_unix(self) -> (i64, u32) {
        let seconds = i64::try_from(self.0 / TICKS).unwrap_or(i64::MAX);
        let nanoseconds = u32::try_from((self.0 % TICKS).wrapping_mul(100)).unwrap_or(0);
        (seconds.saturating_sub(UNIX_EPOCH), nanoseconds)
    }

    /// What a time in a FileBasicInformation of a SET_INFO asks for.
    ///
    /// # Errors
    ///
    /// `Malformed` for a negative value other than -1 and -2.
    pub fn change(self) -> Parsed<TimeChange> {
        match self.0 {
            0 => Ok(TimeChange::Keep),
            u64::MAX => Ok(TimeChange::Freeze),
            0xFFFF_FFFF_FFFF_FFFE => Ok(TimeChange::Thaw),
            _ if self > FileTime::MAX => Err(Malformed),
            _ => Ok(TimeChange::Set(self)),
        }
    }
}

/// What a client asks to do with a file's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeChange {
    /// 0: leave it.
    Keep,
    /// -1: leave it, and let no later operation through this handle change it by itself.
    Freeze,
    /// -2: take back an earlier freeze.
    Thaw,
    /// Set it.
    Set(FileTime),
}

impl TimeChange {
    /// The value on the wire.
    pub fn wire(self) -> FileTime {
        match self {
            TimeChange::Keep => FileTime::ZERO,
            TimeChange::Freeze => FileTime(u64::MAX),
            TimeChange::Thaw => FileTime(0xFFFF_FFFF_FFFF_FFFE),
            TimeChange::Set(time) => time,
        }
    }
}

impl Fixed for FileTime {
    const SIZE: usize = 8;

    fn take(r: &mut Reader<'_>) -> Parsed<Self> {
        r.u64().map(FileTime)
    }

    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.u64(self.0)
    }
}
