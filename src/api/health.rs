//! `/healthz` and `/readyz`: whether the process lives, and whether the job can work.

use axum::extract::State;
use axum::http::StatusCode;

use crate::pipeline::JobStatus;

/// The process answers. A job that restarts is alive; only a process that does
/// not answer should be killed.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The ends are connected and the state is open.
pub async fn ready(State(job): State<JobStatus>) -> (StatusCode, &'static str) {
    if job.ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
