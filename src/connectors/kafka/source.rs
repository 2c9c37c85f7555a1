//! The source of a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use serde_json::Value;

use super::enumerator::KafkaEnumerator;
use super::options::SourceOptions;
use super::parts::TableKind;
use super::position_reporter::GroupOffsets;
use super::reader::KafkaReader;
use super::rows::RowBuilder;
use super::{JobContext, OptionError, TableOptions};
use crate::runtime::{Enumerator, PositionReporter, Result, SourceFactory, SourceReader};
use crate::stream::ChangelogMode;

/// The source of a table.
pub(super) fn source(
    table: &TableOptions,
    job: &JobContext,
    kind: TableKind,
) -> std::result::Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    Ok(Arc::new(KafkaSource {
        options: Arc::new(SourceOptions::new(table, kind)?),
        name: table.name.clone(),
        table: Arc::clone(&table.schema),
        metadata: table.metadata.clone(),
        group: format!("thalweg.{}", job.job),
    }))
}

struct KafkaSource {
    options: Arc<SourceOptions>,
    name: String,
    table: SchemaRef,
    metadata: IndexMap<String, String>,
    /// The group that the client is told, if the table names none.
    group: String,
}

impl SourceFactory for KafkaSource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(KafkaEnumerator::new(
            Arc::clone(&self.options),
            &self.name,
            &self.group,
        ))
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        let parts = &self.options.parts;
        let rows = RowBuilder::new(schema, &self.table, &self.metadata, parts)?;
        let reader = KafkaReader::new(&self.options, &self.name, &self.group, rows)?;
        Ok(Box::new(reader))
    }

    fn bounded(&self) -> bool {
        self.options.bound.is_some()
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.options.parts.changelog_mode()
    }

    fn can_pause(&self) -> bool {
        true
    }

    fn position_reporter(&self) -> Option<Arc<dyn PositionReporter>> {
        self.options.properties.get("group.id")?;
        let options = Arc::clone(&self.options);
        Some(Arc::new(GroupOffsets::new(options, &self.name)))
    }

    /// Nobody knows how old the first record of a partition is; one without records
    /// becomes idle.
    fn unstarted_splits_hold_watermark(&self) -> bool {
        true
    }
}

/// A split as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct PartitionSpec {
    /// The cluster's id: another one may have a topic of the same name.
    pub cluster: String,
    pub topic: String,
    pub partition: i32,
    /// The first offset that is read; `None` begins with the oldest record.
    pub start: Option<i64>,
    /// The first offset that is not read any more.
    pub end: Option<i64>,
}

/// Where a partition is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct PartitionPosition {
    pub offset: i64,
}

impl PartitionPosition {
    pub fn to_value(self) -> Value {
        serde_json::json!({ "offset": self.offset })
    }
}
