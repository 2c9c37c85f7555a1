//! From text to a program that can run: parsed, planned, and its connectors and
//! settings checked, with all errors at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use uuid::Uuid;

use super::settings::Settings;
use crate::connectors::{self, ConsoleFormat, JobContext, TableOptions};
use crate::formats::{OptionError, Options};
use crate::plan::{Dataflow, Diagnostic, NodeKind, Span, Table};
use crate::runtime::{SinkFactory, SourceFactory, SourceTime};
use crate::sql::{self, SourceFile};
use crate::stream::OperatorId;

/// Options that every source table may have, whatever its connector.
const IDLE_TIMEOUT: &str = "scan.idle-timeout";
const JUMP_MAX: &str = "scan.watermark.max-jump";

/// A program that can run.
#[derive(Debug)]
pub struct CheckedProgram {
    /// `pipeline.name`, else the stem of the first file's name.
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) dataflow: Dataflow,
    explains: Vec<Dataflow>,
}

/// Parses and plans `files` and checks their connectors; `overrides` go over the
/// program's own settings.
///
/// # Errors
/// All errors of the program.
pub fn compile(
    files: &[SourceFile],
    overrides: &BTreeMap<String, String>,
) -> Result<CheckedProgram, Vec<Diagnostic>> {
    let program = sql::compile(files, &|name| std::env::var(name).ok())?;
    let mut diagnostics = Vec::new();
    let mut values: BTreeMap<String, String> = program
        .settings
        .iter()
        .map(|(key, (value, _))| (key.clone(), value.clone()))
        .collect();
    values.extend(overrides.clone());
    let settings = Settings::read(&values).map_err(|errors| {
        let span_of = |key: &str| program.settings.get(key).map(|(_, span)| *span);
        diagnostics.extend(errors.into_iter().map(|error| at_setting(error, span_of)));
    });
    let job = JobContext {
        job: Uuid::nil(),
        pipeline: String::new(),
        operator: OperatorId(0),
    };
    for dataflow in std::iter::once(&program.dataflow).chain(&program.explains) {
        for node in &dataflow.nodes {
            diagnostics.extend(check_ends(&node.kind, &node.schema, &job));
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    let Ok(settings) = settings else {
        return Err(diagnostics);
    };
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    Ok(CheckedProgram {
        name: settings.name.clone().unwrap_or_else(|| name_of(files)),
        settings,
        dataflow: program.dataflow,
        explains: program.explains,
    })
}

impl CheckedProgram {
    /// The plan for people, first of what the program's own `EXPLAIN`s ask for.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        for dataflow in self
            .explains
            .iter()
            .chain(self.runs().then_some(&self.dataflow))
        {
            text.push_str(&dataflow.to_string());
        }
        text
    }

    /// What the program's `EXPLAIN` statements ask for.
    pub fn explanations(&self) -> String {
        self.explains.iter().map(ToString::to_string).collect()
    }

    /// Whether there is anything to run besides `EXPLAIN`.
    pub fn runs(&self) -> bool {
        !self.dataflow.nodes.is_empty()
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether rows go to standard output (a bare `SELECT`, `print`).
    pub fn writes_stdout(&self) -> bool {
        self.dataflow.nodes.iter().any(|node| match &node.kind {
            NodeKind::Print => true,
            NodeKind::Sink { table } => table.option("connector") == Some("print"),
            _ => false,
        })
    }

    /// Whether nothing of it is left when it has ended: it only shows rows.
    pub(super) fn only_shows(&self) -> bool {
        self.dataflow.nodes.iter().all(|node| match &node.kind {
            NodeKind::Sink { table } => {
                matches!(table.option("connector"), Some("print" | "blackhole"))
            }
            _ => true,
        })
    }
}

/// A source table ready to run.
pub(super) struct CheckedSource {
    pub factory: Arc<dyn SourceFactory>,
    pub time: SourceTime,
}

/// The source of a table.
pub(super) fn source_of(
    table: &Table,
    job: &JobContext,
) -> Result<CheckedSource, Vec<OptionError>> {
    let (connector, mut given) = options_of(table)?;
    let mut own = IndexMap::new();
    for key in [IDLE_TIMEOUT, JUMP_MAX] {
        own.extend(given.options.shift_remove_entry(key));
    }
    let mut options = Options::new(&own);
    let idle_timeout = options.duration(IDLE_TIMEOUT);
    let jump_max = options.duration(JUMP_MAX);
    let factory = connectors::source(&connector, &given, job);
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
    table: &Table,
    job: &JobContext,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let (connector, given) = options_of(table)?;
    connectors::sink(&connector, &given, job)
}

fn options_of(table: &Table) -> Result<(String, TableOptions), Vec<OptionError>> {
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
        primary_key: table.primary_key.clone(),
    };
    Ok((connector, given))
}

fn check_ends(kind: &NodeKind, schema: &SchemaRef, job: &JobContext) -> Vec<Diagnostic> {
    let (table, errors) = match kind {
        NodeKind::Source { table, .. } => (table, source_of(table, job).err()),
        NodeKind::Sink { table } => (table, sink_of(table, job).err()),
        NodeKind::Print => {
            let errors = connectors::console(ConsoleFormat::Table, schema).err();
            let errors = errors.into_iter().flatten();
            return errors.map(|error| at_setting(error, |_| None)).collect();
        }
        _ => return Vec::new(),
    };
    let errors = errors.into_iter().flatten();
    errors.map(|error| at_table(table, error)).collect()
}

fn at_table(table: &Table, error: OptionError) -> Diagnostic {
    let option = error.key.and_then(|key| table.options.get(&key));
    Diagnostic {
        span: option.map_or(table.span, |option| option.span),
        message: format!("table {}: {}", table.name, error.message),
        hint: None,
    }
}

fn at_setting(error: OptionError, span_of: impl Fn(&str) -> Option<Span>) -> Diagnostic {
    let span = error.key.as_deref().and_then(span_of);
    Diagnostic {
        span: span.unwrap_or_default(),
        message: error.message,
        hint: None,
    }
}

fn name_of(files: &[SourceFile]) -> String {
    let name = files.first().map_or("-", |file| file.name.as_str());
    if name == "-" {
        return "stdin".to_owned();
    }
    let stem = std::path::Path::new(name).file_stem();
    stem.map_or_else(
        || name.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}
