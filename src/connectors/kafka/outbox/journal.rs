//! What a sender has begun, and with which right: the state's side of its marker.
//!
//! The marker in Kafka says through which checkpoint the outbox was sent, and who has sent it.
//! The journal says which two answers this state can believe. It is durable before a
//! transaction begins, so a copy of the state that has gone on is told from this one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::connectors::directories::sync_directory;
use crate::stream::{CheckpointId, Claim, Marker};

const FILE: &str = "journal";

/// What is known of what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The claim of the marker that was there when this one was made.
    claim: Option<Claim>,
    /// The claim with which markers are written since.
    next_claim: Option<Claim>,
    /// Through which checkpoint everything is sent for certain.
    pub sent: CheckpointId,
    /// Through which checkpoint a transaction was begun.
    pub begun: CheckpointId,
}

/// Why a sender must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Dispute {
    #[error(
        "the marker of its outbox in Kafka says {0} and is not its own: this is an old copy of the \
         data directory, and the job has gone on from another; run it from there"
    )]
    OldCopy(CheckpointId),
    #[error(
        "the marker of its outbox in Kafka says {marker}, but checkpoint {sent} was sent: the \
         consumer group that holds the marker was set back, or this is another Kafka; give it back \
         its marker, or start anew with --fresh --abandon"
    )]
    SetBack {
        marker: CheckpointId,
        sent: CheckpointId,
    },
    #[error(
        "Kafka has no marker that says whether checkpoint {0} of its outbox was sent: the consumer \
         group that holds the marker was deleted or has expired, or this is another Kafka; give \
         it back its marker, or start anew with --fresh --abandon"
    )]
    NoMarker(CheckpointId),
}

impl Journal {
    /// That of an outbox; an empty one if nothing was ever sent.
    pub fn read(directory: &Path) -> io::Result<Self> {
        match fs::read(directory.join(FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Makes it durable.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        let next = directory.join(format!(".{FILE}"));
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(next, directory.join(FILE))?;
        sync_directory(directory)
    }

    /// Through which checkpoint the outbox was sent, by its marker.
    pub fn resolve(&self, marker: Option<Marker>) -> Result<CheckpointId, Dispute> {
        let Some(Marker { claim, checkpoint }) = marker else {
            // One that nothing depends on may have expired.
            let is_settled = self.begun == self.sent;
            let lost = Dispute::NoMarker(self.begun);
            return if is_settled { Ok(self.sent) } else { Err(lost) };
        };
        let is_own = [self.claim, self.next_claim].contains(&Some(claim));
        if !is_own || checkpoint > self.begun {
            Err(Dispute::OldCopy(checkpoint))
        } else if checkpoint == self.begun || checkpoint == self.sent {
            Ok(checkpoint)
        } else {
            Err(Dispute::SetBack {
                marker: checkpoint,
                sent: self.sent,
            })
        }
    }

    /// That of a sender that is about to claim, where everything through `sent` was sent.
    pub fn claiming(standing: Option<Marker>, next: Claim, sent: CheckpointId) -> Self {
        Self {
            claim: standing.map(|marker| marker.claim),
            next_claim: Some(next),
            sent,
            begun: sent,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const OLD: Claim = Claim(Uuid::from_u128(1));
    const OWN: Claim = Claim(Uuid::from_u128(2));
    const FOREIGN: Claim = Claim(Uuid::from_u128(3));

    fn journal(sent: u64, begun: u64) -> Journal {
        let standing = Marker {
            claim: OLD,
            checkpoint: CheckpointId(sent),
        };
        let claiming = Journal::claiming(Some(standing), OWN, CheckpointId(sent));
        Journal {
            begun: CheckpointId(begun),
            ..claiming
        }
    }

    #[test]
    fn only_the_two_answers_that_it_knows_are_believed() {
        let table = [
            ((7, 9), Some(9), Ok(9)),
            ((7, 9), Some(7), Ok(7)),
            ((7, 9), Some(8), Err("was set back")),
            ((7, 9), Some(6), Err("was set back")),
            ((7, 9), Some(10), Err("an old copy")),
            ((7, 9), None, Err("no marker")),
            ((7, 7), None, Ok(7)),
            ((7, 7), Some(7), Ok(7)),
            ((0, 0), Some(1), Err("an old copy")),
        ];
        for ((sent, begun), checkpoint, expected) in table {
            for claim in [OLD, OWN, FOREIGN] {
                let marker = checkpoint.map(|checkpoint| Marker {
                    claim,
                    checkpoint: CheckpointId(checkpoint),
                });
                let expected = match marker {
                    Some(_) if claim == FOREIGN => Err("an old copy"),
                    _ => expected,
                };
                match (journal(sent, begun).resolve(marker), expected) {
                    (Ok(found), Ok(expected)) => assert_eq!(found, CheckpointId(expected)),
                    (Err(found), Err(words)) => {
                        assert!(found.to_string().contains(words), "{found}");
                    }
                    (found, expected) => panic!("{marker:?}: {found:?}, not {expected:?}"),
                }
            }
        }
        assert_eq!(Journal::default().resolve(None), Ok(CheckpointId(0)));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(Journal::read(path).unwrap(), Journal::default());
        journal(7, 9).write(path).unwrap();
        assert_eq!(Journal::read(path).unwrap(), journal(7, 9));
        fs::write(path.join(FILE), "{").unwrap();
        Journal::read(path).unwrap_err();
    }
}
