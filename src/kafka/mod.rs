//! The Kafka client: connections, batches of records, transactions and their marker.
//!
//! It knows librdkafka and nothing of rows, tables or checkpoints' contents. Blocking
//! calls of the library are made on threads of their own; records are taken from the
//! library's queue without a thread in between.
//!
//! *Unsafe code* is in `queue.rs` and `native_producer.rs` alone: the library hands over
//! many records at a time, and counts what it sends, only through its C interface.

mod aside;
mod cluster;
mod configuration;
mod consumer;
mod context;
mod error;
mod jaas;
mod login;
mod marker;
mod native_producer;
mod operating;
mod preflight;
mod producer;
mod properties;
mod property_names;
mod queue;
mod token;
mod transaction;
mod trouble;

pub use cluster::{Cluster, Partition};
pub use consumer::{Consumer, Lost, PartitionEnd, Polled};
pub use error::{Error, Result};
pub use marker::Identity;
pub use operating::{NodeTransactions, job_transactions};
pub use producer::{Header, Producer, Record, Refused};
pub use properties::{Properties, PropertyError};
pub use queue::{Message, Messages};
pub use transaction::{Transaction, abort_transaction};
