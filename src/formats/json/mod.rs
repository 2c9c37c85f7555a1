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

pub(super) use encode::row_to_json;

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        key: "json.fail-on-missing-field",
        default: OptionDefault::Value("false"),
        doc: "Whether a record without a field for some column goes to the dead letters; else the column is NULL.",
    },
    OptionDoc {
        key: "json.timestamp-format.standard",
        default: OptionDefault::Value("SQL"),
        doc: "'SQL' for '2020-01-01 12:00:00.123', 'ISO-8601' for '2020-01-01T12:00:00.123'.",
    },
    OptionDoc {
        key: "json.encode.decimal-as-plain-number",
        default: OptionDefault::Value("false"),
        doc: "Whether small decimals are written as 0.000000027 rather than 2.7E-8.",
    },
    OptionDoc {
        key: "json.encode.ignore-null-fields",
        default: OptionDefault::Value("false"),
        doc: "Whether a field that is NULL is left out of the object.",
    },
];

/// Flink's options of the format, checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Json {
    fail_on_missing_field: bool,
    timestamp: TimestampForm,
    plain_decimals: bool,
    ignore_null_fields: bool,
    limits: Limits,
}

impl Json {
    /// Reads the options that begin with `json.`.
    pub(super) fn from_options(options: &mut Options) -> FormatRef {
        options.refuse(
            "json.map-null-key.mode",
            "the keys of a MAP are never NULL; leave it out",
        );
        options.refuse(
            "json.map-null-key.literal",
            "the keys of a MAP are never NULL; leave it out",
        );
        if options.boolean("json.ignore-parse-errors", false) {
            options.reject(
                "json.ignore-parse-errors",
                "leave it out: a record that does not parse goes to the dead letters and the pipeline goes on",
            );
        }
        let forms = [
            ("SQL", TimestampForm::Sql),
            ("ISO-8601", TimestampForm::Iso8601),
        ];
        Arc::new(Self {
            fail_on_missing_field: options.boolean("json.fail-on-missing-field", false),
            timestamp: options.choice("json.timestamp-format.standard", &forms, TimestampForm::Sql),
            plain_decimals: options.boolean("json.encode.decimal-as-plain-number", false),
            ignore_null_fields: options.boolean("json.encode.ignore-null-fields", false),
            limits: Limits::default(),
        })
    }
}

impl FormatFactory for Json {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(decode::JsonDecoder::new(*self, schema))
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(encode::JsonEncoder::new(*self))
    }

    fn framing(&self) -> Option<Framing> {
        Some(Framing::Lines)
    }

    fn extension(&self) -> &'static str {
        "json"
    }
}
