//! The `nexmark` source without an engine behind it.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use thalweg::connectors::{self, JobContext, TableOptions};
use thalweg::runtime::{SourceEvent, SourceFactory};
use thalweg::stream::OperatorId;
use tokio::runtime::{Builder, Runtime};

/// Makes the bids among some events.
pub struct Generator {
    source: Arc<dyn SourceFactory>,
    schema: SchemaRef,
    runtime: Runtime,
}

impl Generator {
    /// Makes these columns of the bids among the first `events` events.
    ///
    /// # Errors
    /// If a bid has no such column.
    pub fn new(schema: &SchemaRef, events: u64) -> Result<Self> {
        let options = [
            ("event", "bid".to_owned()),
            ("events.num", events.to_string()),
            ("start-time", "2026-01-01 00:00:00".to_owned()),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), value));
        let table = TableOptions {
            name: "bid".to_owned(),
            options: IndexMap::from(options),
            schema: Arc::clone(schema),
            metadata: IndexMap::new(),
            primary_key: Vec::new(),
            partition_keys: Vec::new(),
        };
        let job = JobContext::for_inspection("bid".to_owned(), OperatorId(0));
        let source = connectors::source("nexmark", &table, &job)
            .map_err(|errors| anyhow!("the table is wrong: {errors:?}"))?;
        Ok(Self {
            source,
            schema: Arc::clone(schema),
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Makes all of them; how many they are.
    ///
    /// # Errors
    /// If the source fails.
    pub fn read(&self) -> Result<usize> {
        self.runtime.block_on(async {
            let splits = self.source.enumerator().discover(&[]).await?.found;
            let mut reader = self.source.reader(&self.schema)?;
            for split in &splits {
                reader.add_split(split, None).await?;
            }
            let (mut rows, mut finished) = (0, 0);
            while finished < splits.len() {
                match reader.next().await? {
                    SourceEvent::Rows { records, .. } => rows += records.num_rows(),
                    SourceEvent::Finished { .. } => finished += 1,
                    other => bail!("a generator said {other:?}"),
                }
            }
            Ok(rows)
        })
    }
}
