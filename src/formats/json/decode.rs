//! JSON records to rows: only the columns that the plan reads are converted.

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};

use super::Json;
use super::careful;
use super::cursor::Cursor;
use super::read::Reader;
use super::shape::Shape;
use crate::formats::batch::Rows;
use crate::formats::datetime::KnownDate;
use crate::formats::lines::{self, LineBounds, Refused, Taken};
use crate::formats::{Decoder, Framing, RowError, line_length};

/// So many bytes of lines are checked to be UTF-8 at once; they stay in the cache
/// until they are read.
const PIECE_BYTES: usize = 16 << 10;

/// Makes rows of JSON objects.
#[derive(Debug)]
pub(in crate::formats) struct JsonDecoder {
    options: Json,
    fields: Fields,
    shape: Shape,
    rows: Rows,
    /// Room for unescaped and compacted text.
    scratch: Vec<u8>,
    date: KnownDate,
}

/// A record that the careful way has to decide about.
struct Unsure;

impl JsonDecoder {
    pub(in crate::formats) fn new(options: Json, schema: &SchemaRef) -> Self {
        Self {
            options,
            fields: schema.fields().clone(),
            shape: Shape::new(schema.fields()),
            rows: Rows::new(schema),
            scratch: Vec::new(),
            date: KnownDate::default(),
        }
    }

    /// Reads the record that begins here, and steps behind it.
    fn read(&mut self, cursor: &mut Cursor) -> Result<(), Unsure> {
        let Self {
            options,
            shape,
            rows,
            scratch,
            date,
            ..
        } = self;
        let mut reader = Reader {
            options,
            scratch,
            date,
        };
        rows.push(|columns| {
            cursor.next_byte();
            let end = reader.object(*cursor, shape, columns, 1).ok_or(Unsure)?;
            cursor.go_to(end);
            cursor.end_of_record().ok_or(Unsure)
        })
    }

    /// Decides about a record of UTF-8 that was not read at once.
    pub(super) fn push_carefully(&mut self, text: &str) -> Result<(), RowError> {
        if text.as_bytes().trim_ascii().is_empty() {
            return Ok(());
        }
        let (options, fields) = (&self.options, &self.fields);
        self.rows
            .push(|columns| careful::push_record(options, fields, columns, text))
            .map_err(RowError)
    }

    /// Decodes lines that are UTF-8 and not too long, the last one with its end.
    /// `bytes` may go on behind them.
    fn push_piece(
        &mut self,
        bytes: &[u8],
        length: usize,
        records_max: usize,
        refused: &mut Vec<Refused>,
    ) -> Taken {
        let limits = self.options.limits;
        let mut cursor = Cursor::of_lines(bytes, &limits);
        let mut records = 0;
        while records < records_max && cursor.at() < length {
            records += 1;
            let start = cursor.at();
            if self.read(&mut cursor).is_ok() {
                continue;
            }
            cursor.go_to(start);
            let line_bytes = line_length(cursor.rest()).unwrap_or(length - start);
            cursor.step(line_bytes);
            let line = Framing::trim_line_end(cursor.since(start));
            if let Err(error) = self.push(line) {
                refused.push(Refused {
                    start,
                    end: start + line.len(),
                    error,
                });
            }
        }
        Taken {
            bytes: cursor.at(),
            records,
        }
    }
}

impl Decoder for JsonDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        let limits = self.options.limits;
        if record.len() > limits.record_bytes_max {
            return Err(crate::formats::too_long(record.len(), limits));
        }
        let text = std::str::from_utf8(record).map_err(|error| {
            let at = error.valid_up_to();
            RowError(careful::not_utf8(&self.options, &self.fields, record, at))
        })?;
        let mut cursor = Cursor::of_record(record, &limits);
        self.read(&mut cursor)
            .or_else(|Unsure| self.push_carefully(text))
    }

    fn push_lines(
        &mut self,
        bytes: &[u8],
        bounds: LineBounds,
        refused: &mut Vec<Refused>,
    ) -> Taken {
        let record_bytes_max = bounds
            .record_bytes_max
            .min(self.options.limits.record_bytes_max);
        let mut taken = Taken::default();
        while taken.records < bounds.records_max {
            let rest = bytes.get(taken.bytes..).unwrap_or_default();
            let piece = &rest[..rest.len().min(PIECE_BYTES).min(record_bytes_max)];
            let left = bounds.records_max - taken.records;
            let before = refused.len();
            let lines = memchr::memrchr(b'\n', piece).and_then(|at| piece.get(..=at));
            let more = match lines {
                Some(lines) if simdutf8::basic::from_utf8(lines).is_ok() => {
                    self.push_piece(rest, lines.len(), left, refused)
                }
                // One long line, or one of these lines is not UTF-8.
                lines => {
                    let records_max = if lines.is_some() { left } else { 1 };
                    let bounds = LineBounds {
                        records_max,
                        ..bounds
                    };
                    lines::push_each(self, lines.unwrap_or(rest), bounds, refused)
                }
            };
            for refused in refused.iter_mut().skip(before) {
                refused.start += taken.bytes;
                refused.end += taken.bytes;
            }
            taken.bytes += more.bytes;
            taken.records += more.records;
            if more.records == 0 {
                break;
            }
        }
        taken
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}
