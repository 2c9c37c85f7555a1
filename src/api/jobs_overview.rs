//! `/jobs/overview`: the jobs of the process, of which there is one.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::vocabulary::{TASK_STATES, duration_ms, flink_state, task_state};
use crate::clock;
use crate::pipeline::JobStatus;

/// Answers `GET /jobs/overview`.
pub async fn get(State(job): State<JobStatus>) -> Json<Value> {
    Json(body(&job, clock::now().millis()))
}

fn body(job: &JobStatus, now_ms: i64) -> Value {
    json!({
        "jobs": [{
            "jid": job.id.simple().to_string(),
            "name": job.name,
            "start-time": job.start_time_ms,
            "end-time": job.end_time_ms.unwrap_or(-1),
            "duration": duration_ms(job, now_ms),
            "state": flink_state(job.state),
            "last-modification": job.end_time_ms.unwrap_or(job.start_time_ms),
            "tasks": tasks(job),
            "pending-operators": 0,
            "job-type": "STREAMING",
        }]
    })
}

/// Tasks by state, and how many there are.
fn tasks(job: &JobStatus) -> Map<String, Value> {
    let total = job.tasks.len();
    let current = task_state(job.state);
    let mut counts = Map::new();
    counts.insert("total".to_owned(), json!(total));
    for state in TASK_STATES {
        let count = if state == current { total } else { 0 };
        counts.insert(state.to_lowercase(), json!(count));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vocabulary::sample_job;

    #[test]
    fn has_flinks_fields() {
        let expected = json!({"jobs": [{
            "jid": "00123456789abcdef0123456789abcde",
            "name": "clicks",
            "start-time": 1_000,
            "end-time": -1,
            "duration": 4_000,
            "state": "RUNNING",
            "last-modification": 1_000,
            "tasks": {
                "total": 3, "created": 0, "scheduled": 0, "deploying": 0, "running": 3,
                "finished": 0, "canceling": 0, "canceled": 0, "failed": 0,
                "reconciling": 0, "initializing": 0,
            },
            "pending-operators": 0,
            "job-type": "STREAMING",
        }]});
        assert_eq!(body(&sample_job(), 5_000), expected);
    }

    #[test]
    fn a_finished_job_has_an_end() {
        let mut job = sample_job();
        job.state = crate::pipeline::JobState::Finished;
        job.end_time_ms = Some(3_000);
        let body = body(&job, 9_000);
        assert_eq!(body["jobs"][0]["state"], "FINISHED");
        assert_eq!(body["jobs"][0]["end-time"], 3_000);
        assert_eq!(body["jobs"][0]["duration"], 2_000);
        assert_eq!(body["jobs"][0]["tasks"]["finished"], 3);
    }
}
