//! HTTP clients of other services, and the only place that names the library.
//!
//! TLS is by rustls with ring; the system's certificate authorities are trusted unless
//! others are named. Nothing is redirected, as a redirect would carry credentials to an
//! address that nobody has named, and no answer is longer than it may be.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Url};

use crate::secret::Secret;

mod retry;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use retry::Backoff;

/// How long it may take until a connection is made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a whole request may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(20);

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The service cannot be reached or does not answer in time; it may later.
    #[error("{0}")]
    Unreachable(String),
    /// A person must change something first.
    #[error("{0}")]
    Wrong(String),
}

/// Who we are to a service.
#[derive(Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// `user:password`.
    Basic(Secret),
    /// A token.
    Bearer(Secret),
}

/// Whom a client trusts and who it is, as PEM text.
#[derive(Default)]
pub struct Tls {
    /// The authorities that are trusted instead of the system's.
    pub authorities: Option<String>,
    /// The client's certificate chain with its key.
    pub identity: Option<Secret>,
}

/// A client of one service.
pub struct Client {
    library: reqwest::Client,
    authorization: Option<HeaderValue>,
}

/// What a service is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where the service is.
    pub base: &'a Base,
    /// The parts of the path below that, which may hold any characters.
    pub path: &'a [&'a str],
    /// What stands behind the `?`.
    pub query: &'a [(&'a str, &'a str)],
    /// The body of a `POST`; without one it is a `GET`.
    pub body: Option<&'a str>,
    /// The media type of bodies.
    pub media_type: &'static str,
}

/// The address of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

/// What a service has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Base {
    /// The address that `text` names.
    ///
    /// # Errors
    /// If it is no `http://` or `https://` address, or holds a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("'{text}' is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("'{text}' begins with neither http:// nor https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not hold a user or a password".to_owned());
        }
        Ok(Self(url))
    }

    fn with(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Client {
    /// A client that makes its first connection with its first request.
    ///
    /// # Errors
    /// If a certificate or the credentials are malformed.
    pub fn new(tls: &Tls, credentials: &Credentials) -> Result<Self, Error> {
        let wrong = |what: &str, error: &dyn std::error::Error| {
            Error::Wrong(format!("{what} cannot be used: {}", causes(error)))
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("thalweg/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(REQUEST_PATIENCE);
        if let Some(pem) = &tls.authorities {
            let trusted = Certificate::from_pem_bundle(pem.as_bytes());
            let trusted = trusted.map_err(|error| wrong("the trusted certificates", &error))?;
            if trusted.is_empty() {
                let none = "the trusted certificates cannot be used: there is none in PEM form";
                return Err(Error::Wrong(none.to_owned()));
            }
            builder = builder.tls_built_in_root_certs(false);
            for certificate in trusted {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if let Some(pem) = &tls.identity {
            // The library's own words may show a part of the key.
            let unusable = "the client's certificate and key cannot be used: give both in PEM \
                            form, the key without a password";
            let identity = Identity::from_pem(pem.reveal().as_bytes());
            builder = builder.identity(identity.map_err(|_| Error::Wrong(unusable.to_owned()))?);
        }
        let library = builder.build();
        Ok(Self {
            library: library.map_err(|error| wrong("the settings of TLS", &error))?,
            authorization: credentials.header()?,
        })
    }

    /// Asks once.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, Error> {
        let url = request.base.with(request.path, request.query);
        let failed = |error: reqwest::Error| {
            Error::Unreachable(format!(
                "{}: {}",
                request.base,
                causes(&error.without_url())
            ))
        };
        let mut sent = match request.body {
            None => self.library.get(url),
            Some(body) => self
                .library
                .post(url)
                .header(CONTENT_TYPE, request.media_type)
                .body(body.to_owned()),
        };
        sent = sent.header(ACCEPT, request.media_type);
        if let Some(authorization) = &self.authorization {
            sent = sent.header(AUTHORIZATION, authorization);
        }
        let mut response = sent.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::Wrong(format!(
                    "{}: the answer has more than {ANSWER_BYTES_MAX} bytes",
                    request.base
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

impl Credentials {
    fn header(&self) -> Result<Option<HeaderValue>, Error> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic(pair) => format!("Basic {}", STANDARD.encode(pair.reveal())),
            Self::Bearer(token) => format!("Bearer {}", token.reveal()),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::Wrong("the credentials have characters that no header may have".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// An error with what has caused it: the library alone says no more than that a request
/// has failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
