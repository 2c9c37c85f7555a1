//! `/jobs/:id`: one job with its stages, which Flink calls vertices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error_body::not_found;
use super::vocabulary::{JobState, TASK_STATES, duration_ms, flink_state, task_state};
use crate::clock;
use crate::metrics::{TaskMetrics, TaskTimes};
use crate::pipeline::{JobStatus, VertexStatus};
use crate::stream::KeyGroups;

/// Answers `GET /jobs/:id`.
pub async fn get(Path(id): Path<String>, State(job): State<JobStatus>) -> Response {
    if id == job.id.simple().to_string() {
        Json(body(&job, clock::now().millis())).into_response()
    } else {
        not_found(&format!(
            "job {id} is not here; this process runs {}",
            job.id.simple()
        ))
    }
}

fn body(job: &JobStatus, now_ms: i64) -> Value {
    json!({
        "jid": job.id.simple().to_string(),
        "name": job.name,
        "isStoppable": false,
        "state": flink_state(job.state),
        "job-type": "STREAMING",
        "start-time": job.start_time_ms,
        "end-time": job.end_time_ms.unwrap_or(-1),
        "duration": duration_ms(job, now_ms),
        "maxParallelism": KeyGroups::DEFAULT.count(),
        "now": now_ms,
        "timestamps": timestamps(job),
        "vertices": job.stages.iter().map(|stage| vertex(job, stage, now_ms)).collect::<Vec<_>>(),
        "status-counts": status_counts(job, job.stages.len()),
        "plan": plan(job),
        "pending-operators": 0,
    })
}

/// When the job entered each state; 0 if it never did or that is not known.
fn timestamps(job: &JobStatus) -> Map<String, Value> {
    let state = json!(flink_state(job.state));
    let names = [
        "INITIALIZING",
        "CREATED",
        "RUNNING",
        "RESTARTING",
        "FAILING",
        "FAILED",
        "CANCELLING",
        "CANCELED",
        "FINISHED",
        "SUSPENDED",
        "RECONCILING",
    ];
    let started = flink_state(job.state) != JobState::Created;
    names
        .into_iter()
        .map(|name| {
            let at = match name {
                "INITIALIZING" | "CREATED" => job.start_time_ms,
                "RUNNING" if started => job.start_time_ms,
                _ if state == name => job.end_time_ms.unwrap_or(0),
                _ => 0,
            };
            (name.to_owned(), json!(at))
        })
        .collect()
}

fn vertex(job: &JobStatus, stage: &VertexStatus, now_ms: i64) -> Value {
    json!({
        "id": vertex_id(stage),
        "name": stage.name,
        "maxParallelism": KeyGroups::DEFAULT.count(),
        "parallelism": stage.parallelism,
        "status": task_state(job.state),
        "start-time": job.start_time_ms,
        "end-time": job.end_time_ms.unwrap_or(-1),
        "duration": duration_ms(job, now_ms),
        "tasks": status_counts(job, stage.parallelism),
        "metrics": io_metrics(job, stage),
    })
}

/// Flink's ids of vertices are 32 hexadecimal digits.
fn vertex_id(stage: &VertexStatus) -> String {
    format!("{:032x}", stage.id)
}

fn status_counts(job: &JobStatus, total: usize) -> Map<String, Value> {
    let current = task_state(job.state);
    TASK_STATES
        .into_iter()
        .map(|state| {
            let count = if state == current { total } else { 0 };
            (state.to_owned(), json!(count))
        })
        .collect()
}

/// The sums over the tasks of a stage; times are in milliseconds.
fn io_metrics(job: &JobStatus, stage: &VertexStatus) -> Value {
    let tasks = || job.tasks.iter().filter(|task| task.stage == stage.id);
    let sum = |counter: fn(&TaskMetrics) -> &AtomicU64| -> u64 {
        tasks()
            .map(|task| counter(task).load(Ordering::Relaxed))
            .sum()
    };
    let time = |part: fn(TaskTimes) -> Duration| -> u64 {
        let total: Duration = tasks().map(|task| part(task.times())).sum();
        u64::try_from(total.as_millis()).unwrap_or(u64::MAX)
    };
    json!({
        "read-bytes": sum(|task| &task.bytes_in),
        "read-bytes-complete": true,
        "write-bytes": sum(|task| &task.bytes_out),
        "write-bytes-complete": true,
        "read-records": sum(|task| &task.records_in),
        "read-records-complete": true,
        "write-records": sum(|task| &task.records_out),
        "write-records-complete": true,
        "accumulated-backpressured-time": time(|times| times.blocked),
        "accumulated-idle-time": time(|times| times.idle),
        "accumulated-busy-time": time(|times| times.busy),
    })
}

/// The stages as Flink's plan lists them. The edges between them come with the
/// resource of the plan itself.
fn plan(job: &JobStatus) -> Value {
    let nodes = job.stages.iter().map(|stage| {
        json!({
            "id": vertex_id(stage),
            "parallelism": stage.parallelism,
            "operator": "",
            "operator_strategy": "",
            "description": stage.name,
            "optimizer_properties": {},
        })
    });
    json!({
        "jid": job.id.simple().to_string(),
        "name": job.name,
        "type": "STREAMING",
        "nodes": nodes.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vocabulary::sample_job;
    use crate::pipeline;

    fn keys(value: &Value) -> Vec<&str> {
        value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn has_flinks_fields() {
        let body = body(&sample_job(), 5_000);
        assert_eq!(
            keys(&body),
            [
                "jid",
                "name",
                "isStoppable",
                "state",
                "job-type",
                "start-time",
                "end-time",
                "duration",
                "maxParallelism",
                "now",
                "timestamps",
                "vertices",
                "status-counts",
                "plan",
                "pending-operators",
            ]
        );
        assert_eq!(
            keys(&body["vertices"][0]),
            [
                "id",
                "name",
                "maxParallelism",
                "parallelism",
                "status",
                "start-time",
                "end-time",
                "duration",
                "tasks",
                "metrics",
            ]
        );
        assert_eq!(body["status-counts"]["RUNNING"], 2);
        assert_eq!(body["timestamps"]["RUNNING"], 1_000);
        assert_eq!(body["timestamps"]["FINISHED"], 0);
    }

    #[test]
    fn a_vertex_sums_its_own_tasks() {
        let body = body(&sample_job(), 5_000);
        let metrics = |vertex: usize| body["vertices"][vertex]["metrics"].clone();
        assert_eq!(metrics(0)["read-records"], 7);
        assert_eq!(metrics(1)["read-records"], 7);
        assert_eq!(metrics(1)["read-bytes"], 70);
        assert_eq!(body["vertices"][1]["tasks"]["RUNNING"], 2);
        assert_eq!(
            body["vertices"][1]["id"],
            "00000000000000000000000000000001"
        );
    }

    #[test]
    fn a_finished_job_says_when() {
        let mut job = sample_job();
        job.state = pipeline::JobState::Finished;
        job.end_time_ms = Some(3_000);
        let body = body(&job, 5_000);
        assert_eq!(body["timestamps"]["FINISHED"], 3_000);
        assert_eq!(body["vertices"][0]["status"], "FINISHED");
        assert_eq!(body["duration"], 2_000);
    }
}
