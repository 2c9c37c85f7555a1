//! Commits offsets for Kafka's own tools, which show with them how far behind a job is.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;

use super::blocking;
use super::options::SourceOptions;
use super::source::{PartitionPosition, PartitionSpec};
use crate::kafka::{Cluster, Partition};
use crate::runtime::{Error, PositionReporter, Result, Split};

/// Commits for the group that a table names.
pub(super) struct GroupOffsets {
    options: Arc<SourceOptions>,
    name: String,
    cluster: Mutex<Option<Arc<Cluster>>>,
}

impl GroupOffsets {
    pub fn new(options: Arc<SourceOptions>, table: &str) -> Self {
        Self {
            options,
            name: format!("the offsets of table {table}"),
            cluster: Mutex::default(),
        }
    }
}

#[async_trait]
impl PositionReporter for GroupOffsets {
    async fn report(&self, positions: &[(Split, Value)]) -> Result<()> {
        let offsets = positions.iter().map(|(split, position)| {
            let spec: PartitionSpec = serde_json::from_value(split.spec.clone())?;
            let position: PartitionPosition = serde_json::from_value(position.clone())?;
            let partition = Partition {
                topic: spec.topic,
                number: spec.partition,
            };
            Ok((partition, position.offset))
        });
        let offsets: serde_json::Result<Vec<_>> = offsets.collect();
        let offsets = offsets.map_err(|error| Error::Fatal(error.to_string()))?;
        let (options, name) = (Arc::clone(&self.options), self.name.clone());
        let known = self.cluster.lock().clone();
        let cluster = blocking(move || {
            let cluster = match known {
                Some(cluster) => cluster,
                // The table names a group, or nobody would report.
                None => Arc::new(Cluster::new(&options.properties, &name, "")?),
            };
            cluster.commit(&offsets)?;
            Ok(cluster)
        })
        .await?;
        *self.cluster.lock() = Some(cluster);
        Ok(())
    }
}
