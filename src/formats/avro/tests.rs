//! What holds for Avro as a whole: what another implementation wrote is read as it was
//! meant and written again to the byte, schemas are resolved, and no bytes do harm.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, Fields, Schema as Columns, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::formats::row_to_json;

/// Records as `scripts/format-goldens` has written them.
const GOLDEN: &str = include_str!("../golden/avro.tsv");

fn golden(name: &str) -> (&'static str, Vec<u8>) {
    let mut lines = GOLDEN.lines().map(|line| line.split('\t'));
    let mut found = lines
        .find(|line| line.clone().next() == Some(name))
        .unwrap();
    (found.nth(1).unwrap(), unhex(found.next().unwrap()))
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn column(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn columns<const N: usize>(columns: [(&str, DataType); N]) -> Fields {
    columns
        .into_iter()
        .map(|(name, of)| column(name, of))
        .collect()
}

fn map_of(value: DataType) -> DataType {
    let entry = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        column("value", value),
    ]);
    let entries = Field::new("entries", DataType::Struct(entry), false);
    DataType::Map(Arc::new(entries), false)
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(column("element", element)))
}

/// A decoder of records that were written by `written`.
fn decoder(written: &str, columns: &Fields, reader: Option<&str>) -> Result<AvroDecoder, String> {
    let parsed = |text| Schema::parse(text, []).map(Arc::new);
    let reader = reader.map(parsed).transpose()?;
    let plan = Plan::new(parsed(written)?, columns, reader.as_ref())?;
    Ok(AvroDecoder {
        plan,
        rows: Rows::new(&Arc::new(Columns::new(columns.clone()))),
        limits: Limits::default(),
    })
}

fn decoded(
    written: &str,
    record: &[u8],
    columns: &Fields,
    reader: Option<&str>,
) -> Result<String, String> {
    let mut decoder = decoder(written, columns, reader)?;
    let pushed = decoder.push(record).map_err(|error| error.0);
    let records = decoder.finish();
    assert_eq!(records.num_rows(), usize::from(pushed.is_ok()));
    pushed.map(|()| String::from_utf8(row_to_json(&records, 0)).unwrap())
}

fn encoded(schema: &str, records: &RecordBatch) -> Result<Vec<u8>, RowError> {
    let schema = Arc::new(Schema::parse(schema, []).unwrap());
    let mut out = EncodedRecords::default();
    AvroEncoder::new(schema).encode(records, &mut out)?;
    Ok(out.into_bytes())
}

fn every_type() -> Fields {
    const MS: TimeUnit = TimeUnit::Millisecond;
    const US: TimeUnit = TimeUnit::Microsecond;
    let inner = || DataType::Struct(columns([("n", DataType::Int32), ("s", DataType::Utf8)]));
    columns([
        ("flag", DataType::Boolean),
        ("i", DataType::Int32),
        ("l", DataType::Int64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("b", DataType::Binary),
        ("s", DataType::Utf8),
        ("e", DataType::Utf8),
        ("x", DataType::Binary),
        ("day", DataType::Date32),
        ("tms", DataType::Time32(MS)),
        ("tus", DataType::Time64(US)),
        ("ms", DataType::Timestamp(MS, None)),
        ("us", DataType::Timestamp(US, None)),
        ("lms", DataType::Timestamp(MS, None)),
        ("lus", DataType::Timestamp(US, None)),
        ("dec", DataType::Decimal128(10, 2)),
        ("fdec", DataType::Decimal128(18, 4)),
        ("id", DataType::Utf8),
        ("row", inner()),
        ("list", list_of(DataType::Int64)),
        ("map", map_of(inner())),
        ("any", DataType::Int64),
    ])
}

const EVERY_VALUE: &str = r#"{"flag":true,"i":-2147483648,"l":9223372036854775807,"f":1.5,"d":-0.1,"b":"AP8=","s":"näh","e":"HEARTS","x":"AQIDBA==","day":"1969-12-31","tms":"12:34:56.789","tus":"23:59:59.999999","ms":"2020-01-31 12:00:00.123","us":"1969-12-31 23:59:59.999999","lms":"2020-01-31 12:00:00.123","lus":"2020-01-31 12:00:00.123456","dec":-1234567.89,"fdec":98765432109876.5432,"id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","row":{"n":7,"s":null},"list":[1,null,-1],"map":{"k":{"n":1,"s":"v"}},"any":5}"#;

#[test]
fn what_another_implementation_wrote_is_read_and_written_again() {
    let all = every_type();
    for name in ["every type", "empty collections"] {
        let (schema, record) = golden(name);
        let mut decoder = decoder(schema, &all, None).unwrap();
        decoder.push(&record).unwrap();
        let records = decoder.finish();
        if name == "every type" {
            let row = String::from_utf8(row_to_json(&records, 0)).unwrap();
            assert_eq!(row, EVERY_VALUE);
        }
        assert_eq!(encoded(schema, &records).unwrap(), record, "{name}");
    }
}

/// Each column alone, so that each kind of field is stepped over.
#[test]
fn only_the_columns_that_are_read_are_decoded() {
    let (schema, record) = golden("every type");
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(EVERY_VALUE).unwrap();
    for field in &every_type() {
        let alone = Fields::from(vec![field.as_ref().clone()]);
        let row = decoded(schema, &record, &alone, None).unwrap();
        let row: serde_json::Value = serde_json::from_str(&row).unwrap();
        let name = field.name();
        assert_eq!(row[name], expected[name], "{name}");
    }
    assert_eq!(
        decoded(schema, &record, &Fields::empty(), None),
        Ok("{}".to_owned())
    );
}

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

#[test]
fn malformed_records_are_refused_with_a_reason() {
    let faulty = |text: &str| {
        Err(format!(
            "does not fit the schema it was written with: it {text}"
        ))
    };
    let (every, whole) = golden("every type");
    for length in 0..whole.len() {
        let cut = decoded(every, &whole[..length], &every_type(), None);
        assert_eq!(
            cut,
            faulty("ends in the middle of a value"),
            "{length} bytes"
        );
        let skipped = decoded(every, &whole[..length], &Fields::empty(), None);
        assert_eq!(skipped, cut, "{length} bytes");
    }
    let field = |of: &str| {
        format!(r#"{{"type":"record","name":"r","fields":[{{"name":"v","type":{of}}}]}}"#)
    };
    let recursive = r#"{"type":"record","name":"r","fields":[
        {"name":"v","type":{"type":"record","name":"s","fields":[{"name":"s","type":"s"}]}}]}"#;
    // The number of elements of an array, by far more than there are bytes.
    let billion: &[u8] = &[0x80, 0xa8, 0xd6, 0xb9, 0x07];
    let nulls = field(r#"{"type":"array","items":"null"}"#);
    for (schema, record, of, expected) in [
        (
            field(r#""long""#),
            &[2, 0][..],
            Some(DataType::Int64),
            "goes on behind its value",
        ),
        (
            field(r#"["null","long"]"#),
            &[4],
            Some(DataType::Int64),
            "has a branch that its union has not",
        ),
        (
            field(r#"["null","long","string"]"#),
            &[8],
            Some(DataType::Int64),
            "has a branch that its union has not",
        ),
        (
            field(r#"["null","long"]"#),
            &[4],
            None,
            "has a branch that its union has not",
        ),
        (
            field(r#"{"type":"enum","name":"e","symbols":["A"]}"#),
            &[2],
            Some(DataType::Utf8),
            "has a symbol that its enum has not",
        ),
        (
            field(r#""int""#),
            &[0x80, 0x80, 0x80, 0x80, 0x10],
            Some(DataType::Int32),
            "has an int of more than 32 bits",
        ),
        (
            nulls.clone(),
            billion,
            Some(list_of(DataType::Int64)),
            "has too many elements",
        ),
        (nulls, billion, None, "has too many elements"),
        (recursive.to_owned(), &[], None, "is nested too deeply"),
    ] {
        let columns: Fields = of.map(|of| column("v", of)).into_iter().collect();
        assert_eq!(
            decoded(&schema, record, &columns, None),
            faulty(expected),
            "{schema}"
        );
    }
}

/// An element of one byte would otherwise cost as much as the columns that it lacks.
#[test]
fn values_that_are_not_written_are_counted() {
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"l","type":{"type":"array",
        "items":{"type":"record","name":"i","fields":[{"name":"a","type":"boolean"}]}}}]}"#;
    let lacking: Vec<_> = (0..100)
        .map(|n| column(&format!("c{n}"), DataType::Int64))
        .collect();
    let columns = columns([("l", list_of(DataType::Struct(lacking.into())))]);
    for (elements, expected) in [(10_000_i64, true), (11_000, false)] {
        let mut record = Vec::new();
        cursor::write_long(elements, &mut record);
        record.extend(std::iter::repeat_n(1, usize::try_from(elements).unwrap()));
        record.push(0);
        let taken = decoder(schema, &columns, None).unwrap().push(&record);
        assert_eq!(taken.is_ok(), expected, "{taken:?}");
    }
}

#[test]
fn values_that_their_columns_cannot_hold_are_refused() {
    let field = |of: &str| {
        format!(r#"{{"type":"record","name":"r","fields":[{{"name":"v","type":{of}}}]}}"#)
    };
    for (of, record, column, expected) in [
        (
            r#""string""#,
            &[4, 0xc3, 0x28][..],
            DataType::Utf8,
            "column 'v': the text is not UTF-8",
        ),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#,
            &[1],
            DataType::Time32(TimeUnit::Millisecond),
            "column 'v': the time is not within a day",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":0}"#,
            &[4, 0x27, 0x10],
            DataType::Decimal128(4, 0),
            "column 'v': the value is outside the range of DECIMAL(4, 0)",
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            &[4, 2, b'k', 2, 2, b'k', 4, 0],
            map_of(DataType::Int32),
            "column 'v': a key of the map stands there twice",
        ),
    ] {
        let columns = columns([("v", column)]);
        let found = decoded(&field(of), record, &columns, None);
        assert_eq!(found, Err(expected.to_owned()));
    }
}

#[test]
fn rows_that_the_schema_cannot_hold_are_refused() {
    let (schema, record) = golden("every type");
    let mut every = decoder(schema, &every_type(), None).unwrap();
    every.push(&record).unwrap();
    let row = every.finish();
    let field = |name: &str, of: &str| {
        format!(r#"{{"type":"record","name":"r","fields":[{{"name":"{name}","type":{of}}}]}}"#)
    };
    for (column, of, expected) in [
        (
            "s",
            r#"{"type":"enum","name":"e","symbols":["A"]}"#,
            "column 's': the enum has no symbol 'näh'",
        ),
        (
            "x",
            r#"{"type":"fixed","name":"f","size":3}"#,
            "column 'x': has 4 bytes where the schema has 3",
        ),
        (
            "dec",
            r#"{"type":"fixed","name":"f","size":3,"logicalType":"decimal","precision":9,"scale":2}"#,
            "column 'dec': the number is too large for the schema",
        ),
        (
            "s",
            r#""long""#,
            "column 's': STRING cannot be written as long",
        ),
        (
            "l",
            r#""int""#,
            "column 'l': BIGINT cannot be written as int",
        ),
        (
            "row",
            r#"{"type":"record","name":"i","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}"#,
            "column 'row.s': is NULL, which the schema does not allow",
        ),
        (
            "row",
            r#"{"type":"record","name":"i","fields":[{"name":"n","type":"int"}]}"#,
            "the schema has no field for the column 'row.s'",
        ),
        (
            "list",
            r#"{"type":"array","items":"long"}"#,
            "column 'list[]': is NULL, which the schema does not allow",
        ),
    ] {
        let one = row
            .project(&[row.schema().index_of(column).unwrap()])
            .unwrap();
        let refused = encoded(&field(column, of), &one);
        assert_eq!(refused, Err(RowError(expected.to_owned())), "{of}");
    }
}

#[test]
fn the_schema_is_flinks() {
    let fields = Fields::from(vec![
        Field::new("id", DataType::Int64, false),
        column("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        column(
            "place",
            DataType::Struct(columns([("x", DataType::Decimal128(9, 2))])),
        ),
        column("tags", list_of(DataType::Utf8)),
    ]);
    let expected = serde_json::json!({
        "type": "record",
        "name": "record",
        "namespace": "org.apache.flink.avro.generated",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null},
            {"name": "place", "type": ["null", {
                "type": "record", "name": "record_place", "namespace": "org.apache.flink.avro.generated",
                "fields": [{"name": "x", "type": ["null", {
                    "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2
                }], "default": null}]
            }], "default": null},
            {"name": "tags", "type": ["null", {"type": "array", "items": ["null", "string"]}], "default": null},
        ]
    });
    assert_eq!(derive::schema_of(&fields, true), Ok(expected));
    let local = derive::schema_of(&fields, false).unwrap().to_string();
    assert!(local.contains("local-timestamp-millis"), "{local}");
    for (name, of, expected) in [
        (
            "a b",
            DataType::Int32,
            "column 'a b': the name of an Avro field begins with a letter or '_' and goes on with letters, digits and '_'",
        ),
        (
            "t",
            DataType::Time64(TimeUnit::Microsecond),
            "column 't': TIME(6) has no form in Avro; use TIME(3)",
        ),
    ] {
        assert_eq!(
            derive::schema_of(&columns([(name, of)]), true),
            Err(expected.to_owned())
        );
    }
}

/// A row of the columns of [`written_and_read`], as its JSON.
fn any_row() -> impl Strategy<Value = String> {
    let text = proptest::option::of("\\PC{0,9}");
    let list = proptest::option::of(proptest::collection::vec(any::<Option<i64>>(), 0..4));
    let map = proptest::option::of(proptest::collection::btree_map(
        "[a-d]{0,2}",
        any::<i32>(),
        0..4,
    ));
    (
        any::<Option<bool>>(),
        any::<Option<i64>>(),
        any::<i16>(),
        text,
        list,
        map,
    )
        .prop_map(|(flag, n, small, text, list, map)| {
            let value = serde_json::json!({
                "flag": flag, "n": n, "small": small, "s": text, "list": list, "map": map,
                "row": {"t": text, "l": list}, "dec": n.map(|n| n % 1_000_000),
                "at": format!("2020-01-01 00:00:{:02}.5", small.rem_euclid(60)),
            });
            value.to_string()
        })
}

fn written_and_read() -> SchemaRef {
    let list = || list_of(DataType::Int64);
    Arc::new(Columns::new(columns([
        ("flag", DataType::Boolean),
        ("n", DataType::Int64),
        ("small", DataType::Int16),
        ("s", DataType::Utf8),
        ("list", list()),
        ("map", map_of(DataType::Int32)),
        (
            "row",
            DataType::Struct(columns([("t", DataType::Utf8), ("l", list())])),
        ),
        ("dec", DataType::Decimal128(12, 3)),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
    ])))
}

fn format(name: &str, columns: &SchemaRef) -> FormatRef {
    let given = indexmap::IndexMap::from([("format".to_owned(), name.to_owned())]);
    crate::formats::format(&mut Options::new(&given), columns).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(rows in proptest::collection::vec(any_row(), 0..6)) {
        let schema = written_and_read();
        let mut json = format("json", &schema).decoder(&schema, &schema);
        for row in &rows {
            json.push(row.as_bytes()).unwrap();
        }
        let records = json.finish();
        let avro = format("avro", &schema);
        let mut out = EncodedRecords::default();
        avro.encoder(&schema).encode(&records, &mut out).unwrap();
        let mut decoder = avro.decoder(&schema, &schema);
        for record in out.iter() {
            decoder.push(record).unwrap();
        }
        prop_assert_eq!(decoder.finish(), records);
    }

    /// A record with some bytes changed is a row or is refused without a trace.
    #[test]
    fn changed_records_leave_no_trace(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let (schema, whole) = golden("every type");
        let mut changed = whole.clone();
        for (at, to) in changes {
            let at = at % changed.len();
            changed[at] = to;
        }
        let mut decoder = decoder(schema, &every_type(), None).unwrap();
        decoder.push(&whole).unwrap();
        let rows = 2 + usize::from(decoder.push(&changed).is_ok());
        decoder.push(&whole).unwrap();
        let records = decoder.finish();
        prop_assert_eq!(records.num_rows(), rows);
        let last = String::from_utf8(row_to_json(&records, rows - 1)).unwrap();
        prop_assert_eq!(last, EVERY_VALUE);
    }

    #[test]
    fn no_schema_and_no_bytes_do_harm(
        text in schema_like(), bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let text = format!(
            r#"{{"type":"record","name":"r","fields":[{{"name":"i","type":{text}}},{{"name":"s","type":"string"}}]}}"#
        );
        for columns in [every_type(), Fields::empty()] {
            if let Ok(mut decoder) = decoder(&text, &columns, None) {
                let taken = decoder.push(&bytes).is_ok();
                prop_assert_eq!(decoder.finish().num_rows(), usize::from(taken));
            }
        }
    }
}

/// Schemas and what nearly is one.
fn schema_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("\"record\"".to_owned()),
        Just("\"array\"".to_owned()),
        Just("\"map\"".to_owned()),
        Just("\"int\"".to_owned()),
        Just("\"null\"".to_owned()),
        Just("\"a\"".to_owned()),
        Just("\"fixed\"".to_owned()),
        Just("\"date\"".to_owned()),
        Just("7".to_owned()),
    ];
    let key = prop_oneof![
        Just("type"),
        Just("name"),
        Just("fields"),
        Just("items"),
        Just("values"),
        Just("size"),
        Just("symbols"),
        Just("logicalType"),
        Just("default"),
    ];
    word.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| format!("[{}]", values.join(","))),
            proptest::collection::vec((key.clone(), inner), 1..5).prop_map(|fields| {
                let mut text = String::from("{");
                for (place, (key, value)) in fields.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    write!(text, "{comma}\"{key}\":{value}").unwrap();
                }
                text + "}"
            }),
        ]
    })
}
