//! Who decides a checkpoint, and which one stands when a job is found again.
//!
//! Where Kafka decides, the state only prepares a checkpoint. The transaction that
//! carries its output also carries its number, the *marker*: once that commits, the
//! checkpoint counts. A crash may come between the two, so a job that is found again
//! is compared with its marker first.

use std::fmt;

use crate::state::{Decider, Progress};
use crate::stream::{CheckpointId, Claim, Marker};

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
    /// The prepared checkpoint is decided: the job goes on behind it.
    Forward,
    /// The prepared checkpoint will never count: take it back.
    RollBack,
    /// Nothing is undecided.
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
    /// Whether the marker was written with a claim that this state has made.
    pub is_own: bool,
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
/// A state notes each claim before a marker bears it, so a marker with another claim was
/// written by a copy of the state that has gone on. Of a state without an undecided
/// checkpoint nothing depends on the marker, which may have expired while the job was
/// stopped.
pub fn resolve(progress: &Progress, marker: Option<Marker>) -> Verdict {
    let committed = progress.committed;
    let is_own = marker.is_none_or(|marker| progress.has_claimed(marker.claim));
    let decided = marker.map(|marker| marker.checkpoint);
    match (progress.undecided(), decided) {
        (Some(prepared), Some(decided)) if is_own && decided == prepared => Verdict::Forward,
        (Some(prepared), Some(decided))
            if is_own && decided == committed && decided.next() == prepared =>
        {
            Verdict::RollBack
        }
        (None, Some(decided)) if is_own && decided == committed => Verdict::Settled,
        (None, None) => Verdict::Settled,
        _ => Verdict::Refuse(Dispute {
            prepared: progress.prepared,
            committed,
            marker: decided,
            is_own,
        }),
    }
}

/// The claim with which the next marker is written, of a job that nobody else can write
/// markers for any more: the one that was noted for it and that nobody has used, or
/// `fresh`.
pub fn next_claim(progress: &Progress, marker: Option<Marker>, fresh: Claim) -> Claim {
    let used = marker.map(|marker| marker.claim);
    let noted = progress.next_claim.filter(|noted| used != Some(*noted));
    noted.unwrap_or(fresh)
}

impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prepared,
            committed,
            marker,
            is_own,
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
            Some(marker) if marker > prepared || !is_own => write!(
                f,
                "its marker in Kafka says {marker} and is not its own: this is an old copy of the data \
                 directory, and the job has gone on from another; run it from there"
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
    use uuid::Uuid;

    use super::*;

    const OWN: Claim = Claim(Uuid::from_u128(1));
    const NEXT: Claim = Claim(Uuid::from_u128(2));
    const FOREIGN: Claim = Claim(Uuid::from_u128(3));
    const FRESH: Claim = Claim(Uuid::from_u128(4));

    fn progress(prepared: u64, committed: u64) -> Progress {
        Progress {
            prepared: CheckpointId(prepared),
            committed: CheckpointId(committed),
            claim: Some(OWN),
            next_claim: Some(NEXT),
            finished: None,
        }
    }

    fn marker(claim: Claim, checkpoint: u64) -> Marker {
        let checkpoint = CheckpointId(checkpoint);
        Marker { claim, checkpoint }
    }

    #[test]
    fn the_marker_settles_what_the_state_left_open() {
        use Verdict::{Forward, RollBack, Settled};
        let table = [
            // (prepared, committed), marker → verdict; a new job first.
            ((0, 0), None, Some(Settled)),
            ((0, 0), Some(0), Some(Settled)),
            ((0, 0), Some(1), None),
            ((1, 0), Some(0), Some(RollBack)),
            ((1, 0), Some(1), Some(Forward)),
            ((1, 0), None, None),
            // A clean stop, a roll back that was carried out, or a job that other than
            // Kafka has decided so far.
            ((40, 40), Some(40), Some(Settled)),
            ((40, 40), None, Some(Settled)),
            ((40, 40), Some(39), None),
            ((40, 40), Some(41), None),
            // A crash between the two commits, or behind the second.
            ((41, 40), Some(41), Some(Forward)),
            ((41, 40), Some(40), Some(RollBack)),
            ((41, 40), None, None),
            ((41, 40), Some(39), None),
            ((41, 40), Some(42), None),
            // Never written: a number was left out.
            ((42, 40), Some(42), Some(Forward)),
            ((42, 40), Some(41), None),
            ((42, 40), Some(40), None),
        ];
        for ((prepared, committed), checkpoint, expected) in table {
            // Whatever the number, a foreign claim is refused; what was noted is own.
            for (claim, is_own) in [(OWN, true), (NEXT, true), (FOREIGN, false)] {
                let marker = checkpoint.map(|checkpoint| marker(claim, checkpoint));
                let is_own = is_own || marker.is_none();
                let verdict = resolve(&progress(prepared, committed), marker);
                let refused = Verdict::Refuse(Dispute {
                    prepared: CheckpointId(prepared),
                    committed: CheckpointId(committed),
                    marker: checkpoint.map(CheckpointId),
                    is_own,
                });
                let expected = expected.filter(|_| is_own).unwrap_or(refused);
                assert_eq!(verdict, expected, "{prepared} {committed} {marker:?}");
            }
        }
    }

    #[test]
    fn a_claim_is_made_once() {
        let (settled, mut new) = (progress(7, 7), progress(0, 0));
        new.claim = None;
        for progress in [&settled, &new] {
            for (standing, expected) in [
                (None, NEXT),
                (Some(OWN), NEXT),
                // Somebody has used it: this state before a crash, or a copy of it.
                (Some(NEXT), FRESH),
            ] {
                let standing = standing.map(|claim| marker(claim, 7));
                assert_eq!(next_claim(progress, standing, FRESH), expected);
            }
        }
        new.next_claim = None;
        assert_eq!(next_claim(&new, None, FRESH), FRESH);
    }

    #[test]
    fn a_dispute_names_both_numbers_and_what_they_mean() {
        let table = [
            (
                41,
                Some(57),
                [
                    "prepared checkpoint 41 after 40",
                    "57 and is not its own: this is an old copy",
                ],
            ),
            (
                40,
                Some(57),
                [
                    "decided checkpoint 40",
                    "57 and is not its own: this is an old copy",
                ],
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
        for (prepared, number, parts) in table {
            let marker = number.map(|number| marker(OWN, number));
            let Verdict::Refuse(dispute) = resolve(&progress(prepared, 40), marker) else {
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
        let [settled, open] = [progress(7, 7), progress(8, 7)];
        let seven = Ok(CheckpointId(7));
        assert_eq!(last_decided(Decider::State, &settled), seven);
        assert_eq!(last_decided(Decider::Kafka, &settled), seven);
        assert_eq!(last_decided(Decider::Kafka, &open), seven);
        assert!(last_decided(Decider::State, &open).is_err());
    }
}
