//! What a record means, without haste: it finds all fields first, so that the last
//! of several with one name counts, and says why a record is refused.

use arrow::datatypes::{DataType, Fields, TimeUnit};
use indexmap::IndexMap;

use super::scan::{self, Kind, Scanner, Token};
use super::{Json, Times};
use crate::formats::column::{Column, Values, not_a, unit_of};
use crate::formats::datetime::nanos_per;

/// Appends the row that `record` holds: one value to each of `columns`, whose
/// names are those of `fields`.
pub(super) fn push_record(
    options: &Json,
    fields: &Fields,
    columns: &mut [Column],
    record: &str,
) -> Result<(), String> {
    let found = find_fields(options, fields, record.as_bytes())
        .map_err(|error| format!("is not JSON: {} at byte {}", error.what, error.at))?;
    let mut values = Careful {
        options,
        scratch: Vec::new(),
    };
    values.push_fields(columns, &found, record)
}

/// The reason for a record that is not UTF-8 from `at` on, with the column if the
/// bad byte is in one.
pub(super) fn not_utf8(options: &Json, fields: &Fields, record: &[u8], at: usize) -> String {
    let holds = |token: &Option<Token>| token.is_some_and(|t| (t.start..t.end).contains(&at));
    let place = find_fields(options, fields, record)
        .ok()
        .and_then(|found| found.iter().position(holds));
    let why = format!("is not UTF-8 at byte {at} of the record");
    match place.and_then(|place| fields.get(place)) {
        Some(field) => format!("column '{}': {why}", field.name()),
        None => why,
    }
}

/// Where the value of each field stands; the last of several with one name counts.
fn find_fields(
    options: &Json,
    fields: &Fields,
    object: &[u8],
) -> Result<Vec<Option<Token>>, scan::Error> {
    let mut found = vec![None; fields.len()];
    let mut scratch = Vec::new();
    // Objects mostly have their fields in the order of the columns, so the one
    // behind the last one found is tried before the others.
    let mut expected = 0;
    Scanner::new(object, options.limits).object(|name, value| {
        scratch.clear();
        scan::unescape_into(content_of(object, name), &mut scratch);
        let is_named = |place: &usize| {
            let field = fields.get(*place);
            field.is_some_and(|field| field.name().as_bytes() == scratch)
        };
        let place = Some(expected).filter(is_named);
        if let Some(place) = place.or_else(|| (0..fields.len()).find(is_named)) {
            expected = place + 1;
            if let Some(slot) = found.get_mut(place) {
                *slot = Some(value);
            }
        }
    })?;
    Ok(found)
}

struct Careful<'a> {
    options: &'a Json,
    scratch: Vec<u8>,
}

impl Careful<'_> {
    fn push_fields(
        &mut self,
        columns: &mut [Column],
        found: &[Option<Token>],
        object: &str,
    ) -> Result<(), String> {
        for (column, token) in columns.iter_mut().zip(found) {
            match token {
                Some(token) => self.push_value(column, *token, object)?,
                None if self.options.fail_on_missing_field => {
                    return Err(column.reason("the record has no such field"));
                }
                None => column.push_null()?,
            }
        }
        Ok(())
    }

    /// Appends the value that stands at `token` in `text`.
    fn push_value(&mut self, column: &mut Column, token: Token, text: &str) -> Result<(), String> {
        const SCANNED: &str = "the scanner has passed this value as a part of the record";
        let raw = text.get(token.start..token.end).unwrap_or_default();
        match (&mut column.values, token.kind) {
            (_, Kind::Null) => column.push_null(),
            (Values::Row(row), Kind::Object) => {
                let DataType::Struct(fields) = &column.data_type else {
                    unreachable!("the values were made for a row");
                };
                let found = find_fields(self.options, fields, raw.as_bytes()).expect(SCANNED);
                self.push_fields(&mut row.columns, &found, raw)?;
                row.count += 1;
                Ok(())
            }
            (Values::List(list), Kind::Array) => {
                let mut elements = Vec::new();
                let mut scanner = Scanner::new(raw.as_bytes(), self.options.limits);
                let walked = scanner.array(|element| elements.push(element));
                walked.expect(SCANNED);
                for element in elements {
                    self.push_value(&mut list.elements, element, raw)?;
                }
                list.close()
            }
            (Values::Map(map), Kind::Object) => {
                let mut entries = IndexMap::new();
                let mut scanner = Scanner::new(raw.as_bytes(), self.options.limits);
                let walked = scanner.object(|name, value| {
                    let mut key = Vec::new();
                    scan::unescape_into(content_of(raw.as_bytes(), name), &mut key);
                    entries.insert(key, value);
                });
                walked.expect(SCANNED);
                for (key, value) in entries {
                    map.keys.push(&key)?;
                    self.push_value(&mut map.values, value, raw)?;
                }
                map.close()
            }
            _ => push_flat(column, token.kind, raw, self.options, &mut self.scratch),
        }
    }
}

/// Appends a value that a column takes as a whole; what its kind may be depends on
/// the column's type.
pub(super) fn push_flat(
    column: &mut Column,
    kind: Kind,
    raw: &str,
    options: &Json,
    scratch: &mut Vec<u8>,
) -> Result<(), String> {
    let form = options.timestamp;
    let is_text = column.data_type == DataType::Utf8;
    match kind {
        Kind::PlainString => column.push_text(raw.get(1..raw.len() - 1).unwrap_or_default(), form),
        Kind::EscapedString => {
            scratch.clear();
            let content = raw.as_bytes().get(1..raw.len() - 1);
            scan::unescape_into(content.unwrap_or_default(), scratch);
            column.push_text(text_of(scratch), form)
        }
        Kind::Object | Kind::Array if is_text => {
            scratch.clear();
            scan::compact_into(raw.as_bytes(), scratch);
            column.push_text(text_of(scratch), form)
        }
        Kind::True | Kind::False if is_text || column.data_type == DataType::Boolean => {
            column.push_text(raw, form)
        }
        Kind::Number if is_text || column.data_type.is_numeric() => column.push_text(raw, form),
        Kind::Number if options.times == Times::TextOrNumbers => push_time(column, raw),
        _ => Err(column.reason(&not_a(raw, &column.data_type))),
    }
}

/// Appends a date in days or a time in milliseconds.
fn push_time(column: &mut Column, raw: &str) -> Result<(), String> {
    const DAY_MILLIS: i64 = 86_400_000;
    let unit = unit_of(&column.data_type);
    let number: Option<i64> = raw.parse().ok();
    let pushed = match (number, &mut column.values) {
        (Some(days), Values::Date(values)) => {
            let days = i32::try_from(days).ok();
            days.map(|days| values.push(days))
        }
        (Some(millis), Values::Time(values)) if (0..DAY_MILLIS).contains(&millis) => {
            from_millis(millis, unit).map(|time| values.push(time))
        }
        (Some(millis), Values::Timestamp(values)) => {
            from_millis(millis, unit).map(|time| values.push(time))
        }
        _ => None,
    };
    pushed.ok_or_else(|| column.reason(&not_a(raw, &column.data_type)))
}

/// Milliseconds in another unit.
fn from_millis(millis: i64, unit: TimeUnit) -> Option<i64> {
    let (from, to) = (nanos_per(TimeUnit::Millisecond), nanos_per(unit));
    if from < to {
        return Some(millis.div_euclid(to / from));
    }
    millis.checked_mul(from / to)
}

/// What stands between the quotes of a string.
fn content_of(text: &[u8], token: Token) -> &[u8] {
    text.get(token.start + 1..token.end - 1).unwrap_or_default()
}

fn text_of(scratch: &[u8]) -> &str {
    std::str::from_utf8(scratch).expect("the record was checked to be UTF-8")
}
