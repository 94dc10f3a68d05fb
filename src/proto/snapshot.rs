// SPDX-License-Identifier: GPL-2.0

//! Previous versions: `@GMT` tokens ([MS-SMB2] 2.2.32.2, [MS-SMB] 2.2.1.1.1) and SRV_SNAPSHOT_ARRAY.

use crate::unicode::{write_utf16_char, Utf16};
use crate::wire::{Full, Malformed, Parsed, Reader, Writer, Written};

/// Characters of a token.
pub const TOKEN_LEN: usize = 24;

/// Bytes of a token with its terminator in a list.
const ELEMENT: usize = 50;

const DAY: i64 = 86_400;

/// A point in time, whole seconds, that a token can name: the years 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotTime {
    /// Seconds since 1970-01-01 UTC.
    seconds: i64,
}

impl SnapshotTime {
    /// The time `seconds` after 1970-01-01 UTC; `None` where its year does not have four digits.
    pub fn from_unix(seconds: i64) -> Option<SnapshotTime> {
        (-62_167_219_200..=253_402_300_799)
            .contains(&seconds)
            .then_some(SnapshotTime { seconds })
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn to_unix(self) -> i64 {
        self.seconds
    }

    /// The token: `@GMT-YYYY.MM.DD-HH.MM.SS`.
    pub fn token(self) -> [u8; TOKEN_LEN] {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY));
        let second = self.seconds.rem_euclid(DAY);
        let [y0, y1] = digits(year / 100);
        let [y2, y3] = digits(year % 100);
        let [m0, m1] = digits(month);
        let [d0, d1] = digits(day);
        let [h0, h1] = digits(second / 3600);
        let [i0, i1] = digits(second / 60 % 60);
        let [s0, s1] = digits(second % 60);
        [
            b'@', b'G', b'M', b'T', b'-', y0, y1, y2, y3, b'.', m0, m1, b'.', d0, d1, b'-', h0, h1,
            b'.', i0, i1, b'.', s0, s1,
        ]
    }

    /// The time that a token names.
    ///
    /// # Errors
    ///
    /// `Malformed` for anything but a token.
    pub fn from_token(token: &[u8]) -> Parsed<SnapshotTime> {
        let [b'@', b'G', b'M', b'T', b'-', y0, y1, y2, y3, b'.', m0, m1, b'.', d0, d1, b'-', h0, h1, b'.', i0, i1, b'.', s0, s1] =
            token
        else {
            return Err(Malformed);
        };
        let century = number(*y0, *y1)?;
        let year = century.wrapping_mul(100).wrapping_add(number(*y2, *y3)?);
        let month = number(*m0, *m1)?;
        let day = number(*d0, *d1)?;
        let hour = number(*h0, *h1)?;
        let minute = number(*i0, *i1)?;
        let second = number(*s0, *s1)?;
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Malformed);
        }
        let days = days_from_civil(year, month, day);
        // A day that the month does not have comes back as another.
        if !(1..=12).contains(&month) || civil(days) != (year, month, day) {
            return Err(Malformed);
        }
        let of_day = hour
            .wrapping_mul(3600)
            .wrapping_add(minute.wrapping_mul(60))
            .wrapping_add(second);
        Ok(SnapshotTime {
            seconds: days.wrapping_mul(DAY).wrapping_add(of_day),
        })
    }

    /// The time that a component of a path names, if it is a token.
    pub fn from_component(component: Utf16<'_>) -> Option<SnapshotTime> {
        let mut token = [0u8; TOKEN_LEN];
        let mut units = component.code_units();
        for byte in &mut token {
            *byte = u8::try_from(units.next()?).ok()?;
        }
        if units.next().is_some() {
            return None;
        }
        SnapshotTime::from_token(&token).ok()
    }
}

/// Two digits of a number below 100.
fn digits(number: i64) -> [u8; 2] {
    let digit = |value: i64| u8::try_from(value % 10).unwrap_or(0).wrapping_add(b'0');
    [digit(number / 10), digit(number)]
}

fn number(tens: u8, ones: u8) -> Parsed<i64> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(10)
            .map(i64::from)
            .ok_or(Malformed)
    };
    Ok(digit(tens)?.wrapping_mul(10).wrapping_add(digit(ones)?))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years are counted from March, so that the day which a leap
/// year adds is the last. Wrapping: callers keep years within four digits.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 {
        year.wrapping_sub(1)
    } else {
        year
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = month.wrapping_add(9) % 12;
    let day_of_year = (month_from_march.wrapping_mul(153).wrapping_add(2) / 5)
        .wrapping_add(day)
        .wrapping_sub(1);
    let day_of_era = year_of_era
        .wrapping_mul(365)
        .wrapping_add(year_of_era / 4)
        .wrapping_sub(year_of_era / 100)
        .wrapping_add(day_of_year);
    era.wrapping_mul(146_097)
        .wrapping_add(day_of_era)
        .wrapping_sub(719_468)
}

/// Year, month and day of a day since 1970-01-01: the inverse.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.wrapping_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leap_days = (day_of_era / 1460)
        .wrapping_sub(day_of_era / 36_524)
        .wrapping_add(day_of_era / 146_096);
    let year_of_era = day_of_era.wrapping_sub(leap_days) / 365;
    let before = year_of_era
        .wrapping_mul(365)
        .wrapping_add(year_of_era / 4)
        .wrapping_sub(year_of_era / 100);
    let day_of_year = day_of_era.wrapping_sub(before);
    let month_from_march = day_of_year.wrapping_mul(5).wrapping_add(2) / 153;
    let month_start = month_from_march.wrapping_mul(153).wrapping_add(2) / 5;
    let day = day_of_year.wrapping_sub(month_start).wrapping_add(1);
    let month = (month_from_march.wrapping_add(2) % 12).wrapping_add(1);
    let year = era.wrapping_mul(400).wrapping_add(year_of_era);
    (
        if month <= 2 {
            year.wrapping_add(1)
        } else {
            year
        },
        month,
        day,
    )
}

/// SRV_SNAPSHOT_ARRAY: the answer of FSCTL_SRV_ENUMERATE_SNAPSHOTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotArray<'a> {
    /// Snapshots that there are.
    pub total: u32,
    /// Snapshots in the answer.
    pub returned: u32,
    /// Bytes that a list of all takes.
    pub needed: u32,
    list: &'a [u8],
}

impl<'a> SnapshotArray<'a> {
    /// Bytes before the list.
    pub const FIXED: usize = 12;

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let [total, returned, needed] = [r.u32()?, r.u32()?, r.u32()?];
        Ok(SnapshotArray {
            total,
            returned,
            needed,
            list: r.rest(),
        })
    }

    /// The snapshots in the answer.
    pub fn iter(&self) -> impl Iterator<Item = Parsed<SnapshotTime>> + 'a {
        let mut r = Reader::new(self.list);
        let returned = usize::try_from(self.returned).unwrap_or(usize::MAX);
        core::iter::from_fn(move || {
            let token = r.take(ELEMENT).ok()?.get(..TOKEN_LEN.wrapping_mul(2))?;
            Some(SnapshotTime::from_component(Utf16(token)).ok_or(Malformed))
        })
        .take(returned)
    }

    /// Appends the answer for `snapshots`: all of them if their list fits into `limit` bytes, otherwise their number alone,
    /// as a client that asks for the size expects ([MS-SMB2] 3.3.5.15.1).
    ///
    /// # Errors
    ///
    /// `Full` if not even the numbers fit.
    pub fn write(
        w: &mut Writer<'_>,
        limit: usize,
        snapshots: impl Iterator<Item = SnapshotTime> + Clone,
    ) -> Written {
        let total = snapshots
            .clone()
            .fold(0usize, |count, _| count.saturating_add(1));
        // The list ends in an empty string; an empty one is two terminators.
        let needed = total.saturating_mul(ELEMENT).saturating_add(2).max(4);
        let room = limit.min(w.room()).checked_sub(Self::FIXED).ok_or(Full)?;
        let fits = needed <= room && total > 0;
        let count = u32::try_from(total).map_err(|_| Full)?;
        w.u32(count)?;
        w.u32(if fits { count } else { 0 })?;
        w.u32(u32::try_from(needed).map_err(|_| Full)?)?;
        if !fits {
            return w.zeros(needed.min(4).min(room));
        }
        for snapshot in snapshots {
            for byte in snapshot.token() {
                write_utf16_char(w, char::from(byte))?;
            }
            w.u16(0)?;
        }
        w.u16(0)
    }
}
