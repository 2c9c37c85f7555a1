//! Schema registries with Confluent's interface: which schema an id stands for, and
//! the id of a schema under a subject.
//!
//! An id stands for one schema for ever, so what was fetched once is kept. That an id
//! is unknown is kept for some seconds, so that many records with it cost one request.
//! A registry that cannot be reached is asked again until it can; nothing else is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::http::{self, Backoff};

mod client;
mod settings;
#[cfg(test)]
mod tests;

use client::Connection;
pub use settings::{Authentication, Pem, Settings};

/// How long an id is taken for unknown before it is asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// The most ids that are kept of a kind; there are that many only where ids are made up.
const IDS_MAX: usize = 10_000;

/// Why a registry has not done what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or is busy; it may be there later.
    #[error("{0}")]
    Unavailable(String),
    /// There is no such schema.
    #[error("{0}")]
    NotFound(String),
    /// A person must change something first.
    #[error("{0}")]
    Refused(String),
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Unreachable(why) => Self::Unavailable(why),
            http::Error::Wrong(why) => Self::Refused(why),
        }
    }
}

/// The result of a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The language of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Avro.
    Avro,
    /// JSON Schema.
    Json,
    /// Protobuf.
    Protobuf,
}

impl Language {
    /// What registries call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Avro, Self::Json, Self::Protobuf]
            .into_iter()
            .find(|language| language.name() == name)
    }
}

/// A schema as a registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its language.
    pub language: Language,
    /// Its text.
    pub text: String,
    /// The schemas that it refers to, each behind those that it refers to itself.
    pub references: Vec<Reference>,
}

/// A schema that another one refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What the other one calls it: a type's name, or the name of a file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What is known of an id.
#[derive(Clone, Debug)]
pub enum Known {
    /// It stands for this schema.
    Schema(Arc<Registered>),
    /// The registry does not have it, or has something that is no schema; in a sentence.
    Unknown(Arc<str>),
}

/// A registry, asked by everybody who reads or writes one table.
pub struct Registry {
    settings: Settings,
    /// Made with the first request, which is when secrets are resolved, and anew when one
    /// of them was replaced.
    connection: Mutex<Option<Arc<Connection>>>,
    ids: Mutex<Ids>,
    /// Held while something is fetched, so that what many want is fetched once.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Ids {
    known: HashMap<u32, Arc<Registered>>,
    unknown: HashMap<u32, (Instant, Arc<str>)>,
}

impl Registry {
    /// A registry that is not asked before somebody wants something.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: Mutex::default(),
            ids: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// What is known of an id without asking; `None` if nothing is.
    pub fn known(&self, id: u32) -> Option<Known> {
        let ids = self.ids.lock();
        if let Some(schema) = ids.known.get(&id) {
            return Some(Known::Schema(Arc::clone(schema)));
        }
        let (since, why) = ids.unknown.get(&id)?;
        (since.elapsed() < UNKNOWN_FOR).then(|| Known::Unknown(Arc::clone(why)))
    }

    /// Asks until it is known what an id stands for.
    ///
    /// # Errors
    /// If a person must change something first; never that it cannot be reached.
    pub async fn learn(&self, id: u32) -> Result<()> {
        let _alone = self.fetching.lock().await;
        if self.known(id).is_some() {
            return Ok(());
        }
        let mut question = Question::new(format!("fetch the schema with id {id}"));
        let fetched = loop {
            let connection = self.connection()?;
            let answered = connection.schema(id).await;
            if let Some(fetched) = self.settled(answered, &connection, &mut question).await {
                break fetched;
            }
        };
        let learnt = match fetched {
            Ok(schema) => Ok(Arc::new(schema)),
            Err(Error::NotFound(why)) => Err(Arc::from(why)),
            Err(other) => return Err(other),
        };
        let mut ids = self.ids.lock();
        match learnt {
            Ok(schema) => {
                make_room(&mut ids.known);
                ids.known.insert(id, schema);
            }
            Err(why) => {
                make_room(&mut ids.unknown);
                ids.unknown.insert(id, (Instant::now(), why));
            }
        }
        Ok(())
    }

    /// The id of a schema under a subject, where it is registered if it is not yet there
    /// and `register` allows it.
    ///
    /// # Errors
    /// If a person must change something first, as where the schema is not compatible
    /// with what the subject has; never that it cannot be reached.
    pub async fn id_of(&self, subject: &str, schema: &Registered, register: bool) -> Result<u32> {
        let _alone = self.fetching.lock().await;
        let doing = format!("register the schema of subject '{subject}'");
        let mut question = Question::new(doing);
        loop {
            let connection = self.connection()?;
            let answered = connection.id_of(subject, schema, register).await;
            if let Some(id) = self.settled(answered, &connection, &mut question).await {
                return id;
            }
        }
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        let mut current = self.connection.lock();
        if let Some(connection) = &*current {
            return Ok(Arc::clone(connection));
        }
        let made = Arc::new(Connection::new(&self.settings)?);
        *current = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What has come of a question; `None` if it has to be asked again.
    async fn settled<T>(
        &self,
        answered: Result<T>,
        connection: &Connection,
        question: &mut Question,
    ) -> Option<Result<T>> {
        let error = match answered {
            Err(error @ (Error::Unavailable(_) | Error::Refused(_))) => error,
            other => return Some(other),
        };
        // With the new secret it may go right.
        let is_outdated = connection.is_outdated();
        if is_outdated {
            *self.connection.lock() = None;
        }
        let doing = &question.doing;
        match error {
            Error::Refused(why) if !is_outdated => {
                return Some(Err(Error::Refused(format!("cannot {doing}: {why}"))));
            }
            error => question.backoff.wait(doing, &error.to_string()).await,
        };
        None
    }
}

/// Something that is asked until there is an answer.
struct Question {
    /// What is tried, as in `fetch a schema`.
    doing: String,
    backoff: Backoff,
}

impl Question {
    fn new(doing: String) -> Self {
        Self {
            doing,
            backoff: Backoff::new(None),
        }
    }
}

fn make_room<T>(ids: &mut HashMap<u32, T>) {
    if ids.len() >= IDS_MAX {
        ids.clear();
    }
}
