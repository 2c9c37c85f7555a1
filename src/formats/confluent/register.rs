//! Records with the id of their schema in front, which is registered before the first.

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;

use super::RegistryOptions;
use crate::formats::{EncodedRecords, Encoder, Fetch, FetchError, RowError};
use crate::schema_registry::{Language, Registered, Registry};

/// A schema under its subject; all encoders of a table share one.
pub(super) struct Registration {
    registry: Arc<Registry>,
    subject: String,
    schema: Registered,
    /// Whether it is registered if it is not there yet.
    register: bool,
    /// What stands between the id and the body.
    infix: Vec<u8>,
    id: OnceLock<u32>,
}

impl RegistryOptions {
    /// How the schema of written rows gets its id; `infix` stands between that and a body.
    pub(super) fn registration(
        self,
        language: Language,
        text: String,
        infix: Vec<u8>,
    ) -> Arc<Registration> {
        Arc::new(Registration {
            registry: self.registry,
            subject: self.subject.unwrap_or_default(),
            schema: Registered {
                language,
                text,
                references: Vec::new(),
            },
            register: self.register,
            infix,
            id: OnceLock::new(),
        })
    }
}

impl Registration {
    /// The registry, which also has the schemas of read records.
    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// What stands in front of each body; `None` while the id is not known.
    fn head(&self) -> Option<Vec<u8>> {
        let id = self.id.get()?;
        let mut head = vec![0];
        head.extend_from_slice(&id.to_be_bytes());
        head.extend_from_slice(&self.infix);
        Some(head)
    }

    async fn complete(&self) -> Result<(), FetchError> {
        let Self {
            registry,
            subject,
            schema,
            register,
            ..
        } = self;
        let id = registry.id_of(subject, schema, *register).await;
        let id = id.map_err(|error| FetchError(error.to_string()))?;
        // Another task may have been as quick, and has got the same id.
        self.id.get_or_init(|| id);
        Ok(())
    }
}

/// Puts the head in front of what another encoder writes.
pub(super) struct RegisteredEncoder {
    registration: Arc<Registration>,
    bodies: Box<dyn Encoder>,
    /// Room for them.
    encoded: EncodedRecords,
}

impl RegisteredEncoder {
    pub(super) fn new(registration: &Arc<Registration>, bodies: impl Encoder + 'static) -> Self {
        Self {
            registration: Arc::clone(registration),
            bodies: Box::new(bodies),
            encoded: EncodedRecords::default(),
        }
    }
}

impl Encoder for RegisteredEncoder {
    fn missing(&mut self) -> Option<Fetch> {
        let registration = Arc::clone(&self.registration);
        let is_known = registration.id.get().is_some();
        (!is_known).then(|| -> Fetch { Box::pin(async move { registration.complete().await }) })
    }

    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        let head = self.registration.head();
        let head = head.ok_or_else(|| RowError("the schema is not registered yet".to_owned()))?;
        self.encoded.clear();
        let encoded = self.bodies.encode(records, &mut self.encoded);
        for body in self.encoded.iter() {
            out.push(|out| {
                out.extend_from_slice(&head);
                out.extend_from_slice(body);
                Ok::<_, RowError>(())
            })?;
        }
        encoded
    }
}
