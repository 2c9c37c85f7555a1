//! The ends of a pipeline: where rows come from and where they go.
//!
//! A connector knows its options, its files or its service, and the runtime's
//! traits; it knows nothing of SQL or of the plan. A new one is a folder or a
//! file here, a line in `registry.rs`, and its descriptor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use indexmap::IndexMap;
use uuid::Uuid;

use crate::stream::OperatorId;

mod blackhole;
mod console;
mod datagen;
mod directories;
mod filesystem;
mod generated;
mod kafka;
mod lines;
mod nexmark;
mod print;
mod registry;
mod stdout;
#[cfg(test)]
mod testing;
mod values;

pub use crate::formats::{OptionDefault, OptionDoc, OptionError};
pub use console::{ConsoleFormat, console};
pub use kafka::{JobTransaction, remove_outboxes};
pub use registry::{Descriptor, MetadataDoc, descriptors, metadata_of, sink, source};

/// A table as a connector sees it.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// The table's name.
    pub name: String,
    /// `WITH (…)` in the order of the text.
    pub options: IndexMap<String, String>,
    /// The physical columns: what a record holds.
    pub schema: SchemaRef,
    /// The metadata columns with their keys, in order. A source is asked for some of
    /// them by name; a sink gets all of them, behind the physical columns.
    pub metadata: IndexMap<String, String>,
    /// The columns of the primary key; empty if there is none.
    pub primary_key: Vec<String>,
    /// The physical columns by which the table is partitioned, in the order of `PARTITIONED BY`.
    pub partition_keys: Vec<String>,
}

/// The columns of `schema` that are decoded, and the keys of the metadata behind them,
/// given all metadata of the table.
fn split_metadata(
    schema: &SchemaRef,
    metadata: &IndexMap<String, String>,
) -> (SchemaRef, Vec<String>) {
    let fields = schema.fields().iter();
    let key_of = |field: &FieldRef| metadata.get(field.name()).cloned();
    let decoded = fields.clone().filter(|field| key_of(field).is_none());
    let decoded = Schema::new(decoded.cloned().collect::<Vec<_>>());
    (Arc::new(decoded), fields.filter_map(key_of).collect())
}

/// The job for which a connector works.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The job's identity: what it leaves in a shared place is named after it.
    pub job: Uuid,
    /// The pipeline's name, for people.
    pub pipeline: String,
    /// The name of the node in the job.
    pub node: String,
    /// The plan node: two sinks that write one place keep apart by it.
    pub operator: OperatorId,
    /// The job's data directory.
    pub data_dir: PathBuf,
    /// The transaction of this life of the job, which its Kafka sinks share.
    pub transaction: Arc<JobTransaction>,
}

impl JobContext {
    /// A context for looking at tables without running them: nothing is left anywhere
    /// under its name.
    pub fn for_inspection(pipeline: String, operator: OperatorId) -> Self {
        Self {
            job: Uuid::nil(),
            pipeline,
            node: String::new(),
            operator,
            data_dir: PathBuf::new(),
            transaction: Arc::new(JobTransaction::new(Duration::ZERO)),
        }
    }
}
