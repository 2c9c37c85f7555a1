//! The source of a table: row n goes to split n modulo the number of splits.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::options::DatagenOptions;
use super::reader::DatagenReader;
use super::{JobContext, OptionError, TableOptions};
use crate::clock;
use crate::formats::Options;
use crate::runtime::{Discovery, Enumerator, Error, Result, SourceFactory, SourceReader, Split};

/// The source of `table`.
pub(in crate::connectors) fn source(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    let options = DatagenOptions::new(Options::new(&table.options), &table.schema)?;
    Ok(Arc::new(DatagenSource { options }))
}

struct DatagenSource {
    options: DatagenOptions,
}

impl SourceFactory for DatagenSource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(DatagenEnumerator {
            options: self.options.clone(),
        })
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(DatagenReader::new(&self.options, schema)))
    }

    fn bounded(&self) -> bool {
        self.options.rows.is_some()
    }

    fn trusts_event_time(&self) -> bool {
        true
    }
}

/// What a split makes; it is fixed when the job first starts, so that a restart
/// makes the same rows at whatever time it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DatagenSpec {
    /// The number of its first row.
    pub first: u64,
    /// From one of its rows to the next: the number of splits.
    pub stride: u64,
    /// The rows of all splits together.
    pub rows: Option<u64>,
    /// When row 0 happens, in milliseconds since 1970.
    pub start_millis: i64,
}

impl DatagenSpec {
    /// The spec of a split that this connector has found.
    pub(super) fn of(split: &Split) -> Result<Self> {
        serde_json::from_value(split.spec.clone()).map_err(|error| {
            Error::Fatal(format!(
                "split '{}' is no generator's split: {error}",
                split.id
            ))
        })
    }
}

struct DatagenEnumerator {
    options: DatagenOptions,
}

#[async_trait]
impl Enumerator for DatagenEnumerator {
    async fn discover(&mut self, known: &[Split]) -> Result<Discovery> {
        let mut found = Vec::new();
        if known.is_empty() {
            let start_millis = self
                .options
                .start_millis
                .unwrap_or_else(|| clock::now().millis());
            for first in 0..self.options.splits {
                let spec = DatagenSpec {
                    first,
                    stride: self.options.splits,
                    rows: self.options.rows,
                    start_millis,
                };
                found.push(Split {
                    id: first.to_string(),
                    spec: serde_json::to_value(spec).expect("a generator's spec is plain data"),
                });
            }
        }
        Ok(Discovery {
            found,
            complete: true,
        })
    }
}
