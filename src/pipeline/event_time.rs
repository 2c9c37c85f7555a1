//! The watermark of rows, computed by the expression that a table declares.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;

use crate::expr::Expression;
use crate::operators::EventTimes;
use crate::runtime::{Result, WatermarkStrategy};
use crate::stream::EventTime;

/// `WATERMARK FOR column AS expression`.
pub struct DeclaredWatermark {
    expression: Expression,
    /// What the expression rises with, if only the last row needs to be computed.
    rises_with: Option<Expression>,
}

impl DeclaredWatermark {
    /// A strategy for the runtime, for rows of `schema`.
    pub fn strategy(expression: Expression, schema: &SchemaRef) -> Arc<dyn WatermarkStrategy> {
        Arc::new(Self {
            rises_with: expression.time_before_shift(schema),
            expression,
        })
    }

    /// The watermark of the last row; `None` if it is not known to be the highest.
    fn of_last_row(&self, records: &RecordBatch) -> Option<i64> {
        let times = self.rises_with.as_ref()?.evaluate(records).ok()?;
        let times = EventTimes::new(&times);
        let known = times.iter().enumerate();
        let known = known.filter_map(|(row, millis)| Some((millis?, row)));
        let (_, last) = known.max()?;
        let watermark = self.expression.evaluate(&records.slice(last, 1)).ok()?;
        EventTimes::new(&watermark).iter().next()?
    }

    /// The highest watermark of all rows that is not above `ceiling`.
    fn of_all_rows(&self, records: &RecordBatch, ceiling: EventTime) -> Option<i64> {
        let mut highest = None;
        // A row for which the expression fails gives rise to no watermark; it
        // becomes a dead letter where its columns are computed.
        let mut waiting = vec![records.clone()];
        while let Some(part) = waiting.pop() {
            match self.expression.evaluate(&part) {
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
        highest
    }
}

impl WatermarkStrategy for DeclaredWatermark {
    fn highest(&self, records: &RecordBatch, ceiling: EventTime) -> Result<Option<EventTime>> {
        let highest = self
            .of_last_row(records)
            .filter(|&millis| millis <= ceiling.millis())
            .or_else(|| self.of_all_rows(records, ceiling));
        Ok(highest.map(EventTime::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMillisecondArray;

    use super::*;
    use crate::plan::NodeKind;
    use crate::sql::{SourceFile, compile};

    /// The watermark of the only table of a program.
    fn watermark(declared: &str) -> (Expression, SchemaRef) {
        let file = SourceFile {
            name: "watermark.sql".to_owned(),
            text: format!(
                "CREATE TABLE a (ts TIMESTAMP(3), WATERMARK FOR ts AS {declared})
                 WITH ('connector' = 'x');
                 SELECT ts FROM a;"
            ),
        };
        let dataflow = compile(&[file], &|_| None).unwrap().dataflow;
        let declared = dataflow.nodes.iter().find_map(|node| match &node.kind {
            NodeKind::Source {
                watermark, table, ..
            } => Some((watermark.clone()?, table.record_schema())),
            _ => None,
        });
        declared.unwrap()
    }

    #[test]
    fn the_last_row_alone_says_as_much_as_all_rows() {
        for (declared, is_short) in [
            ("ts", false),
            ("ts - INTERVAL '4' SECOND", true),
            ("ts + INTERVAL '1' DAY", true),
            ("ts - INTERVAL '1' MONTH", true),
            (
                "CASE WHEN ts > TIMESTAMP '2020-01-01 00:00:00' THEN ts END",
                false,
            ),
        ] {
            let (expression, schema) = watermark(declared);
            assert_eq!(expression.time_before_shift(&schema).is_some(), is_short);
            let strategy = DeclaredWatermark {
                rises_with: expression.time_before_shift(&schema),
                expression,
            };
            for times in [
                vec![],
                vec![None],
                vec![Some(1_709_210_096_000), None, Some(1_711_888_496_000)],
                vec![Some(i64::MAX), Some(7)],
                vec![Some(i64::MIN), Some(-7), Some(-7)],
            ] {
                let times = Arc::new(TimestampMillisecondArray::from(times));
                let records = RecordBatch::try_new(Arc::clone(&schema), vec![times]).unwrap();
                for ceiling in [EventTime::MAX, EventTime::from_millis(5)] {
                    let found = strategy.highest(&records, ceiling).unwrap();
                    let all = strategy.of_all_rows(&records, ceiling);
                    assert_eq!(found.map(EventTime::millis), all, "{declared}, {records:?}");
                }
            }
        }
    }
}
