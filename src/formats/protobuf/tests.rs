//! What holds for Protobuf as a whole: what another implementation wrote is read as it
//! was meant and written again to the byte, and no bytes do harm.

use arrow::datatypes::{DataType, Field, Schema as Columns, TimeUnit};
use proptest::prelude::*;
use protox::prost_reflect::DynamicMessage;
use protox::prost_reflect::prost::Message as _;

use super::*;
use crate::formats::row_to_json;

/// Messages as `scripts/format-goldens` has written them.
const GOLDEN: &str = include_str!("../golden/protobuf.tsv");
const PROTO2: &str = include_str!("../golden/proto2.proto");
const PROTO3: &str = include_str!("../golden/proto3.proto");

fn golden(name: &str) -> Vec<u8> {
    let mut lines = GOLDEN.lines().map(|line| line.split('\t'));
    let mut found = lines
        .find(|line| line.clone().next() == Some(name))
        .unwrap();
    let digits = found.nth(2).unwrap();
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

fn inner() -> DataType {
    DataType::Struct(columns([("n", DataType::Int32), ("s", DataType::Utf8)]))
}

fn every_type() -> Fields {
    columns([
        ("flag", DataType::Boolean),
        ("i32", DataType::Int32),
        ("i64", DataType::Int64),
        ("u32", DataType::Int64),
        ("u64", DataType::Int64),
        ("s32", DataType::Int16),
        ("s64", DataType::Int64),
        ("f32", DataType::Int32),
        ("f64", DataType::Int64),
        ("sf32", DataType::Int32),
        ("sf64", DataType::Int64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("s", DataType::Utf8),
        ("b", DataType::Binary),
        ("color", DataType::Utf8),
        ("maybe", DataType::Int64),
        ("inner", inner()),
        ("list", list_of(DataType::Int64)),
        ("texts", list_of(DataType::Utf8)),
        ("inners", list_of(inner())),
        ("map", map_of(inner())),
        ("numbers", map_of(DataType::Int32)),
        ("number", DataType::Int32),
        ("chosen", DataType::Utf8),
        ("picked", inner()),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("colors", list_of(DataType::Int32)),
        ("high", DataType::Int32),
    ])
}

const EVERY_VALUE: &str = r#"{"flag":true,"i32":-1,"i64":-9223372036854775808,"u32":4294967295,"u64":-1,"s32":-5,"s64":-6,"f32":7,"f64":8,"sf32":-9,"sf64":-10,"f":1.5,"d":-0.1,"s":"näh","b":"AP8=","color":"GREEN","maybe":0,"inner":{"n":7,"s":"in"},"list":[1,-2,300],"texts":["a",""],"inners":[{"n":1,"s":null},{"n":0,"s":null}],"map":{"k":{"n":2,"s":null}},"numbers":{"one":1},"number":null,"chosen":"by name","picked":null,"at":"2020-01-31 12:00:00.123456","colors":[1,2],"high":11}"#;

fn message(proto: &str, name: &str) -> MessageDescriptor {
    let file = of_text(proto, []).unwrap();
    descriptors::message(file.parent_pool(), name).unwrap()
}

fn every_message() -> MessageDescriptor {
    message(PROTO3, "golden.Every")
}

fn decoder(
    message: &MessageDescriptor,
    columns: &Fields,
    absence: Absence,
) -> Result<ProtobufDecoder, String> {
    Ok(ProtobufDecoder {
        plan: Plan::new(message, columns, absence)?,
        rows: Rows::new(&Arc::new(Columns::new(columns.clone()))),
        limits: Limits::default(),
    })
}

fn decoded(
    message: &MessageDescriptor,
    record: &[u8],
    columns: &Fields,
    absence: Absence,
) -> Result<String, String> {
    let mut decoder = decoder(message, columns, absence)?;
    let pushed = decoder.push(record).map_err(|error| error.0);
    let records = decoder.finish();
    assert_eq!(records.num_rows(), usize::from(pushed.is_ok()));
    pushed.map(|()| String::from_utf8(row_to_json(&records, 0)).unwrap())
}

fn encoded(message: &MessageDescriptor, records: &RecordBatch) -> Result<Vec<u8>, RowError> {
    let mut out = EncodedRecords::default();
    let mut encoder = ProtobufEncoder {
        message: message.clone(),
        null_text: "<null>".into(),
    };
    encoder.encode(records, &mut out)?;
    Ok(out.into_bytes())
}

const DEFAULTS: Absence = Absence {
    read_default_values: true,
    allow_missing: false,
};

fn nulls() -> Absence {
    Absence::default()
}

#[test]
fn what_another_implementation_wrote_is_read_and_written_again() {
    let message = every_message();
    let record = golden("proto3 every type");
    let mut decoder = decoder(&message, &every_type(), nulls()).unwrap();
    decoder.push(&record).unwrap();
    let records = decoder.finish();
    assert_eq!(
        String::from_utf8(row_to_json(&records, 0)).unwrap(),
        EVERY_VALUE
    );
    assert_eq!(encoded(&message, &records).unwrap(), record);
}

#[test]
fn only_the_columns_that_are_read_are_decoded() {
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(EVERY_VALUE).unwrap();
    for field in &every_type() {
        let alone = Fields::from(vec![field.as_ref().clone()]);
        let row = decoded(
            &every_message(),
            &golden("proto3 every type"),
            &alone,
            nulls(),
        );
        let row: serde_json::Value = serde_json::from_str(&row.unwrap()).unwrap();
        let name = field.name();
        assert_eq!(row[name], expected[name], "{name}");
    }
}

#[test]
fn absent_fields() {
    let some = columns([
        ("i32", DataType::Int32),
        ("color", DataType::Utf8),
        ("maybe", DataType::Int64),
        ("inner", inner()),
        ("list", list_of(DataType::Int64)),
        ("map", map_of(inner())),
        ("number", DataType::Int32),
    ]);
    let required = Fields::from(vec![Field::new("list", list_of(DataType::Int64), false)]);
    let old = columns([
        ("must", DataType::Int32),
        ("n", DataType::Int64),
        ("s", DataType::Utf8),
        ("color", DataType::Utf8),
        ("z", DataType::Int32),
        ("d", DataType::Float64),
        ("list", list_of(DataType::Int32)),
    ]);
    let (new, old_message) = (every_message(), message(PROTO2, "golden.Old"));
    for (message, name, columns, absence, expected) in [
        (
            &new,
            "proto3 nothing",
            &some,
            nulls(),
            r#"{"i32":0,"color":"NONE","maybe":null,"inner":null,"list":null,"map":null,"number":null}"#,
        ),
        (
            &new,
            "proto3 nothing",
            &some,
            DEFAULTS,
            r#"{"i32":0,"color":"NONE","maybe":0,"inner":{"n":0,"s":""},"list":[],"map":{},"number":0}"#,
        ),
        (&new, "proto3 nothing", &required, nulls(), r#"{"list":[]}"#),
        (
            &old_message,
            "proto2 every default",
            &old,
            nulls(),
            r#"{"must":1,"n":null,"s":null,"color":null,"z":null,"d":null,"list":null}"#,
        ),
        (
            &old_message,
            "proto2 every default",
            &old,
            DEFAULTS,
            r#"{"must":1,"n":42,"s":"none","color":"LIGHT","z":-3,"d":0.5,"list":[]}"#,
        ),
        (
            &old_message,
            "proto2 set",
            &old,
            nulls(),
            r#"{"must":1,"n":0,"s":"","color":"LIGHT","z":null,"d":null,"list":[1,2]}"#,
        ),
    ] {
        let row = decoded(message, &golden(name), columns, absence);
        assert_eq!(row.as_deref(), Ok(expected), "{name} {absence:?}");
    }
}

/// The rules of the wire format for what is written otherwise than one would write it.
#[test]
fn fields_in_any_order_and_more_than_once() {
    let message = every_message();
    let some = columns([
        ("i64", DataType::Int64),
        ("s", DataType::Utf8),
        ("list", list_of(DataType::Int64)),
        ("inner", inner()),
        ("numbers", map_of(DataType::Int32)),
        ("number", DataType::Int32),
        ("picked", inner()),
    ]);
    let empty =
        r#"{"i64":0,"s":"","list":null,"inner":null,"numbers":null,"number":null,"picked":null}"#;
    for (record, changed, to) in [
        // The last of several counts.
        (&[0x18, 5, 0x18, 7][..], r#""i64":0"#, r#""i64":7"#),
        (
            &[0x72, 1, b'a', 0x72, 2, b'b', b'c'],
            r#""s":"""#,
            r#""s":"bc""#,
        ),
        // Packed or not, also both.
        (
            &[0x98, 1, 5, 0x9a, 1, 2, 6, 7, 0x98, 1, 8],
            r#""list":null"#,
            r#""list":[5,6,7,8]"#,
        ),
        // Parts of one message are one.
        (
            &[0x92, 1, 2, 0x08, 5, 0x92, 1, 3, 0x12, 1, b'x'],
            r#""inner":null"#,
            r#""inner":{"n":5,"s":"x"}"#,
        ),
        // A key that stands there twice, an entry without a key, one without a value.
        (
            &[
                0xba, 1, 5, 0x0a, 1, b'k', 0x10, 1, 0xba, 1, 2, 0x10, 9, 0xba, 1, 5, 0x10, 2, 0x0a,
                1, b'k', 0xba, 1, 3, 0x0a, 1, b'v',
            ],
            r#""numbers":null"#,
            r#""numbers":{"":9,"k":2,"v":0}"#,
        ),
        // Of a oneof the last one counts.
        (
            &[0xc0, 1, 5, 0xd2, 1, 2, 0x08, 6],
            r#""picked":null"#,
            r#""picked":{"n":6,"s":null}"#,
        ),
        (
            &[0xd2, 1, 2, 0x08, 6, 0xc0, 1, 5],
            r#""number":null"#,
            r#""number":5"#,
        ),
        // What is written in another way than declared is unknown, as is a group.
        (&[0x1a, 1, 0], "", ""),
        (&[0x1b, 0x08, 1, 0x1c], "", ""),
    ] {
        let row = decoded(&message, record, &some, nulls());
        assert_eq!(row, Ok(empty.replacen(changed, to, 1)), "{record:02x?}");
    }
}

#[test]
fn malformed_records_are_refused_with_a_reason() {
    let message = every_message();
    let whole = golden("proto3 every type");
    let is_field_end = |length: usize| {
        let mut cursor = Cursor::new(&whole[..length]);
        while !cursor.is_empty() {
            let Ok(()) = cursor.tag().and_then(|tag| cursor.skip(tag, 9)) else {
                return false;
            };
        }
        true
    };
    for length in 0..whole.len() {
        let cut = decoded(&message, &whole[..length], &every_type(), nulls());
        assert_eq!(cut.is_ok(), is_field_end(length), "{length} bytes: {cut:?}");
    }
    let fault = |text: &str| format!("is not a Protobuf message: it {text}");
    for (record, expected) in [
        (
            &[0x72, 2, 0xc3, 0x28][..],
            "column 's': the text is not UTF-8".to_owned(),
        ),
        (
            &[0x30, 0x80, 0x80, 0x08],
            "column 's32': 65536 is outside the range of SMALLINT".to_owned(),
        ),
        (
            &[0x80, 1, 9],
            "column 'color': the enum has no value 9".to_owned(),
        ),
        (
            &[
                0xda, 1, 12, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 1,
            ],
            "column 'at': the time is out of range".to_owned(),
        ),
        (&[0x92, 1, 1, 0x08], fault("ends in the middle of a field")),
        (&[0x9a, 1, 1, 0x80], fault("ends in the middle of a field")),
        (
            &[0x07],
            fault("has a field with a number that no field can have"),
        ),
        (&[0x0f], fault("has a field of a kind that there is not")),
    ] {
        let found = decoded(&message, record, &every_type(), nulls());
        assert_eq!(found, Err(expected), "{record:02x?}");
    }
}

/// Two bytes of an empty message would otherwise cost as much as its columns.
#[test]
fn absent_values_are_counted() {
    let names: Vec<_> = (0..100).map(|n| format!("c{n}")).collect();
    let fields = names.iter().map(|name| {
        format!(
            "optional int64 {name} = {};",
            &name[1..].parse::<u32>().unwrap() + 1
        )
    });
    let proto = format!(
        "syntax = \"proto3\"; message M {{ repeated In l = 1; message In {{ {} }} }}",
        fields.collect::<String>()
    );
    let inner = names
        .iter()
        .map(|name| column(name, DataType::Int64))
        .collect();
    let columns = columns([("l", list_of(DataType::Struct(inner)))]);
    let message = message(&proto, "M");
    for (elements, expected) in [(10_000, true), (11_000, false)] {
        let record = [0x0a, 0].repeat(elements);
        let mut decoder = decoder(&message, &columns, nulls()).unwrap();
        let pushed = decoder.push(&record);
        assert_eq!(pushed.is_ok(), expected, "{pushed:?}");
        if let Err(error) = pushed {
            assert_eq!(error.0, "is not a Protobuf message: it has too many values");
        }
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let message = every_message();
    let of = |name: &str, of: DataType| columns([(name, of)]);
    for (columns, expected) in [
        (
            of("absent", DataType::Int32),
            "the message 'golden.Every' has no field 'absent'",
        ),
        (
            of("i64", DataType::Int32),
            "column 'i64': the message has int64 for INT",
        ),
        (
            of("list", DataType::Int64),
            "column 'list': the message has repeated int64 for BIGINT",
        ),
        (
            of("inner", DataType::Utf8),
            "column 'inner': the message has message golden.Inner for STRING",
        ),
        (
            of("color", DataType::Boolean),
            "column 'color': the message has enum golden.Color for BOOLEAN",
        ),
        (
            of("map", map_of(DataType::Utf8)),
            "column 'map': the message has message golden.Inner for STRING",
        ),
    ] {
        assert_eq!(check(&message, &columns, nulls()), Err(expected.to_owned()));
    }
    let old = self::message(PROTO2, "golden.Old");
    assert_eq!(
        check(&old, &of("n", DataType::Int64), nulls()),
        Err("there is no column for the required field 'must'".to_owned())
    );
}

/// A batch from rows in JSON.
fn records(columns: &Fields, rows: &[&str]) -> RecordBatch {
    let schema = Arc::new(Columns::new(columns.clone()));
    let given = indexmap::IndexMap::from([("format".to_owned(), "json".to_owned())]);
    let json = crate::formats::format(&mut Options::new(&given), &schema).unwrap();
    let mut decoder = json.decoder(&schema, &schema);
    for row in rows {
        decoder.push(row.as_bytes()).unwrap();
    }
    decoder.finish()
}

#[test]
fn nulls_are_written_as_protobuf_has_them() {
    let message = every_message();
    let some = columns([
        ("picked", inner()),
        ("chosen", DataType::Utf8),
        ("number", DataType::Int32),
        ("texts", list_of(DataType::Utf8)),
        ("numbers", map_of(DataType::Int32)),
        ("i32", DataType::Int32),
        ("maybe", DataType::Int64),
    ]);
    for (row, expected) in [
        (r#"{"picked":null}"#, &[][..]),
        (r#"{"i32":0,"maybe":0}"#, &[0x88, 1, 0]),
        (
            r#"{"texts":[null,"a"]}"#,
            b"\xa2\x01\x06<null>\xa2\x01\x01a",
        ),
        (
            r#"{"numbers":{"k":null}}"#,
            b"\xba\x01\x05\x0a\x01k\x10\x00",
        ),
        // The column that comes last takes the place of the others.
        (r#"{"picked":{"n":1},"chosen":"x"}"#, b"\xca\x01\x01x"),
        (r#"{"chosen":"x","number":0}"#, &[0xc0, 1, 0]),
    ] {
        assert_eq!(
            encoded(&message, &records(&some, &[row])).unwrap(),
            expected,
            "{row}"
        );
    }
    let old = self::message(PROTO2, "golden.Old");
    let required = columns([
        ("must", DataType::Int32),
        ("shades", list_of(DataType::Utf8)),
    ]);
    let written = encoded(
        &old,
        &records(&required, &[r#"{"must":1,"shades":["LIGHT",null]}"#]),
    );
    assert_eq!(written.unwrap(), [0x08, 1, 0x38, 5, 0x38, 3]);
    for (row, expected) in [
        (
            r#"{"must":null}"#,
            "column 'must': is NULL, but the field is required",
        ),
        (
            r#"{"must":1,"shades":["BLUE"]}"#,
            "column 'shades': the enum has no value 'BLUE'",
        ),
    ] {
        let refused = encoded(&old, &records(&required, &[row]));
        assert_eq!(refused, Err(RowError(expected.to_owned())));
    }
}

proptest! {
    /// Through a decoder and an encoder that are not ours.
    #[test]
    fn another_implementation_understands_what_is_written(
        n in any::<Option<i64>>(), s in "\\PC{0,9}", list in proptest::collection::vec(any::<i64>(), 1..5),
        inner in proptest::option::of(any::<i32>()), at in -1_000_000_000_000_000_i64..1_000_000_000_000_000,
        numbers in proptest::collection::btree_map("[a-d]{0,2}", any::<i32>(), 1..4), x in any::<f64>(),
    ) {
        prop_assume!(x.is_finite());
        let message = every_message();
        let some = columns([
            ("maybe", DataType::Int64), ("s", DataType::Utf8), ("list", list_of(DataType::Int64)),
            ("inner", self::inner()), ("numbers", map_of(DataType::Int32)),
            ("s64", DataType::Int64), ("d", DataType::Float64),
            ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ]);
        let row = serde_json::json!({
            "maybe": n, "s": s, "list": list, "inner": inner.map(|n| serde_json::json!({"n": n})),
            "numbers": numbers, "s64": list[0], "d": x,
        });
        let mut row = row.to_string();
        let mut text = Vec::new();
        let date = crate::formats::datetime::WrittenDate::default();
        crate::formats::datetime::write_timestamp(
            at, TimeUnit::Microsecond, crate::formats::datetime::TimestampForm::Sql, &date, &mut text,
        );
        let text = String::from_utf8(text).unwrap();
        row.insert_str(1, &format!("\"at\":\"{text}\","));
        let written = records(&some, &[&row]);
        let bytes = encoded(&message, &written).unwrap();
        let theirs = DynamicMessage::decode(message.clone(), bytes.as_slice()).unwrap();
        let theirs_of = |name: &str| theirs.get_field_by_name(name).unwrap().into_owned();
        let their_text = theirs_of("s");
        prop_assert_eq!(their_text.as_str(), Some(s.as_str()));
        prop_assert_eq!(theirs_of("s64").as_i64(), Some(list[0]));
        prop_assert_eq!(theirs.has_field_by_name("maybe"), n.is_some());
        let mut decoder = decoder(&message, &some, nulls()).unwrap();
        decoder.push(&theirs.encode_to_vec()).unwrap();
        let read = decoder.finish();
        // Their map has no order.
        let json = |records: &RecordBatch| -> serde_json::Value {
            serde_json::from_slice(&row_to_json(records, 0)).unwrap()
        };
        prop_assert_eq!(json(&read), json(&written));
    }

    /// A record with some bytes changed is a row or is refused without a trace.
    #[test]
    fn changed_records_leave_no_trace(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let message = every_message();
        let whole = golden("proto3 every type");
        let mut changed = whole.clone();
        for (at, to) in changes {
            let at = at % changed.len();
            changed[at] = to;
        }
        let mut decoder = decoder(&message, &every_type(), nulls()).unwrap();
        decoder.push(&whole).unwrap();
        let taken = decoder.push(&changed);
        let rows = 2 + usize::from(taken.is_ok());
        decoder.push(&whole).unwrap();
        let records = decoder.finish();
        prop_assert_eq!(records.num_rows(), rows);
        let last = String::from_utf8(row_to_json(&records, rows - 1)).unwrap();
        prop_assert_eq!(last, EVERY_VALUE);
    }
}
