//! The binary with real services, which the project's own scripts start.

mod broker;
mod kafka_kills;
mod kafka_metadata;
mod kafka_sink;
mod kafka_source;
#[path = "../node/process.rs"]
mod process;
