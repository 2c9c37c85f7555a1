//! Topics of Kafka: read by partition, written exactly once.
//!
//! *Reading*: a partition is a split. Positions live in the checkpoint alone; no group
//! is joined.
//!
//! *Writing*: the rows of a checkpoint are one transaction, whose commit decides the
//! checkpoint.
//!
//! *Metadata* columns read what Kafka knows of a record; its time and headers can be
//! written too.

use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats;

mod enumerator;
mod metadata;
mod options;
mod position_reporter;
mod reader;
mod sink;
mod source;
mod transaction;

pub(super) use sink::sink;
pub(super) use source::source;
pub use transaction::JobTransaction;

use crate::kafka;
use crate::runtime::Error;

/// A failure of the client in the runtime's words.
fn failed(error: kafka::Error) -> Error {
    match error {
        kafka::Error::Retryable(reason) | kafka::Error::Fenced(reason) => Error::Retryable(reason),
        kafka::Error::Fatal(reason) => Error::Fatal(reason),
    }
}

/// Runs a call that blocks on a thread for such calls.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> kafka::Result<T> + Send + 'static,
) -> crate::runtime::Result<T> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result.map_err(failed),
        Err(panicked) => Err(Error::Fatal(panicked.to_string())),
    }
}

/// An option and its default, as the descriptor lists them.
const fn option(key: &'static str, default: OptionDefault, doc: &'static str) -> OptionDoc {
    OptionDoc { key, default, doc }
}

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "kafka",
    purpose: "Reads and writes topics of Apache Kafka, with the metadata of records.",
    source: Some(
        "Exactly once: positions are kept with the checkpoint; offsets that are no longer there \
         stop the job instead of being skipped. Only committed records are read. The user needs the \
         right to read the topics, and with 'group-offsets' to describe the group.",
    ),
    sink: Some(
        "Exactly once for readers of committed records: the rows of a checkpoint are one \
         transaction, whose commit decides the checkpoint. Or at least once, or nothing. The user \
         needs the right to write to the topic; exactly once also to read it (the first of the job's \
         topics keeps the marker), to read groups and to write transactional ids that begin with \
         'thalweg.'.",
    ),
    options: &[
        option(
            "topic",
            OptionDefault::Off,
            "The topic; to read from several, separate them by ';'. Either this or 'topic-pattern'.",
        ),
        option(
            "topic-pattern",
            OptionDefault::Off,
            "All topics are read whose whole name matches, later ones too.",
        ),
        option(
            "properties.bootstrap.servers",
            OptionDefault::Required,
            "Brokers to begin with, as 'host:port', separated by ','.",
        ),
        option(
            "properties.#",
            OptionDefault::Off,
            "A property of the client by the name that it has in Kafka, if it is allowed. Secrets are references: '${env:NAME}' or '${file:PATH}'.",
        ),
        option(
            "properties.security.protocol",
            OptionDefault::Value("PLAINTEXT"),
            "Whether connections are encrypted, and whether one logs in: 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'.",
        ),
        option(
            "properties.ssl.truststore.certificates",
            OptionDefault::Off,
            "Authorities that brokers' certificates must be signed by, in PEM, as in '${file:/etc/ca.pem}'; without it those that the system trusts.",
        ),
        option(
            "properties.ssl.keystore.certificate.chain",
            OptionDefault::Off,
            "A certificate that brokers are shown, in PEM. Its key is 'properties.ssl.keystore.key', and the key's password 'properties.ssl.key.password'; both are references.",
        ),
        option(
            "properties.sasl.mechanism",
            OptionDefault::Off,
            "How to log in: 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'.",
        ),
        option(
            "properties.sasl.jaas.config",
            OptionDefault::Off,
            "User and password as Flink is told them, for PlainLoginModule and ScramLoginModule: the password is a reference, or the whole line is. 'properties.sasl.username' and 'properties.sasl.password' say the same.",
        ),
        option(
            "properties.sasl.oauthbearer.token",
            OptionDefault::Off,
            "The token of 'OAUTHBEARER', as in '${file:/var/run/secrets/token}', which is read again before it expires.",
        ),
        option(
            "format",
            OptionDefault::Required,
            "How a record's value is read and written. 'value.format' is the same, and its options may have 'value.' in front.",
        ),
        option(
            "key.format",
            OptionDefault::Off,
            "How a record's key is written; without it records have no key. Its options have 'key.' in front.",
        ),
        option(
            "key.fields",
            OptionDefault::Off,
            "The columns of the key, separated by ';'.",
        ),
        option(
            "value.fields-include",
            OptionDefault::Value("ALL"),
            "Whether the columns of the key are in the value too: 'ALL' or 'EXCEPT_KEY'.",
        ),
        option(
            "scan.startup.mode",
            OptionDefault::Value("group-offsets"),
            "Where a new job begins: 'earliest-offset', 'latest-offset', 'group-offsets', 'timestamp' or 'specific-offsets'.",
        ),
        option(
            "scan.startup.timestamp-millis",
            OptionDefault::Off,
            "With 'timestamp': begin with the first record that is not older, in milliseconds since 1970.",
        ),
        option(
            "scan.startup.specific-offsets",
            OptionDefault::Off,
            "With 'specific-offsets': as 'partition:0,offset:42;partition:1,offset:300'.",
        ),
        option(
            "scan.bounded.mode",
            OptionDefault::Value("unbounded"),
            "Where the read ends: 'unbounded', 'latest-offset' as it is at the first start, 'timestamp' or 'specific-offsets'.",
        ),
        option(
            "scan.bounded.timestamp-millis",
            OptionDefault::Off,
            "With 'timestamp': end before the first record that is not older, in milliseconds since 1970.",
        ),
        option(
            "scan.bounded.specific-offsets",
            OptionDefault::Off,
            "With 'specific-offsets': as 'partition:0,offset:42;partition:1,offset:300'; those are not read.",
        ),
        option(
            "scan.topic-partition-discovery.interval",
            OptionDefault::Value("5 min"),
            "How often to look for new partitions, which are read from their start; '0' never.",
        ),
        option(
            "scan.offset-out-of-range",
            OptionDefault::Value("fail"),
            "What is done where records were deleted before they were read: 'fail', or with a warning go on with the 'earliest' that are there or the 'latest' that come.",
        ),
        option(
            "sink.delivery-guarantee",
            OptionDefault::Value("exactly-once"),
            "'exactly-once', 'at-least-once' or 'none'.",
        ),
        option(
            "sink.partitioner",
            OptionDefault::Value("default"),
            "Which partition a record goes to: 'default' by its key as every Kafka client does, 'fixed' one for each task, 'round-robin' one after the other.",
        ),
        option(
            "sink.transactional-id-prefix",
            OptionDefault::Off,
            "Taken for Flink's sake; the transactional id is made of the job's and the node's name.",
        ),
    ],
    metadata: metadata::DOCS,
    formats: &formats::NAMES,
    example: "CREATE TABLE orders (id BIGINT, price DECIMAL(10, 2),\n  \
              at TIMESTAMP(3) METADATA FROM 'timestamp',\n  \
              WATERMARK FOR at AS at - INTERVAL '5' SECOND)\n\
              WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'json',\n      \
              'properties.bootstrap.servers' = 'localhost:9092',\n      \
              'scan.startup.mode' = 'earliest-offset');",
};
