//! JSON objects and arrays as `ROW`, `ARRAY` and `MAP` columns, and back.

use arrow::array::Array;
use arrow::datatypes::Fields;

use super::*;

fn row(fields: &[(&str, DataType, bool)]) -> DataType {
    DataType::Struct(columns(fields).fields().clone())
}

fn array(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, true)))
}

fn map(value: DataType) -> DataType {
    let key = Field::new("key", DataType::Utf8, false);
    let fields = Fields::from(vec![key, Field::new("value", value, true)]);
    let entries = Field::new("entries", DataType::Struct(fields), false);
    DataType::Map(Arc::new(entries), false)
}

/// Decodes values of a column `v`, and writes what was taken as JSON again.
fn check_nested(data_type: &DataType, cases: &[(&str, Result<&str, &str>)]) {
    let schema = columns(&[("v", data_type.clone(), true)]);
    let format = made(&[("format", "json")], &schema).unwrap();
    for (value, expected) in cases {
        let mut decoder = format.decoder(&schema, &schema);
        // What stands around it must not matter.
        decoder.push(b"{}").unwrap();
        let pushed = decoder.push(format!("{{\"v\":{value}}}").as_bytes());
        decoder.push(b"{\"v\":null}").unwrap();
        let rows = decoder.finish();
        assert_eq!(rows.num_rows(), if pushed.is_ok() { 3 } else { 2 });
        let mut out = EncodedRecords::default();
        let mut encoder = format.encoder(&schema);
        encoder.encode(&rows, &mut out).unwrap();
        let text = |record| std::str::from_utf8(record).unwrap();
        let records: Vec<_> = out.iter().map(text).collect();
        let found = match &pushed {
            Ok(()) => Ok(&records[1][5..records[1].len() - 1]),
            Err(error) => Err(error.0.as_str()),
        };
        assert_eq!(found, *expected, "{value}");
        assert_eq!(records[0], "{\"v\":null}");
        assert_eq!(records.last(), Some(&"{\"v\":null}"));
        assert!(rows.column(0).is_null(0));
    }
}

#[test]
fn rows() {
    let data_type = row(&[
        ("a", DataType::Int64, false),
        ("b", DataType::Utf8, true),
        ("r", row(&[("x", DataType::Float64, true)]), true),
    ]);
    check_nested(
        &data_type,
        &[
            (
                r#"{"a":1,"b":"x","r":{"x":0.5}}"#,
                Ok(r#"{"a":1,"b":"x","r":{"x":0.5}}"#),
            ),
            (
                r#"{ "r" : { } , "z" : [ {} ] , "a" : 2 }"#,
                Ok(r#"{"a":2,"b":null,"r":{"x":null}}"#),
            ),
            (
                r#"{"a":"bad","a":3,"r":null,"r":{"x":1,"x":2}}"#,
                Ok(r#"{"a":3,"b":null,"r":{"x":2.0}}"#),
            ),
            (
                r#"{"a":4,"b":[1, 2]}"#,
                Ok(r#"{"a":4,"b":"[1,2]","r":null}"#),
            ),
            ("null", Ok("null")),
            (
                "{}",
                Err("column 'v.a': is NOT NULL but the record has no value for it"),
            ),
            (
                r#"{"a":1,"r":{"x":"y"}}"#,
                Err("column 'v.r.x': 'y' is not a value of DOUBLE"),
            ),
            (
                "[1]",
                Err("column 'v': '[1]' is not a value of ROW<a BIGINT, b STRING, r ROW<x DOUBLE>>"),
            ),
            (
                "\"text\"",
                Err(
                    "column 'v': 'text' is not a value of ROW<a BIGINT, b STRING, r ROW<x DOUBLE>>",
                ),
            ),
            (
                r#"{"a":1,}"#,
                Err("is not JSON: expected the name of a field in double quotes at byte 12"),
            ),
        ],
    );
}

#[test]
fn arrays_and_maps() {
    check_nested(
        &array(DataType::Int32),
        &[
            ("[]", Ok("[]")),
            ("[ 1 , null , \"3\" ]", Ok("[1,null,3]")),
            ("[1,2.5]", Err("column 'v[]': '2.5' is not a whole number")),
            ("{}", Err("column 'v': '{}' is not a value of ARRAY<INT>")),
            (
                "[1 2]",
                Err("is not JSON: expected ',' or ']' behind an element at byte 8"),
            ),
        ],
    );
    check_nested(
        &map(array(DataType::Utf8)),
        &[
            ("{}", Ok("{}")),
            (
                r#"{"x" : ["a", true], "\u0079\"" : null}"#,
                Ok(r#"{"x":["a","true"],"y\"":null}"#),
            ),
            (
                r#"{"x":["old"],"y":[],"\u0078":["new"]}"#,
                Ok(r#"{"x":["new"],"y":[]}"#),
            ),
            (
                "7",
                Err("column 'v': '7' is not a value of MAP<STRING, ARRAY<STRING>>"),
            ),
            (
                r#"{"x":{}}"#,
                Err("column 'v[]': '{}' is not a value of ARRAY<STRING>"),
            ),
        ],
    );
    check_nested(
        &array(row(&[("t", DataType::Timestamp(MS, None), false)])),
        &[
            (
                r#"[{"t":"2020-01-01 12:00:00.123"},null,{"t":"2020-01-01 12:00:00"}]"#,
                Ok(r#"[{"t":"2020-01-01 12:00:00.123"},null,{"t":"2020-01-01 12:00:00"}]"#),
            ),
            (
                "[{}]",
                Err("column 'v[].t': is NOT NULL but the record has no value for it"),
            ),
        ],
    );
}

#[test]
fn nesting_has_a_limit() {
    let mut data_type = DataType::Int32;
    for _ in 0..70 {
        data_type = array(data_type);
    }
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let at_limit = nested(63);
    check_nested(
        &data_type,
        &[
            (&at_limit, Ok(&at_limit)),
            (
                &nested(64),
                Err("is not JSON: the value is nested too deeply at byte 68"),
            ),
        ],
    );
}

#[test]
fn a_field_that_is_missing_inside_a_row_counts_as_missing() {
    let schema = columns(&[("v", row(&[("a", DataType::Int32, true)]), true)]);
    let strict = ("json.fail-on-missing-field", "true");
    let format = made(&[("format", "json"), strict], &schema).unwrap();
    let mut decoder = format.decoder(&schema, &schema);
    assert_eq!(
        decoder.push(b"{\"v\":{}}").unwrap_err().0,
        "column 'v.a': the record has no such field"
    );
    assert_eq!(decoder.push(b"{\"v\":null}"), Ok(()));
    assert_eq!(decoder.push(b"{\"v\":{\"a\":null}}"), Ok(()));
}

#[test]
fn what_is_no_number_in_json_is_named_with_its_path() {
    let inner = row(&[("x", map(DataType::Float64), true)]);
    let schema = columns(&[("v", array(inner), true)]);
    let format = made(&[("format", "json")], &schema).unwrap();
    let mut decoder = format.decoder(&schema, &schema);
    decoder.push(br#"{"v":[{"x":{"k":"NaN"}}]}"#).unwrap();
    let rows = decoder.finish();
    let mut out = EncodedRecords::default();
    let error = format.encoder(&schema).encode(&rows, &mut out);
    assert_eq!(
        error.unwrap_err().0,
        "column 'v[].x[]': NaN is not a number in JSON"
    );
    assert!(out.is_empty() && out.bytes().is_empty());
    assert_eq!(row_to_json(&rows, 0), br#"{"v":[{"x":{"k":"NaN"}}]}"#);
}

#[test]
fn other_formats_take_no_nested_columns() {
    let schema = columns(&[("v", array(DataType::Int32), true)]);
    let errors = made(&[("format", "csv")], &schema).err().unwrap();
    assert_eq!(
        errors[0].message,
        "column 'v' has type ARRAY<INT>, which the format cannot read or write"
    );
}
