//! The transactions of one node: one transactional id, one open transaction, and a
//! marker in each, so that nobody has to believe what a failed commit says.
//!
//! *What an error means*: nothing. After one, whoever wants to know the outcome begins
//! anew ([`Transaction::begin`] returns only once the outcome is final) and reads the
//! marker.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::Offset;

use super::{Cluster, Error, Identity, Partition, Producer, Properties, Result};
use crate::failpoint::{self, Step};
use crate::stream::Marker;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a transaction may be open, unless it is given: longer than a checkpoint
/// takes, with its interval. A node that is started again ends its last one at once.
const TIMEOUT_MS: &str = "300000";

/// How long a record may be on its way, unless it is given.
const DELIVERY_MS: &str = "60000";

/// Tells a test that a step is reached.
fn reach(step: Step) -> Result<()> {
    failpoint::reach(step).map_err(Error::Retryable)
}

/// The transactions of one node.
pub struct Transaction {
    identity: Identity,
    /// Where the marker is kept.
    marker_at: Partition,
    properties: Properties,
    /// Asks without waiting for transactions that are open, and with it.
    clusters: [Cluster; 2],
    group: ConsumerGroupMetadata,
    producer: Mutex<Option<Arc<Producer>>>,
}

impl Transaction {
    /// Nothing is open yet. The marker is kept beside partition 0 of `topic`. It blocks.
    ///
    /// # Errors
    /// If a property is wrong or a secret cannot be read.
    pub fn new(properties: Properties, identity: Identity, topic: &str) -> Result<Self> {
        let id = identity.transactional_id();
        let mut own = properties.clone();
        own.set("group.id", &id);
        let mut unstable = own.clone();
        unstable.set("isolation.level", "read_uncommitted");
        own.set("isolation.level", "read_committed");
        let cluster = |properties| Cluster::new(properties, "the marker", &id);
        let clusters = [cluster(&unstable)?, cluster(&own)?];
        let [_, stable] = &clusters;
        Ok(Self {
            group: stable.group()?,
            clusters,
            identity,
            marker_at: Partition {
                topic: topic.to_owned(),
                number: 0,
            },
            properties,
            producer: Mutex::new(None),
        })
    }

    /// The marker of the transaction that was committed last; `None` if there was none.
    /// Before [`Self::begin`] a transaction may be open that will be committed yet: it is
    /// not waited for, as only `begin` ends it if its owner is dead. It blocks.
    ///
    /// # Errors
    /// If the cluster cannot be asked, or what is there is not ours.
    pub fn marker(&self) -> Result<Option<Marker>> {
        let [unstable, stable] = &self.clusters;
        let has_begun = self.producer.lock().is_some();
        let cluster = if has_begun { stable } else { unstable };
        let found = cluster.committed(std::slice::from_ref(&self.marker_at))?;
        match found.into_iter().next().flatten() {
            Some((_, text)) => self.identity.read(&text).map(Some),
            None => Ok(None),
        }
    }

    /// Ends every earlier owner of the transactional id, waits until what it has begun
    /// is committed or aborted, and opens a transaction. It blocks.
    ///
    /// # Errors
    /// If the cluster cannot be reached or refuses.
    pub fn begin(&self) -> Result<()> {
        let mut configuration = self.properties.configuration()?;
        configuration.set("transactional.id", &self.identity.transactional_id());
        let given = configuration
            .get("transaction.timeout.ms")
            .map(str::to_owned);
        // Nor may it take longer than a transaction that was made short.
        let delivery = given.as_deref().unwrap_or(DELIVERY_MS).to_owned();
        configuration.set_default("transaction.timeout.ms", TIMEOUT_MS);
        configuration.set_default("message.timeout.ms", &delivery);
        let producer = Producer::with_configuration(configuration, "the transaction")?;
        reach(Step::BeforeFence)?;
        let begun = producer.client.init_transactions(PATIENCE);
        begun.map_err(|error| producer.failure("begin the transactions of the job", &error))?;
        let opened = producer.client.begin_transaction();
        opened.map_err(|error| producer.failure("open a transaction", &error))?;
        *self.producer.lock() = Some(Arc::new(producer));
        reach(Step::AfterFence)
    }

    /// Who writes into the open transaction.
    ///
    /// # Errors
    /// If none is open.
    pub fn producer(&self) -> Result<Arc<Producer>> {
        let producer = self.producer.lock().clone();
        producer.ok_or_else(|| Error::Retryable("no Kafka transaction is open".to_owned()))
    }

    /// Commits what is open with a marker, and opens the next. It blocks. Once it has
    /// returned, readers of committed records see the transaction; if it fails, only the
    /// marker tells.
    ///
    /// # Errors
    /// If the outcome is not known.
    pub fn commit(&self, marker: Marker) -> Result<()> {
        let producer = self.producer()?;
        let client = &producer.client;
        producer.flush(PATIENCE)?;
        reach(Step::BeforeMarker)?;
        let doing = "commit the transaction of a checkpoint";
        let failed = |error| producer.failure(doing, &error);
        let mut list = TopicPartitionList::new();
        let Partition { topic, number } = &self.marker_at;
        // Offsets have to be there; only the text is looked at.
        let offset = Offset::Offset(i64::try_from(marker.checkpoint.0).unwrap_or(i64::MAX));
        list.add_partition(topic, *number)
            .set_metadata(self.identity.write(marker));
        list.set_all_offsets(offset).map_err(failed)?;
        client
            .send_offsets_to_transaction(&list, &self.group, PATIENCE)
            .map_err(failed)?;
        reach(Step::AfterMarker)?;
        client.commit_transaction(PATIENCE).map_err(failed)?;
        reach(Step::AfterCommit)?;
        client.begin_transaction().map_err(failed)
    }

    /// Aborts what is open, so that no reader has to wait for it. It blocks.
    pub fn abort(&self) {
        if let Some(producer) = self.producer.lock().take() {
            // Nothing depends on it: the broker aborts it after its timeout.
            let aborted = producer.client.abort_transaction(Duration::from_secs(5));
            if let Err(error) = aborted {
                tracing::debug!(%error, "cannot abort the open transaction");
            }
        }
    }
}
