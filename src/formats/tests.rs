//! What every format must do, as tables of records and rows, and the properties
//! that hold for all of them. They know only the traits.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;

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
                match text.write(row, column, &mut out) {
                    true => String::from_utf8(out).unwrap(),
                    false => "NULL".to_owned(),
                }
            };
            (0..text.num_columns())
                .map(cell)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect()
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

fn check_json(data_type: &DataType, cases: &[(&str, Result<&str, &str>)]) {
    for (value, expected) in cases {
        let found = decoded(
            &[("format", "json")],
            data_type,
            format!("{{\"v\": {value}}}").as_bytes(),
        );
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            *expected,
            "{value} as {data_type}"
        );
    }
}

#[test]
fn json_values_of_each_type() {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Time32,
        Time64, Timestamp, Utf8,
    };
    check_json(
        &Boolean,
        &[
            ("true", Ok("true")),
            ("false", Ok("false")),
            ("\"true\"", Ok("true")),
            ("\"FALSE\"", Ok("false")),
            ("null", Ok("NULL")),
            ("1", Err("column 'v': '1' is not a value of BOOLEAN")),
            (
                "\"yes\"",
                Err("column 'v': 'yes' is not a value of BOOLEAN"),
            ),
            ("{}", Err("column 'v': '{}' is not a value of BOOLEAN")),
        ],
    );
    check_json(
        &Int8,
        &[
            ("127", Ok("127")),
            ("-128", Ok("-128")),
            (
                "128",
                Err("column 'v': '128' is outside the range of TINYINT"),
            ),
            (
                "-129",
                Err("column 'v': '-129' is outside the range of TINYINT"),
            ),
        ],
    );
    check_json(
        &Int16,
        &[
            ("32767", Ok("32767")),
            (
                "32768",
                Err("column 'v': '32768' is outside the range of SMALLINT"),
            ),
        ],
    );
    check_json(
        &Int32,
        &[
            ("0", Ok("0")),
            ("-0", Ok("0")),
            ("2147483647", Ok("2147483647")),
            (
                "2147483648",
                Err("column 'v': '2147483648' is outside the range of INT"),
            ),
            ("1.0", Ok("1")),
            ("1e3", Ok("1000")),
            ("1.5", Err("column 'v': '1.5' is not a whole number")),
            ("1.01", Err("column 'v': '1.01' is not a whole number")),
            ("1e-1", Err("column 'v': '1e-1' is not a whole number")),
            (
                "1e99",
                Err("column 'v': '1e99' is outside the range of INT"),
            ),
            ("\" 7 \"", Ok("7")),
            ("\"x\"", Err("column 'v': 'x' is not a value of INT")),
            ("\"\"", Err("column 'v': '' is not a value of INT")),
            ("true", Err("column 'v': 'true' is not a value of INT")),
            ("[1]", Err("column 'v': '[1]' is not a value of INT")),
        ],
    );
    check_json(
        &Int64,
        &[
            ("9223372036854775807", Ok("9223372036854775807")),
            ("-9223372036854775808", Ok("-9223372036854775808")),
            (
                "9223372036854775808",
                Err("column 'v': '9223372036854775808' is outside the range of BIGINT"),
            ),
            ("9007199254740993", Ok("9007199254740993")),
        ],
    );
    check_json(
        &Float32,
        &[
            ("0.1", Ok("0.1")),
            ("1", Ok("1.0")),
            (
                "1e39",
                Err("column 'v': '1e39' is outside the range of FLOAT"),
            ),
            ("\"NaN\"", Ok("NaN")),
        ],
    );
    check_json(
        &Float64,
        &[
            ("0.1", Ok("0.1")),
            ("-1.5e300", Ok("-1.5e+300")),
            (
                "1e999",
                Err("column 'v': '1e999' is outside the range of DOUBLE"),
            ),
            ("\"-Infinity\"", Ok("-Infinity")),
            ("\"inf\"", Err("column 'v': 'inf' is not a value of DOUBLE")),
            ("\"1.5\"", Ok("1.5")),
            ("false", Err("column 'v': 'false' is not a value of DOUBLE")),
        ],
    );
    check_json(
        &Decimal128(10, 2),
        &[
            ("1", Ok("1.00")),
            ("1.005", Ok("1.01")),
            ("-1.005", Ok("-1.01")),
            ("12345678.99", Ok("12345678.99")),
            ("0.1e1", Ok("1.00")),
            ("\"2.5\"", Ok("2.50")),
            (
                "123456789.00",
                Err("column 'v': '123456789.00' does not fit into DECIMAL(10, 2)"),
            ),
            (
                "\"two\"",
                Err("column 'v': 'two' is not a value of DECIMAL(10, 2)"),
            ),
        ],
    );
    check_json(
        &Decimal128(38, 18),
        &[(
            "12345678901234567890.123456789012345678",
            Ok("12345678901234567890.123456789012345678"),
        )],
    );
    check_json(
        &Utf8,
        &[
            ("\"\"", Ok("")),
            (
                "\"a\\n\\u00e9\\ud83d\\ude00\\\"\\\\\\/\"",
                Ok("a\né😀\"\\/"),
            ),
            ("\"größe\"", Ok("größe")),
            ("1.50", Ok("1.50")),
            ("true", Ok("true")),
            ("null", Ok("NULL")),
            ("{\"a\" : [1, 2 , \"x y\"]}", Ok("{\"a\":[1,2,\"x y\"]}")),
            ("[ \"a\\\" ]\" , {} ]", Ok("[\"a\\\" ]\",{}]")),
        ],
    );
    check_json(
        &Binary,
        &[
            ("\"aGk=\"", Ok("aGk=")),
            ("\"\"", Ok("")),
            ("1", Err("column 'v': '1' is not a value of BYTES")),
        ],
    );
    check_json(
        &Date32,
        &[
            ("\"2020-02-29\"", Ok("2020-02-29")),
            ("\"0001-01-01\"", Ok("0001-01-01")),
            (
                "\"2021-02-29\"",
                Err(
                    "column 'v': '2021-02-29' is not a value of DATE; expected the form '2020-01-31'",
                ),
            ),
            ("18321", Err("column 'v': '18321' is not a value of DATE")),
        ],
    );
    check_json(
        &Time32(TimeUnit::Second),
        &[("\"12:00:01.9\"", Ok("12:00:01"))],
    );
    check_json(
        &Time32(MS),
        &[
            ("\"23:59:59.999\"", Ok("23:59:59.999")),
            (
                "\"24:00:00\"",
                Err(
                    "column 'v': '24:00:00' is not a value of TIME(3); expected the form '12:00:00.123'",
                ),
            ),
        ],
    );
    check_json(
        &Time64(NS),
        &[("\"00:00:00.000000001\"", Ok("00:00:00.000000001"))],
    );
    check_json(
        &Timestamp(MS, None),
        &[
            ("\"2020-01-01 12:00:00.123\"", Ok("2020-01-01 12:00:00.123")),
            ("\"2020-01-01 12:00:00\"", Ok("2020-01-01 12:00:00")),
            ("\"1969-12-31 23:59:59.5\"", Ok("1969-12-31 23:59:59.5")),
            (
                "\"2020-01-01T12:00:00\"",
                Err(
                    "column 'v': '2020-01-01T12:00:00' is not a value of TIMESTAMP(3); expected the form '2020-01-01 12:00:00.123'",
                ),
            ),
            (
                "1577880000",
                Err("column 'v': '1577880000' is not a value of TIMESTAMP(3)"),
            ),
        ],
    );
    check_json(
        &Timestamp(US, None),
        &[(
            "\"2020-01-01 12:00:00.123456\"",
            Ok("2020-01-01 12:00:00.123456"),
        )],
    );
    check_json(
        &Timestamp(NS, None),
        &[
            (
                "\"2020-01-01 12:00:00.123456789\"",
                Ok("2020-01-01 12:00:00.123456789"),
            ),
            (
                "\"2400-01-01 00:00:00\"",
                Err(
                    "column 'v': '2400-01-01 00:00:00' is not a value of TIMESTAMP(9); expected the form '2020-01-01 12:00:00.123'",
                ),
            ),
        ],
    );
}

#[test]
fn json_records() {
    let schema = columns(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    let deep = format!("{{\"a\":1,\"c\":{}1{}}}", "[".repeat(63), "]".repeat(63));
    let too_deep = format!("{{\"a\":1,\"c\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let long_number = format!("{{\"a\":1,\"c\":{}}}", "1".repeat(513));
    let long_record = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(1 << 20));
    for (options, record, expected) in [
        (&[][..], &br#"{"a":1,"b":"x"}"#[..], Ok("1|x")),
        (&[], br#"{"b":"x","a":1}"#, Ok("1|x")),
        (&[], b" { \"a\" : 1 } \r", Ok("1|NULL")),
        (&[], br#"{"a":1,"a":2}"#, Ok("2|NULL")),
        (&[], br#"{"a":"bad","a":2}"#, Ok("2|NULL")),
        (&[], br#"{"\u0061":5}"#, Ok("5|NULL")),
        (&[], br#"{"a":1,"z":{"a":2,"b":[{}]}}"#, Ok("1|NULL")),
        (
            &[],
            br#"{"A":1}"#,
            Err("column 'a': is NOT NULL but the record has no value for it"),
        ),
        (
            &[],
            br#"{"a":null}"#,
            Err("column 'a': is NOT NULL but the record has no value for it"),
        ),
        (
            &[("json.fail-on-missing-field", "true")],
            br#"{"a":1}"#,
            Err("column 'b': the record has no such field"),
        ),
        (
            &[("json.fail-on-missing-field", "true")],
            br#"{"a":1,"b":null}"#,
            Ok("1|NULL"),
        ),
        (&[], b"", Ok("")),
        (&[], b"  ", Ok("")),
        (
            &[],
            b"null",
            Err("is not JSON: expected an object at byte 0"),
        ),
        (
            &[],
            b"[1]",
            Err("is not JSON: expected an object at byte 0"),
        ),
        (
            &[],
            br#"{"a":1"#,
            Err("is not JSON: expected ',' or '}' behind a field at byte 6"),
        ),
        (
            &[],
            br#"{"a":1} x"#,
            Err("is not JSON: expected the end of the record behind the object at byte 8"),
        ),
        (
            &[],
            br#"{"a":01}"#,
            Err("is not JSON: expected ',' or '}' behind a field at byte 6"),
        ),
        (
            &[],
            br#"{"a":.5}"#,
            Err("is not JSON: expected a value at byte 5"),
        ),
        (
            &[],
            br#"{"a":1,}"#,
            Err("is not JSON: expected the name of a field in double quotes at byte 7"),
        ),
        (
            &[],
            br#"{a:1}"#,
            Err("is not JSON: expected the name of a field in double quotes at byte 1"),
        ),
        (
            &[],
            br#"{"a":1,"b":"x"#,
            Err("is not JSON: the string has no end at byte 11"),
        ),
        (
            &[],
            br#"{"a":1,"b":"\q"}"#,
            Err("is not JSON: invalid escape in a string at byte 12"),
        ),
        (
            &[],
            br#"{"a":1,"b":"\ud800"}"#,
            Err("is not JSON: invalid escape in a string at byte 12"),
        ),
        (
            &[],
            br#"{"a":NaN}"#,
            Err("is not JSON: expected a value at byte 5"),
        ),
        (
            &[],
            b"{\"a\":1,\"b\":\"\t\"}",
            Err("is not JSON: a control character in a string must be escaped at byte 12"),
        ),
        (
            &[],
            b"{\"a\":1,\"b\":\"x\xff\"}",
            Err("column 'b': is not UTF-8 at byte 13 of the record"),
        ),
        (
            &[],
            b"{\"a\":1,\"c\":\"x\xff\"}",
            Err("is not UTF-8 at byte 13 of the record"),
        ),
        (&[], deep.as_bytes(), Ok("1|NULL")),
        (
            &[],
            too_deep.as_bytes(),
            Err("is not JSON: the value is nested too deeply at byte 74"),
        ),
        (
            &[],
            long_number.as_bytes(),
            Err("is not JSON: the number is too long at byte 11"),
        ),
        (
            &[],
            long_record.as_bytes(),
            Err("the record has 1048590 bytes; at most 1048576 are taken"),
        ),
    ] {
        let options = [&[("format", "json")], options].concat();
        let mut decoder = made(&options, &schema).unwrap().decoder(&schema, &schema);
        let found = decoder
            .push(record)
            .map(|()| shown(&decoder.finish()).join(" "));
        let found = found.map_err(|error| error.0);
        let record = String::from_utf8_lossy(record.get(..80).unwrap_or(record));
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{record}"
        );
    }
}

#[test]
fn csv_records() {
    let schema = columns(&[
        ("id", DataType::Int32, true),
        ("name", DataType::Utf8, true),
        ("price", DataType::Decimal128(6, 2), true),
        ("at", DataType::Timestamp(MS, None), true),
    ]);
    for (options, record, expected) in [
        (
            &[][..],
            &b"1,a,2.5,2020-01-01 00:00:00"[..],
            Ok("1|a|2.50|2020-01-01 00:00:00"),
        ),
        (&[], b"1,\"a,\"\"b\"\"\",2.5,", Ok("1|a,\"b\"|2.50|NULL")),
        (&[], b"1,\"a\nb\",2.5,", Ok("1|a\nb|2.50|NULL")),
        (&[], b",,,", Ok("NULL||NULL|NULL")),
        (&[], b" 1 , a ,2.5,", Ok("1| a |2.50|NULL")),
        (&[], b"1,a\rb,2.5,", Ok("1|a\rb|2.50|NULL")),
        (&[], b"1,5\" pipe,2.5,", Ok("1|5\" pipe|2.50|NULL")),
        (&[], b"", Ok("")),
        (
            &[],
            b"#1,a,2.5,",
            Err("column 'id': '#1' is not a value of INT"),
        ),
        (&[("csv.allow-comments", "true")], b"#1,a,2.5,", Ok("")),
        (
            &[("csv.null-literal", "n/a")],
            b"n/a,n/a,n/a,n/a",
            Ok("NULL|NULL|NULL|NULL"),
        ),
        (
            &[("csv.field-delimiter", ";")],
            b"1;a,b;2.5;",
            Ok("1|a,b|2.50|NULL"),
        ),
        (
            &[("csv.field-delimiter", "\\t")],
            b"1\ta\t2.5\t",
            Ok("1|a|2.50|NULL"),
        ),
        (
            &[("csv.quote-character", "'")],
            b"1,'a,b',2.5,",
            Ok("1|a,b|2.50|NULL"),
        ),
        (
            &[("csv.disable-quote-character", "true")],
            b"1,\"a\",2.5,",
            Ok("1|\"a\"|2.50|NULL"),
        ),
        (
            &[("csv.escape-character", "\\")],
            b"1,\"a\\\"b\",2.5,",
            Ok("1|a\"b|2.50|NULL"),
        ),
        (
            &[],
            b"1,a,2.5",
            Err("has 3 fields where the table has 4 columns"),
        ),
        (
            &[],
            b"1,a,2.5,,",
            Err("has 5 fields where the table has 4 columns"),
        ),
        (
            &[],
            b"x,a,2.5,",
            Err("column 'id': 'x' is not a value of INT"),
        ),
        (&[], b"1,\"a,2.5,", Err("a quoted field has no end")),
        (
            &[],
            b"1,a\xff,2.5,",
            Err("column 'name': is not UTF-8 from byte 1 of the field"),
        ),
        (
            &[],
            b"1,a,12345.678,",
            Err("column 'price': '12345.678' does not fit into DECIMAL(6, 2)"),
        ),
        (
            &[],
            b"1,a,1,2020",
            Err(
                "column 'at': '2020' is not a value of TIMESTAMP(3); expected the form '2020-01-01 12:00:00.123'",
            ),
        ),
    ] {
        let options = [&[("format", "csv")], options].concat();
        let mut decoder = made(&options, &schema).unwrap().decoder(&schema, &schema);
        let found = decoder
            .push(record)
            .map(|()| shown(&decoder.finish()).join(" "));
        let found = found.map_err(|error| error.0);
        let record = String::from_utf8_lossy(record);
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{record}"
        );
    }
}

#[test]
fn only_the_columns_that_are_read_are_converted() {
    let table = columns(&[
        ("a", DataType::Int32, true),
        ("b", DataType::Int32, true),
        ("c", DataType::Utf8, true),
    ]);
    let read = columns(&[("c", DataType::Utf8, true), ("a", DataType::Int32, true)]);
    let nothing = columns(&[]);
    for (name, record) in [
        ("json", r#"{"a":1,"b":"no number","c":"x"}"#),
        ("csv", "1,no number,x"),
    ] {
        let format = made(&[("format", name)], &table).unwrap();
        let mut decoder = format.decoder(&table, &read);
        decoder.push(record.as_bytes()).unwrap();
        assert_eq!(shown(&decoder.finish()), ["x|1"]);
        let mut counter = format.decoder(&table, &nothing);
        counter.push(record.as_bytes()).unwrap();
        counter.push(record.as_bytes()).unwrap();
        assert_eq!(counter.finish().num_rows(), 2);
    }
}

#[test]
fn a_refused_record_leaves_no_trace() {
    let schema = columns(&[
        ("a", DataType::Utf8, true),
        ("b", DataType::Binary, true),
        ("c", DataType::Boolean, true),
        ("d", DataType::Int32, false),
    ]);
    let mut decoder = made(&[("format", "json")], &schema)
        .unwrap()
        .decoder(&schema, &schema);
    let good = br#"{"a":"x","b":"aGk=","c":true,"d":1}"#;
    let bad = br#"{"a":"long text","b":"aGVsbG8=","c":null,"d":"bad"}"#;
    for record in [&bad[..], good, bad, bad, good, bad] {
        let _refused = decoder.push(record);
    }
    assert_eq!(shown(&decoder.finish()), ["x|aGk=|true|1", "x|aGk=|true|1"]);
    decoder.push(bad).unwrap_err();
    assert_eq!(decoder.finish().num_rows(), 0);
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
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        encoder.encode(&rows, &mut out, &mut ends).unwrap();
        let (first, second) = out.split_at(ends[0]);
        let found = [first, second].map(|record| String::from_utf8(record.to_vec()).unwrap());
        assert_eq!(found, expected, "{options:?}");
    }
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
            "option 'format': unknown format 'parquet'; there are 'json', 'csv', 'raw'",
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

/// Rows of every type as JSON text, with all that is special in text.
fn any_row() -> impl Strategy<Value = String> {
    let text = proptest::option::of("(\\PC|[\"',;\\\\#\n\r\t ]){0,12}");
    (
        any::<Option<bool>>(),
        any::<Option<i32>>(),
        proptest::option::of(any::<f64>().prop_filter("finite", |x| x.is_finite())),
        proptest::option::of(-999_999_999_999_i64..=999_999_999_999),
        text,
        proptest::option::of(-62_135_596_800_000_i64..253_402_300_800_000),
    )
        .prop_map(|(flag, n, x, d, s, at)| {
            let mut row = String::from("{");
            let mut field = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    let comma = if row.len() > 1 { "," } else { "" };
                    write!(row, "{comma}\"{name}\":{value}").unwrap();
                }
            };
            field("flag", flag.map(|flag| flag.to_string()));
            field("n", n.map(|n| n.to_string()));
            field("x", x.map(|x| serde_json::to_string(&x).unwrap()));
            field("d", d.map(|d| format!("{d}e-4")));
            field("s", s.map(|s| serde_json::to_string(&s).unwrap()));
            field(
                "at",
                at.map(|at| {
                    let mut text = Vec::new();
                    datetime::write_timestamp(at, MS, datetime::TimestampForm::Sql, &mut text);
                    format!("\"{}\"", String::from_utf8(text).unwrap())
                }),
            );
            row + "}"
        })
}

fn round_trip_schema() -> SchemaRef {
    columns(&[
        ("flag", DataType::Boolean, true),
        ("n", DataType::Int32, true),
        ("x", DataType::Float64, true),
        ("d", DataType::Decimal128(12, 4), true),
        ("s", DataType::Utf8, true),
        ("at", DataType::Timestamp(MS, None), true),
    ])
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(rows in proptest::collection::vec(any_row(), 0..8)) {
        let schema = round_trip_schema();
        let mut decoder = made(&[("format", "json")], &schema).unwrap().decoder(&schema, &schema);
        for row in &rows {
            decoder.push(row.as_bytes()).unwrap();
        }
        let batch = decoder.finish();
        prop_assert_eq!(batch.num_rows(), rows.len());
        for options in [
            &[("format", "json")][..],
            &[("format", "json"), ("json.timestamp-format.standard", "ISO-8601")],
            &[("format", "csv"), ("csv.null-literal", "\u{1}")],
            &[("format", "csv"), ("csv.null-literal", "\u{1}"), ("csv.escape-character", "\\")],
            &[("format", "csv"), ("csv.null-literal", "\u{1}"), ("csv.field-delimiter", ";"), ("csv.quote-character", "'")],
        ] {
            let format = made(options, &schema).unwrap();
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            format.encoder(&schema).encode(&batch, &mut out, &mut ends).unwrap();
            // Through the framing, so that it agrees with the encoder and the decoder.
            let mut file = Vec::new();
            let mut start = 0;
            for end in ends {
                file.extend_from_slice(&out[start..end]);
                file.push(b'\n');
                start = end;
            }
            let mut decoder = format.decoder(&schema, &schema);
            let mut rest = file.as_slice();
            while let Some(length) = format.framing().record_length(rest) {
                let (record, behind) = rest.split_at(length);
                // Not `trim_line_end`: the record may end with a carriage return.
                decoder.push(record.strip_suffix(b"\n").unwrap()).unwrap();
                rest = behind;
            }
            prop_assert_eq!(rest, b"");
            prop_assert_eq!(decoder.finish(), batch.clone());
        }
    }

    #[test]
    fn json_means_what_serde_json_takes_it_for(text in json_like()) {
        let record = format!("{{\"v\":{text}}}");
        let ours = decoded(&[("format", "json")], &DataType::Utf8, record.as_bytes());
        match serde_json::from_str::<serde_json::Value>(&record) {
            Ok(theirs) => {
                let expected = match &theirs["v"] {
                    serde_json::Value::Null => "NULL".to_owned(),
                    serde_json::Value::String(text) => text.clone(),
                    // The text of a number stays as it was written.
                    serde_json::Value::Number(number) => {
                        let ours: serde_json::Value = serde_json::from_str(&ours.clone().unwrap()).unwrap();
                        prop_assert_eq!(ours, serde_json::Value::Number(number.clone()));
                        return Ok(());
                    }
                    value @ serde_json::Value::Bool(_) => value.to_string(),
                    value => {
                        let ours: serde_json::Value = serde_json::from_str(&ours.unwrap()).unwrap();
                        prop_assert_eq!(&ours, value);
                        return Ok(());
                    }
                };
                prop_assert_eq!(ours, Ok(expected));
            }
            // A number beyond f64 is valid JSON; serde_json cannot hold it.
            Err(error) if error.to_string().contains("number out of range") => {}
            Err(_) => {
                prop_assert!(ours.is_err(), "{record} was taken as {ours:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let schema = round_trip_schema();
        for name in ["json", "csv"] {
            let format = made(&[("format", name)], &schema).unwrap();
            let mut decoder = format.decoder(&schema, &schema);
            let _taken = decoder.push(&bytes);
            format.framing().record_length(&bytes);
            decoder.finish();
        }
    }
}

/// JSON and what nearly is JSON.
fn json_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("fals".to_owned()),
        "-?[0-9]{1,4}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
        "\"([a-z\u{e9}\u{1f600} ]|\\\\[\"\\\\/bfnrtqu]|\\\\u[0-9a-fD]{4}|\\\\ud83d\\\\ude00|\t){0,5}\"",
        "[\\[\\]{}:, \"\\\\]{0,4}",
    ];
    token.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| format!("[ {} ]", values.join(" , "))),
            proptest::collection::vec(("[a-c]", inner), 0..4).prop_map(|fields| {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}
