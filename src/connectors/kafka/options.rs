//! The options of the connector, checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use indexmap::IndexMap;
use regex::Regex;

use super::TableOptions;
use crate::formats::{self, FormatRef, OptionError, Options};
use crate::kafka::{Lost, Properties};

/// What a source does.
#[derive(Clone)]
pub(super) struct SourceOptions {
    pub topics: Topics,
    pub properties: Properties,
    pub format: FormatRef,
    pub startup: Startup,
    pub bound: Option<Bound>,
    pub lost: Lost,
    /// How often to look for new partitions; `None` never.
    pub discovery_interval: Option<Duration>,
}

/// Which topics are read.
#[derive(Clone, Debug)]
pub(super) enum Topics {
    Named(Vec<String>),
    Matching(Regex),
}

/// Where a new job begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Startup {
    Earliest,
    Latest,
    /// Where the group has committed, else what `auto.offset.reset` says.
    Group,
    Timestamp(i64),
    Offsets(BTreeMap<i32, i64>),
}

/// Where a read ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Latest,
    Timestamp(i64),
    Offsets(BTreeMap<i32, i64>),
}

/// What a sink does.
#[derive(Clone)]
pub(super) struct SinkOptions {
    pub topic: String,
    pub properties: Properties,
    pub value: Part,
    pub key: Option<Part>,
    /// The keys of the metadata, whose columns are behind those of the record.
    pub metadata: Vec<String>,
    pub guarantee: Guarantee,
    pub partitioner: Partitioner,
}

/// How the key or the value of a record is made.
#[derive(Clone)]
pub(super) struct Part {
    pub format: FormatRef,
    /// The columns of the table that it holds.
    pub columns: Vec<usize>,
    pub schema: SchemaRef,
}

/// What is promised of the rows of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
    None,
}

/// Which partition a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// By the key, as every client does; without a key, any.
    Default,
    /// One for each task.
    Fixed,
    RoundRobin,
}

/// Keys that only matter when the table is read.
const SOURCE_KEYS: [&str; 10] = [
    "topic-pattern",
    "scan.startup.mode",
    "scan.startup.timestamp-millis",
    "scan.startup.specific-offsets",
    "scan.bounded.mode",
    "scan.bounded.timestamp-millis",
    "scan.bounded.specific-offsets",
    "scan.topic-partition-discovery.interval",
    "scan.offset-out-of-range",
    "sink.transactional-id-prefix",
];

/// Keys that only matter when the table is written.
const SINK_KEYS: [&str; 5] = [
    "sink.delivery-guarantee",
    "sink.partitioner",
    "sink.transactional-id-prefix",
    "key.format",
    "key.fields",
];

/// Flink's options of the connector that cannot be had here, and why.
const REFUSED: [(&str, &str); 4] = [
    (
        "key.fields-prefix",
        "is not supported yet; name the columns as the key's fields are named",
    ),
    (
        "sink.parallelism",
        "a sink has as many tasks as the pipeline has; set --workers",
    ),
    (
        "scan.parallelism",
        "a source has as many tasks as the pipeline has; set --workers",
    ),
    (
        "sink.buffering",
        "is not supported yet; leave it out: rows wait in the transaction",
    ),
];

impl SourceOptions {
    /// The options of a table that is read.
    pub(super) fn new(table: &TableOptions) -> Result<Self, Vec<OptionError>> {
        Given::of(table).read(|options| {
            let topics = topics(options);
            let properties = properties(options);
            let format = formats::format(options, &table.schema);
            let startup = startup(options, &properties);
            let bound = bound(options);
            let interval = options.duration("scan.topic-partition-discovery.interval");
            let interval = interval.unwrap_or(Duration::from_mins(5));
            let lost = [
                ("fail", Lost::Fail),
                ("earliest", Lost::Earliest),
                ("latest", Lost::Latest),
            ];
            let lost = options.choice("scan.offset-out-of-range", &lost, Lost::Fail);
            if options.text("value.fields-include") == Some("EXCEPT_KEY") {
                options.reject(
                    "value.fields-include",
                    "columns of a key cannot be read yet; leave it out and read the value",
                );
            }
            note_other_side(options, &SINK_KEYS);
            let bounded = bound.is_some();
            Some(Self {
                topics: topics?,
                properties,
                format: format?,
                startup,
                bound,
                lost,
                discovery_interval: (!interval.is_zero() && !bounded).then_some(interval),
            })
        })
    }
}

impl SinkOptions {
    /// The options of a table that is written.
    pub(super) fn new(table: &TableOptions) -> Result<Self, Vec<OptionError>> {
        let key = Given::key_of(table);
        Given::of(table).read(|options| {
            let topic = match topics(options) {
                Some(Topics::Named(names)) if names.len() == 1 => names.into_iter().next(),
                Some(Topics::Named(_)) => {
                    options.reject("topic", "a sink writes one topic");
                    None
                }
                Some(Topics::Matching(_)) => {
                    options.reject("topic-pattern", "a sink writes one topic; set 'topic'");
                    None
                }
                None => None,
            };
            let key_columns = key_columns(options, &table.schema);
            let except_key = options.choice(
                "value.fields-include",
                &[("ALL", false), ("EXCEPT_KEY", true)],
                false,
            );
            let key = key_part(options, key, key_columns.as_deref(), &table.schema);
            let all = 0..table.schema.fields().len();
            let in_key = |column: &usize| {
                except_key && key_columns.as_ref().is_some_and(|key| key.contains(column))
            };
            let columns: Vec<_> = all.filter(|column| !in_key(column)).collect();
            if columns.is_empty() {
                options.reject("value.fields-include", "no column is left for the value");
            }
            let schema = projected(&table.schema, &columns);
            let format = formats::format(options, &schema);
            let guarantees = [
                ("exactly-once", Guarantee::ExactlyOnce),
                ("at-least-once", Guarantee::AtLeastOnce),
                ("none", Guarantee::None),
            ];
            let partitioners = [
                ("default", Partitioner::Default),
                ("fixed", Partitioner::Fixed),
                ("round-robin", Partitioner::RoundRobin),
            ];
            let (guarantee_key, partitioner_key) = ("sink.delivery-guarantee", "sink.partitioner");
            note_other_side(options, &SOURCE_KEYS);
            let sink = Self {
                properties: properties(options),
                guarantee: options.choice(guarantee_key, &guarantees, Guarantee::ExactlyOnce),
                partitioner: options.choice(partitioner_key, &partitioners, Partitioner::Default),
                key,
                metadata: table.metadata.values().cloned().collect(),
                value: Part {
                    format: format?,
                    columns,
                    schema,
                },
                topic: topic?,
            };
            Some(sink)
        })
    }
}

/// The options of a table, with those of a format under the names that they have there.
struct Given {
    values: IndexMap<String, String>,
    /// From a name there to the name in the table.
    names: BTreeMap<String, String>,
}

impl Given {
    /// `value.format` and `value.json.…` are `format` and `json.…`.
    fn of(table: &TableOptions) -> Self {
        let mut given = Self {
            values: IndexMap::new(),
            names: BTreeMap::new(),
        };
        for (key, value) in &table.options {
            let inner = key
                .strip_prefix("value.")
                .filter(|inner| *inner != "fields-include");
            let of_key = key.starts_with("key.") && !["key.format", "key.fields"].contains(&&**key);
            if of_key {
                continue;
            }
            let name = inner.unwrap_or(key);
            given.names.insert(name.to_owned(), key.clone());
            given.values.insert(name.to_owned(), value.clone());
        }
        given.name_subject(table, "value");
        given
    }

    /// `key.format` and `key.json.…`, by the same rule; `None` if records have no key.
    fn key_of(table: &TableOptions) -> Option<Self> {
        table.options.get("key.format")?;
        let mut given = Self {
            values: IndexMap::new(),
            names: BTreeMap::new(),
        };
        for (key, value) in &table.options {
            if let Some(inner) = key.strip_prefix("key.").filter(|inner| *inner != "fields") {
                given.names.insert(inner.to_owned(), key.clone());
                given.values.insert(inner.to_owned(), value.clone());
            }
        }
        given.name_subject(table, "key");
        Some(given)
    }

    /// The schema of a topic's keys or values is registered under the topic's name,
    /// unless another subject is given.
    fn name_subject(&mut self, table: &TableOptions, part: &str) {
        let topic = table
            .options
            .get("topic")
            .filter(|topic| !topic.contains(';'));
        let subject = self
            .values
            .get("format")
            .and_then(|name| formats::subject_option(name));
        let (Some(topic), Some(subject)) = (topic, subject) else {
            return;
        };
        let subject = self.values.entry(subject);
        subject.or_insert_with(|| format!("{}-{part}", topic.trim()));
    }

    fn read<T>(&self, read: impl FnOnce(&mut Options) -> Option<T>) -> Result<T, Vec<OptionError>> {
        let mut options = Options::new(&self.values);
        let made = read(&mut options);
        for (key, why) in REFUSED {
            options.refuse(key, why);
        }
        let renamed = |mut error: OptionError| {
            if let Some(name) = error.key.as_ref().and_then(|key| self.names.get(key)) {
                let key = error.key.replace(name.clone()).unwrap_or_default();
                let (from, to) = (format!("'{key}'"), format!("'{name}'"));
                error.message = error.message.replacen(&from, &to, 1);
            }
            error
        };
        let finished = options.finish();
        finished.map_err(|errors| errors.into_iter().map(renamed).collect::<Vec<_>>())?;
        Ok(made.expect("what is missing was rejected"))
    }
}

/// One table may be read and written, so the keys of the other side are no mistake.
fn note_other_side(options: &mut Options, keys: &[&str]) {
    for key in keys {
        options.text(key);
    }
    options.text("value.fields-include");
}

fn topics(options: &mut Options) -> Option<Topics> {
    let (topic, pattern) = (options.text("topic"), options.text("topic-pattern"));
    match (topic, pattern) {
        (Some(list), None) => {
            let names = list.split(';').map(str::trim).map(str::to_owned);
            let names: Vec<_> = names.collect();
            if names.iter().any(String::is_empty) {
                options.reject("topic", "a name is empty");
                return None;
            }
            Some(Topics::Named(names))
        }
        (None, Some(text)) => match Regex::new(&format!("^(?:{text})$")) {
            Ok(pattern) => Some(Topics::Matching(pattern)),
            Err(error) => {
                options.reject("topic-pattern", format!("is not a pattern: {error}"));
                None
            }
        },
        (None, None) => {
            options.reject_table("option 'topic' or 'topic-pattern' is required");
            None
        }
        (Some(_), Some(_)) => {
            options.reject("topic-pattern", "cannot be given together with 'topic'");
            None
        }
    }
}

fn properties(options: &mut Options) -> Properties {
    let mut properties = Properties::default();
    let mut are_allowed = true;
    let keys: Vec<_> = options.keys().collect();
    for key in keys {
        let Some(name) = key.strip_prefix("properties.") else {
            continue;
        };
        let value = options.text(key).unwrap_or_default();
        if let Err(error) = properties.allow(name, value) {
            options.reject(key, error);
            are_allowed = false;
        }
    }
    options.require("properties.bootstrap.servers");
    // What was refused would be missing.
    if are_allowed && let Err(error) = properties.check() {
        options.reject_table(error);
    }
    properties
}

fn startup(options: &mut Options, properties: &Properties) -> Startup {
    const MODE: &str = "scan.startup.mode";
    let modes = [
        ("earliest-offset", 0),
        ("latest-offset", 1),
        ("group-offsets", 2),
        ("timestamp", 3),
        ("specific-offsets", 4),
    ];
    let mode = options.choice(MODE, &modes, 2);
    let timestamp = millis(options, "scan.startup.timestamp-millis", mode == 3, MODE);
    let offsets = offsets(options, "scan.startup.specific-offsets", mode == 4, MODE);
    match mode {
        0 => Startup::Earliest,
        1 => Startup::Latest,
        3 => Startup::Timestamp(timestamp),
        4 => Startup::Offsets(offsets),
        _ => {
            if properties.get("group.id").is_none() {
                options.reject_table(
                    "to begin where a group has come to, set 'properties.group.id'; or set \
                     'scan.startup.mode' to 'earliest-offset' or 'latest-offset'",
                );
            }
            Startup::Group
        }
    }
}

fn bound(options: &mut Options) -> Option<Bound> {
    const MODE: &str = "scan.bounded.mode";
    let modes = [
        ("unbounded", 0),
        ("latest-offset", 1),
        ("timestamp", 2),
        ("specific-offsets", 3),
    ];
    let mode = options.choice(MODE, &modes, 0);
    let timestamp = millis(options, "scan.bounded.timestamp-millis", mode == 2, MODE);
    let offsets = offsets(options, "scan.bounded.specific-offsets", mode == 3, MODE);
    match mode {
        1 => Some(Bound::Latest),
        2 => Some(Bound::Timestamp(timestamp)),
        3 => Some(Bound::Offsets(offsets)),
        _ => None,
    }
}

/// A time that a mode asks for.
fn millis(options: &mut Options, key: &str, wanted: bool, mode: &str) -> i64 {
    let given = options.parsed::<i64>(key, "a number of milliseconds");
    if wanted && options.text(key).is_none() {
        options.reject(mode, format!("needs '{key}'"));
    }
    given.unwrap_or(0)
}

/// `partition:0,offset:42;partition:1,offset:300`.
fn offsets(options: &mut Options, key: &str, wanted: bool, mode: &str) -> BTreeMap<i32, i64> {
    let Some(text) = options.text(key) else {
        if wanted {
            options.reject(mode, format!("needs '{key}'"));
        }
        return BTreeMap::new();
    };
    let pair = |part: &str| {
        let (partition, offset) = part.trim().split_once(',')?;
        let partition = partition.trim().strip_prefix("partition:")?.trim();
        let offset = offset.trim().strip_prefix("offset:")?.trim();
        let offset = offset.parse().ok().filter(|offset: &i64| *offset >= 0)?;
        Some((partition.parse().ok()?, offset))
    };
    let pairs: Option<BTreeMap<_, _>> = text.split(';').map(pair).collect();
    pairs.unwrap_or_else(|| {
        options.reject(
            key,
            format!("'{text}' has not the form 'partition:0,offset:42;partition:1,offset:300'"),
        );
        BTreeMap::new()
    })
}

/// The columns of `key.fields`.
fn key_columns(options: &mut Options, schema: &SchemaRef) -> Option<Vec<usize>> {
    let format = options.text("key.format");
    let fields = match (format, options.text("key.fields")) {
        (None, None) => return None,
        (Some(_), None) => {
            options.reject("key.format", "needs 'key.fields'");
            return None;
        }
        (None, Some(_)) => {
            options.reject("key.fields", "needs 'key.format'");
            return None;
        }
        (Some(_), Some(fields)) => fields,
    };
    let mut columns = Vec::new();
    for name in fields.split(';').map(str::trim) {
        match schema.index_of(name) {
            Ok(column) => columns.push(column),
            Err(_) => options.reject("key.fields", format!("the table has no column '{name}'")),
        }
    }
    Some(columns)
}

fn key_part(
    options: &mut Options,
    given: Option<Given>,
    columns: Option<&[usize]>,
    table: &SchemaRef,
) -> Option<Part> {
    let columns = columns?;
    let schema = projected(table, columns);
    let format = given?.read(|options| formats::format(options, &schema));
    match format {
        Ok(format) => Some(Part {
            format,
            columns: columns.to_vec(),
            schema,
        }),
        Err(errors) => {
            for error in errors {
                options.reject_table(error.message);
            }
            None
        }
    }
}

fn projected(schema: &SchemaRef, columns: &[usize]) -> SchemaRef {
    let fields = columns.iter().map(|&column| schema.field(column).clone());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
