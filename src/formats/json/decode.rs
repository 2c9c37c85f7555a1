//! JSON records to rows: only the columns that the plan reads are converted.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::Json;
use super::scan::{self, Kind, Scanner, Token};
use crate::formats::batch::Rows;
use crate::formats::column::{Column, not_a};
use crate::formats::datetime::TimestampForm;
use crate::formats::{Decoder, RowError};

/// Makes rows of JSON objects.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    options: Json,
    rows: Rows,
    places: HashMap<Vec<u8>, usize>,
    names: Vec<Vec<u8>>,
    /// Where the value of each column stands in the record at hand.
    found: Vec<Option<Token>>,
    /// Room for unescaped and compacted text.
    scratch: Vec<u8>,
}

impl JsonDecoder {
    pub(super) fn new(options: Json, schema: &SchemaRef) -> Self {
        let names: Vec<Vec<u8>> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_bytes().to_vec())
            .collect();
        let places = names.iter().cloned().enumerate();
        Self {
            options,
            rows: Rows::new(schema),
            places: places.map(|(place, name)| (name, place)).collect(),
            found: vec![None; names.len()],
            names,
            scratch: Vec::new(),
        }
    }

    /// Notes where the value of each column stands. The last of several fields
    /// with one name counts.
    fn find_fields(&mut self, record: &[u8]) -> Result<(), RowError> {
        self.found.fill(None);
        let Self {
            places,
            names,
            found,
            scratch,
            ..
        } = self;
        // Records of one source mostly have their fields in one order, so the
        // column behind the last one found is tried before the map.
        let mut expected = 0;
        let mut scanner = Scanner::new(record, self.options.limits);
        let walked = scanner.object(|name, value| {
            let content = content_of(record, name);
            let content = if name.kind == Kind::EscapedString {
                scratch.clear();
                scan::unescape_into(content, scratch);
                scratch.as_slice()
            } else {
                content
            };
            let place = match names.get(expected) {
                Some(next) if next == content => Some(expected),
                _ => places.get(content).copied(),
            };
            if let Some(place) = place {
                expected = place + 1;
                if let Some(slot) = found.get_mut(place) {
                    *slot = Some(value);
                }
            }
        });
        walked
            .map_err(|error| RowError(format!("is not JSON: {} at byte {}", error.what, error.at)))
    }

    /// The reason for a record that is not UTF-8, with the column if the bad byte is in one.
    fn not_utf8(&mut self, record: &[u8], at: usize) -> RowError {
        let column = self.find_fields(record).ok().and_then(|()| {
            let holds =
                |token: &Option<Token>| token.is_some_and(|t| (t.start..t.end).contains(&at));
            self.found.iter().position(holds)
        });
        let why = format!("is not UTF-8 at byte {at} of the record");
        RowError(match column.and_then(|place| self.names.get(place)) {
            Some(name) => format!("column '{}': {why}", String::from_utf8_lossy(name)),
            None => why,
        })
    }
}

impl Decoder for JsonDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        if record.len() > self.options.limits.record_bytes_max {
            return Err(crate::formats::too_long(record.len(), self.options.limits));
        }
        let text = match std::str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => return Err(self.not_utf8(record, error.valid_up_to())),
        };
        if record.trim_ascii().is_empty() {
            return Ok(());
        }
        self.find_fields(record)?;
        let Self {
            options,
            rows,
            found,
            scratch,
            ..
        } = self;
        rows.push(|columns| {
            for (column, token) in columns.iter_mut().zip(found.iter()) {
                match token {
                    Some(token) => push_value(column, *token, text, options.timestamp, scratch)?,
                    None if options.fail_on_missing_field => {
                        return Err(column.reason("the record has no such field"));
                    }
                    None => column.push_null()?,
                }
            }
            Ok(())
        })
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

/// Appends one value; what its kind may be depends on the column's type.
fn push_value(
    column: &mut Column,
    token: Token,
    record: &str,
    form: TimestampForm,
    scratch: &mut Vec<u8>,
) -> Result<(), String> {
    let raw = record.get(token.start..token.end).unwrap_or_default();
    let is_text = *column.data_type() == DataType::Utf8;
    match token.kind {
        Kind::Null => column.push_null(),
        Kind::PlainString => column.push_text(raw.get(1..raw.len() - 1).unwrap_or_default(), form),
        Kind::EscapedString => {
            scratch.clear();
            scan::unescape_into(content_of(record.as_bytes(), token), scratch);
            column.push_text(text_of(scratch), form)
        }
        Kind::Object | Kind::Array if is_text => {
            scratch.clear();
            scan::compact_into(raw.as_bytes(), scratch);
            column.push_text(text_of(scratch), form)
        }
        Kind::True | Kind::False if is_text || *column.data_type() == DataType::Boolean => {
            column.push_text(raw, form)
        }
        Kind::Number if is_text || column.data_type().is_numeric() => column.push_text(raw, form),
        _ => Err(column.reason(&not_a(raw, column.data_type()))),
    }
}

/// What stands between the quotes of a string.
fn content_of(record: &[u8], token: Token) -> &[u8] {
    record
        .get(token.start + 1..token.end - 1)
        .unwrap_or_default()
}

fn text_of(scratch: &[u8]) -> &str {
    std::str::from_utf8(scratch).expect("the record was checked to be UTF-8")
}
