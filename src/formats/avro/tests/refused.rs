//! What is no row, and what is no record, with the reason.

use super::*;

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
