//! Thalweg: stateful stream processing with Flink SQL in one binary.
//!
//! The folder tree is the architecture; `ARCHITECTURE.md` is its map. Layers
//! point down only, and `tests/tidy` fails on an import that points up.

pub mod api;
pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connectors;
pub mod expr;
pub mod failpoint;
pub mod formats;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod operators;
pub mod pipeline;
pub mod plan;
pub mod runtime;
pub mod schema_registry;
pub mod secret;
pub mod sql;
pub mod state;
pub mod stream;

/// Makes the build depend on the place of the checkout: `.cargo/config.toml` says why.
const _: Option<&str> = option_env!("THALWEG_CHECKOUT");
