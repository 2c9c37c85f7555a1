//! A sink that shows rows on standard output or standard error, as Flink's does.

use std::sync::Arc;

use async_trait::async_trait;

use super::stdout::{self, Stream};
use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats::{Options, RowText};
use crate::runtime::{Committer, Prepared, Result, Sink, SinkFactory, SinkTask, Written};
use crate::stream::{Barrier, Batch, ChangelogMode};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "print",
    purpose: "Shows rows on standard output as '+I[a, b]'.",
    source: None,
    sink: Some(
        "In order and nothing missing, but written at once: after a restart the rows since \
         the last checkpoint are shown again.",
    ),
    options: &[
        OptionDoc {
            key: "print-identifier",
            default: OptionDefault::Off,
            doc: "A word in front of every row.",
        },
        OptionDoc {
            key: "standard-error",
            default: OptionDefault::Value("false"),
            doc: "Whether rows go to standard error.",
        },
    ],
    metadata: &[],
    formats: &[],
    example: "CREATE TABLE seen (id BIGINT, name STRING) WITH ('connector' = 'print');\n\
              INSERT INTO seen SELECT id, name FROM orders;",
};

/// The sink of a table.
pub(super) fn sink(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let mut options = Options::new(&table.options);
    let identifier = options.text("print-identifier").unwrap_or_default();
    let stream = if options.boolean("standard-error", false) {
        Stream::Error
    } else {
        Stream::Output
    };
    options.finish()?;
    let prefix = match identifier {
        "" => String::new(),
        identifier => format!("{identifier}> "),
    };
    Ok(Arc::new(Print { prefix, stream }))
}

#[derive(Clone, Debug)]
struct Print {
    prefix: String,
    stream: Stream,
}

impl Print {
    fn lines(&self, batch: &Batch) -> Vec<u8> {
        let text = RowText::printed(&batch.records);
        let mut out = Vec::new();
        for row in 0..batch.num_rows() {
            out.extend_from_slice(self.prefix.as_bytes());
            out.extend_from_slice(format!("{}[", batch.kind(row)).as_bytes());
            for column in 0..text.num_columns() {
                if column > 0 {
                    out.extend_from_slice(b", ");
                }
                if !text.write(row, column, &mut out) {
                    out.extend_from_slice(b"null");
                }
            }
            out.extend_from_slice(b"]\n");
        }
        out
    }
}

impl SinkFactory for Print {
    fn sink(&self, _task: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(self.clone()))
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::Retract
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }
}

#[async_trait]
impl Sink for Print {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let lines = self.lines(&batch);
        let bytes = lines.len();
        stdout::write(self.stream, lines).await?;
        Ok(Written {
            bytes,
            dead_letters: Vec::new(),
        })
    }

    async fn prepare(&mut self, _barrier: Barrier) -> Result<Prepared> {
        Ok(Prepared::default())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

    use super::*;

    #[test]
    fn rows_look_as_in_flink() {
        let records = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            (
                "name",
                Arc::new(StringArray::from(vec![Some("a, \"b\""), None])),
            ),
            ("share", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
        ])
        .unwrap();
        for (prefix, expected) in [
            ("", "+I[1, a, \"b\", 0.5]\n+I[2, null, NaN]\n"),
            ("x> ", "x> +I[1, a, \"b\", 0.5]\nx> +I[2, null, NaN]\n"),
        ] {
            let print = Print {
                prefix: prefix.to_owned(),
                stream: Stream::Output,
            };
            assert_eq!(
                String::from_utf8(print.lines(&Batch::new(records.clone()))).unwrap(),
                expected
            );
        }
    }
}
