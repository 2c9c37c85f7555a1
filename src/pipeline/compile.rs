//! From text to a program that can run: parsed, planned, and its connectors and
//! settings checked, with all errors at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::changelog::with_changes;
use super::ends::{Connectors, Ends, sink_of, source_of};
use super::explain::{dot, explain, json};
use super::firing;
use super::metadata::{Use, check_metadata};
use super::settings::Settings;
use crate::connectors::{self, ConsoleFormat, JobContext};
use crate::formats::OptionError;
use crate::plan::{
    Dataflow, Diagnostic, Explained, NodeKind, Span, Table, shared, with_merged_windows,
};
use crate::sql::{self, SourceFile};
use crate::stream::OperatorId;

/// A program that can run.
pub struct CheckedProgram {
    /// `pipeline.name`, else the stem of the first file's name.
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) dataflow: Dataflow,
    explains: Vec<Explained>,
    pub(super) ends: Arc<dyn Ends>,
}

/// Options that say how fast, how often or what to do in need; they may change between two
/// runs.
const TUNING: [&str; 7] = [
    "scan.idle-timeout",
    "scan.offset-out-of-range",
    "scan.topic-partition-discovery.interval",
    "scan.watermark.alignment.",
    "scan.watermark.max-jump",
    "sink.buffering.max-size",
    "sink.rolling-policy.",
];

/// The option that makes a file source go on for ever.
const FOLLOWS: &str = "source.monitor-interval";

/// Properties of a client, but for the one that says what is read. Where brokers are may
/// change: the positions know their cluster.
const CLIENT: &str = "properties.";
const READS: &str = "isolation.level";

/// How a schema registry is reached, behind the name of a format that uses one.
const REGISTERED: [&str; 2] = ["-confluent.", "-registry."];
const REGISTRY: [&str; 4] = ["url", "basic-auth.", "bearer-auth.", "ssl."];

fn is_tuning(key: &str) -> bool {
    let of_client = key.strip_prefix(CLIENT);
    let mut of_registry = REGISTERED
        .iter()
        .filter_map(|format| key.split_once(format));
    of_client.is_some_and(|name| name != READS)
        || of_registry.any(|(_, name)| REGISTRY.iter().any(|how| name.starts_with(how)))
        || TUNING.iter().any(|tuning| key.starts_with(tuning))
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
    compile_with(files, overrides, Arc::new(Connectors))
}

/// [`compile`] with other connectors than those of [`crate::connectors`].
///
/// # Errors
/// All errors of the program.
pub fn compile_with(
    files: &[SourceFile],
    overrides: &BTreeMap<String, String>,
    ends: Arc<dyn Ends>,
) -> Result<CheckedProgram, Vec<Diagnostic>> {
    let time_zone = overrides.get(sql::TIME_ZONE).map(String::as_str);
    let program = sql::compile_in(time_zone, files, &|name| std::env::var(name).ok())?;
    let mut diagnostics = Vec::new();
    let mut values: BTreeMap<String, String> = program
        .settings
        .iter()
        .map(|(key, (value, _))| (key.clone(), value.clone()))
        .collect();
    values.extend(overrides.clone());
    let span_of = |key: &str| program.settings.get(key).map(|(_, span)| *span);
    let settings = Settings::read(&values).map_err(|errors| {
        diagnostics.extend(errors.into_iter().map(|error| at_setting(error, span_of)));
    });
    let job = JobContext::for_inspection(String::new(), OperatorId(0));
    let explained = program.explains.iter().map(|explained| &explained.dataflow);
    for dataflow in std::iter::once(&program.dataflow).chain(explained) {
        for node in &dataflow.nodes {
            diagnostics.extend(check_ends(&*ends, &node.kind, &node.schema, &job));
        }
        let firing = settings
            .as_ref()
            .ok()
            .and_then(|settings| settings.updating.firing);
        let wrong = firing.and_then(|firing| firing::check(firing, &dataflow.nodes));
        diagnostics.extend(wrong.map(|error| at_setting(error, span_of)));
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    let Ok(settings) = settings else {
        return Err(diagnostics);
    };
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let (firing, is_shared) = (settings.updating.firing, settings.shares_plans);
    let with_changes = |dataflow: &Dataflow| {
        let dataflow = if is_shared {
            let shared = shared(dataflow);
            // Where results change, an aggregate for several would tell each of changes of others.
            &if firing.is_none() {
                with_merged_windows(&shared)
            } else {
                shared
            }
        } else {
            dataflow
        };
        with_changes(dataflow, &*ends, &job, firing)
    };
    let dataflow = with_changes(&program.dataflow)?;
    let explains = program.explains.iter().map(|explained| {
        let dataflow = with_changes(&explained.dataflow)?;
        Ok::<_, Vec<Diagnostic>>(Explained {
            dataflow,
            ..*explained
        })
    });
    Ok(CheckedProgram {
        name: settings.name.clone().unwrap_or_else(|| name_of(files)),
        settings,
        dataflow,
        explains: explains.collect::<Result<_, _>>()?,
        ends,
    })
}

impl CheckedProgram {
    /// The plan for people, first of what the program's own `EXPLAIN`s ask for.
    pub fn explain(&self) -> String {
        let mut text = self.explanations();
        if self.runs() {
            text.push_str(&explain(&self.dataflow));
        }
        text
    }

    /// What two programs are compared by: with the same text one may go on from
    /// the other's state.
    pub(super) fn identity(&self) -> String {
        let mut text = self.dataflow.to_string();
        for node in self.dataflow.sources().chain(self.dataflow.sinks()) {
            let (NodeKind::Source { table, .. } | NodeKind::Sink { table }) = &node.kind else {
                continue;
            };
            let options = table.options.iter();
            let mut options: Vec<_> = options
                .filter(|(key, _)| !is_tuning(key))
                .map(|(key, option)| match key.as_str() {
                    // How often may change; whether the source ends may not.
                    FOLLOWS => format!("#{} '{key}'\n", node.id),
                    _ => format!("#{} '{key}' = '{}'\n", node.id, option.value),
                })
                .collect();
            options.sort();
            text.extend(options);
        }
        text
    }

    /// What the program's `EXPLAIN` statements ask for.
    pub fn explanations(&self) -> String {
        let texts = self.explains.iter().map(|explained| {
            let mut text = explain(&explained.dataflow);
            if explained.as_json {
                text.push_str("\n== Physical Execution Plan ==\n");
                text.push_str(&json(&explained.dataflow));
            }
            text
        });
        texts.collect()
    }

    /// The plan in JSON for other programs: of what runs, or else of the first `EXPLAIN`.
    pub fn explain_json(&self) -> String {
        json(self.shown())
    }

    /// The same as a drawing for Graphviz.
    pub fn explain_dot(&self) -> String {
        dot(&self.name, self.shown())
    }

    fn shown(&self) -> &Dataflow {
        match self.explains.first() {
            Some(explained) if !self.runs() => &explained.dataflow,
            _ => &self.dataflow,
        }
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

fn check_ends(
    ends: &dyn Ends,
    kind: &NodeKind,
    schema: &SchemaRef,
    job: &JobContext,
) -> Vec<Diagnostic> {
    let (table, used, errors) = match kind {
        NodeKind::Source { table, .. } => (table, Use::Read, source_of(ends, table, job).err()),
        NodeKind::Sink { table } => (table, Use::Written, sink_of(ends, table, job).err()),
        NodeKind::Print => {
            let errors = connectors::console(ConsoleFormat::Table, schema).err();
            let errors = errors.into_iter().flatten();
            return errors.map(|error| at_setting(error, |_| None)).collect();
        }
        _ => return Vec::new(),
    };
    let errors = errors.into_iter().flatten();
    let mut diagnostics: Vec<_> = errors.map(|error| at_table(table, error)).collect();
    diagnostics.extend(check_metadata(table, used));
    diagnostics
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_service_is_reached_may_change_and_what_is_read_may_not() {
        for (key, expected) in [
            ("properties.sasl.password", true),
            ("properties.bootstrap.servers", true),
            ("properties.isolation.level", false),
            ("avro-confluent.url", true),
            ("key.avro-confluent.basic-auth.user-info", true),
            ("value.json-registry.ssl.keystore.key", true),
            ("avro-confluent.subject", false),
            ("protobuf-confluent.schema", false),
            ("json.url", false),
            ("topic", false),
        ] {
            assert_eq!(is_tuning(key), expected, "{key}");
        }
    }
}
