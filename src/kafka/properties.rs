//! The properties of a client that a table may set: an allow-list.
//!
//! Names are those of Kafka's own (Java) client, as Flink passes them on; the library's
//! names are taken too. Everything else is refused: among the library's properties are
//! some that load code, run commands or read any file.

use std::fs;

use rdkafka::ClientConfig;

use super::{Error, Result};

/// A property that a table may set.
struct Allowed {
    /// Its name in a table.
    name: &'static str,
    /// The library's name.
    library: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Bytes in a table, kilobytes in the library.
    Kilobytes,
    /// Given by reference only.
    Secret,
}

const fn plain(name: &'static str) -> Allowed {
    renamed(name, name)
}

const fn renamed(name: &'static str, library: &'static str) -> Allowed {
    Allowed {
        name,
        library,
        kind: Kind::Plain,
    }
}

const fn secret(name: &'static str, library: &'static str) -> Allowed {
    Allowed {
        name,
        library,
        kind: Kind::Secret,
    }
}

/// All of them.
const ALLOWED: &[Allowed] = &[
    plain("bootstrap.servers"),
    plain("client.id"),
    plain("client.rack"),
    plain("group.id"),
    plain("auto.offset.reset"),
    plain("isolation.level"),
    plain("check.crcs"),
    plain("client.dns.lookup"),
    plain("broker.address.family"),
    plain("connections.max.idle.ms"),
    plain("metadata.max.age.ms"),
    plain("reconnect.backoff.ms"),
    plain("reconnect.backoff.max.ms"),
    plain("retry.backoff.ms"),
    plain("retry.backoff.max.ms"),
    plain("request.timeout.ms"),
    plain("socket.timeout.ms"),
    plain("socket.keepalive.enable"),
    plain("socket.connection.setup.timeout.ms"),
    renamed("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    renamed("send.buffer.bytes", "socket.send.buffer.bytes"),
    // Reading.
    plain("fetch.min.bytes"),
    plain("fetch.max.bytes"),
    renamed("fetch.max.wait.ms", "fetch.wait.max.ms"),
    plain("max.partition.fetch.bytes"),
    plain("queued.min.messages"),
    plain("queued.max.messages.kbytes"),
    // Writing.
    plain("compression.type"),
    plain("compression.level"),
    plain("batch.size"),
    plain("linger.ms"),
    renamed("max.request.size", "message.max.bytes"),
    renamed("delivery.timeout.ms", "message.timeout.ms"),
    plain("transaction.timeout.ms"),
    plain("queue.buffering.max.messages"),
    plain("queue.buffering.max.kbytes"),
    Allowed {
        name: "buffer.memory",
        library: "queue.buffering.max.kbytes",
        kind: Kind::Kilobytes,
    },
    // Who we are, and whom we trust.
    plain("security.protocol"),
    plain("sasl.mechanism"),
    plain("sasl.username"),
    secret("sasl.password", "sasl.password"),
    plain("ssl.endpoint.identification.algorithm"),
    plain("ssl.ca.pem"),
    renamed("ssl.truststore.certificates", "ssl.ca.pem"),
    plain("ssl.certificate.pem"),
    renamed("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    secret("ssl.key.pem", "ssl.key.pem"),
    secret("ssl.keystore.key", "ssl.key.pem"),
    secret("ssl.key.password", "ssl.key.password"),
];

/// Properties that are refused for a reason that a person should know.
const REFUSED: &[(&str, &str)] = &[
    ("plugin.library.paths", "it would load code"),
    ("sasl.kerberos.kinit.cmd", "it would run a command"),
    ("sasl.kerberos.service.name", KERBEROS),
    ("sasl.kerberos.principal", KERBEROS),
    ("sasl.kerberos.keytab", KERBEROS),
    ("sasl.jaas.config", JAAS),
    ("ssl.engine.location", "it would load code"),
    ("ssl.engine.id", "it would load code"),
    ("ssl.providers", "it would load code"),
    ("ssl.ca.location", PEM),
    ("ssl.certificate.location", PEM),
    ("ssl.key.location", PEM),
    ("ssl.keystore.location", PEM),
    ("ssl.truststore.location", PEM),
    ("ssl.crl.location", PEM),
    ("https.ca.location", PEM),
    ("sasl.oauthbearer.token.endpoint.url", URL),
    ("sasl.oauthbearer.jwks.endpoint.url", URL),
    ("sasl.oauthbearer.config", URL),
    ("sasl.login.callback.handler.class", "there is no Java here"),
    ("enable.idempotence", "records are always written once"),
    (
        "enable.auto.commit",
        "positions are kept with the checkpoint",
    ),
    (
        "transactional.id",
        "it is made of the job's and the node's name",
    ),
    ("acks", "records are always written to all in-sync replicas"),
    ("key.serializer", FORMAT),
    ("value.serializer", FORMAT),
    ("key.deserializer", FORMAT),
    ("value.deserializer", FORMAT),
];

const KERBEROS: &str = "Kerberos is not supported";
const JAAS: &str = "there is no Java here; set 'properties.sasl.username' and \
                    'properties.sasl.password'";
const PEM: &str = "it would read any file; give the certificate or key itself, as in \
                   'properties.ssl.ca.pem' = '${file:/etc/ca.pem}'";
const URL: &str = "it would fetch any address";
const FORMAT: &str = "the table's formats say how records are read and written";

/// Why a property cannot be had, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PropertyError(pub String);

/// The properties of one client, by the library's names. Secrets are references until
/// a client is made.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: Vec<(String, String)>,
}

impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.values.iter().map(|(name, _)| name).collect();
        write!(f, "Properties({names:?})")
    }
}

impl Properties {
    /// Takes a property of a table in (`properties.` is gone from its name).
    ///
    /// # Errors
    /// If it is not in the allow-list, or is a secret in the open.
    pub fn allow(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            return Err(PropertyError(format!("cannot be set: {why}")));
        }
        let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.name == name) else {
            return Err(PropertyError(
                "is not one of the properties that a table may set".to_owned(),
            ));
        };
        let mut value = match (name, value) {
            ("auto.offset.reset", "none") => "error".to_owned(),
            _ => value.to_owned(),
        };
        match allowed.kind {
            Kind::Plain => {}
            Kind::Secret if is_reference(&value) => {}
            Kind::Secret => {
                return Err(PropertyError(
                    "is a secret; give a reference such as '${env:NAME}' or '${file:PATH}'"
                        .to_owned(),
                ));
            }
            Kind::Kilobytes => {
                let bytes: u64 = value
                    .trim()
                    .parse()
                    .map_err(|_| PropertyError(format!("'{value}' is not a number of bytes")))?;
                value = bytes.div_ceil(1_024).to_string();
            }
        }
        self.set(allowed.library, &value);
        Ok(())
    }

    /// Sets a property by the library's name, past the allow-list.
    pub(super) fn set(&mut self, library: &str, value: &str) {
        self.values.retain(|(known, _)| known != library);
        self.values.push((library.to_owned(), value.to_owned()));
    }

    /// The value of a property by the library's name, as it was given.
    pub fn get(&self, library: &str) -> Option<&str> {
        let mut values = self.values.iter();
        values.find_map(|(name, value)| (name == library).then_some(value.as_str()))
    }

    /// Checks every value with the library, without secrets and without a connection.
    ///
    /// # Errors
    /// The library's words on the first value that it does not take.
    pub fn check(&self) -> Result<(), PropertyError> {
        let mut config = ClientConfig::new();
        let open = self.values.iter().filter(|(_, value)| !is_reference(value));
        for (name, value) in open.filter(|(name, _)| !name.starts_with("ssl.")) {
            config.set(name, value);
        }
        match config.create_native_config() {
            Ok(_) => Ok(()),
            Err(error) => Err(PropertyError(error.to_string())),
        }
    }

    /// The configuration with its secrets, for a client that is made now.
    pub(super) fn client_config(&self) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        for (name, value) in &self.values {
            config.set(name, resolve(name, value)?);
        }
        config.set("log_level", "4");
        Ok(config)
    }
}

/// Sets what was not given.
pub(super) fn set_default(config: &mut ClientConfig, key: &str, value: &str) {
    if config.get(key).is_none() {
        config.set(key, value);
    }
}

fn is_reference(value: &str) -> bool {
    reference(value).is_some()
}

/// `${kind:name}` as its two parts.
fn reference(value: &str) -> Option<(&str, &str)> {
    let inside = value.strip_prefix("${")?.strip_suffix('}')?;
    let (kind, name) = inside.split_once(':')?;
    matches!(kind, "env" | "file").then_some((kind, name))
}

/// The value behind a reference; no error tells it.
fn resolve(property: &str, value: &str) -> Result<String> {
    let missing =
        |why: String| Error::Fatal(format!("cannot resolve 'properties.{property}': {why}"));
    match reference(value) {
        Some(("env", name)) => {
            std::env::var(name).map_err(|_| missing(format!("{name} is not set")))
        }
        Some((_, path)) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| missing(format!("{path}: {error}")))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dangerous_is_refused() {
        for (name, _) in REFUSED {
            let mut properties = Properties::default();
            let error = properties.allow(name, "/tmp/x").unwrap_err();
            assert!(error.0.starts_with("cannot be set: "), "{name}: {error}");
            assert_eq!(properties, Properties::default(), "{name}");
            let is_allowed = ALLOWED.iter().any(|allowed| allowed.name == *name);
            assert!(!is_allowed, "{name}");
        }
        // Whatever the library adds is refused until somebody has looked at it.
        for name in [
            "interceptor.classes",
            "debug",
            "dr_cb",
            "",
            "ssl.new.location",
        ] {
            let error = Properties::default().allow(name, "x").unwrap_err();
            assert!(error.0.starts_with("is not one of"), "{name}: {error}");
        }
        // No name leads to a property that is refused.
        for allowed in ALLOWED {
            let refused = REFUSED.iter().any(|(name, _)| *name == allowed.library);
            assert!(!refused, "{} is {}", allowed.name, allowed.library);
            let reads_files = allowed.library.ends_with(".location");
            assert!(!reads_files, "{}", allowed.name);
        }
    }

    #[test]
    fn the_library_knows_every_name() {
        for allowed in ALLOWED {
            let mut config = ClientConfig::new();
            config.set(allowed.library, "x");
            let error = config.create_native_config().err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!text.contains("No such"), "{}: {text}", allowed.library);
        }
        let mut unknown = ClientConfig::new();
        unknown.set("no.such.property", "x");
        let error = unknown.create_native_config().err().unwrap().to_string();
        assert!(error.contains("No such"), "{error}");
    }

    #[test]
    fn secrets_are_references_and_are_not_shown() {
        let mut properties = Properties::default();
        assert!(properties.allow("sasl.password", "canary").is_err());
        properties.allow("sasl.password", "${env:PATH}").unwrap();
        properties.allow("sasl.username", "me").unwrap();
        assert!(!format!("{properties:?}").contains("env"));
        let config = properties.client_config().unwrap();
        assert_eq!(
            config.get("sasl.password"),
            std::env::var("PATH").ok().as_deref()
        );

        properties
            .allow("sasl.password", "${env:NO_SUCH_NAME}")
            .unwrap();
        let error = properties.client_config().unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot resolve 'properties.sasl.password': NO_SUCH_NAME is not set"
        );
    }

    #[test]
    fn values_are_checked_by_the_library() {
        let mut properties = Properties::default();
        properties
            .allow("bootstrap.servers", "localhost:9092")
            .unwrap();
        properties.allow("linger.ms", "20").unwrap();
        properties.allow("buffer.memory", "33554432").unwrap();
        assert_eq!(properties.get("queue.buffering.max.kbytes"), Some("32768"));
        properties.check().unwrap();
        properties.allow("linger.ms", "soon").unwrap();
        assert!(properties.check().is_err());
        assert!(properties.allow("buffer.memory", "much").is_err());
    }
}
