//! CSV: a column is found by its place in the record. As in Flink, there is no
//! header, neither read nor written.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::batch::Rows;
use super::cells::{Cells, Form};
use super::column::Column;
use super::datetime::TimestampForm;
use super::framing::Quoting;
use super::{
    Decoder, EncodedRecords, Encoder, FormatFactory, FormatRef, Framing, Limits, OptionDefault,
    OptionDoc, Options, RowError,
};

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        key: "csv.field-delimiter",
        default: OptionDefault::Value(","),
        doc: "The character between two fields; '\\\\t' is a tab.",
    },
    OptionDoc {
        key: "csv.quote-character",
        default: OptionDefault::Value("\""),
        doc: "The character around a field that holds a delimiter, a quote or a line end.",
    },
    OptionDoc {
        key: "csv.disable-quote-character",
        default: OptionDefault::Value("false"),
        doc: "Whether quotes are ordinary characters.",
    },
    OptionDoc {
        key: "csv.escape-character",
        default: OptionDefault::Off,
        doc: "Before a character inside quotes that stands for itself.",
    },
    OptionDoc {
        key: "csv.allow-comments",
        default: OptionDefault::Value("false"),
        doc: "Whether lines that begin with '#' are skipped.",
    },
    OptionDoc {
        key: "csv.null-literal",
        default: OptionDefault::Off,
        doc: "The text that stands for NULL; an empty field of a type other than STRING and BYTES always does.",
    },
    OptionDoc {
        key: "csv.write-bigdecimal-in-scientific-notation",
        default: OptionDefault::Value("true"),
        doc: "Whether small decimals are written as 2.7E-8 rather than 0.000000027.",
    },
];

/// Flink's options of the format, checked.
#[derive(Clone, Debug)]
struct Csv {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    allow_comments: bool,
    null_literal: Option<String>,
    scientific_decimals: bool,
    limits: Limits,
}

/// Reads the options that begin with `csv.`.
pub(super) fn from_options(options: &mut Options) -> FormatRef {
    options.refuse(
        "csv.array-element-delimiter",
        "there are no ARRAY columns; leave it out",
    );
    if options.boolean("csv.ignore-parse-errors", false) {
        options.reject(
            "csv.ignore-parse-errors",
            "leave it out: a record that does not parse goes to the dead letters and the pipeline goes on",
        );
    }
    let delimiter = single_byte(options, "csv.field-delimiter").unwrap_or(b',');
    let quote = single_byte(options, "csv.quote-character");
    let disabled = options.boolean("csv.disable-quote-character", false);
    if disabled && quote.is_some() {
        options.reject(
            "csv.disable-quote-character",
            "cannot be 'true' together with 'csv.quote-character'",
        );
    }
    let quote = (!disabled).then_some(quote.unwrap_or(b'"'));
    if quote == Some(delimiter) {
        options.reject("csv.field-delimiter", "is the quote character too");
    }
    Arc::new(Csv {
        delimiter,
        quote,
        escape: single_byte(options, "csv.escape-character"),
        allow_comments: options.boolean("csv.allow-comments", false),
        null_literal: options.text("csv.null-literal").map(str::to_owned),
        scientific_decimals: options.boolean("csv.write-bigdecimal-in-scientific-notation", true),
        limits: Limits::default(),
    })
}

/// One ASCII character; a tab may be written as `\t`.
fn single_byte(options: &mut Options, key: &str) -> Option<u8> {
    let text = options.text(key)?;
    match text.as_bytes() {
        b"\\t" => Some(b'\t'),
        b"\\\\" => Some(b'\\'),
        &[byte] if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Some(byte),
        _ => {
            options.reject(key, format!("'{text}' is not one ASCII character"));
            None
        }
    }
}

impl Csv {
    fn quoting(&self) -> Option<Quoting> {
        self.quote.map(|quote| Quoting {
            delimiter: self.delimiter,
            quote,
            escape: self.escape,
            comment: self.allow_comments.then_some(b'#'),
        })
    }

    fn reader(&self) -> Reader {
        ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .escape(self.escape)
            // Only a line feed ends a record, so that a lone carriage return is data.
            .terminator(Terminator::Any(b'\n'))
            .build()
    }
}

impl FormatFactory for Csv {
    fn decoder(&self, table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        let place = |name: &str| {
            table
                .index_of(name)
                .expect("the columns that are read are columns of the table")
        };
        Box::new(CsvDecoder {
            options: self.clone(),
            reader: self.reader(),
            rows: Rows::new(schema),
            places: schema
                .fields()
                .iter()
                .map(|field| place(field.name()))
                .collect(),
            fields_per_record: table.fields().len(),
            output: vec![0; 1024],
            ends: vec![0; table.fields().len() + 1],
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(CsvEncoder {
            options: self.clone(),
            scratch: Vec::new(),
        })
    }

    fn framing(&self) -> Option<Framing> {
        let quoting = self.quoting();
        Some(quoting.map_or(Framing::Lines, Framing::QuotedLines))
    }

    fn extension(&self) -> &'static str {
        "csv"
    }
}

#[derive(Debug)]
struct CsvDecoder {
    options: Csv,
    reader: Reader,
    rows: Rows,
    /// Where the table has each column that is read.
    places: Vec<usize>,
    fields_per_record: usize,
    /// The fields of the record at hand without quotes, and where each ends.
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvDecoder {
    /// Takes the record apart; the number of its fields.
    fn split(&mut self, record: &[u8]) -> usize {
        self.reader.reset();
        let (mut read, mut written, mut fields) = (0, 0, 0);
        loop {
            let (result, input, output, ends) = self.reader.read_record(
                record.get(read..).unwrap_or_default(),
                self.output.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(fields..).unwrap_or_default(),
            );
            read += input;
            written += output;
            fields += ends;
            match result {
                // The next call without input ends the last field.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => return fields,
            }
        }
    }
}

impl Decoder for CsvDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        if record.len() > self.options.limits.record_bytes_max {
            return Err(super::too_long(record.len(), self.options.limits));
        }
        let is_comment = self.options.allow_comments && record.first() == Some(&b'#');
        if record.is_empty() || is_comment {
            return Ok(());
        }
        if self
            .options
            .quoting()
            .is_some_and(|quoting| quoting.is_unclosed(record))
        {
            return Err(RowError("a quoted field has no end".to_owned()));
        }
        let fields = self.split(record);
        if fields != self.fields_per_record {
            return Err(RowError(format!(
                "has {fields} fields where the table has {} columns",
                self.fields_per_record
            )));
        }
        let Self {
            options,
            rows,
            places,
            output,
            ends,
            ..
        } = self;
        rows.push(|columns| {
            for (column, &place) in columns.iter_mut().zip(places.iter()) {
                let start = place.checked_sub(1).and_then(|before| ends.get(before));
                let end = ends.get(place).copied().unwrap_or_default();
                let field = output
                    .get(start.copied().unwrap_or(0)..end)
                    .unwrap_or_default();
                push_field(column, field, options)?;
            }
            Ok(())
        })
        .map_err(RowError)
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

fn push_field(column: &mut Column, field: &[u8], options: &Csv) -> Result<(), String> {
    let text = std::str::from_utf8(field).map_err(|error| {
        column.reason(&format!(
            "is not UTF-8 from byte {} of the field",
            error.valid_up_to()
        ))
    })?;
    if options.null_literal.as_deref() == Some(text) {
        return column.push_null();
    }
    let has_empty_values = matches!(column.data_type, DataType::Utf8 | DataType::Binary);
    if !has_empty_values && text.trim().is_empty() {
        return column.push_null();
    }
    if column.data_type.is_numeric() && text.len() > options.limits.number_bytes_max {
        return Err(column.reason("the number is too long"));
    }
    column.push_text(text, TimestampForm::Sql)
}

#[derive(Debug)]
struct CsvEncoder {
    options: Csv,
    scratch: Vec<u8>,
}

impl CsvEncoder {
    /// Whether a text must be quoted to be read back as it is.
    fn needs_quotes(&self, text: &[u8], is_first: bool) -> bool {
        let special = |b: &u8| {
            matches!(*b, b'\n' | b'\r')
                || *b == self.options.delimiter
                || Some(*b) == self.options.quote
                || Some(*b) == self.options.escape
        };
        let at_edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_whitespace);
        text.iter().any(special)
            || at_edge(text.first())
            || at_edge(text.last())
            || (is_first && text.first() == Some(&b'#'))
    }

    /// Appends a row; if that fails, the column that cannot be written, and why.
    fn write_row(
        &mut self,
        columns: &[Cells<'_>],
        row: usize,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<(), (usize, &'static str)> {
        let start = out.len();
        for (place, cells) in columns.iter().enumerate() {
            if place > 0 {
                out.push(self.options.delimiter);
            }
            if cells.is_null(row) {
                let literal = self.options.null_literal.as_deref().unwrap_or_default();
                out.extend_from_slice(literal.as_bytes());
                continue;
            }
            self.scratch.clear();
            cells.write(row, form, &mut self.scratch);
            let written = self.write_field(out, place == 0);
            written.map_err(|why| (place, why))?;
        }
        // An empty line is no record, so the one empty field is quoted.
        if let (true, Some(quote)) = (out.len() == start, self.options.quote) {
            out.extend_from_slice(&[quote, quote]);
        }
        Ok(())
    }

    fn write_field(&self, out: &mut Vec<u8>, is_first: bool) -> Result<(), &'static str> {
        if !self.needs_quotes(&self.scratch, is_first) {
            out.extend_from_slice(&self.scratch);
            return Ok(());
        }
        let Some(quote) = self.options.quote else {
            let breaks_record =
                |b: &u8| matches!(*b, b'\n' | b'\r') || *b == self.options.delimiter;
            if self.scratch.iter().any(breaks_record) {
                return Err("needs quotes, and 'csv.disable-quote-character' is 'true'");
            }
            out.extend_from_slice(&self.scratch);
            return Ok(());
        };
        out.push(quote);
        for &b in &self.scratch {
            if b == quote || Some(b) == self.options.escape {
                out.push(self.options.escape.unwrap_or(quote));
            }
            out.push(b);
        }
        out.push(quote);
        Ok(())
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        let form = Form {
            timestamp: TimestampForm::Sql,
            scientific_decimals: self.options.scientific_decimals,
        };
        let columns = Cells::of(records);
        for row in 0..records.num_rows() {
            let written = out.push(|out| self.write_row(&columns, row, form, out));
            written.map_err(|(place, why)| {
                let schema = records.schema();
                RowError(format!("column '{}': {why}", schema.field(place).name()))
            })?;
        }
        Ok(())
    }
}
