//! Writes records. The library sends them in the background; a failure is told by the
//! next call.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::aside::Aside;
use super::cluster::partition_count;
use super::configuration::Configuration;
use super::context::Context;
use super::native_producer::{Failure, NativeProducer};
use super::preflight::Replication;
use super::{Error, Properties, Result};

/// How long to wait when the library's buffer is full before trying again.
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition's number; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its time in milliseconds since 1970, which is not 0; without one it is now.
    pub timestamp: Option<i64>,
    /// The headers.
    pub headers: &'a [Header<'a>],
}

/// The key and the value of a header.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// A producer. Clones share it.
pub struct Producer {
    pub(super) client: Aside<NativeProducer>,
    context: Context,
    name: String,
}

impl Producer {
    /// A producer that writes each record once, in the order of the calls; `name` is
    /// for people.
    ///
    /// # Errors
    /// If a property is wrong or a secret cannot be read.
    pub fn new(properties: &Properties, name: &str) -> Result<Self> {
        let mut configuration = properties.configuration()?;
        configuration.set("enable.idempotence", "true");
        Self::with_configuration(configuration, name)
    }

    pub(super) fn with_configuration(mut configuration: Configuration, name: &str) -> Result<Self> {
        configuration.set("delivery.report.only.error", "true");
        // Kafka's own partitioner, so that a key goes where other producers send it.
        configuration.set("partitioner", "murmur2_random");
        for (key, value) in [
            ("linger.ms", "5"),
            ("batch.size", "1000000"),
            ("queue.buffering.max.messages", "1000000"),
            ("queue.buffering.max.kbytes", "65536"),
        ] {
            configuration.set_default(key, value);
        }
        let (client, context) = configuration.client("a Kafka producer", name)?;
        Ok(Self {
            client: Aside::new(client),
            context,
            name: name.to_owned(),
        })
    }

    /// How many partitions a topic has. It blocks.
    ///
    /// # Errors
    /// If the cluster cannot be asked or has no such topic.
    pub fn partitions_of(&self, topic: &str) -> Result<i32> {
        let count = partition_count(&self.metadata(topic)?, topic)?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// What a person should know of the safety of records in a topic, if anything; `properties`
    /// say who asks. It blocks.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn warning_of(&self, properties: &Properties, topic: &str) -> Result<Option<String>> {
        let metadata = self.metadata(topic)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        let replication = Replication::of(properties, found, metadata.brokers().len())?;
        Ok(replication.warning(topic))
    }

    fn metadata(&self, topic: &str) -> Result<Metadata> {
        let doing = format!("find the partitions of '{topic}'");
        let client = self.client.client();
        self.context.ask(&doing, |patience| {
            client.fetch_metadata(Some(topic), patience)
        })
    }

    /// Hands a record over, once there is room for it.
    ///
    /// # Errors
    /// If this or an earlier record cannot be written. A record that is larger than the
    /// cluster takes is the caller's ([`Refused`]).
    pub async fn send(&self, record: Record<'_>) -> Result<Result<(), Refused>> {
        loop {
            let Err(code) = self.client.produce(&record) else {
                return Ok(Ok(()));
            };
            match code {
                RDKafkaErrorCode::QueueFull => {
                    self.check()?;
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                RDKafkaErrorCode::MessageSizeTooLarge => {
                    let bytes = record.value.map_or(0, <[u8]>::len);
                    return Ok(Err(Refused { bytes }));
                }
                _ => return Err(self.failure_of("write a record", code, &code.to_string())),
            }
        }
    }

    /// Waits until everything handed over is written. It blocks.
    ///
    /// # Errors
    /// If a record could not be written.
    pub fn flush(&self, patience: Duration) -> Result<()> {
        let flushed = self.client.flush(patience);
        self.check()?;
        let doing = "write the records of the interval";
        flushed.map_err(|code| self.failure_of(doing, code, &code.to_string()))
    }

    /// A failure that was not told yet.
    ///
    /// # Errors
    /// That failure.
    pub fn check(&self) -> Result<()> {
        self.context.check()?;
        match self.client.client().fatal_error() {
            Some((code, text)) => Err(Error::of_code(
                &format!("write to Kafka as {}", self.name),
                code,
                &text,
            )),
            None => Ok(()),
        }
    }

    /// What a failed call of a transaction means.
    pub(super) fn failure(&self, doing: &str, failure: &Failure) -> Error {
        self.failure_of(doing, failure.code, &failure.text)
    }

    /// What a failed call means, if nothing told earlier says it better.
    fn failure_of(&self, doing: &str, code: RDKafkaErrorCode, text: &str) -> Error {
        match self.check() {
            Err(why) => why,
            Ok(()) => self.context.explain(Error::of_code(doing, code, text)),
        }
    }
}

/// A record that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record has {bytes} bytes, more than 'properties.max.request.size' allows; raise it, and \
     'max.message.bytes' of the topic"
)]
pub struct Refused {
    /// How long its value is.
    pub bytes: usize,
}
