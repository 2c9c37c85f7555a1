//! From a table's options to what reads or writes it.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::connectors::{self, JobContext, TableOptions};
use crate::formats::{OptionError, Options};
use crate::plan::{Metadata, Table};
use crate::runtime::{SinkFactory, SourceFactory, SourceTime};

/// Options that every source table may have, whatever its connector.
const IDLE_TIMEOUT: &str = "scan.idle-timeout";
const JUMP_MAX: &str = "scan.watermark.max-jump";

/// Which connectors there are. A test may have others.
pub trait Ends: Send + Sync {
    /// The source that `table` declares with `'connector' = name`.
    ///
    /// # Errors
    /// Everything that is wrong with the options.
    fn source(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>>;

    /// The sink that `table` declares with `'connector' = name`.
    ///
    /// # Errors
    /// Everything that is wrong with the options.
    fn sink(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>>;
}

/// Those of [`crate::connectors`].
pub struct Connectors;

impl Ends for Connectors {
    fn source(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
        connectors::source(name, table, job)
    }

    fn sink(
        &self,
        name: &str,
        table: &TableOptions,
        job: &JobContext,
    ) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
        connectors::sink(name, table, job)
    }
}

/// A source table ready to run.
pub(super) struct CheckedSource {
    pub factory: Arc<dyn SourceFactory>,
    pub time: SourceTime,
}

/// The source of a table.
pub(super) fn source_of(
    ends: &dyn Ends,
    table: &Table,
    job: &JobContext,
) -> Result<CheckedSource, Vec<OptionError>> {
    let (connector, mut given) = options_of(table, |_| true)?;
    let mut own = IndexMap::new();
    for key in [IDLE_TIMEOUT, JUMP_MAX] {
        own.extend(given.options.shift_remove_entry(key));
    }
    let mut options = Options::new(&own);
    let idle_timeout = options.duration(IDLE_TIMEOUT);
    let jump_max = options.duration(JUMP_MAX);
    let factory = ends.source(&connector, &given, job);
    let (factory, own) = (factory, options.finish());
    let factory = match (factory, own) {
        (Ok(factory), Ok(())) => factory,
        (factory, own) => {
            let mut errors = factory.err().unwrap_or_default();
            errors.extend(own.err().unwrap_or_default());
            return Err(errors);
        }
    };
    let day = Duration::from_hours(24);
    let jump_ms = jump_max.unwrap_or(day).as_millis();
    let time = SourceTime {
        idle_timeout: (!factory.bounded())
            .then_some(idle_timeout.unwrap_or(Duration::from_secs(10))),
        jump_ms_max: (!factory.trusts_event_time())
            .then_some(i64::try_from(jump_ms).unwrap_or(i64::MAX)),
    };
    Ok(CheckedSource { factory, time })
}

/// The sink of a table.
pub(super) fn sink_of(
    ends: &dyn Ends,
    table: &Table,
    job: &JobContext,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let (connector, given) = options_of(table, |metadata| !metadata.is_virtual)?;
    ends.sink(&connector, &given, job)
}

/// The connector of a table and what it is told, with the metadata that is used.
fn options_of(
    table: &Table,
    is_used: fn(&Metadata) -> bool,
) -> Result<(String, TableOptions), Vec<OptionError>> {
    let mut options: IndexMap<String, String> = table
        .options
        .iter()
        .map(|(key, option)| (key.clone(), option.value.clone()))
        .collect();
    let Some(connector) = options.shift_remove("connector") else {
        return Err(vec![OptionError {
            key: None,
            message: "option 'connector' is required".to_owned(),
        }]);
    };
    let given = TableOptions {
        name: table.name.clone(),
        options,
        schema: table.physical_schema(),
        metadata: table
            .metadata()
            .filter(|(_, metadata)| is_used(metadata))
            .map(|(field, metadata)| (field.name().clone(), metadata.key.clone()))
            .collect(),
        primary_key: table.primary_key.clone(),
    };
    Ok((connector, given))
}
