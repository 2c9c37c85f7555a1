//! The watermark of rows, computed by the expression that a table declares.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};

use crate::expr::Expression;
use crate::operators::EventTimes;
use crate::runtime::{Result, WatermarkStrategy};
use crate::stream::EventTime;

/// `WATERMARK FOR column AS expression`.
pub struct DeclaredWatermark(pub Expression);

impl DeclaredWatermark {
    /// A strategy for the runtime.
    pub fn strategy(expression: Expression) -> Arc<dyn WatermarkStrategy> {
        Arc::new(Self(expression))
    }
}

impl WatermarkStrategy for DeclaredWatermark {
    fn highest(&self, records: &RecordBatch, ceiling: EventTime) -> Result<Option<EventTime>> {
        let mut highest = None;
        // A row for which the expression fails gives rise to no watermark; it
        // becomes a dead letter where its columns are computed.
        let mut waiting = vec![records.clone()];
        while let Some(part) = waiting.pop() {
            match self.0.evaluate(&part) {
                Ok(column) => {
                    debug_assert_eq!(column.len(), part.num_rows());
                    let times = EventTimes::new(&column);
                    let below = times.iter().flatten();
                    let below = below.filter(|&millis| millis <= ceiling.millis());
                    highest = highest.max(below.max());
                }
                Err(_) if part.num_rows() > 1 => {
                    let middle = part.num_rows() / 2;
                    waiting.push(part.slice(middle, part.num_rows() - middle));
                    waiting.push(part.slice(0, middle));
                }
                Err(_) => {}
            }
        }
        Ok(highest.map(EventTime::from_millis))
    }
}
