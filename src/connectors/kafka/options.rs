//! The options of the connector, checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use regex::Regex;

use super::TableOptions;
use super::parts::{Given, Parts, TableKind};
use super::target::Unchecked;
use crate::formats::{OptionError, Options};
use crate::kafka::{Lost, Properties};

/// What a source does.
#[derive(Clone)]
pub(super) struct SourceOptions {
    pub topics: Topics,
    pub properties: Properties,
    pub parts: Parts,
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
    pub parts: Parts,
    /// The keys of the metadata, whose columns are behind those of the record.
    pub metadata: Vec<String>,
    pub guarantee: Guarantee,
    pub partitioner: Partitioner,
    /// How many bytes may wait in the outbox, if there is one.
    pub outbox_bytes_max: Option<u64>,
    pub unchecked: Unchecked,
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

/// How many bytes may wait in an outbox, unless it is given.
const OUTBOX_BYTES_MAX: u64 = 1 << 30;

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
    "sink.buffering",
    "sink.buffering.max-size",
    "sink.delivery-guarantee",
    "sink.partitioner",
    "sink.transactional-id-prefix",
];

impl SourceOptions {
    /// The options of a table that is read.
    pub(super) fn new(table: &TableOptions, kind: TableKind) -> Result<Self, Vec<OptionError>> {
        Given::of(table).read(kind, |options| {
            let topics = topics(options);
            let properties = properties(options);
            let parts = Parts::read(options, table, kind);
            let startup = match kind {
                TableKind::Append => startup(options, &properties),
                // A key's value may be older than any other place.
                TableKind::Upsert => Startup::Earliest,
            };
            let bound = bound(options);
            let interval = options.duration("scan.topic-partition-discovery.interval");
            let interval = interval.unwrap_or(Duration::from_mins(5));
            let lost = [
                ("fail", Lost::Fail),
                ("earliest", Lost::Earliest),
                ("latest", Lost::Latest),
            ];
            let lost = options.choice("scan.offset-out-of-range", &lost, Lost::Fail);
            note_other_side(options, &SINK_KEYS);
            let bounded = bound.is_some();
            Some(Self {
                topics: topics?,
                properties,
                parts: parts?,
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
    pub(super) fn new(table: &TableOptions, kind: TableKind) -> Result<Self, Vec<OptionError>> {
        Given::of(table).read(kind, |options| {
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
            let parts = Parts::read(options, table, kind);
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
            let guarantee = options.choice(guarantee_key, &guarantees, Guarantee::ExactlyOnce);
            let properties = properties(options);
            let sink = Self {
                unchecked: Arc::new(Mutex::new(Some(properties.clone()))),
                properties,
                outbox_bytes_max: outbox(options, guarantee),
                guarantee,
                partitioner: options.choice(partitioner_key, &partitioners, Partitioner::Default),
                metadata: table.metadata.values().cloned().collect(),
                parts: parts?,
                topic: topic?,
            };
            Some(sink)
        })
    }
}

/// How many bytes may wait in the outbox, if there is one.
fn outbox(options: &mut Options, guarantee: Guarantee) -> Option<u64> {
    const BUFFERING: &str = "sink.buffering";
    const SIZE: &str = "sink.buffering.max-size";
    let has_one = options.choice(BUFFERING, &[("none", false), ("outbox", true)], false);
    let bytes = options.memory(SIZE);
    if has_one && guarantee != Guarantee::ExactlyOnce {
        let why = "an outbox is sent in transactions, exactly once; leave it out";
        options.reject("sink.delivery-guarantee", why);
    }
    has_one.then(|| bytes.unwrap_or(OUTBOX_BYTES_MAX))
}

/// One table may be read and written, so the keys of the other side are no mistake.
fn note_other_side(options: &mut Options, keys: &[&str]) {
    for key in keys {
        options.text(key);
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::connectors::testing;

    #[test]
    fn an_outbox_is_sent_exactly_once() {
        let column = Field::new("n", DataType::Int64, true);
        let schema = Arc::new(Schema::new(vec![column]));
        let check = |options: &[(&str, &str)], expected: Result<Option<u64>, &str>| {
            let mut all = vec![
                ("topic", "t"),
                ("format", "json"),
                ("properties.bootstrap.servers", "localhost:9092"),
            ];
            all.extend(options);
            let table = testing::table(&schema, &all);
            let found = SinkOptions::new(&table, TableKind::Append);
            match (found, expected) {
                (Ok(found), Ok(bytes)) => assert_eq!(found.outbox_bytes_max, bytes),
                (Err(errors), Err(words)) => {
                    assert!(errors[0].message.contains(words), "{errors:?}");
                }
                (found, _) => panic!("{options:?}: {:?}", found.err()),
            }
        };
        let (outbox, size) = (("sink.buffering", "outbox"), "sink.buffering.max-size");
        check(&[], Ok(None));
        check(&[("sink.buffering", "none")], Ok(None));
        check(&[outbox], Ok(Some(OUTBOX_BYTES_MAX)));
        check(&[outbox, (size, "2 mb")], Ok(Some(2 << 20)));
        check(&[("sink.buffering", "disk")], Err("disk"));
        for guarantee in ["at-least-once", "none"] {
            let guarantee = ("sink.delivery-guarantee", guarantee);
            check(&[outbox, guarantee], Err("sent in transactions"));
        }
    }
}
