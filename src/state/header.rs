//! Whose state it is, and how far the job has come.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::stream::{CheckpointId, Claim, EventTime, HASH_FUNCTION, KeyGroups};

/// What is fixed when a job begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The job's identity: made with its first state, in no other directory.
    pub job: Uuid,
    /// `pipeline.name`, for people.
    pub pipeline: String,
    /// The plan as text: what `explain` prints of it. Two programs with the same
    /// text may use each other's state.
    pub plan: String,
    /// Its hash, for messages and for comparison between nodes.
    pub plan_hash: u64,
    /// The number of key groups.
    pub key_groups: KeyGroups,
    /// The function that puts keys into groups.
    pub hash_function: String,
    /// Who decides a checkpoint.
    pub decider: Decider,
    /// The node's name: what tells its transactions from those of the job's other
    /// nodes.
    #[serde(default = "default_node")]
    pub node: String,
    /// When the job began, by the wall clock.
    pub created: EventTime,
}

/// Who decides whether a prepared checkpoint counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decider {
    /// The commit of the state is the decision.
    #[serde(rename = "redb")]
    State,
    /// The commit of the state only prepares; the commit of a Kafka transaction
    /// that carries the checkpoint's number is the decision.
    #[serde(rename = "kafka")]
    Kafka,
}

/// How far a job has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The last checkpoint that was made durable; 0 before the first.
    pub prepared: CheckpointId,
    /// The last checkpoint that is known to be decided. With [`Decider::State`] the
    /// two are equal; else this is at most one behind.
    pub committed: CheckpointId,
    /// The claim that stands in the decider's marker for certain, which from then on may
    /// be missing only for a bad reason.
    #[serde(default)]
    pub claim: Option<Claim>,
    /// A claim that may stand there: it was noted before it was written.
    #[serde(default)]
    pub next_claim: Option<Claim>,
    /// Set once every output has confirmed that everything is published.
    pub finished: Option<Finished>,
}

/// The record of a job that has read all its input and published all its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// When, by the wall clock.
    pub at: EventTime,
    /// Rows read by all sources since the job began.
    pub rows_read: u64,
    /// Bytes read by all sources since the job began.
    pub bytes_read: u64,
    /// Splits that were read.
    pub splits: u64,
}

/// A job as it is found in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whose state it is.
    pub header: Header,
    /// How far it has come.
    pub progress: Progress,
}

fn default_node() -> String {
    "node-0".to_owned()
}

impl Progress {
    /// Whether a marker of this claim was written by this state.
    pub fn has_claimed(&self, claim: Claim) -> bool {
        [self.claim, self.next_claim].contains(&Some(claim))
    }

    /// The checkpoint that is prepared and not known to be decided.
    pub fn undecided(&self) -> Option<CheckpointId> {
        (self.prepared != self.committed).then_some(self.prepared)
    }
}

impl Header {
    /// The header of a job that begins at `created`, with a new identity.
    pub fn new(
        pipeline: String,
        plan: String,
        key_groups: KeyGroups,
        decider: Decider,
        created: EventTime,
    ) -> Self {
        Self {
            job: Uuid::new_v4(),
            pipeline,
            plan_hash: xxh3_64(plan.as_bytes()),
            plan,
            key_groups,
            hash_function: HASH_FUNCTION.to_owned(),
            decider,
            node: default_node(),
            created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_earlier_versions_are_read() {
        let (name, plan, groups) = ("orders".to_owned(), String::new(), KeyGroups::DEFAULT);
        let header = Header::new(name, plan, groups, Decider::Kafka, EventTime::MIN);
        let mut json = serde_json::to_value(&header).unwrap();
        assert_eq!(json["decider"], "kafka");
        json.as_object_mut().unwrap().remove("node");
        assert_eq!(serde_json::from_value::<Header>(json).unwrap(), header);
        let progress = r#"{ "prepared": 7, "committed": 7, "finished": null }"#;
        let progress: Progress = serde_json::from_str(progress).unwrap();
        assert_eq!(progress.claim, None);
        assert_eq!(progress.undecided(), None);
    }
}
