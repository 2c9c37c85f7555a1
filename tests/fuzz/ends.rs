//! Connectors that take every table, so that the tables of tests get through.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use thalweg::connectors::{self, JobContext, OptionError, TableOptions};
use thalweg::pipeline::Ends;
use thalweg::runtime::{
    Committer, Enumerator, Error, Result, Sink, SinkFactory, SinkTask, SourceFactory, SourceReader,
};
use thalweg::stream::ChangelogMode;

/// The connectors that there are, and under every other name one that takes all.
pub struct AllEnds;

fn is_known(name: &str) -> bool {
    connectors::descriptors().any(|descriptor| descriptor.name == name)
}

impl Ends for AllEnds {
    fn source(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
        if is_known(name) {
            return connectors::source(name, table, job);
        }
        Ok(Arc::new(Anything))
    }

    fn sink(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
        if is_known(name) {
            return connectors::sink(name, table, job);
        }
        Ok(Arc::new(Anything))
    }
}

/// It is planned with, and never run.
struct Anything;

fn never_run() -> Error {
    Error::Fatal("this end is only planned with".to_owned())
}

impl SourceFactory for Anything {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        unreachable!("{}", never_run())
    }

    fn reader(&self, _schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        Err(never_run())
    }

    fn bounded(&self) -> bool {
        true
    }
}

impl SinkFactory for Anything {
    fn sink(&self, _task: SinkTask) -> Result<Box<dyn Sink>> {
        Err(never_run())
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::Retract
    }
}
