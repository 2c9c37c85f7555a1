//! Flink's words for the states of jobs and tasks, and how ours map to them.

use serde::Serialize;

use crate::pipeline::{self, JobStatus};

/// The state of a job, in Flink's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// Not yet running.
    Created,
    /// Running.
    Running,
    /// Waiting to run again.
    Restarting,
    /// About to have failed.
    Failing,
    /// Failed for good.
    Failed,
    /// Done.
    Finished,
    /// Not running here any more; a later start goes on.
    Suspended,
}

/// The states of a task in Flink, in the order in which its API lists them.
pub const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];

/// The state of a job in Flink's words. A clean stop leaves a job that the next
/// start resumes, which Flink calls suspended, not finished.
pub fn flink_state(state: pipeline::JobState) -> JobState {
    match state {
        pipeline::JobState::Created => JobState::Created,
        pipeline::JobState::Running => JobState::Running,
        pipeline::JobState::Restarting => JobState::Restarting,
        pipeline::JobState::Failing => JobState::Failing,
        pipeline::JobState::Failed => JobState::Failed,
        pipeline::JobState::Finished => JobState::Finished,
        pipeline::JobState::Stopped => JobState::Suspended,
    }
}

/// The state of every task of a job in that state; one of [`TASK_STATES`].
pub fn task_state(state: pipeline::JobState) -> &'static str {
    match state {
        pipeline::JobState::Created => "CREATED",
        pipeline::JobState::Running => "RUNNING",
        pipeline::JobState::Restarting => "SCHEDULED",
        pipeline::JobState::Failing => "CANCELING",
        pipeline::JobState::Failed => "FAILED",
        pipeline::JobState::Finished => "FINISHED",
        pipeline::JobState::Stopped => "CANCELED",
    }
}

/// How long a job has run, in milliseconds, at `now_ms`.
pub fn duration_ms(job: &JobStatus, now_ms: i64) -> i64 {
    let end = job.end_time_ms.unwrap_or(now_ms);
    end.saturating_sub(job.start_time_ms).max(0)
}

/// A running job with a source stage of one task and a window stage of two.
#[cfg(test)]
pub fn sample_job() -> JobStatus {
    use std::sync::Arc;

    use crate::metrics::{OutboxMetrics, TaskMetrics};
    use crate::pipeline::{CheckpointStatus, VertexStatus};
    use crate::stream::EventTime;

    let task = |name: &str, stage, index, records_in| {
        let task = TaskMetrics::new(name.to_owned(), stage, index, stage == 0);
        TaskMetrics::add(&task.records_in, records_in);
        TaskMetrics::add(&task.bytes_in, records_in * 10);
        Arc::new(task)
    };
    let tasks = vec![
        task("source clicks", 0, 0, 7),
        task("window \"per minute\"", 1, 0, 3),
        task("window \"per minute\"", 1, 1, 4),
    ];
    tasks[1].set_watermark(EventTime::from_millis(1_500));
    let outbox = OutboxMetrics::new("far".to_owned());
    TaskMetrics::add(&outbox.bytes, 512);
    TaskMetrics::add(&outbox.records, 3);
    let stage = |id, name: &str, parallelism| VertexStatus {
        id,
        name: name.to_owned(),
        parallelism,
    };
    JobStatus {
        id: uuid::Uuid::from_u128(0x0012_3456_789a_bcde_f012_3456_789a_bcde),
        name: "clicks".to_owned(),
        state: pipeline::JobState::Running,
        start_time_ms: 1_000,
        tasks,
        outboxes: vec![Arc::new(outbox)],
        stages: vec![
            stage(0, "source clicks", 1),
            stage(1, "window \"per minute\"", 2),
        ],
        checkpoints: CheckpointStatus {
            completed: 5,
            last_id: Some(5),
            last_duration_ms: 12,
            ..CheckpointStatus::default()
        },
        ready: true,
        ..JobStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_state_gives_a_task_state_that_flink_has() {
        for state in [
            pipeline::JobState::Created,
            pipeline::JobState::Running,
            pipeline::JobState::Restarting,
            pipeline::JobState::Failing,
            pipeline::JobState::Failed,
            pipeline::JobState::Finished,
            pipeline::JobState::Stopped,
        ] {
            assert!(TASK_STATES.contains(&task_state(state)), "{state:?}");
        }
    }

    #[test]
    fn a_duration_ends_with_the_job_and_is_never_negative() {
        let mut job = sample_job();
        assert_eq!(duration_ms(&job, 4_000), 3_000);
        job.end_time_ms = Some(2_000);
        assert_eq!(duration_ms(&job, 4_000), 1_000);
        job.end_time_ms = Some(500);
        assert_eq!(duration_ms(&job, 4_000), 0);
    }
}
