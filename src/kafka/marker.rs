//! The marker: which checkpoint the last committed transaction carried.
//!
//! It is the text beside an offset that the transaction commits, in a group that nobody
//! joins. Offset and text are written with the transaction or not at all, and whoever
//! asks for committed offsets is told the last decided ones. (Kafka Streams keeps its
//! clock's time in the same place.)

use uuid::Uuid;

use super::{Error, Result};

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
    pub(super) fn write(&self, checkpoint: u64) -> String {
        format!("v1|{}|{}|{checkpoint}", self.job, self.node)
    }

    /// The checkpoint of a marker.
    ///
    /// # Errors
    /// If it is nobody's or somebody else's.
    pub(super) fn read(&self, text: &str) -> Result<u64> {
        let foreign = || {
            Error::Fatal(format!(
                "the group '{}' holds {text:?}, which is no marker of this job; somebody else \
                 commits offsets there",
                self.transactional_id()
            ))
        };
        let prefix = self.write(0);
        let prefix = prefix.strip_suffix('0').unwrap_or_default();
        let number = text.strip_prefix(prefix).ok_or_else(foreign)?;
        number.parse().map_err(|_| foreign())
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
        for checkpoint in [0, 1, 10, u64::MAX] {
            let text = own.write(checkpoint);
            assert_eq!(own.read(&text), Ok(checkpoint));
            assert!(other.read(&text).is_err(), "{text}");
        }
        for text in ["", "v1", "v2|x|node-0|7", "v1|x|node-0|7"] {
            assert!(own.read(text).is_err(), "{text}");
        }
        let negative = own.write(3).replace("|3", "|-3");
        assert!(own.read(&negative).is_err());
    }
}
