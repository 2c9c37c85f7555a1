//! What holds for Avro as a whole: what another implementation wrote is read as it was
//! meant and written again to the byte, schemas are resolved, and no bytes do harm.

use arrow::datatypes::{DataType, Field, Fields, Schema as Columns, TimeUnit};

use super::*;
use crate::formats::row_to_json;

mod properties;
mod refused;
mod resolved;

/// Records as `scripts/format-goldens` has written them.
const GOLDEN: &str = include_str!("../../golden/avro.tsv");

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

/// Another format without options.
fn format(name: &str, columns: &SchemaRef) -> FormatRef {
    let given = indexmap::IndexMap::from([("format".to_owned(), name.to_owned())]);
    crate::formats::format(&mut Options::new(&given), columns).unwrap()
}
