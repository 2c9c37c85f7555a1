//! A real broker for the benchmarks, and clients that have nothing to do with the engine's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// Of every topic.
const PARTITIONS: i32 = 4;
/// Records in a row that go to the same partition when a topic is loaded.
const RUN: u64 = 4_096;
const PATIENCE: Duration = Duration::from_mins(1);

/// A broker that ends with this.
pub struct Broker {
    directory: TempDir,
    servers: String,
}

impl Broker {
    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be installed or does not start.
    pub fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        script(&["install"], None)?;
        let servers = script(&["start"], Some(directory.path()))?;
        Ok(Self { directory, servers })
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config
    }

    /// The options of a table that is a topic, as in `WITH`.
    pub fn options(&self, topic: &str) -> String {
        format!(
            "'connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json', \
             'properties.bootstrap.servers' = '{}'",
            self.servers
        )
    }

    /// Makes an empty topic.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn make_topic(&self, name: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for made in block_on(admin.create_topics([&topic], &options))? {
            made.map_err(|(name, code)| anyhow!("no topic {name}: {code}"))?;
        }
        Ok(())
    }

    /// A producer that waits `linger_ms` for more records.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn producer(&self, linger_ms: &str) -> Result<Producer> {
        let mut config = self.config();
        config.set("linger.ms", linger_ms);
        config.set("batch.size", "1000000");
        Ok(Producer(config.create()?))
    }

    /// A reader of committed records that begins where a topic begins.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn consumer(&self, topic: &str) -> Result<BaseConsumer> {
        let mut config = self.config();
        config.set("group.id", "bench");
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&partitions)?;
        Ok(consumer)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It would go on without this process.
        let _ = script(&["stop"], Some(self.directory.path()));
    }
}

/// Writes records into topics.
pub struct Producer(ThreadedProducer<DefaultProducerContext>);

impl Producer {
    /// Hands the record of row `row` over, once there is room for it. Rows go to partitions by
    /// runs of some thousand.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn send(&self, topic: &str, row: u64, value: &str) -> Result<()> {
        let partition = i32::try_from(row / RUN % u64::from(PARTITIONS.unsigned_abs()))?;
        let mut record = BaseRecord::<(), str>::to(topic)
            .partition(partition)
            .payload(value);
        while let Err((error, back)) = self.0.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            ensure!(error == full, "cannot write into {topic}: {error}");
            record = back;
            self.0.poll(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits until the broker has all of them.
    ///
    /// # Errors
    /// If it does not take them.
    pub fn flush(&self) -> Result<()> {
        Ok(self.0.flush(PATIENCE)?)
    }
}

/// Runs `scripts/kafka`; what it says.
fn script(arguments: &[&str], directory: Option<&Path>) -> Result<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/kafka"));
    let output = Command::new(&path).args(arguments).args(directory).output();
    let output = output.context("scripts/kafka")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "scripts/kafka {arguments:?}: {said}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
