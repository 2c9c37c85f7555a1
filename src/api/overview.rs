//! `/overview`: the process as Flink shows a cluster.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::vocabulary::{JobState, flink_state};
use crate::pipeline::JobStatus;

/// Answers `GET /overview`.
pub async fn get(State(job): State<JobStatus>) -> Json<Value> {
    Json(body(&job))
}

/// One process is one task manager, whose slots are as many as the widest stage
/// has tasks.
fn body(job: &JobStatus) -> Value {
    let slots = job.stages.iter().map(|stage| stage.parallelism).max();
    let state = flink_state(job.state);
    let count = |states: &[JobState]| u8::from(states.contains(&state));
    json!({
        "taskmanagers": 1,
        "slots-total": slots.unwrap_or(0),
        "slots-available": 0,
        "jobs-running": count(&[
            JobState::Created,
            JobState::Running,
            JobState::Restarting,
            JobState::Failing,
        ]),
        "jobs-finished": count(&[JobState::Finished]),
        "jobs-cancelled": count(&[JobState::Suspended]),
        "jobs-failed": count(&[JobState::Failed]),
        "flink-version": concat!("thalweg-", env!("CARGO_PKG_VERSION")),
        "flink-commit": "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vocabulary::sample_job;
    use crate::pipeline;

    #[test]
    fn a_job_is_counted_once_under_its_state() {
        let check = |state, column: &str| {
            let mut job = sample_job();
            job.state = state;
            let body = body(&job);
            for name in ["running", "finished", "cancelled", "failed"] {
                let expected = u8::from(name == column);
                assert_eq!(body[format!("jobs-{name}")], expected, "{state:?} {name}");
            }
        };
        check(pipeline::JobState::Created, "running");
        check(pipeline::JobState::Running, "running");
        check(pipeline::JobState::Restarting, "running");
        check(pipeline::JobState::Failing, "running");
        check(pipeline::JobState::Failed, "failed");
        check(pipeline::JobState::Finished, "finished");
        check(pipeline::JobState::Stopped, "cancelled");
    }

    #[test]
    fn slots_are_the_width_of_the_widest_stage() {
        assert_eq!(body(&sample_job())["slots-total"], 2);
    }
}
