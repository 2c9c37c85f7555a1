//! Whether a topic is one to which records are written safely, asked before the first row.

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::metadata::MetadataTopic;

use super::context::Context;
use super::{Properties, Result};

/// How long the question may take. Without an answer nothing is known, and nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a topic asks of its partitions.
const IN_SYNC_MIN: &str = "min.insync.replicas";

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replication {
    /// The fewest replicas that one of its partitions has.
    pub replicas: usize,
    /// How many of them must have a record; `None` if the user may not know.
    pub in_sync_min: Option<usize>,
    pub brokers: usize,
}

impl Replication {
    /// Asks the cluster. It blocks.
    pub fn of(properties: &Properties, topic: &MetadataTopic, brokers: usize) -> Result<Self> {
        let replicas = topic.partitions().iter();
        let replicas = replicas.map(|partition| partition.replicas().len()).min();
        Ok(Self {
            replicas: replicas.unwrap_or(0),
            in_sync_min: in_sync_min(properties, topic.name())?,
            brokers,
        })
    }

    /// What a person should know of the topic, if anything.
    pub fn warning(self, topic: &str) -> Option<String> {
        let Self {
            replicas,
            in_sync_min,
            brokers,
        } = self;
        match in_sync_min {
            Some(min) if min > replicas => Some(format!(
                "'{IN_SYNC_MIN}' of '{topic}' wants {min} replicas to have a record, and its \
                 partitions have {replicas}: brokers before Kafka 4.0 take no record then; lower it, \
                 or give the topic more replicas"
            )),
            Some(min) if min == replicas && replicas > 1 => Some(format!(
                "while any of its brokers is away, nothing can be written to '{topic}': its \
                 partitions have {replicas} replicas, and '{IN_SYNC_MIN}' wants all of them to have \
                 a record; lower it, or give the topic more replicas"
            )),
            _ if replicas == 1 && brokers > 1 => Some(format!(
                "a broker that is lost takes records of '{topic}' with it: its partitions have one \
                 replica on {brokers} brokers"
            )),
            _ => None,
        }
    }
}

/// `None` without the right to know, and if nobody answers in time.
fn in_sync_min(properties: &Properties, topic: &str) -> Result<Option<usize>> {
    let configuration = properties.configuration()?;
    let (client, _context): (AdminClient<Context>, _) =
        configuration.client("a Kafka client", "the topic's settings")?;
    let wanted = [ResourceSpecifier::Topic(topic)];
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let asked = block_on(client.describe_configs(&wanted, &options));
    let found = asked.ok().and_then(|answers| answers.into_iter().next());
    let Some(Ok(ConfigResource { entries, .. })) = found else {
        tracing::debug!("the settings of '{topic}' are not known: {found:?}");
        return Ok(None);
    };
    let value = entries.into_iter().find(|entry| entry.name == IN_SYNC_MIN);
    Ok(value.and_then(|entry| entry.value?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_safe_is_told() {
        for (replicas, in_sync_min, brokers, expected) in [
            (1, Some(1), 1, None),
            (1, Some(1), 3, Some("one replica on 3 brokers")),
            (1, None, 3, Some("one replica on 3 brokers")),
            (3, Some(2), 3, None),
            (3, None, 3, None),
            (3, Some(3), 3, Some("wants all of them")),
            (2, Some(3), 3, Some("wants 3 replicas")),
        ] {
            let replication = Replication {
                replicas,
                in_sync_min,
                brokers,
            };
            let warning = replication.warning("t");
            let is_right = match (&warning, expected) {
                (Some(warning), Some(expected)) => warning.contains(expected),
                (None, None) => true,
                _ => false,
            };
            assert!(is_right, "{replication:?}: {warning:?}");
        }
    }
}
