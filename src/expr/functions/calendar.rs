//! Arithmetic with the units of the calendar, on microseconds since 1970.

use super::row_kernel::Compute::{BigInt, Int};
use super::row_kernel::{Answer, Row, RowKernel};

/// The functions of this file. Their first argument is a unit; moments are microseconds.
pub(super) static KERNELS: [RowKernel; 5] = [
    RowKernel::strict("CALENDAR_CEIL", BigInt(ceil)),
    RowKernel::strict("CALENDAR_FLOOR", BigInt(floor)),
    RowKernel::strict("CALENDAR_PART", BigInt(part)),
    RowKernel::strict("TIMESTAMPADD", BigInt(add)),
    RowKernel::strict("TIMESTAMPDIFF", Int(difference)),
];

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The units of a fixed length, in microseconds.
const LENGTHS: [(&str, i64); 7] = [
    ("MICROSECOND", 1),
    ("MILLISECOND", 1_000),
    ("SECOND", SECOND),
    ("MINUTE", 60 * SECOND),
    ("HOUR", 3_600 * SECOND),
    ("DAY", DAY),
    ("WEEK", 7 * DAY),
];

/// The others, in months.
const MONTHS: [(&str, i64); 6] = [
    ("MONTH", 1),
    ("QUARTER", 3),
    ("YEAR", 12),
    ("DECADE", 120),
    ("CENTURY", 1_200),
    ("MILLENNIUM", 12_000),
];

/// The parts of a moment that the query library has not.
const PARTS: [&str; 8] = [
    "CENTURY",
    "DECADE",
    "EPOCH",
    "ISODOW",
    "ISOYEAR",
    "MICROSECOND",
    "MILLENNIUM",
    "NANOSECOND",
];

/// Whether `CEIL` and `FLOOR` go to a unit of this name, and times are added and
/// subtracted in it.
pub fn is_calendar_unit(name: &str) -> bool {
    let is_it = |known: &str| known.eq_ignore_ascii_case(name);
    LENGTHS.iter().chain(&MONTHS).any(|(known, _)| is_it(known))
}

/// Whether a unit is shorter than a day.
pub fn is_shorter_than_a_day(name: &str) -> bool {
    length_of(&LENGTHS, name).is_some_and(|length| length < DAY)
}

/// Whether `CALENDAR_PART` has a part of this name.
pub fn is_calendar_part(name: &str) -> bool {
    PARTS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn length_of(units: &[(&str, i64)], name: &str) -> Option<i64> {
    let mut units = units.iter();
    let found = units.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, length)| *length)
}

/// The length of a unit.
enum Unit {
    Micros(i64),
    Months(i64),
}

fn unit(row: &Row) -> Result<Unit, String> {
    let name = row.text(0);
    let fixed = length_of(&LENGTHS, name).map(Unit::Micros);
    let unit = fixed.or_else(|| length_of(&MONTHS, name).map(Unit::Months));
    unit.ok_or_else(|| format!("there is no unit {name}"))
}

/// Year, month from 1 and day from 1 of a number of days since 1970.
pub(super) fn date_of(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the day that may be missing is the last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The days since 1970 of a date.
pub(super) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days_of(next_year, next, 1) - days_of(year, month, 1)
}

/// The moment so many months later, on the last day of the month if that is shorter.
fn months_later(moment: i64, months: i64) -> Option<i64> {
    let (year, month, day) = date_of(moment.div_euclid(DAY));
    let all = year
        .checked_mul(12)?
        .checked_add(month - 1)?
        .checked_add(months)?;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    // No type holds years of more than six digits.
    if year.abs() > 999_999 {
        return None;
    }
    let day = day.min(days_in_month(year, month));
    days_of(year, month, day)
        .checked_mul(DAY)?
        .checked_add(moment.rem_euclid(DAY))
}

fn add(row: &Row) -> Answer<i64> {
    let (count, moment) = (row.integer(1), row.integer(2));
    let later = match unit(row)? {
        Unit::Micros(length) => count
            .checked_mul(length)
            .and_then(|by| moment.checked_add(by)),
        Unit::Months(length) => count
            .checked_mul(length)
            .and_then(|months| months_later(moment, months)),
    };
    let later = later.ok_or_else(|| "the result is out of range".to_owned())?;
    Ok(Some(later))
}

/// How many whole units lie between two moments; what is too large wraps around.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java keeps the lowest bits of what is too large"
)]
fn difference(row: &Row) -> Answer<i32> {
    let (from, to) = (row.integer(1), row.integer(2));
    let count = match unit(row)? {
        Unit::Micros(length) => (i128::from(to) - i128::from(from)) / i128::from(length),
        Unit::Months(length) => i128::from(months_between(from, to) / length),
    };
    Ok(Some(count as i32))
}

/// The whole months, counted from the earlier moment on; the last one counts only if its
/// time of day has come.
fn months_between(from: i64, to: i64) -> i64 {
    let (from_day, to_day) = (from.div_euclid(DAY), to.div_euclid(DAY));
    let months = if from_day <= to_day {
        months_of_days(from_day, to_day)
    } else {
        -months_of_days(to_day, from_day)
    };
    let is_that_day = months_later(from_day * DAY, months) == Some(to_day * DAY);
    let is_short = is_that_day && to.rem_euclid(DAY) < from.rem_euclid(DAY);
    months - i64::from(is_short)
}

/// The whole months from one day to a later one.
fn months_of_days(from: i64, to: i64) -> i64 {
    let month_of = |days: i64| {
        let (year, month, _) = date_of(days);
        year * 12 + month
    };
    let months = month_of(to) - month_of(from);
    let is_over = months_later(from * DAY, months).is_some_and(|there| there <= to * DAY);
    months - i64::from(!is_over)
}

fn floor(row: &Row) -> Answer<i64> {
    Ok(Some(floor_to(&unit(row)?, row.integer(1))))
}

/// A moment at which a unit begins is its own ceiling.
fn ceil(row: &Row) -> Answer<i64> {
    let (unit, moment) = (unit(row)?, row.integer(1));
    let floor = floor_to(&unit, moment);
    if floor == moment {
        return Ok(Some(moment));
    }
    let next = match unit {
        Unit::Micros(length) => floor.checked_add(length),
        Unit::Months(length) => months_later(floor, length),
    };
    Ok(Some(
        next.ok_or_else(|| "the result is out of range".to_owned())?,
    ))
}

/// Weeks begin on Sunday; decades with the year 0, centuries and millennia with the
/// year 1.
fn floor_to(unit: &Unit, moment: i64) -> i64 {
    match unit {
        Unit::Micros(length) => {
            // 1970-01-04 was the first Sunday.
            let origin = if *length == 7 * DAY { 3 * DAY } else { 0 };
            moment - (moment - origin).rem_euclid(*length)
        }
        Unit::Months(length) => {
            let (year, month, _) = date_of(moment.div_euclid(DAY));
            let first_year = i64::from(*length > 120);
            let months = (year - first_year) * 12 + month - 1;
            let months = months - months.rem_euclid(*length);
            let year = months.div_euclid(12) + first_year;
            days_of(year, months.rem_euclid(12) + 1, 1) * DAY
        }
    }
}

fn part(row: &Row) -> Answer<i64> {
    let (name, moment) = (row.text(0).to_ascii_uppercase(), row.integer(1));
    let days = moment.div_euclid(DAY);
    let (year, ..) = date_of(days);
    let of_years = |years: i64| (year + if year > 0 { years - 1 } else { 1 - years }) / years;
    Ok(Some(match name.as_str() {
        "MILLENNIUM" => of_years(1_000),
        "CENTURY" => of_years(100),
        "DECADE" => year.div_euclid(10),
        "EPOCH" => moment.div_euclid(SECOND),
        "ISODOW" => weekday(days),
        // The week belongs to the year of its Thursday.
        "ISOYEAR" => date_of(days - weekday(days) + 4).0,
        "MICROSECOND" => moment.rem_euclid(SECOND),
        "NANOSECOND" => moment.rem_euclid(SECOND) * 1_000,
        _ => return Err(format!("there is no {name} of a time")),
    }))
}

/// From Monday, which is 1.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_of_dates_that_are_known() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((1, 1, 1), -719_162),
            ((9999, 12, 31), 2_932_896),
        ] {
            assert_eq!(days_of(date.0, date.1, date.2), days);
            assert_eq!(date_of(days), date);
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_the_same(days in -4_000_000_i64..4_000_000) {
            let (year, month, day) = date_of(days);
            prop_assert_eq!(days_of(year, month, day), days);
            prop_assert!((1..=days_in_month(year, month)).contains(&day));
        }
    }
}
