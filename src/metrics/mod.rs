//! What a running job counts, and how Prometheus sees it.
//!
//! Tasks count into atomics of their own ([`TaskMetrics`]); REST and Prometheus
//! read them. Nothing here knows what a task does.

mod outbox;
mod task;

pub use outbox::OutboxMetrics;
pub use task::{Activity, TaskMetrics, TaskTimes};
