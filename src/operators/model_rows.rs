//! The shape of the rows that models of windows play with, and of the windows behind results.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A key, which may be null, a time and a value.
pub(super) fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("time", time(), true),
        Field::new("value", DataType::Int64, false),
    ]))
}

/// Start, end and time of a window.
pub(super) fn window_fields() -> [Field; 3] {
    let bounds = ["window_start", "window_end", "window_time"];
    bounds.map(|name| Field::new(name, time(), false))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}
