//! From a table's options to what reads or writes it.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::clock::Clock;
use crate::connectors::{self, JobContext, TableOptions};
use crate::formats::{OptionDefault, OptionDoc, OptionError, Options};
use crate::plan::{LATE_ROWS, Metadata, Table};
use crate::runtime::{SinkFactory, SourceFactory, SourceTime};

/// Options that every source table may have, whatever its connector.
pub const SOURCE_OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        key: IDLE_TIMEOUT,
        default: OptionDefault::Value("10 s"),
        doc: "How long a split at its end keeps the watermark back when nothing comes.",
    },
    OptionDoc {
        key: JUMP_MAX,
        default: OptionDefault::Value("1 d"),
        doc: "A row that is further ahead of both the clock and the watermark does not move that.",
    },
    OptionDoc {
        key: DRIFT_MAX,
        default: OptionDefault::Off,
        doc: "How far a split's watermark may be ahead of the slowest; one further ahead waits. Only connectors that can hold splits up take it.",
    },
    OptionDoc {
        key: ALIGNMENT_GROUP,
        default: OptionDefault::Off,
        doc: "The name of a group of tables whose splits are kept together in that way.",
    },
    OptionDoc {
        key: ALIGNMENT_INTERVAL,
        default: OptionDefault::Off,
        doc: "Taken for Flink's sake; splits are looked at whenever the slowest has moved.",
    },
    OptionDoc {
        key: LATE_ROWS,
        default: OptionDefault::Off,
        doc: "The table to which rows are written that come too late for windows.",
    },
];

const IDLE_TIMEOUT: &str = "scan.idle-timeout";
const JUMP_MAX: &str = "scan.watermark.max-jump";
const ALIGNMENT_GROUP: &str = "scan.watermark.alignment.group";
const DRIFT_MAX: &str = "scan.watermark.alignment.max-drift";
const ALIGNMENT_INTERVAL: &str = "scan.watermark.alignment.update-interval";

/// Which connectors there are. A test may have others.
pub trait Ends: Send + Sync {
    /// The clock that windows over processing time go by.
    fn clock(&self) -> Clock {
        Clock::default()
    }

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
    pub drift: Option<Drift>,
}

/// How far the splits of a source may drift apart.
pub(super) struct Drift {
    /// The group of sources that it belongs to; alone without one.
    pub group: Option<String>,
    pub ms_max: i64,
}

/// The source of a table.
pub(super) fn source_of(
    ends: &dyn Ends,
    table: &Table,
    job: &JobContext,
) -> Result<CheckedSource, Vec<OptionError>> {
    let (connector, mut given) = options_of(table, |_| true)?;
    let mut own = IndexMap::new();
    for key in [
        IDLE_TIMEOUT,
        JUMP_MAX,
        ALIGNMENT_GROUP,
        DRIFT_MAX,
        ALIGNMENT_INTERVAL,
        LATE_ROWS,
    ] {
        own.extend(given.options.shift_remove_entry(key));
    }
    let mut options = Options::new(&own);
    let idle_timeout = options.duration(IDLE_TIMEOUT);
    let jump_max = options.duration(JUMP_MAX);
    let drift = drift(&mut options);
    // The planner has read it.
    options.text(LATE_ROWS);
    let factory = ends.source(&connector, &given, job);
    if let (Some(_), Ok(factory)) = (&drift, &factory)
        && !factory.can_pause()
    {
        let why = format!("connector '{connector}' cannot hold splits up; leave it out");
        options.reject(DRIFT_MAX, why);
    }
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
    Ok(CheckedSource {
        factory,
        time,
        drift,
    })
}

fn drift(options: &mut Options) -> Option<Drift> {
    let group = options.text(ALIGNMENT_GROUP).map(str::to_owned);
    let drift = options.duration(DRIFT_MAX);
    options.duration(ALIGNMENT_INTERVAL);
    if group.is_some() && drift.is_none() {
        options.reject(ALIGNMENT_GROUP, format!("needs '{DRIFT_MAX}'"));
    }
    drift.map(|drift| Drift {
        group,
        ms_max: i64::try_from(drift.as_millis()).unwrap_or(i64::MAX),
    })
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
        partition_keys: table.partition_keys.clone(),
    };
    Ok((connector, given))
}
