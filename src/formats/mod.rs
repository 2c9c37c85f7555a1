//! How rows become bytes and bytes become rows; nothing here knows where the
//! bytes come from.
//!
//! A decoder takes one record at a time and either appends one row or refuses
//! it whole: a refused record leaves no trace in the batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;

use crate::stream::{Batch, ChangelogMode};

mod avro;
mod batch;
mod cells;
mod column;
mod confluent;
mod csv;
mod datetime;
mod debezium;
mod decimal;
mod digits;
mod encoded;
mod framing;
mod json;
mod limits;
mod lines;
mod options;
mod protobuf;
mod raw;
mod registry;
mod row_text;
#[cfg(test)]
mod tests;
mod time_zone;

pub use encoded::EncodedRecords;
pub use framing::{Framing, Quoting, line_length};
pub use limits::Limits;
pub use lines::{LineBounds, Refused, Taken};
pub use options::{
    OptionDefault, OptionDoc, OptionError, Options, nearest, parse_duration, parse_memory,
};
pub use registry::{NAMES, OF_LINES, OF_ROWS, check_types, docs, format, subject_option};
pub use row_text::{
    RowText, parse_decimal, parse_timestamp_millis, row_to_json, sql_name, value_of_text,
};
pub use time_zone::{instant_seconds, is_time_zone, local_seconds};

/// Turns records into rows of its schema.
pub trait Decoder: Send {
    /// Appends the row that `record` holds. A record that holds none by the rules
    /// of its format (an empty line, a comment) appends none.
    ///
    /// # Errors
    /// If the record does not hold a row of the schema; nothing is appended then.
    fn push(&mut self, record: &[u8]) -> Result<(), RowError>;

    /// Appends the rows of the whole lines with which `bytes` begin, as if each were
    /// pushed without its end, and notes in `refused` which hold none. It stops
    /// before a line that has no end or is too long.
    fn push_lines(
        &mut self,
        bytes: &[u8],
        bounds: LineBounds,
        refused: &mut Vec<Refused>,
    ) -> Taken {
        lines::push_each(self, bytes, bounds, refused)
    }

    /// What has to be had before the record can be judged that was refused last, if it
    /// was refused for lack of it. Once that is there, the record is pushed again.
    fn missing(&mut self) -> Option<Fetch> {
        None
    }

    /// How many rows wait for [`Self::finish`].
    fn num_rows(&self) -> usize;

    /// Takes the rows since the last call.
    fn finish(&mut self) -> RecordBatch;

    /// Takes the rows since the last call with what each does; of most formats all are
    /// insertions.
    fn finish_changes(&mut self) -> Batch {
        Batch::new(self.finish())
    }
}

/// Turns rows of its schema into records.
pub trait Encoder: Send {
    /// Appends the record of each row.
    ///
    /// # Errors
    /// If a row cannot be written in this format; `out` then holds the rows before it.
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError>;

    /// Appends the record of each change; formats that can only hold rows write these.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn encode_changes(&mut self, batch: &Batch, out: &mut EncodedRecords) -> Result<(), RowError> {
        self.encode(&batch.records, out)
    }

    /// What has to be had before rows can be encoded, if anything has.
    fn missing(&mut self) -> Option<Fetch> {
        None
    }

    /// What stands at the beginning of a file, if anything does (a CSV header).
    fn file_header(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Why one record is not a row, in a sentence for its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowError(pub String);

/// Gets something that a decoder or an encoder needs and only another system has. It
/// waits as long as that system cannot be reached.
pub type Fetch = BoxFuture<'static, Result<(), FetchError>>;

/// Why it cannot be had, in a sentence for a person, who has to change something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// A format with its options, ready to make decoders and encoders of a schema.
pub trait FormatFactory: Send + Sync {
    /// A decoder that makes rows of `schema` (names and types of the columns
    /// that the plan reads, a subset of `table`'s columns in any order). CSV
    /// finds a column by its place in `table`, JSON by its name.
    fn decoder(&self, table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder>;

    /// An encoder for rows of `schema`.
    fn encoder(&self, schema: &SchemaRef) -> Box<dyn Encoder>;

    /// How its records follow each other in a file; `None` if they do not tell where
    /// they end, so that only a connector can hold them that keeps them apart.
    fn framing(&self) -> Option<Framing>;

    /// The ending of a file name, without the dot.
    fn extension(&self) -> &'static str;

    /// What its records can say of rows.
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }
}

/// A shared [`FormatFactory`].
pub type FormatRef = Arc<dyn FormatFactory>;

fn too_long(record_bytes: usize, limits: Limits) -> RowError {
    RowError(format!(
        "the record has {record_bytes} bytes; at most {} are taken",
        limits.record_bytes_max
    ))
}
