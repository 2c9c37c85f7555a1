//! The properties that a table has given a client. Secrets in them are references until a
//! client is made.

use super::Result;
use super::configuration::Configuration;
use super::jaas;
use super::login::Login;
use super::property_names::{self as names, Kind};
use crate::secret::{Reference, WANTED};

/// Why a property cannot be had, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PropertyError(pub String);

/// The properties of one client, by the library's names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    given: Vec<Given>,
    /// How the mechanism must begin that fits a login module.
    mechanism: Option<&'static str>,
}

/// A value as it was given.
#[derive(Clone, PartialEq, Eq)]
struct Given {
    library: String,
    /// Its name in the table.
    name: String,
    text: String,
}

impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.given.iter().map(|one| &one.library).collect();
        write!(f, "Properties({names:?})")
    }
}

/// The library's default of it.
const RECORD_BYTES_MAX: usize = 1_000_000;

impl Properties {
    /// Takes a property of a table in (`properties.` is gone from its name).
    ///
    /// # Errors
    /// If a table may not set it, or it is a secret in the open.
    pub fn allow(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        let allowed = names::find(name).map_err(PropertyError)?;
        let refused = |why: &str| Err(PropertyError(why.to_owned()));
        if value.contains('\0') {
            return refused("holds a zero byte");
        }
        let reference = Reference::parse(value);
        let has_reference = value.contains("${env:") || value.contains("${file:");
        match allowed.kind {
            Kind::Jaas if reference.is_none() => return self.allow_jaas(value),
            Kind::Secret | Kind::Token | Kind::Jaas if reference.is_none() => {
                return refused(WANTED);
            }
            Kind::Text if has_reference && reference.is_none() => {
                return refused("a reference such as '${env:NAME}' must be the whole value");
            }
            Kind::Plain | Kind::Kilobytes | Kind::StoreType if has_reference => {
                return refused(
                    "takes no reference; '${NAME}' stands for a variable of the environment",
                );
            }
            Kind::StoreType if value.eq_ignore_ascii_case("PEM") => return Ok(()),
            Kind::StoreType => {
                return refused(
                    "only 'PEM' is supported; take certificates and keys out of the key store \
                     with keytool and openssl",
                );
            }
            _ => {}
        }
        let value = match (name, value) {
            ("auto.offset.reset", "none") => "error".to_owned(),
            ("ssl.endpoint.identification.algorithm", "") => "none".to_owned(),
            _ if allowed.kind == Kind::Kilobytes => kilobytes(value)?,
            _ => value.to_owned(),
        };
        if reference.is_none() {
            let mut configuration = Configuration::new(Login::default());
            configuration.set(allowed.library, &value);
            let checked = configuration.check();
            checked.map_err(|why| PropertyError(format!("cannot be '{value}': {why}")))?;
        }
        self.give(allowed.library, name, value)
    }

    /// Takes in what a login module says.
    fn allow_jaas(&mut self, line: &str) -> Result<(), PropertyError> {
        match jaas::parse(line, true).map_err(PropertyError)? {
            jaas::Module::Token => self.mechanism = Some("OAUTHBEARER"),
            jaas::Module::Password {
                mechanism,
                username,
                password,
            } => {
                self.mechanism = Some(mechanism);
                for (library, value) in [(names::USERNAME, username), (names::PASSWORD, password)] {
                    self.give(library, names::JAAS, value.reveal().to_owned())?;
                }
            }
        }
        Ok(())
    }

    fn give(&mut self, library: &str, name: &str, text: String) -> Result<(), PropertyError> {
        if let Some(other) = self.given.iter().find(|one| one.library == library) {
            let other = &other.name;
            return Err(PropertyError(format!(
                "says the same as 'properties.{other}'; give one of them"
            )));
        }
        self.given.push(Given {
            library: library.to_owned(),
            name: name.to_owned(),
            text,
        });
        Ok(())
    }

    /// Sets a property by the library's name, past the allow-list.
    pub(super) fn set(&mut self, library: &str, value: &str) {
        self.given.retain(|one| one.library != library);
        self.given.push(Given {
            library: library.to_owned(),
            name: library.to_owned(),
            text: value.to_owned(),
        });
    }

    /// How long the client lets a record be.
    pub fn record_bytes_max(&self) -> usize {
        let given = self.get("message.max.bytes");
        let given = given.and_then(|text| text.parse().ok());
        given.unwrap_or(RECORD_BYTES_MAX)
    }

    /// The value of a property by the library's name, as it was given.
    pub fn get(&self, library: &str) -> Option<&str> {
        let mut given = self.given.iter();
        given.find_map(|one| (one.library == library).then_some(one.text.as_str()))
    }

    /// How the mechanism must begin that fits a login module, if one is given.
    pub(super) fn module_mechanism(&self) -> Option<&'static str> {
        self.mechanism
    }

    /// Whether who logs in, and whom it trusts, is the same as with others.
    pub fn has_login_of(&self, other: &Self) -> bool {
        let login = |properties: &Self| {
            let of_login = |one: &&Given| {
                let parts = ["security.", "sasl.", "ssl."];
                parts.iter().any(|part| one.library.starts_with(part))
            };
            let given = properties.given.iter().filter(of_login);
            let mut given: Vec<_> = given
                .map(|one| (one.library.clone(), one.text.clone()))
                .collect();
            given.sort();
            given
        };
        login(self) == login(other)
    }

    /// Takes over what others say about writing.
    ///
    /// # Errors
    /// If both say something about one property, and not the same.
    pub fn write_also_as(&mut self, other: &Self) -> Result<(), PropertyError> {
        let writes = |one: &&Given| names::WRITING.contains(&one.library.as_str());
        for theirs in other.given.iter().filter(writes) {
            let own = self.given.iter().find(|one| one.library == theirs.library);
            let Some(own) = own else {
                self.given.push(theirs.clone());
                continue;
            };
            if own.text != theirs.text {
                return Err(PropertyError(format!(
                    "'properties.{}' cannot be both '{}' and '{}'",
                    theirs.name, own.text, theirs.text
                )));
            }
        }
        Ok(())
    }

    /// Checks what they say together, without secrets and without a connection.
    ///
    /// # Errors
    /// If parts are missing or would not be used.
    pub fn check(&self) -> Result<(), PropertyError> {
        Login::of(self).map(drop).map_err(PropertyError)
    }

    /// The configuration with its secrets, for a client that is made now.
    pub(super) fn configuration(&self) -> Result<Configuration> {
        let login = Login::of(self).map_err(super::Error::Fatal)?;
        let mut configuration = Configuration::new(login);
        let mut references = Vec::new();
        for one in &self.given {
            match Reference::parse(&one.text) {
                Some(reference) => references.push((&one.library, reference)),
                None => configuration.set(&one.library, &one.text),
            }
        }
        for (library, reference) in references {
            configuration.resolve(library, &reference)?;
        }
        // As in Kafka's own client: who leads in place of a broker that is down is found out
        // only between two attempts to reach that one.
        if configuration.get("reconnect.backoff.ms").is_none() {
            configuration.set_default("reconnect.backoff.max.ms", "1000");
        }
        Ok(configuration)
    }
}

/// A number of bytes in the library's unit.
fn kilobytes(value: &str) -> Result<String, PropertyError> {
    let bytes: Result<u64, _> = value.trim().parse();
    let bytes = bytes.map_err(|_| PropertyError(format!("'{value}' is not a number of bytes")))?;
    Ok(bytes.div_ceil(1_024).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of these properties of a table.
    fn given(options: &[(&str, &str)]) -> Result<Properties, String> {
        let mut properties = Properties::default();
        for (name, value) in options {
            let allowed = properties.allow(name, value);
            allowed.map_err(|error| format!("'{name}' {error}"))?;
        }
        let checked = properties.check();
        checked.map_err(|error| error.to_string())?;
        Ok(properties)
    }

    fn check(options: &[(&str, &str)], expected: &str) {
        let error = given(options).err().unwrap_or_default();
        let fits = match expected {
            "" => error.is_empty(),
            _ => error.contains(expected),
        };
        assert!(fits, "{options:?}: {error:?} instead of {expected:?}");
        assert!(!error.contains("canary"), "{options:?}: {error}");
    }

    const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                         username=\"me\" password=\"${env:P}\";";
    const BEARER: &str =
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";

    #[test]
    fn secrets_are_references() {
        for name in [
            "sasl.password",
            "ssl.key.pem",
            "ssl.keystore.key",
            "ssl.key.password",
            "sasl.oauthbearer.token",
        ] {
            for open in ["canary", "", "${env:}", "x${env:CANARY}", "${env:CANARY}x"] {
                check(&[(name, open)], "is a secret");
            }
            let mut properties = Properties::default();
            properties.allow(name, "${env:NAME}").unwrap();
            assert!(!format!("{properties:?}").contains("NAME"));
        }
        let open = PLAIN.replace("${env:P}", "canary");
        check(&[("sasl.jaas.config", &open)], "the password is a secret");
        // What is no secret cannot hold one by chance, nor be another's file.
        for name in [
            "client.id",
            "linger.ms",
            "buffer.memory",
            "ssl.keystore.type",
        ] {
            for value in ["${env:CANARY}", "${file:/canary}", "a${file:/canary}"] {
                check(&[(name, value)], "takes no reference");
            }
        }
        check(&[("sasl.username", "a${env:U}")], "the whole value");
        check(&[("client.id", "a\0b")], "zero byte");
    }

    #[test]
    fn a_login_is_complete_and_used() {
        let tls = ("security.protocol", "SSL");
        let sasl = ("security.protocol", "SASL_SSL");
        let ca = ("ssl.truststore.certificates", "${file:/ca.pem}");
        let certificate = ("ssl.keystore.certificate.chain", "${file:/c.pem}");
        let key = ("ssl.keystore.key", "${file:/c.key}");
        let user = ("sasl.username", "me");
        let password = ("sasl.password", "${env:P}");
        let token = ("sasl.oauthbearer.token", "${file:/token}");
        let mechanism = |name| ("sasl.mechanism", name);
        for (options, expected) in [
            (&[][..], ""),
            (&[tls], ""),
            (&[tls, ca], ""),
            (&[tls, ca, certificate, key], ""),
            (&[tls, ca, ("ssl.truststore.type", "PEM")], ""),
            (&[tls, ("ssl.endpoint.identification.algorithm", "")], ""),
            (&[sasl, mechanism("PLAIN"), user, password], ""),
            (&[sasl, mechanism("scram-sha-512"), user, password, ca], ""),
            (&[sasl, mechanism("PLAIN"), ("sasl.jaas.config", PLAIN)], ""),
            (
                &[
                    sasl,
                    mechanism("PLAIN"),
                    ("sasl.jaas.config", "${file:/jaas}"),
                ],
                "",
            ),
            (&[sasl, mechanism("OAUTHBEARER"), token], ""),
            (
                &[
                    sasl,
                    mechanism("OAUTHBEARER"),
                    ("sasl.jaas.config", BEARER),
                    token,
                ],
                "",
            ),
            // Not used.
            (&[ca], "'properties.ssl.ca.pem' would not be used"),
            (
                &[user, password],
                "'properties.sasl.username' would not be used",
            ),
            (
                &[tls, mechanism("PLAIN")],
                "'properties.sasl.mechanism' would not be used",
            ),
            (
                &[tls, ("sasl.jaas.config", PLAIN)],
                "'properties.sasl.jaas.config' would not",
            ),
            (
                &[
                    ("security.protocol", "SASL_PLAINTEXT"),
                    mechanism("PLAIN"),
                    user,
                    password,
                    ca,
                ],
                "'properties.ssl.ca.pem' would not be used",
            ),
            (
                &[sasl, mechanism("PLAIN"), user, password, token],
                "'properties.sasl.oauthbearer.token' would not be used",
            ),
            // Not complete.
            (&[tls, certificate], "a client certificate needs both"),
            (&[tls, key], "a client certificate needs both"),
            (&[tls, ("ssl.key.password", "${env:P}")], "is of no key"),
            (&[sasl], "it is 'GSSAPI', as in Kafka, if it is not set"),
            (
                &[sasl, mechanism("GSSAPI")],
                "must be one of 'PLAIN', 'SCRAM-SHA-256'",
            ),
            (
                &[sasl, mechanism("PLAIN"), user],
                "needs 'properties.sasl.username' and",
            ),
            (&[sasl, mechanism("OAUTHBEARER")], "needs a token"),
            // Not fitting.
            (
                &[
                    sasl,
                    mechanism("SCRAM-SHA-256"),
                    ("sasl.jaas.config", PLAIN),
                ],
                "does not fit 'properties.sasl.mechanism' = 'SCRAM-SHA-256'",
            ),
            (
                &[sasl, mechanism("PLAIN"), user, ("sasl.jaas.config", PLAIN)],
                "says the same as 'properties.sasl.username'",
            ),
            (&[tls, ca, ("ssl.ca.pem", "${env:C}")], "says the same as"),
            (
                &[tls, ("ssl.truststore.type", "JKS")],
                "only 'PEM' is supported",
            ),
            (&[("security.protocol", "TLS")], "Invalid value"),
        ] {
            check(options, expected);
        }
    }

    #[test]
    fn secrets_are_resolved_when_a_client_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        let reference = |name: &str| format!("${{file:{}}}", path(name));
        let sasl = ("security.protocol", "SASL_SSL");
        let mechanism = ("sasl.mechanism", "SCRAM-SHA-256");

        let (user, password) = (reference("user"), reference("password"));
        let options = [
            sasl,
            mechanism,
            ("sasl.username", &*user),
            ("sasl.password", &*password),
        ];
        let properties = given(&options).unwrap();
        let error = || {
            properties
                .configuration()
                .err()
                .map(|error| error.to_string())
        };
        assert!(
            error()
                .unwrap()
                .starts_with("cannot resolve 'properties.sasl.username': /")
        );
        write("user", "me\n");
        write("password", "canary\n");
        let configuration = properties.configuration().ok().unwrap();
        assert_eq!(configuration.get("sasl.username"), Some("me"));
        assert_eq!(configuration.get("sasl.password"), Some("canary"));
        write("password", "");
        assert!(error().unwrap().ends_with("is empty"));

        let jaas = reference("jaas");
        let properties = given(&[sasl, ("sasl.jaas.config", &*jaas), mechanism]).unwrap();
        let error = || {
            properties
                .configuration()
                .err()
                .map(|error| error.to_string())
        };
        write("jaas", &PLAIN.replace("${env:P}", "canary"));
        assert!(error().unwrap().contains("does not fit"));
        write("jaas", "canary");
        assert!(error().unwrap().contains("has not the form"));
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required";
        write("jaas", &format!("{scram} username=me password=\"canary\";"));
        let configuration = properties.configuration().ok().unwrap();
        assert_eq!(configuration.get("sasl.username"), Some("me"));
        assert_eq!(configuration.get("sasl.password"), Some("canary"));
    }

    #[test]
    fn values_are_checked_by_the_library() {
        let memory = given(&[("bootstrap.servers", "a:1"), ("buffer.memory", "33554432")]);
        let memory = memory.unwrap();
        assert_eq!(memory.get("queue.buffering.max.kbytes"), Some("32768"));
        check(&[("linger.ms", "20")], "");
        check(&[("linger.ms", "soon")], "'linger.ms' cannot be 'soon': ");
        check(&[("buffer.memory", "much")], "is not a number of bytes");
        check(
            &[("ssl.endpoint.identification.algorithm", "maybe")],
            "Invalid value",
        );
    }

    #[test]
    fn logins_are_told_apart() {
        let with = |name: &str, value: &str| {
            let options = [("bootstrap.servers", "a:1"), ("security.protocol", "SSL")];
            given(&[&options[..], &[(name, value)]].concat()).unwrap()
        };
        let one = with("ssl.ca.pem", "${env:A}");
        assert!(one.has_login_of(&with("ssl.truststore.certificates", "${env:A}")));
        assert!(!one.has_login_of(&with("ssl.ca.pem", "${env:B}")));
        assert!(!one.has_login_of(&with("linger.ms", "1")));
        assert!(with("linger.ms", "2").has_login_of(&with("linger.ms", "1")));
    }
}
