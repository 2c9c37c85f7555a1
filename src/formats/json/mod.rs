//! JSON: one object a record, its fields found by the names of the columns.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::datetime::TimestampForm;
use super::{
    Decoder, Encoder, FormatFactory, FormatRef, Framing, Limits, OptionDefault, OptionDoc, Options,
};

mod careful;
mod cursor;
mod decode;
mod encode;
mod number;
mod quote;
mod read;
mod scan;
mod shape;
mod sweep;
#[cfg(test)]
mod tests;

pub(super) use decode::JsonDecoder;
pub(super) use encode::{JsonEncoder, row_to_json};

/// The options of JSON under the name of a format, handed to another macro.
macro_rules! json_docs {
    ($make:ident, $format:literal) => {
        $make!(
            $format,
            OptionDoc {
                key: concat!($format, ".fail-on-missing-field"),
                default: OptionDefault::Value("false"),
                doc: "Whether a record without a field for some column goes to the dead letters; else the column is NULL.",
            },
            OptionDoc {
                key: concat!($format, ".timestamp-format.standard"),
                default: OptionDefault::Value("SQL"),
                doc: "'SQL' for '2020-01-01 12:00:00.123', 'ISO-8601' for '2020-01-01T12:00:00.123'.",
            },
            OptionDoc {
                key: concat!($format, ".encode.decimal-as-plain-number"),
                default: OptionDefault::Value("false"),
                doc: "Whether small decimals are written as 0.000000027 rather than 2.7E-8.",
            },
            OptionDoc {
                key: concat!($format, ".encode.ignore-null-fields"),
                default: OptionDefault::Value("false"),
                doc: "Whether a field that is NULL is left out of the object.",
            },
        )
    };
}
pub(super) use json_docs;

macro_rules! listed {
    ($format:literal, $($doc:expr),* $(,)?) => { &[$($doc),*] };
}

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = json_docs!(listed, "json");

/// Flink's options of the format, checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Json {
    fail_on_missing_field: bool,
    timestamp: TimestampForm,
    times: Times,
    plain_decimals: bool,
    ignore_null_fields: bool,
    limits: Limits,
}

/// What dates and times are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Times {
    #[default]
    Text,
    TextOrNumbers,
}

impl Json {
    /// Reads the options that begin with `json.`.
    pub(super) fn from_options(options: &mut Options) -> FormatRef {
        Arc::new(Self::read(options, "json"))
    }

    /// Reads the same options under the name of another format.
    pub(super) fn read(options: &mut Options, format: &str) -> Self {
        let key = |name: &str| format!("{format}.{name}");
        for key in ["map-null-key.mode", "map-null-key.literal"].map(key) {
            options.refuse(&key, "the keys of a MAP are never NULL; leave it out");
        }
        let ignore = key("ignore-parse-errors");
        if options.boolean(&ignore, false) {
            options.reject(
                &ignore,
                "leave it out: a record that does not parse goes to the dead letters and the pipeline goes on",
            );
        }
        let forms = [
            ("SQL", TimestampForm::Sql),
            ("ISO-8601", TimestampForm::Iso8601),
        ];
        let standard = key("timestamp-format.standard");
        Self {
            fail_on_missing_field: options.boolean(&key("fail-on-missing-field"), false),
            timestamp: options.choice(&standard, &forms, TimestampForm::Sql),
            times: Times::Text,
            plain_decimals: options.boolean(&key("encode.decimal-as-plain-number"), false),
            ignore_null_fields: options.boolean(&key("encode.ignore-null-fields"), false),
            limits: Limits::default(),
        }
    }

    /// Takes numbers for dates (days) and times (milliseconds) too, as Kafka Connect
    /// writes them.
    pub(super) fn with_numeric_times(self) -> Self {
        Self {
            times: Times::TextOrNumbers,
            ..self
        }
    }
}

impl FormatFactory for Json {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(JsonDecoder::new(*self, schema))
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(JsonEncoder::new(*self))
    }

    fn framing(&self) -> Option<Framing> {
        Some(Framing::Lines)
    }

    fn extension(&self) -> &'static str {
        "json"
    }
}
