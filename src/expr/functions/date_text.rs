//! Dates and times read from texts by Java's patterns, and epoch seconds as texts.

use std::borrow::Cow;

use arrow::array::timezone::Tz;

use super::calendar::{days_in_month, days_of};
use super::row_kernel::Compute::{BigInt, Text};
use super::row_kernel::{Answer, Argument, Row, RowKernel};
use super::temporal::{PatternPart, formatted_moment, parts_of};
use crate::formats::{instant_seconds, local_seconds};

/// The functions of this file. Moments are microseconds; the last argument of those with
/// a zone is its name.
pub(super) static KERNELS: [RowKernel; 7] = [
    RowKernel::strict("CONVERT_TZ", Text(convert_tz)),
    RowKernel::strict("DATE_TEXT", Text(date_text)),
    RowKernel::strict("EPOCH_MICROS", BigInt(epoch_micros)),
    RowKernel::strict("FROM_UNIXTIME", Text(from_unixtime)),
    RowKernel::strict("PARSE_INSTANT", BigInt(parse_instant)),
    RowKernel::strict("PARSE_MOMENT", BigInt(parse_moment)),
    RowKernel::strict("UNIX_TIMESTAMP", BigInt(unix_timestamp)),
];

const SECOND: i64 = 1_000_000;

/// The pattern of times where none is given.
const DEFAULT: &str = "yyyy-MM-dd HH:mm:ss";

/// A moment read from a text, and the offset from UTC that the text names, in seconds.
struct Moment {
    micros: i64,
    offset: Option<i64>,
}

/// What the fields of a text say. What it does not say is the least.
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    is_afternoon: Option<bool>,
    offset: Option<i64>,
}

/// How strictly a text is read. Flink has two parsers of Java.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// The whole text; days that a month has not, up to the 31st, are its last.
    Whole,
    /// What the text begins with; days that a month has not are of the next one.
    Beginning,
}

/// The moment of a text, if it is of the pattern.
fn parse(text: &str, pattern: &str, strictness: Strictness) -> Result<Option<Moment>, String> {
    let mut fields = Fields {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        micros: 0,
        is_afternoon: None,
        offset: None,
    };
    let mut rest = text;
    for part in &parts_of(pattern)? {
        let read = match part {
            PatternPart::Literal(literal) => rest.strip_prefix(literal.as_str()),
            PatternPart::Fraction(digits) => fraction(rest, *digits).map(|(micros, behind)| {
                fields.micros = micros;
                behind
            }),
            PatternPart::Offset => offset(rest).map(|(seconds, behind)| {
                fields.offset = Some(seconds);
                behind
            }),
            PatternPart::Field(format) => fields.read(format, rest)?,
        };
        let Some(behind) = read else {
            return Ok(None);
        };
        rest = behind;
    }
    let is_read = rest.is_empty() || strictness == Strictness::Beginning;
    Ok(if is_read {
        fields.moment(strictness)
    } else {
        None
    })
}

impl Fields {
    /// Reads one field; what is behind it, if it is there.
    fn read<'t>(&mut self, format: &str, text: &'t str) -> Result<Option<&'t str>, String> {
        let width = if format.starts_with("%-") {
            1..=2
        } else {
            2..=2
        };
        let (place, width) = match format.trim_start_matches(['%', '-']) {
            "Y" if format == "%Y" => (&mut self.year, 4..=4),
            "Y" => (&mut self.year, 1..=9),
            "y" => {
                let Some((year, behind)) = number(text, 2..=2) else {
                    return Ok(None);
                };
                self.year = 2_000 + year;
                return Ok(Some(behind));
            }
            "m" => (&mut self.month, width),
            "d" => (&mut self.day, width),
            "H" | "I" => (&mut self.hour, width),
            "M" => (&mut self.minute, width),
            "S" => (&mut self.second, width),
            "b" | "B" => return Ok(self.read_month(format, text)),
            "p" => {
                let (half, behind) = text.split_at_checked(2).unwrap_or((text, ""));
                self.is_afternoon = Some(half == "PM");
                return Ok(matches!(half, "AM" | "PM").then_some(behind));
            }
            _ => {
                return Err(
                    "a date is not read by the name of its day or its number in the year"
                        .to_owned(),
                );
            }
        };
        Ok(number(text, width).map(|(value, behind)| {
            *place = value;
            behind
        }))
    }

    fn read_month<'t>(&mut self, format: &str, text: &'t str) -> Option<&'t str> {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let months = NAMES.iter().zip(1_i64..);
        let mut found = months.filter_map(|(name, month)| {
            let name = if format == "%b" { &name[..3] } else { name };
            Some((month, text.strip_prefix(name)?))
        });
        let (month, behind) = found.next()?;
        self.month = month;
        Some(behind)
    }

    fn moment(&self, strictness: Strictness) -> Option<Moment> {
        let hour = match self.is_afternoon {
            Some(afternoon) if (1..=12).contains(&self.hour) => {
                self.hour % 12 + if afternoon { 12 } else { 0 }
            }
            Some(_) => return None,
            None => self.hour,
        };
        let is_sound = (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        let last = days_in_month(self.year, self.month.clamp(1, 12));
        let day = match strictness {
            Strictness::Whole => self.day.min(last),
            Strictness::Beginning => self.day,
        };
        let seconds = days_of(self.year, self.month, day) * 86_400
            + hour * 3_600
            + self.minute * 60
            + self.second;
        is_sound.then_some(Moment {
            micros: seconds * SECOND + self.micros,
            offset: self.offset,
        })
    }
}

/// The number of so many digits with which a text begins.
fn number(text: &str, width: std::ops::RangeInclusive<usize>) -> Option<(i64, &str)> {
    let digits = text
        .bytes()
        .take(*width.end())
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, behind) = text.split_at(digits);
    width
        .contains(&digits.len())
        .then(|| Some((digits.parse().ok()?, behind)))?
}

/// The fraction of a second in microseconds.
fn fraction(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (value, behind) = number(text, digits..=digits)?;
    let shift = |power: usize| 10_i64.pow(u32::try_from(power).unwrap_or(0));
    Some(match digits {
        0..=6 => (value * shift(6 - digits), behind),
        _ => (value / shift(digits - 6), behind),
    })
}

/// `Z`, `+08`, `+0800` or `+08:00` in seconds.
fn offset(text: &str) -> Option<(i64, &str)> {
    if let Some(behind) = text.strip_prefix('Z') {
        return Some((0, behind));
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, behind) = number(&text[1..], 2..=2)?;
    let (minutes, behind) =
        number(behind.strip_prefix(':').unwrap_or(behind), 2..=2).unwrap_or((0, behind));
    Some((sign * (hours * 3_600 + minutes * 60), behind))
}

/// A date, or a date and a time with a fraction or none.
fn parse_default(text: &str) -> Result<Option<Moment>, String> {
    let (time, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return Ok(None);
    }
    let pattern = match (time.len(), fraction.len()) {
        (..=10, 0) => "yyyy-M-d".to_owned(),
        (_, 0) => DEFAULT.to_owned(),
        (_, digits) => format!("{DEFAULT}.{}", "S".repeat(digits)),
    };
    parse(text, &pattern, Strictness::Whole)
}

/// Microseconds of a text by a pattern; null if it is not of the pattern.
fn parse_moment(row: &Row) -> Answer<i64> {
    let moment = parse_by(
        row.text(0),
        if row.len() > 1 { row.text(1) } else { DEFAULT },
    )?;
    Ok(moment.map(|moment| moment.micros))
}

/// The default pattern stands for its variants, too.
fn parse_by(text: &str, pattern: &str) -> Result<Option<Moment>, String> {
    if pattern == DEFAULT {
        parse_default(text)
    } else {
        parse(text, pattern, Strictness::Whole)
    }
}

/// Microseconds at which a clock of the zone shows a text.
fn parse_instant(row: &Row) -> Answer<i64> {
    let (pattern, place) = pattern_and_zone(row);
    let zone = zone(row.text(place))?;
    let Some(moment) = parse_by(row.text(0), pattern)? else {
        return Ok(None);
    };
    let (seconds, micros) = (
        moment.micros.div_euclid(SECOND),
        moment.micros.rem_euclid(SECOND),
    );
    let seconds = match moment.offset {
        Some(offset) => Some(seconds - offset),
        None => instant_seconds(seconds, zone),
    };
    Ok(seconds.map(|seconds| seconds * SECOND + micros))
}

/// Microseconds of seconds (precision 0) or milliseconds (precision 3) since 1970.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the fraction of a microsecond is cut off"
)]
fn epoch_micros(row: &Row) -> Answer<i64> {
    let unit = match row.integer(1) {
        0 => SECOND,
        3 => 1_000,
        other => return Err(format!("the precision is 0 or 3, not {other}")),
    };
    let micros = match row.argument(0) {
        Argument::Double(value) => Some((value * unit as f64) as i64),
        _ => row.integer(0).checked_mul(unit),
    };
    micros
        .map(Some)
        .ok_or_else(|| "the instant is out of range".to_owned())
}

/// The pattern, the default one if none is given, and where the zone stands: last.
fn pattern_and_zone<'a>(row: &Row<'a>) -> (&'a str, usize) {
    if row.len() > 2 {
        (row.text(1), 2)
    } else {
        (DEFAULT, 1)
    }
}

fn zone(name: &str) -> Result<Tz, String> {
    let offset = ["GMT", "UTC"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .filter(|offset| !offset.is_empty());
    let zone = offset.unwrap_or(name).parse();
    zone.map_err(|_| format!("there is no time zone {name}"))
}

/// The seconds since 1970 at which a clock of the zone shows a text; the least number if
/// it is not of the pattern.
fn unix_timestamp(row: &Row) -> Answer<i64> {
    let (pattern, place) = pattern_and_zone(row);
    let zone = zone(row.text(place))?;
    let Some(moment) = parse(row.text(0), pattern, Strictness::Beginning)? else {
        return Ok(Some(i64::MIN));
    };
    let seconds = moment.micros.div_euclid(SECOND);
    Ok(Some(match moment.offset {
        Some(offset) => seconds - offset,
        None => instant_seconds(seconds, zone).unwrap_or(i64::MIN),
    }))
}

/// What a clock of the zone shows so many seconds after 1970 began.
fn from_unixtime<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (pattern, place) = pattern_and_zone(row);
    let zone = zone(row.text(place))?;
    let Some(local) = local_seconds(row.integer(0), zone) else {
        return Err(format!("{} seconds are too many", row.integer(0)));
    };
    let text = formatted_moment(local.saturating_mul(SECOND), &parts_of(pattern)?);
    Ok(text.map(Cow::Owned))
}

/// A text that is a time, by a pattern; null if it is none.
fn date_text<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Some(moment) = parse(row.text(0), DEFAULT, Strictness::Beginning)? else {
        return Ok(None);
    };
    let text = formatted_moment(moment.micros, &parts_of(row.text(1))?);
    Ok(text.map(Cow::Owned))
}

/// What a clock of the second zone shows when one of the first shows a text.
fn convert_tz<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (from, to) = (zone(row.text(1))?, zone(row.text(2))?);
    let Some(moment) = parse(row.text(0), DEFAULT, Strictness::Beginning)? else {
        return Ok(None);
    };
    let instant = instant_seconds(moment.micros.div_euclid(SECOND), from);
    let local = instant.and_then(|instant| local_seconds(instant, to));
    let Some(local) = local else {
        return Ok(None);
    };
    let text = formatted_moment(local * SECOND, &parts_of(DEFAULT)?);
    Ok(text.map(Cow::Owned))
}
