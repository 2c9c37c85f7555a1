//! The source of a table: what a split of it is, and who finds and reads splits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::enumerator::FileEnumerator;
use super::identity::Identity;
use super::metadata::MetadataColumns;
use super::options::SourceOptions;
use super::partitions::Partitions;
use super::reader::FileReader;
use super::{JobContext, OptionError, TableOptions};
use crate::connectors::split_metadata;
use crate::formats::Options;
use crate::runtime::{
    Enumerator, Error, PartitionFilter, Result, SourceFactory, SourceReader, Split,
};

/// The source of `table`.
pub(in crate::connectors) fn source(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    let mut options = Options::new(&table.options);
    let partitions = Partitions::of(table, &mut options);
    Ok(Arc::new(FileSource {
        table: table.name.clone(),
        metadata: table.metadata.clone(),
        options: SourceOptions::new(options, &partitions.in_records)?,
        partitions,
    }))
}

struct FileSource {
    table: String,
    partitions: Partitions,
    metadata: IndexMap<String, String>,
    options: SourceOptions,
}

impl SourceFactory for FileSource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(FileEnumerator::new(self.options.clone(), None))
    }

    fn enumerator_of(&self, wanted: PartitionFilter) -> Box<dyn Enumerator> {
        let wanted = self.partitions.clone().wanted_by(wanted);
        Box::new(FileEnumerator::new(self.options.clone(), Some(wanted)))
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        let (decoded, keys) = split_metadata(schema, &self.metadata);
        let in_records = &self.partitions.in_records;
        let decoded = decoded.fields().iter();
        let decoded = decoded.filter(|field| in_records.field_with_name(field.name()).is_ok());
        let mut decoded: Vec<FieldRef> = decoded.cloned().collect();
        let metadata = (decoded.len() < schema.fields().len()).then(|| MetadataColumns {
            schema: Arc::clone(schema),
            keys,
            partitions: self.partitions.clone(),
        });
        if decoded.is_empty() {
            // A record is known by a column of it, whether that is read or not.
            decoded.extend(in_records.fields().first().cloned());
        }
        let decoded = Arc::new(Schema::new(decoded));
        let (format, table) = (Arc::clone(&self.options.format), Arc::clone(in_records));
        Ok(Box::new(FileReader::new(
            self.table.clone(),
            self.options.clone(),
            metadata,
            Arc::new(move || format.decoder(&table, &decoded)),
        )))
    }

    fn bounded(&self) -> bool {
        self.options.monitor_interval.is_none()
    }

    fn unstarted_splits_hold_watermark(&self) -> bool {
        !self.options.files_in_time_order
    }

    fn split_bytes(&self, split: &Split) -> Option<u64> {
        FileSpec::of(split).ok()?.length
    }

    fn splits_per_reader(&self) -> usize {
        if self.bounded() { 1 } else { usize::MAX }
    }
}

/// A file as it was found: the spec of its split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileSpec {
    /// Its path below the table's path; empty if that is the file itself.
    pub path: String,
    pub identity: Identity,
    /// Where a bounded read ends.
    pub length: Option<u64>,
}

impl FileSpec {
    /// The spec of a split that this connector has found.
    pub(super) fn of(split: &Split) -> Result<Self> {
        serde_json::from_value(split.spec.clone()).map_err(|error| {
            Error::Fatal(format!("split '{}' is no file's split: {error}", split.id))
        })
    }

    /// The file's path.
    pub(super) fn path_below(&self, root: &Path) -> PathBuf {
        if self.path.is_empty() {
            root.to_owned()
        } else {
            root.join(&self.path)
        }
    }
}
