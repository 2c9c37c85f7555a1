//! How rows become bytes and bytes become rows; nothing here knows where the
//! bytes come from.
//!
//! A decoder takes one record at a time and either appends one row or refuses
//! it whole: a refused record leaves no trace in the batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

mod options;

pub use options::{Format, Limits, Options};

/// Turns records into rows of its schema.
pub trait Decoder: Send {
    /// Appends the row that `record` holds.
    ///
    /// # Errors
    /// If the record does not hold a row of the schema; nothing is appended then.
    fn push(&mut self, record: &[u8]) -> Result<(), RowError>;

    /// How many rows wait for [`Self::finish`].
    fn num_rows(&self) -> usize;

    /// Takes the rows since the last call.
    fn finish(&mut self) -> RecordBatch;
}

/// Turns rows of its schema into records.
pub trait Encoder: Send {
    /// Appends the record of each row to `out`, and the offset in `out` behind
    /// each record to `ends`. A record has no terminator.
    ///
    /// # Errors
    /// If a row cannot be written in this format; `out` and `ends` then hold the
    /// rows before it.
    fn encode(
        &mut self,
        records: &RecordBatch,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), RowError>;

    /// What stands at the beginning of a file, if anything does (a CSV header).
    fn file_header(&self) -> Option<Vec<u8>> {
        None
    }
}

/// How records follow each other in a file or a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A record a line; `\n` or `\r\n` ends it.
    Lines,
    /// A record a line, but a line end inside double quotes belongs to the record.
    QuotedLines,
}

/// Why one record is not a row, in a sentence for its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowError(pub String);

/// A format with its options, ready to make decoders and encoders of a schema.
pub trait FormatFactory: Send + Sync {
    /// A decoder that makes rows of `schema` (names and types of the columns
    /// that the plan reads, a subset of `table`'s columns in any order). CSV
    /// finds a column by its place in `table`, JSON by its name.
    fn decoder(&self, table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder>;

    /// An encoder for rows of `schema`.
    fn encoder(&self, schema: &SchemaRef) -> Box<dyn Encoder>;

    /// How its records follow each other.
    fn framing(&self) -> Framing;

    /// The ending of a file name, without the dot.
    fn extension(&self) -> &'static str;
}

/// A shared [`FormatFactory`].
pub type FormatRef = Arc<dyn FormatFactory>;
