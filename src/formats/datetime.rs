//! Dates and times as text, in the two forms that Flink's formats know.

use std::cell::Cell;
use std::io::Write as _;

use arrow::array::timezone::Tz;
use arrow::datatypes::TimeUnit;

use super::digits::{self, push_first};
use super::time_zone::local_seconds;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// How a `TIMESTAMP` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TimestampForm {
    /// `2020-01-01 12:00:00.123`.
    #[default]
    Sql,
    /// `2020-01-01T12:00:00.123`.
    Iso8601,
    /// As [`Self::Sql`]; an instant as the clock of its zone shows it, for a person.
    Local,
}

impl TimestampForm {
    const fn separator(self) -> char {
        match self {
            Self::Sql | Self::Local => ' ',
            Self::Iso8601 => 'T',
        }
    }

    /// An example for messages.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Sql | Self::Local => "2020-01-01 12:00:00.123",
            Self::Iso8601 => "2020-01-01T12:00:00.123",
        }
    }
}

/// Days since 1970-01-01 of a date such as `2020-02-29`.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let month = number(&[m1, m2])?;
    let day = number(&[d1, d2])?;
    let fits = (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
    fits.then(|| days_from_civil(year, month, day))
        .and_then(|days| i32::try_from(days).ok())
}

/// Nanoseconds since midnight of a time such as `23:59:59.999`; at most nine
/// digits of a second.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = whole.as_bytes() else {
        return None;
    };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let scale = 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let nanos = number(fraction.as_bytes())? * scale;
    Some(((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + nanos)
}

/// The units since 1970-01-01 00:00:00 of a timestamp; `None` also if the unit
/// cannot hold it. Digits beyond the unit are cut off, as in Flink.
pub(super) fn parse_timestamp(text: &str, form: TimestampForm, unit: TimeUnit) -> Option<i64> {
    if let Some(fixed) = text.as_bytes().as_array()
        && let Some(units) = parse_fixed_timestamp(fixed, form, unit, &mut KnownDate::default())
    {
        return Some(units);
    }
    let (date, time) = text.split_once(form.separator())?;
    let days = i64::from(parse_date(date)?);
    let nanos = parse_time(time)?;
    let units_per_second = NANOS_PER_SECOND / nanos_per(unit);
    (days * SECONDS_PER_DAY)
        .checked_mul(units_per_second)?
        .checked_add(nanos / nanos_per(unit))
}

/// The date of the last timestamp: that of the next one is mostly the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownDate {
    text: [u8; 10],
    days: i64,
}

/// The same of a text with exactly three digits of a second; `None` also for what
/// only [`parse_timestamp`] takes.
#[inline]
pub(super) fn parse_fixed_timestamp(
    text: &[u8; 23],
    form: TimestampForm,
    unit: TimeUnit,
    date: &mut KnownDate,
) -> Option<i64> {
    let date_text: &[u8; 10] = text.first_chunk()?;
    let clock: &[u8; 8] = text.get(11..)?.first_chunk()?;
    let &[b'.', f1, f2, f3] = text.last_chunk()? else {
        return None;
    };
    if *date_text != date.text {
        *date = KnownDate {
            days: i64::from(parse_date(std::str::from_utf8(date_text).ok()?)?),
            text: *date_text,
        };
    }
    let [hour, minute, second] = parse_clock(*clock)?;
    let [f1, f2, f3] = [f1, f2, f3].map(|b| i64::from(b.wrapping_sub(b'0')));
    let is_fraction = f1 <= 9 && f2 <= 9 && f3 <= 9;
    if !is_fraction || char::from(text[10]) != form.separator() {
        return None;
    }
    let seconds = date.days * SECONDS_PER_DAY + (hour * 60 + minute) * 60 + second;
    let millis = seconds * 1_000 + f1 * 100 + f2 * 10 + f3;
    match unit {
        TimeUnit::Second => Some(seconds),
        TimeUnit::Millisecond => Some(millis),
        TimeUnit::Microsecond => Some(millis * 1_000),
        TimeUnit::Nanosecond => millis.checked_mul(1_000_000),
    }
}

/// Hour, minute and second of `23:59:59`, all eight bytes at a time.
#[inline]
fn parse_clock(text: [u8; 8]) -> Option<[i64; 3]> {
    const COLONS: u64 = u64::from_le_bytes([0, 0, 0xff, 0, 0, 0xff, 0, 0]);
    // Of a digit its value is left, of a colon nothing.
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b"00:00:00");
    let above_nine = digits.wrapping_add(0x7676_7676_7676_7676) | digits;
    if digits & COLONS | above_nine & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let numbers = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let [hour, _, _, minute, _, _, second, _] = numbers.to_le_bytes();
    let fits = hour <= 23 && minute <= 59 && second <= 59;
    fits.then(|| [hour, minute, second].map(i64::from))
}

/// How many nanoseconds one unit has.
pub(super) const fn nanos_per(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => NANOS_PER_SECOND,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Appends `2020-02-29`.
pub(super) fn write_date(days: i64, out: &mut Vec<u8>) {
    if let Some(text) = date_text(days) {
        out.extend_from_slice(&text);
        return;
    }
    let (year, month, day) = civil_from_days(days);
    let sign = if year < 0 { '-' } else { '+' };
    let year = year.unsigned_abs();
    write!(out, "{sign}{year:04}-{month:02}-{day:02}").expect("writing into memory succeeds");
}

/// The text of a date whose year has four digits.
fn date_text(days: i64) -> Option<[u8; 10]> {
    let (year, month, day) = civil_from_days(days);
    let year = u32::try_from(year).ok().filter(|year| *year <= 9_999)?;
    let ([y1, y2], [y3, y4]) = (two_digits(year / 100), two_digits(year % 100));
    let [[m1, m2], [d1, d2]] =
        [month, day].map(|part| two_digits(u32::try_from(part).unwrap_or_default()));
    Some([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2])
}

/// The date of the timestamp that was written last.
#[derive(Debug, Default)]
pub(super) struct WrittenDate(Cell<Option<(i64, [u8; 10])>>);

impl WrittenDate {
    /// The text of a date whose year has four digits.
    #[inline]
    fn text(&self, days: i64) -> Option<[u8; 10]> {
        match self.0.get() {
            Some((known, text)) if known == days => Some(text),
            _ => {
                let text = date_text(days)?;
                self.0.set(Some((days, text)));
                Some(text)
            }
        }
    }
}

/// Appends `12:00:00.5`; the fraction without zeros at its end, none if it is zero.
pub(super) fn write_time(nanos_of_day: i64, out: &mut Vec<u8>) {
    let nanos = nanos_of_day % NANOS_PER_SECOND;
    write_clock(nanos_of_day / NANOS_PER_SECOND, nanos, out);
}

fn write_clock(seconds: i64, nanos: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&clock_text(seconds));
    if nanos % 1_000_000 == 0 {
        let (text, count) = millis_text(nanos / 1_000_000);
        push_first(&text, count, out);
        return;
    }
    write!(out, ".{nanos:09}").expect("writing into memory succeeds");
    while let Some(b'0') = out.last() {
        out.pop();
    }
}

/// `23:59:59`, all eight bytes at a time.
#[inline]
fn clock_text(seconds: i64) -> [u8; 8] {
    let seconds = u32::try_from(seconds).unwrap_or_default();
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    // Where a colon stands the number has a zero.
    let digits = digits::eight_digits(hour * 1_000_000 + minute * 1_000 + second);
    (digits + u64::from_le_bytes(*b"00:00:00")).to_le_bytes()
}

/// `.999` without the zeros at its end, and how many bytes that is; none if it is zero.
#[inline]
fn millis_text(millis: i64) -> ([u8; 4], usize) {
    let millis = u32::try_from(millis).unwrap_or_default();
    // The first of four digits is zero, and the point takes its place.
    let [.., d1, d2, d3, d4] = digits::eight_digits(millis).to_le_bytes();
    let digits = u32::from_le_bytes([d1, d2, d3, d4]);
    let count = 4 - digits.leading_zeros() / 8;
    let text = digits + u32::from_le_bytes(*b".000");
    (text.to_le_bytes(), count as usize)
}

/// Appends a timestamp of `units` since 1970-01-01 00:00:00.
pub(super) fn write_timestamp(
    units: i64,
    unit: TimeUnit,
    form: TimestampForm,
    date: &WrittenDate,
    out: &mut Vec<u8>,
) {
    // A division by a constant is several times cheaper than one by a variable.
    let (seconds, nanos) = match unit {
        TimeUnit::Second => (units, 0),
        TimeUnit::Millisecond => (units.div_euclid(1_000), units.rem_euclid(1_000) * 1_000_000),
        TimeUnit::Microsecond => (
            units.div_euclid(1_000_000),
            units.rem_euclid(1_000_000) * 1_000,
        ),
        TimeUnit::Nanosecond => (
            units.div_euclid(NANOS_PER_SECOND),
            units.rem_euclid(NANOS_PER_SECOND),
        ),
    };
    let (days, second) = (
        seconds.div_euclid(SECONDS_PER_DAY),
        seconds.rem_euclid(SECONDS_PER_DAY),
    );
    let separator = match form {
        TimestampForm::Sql | TimestampForm::Local => b' ',
        TimestampForm::Iso8601 => b'T',
    };
    match date.text(days) {
        Some(date) if nanos % 1_000_000 == 0 => {
            let (fraction, count) = millis_text(nanos / 1_000_000);
            let mut text = [separator; 23];
            text[..10].copy_from_slice(&date);
            text[11..19].copy_from_slice(&clock_text(second));
            text[19..].copy_from_slice(&fraction);
            push_first(&text, 19 + count, out);
        }
        _ => {
            write_date(days, out);
            out.push(separator);
            write_clock(second, nanos, out);
        }
    }
}

/// The units of what the clocks of `zone` show at an instant; the instant itself where
/// nobody knows.
pub(super) fn local_units(instant: i64, unit: TimeUnit, zone: Tz) -> i64 {
    let per_second = NANOS_PER_SECOND / nanos_per(unit);
    let seconds = instant.div_euclid(per_second);
    let by = local_seconds(seconds, zone).map_or(0, |local| local - seconds);
    instant.saturating_add(by.saturating_mul(per_second))
}

/// The two digits of a number below a hundred.
fn two_digits(number: u32) -> [u8; 2] {
    let [tens, ..] = (number / 10).to_le_bytes();
    let [ones, ..] = (number % 10).to_le_bytes();
    [b'0' + tens, b'0' + ones]
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Years begin in
/// March here, so that the leap day is the last of its year.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day since 1970-01-01.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("1900-02-29", None),
            ("2024-02-30", None),
            ("2020-13-01", None),
            ("2020-00-10", None),
            ("2020-01-00", None),
            ("2020-1-1", None),
            ("0001-01-01", Some(-719_162)),
            ("9999-12-31", Some(2_932_896)),
            ("20200-01-01", None),
            ("2020-01-01 ", None),
            ("٢٠٢٠-01-01", None),
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("00:00:00", Some(0)),
            ("23:59:59.999999999", Some(86_399_999_999_999)),
            ("12:00:00.5", Some(43_200_500_000_000)),
            ("24:00:00", None),
            ("12:60:00", None),
            ("12:00:60", None),
            ("12:00", None),
            ("12:00:00.", None),
            ("12:00:00.1234567890", None),
            ("12:00:00Z", None),
            ("1:00:00", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        use TimestampForm::{Iso8601, Sql};
        for (text, form, unit, expected) in [
            ("1970-01-01 00:00:00.123", Sql, Millisecond, Some(123)),
            ("1970-01-01T00:00:00.123", Iso8601, Millisecond, Some(123)),
            ("1970-01-01T00:00:00", Sql, Millisecond, None),
            ("1970-01-01 00:00:00", Iso8601, Millisecond, None),
            ("1969-12-31 23:59:59.999", Sql, Millisecond, Some(-1)),
            ("1970-01-01 00:00:00.123456789", Sql, Millisecond, Some(123)),
            (
                "1970-01-01 00:00:00.123456789",
                Sql,
                Microsecond,
                Some(123_456),
            ),
            (
                "1970-01-01 00:00:00.123456789",
                Sql,
                Nanosecond,
                Some(123_456_789),
            ),
            ("1970-01-02 00:00:00", Sql, Second, Some(86_400)),
            ("2300-01-01 00:00:00", Sql, Nanosecond, None),
            (
                "2300-01-01 00:00:00",
                Sql,
                Microsecond,
                Some(10_413_792_000_000_000),
            ),
            ("1970-01-01", Sql, Millisecond, None),
            ("", Sql, Millisecond, None),
        ] {
            assert_eq!(parse_timestamp(text, form, unit), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn timestamps_are_read_back(
            millis in -62_135_596_800_000_i64..253_402_300_800_000,
            iso in any::<bool>(),
        ) {
            let form = if iso { TimestampForm::Iso8601 } else { TimestampForm::Sql };
            let mut out = Vec::new();
            let date = WrittenDate::default();
            // The one before is a day earlier, so what is known of its date is of no use.
            write_timestamp(millis - 86_400_000, TimeUnit::Millisecond, form, &date, &mut out);
            out.clear();
            write_timestamp(millis, TimeUnit::Millisecond, form, &date, &mut out);
            let text = std::str::from_utf8(&out).unwrap();
            prop_assert_eq!(parse_timestamp(text, form, TimeUnit::Millisecond), Some(millis));
        }

        #[test]
        fn days_follow_each_other(day in -800_000_i64..3_000_000) {
            let (year, month, date) = civil_from_days(day);
            prop_assert_eq!(days_from_civil(year, month, date), day);
            prop_assert!(date >= 1 && date <= days_of_month(year, month));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            parse_date(&text);
            parse_time(&text);
            parse_timestamp(&text, TimestampForm::Sql, TimeUnit::Nanosecond);
        }
    }
}
