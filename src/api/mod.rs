//! The HTTP listener: health, Prometheus, and Flink's REST paths with Flink's
//! field names, so that dashboards and scripts made for Flink work.
//!
//! It runs in a thread of its own, so that it answers while every worker of the
//! engine is busy. It only reads snapshots of the job's status; it knows neither
//! tasks nor state. Each resource is one file: a pure function from a snapshot
//! to a body.

mod error_body;
mod health;
mod job_detail;
mod jobs_overview;
mod listen;
mod overview;
mod prometheus;
mod server;
mod vocabulary;

pub use listen::{Error, Listen, Listener};
pub use server::{Server, StatusSource};
