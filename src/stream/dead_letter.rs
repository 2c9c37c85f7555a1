//! A row that could not be decoded, converted or computed: what is kept of it.

use serde::{Deserialize, Serialize};

/// One row that left the pipeline by the side door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The table or operator at which it failed.
    pub origin: String,
    /// Why, in a sentence for the person who will repair it.
    pub reason: String,
    /// Where it came from, as far as that is known.
    pub position: Option<Position>,
    /// The row as it arrived; of a row that was already decoded, its JSON.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

/// Where a row lies in its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The split: a file's path, a topic's partition.
    pub split: String,
    /// The byte offset in a file or the offset in a partition.
    pub offset: u64,
}

mod base64_bytes {
    //! Bytes as base64 text, so that a dead letter is one line of JSON.

    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD
            .decode(String::deserialize(deserializer)?)
            .map_err(D::Error::custom)
    }
}
