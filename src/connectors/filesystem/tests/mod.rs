//! The connector as the runtime uses it: through its factories and their traits.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
use tokio::runtime::Builder;
use uuid::Uuid;

use crate::connectors::{JobContext, TableOptions, testing};
use crate::formats::RowText;

mod metadata;
mod partitions;
mod read;
mod write;

/// A table `t` of one column in `directory`.
fn table(path: &Path, data_type: DataType, options: &[(&str, &str)]) -> TableOptions {
    let mut given = vec![("path", path.to_str().unwrap())];
    given.extend(options);
    let schema = Schema::new(vec![Field::new("v", data_type, true)]);
    TableOptions {
        name: "t".to_owned(),
        options: given
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        schema: Arc::new(schema),
        metadata: IndexMap::new(),
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
    }
}

fn job(number: u128) -> JobContext {
    JobContext {
        job: Uuid::from_u128(number),
        ..testing::job()
    }
}

/// The values of the only column.
fn values(records: &RecordBatch) -> Vec<String> {
    let text = RowText::new(records);
    let value = |row| {
        let mut out = Vec::new();
        text.write(row, 0, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..records.num_rows()).map(value).collect()
}

fn schema_of(table: &TableOptions) -> SchemaRef {
    table.schema.clone()
}

/// All names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs a test, which must not take for ever if an event never comes.
fn run(test: impl Future<Output = ()>) {
    run_on(Builder::new_current_thread(), test);
}

fn run_on(mut engine: Builder, test: impl Future<Output = ()>) {
    let runtime = engine.enable_all().build().unwrap();
    let limit = std::time::Duration::from_secs(20);
    runtime
        .block_on(async { tokio::time::timeout(limit, test).await })
        .expect("an event never came");
}
