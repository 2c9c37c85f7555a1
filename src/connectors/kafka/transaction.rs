//! The transaction that the Kafka sinks of one node share, in one life of its job.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{blocking, failed};
use crate::kafka::{self, Identity, Producer, Properties};
use crate::runtime::{Error, Result, Transaction};
use crate::stream::Marker;

/// The transaction of one life. It stays unused if no sink writes in it.
pub struct JobTransaction {
    /// From one checkpoint to the next.
    interval: Duration,
    joined: Mutex<Option<Joined>>,
    client: Mutex<Option<Arc<kafka::Transaction>>>,
    /// How many barriers have found their end: decided or skipped.
    settled: watch::Sender<u64>,
}

impl std::fmt::Debug for JobTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobTransaction").finish_non_exhaustive()
    }
}

/// What tells one cluster from another.
const SERVERS: &str = "bootstrap.servers";

/// What the first sink has brought.
struct Joined {
    properties: Properties,
    identity: Identity,
    topic: String,
}

impl JobTransaction {
    /// The transaction of a job that makes a checkpoint every `interval`.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            joined: Mutex::default(),
            client: Mutex::default(),
            settled: watch::Sender::default(),
        }
    }

    /// Takes a sink in.
    ///
    /// # Errors
    /// A sentence, if the sink writes to another cluster than those before, or as another
    /// user.
    pub(super) fn join(
        &self,
        properties: &Properties,
        identity: Identity,
        topic: &str,
    ) -> Result<(), String> {
        let mut joined = self.joined.lock();
        let Some(first) = &mut *joined else {
            *joined = Some(Joined {
                properties: properties.clone(),
                identity,
                topic: topic.to_owned(),
            });
            return Ok(());
        };
        let (own, others) = (properties.get(SERVERS), first.properties.get(SERVERS));
        if own != others {
            return Err(format!(
                "the rows of a checkpoint are one transaction, which cannot be of two clusters \
                 ('{}' and '{}'); set 'sink.delivery-guarantee' to 'at-least-once' for one of them",
                others.unwrap_or_default(),
                own.unwrap_or_default()
            ));
        }
        if !properties.has_login_of(&first.properties) {
            return Err(
                "the rows of a checkpoint are one transaction, which cannot be of two users; give \
                 all sinks the same 'properties.security.…', 'properties.sasl.…' and \
                 'properties.ssl.…', or set 'sink.delivery-guarantee' to 'at-least-once' for one \
                 of them"
                    .to_owned(),
            );
        }
        first.properties.write_also_as(properties).map_err(|why| {
            format!(
                "the rows of a checkpoint are one transaction, which one client writes: {why}; set \
                 'sink.delivery-guarantee' to 'at-least-once' for one of the tables"
            )
        })
    }

    /// Who writes into the open transaction.
    pub(super) fn producer(&self) -> Result<Arc<Producer>> {
        let client = self.client.lock().clone();
        let client = client.ok_or_else(|| Error::Retryable("no transaction is open".to_owned()))?;
        client.producer().map_err(failed)
    }

    /// How many barriers have found their end.
    pub(super) fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }

    async fn client(&self) -> Result<Arc<kafka::Transaction>> {
        if let Some(client) = &*self.client.lock() {
            return Ok(Arc::clone(client));
        }
        let (properties, identity, topic) = match &*self.joined.lock() {
            Some(joined) => (
                joined.properties.clone(),
                joined.identity.clone(),
                joined.topic.clone(),
            ),
            None => return Err(Error::Fatal("no sink writes in a transaction".to_owned())),
        };
        let interval = self.interval;
        let made =
            blocking(move || kafka::Transaction::new(properties, identity, &topic, interval));
        let made = made.await?;
        let made = Arc::new(made);
        *self.client.lock() = Some(Arc::clone(&made));
        Ok(made)
    }
}

#[async_trait]
impl Transaction for JobTransaction {
    async fn marker(&self) -> Result<Option<Marker>> {
        let client = self.client().await?;
        blocking(move || client.marker()).await
    }

    async fn begin(&self) -> Result<()> {
        let client = self.client().await?;
        blocking(move || client.begin()).await
    }

    async fn commit(&self, marker: Marker) -> Result<()> {
        let client = self.client().await?;
        blocking(move || client.commit(marker)).await?;
        self.settled.send_modify(|settled| *settled += 1);
        Ok(())
    }

    fn skipped(&self) {
        self.settled.send_modify(|settled| *settled += 1);
    }

    async fn end(&self) {
        let client = self.client.lock().take();
        if let Some(client) = client {
            let _ = tokio::task::spawn_blocking(move || client.end()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_transaction_is_of_one_cluster_and_one_user() {
        let check = |options: &[(&str, &str)], expected: &str| {
            let mut all = vec![("bootstrap.servers", "a:1"), ("security.protocol", "SSL")];
            all.retain(|(name, _)| !options.iter().any(|(other, _)| other == name));
            all.extend(options);
            let mut properties = Properties::default();
            for (name, value) in all {
                properties.allow(name, value).unwrap();
            }
            let mut first = Properties::default();
            first.allow("bootstrap.servers", "a:1").unwrap();
            first.allow("security.protocol", "SSL").unwrap();
            first.allow("linger.ms", "7").unwrap();
            let transaction = JobTransaction::new(Duration::from_secs(1));
            let identity = Identity {
                job: Uuid::from_u128(7),
                node: "node".to_owned(),
            };
            transaction.join(&first, identity.clone(), "t").unwrap();
            let joined = transaction.join(&properties, identity, "t");
            match expected {
                "" => assert_eq!(joined, Ok(())),
                _ => assert!(joined.unwrap_err().contains(expected), "{options:?}"),
            }
        };
        check(&[], "");
        check(&[("linger.ms", "7")], "");
        check(&[("batch.size", "100")], "");
        check(
            &[("linger.ms", "8")],
            "'properties.linger.ms' cannot be both '7' and '8'",
        );
        check(&[("fetch.min.bytes", "8")], "");
        check(
            &[("bootstrap.servers", "b:1")],
            "cannot be of two clusters ('a:1' and 'b:1')",
        );
        check(
            &[("ssl.ca.pem", "${file:/ca.pem}")],
            "cannot be of two users",
        );
        check(
            &[("security.protocol", "PLAINTEXT")],
            "cannot be of two users",
        );
    }
}
