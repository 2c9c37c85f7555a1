//! Where the records of one task go: the topic, and the partition of each.

use std::sync::Arc;

use super::blocking;
use super::options::{Partitioner, SinkOptions};
use crate::kafka::Producer;
use crate::runtime::Result;

/// Where records go.
pub(super) struct Target {
    pub topic: String,
    partitioner: Partitioner,
    /// How many partitions there are, once that was asked.
    partitions: Option<i32>,
    /// The next partition, or the task's number.
    turn: i32,
}

impl Target {
    /// That of the task with this number.
    pub fn new(options: &SinkOptions, task: usize) -> Self {
        Self {
            topic: options.topic.clone(),
            partitioner: options.partitioner,
            partitions: None,
            turn: i32::try_from(task).unwrap_or(0),
        }
    }

    /// Asks once how many partitions there are, which also tells a wrong name.
    pub async fn ask(&mut self, producer: &Arc<Producer>) -> Result<()> {
        if self.partitions.is_none() {
            let (producer, topic) = (Arc::clone(producer), self.topic.clone());
            let partitions = blocking(move || producer.partitions_of(&topic)).await?;
            self.partitions = Some(partitions);
        }
        Ok(())
    }

    /// The partition of the next record; `None` leaves it to the key.
    pub fn next_partition(&mut self) -> Option<i32> {
        let partitions = self.partitions.unwrap_or(1);
        match self.partitioner {
            Partitioner::Default => None,
            Partitioner::Fixed => Some(self.turn % partitions),
            Partitioner::RoundRobin => {
                self.turn = (self.turn + 1) % partitions;
                Some(self.turn)
            }
        }
    }
}
