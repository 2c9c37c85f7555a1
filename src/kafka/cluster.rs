//! Questions to the cluster: which partitions there are, and which offsets. The calls
//! block and have a time limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::Offset;
use regex::Regex;

use super::aside::Aside;
use super::context::{self, Context};
use super::{Error, Properties, Result};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic.
    pub topic: String,
    /// The number, from 0.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} of '{}'", self.number, self.topic)
    }
}

/// A connection for questions.
pub struct Cluster {
    client: Aside<Arc<BaseConsumer<Context>>>,
    context: Context,
}

impl Cluster {
    /// A connection; `name` is for people. `group` is the group whose offsets
    /// [`Self::committed`] tells, if the properties name none.
    ///
    /// # Errors
    /// If a property is wrong or a secret cannot be read.
    pub fn new(properties: &Properties, name: &str, group: &str) -> Result<Self> {
        let mut configuration = properties.configuration()?;
        configuration.set_default("group.id", group);
        configuration.set("enable.auto.commit", "false");
        let (client, context) = configuration.client("a Kafka client", name)?;
        let client = Arc::new(client);
        context::hear(&client)?;
        Ok(Self {
            client: Aside::new(client),
            context,
        })
    }

    /// What tells this cluster from every other, whatever its addresses are.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn id(&self) -> Result<String> {
        cluster_id(self.client.client(), &self.context)
    }

    /// The partitions of these topics, in order.
    ///
    /// # Errors
    /// If the cluster cannot be asked, or a topic does not exist.
    pub fn partitions_of(&self, topics: &[String]) -> Result<Vec<Partition>> {
        let mut partitions = Vec::new();
        for name in topics {
            let doing = format!("find the partitions of '{name}'");
            let metadata = self.context.ask(&doing, |patience| {
                self.client.fetch_metadata(Some(name), patience)
            })?;
            partitions.extend(numbered(name, partition_count(&metadata, name)?));
        }
        Ok(partitions)
    }

    /// The partitions of all topics whose whole name matches.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn partitions_matching(&self, pattern: &Regex) -> Result<Vec<Partition>> {
        let doing = "find the topics";
        let metadata = self
            .context
            .ask(doing, |patience| self.client.fetch_metadata(None, patience))?;
        let mut partitions = Vec::new();
        for topic in metadata.topics() {
            let name = topic.name();
            // Kafka keeps its own records in topics, too.
            if name.starts_with("__") || !pattern.is_match(name) {
                continue;
            }
            if topic.error().is_some() {
                return Err(Error::Retryable(format!(
                    "the partitions of '{name}' are not known for now; its leader may be changing, \
                     or the user may not describe it"
                )));
            }
            partitions.extend(numbered(name, topic.partitions().len()));
        }
        partitions.sort();
        Ok(partitions)
    }

    /// Where a partition ends now, for a reader of committed records.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn end_of(&self, partition: &Partition) -> Result<i64> {
        let doing = format!("find the end of {partition}");
        let Partition { topic, number } = partition;
        let found = self.context.ask(&doing, |patience| {
            self.client.fetch_watermarks(topic, *number, patience)
        });
        found.map(|(_, end)| end)
    }

    /// The offsets that the group has committed of these partitions, `None` where it
    /// has none, with the text beside them. It waits for transactions that are about
    /// to commit some.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn committed(&self, partitions: &[Partition]) -> Result<Vec<Option<(i64, String)>>> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let doing = "read the committed offsets";
        let found = self.context.ask(doing, |patience| {
            let found = self.client.committed_offsets(list.clone(), patience);
            // The library waits for a coordinator that it will not be told.
            let refused = KafkaError::OffsetFetch(RDKafkaErrorCode::GroupAuthorizationFailed);
            let found = match found {
                Err(_) if self.context.is_group_refused() => return Err(refused),
                found => found?,
            };
            let failed = found
                .elements()
                .into_iter()
                .find_map(|one| one.error().err());
            failed.map_or(Ok(found), Err)
        })?;
        let mut committed = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let element = found.find_partition(&partition.topic, partition.number);
            committed.push(match element {
                Some(element) => match element.offset() {
                    Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
                    _ => None,
                },
                None => None,
            });
        }
        Ok(committed)
    }

    /// Asks something else.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub(super) fn ask<T>(
        &self,
        doing: &str,
        question: impl Fn(&Client<Context>, Duration) -> KafkaResult<T>,
    ) -> Result<T> {
        let client = self.client.client();
        self.context
            .ask(doing, |patience| question(client, patience))
    }

    /// Commits the next offset of partitions for the group, which nobody may have joined.
    ///
    /// # Errors
    /// If the cluster does not take them.
    pub fn commit(&self, offsets: &[(Partition, i64)]) -> Result<()> {
        let doing = "commit offsets for the group";
        let mut list = TopicPartitionList::new();
        for (Partition { topic, number }, offset) in offsets {
            let added = list.add_partition_offset(topic, *number, Offset::Offset(*offset));
            added.map_err(|error| Error::of(doing, &error))?;
        }
        let committed = self.client.commit(&list, CommitMode::Sync);
        committed.map_err(|error| Error::of(doing, &error))
    }

    /// The first offset of each partition whose record is not older than `millis`
    /// since 1970; `None` if there is none.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn offsets_at(&self, partitions: &[Partition], millis: i64) -> Result<Vec<Option<i64>>> {
        let doing = "find the offsets of a time";
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let Partition { topic, number } = partition;
            let added = list.add_partition_offset(topic, *number, Offset::Offset(millis));
            added.map_err(|error| Error::of(doing, &error))?;
        }
        let found = self.context.ask(doing, |patience| {
            self.client.offsets_for_times(list.clone(), patience)
        })?;
        let offsets = partitions.iter().map(|partition| {
            let element = found.find_partition(&partition.topic, partition.number)?;
            match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            }
        });
        Ok(offsets.collect())
    }
}

/// The id of the cluster of a client.
pub(super) fn cluster_id(client: &Client<Context>, context: &Context) -> Result<String> {
    context.ask("find the cluster's id", |patience| {
        let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut);
        client.fetch_cluster_id(patience).ok_or(unknown)
    })
}

/// How many partitions a topic has.
///
/// # Errors
/// If there is no such topic, or the user may not know.
pub(super) fn partition_count(metadata: &Metadata, topic: &str) -> Result<usize> {
    let mut topics = metadata.topics().iter();
    let found = topics.find(|found| found.name() == topic);
    match found.map(|found| (found.error(), found.partitions().len())) {
        Some((None, count @ 1..)) => Ok(count),
        Some((Some(code), _)) if RDKafkaErrorCode::from(code) != UNKNOWN => {
            let code = RDKafkaErrorCode::from(code);
            let doing = format!("find the partitions of '{topic}'");
            Err(Error::of_code(&doing, code, &code.to_string()))
        }
        _ => Err(Error::Retryable(format!(
            "there is no topic '{topic}'; create it, or check its name"
        ))),
    }
}

const UNKNOWN: RDKafkaErrorCode = RDKafkaErrorCode::UnknownTopicOrPartition;

fn numbered(topic: &str, count: usize) -> impl Iterator<Item = Partition> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    (0..count).map(move |number| Partition {
        topic: topic.to_owned(),
        number,
    })
}
