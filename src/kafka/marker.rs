//! The marker: which checkpoint the last committed transaction carried.
//!
//! It is the text beside an offset that the transaction commits, in a group that nobody
//! joins. Offset and text are written with the transaction or not at all, and whoever
//! asks for committed offsets is told the last decided ones. (Kafka Streams keeps its
//! clock's time in the same place.)

use uuid::Uuid;

use super::{Error, Result};
use crate::stream::{CheckpointId, Claim, Marker};

/// Whose marker it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The job.
    pub job: Uuid,
    /// The node.
    pub node: String,
}

impl Identity {
    /// The transactional id, which is also the group of the marker.
    pub fn transactional_id(&self) -> String {
        format!("thalweg.{}.{}", self.job, self.node)
    }

    /// The text of a marker.
    pub(super) fn write(&self, marker: Marker) -> String {
        format!("{}{}|{}", self.prefix(), marker.claim, marker.checkpoint)
    }

    /// The marker that a text is.
    ///
    /// # Errors
    /// If it is nobody's or somebody else's.
    pub(super) fn read(&self, text: &str) -> Result<Marker> {
        self.parse(text).ok_or_else(|| {
            Error::Fatal(format!(
                "the group '{}' holds {text:?}, which is no marker of this job; somebody else \
                 commits offsets there",
                self.transactional_id()
            ))
        })
    }

    fn parse(&self, text: &str) -> Option<Marker> {
        let (claim, checkpoint) = text.strip_prefix(&self.prefix())?.split_once('|')?;
        Some(Marker {
            claim: Claim(claim.parse().ok()?),
            checkpoint: CheckpointId(checkpoint.parse().ok()?),
        })
    }

    fn prefix(&self) -> String {
        format!("v1|{}|{}|", self.job, self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_by_its_owner_alone() {
        let own = Identity {
            job: Uuid::from_u128(7),
            node: "node-0".to_owned(),
        };
        let other = Identity {
            node: "node-1".to_owned(),
            ..own.clone()
        };
        let marker = |checkpoint| Marker {
            claim: Claim(Uuid::from_u128(9)),
            checkpoint: CheckpointId(checkpoint),
        };
        for checkpoint in [0, 1, 10, u64::MAX] {
            let text = own.write(marker(checkpoint));
            assert_eq!(own.read(&text), Ok(marker(checkpoint)));
            assert!(other.read(&text).is_err(), "{text}");
        }
        for text in ["", "v1", "v2|x|node-0|7", "v1|x|node-0|7"] {
            assert!(own.read(text).is_err(), "{text}");
        }
        let text = own.write(marker(3));
        for (from, to) in [("|3", "|-3"), ("|3", ""), ("|00000000-", "|x-")] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            assert!(own.read(&changed).is_err(), "{changed}");
        }
    }
}
