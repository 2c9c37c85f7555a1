//! Writes each row below the directory of its partition, in part files as any others.

use std::collections::BTreeMap;

use arrow::array::UInt32Array;
use async_trait::async_trait;
use serde_json::Value;

use super::partitions::Partitions;
use super::sink::FileSink;
use crate::runtime::{Error, Prepared, Result, Sink, Written};
use crate::stream::{Barrier, Batch};

/// The sink of one task: a part file is open in each partition that has got rows lately.
pub(super) struct PartitionedSink<F> {
    partitions: Partitions,
    /// The sink into the directory of a partition.
    sink_into: F,
    /// By the directories below the table's.
    sinks: BTreeMap<String, FileSink>,
}

impl<F: Fn(&str) -> FileSink> PartitionedSink<F> {
    pub(super) fn new(partitions: Partitions, sink_into: F) -> Self {
        Self {
            partitions,
            sink_into,
            sinks: BTreeMap::new(),
        }
    }

    /// The rows of each partition, without the columns that its name holds.
    fn split(&self, batch: &Batch) -> Result<Vec<(String, Batch)>> {
        let mut rows = BTreeMap::<String, Vec<u32>>::new();
        for (row, partition) in self
            .partitions
            .of_rows(&batch.records)
            .into_iter()
            .enumerate()
        {
            let row = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
            rows.entry(partition).or_default().push(row);
        }
        let schema = batch.records.schema();
        let in_records = self.partitions.in_records.fields().iter();
        let columns = in_records.filter_map(|field| schema.index_of(field.name()).ok());
        let records = batch.records.project(&columns.collect::<Vec<_>>());
        let records = records.map_err(|error| Error::Fatal(error.to_string()))?;
        let batch = Batch::with_kinds(records, batch.kinds.clone());
        let of_partition = |(partition, rows)| {
            let some = batch.take(&UInt32Array::from(rows));
            let some = some.map_err(|error| Error::Fatal(error.to_string()))?;
            Ok((partition, some))
        };
        rows.into_iter().map(of_partition).collect()
    }
}

#[async_trait]
impl<F: Fn(&str) -> FileSink + Send + Sync> Sink for PartitionedSink<F> {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let mut whole = Written::default();
        for (partition, rows) in self.split(&batch)? {
            let sink_into = &self.sink_into;
            let sink = self.sinks.entry(partition);
            let sink = sink.or_insert_with_key(|partition| sink_into(partition));
            let written = sink.write(rows).await?;
            whole.bytes += written.bytes;
            whole.dead_letters.extend(written.dead_letters);
        }
        Ok(whole)
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared> {
        let mut whole = Prepared::default();
        for (partition, sink) in &mut self.sinks {
            let prepared = sink.prepare(barrier).await?;
            let below = |mut part: Value| {
                let name = part["file"].as_str().unwrap_or_default();
                part["file"] = format!("{partition}/{name}").into();
                part
            };
            whole
                .publish
                .extend(prepared.publish.into_iter().map(below));
            whole.open.extend(prepared.open.into_iter().map(below));
        }
        self.sinks.retain(|_, sink| !sink.is_idle());
        Ok(whole)
    }
}
