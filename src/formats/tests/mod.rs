//! What every format must do, as tables of records and rows, and the properties
//! that hold for all of them. They know only the traits.

use std::sync::Arc;

use arrow::array::{ArrayRef, DurationSecondArray, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use indexmap::IndexMap;

use super::*;

mod changes;
mod decode_csv;
mod decode_json;
mod decode_nested;
mod round_trip;

const MS: TimeUnit = TimeUnit::Millisecond;
const US: TimeUnit = TimeUnit::Microsecond;
const NS: TimeUnit = TimeUnit::Nanosecond;

fn given(options: &[(&str, &str)]) -> IndexMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    options.iter().map(owned).collect()
}

fn made(options: &[(&str, &str)], schema: &SchemaRef) -> Result<FormatRef, Vec<OptionError>> {
    let values = given(options);
    let mut options = Options::new(&values);
    let format = format(&mut options, schema);
    options.finish()?;
    Ok(format.unwrap())
}

fn columns(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let field = |(name, data_type, nullable): &(&str, DataType, bool)| {
        Field::new(*name, data_type.clone(), *nullable)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn shown(records: &RecordBatch) -> Vec<String> {
    let text = RowText::new(records);
    (0..records.num_rows())
        .map(|row| {
            let cell = |column| {
                let mut out = Vec::new();
                if text.write(row, column, &mut out) {
                    String::from_utf8(out).unwrap()
                } else {
                    "NULL".to_owned()
                }
            };
            (0..text.num_columns())
                .map(cell)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect()
}

/// A format's options, a record, and the rows or the reason that it gives.
type RecordCase<'a> = (&'a [(&'a str, &'a str)], &'a [u8], Result<&'a str, &'a str>);

fn check_records(name: &str, schema: &SchemaRef, cases: &[RecordCase]) {
    for (options, record, expected) in cases {
        let options = [&[("format", name)], *options].concat();
        let mut decoder = made(&options, schema).unwrap().decoder(schema, schema);
        let pushed = decoder.push(record).map_err(|error| error.0);
        let found = pushed.map(|()| shown(&decoder.finish()).join(" "));
        let record = String::from_utf8_lossy(record.get(..80).unwrap_or(record));
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            *expected,
            "{options:?} {record}"
        );
    }
}

/// What a record with the value `text` for a column `v` of a type gives.
fn decoded(
    options: &[(&str, &str)],
    data_type: &DataType,
    record: &[u8],
) -> Result<String, String> {
    let schema = columns(&[("v", data_type.clone(), true)]);
    let mut decoder = made(options, &schema).unwrap().decoder(&schema, &schema);
    let pushed = decoder.push(record);
    let rows = decoder.num_rows();
    let batch = decoder.finish();
    assert_eq!(batch.num_rows(), rows);
    match pushed {
        Ok(()) => Ok(shown(&batch).join(" ")),
        Err(error) => {
            assert_eq!(rows, 0, "a refused record has left a row");
            Err(error.0)
        }
    }
}

#[test]
fn rows_are_written_in_flinks_forms() {
    let schema = columns(&[
        ("flag", DataType::Boolean, true),
        ("n", DataType::Int64, true),
        ("x", DataType::Float64, true),
        ("d", DataType::Decimal128(12, 9), true),
        ("s", DataType::Utf8, true),
        ("b", DataType::Binary, true),
        ("day", DataType::Date32, true),
        ("t", DataType::Time32(MS), true),
        ("at", DataType::Timestamp(MS, None), true),
    ]);
    let record = br#"{"flag":true,"n":-7,"x":1.5,"d":0.000000027,"s":"a \"b\", c","b":"aGk=",
        "day":"2020-01-31","t":"12:00:00","at":"2020-01-01T00:00:00.120"}"#;
    let reads = [
        ("format", "json"),
        ("json.timestamp-format.standard", "ISO-8601"),
    ];
    let mut decoder = made(&reads, &schema).unwrap().decoder(&schema, &schema);
    decoder.push(record).unwrap();
    decoder.push(b"{}").unwrap();
    let rows = decoder.finish();
    let json = r#"{"flag":true,"n":-7,"x":1.5,"d":2.7E-8,"s":"a \"b\", c","b":"aGk=","day":"2020-01-31","t":"12:00:00","at":"2020-01-01 00:00:00.12"}"#;
    let nulls = r#"{"flag":null,"n":null,"x":null,"d":null,"s":null,"b":null,"day":null,"t":null,"at":null}"#;
    let csv = r#"true,-7,1.5,2.7E-8,"a ""b"", c",aGk=,2020-01-31,12:00:00,2020-01-01 00:00:00.12"#;
    for (options, expected) in [
        (&[("format", "json")][..], [json.to_owned(), nulls.to_owned()]),
        (
            &[("format", "json"), ("json.encode.ignore-null-fields", "true"), ("json.encode.decimal-as-plain-number", "true")],
            [json.replace("2.7E-8", "0.000000027"), "{}".to_owned()],
        ),
        (
            &[("format", "json"), ("json.timestamp-format.standard", "ISO-8601")],
            [json.replace("01 00:", "01T00:"), nulls.to_owned()],
        ),
        (&[("format", "csv")], [csv.to_owned(), ",,,,,,,,".to_owned()]),
        (
            &[("format", "csv"), ("csv.null-literal", "NULL"), ("csv.field-delimiter", "|")],
            [
                r#"true|-7|1.5|2.7E-8|"a ""b"", c"|aGk=|2020-01-31|12:00:00|2020-01-01 00:00:00.12"#.to_owned(),
                ["NULL"; 9].join("|"),
            ],
        ),
        (
            &[("format", "csv"), ("csv.escape-character", "\\"), ("csv.write-bigdecimal-in-scientific-notation", "false")],
            [csv.replace("\"\"", "\\\"").replace("2.7E-8", "0.000000027"), ",,,,,,,,".to_owned()],
        ),
    ] {
        let mut encoder = made(options, &schema).unwrap().encoder(&schema);
        let mut out = EncodedRecords::default();
        encoder.encode(&rows, &mut out).unwrap();
        let text = |record: &[u8]| String::from_utf8(record.to_vec()).unwrap();
        let found: Vec<_> = out.iter().map(text).collect();
        assert_eq!(found, expected, "{options:?}");
    }
}

#[test]
fn a_row_of_any_type_can_be_shown() {
    let intervals: ArrayRef = Arc::new(DurationSecondArray::from(vec![90]));
    let names: ArrayRef = Arc::new(StringViewArray::from(vec!["a \"b\""]));
    let rows = RecordBatch::try_from_iter([("i", intervals), ("n", names)]).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&row_to_json(&rows, 0)).unwrap();
    assert_eq!(json["n"], "a \"b\"");
    assert!(json["i"].is_string(), "{json}");
    let errors = made(&[("format", "json")], &rows.schema()).err().unwrap();
    assert_eq!(
        errors.len(),
        2,
        "a table may not have such columns: {errors:?}"
    );
}

#[test]
fn raw_records() {
    for (data_type, record, expected) in [
        (DataType::Utf8, &b"any \"text\""[..], Ok("any \"text\"")),
        (DataType::Utf8, b"", Ok("")),
        (
            DataType::Utf8,
            b"x\xff",
            Err("column 'v': is not UTF-8 from byte 1"),
        ),
        (DataType::Binary, b"hi", Ok("aGk=")),
        (DataType::Binary, b"\xff", Ok("/w==")),
    ] {
        let found = decoded(&[("format", "raw")], &data_type, record);
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }
}

#[test]
fn wrong_options_are_named() {
    let schema = columns(&[("a", DataType::Int32, true)]);
    for (options, expected) in [
        (&[][..], "option 'format' is required"),
        (
            &[("format", "jsn")],
            "option 'format': unknown format 'jsn'; did you mean 'json'?",
        ),
        (
            &[("format", "parquet")],
            "option 'format': unknown format 'parquet'; there are 'json', 'csv', 'raw', 'avro', 'protobuf', 'avro-confluent', 'protobuf-confluent', 'json-registry', 'debezium-json'",
        ),
        (
            &[("format", "json"), ("json.ignore-parse-errors", "true")],
            "option 'json.ignore-parse-errors': leave it out: a record that does not parse goes to the dead letters and the pipeline goes on",
        ),
        (
            &[
                ("format", "json"),
                ("json.timestamp-format.standard", "RFC"),
            ],
            "option 'json.timestamp-format.standard': 'RFC' is none of 'SQL', 'ISO-8601'",
        ),
        (
            &[("format", "json"), ("csv.null-literal", "x")],
            "unknown option 'csv.null-literal'",
        ),
        (
            &[("format", "csv"), ("csv.field-delimiter", ",,")],
            "option 'csv.field-delimiter': ',,' is not one ASCII character",
        ),
        (
            &[("format", "csv"), ("csv.field-delimiter", "\"")],
            "option 'csv.field-delimiter': is the quote character too",
        ),
        (
            &[("format", "csv"), ("csv.null-litera", "x")],
            "unknown option 'csv.null-litera'; did you mean 'csv.null-literal'?",
        ),
        (
            &[("format", "raw")],
            "option 'format': 'raw' needs a table with exactly one physical column of type STRING or BYTES",
        ),
    ] {
        let errors = made(options, &schema).err().unwrap();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(messages, [expected], "{options:?}");
    }
    for name in OF_LINES {
        let line = columns(&[("v", DataType::Utf8, true)]);
        let format = made(&[("format", name)], &line).unwrap();
        assert!(format.framing().is_some(), "{name}");
    }
    for name in NAMES {
        let documented: Vec<_> = docs(name).iter().map(|doc| doc.key).collect();
        let values = given(&[("format", name)]);
        let mut options = Options::new(&values);
        format(&mut options, &columns(&[("v", DataType::Utf8, true)]));
        for key in documented {
            assert!(
                options.known().contains(key),
                "{key} is documented but not read"
            );
        }
    }
}
