//! Raw: the record is the value of the table's only column.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::batch::Rows;
use super::cells::Cells;
use super::column::Column;
use super::{
    Decoder, EncodedRecords, Encoder, FormatFactory, FormatRef, Framing, Limits, OptionDefault,
    OptionDoc, Options, RowError,
};

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = &[OptionDoc {
    key: "raw.charset",
    default: OptionDefault::Value("UTF-8"),
    doc: "The encoding of text; only UTF-8.",
}];

#[derive(Debug)]
struct Raw;

/// Reads the options that begin with `raw.`, and checks that there is one column.
pub(super) fn from_options(options: &mut Options, schema: &SchemaRef) -> FormatRef {
    if let Some(charset) = options.text("raw.charset")
        && !charset.eq_ignore_ascii_case("utf-8")
    {
        options.reject(
            "raw.charset",
            format!("'{charset}' is not supported; only 'UTF-8' is"),
        );
    }
    options.refuse(
        "raw.endianness",
        "there are no binary numbers; leave it out",
    );
    let types: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    if !matches!(types.as_slice(), [DataType::Utf8 | DataType::Binary]) {
        options.reject(
            "format",
            "'raw' needs a table with exactly one physical column of type STRING or BYTES",
        );
    }
    Arc::new(Raw)
}

impl FormatFactory for Raw {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(RawDecoder {
            rows: Rows::new(schema),
            limits: Limits::default(),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(RawEncoder)
    }

    fn framing(&self) -> Option<Framing> {
        Some(Framing::Lines)
    }

    fn extension(&self) -> &'static str {
        "txt"
    }
}

#[derive(Debug)]
struct RawDecoder {
    rows: Rows,
    limits: Limits,
}

impl Decoder for RawDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        if record.len() > self.limits.record_bytes_max {
            return Err(super::too_long(record.len(), self.limits));
        }
        let push_raw = |column: &mut Column| column.push_raw(record);
        self.rows
            .push(|columns| columns.iter_mut().try_for_each(push_raw))
            .map_err(RowError)
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

#[derive(Debug)]
struct RawEncoder;

impl Encoder for RawEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        for cells in Cells::of(records) {
            for row in 0..records.num_rows() {
                out.push(|out| {
                    // A null has no form of its own: it is an empty record, as in Flink.
                    if !cells.is_null(row) {
                        let bytes = cells.text(row).map(str::as_bytes).or(cells.binary(row));
                        out.extend_from_slice(bytes.unwrap_or_default());
                    }
                    Ok::<_, RowError>(())
                })?;
            }
        }
        Ok(())
    }
}
