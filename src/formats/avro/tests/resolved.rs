//! Records of one schema read by another.

use super::*;

type Resolved<'a> = (&'a str, Fields, Option<&'a str>, Result<&'a str, &'a str>);

fn check_resolved(cases: &[Resolved]) {
    for (name, columns, reader, expected) in cases {
        let (schema, record) = golden(name);
        let found = decoded(schema, &record, columns, *reader);
        let found = found.as_deref().map_err(String::as_str);
        assert_eq!(found, *expected, "{name} {columns:?}");
    }
}

#[test]
fn schemas_are_resolved() {
    use DataType::{Float64, Int8, Int16, Int32, Int64, Utf8};
    let required = Fields::from(vec![Field::new("absent", Int32, false)]);
    let label = DataType::Struct(columns([("label", Utf8)]));
    let numbers = "narrow numbers";
    check_resolved(&[
        (
            numbers,
            columns([("a", Int8), ("b", Int16)]),
            None,
            Ok(r#"{"a":7,"b":8}"#),
        ),
        (
            numbers,
            columns([("a", Int64), ("b", Float64)]),
            None,
            Ok(r#"{"a":7,"b":8.0}"#),
        ),
        (
            numbers,
            columns([("c", Utf8), ("b", Int64)]),
            None,
            Ok(r#"{"c":null,"b":8}"#),
        ),
        (
            "wide numbers",
            columns([("a", Int16)]),
            None,
            Err("column 'a': 70000 is outside the range of SMALLINT"),
        ),
        (
            "wide numbers",
            columns([("b", Int32)]),
            None,
            Err("column 'b': 1099511627776 is outside the range of INT"),
        ),
        (
            numbers,
            columns([("a", Utf8)]),
            None,
            Err("column 'a': the writer has int for STRING"),
        ),
        (
            numbers,
            required,
            None,
            Err("column 'absent': is NOT NULL but the record has no value for it"),
        ),
        (
            "a nullable record",
            columns([("a", Int64)]),
            None,
            Ok(r#"{"a":1}"#),
        ),
        (
            "null alone",
            columns([("a", Int64)]),
            None,
            Err("null is no record"),
        ),
        (
            "a string in a union",
            columns([("any", Int64)]),
            None,
            Err("column 'any': the writer has string for BIGINT"),
        ),
        (
            "a string in a union",
            columns([("any", Utf8)]),
            None,
            Ok(r#"{"any":"text"}"#),
        ),
        (
            "a tree",
            columns([("children", list_of(label))]),
            None,
            Ok(r#"{"children":[{"label":"leaf"},{"label":"twig"}]}"#),
        ),
    ]);
}

#[test]
fn times_are_converted_between_units() {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let field = |of: &str, logical: &str| {
        format!(
            r#"{{"type":"record","name":"r","fields":[{{"name":"v","type":
                {{"type":"{of}","logicalType":"{logical}"}}}}]}}"#
        )
    };
    let at = |unit| DataType::Timestamp(unit, None);
    for (of, logical, written, column, expected) in [
        (
            "long",
            "timestamp-millis",
            -1,
            at(Microsecond),
            "1969-12-31 23:59:59.999",
        ),
        (
            "long",
            "timestamp-micros",
            -1,
            at(Millisecond),
            "1969-12-31 23:59:59.999",
        ),
        (
            "long",
            "local-timestamp-nanos",
            1_999_999_999,
            at(Second),
            "1970-01-01 00:00:01",
        ),
        (
            "long",
            "local-timestamp-micros",
            1_500_000,
            at(Nanosecond),
            "1970-01-01 00:00:01.5",
        ),
        (
            "long",
            "no-such-time",
            1_500,
            at(Microsecond),
            "1970-01-01 00:00:01.5",
        ),
        (
            "int",
            "time-millis",
            1_500,
            DataType::Time64(Nanosecond),
            "00:00:01.5",
        ),
        (
            "long",
            "time-micros",
            1_999_999,
            DataType::Time32(Second),
            "00:00:01",
        ),
    ] {
        let schema = field(of, logical);
        let mut record = Vec::new();
        cursor::write_long(written, &mut record);
        let columns = columns([("v", column)]);
        let row = decoded(&schema, &record, &columns, None);
        assert_eq!(row, Ok(format!("{{\"v\":\"{expected}\"}}")), "{logical}");
    }
    // And back, as far as the unit reaches.
    for (column, logical, expected) in [
        (at(Second), "timestamp-micros", 1_000_000),
        (at(Millisecond), "timestamp-micros", 1_500_000),
        (at(Nanosecond), "timestamp-millis", 1_500),
    ] {
        let columns = columns([("v", column)]);
        let schema = Arc::new(Columns::new(columns));
        let mut json = format("json", &schema).decoder(&schema, &schema);
        json.push(br#"{"v":"1970-01-01 00:00:01.5"}"#).unwrap();
        let mut record = Vec::new();
        cursor::write_long(expected, &mut record);
        assert_eq!(encoded(&field("long", logical), &json.finish()), Ok(record));
    }
}

#[test]
fn aliases_and_defaults_are_the_readers() {
    let reader = r#"{"type":"record","name":"now","fields":[
        {"name":"new","type":"long","aliases":["older","old"]},
        {"name":"note","type":["null","string"],"default":null},
        {"name":"level","type":"int","default":3},
        {"name":"tags","type":{"type":"array","items":"string"},"default":["a","b"]}]}"#;
    let new = columns([
        ("new", DataType::Int64),
        ("note", DataType::Utf8),
        ("level", DataType::Int16),
        ("tags", list_of(DataType::Utf8)),
    ]);
    check_resolved(&[
        (
            "old fields",
            new.clone(),
            Some(reader),
            Ok(r#"{"new":3,"note":null,"level":3,"tags":["a","b"]}"#),
        ),
        (
            "old fields",
            new,
            None,
            Ok(r#"{"new":null,"note":null,"level":null,"tags":null}"#),
        ),
    ]);
}
