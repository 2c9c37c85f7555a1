//! What one checkpoint keeps besides rows: splits, outputs, dead letters.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OperatorDelta;
use crate::stream::{CheckpointId, EventTime, OperatorId};

/// Everything that one checkpoint keeps. It becomes durable as a whole or not at all.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its number, above that of every earlier one.
    pub id: CheckpointId,
    /// What changed in the operators' state.
    pub deltas: Vec<OperatorDelta>,
    /// Splits that are new or have changed.
    pub splits: Vec<SplitRecord>,
    /// Sources whose list of splits is known to be complete now.
    pub complete_sources: Vec<OperatorId>,
    /// Outputs to publish once it is decided.
    pub publish: Vec<(OperatorId, Value)>,
    /// Outputs that are still being written.
    pub open: Vec<OpenOutputs>,
    /// Files of dead letters, as long as they are now.
    pub dead_letters: Vec<DeadLetterFile>,
    /// Earlier checkpoints all of whose outputs are published: forgotten now.
    pub confirmed: Vec<CheckpointId>,
}

impl Checkpoint {
    /// A checkpoint of nothing.
    pub fn new(id: CheckpointId) -> Self {
        Self {
            id,
            deltas: Vec::new(),
            splits: Vec::new(),
            complete_sources: Vec::new(),
            publish: Vec::new(),
            open: Vec::new(),
            dead_letters: Vec::new(),
            confirmed: Vec::new(),
        }
    }
}

/// A split of a source, and how far it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The source.
    pub operator: OperatorId,
    /// The split's name, unique in the source.
    pub split: String,
    /// Its place in the order in which the splits were found.
    pub ordinal: u64,
    /// What the connector needs to open it, with its bound.
    pub spec: Value,
    /// Where to read on; `None` if it was not started.
    pub position: Option<Value>,
    /// The split's watermark.
    pub watermark: EventTime,
    /// Whether it says nothing about time until its next row.
    pub idle: bool,
    /// Whether it was read whole.
    pub finished: bool,
    /// Rows read of it.
    #[serde(default)]
    pub rows: u64,
    /// Bytes read of it.
    #[serde(default)]
    pub bytes: u64,
}

/// What one task of a sink is still writing; takes the place of what the task
/// said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOutputs {
    /// The sink.
    pub operator: OperatorId,
    /// The number of the task.
    pub task: u32,
    /// Its unfinished outputs, as far as they have come.
    pub outputs: Vec<Value>,
}

/// A file of dead letters up to where a checkpoint vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterFile {
    /// Its name in the folder of dead letters.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The letters in it.
    pub rows: u64,
}

/// The outputs of a sink that the last checkpoint left to be dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Decided but not known to be published, by rising checkpoint.
    pub publish: Vec<(CheckpointId, Value)>,
    /// Still being written when the checkpoint was made, by task.
    pub open: Vec<Value>,
}

/// What one commit wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of the deltas.
    pub delta_rows: u64,
    /// Bytes of the deltas.
    pub delta_bytes: u64,
    /// Bytes of pages that folding wrote besides.
    pub page_bytes: u64,
}

/// How large the state is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Units: an operator's key group at one time.
    pub units: u64,
    /// Bytes of folded rows.
    pub page_bytes: u64,
    /// Bytes of rows in the delta log.
    pub delta_bytes: u64,
    /// Blobs in the delta log.
    pub chunks: u64,
    /// Units that wait to be folded.
    pub fold_backlog: u64,
    /// Units that are closed and wait to be deleted.
    pub closed_backlog: u64,
    /// Length of the file.
    pub file_bytes: u64,
}
