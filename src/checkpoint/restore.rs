//! What to do with the state that a data directory holds: begin, resume, or refuse.

use std::fmt;

use similar::{ChangeTag, TextDiff};
use uuid::Uuid;

use super::decider;
use crate::state::{Decider, Finished, Job};
use crate::stream::{CheckpointId, HASH_FUNCTION, KeyGroups};

/// Changed lines of a plan that a refusal shows.
const CHANGES_MAX: usize = 20;

/// What is about to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its plan as text.
    pub plan: String,
    /// The number of key groups that it asks for; `None` takes what the state has.
    pub key_groups: Option<KeyGroups>,
}

/// How a run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// There is no state: a new job.
    Fresh,
    /// The job goes on behind this checkpoint; 0 if it has made none yet.
    Resume(CheckpointId),
    /// The job goes on, but another system decides its checkpoints: its marker
    /// says behind which one ([`super::resolve`]).
    Resolve,
    /// The job has finished: nothing is left to do.
    Finished(Finished),
    /// The state is not for this program.
    Refuse(Refusal),
}

/// Why a program may not run on the state that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The pipeline whose state it is.
    pub pipeline: String,
    /// Its job.
    pub job: Uuid,
    /// The last checkpoint in it.
    pub committed: CheckpointId,
    /// What has changed, a line each; lines of the plan begin with `-` or `+`.
    pub changes: Vec<String>,
}

/// Decides how `program` begins with the state of `job`.
pub fn decide(job: Option<&Job>, program: &Program) -> Start {
    let Some(Job { header, progress }) = job else {
        return Start::Fresh;
    };
    let mut changes = Vec::new();
    if header.hash_function != HASH_FUNCTION {
        changes.push(format!(
            "its keys are spread by the function {}, this thalweg has {HASH_FUNCTION}",
            header.hash_function
        ));
    }
    if let Some(wanted) = program.key_groups
        && wanted != header.key_groups
    {
        changes.push(format!(
            "it has {} key groups, the program asks for {}",
            header.key_groups.count(),
            wanted.count()
        ));
    }
    if header.plan != program.plan {
        changes.extend(plan_changes(&header.plan, &program.plan));
    }
    let decided = decider::last_decided(header.decider, progress);
    if let Err(undecidable) = decided {
        changes.push(undecidable.to_string());
    }
    match (&progress.finished, decided) {
        (Some(finished), Ok(_)) if changes.is_empty() => Start::Finished(finished.clone()),
        (None, Ok(checkpoint)) if changes.is_empty() => match header.decider {
            Decider::State => Start::Resume(checkpoint),
            Decider::Kafka => Start::Resolve,
        },
        _ => Start::Refuse(Refusal {
            pipeline: header.pipeline.clone(),
            job: header.job,
            committed: progress.committed,
            changes,
        }),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the state belongs to pipeline {:?} (job {}, checkpoint {}), which differs:",
            self.pipeline, self.job, self.committed
        )?;
        for change in &self.changes {
            write!(f, "\n  {change}")?;
        }
        Ok(())
    }
}

/// The lines by which two plans differ.
fn plan_changes(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut changed = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => return None,
        };
        Some(format!("{sign} {}", change.value().trim_end()))
    });
    let mut lines: Vec<String> = changed.by_ref().take(CHANGES_MAX).collect();
    let more = changed.count();
    if more > 0 {
        lines.push(format!("and {more} more lines"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Header, Progress};
    use crate::stream::EventTime;

    const PLAN: &str = "source a\nfilter x > 1\nsink b\n";

    fn job(change: impl FnOnce(&mut Job)) -> Job {
        let groups = KeyGroups::DEFAULT;
        let mut job = Job {
            header: Header::new(
                "orders".into(),
                PLAN.into(),
                groups,
                Decider::State,
                EventTime::MIN,
            ),
            progress: Progress {
                prepared: CheckpointId(7),
                committed: CheckpointId(7),
                ..Progress::default()
            },
        };
        change(&mut job);
        job
    }

    fn start(job: &Job, plan: &str, key_groups: Option<u16>) -> Start {
        let key_groups = key_groups.map(|count| KeyGroups::new(count).unwrap());
        let plan = plan.to_owned();
        decide(Some(job), &Program { plan, key_groups })
    }

    fn changes(start: Start) -> Vec<String> {
        match start {
            Start::Refuse(refusal) => refusal.changes,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn an_empty_directory_begins_a_job() {
        let program = Program {
            plan: PLAN.into(),
            key_groups: None,
        };
        assert_eq!(decide(None, &program), Start::Fresh);
    }

    #[test]
    fn the_same_plan_resumes() {
        let job = job(|_| {});
        assert_eq!(start(&job, PLAN, None), Start::Resume(CheckpointId(7)));
        assert_eq!(start(&job, PLAN, Some(128)), Start::Resume(CheckpointId(7)));
    }

    #[test]
    fn a_finished_job_is_not_run_again() {
        let finished = Finished {
            at: EventTime::from_millis(1),
            rows_read: 2,
            bytes_read: 3,
            splits: 4,
        };
        let job = job(|job| job.progress.finished = Some(finished.clone()));
        assert_eq!(start(&job, PLAN, None), Start::Finished(finished));
        assert_eq!(changes(start(&job, "", None)).len(), 3);
    }

    #[test]
    fn a_changed_plan_is_refused_with_its_changes() {
        let job = job(|_| {});
        let refused = start(&job, "source a\nfilter x > 2\nsink b\n", None);
        assert_eq!(
            changes(refused.clone()),
            ["- filter x > 1", "+ filter x > 2"]
        );
        let Start::Refuse(refusal) = refused else {
            unreachable!()
        };
        let text = refusal.to_string();
        assert!(text.starts_with("the state belongs to pipeline \"orders\" (job "));
        assert!(text.ends_with("differs:\n  - filter x > 1\n  + filter x > 2"));
    }

    #[test]
    fn a_long_diff_is_cut() {
        let job = job(|job| job.header.plan = "line\n".repeat(30));
        let lines = changes(start(&job, "", None));
        assert_eq!(lines.len(), CHANGES_MAX + 1);
        assert_eq!(lines.last().unwrap(), "and 10 more lines");
    }

    #[test]
    fn other_keys_are_refused() {
        let other_groups = job(|_| {});
        let lines = changes(start(&other_groups, PLAN, Some(64)));
        assert_eq!(lines, ["it has 128 key groups, the program asks for 64"]);
        let other_hash = job(|job| job.header.hash_function = "murmur".into());
        assert_eq!(changes(start(&other_hash, PLAN, None)).len(), 1);
    }

    #[test]
    fn prepared_but_not_decided_is_refused() {
        let job = job(|job| job.progress.prepared = CheckpointId(8));
        let lines = changes(start(&job, PLAN, None));
        assert_eq!(
            lines,
            ["checkpoint 8 was prepared but 7 is the last decided one"]
        );
    }
    #[test]
    fn where_kafka_decides_it_is_asked_first() {
        for prepared in [7, 8] {
            let job = job(|job| {
                job.header.decider = Decider::Kafka;
                job.progress.prepared = CheckpointId(prepared);
            });
            assert_eq!(start(&job, PLAN, None), Start::Resolve);
            assert_eq!(changes(start(&job, "", None)).len(), 3);
        }
        let finished = Finished {
            at: EventTime::MIN,
            rows_read: 0,
            bytes_read: 0,
            splits: 0,
        };
        let job = job(|job| {
            job.header.decider = Decider::Kafka;
            job.progress.finished = Some(finished.clone());
        });
        assert_eq!(start(&job, PLAN, None), Start::Finished(finished));
    }
}
