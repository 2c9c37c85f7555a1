//! Where the records of one task go: the topic, and the partition of each.

use std::sync::Arc;

use parking_lot::Mutex;

use super::blocking;
use super::options::{Partitioner, SinkOptions};
use crate::kafka::{Producer, Properties};
use crate::runtime::Result;

/// Where records go.
pub(super) struct Target {
    pub topic: String,
    partitioner: Partitioner,
    /// How many partitions there are, once that was asked.
    partitions: Option<i32>,
    /// The next partition, or the task's number.
    turn: i32,
    unchecked: Unchecked,
}

/// As whom it is asked whether records are safe in the topic, until one task has asked for all.
pub(super) type Unchecked = Arc<Mutex<Option<Properties>>>;

impl Target {
    /// That of the task with this number.
    pub fn new(options: &SinkOptions, task: usize) -> Self {
        Self {
            topic: options.topic.clone(),
            partitioner: options.partitioner,
            partitions: None,
            turn: i32::try_from(task).unwrap_or(0),
            unchecked: Arc::clone(&options.unchecked),
        }
    }

    /// Asks once how many partitions there are, which also tells a wrong name, and whether
    /// records are safe in them.
    pub async fn ask(&mut self, producer: &Arc<Producer>) -> Result<()> {
        if self.partitions.is_none() {
            let (producer, topic) = (Arc::clone(producer), self.topic.clone());
            let unchecked = self.unchecked.lock().take();
            let asked = blocking(move || {
                let partitions = producer.partitions_of(&topic)?;
                let warning = match unchecked {
                    Some(properties) => producer.warning_of(&properties, &topic)?,
                    None => None,
                };
                Ok((partitions, warning))
            });
            let (partitions, warning) = asked.await?;
            if let Some(warning) = warning {
                tracing::warn!("{warning}");
            }
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
