//! A sink that takes rows and forgets them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Descriptor, JobContext, OptionError, TableOptions};
use crate::formats::Options;
use crate::runtime::{Committer, Prepared, Result, Sink, SinkFactory, SinkTask, Written};
use crate::stream::{Barrier, Batch, ChangelogMode};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "blackhole",
    purpose: "Takes rows and forgets them, to measure a pipeline without its output.",
    source: None,
    sink: Some("Nothing is kept, so nothing can be lost or doubled."),
    options: &[],
    metadata: &[],
    formats: &[],
    example: "CREATE TABLE nowhere (id BIGINT) WITH ('connector' = 'blackhole');\n\
              INSERT INTO nowhere SELECT id FROM orders;",
};

/// The sink of a table.
pub(super) fn sink(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    Options::new(&table.options).finish()?;
    Ok(Arc::new(Blackhole))
}

#[derive(Debug)]
struct Blackhole;

impl SinkFactory for Blackhole {
    fn sink(&self, _task: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Self))
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::Retract
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }
}

#[async_trait]
impl Sink for Blackhole {
    async fn write(&mut self, _batch: Batch) -> Result<Written> {
        Ok(Written::default())
    }

    async fn prepare(&mut self, _barrier: Barrier) -> Result<Prepared> {
        Ok(Prepared::default())
    }
}
