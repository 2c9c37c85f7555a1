//! Avro with the schema of each record in a registry.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};

use super::{
    Decoder, Encoder, Fetch, FormatFactory, FormatRef, Framing, HEADER_BYTES, Limits,
    OptionDefault, OptionDoc, Options, Plans, RegisteredEncoder, Registration, RowError, options,
    registry_docs,
};
use crate::formats::avro::{AvroEncoder, Plan, Schema, check_written, derived, push};
use crate::formats::batch::Rows;
use crate::schema_registry::Language;

/// What a table calls the format.
const NAME: &str = "avro-confluent";

/// Its options, for people.
pub(in crate::formats) const DOCS: &[OptionDoc] = registry_docs!(
    "avro-confluent",
    OptionDoc {
        key: "avro-confluent.schema",
        default: OptionDefault::Off,
        doc: "The Avro schema of written rows, as JSON; else it is derived from the columns. Read rows get aliases and default values from it.",
    },
    OptionDoc {
        key: "avro-confluent.timestamp_mapping.legacy",
        default: OptionDefault::Value("true"),
        doc: "Whether TIMESTAMP is written as Avro's 'timestamp-…', a point in time; else it is 'local-timestamp-…'. Both are read.",
    },
);

struct AvroConfluent {
    /// The schema that was given.
    reader: Option<Arc<Schema>>,
    writer: Arc<Schema>,
    registration: Arc<Registration>,
}

/// Reads the options that begin with `avro-confluent.`.
pub(in crate::formats) fn from_options(
    given: &mut Options,
    columns: &SchemaRef,
) -> Option<FormatRef> {
    let options = options::read(given, NAME);
    let legacy = given.boolean("avro-confluent.timestamp_mapping.legacy", true);
    let old_key = "avro-confluent.schema-registry.schema";
    let text = given
        .text("avro-confluent.schema")
        .or_else(|| given.text(old_key));
    let made = match text {
        None => derived(columns, legacy).map(|(text, schema)| (text, schema, None)),
        Some(text) => declared(text, columns.fields())
            .map(|schema| (text.to_owned(), Arc::clone(&schema), Some(schema)))
            .map_err(|why| format!("option 'avro-confluent.schema': {why}")),
    };
    let (text, writer, reader) = match made {
        Ok(made) => made,
        Err(why) => {
            given.reject_table(why);
            return None;
        }
    };
    let registration = options.registration(Language::Avro, text, Vec::new());
    Some(Arc::new(AvroConfluent {
        reader,
        writer,
        registration,
    }))
}

/// A schema that was given, if the columns fit it both ways.
fn declared(text: &str, columns: &Fields) -> Result<Arc<Schema>, String> {
    let schema = Arc::new(Schema::parse(text, []).map_err(|why| format!("the schema {why}"))?);
    check_written(&schema, columns)?;
    Plan::new(Arc::clone(&schema), columns, Some(&schema))?;
    Ok(schema)
}

impl FormatFactory for AvroConfluent {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(AvroConfluentDecoder {
            plans: Plans::new(self.registration.registry(), Language::Avro),
            columns: schema.fields().clone(),
            reader: self.reader.clone(),
            rows: Rows::new(schema),
            limits: Limits::default(),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(RegisteredEncoder::new(
            &self.registration,
            AvroEncoder::new(Arc::clone(&self.writer)),
        ))
    }

    fn framing(&self) -> Option<Framing> {
        None
    }

    fn extension(&self) -> &'static str {
        "avro"
    }
}

struct AvroConfluentDecoder {
    plans: Plans<Plan>,
    columns: Fields,
    reader: Option<Arc<Schema>>,
    rows: Rows,
    limits: Limits,
}

impl Decoder for AvroConfluentDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        let (columns, reader) = (&self.columns, self.reader.as_ref());
        let body = self.plans.of(record, |registered| {
            let references = registered
                .references
                .iter()
                .map(|other| other.text.as_str());
            let schema = Schema::parse(&registered.text, references);
            let schema = schema.map_err(|why| format!("it {why}"))?;
            Plan::new(Arc::new(schema), columns, reader)
        })?;
        let mut limits = self.limits;
        limits.record_bytes_max -= HEADER_BYTES;
        push(&mut self.rows, body.plan, body.bytes, &limits)
    }

    fn missing(&mut self) -> Option<Fetch> {
        self.plans.missing()
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}
