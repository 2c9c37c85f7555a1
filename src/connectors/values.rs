//! Rows that stand in the program, as `VALUES (…), (…)` means them.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;

use super::generated::{GeneratedSource, RowMaker, RowNumbers, Schedule};
use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats::{self, FormatRef, Options};
use crate::runtime::SourceFactory;

const ROWS: &str = "rows";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "values",
    purpose: "Rows that stand in the program. INSERT INTO … VALUES (…) and FROM (VALUES (…)) use it.",
    source: Some("Exactly once: the rows are part of the plan, and the source ends behind them."),
    sink: None,
    options: &[OptionDoc {
        key: ROWS,
        default: OptionDefault::Off,
        doc: "The rows as JSON objects, one a line; without it there are none.",
    }],
    metadata: &[],
    formats: &[],
    example: "CREATE TABLE rates (currency STRING, rate DECIMAL(10, 4)) WITH ('connector' = 'values',\n  \
              'rows' = '{\"currency\":\"EUR\",\"rate\":1.0856}\n{\"currency\":\"JPY\",\"rate\":0.0067}');",
};

/// The source of a table.
pub(super) fn source(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    let mut options = Options::new(&table.options);
    let rows = options.text(ROWS).unwrap_or_default().to_owned();
    options.finish()?;
    let format = json(&table.schema)?;
    let all = decoded(&format, &table.schema, &rows).map_err(|message| {
        vec![OptionError {
            key: Some(ROWS.to_owned()),
            message,
        }]
    })?;
    let schedule = Schedule {
        rows_per_second: None,
        rows_per_event_second: 1,
        rows: Some(all.num_rows() as u64),
        splits: 1,
        start_millis: Some(0),
    };
    let whole = Arc::clone(&table.schema);
    Ok(GeneratedSource::new(schedule, move |schema: &SchemaRef| {
        let mut decoder = format.decoder(&whole, schema);
        for row in rows.lines() {
            decoder
                .push(row.as_bytes())
                .expect("the whole row was read before");
        }
        Box::new(Rows(decoder.finish())) as Box<dyn RowMaker>
    }))
}

fn json(schema: &SchemaRef) -> Result<FormatRef, Vec<OptionError>> {
    let given = IndexMap::from([("format".to_owned(), "json".to_owned())]);
    let mut options = Options::new(&given);
    let format = formats::format(&mut options, schema);
    options.finish()?;
    Ok(format.expect("a format without errors is there"))
}

fn decoded(format: &FormatRef, schema: &SchemaRef, rows: &str) -> Result<RecordBatch, String> {
    let mut decoder = format.decoder(schema, schema);
    for (place, row) in rows.lines().enumerate() {
        let pushed = decoder.push(row.as_bytes());
        pushed.map_err(|error| format!("row {}: {}", place + 1, error.0))?;
        // An empty line holds no row, and would move those behind it.
        if decoder.num_rows() != place + 1 {
            return Err(format!("row {} is empty", place + 1));
        }
    }
    Ok(decoder.finish())
}

/// All rows, of which a split is asked for some.
struct Rows(RecordBatch);

impl RowMaker for Rows {
    fn make(&self, rows: &RowNumbers) -> RecordBatch {
        let wanted = UInt64Array::from(rows.numbers.clone());
        take_record_batch(&self.0, &wanted).expect("the numbers are those of rows")
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::connectors::testing::{self, job};

    #[test]
    fn rows_are_checked_before_anything_runs() {
        let columns = vec![
            Field::new("a", DataType::Int32, false),
            Field::new("b", DataType::Utf8, true),
        ];
        let schema = Arc::new(Schema::new(columns));
        for (rows, expected) in [
            ("{\"a\":1,\"b\":\"x\"}\n{\"a\":2}", None),
            ("", None),
            (
                "{\"a\":1}\n{\"a\":\"x\"}",
                Some("row 2: column 'a': 'x' is not a value of INT"),
            ),
            ("{\"a\":1}\n\n{\"a\":2}", Some("row 2 is empty")),
        ] {
            let mut table = testing::table(&schema, &[]);
            table.options = IndexMap::from([(ROWS.to_owned(), rows.to_owned())]);
            let made = source(&table, &job());
            let errors = made.err().unwrap_or_default();
            let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            assert_eq!(messages, Vec::from_iter(expected), "{rows}");
        }
    }
}
