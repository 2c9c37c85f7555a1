//! What must hold for any bytes: SQL text, records of the formats, their schemas.
//!
//! The fuzzers under `fuzz/` call these functions with bytes of their own making,
//! and the tests beside this file with the bytes that were worth keeping.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::Value;
use serde_json::value::RawValue;
use thalweg::formats::{
    EncodedRecords, FormatRef, Framing, LineBounds, Options, RowText, format, line_length,
};
use thalweg::pipeline;
use thalweg::plan::Diagnostic;
use thalweg::sql::{self, SourceFile};

use crate::ends::AllEnds;

/// A target: it panics if what must hold does not.
pub type Target = fn(&[u8]);

/// All targets by the names of their corpora.
pub const TARGETS: [(&str, Target); 5] = [
    ("avro", avro),
    ("csv", csv),
    ("json", json),
    ("protobuf", protobuf),
    ("sql", sql),
];

/// A text is a program that is planned, or is refused.
pub fn sql(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_planned(text);
    }
}

/// Whether a program is planned: then it is explained, too. Or else it is refused with
/// reasons that point into its text, and the same way each time.
pub fn is_planned(text: &str) -> bool {
    let files = [SourceFile {
        name: "fuzz.sql".to_owned(),
        text: text.to_owned(),
    }];
    let compile = || sql::compile(&files, &|name| Some(format!("value of {name}")));
    match compile() {
        Ok(program) => {
            let again = compile().expect("it was planned before");
            assert_eq!(program.dataflow.to_string(), again.dataflow.to_string());
        }
        Err(diagnostics) => check_reasons(&files, &diagnostics),
    }
    match pipeline::compile_with(&files, &BTreeMap::new(), Arc::new(AllEnds)) {
        Ok(program) => {
            let json = program.explain_json();
            assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
            assert!(!(program.explain() + &program.explain_dot()).is_empty());
            true
        }
        Err(diagnostics) => {
            check_reasons(&files, &diagnostics);
            false
        }
    }
}

/// There are reasons, and each stands in the text or right behind it.
fn check_reasons(files: &[SourceFile], diagnostics: &[Diagnostic]) {
    assert!(!diagnostics.is_empty(), "refused without a reason");
    let lines: Vec<&str> = files[0].text.split('\n').collect();
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.is_empty(), "a reason without words");
        let number = |place| usize::try_from(place).expect("a number");
        let line = number(diagnostic.span.line).checked_sub(1);
        let line = line.and_then(|line| lines.get(line));
        let columns = line.map_or(0, |line| line.chars().count() + 1);
        let column = number(diagnostic.span.column);
        assert!(
            (1..=columns).contains(&column),
            "outside of the text: {diagnostic:?}"
        );
    }
    assert!(!sql::render(diagnostics, files).is_empty());
}

/// A record is taken exactly if it is a JSON object whose fields fit the columns,
/// as another parser sees it; what is taken survives being written and read.
///
/// Where the two parsers are meant to differ: a field that stands twice counts as
/// its last; a number is taken as long as its column holds it, and one that no column
/// reads has no range; fields that are no columns are only checked to be JSON.
pub fn json(record: &[u8]) {
    json_lines(record);
    json_nested(record);
    let schema = columns();
    let format = made(&[("format", "json")], &schema);
    let taken = decode(&format, &schema, record);
    let theirs = std::str::from_utf8(record)
        .ok()
        .and_then(|text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text).ok());
    match (taken, theirs) {
        (Ok(rows), _) if rows.num_rows() == 0 => {
            assert!(record.trim_ascii().is_empty(), "a record was passed over");
        }
        (Ok(_), None) => panic!("a record was taken that is no JSON object"),
        (Ok(rows), Some(fields)) => {
            for (column, field) in schema.fields().iter().enumerate() {
                let raw = fields.get(field.name()).map_or("null", |raw| raw.get());
                check_value(&rows, column, raw);
            }
            check_round_trip(&format, &schema, &rows);
        }
        (Err(reason), Some(_)) => {
            let allowed = [
                "column '",
                "nested too deeply",
                "too long",
                "the record has ",
            ];
            // The other parser finds half a surrogate pair only where it unescapes.
            let unescaped: Result<Value, _> = serde_json::from_slice(record);
            assert!(
                allowed.iter().any(|allowed| reason.contains(allowed))
                    || reason.contains("invalid escape") && unescaped.is_err(),
                "a JSON object was refused: {reason}"
            );
        }
        (Err(_), None) => {}
    }
}

/// Lines that are decoded at once give what they give one by one.
fn json_lines(bytes: &[u8]) {
    let schema = columns();
    let format = made(&[("format", "json")], &schema);
    let (mut block, mut single) = (
        format.decoder(&schema, &schema),
        format.decoder(&schema, &schema),
    );
    let bounds = LineBounds {
        records_max: usize::MAX,
        record_bytes_max: 1 << 20,
    };
    let mut refused = Vec::new();
    let taken = block.push_lines(bytes, bounds, &mut refused);
    let mut refused = refused.into_iter();
    let mut at = 0;
    while let Some(length) = line_length(&bytes[at..]) {
        let line = Framing::trim_line_end(&bytes[at..at + length]);
        if let Err(error) = single.push(line) {
            let found = refused.next().expect("each refused line is told");
            assert_eq!((found.start, found.end), (at, at + line.len()));
            assert_eq!(found.error, error);
        }
        at += length;
    }
    assert_eq!((taken.bytes, refused.next()), (at, None));
    assert_eq!(block.finish(), single.finish());
}

/// Rows, arrays and maps hold what another parser finds in them.
fn json_nested(record: &[u8]) {
    let schema = nested_columns();
    let format = made(&[("format", "json")], &schema);
    let theirs: Option<Value> = serde_json::from_slice(record).ok();
    let (Ok(rows), Some(theirs)) = (decode(&format, &schema, record), theirs) else {
        return;
    };
    assert_eq!(rows.num_rows(), 1, "another parser finds an object");
    let mut out = EncodedRecords::default();
    let encoded = format.encoder(&schema).encode(&rows, &mut out);
    encoded.expect("no column can be other than finite");
    let ours = serde_json::from_slice(out.bytes()).expect("what was written is JSON");
    check_nested(&ours, &theirs);
    check_round_trip(&format, &schema, &rows);
}

/// Compares what was written with what was read: of the fields, those that are columns.
fn check_nested(ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                check_nested(value, theirs.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                check_nested(ours, theirs);
            }
        }
        // A text column takes a number or an object as the text that it is.
        (Value::String(_), _) if !theirs.is_string() => assert!(!theirs.is_null()),
        // A number may be given as text.
        (Value::Number(_), Value::String(_)) => {}
        (Value::Number(ours), Value::Number(theirs)) => {
            assert!(
                theirs
                    .as_i64()
                    .is_none_or(|value| ours.as_i64() == Some(value))
            );
        }
        _ => assert_eq!(ours, theirs),
    }
}

/// Whatever the delimiter and the quotes: framing finds an end, a refused record
/// leaves no trace, and rows survive being written and read.
pub fn csv(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else {
        return;
    };
    let schema = columns();
    let mut options = vec![("format", "csv"), ("csv.null-literal", "\\N")];
    let choice = choice.wrapping_sub(b'0') % 5;
    match choice {
        0 => {}
        1 => options.push(("csv.field-delimiter", ";")),
        2 => options.push(("csv.escape-character", "\\")),
        3 => options.push(("csv.quote-character", "'")),
        _ => options.push(("csv.allow-comments", "true")),
    }
    let format = made(&options, &schema);
    let mut rest = text;
    while let Some(length) = format.framing().unwrap().record_length(rest) {
        assert!(0 < length && length <= rest.len(), "no end was found");
        let (record, behind) = rest.split_at(length);
        rest = behind;
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Ok(rows) = decode(&format, &schema, record) {
            assert!(rows.num_rows() <= 1);
            // A comment cannot be written: a first field that begins like one is
            // read as one.
            if choice < 4 {
                check_round_trip(&format, &schema, &rows);
            }
        }
    }
}

/// A record is a row, which survives being written and read, or is refused without a
/// trace; a schema is taken or refused with a reason.
pub fn avro(bytes: &[u8]) {
    for schema in [columns(), nested_columns()] {
        let format = made(&[("format", "avro")], &schema);
        if let Ok(rows) = decode(&format, &schema, bytes) {
            assert_eq!(rows.num_rows(), 1);
            check_round_trip(&format, &schema, &rows);
        }
    }
    check_schema(bytes, "avro-confluent", "avro-confluent.schema");
}

/// The same of Protobuf. Rows that are written lose what Protobuf has not: an empty
/// array is none, and no element is null.
pub fn protobuf(bytes: &[u8]) {
    let schema = message_columns();
    let options = [
        ("format", "protobuf"),
        ("protobuf.proto-file", proto_file()),
        ("protobuf.message-name", "golden.Every"),
    ];
    let format = made(&options, &schema);
    if let Ok(rows) = decode(&format, &schema, bytes) {
        assert_eq!(rows.num_rows(), 1);
        check_round_trip(&format, &schema, &rows);
    }
    check_schema(bytes, "protobuf-confluent", "protobuf-confluent.schema");
}

/// Any text is a schema of some rows, or there is a reason why it is none.
fn check_schema(bytes: &[u8], name: &str, key: &str) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let url = format!("{name}.url");
    let values = [("format", name), (&url, "http://localhost:1"), (key, text)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let values = values.into_iter().collect();
    let mut options = Options::new(&values);
    let format = format(&mut options, &columns());
    match (format, options.finish()) {
        (Some(format), Ok(())) => drop(format.encoder(&columns())),
        (None, Ok(())) => panic!("a schema was refused without a reason"),
        (_, Err(errors)) => assert!(errors.iter().all(|error| !error.message.is_empty())),
    }
}

/// Columns of a message with some of each kind of field.
fn message_columns() -> SchemaRef {
    let nullable = |name: &str, data_type| Field::new(name, data_type, true);
    let list = |of| DataType::List(Arc::new(nullable("element", of)));
    let inner = || {
        let fields = vec![
            nullable("n", DataType::Int32),
            nullable("s", DataType::Utf8),
        ];
        DataType::Struct(Fields::from(fields))
    };
    let key = Field::new("key", DataType::Utf8, false);
    let pair = Fields::from(vec![key, nullable("value", inner())]);
    let pairs = Field::new("entries", DataType::Struct(pair), false);
    Arc::new(Schema::new(vec![
        nullable("i64", DataType::Int64),
        nullable("s32", DataType::Int16),
        nullable("d", DataType::Float64),
        nullable("s", DataType::Utf8),
        nullable("color", DataType::Utf8),
        nullable("maybe", DataType::Int64),
        nullable("inner", inner()),
        nullable("list", list(DataType::Int64)),
        nullable("inners", list(inner())),
        nullable("map", DataType::Map(Arc::new(pairs), false)),
        nullable("chosen", DataType::Utf8),
        nullable("picked", inner()),
        nullable("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ]))
}

/// The file that declares the message, written once.
fn proto_file() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let text = include_str!("../../src/formats/golden/proto3.proto");
        let name = format!("thalweg-fuzz-{}.proto", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a written file");
        path.to_string_lossy().into_owned()
    })
}

/// A column of each kind that the formats know.
fn columns() -> SchemaRef {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    let types = [
        ("b", DataType::Boolean),
        ("i", DataType::Int64),
        ("x", DataType::Float64),
        ("d", DataType::Decimal128(12, 4)),
        ("s", DataType::Utf8),
        ("y", DataType::Binary),
        ("t", timestamp),
    ];
    let fields = types.map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.to_vec()))
}

/// Columns that are made of others; some of the names are those of [`columns`].
fn nested_columns() -> SchemaRef {
    let nullable = |name: &str, data_type| Field::new(name, data_type, true);
    let list = |of| DataType::List(Arc::new(nullable("element", of)));
    let key = Field::new("key", DataType::Utf8, false);
    let pair = Fields::from(vec![key, nullable("value", list(DataType::Utf8))]);
    let pairs = Field::new("entries", DataType::Struct(pair), false);
    let inner = Fields::from(vec![nullable("i", DataType::Int64)]);
    let row = Fields::from(vec![
        nullable("i", DataType::Int64),
        nullable("s", DataType::Utf8),
        nullable("l", list(DataType::Struct(inner))),
    ]);
    Arc::new(Schema::new(vec![
        nullable("i", DataType::Int64),
        nullable("r", DataType::Struct(row)),
        nullable("l", list(DataType::Int64)),
        nullable("m", DataType::Map(Arc::new(pairs), false)),
    ]))
}

fn made(options: &[(&str, &str)], schema: &SchemaRef) -> FormatRef {
    let values = options
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut options = Options::new(&values);
    let format = format(&mut options, schema);
    options.finish().expect("the options are right");
    format.expect("the format is there")
}

/// The rows of one record. A refused record must leave no trace in the batch.
fn decode(format: &FormatRef, schema: &SchemaRef, record: &[u8]) -> Result<RecordBatch, String> {
    let mut decoder = format.decoder(schema, schema);
    let pushed = decoder.push(record);
    let rows = decoder.num_rows();
    let records = decoder.finish();
    assert_eq!(records.num_rows(), rows);
    match pushed {
        Ok(()) => Ok(records),
        Err(error) => {
            assert_eq!(rows, 0, "a refused record has left a row");
            Err(error.to_string())
        }
    }
}

/// Compares a value with what another parser makes of its text.
fn check_value(rows: &RecordBatch, column: usize, raw: &str) {
    let field = rows.schema_ref().field(column).clone();
    let mut text = Vec::new();
    let is_null = !RowText::new(rows).write(0, column, &mut text);
    let ours = String::from_utf8(text).expect("values are UTF-8");
    assert_eq!(is_null, raw == "null", "{raw} as {field:?}");
    if is_null {
        return;
    }
    let string: Option<String> = serde_json::from_str(raw).ok();
    match field.data_type() {
        DataType::Utf8 => match &string {
            Some(string) => assert_eq!(&ours, string),
            None if raw.starts_with(['{', '[']) => {
                let value = |text| serde_json::from_str::<Value>(text).ok();
                assert_eq!(value(&ours), value(raw));
            }
            None => assert_eq!(ours, raw),
        },
        DataType::Boolean if string.is_none() => assert_eq!(ours, raw),
        DataType::Int64 if string.is_none() => {
            if let Ok(theirs) = raw.parse::<i64>() {
                assert_eq!(ours, theirs.to_string());
            }
        }
        DataType::Float64 if string.is_none() => {
            let theirs: f64 = raw.parse().expect("a number of JSON is one of Rust");
            let ours: f64 = ours.parse().expect("a number as text");
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{raw}");
        }
        _ => {}
    }
}

/// Writes rows and reads them again.
fn check_round_trip(format: &FormatRef, schema: &SchemaRef, rows: &RecordBatch) {
    let mut out = EncodedRecords::default();
    if format.encoder(schema).encode(rows, &mut out).is_err() {
        return;
    }
    assert_eq!(out.len(), rows.num_rows());
    if let [record] = out.iter().collect::<Vec<_>>().as_slice() {
        let again = decode(format, schema, record);
        let written = String::from_utf8_lossy(record);
        let again = again.unwrap_or_else(|reason| panic!("{written} is refused: {reason}"));
        assert_eq!(&again, rows, "{written}");
    }
}
