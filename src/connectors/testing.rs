//! Tables and a job for the tests of connectors.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use uuid::Uuid;

use super::{JobContext, JobTransaction, TableOptions};
use crate::stream::OperatorId;

/// A table of these columns with these options.
pub(super) fn table(schema: &SchemaRef, options: &[(&str, &str)]) -> TableOptions {
    let given = options
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    TableOptions {
        name: "t".to_owned(),
        options: given.collect(),
        schema: schema.clone(),
        metadata: IndexMap::new(),
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
    }
}

/// A job that nobody else has.
pub(super) fn job() -> JobContext {
    JobContext {
        job: Uuid::nil(),
        pipeline: "p".to_owned(),
        node: "node-0".to_owned(),
        operator: OperatorId(0),
        data_dir: PathBuf::new(),
        transaction: Arc::new(JobTransaction::new(Duration::ZERO)),
    }
}
