//! What the library says and asks besides answering: log lines, troubles of connections,
//! and where the token is.

use std::error::Error as StdError;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::login::Login;
use super::token::Token;
use super::trouble::{Heard, Trouble};
use super::{Error, Result};
use crate::clock;
use crate::secret::Source;

/// How long the thread that hears a consumer may outlive it.
const HEARING: Duration = Duration::from_millis(500);

/// How long the first answer may take, and the later ones. Who may not log in is told so at
/// once, but hears it only behind the first question.
const PATIENCE_FIRST: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// How long a question is repeated to which the cluster has no answer yet, and how soon.
const RETRY_PATIENCE: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long it is worth telling what was heard of connections.
const MEMORY: Duration = Duration::from_mins(1);

/// How soon the same is said again.
const REPEAT: Duration = Duration::from_secs(30);

/// How long what another thread has heard may take to be noted.
const OVERTAKEN: Duration = Duration::from_millis(200);

/// Hears what one client says.
#[derive(Clone)]
pub(super) struct Context {
    client: Arc<Client>,
}

struct Client {
    /// Which client it is, for people.
    name: String,
    login: Login,
    /// Where its secrets came from.
    sources: Vec<Source>,
    heard: Mutex<Memory>,
    failed: Condvar,
}

#[derive(Default)]
struct Memory {
    /// The first failure that no call has told.
    failure: Option<Error>,
    /// Why a connection was closed last, and when.
    closed: Option<(String, Instant)>,
    /// What was said of late, and when.
    said: Vec<(String, Instant)>,
    token: TokenMemory,
    /// Whether the user may not use the client's group.
    group_is_refused: bool,
    /// Why the open transaction can no longer be committed.
    transaction_failure: Option<Error>,
}

/// What is known of the tokens that the library was given.
#[derive(Default)]
struct TokenMemory {
    /// When the last one stops to hold.
    expires_at_ms: Option<i64>,
    /// When it took the place of another.
    renewed: Option<Instant>,
    was_given: bool,
}

impl TokenMemory {
    /// Whether what a broker refuses may have been a token that has had its time.
    fn may_be_old(&self) -> bool {
        let has_expired = self
            .expires_at_ms
            .is_some_and(|at| at <= clock::now().millis());
        let renewed = self.renewed.is_some_and(|at| at.elapsed() < REPEAT);
        has_expired || renewed
    }
}

impl Context {
    pub fn new(name: &str, login: Login, sources: Vec<Source>) -> Self {
        Self {
            client: Arc::new(Client {
                name: name.to_owned(),
                login,
                sources,
                heard: Mutex::default(),
                failed: Condvar::new(),
            }),
        }
    }

    /// The first failure that no call has told, if there is one. It stays.
    pub fn check(&self) -> Result<()> {
        match &self.client.heard.lock().failure {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// The answer to a question, which is asked again while there may be one soon. It blocks;
    /// `doing` says what is tried, as in `read the partitions of 'orders'`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ask<T>(&self, doing: &str, question: impl Fn(Duration) -> KafkaResult<T>) -> Result<T> {
        let deadline = Instant::now() + RETRY_PATIENCE;
        let mut patience = PATIENCE_FIRST;
        loop {
            let error = match question(patience) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            patience = (patience * 2).min(PATIENCE_MAX);
            // Why nobody answers may be heard meanwhile.
            self.wait(RETRY_PAUSE)?;
            match Error::of(doing, &error) {
                // A broker may be starting, or take over from another.
                Error::Retryable(_) if Instant::now() < deadline => {}
                error => return Err(self.explain(error)),
            }
        }
    }

    /// Waits for a while, or until there is a failure that no call has told.
    fn wait(&self, patience: Duration) -> Result<()> {
        let mut heard = self.client.heard.lock();
        if heard.failure.is_none() {
            self.client.failed.wait_for(&mut heard, patience);
        }
        drop(heard);
        self.check()
    }

    /// A failure of a call, with what was heard of connections at that time.
    pub fn explain(&self, error: Error) -> Error {
        let closed = self.client.heard.lock().closed.clone();
        match (error, closed) {
            (Error::Retryable(why), Some((closed, at))) if at.elapsed() < MEMORY => {
                Error::Retryable(format!("{why}; {closed}"))
            }
            (error, _) => error,
        }
    }

    /// Whether the broker has said that the user may not use the client's group.
    pub fn is_group_refused(&self) -> bool {
        self.client.heard.lock().group_is_refused
    }

    /// Why the transaction failed whose records have just been dropped. The library has told
    /// it before, but maybe to another thread.
    fn transaction_failure(&self) -> Option<Error> {
        let mut heard = self.client.heard.lock();
        if heard.failure.is_none() && heard.transaction_failure.is_none() {
            self.client.failed.wait_for(&mut heard, OVERTAKEN);
        }
        heard.transaction_failure.clone()
    }

    /// A record of a topic was not written.
    pub fn not_written(&self, topic: &str, code: RDKafkaErrorCode) {
        let is_purged = matches!(
            code,
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight
        );
        let because = is_purged.then(|| self.transaction_failure()).flatten();
        let doing = format!("write a record to '{topic}'");
        self.failed(because.unwrap_or_else(|| Error::of_code(&doing, code, &code.to_string())));
    }

    fn failed(&self, error: Error) {
        self.client.heard.lock().failure.get_or_insert(error);
        self.client.failed.notify_all();
    }

    /// Tells people, unless they have just been told.
    fn say(&self, what: &str) {
        let mut heard = self.client.heard.lock();
        heard.said.retain(|(_, at)| at.elapsed() < REPEAT);
        if heard.said.iter().all(|(said, _)| said != what) {
            heard.said.push((what.to_owned(), Instant::now()));
            tracing::warn!(client = self.client.name, "{what}");
        }
    }

    /// What trouble of a connection means.
    fn judge(&self, code: Option<RDKafkaErrorCode>, text: &str) -> Trouble {
        let heard = Heard {
            code,
            text,
            login: &self.client.login,
            token_may_be_old: self.client.heard.lock().token.may_be_old(),
        };
        heard.judge()
    }

    fn close(&self, why: String) {
        self.client.heard.lock().closed = Some((why, Instant::now()));
    }
}

/// Hears a consumer on a thread of its own as long as it is there: its token must be renewed
/// also while nobody asks it anything, and while it keeps who asks waiting.
pub(super) fn hear(consumer: &Arc<BaseConsumer<Context>>) -> Result<()> {
    let consumer = Arc::downgrade(consumer);
    let heard = thread::Builder::new().name("kafka hears".to_owned());
    let heard = heard.spawn(move || {
        while let Some(consumer) = Weak::upgrade(&consumer) {
            // Errors are told to the context, and nothing else comes here.
            let _ = consumer.poll(HEARING);
        }
    });
    let failed = |error| Error::Retryable(format!("cannot start a thread: {error}"));
    heard.map(drop).map_err(failed)
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let name = &*self.client.name;
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::debug!(client = name, "{message}");
                // Records that fail with the transaction do not say why.
                if facility == "TXNERR" {
                    let failure = Error::of_transaction(message);
                    self.client.heard.lock().transaction_failure = Some(failure);
                    self.client.failed.notify_all();
                }
            }
            // That a broker has closed a connection is no error for the library.
            _ if facility == "FAIL" => {
                tracing::debug!(client = name, "{message}");
                let (_, text) = message.split_once("]: ").unwrap_or(("", message));
                let (Trouble::Fatal(why) | Trouble::Passing(why)) = self.judge(None, text);
                self.close(why);
            }
            RDKafkaLogLevel::Warning => tracing::debug!(client = name, "{message}"),
            _ => tracing::trace!(client = name, "{message}"),
        }
    }

    /// The library goes on trying by itself, unless nothing can come of it.
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            if self.check().is_ok() {
                let closed = self.client.heard.lock().closed.clone();
                let why = closed.map_or_else(|| reason.to_owned(), |(why, _)| why);
                self.say(&why);
            }
            return;
        }
        let name = &self.client.name;
        if code == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            // The library asks who coordinates the group, though who reads joins none.
            tracing::debug!(client = name, "{reason}");
            self.client.heard.lock().group_is_refused = true;
            return;
        }
        match self.judge(code, reason) {
            Trouble::Fatal(why) => {
                let why = format!("cannot reach the brokers for {name}: {why}");
                let mut sources = self.client.sources.iter();
                self.failed(match sources.find(|source| source.has_changed()) {
                    // Another client reads what is there now.
                    Some(source) => Error::Retryable(format!("{why}; {source} was replaced")),
                    None => Error::Fatal(why),
                });
            }
            Trouble::Passing(why) => {
                self.say(&why);
                self.close(why);
            }
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn StdError>> {
        let place = self.client.login.token.as_ref();
        let place = place.ok_or("no token was given")?;
        let now_ms = clock::now().millis();
        let token = Token::read(place, now_ms)?;
        let mut heard = self.client.heard.lock();
        heard.token = TokenMemory {
            expires_at_ms: token.expires_at_ms,
            renewed: heard.token.was_given.then(Instant::now),
            was_given: true,
        };
        drop(heard);
        tracing::debug!(client = self.client.name, "a token was read");
        Ok(OAuthToken {
            token: token.text.reveal().to_owned(),
            principal_name: token.principal.clone(),
            lifetime_ms: token.lifetime_ends_at_ms(now_ms),
        })
    }
}

impl ConsumerContext for Context {}
