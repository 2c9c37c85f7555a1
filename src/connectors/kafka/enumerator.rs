//! Finds partitions, and where each begins and ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::blocking;
use super::options::{Bound, SourceOptions, Startup, Topics};
use super::source::PartitionSpec;
use crate::kafka::{Cluster, Error, Partition, Result};
use crate::runtime::{self, Discovery, Enumerator, Split};

/// How long to wait before a bounded source is looked at again after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Finds the partitions of one table.
pub(super) struct KafkaEnumerator {
    options: Arc<SourceOptions>,
    name: String,
    group: String,
    cluster: Option<Arc<Cluster>>,
    /// Whether there was a look before: what comes now is new.
    has_looked: bool,
}

impl KafkaEnumerator {
    pub fn new(options: Arc<SourceOptions>, table: &str, group: &str) -> Self {
        Self {
            options,
            name: format!("table {table}"),
            group: group.to_owned(),
            cluster: None,
            has_looked: false,
        }
    }
}

#[async_trait]
impl Enumerator for KafkaEnumerator {
    fn has_looked(&mut self) {
        self.has_looked = true;
    }

    async fn discover(&mut self, known: &[Split]) -> runtime::Result<Discovery> {
        let (options, cluster) = (Arc::clone(&self.options), self.cluster.clone());
        let (name, group) = (self.name.clone(), self.group.clone());
        let names: HashSet<String> = known.iter().map(|split| split.id.clone()).collect();
        let is_first = !self.has_looked;
        let (cluster, found) = blocking(move || {
            let cluster = match cluster {
                Some(cluster) => cluster,
                None => Arc::new(Cluster::new(&options.properties, &name, &group)?),
            };
            let found = look(&cluster, &options, &names, is_first)?;
            Ok((cluster, found))
        })
        .await?;
        self.cluster = Some(cluster);
        self.has_looked = true;
        Ok(Discovery {
            found,
            complete: self.options.discovery_interval.is_none(),
        })
    }

    fn interval(&self) -> Duration {
        self.options.discovery_interval.unwrap_or(RETRY)
    }
}

/// The partitions that are not known yet. What is found by a later look is new, and
/// read from its start.
fn look(
    cluster: &Cluster,
    options: &SourceOptions,
    known: &HashSet<String>,
    is_first: bool,
) -> Result<Vec<Split>> {
    let mut partitions = match &options.topics {
        Topics::Named(names) => cluster.partitions_of(names)?,
        Topics::Matching(pattern) => cluster.partitions_matching(pattern)?,
    };
    partitions.retain(|partition| !known.contains(&split_name(partition)));
    let starts = if is_first {
        starts(cluster, options, &partitions)?
    } else {
        vec![None; partitions.len()]
    };
    let ends = ends(cluster, options.bound.as_ref(), &partitions)?;
    let id = cluster.id()?;
    let splits = partitions.into_iter().zip(starts.into_iter().zip(ends));
    splits
        .map(|(partition, (start, end))| {
            let spec = PartitionSpec {
                start,
                end,
                cluster: id.clone(),
                topic: partition.topic.clone(),
                partition: partition.number,
            };
            let spec = serde_json::to_value(spec);
            Ok(Split {
                id: split_name(&partition),
                spec: spec.map_err(|error| Error::Fatal(error.to_string()))?,
            })
        })
        .collect()
}

fn split_name(partition: &Partition) -> String {
    format!("{}-{}", partition.topic, partition.number)
}

/// Where a new job begins.
fn starts(
    cluster: &Cluster,
    options: &SourceOptions,
    partitions: &[Partition],
) -> Result<Vec<Option<i64>>> {
    match &options.startup {
        Startup::Earliest => Ok(vec![None; partitions.len()]),
        Startup::Latest => ends_of(cluster, partitions),
        Startup::Timestamp(millis) => offsets_at(cluster, partitions, *millis),
        Startup::Offsets(offsets) => {
            let given = |one: &Partition| offsets.get(&one.number).copied();
            Ok(partitions.iter().map(given).collect())
        }
        Startup::Group => {
            let committed = cluster.committed(partitions)?.into_iter().zip(partitions);
            let reset = options.properties.get("auto.offset.reset");
            committed
                .map(|(offset, one)| match (offset, reset) {
                    (Some((offset, _)), _) => Ok(Some(offset)),
                    (None, Some("earliest" | "smallest" | "beginning")) => Ok(None),
                    (None, Some("latest" | "largest" | "end")) => cluster.end_of(one).map(Some),
                    (None, _) => Err(Error::Fatal(format!(
                        "the group has no offset of {one}; set 'properties.auto.offset.reset' to \
                         'earliest' or 'latest', or another 'scan.startup.mode'"
                    ))),
                })
                .collect()
        }
    }
}

/// Where a bounded read ends.
fn ends(
    cluster: &Cluster,
    bound: Option<&Bound>,
    partitions: &[Partition],
) -> Result<Vec<Option<i64>>> {
    match bound {
        None => Ok(vec![None; partitions.len()]),
        Some(Bound::Latest) => ends_of(cluster, partitions),
        Some(Bound::Timestamp(millis)) => offsets_at(cluster, partitions, *millis),
        // A partition that is not named is not read.
        Some(Bound::Offsets(offsets)) => {
            let given = |one: &Partition| Some(offsets.get(&one.number).copied().unwrap_or(0));
            Ok(partitions.iter().map(given).collect())
        }
    }
}

/// Where each partition ends now.
fn ends_of(cluster: &Cluster, partitions: &[Partition]) -> Result<Vec<Option<i64>>> {
    let ends = partitions.iter();
    ends.map(|one| cluster.end_of(one).map(Some)).collect()
}

/// The first record of each partition that is not older; its end, if all are.
fn offsets_at(
    cluster: &Cluster,
    partitions: &[Partition],
    millis: i64,
) -> Result<Vec<Option<i64>>> {
    let found = cluster.offsets_at(partitions, millis)?;
    let found = found.into_iter().zip(partitions);
    found
        .map(|(offset, one)| match offset {
            Some(offset) => Ok(Some(offset)),
            None => cluster.end_of(one).map(Some),
        })
        .collect()
}
