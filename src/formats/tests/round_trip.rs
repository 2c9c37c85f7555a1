//! Properties: what is written is read back, JSON means what another parser takes
//! it for, and no bytes make a decoder panic.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

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
                    let date = datetime::WrittenDate::default();
                    datetime::write_timestamp(
                        at,
                        MS,
                        datetime::TimestampForm::Sql,
                        &date,
                        &mut text,
                    );
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
            let mut file = EncodedRecords::lines();
            format.encoder(&schema).encode(&batch, &mut file).unwrap();
            // Through the framing, so that it agrees with the encoder and the decoder.
            let mut decoder = format.decoder(&schema, &schema);
            let mut rest = file.bytes();
            while let Some(length) = format.framing().unwrap().record_length(rest) {
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
            format.framing().unwrap().record_length(&bytes);
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
