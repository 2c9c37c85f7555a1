//! The transactions of one node: one transactional id, one open transaction, and a
//! marker in each, so that nobody has to believe what a failed commit says.
//!
//! *What an error means*: nothing. After one, whoever wants to know the outcome begins
//! anew ([`Transaction::begin`] returns only once the outcome is final) and reads the
//! marker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::topic_partition_list::Offset;

use super::native_producer::Request;
use super::{Cluster, Error, Identity, Partition, Producer, Properties, Result};
use crate::failpoint::{self, Plant, Step};
use crate::stream::Marker;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long writing a marker may take, and how much longer its call.
const MARKER_PATIENCE: Duration = Duration::from_secs(15);
const CALL_PATIENCE: Duration = Duration::from_secs(1);

/// What a commit does, for messages.
const COMMITTING: &str = "commit the transaction of a checkpoint";

/// How long ending a transaction may take that nobody needs any more.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// How long a transaction may be open, unless it is given: so many checkpoints, and on top
/// what a cluster may need to mend itself. A node that is started again ends its last one at
/// once.
const OPEN_INTERVALS: u32 = 4;
const OPEN_MORE: Duration = Duration::from_mins(1);

/// What brokers let it be at most, unless they are told otherwise (`transaction.max.timeout.ms`).
const OPEN_MAX: Duration = Duration::from_mins(15);

/// How long a broker lets a transaction be open.
const TIMEOUT: &str = "transaction.timeout.ms";

/// How long a record may wait for others of its batch, unless it is given.
const TRANSACTION_LINGER_MS: &str = "20";

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
    timeout: Duration,
    /// Asks without waiting for transactions that are open, and with it.
    clusters: [Cluster; 2],
    producer: Mutex<Option<Arc<Producer>>>,
    /// Whether a commit has begun and has not returned well.
    is_in_doubt: AtomicBool,
}

impl Transaction {
    /// Nothing is open yet. The marker is kept beside partition 0 of `topic`; a transaction
    /// is committed about every `interval`. It blocks.
    ///
    /// # Errors
    /// If a property is wrong or a secret cannot be read, or a transaction may not be open for as
    /// long as an interval.
    pub fn new(
        properties: Properties,
        identity: Identity,
        topic: &str,
        interval: Duration,
    ) -> Result<Self> {
        check_timeout(&properties, interval)?;
        let id = identity.transactional_id();
        let mut own = properties.clone();
        own.set("group.id", &id);
        let mut unstable = own.clone();
        unstable.set("isolation.level", "read_uncommitted");
        own.set("isolation.level", "read_committed");
        let cluster = |properties| Cluster::new(properties, "the marker", &id);
        Ok(Self {
            clusters: [cluster(&unstable)?, cluster(&own)?],
            identity,
            marker_at: Partition {
                topic: topic.to_owned(),
                number: 0,
            },
            properties,
            timeout: default_timeout(interval),
            producer: Mutex::new(None),
            is_in_doubt: AtomicBool::new(false),
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
        let producer = self.connect()?;
        reach(Step::BeforeFence)?;
        fence(&producer, PATIENCE)?;
        self.open(producer)?;
        reach(Step::AfterFence)
    }

    /// A producer that has not said yet that it is the one.
    fn connect(&self) -> Result<Producer> {
        let mut configuration = self.properties.configuration()?;
        let mut id = self.identity.transactional_id();
        if failpoint::planted(Plant::NoFencing) {
            id += &uuid::Uuid::new_v4().to_string();
        }
        configuration.set("transactional.id", &id);
        let given = configuration.get(TIMEOUT);
        // Nor may it take longer than a transaction that was made short.
        let delivery = given.unwrap_or(DELIVERY_MS).to_owned();
        let timeout = self.timeout.as_millis().to_string();
        configuration.set_default(TIMEOUT, &timeout);
        configuration.set_default("message.timeout.ms", &delivery);
        // Nobody sees the records before the commit, which waits for none: larger batches.
        configuration.set_default("linger.ms", TRANSACTION_LINGER_MS);
        Producer::with_configuration(configuration, "the transaction")
    }

    fn open(&self, producer: Producer) -> Result<()> {
        let opened = producer.client.begin_transaction();
        opened.map_err(|failure| producer.failure("open a transaction", &failure))?;
        *self.producer.lock() = Some(Arc::new(producer));
        Ok(())
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
        self.is_in_doubt.store(true, Ordering::Relaxed);
        producer.flush(PATIENCE)?;
        reach(Step::BeforeMarker)?;
        let sent = |request| producer.client.sent(request);
        let requests = [Request::TxnOffsetCommit, Request::EndTxn];
        let before = requests.map(sent);
        self.write(&producer, marker)?;
        reach(Step::AfterMarker)?;
        let committed = producer.client.commit_transaction(PATIENCE);
        let failed = |failure| producer.failure(COMMITTING, &failure);
        committed.map_err(failed)?;
        reach(Step::AfterCommit)?;
        // A request that was sent twice may arrive once more, and would then end the next
        // transaction or write this marker into it.
        let has_copies = requests.map(sent) != before.map(|count| count + 1);
        if has_copies && !failpoint::planted(Plant::LateRequests) {
            tracing::debug!("a request of a commit was sent again");
            self.renew(marker)?;
        } else {
            producer.client.begin_transaction().map_err(failed)?;
        }
        self.is_in_doubt.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Puts a marker into the open transaction.
    ///
    /// The library may never return: it waits for the group's coordinator to come back
    /// though the broker has left the cluster, and does not look at the time (its issues 5456
    /// and 5511). Then the call is left to a thread of its own, with its producer. What it
    /// might send later is refused, as the next life has another epoch.
    fn write(&self, producer: &Arc<Producer>, marker: Marker) -> Result<()> {
        let (offsets, group) = (self.offsets(marker)?, self.identity.transactional_id());
        let (returned, result) = mpsc::channel();
        let own = Arc::clone(producer);
        let calling = thread::Builder::new().name("kafka marks".to_owned());
        let started = calling.spawn(move || {
            let sent = own.client.send_offsets(&offsets, &group, MARKER_PATIENCE);
            // Nobody may wait for it any more.
            let _ = returned.send(sent);
        });
        started.map_err(|error| Error::Retryable(format!("cannot {COMMITTING}: {error}")))?;
        match result.recv_timeout(MARKER_PATIENCE + CALL_PATIENCE) {
            Ok(sent) => sent.map_err(|failure| producer.failure(COMMITTING, &failure)),
            Err(_) => Err(Error::Retryable(format!(
                "cannot {COMMITTING}: the coordinator of group '{}' does not answer",
                self.identity.transactional_id()
            ))),
        }
    }

    /// The marker as what a transaction can hold.
    fn offsets(&self, marker: Marker) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        let Partition { topic, number } = &self.marker_at;
        // Offsets have to be there; only the text is looked at.
        let offset = Offset::Offset(i64::try_from(marker.checkpoint.0).unwrap_or(i64::MAX));
        list.add_partition(topic, *number)
            .set_metadata(self.identity.write(marker));
        let set = list.set_all_offsets(offset);
        set.map_err(|error| Error::of("write a marker", &error))?;
        Ok(list)
    }

    /// Opens the next transaction under another epoch, so that brokers refuse what is still
    /// on its way from the last. That shuts out whoever has taken over meanwhile, too: the
    /// marker tells, and this node is the one to go.
    fn renew(&self, last: Marker) -> Result<()> {
        let producer = self.connect()?;
        fence(&producer, PATIENCE)?;
        let found = self.marker()?;
        if found != Some(last) {
            return Err(Error::Retryable(format!(
                "the marker of checkpoint {} has changed: another process has taken over",
                last.checkpoint
            )));
        }
        self.open(producer)
    }

    /// Leaves no transaction open, so that no reader has to wait for it. It blocks.
    pub fn end(&self) {
        let Some(producer) = self.producer.lock().take() else {
            return;
        };
        let ended = match producer.check() {
            // What is open is another's.
            Err(Error::Fenced(_)) => return,
            Ok(()) if !self.is_in_doubt.load(Ordering::Relaxed) => {
                let aborted = producer.client.abort_transaction(END_PATIENCE);
                aborted.map_err(|failure| producer.failure("abort a transaction", &failure))
            }
            // An abort could overtake records that are on their way.
            _ => self
                .connect()
                .and_then(|producer| fence(&producer, END_PATIENCE)),
        };
        if let Err(error) = ended {
            // The broker aborts it after its timeout, if nobody does before.
            tracing::warn!(%error, "a transaction was left open");
        }
    }
}

/// A transaction that the broker aborts before it is committed is never committed.
fn check_timeout(properties: &Properties, interval: Duration) -> Result<()> {
    let given = properties.get(TIMEOUT).and_then(|given| given.parse().ok());
    match given.map(Duration::from_millis) {
        Some(timeout) if timeout <= interval => Err(Error::Fatal(format!(
            "'properties.{TIMEOUT}' is {timeout:?}, and a transaction is open from one checkpoint to \
             the next, which is {interval:?}; raise it, or lower 'execution.checkpointing.interval'"
        ))),
        _ => Ok(()),
    }
}

/// How long a transaction may be open if nobody says so. Where the interval leaves room, it is no
/// more than brokers allow; else they refuse it, with the property to raise.
fn default_timeout(interval: Duration) -> Duration {
    let wished = interval * OPEN_INTERVALS + OPEN_MORE;
    if interval + OPEN_MORE <= OPEN_MAX {
        wished.min(OPEN_MAX)
    } else {
        wished
    }
}

/// Ends what a node has open, and shuts its process out if there is one: that begins anew with
/// its last checkpoint. It blocks until the outcome is final.
///
/// # Errors
/// If the cluster cannot be reached or refuses.
pub fn abort_transaction(properties: &Properties, identity: &Identity) -> Result<()> {
    let mut configuration = properties.configuration()?;
    configuration.set("transactional.id", &identity.transactional_id());
    let producer = Producer::with_configuration(configuration, "the transaction")?;
    fence(&producer, PATIENCE)
}

/// Shuts earlier producers of the same transactional id out.
fn fence(producer: &Producer, patience: Duration) -> Result<()> {
    let begun = producer.client.init_transactions(patience);
    begun.map_err(|failure| producer.failure("begin the transactions of the job", &failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_may_be_open_for_longer_than_an_interval() {
        let check = |timeout: Option<&str>, seconds| {
            let mut properties = Properties::default();
            if let Some(timeout) = timeout {
                properties.allow(TIMEOUT, timeout).unwrap();
            }
            check_timeout(&properties, Duration::from_secs(seconds)).is_ok()
        };
        assert!(check(None, 3_600));
        assert!(check(Some("4000"), 3));
        assert!(!check(Some("4000"), 4));
    }

    #[test]
    fn brokers_allow_it_unless_the_interval_is_too_long() {
        for (interval, expected) in [(0, 1), (1, 5), (4, 15), (14, 15), (15, 61)] {
            let timeout = default_timeout(Duration::from_mins(interval));
            assert_eq!(timeout, Duration::from_mins(expected), "{interval}");
        }
    }
}
