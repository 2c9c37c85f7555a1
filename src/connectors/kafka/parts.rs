//! The parts of a record: which columns its key and its value hold, in which formats.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use indexmap::IndexMap;

use super::TableOptions;
use crate::formats::{self, FormatRef, OptionError, Options};
use crate::stream::ChangelogMode;

/// What a topic is to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableKind {
    /// Each record is a row, or a change of some; `kafka`.
    Append,
    /// A record is what its key has come to; `upsert-kafka`.
    Upsert,
}

/// How the records of a table are made up.
#[derive(Clone)]
pub(super) struct Parts {
    pub kind: TableKind,
    pub value: Part,
    pub key: Option<Part>,
}

/// How the key or the value of a record is made.
#[derive(Clone)]
pub(super) struct Part {
    pub format: FormatRef,
    /// The columns of the table that it holds.
    pub columns: Vec<usize>,
    /// These columns by the names that they have in the format.
    pub schema: SchemaRef,
    /// Whether any of these names is another than the table's.
    pub is_renamed: bool,
}

const FIELDS_INCLUDE: &str = "value.fields-include";
const PREFIX: &str = "key.fields-prefix";

/// Keys of the table that begin as those of its key's format do.
const OF_TABLE: [&str; 3] = ["key.format", "key.fields", PREFIX];

/// Flink's options that cannot be had here, and why.
const REFUSED: [(&str, &str); 2] = [
    (
        "sink.parallelism",
        "a sink has as many tasks as the pipeline has; set --workers",
    ),
    (
        "scan.parallelism",
        "a source has as many tasks as the pipeline has; set --workers",
    ),
];

/// The same of `upsert-kafka` alone.
const REFUSED_BY_UPSERT: [(&str, &str); 6] = [
    (
        "key.fields",
        "the columns of the PRIMARY KEY are the key; leave it out",
    ),
    (
        "scan.startup.mode",
        "the table is what all records make of it, so it is read from the earliest on; leave it out",
    ),
    (
        "topic-pattern",
        "the table is one topic or a list of them; set 'topic'",
    ),
    (
        "sink.partitioner",
        "records of one key have to stay in order, so its partition is that of the key; leave it out",
    ),
    (
        "sink.buffer-flush.max-rows",
        "rows are written as they come; leave it out, and set 'properties.linger.ms' for larger batches",
    ),
    (
        "sink.buffer-flush.interval",
        "rows are written as they come; leave it out, and set 'properties.linger.ms' for larger batches",
    ),
];

impl Parts {
    /// Reads what the options say; what is wrong is noted in them.
    pub fn read(options: &mut Options, table: &TableOptions, kind: TableKind) -> Option<Self> {
        let key_columns = match kind {
            TableKind::Append => key_columns(options, &table.schema),
            TableKind::Upsert => primary_key(options, table),
        };
        let except_key = options.choice(
            FIELDS_INCLUDE,
            &[("ALL", false), ("EXCEPT_KEY", true)],
            false,
        );
        let prefix = prefix(options, except_key);
        let key = key_columns
            .as_deref()
            .and_then(|columns| key_part(options, table, columns, prefix));
        let in_key = |column: &usize| {
            except_key && key_columns.as_ref().is_some_and(|key| key.contains(column))
        };
        let columns = 0..table.schema.fields().len();
        let columns: Vec<_> = columns.filter(|column| !in_key(column)).collect();
        if columns.is_empty() {
            options.reject(FIELDS_INCLUDE, "no column is left for the value");
        }
        if kind == TableKind::Upsert && options.text("format").is_none() {
            options.reject_table("option 'value.format' is required");
            return None;
        }
        let schema = projected(&table.schema, &columns, "");
        let format = formats::format(options, &schema)?;
        check_changes(options, table, format.changelog_mode(), kind);
        Some(Self {
            kind,
            value: Part {
                format,
                columns,
                schema,
                is_renamed: false,
            },
            key,
        })
    }

    /// What the records can say of rows.
    pub fn changelog_mode(&self) -> ChangelogMode {
        match self.kind {
            TableKind::Append => self.value.format.changelog_mode(),
            TableKind::Upsert => ChangelogMode::Upsert,
        }
    }
}

/// Whether the value says what is done, or the key.
fn check_changes(
    options: &mut Options,
    table: &TableOptions,
    value: ChangelogMode,
    kind: TableKind,
) {
    let name = options.text("format").unwrap_or_default();
    let says = value != ChangelogMode::InsertOnly;
    if kind == TableKind::Upsert && says {
        let why = format!(
            "records of '{name}' are changes already, and those of 'upsert-kafka' are rows; take \
             another format, or the connector 'kafka'"
        );
        options.reject("format", why);
    }
    if kind == TableKind::Append && !says && !table.primary_key.is_empty() {
        options.reject_table(format!(
            "records of '{name}' are rows that are added, for which a PRIMARY KEY cannot be \
             promised; leave it out, or use the connector 'upsert-kafka'"
        ));
    }
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

/// The columns of the primary key.
fn primary_key(options: &mut Options, table: &TableOptions) -> Option<Vec<usize>> {
    options.require("key.format");
    if table.primary_key.is_empty() {
        options.reject_table(
            "the key of records is the table's key; declare PRIMARY KEY (…) NOT ENFORCED",
        );
        return None;
    }
    let columns = table.primary_key.iter();
    let columns = columns.map(|name| table.schema.index_of(name).ok());
    columns.collect()
}

/// What stands in front of the key's names in the table and not in the key.
fn prefix<'a>(options: &mut Options<'a>, except_key: bool) -> &'a str {
    let prefix = options.text(PREFIX).unwrap_or_default();
    if !prefix.is_empty() && !except_key {
        let why = format!("needs '{FIELDS_INCLUDE}' = 'EXCEPT_KEY', else a column has two names");
        options.reject(PREFIX, why);
    }
    prefix
}

fn key_part(
    options: &mut Options,
    table: &TableOptions,
    columns: &[usize],
    prefix: &str,
) -> Option<Part> {
    for &column in columns {
        let name = table.schema.field(column).name();
        if !name.starts_with(prefix) {
            let why = format!("the column '{name}' of the key does not begin with it");
            options.reject(PREFIX, why);
        }
    }
    let schema = projected(&table.schema, columns, prefix);
    let format = Given::key_of(table)?.read_all(|options| {
        let format = formats::format(options, &schema)?;
        if format.changelog_mode() != ChangelogMode::InsertOnly {
            options.reject("format", "records of it are changes, and a key is a row");
        }
        Some(format)
    });
    match format {
        Ok(format) => Some(Part {
            format,
            columns: columns.to_vec(),
            schema,
            is_renamed: !prefix.is_empty(),
        }),
        Err(errors) => {
            for error in errors {
                options.reject_table(error.message);
            }
            None
        }
    }
}

fn projected(schema: &SchemaRef, columns: &[usize], prefix: &str) -> SchemaRef {
    let fields = columns.iter().map(|&column| {
        let field = schema.field(column);
        let name = field.name();
        Field::clone(field).with_name(name.strip_prefix(prefix).unwrap_or(name))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The options of a table, with those of a format under the names that they have there.
pub(super) struct Given {
    values: IndexMap<String, String>,
    /// From a name there to the name in the table.
    names: BTreeMap<String, String>,
}

impl Given {
    /// `value.format` and `value.json.…` are `format` and `json.…`.
    pub fn of(table: &TableOptions) -> Self {
        let mut given = Self {
            values: IndexMap::new(),
            names: BTreeMap::new(),
        };
        for (key, value) in &table.options {
            let inner = key
                .strip_prefix("value.")
                .filter(|inner| *inner != "fields-include");
            let of_key = key.starts_with("key.") && !OF_TABLE.contains(&key.as_str());
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
            if let Some(inner) = key
                .strip_prefix("key.")
                .filter(|inner| !inner.starts_with("fields"))
            {
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

    /// Reads all options of a table.
    ///
    /// # Errors
    /// What is wrong with any of them.
    pub fn read<T>(
        &self,
        kind: TableKind,
        read: impl FnOnce(&mut Options) -> Option<T>,
    ) -> Result<T, Vec<OptionError>> {
        self.read_all(|options| {
            let by_upsert = REFUSED_BY_UPSERT.iter();
            let by_upsert = by_upsert.filter(|_| kind == TableKind::Upsert);
            for (key, why) in REFUSED.iter().chain(by_upsert) {
                options.refuse(key, why);
            }
            read(options)
        })
    }

    fn read_all<T>(
        &self,
        read: impl FnOnce(&mut Options) -> Option<T>,
    ) -> Result<T, Vec<OptionError>> {
        let mut options = Options::new(&self.values);
        let made = read(&mut options);
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
