//! JSON values of each type, and JSON records that are good, odd or bad.

use super::*;

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
fn whole_numbers() {
    use DataType::{Int8, Int16, Int32, Int64};
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
}

#[test]
fn fractions() {
    use DataType::{Decimal128, Float32, Float64};
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
}

#[test]
fn truth_text_and_bytes() {
    use DataType::{Binary, Boolean, Utf8};
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
}

#[test]
fn dates_and_times() {
    use DataType::{Date32, Time32, Time64, Timestamp};
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
fn fields_are_found_by_name() {
    let schema = columns(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    check_records(
        "json",
        &schema,
        &[
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
        ],
    );
}

#[test]
fn names_may_need_escapes() {
    let schema = columns(&[
        ("a\"b", DataType::Int32, true),
        ("c\\n", DataType::Utf8, true),
    ]);
    check_records(
        "json",
        &schema,
        &[
            (&[][..], &br#"{"a\"b":1,"c\\n":"x"}"#[..], Ok("1|x")),
            (&[], br#"{"a\u0022b":1,"c\n":"x"}"#, Ok("1|NULL")),
            (
                &[],
                br#"{"a"b":1}"#,
                Err("is not JSON: expected ':' behind the name of a field at byte 4"),
            ),
        ],
    );
}

#[test]
fn what_is_not_json_is_refused() {
    let schema = columns(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    check_records(
        "json",
        &schema,
        &[
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
                br"{a:1}",
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
        ],
    );
}

#[test]
fn limits_hold() {
    let schema = columns(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    let deep = format!("{{\"a\":1,\"c\":{}1{}}}", "[".repeat(63), "]".repeat(63));
    let too_deep = format!("{{\"a\":1,\"c\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let long_number = format!("{{\"a\":1,\"c\":{}}}", "1".repeat(513));
    let long_record = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(1 << 20));
    check_records(
        "json",
        &schema,
        &[
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
        ],
    );
}

#[test]
fn instants() {
    let instant = DataType::Timestamp(MS, Some("Europe/Berlin".into()));
    let expected = "column 'v': '2020-01-01 00:00:00' is not a value of TIMESTAMP_LTZ(3); \
                    expected the form '2020-01-01 12:00:00.123Z'";
    // A person is shown what the clocks in Berlin show.
    check_json(
        &instant,
        &[
            (
                "\"2020-01-01 00:00:00.123Z\"",
                Ok("2020-01-01 01:00:00.123"),
            ),
            ("\"2020-07-01 23:30:00Z\"", Ok("2020-07-02 01:30:00")),
            ("null", Ok("NULL")),
            ("\"2020-01-01 00:00:00\"", Err(expected)),
        ],
    );
    let iso = [
        ("format", "json"),
        ("json.timestamp-format.standard", "ISO-8601"),
    ];
    let schema = columns(&[("v", instant, true)]);
    let format = made(&iso, &schema).unwrap();
    let mut decoder = format.decoder(&schema, &schema);
    decoder.push(br#"{"v":"2020-01-01T00:00:00.5Z"}"#).unwrap();
    let mut out = EncodedRecords::default();
    let rows = decoder.finish();
    format.encoder(&schema).encode(&rows, &mut out).unwrap();
    let csv = made(&[("format", "csv")], &schema).unwrap();
    csv.encoder(&schema).encode(&rows, &mut out).unwrap();
    let texts = out.iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
    assert_eq!(
        texts,
        [
            r#"{"v":"2020-01-01T00:00:00.5Z"}"#,
            "2020-01-01 00:00:00.5Z"
        ]
    );
}
