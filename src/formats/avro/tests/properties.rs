//! What holds for any rows, any bytes and any schema.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

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
