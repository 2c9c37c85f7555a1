//! Which connectors there are, by name.

use std::sync::Arc;

use super::{
    JobContext, OptionDoc, OptionError, TableOptions, blackhole, datagen, filesystem, kafka,
    nexmark, print, values,
};
use crate::formats::nearest;
use crate::runtime::{SinkFactory, SourceFactory};

/// What a person should know about a connector.
#[derive(Debug)]
pub struct Descriptor {
    /// Its name, as in `'connector' = 'name'`.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub purpose: &'static str,
    /// What is promised when it is read; `None` if it is no source.
    pub source: Option<&'static str>,
    /// What is promised when it is written; `None` if it is no sink.
    pub sink: Option<&'static str>,
    /// Its options without those of its format.
    pub options: &'static [OptionDoc],
    /// What `METADATA` columns can be had of a record.
    pub metadata: &'static [MetadataDoc],
    /// The formats that it takes, whose options come on top; it needs one if there are any.
    pub formats: &'static [&'static str],
    /// A program to copy.
    pub example: &'static str,
}

/// Something that a connector knows of a record, beside what the record holds. All of
/// it can be read.
#[derive(Clone, Copy, Debug)]
pub struct MetadataDoc {
    /// Its name, as in `METADATA FROM 'key'`.
    pub key: &'static str,
    /// The SQL type of its column.
    pub data_type: &'static str,
    /// Whether it can be NULL when it is read.
    pub is_nullable: bool,
    /// Whether it can be written too.
    pub is_writable: bool,
    /// What it is, in one sentence.
    pub doc: &'static str,
}

impl MetadataDoc {
    /// A key that is never null and cannot be written.
    pub(super) const fn read_only(
        key: &'static str,
        data_type: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            key,
            data_type,
            is_nullable: false,
            is_writable: false,
            doc,
        }
    }
}

/// One connector: what people and the program need of it.
struct Connector {
    descriptor: &'static Descriptor,
    source: Option<Make<dyn SourceFactory>>,
    sink: Option<Make<dyn SinkFactory>>,
}

type Make<T> = fn(&TableOptions, &JobContext) -> Made<T>;

type Made<T> = Result<Arc<T>, Vec<OptionError>>;

/// A connector is a line here.
const CONNECTORS: &[Connector] = &[
    Connector {
        descriptor: &datagen::DESCRIPTOR,
        source: Some(datagen::source),
        sink: None,
    },
    Connector {
        descriptor: &nexmark::DESCRIPTOR,
        source: Some(nexmark::source),
        sink: None,
    },
    Connector {
        descriptor: &values::DESCRIPTOR,
        source: Some(values::source),
        sink: None,
    },
    Connector {
        descriptor: &filesystem::DESCRIPTOR,
        source: Some(filesystem::source),
        sink: Some(filesystem::sink),
    },
    Connector {
        descriptor: &kafka::KAFKA,
        source: Some(kafka::source),
        sink: Some(kafka::sink),
    },
    Connector {
        descriptor: &kafka::UPSERT,
        source: Some(kafka::upsert_source),
        sink: Some(kafka::upsert_sink),
    },
    Connector {
        descriptor: &blackhole::DESCRIPTOR,
        source: None,
        sink: Some(blackhole::sink),
    },
    Connector {
        descriptor: &print::DESCRIPTOR,
        source: None,
        sink: Some(print::sink),
    },
];

/// All connectors, for people.
pub fn descriptors() -> impl Iterator<Item = &'static Descriptor> {
    CONNECTORS.iter().map(|connector| connector.descriptor)
}

/// What `METADATA` columns a connector has; `None` if there is no such connector.
pub fn metadata_of(name: &str) -> Option<&'static [MetadataDoc]> {
    let mut all = descriptors();
    let found = all.find(|descriptor| descriptor.name == name)?;
    Some(found.metadata)
}

/// The source that `table` declares with `'connector' = name`.
///
/// # Errors
/// Everything that is wrong with the options.
pub fn source(name: &str, table: &TableOptions, job: &JobContext) -> Made<dyn SourceFactory> {
    let make = find(name)?.source.ok_or_else(|| {
        let sources = names_of(|connector| connector.source.is_some());
        wrong_connector(format!(
            "connector '{name}' cannot be read from; sources are {sources}"
        ))
    })?;
    check_partitions(name, table)?;
    make(table, job)
}

/// The sink that `table` declares with `'connector' = name`.
///
/// # Errors
/// Everything that is wrong with the options.
pub fn sink(name: &str, table: &TableOptions, job: &JobContext) -> Made<dyn SinkFactory> {
    let make = find(name)?.sink.ok_or_else(|| {
        let sinks = names_of(|connector| connector.sink.is_some());
        wrong_connector(format!(
            "connector '{name}' cannot be written to; sinks are {sinks}"
        ))
    })?;
    check_partitions(name, table)?;
    make(table, job)
}

/// Only files lie in partitions.
fn check_partitions(name: &str, table: &TableOptions) -> Result<(), Vec<OptionError>> {
    if table.partition_keys.is_empty() || name == filesystem::DESCRIPTOR.name {
        return Ok(());
    }
    let message = format!("connector '{name}' has no partitions; leave PARTITIONED BY out");
    Err(wrong_connector(message))
}

fn find(name: &str) -> Result<&'static Connector, Vec<OptionError>> {
    let named = CONNECTORS
        .iter()
        .find(|connector| connector.descriptor.name == name);
    named.ok_or_else(|| {
        let near = nearest(name, descriptors().map(|descriptor| descriptor.name));
        let hint = near.map_or_else(
            || format!("there are {}", names_of(|_| true)),
            |near| format!("did you mean '{near}'?"),
        );
        wrong_connector(format!("unknown connector '{name}'; {hint}"))
    })
}

fn names_of(wanted: fn(&Connector) -> bool) -> String {
    let wanted = CONNECTORS.iter().filter(|connector| wanted(connector));
    let names: Vec<_> = wanted
        .map(|connector| format!("'{}'", connector.descriptor.name))
        .collect();
    names.join(", ")
}

fn wrong_connector(message: String) -> Vec<OptionError> {
    vec![OptionError {
        key: Some("connector".to_owned()),
        message,
    }]
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use indexmap::IndexMap;

    use super::*;
    use crate::connectors::testing::{self, job};
    use crate::formats::OptionDefault;

    fn table(options: IndexMap<String, String>) -> TableOptions {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
        TableOptions {
            options,
            ..testing::table(&schema, &[])
        }
    }

    fn messages<T: ?Sized>(made: Made<T>) -> Vec<String> {
        let errors = made.err().unwrap_or_default();
        errors.into_iter().map(|error| error.message).collect()
    }

    #[test]
    fn a_wrong_name_gets_a_hint() {
        let nothing = table(IndexMap::new());
        for (name, expected) in [
            (
                "filesytem",
                "unknown connector 'filesytem'; did you mean 'filesystem'?",
            ),
            (
                "mongodb-cdc",
                "unknown connector 'mongodb-cdc'; there are 'datagen', 'nexmark', 'values', 'filesystem', 'kafka', 'upsert-kafka', 'blackhole', 'print'",
            ),
            (
                "print",
                "connector 'print' cannot be read from; sources are 'datagen', 'nexmark', 'values', 'filesystem', 'kafka', 'upsert-kafka'",
            ),
        ] {
            assert_eq!(messages(source(name, &nothing, &job())), [expected]);
        }
        assert_eq!(
            messages(sink("datagen", &nothing, &job())),
            [
                "connector 'datagen' cannot be written to; sinks are 'filesystem', 'kafka', 'upsert-kafka', 'blackhole', 'print'"
            ]
        );
    }

    #[test]
    fn every_documented_option_is_known_and_its_default_is_valid() {
        for descriptor in descriptors() {
            let mut given = IndexMap::new();
            for doc in descriptor.options {
                let value = match (doc.default, doc.key) {
                    (OptionDefault::Value(value), _) => value,
                    (OptionDefault::Required, "path") => "/nonexistent",
                    (OptionDefault::Required, key) if key.ends_with("format") => "json",
                    (OptionDefault::Required, _) => "localhost:9092",
                    // Without a default nothing is known of the form of the value.
                    _ => continue,
                };
                given.insert(doc.key.replace('#', "v"), value.to_owned());
            }
            if descriptor.formats.contains(&"json") && given.contains_key("format") {
                for doc in crate::formats::docs("json") {
                    if let OptionDefault::Value(value) = doc.default {
                        given.insert(doc.key.to_owned(), value.to_owned());
                    }
                }
            }
            // What only a column of another type takes is tested with the generator.
            given.shift_remove("fields.v.max-past");
            if descriptor.name == "kafka" {
                // One of two is required, and another default needs a group.
                for (key, value) in [("topic", "t"), ("scan.startup.mode", "earliest-offset")] {
                    given.insert(key.to_owned(), value.to_owned());
                }
            }
            let mut table = table(given);
            if descriptor.name == "upsert-kafka" {
                table.primary_key = vec!["v".to_owned()];
            }
            if descriptor.name == "nexmark" {
                // Its columns are its own.
                let column = Field::new("event_type", DataType::Int32, true);
                table.schema = Arc::new(Schema::new(vec![column]));
            }
            if descriptor.source.is_some() {
                assert_eq!(
                    messages(source(descriptor.name, &table, &job())),
                    [] as [&str; 0]
                );
            }
            if descriptor.sink.is_some() {
                assert_eq!(
                    messages(sink(descriptor.name, &table, &job())),
                    [] as [&str; 0]
                );
            }
            assert!(descriptor.example.contains(descriptor.name));
        }
    }
}
