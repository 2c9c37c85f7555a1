//! The transactions of Thalweg's jobs in a cluster, for those who operate it.
//!
//! A job's marker names its transactional id, its node and where it has come to, and it is
//! in a group of that name; so the jobs that have ever written to a cluster are found by its
//! groups. Whether a transaction is open is told by the topic of the marker: records behind
//! the last stable offset are hidden by one.

use regex::Regex;
use uuid::Uuid;

use super::{Cluster, Identity, Partition, Properties, Result};
use crate::stream::Marker;

/// The transactions of one node of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTransactions {
    /// Whose they are.
    pub identity: Identity,
    /// The topic beside which the marker is kept: the first that the job writes.
    pub topic: String,
    /// The last that was committed.
    pub marker: Marker,
    /// How many records of the topic are behind the first open transaction, whoever has opened
    /// it, marks of transactions included: readers of committed records do not see them.
    pub hidden_records: i64,
}

/// The transactions of all jobs that have committed any, by transactional id. It blocks.
///
/// # Errors
/// If the cluster cannot be asked.
pub fn job_transactions(properties: &Properties) -> Result<Vec<NodeTransactions>> {
    let asked = |isolation: &str, group: &str| {
        let mut own = properties.clone();
        own.set("isolation.level", isolation);
        own.set("group.id", group);
        Cluster::new(&own, "the transactions", group)
    };
    let any = "thalweg.operator";
    let (all, stable) = (
        asked("read_uncommitted", any)?,
        asked("read_committed", any)?,
    );
    let everything = Regex::new("").expect("the empty pattern");
    let partitions = all.partitions_matching(&everything)?;
    let first = partitions.iter().filter(|partition| partition.number == 0);
    let first: Vec<Partition> = first.cloned().collect();
    let mut found = Vec::new();
    for group in all.groups()? {
        let Some(identity) = Identity::of_transactional_id(&group) else {
            continue;
        };
        // A transaction that is about to commit a marker is not waited for.
        let offsets = asked("read_uncommitted", &group)?.committed(&first)?;
        let marked = first.iter().zip(offsets);
        let marked = marked.filter_map(|(partition, offset)| Some((partition, offset?.1)));
        for (partition, text) in marked {
            let own = partitions
                .iter()
                .filter(|other| other.topic == partition.topic);
            let hidden = own.map(|own| Ok(all.end_of(own)? - stable.end_of(own)?));
            found.push(NodeTransactions {
                marker: identity.read(&text)?,
                identity: identity.clone(),
                topic: partition.topic.clone(),
                hidden_records: hidden.sum::<Result<i64>>()?,
            });
        }
    }
    found.sort_by_key(|one| one.identity.transactional_id());
    Ok(found)
}

impl Identity {
    /// Whose a transactional id is; `None` if it is none of Thalweg's.
    pub fn of_transactional_id(id: &str) -> Option<Self> {
        let (job, node) = id.strip_prefix("thalweg.")?.split_once('.')?;
        let job = job.parse::<Uuid>().ok()?;
        let node = node.to_owned();
        Some(Self { job, node })
    }
}

impl Cluster {
    /// The names of all groups.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    fn groups(&self) -> Result<Vec<String>> {
        self.ask("list the groups", |client, patience| {
            let groups = client.fetch_group_list(None, patience)?;
            let names = groups.groups().iter().map(|group| group.name().to_owned());
            Ok(names.collect())
        })
    }
}
