//! What the library says besides answering: log lines and troubles of connections.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use super::{Error, Result};

/// Hears what one client says.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// Which client it is, for people.
    name: Arc<str>,
    trouble: Arc<Mutex<Option<Error>>>,
}

impl Context {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            trouble: Arc::default(),
        }
    }

    /// The first failure that no call has told, if there is one. It stays.
    pub fn check(&self) -> Result<()> {
        match &*self.trouble.lock() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn failed(&self, error: Error) {
        self.trouble.lock().get_or_insert(error);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, _: &str, message: &str) {
        let name = &*self.name;
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::debug!(client = name, "{message}"),
            _ => tracing::trace!(client = name, "{message}"),
        }
    }

    /// The library goes on trying by itself, unless nothing can come of it.
    fn error(&self, error: KafkaError, reason: &str) {
        let doing = format!("reach the brokers for {}", self.name);
        let code = error.rdkafka_error_code();
        let found = code.map(|code| Error::of_code(&doing, code, reason));
        if let Some(fatal @ Error::Fatal(_)) = found {
            self.failed(fatal);
        } else {
            tracing::warn!(client = &*self.name, "{reason}");
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    /// Only failures are reported (`delivery.report.only.error`).
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed(Error::of("write a record", error));
        }
    }
}
