//! JSON with a JSON Schema for each record in a registry.
//!
//! A record is read by the names of its fields, whatever its schema says of them; the
//! schema is there for other readers. That it exists is checked nevertheless: an id that
//! nobody has registered shows that the bytes are none of this format.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Fields, SchemaRef};
use serde_json::{Map, Value, json};

use super::{
    Decoder, Encoder, Fetch, FormatFactory, FormatRef, Framing, OptionDefault, OptionDoc, Options,
    Plans, RegisteredEncoder, Registration, RowError, options, registry_docs,
};
use crate::formats::column::{map_fields, sql_name};
use crate::formats::json::{Json, JsonDecoder, JsonEncoder, json_docs};
use crate::schema_registry::Language;

/// What a table calls the format.
const NAME: &str = "json-registry";

/// Its options, for people.
pub(in crate::formats) const DOCS: &[OptionDoc] = json_docs!(registry_docs, "json-registry");

struct JsonRegistry {
    json: Json,
    registration: Arc<Registration>,
}

/// Reads the options that begin with `json-registry.`.
pub(in crate::formats) fn from_options(given: &mut Options, columns: &SchemaRef) -> FormatRef {
    let options = options::read(given, NAME);
    let json = Json::read(given, NAME).with_numeric_times();
    let mut schema = schema_of(columns.fields());
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Record");
    let registration = options.registration(Language::Json, schema.to_string(), Vec::new());
    Arc::new(JsonRegistry { json, registration })
}

/// The JSON Schema of rows with these columns. It is closed, so that a nullable column
/// can be added and the schemas stay compatible.
fn schema_of(columns: &Fields) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for column in columns {
        let of = nullable(column.data_type(), column.is_nullable());
        properties.insert(column.name().clone(), of);
        if !column.is_nullable() {
            required.push(json!(column.name()));
        }
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    schema
}

fn nullable(of: &DataType, is_nullable: bool) -> Value {
    let of = value(of);
    if is_nullable {
        json!({ "oneOf": [{ "type": "null" }, of] })
    } else {
        of
    }
}

fn value(of: &DataType) -> Value {
    // The names are those of Kafka Connect, which others go by.
    let number = |kind: &str, connect: &str| json!({ "type": kind, "connect.type": connect });
    match of {
        DataType::Boolean => json!({ "type": "boolean" }),
        DataType::Int8 => number("integer", "int8"),
        DataType::Int16 => number("integer", "int16"),
        DataType::Int32 => number("integer", "int32"),
        DataType::Int64 => number("integer", "int64"),
        DataType::Float32 => number("number", "float32"),
        DataType::Float64 => number("number", "float64"),
        DataType::Decimal128(..) => json!({ "type": "number", "title": sql_name(of) }),
        DataType::Binary => json!({ "type": "string", "connect.type": "bytes" }),
        DataType::Struct(fields) => schema_of(fields),
        DataType::List(element) => {
            json!({ "type": "array", "items": nullable(element.data_type(), element.is_nullable()) })
        }
        DataType::Map(entries, _) => {
            let value = map_fields(entries).map(|(_, value)| value);
            let value = value.map(|value| nullable(value.data_type(), value.is_nullable()));
            json!({ "type": "object", "connect.type": "map", "additionalProperties": value })
        }
        DataType::Utf8 => json!({ "type": "string" }),
        // A text in the form that SQL has for it.
        other => json!({ "type": "string", "title": sql_name(other) }),
    }
}

impl FormatFactory for JsonRegistry {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(JsonRegistryDecoder {
            ids: Plans::new(self.registration.registry(), Language::Json),
            bodies: JsonDecoder::new(self.json, schema),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(RegisteredEncoder::new(
            &self.registration,
            JsonEncoder::new(self.json),
        ))
    }

    fn framing(&self) -> Option<Framing> {
        None
    }

    fn extension(&self) -> &'static str {
        "json"
    }
}

struct JsonRegistryDecoder {
    ids: Plans<()>,
    bodies: JsonDecoder,
}

impl Decoder for JsonRegistryDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        let body = self.ids.of(record, |_| Ok(()))?;
        self.bodies.push(body.bytes)
    }

    fn missing(&mut self) -> Option<Fetch> {
        self.ids.missing()
    }

    fn num_rows(&self) -> usize {
        self.bodies.num_rows()
    }

    fn finish(&mut self) -> RecordBatch {
        self.bodies.finish()
    }
}
