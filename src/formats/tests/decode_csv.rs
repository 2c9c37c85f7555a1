//! CSV records that are good, odd or bad, and what holds for every decoder.

use super::*;

#[test]
fn csv_records() {
    let schema = columns(&[
        ("id", DataType::Int32, true),
        ("name", DataType::Utf8, true),
        ("price", DataType::Decimal128(6, 2), true),
        ("at", DataType::Timestamp(MS, None), true),
    ]);
    check_records(
        "csv",
        &schema,
        &[
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
        ],
    );
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
