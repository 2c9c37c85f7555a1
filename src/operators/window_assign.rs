//! Appends the windows of a row to it, once for each window that it belongs to.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;

use super::event_time::EventTimes;
use super::row_errors::dead_letter;
use super::window::Slicing;
use crate::runtime::{Error, Operator, Output, Result};
use crate::stream::{Batch, EventTime};

/// A window table function that is not aggregated at once: `TUMBLE` or `HOP`
/// with `window_start`, `window_end` and `window_time` behind the columns.
pub struct WindowAssign {
    schema: SchemaRef,
    time: usize,
    slicing: Slicing,
}

impl WindowAssign {
    /// Windows over the event time in column `time`; `schema` has the three
    /// columns of the window behind those of the input.
    pub fn new(schema: SchemaRef, time: usize, slicing: Slicing) -> Self {
        Self {
            schema,
            time,
            slicing,
        }
    }
}

impl Operator for WindowAssign {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let records = &batch.records;
        let mut rows = Vec::with_capacity(records.num_rows());
        let mut windows = Vec::with_capacity(records.num_rows());
        let times = EventTimes::new(records.column(self.time));
        for (row, time) in times.iter().enumerate() {
            let Some(time) = time else {
                let reason = "the event time of a windowed row is null".to_owned();
                out.dead_letter(dead_letter(records, row, "window", reason));
                continue;
            };
            for window in self.slicing.windows_of(EventTime::from_millis(time)) {
                rows.push(u32::try_from(row).expect("a batch has fewer than 2^32 rows"));
                windows.push(window);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let kinds = batch.kinds.as_ref().map(|_| {
            let rows = rows.iter().map(|&row| batch.kind(row as usize));
            rows.collect()
        });
        let records = self.with_windows(records, rows, &windows);
        let records = records.map_err(|error| Error::Fatal(error.to_string()))?;
        out.emit(Batch::with_kinds(records, kinds));
        Ok(())
    }
}

impl WindowAssign {
    fn with_windows(
        &self,
        records: &RecordBatch,
        rows: Vec<u32>,
        windows: &[(EventTime, EventTime)],
    ) -> arrow::error::Result<RecordBatch> {
        let mut columns = take_record_batch(records, &UInt32Array::from(rows))?
            .columns()
            .to_vec();
        columns.extend(window_columns(&windows.iter().copied()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// The columns `window_start`, `window_end` and `window_time` of windows given
/// by start and end. A window's time is its last millisecond.
pub fn window_columns(
    windows: &(impl Iterator<Item = (EventTime, EventTime)> + Clone),
) -> [ArrayRef; 3] {
    let column = |of: fn((EventTime, EventTime)) -> i64| -> ArrayRef {
        let values = windows.clone().map(of);
        let column = TimestampMillisecondArray::from_iter_values(values);
        debug_assert_eq!(column.null_count(), 0, "a window always has bounds");
        Arc::new(column)
    };
    [
        column(|(start, _)| start.millis()),
        column(|(_, end)| end.millis()),
        column(|(_, end)| end.saturating_sub(1).millis()),
    ]
}
