//! Who decides a checkpoint, and which one stands when a job is found again.
//!
//! Where Kafka decides, the state only prepares a checkpoint. The transaction that
//! carries its output also carries its number, the *marker*: once that commits, the
//! checkpoint counts. A crash may come between the two, so a job that is found again
//! is compared with its marker first.

use std::fmt;

use crate::state::{Decider, Progress};
use crate::stream::CheckpointId;

/// The state says two things about one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint {prepared} was prepared but {committed} is the last decided one")]
pub struct Undecidable {
    /// The last checkpoint that was made durable.
    pub prepared: CheckpointId,
    /// The last checkpoint that was decided.
    pub committed: CheckpointId,
}

/// What to do with a job whose marker was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Commit an empty transaction with the marker of the last decided checkpoint,
    /// note durably that the job is anchored, and go on behind that checkpoint.
    Anchor,
    /// The prepared checkpoint is decided: the job goes on behind it.
    Forward,
    /// The prepared checkpoint will never count: take it back.
    RollBack,
    /// State and marker agree.
    Settled,
    /// The marker is not of this state's making.
    Refuse(Dispute),
}

/// State and marker of a job that cannot both be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The last checkpoint that the state has prepared.
    pub prepared: CheckpointId,
    /// The last checkpoint that the state knows to be decided.
    pub committed: CheckpointId,
    /// The last checkpoint that is decided, as the marker has it.
    pub marker: Option<CheckpointId>,
}

/// The last checkpoint that the state knows to be decided. Where Kafka decides, the
/// prepared one may be decided too: see [`resolve`].
///
/// # Errors
/// If what is prepared is not what is decided though one transaction makes both.
pub fn last_decided(decider: Decider, progress: &Progress) -> Result<CheckpointId, Undecidable> {
    match (decider, progress.undecided()) {
        (Decider::State, Some(prepared)) => Err(Undecidable {
            prepared,
            committed: progress.committed,
        }),
        (Decider::State, None) | (Decider::Kafka, _) => Ok(progress.committed),
    }
}

/// Compares a job whose checkpoints Kafka decides with its marker.
///
/// The state prepares nothing before it is anchored, so until then the marker is
/// missing or is what an attempt to anchor has left. Of a state without an undecided
/// checkpoint nothing depends on the marker, which may have expired while the job was
/// stopped.
pub fn resolve(progress: &Progress, marker: Option<CheckpointId>) -> Verdict {
    let committed = progress.committed;
    match (progress.undecided(), marker) {
        (Some(prepared), Some(marker)) if marker == prepared => Verdict::Forward,
        (Some(prepared), Some(marker)) if marker == committed && marker.next() == prepared => {
            Verdict::RollBack
        }
        (None, Some(marker)) if marker == committed && progress.anchored => Verdict::Settled,
        (None, Some(marker)) if marker == committed => Verdict::Anchor,
        (None, None) => Verdict::Anchor,
        _ => Verdict::Refuse(Dispute {
            prepared: progress.prepared,
            committed,
            marker,
        }),
    }
}

impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prepared,
            committed,
            marker,
        } = self;
        if prepared == committed {
            write!(f, "the state has decided checkpoint {committed}, but ")?;
        } else {
            write!(
                f,
                "the state has prepared checkpoint {prepared} after {committed}, but "
            )?;
        }
        match marker {
            Some(marker) if marker > prepared => write!(
                f,
                "its marker in Kafka says {marker}: this is an old copy of the data directory, and \
                 the job has gone on from another; run it from there"
            ),
            Some(marker) => write!(
                f,
                "its marker in Kafka says {marker}: the consumer group that holds the marker was set back, \
                 or this is another Kafka; give it back its marker, or start anew with --fresh --abandon"
            ),
            None => f.write_str(
                "Kafka has no marker that would decide it: the consumer group that holds the marker was \
                 deleted or has expired, or this is another Kafka; give it back its marker, or \
                 start anew with --fresh --abandon",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(prepared: u64, committed: u64, anchored: bool) -> Progress {
        Progress {
            prepared: CheckpointId(prepared),
            committed: CheckpointId(committed),
            anchored,
            finished: None,
        }
    }

    #[test]
    fn the_marker_settles_what_the_state_left_open() {
        use Verdict::{Anchor, Forward, RollBack, Settled};
        let table = [
            // (prepared, committed, anchored), marker → verdict; a new job first.
            ((0, 0, false), None, Some(Anchor)),
            ((0, 0, false), Some(0), Some(Anchor)),
            ((0, 0, false), Some(1), None),
            ((0, 0, true), Some(0), Some(Settled)),
            ((1, 0, true), Some(0), Some(RollBack)),
            ((1, 0, true), Some(1), Some(Forward)),
            ((1, 0, true), None, None),
            // A job that other than Kafka has decided so far.
            ((40, 40, false), None, Some(Anchor)),
            ((40, 40, false), Some(40), Some(Anchor)),
            ((40, 40, false), Some(39), None),
            ((40, 40, false), Some(41), None),
            // A clean stop, or a roll back that was carried out.
            ((40, 40, true), Some(40), Some(Settled)),
            ((40, 40, true), None, Some(Anchor)),
            ((40, 40, true), Some(39), None),
            ((40, 40, true), Some(41), None),
            // A crash between the two commits, or behind the second.
            ((41, 40, true), Some(41), Some(Forward)),
            ((41, 40, true), Some(40), Some(RollBack)),
            ((41, 40, true), None, None),
            ((41, 40, true), Some(39), None),
            ((41, 40, true), Some(42), None),
            // Never written, but the marker is as good as an anchor.
            ((41, 40, false), Some(41), Some(Forward)),
            ((41, 40, false), Some(40), Some(RollBack)),
            ((41, 40, false), None, None),
            // Never written: a number was left out.
            ((42, 40, true), Some(42), Some(Forward)),
            ((42, 40, true), Some(41), None),
            ((42, 40, true), Some(40), None),
        ];
        for ((prepared, committed, anchored), marker, expected) in table {
            let marker = marker.map(CheckpointId);
            let verdict = resolve(&progress(prepared, committed, anchored), marker);
            let expected = expected.unwrap_or(Verdict::Refuse(Dispute {
                prepared: CheckpointId(prepared),
                committed: CheckpointId(committed),
                marker,
            }));
            let case = (prepared, committed, anchored, marker);
            assert_eq!(verdict, expected, "{case:?}");
        }
    }

    #[test]
    fn a_dispute_names_both_numbers_and_what_they_mean() {
        let table = [
            (
                41,
                Some(57),
                ["prepared checkpoint 41 after 40", "57: this is an old copy"],
            ),
            (
                40,
                Some(57),
                ["decided checkpoint 40", "57: this is an old copy"],
            ),
            (
                41,
                Some(3),
                ["prepared checkpoint 41 after 40", "3: the consumer group"],
            ),
            (
                40,
                Some(3),
                ["decided checkpoint 40", "3: the consumer group"],
            ),
            (41, None, ["prepared checkpoint 41 after 40", "no marker"]),
        ];
        for (prepared, marker, parts) in table {
            let marker = marker.map(CheckpointId);
            let Verdict::Refuse(dispute) = resolve(&progress(prepared, 40, true), marker) else {
                panic!("{prepared} and {marker:?} go together");
            };
            let text = dispute.to_string();
            for part in parts {
                assert!(text.contains(part), "{text}");
            }
        }
    }

    #[test]
    fn the_state_alone_says_what_it_has_decided() {
        let [settled, open] = [progress(7, 7, true), progress(8, 7, true)];
        let seven = Ok(CheckpointId(7));
        assert_eq!(last_decided(Decider::State, &settled), seven);
        assert_eq!(last_decided(Decider::Kafka, &settled), seven);
        assert_eq!(last_decided(Decider::Kafka, &open), seven);
        assert!(last_decided(Decider::State, &open).is_err());
    }
}
