//! The two ways of reading a record, and a record alone or among lines, must come
//! to the same rows and the same reasons.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::Json;
use super::decode::JsonDecoder;
use crate::formats::{Decoder, Framing, LineBounds, Taken, line_length};

const BOUNDS: LineBounds = LineBounds {
    records_max: usize::MAX,
    record_bytes_max: 1 << 20,
};

const RECORD: &str = r#"{"flag":true,"tiny":-7,"small":300,"n":-12,"long":1234567890123,"x":-1.5e3,"f":0.25,"d":12.5,"s":"a\n\ud83d\ude00é","b":"aGk=","day":"2020-02-29","t":"12:00:00.5","at":"2020-01-01 12:00:00.123","r":{"a":1,"b":"x","l":[{"a":2},null]},"m":{"k":[1,2],"\u006c":[]},"unknown":{"deep":[1.5e-3,"\"",{"x":null}]}}"#;

/// A column of every type.
fn schema() -> SchemaRef {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let list = |of: DataType| DataType::List(Arc::new(field("element", of)));
    let inner = Fields::from(vec![Field::new("a", DataType::Int64, false)]);
    let row = Fields::from(vec![
        field("a", DataType::Int32),
        field("b", DataType::Utf8),
        field("l", list(DataType::Struct(inner))),
    ]);
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        field("value", list(DataType::Int64)),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    Arc::new(Schema::new(vec![
        field("flag", DataType::Boolean),
        field("tiny", DataType::Int8),
        field("small", DataType::Int16),
        field("n", DataType::Int32),
        field("long", DataType::Int64),
        field("x", DataType::Float64),
        field("f", DataType::Float32),
        field("d", DataType::Decimal128(10, 2)),
        field("s", DataType::Utf8),
        field("b", DataType::Binary),
        field("day", DataType::Date32),
        field("t", DataType::Time32(TimeUnit::Millisecond)),
        field("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        field("r", DataType::Struct(row)),
        field("m", DataType::Map(Arc::new(entries), false)),
    ]))
}

fn decoder(options: Json) -> JsonDecoder {
    JsonDecoder::new(options, &schema())
}

/// Pushes records to a decoder, and to another one that takes the careful way only.
fn check_both_ways(options: Json, records: &[&[u8]]) {
    let (mut decoder, mut careful) = (decoder(options), decoder(options));
    for record in records {
        let pushed = decoder.push(record);
        let expected = match std::str::from_utf8(record) {
            Ok(text) => careful.push_carefully(text),
            Err(_) => careful.push(record),
        };
        assert_eq!(pushed, expected, "{}", record.escape_ascii());
    }
    assert_eq!(decoder.finish(), careful.finish());
}

/// Decodes bytes as lines at once, and line by line.
fn check_lines(options: Json, bytes: &[u8]) {
    let (mut decoder, mut single) = (decoder(options), decoder(options));
    let mut refused = Vec::new();
    let taken = decoder.push_lines(bytes, BOUNDS, &mut refused);
    let (mut expected, mut at, mut records) = (Vec::new(), 0, 0);
    while let Some(length) = line_length(&bytes[at..]) {
        let line = Framing::trim_line_end(&bytes[at..at + length]);
        if let Err(error) = single.push(line) {
            expected.push((at, at + line.len(), error));
        }
        at += length;
        records += 1;
    }
    assert_eq!(taken, Taken { bytes: at, records });
    let refused: Vec<_> = refused
        .into_iter()
        .map(|line| (line.start, line.end, line.error))
        .collect();
    assert_eq!(refused, expected, "{}", bytes.escape_ascii());
    assert_eq!(decoder.finish(), single.finish());
}

fn strict() -> Json {
    Json {
        fail_on_missing_field: true,
        ..Json::default()
    }
}

/// A byte that is neither space nor part of JSON was once stepped over behind a value.
#[test]
fn what_is_no_space_is_not_stepped_over() {
    let places = [
        "{@\"n\":1}",
        "{\"n\"@:1}",
        "{\"n\":@1}",
        "{\"n\":1@}",
        "{\"n\":1}@",
    ];
    for place in places.into_iter().chain(["{\"n\":1@,\"s\":\"a\"}"]) {
        for byte in 0..=b' ' {
            let record = place.replace('@', std::str::from_utf8(&[byte]).unwrap());
            check_both_ways(Json::default(), &[record.as_bytes()]);
            let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let pushed = decoder(Json::default()).push(record.as_bytes());
            assert_eq!(pushed.is_ok(), is_space, "{}", record.escape_debug());
        }
    }
}

/// Changes that leave a record nearly what it was.
fn mutant(record: &str, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = record.as_bytes().to_vec();
    for (place, kind, byte) in changes {
        let place = place % (bytes.len() + 1);
        match kind % 4 {
            0 => bytes.truncate(place.max(1)),
            1 => bytes.insert(place, *byte),
            2 if place < bytes.len() => bytes[place] = *byte,
            3 if place < bytes.len() => {
                bytes.remove(place);
            }
            _ => {}
        }
    }
    bytes
}

/// Bytes that mean something to a parser, more often than others.
fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        proptest::sample::select(b"\"\\{}[]:,.-+eE0129 \t\r\n/unft\0\x1f\x7f\xc3\xa9\xff".to_vec()),
        any::<u8>(),
    ]
}

/// Strings are copied in blocks while their end is sought.
#[test]
fn strings_of_any_length_with_an_escape_at_any_place() {
    for length in (0..150).step_by(7) {
        let plain = "x".repeat(length);
        check_lines(
            Json::default(),
            format!("{{\"s\":\"{plain}\"}}\n").as_bytes(),
        );
        for at in 0..length {
            let text = format!("{}\\n{}", &plain[..at], &plain[at..]);
            let record = format!("{{\"s\":\"{text}\",\"r\":{{\"b\":\"{text}\"}},\"n\":1}}");
            check_both_ways(Json::default(), &[record.as_bytes(), record.as_bytes()]);
        }
    }
}

#[test]
fn a_record_cut_at_any_byte_is_refused() {
    for end in 0..RECORD.len() {
        let cut = &RECORD.as_bytes()[..end];
        check_both_ways(Json::default(), &[cut, RECORD.as_bytes()]);
        check_lines(
            Json::default(),
            &[RECORD.as_bytes(), b"\n", cut, b"\n"].concat(),
        );
        let pushed = decoder(Json::default()).push(cut);
        assert_eq!(pushed.is_err(), end > 0, "{end}");
    }
}

#[test]
fn the_order_of_fields_is_learned_and_forgotten() {
    let records = [
        r#"{"n":1,"s":"x","other":[1],"x":2}"#,
        r#"{"n":1,"s":"x","other":[1],"x":2}"#,
        r#"{"x":1,"s":"y"}"#,
        r#"{ "s" : "y" , "n" : 3 }"#,
        r#"{"n":1,"other":null,"another":{},"x":2}"#,
        r#"{"n":1,"s":"x","x":2,"n":4}"#,
        r#"{"\u006e":5}"#,
        r#"{"\u006e":5,"n":6}"#,
        r#"{"n":"7","long":"8","x":"1.5","flag":"TRUE","s":12,"d":"1.005"}"#,
        r#"{"n":1.0,"long":1e3,"x":12345678901234567890,"f":16777217,"d":0.005}"#,
        r#"{"s":{"a" : 1},"b":"!","at":"2020-01-01 12:00:00"}"#,
        "{}",
        "{\r\n}",
    ];
    let records = records.map(str::as_bytes);
    check_both_ways(Json::default(), &records);
    check_both_ways(Json::default(), &records.repeat(2));
}

#[test]
fn names_without_end_are_not_learned() {
    let many: Vec<_> = (0..5_000)
        .map(|n| format!(r#"{{"name-{n}":1,"n":2}}"#))
        .collect();
    let mut records: Vec<_> = many.iter().map(String::as_bytes).collect();
    records.push(br#"{"\u006e":3}"#);
    records.push(br#"{"unseen":1,"s":"x"}"#);
    check_both_ways(Json::default(), &records);
}

#[test]
fn lines_are_records() {
    let long = format!("{{\"s\":\"{}\"}}\n", "x".repeat(40_000));
    let too_long = format!("{{\"s\":\"{}\"}}", "x".repeat(1 << 20));
    let bad = b"{\"n\":1}\n{\"s\":\"\xff\"}\n{\"n\":3}\n";
    for lines in [
        &b""[..],
        b"\n",
        b"{\"n\":1}",
        b"{\"n\":1}\n",
        b"{\"n\":1}\r\n{\"n\":2}\r\n",
        b"\n\r\n  \n{\"n\":1} \t\r\n",
        b"\xef\xbb\xbf{\"n\":1}\n{\"n\":2}\n",
        b"{\"n\":\n1}\n",
        b"{\"s\":\"a\nb\"}\n{\"n\":2}\n",
        b"{\"n\":1}{\"n\":2}\n{\"n\":3}\n{\"n\":4",
        bad,
        long.as_bytes(),
        &[long.as_bytes(), bad, RECORD.as_bytes(), b"\n"].concat(),
        &[RECORD, "\n"].concat().repeat(200).into_bytes(),
    ] {
        check_lines(Json::default(), lines);
    }
    let lines = ["{\"n\":1}\n", &too_long, "\n"].concat();
    let mut decoder = decoder(Json::default());
    let taken = decoder.push_lines(lines.as_bytes(), BOUNDS, &mut Vec::new());
    let expected = Taken {
        bytes: 8,
        records: 1,
    };
    assert_eq!(taken, expected, "a line that is too long is left alone");
}

#[test]
fn no_more_lines_are_taken_than_wanted() {
    let lines = "{\"n\":1}\n".repeat(5);
    for (records_max, expected) in [(0, 0), (1, 1), (3, 3), (5, 5), (6, 5)] {
        let mut decoder = decoder(Json::default());
        let bounds = LineBounds {
            records_max,
            ..BOUNDS
        };
        let taken = decoder.push_lines(lines.as_bytes(), bounds, &mut Vec::new());
        let expected = Taken {
            bytes: expected * 8,
            records: expected,
        };
        assert_eq!(taken, expected);
        assert_eq!(decoder.num_rows(), expected.records);
    }
}

proptest! {
    #[test]
    fn both_ways_and_lines_agree(
        changes in proptest::collection::vec(
            proptest::collection::vec((any::<usize>(), any::<u8>(), any_byte()), 0..3), 1..6),
        is_strict in any::<bool>(),
    ) {
        let options = if is_strict { strict() } else { Json::default() };
        let records: Vec<_> = changes.iter().map(|changes| mutant(RECORD, changes)).collect();
        let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
        check_both_ways(options, &records);
        check_lines(options, &records.join(&b'\n'));
    }

    #[test]
    fn fields_in_any_order_any_number_of_times(
        fields in proptest::collection::vec(
            proptest::sample::subsequence(FIELDS.to_vec(), 0..8).prop_shuffle(), 1..6),
    ) {
        let records: Vec<_> = fields.iter().map(|fields| format!("{{{}}}", fields.join(","))).collect();
        let records: Vec<_> = records.iter().map(String::as_bytes).collect();
        check_both_ways(Json::default(), &records);
        check_lines(Json::default(), &records.join(&b'\n'));
    }
}

const FIELDS: [&str; 24] = [
    r#""n":1"#,
    r#""n":2"#,
    r#""n":null"#,
    r#""n":99999999999"#,
    r#""long":-9223372036854775808"#,
    r#""long":12345678901234567890"#,
    r#""x":0.1"#,
    r#""x":1e999"#,
    r#""x":123456789.123456789123"#,
    r#""f":0.1"#,
    r#""s":"plain""#,
    r#""s":"\u00e9\ud83d\ude00\\""#,
    r#""s":"\ud800""#,
    r#""s":[1, {"a" : "b c"}]"#,
    r#""s":-0.0"#,
    r#""at":"2020-01-01 00:00:00.001""#,
    r#""at":"2020-02-30 00:00:00.001""#,
    r#""r":null"#,
    r#""r":{"b":"y","a":1,"a":2,"z":0}"#,
    r#""r":{"l":[{"a":null}]}"#,
    r#""m":{"a":[1],"b":null,"a":[2,3]}"#,
    r#""m":{"1":[],"2":[],"3":[],"4":[],"5":[],"6":[],"7":[],"8":[],"9":[],"1":null}"#,
    r#""other":{"x":[[[]]]}"#,
    r#""another":-1.5E+7"#,
];
