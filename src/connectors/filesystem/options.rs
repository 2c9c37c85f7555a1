//! The options of the connector, checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use regex::Regex;

use crate::formats::{self, FormatRef, Framing, OptionError, Options};
use crate::stream::ChangelogMode;

/// What a source does.
#[derive(Clone)]
pub(super) struct SourceOptions {
    /// The directory or file.
    pub path: PathBuf,
    pub format: FormatRef,
    pub framing: Framing,
    /// How often to look for new files; `None` reads what is there and ends.
    pub monitor_interval: Option<Duration>,
    /// What the absolute path of a file must match.
    pub pattern: Option<Regex>,
    pub files_in_time_order: bool,
    pub on_truncation: OnTruncation,
    pub block_bytes: usize,
}

/// What to do when a followed file has become shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnTruncation {
    Fail,
    Restart,
}

/// What a sink does.
#[derive(Clone)]
pub(super) struct SinkOptions {
    /// The directory.
    pub path: PathBuf,
    pub format: FormatRef,
    pub rolling: RollingPolicy,
}

/// When a part file is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RollingPolicy {
    pub file_bytes: u64,
    pub rollover_interval: Duration,
    pub inactivity_interval: Duration,
}

/// Flink's options of the connector that cannot be had here, and why.
const REFUSED: [(&str, &str); 6] = [
    (
        "auto-compaction",
        "is not supported; raise 'sink.rolling-policy.file-size' for fewer files",
    ),
    (
        "compaction.file-size",
        "there is no compaction; leave it out",
    ),
    (
        "compaction.parallelism",
        "there is no compaction; leave it out",
    ),
    (
        "sink.partition-commit.trigger",
        "a part file appears in its partition once its checkpoint is decided; leave it out",
    ),
    (
        "sink.partition-commit.policy.kind",
        "a part file appears in its partition once its checkpoint is decided; leave it out",
    ),
    (
        "source.report-statistics",
        "statistics are not used; leave it out",
    ),
];

impl SourceOptions {
    /// The options of a table that is read.
    pub(super) fn new(mut options: Options, schema: &SchemaRef) -> Result<Self, Vec<OptionError>> {
        let path = path(&mut options);
        let format = formats::format(&mut options, schema);
        let of_rows = |format: &FormatRef| format.changelog_mode() == ChangelogMode::InsertOnly;
        if !format.as_ref().is_none_or(of_rows) {
            let why = "changes can be written to files, and be read from topics of 'kafka' only";
            options.reject("format", why);
        }
        let monitor_interval = options.duration("source.monitor-interval");
        if monitor_interval == Some(Duration::ZERO) {
            options.reject("source.monitor-interval", "must be longer than nothing");
        }
        let pattern = pattern(&mut options);
        let files_in_time_order =
            options.boolean("source.files-in-time-order", monitor_interval.is_some());
        let choices = [
            ("fail", OnTruncation::Fail),
            ("restart", OnTruncation::Restart),
        ];
        let on_truncation = options.choice("source.on-truncation", &choices, OnTruncation::Fail);
        let block_bytes = options.memory("source.block-size").unwrap_or(4 << 20);
        let block_bytes = usize::try_from(block_bytes).unwrap_or(usize::MAX);
        if !(1..=1 << 30).contains(&block_bytes) {
            options.reject("source.block-size", "must be between 1 byte and 1 GB");
        }
        note_other_side(&mut options, &SINK_KEYS);
        finish(options, format).map(|(format, framing)| Self {
            path,
            format,
            framing,
            monitor_interval,
            pattern,
            files_in_time_order,
            on_truncation,
            block_bytes,
        })
    }
}

impl SinkOptions {
    /// The options of a table that is written.
    pub(super) fn new(mut options: Options, schema: &SchemaRef) -> Result<Self, Vec<OptionError>> {
        const HALF_HOUR: Duration = Duration::from_mins(30);
        let path = path(&mut options);
        if path.is_file() {
            options.reject(
                "path",
                format!("'{}' is a file; a sink needs a directory", path.display()),
            );
        }
        let format = formats::format(&mut options, schema);
        let interval = |options: &mut Options, key| options.duration(key).unwrap_or(HALF_HOUR);
        let rolling = RollingPolicy {
            file_bytes: options
                .memory("sink.rolling-policy.file-size")
                .unwrap_or(128 << 20),
            rollover_interval: interval(&mut options, "sink.rolling-policy.rollover-interval"),
            inactivity_interval: interval(&mut options, "sink.rolling-policy.inactivity-interval"),
        };
        options.duration("sink.rolling-policy.check-interval");
        note_other_side(&mut options, &SOURCE_KEYS);
        finish(options, format).map(|(format, _)| Self {
            path,
            format,
            rolling,
        })
    }
}

/// Keys that only matter when the table is read.
const SOURCE_KEYS: [&str; 5] = [
    "source.monitor-interval",
    "source.path.regex-pattern",
    "source.files-in-time-order",
    "source.on-truncation",
    "source.block-size",
];

/// Keys that only matter when the table is written.
const SINK_KEYS: [&str; 4] = [
    "sink.rolling-policy.file-size",
    "sink.rolling-policy.rollover-interval",
    "sink.rolling-policy.inactivity-interval",
    "sink.rolling-policy.check-interval",
];

/// One table may be read and written, so the keys of the other side are no mistake.
fn note_other_side(options: &mut Options, keys: &[&str]) {
    for key in keys {
        options.text(key);
    }
}

fn finish(
    mut options: Options,
    format: Option<FormatRef>,
) -> Result<(FormatRef, Framing), Vec<OptionError>> {
    for (key, why) in REFUSED {
        options.refuse(key, why);
    }
    let framing = format.as_ref().and_then(|format| format.framing());
    if format.is_some() && framing.is_none() {
        let name = options.text("format").unwrap_or_default();
        let lines = formats::OF_LINES.join("', '");
        let why = format!(
            "records of '{name}' do not tell where they end, and container files are not supported; \
             in a file there can be '{lines}'"
        );
        options.reject("format", why);
    }
    options.finish()?;
    Ok(format
        .zip(framing)
        .expect("without a format there is an error"))
}

/// The path, absolute; `file://` may stand in front of it.
fn path(options: &mut Options) -> PathBuf {
    let text = options.require("path");
    let local = text
        .strip_prefix("file://")
        .or_else(|| text.strip_prefix("file:"));
    if let Some((scheme, _)) = text.split_once("://")
        && local.is_none()
    {
        options.reject(
            "path",
            format!("'{scheme}://' is not supported; give a local path"),
        );
    }
    let local = Path::new(local.unwrap_or(text));
    std::path::absolute(local).unwrap_or_else(|_| local.to_owned())
}

fn pattern(options: &mut Options) -> Option<Regex> {
    let text = options.text("source.path.regex-pattern")?;
    match Regex::new(&format!("^(?:{text})$")) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            options.reject(
                "source.path.regex-pattern",
                format!("is not a pattern: {error}"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn records_without_ends_are_refused() {
        let given = [("path", "/nonexistent"), ("format", "avro")];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let given = given.into_iter().collect();
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
        let read = SourceOptions::new(Options::new(&given), &schema).err();
        let written = SinkOptions::new(Options::new(&given), &schema).err();
        for errors in [read, written] {
            let messages: Vec<_> = errors
                .unwrap()
                .into_iter()
                .map(|error| error.message)
                .collect();
            assert_eq!(
                messages,
                [
                    "option 'format': records of 'avro' do not tell where they end, and container \
                     files are not supported; in a file there can be 'json', 'csv', 'raw', 'debezium-json'"
                ]
            );
        }
    }
}
