//! Avro: a record is one value in the binary encoding, without its schema, which is
//! derived from the columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_empty_array};
use arrow::datatypes::{Fields, SchemaRef};

use super::batch::Rows;
use super::{
    Decoder, EncodedRecords, Encoder, FormatFactory, FormatRef, Framing, Limits, OptionDefault,
    OptionDoc, Options, RowError,
};

mod cursor;
mod default;
mod derive;
mod plan;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub(super) use plan::Plan;
pub(super) use schema::Schema;

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        key: "avro.encoding",
        default: OptionDefault::Value("binary"),
        doc: "Only 'binary'.",
    },
    OptionDoc {
        key: "avro.timestamp_mapping.legacy",
        default: OptionDefault::Value("true"),
        doc: "Whether TIMESTAMP is written as Avro's 'timestamp-…', a point in time; else it is 'local-timestamp-…'. Both are read.",
    },
    OptionDoc {
        key: "avro.open.fastread",
        default: OptionDefault::Value("false"),
        doc: "Taken for Flink's sake; reading is always fast.",
    },
];

/// The format, with the schema of the table's columns.
struct Avro {
    schema: Arc<Schema>,
}

/// Reads the options that begin with `avro.`.
pub(super) fn from_options(options: &mut Options, columns: &SchemaRef) -> Option<FormatRef> {
    if options
        .text("avro.encoding")
        .is_some_and(|encoding| encoding != "binary")
    {
        options.reject(
            "avro.encoding",
            "only 'binary' is supported; for text set 'format' = 'json'",
        );
    }
    options.refuse(
        "avro.codec",
        "compresses container files, which are not supported; for topics set \
         'properties.compression.type'",
    );
    options.boolean("avro.open.fastread", false);
    let legacy = options.boolean("avro.timestamp_mapping.legacy", true);
    match derived(columns, legacy) {
        Ok((_, schema)) => Some(Arc::new(Avro { schema })),
        Err(why) => {
            options.reject_table(why);
            None
        }
    }
}

/// The schema of columns, as text and parsed.
pub(super) fn derived(columns: &SchemaRef, legacy: bool) -> Result<(String, Arc<Schema>), String> {
    let text = derive::schema_of(columns.fields(), legacy)?.to_string();
    let schema = Schema::parse(&text, []).map_err(|why| format!("the derived schema {why}"))?;
    Ok((text, Arc::new(schema)))
}

impl FormatFactory for Avro {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        let plan = Plan::new(Arc::clone(&self.schema), schema.fields(), None);
        Box::new(AvroDecoder {
            plan: plan.expect("the columns fit the schema that was derived from them"),
            rows: Rows::new(schema),
            limits: Limits::default(),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(AvroEncoder::new(Arc::clone(&self.schema)))
    }

    fn framing(&self) -> Option<Framing> {
        None
    }

    fn extension(&self) -> &'static str {
        "avro"
    }
}

struct AvroDecoder {
    plan: Plan,
    rows: Rows,
    limits: Limits,
}

impl Decoder for AvroDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        push(&mut self.rows, &self.plan, record, &self.limits)
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

/// Appends the row of a record that was written by the plan's schema.
pub(super) fn push(
    rows: &mut Rows,
    plan: &Plan,
    record: &[u8],
    limits: &Limits,
) -> Result<(), RowError> {
    if record.len() > limits.record_bytes_max {
        return Err(super::too_long(record.len(), *limits));
    }
    rows.push(|columns| read::record(plan, record, limits, columns))
        .map_err(|unread| RowError(unread.into_reason()))
}

/// Checks that rows of some columns can be written by a schema.
pub(super) fn check_written(schema: &Schema, columns: &Fields) -> Result<(), String> {
    let empty = columns
        .iter()
        .map(|column| new_empty_array(column.data_type()));
    let empty: Vec<_> = empty.collect();
    write::Record::new(schema, columns, &empty).map(drop)
}

/// Writes rows by a schema that their columns fit.
pub(super) struct AvroEncoder {
    schema: Arc<Schema>,
}

impl AvroEncoder {
    pub(super) fn new(schema: Arc<Schema>) -> Self {
        Self { schema }
    }
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        let fields = records.schema();
        let writer = write::Record::new(&self.schema, fields.fields(), records.columns());
        let writer = writer.map_err(RowError)?;
        for row in 0..records.num_rows() {
            out.push(|out| writer.write(row, out)).map_err(RowError)?;
        }
        Ok(())
    }
}
