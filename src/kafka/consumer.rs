//! Reads partitions that it was given: `assign`, never `subscribe`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use super::cluster::{Partition, cluster_id};
use super::context::{self, Context};
use super::queue::{MessageQueue, Messages};
use super::{Error, Properties, Result};

/// How many records are taken at a time.
const MESSAGES_MAX: usize = 8_192;

/// Memory for records that were fetched and not yet taken, unless it is given.
const QUEUE_KBYTES: &str = "16384";

/// Reads some partitions. Partitions are told apart by the numbers that they were
/// assigned with.
pub struct Consumer {
    queue: Arc<MessageQueue>,
    context: Context,
    partitions: HashMap<usize, Partition>,
    lost: Lost,
    /// From the library's handle of a topic and the partition's number.
    indices: HashMap<(usize, i32), usize>,
    messages: Messages,
    next_index: usize,
}

/// What has come.
pub enum Polled<'a> {
    /// Records of this partition are next in [`Consumer::messages`].
    Records(usize, &'a mut Messages),
    /// A partition has been read to its end.
    End(usize, PartitionEnd),
}

/// What is done where the next records are no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The job ends with an error.
    Fail,
    /// It goes on with the oldest record that is there.
    Earliest,
    /// It goes on with the records that come.
    Latest,
}

/// How far a partition could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionEnd {
    /// The next offset that would be read.
    pub offset: i64,
    /// Whether that is the end of the log: behind it there is not even a transaction
    /// that is still open.
    pub is_log_end: bool,
}

impl Consumer {
    /// A consumer of nothing; `name` is for people, `group` is used if the
    /// properties name no group.
    ///
    /// # Errors
    /// If a property is wrong or a secret cannot be read.
    pub fn new(properties: &Properties, name: &str, group: &str, lost: Lost) -> Result<Self> {
        let mut configuration = properties.configuration()?;
        configuration.set("enable.auto.commit", "false");
        configuration.set("enable.auto.offset.store", "false");
        configuration.set("enable.partition.eof", "true");
        configuration.set_default("group.id", group);
        // For us it only says where a group begins that has no offset; what becomes of records
        // that are gone is asked apart, as most people set this one without thinking of it.
        configuration.set("auto.offset.reset", "error");
        configuration.set_default("queued.max.messages.kbytes", QUEUE_KBYTES);
        let (client, context) = configuration.client("a Kafka consumer", name)?;
        let client = Arc::new(client);
        context::hear(&client)?;
        let queue = Arc::new(MessageQueue::new(client));
        Ok(Self {
            messages: queue.take(0),
            queue,
            context,
            partitions: HashMap::new(),
            lost,
            indices: HashMap::new(),
            next_index: 0,
        })
    }

    /// A question that blocks: what tells the cluster from every other.
    pub fn cluster_id(&self) -> impl FnOnce() -> Result<String> + Send + use<> {
        let (queue, context) = (Arc::clone(&self.queue), self.context.clone());
        move || cluster_id(queue.client.client(), &context)
    }

    /// Reads a partition from an offset on, or from its start; returns its number here.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn assign(&mut self, partition: Partition, from: Option<i64>) -> Result<usize> {
        self.begin(&partition, from.map_or(Offset::Beginning, Offset::Offset))?;
        let index = self.next_index;
        self.next_index += 1;
        self.partitions.insert(index, partition);
        Ok(index)
    }

    fn begin(&self, partition: &Partition, offset: Offset) -> Result<()> {
        let forward = || self.queue.forward(&partition.topic, partition.number);
        // Before, or the first records would come to the library's own queue.
        forward()?;
        let list = list(partition, offset)?;
        let assigned = self.queue.client.incremental_assign(&list);
        assigned.map_err(|error| Error::of(&format!("read {partition}"), &error))?;
        // And behind: a partition that was just left is stopped by the library's own thread,
        // which takes the queue away from it. It has been by now, as that thread does one thing
        // after the other; what has come meanwhile moves here.
        forward()
    }

    fn leave(&self, partition: &Partition) -> Result<()> {
        let list = list(partition, Offset::Invalid)?;
        let left = self.queue.client.incremental_unassign(&list);
        left.map_err(|error| Error::of(&format!("leave {partition}"), &error))
    }

    /// Holds a partition up, or goes on with it where the last record was taken.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn pause(&mut self, index: usize, is_paused: bool) -> Result<()> {
        let Some(partition) = self.partitions.get(&index) else {
            return Ok(());
        };
        let list = list(partition, Offset::Invalid)?;
        let client = &self.queue.client;
        let done = if is_paused {
            client.pause(&list)
        } else {
            client.resume(&list)
        };
        done.map_err(|error| Error::of(&format!("hold {partition} up"), &error))
    }

    /// Reads a partition no more.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn unassign(&mut self, index: usize) -> Result<()> {
        let Some(partition) = self.partitions.remove(&index) else {
            return Ok(());
        };
        self.indices.retain(|_, known| *known != index);
        self.leave(&partition)
    }

    /// What is there without waiting.
    ///
    /// # Errors
    /// If a partition cannot be read on.
    pub fn poll(&mut self) -> Result<Option<Polled<'_>>> {
        loop {
            if self.messages.peek().is_none() {
                self.context.check()?;
                self.messages = self.queue.take(MESSAGES_MAX);
            }
            let Some(message) = self.messages.peek() else {
                return Ok(None);
            };
            let handle = (message.topic_handle(), message.partition());
            let known = self.indices.get(&handle).copied();
            let index = known.or_else(|| self.index_of(message.topic(), message.partition()));
            let Some(index) = index else {
                // Of a partition that was left meanwhile.
                self.messages.pass();
                continue;
            };
            if known.is_none() {
                self.indices.insert(handle, index);
            }
            let Some(code) = message.error() else {
                self.messages.name_partition(handle);
                return Ok(Some(Polled::Records(index, &mut self.messages)));
            };
            let (offset, text) = (message.offset(), message.error_text());
            self.messages.pass();
            if code == RDKafkaErrorCode::PartitionEOF {
                return Ok(Some(Polled::End(index, self.end_of(index, offset))));
            }
            self.trouble(index, code, &text)?;
        }
    }

    /// Whether there are records behind an offset, perhaps of an open transaction, as the last
    /// fetch has shown it.
    pub fn has_more(&self, index: usize, offset: i64) -> bool {
        let is_end = self.end_of(index, offset).is_log_end;
        self.partitions.contains_key(&index) && !is_end
    }

    /// Waits until something may be there.
    pub async fn wait(&self) {
        // Failures that are no records do not wake this.
        let _ = tokio::time::timeout(Duration::from_millis(100), self.queue.filled()).await;
    }

    fn index_of(&self, topic: &str, number: i32) -> Option<usize> {
        let mut partitions = self.partitions.iter();
        let is_it = |partition: &Partition| partition.topic == topic && partition.number == number;
        partitions.find_map(|(index, partition)| is_it(partition).then_some(*index))
    }

    fn end_of(&self, index: usize, offset: i64) -> PartitionEnd {
        let high = self.partitions.get(&index).and_then(|partition| {
            self.queue
                .high_watermark(&partition.topic, partition.number)
        });
        PartitionEnd {
            offset,
            is_log_end: high.is_some_and(|high| offset >= high),
        }
    }

    fn trouble(&self, index: usize, code: RDKafkaErrorCode, text: &str) -> Result<()> {
        let Some(partition) = self.partitions.get(&index) else {
            return Ok(());
        };
        let doing = format!("read {partition}");
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.go_on_without(partition, text)
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition => Err(Error::Retryable(format!(
                "cannot {doing}: there is no such partition; was the topic deleted?"
            ))),
            code => match Error::of_code(&doing, code, text) {
                // The library tries again by itself.
                Error::Retryable(reason) => {
                    tracing::warn!("{reason}");
                    Ok(())
                }
                fatal => Err(fatal),
            },
        }
    }

    /// The records at which a partition is to go on are no longer there.
    fn go_on_without(&self, partition: &Partition, text: &str) -> Result<()> {
        let (offset, place) = match self.lost {
            Lost::Fail => {
                return Err(Error::Fatal(format!(
                    "cannot read {partition}: the records at which it is to go on are no longer \
                     there; they were deleted before they were read ({text}). Set \
                     'scan.offset-out-of-range' to 'earliest' or 'latest' to go on without them, \
                     or start anew with --fresh"
                )));
            }
            Lost::Earliest => (Offset::Beginning, "the oldest that are there"),
            Lost::Latest => (Offset::End, "those that come"),
        };
        tracing::warn!(
            "records of {partition} were deleted before they were read ({text}); reading goes on \
             with {place}, as 'scan.offset-out-of-range' says"
        );
        self.leave(partition)?;
        self.begin(partition, offset)
    }
}

fn list(partition: &Partition, offset: Offset) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&partition.topic, partition.number, offset)
        .map_err(|error| Error::of(&format!("read {partition}"), &error))?;
    Ok(list)
}
