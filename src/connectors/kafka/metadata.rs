//! What Kafka knows of a record beside its key and value: the `METADATA` columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int32Builder, Int64Builder, MapArray, MapBuilder,
    MapFieldNames, RecordBatch, StringBuilder, TimestampMillisecondArray,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{ArrowNativeType, DataType, SchemaRef, TimestampMillisecondType};

use crate::connectors::MetadataDoc;
use crate::kafka::{Header, Message};

const TIMESTAMP: &str = "timestamp";
const HEADERS: &str = "headers";

pub(super) const DOCS: &[MetadataDoc] = &[
    MetadataDoc::read_only("topic", "STRING", "The topic."),
    MetadataDoc::read_only("partition", "INT", "The number of the partition."),
    MetadataDoc::read_only("offset", "BIGINT", "The place in the partition."),
    MetadataDoc {
        is_writable: true,
        ..MetadataDoc::read_only(
            TIMESTAMP,
            "TIMESTAMP_LTZ(3)",
            "The record's time (as TIMESTAMP(3): in UTC), which may be the event time. Without a value it is written as now.",
        )
    },
    MetadataDoc::read_only(
        "timestamp-type",
        "STRING",
        "Who set the time: 'CreateTime', 'LogAppendTime' or 'NoTimestampType'.",
    ),
    MetadataDoc {
        is_nullable: true,
        ..MetadataDoc::read_only(
            "leader-epoch",
            "INT",
            "The term of the leader that took the record.",
        )
    },
    MetadataDoc {
        is_nullable: true,
        ..MetadataDoc::read_only("key", "BYTES", "The key as it is.")
    },
    MetadataDoc {
        is_writable: true,
        ..MetadataDoc::read_only(
            HEADERS,
            "MAP<STRING, BYTES>",
            "The headers; of several with one key the last is read.",
        )
    },
];

/// The metadata of the rows that were decoded.
pub(super) struct MetadataBuilder {
    /// All columns, those that are decoded in front.
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl MetadataBuilder {
    /// A builder of the metadata with these keys, the last columns of `schema`; `None` if
    /// there are none.
    pub fn new(schema: &SchemaRef, keys: &[String]) -> Result<Option<Self>, String> {
        let columns = keys.iter().map(|key| {
            let unknown = || format!("Kafka has no metadata '{key}'");
            Column::new(key).ok_or_else(unknown)
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok((!columns.is_empty()).then(|| Self {
            schema: Arc::clone(schema),
            columns,
        }))
    }

    /// Appends the metadata of a record.
    pub fn push(&mut self, message: Message<'_>) {
        for column in &mut self.columns {
            column.push(message);
        }
    }

    /// Takes the metadata since the last call, behind the decoded columns.
    pub fn finish(&mut self, decoded: &RecordBatch) -> RecordBatch {
        let fields = self.schema.fields().iter().skip(decoded.num_columns());
        let metadata = self.columns.iter_mut().zip(fields);
        let metadata = metadata.map(|(column, field)| column.finish(field.data_type()));
        let columns = decoded.columns().iter().cloned().chain(metadata);
        let whole = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect());
        whole.expect("a row was decoded for each value of the metadata")
    }
}

/// One metadata column.
enum Column {
    Topic(StringBuilder),
    Partition(Int32Builder),
    Offset(Int64Builder),
    Timestamp(TimestampMillisecondBuilder),
    TimestampType(StringBuilder),
    LeaderEpoch(Int32Builder),
    Headers(Box<MapBuilder<StringBuilder, BinaryBuilder>>),
    Key(BinaryBuilder),
}

impl Column {
    fn new(key: &str) -> Option<Self> {
        Some(match key {
            "topic" => Self::Topic(StringBuilder::new()),
            "partition" => Self::Partition(Int32Builder::new()),
            "offset" => Self::Offset(Int64Builder::new()),
            TIMESTAMP => Self::Timestamp(TimestampMillisecondBuilder::new()),
            "timestamp-type" => Self::TimestampType(StringBuilder::new()),
            "key" => Self::Key(BinaryBuilder::new()),
            "leader-epoch" => Self::LeaderEpoch(Int32Builder::new()),
            HEADERS => {
                let names = MapFieldNames {
                    entry: "entries".to_owned(),
                    key: "key".to_owned(),
                    value: "value".to_owned(),
                };
                let builder =
                    MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
                Self::Headers(Box::new(builder))
            }
            _ => return None,
        })
    }

    fn push(&mut self, message: Message<'_>) {
        match self {
            Self::Topic(column) => column.append_value(message.topic()),
            Self::Partition(column) => column.append_value(message.partition()),
            Self::Offset(column) => column.append_value(message.offset()),
            Self::Timestamp(column) => column.append_value(message.timestamp()),
            Self::TimestampType(column) => column.append_value(message.timestamp_type()),
            Self::LeaderEpoch(column) => column.append_option(message.leader_epoch()),
            Self::Key(column) => column.append_option(message.key()),
            Self::Headers(column) => {
                // A map has a key once.
                let headers: BTreeMap<_, _> = message.headers().collect();
                for (key, value) in headers {
                    column.keys().append_value(key);
                    column.values().append_option(value);
                }
                let appended = column.append(true);
                appended.expect("a key and a value were appended each time");
            }
        }
    }

    /// The values since the last call; a time as the type that its column has.
    fn finish(&mut self, of: &DataType) -> ArrayRef {
        match self {
            Self::Topic(column) | Self::TimestampType(column) => Arc::new(column.finish()),
            Self::Partition(column) | Self::LeaderEpoch(column) => Arc::new(column.finish()),
            Self::Offset(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish().with_data_type(of.clone())),
            Self::Headers(column) => Arc::new(column.finish()),
            Self::Key(column) => Arc::new(column.finish()),
        }
    }
}

/// The metadata with which rows are written.
#[derive(Default)]
pub(super) struct WrittenMetadata {
    timestamps: Option<TimestampMillisecondArray>,
    headers: Option<MapArray>,
}

impl WrittenMetadata {
    /// Finds the metadata in the last columns of rows: those of these keys.
    pub fn of(records: &RecordBatch, keys: &[String]) -> Self {
        let mut metadata = Self::default();
        let physical = records.num_columns() - keys.len();
        for (key, column) in keys.iter().zip(&records.columns()[physical..]) {
            match key.as_str() {
                TIMESTAMP => {
                    metadata.timestamps =
                        Some(column.as_primitive::<TimestampMillisecondType>().clone());
                }
                HEADERS => metadata.headers = Some(column.as_map().clone()),
                _ => (),
            }
        }
        metadata
    }

    /// Why a row cannot be written, if one of them cannot.
    pub fn refused(&self) -> Option<&'static str> {
        let mut timestamps = self.timestamps.iter().flatten().flatten();
        // The client takes 0 for now.
        let refused = timestamps.any(|millis| millis <= 0);
        refused.then_some("the 'timestamp' of a record must be later than 1970-01-01 00:00:00")
    }

    /// The time of a row in milliseconds since 1970.
    pub fn timestamp(&self, row: usize) -> Option<i64> {
        let timestamps = self.timestamps.as_ref()?;
        timestamps.is_valid(row).then(|| timestamps.value(row))
    }

    /// The headers of a row.
    pub fn headers(&self, row: usize) -> Vec<Header<'_>> {
        let headers = self.headers.as_ref();
        let Some(headers) = headers.filter(|headers| headers.is_valid(row)) else {
            return Vec::new();
        };
        let offsets = headers.value_offsets();
        let entries = offsets[row].as_usize()..offsets[row + 1].as_usize();
        let (keys, values) = (headers.keys().as_string::<i32>(), headers.values());
        let values = values.as_binary::<i32>();
        let value = |entry| values.is_valid(entry).then(|| values.value(entry));
        entries
            .map(|entry| (keys.value(entry), value(entry)))
            .collect()
    }

    /// How long the headers of all rows are.
    pub fn bytes(&self) -> usize {
        let rows = self.headers.as_ref().map_or(0, MapArray::len);
        let headers = (0..rows).flat_map(|row| self.headers(row));
        let lengths = headers.map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len));
        lengths.sum()
    }
}
