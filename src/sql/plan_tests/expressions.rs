//! Expressions to their types and values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use arrow::util::display::array_value_to_string;

use super::{check_goldens, compile_text};
use crate::plan::{NodeKind, column_type_name};

/// Two rows of the table `bid`.
fn rows() -> RecordBatch {
    let cost = Decimal128Array::from(vec![Some(12_345), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("auction", Arc::new(Int64Array::from(vec![Some(7), None]))),
        ("bidder", Arc::new(Int64Array::from(vec![-3, 4]))),
        ("price", Arc::new(Int32Array::from(vec![Some(10), None]))),
        (
            "channel",
            Arc::new(StringArray::from(vec![Some("Apple,Pie"), None])),
        ),
        (
            "cost",
            Arc::new(cost.with_precision_and_scale(10, 2).unwrap()),
        ),
        (
            "weight",
            Arc::new(Float64Array::from(vec![Some(2.5), None])),
        ),
        // 2023-11-14 22:13:20.123, a Tuesday.
        (
            "ts",
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(1_700_000_000_123),
                None,
            ])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The type of the one column, and its value for both rows.
fn answer(expression: &str) -> String {
    let program = match compile_text(&format!("SELECT {expression} FROM bid")) {
        Ok(program) => program,
        Err(errors) => return format!("error: {}", errors[0].message),
    };
    let rows = rows();
    let nodes = &program.dataflow.nodes;
    let NodeKind::Source {
        decoded, columns, ..
    } = &nodes[0].kind
    else {
        panic!("{}", program.dataflow);
    };
    let places = decoded.fields().iter();
    let places = places.map(|field| rows.schema().index_of(field.name()).unwrap());
    let decoded = rows.project(&places.collect::<Vec<_>>()).unwrap();
    let read: Vec<ArrayRef> = columns
        .iter()
        .map(|column| column.evaluate(&decoded).unwrap())
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(2));
    let read = RecordBatch::try_new_with_options(nodes[0].schema.clone(), read, &options).unwrap();
    let values = match &nodes[1].kind {
        NodeKind::Project { columns } => columns[0].evaluate(&read),
        _ => Ok(Arc::clone(read.column(0))),
    };
    let printed = nodes.last().unwrap();
    let data_type = column_type_name(printed.schema.field(0));
    match values {
        Ok(values) => {
            let text = |row| {
                if values.is_null(row) {
                    "NULL".to_owned()
                } else {
                    match values.as_string_opt::<i32>() {
                        Some(texts) => format!("'{}'", texts.value(row)),
                        None => array_value_to_string(&values, row).unwrap(),
                    }
                }
            };
            format!("{data_type}: {} | {}", text(0), text(1))
        }
        Err(error) => format!("{data_type}: error: {error}"),
    }
}

#[test]
fn types_and_values() {
    check_goldens(
        "expressions.txt",
        include_str!("expressions.txt"),
        60,
        answer,
    );
}
