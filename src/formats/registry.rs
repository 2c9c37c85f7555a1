//! Which formats there are, and how a table's options name one.

use arrow::datatypes::{DataType, SchemaRef};

use super::{
    FormatRef, OptionDoc, Options, avro, column, confluent, csv, debezium, json, protobuf, raw,
};

/// The names of the formats.
pub const NAMES: [&str; 9] = [
    "json",
    "csv",
    "raw",
    "avro",
    "protobuf",
    "avro-confluent",
    "protobuf-confluent",
    "json-registry",
    "debezium-json",
];

/// The formats whose records are rows, and not changes of them.
pub const OF_ROWS: [&str; 8] = [
    "json",
    "csv",
    "raw",
    "avro",
    "protobuf",
    "avro-confluent",
    "protobuf-confluent",
    "json-registry",
];

/// The formats whose records are lines, so that a file can hold them.
pub const OF_LINES: [&str; 4] = ["json", "csv", "raw", "debezium-json"];

/// The format that `'format' = '…'` and the options of that format ask for,
/// for a table with these physical columns. What is wrong is noted in `options`.
pub fn format(options: &mut Options, schema: &SchemaRef) -> Option<FormatRef> {
    let name = options.require("format");
    if name.is_empty() {
        return None;
    }
    if matches!(name, "csv" | "raw") {
        check_types(options, schema);
    } else {
        check_columns(options, schema, column::is_supported);
    }
    match name {
        "json" => Some(json::Json::from_options(options)),
        "debezium-json" => Some(debezium::from_options(options)),
        "csv" => Some(csv::from_options(options)),
        "raw" => Some(raw::from_options(options, schema)),
        "avro" => avro::from_options(options, schema),
        "avro-confluent" => confluent::avro::from_options(options, schema),
        "protobuf" => protobuf::from_options(options, schema),
        "protobuf-confluent" => confluent::protobuf::from_options(options, schema),
        "json-registry" => Some(confluent::json::from_options(options, schema)),
        _ => {
            let hint = super::options::nearest(name, NAMES.into_iter()).map_or_else(
                || format!("there are '{}'", NAMES.join("', '")),
                |near| format!("did you mean '{near}'?"),
            );
            options.reject("format", format!("unknown format '{name}'; {hint}"));
            None
        }
    }
}

/// Notes every column whose type has no form in lines of text.
pub fn check_types(options: &mut Options, schema: &SchemaRef) {
    check_columns(options, schema, |data_type| {
        column::is_supported(data_type) && !column::is_nested(data_type)
    });
}

fn check_columns(
    options: &mut Options,
    schema: &SchemaRef,
    is_supported: impl Fn(&DataType) -> bool,
) {
    for field in schema.fields() {
        if !is_supported(field.data_type()) {
            options.reject_table(format!(
                "column '{}' has type {}, which the format cannot read or write",
                field.name(),
                column::sql_name(field.data_type())
            ));
        }
    }
}

/// The option that names the subject of written records in a schema registry, if the
/// format has one. A connector that knows a good name gives it where none is given.
pub fn subject_option(format: &str) -> Option<String> {
    let is_registered = matches!(
        format,
        "avro-confluent" | "protobuf-confluent" | "json-registry"
    );
    is_registered.then(|| format!("{format}.subject"))
}

/// The options of a format; none if there is no such format.
pub fn docs(format: &str) -> &'static [OptionDoc] {
    match format {
        "json" => json::DOCS,
        "debezium-json" => debezium::DOCS,
        "csv" => csv::DOCS,
        "raw" => raw::DOCS,
        "avro" => avro::DOCS,
        "avro-confluent" => confluent::avro::DOCS,
        "protobuf" => protobuf::DOCS,
        "protobuf-confluent" => confluent::protobuf::DOCS,
        "json-registry" => confluent::json::DOCS,
        _ => &[],
    }
}
