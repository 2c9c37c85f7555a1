//! What went wrong, and whether it may go right later.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A failure of the client or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The cluster cannot be reached or is busy; it may be there later.
    #[error("{0}")]
    Retryable(String),
    /// A person must change something first.
    #[error("{0}")]
    Fatal(String),
    /// The producer is shut out of its transactional id: by another process, or because
    /// its transaction was open for too long. The marker tells which.
    #[error("{0}")]
    Fenced(String),
}

/// The result of a call of the client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What cannot become right by itself, and what a person can do about it.
const FATAL: &[(&[RDKafkaErrorCode], &str)] = &[
    (
        &[RDKafkaErrorCode::TopicAuthorizationFailed],
        "the user may not use this topic; ask for the right to read, write or describe it",
    ),
    (
        &[RDKafkaErrorCode::GroupAuthorizationFailed],
        "the user may not use this group; ask for the right to read it",
    ),
    (
        &[RDKafkaErrorCode::ClusterAuthorizationFailed],
        "the user may not write idempotently; ask for the right to write to the topic, and on \
         clusters before Kafka 2.8 also for IdempotentWrite",
    ),
    (
        &[RDKafkaErrorCode::TransactionalIdAuthorizationFailed],
        "the user may not use this transactional id; ask for the right to write and describe it",
    ),
    (
        &[RDKafkaErrorCode::MessageSizeTooLarge],
        "a record is larger than the topic's 'max.message.bytes'; raise that",
    ),
    (
        &[RDKafkaErrorCode::InvalidRecord],
        "the topic takes no such record; a compacted topic needs records with a key: set \
         'key.format' and 'key.fields'",
    ),
    (
        &[RDKafkaErrorCode::PolicyViolation],
        "a policy of the cluster forbids it; ask who runs the cluster",
    ),
    (
        &[RDKafkaErrorCode::InvalidTransactionTimeout],
        "the broker allows no transaction this long; lower \
         'properties.transaction.timeout.ms' or raise 'transaction.max.timeout.ms' of the broker",
    ),
];

/// What a broker answers to a producer that is no longer the one of its transactional id.
const FENCED: [RDKafkaErrorCode; 3] = [
    RDKafkaErrorCode::Fenced,
    RDKafkaErrorCode::ProducerFenced,
    RDKafkaErrorCode::InvalidProducerEpoch,
];

/// What a broker may refuse in a transaction, as the library's log has it.
const REFUSALS: [(&str, RDKafkaErrorCode); 5] = [
    ("(_FENCED", RDKafkaErrorCode::Fenced),
    (
        "(TOPIC_AUTHORIZATION_FAILED",
        RDKafkaErrorCode::TopicAuthorizationFailed,
    ),
    (
        "(GROUP_AUTHORIZATION_FAILED",
        RDKafkaErrorCode::GroupAuthorizationFailed,
    ),
    (
        "(TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
    ),
    (
        "(CLUSTER_AUTHORIZATION_FAILED",
        RDKafkaErrorCode::ClusterAuthorizationFailed,
    ),
];

impl Error {
    /// What a failed call of the library means; `doing` says what was tried, as in
    /// `read the partitions of 'orders'`.
    pub(super) fn of(doing: &str, error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(code) => Self::of_code(doing, code, &error.to_string()),
            None => Self::Fatal(format!("cannot {doing}: {error}")),
        }
    }

    /// What it means that the library says in its log that a transaction has failed:
    /// `Current transaction failed in state …: … (NAME_OF_THE_CODE)`.
    pub(super) fn of_transaction(text: &str) -> Self {
        let (_, text) = text.split_once("]: ").unwrap_or(("", text));
        let found = REFUSALS.iter().find(|(name, _)| text.contains(name));
        match found {
            Some((_, code)) => Self::of_code("write in a transaction", *code, text),
            None => Self::Retryable(format!("cannot write in a transaction: {text}")),
        }
    }

    /// The same of a code, with the library's text if it has one.
    pub(super) fn of_code(doing: &str, code: RDKafkaErrorCode, text: &str) -> Self {
        match fatal_meaning(code) {
            Some(why) => Self::Fatal(format!("cannot {doing}: {why}")),
            None if FENCED.contains(&code) => Self::Fenced(format!(
                "cannot {doing}: another process has taken over the transactional id of this job, \
                 or the transaction was open for longer than its 'transaction.timeout.ms'"
            )),
            None => Self::Retryable(format!("cannot {doing}: {text}")),
        }
    }
}

/// Why what this code tells cannot become right by itself, if it cannot.
pub(super) fn fatal_meaning(code: RDKafkaErrorCode) -> Option<&'static str> {
    let (_, why) = FATAL.iter().find(|(fatal, _)| fatal.contains(&code))?;
    Some(why)
}
