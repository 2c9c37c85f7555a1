//! Formats whose records are changes.

use crate::stream::{Batch, ChangeKind};

use super::*;

fn schema() -> SchemaRef {
    columns(&[
        ("id", DataType::Int64, false),
        ("name", DataType::Utf8, true),
    ])
}

/// The rows of a batch with what each does.
fn changes(batch: &Batch) -> String {
    let rows = shown(&batch.records);
    let rows = rows.iter().enumerate();
    let rows = rows.map(|(row, text)| format!("{}[{text}]", batch.kind(row)));
    rows.collect::<Vec<_>>().join(" ")
}

#[test]
fn debezium_changes_are_read() {
    const PLAIN: &[(&str, &str)] = &[("format", "debezium-json")];
    const ENVELOPED: &[(&str, &str)] = &[
        ("format", "debezium-json"),
        ("debezium-json.schema-include", "true"),
    ];
    let cases: [RecordCase<'_>; 13] = [
        (
            PLAIN,
            br#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":7}"#,
            Ok("+I[1|a]"),
        ),
        (
            PLAIN,
            br#"{"after":{"id":1,"name":"a","more":[{}]},"op":"r"}"#,
            Ok("+I[1|a]"),
        ),
        (
            PLAIN,
            br#"{"op":"u","before":{"id":1,"name":"a"},"after":{"id":1}}"#,
            Ok("-U[1|a] +U[1|NULL]"),
        ),
        (
            PLAIN,
            br#"{"before":{"id":1,"name":"a"},"after":null,"op":"d"}"#,
            Ok("-D[1|a]"),
        ),
        // A tombstone.
        (PLAIN, b"", Ok("")),
        (
            PLAIN,
            br#"{"before":null,"after":null,"op":"c"}"#,
            Err("the change 'c' has no 'after'"),
        ),
        (
            PLAIN,
            br#"{"before":null,"after":{"id":1},"op":"u"}"#,
            Err(
                "the change 'u' has no 'before', the row as it was; for PostgreSQL set REPLICA IDENTITY FULL on the table",
            ),
        ),
        (
            PLAIN,
            br#"{"before":{"id":1},"after":{"id":null},"op":"u"}"#,
            Err("column 'id': is NOT NULL but the record has no value for it"),
        ),
        (
            PLAIN,
            br#"{"before":{"id":1},"after":null,"op":"t"}"#,
            Err("'op' is 't', and the changes are 'c', 'r', 'u' and 'd'"),
        ),
        (
            PLAIN,
            br#"{"id":1}"#,
            Err(
                "the record is no change of Debezium: missing field `op` at line 1 column 8 (a change in 'payload' needs 'debezium-json.schema-include' = 'true')",
            ),
        ),
        (
            PLAIN,
            b"{",
            Err(
                "the record is no change of Debezium: EOF while parsing an object at line 1 column 1 (a change in 'payload' needs 'debezium-json.schema-include' = 'true')",
            ),
        ),
        (
            ENVELOPED,
            br#"{"schema":{"type":"struct"},"payload":{"before":null,"after":{"id":1,"name":"a"},"op":"c"}}"#,
            Ok("+I[1|a]"),
        ),
        (
            ENVELOPED,
            br#"{"before":null,"after":{"id":1},"op":"c"}"#,
            Err(
                "the record is no change of Debezium: missing field `payload` at line 1 column 41 (with 'debezium-json.schema-include' the change is in 'payload')",
            ),
        ),
    ];
    for (options, record, expected) in cases {
        let format = made(options, &schema()).unwrap();
        let mut decoder = format.decoder(&schema(), &schema());
        let pushed = decoder.push(record).map_err(|error| error.0);
        let rows = decoder.num_rows();
        let batch = decoder.finish_changes();
        let record = String::from_utf8_lossy(record);
        assert_eq!(batch.num_rows(), rows, "{record}");
        let found = pushed.map(|()| changes(&batch));
        let found = found.as_deref().map_err(String::as_str);
        assert_eq!(found, expected, "{record}");
    }
}

/// The row before a change whose other half is none is not left over, wherever it is.
#[test]
fn half_a_debezium_change_leaves_nothing() {
    let format = made(&[("format", "debezium-json")], &schema()).unwrap();
    let mut decoder = format.decoder(&schema(), &schema());
    for (record, is_read) in [
        (r#"{"after":{"id":1},"op":"c"}"#, true),
        (r#"{"before":{"id":1},"after":{"id":"?"},"op":"u"}"#, false),
        (r#"{"before":{"id":1},"op":"d"}"#, true),
    ] {
        assert_eq!(decoder.push(record.as_bytes()).is_ok(), is_read, "{record}");
    }
    assert_eq!(decoder.num_rows(), 2);
    assert_eq!(changes(&decoder.finish_changes()), "+I[1|NULL] -D[1|NULL]");
    assert_eq!(decoder.num_rows(), 0);
}

#[test]
fn debezium_changes_are_written_as_flink_writes_them() {
    let format = made(&[("format", "debezium-json")], &schema()).unwrap();
    let mut decoder = format.decoder(&schema(), &schema());
    for record in [
        r#"{"after":{"id":1,"name":"a"},"op":"c"}"#,
        r#"{"before":{"id":1,"name":"a"},"after":{"id":1},"op":"u"}"#,
        r#"{"before":{"id":1},"op":"d"}"#,
    ] {
        decoder.push(record.as_bytes()).unwrap();
    }
    let batch = decoder.finish_changes();
    let kinds: Vec<_> = (0..4).map(|row| batch.kind(row)).collect();
    let (before, after) = (ChangeKind::UpdateBefore, ChangeKind::UpdateAfter);
    assert_eq!(
        kinds,
        [ChangeKind::Insert, before, after, ChangeKind::Delete]
    );
    let mut out = EncodedRecords::lines();
    format
        .encoder(&schema())
        .encode_changes(&batch, &mut out)
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(out.bytes()),
        r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c"}
{"before":{"id":1,"name":"a"},"after":null,"op":"d"}
{"before":null,"after":{"id":1,"name":null},"op":"c"}
{"before":{"id":1,"name":null},"after":null,"op":"d"}
"#
    );
}
