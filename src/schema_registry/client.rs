//! The requests that a registry takes and what its answers mean.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Deserialize;
use serde_json::json;

use super::{Error, Language, Reference, Registered, Result, Settings};
use crate::http::{Answer, Base, Client, Request};
use crate::secret::Source;

/// The media type of all bodies.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The most schemas that one may refer to, directly or through others.
const REFERENCES_MAX: usize = 200;

/// What a registry says with status 404: a subject, a version or a schema is not there.
/// With another code, or none, something else says so.
const NOT_FOUND: RangeInclusive<i64> = 40_400..=40_499;

/// A client with the addresses of its registry.
pub(super) struct Connection {
    client: Client,
    addresses: Vec<Base>,
    /// Which address has answered last.
    current: AtomicUsize,
    /// Whether any has ever answered as a registry does. Afterwards an answer that no
    /// registry gives is one of something that stands in for it for now.
    is_known: AtomicBool,
    /// Where its secrets came from.
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(rename = "schemaType")]
    language: Option<String>,
    #[serde(default)]
    references: Vec<ReferenceAnswer>,
}

#[derive(Clone, Deserialize)]
struct ReferenceAnswer {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

#[derive(Default, Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    message: String,
}

impl Connection {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let resolved = settings.resolve()?;
        Ok(Self {
            client: Client::new(&resolved.tls, &resolved.credentials)?,
            sources: resolved.sources,
            addresses: settings.addresses.clone(),
            current: AtomicUsize::new(0),
            is_known: AtomicBool::new(false),
        })
    }

    /// Whether a secret was replaced since it was read.
    pub(super) fn is_outdated(&self) -> bool {
        self.sources.iter().any(Source::has_changed)
    }

    /// The schema that an id stands for.
    pub(super) async fn schema(&self, id: u32) -> Result<Registered> {
        let what = format!("the registry has no schema with id {id}");
        let path = ["schemas", "ids", &id.to_string()];
        let answer: SchemaAnswer = self.ask(&path, None, &what).await?;
        self.with_references(answer).await
    }

    /// The id of a schema under a subject.
    pub(super) async fn id_of(
        &self,
        subject: &str,
        schema: &Registered,
        register: bool,
    ) -> Result<u32> {
        let body = json!({ "schema": schema.text, "schemaType": schema.language.name() });
        let body = body.to_string();
        let path = ["subjects", subject, "versions"];
        let path = if register { &path[..] } else { &path[..2] };
        let what = format!(
            "subject '{subject}' has no such schema, and 'auto.register.schemas' is 'false': \
             {}",
            schema.text
        );
        let answered = self.ask(path, Some(&body), &what).await;
        match answered {
            Ok(IdAnswer { id }) => Ok(id),
            // Nobody can write without an id.
            Err(Error::NotFound(why)) => Err(Error::Refused(why)),
            Err(error) => Err(error),
        }
    }

    /// A schema with those that it refers to, each behind those that it refers to itself.
    async fn with_references(&self, answer: SchemaAnswer) -> Result<Registered> {
        let language = match answer.language.as_deref() {
            None => Some(Language::Avro),
            Some(name) => Language::of(name),
        };
        let language = language.ok_or_else(|| {
            let name = answer.language.unwrap_or_default();
            Error::NotFound(format!("the registry has a schema in the language {name}"))
        })?;
        // Depth first without recursion: a schema is done when its own references are.
        let mut seen = HashSet::new();
        let mut references = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        open.push(Open::root(answer.references));
        while let Some(current) = open.last_mut() {
            let Some(next) = current.waiting.pop() else {
                references.extend(open.pop().and_then(|done| done.reference));
                continue;
            };
            if !seen.insert((next.subject.clone(), next.version)) {
                continue;
            }
            if seen.len() > REFERENCES_MAX {
                let many = format!("the schema refers to more than {REFERENCES_MAX} others");
                return Err(Error::NotFound(many));
            }
            let (subject, version) = (next.subject, next.version.to_string());
            let what = format!("the registry has no version {version} of subject '{subject}'");
            let path = ["subjects", &subject, "versions", &version];
            let answer: SchemaAnswer = self.ask(&path, None, &what).await?;
            open.push(Open {
                reference: Some(Reference {
                    name: next.name,
                    text: answer.schema,
                }),
                waiting: reversed(answer.references),
            });
        }
        Ok(Registered {
            language,
            text: answer.schema,
            references,
        })
    }

    /// Asks the address that has answered last, and the others if it does not.
    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        path: &[&str],
        body: Option<&str>,
        not_found: &str,
    ) -> Result<T> {
        let first = self.current.load(Ordering::Relaxed);
        let mut unavailable = None;
        for place in 0..self.addresses.len() {
            let place = (first + place) % self.addresses.len();
            let Some(base) = self.addresses.get(place) else {
                continue;
            };
            let request = Request {
                base,
                path,
                query: &[],
                body,
                media_type: MEDIA_TYPE,
            };
            let answer = match self.client.send(request).await.map_err(Error::from) {
                Ok(answer) => understood(base, &answer, not_found),
                Err(error) => Understood::Failed(error),
            };
            let is_known = self.is_known.load(Ordering::Relaxed);
            let answered = match answer {
                Understood::Answer(answer) => Ok(answer),
                Understood::Failed(error) => Err(error),
                Understood::Foreign(why) if is_known => Err(Error::Unavailable(why)),
                Understood::Foreign(why) => Err(Error::Refused(why)),
            };
            if let Err(error @ Error::Unavailable(_)) = answered {
                unavailable = Some(error);
                continue;
            }
            self.current.store(place, Ordering::Relaxed);
            let knows = matches!(answered, Ok(_) | Err(Error::NotFound(_)));
            self.is_known.fetch_or(knows, Ordering::Relaxed);
            return answered;
        }
        let nowhere = || Error::Refused("the registry has no address".to_owned());
        Err(unavailable.unwrap_or_else(nowhere))
    }
}

/// A schema whose references are being fetched.
struct Open {
    reference: Option<Reference>,
    waiting: Vec<ReferenceAnswer>,
}

impl Open {
    fn root(references: Vec<ReferenceAnswer>) -> Self {
        Self {
            reference: None,
            waiting: reversed(references),
        }
    }
}

fn reversed(mut references: Vec<ReferenceAnswer>) -> Vec<ReferenceAnswer> {
    references.reverse();
    references
}

/// What an answer says.
enum Understood<T> {
    Answer(T),
    Failed(Error),
    /// It is no registry's.
    Foreign(String),
}

fn understood<T: for<'de> Deserialize<'de>>(
    base: &Base,
    answer: &Answer,
    not_found: &str,
) -> Understood<T> {
    if (200..300).contains(&answer.status) {
        return match serde_json::from_slice(&answer.body) {
            Ok(answer) => Understood::Answer(answer),
            Err(error) => Understood::Foreign(format!(
                "the answer of {base} is not a schema registry's: {error}"
            )),
        };
    }
    let error: ErrorAnswer = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = if error.message.is_empty() {
        format!("{base} answers with status {}", answer.status)
    } else {
        format!(
            "{base} answers with status {}: {}",
            answer.status, error.message
        )
    };
    Understood::Failed(match answer.status {
        404 if !NOT_FOUND.contains(&error.error_code) => {
            return Understood::Foreign(format!(
                "{said}; it is not a schema registry, or its address needs a path such as \
                 '/apis/ccompat/v7'"
            ));
        }
        404 => Error::NotFound(not_found.to_owned()),
        401 | 403 => Error::Refused(format!(
            "{said}; check 'basic-auth.user-info' or 'bearer-auth.token' and what the user may do"
        )),
        409 => Error::Refused(format!(
            "{said}. Readers of the subject's earlier schemas could not read the rows: declare \
             the columns so that the schemas are compatible (a new column must be nullable), \
             write to another subject, or change the compatibility of this one"
        )),
        408 | 425 | 429 | 500.. => Error::Unavailable(said),
        _ => Error::Refused(said),
    })
}
