//! The binary with real services, which the project's own scripts start.

mod broker;
#[cfg(feature = "campaign")]
mod kafka_brokers;
mod kafka_chain;
mod kafka_formats;
mod kafka_kills;
mod kafka_logins;
mod kafka_metadata;
#[cfg(feature = "failpoints")]
mod kafka_network;
#[cfg(feature = "failpoints")]
mod kafka_operating;
mod kafka_oracle;
#[cfg(feature = "failpoints")]
mod kafka_outbox;
mod kafka_ownership;
mod kafka_rights;
mod kafka_secrets;
mod kafka_sink;
mod kafka_source;
#[cfg(feature = "failpoints")]
mod kafka_steps;
mod kafka_tokens;
#[cfg(feature = "failpoints")]
mod kafka_upsert;
#[expect(dead_code, reason = "the tests of the binary alone use the rest")]
#[path = "../node/process.rs"]
mod process;
#[cfg(feature = "failpoints")]
mod proxy;
mod registry;
mod secured;
