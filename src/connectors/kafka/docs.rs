//! What a person should know of the connectors.

use super::metadata;
use crate::connectors::{Descriptor, OptionDefault, OptionDoc};
use crate::formats;

/// An option and its default, as a descriptor lists them.
const fn option(key: &'static str, default: OptionDefault, doc: &'static str) -> OptionDoc {
    OptionDoc { key, default, doc }
}

const PROPERTIES_BOOTSTRAP_SERVERS: OptionDoc = option(
    "properties.bootstrap.servers",
    OptionDefault::Required,
    "Brokers to begin with, as 'host:port', separated by ','.",
);

const PROPERTIES_ANY: OptionDoc = option(
    "properties.#",
    OptionDefault::Off,
    "A property of the client by the name that it has in Kafka, if it is allowed. Secrets are references: '${env:NAME}' or '${file:PATH}'.",
);

const PROPERTIES_SECURITY_PROTOCOL: OptionDoc = option(
    "properties.security.protocol",
    OptionDefault::Value("PLAINTEXT"),
    "Whether connections are encrypted, and whether one logs in: 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'.",
);

const PROPERTIES_SSL_TRUSTSTORE_CERTIFICATES: OptionDoc = option(
    "properties.ssl.truststore.certificates",
    OptionDefault::Off,
    "Authorities that brokers' certificates must be signed by, in PEM, as in '${file:/etc/ca.pem}'; without it those that the system trusts.",
);

const PROPERTIES_SSL_KEYSTORE_CERTIFICATE_CHAIN: OptionDoc = option(
    "properties.ssl.keystore.certificate.chain",
    OptionDefault::Off,
    "A certificate that brokers are shown, in PEM. Its key is 'properties.ssl.keystore.key', and the key's password 'properties.ssl.key.password'; both are references.",
);

const PROPERTIES_SASL_MECHANISM: OptionDoc = option(
    "properties.sasl.mechanism",
    OptionDefault::Off,
    "How to log in: 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'.",
);

const PROPERTIES_SASL_JAAS_CONFIG: OptionDoc = option(
    "properties.sasl.jaas.config",
    OptionDefault::Off,
    "User and password as Flink is told them, for PlainLoginModule and ScramLoginModule: the password is a reference, or the whole line is. 'properties.sasl.username' and 'properties.sasl.password' say the same.",
);

const PROPERTIES_SASL_OAUTHBEARER_TOKEN: OptionDoc = option(
    "properties.sasl.oauthbearer.token",
    OptionDefault::Off,
    "The token of 'OAUTHBEARER', as in '${file:/var/run/secrets/token}', which is read again before it expires.",
);

const VALUE_FIELDS_INCLUDE: OptionDoc = option(
    "value.fields-include",
    OptionDefault::Value("ALL"),
    "Whether the columns of the key are in the value too: 'ALL' or 'EXCEPT_KEY'.",
);

const SCAN_BOUNDED_MODE: OptionDoc = option(
    "scan.bounded.mode",
    OptionDefault::Value("unbounded"),
    "Where the read ends: 'unbounded', 'latest-offset' as it is at the first start, 'timestamp' or 'specific-offsets'.",
);

const SCAN_BOUNDED_TIMESTAMP_MILLIS: OptionDoc = option(
    "scan.bounded.timestamp-millis",
    OptionDefault::Off,
    "With 'timestamp': end before the first record that is not older, in milliseconds since 1970.",
);

const SCAN_BOUNDED_SPECIFIC_OFFSETS: OptionDoc = option(
    "scan.bounded.specific-offsets",
    OptionDefault::Off,
    "With 'specific-offsets': as 'partition:0,offset:42;partition:1,offset:300'; those are not read.",
);

const SCAN_TOPIC_PARTITION_DISCOVERY_INTERVAL: OptionDoc = option(
    "scan.topic-partition-discovery.interval",
    OptionDefault::Value("5 min"),
    "How often to look for new partitions, which are read from their start; '0' never.",
);

const SCAN_OFFSET_OUT_OF_RANGE: OptionDoc = option(
    "scan.offset-out-of-range",
    OptionDefault::Value("fail"),
    "What is done where records were deleted before they were read: 'fail', or with a warning go on with the 'earliest' that are there or the 'latest' that come.",
);

const SINK_DELIVERY_GUARANTEE: OptionDoc = option(
    "sink.delivery-guarantee",
    OptionDefault::Value("exactly-once"),
    "'exactly-once', 'at-least-once' or 'none'.",
);

const SINK_BUFFERING: OptionDoc = option(
    "sink.buffering",
    OptionDefault::Value("none"),
    "With 'outbox' the rows of decided checkpoints wait on disk until Kafka has taken them, so the job goes on while brokers cannot be reached.",
);

const SINK_BUFFERING_MAX_SIZE: OptionDoc = option(
    "sink.buffering.max-size",
    OptionDefault::Value("1 gb"),
    "How much may wait in the outbox; while it is full, rows wait in front of it.",
);

const SINK_TRANSACTIONAL_ID_PREFIX: OptionDoc = option(
    "sink.transactional-id-prefix",
    OptionDefault::Off,
    "Taken for Flink's sake; the transactional id is made of the job's and the node's name.",
);

const KEY_FIELDS_PREFIX: OptionDoc = option(
    "key.fields-prefix",
    OptionDefault::Off,
    "What the names of the key's columns have in front in the table and not in the key; only with 'EXCEPT_KEY'.",
);

/// `kafka`.
pub(in crate::connectors) static KAFKA: Descriptor = Descriptor {
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
        PROPERTIES_BOOTSTRAP_SERVERS,
        PROPERTIES_ANY,
        PROPERTIES_SECURITY_PROTOCOL,
        PROPERTIES_SSL_TRUSTSTORE_CERTIFICATES,
        PROPERTIES_SSL_KEYSTORE_CERTIFICATE_CHAIN,
        PROPERTIES_SASL_MECHANISM,
        PROPERTIES_SASL_JAAS_CONFIG,
        PROPERTIES_SASL_OAUTHBEARER_TOKEN,
        option(
            "format",
            OptionDefault::Required,
            "How a record's value is read and written. 'value.format' is the same, and its options may have 'value.' in front.",
        ),
        option(
            "key.format",
            OptionDefault::Off,
            "How a record's key is read and written; without it no column is of the key. Its options have 'key.' in front.",
        ),
        option(
            "key.fields",
            OptionDefault::Off,
            "The columns of the key, separated by ';'.",
        ),
        KEY_FIELDS_PREFIX,
        VALUE_FIELDS_INCLUDE,
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
        SCAN_BOUNDED_MODE,
        SCAN_BOUNDED_TIMESTAMP_MILLIS,
        SCAN_BOUNDED_SPECIFIC_OFFSETS,
        SCAN_TOPIC_PARTITION_DISCOVERY_INTERVAL,
        SCAN_OFFSET_OUT_OF_RANGE,
        SINK_DELIVERY_GUARANTEE,
        option(
            "sink.partitioner",
            OptionDefault::Value("default"),
            "Which partition a record goes to: 'default' by its key as every Kafka client does, 'fixed' one for each task, 'round-robin' one after the other.",
        ),
        SINK_BUFFERING,
        SINK_BUFFERING_MAX_SIZE,
        SINK_TRANSACTIONAL_ID_PREFIX,
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

/// `upsert-kafka`.
pub(in crate::connectors) static UPSERT: Descriptor = Descriptor {
    name: "upsert-kafka",
    purpose: "Reads and writes topics of Apache Kafka whose records are what their keys have come to.",
    source: Some(
        "Exactly once, from the earliest record on: a record is the new row of its key, one without \
         a value deletes it. The PRIMARY KEY is the key. The rows of all keys are kept in the state.",
    ),
    sink: Some(
        "Exactly once as 'kafka': a row is written under the key of its PRIMARY KEY, a deletion as a \
         record without a value. The topic may be compacted.",
    ),
    options: &[
        option(
            "topic",
            OptionDefault::Required,
            "The topic; to read from several, separate them by ';'.",
        ),
        PROPERTIES_BOOTSTRAP_SERVERS,
        PROPERTIES_ANY,
        PROPERTIES_SECURITY_PROTOCOL,
        PROPERTIES_SSL_TRUSTSTORE_CERTIFICATES,
        PROPERTIES_SSL_KEYSTORE_CERTIFICATE_CHAIN,
        PROPERTIES_SASL_MECHANISM,
        PROPERTIES_SASL_JAAS_CONFIG,
        PROPERTIES_SASL_OAUTHBEARER_TOKEN,
        option(
            "key.format",
            OptionDefault::Required,
            "How the columns of the PRIMARY KEY are read and written. Its options have 'key.' in front.",
        ),
        KEY_FIELDS_PREFIX,
        option(
            "value.format",
            OptionDefault::Required,
            "How a row is read and written. Its options may have 'value.' in front.",
        ),
        VALUE_FIELDS_INCLUDE,
        SCAN_BOUNDED_MODE,
        SCAN_BOUNDED_TIMESTAMP_MILLIS,
        SCAN_BOUNDED_SPECIFIC_OFFSETS,
        SCAN_TOPIC_PARTITION_DISCOVERY_INTERVAL,
        SCAN_OFFSET_OUT_OF_RANGE,
        SINK_DELIVERY_GUARANTEE,
        SINK_BUFFERING,
        SINK_BUFFERING_MAX_SIZE,
        SINK_TRANSACTIONAL_ID_PREFIX,
    ],
    metadata: metadata::DOCS,
    formats: &formats::OF_ROWS,
    example: "CREATE TABLE totals (host STRING, hits BIGINT, PRIMARY KEY (host) NOT ENFORCED)\n\
              WITH ('connector' = 'upsert-kafka', 'topic' = 'totals',\n      \
              'properties.bootstrap.servers' = 'localhost:9092',\n      \
              'key.format' = 'json', 'value.format' = 'json');",
};
